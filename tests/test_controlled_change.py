import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from evalkit.controlled_change import (
    cross_section_difference,
    difference_in_differences,
    difference_of_changes,
    event_study,
    group_time_effects,
    pretrend_check,
    staggered_effects,
    staggered_pretrend_check,
)
from evalkit.errors import DataError


def panel(changes, treated_count, years=range(2012, 2020), treated_from=2016):
    """Each municipality's own level, plus its change from ``treated_from`` on."""
    rows = [
        (f"{place:04d}", year, 10.0 * place + (change if year >= treated_from else 0.0))
        for place, change in enumerate(changes)
        for year in years
    ]
    codes = [f"{place:04d}" for place in range(len(changes))]
    values = pd.DataFrame(rows, columns=["municipality_code", "year", "value"])
    return values, codes[:treated_count], codes[treated_count:]


def estimate(changes, treated_count, **more):
    values, treated, comparison = panel(changes, treated_count)
    return difference_in_differences(
        values, treated=treated, comparison=comparison, treated_from=2016, **more
    )


def test_the_effect_is_the_difference_between_the_mean_changes():
    result = estimate([5.0, 7.0, 1.0, 2.0, 3.0], 2)

    assert result["value"].tolist() == [4.0, 4.0]
    assert result["treated_count"].iloc[0] == 2
    assert result["pre_period_count"].iloc[0] == 4


def test_one_treated_municipality_is_ranked_among_all():
    changes = [9.0, *np.linspace(-1, 1, 39)]

    result = estimate(changes, 1).iloc[0]

    assert result["p_value"] == pytest.approx(1 / 40)
    assert result["lower"] < 9.0 < result["upper"]


def test_the_permutation_limits_are_where_the_test_turns():
    generator = np.random.default_rng(4)
    changes = generator.normal(size=12) + np.r_[np.full(3, 2.0), np.zeros(9)]
    limits = estimate(changes, 3, confidence_levels=[0.95]).iloc[0]

    def p_value(effect):
        shifted = changes - np.r_[np.full(3, effect), np.zeros(9)]
        return estimate(shifted, 3, confidence_levels=[0.95])["p_value"].item()

    for limit, outward in ((limits["lower"], -1), (limits["upper"], 1)):
        assert p_value(limit - outward * 1e-6) > 0.05
        assert p_value(limit + outward * 1e-6) <= 0.05


def test_too_few_municipalities_for_the_level_have_no_limits():
    result = estimate([5.0, 1.0, 2.0, 3.0, 2.5], 1)

    assert result["reason"].tolist() == ["too_few_clusters"] * 2
    assert result["lower"].isna().all()
    assert result["value"].notna().all()


def test_welch_equals_the_t_test_on_changes():
    changes = [5.0, 7.0, 6.0, 1.0, 2.0, 3.0, 2.5]

    result = estimate(changes, 3, inference="welch", confidence_levels=[0.95]).iloc[0]

    test = stats.ttest_ind(changes[:3], changes[3:], equal_var=False)
    assert result["p_value"] == pytest.approx(test.pvalue)


def test_the_wild_bootstrap_is_close_to_t_with_many_municipalities():
    generator = np.random.default_rng(2)
    changes = generator.normal(size=80) + np.r_[np.full(30, 1.0), np.zeros(50)]

    wild = estimate(changes, 30, inference="wild_bootstrap", confidence_levels=[0.95]).iloc[0]
    welch = estimate(changes, 30, inference="welch", confidence_levels=[0.95]).iloc[0]

    assert [wild["lower"], wild["upper"]] == pytest.approx(
        [welch["lower"], welch["upper"]], abs=0.06
    )


def test_the_wild_bootstrap_refuses_limits_for_three_treated_municipalities():
    result = estimate([5.0, 7.0, 6.0, *np.linspace(0, 3, 20)], 3, inference="wild_bootstrap")

    assert set(result["reason"]) == {"too_few_clusters"}


def test_without_comparison_the_design_cannot_answer():
    values, treated, _ = panel([5.0, 1.0], 1)

    result = difference_in_differences(values, treated=treated, comparison=[], treated_from=2016)

    assert set(result["reason"]) == {"design_cannot_answer"}


