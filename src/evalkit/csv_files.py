"""CSV files as tables of text, in the two dialects that spreadsheets write.

Commas between cells and a point before decimals; or, as a Norwegian Excel writes, semicolons and a
decimal comma. The header row tells which. Rows are numbered as a spreadsheet numbers them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import compute
from pyarrow import csv as arrow_csv

from evalkit.errors import DataError

__all__ = ["COMMAS", "Dialect", "header_of", "read_cells", "with_decimal_points"]

ROWS_SHOWN = 8
DECIMAL_COMMA = r"^([+-]?\d+),(\d+)$"


@dataclass(frozen=True)
class Dialect:
    """What stands between the cells of a file and before the decimals of its numbers."""

    delimiter: str
    decimal: str
    words: str


COMMAS = Dialect(",", ".", "cells separated by commas")
SEMICOLONS = Dialect(";", ",", "cells separated by semicolons, as a Norwegian Excel saves them")


def read_cells(path: Path) -> tuple[pd.DataFrame, Dialect]:
    """Every cell as text, spaces around it gone, blank cells missing; and the file's dialect.

    Raises
    ------
    DataError
        If the file is no CSV: what was found, in which row, and what was expected of that dialect.
    """
    header, lines, dialect = header_of(path)
    if _count(path, b'"') % 2:  # a quote that is never closed swallows rows
        return _read_carefully(path), dialect
    try:
        return _read_quickly(path, header, lines, dialect), dialect
    except pa.ArrowInvalid:  # its message holds cells' contents; ours says where and what
        return _read_carefully(path), dialect


def with_decimal_points(cells: pd.Series, dialect: Dialect) -> pd.Series:
    """Numbers of a file with a point before their decimals, whatever its dialect."""
    if dialect.decimal == ".":
        return cells
    return cells.str.replace(DECIMAL_COMMA, r"\1.\2", regex=True)


def header_of(path: Path) -> tuple[list[str], int, Dialect]:
    """Names of a file's columns, how many lines they take, and the file's dialect.

    Raises
    ------
    DataError
        If the file has no header row, or a column stands in it twice.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        first = file.readline()
        file.seek(0)
        dialect = SEMICOLONS if first.count(";") > first.count(",") else COMMAS
        reader = csv.reader(file, delimiter=dialect.delimiter)
        header = [name.strip() for name in next(reader, [])]
        lines = reader.line_num
    if not header:
        raise DataError("is empty; expected a header row")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise DataError(f"column {', '.join(repeated)} more than once in the header row")
    return header, lines, dialect


def _count(path: Path, byte: bytes) -> int:
    with path.open("rb") as file:
        return sum(part.count(byte) for part in iter(lambda: file.read(1 << 20), b""))


def _read_quickly(path: Path, header: list[str], lines: int, dialect: Dialect) -> pd.DataFrame:
    table = arrow_csv.read_csv(
        path,
        read_options=arrow_csv.ReadOptions(column_names=header, skip_rows=lines),
        parse_options=arrow_csv.ParseOptions(
            delimiter=dialect.delimiter, newlines_in_values=True, ignore_empty_lines=False
        ),
        convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string())),
    )
    blank = pa.scalar(None, pa.string())
    cells = []
    while table.num_columns:  # one column at a time, so that none is in memory twice for long
        trimmed = compute.utf8_trim_whitespace(table.column(0))
        table = table.remove_column(0)
        cells.append(compute.if_else(compute.equal(trimmed, ""), blank, trimmed))
    return _without_last_blanks(pa.table(cells, names=header).to_pandas().astype("str"))


def _read_carefully(path: Path) -> pd.DataFrame:
    """As `_read_quickly`, in a tenth of its speed; says what is wrong with a file, by row."""
    header, _, dialect = header_of(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True, delimiter=dialect.delimiter)
            rows = list(_told_by_row(reader, dialect))[1:]
    except UnicodeDecodeError as error:
        row = path.read_bytes()[: error.start].count(b"\n") + 1
        raise DataError(
            f"is not UTF-8 text from line {row} on; save it as CSV UTF-8 ({dialect.words})"
        ) from error
    while rows and not rows[-1]:
        rows.pop()
    uneven = {
        number: len(row) for number, row in enumerate(rows, start=2) if len(row) != len(header)
    }
    if uneven:
        found = ", ".join(sorted({str(count) for count in uneven.values()}))
        raise DataError(
            f"{_rows(uneven)}: {found} cells; expected {len(header)} cells as in the header row, "
            f"{dialect.words}, and quotes around a cell that holds the separator"
        )
    body = [[cell.strip() or None for cell in row] or [None] * len(header) for row in rows]
    return _without_last_blanks(pd.DataFrame(body, columns=header, dtype="str"))


def _without_last_blanks(table: pd.DataFrame) -> pd.DataFrame:
    """The rows up to the last with a cell; blank rows among them would move the others' numbers.

    Raises
    ------
    DataError
        If a row before the last is blank.
    """
    blank = table.isna().all(axis=1).to_numpy()
    last = len(blank) - blank[::-1].argmin() if not blank.all() else 0
    table, blank = table.iloc[:last], blank[:last]
    if blank.any():
        numbers = _rows(int(row) + 2 for row in blank.nonzero()[0])
        raise DataError(f"{numbers}: blank; expected no blank row between others, take it out")
    return table


def _told_by_row(reader: Iterator[list[str]], dialect: Dialect) -> Iterator[list[str]]:
    """The rows of a file; what breaks one is told with its number."""
    number = 1
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            why = (
                "a quote is opened and never closed"
                if "end of data" in str(error)
                else "a quote stands within a cell"
            )
            raise DataError(
                f"row {number}: {why}; expected {dialect.words}, and quotes around the whole of a "
                "cell, doubled within it"
            ) from error
        number += 1


def _rows(numbers: Iterable[int]) -> str:
    known = list(numbers)
    more = f" and {len(known) - ROWS_SHOWN} more" if len(known) > ROWS_SHOWN else ""
    return ("row " if len(known) == 1 else "rows ") + ", ".join(map(str, known[:ROWS_SHOWN])) + more
