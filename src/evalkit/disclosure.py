"""Counts too small to show: what to hide, what else would give it away, and a test of both.

One pass over the counts before any table, figure or sentence is made. ``protect`` hides the
counts that are too small, then the counts from which they could be worked out, until nothing
can. ``audit`` plays the reader who tries: from every count that is published, in all tables
of a run together, it finds the smallest and largest value that each hidden count can have.

Which other counts are hidden is chosen for a reader who is told no reasons, since a reason is
knowledge too and would cost more of them. Where the reader finds nothing more with the reasons,
they are told; elsewhere the cells that are hidden together carry one common reason, ``protected``.

Tables meet through their cells. A cell is what is counted and the values of its dimensions,
totals left out, so the same number in two tables is one cell, hidden in both or in neither.
"""

from __future__ import annotations

import functools
import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csc_array, csr_array, vstack
from scipy.sparse.csgraph import connected_components

from evalkit.errors import DataError
from evalkit.reasons import HIDING, withhold
from evalkit.small_counts import is_small, least_small

__all__ = [
    "THRESHOLD",
    "TOTAL",
    "CountTable",
    "Relation",
    "audit",
    "hidden_series",
    "primary_reasons",
    "protect",
    "protect_shares",
    "relations_of",
    "require_safe",
    "share_table",
]

THRESHOLD = 5  # smallest count that may be shown, where the study says nothing else
TOTAL = "total"  # the value of a dimension that stands for all of it
_SLACK = 1e-6
_TOLD_SMALL = ("too_few", "base_too_small")  # reasons that tell a reader that a count is small
_TOLD_ENOUGH = "can_be_derived"  # and the one that tells that it is not
_COMMON = "protected"  # the one that tells neither
_PASSES = 30  # of narrowing by single sums; further ones gain nothing worth the wait

Cell = str


@dataclass(frozen=True)
class Relation:
    """One sum that the counts obey and the reader knows: ``sum(weight * cell) = constant``.

    Attributes
    ----------
    weights
        Weight of each cell. A total of its parts is ``{total: -1, part: 1, ...}``.
    constant
        The right-hand side.
    at_most
        True when the sum is only known not to exceed ``constant``, as when some of a total
        belongs to no part in the table.
    slack
        How far the sum may be from ``constant``, because the publisher perturbs its counts.
    """

    weights: Mapping[Cell, float]
    constant: float = 0.0
    at_most: bool = False
    slack: float = 0.0


@dataclass(frozen=True)
class CountTable:
    """A table of counts, one row per cell.

    Attributes
    ----------
    cells
        One row per cell: the dimensions, and ``count`` (missing where hidden). Where there is a
        column ``noise``, it says how far a published count may be from the true one.
    dimensions
        Columns whose values part the counted; a row with the value ``TOTAL`` holds the sum.
    of
        What is counted, such as ``"users 2023"``. Tables with the same ``of`` share cells.
    parents
        Per dimension, the value that each value is part of, such as municipality to county;
        a value without a parent is part of the dimension's ``TOTAL``. Where a table lacks the
        parent, the value is part of the parent's own: what is not shown holds nothing together.
    complete
        False when totals may hold persons who are in none of the table's parts.
    exact
        Dimensions along which the published counts add up although they have noise.
    """

    cells: pd.DataFrame
    dimensions: Sequence[str]
    of: str
    parents: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    complete: bool = True
    exact: Sequence[str] = ()

    def names(self) -> pd.Series:
        """Each row's cell: what is counted, and the dimensions that are not totals."""
        parts = [
            (" | " + dimension + "=" + self.cells[dimension].astype(str)).where(
                self.cells[dimension].astype(str) != TOTAL, ""
            )
            for dimension in sorted(self.dimensions)
        ]
        name = pd.Series(self.of, index=self.cells.index, dtype=object)
        for part in parts:
            name = name + part.astype(object)
        return name

    def counts(self) -> pd.Series:
        """Counts by cell; missing where hidden.

        Raises
        ------
        DataError
            If a cell occurs twice or a count is below 0.
        """
        names = self.names()
        if names.duplicated().any():
            raise DataError(
                f"table of {self.of!r} has a cell twice: {names[names.duplicated()].iloc[0]}"
            )
        counts = self.cells["count"].astype(float).set_axis(names)
        if (counts < 0).any():
            raise DataError(f"table of {self.of!r} has a count below 0")
        return counts


def relations_of(table: CountTable, elsewhere: Collection[Cell] = ()) -> list[Relation]:
    """The sums of a table: parts to their parent, and to the total, along each dimension.

    Parameters
    ----------
    table
        The table.
    elsewhere
        Cells of other tables: a total that the table lacks may stand there.

    Returns
    -------
    list of Relation
        One per total that has at least one part in the table.
    """
    names = table.names()
    noise = table.cells["noise"] if "noise" in table.cells else pd.Series(0.0, names.index)
    widths = dict(zip(names, noise.fillna(0.0).astype(float), strict=True))
    relations = []
    for dimension in table.dimensions:
        others = [name for name in table.dimensions if name != dimension]
        parent = table.parents.get(dimension, {})
        beside = set(elsewhere)
        if not parent:  # then only a total of the whole dimension can stand in another table
            beside = {cell for cell in elsewhere if f" | {dimension}=" not in cell}
        value = table.cells[dimension].astype(str)
        key = (
            list(map(tuple, table.cells[others].astype(str).to_numpy()))
            if others
            else [()] * len(value)
        )
        place = {(k, v): name for k, v, name in zip(key, value, names, strict=True)}
        parts: dict[Cell, list[Cell]] = defaultdict(list)
        for k, v, name in zip(key, value, names, strict=True):
            if v == TOTAL:
                continue
            up = parent.get(v, TOTAL)
            total = place.get((k, up)) or _elsewhere(name, dimension, v, up, beside)
            while total is None and up != TOTAL:
                up = parent.get(up, TOTAL)
                total = place.get((k, up)) or _elsewhere(name, dimension, v, up, beside)
            if total is not None:
                parts[total].append(name)
        for total, cells in parts.items():
            weights = dict.fromkeys(cells, 1.0) | {total: -1.0}
            noisy = dimension not in table.exact
            slack = sum(widths.get(cell, 0.0) for cell in weights) if noisy else 0.0
            relations.append(Relation(weights, at_most=not table.complete, slack=slack))
    return relations


