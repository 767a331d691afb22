import xml.etree.ElementTree as ElementTree

import pandas as pd
import pytest
from test_tables import HORTEN, MUNICIPALITIES, claims, model, rows_of

import evalkit as ek
from evalkit.figures.chains import (
    MOST_HEIGHT,
    WIDTH,
    broken,
    chosen_layout,
    drawn_cells,
    width_of,
)
from evalkit.figures.points import AXES_WIDTH, LABEL_SIZE, RIGHT, placed_labels


def grants():
    return pd.DataFrame(
        {
            "municipality_code": ["3801", "3812"],
            "municipality_name": ["Horten", "Siljan"],
            "total_nok": [9.7e6, 5.5e6],
            "total_qualifier": None,
            "population": [27600.0, None],
            "nok_per_inhabitant": [351.4, None],
            "source": "nf2024",
            "locator": "s. 39",
        }
    )


def events(*rows):
    table = rows_of("events", *({"municipality_code": "3801", **row} for row in rows))
    return ek.event_calendar(table, municipalities=MUNICIPALITIES)


WORKSHOP = {"kind": "learning_workshop", "number": 3, "start": "2023-03-24"}


def response(**given):
    surveys = rows_of(
        "surveys",
        {"survey_id": "a", "municipality_code": "3801", "title": "Nullpunkt", "wave": 0, **given},
    )
    return ek.survey_response(surveys, municipalities=MUNICIPALITIES)


def indicator_figure(*observed, smallest_count=5, **kind):
    kind = {"unit": "percent", **kind}
    indicators = rows_of(
        "indicators",
        {"indicator_id": "i", "municipality_code": "3801", "name": "gjennomføring", **kind},
    )
    given = {
        "observations": rows_of(
            "observations",
            *({"indicator_id": "i", "municipality_code": "3801", **o} for o in observed),
        ),
        "municipality_code": "3801",
    }
    values = ek.indicator_values(indicators, **given)
    overview = ek.indicator_overview(indicators, targets=rows_of("targets"), **given)
    return ek.indicators_figure(
        values, overview=overview, municipality=HORTEN, smallest_count=smallest_count
    )


def chain(count=1):
    rows = [
        {"row": n, "row_kind": "logic", "column": column, "text": f"en lang tekst om {column} " * 3}
        for n in range(1, count + 1)
        for column in ("resources", "activities", "participation", "output", "outcome", "impact")
    ]
    return model(*rows)


FIGURES = {
    "grants": lambda: ek.grants_figure(grants(), HORTEN),
    "timeline": lambda: ek.timeline_figure(events(WORKSHOP), HORTEN),
    "workshops": lambda: ek.workshops_figure(events(WORKSHOP)),
    "responses": lambda: ek.response_rates_figure(
        response(invited_count=263, answered_count=81), HORTEN
    ),
    "indicators": lambda: indicator_figure({"value": 84.5, "period": "2022"}),
    "logic model": lambda: ek.logic_model_figure(chain(), HORTEN, title="Nærvær"),
}
NOTHING = {
    "grants": lambda: ek.grants_figure(
        ek.grant_summary(rows_of("grants"), claims=claims(), municipalities=MUNICIPALITIES), HORTEN
    ),
    "timeline": lambda: ek.timeline_figure(events(), HORTEN),
    "workshops": lambda: ek.workshops_figure(events()),
    "responses": lambda: ek.response_rates_figure(response(), HORTEN),
    "indicators": lambda: indicator_figure(),
}


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_a_figure_is_the_same_svg_every_time_with_text_as_paths(name):
    figure, again = FIGURES[name](), FIGURES[name]()

    root = ElementTree.fromstring(figure.svg)
    assert figure.svg == again.svg
    assert root.tag.endswith("svg")
    assert not root.findall(".//{http://www.w3.org/2000/svg}text")
    assert "<dc:date>" not in figure.svg
    assert figure.source.startswith("Kilde: @nf2024")


@pytest.mark.parametrize("name", sorted(NOTHING))
def test_a_figure_of_nothing_is_no_error(name):
    assert NOTHING[name]().svg.lstrip().startswith("<?xml")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("grants", "Horten 9,7\u00a0mill.\u00a0kr (351\u00a0kr per innbygger) og Siljan"),
        ("timeline", "Læringsverksted: 24. mars 2023."),
        ("workshops", "Horten: læringsverksted 3 24. mars 2023."),
        ("responses", "31\u00a0%\u00a0(26–\u206037\u00a0%), 81\u00a0av\u00a0263"),
        ("indicators", "Gjennomføring: 84,5\u00a0% (2022)."),
        ("logic model", "ressurser 1, aktiviteter 1"),
    ],
)
def test_the_alternative_text_says_what_the_figure_shows(name, told):
    assert told in FIGURES[name]().alt


def test_a_count_of_few_persons_is_left_out_of_figure_and_alternative_text():
    figure = indicator_figure({"value": 3.0, "period": "2022"}, unit="persons")

    assert "3" not in figure.alt
    assert "Ingen verdier er publisert" in figure.alt


def test_a_long_model_keeps_the_proportions_of_a_landscape_page():
    _, layout, width = chosen_layout(drawn_cells(chain(40)))

    assert layout.height <= MOST_HEIGHT * width / WIDTH + 1e-6
    assert width >= WIDTH


def test_a_model_too_long_for_a_page_is_shortened_and_says_so():
    cells = drawn_cells(
        model(
            *(
                {"row": row, "row_kind": "logic", "column": "output", "text": f"resultat {row} {n}"}
                | {"position": n}
                for row in range(1, 10)
                for n in range(9)
            )
        )
    )

    drawn, layout, _ = chosen_layout(cells)

    assert layout.height <= MOST_HEIGHT
    assert drawn != cells
    assert any("(+" in text for cell in drawn for text in cell["texts"])


def test_a_model_of_many_rows_counts_indicators_on_the_boxes_they_follow():
    rows = [
        {"row": 2 * n + kind, "row_kind": ("logic", "indicator")[kind - 1], "column": column}
        | {"text": f"en lang tekst om {column} " * 5}
        for n in range(12)
        for kind in (1, 2)
        for column in ("output", "outcome")
    ]

    drawn, layout, width = chosen_layout(drawn_cells(model(*rows)))

    assert layout.size * WIDTH / width >= 6
    counts = [cell.get("indicator_count") for cell in drawn if cell["texts"]]
    assert counts == [1] * 24


def test_labels_of_near_values_neither_overlap_nor_leave_the_figure():
    marks = [(v, f"{v} barn (2021)", True) for v in (0.5, 1, 1.5, 99)] + [(1, "mål 1 barn", False)]

    labels = placed_labels(marks, end=100)

    spans = [(a.rise, a.left, a.left + width_of(a.text) * LABEL_SIZE) for a in labels]
    assert all(left >= 0 and right <= AXES_WIDTH + RIGHT for _, left, right in spans)
    assert not any(
        a is not b and a[0] == b[0] and a[1] < b[2] and b[1] < a[2] for a in spans for b in spans
    )


def test_a_word_longer_than_its_box_is_broken_with_a_hyphen():
    lines = broken("Oppfølgingsundersøkelsen", 5.0)

    assert len(lines) > 1
    assert "".join(line.removesuffix("-") for line in lines) == "Oppfølgingsundersøkelsen"
