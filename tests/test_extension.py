"""The Quarto extension: what is put into a book, and its filters under plain pandoc."""

import json
import os
import re
import subprocess

import pypandoc
import pytest
import typst
from book_helpers import pdf_text, small_book
from rounding_examples import ROUNDING

from evalkit.book import install_extension
from evalkit.book.extension import EXTENSION


def pandoc(folder, text, *filters, to="html", meta=()):
    arguments = [pypandoc.get_pandoc_path(), "-f", "markdown", "-t", to]
    for name in filters:
        arguments += ["--lua-filter", str(EXTENSION / name)]
    for name in meta:
        arguments += ["--metadata", name]
    return subprocess.run(
        arguments, input=text, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def facts(tmp_path):
    content = {
        "a.count": {"value": 1234567.5, "decimals": 1, "title": "Regnskap", "source": "regnskap"},
        "a.change": {"value": -1.25, "decimals": 2},
        "a.grants": {"value": 44400000000, "decimals": 0},
        "a.year": {"value": 2023},
        "a.date": {"text": "24. mars 2023", "title": "Rapport, s. 2", "source": "rapport"},
    }
    (tmp_path / "facts.json").write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def test_the_extension_is_put_into_a_book_and_kept_in_step(tmp_path):
    book = small_book(tmp_path / "book")

    install_extension(book)
    copied = book / "_extensions" / "evalkit"
    stale = copied / "old.lua"
    stale.write_text("--", encoding="utf-8")
    (copied / "facts.lua").write_text("-- changed", encoding="utf-8")

    assert {path.name for path in install_extension(book)} == {"old.lua", "facts.lua"}
    assert install_extension(book) == []
    assert (copied / "facts.lua").read_bytes() == (EXTENSION / "facts.lua").read_bytes()
    for style in ("evalkit.csl", "evalkit-full.csl"):
        assert (book / style).read_bytes() == (EXTENSION / style).read_bytes()


def test_what_only_the_embedded_engine_needs_is_not_put_into_a_book(tmp_path):
    book = small_book(tmp_path / "book")

    install_extension(book)

    assert not (book / "_extensions" / "evalkit" / "embedded").exists()
    named = (EXTENSION / "_extension.yml").read_text(encoding="utf-8")
    for path in (book / "_extensions" / "evalkit").iterdir():
        assert path.name in (*named.split(), "_extension.yml", "evalkit.css")


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no symbolic links on this system")
def test_a_linked_extension_is_left_as_it_is(tmp_path):
    book = small_book(tmp_path / "book")
    other = tmp_path / "other"
    other.mkdir()
    (book / "_extensions").mkdir()
    (book / "_extensions" / "evalkit").symlink_to(other)

    install_extension(book)

    assert list(other.iterdir()) == []


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ('[]{fact="a.count"}', "1\u00a0234\u00a0567,5"),
        ('[]{fact="a.count" form="millions"}', "1,2"),
        ('[]{fact="a.grants" form="billions"}', "44,4"),
        ('[]{fact="a.change"}', "−1,25"),
        ('[]{fact="a.year" form="plain"}', "2023"),
        ('[]{fact="a.date"}', "24. mars 2023"),
    ],
)
def test_a_fact_is_written_in_norwegian(facts, span, expected):
    done = pandoc(facts, span, "facts.lua", to="plain")

    assert done.stdout.strip() == expected


