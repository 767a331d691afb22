"""Weights that make those who answered resemble those invited, and what the weights cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from evalkit.accepted import (
    ANSWER,
    ANSWERS,
    COUNT,
    GROUP,
    KEY,
    NUMBER,
    PERSONS,
    POSITIVE,
    TRUE_OR_FALSE,
    WEIGHT,
    Each,
    Rows,
    accepts,
)
from evalkit.errors import DataError
from evalkit.groups import grouped
from evalkit.reasons import level_rows, reason_where, withhold
from evalkit.uncertainty import STANDARD_LEVELS, wilson_interval

__all__ = [
    "cluster_robust_mean",
    "effective_base_of_weights",
    "post_stratification_weights",
    "raking_weights",
    "weight_design_effect",
    "weighted_share",
]

FEWEST_CLUSTERS = 8  # fewer, and the interval from clusters covers too seldom


@accepts(respondents=Rows(named={"strata": KEY}, keeps_index=True), population=PERSONS)
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
        If a respondent's stratum is blank, or a stratum of the population has nobody who
        answered, or the other way round. Join strata first, or leave the weights out.

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


@accepts(respondents=Rows(keeps_index=True), margins=Each(PERSONS), start=POSITIVE)
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
        If values differ between respondents and margin, a margin is 0 or blank where somebody
        answered, sums differ, or the margins cannot be reached together.

    References
    ----------
    Deming and Stephan (1940), Ann. Math. Stat. 11, 427-444.
    """
    if start is not None and np.shape(start) != (len(respondents),):
        raise DataError(f"start: expected {len(respondents)} weights, one for each respondent")
    codes, targets = [], []
    for name, margin in margins.items():
        unlike = sorted(map(str, set(margin.index) ^ set(respondents[name])))
        if unlike:
            raise DataError(f"{name}: values in only one of respondents and margin: {unlike}")
        empty = sorted(map(str, margin.index[~(margin > 0)]))
        if empty:
            raise DataError(f"{name}: nobody in the margin, though somebody answered: {empty}")
        codes.append(margin.index.get_indexer(respondents[name]))
        targets.append(margin.to_numpy(dtype=float))
    sums = {name: float(margin.sum()) for name, margin in margins.items()}
    if max(sums.values()) - min(sums.values()) > 1e-6 * max(sums.values()):
        raise DataError(f"margins have different sums: {sums}")
    weights = (
        np.full(len(respondents), next(iter(sums.values())) / len(respondents))
        if start is None
        else np.array(start, dtype=float)
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


@accepts(weights=WEIGHT)
def weight_design_effect(weights: Any) -> float:
    """Factor by which unequal weights inflate the variance of a mean.

    References
    ----------
    Kish (1965), Survey Sampling, section 11.7.
    """
    w = np.atleast_1d(np.asarray(weights, dtype=float))
    return float(len(w) * np.sum(w**2) / np.sum(w) ** 2)


@accepts(weights=WEIGHT)
def effective_base_of_weights(weights: Any) -> float:
    """Number of equally weighted answers that would be as precise.

    References
    ----------
    Kish (1965), Survey Sampling, section 11.7.
    """
    w = np.atleast_1d(np.asarray(weights, dtype=float))
    return float(np.sum(w) ** 2 / np.sum(w**2))


@accepts(
    answers=Rows(
        maybe=ANSWERS,
        named={"agrees": TRUE_OR_FALSE, "weight": COUNT, "by": KEY},
        once=ANSWER,
        identity="respondent_id",
    )
)
def weighted_share(
    answers: pd.DataFrame,
    *,
    agrees: str = "agreed",
    weight: str = "weight",
    by: Sequence[str] = ("municipality_code",),
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """Weighted shares with Wilson limits on the effective base.

    Parameters
    ----------
    answers
        One row per answer: true or false in ``agrees``, the weight, and the columns of
        ``by``. Rows without an answer, or of weight 0, do not count.
    agrees, weight
        Names of those columns.
    by
        Columns that make a row.
    confidence_levels
        Levels wanted.

    Returns
    -------
    DataFrame
        One row per group and level: ``count`` and ``base`` (answers, unweighted),
        ``effective_base``, ``design_effect``, ``value`` (weighted share), limits,
        ``confidence_level``, ``method``, ``reason`` (``missing`` where nobody answered or an
        answer lacks its weight).

    Raises
    ------
    DataError
        If a weight is below 0.

    References
    ----------
    Kish (1965), Survey Sampling, section 11.7; Wilson (1927), J. Am. Stat. Assoc. 22, 209-212.
    """
    groups, codes = grouped(answers, by)
    used = (answers[agrees].notna() & (_weights(answers, weight) != 0)).to_numpy()
    hit = answers.loc[used, agrees].to_numpy(dtype=float)
    w = _weights(answers, weight).to_numpy()[used]

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(codes[used], values, minlength=len(groups))

    count, base, sums, squares = total(hit), total(np.ones_like(w)), total(w), total(w**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        value, effective = total(w * hit) / sums, sums**2 / squares
    shares = groups.assign(
        count=count,
        base=base,
        effective_base=effective,
        design_effect=base / effective,
        value=value,
    )
    blocks = []
    for level in confidence_levels:
        lower, upper = wilson_interval(value * effective, effective, confidence_level=level)
        blocks.append(
            shares.assign(
                lower=lower,
                upper=upper,
                confidence_level=level,
                method="Wilson on the effective base",
                reason=reason_where(np.isnan(value)),
            )
        )
    return level_rows(blocks)


@accepts(
    answers=Rows(
        maybe=ANSWERS,
        named={"value": NUMBER, "cluster": GROUP, "weight": COUNT, "by": KEY},
        once=ANSWER,
        identity="respondent_id",
    )
)
def cluster_robust_mean(
    answers: pd.DataFrame,
    *,
    value: str,
    cluster: str,
    weight: str | None = None,
    by: Sequence[str] = ("municipality_code",),
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
    cluster_population: int | Mapping | pd.Series | None = None,
    fewest_clusters: int = FEWEST_CLUSTERS,
) -> pd.DataFrame:
    """Means, or shares, whose limits allow for answers that go together within services.

    Parameters
    ----------
    answers
        One row per answer: ``value`` (a number; true and false for a share), ``cluster`` and
        the columns of ``by``. Rows without a value, or of weight 0, do not count.
    value, cluster, weight
        Names of those columns; no weight means equal weights.
    by
        Columns that make a row.
    confidence_levels
        Levels wanted.
    cluster_population
        Clusters in the population, when the finite-population correction is wanted: one
        number for every group, or one per group by its value (values, if ``by`` has several).
    fewest_clusters
        Clusters needed; with fewer the limits are withheld as ``too_few_clusters``.

    Returns
    -------
    DataFrame
        One row per group and level: ``count`` (sum of the values), ``base`` (answers),
        ``cluster_count``, ``value``, ``standard_error``, ``design_effect`` (against a simple
        random sample), limits (Student's t with clusters minus one degrees of freedom),
        ``confidence_level``, ``method``, ``reason``. ``missing`` where nobody answered or an
        answer lacks its weight; limits, error and design effect are withheld as
        ``design_cannot_answer`` where the clusters do not differ.

    Raises
    ------
    DataError
        If the cluster of an answer is blank, a weight is below 0, or a group's population of
        clusters is lacking or smaller than the clusters that answered.

    References
    ----------
    Lumley (2010), Complex Surveys, section 3.2 and appendix (linearisation).
    """
    groups, codes = grouped(answers, by)
    weights = _weights(answers, weight)
    used = answers[value].notna() & (weights != 0)
    blank = used & answers[cluster].isna()
    if blank.any():
        raise DataError(f"{cluster} is blank in {_numbered(blank)}; expected one for each answer")
    rows = np.zeros((len(groups), 6))
    rows[:, 3:] = np.nan
    used_codes = codes[used.to_numpy()]
    weighed = answers.assign(_weight=weights).loc[used]
    for number, group in weighed.groupby(used_codes):
        rows[number] = _linearised(
            group[value].to_numpy(dtype=float),
            group["_weight"].to_numpy(dtype=float),
            pd.factorize(group[cluster])[0],
        )
    names = ["count", "base", "cluster_count", "value", "variance", "simple_variance"]
    result = groups.assign(**dict(zip(names, rows.T, strict=True)))
    alike = result["variance"] <= 1e-24 * np.maximum(1, result["value"] ** 2)
    if cluster_population is not None:
        population = _cluster_populations(cluster_population, result, by)
        kept = 1 - result["cluster_count"] / population
        alike &= kept > 0  # when every cluster answered, no error is the truth
        result = result.assign(variance=result["variance"] * kept)
    result = result.assign(
        cluster_count=result["cluster_count"].astype(int),
        standard_error=np.sqrt(result["variance"]),
        design_effect=result["variance"] / result["simple_variance"],
    ).drop(columns=["variance", "simple_variance"])
    freedom = (result["cluster_count"] - 1).clip(lower=1)
    blocks = []
    for level in confidence_levels:
        half = stats.t.ppf((1 + level) / 2, freedom) * result["standard_error"]
        block = result.assign(
            lower=result["value"] - half,
            upper=result["value"] + half,
            confidence_level=level,
            method=f"linearised, clusters of {cluster}, Student's t",
            reason=reason_where(result["value"].isna()),
        )
        limits = ("lower", "upper", "standard_error")
        few = result["cluster_count"] < fewest_clusters
        block = withhold(block, few, "too_few_clusters", columns=limits)
        blocks.append(
            withhold(block, alike, "design_cannot_answer", columns=(*limits, "design_effect"))
        )
    return level_rows(blocks)


def _weights(answers: pd.DataFrame, weight: str | None) -> pd.Series:
    """The weights as numbers, 1 for all without a name; blank where one is."""
    if weight is None:
        return pd.Series(1.0, index=answers.index)
    weights = answers[weight].astype(float)
    return weights


def _numbered(rows: pd.Series) -> str:
    """Rows as a spreadsheet numbers them."""
    numbers = np.flatnonzero(rows) + 2
    more = ", ..." if len(numbers) > 10 else ""
    return f"rows {', '.join(map(str, numbers[:10]))}{more}"


def _linearised(y: np.ndarray, w: np.ndarray, clusters: np.ndarray) -> tuple[float, ...]:
    """Sum, answers, clusters, mean, its variance by clusters and as of a simple sample."""
    number, answers = clusters.max() + 1, len(y)
    mean = np.sum(w * y) / np.sum(w)
    scores = np.bincount(clusters, weights=w * (y - mean)) / np.sum(w)
    variance = number / (number - 1) * np.sum(scores**2) if number > 1 else np.nan
    spread = np.sum(w * (y - mean) ** 2) / np.sum(w)
    simple = spread / (answers - 1) if answers > 1 else np.nan
    return y.sum(), answers, number, mean, variance, simple


def _cluster_populations(
    given: int | Mapping | pd.Series, result: pd.DataFrame, by: Sequence[str]
) -> np.ndarray:
    """Each group's clusters in the population."""
    keys = list(result[list(by)].itertuples(index=False, name=None))
    named = [key[0] if len(by) == 1 else key for key in keys]
    known = dict(given) if isinstance(given, (Mapping, pd.Series)) else dict.fromkeys(named, given)
    population = np.array([known.get(name, np.nan) for name in named], dtype=float)
    wrong = ~(population >= result["cluster_count"])
    if wrong.any():
        places = ", ".join(str(named[row]) for row in np.flatnonzero(wrong))
        raise DataError(f"clusters in the population lacking, or fewer than answered, in {places}")
    return population
