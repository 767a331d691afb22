"""Trends, areas, groups and designs of indicators, with interval, base and what they cannot answer."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from evalkit.display import ReportTable
from evalkit.municipalities import Municipality
from evalkit.norwegian import interval_text, number_text, percent_text
from evalkit.references import source_line
from evalkit.tables.layout import Column, report_table, sentence, text_of
from evalkit.tables.statistics import (
    EFFECT,
    SMALLEST,
    change_text,
    labelled,
    limits_text,
    method_line,
    probability_text,
    smallest_text,
    withheld_text,
)

__all__ = [
    "area_comparison_table",
    "designs_table",
    "inequality_table",
    "moderators_table",
    "standardised_rates_table",
    "trends_table",
]

FEW_OTHERS = (
    "Der andre kommuner i området er for få, sier resten av det lite om området, og det er ikke "
    "sammenlignet med."
)


def trends_table(
    trends: pd.DataFrame,
    municipality: Municipality,
    *,
    indicators: pd.DataFrame,
    observations: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Change per year of each indicator, with interval and how alike neighbouring years are.

    Parameters
    ----------
    trends
        As from ``indicator_trend``, one confidence level.
    municipality
        The municipality.
    indicators
        Indicators with ``name``; values are in per cent.
    observations
        The observations behind, for their sources.
    synthetic
        Whether the study is synthetic.
    """
    names = indicators.set_index("indicator_id")["name"]
    own = trends.loc[trends["municipality_code"] == municipality.code]
    rows = [
        (
            text_of(names[row.indicator_id]),
            f"{row.first_year:.0f}–{row.latest_year:.0f}" if pd.notna(row.first_year) else "",
            number_text(row.period_count, decimals=0),
            withheld_text(row.reason)
            if pd.isna(row.value)
            else change_text(row.value, scale=1, decimals=2),
            _spread_of_two_decimals(row),
            number_text(row.residual_autocorrelation, decimals=2),
        )
        for row in own.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Indikator", 30),
            Column("År", 14),
            Column("Antall år", 10, "r"),
            Column("Endring per år", 14, "r"),
            Column("Intervall", 20, "r"),
            Column("Autokorrelasjon", 12, "r"),
        ],
        rows,
        empty="Ingen indikator har verdier.",
        caption=labelled(
            f"Trenden i {municipality.name} før tiltaket, i prosentpoeng per år",
            synthetic=synthetic,
        ),
        source=source_line(observations),
        note=f"{method_line(own)} «Autokorrelasjon» er sammenhengen mellom avviket fra linjen ett år og året "
        "etter. Er den klart over null, er intervallet for smalt.".strip(),
    )


def _spread_of_two_decimals(row) -> str:
    """The limits of a change per year, or why a trend that is shown has none."""
    if pd.isna(row.value):
        return ""
    if pd.isna(row.lower):
        return withheld_text(row.reason)
    ends = (change_text(end, scale=1, decimals=2) for end in (row.lower, row.upper))
    return "\u00a0til ".join(ends)


def area_comparison_table(
    compared: pd.DataFrame,
    municipality: Municipality,
    *,
    areas: Mapping[str, str],
    indicators: pd.DataFrame,
    observations: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """The municipality beside the rest of the areas it is part of, in the latest year.

    Parameters
    ----------
    compared
        As from ``comparison_with_areas``, one confidence level.
    municipality, indicators, observations, synthetic
        As for ``trends_table``.
    areas
        What a reader calls each area, such as ``{"county": "resten av fylket"}``.
    """
    names = indicators.set_index("indicator_id")["name"]
    own = compared.loc[compared["municipality_code"] == municipality.code]
    latest = own.loc[own["year"] == own["year"].max()]
    few = latest["reason"].eq("too_few_donors").any()
    rows = [
        (
            text_of(names[row.indicator_id]),
            f"{row.year:.0f}",
            percent_text(row.own_value, decimals=1) or withheld_text(row.reason),
            areas.get(row.area, ""),
            percent_text(row.area_value, decimals=1) if pd.notna(row.value) else "",
            _difference(row),
            limits_text(row, scale=1) if pd.notna(row.value) else "",
        )
        for row in latest.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Indikator", 24),
            Column("År", 8, "r"),
            Column("Kommunen", 12, "r"),
            Column("Sammenlignet med", 24),
            Column("Der", 10, "r"),
            Column("Forskjell", 10, "r"),
            Column("Intervall", 16, "r"),
        ],
        rows,
        empty="Ingen verdier kan sammenlignes med et større område.",
        caption=labelled(
            f"{municipality.name} og resten av områdene den hører til; forskjell i prosentpoeng",
            synthetic=synthetic,
        ),
        source=source_line(observations),
        note=f"{method_line(latest)} {FEW_OTHERS if few else ''}".strip() or None,
    )


