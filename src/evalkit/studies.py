"""From a study's folder to its report: check, process, run, render; what the commands call."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd
import pypandoc

from evalkit.book import (
    RenderedBook,
    RenderedDocument,
    install_extension,
    list_of_floats,
    render_book,
    render_document,
)
from evalkit.book.config import read_settings as read_book_settings
from evalkit.book.notebooks import read_notebook
from evalkit.contracts import CONTRACTS, columns_of, typed
from evalkit.errors import ConfigError, RunError
from evalkit.facts import claims, fact_entries
from evalkit.feedback import ReturnedDraft, new_validations
from evalkit.logic_model import logic_model_findings
from evalkit.municipalities import Municipality, find_municipality
from evalkit.norwegian import date_text
from evalkit.readers import Study, read_study
from evalkit.runs import Job, JobState, RunSummary, job_states, run_jobs
from evalkit.runs.jobs import notebook_parameters, read_source
from evalkit.settings import read_settings
from evalkit.short_report import (
    PROFILE,
    cells_to_show,
    document_name,
    document_text,
    embedded_notebooks,
    profile_text,
)
from evalkit.store import write_processed

__all__ = [
    "Project",
    "log_feedback",
    "process_study",
    "render_short_report",
    "render_study",
    "run_study",
    "short_report_jobs",
    "study_findings",
    "study_jobs",
    "study_of_draft",
    "study_states",
]

READS = re.compile(r"read_processed\(\s*[\"'](\w+)[\"']")
LISTS = "_tabeller-og-figurer.qmd"  # included by the book, made before every render
DERIVED = {"claims", "sources", "model_findings"}
NO_CLAIMS = "validations"  # what municipalities said of a draft is no fact of the study
CLAIMS_NOTEBOOK = "16-claims.ipynb"  # short reports show it, whatever the study lists
AUDIT_NOTEBOOK = "18-disclosure.ipynb"  # runs for every study with answers, listed or not
INCOMPLETE = "Ufullstendig"


@dataclass(frozen=True)
class Project:
    """Where a project's files lie: the folder that holds ``data``, ``notebooks``, ``reports``."""

    root: Path

    @classmethod
    def found_from(cls, start: Path) -> Project:
        """The project that a folder lies in.

        Raises
        ------
        ConfigError
            If neither the folder nor one above it holds ``data/raw``.
        """
        for folder in (start, *start.parents):
            if (folder / "data" / "raw").is_dir():
                return cls(folder)
        raise ConfigError(f"no data/raw in {start} or above it; go to the project's folder first")

    def raw(self, study: str) -> Path:
        return self.root / "data" / "raw" / study

    @property
    def processed(self) -> Path:
        return self.root / "data" / "processed"

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    def report(self, study: str) -> Path:
        return self.root / "reports" / study

    def shown(self, path: Path) -> str:
        """A path as a user in the project's folder would write it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def process_study(project: Project, study: str) -> Study:
    """Check a study and write its processed tables and its book's facts and sources.

    Raises
    ------
    ConfigError, DataError
        With everything that is wrong with the study's files.
    """
    read = read_study(project.raw(study))
    every = claims(read.tables)
    settings = pd.DataFrame(
        [
            {
                "study": read.settings.study,
                "title": read.settings.title,
                "language": read.settings.language,
                "smallest_count": read.settings.smallest_count,
                "synthetic": read.settings.synthetic,
                "status_date": read.settings.status_date,
                "first_year": read.settings.period[0],
                "last_year": read.settings.period[1],
                "report_codes": ";".join(read.settings.municipality_codes),
            }
        ]
    )
    book_dir = project.report(study)
    references = formatted_references(project.raw(study) / "sources.bib", read.sources)
    write_processed(
        {**read.tables, "claims": every, "sources": references, "study": settings},
        study,
        project.processed,
    )
    if (book_dir / "_quarto.yml").is_file():
        install_extension(book_dir)
        replace_text(
            book_dir / "facts.json",
            json.dumps(
                fact_entries(every, read.sources, smallest_count=read.settings.smallest_count),
                ensure_ascii=False,
                indent=1,
                sort_keys=True,
            ),
        )
        replace_text(
            book_dir / "sources.bib",
            (project.raw(study) / "sources.bib").read_text(encoding="utf-8"),
        )
    return read


def study_findings(read: Study) -> pd.DataFrame:
    """Gaps in the study's logic models, with the study's reason for those that it accepts.

    Returns
    -------
    DataFrame
        As from ``logic_model_findings``, with ``accepted_reason``: from ``[accepted]`` in
        study.toml, whose names are findings, or patterns such as ``indicator-too-general:*``.
    """
    tables = {
        name: read.tables.get(
            name, typed(pd.DataFrame(columns=list(columns_of(contract))), contract)
        )
        for name, contract in CONTRACTS.items()
    }
    found = logic_model_findings(
        tables["logic_models"],
        cells=tables["logic_model_cells"],
        **{
            name: tables[name]
            for name in (
                "measures",
                "goals",
                "indicators",
                "observations",
                "targets",
                "municipalities",
            )
        },
    )
    accepted = read.settings.accepted

    def reason(finding: str) -> str | None:
        return next((why for name, why in accepted.items() if fnmatchcase(finding, name)), None)

    return found.assign(accepted_reason=found["finding"].map(reason).astype(object))


def replace_text(path: Path, text: str) -> None:
    """Write a file whole or not at all; a file that already holds the text is left alone."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def formatted_references(bibliography: Path, sources: pd.DataFrame) -> pd.DataFrame:
    """The sources with their full reference as Markdown, in the report's citation style."""
    style = Path(__file__).parent / "extension" / "evalkit.csl"
    document = json.loads(
        pypandoc.convert_text(
            "---\nnocite: '@*'\nlang: nb\n---\n",
            "json",
            format="markdown",
            extra_args=["--citeproc", f"--bibliography={bibliography}", f"--csl={style}"],
        )
    )
    texts = {}
    entries = next(
        (block["c"][1] for block in document["blocks"] if block["c"][0][0] == "refs"), []
    )
    for entry in entries:
        key = entry["c"][0][0].removeprefix("ref-")
        one = {
            **document,
            "meta": {},
            "blocks": [{"t": "Plain", "c": b["c"]} for b in entry["c"][1]],
        }
        texts[key] = one["blocks"]
    marker = {"t": "HorizontalRule"}
    blocks = [block for key in texts for block in (*texts[key], marker)]
    markdown = pypandoc.convert_text(
        json.dumps({**document, "meta": {}, "blocks": blocks}),
        "markdown-smart",
        format="json",
        extra_args=["--wrap=none"],
    )
    parts = re.split(r"^-{5,}$", markdown, flags=re.MULTILINE)
    formatted = {key: part.strip() for key, part in zip(texts, parts, strict=False)}
    return sources.assign(reference=sources["key"].map(formatted).fillna(sources["title"]))


