"""Results of the statistics as figures: bars, intervals, paths; readable in grey print.

Only counts and values that are safe to show come in here; what is withheld is named with its
reason. Every figure of a synthetic study says so in the drawing, the caption and the text for
those who do not see it.
"""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from evalkit import vocabulary as words
from evalkit.disclosure import TOTAL
from evalkit.display import ReportFigure
from evalkit.figures.style import (
    DARK,
    INK,
    LIGHT,
    MIDDLE,
    SETTINGS,
    decimal_comma,
    empty_svg,
    finished,
    new_figure,
    plain_axes,
    told,
    wrapped_label,
)
from evalkit.municipalities import Municipality
from evalkit.norwegian import joined_text, number_text, percent_text
from evalkit.references import noted, source_line
from evalkit.tables.layout import present, sentence
from evalkit.tables.statistics import (
    change_text,
    in_order,
    item_texts,
    labelled,
    method_line,
    spread_text,
    wave_text,
)

__all__ = [
    "event_study_figure",
    "forest_figure",
    "funnel_figure",
    "item_changes_figure",
    "likert_figure",
    "service_likert_figure",
    "synthetic_control_figure",
    "target_path_figure",
]

ANSWERS = {"disagree": "Uenig (1–2)", "neither": "Verken eller (3)", "agree": "Enig (4–5)"}
REST = "Ikke enig (1–3), der resten er skjermet"
FUNNEL_STEPS = 200  # points of a limit, so that it looks as curved as it is
COLOURS = {"disagree": MIDDLE, "neither": LIGHT, "agree": DARK}
REST_STYLE = {"color": LIGHT, "hatch": "///", "edgecolor": "white"}


