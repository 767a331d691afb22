import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

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


@pytest.mark.parametrize("level", [0.95, 0.998])
def test_a_weighted_share_and_its_limits_are_those_of_statsmodels(level):
    draws = np.random.default_rng(4)
    table = pd.DataFrame(
        {"municipality_code": "0301", "agreed": draws.random(80) < 0.3, "weight": draws.random(80)}
    )

    row = weighted_share(table, confidence_levels=[level]).iloc[0]

    share = DescrStatsW(table["agreed"].astype(float), weights=table["weight"]).mean
    effective = table["weight"].sum() ** 2 / (table["weight"] ** 2).sum()
    lower, upper = proportion_confint(share * effective, effective, 1 - level, method="wilson")
    assert row[["value", "lower", "upper"]].tolist() == pytest.approx([share, lower, upper])


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


def test_a_respondent_without_a_stratum_is_refused_with_its_row():
    blank = RESPONDENTS.assign(service=["school", None, "school", "care", "care"])

    with pytest.raises(DataError, match="blank in row 3"):
        post_stratification_weights(
            blank, population=pd.Series({"school": 30, "care": 70}), strata=["service"]
        )


@pytest.mark.parametrize("empty", [0.0, np.nan])
def test_a_margin_of_nobody_where_somebody_answered_is_refused_by_name(empty):
    margins = {"service": pd.Series({"school": 100.0, "care": empty})}

    with pytest.raises(DataError, match=r"nobody in the margin.*\['care'\]"):
        raking_weights(RESPONDENTS, margins=margins)


TWO_PLACES = pd.concat(
    [RESPONDENTS.assign(weight=1.0), RESPONDENTS.assign(municipality_code="1103", weight=1.0)],
    ignore_index=True,
)


@pytest.mark.parametrize(
    ("column", "blank"), [("agreed", range(5)), ("weight", [0]), ("weight", range(5))]
)
def test_a_place_without_its_answers_or_weights_keeps_its_row_with_a_reason(column, blank):
    table = TWO_PLACES.astype({"agreed": object})
    table.loc[list(blank), column] = np.nan

    rows = weighted_share(table)

    assert rows["municipality_code"].tolist() == ["0301", "1103"]
    assert rows["reason"].tolist() == ["missing", None]
    assert rows.loc[0, ["value", "lower", "upper"]].isna().all()


def test_an_answer_of_weight_nought_does_not_count():
    rows = weighted_share(TWO_PLACES.assign(weight=[0, 1, 1, 1, 1] + [0] * 5))

    assert rows["base"].tolist() == [4, 0]
    assert rows["value"].tolist()[0] == 0.25
    assert rows["reason"].tolist() == [None, "missing"]


def test_a_weight_below_nought_is_refused_with_its_row():
    with pytest.raises(DataError, match="weight: -1 in row 2; expected a number of 0 or more"):
        weighted_share(TWO_PLACES.assign(weight=[-1.0] + [1.0] * 9))


def services(shares, answers=4, code="0301"):
    """Services of four whose mean score is the one given: ones, the rest noughts."""
    return pd.DataFrame(
        {
            "municipality_code": code,
            "service": np.repeat(np.arange(len(shares)), answers),
            "score": [float(n < share * answers) for share in shares for n in range(answers)],
        }
    )


SCORES = services([0.25, 0.5, 0.75, 1.0, 0.0] * 2)


def test_services_with_one_and_the_same_mean_give_no_limits():
    row = cluster_robust_mean(services([0.5] * 10), value="score", cluster="service").iloc[0]

    assert row["value"] == 0.5
    assert row["reason"] == "design_cannot_answer"
    assert row[["lower", "upper", "standard_error", "design_effect"]].isna().all()


def test_a_place_of_blanks_keeps_its_row_with_a_reason():
    blank = SCORES.assign(municipality_code="1103", score=np.nan)

    rows = cluster_robust_mean(pd.concat([SCORES, blank]), value="score", cluster="service")

    assert rows["base"].tolist() == [40, 0]
    assert rows["reason"].tolist() == [None, "missing"]


def test_an_answer_without_a_service_is_refused_with_its_row():
    blank = SCORES.astype({"service": object})
    blank.loc[3, "service"] = None

    with pytest.raises(DataError, match="service is blank in rows 5"):
        cluster_robust_mean(blank, value="score", cluster="service")


def test_each_municipality_has_its_own_number_of_services():
    both = pd.concat([SCORES, SCORES.assign(municipality_code="1103")])

    rows = cluster_robust_mean(
        both, value="score", cluster="service", cluster_population={"0301": 10, "1103": 40}
    )
    alone = cluster_robust_mean(SCORES, value="score", cluster="service")["standard_error"].item()

    assert rows["standard_error"].tolist() == pytest.approx([0, alone * np.sqrt(0.75)])
    assert rows["reason"].tolist() == [None, None]


@pytest.mark.parametrize("population", [5, {"1103": 20}])
def test_fewer_services_than_answered_are_refused_by_place(population):
    with pytest.raises(DataError, match="fewer than answered, in 0301"):
        cluster_robust_mean(SCORES, value="score", cluster="service", cluster_population=population)


@pytest.mark.parametrize(
    "compute",
    [
        lambda levels: weighted_share(
            RESPONDENTS.assign(weight=[1, 1, 1, 3, 3]), confidence_levels=levels
        ),
        lambda levels: cluster_robust_mean(
            SCORES, value="score", cluster="service", confidence_levels=levels
        ),
    ],
)
def test_both_levels_come_from_one_call_and_the_higher_is_wider(compute):
    rows = compute((0.95, 0.998))

    assert rows["confidence_level"].tolist() == [0.95, 0.998]
    assert (rows["upper"] - rows["lower"]).is_monotonic_increasing
