"""A process that runs notebooks one after the other with papermill's own engine, and its owner."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping

from evalkit.programs import how_it_ended
from evalkit.runs.environment import limit_memory
from evalkit.runs.execute import (
    Outcome,
    Task,
    execute_task,
    stopped_notebook,
    time_is_up,
)

__all__ = ["KernelWorker"]

GRACE_SECONDS = 10  # for a kernel to start, to be stopped and for its notebook to be cleaned
KERNEL_ITSELF_MB = 1024  # a worker and a kernel before the notebook's first line
LAST_SECONDS = 5  # for a process whose pipe has closed to be gone
TOLD, OUTCOME = b"T", b"O"  # how a line of a worker begins


class KernelWorker:
    """Owns one worker process; starts another where the last one died or was too slow.

    Use it from one thread at a time; `stop` may be called from any.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._process: subprocess.Popen | None = None
        self._stopped = False

    def run(self, task: Task) -> Outcome:
        """Run a task; a worker that dies or exceeds the time limit is a failed outcome."""
        process = self._running()
        too_late = threading.Event()

        def end() -> None:
            too_late.set()
            _kill_tree(process)

        timer = threading.Timer(task.timeout_seconds + GRACE_SECONDS, end)
        timer.daemon = True
        timer.start()
        begun = time.monotonic()
        told: list[bytes] = []
        try:
            process.stdin.write(task.as_json() + b"\n")
            process.stdin.flush()
            while (line := process.stdout.readline()).startswith(TOLD):
                told.append(line.removeprefix(TOLD))
            return Outcome.from_json(line.removeprefix(OUTCOME))
        except (OSError, ValueError):
            self._process = None
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LAST_SECONDS)
            _kill_tree(process)
            late = too_late.is_set()
            reason = time_is_up(task.timeout_seconds) if late else how_it_ended(process.returncode)
            notebook = None if self._stopped else stopped_notebook(task, told, reason)
            return Outcome(False, reason, notebook, time.monotonic() - begun)
        finally:
            timer.cancel()

    def _running(self) -> subprocess.Popen:
        if self._stopped:
            raise InterruptedError("the run was stopped")
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "evalkit.runs.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment,
                start_new_session=True,
            )
        return self._process

    def stop(self) -> None:
        """End the worker and whatever it runs."""
        self._stopped = True
        if self._process is not None:
            _kill_tree(self._process)


def _kill_tree(process: subprocess.Popen) -> None:
    """End a process and all that it started: a kernel lives in a session of its own."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            pipe.close()


def _serve() -> None:
    """Read tasks from standard input, a line each, and answer with outcomes."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is not an answer
    tasks = os.fdopen(os.dup(0), "rb")
    limited = False

    def answer(kind: bytes, content: bytes) -> None:
        answers.write(kind + content + b"\n")
        answers.flush()

    for line in _lines_while_owner_lives(tasks):
        task = Task.from_json(line)
        if not limited:
            limit_memory(task.memory_mb, already_mb=KERNEL_ITSELF_MB)
            limited = True
        answer(OUTCOME, execute_task(task, lambda event: answer(TOLD, event)).as_json())


def _lines_while_owner_lives(tasks):
    """Lines of tasks; when the owner is gone, end this process and its kernels at once."""
    import queue

    import psutil

    lines: queue.Queue[bytes] = queue.Queue()

    def read() -> None:
        for line in tasks:
            lines.put(line)
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield lines.get()


if __name__ == "__main__":
    _serve()
