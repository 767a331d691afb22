"""Counts too small to show: what to hide, what else would give it away, and a test of both.

One pass over the counts before any table, figure or sentence is made. ``protect`` hides the
counts that are too small, then the counts from which they could be worked out, until nothing
can. ``audit`` plays the reader who tries: from every count that is published, in all tables
of a run together, it finds the smallest and largest value that each hidden count can have.

Tables meet through their cells. A cell is what is counted and the values of its dimensions,
totals left out, so the same number in two tables is one cell, hidden in both or in neither.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, linprog, milp
from scipy.sparse import csr_array

from evalkit.errors import DataError
from evalkit.reasons import withhold

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
    """

    weights: Mapping[Cell, float]
    constant: float = 0.0
    at_most: bool = False


@dataclass(frozen=True)
class CountTable:
    """A table of counts, one row per cell.

    Attributes
    ----------
    cells
        One row per cell: the dimensions, and ``count`` (missing where hidden).
    dimensions
        Columns whose values part the counted; a row with the value ``TOTAL`` holds the sum.
    of
        What is counted, such as ``"users 2023"``. Tables with the same ``of`` share cells.
    parents
        Per dimension, the value that each value is part of, such as municipality to county;
        a value without a parent is part of the dimension's ``TOTAL``.
    complete
        False when totals may hold persons who are in none of the table's parts.
    """

    cells: pd.DataFrame
    dimensions: Sequence[str]
    of: str
    parents: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    complete: bool = True

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


def relations_of(table: CountTable) -> list[Relation]:
    """The sums within a table: parts to their parent, and to the total, along each dimension.

    Parameters
    ----------
    table
        The table.

    Returns
    -------
    list of Relation
        One per total that has at least one part in the table.
    """
    names = table.names()
    relations = []
    for dimension in table.dimensions:
        others = [name for name in table.dimensions if name != dimension]
        parent = table.parents.get(dimension, {})
        value = table.cells[dimension].astype(str)
        upper = value.map(lambda one, parent=parent: parent.get(one, TOTAL))
        key = (
            list(map(tuple, table.cells[others].astype(str).to_numpy()))
            if others
            else [()] * len(value)
        )
        place = {(k, v): name for k, v, name in zip(key, value, names, strict=True)}
        parts: dict[tuple, list[Cell]] = defaultdict(list)
        for k, v, up, name in zip(key, value, upper, names, strict=True):
            if v != TOTAL and (k, up) in place:
                parts[place[k, up]].append(name)
        for total, cells in parts.items():
            weights = dict.fromkeys(cells, 1.0) | {total: -1.0}
            relations.append(Relation(weights, at_most=not table.complete))
    return relations


