"""Rows of a table as numbered groups, which is faster than grouping by text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from evalkit.errors import DataError

__all__ = [
    "grouped",
    "in_blocks",
    "numbered",
    "places_in_order",
    "repeated_rows",
    "require_different",
    "require_once",
    "rows_said",
]

ROOM = 4  # places per row up to which counting in place is faster than sorting or hashing


def numbered(values: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """Each value's number among the different values, and those values in order.

    Raises
    ------
    DataError
        If a value is blank.
    """
    codes, names = pd.factorize(values, sort=True)
    if (codes < 0).any():
        raise DataError(f"{values.name} is blank in some rows; expected a value in each")
    return codes, names


def grouped(table: pd.DataFrame, by: Sequence[str]) -> tuple[pd.DataFrame, np.ndarray]:
    """The groups in order, one row each, and the place of every row of the table among them.

    Parameters
    ----------
    table
        Any rows; blank cells in the columns of ``by`` are refused.
    by
        Columns that make a group.
    """
    combined = np.zeros(len(table), dtype=np.int64)
    names = []
    for column in by:
        codes, values = numbered(table[column])
        combined = combined * max(len(values), 1) + codes
        names.append(values)
    present, place = _present(combined, math.prod(max(len(values), 1) for values in names))
    columns, rest = {}, present
    for column, values in reversed(list(zip(by, names, strict=True))):
        columns[column] = values.take(rest % max(len(values), 1))
        rest = rest // max(len(values), 1)
    return pd.DataFrame({column: columns[column] for column in by}), place


def _present(combined: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers below a size that occur, in order, and the place of each of the given among them."""
    if size > ROOM * len(combined):
        return np.unique(combined, return_inverse=True)
    occurs = np.bincount(combined, minlength=1) > 0
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[combined]


def in_blocks(table: pd.DataFrame, by: str, *, size: int) -> Iterator[pd.DataFrame]:
    """The rows of some of a column's values at a time, which takes less memory than all at once.

    Parameters
    ----------
    table
        Any rows; each block keeps their order. A table without rows is one block.
    by
        The column, without blanks.
    size
        Values in a block, in order.
    """
    codes, names = numbered(table[by])
    if len(names) <= size:
        yield table
        return
    for first in range(0, len(names), size):
        yield table.loc[(codes >= first) & (codes < first + size)]


def require_once(
    table: pd.DataFrame, keys: Sequence[str], *, name: str, among: pd.Series | None = None
) -> None:
    """Refuse a table in which the same keys stand in several rows.

    Parameters
    ----------
    table
        Any rows.
    keys
        Columns that tell the rows apart.
    name
        What the caller knows the table as.
    among
        True for the rows that matter; by default all.

    Raises
    ------
    DataError
        Naming the rows as a spreadsheet numbers them, with its header in row 1.
    """
    told = repeated_rows(table, keys, among=among)
    if told:
        raise DataError(f"{name}: {told}")


def repeated_rows(
    table: pd.DataFrame, keys: Sequence[str], *, among: pd.Series | None = None
) -> str:
    """Which rows have the same keys as another, in words; empty where none has."""
    places = np.arange(len(table)) if among is None else np.flatnonzero(among)
    combined, size = np.zeros(len(places), dtype=np.int64), 1
    for key in reversed(keys):  # the last tells most apart; rows that are told apart drop out
        codes, names = pd.factorize(table[key])
        codes = codes if len(places) == len(table) else codes[places]
        combined, size = combined * (len(names) + 1) + codes + 1, size * (len(names) + 1)
        if size > ROOM * len(places):
            combined, different = pd.factorize(combined)
            size = len(different)
        if size >= len(places):
            again = np.bincount(combined, minlength=1)[combined] > 1
            if not again.any():
                return ""
            places, combined = places[again], combined[again]
    repeated = places[pd.Series(combined).duplicated(keep=False)]
    if not len(repeated):
        return ""
    said = " and ".join(filter(None, [", ".join(keys[:-1]), keys[-1]]))
    return f"{rows_said(repeated)}: the same {said} more than once; expected once"


def rows_said(places: Sequence[int] | np.ndarray) -> str:
    """Rows as a spreadsheet numbers them, with its header in row 1; the first few of many."""
    shown = ", ".join(str(int(place) + 2) for place in places[:8])
    return ("row " if len(places) == 1 else "rows ") + shown + (" ..." if len(places) > 8 else "")


def places_in_order(
    values: pd.Series, *, order: Sequence[Any] | None = None
) -> tuple[pd.Series, list]:
    """Each value's place on a scale whose order is known, and the scale from its lowest step.

    The alphabet is no order of codes: text must say its own, as an ordered categorical or in a
    stated list.

    Parameters
    ----------
    values
        Numbers, an ordered categorical, or anything that stands in ``order``; blanks are kept.
    order
        All steps of the scale, lowest first, also those that nobody used.

    Returns
    -------
    tuple
        The places, from 0, missing where the value is blank; and the steps. Of numbers without a
        stated order the steps are the numbers that occur.

    Raises
    ------
    DataError
        If the order of the values is not known, or a value is not on the stated scale.
    """
    steps = _steps(values, order)
    places = {step: place for place, step in enumerate(steps)}
    given = values.astype(object).where(values.notna(), None)
    if len(places) < len(steps):
        raise DataError(f"{values.name}: a step stands more than once in {steps}; expected once")
    strange = np.flatnonzero([value is not None and value not in places for value in given])
    if len(strange):
        raise DataError(
            f"{values.name}: {rows_said(strange)} not on the scale; expected one of {steps}"
        )
    return given.map(places).astype(float), steps


def _steps(values: pd.Series, order: Sequence[Any] | None) -> list:
    if order is not None:
        return list(order)
    if isinstance(values.dtype, pd.CategoricalDtype) and values.cat.ordered:
        return values.cat.categories.tolist()
    known = values.dropna().astype(object)
    text = np.flatnonzero(values.notna() & ~values.astype(object).map(_is_number))
    if len(text):
        raise DataError(
            f"{values.name}: text in {rows_said(text)}, whose order is not known; expected numbers, an "
            "ordered categorical, or the scale's steps in order, lowest first (order=)"
        )
    return sorted(known.unique())


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not pd.isna(value)


def require_different(**lists: Iterable[Any]) -> None:
    """Refuse lists of municipalities in which one stands twice, or in two of the lists.

    Parameters
    ----------
    lists
        Codes, by what the caller knows the list as.

    Raises
    ------
    DataError
        Naming the codes and the lists they stand in.
    """
    names = list(lists)
    place: dict[Any, list[str]] = {}
    for name, codes in lists.items():
        for code in codes:
            place.setdefault(code, []).append(name)
    wrong = {code: found for code, found in place.items() if len(found) > 1}
    if not wrong:
        return
    within = sorted(str(code) for code, found in wrong.items() if len(set(found)) == 1)
    between = sorted(str(code) for code, found in wrong.items() if len(set(found)) > 1)
    said = []
    if within:
        said.append(f"{', '.join(within)}: more than once in the same list; expected once")
    if between:
        said.append(f"{', '.join(between)}: both {' and '.join(names)}; expected one of them")
    raise DataError(". ".join(said))
