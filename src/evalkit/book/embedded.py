"""The embedded engine: a Quarto book to HTML and PDF with pandoc and Typst from PyPI alone."""

from __future__ import annotations

import base64
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from evalkit.book.check import Survey
from evalkit.book.config import BookSettings
from evalkit.book.extension import CSL, EXTENSION
from evalkit.book.notebooks import Cell
from evalkit.book.pages import write_pages
from evalkit.book.reading import keep_readings, lay_out_readings
from evalkit.book.source import ChapterSource
from evalkit.errors import BookError
from evalkit.files import naming
from evalkit.markdown import escaped
from evalkit.programs import how_it_ended, run_pandoc

__all__ = [
    "compile_pdf",
    "convert",
    "copy_pictures",
    "draw_pictures",
    "job_for",
    "memory_settings",
    "render_embedded",
    "run_engine",
    "write_figures",
    "write_pdf",
]

ENGINE = EXTENSION / "embedded"
FIGURES = "figures"
TEMPLATE = (
    "numbering.typ",
    "embedded/definitions.typ",
    "typst-template.typ",
    "page.typ",
    "typst-show.typ",
)
ROOM = {"GHCRTS": "-A128m"}  # pandoc clears up less often: a seventh of a book's time
EQUATION = re.compile(r"\$\$(.+?)\$\$[ \t]*\{(#eq-[^}]*)\}", re.DOTALL)


def render_embedded(
    survey: Survey, target: Path, formats: tuple[str, ...], progress=None
) -> list[str]:
    """Render a checked book into a folder.

    Parameters
    ----------
    survey
        The book, checked and without breaches.
    target
        An empty folder for the pages and the PDF.
    formats
        Of ``html`` and ``pdf``.
    progress
        Called with a sentence for each step, or None.

    Returns
    -------
    list of str
        What pandoc and Typst warned about.
    """
    say = progress or (lambda message: None)
    with tempfile.TemporaryDirectory(prefix="evalkit-") as work:
        folder = Path(work)
        write_figures(survey, folder)
        with ThreadPoolExecutor(max_workers=2) as pool:
            jobs = {}
            if "html" in formats:
                jobs["html"] = pool.submit(convert, survey, "html", folder)
            if "pdf" in formats:
                jobs["pdf"] = pool.submit(_pdf, survey, folder, target)
            warnings: list[str] = []
            if "html" in jobs:
                say("HTML pages")
                answer, heard = jobs["html"].result()
                copy_pictures(survey, folder, target)
                pdf_name = f"{survey.settings.output_file}.pdf" if "pdf" in jobs else None
                write_pages(survey.settings, survey.sources.chapters, answer, target, pdf_name)
                warnings += heard
            if "pdf" in jobs:
                say("PDF")
                warnings += jobs["pdf"].result()
    return warnings


def convert(
    survey: Survey, to: str, folder: Path, *, single: bool = False
) -> tuple[dict, list[str]]:
    """What the engine makes of a book (or of a ``single`` document), and what it warned about."""
    answer = folder / f"answer-{to}.json"
    job = job_for(survey, to, answer) | {"single": single}
    readings = None if single else lay_out_readings(survey, job, folder)
    warnings = run_engine(job, folder / f"job-{to}.json", survey)
    made = json.loads(answer.read_text(encoding="utf-8"))
    if readings and not warnings:  # what was warned about is read again, and warned about
        keep_readings(survey, job, readings, made["read_now"])
    return made, warnings


def run_engine(description: dict, job: Path, survey: Survey) -> list[str]:
    """Run the engine's Lua on one job, in the book's folder; what it warned about.

    Raises
    ------
    BookError
        With the engine's own message.
    """
    job.write_text(json.dumps(description, ensure_ascii=False), encoding="utf-8")
    room = {} if description["single"] else memory_settings()
    done = run_pandoc(
        ["lua", ENGINE / "engine.lua", job],
        directory=survey.settings.directory,
        settings={
            **{name: os.environ.get(name, value) for name, value in room.items()},
            "SOURCE_DATE_EPOCH": str(int(survey.settings.timestamp.timestamp())),
        },
    )
    if done.returncode != 0:
        raise BookError(done.stderr.strip().removeprefix("Error: ") or "pandoc failed")
    return [line for line in done.stderr.splitlines() if line.strip()]


