"""Rendering a book with either engine: what is written, where, and what stops it."""

import os
import re
import stat
import sys

import lxml.html
import pytest
from book_helpers import (
    SETTINGS,
    SVG,
    TABLE,
    code_cell,
    figure_cell,
    golden_book,
    page,
    pdf_text,
    shown,
    small_book,
    table_cell,
    text_of,
    write_notebook,
)
from pypdf import PdfReader

from evalkit.book import list_of_floats, render_book
from evalkit.book.quarto import clean_html, log_failures
from evalkit.errors import BookError

CHAPTER = "# Metode {#sec-metode}\n\n"
SOURCE = '\n[Kilde: []{fact="horten.population"}, @sand2023.]{.kilde}\n'


def book_with_cells(folder, *cells, around="{}"):
    embeds = "\n\n".join(
        around.format("{{< embed notebooks/a.ipynb#" + cell["source"].split("\n")[0][10:] + " >}}")
        for cell in cells
    )
    book = small_book(folder, metode=CHAPTER + embeds + "\n")
    write_notebook(book / "notebooks" / "a.ipynb", *cells)
    return book


def test_a_book_becomes_pages_and_a_pdf(tmp_path):
    said = []

    result = render_book(small_book(tmp_path / "book"), engine="embedded", progress=said.append)

    assert result.engine == "embedded"
    assert result.html == tmp_path / "book" / "_book" / "index.html"
    assert result.pdf == tmp_path / "book" / "_book" / "rapport.pdf"
    assert result.pages == len(PdfReader(result.pdf).pages)
    assert result.warnings == ()
    assert said == ["HTML pages", "PDF"]


def test_only_the_formats_asked_for_are_made(tmp_path):
    book = small_book(tmp_path / "book")

    assert render_book(book, engine="embedded", formats=("html",)).pdf is None
    assert "PDF" not in page(book, "index.html").text_content()
    assert render_book(book, engine="embedded", formats=("pdf",)).html is None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"formats": ("epub",)}, "format epub; expected html or pdf"),
        ({"formats": ()}, "format none; expected html or pdf"),
        ({"engine": "latex"}, "engine 'latex'; expected auto, quarto, embedded"),
    ],
)
def test_a_format_or_engine_that_is_not_known_is_refused(tmp_path, arguments, expected):
    with pytest.raises(BookError, match=expected):
        render_book(small_book(tmp_path / "book"), **arguments)


def test_a_second_run_writes_the_same_bytes(tmp_path):
    book = golden_book(tmp_path)
    output = book / "_book"

    render_book(book, engine="embedded")
    first = {path.name: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    render_book(book, engine="embedded", force=True)

    assert {path.name: path.read_bytes() for path in output.rglob("*") if path.is_file()} == first


def test_a_build_that_fails_leaves_what_was_there(tmp_path):
    book = small_book(tmp_path / "book")
    render_book(book, engine="embedded")
    before = (book / "_book" / "metode.html").read_bytes()
    (book / "metode.qmd").write_text(CHAPTER + "```{=typst}\n#borte()\n```\n", encoding="utf-8")

    with pytest.raises(BookError, match="the PDF could not be made: unknown variable: borte"):
        render_book(book, engine="embedded")

    assert (book / "_book" / "metode.html").read_bytes() == before
    assert [path.name for path in book.iterdir() if path.name.startswith("._book")] == []


def test_a_pdf_whose_numbers_do_not_settle_is_refused(tmp_path):
    endless = "for i in range(n.final().first() + 1) { n.step() }"
    typst = f'```{{=typst}}\n#context {{ let n = counter("n"); {endless} }}\n```\n'
    book = small_book(tmp_path / "book", metode=CHAPTER + typst)

    with pytest.raises(BookError, match=r"did not converge.*; its numbers and references would"):
        render_book(book, engine="embedded")

    assert not (book / "_book").exists()


def test_output_that_a_killed_build_set_aside_is_brought_back(tmp_path):
    book = small_book(tmp_path / "book", metode=CHAPTER + "@tbl-borte\n")
    (book / "._book.old").mkdir()
    (book / "._book.old" / "index.html").write_text("gammel", encoding="utf-8")

    with pytest.raises(BookError):
        render_book(book, engine="embedded")

    assert (book / "_book" / "index.html").read_text(encoding="utf-8") == "gammel"


# Nothing is rendered again ------------------------------------------------------------------


def test_what_killed_builds_left_half_made_is_removed(tmp_path):
    book = small_book(tmp_path / "book")
    (book / "._book-x1y2").mkdir()
    (book / "._book-x1y2" / "index.html").write_text("halv", encoding="utf-8")
    (book / ".evalkit-cache").mkdir()
    (book / ".evalkit-cache" / "._book.json.00ff.evalkit-tmp").write_text("half")

    render_book(book, formats=("html",), engine="embedded")

    assert list(book.glob("._book*")) == []
    assert list((book / ".evalkit-cache").glob("*.evalkit-tmp")) == []


def test_a_book_that_has_not_changed_is_not_rendered_again(tmp_path):
    book = small_book(tmp_path / "book")
    said = []

    first = render_book(book, engine="embedded")
    second = render_book(book, engine="embedded", progress=said.append)

    assert (first.unchanged, second.unchanged, said) == (False, True, [])
    assert (second.html, second.pdf, second.pages) == (first.html, first.pdf, first.pages)
    assert not render_book(book, engine="embedded", force=True).unchanged


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metode.qmd", CHAPTER + "Annet.\n"),
        ("facts.json", '{"horten.population": {"value": 1}}'),
        ("sources.bib", "@book{sand2023, title = {Ny tittel}, year = {2024}}"),
        ("_quarto.yml", SETTINGS.replace("Prøvebok", "Annen bok")),
        ("_book/metode.html", "ødelagt"),
        (".evalkit-cache/_book.json", "{"),
        (".evalkit-cache/_book.json", '{"key": 1, "files": []}'),
    ],
)
def test_a_change_to_what_the_output_rests_on_renders_it_again(tmp_path, name, content):
    text = CHAPTER + 'Det bor []{fact="horten.population"} der [@sand2023].\n'
    book = small_book(tmp_path / "book", metode=text)
    render_book(book, engine="embedded")
    (book / name).write_text(content, encoding="utf-8")

    assert not render_book(book, engine="embedded").unchanged


