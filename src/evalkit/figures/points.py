"""Values with intervals and targets, as points on a line."""

from __future__ import annotations

import matplotlib
import pandas as pd

from evalkit import vocabulary as words
from evalkit.display import ReportFigure
from evalkit.facts import PERSON_UNITS
from evalkit.figures.style import (
    DARK,
    INK,
    LIGHT,
    MIDDLE,
    SETTINGS,
    as_svg,
    decimal_comma,
    new_figure,
    plain_axes,
    wrapped_label,
)
from evalkit.municipalities import Municipality
from evalkit.norwegian import date_text, joined_text, qualified_text, quantity_text
from evalkit.references import source_line
from evalkit.tables.layout import present, sentence
from evalkit.tables.surveys import people_text, response_text

__all__ = ["indicators_figure", "response_rates_figure"]


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
    small = values["unit"].isin(PERSON_UNITS) & values["value"].between(
        0, smallest_count, "neither"
    )
    shown = values.loc[values["value"].notna() & ~small]
    aims = overview.loc[overview["target_value"].notna()]
    named = pd.concat(
        [shown[["indicator_id", "name", "unit"]], aims[["indicator_id", "name", "unit"]]]
    )
    named = named.drop_duplicates("indicator_id")
    units = list(dict.fromkeys(named["unit"]))
    counts = [int((named["unit"] == unit).sum()) for unit in units] or [1]
    with matplotlib.rc_context(SETTINGS):
        figure, panels = new_figure(
            height=0.55 + sum(0.55 + 0.55 * count for count in counts),
            nrows=len(counts),
            gridspec_kw={"height_ratios": [0.4 + count for count in counts]},
        )
        for axes, unit in zip(panels, units, strict=False):
            own = named.loc[named["unit"] == unit].iloc[::-1]
            for line, indicator in enumerate(own["indicator_id"]):
                draw_indicator(axes, line, shown, aims, indicator)
            axes.set_yticks(
                range(len(own)), [wrapped_label(sentence(name), 34) for name in own["name"]]
            )
            axes.set_ylim(-0.5, len(own) - 0.35)
            if unit == "percent":
                axes.set_xlim(0, 104)
            else:
                axes.set_xlim(left=0)
                axes.margins(x=0.1)
            axes.set_xlabel(sentence(words.UNITS[unit]) if present(unit) else "Verdi")
            axes.xaxis.set_major_formatter(decimal_comma())
            plain_axes(axes)
        handles = legend_handles(shown, aims)
        if handles:
            figure.legend(handles=handles, loc="outside upper left", ncols=3, frameon=False)
        svg = as_svg(figure)
    return ReportFigure(
        svg,
        alt=f"Indikatorer i {municipality.name}. " + indicators_told(shown, aims),
        caption=f"Publiserte verdier og mål for indikatorer i {municipality.name}",
        source=source_line(shown, aims),
    )


def draw_indicator(
    axes, line: int, shown: pd.DataFrame, aims: pd.DataFrame, indicator: str
) -> None:
    """One indicator's own values, those of other areas, and its target."""
    own = shown.loc[shown["indicator_id"] == indicator]
    for row in own.itertuples(index=False):
        is_main = row.is_own and not present(row.group)
        axes.scatter(
            row.value,
            line,
            s=48 if is_main else 34,
            marker="o" if is_main else "D",
            facecolors=DARK if is_main else "white",
            edgecolors=DARK if is_main else INK,
            zorder=3,
        )
        label = row.area if present(row.area) else row.group if present(row.group) else ""
        axes.annotate(
            joined_label(label, dated_value(row.value, row.unit, row.period)),
            (row.value, line),
            xytext=(0, 6 if is_main else -12),
            textcoords="offset points",
            ha="center",
            fontsize=7,
        )
    for row in aims.loc[aims["indicator_id"] == indicator].itertuples(index=False):
        axes.vlines(row.target_value, line - 0.28, line + 0.28, color=MIDDLE, linewidth=3, zorder=2)
        if present(row.latest_value):
            axes.hlines(
                line, row.latest_value, row.target_value, color=LIGHT, linewidth=1.5, zorder=1
            )
        axes.annotate(
            "mål " + dated_value(row.target_value, row.target_unit, row.due),
            (row.target_value, line),
            xytext=(0, -19),
            textcoords="offset points",
            ha="center",
            fontsize=7,
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
