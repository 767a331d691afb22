"""The notebooks run for a municipality with everything, one with almost nothing, and Oslo."""

import csv
import json
import re
import shutil

import pytest
from conftest import PROJECT
from studies import SETTINGS, write_study

from evalkit.demo import write_demo
from evalkit.municipality_reports import short_report_jobs
from evalkit.readers import read_study
from evalkit.studies import Project, process_study, run_study, study_jobs, study_states

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
# Those that a study without answers, counts and codings can run.
OF_PUBLISHED = [
    path.stem
    for path in NOTEBOOKS
    if 'study: str = \\"demo' not in path.read_text(encoding="utf-8") and path.name[:2] != "00"
]
PUBLISHED_SETTINGS = SETTINGS.replace(
    "[[parts]]", f"notebooks = {json.dumps(OF_PUBLISHED)}\n\n[[parts]]", 1
)


def project_with(tmp_path, study):
    """A project of its own with the real notebooks and one study."""
    shutil.copytree(PROJECT / "notebooks", tmp_path / "notebooks")
    (tmp_path / "reports" / study).mkdir(parents=True)
    return Project(tmp_path)


def outputs(project, study):
    return sorted(p.name for p in (project.report(study) / "notebooks").glob("*.ipynb"))


def test_oslo_and_a_municipality_with_almost_nothing_run_all_notebooks(tmp_path):
    write_study(tmp_path, settings=PUBLISHED_SETTINGS)
    project = project_with(tmp_path, "lite")
    read = process_study(project, "lite")

    summary = run_study(project, read)

    assert [result.reason for result in summary.failed] == []
    assert "01-context-oslo.ipynb" in outputs(project, "lite")
    text = (project.report("lite") / "notebooks" / "01-context-oslo.ipynb").read_text("utf-8")
    assert 'municipality_code = \\"0301\\"' in text
    assert {state.state for state in study_states(project, read)} == {"fresh"}


def test_the_pilot_runs_all_its_notebooks_and_shows_no_number_that_its_rows_do_not_have(tmp_path):
    shutil.copytree(PROJECT / "data" / "raw" / "pilot", tmp_path / "data" / "raw" / "pilot")
    project = project_with(tmp_path, "pilot")
    read = process_study(project, "pilot")

    summary = run_study(project, read)

    assert [result.reason for result in summary.failed] == []
    made = outputs(project, "pilot")
    assert "04-logic-model-horten-skolenaervaer.ipynb" in made
    for name in made:
        cells = json.loads((project.report("pilot") / "notebooks" / name).read_text("utf-8"))
        shown = [o for cell in cells["cells"] for o in cell.get("outputs", [])]
        assert not any("text/html" in output.get("data", {}) for output in shown)
        assert str(tmp_path) not in json.dumps(cells)
    chapters = read.tables["municipalities"].set_index("municipality_code")["slug"]
    slugs = {code: chapters[code] for code in read.settings.municipality_codes}
    for slug in slugs.values():
        computed = {f"tbl-grants-{slug}"}  # per inhabitant
        assert tables_with_numbers_of_their_own(project, slug, slugs) == computed


NUMBER = re.compile(r"\d+(?:[ \u00a0]\d{3})*(?:[.,]\d+)?")


def number(text):
    return float(re.sub(r"[ \u00a0]", "", text).replace(",", "."))


def tables_with_numbers_of_their_own(project, slug, slugs):
    """Labels of a municipality's tables with a number that no row of it, or of nobody, has."""
    others = [name for code, own in slugs.items() if own != slug for name in (own, code)]
    not_own = re.compile(rf"\b(?:{'|'.join([*others, 'trondheim', '5001'])})(?:\b|-)")
    read = set()
    for path in project.raw("pilot").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in list(csv.reader(file))[1:]:
                about = " ".join(row[:3])
                if slug in about or not not_own.search(about):
                    found = [text for cell in row for text in NUMBER.findall(cell)]
                    read |= {number(text) for text in found}
                    read |= {float(part) for text in found for part in re.findall(r"\d+", text)}
    labels = set()
    for path in (project.report("pilot") / "notebooks").glob(f"*-{slug}*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            label = re.search(r"#\| label: (tbl-\S+)", "".join(cell["source"]))
            for output in cell.get("outputs", []) if label else []:
                text = "".join(output["data"].get("text/markdown", ""))
                text = re.sub(r"\[[^\]]*\]\{\.kilde\}|@[\w-]+", "", text)
                if any(number(shown) not in read for shown in NUMBER.findall(text)):
                    labels.add(label[1])
    return labels


def test_the_demo_runs_all_its_notebooks_and_every_caption_says_synthetic(tmp_path):
    write_demo(tmp_path / "data" / "raw" / "demo", municipality_count=1, area_count=24)
    project = project_with(tmp_path, "demo")
    read = process_study(project, "demo")

    summary = run_study(project, read)

    assert [result.reason for result in summary.failed] == []
    made = sorted((project.report("demo") / "notebooks").glob("*.ipynb"))
    assert len(made) == len(read.settings.notebooks)
    for path in made:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        options = ["".join(cell["source"]).splitlines() for cell in cells]
        captions = [
            line for lines in options for line in lines if re.match(r"#\| (tbl|fig)-cap", line)
        ]
        assert captions
        assert all("syntetisk" in caption for caption in captions), path.name


def test_municipality_notebooks_run_per_municipality_and_the_others_once(tmp_path):
    write_study(tmp_path, settings=PUBLISHED_SETTINGS)
    project = project_with(tmp_path, "lite")
    read = read_study(project.raw("lite"))

    names = [job.output.name for job in study_jobs(project, read)]

    assert names.count("07-programme.ipynb") == 1
    assert [n for n in names if n.startswith("01-context")] == [
        "01-context-oslo.ipynb",
        "01-context-horten.ipynb",
    ]
    assert not any(n.startswith("00-") for n in names)


def test_a_study_with_answers_is_always_audited_and_one_without_never(tmp_path):
    folder = write_demo(tmp_path / "data" / "raw" / "demo", municipality_count=1, area_count=8)
    settings = (folder / "study.toml").read_text(encoding="utf-8")
    (folder / "study.toml").write_text(settings.replace('  "18-disclosure",\n', ""), "utf-8")
    write_study(tmp_path, settings=PUBLISHED_SETTINGS)
    project = project_with(tmp_path, "demo")
    read = read_study(project.raw("demo"))

    audited = [job.output.name for job in study_jobs(project, read)]
    short = [job.output.name for job in short_report_jobs(project, read, [])]
    without = study_jobs(project, read_study(project.raw("lite")))

    assert "18-disclosure.ipynb" not in read.settings.notebooks
    assert audited.count("18-disclosure.ipynb") == 1
    assert short == ["18-disclosure.ipynb"]
    assert "18-disclosure.ipynb" not in {job.output.name for job in without}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_thin_and_committed_without_outputs(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]

    assert all(not c.get("outputs") for c in notebook["cells"])
    assert all(c.get("execution_count") is None for c in notebook["cells"])
    assert sum("parameters" in c["metadata"].get("tags", []) for c in notebook["cells"]) == 1
    lines = [line for cell in code for line in cell.splitlines()]
    assert not any(line.startswith(("def ", "class ", "for ", "while ")) for line in lines)
    assert "data/raw" not in "\n".join(line for line in lines if "# folder" not in line)
