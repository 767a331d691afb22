"""Figures of a plan: phases and milestones in time, risks and stakeholders in their fields."""

from __future__ import annotations

import matplotlib
import matplotlib.dates as dates
import pandas as pd
from matplotlib.patches import Rectangle

from evalkit.display import ReportFigure
from evalkit.figures.style import (
    DARK,
    INK,
    LIGHT,
    MIDDLE,
    SETTINGS,
    as_svg,
    empty_svg,
    new_figure,
    plain_axes,
    wrapped_label,
)
from evalkit.figures.times import year_axis
from evalkit.norwegian import date_span_text, date_text, joined_text, number_text
from evalkit.process import period_days
from evalkit.references import source_line

__all__ = ["gantt_figure", "risk_matrix_figure", "stakeholder_figure"]

LEVELS = {"low": "liten", "medium": "middels", "high": "stor"}
LABEL_WIDTH = 46  # letters in a line of a milestone's label
SHADES = ("#f4f6f7", "#e3e9ec", "#cfd9de", "#b9c6cd")  # the darker, the graver


def gantt_figure(
    plan_phases: pd.DataFrame, status: pd.DataFrame, *, as_of: str | None = None
) -> ReportFigure:
    """Phases as bars and milestones as marks on an axis of time, phase by phase.

    Parameters
    ----------
    plan_phases
        Rows of ``PlanPhasesTable``. A phase with only one limit is drawn as that limit.
    status
        As from ``milestone_deadlines``, or ``milestone_status`` where ``as_of`` is given;
        milestones without deadline are left out and counted.
    as_of
        Draws this day as a line, and fills only the marks of what is done by then.
    """
    phases = plan_phases.sort_values("position", kind="stable")
    phases = phases.assign(
        first_day=period_days(phases["start"])["first_day"],
        last_day=period_days(phases["end"])["last_day"],
    )
    dated = status.loc[status["last_day"].notna()]
    lines = []  # (label, phase row or None, milestone row or None)
    for phase in phases.itertuples():
        lines.append((phase.name, phase, None))
        own = dated.loc[dated["phase_id"] == phase.phase_id]
        lines += [(row.title, None, row) for row in own.itertuples()]
    others = dated.loc[~dated["phase_id"].isin(phases["phase_id"])]
    lines += [(row.title, None, row) for row in others.itertuples()]
    if not lines:
        nothing = "Planen har verken faser eller milepæler med frist."
        return ReportFigure(empty_svg(nothing), alt=nothing, caption="Faser og milepæler i tid")
    labels = [wrapped_label(label, LABEL_WIDTH) for label, _, _ in lines]
    heights = [0.24 + 0.13 * label.count("\n") for label in labels]
    tops = [sum(heights[:n]) + height / 2 for n, height in enumerate(heights)]
    with matplotlib.rc_context(SETTINGS):
        figure, (axes,) = new_figure(height=0.75 + sum(heights))
        for top, (_, phase, milestone) in zip(tops, lines, strict=True):
            if phase is not None:
                draw_phase(axes, top, phase)
            else:
                draw_milestone(axes, top, milestone, filled=as_of is None or done(milestone))
        if as_of is not None:
            axes.axvline(pd.Timestamp(as_of), color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_yticks(tops, labels)
        for label, (_, phase, _) in zip(axes.get_yticklabels(), lines, strict=True):
            label.set_fontsize(8 if phase is not None else 7)
            label.set_fontweight("bold" if phase is not None else "normal")
        axes.set_ylim(sum(heights) + 0.1, -0.1)
        days = pd.concat(
            [phases["first_day"], phases["last_day"], dated["first_day"], dated["last_day"]]
        ).dropna()
        if len(days):
            year_axis(axes, days.min(), days.max())
            axes.xaxis.set_major_formatter(dates.DateFormatter("%Y"))
        axes.xaxis.tick_top()
        plain_axes(axes)
        axes.spines["bottom"].set_visible(False)
        for marker, colour, text in (("D", DARK, "Milepæl"), ("s", MIDDLE, "Beslutning")):
            axes.scatter([], [], marker=marker, s=26, color=colour, label=text)
        figure.legend(
            *axes.get_legend_handles_labels(),
            loc="outside lower right",
            ncols=2,
            frameon=False,
            fontsize=7.5,
        )
        svg = as_svg(figure)
    undated = int(status["last_day"].isna().sum())
    told = [
        f"{row.name}: {date_span_text(row.start, row.end) or 'uten tid'}"
        for row in phases.itertuples(index=False)
    ]
    noun = "milepæl" if undated == 1 else "milepæler"
    left_out = f" {number_text(undated)} {noun} uten frist er ikke med." if undated else ""
    on = f" Den stiplede linja er {date_text(as_of)}; fylte merker er gjennomført." if as_of else ""
    return ReportFigure(
        svg,
        alt="Tidsplan. "
        + (". ".join(told) or "Ingen faser")
        + f". {number_text(len(dated))} milepæler med frist, i rekkefølge fase for fase: "
        + joined_text([f"{row.title} {date_text(row.due)}" for row in dated.itertuples()])
        + "."
        + left_out,
        caption=f"Faser og milepæler i tid.{left_out}{on}".rstrip("."),
        source=source_line(phases, dated),
    )


def done(milestone) -> bool:
    return milestone.state in ("done", "done_late")


def draw_phase(axes, top: float, phase) -> None:
    """A bar for a phase with both limits, a bracket for one, nothing without."""
    if pd.notna(phase.first_day) and pd.notna(phase.last_day):
        length = phase.last_day - phase.first_day + pd.Timedelta(days=1)
        axes.barh(top, length, left=phase.first_day, height=0.15, color=LIGHT, edgecolor=INK)
    elif pd.notna(phase.first_day):
        axes.scatter([phase.first_day], [top], marker=">", s=40, color=INK)
    elif pd.notna(phase.last_day):
        axes.scatter([phase.last_day], [top], marker="<", s=40, color=INK)


def draw_milestone(axes, top: float, row, *, filled: bool) -> None:
    """A mark on the last day of the deadline; a line back to the first where it is a period."""
    is_decision = row.is_decision == "yes"
    colour = MIDDLE if is_decision else DARK
    if row.last_day > row.first_day:
        axes.hlines(top, row.first_day, row.last_day, color=colour, linewidth=2, alpha=0.5)
    axes.scatter(
        [row.last_day],
        [top],
        marker="s" if is_decision else "D",
        s=26,
        facecolors=colour if filled else "white",
        edgecolors=colour,
        linewidths=1.2,
        zorder=3,
    )


def risk_matrix_figure(risks: pd.DataFrame) -> ReportFigure:
    """The risks' numbers in a field of probability and consequence.

    Parameters
    ----------
    risks
        As from ``recomputed_risks``; risks that are not graded are left out.
    """
    graded = risks.loc[risks["computed_factor"].notna()]
    if graded.empty:
        nothing = "Planen graderer ingen risikoer etter sannsynlighet og konsekvens."
        caption = "Risikoene etter sannsynlighet og konsekvens"
        return ReportFigure(empty_svg(nothing), alt=nothing, caption=caption)
    with matplotlib.rc_context(SETTINGS):
        figure, (axes,) = new_figure(height=3.4, width=4.6)
        for probability in range(1, 6):
            for consequence in range(1, 6):
                shade = SHADES[min(3, probability * consequence // 5)]
                corner = (consequence - 0.5, probability - 0.5)
                axes.add_patch(Rectangle(corner, 1, 1, facecolor=shade, edgecolor="white"))
                own = graded.loc[
                    (graded["probability"] == probability) & (graded["consequence"] == consequence)
                ]
                axes.annotate(
                    ", ".join(number_text(n) for n in own["position"]),
                    (consequence, probability),
                    ha="center",
                    va="center",
                    fontsize=11,
                    fontweight="bold",
                )
        axes.set_xlim(0.5, 5.5)
        axes.set_ylim(0.5, 5.5)
        axes.set_xticks(range(1, 6))
        axes.set_yticks(range(1, 6))
        axes.set_xlabel("Konsekvens (1 til 5)")
        axes.set_ylabel("Sannsynlighet (1 til 5)")
        plain_axes(axes, grid=None)
        svg = as_svg(figure)
    told = [
        f"risiko {number_text(row.position)} har sannsynlighet {number_text(row.probability)} og "
        f"konsekvens {number_text(row.consequence)}"
        for row in graded.itertuples()
    ]
    return ReportFigure(
        svg,
        alt="Risikomatrise. " + "; ".join(told) + ".",
        caption="Risikoene etter sannsynlighet og konsekvens. Tallene er risikoens nummer; "
        "mørkere felt er alvorligere",
        source=source_line(graded),
    )


def stakeholder_figure(stakeholders: pd.DataFrame) -> ReportFigure:
    """Who has how much interest and influence; those the plan does not place are named under it.

    Parameters
    ----------
    stakeholders
        Rows of ``StakeholdersTable``.
    """
    placed = stakeholders.loc[stakeholders["interest"].notna() & stakeholders["influence"].notna()]
    if placed.empty:
        nothing = "Planen plasserer ingen interessenter etter interesse og innflytelse."
        caption = "Interessentene etter interesse og innflytelse"
        return ReportFigure(empty_svg(nothing), alt=nothing, caption=caption)
    used = set(placed["interest"]) | set(placed["influence"])
    levels = [level for level in LEVELS if level != "medium" or "medium" in used]
    names = {
        (interest, influence): [
            row.name
            for row in placed.itertuples(index=False)
            if row.interest == interest and row.influence == influence
        ]
        for interest in levels
        for influence in levels
    }
    width = 40 if len(levels) == 2 else 26
    texts = {
        cell: "\n".join(wrapped_label(name, width) for name in listed)
        for cell, listed in names.items()
    }
    tall = {
        level: max(3, *(texts[interest, level].count("\n") + 2 for interest in levels))
        for level in levels
    }
    with matplotlib.rc_context(SETTINGS):
        figure, (axes,) = new_figure(height=0.7 + 0.145 * sum(tall.values()))
        bottom, middles = 0.0, []
        for influence in levels:
            for place, interest in enumerate(levels):
                shade = SHADES[min(3, place + levels.index(influence))]
                axes.add_patch(
                    Rectangle(
                        (place, bottom), 1, tall[influence], facecolor=shade, edgecolor="white"
                    )
                )
                axes.annotate(
                    texts[interest, influence] or "ingen",
                    (place + 0.5, bottom + tall[influence] / 2),
                    ha="center",
                    va="center",
                    fontsize=7.5,
                    linespacing=1.25,
                )
            middles.append(bottom + tall[influence] / 2)
            bottom += tall[influence]
        axes.set_xlim(0, len(levels))
        axes.set_ylim(0, bottom)
        axes.set_xticks([n + 0.5 for n in range(len(levels))], [LEVELS[n] for n in levels])
        axes.set_yticks(middles, [LEVELS[n] for n in levels])
        axes.set_xlabel("Interesse")
        axes.set_ylabel("Innflytelse")
        plain_axes(axes, grid=None)
        axes.tick_params(axis="x", length=0)
        svg = as_svg(figure)
    told = [
        f"{LEVELS[interest]} interesse og {LEVELS[influence]} innflytelse: {joined_text(listed)}"
        for (interest, influence), listed in names.items()
        if listed
    ]
    rest = stakeholders.loc[~stakeholders.index.isin(placed.index), "name"]
    outside = f" Ikke plassert i planen: {joined_text(list(rest))}." if len(rest) else ""
    left_out = f". {number_text(len(rest))} er ikke plassert i planen" if len(rest) else ""
    return ReportFigure(
        svg,
        alt="Interessentkart. " + "; ".join(told) + "." + outside,
        caption=f"Interessentene etter interesse og innflytelse{left_out}",
        source=source_line(placed),
    )
