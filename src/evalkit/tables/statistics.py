"""Results of the statistics as report tables, with interval, base and reason.

What is withheld shows its reason in its place. Every caption of a synthetic study says so.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from evalkit import vocabulary as words
from evalkit.disclosure import TOTAL
from evalkit.display import ReportTable
from evalkit.errors import DataError
from evalkit.goals import CLAIM_STRENGTHS, RULE_JUDGEMENTS
from evalkit.markdown import Markdown, italic
from evalkit.municipalities import Municipality
from evalkit.norwegian import interval_text, number_text, percent_text
from evalkit.reasons import HIDING
from evalkit.references import source_line
from evalkit.tables.layout import Column, present, report_table, sentence, text_of

__all__ = [
    "change_text",
    "coder_agreement_table",
    "contributions_table",
    "effects_table",
    "goal_rules_table",
    "hidden_table",
    "item_changes_table",
    "item_shares_table",
    "items_side_by_side_table",
    "joint_display_table",
    "judgements_table",
    "labelled",
    "left_out_table",
    "method_line",
    "municipality_changes_table",
    "peers_table",
    "pooled_table",
    "rivals_table",
    "share_text",
    "spread_text",
    "synthetic_controls_table",
    "target_distance_table",
    "theme_matrix_table",
    "truth_table",
    "wave_comparability_table",
    "wave_response_table",
    "wave_text",
    "withheld_text",
]

MOST_NAMED = 8  # municipalities that a cell names; more are counted
EFFECT = Column("Endring", 12, "r")
SMALLEST = Column("Minste påvisbare endring", 14, "r")


def labelled(text: str, *, synthetic: bool) -> str:
    """A caption or alternative text that says so where the data are synthetic."""
    return f"{text} (syntetisk)" if synthetic else text


def withheld_text(reason: str | None) -> str:
    """What stands in the place of a withheld value."""
    return italic(words.WITHHELD[reason]) if present(reason) else ""


def wave_text(wave: float) -> str:
    """A wave as a reader knows it: ``nullpunkt``, ``målerunde 2``; no line breaks within it."""
    return "nullpunkt" if wave == 0 else f"målerunde\u00a0{wave:.0f}"


def share_text(row) -> str:
    """A share with its interval and base, or the reason that it is withheld."""
    if pd.isna(row.value):
        return withheld_text(row.reason)
    interval = interval_text(100 * row.lower, 100 * row.upper) or withheld_text(row.reason)
    base = f"{number_text(row.base, decimals=0)}\u00a0svar"
    return Markdown.of(percent_text(100 * row.value, decimals=0), " (", interval, f"), {base}")


def change_text(value: float, *, scale: float = 100.0, decimals: int = 1) -> str:
    """A change with its sign: ``+4,1``; ``scale`` turns shares into percentage points."""
    shown = number_text(scale * value, decimals=decimals)
    return f"+{shown}" if scale * value > 0 and shown.strip("0,") else shown


def spread_text(lower: float, upper: float, *, scale: float = 100.0, decimals: int = 1) -> str:
    """The limits of a change: ``−1,2 til +4,0``; empty where there are none."""
    if pd.isna(lower) or pd.isna(upper):
        return ""
    ends = (change_text(end, scale=scale, decimals=decimals) for end in (lower, upper))
    return "\u00a0til ".join(ends)


def limits_text(row, *, scale: float = 100.0) -> str:
    """The limits of a change, or why a change that is shown has none."""
    spread = spread_text(row.lower, row.upper, scale=scale)
    return spread or withheld_text(row.reason)


def smallest_text(row, *, scale: float = 100.0) -> str:
    """The smallest change that could have been found, where the limits hold no change at all."""
    if not row.lower <= 0 <= row.upper:
        return ""
    return number_text(scale * row.smallest_change, decimals=1)


def method_line(*results: pd.DataFrame, kind: str = "intervall") -> str:
    """How the intervals, or limits, were made: ``95 prosent intervall: Wilson.``

    Empty where there is no interval.
    """
    shown = [result.loc[result["lower"].notna()] for result in results]
    methods = dict.fromkeys(method for result in shown for method in result["method"])
    levels = sorted({level for result in shown for level in result["confidence_level"]})
    if not methods:
        return ""
    told = dict.fromkeys(_told_method(method) for method in methods)
    level = " og ".join(number_text(100 * level) for level in levels)
    return f"{level} prosent {kind}: {'; '.join(told)}."


def _told_method(method: str) -> str:
    for part, text in words.INTERVAL_METHODS.items():
        if part in method:
            return text
    raise DataError(f"method {method!r} has no words for a reader; add some to INTERVAL_METHODS")


def probability_text(p_value: float) -> str:
    """A p value: ``0,03``, ``< 0,001``; empty if it is missing."""
    if pd.isna(p_value):
        return ""
    return "<\u00a00,001" if p_value < 0.001 else number_text(p_value, decimals=3)


def item_texts(items: pd.DataFrame) -> dict[str, str]:
    """The standard wording of each item, in the order of the questionnaire."""
    return items.sort_values("position").set_index("item")["text"].to_dict()


def in_order(rows: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order of the questionnaire; items that no row has are passed over."""
    place = {item: number for number, item in enumerate(item_texts(items))}
    return rows.iloc[rows["item"].map(place).argsort(kind="stable")]


