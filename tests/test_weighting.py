import numpy as np
import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.weighting import (
    cluster_robust_mean,
    effective_base_of_weights,
    post_stratification_weights,
    raking_weights,
    weight_design_effect,
    weighted_share,
)

RESPONDENTS = pd.DataFrame(
    {
        "municipality_code": "0301",
        "service": ["school"] * 3 + ["care"] * 2,
        "age_group": ["young", "old", "old", "young", "old"],
        "agreed": [True, True, False, False, False],
    }
)


def test_each_stratum_counts_as_in_the_population():
    population = pd.Series({"school": 30, "care": 70})

    weights = post_stratification_weights(RESPONDENTS, population=population, strata=["service"])

    assert weights.groupby(RESPONDENTS["service"]).sum().to_dict() == {"school": 30, "care": 70}


def test_a_stratum_in_which_nobody_answered_is_refused():
    population = pd.Series({"school": 30, "care": 70, "technical": 5})

    with pytest.raises(DataError, match="technical"):
        post_stratification_weights(RESPONDENTS, population=population, strata=["service"])


def test_raking_reaches_every_margin():
    margins = {
        "service": pd.Series({"school": 30.0, "care": 70.0}),
        "age_group": pd.Series({"young": 40.0, "old": 60.0}),
    }

    weights = raking_weights(RESPONDENTS, margins=margins)

    for name, margin in margins.items():
        assert weights.groupby(RESPONDENTS[name]).sum().to_dict() == pytest.approx(margin.to_dict())


def test_margins_with_different_sums_are_refused():
    margins = {
        "service": pd.Series({"school": 30.0, "care": 70.0}),
        "age_group": pd.Series({"young": 40.0, "old": 50.0}),
    }

    with pytest.raises(DataError, match="different sums"):
        raking_weights(RESPONDENTS, margins=margins)


def test_equal_weights_cost_nothing_and_unequal_ones_do():
    assert weight_design_effect([2, 2, 2]) == 1
    assert weight_design_effect([1, 3]) == pytest.approx(1.25)
    assert effective_base_of_weights([1, 3]) == pytest.approx(1.6)


def test_a_weighted_share_has_limits_on_the_effective_base():
    row = weighted_share(RESPONDENTS.assign(weight=[1, 1, 1, 3, 3])).iloc[0]

    assert row["value"] == pytest.approx(2 / 9)
    assert row["base"] == 5
    assert row["effective_base"] == pytest.approx(81 / 21)
    assert row["design_effect"] == pytest.approx(5 * 21 / 81)


def test_answers_that_go_together_widen_the_interval():
    rows = pd.DataFrame(
        {"municipality_code": "0301", "service": np.repeat(np.arange(10), 10)}
    ).assign(score=lambda frame: (frame["service"] < 5).astype(float))

    row = cluster_robust_mean(rows, value="score", cluster="service").iloc[0]

    assert row["value"] == 0.5
    assert row["design_effect"] > 9
    assert row["cluster_count"] == 10


def test_few_clusters_give_the_mean_without_limits():
    row = cluster_robust_mean(
        RESPONDENTS.assign(score=[5, 4, 3, 2, 1]), value="score", cluster="service"
    ).iloc[0]

    assert row["reason"] == "too_few_clusters"
    assert row["value"] == 3
    assert np.isnan(row["lower"])