def likert_rows(protected: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """One row per group with the count of each answer; all missing where the table hides the share.

    Where those who agree are shown, but not how the others part, ``rest`` is the others together.
    """
    wide = protected.pivot(index=keys, columns="answer_class", values="count")
    wide = wide.reindex(columns=[*ANSWERS, TOTAL])
    agree = protected.loc[protected["answer_class"] == "agree"].set_index(keys)["reason"]
    if len(keys) == 1:
        agree.index = agree.index.set_names(keys[0])
    hidden = wide[["agree", TOTAL]].isna().any(axis=1)
    reason = agree.reindex(wide.index).astype(object)
    reason = reason.where(reason.notna(), "can_be_derived").where(hidden, None)
    shown = wide.mask(hidden)
    merged = ~hidden & wide[["disagree", "neither"]].isna().any(axis=1)
    rest = (shown[TOTAL] - shown["agree"]).where(merged)
    apart = shown[["disagree", "neither"]].mask(merged)
    return shown.assign(**apart, rest=rest, reason=reason).reset_index()


def draw_likert(axes: Axes, rows: pd.DataFrame, labels: list[str]) -> None:
    """Bars that part around the middle of the answers in between."""
    placed = rows.assign(place=range(len(rows) - 1, -1, -1))
    for row in placed.loc[placed["total"].isna()].itertuples():
        hidden = f"ikke vist: {words.WITHHELD[row.reason]}"
        axes.text(
            0,
            row.place,
            hidden,
            ha="center",
            va="center",
            fontsize=7.5,
            style="italic",
            bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none"},
            zorder=5,
        )
    shown = placed.loc[placed["total"].notna()]
    shares = (
        shown[[*ANSWERS, "rest"]].astype(float).mul(100).div(shown["total"], axis=0).fillna(0.0)
    )
    left = -shares["rest"] - shares["disagree"] - shares["neither"] / 2
    axes.barh(shown["place"], shares["rest"], left=left, height=0.72, **REST_STYLE)
    left = left + shares.pop("rest")
    for name, widths in shares.items():
        axes.barh(
            shown["place"], widths, left=left, height=0.72, color=COLOURS[name], edgecolor="white"
        )
        for place, start, width in zip(shown["place"], left, widths, strict=True):
            if width >= 7:
                text = axes.text(
                    start + width / 2,
                    place,
                    number_text(width, decimals=0),
                    ha="center",
                    va="center",
                    fontsize=7.5,
                    color=INK if name == "neither" else "white",
                )
                text.set_in_layout(False)  # within its bar, so the layout need not measure it
        left = left + widths
    for row in shown.itertuples():
        axes.annotate(
            f"{number_text(row.total, decimals=0)} svar",
            (1.01, row.place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=7.5,
        )
    axes.set_yticks(range(len(rows)), labels[::-1])
    axes.set_ylim(-0.6, max(len(rows), 1) - 0.4)
    axes.set_xlim(-85, 85)
    axes.set_xticks([-50, 0, 50], ["50", "0", "50"])
    axes.set_xlabel("Prosent av svarene, delt midt i «verken eller»")
    axes.axvline(0, color=INK, linewidth=0.6, zorder=0)
    plain_axes(axes)


def likert_told(rows: pd.DataFrame, labels: list[str]) -> str:
    """Every bar in words."""
    parts = []
    for label, row in zip(labels, rows.itertuples(index=False), strict=True):
        name = label.replace("\n", " ")
        if pd.isna(row.total):
            parts.append(f"{name}: ikke vist, {words.WITHHELD[row.reason]}")
            continue
        told_of = dict(ANSWERS)
        if pd.notna(row.rest):
            told_of = {"rest": REST, "agree": ANSWERS["agree"]}
        shares = [
            f"{text.split(' (')[0].lower()} "
            f"{percent_text(100 * getattr(row, answer) / row.total, decimals=0)}"
            for answer, text in told_of.items()
        ]
        parts.append(f"{name}: {joined_text(shares)} av {number_text(row.total, decimals=0)} svar")
    return "; ".join(parts) + "."


def drawn_likert(
    rows: pd.DataFrame, labels: list[str], *, about: str, source: str | None, synthetic: bool
) -> ReportFigure:
    lines = sum(max(1.0, 0.78 * (label.count("\n") + 1)) for label in labels)
    with matplotlib.rc_context(SETTINGS):
        figure, (axes,) = new_figure(height=1.15 + 0.21 * max(lines, 1))
        draw_likert(axes, rows, labels)
        handles = [
            matplotlib.patches.Patch(color=COLOURS[name], label=text)
            for name, text in ANSWERS.items()
        ]
        if rows["rest"].notna().any():
            handles.append(matplotlib.patches.Patch(label=REST, **REST_STYLE))
        figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), frameon=False)
        svg = finished(figure, synthetic=synthetic)
    return ReportFigure(
        svg,
        alt=told(
            f"Liggende søyler som deler seg i uenig, verken eller og enig. "
            f"{likert_told(rows, labels)}",
            synthetic=synthetic,
        ),
        caption=labelled(about, synthetic=synthetic),
        source=source,
    )