def wave_response_table(
    response: pd.DataFrame, municipality: Municipality, *, surveys: pd.DataFrame, synthetic: bool
) -> ReportTable:
    """Invited, answered and response rate in every wave, in all and by service.

    Parameters
    ----------
    response
        Response rates as from ``protected_survey``.
    municipality
        The municipality.
    surveys
        The surveys behind, for their sources.
    synthetic
        Whether the study is synthetic.
    """
    own = response.loc[response["municipality_code"] == municipality.code]
    own = own.assign(part=own["service"] != TOTAL).sort_values(["wave", "part"], kind="stable")
    rows = [
        (
            sentence(wave_text(row.wave)),
            row.service if row.part else "Alle tjenester",
            number_text(row.base),
            number_text(row.count),
            percent_text(100 * row.value, decimals=0)
            if pd.notna(row.value)
            else withheld_text(row.reason),
        )
        for row in own.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Målerunde", 20),
            Column("Tjeneste", 32),
            Column("Inviterte", 14, "r"),
            Column("Svar", 12, "r"),
            Column("Svarprosent", 22, "r"),
        ],
        rows,
        empty="Det er ikke gjort noen undersøkelse i flere runder.",
        caption=labelled(f"Svar blant ansatte i {municipality.name}", synthetic=synthetic),
        source=source_line(surveys),
    )


def item_shares_table(
    shares: pd.DataFrame,
    municipality: Municipality,
    *,
    items: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Share who agree with each item in each wave, with 95 per cent interval and base.

    Parameters
    ----------
    shares
        As from ``protected_shares``; the rows of all services together are shown.
    municipality
        The municipality.
    items
        The item bank.
    surveys
        The surveys behind, for their sources.
    synthetic
        Whether the study is synthetic.
    """
    own = shares.loc[
        (shares["municipality_code"] == municipality.code) & (shares["service"] == TOTAL)
    ]
    waves = sorted(own["wave"].unique())
    texts = item_texts(items)
    cells = {(row.item, row.wave): share_text(row) for row in own.itertuples(index=False)}
    rows = [
        (
            text_of(text),
            *(cells.get((item, wave)) or withheld_text("not_asked") for wave in waves),
        )
        for item, text in texts.items()
        if any((item, wave) in cells for wave in waves)
    ]
    return report_table(
        [Column("Spørsmål", 34), *(Column(sentence(wave_text(wave)), 22) for wave in waves)],
        rows,
        empty="Det er ikke gjort noen undersøkelse i flere runder.",
        caption=labelled(
            f"Andel enige i {municipality.name}, med 95 prosent konfidensintervall",
            synthetic=synthetic,
        ),
        source=source_line(surveys),
        note=method_line(own),
    )


def item_changes_table(
    changes: pd.DataFrame,
    municipality: Municipality,
    *,
    items: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Change in the share who agree, with interval and the smallest change that could be seen.

    Parameters
    ----------
    changes
        As from ``with_detectable_change`` and ``protected_changes``, one confidence level.
    municipality, items, surveys, synthetic
        As for ``item_shares_table``.
    """
    own = in_order(changes.loc[changes["municipality_code"] == municipality.code], items)
    texts = item_texts(items)
    read = {"change seen": "endring sett", "no change seen": "ingen endring sett"}
    rows = [
        (
            text_of(texts[row.item]),
            withheld_text(row.reason) if pd.isna(row.value) else change_text(row.value),
            limits_text(row) if pd.notna(row.value) else "",
            number_text(row.base, decimals=0) if pd.notna(row.value) else "",
            number_text(100 * row.smallest_change_share, decimals=1) if pd.notna(row.value) else "",
            read.get(row.could_see, "") if pd.notna(row.value) else "",
        )
        for row in own.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Spørsmål", 30),
            EFFECT,
            Column("Intervall", 18, "r"),
            Column("Grunnlag", 12, "r"),
            Column("Minste påvisbare", 14, "r"),
            Column("Lesning", 16),
        ],
        rows,
        empty="Ingen endring kan regnes ut.",
        caption=labelled(
            f"Endring i andel enige i {municipality.name}, i prosentpoeng, med 95 prosent "
            "konfidensintervall",
            synthetic=synthetic,
        ),
        source=source_line(surveys),
        note=" ".join(text for text in (method_line(own), linkage_text(own)) if text) or None,
    )


def linkage_text(changes: pd.DataFrame) -> str | None:
    """How many of the answers could be linked, of those in the wave with fewest; none if unknown.

    Parameters
    ----------
    changes
        As from ``share_change``; only those that are shown are told of.
    """
    if "linkage_share" not in changes:
        return None
    shares = changes.loc[changes["value"].notna(), "linkage_share"].dropna()
    if shares.empty:
        return None
    low, high = (percent_text(100 * share, decimals=0) for share in (shares.min(), shares.max()))
    return f"Koblet til samme person: {low if low == high else f'{low} til {high}'} av svarene."


