"""The run itself: which jobs, by whom, in what order of safety, and what is told about it."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from evalkit.errors import ConfigError, EvalkitError
from evalkit.files import remove_leftovers, says_why, write_whole
from evalkit.runs.environment import run_environment
from evalkit.runs.execute import Outcome, task_of
from evalkit.runs.jobs import Job, Place, checked_jobs, relative_name, run_place
from evalkit.runs.lock import study_lock
from evalkit.runs.progress import JobResult, RunEvent, RunSummary
from evalkit.runs.record import (
    Hashes,
    JobState,
    changed_since,
    hash_of_bytes,
    made_from_now,
    states_of,
    write_record,
)
from evalkit.runs.runners import Runners
from evalkit.settings import MEMORY_MB, TIMEOUT_SECONDS

__all__ = ["ENGINES", "job_states", "run_jobs"]

ENGINES = ("auto", "fork", "kernel", "papermill")


def job_states(
    jobs: Sequence[Job],
    *,
    project_dir: Path,
    study: str,
    code_paths: Iterable[Path] | None = None,
    output_dirs: Iterable[Path] | None = None,
    known: Mapping[Path, str | None] | None = None,
) -> list[JobState]:
    """What is fresh, stale, failed or never run, and why, without running anything.

    Parameters
    ----------
    jobs, project_dir, study, code_paths, output_dirs, known
        As for `run_jobs`.

    Raises
    ------
    ConfigError
        If a job cannot be run as it is asked for.
    """
    place = run_place(project_dir, study, output_dirs)
    checked = checked_jobs(jobs, place)
    hashes = Hashes(known)
    return states_of(checked, place, hashes, made_from_now(checked, place, hashes, code_paths))


def run_jobs(
    jobs: Sequence[Job],
    *,
    project_dir: Path,
    study: str,
    workers: int | None = None,
    engine: str = "auto",
    progress: Callable[[RunEvent], None] | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
    memory_mb: int = MEMORY_MB,
    log: Path | None = None,
    cluster: str | None = None,
    code_paths: Iterable[Path] | None = None,
    output_dirs: Iterable[Path] | None = None,
    preload: Sequence[str] | None = None,
    wait_for_others: bool = True,
    known: Mapping[Path, str | None] | None = None,
) -> RunSummary:
    """Run the jobs that are out of date, each in a process of its own.

    One job's failure is its own: its notebook with the error is kept as
    ``data/processed/<study>/runs/<output>.failed.ipynb``, never where the book embeds
    it, and the result of an earlier run stays where it is. Killed at any moment, the next
    call does what is left.

    Parameters
    ----------
    jobs
        What is wanted; those that are up to date are left alone.
    project_dir
        The project's folder; job paths may be relative to it.
    study
        The study's folder name.
    workers
        Notebooks at a time; by default as many as there are processors.
    engine
        ``"fork"``: IPython in a child forked from a warmed process. ``"kernel"``: a real
        kernel forked from it (widgets, comms). ``"papermill"``: papermill's own. ``"auto"``:
        ``"fork"`` where the system can, otherwise ``"papermill"``.
    progress
        Called with every `RunEvent`, from this thread.
    timeout_seconds, memory_mb
        Limits for one notebook: seconds, and megabytes beyond the libraries' own.
    log
        The run's log file; by default a new one under ``data/processed/<study>/runs/logs``
        for each run that has something to do. A line tells each start and each end; a log
        without a last line ``ended`` is of a run that was killed while it ran what it started.
    cluster
        Address of a dask scheduler, or ``"local:N"`` for one with N processes here.
    code_paths
        Modules the results depend on; by default evalkit's own.
    output_dirs
        Folders that may hold outputs; by default the study's ``reports`` and
        ``data/processed`` folders.
    preload
        Modules that are imported once, before a process is forked for each notebook; by
        default evalkit's own and the libraries for numbers, tables and figures.
    wait_for_others
        Wait while another process runs this study, or raise at once.
    known
        Content hashes of files, by absolute path, as they were when the data that the notebooks
        read were made of them. A file that is another by now fails the runs that depend on it.

    Returns
    -------
    RunSummary
        One result per job, in the order asked.

    Raises
    ------
    ConfigError
        If any job cannot be run as asked; nothing has then been run.
    RunError
        If another process runs the study and ``wait_for_others`` is False, or the cluster
        is lost.
    """
    if engine not in ENGINES:
        raise ConfigError(f"engine {engine!r}; expected one of: {', '.join(ENGINES)}")
    if workers is not None and workers < 1:
        raise ConfigError(f"workers: {workers}; expected 1 or more")
    place = run_place(project_dir, study, output_dirs)
    checked = checked_jobs(jobs, place)
    teller = _Teller(progress)
    started = time.monotonic()
    with study_lock(place.runs_dir, wait=wait_for_others, on_wait=teller.notice):
        hashes = Hashes(known)
        made_from = made_from_now(checked, place, hashes, code_paths)
        states = states_of(checked, place, hashes, made_from)
        results = {s.job.output: JobResult(s.job, "fresh") for s in states if s.state == "fresh"}
        left = [state.job for state in states if state.state != "fresh"]
        log_path = log or (_new_log(place) if left else None)
        with _log_file(log_path) as teller.log:
            if left:
                _remove_leftovers(place, left)
                keeper = _Keeper(place, hashes, made_from)
                limits = {"timeout_seconds": float(timeout_seconds), "memory_mb": memory_mb}
                with teller.telling(len(left)):
                    if cluster is None:
                        count = min(workers or os.cpu_count() or 1, len(left))
                        _run_here(left, keeper, teller, engine, count, limits, preload)
                    else:
                        _run_on_cluster(left, keeper, teller, engine, cluster, limits, preload)
                results |= {result.job.output: result for result in teller.results}
            in_order = tuple(results[job.output] for job in checked)
            summary = RunSummary(in_order, seconds=time.monotonic() - started)
            teller.write("ended", f"{summary}, {summary.seconds:.2f} s")
    return summary


def _new_log(place: Place) -> Path:
    return place.runs_dir / "logs" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.log"


def _remove_leftovers(place: Place, jobs: Iterable[Job]) -> None:
    for folder in {place.runs_dir, *(job.output.parent for job in jobs)}:
        remove_leftovers(folder)


@contextlib.contextmanager
def _log_file(path: Path | None) -> Iterator[TextIO | None]:
    """The run's log; a log that cannot be written is no reason not to run."""
    if path is None:
        yield None
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
    except OSError:
        yield None
        return
    try:
        yield stream
    finally:
        with contextlib.suppress(OSError):
            stream.close()


