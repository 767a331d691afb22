"""Intervals hold the true value as often as they say, in generated data.

Where every outcome can be listed, the coverage is added up instead of drawn.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evalkit.agreement import krippendorff_alpha
from evalkit.controlled_change import (
    cross_section_difference,
    difference_in_differences,
)
from evalkit.indicators import indicator_trend, reach_probability
from evalkit.interruptions import interrupted_counts, interrupted_series
from evalkit.pooling import pooled_estimate
from evalkit.rates import directly_standardised_rate
from evalkit.staggered_starts import staggered_effects
from evalkit.survey import cliffs_delta, share_change
from evalkit.synthetic_controls import synthetic_control
from evalkit.uncertainty import (
    count_interval,
    exact_interval,
    newcombe_difference_interval,
    wilson_interval,
)
from evalkit.weighting import cluster_robust_mean, raking_weights, weighted_share

# ---- Shares, counts and rates

LEVEL = 0.95


def holds(covered, *, least=LEVEL, most=LEVEL):
    """The share covered is what it should be, as far as so many draws can tell.

    ``least`` and ``most`` bound the true coverage; the share found may lie four binomial standard
    errors of the number of draws outside them, which happens in one of 16 000 right methods.
    """
    covered = np.asarray(covered, dtype=bool)
    low, high = (4 * np.sqrt(share * (1 - share) / covered.size) for share in (least, most))
    assert least - low <= covered.mean() <= most + high, covered.mean()


def codes_of(numbers):
    """Codes of municipalities that are told apart by a number only."""
    return [f"{number:04d}" for number in numbers]


def inside(rows, truth):
    return (rows["lower"] <= truth) & (truth <= rows["upper"])


def exact_coverage(count, lower, upper, chance, truth):
    """Chance of limits that hold each truth: the counts' probabilities, added up."""
    holding = (lower[:, None] <= truth + 1e-12) & (truth <= upper[:, None] + 1e-12)
    return (holding * chance(count[:, None], truth)).sum(axis=0)


@pytest.mark.parametrize("base", [10, 20, 50, 200])
def test_wilson_limits_cover_as_often_as_they_say_on_average_over_shares(base):
    """Added up over all counts, so without any draw: no single share is covered exactly."""
    count, share = np.arange(base + 1), np.linspace(0.05, 0.95, 181)
    lower, upper = wilson_interval(count, np.full(base + 1, base))

    covered = exact_coverage(count, lower, upper, lambda k, p: stats.binom.pmf(k, base, p), share)

    assert covered.mean() == pytest.approx(LEVEL, abs=0.008)
    assert covered.min() > 0.89  # at ten answers; 0.92 at fifty


def test_exact_limits_never_cover_less_than_they_say():
    count, share = np.arange(31), np.linspace(0.01, 0.99, 99)
    lower, upper = exact_interval(count, np.full(31, 30))

    covered = exact_coverage(count, lower, upper, lambda k, p: stats.binom.pmf(k, 30, p), share)

    assert covered.min() >= LEVEL


def test_limits_of_counts_cover_at_every_expected_number():
    count, expected = np.arange(400), np.linspace(0.5, 200, 800)
    lower, upper, _ = count_interval(count)

    covered = exact_coverage(count, lower, upper, stats.poisson.pmf, expected)

    assert covered.min() > 0.945  # exact under ten, Byar's from ten
    assert covered.mean() == pytest.approx(0.96, abs=0.01)


@pytest.mark.parametrize(("first", "second"), [(15, 15), (40, 20), (60, 60)])
def test_newcombe_limits_cover_the_difference_of_independent_shares(first, second):
    """Added up over all pairs of counts."""
    before, after = (grid.ravel() for grid in np.indices((first + 1, second + 1)))
    lower, upper = newcombe_difference_interval(
        after, np.full(after.size, second), before, np.full(before.size, first)
    )
    covered = [
        ((lower <= q - p) & (q - p <= upper))
        @ (stats.binom.pmf(before, first, p) * stats.binom.pmf(after, second, q))
        for p in np.linspace(0.1, 0.9, 17)
        for q in np.linspace(0.1, 0.9, 17)
    ]

    assert np.mean(covered) == pytest.approx(LEVEL, abs=0.008)
    assert min(covered) > 0.92