def wave_comparability_table(
    comparisons: pd.DataFrame,
    municipality: Municipality,
    *,
    items: pd.DataFrame,
    crosswalk: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Which items may be compared from one wave to another, and why the others may not.

    Parameters
    ----------
    comparisons
        As from ``comparisons_between_waves``.
    municipality, items, synthetic
        As for ``item_shares_table``.
    crosswalk
        The crosswalk behind, for its sources.
    """
    own = in_order(comparisons.loc[comparisons["municipality_code"] == municipality.code], items)
    texts = item_texts(items)
    rows = [
        (
            text_of(texts[row.item]),
            words.CROSSWALK_STATUS[row.status_before],
            words.CROSSWALK_STATUS[row.status_after],
            "ja" if row.allowed else f"nei: {words.WITHHELD[row.reason]}",
        )
        for row in own.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Spørsmål", 40),
            Column("Før", 18),
            Column("Etter", 18),
            Column("Kan sammenlignes", 24),
        ],
        rows,
        empty="Det er ikke sagt hva som ble spurt om i rundene.",
        caption=labelled(
            f"Spørsmål som kan sammenlignes over tid i {municipality.name}", synthetic=synthetic
        ),
        source=source_line(crosswalk),
    )


def left_out_table(
    left: pd.DataFrame,
    *,
    items: pd.DataFrame,
    municipalities: pd.DataFrame,
    crosswalk: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """What a comparison left out, and why.

    Parameters
    ----------
    left
        As from ``left_out``.
    items, crosswalk, synthetic
        As for ``wave_comparability_table``.
    municipalities
        The municipalities, for their names.
    """
    texts = item_texts(items)
    names = municipalities.set_index("municipality_code")["name"]
    rows = [
        (
            text_of(texts[row.item]),
            words.WITHHELD[row.reason],
            ", ".join(names[code.strip()] for code in row.municipality_codes.split(",")),
        )
        for row in in_order(left, items).itertuples(index=False)
    ]
    return report_table(
        [Column("Spørsmål", 40), Column("Grunn", 24), Column("Kommuner", 36)],
        rows,
        empty="Alle spørsmål er stilt likt.",
        caption=labelled("Hva sammenligningen utelater", synthetic=synthetic),
        source=source_line(crosswalk),
    )


def items_side_by_side_table(
    shares: pd.DataFrame,
    *,
    items: pd.DataFrame,
    municipalities: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Shares who agree, the municipalities side by side, where the question was asked alike.

    Parameters
    ----------
    shares
        As from ``comparable_shares``, protected, one confidence level.
    items, surveys, synthetic
        As for ``item_shares_table``.
    municipalities
        The municipalities, for their names.
    """
    names = municipalities.set_index("municipality_code")["name"]
    codes = [code for code in names.index if code in set(shares["municipality_code"])]
    cells = {
        (row.item, row.municipality_code): percent_text(100 * row.value, decimals=0)
        if pd.notna(row.value)
        else withheld_text(row.reason)
        for row in shares.itertuples(index=False)
    }
    rows = [
        (text_of(text), *(cells.get((item, code), "") for code in codes))
        for item, text in item_texts(items).items()
        if any((item, code) in cells for code in codes)
    ]
    bases = shares.loc[shares["value"].notna(), "base"]
    return report_table(
        [Column("Spørsmål", 28), *(Column(text_of(names[code]), 12, "r") for code in codes)],
        rows,
        empty="Ingen spørsmål er stilt likt i flere kommuner.",
        caption=labelled("Andel enige der spørsmålet er stilt likt", synthetic=synthetic),
        source=source_line(surveys),
        note=None if bases.empty else f"Hver andel er av {_span_text(bases)} svar.",
    )


def _span_text(counts: pd.Series) -> str:
    ends = dict.fromkeys([counts.min(), counts.max()])
    return " til ".join(number_text(end, decimals=0) for end in ends)


def target_distance_table(
    distances: pd.DataFrame,
    probabilities: pd.DataFrame,
    municipality: Municipality,
    *,
    indicators: pd.DataFrame,
    observations: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Latest value, target, what is needed per year and how likely the target is in its year.

    Parameters
    ----------
    distances
        As from ``distance_to_target``.
    probabilities
        As from ``reach_probability``, one confidence level.
    municipality
        The municipality.
    indicators
        Indicators with ``name``; values are in per cent.
    observations
        The observations behind, for their sources.
    synthetic
        Whether the study is synthetic.
    """
    keys = ["municipality_code", "indicator_id"]
    joined = distances.merge(
        probabilities[[*keys, "reach_probability", "reason"]],
        on=keys,
        how="left",
        suffixes=("", "_probability"),
        validate="one_to_one",
    )
    names = indicators.set_index("indicator_id")["name"]
    own = joined.loc[joined["municipality_code"] == municipality.code]
    rows = [
        (
            text_of(names[row.indicator_id]),
            withheld_text(row.reason)
            if pd.isna(row.value)
            else f"{percent_text(row.value, decimals=1)} ({row.latest_year:.0f})",
            withheld_text("missing")
            if pd.isna(row.target_value)
            else percent_text(row.target_value, decimals=1)
            + (f" ({row.target_year:.0f})" if pd.notna(row.target_year) else ""),
            change_text(row.achieved_per_year, scale=1, decimals=2),
            f"på målverdien i {row.latest_year:.0f}"
            if pd.notna(row.reached) and row.reached
            else change_text(row.needed_per_year, scale=1, decimals=2),
            percent_text(100 * row.reach_probability, decimals=0)
            or withheld_text(row.reason_probability),
        )
        for row in own.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Indikator", 24),
            Column("Siste verdi", 16, "r"),
            Column("Målverdi", 16, "r"),
            Column("Endring per år", 14, "r"),
            Column("Trengs per år", 14, "r"),
            Column("Sannsynlig å nå i målåret", 14, "r"),
        ],
        rows,
        empty="Ingen indikator har både verdi og mål.",
        caption=labelled(
            f"Avstand til målverdiene i {municipality.name}; endring i prosentpoeng",
            synthetic=synthetic,
        ),
        source=source_line(observations),
        note="Siste verdi er ett år. Sannsynligheten gjelder målåret, og bare om trenden i alle årene "
        "fortsetter som før. En kommune kan derfor ligge på målverdien nå og likevel ventes over den da.",
    )


def peers_table(
    compared: pd.DataFrame,
    municipality: Municipality,
    *,
    indicators: pd.DataFrame,
    observations: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """The municipality beside the municipalities most like it, in the latest year.

    Parameters
    ----------
    compared
        As from ``comparison_with_peers``.
    municipality, indicators, observations, synthetic
        As for ``target_distance_table``.
    """
    own = compared.loc[compared["municipality_code"] == municipality.code]
    latest = own.loc[own["year"] == own["year"].max()]
    names = indicators.set_index("indicator_id")["name"]
    rows = [
        (
            text_of(names[row.indicator_id]),
            f"{row.year:.0f}",
            percent_text(row.value, decimals=1)
            if pd.notna(row.value)
            else withheld_text(row.reason),
            percent_text(row.peer_median, decimals=1),
            interval_text(row.peer_lower_quartile, row.peer_upper_quartile, decimals=1),
            number_text(row.peer_count, decimals=0),
        )
        for row in latest.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Indikator", 28),
            Column("År", 8, "r"),
            Column("Kommunen", 14, "r"),
            Column("Lignende, median", 16, "r"),
            Column("Midterste halvdel", 18, "r"),
            Column("Antall lignende", 14, "r"),
        ],
        rows,
        empty="Ingen kommuner ligner nok.",
        caption=labelled(f"{municipality.name} og kommunene som ligner mest", synthetic=synthetic),
        source=source_line(observations),
        note="Halvdelen av de lignende kommunene ligger i spennet; det er ikke et "
        "konfidensintervall.",
    )


def effects_table(
    effects: Mapping[str, pd.DataFrame],
    pretrends: Mapping[str, pd.DataFrame],
    *,
    indicators: pd.DataFrame,
    observations: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Difference in differences for each indicator, with its interval and pre-trend check.

    Where there is no interval its reason stands in its place; where the interval holds no change,
    so does the smallest change that could have been found.

    Parameters
    ----------
    effects
        By indicator, as from ``difference_in_differences``, one confidence level.
    pretrends
        By indicator, as from ``pretrend_check``.
    indicators, observations, synthetic
        As for ``target_distance_table``.
    """
    names = indicators.set_index("indicator_id")["name"]
    rows = []
    for indicator, effect in effects.items():
        row, before = effect.iloc[0], pretrends[indicator].iloc[0]
        rows.append(
            (
                text_of(names[indicator]),
                withheld_text(row["reason"])
                if pd.isna(row["value"])
                else change_text(row["value"], scale=1),
                spread_text(row["lower"], row["upper"], scale=1) or withheld_text(row["reason"]),
                smallest_text(row, scale=1),
                probability_text(row["p_value"]),
                " mot ".join(
                    number_text(row[f"{group}_count"], decimals=0)
                    for group in ("treated", "comparison")
                ),
                probability_text(before["p_value"]),
            )
        )
    return report_table(
        [
            Column("Indikator", 26),
            EFFECT,
            Column("Intervall", 18, "r"),
            SMALLEST,
            Column("p-verdi", 10, "r"),
            Column("Kommuner", 14, "r"),
            Column("p for ulik trend før", 14, "r"),
        ],
        rows,
        empty="Ingen sammenligning kan gjøres.",
        caption=labelled(
            "Endring mot kommuner uten tiltaket, i prosentpoeng",
            synthetic=synthetic,
        ),
        source=source_line(observations),
        note=method_line(*effects.values()) or None,
    )


def synthetic_controls_table(
    results: pd.DataFrame,
    *,
    municipalities: pd.DataFrame,
    observations: pd.DataFrame,
    indicator: str,
    synthetic: bool,
) -> ReportTable:
    """Synthetic control for each municipality, with fit before, donors and placebo rank.

    Parameters
    ----------
    results
        As from ``synthetic_control``, one confidence level.
    municipalities
        The municipalities, for their names.
    observations
        The observations behind, for their sources.
    indicator
        The indicator's name.
    synthetic
        Whether the study is synthetic.
    """
    names = municipalities.set_index("municipality_code")["name"]
    rows = [
        (
            text_of(names[row.municipality_code]),
            withheld_text(row.reason) if pd.isna(row.value) else change_text(row.value, scale=1),
            limits_text(row, scale=1),
            smallest_text(row, scale=1),
            number_text(row.pre_rmspe, decimals=2),
            f"{number_text(row.placebo_rank)} av {number_text(row.donor_count + 1)}"
            if pd.notna(row.placebo_rank)
            else "",
        )
        for row in results.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Kommune", 22),
            Column("Avvik", 12, "r"),
            Column("Intervall", 22, "r"),
            SMALLEST,
            Column("Avvik før tiltaket", 18, "r"),
            Column("Plassering", 18, "r"),
        ],
        rows,
        empty="Ingen kommune kan sammenlignes med en syntetisk kontroll.",
        caption=labelled(
            f"Hver kommune mot sin syntetiske kontroll: {indicator.lower()}, i prosentpoeng",
            synthetic=synthetic,
        ),
        source=source_line(observations),
        note=f"{method_line(results)} Plasseringen er kommunens blant alle som er prøvd som om de "
        "hadde tiltaket; 1 er størst avvik.",
    )


def pooled_table(
    pooled: pd.DataFrame, *, items: pd.DataFrame, surveys: pd.DataFrame, synthetic: bool
) -> ReportTable:
    """Pooled change per item, with interval, prediction interval and heterogeneity.

    Parameters
    ----------
    pooled
        As from ``pooled_estimate`` by ``item``, one confidence level.
    items, surveys, synthetic
        As for ``item_shares_table``.
    """
    texts = item_texts(items)
    rows = [
        (
            text_of(texts[row.item]),
            withheld_text(row.reason) if pd.isna(row.value) else change_text(row.value),
            limits_text(row),
            smallest_text(row),
            _next_text(row),
            number_text(100 * row.tau2**0.5, decimals=1),
            percent_text(100 * row.i2_share, decimals=0),
            number_text(row.study_count, decimals=0),
        )
        for row in in_order(pooled, items).itertuples(index=False)
    ]
    uncertain = pooled["small_k_warning"].astype(bool) & pooled["value"].notna()
    warning = (
        " Med færre enn fem kommuner er spredningen mellom dem nesten ikke kjent, og intervallene er usikre."
        if uncertain.any()
        else ""
    )
    return report_table(
        [
            Column("Spørsmål", 26),
            EFFECT,
            Column("Intervall", 18, "r"),
            SMALLEST,
            Column("Neste kommune", 18, "r"),
            Column("Spredning (τ)", 12, "r"),
            Column("I²", 8, "r"),
            Column("Kommuner", 12, "r"),
        ],
        rows,
        empty="Ingen spørsmål kan slås sammen.",
        caption=labelled(
            "Endring i andel enige, slått sammen over kommunene, i prosentpoeng, med 95 prosent "
            "konfidensintervall",
            synthetic=synthetic,
        ),
        source=source_line(surveys),
        note=f"{method_line(pooled)} «Neste kommune» er intervallet som endringen i en ny, lignende kommune ventes i"
        f"{_known_spread(pooled)}. "
        "«Spredning (τ)» er standardavviket mellom kommunenes endringer, i prosentpoeng."
        f"{warning}".strip(),
    )


def _known_spread(pooled: pd.DataFrame) -> str:
    """Whether the interval for the next municipality takes the spread as known."""
    if pooled["method"].str.contains("classical prediction").any():
        return ", om spredningen mellom kommunene var kjent"
    return "; det tar høyde for at spredningen mellom kommunene er usikker"


def _next_text(row) -> str:
    """Where the next municipality is expected, or why nobody can say."""
    spread = spread_text(row.prediction_lower, row.prediction_upper)
    if spread:
        return spread
    return withheld_text(row.reason if present(row.reason) else "too_few_clusters")


def theme_matrix_table(
    matrix: pd.DataFrame, *, municipalities: pd.DataFrame, codings: pd.DataFrame, synthetic: bool
) -> ReportTable:
    """Comments with each theme from one coder or more by municipality, of all comments there.

    Parameters
    ----------
    matrix
        As from ``theme_matrix``, protected.
    municipalities
        The municipalities, for their names.
    codings
        The codings behind, for their sources.
    synthetic
        Whether the study is synthetic.
    """
    names = municipalities.set_index("municipality_code")["name"]
    codes = [code for code in names.index if code in set(matrix["municipality_code"])]
    cells = {
        (row.code, row.municipality_code): "\u00a0av\u00a0".join(
            number_text(number, decimals=0) for number in (row.count, row.base)
        )
        if pd.notna(row.count) and pd.notna(row.base)
        else withheld_text(row.reason)
        for row in matrix.itertuples(index=False)
    }
    rows = [
        (text_of(sentence(theme)), *(cells.get((theme, code), "") for code in codes))
        for theme in dict.fromkeys(matrix["code"])
    ]
    return report_table(
        [Column("Tema", 18), *(Column(text_of(names[code]), 14, "r") for code in codes)],
        rows,
        empty="Ingen kommentarer er kodet.",
        caption=labelled(
            "Kommentarer fra brukere etter kommune og tema, kodet av minst én koder",
            synthetic=synthetic,
        ),
        source=source_line(codings),
        note="Hvor ofte et tema er nevnt, sier ikke hvor mange som mener det.",
    )


def coder_agreement_table(
    results: pd.DataFrame, *, codings: pd.DataFrame, synthetic: bool
) -> ReportTable:
    """How well the coders agree on each theme.

    Parameters
    ----------
    results
        As from ``theme_agreement``, one level.
    codings
        The codings behind, for their sources.
    synthetic
        Whether the study is synthetic.
    """
    rows = [
        (
            text_of(sentence(row.theme)),
            number_text(row.value, decimals=2) or withheld_text(row.reason),
            "–".join(number_text(end, decimals=2) for end in (row.lower, row.upper))
            if pd.notna(row.lower)
            else withheld_text(row.reason),
            number_text(row.unit_count, decimals=0),
            number_text(row.coder_count, decimals=0),
        )
        for row in results.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Tema", 30),
            Column("Krippendorffs alfa", 16, "r"),
            Column("Intervall", 20, "r"),
            Column("Utsagn", 16, "r"),
            Column("Kodere", 16, "r"),
        ],
        rows,
        empty="Bare én person har kodet.",
        caption=labelled(
            "Samsvar mellom dem som kodet, med 95 prosent konfidensintervall", synthetic=synthetic
        ),
        source=source_line(codings),
        note=f"{method_line(results)} Et utsagn har temaet eller ikke; 1 er fullt samsvar, 0 er det "
        "tilfeldigheter gir.".strip(),
    )


