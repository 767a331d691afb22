"""The ``evalkit`` command: arguments in, one public function called, its result printed."""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from evalkit.errors import ConfigError, EvalkitError

__all__ = ["main"]

FIRST_SENTENCES = 40  # that `check --prose` lists where no chapter is named
TELLING = ("check", "run", "render", "report")  # with --json: one document, errors in it too


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if all is well, 1 if something is wrong with the study, 2 if with the call."""
    parsed = _parser().parse_args(arguments)
    parsed.told = {}  # what a command with --json tells in the end, where it does not print it itself
    try:
        code = parsed.run(parsed)
        _print_told(parsed)
        return code
    except EvalkitError as error:
        return _failed(parsed, str(error))
    except KeyboardInterrupt:
        print("Interrupted; run the same command again to go on.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        from evalkit.files import says_why, what_to_do

        where = f"{error.filename}: " if error.filename else ""
        told = "; ".join(part for part in (says_why(error), what_to_do(error)) if part)
        return _failed(parsed, f"{where}{told}")


def _failed(parsed, message: str) -> int:
    message = message.replace(f"{Path.cwd()}/", "")
    print(f"Error: {message}", file=sys.stderr)
    if parsed.command in TELLING:
        parsed.told["error"] = message
        _print_told(parsed)
    return 1


def _print_told(parsed) -> None:
    if parsed.told and parsed.json:
        print(json.dumps({"study": parsed.study, **parsed.told}, ensure_ascii=False, indent=1))


def _say(parsed, text: str) -> None:
    """A line for people; beside JSON it goes where it does not disturb."""
    print(text, file=sys.stderr if parsed.json else sys.stdout)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="evalkit",
        description="Evaluate programmes that run in several Norwegian municipalities.",
    )
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    placed = argparse.ArgumentParser(add_help=False)
    placed.add_argument(
        "--project",
        type=Path,
        metavar="DIR",
        help="the project's folder (default: here, or the nearest above with data/raw)",
    )
    study = argparse.ArgumentParser(add_help=False, parents=[placed])
    study.add_argument("study", help="folder under data/raw, such as pilot")
    chosen = argparse.ArgumentParser(add_help=False)
    chosen.add_argument(
        "--municipality",
        action="append",
        metavar="CODE|NAME",
        help="only this municipality, by code or name; may be repeated",
    )
    working = argparse.ArgumentParser(add_help=False)
    working.add_argument("--workers", type=int, metavar="N", help="runs at a time (default: cores)")
    working.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="run notebooks on a dask scheduler, such as tcp://10.0.0.1:8786, or local:2 here",
    )
    telling = argparse.ArgumentParser(add_help=False)
    telling.add_argument(
        "--json", action="store_true", help="as JSON on standard output; the rest on standard error"
    )
    rendering = argparse.ArgumentParser(add_help=False)
    rendering.add_argument(
        "--to",
        default="html,pdf",
        metavar="FORMATS",
        help="html, pdf or both; a short report also docx (default: html,pdf)",
    )
    rendering.add_argument("--engine", choices=["auto", "quarto", "embedded"], default="auto")
    rendering.add_argument(
        "--allow-incomplete",
        action="store_true",
        help="render although notebooks are stale or failed; the pages say so",
    )

    def add(name, run, help_text, examples, parents):
        command = commands.add_parser(
            name,
            help=help_text,
            description=help_text,
            parents=parents,
            epilog="examples:\n  " + "\n  ".join(examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=run)
        return command

    check = add(
        "check",
        _check,
        "Check all tables of a study at once.",
        [
            "evalkit check pilot",
            "evalkit check pilot --findings",
            "evalkit check pilot --prose",
            "evalkit check pilot --prose horten",
        ],
        [study, telling],
    )
    check.add_argument(
        "--findings", action="store_true", help="list the gaps in the study's logic models"
    )
    check.add_argument(
        "--prose",
        nargs="?",
        const="",
        metavar="CHAPTER",
        help="list sentences that say more or less than the rows they rest on: the first "
        f"{FIRST_SENTENCES} of all chapters, or all of one (a file's name, '*' for every chapter)",
    )
    facts = add(
        "facts",
        _facts,
        "List claims with their sources.",
        ["evalkit facts pilot 'horten.*'", "evalkit facts pilot --conflicts"],
        [study],
    )
    facts.add_argument("pattern", nargs="?", default="*", help="keys to list, such as 'horten.*'")
    facts.add_argument("--conflicts", action="store_true", help="only claims that disagree")
    facts.add_argument("--json", action="store_true", help="as JSON")
    run = add(
        "run",
        _run,
        "Run the notebooks that are not up to date.",
        [
            "evalkit run pilot",
            "evalkit run pilot --municipality Horten --municipality 3812",
            "evalkit run pilot --cluster tcp://10.0.0.1:8786",
        ],
        [study, chosen, working, telling],
    )
    run.add_argument(
        "--engine",
        choices=["auto", "fork", "kernel", "papermill"],
        default="auto",
        help="how notebooks are executed (default: fork where it can, otherwise papermill)",
    )
    run.add_argument("--dry-run", action="store_true", help="say what would run, and why")
    add(
        "render",
        _render,
        "Render the study's book.",
        ["evalkit render pilot", "evalkit render pilot --to pdf --engine embedded"],
        [study, rendering, telling],
    )
    report = add(
        "report",
        _report,
        "Check the data, run the notebooks and render the book, or municipalities' short reports.",
        [
            "evalkit report pilot",
            "evalkit report pilot --municipality Larvik --to html,pdf,docx",
            "evalkit report pilot --all",
        ],
        [study, working, rendering, telling],
    )
    short = report.add_mutually_exclusive_group()
    short.add_argument(
        "--municipality",
        action="append",
        metavar="CODE|NAME",
        help="the short report of this municipality in place of the book; may be repeated",
    )
    short.add_argument("--all", action="store_true", help="every municipality's short report")
    feedback = add(
        "feedback",
        _feedback,
        "List comments and tracked changes of a returned Word draft, and log them in its study.",
        [
            "evalkit feedback kommune-larvik.docx",
            "evalkit feedback kommune-larvik.docx --sent utkast/kommune-larvik.docx",
            "evalkit feedback kommune-larvik.docx --dry-run --json",
        ],
        [placed],
    )
    feedback.add_argument("file", type=Path, help="the returned .docx")
    feedback.add_argument("--study", help="its study (default: the one its title page names)")
    feedback.add_argument(
        "--municipality",
        metavar="CODE|NAME",
        help="who returned it (default: the one its title page names)",
    )
    feedback.add_argument("--round", type=int, metavar="N", help="round (default: the next)")
    feedback.add_argument(
        "--received", metavar="DATE", help="the day it came, as 2026-11-22 (default: today)"
    )
    feedback.add_argument(
        "--sent",
        type=Path,
        metavar="FILE",
        help="the draft as it was sent: what was changed with tracking off is listed too",
    )
    feedback.add_argument("--dry-run", action="store_true", help="list them, log nothing")
    feedback.add_argument("--json", action="store_true", help="as JSON")
    codings = add(
        "codings",
        _codings,
        "Put an export of coded text into a study; no excerpt is shown before it is cleared.",
        [
            "evalkit codings pilot intervjuer.qdpx --dry-run",
            "evalkit codings pilot intervjuer.qdpx --source nf2024",
            "evalkit codings pilot koder.csv --document 'intervju 3=3909'",
        ],
        [study],
    )
    codings.add_argument("file", type=Path, help="the export: .qdpx, .csv, or a codebook (.qdc)")
    codings.add_argument(
        "--source", metavar="KEY", help="its key in sources.bib (default: that of all codings)"
    )
    codings.add_argument(
        "--document",
        action="append",
        default=[],
        metavar="NAME=CODE",
        help="a document's municipality, where its name does not hold its code or slug",
    )
    codings.add_argument(
        "--coders", default="", metavar="NAME", help="put before coder1, coder2 of this export"
    )
    codings.add_argument("--dry-run", action="store_true", help="list what it holds, write nothing")
    demo = add(
        "demo",
        _demo,
        "Generate the study demo: fictional municipalities, answers and indicators.",
        ["evalkit demo", "evalkit demo --seed 7", "evalkit report demo"],
        [placed],
    )
    demo.add_argument("--seed", type=int, default=2024, help="same seed, same data")
    demo.add_argument(
        "--municipalities", type=int, default=6, metavar="N", help="how many take part"
    )
    new = add(
        "new",
        _new,
        "Make a new study: settings, empty tables, and a book that says what is missing.",
        [
            "evalkit new moss --stage plan --municipality 3103=Moss",
            "evalkit new oslo --stage status --municipality 0301=Oslo --period 2024 2027",
            "evalkit new moss-status --stage status --tables-from moss",
        ],
        [placed],
    )
    new.add_argument("study", help="the new folder under data/raw, such as moss")
    new.add_argument("--stage", default="plan", help="plan, status, final or effect")
    new.add_argument(
        "--municipality",
        action="append",
        metavar="CODE[=NAME]",
        help="a municipality's code of four digits, and its name; may be repeated",
    )
    new.add_argument(
        "--tables-from",
        metavar="STUDY",
        help="another report on the tables of a study that is there, with its municipalities",
    )
    new.add_argument("--title", help="the report's title (default: the study's name)")
    new.add_argument(
        "--period",
        nargs=2,
        type=int,
        metavar=("FIRST", "LAST"),
        help="first and last year (default: this year and three more)",
    )
    status = add(
        "status",
        _status,
        "Say which notebooks are up to date, and what the study lacks, has late or in conflict.",
        ["evalkit status pilot", "evalkit status pilot --json"],
        [study, chosen],
    )
    status.add_argument("--json", action="store_true", help="as JSON")
    return parser


def _version() -> str:
    from importlib.metadata import version

    return f"evalkit {version('evalkit')}"


def _project(parsed):
    from evalkit.studies import Project

    return Project.found_from((parsed.project or Path.cwd()).resolve())


def _codes(given: Sequence[str] | None, read) -> list[str] | None:
    """Codes of the municipalities named on the command line; None if none is named."""
    if not given:
        return None
    table = read.tables["municipalities"]
    of_report = table[table["municipality_code"].isin(read.settings.municipality_codes)]
    known = dict(zip(of_report["municipality_code"], of_report["name"], strict=True))
    by_name = {name.casefold(): code for code, name in known.items()}
    codes, unknown = [], []
    for named in given:
        code = named if named in known else by_name.get(named.casefold())
        codes.append(code) if code else unknown.append(named)
    if unknown:
        raise ConfigError(
            f"no municipality {', '.join(map(repr, unknown))} with a chapter in this study; "
            f"expected one of {', '.join(f'{c} {n}' for c, n in known.items())}"
        )
    return codes


def _check(parsed) -> int:
    from evalkit.facts import claims, conflicts
    from evalkit.prose import check_typed_numbers
    from evalkit.readers import read_study
    from evalkit.studies import study_findings, study_plan_findings, study_questions

    project = _project(parsed)
    read = read_study(project.raw(parsed.study))
    if parsed.prose is not None:
        return _prose(parsed, project, read)
    every = claims(read.tables)
    disagreeing = conflicts(every)
    rows = sum(len(table) for table in read.tables.values())
    _say(
        parsed,
        f"{project.shown(read.folder)} is as it should be: {len(read.tables)} tables, {rows} rows, "
        f"{len(every)} claims, {len(read.sources)} sources, "
        f"{disagreeing['key'].nunique()} conflicts, all resolved",
    )
    findings = study_findings(read)
    to_mend = study_plan_findings(read)
    questions = study_questions(read)
    parsed.told |= {
        "tables": sorted(read.tables),
        "rows": rows,
        "claims": len(every),
        "sources": len(read.sources),
        "conflicts": int(disagreeing["key"].nunique()),
        "findings": _records(findings),
        "to_mend": _records(to_mend),
        "questions": questions,
    }
    if parsed.json:
        check_typed_numbers(project.report(parsed.study))
        return 0
    for question in questions:
        print(f"question: {question}")
    accepted = findings["accepted_reason"].notna()
    if parsed.findings:
        for row in findings.itertuples():
            print(f"{row.finding}  {row.municipality_name}: {row.subject_text}  [{row.locator}]")
            print(f"    {row.accepted_reason or row.sentence}")
    if len(findings):
        hint = "" if parsed.findings else f"; list them: evalkit check {parsed.study} --findings"
        chain = "logic models" if "logic_models" in read.tables else "goals and indicators"
        print(f"{len(findings)} gaps in its {chain}, {accepted.sum()} accepted{hint}")
    if parsed.findings:
        for number, row in enumerate(to_mend.itertuples(), start=1):
            place = f"{row.source}, {row.locator}" if isinstance(row.source, str) else "whole plan"
            print(f"{number}. {row.text}  [{place}]")
    if len(to_mend):
        hint = "" if parsed.findings else f"; list them: evalkit check {parsed.study} --findings"
        print(f"{len(to_mend)} things to mend in its plan{hint}")
    check_typed_numbers(project.report(parsed.study))
    return 0


def _prose(parsed, project, read) -> int:
    """A reviewer's list of sentences, the most urgent first; it decides nothing."""
    from evalkit.study_prose import study_prose

    found = study_prose(project, read, parsed.prose.removesuffix(".qmd") or "*")
    parsed.told["prose"] = _records(found)
    if parsed.json:
        return 0
    listed = found if parsed.prose else found.head(FIRST_SENTENCES)
    for one in listed.itertuples():
        print(f"{one.file}:{one.line}: {'; '.join(one.findings)}")
        print(f"    {one.sentence}")
        if isinstance(one.row, str):
            print(f"    {one.row}: {one.row_text}")
    print(f"{len(found)} sentences to look at, {len(listed)} listed")
    for name, count in found["file"].value_counts().sort_index().items():
        print(f"  {name}: {count}")
    return 0


