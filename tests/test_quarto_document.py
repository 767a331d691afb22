"""What Quarto is asked for, what counts as made, and what its pages must not tell."""

import json
import stat
import sys

import pytest
import yaml
from book_helpers import small_book

from evalkit.book import render_book, render_document
from evalkit.book.extension import EXTENSION
from evalkit.errors import BookError
from evalkit.programs import run_pandoc
from evalkit.short_report import profile_text

DOCUMENT = "---\ntitle: Horten\n---\n\n# Horten\n\nTekst.\n"
SUFFIXES = {"html": "html", "evalkit-typst": "pdf", "docx": "docx"}


@pytest.fixture
def book(tmp_path):
    book = small_book(tmp_path / "book")
    (book / "_quarto-kommune.yml").write_text(profile_text(), encoding="utf-8")
    (book / "kommune-horten.qmd").write_text(DOCUMENT, encoding="utf-8")
    return book


@pytest.fixture
def fake_quarto(tmp_path, monkeypatch):
    """A `quarto` that notes what it is asked for and writes the formats that it knows of those."""

    def install(*known):
        script = tmp_path / "bin" / "quarto"
        script.parent.mkdir(exist_ok=True)
        suffixes = {name: SUFFIXES[name] for name in known}
        script.write_text(
            f"#!{sys.executable}\n"
            "import json, pathlib, shutil, sys\n"
            f"with open({str(tmp_path / 'asked.txt')!r}, 'a') as asked:\n"
            "    asked.write(json.dumps(sys.argv[1:]) + '\\n')\n"
            "to = sys.argv[sys.argv.index('--to') + 1]\n"
            "folder = pathlib.Path('_kommune')\n"
            "assert not folder.exists(), 'earlier output is there'\n"
            f"suffix = {suffixes!r}.get(to)\n"
            "if suffix:\n"
            "    folder.mkdir()\n"
            "    (folder / f'kommune-horten.{suffix}').write_text('<p>new</p>')\n",
            encoding="utf-8",
        )
        script.chmod(script.stat().st_mode | stat.S_IEXEC)
        monkeypatch.setenv("PATH", str(script.parent), prepend=":")

    return install


def test_quarto_is_asked_for_each_format_and_each_is_kept(book, fake_quarto, tmp_path):
    fake_quarto("html", "evalkit-typst", "docx")

    result = render_document(book, "kommune-horten.qmd", engine="quarto")

    asked = [json.loads(line) for line in (tmp_path / "asked.txt").read_text().splitlines()]
    assert asked == [["render", "--profile", "kommune", "--to", name] for name in SUFFIXES]
    assert [path.read_text() for path in (result.html, result.pdf, result.docx)] == [
        "<p>new</p>"
    ] * 3


def test_only_the_format_asked_for_is_made(book, fake_quarto, tmp_path):
    fake_quarto("html", "evalkit-typst", "docx")

    result = render_document(book, "kommune-horten.qmd", engine="quarto", formats=("docx",))

    assert (result.html, result.pdf) == (None, None)
    assert (tmp_path / "asked.txt").read_text().count("\n") == 1


@pytest.mark.parametrize("old", ["html", "docx"])
def test_an_old_file_does_not_count_as_made(book, fake_quarto, old):
    fake_quarto()
    (book / "_kommune").mkdir()
    (book / "_kommune" / f"kommune-horten.{old}").write_text("old")

    with pytest.raises(BookError, match=f"quarto made no {old}"):
        render_document(book, "kommune-horten.qmd", engine="quarto", formats=(old,))

    assert (book / "_kommune" / f"kommune-horten.{old}").read_text() == "old"


def test_a_book_without_the_pdf_that_was_asked_for_fails(book, tmp_path, monkeypatch):
    script = tmp_path / "bin" / "quarto"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\nmkdir _book && echo x > _book/index.html\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=":")

    with pytest.raises(BookError, match=r"quarto made no pdf \(rapport.pdf\)"):
        render_book(book, engine="quarto")

    assert render_book(book, engine="quarto", formats=("html",)).pdf is None


def test_what_quarto_notes_of_a_notebook_does_not_get_out():
    text = (
        '::: {.quarto-embed-nb-cell notebook="/home/x/a.ipynb" notebook-title="A" '
        'notebook-cellId="c" notebook-preview-file="/home/x/a.html"}\n'
        '::: {#tbl-a .cell quarto-private-1="{key: papermill}" tbl-cap="Svar"}\n'
        'Tekst [her]{data-notebook="/home/x/a.ipynb" data-fact="a"}.\n:::\n:::\n'
    )

    made = run_pandoc(["--to=html", f"--lua-filter={EXTENSION / 'private.lua'}"], text=text).stdout

    assert made.split("<p>")[0].split() == [
        '<div', 'class="quarto-embed-nb-cell">', '<div', 'id="tbl-a"', 'class="cell"',
        'data-tbl-cap="Svar">',
    ]  # fmt: skip
    assert '<span data-fact="a">her</span>' in made


def test_the_extension_takes_notes_of_notebooks_away_before_and_after_quartos_own_filters():
    given = yaml.safe_load((EXTENSION / "_extension.yml").read_text("utf-8"))["contributes"]

    at = [one["at"] for one in given["filters"] if one["path"] == "private.lua"]
    assert at == ["pre-quarto", "post-quarto"]
    assert given["formats"]["typst"]["link-citations"] is True
    assert given["formats"]["typst"]["toc-depth"] == 2
