"""Counts of persons outside surveys and indicators: which may be shown, whatever row they stand in.

Every claim of persons goes through the one rule. Those of one place are held against each other as
well: a hidden count that is the difference of two others is not left between them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from itertools import combinations

import pandas as pd

from evalkit.contracts import CONTRACTS, columns_of
from evalkit.disclosure import CountTable, Relation, protect
from evalkit.facts import PERSON_UNITS, quantity_name
from evalkit.small_counts import is_small

__all__ = ["withheld_persons", "without_withheld"]

COUNTING = ("participants", "survey_results", "observations")  # tables whose rows are counts
TABLE = "persons"
TOGETHER = 60  # counts of one place that are held against each other; more take too long


def withheld_persons(
    every: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    *,
    smallest_count: int = 5,
    published: Collection[str] = (),
    decided: Mapping[str, str] | None = None,
) -> pd.Series:
    """Why some claims of persons may not be shown.

    Parameters
    ----------
    every
        Claims, as from ``claims``.
    tables
        The study's validated tables.
    smallest_count
        Smallest count that may be shown.
    published
        Tables whose counts others have published and are shown as published. A claim about a row of
        another table is hidden with it, wherever it stands.
    decided
        Keys of claims that the study shows all the same, with the reason; ``*`` stands for any text.

    Returns
    -------
    Series
        By the rows of ``every``: ``too_few``, ``can_be_derived`` or ``protected``; missing where
        the claim may be shown.
    """
    number = pd.to_numeric(every["value"], errors="coerce")
    counted = every["unit"].isin(PERSON_UNITS) & number.notna() & number.ge(0)
    kept = every["key"].map(lambda key: any(fnmatchcase(key, name) for name in decided or {}))
    small = counted & is_small(number, smallest_count) & ~kept.astype(bool)
    shown = every["table"].isin(list(published))
    own = set(every.loc[~shown & every["table"].isin(COUNTING), "subject"])
    small &= ~shown | every["subject"].isin(own)
    reason = pd.Series(None, index=every.index, dtype=object).mask(small, "too_few")
    if not small.any() or "participants" not in tables:
        return reason
    rows = tables["participants"].loc[lambda frame: frame["unit"].isin(PERSON_UNITS)]
    rows = rows.loc[rows["count"].notna()]
    keys = rows["participants_id"] + ".count"
    hidden_keys = set(every.loc[small, "key"])
    found: dict[str, str] = {}
    blocks = rows.fillna({"measure_id": "", "period": ""}).groupby(
        ["municipality_code", "measure_id", "period", "unit"], sort=False
    )
    for _, block in blocks:
        own = pd.Series(block["count"].to_numpy(), index=keys.loc[block.index])
        hidden = [key for key in own.index if key in hidden_keys]
        if hidden and 1 < len(own) <= TOGETHER:
            found |= _beside(own, hidden, smallest_count)
    derived = every["key"].map(found).astype(object)
    return reason.mask(derived.notna(), derived)


def _beside(own: pd.Series, hidden: list[str], smallest_count: int) -> dict[str, str]:
    """Reasons of counts of one place: which are the differences or the sum of others is looked for."""
    name = {key: f"{TABLE} | cell={key}" for key in own.index}
    relations = []
    for part in hidden:
        others = [key for key in own.index if key != part]
        for one, other in combinations(others, 2):
            less, more = sorted((one, other), key=lambda key: own[key])
            if own[more] - own[less] == own[part] and own[part] > 0:
                relations.append(Relation({name[part]: 1.0, name[less]: 1.0, name[more]: -1.0}))
    largest = own.idxmax()
    parts = [key for key in own.index if key != largest]
    if len(parts) > 2 and own[parts].sum() == own[largest]:
        relations.append(Relation({name[key]: 1.0 for key in parts} | {name[largest]: -1.0}))
    if not relations:
        return {}
    table = CountTable(pd.DataFrame({"cell": own.index, "count": own.to_numpy()}), ("cell",), TABLE)
    primary = dict.fromkeys((name[key] for key in hidden), "too_few")
    told = protect([table], threshold=smallest_count, primary=primary, relations=relations)
    reason = told.set_index("cell")["reason"]
    return {key: reason[name[key]] for key in own.index if isinstance(reason[name[key]], str)}


def without_withheld(table: pd.DataFrame, claims: pd.DataFrame, *, name: str) -> pd.DataFrame:
    """Rows of a table without the counts of persons that claims about them withhold.

    Parameters
    ----------
    table
        Rows of a table of the study.
    claims
        The study's claims, as from ``withheld_claims``.
    name
        The table's name.

    Returns
    -------
    DataFrame
        The same rows; withheld counts are missing, with the note beside them, and ``withheld`` says
        why the row's first one is.
    """
    columns = columns_of(CONTRACTS[name])
    row_id = next(c for c in columns if columns[c].unique and c.endswith("_id"))
    told = (
        claims.loc[claims["withheld"].notna()].drop_duplicates("key").set_index("key")["withheld"]
    )
    withheld = pd.Series(None, index=table.index, dtype=object)
    given = {}
    for column, description in columns.items():
        if (description.metadata or {}).get("fact") not in ("persons", "unit"):
            continue
        reason = (table[row_id] + "." + quantity_name(column)).map(told).astype(object)
        given[column] = table[column].mask(reason.notna())
        withheld = withheld.where(withheld.notna(), reason)
    if "note" in table:
        given["note"] = table["note"].mask(withheld.notna())
    return table.assign(**given, withheld=withheld.where(withheld.notna(), None))
