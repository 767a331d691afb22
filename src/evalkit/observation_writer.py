"""A CSV file of observations, of any size, held against its contract and made into a store."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from evalkit.contracts import ObservationsTable, columns_of, numeric_columns, shown_cell
from evalkit.errors import DataError
from evalkit.observation_store import MEMORY_LIMIT, observation_database, summaries

__all__ = ["write_observations"]

ROWS_TOGETHER = 40_000  # in a row group, the least that is read: about ten municipalities
BREACHES_SHOWN = 5


def write_observations(
    csv_path: str | Path, store_dir: str | Path, *, memory_limit: str = MEMORY_LIMIT
) -> Path:
    """A store made from a CSV file of observations of any size; gives its folder.

    The file is read twice in a stream, first to hold every cell against ``ObservationsTable``.
    What is kept is what ``yearly_values`` keeps: rows of municipalities, not of other areas or of
    groups within a municipality, and the last observation of each year;
    a row without a period is left out.

    Parameters
    ----------
    csv_path
        Rows of ``ObservationsTable``, with a header.
    store_dir
        Folder to write to; a store that is there already is replaced when the new one is ready.
    memory_limit
        Memory that DuckDB may use before it turns to the disk, such as ``"2GB"``.

    Raises
    ------
    DataError
        If the file breaks its contract: every column's breaches, with the first rows.
    ConfigError
        If DuckDB is not installed.
    """
    source, folder = Path(csv_path), Path(store_dir)
    if not source.is_file():
        raise DataError(f"{source} is not there; expected a CSV file of observations")
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder, prefix=".writing-"))
    try:
        with observation_database(work, memory_limit) as database:
            _open_csv(database, source)
            found = _breaches(database)
            if found:
                lines = "\n  ".join(found)
                raise DataError(f"{source} does not match ObservationsTable:\n  {lines}")
            _write_values(database, work / "values.parquet")
            _write_areas(database, work / "values.parquet", work / "areas.parquet")
        for name in ("values.parquet", "areas.parquet"):
            os.replace(work / name, folder / name)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def _open_csv(database: Any, source: Path) -> None:
    """The file as the view ``raw``: every cell text, spaces around cells gone, blanks missing."""
    import duckdb

    columns = columns_of(ObservationsTable)
    file = database.read_csv(str(source), header=True, all_varchar=True, null_padding=False)
    unknown = [name for name in file.columns if name not in columns]
    absent = [name for name in columns if name not in file.columns]
    if unknown or absent:
        raise DataError(
            f"{source}: unknown column {', '.join(unknown) or '-'}, missing column "
            f"{', '.join(absent) or '-'}; expected {', '.join(columns)}"
        )
    cells = ", ".join(f'nullif(trim("{name}"), \'\') AS "{name}"' for name in columns)
    try:
        file.project(cells).create_view("raw")
    except duckdb.Error as error:
        raise DataError(f"{source} cannot be read as CSV: {error}") from error


def _breaches(database: Any) -> list[str]:
    """One line for every column with cells that the contract does not allow."""
    columns = columns_of(ObservationsTable)
    wrong = {name: _is_wrong(name, column) for name, column in columns.items()}
    counts = database.execute(
        "SELECT "
        + ", ".join(f"count_if({condition})" for condition in wrong.values())
        + " FROM raw"
    ).fetchone()
    found = []
    for (name, condition), count in zip(wrong.items(), counts, strict=True):
        if not count:
            continue
        first = database.execute(
            f"""
            SELECT row, "{name}" FROM (SELECT *, row_number() OVER () + 1 AS row FROM raw)
            WHERE {condition} ORDER BY row LIMIT {BREACHES_SHOWN}
            """
        ).fetchall()
        shown = ", ".join(f"{shown_cell(cell)} in row {row}" for row, cell in first)
        more = f" and {count - len(first)} more" if count > len(first) else ""
        found.append(f"{name}: {shown}{more}; expected {columns[name].description}")
    for name, column in columns.items():
        if column.unique:
            repeated = database.execute(
                f'SELECT "{name}", count(*) FROM raw GROUP BY 1 HAVING count(*) > 1 '
                f"ORDER BY 1 LIMIT {BREACHES_SHOWN}"
            ).fetchall()
            found += [
                f"{name}: {shown_cell(cell)} {count} times; expected once"
                for cell, count in repeated
            ]
    return found


def _is_wrong(name: str, column: Any) -> str:
    """SQL that tells whether a cell of the view ``raw`` breaks the column's contract."""
    conditions = [] if column.nullable else [f'"{name}" IS NULL']
    given = f'"{name}"'
    if name in numeric_columns(ObservationsTable):
        given = f'TRY_CAST("{name}" AS DOUBLE)'
        conditions.append(f'("{name}" IS NOT NULL AND {given} IS NULL)')
    for check in column.checks:
        allowed = check.statistics
        if check.name == "str_matches":
            pattern = str(getattr(allowed["pattern"], "pattern", allowed["pattern"]))
            conditions.append(f"NOT regexp_full_match({given}, {_quoted(pattern)})")
        elif check.name == "isin":
            words = ", ".join(map(_quoted, allowed["allowed_values"]))
            conditions.append(f"{given} NOT IN ({words})")
        elif check.name == "greater_than_or_equal_to":
            conditions.append(f"{given} < {float(allowed['min_value'])}")
        elif check.name == "less_than_or_equal_to":
            conditions.append(f"{given} > {float(allowed['max_value'])}")
        else:
            raise NotImplementedError(f"the store cannot check {check.name} of {name}")
    if (column.metadata or {}).get("date"):
        conditions.append(
            f"(regexp_full_match({given}, '[0-9-]{{7,10}}') AND TRY_CAST("
            f"CASE WHEN length({given}) = 7 THEN {given} || '-01' ELSE {given} END AS DATE) IS NULL)"
        )
    return "coalesce(" + " OR ".join(conditions or ["false"]) + ", false)"


def _quoted(text: str) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _write_values(database: Any, path: Path) -> None:
    """Every municipality's last observation of each year, sorted as it will be read."""
    database.execute(
        f"""
        COPY (
            SELECT municipality_code, indicator_id, year, value, numerator, denominator
            FROM (
                SELECT municipality_code, indicator_id, CAST(left(period, 4) AS INTEGER) AS year,
                    period, CAST(value AS DOUBLE) AS value,
                    CAST(numerator AS DOUBLE) AS numerator,
                    CAST(denominator AS DOUBLE) AS denominator,
                    row_number() OVER () AS row
                FROM raw
                WHERE municipality_code IS NOT NULL AND area IS NULL AND "group" IS NULL
                    AND period IS NOT NULL
            )
            QUALIFY row_number() OVER (
                PARTITION BY municipality_code, indicator_id, year ORDER BY period DESC, row DESC
            ) = 1
            ORDER BY municipality_code, indicator_id, year
        ) TO {_quoted(str(path))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_TOGETHER})
        """
    )


def _write_areas(database: Any, values: Path, path: Path) -> None:
    counted = "FILTER (numerator IS NOT NULL AND denominator IS NOT NULL)"
    parts = [
        summaries(
            f"read_parquet({_quoted(str(values))})",
            f"indicator_id, year, {area} AS area",
            also=f"sum(numerator) {counted} AS numerator, sum(denominator) {counted} AS denominator,",
        )
        for area in ("'country'", "left(municipality_code, 2)")
    ]
    database.execute(
        f"""
        COPY (SELECT * FROM ({" UNION ALL ".join(parts)}) ORDER BY area, indicator_id, year)
        TO {_quoted(str(path))} (FORMAT parquet, COMPRESSION zstd)
        """
    )
