"""Weights that make those who answered resemble those invited, and what the weights cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from evalkit.errors import DataError
from evalkit.reasons import withhold
from evalkit.uncertainty import wilson_interval

__all__ = [
    "cluster_robust_mean",
    "effective_base_of_weights",
    "post_stratification_weights",
    "raking_weights",
    "weight_design_effect",
    "weighted_share",
]

FEWEST_CLUSTERS = 8  # fewer, and the interval from clusters covers too seldom


def post_stratification_weights(
    respondents: pd.DataFrame, *, population: pd.Series, strata: Sequence[str]
) -> pd.Series:
    """One weight per respondent, so that every stratum counts as in the population.

    Parameters
    ----------
    respondents
        One row per respondent with the columns of ``strata``.
    population
        Persons per stratum, indexed by the columns of ``strata`` in that order.
    strata
        Columns such as ``("service", "age_group")``.

    Returns
    -------
    Series
        Weights that sum to the population; the respondents' index.

    Raises
    ------
    DataError
        If a stratum of the population has nobody who answered, or the other way round. Join
        strata first, or leave the weights out.

    References
    ----------
    Lumley (2010), Complex Surveys, section 7.2.
    """
    keys = (
        pd.Index(respondents[strata[0]])
        if len(strata) == 1
        else pd.MultiIndex.from_frame(respondents[list(strata)])
    )
    answered = pd.Series(1.0, index=keys).groupby(level=list(range(keys.nlevels))).sum()
    wanted = population[population > 0]
    unlike = sorted(map(str, set(wanted.index) ^ set(answered.index)))
    if unlike:
        raise DataError(f"strata in only one of respondents and population: {', '.join(unlike)}")
    factor = wanted / answered.reindex(wanted.index)
    return pd.Series(factor.reindex(keys).to_numpy(), index=respondents.index, name="weight")


def raking_weights(
    respondents: pd.DataFrame,
    *,
    margins: Mapping[str, pd.Series],
    start: pd.Series | None = None,
    tolerance: float = 1e-10,
    most_rounds: int = 1000,
) -> pd.Series:
    """One weight per respondent, so that each margin is as in the population.

    Used where the population is known by service and by age group, but not by both at once.

    Parameters
    ----------
    respondents
        One row per respondent with one column per margin.
    margins
        Per column, persons in the population by its values. All must have the same sum.
    start
        Weights to begin from; equal when not given.
    tolerance
        Largest relative distance from a margin that is good enough.
    most_rounds
        Rounds over the margins after which it is given up.

    Returns
    -------
    Series
        Weights that sum to the population; the respondents' index.

    Raises
    ------
    DataError
        If values differ between respondents and margin, sums differ, or the margins cannot be
        reached together.

    References
    ----------
    Deming and Stephan (1940), Ann. Math. Stat. 11, 427-444.
    """
    sums = {name: float(margin.sum()) for name, margin in margins.items()}
    if max(sums.values()) - min(sums.values()) > 1e-6 * max(sums.values()):
        raise DataError(f"margins have different sums: {sums}")
    codes, targets = [], []
    for name, margin in margins.items():
        unlike = sorted(map(str, set(margin.index) ^ set(respondents[name])))
        if unlike:
            raise DataError(f"{name}: values in only one of respondents and margin: {unlike}")
        codes.append(margin.index.get_indexer(respondents[name]))
        targets.append(margin.to_numpy(dtype=float))
    weights = (
        np.full(len(respondents), next(iter(sums.values())) / len(respondents))
        if start is None
        else start.to_numpy(dtype=float).copy()
    )
    for _ in range(most_rounds):
        for code, target in zip(codes, targets, strict=True):
            weights *= (target / np.bincount(code, weights, len(target)))[code]
        off = max(
            np.abs(np.bincount(code, weights, len(target)) / target - 1).max()
            for code, target in zip(codes, targets, strict=True)
        )
        if off <= tolerance:
            return pd.Series(weights, index=respondents.index, name="weight")
    raise DataError(f"the margins cannot be reached together; still {off:.1e} away")


def weight_design_effect(weights: Any) -> float:
    """Factor by which unequal weights inflate the variance of a mean.

    References
    ----------
    Kish (1965), Survey Sampling, section 11.7.
    """
    w = np.asarray(weights, dtype=float)
    return float(len(w) * np.sum(w**2) / np.sum(w) ** 2)


def effective_base_of_weights(weights: Any) -> float:
    """Number of equally weighted answers that would be as precise.

    References
    ----------
    Kish (1965), Survey Sampling, section 11.7.
    """
    w = np.asarray(weights, dtype=float)
    return float(np.sum(w) ** 2 / np.sum(w**2))


def weighted_share(
    answers: pd.DataFrame,
    *,
    agrees: str = "agreed",
    weight: str = "weight",
    by: Sequence[str] = ("municipality_code",),
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """Weighted shares with Wilson limits on the effective base.

    Parameters
    ----------
    answers
        One row per answer: true or false in ``agrees`` (missing rows do not count), the
        weight, and the columns of ``by``.
    agrees, weight
        Names of those columns.
    by
        Columns that make a row.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    DataFrame
        ``count`` and ``base`` (answers, unweighted), ``effective_base``, ``design_effect``,
        ``value`` (weighted share), limits, ``confidence_level``, ``method``, ``reason``.
    """
    given = answers.loc[answers[agrees].notna()]
    hit = given[agrees].astype(float)
    sums = (
        given.assign(
            count=hit, base=1.0, w=given[weight], wy=given[weight] * hit, ww=given[weight] ** 2
        )
        .groupby(list(by), as_index=False)[["count", "base", "w", "wy", "ww"]]
        .sum()
    )
    effective = sums["w"] ** 2 / sums["ww"]
    value = sums["wy"] / sums["w"]
    lower, upper = wilson_interval(value * effective, effective, confidence_level=confidence_level)
    return sums[[*by, "count", "base"]].assign(
        effective_base=effective,
        design_effect=sums["base"] / effective,
        value=value,
        lower=lower,
        upper=upper,
        confidence_level=confidence_level,
        method="Wilson on the effective base",
        reason=None,
    )


def cluster_robust_mean(
    answers: pd.DataFrame,
    *,
    value: str,
    cluster: str,
    weight: str | None = None,
    by: Sequence[str] = ("municipality_code",),
    confidence_level: float = 0.95,
    cluster_population: int | None = None,
    fewest_clusters: int = FEWEST_CLUSTERS,
) -> pd.DataFrame:
    """Means, or shares, whose limits allow for answers that go together within services.

    Parameters
    ----------
    answers
        One row per answer: ``value`` (a number; true and false for a share), ``cluster`` and
        the columns of ``by``. Missing values do not count.
    value, cluster, weight
        Names of those columns; no weight means equal weights.
    by
        Columns that make a row.
    confidence_level
        Between 0 and 1.
    cluster_population
        Clusters in the population, when the finite-population correction is wanted.
    fewest_clusters
        Clusters needed; with fewer the limits are withheld as ``too_few_clusters``.

    Returns
    -------
    DataFrame
        ``count`` (sum of the values), ``base`` (answers), ``cluster_count``, ``value``,
        ``standard_error``, ``design_effect`` (against a simple random sample), limits
        (Student's t with clusters minus one degrees of freedom), ``confidence_level``,
        ``method``, ``reason``.

    References
    ----------
    Lumley (2010), Complex Surveys, section 3.2 and appendix (linearisation).
    """
    given = answers.loc[answers[value].notna()]
    rows = []
    for key, group in given.groupby(list(by), sort=True):
        y = group[value].to_numpy(dtype=float)
        w = np.ones(len(y)) if weight is None else group[weight].to_numpy(dtype=float)
        mean = np.sum(w * y) / np.sum(w)
        codes, names = pd.factorize(group[cluster])
        scores = np.bincount(codes, weights=w * (y - mean), minlength=len(names)) / np.sum(w)
        clusters = len(names)
        kept = 1.0 if cluster_population is None else 1 - clusters / cluster_population
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = (
                kept * clusters / (clusters - 1) * np.sum(scores**2) if clusters > 1 else np.nan
            )
            simple = np.var(y, ddof=1) / len(y) if len(y) > 1 else np.nan
            t = stats.t.ppf((1 + confidence_level) / 2, clusters - 1)
            effect = variance / simple
        error = np.sqrt(variance)
        rows.append((*key, y.sum(), len(y), clusters, mean, error, effect))
    names = ["count", "base", "cluster_count", "value", "standard_error", "design_effect"]
    result = pd.DataFrame(rows, columns=[*by, *names])
    t = stats.t.ppf((1 + confidence_level) / 2, (result["cluster_count"] - 1).clip(lower=1))
    half = t * result["standard_error"]
    result = result.assign(
        lower=result["value"] - half,
        upper=result["value"] + half,
        confidence_level=confidence_level,
        method=f"linearised, clusters of {cluster}, Student's t",
        reason=None,
    )
    few = result["cluster_count"] < fewest_clusters
    return withhold(result, few, "too_few_clusters", columns=("lower", "upper", "standard_error"))
