"""Intervals of surveys, scales and codings hold the true value as often as they say."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_coverage_of_intervals import LEVEL, holds, inside

from evalkit.agreement import cohen_kappa, fleiss_kappa
from evalkit.bootstrap import bootstrap_change
from evalkit.reliability import cronbach_alpha, mcdonald_omega
from evalkit.survey import ordinal_regression, paired_shift
from evalkit.uncertainty import mean_interval
from evalkit.weighting import post_stratification_weights, weighted_share


def places(numbers):
    return [f"{number:04d}" for number in numbers]


@pytest.mark.parametrize("pairs", [5, 10, 20])
def test_limits_of_a_shift_cover_though_few_move(pairs):
    """Added up over all outcomes; Wald's limits cover in 79, 88 and 92 of 100."""
    up, down = (grid.ravel() for grid in np.indices((pairs + 1, pairs + 1)))
    up, down = up[up + down <= pairs], down[up + down <= pairs]
    move = np.concatenate(
        [np.repeat([1, -1, 0], (u, d, pairs - u - d)) for u, d in zip(up, down, strict=True)]
    )
    person = np.tile(np.arange(pairs), len(up))
    first = pd.DataFrame(
        {
            "municipality_code": places(np.repeat(np.arange(len(up)), pairs)),
            "item": "plan",
            "respondent_id": person,
        }
    )
    answers = pd.concat([first.assign(wave=0, score=3.0), first.assign(wave=1, score=3.0 + move)])

    rows = paired_shift(answers, linkage="linked")

    covered = [
        stats.multinomial.pmf(np.column_stack([up, down, pairs - up - down]), pairs, shares)
        @ inside(rows, shares[0] - shares[1]).to_numpy()
        for shares in ([0.05, 0.02, 0.93], [0.2, 0.1, 0.7], [0.4, 0.4, 0.2], [0.5, 0.05, 0.45])
    ]
    assert min(covered) > 0.925
    assert np.mean(covered) > LEVEL


def services_in_two_waves(runs, people, services, before, after, alike, seed):
    """Answers of persons, as like their colleagues' as ``alike`` says; half is the person's own."""
    generator = np.random.default_rng(seed)
    service = np.arange(people) % services
    own, chance = (generator.normal(size=(runs, people, size)) for size in (1, 2))
    common = np.sqrt(alike) * generator.normal(size=(runs, services, 2))[:, service]
    cause = common + np.sqrt((1 - alike) / 2) * (own + chance)
    agreed = (cause < stats.norm.ppf([before, after])).ravel()
    run, person, wave = (grid.ravel() for grid in np.indices(cause.shape))
    return pd.DataFrame(
        {
            "municipality_code": places(run),
            "item": "plan",
            "wave": wave,
            "respondent_id": person,
            "service": service[person],
            "score": np.where(agreed, 5.0, 1.0),
        }
    )


@pytest.mark.parametrize(
    ("people", "services", "before", "after", "least"),
    [(20, None, 0.1, 0.2, 0.93), (40, None, 0.5, 0.6, 0.93), (60, 10, 0.5, 0.6, 0.91)],
)
def test_bootstrapped_limits_cover_the_change(people, services, before, after, least):
    alike = 0.15 if services else 0.0
    answers = services_in_two_waves(300, people, services or 1, before, after, alike, seed=41)

    rows = bootstrap_change(
        answers, seed=1, replicate_count=300, cluster="service" if services else None
    )

    shown = rows[rows["lower"].notna()]
    rounded = shown.assign(lower=shown["lower"] - 1e-9, upper=shown["upper"] + 1e-9)
    assert len(shown) > 290
    holds(inside(rounded, after - before), least=least, most=0.97)


@pytest.mark.parametrize("services", [None, 12])
def test_limits_of_log_odds_cover_the_effect_of_a_group(services):
    generator = np.random.default_rng(42)
    people, covered = 72, []
    for _ in range(40):
        service = np.arange(people) % 12
        group = generator.integers(0, 2, people)
        cause = 0.8 * group + generator.logistic(size=people)
        answers = pd.DataFrame(
            {
                "score": np.digitize(cause, [-1.0, 0.5, 1.5]) + 1.0,
                "group": group,
                "service": service,
            }
        )
        row = ordinal_regression(
            answers, covariates=["group"], cluster="service" if services else None
        ).iloc[0]
        covered.append(row["lower"] <= 0.8 <= row["upper"])

    holds(covered, least=0.92, most=0.97)


