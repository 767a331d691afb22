"""Rows of an estimated effect: its limits, or the reason why it has none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from evalkit.goals import smallest_detectable_change
from evalkit.groups import require_once
from evalkit.reasons import checked_reason

__all__ = [
    "NOUGHT",
    "bootstrap_extremes",
    "bootstrap_rows",
    "complete_panel",
    "effect_rows",
    "finished_rows",
    "inverted_rows",
    "refused_rows",
    "student_row",
    "without_limits",
]

BOOTSTRAP_REPLICATES = 1_999
FEWEST_BOOTSTRAP_UNITS = 12  # below, two-point weights give too few distinct samples
FEWEST_TREATED_BOOTSTRAP = 4  # with fewer, the restricted bootstrap hardly ever rejects
NOUGHT = 1e-12  # of the largest number behind: what arithmetic leaves of no scatter
RESULT = [
    "value",
    "lower",
    "upper",
    "p_value",
    "smallest_change",
    "confidence_level",
    "method",
    "reason",
]


def bootstrap_rows(
    change: np.ndarray,
    is_treated: np.ndarray,
    *,
    levels: Sequence[float],
    seed: int,
    method: str = "restricted wild bootstrap-t",
    cohort: np.ndarray | None = None,
) -> list[dict]:
    """Rows of a restricted wild bootstrap-t, one per level; its limits invert the test.

    Parameters
    ----------
    change
        Change of each unit.
    is_treated
        True for the treated units.
    levels
        Confidence levels.
    seed
        Seed of the samples.
    method
        What is bootstrapped.
    cohort
        As for ``bootstrap_extremes``.

    Returns
    -------
    list of dict
        ``value``, ``lower``, ``upper``, ``p_value``, ``confidence_level``, ``method``,
        ``reason``. Limits are withheld with fewer than four units on either side
        (``too_few_clusters``).
    """
    groups = _groups(is_treated, cohort)
    method = f"{method}, {BOOTSTRAP_REPLICATES} replicates"
    own, error = (part[0] for part in _difference_and_error(change[None], groups))
    treated_count = int(is_treated.sum())
    if min(treated_count, len(change) - treated_count) < FEWEST_TREATED_BOOTSTRAP:
        return without_limits(own, method, levels, "too_few_clusters")
    generator = np.random.default_rng(seed)
    points = [-1.0, 1.0]
    if len(change) < FEWEST_BOOTSTRAP_UNITS:
        points = [sign * np.sqrt(size) for size in (0.5, 1.0, 1.5) for sign in (-1, 1)]
    draws = generator.choice(points, size=(BOOTSTRAP_REPLICATES, len(change)))

    def p_value(effect: float) -> float:
        extreme = bootstrap_extremes(change, is_treated, draws, effect=effect, cohort=cohort)
        return float((1 + extreme.sum()) / (1 + BOOTSTRAP_REPLICATES))

    rows = []
    for level in levels:
        lower, upper = (_crossing(p_value, own, side * error, 1 - level) for side in (-1, 1))
        found = {"lower": lower, "upper": upper, "p_value": p_value(0.0), "reason": None}
        rows.append({"value": own, "confidence_level": level, "method": method, **found})
    return rows


def bootstrap_extremes(
    change: np.ndarray,
    is_treated: np.ndarray,
    draws: np.ndarray,
    *,
    effect: float = 0.0,
    cohort: np.ndarray | None = None,
) -> np.ndarray:
    """Which samples of the restricted wild bootstrap have a t value as far out as the real one.

    The effect is the sum of the treated cohorts' means less the mean of the others. The residuals
    are those from the means, one for each cohort and one for the others, that lie nearest to the
    data and give the effect of the null.

    Parameters
    ----------
    change
        Change of each unit.
    is_treated
        True for the treated units.
    draws
        Weights that the residuals under the null are multiplied with: one row per sample.
    effect
        The null: the effect is this.
    cohort
        Whole number of each treated unit's cohort; one cohort where there is none.

    Returns
    -------
    ndarray of bool
        One per row of ``draws``.
    """
    groups = _groups(is_treated, cohort)
    own, error = _difference_and_error(change[None], groups)
    labels, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    means = np.bincount(place, change) / sizes
    sign = np.where(labels < 0, -1.0, 1.0)
    pull = (own - effect) / (1 / sizes).sum()
    residual = change - (means - pull * sign / sizes)[place]
    value, spread = _difference_and_error(draws * residual, groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        far_out = np.abs(own - effect) / error * (1 - 1e-12)
        return ~(np.abs(value / spread) < far_out)  # a sample without any scatter tells nothing


def _groups(is_treated: np.ndarray, cohort: np.ndarray | None) -> np.ndarray:
    """The cohort of each treated unit, and -1 for the others."""
    return np.where(is_treated, 0 if cohort is None else cohort, -1)


def _difference_and_error(changes: np.ndarray, groups: np.ndarray):
    """The cohorts' means less the mean of the others, and its error; one per row of changes."""
    value, variance, labels = 0.0, 0.0, np.unique(groups)
    for label in labels:
        part = changes[:, groups == label]
        value = value + (-1.0 if label < 0 else 1.0) * part.mean(axis=1)
        variance = variance + part.var(axis=1) / part.shape[1]
    count = changes.shape[1]
    return value, np.sqrt(variance * count / (count - len(labels)))


