"""A logic model as a chain of boxes from resources to impact."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, permutations

import matplotlib
import pandas as pd
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon

from evalkit import vocabulary as words
from evalkit.display import ReportFigure
from evalkit.figures.style import DARK, INK, LIGHT, SETTINGS, as_svg
from evalkit.municipalities import Municipality
from evalkit.norwegian import joined_text, number_text
from evalkit.references import source_line
from evalkit.tables.layout import sentence, text_of
from evalkit.tables.measures import STATUS_SYMBOLS, model_name

__all__ = ["logic_model_figure"]

WIDTH, MOST_HEIGHT = 9.7, 5.9  # inches that a landscape page has room for
FONT_SIZES = (7.5, 7.0, 6.5)  # points; the largest with which the model fits
LINE = 1.24  # height of a line, in letter sizes
GAP = 0.17  # between columns, for the arrows
PAD = 0.055  # inside a box
ROW_GAP, PAIR_GAP = 0.11, 0.035  # between rows; between a row and its indicators
HEADER, LEGEND = 0.36, 0.24
NARROWEST = 0.95
SHORTER = (  # statements in a box, whether indicators have boxes, letters of a statement
    *((4, True, 90), (2, True, 90), (1, True, 90), (1, True, 60), (2, False, 90)),
    *((1, False, 90), (1, False, 70), (1, False, 60), (1, False, 50), (1, False, 40)),
)
BADGE = 0.13  # height of the mark that counts the indicators of a box
STEP = 0.08  # by which columns are widened and narrowed
FIRST_MEASURED = 3  # participation: from here on, a row of indicators holds indicators


@dataclass(frozen=True)
class Layout:
    """Where everything stands, in inches from the upper left corner."""

    size: float
    lefts: tuple[float, ...]
    widths: tuple[float, ...]
    tops: tuple[float, ...]
    heights: tuple[float, ...]

    @property
    def height(self) -> float:
        return self.tops[-1] + self.heights[-1] + LEGEND

    def box(self, cell: dict) -> tuple[float, float, float, float]:
        """Left, top, width and height of a cell."""
        first, last = cell["column_number"] - 1, cell["column_number"] + cell["column_span"] - 2
        top, bottom = cell["row"] - 1, cell["row"] + cell["row_span"] - 2
        left = self.lefts[first]
        return (
            left,
            self.tops[top],
            self.lefts[last] + self.widths[last] - left,
            self.tops[bottom] + self.heights[bottom] - self.tops[top],
        )


@lru_cache
def measuring_font(bold: bool) -> FT2Font:
    properties = font_manager.FontProperties(
        family="DejaVu Sans", weight="bold" if bold else "normal"
    )
    font = FT2Font(font_manager.findfont(properties))
    font.set_size(100, 72)
    return font


@lru_cache(maxsize=20000)
def width_of(text: str, bold: bool = False) -> float:
    """Width of a text in letter sizes."""
    font = measuring_font(bold)
    font.set_text(text, 0.0)
    return font.get_width_height()[0] / 64 / 100


@lru_cache(maxsize=50000)
def broken(text: str, room: float) -> tuple[str, ...]:
    """Lines of a text that each fit the room, in letter sizes."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer) <= room:
            lines[-1] = longer
            continue
        while width_of(word) > room and len(word) > 4:
            cut = next(
                (n for n in range(len(word) - 2, 2, -1) if width_of(word[:n] + "-") <= room), 3
            )
            lines.append(word[:cut] + "-")
            word = word[cut:]
        lines.append(word)
    return tuple(lines)


def cell_lines(cell: dict, width: float, size: float) -> list[tuple[str, str]]:
    """Lines of a box as (mark, text): the mark stands before the first line of a statement."""
    statements = list(zip(cell["texts"], cell["statuses"], strict=True))
    marked = len(statements) > 1 or any(status for _, status in statements)
    room = (width - 2 * PAD) * 72 / size - (1.25 if marked else 0)
    lines = [("", "Indikatorer")] if cell["titled"] else []
    for text, status in statements:
        mark = (STATUS_SYMBOLS[status] if status else "•") if marked else ""
        parts = broken(sentence(text), room)
        lines += [(mark, parts[0]), *(("", part) for part in parts[1:])]
    return lines