@functools.cache
def memory_settings() -> dict[str, str]:
    """`ROOM`, if the pandoc that is there can be told; one built otherwise stops at it."""
    return ROOM if run_pandoc(["--version"], settings=ROOM).returncode == 0 else {}


def job_for(survey: Survey, to: str, answer: Path) -> dict:
    """What the engine's Lua needs to know to write a book or document in one format."""
    settings = survey.settings
    metadata = {
        "title": _shown(settings.title),
        "subtitle": _shown(settings.subtitle),
        "lang": settings.language,
        "bibliography": list(settings.bibliography),
        "csl": settings.csl or str(EXTENSION / CSL),
        "facts-page": settings.facts_page,
        "evalkit": {name: _shown(text) for name, text in settings.evalkit.items()},
    }
    kept = {key: value for key, value in metadata.items() if value}
    return {
        "format": to,
        "extension": str(EXTENSION),
        "output": str(answer),
        "words": settings.words,
        "metadata": "---\n" + yaml.safe_dump(kept, allow_unicode=True) + "---\n",
        "template": _template(),
        "variables": {
            "by-author": [{"name": {"literal": _in_quotes(name)}} for name in settings.authors],
            "date": _in_quotes(settings.date or ""),
            "toc-title": settings.words["contents"],
            "toc-depth": str(settings.toc_depth),
            "quarto": {"language": {"crossref-ch-prefix": settings.words["ch"]}},
        },
        "chapters": [_chapter(chapter) for chapter in survey.sources.chapters],
        "cells": {key: _cell(key, cell) for key, cell in survey.sources.cells.items()},
    }


def _shown(text: str | None) -> str | None:
    """Text in the metadata that pandoc reads as Markdown."""
    return str(escaped(text)) if text else None


def _in_quotes(text: str) -> str:
    """Text between the quotation marks of a Typst string."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _template() -> str:
    parts = [(EXTENSION / name).read_text(encoding="utf-8") for name in TEMPLATE]
    return "\n".join([*parts, "$body$", ""])


def _chapter(chapter: ChapterSource) -> dict:
    text = "\n".join(line.text for line in chapter.lines) + "\n"
    job = {
        "file": chapter.file,
        "kind": chapter.kind,
        "text": EQUATION.sub(r"[$$\1$$]{\2}", text),
    }
    return job | ({"part_before": _shown(chapter.part_before)} if chapter.part_before else {})


def _figure_name(key: str, number: int, kind: str) -> str:
    notebook, _, label = key.partition("#")
    stem = notebook.removeprefix("notebooks/").removesuffix(".ipynb")
    name = re.sub(r"[^\w-]+", "-", f"{stem}-{label}").strip("-")
    return f"{FIGURES}/{name}{'-' + str(number) if number else ''}.{kind}"


def _cell(key: str, cell: Cell) -> dict:
    outputs = []
    for number, output in enumerate(cell.outputs):
        if output.kind in ("markdown", "text"):
            outputs.append({"type": output.kind, "text": output.content})
        else:
            path = _figure_name(key, number, output.kind)
            outputs.append({"type": "image", "path": path, "width": output.width})
    names = ("tbl-cap", "fig-cap", "kilde", "tbl-colwidths")
    options = {name: cell.options[name] for name in names if cell.options.get(name) is not None}
    return {
        "label": cell.label,
        "alt": str(cell.options.get("fig-alt") or ""),
        "attributes": [
            [name, value if isinstance(value, str) else json.dumps(value)]
            for name, value in options.items()
        ],
        "outputs": outputs,
    }


def write_figures(survey: Survey, folder: Path) -> None:
    """Write the cells' pictures, and copy the authored ones, to where the engine finds them."""
    for key, cell in survey.sources.cells.items():
        for number, output in enumerate(cell.outputs):
            if output.kind not in ("svg", "png", "jpg"):
                continue
            path = folder / _figure_name(key, number, output.kind)
            path.parent.mkdir(exist_ok=True)
            if output.kind == "svg":
                path.write_text(output.content, encoding="utf-8")
            else:
                path.write_bytes(base64.b64decode(output.content))
    for source, path in survey.pictures.items():
        copy = folder / source
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def copy_pictures(survey: Survey, folder: Path, target: Path) -> None:
    """Copy what `write_figures` wrote to beside the pages."""
    if (folder / FIGURES).is_dir():
        shutil.copytree(folder / FIGURES, target / FIGURES, dirs_exist_ok=True)
    for source in survey.pictures:
        copy = target / source
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / source, copy)


