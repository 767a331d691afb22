"""Published values that give few persons away: hidden in every table and figure, as in prose."""

import pandas as pd
import pytest
from studies import SETTINGS, write_study

import evalkit as ek
from evalkit.municipalities import Municipality
from evalkit.processing import StudyFiles, process_files
from evalkit.store import read_processed

INDICATOR = {"indicator_id": "fravaer", "name": "Fravær", "unit": "percent", "direction": "down"}
COUNTS = {  # of each year and place: with the country's sum, Oslo's few are told by Horten's
    "2018": {"0301": (12, 60), "3801": (90, 600), "Landet": (102, 660)},
    "2022": {"0301": (3, 64), "3801": (84, 620), "Landet": (87, 684)},
}
SHOWN = {"0301": "20 %", "3801": "15 %"}  # in 2018, when nobody is few
HIDDEN = ("4,7", "13,5")  # per cent in 2022
PLACES = {
    "0301": Municipality("0301", "oslo", "Oslo", "ost"),
    "3801": Municipality("3801", "horten", "Horten", "ost"),
}


def observations(*, few=True):
    return [
        {
            "observation_id": f"tall-{year}-{place}".lower(),  # named after no municipality
            "indicator_id": "fravaer",
            "municipality_code": place if place.isdigit() else None,
            "area": None if place.isdigit() else place,
            "period": year,
            "value": round(100 * count / base, 1),
            "numerator": count if few else None,
            "denominator": base if few else None,
            "note": f"{count} av {base}",
        }
        for year, places in COUNTS.items()
        for place, (count, base) in places.items()
    ]


def processed(tmp_path, **given):
    decided = "".join(
        f'"observations.{row["observation_id"]}.note" = "Tas ut med verdien."\n'
        for row in observations(**given)
        if row["municipality_code"]
    )
    write_study(
        tmp_path,
        settings=f"{SETTINGS}\n[counts_decided]\n{decided}",
        indicators=[INDICATOR],
        observations=observations(**given),
        targets=[
            {"target_id": "t", "indicator_id": "fravaer", "value": 10, "unit": "percent"}
            | {"direction": "at_most", "due": "2022"}
        ],
    )
    files = StudyFiles(
        tmp_path / "data" / "raw" / "lite", tmp_path / "data" / "processed", tmp_path
    )
    process_files(files)
    return lambda table, code=None: read_processed(table, "lite", files.processed, code)


def of_municipality(read, code):
    """What notebook 05 shows of a municipality, in one text."""
    seen = ek.withheld_values(read("observations", code), read("claims", code))
    every = read("indicators").assign(municipality_code=code)
    given = {"observations": seen, "municipality_code": code}
    overview = ek.indicator_overview(every, targets=read("targets"), **given)
    values = ek.indicator_values(every, **given)
    table = ek.indicators_table(overview, PLACES[code], latest=ek.latest_values(values))
    figure = ek.indicators_figure(values, overview=overview, municipality=PLACES[code])
    return f"{table.body} {figure.svg} {figure.alt}".replace("\u00a0", " ")


def of_effects(read):
    """What notebooks 23 and 25 show of the changes, in one text."""
    given = {
        "observations": ek.withheld_values(read("observations"), read("claims")),
        "municipality_codes": list(PLACES),
        "start": "2020-01-01",
    }
    changes = ek.indicator_changes(read("indicators"), targets=read("targets"), **given)
    elsewhere = ek.area_changes(read("indicators"), **given)
    names = {code: place.name for code, place in PLACES.items()}
    tables = (
        ek.indicator_changes_table(changes, names=names),
        ek.area_changes_table(elsewhere, names=names),
        ek.attribution_table(changes, names=names),
    )
    return changes.set_index("municipality_code"), " ".join(table.body for table in tables)


@pytest.mark.parametrize("code", PLACES)
def test_a_value_that_prose_may_not_tell_stands_in_no_table_or_figure(tmp_path, code):
    shown = of_municipality(processed(tmp_path), code)

    assert not any(number in shown for number in HIDDEN)
    assert SHOWN[code] in shown
    assert "målet er nådd" not in shown


def test_the_table_says_why_the_latest_value_is_hidden(tmp_path):
    read = processed(tmp_path)

    assert "for få til å vises (2022)" in of_municipality(read, "0301")
    assert "skjult for å verne et annet tall (2022)" in of_municipality(read, "3801")


def test_a_change_to_a_hidden_value_is_not_shown(tmp_path):
    changes, shown = of_effects(processed(tmp_path))

    assert not any(number in shown for number in HIDDEN)
    assert changes["standing"].tolist() == ["hidden", "hidden"]
    assert changes["after_hidden"].all()
    assert not changes["before_hidden"].any()
    assert changes["reached"].isna().all()
    assert shown.count("skjult") == 2
    assert "kan ikke vises uten å si noe om for få personer" in " ".join(shown.split())


@pytest.mark.parametrize("few", [True, False], ids=["few", "no counts"])
def test_a_plan_s_first_value_is_hidden_and_still_a_baseline(tmp_path, few):
    read = processed(tmp_path, few=few)
    seen = ek.withheld_values(read("observations"), read("claims"))
    goal = read("goals").iloc[:1].assign(kind="result_goal")

    measured = ek.goal_measurability(
        goal,
        targets=read("targets"),
        indicators=read("indicators").assign(goal_ids=goal["goal_id"].item()),
        observations=seen.loc[seen["period"] == "2022"],
    )

    shown = ek.targets_table(measured).body
    assert measured["baseline"].all()
    assert ("4,7" in shown) != few
    assert ("for få til å vises (2022)" in shown) == few
    assert measured["met_at_baseline"].any() != few


def test_without_counts_the_same_values_are_shown(tmp_path):
    read = processed(tmp_path, few=False)

    assert all(number in of_effects(read)[1] for number in HIDDEN)
    assert "4,7" in of_municipality(read, "0301")


def test_a_withheld_value_takes_its_counts_and_its_note_with_it(tmp_path):
    read = processed(tmp_path)

    seen = ek.withheld_values(read("observations"), read("claims")).set_index("observation_id")

    own = seen.loc["tall-2022-0301"]
    assert own[["value", "numerator", "note"]].isna().all()
    assert own["withheld"] == "too_few"
    assert seen.loc["tall-2018-0301", "note"] == "12 av 60"
    assert pd.isna(seen.loc["tall-2018-0301", "withheld"])
