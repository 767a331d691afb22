"""Intervals of rates, gradients, areas, funnels and published changes hold as often as they say."""

import numpy as np
import pandas as pd
import pytest
from test_coverage_of_intervals import LEVEL, holds, inside

from evalkit.controlled_change import difference_of_changes
from evalkit.indicators import (
    comparison_with_areas,
    funnel_limits,
    inequality_indices,
    reach_probability,
)
from evalkit.pooling import meta_regression
from evalkit.rates import indirectly_standardised_ratio
from evalkit.staggered_starts import group_time_effects


def places(numbers):
    return [f"{number:04d}" for number in numbers]


@pytest.mark.parametrize("people", [100, 2000])
def test_limits_of_an_indirectly_standardised_ratio_cover_it(people):
    """Three or sixty events expected, and a fifth more than expected in truth."""
    rate, runs = np.array([0.002, 0.01, 0.03]) / 1.4, 2000
    events = np.random.default_rng(51).poisson(1.2 * rate * people, size=(runs, 3))
    groups = np.tile(["young", "middle", "old"], runs)
    table = pd.DataFrame(
        {
            "municipality_code": places(np.repeat(np.arange(runs), 3)),
            "age_group": groups,
            "event_count": events.ravel(),
            "population_count": people,
        }
    )
    reference = pd.DataFrame(
        {"age_group": groups[:3], "event_count": rate * 1e6, "population_count": 1e6}
    )

    rows = indirectly_standardised_ratio(table, reference=reference)

    holds(inside(rows, 1.2), least=LEVEL, most=0.99)


@pytest.mark.parametrize("groups", [4, 5, 10])
@pytest.mark.parametrize("known", [True, False])
def test_limits_of_inequality_cover_slope_and_ratio(groups, known):
    """With the groups' errors the limits rest on them, without on the scatter round the line."""
    generator, runs = np.random.default_rng(52), 200
    people = np.round(2000 * generator.dirichlet(np.full(groups, 20), size=runs)) + 1
    share = people / people.sum(axis=1, keepdims=True)
    error = 5 / np.sqrt(people)
    value = 10 + 4 * (share.cumsum(axis=1) - share / 2) + error * generator.normal(size=error.shape)
    table = pd.DataFrame(
        {
            "municipality_code": places(np.repeat(np.arange(runs), groups)),
            "indicator_id": "generated",
            "group_order": np.tile(np.arange(groups) + 1, runs),
            "population": people.ravel(),
            "value": value.ravel(),
        }
    )
    if known:
        table["standard_error"] = error.ravel()

    rows = inequality_indices(table)

    for index, truth in (("slope_index", 4.0), ("relative_index", 1.4)):
        holds(inside(rows[rows["index"] == index], truth), least=0.93, most=0.97)


@pytest.mark.parametrize("spread", [0.0, 0.8])
def test_limits_of_a_moderator_cover_its_slope_over_eight_municipalities(spread):
    generator = np.random.default_rng(53)
    rows = {"hartung_knapp": [], "modified_hartung_knapp": []}
    for _ in range(50):
        dose, error = generator.normal(size=8), generator.uniform(0.3, 0.9, 8)
        value = 1 + 0.5 * dose + np.hypot(error, spread) * generator.normal(size=8)
        table = pd.DataFrame({"value": value, "standard_error": error, "dose": dose})
        for interval, found in rows.items():
            found.append(meta_regression(table, moderators=["dose"], interval=interval).iloc[1])

    holds(inside(pd.DataFrame(rows["hartung_knapp"]), 0.5), least=0.93, most=0.97)
    holds(inside(pd.DataFrame(rows["modified_hartung_knapp"]), 0.5), least=0.94, most=1.0)


