import pandas as pd
import pytest

from evalkit.references import places_text, source_line


@pytest.mark.parametrize(
    ("locators", "text"),
    [
        (["s. 44", "s. 45-46", "Tabell 11"], "tabell 11, s. 44–46"),
        (["kap. 6.3", "kap. 6.1, s. 39"], "kap. 6.1 og 6.3, s. 39"),
        (["Tabell 10", "Tabell 11", "Tabell 14"], "tabell 10–11 og 14"),
        (["Tabell 2–4, s. 21–22"], "tabell 2–4, s. 21–22"),
        (["kap. 1.4 og 1.5, s. 13–14"], "kap. 1.4 og 1.5, s. 13–14"),
        ([f"kap. {chapter}.{part}" for chapter in (5, 6, 8) for part in (1, 2)], "kap. 5–6 og 8"),
        (["sammendraget", "forordet, s. 4"], "sammendraget, forordet, s. 4"),
        (["kap. 5, note 3"], "kap. 5"),
        (["kap. 6.10", "kap. 6.9"], "kap. 6.9 og 6.10"),
        (["vedlegg 4 (kartlegging)", "kap. 4.1"], "vedlegg 4 (kartlegging), kap. 4.1"),
        (["saken (vedtak og innstilling, s. 2)"], "saken (vedtak og innstilling), s. 2"),
        (["s. 1 (vedtaket 31.1.2012)", "kap. 2.8 (LOS)"], "kap. 2.8, s. 1"),
        (["kap. 2 (s. 14)"], "kap. 2, s. 14"),
        (["forordet (s. 4)"], "forordet, s. 4"),
        (["Tabell 05065"], "tabell 05065"),
        (["Tabell 05065", "Tabell 05066 og 9"], "tabell 05065, 05066 og 9"),
        (["kap. 13.4 (kunnskapsgrunnlag og erfaringer)"], "kap. 13.4"),
        (["kap. 5.3–6.1", "kap. 8.1", "kap. 9.1", "kap. 9.2", "kap. 12"], "kap. 5–6, 8–9 og 12"),
    ],
)
def test_places_are_gathered_by_kind(locators, text):
    assert places_text(pd.Series(locators)) == text


def test_a_range_spans_no_page_that_no_row_names():
    pages = [14, 33, 39, 64, 84, 104, 116, 128, 151, 161]

    told = places_text(pd.Series([f"s. {page}" for page in pages]))

    assert told == "s. 14, 33, 39, 64, 84, 104, 116, 128, 151 og 161"


def rows(*pairs):
    return pd.DataFrame(pairs, columns=["source", "locator"])


def test_a_source_line_cites_the_source_with_its_places():
    assert source_line(rows(("nf2024", "Tabell 9, s. 45"))) == "Kilde: @nf2024, tabell 9, s. 45."


def test_several_sources_are_joined():
    told = source_line(rows(("nf2024", "s. 4")), rows(("plan2019", "kap. 2"), (None, None)))

    assert told == "Kilder: @nf2024, s. 4; @plan2019, kap. 2."


def test_rows_without_a_source_have_no_line():
    assert source_line(rows((None, None))) is None
    assert source_line(rows()) is None