def _records(table: pd.DataFrame) -> list[dict]:
    return json.loads(table.to_json(orient="records", force_ascii=False))


def _facts(parsed) -> int:
    from evalkit.conflict_weights import weighed_conflicts
    from evalkit.facts import claims, conflicts, shown_claims
    from evalkit.protected_claims import withheld_claims
    from evalkit.readers import read_study

    read = read_study(_project(parsed).raw(parsed.study), between_tables=False)
    few = read.settings.smallest_count
    every = withheld_claims(claims(read.tables), read.tables, **read.settings.count_rules)
    every = shown_claims(every, few)
    listed = weighed_conflicts(conflicts(every)) if parsed.conflicts else every
    listed = listed[listed["key"].map(lambda key: fnmatch.fnmatchcase(key, _pattern(parsed)))]
    if parsed.json:
        print(listed.to_json(orient="records", force_ascii=False, indent=1))
        return 0
    if listed.empty:
        raise ConfigError(
            f"no claim matches {parsed.pattern!r}; try 'evalkit facts {parsed.study}'"
        )
    for claim in listed.itertuples():
        mark = ("+" if claim.chosen else "-") if claim.conflict else " "
        qualifier = f" ({claim.qualifier})" if isinstance(claim.qualifier, str) else ""
        when = f", {claim.as_of}" if isinstance(claim.as_of, str) else ""
        hidden = isinstance(claim.hidden, str)
        told = f"hidden ({claim.hidden})" if hidden else f"{claim.value} {claim.unit}{qualifier}"
        print(f"{mark} {claim.key} = {told}{when}  [{claim.source}, {claim.locator}]")
        if claim.conflict and isinstance(claim.reason, str):
            print(f"    {'chosen' if claim.chosen else 'not chosen'}: {claim.reason}")
    keys = listed["key"].nunique()
    disagreeing = listed.loc[listed["conflict"], "key"].nunique()
    print(f"{len(listed)} claims of {keys} quantities, {disagreeing} in conflict")
    return 0


