"""A CSV file of observations, of any size, held against its contract and made into a store."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from evalkit.characters import LONGEST, UNSEEN
from evalkit.contracts import (
    ObservationsTable,
    columns_of,
    numeric_columns,
    shown_cell,
    text_columns,
    unfit_texts,
)
from evalkit.csv_files import COMMAS, header_of
from evalkit.errors import DataError
from evalkit.files import TEMPORARY_ENDING, flush, naming
from evalkit.observation_store import MEMORY_LIMIT, observation_database, quoted, summaries
from evalkit.process import last_days
from evalkit.small_counts import least_small
from evalkit.units import GROUPED, PLAIN, UNIT_RANGES, number_breaches, unit_of

__all__ = [
    "municipality_hashes",
    "rows_against",
    "write_areas",
    "write_observations",
    "write_rows",
    "write_values",
]

ROWS_TOGETHER = 40_000  # in a row group, the least that is read: about ten municipalities
ROWS_AT_ONCE = 5_000_000  # whose quantiles or identifiers are worked out together
ROWS_HASHED_AT_ONCE = 1_000_000  # their hashes are put together as text
VALUES_SHOWN = 20  # different cells that break a column's contract
ROWS_SHOWN = 8
WITHOUT_SPACES = "^[!-~](.*[!-~])?$"  # around it; other cells may have some
SPACES = "".join(chr(n) for n in range(0x3001) if chr(n).isspace())


def write_observations(
    csv_path: str | Path, store_dir: str | Path, *, memory_limit: str = MEMORY_LIMIT
) -> Path:
    """A store made from a CSV file of observations of any size; gives its folder.

    The file is read in a stream, every cell held against ``ObservationsTable``. The rows are kept
    sorted by municipality, and beside them what ``yearly_values`` keeps: rows of municipalities,
    not of other areas or of groups within a municipality, and the last observation of each year;
    a row without a period is left out. No value is hidden; a study's own store, which processing
    makes, hides small counts.

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
        found = write_rows(source, work, memory_limit=memory_limit)
        if found:
            lines = "\n  ".join(found)
            raise DataError(f"{source} does not match ObservationsTable:\n  {lines}")
        write_values(work, memory_limit=memory_limit)
        write_areas(work, memory_limit=memory_limit)
        for name in ("rows", "values", "areas"):
            (work / f"{name}.parquet").replace(folder / f"{name}.parquet")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def write_rows(
    source: Path, folder: Path, *, is_sorted: bool = True, memory_limit: str = MEMORY_LIMIT
) -> list[str]:
    """Write ``rows.parquet`` of a CSV file: all its rows with ``row``, as a spreadsheet numbers it.

    Returns
    -------
    list of str
        What breaks the contract, as from ``breaches``; then nothing is left in the folder.
    """
    work = Path(tempfile.mkdtemp(dir=folder, prefix=".writing-"))
    try:
        with naming(folder / "rows.parquet"), observation_database(work, memory_limit) as database:
            plain, rows = work / "plain.parquet", work / "rows.parquet"
            found = _copy_cells(database, source, plain)
            if not found:
                database.read_parquet(str(plain)).create_view("raw")
                found = [*_breaches(database), *_repeated(database)]
            if found:
                return found
            _copy_typed(database, rows, is_sorted)
        flush([rows])
        rows.replace(folder / "rows.parquet")
        return []
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _copy_cells(database: Any, source: Path, path: Path) -> list[str]:
    """Copy a CSV file in a stream: every cell text, spaces around it gone, blanks missing."""
    import duckdb

    columns = columns_of(ObservationsTable)
    names, lines, dialect = header_of(source)
    if dialect != COMMAS:
        return [f"has {dialect.words}; expected commas in a file of this size"]
    unknown = [name for name in names if name not in columns]
    absent = [name for name in columns if name not in names]
    expected = ", ".join(columns)
    found = [f"unknown column {', '.join(unknown)}; expected {expected}"] if unknown else []
    found += [f"column {', '.join(absent)} is missing; expected {expected}"] if absent else []
    if found:
        return found
    # trimming all of them takes five times as long as looking first
    cells = ", ".join(
        f'CASE WHEN regexp_matches("{name}", \'{WITHOUT_SPACES}\') THEN "{name}" '
        f'ELSE nullif(trim("{name}", $spaces), \'\') END AS "{name}"'
        for name in columns
    )
    given = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
    try:
        database.execute(
            f"""
            COPY (
                SELECT CAST(row_number() OVER () + 1 AS BIGINT) AS row, {cells}
                FROM read_csv({quoted(source)}, columns = {{{given}}}, skip = {lines},
                    header = false, auto_detect = false, delim = ',', quote = '"', escape = '"',
                    nullstr = '', strict_mode = true, null_padding = false)
            ) TO {quoted(path)} (FORMAT parquet, COMPRESSION zstd)
            """.replace("$spaces", quoted(SPACES))
        )
    except duckdb.InvalidInputException as error:  # its message holds cells' contents
        return [_not_csv(str(error), len(names))]
    return []


