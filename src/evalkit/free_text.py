"""What the texts of a study's tables may tell of persons that no rule for counts can hide.

Only the place is told, never the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

import pandas as pd

from evalkit.contracts import CONTRACTS, columns_of
from evalkit.settings import StudySettings
from evalkit.small_counts import is_small
from evalkit.vocabulary import FIRST_NAMES, NUMBER_WORDS

__all__ = ["free_text_breaches"]

COUNT = r"(\d{1,5}|" + "|".join(NUMBER_WORDS) + r")"
# what is counted is no person: places, plans and time
THINGS = (
    "prosent|%|kommune|region|fylke|tiltak|mål|indikator|skole|barnehage|tjeneste|år|måned|punkt"
)
SHARE = re.compile(
    rf"\b{COUNT} av (?:de |i alt |totalt )?{COUNT}\b(?! ?(?:{THINGS}))", re.IGNORECASE
)
ELEVEN = re.compile(r"(?<![\d/.-])\d{6}[ -]?\d{5}(?![\d/.-])")
NAME = re.compile(rf"\b(?:{'|'.join(FIRST_NAMES)})(?: [A-ZÆØÅ][a-zæøå]+)+\b")
EXPECTED = {
    "a number of eleven digits": "no number that may be a person's",
    "what looks like a person's name": "a role instead",
    "a count of few persons": "it left out, or in a column that the rule for counts reaches",
}


def free_text_breaches(
    tables: Mapping[str, pd.DataFrame], settings: StudySettings
) -> Iterator[tuple[str, str]]:
    """Texts with a number of eleven digits, what looks like a name, or few of some persons.

    Parameters
    ----------
    tables
        The study's tables, by name.
    settings
        The study's settings: texts whose place is named in ``counts_decided`` are passed over, and
        counts of a study that shows others' counts as published. A synthetic study has no persons.

    Yields
    ------
    tuple of str
        File, and what stands in which rows and column. The text is never told.
    """
    if settings.synthetic:
        return
    for name, table in tables.items():
        row_id, texts = _columns(name)
        for column in texts:
            given = table[column].dropna()
            if (name, column) == ("facts", "value"):
                given = given.loc[table.loc[given.index, "unit"] == "text"]  # others are numbers
            given = given.loc[given.map(lambda text: isinstance(text, str))]
            for what, found in _found(given, settings):
                rows = [
                    row
                    for row in found.index
                    if not _decided(name, table, row_id, row, column, settings)
                ]
                if rows:
                    numbers = ", ".join(str(row + 2) for row in rows[:8])
                    more = " ..." if len(rows) > 8 else ""
                    plural = "row" if len(rows) == 1 else "rows"
                    yield (
                        f"{name}.csv",
                        f"{column}: {what} in {plural} {numbers}{more}; expected {EXPECTED[what]}, or "
                        f"{_place(name, table, row_id, rows[0], column)!r} in [counts_decided] of "
                        "study.toml with the reason",
                    )


def _columns(name: str) -> tuple[str | None, list[str]]:
    """The column that names a table's rows, and those with texts in the study's own words."""
    columns = columns_of(CONTRACTS[name])
    row_id = next((c for c in columns if columns[c].unique and c.endswith("_id")), None)
    texts = [
        column
        for column, description in columns.items()
        if not description.checks
        and str(description.dtype).startswith("str")
        and not (description.metadata or {}).get("references")
        and column != "locator"
    ]
    return row_id, texts


def _found(given: pd.Series, settings: StudySettings) -> Iterator[tuple[str, pd.Series]]:
    asked = {"a number of eleven digits": lambda text: bool(ELEVEN.search(text))}
    asked["what looks like a person's name"] = lambda text: bool(NAME.search(text))
    if not settings.published_tables:
        few = settings.smallest_count
        asked["a count of few persons"] = lambda text: any(
            _few(share[1], share[2], few) for share in SHARE.finditer(text)
        )
    for what, tells in asked.items():
        found = given.loc[given.map(tells).astype(bool)]
        if len(found):
            yield what, found


def _few(count: str, base: str, smallest_count: int) -> bool:
    """Whether some of a base are few, or all but a few."""
    some, every = (
        int(number) if number.isdigit() else NUMBER_WORDS[number.lower()]
        for number in (count, base)
    )
    if some > every:
        return False
    return any(is_small(number, smallest_count) for number in (some, every, every - some))


def _place(name: str, table: pd.DataFrame, row_id: str | None, row: int, column: str) -> str:
    """How a text is named in ``counts_decided``: table, row and column."""
    return f"{name}.{table.at[row, row_id] if row_id else row + 2}.{column}"


def _decided(
    name: str,
    table: pd.DataFrame,
    row_id: str | None,
    row: int,
    column: str,
    settings: StudySettings,
) -> bool:
    place = _place(name, table, row_id, row, column)
    return any(fnmatchcase(place, pattern) for pattern in settings.counts_decided)