def _pattern(parsed) -> str:
    pattern = parsed.pattern
    return pattern if any(c in pattern for c in "*?[") else f"*{pattern}*"


def _run(parsed) -> int:
    from evalkit.processing import current_study
    from evalkit.studies import study_held, study_jobs, study_states

    project = _project(parsed)
    if not parsed.dry_run:
        with study_held(project, parsed.study, _tell) as read:
            jobs = study_jobs(project, read, _codes(parsed.municipality, read))
            return _summarised(parsed, _run_with_progress(parsed, project, read, jobs))
    read = current_study(project.files(parsed.study))
    states = study_states(project, read, _codes(parsed.municipality, read))
    waiting = [state for state in states if state.state != "fresh"]
    for state in waiting:
        _say(parsed, f"{state.job.output.stem}: {state.reason}")
    _say(parsed, f"{len(waiting)} of {len(states)} notebooks would run")
    parsed.told |= {"would_run": len(waiting), "notebooks": [_notebook(s) for s in states]}
    return 0


def _notebook(of) -> dict:
    """A job's state or result for JSON."""
    named = {"municipality": of.job.title, "notebook": of.job.output.stem}
    return {**named, "state": of.state, "reason": of.reason}


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run_with_progress(parsed, project, read, jobs):
    from evalkit.runs import progress_bar
    from evalkit.studies import run_study

    with progress_bar(jobs, project_dir=project.root) as progress:
        return run_study(
            project,
            read,
            jobs=jobs,
            workers=parsed.workers,
            cluster=parsed.cluster,
            engine=parsed.engine if parsed.command == "run" else "auto",
            progress=progress,
        )


