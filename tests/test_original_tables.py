"""Our counterparts of the 26 tables of the pilot's report hold what the report's tables hold.

``published/pilot_original_tables.csv`` is read from the report: one line per cell, with its row and
column and words, names or dates that stand in it. It owes nothing to the study's tables.
"""

import csv
import json
import shutil
from collections import defaultdict

import pytest
from conftest import PROJECT
from notebooks_in_process import processed_folder, shown_by

from evalkit.checks import study_breaches
from evalkit.programs import run_pandoc
from evalkit.readers import read_study
from evalkit.studies import Project, process_study

PRINTED = PROJECT / "tests" / "published" / "pilot_original_tables.csv"
LOGIC = ["resources", "activities", "participation", "output", "outcome", "impact"]
COLUMNS = dict.fromkeys(range(10, 24), LOGIC) | {
    25: [
        "Kommune",
        "Nærvær",
        "En dør inn",
        "Foreldrestøtte",
        "Samhandling",
        "Medvirkning",
        "Fritid",
    ],
    26: [
        "Kommune",
        "Oppmerksomhet og endringsvilje",
        "Utforskning",
        "Installasjon",
        "Implementering",
    ],
}


def printed_cells():
    """Words of every cell of the report's tables, by number, row and column."""
    cells = defaultdict(dict)
    with PRINTED.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            cells[int(line["number"])][line["row"], line["column"]] = line["holds"].split(";")
    return cells


CELLS = printed_cells()


@pytest.fixture(scope="module")
def pilot(tmp_path_factory):
    """The pilot's processed tables, and what it says of the report's tables."""
    root = tmp_path_factory.mktemp("pilot")
    shutil.copytree(PROJECT / "data" / "raw" / "pilot", root / "data" / "raw" / "pilot")
    return root, process_study(Project(root), "pilot")


@pytest.fixture(scope="module")
def ours(pilot):
    """The cells of each counterpart as readers see them, row by row, by the report's number."""
    root, read = pilot
    processed = {"study": "pilot", "processed_dir": processed_folder(root)}
    names = ["07-programme", "08-across"]
    shown = {label: table for name in names for label, table in shown_by(name, **processed).items()}
    horten = shown_by("01-context", municipality_code="3801", **processed)
    shown["tbl-reports-horten"] = horten["tbl-reports"]
    for model in read.tables["logic_models"].itertuples():
        of_model = {"municipality_code": model.municipality_code, "model_id": model.model_id}
        own = shown_by("04-logic-model", **of_model, **processed)
        shown[f"tbl-logic-model-{model.model_id}"] = own["tbl-logic-model"]
    labels = read.tables["original_tables"].set_index("number")["label"]
    return {int(number): table_rows(shown[label].body) for number, label in labels.items()}


def table_rows(markdown):
    """The body's rows as pandoc reads them: of each column its text, and whether it begins there.

    A cell over several rows or columns has its text in each, and begins in the first.
    """
    read = run_pandoc(["--from=markdown", "--to=json"], text=markdown).stdout
    table = next(block["c"] for block in json.loads(read)["blocks"] if block["t"] == "Table")
    rows, above = [], {}
    for _, given in table[4][0][3]:
        row, waiting = [], iter(given)
        while len(row) < len(table[2]):
            if len(row) in above:
                text, left = above.pop(len(row))
                covered = [(text, False, left)]
            else:
                _, _, down, across, blocks = next(waiting)
                text = words_of(blocks).strip(" –")
                covered = [(text, place == 0, down) for place in range(across)]
            for text, begins, left in covered:
                if left > 1:
                    above[len(row)] = (text, left - 1)
                row.append((text, begins))
        rows.append(row)
    return rows


def words_of(node):
    """The text of pandoc's blocks, with plain spaces; entries of a list are parted by |."""
    if isinstance(node, list):
        return "".join(map(words_of, node))
    if not isinstance(node, dict):
        return ""
    if node["t"] == "Str":
        return node["c"].replace("\u00a0", " ")
    if node["t"] == "BulletList":
        return "|".join(words_of(entry).strip() for entry in node["c"])
    end = " " if node["t"] in ("Space", "SoftBreak", "LineBreak", "Plain", "Para") else ""
    return words_of(node.get("c", [])) + end


def holds(text, words):
    return all(word.casefold() in text.casefold() for word in words)


def printed_rows(number):
    """Words of each row of the report's table; a heading for several rows counts in each."""
    rows, heading = {}, []
    for (row, column), words in CELLS[number].items():
        if column == "Kommune":
            heading = words
        rows.setdefault(row, list(heading)).extend(words)
    return list(rows.values())