def study_jobs(
    project: Project,
    read: Study,
    codes: list[str] | None = None,
    *,
    notebooks: list[Path] | None = None,
) -> list[Job]:
    """The runs of a study's notebooks: per municipality, per logic model, and once for all.

    A notebook with the parameter ``model_id`` runs for every logic model of each municipality,
    one with ``municipality_code`` for every municipality, any other once. A study with answers
    always runs the audit of all that it shows: no book is rendered while that has not passed.
    """
    settings = read.settings
    if notebooks is None:
        notebooks = notebook_paths(project, settings.notebooks)
        if "answers" in read.tables:
            audit = notebook_paths(project, (AUDIT_NOTEBOOK.removesuffix(".ipynb"),))
            notebooks += [path for path in audit if path not in notebooks]
    wanted = settings.municipality_codes if codes is None else codes
    municipalities = read.tables["municipalities"].set_index("municipality_code")
    models = read.tables.get("logic_models")
    jobs = []
    for notebook in notebooks:
        parameters = notebook_parameters(read_source(notebook))
        common = {"study": settings.study, "processed_dir": "../data/processed"}
        inputs = notebook_inputs(project, settings.study, notebook)
        if "municipality_code" not in parameters:
            if codes is None:
                jobs.append(_job(project, notebook, common, inputs, "", settings.title))
            continue
        for code in wanted:
            own = {**common, "municipality_code": code}
            slug, name = municipalities.loc[code, ["slug", "name"]]
            if "model_id" not in parameters:
                jobs.append(_job(project, notebook, own, inputs, slug, f"{code} {name}"))
                continue
            if models is not None:
                for model in models.loc[models["municipality_code"] == code, "model_id"]:
                    given = {**own, "model_id": model}
                    jobs.append(_job(project, notebook, given, inputs, model, f"{code} {name}"))
    return jobs


def _job(project, notebook, parameters, inputs, suffix, title) -> Job:
    name = f"{notebook.stem}-{suffix}" if suffix else notebook.stem
    output = project.report(parameters["study"]) / "notebooks" / f"{name}.ipynb"
    return Job(notebook, parameters, output, suffix, inputs, title)


def notebook_paths(project: Project, names: tuple[str, ...]) -> list[Path]:
    """The notebooks a study names, or those for published facts (``01-...`` to ``09-...``)."""
    if not names:
        return sorted(project.notebooks.glob("0[1-9]-*.ipynb"))
    paths = [project.notebooks / f"{name}.ipynb" for name in names]
    missing = [project.shown(p) for p in paths if not p.is_file()]
    if missing:
        raise ConfigError(f"study.toml names notebooks that are not there: {', '.join(missing)}")
    return paths