def _elsewhere(
    name: Cell, dimension: str, value: str, up: str, elsewhere: Collection[Cell]
) -> Cell | None:
    """The cell of a part's total, where another table has it."""
    if not elsewhere:
        return None
    part = f" | {dimension}={value}"
    total = name.replace(part, "" if up == TOTAL else f" | {dimension}={up}", 1)
    return total if total in elsewhere else None


def primary_reasons(
    counts: pd.Series, base: pd.Series | None = None, *, threshold: int = THRESHOLD
) -> pd.Series:
    """Why a count may not be shown in itself: the count, its complement or its base is small.

    Parameters
    ----------
    counts
        Counts.
    base
        Those the counts are part of, when the reader sees it.
    threshold
        Smallest count that may be shown; a ``SmallestCount`` says whether nought may be, too.

    Returns
    -------
    Series
        ``base_too_small``, ``too_few``, ``protected`` (the count is not small, but those who are
        left of its base are: all but a few, or everybody) or missing.
    """
    small = is_small(counts, threshold)
    if base is None:
        reason = np.where(small, "too_few", None)
    else:
        reason = np.select(
            [is_small(base, threshold), small, is_small(base - counts, threshold)],
            ["base_too_small", "too_few", _COMMON],
            default=None,
        )
    return pd.Series(reason, index=counts.index, dtype=object)


def hidden_series(
    cells: pd.DataFrame,
    *,
    series: Sequence[str],
    threshold: int = THRESHOLD,
    largest_weak_share: float = 0.5,
) -> pd.Series:
    """Which rows belong to a series with so many weak years that all of it is hidden.

    Parameters
    ----------
    cells
        ``count`` and the columns of ``series``; one row per period.
    series
        Columns that make a series, such as municipality and indicator.
    threshold
        A period with a count too small to show is weak.
    largest_weak_share
        Share of weak periods up to which the other periods are still shown.

    Returns
    -------
    Series of bool
        True for every row of a series with a larger share of weak periods.
    """
    weak = (
        is_small(cells["count"], threshold)
        .groupby([cells[name] for name in series])
        .transform("mean")
    )
    return weak > largest_weak_share


def protect(
    tables: Sequence[CountTable],
    *,
    threshold: int = THRESHOLD,
    smallest_width: float | None = None,
    primary: Mapping[Cell, str] | None = None,
    relations: Iterable[Relation] = (),
    kept: Collection[Cell] = (),
) -> pd.DataFrame:
    """What to hide in the tables, and why, so that no hidden count can be worked out.

    Counts that are too small are hidden first. Then, until nothing changes: where a sum has
    one hidden count and could give it away, another is hidden, the smallest that hides enough
    and a total only when no part will do; and where all sums together still pin a hidden
    count too closely, one more. What turned out not to be needed is shown again. ``audit`` passes
    what is left.

    Parameters
    ----------
    tables
        The true counts of all tables that will be published together.
    threshold
        Smallest count that may be shown; a ``SmallestCount`` says whether nought may be, too.
    smallest_width
        Width that the reader's interval for a hidden count must have; unless given, so that as
        many values stay possible as are too small to show.
    primary
        Cells to hide for other reasons, with the reason, such as from ``primary_reasons``.
    relations
        Sums besides those within the tables.
    kept
        Cells that are hidden for another's sake only where no other cell will do.

    Returns
    -------
    DataFrame
        One row per cell: ``cell``, ``count`` (true), ``hidden``, ``reason`` (missing where shown):
        ``too_few``, the reason from ``primary``, or ``can_be_derived``; of cells that are hidden
        together and whose reasons would tell too much, ``protected``.

    Raises
    ------
    DataError
        If two tables disagree on a cell, the counts do not obey the sums, the width asked for is
        more than a small count can have, or sums from outside the tables tell a small count
        whatever is hidden.
    """
    width = _width(threshold, smallest_width)
    if width > threshold - 1:
        raise DataError(f"smallest_width {width:g}; expected at most threshold - 1")
    known = _united(tables)
    sums = _sums([*_unique_relations(tables), *relations], known.index)
    counts = known.reindex(sums.cells).to_numpy(dtype=float)
    _check_sums(counts, sums)
    reasons = pd.Series(None, index=sums.cells, dtype=object)
    reasons[is_small(counts, threshold)] = "too_few"
    for cell, reason in (primary or {}).items():
        if cell not in known.index:
            raise DataError(f"primary cell {cell!r} is in none of the tables")
        reasons[cell] = reason
    told = _told_reasons(reasons, counts, sums, sums.cells.isin(list(kept)), width, threshold)
    own = told.loc[known.index]
    return pd.DataFrame(
        {
            "cell": known.index,
            "count": known.to_numpy(),
            "hidden": own.notna().to_numpy(),
            "reason": own.to_numpy(),
        }
    )


def _width(threshold: int, smallest_width: float | None) -> float:
    """Width that the reader's interval for a hidden count must have."""
    if smallest_width is not None:
        return smallest_width
    return float(threshold - 1 - least_small(threshold))


