"""Intervals hold the true value as often as they say, in generated data."""

import numpy as np
import pandas as pd
import pytest

from evalkit.controlled_change import (
    cross_section_difference,
    difference_in_differences,
    staggered_effects,
)
from evalkit.indicators import indicator_trend, reach_probability
from evalkit.pooling import pooled_estimate


def generated_series(count=4000, year_count=10, slope=0.5):
    generator = np.random.default_rng(11)
    years = np.arange(year_count)
    value = 20 + slope * years + generator.normal(size=(count, year_count))
    table = pd.DataFrame(value, columns=years + 2010)
    table.insert(0, "municipality_code", [f"{n:04d}" for n in range(count)])
    values = table.melt(id_vars="municipality_code", var_name="year", value_name="value")
    return values.assign(indicator_id="generated", year=values["year"].astype(int))


@pytest.mark.parametrize("level", [0.95, 0.998])
def test_the_interval_of_a_trend_covers_the_true_slope(level):
    result = indicator_trend(generated_series(), confidence_levels=[level])

    covered = result["value"].notna() & (result["lower"] <= 0.5) & (result["upper"] >= 0.5)
    assert covered.mean() == pytest.approx(level, abs=0.01)


def test_the_prediction_interval_covers_the_value_of_the_target_year():
    values = generated_series()
    targets = values[["municipality_code", "indicator_id"]].drop_duplicates()
    targets = targets.assign(direction="at_least", target_value=26.0, target_year=2021)
    future = 20 + 0.5 * 11 + np.random.default_rng(12).normal(size=len(targets))

    result = reach_probability(values, targets, rule="linear_trend", confidence_levels=[0.95])

    covered = (result["lower"] <= future) & (future <= result["upper"])
    assert covered.mean() == pytest.approx(0.95, abs=0.015)


def test_the_hartung_knapp_interval_covers_the_mean_of_seven_municipalities():
    generator = np.random.default_rng(13)
    run, count = 300, 7
    error = generator.uniform(0.5, 1.5, size=(run, count))
    value = (
        1.0
        + generator.normal(scale=0.7, size=(run, count))
        + error * generator.normal(size=(run, count))
    )
    table = pd.DataFrame(
        {
            "indicator_id": np.repeat(np.arange(run), count),
            "value": value.ravel(),
            "standard_error": error.ravel(),
        }
    )

    result = pooled_estimate(table, estimator="dersimonian_laird", confidence_levels=[0.95])

    covered = (result["lower"] <= 1.0) & (result["upper"] >= 1.0)
    assert covered.mean() == pytest.approx(0.95, abs=0.03)


def test_permutation_limits_cover_the_effect_on_three_of_twelve_municipalities():
    generator = np.random.default_rng(14)
    codes = [f"{n:04d}" for n in range(12)]
    covered = []
    for _ in range(150):
        change = generator.standard_t(4, size=12) + np.r_[np.full(3, 2.0), np.zeros(9)]
        values = pd.DataFrame(
            {
                "municipality_code": codes * 2,
                "year": np.repeat([2015, 2016], 12),
                "value": np.r_[np.zeros(12), change],
            }
        )
        row = difference_in_differences(
            values,
            treated=codes[:3],
            comparison=codes[3:],
            treated_from=2016,
            confidence_levels=[0.95],
        ).iloc[0]
        covered.append(row["lower"] <= 2.0 <= row["upper"])

    assert np.mean(covered) == pytest.approx(0.95, abs=0.04)


def test_limits_of_five_clusters_against_seven_cover_the_effect():
    generator = np.random.default_rng(15)
    cluster = np.repeat(np.arange(12), 20)
    table = pd.DataFrame(
        {"cluster": cluster, "treated": cluster < 5, "after": np.tile([0, 1], 120)}
    )
    covered = []
    for _ in range(300):
        level, change = generator.normal(size=(2, 12))
        noise = generator.normal(size=len(table))
        value = level[cluster] + change[cluster] * table["after"] + noise
        row = cross_section_difference(table.assign(value=value), confidence_levels=[0.95]).iloc[0]
        covered.append(row["lower"] <= 0.0 <= row["upper"])

    assert np.mean(covered) == pytest.approx(0.95, abs=0.03)


def test_dealt_starts_cover_the_effect_on_five_cohorts_of_one():
    generator = np.random.default_rng(16)
    codes = [f"{n:04d}" for n in range(25)]
    first = [*range(2013, 2018), *[np.nan] * 20]
    starts = pd.DataFrame({"municipality_code": codes, "first_treated_year": first})
    covered = []
    for _ in range(80):
        path = generator.normal(size=(25, 8)).cumsum(axis=1) + generator.normal(size=(25, 8))
        path += 2.0 * (np.arange(2012, 2020) >= np.array(first)[:, None])
        values = pd.DataFrame(path, columns=range(2012, 2020)).assign(municipality_code=codes)
        long = values.melt(id_vars="municipality_code", var_name="year", value_name="value")
        row = staggered_effects(long.astype({"year": int}), starts, confidence_levels=[0.95]).iloc[
            0
        ]
        covered.append(row["lower"] <= 2.0 <= row["upper"])

    assert np.mean(covered) == pytest.approx(0.95, abs=0.05)
