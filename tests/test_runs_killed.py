"""Killed at any moment, a run goes on from there and ends with the same bytes.

Four random moments by default; ``EVALKIT_KILL_MOMENTS=50`` for fifty.
"""

import contextlib
import json
import os
import random
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

MOMENTS = int(os.environ.get("EVALKIT_KILL_MOMENTS", "4"))
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
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    assert begin(study).communicate()[0].startswith(("5", "4", "3", "2", "1"))
    assert contents(study) == undisturbed[0]
