import pandas as pd
import pytest

import evalkit as ek
from evalkit import tables
from evalkit.contracts import CONTRACTS, columns_of, typed
from evalkit.municipalities import Municipality
from evalkit.tables.layout import Column, fitted_widths, report_table

HORTEN = Municipality("3801", "horten", "Horten", "vestfold-og-telemark")
MUNICIPALITIES = pd.DataFrame(
    {"municipality_code": ["3801"], "slug": ["horten"], "name": ["Horten"], "region_id": "v"}
)


def rows_of(table, *rows):
    """Rows of a study's table; columns that are not given are blank."""
    contract = CONTRACTS[table]
    given = pd.DataFrame(list(rows), columns=None if rows else list(columns_of(contract)))
    given = given.assign(source="nf2024", locator="kap. 6.3")
    return typed(given.reindex(columns=list(columns_of(contract))), contract)


CLAIM_COLUMNS = [
    *["key", "subject", "quantity", "value", "unit", "as_of", "qualifier", "version", "chosen"],
    *["conflict", "reason", "note", "source", "locator", "table", "row", "label"],
]


def claims(*rows):
    return pd.DataFrame(list(rows), columns=CLAIM_COLUMNS)


def claim(subject, quantity, value, unit, **given):
    blank = dict.fromkeys(CLAIM_COLUMNS)
    return (
        blank
        | {
            "key": f"{subject}.{quantity}",
            "subject": subject,
            "quantity": quantity,
            "value": value,
            "unit": unit,
            "chosen": True,
            "conflict": False,
            "source": "nf2024",
            "locator": "s. 39",
            "table": "facts",
        }
        | given
    )


def test_the_fact_box_shows_chosen_claims_with_label_unit_and_time():
    told = claims(
        claim("horten", "population", "27600", "persons", as_of="2022-Q2"),
        claim("horten", "population", "27000", "persons", chosen=False),
        claim("horten", "unlabelled", "3", "count"),
    )

    body = ek.facts_table(told, HORTEN).body

    assert "| Innbyggere | 27\u00a0600 | 2.\u00a0kvartal 2022 |" in body
    assert len(body.splitlines()) == 3


def test_grants_are_in_millions_with_the_own_row_in_bold():
    summary = pd.DataFrame(
        {
            "municipality_code": ["3801", "0301"],
            "municipality_name": ["Horten", "Oslo"],
            "total_nok": [9.7e6, 5e6],
            "total_qualifier": [None, "about"],
            "per_year_nok": [3.2e6, None],
            "per_year_qualifier": ["about", None],
            "population": [27600.0, None],
            "nok_per_inhabitant": [351.4, None],
            "source": "nf2024",
            "locator": "s. 39",
        }
    )

    table = ek.grants_table(summary, HORTEN)

    assert "**9,7\u00a0mill.\u00a0kr**" in table.body
    assert "| Oslo | om lag 5\u00a0mill.\u00a0kr | – | – | – |" in table.body
    assert table.source == "Kilde: @nf2024, s. 39."


@pytest.mark.parametrize(
    ("count", "shown"),
    [(3, "færre enn 5"), (5, "5\u00a0personer"), (0, "færre enn 5")],
)
def test_few_participants_are_hidden_with_their_note(count, shown):
    took_part = rows_of(
        "participants",
        {
            "municipality_code": "3801",
            "group": "ungdom",
            "count": count,
            "unit": "persons",
            "note": "Bare tre",
        },
    )

    body = ek.participants_table(took_part, HORTEN, measures=rows_of("measures")).body

    assert shown in body
    assert ("Bare tre" in body) == (count == 5)


def test_small_counts_of_groups_and_meetings_are_shown():
    met = rows_of(
        "participants",
        {"municipality_code": "3801", "group": "skoler", "count": 2, "unit": "count"},
    )

    assert "| 2 |" in ek.participants_table(met, HORTEN, measures=rows_of("measures")).body


