import numpy as np
import pandas as pd
import pytest

from evalkit.controlled_change import difference_in_differences
from evalkit.staggered_starts import (
    group_time_effects,
    staggered_effects,
    staggered_pretrend_check,
)


def staggered(cohorts=((2015, 8), (2017, 8), (np.nan, 12)), effect=3.0):
    generator = np.random.default_rng(7)
    starts, rows = [], []
    for start, count in cohorts:
        for _ in range(count):
            code = f"{len(starts):04d}"
            starts.append((code, start))
            level = generator.normal(scale=5)
            for year in range(2012, 2020):
                treated = start == start and year >= start
                noise = generator.normal(scale=0.1)
                rows.append((code, year, level + 0.5 * (year - 2012) + effect * treated + noise))
    return (
        pd.DataFrame(rows, columns=["municipality_code", "year", "value"]),
        pd.DataFrame(starts, columns=["municipality_code", "first_treated_year"]),
    )


def test_each_cohort_gets_the_effect_it_had():
    result = group_time_effects(*staggered(), confidence_levels=[0.95])

    after = result[result["event_time"] >= 0]
    assert after["value"].tolist() == pytest.approx([3.0] * len(after), abs=0.25)
    assert set(after["first_treated_year"]) == {2015, 2017}


def test_the_average_over_all_and_over_cohorts_count_their_municipalities():
    overall = staggered_effects(*staggered(), confidence_levels=[0.95])
    cohorts = staggered_effects(*staggered(), over="cohort", confidence_levels=[0.95])

    assert overall["treated_count"].item() == 16
    assert overall["value"].item() == pytest.approx(3.0, abs=0.15)
    assert cohorts["treated_count"].tolist() == [8, 8]


def test_a_small_cohort_keeps_its_value_and_loses_its_limits():
    values, starts = staggered(((2015, 2), (2017, 8), (np.nan, 12)))

    result = group_time_effects(values, starts, confidence_levels=[0.95])

    small = result[result["first_treated_year"] == 2015]
    assert set(small["reason"]) == {"too_few_clusters"}
    assert small["value"].notna().all()
    assert result.loc[result["first_treated_year"] == 2017, "lower"].notna().all()


def test_when_everybody_began_there_is_no_comparison():
    values, starts = staggered(((2015, 8), (2017, 8)))

    for result in (group_time_effects(values, starts), staggered_effects(values, starts)):
        assert set(result["reason"]) == {"design_cannot_answer"}
    assert staggered_pretrend_check(values, starts)["reason"].item() == "design_cannot_answer"


@pytest.mark.parametrize("over", ["all", "event_time", "cohort"])
def test_averages_under_permutation_are_those_of_the_library(over):
    table = staggered(((2013, 3), (2015, 8), (2017, 8), (np.nan, 12)))

    ours = staggered_effects(*table, over=over, confidence_levels=[0.95])
    theirs = staggered_effects(*table, over=over, inference="analytic", confidence_levels=[0.95])

    assert ours["value"].tolist() == pytest.approx(theirs["value"].tolist(), abs=1e-12)
    assert ours["treated_count"].tolist() == theirs["treated_count"].tolist()


def test_an_average_over_small_cohorts_has_analytic_limits_withheld_and_permuted_ones_given():
    cohorts = tuple((year, 1) for year in range(2013, 2018))
    table = staggered((*cohorts, (np.nan, 20)))

    analytic = staggered_effects(*table, inference="analytic").iloc[0]
    permuted = staggered_effects(*table).iloc[0]

    assert analytic["reason"] == "too_few_clusters"
    assert permuted["lower"] < 3.0 < permuted["upper"]
    assert permuted["p_value"] < 0.001


def test_dealt_starts_give_limits_where_the_test_turns():
    values, starts = staggered(((2015, 1), (2017, 1), (np.nan, 14)), effect=0.05)
    row = staggered_effects(values, starts, confidence_levels=[0.9]).iloc[0]
    first = values["municipality_code"].map(
        starts.set_index("municipality_code")["first_treated_year"]
    )

    def p_value(effect):
        freed = values.assign(value=values["value"] - effect * (values["year"] >= first))
        return staggered_effects(freed, starts, confidence_levels=[0.9])["p_value"].item()

    assert "239 others" in row["method"]
    for limit, outward in ((row["lower"], -1), (row["upper"], 1)):
        assert p_value(limit - outward * 1e-6) > 0.1
        assert p_value(limit + outward * 1e-6) <= 0.1


def test_municipalities_that_began_outside_the_years_are_not_counted():
    outside = ((2012, 2), (2010, 1), (2030, 3))
    inside = ((2015, 8), (np.nan, 12))

    table = staggered((*inside, *outside))
    result = staggered_effects(*table, confidence_levels=[0.95]).iloc[0]

    assert result["treated_count"] == 8
    assert [result["count"], result["base"]] == [20, 26]
    cohorts = group_time_effects(*table, confidence_levels=[0.95])
    assert set(cohorts["first_treated_year"]) == {2015}


