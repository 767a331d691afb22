"""Tables across the municipalities."""

from __future__ import annotations

import pandas as pd

from evalkit import vocabulary as words
from evalkit.display import ReportTable
from evalkit.markdown import bullets
from evalkit.municipalities import named_rows
from evalkit.norwegian import date_span_text, number_text
from evalkit.references import source_line
from evalkit.tables.context import grants_table
from evalkit.tables.layout import Column, present, report_table, sentence, text_of
from evalkit.tables.results import judgement_text
from evalkit.tables.surveys import answers_text, survey_design, verdict_text

__all__ = [
    "all_attainment_table",
    "all_coverage_table",
    "all_grants_table",
    "measures_by_municipality_table",
    "phases_table",
    "survey_comparison_table",
    "themes_table",
    "topics_table",
]

OWN = "(vår)"
OWN_NOTE = (
    f"{OWN} betyr at graden er satt av oss, ut fra det kilden forteller; "
    "ellers har kildens evaluatorer satt den."
)


def measures_by_municipality_table(
    measures: pd.DataFrame, *, municipalities: pd.DataFrame
) -> ReportTable:
    """Measures by municipality, in the order that each municipality has them."""
    own = named_rows(measures.sort_values("position", kind="stable"), municipalities)
    rows = [
        (text_of(row.municipality_name), text_of(row.name), text_of(row.description))
        for row in own.itertuples(index=False)
    ]
    return report_table(
        [Column("Kommune", 15), Column("Tiltak", 25), Column("Kort om tiltaket", 60)],
        rows,
        empty="Ingen tiltak er registrert.",
        caption="Kommunenes tiltak",
        source=source_line(own),
        grouped=len(rows) > 1,
    )


def pivoted(
    frame: pd.DataFrame, *, column: str, vocabulary: dict[str, str], text: str
) -> list[tuple]:
    """One row per municipality and a cell of texts per code of the vocabulary."""
    rows = []
    for name, group in frame.groupby("municipality_name", sort=False):
        cells = []
        for code in vocabulary:
            texts = [text_of(value) for value in group.loc[group[column] == code, text]]
            cells.append(bullets(texts) if texts else "")
        rows.append((text_of(name), *cells))
    return rows


def themes_table(overview: pd.DataFrame) -> ReportTable:
    """Measures by theme; those in brackets came during the programme.

    Parameters
    ----------
    overview
        As from ``theme_overview``.
    """
    later = overview["added_later"] == "yes"
    named = overview.assign(shown=overview["label"].where(~later, "(" + overview["label"] + ")"))
    rows = pivoted(named, column="theme", vocabulary=words.THEMES, text="shown")
    return report_table(
        [
            Column("Kommune", 13),
            *(Column(label, 14.5, kept=True) for label in words.THEMES.values()),
        ],
        rows,
        empty="Ingen temaer er registrert.",
        caption="Tiltakene etter tema",
        note="I parentes: kom til underveis, som følge av programmet." if later.any() else None,
        source=source_line(overview),
    )


def phases_table(evidence: pd.DataFrame) -> ReportTable:
    """What shows each implementation phase, by municipality.

    Parameters
    ----------
    evidence
        As from ``phase_evidence``.
    """
    rows = pivoted(evidence, column="phase", vocabulary=words.PHASES, text="text")
    return report_table(
        [
            Column("Kommune", 13),
            *(Column(label, 17.4, kept=True) for label in words.PHASES.values()),
        ],
        rows,
        empty="Ingen faser er registrert.",
        caption="Faser i implementeringen, etter kommune",
        source=source_line(evidence),
    )


def all_attainment_table(matrix: pd.DataFrame) -> ReportTable:
    """The judgement of every effect goal in every municipality, and for the programme.

    Parameters
    ----------
    matrix
        As from ``attainment_matrix``.
    """
    named = matrix.assign(where=matrix["municipality_name"].fillna("Programmet"))
    places = list(dict.fromkeys(named["where"]))
    rows = []
    for goal, group in named.groupby("goal", sort=False):
        judged = {
            row.where: judgement_text(row.judgement) + (f" {OWN}" if row.graded_by == "us" else "")
            for row in group.itertuples()
        }
        rows.append((text_of(goal), *(judged.get(place, "") for place in places)))
    return report_table(
        [Column("Effektmål", 30), *(Column(text_of(place)) for place in places)],
        rows,
        empty="Ingen mål er vurdert.",
        caption="Måloppnåelse etter effektmål, i kommunene og for programmet",
        source=source_line(matrix),
        note=OWN_NOTE if (matrix["graded_by"] == "us").any() else None,
    )


