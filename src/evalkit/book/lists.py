"""The lists of tables and figures, which Quarto's HTML books cannot make by themselves."""

from __future__ import annotations

from pathlib import Path

from evalkit.book.check import survey_book
from evalkit.book.config import read_settings

__all__ = ["list_of_floats"]

TITLES = {"tbl": "Tabeller", "fig": "Figurer"}


def list_of_floats(book_dir: Path) -> str:
    """Markdown that lists a book's tables and figures, for both formats.

    Write it to a file that a chapter includes, before every render::

        (book_dir / "_tabeller-og-figurer.qmd").write_text(list_of_floats(book_dir))

    and in the book a chapter ``# Tabeller og figurer {.unnumbered}`` with
    ``{{< include _tabeller-og-figurer.qmd >}}``. In HTML the list is links with the captions;
    the PDF makes its own list, with page numbers.

    Parameters
    ----------
    book_dir
        The book's folder, its notebooks already executed.

    Returns
    -------
    str
        Two sections, ``Tabeller`` and ``Figurer``; one that would be empty is left out.
    """
    survey = survey_book(read_settings(Path(book_dir)))
    order = {chapter.file: place for place, chapter in enumerate(survey.sources.chapters)}
    sections = []
    for kind, title in TITLES.items():
        entries = [
            (order[place.chapter], f"- @{label}: {place.caption}")
            for label, place in survey.labels.items()
            if place.kind == kind and place.numbered and place.caption and not place.part
        ]
        if entries:
            listed = "\n".join(text for _, text in sorted(entries, key=lambda entry: entry[0]))
            sections.append(_section(title, kind, listed))
    return "\n".join(sections)


def _section(title: str, kind: str, listed: str) -> str:
    return f"""## {title} {{.unnumbered}}

::: {{.content-visible when-format="html"}}
{listed}
:::

::: {{.content-visible when-format="typst"}}
```{{=typst}}
#outline(title: none, target: figure.where(kind: "quarto-float-{kind}"))
```
:::
"""