def whole_scores(generator, people, items, loading):
    """Five steps, from one common cause that is as strong in every item."""
    own = generator.normal(size=(people, items))
    cause = loading * generator.normal(size=(people, 1)) + np.sqrt(1 - loading**2) * own
    return pd.DataFrame(np.digitize(cause, [-1.5, -0.5, 0.5, 1.5]) + 1.0)


def reliability_of(items, loading):
    covariance = np.cov(whole_scores(np.random.default_rng(0), 200_000, items, loading).T)
    return items / (items - 1) * (1 - np.trace(covariance) / covariance.sum())


@pytest.mark.parametrize(("people", "items", "loading"), [(15, 6, 0.8), (30, 3, 0.5)])
def test_feldts_limits_cover_the_alpha_of_whole_scores(people, items, loading):
    generator, truth = np.random.default_rng(43), reliability_of(items, loading)
    rows = pd.concat(
        cronbach_alpha(whole_scores(generator, people, items, loading)).iloc[:1] for _ in range(250)
    )

    holds(inside(rows, truth), least=0.93, most=0.97)


def test_bootstrapped_limits_cover_the_omega_of_a_hundred_respondents():
    generator, truth = np.random.default_rng(44), reliability_of(4, 0.7)
    rows = pd.concat(
        mcdonald_omega(whole_scores(generator, 100, 4, 0.7), replicate_count=150) for _ in range(60)
    )

    shown = rows[rows["lower"].notna()]
    assert len(shown) >= 55
    holds(inside(shown, truth), least=0.91, most=0.97)


@pytest.mark.parametrize(
    ("kappa", "coders"), [(cohen_kappa, 2), (fleiss_kappa, 2), (fleiss_kappa, 3)]
)
@pytest.mark.parametrize("units", [20, 60])
def test_limits_of_kappa_cover_the_agreement_on_all_text(kappa, coders, units):
    """Coders see the unit's theme in eight of ten, otherwise they guess: 0.64 is left of chance."""
    generator = np.random.default_rng(45)
    rows = []
    for _ in range(60):
        shape = (units, coders)
        theme, guess = generator.integers(0, 2, (units, 1)), generator.integers(0, 2, shape)
        code = np.where(generator.random(shape) < 0.8, theme, guess)
        unit, coder = (grid.ravel() for grid in np.indices(shape))
        codings = pd.DataFrame({"unit": unit, "coder": coder, "code": code.ravel()})
        rows.append(kappa(codings))

    shown = pd.concat(rows).dropna(subset=["lower", "upper"])
    assert len(shown) >= 57
    holds(inside(shown, 0.64), least=0.92, most=0.98)


def test_a_post_stratified_share_covers_the_population_though_one_group_answers_more():
    generator = np.random.default_rng(46)
    runs, drawn = 300, 120
    old = generator.integers(0, 2, (runs, drawn))
    answered = generator.random(old.shape) < 0.3 + 0.4 * old
    agreed = generator.random(old.shape) < 0.3 + 0.3 * old
    population = pd.Series([500.0, 500.0], index=pd.Index([0, 1], name="old"))
    blocks = []
    for run in range(runs):
        seen = answered[run]
        block = pd.DataFrame({"old": old[run, seen], "agreed": agreed[run, seen]})
        weight = post_stratification_weights(block, population=population, strata=["old"])
        blocks.append(block.assign(municipality_code=f"{run:04d}", weight=weight))

    holds(inside(weighted_share(pd.concat(blocks)), 0.45), least=0.94, most=0.985)


@pytest.mark.parametrize("base", [5, 20])
def test_limits_of_a_mean_cover_the_mean_of_few_answers(base):
    values = np.random.default_rng(47).normal(loc=3.0, size=(4000, base))
    lower, upper = mean_interval(values.mean(axis=1), values.std(axis=1, ddof=1), base)

    holds((lower <= 3.0) & (upper >= 3.0), least=0.94, most=0.96)
