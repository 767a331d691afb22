"""Events on an axis of time."""

from __future__ import annotations

import matplotlib
import matplotlib.dates as dates
import pandas as pd

from evalkit import vocabulary as words
from evalkit.display import ReportFigure
from evalkit.figures.style import (
    DARK,
    INK,
    MIDDLE,
    SETTINGS,
    as_svg,
    finished,
    new_figure,
    plain_axes,
    told,
)
from evalkit.municipalities import Municipality
from evalkit.norwegian import date_span_text, joined_text, number_text
from evalkit.references import source_line
from evalkit.tables.layout import sentence
from evalkit.tables.statistics import labelled

__all__ = ["timeline_figure", "workshops_figure"]


def year_axis(axes, first: pd.Timestamp, last: pd.Timestamp) -> None:
    """Years as labels, quarters as small ticks."""
    axes.xaxis.set_major_locator(dates.YearLocator())
    axes.xaxis.set_major_formatter(dates.DateFormatter("%Y"))
    axes.xaxis.set_minor_locator(dates.MonthLocator(bymonth=(4, 7, 10)))
    margin = pd.Timedelta(days=45)
    axes.set_xlim(first - margin, last + margin)


def timeline_figure(
    calendar: pd.DataFrame, municipality: Municipality, *, synthetic: bool = False
) -> ReportFigure:
    """What happened when in a municipality, one line per kind of event.

    A point is a day; a bar is the time within which the event is known to have taken place, or
    that it lasted.

    Parameters
    ----------
    calendar
        As from ``event_calendar``, of the municipality.
    municipality
        The municipality.
    synthetic
        Whether the study is synthetic.
    """
    dated = calendar.loc[calendar["first_day"].notna()]
    kinds = [kind for kind in words.EVENT_KINDS if kind in set(dated["kind"])]
    with matplotlib.rc_context(SETTINGS):
        figure, (axes,) = new_figure(height=0.5 + 0.24 * max(len(kinds), 1))
        for line, kind in enumerate(reversed(kinds)):
            own = dated.loc[dated["kind"] == kind]
            is_workshop = kind == "learning_workshop"
            colour = MIDDLE if is_workshop else DARK
            lasting = own.loc[own["last_day"] > own["first_day"]]
            days = own.loc[own["last_day"] == own["first_day"]]
            axes.hlines(
                [line] * len(lasting),
                lasting["first_day"],
                lasting["last_day"],
                color=colour,
                linewidth=5,
                alpha=0.4,
            )
            axes.scatter(
                days["first_day"],
                [line] * len(days),
                s=26,
                color=colour,
                linewidths=0.7,
                edgecolors="white",
                zorder=3,
            )
            for row in own.loc[own["number"].notna()].itertuples() if is_workshop else ():
                axes.annotate(
                    number_text(row.number),
                    (row.first_day, line),
                    xytext=(0, 5.5),
                    textcoords="offset points",
                    ha="center",
                    fontsize=7.5,
                )
        axes.set_yticks(
            range(len(kinds)), [sentence(words.EVENT_KINDS[kind]) for kind in reversed(kinds)]
        )
        axes.set_ylim(-0.6, max(len(kinds), 1) - 0.3)
        if len(dated):
            year_axis(axes, dated["first_day"].min(), dated["last_day"].max())
        plain_axes(axes)
        svg = finished(figure, synthetic=synthetic)
    spoken = [
        f"{words.EVENT_KINDS[kind]}: "
        + joined_text(
            [
                date_span_text(row.start, row.end)
                for row in dated[dated["kind"] == kind].itertuples()
            ]
        )
        for kind in kinds
    ]
    return ReportFigure(
        svg,
        alt=told(
            f"Tidslinje for {municipality.name}. "
            + ". ".join(sentence(part) for part in spoken)
            + ".",
            synthetic=synthetic,
        ),
        caption=labelled(
            f"Hendelser i {municipality.name}. Et punkt er en dag, et felt er tiden hendelsen "
            "varte eller er kjent innenfor",
            synthetic=synthetic,
        ),
        source=source_line(dated),
    )


def workshops_figure(calendar: pd.DataFrame) -> ReportFigure:
    """Learning workshops and focus group interviews of the municipalities in time.

    Parameters
    ----------
    calendar
        As from ``event_calendar``; other kinds of events are passed over.
    """
    shown = calendar.loc[
        calendar["kind"].isin(["learning_workshop", "focus_group_interview"])
        & calendar["municipality_name"].notna()
        & calendar["first_day"].notna()
    ]
    names = list(dict.fromkeys(shown.sort_values("first_day")["municipality_name"]))[::-1]
    with matplotlib.rc_context(SETTINGS):
        figure, (axes,) = new_figure(height=0.8 + 0.28 * max(len(names), 1))
        for line, name in enumerate(names):
            own = shown.loc[shown["municipality_name"] == name]
            axes.hlines(
                line, own["first_day"].min(), own["first_day"].max(), color="#dfe5e8", linewidth=1.2
            )
            talks = own.loc[own["kind"] == "focus_group_interview"]
            axes.scatter(
                talks["first_day"],
                [line] * len(talks),
                marker="D",
                s=32,
                facecolors="white",
                edgecolors=INK,
                linewidths=1.1,
                zorder=3,
                label="Fokusgruppeintervju" if line == 0 else None,
            )
            held = own.loc[own["kind"] == "learning_workshop"]
            axes.scatter(
                held["first_day"],
                [line] * len(held),
                marker="o",
                s=110,
                color=DARK,
                zorder=4,
                label="Læringsverksted, med nummer" if line == 0 else None,
            )
            for row in held.itertuples():
                axes.annotate(
                    number_text(row.number),
                    (row.first_day, line),
                    ha="center",
                    va="center_baseline",
                    color="white",
                    fontsize=7.5,
                    fontweight="bold",
                    zorder=5,
                )
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(-0.6, max(len(names), 1) - 0.4)
        if len(shown):
            year_axis(axes, shown["first_day"].min(), shown["first_day"].max())
            axes.legend(
                loc="lower left",
                bbox_to_anchor=(0, 1.0),
                ncols=2,
                frameon=False,
                borderpad=0,
                handletextpad=0.4,
                markerscale=0.8,
            )
        plain_axes(axes)
        svg = as_svg(figure)
    told = [
        f"{name}: "
        + joined_text(
            [
                f"læringsverksted {number_text(row.number)} {date_span_text(row.start, row.end)}"
                for row in shown.loc[
                    (shown["municipality_name"] == name) & (shown["kind"] == "learning_workshop")
                ].itertuples()
            ]
        )
        for name in reversed(names)
    ]
    return ReportFigure(
        svg,
        alt="Læringsverksteder og fokusgruppeintervjuer på en tidsakse. " + ". ".join(told) + ".",
        caption="Når læringsverkstedene og fokusgruppeintervjuene ble holdt",
        source=source_line(shown),
    )