def arranged(cells: list[dict], widths: tuple[float, ...], size: float) -> Layout:
    """Heights of the rows when the columns have these widths."""
    count = max(cell["row"] + cell["row_span"] - 1 for cell in cells)
    kinds = {cell["row"]: cell["row_kind"] for cell in cells}
    filled = {
        row
        for cell in cells
        if cell["texts"]
        for row in (
            [cell["row"]] if cell["row_span"] == 1 else [cell["row"] + cell["row_span"] - 1]
        )
    }
    gaps = [
        PAIR_GAP if kinds.get(row + 1) == "indicator" else ROW_GAP for row in range(1, count + 1)
    ]
    gaps = [gap if row in filled else 0.0 for row, gap in enumerate(gaps, start=1)]
    heights = [0.2 if row in filled else 0.0 for row in range(1, count + 1)]
    for cell in sorted(cells, key=lambda c: c["row_span"]):
        if not cell["texts"]:
            continue
        first = cell["column_number"] - 1
        width = sum(widths[first : first + cell["column_span"]]) + GAP * (cell["column_span"] - 1)
        needed = len(cell_lines(cell, width, size)) * LINE * size / 72 + 2 * PAD
        rows = range(cell["row"] - 1, cell["row"] + cell["row_span"] - 1)
        room = sum(heights[row] for row in rows) + sum(gaps[row] for row in list(rows)[:-1])
        for row in rows:
            heights[row] += max(0.0, needed - room) / len(rows)
    lefts, tops = [0.0], [HEADER]
    for width in widths[:-1]:
        lefts.append(lefts[-1] + width + GAP)
    for height, gap in zip(heights[:-1], gaps[:-1], strict=True):
        tops.append(tops[-1] + height + gap)
    return Layout(size, tuple(lefts), tuple(widths), tuple(tops), tuple(heights))


def best_layout(cells: list[dict], width: float, size: float) -> Layout:
    """Column widths that make the model lowest, found by small steps from equal columns."""
    columns = len(words.LOGIC_COLUMNS)
    widths = ((width - GAP * (columns - 1)) / columns,) * columns
    best = arranged(cells, widths, size)
    while True:
        tried = []
        for giver, taker in permutations(range(columns), 2):
            changed = list(best.widths)
            changed[giver] -= STEP
            changed[taker] += STEP
            if changed[giver] >= NARROWEST:
                tried.append(arranged(cells, tuple(changed), size))
        lowest = min(tried, key=lambda layout: layout.height)
        if lowest.height >= best.height - 1e-6:
            return best
        best = lowest


def shortened(cells: list[dict], *, most: int, indicators: bool, longest: int) -> list[dict]:
    """The model with so many statements in each row of a box, and the number of those left out.

    Statements end after ``longest`` letters in each column that their box reaches over. Without ``indicators``, the boxes of indicators
    are emptied and counted on the boxes that they follow, and rows that hold nothing afterwards
    are drawn together.
    """
    short = []
    for cell in cells:
        texts, statuses = cell["texts"], cell["statuses"]
        if cell["is_indicator"] and not indicators:
            texts, statuses = (), ()
        room, shown = longest * cell["column_span"], most * cell["row_span"]
        more = left_out(statuses[shown:]) if len(texts) > shown else ""
        texts, statuses = texts[:shown], statuses[:shown]
        texts = tuple(text if len(text) <= room else cut_short(text, room) for text in texts)
        if more:
            texts = (*texts[:-1], f"{texts[-1]} {more}")
        short.append({**cell, "texts": texts, "statuses": statuses})
    if not indicators:
        for cell in cells:
            box = followed_box(cell, short) if cell["is_indicator"] else None
            if box is not None:
                box["indicator_count"] = box.get("indicator_count", 0) + len(cell["texts"])
    return short


def left_out(statuses: tuple) -> str:
    """How many statements a box does not show, and their statuses."""
    states = [
        f"{symbol}\u00a0{number_text(statuses.count(status))}"
        for status, symbol in STATUS_SYMBOLS.items()
        if status in statuses
    ]
    count = f"+{number_text(len(statuses))}"
    return f"({count}: {', '.join(states)})".replace(" ", "\u00a0") if states else f"({count})"


def followed_box(indicators: dict, cells: list[dict]) -> dict | None:
    """The drawn box that indicators belong to: the nearest one above in their own columns."""
    first = indicators["column_number"]
    last = first + indicators["column_span"] - 1
    above = [
        cell
        for cell in cells
        if cell["texts"] and not cell["is_indicator"] and cell["row"] < indicators["row"]
    ]

    def distance(cell: dict) -> tuple[int, int]:
        cell_last = cell["column_number"] + cell["column_span"] - 1
        beside = max(0, first - cell_last, cell["column_number"] - last)
        return beside, indicators["row"] - cell["row"]

    return min(above, key=distance, default=None)


def cut_short(text: str, longest: int) -> str:
    """The beginning of a text, up to a whole word."""
    start = text[:longest]
    return (start.rpartition(" ")[0] or start).rstrip(",;:") + " …"