def _not_csv(told: str, count: int) -> str:
    """Where a file is no CSV, of what DuckDB says of it."""
    line = re.search(r"CSV Error on Line: (\d+)", told)
    where = f"line {line[1]}" if line else "somewhere"
    if "not utf-8" in told or "unicode" in told:
        return f"is not UTF-8 text ({where}); save it as CSV UTF-8"
    if "Expected Number of Columns" in told:
        return f"{where}: expected {count} cells as in the header row"
    if line is None:
        return (
            "cannot be read as CSV: its lines end in more than one way, or a quote is never "
            "closed; save it anew as CSV UTF-8"
        )
    return f"cannot be read as CSV: {where}; expected cells in quotes where they hold commas"


def _breaches(database: Any) -> list[str]:
    """One line for every column and kind of cell that the contract does not allow."""
    columns = columns_of(ObservationsTable)
    found = []
    for name, column in columns.items():  # one at a time: only its cells are read
        cells = database.execute(
            f"""
            SELECT "{name}" AS cell, min(row, {ROWS_SHOWN + 1}) AS first, count(*) AS rows
            FROM raw WHERE {_is_wrong(name, column)}
            GROUP BY ALL ORDER BY first[1] LIMIT {VALUES_SHOWN + 1}
            """
        ).fetchall()
        merged: dict[tuple[str, str], tuple[list[int], int]] = {}
        for cell, rows, count in cells[:VALUES_SHOWN]:
            shown = shown_cell(cell), _expected(name, column, cell)
            before, told = merged.get(shown, ([], 0))
            merged[shown] = (sorted([*before, *rows]), told + count)
        found += [
            f"{name}: {shown} in {_rows(rows, count)}{expected}"
            for (shown, expected), (rows, count) in merged.items()
        ]
        if len(cells) > VALUES_SHOWN:
            found.append(f"{name}: and more such cells; expected {column.description}")
    for name in text_columns(ObservationsTable):
        unfit = database.execute(
            f"""
            SELECT row - 2 AS position, "{name}" AS cell FROM raw
            WHERE length("{name}") > {LONGEST} OR regexp_matches("{name}", $unseen)
            ORDER BY row LIMIT {VALUES_SHOWN}
            """,
            {"unseen": UNSEEN},
        ).df()
        found += unfit_texts(name, unfit.set_index("position")["cell"])
    return found


def _expected(name: str, column: Any, cell: str | None) -> str:
    """What a message says after the place of a wrong cell."""
    told: dict[int, str] = {}
    if name in numeric_columns(ObservationsTable) and cell is not None:
        unit = unit_of((column.metadata or {}).get("fact"))
        told = number_breaches(pd.Series([cell]), unit, wanted=column.description)
    return told.get(0, f"; expected {column.description}")


def _repeated(database: Any) -> list[str]:
    """Cells of unique columns that stand more than once, looked for some at a time."""
    found = []
    for name, column in columns_of(ObservationsTable).items():
        if not column.unique:
            continue
        for part in _parts(database, "raw", name):
            repeated = database.execute(
                f"""
                SELECT "{name}" FROM raw WHERE {part} AND "{name}" IS NOT NULL
                GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT {VALUES_SHOWN}
                """
            ).fetchall()
            rows = database.execute(
                f"""
                SELECT "{name}", min(row, {ROWS_SHOWN + 1}), count(*) FROM raw
                WHERE "{name}" IN (SELECT unnest($cells)) GROUP BY 1 ORDER BY 2
                """,
                {"cells": [cell for (cell,) in repeated]},
            ).fetchall()
            found += [
                f"{name}: {shown_cell(cell)} in {_rows(rows, count)}; expected once"
                for cell, rows, count in rows
            ]
    return found