def test_a_result_given_by_few_is_hidden_and_one_given_by_many_has_its_interval():
    surveys = rows_of(
        "surveys", {"survey_id": "a", "municipality_code": "3801", "title": "Nullpunkt"}
    )
    published = rows_of(
        "survey_results",
        {"survey_id": "a", "item": "få", "count": 3, "base_count": 40},
        {"survey_id": "a", "item": "mange", "count": 81, "base_count": 263},
    )
    results = ek.published_results(published, surveys=surveys)

    body = ek.survey_results_table(results, HORTEN).body

    assert "skjult (færre enn 5)" in body
    assert "8 %" not in body
    assert "31\u00a0%" in body
    assert "26–37\u00a0%" in body


def test_a_share_that_tells_few_and_one_that_would_give_it_away_are_hidden():
    surveys = rows_of(
        "surveys", {"survey_id": "a", "municipality_code": "3801", "title": "Nullpunkt"}
    )
    asked = {"survey_id": "a", "item": "plan", "answer": "enig"}
    published = rows_of(
        "survey_results",
        {**asked, "share_percent": 38, "base_count": 60},
        {**asked, "group": "skole", "share_percent": 50, "base_count": 40},
        {**asked, "group": "helse", "share_percent": 15, "base_count": 20},
    )
    results = ek.published_results(published, surveys=surveys)

    body = ek.survey_results_table(results, HORTEN).body

    assert "38\u00a0%" in body
    assert "50\u00a0%" not in body
    assert "15\u00a0%" not in body
    assert "skjult (færre enn 5)" in body
    assert "skjult for å verne et annet tall" in body


def test_claims_about_few_participants_are_hidden_wherever_they_stand():
    told = claims(
        claim("jobbtiltak", "count", "1", "persons", table="participants", conflict=True),
        claim("jobbtiltak", "count", "3", "persons", chosen=False, conflict=True),
        claim("horten", "project_leads", "2", "persons"),
    )

    listed = ek.claims_table(told, smallest_count=5).body
    disputed = ek.conflicts_table(told, smallest_count=5).body

    assert listed.count("færre enn 5") == 3  # the project leaders are persons too
    assert disputed.count("færre enn 5") == 2


def test_the_list_of_all_claims_goes_by_municipality_and_names_only_other_sources():
    told = claims(
        claim("programme", "schemes", "250", "count", label="Ordninger"),
        claim("horten", "staff", "586", "count", label="Horten: ansatte"),
        claim("horten", "staff", "590", "count", label="Horten: ansatte", chosen=False),
        claim(
            "horten-plan", "start", "2021-05", "date", label="Horten: planen: tid", locator="s. 4"
        ),
        claim("horten", "area", "70", "count", label="Horten: areal", source="ssb"),
        claim("horten-tiltak", "count", "3", "persons", label="Deltakere", table="participants"),
    )

    listed = ek.claims_list(told, municipalities=MUNICIPALITIES).body

    lines = [line for line in listed.split("\n\n") if not line.startswith(":::")]
    assert lines == [
        "**Programmet**",
        "Ordninger: 250\u00a0– s. 39",
        "**Horten**",
        "Ansatte: 586, 590 (ikke brukt)\u00a0– s. 39",
        "Planen: mai 2021\u00a0– s. 4",
        "Deltakere: færre enn 5\u00a0– s. 39",
        "**Horten** (@ssb)",
        "Areal: 70\u00a0– s. 39",
    ]


def model(*rows):
    cells = rows_of("logic_model_cells", *({"model_id": "m", "position": 1, **row} for row in rows))
    return ek.logic_model_frame(cells, model_id="m")


def test_a_logic_model_has_status_as_symbol_and_word_and_names_its_indicators():
    frame = model(
        {"row": 1, "row_kind": "logic", "column": "activities", "text": "kurs", "status": "done"},
        {"row": 1, "row_kind": "logic", "column": "output", "text": "økt *ro*"},
        {
            "row": 2,
            "row_kind": "indicator",
            "column": "activities",
            "text": "oppmøte",
            "column_span": 5,
        },
    )

    table = ek.logic_model_table(frame, HORTEN, title="Nærvær")

    assert "Kurs (✓ gjennomført)" in " ".join(table.body.split())
    assert "Økt \\*ro\\*" in table.body
    assert table.body.count("**Indikatorer**") == 1
    assert table.caption == "Logisk modell: Nærvær, Horten"