def audit(
    tables: Sequence[CountTable],
    *,
    threshold: int = THRESHOLD,
    smallest_width: float | None = None,
    relations: Iterable[Relation] = (),
    known_small: Iterable[Cell] | None = None,
    whole_numbers: bool = True,
) -> pd.DataFrame:
    """What a reader can work out about every hidden count, from all tables of a run together.

    Parameters
    ----------
    tables
        The tables as published: ``count`` is missing where hidden. A row that still shows
        ``value`` and ``base`` gives its count away and is taken as shown. Where there is a
        ``reason`` column, the reader knows that ``base_too_small`` and ``too_few`` mean too small
        to show (not the latter in tables made by ``share_table``, whose reason is that of the
        row), ``can_be_derived`` large enough, and ``protected`` neither.
    threshold
        Smallest count that may be shown; a ``SmallestCount`` says whether nought may be, too.
    smallest_width
        Width that the interval of a hidden count must have; unless given, so that as many values
        stay possible as are too small to show. 1 asks only that no count is found exactly. What is hidden for another's sake alone
        (``can_be_derived``) may be found, as long as the other is not.
    relations
        Sums besides those within the tables, such as a baseline plus its change.
    known_small
        Cells known to be too small to show, instead of those with the reason.
    whole_numbers
        True for a reader who uses that counts are whole; False is faster and gives
        intervals that are as wide or wider.

    Returns
    -------
    DataFrame
        One row per hidden cell: ``cell``, ``lower``, ``upper`` (the possible counts),
        ``width``, ``needed_width``, ``safe``.

    Raises
    ------
    DataError
        If the published counts contradict one another.
    """
    width = _width(threshold, smallest_width)
    known = _united(tables, published=True)
    sums = _sums([*_unique_relations(tables), *relations], known.index)
    counts = known.reindex(sums.cells).to_numpy(dtype=float)
    small = sums.cells.isin(_small_by_reason(tables) if known_small is None else known_small)
    held = sums.cells.isin(_enough_by_reason(tables)) & ~small
    hidden = np.isnan(counts)
    view = _view(counts, sums, hidden, _knowledge(small, held, threshold), whole=whole_numbers)
    none = np.full(len(view.cells), np.inf)
    lower, upper = _widened(view, sums.cells.isin(known.index)[view.cells], none, -none)
    result = pd.DataFrame({"cell": sums.cells[view.cells], "lower": lower, "upper": upper})
    result = result.loc[result["cell"].isin(known.index)].sort_values("cell")
    gap = result["upper"] - result["lower"]
    needed = np.where(result["cell"].isin(sums.cells[held]), 0.0, width)
    bare = result["cell"].isin(sums.cells[_alone_in_a_sum(sums, hidden)])
    safe = (gap >= needed - _SLACK) & ~(bare & (needed > 0))
    return result.assign(width=gap, needed_width=needed, safe=safe).reset_index(drop=True)


def require_safe(audited: pd.DataFrame) -> None:
    """Stop when a hidden count can be pinned down.

    Parameters
    ----------
    audited
        From ``audit``.

    Raises
    ------
    DataError
        With every cell that is too narrowly hidden, and its interval.
    """
    open_cells = audited.loc[~audited["safe"]]
    if open_cells.empty:
        return
    lines = [
        f"  {row.cell}: between {row.lower:g} and {row.upper:g}; "
        f"expected at least {row.needed_width:g} apart"
        for row in open_cells.itertuples()
    ]
    raise DataError(
        f"{len(open_cells)} hidden counts can be worked out from what is shown:\n"
        + "\n".join(lines)
    )


def share_table(
    results: pd.DataFrame,
    *,
    dimensions: Sequence[str],
    of: str,
    parents: Mapping[str, Mapping[str, str]] | None = None,
    complete: bool = True,
) -> CountTable:
    """Results with count and base as a table of those who did, those who did not, and all.

    Parameters
    ----------
    results
        Rows with ``dimensions``, ``count`` and ``base``; hidden counts are missing.
    dimensions, of, parents, complete
        As in ``CountTable``.

    Returns
    -------
    CountTable
        Three rows per result, with the dimension ``answer``: ``yes``, ``no`` and ``TOTAL``.
    """
    keys = list(dimensions)
    rows = results.drop_duplicates(keys)
    value = rows["value"] if "value" in rows else pd.Series(np.nan, index=rows.index)
    count = rows["count"].astype(float)
    count = count.where(count.notna(), (value * rows["base"]).round())
    noise = rows["noise"] if "noise" in rows else pd.Series(0.0, index=rows.index)
    blocks = [
        rows[keys].assign(answer=answer, count=numbers, noise=width)
        for answer, numbers, width in (
            ("yes", count, noise),
            ("no", rows["base"] - count, 2 * noise),  # of both that it is the difference of
            (TOTAL, rows["base"], noise),
        )
    ]
    return CountTable(
        cells=pd.concat(blocks, ignore_index=True),
        dimensions=(*keys, "answer"),
        of=of,
        parents=parents or {},
        complete=complete,
        exact=("answer",),
    )


