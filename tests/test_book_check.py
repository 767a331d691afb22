"""What check_book refuses: every message once, with file and line."""

import json

import pytest
from book_helpers import (
    TABLE,
    code_cell,
    figure_cell,
    golden_book,
    shown,
    small_book,
    table_cell,
    write_notebook,
)

from evalkit.book import check_book
from evalkit.errors import BookError

CHAPTER = "# Metode {#sec-metode}\n\n"


def breaches(book):
    with pytest.raises(BookError) as caught:
        check_book(book)
    first, *rest = str(caught.value).split("\n")
    assert first == f"{book} does not fit together:"
    return [line.strip() for line in rest]


def embed(label, file="notebooks/a.ipynb"):
    return f"{CHAPTER}{{{{< embed {file}#{label} >}}}}\n"


def test_the_golden_book_is_in_order(tmp_path):
    check_book(golden_book(tmp_path))


def test_a_small_book_is_in_order(tmp_path):
    check_book(small_book(tmp_path / "book"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Se @tbl-x.", "metode.qmd:3: @tbl-x points to nothing"),
        ("Se [-@sec-x].", "metode.qmd:3: @sec-x points to nothing"),
        ("Se @thm-x.", "metode.qmd:3: @thm-x: known kinds of reference are fig, tbl, sec, eq"),
        ("Sier @olsen1999.", "metode.qmd:3: citation @olsen1999 is in no bibliography"),
        ('[]{fact="horten.x"}', "metode.qmd:3: fact horten.x is not in facts.json"),
        (
            '[]{fact="horten.population" form="kort"}',
            "metode.qmd:3: fact form 'kort'; known: billions, digits, ei, ett, én, millions, plain",
        ),
        (
            "{{< video x.mp4 >}}",
            "metode.qmd:3: unknown shortcode 'video'; known: include, embed, pagebreak",
        ),
        (
            "Se {{< include a.qmd >}}",
            "metode.qmd:3: {{< include a.qmd >}} must stand alone on its line",
        ),
        ("{{< include _a.qmd >}}", "metode.qmd:3: included file _a.qmd is not there"),
        ('![](a.png){fig-alt="En prikk."}', "metode.qmd:3: picture a.png is not there"),
        ("[her](borte.qmd)", "metode.qmd:3: link to borte.qmd, which is no chapter of the book"),
        ("[her](kilder.qmd#sec-x)", "metode.qmd:3: link to #sec-x, which is not there"),
        (
            "[her](index.qmd#sec-kilder)",
            "metode.qmd:3: link to index.qmd#sec-kilder, which stands in kilder.qmd",
        ),
        ("### For dypt", "metode.qmd:3: heading level 3 after level 1; a level is left out"),
        ("# En til", "metode.qmd:3: a second title `#` in one chapter; sections begin at `##`"),
        (
            "## A {#kilde-ssb}",
            "kilder.qmd:3: label kilde-ssb is given twice; first in metode.qmd:3",
        ),
        ("::: {.callout-note}\nTekst.", "metode.qmd:4: a ::: block {.callout-note} is not closed"),
        (":::", "metode.qmd:3: ::: closes a block that was not opened"),
        (
            "::: {.panel-tabset}\n:::",
            "metode.qmd:3: {.panel-tabset}: panels, columns and margins are not known to both engines",
        ),
        (
            '::: {.content-visible when-profile="x"}\n:::',
            'metode.qmd:3: {.content-visible when-profile="x"}: when-profile is not known to both engines',
        ),
        (
            "```{python}\n1\n```",
            "metode.qmd:3: a code cell in the text; computed results are embedded instead",
        ),
        (
            "Tekst.\n## Overskrift",
            "metode.qmd:4: a heading right after text; an empty line is needed between them",
        ),
        (
            "| A |\n|---|\n| 1 |\n\n: Uten merke",
            "metode.qmd:7: a table caption without a label; expected {#tbl-...} at its end",
        ),
        (
            "20. mai 2021 begynte arbeidet.",
            "metode.qmd:3: a date that opens a paragraph becomes a list; write 20\\. mai",
        ),
        ("$$x$$ {#lst-x}", "metode.qmd:3: label lst-x: known kinds are fig, tbl, sec, eq"),
    ],
)
def test_what_a_chapter_may_not_hold(tmp_path, text, expected):
    book = small_book(tmp_path / "book", metode=CHAPTER + text + "\n")

    assert expected in breaches(book)


def test_what_stands_in_code_and_comments_is_not_looked_at(tmp_path):
    text = "`@tbl-a` <!-- @tbl-b -->\n\n```\n@tbl-c {{< include d >}}\n```\n\nkari@sand2.no\n"

    check_book(small_book(tmp_path / "book", metode=CHAPTER + text))


