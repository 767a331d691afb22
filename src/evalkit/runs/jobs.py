"""What is to be run: one notebook, its parameters, its place; and the check of it all beforehand."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evalkit.errors import ConfigError
from evalkit.files import leads_elsewhere

__all__ = [
    "Job",
    "Place",
    "Value",
    "check_folders",
    "check_study_name",
    "checked_jobs",
    "notebook_parameters",
    "read_source",
    "relative_name",
    "run_place",
]

Value = str | int | float | bool

STUDY_NAME = re.compile(r"[a-z0-9æøå][a-z0-9æøå-]*\Z")
LABEL_SUFFIX = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
FILE_STEM = re.compile(r"[A-Za-z0-9ÆØÅæøå][A-Za-z0-9ÆØÅæøå_-]*\Z")
MUNICIPALITY_CODE = re.compile(r"[0-9]{4}\Z")
PARAMETERS_TAG = "parameters"
WRITTEN = (  # all that is made of a study lies in these, and in the folders above them
    "data/processed/{study}/runs/logs",
    *("reports/{study}/notebooks", "reports/{study}/_book", "reports/{study}/_kommune"),
    "reports/{study}/.evalkit-cache/reading",
)
TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
TYPE_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "True or False"}


@dataclass(frozen=True)
class Job:
    """One notebook to run with one set of parameters.

    Attributes
    ----------
    notebook
        The source notebook (``.ipynb``), never written to.
    parameters
        A value for every name in the notebook's cell tagged ``parameters``.
    output
        Where the executed, cleaned notebook goes.
    label_suffix
        Added to every label in the output, such as ``"horten"``; ``""`` for a notebook
        that is run once per study.
    inputs
        The data files the result depends on.
    made
        Files made of the inputs that the notebook reads in their place. They must be the same
        all through the run and on every machine, but are no reason of their own to run again.
    rows
        Of those inputs, by path, that the result depends on a part of: a hash of the part. A
        change elsewhere in the file does not make the result out of date.
    title
        What progress shows, such as ``"3801 Horten"``.
    """

    notebook: Path
    parameters: Mapping[str, Value]
    output: Path
    label_suffix: str = ""
    inputs: tuple[Path, ...] = ()
    made: tuple[Path, ...] = ()
    rows: Mapping[Path, str] = field(default_factory=dict)
    title: str = ""

    @property
    def files(self) -> tuple[Path, ...]:
        """All that is read: the notebook, its inputs and what was made of them."""
        return (self.notebook, *self.inputs, *self.made)

    @property
    def name(self) -> str:
        """The notebook's file name without its ending: ``05-anchoring``."""
        return self.notebook.stem


@dataclass(frozen=True)
class Place:
    """The folders of one study's runs, all resolved."""

    project_dir: Path
    study: str
    output_dirs: tuple[Path, ...]
    runs_dir: Path = field(init=False)

    def __post_init__(self) -> None:
        runs_dir = self.project_dir / "data" / "processed" / self.study / "runs"
        object.__setattr__(self, "runs_dir", runs_dir)

    def record_path(self, job: Job) -> Path:
        return self.runs_dir / f"{job.output.stem}.json"

    def failed_path(self, job: Job) -> Path:
        return self.runs_dir / f"{job.output.stem}.failed.ipynb"


def check_study_name(study: str) -> None:
    """Refuse a study's name that is no plain folder name, before any path is made from it.

    Raises
    ------
    ConfigError
        With what was found and what is expected.
    """
    if not STUDY_NAME.match(study):
        raise ConfigError(
            f"study {study!r}: expected a folder name of small letters, digits and hyphens"
        )


def check_folders(root: Path, study: str) -> None:
    """Refuse symbolic links among the folders that hold what is made of a study.

    Raises
    ------
    ConfigError
        With every such link and where it leads.
    """
    check_study_name(study)
    links = [leads_elsewhere(root / folder.format(study=study), root) for folder in WRITTEN]
    found = [
        f"{relative_name(link, root)} is a symbolic link, to {os.readlink(link)}"
        for link in dict.fromkeys(links)
        if link is not None
    ]
    if found:
        raise ConfigError(
            "; ".join(found)
            + "; expected plain folders: what is made of a study stays in the project"
        )


