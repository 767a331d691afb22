"""The same inputs give the same bytes: tables, records, figures, pages and PDF, wherever and whenever."""

import os
import subprocess
import sys

import pytest
from small_project import write_small_project

ELSEWHERE = {
    "TZ": "Pacific/Auckland",
    "LC_ALL": "tr_TR.UTF-8",  # where it is not installed, the system falls back to C
    "LANG": "tr_TR.UTF-8",
    "PYTHONHASHSEED": "4711",
    "MPLBACKEND": "Agg",
    "COLUMNS": "20",
    "OMP_NUM_THREADS": "2",
}


def report(root, *, change=None, workers="1"):
    """The bytes of all that a report of the small study is made of and ends in."""
    project = write_small_project(root)
    options = ["--engine", "embedded", "--workers", workers]
    for arguments in ([], ["--municipality", "Horten", "--to", "html,pdf,docx"]):
        done = subprocess.run(
            [sys.executable, "-m", "evalkit.cli", "report", "lite", *arguments, *options],
            cwd=project,
            env=os.environ | (change or {}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    folders = [project / "data" / "processed", project / "reports"]
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".log" and path.name != ".lock"
    }


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return report(tmp_path_factory.mktemp("here"))


def test_another_time_zone_locale_folder_and_hash_seed_change_no_byte(here, tmp_path):
    there = report(tmp_path, change=ELSEWHERE, workers="2")

    assert sorted(there) == sorted(here)
    assert [name for name in here if there[name] != here[name]] == []


def test_what_is_compared_has_every_kind_of_result(here):
    kinds = {name.rpartition(".")[2] for name in here}

    assert {"parquet", "ipynb", "json", "html", "pdf", "docx"} <= kinds