def test_without_years_before_there_are_too_few_periods():
    values, treated, comparison = panel([5.0, 1.0, 2.0], 1)

    result = difference_in_differences(
        values, treated=treated, comparison=comparison, treated_from=2000
    )

    assert set(result["reason"]) == {"too_few_periods"}


def test_a_municipality_with_a_gap_is_left_out():
    values, treated, comparison = panel([5.0, 1.0, 2.0, 9.0], 1)
    values.loc[(values["municipality_code"] == "0003") & (values["year"] == 2013), "value"] = np.nan

    result = difference_in_differences(
        values, treated=treated, comparison=comparison, treated_from=2016
    )

    assert result["comparison_count"].tolist() == [2, 2]
    assert result["value"].tolist() == [3.5, 3.5]


def test_a_code_in_both_groups_is_refused():
    values, treated, comparison = panel([5.0, 1.0], 1)

    with pytest.raises(DataError, match="both treated and comparison"):
        difference_in_differences(
            values, treated=treated, comparison=[*comparison, *treated], treated_from=2016
        )


def test_the_event_study_is_zero_in_the_year_before():
    values, treated, comparison = panel([5.0, 1.0, 2.0, 3.0], 1)

    result = event_study(values, treated=treated, comparison=comparison, treated_from=2016)

    by_time = result.groupby("event_time")["value"].first()
    assert by_time[-1] == 0.0
    assert by_time[[-4, -3, -2]].tolist() == [0.0, 0.0, 0.0]
    assert by_time[[0, 3]].tolist() == [3.0, 3.0]


def test_a_drift_before_the_measure_is_seen():
    values, treated, comparison = panel(np.zeros(40), 3)
    generator = np.random.default_rng(1)
    values["value"] += generator.normal(scale=0.1, size=len(values))
    drifting = values["municipality_code"].isin(treated)
    values.loc[drifting, "value"] += 2.0 * (values.loc[drifting, "year"] - 2012)

    result = pretrend_check(values, treated=treated, comparison=comparison, treated_from=2016).iloc[
        0
    ]

    assert result["p_value"] < 0.01
    assert result["smallest_p_value"] < 0.001


def test_one_year_before_is_too_little_for_a_pretrend_check():
    values, treated, comparison = panel([5.0, 1.0, 2.0], 1, years=range(2015, 2019))

    result = pretrend_check(values, treated=treated, comparison=comparison, treated_from=2016)

    assert result["reason"].item() == "too_few_periods"


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


def people(generator, count=400, effect=2.0):
    treated = generator.integers(0, 2, count)
    after = generator.integers(0, 2, count)
    value = treated + after + effect * treated * after + generator.normal(size=count)
    return pd.DataFrame({"value": value, "treated": treated, "after": after})


def test_cross_sections_give_the_interaction_of_a_regression():
    table = people(np.random.default_rng(1))

    result = cross_section_difference(table, confidence_levels=[0.95]).iloc[0]

    design = sm.add_constant(
        table[["treated", "after"]].assign(both=table["treated"] * table["after"])
    )
    fitted = sm.OLS(table["value"], design).fit()
    assert result["value"] == pytest.approx(fitted.params["both"])
    assert [result["lower"], result["upper"]] == pytest.approx(
        fitted.conf_int().loc["both"].tolist()
    )


def test_few_clusters_withhold_the_limits():
    table = people(np.random.default_rng(1)).assign(cluster=lambda rows: rows["treated"])

    result = cross_section_difference(table)

    assert set(result["reason"]) == {"too_few_clusters"}
    assert result["value"].notna().all()


def test_an_empty_cell_of_the_four_cannot_answer():
    table = people(np.random.default_rng(1)).query("treated == 0 or after == 0")

    assert set(cross_section_difference(table)["reason"]) == {"design_cannot_answer"}


def test_a_blank_change_is_missing():
    changes = pd.DataFrame(
        {"group": ["treated", "comparison"], "value": [1.0, np.nan], "standard_error": 1.0}
    )

    assert set(difference_of_changes(changes)["reason"]) == {"missing"}