def test_facts_are_rounded_as_tables_and_figures_are(tmp_path):
    facts = {
        f"n{place}": {"value": value, "decimals": decimals}
        for place, (value, decimals, _) in enumerate(ROUNDING)
    }
    (tmp_path / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    text = "\n\n".join(f'[]{{fact="{key}"}}' for key in facts)

    done = pandoc(tmp_path, text, "facts.lua", to="plain")

    assert done.stdout.strip().split("\n\n") == [shown for _, _, shown in ROUNDING]


def counted(text):
    """The text with each ``@n`` as a span of a fact that counts n things, and the facts."""
    facts = {
        f"n{number}": {"value": float(number), "decimals": len(number.partition(".")[2]), "counted": True}
        for number in re.findall(r"@(\d+(?:\.\d+)?)", text)
    }  # fmt: skip
    return re.sub(
        r"@(\d+(?:\.\d+)?)(?:=(\w+))?",
        lambda found: f'[]{{fact="n{found[1]}"' + (f' form="{found[2]}"' if found[2] else "") + "}",
        text,
    ), facts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Det gjelder @4 kommuner.", "Det gjelder fire kommuner."),
        ("@4 kommuner ble med. @8 søkte.", "Fire kommuner ble med. Åtte søkte."),
        ("**Organisering.** @8 medlemmer, ca. @3 møter", "Organisering. Åtte medlemmer, ca. tre møter"),
        ("«@4 ganger», sa hun. (@5 saker.)", "«Fire ganger», sa hun. (Fem saker.)"),
        ("Først @12, siden @9 og siden @7: for få.", "Først tolv, siden ni og siden sju: for få."),
        ("Av de @13 kommunene er @7 med.", "Av de 13 kommunene er 7 med."),
        ("@18 ansatte i @2 grupper og @16 ungdommer i @4.", "18 ansatte i 2 grupper og 16 ungdommer i 4."),
        ("Av @20 kom @4. De @4 ble.", "Av 20 kom 4. De fire ble."),
        ("Horten @7, Namsos @8, Frøya @5.", "Horten 7, Namsos 8, Frøya 5."),
        ("I snitt @2.5 møter og @3 kurs.", "I snitt 2,5 møter og 3 kurs."),
        ("Hver @5. uke. Etter @5.", "Hver 5. uke. Etter fem."),
        ("Over @7–@8 kvelder, en @5-åring, trinn @3.", "Over 7–8 kvelder, en 5-åring, trinn 3."),
        ("Det er @8 prosent.", "Det er 8 prosent."),
        ("Det er @4=digits kommuner.", "Det er 4 kommuner."),
        ("Det er @0 kommuner.", "Det er 0 kommuner."),
        ("Det er @1 kommune, @1 nytt delprosjekt.", "Det er én kommune, ett nytt delprosjekt."),
        ("@1 av søknadene, @1 av tiltakene.", "Én av søknadene, ett av tiltakene."),
        ("Det varte @1 uke hvert sted.", "Det varte én uke hvert sted."),
        ("@1=ei jente og @1=ett kjent hol.", "Ei jente og ett kjent hol."),
        ("Sagt [se de @4 kommunene](x.html)", "Sagt se de fire kommunene"),
    ],
)  # fmt: skip
def test_small_counts_are_words_in_running_text(tmp_path, text, expected):
    written, facts = counted(text)
    (tmp_path / "facts.json").write_text(json.dumps(facts), encoding="utf-8")

    done = pandoc(tmp_path, written, "facts.lua", to="plain")

    assert done.stdout.strip().replace("\n", " ") == expected, done.stderr


def test_small_counts_are_words_in_headings_and_notes_and_digits_in_tables(tmp_path):
    text, facts = counted(
        "# De @4\n\nSe.^[Alle @4.]\n\n| a | b |\n|---|---|\n| @4 | x |\n\n: De @4\n"
    )
    (tmp_path / "facts.json").write_text(json.dumps(facts), encoding="utf-8")

    done = pandoc(tmp_path, text, "facts.lua", to="plain")

    assert done.stdout.count("De fire") == 2
    assert "Alle fire." in done.stdout
    assert "  4   x" in done.stdout


def test_a_small_number_of_a_scale_keeps_its_digits(facts):
    (facts / "facts.json").write_text('{"a": {"value": 8, "decimals": 0}}', encoding="utf-8")

    assert pandoc(facts, 'Skår []{fact="a"}', "facts.lua", to="plain").stdout.strip() == "Skår 8"


def test_the_page_design_takes_what_quarto_hands_over(tmp_path):
    """Callouts with colours and an icon, parts, appendices, figures and equations as Quarto calls them."""
    names = ("numbering.typ", "typst-template.typ", "page.typ")
    parts = [(EXTENSION / name).read_text(encoding="utf-8") for name in names]
    design = (
        "\n".join(parts)
        .replace("$$", "$")
        .replace('$if(papersize)$"$papersize$"$else$"a4"$endif$', '"a4"')
    )
    (tmp_path / "a.typ").write_text(
        design
        + """
#show: report.with(title: [T], authors: ("A", ), label: [utkast], date: "2024-05-01")
#part[Del 1] <del-1>
= Kapittel <sec-a>
#callout(body: [B.], title: [Merk], background_color: rgb("#dae6fb"), icon_color: rgb("#0758E5"),
  icon: [i], body_background_color: white)
#figure([#table(columns: 2, align: (auto, right), table.header([A], [B]), table.hline(), [1], [2])
#source-line[Kilde: A.]
], caption: figure.caption(position: top, [C]), kind: "quarto-float-tbl", supplement: "Tabell") <tbl-a>
#math.equation(block: true, numbering: equation-numbering, [ $ x = 1 $ ])<eq-a>
@tbl-a, #ref(<sec-a>, supplement: [Kapittel]), #ref(<eq-a>, supplement: [Likning]).
#show: appendices
#heading(level: 1, numbering: none)[Vedlegg]
= Tillegg <sec-b>
""",
        encoding="utf-8",
    )

    typst.compile(
        str(tmp_path / "a.typ"), output=str(tmp_path / "a.pdf"), pdf_standards=["ua-1"],
        ignore_system_fonts=True,
    )  # fmt: skip

    text = pdf_text(tmp_path / "a.pdf")
    assert "1. mai 2024" in text
    assert "Tabell 1.1: C A B 1 2 Kilde: A." in text
    assert "Tabell 1.1, Kapittel 1, Likning (1.1)." in text
    assert "A Tillegg" in text


