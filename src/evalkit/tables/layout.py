"""How report tables are put together: columns, grouped rows, empty tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import compress, groupby

import pandas as pd

from evalkit.display import ReportTable
from evalkit.markdown import Cell, Markdown, escaped, grid_table, one_line, pipe_table
from evalkit.references import noted

__all__ = [
    "Column",
    "fitted_widths",
    "laid_out",
    "present",
    "report_table",
    "sentence",
    "text_of",
]

MOST_FOR_A_WORD = 14  # letters; longer words are hyphenated, unless spaces in them hold together
CELL_MARGIN = 1.8  # per cent of the width that a cell keeps free at its sides
LIST_MARK = 2  # letters that a bullet takes
LETTERS_PER_CENT = 1.35  # of small type across the text block; on a landscape page half more
WORD_LETTER = 1.25  # width of a letter of a word, bold or not, to one of text with its spaces
RAGGED = 1.5  # letters that a line leaves empty at its end
SHARPNESS = 6  # how near a row's height comes to that of its highest cell; higher is nearer
STEP = 0.5  # per cent of the width
NATURAL_WIDTH = 66  # the longest row that is left as wide as its text
NOTHING = "–"
CITATION = re.compile(r"@(?!(?:tbl|fig|sec|eq)-)[\w-]+")
CITED = "Forfatter og Medforfatter (2020)"  # about what a citation becomes on the page

Content = str | tuple[str, ...]  # text, or Markdown where it is of that type
Written = Markdown | tuple[Markdown, ...]


@dataclass(frozen=True)
class Column:
    """A column of a report table: its heading, its share of the width, its alignment.

    A column in which every cell is empty is left out, unless it is ``kept`` because that says
    something, such as that no municipality worked with a theme.
    """

    heading: str
    width: float = 10
    align: str = "l"
    kept: bool = False


def present(value: object) -> bool:
    """Whether a value is there to be shown."""
    return not (value is None or pd.isna(value) or value == "")


def text_of(value: object) -> str:
    """A text on one line; empty if it is missing."""
    return one_line(value) if present(value) else ""


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def laid_out(
    columns: Sequence[Column], rows: Iterable[Sequence[Content]], *, grouped: bool = False
) -> Markdown:
    """A pipe table, or a grid table where a cell holds several blocks or rows are grouped.

    Parameters
    ----------
    columns
        The columns from left to right.
    rows
        Each cell: text or Markdown, or a tuple of such blocks. An empty cell shows a dash.
    grouped
        Whether equal neighbours in the first column become one cell.
    """
    filled = [[unlisted(written(cell or NOTHING)) for cell in row] for row in rows]
    align = "".join(column.align for column in columns)
    widths = fitted_widths(columns, filled, grouped=grouped)
    headings = [escaped(column.heading) for column in columns]
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


def written(content: Content) -> Written:
    """The cell as Markdown."""
    if isinstance(content, str):
        return escaped(one_line(content) if not isinstance(content, Markdown) else content)
    return tuple(escaped(block) for block in content)


def unlisted(content: Written) -> Written:
    """The cell with a date such as ``1. juni`` at its start kept from becoming a list in Typst."""
    if isinstance(content, str):
        return Markdown(re.sub(r"^((?:- )?\d+\.) ", "\\1\u00a0", content))
    return tuple(unlisted(block) for block in content)


def fitted_widths(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Content]],
    *,
    grouped: bool = False,
    landscape: bool = False,
) -> list[float]:
    """The columns' shares of the width, in per cent, that make the table as low as they can.

    No column is narrower than its longest word needs; from there, each step of width goes to
    the column where it lowers the table most. Lines are counted with fractions, so that steps
    too small to save a whole line still go where the text is; width that saves nothing goes to
    the column with the longest text.
    """
    blocks = [
        [[CITATION.sub(CITED, block) for block in blocks_of(cell)] for cell in row] for row in rows
    ]
    letters = LETTERS_PER_CENT * (1.5 if landscape else 1)
    widths = [
        least_width([column.heading, *(block for row in blocks for block in row[n])], letters)
        for n, column in enumerate(columns)
    ]
    shared = group_sizes(rows) if grouped else [1] * len(rows)
    lengths = [
        [
            [len(block) / (size if n == 0 else 1) for block in cell]
            for cell, size in zip([row[n] for row in blocks], shared, strict=True)
        ]
        for n in range(len(columns))
    ]
    most = [max((max(cell) for cell in column), default=0) for column in lengths]

    def heights(n: int, width: float) -> list[float]:
        room = max(1.0, (width - CELL_MARGIN) * letters - RAGGED)
        return [sum(max(1.0, length / room) for length in cell) ** SHARPNESS for cell in lengths[n]]

    now = [heights(n, width) for n, width in enumerate(widths)]
    totals = [sum(cells) for cells in zip(*now, strict=True)]
    while sum(widths) + STEP <= 100:
        wider = [heights(n, width + STEP) for n, width in enumerate(widths)]
        saved = [
            sum(
                total ** (1 / SHARPNESS) - (total - before + after) ** (1 / SHARPNESS)
                for total, before, after in zip(totals, now[n], wider[n], strict=True)
            )
            for n in range(len(columns))
        ]
        best = max(range(len(columns)), key=lambda n: (round(saved[n], 9), most[n]))
        widths[best] += STEP
        now[best] = wider[best]
        totals = [sum(cells) for cells in zip(*now, strict=True)]
    return widths


def least_width(blocks: Sequence[str], letters: float) -> float:
    """Per cent of the width that the longest word needs."""
    words = [
        (LIST_MARK if block.startswith("- ") else 0)
        + (len(word) if "\u00a0" in word else min(MOST_FOR_A_WORD, len(word)))
        for block in blocks
        for word in block.removeprefix("- ").split(" ")
    ]
    return CELL_MARGIN + WORD_LETTER * max(words) / letters


def group_sizes(rows: Sequence[Sequence[Content]]) -> list[int]:
    """For each row, how many neighbours have the same first cell."""
    return [
        len(group)
        for _, found in groupby(rows, key=lambda row: row[0])
        for group in [list(found)]
        for _ in group
    ]


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

    Columns after the first in which every cell is empty are left out, unless they are ``kept``.

    Parameters
    ----------
    columns, rows, grouped
        As for ``laid_out``.
    empty
        One sentence, of text, that stands in the table's place.
    caption, source
        As for ``ReportTable``.
    note
        A line of text for the reader before the sources.
    """
    given = list(rows)
    if not given:
        return ReportTable(empty, caption=caption)
    line = noted(note, source)
    said = [
        number == 0 or column.kept or any(row[number] not in ("", (), NOTHING) for row in given)
        for number, column in enumerate(columns)
    ]
    columns = list(compress(columns, said))
    given = [list(compress(row, said)) for row in given]
    return ReportTable(laid_out(columns, given, grouped=grouped), caption=caption, source=line)
