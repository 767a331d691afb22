"""Runs one notebook in this process's charge and says how it went; writes no file."""

from __future__ import annotations

import contextlib
import json
import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evalkit.runs.clean import cleaned_notebook, missing_outputs, path_cleaner
from evalkit.runs.jobs import Job, Value, read_source

__all__ = [
    "Outcome",
    "Task",
    "execute_task",
    "is_python",
    "stopped_notebook",
    "task_of",
]

OWN_ERRORS = ("EvalkitError", "DataError", "ConfigError", "RunError", "BookError")
LONGEST_REASON = 500
COLOUR_CODES = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Task:
    """One run as it is sent to the process that does it: plain values only."""

    notebook: str
    parameters: dict[str, Value]
    label_suffix: str
    root: str
    engine: str | None
    timeout_seconds: float
    memory_mb: int

    def as_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes | str) -> Task:
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Outcome:
    """How a run went: ``notebook`` is the cleaned notebook's text, the failed one's on error."""

    succeeded: bool
    reason: str
    notebook: str | None
    seconds: float

    def as_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes | str) -> Outcome:
        return cls(**json.loads(text))


def task_of(
    job: Job, *, root: Path, engine: str | None, timeout_seconds: float, memory_mb: int
) -> Task:
    """The task of a checked job for a papermill engine's name (None: papermill's own)."""
    return Task(
        notebook=str(job.notebook),
        parameters=dict(job.parameters),
        label_suffix=job.label_suffix,
        root=str(root),
        engine=engine,
        timeout_seconds=timeout_seconds,
        memory_mb=memory_mb,
    )


def is_python(source: dict[str, Any]) -> bool:
    """Whether a notebook asks for the kernel of the Python that evalkit itself runs in."""
    return source["metadata"]["kernelspec"].get("name") in ("python3", "python")


def execute_task(task: Task, tell: Callable[[bytes], None] | None = None) -> Outcome:
    """Run a task's notebook with papermill and clean what it left.

    Whatever happens in the notebook comes back as an `Outcome`; nothing is raised for it.

    Parameters
    ----------
    task
        What to run.
    tell
        Given the notebook, then each cell as it begins and what it left, each as JSON on one
        line: what `stopped_notebook` needs where this process does not live to its end.
    """
    start = time.monotonic()
    clean_text = path_cleaner(Path(task.root))
    told = _Told(tell)
    try:
        stopped = _papermill_run(task, told)
    except Exception as error:  # whatever it is, it is this notebook's alone
        stopped = f"{type(error).__name__}: {error}"
    stopped = _one_line(stopped, clean_text)
    if told.notebook is None:
        return Outcome(False, stopped, None, time.monotonic() - start)
    plain = json.loads(json.dumps(told.notebook))
    if stopped:
        _put_error(plain, told.begun, stopped)
    reason = stopped or _one_line(problem_of(plain) or "", clean_text)
    text = _cleaned_text(task, plain, clean_text)
    return Outcome(not reason, reason, text, time.monotonic() - start)


def stopped_notebook(task: Task, told: Sequence[bytes], reason: str) -> str | None:
    """The notebook of a run whose process ended before it could hand it over.

    Parameters
    ----------
    task
        What was run.
    told
        What `execute_task` told until then. With nothing told, it is the notebook as it would
        have been run.
    reason
        Why the process ended: it stands as an error in the cell that was being run.

    Returns
    -------
    str or None
        The cleaned notebook's text, with what the cells had left when they were done; None if
        the notebook cannot be read.
    """
    notebook, begun = None, None
    for event in map(json.loads, told):
        if "notebook" in event:
            notebook = event["notebook"]
        elif "done" in event:
            notebook["cells"][event["done"]] |= event["left"]
        else:
            begun = event["begun"]
    try:
        if notebook is None:
            notebook = json.loads(json.dumps(_parameterised(task)))
    except Exception:  # then there is nothing to show it in
        return None
    _put_error(notebook, begun, reason)
    return _cleaned_text(task, notebook, path_cleaner(Path(task.root)))


