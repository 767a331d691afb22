"""Tables about indicators, their coverage, and goal attainment."""

from __future__ import annotations

import pandas as pd

from evalkit import vocabulary as words
from evalkit.display import ReportTable
from evalkit.facts import PERSON_UNITS
from evalkit.municipalities import Municipality
from evalkit.norwegian import date_text, qualified_text, quantity_text
from evalkit.references import source_line
from evalkit.small_counts import is_small
from evalkit.tables.context import of
from evalkit.tables.layout import Column, present, report_table, sentence, text_of
from evalkit.tables.surveys import fewer_than

__all__ = ["attainment_table", "coverage_table", "indicators_table", "judgement_text"]

LONGEST = 20  # rows; of a longer table, indicators that are only named are counted, not listed
JUDGEMENT_SYMBOLS = {
    "reached": "✓",
    "partly_reached": "◐",
    "promising": "↗",
    "too_early": "…",
    "not_reached": "✗",
    "not_judged": "–",
}


def shown_value(value: float, unit: str, qualifier: str | None, smallest_count: int) -> str:
    """A value with its unit, hidden where it counts too few persons."""
    if unit in PERSON_UNITS and present(value) and is_small(value, smallest_count):
        return fewer_than(smallest_count)
    return qualified_text(quantity_text(value, unit), qualifier)


def indicators_table(
    overview: pd.DataFrame,
    municipality: Municipality,
    *,
    latest: pd.DataFrame,
    smallest_count: int = 5,
) -> ReportTable:
    """Indicators of a municipality with value, target and what is left.

    Parameters
    ----------
    overview
        As from ``indicator_overview``, of the municipality.
    municipality
        The municipality.
    latest
        As from ``latest_values``: what is shown of each indicator, for all and for groups.
    smallest_count
        Smaller counts of persons, children or families are hidden.
    """
    valued = {name: list(rows.itertuples()) for name, rows in latest.groupby("indicator_id")}
    told = overview[["data_source", "target_value"]].notna().any(axis=1)
    told |= overview["indicator_id"].isin(valued)
    bare = 0 if len(overview) <= LONGEST or not told.any() else int((~told).sum())
    rows = []
    for row in (overview.loc[told] if bare else overview).itertuples(index=False):
        rows.append(
            (
                sentence(text_of(row.name)),
                words.LOGIC_COLUMNS[row.level] if present(row.level) else "",
                sentence(text_of(row.data_source)),
                "; ".join(
                    latest_text(value, smallest_count) for value in valued.get(row.indicator_id, [])
                ),
                target_text(row),
                distance_text(row, smallest_count),
            )
        )
    return report_table(
        [
            Column("Indikator", 30),
            Column("Nivå", 15),
            Column("Kilde til tallene", 17),
            Column("Siste verdi", 15),
            Column("Mål", 12),
            Column("Gjenstår", 11),
        ],
        rows,
        empty=f"Ingen indikatorer er registrert for {municipality.name}.",
        caption=f"Indikatorer i {municipality.name}: verdi, mål og avstand til målet",
        note=f"{bare} til er bare nevnt i modellene, uten kilde, verdi eller mål."
        if bare
        else None,
        source=source_line(overview),
    )


def latest_text(row, smallest_count: int) -> str:
    """The latest value with its group and time, or that it is hidden and why."""
    if present(row.withheld):
        value = words.WITHHELD[row.withheld]
    else:
        value = shown_value(row.value, row.unit, row.qualifier, smallest_count)
    group = f"{text_of(row.group)}: " if present(row.group) else ""
    return f"{group}{value} ({date_text(row.period) or 'uten dato'})"


def target_text(row) -> str:
    """A target with direction and year."""
    if not present(row.target_value):
        return ""
    due = f" i {date_text(row.due)}" if present(row.due) else ""
    return (
        qualified_text(quantity_text(row.target_value, row.target_unit), row.target_direction) + due
    )


def distance_text(row, smallest_count: int) -> str:
    """What is left to the target, or that it is met."""
    if not present(row.remaining_distance):
        return ""
    if row.unit in PERSON_UNITS and is_small(row.latest_value, smallest_count):
        return ""
    if row.reached:
        return "målet er nådd"
    unit = "percentage_points" if row.unit == "percent" else row.unit
    return quantity_text(row.remaining_distance, unit)


YES, NO = "✓ ja", "✗ nei"


def coverage_table(coverage: pd.DataFrame, municipality: Municipality) -> ReportTable:
    """Which indicators of a municipality have source, values, target and date.

    Parameters
    ----------
    coverage
        As from ``indicator_coverage``.
    municipality
        The municipality.
    """
    own = of(coverage, municipality)
    rows = [
        (
            sentence(text_of(row.name)),
            *(
                YES if has else NO
                for has in (
                    row.has_source,
                    row.has_baseline,
                    row.has_later_value,
                    row.has_target,
                    row.has_due,
                )
            ),
        )
        for row in own.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Indikator", 40),
            Column("Kilde", 11),
            Column("Første verdi", 12),
            Column("Senere verdi", 12),
            Column("Måltall", 12),
            Column("Frist", 11),
        ],
        rows,
        empty=f"Ingen indikatorer er registrert for {municipality.name}.",
        caption=f"Hva som er oppgitt for indikatorene i {municipality.name}",
        source=source_line(own),
    )


def attainment_table(
    overview: pd.DataFrame, municipality: Municipality | None = None
) -> ReportTable:
    """How far each goal was reached in a municipality, and what the judgement rests on.

    Parameters
    ----------
    overview
        As from ``attainment_overview``, of the municipality.
    municipality
        The municipality; ``None`` for the programme as a whole.
    """
    where = municipality.name if municipality else "programmet"
    rows = []
    for row in overview.itertuples():
        grader = words.GRADED_BY.get(row.graded_by)
        rows.append(
            (
                text_of(row.goal),
                f"{judgement_text(row.judgement)} ({grader})"
                if grader
                else judgement_text(row.judgement),
                sentence(text_of(row.reason)),
                evidence_text(row),
                sentence(text_of(row.too_early)),
            )
        )
    return report_table(
        [
            Column("Mål", 24),
            Column("Vurdering", 14),
            Column("Hvorfor", 24),
            Column("Hva vurderingen bygger på", 22),
            Column("For tidlig å si", 16),
        ],
        rows,
        empty=f"Ingen mål er vurdert for {where}.",
        caption=f"Måloppnåelse i {where}" if municipality else "Måloppnåelse for programmet",
        source=source_line(overview),
    )


def judgement_text(judgement: str) -> str:
    """A judgement's symbol and words."""
    return f"{JUDGEMENT_SYMBOLS[judgement]}\u00a0{words.ATTAINMENT[judgement]}"


def evidence_text(row) -> str:
    """The grade of the evidence and what it is."""
    grade = "" if row.evidence_grade == "none" else words.EVIDENCE_GRADES[row.evidence_grade]
    evidence = sentence(text_of(row.evidence))
    if grade and evidence:
        return f"{sentence(grade)}. {evidence}"
    return sentence(grade) or evidence