def _crossing(p_value, start: float, step: float, alpha: float) -> float:
    """Where the p value falls to ``alpha``, going from the estimate in steps of its error."""
    far = start + step
    for _ in range(60):
        if p_value(far) <= alpha:
            break
        far += step
    else:
        return np.inf if step > 0 else -np.inf
    near = far - step
    for _ in range(30):
        middle = (near + far) / 2
        near, far = (near, middle) if p_value(middle) <= alpha else (middle, far)
    return far


def without_limits(value, method, levels, reason) -> list[dict]:
    """A row per level with the value and the reason why it has no limits."""
    return [
        {"value": value, "confidence_level": level, "method": method, **_no_limits(reason)}
        for level in levels
    ]


def inverted_rows(own, others, overlap, levels, method) -> list[dict]:
    """Rows of a permutation test, its limits found exactly.

    For each other way of naming the treated, the constant effects that it does not make less
    likely form an interval around the estimate; a limit is where too few of these intervals
    reach. ``overlap`` is what the other naming makes of a constant effect of 1. Where it is -1,
    the other naming is the mirror of the real one and as far out whatever the effect.
    """
    p_value = (1 + (np.abs(others) >= abs(own) * (1 - 1e-12)).sum()) / (1 + len(others))
    mirrored = overlap <= -1 + 1e-12
    with np.errstate(divide="ignore", invalid="ignore"):
        first = (own - others) / (1 - overlap)
        second = (own + others) / (1 + overlap)
    highest = np.sort(np.where(mirrored, np.inf, np.maximum(first, second)))[::-1]
    lowest = np.sort(np.where(mirrored, -np.inf, np.minimum(first, second)))
    rows = []
    for level in levels:
        allowed = int(np.floor((1 - level) * (1 + len(others)) + 1e-9))
        found = _no_limits()
        if allowed >= 1 and np.isfinite([lowest[allowed - 1], highest[allowed - 1]]).all():
            limits = {"lower": lowest[allowed - 1], "upper": highest[allowed - 1]}
            found = {**limits, "reason": None}
        row = {"value": own, "confidence_level": level, "method": method}
        rows.append({**row, **found, "p_value": p_value})
    return rows


def student_row(value, error, degrees, level, method, few, *, nought=0.0) -> dict:
    """A row with Student's t limits; none with few units, or an error of ``nought`` or less."""
    row = {"value": value, "confidence_level": level, "method": method}
    if few or not np.isfinite(error):
        return {**row, **_no_limits()}
    if error <= nought:
        return {**row, **_no_limits("design_cannot_answer")}
    margin = stats.t.ppf(0.5 + level / 2, degrees) * error
    return {
        **row,
        "lower": value - margin,
        "upper": value + margin,
        "p_value": 2 * stats.t.sf(abs(value / error), degrees),
        "reason": None,
    }


def _no_limits(reason: str = "too_few_clusters") -> dict:
    return {
        **dict.fromkeys(("lower", "upper", "p_value"), np.nan),
        "reason": checked_reason(reason),
    }


def refused_rows(head, method, levels, reason) -> pd.DataFrame:
    """A row per level without a value, and why."""
    return effect_rows(head, without_limits(np.nan, method, levels, reason))


def effect_rows(head: dict, rows: list[dict]) -> pd.DataFrame:
    """The rows as a table, what they have in common first."""
    return finished_rows(pd.DataFrame([{**head, **row} for row in rows]), head)


def finished_rows(table: pd.DataFrame, head) -> pd.DataFrame:
    """The columns in order, with the smallest change that limits of this width could show."""
    smallest = smallest_detectable_change(table["lower"], table["upper"], table["confidence_level"])
    reason = table["reason"].astype(object)
    found = table.assign(smallest_change=smallest, reason=reason.where(reason.notna(), None))
    return found[[*head, *RESULT]]


def complete_panel(values, treated, comparison) -> pd.DataFrame:
    """Years by municipality: the years most of each group have, municipalities with all of them."""
    asked = values["municipality_code"].isin([*treated, *comparison])
    require_once(values, ["municipality_code", "year"], name="values", among=asked)
    wanted = values.loc[asked & values["value"].notna()]
    table = wanted.pivot(index="year", columns="municipality_code", values="value").sort_index()
    shared = np.ones(len(table), dtype=bool)
    for group in (treated, comparison):
        members = table.columns.isin(list(group))
        if members.any():
            shared &= table.loc[:, members].notna().mean(axis=1).to_numpy() > 0.5
    return table.loc[shared].dropna(axis=1)
