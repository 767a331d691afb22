"""How far the answers of a survey carry: scales, orders, tests, weights, clusters and plans.

Estimates over all municipalities rest on what is shown of each, so no count stands here that
stands nowhere else. What is withheld shows its reason in its place.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from evalkit.display import ReportTable
from evalkit.markdown import italic
from evalkit.norwegian import interval_text, number_text, percent_text
from evalkit.references import source_line
from evalkit.tables.layout import Column, present, report_table, sentence, text_of
from evalkit.tables.statistics import (
    EFFECT,
    change_text,
    in_order,
    item_texts,
    labelled,
    limits_text,
    method_line,
    probability_text,
    spread_text,
    wave_text,
    withheld_text,
)

__all__ = [
    "adjusted_tests_table",
    "clusters_table",
    "finite_population_table",
    "linked_tests_table",
    "odds_table",
    "order_table",
    "planned_survey_table",
    "reliability_table",
    "weights_table",
]


def reliability_table(
    alpha: pd.DataFrame,
    omega: pd.DataFrame,
    *,
    items: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """How well the items of a scale go together: alpha, omega, and alpha without each item.

    Parameters
    ----------
    alpha, omega
        As from ``cronbach_alpha`` and ``mcdonald_omega``, one confidence level.
    items
        The item bank.
    surveys
        The surveys behind, for their sources.
    synthetic
        Whether the study is synthetic.
    """
    texts = item_texts(items)
    whole = alpha["left_out_item"].isna()
    named = [
        *[("Cronbachs alfa", row) for row in alpha.loc[whole].itertuples(index=False)],
        *[("McDonalds omega", row) for row in omega.itertuples(index=False)],
        *[
            (f"Alfa uten «{text_of(texts[row.left_out_item])}»", row)
            for row in alpha.loc[~whole].itertuples(index=False)
        ],
    ]
    rows = [
        (
            name,
            withheld_text(row.reason) if pd.isna(row.value) else number_text(row.value, decimals=2),
            _between_text(row),
            number_text(row.count, decimals=0),
            number_text(row.base, decimals=0),
        )
        for name, row in named
    ]
    return report_table(
        [
            Column("Mål på samsvar", 48),
            Column("Verdi", 12, "r"),
            Column("Intervall", 18, "r"),
            Column("Spørsmål", 10, "r"),
            Column("Svarte på alle", 14, "r"),
        ],
        rows,
        empty="Ingen spørsmål danner en skala.",
        caption=labelled("Hvor godt spørsmålene i skalaen henger sammen", synthetic=synthetic),
        source=source_line(surveys),
        note=method_line(alpha, omega) or None,
    )


def order_table(
    superiority: pd.DataFrame,
    delta: pd.DataFrame,
    *,
    before: int,
    after: int,
    items: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Chance of a higher answer in the second wave, and Cliff's delta, by item.

    Parameters
    ----------
    superiority, delta
        As from ``probability_of_superiority`` and ``cliffs_delta`` by ``item``, one level.
    before, after
        The waves.
    items, surveys, synthetic
        As for ``reliability_table``.
    """
    texts = item_texts(items)
    both = superiority.merge(delta, on="item", suffixes=("", "_delta"), validate="one_to_one")
    rows = [
        (
            text_of(texts[row.item]),
            withheld_text(row.reason)
            if pd.isna(row.value)
            else percent_text(100 * row.value, decimals=0),
            interval_text(100 * row.lower, 100 * row.upper),
            change_text(row.value_delta, scale=1, decimals=2) if pd.notna(row.value_delta) else "",
            spread_text(row.lower_delta, row.upper_delta, scale=1, decimals=2),
        )
        for row in in_order(both, items).itertuples(index=False)
    ]
    return report_table(
        [
            Column("Spørsmål", 36),
            Column("Sjanse for høyere svar", 16, "r"),
            Column("Intervall", 14, "r"),
            Column("Cliffs delta", 12, "r"),
            Column("Intervall", 20, "r"),
        ],
        rows,
        empty="Ingen spørsmål er stilt likt i begge rundene.",
        caption=labelled(
            f"Svarene i {_the(after)} mot {_the(before)}, bare etter rekkefølgen",
            synthetic=synthetic,
        ),
        source=source_line(surveys),
        note=f"{method_line(delta)} Sjansen er 50 prosent, og delta 0, når rundene er like.".strip(),
    )


