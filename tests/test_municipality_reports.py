"""Short reports of all municipalities: a killed process, or a killed command, costs nothing made."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import PROJECT
from studies import write_study
from test_short_report import BOOK

from evalkit import municipality_reports
from evalkit.cli import main

TEMPLATE = """# {name} {#sec-{slug}}

Tallene er hentet fra rapporten [@nf2024].

{{< embed notebooks/01-context-{slug}.ipynb#tbl-facts-{slug} >}}
"""
REPORT = ("report", "lite", "--all", "--to", "html,pdf", "--engine", "embedded", "--workers", "2")


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    """A project whose notebooks are run and whose two short reports are made, undisturbed."""
    root = tmp_path_factory.mktemp("made")
    write_study(root)
    (root / "notebooks").mkdir()
    for name in ("01-context", "16-claims"):
        shutil.copy(PROJECT / "notebooks" / f"{name}.ipynb", root / "notebooks")
    book = root / "reports" / "lite"
    book.mkdir(parents=True)
    (book / "_quarto.yml").write_text(BOOK.replace("horten.qmd", "om.qmd"), encoding="utf-8")
    (book / "index.qmd").write_text("# Om {#sec-metode}\n", encoding="utf-8")
    (book / "om.qmd").write_text("# Mer\n", encoding="utf-8")
    (book / "_kommune.qmd").write_text(TEMPLATE, encoding="utf-8")
    assert main([*REPORT, "--project", str(root)]) == 0
    return root


@pytest.fixture
def project(made_once, tmp_path, monkeypatch):
    """A copy of it with nothing rendered yet, as the current folder."""
    root = tmp_path / "project"
    shutil.copytree(made_once, root)
    for name in ("_kommune", ".evalkit-cache"):
        shutil.rmtree(root / "reports" / "lite" / name)
    monkeypatch.chdir(root)
    return root


def reports(root):
    folder = root / "reports" / "lite" / "_kommune"
    return {p.name: p.read_bytes() for p in sorted(folder.glob("*")) if p.is_file()}


def half_made(root):
    return list((root / "reports" / "lite").glob("._*-*"))


def begin(root):
    return subprocess.Popen(
        [sys.executable, "-m", "evalkit.cli", *REPORT],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def renderers(process):
    """The processes that a command renders in."""
    found = []
    try:
        for child in psutil.Process(process.pid).children():
            if any("spawn_main" in word for word in child.cmdline()):
                found.append(child)
    except psutil.NoSuchProcess:
        pass
    return found


def wait_until_rendering(root, process):
    deadline = time.monotonic() + 60
    while not half_made(root):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_renderer_that_is_killed_costs_no_report(project, made_once):
    process = begin(project)
    wait_until_rendering(project, process)
    victims = renderers(process)
    victims[0].kill()
    said, _ = process.communicate()

    assert len(victims) == 2
    assert process.returncode == 0
    assert "2 short reports made" in said
    assert reports(project) == reports(made_once)


def test_reports_whose_process_dies_each_time_fail_with_the_reason(project):
    process = begin(project)
    while process.poll() is None:
        for renderer in renderers(process):
            renderer.kill()
        time.sleep(0.01)
    said, told = process.communicate()

    assert process.returncode == 1
    assert "kommune-oslo.qmd: its process died 2 times while it was rendered" in told
    assert "kommune-horten.qmd: its process died 2 times while it was rendered" in told
    assert "0 short reports made, 2 failed" in said


def test_a_killed_command_leaves_no_process_and_the_next_one_ends_with_the_same_bytes(
    project, made_once
):
    process = begin(project)
    wait_until_rendering(project, process)
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()

    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    expected = reports(made_once)
    assert {name: expected[name] for name in reports(project)} == reports(project)

    book = project / "reports" / "lite"
    (book / "._kommune-planted").mkdir()
    (book / ".evalkit-cache").mkdir(exist_ok=True)
    (book / ".evalkit-cache" / "._kommune-kommune-oslo.json.00ff.evalkit-tmp").write_text("half")
    others = book / ".evalkit-cache" / "._book.json.00ff.evalkit-tmp"
    others.write_text("of a book that may be rendered just now")

    assert main([*REPORT]) == 0
    assert reports(project) == expected
    assert half_made(project) == []
    assert list((book / ".evalkit-cache").glob("*.evalkit-tmp")) == [others]


@pytest.fixture
def texts_before(project, monkeypatch):
    """Reports are made one by one in this process; how many texts there are before each."""
    book = project / "reports" / "lite"
    there = []

    def one_by_one(function, calls, *, workers):
        for number, call in enumerate(calls):
            there.append(len(list(book.glob("kommune-*.qmd"))))
            yield number, function(*call)

    monkeypatch.setattr(municipality_reports, "results_side_by_side", one_by_one)
    for text in book.glob("kommune-*.qmd"):
        text.unlink()
    return there


def test_a_text_is_written_just_before_its_own_report_is_rendered(texts_before):
    assert main([*REPORT]) == 0
    assert texts_before == [0, 1]


def test_reports_are_told_as_json_in_one_document(project, capsys):
    assert main([*REPORT, "--json"]) == 0

    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["study"], told["fresh"], told["failed"]) == ("lite", 4, 0)
    by_name = {report["municipality"]: report for report in told["reports"]}
    assert by_name["3801 Horten"] == {
        "municipality": "3801 Horten",
        "error": "",
        "html": "reports/lite/_kommune/kommune-horten.html",
        "pdf": "reports/lite/_kommune/kommune-horten.pdf",
        "engine": "embedded",
        "pages": by_name["3801 Horten"]["pages"],
        "unchanged": False,
        "warnings": [],
    }
    assert sorted(by_name) == ["0301 Oslo", "3801 Horten"]
    assert "2 short reports made" in said.err


@pytest.mark.parametrize("damage", ["not JSON", "no right to read", "not UTF-8"])
def test_what_is_wrong_with_one_municipality_stops_its_report_only(
    texts_before, capsys, monkeypatch, damage
):
    write = municipality_reports._write_text
    raised = {
        "not JSON": ValueError("not JSON"),
        "no right to read": PermissionError(13, "Permission denied", "horten.qmd"),
        "not UTF-8": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    }[damage]

    def write_text(book_dir, draft):
        if draft.municipality.slug == "horten":
            raise raised
        return write(book_dir, draft)

    monkeypatch.setattr(municipality_reports, "_write_text", write_text)

    assert main([*REPORT]) == 1
    said = capsys.readouterr()
    assert "1 short report made, 1 failed" in said.out
    assert {
        "not JSON": "Error: ValueError: not JSON",
        "no right to read": "Error: horten.qmd: no permission",
        "not UTF-8": "Error: UnicodeDecodeError: ",
    }[damage] in said.err


def test_a_text_that_is_not_utf_8_is_named_before_anything_runs(project, capsys):
    Path("reports/lite/_kommune.qmd").write_bytes("# Bærum".encode("latin-1"))

    assert main([*REPORT]) == 1
    assert "reports/lite/_kommune.qmd: byte 4 is not UTF-8" in capsys.readouterr().err
