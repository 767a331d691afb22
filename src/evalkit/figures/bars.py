"""Amounts as bars: grants to the municipalities."""

from __future__ import annotations

import matplotlib
import pandas as pd

from evalkit.display import ReportFigure
from evalkit.figures.style import (
    DARK,
    LIGHT,
    SETTINGS,
    as_svg,
    decimal_comma,
    new_figure,
    plain_axes,
)
from evalkit.municipalities import Municipality
from evalkit.norwegian import (
    joined_text,
    millions_text,
    nok_text,
    number_text,
    qualified_text,
    rounded,
)
from evalkit.references import source_line

__all__ = ["grants_figure"]


def grants_figure(summary: pd.DataFrame, municipality: Municipality | None = None) -> ReportFigure:
    """Grants in all and per inhabitant, the municipalities side by side.

    Parameters
    ----------
    summary
        As from ``grant_summary``.
    municipality
        The one that stands out; ``None`` for none.
    """
    rows = summary.loc[summary["total_nok"].notna()].sort_values("total_nok", kind="stable")
    names = rows["municipality_name"].tolist()
    is_own = [
        municipality is not None and c == municipality.code for c in rows["municipality_code"]
    ]
    colours = [DARK if own or municipality is None else LIGHT for own in is_own]
    per_head = rows["nok_per_inhabitant"].notna().any()
    with matplotlib.rc_context(SETTINGS):
        figure, axes = new_figure(
            height=0.75 + 0.3 * max(len(rows), 1), panels=2 if per_head else 1, sharey=True
        )
        total = axes[0]
        bars = total.barh(names, rows["total_nok"] / 1e6, color=colours, height=0.66)
        total.bar_label(
            bars,
            [
                qualified_text(number_text(rounded(v / 1e6, 2)), q)
                for v, q in zip(rows["total_nok"], rows["total_qualifier"], strict=True)
            ],
            padding=3,
        )
        total.set_xlabel("Samlet tilskudd, mill. kr")
        total.margins(x=0.32)
        if per_head:
            heads = axes[1].barh(
                names, rows["nok_per_inhabitant"].fillna(0), color=colours, height=0.66
            )
            axes[1].bar_label(
                heads,
                [nok_text(v) or "innbyggere ikke oppgitt" for v in rows["nok_per_inhabitant"]],
                padding=3,
            )
            axes[1].set_xlabel("Samlet tilskudd per innbygger, kr")
            axes[1].margins(x=0.32)
        for panel in axes:
            plain_axes(panel)
            panel.xaxis.set_major_formatter(decimal_comma())
            panel.locator_params(axis="x", nbins=5)
            for label, own in zip(panel.get_yticklabels(), is_own, strict=False):
                label.set_fontweight("bold" if own else "normal")
        svg = as_svg(figure)
    told = [
        f"{name} {qualified_text(millions_text(row.total_nok), row.total_qualifier)}"
        + (
            f" ({nok_text(row.nok_per_inhabitant)} per innbygger)"
            if row.nok_per_inhabitant > 0
            else ""
        )
        for name, row in zip(reversed(names), rows.iloc[::-1].itertuples(), strict=True)
    ]
    own_name = f" {municipality.name} er framhevet." if any(is_own) and municipality else ""
    where = f" til {municipality.name} og de andre kommunene" if any(is_own) else ""
    return ReportFigure(
        svg,
        alt=f"Liggende søyler for samlet tilskudd og tilskudd per innbygger: "
        f"{joined_text(told) or 'ingen tall'}.{own_name}",
        caption=f"Tilskudd{where}: samlet og per innbygger",
        source=source_line(rows),
    )
