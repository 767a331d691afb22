"""The whole command, killed at random moments: readers never meet half of a report, and the next
call ends with the bytes of an undisturbed one.

Twenty-five random moments by default (``EVALKIT_KILL_MOMENTS``), as in test_runs_killed.py; a
command that goes on is killed too.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
from small_project import write_small_project

MOMENTS = int(os.environ.get("EVALKIT_KILL_MOMENTS", "25"))
KILLS = 3  # one after the other, each of a command that goes on from the one before
COMMANDS = {
    "report": ("report", "lite", "--engine", "embedded"),
    "short report": (
        *("report", "lite", "--municipality", "Horten", "--to", "html"),
        *("--engine", "embedded"),
    ),
    "run": ("run", "lite"),
}

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kill -9 is not to be had here")


def begin(project, what):
    return subprocess.Popen(
        [sys.executable, "-m", "evalkit.cli", *COMMANDS[what]],
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(project, what):
    process = begin(project, what)
    told = process.communicate()[1]
    assert process.returncode == 0, told


def results(project):
    """All that was made, without logs and the lock, by name."""
    folders = [project / "data" / "processed", project / "reports"]
    return {
        path.relative_to(project).as_posix(): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".log" and path.name != ".lock"
    }


def for_readers(made, what):
    """What is published: it must be whole at every moment."""
    folder = {"report": "/_book/", "short report": "/_kommune/", "run": "/notebooks/"}[what]
    return {name: content for name, content in made.items() if folder in name}


def judge(project, judgement):
    path = project / "data" / "raw" / "lite" / "attainment.csv"
    text = path.read_text("utf-8")
    path.write_text(text.replace("partly_reached", judgement), "utf-8")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """By command: a project with a report, its files, the files after a change, the seconds."""
    made = {}
    for what in COMMANDS:
        root = tmp_path_factory.mktemp("undisturbed") / "project"
        root.mkdir()
        write_small_project(root)
        finish(root, what)
        before = root.with_name("before")
        shutil.copytree(root, before, symlinks=True)
        old = results(root)
        judge(root, "reached")
        start = time.monotonic()
        finish(root, what)
        made[what] = before, old, results(root), time.monotonic() - start
    return made


@pytest.mark.parametrize("first", range(0, MOMENTS, KILLS))
def test_a_command_killed_again_and_again_leaves_whole_reports_and_goes_on(
    tmp_path, undisturbed, first
):
    what = sorted(COMMANDS)[first // KILLS % len(COMMANDS)]
    before, old, new, seconds = undisturbed[what]
    project = tmp_path / "project"
    shutil.copytree(before, project, symlinks=True)
    judge(project, "reached")
    for moment in range(first, min(first + KILLS, MOMENTS)):
        process = begin(project, what)
        time.sleep(random.Random(1000 + moment).uniform(0.0, seconds))
        family = []
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        _, alive = psutil.wait_procs(family, timeout=10)

        assert alive == []
        for name, content in for_readers(results(project), what).items():
            assert content in (old.get(name), new.get(name)), name

    finish(project, what)

    assert results(project) == new


@pytest.mark.parametrize(
    "which", ["--version", "lua", "-P"], ids=["asked its version", "reads the book", "sets the PDF"]
)
def test_a_process_killed_within_a_command_is_told_or_done_again(tmp_path, undisturbed, which):
    before, _, new, _ = undisturbed["report"]
    project = tmp_path / "project"
    shutil.copytree(before, project, symlinks=True)
    judge(project, "reached")
    process = begin(project, "report")
    killed = 0
    while process.poll() is None and not killed:
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                if which in child.cmdline()[1:3]:
                    child.kill()
                    killed += 1
                    break
        time.sleep(0.005)
    told = process.communicate()[1]

    assert killed
    assert process.returncode in (0, 1)
    assert "Traceback" not in told
    finish(project, "report")
    assert results(project) == new
