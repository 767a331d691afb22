"""Executed notebooks as the book embeds them."""

import copy
import tempfile
import time
from pathlib import Path

import pytest

from evalkit.runs.clean import cleaned_notebook, missing_outputs, path_cleaner

ROOT = Path("/srv/project")


def code(source, *outputs, tags=(), cell_id="c"):
    return {
        "cell_type": "code",
        "id": cell_id,
        "source": source,
        "metadata": {"tags": list(tags), "papermill": {"duration": 1.2}, "execution": {"x": 1}},
        "outputs": list(outputs),
        "execution_count": 1,
    }


def text(source):
    return {"cell_type": "markdown", "id": "t", "source": source, "metadata": {}}


def shown(**data):
    forms = {name.replace("__", "+").replace("_", "/"): value for name, value in data.items()}
    return {"output_type": "display_data", "data": forms, "metadata": {}}


def notebook(*cells):
    return {
        "cells": list(cells),
        "metadata": {
            "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"},
            "language_info": {"name": "python", "version": "3.11.7"},
            "papermill": {"input_path": "/srv/project/notebooks/a.ipynb"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def cleaned(*cells, suffix="horten"):
    return cleaned_notebook(notebook(*cells), label_suffix=suffix, clean_text=path_cleaner(ROOT))


def test_labels_and_references_to_them_get_the_suffix():
    result = cleaned(
        text("Se @tbl-response, [-@tbl-response] og @Tbl-response. Ikke @tbl-other."),
        code(
            "#| label: tbl-response\n#| tbl-cap: 'Som @fig-rate'\nx = '@tbl-response'",
            shown(text_markdown="| a |\n\n: Svar {#tbl-inner}\n\nSe @tbl-response."),
        ),
        code("#| label: fig-rate\nplot()", shown(image_svg__xml="<svg/>")),
    )

    prose, table, figure = result["cells"]
    assert prose["source"] == (
        "Se @tbl-response-horten, [-@tbl-response-horten] og @Tbl-response-horten. Ikke @tbl-other."
    )
    assert table["source"] == (
        "#| label: tbl-response-horten\n#| tbl-cap: 'Som @fig-rate-horten'\nx = '@tbl-response'"
    )
    assert table["outputs"][0]["data"]["text/markdown"] == (
        "| a |\n\n: Svar {#tbl-inner-horten}\n\nSe @tbl-response-horten."
    )
    assert figure["source"].startswith("#| label: fig-rate-horten\n")


def test_a_label_that_begins_another_is_not_mistaken_for_it():
    result = cleaned(
        code("#| label: tbl-a\nx", shown(text_markdown="@tbl-a @tbl-a-b")),
        code("#| label: tbl-a-b\nx", shown(text_markdown="@tbl-a-b.")),
    )

    assert result["cells"][0]["outputs"][0]["data"]["text/markdown"] == (
        "@tbl-a-horten @tbl-a-b-horten"
    )
    assert result["cells"][1]["outputs"][0]["data"]["text/markdown"] == "@tbl-a-b-horten."


def test_without_a_suffix_labels_stay():
    result = cleaned(code("#| label: tbl-a\nx", shown(text_markdown="@tbl-a")), suffix="")

    assert result["cells"][0]["source"] == "#| label: tbl-a\nx"


def test_times_paths_addresses_and_html_are_gone():
    result = cleaned(
        code(
            "x",
            shown(text_html="<table>", text_plain="<Line at 0x7f00ab> /srv/project/data/a.csv"),
            {
                "output_type": "stream",
                "name": "stderr",
                "text": f"{tempfile.gettempdir()}/ipykernel_12/345.py:1: Warning in /srv/project\n",
            },
        ),
    )

    cell = result["cells"][0]
    assert cell["metadata"] == {}
    assert cell["outputs"][0]["data"] == {"text/plain": "<Line at 0x0> data/a.csv"}
    assert cell["outputs"][1]["text"] == "<cell>:1: Warning in .\n"
    assert result["metadata"] == {
        "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"},
        "language_info": {"name": "python"},
    }


def test_a_very_long_word_takes_no_time():
    long = "x" * 2_000_000
    start = time.monotonic()
    cleaned(code("x", shown(text_plain=long)))

    assert time.monotonic() - start < 5


def test_an_output_that_is_only_html_is_dropped():
    result = cleaned(code("x", shown(text_html="<b>a</b>")))

    assert result["cells"][0]["outputs"] == []


def test_the_date_within_a_figure_is_gone():
    svg = "<svg>\n <metadata>\n <dc:date>2024-01-01</dc:date></metadata>\n <g/></svg>"
    result = cleaned(code("x", shown(image_svg__xml=svg)))

    assert result["cells"][0]["outputs"][0]["data"]["image/svg+xml"] == "<svg>\n <g/></svg>"


def test_the_parameters_cell_stays_and_the_injected_one_has_a_steady_id():
    result = cleaned(
        code('study: str = "demo"', tags=["parameters"]),
        code(
            'processed_dir = "/srv/project/data/processed"',
            tags=["injected-parameters"],
            cell_id="random",
        ),
    )

    assert result["cells"][0]["source"] == 'study: str = "demo"'
    assert result["cells"][1]["id"] == "injected-parameters"
    assert result["cells"][1]["source"] == 'processed_dir = "data/processed"'


def test_cleaning_twice_changes_nothing_more():
    cells = [code("#| label: tbl-a\nx", shown(text_markdown="/srv/project/a"))]
    once = cleaned(*cells, suffix="")
    again = cleaned_notebook(copy.deepcopy(once), label_suffix="", clean_text=path_cleaner(ROOT))

    assert again == once


@pytest.mark.parametrize(
    ("label", "data", "expected"),
    [
        ("tbl-a", {"text_plain": "<DataFrame>"}, "cell tbl-a left text/plain; expected"),
        ("tbl-a", {"text_markdown": "| a |"}, None),
        ("fig-a", {"image_svg__xml": "<svg/>"}, None),
        ("fig-a", {"text_plain": "[1]"}, "cell fig-a left text/plain; expected"),
    ],
)
def test_a_labelled_cell_must_leave_something_for_the_book(label, data, expected):
    found = missing_outputs(notebook(code(f"#| label: {label}\nx", shown(**data))))

    assert found[0].startswith(expected) if expected else found == []
