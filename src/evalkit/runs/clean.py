"""An executed notebook made fit for a book: unique labels, no times, no paths, same bytes again."""

from __future__ import annotations

import os
import re
import site
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["cleaned_notebook", "declared_labels", "missing_outputs", "path_cleaner"]

KINDS = "fig|tbl|lst|eq|sec|thm"
LABEL_LINE = re.compile(rf"^(#\|\s*label:\s*)(['\"]?)((?:{KINDS})-[\w.-]*\w)\2[ \t]*$", re.M)
LABEL_ATTRIBUTE = re.compile(rf"\{{#((?:{KINDS})-[\w.-]*\w)(?=[\s}}])")
RICH = ("text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex")
TABLE_FORMS = ("text/markdown", "text/latex", "image/svg+xml", "image/png")
TEXT_FORMS = re.compile(r"text/|image/svg\+xml|application/(.*\+)?json")
SVG_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.S)
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")
CELL_FILE = r"ipykernel_\d+[/\\]\d+\.py"  # how a kernel names the file of a cell
INJECTED_TAG = "injected-parameters"


def path_cleaner(root: Path) -> Callable[[str], str]:
    """A function that takes this machine's paths and memory addresses out of a text.

    Parameters
    ----------
    root
        The project's folder: paths within it become relative to it.
    """
    packages = [*site.getsitepackages(), sysconfig.get_path("purelib")]
    standard = [sysconfig.get_path("stdlib"), sys.prefix, sys.base_prefix]
    prefixes = [
        *((str(Path(root)), "."), (str(Path(root).resolve()), ".")),
        *((folder, "site-packages") for folder in packages),
        *((folder, "python") for folder in standard),
        (os.path.expanduser("~"), "~"),
        (tempfile.gettempdir(), "tmp"),
    ]
    known = dict(reversed([(p, name) for p, name in prefixes if len(p) > 1]))
    longest_first = sorted(known.items(), key=lambda pair: -len(pair[0]))
    patterns = [
        (re.compile(re.escape(p) + r"(?:/|\\+)"), "" if name == "." else f"{name}/", p)
        for p, name in longest_first
    ] + [(re.compile(re.escape(p) + r"(?![\w-])"), name, p) for p, name in longest_first]

    cell_file = re.compile(rf"(?:{re.escape(tempfile.gettempdir())}[/\\])?{CELL_FILE}")

    def clean(text: str) -> str:
        text = cell_file.sub("<cell>", text)
        for pattern, name, prefix in patterns:
            if prefix in text:
                text = pattern.sub(name, text)
        return ADDRESS.sub("at 0x0", text)

    return clean


def declared_labels(notebook: Mapping[str, Any]) -> list[str]:
    """Labels that a notebook's cells and Markdown declare, in their order, each once."""
    found: list[str] = []
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            found += [match[3] for match in LABEL_LINE.finditer(_joined(cell["source"]))]
            for output in cell.get("outputs", []):
                markdown = _joined(output.get("data", {}).get("text/markdown", ""))
                found += LABEL_ATTRIBUTE.findall(markdown)
        elif cell["cell_type"] == "markdown":
            found += LABEL_ATTRIBUTE.findall(_joined(cell["source"]))
    return list(dict.fromkeys(found))


def missing_outputs(notebook: Mapping[str, Any]) -> list[str]:
    """What labelled cells should have left for the book and did not, in words.

    A cell labelled ``tbl-`` must leave a table as Markdown (or a picture of one), a cell
    labelled ``fig-`` a picture or the Markdown that stands in its place.
    """
    missing = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        for match in LABEL_LINE.finditer(_joined(cell["source"])):
            label = match[3]
            wanted = {"tbl": TABLE_FORMS, "fig": RICH}.get(label.split("-")[0], ())
            forms = {form for output in cell["outputs"] for form in output.get("data", {})}
            if wanted and not forms.intersection(wanted):
                found = ", ".join(sorted(forms)) or "no output"
                missing.append(f"cell {label} left {found}; expected {wanted[0]} or {wanted[-1]}")
    return missing