@pytest.mark.parametrize("start", [2005, 2012, 2030])
def test_starts_outside_the_years_leave_too_few_periods(start):
    table = staggered(((start, 8), (np.nan, 12)))

    for result in (
        staggered_effects(*table),
        staggered_effects(*table, inference="analytic"),
        group_time_effects(*table),
        staggered_pretrend_check(*table),
    ):
        assert set(result["reason"]) == {"too_few_periods"}


def test_small_cohorts_without_a_drift_are_seldom_said_to_drift():
    """The chi-squared test rejects in one of two such panels."""
    p_values = []
    for seed in range(60):
        values, starts = staggered(((2015, 5), (2017, 5), (np.nan, 20)), effect=0.0)
        noise = np.random.default_rng(seed).normal(size=(30, 8)).cumsum(axis=1)
        found = staggered_pretrend_check(values.assign(value=noise.ravel()), starts)
        p_values.append(found["p_value"].item())

    assert np.mean(np.array(p_values) < 0.05) < 0.15


def test_a_drift_of_a_cohort_before_its_start_is_seen():
    values, starts = staggered()
    drifting = values["municipality_code"].isin(
        starts.query("first_treated_year == 2017").iloc[:, 0]
    )
    values.loc[drifting, "value"] += 0.3 * values.loc[drifting, "year"]

    drift = staggered_pretrend_check(values, starts).iloc[0]
    none = staggered_pretrend_check(*staggered()).iloc[0]

    assert drift["p_value"] < 0.01
    assert drift["value"] == pytest.approx(0.3, abs=0.2)
    assert none["p_value"] > 0.05


def test_the_chi_squared_test_of_cohorts_under_twenty_is_refused():
    result = staggered_pretrend_check(*staggered(), inference="wald").iloc[0]

    assert result["reason"] == "too_few_clusters"


def shocks(first, seed=5, years=range(2012, 2020)):
    """Municipalities that begin in the years of ``first`` (blank: never), without any effect."""
    generator = np.random.default_rng(seed)
    codes = [f"{place:04d}" for place in range(len(first))]
    path = generator.normal(size=(len(first), len(years)))
    values = pd.DataFrame(path, columns=years).assign(municipality_code=codes)
    long = values.melt(id_vars="municipality_code", var_name="year", value_name="value")
    starts = pd.DataFrame({"municipality_code": codes, "first_treated_year": first})
    return long.astype({"year": int}), starts


def test_the_wild_bootstrap_of_one_cohort_and_year_is_that_of_two_groups():
    values, starts = shocks([2013.0] * 5 + [np.nan] * 9, years=(2012, 2013))
    codes = starts["municipality_code"].tolist()

    ours = staggered_effects(values, starts, inference="wild_bootstrap").iloc[0]

    theirs = difference_in_differences(
        values,
        treated=codes[:5],
        comparison=codes[5:],
        treated_from=2013,
        inference="wild_bootstrap",
    ).iloc[0]
    same = ["value", "lower", "upper", "p_value"]
    assert ours[same].tolist() == pytest.approx(theirs[same].tolist())


@pytest.mark.parametrize("over", ["all", "event_time", "cohort"])
def test_averages_under_the_wild_bootstrap_are_those_under_permutation(over):
    table = shocks([2014.0] * 4 + [2016.0] * 5 + [np.nan] * 8)

    bootstrapped, permuted = (
        staggered_effects(*table, over=over, inference=inference, confidence_levels=[0.95])
        for inference in ("wild_bootstrap", "permutation")
    )

    assert bootstrapped["value"].tolist() == pytest.approx(permuted["value"].tolist())
    assert bootstrapped["reason"].isna().all()
    assert (bootstrapped["lower"] < bootstrapped["value"]).all()
    assert (bootstrapped["value"] < bootstrapped["upper"]).all()


@pytest.mark.parametrize(
    "first",
    [
        pytest.param([2014.0] * 3 + [np.nan] * 12, id="three began"),
        pytest.param([2014.0, 2016] * 6 + [np.nan] * 3, id="three never did"),
        pytest.param([2014.0] * 5 + [2016.0] + [np.nan] * 12, id="one began alone"),
    ],
)
def test_too_few_for_the_wild_bootstrap_keep_the_value_and_lose_the_limits(first):
    rows = staggered_effects(*shocks(first), inference="wild_bootstrap")

    assert set(rows["reason"]) == {"too_few_clusters"}
    assert rows["value"].notna().all()


def test_the_wild_bootstrap_leaves_out_cohorts_that_an_average_does_not_rest_on():
    rows = staggered_effects(
        *shocks([2014.0] * 6 + [2016.0] * 3 + [np.nan] * 8),
        over="cohort",
        inference="wild_bootstrap",
        confidence_levels=[0.95],
    ).set_index("first_treated_year")

    assert rows.loc[2014, "reason"] is None
    assert rows.loc[2016, "reason"] == "too_few_clusters"
