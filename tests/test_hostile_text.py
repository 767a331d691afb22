"""Text of a study's tables that looks like markup: in every text column, shown as it stands."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import tempfile
import threading
import zipfile
import zlib
from http.server import BaseHTTPRequestHandler, HTTPServer

import lxml.html
import pandas as pd
import pytest
from book_helpers import pdf_text, small_book, write_notebook
from conftest import PROJECT
from notebooks_in_process import processed_folder, shown_by
from test_book_browser import BROWSER

from evalkit.book import list_of_floats, render_book, render_document
from evalkit.book.pages import with_policy
from evalkit.contracts import CONTRACTS, text_columns
from evalkit.demo import write_demo
from evalkit.errors import DataError
from evalkit.readers import read_sources
from evalkit.runs.clean import cleaned_notebook
from evalkit.studies import Project, process_study

TAKEN = "TATT"  # the title of a page whose text ran
HOSTILE = [
    f"<script>document.title='{TAKEN}'; alert(1); fetch('ADDRESS/script')</script>",
    f"""<img src=x onerror="document.title='{TAKEN}'">""",
    "![](ADDRESS/picture) <img src=ADDRESS/img>",
    "<svg/onload=alert(1)> <b>fet</b> <!-- skjult -->",
    "&lt;b&gt; &#60;i&#62; &amp;nbsp;",
    f"[klikk](javascript:document.title='{TAKEN}') <javascript:alert(1)>",
    '`#panic("tatt")`{=typst} #panic("tatt") #import "x"',
    '\n```{=typst}\n#panic("tatt")\n```\n',
    '\n```{=html}\n<script src="ADDRESS/block"></script>\n```\n',
    "`<w:br/>`{=openxml} <w:p>",
    "{{< include /etc/hostname >}} {{< finnesikke >}}",
    '[]{fact="finnes.ikke"} [tekst]{.kilde} {#tbl-stjålet .cell}',
    "@finnesikke2020 [@finnesikke] @tbl-finnesikke",
    "**fet** _kursiv_ ~~strøket~~ ^opp^ ^[note] [^1] `kode`",
    r"$\frac$ $$x$$ \(y\) \input{/etc/passwd} \newpage",
    "| a | b |\n+---+---+\n\n# Overskrift\n\n::: {.landscape}\n- punkt",
    """' "; #| label: tbl-x \\' \\""",
]
needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium on this machine; the pages are not looked at in a browser"
)
BESIDE_THE_BOOK = {"validations"}  # tables that no notebook shows
SOURCE = f"@misc{{fiendtlig, author={{{{<b>Sand</b>}}}}, title={{{HOSTILE[1]}}}, year={{2020}}}}\n"
NOISE = "noisy_source,width,note,source,locator\nnf2024,1,Avrundet,nf2024,s. 4\n"
PROFILE = """project: {type: default, output-dir: _kommune, render: [kommune-alt.qmd]}
crossref: {chapters: true}
facts-page: ""
"""


CODE = "".join(path.read_text("utf-8") for path in (PROJECT / "notebooks").glob("*.ipynb"))


def named(value: str) -> bool:
    """Whether the code of a notebook names a text."""
    return f'\\"{value}\\"' in CODE


def hostile(value: str) -> str:
    """The text with something hostile after it, the same for the same text."""
    return f"{value} {HOSTILE[zlib.crc32(value.encode()) % len(HOSTILE)]}"


def make_hostile(folder, address):
    """Put hostile text into every text column of a study's tables; the columns it was put into."""
    changed = set()
    for path in sorted(folder.glob("*.csv")):
        table = pd.read_csv(path, dtype="str", keep_default_na=False)
        for column in text_columns(CONTRACTS[path.stem]):
            given = table[column] != ""
            if (path.stem, column) == ("facts", "value"):
                given &= (table["unit"] == "text") & ~table["value"].str.fullmatch("[a-z_]+")
            given &= ~table[column].map(named)  # which cells a notebook asks for is its author's
            texts = table[column].map(hostile).str.replace("ADDRESS", address)
            if column == "quotation":  # which is to be short
                texts = pd.Series(HOSTILE * len(table)).str.replace("ADDRESS", address)[
                    : len(table)
                ]
            table[column] = texts.where(given, table[column])
            if not table[column].any() and column != "version":  # left blank: tried in the last row
                table.loc[table.index[-1:], column] = (
                    f"Tekst {HOSTILE[0].replace('ADDRESS', address)}"
                )
            changed |= {(path.stem, column)} if len(table) else set()
        table.to_csv(path, index=False)
    return changed


