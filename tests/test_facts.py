import pandas as pd
from studies import TABLES, write_study

from evalkit.facts import claims, conflicts, fact_entries
from evalkit.readers import read_study

LATER = {
    "subject": "horten-workshop-3",
    "quantity": "start",
    "value": "2023-03-02",
    "unit": "date",
    "chosen": "no",
    "reason": "Tabellen er ført fortløpende",
    "locator": "kap. 6.5",
}


def study(tmp_path, *facts):
    return read_study(write_study(tmp_path, facts=[*TABLES["facts"], *facts]))


def test_numbers_and_dates_of_tables_are_claims_too(tmp_path):
    every = claims(study(tmp_path).tables)

    assert every["key"].tolist() == [
        "horten-workshop-3.attended",
        "horten-workshop-3.start",
        "horten.population",
    ]
    assert every["unit"].tolist() == ["persons", "date", "persons"]
    assert every["chosen"].all()


def test_a_claim_that_disagrees_with_a_table_is_kept_beside_it(tmp_path):
    every = claims(study(tmp_path, LATER).tables)

    found = conflicts(every)
    assert found["value"].tolist() == ["2023-03-24", "2023-03-02"]
    assert found["chosen"].tolist() == [True, False]


def test_claims_of_two_versions_do_not_disagree(tmp_path):
    planned = TABLES["facts"][0] | {"value": "27000", "version": "plan-2019", "locator": "s. 9"}

    assert conflicts(claims(study(tmp_path, planned).tables)).empty


def test_the_same_number_written_otherwise_is_no_conflict(tmp_path):
    again = TABLES["facts"][0] | {"value": "27600.0", "locator": "s. 2"}

    assert conflicts(claims(study(tmp_path, again).tables)).empty


def test_the_book_gets_the_chosen_values_with_their_source(tmp_path):
    read = study(tmp_path, LATER)

    entries = fact_entries(claims(read.tables), read.sources)

    assert entries["horten-workshop-3.start"] == {
        "text": "24. mars 2023",
        "title": "Waldahl og Skogøy (2024), s. 1",
        "source": "nf2024",
    }
    assert entries["horten.population"]["value"] == 27600
    assert entries["horten.population"]["decimals"] == 0
    assert entries["horten.population"]["title"].endswith("(om lag)")


def test_decimals_are_those_of_the_source():
    every = pd.DataFrame(
        {
            "key": ["a.b"],
            "value": ["12.50"],
            "unit": ["percent"],
            "qualifier": [None],
            "source": ["x"],
            "locator": ["s. 2"],
            "chosen": [True],
            "subject": ["a"],
            "table": ["facts"],
        }
    )
    sources = pd.DataFrame({"key": ["x"], "short": ["X (2020)"]})

    assert fact_entries(every, sources)["a.b"]["decimals"] == 2


def test_too_few_participants_never_reach_the_book(tmp_path):
    few = {
        "participants_id": "horten-course",
        "municipality_code": "3801",
        "group": "Familier",
        "count": 3,
        "unit": "families",
    }
    read = read_study(write_study(tmp_path, participants=[few]))

    entry = fact_entries(claims(read.tables), read.sources)["horten-course.count"]

    assert entry["text"] == "færre enn 5"
    assert "value" not in entry


def test_counts_are_told_from_measures(tmp_path):
    rows = [
        {"subject": "horten", "quantity": "schools", "label": "Skoler", "value": "4", "unit": "count"},
        {"subject": "horten", "quantity": "share", "label": "Andel", "value": "8", "unit": "percent"},
    ]  # fmt: skip
    read = study(tmp_path, *rows)

    entries = fact_entries(claims(read.tables), read.sources)

    assert entries["horten.schools"]["counted"] is True
    assert "counted" not in entries["horten.share"]
