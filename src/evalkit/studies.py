"""From a study's folder to its report: check, process, run, render; what the commands call."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from evalkit.book import (
    RenderedBook,
    embedded_in_book,
    list_of_floats,
    render_book,
    write_missing,
)
from evalkit.csv_files import header_of
from evalkit.errors import ConfigError, DataError, RunError
from evalkit.files import replace_text
from evalkit.municipalities import Municipality
from evalkit.norwegian import date_text
from evalkit.processing import StudyFiles, process_files, row_hashes
from evalkit.prose import check_typed_numbers
from evalkit.readers import Study
from evalkit.runs import Job, JobState, RunSummary, job_states, run_jobs
from evalkit.runs.jobs import check_folders, check_study_name, notebook_parameters, read_source
from evalkit.runs.lock import study_lock
from evalkit.settings import read_settings
from evalkit.store import OBSERVATIONS, OWNED_THROUGH

if TYPE_CHECKING:
    from evalkit.feedback import ReturnedDraft

# Contracts and analysis are imported where they are used: most runs find that nothing has
# changed, and half of their time would go to importing what they do not need.

__all__ = [
    "Project",
    "log_codings",
    "log_feedback",
    "process_study",
    "render_study",
    "run_study",
    "study_findings",
    "study_held",
    "study_jobs",
    "study_of_draft",
    "study_plan_findings",
    "study_questions",
    "study_states",
]

LISTS = "_tabeller-og-figurer.qmd"  # included by the book, made before every render
DERIVED = {"claims", "sources", "model_findings", "contents"}  # made of all tables
OWN_TABLES = {"claims"}  # of which a municipality's rows are made of its own rows, and nobody's
NO_CLAIMS = "validations"  # what municipalities said of a draft is no fact of the study
READING = ("read_processed", "processed_parts")  # what notebooks read tables with
READING_ALL = {  # and all rows of certain tables: the country's numbers change with any row
    "read_series": ("observations", "indicators"),
    "read_own_observations": ("observations", "indicators", "facts"),
    "read_observations": ("observations",),
    "read_answers": ("answers", "items"),
    "read_observation_sources": ("observations",),
    "observation_parts": ("observations",),
}
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
        check_study_name(study)
        return self.root / "data" / "raw" / study

    def files(self, study: str) -> StudyFiles:
        """The study's folders.

        Raises
        ------
        ConfigError
            If one that is written in is a symbolic link, or the name is no folder's name.
        """
        check_folders(self.root, study)
        return StudyFiles(self.raw(study), self.processed, self.report(study))

    @property
    def processed(self) -> Path:
        return self.root / "data" / "processed"

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    def report(self, study: str) -> Path:
        check_study_name(study)
        return self.root / "reports" / study

    def shown(self, path: Path) -> str:
        """A path as a user in the project's folder would write it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


@contextlib.contextmanager
def study_held(
    project: Project, study: str, on_wait: Callable[[str], None] | None = None
) -> Iterator[Study]:
    """Process a study and hold it, so that nobody else writes while its notebooks and book are made.

    Parameters
    ----------
    project, study
        Which study.
    on_wait
        Told in words, once, whom this process waits for.

    Returns
    -------
    context manager
        Gives the processed study, as from `process_study`.

    Raises
    ------
    ConfigError, DataError
        With everything that is wrong with the study's files.
    """
    files = project.files(study)
    read_settings(files.raw)  # a study that is not there leaves no folder behind
    with study_lock(files.runs, on_wait=on_wait):
        yield process_files(files)


def process_study(project: Project, study: str) -> Study:
    """Check a study and write its processed tables and its book's facts and sources.

    Raises
    ------
    ConfigError, DataError
        With everything that is wrong with the study's files.
    """
    return process_files(project.files(study))


def study_findings(read: Study) -> pd.DataFrame:
    """Gaps in the study's logic models, with the study's reason for those that it accepts.

    Returns
    -------
    DataFrame
        As from ``logic_model_findings``, with ``accepted_reason``: from ``[accepted]`` in
        study.toml, whose names are findings, or patterns such as ``indicator-too-general:*``.
    """
    from evalkit.logic_model import logic_model_findings

    tables = every_table(read)
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


def study_plan_findings(read: Study) -> pd.DataFrame:
    """What is to be mended in the study's plan, as from ``plan_findings``; none without a plan."""
    from evalkit.readiness import PLAN_TABLES, plan_findings

    tables = every_table(read)
    found = plan_findings(
        **{name: tables[name] for name in PLAN_TABLES}, version=read.settings.plan_version or None
    )
    is_plan = any(name in read.tables for name in ("evaluation_plan", "plan_phases"))
    return found if is_plan else found.iloc[:0]