def test_a_text_beside_many_rows_of_a_logic_model_takes_no_more_width_than_its_share_of_a_row():
    cell = {"row_kind": "logic", "text": "en tekst om arbeidet " * 6}
    beside = cell | {"row": 1, "column": "resources", "row_span": 9}
    rows = [
        cell | {"row": row, "column": column}
        for row in range(1, 10)
        for column in ("activities", "outcome")
    ]

    table = ek.logic_model_table(model(beside, *rows), HORTEN, title="Nærvær")

    dashes = [len(part) for part in table.body.splitlines()[0].strip("+").split("+")]
    assert dashes[0] < min(dashes[1:]) / 3


def test_many_findings_of_one_kind_are_counted_per_model():
    findings = pd.DataFrame(
        {
            "code": "outcome-without-indicator",
            "municipality_code": "3801",
            "model_id": "m",
            "subject_text": [f"virkning {n}" for n in range(6)],
            "sentence": "Velg en indikator.",
            "source": "nf2024",
            "locator": "Tabell 12",
        }
    )
    models = rows_of("logic_models", {"model_id": "m", "title": "Nærvær"})

    body = ek.findings_table(findings, HORTEN, logic_models=models).body
    cells = zip(*(line.split("|") for line in body.splitlines() if line[0] == "|"), strict=True)
    what, where = (" ".join(" ".join(cell).split()) for cell in list(cells)[1:3])

    assert what.endswith("uten indikator (6)")
    assert where.endswith("Nærvær: virkning 0; virkning 1; og 4 til")


def test_sources_that_were_read_have_a_place_to_link_to():
    sources = pd.DataFrame({"key": ["nf2024", "ubrukt"], "reference": ["Rapport.", "Annet."]})

    body = ek.source_sections(claims(claim("a", "b", "1", "count")), sources=sources).body

    assert "::: {#kilde-nf2024}\nRapport.\n\nÉn opplysning er lest herfra.\n:::" in body
    assert "ubrukt" not in body


def test_a_date_at_the_start_of_a_cell_does_not_become_a_list():
    body = report_table([Column("Når")], [("1. juni 2022",)], empty="Ingen.").body

    assert "1.\u00a0juni 2022" in body


def test_a_column_that_is_empty_in_every_row_is_left_out_unless_it_is_kept():
    columns = [Column("Tiltak"), Column("Når"), Column("Helse", kept=True), Column("Antall")]

    body = report_table(columns, [("a", "", (), "2"), ("b", "–", (), "")], empty="Ingen.").body

    assert body.splitlines()[0] == "| Tiltak | Helse | Antall |"
    assert body.splitlines()[3] == "| b | – | – |"


def test_spare_width_goes_to_the_columns_with_most_text():
    columns = [Column("Mål", 30), Column("Svarprosent", 30), Column("Hvorfor", 10)]
    rows = [("kort", "–", "en lang begrunnelse over flere linjer " * 6)] * 3

    goal, rate, reason = fitted_widths(columns, rows)

    assert reason > 75
    assert 98 < goal + rate + reason <= 100


def test_what_happened_several_times_is_one_row_with_every_date():
    met = {"municipality_code": "3801", "kind": "meeting", "title": "Samtale"}
    calendar = ek.event_calendar(
        rows_of("events", met | {"start": "2023-01-26"}, met | {"start": "2023-02-16"}),
        municipalities=MUNICIPALITIES,
    )

    body = ek.events_table(calendar, HORTEN).body

    assert "26.\u00a0januar 2023; 16. februar 2023 | Samtale |" in body


def test_recommendations_say_in_the_caption_who_gave_them_all():
    own = {"municipality_code": "3801", "title": "mål", "text": "Hold mål.", "by": "KORUS Sør"}
    table = ek.recommendations_table(rows_of("recommendations", own, own), HORTEN)

    assert table.caption == "Anbefalinger for Horten. Fra: KORUS Sør"
    assert "Fra" not in table.body


def test_a_conflict_is_one_row_with_what_is_used_what_is_not_and_why():
    told = claims(
        claim("horten", "staff", "586", "count", conflict=True, reason="Fra kapitlet"),
        claim("horten", "staff", "590", "count", chosen=False, conflict=True, source="korus"),
        claim("horten", "area", "3", "count", conflict=True),
    )

    table = ek.conflicts_table(told)

    assert "| **586** (s. 39). Fra kapitlet. | **590** (@korus, s. 39). |" in table.body
    assert table.source.endswith("Kilde, der ingen annen er nevnt: @nf2024.")