def run_place(project_dir: Path, study: str, output_dirs: Iterable[Path] | None = None) -> Place:
    """The folders that runs of a study may write in.

    Parameters
    ----------
    project_dir
        The project's folder, the one with ``data`` and ``reports`` in it.
    study
        The study's folder name under ``data/raw``.
    output_dirs
        Folders that may hold executed notebooks; by default the study's ``reports`` and
        ``data/processed`` folders. Each must lie within the project.

    Raises
    ------
    ConfigError
        If the study's name is not a plain folder name, or a folder leads out of the project.
    """
    root = Path(project_dir).resolve()
    check_folders(root, study)
    asked = (
        [root / "reports" / study, root / "data" / "processed" / study]
        if output_dirs is None
        else [root / folder for folder in output_dirs]
    )
    resolved = tuple(folder.resolve() for folder in asked)
    for folder, real in zip(asked, resolved, strict=True):
        if not real.is_relative_to(root) or real == root:
            raise ConfigError(f"{folder} leads out of the project, to {real}")
    return Place(root, study, resolved)


def relative_name(path: Path, root: Path) -> str:
    """A path as messages show it: from the project's folder where it lies there, with ``/``."""
    name, start = os.path.normpath(path), os.path.join(root, "")
    if not name.startswith(start):
        name = os.path.realpath(name)
    return Path(name.removeprefix(start) if name.startswith(start) else path).as_posix()


def read_source(path: Path) -> dict[str, Any]:
    """A notebook file as a dictionary, with a cell ``id`` everywhere and never a random one.

    Raises
    ------
    ConfigError
        If the file cannot be read or is not a notebook of format 4.
    """
    try:
        notebook = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not a notebook: {error}") from error
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4:
        raise ConfigError(f"{path} is not a notebook of format 4")
    for index, cell in enumerate(notebook.get("cells", []), start=1):
        if isinstance(cell.get("source"), list):
            cell["source"] = "".join(cell["source"])
        cell.setdefault("id", f"cell-{index}")
        cell.setdefault("metadata", {})
    notebook.setdefault("metadata", {}).setdefault(
        "kernelspec", {"name": "python3", "display_name": "Python 3", "language": "python"}
    )
    notebook["metadata"].setdefault("language_info", {"name": "python"})
    notebook["nbformat_minor"] = max(5, notebook.get("nbformat_minor", 0))
    return notebook


def notebook_parameters(source: Mapping[str, Any]) -> dict[str, type | None]:
    """Names and types in a notebook's cell tagged ``parameters``, in their order.

    The type is the annotation's, else the default value's, else unknown (None). Python
    cells are parsed as Python, so a default with ``=`` or ``#`` in it is read rightly.

    Raises
    ------
    ConfigError
        If the cell is not Python that can be parsed.
    """
    tagged = [
        cell
        for cell in source["cells"]
        if cell["cell_type"] == "code" and PARAMETERS_TAG in cell["metadata"].get("tags", [])
    ]
    if not tagged:
        return {}
    try:
        tree = ast.parse(tagged[0]["source"])
    except SyntaxError as error:
        raise ConfigError(f"the cell tagged {PARAMETERS_TAG!r} is not Python: {error}") from error
    found: dict[str, type | None] = {}
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            annotation = TYPES.get(ast.unparse(node.annotation).strip("\"'"))
            found[node.target.id] = annotation or _type_of_default(node.value)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = _type_of_default(node.value)
    return found


def _type_of_default(node: ast.expr | None) -> type | None:
    try:
        value = ast.literal_eval(node) if node is not None else None
    except ValueError:
        return None
    return type(value) if type(value) in TYPE_NAMES else None


def _typed(value: Value, expected: type | None) -> Value:
    """The value as the parameters cell types it; raises ValueError where it does not fit."""
    if expected is None or type(value) is expected:
        return value
    if expected is float and type(value) is int:
        return float(value)
    if isinstance(value, str):
        if expected is int and re.fullmatch(r"-?(0|[1-9][0-9]*)", value):
            return int(value)
        if expected is float and re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", value):
            return float(value)
        if expected is bool and value.lower() in ("true", "false"):
            return value.lower() == "true"
    raise ValueError(value)


