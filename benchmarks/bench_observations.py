"""How long all series of one municipality take to read, beside county, country and peers.

    python benchmarks/bench_observations.py
    python benchmarks/bench_observations.py --millions 1.4,10,40

Observations (syntetisk) of ever more areas, 200 indicators over 20 years, are written as CSV,
turned into a store, and read four ways, each in a fresh process. Printed are medians over the rounds, ratios within a round, and memory at the peak
(as Linux tells it).
Pandas on CSV is left out above ``--csv-millions``, where it needs more memory than most have.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evalkit.observation_writer import write_observations

INDICATORS, YEARS, PEERS = 200, 20, 25
CODES = 10_000  # all that four digits give
PANDAS = "import pandas as pd"
READERS = {
    "pandas, CSV": """
values = pd.read_csv(spec["csv"], dtype={"municipality_code": str, "period": str}, usecols=[
    "municipality_code", "indicator_id", "period", "value"]).rename(columns={"period": "year"})
""",
    "pandas, Parquet": """
values = pd.read_parquet(spec["store"] + "/values.parquet")
""",
}
IN_MEMORY = """
def spread(rows):
    return rows.groupby(["indicator_id", "year"])["value"].quantile(
        [0.1, 0.25, 0.5, 0.75, 0.9]).unstack()
code = spec["code"]
own = values[values["municipality_code"] == code].set_index(["indicator_id", "year"])
result = pd.concat([own, spread(values),
    spread(values[values["municipality_code"].str[:2] == code[:2]]),
    spread(values[values["municipality_code"].isin(spec["peers"])])], axis=1)
"""
DUCKDB = """
quantiles = "quantile_cont(value, [0.1, 0.25, 0.5, 0.75, 0.9]) AS spread"
table = f"read_parquet('{spec['store']}/values.parquet')"
names = ", ".join(f"'{code}'" for code in spec["peers"])
areas = {"country": "true", "county": f"left(municipality_code, 2) = '{spec['code'][:2]}'",
         "peer": f"municipality_code IN ({names})"}
joined = " ".join(
    f"LEFT JOIN (SELECT indicator_id, year, {quantiles} FROM {table} WHERE {rows} GROUP BY ALL)"
    f" {area} USING (indicator_id, year)" for area, rows in areas.items())
result = duckdb.sql(
    f"SELECT * FROM (SELECT * FROM {table} WHERE municipality_code = '{spec['code']}') own {joined}"
).df()
"""
STORE = """
result = municipality_series(spec["store"], spec["code"], peers=spec["peers"])
"""
# Each way: what it imports, and what it does.
WAYS = {
    **{name: (PANDAS, code + IN_MEMORY) for name, code in READERS.items()},
    "DuckDB, all computed each time": (PANDAS + ", duckdb", DUCKDB),
    "evalkit store": (
        PANDAS + ", duckdb\nfrom evalkit.observation_store import municipality_series",
        STORE,
    ),
}
AROUND = """
import json, sys, time
spec = json.loads(sys.stdin.read())
{imports}
start = time.perf_counter()
{work}
seconds = time.perf_counter() - start
assert len(result) == {rows}, len(result)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([seconds, int(peak.split()[1]) / 1024]))
"""


@dataclass(frozen=True)
class Measured:
    """Seconds of a whole fresh process, seconds of its work without imports, megabytes."""

    whole: float
    work: float
    memory: float


def write_csv(path: Path, areas: int) -> None:
    """Seeded observations of so many areas, in the contract's columns, in no useful order."""
    database = duckdb.connect()
    database.execute("SET memory_limit = '3GB'")
    database.execute("SELECT setseed(0.42)")
    database.execute(
        f"""
        COPY (
            SELECT 'syntetisk-' || row AS observation_id,
                'indikator-' || printf('%03d', row // {YEARS} % {INDICATORS}) AS indicator_id,
                printf('%04d', row // {YEARS * INDICATORS}) AS municipality_code,
                NULL AS area, NULL AS "group",
                2003 + row % {YEARS} AS period,
                round(100 * numerator / denominator, 1) AS value, numerator, denominator,
                NULL AS qualifier, NULL AS note, 'demo' AS source, 'rad ' || row AS locator
            FROM (
                SELECT row, 50 + hash(row) % 950 AS denominator,
                    hash(row + 7) % (50 + hash(row) % 950) AS numerator
                FROM range({areas * INDICATORS * YEARS}) t(row)
            )
        ) TO '{path}' (HEADER)
        """
    )


def read_once(way: str, spec: dict) -> Measured:
    """One fresh process."""
    imports, work = WAYS[way]
    code = AROUND.format(imports=imports, work=work, rows=INDICATORS * YEARS)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(spec),
        text=True,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{way}: {done.stderr[-2000:]}")
    return Measured(time.perf_counter() - start, *json.loads(done.stdout))


def measured(folder: Path, millions: float, rounds: int, csv_millions: float) -> str:
    areas = max(round(millions * 1e6 / (INDICATORS * YEARS)), PEERS + 1)
    if areas > CODES:
        raise SystemExit(f"{millions} million rows need more than the {CODES:,} codes there are")
    csv, store = folder / "observations.csv", folder / "store"
    write_csv(csv, areas)
    start = time.perf_counter()
    write_observations(csv, store)
    written = time.perf_counter() - start
    codes = [f"{n * (areas // (PEERS + 1)):04d}" for n in range(PEERS + 1)]
    spec = {"csv": str(csv), "store": str(store), "code": codes[0], "peers": codes[1:]}
    ways = [way for way in WAYS if way != "pandas, CSV" or millions <= csv_millions]
    results = [{way: read_once(way, spec) for way in ways} for _ in range(rounds)]
    lines = [
        f"\n{areas * INDICATORS * YEARS / 1e6:,.1f} million rows: CSV {_megabytes(csv)} MB, store "
        f"{sum(_megabytes(path) for path in store.glob('*.parquet'))} MB, written once in "
        f"{written:.1f} s\n",
        "| way | s | s without imports | this / evalkit store | MB |",
        "|---|---:|---:|---:|---:|",
    ]
    for way in ways:
        whole = statistics.median(each[way].whole for each in results)
        work = statistics.median(each[way].work for each in results)
        ratio = statistics.median(each[way].work / each["evalkit store"].work for each in results)
        memory = statistics.median(each[way].memory for each in results)
        lines.append(f"| {way} | {whole:.2f} | {work:.2f} | {ratio:.1f} | {memory:.0f} |")
    return "\n".join(lines)


def _megabytes(path: Path) -> int:
    return round(path.stat().st_size / 2**20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", default="1.4", help="rows in millions, such as 1.4,10,40")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--csv-millions", type=float, default=10, help="largest CSV for pandas")
    parsed = parser.parse_args()
    print("Generated data (syntetisk).")
    for millions in map(float, parsed.millions.split(",")):
        with tempfile.TemporaryDirectory(prefix="evalkit-bench-") as folder:
            rounds = parsed.rounds
            print(measured(Path(folder), millions, rounds, parsed.csv_millions), flush=True)


if __name__ == "__main__":
    main()