def test_spellings_share_the_last_row_of_the_conflicts():
    told = claims(
        claim("horten", "name", "Øya", "text", conflict=True),
        claim("horten", "name", "Øyen", "text", conflict=True, chosen=False, locator="s. 4"),
        claim("siljan", "leader_name", "A", "text", conflict=True),
        claim("siljan", "leader_name", "B", "text", conflict=True, chosen=False, source="korus"),
        claim("horten", "staff", "586", "count", conflict=True),
        claim("horten", "staff", "590", "count", chosen=False, conflict=True),
    )

    body = ek.conflicts_table(told).body

    assert body.index("**586**") < body.index("Skrivemåter, navn")
    last = " ".join(
        line.split("|")[3].strip() for line in body.splitlines() if line.count("|") == 4
    )
    assert "**Øya** (s. 39), ikke **Øyen** (s. 4)." in last


def judged_twice():
    """A study's goals, one graded by its evaluators and one by us."""
    goal = {"kind": "effect_goal", "municipality_code": None, "version": None}
    judgement = {
        "municipality_code": "3801",
        "judgement": "reached",
        "evidence_grade": "documented",
    }
    return {
        "attainment": rows_of(
            "attainment",
            judgement | {"goal_id": "a", "graded_by": "evaluators"},
            judgement | {"goal_id": "b", "graded_by": "us"},
        ),
        "goals": rows_of(
            "goals",
            goal | {"goal_id": "a", "position": "1", "text": "Bedre tjenester"},
            goal | {"goal_id": "b", "position": "2", "text": "Mer kunnskap"},
        ),
    }


def test_a_judgement_says_in_its_row_whether_the_grade_is_the_evaluators_or_ours():
    study = judged_twice()
    overview = ek.attainment_overview(
        study["attainment"], goals=study["goals"], municipality_code="3801"
    )

    body = ek.attainment_table(overview, HORTEN).body

    assert "✓\u00a0nådd (evaluatorenes gradering)" in body
    assert "✓\u00a0nådd (vår gradering)" in body


def test_the_matrix_marks_our_own_grades_and_explains_the_mark():
    study = judged_twice()
    matrix = ek.attainment_matrix(
        study["attainment"], goals=study["goals"], municipalities=MUNICIPALITIES
    )

    table = ek.all_attainment_table(matrix)

    rows = [line for line in table.body.splitlines() if "nådd" in line]
    assert ["(vår)" in row for row in rows] == [False, True]
    assert table.source.startswith("(vår) betyr at graden er satt av oss")


INDICATORS = [
    {"indicator_id": f"i-{number}", "municipality_code": "3801", "name": name, "unit": "percent"}
    for number, name in enumerate(["Trivsel", "Fravær"])
]
VALUES = [
    {"observation_id": f"o-{n}", "indicator_id": indicator, "municipality_code": "3801"}
    | {"group": group, "period": period, "value": value}
    for n, (indicator, group, period, value) in enumerate(
        [
            ("i-0", None, "2021", 80),
            ("i-0", None, None, 70),
            ("i-0", "jenter", "2020", 75),
            ("i-0", "jenter", "2022", 78),
            ("i-1", "gutter", None, 9),
        ]
    )
]


def test_values_of_groups_and_without_a_date_are_shown_as_what_they_are():
    given = {"observations": rows_of("observations", *VALUES), "municipality_code": "3801"}
    indicators = rows_of("indicators", *INDICATORS)
    overview = ek.indicator_overview(indicators, targets=rows_of("targets"), **given)
    latest = ek.latest_values(ek.indicator_values(indicators, **given))

    body = ek.indicators_table(overview, HORTEN, latest=latest).body.replace("\u00a0", " ")

    assert "| Trivsel | 80 % (2021); jenter: 78 % (2022) |" in body
    assert "| Fravær | gutter: 9 % (uten dato) |" in body


def test_a_value_of_a_group_or_without_a_date_is_a_first_value():
    coverage = ek.indicator_coverage(
        rows_of("indicators", *INDICATORS),
        observations=rows_of("observations", *VALUES),
        targets=rows_of("targets"),
        municipalities=MUNICIPALITIES,
    )

    assert coverage["has_baseline"].tolist() == [True, True]
    assert coverage["has_later_value"].tolist() == [True, False]


