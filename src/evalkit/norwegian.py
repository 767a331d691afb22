"""Numbers, dates and periods as a Norwegian reader expects them (bokmål)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal, localcontext

import pandas as pd

from evalkit import vocabulary as words

__all__ = [
    "date_span_text",
    "date_text",
    "interval_text",
    "joined_text",
    "millions_text",
    "nok_text",
    "number_text",
    "percent_text",
    "qualified_text",
    "quantity_text",
    "rounded",
]

NO_BREAK = "\u00a0"
MINUS = "\u2212"
MONTHS = (
    "januar",
    "februar",
    "mars",
    "april",
    "mai",
    "juni",
    "juli",
    "august",
    "september",
    "oktober",
    "november",
    "desember",
)
SEASONS = {"spring": "våren", "summer": "sommeren", "autumn": "høsten", "winter": "vinteren"}
SIGNIFICANT = 15  # digits of a decimal number that binary keeps; as in facts.lua
MOST_DECIMALS = 6  # no published figure of a study has more
ONE_OF = {
    "persons": "person",
    "families": "familie",
    "groups": "gruppe",
    "meetings": "møte",
    "months": "måned",
    "weeks": "uke",
    "days": "dag",
    "hours": "time",
    "minutes": "minutt",
    "nok": "krone",
}


def rounded(value: float, decimals: int) -> Decimal:
    """A number as readers see it: the one rule for tables, figures, prose and the book's facts.

    Halves go away from zero, as a reader rounds, so that 5 of 8 is 63 %. What is rounded is the
    number to 15 significant digits, all that a decimal keeps in the computer's binary: 0.285 is
    0.29 although it is held as 0.284999..., and so is 28.499999999999996 one half. The filter
    ``facts.lua`` does the same; both are held to one list of examples.
    """
    exact = Decimal(f"{value:.{SIGNIFICANT - 1}e}" if abs(value) < 10**SIGNIFICANT else int(value))
    with localcontext(prec=400):  # as long as the largest number with its decimals
        return exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def number_text(value: float, *, decimals: int | None = None) -> str:
    """A number with decimal comma, grouped thousands and a real minus.

    Parameters
    ----------
    value
        Any number; a missing one gives an empty text.
    decimals
        How many decimals to show; ``None`` shows those the number has.
    """
    if pd.isna(value):
        return ""
    if math.isinf(value):
        return (MINUS if value < 0 else "") + "∞"
    shown = f"{rounded(value, MOST_DECIMALS if decimals is None else decimals):,f}"
    if decimals is None and "." in shown:
        shown = shown.rstrip("0").rstrip(".")
    if not Decimal(shown.replace(",", "")):
        shown = shown.lstrip("-")
    return shown.replace(",", NO_BREAK).replace(".", ",").replace("-", MINUS)


def percent_text(percent: float, *, decimals: int | None = None) -> str:
    """Per cent, such as ``69 %``; a missing number gives an empty text."""
    return "" if pd.isna(percent) else number_text(percent, decimals=decimals) + NO_BREAK + "%"


def interval_text(lower: float, upper: float, *, decimals: int = 0) -> str:
    """An interval of per cent, such as ``62–75 %``; empty if a limit is missing."""
    if pd.isna(lower) or pd.isna(upper):
        return ""
    return f"{number_text(lower, decimals=decimals)}–{percent_text(upper, decimals=decimals)}"


def nok_text(amount: float) -> str:
    """Kroner to the nearest krone, such as ``3 200 000 kr``."""
    return "" if pd.isna(amount) else number_text(amount, decimals=0) + NO_BREAK + "kr"


def millions_text(amount: float) -> str:
    """Kroner in millions with the decimals they have, at most two: ``9,7 mill. kr``."""
    if pd.isna(amount):
        return ""
    return number_text(rounded(amount / 1e6, 2)) + NO_BREAK + "mill." + NO_BREAK + "kr"


def quantity_text(value: float, unit: str | None) -> str:
    """A number with its unit: ``69 %``, ``8 barn``, ``1 familie``, ``412``."""
    if pd.isna(value):
        return ""
    if pd.isna(unit) or unit in ("count", "score", "text"):
        return number_text(value)
    if unit == "percent":
        return percent_text(value)
    if unit == "nok":
        return nok_text(value)
    if unit == "year":
        return str(int(value))
    label = ONE_OF.get(unit, words.UNITS[unit]) if value == 1 else words.UNITS[unit]
    return number_text(value) + NO_BREAK + label


def qualified_text(text: str, qualifier: str | None) -> str:
    """The text after its qualifier: ``om lag 30``."""
    if not text or pd.isna(qualifier):
        return text
    return f"{words.QUALIFIERS[qualifier]} {text}"


def date_text(date: str | None) -> str:
    """A full or partial ISO date, or years, in words: ``24. mars 2023``, ``2021–2024``."""
    if date is None or pd.isna(date) or date == "":
        return ""
    year, _, rest = str(date).partition("-")
    if not rest:
        return year
    if len(rest) == 4 and rest.isdigit():
        return f"{year}–{rest}"
    if rest in SEASONS:
        return f"{SEASONS[rest]} {year}"
    if rest[0] == "Q":
        return f"{rest[1]}. kvartal {year}"
    if rest[0] == "H":
        return f"{'første' if rest[1] == '1' else 'andre'} halvår {year}"
    month, _, day = rest.partition("-")
    name = MONTHS[int(month) - 1]
    return f"{int(day)}. {name} {year}" if day else f"{name} {year}"


def date_span_text(start: str | None, end: str | None) -> str:
    """From one date to another, with what they share said once: ``13.–15. september 2022``."""
    first, last = date_text(start), date_text(end)
    if not last or first == last:
        return first
    if not first:
        return f"til {last}"
    full = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
    one, other = full.fullmatch(str(start)), full.fullmatch(str(end))
    if one and other and one[1] == other[1]:
        day = f"{int(one[3])}."
        if one[2] == other[2]:
            return f"{day}–{last}"
        return f"{day} {MONTHS[int(one[2]) - 1]} – {last}"
    whole_years = re.fullmatch(r"\d{4}", str(start)) and re.fullmatch(r"\d{4}", str(end))
    if whole_years:
        return f"{first}–{last}"
    month_1, month_2 = (re.fullmatch(r"(\d{4})-(\d{2})", str(d)) for d in (start, end))
    if month_1 and month_2 and month_1[1] == month_2[1]:
        return f"{MONTHS[int(month_1[2]) - 1]}–{last}"
    return f"{first} – {last}"


def joined_text(parts: Iterable[str]) -> str:
    """Parts in a sentence: ``a, b og c``."""
    given = [part for part in parts if part]
    if len(given) < 2:
        return "".join(given)
    return ", ".join(given[:-1]) + " og " + given[-1]
