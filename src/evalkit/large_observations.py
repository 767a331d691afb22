"""A study's observations when they are too many to be read: held on disk, and some of them read.

The file is made into a store (``observation_writer``), whose every row is held against its
contract and the study's other tables. What the rest of the study sees as its table of
observations are the study's own rows: those of municipalities with a chapter and of no
municipality, of indicators that are one municipality's own, and those that ``facts.csv`` names.
Where a total less the municipalities with a chapter would tell of few others, these are among
them, and where counties have counts, all municipalities of a year in which one with a chapter or
the rest of a county is few: so what is hidden for others' sake is hidden here as in a study that
is read whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from evalkit.contracts import ObservationsTable, columns_of, typed
from evalkit.errors import DataError
from evalkit.observation_store import observation_database
from evalkit.observation_writer import rows_against

__all__ = ["MEMORY_LIMIT", "LargeObservations"]

OWN_ROWS = 300_000  # each makes up to three claims, and all of them are in memory together
MEMORY_LIMIT = "1500MB"  # for DuckDB; Python and the other tables come on top

# rows of other municipalities, where an area's count less those with a chapter tells of few
FEW_OTHERS = """
    WITH totals AS (
        SELECT DISTINCT indicator_id, period FROM rows
        WHERE municipality_code IS NULL AND coalesce(numerator, denominator) IS NOT NULL
    ),
    others AS (
        SELECT row, municipality_code, indicator_id, period, denominator AS base,
            coalesce(numerator, denominator * value / 100) AS count
        FROM rows JOIN totals USING (indicator_id, period)
        WHERE municipality_code IS NOT NULL AND coalesce(numerator, denominator) IS NOT NULL
            AND NOT list_contains(CAST($codes AS VARCHAR[]), municipality_code)
    ),
    few AS (
        SELECT indicator_id, period FROM others GROUP BY ALL
        HAVING count(DISTINCT municipality_code) < $few
            OR least(sum(count), sum(base), sum(base - count)) < $few
    )
    SELECT row FROM others JOIN few USING (indicator_id, period)
"""

# all rows of a year with a county's count, where what a chapter or a county tells is of few
BY_COUNTY = """
    WITH counted AS (
        SELECT row, municipality_code, indicator_id, period, area, denominator AS base,
            coalesce(numerator, denominator * value / 100) AS count
        FROM rows WHERE coalesce(numerator, denominator) IS NOT NULL AND "group" IS NULL
    ),
    counties AS (
        SELECT indicator_id, period, left(county_code, 2) AS county, count, base
        FROM counted JOIN (
            SELECT unnest(CAST($areas AS VARCHAR[])) AS area,
                unnest(CAST($county_codes AS VARCHAR[])) AS county_code
        ) USING (area)
        WHERE municipality_code IS NULL
    ),
    parts AS (
        SELECT indicator_id, period, '' AS place, count, base FROM counties
        UNION ALL
        SELECT indicator_id, period, municipality_code AS place, o.count, o.base
        FROM counted o JOIN counties c USING (indicator_id, period)
        WHERE list_contains(CAST($codes AS VARCHAR[]), municipality_code)
        UNION ALL
        SELECT indicator_id, period, county AS place, sum(o.count) AS count, sum(o.base) AS base
        FROM counted o JOIN counties c USING (indicator_id, period)
        WHERE left(municipality_code, 2) = county
            AND NOT list_contains(CAST($codes AS VARCHAR[]), municipality_code)
        GROUP BY ALL
    ),
    few AS (
        SELECT DISTINCT indicator_id, period FROM parts WHERE least(count, base, base - count) < $few
    )
    SELECT row FROM counted JOIN few USING (indicator_id, period)
    WHERE municipality_code IS NOT NULL