def _summarised(parsed, summary) -> int:
    parsed.told |= {state: summary.count(state) for state in ("made", "failed", "fresh")}
    parsed.told["seconds"] = round(summary.seconds, 2)
    parsed.told["notebooks"] = [
        {**_notebook(result), "seconds": round(result.seconds, 2)} for result in summary.results
    ]
    for result in summary.failed:
        print(
            f"{result.job.output.stem}: failed in {result.job.name}: {result.reason}",
            file=sys.stderr,
        )
    if summary.failed:
        folder = f"data/processed/{summary.failed[0].job.parameters['study']}/runs"
        print(f"What ran is kept with its error: {folder}/NAME.failed.ipynb", file=sys.stderr)
    died = ("its process was ended by the signal", "its kernel died")
    if any(result.reason.startswith(died) for result in summary.failed):
        _tell("Run the same command again; with fewer --workers if memory ran out")
    _say(parsed, str(summary))
    return 1 if summary.failed else 0


def _render(parsed) -> int:
    from evalkit.studies import study_held

    project = _project(parsed)
    with study_held(project, parsed.study, _tell) as read:
        return _rendered(parsed, project, read)


def _rendered(parsed, project, read) -> int:
    from evalkit.studies import render_study

    book = render_study(
        project,
        read,
        formats=_formats(parsed),
        engine=parsed.engine,
        allow_incomplete=parsed.allow_incomplete,
    )
    if book.unchanged:
        _say(parsed, "nothing has changed since the book was rendered")
    parsed.told["book"] = _print_output(parsed, project, book, ("html", "pdf"))
    return 0