def test_a_table_over_time_says_how_many_values_it_leaves_out():
    changes = ek.indicator_changes(
        rows_of("indicators", *INDICATORS),
        observations=rows_of("observations", *VALUES),
        targets=rows_of("targets"),
        municipality_codes=["3801"],
        start="2021-01-01",
    )

    table = ek.indicator_changes_table(changes, names={"3801": "Horten"})

    assert changes["passed_over_count"].tolist() == [3, 1]
    assert table.source.startswith("4 verdier for grupper eller uten dato er ikke med.")


def test_a_baseline_from_before_the_programme_is_said_to_be_one_of_before():
    surveys = rows_of(
        "surveys",
        *(
            {"survey_id": f"s-{year}", "municipality_code": "3801", "kind": "staff_survey"}
            | {"wave": 0, "title": "Nullpunkt", "start": year}
            for year in ("2016", "2020-06")
        ),
    )
    response = ek.survey_response(surveys, municipalities=MUNICIPALITIES)

    table = ek.survey_comparison_table(response, pairs=NO_PAIRS, first_year=2019)

    assert "| Horten | 2016, før programmet |" in table.body.replace("\u00a0", " ")
    assert "| Horten | juni 2020 |" in table.body.replace("\u00a0", " ")
    assert "ikke programmets egne" in table.source


