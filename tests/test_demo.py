"""The study demo: reproducible, true to its truth, safe to show, and labelled as synthetic."""

import inspect
import json
import tomllib

import pandas as pd
import pytest
import yaml
from conftest import PROJECT

from evalkit.contracts import CONTRACTS, typed
from evalkit.demo import _design, demo_truth, generate_demo, write_demo
from evalkit.disclosure import TOTAL, audit, require_safe
from evalkit.errors import DataError
from evalkit.figures import statistics as figures
from evalkit.indicators import yearly_values
from evalkit.preparation import (
    answers_by_wave,
    crosswalk_by_wave,
    indicator_effect,
    indicator_synthetic_path,
    indicator_totals,
    protected_values,
)
from evalkit.protected_surveys import protected_answers, published_counts
from evalkit.readers import read_study
from evalkit.survey import share_change
from evalkit.tables import goal_targets, indicator_methods, survey_methods, user_surveys
from evalkit.tables import statistics as tables

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))


def demo_tables(seed=2024, **size):
    return {
        name: typed(table, CONTRACTS[name]) for name, table in generate_demo(seed, **size).items()
    }


@pytest.fixture(scope="module")
def demo():
    return demo_tables(municipality_count=2, area_count=60)


@pytest.fixture(scope="module")
def protected(demo):
    given = answers_by_wave(demo["answers"], demo["surveys"])
    own = given["municipality_code"].eq("9901") & given["wave"].eq(0)
    return protected_answers(given.loc[own & given["item"].isin(["samordning", "tid"])])


def test_the_same_seed_gives_the_same_tables_and_another_seed_others():
    size = {"municipality_count": 1, "area_count": 6}
    first, again, other = (generate_demo(seed, **size) for seed in (7, 7, 8))

    assert all(first[name].equals(again[name]) for name in first)
    assert not first["answers"].equals(other["answers"])
    assert not first["observations"].equals(other["observations"])


def test_the_study_that_is_written_can_be_read_and_says_that_it_is_synthetic(tmp_path):
    folder = write_demo(tmp_path / "demo", municipality_count=2, area_count=8)

    read = read_study(folder)

    assert read.settings.synthetic
    assert read.settings.municipality_codes == ["9901", "9902"]
    assert read.sources["title"].str.contains("Syntetisk").all()
    assert "truth" not in read.tables
    truth = tomllib.loads((folder / "truth.toml").read_text(encoding="utf-8"))
    assert truth == demo_truth(municipality_count=2, area_count=8)
    told = read.tables["facts"].set_index(["subject", "quantity"])["value"]
    assert float(told["sannhet-fravaer", "effect"]) == truth["indicator_effect"]["fravaer"]


def test_codes_are_outside_the_real_range_and_one_begins_with_nought():
    codes = generate_demo(municipality_count=6, area_count=6)["municipalities"]["municipality_code"]

    assert codes.str.fullmatch(r"9\d{3}|0991").all()
    assert codes.str.startswith("0").sum() == 1
    assert codes.is_unique


def test_two_mergers_and_a_split_leave_sixty_municipalities_in_the_last_year(demo):
    counted = demo["observations"].dropna(subset="municipality_code").groupby("period")
    places = counted["municipality_code"].nunique()

    assert places["2016"] == 61  # four before the mergers, one before the split
    assert places["2017"] == 60
    assert places["2020"] == 60
    assert places["2024"] == 60
    notes = demo["municipalities"]["note"].dropna()
    assert notes.str.startswith("Slått sammen av").sum() == 2
    assert notes.str.startswith("Delt i").sum() == 1


def test_more_municipalities_than_there_are_names_for_are_refused():
    with pytest.raises(DataError, match="at most"):
        generate_demo(area_count=5000)


def test_a_service_has_four_employees_and_is_hidden(protected):
    small = protected.loc[protected["service"] == "Ungdomsteam"]

    assert small["count"].isna().all()
    assert set(small["reason"]) == {"base_too_small"}