def study_questions(read: Study) -> list[str]:
    """What a reader of the study's tables should ask of them; a question stops nothing."""
    from evalkit.linkage import linkage_questions

    return linkage_questions(read.tables)


def every_table(read: Study) -> dict[str, pd.DataFrame]:
    """The study's tables, with those it does not have as empty ones."""
    from evalkit.contracts import CONTRACTS, columns_of, typed

    return {
        name: read.tables.get(
            name, typed(pd.DataFrame(columns=list(columns_of(contract))), contract)
        )
        for name, contract in CONTRACTS.items()
    }


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
    table = read.tables["municipalities"]
    named = dict(
        zip(table["municipality_code"], zip(table["slug"], table["name"], strict=True), strict=True)
    )
    models = {}
    if "logic_models" in read.tables:
        of_models = read.tables["logic_models"]
        models = of_models.groupby("municipality_code", sort=False)["model_id"].agg(list).to_dict()
    rows = read.rows or row_hashes(read.tables, smallest_count=read.settings.smallest_count)
    settings_file = project.raw(settings.study) / "study.toml"
    jobs = []
    for notebook in notebooks:
        parameters = notebook_parameters(read_source(notebook))
        common = {"study": settings.study, "processed_dir": "../data/processed"}
        tables = tables_read(notebook)
        inputs = notebook_inputs(read.folder, settings_file, tables)
        files = {"inputs": inputs, "made": _made_of(project, settings.study, tables)}
        if "municipality_code" not in parameters:
            if codes is None:
                jobs.append(_job(project, notebook, common, "", title=settings.title, **files))
            continue
        for code in wanted:
            given = {**common, "municipality_code": code}
            slug, name = named[code]
            about = {"rows": _own_rows(inputs, tables, rows, code), "title": f"{code} {name}"}
            if "model_id" not in parameters:
                jobs.append(_job(project, notebook, given, slug, **about, **files))
                continue
            for model in models.get(code, []):
                modelled = {**given, "model_id": model}
                jobs.append(_job(project, notebook, modelled, model, **about, **files))
    return jobs


def _job(project: Project, notebook: Path, parameters: Mapping, suffix: str, **details) -> Job:
    name = f"{notebook.stem}-{suffix}" if suffix else notebook.stem
    output = project.report(parameters["study"]) / "notebooks" / f"{name}.ipynb"
    return Job(notebook, parameters, output, suffix, **details)


def _made_of(project: Project, study: str, read: Mapping[str, bool]) -> tuple[Path, ...]:
    """The processed files that a notebook reads, with those that tell whose their rows are."""
    owners = {OWNED_THROUGH[name][1] for name in read if name in OWNED_THROUGH}
    folder = project.processed / study
    paths = [folder / f"{name}.parquet" for name in sorted({*read, *owners, "municipalities"})]
    if OBSERVATIONS in read:  # those that are too many to be read lie in a folder
        paths += sorted((folder / OBSERVATIONS).glob("*.parquet"))
    return tuple(path for path in paths if path.is_file())


def notebook_paths(project: Project, names: tuple[str, ...]) -> list[Path]:
    """The notebooks a study names, or those for published facts (``01-...`` to ``09-...``)."""
    if not names:
        return sorted(project.notebooks.glob("0[1-9]-*.ipynb"))
    paths = [project.notebooks / f"{name}.ipynb" for name in names]
    missing = [project.shown(p) for p in paths if not p.is_file()]
    if missing:
        raise ConfigError(f"study.toml names notebooks that are not there: {', '.join(missing)}")
    return paths


def tables_read(notebook: Path) -> dict[str, bool]:
    """The tables that a notebook reads; False for those of which it reads a municipality's rows.

    Raises
    ------
    ConfigError
        If a table is read in a way that does not show which: its name is not in quotes, or the
        function that reads goes by another name.
    """
    found: dict[str, bool] = {}
    cells = [cell for cell in read_source(notebook)["cells"] if cell["cell_type"] == "code"]
    for cell in cells:
        known = (*READING, *READING_ALL)
        if not any(name in cell["source"] for name in known):
            continue
        tree = _parsed(cell["source"], notebook)
        every = [_done_once(n) for n in ast.walk(tree) if isinstance(n, ast.Call)]
        calls = [call for call in every if _name(call.func) in known]
        called = {id(call.func) for call in calls}
        for node in ast.walk(tree):
            renamed = isinstance(node, ast.alias) and node.name in known and node.asname
            if renamed or (_name(node) in known and id(node) not in called):
                raise ConfigError(
                    f"{notebook.name}: {ast.unparse(node)}; expected a call by the function's own "
                    "name, which tells when the notebook is out of date"
                )
        for call in calls:
            if _name(call.func) in READING_ALL:
                found |= dict.fromkeys(READING_ALL[_name(call.func)], True)
                continue
            table = getattr(call.args[0], "value", None) if call.args else None
            if not isinstance(table, str):
                raise ConfigError(
                    f"{notebook.name}: {ast.unparse(call)}; expected the table's name in "
                    "quotes first, which tells when the notebook is out of date"
                )
            found[table] = found.get(table, False) or not _reads_own_rows(call)
    if any(_gives_another_code(cell, notebook) for cell in cells):
        return dict.fromkeys(found, True)
    return found


