"""Each municipality's own short report: the runs behind it, its text, and its rendering."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalkit.book import RenderedDocument, install_extension, render_document
from evalkit.book.cache import remove_half_made
from evalkit.book.config import read_settings as read_book_settings
from evalkit.book.notebooks import read_notebook
from evalkit.book.render import checked_engine
from evalkit.errors import ConfigError, EvalkitError, RunError
from evalkit.files import remove_leftovers, replace_text, says_why
from evalkit.municipalities import Municipality, find_municipality
from evalkit.prose import chapter_text, check_typed_numbers
from evalkit.readers import Study
from evalkit.runs import Job, JobState, job_states
from evalkit.runs.lanes import Died, results_side_by_side
from evalkit.short_report import (
    OUTPUT,
    PROFILE,
    cells_to_show,
    chapter_of,
    document_name,
    document_text,
    embedded_notebooks,
    profile_text,
)
from evalkit.studies import (
    AUDIT_NOTEBOOK,
    INCOMPLETE,
    Project,
    made_by_no_run,
    notebook_paths,
    reasons_against,
    study_jobs,
    told,
)

__all__ = ["ShortReport", "render_short_reports", "short_report_jobs"]

CLAIMS_NOTEBOOK = "16-claims.ipynb"  # short reports show it, whatever the study lists
TEMPLATE = "_kommune.qmd"  # stands for the chapter of a municipality that has none of its own


@dataclass(frozen=True)
class ShortReport:
    """How one municipality's report went: the document, or the error that stopped it."""

    municipality: Municipality
    document: RenderedDocument | None
    error: str = ""
    seconds: float = 0.0


def short_report_jobs(project: Project, read: Study, codes: list[str]) -> list[Job]:
    """The runs behind the short reports of municipalities.

    These are the municipalities' own, the list of their claims, which the book has no room for,
    and of those made once for the study the ones that their chapters embed.

    Raises
    ------
    ConfigError
        If a municipality has no chapter in the study's book, and the book no template for one.
    """
    embedded: set[str] = set()
    for code in codes:
        embedded |= embedded_notebooks(_chapter(project, read, code))
    once = [
        job
        for job in study_jobs(project, read)
        if not job.label_suffix and job.output.name in {*embedded, AUDIT_NOTEBOOK}
    ]
    notebooks = notebook_paths(project, read.settings.notebooks)
    claimed = project.notebooks / CLAIMS_NOTEBOOK
    if claimed.is_file() and claimed not in notebooks:
        notebooks.append(claimed)
    return once + study_jobs(project, read, codes, notebooks=notebooks)


def _chapter(project: Project, read: Study, code: str) -> str:
    """A municipality's chapter: its own, or the book's template with its name."""
    municipality = find_municipality(read.tables["municipalities"], code)
    own, template = (
        project.report(read.settings.study) / name
        for name in (f"{municipality.slug}.qmd", TEMPLATE)
    )
    if own.is_file():
        return chapter_text(own)
    if template.is_file():
        text = chapter_text(template)
        return chapter_of(text, name=municipality.name, slug=municipality.slug)
    raise ConfigError(
        f"neither {project.shown(own)} nor {template.name} beside it is there; a short report is "
        "made from the municipality's chapter in the book, or from one text for all of them"
    )


