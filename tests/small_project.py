"""A project for tests with a study, one notebook and a book of two chapters."""

import shutil

from conftest import PROJECT
from studies import write_study

BOOK = """
project: {type: book}
lang: nb
book:
  title: Et lite program
  author: evalkit
  date: 2024-05-01
  output-file: rapport
  chapters: [index.qmd, horten.qmd, referanser.qmd]
  appendices: [kildeoversikt.qmd]
bibliography: sources.bib
csl: evalkit.csl
facts-page: kildeoversikt.qmd
filters: [evalkit]
format:
  html: {html-math-method: mathml}
  evalkit-typst: {citeproc: true, pdf-standard: ua-1}
"""
CHAPTERS = {
    "index": "# Forord {.unnumbered}\n\n{{< include _tabeller-og-figurer.qmd >}}\n",
    "horten": "# Horten {#sec-horten}\n\nHorten har "
    '[]{fact="horten.population"} innbyggere [@nf2024], se @tbl-attainment-horten.\n\n'
    "{{< embed notebooks/06-attainment-horten.ipynb#tbl-attainment-horten >}}\n",
    "referanser": "# Referanser {.unnumbered}\n\n::: {#refs}\n:::\n",
    "kildeoversikt": "# Kildeoversikt {#sec-kilder}\n\n::: {#kilde-nf2024}\nRapporten.\n:::\n",
}
JUDGED = {
    "attainment_id": "horten-anchored",
    "municipality_code": "3801",
    "goal_id": "anchored",
    "judgement": "partly_reached",
    "graded_by": "evaluators",
    "evidence_grade": "told_by_staff",
    "reason": "Ledelsen er med",
    "evidence": "Intervjuer",
}


def write_small_project(root):
    """Write the project's study, notebook and book below a folder."""
    write_study(root, attainment=[JUDGED])
    (root / "notebooks").mkdir()
    shutil.copy(PROJECT / "notebooks" / "06-attainment.ipynb", root / "notebooks")
    book = root / "reports" / "lite"
    book.mkdir(parents=True)
    (book / "_quarto.yml").write_text(BOOK, encoding="utf-8")
    for name, text in CHAPTERS.items():
        (book / f"{name}.qmd").write_text(text, encoding="utf-8")
    return root
