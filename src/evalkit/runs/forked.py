"""The engines behind `evalkit.runs.engines`: the side of the forked child and that of its owner."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import from_dict
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NBClientEngine, papermill_engines
from papermill.log import logger
from papermill.utils import merge_kwargs, remove_args

from evalkit.programs import how_it_ended
from evalkit.runs.zygote import EVENT, HERE, NoZygote, Zygote

__all__ = ["ENGINES", "execute_for_owner", "register_here"]

OWN_KERNELS = ("python3", "python")
NOT_SENT = ("input_path", "output_path")


# ---------------------------------------------------------------- within a forked child


def _client_options(kernel_name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options for nbclient, from papermill's, as papermill's own engine makes them."""
    given = remove_args([*NOT_SENT, "timeout", "startup_timeout"], **options)
    start = given.pop("start_timeout", 60)
    limit = given.pop("execution_timeout", None) or options.get("timeout")
    return merge_kwargs(
        given, timeout=limit, startup_timeout=start, kernel_name=kernel_name, log=logger
    )


class _ShellHere(Engine):
    """An IPython shell in this process."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **options):
        from evalkit.runs.shell import ShellClient

        return ShellClient(nb_man, **_client_options(kernel_name, options)).execute()


class _KernelHere(Engine):
    """A kernel forked from this process."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **options):
        from evalkit.runs.kernel import forked_kernel

        with forked_kernel(kernel_name) as manager:
            given = _client_options(kernel_name, options)
            return PapermillNotebookClient(nb_man, km=manager, **given).execute()


def register_here() -> None:
    """Make the engines known that work in the very process that calls papermill."""
    papermill_engines.register(HERE["fork"], _ShellHere)
    papermill_engines.register(HERE["kernel"], _KernelHere)


class _Reporter:
    """Stands in for papermill's notebook manager in a child, and tells the owner's."""

    def __init__(self, notebook: Any, tell: Callable[[dict], None]) -> None:
        self.nb = notebook
        self._tell = tell

    def cell_start(self, cell, cell_index=None, **_):
        self._tell({"event": "start", "index": cell_index})

    def cell_exception(self, cell, cell_index=None, **_):
        self._tell({"event": "exception", "index": cell_index, "cell": cell})

    def cell_complete(self, cell, cell_index=None, **_):
        self._tell({"event": "complete", "index": cell_index, "cell": cell})

    def autosave_cell(self, **_):
        """The owner saves."""


def execute_for_owner(request: Mapping[str, Any], tell: Callable[[dict], None]) -> None:
    """In a forked child: run a notebook that papermill in the owner's process manages."""
    os.chdir(request["folder"])
    notebook = from_dict(request["notebook"])
    engine = papermill_engines.get_engine(HERE[request["mode"]])
    end: dict[str, Any] = {"event": "end"}
    try:
        engine.execute_managed_notebook(
            _Reporter(notebook, tell), request["kernel_name"], **request["options"]
        )
    except CellTimeoutError as error:
        end |= {"raised": "CellTimeoutError", "message": str(error)}
    except DeadKernelError as error:
        end |= {"raised": "DeadKernelError", "message": str(error)}
    except Exception as error:
        end |= {"raised": type(error).__name__, "message": str(error)}
    tell({**end, "cells": notebook.cells, "metadata": notebook.metadata})


# ---------------------------------------------------------------- in the caller's process

_lock = threading.Lock()
_zygotes: dict[int, Zygote] = {}
_said: set[str] = set()


def _zygote() -> Zygote:
    """This process's zygote; a fork of this process starts its own."""
    with _lock:
        if os.getpid() not in _zygotes:
            _zygotes.clear()
            _zygotes[os.getpid()] = Zygote(os.environ)
        zygote = _zygotes[os.getpid()]
    zygote.revive()
    return zygote


class _ByFork(Engine):
    """Runs a notebook in a child forked from a warmed process, without a kernel."""

    mode = "fork"

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **options):
        """Run the notebook of a papermill manager; called by papermill."""
        own = {key: options.pop(key, None) for key in ("log_output", "stdout_file", "stderr_file")}
        options = remove_args(NOT_SENT, **options)
        try:
            if kernel_name not in OWN_KERNELS:
                raise NoZygote(f"kernel {kernel_name!r} is not this Python")
            if not _is_plain(options):
                raise NoZygote("an option cannot be sent to another process")
            zygote = _zygote()
        except NoZygote as reason:
            _say_once(f"using papermill's own engine: {reason}")
            return NBClientEngine.execute_managed_notebook(nb_man, kernel_name, **own, **options)
        request = {
            "mode": cls.mode,
            "notebook": nb_man.nb,
            "kernel_name": kernel_name,
            "options": options,
            "folder": os.getcwd(),
            "environment": {**zygote.environment, **os.environ},
        }
        log = PapermillNotebookClient(nb_man, **{k: v for k, v in own.items() if v})
        with zygote.child(request) as child:
            for kind, content in child.frames():
                if kind == EVENT and _apply(json.loads(content), nb_man, log):
                    return nb_man.nb
        logger.error(how_it_ended(child.ended) if child.ended is not None else "no zygote")
        raise DeadKernelError("Kernel died")


class _ByKernel(_ByFork):
    """Runs a notebook in a real kernel that is forked from a warmed process."""

    mode = "kernel"


ENGINES = {"fork": _ByFork, "kernel": _ByKernel}


def _is_plain(options: Mapping[str, Any]) -> bool:
    try:
        json.dumps(options)
    except (TypeError, ValueError):
        return False
    return True


def _say_once(text: str) -> None:
    if text not in _said:
        _said.add(text)
        print(text, file=sys.stderr)


def _apply(event: dict[str, Any], nb_man: Any, log: PapermillNotebookClient) -> bool:
    """Bring an event of the child into papermill's notebook; True at the end."""
    notebook = nb_man.nb
    if event["event"] == "end":
        for cell, done in zip(notebook.cells, event["cells"], strict=True):
            _take_over(cell, done)
        for key, value in event["metadata"].items():
            if key != "papermill":
                notebook.metadata[key] = from_dict(value)
        _raise(event)
        return True
    index = event["index"]
    cell = notebook.cells[index]
    if event["event"] == "start":
        nb_man.cell_start(cell, index)
        return False
    _take_over(cell, event["cell"])
    if event["event"] == "exception":
        nb_man.cell_exception(cell, cell_index=index)
        return False
    for output in cell.get("outputs", []):
        log.log_output_message(output)
    nb_man.cell_complete(cell, cell_index=index)
    return False


def _take_over(cell: Any, done: dict[str, Any]) -> None:
    """What a run adds to a cell; papermill's own times are the owner's business."""
    if cell["cell_type"] == "code":
        cell["outputs"] = from_dict(done["outputs"])
        cell["execution_count"] = done["execution_count"]
        if "execution" in done["metadata"]:
            cell["metadata"]["execution"] = from_dict(done["metadata"]["execution"])


def _raise(event: Mapping[str, Any]) -> None:
    raised, message = event.get("raised"), event.get("message")
    if raised == "CellTimeoutError":
        raise CellTimeoutError(message)
    if raised == "DeadKernelError":
        raise DeadKernelError(message)
    if raised:
        raise RuntimeError(f"{raised}: {message}")
