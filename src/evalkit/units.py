"""Units: which numbers each allows, and how a number may be written.

A number is written with digits and, where the unit is divisible, a point before the decimals:
``27300``, ``27.3``. ``27.300`` may be either of the two, so such a cell is refused with both
readings, unless one of them lies outside the unit's range.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["GROUPED", "PLAIN", "UNIT_RANGES", "UnitRange", "number_breaches", "unit_of"]

PLAIN = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
GROUPED = r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+"  # may be thousands
SPACES = "\u00a0\u202f\u2009"


@dataclass(frozen=True)
class UnitRange:
    """The numbers that a unit allows: from ``least`` to ``most``, whole or divisible."""

    least: float = -np.inf
    most: float = np.inf
    whole: bool = False

    def allows(self, numbers: pd.Series) -> pd.Series:
        """Which numbers are in the range, and whole where they must be."""
        fits = np.isfinite(numbers) & (numbers >= self.least) & (numbers <= self.most)
        return fits & (numbers % 1 == 0) if self.whole else fits

    def __str__(self) -> str:
        number = "whole" if self.whole else "with a point before its decimals"
        if np.isfinite(self.least) and np.isfinite(self.most):
            return f"{number}, {self.least:g} to {self.most:g}"
        return f"{number}, {self.least:g} or more" if np.isfinite(self.least) else number


COUNTED = UnitRange(0, whole=True)
AMOUNT = UnitRange(0)
UNIT_RANGES = {
    "count": COUNTED,
    "persons": COUNTED,
    "families": COUNTED,
    "children": COUNTED,
    "groups": COUNTED,
    "meetings": COUNTED,
    "ordinal": COUNTED,
    "percent": UnitRange(0, 100),
    "percentage_points": UnitRange(-100, 100),
    "share": UnitRange(0, 1),
    "nok": UnitRange(),
    "nok_per_inhabitant": UnitRange(),
    "km2": AMOUNT,
    "years": AMOUNT,
    "months": AMOUNT,
    "weeks": AMOUNT,
    "days": AMOUNT,
    "hours": AMOUNT,
    "minutes": AMOUNT,
    "year": UnitRange(1800, 2100, whole=True),
    "score": UnitRange(),
    "positions": AMOUNT,
}
ANY = UnitRange()


def unit_of(name: str | None) -> UnitRange:
    """The range of a unit by its name; any number for a unit that is not known."""
    return UNIT_RANGES.get(name or "", ANY)


def number_breaches(
    cells: pd.Series, unit: UnitRange, *, wanted: str = "a number"
) -> dict[int, str]:
    """What is wrong with cells that should hold numbers of a unit.

    Parameters
    ----------
    cells
        Text, as it stands in a file; missing cells are passed over.
    unit
        From ``unit_of``.
    wanted
        What the cells should hold, in words.

    Returns
    -------
    dict
        By index label, what a message says after the place of the cell: what was expected, the
        number itself where the cell can mean one only, and both where it has two readings.

    Examples
    --------
    >>> number_breaches(pd.Series(["27300", "27.300"]), unit_of("persons"))
    {1: ', which may be 27300 or 27.3; expected a number: whole, 0 or more, no sign between thousands'}
    >>> number_breaches(pd.Series(["27,3", "70"]), unit_of("percent"))
    {0: '; expected a number: with a point before its decimals, 0 to 100, such as 27.3'}
    """
    given = cells.dropna().astype("str")
    plain = given.str.fullmatch(PLAIN)
    numbers = pd.to_numeric(given.where(plain), errors="coerce").astype(float)
    suspect = ~plain | ~unit.allows(numbers) | given.str.fullmatch(GROUPED)
    told = {
        place: _breach(cell, unit, wanted) for place, cell in given[suspect.to_numpy(bool)].items()
    }
    return {place: breach for place, breach in told.items() if breach}


def _breach(cell: str, unit: UnitRange, wanted: str) -> str:
    """What is wrong with a cell; blank where it is as it should be."""
    readings = _readings(cell)
    fitting = [number for number in readings if unit.allows(pd.Series([number])).item()]
    if len(fitting) > 1 or (len(readings) > 1 and unit.whole and fitting):
        said = " or ".join(f"{number:.12g}" for number in readings)
        return f", which may be {said}; expected {wanted}: {unit}, no sign between thousands"
    if len(fitting) == 1:
        if re.fullmatch(PLAIN, cell) and float(cell) == fitting[0]:
            return ""
        return f"; expected {wanted}: {unit}, such as {fitting[0]:.12g}"
    return f"; expected {wanted}: {unit}"


def _readings(cell: str) -> list[float]:
    """The numbers that a cell may mean: a sign before three digits parts thousands, or decimals."""
    text = re.sub(rf"(?<=[0-9])[ {SPACES}](?=[0-9]{{3}}(?:[^0-9]|$))", "", cell)
    text = text.replace("\u2212", "-")
    found = []
    for thousands, decimal in ((".", ","), (",", ".")):
        whole = rf"[+-]?(?:[1-9][0-9]{{0,2}}(?:[{thousands}][0-9]{{3}})+|[0-9]+)"
        if re.fullmatch(rf"{whole}(?:[{decimal}][0-9]+)?", text):
            found.append(float(text.replace(thousands, "").replace(decimal, ".")))
    if re.fullmatch(PLAIN, text):
        found.append(float(text))
    return [number for number in dict.fromkeys(found) if np.isfinite(number)]
