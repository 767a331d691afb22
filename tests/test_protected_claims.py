"""A count that tables and figures hide is hidden in sentences, lists and on the command line."""

import json

import pandas as pd
import pytest
from conftest import PROJECT
from studies import write_study

import evalkit as ek
from evalkit.cli import main
from evalkit.contracts import CONTRACTS, columns_of, typed
from evalkit.demo import generate_demo, write_demo
from evalkit.facts import claims, fact_entries
from evalkit.indicators import yearly_values
from evalkit.municipality_changes import present_day_values
from evalkit.preparation import indicator_totals, protected_indicators
from evalkit.processing import StudyFiles, process_files, row_hashes
from evalkit.protected_claims import withheld_claims, withheld_observations
from evalkit.readers import read_study

HIDING = ["too_few", "base_too_small", "can_be_derived"]
INDICATORS = pd.DataFrame({"indicator_id": ["absence"], "unit": ["percent"]})


def rows_of(table, rows):
    """Rows of a study's table; columns that are not given are blank."""
    columns = list(columns_of(CONTRACTS[table]))
    given = pd.DataFrame(rows).assign(source="nf2024", locator="s. 1")
    return typed(given.reindex(columns=columns), CONTRACTS[table])


def observed(*rows):
    """Observations of 2020, each a code or area with its count and base."""
    return rows_of(
        "observations",
        [
            {
                "observation_id": f"row-{number}",
                "indicator_id": "absence",
                "municipality_code": place if place.isdigit() else None,
                "area": None if place.isdigit() else place,
                "period": "2020",
                "value": 100 * count / base,
                "numerator": count,
                "denominator": base,
            }
            | dict(*more)
            for number, (place, count, base, *more) in enumerate(rows)
        ],
    )


def reasons(observations, **given):
    found = withheld_observations(observations, indicators=INDICATORS, **given)
    return found["reason"].tolist()


@pytest.fixture(scope="module")
def demo():
    return {
        name: typed(table, CONTRACTS[name])
        for name, table in generate_demo(municipality_count=6, area_count=60).items()
    }


@pytest.fixture(scope="module")
def hidden_rows(demo):
    """What the report hides: municipality, indicator and year."""
    today = present_day_values(yearly_values(demo["observations"]), demo["municipality_changes"])
    shown, sums = protected_indicators(
        today.loc[today["basis"] != "refused"],
        totals=indicator_totals(demo["observations"], areas=demo["areas"]),
    )
    places = sums.assign(municipality_code="fylke" + sums["county_code"].astype(str))
    every = pd.concat([shown, places])
    hidden = every.loc[every["reason"].isin(HIDING)]
    return {
        f"{row.indicator_id}-{row.municipality_code}-{row.year}": row.reason
        for row in hidden.itertuples()
    }


def test_every_count_that_the_report_hides_is_a_claim_without_a_number(demo, hidden_rows):
    every = withheld_claims(claims(demo), demo)
    entries = fact_entries(every, pd.DataFrame({"key": ["evalkit-demo"], "short": ["Demo"]}))

    assert {"too_few", "can_be_derived"} <= set(hidden_rows.values())
    for subject, reason in hidden_rows.items():
        count, value = entries[f"{subject}.numerator"], entries[f"{subject}.value"]
        assert "value" not in count
        assert "value" not in value
        small = count["text"] == "færre enn 5"
        assert small == (reason == "too_few")
        assert (
            value["text"]
            == {
                "too_few": "for få til å vises",
                "can_be_derived": "skjult for å verne et annet tall",
            }[reason]
        )
    numbers = [key for key, entry in entries.items() if key.endswith(".numerator")]
    assert sum("value" not in entries[key] for key in numbers) == len(hidden_rows)


