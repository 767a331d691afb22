"""The embedded engine against what a real Quarto gave the same book, entry by entry."""

import json

import pytest
from book_helpers import GOLDEN, golden_book, page, pdf_text, plain_spaces, squeezed
from pypdf import PdfReader

from evalkit.book import render_book

EXPECTED = json.loads((GOLDEN / "quarto-golden.json").read_text(encoding="utf-8"))
BLOCKS = ("p", "td", "th", "li", "figcaption", "h1", "h2", "h3", "h4")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    book = golden_book(tmp_path_factory.mktemp("golden"))
    return book, render_book(book, engine="embedded")


def entries(fmt):
    return [
        pytest.param(file, number, id=f"{file}-{number}-{entry['kind']}-{entry['id']}")
        for file, found in EXPECTED[fmt].items()
        for number, entry in enumerate(found)
    ]


def same_kind_before(fmt, file, number):
    """How many entries of the kind and id come before this one in the chapter."""
    found = EXPECTED[fmt][file]
    entry = found[number]
    alike = [one for one in found[:number] if one["kind"] == entry["kind"]]
    return [one for one in alike if entry["kind"] != "fact" or one["in"] == entry["in"]]


# HTML ---------------------------------------------------------------------------------------


def html_page(book, file):
    return page(book, file.replace(".qmd", ".html"))


def text(element):
    return squeezed(element.text_content()).strip(" ")


def by_id(root, identifier):
    return root.xpath("//*[@id=$name]", name=identifier)[0]


def check_chapter(root, entry, position):
    heading = root.xpath("//h1")
    assert [text(one) for one in heading] == [entry["text"]]
    assert heading[0].get("id") == entry["id"] or entry["id"] is None
    assert text(heading[0].xpath(".//*[@class='chapter-title']")[0]) == entry["title"]
    if entry["number"]:
        assert text(heading[0].xpath(".//*[@class='chapter-number']")[0]) == entry["number"]


def check_section(root, entry, position):
    heading = by_id(root, entry["id"])
    assert heading.tag == f"h{entry['level']}"
    assert text(heading) == entry["text"]
    numbers = [text(one) for one in heading.xpath(".//*[@class='header-section-number']")]
    assert numbers == ([entry["number"]] if entry["number"] else [])


def check_float(root, entry, position):
    box = by_id(root, entry["id"])
    caption = box.xpath("./figure/figcaption")[0]
    assert text(caption) == entry["text"]
    assert text(caption).startswith(entry["number"])
    if entry.get("alt"):
        assert [image.get("alt") for image in box.xpath(".//img")] == [entry["alt"]]


def check_table(root, entry, position):
    check_float(root, entry, position)
    table = by_id(root, entry["id"]).xpath(".//table")[0]
    columns = table.xpath("./colgroup/col")
    widths = [one.get("style").split("width:")[1].strip(" ;") for one in columns]
    assert len(table.xpath("./thead/tr")) == entry["header_rows"]
    assert (len(columns) or None) == entry["columns"]
    assert (widths or None) == entry["widths"]
    spans = [
        [
            " ".join(one.text_content().split()),
            int(one.get("colspan", 1)),
            int(one.get("rowspan", 1)),
        ]
        for one in table.xpath(".//td | .//th")
        if one.get("colspan") or one.get("rowspan")
    ]
    assert spans == entry["spans"]


def check_equation(root, entry, position):
    assert (
        text(by_id(root, entry["id"]).xpath(".//*[@class='equation-number']")[0])
        == (entry["number"])
    )


def check_callout(root, entry, position):
    titles = [text(one) for one in root.xpath("//*[@class='callout-title']")]
    assert titles[position] == entry["text"]


def check_fact(root, entry, position):
    spans = root.xpath("//article//*[contains(@class,'fact')][@data-fact]")
    inside = [one for one in spans if nearest_block(one) == entry["in"]]
    span = inside[position]
    links = [link.get("href") for link in span.xpath(".//a")]
    assert span.get("data-fact") == entry["id"]
    assert span.text_content() == entry["text"]
    assert span.get("title") == entry["title"]
    assert links == ([entry["href"]] if entry["href"] else [])


def nearest_block(element):
    return next(one.tag for one in element.iterancestors() if one.tag in BLOCKS)


def check_citation(root, entry, position):
    spans = [
        one
        for one in root.xpath("//article//*[contains(@class,'citation')][@data-cites]")
        if one.get("data-cites") == entry["id"]
    ]
    assert entry["text"] in [text(one) for one in spans]


def check_footnote(root, entry, position):
    note = by_id(root, entry["id"])
    for back in note.xpath(".//*[contains(@class,'footnote-back')]"):
        back.drop_tree()
    assert text(note) == entry["text"]


def check_references(root, entry, position):
    lists = root.xpath("//div[@id=$name or contains(@class,$name)]", name=entry["id"])
    found = [text(one) for one in lists[0].xpath(".//*[contains(@class,'csl-entry')]")]
    assert found == entry["text"]


HTML_CHECKS = {
    "chapter": check_chapter,
    "section": check_section,
    "table": check_table,
    "figure": check_float,
    "subfigure": check_float,
    "equation": check_equation,
    "callout": check_callout,
    "fact": check_fact,
    "citation": check_citation,
    "footnote": check_footnote,
    "references": check_references,
}


