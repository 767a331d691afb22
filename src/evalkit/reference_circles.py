"""Rows of a table that refer to themselves, straight or by way of other rows of the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from evalkit.contracts import CONTRACTS, columns_of
from evalkit.groups import rows_said

__all__ = ["circle_breaches", "own_references", "rows_in_circles"]


def own_references() -> list[tuple[str, str, str]]:
    """Table, column and key of every column that refers to rows of its own table."""
    targets = [
        (name, column, str((described.metadata or {}).get("references")))
        for name, contract in CONTRACTS.items()
        for column, described in columns_of(contract).items()
    ]
    return [
        (name, column, target.split(".")[1])
        for name, column, target in targets
        if target.split(".")[0] == name
    ]


def rows_in_circles(table: pd.DataFrame, *, key: str, refers: str) -> list[np.ndarray]:
    """The places of rows that lead back to themselves, each circle by itself.

    Parameters
    ----------
    table
        The rows, in the order of their file.
    key
        The column that identifies them.
    refers
        The column with one key of another row, or several separated by semicolons.
    """
    keys = table[key].to_numpy()
    place = {value: number for number, value in enumerate(keys)}
    named = table[refers].astype(object).str.split(r"; ?", regex=True)
    named = named.set_axis(range(len(table))).explode().dropna()
    named = named.loc[named.isin(place.keys())]
    first, second = named.index.to_numpy(dtype=int), named.map(place).to_numpy(dtype=int)
    graph = csr_array((np.ones(len(named)), (first, second)), shape=(len(table), len(table)))
    _, circle = connected_components(graph, connection="strong")
    to_itself = set(first[first == second])
    groups = pd.Series(range(len(table))).groupby(circle)
    found = [rows.to_numpy() for _, rows in groups]
    found = [rows for rows in found if len(rows) > 1 or rows[0] in to_itself]
    return sorted(found, key=lambda rows: rows[0])


def circle_breaches(tables: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, str]]:
    """References in circles, in every table whose rows refer to each other."""
    for name, column, key in own_references():
        if name not in tables:
            continue
        for rows in rows_in_circles(tables[name], key=key, refers=column):
            one = len(rows) == 1
            said = f"{rows_said(rows)} {'refers to itself' if one else 'refer to each other in a circle'}"
            yield (
                f"{name}.csv",
                f"{column}: {said}; expected another {key}, or blank for the first of them",
            )
