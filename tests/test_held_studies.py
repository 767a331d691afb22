"""A study is held while it is processed, run and rendered; what is not its result is refused."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from small_project import write_small_project
from studies import TABLES, write_study

from evalkit.cli import main
from evalkit.errors import ConfigError
from evalkit.processing import process_files
from evalkit.runs.lock import study_lock
from evalkit.studies import Project, run_study, study_held, study_jobs, study_states, tables_read

OUTPUT = Path("reports") / "lite" / "notebooks" / "06-attainment-horten.ipynb"
RENDER = ["render", "lite", "--engine", "embedded"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project, as the current folder."""
    monkeypatch.chdir(write_small_project(tmp_path))
    return tmp_path


def judge(root, judgement):
    path = root / "data" / "raw" / "lite" / "attainment.csv"
    text = path.read_text("utf-8")
    for word in ("partly_reached", "not_reached", "reached"):
        text = text.replace(f",{word},", f",{judgement},")
    path.write_text(text, "utf-8")


def started(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "evalkit.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_what_changes_while_a_run_waits_for_another_is_in_its_results(project):
    main(["run", "lite"])
    runs = project / "data" / "processed" / "lite" / "runs"
    codes = []
    waiting = threading.Thread(target=lambda: codes.append(main(["run", "lite"])))
    with study_lock(runs):
        waiting.start()
        time.sleep(1)
        judge(project, "reached")
    waiting.join()

    assert codes == [0]
    assert "delvis nådd" not in (project / OUTPUT).read_text("utf-8")
    files = Project(project)
    states = study_states(files, process_files(files.files("lite")))
    assert [state.state for state in states] == ["fresh", "fresh"]


def test_a_file_that_changes_after_it_was_processed_fails_the_runs_made_of_it(project):
    place = Project(project)
    with study_held(place, "lite") as read:
        judge(project, "reached")
        summary = run_study(place, read, workers=1)

    assert {result.reason for result in summary.failed} == {
        "data/raw/lite/attainment.csv changed while the notebook ran; run it again"
    }
    assert not (project / OUTPUT).exists()
    assert main(["run", "lite"]) == 0


def test_a_processed_table_that_changes_under_a_run_fails_it(project):
    place = Project(project)
    with study_held(place, "lite") as read:
        table = place.processed / "lite" / "attainment.parquet"
        table.write_bytes(table.read_bytes()[:-1])
        summary = run_study(place, read, workers=1)

    assert len(summary.failed) == 2
    assert main(["run", "lite"]) == 0


def test_two_renders_at_once_both_end_well(project):
    main(["run", "lite"])
    both = [started(*RENDER), started(*RENDER)]

    said = [process.communicate() for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    assert "nothing has changed" in said[0][0] + said[1][0]


def test_who_holds_the_study_is_said_to_who_waits(project):
    main(["run", "lite"])
    with study_lock(project / "data" / "processed" / "lite" / "runs"):
        other = started("run", "lite")
        assert other.stderr.readline().startswith(
            f"waiting for another run of this study: process {os.getpid()} on "
        )
    other.communicate()
    assert other.returncode == 0


def test_a_notebook_that_no_run_makes_any_more_stops_the_book(project, capsys):
    main(["run", "lite"])
    (project / "notebooks" / "06-attainment.ipynb").rename(project / "notebooks" / "07-new.ipynb")
    main(["run", "lite"])
    capsys.readouterr()

    assert main(RENDER) == 1
    assert f"{OUTPUT}: made by no run of the study; name its notebook in study.toml" in (
        capsys.readouterr().err
    )
    assert main([*RENDER, "--allow-incomplete"]) == 0
    page = (project / "reports" / "lite" / "_book" / "horten.html").read_text("utf-8")
    assert "Ufullstendig" in page


def test_a_result_that_was_never_made_is_said_to_be_missing_in_an_incomplete_book(
    project,
    capsys,
):
    text = (project / "notebooks" / "06-attainment.ipynb").read_text("utf-8")
    (project / "notebooks" / "06-attainment.ipynb").write_text(
        text.replace("import evalkit as ek", "import evalkit as ek; 1 / 0"), "utf-8"
    )

    assert main(["report", "lite", "--engine", "embedded", "--allow-incomplete"]) == 1

    page = (project / "reports" / "lite" / "_book" / "horten.html").read_text("utf-8")
    assert "Mangler: beregningen bak er ikke gjort, eller den stanset." in page
    assert "Ufullstendig" in page
    capsys.readouterr()
    assert main(RENDER) == 1
    assert "06-attainment-horten: failed, ZeroDivisionError" in capsys.readouterr().err
    (project / "notebooks" / "06-attainment.ipynb").write_text(text, "utf-8")
    assert main(["report", "lite", "--engine", "embedded"]) == 0
    page = (project / "reports" / "lite" / "_book" / "horten.html").read_text("utf-8")
    assert "Mangler" not in page


@pytest.mark.parametrize(
    "folder",
    [
        *("data/processed", "data/processed/lite", "data/processed/lite/runs"),
        *("data/processed/lite/runs/logs", "reports/lite/notebooks", "reports/lite/_book"),
        *("reports/lite/_kommune", "reports/lite/.evalkit-cache"),
        "reports/lite/.evalkit-cache/reading",
    ],
)
@pytest.mark.parametrize("within", [True, False])
def test_nothing_is_written_through_a_link_in_place_of_a_folder(
    project,
    capsys,
    folder,
    within,
):
    elsewhere = project / "elsewhere" if within else project.with_name(f"{project.name}-outside")
    elsewhere.mkdir()
    (elsewhere / "own.parquet").write_bytes(b"another's")
    link = project / folder
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere)
    shown = "elsewhere" if within else elsewhere  # the command tells paths from where it runs

    for command in (["run", "lite"], RENDER, ["report", "lite", "--all"], ["status", "lite"]):
        assert main(command) == 1
        told = capsys.readouterr().err
        assert f"{folder} is a symbolic link, to {shown}; expected plain folders" in told

    assert [path.name for path in elsewhere.iterdir()] == ["own.parquet"]


def test_a_lock_or_a_copied_style_that_is_a_link_is_not_followed(project, capsys):
    own = project / "own.txt"
    own.write_text("mine", "utf-8")
    style = project / "reports" / "lite" / "evalkit.csl"
    style.symlink_to(own)
    assert main(["run", "lite"]) == 0
    assert not style.is_symlink()
    lock = project / "data" / "processed" / "lite" / "runs" / ".lock"
    lock.unlink()
    lock.symlink_to(own)

    assert main(["run", "lite"]) == 1

    assert "runs/.lock: a symbolic link, which is not followed" in capsys.readouterr().err
    assert own.read_text("utf-8") == "mine"


@pytest.mark.parametrize("name", ["../other", "..", "a/b", "/tmp/x", "Lite", ""])
@pytest.mark.parametrize("command", ["run", "check", "facts", "status", "render", "report", "new"])
def test_a_study_is_a_plain_folder_name_to_every_command(project, capsys, command, name):
    before = sorted(project.parent.rglob("*"))

    assert main([command, name]) == 1

    assert f"study {name!r}: expected a folder name" in capsys.readouterr().err
    assert sorted(project.parent.rglob("*")) == before


def test_a_study_that_is_not_there_leaves_no_folder_behind(project, capsys):
    assert main(["run", "lit"]) == 1

    assert "studies in data/raw: lite" in capsys.readouterr().err
    assert not (project / "data" / "processed").exists()


def test_a_damaged_record_of_processing_is_made_again(project):
    files = Project(project).files("lite")
    process_files(files)
    whole = files.record.read_bytes()
    damaged = [whole[:100], b"", b"[]", b'{"record": {}, "seal": ""}']
    damaged += [
        whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        for place in range(5, len(whole), len(whole) // 40)
    ]

    for content in damaged:
        files.record.write_bytes(content)
        process_files(files)
        assert files.record.read_bytes() == whole


def test_what_a_killed_processing_left_is_swept_and_tables_can_be_read_by_others(
    project,
):
    files = Project(project).files("lite")
    folder = files.processed / "lite"
    folder.mkdir(parents=True)
    (folder / ".goals.parquet.12345678.evalkit-tmp").write_bytes(b"half")

    process_files(files)

    assert list(folder.glob(".*")) == []
    umask = os.umask(0)
    os.umask(umask)
    assert (folder / "goals.parquet").stat().st_mode & 0o777 == 0o666 & ~umask


def test_checked_tables_do_not_stay_in_memory(project):
    read = process_files(Project(project).files("lite"))

    assert read.tables._read == {}
    assert list(read.tables["goals"]["goal_id"]) == ["anchored"]


def test_all_that_cannot_be_read_is_told_at_once(project, capsys):
    raw = write_study(project, goals=[TABLES["goals"][0] | {"kind": "dream"}])
    (raw / "events.csv").unlink()
    (raw / "events.csv").mkdir()
    (raw / "sources.bib").unlink()

    assert main(["check", "lite"]) == 1

    told = capsys.readouterr().err
    assert "cannot be read: a folder, not a file" in told
    assert "dream" in told
    assert "sources.bib is not there" in told


def notebook(path, *sources):
    cells = [
        {
            "cell_type": "code",
            "source": source,
            "metadata": {"tags": ["parameters"] if number == 0 else []},
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(['municipality_code: str = "0301"', *sources])
    ]
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}), "utf-8")
    return path