def likert_figure(
    protected: pd.DataFrame,
    municipality: Municipality,
    *,
    items: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportFigure:
    """What the staff answered to each item in each wave, as bars that part in the middle.

    Parameters
    ----------
    protected
        As from ``protected_answers``; the rows of all services together are shown.
    municipality
        The municipality.
    items
        The item bank.
    surveys
        The surveys behind, for their sources.
    synthetic
        Whether the study is synthetic.
    """
    own = protected.loc[
        (protected["municipality_code"] == municipality.code) & (protected["service"] == TOTAL)
    ]
    rows = in_order(likert_rows(own, ["item", "wave"]), items)
    texts = item_texts(items)
    labels = []
    before = None
    for row in rows.itertuples(index=False):
        wave = wave_text(row.wave)
        labels.append(f"{texts[row.item]}: {wave}" if row.item != before else wave)
        before = row.item
    return drawn_likert(
        rows,
        [wrapped_label(label, 38) for label in labels],
        about=f"Svar fra ansatte i {municipality.name}, alle tjenester",
        source=source_line(surveys),
        synthetic=synthetic,
    )


def service_likert_figure(
    protected: pd.DataFrame,
    municipality: Municipality,
    *,
    item: str,
    wave: int,
    items: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportFigure:
    """What each service answered to one item in one wave; groups too small are named as hidden.

    Parameters
    ----------
    protected, municipality, items, surveys, synthetic
        As for ``likert_figure``.
    item
        The item.
    wave
        The wave.
    """
    own = protected.loc[
        (protected["municipality_code"] == municipality.code)
        & (protected["item"] == item)
        & (protected["wave"] == wave)
    ]
    rows = likert_rows(own, ["service"]).sort_values("service", key=lambda s: s == TOTAL)
    labels = ["Alle tjenester" if name == TOTAL else name for name in rows["service"]]
    text = item_texts(items)[item]
    return drawn_likert(
        rows,
        labels,
        about=f"«{text}» etter tjeneste i {municipality.name}, {wave_text(wave)}",
        source=source_line(surveys),
        synthetic=synthetic,
    )


def draw_interval(axes: Axes, row, line: float, *, scale: float = 1.0, colour: str = DARK) -> None:
    """A point with its limits."""
    if pd.notna(row.lower):
        axes.hlines(line, scale * row.lower, scale * row.upper, color=colour, linewidth=1.8)
    axes.scatter(scale * row.value, line, s=34, color=colour, zorder=3)


def item_changes_figure(
    changes: pd.DataFrame,
    municipality: Municipality,
    *,
    items: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportFigure:
    """Change in the share who agree, with intervals and the smallest change that could be seen.

    Parameters
    ----------
    changes
        As from ``with_detectable_change`` and ``protected_changes``, one confidence level.
    municipality, items, surveys, synthetic
        As for ``likert_figure``.
    """
    own = in_order(changes.loc[changes["municipality_code"] == municipality.code], items)
    texts = item_texts(items)
    rows = list(own.itertuples(index=False))
    labels = [wrapped_label(texts[row.item], 34) for row in rows]
    spoken = []
    with matplotlib.rc_context(SETTINGS):
        figure, (axes,) = new_figure(height=1.1 + 0.36 * max(len(rows), 1))
        for number, (row, label) in enumerate(zip(rows, labels, strict=True)):
            line = len(rows) - 1 - number
            name = label.replace("\n", " ")
            if pd.isna(row.value):
                reason = words.WITHHELD[row.reason]
                axes.annotate(
                    reason,
                    (0, line),
                    ha="center",
                    va="center",
                    fontsize=7.5,
                    style="italic",
                    bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none"},
                    zorder=5,
                )
                spoken.append(f"{name}: {reason}")
                continue
            if pd.notna(row.smallest_change_share):
                least = 100 * row.smallest_change_share
                axes.barh(line, 2 * least, left=-least, height=0.5, color="#e8edf0", zorder=0)
            draw_interval(axes, row, line, scale=100)
            spread = spread_text(row.lower, row.upper) or words.WITHHELD[row.reason]
            spoken.append(f"{name}: {change_text(row.value)} ({spread})")
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(rows)), labels[::-1])
        axes.set_ylim(-0.6, max(len(rows), 1) - 0.4)
        axes.set_xlabel("Prosentpoeng. Grått felt: endringer for små til å påvises")
        axes.xaxis.set_major_formatter(decimal_comma())
        plain_axes(axes)
        svg = finished(figure, synthetic=synthetic)
    return ReportFigure(
        svg,
        alt=told(
            "Punkter med 95 prosent konfidensintervall for endring i andel enige, i "
            f"prosentpoeng. {'; '.join(spoken)}.",
            synthetic=synthetic,
        ),
        caption=labelled(
            f"Endring i andel enige i {municipality.name}, med 95 prosent konfidensintervall",
            synthetic=synthetic,
        ),
        source=noted(method_line(own), source_line(surveys)),
    )


def target_path_figure(
    values: pd.DataFrame,
    targets: pd.DataFrame,
    municipality: Municipality,
    *,
    indicators: pd.DataFrame,
    observations: pd.DataFrame,
    synthetic: bool,
) -> ReportFigure:
    """Yearly values of each indicator and the path that leads from the latest to the target.

    Parameters
    ----------
    values
        As from ``protected_values``, in per cent.
    targets
        As from ``distance_to_target``.
    municipality
        The municipality.
    indicators
        The indicators, for their names.
    observations
        The observations behind, for their sources.
    synthetic
        Whether the study is synthetic.
    """
    own = values.loc[values["municipality_code"] == municipality.code]
    aims = targets.loc[targets["municipality_code"] == municipality.code]
    aims = aims.dropna(subset=["target_value", "target_year"])
    shown = list(dict.fromkeys(own["indicator_id"]))
    names = indicators.set_index("indicator_id")["name"]
    spoken = []
    with matplotlib.rc_context(SETTINGS):
        figure, panels = new_figure(height=2.7, panels=max(len(shown), 1))
        for axes, indicator in zip(panels, shown, strict=False):
            series = own.loc[own["indicator_id"] == indicator].sort_values("year")
            given = series.dropna(subset="value")
            axes.plot(series["year"], series["value"], color=DARK, linewidth=1.6, marker="o", ms=3)
            sentence_parts = [
                f"{percent_text(end.value, decimals=1)} i {end.year:.0f}"
                for end in given.iloc[[0, -1]].itertuples()
            ]
            for aim in aims.loc[aims["indicator_id"] == indicator].itertuples(index=False):
                if pd.notna(aim.value) and not aim.reached:
                    axes.plot(
                        [aim.latest_year, aim.target_year],
                        [aim.value, aim.target_value],
                        color=MIDDLE,
                        linewidth=1.6,
                        linestyle=(0, (4, 2)),
                    )
                axes.scatter(aim.target_year, aim.target_value, marker="D", s=30, color=MIDDLE)
                axes.annotate(
                    f"mål {percent_text(aim.target_value, decimals=1)}",
                    (aim.target_year, aim.target_value),
                    xytext=(4, 7 if aim.value < aim.target_value else -13),
                    textcoords="offset points",
                    ha="right",
                    fontsize=7.5,
                )
                sentence_parts.append(
                    f"mål {percent_text(aim.target_value, decimals=1)} i {aim.target_year:.0f}"
                )
            hidden = int(series["value"].isna().sum())
            if hidden:
                sentence_parts.append(f"{hidden} år er ikke vist fordi antallet er for lite")
            spoken.append(f"{names[indicator]}: {joined_text(sentence_parts)}")
            axes.set_title(wrapped_label(names[indicator], 30), loc="left")
            axes.set_ylabel("Prosent")
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter(decimal_comma())
            axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, integer=True))
            plain_axes(axes, grid="y")
        svg = finished(figure, synthetic=synthetic)
    return ReportFigure(
        svg,
        alt=told(
            f"Linjer over tid og stiplet linje fra siste verdi til målet. {'; '.join(spoken)}.",
            synthetic=synthetic,
        ),
        caption=labelled(
            f"Indikatorene i {municipality.name} og veien til målet", synthetic=synthetic
        ),
        source=source_line(observations),
    )


