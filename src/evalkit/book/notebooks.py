"""Executed notebooks as a book embeds them: cells by label, options, stored outputs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from evalkit.errors import BookError

__all__ = ["Cell", "Output", "read_notebook"]

# Outputs that make a page fetch scripts from other people's servers, wherever they stand.
FETCHING = (
    "text/html",
    "application/javascript",
    "application/vnd.jupyter.widget-view+json",
    "application/vnd.plotly.v1+json",
    "application/vnd.bokehjs_load.v0+json",
    "application/vnd.vegalite.v5+json",
)
IMAGES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it is built


@dataclass(frozen=True)
class Output:
    """One stored output: ``markdown``, ``text``, or an image by its suffix; ``error``."""

    kind: str
    content: str
    width: str | None = None


@dataclass(frozen=True)
class Cell:
    """A code cell with its ``#|`` options and what it showed."""

    label: str | None
    options: dict
    outputs: tuple[Output, ...]
    fetching: tuple[str, ...]
    option_error: str | None = None


def read_notebook(path: Path) -> tuple[Cell, ...]:
    """Code cells of a notebook, in order.

    Raises
    ------
    BookError
        If the file is missing or is no notebook.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = notebook["cells"]
    except FileNotFoundError:
        raise BookError(f"{path} is missing; run the notebooks first") from None
    except (ValueError, KeyError, TypeError):
        raise BookError(f"{path} is not a notebook") from None
    return tuple(_cell(cell) for cell in cells if cell.get("cell_type") == "code")


def _joined(value: object) -> str:
    return "".join(value) if isinstance(value, list) else str(value)


def _cell(cell: dict) -> Cell:
    options, error = _options(_joined(cell.get("source", "")))
    raw = cell.get("outputs", [])
    fetching = sorted({kind for one in raw for kind in one.get("data", {}) if kind in FETCHING})
    outputs = tuple(output for one in raw if (output := _output(one)) is not None)
    label = options.get("label")
    return Cell(str(label) if label else None, options, outputs, tuple(fetching), error)


def _options(source: str) -> tuple[dict, str | None]:
    lines = []
    for line in source.splitlines():
        if line.startswith("#|"):
            lines.append(line[2:].removeprefix(" "))
        elif line.strip():
            break
    try:
        options = yaml.load("\n".join(lines), Loader=LOADER)
    except yaml.YAMLError as problem:
        return {}, str(getattr(problem, "problem", problem))
    return (options, None) if isinstance(options, dict) else ({}, None)


def _output(output: dict) -> Output | None:
    kind = output.get("output_type")
    if kind == "stream":
        return None if output.get("name") == "stderr" else Output("text", _joined(output["text"]))
    if kind == "error":
        return Output("error", str(output.get("ename", "error")))
    data = output.get("data", {})
    if "text/markdown" in data:
        return Output("markdown", _joined(data["text/markdown"]))
    for mime, suffix in IMAGES.items():
        if mime in data:
            width = output.get("metadata", {}).get(mime, {}).get("width")
            return Output(suffix, _joined(data[mime]), f"{width}px" if width else None)
    if "text/plain" in data:
        return Output("text", _joined(data["text/plain"]))
    return None