def primary_reasons(
    counts: pd.Series, base: pd.Series | None = None, *, threshold: int = THRESHOLD
) -> pd.Series:
    """Why a count may not be shown in itself: the count, its complement or its base is small.

    Parameters
    ----------
    counts
        Counts. Nought is small too: that nobody did says something of everybody.
    base
        Those the counts are part of, when the reader sees it.
    threshold
        Smallest count that may be shown.

    Returns
    -------
    Series
        ``base_too_small``, ``too_few`` or missing.
    """
    small = counts < threshold
    if base is None:
        reason = np.where(small, "too_few", None)
    else:
        small = small | (base - counts < threshold)
        reason = np.select([base < threshold, small], ["base_too_small", "too_few"], default=None)
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
        A period with a smaller count is weak.
    largest_weak_share
        Share of weak periods up to which the other periods are still shown.

    Returns
    -------
    Series of bool
        True for every row of a series with a larger share of weak periods.
    """
    weak = (cells["count"] < threshold).groupby([cells[name] for name in series]).transform("mean")
    return weak > largest_weak_share


def protect(
    tables: Sequence[CountTable],
    *,
    threshold: int = THRESHOLD,
    smallest_width: float | None = None,
    primary: Mapping[Cell, str] | None = None,
    relations: Iterable[Relation] = (),
) -> pd.DataFrame:
    """What to hide in the tables, and why, so that no hidden count can be worked out.

    Counts under the threshold are hidden first. Then, until nothing changes: where a sum has
    one hidden count and could give it away, another is hidden, the smallest that hides enough
    and a total only when no part will do; and where all sums together still pin a hidden
    count too closely, one more.

    Parameters
    ----------
    tables
        The true counts of all tables that will be published together.
    threshold
        Smallest count that may be shown.
    smallest_width
        Width that the reader's interval for a hidden count must have; ``threshold - 1``
        unless given, so that as many values stay possible as are too small to show.
    primary
        Cells to hide for other reasons, with the reason, such as from ``primary_reasons``.
    relations
        Sums besides those within the tables.

    Returns
    -------
    DataFrame
        One row per cell: ``cell``, ``count`` (true), ``hidden``, ``reason`` (``too_few``,
        the reason from ``primary``, or ``can_be_derived``; missing where shown).

    Raises
    ------
    DataError
        If two tables disagree on a cell, the counts do not obey the sums, or the width asked
        for is more than a count under the threshold can have.
    """
    width = float(threshold - 1) if smallest_width is None else smallest_width
    if width > threshold - 1:
        raise DataError(f"smallest_width {width:g}; expected at most threshold - 1")
    counts = _united(tables)
    sums = [*_unique_relations(tables), *relations]
    _check_sums(counts, sums)
    reasons: dict[Cell, str] = {
        cell: "too_few" for cell, count in counts.items() if count < threshold
    }
    for cell, reason in (primary or {}).items():
        if cell not in counts.index:
            raise DataError(f"primary cell {cell!r} is in none of the tables")
        reasons[cell] = reason
    ceiling = float(threshold - 1)
    touching = _touching(sums)
    certain: set[Cell] = set()
    changed = set(reasons)
    while changed:
        before = set(reasons)
        _cover_sums(counts, sums, reasons)
        changed |= set(reasons) - before
        opened: set[Cell] = set()
        for component in _components(set(reasons), sums, touching):
            if component.isdisjoint(changed):
                continue
            exposed = _exposed(counts, sums, reasons, component, width, ceiling, touching, certain)
            fed: set[int] = set()  # sums that a count was hidden in, in this round
            for cell in exposed:
                extra = _cheapest_neighbour(cell, counts, sums, reasons, touching)
                if extra is not None and fed.isdisjoint(touching[cell]):
                    reasons[extra] = "can_be_derived"
                    opened.add(extra)
                    fed.update(touching[extra])
        changed = opened
    return pd.DataFrame(
        {
            "cell": counts.index,
            "count": counts.to_numpy(),
            "hidden": [cell in reasons for cell in counts.index],
            "reason": pd.Series([reasons.get(cell) for cell in counts.index], dtype=object),
        }
    )


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
        ``reason`` column, the reader knows that ``too_few`` means under the threshold (not in
        tables made by ``share_table``, where it may be the complement that is).
    threshold
        Smallest count that may be shown.
    smallest_width
        Width that the interval of a hidden count must have; ``threshold - 1`` unless given.
        1 asks only that no count is found exactly.
    relations
        Sums besides those within the tables, such as a baseline plus its change.
    known_small
        Cells known to be under the threshold, instead of those with the reason.
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
    width = float(threshold - 1) if smallest_width is None else smallest_width
    counts = _united(tables, published=True)
    sums = [*_unique_relations(tables), *relations]
    hidden = set(counts.index[counts.isna()])
    beside = {cell for relation in sums for cell in relation.weights} - set(counts.index)
    small = _small_by_reason(tables) if known_small is None else set(known_small)
    touching = _touching(sums)
    rows = []
    for component in _components(hidden | beside, sums, touching):
        system = _system(counts, sums, component, touching, small, float(threshold - 1))
        for cell in sorted(component & hidden):
            lower, upper = _interval(system, cell, whole_numbers=whole_numbers)
            rows.append((cell, lower, upper))
    result = pd.DataFrame(rows, columns=["cell", "lower", "upper"]).sort_values("cell")
    gap = result["upper"] - result["lower"]
    return result.assign(width=gap, needed_width=width, safe=gap >= width - _SLACK).reset_index(
        drop=True
    )


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
    blocks = [
        rows[keys].assign(answer=answer, count=numbers)
        for answer, numbers in (
            ("yes", count),
            ("no", rows["base"] - count),
            (TOTAL, rows["base"]),
        )
    ]
    return CountTable(
        cells=pd.concat(blocks, ignore_index=True),
        dimensions=(*keys, "answer"),
        of=of,
        parents=parents or {},
        complete=complete,
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
        have a reason and no count are left as they are.
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
        periods are hidden whole (see ``hidden_series``).
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
    apart = [] if isinstance(of, str) else list(of)
    named = results.assign(
        _of=of if not apart else results[apart].astype(str).agg(", ".join, axis=1)
    )
    countable = named["count"].notna() & named["base"].notna()
    weak = pd.Series(False, index=named.index)
    if series is not None:
        weak = countable & hidden_series(
            named, series=series, threshold=threshold, largest_weak_share=largest_weak_share
        )
    empty = ["count", "value", "lower", "upper", *hidden_columns]
    result = named.assign(reason=named["reason"].astype(object))
    for name, rows in named.loc[countable].groupby("_of", sort=False):
        table = share_table(
            rows, dimensions=dimensions, of=str(name), parents=parents, complete=complete
        )
        answer = table.cells["answer"]
        cells = table.names()
        one = rows.drop_duplicates(list(dimensions))
        first = dict(zip(cells[answer == "yes"], one.index, strict=True))
        primary = {}
        reasons = primary_reasons(one["count"], one["base"], threshold=threshold)
        weak_reason = pd.Series(np.where(weak, "too_few", None), index=weak.index, dtype=object)
        for (yes, row), no, every in zip(
            first.items(), cells[answer == "no"], cells[answer == TOTAL], strict=True
        ):
            reason = reasons[row] if reasons[row] is not None else weak_reason[row]
            if reason:
                primary |= {yes: reason, no: reason}
            if reason == "base_too_small":
                primary[every] = reason
        shown = protect([table], threshold=threshold, primary=primary).set_index("cell")
        keys = one.set_index(list(dimensions)).index
        row_keys = rows.set_index(list(dimensions)).index
        for part, columns in (("yes", empty), (TOTAL, ["base"])):
            why = pd.Series(
                shown.loc[cells[answer == part], "reason"].to_numpy(), index=keys, dtype=object
            )
            for reason in ("base_too_small", "too_few", "can_be_derived"):
                hit = pd.Series(why.reindex(row_keys).to_numpy() == reason, index=rows.index)
                everywhere = hit.reindex(result.index, fill_value=False)
                if everywhere.any():
                    result = withhold(result, everywhere, reason, columns=tuple(columns))
    return result.drop(columns="_of")


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
    """Sums within all tables, each once."""
    seen: dict[tuple, Relation] = {}
    for relation in itertools.chain.from_iterable(relations_of(table) for table in tables):
        seen.setdefault((relation.at_most, tuple(sorted(relation.weights.items()))), relation)
    return list(seen.values())


def _check_sums(counts: pd.Series, sums: Sequence[Relation]) -> None:
    for relation in sums:
        if not set(relation.weights) <= set(counts.index):
            continue
        total = sum(weight * counts[cell] for cell, weight in relation.weights.items())
        excess = total - relation.constant
        wrong = excess > _SLACK if relation.at_most else abs(excess) > _SLACK
        if wrong:
            cells = ", ".join(relation.weights)
            raise DataError(f"counts do not add up, off by {excess:g}: {cells}")


def _touching(sums: Sequence[Relation]) -> dict[Cell, list[int]]:
    """The relations each cell is part of."""
    touching: dict[Cell, list[int]] = defaultdict(list)
    for place, relation in enumerate(sums):
        for cell in relation.weights:
            touching[cell].append(place)
    return touching


def _cover_sums(counts: pd.Series, sums: Sequence[Relation], reasons: dict[Cell, str]) -> None:
    """Hide one more count in every sum that has a single hidden one, until none has."""
    changed = True
    while changed:
        changed = False
        for relation in sums:
            hidden = [cell for cell in relation.weights if cell in reasons]
            if len(hidden) != 1 or relation.at_most:
                continue
            shown = [cell for cell in relation.weights if cell not in reasons and cell in counts]
            if shown:
                reasons[_cheapest(shown, relation, counts)] = "can_be_derived"
                changed = True


def _cheapest(shown: list[Cell], relation: Relation, counts: Mapping[Cell, float]) -> Cell:
    """The count that costs least to hide: a part before the total, then the smallest."""
    return min(shown, key=lambda cell: (relation.weights[cell] < 0, counts[cell], cell))


def _cheapest_neighbour(
    cell: Cell,
    counts: Mapping[Cell, float],
    sums: Sequence[Relation],
    reasons: Mapping[Cell, str],
    touching: Mapping[Cell, list[int]],
) -> Cell | None:
    """The cheapest shown count in a sum with the cell, or with cells hidden together with it."""
    reached, frontier = {cell}, {cell}
    while frontier:
        places = {place for one in frontier for place in touching.get(one, ())}
        near = {one for place in places for one in sums[place].weights if one in counts}
        totals = {
            one for place in places for one, weight in sums[place].weights.items() if weight < 0
        }
        shown = near - set(reasons)
        if shown:
            return min(shown, key=lambda one: (one in totals, counts[one], one))
        frontier = (near & set(reasons)) - reached
        reached |= frontier
    return None


def _components(
    cells: set[Cell], sums: Sequence[Relation], touching: Mapping[Cell, list[int]]
) -> list[set[Cell]]:
    """Hidden cells parted into sets that share no sum, so that each can be solved alone."""
    left, components = set(cells), []
    while left:
        start = left.pop()
        component, frontier = {start}, [start]
        while frontier:
            for place in touching.get(frontier.pop(), ()):
                for cell in sums[place].weights:
                    if cell in left:
                        left.discard(cell)
                        component.add(cell)
                        frontier.append(cell)
        components.append(component)
    return sorted(components, key=lambda one: min(one))


@dataclass(frozen=True)
class _System:
    """What the reader knows of the hidden cells of one component."""

    cells: list[Cell]
    equal: csr_array | None
    equal_to: np.ndarray
    at_most: csr_array | None
    at_most_of: np.ndarray
    upper: np.ndarray


def _system(
    counts: pd.Series,
    sums: Sequence[Relation],
    component: set[Cell],
    touching: Mapping[Cell, list[int]],
    small: set[Cell],
    ceiling: float,
) -> _System:
    cells = sorted(component)
    place = {cell: number for number, cell in enumerate(cells)}
    used = sorted({number for cell in cells for number in touching.get(cell, ())})
    blocks: dict[bool, tuple[list, list, list, list]] = {
        False: ([], [], [], []),
        True: ([], [], [], []),
    }
    for number in used:
        relation = sums[number]
        rows, columns, weights, rights = blocks[relation.at_most]
        known = sum(
            weight * counts[cell]
            for cell, weight in relation.weights.items()
            if cell not in component
        )
        for cell, weight in relation.weights.items():
            if cell in component:
                rows.append(len(rights))
                columns.append(place[cell])
                weights.append(weight)
        rights.append(relation.constant - known)

    def matrix(kind: bool) -> tuple[csr_array | None, np.ndarray]:
        rows, columns, weights, rights = blocks[kind]
        if not rights:
            return None, np.array([])
        shape = (len(rights), len(cells))
        return csr_array((weights, (rows, columns)), shape=shape), np.array(rights)

    (equal, equal_to), (at_most, at_most_of) = matrix(False), matrix(True)
    upper = np.array([ceiling if cell in small else np.inf for cell in cells])
    return _System(cells, equal, equal_to, at_most, at_most_of, upper)


def _interval(system: _System, cell: Cell, *, whole_numbers: bool) -> tuple[float, float]:
    """Smallest and largest count of a cell that agrees with what the reader knows."""
    goal = np.zeros(len(system.cells))
    goal[system.cells.index(cell)] = 1.0
    lower, _ = _least(system, goal, whole_numbers=whole_numbers)
    upper, _ = _least(system, -goal, whole_numbers=whole_numbers)
    return lower, -upper


def _least(
    system: _System, goal: np.ndarray, *, whole_numbers: bool
) -> tuple[float, np.ndarray | None]:
    """Least value of a weighted sum of the hidden counts, and counts that give it."""
    solution = linprog(
        goal,
        A_eq=system.equal,
        b_eq=None if system.equal is None else system.equal_to,
        A_ub=system.at_most,
        b_ub=None if system.at_most is None else system.at_most_of,
        bounds=np.column_stack([np.zeros(len(goal)), system.upper]),
        method="highs",
    )
    if solution.status == 3:
        return -np.inf, None
    fractional = solution.x is not None and np.abs(solution.x - solution.x.round()).max() > _SLACK
    if whole_numbers and fractional:
        solution = _least_whole(system, goal)
    if solution.x is None:
        raise DataError("the published counts contradict one another; no hidden counts fit them")
    return float(np.round(solution.fun, 6)), solution.x


def _least_whole(system: _System, goal: np.ndarray) -> OptimizeResult:
    """The same over whole counts only, for the few sums whose best counts are not whole."""
    constraints = []
    if system.equal is not None:
        constraints.append(LinearConstraint(system.equal, system.equal_to, system.equal_to))
    if system.at_most is not None:
        constraints.append(LinearConstraint(system.at_most, -np.inf, system.at_most_of))
    return milp(
        goal,
        integrality=np.ones(len(goal)),
        bounds=Bounds(np.zeros(len(goal)), system.upper),
        constraints=constraints,
    )


def _exposed(
    counts: Mapping[Cell, float],
    sums: Sequence[Relation],
    reasons: Mapping[Cell, str],
    component: set[Cell],
    width: float,
    ceiling: float,
    touching: Mapping[Cell, list[int]],
    certain: set[Cell],
) -> list[Cell]:
    """Hidden cells of a component that the reader can pin too closely, the narrowest first.

    Every solution is a set of counts that the reader cannot rule out, so it also says
    something of the other cells; those that are seen to vary enough join ``certain`` and are
    not solved for. They stay certain, since hiding more only leaves the reader with less.
    """
    small = {cell for cell in component if reasons[cell] == "too_few" and counts[cell] <= ceiling}
    system = _system(counts, sums, component, touching, small, ceiling)
    truth = np.array([counts[cell] for cell in system.cells])
    lowest, highest = truth.copy(), truth.copy()
    unsure = np.array([cell not in certain for cell in system.cells])
    found = []

    def learn(goal: np.ndarray) -> tuple[float, float]:
        ends = []
        for sign in (1.0, -1.0):
            least, solution = _least(system, sign * goal, whole_numbers=True)
            ends.append(sign * least)
            if solution is not None:
                np.minimum(lowest, solution, out=lowest)
                np.maximum(highest, solution, out=highest)
        unsure[highest - lowest >= width - _SLACK] = False
        return ends[0], ends[1]

    numbers = np.arange(len(system.cells))
    for bit in range(-1, len(numbers).bit_length()):  # pull cells apart in ever new ways
        if unsure.any():
            side = 1.0 if bit < 0 else 1.0 - 2.0 * ((numbers >> bit) & 1)
            learn(side * unsure)
    for place, cell in enumerate(system.cells):
        if not unsure[place]:
            continue
        lower, upper = learn(np.eye(1, len(system.cells), place)[0])
        unsure[place] = False
        if upper - lower < width - _SLACK:
            found.append((upper - lower, cell))
    certain |= component - {cell for _, cell in found}
    return [cell for _, cell in sorted(found)]


def _small_by_reason(tables: Sequence[CountTable]) -> set[Cell]:
    """Cells whose printed reason tells that they are under the threshold."""
    small: set[Cell] = set()
    for table in tables:
        if "reason" in table.cells and "answer" not in table.dimensions:
            small |= set(table.names()[table.cells["reason"] == "too_few"])
    return small
