from evalkit.runs.clean import cleaned_notebook


def figure_cell(texts):
    return {
        "cells": [
            {
                "cell_type": "code",
                "metadata": {},
                "execution_count": 1,
                "source": "#| label: fig-grants\n#| fig-cap: Tilskudd\n#| fig-alt: Søyler\nfigure",
                "outputs": [
                    {
                        "output_type": "execute_result",
                        "execution_count": 1,
                        "data": {"image/svg+xml": "<svg/>"},
                        "metadata": {"evalkit": texts},
                    }
                ],
            }
        ],
        "metadata": {"kernelspec": {}},
    }


def source_after(texts):
    notebook = figure_cell(texts)
    return cleaned_notebook(notebook, label_suffix="horten", clean_text=str)["cells"][0]["source"]


def test_texts_computed_with_a_figure_become_the_options_of_its_cell():
    source = source_after({"caption": "Tilskudd til 'Horten'", "source": "Kilde: @nf2024"})

    assert source.split("\n") == [
        "#| label: fig-grants-horten",
        "#| fig-cap: 'Tilskudd til ''Horten'''",
        "#| kilde: 'Kilde: @nf2024'",
        "#| fig-alt: Søyler",
        "figure",
    ]


def test_a_figure_without_computed_texts_keeps_its_options():
    assert "#| fig-cap: Tilskudd" in source_after({})
