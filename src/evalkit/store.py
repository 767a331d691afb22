"""Processed tables in and out; the only module that opens ``data/processed``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.errors import DataError
from evalkit.files import written_whole
from evalkit.municipalities import owners_of
from evalkit.observation_store import (
    indicator_rows,
    is_store,
    municipality_rows,
    own_rows,
    stored_indicators,
    stored_municipalities,
    stored_sources,
)
from evalkit.shared import noted

__all__ = [
    "NAMED_AFTER",
    "OWNED_THROUGH",
    "ProcessedParts",
    "StoredTables",
    "observation_parts",
    "observations_folder",
    "processed_parts",
    "read_answers",
    "read_observation_sources",
    "read_observations",
    "read_own_observations",
    "read_processed",
    "write_processed",
]

EXTRA = ("claims", "sources", "study", "contents", "model_findings")
OWNED_THROUGH = {  # tables whose rows are a municipality's because another table's row is
    "crosswalk": ("survey_id", "surveys"),
    "logic_model_cells": ("model_id", "logic_models"),
    "measure_aspects": ("measure_id", "measures"),
    "survey_results": ("survey_id", "surveys"),
    "survey_services": ("survey_id", "surveys"),
    "targets": ("indicator_id", "indicators"),
}
NAMED_AFTER = {"facts": "subject"}  # whose rows are a municipality's because they bear its name
OBSERVATIONS = "observations"  # the folder of those that are too many to be read, too
MUNICIPALITIES_IN_A_PART = 20
OBSERVATIONS_IN_A_PART = 1_000_000  # which takes some 700 MB to protect
ROWS_IN_A_GROUP = 50_000  # read or skipped together, so a municipality costs little to find


def read_processed(
    table: str, study: str, processed_dir: str | Path, municipality_code: str | None = None
) -> pd.DataFrame:
    """A processed table of a study, or one municipality's part of it.

    A table that the study does not have comes back empty, with its columns.

    Parameters
    ----------
    table
        Name of the table, such as ``"grants"``.
    study
        The study's folder name.
    processed_dir
        The folder that holds processed studies: ``data/processed``.
    municipality_code
        Only the rows of this municipality and those of no municipality. A notebook that
        reads so is run again only when these rows have changed. Answers to a survey, cells
        of a logic model and the like are the municipality's whose survey or model it is, facts
        and claims the municipality's that their subject is named after; a table that belongs to
        no municipality comes back whole.

    Raises
    ------
    DataError
        If the study has not been processed, or no table has that name. If all of
        ``observations`` is asked for where they are too many to be read (more than 200 MB of
        CSV): read a municipality's, ``read_observations`` of some indicators, ``read_series``
        or ``read_own_observations``.
    """
    folder = Path(processed_dir) / study
    noted(folder)
    if table == OBSERVATIONS and observations_folder(study, processed_dir) is not None:
        if municipality_code is None:
            raise DataError(
                f"the observations of {study} are too many to be read together; read one "
                "municipality's rows with municipality_code=, all of some indicators with "
                "read_observations, a municipality's series beside country, county and peers "
                "with read_series, or those the study tells of with read_own_observations"
            )
        return municipality_rows(folder / OBSERVATIONS, [municipality_code])
    path = folder / f"{table}.parquet"
    if path.is_file():
        if municipality_code is None:
            return pd.read_parquet(path)
        return _part(table, folder, municipality_code)
    if not (folder / "study.parquet").is_file():
        raise DataError(f"{folder} holds no processed study; run: evalkit run {study}")
    return _without_rows(table)


def observations_folder(study: str, processed_dir: str | Path) -> Path | None:
    """Where the observations of a study lie that are too many to be read; None for others."""
    folder = Path(processed_dir) / study / OBSERVATIONS
    noted(folder)
    return folder if is_store(folder) else None


def read_observations(
    study: str, processed_dir: str | Path, indicator_ids: Sequence[str]
) -> pd.DataFrame:
    """All observations of some indicators: of every municipality, area and group.

    Read them so in a notebook that needs only some; it then runs in a study whose
    observations are too many to be read together, too.

    Parameters
    ----------
    study, processed_dir
        As for ``read_processed``.
    indicator_ids
        The indicators.

    Returns
    -------
    DataFrame
        Rows of ``ObservationsTable`` in file order.

    Raises
    ------
    DataError
        If the study has not been processed, or has no observation of an indicator.
    """
    folder = observations_folder(study, processed_dir)
    if folder is None:
        every = read_processed(OBSERVATIONS, study, processed_dir)
        rows = every.loc[every["indicator_id"].isin(indicator_ids)].reset_index(drop=True)
    else:
        rows = indicator_rows(folder, list(indicator_ids))
    absent = sorted(set(indicator_ids) - set(rows["indicator_id"]))
    if absent:
        raise DataError(
            f"observations of {study}: no row of {', '.join(absent)}; expected indicator_ids that "
            "stand in observations.csv"
        )
    return rows


def observation_parts(
    study: str, processed_dir: str | Path, *, row_count: int = OBSERVATIONS_IN_A_PART
) -> Iterator[pd.DataFrame]:
    """All observations some indicators at a time, for studies with very many of them.

    Parameters
    ----------
    study, processed_dir
        As for ``read_processed``.
    row_count
        Rows in a part, at most; one indicator with more is a part by itself.

    Yields
    ------
    DataFrame
        All rows of ``ObservationsTable`` of the next indicators, in file order. Observations
        that are not held on disk are one part.
    """
    folder = observations_folder(study, processed_dir)
    if folder is None:
        yield read_processed(OBSERVATIONS, study, processed_dir)
        return
    together: list[str] = []
    held = 0
    for indicator_id, count in stored_indicators(folder).items():
        if together and held + count > row_count:
            yield indicator_rows(folder, together)
            together, held = [], 0
        together.append(indicator_id)
        held += count
    if together:
        yield indicator_rows(folder, together)


def read_observation_sources(study: str, processed_dir: str | Path) -> pd.DataFrame:
    """Where all observations of a study are from, for the line under a table.

    Parameters
    ----------
    study, processed_dir
        As for ``read_processed``.

    Returns
    -------
    DataFrame
        ``indicator_id``, ``source``, ``locator``: one row for each that stand together.
    """
    folder = observations_folder(study, processed_dir)
    if folder is not None:
        return stored_sources(folder)
    names = ["indicator_id", "source", "locator"]
    rows = read_processed(OBSERVATIONS, study, processed_dir)[names]
    return rows.drop_duplicates().sort_values(names, ignore_index=True)


def read_own_observations(study: str, processed_dir: str | Path) -> pd.DataFrame:
    """The observations that a study's report tells of: all, unless they are too many to be read.

    Of observations that are held on disk (more than 200 MB of CSV) it is those of municipalities
    with a chapter and of no municipality, of indicators that are one municipality's own, and
    those that ``facts.csv`` names. They are not enough to compare a municipality with all others.

    Parameters
    ----------
    study, processed_dir
        As for ``read_processed``.

    Returns
    -------
    DataFrame
        Rows of ``ObservationsTable`` in file order.
    """
    folder = observations_folder(study, processed_dir)
    if folder is None:
        return read_processed(OBSERVATIONS, study, processed_dir)
    return own_rows(folder).reset_index(drop=True)


def read_answers(study: str, processed_dir: str | Path, item: str) -> pd.DataFrame:
    """All answers to one item of the surveys, for studies with very many answers.

    Parameters
    ----------
    study, processed_dir
        As for ``read_processed``.
    item
        The item, which stands in ``items``.

    Returns
    -------
    DataFrame
        Rows of ``AnswersTable`` in file order; none where nobody was asked.

    Raises
    ------
    DataError
        If the study has not been processed, or has no such item.
    """
    known = read_processed("items", study, processed_dir)["item"].tolist()
    if item not in known:
        raise DataError(f"no item {item!r} in {study}; expected one of {', '.join(known)}")
    path = Path(processed_dir) / study / "answers.parquet"
    if not path.is_file():
        return read_processed("answers", study, processed_dir)
    return _filtered(path, pc.field("item") == item)


@dataclass(frozen=True)
class ProcessedParts:
    """A processed table some municipalities at a time; read anew each time it is gone through."""

    table: str
    study: str
    processed_dir: str | Path
    municipality_count: int

    def __iter__(self) -> Iterator[pd.DataFrame]:
        folder = Path(self.processed_dir) / self.study
        path = folder / f"{self.table}.parquet"
        noted(folder)
        store = None
        if self.table == OBSERVATIONS:
            store = observations_folder(self.study, self.processed_dir)
        if store is not None:
            every = stored_municipalities(store)
            for first in range(0, len(every), self.municipality_count):
                wanted = every[first : first + self.municipality_count]
                yield municipality_rows(store, wanted, nobodys=False)
            return
        if not path.is_file():
            yield read_processed(self.table, self.study, self.processed_dir)
            return
        codes = _municipalities_in(path)
        for first in range(0, max(len(codes), 1), self.municipality_count):
            wanted = codes[first : first + self.municipality_count]
            yield _filtered(path, pc.field("municipality_code").isin(wanted))


def processed_parts(
    table: str,
    study: str,
    processed_dir: str | Path,
    *,
    municipality_count: int = MUNICIPALITIES_IN_A_PART,
) -> ProcessedParts:
    """A processed table some municipalities at a time, for tables that are large in memory.

    Parameters
    ----------
    table
        Name of a table whose every row is a municipality's, such as ``"answers"``.
    study, processed_dir
        As for ``read_processed``.
    municipality_count
        Municipalities in a part.

    Returns
    -------
    ProcessedParts
        When gone through: all rows of the next municipalities, in the order of their codes. A
        table that the study does not have is one part without rows.

    Raises
    ------
    DataError
        As ``read_processed``, when the parts are gone through.
    """
    return ProcessedParts(table, study, processed_dir, municipality_count)


def _filtered(path: Path, wanted: pc.Expression) -> pd.DataFrame:
    """Some rows of a file, of which nothing is read ahead: much of that would stay in memory."""
    return pd.read_parquet(path, filters=wanted, use_threads=False, pre_buffer=False)


def _municipalities_in(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    column = ["municipality_code"]
    batches = pq.ParquetFile(path).iter_batches(columns=column, use_threads=False)
    return sorted({code for batch in batches for code in batch.column(0).unique().to_pylist()})


def _part(table: str, folder: Path, municipality_code: str) -> pd.DataFrame:
    import pyarrow.parquet as pq

    path = folder / f"{table}.parquet"
    if "municipality_code" in pq.read_schema(path).names:
        column, values = "municipality_code", [municipality_code]
    elif table in OWNED_THROUGH:
        column, other = OWNED_THROUGH[table]
        owner = read_processed(other, folder.name, folder.parent, municipality_code)
        values = owner[column].tolist()
    elif table in NAMED_AFTER:
        rows = pd.read_parquet(path)
        every = read_processed("municipalities", folder.name, folder.parent)
        owners = owners_of(rows[NAMED_AFTER[table]], every)
        return rows.loc[(owners == municipality_code) | owners.isna()].reset_index(drop=True)
    else:
        return pd.read_parquet(path)
    field, kind = pc.field(column), pq.read_schema(path).field(column).type
    if pa.types.is_null(kind):  # no row is anybody's
        return pd.read_parquet(path)
    own = field.isin(pa.array(values, type=kind))
    return pd.read_parquet(path, filters=own | field.is_null())


def _without_rows(table: str) -> pd.DataFrame:
    from evalkit.contracts import CONTRACTS, columns_of, typed

    if table not in CONTRACTS:
        known = ", ".join(sorted([*CONTRACTS, *EXTRA]))
        raise DataError(f"no table {table!r}; expected one of {known}")
    return typed(pd.DataFrame(columns=list(columns_of(CONTRACTS[table]))), CONTRACTS[table])


class StoredTables(Mapping[str, pd.DataFrame]):
    """A study's processed tables by name, each read when it is first asked for."""

    def __init__(self, names: Collection[str], study: str, processed_dir: Path) -> None:
        self._names, self._study, self._processed_dir = tuple(names), study, processed_dir
        self._read: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._read:
            store = observations_folder(self._study, self._processed_dir)
            self._read[name] = (
                own_rows(store)
                if name == OBSERVATIONS and store is not None
                else read_processed(name, self._study, self._processed_dir)
            )
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def write_processed(
    tables: Mapping[str, pd.DataFrame],
    study: str,
    processed_dir: str | Path,
    *,
    unchanged: Collection[str] = (),
) -> Path:
    """Write a study's tables as Parquet, each complete or not at all; gives the folder.

    Those named as unchanged are left as they are. A table that the study no longer has is
    removed. Observations that are held on disk are not among the tables.
    """
    folder = Path(processed_dir) / study
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        if name not in unchanged:
            _replace(folder / f"{name}.parquet", table)
    for path in folder.glob("*.parquet"):
        if path.stem not in tables:
            path.unlink()
    return folder


def _replace(path: Path, table: pd.DataFrame) -> None:
    with written_whole(path) as file:
        table.to_parquet(file, index=False, row_group_size=ROWS_IN_A_GROUP)
