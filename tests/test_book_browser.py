"""The HTML pages in a real browser: search, menu, and nothing wider than a phone."""

import re
import shutil
import subprocess
import tempfile

import pytest
from book_helpers import TABLE, small_book, table_cell, write_notebook

from evalkit.book import render_book

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium on this machine; the pages are not looked at in a browser"
)

WIDE = "| A | B | C | D | E | F |\n|---|---|---|---|---|---|\n" + (
    "| en lang tekst uten mål | en til | enda en | og en | en femte | en sjette |\n" * 3
)
MEASURE = """<!DOCTYPE html><title>-</title>
<iframe src="_book/metode.html" width="390" height="800"></iframe>
<script>
document.querySelector("iframe").onload = function () {
  const page = this.contentDocument;
  const sidebar = page.getElementById("sidefelt");
  const hidden = this.contentWindow.getComputedStyle(sidebar).display;
  page.querySelector(".menu-button").click();
  const shown = this.contentWindow.getComputedStyle(sidebar).display;
  document.body.append("width " + page.documentElement.scrollWidth + " menu " + hidden + " " + shown);
};
</script>
"""


def dom(url):
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [
                BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                "--no-first-run", "--disable-background-networking",
                "--allow-file-access-from-files", "--virtual-time-budget=4000",
                f"--user-data-dir={profile}", "--dump-dom", url,
            ],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    return done.stdout


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    text = (
        "# Metode {#sec-metode}\n\nFolkehelsearbeid i kommunen.\n\n## Utvalg {#sec-utvalg}\n\n"
        "Ungdomskontakten ble spurt.\n\n::: {.landscape}\n{{< embed notebooks/a.ipynb#tbl-bred >}}\n"
        ":::\n\n{{< embed notebooks/a.ipynb#tbl-smal >}}\n"
    )
    folder = small_book(tmp_path_factory.mktemp("browser") / "book", metode=text)
    write_notebook(
        folder / "notebooks" / "a.ipynb",
        table_cell("tbl-bred", WIDE),
        table_cell("tbl-smal", TABLE),
    )
    render_book(folder, engine="embedded", formats=("html",))
    return folder


def test_search_finds_words_from_a_folder_without_a_server(book):
    page = dom(f"file://{book}/_book/index.html#sok=ungdomskontakten")

    assert re.search(r'class="search-status"[^>]*>1 treff<', page)
    assert '<a href="metode.html#sec-utvalg">1.1 Utvalg</a> – 1 Metode' in page
    assert "<mark>Ungdomskontakten</mark>" in page


def test_search_says_when_there_is_nothing(book):
    page = dom(f"file://{book}/_book/index.html#sok=finnesikke")

    assert re.search(r'class="search-status"[^>]*>Ingen treff<', page)


def test_a_phone_shows_the_page_whole_and_the_menu_on_demand(book):
    (book / "measure.html").write_text(MEASURE, encoding="utf-8")

    found = re.search(r"width (\d+) menu (\w+) (\w+)", dom(f"file://{book}/measure.html"))

    assert int(found.group(1)) <= 390
    assert found.group(2, 3) == ("none", "block")
