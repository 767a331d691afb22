"""A new study: its folder with settings and empty tables, and a book that renders at once."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.contracts import CONTRACTS, columns_of
from evalkit.errors import ConfigError
from evalkit.identifiers import slug
from evalkit.markdown import escaped

SHIPPED = Path(__file__).resolve().parents[2] / "notebooks"  # evalkit's own project

__all__ = ["STAGES", "NewMunicipality", "write_new_study", "write_notebooks"]

SHARED = ("facts", "regions", "municipalities", "goals", "measures", "indicators", "observations")
PLAN = (
    *("targets", "surveys", "plan_phases", "milestones", "budget_lines", "risks", "stakeholders"),
    *("success_criteria", "organisation", "evaluation_plan"),
)
RESULTS = ("survey_results", "events", "attainment", "lessons", "participants", "recommendations")


@dataclass(frozen=True)
class Stage:
    """What a stage of an evaluation asks, and the tables and notebooks that answer."""

    title: str
    question: str
    tables: tuple[str, ...]
    notebooks: tuple[str, ...]
    chapters: tuple[str, ...]
    has_municipality_chapters: bool = False


STAGES = {
    "plan": Stage(
        "Evalueringsopplegg",
        "Er programmet klart til å evalueres?",
        (*SHARED, *PLAN),
        ("20-plan", "21-plan-schedule", "22-plan-risk", "09-sources"),
        ("mal", "tidsplan", "penger", "risiko", "evaluering", "rettes"),
    ),
    "status": Stage(
        "Statusrapport",
        "Hva skulle vært gjort nå, og hva er gjort?",
        (*SHARED, *PLAN, "lessons"),
        ("23-status", "09-sources"),
        ("milepaeler", "framdrift", "endringer", "mangler"),
    ),
    "final": Stage(
        "Sluttrapport",
        "Hva ble gjort, og ble målene nådd?",
        (*SHARED, *PLAN, *RESULTS),
        ("05-indicators", "06-attainment", "08-across", "23-status", "09-sources"),
        ("gjennomforing", "maloppnaelse", "laerdom", "mangler"),
        has_municipality_chapters=True,
    ),
    "effect": Stage(
        "Effektrapport",
        "Hva har endret seg, og hva kan tilskrives programmet?",
        (*SHARED, "targets", "surveys", "survey_results", "attainment"),
        ("05-indicators", "06-attainment", "08-across", "25-effect", "09-sources"),
        ("maltall", "sammenligning", "tilskrive", "maloppnaelse", "mangler-effekt"),
        has_municipality_chapters=True,
    ),
}
CHAPTERS = {
    "mal": (
        "Mål og tiltak",
        "Et mål kan måles når det er klart hva, for hvem, hvor mye, når, fra hvilken utgangsverdi og "
        "med hvilken kilde.",
        (
            "20-plan.ipynb#tbl-measurability",
            "20-plan.ipynb#tbl-targets",
            "20-plan.ipynb#tbl-detectable",
            "20-plan.ipynb#tbl-chain",
        ),
    ),
    "tidsplan": (
        "Tid og beslutninger",
        "Når skal noe skje, og hvem beslutter?",
        (
            "21-plan-schedule.ipynb#tbl-plan-phases",
            "21-plan-schedule.ipynb#fig-gantt",
            "21-plan-schedule.ipynb#tbl-milestones",
            "21-plan-schedule.ipynb#tbl-decisions",
        ),
    ),
    "penger": (
        "Penger og organisering",
        "Går budsjettet opp, og hvem gjør hva?",
        ("21-plan-schedule.ipynb#tbl-budget", "21-plan-schedule.ipynb#tbl-organisation"),
    ),
    "risiko": (
        "Risiko og interessenter",
        "Hva kan gå galt, og hvem må være med?",
        (
            "22-plan-risk.ipynb#tbl-risks",
            "22-plan-risk.ipynb#fig-risk-matrix",
            "22-plan-risk.ipynb#tbl-stakeholders",
            "22-plan-risk.ipynb#fig-stakeholders",
        ),
    ),
    "evaluering": (
        "Evaluering",
        "Når måles hva, og hva er det å lykkes?",
        ("20-plan.ipynb#tbl-evaluation-plan", "20-plan.ipynb#tbl-success"),
    ),
    "rettes": (
        "Hva som bør rettes",
        "Lista er laget av faste regler. Så lenge tabellene er tomme, sier den hva de må fylles med.",
        ("20-plan.ipynb#tbl-plan-findings",),
    ),
    "milepaeler": (
        "Milepæler",
        "Hva har frist, hva er gjort, og hva er for sent? Dagen er `status_date` i `study.toml`; uten "
        "den er det den siste i perioden.",
        ("23-status.ipynb#tbl-status-overview", "23-status.ipynb#fig-gantt-status"),
    ),
    "framdrift": (
        "Tiltak og indikatorer",
        "Hvor langt er tiltakene kommet, og hva viser indikatorene så langt?",
        ("23-status.ipynb#tbl-measure-progress", "23-status.ipynb#tbl-indicators-so-far"),
    ),
    "endringer": (
        "Endringer og erfaringer",
        "Hva er endret i planen siden sist, og hva er lært?",
        ("23-status.ipynb#tbl-plan-changes", "23-status.ipynb#tbl-lessons"),
    ),
    "mangler": (
        "Hva som mangler",
        "Tabellen viser hva rapporten trenger.",
        ("23-status.ipynb#tbl-contents",),
    ),
    "gjennomforing": (
        "Gjennomføring",
        "Hva ble gjort, og når?",
        ("08-across.ipynb#tbl-measures-all", "23-status.ipynb#tbl-status-overview"),
    ),
    "maloppnaelse": (
        "Måloppnåelse",
        "Er målene nådd, og hva bygger vurderingen på?",
        ("08-across.ipynb#tbl-attainment-all", "08-across.ipynb#tbl-coverage-all"),
    ),
    "laerdom": (
        "Erfaringer og anbefalinger",
        "Hva bør andre vite?",
        ("23-status.ipynb#tbl-lessons", "08-across.ipynb#tbl-recommendations-all"),
    ),
    "maltall": (
        "Er målene nådd?",
        "Tabellen setter den siste verdien før programmet ved siden av den siste etter, og ved siden "
        "av målet.",
        ("25-effect.ipynb#tbl-indicator-changes",),
    ),
    "sammenligning": (
        "Hvordan gikk det andre steder?",
        "En endring som også kom der programmet ikke var, skyldes neppe programmet.",
        ("25-effect.ipynb#tbl-area-changes", "25-effect.ipynb#tbl-indicator-effects"),
    ),
    "tilskrive": (
        "Hva kan tilskrives programmet?",
        "Hva som kan sies, følger av hvilke verdier som finnes: før, etter, og fra andre steder.",
        ("25-effect.ipynb#tbl-attribution",),
    ),
    "mangler-effekt": (
        "Hva som mangler",
        "Tabellen viser hva rapporten trenger.",
        ("25-effect.ipynb#tbl-contents",),
    ),
}
# The chapter of each municipality in a report on results; its notebooks run once for each.
MUNICIPALITY_CELLS = (
    "05-indicators-{slug}.ipynb#tbl-indicators-{slug}",
    "05-indicators-{slug}.ipynb#fig-indicators-{slug}",
    "06-attainment-{slug}.ipynb#tbl-attainment-{slug}",
)
STUDY_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True)
class NewMunicipality:
    """A municipality of a new study: its code of four digits, and its name if it is known."""

    code: str
    name: str | None = None

    @property
    def shown(self) -> str:
        return self.name or f"Kommune {self.code}"

    @property
    def slug(self) -> str:
        return slug(self.shown)


def write_notebooks(folder: Path, *, stage: str) -> list[Path]:
    """Copy a stage's notebooks from evalkit's own project into a project that begins.

    Raises
    ------
    ConfigError
        If evalkit is installed without its project beside it.
    """
    sources = [SHIPPED / f"{name}.ipynb" for name in STAGES[stage].notebooks]
    missing = [path.name for path in sources if not path.is_file()]
    if missing:
        raise ConfigError(
            f"notebooks {', '.join(missing)} are not beside this evalkit; "
            f"copy them from evalkit's project into {folder}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copy(path, folder)) for path in sources]


def write_new_study(
    raw: Path,
    report: Path,
    *,
    stage: str,
    municipalities: Sequence[NewMunicipality],
    title: str,
    period: tuple[int, int],
    tables_from: str = "",
) -> list[Path]:
    """Write the folder of a new study and its book; nothing that exists is touched.

    Parameters
    ----------
    raw, report
        The study's folders under ``data/raw`` and ``reports``; neither may hold anything.
    stage
        A key of ``STAGES``.
    municipalities
        At least one.
    title
        The study's title.
    period
        First and last year.
    tables_from
        Another study whose tables and sources the new one reads; it then gets settings and a book
        only.

    Returns
    -------
    list of Path
        The files, in the order they were written.

    Raises
    ------
    ConfigError
        If the name, the stage, a code or the period is not as it should be, or a folder is taken.
    """
    problems = [
        f"{folder} is there already; choose another name"
        for folder in (raw, report)
        if folder.is_dir() and any(folder.iterdir())
    ]
    if not STUDY_NAME.fullmatch(raw.name):
        problems.append(f"study name {raw.name!r}; expected small letters a-z, digits and hyphens")
    if stage not in STAGES:
        problems.append(f"stage {stage!r}; expected one of {', '.join(STAGES)}")
    problems += [
        f"municipality code {one.code!r}; expected four digits, kept as text"
        for one in municipalities
        if not re.fullmatch(r"\d{4}", one.code)
    ]
    slugs = [one.slug for one in municipalities]
    if not slugs:
        problems.append("no municipality; name at least one with --municipality CODE")
    if len(set(slugs)) < len(slugs):
        problems.append("a municipality stands more than once; name each once")
    if period[0] > period[1]:
        problems.append(f"period {period[0]} to {period[1]}; expected the first year first")
    if problems:
        raise ConfigError("\n  ".join(["the study cannot be made:", *problems]))
    tables = {
        raw / "README.md": readme_text(raw.name, stage),
        raw / "sources.bib": SOURCES,
        **{
            raw / f"{table}.csv": table_text(table, municipalities)
            for table in STAGES[stage].tables
        },
    }
    files = {
        raw / "study.toml": settings_text(stage, municipalities, title, period, tables_from),
        **({} if tables_from else tables),
        report / "_quarto.yml": book_text(stage, title, municipalities),
        **{report / name: text for name, text in chapters(stage, title, municipalities).items()},
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(files)


def quoted(text: str) -> str:
    """A text as TOML and YAML both read it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def settings_text(
    stage: str,
    municipalities: Sequence[NewMunicipality],
    title: str,
    period: tuple[int, int],
    tables_from: str,
) -> str:
    """``study.toml`` with a comment on every setting."""
    borrowed = (
        "# The study whose tables and sources this report reads.\n"
        f"tables_from = {quoted(tables_from)}\n"
        if tables_from
        else ""
    )
    codes = ", ".join(quoted(one.code) for one in municipalities)
    notebooks = ", ".join(quoted(name) for name in STAGES[stage].notebooks)
    return f"""{borrowed}# The title of the report.
title = {quoted(title)}
# First and last year of the programme.
period = [{period[0]}, {period[1]}]
# Who evaluates, and for whom: write them in.
evaluator = "Ikke avgjort"
clients = ["Ikke avgjort"]
language = "nb"
# plan, status, final or effect.
report = {quoted(stage)}
# The day a status report tells of, such as "2021-12-01"; blank for the end of the period.
status_date = ""
# The notebooks behind the book, by name.
notebooks = [{notebooks}]
# Smallest number of persons shown, and whether nought is too small to show as well.
smallest_count = 5
nought_is_small = true

# Municipality codes are text, in quotes.
[[parts]]
title = "Kommunene"
municipalities = [{codes}]
"""