def _print_output(parsed, project, made, formats) -> dict:
    """Print warnings and where files lie, and give what was made for JSON."""
    for warning in made.warnings:
        print(f"Note: {warning}", file=sys.stderr)
    paths = {name: getattr(made, name) for name in formats}
    shown = {name: project.shown(path) for name, path in paths.items() if path}
    for path in shown.values():
        _say(parsed, path)
    details = {name: getattr(made, name) for name in ("engine", "pages", "unchanged")}
    return {**shown, **details, "warnings": list(made.warnings)}


def _formats(parsed) -> tuple[str, ...]:
    formats = tuple(part.strip() for part in parsed.to.split(",") if part.strip())
    unknown = [f for f in formats if f not in ("html", "pdf")]
    if unknown or not formats:
        raise ConfigError(
            f"--to {parsed.to!r}; expected html, pdf or html,pdf "
            "(docx is for municipalities' short reports)"
        )
    return formats


def _short_formats(parsed) -> tuple[str, ...]:
    formats = tuple(part.strip() for part in parsed.to.split(",") if part.strip())
    unknown = [f for f in formats if f not in ("html", "pdf", "docx")]
    if unknown or not formats:
        raise ConfigError(f"--to {parsed.to!r}; expected any of html, pdf and docx")
    return formats