def joint_display_table(
    display: pd.DataFrame,
    *,
    fits: Mapping[str, str],
    codings: pd.DataFrame,
    synthetic: bool,
    quantity: str = "change",
) -> ReportTable:
    """Findings, their numbers and what was said about them; cleared excerpts, coded alike.

    Parameters
    ----------
    display
        As from ``joint_display``.
    fits
        Norwegian words for how text and number fit, such as ``FINDING_FITS``.
    codings
        The codings behind, for their sources.
    synthetic
        Whether the study is synthetic.
    quantity
        What the numbers are: ``"change"`` of a share, or ``"share"`` (0 to 1).
    """
    number, head, unit = {
        "change": (
            lambda row: Markdown.of(change_text(row.value), " (", limits_text(row), ")"),
            "Endring",
            "endring i prosentpoeng",
        ),
        "share": (
            lambda row: Markdown.of(
                percent_text(100 * row.value, decimals=0),
                " (",
                interval_text(100 * row.lower, 100 * row.upper) or withheld_text(row.reason),
                ")",
            ),
            "Andel enige",
            "gjennomsnittet av kommunene",
        ),
    }[quantity]
    rows = [
        (
            text_of(row.finding),
            withheld_text(row.reason) if pd.isna(row.value) else number(row),
            text_of(row.code),
            f"«{'», «'.join(map(text_of, row.excerpts))}»"
            if isinstance(row.excerpts, tuple) and row.excerpts
            else "ingen klarert og kodet likt",
            text_of(fits.get(row.fit, "")),
        )
        for row in display.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Funn", 26),
            Column(head, 18),
            Column("Tema", 12),
            Column("Utdrag", 30),
            Column("Sammen", 14),
        ],
        rows,
        empty="Ingen funn er knyttet til tema.",
        caption=labelled(f"Tall og tekst side om side; {unit}", synthetic=synthetic),
        source=source_line(codings),
        note=f"{method_line(display)} Utdragene er klarert og har fått temaet av alle som kodet "
        "teksten.".strip(),
    )


