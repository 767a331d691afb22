import numpy as np
import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.multiplicity import adjusted_p_values

TESTS = pd.DataFrame({"municipality_code": ["a", "a", "b"], "p_value": [0.01, 0.04, 0.03]})


def test_holm_multiplies_the_smallest_by_the_number_of_tests():
    rows = adjusted_p_values(TESTS)

    assert rows["adjusted_p_value"].tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert rows["significant"].tolist() == [True, False, False]


def test_benjamini_hochberg_is_less_strict():
    rows = adjusted_p_values(TESTS, method="Benjamini-Hochberg")

    assert rows["adjusted_p_value"].tolist() == pytest.approx([0.03, 0.04, 0.04])


def test_each_municipality_can_be_its_own_battery():
    rows = adjusted_p_values(TESTS, within=["municipality_code"])

    assert rows["battery_count"].tolist() == [2, 2, 1]
    assert rows["adjusted_p_value"].tolist() == pytest.approx([0.02, 0.04, 0.03])


def test_a_withheld_test_is_not_counted():
    rows = adjusted_p_values(TESTS.assign(p_value=[0.01, np.nan, 0.03]))

    assert rows["battery_count"].unique().tolist() == [2]
    assert np.isnan(rows["adjusted_p_value"][1])
    assert not rows["significant"][1]


def test_an_unknown_adjustment_is_refused():
    with pytest.raises(DataError, match="expected one of: Holm"):
        adjusted_p_values(TESTS, method="Bonferroni")


def test_rows_with_the_same_index_keep_their_own_findings():
    twice = pd.concat([TESTS, TESTS.assign(p_value=[0.9, 0.8, 0.7])])

    rows = adjusted_p_values(twice)

    assert rows["adjusted_p_value"].tolist() == pytest.approx([0.06, 0.16, 0.15, 1, 1, 1])
    assert rows["battery_count"].unique().tolist() == [6]


def test_a_blank_battery_is_a_battery_too():
    rows = adjusted_p_values(
        TESTS.assign(municipality_code=["a", "a", None]), within=["municipality_code"]
    )

    assert rows["adjusted_p_value"].tolist() == pytest.approx([0.02, 0.04, 0.03])
    assert rows["battery_count"].tolist() == [2, 2, 1]