def test_the_demo_s_book_and_the_command_tell_no_hidden_count(
    tmp_path, monkeypatch, capsys, hidden_rows
):
    (tmp_path / "notebooks").mkdir()
    raw = write_demo(tmp_path / "data" / "raw" / "demo")
    book = tmp_path / "reports" / "demo"
    book.mkdir(parents=True)
    book.joinpath("_quarto.yml").write_text("project: {type: book}\n", encoding="utf-8")
    process_files(StudyFiles(raw, tmp_path / "data" / "processed", book))
    entries = json.loads((book / "facts.json").read_text(encoding="utf-8"))

    assert hidden_rows
    for subject in hidden_rows:
        for quantity in ("numerator", "value"):
            assert "value" not in entries[f"{subject}.{quantity}"]
    assert "demo.small_service" not in entries

    monkeypatch.chdir(tmp_path)
    for subject in hidden_rows:
        assert main(["facts", "demo", f"{subject}.*"]) == 0
        said = capsys.readouterr().out
        assert f"{subject}.numerator = hidden (" in said
        assert f"{subject}.value = hidden (" in said
        assert main(["facts", "demo", f"{subject}.numerator", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)[0]
        assert told["value"] is None
        assert told["hidden"]


def test_lists_of_claims_hide_what_is_withheld_and_why_it_was_chosen():
    told = claims(
        {
            "facts": rows_of(
                "facts",
                [
                    {
                        "subject": "row-0",
                        "quantity": "numerator",
                        "label": "Fravær",
                        "value": value,
                        "unit": "count",
                        "chosen": chosen,
                        "reason": f"{value} er talt",
                    }
                    for value, chosen in (("4", "yes"), ("27", "no"))
                ],
            )
        }
    ).assign(withheld="too_few")
    places = pd.DataFrame(columns=["municipality_code", "slug", "name"])

    for shown in (
        ek.claims_table(told),
        ek.claims_list(told, municipalities=places),
        ek.conflicts_table(told),
    ):
        assert "færre enn 5" in shown.body
        assert "for få til å vises" in shown.body
        assert "27" not in shown.body
        assert "er talt" not in shown.body


def test_another_count_is_hidden_where_an_area_holds_all_municipalities():
    rows = [("1101", 3, 100), ("1102", 20, 100), ("1103", 30, 100)]
    counts = observed(*rows, ("Alle", 53, 300), ("Landet", 900, 9000))

    assert reasons(counts) == ["too_few", "can_be_derived", None, None, None]
    assert reasons(observed(*rows)) == ["too_few", None, None]


def test_a_sum_is_hidden_where_its_parts_cannot_be():
    assert reasons(observed(("1101", 3, 100), ("Alle", 3, 100))) == ["too_few", "too_few"]
    assert reasons(observed(("1101", 1, 100), ("1102", 2, 90), ("Alle", 3, 190)))[2] == "too_few"


def test_a_small_base_is_hidden_with_its_count():
    counts = observed(("1101", 2, 4), ("1102", 20, 100))

    found = withheld_observations(counts, indicators=INDICATORS)

    assert found["reason"].tolist() == ["base_too_small", None]
    assert found["base_reason"].tolist() == ["base_too_small", None]


def test_municipalities_that_were_merged_are_hidden_together():
    changes = rows_of(
        "municipality_changes",
        [
            {"change_id": old, "old_code": old, "new_code": "1109", "year": 2021, "share": 1}
            for old in ("1101", "1102")
        ],
    )
    counts = observed(("1101", 3, 100), ("1102", 20, 100), ("1103", 30, 100), ("Alle", 53, 300))

    assert reasons(counts, changes=changes) == ["can_be_derived", "can_be_derived", None, None]


def test_groups_are_hidden_together_where_one_is_small():
    counts = observed(
        ("1101", 23, 100),
        ("1101", 3, 50, {"group": "gutter"}),
        ("1101", 20, 50, {"group": "jenter"}),
    )

    assert reasons(counts) == [None, "too_few", "can_be_derived"]


def test_a_count_that_per_cent_and_base_tell_is_hidden():
    counts = observed(("1101", 3, 100), ("1102", 30, 100)).assign(numerator=float("nan"))

    assert reasons(counts) == ["too_few", None]


def test_more_events_than_persons_have_no_complement():
    assert reasons(observed(("1101", 140, 100), ("1102", 90, 100))) == [None, None]
    assert reasons(observed(("1101", 140, 100), ("1102", 2, 100))) == ["can_be_derived", "too_few"]


def test_a_share_beside_its_base_is_hidden_with_the_count():
    results = rows_of(
        "survey_results",
        [
            {
                "result_id": "few",
                "survey_id": "a",
                "item": "x",
                "share_percent": 10,
                "base_count": 30,
            },
            {
                "result_id": "many",
                "survey_id": "a",
                "item": "x",
                "share_percent": 50,
                "base_count": 30,
            },
        ],
    )
    tables = {"survey_results": results}

    every = withheld_claims(claims(tables), tables).set_index("key")["withheld"]

    assert every.dropna().to_dict() == {"few.share": "too_few"}


def test_few_who_answered_are_hidden_unless_the_survey_is_shown_as_others_published_it():
    surveys = rows_of(
        "surveys",
        [
            {
                "survey_id": "a",
                "municipality_code": "1101",
                "title": "Måling",
                "invited_count": 30,
                "answered_count": 3,
                "response_rate_percent": 10,
            }
        ],
    )
    tables = {"surveys": surveys}

    hidden = withheld_claims(claims(tables), tables).set_index("key")["withheld"]
    as_published = withheld_claims(claims(tables), tables, published=["surveys"])["withheld"]

    assert hidden.dropna().to_dict() == {"a.answered": "too_few", "a.response_rate": "too_few"}
    assert as_published.isna().all()


def test_a_count_of_three_participants_stays_hidden(tmp_path):
    few = {
        "participants_id": "horten-course",
        "municipality_code": "3801",
        "group": "Familier",
        "count": 3,
        "unit": "families",
    }
    read = read_study(write_study(tmp_path, participants=[few]))

    every = withheld_claims(claims(read.tables), read.tables)

    assert fact_entries(every, read.sources)["horten-course.count"]["text"] == "færre enn 5"


def test_no_claim_of_the_pilot_is_withheld_besides_few_participants():
    read = read_study(PROJECT / "data" / "raw" / "pilot")
    every = claims(read.tables)
    protected = withheld_claims(every, read.tables, published=read.settings.published_tables)

    hidden = protected.loc[protected["withheld"].notna()]
    own = set(read.tables["participants"]["participants_id"])
    own |= set(read.tables["observations"]["observation_id"])
    assert set(hidden["subject"]) <= own
    assert len(hidden) == 11  # participants, and two observations that repeat them


def test_a_count_hidden_for_another_s_sake_changes_the_row_of_its_municipality():
    def hashes(first):
        counts = observed(
            ("1101", first, 100),
            ("1102", 20, 100),
            ("1103", 30, 100),
            ("Alle", 50 + first, 300),
        )
        return row_hashes({"observations": counts, "indicators": INDICATORS}, {"observations"})

    before, after = hashes(9)["observations"], hashes(3)["observations"]

    assert {code for code in before if before[code] != after[code]} == {"", "1101", "1102"}