class _Teller:
    """Counts what is done and tells it: to the caller's function and to the log."""

    def __init__(self, progress: Callable[[RunEvent], None] | None) -> None:
        self._progress = progress
        self._total_count = 0
        self._begun = time.monotonic()
        self.log: TextIO | None = None
        self.results: list[JobResult] = []

    def notice(self, text: str) -> None:
        self._tell("notice", text=text)
        self.write(text)

    @contextlib.contextmanager
    def telling(self, total_count: int) -> Iterator[None]:
        """Around the work: how much there is, and how far it came if it is broken off."""
        self._total_count = total_count
        self._begun = time.monotonic()
        self._tell("begun")
        self.write("begun", f"{total_count} to run, process {os.getpid()}")
        try:
            yield
        except BaseException as error:
            done = f"{len(self.results)} of {total_count} done"
            self.write("broken off", done, type(error).__name__)
            raise

    def start(self, job: Job) -> None:
        self._tell("started", job=job)
        self.write("started", job.output.stem, job.title)

    def finish(self, result: JobResult) -> None:
        self.results.append(result)
        self._tell("finished", job=result.job, result=result)
        named = (result.job.output.stem, result.job.title)
        self.write(result.state, *named, f"{result.seconds:.2f} s", result.reason)

    def _tell(self, kind: str, **details: Any) -> None:
        if self._progress is None:
            return
        done = len(self.results)
        rate = done / max(time.monotonic() - self._begun, 1e-9) if done else None
        event = RunEvent(
            kind,
            done_count=done,
            failed_count=sum(result.state == "failed" for result in self.results),
            total_count=self._total_count,
            rate=rate,
            left_seconds=(self._total_count - done) / rate if rate else None,
            **details,
        )
        self._progress(event)

    def write(self, *said: str) -> None:
        """A line in the log: when, what, and about what, with tabs between."""
        if self.log is not None:
            line = "\t".join([f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", *said]).rstrip()
            with contextlib.suppress(OSError):
                self.log.write(line + "\n")


class _Keeper:
    """Puts what a run left in its place, or says why it cannot stand."""

    def __init__(
        self, place: Place, hashes: Hashes, made_from: Mapping[Path, Mapping[str, Any]]
    ) -> None:
        self.place = place
        self._hashes = hashes
        self._made_from = made_from

    def refusal(self, job: Job) -> str:
        """Why a job cannot be run at all; empty where it can."""
        for path in (*job.inputs, *job.made):
            if self._hashes.of(path) is None:
                return f"cannot read {self._name(path)}: {_why_unreadable(path)}"
        return ""

    def files_read_by(self, job: Job) -> dict[str, str | None]:
        """Content hashes of all that a job reads, by absolute path."""
        return {str(path): self._hashes.of(path) for path in job.files}

    def keep(self, job: Job, outcome: Outcome) -> JobResult:
        """Write the output and then its record, or the failed notebook and its record."""
        reason = outcome.reason
        if outcome.succeeded:
            changed = changed_since(self._hashes, job.files)
            if changed is None:
                return self._keep_output(job, outcome)
            reason = f"{self._name(changed)} changed while the notebook ran; run it again"
        return self._keep_failure(job, reason, outcome)

    def _keep_output(self, job: Job, outcome: Outcome) -> JobResult:
        content = outcome.notebook.encode()
        try:
            write_whole(job.output, content)
            write_record(
                self.place,
                job,
                self._made_from[job.output],
                state="made",
                output_hash=hash_of_bytes(content),
            )
        except OSError as error:
            reason = f"cannot write {self._name(job.output)}: {says_why(error)}"
            return JobResult(job, "failed", reason, outcome.seconds)
        with contextlib.suppress(OSError):
            self.place.failed_path(job).unlink()
        return JobResult(job, "made", "", outcome.seconds)

    def _keep_failure(self, job: Job, reason: str, outcome: Outcome) -> JobResult:
        try:
            if outcome.notebook is None:
                self.place.failed_path(job).unlink(missing_ok=True)
            else:
                write_whole(self.place.failed_path(job), outcome.notebook.encode())
            made_from = self._made_from[job.output]
            write_record(self.place, job, made_from, state="failed", reason=reason)
        except OSError as error:
            folder = self._name(self.place.runs_dir)
            reason = f"{reason} (and cannot write in {folder}: {says_why(error)})"
        return JobResult(job, "failed", reason, outcome.seconds)

    def _name(self, path: Path) -> str:
        return relative_name(path, self.place.project_dir)


def _why_unreadable(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        return says_why(error)
    return "it could not be read when the run began"


def _run_here(
    jobs: Sequence[Job],
    keeper: _Keeper,
    teller: _Teller,
    engine: str,
    count: int,
    limits: Mapping[str, Any],
    preload: Sequence[str] | None,
) -> None:
    """Run jobs in ``count`` threads, each of which waits for one process at a time."""
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    told: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    stopped = threading.Event()
    root = keeper.place.project_dir

    with run_environment() as environment:
        runners = Runners(
            engine,
            environment,
            notice=lambda text: told.put(("notice", text)),
            preload=preload,
        )

        def work() -> None:
            try:
                with runners.for_one_thread() as run:
                    while not stopped.is_set():
                        job = waiting.get_nowait()
                        told.put(("start", job))
                        refusal = keeper.refusal(job)
                        outcome = (
                            Outcome(False, refusal, None, 0.0)
                            if refusal
                            else run(task_of(job, root=root, engine=None, **limits))
                        )
                        if not stopped.is_set():
                            told.put(("finish", keeper.keep(job, outcome)))
            except queue.Empty:
                pass
            except BaseException as error:  # handed to the thread that waits
                told.put(("error", error))

        threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
        try:
            for thread in threads:
                thread.start()
            while len(teller.results) < len(jobs):
                kind, content = told.get()
                if kind == "error":
                    raise content
                {"notice": teller.notice, "start": teller.start, "finish": teller.finish}[kind](
                    content
                )
        finally:
            stopped.set()
            runners.stop()
            for thread in threads:
                thread.join()


def _run_on_cluster(
    jobs: Sequence[Job],
    keeper: _Keeper,
    teller: _Teller,
    engine: str,
    address: str,
    limits: Mapping[str, Any],
    preload: Sequence[str] | None,
) -> None:
    """Send jobs to a dask scheduler and keep what comes back, as it comes."""
    from evalkit.runs.cluster import ClusterTask, outcomes_from_cluster

    able = []
    for job in jobs:
        refusal = keeper.refusal(job)
        if refusal:
            teller.finish(keeper.keep(job, Outcome(False, refusal, None, 0.0)))
        else:
            able.append(job)
    root = keeper.place.project_dir
    tasks = [
        ClusterTask(
            task=task_of(job, root=root, engine=None, **limits),
            files=keeper.files_read_by(job),
            engine=engine,
            preload=None if preload is None else tuple(preload),
        )
        for job in able
    ]
    teller.write("sent", f"{len(able)} to the dask scheduler at {address}")
    try:
        for index, outcome in outcomes_from_cluster(tasks, address, notice=teller.notice):
            teller.finish(keeper.keep(able[index], outcome))
    except EvalkitError as error:
        teller.notice(str(error))
        raise
