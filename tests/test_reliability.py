import numpy as np
import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.reliability import cronbach_alpha, mcdonald_omega, one_factor_loadings

LOADINGS = np.array([0.9, 0.8, 0.7, 0.6])
MODEL = np.outer(LOADINGS, LOADINGS)
np.fill_diagonal(MODEL, 1)


def scores_with_correlation(correlation, respondents=60):
    """Scores whose correlations are exactly those wanted."""
    raw = np.random.default_rng(4).normal(size=(respondents, len(correlation)))
    raw = raw - raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    return pd.DataFrame(white @ np.linalg.cholesky(correlation).T)


def test_items_that_say_the_same_have_an_alpha_of_one():
    item = pd.Series(range(12), dtype=float)

    row = cronbach_alpha(pd.DataFrame({"a": item, "b": item, "c": item})).iloc[0]

    assert row["value"] == pytest.approx(1)


def test_alpha_of_equal_correlations_is_the_spearman_brown_formula():
    equal = np.full((4, 4), 0.5)
    np.fill_diagonal(equal, 1)

    row = cronbach_alpha(scores_with_correlation(equal)).iloc[0]

    assert row["value"] == pytest.approx(4 * 0.5 / (1 + 3 * 0.5))
    assert row["lower"] < row["value"] < row["upper"]


def test_each_item_is_left_out_in_turn():
    rows = cronbach_alpha(scores_with_correlation(MODEL))

    assert rows["left_out_item"].isna().tolist() == [True, False, False, False, False]
    assert rows["count"].tolist() == [4, 3, 3, 3, 3]


def test_a_respondent_with_a_blank_is_left_out():
    scores = scores_with_correlation(MODEL)
    scores.iloc[0, 0] = np.nan

    assert cronbach_alpha(scores)["base"].iloc[0] == 59


def test_few_respondents_are_too_small_a_base():
    few = scores_with_correlation(MODEL).head(9)

    assert cronbach_alpha(few)["reason"].iloc[0] == "base_too_small"
    assert mcdonald_omega(few)["reason"].item() == "base_too_small"


def test_an_item_that_does_not_vary_cannot_answer():
    flat = scores_with_correlation(MODEL).assign(flat=3.0)

    assert mcdonald_omega(flat)["reason"].item() == "design_cannot_answer"


def test_the_loadings_of_a_one_factor_model_are_found():
    assert one_factor_loadings(MODEL) == pytest.approx(LOADINGS, abs=1e-6)


def test_two_items_have_no_one_factor_model():
    with pytest.raises(DataError, match="at least three items"):
        one_factor_loadings(np.eye(2))


def test_omega_is_the_common_share_of_the_sums_variance():
    row = mcdonald_omega(scores_with_correlation(MODEL), replicate_count=200).iloc[0]

    common = LOADINGS.sum() ** 2
    assert row["value"] == pytest.approx(common / (common + (1 - LOADINGS**2).sum()), abs=1e-6)
    assert row["lower"] < row["value"] < row["upper"]


def test_the_same_seed_gives_the_same_interval():
    scores = scores_with_correlation(MODEL)

    first, second = (mcdonald_omega(scores, replicate_count=50, seed=7) for _ in range(2))

    pd.testing.assert_frame_equal(first, second)


def test_an_interval_is_the_same_however_many_replicates_are_drawn_at_once(monkeypatch):
    scores = scores_with_correlation(MODEL)
    at_once = mcdonald_omega(scores, replicate_count=50)

    monkeypatch.setattr("evalkit.reliability.DRAWN_AT_ONCE", 7 * len(scores))

    pd.testing.assert_frame_equal(mcdonald_omega(scores, replicate_count=50), at_once, rtol=1e-12)


def test_two_items_that_cancel_have_no_alpha():
    item = pd.Series(range(12), dtype=float)

    row = cronbach_alpha(pd.DataFrame({"a": item, "b": -item})).iloc[0]

    assert row["reason"] == "design_cannot_answer"
    assert row[["value", "lower", "upper"]].isna().all()


def heywood():
    """Correlations that would give an item more than all of its variance in common."""
    correlation = np.array([[1, 0.9, 0.9], [0.9, 1, 0.7], [0.9, 0.7, 1.0]])
    return scores_with_correlation(correlation)


def test_an_item_always_keeps_some_variance_of_its_own():
    loadings = one_factor_loadings(heywood().corr().to_numpy())

    assert loadings.max() == pytest.approx(np.sqrt(0.995))


def test_omega_of_an_improper_model_is_given_without_limits():
    row = mcdonald_omega(heywood(), replicate_count=200).iloc[0]

    assert 0 < row["value"] < 1
    assert row["reason"] == "design_cannot_answer"
    assert row["improper_share"] > 0.1
    assert row[["lower", "upper"]].isna().all()


@pytest.mark.parametrize("compute", [cronbach_alpha, mcdonald_omega])
def test_both_levels_come_from_one_call_and_the_higher_is_wider(compute):
    rows = compute(scores_with_correlation(MODEL), confidence_levels=(0.95, 0.998)).head(2)

    assert rows["confidence_level"].tolist() == [0.95, 0.998]
    assert (rows["upper"] - rows["lower"]).is_monotonic_increasing
    assert rows["reason"].tolist() == [None, None]