def funnel_figure(
    limits: pd.DataFrame,
    municipality: Municipality | None = None,
    *,
    indicator: str,
    year: int,
    observations: pd.DataFrame,
    synthetic: bool,
) -> ReportFigure:
    """Shares against the size of their base, with the limits of what chance allows.

    Parameters
    ----------
    limits
        As from ``funnel_limits`` with the levels 95 and 99.8 per cent; shares.
    municipality
        The one that stands out; ``None`` for none.
    indicator
        The indicator's name.
    year
        The year.
    observations
        The observations behind, for their sources.
    synthetic
        Whether the study is synthetic.
    """
    shown = limits.loc[limits["value"].notna() & limits["lower"].notna()]
    levels = sorted(shown["confidence_level"].unique())
    points = shown.loc[shown["confidence_level"] == levels[-1]] if levels else shown
    outside = points.loc[points["position"] != "within"]
    with matplotlib.rc_context(SETTINGS):
        figure, (axes,) = new_figure(height=3.3)
        for level, style in zip(levels, ((0, (4, 2)), "solid"), strict=False):
            line = shown.loc[shown["confidence_level"] == level]
            for side in ("lower", "upper"):
                base, limit = funnel_line(line, side)
                axes.plot(
                    base,
                    100 * limit,
                    color=INK,
                    linewidth=0.9,
                    linestyle=style,
                    label=f"{number_text(100 * level)} prosent grense" if side == "lower" else None,
                )
        if len(points):
            axes.axhline(100 * points["comparison_value"].iloc[0], color="#7d8a91", linewidth=0.9)
        axes.scatter(points["base"], 100 * points["value"], s=20, color=LIGHT, edgecolors="#7d8a91")
        axes.scatter(outside["base"], 100 * outside["value"], s=30, color=MIDDLE, marker="D")
        own = points.iloc[:0]
        if municipality is not None:
            own = points.loc[points["municipality_code"] == municipality.code]
            axes.scatter(own["base"], 100 * own["value"], s=60, color=DARK, zorder=4)
            for row in own.itertuples():
                axes.annotate(
                    municipality.name,
                    (row.base, 100 * row.value),
                    xytext=(6, 6),
                    textcoords="offset points",
                    fontweight="bold",
                    bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none"},
                    zorder=5,
                )
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(decimal_comma())
        axes.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
        axes.yaxis.set_major_formatter(decimal_comma())
        axes.set_xlabel("Antall personer i grunnlaget")
        axes.set_ylabel("Prosent")
        axes.legend(frameon=False, loc="upper right")
        plain_axes(axes, grid="y")
        svg = finished(figure, synthetic=synthetic)
    name = municipality.name if municipality else None
    position = {
        "within": "innenfor grensene",
        "above": "over den ytre grensen",
        "below": "under den ytre grensen",
    }
    where = (
        f" {name} ligger {position[own['position'].iloc[0]]} med "
        f"{percent_text(100 * own['value'].iloc[0], decimals=1)}."
        if len(own)
        else f" {name} er ikke vist, fordi antallet er for lite."
        if name
        else ""
    )
    return ReportFigure(
        svg,
        alt=told(
            f"Traktdiagram for {indicator.lower()} i {year}: {len(points)} kommuner, "
            f"{len(outside)} utenfor den ytre grensen.{where}",
            synthetic=synthetic,
        ),
        caption=labelled(
            f"{sentence(indicator)} i {year}: hvor mye tilfeldigheter kan forklare",
            synthetic=synthetic,
        ),
        source=noted(method_line(limits, kind="grenser"), source_line(observations)),
    )