SOURCES = """@misc{plan, langid={norsk}, author={{Navnet på den som har skrevet planen}}, \
title={{Tittelen på planen}}, year={2000}, note={Bytt ut med kilden til opplysningene}}
"""


def readme_text(study: str, stage: str) -> str:
    """What each column of each table is for: the comments that CSV has no room for."""
    parts = [
        f"# {study}",
        "Every table is empty but `regions` and `municipalities`. Fill them row by row, each with "
        "`source` (a key of `sources.bib`) and `locator` (the place in it); then run "
        f"`evalkit check {study}`. A cell that is not known is left blank.",
    ]
    for table in STAGES[stage].tables:
        contract = CONTRACTS[table]
        parts.append(f"## {table}.csv\n\n{(contract.__doc__ or '').strip()}")
        parts.append(
            "\n".join(
                f"- `{name}`: {column.description}" + ("" if column.nullable else " (needed)")
                for name, column in columns_of(contract).items()
            )
        )
    return "\n\n".join(parts) + "\n"


def table_text(table: str, municipalities: Sequence[NewMunicipality]) -> str:
    """The header row of a table; the municipalities, which every study has, with their rows."""
    columns = list(columns_of(CONTRACTS[table]))
    rows: list[dict[str, str]] = []
    if table == "regions":
        rows = [{"region_id": "region", "name": "Region", "county_governor": "Statsforvalteren"}]
    if table == "municipalities":
        rows = [
            {
                "municipality_code": one.code,
                "slug": one.slug,
                "name": one.shown,
                "region_id": "region",
                "evaluated_by": "undecided",
            }
            for one in municipalities
        ]
    read = {"source": "plan", "locator": "fylles ut"}
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(row | read for row in rows)
    return file.getvalue()