@pytest.mark.parametrize(
    ("name", "added"),
    [
        ("facts.json", ', "horten.area_km2": {"value": 70}}'),
        ("sources.bib", "\n@book{annen2020, title = {En annen}, year = {2020}}\n"),
    ],
)
def test_a_fact_or_source_that_the_book_does_not_name_is_no_reason_to_render(tmp_path, name, added):
    book = small_book(tmp_path / "book")
    render_book(book, engine="embedded", formats=("html",))
    before = (book / name).read_text(encoding="utf-8").rstrip()
    (book / name).write_text(before.removesuffix("}" * added.endswith("}}")) + added, "utf-8")

    assert render_book(book, engine="embedded", formats=("html",)).unchanged


def test_a_format_that_was_not_made_is_made(tmp_path):
    book = small_book(tmp_path / "book")
    render_book(book, engine="embedded", formats=("html",))

    assert not render_book(book, engine="embedded").unchanged


def test_a_banner_marks_every_page_and_goes_away_again(tmp_path):
    book = small_book(tmp_path / "book")

    marked = render_book(book, engine="embedded", banner="ufullstendig: Siljan mangler")
    texts = [one.extract_text().lower() for one in PdfReader(marked.pdf).pages]

    assert all("siljan mangler" in text for text in texts)
    assert "Siljan mangler" in page(book, "metode.html").text_content()
    assert "mangler" not in pdf_text(render_book(book, engine="embedded").pdf)


# What the embedded engine makes of cells ----------------------------------------------------


def test_the_source_line_of_a_table_stays_in_its_figure_in_both_formats(tmp_path):
    book = book_with_cells(tmp_path / "book", table_cell("tbl-svar", TABLE + SOURCE))

    result = render_book(book, engine="embedded")

    line = page(book, "metode.html").xpath("//*[@id='tbl-svar']//*[@class='kilde']")[0]
    assert text_of(line) == "Kilde: 27\u00a0682, Sand (2023)."
    assert "Tabell 1.1: Svar Gruppe Svar Ledere 12 Kilde: 27 682, Sand (2023)." in pdf_text(
        result.pdf
    )


def test_the_cell_option_kilde_becomes_a_line_under_a_figure(tmp_path):
    options = "#| fig-alt: To stolper.\n#| kilde: 'Kilde: egen [undersøkelse](kilder.qmd).'\n"
    book = book_with_cells(tmp_path / "book", figure_cell("fig-svar", options))

    result = render_book(book, engine="embedded")

    line = page(book, "metode.html").xpath("//*[@class='cell']/p/*[@class='kilde']")[0]
    assert text_of(line) == "Kilde: egen undersøkelse."
    assert line.xpath("./a/@href") == ["./kilder.html"]
    assert "Figur 1.1: Svar etter gruppe Kilde: egen undersøkelse." in pdf_text(result.pdf)


