"""Observations that outgrow memory: from CSV to sorted Parquet, read through DuckDB.

The folder of a store holds ``rows.parquet``, every row of the file sorted by municipality;
``values.parquet``, one row per municipality, indicator and year in that order; and
``areas.parquet``, the mean and quantiles of the country and of every county for each indicator
and year, made once. A municipality's own rows lie together, so that reading them
takes as long however many others there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from evalkit.errors import ConfigError, DataError
from evalkit.shared import noted

__all__ = [
    "indicator_rows",
    "is_large",
    "is_store",
    "municipality_rows",
    "municipality_series",
    "observation_database",
    "own_rows",
    "quoted",
    "read_area_values",
    "stored_indicators",
    "stored_municipalities",
    "stored_sources",
    "summaries",
]

QUANTILES = {"q10": 0.10, "q25": 0.25, "median": 0.50, "q75": 0.75, "q90": 0.90}
MEMORY_LIMIT = "2GB"
STORE_ABOVE = 200_000_000  # bytes of a study's observations.csv; a smaller file is read whole


def municipality_series(
    store_dir: str | Path,
    municipality_code: str,
    *,
    peers: Sequence[str] = (),
    minimum_peers: int = 5,
) -> pd.DataFrame:
    """All series of one municipality, beside its county, the country and its peers.

    Parameters
    ----------
    store_dir
        A folder written by ``write_observations``.
    municipality_code
        The municipality.
    peers
        Codes of its peers, such as from ``peer_group``.
    minimum_peers
        Fewest peers with a value for which their numbers are given.

    Returns
    -------
    DataFrame
        One row per indicator and year: ``municipality_code``, ``indicator_id``, ``year``,
        ``value``, ``numerator``, ``denominator``, ``reason`` (why they are hidden, in the store
        of a study); and for ``country``, ``county`` and ``peer``
        their ``_count`` (municipalities with a value), ``_mean``, ``_q10``, ``_q25``,
        ``_median``, ``_q75`` and ``_q90`` of the municipalities' values. The municipality is one
        of its county and country, and none of its peers. The quantiles describe; they are not
        confidence limits.

    Raises
    ------
    DataError
        If there is no store or it has no such municipality.
    """
    values, areas = (_file(store_dir, name) for name in ("values", "areas"))
    with observation_database(Path(store_dir)) as database:
        beside = [
            f"{short}.{name} AS {area}_{name}"
            for area, short in (("country", "n"), ("county", "c"), ("peer", "p"))
            for name in ("count", "mean", *QUANTILES)
        ]
        # Each code by itself, and not a list, lets DuckDB pass over row groups without them.
        codes = {"code": municipality_code}
        codes |= {f"peer_{n}": code for n, code in enumerate(set(peers) - {municipality_code})}
        of_peers = summaries("read", "indicator_id, year", where="municipality_code <> $code")
        rows = database.execute(
            f"""
            WITH read AS MATERIALIZED (
                SELECT * FROM read_parquet($values)
                WHERE municipality_code IN ({", ".join(f"${name}" for name in codes)})
            ),
            own AS (SELECT * FROM read WHERE municipality_code = $code),
            peers AS (
                SELECT * FROM ({of_peers}) WHERE "count" >= $minimum_peers
            ),
            areas AS (
                SELECT * FROM read_parquet($areas) WHERE area IN ('country', left($code, 2))
            )
            SELECT own.*, {", ".join(beside)}
            FROM own
            LEFT JOIN areas n ON n.area = 'country'
                AND n.indicator_id = own.indicator_id AND n.year = own.year
            LEFT JOIN areas c ON c.area <> 'country'
                AND c.indicator_id = own.indicator_id AND c.year = own.year
            LEFT JOIN peers p ON p.indicator_id = own.indicator_id AND p.year = own.year
            ORDER BY own.indicator_id, own.year
            """,
            {
                "values": str(values),
                "areas": str(areas),
                "minimum_peers": minimum_peers,
                **codes,
            },
        ).df()
    if rows.empty:
        raise DataError(f"{store_dir} has no observation of municipality {municipality_code}")
    return rows


def read_area_values(store_dir: str | Path) -> pd.DataFrame:
    """Mean and quantiles of the country's and each county's municipalities, made once.

    Returns
    -------
    DataFrame
        One row per ``indicator_id``, ``year`` and ``area`` (``country``, or the county's two
        digits): ``count`` (municipalities with a value), ``mean`` (of their values, each counting
        alike), quantiles, and the sums ``numerator`` and ``denominator`` over the municipalities
        that have both.
    """
    return pd.read_parquet(_file(store_dir, "areas"))


def is_large(tables_dir: Path) -> bool:
    """Whether a study's observations are too many to be read, and are held in a store."""
    source = tables_dir / "observations.csv"
    return source.is_file() and source.stat().st_size > STORE_ABOVE


