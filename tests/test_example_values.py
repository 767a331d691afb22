"""A study with every example value of every contract: all notebooks run, and no row is lost."""

import re
import shutil

import pytest
from conftest import PROJECT
from example_study import CODES, NAMES, REPORTED, example_tables, write_example_study
from notebooks_in_process import processed_folder, shown_by

from evalkit.contracts import CONTRACTS, columns_of, examples_of
from evalkit.norwegian import number_text
from evalkit.studies import Project, process_study, study_jobs

NOTEBOOKS = sorted(path.stem for path in (PROJECT / "notebooks").glob("*.ipynb"))
# What a report shows by results and names, or not at all, and why.
NOT_ROW_BY_ROW = {
    "answers": "answers of persons are shown as protected results only",
    "crosswalk": "says which answers may be compared; the results show it",
    "items": "an item is shown where it has answers enough",
    "municipality_changes": "shown by the names of the municipalities",
    "noise": "says how the counts of a source may be read",
    "survey_services": "numbers of persons by service are shown as protected results only",
    "validations": "what municipalities wrote about a draft is not published",
}
WORD = re.compile(r"x[a-z]+\d+x")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What each run of each notebook shows, as text, by its name and labels."""
    root = tmp_path_factory.mktemp("alt")
    shutil.copytree(PROJECT / "notebooks", root / "notebooks")
    (root / "reports" / "alt").mkdir(parents=True)
    write_example_study(root, notebooks=NOTEBOOKS)
    read = process_study(Project(root), "alt")
    given = {"processed_dir": processed_folder(root)}
    return {
        job.output.stem: {
            label: text_shown(value)
            for label, value in shown_by(job.notebook.stem, **{**job.parameters, **given}).items()
        }
        for job in study_jobs(Project(root), read)
    }


def text_shown(value):
    """The words of a table or figure, on one line, without what Markdown adds."""
    body = getattr(value, "body", None) or f"{value.alt} {value.svg}"
    joined = re.sub(r"[|+=-]*\s*\n\s*[|+=-]*", " ", body.replace("\\", ""))
    return joined.replace("\u00a0", " ").casefold()


def amount_in(value, text):
    """Whether a number stands in a text, with a space in its thousands or, as a year, without."""
    return any(form in text for form in (number_text(value).replace("\u00a0", " "), str(value)))


def test_each_column_has_each_of_its_examples_and_blank_where_it_may_be():
    tables = example_tables()

    for name, contract in CONTRACTS.items():
        for column, described in columns_of(contract).items():
            if column in ("source", "locator") or name in ("facts", "municipality_changes"):
                continue
            given = {cells.get(column) for cells in tables[name]}
            wanted = {value for value in examples_of(described) if value is not None}
            assert wanted <= given, (name, column, wanted - given)


def test_all_notebooks_show_what_every_contract_allows(shown):
    ran = {re.match(r"\d\d-[a-z-]+", name)[0] for name in shown}

    assert all(any(name.startswith(notebook) for name in ran) for notebook in NOTEBOOKS)


@pytest.mark.parametrize("table", [name for name in CONTRACTS if name not in NOT_ROW_BY_ROW])
def test_every_row_is_shown_somewhere(shown, table):
    everything = " ".join(text for labels in shown.values() for text in labels.values())
    words = set(WORD.findall(everything))

    for number, cells in enumerate(example_tables()[table]):
        own = {
            value for value in cells.values() if isinstance(value, str) and WORD.fullmatch(value)
        }
        if table == "targets":
            assert amount_in(cells["value"], everything), number
        elif own:
            assert own & words, (number, cells)


def test_a_plan_of_several_municipalities_names_each_of_them(shown):
    plan = shown["21-plan-schedule"]

    for label in ("tbl-projects", "tbl-organisation", "tbl-events", "tbl-plan-phases"):
        for code, name in zip(CODES, NAMES, strict=True):
            assert (name.casefold() in plan[label]) == (code in REPORTED), (label, name)


def test_a_municipality_whose_grants_are_told_by_scheme_has_them_in_its_table(shown):
    grants = [cells for cells in example_tables()["grants"] if cells["kind"] == "granted"]
    own = [
        cells for cells in grants if cells["municipality_code"] == "0301" and cells["amount_nok"]
    ]

    assert own
    assert all(cells["scheme_id"] for cells in own)
    assert "ingen opplysninger" not in shown["01-context-oslo"]["tbl-grants"]


def test_an_indicator_of_nobody_stands_with_its_target_in_each_municipality(shown):
    tables = example_tables()
    aimed = {cells["indicator_id"]: cells["value"] for cells in tables["targets"]}
    shared = [cells for cells in tables["indicators"] if cells["municipality_code"] is None]
    shared = [cells for cells in shared if cells["indicator_id"] in aimed]

    assert shared
    for cells in shared:
        for name in ("oslo", "horten", "trondheim"):
            table = shown[f"05-indicators-{name}"]["tbl-indicators"]
            assert cells["name"] in table
            assert amount_in(aimed[cells["indicator_id"]], table)