def test_figures_keep_their_alt_text_as_svg_and_png(tmp_path):
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    source = '#| label: fig-png\n#| fig-cap: Punkt\n#| fig-alt: "Et «punkt»."\n1'
    book = book_with_cells(
        tmp_path / "book", figure_cell("fig-svg"), code_cell(source, shown("image/png", png))
    )

    render_book(book, engine="embedded")

    images = page(book, "metode.html").xpath("//article//img")
    assert [image.get("alt") for image in images] == ["To stolper.", "Et «punkt»."]
    figures = [book / "_book" / image.get("src") for image in images]
    assert figures[0].read_text(encoding="utf-8") == SVG
    assert figures[1].read_bytes().startswith(b"\x89PNG")


def test_the_alt_text_of_a_figure_reaches_the_tags_of_the_pdf(tmp_path):
    book = book_with_cells(tmp_path / "book", figure_cell())

    reader = PdfReader(render_book(book, engine="embedded").pdf)

    assert "To stolper." in alt_texts(reader.trailer["/Root"]["/StructTreeRoot"])


def alt_texts(node):
    """Alternative texts in a PDF's structure tree, from a node downwards."""
    node = node.get_object()
    if isinstance(node, list):
        return [text for child in node for text in alt_texts(child)]
    if not isinstance(node, dict):
        return []
    own = [str(node["/Alt"])] if "/Alt" in node else []
    return own + (alt_texts(node["/K"]) if "/K" in node else [])


def test_text_and_prose_of_a_cell_are_embedded(tmp_path):
    stream = {"output_type": "stream", "name": "stdout", "text": "ren tekst\n"}
    book = book_with_cells(
        tmp_path / "book",
        code_cell("#| label: prosa\n1", shown("text/markdown", "Prosa om @sec-kilder.")),
        code_cell("#| label: tekst\n1", stream),
    )

    render_book(book, engine="embedded")

    article = page(book, "metode.html").xpath("//article")[0]
    assert "Prosa om Vedlegg A." in text_of(article)
    assert text_of(article.xpath(".//pre")[0]) == "ren tekst"


def test_a_landscape_table_turns_only_its_own_page(tmp_path):
    book = book_with_cells(
        tmp_path / "book", table_cell(), around="Før.\n\n::: {{.landscape}}\n{}\n:::\n\nEtter."
    )

    pages = PdfReader(render_book(book, engine="embedded").pdf).pages

    turned = [one for one in pages if one.mediabox.width > one.mediabox.height]
    assert len(turned) == 1
    assert "Tabell\u00a01.1: Svar" in turned[0].extract_text()


def test_a_long_table_breaks_over_pages_with_its_header_on_each(tmp_path):
    rows = "".join(f"| Gruppe {number} | {number} |\n" for number in range(120))
    book = book_with_cells(tmp_path / "book", table_cell("tbl-lang", TABLE + rows + SOURCE))

    texts = [
        one.extract_text() for one in PdfReader(render_book(book, engine="embedded").pdf).pages
    ]

    with_rows = [text for text in texts if re.search(r"Gruppe \d", text)]
    assert len(with_rows) >= 2
    assert all("Gruppe Svar" in text for text in with_rows)
    assert all(any(f"Gruppe {number} {number}" in text for text in texts) for number in range(120))


def test_widths_given_for_a_table_reach_both_formats(tmp_path):
    options = "#| tbl-colwidths: [80, 20]\n"
    book = book_with_cells(tmp_path / "book", table_cell("tbl-svar", TABLE, options))

    render_book(book, engine="embedded")

    columns = page(book, "metode.html").xpath("//*[@id='tbl-svar']//col/@style")
    assert [style.replace(" ", "") for style in columns] == ["width:80%", "width:20%"]


# What the embedded engine makes of chapters --------------------------------------------------


def test_content_for_one_format_is_seen_in_that_format_only(tmp_path):
    text = (
        '::: {.content-visible when-format="html"}\nNettet.\n:::\n\n'
        '::: {.content-visible when-format="typst"}\nArket.\n:::\n\n'
        '::: {.content-hidden when-format="html"}\nSkjult.\n:::\n'
    )
    book = small_book(tmp_path / "book", metode=CHAPTER + text)

    result = render_book(book, engine="embedded")

    article = text_of(page(book, "metode.html").xpath("//article")[0])
    printed = pdf_text(result.pdf)
    assert ("Nettet." in article, "Arket." in article, "Skjult." in article) == (True, False, False)
    assert ("Nettet." in printed, "Arket." in printed, "Skjult." in printed) == (False, True, True)