def render_short_reports(
    project: Project,
    read: Study,
    codes: list[str],
    *,
    formats: tuple[str, ...],
    engine: str = "auto",
    allow_incomplete: bool = False,
    workers: int | None = None,
) -> Iterator[ShortReport]:
    """Write and render municipalities' short reports, into ``_kommune`` beside the book.

    Parameters
    ----------
    project, read
        The study, processed, its notebooks run.
    codes
        The municipalities' codes.
    formats, engine
        As for ``render_document``.
    allow_incomplete
        Render although notebooks behind a report are not up to date; every page says so.
    workers
        Reports at a time, each in a process of its own; by default as many as there are
        processors. Quarto, which keeps its notes in the book's folder, renders one at a time.

    Yields
    ------
    ShortReport
        One for each municipality, as they are done. What stops one stops that one only: a
        report whose process is killed is made in another one, and given up the second time.

    Raises
    ------
    ConfigError
        If a municipality has no chapter, and the book no template for one.
    BookError
        If numbers are typed into the prose of the book's chapters.
    """
    engine = checked_engine(engine)
    book_dir = project.report(read.settings.study)
    check_typed_numbers(book_dir)
    states = _states(project, read, codes)
    remove_half_made(book_dir, OUTPUT)
    remove_leftovers(book_dir)
    install_extension(book_dir)
    replace_text(book_dir / f"_quarto-{PROFILE}.yml", profile_text())
    asked: list[tuple[_Draft, dict]] = []
    for code in codes:
        municipality = find_municipality(read.tables["municipalities"], code)
        wrong = reasons_against(states[code])
        made = {state.job.output.name for state in states[code]}
        strays = embedded_notebooks(_chapter(project, read, code)) - made
        wrong += [made_by_no_run(name) for name in sorted(strays)]
        if wrong and not allow_incomplete:
            yield ShortReport(municipality, None, _out_of_date(read, municipality, wrong))
            continue
        draft = _draft(project, read, municipality, [state.job for state in states[code]])
        options = {"formats": formats, "engine": engine, "banner": INCOMPLETE if wrong else None}
        asked.append((draft, options))
    calls = [(book_dir, *one) for one in asked]
    if engine == "quarto" or len(calls) < 2:
        results = ((number, _rendered(*call)) for number, call in enumerate(calls))
    else:
        count = workers or os.cpu_count() or 1
        results = results_side_by_side(_rendered, calls, workers=count)
    for number, result in results:
        municipality = asked[number][0].municipality
        if isinstance(result, Died):
            reason = f"{document_name(municipality.slug)}: {result} while it was rendered"
            yield ShortReport(municipality, None, reason)
        else:
            yield ShortReport(municipality, *result)


def _states(project: Project, read: Study, codes: list[str]) -> dict[str, list[JobState]]:
    """By municipality, the states of its own runs and of those made once that it shows."""
    jobs = short_report_jobs(project, read, codes)
    states = job_states(
        jobs, project_dir=project.root, study=read.settings.study, known=read.contents
    )
    own: dict[str, list[JobState]] = {code: [] for code in codes}
    once = []
    for state in states:
        code = state.job.parameters.get("municipality_code")
        own[code].append(state) if code else once.append(state)
    shown = {
        code: {*embedded_notebooks(_chapter(project, read, code)), AUDIT_NOTEBOOK} for code in codes
    }
    return {
        code: [s for s in once if s.job.output.name in shown[code]] + own[code] for code in codes
    }


def _out_of_date(read: Study, municipality: Municipality, wrong: list[str]) -> str:
    return str(
        RunError(
            f"{len(wrong)} notebooks behind the short report of {municipality.name} are not up to "
            f"date; run: evalkit run {read.settings.study} --municipality {municipality.code}"
            f"{told(wrong)}"
        )
    )


@dataclass(frozen=True)
class _Draft:
    """What a municipality's text is written from: its chapter, and its own executed notebooks."""

    municipality: Municipality
    chapter: str
    study_title: str
    notebooks: tuple[Path, ...]


def _draft(project: Project, read: Study, municipality: Municipality, jobs: list[Job]) -> _Draft:
    return _Draft(
        municipality,
        chapter=_chapter(project, read, municipality.code),
        study_title=read.settings.title,
        notebooks=tuple(job.output for job in jobs if job.label_suffix and job.output.is_file()),
    )


def _write_text(book_dir: Path, draft: _Draft) -> str:
    """Write a municipality's text among the book's chapters; the name of its file."""
    settings = read_book_settings(book_dir)
    notebooks = {f"notebooks/{path.name}": read_notebook(path) for path in draft.notebooks}
    text = document_text(
        draft.chapter,
        name=draft.municipality.name,
        slug=draft.municipality.slug,
        study_title=draft.study_title,
        date=settings.date,
        authors=settings.authors,
        cells=cells_to_show(notebooks),
    )
    name = document_name(draft.municipality.slug)
    replace_text(book_dir / name, text)
    return name


def _rendered(
    book_dir: Path, draft: _Draft, options: dict
) -> tuple[RenderedDocument | None, str, float]:
    """The document, its text written just before, or what stopped it; and the seconds it took."""
    start = time.monotonic()
    try:
        document = _write_text(book_dir, draft)
        made, error = render_document(book_dir, document, profile=PROFILE, **options), ""
    except Exception as problem:  # its own alone: the others are made
        made, error = None, _told_of(problem)
    return made, error, time.monotonic() - start


def _told_of(problem: Exception) -> str:
    """What stopped a report, in one line where evalkit itself did not say it."""
    if isinstance(problem, EvalkitError):
        return str(problem)
    if isinstance(problem, OSError):
        where = f"{problem.filename}: " if problem.filename else ""
        return f"{where}{says_why(problem)}"
    return f"{type(problem).__name__}: {problem}"
