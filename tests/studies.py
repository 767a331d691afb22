"""A small study on disk for tests: two municipalities, one of them Oslo."""

from __future__ import annotations

import csv
from pathlib import Path

from evalkit.contracts import CONTRACTS, columns_of

SETTINGS = """
title = "Et lite program"
period = [2019, 2023]
evaluator = "Eksempelinstituttet"
clients = ["Statsforvalteren"]

[[parts]]
title = "Del 2"
municipalities = ["0301", "3801"]
"""
SOURCES = """@report{nf2024, author = {Waldahl, Ragnhild Holmen and Skogøy, Bjørg Eva},
  title = {Helhetlige tjenester}, institution = {Nordlandsforskning}, year = {2024}}
@report{korus2020, author = {{KORUS Sør}}, title = {Nullpunktsanalyse}, year = {2020}}
"""
READ = {"source": "nf2024", "locator": "s. 1"}

TABLES: dict[str, list[dict]] = {
    "regions": [{"region_id": "ost", "name": "Øst", "county_governor": "Statsforvalteren"}],
    "municipalities": [
        {
            "municipality_code": code,
            "slug": name.lower(),
            "name": name,
            "region_id": "ost",
            "evaluated_by": "nordlandsforskning",
        }
        for code, name in [("0301", "Oslo"), ("3801", "Horten")]
    ],
    "goals": [
        {"goal_id": "anchored", "kind": "effect_goal", "position": 1, "text": "Forankret samarbeid"}
    ],
    "facts": [
        {
            "subject": "horten",
            "quantity": "population",
            "value": "27600",
            "unit": "persons",
            "qualifier": "about",
        }
    ],
    "events": [
        {
            "event_id": "horten-workshop-3",
            "municipality_code": "3801",
            "kind": "learning_workshop",
            "number": 3,
            "start": "2023-03-24",
            "attended_count": 34,
        }
    ],
}


def write_study(root: Path, study: str = "lite", *, settings: str = SETTINGS, **tables) -> Path:
    """Write a study below ``root/data/raw``; tables given replace those above (None: absent)."""
    folder = root / "data" / "raw" / study
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.toml").write_text(settings, encoding="utf-8")
    (folder / "sources.bib").write_text(SOURCES, encoding="utf-8")
    for name, rows in (TABLES | tables).items():
        if rows is not None:
            write_table(folder / f"{name}.csv", rows)
    return folder


def write_table(path: Path, rows: list[dict]) -> None:
    """Write rows as the CSV file of a contract; source and locator are filled in."""
    columns = list(columns_of(CONTRACTS[path.stem]))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(READ | row for row in rows)
