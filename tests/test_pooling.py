import numpy as np
import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.indicators import indicator_trend
from evalkit.pooling import forest_rows, meta_regression, pooled_estimate
from evalkit.preparation import with_standard_error


def estimates(*values, error=1.0, **more):
    return pd.DataFrame(
        {
            "municipality_code": [f"{n:04d}" for n in range(len(values))],
            "indicator_id": "falls",
            "value": values,
            "standard_error": error,
        }
    ).assign(**more)


def test_equal_effects_pool_to_themselves_without_heterogeneity():
    result = pooled_estimate(estimates(2.0, 2.0, 2.0), interval="wald", confidence_levels=[0.95])

    row = result.iloc[0]
    assert row["value"] == pytest.approx(2.0)
    assert row["tau2"] == pytest.approx(0.0, abs=1e-6)
    assert row["standard_error"] == pytest.approx(1 / np.sqrt(3), rel=1e-4)


@pytest.mark.parametrize("estimator", ["reml", "dersimonian_laird", "paule_mandel"])
def test_with_equal_errors_all_estimators_give_the_excess_variance(estimator):
    table = estimates(0.0, 4.0, 8.0, 12.0)

    result = pooled_estimate(table, estimator=estimator, confidence_levels=[0.95])

    assert result["tau2"].item() == pytest.approx(np.var([0, 4, 8, 12], ddof=1) - 1, rel=1e-4)


def test_one_municipality_is_not_pooled():
    result = pooled_estimate(estimates(2.0))

    assert result["reason"].tolist() == ["too_few_clusters"]
    assert result["value"].isna().all()


def test_few_municipalities_carry_a_warning():
    result = pooled_estimate(estimates(1.0, 2.0, 3.0, 4.0))

    assert result["small_k_warning"].all()


def test_two_municipalities_have_no_prediction_interval():
    result = pooled_estimate(estimates(1.0, 2.0))

    assert result["prediction_lower"].isna().all()
    assert result["lower"].notna().all()


def test_the_modified_interval_is_never_narrower_than_the_wald_error():
    alike = estimates(1.0, 1.01, 0.99)

    plain = pooled_estimate(alike, interval="hartung_knapp")
    modified = pooled_estimate(alike, interval="modified_hartung_knapp")
    wald = pooled_estimate(alike, interval="wald")

    assert (plain["standard_error"] < wald["standard_error"]).all()
    assert modified["standard_error"].tolist() == pytest.approx(wald["standard_error"].tolist())


def test_equal_municipalities_do_not_make_the_average_certain():
    result = pooled_estimate(estimates(0.1, 0.1, 0.1, error=0.05)).iloc[0]

    assert result["upper"] - result["lower"] > 0.1
    assert result["reason"] is None


def test_the_plain_interval_of_equal_municipalities_is_withheld():
    result = pooled_estimate(estimates(0.1, 0.1, 0.1, error=0.05), interval="hartung_knapp").iloc[0]

    assert result["value"] == pytest.approx(0.1)
    assert result[["lower", "upper", "prediction_lower"]].isna().all()
    assert result["reason"] == "design_cannot_answer"


def test_a_blank_pooling_is_refused_by_row():
    table = estimates(1.0, 2.0, 3.0)
    table.loc[1, "indicator_id"] = None

    with pytest.raises(DataError, match="row 3"):
        pooled_estimate(table)


def test_a_municipality_that_stands_twice_is_refused():
    table = estimates(1.0, 2.0, 3.0)
    table.loc[2, "municipality_code"] = "0001"

    with pytest.raises(DataError, match="rows 3, 4: the same"):
        pooled_estimate(table)


def test_an_endless_standard_error_has_no_weight():
    table = estimates(1.0, 2.0, 3.0)
    alone = table.assign(standard_error=[1.0, np.inf, np.inf])

    result = pooled_estimate(table.assign(standard_error=[1.0, 1.0, np.inf])).iloc[0]

    assert result["study_count"] == 2
    assert result["value"] == pytest.approx(1.5)
    assert pooled_estimate(alone)["reason"].tolist() == ["too_few_clusters"]


def test_the_forest_shows_each_municipality_with_its_own_limits():
    table = estimates(0.1, 0.2, 0.3, error=0.05).assign(
        lower=[0.02, 0.1, np.nan],
        upper=[0.15, 0.32, np.nan],
        confidence_level=0.95,
        method="Newcombe, paired shares",
    )

    result = forest_rows(table)

    assert result["lower"].tolist()[:2] == [0.02, 0.1]
    assert result["upper"].tolist()[:2] == [0.15, 0.32]
    assert result["lower"].tolist()[2] == pytest.approx(0.3 - 1.959964 * 0.05)
    assert result["method"].tolist()[:3] == ["Newcombe, paired shares"] * 2 + ["normal interval"]


def test_a_withheld_municipality_keeps_its_own_reason_in_the_forest():
    table = estimates(0.1, np.nan, 0.3).assign(reason=[None, "too_few", None])

    result = forest_rows(table)

    assert result["reason"].tolist()[:3] == [None, "too_few", None]


def test_the_effect_of_one_more_municipality_is_less_certain_than_the_average():
    result = pooled_estimate(estimates(0.0, 4.0, 8.0, 12.0)).iloc[0]

    assert (
        result["prediction_lower"] < result["lower"] < result["upper"] < result["prediction_upper"]
    )


