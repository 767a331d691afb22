import re

import pytest
from small_project import JUDGED
from studies import TABLES, write_study

from evalkit.errors import DataError
from evalkit.readers import read_study

EVENT = TABLES["events"][0]
FACT = TABLES["facts"][0]
QUOTATION = {"quotation_id": "a", "speaker": "prosjektleder", "quotation": "ord"}


def message(tmp_path, **tables):
    """What reading a study with these tables says is wrong; None if nothing is."""
    try:
        read_study(write_study(tmp_path, **tables))
    except DataError as error:
        return str(error)
    return None


def test_a_sound_study_has_no_breach(tmp_path):
    assert message(tmp_path) is None


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        (
            {"facts": [FACT | {"source": "nobody"}]},
            "facts.csv:\n  source: 'nobody' in row 2; expected a key of sources.bib",
        ),
        (
            {"goals": [TABLES["goals"][0] | {"parent_goal_ids": "anchored; gone"}]},
            "parent_goal_ids: 'gone' in row 2; expected a goal_id of goals.csv",
        ),
        (
            {"facts": [FACT, FACT | {"value": "27682", "locator": "s. 2"}]},
            "horten.population in rows 2, 3 is claimed as 27600 (s. 1), 27682 (s. 2), 0 of them chosen",
        ),
        (
            {
                "facts": [
                    FACT | {"chosen": "yes", "reason": "Nyeste tall"},
                    FACT | {"value": "27682", "locator": "s. 2", "chosen": "no"},
                ]
            },
            "has no reason; expected why it was chosen or not",
        ),
        (
            {"facts": [FACT, FACT]},
            "rows 2, 3: the same claim more than once",
        ),
        (
            {"facts": [FACT | {"chosen": "no", "reason": "Feil"}]},
            "horten.population in row 2 is not chosen, but no other claim has another value",
        ),
        (
            {"facts": [FACT | {"value": "mange"}]},
            "value: 'mange' in row 2; expected a number of persons",
        ),
        (
            {"facts": [FACT | {"value": "240", "unit": "percent"}]},
            "value: '240' in row 2; expected a number of percent: with a point before its decimals, 0 to 100",
        ),
        (
            {"attainment": [JUDGED, JUDGED | {"attainment_id": "b", "graded_by": None}]},
            "graded_by: nothing in row 3; expected one of evaluators, us for a goal that is judged",
        ),
        (
            {"quotations": [QUOTATION | {"quotation": "ord " * 16}]},
            "quotation: 16 words in row 2; expected at most 15: tell the rest in your own words",
        ),
        (
            {"attainment": [JUDGED | {"judgement": "not_judged"}]},
            "graded_by: a value in row 2; expected nothing for a goal that is not judged",
        ),
        (
            {"events": [EVENT, EVENT | {"event_id": "horten-again"}]},
            "rows 2, 3: the same event more than once",
        ),
        (
            {"events": [EVENT | {"start": "1923-03-24"}]},
            "start: 1923-03-24 in row 2; expected 2019 to 2023",
        ),
        (
            {"events": [EVENT | {"end": "2023-03-20"}]},
            "end: 2023-03-20 in row 2 is before start 2023-03-24",
        ),
        (
            {"events": [EVENT, EVENT | {"event_id": "b", "number": 4, "start": "2022-01-10"}]},
            "rows 2, 3: number 4 (2022-01-10) comes before number 3 (2023-03-24)",
        ),
    ],
)
def test_what_does_not_hold_between_tables_is_told_with_its_row(tmp_path, tables, expected):
    assert expected in message(tmp_path, **tables)


def grant(identifier, span, amount, period):
    return {
        "grant_id": identifier,
        "municipality_code": "3801",
        "kind": "granted",
        "span": span,
        "amount_nok": amount,
        "period": period,
    }


def test_a_total_that_is_not_the_sum_of_its_years_is_found(tmp_path):
    rows = [grant("total", "total", 9700000, "2020-2021"), grant("a", "year", 3200000, "2020")]

    assert message(tmp_path, grants=rows) is None

    rows.append(grant("b", "year", 3200000, "2021"))

    assert "9700000 in row 2 is the total of rows 3, 4, whose sum is 6400000" in message(
        tmp_path, grants=rows
    )


def test_rounded_amounts_agree_within_their_rounding(tmp_path):
    rows = [
        grant("total", "total", 9700000, "2020-2022"),
        grant("yearly", "per_year", 3200000, "2020-2022"),
    ]

    assert message(tmp_path, grants=rows) is None

    rows[1]["amount_nok"] = 2200000

    assert "is not 3 years of 2200000" in message(tmp_path, grants=rows)


def survey(**given):
    return {
        "survey_id": "horten-2020",
        "municipality_code": "3801",
        "kind": "staff_survey",
        "wave": 0,
        "title": "Nullpunktsanalyse",
    } | given