def _parts(database: Any, table: str, column: str) -> list[str]:
    """Conditions that part a table's rows by the content of a column, a few million in each."""
    count = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] // ROWS_AT_ONCE + 1
    if count == 1:
        return ["true"]
    return [f'hash("{column}") % {count} = {number}' for number in range(count)]


def _rows(rows: list[int], count: int) -> str:
    """Rows as ``breaches`` tells them, of which the first are known."""
    shown = ", ".join(map(str, rows[:ROWS_SHOWN]))
    more = f" and {count - ROWS_SHOWN} more" if count > ROWS_SHOWN else ""
    return ("row " if count == 1 else "rows ") + shown + more


def _is_wrong(name: str, column: Any) -> str:
    """SQL that tells whether a cell of the view ``raw`` breaks the column's contract."""
    conditions = [] if column.nullable else [f'"{name}" IS NULL']
    given = f'"{name}"'
    if name in numeric_columns(ObservationsTable):
        given = f'TRY_CAST("{name}" AS DOUBLE)'
        plain = f'regexp_full_match("{name}", {quoted(PLAIN)})'
        strange = f"NOT {plain} OR {given} IS NULL OR NOT isfinite({given})"
        if unit_of((column.metadata or {}).get("fact")).whole:
            grouped = f'regexp_full_match("{name}", {quoted(GROUPED)})'
            strange += f" OR {given} <> floor({given}) OR {grouped}"
        conditions.append(f'("{name}" IS NOT NULL AND ({strange}))')
    for check in column.checks:
        allowed = check.statistics
        if check.name == "str_matches":
            pattern = str(getattr(allowed["pattern"], "pattern", allowed["pattern"]))
            conditions.append(f"NOT regexp_full_match({given}, {quoted(pattern)})")
        elif check.name == "isin":
            words = ", ".join(map(quoted, allowed["allowed_values"]))
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


def _copy_typed(database: Any, path: Path, is_sorted: bool) -> None:
    """The rows with numbers as numbers; sorted by municipality, nobody's first, in file order."""
    numeric = numeric_columns(ObservationsTable)
    cells = ", ".join(
        f'CAST("{name}" AS DOUBLE) AS "{name}"' if name in numeric else f'"{name}"'
        for name in columns_of(ObservationsTable)
    )
    order = "ORDER BY municipality_code NULLS FIRST, row" if is_sorted else ""
    database.execute(
        f"""
        COPY (SELECT row, {cells} FROM raw {order})
        TO {quoted(path)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_TOGETHER})
        """
    )


def rows_against(
    folder: Path,
    known: Mapping[str, tuple[Collection[str], str]],
    *,
    indicator_units: Mapping[str, str],
    memory_limit: str,
) -> Iterator[str]:
    """What does not hold between the rows of a store and a study's other tables, line by line.

    Parameters
    ----------
    folder
        Where ``rows.parquet`` lies.
    known
        By column: the cells that it may hold, and what was expected in words.
    indicator_units
        By indicator, the unit that its values must fit.
    """
    measured = {name: unit for name, unit in indicator_units.items() if unit in UNIT_RANGES}
    with observation_database(folder, memory_limit) as database:
        database.read_parquet(str(folder / "rows.parquet")).create_view("rows")
        for column, (cells, expected) in known.items():
            unknown = database.execute(
                f"""
                SELECT "{column}", min(row, {ROWS_SHOWN + 1}), count(*) FROM rows
                WHERE "{column}" NOT IN (SELECT unnest(CAST($cells AS VARCHAR[])))
                GROUP BY 1 ORDER BY 1 LIMIT {VALUES_SHOWN + 1}
                """,
                {"cells": sorted(cells)},
            ).fetchall()
            for cell, rows, _ in unknown[:VALUES_SHOWN]:
                yield f"{column}: {cell!r} in {_few_rows(rows)}; expected {expected}"
            if len(unknown) > VALUES_SHOWN:
                yield f"{column}: and more such cells; expected {expected}"
        outside = (
            database.execute(
                f"""
            SELECT value, unit, min(row, {ROWS_SHOWN + 1}) FROM rows JOIN (
                SELECT unnest($names) AS indicator_id, unnest($units) AS unit,
                    unnest($least) AS least, unnest($most) AS most, unnest($whole) AS whole
            ) USING (indicator_id)
            WHERE value < least OR value > most OR (whole AND value <> floor(value))
            GROUP BY 1, 2 ORDER BY 1 LIMIT {VALUES_SHOWN + 1}
            """,
                {
                    "names": list(measured),
                    "units": list(measured.values()),
                    "least": [unit_of(unit).least for unit in measured.values()],
                    "most": [unit_of(unit).most for unit in measured.values()],
                    "whole": [unit_of(unit).whole for unit in measured.values()],
                },
            ).fetchall()
            if measured
            else []
        )
        for value, unit, rows in outside[:VALUES_SHOWN]:
            yield f"value: {value:g} in {_few_rows(rows)}; expected a number of {unit}: {unit_of(unit)}"
        if len(outside) > VALUES_SHOWN:
            yield "value: and more such cells; expected values that fit the indicator's unit"
        more = database.execute(
            f"""
            SELECT row, numerator, denominator FROM rows WHERE numerator > denominator
            ORDER BY row LIMIT {VALUES_SHOWN + 1}
            """
        ).fetchall()
        for row, numerator, denominator in more[:VALUES_SHOWN]:
            yield (
                f"numerator: {numerator:g} in row {row} is more than its denominator "
                f"{denominator:g}; expected at most that"
            )
        if len(more) > VALUES_SHOWN:
            yield "numerator: and more such rows; expected at most the denominator"