def _done_once(call: ast.Call) -> ast.Call:
    """The call that `once` makes, such as ``read_answers(...)`` of ``once(read_answers, ...)``."""
    if _name(call.func) != "once" or not call.args:
        return call
    return ast.Call(call.args[0], call.args[1:], call.keywords)


def _gives_another_code(cell: Mapping, notebook: Path) -> bool:
    """Whether a cell beside the parameters' own sets ``municipality_code``."""
    if "municipality_code" not in cell["source"] or "parameters" in cell["metadata"].get(
        "tags", []
    ):
        return False
    return any(
        getattr(node, "id", "") == "municipality_code" and isinstance(node.ctx, ast.Store)
        for node in ast.walk(_parsed(cell["source"], notebook))
    )


def _reads_own_rows(call: ast.Call) -> bool:
    """Whether a table is read for the municipality that the notebook is run for, and no other."""
    given = [*call.args[3:4], *(k.value for k in call.keywords if k.arg == "municipality_code")]
    return [getattr(value, "id", "") for value in given] == ["municipality_code"]


def _parsed(source: str, notebook: Path) -> ast.Module:
    """A cell as Python, its magics and shell lines as calls."""
    try:
        return ast.parse(source)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager
    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError as error:
        raise ConfigError(f"{notebook.name}: a cell is not Python: {error}") from error


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def notebook_inputs(raw: Path, settings_file: Path, read: Mapping[str, bool]) -> tuple[Path, ...]:
    """The raw files behind the processed tables that a notebook reads."""
    paths = {raw / f"{table}.csv" for table in set(read) - DERIVED - {"study"}}
    if DERIVED & set(read):
        paths |= {path for path in raw.glob("*.csv") if path.stem != NO_CLAIMS}
    if (DERIVED - OWN_TABLES) & set(read):
        paths.add(raw / "sources.bib")
    return tuple(sorted(p for p in {*paths, settings_file} if p.is_file()))


def _own_rows(
    inputs: tuple[Path, ...],
    read: Mapping[str, bool],
    rows: Mapping[str, Mapping[str, str]],
    code: str,
) -> dict[Path, str]:
    """Hashes of a municipality's rows and nobody's, of the files read in no other way."""
    whole = {table for table, all_rows in read.items() if all_rows}
    if DERIVED & (whole | (set(read) - OWN_TABLES)):
        return {}
    own = set(read) - whole
    if own & OWN_TABLES:
        own |= set(rows) - whole
    return {
        path: f"{rows[path.stem].get(code, '')} {rows[path.stem].get('', '')}"
        for path in inputs
        if path.stem in own
    }


def study_states(project: Project, read: Study, codes: list[str] | None = None) -> list[JobState]:
    """What is up to date of a study's runs, and why the rest is not."""
    jobs = study_jobs(project, read, codes)
    return job_states(
        jobs, project_dir=project.root, study=read.settings.study, known=read.contents
    )


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
        known=read.contents,
        **options,
    )
    book_dir = project.report(read.settings.study)
    if summary.count("made") or not _lists_stand(book_dir):
        write_lists(book_dir)
    return summary


def _lists_stand(book_dir: Path) -> bool:
    """Whether no chapter is newer than the list of tables and figures, for a render by Quarto."""
    try:
        written = (book_dir / LISTS).stat().st_mtime_ns
    except FileNotFoundError:
        return False
    chapters = [*book_dir.glob("*.qmd"), *book_dir.glob("*.yml")]
    return all(path.stat().st_mtime_ns <= written for path in chapters)


def write_lists(book_dir: Path) -> None:
    """Make the list of tables and figures that the book includes, from what stands in it now."""
    if (book_dir / "_quarto.yml").is_file():
        replace_text(book_dir / LISTS, list_of_floats(book_dir))


