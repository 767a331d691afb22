"""What was read of a book's chapters is kept, and never shows on a page."""

import hashlib
import json
import shutil

import pytest
from book_helpers import BIB, FACTS, golden_book, small_book, table_cell, write_notebook

from evalkit import programs
from evalkit.book import embedded, reading, render_book, render_document
from evalkit.files import TEMPORARY_ENDING

CACHE = ".evalkit-cache"
ALL = ["index.qmd", "metode.qmd", "referanser.qmd", "kilder.qmd"]
METHOD = """# Metode {#sec-metode}

{{< embed notebooks/a.ipynb#tbl-svar >}}

Det bor []{fact="horten.population"} der, se @tbl-svar.

::: {.content-visible when-format="html"}
Bare på nett.
:::
"""
INDEX = """# Forord {.unnumbered}

Som før [@sand2023].

::: {.chapter-references}
:::
"""
PROFILE = "project: {type: default, output-dir: _kommune}\n"
DOCUMENT = "---\ntitle: Tiltak\n---\n\n# Metode\n\nTekst.\n"


def book_of_all_kinds(folder):
    book = small_book(folder, index=INDEX, metode=METHOD)
    write_notebook(book / "notebooks" / "a.ipynb", table_cell())
    return book


@pytest.fixture
def book(tmp_path):
    return book_of_all_kinds(tmp_path / "book")


@pytest.fixture
def read(monkeypatch):
    """The chapters that the engine reads, by format."""
    found = {}

    def noted(survey, job, before, read_now):
        files = [chapter["file"] for chapter in job["chapters"]]
        found[job["format"]] = [files[one["chapter"] - 1] for one in read_now]
        keep(survey, job, before, read_now)

    keep = embedded.keep_readings
    monkeypatch.setattr(embedded, "keep_readings", noted)
    return found