def test_95_per_cent_intervals_cover_the_truth_about_95_times_in_a_hundred():
    covered, size = [], {"municipality_count": 2, "area_count": 2}
    for seed in range(14):
        generated = demo_tables(seed, **size)
        truth = demo_truth(seed, **size)["item_change_wave_1"]
        given = answers_by_wave(generated["answers"], generated["surveys"])
        asked = crosswalk_by_wave(generated["crosswalk"], generated["surveys"])
        changes = share_change(given, linkage="linked", crosswalk=asked).dropna(subset="value")
        true = (changes["municipality_code"] + "." + changes["item"]).map(truth)
        covered.append((changes["lower"] <= true) & (true <= changes["upper"]))

    share = pd.concat(covered).mean()
    assert share == pytest.approx(0.95, abs=0.03)


def test_difference_in_differences_finds_the_true_effect_and_none_where_there_is_none(demo):
    values = protected_values(yearly_values(demo["observations"]))
    design = {"treated": ["9901", "9902"], "treated_from": 2020}

    measured = indicator_effect(values, indicator_id="fravaer", **design)
    other = indicator_effect(values, indicator_id="utenfor", **design)

    assert measured["lower"].item() <= -2.0 <= measured["upper"].item() < 0
    assert other["lower"].item() <= 0.0 <= other["upper"].item()


def test_a_hidden_year_of_an_indicator_cannot_be_found_from_the_total():
    counts = pd.DataFrame(
        {
            "municipality_code": ["9901", "9902", "9903", "9904"],
            "indicator_id": "fravaer",
            "year": 2024,
            "value": [2.0, 6.0, 8.0, 9.0],
            "numerator": [2.0, 6.0, 80.0, 90.0],
            "denominator": [100.0, 100.0, 1000.0, 1000.0],
        }
    )
    whole = pd.DataFrame(
        {
            "indicator_id": ["fravaer"],
            "year": [2024],
            "value": [8.1],
            "numerator": [178.0],
            "denominator": [2200.0],
        }
    )

    alone = protected_values(counts)
    with_total = protected_values(counts, totals=whole)

    assert alone["value"].isna().tolist() == [True, False, False, False]
    assert with_total["value"].isna().sum() == 2
    assert set(with_total["reason"].dropna()) == {"protected"}  # 2 and 6 of 8


def test_the_audit_passes_the_demo(protected, demo):
    sums = indicator_totals(demo["observations"], areas=demo["areas"])
    whole = sums.loc[sums["county_code"].isna()]

    require_safe(audit([published_counts(protected)]))

    assert protected["count"].isna().any()
    assert len(whole) == 30


def shown_again(protected, rows, counts):
    """The tables as a careless hand would publish them: some hidden counts shown."""
    count = protected["count"].mask(rows, counts)
    return protected.assign(count=count, reason=protected["reason"].mask(rows, None))


@pytest.fixture(scope="module")
def true_counts(demo, protected):
    """The counts behind the rows of ``protected``."""
    given = answers_by_wave(demo["answers"], demo["surveys"])
    own = given["municipality_code"].eq("9901") & given["wave"].eq(0)
    answered = given.loc[own].dropna(subset="score")
    scores = {"disagree": [1, 2], "neither": [3], "agree": [4, 5], TOTAL: [1, 2, 3, 4, 5]}
    return pd.Series(
        [
            float(
                (
                    answered["item"].eq(row.item)
                    & answered["score"].isin(scores[row.answer_class])
                    & (answered["service"].eq(row.service) | (row.service == TOTAL))
                ).sum()
            )
            for row in protected.itertuples()
        ],
        index=protected.index,
    )


def test_the_audit_catches_a_table_without_secondary_hiding(protected, true_counts):
    careless = shown_again(protected, protected["reason"].eq("can_be_derived"), true_counts)

    with pytest.raises(DataError, match="service=Ungdomsteam"):
        require_safe(audit([published_counts(careless)]))


def test_the_audit_catches_a_hidden_answer_beside_the_service_total(protected, true_counts):
    rows = protected["service"].eq("NAV") & protected["answer_class"].ne("neither")
    careless = shown_again(protected, rows, true_counts)

    with pytest.raises(DataError, match="service=Ungdomsteam"):
        require_safe(audit([published_counts(careless)]))