def test_what_is_escaped_is_text_and_names_no_fact(tmp_path):
    text = '\\[x\\]\\{fact="a.b"\\} \\@finnesikke \\{\\#tbl-a\\}\n'

    check_book(small_book(tmp_path / "book", metode=CHAPTER + text))


@pytest.mark.parametrize("code", ["", "```\n"])
def test_an_include_stays_within_the_book_also_by_a_link(tmp_path, code):
    text = f"{code}{{{{< include ../hemmelig.qmd >}}}}\n\n{{{{< include lenke.qmd >}}}}\n{code}"
    book = small_book(tmp_path / "book", metode=CHAPTER + text)
    (tmp_path / "hemmelig.qmd").write_text("Hemmelig", encoding="utf-8")
    (book / "lenke.qmd").symlink_to(tmp_path / "hemmelig.qmd")

    assert [one.partition(": ")[2] for one in breaches(book)] == [
        "included file ../hemmelig.qmd lies outside the book's folder",
        "included file lenke.qmd lies outside the book's folder",
    ]


def test_a_picture_from_outside_the_book_is_refused(tmp_path):
    book = small_book(tmp_path / "book", metode=CHAPTER + '![](../a.png){fig-alt="A"}\n')
    (tmp_path / "a.png").write_bytes(b"png")

    assert breaches(book) == ["metode.qmd:3: picture ../a.png lies outside the book's folder"]


def test_a_picture_needs_alt_text_and_a_caption_needs_a_label(tmp_path):
    book = small_book(tmp_path / "book", metode=CHAPTER + "![Prikk](a.png)\n")
    (book / "a.png").write_bytes(b"png")

    assert breaches(book) == [
        "metode.qmd:3: picture a.png has a caption but no label {#fig-...}",
        'metode.qmd:3: picture a.png has no alt text; expected {fig-alt="..."}',
    ]


def test_a_table_in_a_chapter_without_number_is_refused(tmp_path):
    book = small_book(tmp_path / "book", index=f"# Forord {{-}}\n\n{TABLE}\n: Svar {{#tbl-a}}\n")

    assert breaches(book) == [
        "index.qmd:7: table tbl-a in a chapter without number, where Quarto cannot number it"
    ]


def test_a_reference_to_a_heading_without_number_is_refused(tmp_path):
    book = small_book(
        tmp_path / "book", index="# Forord {#sec-forord .unnumbered}\n\nSe @sec-forord.\n"
    )

    assert breaches(book) == [
        "index.qmd:3: @sec-forord points to index.qmd, which has no number; write a link instead"
    ]


def test_a_chapter_that_is_listed_but_absent_is_told(tmp_path):
    book = small_book(tmp_path / "book")
    (book / "metode.qmd").unlink()

    assert breaches(book) == ["_quarto.yml: chapter metode.qmd is listed but is not there"]


def test_an_included_file_that_includes_itself_is_refused(tmp_path):
    book = small_book(tmp_path / "book", metode=CHAPTER + "{{< include _a.qmd >}}\n")
    (book / "_a.qmd").write_text("{{< include _a.qmd >}}\n", encoding="utf-8")

    assert breaches(book) == ["_a.qmd:1: _a.qmd includes itself"]


def test_a_breach_in_an_included_file_is_placed_there(tmp_path):
    book = small_book(tmp_path / "book", metode=CHAPTER + "{{< include _a.qmd >}}\n")
    (book / "_a.qmd").write_text("\nSe @fig-borte.\n", encoding="utf-8")

    assert breaches(book) == ["_a.qmd:2: @fig-borte points to nothing"]


def test_a_missing_notebook_and_a_missing_cell_are_told(tmp_path):
    book = small_book(tmp_path / "book", metode=embed("tbl-a"))

    assert breaches(book) == ["metode.qmd:3: notebooks/a.ipynb is missing; run the notebooks first"]

    write_notebook(book / "notebooks" / "a.ipynb", table_cell("tbl-b"))

    assert breaches(book) == [
        "metode.qmd:3: notebooks/a.ipynb has no cell labelled tbl-a; it has: tbl-b"
    ]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (
            code_cell("#| label: tbl-a\n1", shown("text/markdown", TABLE)),
            ["has no #| tbl-cap:"],
        ),
        (
            code_cell("#| label: tbl-a\n#| tbl-cap: A\n1"),
            ["shows nothing; run the notebook, and end the cell with what it shows"],
        ),
        (
            code_cell(
                "#| label: tbl-a\n#| tbl-cap: A\n1",
                shown("text/markdown", TABLE),
                shown("text/markdown", TABLE),
            ),
            ["shows 2 outputs; a table is one"],
        ),
        (
            code_cell(
                "#| label: tbl-a\n#| tbl-cap: A\n1", {"output_type": "error", "ename": "KeyError"}
            ),
            ["stopped with an error when it was run"],
        ),
        (
            table_cell("tbl-a", options="#| include: false\n"),
            ["has `include: false`, so nothing of it is shown"],
        ),
        (
            table_cell("tbl-a", TABLE + "\n[Kilde: B.]{.kilde}\n", "#| kilde: 'Kilde: A.'\n"),
            ["names its source twice: in #| kilde: and in its output"],
        ),
        (
            figure_cell("fig-a", options=""),
            ["has no #| fig-alt:"],
        ),
    ],
)
def test_what_an_embedded_cell_may_not_be(tmp_path, cell, expected):
    label = cell["source"].split("\n")[0].split(": ")[1]
    book = small_book(tmp_path / "book", metode=embed(label))
    write_notebook(book / "notebooks" / "a.ipynb", cell)

    found = [line.split(f"notebooks/a.ipynb#{label}: ")[-1] for line in breaches(book)]
    assert found == expected


