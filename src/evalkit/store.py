"""Processed tables in and out; the only module that opens ``data/processed``."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from evalkit.contracts import CONTRACTS, columns_of, typed
from evalkit.errors import DataError

__all__ = ["read_processed", "write_processed"]

EXTRA = ("claims", "sources", "study", "contents", "model_findings")


def read_processed(table: str, study: str, processed_dir: str | Path) -> pd.DataFrame:
    """A processed table of a study.

    A table that the study does not have comes back empty, with its columns.

    Raises
    ------
    DataError
        If the study has not been processed, or no table has that name.
    """
    folder = Path(processed_dir) / study
    path = folder / f"{table}.parquet"
    if path.is_file():
        return pd.read_parquet(path)
    if not (folder / "study.parquet").is_file():
        raise DataError(f"{folder} holds no processed study; run: evalkit run {study}")
    if table not in CONTRACTS:
        known = ", ".join(sorted([*CONTRACTS, *EXTRA]))
        raise DataError(f"no table {table!r}; expected one of {known}")
    return typed(pd.DataFrame(columns=list(columns_of(CONTRACTS[table]))), CONTRACTS[table])


def write_processed(
    tables: Mapping[str, pd.DataFrame], study: str, processed_dir: str | Path
) -> Path:
    """Write a study's tables as Parquet, each complete or not at all; gives the folder.

    A table that the study no longer has is removed.
    """
    folder = Path(processed_dir) / study
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        _replace(folder / f"{name}.parquet", table)
    for path in folder.glob("*.parquet"):
        if path.stem not in tables:
            path.unlink()
    return folder


def _replace(path: Path, table: pd.DataFrame) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            table.to_parquet(file, index=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
