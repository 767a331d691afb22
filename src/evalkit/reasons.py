"""Why a value is withheld: the fixed codes of every result's ``reason``, and the result's shape.

A withheld value is a result like any other. Its row keeps its keys, its value and limits are
missing, and ``reason`` holds one of these codes. Where value and limits are given, ``reason`` is
missing. Where only the limits are refused, because the data carry an estimate but no honest
interval (too few clusters, one pair of periods), the value stands, the limits are missing and
``reason`` says why there are none: such a value must be shown with its reason, never alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

__all__ = [
    "EXPLANATIONS",
    "HIDING",
    "REASONS",
    "RESULT_COLUMNS",
    "Reason",
    "checked_reason",
    "level_rows",
    "reason_where",
    "withhold",
]

Reason = Literal[
    "too_few",
    "base_too_small",
    "can_be_derived",
    "protected",
    "not_comparable",
    "not_asked",
    "missing",
    "too_few_periods",
    "too_few_donors",
    "too_few_clusters",
    "design_cannot_answer",
]

REASONS: frozenset[str] = frozenset(get_args(Reason))

# Reasons of what is hidden to protect persons, the one that is told first of a row's parts first.
HIDING: tuple[str, ...] = ("base_too_small", "too_few", "protected", "can_be_derived")

EXPLANATIONS: dict[str, str] = {
    "too_few": "fewer persons or events than may be shown, or than the method needs",
    "base_too_small": "too small a base: too few answers, or too small a population",
    "can_be_derived": "safe in itself, but would give away a value that is hidden",
    "protected": "hidden to protect persons, without saying whether it or what it would tell is small",
    "not_comparable": "the question, its scale or its population differs in what is compared",
    "not_asked": "not asked there, or not in that wave",
    "missing": "asked for, but no usable answer or number came in",
    "too_few_periods": "too few periods before or after the change for the design",
    "too_few_donors": "too few untreated units to build a comparison from",
    "too_few_clusters": "too few clusters for an interval that respects them",
    "design_cannot_answer": "the data cannot tell, however many there were",
}

# What every row of results has, after its keys.
RESULT_COLUMNS: tuple[str, ...] = (
    "count",
    "base",
    "value",
    "lower",
    "upper",
    "confidence_level",
    "method",
    "reason",
)

_SHOWN = ("value", "lower", "upper")


def checked_reason(reason: str) -> str:
    """``reason`` itself when it is in the vocabulary.

    Raises
    ------
    ValueError
        If ``reason`` is not one of ``REASONS``.
    """
    if reason not in REASONS:
        known = ", ".join(sorted(REASONS))
        raise ValueError(f"unknown reason {reason!r}; expected one of: {known}")
    return reason


def reason_where(rows: Any, reason: str = "missing") -> pd.Series:
    """A column of reasons: the code where ``rows`` is true, None elsewhere."""
    index = rows.index if isinstance(rows, pd.Series) else None
    return pd.Series(np.where(rows, checked_reason(reason), None), index=index, dtype=object)


def level_rows(blocks: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """One table of the same rows at several confidence levels, each row's levels together."""
    return pd.concat(list(blocks)).sort_index(kind="stable").reset_index(drop=True)


def withhold(
    results: pd.DataFrame, rows: pd.Series, reason: str, *, columns: tuple[str, ...] = _SHOWN
) -> pd.DataFrame:
    """The results with the values of some rows taken away and the reason put in their place.

    Parameters
    ----------
    results
        Rows with ``reason`` and the columns to empty.
    rows
        True where the value is withheld; the same index as ``results``.
    reason
        A code of ``REASONS``. A row that already has a reason keeps it.
    columns
        The columns to empty; those that ``results`` lacks are passed over.

    Returns
    -------
    DataFrame
        A new table of the same shape.
    """
    checked_reason(reason)
    emptied = {name: results[name].mask(rows) for name in columns if name in results}
    reasons = results["reason"].astype(object)
    given = reasons.where(~(rows & reasons.isna()), reason)
    return results.assign(**emptied, reason=given.where(given.notna(), None))
