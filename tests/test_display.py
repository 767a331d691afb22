from IPython.core.formatters import DisplayFormatter

from evalkit.display import ReportFigure, ReportTable
from evalkit.markdown import Markdown

SOURCE = Markdown("Kilde: @nf2024, s. 1.")


def test_a_table_is_shown_as_markdown_with_its_source_under_it():
    table = ReportTable(Markdown("| A |\n|---|\n| 1 |"), caption="Tall", source=SOURCE)

    data, metadata = DisplayFormatter().format(table)

    assert data["text/markdown"].endswith("| 1 |\n\n[Kilde: @nf2024, s. 1.]{.kilde}")
    assert data["text/plain"] == data["text/markdown"]
    assert "text/html" not in data
    assert metadata == {"evalkit": {"caption": "Tall"}}


def test_a_table_without_a_source_has_no_source_line():
    assert ReportTable("Ingen opplysninger.").markdown == "Ingen opplysninger."


def test_a_figure_is_svg_and_carries_its_texts_as_metadata():
    figure = ReportFigure("<svg/>", alt="To søyler.", caption="Tilskudd", source=SOURCE)

    data, metadata = DisplayFormatter().format(figure)

    assert data == {"image/svg+xml": "<svg/>", "text/plain": "To søyler."}
    assert metadata == {
        "evalkit": {"caption": "Tilskudd", "alt": "To søyler.", "source": "Kilde: @nf2024, s. 1."}
    }


def test_texts_that_are_not_set_are_left_out_of_the_metadata():
    _, metadata = DisplayFormatter().format(ReportFigure("<svg/>", alt="To søyler."))

    assert metadata == {"evalkit": {"alt": "To søyler."}}