def cleaned_notebook(
    notebook: dict[str, Any], *, label_suffix: str, clean_text: Callable[[str], str]
) -> dict[str, Any]:
    """An executed notebook as the book embeds it; the one given is changed and returned.

    Labels, and references to the notebook's own labels, get the suffix. Gone are run times,
    papermill's and the kernel's metadata, machine paths, memory addresses, HTML outputs,
    dates within pictures and random cell ids.

    Parameters
    ----------
    notebook
        An executed notebook of format 4.
    label_suffix
        Such as ``"horten"``; ``""`` leaves the labels as they are.
    clean_text
        From `path_cleaner`.
    """
    renamed = {
        label: f"{label}-{label_suffix}" if label_suffix else label
        for label in declared_labels(notebook)
    }
    relabel = _relabeller(renamed)
    for index, cell in enumerate(notebook["cells"], start=1):
        tags = cell["metadata"].get("tags", [])
        cell["metadata"] = {"tags": list(tags)} if tags else {}
        if INJECTED_TAG in tags:
            cell["id"] = INJECTED_TAG
            cell["source"] = clean_text(_joined(cell["source"]))
        cell.setdefault("id", f"cell-{index}")
        if cell["cell_type"] == "markdown":
            cell["source"] = relabel(_joined(cell["source"]))
        elif cell["cell_type"] == "code":
            source = _with_options(_joined(cell["source"]), _computed_options(cell))
            cell["source"] = _relabelled_code(source, renamed, relabel)
            outputs = (_cleaned_output(out, clean_text, relabel) for out in cell["outputs"])
            cell["outputs"] = [output for output in outputs if output is not None]
    spec = notebook["metadata"].get("kernelspec", {})
    notebook["metadata"] = {
        "kernelspec": {key: spec[key] for key in sorted(spec) if key in SPEC_KEYS},
        "language_info": {"name": spec.get("language", "python")},
    }
    return notebook


SPEC_KEYS = ("display_name", "language", "name")


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _relabeller(renamed: Mapping[str, str]) -> Callable[[str], str]:
    """A function that renames a notebook's own labels where Markdown declares or refers to them."""
    if not renamed:
        return lambda text: text
    names = "|".join(re.escape(name) for name in sorted(renamed, key=len, reverse=True))
    reference = re.compile(rf"(?<![\w.\\])@({names})(?![\w-]|\.\w)", re.I)

    def new_name(match: re.Match) -> str:
        found = match[1]
        lower = found[0].lower() + found[1:]  # Quarto reads @Tbl-x as @tbl-x
        return f"@{found[0]}{renamed[lower][1:]}" if lower in renamed else match[0]

    def relabel(text: str) -> str:
        text = LABEL_ATTRIBUTE.sub(lambda match: "{#" + renamed.get(match[1], match[1]), text)
        return reference.sub(new_name, text)

    return relabel


def _computed_options(cell: Mapping[str, Any]) -> dict[str, str]:
    """Cell options that a table or figure computed with itself, from its output metadata.

    Caption, alternative text and source line travel as ``{"evalkit": {"caption": ...}}``.
    """
    label = next((m[3] for m in LABEL_LINE.finditer(_joined(cell["source"]))), "")
    kind = label.split("-")[0]
    names = {"caption": f"{kind}-cap", "alt": f"{kind}-alt", "source": "kilde"}
    texts: dict[str, str] = {}
    for output in cell.get("outputs", []):
        texts |= output.get("metadata", {}).get("evalkit", {})
    return {names[name]: text for name, text in texts.items()} if kind else {}


def _with_options(source: str, options: Mapping[str, str]) -> str:
    """The cell with these options after its label, in place of those it had."""
    if not options:
        return source
    lines = []
    for line in source.split("\n"):
        found = re.match(r"#\|\s*([\w-]+):", line)
        if found and found[1] in options:
            continue
        lines.append(line)
        if found and found[1] == "label":
            for name, text in options.items():
                quoted = " ".join(text.split()).replace("'", "''")
                lines.append(f"#| {name}: '{quoted}'")
    return "\n".join(lines)


def _relabelled_code(source: str, renamed: Mapping[str, str], relabel: Callable[[str], str]) -> str:
    """Rename in the ``#|`` lines only: the code itself is shown as it ran."""
    lines = []
    for line in source.split("\n"):
        if line.startswith("#|"):
            line = LABEL_LINE.sub(lambda m: f"{m[1]}{m[2]}{renamed[m[3]]}{m[2]}", line)
            line = relabel(line)
        lines.append(line)
    return "\n".join(lines)


def _cleaned_output(
    output: dict[str, Any], clean_text: Callable[[str], str], relabel: Callable[[str], str]
) -> dict[str, Any] | None:
    kind = output["output_type"]
    if kind == "stream":
        output["text"] = clean_text(_joined(output["text"]))
        return output
    if kind == "error":
        output["evalue"] = clean_text(output["evalue"])
        output["traceback"] = [clean_text(line) for line in output["traceback"]]
        return output
    data = {
        form: _cleaned_value(value, clean_text) if TEXT_FORMS.match(form) else value
        for form, value in output["data"].items()
        if form != "text/html" and "widget-view" not in form
    }
    if not data:
        return None
    if "text/markdown" in data:
        data["text/markdown"] = relabel(_joined(data["text/markdown"]))
    if "image/svg+xml" in data:
        data["image/svg+xml"] = SVG_METADATA.sub("", _joined(data["image/svg+xml"]))
    output["data"] = data
    output["metadata"] = {k: v for k, v in output.get("metadata", {}).items() if k in data}
    return output


def _cleaned_value(value: Any, clean_text: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [_cleaned_value(item, clean_text) for item in value]
    if isinstance(value, dict):
        return {key: _cleaned_value(item, clean_text) for key, item in value.items()}
    return value
