"""Whether goals have reached the level that was declared for them."""

from __future__ import annotations

import pandas as pd

from evalkit.display import ReportTable
from evalkit.goals import TARGET_STATUS
from evalkit.norwegian import percent_text
from evalkit.references import source_line
from evalkit.tables.layout import Column, report_table, text_of
from evalkit.tables.statistics import change_text, labelled, limits_text, method_line, withheld_text

__all__ = ["target_judgements_table"]


def target_judgements_table(
    judgements: pd.DataFrame,
    *,
    goals: pd.DataFrame,
    municipalities: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Goals held against their declared level: the baseline, what was needed and what came.

    Parameters
    ----------
    judgements
        As from ``judge_goal_attainment`` or ``strongest_evidence``; levels in per cent, changes in
        percentage points. Goals without a target are left out.
    goals
        The goals, for their wording and sources.
    municipalities
        The municipalities, for their names.
    synthetic
        Whether the study is synthetic.
    """
    texts = goals.set_index("goal_id")["text"]
    names = municipalities.set_index("municipality_code")["name"]
    own = judgements.loc[judgements["target_status"] != "no_target"]
    order = own.assign(
        goal_place=own["goal_id"].map({goal: n for n, goal in enumerate(texts.index)}),
        place=own["municipality_code"].map({code: n for n, code in enumerate(names.index)}),
    ).sort_values(["goal_place", "place"])
    rows = [
        (
            f"{text_of(texts[row.goal_id])}. Målverdi: {percent_text(row.target_value)}",
            text_of(names[row.municipality_code]),
            percent_text(row.baseline_value, decimals=1),
            _needed_text(row),
            change_text(row.value, scale=1) if pd.notna(row.value) else withheld_text(row.reason),
            limits_text(row, scale=1) if pd.notna(row.value) else "",
            TARGET_STATUS[row.target_status],
        )
        for row in order.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Mål", 22),
            Column("Kommune", 14),
            Column("Nullpunkt", 11, "r"),
            Column("Trengs", 12, "r"),
            Column("Endring", 12, "r"),
            Column("Intervall", 16, "r"),
            Column("Målverdien er", 15),
        ],
        rows,
        empty="Ingen mål har målverdi.",
        caption=labelled(
            "Målene mot målverdien; trengs og endring i prosentpoeng", synthetic=synthetic
        ),
        source=source_line(goals),
        note=f"{method_line(order)} Nådd: Hele intervallet er minst det som trengs. Ikke nådd: Hele "
        "intervallet er mindre. Nullpunktet er regnet som kjent.".strip(),
        grouped=True,
    )


def _needed_text(row) -> str:
    """What was needed from the baseline; nothing where it met the target."""
    if pd.isna(row.needed_change):
        return ""
    sign = {"up": 1, "down": -1}[row.direction]
    return change_text(row.needed_change, scale=1) if sign * row.needed_change > 0 else "ingenting"