def rendered(book):
    """The digests of all output files of a forced render."""
    render_book(book, engine="embedded", force=True)
    paths = [path for path in (book / "_book").rglob("*") if path.is_file()]
    return {
        path.relative_to(book).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def rendered_anew(book):
    shutil.rmtree(book / CACHE)
    return rendered(book)


def kept_lines(book, to="html"):
    return (book / CACHE / "reading" / f"{to}.txt").read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("make", [golden_book, book_of_all_kinds])
def test_a_book_has_the_same_bytes_whether_its_chapters_were_kept_or_are_read(tmp_path, read, make):
    book = make(tmp_path / "of")

    cold = rendered(book)
    read_cold = dict(read)
    warm = rendered(book)

    assert all(read_cold[to] for to in ("html", "typst"))
    assert read == {"html": [], "typst": []}
    assert warm == cold


def flipped(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def of_another_version(content):
    rest = b'{"key": "k", "other": 1}\t{}'
    return hashlib.sha256(rest).hexdigest().encode() + b"\t" + rest + b"\n"


def exchanged(content):
    """The first two chapters' documents in each other's lines."""
    first, second, *others = content.split(b"\n")
    head, tail = first.rpartition(b"\t"), second.rpartition(b"\t")
    return b"\n".join([head[0] + b"\t" + tail[2], tail[0] + b"\t" + head[2], *others])


@pytest.mark.parametrize(
    ("damaged", "count"),
    [
        (flipped, 1),
        (exchanged, 2),
        (lambda content: content[:-100], 1),
        (lambda content: b"", 4),
        (lambda content: b"\xff\x00" * 50, 4),
        (of_another_version, 4),
    ],
)
def test_what_is_damaged_is_read_again(book, read, damaged, count):
    whole = rendered(book)
    path = book / CACHE / "reading" / "html.txt"
    content = path.read_bytes()
    path.write_bytes(damaged(content))

    assert rendered(book) == whole
    assert (len(read["html"]), len(read["typst"])) == (count, 0)
    assert path.read_bytes() == content


def new_text(book):
    (book / "kilder.qmd").write_text("# Kilder\n\n## SSB {#kilde-ssb}\n\nNytt.\n", "utf-8")


def new_cell(book):
    text = "| Gruppe | Svar |\n|:-------|-----:|\n| Ledere | 13 |\n"
    write_notebook(book / "notebooks" / "a.ipynb", table_cell(text=text))


def new_caption(book):
    cell = table_cell()
    cell["source"] = cell["source"].replace("tbl-cap: Svar", "tbl-cap: Andre svar")
    write_notebook(book / "notebooks" / "a.ipynb", cell)


def new_fact(book):
    fact = FACTS["horten.population"] | {"value": 27700}
    (book / "facts.json").write_text(json.dumps({"horten.population": fact}), "utf-8")


def fact_of_no_chapter(book):
    (book / "facts.json").write_text(json.dumps(FACTS | {"other": {"value": 1}}), "utf-8")


def new_source(book):
    (book / "sources.bib").write_text(BIB.replace("Sluttrapport", "Ny rapport"), "utf-8")


def new_title(book):
    text = (book / "_quarto.yml").read_text("utf-8")
    (book / "_quarto.yml").write_text(text.replace("Prøvebok", "Annen bok"), "utf-8")


@pytest.mark.parametrize(
    ("change", "again"),
    [
        (new_text, ["kilder.qmd"]),
        (new_cell, ["metode.qmd"]),
        (new_caption, ["metode.qmd"]),
        (new_fact, ["metode.qmd"]),
        (fact_of_no_chapter, []),
        (new_source, ["index.qmd"]),
        (new_title, ALL),
    ],
)
def test_only_chapters_that_a_change_concerns_are_read_again(book, read, change, again):
    rendered(book)
    change(book)

    changed = rendered(book)

    assert read == {"html": again, "typst": again}
    assert changed == rendered_anew(book)


def test_another_pandoc_reads_every_chapter(book, read, monkeypatch):
    rendered(book)
    monkeypatch.setattr(reading, "pandoc_version", lambda: "99.0")

    rendered(book)

    assert read == {"html": ALL, "typst": ALL}


def test_changed_filters_read_every_chapter(book, read, monkeypatch, tmp_path):
    from evalkit.book import reading

    rendered(book)
    copied = shutil.copytree(reading.EXTENSION, tmp_path / "extension")
    with (copied / "dates.lua").open("a", encoding="utf-8") as file:
        file.write("-- Another.\n")
    monkeypatch.setattr(reading, "EXTENSION", copied)

    rendered(book)

    assert read == {"html": ALL, "typst": ALL}


def test_what_is_kept_does_not_grow(book):
    rendered(book)
    (book / "metode.qmd").write_text("# Metode {#sec-metode}\n\nEn.\n", "utf-8")
    rendered(book)
    assert len(kept_lines(book)) == 4
    text = (book / "_quarto.yml").read_text("utf-8")
    (book / "_quarto.yml").write_text(text.replace("metode.qmd, ", ""), "utf-8")

    rendered(book)

    assert [len(kept_lines(book, to)) for to in ("html", "typst")] == [3, 3]
    found = sorted(path.name for path in (book / CACHE / "reading").iterdir())
    assert found == ["html.txt", "typst.txt"]


def test_what_a_render_killed_while_it_kept_them_left_is_removed(book):
    rendered(book)
    half = book / CACHE / "reading" / f".html.txt.0badcafe{TEMPORARY_ENDING}"
    half.write_bytes(b"half")

    rendered(book)

    found = sorted(path.name for path in (book / CACHE / "reading").iterdir())
    assert found == ["html.txt", "typst.txt"]


def test_what_is_warned_about_is_warned_about_every_time(book):
    twice = "# Metode {#sec-metode}\n\n[se her]\n\n[se her]: https://a.no\n[se her]: https://b.no\n"
    (book / "metode.qmd").write_text(twice, "utf-8")

    first = render_book(book, engine="embedded", formats=("html",), force=True)
    second = render_book(book, engine="embedded", formats=("html",), force=True)

    assert "Duplicate link reference" in " ".join(first.warnings)
    assert second.warnings == first.warnings


def test_a_document_keeps_nothing_of_what_was_read(book):
    (book / "_quarto-kommune.yml").write_text(PROFILE, "utf-8")
    (book / "kommune.qmd").write_text(DOCUMENT, "utf-8")

    render_document(book, "kommune.qmd", engine="embedded", formats=("html",))

    assert not (book / CACHE / "reading").exists()


@pytest.mark.parametrize(("refuses", "told"), [("exit 2", {}), ("exit 0", embedded.ROOM)])
def test_a_pandoc_that_cannot_be_told_of_memory_is_told_nothing(
    tmp_path, monkeypatch, refuses, told
):
    pandoc = tmp_path / "pandoc"
    pandoc.write_text(f'#!/bin/sh\n[ -z "$GHCRTS" ] || {refuses}\n', "utf-8")
    pandoc.chmod(0o755)
    monkeypatch.setattr(programs, "_pandoc", lambda: str(pandoc))

    assert embedded.memory_settings.__wrapped__() == told