def _few_rows(rows: list[int]) -> str:
    """Rows as the checks between tables tell them."""
    shown = ", ".join(map(str, rows[:ROWS_SHOWN])) + (" ..." if len(rows) > ROWS_SHOWN else "")
    return ("row " if len(rows) == 1 else "rows ") + shown


def municipality_hashes(folder: Path, *, memory_limit: str = MEMORY_LIMIT) -> dict[str, str]:
    """A hash of each municipality's rows in their order; ``""`` for nobody's.

    Where in the file they stand is no part of it.
    """
    cells = ", ".join(f'"{name}"' for name in columns_of(ObservationsTable))
    with observation_database(folder, memory_limit) as database:
        database.read_parquet(str(folder / "rows.parquet")).create_view("rows")
        counts = database.execute(
            "SELECT coalesce(municipality_code, ''), count(*) FROM rows GROUP BY 1 ORDER BY 1"
        ).fetchall()
        hashes: dict[str, str] = {}
        for codes in _together(counts):
            own = (
                "municipality_code BETWEEN $first AND $last"
                if codes[0]
                else ("municipality_code IS NULL")
            )
            given = {"first": codes[0], "last": codes[-1]} if codes[0] else {}
            hashes |= database.execute(
                f"""
                SELECT coalesce(municipality_code, ''),
                    md5(string_agg(md5(CAST(row({cells}) AS VARCHAR)), '' ORDER BY row))
                FROM rows WHERE {own} GROUP BY 1
                """,
                given,
            ).fetchall()
    return hashes


def _together(counts: list[tuple[str, int]]) -> Iterator[list[str]]:
    """Codes whose rows are few enough to be looked at together; nobody's by themselves."""
    codes: list[str] = []
    rows = 0
    for code, count in counts:
        if codes and (rows + count > ROWS_HASHED_AT_ONCE or not codes[0]):
            yield codes
            codes, rows = [], 0
        codes.append(code)
        rows += count
    if codes:
        yield codes


