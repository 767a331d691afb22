"""The smallest change a survey could have found, or will be able to find.

A finding of no change says little by itself. Beside it stands the smallest true change that
a survey of that size finds with a stated probability (power), at a stated level. The same
functions serve a plan before fieldwork and a result after it; after it, they use the sizes
that were reached and never the change that was seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import ndtr, ndtri

from evalkit.accepted import (
    CORRELATION,
    COUNT,
    GROUP,
    INSIDE,
    NUMBER,
    POSITIVE,
    SHARE,
    Kind,
    Rows,
    accepts,
)
from evalkit.errors import DataError
from evalkit.uncertainty import STANDARD_LEVEL, effective_base

__all__ = [
    "cluster_design_effect",
    "detectable_mean_change",
    "detectable_share_change",
    "planned_detectable_change",
    "required_base",
    "with_detectable_change",
]

_HALVINGS = 60


@accepts(cluster_size=Kind("1 or more", least=1), intraclass_correlation=SHARE)
def cluster_design_effect(cluster_size: Any, intraclass_correlation: Any) -> Any:
    """Factor by which answers that go together within workplaces inflate the variance.

    Parameters
    ----------
    cluster_size
        Answers per workplace, on average.
    intraclass_correlation
        Share of the variance that lies between workplaces, 0 to 1.

    Returns
    -------
    Same kind as the arguments
        ``1 + (size - 1) * correlation``.

    References
    ----------
    Kish (1965), Survey Sampling, section 5.4.
    """
    return 1 + (cluster_size - 1) * intraclass_correlation


@accepts(
    before_base=COUNT,
    after_base=COUNT,
    before_share=SHARE,
    correlation=CORRELATION,
    design_effect=POSITIVE,
    before_population=COUNT,
    after_population=COUNT,
)
def detectable_share_change(
    before_base: Any,
    after_base: Any,
    before_share: Any = 0.5,
    *,
    paired: bool = False,
    correlation: Any = 0.0,
    power: float = 0.8,
    level: float = 0.05,
    design_effect: Any = 1.0,
    before_population: Any = None,
    after_population: Any = None,
) -> pd.DataFrame:
    """Smallest rise and fall of a share that a two-sided test would find.

    Parameters
    ----------
    before_base, after_base
        Answers in each wave; pairs (the same number) when paired.
    before_share
        The share at baseline, 0 to 1. Where it is not known, 0.5 is the cautious choice.
    paired
        True when the same persons answer twice and are linked.
    correlation
        Between a person's two answers, when paired. 0 is cautious.
    power
        Probability of finding the change when it is there.
    level
        Probability of finding one when there is none.
    design_effect, before_population, after_population
        See ``evalkit.uncertainty.effective_base``.

    Returns
    -------
    DataFrame
        One row per element: ``before_base``, ``after_base``, ``before_share``,
        ``smallest_rise_share`` and ``smallest_fall_share`` (both positive; missing where even
        a change to 1, or to 0, would not be found), ``smallest_change_share`` (the larger of
        the two where both exist), ``power``, ``level``, ``method`` and ``reason``
        (``missing`` where a base or share is blank, ``base_too_small`` where neither exists).

    References
    ----------
    Fleiss, Levin and Paik (2003), Statistical Methods for Rates and Proportions, section 4.2
    (independent); Connor (1987), Biometrics 43, 207-211 (paired).
    """
    arguments = (before_base, after_base, before_share, correlation, design_effect)
    n1, n2, p1, phi, deff = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, float)) for x in arguments)
    )
    if paired and not np.allclose(n1, n2, equal_nan=True):
        raise DataError("paired answers need the same base in both waves, the number of pairs")
    m1 = effective_base(n1, population_count=before_population, design_effect=deff)
    m2 = effective_base(n2, population_count=after_population, design_effect=deff)
    found = {}
    for name, edge in (("rise", 1.0), ("fall", 0.0)):
        near, far = p1.copy(), np.full_like(p1, edge)
        reachable = _share_power(m1, m2, p1, far, phi, level, paired) >= power
        for _ in range(_HALVINGS):
            middle = (near + far) / 2
            enough = _share_power(m1, m2, p1, middle, phi, level, paired) >= power
            far, near = np.where(enough, middle, far), np.where(enough, near, middle)
        found[name] = np.where(reachable & (p1 != edge), np.abs(far - p1), np.nan)
    either = np.fmax(found["rise"], found["fall"])
    return pd.DataFrame(
        {
            "before_base": n1,
            "after_base": n2,
            "before_share": p1,
            "smallest_rise_share": found["rise"],
            "smallest_fall_share": found["fall"],
            "smallest_change_share": either,
            "power": power,
            "level": level,
            "method": "paired shares, normal" if paired else "independent shares, normal",
        },
        index=_index(before_base, after_base, before_share),
    ).pipe(_with_reasons, either, n1, n2, p1)


@accepts(
    before_base=COUNT,
    after_base=COUNT,
    standard_deviation=COUNT,
    correlation=CORRELATION,
    design_effect=POSITIVE,
)
def detectable_mean_change(
    before_base: Any,
    after_base: Any,
    standard_deviation: Any = 1.0,
    *,
    paired: bool = False,
    correlation: Any = 0.0,
    power: float = 0.8,
    level: float = 0.05,
    design_effect: Any = 1.0,
) -> pd.DataFrame:
    """Smallest change of a mean that a two-sided t test would find.

    Parameters
    ----------
    before_base, after_base
        Answers in each wave; pairs (the same number) when paired.
    standard_deviation
        Of the answers in one wave, in the unit of the scale.
    paired, correlation, power, level
        As in ``detectable_share_change``.
    design_effect
        See ``evalkit.uncertainty.effective_base``; the bases are divided by it.

    Returns
    -------
    DataFrame
        ``before_base``, ``after_base``, ``smallest_change_mean`` (positive, in the unit of
        the scale), ``power``, ``level``, ``method``, ``reason`` (``missing`` where a number is
        blank, ``base_too_small`` with fewer than two answers, or pairs).

    References
    ----------
    Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, chapter 2.
    """
    arguments = (before_base, after_base, standard_deviation, correlation, design_effect)
    n1, n2, spread, r, deff = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(x, float)) for x in arguments)
    )
    if paired and not np.allclose(n1, n2, equal_nan=True):
        raise DataError("paired answers need the same base in both waves, the number of pairs")
    m1, m2 = n1 / deff, n2 / deff
    with np.errstate(divide="ignore", invalid="ignore"):
        if paired:
            freedom, error = m1 - 1, spread * np.sqrt(2 * (1 - r) / m1)
        else:
            freedom, error = m1 + m2 - 2, spread * np.sqrt(1 / m1 + 1 / m2)
    possible = (n1 >= 2) & (n2 >= 2) & (freedom > 0)
    freedom = np.where(possible, freedom, 1.0)
    critical = stats.t.ppf(1 - level / 2, freedom)
    near, far = np.zeros_like(error), critical + stats.norm.ppf(power) * 4 + 10
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        reached = stats.nct.sf(critical, freedom, middle) + stats.nct.cdf(
            -critical, freedom, middle
        )
        near, far = np.where(reached < power, middle, near), np.where(reached < power, far, middle)
    change = np.where(possible, far * error, np.nan)
    return pd.DataFrame(
        {
            "before_base": n1,
            "after_base": n2,
            "smallest_change_mean": change,
            "power": power,
            "level": level,
            "method": "paired t test" if paired else "t test of independent means",
        },
        index=_index(before_base, after_base, standard_deviation),
    ).pipe(_with_reasons, change, n1, n2, spread)


@accepts(
    plan=Rows(
        {"invited_count": COUNT, "response_share": SHARE, "before_share": SHARE},
        {
            "cluster_size": COUNT,
            "intraclass_correlation": SHARE,
            "linkage_share": SHARE,
            "correlation": CORRELATION,
        },
    ),
)
def planned_detectable_change(
    plan: pd.DataFrame, *, power: float = 0.8, level: float = 0.05, finite_population: bool = False
) -> pd.DataFrame:
    """Smallest change a planned survey will be able to find, before anybody is asked.

    Parameters
    ----------
    plan
        One row per municipality or service: ``invited_count`` (persons), ``response_share``
        expected (0 to 1), ``before_share`` expected (0 to 1), and where they apply
        ``cluster_size`` (answers per workplace) with ``intraclass_correlation``, and
        ``linkage_share`` (share of answers that can be linked to one in the other wave) with
        ``correlation`` (between a person's two answers).
    power, level
        As in ``detectable_share_change``.
    finite_population
        True when the question is about exactly the persons invited.

    Returns
    -------
    DataFrame
        The plan with ``expected_base`` (answers per wave) and the columns of
        ``detectable_share_change``. With a linkage share, only the linked are counted, as
        pairs, when that finds a smaller change than all answers unlinked; ``linkage`` says
        which.
    """
    base = np.floor(plan["invited_count"] * plan["response_share"] + 1e-9)
    clustered = {"cluster_size", "intraclass_correlation"} <= set(plan.columns)
    deff = (
        cluster_design_effect(plan["cluster_size"], plan["intraclass_correlation"])
        if clustered
        else pd.Series(1.0, index=plan.index)
    )
    population = plan["invited_count"] if finite_population else None
    chosen = {
        "power": power,
        "level": level,
        "design_effect": deff,
        "before_population": population,
        "after_population": population,
    }
    result = detectable_share_change(base, base, plan["before_share"], **chosen)
    if {"linkage_share", "correlation"} <= set(plan.columns):
        pairs = np.floor(base * plan["linkage_share"] + 1e-9)
        linked = detectable_share_change(
            pairs,
            pairs,
            plan["before_share"],
            paired=True,
            correlation=plan["correlation"],
            **chosen,
        )
        better = linked["smallest_change_share"] < result["smallest_change_share"].fillna(np.inf)
        result = result.where(~better, linked)
        result = result.assign(linkage=better.map({True: "linked", False: "unlinked"}))
        result = result.assign(
            reason=result["reason"].astype(object).where(result["reason"].notna(), None)
        )
    extra = result.drop(columns=[name for name in result if name in plan])
    return plan.assign(expected_base=base).join(extra)


@accepts(
    changes=Rows(
        {"before_count": COUNT, "before_base": COUNT, "after_base": COUNT, "linkage": GROUP},
        {
            "linked_count": COUNT,
            "before_only_count": COUNT,
            "after_only_count": COUNT,
            "before_population": COUNT,
            "after_population": COUNT,
            "base": COUNT,
            "lower": NUMBER,
            "upper": NUMBER,
            "confidence_level": NUMBER,
        },
        keeps_index=True,
    ),
)
def with_detectable_change(
    changes: pd.DataFrame,
    *,
    power: float = 0.8,
    level: float | None = None,
    design_effect: float = 1.0,
) -> pd.DataFrame:
    """Changes in shares with the smallest change each could have found.

    Parameters
    ----------
    changes
        From ``evalkit.survey.share_change``: ``before_count``, ``before_base``,
        ``after_base``, ``linked_count``, ``base``, ``lower``, ``upper``, ``confidence_level``
        and ``linkage``, and the populations where the change was computed with them.
    power, design_effect
        As in ``detectable_share_change``.
    level
        As there; when not given, that of each row's limits: 1 minus ``confidence_level``.

    Returns
    -------
    DataFrame
        The same rows with ``smallest_change_share`` and ``could_see``: ``"change seen"``
        where the limits leave out 0, ``"no change seen"`` where they do not, missing where
        the change was withheld. Linked rows are counted as pairs without correlation, which
        is cautious.
    """
    paired = changes["linkage"] == "linked"
    sizes = pd.DataFrame(
        {
            "paired": paired,
            "level": 1 - changes["confidence_level"] if level is None else level,
            "before": changes["linked_count"].where(paired, changes["before_base"]),
            "after": changes["linked_count"].where(paired, changes["after_base"]),
            "share": (changes["before_count"] / changes["before_base"].replace(0, np.nan)),
        }
    ).fillna({"share": 0.5})
    populations = ["before_population", "after_population"]
    if set(populations) <= set(changes):
        smaller = changes[populations].min(axis=1)
        for name in populations:
            sizes[name] = smaller.where(paired, changes[name])
    smallest = np.full(len(changes), np.nan)
    for (is_paired, at_level), rows in sizes.reset_index(drop=True).groupby(["paired", "level"]):
        found = detectable_share_change(
            rows["before"],
            rows["after"],
            rows["share"],
            paired=is_paired,
            power=power,
            level=round(at_level, 12),
            design_effect=design_effect,
            **{name: rows[name] for name in populations if name in rows},
        )
        smallest[rows.index] = found["smallest_change_share"]
    seen = (changes["lower"] > 0) | (changes["upper"] < 0)
    words = pd.Series(np.where(seen, "change seen", "no change seen"), index=changes.index)
    given = changes["value"].notna()
    return changes.assign(
        smallest_change_share=np.where(given, smallest, np.nan),
        could_see=words.astype(object).where(given, None),
    )


@accepts(population_count=COUNT, share=INSIDE)
def required_base(
    population_count: Any,
    *,
    margin: float = 0.05,
    share: float = 0.5,
    confidence_level: float = STANDARD_LEVEL,
) -> Any:
    """Answers needed for a share to be known within a margin, in a population of that size.

    Parameters
    ----------
    population_count
        Persons in the population.
    margin
        Half the width of the interval wanted (share, 0 to 1).
    share
        The share expected; 0.5 is the cautious choice.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    Same kind as ``population_count``
        Not rounded.

    References
    ----------
    Krejcie and Morgan (1970), Educ. Psychol. Meas. 30, 607-610.
    """
    chi_squared = stats.chi2.ppf(confidence_level, 1)
    variance = chi_squared * share * (1 - share)
    return variance * population_count / (margin**2 * (population_count - 1) + variance)


def _with_reasons(table: pd.DataFrame, found: np.ndarray, *given: np.ndarray) -> pd.DataFrame:
    """The table with why no change was found: a number was blank, or the base carries none."""
    blank, none = np.isnan(given).any(axis=0), np.isnan(found)
    reasons = np.select([blank, none], ["missing", "base_too_small"], default=None)
    return table.assign(reason=pd.Series(reasons, index=table.index, dtype=object))


def _share_power(
    n1: np.ndarray,
    n2: np.ndarray,
    p1: np.ndarray,
    p2: np.ndarray,
    phi: np.ndarray,
    level: float,
    paired: bool,
) -> np.ndarray:
    """Power of the test in the direction of the change."""
    z = ndtri(1 - level / 2)
    difference = np.abs(p2 - p1)
    with np.errstate(divide="ignore", invalid="ignore"):
        if paired:
            spread = np.sqrt(p1 * (1 - p1) * p2 * (1 - p2))
            changed = p1 * (1 - p2) + p2 * (1 - p1) - 2 * phi * spread
            changed = np.maximum(changed, difference)  # no fewer change than the shares differ by
            null, true = np.sqrt(changed), np.sqrt(np.maximum(changed - difference**2, 0))
            gap = np.sqrt(n1) * difference
        else:
            pooled = (n1 * p1 + n2 * p2) / (n1 + n2)
            both_infinite = np.isinf(n1) & np.isinf(n2)
            pooled = np.where(np.isnan(pooled) & both_infinite, (p1 + p2) / 2, pooled)
            null = np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
            true = np.sqrt(p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2)
            gap = difference
        distance = gap - z * null
        power = np.where(true > 0, ndtr(distance / true), np.where(distance > 0, 1.0, 0.0))
    usable = (n1 > 0) & (n2 > 0)
    return np.where(usable, power, 0.0)


def _index(*arguments: Any) -> pd.Index | None:
    for argument in arguments:
        if isinstance(argument, pd.Series):
            return argument.index
    return None