def test_headings_without_ids_may_be_alike_in_several_chapters(tmp_path):
    book = small_book(
        tmp_path / "book",
        metode=CHAPTER + "## Tiltak\n\nEn.\n",
        kilder="# Kilder\n\n## Tiltak\n\nTo.\n\n## SSB {#kilde-ssb}\n\nTre.\n",
    )

    assert render_book(book, engine="embedded").pages > 4


def test_facts_are_numbers_or_texts_in_the_forms_asked_for(tmp_path):
    text = (
        '[]{fact="a"} | []{fact="a" form="millions"} | []{fact="b" form="millions"} | '
        '[]{fact="c" form="plain"} | []{fact="d"} | []{fact="e"} | []{fact="f"}\n'
    )
    book = small_book(tmp_path / "book", metode=CHAPTER + text)
    (book / "facts.json").write_text(
        '{"a": {"value": 27600000, "decimals": 0}, "b": {"value": 1250000, "decimals": 2},'
        ' "c": {"value": 2023}, "d": {"text": "24. mars 2023"}, "e": {"value": -0.004, "decimals": 2},'
        ' "f": {"value": 2.675, "decimals": 2}}',
        encoding="utf-8",
    )

    render_book(book, engine="embedded", formats=("html",))

    paragraph = page(book, "metode.html").xpath("//article//p")[0]
    assert text_of(paragraph) == (
        "27\u00a0600\u00a0000 | 27,6 | 1,25 | 2023 | 24. mars 2023 | 0,00 | 2,68"
    )


def test_chapters_of_a_compact_report_follow_on_the_same_page(tmp_path):
    plain = small_book(tmp_path / "plain")
    compact = small_book(tmp_path / "compact")
    settings = compact / "_quarto.yml"
    settings.write_text(settings.read_text("utf-8") + "evalkit: {compact: true}\n", "utf-8")

    pages = [render_book(book, engine="embedded").pages for book in (plain, compact)]

    assert pages[1] < pages[0]
    assert "Metode" in pdf_text(compact / "_book" / "rapport.pdf")


@pytest.mark.parametrize("lines", [1, 14])
def test_a_figure_does_not_leave_its_chapter_in_a_compact_report(tmp_path, lines):
    cell = figure_cell(options="#| fig-alt: To stolper.\n#| kilde: 'Kilde: egen.'\n")
    tall = SVG.replace('width="60" height="30"', 'width="400" height="400"')
    cell["outputs"][0]["data"]["image/svg+xml"] = tall
    text = "Her er det en linje.\n\n" * lines
    book = book_with_cells(tmp_path / "book", cell, around=text + "{}")
    (book / "_quarto.yml").write_text(SETTINGS + "evalkit: {compact: true}\n", encoding="utf-8")

    result = render_book(book, engine="embedded", formats=("pdf",))

    told = pdf_text(result.pdf).partition("Forord Tekst.")[2]
    places = [told.index(one) for one in ("1 Metode", "Figur 1.1", "Kilde: egen.", "Referanser")]
    assert places == sorted(places)


def test_the_label_of_a_draft_stands_on_every_page(tmp_path):
    book = small_book(tmp_path / "book")
    settings = SETTINGS + "evalkit: {label: syntetisk, institution: Instituttet}\n"
    (book / "_quarto.yml").write_text(settings, encoding="utf-8")

    result = render_book(book, engine="embedded")

    texts = [one.extract_text().lower() for one in PdfReader(result.pdf).pages]
    assert all("syntetisk" in text for text in texts)
    assert page(book, "metode.html").xpath("//*[@class='evalkit-label']/text()") == ["syntetisk"]


def test_pages_fetch_nothing_from_elsewhere(tmp_path):
    book = golden_book(tmp_path)

    render_book(book, engine="embedded", formats=("html",))

    for path in (book / "_book").rglob("*.html"):
        root = lxml.html.fromstring(path.read_bytes())
        fetched = root.xpath("//script/@src | //link[@rel='stylesheet']/@href | //img/@src")
        assert [one for one in fetched if "//" in one] == []
        assert all((path.parent / one).is_file() for one in fetched)


def test_every_link_within_the_pages_leads_somewhere(tmp_path):
    book = golden_book(tmp_path)
    render_book(book, engine="embedded")
    roots = {
        path.name: lxml.html.fromstring(path.read_bytes())
        for path in (book / "_book").glob("*.html")
    }

    for name, root in roots.items():
        for target in root.xpath("//a/@href"):
            file, _, anchor = target.removeprefix("./").partition("#")
            if "//" in target or file.endswith(".pdf"):
                continue
            assert (file or name) in roots, target
            assert not anchor or roots[file or name].xpath("//*[@id=$anchor]", anchor=anchor), (
                target
            )