def write_values(
    folder: Path,
    *,
    percent: Collection[str] = (),
    smallest_count: int | None = None,
    memory_limit: str = MEMORY_LIMIT,
) -> None:
    """Write ``values.parquet`` of ``rows.parquet``: each municipality's last value of each year.

    Parameters
    ----------
    folder
        Where the rows lie.
    percent
        Indicators in per cent, whose value and base tell the count, and the other way.
    smallest_count
        Smaller counts, complements and bases are hidden with their value, as ``primary_reasons``
        says, and ``reason`` tells why; None hides nothing.
    """
    work, path = _temporary(folder, "values")
    with naming(path), observation_database(folder, memory_limit) as database:
        database.read_parquet(str(folder / "rows.parquet")).create_view("rows")
        database.execute(
            "CREATE TABLE percent AS SELECT unnest(CAST($ids AS VARCHAR[])) AS id",
            {"ids": sorted(percent)},
        )
        told = database.execute("SELECT DISTINCT period FROM rows WHERE period IS NOT NULL").df()
        database.execute(
            "CREATE TABLE ends AS SELECT unnest(CAST($periods AS VARCHAR[])) AS period, "
            "unnest(CAST($days AS DATE[])) AS last_day",
            {
                "periods": told["period"].tolist(),
                "days": [day.date() for day in last_days(told["period"])],
            },
        )
        database.execute(
            f"""
            COPY (
                SELECT municipality_code, indicator_id, year,
                    CASE WHEN reason IS NULL OR base IS NULL THEN value END AS value,
                    CASE WHEN reason IS NULL THEN numerator END AS numerator,
                    CASE WHEN reason IS NULL THEN denominator END AS denominator,
                    reason
                FROM (SELECT *, {_reason(smallest_count)} AS reason FROM ({_counted()}))
                ORDER BY municipality_code, indicator_id, year
            ) TO {quoted(work)}
            (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_TOGETHER})
            """
        )
    flush([work])
    work.replace(path)


def _counted() -> str:
    """SQL for the yearly values, with ``count`` and ``base`` that a per cent tells."""
    return """
        SELECT *,
            coalesce(numerator, round_even(share * denominator, 0)) AS count,
            coalesce(denominator, round_even(numerator / nullif(greatest(share, 0), 0), 0)) AS base
        FROM (
            SELECT *, CASE WHEN indicator_id IN (SELECT id FROM percent) THEN value / 100 END AS share
            FROM (
                SELECT municipality_code, indicator_id, CAST(left(period, 4) AS INTEGER) AS year,
                    value, numerator, denominator, period, last_day, row
                FROM rows JOIN ends USING (period)
                WHERE municipality_code IS NOT NULL AND area IS NULL AND "group" IS NULL
                    AND period IS NOT NULL
            )
            QUALIFY row_number() OVER (
                PARTITION BY municipality_code, indicator_id, year
                ORDER BY last_day DESC, period DESC, row DESC
            ) = 1
        )
    """


def _reason(smallest_count: int | None) -> str:
    """SQL for why a count may not be shown in itself."""
    if smallest_count is None:
        return "CAST(NULL AS VARCHAR)"
    few, least = int(smallest_count), least_small(smallest_count)

    def small(number: str) -> str:
        return f"{number} < {few} AND {number} >= {least}"

    return f"""
        CASE WHEN {small("base")} THEN 'base_too_small'
            WHEN {small("count")} THEN 'too_few'
            WHEN count <= base AND {small("(base - count)")} THEN 'protected' END
    """


def write_areas(folder: Path, *, memory_limit: str = MEMORY_LIMIT) -> None:
    """Write ``areas.parquet`` of ``values.parquet``: mean and quantiles of country and counties.

    It is made some indicators at a time: quantiles keep all their values in memory.
    """
    work, path = _temporary(folder, "areas")
    counted = "FILTER (numerator IS NOT NULL AND denominator IS NOT NULL)"
    sums = f"sum(numerator) {counted} AS numerator, sum(denominator) {counted} AS denominator,"
    made = False
    with naming(path), observation_database(folder, memory_limit) as database:
        database.read_parquet(str(folder / "values.parquet")).create_view("yearly")
        parts = _parts(database, "yearly", "indicator_id")
        for area in ("'country'", "left(municipality_code, 2)"):
            for where in parts:
                part = summaries(
                    "yearly", f"indicator_id, year, {area} AS area", where=where, also=sums
                )
                database.execute(
                    f"INSERT INTO areas {part}" if made else f"CREATE TABLE areas AS {part}"
                )
                made = True
        database.execute(
            f"""
            COPY (SELECT * FROM areas ORDER BY area, indicator_id, year)
            TO {quoted(work)} (FORMAT parquet, COMPRESSION zstd)
            """
        )
    flush([work])
    work.replace(path)


def _temporary(folder: Path, name: str) -> tuple[Path, Path]:
    """Where a file of the store is written first, and where it is put when it is whole."""
    return folder / f".{name}.parquet{TEMPORARY_ENDING}", folder / f"{name}.parquet"
