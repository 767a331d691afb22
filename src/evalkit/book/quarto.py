"""The Quarto engine: runs Quarto on a copy of the book, and believes its log, not its exit code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from evalkit.book.check import Survey
from evalkit.errors import BookError

__all__ = ["clean_html", "log_failures", "render_quarto", "render_quarto_document"]

LEFT_OUT = ("_book", ".quarto", ".evalkit-cache", "site_libs")
FORMATS = {"html": "html", "pdf": "evalkit-typst", "docx": "docx"}  # as Quarto names them
BIBLIOGRAPHY = "evalkit-bibliography"  # a folder of the copy
FAILURES = (
    re.compile(r"Unable to resolve (?:crossref|link target)"),
    re.compile(r"[Cc]iteproc: citation \S+ not found"),
    re.compile(r"Shortcode '[^']*' not found"),
    re.compile(r"^\s*\[?ERROR\b"),
    re.compile(r"^\s*Error:"),
)
ANSI = re.compile(r"\x1b\[[0-9;]*m")
PRIVATE = re.compile(
    r"\s(?:data-notebook(?:-title|-cellId|-cellid)?|data-quarto-private-\d+)="
    r"(?:\"[^\"]*\"|'[^']*')"
)


def render_quarto(survey: Survey, target: Path, progress=None) -> list[str]:
    """Render a checked book with the Quarto on the PATH into a folder.

    Quarto works on a copy beside the book, so the book's own output stays as it was until the
    new one is whole, and paths that lead out of the book still lead to the same files.

    Parameters
    ----------
    survey
        The book, checked and without breaches.
    target
        An empty folder for Quarto's output.
    progress
        Called with a sentence for each step, or None.

    Returns
    -------
    list of str
        Quarto's warnings that do not make the book wrong.

    Raises
    ------
    BookError
        If Quarto fails, or reports what makes the book wrong.
    """
    with _copy_of(survey) as copy:
        log = _run(survey, copy, [], progress)
        if (copy / "_book").is_dir():
            _clean(copy / "_book", copy)
            shutil.copytree(copy / "_book", target, dirs_exist_ok=True)
    return _warnings(log)


def render_quarto_document(
    survey: Survey,
    document: str,
    profile: str,
    target: Path,
    formats: Iterable[str],
    progress=None,
) -> list[str]:
    """Render one document of a profile with Quarto, as `render_quarto` does a book.

    The profile lists the documents it renders; in the copy it lists this one alone. Quarto is
    asked for each format by itself, so that one does not sweep away another's output.
    """
    warnings: list[str] = []
    with _copy_of(survey) as copy:
        settings = copy / f"_quarto-{profile}.yml"
        raw = yaml.safe_load(settings.read_text(encoding="utf-8"))
        raw.setdefault("project", {})["render"] = [document]
        settings.write_text(yaml.safe_dump(raw, allow_unicode=True), encoding="utf-8")
        made = copy / survey.settings.output_folder
        for name in formats:
            shutil.rmtree(made, ignore_errors=True)
            log = _run(survey, copy, ["--profile", profile, "--to", FORMATS[name]], progress)
            if made.is_dir():
                _clean(made, copy)
                shutil.copytree(made, target, dirs_exist_ok=True)
            warnings += _warnings(log)
    return list(dict.fromkeys(warnings))


@contextmanager
def _copy_of(survey: Survey) -> Iterator[Path]:
    directory = survey.settings.directory
    copy = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        left_out = _left_out(survey.settings.output_folder)
        shutil.copytree(directory, copy, symlinks=True, dirs_exist_ok=True, ignore=left_out)
        _settle(copy, survey)
        yield copy
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _settle(copy: Path, survey: Survey) -> None:
    """Write what is settled for every page into the copy's settings: label and bibliography."""
    path = copy / "_quarto.yml"
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    settings = survey.settings
    if label := settings.evalkit.get("label"):
        raw["evalkit"] = (raw.get("evalkit") or {}) | {"label": label}
    if settings.bibliography:
        (copy / BIBLIOGRAPHY).mkdir()
        for name in settings.bibliography:
            shutil.copyfile(settings.directory / name, copy / BIBLIOGRAPHY / Path(name).name)
        names = [f"{BIBLIOGRAPHY}/{Path(name).name}" for name in settings.bibliography]
        raw["bibliography"] = names
    path.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), encoding="utf-8")


def _run(survey: Survey, copy: Path, arguments: list[str], progress) -> str:
    if progress:
        progress("Quarto")
    settings = survey.settings
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(int(settings.timestamp.timestamp()))}
    done = subprocess.run(
        ["quarto", "render", *arguments],
        cwd=copy, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    log = ANSI.sub("", done.stdout + "\n" + done.stderr).replace(str(copy), ".")
    failures = log_failures(log)
    if done.returncode != 0 or failures:
        told = failures or [line for line in log.splitlines() if line.strip()][-5:]
        listed = "\n".join(f"  {line}" for line in dict.fromkeys(told))
        raise BookError(f"Quarto did not render {settings.directory}:\n{listed}")
    return log


def _clean(folder: Path, copy: Path) -> None:
    for page in sorted(folder.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        page.write_text(clean_html(text, copy), encoding="utf-8")


def _warnings(log: str) -> list[str]:
    return [line.strip() for line in log.splitlines() if line.lstrip().startswith("WARN")]


def _left_out(output: str) -> Callable[[str, list[str]], list[str]]:
    """What is not copied: above all earlier output, which would pass for new."""
    begun = tuple(f".{name}-" for name in ("_book", output))

    def found(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if name in (*LEFT_OUT, output) or name.startswith(begun)]

    return found


def log_failures(log: str) -> list[str]:
    """Lines of Quarto's log that mean a wrong book, though Quarto itself exits with 0."""
    return [
        line.strip()
        for line in log.splitlines()
        if any(pattern.search(line) for pattern in FAILURES)
    ]


def clean_html(text: str, directory: Path) -> str:
    """A page without the machine's paths and run times that Quarto leaves in it."""
    return PRIVATE.sub("", text).replace(str(directory) + "/", "")
