"""The claim store: what is claimed of a quantity, where, and which claim is used.

Claims stand in ``facts.csv``; every number and date of a table whose rows have an identifier is a
claim too, named ``<identifier>.<column>``. A table holds the value in use; a claim about it in
``facts.csv`` that differs is kept beside it, marked as not chosen, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from evalkit.contracts import CONTRACTS, columns_of
from evalkit.norwegian import date_text
from evalkit.small_counts import is_small
from evalkit.vocabulary import (
    EVENT_KINDS,
    GRANT_KINDS,
    GRANT_SPANS,
    QUALIFIERS,
    QUANTITIES,
    WITHHELD,
)

__all__ = [
    "claims",
    "conflicts",
    "fact_entries",
    "hidden_texts",
    "shown_claims",
    "small_counts",
    "table_claims",
]

COLUMNS = [
    "key",
    "subject",
    "quantity",
    "label",
    "value",
    "unit",
    "as_of",
    "qualifier",
    "version",
    "chosen",
    "conflict",
    "reason",
    "note",
    "source",
    "locator",
    "table",
    "row",
]
PERSON_UNITS = ("persons", "children", "families")
SMALL_REASONS = ("too_few", "base_too_small")
MEASURED_UNITS = (  # units of a scale; other numbers count things, and small ones are words in prose
    *("percent", "percentage_points", "nok", "nok_per_inhabitant", "km2", "score", "positions"),
)
PUBLISHED_COUNTS = "study.published_counts"  # the fact that says how published counts are shown
UNIT_ENDINGS = ("_nok", "_count", "_percent")


def quantity_name(column: str) -> str:
    """The quantity that a column holds: its name without the unit."""
    for ending in UNIT_ENDINGS:
        if column.endswith(ending):
            return column.removesuffix(ending)
    return column


def row_names(table: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.Series:
    """What each row is about, for readers: what it belongs to or is called, and its municipality."""
    names = pd.Series(None, index=table.index, dtype=object)
    for column, other, name in (
        ("indicator_id", "indicators", "name"),
        ("goal_id", "goals", "text"),
        ("measure_id", "measures", "name"),
    ):
        if column in table.columns and other in tables:
            called = tables[other].set_index(column)[name].to_dict()
            names = names.fillna(table[column].map(called).astype(object))
    if {"kind", "span"} <= set(table.columns):
        names = names.fillna(
            "tilskudd " + table["kind"].map(GRANT_KINDS) + ", " + table["span"].map(GRANT_SPANS)
        )
    for column in ("title", "name", "line", "item", "group", "text", "speaker"):
        if column in table.columns:
            names = names.fillna(table[column].astype(object))
    if {"kind", "number"} <= set(table.columns):
        numbered = table["number"].map(lambda n: f" {n:.0f}" if pd.notna(n) else "")
        names = names.fillna(table["kind"].map(EVENT_KINDS) + numbered)
    if "group" in table.columns:
        grouped = table["group"].notna() & (names != table["group"])
        names = names.where(~grouped, names.astype(str) + ", " + table["group"].astype(str))
    if "municipality_code" in table.columns and "municipalities" in tables:
        places = tables["municipalities"].set_index("municipality_code")["name"].to_dict()
        where = table["municipality_code"].map(places)
        told = [
            isinstance(place, str) and place.casefold() not in str(name).casefold()
            for place, name in zip(where, names, strict=True)
        ]
        names = names.where(~pd.Series(told, index=table.index), where + ": " + names.astype(str))
    return names


def number_as_text(value: float) -> str:
    """The shortest text of a number, without exponent."""
    return np.format_float_positional(value, trim="-")


def table_claims(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Claims that the tables make by holding a number or date in a row with an identifier.

    Returns
    -------
    DataFrame
        One row per claim with the columns of ``claims``, before conflicts are looked for.
    """
    units = {}
    if "indicators" in tables:
        units = tables["indicators"].set_index("indicator_id")["unit"].to_dict()
    parts = []
    for name, table in tables.items():
        if name == "facts":
            continue
        columns = columns_of(CONTRACTS[name])
        row_id = next((c for c in columns if columns[c].unique and c.endswith("_id")), None)
        if row_id is None or table.empty:
            continue
        about = row_names(table, tables)
        for column, description in columns.items():
            unit = (description.metadata or {}).get("fact")
            if not unit:
                continue
            held = table.loc[table[column].notna()]
            values = held[column]
            if pd.api.types.is_numeric_dtype(values):
                values = values.map(number_as_text)
            if unit == "unit":
                unit_of_row = held["unit"]
            elif unit == "indicator":
                unit_of_row = held["indicator_id"].map(units).fillna("count")
            else:
                unit_of_row = unit
            parts.append(
                pd.DataFrame(
                    {
                        "subject": held[row_id],
                        "quantity": quantity_name(column),
                        "label": about[held.index] + ": " + QUANTITIES[quantity_name(column)],
                        "value": values,
                        "unit": unit_of_row,
                        "as_of": held.get("period", held.get("as_of")),
                        "qualifier": held.get("qualifier"),
                        "version": held.get("version"),
                        "note": held.get("note"),
                        "source": held["source"],
                        "locator": held["locator"],
                        "table": name,
                        "row": held.index + 2,
                    }
                )
            )
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(parts, ignore_index=True).reindex(columns=COLUMNS)


