"""One municipality's short report: numbered on its own, as HTML, PDF and Word."""

import re
import subprocess
import sys
import zipfile

import lxml.etree
import lxml.html
import pytest
from book_helpers import (
    TABLE,
    figure_cell,
    pdf_text,
    small_book,
    squeezed,
    table_cell,
    text_of,
    write_notebook,
)
from pypdf import PdfReader

from evalkit.book import render_document
from evalkit.book.embedded import draw_pictures
from evalkit.errors import BookError

PROFILE = """project: {type: default, output-dir: _kommune, render: [kommune-horten.qmd]}
crossref: {chapters: true}
facts-page: ""
"""
DOCUMENT = """---
title: Horten
subtitle: Kort rapport
number-sections: true
---

{{< include horten.qmd >}}

# Referanser {.unnumbered}

::: {#refs}
:::
"""
HORTEN = """# Horten {#sec-horten}

Se @sec-tiltak, @tbl-svar og @fig-svar, og @sand2023.[^a]

[^a]: Horten har []{fact="horten.population"} innbyggere.

## Tiltak {#sec-tiltak}

{{< embed notebooks/a.ipynb#tbl-svar >}}

::: {.landscape}
{{< embed notebooks/a.ipynb#fig-svar >}}
:::

::: {.callout-note}
Husk dette.
:::

$$
x = 1
$$ {#eq-x alt="x er en"}
"""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    book = small_book(tmp_path_factory.mktemp("document") / "book")
    (book / "_quarto-kommune.yml").write_text(PROFILE, encoding="utf-8")
    (book / "kommune-horten.qmd").write_text(DOCUMENT, encoding="utf-8")
    (book / "horten.qmd").write_text(HORTEN, encoding="utf-8")
    options = "#| fig-alt: To stolper.\n#| kilde: 'Kilde: egen.'\n"
    write_notebook(
        book / "notebooks" / "a.ipynb",
        table_cell("tbl-svar", TABLE),
        figure_cell("fig-svar", options),
    )
    return book, render_document(book, "kommune-horten.qmd", engine="embedded")


def word_part(result, name):
    with zipfile.ZipFile(result.docx) as document:
        return document.read(name).decode("utf-8")


def word_paragraphs(result):
    body = word_part(result, "word/document.xml")
    found = re.findall(r"<w:p>(.*?)</w:p>", body, re.DOTALL)
    return ["".join(re.findall(r"<w:t[^>]*>([^<]*)</w:t>", one)) for one in found]


def test_a_document_becomes_three_files_in_the_folder_of_its_profile(rendered):
    book, result = rendered

    assert result.html == book / "_kommune" / "kommune-horten.html"
    assert result.pdf == book / "_kommune" / "kommune-horten.pdf"
    assert result.docx == book / "_kommune" / "kommune-horten.docx"
    assert result.pages == len(PdfReader(result.pdf).pages)


def test_its_numbers_and_references_begin_at_one_in_every_format(rendered):
    _, result = rendered
    sentence = "Se Seksjon 1.1, Tabell 1.1 og Figur 1.1, og Sand (2023)."

    html = lxml.html.fromstring(result.html.read_bytes())
    page = [text_of(one).replace("\u00a0", " ") for one in html.xpath("//article//p")]
    word = [squeezed(one).replace("\u00a0", " ") for one in word_paragraphs(result)]
    assert any(text.startswith(sentence) for text in page)
    assert any(text.startswith(sentence) for text in word)
    assert sentence[:-1] in pdf_text(result.pdf)
    assert [text_of(one) for one in html.xpath("//h1 | //h2")] == [
        "Horten",
        "1 Horten",
        "1.1 Tiltak",
        "Referanser",
    ]


def test_its_title_and_downloads_stand_on_the_page(rendered):
    book, result = rendered

    html = lxml.html.fromstring(result.html.read_bytes())
    links = html.xpath("//*[@class='download']/a")
    assert text_of(html.xpath("//*[@class='cover-subtitle']")[0]) == "Kort rapport"
    assert [text_of(link) for link in links] == ["Last ned som PDF", "Last ned som Word"]
    assert all((book / "_kommune" / link.get("href")).is_file() for link in links)


def test_facts_have_no_links_where_there_is_no_page_of_sources(rendered):
    _, result = rendered

    html = lxml.html.fromstring(result.html.read_bytes())
    assert html.xpath("//*[@data-fact]/text()") == ["27\u00a0682"]
    assert html.xpath("//*[@data-fact]//a") == []