def notebook_inputs(project: Project, study: str, notebook: Path) -> tuple[Path, ...]:
    """The raw files behind the processed tables that a notebook reads."""
    read = set(READS.findall(notebook.read_text(encoding="utf-8").replace('\\"', '"')))
    raw = project.raw(study)
    paths = {raw / f"{table}.csv" for table in read - DERIVED - {"study"}}
    if read & DERIVED:
        held = {path for path in raw.glob("*.csv") if path.stem != NO_CLAIMS}
        paths |= {*held, raw / "sources.bib"}
    return tuple(sorted(p for p in {*paths, raw / "study.toml"} if p.is_file()))


def study_states(project: Project, read: Study, codes: list[str] | None = None) -> list[JobState]:
    """What is up to date of a study's runs, and why the rest is not."""
    jobs = study_jobs(project, read, codes)
    return job_states(jobs, project_dir=project.root, study=read.settings.study)


def short_report_jobs(project: Project, read: Study, codes: list[str]) -> list[Job]:
    """The runs behind the short reports of municipalities.

    These are the municipalities' own, the list of their claims, which the book has no room for,
    and of those made once for the study the ones that their chapters embed.

    Raises
    ------
    ConfigError
        If a municipality has no chapter in the study's book.
    """
    embedded: set[str] = set()
    for code in codes:
        embedded |= embedded_notebooks(chapter_text(project, read, code))
    once = [
        job
        for job in study_jobs(project, read)
        if not job.label_suffix
        and (job.output.name in embedded or job.output.name == AUDIT_NOTEBOOK)
    ]
    notebooks = notebook_paths(project, read.settings.notebooks)
    claimed = project.notebooks / CLAIMS_NOTEBOOK
    if claimed.is_file() and claimed not in notebooks:
        notebooks.append(claimed)
    return once + study_jobs(project, read, codes, notebooks=notebooks)


def chapter_text(project: Project, read: Study, code: str) -> str:
    """A municipality's chapter, as written."""
    municipality = find_municipality(read.tables["municipalities"], code)
    path = project.report(read.settings.study) / f"{municipality.slug}.qmd"
    if not path.is_file():
        raise ConfigError(
            f"{project.shown(path)} is not there; a short report is made from the "
            f"municipality's chapter in the book"
        )
    return path.read_text(encoding="utf-8")


def run_study(
    project: Project,
    read: Study,
    codes: list[str] | None = None,
    *,
    jobs: list[Job] | None = None,
    **options,
) -> RunSummary:
    """Run a processed study's notebooks, or some of its jobs; ``options`` are ``run_jobs``'."""
    if jobs is None:
        jobs = study_jobs(project, read, codes)
    if not jobs:
        raise RunError(f"{read.settings.study} has no notebooks in {project.notebooks} to run")
    summary = run_jobs(
        jobs,
        project_dir=project.root,
        study=read.settings.study,
        timeout_seconds=read.settings.timeout_seconds,
        memory_mb=read.settings.memory_mb,
        **options,
    )
    write_lists(project.report(read.settings.study))
    return summary


def write_lists(book_dir: Path) -> None:
    """Make the list of tables and figures that the book includes, from what stands in it now."""
    if (book_dir / "_quarto.yml").is_file():
        replace_text(book_dir / LISTS, list_of_floats(book_dir))


def render_study(
    project: Project, read: Study, *, allow_incomplete: bool = False, **options
) -> RenderedBook:
    """Render a processed study's book; refused while notebooks behind it are not up to date.

    Raises
    ------
    RunError
        If runs are missing, failed or out of date, naming each and why.
    BookError
        If the book's parts do not fit together.
    """
    study = read.settings.study
    wrong = _not_fresh(study_states(project, read))
    if wrong and not allow_incomplete:
        raise RunError(
            f"{len(wrong)} notebooks behind the book are not up to date; "
            f"run: evalkit run {study}{_told(wrong)}"
        )
    book_dir = project.report(study)
    write_lists(book_dir)
    return render_book(book_dir, banner=INCOMPLETE if wrong else None, **options)


def _not_fresh(states: list[JobState]) -> list[JobState]:
    return [state for state in states if state.state != "fresh"]


def _told(wrong: list[JobState]) -> str:
    lines = [f"{state.job.output.stem}: {state.state}, {state.reason}" for state in wrong[:20]]
    more = [f"... and {len(wrong) - 20} more"] if len(wrong) > 20 else []
    return "".join(f"\n  {line}" for line in [*lines, *more])


