"""Intervals for shares, differences between shares, and counts, on plain series.

Every function takes series, arrays or numbers of one length and gives back the same kind,
index kept, nothing rounded. An interval that cannot be had (a base of nought, a missing
count) is missing, not an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from evalkit.accepted import COUNT, NUMBER, PERCENTAGE, POSITIVE, SHARE, WHOLE_COUNT, Rows, accepts
from evalkit.errors import DataError
from evalkit.reasons import level_rows, reason_where

__all__ = [
    "BYAR_FROM",
    "STANDARD_LEVEL",
    "STANDARD_LEVELS",
    "byar_interval",
    "count_interval",
    "effective_base",
    "exact_interval",
    "exact_poisson_interval",
    "mean_interval",
    "newcombe_difference_interval",
    "newcombe_paired_interval",
    "newcombe_superiority_interval",
    "phi_coefficient",
    "possible_counts",
    "share_from_percentage",
    "share_limits",
    "square_and_add",
    "wilson_interval",
    "z_value",
]

STANDARD_LEVEL = 0.95  # of every limit, where a caller says nothing else
STANDARD_LEVELS = (STANDARD_LEVEL,)
BYAR_FROM = 10  # events from which Byar's approximation replaces the exact limits


def z_value(confidence_level: float) -> float:
    """The normal deviate that leaves half of ``1 - confidence_level`` in each tail."""
    if not 0 < confidence_level < 1:
        raise DataError(f"confidence level {confidence_level!r}; expected between 0 and 1")
    return float(stats.norm.ppf((1 + confidence_level) / 2))


@accepts(base=COUNT, population_count=COUNT, design_effect=POSITIVE)
def effective_base(base: Any, *, population_count: Any = None, design_effect: Any = 1.0) -> Any:
    """Base that carries as much information as a simple random sample from an endless population.

    Parameters
    ----------
    base
        Answers in the sample.
    population_count
        Persons in the population the sample was drawn from, when the finite-population
        correction is wanted; ``None`` leaves it out. It belongs to questions about exactly
        these persons at that time. For questions about what the workplace is like, of which
        those asked are one outcome among many, leave it out.
    design_effect
        Factor by which clustering or weights inflate the variance; 1 for neither.

    Returns
    -------
    Same kind as ``base``
        ``base / design_effect * (N - 1) / (N - base)``; infinite when everybody answered.

    References
    ----------
    Kish (1965), Survey Sampling, sections 2.2 and 8.2.
    """
    n, deff = np.asarray(base, dtype=float), np.asarray(design_effect, dtype=float)
    result = n / deff
    if population_count is not None:
        population = np.asarray(population_count, dtype=float)
        if np.any(population < n):
            raise DataError("population smaller than the base; expected at least as many persons")
        with np.errstate(divide="ignore", invalid="ignore"):
            result = np.where(population == n, np.inf, result * (population - 1) / (population - n))
        result = np.where(n == 0, 0.0, result)
    return _like(base, result)


@accepts(count=COUNT, base=COUNT, population_count=COUNT, design_effect=POSITIVE)
def wilson_interval(
    count: Any,
    base: Any,
    *,
    confidence_level: float = STANDARD_LEVEL,
    population_count: Any = None,
    design_effect: Any = 1.0,
) -> tuple[Any, Any]:
    """Wilson score interval of a share; the everyday choice.

    Parameters
    ----------
    count, base
        Those with the property, and those it was asked of. Need not be whole (weights).
    confidence_level
        Between 0 and 1.
    population_count, design_effect
        See ``effective_base``.

    Returns
    -------
    tuple
        Lower and upper limit (0 to 1); missing where ``base`` is 0.

    References
    ----------
    Wilson (1927), J. Am. Stat. Assoc. 22, 209-212; Newcombe (1998), Stat. Med. 17, 857-872,
    method 3.
    """
    k, n = _counts(count, base)
    z = z_value(confidence_level)
    m = np.asarray(
        effective_base(n, population_count=population_count, design_effect=design_effect)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        share = k / n
        shrink = z**2 / m
        centre = (share + shrink / 2) / (1 + shrink)
        half = z * np.sqrt(share * (1 - share) / m + shrink / (4 * m)) / (1 + shrink)
    lower = np.where(k == 0, np.where(n > 0, 0.0, np.nan), np.clip(centre - half, 0, 1))
    upper = np.where(k == n, np.where(n > 0, 1.0, np.nan), np.clip(centre + half, 0, 1))
    return _like(count, lower, base), _like(count, upper, base)


@accepts(count=COUNT, base=COUNT)
def exact_interval(
    count: Any, base: Any, *, confidence_level: float = STANDARD_LEVEL
) -> tuple[Any, Any]:
    """Clopper-Pearson interval of a share: never covers too seldom, often too wide.

    Parameters
    ----------
    count, base
        Those with the property, and those it was asked of.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    tuple
        Lower and upper limit (0 to 1); missing where ``base`` is 0.

    References
    ----------
    Clopper and Pearson (1934), Biometrika 26, 404-413.
    """
    k, n = _counts(count, base)
    tail = (1 - _level(confidence_level)) / 2
    with np.errstate(invalid="ignore"):
        lower = np.where(k == 0, 0.0, stats.beta.ppf(tail, k, n - k + 1))
        upper = np.where(k == n, 1.0, stats.beta.ppf(1 - tail, k + 1, n - k))
    empty = ~(n > 0)
    return (
        _like(count, np.where(empty, np.nan, lower), base),
        _like(count, np.where(empty, np.nan, upper), base),
    )


def square_and_add(
    value_1: Any,
    limits_1: tuple[Any, Any],
    value_2: Any,
    limits_2: tuple[Any, Any],
    *,
    correlation: Any = 0.0,
) -> tuple[Any, Any]:
    """Interval of ``value_1 - value_2`` from an interval of each and how they go together.

    Parameters
    ----------
    value_1, value_2
        The two estimates.
    limits_1, limits_2
        Lower and upper limit of each.
    correlation
        Between the two estimates, -1 to 1; 0 when they come from different persons.

    Returns
    -------
    tuple
        Lower and upper limit of the difference.

    References
    ----------
    Newcombe (1998), Stat. Med. 17, 2635-2650, equation for method 8 and 10; Zou and Donner
    (2008), Stat. Med. 27, 1693-1702.
    """
    a, b = np.asarray(value_1, dtype=float), np.asarray(value_2, dtype=float)
    (l1, u1), (l2, u2) = (
        tuple(np.asarray(limit, dtype=float) for limit in limits) for limits in (limits_1, limits_2)
    )
    r = np.asarray(correlation, dtype=float)
    down_1, up_1, down_2, up_2 = a - l1, u1 - a, b - l2, u2 - b
    below = np.sqrt(np.maximum(down_1**2 - 2 * r * down_1 * up_2 + up_2**2, 0))
    above = np.sqrt(np.maximum(up_1**2 - 2 * r * up_1 * down_2 + down_2**2, 0))
    return _like(value_1, a - b - below, value_2), _like(value_1, a - b + above, value_2)


@accepts(
    count_1=COUNT,
    base_1=COUNT,
    count_2=COUNT,
    base_2=COUNT,
    population_count_1=COUNT,
    population_count_2=COUNT,
    design_effect=POSITIVE,
)
def newcombe_difference_interval(
    count_1: Any,
    base_1: Any,
    count_2: Any,
    base_2: Any,
    *,
    confidence_level: float = STANDARD_LEVEL,
    population_count_1: Any = None,
    population_count_2: Any = None,
    design_effect: Any = 1.0,
) -> tuple[Any, Any]:
    """Interval of a difference between two shares from different persons, first minus second.

    Parameters
    ----------
    count_1, base_1, count_2, base_2
        Count and base of each share.
    confidence_level
        Between 0 and 1.
    population_count_1, population_count_2, design_effect
        See ``effective_base``.

    Returns
    -------
    tuple
        Lower and upper limit (-1 to 1); missing where a base is 0.

    References
    ----------
    Newcombe (1998), Stat. Med. 17, 873-890, method 10.
    """
    k1, n1 = _counts(count_1, base_1)
    k2, n2 = _counts(count_2, base_2)
    limits_1 = wilson_interval(
        k1,
        n1,
        confidence_level=confidence_level,
        population_count=population_count_1,
        design_effect=design_effect,
    )
    limits_2 = wilson_interval(
        k2,
        n2,
        confidence_level=confidence_level,
        population_count=population_count_2,
        design_effect=design_effect,
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        lower, upper = square_and_add(k1 / n1, limits_1, k2 / n2, limits_2)
    return _like(count_1, lower, count_2), _like(count_1, upper, count_2)


def phi_coefficient(both: Any, first_only: Any, second_only: Any, neither: Any) -> Any:
    """Correlation of two yes-or-no answers of the same persons, drawn towards 0 when positive.

    Parameters
    ----------
    both, first_only, second_only, neither
        Persons by their first and second answer.

    Returns
    -------
    Same kind as ``both``
        -1 to 1; 0 where an answer does not vary.

    References
    ----------
    Newcombe (1998), Stat. Med. 17, 2635-2650, the continuity-corrected phi of method 10.
    """
    a, b, c, d = (np.asarray(x, dtype=float) for x in (both, first_only, second_only, neither))
    n = a + b + c + d
    product = a * d - b * c
    numerator = np.where(product > n / 2, product - n / 2, np.where(product < 0, product, 0.0))
    spread = (a + b) * (c + d) * (a + c) * (b + d)
    with np.errstate(divide="ignore", invalid="ignore"):
        phi = np.where(spread > 0, numerator / np.sqrt(spread), 0.0)
    return _like(both, phi)


@accepts(
    both=COUNT,
    first_only=COUNT,
    second_only=COUNT,
    neither=COUNT,
    population_count=COUNT,
    design_effect=POSITIVE,
)
def newcombe_paired_interval(
    both: Any,
    first_only: Any,
    second_only: Any,
    neither: Any,
    *,
    confidence_level: float = STANDARD_LEVEL,
    population_count: Any = None,
    design_effect: Any = 1.0,
) -> tuple[Any, Any]:
    """Interval of a difference between two shares of the same persons, first minus second.

    Parameters
    ----------
    both, first_only, second_only, neither
        Persons by their first and second answer.
    confidence_level
        Between 0 and 1.
    population_count, design_effect
        See ``effective_base``.

    Returns
    -------
    tuple
        Lower and upper limit (-1 to 1); missing where there is nobody.

    References
    ----------
    Newcombe (1998), Stat. Med. 17, 2635-2650, method 10.
    """
    a, b, c, d = (np.asarray(x, dtype=float) for x in (both, first_only, second_only, neither))
    n = a + b + c + d
    chosen = {
        "confidence_level": confidence_level,
        "population_count": population_count,
        "design_effect": design_effect,
    }
    limits_1, limits_2 = wilson_interval(a + b, n, **chosen), wilson_interval(a + c, n, **chosen)
    with np.errstate(divide="ignore", invalid="ignore"):
        lower, upper = square_and_add(
            (a + b) / n, limits_1, (a + c) / n, limits_2, correlation=phi_coefficient(a, b, c, d)
        )
    return _like(both, lower), _like(both, upper)


@accepts(superiority=SHARE, base_1=COUNT, base_2=COUNT, tie_factor=SHARE)
def newcombe_superiority_interval(
    superiority: Any,
    base_1: Any,
    base_2: Any,
    *,
    tie_factor: Any = 1.0,
    confidence_level: float = STANDARD_LEVEL,
) -> tuple[Any, Any]:
    """Interval of the chance that an answer from one group is higher than one from another.

    The limits are the chances that the one found is just as far from as the level allows, with
    the variance that each of them would give. They hold also where nearly all pairs go the same
    way, but not where answers are much more spread in the smaller group.

    Parameters
    ----------
    superiority
        Share of the pairs, from 0 to 1; ties count half.
    base_1, base_2
        Answers in each group.
    tie_factor
        What ties leave of the variance, from 0 to 1; Newcombe takes it as 1.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    tuple
        Lower and upper limit (0 to 1); missing where the share is.

    References
    ----------
    Newcombe (2006), Stat. Med. 25, 559-573, method 5.
    """
    found, n1, n2 = (np.asarray(part, dtype=float) for part in (superiority, base_1, base_2))
    z, most = z_value(confidence_level), (n1 + n2) / 2 - 1

    def limit(end: float) -> np.ndarray:
        near, far = found.copy(), np.where(np.isnan(found), np.nan, end)
        for _ in range(50):
            chance = (near + far) / 2
            scale = 1 + most * ((1 - chance) / (2 - chance) + chance / (1 + chance))
            variance = tie_factor * chance * (1 - chance) * scale / (n1 * n2)
            outside = (found - chance) ** 2 > z**2 * variance
            near, far = np.where(outside, near, chance), np.where(outside, chance, far)
        return (near + far) / 2

    with np.errstate(divide="ignore", invalid="ignore"):
        lower, upper = limit(0.0), limit(1.0)
    return _like(superiority, lower, base_1), _like(superiority, upper, base_1)


@accepts(
    mean=NUMBER,
    standard_deviation=COUNT,
    base=COUNT,
    population_count=COUNT,
    design_effect=POSITIVE,
)
def mean_interval(
    mean: Any,
    standard_deviation: Any,
    base: Any,
    *,
    confidence_level: float = STANDARD_LEVEL,
    population_count: Any = None,
    design_effect: Any = 1.0,
) -> tuple[Any, Any]:
    """Student's t interval of a mean; missing where the base is under two.

    References
    ----------
    Kish (1965), Survey Sampling, section 2.2, for the finite-population correction.
    """
    centre, spread, n = (np.asarray(x, dtype=float) for x in (mean, standard_deviation, base))
    m = np.asarray(effective_base(n, design_effect=design_effect), dtype=float)
    correction = 1.0
    if population_count is not None:
        population = np.asarray(population_count, dtype=float)
        if np.any(population < n):
            raise DataError("population smaller than the base; expected at least as many persons")
        correction = np.sqrt(1 - n / population)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = stats.t.ppf((1 + _level(confidence_level)) / 2, n - 1)
        half = np.where(n > 1, t * spread / np.sqrt(m) * correction, np.nan)
    return _like(mean, centre - half), _like(mean, centre + half)


@accepts(count=COUNT)
def exact_poisson_interval(
    count: Any, *, confidence_level: float = STANDARD_LEVEL
) -> tuple[Any, Any]:
    """Exact limits of a count of events that come independently of one another.

    References
    ----------
    Garwood (1936), Biometrika 28, 437-442.
    """
    k = _nonnegative(count)
    tail = (1 - _level(confidence_level)) / 2
    with np.errstate(invalid="ignore"):
        lower = np.where(k == 0, 0.0, stats.chi2.ppf(tail, 2 * k) / 2)
        upper = stats.chi2.ppf(1 - tail, 2 * k + 2) / 2
    return _like(count, lower), _like(count, upper)


@accepts(count=COUNT)
def byar_interval(count: Any, *, confidence_level: float = STANDARD_LEVEL) -> tuple[Any, Any]:
    """Byar's approximation to the exact limits of a count; good from ten events.

    References
    ----------
    Breslow and Day (1987), Statistical Methods in Cancer Research, volume II, p. 69.
    """
    k = _nonnegative(count)
    z = z_value(confidence_level)
    with np.errstate(divide="ignore", invalid="ignore"):
        lower = np.where(k == 0, 0.0, k * (1 - 1 / (9 * k) - z / (3 * np.sqrt(k))) ** 3)
        upper = (k + 1) * (1 - 1 / (9 * (k + 1)) + z / (3 * np.sqrt(k + 1))) ** 3
    return _like(count, np.maximum(lower, 0)), _like(count, upper)


@accepts(count=COUNT)
def count_interval(count: Any, *, confidence_level: float = STANDARD_LEVEL) -> tuple[Any, Any, Any]:
    """Limits of a count of events: exact under ten events, Byar's from ten, and which it was.

    Parameters
    ----------
    count
        Events.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    tuple
        Lower limit, upper limit, and ``"exact Poisson"``, ``"Byar"`` or, for a missing count,
        ``"none"``.

    References
    ----------
    Public Health England (2018), Technical guide: confidence intervals.
    """
    k = _nonnegative(count)
    small = k < BYAR_FROM
    exact = exact_poisson_interval(k, confidence_level=confidence_level)
    byar = byar_interval(k, confidence_level=confidence_level)
    lower, upper = (np.where(small, e, b) for e, b in zip(exact, byar, strict=True))
    method = np.select([small, k >= BYAR_FROM], ["exact Poisson", "Byar"], default="none")
    return _like(count, lower), _like(count, upper), _like(count, method)


@accepts(counts=Rows({"count": COUNT, "base": COUNT}, named={"population_column": COUNT}))
def share_limits(
    counts: pd.DataFrame,
    *,
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
    method: str = "Wilson",
    population_column: str | None = None,
    design_effect: float = 1.0,
) -> pd.DataFrame:
    """Shares with their limits at one or several levels: one row per input row and level.

    Parameters
    ----------
    counts
        Keys, ``count`` and ``base``.
    confidence_levels
        Levels wanted, such as ``(0.95, 0.998)`` for limits at two and three standard errors.
    method
        ``"Wilson"`` or ``"Clopper-Pearson"``.
    population_column
        Column with the persons in each row's population, when the finite-population
        correction is wanted (Wilson only).
    design_effect
        See ``effective_base`` (Wilson only).

    Returns
    -------
    DataFrame
        The input's columns with ``value``, ``lower``, ``upper``, ``confidence_level``,
        ``method`` and ``reason`` (``missing`` where the base is 0).

    Raises
    ------
    DataError
        If the method is unknown, or an exact interval is asked for with a correction.
    """
    if method not in ("Wilson", "Clopper-Pearson"):
        raise DataError(f"method {method!r}; expected 'Wilson' or 'Clopper-Pearson'")
    corrected = population_column is not None or design_effect != 1.0
    if method == "Clopper-Pearson" and corrected:
        raise DataError("the exact interval takes neither population nor design effect; use Wilson")
    population = None if population_column is None else counts[population_column]
    label = method + (", finite population" if population is not None else "")
    label += "" if design_effect == 1.0 else f", design effect {design_effect:.3g}"
    base = counts["base"].astype(float)
    share = counts["count"] / base.where(base > 0)
    blocks = []
    for level in confidence_levels:
        if method == "Wilson":
            lower, upper = wilson_interval(
                counts["count"],
                base,
                confidence_level=level,
                population_count=population,
                design_effect=design_effect,
            )
        else:
            lower, upper = exact_interval(counts["count"], base, confidence_level=level)
        blocks.append(
            counts.assign(
                value=share, lower=lower, upper=upper, confidence_level=level, method=label
            )
        )
    rows = level_rows(blocks)
    return rows.assign(reason=reason_where(rows["value"].isna()))


@accepts(percentage=PERCENTAGE, base=WHOLE_COUNT)
def possible_counts(percentage: Any, base: Any, *, decimals: int = 0) -> tuple[Any, Any]:
    """Smallest and largest whole count that rounds to a published percentage of a base.

    Parameters
    ----------
    percentage
        As published, 0 to 100.
    base
        Persons the percentage is of.
    decimals
        Decimals the percentage was rounded to. Halves may have gone up or down.

    Returns
    -------
    tuple
        Smallest and largest count; both missing where no whole number of persons rounds to
        the percentage, so that percentage, base or rounding must be wrong.

    References
    ----------
    Brown and Heathers (2017), Soc. Psychol. Personal. Sci. 8, 363-369, for the reasoning.
    """
    p, n = np.asarray(percentage, dtype=float), np.asarray(base, dtype=float)
    if np.any((p < 0) | (p > 100)) or np.any(n < 0):
        raise DataError("percentages must lie from 0 to 100 and bases not below 0")
    half, slack = 0.5 * 10.0**-decimals, 1e-9
    smallest = np.clip(np.ceil((p - half) * n / 100 - slack), 0, n)
    largest = np.clip(np.floor((p + half) * n / 100 + slack), 0, n)
    none = ~(smallest <= largest) | ~(n > 0)
    return (
        _like(percentage, np.where(none, np.nan, smallest), base),
        _like(percentage, np.where(none, np.nan, largest), base),
    )


@accepts(published=Rows({"percentage": PERCENTAGE, "base": WHOLE_COUNT}))
def share_from_percentage(
    published: pd.DataFrame,
    *,
    decimals: int = 0,
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """Shares behind published percentages: the counts they may stand for, and what follows.

    Parameters
    ----------
    published
        Keys, ``percentage`` (0 to 100, as published) and ``base`` (persons).
    decimals
        Decimals of the percentage.
    confidence_levels
        Levels wanted.

    Returns
    -------
    DataFrame
        The keys; ``lowest_count`` and ``highest_count``; ``count`` where only one is
        possible; ``base``; ``value`` (the published share, 0 to 1); ``lower`` and ``upper``,
        the widest Wilson limits over the possible counts; ``confidence_level``, ``method``,
        ``reason`` (``missing`` where no whole count fits the percentage and base).
    """
    lowest, highest = possible_counts(published["percentage"], published["base"], decimals=decimals)
    value = (published["percentage"] / 100).where(lowest.notna())
    keys = published.drop(columns=["percentage", "base"]).assign(
        lowest_count=lowest,
        highest_count=highest,
        count=lowest.where(lowest == highest),
        base=published["base"],
        value=value,
    )
    blocks = []
    for level in confidence_levels:
        lower, _ = wilson_interval(lowest, published["base"], confidence_level=level)
        _, upper = wilson_interval(highest, published["base"], confidence_level=level)
        blocks.append(
            keys.assign(
                lower=lower,
                upper=upper,
                confidence_level=level,
                method="Wilson, over the possible counts",
            )
        )
    rows = level_rows(blocks)
    return rows.assign(reason=reason_where(rows["value"].isna()))


def _level(confidence_level: float) -> float:
    z_value(confidence_level)  # refuses a level outside 0 to 1
    return confidence_level


def _counts(count: Any, base: Any) -> tuple[np.ndarray, np.ndarray]:
    k, n = np.asarray(count, dtype=float), np.asarray(base, dtype=float)
    if np.any(k < 0) or np.any(k > n):
        raise DataError("a count is below 0 or above its base; expected 0 <= count <= base")
    return k, n


def _nonnegative(count: Any) -> np.ndarray:
    k = np.asarray(count, dtype=float)
    if np.any(k < 0):
        raise DataError("a count is below 0; expected 0 or more")
    return k


def _like(model: Any, values: np.ndarray, other: Any = None) -> Any:
    """``values`` as a series where an argument was one, as a number where all were numbers."""
    for pattern in (model, other):
        if isinstance(pattern, pd.Series):
            return pd.Series(values, index=pattern.index)
    return np.asarray(values).item() if np.ndim(values) == 0 else values