def chapters(stage: str, title: str, municipalities: Sequence[NewMunicipality]) -> dict[str, str]:
    """The book's chapters by file name."""
    made = STAGES[stage]
    files = {
        "index.qmd": f"# {escaped(title)} {{.unnumbered}}\n\n{made.question} Rapporten er ikke ferdig: "
        "kapitlene viser hva som er kjent, og sier hva som mangler.\n"
    }
    for chapter in made.chapters:
        heading, text, cells = CHAPTERS[chapter]
        files[f"{chapter}.qmd"] = chapter_text(heading, chapter, text, cells)
    if made.has_municipality_chapters:
        for one in municipalities:
            cells = [cell.format(slug=one.slug) for cell in MUNICIPALITY_CELLS]
            name = escaped(one.shown)
            text = f"Indikatorene og måloppnåelsen i {name}."
            files[f"{one.slug}.qmd"] = chapter_text(name, one.slug, text, cells)
    files["referanser.qmd"] = "# Referanser {.unnumbered}\n\n::: {#refs}\n:::\n"
    files["kildeoversikt.qmd"] = (
        "# Kildeoversikt {#sec-kilder}\n\nHer står dokumentene som opplysningene er lest fra.\n\n"
        "{{< embed notebooks/09-sources.ipynb#kilder >}}\n"
    )
    return files