def test_a_fact_links_to_its_source_but_not_in_headings_and_links(facts):
    text = '# T []{fact="a.date"}\n\n[]{fact="a.date"} [se []{fact="a.date"}](x.html)\n'

    done = pandoc(facts, text, "facts.lua", meta=["facts-page=kilder.html"])

    assert done.stdout.count("kilder.html#kilde-rapport") == 1
    assert 'title="Rapport, s. 2"' in done.stdout


def test_a_fact_that_is_not_there_stops_with_the_files_name(facts):
    (facts / "a.md").write_text('[]{fact="b"} []{fact="c"}', encoding="utf-8")
    arguments = [pypandoc.get_pandoc_path(), "a.md", "--lua-filter", str(EXTENSION / "facts.lua")]

    done = subprocess.run(arguments, cwd=facts, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.strip() == "Error: a.md names facts that facts.json lacks: b, c"


def test_a_form_that_is_not_known_stops(facts):
    done = pandoc(facts, '[]{fact="a.year" form="kort"}', "facts.lua")

    assert done.returncode == 1
    assert (
        'forms that are not known (billions, digits, ei, ett, én, millions, plain): a.year form="kort"'
        in done.stderr
    )


def test_a_cells_source_becomes_a_line_after_it(tmp_path):
    text = '::: {.cell kilde="Kilde: *A*"}\nTabell\n:::\n'

    html = pandoc(tmp_path, text, "sources.lua").stdout
    typst = pandoc(tmp_path, text, "sources.lua", to="typst").stdout

    assert '<span class="kilde">Kilde: <em>A</em></span>' in html
    assert "#source-line[Kilde: #emph[A]]" in typst


def test_a_date_in_a_table_cell_is_text_and_a_list_of_several_stays(tmp_path):
    text = """
+-----------------+---------+
| Dato            | Trinn   |
+=================+=========+
| 20. oktober     | 1. plan |
|                 | 2. kurs |
+-----------------+---------+
| - 3. mai        | x       |
| - uten dato     |         |
+-----------------+---------+
"""

    html = pandoc(tmp_path, text, "dates.lua").stdout

    assert "<td>20. oktober</td>" in html
    assert "<li>3. mai</li>" in html
    assert html.count("<ol") == 1


def test_the_full_citation_style_has_volume_pages_editors_and_address(tmp_path):
    (tmp_path / "a.bib").write_text(
        """@article{a, author={Lund, I.}, title={T}, journal={J}, volume={14}, number={2},
        pages={96--104}, year={2014}, doi={10.1/x}}
        @incollection{b, author={Ås, B.}, title={K}, editor={Bø, C. and Dal, E.}, booktitle={Bok},
        publisher={Forlag}, pages={5--9}, year={2015}, url={https://a.no}}""",
        encoding="utf-8",
    )
    text = '---\nnocite: "@*"\nlang: nb\nbibliography: a.bib\n---\n'
    style = str(EXTENSION / "evalkit-full.csl")
    done = subprocess.run(
        [pypandoc.get_pandoc_path(), "--citeproc", "--csl", style, "--to", "plain", "--wrap=none"],
        input=text, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.strip().split("\n\n") == [
        "Lund, I. (2014). T. J, 14(2), 96–104. https://doi.org/10.1/x.",
        "Ås, B. (2015). K. I C. Bø og E. Dal (red.), Bok, 5–9. Forlag. https://a.no.",
    ]


def test_a_draft_is_marked_above_the_chapter_in_html(tmp_path):
    text = "---\nevalkit: {label: utkast}\n---\n\n# T\n\nTekst.\n"

    html = pandoc(tmp_path, text, "banner.lua").stdout

    assert html.index("<h1") < html.index("evalkit-label") < html.index("Tekst")
    assert "utkast" not in pandoc(tmp_path, text, "banner.lua", to="typst").stdout


def test_a_draft_is_marked_at_the_top_of_a_word_document(tmp_path):
    text = "---\ntitle: T\nevalkit: {label: utkast}\n---\n\nTekst.\n\n# A\n"

    subprocess.run(
        [pypandoc.get_pandoc_path(), "-s", "--lua-filter", EXTENSION / "banner.lua", "-o", "a.docx"],
        input=text, cwd=tmp_path, text=True, check=True,
    )  # fmt: skip
    again = subprocess.run(
        [pypandoc.get_pandoc_path(), "a.docx", "-t", "plain"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert again.stdout.split() == ["UTKAST", "Tekst.", "A"]
