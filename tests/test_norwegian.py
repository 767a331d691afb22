import pytest
from rounding_examples import ROUNDING

from evalkit.norwegian import (
    date_span_text,
    date_text,
    interval_text,
    joined_text,
    millions_text,
    number_text,
    percent_text,
    quantity_text,
)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (27600, 0, "27\u00a0600"),
        (1234567.5, 1, "1\u00a0234\u00a0567,5"),
        (-1.25, 2, "\u22121,25"),
        (-0.4, 0, "0"),
        (999, 0, "999"),
    ],
)
def test_a_number_has_decimal_comma_and_grouped_thousands(value, decimals, text):
    assert number_text(value, decimals=decimals) == text


@pytest.mark.parametrize(("value", "decimals", "text"), ROUNDING)
def test_halves_go_away_from_zero_as_a_reader_rounds(value, decimals, text):
    assert number_text(value, decimals=decimals) == text


def test_every_way_of_writing_a_number_rounds_alike():
    assert percent_text(100 * 5 / 8, decimals=0) == "63\u00a0%"
    assert interval_text(62.5, 74.5) == "63–75\u00a0%"
    assert millions_text(9_725_000) == "9,73\u00a0mill.\u00a0kr"
    assert millions_text(9_700_000) == "9,7\u00a0mill.\u00a0kr"
    assert number_text(1e15) == "1\u00a0000\u00a0000\u00a0000\u00a0000\u00a0000"
    assert number_text(float("-inf")) == "\u2212∞"


@pytest.mark.parametrize(
    ("date", "text"),
    [
        ("2023-03-24", "24. mars 2023"),
        ("2023-03", "mars 2023"),
        ("2021-autumn", "høsten 2021"),
        ("2022-Q2", "2. kvartal 2022"),
        ("2020", "2020"),
        ("2022-H2", "andre halvår 2022"),
        (None, ""),
    ],
)
def test_a_date_is_written_in_words_as_far_as_it_is_known(date, text):
    assert date_text(date) == text


def test_a_list_ends_with_og():
    assert joined_text(["Horten"]) == "Horten"
    assert joined_text(["Horten", "Siljan", "Larvik"]) == "Horten, Siljan og Larvik"


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("2022-09-13", "2022-09-15", "13.–15. september 2022"),
        ("2021-08-30", "2021-09-01", "30. august – 1. september 2021"),
        ("2008", "2011", "2008–2011"),
        ("2022", None, "2022"),
        (None, "2023-06", "til juni 2023"),
    ],
)
def test_a_span_of_dates_says_what_they_share_once(start, end, text):
    assert date_span_text(start, end) == text


def test_a_quantity_carries_its_unit_in_the_right_number():
    assert quantity_text(1, "families") == "1\u00a0familie"
    assert quantity_text(69.5, "percent") == "69,5\u00a0%"
    assert quantity_text(2030, "year") == "2030"
    assert interval_text(62.4, 75.1) == "62–75\u00a0%"