def chosen_layout(cells: list[dict]) -> tuple[list[dict], Layout, float]:
    """What is drawn, how, and the figure's width.

    The layout with the largest letters that fits a landscape page. A model too long even for
    the smallest letters is shortened step by step, and one of the many rows that then remain is
    drawn wider, in the page's proportions.
    """
    for size in FONT_SIZES:
        layout = best_layout(cells, WIDTH, size)
        if layout.height <= MOST_HEIGHT:
            return cells, layout, WIDTH
    for most, indicators, longest in SHORTER:
        short = shortened(cells, most=most, indicators=indicators, longest=longest)
        layout = best_layout(short, WIDTH, FONT_SIZES[-1])
        if layout.height <= MOST_HEIGHT:
            return short, layout, WIDTH
    width = WIDTH
    while layout.height > MOST_HEIGHT * width / WIDTH:
        width += 0.4
        layout = best_layout(short, width, FONT_SIZES[-1])
    return short, layout, width


def logic_model_figure(
    frame: pd.DataFrame, municipality: Municipality, *, title: str
) -> ReportFigure:
    """A logic model as a chain of boxes; it needs a landscape page.

    Arrows lead from each box to the next in its row. Activities bear their status as a symbol,
    explained under the model; indicators have dashed boxes under what they follow.

    Parameters
    ----------
    frame
        As from ``logic_model_frame``.
    municipality
        The municipality whose model it is.
    title
        The model's title.
    """
    cells = drawn_cells(frame)
    with matplotlib.rc_context(SETTINGS):
        drawn, layout, width = chosen_layout(cells)
        figure = Figure(figsize=(width, layout.height))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(-0.03, width + 0.03)
        axes.set_ylim(layout.height, 0)
        axes.set_axis_off()
        draw_header(axes, layout)
        for cell in drawn:
            if cell["texts"]:
                draw_box(axes, cell, layout)
        for cell in drawn:
            if cell.get("indicator_count"):
                draw_badge(axes, cell, layout)
        for start, end in steps(drawn):
            draw_arrow(axes, start, end, layout)
        draw_legend(axes, drawn, layout, is_short=drawn is not cells)
        svg = as_svg(figure)
    name = model_name(title, municipality)
    return ReportFigure(
        svg,
        alt=f"{name}. Kjede fra ressurser til samfunnseffekt. {told(cells)}",
        caption=f"{text_of(name)}: kjeden fra ressurser til samfunnseffekt",
        source=source_line(frame),
    )


def drawn_cells(frame: pd.DataFrame) -> list[dict]:
    """The cells, with what is drawn as indicators and which box names them in its row.

    In rows of indicators, resources and activities without an indicator of their own are
    details of the row above, not indicators.
    """
    cells = frame.to_dict("records")
    named: set[int] = set()
    for cell in cells:
        follows = cell["column_number"] + cell["column_span"] - 1 >= FIRST_MEASURED
        cell["is_indicator"] = cell["row_kind"] == "indicator" and bool(
            cell["texts"] and (cell["indicator_ids"] or follows)
        )
        cell["titled"] = cell["is_indicator"] and cell["row"] not in named
        if cell["titled"]:
            named.add(cell["row"])
    return cells


def draw_header(axes, layout: Layout) -> None:
    """The six columns' names, as arrows that point on."""
    for number, label in enumerate(words.LOGIC_COLUMNS.values()):
        left, right = layout.lefts[number], layout.lefts[number] + layout.widths[number]
        is_last = number == len(words.LOGIC_COLUMNS) - 1
        tip, middle, bottom = 0 if is_last else 0.11, (HEADER - 0.08) / 2, HEADER - 0.08
        shape = [(left, 0), (right, 0), (right + tip, middle), (right, bottom), (left, bottom)]
        if number:
            shape.append((left + 0.11, middle))
        axes.add_patch(Polygon(shape, closed=True, facecolor=DARK, edgecolor="none"))
        axes.text(
            left + layout.widths[number] / 2 + (0.06 if number else 0.02),
            middle,
            label.replace(" (", "\n("),
            ha="center",
            va="center",
            color="white",
            fontsize=7.2,
            fontweight="bold",
            linespacing=1.05,
        )


def draw_box(axes, cell: dict, layout: Layout) -> None:
    """A cell with its statements."""
    left, top, width, height = layout.box(cell)
    is_indicator = cell["is_indicator"]
    axes.add_patch(
        FancyBboxPatch(
            (left, top),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.04",
            facecolor="white" if is_indicator else "#eef3f6",
            edgecolor="#7d8a91" if is_indicator else "#8fa3ae",
            linestyle=(0, (3, 2)) if is_indicator else "-",
            linewidth=0.7,
        )
    )
    line_height = LINE * layout.size / 72
    lines = cell_lines(cell, width, layout.size)
    indent = 1.25 * layout.size / 72 if any(mark for mark, _ in lines) else 0
    for number, (mark, text) in enumerate(lines):
        baseline = top + PAD + (number + 0.8) * line_height
        is_title = cell["titled"] and number == 0
        style = {"fontsize": layout.size, "va": "baseline"}
        if mark:
            axes.text(left + PAD, baseline, mark, color=INK, **style)
        axes.text(
            left + PAD + (0 if is_title else indent),
            baseline,
            text,
            color=DARK if is_title else INK,
            fontweight="bold" if is_title else "normal",
            **style,
        )