def test_ids_are_given_once_on_a_page(tmp_path):
    book = golden_book(tmp_path)
    render_book(book, engine="embedded", formats=("html",))

    for path in (book / "_book").glob("*.html"):
        ids = lxml.html.fromstring(path.read_bytes()).xpath("//@id")
        assert sorted(set(ids)) == sorted(ids), path.name


# Lists of tables and figures -----------------------------------------------------------------


def test_the_lists_of_tables_and_figures_serve_both_formats(tmp_path):
    book = book_with_cells(tmp_path / "book", table_cell(), figure_cell())
    listed = list_of_floats(book)
    (book / "index.qmd").write_text(
        "# Tabeller og figurer {-}\n\n{{< include _lister.qmd >}}\n", encoding="utf-8"
    )
    (book / "_lister.qmd").write_text(listed, encoding="utf-8")

    result = render_book(book, engine="embedded")

    items = page(book, "index.html").xpath("//article//li")
    assert [text_of(item) for item in items] == [
        "Tabell\u00a01.1: Svar",
        "Figur\u00a01.1: Svar etter gruppe",
    ]
    assert "Tabell 1.1 Svar" in pdf_text(result.pdf)


def test_a_book_without_tables_has_no_list_of_them(tmp_path):
    assert list_of_floats(small_book(tmp_path / "book")) == ""


# Quarto -------------------------------------------------------------------------------------

LOG = """
[1/3] index.qmd
\x1b[33mWARN: horten.html: Unable to resolve crossref @tbl-borte\x1b[39m
[WARNING] Citeproc: citation borte2000 not found
Shortcode 'borte' not found
ERROR (facts.lua:12) no fact
WARNING: veraPDF was not found
Output created: _book/index.html
"""


def test_what_quarto_lets_pass_is_read_from_its_log():
    assert [line.split(" ")[0] for line in log_failures(LOG.replace("\x1b[33m", ""))] == [
        "WARN:",
        "[WARNING]",
        "Shortcode",
        "ERROR",
    ]


def test_paths_and_run_times_are_taken_out_of_quartos_pages(tmp_path):
    text = (
        f'<div class="a" data-notebook="{tmp_path}/a.ipynb" data-notebook-title="A" '
        f'data-notebook-cellId="c" data-quarto-private-1="{{&quot;papermill&quot;: 1}}" id="b">'
    )

    assert clean_html(text, tmp_path) == '<div class="a" id="b">'


@pytest.fixture
def fake_quarto(tmp_path, monkeypatch):
    """A `quarto` on the PATH that writes a page and a PDF, and says what it is told to say."""

    def install(says="", code=0):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        script = folder / "quarto"
        script.write_text(
            f"#!{sys.executable}\n"
            "import os, pathlib, sys\n"
            "book = pathlib.Path('_book')\n"
            "book.mkdir()\n"
            "here = os.getcwd()\n"
            "(book / 'index.html').write_text(f'<p data-notebook=\"{here}/a.ipynb\">{here}/b</p>')\n"
            "(book / 'rapport.pdf').write_bytes(b'<< /Type /Pages /Count 7 >>')\n"
            f"sys.stderr.write({says!r})\n"
            f"sys.exit({code})\n",
            encoding="utf-8",
        )
        script.chmod(script.stat().st_mode | stat.S_IEXEC)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return install


def test_quarto_is_used_when_it_is_on_the_path(tmp_path, fake_quarto):
    fake_quarto("WARN: something small\n")
    book = small_book(tmp_path / "book")

    result = render_book(book)

    assert result.engine == "quarto"
    assert result.pages == 7
    assert result.warnings == ("WARN: something small",)
    assert (book / "_book" / "index.html").read_text(encoding="utf-8") == "<p>b</p>"
    assert (book / "_extensions" / "evalkit" / "facts.lua").is_file()


@pytest.mark.parametrize(
    ("says", "code"),
    [("WARN: a.html: Unable to resolve crossref @tbl-x\n", 0), ("Error: no label\n", 1)],
)
def test_a_wrong_book_from_quarto_fails_and_leaves_what_was_there(
    tmp_path, fake_quarto, says, code
):
    fake_quarto(says, code)
    book = small_book(tmp_path / "book")
    (book / "_book").mkdir()

    with pytest.raises(BookError) as caught:
        render_book(book, engine="quarto")

    assert says.strip() in str(caught.value)
    assert list((book / "_book").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "book"]


def test_quarto_asked_for_but_absent_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BookError, match="Quarto is not on the PATH"):
        render_book(small_book(tmp_path / "book"), engine="quarto")