def _put_error(notebook: dict[str, Any], index: int | None, reason: str) -> None:
    """Say in a cell, by default the first of code, why the run stopped there."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    cell = notebook["cells"][index] if index is not None else next(iter(code), None)
    if cell is not None:
        error = {"output_type": "error", "ename": "RunError", "evalue": reason}
        cell["outputs"] = [*cell["outputs"], {**error, "traceback": [f"RunError: {reason}"]}]


def _cleaned_text(task: Task, notebook: dict[str, Any], clean_text: Callable[[str], str]) -> str:
    return notebook_text(
        cleaned_notebook(notebook, label_suffix=task.label_suffix, clean_text=clean_text)
    )


def notebook_text(notebook: dict[str, Any]) -> str:
    """A notebook's text, the same for the same content."""
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


class _Told:
    """What is known of a run while it goes: its notebook, and the cell begun last."""

    def __init__(self, tell: Callable[[bytes], None] | None) -> None:
        self._tell = tell
        self.notebook: Any = None
        self.begun: int | None = None

    def take(self, notebook: Any) -> None:
        self.notebook = notebook
        self._say({"notebook": notebook})

    def follow(self, manager: Any) -> None:
        """Hear of each cell from papermill's manager of the notebook."""
        start, complete = manager.cell_start, manager.cell_complete

        def cell_start(cell: Any, cell_index: int | None = None, **details: Any) -> None:
            start(cell, cell_index, **details)
            if cell["cell_type"] == "code":
                self.begun = cell_index
                self._say({"begun": cell_index})

        def cell_complete(cell: Any, cell_index: int | None = None, **details: Any) -> None:
            complete(cell, cell_index, **details)
            if cell["cell_type"] == "code":
                left = {key: cell.get(key) for key in ("outputs", "execution_count")}
                self._say({"done": cell_index, "left": left})

        manager.cell_start, manager.cell_complete = cell_start, cell_complete

    def _say(self, event: dict[str, Any]) -> None:
        if self._tell is not None:
            with contextlib.suppress(Exception):  # short of memory, say: the run goes on
                self._tell(json.dumps(event).encode())


def _parameterised(task: Task) -> Any:
    """The notebook that a task runs, with its parameters."""
    import papermill.iorw
    from nbformat import from_dict
    from papermill.execute import prepare_notebook_metadata
    from papermill.parameterize import parameterize_notebook

    source = from_dict(read_source(Path(task.notebook)))
    notebook = papermill.iorw.load_notebook_node(source)
    if task.parameters:
        kernel = notebook.metadata.kernelspec.name
        notebook = parameterize_notebook(notebook, task.parameters, kernel_name=kernel)
    return prepare_notebook_metadata(notebook, None, None, report_mode=False)


def _papermill_run(task: Task, told: _Told) -> str:
    """Run the notebook; why it stopped where that is not an error in a cell."""
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.engines import papermill_engines
    from papermill.utils import chdir

    deadline = time.monotonic() + task.timeout_seconds
    notebook = _parameterised(task)
    told.take(notebook)

    class Followed(papermill_engines.get_engine(task.engine)):
        """The engine asked for, followed cell by cell."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
            told.follow(nb_man)
            return super().execute_managed_notebook(nb_man, kernel_name, **options)

    with chdir(str(Path(task.notebook).parent)):
        try:
            Followed.execute_notebook(
                notebook,
                notebook.metadata.kernelspec.name,
                progress_bar=False,
                timeout_func=lambda cell: max(1, math.ceil(deadline - time.monotonic())),
                coalesce_streams=True,
                shutdown_kernel="immediate",
                record_timing=False,
            )
        except CellTimeoutError:
            return time_is_up(task.timeout_seconds)
        except DeadKernelError:
            return "its kernel died"
    return ""


def time_is_up(seconds: float) -> str:
    return f"took longer than {seconds:g} seconds"


def problem_of(notebook: dict[str, Any]) -> str | None:
    """Why an executed notebook is no success, or None."""
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code" or not cell["source"].strip():
            continue
        allowed = "raises-exception" in cell["metadata"].get("tags", [])
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                name, value = output["ename"], output["evalue"]
                if name == "SystemExit":
                    return f"left by sys.exit({value}) before its end"
                if not allowed:
                    return value if name in OWN_ERRORS else f"{name}: {value}"
        if cell["execution_count"] is None:
            return "stopped before its end"
    missing = missing_outputs(notebook)
    return "; ".join(missing) if missing else None


def _one_line(reason: str, clean_text: Callable[[str], str]) -> str:
    plain = " ".join(COLOUR_CODES.sub("", clean_text(reason)).split())
    return plain if len(plain) <= LONGEST_REASON else plain[: LONGEST_REASON - 1] + "…"
