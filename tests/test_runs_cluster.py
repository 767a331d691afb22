"""Runs on a dask cluster: the same results, a lost worker's work done again."""

import os
import signal
import threading
import time

import pytest
from runs_study import FRESH, SmallStudy

from evalkit.errors import ConfigError, RunError
from evalkit.runs.zygote import can_fork

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(not can_fork(), reason="this system cannot fork")

PLACES = ("oslo", "horten", "siljan", "selbu")
SLOW = (
    "import os, time\nfrom pathlib import Path\n"
    "with open('../started', 'a') as file:\n    file.write('x')\ntime.sleep(1)"
)


@pytest.fixture
def study(tmp_path):
    return SmallStudy(tmp_path)


@pytest.fixture
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs="ERROR"
    ) as cluster:
        yield cluster


def seen(happened, seconds=120):
    """Wait until something has happened; False where it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happened():
            return True
        time.sleep(0.05)
    return False


def test_a_cluster_leaves_the_same_bytes_and_records(study):
    jobs = [study.job(place=place) for place in PLACES]
    study.run(*jobs, preload=FRESH)
    here = [job.output.read_bytes() for job in jobs]
    for path in study.runs_dir.glob("*.json"):
        path.unlink()
    bad = study.job("05-anchoring", sources=("raise ValueError('x')",))
    summary = study.run(*jobs, bad, cluster="local:2", preload=FRESH)

    assert str(summary) == "4 notebooks made, 1 failed"
    assert [job.output.read_bytes() for job in jobs] == here
    assert study.states(*jobs, bad) == [*[("fresh", "")] * 4, ("failed", "ValueError: x")]
    finished = [event for event in study.events if event.kind == "finished"]
    assert finished[-1].done_count == 5


def test_the_work_of_a_killed_worker_is_done_again(study, cluster):
    jobs = [study.job("01-slow", place, sources=(SLOW,)) for place in PLACES]
    victim = next(iter(cluster.workers.values())).pid

    def kill():
        if seen(lambda: (study.root / "started").exists()):
            os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    summary = study.run(*jobs, cluster=cluster.scheduler_address, preload=FRESH)
    killer.join()

    assert str(summary) == "4 notebooks made"
    assert study.states(*jobs) == [("fresh", "")] * 4


def test_a_lost_scheduler_leaves_a_run_that_goes_on_here(study, cluster):
    jobs = [study.job("01-slow", place, sources=(SLOW,)) for place in PLACES]

    def close():
        if seen(lambda: any(job.output.exists() for job in jobs)):
            cluster.close()

    closer = threading.Thread(target=close)
    closer.start()
    with pytest.raises(RunError, match=r"is lost; .* finished notebooks are kept"):
        study.run(*jobs, cluster=cluster.scheduler_address, preload=FRESH)
    closer.join()
    kept = sum(job.output.exists() for job in jobs)
    summary = study.run(*jobs, preload=FRESH)

    assert kept >= 1
    assert summary.count("fresh") == kept
    assert summary.count("made") == len(jobs) - kept


def test_nobody_at_an_address_is_said(study, monkeypatch):
    monkeypatch.setattr("evalkit.runs.cluster.CONNECT_SECONDS", 1)

    with pytest.raises(ConfigError, match="no dask scheduler answers at"):
        study.run(study.job(), cluster="tcp://127.0.0.1:9")