def test_word_has_captions_sources_and_pictures_with_alt_text(rendered):
    _, result = rendered
    body = word_part(result, "word/document.xml")
    paragraphs = [text.replace("\u00a0", " ") for text in word_paragraphs(result)]

    assert "Tabell 1.1: Svar" in paragraphs
    assert "Figur 1.1: Svar etter gruppe" in paragraphs
    assert "Kilde: egen." in paragraphs
    assert re.findall(r'<wp:docPr descr="([^"]*)"', body) == ["To stolper."]
    assert re.findall(r"<w:pgSz[^>]*>", body) == [
        '<w:pgSz w:w="11906" w:h="16838"/>',
        '<w:pgSz w:w="16838" w:h="11906" w:orient="landscape"/>',
        '<w:pgSz w:w="11906" w:h="16838"/>',
    ]
    assert "/tmp" not in body
    with zipfile.ZipFile(result.docx) as document:
        media = [name for name in document.namelist() if name.startswith("word/media/")]
        assert [name[-4:] for name in media] == [".png"]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    book = small_book(tmp_path_factory.mktemp("labelled") / "book")
    with (book / "_quarto.yml").open("a", encoding="utf-8") as settings:
        settings.write("evalkit: {label: syntetisk}\n")
    (book / "_quarto-kommune.yml").write_text(PROFILE, encoding="utf-8")
    text = "---\ntitle: T\n---\n\n# A\n\n::: {.landscape}\nBredt.\n:::\n\nTekst.\n"
    (book / "kommune-a.qmd").write_text(text, encoding="utf-8")
    return render_document(
        book, "kommune-a.qmd", formats=("docx",), engine="embedded", banner="UFULLSTENDIG & kort"
    )


def test_a_label_stands_at_the_top_of_word_and_in_the_header_of_every_section(labelled):
    paragraphs = [text for text in word_paragraphs(labelled) if text]
    body = word_part(labelled, "word/document.xml")
    header = lxml.etree.fromstring(word_part(labelled, "word/header-evalkit.xml").encode())

    mark = "SYNTETISK – UFULLSTENDIG &amp; KORT"
    assert paragraphs[:5] == ["T", "Forfatter", "1. mai 2024", mark, "1A"]
    assert "".join(header.itertext()) == "syntetisk – UFULLSTENDIG & kort"
    assert body.count("<w:sectPr>") == body.count("<w:headerReference ") == 3
    for part in ("[Content_Types].xml", "word/_rels/document.xml.rels"):
        assert word_part(labelled, part).count("header-evalkit.xml") == 1
        lxml.etree.fromstring(word_part(labelled, part).encode())


def test_word_without_a_label_has_no_header(rendered):
    _, result = rendered

    assert "headerReference" not in word_part(result, "word/document.xml")


def test_no_typst_is_loaded_into_the_process_that_makes_word(rendered):
    book, _ = rendered
    script = (
        "import sys\nfrom evalkit.book import render_document\n"
        f"made = render_document({str(book)!r}, 'kommune-horten.qmd', formats=('docx',), "
        "engine='embedded', force=True)\nprint(made.docx.name, 'typst' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.stdout == "kommune-horten.docx False\n"


def test_a_picture_that_cannot_be_drawn_for_word_is_told(tmp_path):
    broken = tmp_path / "a.svg"
    broken.write_text("<svg", encoding="utf-8")

    with pytest.raises(BookError, match="the Word document could not be made: failed to"):
        draw_pictures([broken], pixels_per_inch=100)


def test_a_second_render_of_word_has_the_same_bytes(rendered):
    book, result = rendered
    before = result.docx.read_bytes()

    again = render_document(
        book, "kommune-horten.qmd", formats=("docx",), engine="embedded", force=True
    )

    assert again.docx.read_bytes() == before


def test_a_document_that_has_not_changed_is_not_rendered_again(rendered):
    book, _ = rendered

    assert render_document(book, "kommune-horten.qmd", engine="embedded").unchanged


def test_a_reference_out_of_the_document_is_told(rendered):
    book, _ = rendered
    (book / "kommune-ny.qmd").write_text("---\ntitle: A\n---\n\n# B\n\n@sec-metode\n", "utf-8")

    with pytest.raises(BookError, match=r"kommune-ny\.qmd:7: @sec-metode points to nothing"):
        render_document(book, "kommune-ny.qmd", engine="embedded")


def test_a_document_that_is_not_there_is_told(rendered):
    book, _ = rendered

    with pytest.raises(BookError, match=r"kommune-x\.qmd is missing; expected the document"):
        render_document(book, "kommune-x.qmd", engine="embedded")