def protect_shares(
    results: pd.DataFrame,
    *,
    dimensions: Sequence[str],
    of: str | Sequence[str] = "answers",
    parents: Mapping[str, Mapping[str, str]] | None = None,
    threshold: int = THRESHOLD,
    complete: bool = True,
    series: Sequence[str] | None = None,
    largest_weak_share: float = 0.5,
    hidden_columns: Sequence[str] = (),
) -> pd.DataFrame:
    """Results with counts, shares and limits taken away where they may not be shown.

    Parameters
    ----------
    results
        Rows with ``dimensions``, ``count``, ``base``, ``value``, ``lower``, ``upper`` and
        ``reason``; several confidence levels of one cell are hidden alike. Rows that already
        have a reason and no count are left as they are. ``noise``, where there is such a column,
        says how far a published count and base may be from the true ones.
    dimensions
        Columns that part the persons and may have ``TOTAL`` rows.
    of
        A name for what is counted, or the columns that part the results into tables that
        are never summed, such as ``("item",)``.
    parents, complete
        As in ``CountTable``.
    threshold
        Smallest count, complement and base that may be shown.
    series
        Columns that make a series over periods; when given, series with too many weak
        periods are hidden whole (see ``hidden_series``), as the periods in between would tell
        of the weak ones.
    largest_weak_share
        As in ``hidden_series``.
    hidden_columns
        Further columns to empty with the value, such as ``("before_count",)``.

    Returns
    -------
    DataFrame
        The same rows; where hidden, ``count``, ``value``, ``lower`` and ``upper`` are missing
        and ``reason`` says why. ``base`` is emptied too where it is small, or would give
        one away.
    """
    apart = [] if isinstance(of, str) else [results[name].astype(str) for name in of]
    named = results.assign(_of=functools.reduce(lambda a, b: a + ", " + b, apart) if apart else of)
    countable = named["count"].notna() & named["base"].notna()
    weak = pd.Series(False, index=named.index)
    if series is not None:
        weak = countable & hidden_series(
            named, series=series, threshold=threshold, largest_weak_share=largest_weak_share
        )
    named, keys = named.assign(_weak=weak), list(dimensions)
    cells = named.loc[countable].drop_duplicates(["_of", *keys])
    alone = ~_has_total(cells, keys, parents or {})
    parts = [
        _why_hidden(
            rows,
            dimensions=keys,
            of=str(name),
            parents=parents,
            complete=complete,
            threshold=threshold,
        )
        for name, rows in cells.loc[~alone].groupby("_of", sort=False)
    ]
    parts.append(_why_hidden_alone(cells.loc[alone], threshold=threshold))
    why = pd.concat([cells[["_of", *keys]], pd.concat(parts)], axis=1)
    given = named[["_of", *keys]].merge(why, on=["_of", *keys], how="left", validate="many_to_one")
    result = named.assign(reason=named["reason"].astype(object))
    empty = ["count", "value", "lower", "upper", *hidden_columns]
    for part, columns in (("_count", empty), ("_base", ["base"])):
        for reason in HIDING:
            hit = pd.Series(given[part].to_numpy() == reason, index=named.index) & countable
            if hit.any():
                result = withhold(result, hit, reason, columns=tuple(columns))
    return result.drop(columns=["_of", "_weak"])


def _has_total(
    cells: pd.DataFrame, keys: Sequence[str], parents: Mapping[str, Mapping[str, str]]
) -> pd.Series:
    """Whether a cell's table has a total of some of its cells; without one, none tells of another."""
    total = pd.Series(False, index=cells.index)
    for key in keys:
        above = {TOTAL, *parents.get(key, {}).values()}
        total |= cells[key].astype(str).isin(above)
    return total.groupby(cells["_of"], sort=False).transform("any")


def _why_hidden_alone(cells: pd.DataFrame, *, threshold: int) -> pd.DataFrame:
    """As `_why_hidden` of cells that are in no sum: counts and bases that are alike, once."""
    alike = ["count", "base", "_weak"]
    kinds = cells[alike].drop_duplicates()
    kinds = kinds.loc[pd.notna(_own_reasons(kinds, threshold))].reset_index(drop=True)
    kinds = kinds.assign(kind=kinds.index.astype(str))
    why = _why_hidden(kinds, dimensions=["kind"], of="counts alone", threshold=threshold)
    told = cells[alike].merge(kinds.join(why), on=alike, how="left", validate="many_to_one")
    return told[["_count", "_base"]].set_axis(cells.index)


def _own_reasons(cells: pd.DataFrame, threshold: int) -> np.ndarray:
    reasons = primary_reasons(cells["count"], cells["base"], threshold=threshold).to_numpy()
    return np.where(cells["_weak"] & pd.isna(reasons), _TOLD_ENOUGH, reasons)


def _why_hidden(
    one: pd.DataFrame,
    *,
    dimensions: Sequence[str],
    of: str,
    parents: Mapping[str, Mapping[str, str]] | None = None,
    complete: bool = True,
    threshold: int,
) -> pd.DataFrame:
    """Why count and base of each row are hidden (``_count``, ``_base``), or missing where shown."""
    if one.empty:
        return pd.DataFrame({"_count": [], "_base": []}, index=one.index, dtype=object)
    table = share_table(one, dimensions=dimensions, of=of, parents=parents, complete=complete)
    answer, cells = table.cells["answer"], table.names()
    yes, no, every = (cells[answer == part].to_numpy() for part in ("yes", "no", TOTAL))
    reasons = _own_reasons(one, threshold)
    told = pd.notna(reasons)
    small = reasons == "base_too_small"
    primary = {
        **dict(zip(yes[told], reasons[told], strict=True)),
        **dict(zip(no[told], reasons[told], strict=True)),
        **dict(zip(every[small], reasons[small], strict=True)),
    }
    reason = protect([table], threshold=threshold, primary=primary).set_index("cell")["reason"]
    return pd.DataFrame(
        {"_count": reason.loc[yes].to_numpy(), "_base": reason.loc[every].to_numpy()},
        index=one.index,
        dtype=object,
    )


def _united(tables: Sequence[CountTable], *, published: bool = False) -> pd.Series:
    """Counts by cell over all tables; a cell is hidden only where every table hides it."""
    blocks = [table.counts() for table in tables]
    if published:
        blocks = [_given_away(table, counts) for table, counts in zip(tables, blocks, strict=True)]
    every = pd.concat(blocks) if blocks else pd.Series(dtype=float)
    if not published and every.isna().any():
        raise DataError("a count is missing; protect needs the true counts")
    grouped = every.groupby(level=0, sort=False)
    lowest, highest = grouped.min(), grouped.max()
    if ((highest - lowest) > _SLACK).any():
        cell = lowest.index[(highest - lowest) > _SLACK][0]
        raise DataError(f"two tables have different counts for the cell {cell!r}")
    return lowest


def _given_away(table: CountTable, counts: pd.Series) -> pd.Series:
    """Published counts, with those that a share and its base give away."""
    if not {"value", "base"} <= set(table.cells.columns):
        return counts
    product = (table.cells["value"] * table.cells["base"]).astype(float).round()
    return counts.where(counts.notna(), product.set_axis(counts.index))


