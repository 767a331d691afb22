"""Notebooks run in the tests' own process, where a kernel for each would take minutes."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from conftest import PROJECT


def shown_by(name: str, **parameters: str) -> dict[str, object]:
    """What each labelled cell of a notebook shows, by its label.

    The code is that of the notebook in ``notebooks/``, with its parameters replaced, as papermill
    does it; a cell shows its last expression.
    """
    path = PROJECT / "notebooks" / f"{name}.ipynb"
    names: dict[str, object] = {}
    shown: dict[str, object] = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        source = "".join(cell["source"])
        value = last_value(source, names, place=f"{path.name}: {source.splitlines()[0]}")
        if "parameters" in cell["metadata"].get("tags", []):
            names |= {key: parameters[key] for key in names.keys() & parameters.keys()}
        label = re.search(r"^#\| label: (\S+)", source, re.MULTILINE)
        if label:
            value._repr_mimebundle_()
            shown[label[1]] = value
    return shown


def last_value(source: str, names: dict[str, object], *, place: str) -> object:
    """Run a cell's code and return the value of its last line, if that is an expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, place, "exec"), names)
    return eval(compile(ast.Expression(last.value), place, "eval"), names) if last else None


def processed_folder(root: Path) -> str:
    """Where the processed tables of a project lie, as the notebooks' parameter."""
    return str(root / "data" / "processed")
