"""Calls of a function side by side in processes of their own, where a killed one harms only its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from typing import Any

__all__ = ["Died", "results_side_by_side"]

_STARTING = threading.Lock()
TRIES = 2  # of a call whose process dies: the first time may be chance, such as memory run out


class Died(Exception):  # noqa: N818 - what became of a call, handed over and not raised
    """A call's process died each time it was tried; the message says how often."""


def results_side_by_side(
    function: Callable[..., Any], calls: Sequence[tuple], *, workers: int
) -> Iterator[tuple[int, Any]]:
    """Results of calls as they are done, each with the number of its call.

    There are ``workers`` lanes, each a thread with one process that does one call after the
    other. So it is known which call a process died of: that call is done again in a new process,
    and given up when its process dies for the second time. The other lanes never notice. No
    process outlives this one, however this one ends.

    Parameters
    ----------
    function
        Found by name in its module, as it is called in processes that are started anew.
    calls
        The arguments of each call.
    workers
        Processes at a time.

    Yields
    ------
    tuple
        The number of a call, and what it returned, or `Died`. What the function raises is raised.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(calls)):
        waiting.put(number)
    done: queue.SimpleQueue[tuple[int, Any, BaseException | None]] = queue.SimpleQueue()
    stopped = threading.Event()

    def work() -> None:
        number = -1
        lane = _Lane()
        try:
            while not stopped.is_set():
                number = waiting.get_nowait()
                done.put((number, lane.result(function, calls[number]), None))
        except queue.Empty:
            pass
        except BaseException as error:  # handed to the thread that waits
            done.put((number, None, error))
        finally:
            lane.close()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(workers, len(calls)))]
    try:
        for thread in threads:
            thread.start()
        for _ in calls:
            number, result, error = done.get()
            if error is not None:
                raise error
            yield number, result
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


class _Lane:
    """One process that does call after call; another takes its place when it dies."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def result(self, function: Callable[..., Any], arguments: tuple) -> Any:
        for _ in range(TRIES):
            future = self._begun(function, arguments)
            try:
                return future.result()
            except BrokenExecutor:
                self.close()
        return Died(f"its process died {TRIES} times")

    def _begun(self, function: Callable[..., Any], arguments: tuple) -> Future:
        with _no_script():
            try:
                return self._running().submit(function, *arguments)
            except BrokenExecutor:  # it died with nothing to do, which is no call's fault
                self.close()
                return self._running().submit(function, *arguments)

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(os.getpid(),),
            )
        return self._pool

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


@contextlib.contextmanager
def _no_script() -> Iterator[None]:
    """Start processes that do not run the caller's script again, nor need one to run.

    A new process of ``multiprocessing`` imports the script that its parent was started with; what
    is called here is found in modules.
    """
    with _STARTING:
        script = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = script


def _begin(parent: int) -> None:
    """In a new process: end with the parent, which alone decides about an interruption."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        from evalkit.runs.linux import end_with_parent

        end_with_parent(parent)
    else:
        threading.Thread(target=_end_after_parent, daemon=True).start()


def _end_after_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
