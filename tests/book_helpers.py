"""Small books for the tests, and what their pages and PDFs say."""

from __future__ import annotations

import json
import shutil
import unicodedata
from pathlib import Path

import lxml.html
from pypdf import PdfReader

GOLDEN = Path(__file__).parent / "golden"

FACTS = {
    "horten.population": {"value": 27682, "decimals": 0, "title": "Tabell 1", "source": "ssb"},
}
BIB = """@report{sand2023,
  author = {Sand, Kari}, title = {Sluttrapport}, institution = {Instituttet}, year = {2023}
}
"""
SETTINGS = """project: {type: book}
lang: nb
book:
  title: Prøvebok
  author: Forfatter
  date: 2024-05-01
  output-file: rapport
  chapters: [index.qmd, metode.qmd, referanser.qmd]
  appendices: [kilder.qmd]
bibliography: sources.bib
csl: evalkit.csl
facts-page: kilder.qmd
filters: [evalkit]
format:
  html: {html-math-method: mathml}
  evalkit-typst: {citeproc: true, pdf-standard: ua-1}
"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="30"><rect width="9" height="9"/></svg>'
TABLE = "| Gruppe | Svar |\n|:-------|-----:|\n| Ledere | 12 |\n"


def code_cell(source: str, *outputs: dict) -> dict:
    return {
        "cell_type": "code", "execution_count": 1, "metadata": {}, "id": "c",
        "source": source, "outputs": list(outputs),
    }  # fmt: skip


def shown(mime: str, content: str) -> dict:
    data = {mime: content, "text/plain": "<object>"}
    return {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": data}


def table_cell(label: str = "tbl-svar", text: str = TABLE, options: str = "") -> dict:
    source = f"#| label: {label}\n#| tbl-cap: Svar\n{options}1"
    return code_cell(source, shown("text/markdown", text))


def figure_cell(label: str = "fig-svar", options: str = '#| fig-alt: "To stolper."\n') -> dict:
    source = f"#| label: {label}\n#| fig-cap: Svar etter gruppe\n{options}1"
    return code_cell(source, shown("image/svg+xml", SVG))


def write_notebook(path: Path, *cells: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")


def small_book(folder: Path, **chapters: str) -> Path:
    """A book of four chapters; each argument gives a chapter's text, by its name."""
    texts = {
        "index": "# Forord {.unnumbered}\n\nTekst.\n",
        "metode": "# Metode {#sec-metode}\n\nTekst.\n",
        "referanser": "# Referanser {.unnumbered}\n\n::: {#refs}\n:::\n",
        "kilder": "# Kilder {#sec-kilder}\n\n## Statistisk sentralbyrå {#kilde-ssb}\n\nTall.\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "_quarto.yml").write_text(SETTINGS, encoding="utf-8")
    (folder / "facts.json").write_text(json.dumps(FACTS), encoding="utf-8")
    (folder / "sources.bib").write_text(BIB, encoding="utf-8")
    for name, text in (texts | chapters).items():
        (folder / f"{name}.qmd").write_text(text, encoding="utf-8")
    return folder


def golden_book(folder: Path) -> Path:
    book = folder / "book"
    shutil.copytree(GOLDEN / "quarto-golden-book", book)
    return book


def page(book: Path, name: str) -> lxml.html.HtmlElement:
    return lxml.html.fromstring((book / "_book" / name).read_bytes())


def text_of(element: lxml.html.HtmlElement) -> str:
    """Text as a browser prints it: runs of ordinary spaces are one, U+00A0 is kept."""
    return " ".join(element.text_content().replace("\n", " ").split(" ")).strip()


def squeezed(text: str) -> str:
    """Text with runs of ordinary white space as one space; U+00A0 is kept."""
    words = text.replace("\n", " ").replace("\t", " ").split(" ")
    return " ".join(word for word in words if word)


def pdf_text(path: Path) -> str:
    """The text of a PDF, line by line joined, all kinds of space alike."""
    pages = [one.extract_text() for one in PdfReader(path).pages]
    return plain_spaces(" ".join(pages).replace("\u00ad\n", ""))


def plain_spaces(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).replace("\u00a0", " ").split())