def render_short_report(
    project: Project, read: Study, code: str, *, allow_incomplete: bool = False, **options
) -> RenderedDocument:
    """Write and render the short report of one municipality, into ``_kommune`` beside the book.

    Parameters
    ----------
    project, read
        The study, processed.
    code
        The municipality's code.
    allow_incomplete
        Render although notebooks behind it are not up to date; every page says so.
    options
        Those of ``render_document``.

    Raises
    ------
    RunError
        If runs are missing, failed or out of date, naming each and why.
    ConfigError, BookError
        If the municipality has no chapter, or the report's parts do not fit together.
    """
    study, book_dir = read.settings.study, project.report(read.settings.study)
    municipality = find_municipality(read.tables["municipalities"], code)
    chapter = chapter_text(project, read, code)
    jobs = short_report_jobs(project, read, [code])
    wrong = _not_fresh(job_states(jobs, project_dir=project.root, study=study))
    if wrong and not allow_incomplete:
        raise RunError(
            f"{len(wrong)} notebooks behind the short report of {municipality.name} are not up "
            f"to date; run: evalkit run {study} --municipality {code}{_told(wrong)}"
        )
    settings = read_book_settings(book_dir)
    notebooks = {
        f"notebooks/{job.output.name}": read_notebook(job.output)
        for job in jobs
        if job.label_suffix and job.output.is_file()
    }
    text = document_text(
        chapter,
        name=municipality.name,
        slug=municipality.slug,
        study_title=read.settings.title,
        date=settings.date,
        authors=settings.authors,
        cells=cells_to_show(notebooks),
    )
    replace_text(book_dir / f"_quarto-{PROFILE}.yml", profile_text())
    replace_text(book_dir / document_name(municipality.slug), text)
    return render_document(
        book_dir,
        document_name(municipality.slug),
        profile=PROFILE,
        banner=INCOMPLETE if wrong else None,
        **options,
    )


def study_of_draft(project: Project, draft: ReturnedDraft) -> str:
    """The study that a returned short report is of: the one whose title its subtitle ends with.

    Raises
    ------
    ConfigError
        If that is none of the project's studies, or more than one.
    """
    titles = {
        path.parent.name: read_settings(path.parent).title
        for path in sorted((project.root / "data" / "raw").glob("*/study.toml"))
    }
    found = [study for study, title in titles.items() if draft.subtitle.endswith(title)]
    if len(found) != 1:
        raise ConfigError(
            "the file does not say which study it is of; "
            f"name it with --study, one of {', '.join(titles)}"
        )
    return found[0]


def log_feedback(
    project: Project,
    read: Study,
    draft: ReturnedDraft,
    municipality: Municipality,
    *,
    received: str,
    round_number: int | None = None,
) -> pd.DataFrame:
    """Log a returned draft as a validation round of the study; what is logged already stays.

    The round gets a source in ``sources.bib``; rows go at the end of ``validations.csv``, whose
    other rows, with the answers given there, are left as they are.

    Parameters
    ----------
    project, read
        The study.
    draft
        From ``read_feedback``.
    municipality
        The one that returned it.
    received
        The day the file came, such as ``2026-11-22``.
    round_number
        The round; by default the next.

    Returns
    -------
    DataFrame
        The rows that were added; none if all were logged before.
    """
    contract = CONTRACTS["validations"]
    columns = list(columns_of(contract))
    logged = read.tables.get("validations")
    if logged is None:
        logged = typed(pd.DataFrame(columns=columns), contract)
    added = new_validations(
        draft.entries,
        logged=logged,
        municipality=municipality,
        received=received,
        round_number=round_number,
    )
    if added.empty:
        return added
    folder = project.raw(read.settings.study)
    source, number = added[["source", "round"]].iloc[0]
    if source not in set(read.sources["key"]):
        bibliography = folder / "sources.bib"
        entry = round_source(source, municipality.name, number, received)
        kept = bibliography.read_text(encoding="utf-8").rstrip("\n")
        replace_text(bibliography, f"{kept}\n\n{entry}")
    path = folder / "validations.csv"
    kept = path.read_text(encoding="utf-8-sig") if path.is_file() else ",".join(columns) + "\n"
    header = next(csv.reader(io.StringIO(kept)))
    order = [name.strip() for name in header]
    ended = kept if kept.endswith("\n") else kept + "\n"
    replace_text(path, ended + added[order].to_csv(index=False, header=False, lineterminator="\n"))
    return added


def round_source(key: str, name: str, number: int, received: str) -> str:
    """The BibTeX entry of a round of validation."""
    return (
        f"@misc{{{key},\n"
        f"  author = {{{{{name} kommune}}}},\n"
        f"  title = {{Merknader og rettelser til utkast til kortrapport, runde {number}}},\n"
        f"  year = {{{received[:4]}}},\n"
        f"  note = {{Word-fil, mottatt {date_text(received)}}}\n"
        "}\n"
    )