@pytest.fixture(scope="module")
def server():
    """An address, and the requests that reach it."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}", asked
        serving.shutdown()


@pytest.fixture(scope="module")
def studies(tmp_path_factory, server):
    """The studies behind the notebooks, their texts hostile; the columns that are."""
    root = tmp_path_factory.mktemp("hostile")
    for study in ("pilot", "selbu"):
        raw = root / "data" / "raw" / study
        shutil.copytree(PROJECT / "data" / "raw" / study, raw)
    write_demo(root / "data" / "raw" / "demo")
    changed = set()
    (root / "data" / "raw" / "pilot" / "noise.csv").write_text(NOISE, encoding="utf-8")
    originals = root / "data" / "raw" / "pilot" / "original_tables.csv"
    table = pd.read_csv(originals, dtype="str", keep_default_na=False)
    table.assign(label="").to_csv(originals, index=False)  # its tables have other labels here
    for folder in sorted((root / "data" / "raw").iterdir()):
        changed |= make_hostile(folder, server[0])
        process_study(Project(root), folder.name)
    return root, changed


def test_every_text_column_of_every_table_is_tried(studies):
    every = {(table, column) for table, of in CONTRACTS.items() for column in text_columns(of)}
    tried = studies[1]

    assert {
        (table, column) for table, column in every - tried if table not in BESIDE_THE_BOOK
    } == set()


@pytest.fixture(scope="module")
def shown(studies):
    """What every notebook shows of its study, by notebook and label."""
    root = processed_folder(studies[0])
    names = sorted(path.stem for path in (PROJECT / "notebooks").glob("[0-9]*.ipynb"))
    return {name: shown_by(name, processed_dir=root) for name in names if name != "00-explore"}


def as_notebook(cells):
    """A notebook that shows these values, as a run leaves it for a book."""
    made = []
    for label, value in cells.items():
        data, metadata = value._repr_mimebundle_()
        output = {"output_type": "display_data", "data": data, "metadata": metadata}
        source = f"#| label: {label}\n1"
        made.append({"cell_type": "code", "id": "c", "metadata": {}, "execution_count": 1,
                     "source": source, "outputs": [output]})  # fmt: skip
    return {"cells": made, "metadata": {"kernelspec": {"name": "python3"}}}


@pytest.fixture(scope="module")
def book(studies, shown, tmp_path_factory):
    """A book with all that the notebooks show, and a document with the same."""
    folder = tmp_path_factory.mktemp("book") / "book"
    small_book(folder)
    labels = {}
    for name, cells in shown.items():
        made = cleaned_notebook(as_notebook(cells), label_suffix=name, clean_text=str)
        write_notebook(folder / "notebooks" / f"{name}.ipynb", *made["cells"])
        labels[name] = [f"notebooks/{name}.ipynb#{found}" for found in embeddable(made)]
    settings = (folder / "_quarto.yml").read_text(encoding="utf-8")
    chapters = ", ".join(f"{name}.qmd" for name in labels)
    settings = settings.replace("metode.qmd", f"{chapters}, lister.qmd")
    (folder / "_quarto.yml").write_text(settings, encoding="utf-8")
    texts = {
        name: f"# {name} {{#sec-{name}}}\n\n"
        + "\n\n".join(f"{{{{< embed {one} >}}}}" for one in own)
        for name, own in labels.items()
    }
    for name, text in texts.items():
        (folder / f"{name}.qmd").write_text(text + "\n", encoding="utf-8")
    spans = "\n\n".join(f'[]{{fact="hostile.n{number}"}}' for number in range(len(HOSTILE)))
    (folder / "lister.qmd").write_text(
        f"# Lister {{.unnumbered}}\n\n{spans}\n\n@fiendtlig\n\n{{{{< include _l.qmd >}}}}\n",
        encoding="utf-8",
    )
    facts = {f"hostile.n{number}": {"text": one} for number, one in enumerate(HOSTILE)}
    (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    sources = SOURCE
    for study in ("pilot", "selbu", "demo"):
        raw = studies[0] / "data" / "raw" / study
        sources += (raw / "sources.bib").read_text(encoding="utf-8") + "\n"
    (folder / "sources.bib").write_text(sources, encoding="utf-8")
    (folder / "_l.qmd").write_text("", encoding="utf-8")
    (folder / "_l.qmd").write_text(list_of_floats(folder), encoding="utf-8")
    (folder / "_quarto-kommune.yml").write_text(PROFILE, encoding="utf-8")
    whole = "---\ntitle: Alt\nnumber-sections: true\n---\n\n" + "\n\n".join(
        text
        for name, text in texts.items()
        if name != "16-claims"  # long, and in the book
    )
    whole += "\n\n# Referanser {.unnumbered}\n\n::: {#refs}\n:::\n"
    (folder / "kommune-alt.qmd").write_text(whole, encoding="utf-8")
    return folder


def embeddable(notebook):
    """Labels of the cells, as the book knows them."""
    return [re.match(r"#\| label: (\S+)", cell["source"])[1] for cell in notebook["cells"]]


@pytest.fixture(scope="module")
def rendered(book):
    """The document with all that the notebooks show, as HTML, PDF and Word, beside the book's pages."""
    render_book(book, engine="embedded", formats=("html",))
    return render_document(book, "kommune-alt.qmd", engine="embedded")


