"""Text and Pandoc's Markdown, told apart by type; tables as pipe tables and grid tables.

A ``str`` is text: whatever stands in it is shown as it stands. Only a ``Markdown`` has marks that
mean something. Where Markdown is written (cells, captions, source lines), ``escaped`` makes
Markdown of the text and leaves Markdown alone. An f-string, a slice or a join of Markdown is
``str`` again, and so text: who forgets ``Markdown.of`` sees the marks on the page, and nothing
that stands in a study's tables can be read as markup.

Tables are written by hand because no maintained library writes grid tables with spans whose
column widths Pandoc reads from the dashes.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "Cell",
    "Markdown",
    "bold",
    "bullets",
    "cited",
    "escaped",
    "grid_table",
    "italic",
    "one_line",
    "paragraph",
    "pipe_table",
]

SPECIAL = re.compile(r"([\\`*_\[\]{}<>|@#$^~]|&(?=#?\w+;)|^-(?= ))")
LINE_BREAKS = re.compile(r"[ \t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
KEY = re.compile(r"[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*")
LIST_NUMBER = re.compile(r"^(\d+|[A-Za-z]|[ivxlcIVXLC]+)([.)])(?= |$)")
BLOCK_START = re.compile(r"^[-+:(%=](?=.)|^[-+:=]$")
FULL_WIDTH = 100  # a line longer than Pandoc's 72 columns makes a table as wide as the page


class Markdown(str):
    """Pandoc's Markdown, in which marks mean something; any other ``str`` is text."""

    __slots__ = ()

    @classmethod
    def of(cls, *parts: str) -> Markdown:
        """The parts one after the other, the text among them escaped."""
        return cls("".join(map(escaped, parts)))


@dataclass(frozen=True)
class Cell:
    """A cell of a grid table: its blocks, text or Markdown, and how far it reaches.

    A block of Markdown that begins with ``"- "`` is an item of a list; others are paragraphs.
    """

    blocks: tuple[str, ...] = ()
    row_span: int = 1
    column_span: int = 1


def one_line(text: object) -> str:
    """Text on one line; breaks of line and page are spaces, and no others are at its ends."""
    return LINE_BREAKS.sub(" ", str(text)).strip(" ")


def escaped(text: object) -> Markdown:
    """Text as Markdown that shows it as it stands; Markdown is left as it is."""
    if isinstance(text, Markdown):
        return text
    return Markdown(SPECIAL.sub(r"\\\1", LINE_BREAKS.sub(" ", str(text))))


def paragraph(text: str) -> Markdown:
    """Text as a paragraph of Markdown, also where it begins as a list or a heading does."""
    if isinstance(text, Markdown):
        return text
    return Markdown(as_plain_start(escaped(one_line(text))))


def bold(text: str) -> Markdown:
    return Markdown(f"**{escaped(text)}**")


def italic(text: str) -> Markdown:
    return Markdown(f"*{escaped(text)}*")


def cited(key: str) -> Markdown:
    """A citation of a source, or a reference to a label; what cannot be a key is text."""
    return Markdown(f"@{key}") if KEY.fullmatch(key) else escaped(f"@{key}")


def bullets(texts: Sequence[str]) -> tuple[Markdown, ...]:
    """Blocks of a cell: one text as a paragraph, several as a list."""
    blocks = tuple(map(escaped, texts))
    return blocks if len(blocks) == 1 else tuple(Markdown(f"- {block}") for block in blocks)


def width_of(text: str) -> int:
    """Columns that a text takes, as Pandoc counts them."""
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def as_plain_start(line: str) -> str:
    """The line with a backslash where it would otherwise open a list or another block."""
    numbered = LIST_NUMBER.sub(r"\1\\\2", line)
    return "\\" + numbered if BLOCK_START.match(numbered) else numbered


def wrapped(block: str, width: int) -> list[str]:
    """Lines of one block of a cell, none of which opens a block of its own."""
    is_item = block.startswith("- ")
    lines = textwrap.wrap(
        block.removeprefix("- ") if is_item else block,
        width - (4 if is_item else 2),
        break_long_words=False,
        break_on_hyphens=False,
    )
    plain = [as_plain_start(line) for line in lines] or [""]
    if not is_item:
        return plain
    return ["- " + plain[0], *("  " + line for line in plain[1:])]


def cell_lines(cell: Cell, width: int) -> list[str]:
    """Lines of a cell: paragraphs parted by an empty line, items of a list close together."""
    lines: list[str] = []
    previous = ""
    for block in map(escaped, cell.blocks):
        together = previous.startswith("- ") and block.startswith("- ")
        if lines and not together:
            lines.append("")
        lines += wrapped(block, width)
        previous = block
    return lines


def longest_word(cell: Cell) -> int:
    """The width of the longest word, with room for list marks and backslashes."""
    blocks = map(escaped, cell.blocks)
    found = [width_of(word) for block in blocks for word in re.split(r"[ \n]", block)]
    return max(found, default=0) + 5


