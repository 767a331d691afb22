"""Values with intervals and targets, as points on a line."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import matplotlib
import pandas as pd

from evalkit import vocabulary as words
from evalkit.display import ReportFigure
from evalkit.facts import PERSON_UNITS
from evalkit.figures.chains import width_of
from evalkit.figures.style import (
    DARK,
    INK,
    LIGHT,
    MIDDLE,
    PAGE_WIDTH,
    SETTINGS,
    as_svg,
    decimal_comma,
    empty_svg,
    new_figure,
    plain_axes,
    wrapped_label,
)
from evalkit.municipalities import Municipality
from evalkit.norwegian import date_text, joined_text, qualified_text, quantity_text
from evalkit.references import source_line
from evalkit.small_counts import is_small
from evalkit.tables.layout import present, sentence
from evalkit.tables.surveys import people_text, response_text

__all__ = ["indicators_figure", "response_rates_figure"]

FULL = PAGE_WIDTH * 72  # points, as are all lengths of the indicators' figure
LEFT, RIGHT = 170, 18  # beside the axes, for the indicators' names and for labels that reach out
AXES_WIDTH = FULL - LEFT - RIGHT
AXIS_HEIGHT = 40  # for the axis' numbers and unit, and the space to the next
LABEL_SIZE, LANE = 7, 9.5
OVER, UNDER = 7.0, -13.5  # from the line to the nearest label
NAME_LETTERS = 32  # on a line of an indicator's name
HALF = 50  # per cent


def response_rates_figure(
    response: pd.DataFrame, municipality: Municipality | None = None
) -> ReportFigure:
    """Response rates with their intervals.

    Parameters
    ----------
    response
        As from ``survey_response``; surveys without a rate are passed over.
    municipality
        Shows only its surveys; ``None`` shows all municipalities'.
    """
    shown = response.loc[response["response_rate"].notna()]
    if municipality is not None:
        shown = shown.loc[shown["municipality_code"] == municipality.code]
    rows = list(shown.itertuples())[::-1]
    labels = [
        wrapped_label(row.title if municipality else f"{row.municipality_name}: {row.title}", 34)
        for row in rows
    ]
    lines = sum(label.count("\n") + 1 for label in labels)
    with matplotlib.rc_context(SETTINGS):
        figure, (axes,) = new_figure(height=0.8 + 0.16 * max(lines, 1) + 0.2 * len(rows))
        for line, row in enumerate(rows):
            axes.hlines(line, 0, 100, color="#eef2f4", linewidth=7, zorder=1)
            if present(row.lower_share):
                axes.hlines(
                    line, 100 * row.lower_share, 100 * row.upper_share, color=DARK, linewidth=2
                )
            axes.scatter(100 * row.response_rate, line, s=42, color=DARK, zorder=3)
            counts = people_text(row)
            rate = response_text(row)
            axes.annotate(
                rate + (f"\n{counts}" if counts else ""),
                (1.02, line),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=8,
            )
        axes.set_yticks(range(len(rows)), labels)
        axes.set_ylim(-0.6, max(len(rows), 1) - 0.4)
        axes.set_xlim(0, 100)
        axes.set_xlabel("Svarprosent")
        plain_axes(axes)
        svg = as_svg(figure)
    told = [
        f"{row.municipality_name}, {row.title}: {response_text(row)}"
        + (f", {people_text(row)}" if people_text(row) else "")
        for row in reversed(rows)
    ]
    where = f" i {municipality.name}" if municipality else ""
    return ReportFigure(
        svg,
        alt=f"Svarprosent{where}, punkt med 95 prosent konfidensintervall. "
        + "; ".join(told)
        + ".",
        caption=f"Svarprosent{where}, med 95 prosent konfidensintervall der antallet er kjent",
        source=source_line(shown),
    )


def indicators_figure(
    values: pd.DataFrame,
    *,
    overview: pd.DataFrame,
    municipality: Municipality,
    smallest_count: int = 5,
) -> ReportFigure:
    """Published values of a municipality's indicators against their targets, by unit.

    Parameters
    ----------
    values
        As from ``indicator_values``.
    overview
        As from ``indicator_overview``, for the targets.
    municipality
        The municipality.
    smallest_count
        Smaller counts of persons, children or families are left out.
    """
    small = values["unit"].isin(PERSON_UNITS) & is_small(values["value"], smallest_count)
    shown = values.loc[values["value"].notna() & ~small]
    aims = overview.loc[overview["target_value"].notna()]
    if shown.empty and aims.empty:
        nothing = f"Indikatorer i {municipality.name}. Ingen verdier er publisert."
        return ReportFigure(
            empty_svg(nothing), alt=nothing, caption=f"Publiserte verdier i {municipality.name}"
        )
    named = pd.concat(
        [shown[["indicator_id", "name", "unit"]], aims[["indicator_id", "name", "unit"]]]
    )
    named = named.drop_duplicates("indicator_id")
    units = list(dict.fromkeys(named["unit"])) or [""]
    panels = [
        panel_of(named.loc[named["unit"] == unit].iloc[::-1], shown, aims, unit) for unit in units
    ]
    legend = 22 if len(shown) or len(aims) else 4
    height = legend + sum(panel.height + AXIS_HEIGHT for panel in panels)
    with matplotlib.rc_context(SETTINGS):
        figure, every = new_figure(height=height / 72, nrows=len(panels))
        figure.set_layout_engine("none")
        top = height - legend
        for axes, panel in zip(every, panels, strict=True):
            top -= panel.height
            axes.set_position((LEFT / FULL, top / height, AXES_WIDTH / FULL, panel.height / height))
            top -= AXIS_HEIGHT
            draw_panel(axes, panel, shown, aims)
        handles = legend_handles(shown, aims)
        if handles:
            figure.legend(
                handles=handles, loc="upper left", ncols=3, frameon=False, borderaxespad=0.1
            )
        svg = as_svg(figure)
    return ReportFigure(
        svg,
        alt=f"Indikatorer i {municipality.name}. " + indicators_told(shown, aims),
        caption=f"Publiserte verdier og mål for indikatorer i {municipality.name}",
        source=source_line(shown, aims),
    )


@dataclass(frozen=True)
class Label:
    """A text beside a mark: where it begins and how far above the line it stands, in points."""

    text: str
    left: float
    rise: float


@dataclass(frozen=True)
class Panel:
    """The indicators of one unit, from below: where each has its line and its labels."""

    unit: str
    names: tuple[str, ...]
    indicators: tuple[str, ...]
    lines: tuple[float, ...]
    labels: tuple[tuple[Label, ...], ...]
    height: float
    end: float


def panel_of(named: pd.DataFrame, shown: pd.DataFrame, aims: pd.DataFrame, unit: str) -> Panel:
    """Where the indicators of one unit are drawn, with room for every label."""
    ids = list(named["indicator_id"])
    own, wanted = shown["indicator_id"].isin(ids), aims["indicator_id"].isin(ids)
    end = axis_end(
        [*shown.loc[own, "value"], *aims.loc[wanted, "target_value"]], is_percent=unit == "percent"
    )
    lines, labels, bottom = [], [], 0.0
    for indicator, name in zip(ids, named["name"], strict=True):
        placed = placed_labels(
            [
                (row.value, value_label(row), True)
                for row in shown.loc[shown["indicator_id"] == indicator].itertuples(index=False)
            ]
            + [
                (
                    row.target_value,
                    "mål " + dated_value(row.target_value, row.target_unit, row.due),
                    False,
                )
                for row in aims.loc[aims["indicator_id"] == indicator].itertuples(index=False)
            ],
            end=end,
        )
        name_height = 6 * wrapped_label(sentence(name), NAME_LETTERS).count("\n") + 8
        below = max(name_height, *(4 - label.rise for label in placed))
        above = max(name_height, *(label.rise + LANE for label in placed))
        lines.append(bottom + below)
        labels.append(tuple(placed))
        bottom += below + above + 4
    return Panel(
        unit,
        tuple(wrapped_label(sentence(name), NAME_LETTERS) for name in named["name"]),
        tuple(ids),
        tuple(lines),
        tuple(labels),
        max(bottom, LANE),
        end,
    )


def axis_end(values: list[float], *, is_percent: bool) -> float:
    """Where the axis ends: 100 for large shares, else a little beyond the largest value."""
    largest = max(values, default=1.0)
    return 100.0 if is_percent and largest > HALF else (1.12 * largest or 1.0)


def value_label(row) -> str:
    """The area or group that a value is of, the value, and its time."""
    of_whom = row.area if present(row.area) else row.group if present(row.group) else ""
    return joined_label(of_whom, dated_value(row.value, row.unit, row.period))


def placed_labels(marks: list[tuple[float, str, bool]], *, end: float) -> list[Label]:
    """Labels for marks at values, none over another or outside the figure.

    Labels stand over the line if their mark says so, else under it; where that place is taken,
    on the other side, then one line further out.
    """
    taken: dict[float, list[tuple[float, float]]] = {}
    labels = []
    for value, text, above in sorted(marks, key=lambda mark: (not mark[2], mark[0])):
        width = width_of(text) * LABEL_SIZE
        left = min(max(AXES_WIDTH * value / end - width / 2, 0.0), AXES_WIDTH + RIGHT - width - 2)
        rise = next(
            rise
            for out in count()
            for rise in places(above, out)
            if all(
                left > end_of_other + 6 or left + width < start - 6
                for start, end_of_other in taken.get(rise, [])
            )
        )
        taken.setdefault(rise, []).append((left, left + width))
        labels.append(Label(text, left, rise))
    return labels


def places(above: bool, out: int) -> tuple[float, float]:
    """The two places for a label so many lines further out, the better first."""
    over, under = OVER + out * LANE, UNDER - out * LANE
    return (over, under) if above else (under, over)


def draw_panel(axes, panel: Panel, shown: pd.DataFrame, aims: pd.DataFrame) -> None:
    """The indicators of one unit: own values, those of other areas or groups, targets."""
    axes.set_xlim(0, panel.end)
    axes.set_ylim(0, panel.height)
    axes.set_yticks(panel.lines, panel.names)
    unit = sentence(words.UNITS[panel.unit]) if present(panel.unit) else "Verdi"
    axes.set_xlabel(unit)
    axes.xaxis.set_major_formatter(decimal_comma())
    plain_axes(axes)
    for indicator, line, labels in zip(panel.indicators, panel.lines, panel.labels, strict=True):
        for row in shown.loc[shown["indicator_id"] == indicator].itertuples(index=False):
            is_main = row.is_own and not present(row.group)
            axes.scatter(
                row.value,
                line,
                s=48 if is_main else 34,
                marker="o" if is_main else "D",
                facecolors=DARK if is_main else "white",
                edgecolors=DARK if is_main else INK,
                zorder=3,
                clip_on=False,
            )
        for row in aims.loc[aims["indicator_id"] == indicator].itertuples(index=False):
            axes.vlines(row.target_value, line - 6, line + 6, color=MIDDLE, linewidth=3, zorder=2)
            if present(row.latest_value):
                axes.hlines(
                    line, row.latest_value, row.target_value, color=LIGHT, linewidth=1.5, zorder=1
                )
        for label in labels:
            axes.text(
                label.left * panel.end / AXES_WIDTH,
                line + label.rise,
                label.text,
                fontsize=LABEL_SIZE,
                va="baseline",
            )


def dated_value(value: float, unit: str, period: str | None) -> str:
    """A value with its time: ``13 % (2020)``."""
    when = date_text(period)
    shown = quantity_text(value, unit)
    return f"{shown} ({when})" if when else shown


def joined_label(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def legend_handles(shown: pd.DataFrame, aims: pd.DataFrame) -> list:
    """What the marks mean, for those that occur."""
    from matplotlib.lines import Line2D

    main = shown["is_own"].astype(bool) & shown["group"].isna()
    handles = []
    if main.any():
        handles.append(
            Line2D([], [], marker="o", color=DARK, linestyle="", label="Kommunens verdi")
        )
    if (~main).any():
        handles.append(
            Line2D(
                [],
                [],
                marker="D",
                markerfacecolor="white",
                markeredgecolor=INK,
                linestyle="",
                label="Andre områder eller grupper",
            )
        )
    if len(aims):
        handles.append(
            Line2D(
                [],
                [],
                marker="|",
                markersize=11,
                markeredgewidth=3,
                color=MIDDLE,
                linestyle="",
                label="Mål",
            )
        )
    return handles


def indicators_told(shown: pd.DataFrame, aims: pd.DataFrame) -> str:
    """Values and targets in words, for those who do not see the figure."""
    told = []
    names = pd.concat([shown, aims]).drop_duplicates("indicator_id")
    for indicator, name in zip(names["indicator_id"], names["name"], strict=True):
        parts = [
            joined_label(
                row.area if present(row.area) else row.group if present(row.group) else "",
                qualified_text(quantity_text(row.value, row.unit), row.qualifier),
                f"({date_text(row.period)})" if present(row.period) else "",
            )
            for row in shown.loc[shown["indicator_id"] == indicator].itertuples(index=False)
        ]
        parts += [
            f"mål {quantity_text(row.target_value, row.target_unit)}"
            for row in aims.loc[aims["indicator_id"] == indicator].itertuples(index=False)
        ]
        told.append(f"{sentence(name)}: {joined_text(parts)}.")
    return " ".join(told) or "Ingen verdier er publisert."