EVENTS = ek.event_calendar(rows_of("events"), municipalities=MUNICIPALITIES)
NO_SURVEYS = ek.survey_response(rows_of("surveys"), municipalities=MUNICIPALITIES)
NO_PAIRS = ek.survey_comparability(
    rows_of("surveys"), survey_results=rows_of("survey_results"), municipalities=MUNICIPALITIES
)
NO_INDICATORS = {
    "observations": rows_of("observations"),
    "targets": rows_of("targets"),
}
NO_GRANTS = ek.grant_summary(rows_of("grants"), claims=claims(), municipalities=MUNICIPALITIES)
NO_COVERAGE = ek.indicator_coverage(
    rows_of("indicators"), municipalities=MUNICIPALITIES, **NO_INDICATORS
)
EMPTY = {
    "all_attainment_table": lambda: ek.all_attainment_table(
        ek.attainment_matrix(
            rows_of("attainment"), goals=rows_of("goals"), municipalities=MUNICIPALITIES
        )
    ),
    "all_coverage_table": lambda: ek.all_coverage_table(ek.coverage_summary(NO_COVERAGE)),
    "all_grants_table": lambda: ek.all_grants_table(NO_GRANTS),
    "attainment_table": lambda: ek.attainment_table(
        ek.attainment_overview(
            rows_of("attainment"), goals=rows_of("goals"), municipality_code="3801"
        ),
        HORTEN,
    ),
    "calendar_table": lambda: ek.calendar_table(
        EVENTS, regions=rows_of("regions"), caption="Møter"
    ),
    "claims_list": lambda: ek.claims_list(claims(), municipalities=MUNICIPALITIES),
    "claims_table": lambda: ek.claims_table(claims()),
    "comparability_table": lambda: ek.comparability_table(NO_PAIRS, HORTEN),
    "conflicts_table": lambda: ek.conflicts_table(claims()),
    "coverage_table": lambda: ek.coverage_table(NO_COVERAGE, HORTEN),
    "criteria_table": lambda: ek.criteria_table(rows_of("selection_criteria")),
    "events_table": lambda: ek.events_table(EVENTS, HORTEN),
    "facts_table": lambda: ek.facts_table(claims(), HORTEN),
    "findings_table": lambda: ek.findings_table(
        pd.DataFrame(columns=["code", "municipality_code", "model_id", "source", "locator"]),
        HORTEN,
        logic_models=rows_of("logic_models"),
    ),
    "gatherings_table": lambda: ek.gatherings_table(EVENTS),
    "goals_table": lambda: ek.goals_table(rows_of("goals")),
    "grants_table": lambda: ek.grants_table(NO_GRANTS, HORTEN),
    "indicators_table": lambda: ek.indicators_table(
        ek.indicator_overview(rows_of("indicators"), municipality_code="3801", **NO_INDICATORS),
        HORTEN,
        latest=ek.latest_values(
            ek.indicator_values(
                rows_of("indicators"),
                observations=rows_of("observations"),
                municipality_code="3801",
            )
        ),
    ),
    "measures_by_municipality_table": lambda: ek.measures_by_municipality_table(
        rows_of("measures"), municipalities=MUNICIPALITIES
    ),
    "measures_table": lambda: ek.measures_table(rows_of("measures"), HORTEN),
    "meetings_table": lambda: ek.meetings_table(EVENTS, regions=rows_of("regions")),
    "municipalities_table": lambda: ek.municipalities_table(
        rows_of("municipalities"), regions=rows_of("regions")
    ),
    "organisation_table": lambda: ek.organisation_table(rows_of("organisation"), HORTEN),
    "original_tables_table": lambda: ek.original_tables_table(rows_of("original_tables")),
    "participants_table": lambda: ek.participants_table(
        rows_of("participants"), HORTEN, measures=rows_of("measures")
    ),
    "phases_table": lambda: ek.phases_table(
        ek.phase_evidence(rows_of("phases"), municipalities=MUNICIPALITIES)
    ),
    "projects_table": lambda: ek.projects_table(rows_of("projects"), HORTEN),
    "recommendations_table": lambda: ek.recommendations_table(rows_of("recommendations"), HORTEN),
    "programme_events_table": lambda: ek.programme_events_table(EVENTS, regions=rows_of("regions")),
    "regions_table": lambda: ek.regions_table(
        rows_of("regions"), municipalities=MUNICIPALITIES.iloc[:0]
    ),
    "grant_details_table": lambda: ek.grant_details_table(
        rows_of("grants"), HORTEN, grant_schemes=rows_of("grant_schemes")
    ),
    "measure_aspects_table": lambda: ek.measure_aspects_table(
        rows_of("measure_aspects"), HORTEN, measures=rows_of("measures")
    ),
    "reports_table": lambda: ek.reports_table(EVENTS, HORTEN),
    "workshops_table": lambda: ek.workshops_table(EVENTS, regions=rows_of("regions")),
    "resource_groups_table": lambda: ek.resource_groups_table(EVENTS, regions=rows_of("regions")),
    "result_goals_table": lambda: ek.result_goals_table(rows_of("goals")),
    "roles_table": lambda: ek.roles_table(rows_of("roles")),
    "schemes_table": lambda: ek.schemes_table(rows_of("grant_schemes")),
    "services_table": lambda: ek.services_table(rows_of("organisation"), HORTEN),
    "source_sections": lambda: ek.source_sections(
        claims(), sources=pd.DataFrame(columns=["key", "reference"])
    ),
    "survey_comparison_table": lambda: ek.survey_comparison_table(
        NO_SURVEYS, pairs=NO_PAIRS, first_year=2019
    ),
    "survey_results_table": lambda: ek.survey_results_table(
        ek.published_results(rows_of("survey_results"), surveys=rows_of("surveys")), HORTEN
    ),
    "surveys_table": lambda: ek.surveys_table(NO_SURVEYS, HORTEN),
    "themes_table": lambda: ek.themes_table(
        ek.theme_overview(rows_of("measure_themes"), municipalities=MUNICIPALITIES)
    ),
    "topics_table": lambda: ek.topics_table(
        ek.topic_counts(rows_of("lessons"), municipalities=MUNICIPALITIES)
    ),
}


@pytest.mark.parametrize("name", sorted(EMPTY))
def test_a_table_of_nothing_is_one_sentence(name):
    table = EMPTY[name]()

    assert table.markdown.endswith(".")
    assert "\n" not in table.markdown


def test_every_table_about_municipalities_and_programme_is_tried_with_nothing():
    of_answers_and_indicators = ("goal_targets", "indicator_methods", "survey_methods")
    others = ("effects", "plans", "statistics", "user_surveys", *of_answers_and_indicators)
    elsewhere = {f"evalkit.tables.{name}" for name in others}
    expected = {n for n in tables.__all__ if getattr(tables, n).__module__ not in elsewhere}

    assert sorted(EMPTY) == sorted(expected - {"logic_model_table"})