@pytest.mark.parametrize(
    "source",
    [
        "from evalkit import read_processed as rp\nrp('goals', study, processed_dir)",
        "read = ek.read_processed\nread('goals', study, processed_dir)",
        "list(map(ek.processed_parts, names))",
    ],
)
def test_a_reading_function_by_another_name_is_refused(tmp_path, source):
    with pytest.raises(ConfigError, match="expected a call by the function's own name"):
        tables_read(notebook(tmp_path / "x.ipynb", source))


@pytest.mark.parametrize(
    "sources",
    [
        ["ek.read_processed('goals', study, processed_dir, '3801')"],
        ["ek.read_processed('goals', study, processed_dir, other.municipality_code)"],
        ["ek.read_processed('goals', study, processed_dir, municipality_code=codes[0])"],
        [
            "municipality_code = '3801'",
            "ek.read_processed('goals', study, processed_dir, municipality_code)",
        ],
    ],
)
def test_rows_of_another_municipality_make_a_notebook_depend_on_the_whole_table(tmp_path, sources):
    assert tables_read(notebook(tmp_path / "x.ipynb", *sources)) == {"goals": True}


def test_a_notebook_depends_on_the_processed_tables_that_it_reads(project):
    place = Project(project)

    first, *_ = study_jobs(place, process_files(place.files("lite")))

    assert {"attainment.parquet", "goals.parquet", "municipalities.parquet"} <= {
        path.name for path in first.made
    }


def test_a_large_study_is_made_in_a_process_of_its_own_to_the_same_bytes(project, monkeypatch):
    files = Project(project).files("lite")
    process_files(files)
    expected = {path.name: path.read_bytes() for path in (files.processed / "lite").glob("*.*")}
    shutil.rmtree(files.processed)
    monkeypatch.setattr("evalkit.processing.LARGE", 0)

    read = process_files(files)

    made = {path.name: path.read_bytes() for path in (files.processed / "lite").glob("*.*")}
    assert made == expected
    assert list(read.tables["goals"]["goal_id"]) == ["anchored"]


def test_what_stops_a_large_study_is_told_as_in_a_small_one(project, monkeypatch, capsys):
    write_study(project, goals=[TABLES["goals"][0] | {"kind": "dream"}])
    assert main(["run", "lite"]) == 1
    small = capsys.readouterr().err
    monkeypatch.setattr("evalkit.processing.LARGE", 0)

    assert main(["run", "lite"]) == 1

    assert capsys.readouterr().err == small
    assert "dream" in small