def linked_tests_table(
    tests: pd.DataFrame,
    shifts: pd.DataFrame,
    *,
    items: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Tests for the same persons' two answers: of agreeing, and of moving on the scale.

    Parameters
    ----------
    tests, shifts
        As from ``mcnemar_test`` and ``paired_shift`` by ``item``, one level.
    items, surveys, synthetic
        As for ``reliability_table``.
    """
    texts = item_texts(items)
    both = tests.merge(shifts, on="item", suffixes=("", "_shift"), validate="one_to_one")
    rows = [
        (
            text_of(texts[row.item]),
            withheld_text(row.reason) if pd.isna(row.value) else change_text(row.value),
            limits_text(row),
            probability_text(row.p_value),
            change_text(row.value_shift) if pd.notna(row.value_shift) else "",
            spread_text(row.lower_shift, row.upper_shift),
            probability_text(row.p_value_shift),
        )
        for row in in_order(both, items).itertuples(index=False)
    ]
    return report_table(
        [
            Column("Spørsmål", 26),
            EFFECT,
            Column("Intervall", 16, "r"),
            Column("p (McNemar)", 11, "r"),
            Column("Opp minus ned", 12, "r"),
            Column("Intervall", 16, "r"),
            Column("p (Wilcoxon)", 11, "r"),
        ],
        rows,
        empty="Ingen svar kan kobles.",
        caption=labelled(
            "Tester for dem som svarte i begge rundene, i prosentpoeng", synthetic=synthetic
        ),
        source=source_line(surveys),
        note=f"{method_line(tests, shifts)} «Endring» er i andelen enige. «Opp minus ned» er andelen som svarte høyere enn "
        "sist, minus andelen som svarte lavere.".strip(),
    )


def adjusted_tests_table(
    holm: pd.DataFrame,
    expected: pd.DataFrame,
    *,
    items: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """p-values of a battery as they are, and adjusted for how many tests there are.

    Parameters
    ----------
    holm, expected
        As from ``adjusted_p_values`` with ``Holm`` and with ``Benjamini-Hochberg``.
    items, surveys, synthetic
        As for ``reliability_table``.
    """
    texts = item_texts(items)
    both = holm.merge(
        expected[["item", "adjusted_p_value", "significant"]],
        on="item",
        suffixes=("", "_expected"),
        validate="one_to_one",
    )
    rows = [
        (
            text_of(texts[row.item]),
            probability_text(row.p_value) or withheld_text(row.reason),
            probability_text(row.adjusted_p_value),
            probability_text(row.adjusted_p_value_expected),
            "" if pd.isna(row.p_value) else _standing_text(row),
        )
        for row in in_order(both, items).itertuples(index=False)
    ]
    count = number_text(holm["battery_count"].max())
    return report_table(
        [
            Column("Spørsmål", 36),
            Column("p alene", 12, "r"),
            Column("Holm", 12, "r"),
            Column("Benjamini og Hochberg", 16, "r"),
            Column("Står etter justering", 24),
        ],
        rows,
        empty="Ingen tester er gjort.",
        caption=labelled("p-verdiene justert for antall spørsmål", synthetic=synthetic),
        source=source_line(surveys),
        note=f"{count} tester, nivå 5 prosent.",
    )


def _standing_text(row) -> str:
    """By which of the two adjustments a finding stands."""
    if row.significant and row.significant_expected:
        return "ja"
    return "bare etter Benjamini og Hochberg" if row.significant_expected else "nei"


def odds_table(
    regression: pd.DataFrame,
    *,
    terms: Mapping[str, str],
    item: str,
    items: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Odds of a higher answer, by the terms of a regression.

    Parameters
    ----------
    regression
        As from ``ordinal_regression``, one level.
    terms
        The terms to show, in order, and what a reader calls each; the others are adjusted for.
        One that the regression lacks, as where a service is hidden, is passed over.
    item
        The item.
    items, surveys, synthetic
        As for ``reliability_table``.
    """
    text = text_of(item_texts(items)[item])
    own = regression.set_index("term")
    rows = [
        (
            text_of(name),
            _withheld_of_services(row["reason"])
            if pd.isna(row["odds_ratio"])
            else number_text(row["odds_ratio"], decimals=2),
            _odds_limits(row),
            probability_text(row["p_value"]),
        )
        for term, name in terms.items()
        if term in own.index
        for row in [own.loc[term]]
    ]
    base = own["base"].iloc[0]
    return report_table(
        [
            Column("Ledd", 48),
            Column("Oddsforhold", 16, "r"),
            Column("Intervall", 20, "r"),
            Column("p-verdi", 16, "r"),
        ],
        rows,
        empty="Ingen svar kan brukes.",
        caption=labelled(f"Odds for et høyere svar på «{text}»", synthetic=synthetic),
        source=source_line(surveys),
        note=f"{method_line(regression)} {number_text(base)} svar.".strip(),
    )


def _odds_limits(row: pd.Series) -> str:
    """Limits of an odds ratio, from those of its logarithm."""
    if pd.isna(row["lower"]):
        return ""
    ends = (number_text(np.exp(row[end]), decimals=2) for end in ("lower", "upper"))
    return "–\u2060".join(ends)


def weights_table(
    shares: Mapping[str, pd.DataFrame],
    *,
    item: str,
    items: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """The same share with and without weights, with what the weights cost.

    Parameters
    ----------
    shares
        By what the answers were weighted by, in words: one row as from ``weighted_share``.
    item
        The item.
    items, surveys, synthetic
        As for ``reliability_table``.
    """
    text = text_of(item_texts(items)[item])
    rows = [
        (
            text_of(sentence(name)),
            withheld_text(row["reason"])
            if pd.isna(row["value"])
            else percent_text(100 * row["value"], decimals=1),
            interval_text(100 * row["lower"], 100 * row["upper"], decimals=1),
            number_text(row["base"], decimals=0),
            number_text(row["design_effect"], decimals=3),
            number_text(row["effective_base"], decimals=0),
        )
        for name, result in shares.items()
        for row in [result.iloc[0]]
    ]
    return report_table(
        [
            Column("Vekter", 38),
            Column("Andel enige", 12, "r"),
            Column("Intervall", 18, "r"),
            Column("Svar", 10, "r"),
            Column("Designeffekt", 12, "r"),
            Column("Effektivt grunnlag", 12, "r"),
        ],
        rows,
        empty="Ingen svar kan vektes.",
        caption=labelled(f"Andel enige i «{text}», med og uten vekter", synthetic=synthetic),
        source=source_line(surveys),
        note=method_line(*shares.values()) or None,
    )


def clusters_table(
    by_municipality: pd.DataFrame,
    together: pd.DataFrame,
    *,
    item: str,
    items: pd.DataFrame,
    municipalities: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Shares whose limits allow for answers that go together within services.

    Parameters
    ----------
    by_municipality, together
        As from ``cluster_robust_mean``: a row per ``municipality_code``, and one for all.
    item
        The item.
    municipalities
        The municipalities, for their names.
    items, surveys, synthetic
        As for ``reliability_table``.
    """
    text = text_of(item_texts(items)[item])
    names = municipalities.set_index("municipality_code")["name"]
    place = {code: number for number, code in enumerate(names.index)}
    own = by_municipality.iloc[
        by_municipality["municipality_code"].map(place).argsort(kind="stable")
    ]
    named = [
        *[(text_of(names[row.municipality_code]), row) for row in own.itertuples(index=False)],
        *[("Alle kommunene", row) for row in together.itertuples(index=False)],
    ]
    rows = [
        (
            name,
            number_text(row.cluster_count, decimals=0),
            number_text(row.base, decimals=0),
            withheld_text(row.reason)
            if pd.isna(row.value)
            else percent_text(100 * row.value, decimals=0),
            interval_text(100 * row.lower, 100 * row.upper) or _withheld_of_services(row.reason),
            number_text(row.design_effect, decimals=2) if pd.notna(row.lower) else "",
        )
        for name, row in named
    ]
    return report_table(
        [
            Column("Kommune", 26),
            Column("Tjenester", 12, "r"),
            Column("Svar", 12, "r"),
            Column("Andel enige", 14, "r"),
            Column("Intervall", 24, "r"),
            Column("Designeffekt", 12, "r"),
        ],
        rows,
        empty="Ingen svar har tjeneste.",
        caption=labelled(
            f"Andel enige i «{text}» når svar fra samme tjeneste kan ligne hverandre",
            synthetic=synthetic,
        ),
        source=source_line(surveys),
        note=f"{method_line(by_municipality, together)} Tjenester som er skjult, er ikke med.".strip(),
    )


def finite_population_table(
    workplace: pd.DataFrame,
    persons: pd.DataFrame,
    *,
    item: str,
    items: pd.DataFrame,
    municipalities: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """The same change with two intervals: of the workplace, and of exactly those invited.

    Parameters
    ----------
    workplace, persons
        As from ``share_change`` without and with ``population``, protected, of one item.
    item
        The item.
    municipalities
        The municipalities, for their names.
    items, surveys, synthetic
        As for ``reliability_table``.
    """
    text = text_of(item_texts(items)[item])
    names = municipalities.set_index("municipality_code")["name"]
    place = {code: number for number, code in enumerate(names.index)}
    both = workplace.merge(
        persons[["municipality_code", "lower", "upper"]],
        on="municipality_code",
        how="left",
        suffixes=("", "_persons"),
        validate="one_to_one",
    )
    both = both.iloc[both["municipality_code"].map(place).argsort(kind="stable")]
    rows = [
        (
            text_of(names[row.municipality_code]),
            withheld_text(row.reason) if pd.isna(row.value) else change_text(row.value),
            limits_text(row) if pd.notna(row.value) else "",
            spread_text(row.lower_persons, row.upper_persons) if pd.notna(row.value) else "",
        )
        for row in both.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Kommune", 26),
            EFFECT,
            Column("Intervall: arbeidsplassen", 30, "r"),
            Column("Intervall: akkurat disse ansatte", 32, "r"),
        ],
        rows,
        empty="Ingen endring kan regnes ut.",
        caption=labelled(
            f"Endring i andel enige i «{text}», i prosentpoeng, etter hvem spørsmålet gjelder",
            synthetic=synthetic,
        ),
        source=source_line(surveys),
        note=method_line(workplace) or None,
    )


def planned_survey_table(
    planned: pd.DataFrame,
    *,
    item: str,
    items: pd.DataFrame,
    municipalities: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """What a survey to come will be able to find, before anybody is asked.

    Parameters
    ----------
    planned
        As from ``planned_detectable_change``, of ``survey_plan``.
    item
        The item.
    municipalities
        The municipalities, for their names.
    items, surveys, synthetic
        As for ``reliability_table``.
    """
    text = text_of(item_texts(items)[item])
    names = municipalities.set_index("municipality_code")["name"]
    place = {code: number for number, code in enumerate(names.index)}
    own = planned.iloc[planned["municipality_code"].map(place).argsort(kind="stable")]
    ways = {"linked": "koblede svar", "unlinked": "alle svar"}
    rows = [
        (
            text_of(names[row.municipality_code]),
            number_text(row.invited_count, decimals=0),
            number_text(row.expected_base, decimals=0),
            percent_text(100 * row.before_share, decimals=0),
            withheld_text(row.reason)
            if pd.isna(row.smallest_change_share)
            else number_text(100 * row.smallest_change_share, decimals=1),
            ways[row.linkage] if present(row.smallest_change_share) else "",
        )
        for row in own.itertuples(index=False)
    ]
    linked, alike, power, level = (
        own[name].iloc[0] for name in ("linkage_share", "correlation", "power", "level")
    )
    return report_table(
        [
            Column("Kommune", 24),
            Column("Inviteres", 12, "r"),
            Column("Svar ventet", 14, "r"),
            Column("Andel enige sist", 14, "r"),
            Column("Minste påvisbare endring", 18, "r"),
            Column("Med", 18),
        ],
        rows,
        empty="Ingen undersøkelse er planlagt.",
        caption=labelled(
            f"Hva neste undersøkelse kan vise for «{text}», i prosentpoeng", synthetic=synthetic
        ),
        source=source_line(surveys),
        note=f"Ventet: svarprosent som sist, {percent_text(100 * linked)} av svarene kan kobles, og en korrelasjon på "
        f"{number_text(alike, decimals=1)} mellom samme persons to svar. Styrke {percent_text(100 * power)}, nivå "
        f"{percent_text(100 * level)}.",
    )


def _between_text(row) -> str:
    """Limits on a scale from 0 to 1, or why there are none."""
    if pd.isna(row.lower):
        return "" if pd.isna(row.value) else withheld_text(row.reason)
    return "–\u2060".join(number_text(end, decimals=2) for end in (row.lower, row.upper))


def _the(wave: int) -> str:
    """A wave within a sentence: ``nullpunktet``, ``målerunde 2``."""
    return "nullpunktet" if wave == 0 else wave_text(wave)


def _withheld_of_services(reason: str | None) -> str:
    """Why a value is withheld, where the clusters are services."""
    return italic("for få tjenester") if reason == "too_few_clusters" else withheld_text(reason)
