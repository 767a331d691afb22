"""How few cells can be hidden: an attacker and a search of their own, for small tables only."""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from evalkit.disclosure import CountTable, Relation, relations_of


def sums_of(
    tables: list[CountTable], relations: list[Relation] = ()
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Cells, their counts and the sums between them, as a matrix that is nought on the counts."""
    counts = {name: count for table in tables for name, count in table.counts().items()}
    cells = list(counts)
    place = {cell: number for number, cell in enumerate(cells)}
    every = [relation for table in tables for relation in relations_of(table)] + list(relations)
    matrix = np.zeros((len(every), len(cells)))
    for row, relation in enumerate(every):
        for cell, weight in relation.weights.items():
            matrix[row, place[cell]] = weight
    return cells, np.array([counts[cell] for cell in cells]), matrix


def possible(counts: np.ndarray, matrix: np.ndarray, hidden: list[int], cell: int) -> tuple:
    """Smallest and largest whole count of a hidden cell that agrees with all that is shown."""
    shown = np.delete(np.arange(len(counts)), hidden)
    right = -matrix[:, shown] @ counts[shown]
    goal = np.zeros(len(hidden))
    goal[hidden.index(cell)] = 1
    most = 10 * counts.sum() + 100
    found = [
        milp(
            sign * goal,
            integrality=np.ones(len(hidden)),
            bounds=Bounds(0, most),
            constraints=LinearConstraint(matrix[:, hidden], right, right),
        ).x
        for sign in (1, -1)
    ]
    return tuple(round(solution[hidden.index(cell)]) for solution in found)


def fewest_hidden(
    counts: np.ndarray, matrix: np.ndarray, primary: list[int], *, width: int
) -> list[int]:
    """A smallest set of cells to hide so that each primary one may vary by ``width``.

    Every set that is not enough says that one of the other cells must be hidden too. Sets are made
    as large as they can be without being enough, and the smallest set that hits all such demands
    is tried next, until one is enough.
    """
    free = [cell for cell in range(len(counts)) if cell not in primary]

    def enough(hidden: list[int]) -> bool:
        ends = (possible(counts, matrix, hidden, cell) for cell in primary)
        return all(most - least >= width for least, most in ends)

    demands: list[list[int]] = []
    chosen: list[int] = []
    while not enough([*primary, *chosen]):
        grown = list(chosen)
        for cell in free:
            if cell not in grown and not enough([*primary, *grown, cell]):
                grown.append(cell)
        demands.append([cell for cell in free if cell not in grown])
        assert demands[-1], "no set is enough"
        hit = np.array([[float(cell in demand) for cell in free] for demand in demands])
        solution = milp(
            np.ones(len(free)),
            integrality=np.ones(len(free)),
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(hit, 1, np.inf),
        )
        chosen = [cell for cell, taken in zip(free, solution.x.round(), strict=True) if taken]
    return sorted([*primary, *chosen])