def draw_badge(axes, cell: dict, layout: Layout) -> None:
    """The number of a box's indicators, in a dashed frame at its upper edge."""
    left, top, width, _ = layout.box(cell)
    text = number_text(cell["indicator_count"])
    wide = width_of(text) * layout.size / 72 + 0.09
    right = left + width - 0.05
    axes.add_patch(
        FancyBboxPatch(
            (right - wide, top + 0.03 - BADGE),
            wide,
            BADGE,
            boxstyle="round,pad=0,rounding_size=0.03",
            facecolor="white",
            edgecolor="#7d8a91",
            linestyle=(0, (2, 1)),
            linewidth=0.7,
            zorder=4,
        )
    )
    axes.text(
        right - wide / 2,
        top + 0.033 - BADGE / 2,
        text,
        fontsize=layout.size,
        color=DARK,
        ha="center",
        va="center",
        zorder=5,
    )


def steps(cells: list[dict]) -> list[tuple[dict, dict]]:
    """Boxes that follow on each other in a row of the model's logic."""
    found = []
    for row in sorted({cell["row"] for cell in cells}):
        across = [
            cell
            for cell in sorted(cells, key=lambda c: c["column_number"])
            if cell["texts"]
            and cell["row_kind"] == "logic"
            and cell["row"] <= row < cell["row"] + cell["row_span"]
        ]
        for start, end in pairwise(across):
            if row in (start["row"], end["row"]) and (start, end) not in found:
                found.append((start, end))
    return found


def draw_arrow(axes, start: dict, end: dict, layout: Layout) -> None:
    """From one box to the next, at the height of the lower one's middle."""
    left_1, top_1, width_1, height_1 = layout.box(start)
    left_2, top_2, _, height_2 = layout.box(end)
    shared_top, shared_bottom = max(top_1, top_2), min(top_1 + height_1, top_2 + height_2)
    middle = (shared_top + shared_bottom) / 2
    axes.add_patch(
        FancyArrowPatch(
            (left_1 + width_1 + 0.015, middle),
            (left_2 - 0.015, middle),
            arrowstyle="-|>",
            mutation_scale=7,
            linewidth=0.9,
            color=DARK,
            shrinkA=0,
            shrinkB=0,
        )
    )


def draw_legend(axes, cells: list[dict], layout: Layout, *, is_short: bool) -> None:
    """What the marks mean, for those that occur."""
    used = {status for cell in cells for status in cell["statuses"] if status}
    parts = [
        f"{symbol} {words.ACTIVITY_STATUS[status]}"
        for status, symbol in STATUS_SYMBOLS.items()
        if status in used
    ]
    if any(cell["is_indicator"] and cell["texts"] for cell in cells):
        parts.append("Stiplet ramme: indikatorer")
    if any(cell.get("indicator_count") for cell in cells):
        parts.append("Tall i stiplet ramme: antall indikatorer")
    if is_short:
        parts.append("(+2): to utsagn til; tabellen over modellen har hele teksten")
    axes.text(
        0, layout.height - 0.06, "     ".join(parts), fontsize=layout.size, color=INK, va="baseline"
    )
    if parts:
        axes.plot(
            [0, layout.lefts[-1] + layout.widths[-1]],
            [layout.height - LEGEND + 0.05] * 2,
            color=LIGHT,
            linewidth=0.5,
        )


def told(cells: list[dict]) -> str:
    """How much each column holds, in words."""
    parts = []
    for column, label in words.LOGIC_COLUMNS.items():
        count = sum(
            len(cell["texts"])
            for cell in cells
            if cell["column"] == column and cell["row_kind"] == "logic"
        )
        if count:
            parts.append(f"{label.split(' (')[0].lower()} {number_text(count)}")
    indicators = sum(len(cell["texts"]) for cell in cells if cell["is_indicator"])
    if indicators:
        parts.append(f"indikatorer {number_text(indicators)}")
    statuses = [status for cell in cells for status in cell["statuses"] if status]
    states = [
        f"{number_text(statuses.count(status))} {label}"
        for status, label in words.ACTIVITY_STATUS.items()
        if status in statuses
    ]
    text = f"Antall utsagn: {joined_text(parts)}."
    if states:
        text += f" Av aktivitetene er {joined_text(states)}."
    return text + " Tabellen med samme modell har hele teksten."