def funnel_line(limits: pd.DataFrame, side: str) -> tuple[np.ndarray, np.ndarray]:
    """A limit of the funnel as a curve through the municipalities' own.

    Chance falls with the root of the base; between two municipalities the distance to the
    centre, times that root, goes straight from one to the other.
    """
    own = limits.drop_duplicates("base").sort_values("base")
    given = own["base"].to_numpy(float)
    centre = own["comparison_value"].to_numpy(float)
    base = np.unique(np.concatenate([given, np.geomspace(given[0], given[-1], FUNNEL_STEPS)]))
    limit = own[side].to_numpy(float)
    scaled = np.interp(np.log(base), np.log(given), (limit - centre) * np.sqrt(given))
    return base, np.clip(centre[0] + scaled / np.sqrt(base), limit.min(), limit.max())


def event_study_figure(
    effects: pd.DataFrame, *, indicator: str, observations: pd.DataFrame, synthetic: bool
) -> ReportFigure:
    """The difference between the groups year by year, against the last year before the measure.

    Parameters
    ----------
    effects
        As from ``event_study``, one confidence level; percentage points.
    indicator
        The indicator's name.
    observations
        The observations behind, for their sources.
    synthetic
        Whether the study is synthetic.
    """
    rows = effects.sort_values("year")
    with matplotlib.rc_context(SETTINGS):
        figure, (axes,) = new_figure(height=2.9)
        for row in rows.loc[rows["value"].notna()].itertuples(index=False):
            is_after = row.event_time >= 0
            if pd.notna(row.lower):
                axes.vlines(row.year, row.lower, row.upper, color=DARK, linewidth=1.6)
            axes.scatter(
                row.year,
                row.value,
                s=34,
                zorder=3,
                edgecolors=DARK,
                facecolors=DARK if is_after else "white",
            )
        started = rows.loc[rows["event_time"] == 0, "year"]
        axes.axhline(0, color=INK, linewidth=0.8)
        for year in started:
            axes.axvline(year - 0.5, color=MIDDLE, linewidth=1.4, linestyle=(0, (4, 2)))
            axes.annotate(
                "tiltaket begynner",
                (year - 0.5, 1),
                xycoords=("data", "axes fraction"),
                xytext=(4, -10),
                textcoords="offset points",
                fontsize=7.5,
            )
        axes.set_ylabel("Prosentpoeng")
        axes.yaxis.set_major_formatter(decimal_comma())
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
        plain_axes(axes, grid="y")
        svg = finished(figure, synthetic=synthetic)
    spoken = [
        f"{row.year:.0f}: {change_text(row.value, scale=1)}"
        + (
            f" ({spread_text(row.lower, row.upper, scale=1)})"
            if pd.notna(row.lower)
            else " (sammenligningsår)"
        )
        for row in rows.loc[rows["value"].notna()].itertuples(index=False)
    ]
    return ReportFigure(
        svg,
        alt=told(
            f"Forskjell mellom kommuner med og uten tiltaket for {indicator.lower()}, i "
            f"prosentpoeng per år. {'; '.join(spoken)}.",
            synthetic=synthetic,
        ),
        caption=labelled(
            f"{sentence(indicator)}: forskjellen år for år mot kommuner uten tiltaket, med 95 "
            "prosent intervall; åpne punkter er før tiltaket",
            synthetic=synthetic,
        ),
        source=noted(method_line(rows), source_line(observations)),
    )


