"""Texts of one municipality's short report: its chapter, and what the book has no room for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import yaml

from evalkit.book.notebooks import Cell
from evalkit.markdown import escaped
from evalkit.norwegian import joined_text

__all__ = [
    "OUTPUT",
    "PROFILE",
    "cells_to_show",
    "chapter_of",
    "document_name",
    "document_text",
    "embedded_notebooks",
    "profile_text",
]

PROFILE = "kommune"
OUTPUT = f"_{PROFILE}"  # the folder of the rendered reports, beside the book
FULL_REPORT = "hovedrapporten"

LABEL = r"(?:[Tt]bl|[Ff]ig|[Ss]ec|[Ee]q)-[\w-]*\w"
REFERENCE = re.compile(rf"\[-?@({LABEL})\]|(?<![\w\\@])-?@({LABEL})")
DECLARED = re.compile(r"\{#([\w-]+)")
EMBED = re.compile(r"\{\{<\s*embed\s+(?:\S*/)?([^/\s]+\.ipynb)#(\S+)\s*>\}\}")
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(\s*([\w-]+\.qmd)(#[^)\s]+)?\s*\)")
OWN_REFERENCES = re.compile(
    r"(?:^#{2,}[^\n]*\n\s*)?^:{3,}\s*\{[^}\n]*\.chapter-references[^}\n]*\}\s*\n\s*:{3,}[ \t]*$",
    re.MULTILINE,
)
TABLE_LINE = re.compile(r"^(?:\||\+[-=:+]+)", re.MULTILINE)
ELSEWHERE = "\0"  # stands for a reference to the full report until the sentence is known
BETWEEN = r"(?:, | og | eller )"


@dataclass(frozen=True)
class Section:
    """A heading, and the cells below it: the label without municipality, and what it shows."""

    heading: str
    cells: tuple[tuple[str, str], ...]


MORE = (
    Section(
        "Mangler i kjeden fra tiltak til mål",
        (
            (
                "tbl-model-findings",
                "{ref} viser hva som mangler når kjeden følges slik kilden gjengir den. "
                "En mangel betyr at leddet ikke er skrevet ned, ikke at tiltaket er uten virkning.",
            ),
        ),
    ),
    Section(
        "De logiske modellene",
        (
            (
                "fig-logic-model",
                "Kjeden fra ressurser til samfunnseffekt er tegnet i {ref}. Pilene er kommunens "
                "egen tanke om hva som fører til hva.",
            ),
            ("tbl-logic-model", "Hele innholdet står i {ref}."),
        ),
    ),
    Section(
        "Undersøkelsene",
        (
            ("tbl-surveys", "{ref} viser opplegget for hver undersøkelse."),
            ("fig-response-rate", "{ref} viser svarprosentene."),
            ("tbl-survey-results", "{ref} viser de publiserte svarene."),
            (
                "tbl-comparability",
                "{ref} viser hva kommunens undersøkelser kan sammenlignes med, og hvorfor noen "
                "sammenligninger ikke holder.",
            ),
        ),
    ),
    Section(
        "Indikatorene",
        (
            ("tbl-indicators", "{ref} viser verdiene og målene for dem."),
            ("fig-indicators", "{ref} viser de publiserte verdiene."),
            ("tbl-coverage", "{ref} viser hva som er oppgitt for hver indikator, og hva som ikke er det."),
        ),
    ),
    Section(
        "Tilskuddet",
        (
            ("tbl-grants", "{ref} viser tilskuddet ved siden av de andre kommunenes."),
            (
                "fig-grants",
                "{ref} viser tilskuddet ved siden av de andre kommunenes. Beløpet per innbygger "
                "sier ikke hva som er brukt på hver innbygger.",
            ),
        ),
    ),
    Section(
        "Hva som skjedde når",
        (
            ("tbl-events", "{ref} gir hendelsene i tidsrekkefølge."),
            ("fig-timeline", "{ref} viser hendelsene med oppgitt tid på en linje."),
        ),
    ),
    Section("Anbefalingene", (("tbl-recommendations", "{ref} samler anbefalingene."),)),
)  # fmt: skip
CLAIMS = (
    (
        "tbl-claims",
        "{ref} gir hver opplysning om kommunen, hvor den er lest og stedet i kilden.",
    ),
    (
        "tbl-conflicts",
        "{ref} viser hvor kildene er uenige, hva som er brukt, og hvorfor.",
    ),
)
WIDE = ("fig-logic-model", "tbl-logic-model")

TO_VALIDATE = """\
::: {.content-visible when-format="docx"}
**Utkast til validering**

Slå på *Spor endringer* før dere retter i teksten, og skriv ellers merknader i margen. \
Både rettelser og merknader leses inn når fila kommer tilbake, med stedet de gjelder, \
uten navnet på den som skrev dem.
:::
"""


def document_name(slug: str) -> str:
    """File name of a municipality's short report: ``kommune-horten.qmd``."""
    return f"kommune-{slug}.qmd"


def profile_text() -> str:
    """The Quarto profile that renders short reports beside the book, for every municipality."""
    return (
        "# Made by evalkit report --municipality; changes here are lost.\n"
        f'project: {{type: default, output-dir: {OUTPUT}, render: ["kommune-*.qmd"]}}\n'
        "crossref: {chapters: true}\n"
        'facts-page: ""\n'
        "format:\n"
        "  html: {notebook-links: false, notebook-view: false}\n"  # else all code is published
    )


def chapter_of(template: str, *, name: str, slug: str) -> str:
    """A municipality's chapter from a text for all: ``{name}`` and ``{slug}`` are filled in."""
    return template.replace("{name}", escaped(name)).replace("{slug}", slug)


