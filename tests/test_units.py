"""A unit knows its range and whether it is whole; a number with two readings is refused."""

import pandas as pd
import pytest
from studies import write_study

from evalkit.errors import DataError
from evalkit.readers import read_study
from evalkit.units import number_breaches, unit_of

FACT = {"subject": "horten", "quantity": "population"}


def told(cell, unit):
    return number_breaches(pd.Series([cell]), unit_of(unit)).get(0, "")


def fact(value, unit):
    return [FACT | {"value": value, "unit": unit}]


@pytest.mark.parametrize(
    ("cell", "unit"),
    [
        ("27300", "persons"),
        ("0", "persons"),
        ("27.3", "percent"),
        ("100", "percent"),
        ("12.345", "percent"),  # 12345 per cent is outside the range, so there is one reading
        ("0.125", "share"),
        ("-1200.50", "nok"),
        ("2023", "year"),
        ("1e3", "nok"),
    ],
)
def test_a_number_that_fits_its_unit_passes(cell, unit):
    assert told(cell, unit) == ""


@pytest.mark.parametrize(
    ("cell", "unit", "readings"),
    [
        ("27.300", "persons", "27300 or 27.3"),
        ("1.234", "persons", "1234 or 1.234"),
        ("1.250", "nok", "1250 or 1.25"),
        ("27,300", "nok", "27.3 or 27300"),
    ],
)
def test_a_number_with_two_readings_is_refused_with_both(cell, unit, readings):
    assert told(cell, unit).startswith(f", which may be {readings}; expected ")


@pytest.mark.parametrize(
    ("cell", "unit", "written"),
    [
        ("27,3", "percent", "27.3"),
        ("1,25", "nok", "1.25"),
        ("27 300", "persons", "27300"),
        ("27\u00a0300", "persons", "27300"),
        ("1\u202f234,5", "nok", "1234.5"),
        ("1.234.567", "persons", "1234567"),
        ("\u22125", "nok", "-5"),
    ],
)
def test_a_number_with_one_reading_is_told_as_it_is_to_be_written(cell, unit, written):
    assert told(cell, unit).endswith(f", such as {written}")


@pytest.mark.parametrize(
    ("cell", "unit"),
    [
        ("inf", "nok"),
        ("-Infinity", "persons"),
        ("nan", "nok"),
        ("1e400", "nok"),
        ("-4", "persons"),
        ("3.5", "persons"),
        ("99999", "year"),
        ("1300", "percent"),
        ("-1", "percent"),
        ("1.5", "share"),
        ("ca. 40", "persons"),
        ("<5", "persons"),
        ("12-15", "persons"),
        ("١٢", "persons"),
    ],
)
def test_what_no_reading_fits_is_refused_with_the_units_range(cell, unit):
    assert told(cell, unit) == f"; expected a number: {unit_of(unit)}"


@pytest.mark.parametrize(
    ("value", "unit", "message"),
    [
        ("27.300", "persons", "value: '27.300' in row 2, which may be 27300 or 27.3; expected"),
        ("inf", "persons", "value: 'inf' in row 2; expected a number of persons: whole, 0 or more"),
        ("-4", "persons", "value: '-4' in row 2; expected a number of persons"),
        ("3.5", "persons", "value: '3.5' in row 2; expected a number of persons"),
        (
            "99999",
            "year",
            "value: '99999' in row 2; expected a number of year: whole, 1800 to 2100",
        ),
        ("1300", "percent", "value: '1300' in row 2; expected a number of percent: with a point"),
        ("2021-02-30", "date", "value: '2021-02-30' in row 2; expected a date such as"),
        ("2021-13", "date", "value: '2021-13' in row 2; expected a date such as"),
        ("9999-01", "date", "value: '9999-01' in row 2; expected a date such as"),
    ],
)
def test_a_claim_that_does_not_fit_its_unit_is_refused_by_row(tmp_path, value, unit, message):
    folder = write_study(tmp_path, facts=fact(value, unit))

    with pytest.raises(DataError) as refused:
        read_study(folder)
    assert message in str(refused.value)


def test_counts_of_every_table_are_whole_and_told_with_both_readings(tmp_path):
    event = {
        "event_id": "m",
        "municipality_code": "3801",
        "kind": "meeting",
        "start": "2022-13",
        "attended_count": "1.234",
    }
    survey = {
        "survey_id": "s",
        "municipality_code": "3801",
        "kind": "baseline",
        "title": "S",
        "invited_count": "12.5",
        "response_rate_percent": "130",
    }
    folder = write_study(tmp_path, events=[event], surveys=[survey])

    with pytest.raises(DataError) as refused:
        read_study(folder)
    said = str(refused.value)
    assert "attended_count: '1.234' in row 2, which may be 1234 or 1.234" in said
    assert "start: '2022-13' in row 2; expected" in said
    assert "invited_count: '12.5' in row 2; expected persons invited: whole, 0 or more" in said
    assert "response_rate_percent: '130' in row 2; expected" in said


def test_values_fit_the_unit_of_their_indicator(tmp_path):
    indicators = [
        {"indicator_id": "share", "name": "Andel", "unit": "percent"},
        {"indicator_id": "users", "name": "Brukere", "unit": "persons"},
        {"indicator_id": "costs", "name": "Kostnad", "unit": "nok"},
    ]
    rows = [("share", "12.345"), ("share", "130"), ("users", "2.5"), ("costs", "1.250")]
    observations = [
        {
            "observation_id": f"o{number}",
            "indicator_id": indicator,
            "municipality_code": "3801",
            "period": "2022",
            "value": value,
        }
        for number, (indicator, value) in enumerate(rows)
    ]
    folder = write_study(tmp_path, indicators=indicators, observations=observations)

    with pytest.raises(DataError) as refused:
        read_study(folder)
    said = str(refused.value)
    assert "12.345" not in said
    assert (
        "value: '130' in row 3; expected the value, in the indicator's unit: with a point before"
        in said
    )
    assert (
        "value: '2.5' in row 4; expected the value, in the indicator's unit: whole, 0 or more"
        in said
    )
    assert "value: '1.250' in row 5, which may be 1250 or 1.25" in said


def test_a_unit_that_is_no_word_brings_no_second_message_about_its_number(tmp_path):
    folder = write_study(tmp_path, facts=fact("27.300", "personar"))

    with pytest.raises(DataError) as refused:
        read_study(folder)
    assert "unit: 'personar' in row 2" in str(refused.value)
    assert "27.300" not in str(refused.value)


def test_values_that_are_known_are_held_against_a_unit_that_changed(tmp_path):
    indicator = {"indicator_id": "share", "name": "Andel", "unit": "score"}
    observation = {
        "observation_id": "o",
        "indicator_id": "share",
        "municipality_code": "3801",
        "period": "2022",
        "value": "130",
    }
    folder = write_study(tmp_path, indicators=[indicator], observations=[observation])
    known = {"observations": read_study(folder).tables["observations"]}
    write_study(tmp_path, indicators=[indicator | {"unit": "percent"}], observations=[observation])

    with pytest.raises(DataError, match="value: '130' in row 2; expected"):
        read_study(folder, known=known)
