import pytest

from evalkit.prose import typed_numbers


def found(tmp_path, text):
    path = tmp_path / "kapittel.qmd"
    path.write_text(text, encoding="utf-8")
    return typed_numbers(path)


@pytest.mark.parametrize(
    "text",
    [
        'Kommunen har []{fact="horten.population"} innbyggere.',
        "Piloten varte fra 2019 til 2023, i perioden 2019–2023.",
        "Se @tbl-events-horten-2 og [@nf2024, s. 44].",
        "0–24-samarbeidet bygger på NF-rapport 2/2024, kapittel 6.2 og tabell 11.",
        "Ta Sats 2.0 avløste Ta Sats 1.0.",
        "Opplæringslova § 9 A gjelder.",
        "1. Første punkt\n2. Andre punkt",
        "{{< embed notebooks/01-context-horten.ipynb#tbl-facts-horten >}}",
        "::: {.column width=50}\n```{=typst}\n#v(12pt)\n```\n:::",
        "---\ntitle: 12 tall\n---\nTekst",
    ],
)
def test_facts_references_years_and_names_are_no_typed_numbers(tmp_path, text):
    assert found(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Det svarte 94 ansatte.", "94"),
        ("Svarprosenten var 79,5 prosent.", "79,5"),
        ("Tilskuddet var 3 200 000 kroner.", "3 200 000"),
        ("Målgruppa var 2000 personer.", "2000"),
        ("Aldersgruppen 16-25 år.", "16"),
    ],
)
def test_a_number_typed_into_prose_is_found_with_its_line(tmp_path, text, number):
    assert found(tmp_path, f"# Tittel\n\n{text}\n")[0] == (3, number)