def embedded_notebooks(chapter: str) -> set[str]:
    """File names of the executed notebooks that a chapter embeds cells of."""
    return {notebook for notebook, _ in EMBED.findall(chapter)}


def cells_to_show(notebooks: Mapping[str, Iterable[Cell]]) -> dict[str, str]:
    """Where each labelled cell with data stands.

    Parameters
    ----------
    notebooks
        Code cells of executed notebooks by the path that a chapter embeds them with.

    Returns
    -------
    dict
        ``notebooks/x.ipynb#label`` by label, without tables that have no rows and figures that
        rest on no source, which is to say on no row.
    """
    return {
        cell.label: f"{path}#{cell.label}"
        for path, cells in notebooks.items()
        for cell in cells
        if cell.label and _has_data(cell)
    }


def _has_data(cell: Cell) -> bool:
    if len(cell.outputs) != 1:
        return False
    output = cell.outputs[0]
    if output.kind == "markdown":
        return bool(TABLE_LINE.search(output.content))
    return output.kind in ("svg", "png", "jpg") and bool(cell.options.get("kilde"))


def document_text(
    chapter: str,
    *,
    name: str,
    slug: str,
    study_title: str,
    date: str | None,
    authors: tuple[str, ...],
    cells: Mapping[str, str],
) -> str:
    """The short report of one municipality, as a Quarto document among the book's chapters.

    The chapter stands in it whole. References to what the document does not hold name the full
    report in words instead, and the chapter's own list of sources gives way to the document's.

    Parameters
    ----------
    chapter
        The municipality's chapter, as written.
    name, slug
        The municipality, as named to readers and in labels.
    study_title
        Title of the study.
    date
        The book's date, as ``2026-11-22``; ``None`` if it has none.
    authors
        The book's authors.
    cells
        From `cells_to_show`.
    """
    front = {
        "title": str(escaped(name)),
        "subtitle": str(escaped(f"Kortrapport fra {study_title}")),
        **({"author": list(authors)} if authors else {}),
        **({"date": date} if date else {}),
        "number-sections": True,
    }
    own = OWN_REFERENCES.sub("", chapter).strip()
    body = "\n\n".join(
        part.strip()
        for part in (
            TO_VALIDATE,
            own,
            _more(cells, name, slug, shown={label for _, label in EMBED.findall(own)}),
            _claims(cells, name, slug),
            "# Kilder {.unnumbered}\n\n::: {#refs}\n:::",
        )
        if part
    )
    labels = {*DECLARED.findall(body), *(label for _, label in EMBED.findall(body))}
    return (
        "---\n"
        + yaml.safe_dump(front, allow_unicode=True, sort_keys=False)
        + "---\n\n"
        + _within(body, labels, f"{slug}.qmd")
        + "\n"
    )


def _more(cells: Mapping[str, str], name: str, slug: str, shown: set[str]) -> str:
    sections = []
    for section in MORE:
        parts = [
            part
            for stem, sentence in section.cells
            for part in _placed(cells, stem, sentence, slug, shown)
        ]
        if parts:
            sections.append("\n\n".join([f"## {section.heading}", *_turned(parts)]))
    heading = f"# Mer om {escaped(name)} {{#sec-{slug}-mer}}"
    lead = "Her står det som ikke er med i kommunens kapittel i hovedrapporten."
    return "\n\n".join([heading, lead, *sections]) if sections else ""


def _claims(cells: Mapping[str, str], name: str, slug: str) -> str:
    parts = [
        part for stem, sentence in CLAIMS for part in _placed(cells, stem, sentence, slug, set())
    ]
    heading = f"# Opplysninger om {escaped(name)} {{#sec-{slug}-opplysninger}}"
    return "\n\n".join([heading, *parts]) if parts else ""


def _placed(
    cells: Mapping[str, str], stem: str, sentence: str, slug: str, shown: set[str]
) -> Iterable[str]:
    """A sentence that names the municipality's cells not shown already, and an embed of each."""
    own = f"{stem}-{slug}"
    labels = [
        label
        for label in cells
        if label not in shown and (label == own or label.startswith(f"{own}-"))
    ]
    if labels:
        yield sentence.format(ref=joined_text([f"@{label}" for label in labels]))
    for label in labels:
        yield f"{{{{< embed {cells[label]} >}}}}"


def _turned(parts: list[str]) -> list[str]:
    """A section with all that needs landscape pages gathered on them, after its sentences."""
    wide = [part for part in parts if any(f"#{stem}" in part for stem in WIDE)]
    if not wide:
        return parts
    upright = [part for part in parts if part not in wide]
    return [*upright, "::: {.landscape}\n" + "\n\n".join(wide) + "\n:::"]


def _within(text: str, labels: set[str], own_file: str) -> str:
    """The text with what points out of the document said in words."""

    def reference(found: re.Match) -> str:
        label = found.group(1) or found.group(2)
        return found.group(0) if label[0].lower() + label[1:] in labels else ELSEWHERE

    def link(found: re.Match) -> str:
        words, file, anchor = found.groups()
        if file != own_file:
            return f"{words} (i {ELSEWHERE})"
        return f"[{words}]({anchor})" if anchor else words

    text = LINK.sub(link, REFERENCE.sub(reference, text))
    text = re.sub(f"{ELSEWHERE}(?:{BETWEEN}{ELSEWHERE})+", ELSEWHERE, text)
    text = text.replace(f"({ELSEWHERE})", f"(se {FULL_REPORT})")
    return re.sub(ELSEWHERE, _named, text)


def _named(found: re.Match) -> str:
    before = found.string[: found.start()].rstrip(" ")
    begins = not before or before.endswith("\n\n") or before.rstrip().endswith((".", "!", "?"))
    return FULL_REPORT.capitalize() if begins else FULL_REPORT