def render_study(
    project: Project, read: Study, *, allow_incomplete: bool = False, **options
) -> RenderedBook:
    """Render a processed study's book; refused while what it embeds is not up to date.

    With ``allow_incomplete`` it is rendered all the same, marked on every page; what was never
    made is said to be missing in its place.

    Raises
    ------
    RunError
        If runs are missing, failed or out of date, or a notebook that the book embeds is made
        by none of the study's runs, naming each and why.
    BookError
        If the book's parts do not fit together, or numbers are typed into its prose.
    """
    study = read.settings.study
    book_dir = project.report(study)
    check_typed_numbers(book_dir)
    with study_lock(project.files(study).runs):
        states = study_states(project, read)
        made = {state.job.output.resolve() for state in states}
        embedded = embedded_in_book(book_dir) if project.files(study).has_book else {}
        wrong = reasons_against(states)
        wrong += [made_by_no_run(project.shown(path)) for path in embedded if path not in made]
        if wrong and not allow_incomplete:
            raise RunError(
                f"{len(wrong)} notebooks behind the book are not up to date; "
                f"run: evalkit run {study}{told(wrong)}"
            )
        if wrong and embedded:
            write_missing(book_dir)
        write_lists(book_dir)
        return render_book(book_dir, banner=INCOMPLETE if wrong else None, **options)


def reasons_against(states: list[JobState]) -> list[str]:
    """Which results do not stand, and why; one line each."""
    return [
        f"{state.job.output.stem}: {state.state}, {state.reason}"
        for state in states
        if state.state != "fresh"
    ]


def made_by_no_run(notebook: str) -> str:
    """Why an embedded notebook cannot stand that none of the study's runs makes."""
    return (
        f"{notebook}: made by no run of the study; name its notebook in study.toml, or embed it "
        "no more"
    )


def told(wrong: list[str]) -> str:
    """The first of them, a line each."""
    more = [f"... and {len(wrong) - 20} more"] if len(wrong) > 20 else []
    return "".join(f"\n  {line}" for line in [*wrong[:20], *more])


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
    from evalkit.contracts import CONTRACTS, columns_of, typed
    from evalkit.feedback import new_validations

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
    folder = read.folder
    source, number = added[["source", "round"]].iloc[0]
    if source not in set(read.sources["key"]):
        bibliography = folder / "sources.bib"
        entry = round_source(source, municipality.name, number, received)
        kept = bibliography.read_text(encoding="utf-8").rstrip("\n")
        replace_text(bibliography, f"{kept}\n\n{entry}")
    append_rows(folder / "validations.csv", added[columns])
    return added


def append_rows(path: Path, added: pd.DataFrame) -> None:
    """Put rows at the end of a CSV file, in the order of its columns; what is there stays."""
    if not path.is_file():
        replace_text(path, added.to_csv(index=False, lineterminator="\n"))
        return
    kept = path.read_text(encoding="utf-8-sig")
    order, _, dialect = header_of(path)
    ended = kept if kept.endswith("\n") else kept + "\n"
    rows = added[order].to_csv(
        index=False,
        header=False,
        lineterminator="\n",
        sep=dialect.delimiter,
        decimal=dialect.decimal,
    )
    replace_text(path, ended + rows)


def log_codings(
    read: Study,
    export: pd.DataFrame,
    *,
    source: str | None = None,
    documents: Mapping[str, str] | None = None,
    write: bool = True,
) -> pd.DataFrame:
    """Put an export's codings into ``codings.csv`` of a study; rows that are there stay.

    Parameters
    ----------
    read
        The study.
    export
        From ``read_coded_export``.
    source
        Key of the export in ``sources.bib``; by default the one that all codings of the study
        have.
    documents
        By document, its municipality's code, where its name does not say it.
    write
        False only tells what would be added.

    Returns
    -------
    DataFrame
        The rows that were added, none of them cleared.

    Raises
    ------
    DataError
        If a document has no municipality, or the source is not among the study's.
    """
    from evalkit.coded_exports import new_codings, placed_documents
    from evalkit.contracts import CONTRACTS, breaches, columns_of, typed

    contract = CONTRACTS["codings"]
    columns = list(columns_of(contract))
    logged = read.tables.get("codings")
    if logged is None:
        logged = typed(pd.DataFrame(columns=columns), contract)
    if source is None:
        used = sorted(logged["source"].unique())
        if len(used) != 1:
            raise DataError(
                f"{read.folder / 'codings.csv'} has {len(used)} sources; say which the export "
                "is, with --source KEY"
            )
        source = used[0]
    if source not in set(read.sources["key"]):
        raise DataError(f"no source {source!r} in {read.folder / 'sources.bib'}")
    municipalities = read.tables["municipalities"]
    placed = placed_documents(export, municipalities=municipalities, given=documents)
    added = new_codings(placed, logged=logged, source=source)
    wrong = breaches(added[columns].astype("str").where(added[columns].notna(), None), contract)
    if wrong:
        raise DataError("the export does not fit CodingsTable:\n  " + "\n  ".join(wrong))
    if write and len(added):
        append_rows(read.folder / "codings.csv", added[columns])
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