def _checked_parameters(job: Job, known: Mapping[str, type | None]) -> tuple[dict, list[str]]:
    problems = []
    typed = {}
    for name, value in job.parameters.items():
        if name not in known:
            names = ", ".join(known) or "none"
            problems.append(f"unknown parameter {name!r}; the notebook knows: {names}")
            continue
        try:
            typed[name] = _typed(value, known[name])
        except ValueError:
            problems.append(f"parameter {name}: {value!r}; expected {TYPE_NAMES[known[name]]}")
            continue
        if name == "municipality_code" and not MUNICIPALITY_CODE.match(str(value)):
            problems.append(f"municipality_code: {value!r}; expected four digits, kept as text")
    problems += [f"parameter {name!r} is missing" for name in known if name not in job.parameters]
    return typed, problems


def _path_problems(job: Job, place: Place, resolved: dict[Path, Path]) -> list[str]:
    problems = []
    if job.notebook.suffix != ".ipynb":
        problems.append(f"{job.notebook.name} is not a notebook (.ipynb)")
    if job.label_suffix and not LABEL_SUFFIX.match(job.label_suffix):
        problems.append(
            f"label suffix {job.label_suffix!r}; expected small letters a-z, digits and hyphens"
        )
    if job.output.suffix != ".ipynb" or not FILE_STEM.match(job.output.stem):
        problems.append(
            f"output {job.output.name!r}; expected letters, digits, hyphens and the ending .ipynb"
        )
    folder = (place.project_dir / job.output).parent
    if folder not in resolved:
        resolved[folder] = folder.resolve()
    parent = resolved[folder]
    if not any(parent.is_relative_to(folder) for folder in place.output_dirs):
        allowed = " or ".join(relative_name(d, place.project_dir) for d in place.output_dirs)
        problems.append(
            f"output {job.output} would be written in {parent}; expected within {allowed}"
        )
    elif (place.project_dir / job.output).is_symlink():
        problems.append(f"output {job.output} is a symbolic link; expected a plain file")
    return problems


def checked_jobs(jobs: Sequence[Job], place: Place) -> tuple[Job, ...]:
    """The jobs with absolute paths and typed parameters, or one error that lists every problem.

    Raises
    ------
    ConfigError
        If any job has a misspelt, missing or ill-typed parameter, an output outside the
        study's folders or shared with another job, or a notebook that cannot be read.
    """
    known: dict[Path, dict[str, type | None] | ConfigError] = {}
    shared = {stem for stem, n in Counter(job.output.stem for job in jobs).items() if n > 1}
    resolved: dict[Path, Path] = {}
    absolute_of = functools.cache(lambda path: place.project_dir / path)  # jobs share their inputs
    checked, problems = [], []
    for job in jobs:
        found = _path_problems(job, place, resolved)
        if job.output.stem in shared:
            found.append(f"output {job.output.name} is asked for by more than one run")
        absolute = replace(
            job,
            notebook=place.project_dir / job.notebook,
            output=place.project_dir / job.output,
            inputs=tuple(map(absolute_of, job.inputs)),
            made=tuple(map(absolute_of, job.made)),
            rows={absolute_of(path): rows for path, rows in job.rows.items()},
        )
        if not found:
            if absolute.notebook not in known:
                try:
                    known[absolute.notebook] = notebook_parameters(read_source(absolute.notebook))
                except ConfigError as error:
                    known[absolute.notebook] = error
            names = known[absolute.notebook]
            if isinstance(names, ConfigError):
                found.append(str(names))
            else:
                typed, wrong = _checked_parameters(absolute, names)
                found += wrong
                absolute = replace(absolute, parameters=typed)
        label = f"{job.name} for {job.title}" if job.title else job.name
        problems += [f"  {label}: {problem}" for problem in found]
        checked.append(absolute)
    if problems:
        raise ConfigError("nothing was run:\n" + "\n".join(dict.fromkeys(problems)))
    return tuple(checked)
