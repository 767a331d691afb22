"""Series carried over to the municipalities of today, through mergers and splits.

A merger adds the counts of those that became one. A split cannot be undone: what each part was
before it is not known. Such years are refused, or apportioned by a key that the study states.
A part that is an earlier municipality again is no such split: what it was is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from evalkit.accepted import CODE, COUNTS, GROUP, KEY, NUMBER, SHARE, YEAR, Rows, accepts
from evalkit.errors import DataError
from evalkit.groups import require_once
from evalkit.reasons import checked_reason

__all__ = ["SHARE_TOLERANCE", "SPLIT_RULES", "present_day_values", "require_one_history"]

SPLIT_RULES = ("refuse", "apportion")
SHARE_TOLERANCE = 0.001  # shares are written with four decimals at most
NOTHING = 1e-9  # of a municipality: what arithmetic leaves of no part at all
KEYS = ["municipality_code", "indicator_id", "year"]
ORIGIN = ["origin", "indicator_id", "year"]
NUMBERS = ["value", "numerator", "denominator"]
CHANGES = Rows(
    {"old_code": CODE, "new_code": CODE, "year": YEAR, "share": SHARE},
    {"restored_code": replace(CODE, expected=f"{CODE.expected}, or blank", blank=True)},
    once=("old_code", "new_code", "year"),
)


@accepts(
    values=Rows(
        {"municipality_code": CODE, "indicator_id": KEY, "year": YEAR, "value": NUMBER},
        {**COUNTS, "reason": GROUP},
        once=("municipality_code", "indicator_id", "year"),
    ),
    changes=CHANGES,
)
def present_day_values(
    values: pd.DataFrame, changes: pd.DataFrame, *, splits: str = "refuse"
) -> pd.DataFrame:
    """Yearly values of the municipalities as they are after all changes.

    Numerators and denominators of merged municipalities are added up; the value is the mean of
    theirs, weighted by the denominators, which is the share or rate of the sums. A municipality
    of today whose year cannot be had has a row with the reason, and the municipalities that the
    year's counts are of keep their own under their old codes: nothing is lost or counted twice,
    so that sums over all municipalities stay as they were. Only a municipality that keeps its code
    and whose year is withheld has nowhere to keep what it was.

    Parameters
    ----------
    values
        As from ``yearly_values``.
    changes
        Rows of ``MunicipalityChangesTable``; none leave the values as they are. Where a part of a
        split is an earlier municipality again, ``restored_code`` says which: it then has that
        municipality's years, and the other parts have the rest.
    splits
        ``"refuse"``: the years before a split are withheld for the parts. ``"apportion"``: the
        parts get its counts in the stated ``share``, and so all get the same value; where the
        share is blank, the years are withheld.

    Returns
    -------
    DataFrame
        The columns of ``values`` with ``basis`` (``own``, ``merged``, ``apportioned`` or
        ``refused``) and ``reason`` (``missing`` where a part of a merger has no counts, or the
        reason that hides them; ``base_too_small`` where the sum's base is 0; ``not_comparable``
        for the years before a split), in the order of municipality, indicator and year. Blank
        rows of a municipality in years when it was not there are left out.

    Raises
    ------
    DataError
        If the rule is unknown, a municipality, indicator and year stand in several rows, a
        municipality has a value in a year when it did not exist, or the changes contradict one
        another.
    """
    if splits not in SPLIT_RULES:
        raise DataError(f"splits {splits!r}; expected one of: {', '.join(SPLIT_RULES)}")
    require_once(values, KEYS, name="values")
    given = values if "reason" in values else values.assign(reason=None)
    given = given.assign(basis="own").astype({"reason": object})
    concerned = given["municipality_code"].isin([*changes["old_code"], *changes["new_code"]])
    if not concerned.any():
        return given.sort_values(KEYS, ignore_index=True)
    history = _History(changes)
    links = pd.DataFrame(
        [
            link
            for year in sorted(given.loc[concerned, "year"].unique())
            for link in history.links(year)
        ],
        columns=["year", "origin", "municipality_code", "weight", "is_split"],
    )
    there = _there(given.loc[concerned], links)

    shared = links.groupby(["year", "municipality_code"])["origin"].transform("size").gt(1)
    moving = links.loc[shared | links["is_split"] | links["origin"].ne(links["municipality_code"])]
    staying = ~_pairs(there, "municipality_code").isin(_pairs(moving, "origin"))
    parts = moving.merge(
        there.rename(columns={"municipality_code": "origin"}), on=["origin", "year"], how="inner"
    )
    tables = [given.loc[~concerned], there.loc[staying]]
    if len(parts):
        made = _made(parts, moving, splits)
        tables += [_left_behind(parts, made), made]
    filled = [table[given.columns] for table in tables if len(table)]
    result = pd.concat(filled) if filled else given.iloc[:0]
    return result.sort_values(KEYS, ignore_index=True)


@accepts(changes=CHANGES)
def require_one_history(changes: pd.DataFrame) -> None:
    """Refuse changes of municipalities that contradict one another.

    Parameters
    ----------
    changes
        Rows of ``MunicipalityChangesTable``.

    Raises
    ------
    DataError
        If a change stands in several rows, the shares of a municipality's parts are not 1
        together, or a part cannot be the earlier municipality that it is said to be again.
    """
    history = _History(changes)
    for year in history.events:
        list(history.links(year - 1))


def _there(given: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """The rows of municipalities in years when they existed; others must be blank."""
    exists = _pairs(given, "municipality_code").isin(_pairs(links, "origin"))
    strange = given.loc[given["value"].notna() & ~exists]
    if len(strange):
        shown = ", ".join(
            f"{row.municipality_code} has a value for {row.year}"
            for row in strange.drop_duplicates(["municipality_code", "year"]).head(8).itertuples()
        )
        raise DataError(
            f"municipality {shown}, when by the table of municipality changes it was not there; "
            "expected none. Leave the value out, or, where the municipality was there and took "
            "over a part of another, add the row in which it became itself"
        )
    return given.loc[exists]


def _pairs(rows: pd.DataFrame, code: str) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(rows[[code, "year"]].set_axis(["code", "year"], axis=1))


def _made(parts: pd.DataFrame, links: pd.DataFrame, splits: str) -> pd.DataFrame:
    """One row per municipality of today, indicator and year that is made of others."""
    numerator = parts["numerator"] * parts["weight"]
    denominator = parts["denominator"] * parts["weight"]
    counted = parts[NUMBERS].notna().all(axis=1)
    rows = (
        parts.assign(
            numerator=numerator,
            denominator=denominator,
            weighted=parts["value"] * denominator,
            counted=counted,
            reason=parts["reason"].where(~counted),
        )
        .groupby(KEYS, as_index=False)
        .agg(
            numerator=("numerator", "sum"),
            denominator=("denominator", "sum"),
            weighted=("weighted", "sum"),
            counted=("counted", "sum"),
            reason=("reason", "first"),
        )
    )
    whole = links.groupby(["municipality_code", "year"], as_index=False).agg(
        expected=("weight", "size"),
        is_split=("is_split", "any"),
        unknown_share=("weight", lambda weight: weight.isna().any()),
    )
    rows = rows.merge(whole, on=["municipality_code", "year"], validate="many_to_one")
    refused = rows["is_split"] & (rows["unknown_share"] | (splits == "refuse"))
    missing = rows["counted"] < rows["expected"]
    baseless = ~missing & rows["denominator"].eq(0)
    reason = rows["reason"].where(rows["reason"].notna(), None).astype(object)
    reason = reason.mask(missing & reason.isna(), checked_reason("missing"))
    reason = reason.mask(baseless, checked_reason("base_too_small"))
    reason = reason.mask(refused, checked_reason("not_comparable"))
    with np.errstate(invalid="ignore", divide="ignore"):
        rows["value"] = rows["weighted"] / rows["denominator"]
    rows["value"] = rows["value"].mask(reason.notna())
    counts = ["numerator", "denominator"]
    rows[counts] = rows[counts].mask(missing | refused)
    return rows.assign(
        basis=np.select([refused, rows["is_split"]], ["refused", "apportioned"], "merged"),
        reason=reason,
    )


def _left_behind(parts: pd.DataFrame, made: pd.DataFrame) -> pd.DataFrame:
    """What no municipality of today could take over, under the codes of those days."""
    told = made[KEYS].assign(taken=made["numerator"].notna())
    rows = parts.merge(told, on=KEYS, how="left", validate="many_to_one")
    taken = rows["weight"].where(rows["taken"], 0.0).groupby([rows[key] for key in ORIGIN]).sum()
    origins = parts.drop(columns="municipality_code").drop_duplicates(ORIGIN)
    left = 1 - origins[ORIGIN].merge(taken.rename("taken"), on=ORIGIN)["taken"].to_numpy()
    kept = origins.assign(left=left).rename(columns={"origin": "municipality_code"})
    kept = kept.loc[(kept["left"] > NOTHING) & kept[NUMBERS].notna().any(axis=1)]
    renewed = pd.MultiIndex.from_frame(made[KEYS])
    kept = kept.loc[~pd.MultiIndex.from_frame(kept[KEYS]).isin(renewed)]
    part = kept["left"] < 1 - NOTHING
    counts = ["numerator", "denominator"]
    kept[counts] = kept[counts].mul(kept["left"].where(part, 1.0), axis=0)
    return kept.assign(basis=np.where(part, "apportioned", "own"))


class _History:
    """Who became whom, event by event: all changes of a year are one event."""

    def __init__(self, changes: pd.DataFrame):
        self.rows = changes[["old_code", "new_code", "year", "share"]].assign(
            restored_code=changes.get("restored_code")
        )
        self._check()
        self.events = {
            year: dict(list(event.groupby("old_code")))
            for year, event in self.rows.groupby("year", sort=True)
        }
        self._check_restored()

    def links(self, year: int) -> Iterator[tuple]:
        """Which municipalities of a year became which of today, with what share of them."""
        for origin in self._existing(year):
            places = self._places(origin, year)
            for code, weight in places.items():
                yield year, origin, code, weight, len(places) > 1

    def _existing(self, year: int) -> Iterable[str]:
        """Of the municipalities in the table of changes, those that were there in a year."""
        there = {}
        for when, event in self.rows.groupby("year", sort=True):
            old, new = set(event["old_code"]), set(event["new_code"])
            for code in sorted(old | new):
                if when <= year:
                    there[code] = code in new
                else:
                    there.setdefault(code, code in old)
        return (code for code, is_there in there.items() if is_there)

    def _places(self, origin: str, year: float, until: float = np.inf) -> dict[str, float]:
        """Where a municipality of a year is before another year, and how much of it is there."""
        now, then_when = {origin: 1.0}, {}
        for when, event in self.events.items():
            if not year < when < until:
                continue
            after: dict[str, float] = {}
            for code, weight in now.items():
                if code not in event:
                    after[code] = after.get(code, 0.0) + weight
                    continue
                then_when[code] = weight
                for new, part in self._parted(event[code], weight, then_when, year):
                    after[new] = after.get(new, 0.0) + part
            now = {code: weight for code, weight in after.items() if not abs(weight) < NOTHING}
            if len(now) == 1:  # all of it is in one place, whatever ways it went
                now = dict.fromkeys(now, 1.0)
        return now

    def _parted(self, event: pd.DataFrame, weight: float, earlier: dict[str, float], year: float):
        """The parts of a municipality, and how much each has of what is followed."""
        again = event["restored_code"].map(
            lambda code: pd.notna(code) and self._end(code, event["year"].iloc[0]) > year
        )
        rest, others = weight, event.loc[~again.astype(bool)]
        for row in event.loc[again.astype(bool)].itertuples(index=False):
            part = earlier.get(row.restored_code, 0.0)
            rest -= part
            yield row.new_code, part
        if others.empty and abs(rest) > NOTHING:
            old, when = event[["old_code", "year"]].iloc[0]
            raise DataError(
                f"changes: all parts of {old} in {when:.0f} are earlier municipalities again, but "
                "others had become part of it too; expected a part that has the rest"
            )
        if len(others) == 1:
            yield others["new_code"].iloc[0], rest
        elif len(others):
            share = others["share"].to_numpy(dtype=float)
            yield from zip(others["new_code"], rest * share / share.sum(), strict=True)

    def _end(self, code: str, before: float) -> float:
        """The year in which a municipality was there no more, the last time before another."""
        when = self.rows.loc[(self.rows["old_code"] == code) & (self.rows["year"] < before), "year"]
        last = when.max()
        goes_on = (self.rows["new_code"] == code) & (self.rows["year"] == last)
        return -np.inf if when.empty or goes_on.any() else last

    def _check(self) -> None:
        require_once(self.rows, ["old_code", "new_code", "year"], name="changes")
        share = self.rows["share"].astype(float)
        wrong = []
        for (code, year), parts in share.groupby([self.rows["old_code"], self.rows["year"]]):
            too_little = parts.notna().all() and parts.sum() < 1 - SHARE_TOLERANCE
            if (parts < 0).any() or parts.sum() > 1 + SHARE_TOLERANCE or too_little:
                wrong.append(f"{code} in {year:.0f}: {parts.sum():g}")
        if wrong:
            raise DataError(
                f"changes: shares of the parts of {'; '.join(wrong[:8])}; expected shares from 0 "
                "that add up to 1, or blank where nobody knows"
            )

    def _check_restored(self) -> None:
        """A municipality can be itself again only out of what it went whole into."""
        wrong = []
        for row in self.rows.dropna(subset=["restored_code"]).itertuples(index=False):
            end = self._end(row.restored_code, row.year)
            places = self._places(row.restored_code, end - 0.5, row.year) if end > 0 else {}
            if list(places) != [row.old_code]:
                wrong.append(f"{row.new_code} as {row.restored_code} again in {row.year:.0f}")
        if wrong:
            raise DataError(
                f"changes: {'; '.join(wrong[:8])}; expected an earlier municipality that was "
                "merged whole into the one that is parted, and lost nothing in between"
            )
