"""How report tables are put together: columns, grouped rows, empty tables."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from evalkit.display import ReportTable
from evalkit.markdown import Cell, escaped, grid_table, pipe_table

__all__ = ["Column", "laid_out", "present", "report_table", "sentence", "text_of"]

MOST_FOR_A_WORD = 24.0  # per cent of the width; longer words are hyphenated
WORD_MARGIN, LIST_MARGIN = 3.0, 2.5  # beside a word, where a letter takes about one
LETTERS_PER_CENT = 1.25  # of small type across the text block
STEP = 2.0  # per cent of the width
NATURAL_WIDTH = 66  # the longest row that is left as wide as its text
NOTHING = "–"

Content = str | tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """A column of a report table: its heading, its share of the width, its alignment."""

    heading: str
    width: float = 10
    align: str = "l"


def present(value: object) -> bool:
    """Whether a value is there to be shown."""
    return not (value is None or pd.isna(value) or value == "")


def text_of(value: object) -> str:
    """A text with nothing in it that Markdown reads as markup; empty if it is missing."""
    return escaped(value) if present(value) else ""


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def laid_out(
    columns: Sequence[Column], rows: Iterable[Sequence[Content]], *, grouped: bool = False
) -> str:
    """A pipe table, or a grid table where a cell holds several blocks or rows are grouped.

    Parameters
    ----------
    columns
        The columns from left to right.
    rows
        Markdown for each cell: a text, or a tuple of blocks. An empty cell shows a dash.
    grouped
        Whether equal neighbours in the first column become one cell.
    """
    filled = [[unlisted(cell or NOTHING) for cell in row] for row in rows]
    align = "".join(column.align for column in columns)
    widths = fitted_widths(columns, filled)
    headings = [column.heading for column in columns]
    if not grouped and all(isinstance(cell, str) for row in filled for cell in row):
        longest = max(sum(len(cell) + 3 for cell in row) for row in [headings, *filled])
        return pipe_table(
            headings, filled, align=align, widths=widths if longest > NATURAL_WIDTH else None
        )
    header = [[Cell((heading,)) for heading in headings]]
    body = [[Cell(blocks_of(cell)) for cell in row] for row in filled]
    if grouped:
        body = with_groups(filled)
    return grid_table(header, body, widths=widths, align=align)


def unlisted(content: Content) -> Content:
    """The cell with a date such as ``1. juni`` at its start kept from becoming a list in Typst."""
    if isinstance(content, str):
        return re.sub(r"^((?:- )?\d+\.) ", "\\1\u00a0", content)
    return tuple(unlisted(block) for block in content)


def fitted_widths(columns: Sequence[Column], rows: Sequence[Sequence[Content]]) -> list[float]:
    """The columns' shares of the width, in per cent, that make the table as low as they can.

    No column is narrower than its longest word needs; from there, each step of width goes to
    the column where it saves most lines.
    """
    blocks = [[list(blocks_of(cell)) for cell in row] for row in rows]
    widths = [
        min(
            MOST_FOR_A_WORD,
            WORD_MARGIN
            + max(
                len(word) + (LIST_MARGIN if block.startswith("- ") else 0)
                for block in [column.heading, *(b for row in blocks for b in row[n])]
                for word in block.split(" ")
            ),
        )
        for n, column in enumerate(columns)
    ]
    lengths = [[[len(block) for block in cell] for cell in row] for row in blocks]

    def lines(n: int, width: float) -> list[int]:
        room = max(1.0, width * LETTERS_PER_CENT - WORD_MARGIN)
        return [sum(math.ceil(length / room) or 1 for length in row[n]) for row in lengths]

    heights = [lines(n, width) for n, width in enumerate(widths)]
    while sum(widths) + STEP <= 100 and len(columns) > 1:
        wider = [lines(n, width + STEP) for n, width in enumerate(widths)]
        others = [
            [max(h[row] for m, h in enumerate(heights) if m != n) for row in range(len(rows))]
            for n in range(len(columns))
        ]
        saved = [
            sum(
                max(before, rest) - max(after, rest) + (before - after) / 100
                for before, after, rest in zip(heights[n], wider[n], others[n], strict=True)
            )
            for n in range(len(columns))
        ]
        best = max(range(len(columns)), key=lambda n: (saved[n], columns[n].width))
        widths[best] += STEP
        heights[best] = wider[best]
    return widths


def blocks_of(content: Content) -> tuple[str, ...]:
    return (content,) if isinstance(content, str) else content


def with_groups(rows: Sequence[Sequence[Content]]) -> list[list[Cell]]:
    """Cells of the rows, with equal neighbours in the first column joined."""
    body: list[list[Cell]] = []
    for number, row in enumerate(rows):
        cells = [Cell(blocks_of(cell)) for cell in row[1:]]
        if number == 0 or rows[number - 1][0] != row[0]:
            same = number + 1
            while same < len(rows) and rows[same][0] == row[0]:
                same += 1
            cells.insert(0, Cell(blocks_of(row[0]), row_span=same - number))
        body.append(cells)
    return body


def report_table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[Content]],
    *,
    empty: str,
    caption: str | None = None,
    source: str | None = None,
    grouped: bool = False,
    note: str | None = None,
) -> ReportTable:
    """A report table, or the sentence ``empty`` where there is no row.

    Parameters
    ----------
    columns, rows, grouped
        As for ``laid_out``.
    empty
        One sentence that stands in the table's place.
    caption, source
        As for ``ReportTable``.
    note
        A line for the reader before the sources, already escaped.
    """
    given = list(rows)
    if not given:
        return ReportTable(empty, caption=caption)
    line = f"{note} {source}" if note and source else note or source
    return ReportTable(laid_out(columns, given, grouped=grouped), caption=caption, source=line)