def _unique_relations(tables: Sequence[CountTable]) -> list[Relation]:
    """Sums within all tables, each once, and those whose total stands in another table alone."""
    seen: dict[tuple, Relation] = {}
    named: dict[str, list[set[Cell]]] = defaultdict(list)
    for table in tables:
        named[table.of].append(set(table.names()))
    together = {of: set().union(*cells) if len(cells) > 1 else set() for of, cells in named.items()}
    within = [relation for table in tables for relation in relations_of(table)]
    totals = {cell for one in within for cell, weight in one.weights.items() if weight < 0}
    between = [
        relation
        for table in tables
        if together[table.of]
        for relation in relations_of(table, together[table.of] - totals)
    ]
    for relation in [*within, *between]:
        key = (relation.at_most, tuple(sorted(relation.weights.items())))
        if key not in seen or relation.slack < seen[key].slack:
            seen[key] = relation
    return list(seen.values())


@dataclass(frozen=True)
class _Sums:
    """All sums as the rows of a matrix over the cells, those of the tables first."""

    cells: pd.Index
    weights: csr_array
    constants: np.ndarray
    at_most: np.ndarray
    slack: np.ndarray

    @cached_property
    def entries(self) -> csr_array:
        """1 where a cell is in a sum, whatever its weight."""
        return abs(self.weights).sign()

    @cached_property
    def by_cell(self) -> csc_array:
        return csc_array(self.weights)

    def hidden_in(self, hidden: np.ndarray) -> np.ndarray:
        """How many hidden cells each sum has."""
        return self.entries @ hidden.astype(float)

    def cells_of(self, row: int) -> np.ndarray:
        first, last = self.weights.indptr[row : row + 2]
        return self.weights.indices[first:last]

    def totals_of(self, row: int) -> np.ndarray:
        first, last = self.weights.indptr[row : row + 2]
        return self.weights.indices[first:last][self.weights.data[first:last] < 0]

    def rows_of(self, cell: int) -> np.ndarray:
        first, last = self.by_cell.indptr[cell : cell + 2]
        return self.by_cell.indices[first:last]


def _sums(relations: Sequence[Relation], cells: pd.Index) -> _Sums:
    named = dict.fromkeys(cell for relation in relations for cell in relation.weights)
    every = cells.append(pd.Index([cell for cell in named if cell not in cells], dtype=object))
    place = {cell: number for number, cell in enumerate(every)}
    rows = [row for row, relation in enumerate(relations) for _ in relation.weights]
    columns = [place[cell] for relation in relations for cell in relation.weights]
    weights = [weight for relation in relations for weight in relation.weights.values()]
    return _Sums(
        every,
        csr_array((weights, (rows, columns)), shape=(len(relations), len(every)), dtype=float),
        np.array([relation.constant for relation in relations], dtype=float),
        np.array([relation.at_most for relation in relations], dtype=bool),
        np.array([relation.slack for relation in relations], dtype=float),
    )


def _check_sums(counts: np.ndarray, sums: _Sums) -> None:
    excess = sums.weights @ counts - sums.constants  # missing where a cell is in no table
    excess_found = np.where(sums.at_most, excess, np.abs(excess))
    wrong = excess_found > sums.slack + _SLACK
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        cells = ", ".join(sums.cells[sums.cells_of(row)])
        raise DataError(f"counts do not add up, off by {excess[row]:g}: {cells}")