def letters(text):
    """Text without what typography and line breaks change: quotes, dashes, dots and spaces."""
    return re.sub(r"[^\w<>{}\[\]()@#$*|\\`&;:=/^~!]", "", text)


def lacking(text):
    """Hostile texts that do not stand in a text as they were written."""
    found = letters(text)
    return [
        one for one in HOSTILE if not all(letters(part) in found for part in one.split("ADDRESS"))
    ]


def pages(book):
    return sorted([*(book / "_book").glob("*.html"), *(book / "_kommune").glob("*.html")])


def test_pages_show_hostile_text_as_text(book, rendered):
    whole = [lxml.html.fromstring(page.read_bytes()).text_content() for page in pages(book)]

    for page, text in zip(pages(book), whole, strict=True):
        if page.stem in ("lister", "kommune-alt"):
            assert lacking(text) == []


def test_nothing_in_the_pages_is_made_of_text(book, rendered):
    active = "//script[not(@src)] | //*[@onerror or @onload] | //svg | //iframe | //b"
    elsewhere = "//img[not(starts-with(@src, 'figures/'))] | //a[contains(@href, 'javascript:')]"

    for page in pages(book):
        tree = lxml.html.fromstring(page.read_bytes())
        assert tree.xpath(f"{active} | {elsewhere}") == [], page.name


def test_the_search_index_and_alt_texts_hold_hostile_text_as_text(book, rendered):
    index = (book / "_book" / "assets" / "search-index.js").read_text(encoding="utf-8")
    entries = json.loads(index.removeprefix("window.evalkitSearchIndex = ").rstrip(";\n"))
    alts = lxml.html.fromstring(rendered.html.read_bytes()).xpath("//img/@alt")

    assert lacking("".join(entry["x"] for entry in entries)) == []
    assert any(letters(HOSTILE[1]) in letters(alt) for alt in alts)


def test_the_pdf_and_the_word_document_hold_hostile_text_as_text(rendered):
    with zipfile.ZipFile(rendered.docx) as document:
        body = document.read("word/document.xml").decode("utf-8")
        links = document.read("word/_rels/document.xml.rels").decode("utf-8")
    words = html.unescape("".join(re.findall(r"<w:t[^>]*>([^<]*)</w:t>", body)))

    assert lacking(pdf_text(rendered.pdf)) == []
    assert lacking(words) == []
    assert "javascript:" not in links


PAGE = "<!DOCTYPE html><title>Som vanlig</title><body>{text}"


def title_and_requests(page, server):
    """The title of a page once a browser has read it, and what the page asked of the server."""
    server[1].clear()
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                "--no-first-run", "--disable-background-networking",
                "--allow-file-access-from-files", "--virtual-time-budget=2000",
                f"--user-data-dir={profile}", "--dump-dom", f"file://{page}",
            ],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    return re.search("<title>(.*?)</title>", done.stdout)[1], list(server[1])


