import numpy as np
import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.municipality_changes import present_day_values


def changes(*rows):
    columns = ["old_code", "new_code", "year", "share"]
    return pd.DataFrame(rows, columns=columns)


def values(*rows):
    """Code, year, numerator and denominator; the value is the share in per cent."""
    table = pd.DataFrame(
        rows, columns=["municipality_code", "year", "numerator", "denominator"]
    ).assign(indicator_id="falls")
    return table.assign(value=100 * table["numerator"] / table["denominator"])


MERGER = changes(("0901", "0910", 2020, 1.0), ("0902", "0910", 2020, 1.0))
SPLIT = changes(("0903", "0911", 2020, 0.75), ("0903", "0912", 2020, 0.25))


def test_a_merger_adds_the_counts_and_ends_the_old_codes():
    series = values(("0901", 2019, 10, 100), ("0902", 2019, 20, 300), ("0910", 2020, 35, 410))

    result = present_day_values(series, MERGER)

    assert result["municipality_code"].tolist() == ["0910", "0910"]
    assert result["numerator"].tolist() == [30, 35]
    assert result["denominator"].tolist() == [400, 410]
    assert result["value"].tolist() == pytest.approx([7.5, 100 * 35 / 410])
    assert result["basis"].tolist() == ["merged", "own"]


def test_a_merger_with_a_part_missing_is_missing_and_not_too_small():
    series = values(("0901", 2018, 10, 100), ("0901", 2019, 10, 100), ("0902", 2019, 5, np.nan))

    result = present_day_values(series, MERGER)

    assert result["reason"].tolist() == ["missing", "missing"]
    assert result[["value", "numerator", "denominator"]].isna().all(axis=None)


def test_mergers_that_follow_each_other_are_followed_to_the_end():
    later = pd.concat([MERGER, changes(("0910", "0920", 2022, 1.0), ("0904", "0920", 2022, 1.0))])
    series = values(
        ("0901", 2019, 1, 10),
        ("0902", 2019, 2, 10),
        ("0904", 2019, 3, 10),
        ("0910", 2021, 4, 20),
        ("0904", 2021, 5, 10),
        ("0920", 2022, 9, 30),
    )

    result = present_day_values(series, later)

    assert set(result["municipality_code"]) == {"0920"}
    assert result["numerator"].tolist() == [6, 9, 9]


def test_the_years_before_a_split_are_refused_and_stay_with_the_one_that_was_split():
    series = values(("0903", 2019, 40, 400), ("0911", 2020, 33, 300), ("0912", 2020, 7, 100))

    result = present_day_values(series, SPLIT).set_index(["municipality_code", "year"])

    assert result.loc[("0903", 2019), "value"] == 10
    assert result.loc[("0911", 2019), "reason"] == "not_comparable"
    assert np.isnan(result.loc[("0912", 2019), "value"])
    assert result.loc[("0911", 2020), "value"] == 11


def test_a_stated_key_apportions_the_counts_and_leaves_the_value():
    series = values(("0903", 2019, 40, 400), ("0911", 2020, 33, 300), ("0912", 2020, 7, 100))

    result = present_day_values(series, SPLIT, splits="apportion").set_index(
        ["municipality_code", "year"]
    )

    assert "0903" not in result.index.get_level_values(0)
    assert result.loc[("0911", 2019), ["numerator", "denominator", "value"]].tolist() == [
        30,
        300,
        10,
    ]
    assert result.loc[("0912", 2019), "numerator"] == 10
    assert result.loc[("0912", 2019), "basis"] == "apportioned"


def test_a_split_without_a_key_is_refused_whatever_was_asked():
    series = values(("0903", 2019, 40, 400))

    result = present_day_values(series, SPLIT.assign(share=np.nan), splits="apportion")

    assert set(result["reason"]) == {"not_comparable"}


def test_a_part_that_goes_to_a_neighbour_changes_both():
    border = changes(
        ("0905", "0905", 2020, 0.9), ("0905", "0906", 2020, 0.1), ("0906", "0906", 2020, 1.0)
    )
    series = values(
        ("0905", 2019, 90, 900),
        ("0906", 2019, 10, 200),
        ("0905", 2020, 81, 810),
        ("0906", 2020, 19, 290),
    )

    apportioned = present_day_values(series, border, splits="apportion")
    refused = present_day_values(series, border)

    assert refused["reason"].tolist() == ["not_comparable", None, "not_comparable", None]
    assert apportioned["numerator"].tolist() == [81, 81, 19, 19]
    assert apportioned["denominator"].tolist() == [810, 810, 290, 290]


@pytest.mark.parametrize("splits", ["refuse", "apportion"])
def test_the_sum_over_all_municipalities_is_the_same_as_before(splits):
    both = pd.concat([MERGER, SPLIT])
    series = values(
        ("0901", 2019, 1, 10), ("0902", 2019, 2, 20), ("0903", 2019, 3, 30), ("0999", 2019, 4, 40)
    )

    result = present_day_values(series, both, splits=splits)

    assert result["numerator"].sum() == 10
    assert result["denominator"].sum() == 100


def test_without_changes_the_values_are_as_they_were():
    series = values(("0901", 2019, 1, 10), ("0901", 2020, 1, 10))

    result = present_day_values(series, changes())

    pd.testing.assert_frame_equal(result[series.columns], series)


def test_a_value_of_a_municipality_that_was_not_there_is_refused():
    with pytest.raises(DataError, match="0901 has a value for 2021"):
        present_day_values(values(("0901", 2021, 1, 10)), MERGER)


def test_an_unknown_rule_is_refused():
    with pytest.raises(DataError, match="expected one of: refuse, apportion"):
        present_day_values(values(), MERGER, splits="halve")