def chapter_text(heading: str, name: str, text: str, cells: Sequence[str]) -> str:
    embeds = "\n\n".join(f"{{{{< embed notebooks/{cell} >}}}}" for cell in cells)
    return f"# {heading} {{#sec-{name}}}\n\n{text}\n\n{embeds}\n"


def book_text(stage: str, title: str, municipalities: Sequence[NewMunicipality]) -> str:
    """``_quarto.yml`` of the study's book; what is missing comes last."""
    made = STAGES[stage]
    own = [one.slug for one in municipalities] if made.has_municipality_chapters else []
    listed = ["index", *made.chapters[:-1], *own, made.chapters[-1], "referanser"]
    entries = "\n".join(f"    - {chapter}.qmd" for chapter in listed)
    return f"""project:
  type: book
lang: nb
language:
  crossref-ch-prefix: Kapittel
  crossref-apx-prefix: Vedlegg
  crossref-eq-prefix: Likning
  section-title-appendices: Vedlegg
  callout-note-title: Merk
  toc-title-document: Innhold
book:
  title: {quoted(escaped(title))}
  subtitle: {quoted(STAGES[stage].title)}
  author: Ikke avgjort
  output-file: rapport
  downloads: [pdf]
  chapters:
{entries}
  appendices:
    - kildeoversikt.qmd
bibliography: sources.bib
csl: evalkit.csl
facts-page: kildeoversikt.qmd
evalkit: {{compact: true}}
filters: [evalkit]
format:
  html:
    html-math-method: mathml
    number-sections: true
    toc: true
  evalkit-typst:
    citeproc: true
    pdf-standard: ua-1
"""