def is_store(folder: Path) -> bool:
    """Whether a folder holds a study's store of observations."""
    return (folder / "rows.parquet").is_file()


def municipality_rows(
    folder: Path, municipality_codes: Sequence[str], *, nobodys: bool = True
) -> pd.DataFrame:
    """The rows of ``ObservationsTable`` of some municipalities, and of nobody, in file order."""
    code = pc.field("municipality_code")
    wanted = code.isin(pa.array(municipality_codes, type=pa.string()))
    return _in_file_order(folder, wanted | code.is_null() if nobodys else wanted)


def indicator_rows(folder: Path, indicator_ids: Sequence[str]) -> pd.DataFrame:
    """All rows of ``ObservationsTable`` of some indicators, in file order."""
    wanted = pa.array(indicator_ids, type=pa.string())
    return _in_file_order(folder, pc.field("indicator_id").isin(wanted))


def _in_file_order(folder: Path, wanted: pc.Expression) -> pd.DataFrame:
    rows = pd.read_parquet(_file(folder, "rows"), filters=wanted)
    return rows.sort_values("row", ignore_index=True).drop(columns="row")


def stored_municipalities(folder: Path) -> list[str]:
    """Codes of all municipalities with rows in a store, in order."""
    name = "municipality_code"
    return sorted(_cells(folder, name)[name].unique().drop_null().to_pylist())


def stored_indicators(folder: Path) -> dict[str, int]:
    """How many rows each indicator of a store has, in the order of their names."""
    name = "indicator_id"
    counted = _cells(folder, name)[name].value_counts().to_pylist()
    return dict(sorted((one["values"], one["counts"]) for one in counted))


def stored_sources(folder: Path) -> pd.DataFrame:
    """Every ``indicator_id``, ``source`` and ``locator`` that stand together, in order."""
    names = ["indicator_id", "source", "locator"]
    told = _cells(folder, *names).group_by(names, use_threads=False).aggregate([]).to_pandas()
    return told.astype("str").sort_values(names, ignore_index=True)


def _cells(folder: Path, *columns: str) -> pa.Table:
    """Columns of all rows, where a text that stands often is held once."""
    import pyarrow.parquet as pq

    names = list(columns)
    return pq.read_table(
        _file(folder, "rows"), columns=names, read_dictionary=names
    ).unify_dictionaries()


def own_rows(folder: Path) -> pd.DataFrame:
    """A study's own rows of ``ObservationsTable``, labelled by their place in the file."""
    rows = pd.read_parquet(_file(folder, "own"))
    return rows.drop(columns="row").set_axis(rows["row"].to_numpy() - 2)


def observation_database(folder: Path, memory_limit: str = MEMORY_LIMIT) -> Any:
    """A DuckDB in memory that turns to the folder when it needs more than the limit."""
    try:
        import duckdb
    except ImportError as error:
        raise ConfigError(
            "observations on disk need duckdb; install it with: pip install 'evalkit[data]'"
        ) from error
    database = duckdb.connect()
    database.execute("SET enable_progress_bar = false")  # it would be printed between results
    database.execute("SET memory_limit = $limit", {"limit": memory_limit})
    database.execute("SET temp_directory = $folder", {"folder": str(folder / ".duckdb")})
    return database


def quoted(text: object) -> str:
    """A text in SQL."""
    return "'" + str(text).replace("'", "''") + "'"


def _file(store_dir: str | Path, name: str) -> Path:
    path = Path(store_dir) / f"{name}.parquet"
    noted(path.parent)
    if not path.is_file():
        raise DataError(f"{store_dir} holds no observations; write them with write_observations")
    return path


def summaries(source: str, keys: str, *, where: str = "true", also: str = "") -> str:
    """SQL for count, mean and quantiles of ``value`` in every group of ``source``.

    The quantiles are asked for as one list: one by one, each keeps all values of its own.
    """
    shares = ", ".join(str(share) for share in QUANTILES.values())
    named = ", ".join(f"spread[{n}] AS {name}" for n, name in enumerate(QUANTILES, start=1))
    return f"""
        SELECT * EXCLUDE (spread), {named} FROM (
            SELECT {keys}, count(value) AS "count", avg(value) AS mean, {also}
                quantile_cont(value, [{shares}]) AS spread
            FROM {source} WHERE {where} GROUP BY ALL
        )
    """