def goal_rules_table(rules: pd.DataFrame, *, goals: pd.DataFrame, synthetic: bool) -> ReportTable:
    """The rule declared for each goal, before any judgement.

    Parameters
    ----------
    rules
        As from ``goal_rules``; the smallest change in percentage points.
    goals
        The goals, for their wording and sources.
    synthetic
        Whether the study is synthetic.
    """
    texts = goals.set_index("goal_id")["text"]
    place = {goal: number for number, goal in enumerate(texts.index)}
    order = rules.assign(place=rules["goal_id"].map(place)).sort_values("place")
    rows = [
        (
            text_of(texts[row.goal_id]),
            {"up": "opp", "down": "ned"}[row.direction],
            percent_text(row.target_value),
            number_text(row.smallest_change),
            words.EVIDENCE_GRADES[row.minimum_evidence],
            percent_text(100 * row.confidence_level),
        )
        for row in order.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Mål", 36),
            Column("Retning", 10),
            Column("Målverdi", 12, "r"),
            Column("Minste endring som betyr noe", 16, "r"),
            Column("Krav til belegg", 24),
            Column("Nivå", 10, "r"),
        ],
        rows,
        empty="Ingen mål har regel.",
        caption=labelled(
            "Reglene som er erklært for målene; endring i prosentpoeng", synthetic=synthetic
        ),
        source=source_line(goals),
        note="Nivået er konfidensnivået til intervallet som målet vurderes etter.",
    )