def test_one_more_municipality_is_never_more_certain_than_the_average():
    """Municipalities that happen to agree say little of the next one."""
    alike = estimates(1.0, 1.01, 0.99)

    row = pooled_estimate(alike, confidence_levels=[0.95]).iloc[0]

    assert row["prediction_lower"] <= row["lower"]
    assert row["upper"] <= row["prediction_upper"]


def test_equal_municipalities_still_leave_the_next_one_uncertain():
    row = pooled_estimate(estimates(0.1, 0.1, 0.1, error=0.05), confidence_levels=[0.95]).iloc[0]

    assert row["prediction_upper"] - row["prediction_lower"] > 0.1


@pytest.mark.parametrize("prediction", ["confidence_distribution", "classical"])
def test_the_method_says_how_the_next_municipality_was_predicted(prediction):
    table = estimates(0.0, 4.0, 8.0, 12.0)

    pooled = pooled_estimate(table, prediction=prediction)
    forest = forest_rows(table, prediction=prediction)

    told = f"{prediction.replace('_', '-')} prediction"
    assert pooled["method"].str.endswith(told).all()
    assert forest["method"].iloc[-1].endswith(told)
    assert forest["upper"].iloc[-1] == pooled["prediction_upper"].iloc[0]


def test_an_unknown_prediction_is_refused_with_those_known():
    with pytest.raises(DataError, match="expected one of: confidence_distribution, classical"):
        pooled_estimate(estimates(1.0, 2.0, 3.0), prediction="bootstrap")


def test_a_prediction_grows_with_the_unit_and_the_confidence():
    table = estimates(0.0, 4.0, 8.0, 12.0)
    thousandths = table.assign(value=1000 * table["value"], standard_error=1000.0)

    limits, scaled = (
        pooled_estimate(rows, confidence_levels=(0.95, 0.998))[
            ["prediction_lower", "prediction_upper"]
        ].to_numpy()
        for rows in (table, thousandths)
    )

    assert scaled == pytest.approx(1000 * limits, rel=1e-5)
    assert limits[1, 0] < limits[0, 0] < limits[0, 1] < limits[1, 1]


def test_the_forest_ends_with_the_pooled_effect_and_its_weights_add_up():
    table = estimates(0.0, 4.0, np.nan, 12.0)

    result = forest_rows(table)

    assert result["row"].tolist() == ["municipality"] * 4 + ["pooled", "prediction"]
    assert result["weight_share"].sum() == pytest.approx(1.0)
    assert result["reason"].tolist()[2] == "missing"


def test_a_moderator_that_explains_everything_leaves_no_heterogeneity():
    table = estimates(0.0, 4.0, 8.0, 12.0, 16.0, 20.0, error=0.5, dose=[0, 1, 2, 3, 4, 5])

    result = meta_regression(table, moderators=["dose"], interval="wald", confidence_levels=[0.95])

    assert result["value"].tolist() == pytest.approx([0.0, 4.0], abs=1e-6)
    assert result["tau2"].tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    assert result["explained_share"].tolist() == pytest.approx([1.0, 1.0])


def test_too_few_municipalities_for_the_moderators_are_refused():
    table = estimates(0.0, 4.0, 8.0, 9.0, dose=[0, 1, 2, 3])

    result = meta_regression(table, moderators=["dose"])

    assert set(result["reason"]) == {"too_few_clusters"}


def test_moderators_that_determine_each_other_are_refused():
    table = estimates(*range(8), dose=range(8), double=[2 * n for n in range(8)])

    result = meta_regression(table, moderators=["dose", "double"])

    assert set(result["reason"]) == {"design_cannot_answer"}


def test_a_standard_error_of_zero_is_refused():
    with pytest.raises(DataError, match="standard_error"):
        pooled_estimate(estimates(1.0, 2.0, error=0.0))


def test_an_unknown_estimator_is_refused_with_the_known_ones():
    with pytest.raises(DataError, match="paule_mandel"):
        pooled_estimate(estimates(1.0, 2.0), estimator="best")


def test_trends_of_municipalities_are_pooled_with_the_defaults_alone():
    years, slopes = range(2014, 2020), {"0301": 1.0, "1103": 2.0, "4601": 3.0}
    wobble = dict(zip(years, (0.1, -0.1, -0.1, 0.1, 0.0, 0.0), strict=True))
    values = pd.DataFrame(
        [
            (code, "absence", year, slope * (year - 2014) + wobble[year])
            for code, slope in slopes.items()
            for year in years
        ],
        columns=["municipality_code", "indicator_id", "year", "value"],
    )

    result = pooled_estimate(with_standard_error(indicator_trend(values)))

    wobbling = np.polyfit(list(years), list(wobble.values()), 1)[0]
    assert result["study_count"].tolist() == [3]
    assert result["value"].item() == pytest.approx(2.0 + wobbling)


@pytest.mark.parametrize("error", [1e-12, 1e12])
def test_a_standard_error_a_million_times_the_others_is_no_singular_matrix(error):
    rows = pd.DataFrame(
        {
            "municipality_code": [f"{place:04d}" for place in range(8)],
            "indicator_id": "absence",
            "value": np.linspace(0.1, 0.8, 8),
            "standard_error": [error, *[0.1] * 7],
            "dose": [1.0, 2, 1, 3, 2, 2, 4, 1],
        }
    )

    assert set(pooled_estimate(rows)["reason"]) == {"design_cannot_answer"}
    assert set(forest_rows(rows)["reason"].tail(2)) == {"design_cannot_answer"}
    assert set(meta_regression(rows, moderators=["dose"])["reason"]) == {"design_cannot_answer"}