def claims(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Every claim of a study, with what is in use where claims disagree.

    Claims of different versions (a plan and the report, say) do not disagree.

    Returns
    -------
    DataFrame
        One row per claim: ``key`` (``subject.quantity``), ``label`` (what it is about, for readers),
        the columns of ``FactsTable`` with
        ``chosen`` as True or False, ``conflict`` (True if claims of the same key and version have
        different values), ``table`` and ``row`` (spreadsheet row) where it stands. In key order,
        the chosen first.
    """
    told = table_claims(tables)
    parts = [told.assign(chosen=True)]
    if "facts" in tables:
        facts = tables["facts"]
        parts.append(
            facts.assign(
                table="facts",
                row=facts.index + 2,
                chosen=facts["chosen"].map({"yes": True, "no": False}),
            )
        )
    given = [part for part in parts if len(part)]
    if not given:
        return pd.DataFrame(columns=COLUMNS).astype({"chosen": bool, "conflict": bool})
    every = pd.concat(given, ignore_index=True).reindex(columns=COLUMNS)
    every["key"] = every["subject"] + "." + every["quantity"]
    every["label"] = every["label"].fillna(
        every["key"]
        .map(
            told.assign(key=told["subject"] + "." + told["quantity"])
            .groupby("key")["label"]
            .first()
        )
        .astype("str")
    )
    group = [every["key"], every["version"].fillna("")]
    comparable = every["value"].where(
        pd.to_numeric(every["value"], errors="coerce").isna(),
        pd.to_numeric(every["value"], errors="coerce").map(
            lambda v: number_as_text(v) if pd.notna(v) else v
        ),
    )
    every["conflict"] = comparable.groupby(group).transform("nunique") > 1
    undecided = every["chosen"].isna()
    chosen = every["chosen"].astype("boolean").fillna(False).astype(bool)
    every["chosen"] = chosen | (undecided & ~every["conflict"])
    return every.sort_values(
        ["key", "chosen", "row"], ascending=[True, False, True], kind="stable"
    )[COLUMNS].reset_index(drop=True)


def conflicts(every: pd.DataFrame) -> pd.DataFrame:
    """The claims whose key has more than one value."""
    return every.loc[every["conflict"]].reset_index(drop=True)


def small_counts(every: pd.DataFrame, smallest_count: int) -> pd.Series:
    """Whether each claim counts so few persons that it is not to be shown, wherever it stands."""
    number = pd.to_numeric(every["value"], errors="coerce")
    return every["unit"].isin(PERSON_UNITS) & is_small(number, smallest_count)


def hidden_texts(every: pd.DataFrame, smallest_count: int) -> pd.Series:
    """What stands in the place of each claim that is not to be shown; missing where it may be.

    Parameters
    ----------
    every
        Claims, with ``withheld`` where it has been found what they give away (as from
        ``withheld_claims``); where that is not known, small counts of persons are hidden.
    smallest_count
        Smallest count that may be shown.
    """
    known = "withheld" in every
    few = pd.Series(False, index=every.index) if known else small_counts(every, smallest_count)
    withheld = every["withheld"] if known else pd.Series(None, index=every.index, dtype=object)
    number = pd.to_numeric(every["value"], errors="coerce")
    counts = every["unit"].isin([*PERSON_UNITS, "count"]) & (number < smallest_count)
    told_small = few | (withheld.isin(SMALL_REASONS) & counts)
    return withheld.map(WITHHELD).astype(object).mask(told_small, f"færre enn {smallest_count}")


def shown_claims(every: pd.DataFrame, smallest_count: int) -> pd.DataFrame:
    """The claims without what is not to be shown: value, note and reason are missing there.

    Parameters
    ----------
    every, smallest_count
        As for ``hidden_texts``, which are in the column ``hidden``.
    """
    hidden = hidden_texts(every, smallest_count)
    kept = {name: every[name].where(hidden.isna(), None) for name in ("value", "note", "reason")}
    return every.assign(**kept, hidden=hidden)


def fact_entries(
    every: pd.DataFrame,
    sources: pd.DataFrame,
    *,
    smallest_count: int = 5,
    published_counts: str = "",
) -> dict[str, dict[str, object]]:
    """What the book's fact spans are filled with.

    Parameters
    ----------
    every
        Claims, as from ``claims`` or, with what they give away, ``withheld_claims``.
    sources
        One row per source with ``key`` and ``short`` (author and year).
    smallest_count
        Smaller counts of participants and answers are left out, as is what is withheld; a text
        says that they are.
    published_counts
        Why the study shows counts that others have published as published, where it does.

    Returns
    -------
    dict
        For each key: ``value`` and ``decimals`` of a number, with ``counted`` (True) where it
        counts things rather than measures them; ``text`` of a date or text; ``title`` (source and place, for the reader) and ``source`` (key).
        ``study.published_counts`` is the study's own decision, in words.
    """
    short = sources.set_index("key")["short"].to_dict()
    used = every.assign(hidden=hidden_texts(every, smallest_count))
    used = used.loc[used["chosen"]].drop_duplicates("key")
    entries = {}
    for claim in used.itertuples():
        title = f"{short.get(claim.source, claim.source)}, {claim.locator}"
        if isinstance(claim.qualifier, str):
            title += f" ({QUALIFIERS[claim.qualifier]})"
        entry: dict[str, object]
        if isinstance(claim.hidden, str):
            entry = {"text": claim.hidden}
        elif claim.unit == "date":
            entry = {"text": date_text(claim.value)}
        elif claim.unit == "year" or claim.unit == "text":
            entry = {"text": claim.value}
        else:
            _, _, fraction = claim.value.partition(".")
            entry = {"value": float(claim.value), "decimals": len(fraction)}
            if claim.unit not in MEASURED_UNITS:
                entry["counted"] = True
        entries[claim.key] = {**entry, "title": title, "source": claim.source}
    if published_counts:
        entries[PUBLISHED_COUNTS] = {
            "text": published_counts,
            "title": "Avgjort i studiens oppsett",
        }
    return entries
