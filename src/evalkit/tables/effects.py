"""Tables of an effect report: indicators before and after, other areas, what may be said."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from evalkit import vocabulary as words
from evalkit.display import ReportTable
from evalkit.effect_review import STANDINGS
from evalkit.norwegian import date_text, number_text, qualified_text, quantity_text
from evalkit.references import source_line
from evalkit.tables.layout import Column, present, report_table, sentence, text_of
from evalkit.tables.statistics import labelled

__all__ = ["area_changes_table", "attribution_table", "indicator_changes_table"]


def indicator_changes_table(
    changes: pd.DataFrame, *, names: Mapping[str, str], synthetic: bool = False
) -> ReportTable:
    """Each indicator before and after, beside its target.

    Parameters
    ----------
    changes
        As from ``indicator_changes``.
    names
        Municipalities' names by code; they stand in the table where there are several.
    synthetic
        Whether the caption says that the study is made up.
    """
    several = changes["municipality_code"].nunique() > 1
    rows = [
        (
            *((names[row.municipality_code],) if several else ()),
            sentence(text_of(row.name)),
            dated(
                *(row.before_value, row.unit, row.before_qualifier, row.before_period),
                hidden=row.before_hidden,
            ),
            dated(
                *(row.after_value, row.unit, row.after_qualifier, row.after_period),
                hidden=row.after_hidden,
            ),
            target_text(row) or "mangler",
            reached_text(row.reached),
        )
        for row in changes.itertuples(index=False)
    ]
    return report_table(
        [
            *((Column("Kommune", 14),) if several else ()),
            Column("Indikator", 32),
            Column("Før", 16),
            Column("Siste verdi", 16),
            Column("Målet er", 16),
            Column("Nådd", 12),
        ],
        rows,
        empty="Ingen indikatorer er valgt ennå.",
        caption=labelled("Indikatorene før og etter, og målene for dem", synthetic=synthetic),
        note=passed_over_text(int(each_indicator(changes)["passed_over_count"].sum())),
        source=source_line(changes),
        grouped=several and len(rows) > 1,
    )


def each_indicator(changes: pd.DataFrame) -> pd.DataFrame:
    """One row of each indicator in each municipality, however many targets it has."""
    return changes.drop_duplicates(["municipality_code", "indicator_id"])


def passed_over_text(count: int) -> str | None:
    """That some values have no place in a table of the whole municipality over time."""
    if not count:
        return None
    values = "Én verdi" if count == 1 else f"{count} verdier"
    return f"{values} for grupper eller uten dato er ikke med."


def dated(
    value: float, unit: str, qualifier: str | None, period: str | None, *, hidden: bool
) -> str:
    """A value with its time, that it is hidden, or that it is missing."""
    if present(value):
        return f"{qualified_text(quantity_text(value, unit), qualifier)} ({date_text(period)})"
    return "skjult" if hidden else "mangler"


def target_text(row) -> str:
    """What is to be reached and when, as far as it is said."""
    due = f" i {date_text(row.due)}" if present(row.due) else ""
    if not present(row.target_value):
        return f"uten tall{due}" if due else ""
    amount = quantity_text(row.target_value, row.target_unit)
    return qualified_text(amount, row.target_direction) + due


def reached_text(reached: object) -> str:
    if pd.isna(reached):
        return "vet ikke"
    return "ja" if reached else "nei"


def area_changes_table(
    changes: pd.DataFrame, *, names: Mapping[str, str], synthetic: bool = False
) -> ReportTable:
    """The change of each indicator beside that of other areas in the same time.

    Parameters
    ----------
    changes
        As from ``area_changes``.
    names
        Municipalities' names by code.
    synthetic
        Whether the caption says that the study is made up.
    """
    rows = [
        (
            sentence(text_of(row.name)),
            f"{date_text(row.before_period)}–{date_text(row.after_period)}",
            f"{names[row.municipality_code]}: {change_of(row.change, row.unit)}",
            f"{text_of(row.area)}: {change_of(row.area_change, row.unit)}",
            change_of(row.difference, row.unit),
        )
        for row in changes.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Indikator", 30),
            Column("Tid", 14),
            Column("Endring her", 20),
            Column("Endring i området", 20),
            Column("Forskjell", 16, "r"),
        ],
        rows,
        empty="Ingen indikator har verdier fra de samme to tidspunktene i kommunen og i et annet område.",
        caption=labelled("Endringen i kommunen og i andre områder", synthetic=synthetic),
        source=source_line(changes),
    )


def change_of(value: float, unit: str) -> str:
    """A change with its sign, in percentage points where the values are per cent."""
    sign = "+" if value > 0 else ""
    if unit == "percent":
        return f"{sign}{number_text(value, decimals=1)} prosentpoeng"
    return sign + (quantity_text(value, unit) if present(unit) else number_text(value))


def attribution_table(
    changes: pd.DataFrame, *, names: Mapping[str, str], synthetic: bool = False
) -> ReportTable:
    """What the values of each indicator allow to be said, the least first.

    Parameters
    ----------
    changes
        As from ``indicator_changes``.
    names
        Municipalities' names by code; they stand in the table where there are several.
    synthetic
        Whether the caption says that the study is made up.
    """
    several = changes["municipality_code"].nunique() > 1
    rows = []
    for standing in STANDINGS:
        own = each_indicator(changes.loc[changes["standing"] == standing])
        if len(own):
            told = [
                sentence(text_of(row.name))
                + (f" ({names[row.municipality_code]})" if several else "")
                for row in own.itertuples(index=False)
            ]
            label, said = words.STANDINGS[standing]
            rows.append((label, ", ".join(told), said))
    return report_table(
        [Column("Hva vi har", 22), Column("Indikatorer", 36), Column("Hva som kan sies", 42)],
        rows,
        empty="Ingen indikatorer er valgt ennå, så ingen endring kan vises.",
        caption=labelled("Hva som kan og ikke kan tilskrives programmet", synthetic=synthetic),
        source=source_line(changes),
    )