def two_waves(runs, *, before, after, likeness, both, only=0, seed=0):
    """Answers 1 or 5 of ``runs`` municipalities: persons in both waves, and in one only."""
    generator = np.random.default_rng(seed)
    shape = (runs, both + 2 * only)
    first = generator.normal(size=shape)
    second = likeness * first + np.sqrt(1 - likeness**2) * generator.normal(size=shape)
    agreed = [stats.norm.cdf(first) < before, stats.norm.cdf(second) < after]
    place, person = np.indices(shape)
    present = [person < both + only, (person < both) | (person >= both + only)]
    return pd.concat(
        pd.DataFrame(
            {
                "municipality_code": codes_of(place[seen]),
                "item": "plan",
                "wave": wave,
                "respondent_id": person[seen],
                "score": np.where(agrees[seen], 5.0, 1.0),
            }
        )
        for wave, (agrees, seen) in enumerate(zip(agreed, present, strict=True))
    )


@pytest.mark.parametrize(("before", "after"), [(0.5, 0.5), (0.3, 0.45), (0.85, 0.9)])
@pytest.mark.parametrize("likeness", [0.0, 0.7])
def test_linked_limits_cover_the_change_of_the_same_persons(before, after, likeness):
    answers = two_waves(1500, before=before, after=after, likeness=likeness, both=40, seed=21)

    rows = share_change(answers, linkage="linked")

    holds(inside(rows, after - before), least=0.94, most=0.975)


@pytest.mark.parametrize(("before", "after"), [(0.5, 0.5), (0.3, 0.45), (0.85, 0.9)])
def test_unlinked_limits_cover_the_change_between_different_persons(before, after):
    answers = two_waves(1500, before=before, after=after, likeness=0.0, both=0, only=35, seed=22)

    rows = share_change(answers, linkage="unlinked")

    holds(inside(rows, after - before), least=0.94, most=0.965)


@pytest.mark.parametrize("likeness", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("known", [0.0, 0.4, 1.0])
def test_partly_linked_limits_cover_whatever_the_overlap_and_however_little_of_it_is_known(
    likeness, known
):
    """The bounds are the widest over every possible overlap, so they may only err that way."""
    answers = two_waves(500, before=0.4, after=0.55, likeness=likeness, both=30, only=10, seed=23)
    unknown = (answers["wave"] == 1) & (answers["respondent_id"] >= 30 * known)
    own = answers["respondent_id"] + 1000 * unknown

    rows = share_change(answers.assign(respondent_id=own), linkage="partly_linked")

    holds(inside(rows, 0.15), least=LEVEL, most=1.0)


def test_standardised_rates_cover_the_rate_of_the_standard_population():
    generator = np.random.default_rng(24)
    runs, population = 4000, np.array([4000, 3000, 2000, 800, 300])
    rate = np.array([0.0005, 0.001, 0.003, 0.01, 0.03])
    standard = pd.Series([2000.0, 3000, 3000, 1500, 500])
    events = pd.DataFrame(
        {
            "municipality_code": codes_of(np.repeat(np.arange(runs), 5)),
            "age_group": np.tile(np.arange(5), runs),
            "event_count": generator.poisson(rate * population, size=(runs, 5)).ravel(),
            "population_count": np.tile(population, runs),
        }
    )

    rows = directly_standardised_rate(events, standard=standard, per=1)

    holds(inside(rows, np.average(rate, weights=standard)), least=0.94, most=0.965)


def scores_of_two_waves(first, second, bases, *, runs, seed):
    """Whole scores drawn with the chances of each score, and the dominance behind them."""
    generator = np.random.default_rng(seed)
    scores = [
        generator.choice(5, p=chances, size=(runs, base)) + 1.0
        for chances, base in zip((first, second), bases, strict=True)
    ]
    answers = pd.DataFrame(
        {
            "municipality_code": codes_of(
                np.concatenate([np.repeat(np.arange(runs), n) for n in bases])
            ),
            "item": "plan",
            "wave": np.repeat([0, 1], [runs * base for base in bases]),
            "score": np.concatenate([part.ravel() for part in scores]),
        }
    )
    pairs = np.outer(second, first)
    return answers, np.tril(pairs, -1).sum() - np.triu(pairs, 1).sum()


def steps_of(middle):
    """Chances of five scores whose cause is normal round ``middle``."""
    edges = np.array([-np.inf, -1.5, -0.5, 0.5, 1.5, np.inf])
    return np.diff(stats.norm.cdf(edges - middle))


@pytest.mark.parametrize("bases", [(8, 8), (15, 15), (30, 30), (8, 30)])
@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0, 3.0])
def test_limits_of_cliffs_delta_cover_the_dominance_of_whole_scores(shift, bases):
    """From no difference to a delta of 0.9."""
    answers, truth = scores_of_two_waves(steps_of(0), steps_of(shift), bases, runs=500, seed=25)

    holds(inside(cliffs_delta(answers), truth), least=0.94, most=0.985)