def pipe_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    align: str,
    widths: Sequence[float] | None = None,
) -> Markdown:
    """A pipe table.

    Parameters
    ----------
    header, rows
        Cells, text or Markdown.
    align
        One letter per column: ``l``, ``r`` or ``c``.
    widths
        Relative widths of the columns, for a table as wide as the page; ``None`` for columns as
        wide as their text.
    """
    dashes = [3] * len(header)
    if widths is not None:
        dashes = [max(3, round(width * FULL_WIDTH / sum(widths))) for width in widths]
    marks = {"l": ":{}", "r": "{}:", "c": ":{}:"}
    rule = [marks[a].format("-" * n) for a, n in zip(align, dashes, strict=True)]
    lines = [map(escaped, header), rule, *(map(escaped, row) for row in rows)]
    return Markdown("\n".join("| " + " | ".join(line) + " |" for line in lines))


def grid_table(
    header: Sequence[Sequence[Cell]],
    rows: Sequence[Sequence[Cell]],
    *,
    widths: Sequence[float],
    align: str | None = None,
) -> Markdown:
    """A grid table; its cells may hold lists and paragraphs, and span rows and columns.

    Parameters
    ----------
    header, rows
        Rows of cells from left to right. A row leaves out what a cell above or to the left
        already covers; every place of the grid is covered exactly once.
    widths
        Relative widths of the columns; the table is as wide as the page.
    align
        One letter per column, ``l``, ``r`` or ``c``; all left if not given.

    Raises
    ------
    ValueError
        If the cells leave a place uncovered or reach outside the grid.
    """
    placed, all_rows = placed_cells([*header, *rows], len(widths), header_count=len(header))
    share = [width / sum(widths) for width in widths]
    scale = float(FULL_WIDTH)
    for (_, left), cell in placed.items():
        room = sum(share[left : left + cell.column_span])
        scale = max(scale, (longest_word(cell) + 3) / room)
    inner = [max(3, round(scale * part)) for part in share]
    edges = [0]
    for width in inner:
        edges.append(edges[-1] + width + 1)

    texts = {
        (top, left): cell_lines(cell, edges[left + cell.column_span] - edges[left] - 1)
        for (top, left), cell in placed.items()
    }
    heights = [1] * all_rows
    for span in sorted({cell.row_span for cell in placed.values()}):
        for (top, left), cell in placed.items():
            if cell.row_span == span:
                room = sum(heights[top : top + span]) + span - 1
                heights[top + span - 1] += max(0, len(texts[top, left]) - room)
    levels = [0]
    for height in heights:
        levels.append(levels[-1] + height + 1)

    canvas = [[" "] * (edges[-1] + 1) for _ in range(levels[-1] + 1)]
    for (top, left), cell in placed.items():
        bottom, right = top + cell.row_span, left + cell.column_span
        for x in range(edges[left], edges[right] + 1):
            for y in (levels[top], levels[bottom]):
                canvas[y][x] = "+" if canvas[y][x] in "|+" else "-"
        for y in range(levels[top], levels[bottom] + 1):
            for x in (edges[left], edges[right]):
                canvas[y][x] = "+" if canvas[y][x] in "-+" else "|"
        for offset, line in enumerate(texts[top, left]):
            spot = edges[left] + 2
            for character in line:
                canvas[levels[top] + 1 + offset][spot] = character
                spot += 1
    for top, _left in placed:
        for x in (edge for edge in edges):
            column = canvas[levels[top]]
            if column[x] == "-" and touches_side(canvas, levels[top], x):
                column[x] = "+"
    marked = header and levels[len(header)]
    if header:
        canvas[marked] = ["=" if c == "-" else c for c in canvas[marked]]
    if align:
        line = canvas[marked or 0]
        for number, letter in enumerate(align):
            if letter in "lc":
                line[edges[number] + 1] = ":"
            if letter in "rc":
                line[edges[number + 1] - 1] = ":"
    return Markdown("\n".join("".join(line).rstrip() for line in canvas))


def touches_side(canvas: list[list[str]], y: int, x: int) -> bool:
    """Whether an upright edge meets the rule at this place."""
    above = y > 0 and canvas[y - 1][x] in "|+"
    below = y + 1 < len(canvas) and canvas[y + 1][x] in "|+"
    return above or below


def placed_cells(
    rows: Sequence[Sequence[Cell]], column_count: int, *, header_count: int
) -> tuple[dict[tuple[int, int], Cell], int]:
    """Each cell with the place of its upper left corner."""
    taken: set[tuple[int, int]] = set()
    placed: dict[tuple[int, int], Cell] = {}
    for top, row in enumerate(rows):
        left = 0
        for cell in row:
            while (top, left) in taken:
                left += 1
            reach = {
                (top + down, left + along)
                for down in range(cell.row_span)
                for along in range(cell.column_span)
            }
            last = header_count if top < header_count else len(rows)
            outside = left + cell.column_span > column_count or top + cell.row_span > last
            if outside or reach & taken:
                raise ValueError(f"cell {left + 1} in row {top + 1} does not fit the grid")
            taken |= reach
            placed[top, left] = cell
    if len(taken) != len(rows) * column_count:
        raise ValueError("the cells do not cover the grid")
    return placed, len(rows)
