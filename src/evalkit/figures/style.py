"""How figures look: one typeface, few colours that differ in grey too, SVG that never varies."""

from __future__ import annotations

import io
import textwrap

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from evalkit.norwegian import number_text

__all__ = [
    "DARK",
    "INK",
    "LIGHT",
    "MIDDLE",
    "PAGE_WIDTH",
    "as_svg",
    "decimal_comma",
    "empty_svg",
    "finished",
    "new_figure",
    "plain_axes",
    "told",
    "wrapped_label",
]

PAGE_WIDTH = 6.3  # inches between the margins of a page
INK = "#1f2a30"
DARK = "#0b5070"  # what the figure is about
MIDDLE = "#c96a12"  # what it is held against: darker in grey than LIGHT, lighter than DARK
LIGHT = "#b9c6cd"  # the others

SETTINGS = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "text.color": INK,
    "text.parse_math": False,  # a name may hold a $
    "axes.labelcolor": INK,
    "axes.edgecolor": "#7d8a91",
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "path",
    "svg.hashsalt": "evalkit",
    "axes.unicode_minus": True,
}


def new_figure(
    *, height: float, width: float = PAGE_WIDTH, panels: int = 1, **options
) -> tuple[Figure, list[Axes]]:
    """A figure with panels side by side, in inches; ``options`` are those of ``subplots``."""
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        shape = {"nrows": 1, "ncols": panels, **options}
        axes = figure.subplots(squeeze=False, **shape).ravel().tolist()
    return figure, axes


def as_svg(figure: Figure) -> str:
    """The figure as SVG text, the same for the same figure on every day.

    ``savefig`` would draw it twice, once only to find its layout.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context(SETTINGS):
        figure.dpi = 72  # points, as in SVG
        if (layout := figure.get_layout_engine()) is not None:
            layout.execute(figure)
            figure.set_layout_engine("none")
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def finished(figure: Figure, *, synthetic: bool) -> str:
    """The figure as SVG, marked where the data are synthetic."""
    if synthetic:
        figure.supxlabel("syntetisk", fontsize=7.5, ha="right", x=0.995, gid="syntetisk")
    return as_svg(figure)


def told(text: str, *, synthetic: bool) -> str:
    """An alternative text that says first that the data are synthetic, where they are."""
    return f"Syntetisk: {text}" if synthetic else text


def empty_svg(text: str) -> str:
    """A low figure that only says what there is nothing of."""
    with matplotlib.rc_context(SETTINGS):
        figure, (axes,) = new_figure(height=0.5)
        axes.set_axis_off()
        axes.text(0.0, 0.5, text, transform=axes.transAxes, va="center", fontsize=9)
        return as_svg(figure)


def plain_axes(axes: Axes, *, grid: str | None = "x") -> None:
    """Only the axis that is read, with a light grid across it."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", length=3)
    if grid:
        axes.grid(axis=grid, color="#dfe5e8", linewidth=0.7)
    axes.set_axisbelow(True)


def decimal_comma(decimals: int | None = None) -> FuncFormatter:
    """Numbers on an axis with decimal comma."""
    return FuncFormatter(lambda value, _: number_text(value, decimals=decimals))


def wrapped_label(text: str, width: int) -> str:
    """A label over several lines."""
    return "\n".join(textwrap.wrap(text, width, break_long_words=False))
