from itertools import combinations

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
    pretrend_check,
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

    assert result["value"].tolist() == [4.0]
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

    assert result["reason"].tolist() == ["too_few_clusters"]
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

    assert result["comparison_count"].tolist() == [2]
    assert result["value"].tolist() == [3.5]


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


@pytest.mark.parametrize(("treated_count", "other_count"), [(3, 3), (4, 4), (5, 5), (3, 9)])
def test_permutation_limits_are_those_of_trying_every_effect(treated_count, other_count):
    generator = np.random.default_rng(treated_count + other_count)
    changes = generator.normal(size=treated_count + other_count)
    changes[:treated_count] += 4.0
    named = np.array(list(combinations(range(len(changes)), treated_count)))

    def p_value(effect):
        freed = changes - effect * (np.arange(len(changes)) < treated_count)
        inside = freed[named].sum(axis=1)
        means = inside / treated_count - (freed.sum() - inside) / other_count
        return (np.abs(means) >= abs(means[0]) * (1 - 1e-12)).mean()

    for level in (0.9, 0.95):
        row = estimate(changes, treated_count, confidence_levels=[level]).iloc[0]
        far = p_value(1e6)
        if far > 1 - level + 1e-9:
            assert row["reason"] == "too_few_clusters"
            assert np.isnan(row["lower"])
        else:
            for limit, outward in ((row["lower"], -1), (row["upper"], 1)):
                assert p_value(limit - outward * 1e-6) > 1 - level + 1e-9
                assert p_value(limit + outward * 1e-6) <= 1 - level + 1e-9


def test_three_against_three_can_reach_no_p_below_one_tenth():
    values, treated, comparison = panel([8.0, 8.6, 7.9, 0.1, -0.2, 0.3], 3)
    values.loc[values["year"] == 2012, "value"] += np.arange(6) ** 2

    result = pretrend_check(values, treated=treated, comparison=comparison, treated_from=2016)

    assert result["smallest_p_value"].item() == pytest.approx(0.1)


@pytest.mark.parametrize("inference", ["permutation", "wild_bootstrap", "welch"])
def test_changes_that_do_not_differ_at_all_have_no_limits(inference):
    for changes in (np.full(16, 0.1), np.r_[np.full(5, 5.0), np.zeros(11)]):
        result = estimate(changes, 5, inference=inference)

        assert set(result["reason"]) == {"design_cannot_answer"}
        assert result[["lower", "upper", "p_value", "smallest_change"]].isna().all(axis=None)
        assert result["value"].tolist() == pytest.approx([changes[0] - changes[-1]])


def test_two_errors_of_nought_give_no_limits():
    changes = pd.DataFrame(
        {"group": ["treated", "comparison"], "value": [1.0, 0.0], "standard_error": 0.0}
    )

    result = difference_of_changes(changes)

    assert set(result["reason"]) == {"design_cannot_answer"}
    assert result["lower"].isna().all()


def test_a_year_that_only_one_municipality_has_leaves_the_others_in():
    values, treated, comparison = panel([5.0, 6.0, 1.0, 2.0, 9.0], 2)
    stray = pd.DataFrame({"municipality_code": [comparison[0]], "year": [2025], "value": [1.0]})
    late = values.query("municipality_code != '0004' or year != 2013")

    result = difference_in_differences(
        pd.concat([late, stray]), treated=treated, comparison=comparison, treated_from=2016
    ).iloc[0]

    assert [result["treated_count"], result["comparison_count"]] == [2, 2]
    assert [result["count"], result["base"], result["left_out"]] == [4, 5, "0004"]
    assert result["post_period_count"] == 4
    assert result["value"] == 4.0


def test_a_municipality_and_year_in_two_rows_is_refused_by_row():
    values, treated, comparison = panel([5.0, 1.0, 2.0], 1)
    other = values.iloc[[0]].assign(municipality_code="9999")
    twice = pd.concat([other, other, values, values.iloc[[3]]])
    asked = {"treated": treated, "comparison": comparison, "treated_from": 2016}

    for design in (difference_in_differences, event_study, pretrend_check):
        with pytest.raises(DataError, match="rows 7, 28: the same municipality_code and year"):
            design(twice, **asked)


def test_the_smallest_change_goes_by_the_width_of_the_limits():
    generator = np.random.default_rng(5)
    row = estimate(generator.normal(size=12), 4, inference="welch").iloc[0]

    width = (row["upper"] - row["lower"]) / 2
    assert row["smallest_change"] == pytest.approx(width * (1.959964 + 0.841621) / 1.959964)


@pytest.mark.parametrize(
    ("treated_clusters", "reason"), [(1, "too_few"), (4, "too_few"), (5, None)]
)
def test_few_clusters_in_one_group_withhold_the_limits(treated_clusters, reason):
    table = people(np.random.default_rng(1), count=600)
    cluster = np.arange(600) % 12
    table = table.assign(cluster=cluster, treated=(cluster < treated_clusters).astype(int))

    result = cross_section_difference(table, confidence_levels=[0.95]).iloc[0]

    assert result["reason"] == (reason and "too_few_clusters")
    assert np.isnan(result["lower"]) == (reason is not None)
    assert result["treated_cluster_count"] == treated_clusters


@pytest.mark.parametrize("column", ["treated", "after", "cluster"])
def test_a_blank_group_or_cluster_is_refused_by_row(column):
    table = people(np.random.default_rng(1)).assign(cluster=np.arange(400) % 20)
    table = table.astype(object)
    table.loc[3, column] = None

    with pytest.raises(DataError, match=f"{column} is blank in rows 5;"):
        cross_section_difference(table)