@needs_browser
def test_the_browser_of_this_test_tells_what_runs(tmp_path, server):
    page = tmp_path / "page.html"
    page.write_text(
        PAGE.format(text=HOSTILE[0].replace("ADDRESS", server[0]).replace("alert(1);", "")), "utf-8"
    )

    assert title_and_requests(page, server) == (TAKEN, ["/script"])


@needs_browser
def test_a_page_neither_runs_nor_fetches_what_stands_in_it_as_markup(tmp_path, server):
    page = tmp_path / "page.html"
    text = HOSTILE[0] + HOSTILE[1] + HOSTILE[2]
    page.write_text(
        with_policy(
            f"<!DOCTYPE html>\n<html>\n<head>\n<title>Som vanlig</title></head>{text}".replace(
                "ADDRESS", server[0]
            )
        ),
        "utf-8",
    )

    assert title_and_requests(page, server) == ("Som vanlig", [])


@needs_browser
@pytest.mark.parametrize("name", ["21-plan-schedule", "09-sources", "lister", "kommune-alt"])
def test_a_browser_sees_no_other_title_and_asks_for_nothing(book, rendered, server, name):
    (page,) = [page for page in pages(book) if page.stem == name]
    before = lxml.html.fromstring(page.read_bytes()).findtext(".//title")

    title, asked = title_and_requests(page, server)

    assert html.unescape(title) == before
    assert asked == []


def test_addresses_lead_within_the_book_to_the_web_or_to_a_doi(tmp_path):
    text = (
        "# Metode {#sec-metode}\n\n[a](javascript:x) [b](JavaScript:x) [c](data:text/html,x) "
        "[d](//a.no) [e](mailto:a@b.no) [f](java&#9;script:x) <javascript:x> "
        "[g](doi:10.1/x) [h](https://a.no) [i](kilder.qmd#sec-kilder)\n"
    )
    folder = small_book(tmp_path / "book", metode=text)
    render_book(folder, engine="embedded", formats=("html",))

    page = lxml.html.fromstring((folder / "_book" / "metode.html").read_bytes())
    (paragraph,) = page.xpath("//article/p")
    assert paragraph.xpath(".//a/@href") == [
        "https://doi.org/10.1/x",
        "https://a.no",
        "./kilder.html#sec-kilder",
    ]
    assert paragraph.text_content().split() == [*"abcdef", "javascript:x", *"ghi"]


def test_raw_markup_of_a_cell_stands_as_text(tmp_path):
    text = "# Metode {#sec-metode}\n\n{{< embed notebooks/a.ipynb#celle >}}\n"
    folder = small_book(tmp_path / "book", metode=text)
    shown = "<b>fet</b> `#panic(1)`{=typst}\n\n```{=html}\n<script>x</script>\n```\n"
    cell = {"cell_type": "code", "source": "#| label: celle\n1", "outputs": [
        {"output_type": "display_data", "metadata": {}, "data": {"text/markdown": shown}}]}  # fmt: skip
    write_notebook(folder / "notebooks" / "a.ipynb", cell)
    made = render_book(folder, engine="embedded")

    article = lxml.html.fromstring((folder / "_book" / "metode.html").read_bytes()).xpath(
        "//article"
    )[0]
    assert not article.xpath(".//b | .//script")
    assert "<b>fet</b> #panic(1)" in article.text_content()
    assert "<script>x</script>" in article.text_content()
    assert "#panic(1)" in pdf_text(made.pdf)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "url={javascript:alert(1)}",
            "url of a is no address; expected http://, https:// or a DOI",
        ),
        ("doi={javascript:alert(1)}", "doi of a is no DOI; expected one that begins with 10."),
        (
            "note={x\u202ey}",
            "line 1 has characters that are not seen \\(U\\+202E\\); write it anew",
        ),
    ],
)
def test_sources_lead_to_the_web_or_to_a_doi_and_hide_nothing(tmp_path, entry, message):
    path = tmp_path / "sources.bib"
    path.write_text(f"@misc{{a, title={{A}}, year={{2020}}, {entry}}}\n", encoding="utf-8")

    with pytest.raises(DataError, match=message):
        read_sources(path)
