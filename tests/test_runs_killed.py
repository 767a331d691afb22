"""Killed at any moment, a run goes on from there and ends with the same bytes.

Twenty-five random moments by default (``EVALKIT_KILL_MOMENTS``), as in test_commands_killed.py.
"""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from runs_study import SmallStudy

from evalkit.runs.zygote import can_fork

pytestmark = pytest.mark.skipif(not can_fork(), reason="this system cannot fork")

MOMENTS = int(os.environ.get("EVALKIT_KILL_MOMENTS", "25"))
PLACES = ("oslo", "horten", "siljan", "selbu", "verdal", "nome")
WORK = "import time\ntime.sleep(0.2)\nprint('x' * 50_000)"
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from test_runs_killed import all_jobs
from runs_study import SmallStudy
study = SmallStudy(Path(sys.argv[2]))
print("begun", flush=True)
summary = study.run(*all_jobs(study), preload=("json",))
print(*(event.text + "\\n" for event in study.events if event.kind == "notice"), sep="", end="")
print(summary)
"""


def all_jobs(study):
    return [study.job("01-work", place, sources=(WORK,)) for place in PLACES]


def begin(study):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(study.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout.readline() == "begun\n"
    return process


def contents(study):
    return {
        job.output.name: job.output.read_bytes() for job in all_jobs(study) if job.output.exists()
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The bytes of a run that nobody disturbs, and how many seconds it takes."""
    study = SmallStudy(tmp_path_factory.mktemp("undisturbed"))
    all_jobs(study)
    start = time.monotonic()
    process = begin(study)
    assert process.communicate()[0] == f"{len(PLACES)} notebooks made\n"
    return contents(study), time.monotonic() - start


def victims(process, who):
    """The run itself, its warmed process, or a notebook's."""
    with contextlib.suppress(psutil.NoSuchProcess):
        run = psutil.Process(process.pid)
        if who == "run":
            return [run]
        if who == "zygote":
            return run.children()
        return [child for zygote in run.children() for child in zygote.children()]
    return []


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_run_killed_at_a_random_moment_ends_with_the_same_bytes(tmp_path, undisturbed, moment):
    expected, seconds = undisturbed
    chance = random.Random(moment)
    who = ("run", "zygote", "notebook")[moment % 3]
    study = SmallStudy(tmp_path)
    all_jobs(study)
    process = begin(study)
    time.sleep(chance.uniform(0.0, seconds))
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    for victim in victims(process, who):
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.send_signal(signal.SIGKILL)
    process.communicate()

    partial = contents(study)
    assert {name: expected[name] for name in partial} == partial
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []

    again = begin(study)
    said = again.communicate()[0]
    assert "failed" not in said
    assert contents(study) == expected
    records = [json.loads(path.read_text()) for path in study.runs_dir.glob("*.json")]
    assert [record["record"]["state"] for record in records] == ["made"] * len(PLACES)
    assert list(study.root.rglob("*.evalkit-tmp")) == []


def test_an_interrupted_run_stops_its_processes_and_goes_on_later(tmp_path, undisturbed):
    study = SmallStudy(tmp_path)
    all_jobs(study)
    process = begin(study)
    while not contents(study):
        time.sleep(0.05)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    process.communicate()

    assert process.returncode != 0
    (log,) = (study.runs_dir / "logs").iterdir()
    last = log.read_text(encoding="utf-8").splitlines()[-1]
    assert re.search(r"\tbroken off\t\d of 6 done\tKeyboardInterrupt$", last)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    assert begin(study).communicate()[0].startswith(("5", "4", "3", "2", "1"))
    assert contents(study) == undisturbed[0]


def test_the_log_of_a_killed_run_says_what_was_being_run(tmp_path):
    study = SmallStudy(tmp_path)
    all_jobs(study)
    process = begin(study)
    while not contents(study):
        time.sleep(0.01)
    process.kill()
    process.communicate()

    (log,) = (study.runs_dir / "logs").iterdir()
    lines = [line.split("\t")[1:] for line in log.read_text(encoding="utf-8").splitlines()]
    started = {line[1] for line in lines if line[0] == "started"}
    ended = {line[1] for line in lines if line[0] in ("made", "failed")}
    assert started - ended
    assert lines[-1][0] != "ended"
    assert lines[0] == ["begun", f"{len(PLACES)} to run, process {process.pid}"]


def zygotes(process):
    """The warmed process of a run, where it has one just now."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [
            child
            for child in psutil.Process(process.pid).children()
            if any("evalkit.runs.zygote" in word for word in child.cmdline())
        ]
    return []


def kill(victims):
    for victim in victims:
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()


def test_a_warmed_process_may_be_killed_again_and_again(tmp_path, undisturbed):
    """Killed each time when notebooks run in it, so that none of them is left in peace twice."""
    study = SmallStudy(tmp_path)
    all_jobs(study)
    process = begin(study)
    killed = set()
    while process.poll() is None and len(killed) < 4:
        for zygote in zygotes(process):
            with contextlib.suppress(psutil.NoSuchProcess):
                if zygote.pid not in killed and zygote.children():
                    killed.add(zygote.pid)
                    zygote.kill()
        time.sleep(0.01)
    said = process.communicate()[0]

    assert len(killed) == 4
    assert said.endswith(f"{len(PLACES)} notebooks made\n")
    assert contents(study) == undisturbed[0]


def test_a_process_killed_during_its_very_first_warming_is_warmed_again(tmp_path, undisturbed):
    study = SmallStudy(tmp_path)
    all_jobs(study)
    process = begin(study)
    while not (first := zygotes(process)):
        time.sleep(0.001)
    kill(first)
    said = process.communicate()[0]

    assert said == f"{len(PLACES)} notebooks made\n"
    assert contents(study) == undisturbed[0]


def test_a_warmed_process_that_cannot_live_gives_way_to_papermill_and_it_is_said_once(
    tmp_path, undisturbed
):
    study = SmallStudy(tmp_path)
    all_jobs(study)
    process = begin(study)
    while not victims(process, "notebook"):
        time.sleep(0.01)
    while process.poll() is None:
        kill(zygotes(process))
        time.sleep(0.01)
    said = process.communicate()[0]

    assert said == (
        "using papermill's own engine, which is slower: "
        f"it ended while it was being warmed, 3 times\n{len(PLACES)} notebooks made\n"
    )
    assert contents(study) == undisturbed[0]
    again = begin(study)
    assert again.communicate()[0] == f"0 notebooks made, {len(PLACES)} up to date\n"