@pytest.mark.parametrize("bases", [(15, 15), (10, 40)])
def test_limits_of_cliffs_delta_cover_where_one_wave_is_divided(bases):
    """Newcombe's limits alone cover in 66 of 100 where the divided wave is the smaller."""
    divided, agreed = [0.45, 0.05, 0.0, 0.05, 0.45], [0.0, 0.1, 0.8, 0.1, 0.0]
    answers, truth = scores_of_two_waves(divided, agreed, bases, runs=500, seed=26)

    holds(inside(cliffs_delta(answers), truth), least=0.94, most=0.99)


def test_cliffs_own_limits_cover_too_seldom_where_nearly_all_answers_are_higher():
    answers, truth = scores_of_two_waves(steps_of(0), steps_of(3.0), (15, 15), runs=500, seed=25)

    assert inside(cliffs_delta(answers, interval="cliff"), truth).mean() < 0.85


@pytest.mark.parametrize("clusters", [8, 20])
def test_limits_from_services_cover_a_share_that_differs_between_services(clusters):
    generator = np.random.default_rng(26)
    runs, members = 800, 12
    share = generator.beta(3, 2, size=(runs, clusters))
    agreed = generator.random((runs, clusters, members)) < share[:, :, None]
    place, cluster, _ = (grid.ravel() for grid in np.indices(agreed.shape))
    answers = pd.DataFrame(
        {
            "municipality_code": codes_of(place),
            "service": cluster,
            "agreed": agreed.ravel().astype(float),
        }
    )

    rows = cluster_robust_mean(answers, value="agreed", cluster="service")

    holds(inside(rows, 0.6), least=0.94, most=0.96)


def test_a_raked_share_covers_the_population_though_answering_depends_on_the_groups():
    """Raking gains what Kish's design effect does not count, so the limits err on the wide side."""
    generator = np.random.default_rng(27)
    runs, drawn = 400, 240
    age, service = generator.integers(0, 2, (runs, drawn)), generator.integers(0, 3, (runs, drawn))
    chance = 0.2 + 0.3 * age + 0.1 * service  # of agreeing
    answered = generator.random((runs, drawn)) < 0.2 + 0.3 * age + 0.1 * service
    agreed = generator.random((runs, drawn)) < chance
    margins = {"age": pd.Series([500.0, 500]), "service": pd.Series([1000.0] * 3) / 3}
    blocks = []
    for run in range(runs):
        seen = answered[run]
        block = pd.DataFrame({"age": age[run, seen], "service": service[run, seen]})
        weight = raking_weights(block, margins=margins, tolerance=1e-6)
        blocks.append(
            block.assign(municipality_code=f"{run:04d}", agreed=agreed[run, seen], weight=weight)
        )

    rows = weighted_share(pd.concat(blocks))

    holds(inside(rows, 0.45), least=LEVEL, most=0.985)


# ---- Municipalities together


def effects_of_municipalities(runs, count, spread, seed):
    generator = np.random.default_rng(seed)
    error = generator.uniform(0.3, 0.9, size=(runs, count))
    value = 1.0 + generator.normal(scale=np.hypot(spread, error))
    return pd.DataFrame(
        {
            "indicator_id": np.repeat(np.arange(runs), count),
            "value": value.ravel(),
            "standard_error": error.ravel(),
        }
    )


@pytest.mark.parametrize("estimator", ["reml", "paule_mandel"])
@pytest.mark.parametrize("spread", [0.0, 0.8])
def test_hartung_knapp_limits_cover_the_mean_of_few_municipalities(estimator, spread):
    """Five municipalities; the modified form may be wider where they do not differ."""
    table = effects_of_municipalities(300, 5, spread, seed=28)

    plain, modified = (
        pooled_estimate(
            table,
            estimator=estimator,
            interval=interval,
            prediction="classical",
            confidence_levels=[LEVEL],
        )
        for interval in ("hartung_knapp", "modified_hartung_knapp")
    )

    holds(inside(plain, 1.0), least=0.94, most=0.96)
    holds(inside(modified, 1.0), least=0.94, most=0.99)