"""


class LargeObservations:
    """The rows of a file of observations in ``rows.parquet`` of a folder.

    ``found`` is what breaks their contract; then there is no ``rows.parquet``.
    """

    def __init__(self, folder: Path, found: Sequence[str] = ()) -> None:
        self.folder, self.found = folder, list(found)

    def own_rows(
        self,
        municipality_codes: Sequence[str],
        tables: Mapping[str, pd.DataFrame],
        smallest_count: int = 5,
    ) -> pd.DataFrame:
        """The study's own rows of ``ObservationsTable`` in file order, labelled by their place.

        Parameters
        ----------
        municipality_codes
            Municipalities with a chapter.
        tables
            The study's other tables, as far as they are read.
        smallest_count
            The smallest number of persons, and of other municipalities, that a total less the
            municipalities with a chapter may tell of.

        Raises
        ------
        DataError
            If they are too many to be in memory.
        """
        indicators = tables.get("indicators")
        wanted = {
            "municipality_code": municipality_codes,
            "observation_id": tables["facts"]["subject"].unique() if "facts" in tables else [],
            "indicator_id": []
            if indicators is None
            else indicators.loc[indicators["municipality_code"].notna(), "indicator_id"],
        }
        # each by itself, so that groups of rows without such a code are passed over
        chosen = " UNION ".join(
            f'SELECT row FROM rows WHERE "{column}" IN (SELECT unnest(CAST(${column} AS VARCHAR[])))'
            for column in wanted
        )
        with observation_database(self.folder, MEMORY_LIMIT) as database:
            database.read_parquet(str(self.folder / "rows.parquet")).create_view("rows")
            database.execute(
                "CREATE TABLE chosen AS SELECT row FROM rows WHERE municipality_code IS NULL UNION "
                + chosen,
                {column: list(values) for column, values in wanted.items()},
            )
            database.execute(
                f"INSERT INTO chosen {FEW_OTHERS}",
                {"codes": list(municipality_codes), "few": int(smallest_count)},
            )
            counties = tables["areas"].dropna(subset="county_code") if "areas" in tables else ()
            if len(counties):
                database.execute(
                    f"INSERT INTO chosen {BY_COUNTY}",
                    {
                        "codes": list(municipality_codes),
                        "few": int(smallest_count),
                        "areas": counties["area"].tolist(),
                        "county_codes": counties["county_code"].tolist(),
                    },
                )
            count = database.execute("SELECT count(DISTINCT row) FROM chosen").fetchone()[0]
            if count > OWN_ROWS:
                raise DataError(
                    f"{count} rows are the study's own (of municipalities with a chapter, of no "
                    "municipality, of indicators that are one municipality's, or named in "
                    f"facts.csv); expected at most {OWN_ROWS} of so large a file: share the "
                    "municipalities of study.toml between studies that say tables_from"
                )
            rows = database.execute(
                "SELECT * FROM rows WHERE row IN (SELECT row FROM chosen) ORDER BY row"
            ).df()
        return typed(rows, ObservationsTable).set_axis(rows["row"].to_numpy() - 2)

    def breaches(
        self,
        tables: Mapping[str, pd.DataFrame],
        sources: pd.DataFrame,
        unread: Collection[str] = (),
    ) -> Iterator[str]:
        """What does not hold between all rows and the study's other tables, line by line."""
        known = {}
        for column, description in columns_of(ObservationsTable).items():
            target = (description.metadata or {}).get("references")
            if target == "sources":
                known[column] = set(sources["key"]), "a key of sources.bib"
            elif target:
                other, key = target.split(".")
                cells = set(tables[other][key].dropna()) if other in tables else set()
                if other not in unread:
                    known[column] = cells, f"a {key} of {other}.csv"
        indicators = tables.get("indicators", pd.DataFrame(columns=["indicator_id", "unit"]))
        units = indicators.set_index("indicator_id")["unit"].dropna().to_dict()
        yield from rows_against(
            self.folder, known, indicator_units=units, memory_limit=MEMORY_LIMIT
        )