def test_the_audit_catches_a_count_hidden_in_one_table_and_shown_in_another(protected, true_counts):
    cells = protected.loc[protected["item"] == "samordning"]
    second = shown_again(cells, cells["service"].eq("NAV"), true_counts)

    with pytest.raises(DataError, match="service=Ungdomsteam"):
        require_safe(audit([published_counts(cells), published_counts(second)]))


def public(module):
    made = [getattr(module, name) for name in module.__all__]
    return [one for one in made if one.__name__.endswith(("_table", "_figure"))]


SHOWN = (tables, goal_targets, indicator_methods, survey_methods, user_surveys, figures)


@pytest.mark.parametrize(
    "function", [one for module in SHOWN for one in public(module)], ids=lambda f: f.__name__
)
def test_every_table_and_figure_must_be_told_whether_the_data_are_synthetic(function):
    parameter = inspect.signature(function).parameters["synthetic"]

    assert parameter.kind is parameter.KEYWORD_ONLY
    assert parameter.default is parameter.empty


@pytest.mark.parametrize(
    "path", [p for p in NOTEBOOKS if '"demo\\"' in p.read_text("utf-8")], ids=lambda p: p.stem
)
def test_every_labelled_cell_of_a_demo_notebook_passes_on_that_it_is_synthetic(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    labelled = [source for source in sources if source.startswith("#| label")]

    assert labelled
    assert all("synthetic=synthetic" in source for source in labelled)


def test_the_demo_book_is_labelled_on_every_page_and_on_its_cover():
    settings = yaml.safe_load((PROJECT / "reports/demo/_quarto.yml").read_text(encoding="utf-8"))

    assert settings["evalkit"]["label"] == "syntetisk"
    assert "syntetisk" in settings["book"]["title"]


def test_four_hundred_municipalities_have_names_of_their_own():
    areas = _design(2024, 357, 411).areas

    assert areas["name"].is_unique
    assert areas["municipality_code"].is_unique


def test_a_study_where_all_have_the_measure_has_no_synthetic_control_and_says_so():
    tables = demo_tables(municipality_count=1, area_count=1)
    values = yearly_values(tables["observations"])
    code = values["municipality_code"].iloc[0]
    asked = {"indicator_id": "fravaer", "treated": [code], "treated_from": 2020}

    path = indicator_synthetic_path(values, municipality_code=code, **asked)
    figure = figures.synthetic_control_figure(
        path,
        "Regnbuvik",
        treated_from=2020,
        indicator="Fravær",
        observations=tables["observations"],
        synthetic=True,
    )

    assert path.empty
    assert "Ingen kommune uten tiltaket" in figure.alt


def test_no_more_users_wrote_a_comment_than_answered_the_survey(demo):
    comments = demo["codings"].groupby("municipality_code")["document"].nunique()
    users = demo["surveys"].loc[demo["surveys"]["kind"] == "user_survey"]
    answered = users.set_index("municipality_code")["answered_count"]

    assert (comments <= answered.loc[comments.index]).all()


def test_the_groups_of_pupils_part_the_whole_and_the_worst_off_have_the_highest_risk(demo):
    rows = demo["observations"]
    all_together = rows["area"].eq("Alle demokommunene")
    whole = rows.loc[all_together & rows["indicator_id"].eq("fravaer")]
    parts = whole.loc[whole["group"].notna()]
    last = parts.loc[parts["period"] == "2024"].set_index("group")
    share = last["numerator"] / last["denominator"]
    total = whole.loc[whole["group"].isna() & whole["period"].eq("2024"), "numerator"].item()

    assert last.filter(like="Femdel", axis=0)["numerator"].sum() == total
    assert last.filter(like="Trinn", axis=0)["numerator"].sum() == total
    assert share.filter(like="Femdel").is_monotonic_decreasing
    assert rows["observation_id"].is_unique
    assert parts["numerator"].min() >= 5
