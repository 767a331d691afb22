"""Series carried over to the municipalities of today, through mergers and splits.

A merger adds the counts of those that became one. A split cannot be undone: what each part was
before it is not known. Such years are refused, or apportioned by a key that the study states.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from evalkit.errors import DataError
from evalkit.reasons import checked_reason

__all__ = ["SPLIT_RULES", "present_day_values"]

SPLIT_RULES = ("refuse", "apportion")


def present_day_values(
    values: pd.DataFrame, changes: pd.DataFrame, *, splits: str = "refuse"
) -> pd.DataFrame:
    """Yearly values of the municipalities as they are after all changes.

    Numerators and denominators of merged municipalities are added up; the value is the mean of
    theirs, weighted by the denominators, which is the share or rate of the sums. Where one of
    them lacks its counts, the year is withheld.

    Parameters
    ----------
    values
        As from ``yearly_values``.
    changes
        Rows of ``MunicipalityChangesTable``; none leave the values as they are.
    splits
        ``"refuse"``: the years before a split are withheld for the parts, and the municipality
        that was split and is no more keeps them under its own code. ``"apportion"``: the parts get its counts in
        the stated ``share``, and so all get the same value; where the share is blank, the years
        are withheld.

    Returns
    -------
    DataFrame
        The columns of ``values`` with ``basis`` (``own``, ``merged`` or ``apportioned``) and
        ``reason`` (``missing`` where a part of a merger has no counts, ``not_comparable`` for the
        years before a split), in the order of municipality, indicator and year.

    Raises
    ------
    DataError
        If the rule is unknown, or a municipality has a value in a year when it did not exist.
    """
    if splits not in SPLIT_RULES:
        raise DataError(f"splits {splits!r}; expected one of: {', '.join(SPLIT_RULES)}")
    keys = ["municipality_code", "indicator_id", "year"]
    given = values if "reason" in values else values.assign(reason=None)
    given = given.assign(basis="own").astype({"reason": object})
    touched = set(changes["old_code"]) | set(changes["new_code"])
    concerned = given["municipality_code"].isin(touched)
    links = pd.DataFrame(
        [
            link
            for year in sorted(given.loc[concerned, "year"].unique())
            for link in _links(changes, year)
        ],
        columns=["year", "origin", "municipality_code", "weight", "is_split"],
    )
    if links.empty:
        return given.sort_values(keys, ignore_index=True)
    _check_existence(given.loc[concerned], links)

    alone = links.groupby(["year", "municipality_code"])["origin"].transform("size").eq(1)
    kept = alone & links["origin"].eq(links["municipality_code"]) & links["weight"].eq(1)
    carried = links.loc[~kept]
    parts = carried.merge(
        given.rename(columns={"municipality_code": "origin"}), on=["origin", "year"], how="inner"
    )
    moved = _carried(parts, carried, keys, splits)
    replaced = pd.MultiIndex.from_frame(carried[["municipality_code", "year"]])
    origins = pd.MultiIndex.from_frame(carried[["origin", "year"]])
    leave = origins
    if splits == "refuse":  # what was split and is no more keeps its years under its own code
        leave = origins[~carried["is_split"].to_numpy() | origins.isin(replaced)]
    own = given.loc[~pd.MultiIndex.from_frame(given[["municipality_code", "year"]]).isin(leave)]
    result = pd.concat([own, moved[given.columns]]) if len(moved) else own
    return result.sort_values(keys, ignore_index=True)


def _carried(
    parts: pd.DataFrame, links: pd.DataFrame, keys: list[str], splits: str
) -> pd.DataFrame:
    """One row per municipality of today, indicator and year that is made of others."""
    numerator = parts["numerator"] * parts["weight"]
    denominator = parts["denominator"] * parts["weight"]
    whole = parts.assign(
        numerator=numerator,
        denominator=denominator,
        weighted=parts["value"] * denominator,
        part_count=1,
        counted=parts["value"].notna() & numerator.notna() & denominator.notna(),
    )
    rows = whole.groupby(keys, as_index=False).agg(
        numerator=("numerator", "sum"),
        denominator=("denominator", "sum"),
        weighted=("weighted", "sum"),
        part_count=("part_count", "sum"),
        complete=("counted", "all"),
        is_split=("is_split", "any"),
        unknown_share=("weight", lambda weight: weight.isna().any()),
    )
    expected = links.groupby(["municipality_code", "year"]).size().rename("expected").reset_index()
    rows = rows.merge(expected, on=["municipality_code", "year"], validate="many_to_one")
    missing = ~rows["complete"] | (rows["part_count"] < rows["expected"])
    refused = rows["is_split"] & (rows["unknown_share"] | (splits == "refuse"))
    with np.errstate(invalid="ignore", divide="ignore"):
        rows["value"] = rows["weighted"] / rows["denominator"]
    numbers = ["value", "numerator", "denominator"]
    rows[numbers] = rows[numbers].mask(missing | refused)
    reason = pd.Series(None, rows.index, dtype=object).mask(missing, checked_reason("missing"))
    return rows.assign(
        basis=np.where(rows["is_split"], "apportioned", "merged"),
        reason=reason.mask(refused, checked_reason("not_comparable")),
    )


def _links(changes: pd.DataFrame, year: int) -> Iterable[tuple]:
    """Which municipalities of a year became which of today, with what share of them."""
    later = changes.loc[changes["year"] > year].sort_values("year", kind="stable")
    for origin in sorted(_existing(changes, year)):
        now = {origin: (1.0, False)}
        for _, event in later.groupby("year"):
            then = {}
            for code, (weight, is_split) in now.items():
                to = event.loc[event["old_code"] == code]
                if to.empty:
                    then[code] = _added(then.get(code), weight, is_split)
                for new, share in zip(to["new_code"], to["share"], strict=True):
                    parted = is_split or len(to) > 1 or share != 1
                    then[new] = _added(then.get(new), weight * share, parted)
            now = then
        yield from ((year, origin, code, weight, part) for code, (weight, part) in now.items())


def _added(before: tuple[float, bool] | None, weight: float, is_split: bool) -> tuple[float, bool]:
    return (weight, is_split) if before is None else (before[0] + weight, before[1] or is_split)


def _existing(changes: pd.DataFrame, year: int) -> set[str]:
    """Of the municipalities in the table of changes, those that were there in a year."""
    there = set(changes["old_code"]) | set(changes["new_code"])
    for when, event in changes.groupby("year"):
        ended = set(event["old_code"]) - set(event["new_code"])
        begun = set(event["new_code"]) - set(event["old_code"])
        there -= ended if when <= year else begun
    return there


def _check_existence(given: pd.DataFrame, links: pd.DataFrame) -> None:
    there = pd.MultiIndex.from_frame(links[["origin", "year"]])
    seen = given.loc[given["value"].notna()]
    strange = ~pd.MultiIndex.from_frame(seen[["municipality_code", "year"]]).isin(there)
    if strange.any():
        row = seen.loc[strange].iloc[0]
        raise DataError(
            f"municipality {row['municipality_code']} has a value for {row['year']}, when by the "
            "table of municipality changes it was not there; expected none"
        )
