"""What a run tells while it goes: events, and a bar for people or lines for logs."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from evalkit.runs.jobs import Job, relative_name

__all__ = ["JobResult", "RunEvent", "RunSummary", "pace_text", "progress_bar"]


@dataclass(frozen=True)
class JobResult:
    """How one job went: ``"fresh"`` (nothing to do), ``"made"`` or ``"failed"`` and why."""

    job: Job
    state: Literal["fresh", "made", "failed"]
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class RunSummary:
    """Every job's result, in the order asked."""

    results: tuple[JobResult, ...]
    seconds: float = 0.0

    def count(self, state: str) -> int:
        return sum(result.state == state for result in self.results)

    @property
    def failed(self) -> tuple[JobResult, ...]:
        return tuple(result for result in self.results if result.state == "failed")

    def __str__(self) -> str:
        """``2 notebooks made, 1 failed, 5 up to date``"""
        parts = [(self.count("made"), "made"), (self.count("failed"), "failed")]
        said = [f"{count} {word}" for count, word in parts if count or word == "made"]
        if self.count("fresh"):
            said.append(f"{self.count('fresh')} up to date")
        first, *rest = said
        number, word = first.split(" ", 1)
        noun = "notebook" if number == "1" else "notebooks"
        return ", ".join([f"{number} {noun} {word}", *rest])


@dataclass(frozen=True)
class RunEvent:
    """Something that happened in a run.

    ``kind`` is ``"notice"`` (see ``text``), ``"begun"`` (the work is known), ``"started"`` or
    ``"finished"`` (one job). Counts are of the jobs that had to be run; ``rate`` is in jobs
    per second, ``left_seconds`` the time left at that rate, both None before the first
    job is done.
    """

    kind: Literal["notice", "begun", "started", "finished"]
    text: str = ""
    result: JobResult | None = None
    job: Job | None = None
    done_count: int = 0
    failed_count: int = 0
    total_count: int = 0
    rate: float | None = None
    left_seconds: float | None = None


def pace_text(rate: float | None, left_seconds: float | None) -> str:
    """Rate and time left in few words: ``2.1/s, 3 min left``.

    Parameters
    ----------
    rate
        Per second; told per minute where it is slower than one in two seconds. None: not known.
    left_seconds
        None where it is not known; below half a second, nothing is said of it.
    """
    if rate is None:
        return ""
    pace = f"{rate:.1f}/s" if rate >= 0.5 else f"{rate * 60:.1f}/min"
    if left_seconds is None or left_seconds < 0.5:
        return pace
    if left_seconds < 90:
        return f"{pace}, {left_seconds:.0f} s left"
    minutes = round(left_seconds / 60)
    if minutes < 90:
        return f"{pace}, {minutes} min left"
    return f"{pace}, {minutes // 60} h {minutes % 60} min left"


@contextlib.contextmanager
def progress_bar(
    jobs: Sequence[Job], *, project_dir: Path, stream: TextIO | None = None
) -> Iterator[Callable[[RunEvent], None]]:
    """Show a run's events: a bar on a terminal, one line per finished job elsewhere.

    A line names the municipality and the notebook, and ends with the rate and the time left.

    Parameters
    ----------
    jobs
        All jobs of the run; their titles decide the columns' width.
    project_dir
        Paths are shown from here.
    stream
        Standard error by default.

    Returns
    -------
    context manager
        Gives the function to pass as ``progress`` to `run_jobs`.
    """
    stream = sys.stderr if stream is None else stream
    if not stream.isatty():
        yield lambda event: _print_line(event, jobs, Path(project_dir).resolve(), stream)
        return
    from tqdm import tqdm

    with tqdm(file=stream, unit="notebook", disable=None, leave=False) as bar:
        yield lambda event: _move_bar(event, bar, jobs, Path(project_dir).resolve())


def _line(event: RunEvent, jobs: Sequence[Job], root: Path) -> str:
    result = event.result
    width = max(len(job.title or job.name) for job in jobs)
    digits = len(str(event.total_count))
    place = f"[{event.done_count:>{digits}}/{event.total_count}]"
    what = (
        f"failed in {result.job.name}: {result.reason}"
        if result.state == "failed"
        else relative_name(result.job.output, root)
    )
    return f"{place} {result.job.title or result.job.name:<{width}}  {what}"


def _named(job: Job) -> str:
    return f"{job.title} {job.name}".strip()


def _print_line(event: RunEvent, jobs: Sequence[Job], root: Path, stream: TextIO) -> None:
    if event.kind == "notice":
        print(event.text, file=stream, flush=True)
    elif event.kind == "finished":
        pace = pace_text(event.rate, event.left_seconds)
        print(f"{_line(event, jobs, root)}  {pace}".rstrip(), file=stream, flush=True)


def _move_bar(event: RunEvent, bar, jobs: Sequence[Job], root: Path) -> None:
    if event.kind == "notice":
        bar.write(event.text, file=bar.fp)
    elif event.kind == "begun":
        bar.reset(total=event.total_count)
    elif event.kind == "started":
        bar.set_description_str(_named(event.job))
    elif event.kind == "finished":
        if event.result.state == "failed":
            bar.write(_line(event, jobs, root), file=bar.fp)
        bar.update(1)
        bar.set_description_str(_named(event.job))  # a cluster tells of no start
