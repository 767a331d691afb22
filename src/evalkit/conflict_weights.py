"""Which claims in conflict matter most to a reader: what may change a conclusion comes first."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

import pandas as pd

__all__ = ["WEIGHTS", "weighed_conflicts"]

WEIGHTS = ("conclusion", "content", "time", "spelling")  # the weightiest first
# How parts of quantities' names begin: what an evaluation judges, and what is called by another name only.
JUDGED = (
    *("anchor", "evaluat", "implement", "effect", "result", "state", "status", "trend", "history"),
    *("ended", "stability", "culture", "effort", "baseline", "response", "answered", "reached"),
)
NAMED = ("name", "title", "slogan", "word", "section", "spelling")
TIME_UNITS = ("date", "year")
ALIKE = 0.94  # of the letters, from which two texts are one text in two spellings
NEGATIONS = re.compile(r"\b(?:ikke|ingen|aldri|uten|not|no|never)\b")
DAYS_IN_YEAR = 365.25


def weighed_conflicts(disputed: pd.DataFrame) -> pd.DataFrame:
    """Claims in conflict with what each quantity weighs, the weightiest quantities first.

    ``conclusion`` is what an evaluation judges (anchoring, evaluation, implementation, results), by
    the name of the quantity, unless its values are one text in two spellings; ``content`` is
    another number or statement; ``time`` a date or year; ``spelling`` a name, title or
    reference, or one text in two spellings. Within each, the values furthest apart come first.

    Parameters
    ----------
    disputed
        Claims in conflict: ``key``, ``quantity``, ``value``, ``unit``.

    Returns
    -------
    DataFrame
        The same rows with ``weight`` and ``apart`` (0 alike to 1 nothing in common): of numbers
        the difference by the larger one, of dates the years between them, of texts the share
        of letters that differ. Rows of one key keep their order.
    """
    weighed = {key: _weight(group) for key, group in disputed.groupby("key", sort=False)}
    kinds = disputed["key"].map({key: kind for key, (kind, _) in weighed.items()})
    told = disputed.assign(
        weight=kinds.astype(object),
        apart=disputed["key"].map({k: a for k, (_, a) in weighed.items()}),
    )
    order = told["weight"].map(WEIGHTS.index).astype(float)
    return (
        told.assign(order=order, far=-told["apart"].astype(float))
        .sort_values(["order", "far", "key"], kind="stable")
        .drop(columns=["order", "far"])
    )


def _weight(group: pd.DataFrame) -> tuple[str, float]:
    unit, quantity = group["unit"].iloc[0], group["quantity"].iloc[0]
    if "text" in set(group["unit"]):  # a number in one place, words in another
        unit = "text"
    values = group["value"].dropna().astype(str).unique().tolist()
    apart = max((_apart(one, other, unit) for one in values for other in values), default=0.0)
    if unit == "text":
        parts = quantity.split("_")
        if parts[-1] in NAMED or (apart <= 1 - ALIKE and not _says_otherwise(values)):
            return "spelling", apart
    if unit not in TIME_UNITS and any(part.startswith(JUDGED) for part in quantity.split("_")):
        return "conclusion", apart
    return ("time" if unit in TIME_UNITS else "content"), apart


def _says_otherwise(values: list[str]) -> bool:
    """Whether texts that look alike differ in a number or in a negation."""
    said = {
        (tuple(re.findall(r"\d+", value)), len(NEGATIONS.findall(value.casefold())))
        for value in values
    }
    return len(said) > 1


def _apart(one: str, other: str, unit: str) -> float:
    if one == other:
        return 0.0
    if unit in TIME_UNITS:
        return min(1.0, abs(_years(one) - _years(other)))
    if unit == "text":
        letters = (re.sub(r"\W", "", value.casefold()) for value in sorted((one, other)))
        return 1 - SequenceMatcher(None, *letters, autojunk=False).ratio()
    first, second = float(one), float(other)
    return min(1.0, abs(first - second) / max(abs(first), abs(second)))


def _years(date: str) -> float:
    """A date in years; a season, quarter or half year counts from its year's beginning."""
    found = re.match(r"(\d+)(?:-(\d\d))?(?:-(\d\d))?", date)
    year, month, day = (int(part or 1) for part in found.groups())
    return year + (month - 1) / 12 + (day - 1) / DAYS_IN_YEAR
