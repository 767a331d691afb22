"""Runs one notebook in this process's charge and says how it went; writes no file."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evalkit.runs.clean import cleaned_notebook, missing_outputs, path_cleaner
from evalkit.runs.jobs import Job, Value, read_source

__all__ = ["Outcome", "Task", "execute_task", "is_python", "task_of"]

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


def execute_task(task: Task) -> Outcome:
    """Run a task's notebook with papermill and clean what it left.

    Whatever happens in the notebook comes back as an `Outcome`; nothing is raised for it.
    """
    start = time.monotonic()
    clean_text = path_cleaner(Path(task.root))
    notebook = None
    try:
        notebook, reason = _papermill_run(task)
    except Exception as error:  # whatever it is, it is this notebook's alone
        reason = _one_line(f"{type(error).__name__}: {error}", clean_text)
    text = None
    if notebook is not None:
        plain = json.loads(json.dumps(notebook))
        reason = _one_line(reason or problem_of(plain) or "", clean_text)
        text = notebook_text(
            cleaned_notebook(plain, label_suffix=task.label_suffix, clean_text=clean_text)
        )
    return Outcome(not reason, reason, text, time.monotonic() - start)


def notebook_text(notebook: dict[str, Any]) -> str:
    """A notebook's text, the same for the same content."""
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _papermill_run(task: Task) -> tuple[Any, str]:
    """The executed notebook, and why it stopped where that is not an error in a cell."""
    import papermill.iorw
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from nbformat import from_dict
    from papermill.engines import papermill_engines
    from papermill.execute import prepare_notebook_metadata
    from papermill.parameterize import parameterize_notebook
    from papermill.utils import chdir

    deadline = time.monotonic() + task.timeout_seconds
    source = from_dict(read_source(Path(task.notebook)))
    notebook = papermill.iorw.load_notebook_node(source)
    kernel = notebook.metadata.kernelspec.name
    if task.parameters:
        notebook = parameterize_notebook(notebook, task.parameters, kernel_name=kernel)
    notebook = prepare_notebook_metadata(notebook, None, None, report_mode=False)
    reason = ""
    with chdir(str(Path(task.notebook).parent)):
        try:
            papermill_engines.execute_notebook_with_engine(
                task.engine,
                notebook,
                kernel_name=kernel,
                progress_bar=False,
                timeout_func=lambda cell: max(1, math.ceil(deadline - time.monotonic())),
                coalesce_streams=True,
                shutdown_kernel="immediate",
                record_timing=False,
            )
        except CellTimeoutError:
            reason = time_is_up(task.timeout_seconds)
        except DeadKernelError:
            reason = "its kernel died"
    return notebook, reason


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