def test_limits_of_a_difference_of_published_changes_cover_it():
    """Errors told from 40 and 60 persons."""
    generator, rows = np.random.default_rng(54), []
    for _ in range(150):
        changes = [generator.normal(mean, 1, size) for mean, size in ((0.5, 40), (0.1, 60))]
        table = pd.DataFrame(
            {
                "group": ["treated", "comparison"],
                "value": [change.mean() for change in changes],
                "standard_error": [change.std(ddof=1) / np.sqrt(len(change)) for change in changes],
            }
        )
        rows.append(difference_of_changes(table))

    holds(inside(pd.concat(rows), 0.4), least=0.93, most=0.96)


def test_limits_beside_a_county_that_contains_the_municipality_cover_the_difference_to_the_rest():
    generator, runs = np.random.default_rng(55), 1500
    own, rest = generator.binomial(60, 0.3, runs), generator.binomial(900, 0.2, runs)
    keys = pd.DataFrame(
        {"municipality_code": places(range(runs)), "indicator_id": "generated", "year": 2020}
    )
    values = keys.assign(value=own / 60, numerator=own, denominator=60)
    county = keys.assign(
        area="county", value=(own + rest) / 960, numerator=own + rest, denominator=960
    )

    rows = comparison_with_areas(values, county, areas_contain_municipality=True)

    holds(inside(rows, 0.1), least=0.94, most=0.965)


@pytest.mark.parametrize("kind", ["share", "rate"])
@pytest.mark.parametrize("overdispersion", ["multiplicative", "additive"])
@pytest.mark.parametrize(
    ("spread", "winsorised", "least", "most"),
    [(0.0, 0.1, 0.92, 0.98), (0.3, 0.1, 0.85, 0.91), (0.3, 0.0, 0.92, 0.98)],
)
def test_a_funnel_holds_as_many_municipalities_as_methods_say(
    kind, overdispersion, spread, winsorised, least, most
):
    """Extremes that are pulled in make the funnel narrower where municipalities differ."""
    generator, within = np.random.default_rng(56), []
    for _ in range(20):
        base = np.round(np.exp(generator.normal(7, 0.8, 20)))
        factor = np.exp(spread * generator.normal(size=20))
        count = (
            generator.binomial(base.astype(int), np.minimum(0.2 * np.sqrt(factor), 1))
            if kind == "share"
            else generator.poisson(0.05 * base * factor)
        )
        table = pd.DataFrame({"municipality_code": places(range(20)), "count": count, "base": base})
        rows = funnel_limits(
            table, kind=kind, overdispersion=overdispersion, winsorised_share=winsorised
        )
        within += (rows["position"] == "within").tolist()

    holds(within, least=least, most=most)


@pytest.mark.parametrize("years", [4, 10])
def test_the_prediction_interval_of_a_walk_covers_the_target_year(years):
    runs = 1000
    path = np.random.default_rng(57).normal(loc=0.3, size=(runs, years + 3)).cumsum(axis=1)
    keys = pd.DataFrame({"municipality_code": places(range(runs)), "indicator_id": "generated"})
    wide = pd.concat(
        [keys, pd.DataFrame(path[:, :years], columns=range(2010, 2010 + years))], axis=1
    )
    values = wide.melt(id_vars=list(keys), var_name="year", value_name="value")
    targets = keys.assign(direction="at_least", target_value=5.0, target_year=2012 + years)

    rows = reach_probability(values.astype({"year": int}), targets, rule="random_walk")

    holds(inside(rows, path[:, -1]), least=0.94, most=0.96)


def test_limits_of_one_cohort_of_ten_cover_its_effect_each_year():
    generator, covered = np.random.default_rng(58), []
    codes = places(range(25))
    first = [2016.0] * 10 + [np.nan] * 15
    starts = pd.DataFrame({"municipality_code": codes, "first_treated_year": first})
    for _ in range(40):
        path = generator.normal(size=(25, 4)).cumsum(axis=1)
        wide = pd.DataFrame(path, columns=range(2014, 2018)).assign(municipality_code=codes)
        values = wide.melt(id_vars="municipality_code", var_name="year", value_name="value")
        rows = group_time_effects(values.astype({"year": int}), starts)
        after = rows[rows["event_time"] == 0]
        covered += inside(after, 0.0).tolist()

    holds(covered, least=0.91, most=0.96)
