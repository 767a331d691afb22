"""Every count of persons goes through one rule, whatever table, claim or text it stands in."""

import pandas as pd
import pytest
from studies import SETTINGS, write_study

from evalkit.baseline import result_counts, survey_response, withheld_results
from evalkit.disclosure import CountTable, audit
from evalkit.errors import ConfigError, DataError
from evalkit.facts import PUBLISHED_COUNTS, claims, fact_entries
from evalkit.person_counts import without_withheld
from evalkit.protected_claims import withheld_claims
from evalkit.readers import read_study
from evalkit.settings import read_settings
from evalkit.small_counts import SmallestCount, smallest_count_of

NOUGHT_SHOWN = SmallestCount(5, nought_is_small=False)
SHOWN = """
[published_counts]
tables = ["facts", "participants"]
reason = "Tallene står i en offentlig rapport."
"""


def results(*rows):
    """Published results of one question: group, answer, persons and base."""
    return pd.DataFrame(
        [
            ("a", "x", group, answer, None, float(count), float(base))
            for group, answer, count, base in rows
        ],
        columns=["survey_id", "item", "group", "answer", "share_percent", "count", "base_count"],
    ).astype({"share_percent": float})


@pytest.mark.parametrize(
    ("count", "reason"), [(18, "protected"), (20, "protected"), (0, "too_few")]
)
def test_a_result_of_all_but_a_few_of_all_or_of_nobody_is_hidden(count, reason):
    told = withheld_results(results((None, "enig", count, 20)))

    assert told["reason"].tolist() == [reason]
    assert told["base_reason"].isna().all()


def test_unanimity_may_be_shown_where_the_study_lets_nought_be():
    told = withheld_results(
        results((None, "enig", 20, 20), (None, "uenig", 0, 20)), smallest_count=NOUGHT_SHOWN
    )

    assert told.isna().all(axis=None)


def test_what_is_shown_of_published_results_passes_the_audit():
    rows = results(
        (None, "enig", 48, 90),
        ("skole", "enig", 30, 40),
        ("helse", "enig", 16, 30),
        ("barnehage", "enig", 2, 20),
    ).fillna({"group": ""})

    told = withheld_results(rows)
    known = rows.assign(row=range(4), base=rows["base_count"])
    (table,), sums = result_counts(known)
    names = table.names()
    away = [row for row in range(4) if told["reason"].iloc[row] is not None]
    hidden = [f"results | cell={row} {part}" for row in away for part in ("yes", "no")]
    shown = table.cells.assign(count=table.cells["count"].mask(names.isin(hidden)))

    assert told["reason"].notna().tolist() == [False, False, True, True]
    assert audit([CountTable(shown, ("cell",), "results")], relations=sums)["safe"].all()


def participants(*counts):
    return [
        {
            "participants_id": name,
            "municipality_code": "3801",
            "group": name,
            "count": count,
            "unit": "persons",
        }
        for name, count in counts
    ]


def fact(subject, value, **given):
    return {
        "subject": subject,
        "quantity": "members",
        "value": value,
        "unit": "persons",
        "label": "x",
    } | given


def hidden(folder, **asked):
    tables = read_study(folder).tables
    told = withheld_claims(claims(tables), tables, **asked).set_index("key")["withheld"]
    return told.dropna().to_dict()


def test_a_hidden_count_is_not_left_between_two_that_differ_by_it(tmp_path):
    folder = write_study(
        tmp_path, participants=participants(("alle", 23), ("uten-liten", 20), ("liten", 3))
    )

    assert set(hidden(folder)) == {"liten.count", "uten-liten.count"}


def test_a_claim_of_two_persons_is_hidden_as_a_table_hides_three(tmp_path):
    folder = write_study(
        tmp_path, participants=participants(("liten", 3)), facts=[fact("gruppe", "2")]
    )

    assert hidden(folder) == {"liten.count": "too_few", "gruppe.members": "too_few"}
    assert hidden(folder, decided={"gruppe.*": "Rollene er offentlige verv."}) == {
        "liten.count": "too_few"
    }


def test_published_counts_are_shown_where_the_study_says_so_of_their_table(tmp_path):
    folder = write_study(
        tmp_path, participants=participants(("liten", 3)), facts=[fact("gruppe", "2")]
    )

    assert hidden(folder, published=["facts"]) == {"liten.count": "too_few"}
    assert hidden(folder, published=["facts", "participants"]) == {}


def test_a_claim_about_a_hidden_row_is_hidden_with_it_though_facts_are_published(tmp_path):
    about = fact("liten", "4", quantity="count", chosen="no", reason="annen kilde", label=None)
    folder = write_study(
        tmp_path,
        participants=participants(("liten", 3)),
        facts=[about | {"chosen": "no"}, about | {"value": "3", "chosen": "yes"}],
    )

    assert hidden(folder, published=["facts"]) == {"liten.count": "too_few"}