def _difference(row) -> str:
    """The difference, or why a value that is shown is compared with nothing."""
    if pd.notna(row.value):
        return change_text(row.value, scale=1)
    return withheld_text(row.reason) if pd.notna(row.own_value) else ""


def inequality_table(
    indices: pd.DataFrame,
    *,
    indicators: pd.DataFrame,
    observations: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Slope index and relative index of inequality, by indicator and year.

    Parameters
    ----------
    indices
        As from ``inequality_indices`` by ``indicator_id`` and ``year``, one confidence level.
    indicators, observations, synthetic
        As for ``trends_table``.
    """
    names = indicators.set_index("indicator_id")["name"]
    wide = indices.set_index(["indicator_id", "year", "index"])
    rows = [
        (
            text_of(names[indicator]),
            f"{year:.0f}",
            number_text(slope["count"], decimals=0),
            withheld_text(slope["reason"])
            if pd.isna(slope["value"])
            else change_text(slope["value"], scale=1),
            limits_text(slope, scale=1) if pd.notna(slope["value"]) else "",
            withheld_text(ratio["reason"])
            if pd.isna(ratio["value"])
            else number_text(ratio["value"], decimals=2),
            "–\u2060".join(number_text(ratio[end], decimals=2) for end in ("lower", "upper"))
            if pd.notna(ratio["lower"])
            else "",
        )
        for indicator, year in indices[["indicator_id", "year"]].drop_duplicates().to_numpy()
        for slope, ratio in [
            (
                wide.loc[(indicator, year, "slope_index")],
                wide.loc[(indicator, year, "relative_index")],
            )
        ]
    ]
    return report_table(
        [
            Column("Indikator", 24),
            Column("År", 8, "r"),
            Column("Grupper", 10, "r"),
            Column("Forskjell", 12, "r"),
            Column("Intervall", 18, "r"),
            Column("Forhold", 10, "r"),
            Column("Intervall", 16, "r"),
        ],
        rows,
        empty="Ingen verdier er gitt for grupper.",
        caption=labelled(
            "Ulikhet mellom den øverste og den nederste enden av en sosial skala",
            synthetic=synthetic,
        ),
        source=source_line(observations),
        note=f"{method_line(indices)} «Forskjell» er øverste ende minus nederste, i prosentpoeng. «Forhold» er øverste ende "
        "delt på nederste; 1 er ingen ulikhet.".strip(),
    )


def standardised_rates_table(
    crude: pd.DataFrame,
    standardised: pd.DataFrame,
    *,
    name: str,
    per: str,
    standard: str,
    observations: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Rates as they are, and as they would be had the groups been of the same sizes, by year.

    Parameters
    ----------
    crude, standardised
        As from ``crude_rate`` and ``directly_standardised_rate`` by ``year``, one level.
    name
        The indicator's name.
    per
        What the rates are given per, in words.
    standard
        What the groups' sizes are taken from, in words.
    observations, synthetic
        As for ``trends_table``.
    """
    both = crude.merge(
        standardised, on="year", suffixes=("", "_standardised"), validate="one_to_one"
    )
    rows = [
        (
            f"{row.year:.0f}",
            number_text(row.value, decimals=1) or withheld_text(row.reason),
            _limits(row.lower, row.upper),
            number_text(row.value_standardised, decimals=1)
            or withheld_text(row.reason_standardised),
            _limits(row.lower_standardised, row.upper_standardised),
        )
        for row in both.itertuples(index=False)
    ]
    return report_table(
        [
            Column("År", 12),
            Column("Som den er", 20, "r"),
            Column("Intervall", 22, "r"),
            Column("Standardisert", 22, "r"),
            Column("Intervall", 22, "r"),
        ],
        rows,
        empty="Ingen verdier er gitt for grupper.",
        caption=labelled(
            f"{sentence(name)} per {per}, som den er og standardisert", synthetic=synthetic
        ),
        source=source_line(observations),
        note=f"{method_line(crude, standardised)} Standarden er {standard}.".strip(),
    )


def _limits(lower: float, upper: float) -> str:
    """Two limits with one decimal; empty without them."""
    return interval_text(lower, upper, decimals=1).removesuffix("%").rstrip("\u00a0 ")


def designs_table(
    effects: Mapping[str, pd.DataFrame],
    *,
    indicator: str,
    observations: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """The same effect by several designs, those that cannot answer among them.

    Parameters
    ----------
    effects
        By design, in words: one row with ``value``, ``lower``, ``upper``, ``p_value``,
        ``smallest_change``, ``confidence_level``, ``method`` and ``reason``.
    indicator
        The indicator's name.
    observations, synthetic
        As for ``trends_table``.
    """
    rows = [
        (
            text_of(sentence(design)),
            withheld_text(row.reason) if pd.isna(row.value) else change_text(row.value, scale=1),
            limits_text(row, scale=1) if pd.notna(row.value) else "",
            smallest_text(row, scale=1),
            probability_text(row.p_value),
        )
        for design, effect in effects.items()
        for row in effect.head(1).itertuples(index=False)
    ]
    return report_table(
        [
            Column("Opplegg", 44),
            EFFECT,
            Column("Intervall", 20, "r"),
            SMALLEST,
            Column("p-verdi", 10, "r"),
        ],
        rows,
        empty="Ingen opplegg kan svare.",
        caption=labelled(
            f"Den samme virkningen med flere opplegg: {indicator.lower()}, i prosentpoeng",
            synthetic=synthetic,
        ),
        source=source_line(observations),
        note=method_line(*effects.values()) or None,
    )


def moderators_table(
    regression: pd.DataFrame,
    *,
    terms: Mapping[str, str],
    about: str,
    observations: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """How an effect varies with something measured in each municipality.

    Parameters
    ----------
    regression
        As from ``meta_regression``, one confidence level.
    terms
        The terms to show, in order, and what a reader calls each.
    about
        The effect, in words.
    observations, synthetic
        As for ``trends_table``.
    """
    own = regression.set_index("term")
    rows = [
        (
            text_of(name),
            withheld_text(row["reason"])
            if pd.isna(row["value"])
            else change_text(row["value"], scale=1, decimals=2),
            _spread_of_two_decimals(row),
            probability_text(row["p_value"]),
        )
        for term, name in terms.items()
        for row in [own.loc[term]]
    ]
    first = own.iloc[0]
    explained = first["explained_share"]
    told = [
        method_line(regression),
        f"{number_text(first['study_count'])} kommuner." if pd.notna(first["study_count"]) else "",
        f"Av spredningen mellom dem er {percent_text(100 * explained, decimals=0)} forklart."
        if pd.notna(explained)
        else "",
    ]
    return report_table(
        [
            Column("Ledd", 50),
            EFFECT,
            Column("Intervall", 24, "r"),
            Column("p-verdi", 14, "r"),
        ],
        rows,
        empty="Ingen kommuner har både virkning og mål på tiltaket.",
        caption=labelled(f"{sentence(about)}, i prosentpoeng", synthetic=synthetic),
        source=source_line(observations),
        note=" ".join(part for part in told if part) or None,
    )