@pytest.mark.parametrize("spread", [0.5, 2.0])
@pytest.mark.parametrize("count", [5, 20])
def test_the_prediction_interval_covers_one_more_municipality(count, spread):
    """True coverage is 93 to 95 %; the average of 60 poolings is within two of it."""
    covered = prediction_coverage("confidence_distribution", count, spread, seed=30)

    assert 0.91 < covered < 0.98


@pytest.mark.parametrize(("count", "at_most"), [(10, 0.90), (20, 0.92)])
def test_the_classical_prediction_interval_covers_one_more_municipality_too_seldom(count, at_most):
    """The variance between municipalities is taken as known."""
    assert prediction_coverage("classical", count, 0.5, seed=30) < at_most


def prediction_coverage(prediction, count, spread, *, seed):
    """Chance that one more municipality is inside, averaged over poolings: no draw of it needed."""
    table = effects_of_municipalities(60, count, spread, seed)
    rows = pooled_estimate(
        table, estimator="paule_mandel", prediction=prediction, confidence_levels=[LEVEL]
    )
    upper, lower = (
        stats.norm.cdf(rows[limit], 1.0, spread)
        for limit in ("prediction_upper", "prediction_lower")
    )
    return (upper - lower).mean()


# ---- Coders


@pytest.mark.parametrize(("units", "least"), [(40, 0.90), (100, 0.92)])
def test_bootstrapped_limits_cover_the_alpha_of_all_text(units, least):
    """Percentile limits are somewhat narrow where units are few."""
    generator = np.random.default_rng(31)
    kept = 0.8  # each coder sees the unit's true theme so often, otherwise guesses
    truth = kept**2  # two themes as common as each other: what is left of chance
    covered = []
    for _ in range(150):
        own = generator.integers(0, 2, units)
        seen = generator.random((units, 3)) < kept
        codes = np.where(seen, own[:, None], generator.integers(0, 2, (units, 3)))
        unit, coder = (grid.ravel() for grid in np.indices(codes.shape))
        codings = pd.DataFrame({"unit": unit, "coder": coder, "code": codes.ravel()})
        row = krippendorff_alpha(codings, replicate_count=300, confidence_levels=[LEVEL]).iloc[0]
        covered.append(row["lower"] <= truth <= row["upper"])

    holds(covered, least=least, most=LEVEL)


# ---- Series and changes


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
    result = indicator_trend(generated_series(), errors="independent", confidence_levels=[level])

    covered = result["value"].notna() & (result["lower"] <= 0.5) & (result["upper"] >= 0.5)
    assert covered.mean() == pytest.approx(level, abs=0.01)


def neighbours_alike(runs, periods, correlation, *, seed):
    """Errors with a variance of 1, each as like the one before as the correlation says."""
    errors = np.random.default_rng(seed).normal(size=(runs, periods))
    errors[:, 1:] *= np.sqrt(1 - correlation**2)
    for period in range(1, periods):
        errors[:, period] += correlation * errors[:, period - 1]
    return errors


def long_series(table, **names):
    wide = pd.DataFrame(table, columns=range(1, table.shape[1] + 1))
    wide = wide.assign(municipality_code=[f"{n:04d}" for n in range(len(wide))])
    long = wide.melt(id_vars="municipality_code", var_name="period", value_name="value")
    periods = long["period"].astype(int) + (2000 if names.get("period") == "year" else 0)
    return long.assign(indicator_id="generated", period=periods).rename(columns=names)


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6])
@pytest.mark.parametrize(("years", "least"), [(5, 0.92), (8, 0.95), (12, 0.95), (20, 0.95)])
def test_limits_of_a_trend_hold_where_neighbouring_years_are_alike(years, least, correlation):
    table = neighbours_alike(800, years, correlation, seed=32)

    rows = indicator_trend(long_series(table, period="year"))

    holds(inside(rows, 0.0), least=least, most=0.995)