def test_a_percentage_that_no_rounding_makes_of_its_counts_is_found(tmp_path):
    fits = survey(invited_count=119, answered_count=94, response_rate_percent=79)

    assert message(tmp_path, surveys=[fits]) is None
    assert "response_rate_percent: 69 in row 2 with 94 of 119, which is 79.0" in message(
        tmp_path, surveys=[fits | {"response_rate_percent": 69}]
    )


def test_more_answers_than_invited_are_impossible(tmp_path):
    assert "answered_count: 120 in row 2 is more than its invited_count 119" in message(
        tmp_path, surveys=[survey(invited_count=119, answered_count=120)]
    )


def test_a_chapter_for_an_unknown_municipality_is_found(tmp_path):
    rows = [row for row in TABLES["municipalities"] if row["municipality_code"] != "0301"]

    assert "study.toml:\n  municipality '0301' in parts" in message(tmp_path, municipalities=rows)


def test_a_municipality_parted_in_shares_that_do_not_add_up_is_found(tmp_path):
    def part(new, share):
        return {
            "change_id": f"endring-{new}",
            "old_code": "3801",
            "new_code": new,
            "year": 2020,
            "share": share,
        }

    assert message(tmp_path, municipality_changes=[part("0301", 0.6), part("3801", 0.4)]) is None
    assert "3801 was parted in 2020 in shares that add up to 0.9 in rows 2, 3" in message(
        tmp_path, municipality_changes=[part("0301", 0.6), part("3801", 0.3)]
    )


ITEM = {
    "item": "plan",
    "position": 1,
    "topic": "Plan",
    "text": "Planen er kjent",
    "scale": "1 til 5",
}


def answer(**given):
    return {
        "survey_id": "horten-2020",
        "municipality_code": "3801",
        "respondent_id": "p-1",
        "service": "Skole",
        "item": "plan",
        "score": 4,
    } | given


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (
            {"score": 5},
            "rows 2, 3: same survey_id, municipality_code, respondent_id and item more than once",
        ),
        ({"respondent_id": "p-2"}, None),
        ({"item": "ledelse"}, None),
        (
            {"item": "ledelse", "service": "Barnehage"},
            "service: rows 2, 3 give one respondent of survey horten-2020 2 services",
        ),
        (
            {"municipality_code": "0301"},
            "municipality_code: '0301' in row 3; expected '3801', the municipality of survey",
        ),
        ({"respondent_id": "p-2", "score": 3.5}, "score: '3.5' in row 3; expected 1 (not at all)"),
    ],
)
def test_a_respondent_answers_an_item_of_a_survey_once(tmp_path, second, expected):
    items = [ITEM, ITEM | {"item": "ledelse", "position": 2}]
    found = message(tmp_path, items=items, surveys=[survey()], answers=[answer(), answer(**second)])

    assert found is None if expected is None else expected in found
    assert "p-1" not in str(found)


@pytest.mark.parametrize(
    ("waves", "answered", "expected"),
    [
        ((0, 1), (1, 2), None),
        ((None, None), (), None),
        ((0, 0), (), None),
        ((None, 1), (2,), None),
        ((0, 0), (1,), "wave: 0 in rows 2, 3, of kind staff_survey in 3801; expected a wave of"),
        ((None, None), (1, 2), "wave: blank in rows 2, 3, of several surveys of kind staff_survey"),
        (
            (None, 1),
            (1, 2),
            "wave: blank in row 2, of several surveys of kind staff_survey in 3801",
        ),
    ],
)
def test_surveys_with_answers_are_told_apart_by_their_wave(tmp_path, waves, answered, expected):
    surveys = [survey(survey_id=f"s-{n}", wave=wave) for n, wave in enumerate(waves, start=1)]
    answers = [answer(survey_id=f"s-{number}") for number in answered]

    found = message(tmp_path, items=[ITEM], surveys=surveys, answers=answers)

    assert found is None if expected is None else expected in found


def test_very_many_rows_told_twice_are_counted(tmp_path):
    rows = [answer(respondent_id=f"p-{n}") for n in range(50) for _ in range(2)]
    found = message(tmp_path, items=[ITEM], surveys=[survey()], answers=rows)

    assert found.count("more than once") == 20
    assert "and 30 more such groups of rows" in found


@pytest.mark.parametrize("value", ["inf", "-Infinity", "1e999", "nan"])
def test_a_number_without_end_is_no_value_of_a_claim(tmp_path, value):
    found = message(tmp_path, facts=[FACT | {"value": value}])

    assert re.search("value: .* in row 2; expected a number of persons: whole, 0 or more", found)


@pytest.mark.parametrize("value", ["inf", "-Infinity", "1e999", "nan"])
def test_a_number_without_end_is_no_value_of_a_column(tmp_path, value):
    found = message(tmp_path, events=[EVENT | {"attended_count": value}])

    assert re.search("attended_count: .* in row 2; expected persons", found)