def _knowledge(
    small: np.ndarray, held: np.ndarray, threshold: int
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of every cell that a reader has from its reason alone."""
    least, most = least_small(threshold), float(threshold - 1)
    # where nought may be shown, one that is hidden for another's sake is not small either
    enough = 0.0 if least else most + 1
    lower = np.where(small, float(least), np.where(held, enough, 0.0))
    return lower, np.where(small, most, np.inf)


def _told_reasons(
    reasons: pd.Series,
    counts: np.ndarray,
    sums: _Sums,
    kept: np.ndarray,
    width: float,
    threshold: int,
) -> pd.Series:
    """The reasons with those of further cells that are hidden, as far as they may be told.

    First the cells are chosen for a reader who is told no reasons. Cells that are hidden together
    and would be found with their reasons get the common one; since it does not say which of them
    are hidden for what they are, each of them must then have room.
    """
    outside = np.isnan(counts)
    own = reasons.notna().to_numpy()
    small = reasons.isin(_TOLD_SMALL).to_numpy() & is_small(counts, threshold)
    enough = (counts >= threshold) | (is_small(0, threshold) == 0) & (counts == 0)
    held = reasons.eq(_TOLD_ENOUGH).to_numpy() & enough
    silent = (np.zeros(len(counts)), np.full(len(counts), np.inf))
    need, hidden, common = own & ~held, own | outside, np.zeros(len(counts), dtype=bool)
    settled = outside.copy()
    while True:
        hidden = _hidden_besides(counts, sums, hidden, need, settled, silent, kept, width)
        hidden = _shown_again(counts, sums, hidden, ~own, need, silent, kept, width)
        added = hidden & ~own & ~outside
        told_small, told_enough = small & ~common, (held | added) & enough & ~common
        lower, upper = _knowledge(told_small, told_enough, threshold)
        view = _view(counts, sums, hidden, (lower, upper), whole=True)
        asked = hidden & ~told_enough & ~outside
        narrow = _narrow_cells(view, asked[view.cells], counts, width)
        touched = np.isin(view.component, view.component[narrow])
        touched |= np.isin(view.component, view.component[common[view.cells]])
        spoken = np.zeros(len(counts), dtype=bool)
        spoken[view.cells[touched]] = True
        spoken &= ~outside
        if not (spoken & ~common).any():
            _require_room(view, narrow, sums)
            break
        common |= spoken
        need = need | common
        settled = outside.copy()
    told = reasons.mask(added, _TOLD_ENOUGH)
    return told.mask(common & hidden, _COMMON)


def _require_room(view: _View, narrow: np.ndarray, sums: _Sums) -> None:
    if narrow.any():
        named = "\n".join(f"  {cell}" for cell in sums.cells[view.cells[narrow]][:8])
        raise DataError(
            f"{narrow.sum()} small counts can be worked out whatever is hidden in their tables, from "
            f"sums that are known besides; expected fewer sums to be shown:\n{named}"
        )


def _alone_in_a_sum(sums: _Sums, hidden: np.ndarray) -> np.ndarray:
    """Cells that are the only hidden one of a sum; noise that a publisher adds hides none of them."""
    alone = np.flatnonzero((sums.hidden_in(hidden) == 1) & ~sums.at_most)
    cells = [cell for row in alone for cell in sums.cells_of(row) if hidden[cell]]
    found = np.zeros(len(hidden), dtype=bool)
    found[cells] = True
    return found


def _narrow_cells(view: _View, asked: np.ndarray, counts: np.ndarray, width: float) -> np.ndarray:
    """Cells of the view that are asked for and may vary by less than ``width``."""
    narrow = asked & (view.upper - view.lower < width - _SLACK)
    if narrow.any() or not asked.any():
        return narrow
    truth = counts[view.cells]
    unknown = np.isnan(truth)
    least, most = np.where(unknown, np.inf, truth), np.where(unknown, -np.inf, truth)
    least, most = _widened(view, asked, least, most, enough=width)
    return asked & (most - least < width - _SLACK)


def _hidden_besides(
    counts: np.ndarray,
    sums: _Sums,
    hidden: np.ndarray,
    need: np.ndarray,
    settled: np.ndarray,
    knowledge: tuple[np.ndarray, np.ndarray],
    kept: np.ndarray,
    width: float,
) -> np.ndarray:
    """The hidden cells and as many more, so that every cell that needs room may vary by ``width``.

    What single sums give away is mended first, without solving anything; then what all of them
    give away together. A cell that was seen to vary enough stays so, since hiding more only
    leaves the reader with less.
    """
    hidden, settled = hidden.copy(), settled.copy()
    tight = counts < width  # too near nought to make room for another
    while True:
        _cover_sums(counts, sums, hidden, kept, tight)
        view = _view(counts, sums, hidden, knowledge, whole=True)
        unsure = (need & ~settled)[view.cells]
        narrow = _narrow_cells(view, unsure, counts, width)
        if not (unsure & (view.upper - view.lower < width - _SLACK)).any():
            settled[view.cells[unsure & ~narrow]] = True
        if not narrow.any():
            return hidden
        fed = np.zeros(len(sums.constants), dtype=bool)  # sums with a count hidden in this round
        exposed, gaps = np.flatnonzero(narrow), view.upper - view.lower
        for number in exposed[np.lexsort((view.cells[exposed], gaps[exposed]))]:
            cell = int(view.cells[number])
            if fed[sums.rows_of(cell)].any():
                continue
            extra = _cheapest_neighbour(cell, counts, sums, hidden, kept, tight)
            if extra is None:
                settled[cell] = True  # nothing is left to hide it with
                continue
            hidden[extra] = True
            fed[sums.rows_of(extra)] = True


def _shown_again(
    counts: np.ndarray,
    sums: _Sums,
    hidden: np.ndarray,
    free: np.ndarray,
    need: np.ndarray,
    knowledge: tuple[np.ndarray, np.ndarray],
    kept: np.ndarray,
    width: float,
) -> np.ndarray:
    """The hidden cells without those that turn out not to be needed, the costliest tried first."""
    hidden = hidden.copy()
    spare = hidden & free & ~np.isnan(counts)
    if not spare.any():
        return hidden
    view = _view(counts, sums, hidden, knowledge, whole=True)
    totals = np.asarray((sums.weights < 0).sum(axis=0)).ravel() > 0
    at = np.flatnonzero(spare[view.cells])
    cells = view.cells[at]
    of_component: dict[int, list[int]] = defaultdict(list)
    for place in at[np.lexsort((-counts[cells], ~totals[cells], ~kept[cells]))]:
        of_component[int(view.component[place])].append(int(view.cells[place]))
    number = sums.hidden_in(hidden)
    for component, candidates in of_component.items():
        shown = _not_alone_without(candidates, sums, number)
        if not shown:
            continue
        part = view.part(component)[1]

        def safe(chosen: Sequence[int], *, together: bool, part: _View = part) -> bool:
            seen = part.without(np.array(chosen), counts, knowledge)
            asked = need[seen.cells]
            if together:
                return not _narrow_cells(seen, asked, counts, width).any()
            return not (asked & (seen.upper - seen.lower < width - _SLACK)).any()

        shown = _most_that_pass(shown, functools.partial(safe, together=False))
        shown = _most_that_pass(shown, functools.partial(safe, together=True))
        hidden[shown] = False
    return hidden


def _not_alone_without(candidates: Sequence[int], sums: _Sums, number: np.ndarray) -> list[int]:
    """Cells that may be shown one after the other so that no sum is left with one hidden count."""
    chosen, left = [], number.copy()
    for cell in candidates:
        rows = sums.rows_of(cell)
        if not ((left[rows] == 2) & ~sums.at_most[rows]).any():
            left[rows] -= 1
            chosen.append(cell)
    return chosen


def _most_that_pass(cells: list[int], passes: Callable[[Sequence[int]], bool]) -> list[int]:
    """Cells, taken in their order, that pass together; what does not is halved until it does."""
    chosen: list[int] = []
    waiting = [cells] if cells else []
    while waiting:
        tried = waiting.pop()
        if passes([*chosen, *tried]):
            chosen += tried
        elif len(tried) > 1:
            middle = len(tried) // 2
            waiting += [tried[middle:], tried[:middle]]
    return chosen


def _cover_sums(
    counts: np.ndarray, sums: _Sums, hidden: np.ndarray, kept: np.ndarray, tight: np.ndarray
) -> None:
    """Hide one more count in every sum that has a single hidden one, until none has."""
    while True:
        alone = np.flatnonzero((sums.hidden_in(hidden) == 1) & ~sums.at_most)
        found = False
        for row in alone:
            cells = sums.cells_of(row)
            shown = cells[~hidden[cells] & ~np.isnan(counts[cells])]
            if hidden[cells].sum() == 1 and len(shown):
                place = _cheapest(shown, sums.totals_of(row), counts, sums, hidden, kept, tight)
                hidden[place] = found = True
        if not found:
            return


def _cheapest(
    shown: np.ndarray,
    totals: np.ndarray,
    counts: np.ndarray,
    sums: _Sums,
    hidden: np.ndarray,
    kept: np.ndarray,
    tight: np.ndarray,
) -> int:
    """The count that costs least to hide: a part before the total, then one that makes room.

    Then one by which most sums with a single hidden count get another and fewest sums without one
    get their first, which would need another one; then by size.
    """
    cost = _cost(shown, sums, hidden)
    order = np.lexsort(
        (shown, counts[shown], cost, tight[shown], np.isin(shown, totals), kept[shown])
    )
    return int(shown[order[0]])


def _cost(cells: np.ndarray, sums: _Sums, hidden: np.ndarray) -> np.ndarray:
    """How many more counts hiding each cell asks for: sums that get their first, less those that had one."""
    number = sums.hidden_in(hidden)
    worth = np.where(sums.at_most, 0.0, np.select([number == 0, number == 1], [1.0, -1.0], 0.0))
    return (sums.entries.T @ worth)[cells]


def _cheapest_neighbour(
    cell: int,
    counts: np.ndarray,
    sums: _Sums,
    hidden: np.ndarray,
    kept: np.ndarray,
    tight: np.ndarray,
) -> int | None:
    """The cheapest shown count in a sum with the cell, or with cells hidden together with it."""
    for barred in (kept, np.zeros_like(kept)):
        reached, frontier = {cell}, [cell]
        while frontier:
            rows = np.unique(np.concatenate([sums.rows_of(one) for one in frontier]))
            if not len(rows):
                break
            near = np.unique(np.concatenate([sums.cells_of(row) for row in rows]))
            free = ~hidden & ~barred
            shown = near[free[near]]
            exact = rows[~sums.at_most[rows]]
            if len(exact):  # what is only known to be no more tells less
                within = np.unique(np.concatenate([sums.cells_of(row) for row in exact]))
                shown = within[free[within]] if free[within].any() else shown
            if len(shown):
                totals = np.concatenate([sums.totals_of(row) for row in rows])
                return _cheapest(shown, totals, counts, sums, hidden, kept, tight)
            frontier = [int(one) for one in near if one not in reached and hidden[one]]
            reached.update(frontier)
    return None


@dataclass(frozen=True)
class _View:
    """What the reader knows of the hidden cells: sums not above ``most``, and limits.

    The limits are those that follow from one sum at a time; all sums together may tell more.
    """

    cells: np.ndarray
    weights: csr_array
    most: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    whole: bool
    beyond: float  # ten times what any count can be that is held back by what is published

    @cached_property
    def component(self) -> np.ndarray:
        """Numbers of the sets of cells that share sums."""
        shared = csr_array(abs(self.weights).T @ abs(self.weights))
        return connected_components(shared, directed=False)[1]

    def part(self, number: int) -> tuple[np.ndarray, _View]:
        """One set of cells that share sums, with their places in this view."""
        places = np.flatnonzero(self.component == number)
        weights = self.weights[:, places]
        rows = np.flatnonzero(np.diff(weights.indptr))
        return places, _View(
            self.cells[places],
            weights[rows],
            self.most[rows],
            self.lower[places],
            self.upper[places],
            self.whole,
            self.beyond,
        )

    def without(
        self, shown: np.ndarray, counts: np.ndarray, knowledge: tuple[np.ndarray, np.ndarray]
    ) -> _View:
        """The view of a reader who is shown some of the cells too."""
        gone = np.isin(self.cells, shown)
        most = self.most - self.weights[:, np.flatnonzero(gone)] @ counts[self.cells[gone]]
        weights = csr_array(self.weights[:, np.flatnonzero(~gone)])
        rows = np.flatnonzero(np.diff(weights.indptr))
        cells, weights, most = self.cells[~gone], csr_array(weights[rows]), most[rows]
        lower, upper = (limit[cells] for limit in knowledge)
        lower, upper = _limits(weights, most, lower, upper, whole=self.whole)
        return _View(cells, weights, most, lower, upper, self.whole, self.beyond)


def _view(
    counts: np.ndarray,
    sums: _Sums,
    hidden: np.ndarray,
    knowledge: tuple[np.ndarray, np.ndarray],
    *,
    whole: bool,
) -> _View:
    """What a reader sees who knows limits of the hidden cells besides the sums."""
    cells = np.flatnonzero(hidden)
    left = sums.constants - sums.weights @ np.where(hidden, 0.0, counts)
    within = csr_array(sums.weights[:, cells])
    shown = np.diff(within.indptr) == 0
    wrong = shown & (np.where(sums.at_most, -left, np.abs(left)) > sums.slack + _SLACK)
    if wrong.any():
        names = ", ".join(sums.cells[sums.cells_of(int(np.flatnonzero(wrong)[0]))])
        raise DataError(f"the published counts contradict one another in the sum of: {names}")
    equal = ~sums.at_most
    weights = csr_array(vstack([within, -within[equal]]))
    most = np.concatenate([left + sums.slack, (sums.slack - left)[equal]])
    empty = np.diff(weights.indptr) == 0
    weights, most = csr_array(weights[~empty]), most[~empty]
    lower, upper = (limit[cells] for limit in knowledge)
    lower, upper = _limits(weights, most, lower, upper, whole=whole)
    beyond = 10 * (np.abs(most).sum() + upper[np.isfinite(upper)].sum()) + 1000
    return _View(cells, weights, most, lower, upper, whole, beyond)


def _limits(
    weights: csr_array, most: np.ndarray, lower: np.ndarray, upper: np.ndarray, *, whole: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of each cell from its sums one at a time, again and again until nothing changes."""
    row = np.repeat(np.arange(len(most)), np.diff(weights.indptr))
    cell, weight = weights.indices, weights.data
    for _ in range(_PASSES):
        least = weight * np.where(weight > 0, lower[cell], upper[cell])
        bounded = np.isfinite(least)
        sums = np.bincount(row, np.where(bounded, least, 0.0), len(most))
        unbounded = np.bincount(row, ~bounded, len(most))
        others = np.where(bounded, sums[row] - np.where(bounded, least, 0.0), sums[row])
        told = unbounded[row] == ~bounded  # no other cell of the sum is without a limit
        limit = np.where(told, (most[row] - others) / weight, np.where(weight > 0, np.inf, -np.inf))
        if whole:
            limit = np.where(weight > 0, np.floor(limit + _SLACK), np.ceil(limit - _SLACK))
        narrower, wider = upper.copy(), lower.copy()
        np.minimum.at(narrower, cell[weight > 0], limit[weight > 0])
        np.maximum.at(wider, cell[weight < 0], limit[weight < 0])
        if (wider > narrower + _SLACK).any():
            raise DataError(
                "the published counts contradict one another; no hidden counts fit them"
            )
        still = np.allclose(narrower, upper, atol=_SLACK) and np.allclose(wider, lower, atol=_SLACK)
        lower, upper = wider, narrower
        if still:
            break
    return lower, upper


def _widened(
    view: _View,
    wanted: np.ndarray,
    least: np.ndarray,
    most: np.ndarray,
    *,
    enough: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest counts that agree with all sums together.

    Every solution is a set of counts that the reader cannot rule out, so it says something of
    all cells at once. First all unsure cells are pulled apart together, in ever new ways, until
    that finds little; then the cells that are left are solved for one by one.

    Parameters
    ----------
    view
        What the reader knows.
    wanted
        Cells whose interval is asked for.
    least, most
        Counts known to be possible; infinite and the wrong way round where none is known.
    enough
        Width from which the interval of a cell need not be exact; by default all must be.
    """
    least, most = least.copy(), most.copy()
    lower, upper = view.lower.copy(), view.upper.copy()

    def unsure() -> tuple[np.ndarray, np.ndarray]:
        asked = wanted if enough is None else wanted & ~(most - least >= enough - _SLACK)
        return asked & (least > lower + _SLACK), asked & (most < upper - _SLACK)

    def learn(places: np.ndarray, solution: np.ndarray) -> None:
        known = ~np.isnan(solution)
        least[places[known]] = np.minimum(least[places[known]], solution[known])
        most[places[known]] = np.maximum(most[places[known]], solution[known])

    every = np.arange(len(view.cells))
    poor = 0
    for turn in itertools.count():
        low, high = unsure()
        before = low.sum() + high.sum()
        if poor == 2 or not before:
            break
        side = (1.0 - 2.0 * ((every >> (turn // 2)) & 1)) * (-1.0) ** turn
        learn(every, _possible(view, np.where(low & high, side, 1.0 * low - high)))
        low, high = unsure()
        poor = poor + 1 if before - low.sum() - high.sum() <= before // 50 + 1 else 0

    low, high = unsure()
    for number in np.unique(view.component[low | high]):
        places, part = view.part(number)
        for place, cell in enumerate(places):
            for sign, end in ((1.0, lower), (-1.0, upper)):
                if unsure()[0 if sign > 0 else 1][cell]:
                    solution = _solution(part, sign * np.eye(1, len(places), place)[0])
                    learn(places, solution)
                    end[cell] = solution[place]
    return least, most


def _possible(view: _View, goal: np.ndarray) -> np.ndarray:
    """Counts that agree with all sums and go far towards a goal; missing where none was found."""
    found = _linear(view, goal)
    if not view.whole:
        return found
    broken = np.unique(view.component[~np.isclose(found, found.round(), rtol=0, atol=_SLACK)])
    for number in broken:
        places, part = view.part(number)
        found[places] = _whole(part, goal[places], gap=0.1)
    return found


def _solution(view: _View, goal: np.ndarray) -> np.ndarray:
    """The counts that agree with all sums and make a weighted sum of them least."""
    found = _linear(view, goal)
    if view.whole and not np.allclose(found, found.round(), rtol=0, atol=_SLACK):
        found = _whole(view, goal, gap=0.0)
    return found


def _linear(view: _View, goal: np.ndarray) -> np.ndarray:
    solution = linprog(
        goal,
        A_ub=view.weights if len(view.most) else None,
        b_ub=view.most if len(view.most) else None,
        bounds=np.column_stack([view.lower, np.minimum(view.upper, view.beyond)]),
        method="highs-ds",
    )
    if solution.x is None:
        raise DataError("the published counts contradict one another; no hidden counts fit them")
    return _far(view, solution.x)


def _whole(view: _View, goal: np.ndarray, *, gap: float) -> np.ndarray:
    """The same over whole counts only, for the few sums whose best counts are not whole."""
    solution = milp(
        goal,
        integrality=np.ones(len(goal)),
        bounds=Bounds(view.lower, np.minimum(view.upper, view.beyond)),
        constraints=LinearConstraint(view.weights, -np.inf, view.most),
        options={"mip_rel_gap": gap},
    )
    if solution.x is None:
        raise DataError("the published counts contradict one another; no whole counts fit them")
    return _far(view, solution.x)


def _far(view: _View, solution: np.ndarray) -> np.ndarray:
    """The counts; infinite where nothing published holds them back."""
    return np.where(solution > view.beyond / 10, np.inf, solution.round(6) + 0.0)


def _small_by_reason(tables: Sequence[CountTable]) -> set[Cell]:
    """Cells whose printed reason tells that they are under the threshold."""
    small: set[Cell] = set()
    for table in tables:
        if "reason" in table.cells:
            told = ("base_too_small",) if "answer" in table.dimensions else _TOLD_SMALL
            small |= set(table.names()[table.cells["reason"].isin(told)])
    return small


def _enough_by_reason(tables: Sequence[CountTable]) -> set[Cell]:
    """Cells whose printed reason tells that they are hidden for another's sake only."""
    enough: set[Cell] = set()
    for table in tables:
        if "reason" in table.cells:
            enough |= set(table.names()[table.cells["reason"] == _TOLD_ENOUGH])
    return enough
