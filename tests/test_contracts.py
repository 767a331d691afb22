import pandas as pd
import pytest

from evalkit.contracts import CONTRACTS, breaches, columns_of, data_dictionary, validated
from evalkit.errors import DataError

EVENTS = CONTRACTS["events"]


def events(**given):
    row = dict.fromkeys(columns_of(EVENTS)) | {
        "event_id": "horten-workshop-1",
        "municipality_code": "0301",
        "kind": "meeting",
        "source": "nf2024",
        "locator": "Tabell 2",
    }
    return pd.DataFrame([row | given], dtype="str")


def test_a_table_that_keeps_its_contract_gets_its_types():
    table = validated(events(number="2", start="2022-05-04"), EVENTS)

    assert table["number"].item() == 2.0
    assert table["municipality_code"].item() == "0301"
    assert pd.isna(table["attended_count"].item())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"municipality_code": "301"},
            "municipality_code: '301' in row 2; expected the municipality",
        ),
        ({"kind": "workshop"}, "kind: 'workshop' in row 2; expected one of learning_workshop"),
        ({"start": "2023-02-31"}, "start: '2023-02-31' in row 2; expected its first day"),
        ({"start": "24.03.2023"}, "start: '24.03.2023' in row 2"),
        ({"number": "to"}, "number: 'to' in row 2; expected its number in a series"),
        ({"attended_count": "-3"}, "attended_count: '-3' in row 2"),
        ({"source": None}, "source: blank in row 2; expected key of the source"),
        ({"event_id": "Horten 1"}, "event_id: a text in row 2"),
    ],
)
def test_a_breach_says_column_value_row_and_what_was_expected(given, message):
    found = breaches(events(**given), EVENTS)

    assert len(found) == 1
    assert found[0].startswith(message)


def test_all_breaches_come_at_once():
    table = pd.concat([events(kind="x", source=None), events(start="2023-13")], ignore_index=True)

    found = breaches(table, EVENTS)

    assert [line.split(":")[0] for line in found] == ["event_id", "kind", "start", "source"]


def test_free_text_never_reaches_a_message():
    secret = "Kari Nordmann fortalte at hun var redd"

    found = breaches(events(kind=secret), EVENTS)

    assert "Kari" not in "".join(found)


def test_unknown_and_missing_columns_are_named():
    table = events().rename(columns={"kind": "type"})

    found = breaches(table, EVENTS)

    assert found[0].startswith("unknown column type; expected event_id")
    assert found[1].startswith("column kind is missing")


def test_a_broken_table_is_refused_with_its_contract_s_name():
    with pytest.raises(DataError, match="does not match EventsTable"):
        validated(events(kind="x"), EVENTS)


def test_every_column_of_every_table_is_described():
    dictionary = data_dictionary()

    assert set(dictionary["table"]) == set(CONTRACTS)
    assert dictionary["description"].str.len().min() > 5


@pytest.mark.parametrize("name", list(CONTRACTS))
def test_references_lead_to_a_column_that_identifies_rows(name):
    for column in columns_of(CONTRACTS[name]).values():
        target = (column.metadata or {}).get("references")
        if target and target != "sources":
            table, key = target.split(".")
            assert columns_of(CONTRACTS[table])[key].unique


@pytest.mark.parametrize(
    ("character", "code"),
    [("\0", "U+0000"), ("\x1b", "U+001B"), ("\u202e", "U+202E"), ("\U000e0041", "U+E0041")],
)
def test_characters_that_nobody_sees_are_refused_by_row(character, code):
    found = breaches(events(title=f"Møte{character} i rådet"), EVENTS)

    assert found == [
        f"title: characters that are not seen ({code}) in row 2; "
        "expected text without them: write the cell anew"
    ]


def test_text_of_a_script_written_from_the_right_is_text():
    assert not breaches(events(title="اجتماع במועצה, línea\u00a0– Ŋjárga"), EVENTS)


def test_a_text_that_no_spreadsheet_holds_whole_is_refused():
    found = breaches(events(note="a" * 1_048_576), EVENTS)

    assert found == [
        "note: a text of 1048576 characters in row 2; expected at most 32767, as in a "
        "spreadsheet: keep documents beside the study"
    ]
