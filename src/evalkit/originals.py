"""Which rows of a study a table of the original report has."""

from __future__ import annotations

import pandas as pd

__all__ = ["rows_of_original"]


def rows_of_original(
    rows: pd.DataFrame,
    original_tables: pd.DataFrame,
    *,
    original_rows: pd.DataFrame,
    label: str,
    otherwise: pd.Series,
) -> pd.DataFrame:
    """The rows that the original report's table has; without such a table, those of a rule.

    Parameters
    ----------
    rows
        Rows of ``EventsTable`` or ``MeasuresTable``, with ``event_id`` or ``measure_id``.
    original_tables
        Rows of ``OriginalTablesTable``: which of our tables answers to which of the original's.
    original_rows
        Rows of ``OriginalRowsTable``: what stands in which of the original's tables.
    label
        Label of our table, such as ``"tbl-meetings"``.
    otherwise
        Which of ``rows`` the table has where no row of the original's is told: true or false for
        each, on the index of ``rows``.

    Returns
    -------
    DataFrame
        Some of ``rows``, in their order.
    """
    numbers = original_tables.loc[original_tables["label"] == label, "number"]
    told = original_rows.loc[original_rows["number"].isin(numbers), "row_id"]
    if told.empty:
        return rows.loc[otherwise.astype(bool)]
    key = "event_id" if "event_id" in rows else "measure_id"
    return rows.loc[rows[key].isin(told)]
