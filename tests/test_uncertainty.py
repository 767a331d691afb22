import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import DataError
from evalkit.uncertainty import (
    byar_interval,
    count_interval,
    effective_base,
    exact_interval,
    exact_poisson_interval,
    mean_interval,
    newcombe_difference_interval,
    newcombe_paired_interval,
    newcombe_superiority_interval,
    possible_counts,
    share_from_percentage,
    share_limits,
    wilson_interval,
)

counts_and_bases = st.integers(1, 400).flatmap(
    lambda base: st.tuples(st.integers(0, base), st.just(base))
)


@given(counts_and_bases)
def test_the_wilson_interval_holds_the_share_and_stays_between_0_and_1(pair):
    count, base = pair
    lower, upper = wilson_interval(count, base)

    assert 0 <= lower <= count / base <= upper <= 1


@given(counts_and_bases)
def test_the_exact_interval_has_half_the_error_in_each_tail(pair):
    count, base = pair
    lower, upper = exact_interval(count, base)

    assert lower <= count / base <= upper
    assert exact_interval(base - count, base)[0] == pytest.approx(1 - upper, abs=1e-9)


@given(counts_and_bases, counts_and_bases)
def test_a_difference_turned_round_changes_only_its_sign(first, second):
    lower, upper = newcombe_difference_interval(*first, *second)
    turned = newcombe_difference_interval(*second, *first)

    assert turned == pytest.approx((-upper, -lower), abs=1e-12)


def test_nobody_asked_gives_missing_limits_and_a_series_keeps_its_index():
    counts = pd.Series([0, 3], index=["a", "b"])

    lower, _ = wilson_interval(counts, pd.Series([0, 10], index=["a", "b"]))

    assert np.isnan(lower["a"])
    assert lower.index.tolist() == ["a", "b"]


def test_a_count_above_its_base_is_refused():
    with pytest.raises(DataError, match="above its base"):
        wilson_interval(11, 10)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_outside_0_to_1_is_refused(level):
    with pytest.raises(DataError, match="expected between 0 and 1"):
        exact_interval(1, 2, confidence_level=level)


def test_when_everybody_answered_the_correction_leaves_no_uncertainty():
    assert wilson_interval(5, 10, population_count=10) == (0.5, 0.5)
    assert mean_interval(3.0, 1.0, 10, population_count=10) == (3.0, 3.0)


def test_the_correction_narrows_and_a_design_effect_widens():
    plain, corrected, clustered = (
        np.subtract(*reversed(wilson_interval(50, 100, **chosen)))
        for chosen in ({}, {"population_count": 150}, {"design_effect": 2.0})
    )

    assert corrected < plain < clustered


def test_a_quarter_of_the_variance_is_left_when_three_quarters_answered():
    assert effective_base(300, population_count=400) == pytest.approx(300 * 399 / 100)


def test_a_population_smaller_than_the_base_is_refused():
    with pytest.raises(DataError, match="population smaller"):
        effective_base(10, population_count=9)


def test_pairs_that_agree_give_a_narrower_interval_than_different_persons():
    paired = newcombe_paired_interval(40, 5, 10, 45)
    unpaired = newcombe_difference_interval(45, 100, 50, 100)

    assert np.diff(paired) < np.diff(unpaired)


def test_limits_of_superiority_are_mirrored_and_stay_inside_0_and_1():
    found = pd.Series([0.0, 0.2, 0.8, 1.0, np.nan], index=list("abcde"))

    lower, upper = newcombe_superiority_interval(found, 12, 12)

    assert lower["a"] == 0
    assert upper["d"] == 1
    assert upper["a"] == pytest.approx(1 - lower["d"])
    assert (lower["b"], upper["b"]) == pytest.approx((1 - upper["c"], 1 - lower["c"]))
    assert np.isnan([lower["e"], upper["e"]]).all()


def test_ties_narrow_the_limits_of_superiority():
    plain = newcombe_superiority_interval(0.6, 20, 20)
    tied = newcombe_superiority_interval(0.6, 20, 20, tie_factor=0.5)

    assert np.diff(tied) < np.diff(plain)


def test_counts_under_ten_are_exact_and_from_ten_byar():
    lower, upper, method = count_interval(pd.Series([9, 10]))

    assert method.tolist() == ["exact Poisson", "Byar"]
    assert (lower[0], upper[0]) == pytest.approx(exact_poisson_interval(9))
    assert (lower[1], upper[1]) == pytest.approx(byar_interval(10))


@given(st.integers(10, 5000))
def test_from_ten_events_byar_is_close_to_exact(count):
    assert byar_interval(count) == pytest.approx(exact_poisson_interval(count), rel=0.01)


def test_one_call_gives_both_levels_with_their_method():
    rows = share_limits(
        pd.DataFrame({"item": ["plan"], "count": [3], "base": [10]}),
        confidence_levels=(0.95, 0.998),
    )

    assert rows["confidence_level"].tolist() == [0.95, 0.998]
    assert rows["method"].eq("Wilson").all()
    assert rows["lower"].is_monotonic_decreasing


def test_a_share_of_nobody_is_a_row_with_a_reason():
    row = share_limits(pd.DataFrame({"count": [0], "base": [0]})).iloc[0]

    assert np.isnan(row["value"])
    assert row["reason"] == "missing"


def test_a_correction_is_named_in_the_method():
    counts = pd.DataFrame({"count": [3], "base": [10], "population_count": [12]})

    row = share_limits(counts, population_column="population_count").iloc[0]

    assert row["method"] == "Wilson, finite population"


def test_the_exact_method_takes_no_correction():
    with pytest.raises(DataError, match="use Wilson"):
        share_limits(
            pd.DataFrame({"count": [1], "base": [2]}), method="Clopper-Pearson", design_effect=2.0
        )


@pytest.mark.parametrize(
    ("percentage", "base", "smallest", "largest"),
    [(33, 12, 4, 4), (50, 12, 6, 6), (33, 300, 98, 100), (0, 10, 0, 0), (100, 10, 10, 10)],
)
def test_the_counts_that_round_to_a_percentage_are_found(percentage, base, smallest, largest):
    assert possible_counts(percentage, base) == (smallest, largest)


def test_a_percentage_that_no_count_gives_is_a_result_with_a_reason():
    published = pd.DataFrame({"item": ["plan"], "percentage": [35.0], "base": [12]})

    row = share_from_percentage(published).iloc[0]

    assert np.isnan(row["value"])
    assert row["reason"] == "missing"


@given(counts_and_bases)
def test_the_true_count_is_always_among_the_possible(pair):
    count, base = pair
    smallest, largest = possible_counts(round(100 * count / base), base)

    assert smallest <= count <= largest


def test_a_rounded_percentage_widens_the_interval():
    published = pd.DataFrame({"percentage": [33.0], "base": [300]})

    row = share_from_percentage(published).iloc[0]

    assert (row["lowest_count"], row["highest_count"]) == (98, 100)
    assert np.isnan(row["count"])
    assert row["lower"] == pytest.approx(wilson_interval(98, 300)[0])
    assert row["upper"] == pytest.approx(wilson_interval(100, 300)[1])