def _report(parsed) -> int:
    from evalkit.prose import check_typed_numbers
    from evalkit.studies import study_held, study_jobs

    check_formats = _short_formats if parsed.municipality or parsed.all else _formats
    check_formats(parsed)
    project = _project(parsed)
    check_typed_numbers(project.report(parsed.study))  # before the notebooks' minutes
    with study_held(project, parsed.study, _tell) as read:
        if parsed.municipality or parsed.all:
            return _short_reports(parsed, project, read)
        jobs = study_jobs(project, read)
        failed = _summarised(parsed, _run_with_progress(parsed, project, read, jobs))
        if failed and not parsed.allow_incomplete:
            return failed
        return _rendered(parsed, project, read) or failed


def _short_reports(parsed, project, read) -> int:
    """Each municipality's report by itself: what fails for one stops that one only."""
    from evalkit.municipality_reports import render_short_reports, short_report_jobs
    from evalkit.runs import pace_text

    formats = _short_formats(parsed)
    codes = _codes(parsed.municipality, read) or list(read.settings.municipality_codes)
    jobs = short_report_jobs(project, read, codes)
    failed_runs = _summarised(parsed, _run_with_progress(parsed, project, read, jobs))
    made = unchanged = 0
    begun = time.monotonic()
    reports = render_short_reports(
        project,
        read,
        codes,
        formats=formats,
        engine=parsed.engine,
        allow_incomplete=parsed.allow_incomplete,
        workers=parsed.workers,
    )
    told = parsed.told["reports"] = []
    for done, report in enumerate(reports, start=1):
        rate = done / max(time.monotonic() - begun, 1e-9)
        place = f"[{done:>{len(str(len(codes)))}}/{len(codes)}]"
        named = f"{report.municipality.code} {report.municipality.name}"
        pace = pace_text(rate, (len(codes) - done) / rate)
        print(f"{place} {named}  {pace}", file=sys.stderr)
        error = report.error.replace(f"{Path.cwd()}/", "")
        told.append({"municipality": named, "error": error})
        if report.document is None:
            print(f"Error: {error}", file=sys.stderr)
            continue
        told[-1] |= _print_output(parsed, project, report.document, ("html", "pdf", "docx"))
        made += 1
        unchanged += report.document.unchanged
    failed = len(codes) - made
    noun = "short report" if made == 1 else "short reports"
    same = f", {unchanged} of them unchanged" if unchanged else ""
    _say(parsed, f"{made} {noun} made{same}" + (f", {failed} failed" if failed else ""))
    return 1 if failed or failed_runs else 0


