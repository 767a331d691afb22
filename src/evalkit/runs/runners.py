"""Chooses how a notebook is run here, and falls back to papermill's own engine, said once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from evalkit.runs.execute import Outcome, Task, is_python
from evalkit.runs.jobs import read_source
from evalkit.runs.worker import KernelWorker
from evalkit.runs.zygote import NoZygote, Zygote

__all__ = ["Runners"]


class Runners:
    """The processes that run notebooks for one run of a study."""

    def __init__(
        self,
        engine: str,
        environment: Mapping[str, str],
        *,
        notice: Callable[[str], None],
        preload: Sequence[str] | None = None,
    ) -> None:
        self._environment = environment
        self._notice = notice
        self._lock = threading.Lock()
        self._workers: list[KernelWorker] = []
        self._forkable: dict[str, bool] = {}
        self._said = False
        self._zygote: Zygote | None = None
        if engine != "papermill":
            try:
                mode = "kernel" if engine == "kernel" else "fork"
                self._zygote = Zygote(environment, mode=mode, preload=preload)
            except NoZygote as reason:
                self._say_once(reason)

    @contextlib.contextmanager
    def for_one_thread(self) -> Iterator[Callable[[Task], Outcome]]:
        """A function that runs tasks for the calling thread."""
        worker = KernelWorker(self._environment)
        with self._lock:
            self._workers.append(worker)

        def run(task: Task) -> Outcome:
            if self._zygote is not None and self._can_fork(task.notebook):
                try:
                    return self._zygote.run(task)
                except NoZygote as reason:
                    self._say_once(reason)
            return worker.run(task)

        try:
            yield run
        finally:
            worker.stop()

    def _say_once(self, reason: NoZygote) -> None:
        with self._lock:
            if self._said:
                return
            self._said = True
        self._notice(f"using papermill's own engine, which is slower: {reason}")

    def _can_fork(self, notebook: str) -> bool:
        with self._lock:
            if notebook not in self._forkable:
                source = read_source(Path(notebook))
                self._forkable[notebook] = is_python(source)
                if not self._forkable[notebook]:
                    kernel = source["metadata"]["kernelspec"]["name"]
                    self._notice(
                        f"{Path(notebook).stem} asks for the kernel {kernel!r}: "
                        "using papermill's own engine for it"
                    )
            return self._forkable[notebook]

    def stop(self) -> None:
        """End every process that runs a notebook."""
        with self._lock:
            for worker in self._workers:
                worker.stop()
            if self._zygote is not None:
                self._zygote.stop()
