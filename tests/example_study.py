"""A study that holds every example value of every contract, each text a word of its own."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

from studies import READ, SOURCES

from evalkit.contracts import CONTRACTS, columns_of, examples_of, numeric_columns
from evalkit.demo import write_demo
from evalkit.vocabulary import ACTIVITY_STATUS, EVALUATORS, LOGIC_COLUMNS, UNITS

CODES = ("0301", "3801", "5001", "4601", "1103", "3005")
REPORTED = CODES[:3]
NAMES = ("Oslo", "Horten", "Trondheim", "Bergen", "Stavanger", "Drammen")
SETTINGS = """
title = "Et program med alt"
period = [2010, 2024]
evaluator = "Eksempelinstituttet"
clients = ["Statsforvalteren"]
status_date = "2023-06-30"
notebooks = [NOTEBOOKS]

[[parts]]
title = "Del 2"
municipalities = ["0301", "3801"]

[[parts]]
title = "Del 3"
municipalities = ["5001", "9901"]
"""
# Numbers that fit together: 20 of 40 are 50 per cent.
NUMBERS = {"invited_count": 40, "denominator": 40, "base_count": 40} | {
    "answered_count": 20,
    "numerator": 20,
    "count": 20,
    "response_rate_percent": 50,
    "share_percent": 50,
    "position_percent": 50,
    "wave": 0,
    "year": 2021,
    "share": 1,
    "probability": 3,
    "consequence": 4,
    "factor": 12,
    "score": 4,
    "number": 1,
}


def word_of(table: str, column: str, row: int) -> str:
    """A word that stands in one cell of the study and nowhere else."""
    return f"x{table}{column}{row}x".replace("_", "")


def key_of(contract) -> str | None:
    """The column that identifies the rows of a table, if one does."""
    unique = [name for name, column in columns_of(contract).items() if column.unique]
    return unique[0] if unique else None


def example_tables() -> dict[str, list[dict]]:
    """Rows of every table, such that each column has each of its examples, and blank if it may."""
    tables: dict[str, list[dict]] = {}
    for name, contract in CONTRACTS.items():
        columns = {
            column: described
            for column, described in columns_of(contract).items()
            if column not in ("source", "locator")
        }
        longest = max(len(examples_of(described)) for described in columns.values())
        tables[name] = [{} for _ in range(max(longest, len(CODES) + 1))]
    for name, contract in CONTRACTS.items():
        numbers, key = numeric_columns(contract), key_of(contract)
        for row, cells in enumerate(tables[name]):
            cells |= {
                column: cell(name, column, described, row, key, numbers, tables)
                for column, described in columns_of(contract).items()
                if column not in ("source", "locator")
            }
    return tables | of_their_own(tables)


def cell(name, column, described, row, key, numbers, tables):
    """One cell: an example, blank now and then, a row of another table, a number or a word."""
    examples = examples_of(described)
    target = (described.metadata or {}).get("references")
    if column == key and column not in ("area", "number"):
        return row_id(name, row)
    if target:
        if described.nullable and row % 4 == 3:
            return None
        other = target.split(".")[0]
        count = len(tables[other])
        row -= 3 if other == name else 0  # an earlier one of the same municipality
        if row < 0:
            return None
        if other == "municipalities":
            return REPORTED[row % len(REPORTED)]
        first = row_id(other, row % count)
        many = (described.metadata or {}).get("many")
        return f"{first};{row_id(other, (row + 1) % count)}" if many else first
    if len(examples) > 1:
        return examples[row % len(examples)]
    if described.nullable and row % 4 == 3:
        return None
    if column in numbers:
        return NUMBERS.get(column, row + 7)
    return word_of(name, column, row)


def row_id(table: str, row: int) -> str:
    return f"{table.replace('_', '-')}-{row}"


def of_their_own(tables: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """The tables whose columns say something together, or that must fit other tables."""
    own = {name: [dict(cells) for cells in tables[name]] for name in tables}
    own["municipalities"] = own["municipalities"][: len(CODES)]
    for row, cells in enumerate(own["municipalities"]):
        name = NAMES[row]
        cells |= {"municipality_code": CODES[row], "slug": name.lower(), "name": name}
        cells |= {"evaluated_by": list(EVALUATORS)[row % len(EVALUATORS)]}
    for row, cells in enumerate(own["original_tables"]):
        cells["number"] = row + 1
    for row, cells in enumerate(own["original_rows"]):
        cells |= {"number": row + 1, "row_id": row_id(("events", "measures")[row % 2], row)}
    for cells in own["attainment"]:
        judged = cells["judgement"] != "not_judged"
        cells["graded_by"] = (cells["graded_by"] or "evaluators") if judged else None
    for row, cells in enumerate(own["targets"]):
        cells["value"] = {"year": 2060, "percent": 60.25, "percentage_points": 60.25}.get(
            cells["unit"], 7000
        )
        cells["value"] += row
        if cells["indicator_id"]:  # the indicators of nobody too
            cells["indicator_id"] = row_id("indicators", (row + 1) % len(own["indicators"]))
    own["noise"] = [own["noise"][0] | {"noisy_source": "korus2020"}]
    for cells in own["participants"]:
        cells["count"] = 2021 if cells["unit"] == "year" else cells["count"]
    own["facts"] = claims_in_all_units()
    own["municipality_changes"] = []  # those of the demo, with a merger and a split, serve
    areas = [cells["area"] for cells in own["observations"] if cells["area"]]
    own["areas"] = [{"area": areas[0], "county_code": "03", "note": word_of("areas", "note", 0)}]
    own["logic_model_cells"] = cells_of_models(own["logic_models"])
    for row, cells in enumerate(own["surveys"]):
        cells["wave"] = None if cells["wave"] is None else row + 2
        cells["linkage"] = cells["linkage"] if cells["follows"] else None
    surveys = asked_again(own["surveys"][0])
    own["surveys"] += surveys
    own["crosswalk"] += asked_in(surveys)
    own["answers"] = answers_to(surveys)
    return own


ASKED = {"staff_survey": ("samordning", "medvirkning"), "user_survey": ("bruker-tilgang",)}


def asked_again(alike: dict) -> list[dict]:
    """Two waves of a survey of each kind in two municipalities."""
    return [
        alike
        | {"survey_id": f"{kind.replace('_', '-')}-{code}-{wave}", "municipality_code": code}
        | {"kind": kind, "wave": wave, "title": word_of("surveys", f"{kind}{code[0]}", wave)}
        | {"start": f"202{wave}-05", "end": None, "follows": None, "linkage": None}
        for kind in ASKED
        for code in REPORTED[:2]
        for wave in (0, 1)
    ]


def asked_in(surveys: list[dict]) -> list[dict]:
    """That the items of each kind were asked as in the item bank."""
    return [
        {"survey_id": survey["survey_id"], "item": item, "status": "same", "variant": None}
        for survey in surveys
        for item in ASKED[survey["kind"]]
    ]


def answers_to(surveys: list[dict]) -> list[dict]:
    """Every score, and no score, of the same twenty persons in two services."""
    services = (word_of("answers", "service", 0), word_of("answers", "service", 1), None)
    return [
        {"survey_id": survey["survey_id"], "municipality_code": survey["municipality_code"]}
        | {"respondent_id": f"person-{person}", "service": services[(person > 9) + (person > 18)]}
        | {"item": item, "score": (5, 4, 1, 2, 3, None)[(person + int(survey["wave"])) % 6]}
        for survey in surveys
        for item in ASKED[survey["kind"]]
        for person in range(20)
    ]


def claims_in_all_units() -> list[dict]:
    """Of each unit two claims that disagree, and one alone, with every time and qualifier."""
    columns = columns_of(CONTRACTS["facts"])
    texts = {"text": word_of, "date": lambda *_: "2023-03-24", "year": lambda *_: "2023"}
    rows = []
    for row, unit in enumerate(UNITS):
        alike = {name: word_of("facts", name, row) for name in ("subject", "quantity", "label")}
        told = {
            name: examples_of(columns[name])[row % len(examples_of(columns[name]))]
            for name in ("as_of", "qualifier")
        }
        for place, chosen in enumerate(("yes", "no", None)):
            value = texts.get(unit, lambda _, __, place: str(20 + place))("facts", "value", place)
            if place == 1 and unit in ("date", "year"):
                value = value.replace("2023", "2022")
            rows.append(
                {**alike, **told, "unit": unit, "value": value, "chosen": chosen}
                | {"reason": word_of("facts", "reason", 3 * row + place) if place < 2 else None}
                | {"note": word_of("facts", "note", 3 * row + place)}
                | ({"quantity": alike["quantity"] + "b"} if place == 2 else {})
                | ({"version": word_of("facts", "version", row)} if place == 2 and row % 2 else {})
            )
    return rows


def cells_of_models(models: list[dict]) -> list[dict]:
    """A row of logic and one of indicators for each model, every column filled, with each status."""
    status = itertools.cycle([*ACTIVITY_STATUS, None])
    rows = []
    for model in models:
        for row, kind in enumerate(("logic", "indicator"), start=1):
            for column in LOGIC_COLUMNS:
                text = word_of("logic_model_cells", "text", len(rows))
                rows.append(
                    {"model_id": model["model_id"], "row": row, "row_kind": kind, "column": column}
                    | {"position": 1, "text": text, "status": next(status)}
                    | {"indicator_ids": row_id("indicators", 0) if len(rows) % 2 else None}
                )
    return rows


def write_example_study(root: Path, *, notebooks: list[str]) -> Path:
    """Write the study below ``root/data/raw/alt``: the demo's rows, and every example after them.

    The demo's answers and series are there for the notebooks that ask for its items, indicators
    and waves by name.
    """
    folder = write_demo(root / "data" / "raw" / "alt", municipality_count=1, area_count=8)
    named = ", ".join(f'"{name}"' for name in notebooks)
    (folder / "study.toml").write_text(SETTINGS.replace("NOTEBOOKS", named), encoding="utf-8")
    with (folder / "sources.bib").open("a", encoding="utf-8") as file:
        file.write(SOURCES)
    for name, rows in example_tables().items():
        path = folder / f"{name}.csv"
        columns, is_new = list(columns_of(CONTRACTS[name])), not path.exists()
        with path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            if is_new:
                writer.writeheader()
            writer.writerows(READ | row for row in rows)
    return folder