def printed_entries(number):
    """Words of each cell of a table with headings above and at the side, those included."""
    sides = {row: words for (row, column), words in CELLS[number].items() if column == "Gruppe"}
    return [
        [*words, *sides.get(row, []), *([] if column == "Oppsummering" else [column])]
        for (row, column), words in CELLS[number].items()
        if column != "Gruppe"
    ]


def test_the_study_says_how_many_rows_and_cells_the_printed_tables_have(pilot):
    said = pilot[1].tables["original_tables"].set_index("number")

    assert list(said.index) == list(range(1, 27))
    for number, cells in CELLS.items():
        assert said.loc[number, "row_count"] == len({row for row, _ in cells}), number
        assert said.loc[number, "cell_count"] == len(cells), number


@pytest.mark.parametrize("number", [*range(1, 10), 24])
def test_a_counterpart_has_the_rows_of_the_printed_table_and_no_others(ours, number):
    texts = [" ".join(text for text, _ in row) for row in ours[number]]
    if number in (2, 3, 4):
        texts = [text for text in texts if text.startswith(f"Læringsverksted {number - 1} ")]
    printed = printed_entries(number) if number in (1, 9) else printed_rows(number)

    unmatched = list(texts)
    for words in printed:
        found = [text for text in unmatched if holds(text, words)]
        assert found, (words, unmatched)
        unmatched.remove(found[0])
    assert unmatched == []


@pytest.mark.parametrize("number", [*range(10, 24), 25, 26])
def test_a_counterpart_has_the_cells_of_the_printed_table_and_no_others(ours, number):
    columns, rows = COLUMNS[number], ours[number]
    names = [row[0][0] if number > 23 else str(place) for place, row in enumerate(rows, start=1)]
    shown = {
        (name, column): text
        for name, row in zip(names, rows, strict=True)
        for column, (text, begins) in zip(columns, row, strict=False)
        if begins and text and (text != "Indikatorer" or number in range(10, 15))
    }

    assert shown.keys() == CELLS[number].keys()
    for place, words in CELLS[number].items():
        assert holds(shown[place], words), (place, words, shown[place])


def test_the_grouping_by_theme_has_the_printed_entries_and_no_others(ours):
    for row in ours[25]:
        for column, (text, _) in zip(COLUMNS[25], row, strict=True):
            entries = [entry for entry in text.split("|") if entry]
            printed = CELLS[25].get((row[0][0], column), [])
            assert len(entries) == len(printed)
            assert all(holds(entry, [word]) for entry, word in zip(entries, printed, strict=True))


def test_a_row_of_the_report_that_the_study_does_not_have_is_told():
    read = read_study(PROJECT / "data" / "raw" / "pilot")
    rows = read.tables["original_rows"]
    wrong = rows.assign(row_id=rows["row_id"].replace("froya-hospitering", "froya-hospitering-2"))

    found = study_breaches(read.tables | {"original_rows": wrong}, read.sources, read.settings)

    assert [*found] == ["original_rows.csv"]
    assert "'froya-hospitering-2' in row 67" in found["original_rows.csv"][0]


def test_six_indicators_of_siljan_have_a_value_as_the_report_tells_in_chapter_8_3(pilot):
    """Trained, certified, guided, followed up, Inn på tunet and jobs, with and without a date."""
    processed = {"study": "pilot", "processed_dir": processed_folder(pilot[0])}

    coverage = table_rows(shown_by("08-across", **processed)["tbl-coverage-all"].body)
    siljan = shown_by("05-indicators", municipality_code="3812", **processed)["tbl-indicators"]

    with_value = {row[0][0]: row[3][0] for row in coverage}
    assert with_value["Siljan"] == "6"
    shown = [row[3][0] for row in table_rows(siljan.body) if row[3][0]]
    assert sorted(shown) == sorted(
        [
            "om lag 30 personer (uten dato)",
            "17 personer (høsten 2020)",
            "gruppe: 4 (uten dato); enkeltvis: 10 (uten dato)",
            "7 personer (uten dato)",
            "for få til å vises (uten dato)",
            "for få til å vises (uten dato)",
        ]
    )


def test_the_baselines_of_the_pilot_have_their_year_and_earlier_ones_are_not_its_own(pilot):
    """Chapters 7.2, 8.2 and 12.2 of the report tell when the earlier ones were."""
    processed = {"study": "pilot", "processed_dir": processed_folder(pilot[0])}

    table = shown_by("08-across", **processed)["tbl-survey-comparison"]

    before = [row for row in table_rows(table.body) if row[1][0].endswith("før programmet")]
    assert [(row[0][0], row[1][0][:4]) for row in before] == [
        ("Larvik", "2016"),
        ("Siljan", "2015"),
        ("Nærøysund", "2017"),
    ]
