"""The same runs on many machines: tasks to a dask scheduler, executed notebooks back.

Workers read notebooks and data at the same paths as here (a shared file system) and check
by content that they see the same files, the same evalkit and the same libraries. What
they make travels back, and only the process that asked writes it: a worker that is lost
leaves nothing behind, and its work is done again by another.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import re
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError, RunError
from evalkit.runs.environment import run_environment
from evalkit.runs.execute import Outcome, Task, stopped_notebook
from evalkit.runs.record import (
    Hashes,
    default_code_paths,
    differences_between,
    environment_versions,
    hash_of_bytes,
)
from evalkit.runs.runners import Runners

__all__ = ["ClusterTask", "outcomes_from_cluster"]

LOCAL = re.compile(r"local:([1-9][0-9]*)\Z")
CONNECT_SECONDS = 30


@dataclass(frozen=True)
class ClusterTask:
    """A task with what a worker needs beside it: the engine, and what it should find."""

    task: Task
    files: Mapping[str, str | None]
    engine: str
    preload: tuple[str, ...] | None


def outcomes_from_cluster(
    tasks: Sequence[ClusterTask], address: str, *, notice: Callable[[str], None]
) -> Iterator[tuple[int, Outcome]]:
    """Outcomes as they come, each with the number of its task.

    Parameters
    ----------
    tasks
        What is to run.
    address
        A scheduler's address, such as ``tcp://10.0.0.1:8786``, or ``local:N`` for a
        scheduler and N workers started here for this run.
    notice
        Told in words what is worth knowing.

    Raises
    ------
    ConfigError
        If dask.distributed is not installed, or there is no scheduler at the address.
    RunError
        If the scheduler is lost; what came before is kept.
    """
    try:
        from distributed import Client, LocalCluster, as_completed
    except ImportError as error:
        raise ConfigError(
            "--cluster needs dask.distributed; install it with: pip install 'evalkit[cluster]'"
        ) from error

    with contextlib.ExitStack() as stack:
        local = LOCAL.match(address)
        if local:
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=int(local[1]),
                    threads_per_worker=1,
                    dashboard_address=None,
                    silence_logs="ERROR",
                )
            )
            client = stack.enter_context(Client(cluster))
        else:
            try:
                client = stack.enter_context(Client(address, timeout=CONNECT_SECONDS))
            except (OSError, ValueError, TimeoutError) as error:
                raise ConfigError(f"no dask scheduler answers at {address}: {error}") from error
        run = {"id": secrets.token_hex(8), "setup": _setup()}
        futures = [
            client.submit(_on_worker, run, task, key=f"evalkit-{run['id']}-{index}", pure=False)
            for index, task in enumerate(tasks)
        ]
        index_of = {future.key: index for index, future in enumerate(futures)}
        for count, future in enumerate(as_completed(futures)):
            index = index_of[future.key]
            yield index, _outcome_of(future, tasks[index].task, address, count)


def _outcome_of(future: Any, task: Task, address: str, count: int) -> Outcome:
    from distributed import KilledWorker

    if future.status in ("cancelled", "lost"):
        raise RunError(
            f"the cluster at {address} is lost; {count} finished notebooks are kept, "
            "the same command goes on from there, with or without --cluster"
        )
    try:
        return Outcome.from_json(future.result())
    except KilledWorker:
        reason = "every worker that tried it died"
        return Outcome(False, reason, stopped_notebook(task, (), reason), 0.0)
    except Exception as error:
        return Outcome(False, f"on a worker: {type(error).__name__}: {error}", None, 0.0)


def _setup() -> dict[str, Any]:
    """evalkit's code and the libraries here, to be found again on every worker."""
    package = Path(__file__).resolve().parents[1]
    hashes = Hashes()
    code = {str(path.relative_to(package)): hashes.of(path) for path in default_code_paths()}
    digest = hash_of_bytes(json.dumps(code, sort_keys=True).encode())
    return {**environment_versions(), "evalkit's code": digest}


# ---------------------------------------------------------------- on a worker


class _Workshop:
    """What a worker keeps between the tasks of one run: a warmed process, and hashes."""

    def __init__(self, run: Mapping[str, Any], task: ClusterTask) -> None:
        self.run_id = run["id"]
        self.trouble = differences_between(run["setup"], _setup())
        self._hashes = Hashes()
        self._stack = contextlib.ExitStack()
        environment = self._stack.enter_context(run_environment())
        self._runners = Runners(
            task.engine, environment, notice=lambda text: None, preload=task.preload
        )
        self._stack.callback(self._runners.stop)

    def do(self, task: ClusterTask) -> Outcome:
        host = socket.gethostname()
        if self.trouble:
            return Outcome(False, f"worker on {host} differs: {self.trouble}", None, 0.0)
        for name, expected in task.files.items():
            if self._hashes.of(Path(name)) != expected:
                reason = f"worker on {host} does not see the same {Path(name).name}"
                return Outcome(False, reason, None, 0.0)
        with self._runners.for_one_thread() as execute:
            return execute(task.task)

    def close(self) -> None:
        self._stack.close()


_lock = threading.Lock()
_workshop: _Workshop | None = None


def _on_worker(run: Mapping[str, Any], task: ClusterTask) -> bytes:
    """Do a task; the first of a run warms this worker up, with the code as it is now."""
    global _workshop
    with _lock:
        if _workshop is None or _workshop.run_id != run["id"]:
            if _workshop is None:
                atexit.register(lambda: _workshop.close())
            else:
                _workshop.close()
            _workshop = _Workshop(run, task)
    return _workshop.do(task).as_json()