def test_limits_of_independent_years_hold_far_too_seldom_where_neighbours_are_alike():
    table = long_series(neighbours_alike(800, 12, 0.6, seed=32), period="year")

    assert inside(indicator_trend(table, errors="independent"), 0.0).mean() < 0.8


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_limits_of_interrupted_counts_hold_where_neighbouring_periods_are_alike(correlation):
    spread, base = 0.2, 1000.0
    rate = 40 * np.exp(spread * neighbours_alike(120, 24, correlation, seed=33))
    counts = np.random.default_rng(34).poisson(rate).astype(float)

    rows = interrupted_counts(
        long_series(counts, value="count").assign(base=base), interrupted_at=13
    )

    for term in ("rate_ratio", "trend_ratio"):
        holds(inside(rows.loc[rows["term"] == term], 1.0), least=0.94, most=0.99)


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

    result = pooled_estimate(
        table, estimator="dersimonian_laird", prediction="classical", confidence_levels=[0.95]
    )

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


@pytest.mark.parametrize("inference", ["welch", "wild_bootstrap"])
def test_limits_of_six_against_ten_municipalities_cover_the_effect(inference):
    generator = np.random.default_rng(17)
    codes = [f"{n:04d}" for n in range(16)]
    covered = []
    for _ in range(100 if inference == "wild_bootstrap" else 300):
        change = generator.normal(size=16) + 2.0 * (np.arange(16) < 6)
        values = pd.DataFrame(
            {
                "municipality_code": codes * 2,
                "year": np.repeat([2015, 2016], 16),
                "value": np.r_[np.zeros(16), change],
            }
        )
        row = difference_in_differences(
            values,
            treated=codes[:6],
            comparison=codes[6:],
            treated_from=2016,
            inference=inference,
            confidence_levels=[LEVEL],
        ).iloc[0]
        covered.append(row["lower"] <= 2.0 <= row["upper"])

    holds(covered, least=0.93, most=0.97)


def test_placebo_limits_cover_the_effect_on_a_municipality_like_its_donors():
    generator = np.random.default_rng(18)
    codes, years = [f"{n:04d}" for n in range(21)], np.arange(2005, 2017)
    covered = []
    for _ in range(200):
        trends = generator.normal(size=(2, len(years))).cumsum(axis=1)
        level = generator.dirichlet([1, 1], size=21) @ trends
        table = level + 0.5 * generator.normal(size=level.shape)
        table[0] += 2.0 * (years >= 2013)
        values = pd.DataFrame(table, columns=years).assign(municipality_code=codes)
        long = values.melt(id_vars="municipality_code", var_name="year", value_name="value")
        row = synthetic_control(
            long.astype({"year": int}),
            treated=codes[:1],
            treated_from=2013,
            donors=codes[1:],
            confidence_levels=[0.9],
        ).iloc[0]
        covered.append(row["lower"] <= 2.0 <= row["upper"])

    holds(covered, least=0.9, most=0.96)


@pytest.mark.parametrize("correlation", [0.0, 0.4])
def test_limits_of_an_interrupted_series_cover_its_level_and_trend(correlation):
    generator = np.random.default_rng(19)
    runs, periods = 150, 24
    noise = generator.normal(size=(runs, periods))
    for period in range(1, periods):
        noise[:, period] += correlation * noise[:, period - 1]
    table = pd.DataFrame(noise, columns=range(periods)).assign(
        municipality_code=codes_of(range(runs))
    )
    long = table.melt(id_vars="municipality_code", var_name="period", value_name="value")
    series = long.astype({"period": int}).assign(indicator_id="generated")

    rows = interrupted_series(series, interrupted_at=12, confidence_levels=[LEVEL])

    for term in ("level_change", "trend_change"):
        holds(inside(rows[rows["term"] == term], 0.0), least=0.93, most=0.985)


@pytest.mark.parametrize("sizes", [(5,), (2, 3, 3)])
def test_the_wild_bootstrap_covers_the_effect_of_staggered_starts(sizes):
    generator = np.random.default_rng(20)
    first = np.repeat([*(2014.0 + np.arange(len(sizes))), np.nan], [*sizes, 14])
    codes = [f"{n:04d}" for n in range(len(first))]
    starts = pd.DataFrame({"municipality_code": codes, "first_treated_year": first})
    covered = []
    for _ in range(60):
        path = generator.normal(size=(len(first), 7)).cumsum(axis=1)
        values = pd.DataFrame(path, columns=range(2012, 2019)).assign(municipality_code=codes)
        long = values.melt(id_vars="municipality_code", var_name="year", value_name="value")
        row = staggered_effects(
            long.astype({"year": int}),
            starts,
            inference="wild_bootstrap",
            confidence_levels=[LEVEL],
        ).iloc[0]
        covered.append(row["lower"] <= 0.0 <= row["upper"])

    holds(covered, least=0.94, most=0.96)