def judgements_table(
    judgements: pd.DataFrame,
    *,
    goals: pd.DataFrame,
    municipalities: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Goal attainment by the declared rule, with what each judgement rests on.

    Parameters
    ----------
    judgements
        As from ``strongest_evidence``; changes in percentage points.
    goals
        The goals, for their wording.
    municipalities
        The municipalities, for their names.
    synthetic
        Whether the study is synthetic.
    """
    texts = goals.set_index("goal_id")["text"]
    names = municipalities.set_index("municipality_code")["name"]
    place = {code: number for number, code in enumerate(names.index)}
    order = judgements.assign(
        goal_place=judgements["goal_id"].map({g: n for n, g in enumerate(texts.index)}),
        place=judgements["municipality_code"].map(place),
    ).sort_values(["goal_place", "place"])
    rows = [
        (
            text_of(texts[row.goal_id]),
            text_of(names[row.municipality_code]),
            judgement_text(row),
            change_text(row.value, scale=1) if pd.notna(row.value) else withheld_text(row.reason),
            limits_text(row, scale=1) if pd.notna(row.value) else "",
            number_text(row.smallest_detectable_change, decimals=1),
            words.EVIDENCE_GRADES[row.evidence_grade],
        )
        for row in order.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Mål", 20),
            Column("Kommune", 14),
            Column("Vurdering", 20),
            Column("Endring", 10, "r"),
            Column("Intervall", 16, "r"),
            Column("Minste påvisbare", 11, "r"),
            Column("Grunnlag", 16),
        ],
        rows,
        empty="Ingen mål har regel.",
        caption=labelled(
            "Måloppnåelse etter den erklærte regelen; endring i prosentpoeng", synthetic=synthetic
        ),
        source=source_line(goals),
        note=method_line(judgements),
        grouped=True,
    )


def judgement_text(row) -> str:
    """The judgement, what was reached, and why a change that stands cannot be judged."""
    text = RULE_JUDGEMENTS[row.judgement]
    level = getattr(row, "target_status", "no_target")
    if row.judgement == "reached":
        return f"{text}: endringen er stor nok" if level == "no_target" else "målverdien er nådd"
    if level == "not_met" and row.judgement == "improved":
        return "bedring, men målverdien er ikke nådd"
    if level == "not_met" and row.judgement == "cannot_be_judged":
        return "målverdien er ikke nådd; om noe er endret, kan ikke vurderes"
    if pd.isna(row.lower) or not present(row.reason):
        return text
    why = "nullpunktet mangler" if row.reason == "missing" else words.WITHHELD[row.reason]
    return f"{text}: {why}"


def municipality_changes_table(
    changes: pd.DataFrame,
    *,
    municipalities: pd.DataFrame,
    splits: str,
    synthetic: bool,
) -> ReportTable:
    """Mergers and splits in the period, and how the years before them are treated.

    Parameters
    ----------
    changes
        Rows of ``MunicipalityChangesTable``.
    municipalities
        The municipalities, for their names.
    splits
        The rule that ``present_day_values`` was given.
    synthetic
        Whether the study is synthetic.
    """
    names = municipalities.set_index("municipality_code")["name"]
    parts = changes.groupby(["old_code", "year"])["new_code"].transform("size")
    merged = parts.eq(1) & changes["share"].eq(1)
    rows = [
        (
            f"{year:.0f}",
            tuple(text_of(names[code]) for code in group["old_code"]),
            text_of(names[new]),
            "Tellerne og nevnerne er lagt sammen",
        )
        for (year, new), group in changes.loc[merged].groupby(["year", "new_code"])
    ]
    treated = {
        "refuse": "Årene før er ikke brukt; delene kan ikke skilles",
        "apportion": "Tellerne og nevnerne er fordelt etter andelen",
    }[splits]
    rows += [
        (
            f"{year:.0f}",
            text_of(names[old]),
            tuple(
                text_of(names[row.new_code])
                + (
                    f" ({percent_text(100 * row.share, decimals=0)} av "
                    f"{text_of(row.share_basis) or 'helheten'})"
                    if pd.notna(row.share)
                    else ""
                )
                for row in group.itertuples(index=False)
            ),
            treated
            if group["restored_code"].isna().all()
            else (treated, "Før sammenslåingen: som de tidligere kommunene"),
        )
        for (year, old), group in changes.loc[~merged].groupby(["year", "old_code"])
    ]
    return report_table(
        [
            Column("År", 8),
            Column("Før", 20),
            Column("Etter", 26),
            Column("Årene før endringen", 30),
        ],
        sorted(rows, key=lambda row: row[0]),
        empty="Ingen kommuner er slått sammen eller delt i perioden.",
        caption=labelled("Kommuner som er slått sammen eller delt", synthetic=synthetic),
        source=source_line(changes),
    )


def rivals_table(
    rivals: pd.DataFrame,
    *,
    goals: pd.DataFrame,
    municipalities: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """Other explanations of each goal's change, and how each stands in the municipalities.

    Parameters
    ----------
    rivals
        Rows of ``RivalExplanationsTable``.
    goals, municipalities, synthetic
        As for ``judgements_table``.
    """
    texts = goals.set_index("goal_id")["text"]
    names = municipalities.set_index("municipality_code")["name"]
    place = {goal: number for number, goal in enumerate(texts.index)}
    order = rivals.assign(goal_place=rivals["goal_id"].map(place))
    rows = [
        (
            text_of(texts[goal]),
            text_of(rival),
            tuple(
                f"{label}: {_places(names, here)}"
                for status, label in words.RIVAL_STATUS.items()
                for here in [group.loc[group["status"] == status, "municipality_code"]]
                if len(here)
            ),
            text_of("; ".join(group["grounds"].dropna().unique())),
        )
        for (_, goal, rival), group in order.groupby(["goal_place", "goal_id", "rival"], sort=False)
    ]
    return report_table(
        [
            Column("Mål", 18),
            Column("Annen forklaring", 28),
            Column("Hvordan den står", 34),
            Column("Bygger på", 20),
        ],
        rows,
        empty="Ingen andre forklaringer er ført opp.",
        caption=labelled("Andre forklaringer på endringene", synthetic=synthetic),
        source=source_line(rivals),
        grouped=True,
    )


def contributions_table(
    contributions: pd.DataFrame,
    *,
    goals: pd.DataFrame,
    municipalities: pd.DataFrame,
    synthetic: bool,
) -> ReportTable:
    """How well each claim that the measure contributed to a goal is supported.

    Parameters
    ----------
    contributions
        As from ``contribution_claims``.
    goals, municipalities, synthetic
        As for ``judgements_table``.
    """
    texts = goals.set_index("goal_id")["text"]
    names = municipalities.set_index("municipality_code")["name"]
    goal_place = {goal: number for number, goal in enumerate(texts.index)}
    place = {code: number for number, code in enumerate(names.index)}
    order = contributions.assign(
        goal_place=contributions["goal_id"].map(goal_place),
        place=contributions["municipality_code"].map(place),
    ).sort_values(["goal_place", "place"])
    rows = [
        (
            text_of(f"{texts[row.goal_id]}. Påstand: {row.claim}"),
            text_of(names[row.municipality_code]),
            words.MECHANISM_STATUS[row.mechanism_status],
            RULE_JUDGEMENTS[row.judgement],
            tuple(sentence(text_of(rival)) for rival in row.standing_rivals.split("; ") if rival),
            CLAIM_STRENGTHS[row.claim_strength],
        )
        for row in order.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Mål og påstand", 20),
            Column("Kommune", 14),
            Column("Mekanismen", 16),
            Column("Måloppnåelse", 16),
            Column("Forklaringer som står igjen", 20, kept=True),
            Column("Bidraget er", 14),
        ],
        rows,
        empty="Ingen påstander om bidrag er ført opp.",
        caption=labelled("Tiltakets bidrag til målene", synthetic=synthetic),
        source=source_line(contributions),
        grouped=True,
    )


def _places(names: pd.Series, codes: pd.Series) -> str:
    """The municipalities by name, or how many they are."""
    if len(codes) > MOST_NAMED:
        return f"{len(codes)} kommuner"
    return text_of(", ".join(names[code] for code in codes))


def truth_table(compared: pd.DataFrame, *, synthetic: bool) -> ReportTable:
    """What the generator knows beside what was estimated.

    Parameters
    ----------
    compared
        As from ``truth_and_estimates``; in percentage points.
    synthetic
        Whether the study is synthetic; anything else has no known truth.
    """
    rows = [
        (
            text_of(row.label),
            change_text(row.truth, scale=1),
            withheld_text(row.reason) if pd.isna(row.value) else change_text(row.value, scale=1),
            limits_text(row, scale=1) if pd.notna(row.value) else "",
            {True: "ja", False: "nei"}.get(row.covered, ""),
        )
        for row in compared.itertuples(index=False)
    ]
    return report_table(
        [
            Column("Størrelse", 40),
            Column("Sannhet", 14, "r"),
            Column("Anslag", 14, "r"),
            Column("Intervall", 20, "r"),
            Column("Dekker", 12),
        ],
        rows,
        empty="Ingen sannhet er kjent.",
        caption=labelled("Sannheten og anslagene, i prosentpoeng", synthetic=synthetic),
        source=source_line(compared),
        note=method_line(compared),
    )


def hidden_table(summary: pd.DataFrame, *, surveys: pd.DataFrame, synthetic: bool) -> ReportTable:
    """How many results are shown and hidden, by reason, and how well the hidden ones are hidden.

    Parameters
    ----------
    summary
        As from ``hidden_summary``.
    surveys, synthetic
        As for ``wave_response_table``.
    """
    hidden = summary.pivot(index="kind", columns="reason", values="hidden_count")
    shown = summary.drop_duplicates("kind").set_index("kind")["shown_count"]
    rows = [
        (
            sentence(words.RESULT_KINDS[kind]),
            number_text(shown[kind]),
            *(number_text(hidden.loc[kind, reason]) for reason in HIDING),
        )
        for kind in shown.index
    ]
    fewest = summary["fewest_values"].dropna()
    return report_table(
        [
            Column("Resultater", 28),
            Column("Vist", 14, "r"),
            *(Column(sentence(words.WITHHELD[reason]), 19, "r") for reason in HIDING),
        ],
        rows,
        empty="Ingen resultater hviler på antall personer.",
        caption=labelled("Hva som er vist og skjult i hele studien", synthetic=synthetic),
        source=source_line(surveys),
        note=None
        if fewest.empty
        else "Etter alt som vises i studien, kan hvert skjulte antall ha minst "
        f"{number_text(fewest.iloc[0])} ulike verdier.",
    )
