"""Coded text: which themes came up where, beside the numbers, with excerpts that may be shown.

A table of codings has one row per coder, unit (passage) and code: ``document``, ``unit``,
``code``, ``coder``, ``excerpt`` and ``anonymity``. Nothing in a result names a person: an excerpt
leaves this module only when its anonymity is ``cleared``.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from evalkit.agreement import krippendorff_alpha
from evalkit.errors import DataError
from evalkit.reasons import checked_reason
from evalkit.uncertainty import STANDARD_LEVELS
from evalkit.vocabulary import ANONYMITY

__all__ = [
    "FINDING_FITS",
    "cleared_excerpts",
    "code_presence",
    "codings_by_municipality",
    "joint_display",
    "theme_agreement",
    "theme_matrix",
]

UNIT = ["document", "unit"]  # documents may number their passages alike
FINDING_FITS = {
    "confirms": "bekrefter tallet",
    "expands": "utdyper tallet",
    "contradicts": "går imot tallet",
    "silent": "sier ikke noe om tallet",
}


def codings_by_municipality(codings: pd.DataFrame, documents: pd.DataFrame) -> pd.DataFrame:
    """The codings with the municipality each document is about.

    Parameters
    ----------
    codings
        Rows of ``document``, ``unit``, ``code``, ``coder``.
    documents
        One row per ``document``: ``municipality_code``.

    Returns
    -------
    DataFrame
        The codings with ``municipality_code`` first.

    Raises
    ------
    DataError
        If a coded document is not in ``documents``.
    """
    unplaced = sorted(set(codings["document"]) - set(documents["document"]))
    if unplaced:
        raise DataError(
            f"documents: {len(unplaced)} coded documents are not listed; expected a "
            "municipality_code for each"
        )
    placed = codings.merge(
        documents[["document", "municipality_code"]], on="document", validate="many_to_one"
    )
    return placed[["municipality_code", *codings.columns]]


def theme_matrix(codings: pd.DataFrame, documents: pd.DataFrame) -> pd.DataFrame:
    """How often each code came up in each municipality, with the base it can be read against.

    Units coded by several coders count once, and one coder is enough. How often a theme is mentioned says how present it
    was in this material, not how common it is.

    Parameters
    ----------
    codings
        Rows of ``document``, ``unit``, ``code``, ``coder``.
    documents
        One row per ``document``: ``municipality_code``. Documents where nothing was coded count
        in the base.

    Returns
    -------
    DataFrame
        One row per code and municipality: ``code``, ``municipality_code``, ``unit_count``,
        ``count`` (documents with the code), ``base`` (documents), ``value`` (share of documents),
        ``method``, ``reason``. Municipalities are those of ``documents``.
    """
    placed = codings_by_municipality(codings, documents)
    base = documents.groupby("municipality_code")["document"].nunique().rename("base")
    places = ["code", "municipality_code"]
    counted = placed.drop_duplicates([*places, *UNIT]).groupby(places)["document"]
    counted = counted.agg(unit_count="size", count="nunique")
    every = pd.MultiIndex.from_product(
        [sorted(placed["code"].unique()), base.index], names=["code", "municipality_code"]
    )
    rows = counted.reindex(every, fill_value=0).reset_index()
    rows = rows.merge(base.reset_index(), on="municipality_code", validate="many_to_one")
    rows = rows.sort_values(["code", "municipality_code"], ignore_index=True)
    return rows.assign(value=rows["count"] / rows["base"], method="share of documents", reason=None)


def code_presence(codings: pd.DataFrame) -> pd.DataFrame:
    """Whether each coder used each code on each unit, ready for the agreement statistics.

    A coder is taken to have read every unit of a document in which that coder coded anything.
    Units are passages as marked: where coders mark passages themselves, agree on passages first.

    Parameters
    ----------
    codings
        Rows of ``document``, ``unit``, ``code``, ``coder``.

    Returns
    -------
    DataFrame
        ``theme`` (the code), ``unit`` (with its document where documents use the same units),
        ``coder`` and ``code`` (1 when used, 0 when not), for every theme, unit and coder of the
        unit's document.
    """
    units = codings[["document", "unit"]].drop_duplicates()
    if units["unit"].duplicated().any():
        own = codings["document"].astype(str) + ":" + codings["unit"].astype(str)
        codings = codings.assign(unit=own)
        units = codings[["document", "unit"]].drop_duplicates()
    readers = codings[["document", "coder"]].drop_duplicates()
    read = units.merge(readers, on="document", validate="many_to_many")
    themes = pd.DataFrame({"theme": sorted(codings["code"].unique())})
    grid = themes.merge(read, how="cross")
    used = codings[["code", "unit", "coder"]].drop_duplicates().rename(columns={"code": "theme"})
    marked = grid.merge(used.assign(used=1), on=["theme", "unit", "coder"], how="left")
    marked["code"] = marked["used"].fillna(0).astype(int)
    return marked[["theme", "unit", "coder", "code"]]


def theme_agreement(
    codings: pd.DataFrame,
    *,
    replicate_count: int = 2000,
    seed: int = 1,
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """Krippendorff's alpha of each theme: whether the coders gave it to the same units.

    A unit may have several codes from the same coder.

    Parameters
    ----------
    codings
        Rows of ``document``, ``unit``, ``code``, ``coder``.
    replicate_count, seed, confidence_levels
        As for ``krippendorff_alpha``.

    Returns
    -------
    DataFrame
        One row per ``theme`` and level, then as from ``krippendorff_alpha``.
    """
    settings = {
        "replicate_count": replicate_count,
        "seed": seed,
        "confidence_levels": confidence_levels,
    }
    parts = {
        theme: krippendorff_alpha(own, **settings)
        for theme, own in code_presence(codings).groupby("theme", sort=True)
    }
    if not parts:
        raise DataError("codings: no row; expected coded units")
    return pd.concat(parts, names=["theme"]).reset_index("theme").reset_index(drop=True)


def cleared_excerpts(codings: pd.DataFrame) -> pd.DataFrame:
    """Only the excerpts that may be shown, each once per code.

    Parameters
    ----------
    codings
        Rows with ``document``, ``unit``, ``code``, ``coder``, ``excerpt`` and ``anonymity`` (a
        code of ``ANONYMITY``).

    Returns
    -------
    DataFrame
        Rows whose anonymity is ``cleared`` for every coder of the same unit of the document and whose excerpt is
        not blank, without the ``coder``.

    Raises
    ------
    DataError
        If an anonymity status is unknown or blank.
    """
    _check_words("anonymity", codings["anonymity"], ANONYMITY)
    doubted = (codings["anonymity"] != "cleared").groupby([codings[name] for name in UNIT])
    shown = codings.loc[~doubted.transform("any") & codings["excerpt"].fillna("").ne("")]
    return shown.drop(columns="coder").drop_duplicates([*UNIT, "code"]).reset_index(drop=True)


def joint_display(
    findings: pd.DataFrame,
    links: pd.DataFrame,
    codings: pd.DataFrame,
    *,
    excerpt_count: int = 2,
) -> pd.DataFrame:
    """Numbers and text side by side: each finding, its number, and what was said about it.

    Parameters
    ----------
    findings
        One row per ``finding_id``: ``municipality_code``, ``finding`` (in words) and the number
        as any result gives it: ``value``, ``lower``, ``upper``, ``confidence_level``, ``method``,
        ``reason``.
    links
        One row per finding and code: ``finding_id``, ``code``, ``fit`` (a code of
        ``FINDING_FITS``, judged by the evaluator).
    codings
        Codings with ``municipality_code``; a finding without a municipality draws on all.
    excerpt_count
        Most excerpts to show for each finding and code.

    Returns
    -------
    DataFrame
        One row per finding and linked code; a finding without links keeps one row, with the
        reason ``missing`` in ``text_reason``. The findings' columns, then ``code``, ``fit``,
        ``unit_count`` and ``document_count`` (with the code from one coder or more), ``excerpts``
        (a tuple of cleared ones with the code from every coder of the document),
        ``uncleared_count`` (units that may not be shown) and ``text_reason``.
    """
    _check_words("fit", links["fit"], FINDING_FITS)
    unknown = sorted(set(links["finding_id"]) - set(findings["finding_id"]))
    if unknown:
        raise DataError(f"links: finding {', '.join(unknown)} is not among the findings")
    shown = cleared_excerpts(codings)
    rows = findings.merge(
        links[["finding_id", "code", "fit"]], on="finding_id", how="left", validate="one_to_many"
    )
    shown = shown.merge(_agreed(codings), on=["document", "unit", "code"], validate="many_to_one")
    beside = [_text_beside(row, codings, shown, excerpt_count) for row in rows.to_dict("records")]
    return pd.concat([rows, pd.DataFrame(beside, index=rows.index)], axis=1)


def _text_beside(row: dict, codings, shown, excerpt_count: int) -> dict:
    coded, cleared = (_about(table, row) for table in (codings, shown))
    unit_count = len(coded.drop_duplicates(UNIT))
    agreed = cleared.loc[cleared["is_agreed"], "excerpt"]
    excerpts = tuple(agreed.drop_duplicates().head(excerpt_count))
    return {
        "unit_count": unit_count,
        "document_count": coded["document"].nunique(),
        "excerpts": excerpts,
        "uncleared_count": unit_count - len(cleared.drop_duplicates(UNIT)),
        "text_reason": None if unit_count else checked_reason("missing"),
    }


def _agreed(codings: pd.DataFrame) -> pd.DataFrame:
    """Whether every coder of the document gave the unit the code."""
    readers = codings.groupby("document")["coder"].nunique().rename("reader_count")
    used = codings.groupby(["document", "unit", "code"])["coder"].nunique().rename("user_count")
    rows = used.reset_index().merge(readers.reset_index(), on="document", validate="many_to_one")
    rows["is_agreed"] = rows["user_count"] == rows["reader_count"]
    return rows[["document", "unit", "code", "is_agreed"]]


def _about(table: pd.DataFrame, row: dict) -> pd.DataFrame:
    coded = table.loc[table["code"].eq(row["code"])]
    if pd.isna(row["municipality_code"]):
        return coded
    return coded.loc[coded["municipality_code"].eq(row["municipality_code"])]


def _check_words(column: str, given: pd.Series, known: dict[str, str]) -> None:
    unknown = sorted(set(given.dropna()) - set(known))
    if unknown or given.isna().any():
        found = ", ".join(map(repr, unknown)) or "a blank"
        raise DataError(f"{column}: {found}; expected one of: {', '.join(known)}")