def _feedback(parsed) -> int:
    from evalkit.feedback import read_feedback
    from evalkit.municipalities import find_municipality
    from evalkit.readers import read_study
    from evalkit.studies import log_feedback, study_of_draft

    received = _day(parsed.received)
    draft = read_feedback(parsed.file, sent=parsed.sent)
    if parsed.json:
        print(draft.entries.to_json(orient="records", force_ascii=False, indent=1))
    else:
        _print_feedback(draft.entries)
    for line in draft.unread:
        print(line, file=sys.stderr if parsed.json else sys.stdout)
    if parsed.dry_run:
        return 0
    project = _project(parsed)
    study = parsed.study or study_of_draft(project, draft)
    read = read_study(project.raw(study), between_tables=False)
    codes = _codes([parsed.municipality or draft.title], read)
    municipality = find_municipality(read.tables["municipalities"], codes[0])
    added = log_feedback(
        project, read, draft, municipality, received=received, round_number=parsed.round
    )
    place = project.shown(read.folder / "validations.csv")
    told = f"{len(added)} new of {len(draft.entries)} in {place}"
    if len(added):
        told += f", {municipality.name}, round {added['round'].iloc[0]}"
    print(told, file=sys.stderr if parsed.json else sys.stdout)
    return 0


def _codings(parsed) -> int:
    from evalkit.coded_exports import read_coded_export
    from evalkit.readers import read_study
    from evalkit.studies import log_codings

    documents = dict(pair.rpartition("=")[::2] for pair in parsed.document)
    if "" in documents:
        raise ConfigError("--document: expected NAME=CODE, such as 'intervju 3=3909'")
    read_text = read_coded_export(parsed.file, project=parsed.coders)
    export = read_text.codings
    project = _project(parsed)
    read = read_study(project.raw(parsed.study), between_tables=False)
    logged = read.tables.get("codings")
    known = set() if logged is None else set(logged["code_id"])
    _print_codings(export, known)
    for remark in read_text.remarks:
        print(remark)
    if export["document"].isna().all():  # a codebook has codes alone
        return 0
    added = log_codings(
        read, export, source=parsed.source, documents=documents, write=not parsed.dry_run
    )
    place = project.shown(read.folder / "codings.csv")
    told = "would be new" if parsed.dry_run else "new"
    print(f"{len(added)} {told} of {len(export)} codings in {place}, anonymity not_checked")
    return 0


def _print_codings(export: pd.DataFrame, known: set[str]) -> None:
    """Documents, codes and coders with their passages; never an excerpt."""
    for name in ("document", "code_id", "coder"):
        units = export.drop_duplicates([name, "document", "unit"])
        for one, count in units.groupby(name, sort=True)["unit"].count().items():
            new = "  new in the study" if name == "code_id" and one not in known else ""
            print(f"{name.removesuffix('_id'):<9} {one}: {count} units{new}")


def _day(given: str | None) -> str:
    from datetime import date

    try:
        return (date.fromisoformat(given) if given else date.today()).isoformat()
    except ValueError:
        raise ConfigError(f"--received {given!r}; expected a date such as 2026-11-22") from None


def _print_feedback(entries: pd.DataFrame) -> None:
    """One entry after the other: number, kind and place, then the words it is about and its own."""
    for number, entry in enumerate(entries.fillna("").itertuples(), start=1):
        place = ", ".join(part for part in (entry.section, entry.row) if part)
        who = " ".join(part for part in (entry.author, entry.made) if part)
        answers = f"belongs to {entry.belongs_to}" if entry.belongs_to else ""
        print(
            "  ".join(
                part for part in (f"{number:>3} {entry.kind:<10} {place}", who, answers) if part
            )
        )
        for name in ("passage", "before", "text"):
            if getattr(entry, name):
                print(f"    {name + ':':<9}{getattr(entry, name)}")
    counts = entries["kind"].value_counts()
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()) or "no comment or change")


