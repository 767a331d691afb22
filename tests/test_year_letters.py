"""Year letters: given once for a book, so that every page and list has the same."""

import re
import stat
import sys

import pytest
from book_helpers import page, pdf_text, small_book, text_of

from evalkit.book import render_book, with_year_letters
from evalkit.book.extension import CSL, EXTENSION

BYEN = "@report{{{key}, author={{{{Byen}}}}, title={{{{{title}}}}}, {year}}}\n"
ENTRIES = {
    "plan": ("Plan", "date={2020-05-01}"),
    "mandat": ("Mandat", "year=2020"),
    "budsjett": ("Budsjett", "year = {2021}"),
    "ubrukt": ("Ubrukt", "year={2020}"),
    "rapport": ("Rapport", 'date="2020"'),
    "notat": ("Notat", "note={Udatert}"),
    "skisse": ("Skisse", "langid={norsk}"),
}
LETTERS = {
    "plan": "2020a",
    "mandat": "2020b",
    "rapport": "2020c",
    "budsjett": "2021",
    "notat": "u.å.a",
    "skisse": "u.å.b",
}
SOURCES = "\n".join(
    BYEN.format(key=key, title=title, year=year) for key, (title, year) in ENTRIES.items()
)
OWN_LIST = "## Kilder\n\n::: {.chapter-references}\n:::\n"
CHAPTERS = {
    "index": f"# Forord\n\nSiste [@rapport], og @skisse.\n\n{OWN_LIST}",
    "metode": f"# Metode\n\nDe andre [@mandat; @plan, s. 3; @budsjett], og [@notat].\n\n{OWN_LIST}",
}


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    book = small_book(tmp_path_factory.mktemp("letters") / "book", **CHAPTERS)
    (book / "sources.bib").write_text(SOURCES, encoding="utf-8")
    render_book(book, engine="embedded")
    return book


def test_every_citation_has_the_year_of_its_entry_in_the_common_list(book):
    listed = {
        entry.get("id").removeprefix("ref-"): re.search(r"\(([^)]+)\)", text_of(entry)).group(1)
        for entry in page(book, "referanser.html").xpath("//*[@id='refs']/div")
    }
    cited = [
        (cite.get("data-cites").split(), text_of(cite).replace("\u00a0", " "))
        for name in ("index.html", "metode.html")
        for cite in page(book, name).xpath("//*[@class='citation']")
    ]

    assert listed == LETTERS
    assert [key for keys, _ in cited for key in keys] == [
        "rapport", "skisse", "mandat", "plan", "budsjett", "notat",
    ]  # fmt: skip
    for keys, text in cited:
        years = re.findall(r"\d{4}[a-z]?|u\.å\.[a-z]?", text)
        assert years == [LETTERS[key] for key in keys]


def test_a_chapters_own_list_has_the_years_of_the_common_list(book):
    common = {text_of(one) for one in page(book, "referanser.html").xpath("//*[@id='refs']/div")}

    for name, count in (("index.html", 2), ("metode.html", 4)):
        path = "//*[contains(@class, 'chapter-references')]//*[contains(@class, 'csl-entry')]"
        own = [text_of(one) for one in page(book, name).xpath(path)]
        assert len(own) == count
        assert set(own) <= common


def test_the_pdf_has_the_letters_of_the_pages(book):
    text = pdf_text(book / "_book" / "rapport.pdf")

    assert "Siste (Byen 2020c), og Byen (u.å.b)" in text
    assert "De andre (Byen 2020b; Byen 2020a, s. 3; Byen 2021), og (Byen u.å.a)" in text
    for title, year in (("Rapport", "2020c"), ("Skisse", "u.å.b"), ("Plan", "2020a")):
        assert text.count(f"Byen ({year}). {title}") == 2, "the chapter's list and the common one"


def test_quarto_reads_the_same_letters(book, tmp_path, monkeypatch):
    script = tmp_path / "bin" / "quarto"
    script.parent.mkdir()
    script.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, yaml\n"
        "names = yaml.safe_load(pathlib.Path('_quarto.yml').read_text())['bibliography']\n"
        "read = ''.join(pathlib.Path(name).read_text() for name in names)\n"
        "pathlib.Path('_book').mkdir()\n"
        "pathlib.Path('_book/index.html').write_text(read)\n"
        "pathlib.Path('_book/rapport.pdf').write_text(read)\n",
        encoding="utf-8",
    )
    script.chmod(script.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(script.parent), prepend=":")

    render_book(book, engine="quarto")

    read = (book / "_book" / "index.html").read_text(encoding="utf-8")
    years = dict(re.findall(r"\{(\w+), year=\{([^}]+)\}", read))
    assert years == {key: year for key, year in LETTERS.items() if key != "budsjett"}


def test_a_year_that_has_a_letter_keeps_it():
    style = EXTENSION / CSL
    (once,) = with_year_letters([SOURCES], style, cited=set(LETTERS))

    assert once != SOURCES
    assert with_year_letters([once], style, cited={"mandat", "rapport"}) == [once]


def test_sources_that_nobody_cites_take_no_letter():
    (text,) = with_year_letters([SOURCES], EXTENSION / CSL, cited={"plan", "budsjett"})

    assert text == SOURCES