def all_grants_table(summary: pd.DataFrame) -> ReportTable:
    """Grants to all municipalities, as from ``grant_summary``."""
    return grants_table(summary)


def survey_comparison_table(
    response: pd.DataFrame, *, pairs: pd.DataFrame, first_year: int
) -> ReportTable:
    """The municipalities' baselines side by side, and what they can be compared with.

    A baseline from before the programme's first year is said to be one of before.

    Parameters
    ----------
    response
        As from ``survey_response``.
    pairs
        As from ``survey_comparability``.
    first_year
        The programme's first year.
    """
    baselines = response.loc[response["wave"] == 0]

    def is_before(row) -> bool:
        return present(row.start) and int(row.start[:4]) < first_year

    rows = []
    for row in baselines.itertuples():
        among = pairs.loc[
            (pairs["comparison"] == "between_municipalities")
            & ((pairs["survey_id"] == row.survey_id) | (pairs["other_survey_id"] == row.survey_id))
        ]
        alike = among.loc[among["comparable"].astype(bool)]
        names = sorted(
            other if own == row.municipality_name else own
            for own, other in zip(
                alike["municipality_name"], alike["other_municipality_name"], strict=True
            )
        )
        over_time = pairs.loc[
            (pairs["comparison"] == "over_time") & (pairs["survey_id"] == row.survey_id)
        ]
        repeated = [verdict_text(pair) for pair in over_time.itertuples()]
        rows.append(
            (
                text_of(row.municipality_name),
                date_span_text(row.start, row.end) + (", før programmet" if is_before(row) else ""),
                survey_design(row),
                answers_text(row),
                ", ".join(text_of(name) for name in names) or "ingen",
                "; ".join(f"{answer}: {why[:1].lower()}{why[1:]}" for answer, why in repeated),
            )
        )
    return report_table(
        [
            Column("Kommune", 13),
            Column("Når", 12),
            Column("Nullpunkt", 25),
            Column("Svar og svarprosent", 25),
            Column("Kan sammenlignes med", 13),
            Column("Kan vise endring", 18),
        ],
        rows,
        empty="Ingen nullpunktsanalyser er registrert.",
        caption="Nullpunktsanalysene side om side",
        note="Nullpunkt fra før programmet hører til tidligere satsinger og er ikke programmets egne."
        if any(is_before(row) for row in baselines.itertuples())
        else None,
        source=source_line(baselines),
    )


COVERED = {
    "has_source": "Kilde",
    "has_baseline": "Første verdi",
    "has_later_value": "Senere verdi",
    "has_target": "Måltall",
    "has_due": "Frist",
}


def all_coverage_table(summary: pd.DataFrame) -> ReportTable:
    """How many of each municipality's indicators have source, values, target and date.

    Parameters
    ----------
    summary
        As from ``coverage_summary``.
    """
    rows = [
        (
            text_of(row.municipality_name),
            number_text(row.indicator_count),
            *(number_text(getattr(row, f"{column}_count")) for column in COVERED),
        )
        for row in summary.itertuples()
    ]
    return report_table(
        [
            Column("Kommune", 22),
            Column("Indikatorer", 18, "r"),
            *(Column(f"Med {label.lower()}", 15, "r") for label in COVERED.values()),
        ],
        rows,
        empty="Ingen indikatorer er registrert.",
        caption="Hva som er oppgitt for kommunenes indikatorer",
        source=source_line(summary),
    )


def topics_table(counts: pd.DataFrame) -> ReportTable:
    """How many statements of the learning history bear on each topic, by municipality.

    Parameters
    ----------
    counts
        As from ``topic_counts``.
    """
    rows = []
    for topic, group in counts.groupby("topic", sort=False):
        where = [
            f"{text_of(row.municipality_name) if isinstance(row.municipality_name, str) else 'programmet'}"
            f" ({number_text(row.statement_count)})"
            for row in group.itertuples()
        ]
        total = number_text(group["statement_count"].sum())
        rows.append((sentence(words.LESSON_TOPICS[topic]), total, ", ".join(where)))
    return report_table(
        [Column("Tema", 35), Column("Utsagn", 12, "r"), Column("Hvor", 53)],
        rows,
        empty="Ingen erfaringer er kodet.",
        caption="Den lærende historien: kodede utsagn etter tema",
        source=source_line(counts),
    )
