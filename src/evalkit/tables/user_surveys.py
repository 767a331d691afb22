"""What the users answered: in all municipalities, and in one; by wave where they were asked again."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from evalkit.disclosure import TOTAL
from evalkit.display import ReportTable
from evalkit.municipalities import Municipality
from evalkit.norwegian import interval_text, number_text, percent_text
from evalkit.references import source_line
from evalkit.tables.layout import Column, report_table, text_of
from evalkit.tables.statistics import (
    in_order,
    item_texts,
    labelled,
    method_line,
    wave_text,
    withheld_text,
)

__all__ = ["question_texts", "user_answers_table", "user_response_table", "user_shares_table"]


def user_response_table(
    responses: pd.DataFrame,
    *,
    municipalities: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """How many users were asked and answered in each municipality.

    Parameters
    ----------
    responses
        Response rates as from ``protected_survey``.
    municipalities
        The municipalities, for their names.
    surveys
        The surveys behind, for their sources.
    synthetic
        Whether the study is synthetic.
    """
    names = municipalities.set_index("municipality_code")["name"]
    own = _by_municipality(responses.loc[responses["service"] == TOTAL], municipalities)
    asked = _with_waves(own["municipality_code"].map(names), own["wave"])
    rows = [
        (
            text_of(name),
            number_text(row.base) or withheld_text(row.reason),
            number_text(row.count) or withheld_text(row.reason),
            _rate_text(row),
        )
        for name, row in zip(asked, own.itertuples(index=False), strict=True)
    ]
    return report_table(
        [
            Column("Kommune", 34),
            Column("Inviterte", 18, "r"),
            Column("Svar", 18, "r"),
            Column("Svarprosent", 30, "r"),
        ],
        rows,
        empty="Brukerne er ikke spurt.",
        caption=labelled("Svar fra brukere, etter kommune", synthetic=synthetic),
        source=source_line(surveys),
    )


def user_shares_table(
    shares: pd.DataFrame,
    *,
    items: pd.DataFrame,
    municipalities: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Share of the users who agree with each item, by municipality, with interval and base.

    Parameters
    ----------
    shares
        As from ``protected_shares``.
    items
        The item bank.
    municipalities, surveys, synthetic
        As for ``user_response_table``.
    """
    names = municipalities.set_index("municipality_code")["name"]
    own = _by_municipality(shares.loc[shares["service"] == TOTAL], municipalities)
    own = in_order(own, items)
    texts = question_texts(own, items=items)
    rows = [
        (text_of(text), text_of(names[row.municipality_code]), *_agreement_texts(row))
        for text, row in zip(texts, own.itertuples(index=False), strict=True)
    ]
    return report_table(
        [
            Column("Spørsmål", 30),
            Column("Kommune", 22),
            Column("Andel enige", 16, "r"),
            Column("Intervall", 18, "r"),
            Column("Antall svar", 14, "r"),
        ],
        rows,
        empty="Brukerne er ikke spurt.",
        caption=labelled(
            "Andel av brukerne som er enige, med 95 prosent konfidensintervall",
            synthetic=synthetic,
        ),
        source=source_line(surveys),
        note=method_line(own) or None,
        grouped=True,
    )


def user_answers_table(
    shares: pd.DataFrame,
    responses: pd.DataFrame,
    municipality: Municipality,
    *,
    items: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """What the users in one municipality answered, and how many they were.

    Parameters
    ----------
    shares, responses
        As for ``user_shares_table`` and ``user_response_table``.
    municipality
        The municipality.
    items, surveys, synthetic
        As for ``user_shares_table``.
    """
    own = shares.loc[
        (shares["municipality_code"] == municipality.code) & (shares["service"] == TOTAL)
    ]
    own = in_order(own, items)
    texts = question_texts(own, items=items)
    rows = [
        (text_of(text), *_agreement_texts(row))
        for text, row in zip(texts, own.itertuples(index=False), strict=True)
    ]
    notes = [_answered_text(responses, municipality), method_line(own)]
    return report_table(
        [
            Column("Spørsmål", 40),
            Column("Andel enige", 20, "r"),
            Column("Intervall", 22, "r"),
            Column("Antall svar", 18, "r"),
        ],
        rows,
        empty=f"Brukerne i {municipality.name} er ikke spurt.",
        caption=labelled(
            f"Brukerne i {municipality.name}: andel enige, med 95 prosent konfidensintervall",
            synthetic=synthetic,
        ),
        source=source_line(surveys),
        note=" ".join(note for note in notes if note) or None,
    )


def question_texts(rows: pd.DataFrame, *, items: pd.DataFrame) -> list[str]:
    """The wording of each row's item, with the wave where the rows are of several.

    Parameters
    ----------
    rows
        Results with ``item`` and ``wave``.
    items
        The item bank.
    """
    return _with_waves(rows["item"].map(item_texts(items)), rows["wave"])


def _with_waves(texts: Iterable[str], waves: pd.Series) -> list[str]:
    """Each text with its wave, where there are several waves to tell apart."""
    if waves.nunique() < 2:
        return list(texts)
    return [f"{text} ({wave_text(wave)})" for text, wave in zip(texts, waves, strict=True)]


def _by_municipality(rows: pd.DataFrame, municipalities: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order of the municipalities."""
    place = {code: number for number, code in enumerate(municipalities["municipality_code"])}
    return rows.iloc[rows["municipality_code"].map(place).argsort(kind="stable")]


def _rate_text(row) -> str:
    """A response rate with its interval, or why it is not shown."""
    if pd.isna(row.value):
        return withheld_text(row.reason)
    return (
        f"{percent_text(100 * row.value, decimals=0)} "
        f"({interval_text(100 * row.lower, 100 * row.upper)})"
    )


def _agreement_texts(row) -> tuple[str, str, str]:
    """Share, limits and base; where the share is hidden, its reason in its place."""
    if pd.isna(row.value):
        return withheld_text(row.reason), "", number_text(row.base)
    limits = interval_text(100 * row.lower, 100 * row.upper)
    return percent_text(100 * row.value, decimals=0), limits, number_text(row.base)


def _answered_text(responses: pd.DataFrame, municipality: Municipality) -> str:
    """How many were asked and answered, as far as it may be shown."""
    own = responses.loc[
        (responses["municipality_code"] == municipality.code) & (responses["service"] == TOTAL)
    ]
    own = own.loc[own["base"].notna()]
    told = [
        f"{number_text(row.count)} av {number_text(row.base)} brukere svarte"
        if pd.notna(row.count)
        else f"{number_text(row.base)} brukere ble spurt"
        for row in own.itertuples(index=False)
    ]
    return " ".join(f"{text}." for text in _with_waves(told, own["wave"]))