def _status(parsed) -> int:
    from evalkit.processing import current_study
    from evalkit.runs import status_lines
    from evalkit.studies import study_states

    project = _project(parsed)
    read = current_study(project.files(parsed.study), between_tables=False)
    states = study_states(project, read, _codes(parsed.municipality, read))
    rows = [
        {
            "municipality": s.job.title,
            "notebook": s.job.output.stem,
            "state": s.state,
            "reason": s.reason,
        }
        for s in states
    ]
    day, found = _study_status(read)
    if parsed.json:
        told = {
            "study": read.settings.study,
            "stage": read.settings.report,
            "as_of": day,
            "present": found.present,
            "missing": found.missing,
            "late": found.late[["title", "due"]].to_dict("records"),
            "conflicts": found.conflicts,
            "undecided": found.undecided,
            "next": {"title": found.next_title, "due": found.next_due},
            "notebooks": rows,
        }
        print(json.dumps(told, ensure_ascii=False, indent=1))
        return 0
    print("\n".join(status_lines(states)))
    _print_study_status(read.settings.report, day, found)
    return 0


def _study_status(read):
    """The day the status is told for, and the status."""
    from datetime import date

    from evalkit.study_status import study_status

    settings = read.settings
    day = settings.status_date or date.today().isoformat()
    version = settings.plan_version if settings.report == "plan" else ""
    return day, study_status(read.tables, stage=settings.report, as_of=day, version=version or None)


def _print_study_status(stage: str, day: str, found) -> None:
    def line(name: str, text: str) -> None:
        print(textwrap.fill(text, 100, initial_indent=f"{name:<11}", subsequent_indent=" " * 11))

    print(f"\n{stage} report, on {day}")
    line("present:", ", ".join(f"{name} ({n})" for name, n in found.present.items()))
    line("missing:", ", ".join(found.missing) or "nothing that this stage asks for")
    late = f"{len(found.late)} past their deadline and not reported as done"
    line("late:", late if len(found.late) else "no milestone")
    for row in found.late.itertuples():
        line("", f"{row.due:<12} {row.title}")
    decided = (
        ", all decided" if not found.undecided else f", undecided: {', '.join(found.undecided)}"
    )
    line("conflicts:", f"{len(found.conflicts)}{decided}" if found.conflicts else "none")
    line("next:", f"{found.next_due} {found.next_title}" if found.next_due else "no deadline")


def _demo(parsed) -> int:
    from evalkit.demo import write_demo

    project = _project(parsed)
    folder = write_demo(project.raw("demo"), parsed.seed, municipality_count=parsed.municipalities)
    print(f"{project.shown(folder)} is written (syntetisk); next: evalkit report demo")
    return 0


def _new(parsed) -> int:
    from datetime import date

    from evalkit.new_study import NewMunicipality, write_new_study, write_notebooks
    from evalkit.readers import read_study
    from evalkit.studies import Project

    here = (parsed.project or Path.cwd()).resolve()
    begins = here.is_dir() and not any(here.iterdir())
    project = Project(here) if begins else _project(parsed)
    this_year = date.today().year
    period = tuple(parsed.period or (this_year, this_year + 3))
    named = [given.partition("=") for given in parsed.municipality or []]
    municipalities = [NewMunicipality(c.strip(), n.strip() or None) for c, _, n in named]
    if parsed.tables_from:
        if parsed.municipality or parsed.period:
            raise ConfigError(
                "--tables-from brings its own municipalities and period; leave them out"
            )
        other = read_study(project.raw(parsed.tables_from), between_tables=False)
        names = other.tables["municipalities"].set_index("municipality_code")["name"]
        codes = other.settings.municipality_codes
        municipalities = [NewMunicipality(code, names[code]) for code in codes]
        period = other.settings.period
    files = write_new_study(
        project.raw(parsed.study),
        project.report(parsed.study),
        stage=parsed.stage,
        municipalities=municipalities,
        title=parsed.title or parsed.study.replace("-", " ").capitalize(),
        period=period,
        tables_from=parsed.tables_from or "",
    )
    if begins:
        write_notebooks(project.notebooks, stage=parsed.stage)
    print(f"{len(files)} files in {project.shown(project.raw(parsed.study))} and ", end="")
    print(project.shown(project.report(parsed.study)))
    fill = "" if parsed.tables_from else "fill the tables as README.md says, then "
    print(f"next: {fill}run: evalkit report {parsed.study}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