def synthetic_control_figure(
    path: pd.DataFrame,
    municipality_name: str,
    *,
    treated_from: int,
    indicator: str,
    observations: pd.DataFrame,
    synthetic: bool,
) -> ReportFigure:
    """A municipality beside its synthetic control.

    Parameters
    ----------
    path
        As from ``synthetic_control_path``; per cent.
    municipality_name
        The municipality.
    treated_from
        First year with the measure.
    indicator
        The indicator's name.
    observations
        The observations behind, for their sources.
    synthetic
        Whether the study is synthetic.
    """
    rows = path.sort_values("year")
    if rows.empty:
        nothing = "Ingen kommune uten tiltaket kan settes sammen til en syntetisk kontroll."
        return ReportFigure(
            empty_svg(nothing),
            alt=told(nothing, synthetic=synthetic),
            caption=labelled(
                f"{municipality_name} og den syntetiske kontrollen", synthetic=synthetic
            ),
        )
    with matplotlib.rc_context(SETTINGS):
        figure, (axes,) = new_figure(height=2.9)
        axes.plot(rows["year"], rows["value"], color=DARK, linewidth=1.8, label=municipality_name)
        axes.plot(
            rows["year"],
            rows["synthetic_value"],
            color=MIDDLE,
            linewidth=1.8,
            linestyle=(0, (4, 2)),
            label="Syntetisk kontroll",
        )
        axes.axvline(treated_from - 0.5, color="#7d8a91", linewidth=1)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("Prosent")
        axes.yaxis.set_major_formatter(decimal_comma())
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
        axes.legend(frameon=False, loc="lower left")
        plain_axes(axes, grid="y")
        svg = finished(figure, synthetic=synthetic)
    after = rows.loc[rows["year"] >= treated_from, "gap"].mean()
    return ReportFigure(
        svg,
        alt=told(
            f"To linjer for {indicator.lower()}: {municipality_name} og den syntetiske kontrollen. "
            f"Fra {treated_from} ligger kommunen i gjennomsnitt "
            f"{change_text(after, scale=1)} prosentpoeng fra kontrollen.",
            synthetic=synthetic,
        ),
        caption=labelled(
            f"{sentence(indicator)} i {municipality_name} og i den syntetiske kontrollen; "
            "streken er tiltakets begynnelse",
            synthetic=synthetic,
        ),
        source=source_line(observations),
    )