@pytest.mark.parametrize(("file", "number"), entries("html"))
def test_every_number_caption_and_text_of_the_html_is_quartos(rendered, file, number):
    book, _ = rendered
    entry = EXPECTED["html"][file][number]
    position = len(same_kind_before("html", file, number))

    HTML_CHECKS[entry["kind"]](html_page(book, file), entry, position)


@pytest.mark.parametrize(("file", "number"), entries("html"))
def test_every_reference_in_the_html_reads_and_points_as_quartos(rendered, file, number):
    book, _ = rendered
    entry = EXPECTED["html"][file][number]
    references = entry.get("references", [])

    for start in {one["from"] for one in references}:
        expected = [(one["text"], one["href"]) for one in references if one["from"] == start]
        targets = {target for _, target in expected}
        links = html_page(book, start).xpath("//a[contains(@class,'quarto-xref')]")
        found = [(text(one), one.get("href")) for one in links if one.get("href") in targets]
        assert found == expected


@pytest.mark.parametrize("file", EXPECTED["paragraphs"]["html"])
def test_paragraphs_of_the_html_read_as_quartos(rendered, file):
    book, _ = rendered
    paragraphs = [text(one) for one in html_page(book, file).xpath("//article//p")]

    for paragraph in EXPECTED["paragraphs"]["html"][file]:
        assert paragraph in paragraphs


def test_the_sidebar_lists_what_quartos_does(rendered):
    book, _ = rendered
    items = page(book, "index.html").xpath("//nav[@aria-label='Innhold']/ul/li")
    found = [
        {
            "text": text(item.xpath("./a | ./span")[0]),
            "section": "part" in item.get("class", ""),
            "href": "./" + item.xpath("./a/@href")[0] if item.xpath("./a") else None,
        }
        for item in items
    ]

    assert found == EXPECTED["html_sidebar"]


# PDF ----------------------------------------------------------------------------------------


def outline(reader, entries=None, level=1):
    found = []
    for entry in reader.outline if entries is None else entries:
        if isinstance(entry, list):
            found += outline(reader, entry, level + 1)
        else:
            number = reader.get_destination_page_number(entry) + 1
            title = entry.title.replace("\u200b", "")
            found.append({"level": level, "text": title, "page": number})
    return found


@pytest.fixture(scope="module")
def chapter_texts(rendered):
    """The PDF's text per chapter: lines joined, words divided at line ends made whole."""
    _, result = rendered
    reader = PdfReader(result.pdf)
    starts = [one for one in outline(reader) if one["level"] == 1]
    titles = {
        file: next(one["text"] for one in found if one["kind"] == "chapter")
        for file, found in EXPECTED["typst"].items()
    }
    texts = {}
    for file, title in titles.items():
        place = next(i for i, one in enumerate(starts) if one["text"] == title)
        last = starts[place + 1]["page"] - 1 if place + 1 < len(starts) else len(reader.pages)
        pages = [reader.pages[n].extract_text() for n in range(starts[place]["page"] - 1, last)]
        texts[file] = squeezed(" ".join(pages).replace("\u00ad\n", ""))
    return texts


@pytest.mark.parametrize(("file", "number"), entries("typst"))
def test_every_number_caption_and_text_of_the_pdf_is_quartos(chapter_texts, file, number):
    entry = EXPECTED["typst"][file][number]
    body = chapter_texts[file]

    texts = entry.get("text", entry.get("number"))
    for expected in [texts] if isinstance(texts, str) else texts:
        assert expected in body


@pytest.mark.parametrize(("file", "number"), entries("typst"))
def test_every_reference_in_the_pdf_reads_as_quartos(chapter_texts, file, number):
    for reference in EXPECTED["typst"][file][number].get("references", []):
        assert reference["text"] in chapter_texts[reference["from"]]


@pytest.mark.parametrize("file", EXPECTED["paragraphs"]["typst"])
def test_paragraphs_of_the_pdf_read_as_quartos(chapter_texts, file):
    for paragraph in EXPECTED["paragraphs"]["typst"][file]:
        assert paragraph in chapter_texts[file]


def test_the_outline_of_the_pdf_is_quartos(rendered):
    _, result = rendered

    assert outline(PdfReader(result.pdf)) == EXPECTED["pdf_outline"]


def test_the_pdf_lists_the_tables_and_figures_that_quartos_does(rendered):
    _, result = rendered
    last = plain_spaces(PdfReader(result.pdf).pages[-1].extract_text())

    places = [last.find(plain_spaces(one)) for one in EXPECTED["pdf_list_of_tables_and_figures"]]
    assert -1 not in places
    assert places == sorted(places)


def test_the_whole_pdf_is_counted_tagged_and_norwegian(rendered):
    _, result = rendered
    reader = PdfReader(result.pdf)
    root = reader.trailer["/Root"]

    assert result.pages == len(reader.pages) == 17
    assert root["/Lang"] == "nb"
    assert root["/MarkInfo"]["/Marked"]
    assert "pdfuaid:part" in root["/Metadata"].get_object().get_data().decode("utf-8")
    assert "En liten prøvebok" in pdf_text(result.pdf)