def test_cell_options_that_are_not_yaml_hide_the_label_and_are_told(tmp_path):
    book = small_book(tmp_path / "book", metode=embed("tbl-a"))
    cell = code_cell('#| label: tbl-a\n#| tbl-cap: "A" b\n1', shown("text/markdown", TABLE))
    write_notebook(book / "notebooks" / "a.ipynb", cell)

    (told,) = breaches(book)
    assert told.startswith("notebooks/a.ipynb: cell 1 has #| options that are not YAML (")


def test_html_outputs_anywhere_in_an_embedded_notebook_are_refused(tmp_path):
    book = small_book(tmp_path / "book", metode=embed("tbl-a"))
    write_notebook(
        book / "notebooks" / "a.ipynb",
        table_cell("tbl-a"),
        code_cell("1", shown("text/html", "<b>1</b>")),
    )

    assert breaches(book) == [
        "notebooks/a.ipynb: holds text/html, which makes the page fetch scripts from elsewhere; "
        "show Markdown and SVG"
    ]


def test_facts_in_captions_and_outputs_are_looked_up_too(tmp_path):
    book = small_book(tmp_path / "book", metode=embed("tbl-a"))
    text = TABLE + '\n[Kilde: []{fact="a.b"}.]{.kilde}\n'
    write_notebook(book / "notebooks" / "a.ipynb", table_cell("tbl-a", text))

    assert breaches(book) == ["metode.qmd:3: fact a.b is not in facts.json"]


def test_a_fact_whose_source_is_not_listed_is_told(tmp_path):
    book = small_book(tmp_path / "book", metode=CHAPTER + '[]{fact="a.b"}\n')
    facts = {"a.b": {"value": 1, "source": "borte"}}
    (book / "facts.json").write_text(json.dumps(facts), encoding="utf-8")

    assert breaches(book) == [
        "metode.qmd:3: fact a.b has source borte, which kilder.qmd does not list"
    ]


def test_citations_without_a_place_for_the_references_are_told(tmp_path):
    book = small_book(
        tmp_path / "book", metode=CHAPTER + "@sand2023\n", referanser="# Referanser {-}\n"
    )

    assert breaches(book) == [
        "_quarto.yml: sources are cited, but no chapter has a place for the references, ::: {#refs}"
    ]


def test_settings_that_quarto_would_render_otherwise_are_told(tmp_path):
    book = small_book(tmp_path / "book")
    settings = book / "_quarto.yml"
    settings.write_text(
        settings.read_text(encoding="utf-8").replace("filters: [evalkit]\n", ""), encoding="utf-8"
    )

    assert breaches(book) == ["_quarto.yml: `filters:` lacks evalkit, which fills in the facts"]


def test_settings_that_are_no_yaml_are_told_with_the_line(tmp_path):
    book = small_book(tmp_path / "book")
    (book / "_quarto.yml").write_text("book:\n  a: [\n", encoding="utf-8")

    with pytest.raises(BookError, match=r"_quarto\.yml:3 is not YAML"):
        check_book(book)


def test_a_folder_without_settings_is_told(tmp_path):
    with pytest.raises(BookError, match=r"_quarto\.yml is missing"):
        check_book(tmp_path)


def test_all_breaches_come_out_at_once(tmp_path):
    book = small_book(
        tmp_path / "book", index="# Forord {-}\n\n@tbl-a\n", metode=CHAPTER + "@tbl-b @tbl-c\n"
    )

    assert breaches(book) == [
        "index.qmd:3: @tbl-a points to nothing",
        "metode.qmd:3: @tbl-b points to nothing",
        "metode.qmd:3: @tbl-c points to nothing",
    ]