def test_a_row_of_few_loses_its_count_and_its_note(tmp_path):
    rows = [row | {"note": "Bare tre"} for row in participants(("alle", 23), ("liten", 3))]
    tables = read_study(write_study(tmp_path, participants=rows)).tables

    shown = without_withheld(
        tables["participants"], withheld_claims(claims(tables), tables), name="participants"
    )

    assert shown["count"].isna().tolist() == [False, True]
    assert shown["note"].isna().tolist() == [False, True]
    assert shown["withheld"].tolist() == [None, "too_few"]


def test_few_who_answered_a_published_survey_are_not_told():
    survey = {
        "survey_id": "a",
        "municipality_code": "3801",
        "title": "Måling",
        "invited_count": 30.0,
        "answered_count": 3.0,
        "response_rate_percent": 10.0,
    }
    places = pd.DataFrame({"municipality_code": ["3801"], "name": ["Horten"]})

    told = survey_response(pd.DataFrame([survey]), municipalities=places).iloc[0]

    assert told["withheld"] == "too_few"
    assert pd.isna(told["answered_count"])
    assert pd.isna(told["response_rate"])


def test_the_decision_on_published_counts_is_a_fact_that_the_report_prints():
    empty = pd.DataFrame(columns=claims({}).columns)

    entries = fact_entries(
        empty, pd.DataFrame({"key": [], "short": []}), published_counts="Fordi de er offentlige."
    )

    assert entries[PUBLISHED_COUNTS]["text"] == "Fordi de er offentlige."


def test_settings_say_whether_nought_is_small_and_which_counts_are_published(tmp_path):
    folder = write_study(tmp_path, settings="nought_is_small = false\n" + SETTINGS + SHOWN)

    read = read_settings(folder)
    row = {"smallest_count": 5, "nought_is_small": False, "published_tables": "facts;participants"}
    processed = pd.DataFrame([row])

    assert not read.smallest_count.nought_is_small
    assert read.published_tables == ("facts", "participants")
    assert not smallest_count_of(processed).nought_is_small
    assert smallest_count_of(processed, of="facts") == 0
    assert smallest_count_of(processed, of="surveys") == 5
    assert smallest_count_of(processed.assign(published_tables="")) == 5
    assert smallest_count_of(processed.assign(published_tables=""), of="surveys") == 5


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (SHOWN.replace("participants", "answers"), "names the table 'answers'"),
        (SHOWN.replace("Tallene står i en offentlig rapport.", "Offentlig."), "fewer than 4 words"),
        ('[counts_decided]\n"a.b" = "ok"\n', "'a.b' without a reason"),
    ],
)
def test_a_decision_without_a_reason_or_a_table_is_refused(tmp_path, wrong, told):
    with pytest.raises(ConfigError, match=told):
        read_settings(write_study(tmp_path, settings=SETTINGS + wrong))


TEXTS = {
    "3 av 4 foreldre er fornøyde": "a count of few persons",
    "Nitten av tjue elever sluttet": "a count of few persons",
    "Fødselsnummer 01019912345 står her": "a number of eleven digits",
    "Sa Kari Nordmann på møtet": "what looks like a person's name",
}


def with_text(text):
    return [
        {
            "goal_id": "anchored",
            "kind": "effect_goal",
            "position": 1,
            "text": "Forankret samarbeid",
        },
        {"goal_id": "other", "kind": "effect_goal", "position": 2, "text": text},
    ]


@pytest.mark.parametrize(("text", "what"), TEXTS.items())
def test_a_text_that_tells_of_persons_is_named_by_its_place_and_never_quoted(tmp_path, text, what):
    folder = write_study(tmp_path, goals=with_text(text))

    with pytest.raises(DataError) as raised:
        read_study(folder)

    assert f"text: {what} in row 3" in str(raised.value)
    assert text not in str(raised.value)
    assert "Nordmann" not in str(raised.value)
    assert "01019912345" not in str(raised.value)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_passed_over_where_the_study_has_decided(tmp_path, text):
    decided = '[counts_decided]\n"goals.other.text" = "Sitat fra en offentlig rapport."\n'

    assert read_study(write_study(tmp_path, goals=with_text(text), settings=SETTINGS + decided))


@pytest.mark.parametrize(
    "text",
    [
        "6 av 12 foreldre er fornøyde",
        "To av fire kommuner er med",
        "Ring 22 22 22 22",
        "Kari-prosjektet i Oslo",
    ],
)
def test_other_texts_are_not_named(tmp_path, text):
    assert read_study(write_study(tmp_path, goals=with_text(text)))
