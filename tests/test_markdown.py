import json

import pypandoc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.markdown import (
    Cell,
    Markdown,
    bold,
    bullets,
    cited,
    escaped,
    grid_table,
    paragraph,
    pipe_table,
)


def parsed(markdown):
    """Blocks of a Markdown text as Pandoc reads them."""
    return json.loads(pypandoc.convert_text(markdown, "json", format="markdown-smart"))["blocks"]


def plain(node):
    """The text of a part of a Pandoc document, with one space for every gap."""
    if isinstance(node, list):
        return "".join(plain(part) for part in node)
    if not isinstance(node, dict):
        return ""
    if node["t"] in ("Str", "Code"):
        return node["c"] if node["t"] == "Str" else node["c"][1]
    if node["t"] in ("Space", "SoftBreak"):
        return " "
    return plain(node.get("c", []))


def body_cells(markdown):
    """Rows of cells of the only table: (row span, column span, blocks)."""
    (table,) = parsed(markdown)
    assert table["t"] == "Table"
    _, _, _, _, bodies, _ = table["c"]
    return [[(c[2], c[3], c[4]) for c in row[1]] for row in bodies[0][3]]


SPECIAL = "a|b *c* _d_ [e](f) @g $h$ <i> #j ^k^ ~l~ `m` \\n {o} 1. p - q"


def test_markup_in_data_is_text_in_a_pipe_table():
    rows = body_cells(pipe_table(["X", "Y"], [[escaped(SPECIAL), "1"]], align="lr"))

    assert plain(rows[0][0][2]) == SPECIAL


def test_text_is_escaped_once_and_markdown_is_left_alone():
    assert escaped("*a* &lt;") == "\\*a\\* \\&lt;"
    assert escaped(escaped("*a*")) == "\\*a\\*"
    assert Markdown.of(bold("a*b"), " ", "_c_") == "**a\\*b** \\_c\\_"


def test_markdown_within_an_f_string_is_text_and_shows_its_marks():
    assert escaped(f"{cited('nf2024')}, s. 4") == "\\@nf2024, s. 4"
    assert cited("nf2024") == "@nf2024"
    assert cited("x]{fact=y}") == "\\@x\\]\\{fact=y\\}"


@pytest.mark.parametrize(
    "text", ["1. juni", "- punkt", "# nei", "    kode", ": ord", "---", "a\n\n# b"]
)
def test_a_paragraph_of_text_is_one_paragraph(text):
    (block,) = parsed(paragraph(text))

    assert block["t"] == "Para"
    assert plain(block) == " ".join(text.split())


def test_markup_in_data_is_text_in_a_grid_table():
    table = grid_table(
        [[Cell(("X",)), Cell(("Y",))]],
        [[Cell((escaped(SPECIAL),)), Cell(bullets(["1. juni", "+ mer"]))]],
        widths=[20, 80],
    )

    rows = body_cells(table)
    assert plain(rows[0][0][2]) == SPECIAL
    assert rows[0][1][2][0]["t"] == "BulletList"
    assert plain(rows[0][1][2]) == "1. juni+ mer"


def test_cells_span_rows_and_columns():
    table = grid_table(
        [[Cell(("A",)), Cell(("B",), column_span=2)], [Cell(("a",)), Cell(("b",)), Cell(("c",))]],
        [
            [Cell(("høy",), row_span=2), Cell(("1",)), Cell(("2",))],
            [Cell(("bred",), column_span=2)],
        ],
        widths=[1, 1, 1],
    )

    rows = body_cells(table)
    assert [(r, c, plain(blocks)) for r, c, blocks in rows[0]] == [
        (2, 1, "høy"),
        (1, 1, "1"),
        (1, 1, "2"),
    ]
    assert [(r, c, plain(blocks)) for r, c, blocks in rows[1]] == [(1, 2, "bred")]


@pytest.mark.parametrize(
    "rows",
    [
        [[Cell(("a",)), Cell(("b",)), Cell(("c",))]],
        [[Cell(("a",), column_span=3)]],
        [[Cell(("a",), row_span=2), Cell(("b",))]],
        [[Cell(("a",))]],
    ],
)
def test_cells_that_do_not_fill_the_grid_are_refused(rows):
    with pytest.raises(ValueError, match="grid"):
        grid_table([], rows, widths=[1, 1])


WORDS = st.text(st.sampled_from("abæøå1.-+:()|*_#>@ ✓◐✗–«»\u00a0"), min_size=1, max_size=60).filter(
    lambda text: text.strip() and text.strip() == text.strip(" ")
)


@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=4, max_size=8))
def test_any_text_comes_back_from_a_grid_table_as_it_went_in(rows):
    table = grid_table(
        [[Cell((name,)) for name in "ABC"]],
        [
            [Cell((escaped(a),)), Cell(bullets([escaped(b), "to"])), Cell((escaped(c),))]
            for a, b, c in rows
        ],
        widths=[10, 30, 20],
    )

    found = [[plain(blocks) for _, _, blocks in row] for row in body_cells(table)]
    single = [[" ".join(part for part in t.split(" ") if part) for t in row] for row in rows]
    assert found == [[a, b + "to", c] for a, b, c in single]
