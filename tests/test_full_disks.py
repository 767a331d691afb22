"""A disk that is full or may only be read: one clear line, old results as they were, and on later.

The project lies on a small disk of its own, which is filled until less and less is left.
"""

import os
import subprocess
import sys

import pytest
from small_project import write_small_project

pytestmark = pytest.mark.skipif(
    os.name == "nt" or os.geteuid() != 0, reason="only root may mount a small disk"
)

REPORT = ("report", "lite", "--engine", "embedded", "--workers", "1")
LEFT_KB = (0, 4, 12, 24, 40, 64, 96, 160, 256)  # the report takes some 500


@pytest.fixture
def project(tmp_path):
    """A small project on a disk of four megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=False)
    if made.returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        yield write_small_project(disk)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def evalkit(project, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "evalkit.cli", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )


def results(project):
    """All that a report is made of: processed tables, records, notebooks, pages."""
    folders = [project / "data" / "processed" / "lite", project / "reports" / "lite"]
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".log" and path.name != ".lock"
    }


def of_readers(made):
    """What readers of the report see."""
    return {name: content for name, content in made.items() if "/_book/" in name}


def judge(project, judgement):
    path = project / "data" / "raw" / "lite" / "attainment.csv"
    text = path.read_text("utf-8")
    path.write_text(text.replace("partly_reached", judgement), "utf-8")


def fill(project, left_kb):
    """Take all room but some kilobytes."""
    free = os.statvfs(project)
    with open(project / "ballast", "wb") as file:
        file.write(b"\0" * max(0, free.f_bavail * free.f_frsize - left_kb * 1024))


def check_told(done, *, line):
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert line in done.stderr
    assert str(done.stderr).count("Error: ") <= 1


def test_a_disk_that_fills_at_any_step_leaves_the_old_report_and_the_next_run_mends_it(project):
    assert evalkit(project, *REPORT).returncode == 0
    old = of_readers(results(project))
    judge(project, "reached")
    stopped = 0
    for left in LEFT_KB:
        fill(project, left)
        done = evalkit(project, *REPORT)
        (project / "ballast").unlink()
        if done.returncode == 0:
            break
        stopped += 1
        check_told(done, line="the disk is full")
        assert of_readers(results(project)) == old, f"{left} KB left"
    assert stopped >= 4

    assert evalkit(project, *REPORT).returncode == 0

    made = results(project)
    assert of_readers(made) != old
    assert not [name for name in made if "tmp" in name or "/._" in name]
    clean = results_of_another(project)
    assert {name: made[name] for name in clean} == clean


def results_of_another(project):
    """The report of a project that nothing has happened to, in the same folder's place."""
    kept = results(project)
    for folder in ("data/processed", "reports/lite/notebooks", "reports/lite/_book"):
        subprocess.run(["rm", "-rf", str(project / folder)], check=True)
    subprocess.run(["rm", "-rf", str(project / "reports" / "lite" / ".evalkit-cache")], check=True)
    assert evalkit(project, *REPORT).returncode == 0
    made = results(project)
    assert set(made) == set(kept)
    return made


@pytest.mark.parametrize("command", [REPORT, ("run", "lite"), (*REPORT, "--all")])
def test_a_project_that_may_only_be_read_is_told_in_a_line(project, command):
    subprocess.run(["mount", "-o", "remount,ro", project], check=True)

    done = evalkit(project, *command)

    check_told(done, line="the disk may only be read; make it writable, then run the same command")


@pytest.mark.parametrize("folder", ["data/processed/lite", "reports/lite"])
def test_a_folder_that_may_only_be_read_is_named_and_its_results_stay(project, folder):
    assert evalkit(project, *REPORT).returncode == 0
    old = results(project)
    judge(project, "reached")
    place = project / folder
    subprocess.run(["mount", "--bind", place, place], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
    try:
        done = evalkit(project, *REPORT)
    finally:
        subprocess.run(["umount", place], check=True)

    check_told(done, line="the disk may only be read")
    assert folder in done.stderr
    assert of_readers(results(project)) == of_readers(old)
    assert evalkit(project, *REPORT).returncode == 0