def _pdf(survey: Survey, folder: Path, target: Path) -> list[str]:
    answer, warnings = convert(survey, "typst", folder)
    write_pdf(answer, folder, target / f"{survey.settings.output_file}.pdf", survey.settings)
    return warnings


def write_pdf(answer: dict, folder: Path, target: Path, settings: BookSettings) -> None:
    """Write the engine's Typst document beside its pictures and compile it."""
    document = folder / "report.typ"
    document.write_text(answer["document"], encoding="utf-8")
    compile_pdf(document, target, settings)


COMPILING = """
import json, sys, typst
for document, options in json.load(sys.stdin):
    try:
        made, warnings = typst.compile_with_warnings(document, ignore_system_fonts=True, **options)
    except typst.TypstError as error:
        hints = "; ".join(getattr(error, "hints", None) or [])
        sys.exit(f"{error}" + (f" ({hints})" if hints else ""))
    unsettled = [warning.message for warning in warnings if "converge" in warning.message]
    if unsettled:
        sys.exit("; ".join(unsettled) + "; its numbers and references would be wrong")
    sys.stdout.buffer.write(made or b"")
"""


def compile_pdf(document: Path, target: Path, settings: BookSettings) -> None:
    """Compile a Typst document to a PDF/UA-1, the same bytes for the same document.

    Raises
    ------
    BookError
        With Typst's message, if the document does not compile, does not settle (then numbers and
        references in it are wrong) or breaks PDF/UA-1.
    """
    options = {
        "root": str(document.parent),
        "pdf_standards": ["ua-1"],
        "timestamp": int(settings.timestamp.timestamp()),
    }
    made = _compiled([(document, options)], "PDF")
    with naming(target):
        target.write_bytes(made)


def draw_pictures(pictures: Sequence[Path], *, pixels_per_inch: int) -> list[Path]:
    """Draw SVG pictures as PNG beside them.

    Raises
    ------
    BookError
        With Typst's message, if one cannot be drawn.
    """
    calls, drawn = [], [picture.with_suffix(".png") for picture in pictures]
    for picture, target in zip(pictures, drawn, strict=True):
        page = picture.with_suffix(".typ")
        setting = "#set page(width: auto, height: auto, margin: 0pt)"
        page.write_text(f'{setting}\n#image("{picture.name}")\n', encoding="utf-8")
        output = {"output": str(target), "format": "png", "ppi": pixels_per_inch}
        calls.append((page, {"root": str(page.parent), **output}))
    if calls:
        _compiled(calls, "Word document")
    for page, _ in calls:
        page.unlink()
    return drawn


def _compiled(calls: Sequence[tuple[Path, dict]], what: str) -> bytes:
    """What Typst makes of documents, one after the other, where it is not put in a file.

    In a process of its own: within one process, Typst keeps what it has worked out for the last
    ten documents, some 300 MB of it, and is no faster for that.
    """
    asked = json.dumps([(str(document), options) for document, options in calls])
    done = subprocess.run(
        [sys.executable, "-P", "-c", COMPILING],
        input=asked.encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip()
        detail = told or f"Typst: {how_it_ended(done.returncode)}; run the same command again"
        raise BookError(f"the {what} could not be made: {detail}")
    return done.stdout
