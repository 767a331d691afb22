"""Tables as Pandoc's Markdown: pipe tables, and grid tables with lists and spans.

Written by hand because no maintained library writes grid tables with spans whose column widths
Pandoc reads from the dashes.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Cell", "bullets", "escaped", "grid_table", "pipe_table", "unescaped"]

SPECIAL = re.compile(r"([\\`*_\[\]{}<>|@#$^~])")
LIST_NUMBER = re.compile(r"^(\d+|[A-Za-z]|[ivxlcIVXLC]+)([.)])(?= |$)")
BLOCK_START = re.compile(r"^[-+:(%=](?=.)|^[-+:=]$")
FULL_WIDTH = 100  # a line longer than Pandoc's 72 columns makes a table as wide as the page


@dataclass(frozen=True)
class Cell:
    """A cell of a grid table: its blocks of Markdown, and how far it reaches.

    A block that begins with ``"- "`` is an item of a list; other blocks are paragraphs. Text in
    blocks is already escaped.
    """

    blocks: tuple[str, ...] = ()
    row_span: int = 1
    column_span: int = 1


def escaped(text: object) -> str:
    """Text in which Markdown sees no markup, on one line."""
    return SPECIAL.sub(r"\\\1", re.sub(r"[ \t\r\n]+", " ", str(text)).strip(" "))


def unescaped(text: str) -> str:
    """Text of Markdown without its backslashes, for alt texts and plain output."""
    return re.sub(r"\\([^\w\s])", r"\1", text)


def bullets(texts: Sequence[str]) -> tuple[str, ...]:
    """Blocks of a cell: one text as a paragraph, several as a list."""
    return tuple(texts) if len(texts) == 1 else tuple(f"- {text}" for text in texts)


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
    for block in cell.blocks:
        together = previous.startswith("- ") and block.startswith("- ")
        if lines and not together:
            lines.append("")
        lines += wrapped(block, width)
        previous = block
    return lines


def longest_word(cell: Cell) -> int:
    """The width of the longest word, with room for list marks and backslashes."""
    found = [width_of(word) for block in cell.blocks for word in re.split(r"[ \n]", block)]
    return max(found, default=0) + 5


def pipe_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    align: str,
    widths: Sequence[float] | None = None,
) -> str:
    """A pipe table.

    Parameters
    ----------
    header, rows
        Cells, already escaped; one line each.
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
    lines = [header, rule, *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def grid_table(
    header: Sequence[Sequence[Cell]],
    rows: Sequence[Sequence[Cell]],
    *,
    widths: Sequence[float],
    align: str | None = None,
) -> str:
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
    return "\n".join("".join(line).rstrip() for line in canvas)


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