def forest_figure(
    rows: pd.DataFrame,
    *,
    about: str,
    municipalities: pd.DataFrame,
    surveys: pd.DataFrame,
    synthetic: bool,
) -> ReportFigure:
    """Each municipality's change with its weight, then the pooled one and where the next is.

    Parameters
    ----------
    rows
        As from ``forest_rows``; shares.
    about
        What has changed.
    municipalities
        The municipalities, for their names.
    surveys
        The surveys behind, for their sources.
    synthetic
        Whether the study is synthetic.
    """
    names = municipalities.set_index("municipality_code")["name"].to_dict()
    labels, spoken = [], []
    heaviest = rows["weight_share"].max()
    with matplotlib.rc_context(SETTINGS):
        figure, (axes,) = new_figure(height=1.1 + 0.29 * max(len(rows), 1))
        for number, row in enumerate(rows.itertuples(index=False)):
            line = len(rows) - 1 - number
            name = {"pooled": "Samlet", "prediction": "Neste kommune"}.get(
                row.row, names.get(row.municipality_code, "")
            )
            labels.append(name)
            reason = words.WITHHELD[row.reason] if present(row.reason) else "mangler"
            if pd.isna(row.lower) and (pd.isna(row.value) or row.row == "prediction"):
                axes.annotate(
                    reason,
                    (0, line),
                    va="center",
                    fontsize=7.5,
                    style="italic",
                    bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none"},
                    zorder=5,
                )
                spoken.append(f"{name}: {reason}")
                continue
            limits = [100 * row.lower, 100 * row.upper]
            if pd.isna(row.lower):
                axes.scatter(100 * row.value, line, marker="D", s=40, color=MIDDLE)
            elif row.row == "pooled":
                middle = 100 * row.value
                axes.fill(
                    [limits[0], middle, limits[1], middle],
                    [line, line + 0.28, line, line - 0.28],
                    color=MIDDLE,
                )
            elif row.row == "prediction":
                axes.hlines(line, *limits, color=MIDDLE, linewidth=2, linestyle=(0, (4, 2)))
            else:
                axes.hlines(line, *limits, color=DARK, linewidth=1.4)
                axes.scatter(
                    100 * row.value,
                    line,
                    marker="s",
                    s=15 + 60 * row.weight_share / heaviest,
                    color=DARK,
                    zorder=3,
                )
            spread = spread_text(row.lower, row.upper) or reason
            text = f"{change_text(row.value)} ({spread})" if row.row != "prediction" else spread
            axes.annotate(
                text,
                (1.01, line),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=7.5,
            )
            spoken.append(f"{name}: {text}")
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(np.arange(len(rows)), labels[::-1])
        axes.set_ylim(-0.6, max(len(rows), 1) - 0.4)
        axes.set_xlabel("Prosentpoeng")
        axes.xaxis.set_major_formatter(decimal_comma())
        plain_axes(axes)
        svg = finished(figure, synthetic=synthetic)
    return ReportFigure(
        svg,
        alt=told(
            f"{sentence(about)}, i prosentpoeng, med 95 prosent intervall. {'; '.join(spoken)}.",
            synthetic=synthetic,
        ),
        caption=labelled(
            f"{sentence(about)}: kommunene hver for seg og samlet, med 95 prosent intervall",
            synthetic=synthetic,
        ),
        source=noted(method_line(rows), source_line(surveys)),
    )
