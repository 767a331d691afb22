import pytest
from conftest import PROJECT
from test_plan_review import TABLES, milestone, rows_of

import evalkit as ek
from evalkit.readers import read_study


@pytest.fixture(scope="module")
def selbu():
    read = read_study(PROJECT / "data" / "raw" / "selbu")
    return {name: read.tables.get(name, rows_of(name)) for name in [*TABLES, "success_criteria"]}


@pytest.fixture(scope="module")
def measurability(selbu):
    return ek.goal_measurability(
        selbu["goals"],
        targets=selbu["targets"],
        indicators=selbu["indicators"],
        observations=selbu["observations"],
    )


def test_goals_are_numbered_by_kind_and_say_yes_or_no(measurability):
    table = ek.measurability_table(measurability).markdown

    row = next(line for line in table.splitlines() if line.startswith("| E3 "))
    assert [cell.strip() for cell in row.split("|")[3:9]] == ["ja", "nei", "ja", "ja", "ja", "ja"]
    assert "| R13 " in table


def test_a_target_met_at_the_start_says_so(measurability):
    table = ek.targets_table(measurability).markdown

    row = next(line for line in table.splitlines() if "Gjennomføring" in line)
    assert "om lag 86" in row
    assert "minst 85" in row
    assert "nådd ved start" in row


def test_the_budget_has_a_column_per_year_and_counts_the_sums_that_agree(selbu):
    lines = selbu["budget_lines"]
    table = ek.budget_table(lines, checks=ek.budget_checks(lines)).markdown

    assert "2020–2022" in table
    assert "9 av 9 trykte summer stemmer med linjene" in table
    assert "avvik" not in table


def test_a_sum_that_does_not_agree_is_marked():
    rows = [
        {"budget_id": "a", "line": "Lønn", "year": "2020", "amount_nok": 1, "is_total": "no"},
        {"budget_id": "s", "line": "Sum", "year": "2020", "amount_nok": 3, "is_total": "yes"},
    ]
    lines = rows_of("budget_lines", *(row | {"kind": "cost", "position": 1} for row in rows))

    table = ek.budget_table(lines, checks=ek.budget_checks(lines)).markdown

    assert "(avvik)" in table


def test_risks_without_grades_have_no_columns_for_them(selbu):
    ungraded = ek.risks_table(ek.recomputed_risks(selbu["risks"])).markdown
    graded = rows_of(
        "risks",
        {"risk_id": "a", "position": 1, "text": "Få penger", "probability": 2, "consequence": 4}
        | {"factor": 12},
    )

    assert "Sanns." not in ungraded
    assert "8 (avvik)" in ek.risks_table(ek.recomputed_risks(graded)).markdown


def test_risks_that_no_register_holds_are_said_to_be_read_out_of_prose(selbu):
    read_out = {"risk_id": "a", "position": 1, "text": "Få penger", "stated_in": "prose"}
    listed = {"risk_id": "b", "position": 2, "text": "Liten tid", "stated_in": "register"}

    both = ek.risks_table(ek.recomputed_risks(rows_of("risks", read_out, listed))).markdown
    register = ek.risks_table(ek.recomputed_risks(rows_of("risks", listed))).markdown

    assert (
        "har ikke noe risikoregister"
        in ek.risks_table(selbu["risks"].pipe(ek.recomputed_risks)).markdown
    )
    assert "lest ut av teksten" in both
    assert "planens risikoregister" in both
    assert "har ikke noe risikoregister" not in both + register


def test_findings_are_numbered_and_name_their_place(selbu):
    selbu = {name: selbu[name] for name in TABLES}
    table = ek.plan_findings_table(ek.plan_findings(**selbu)).markdown

    assert table.index("Nådd før start") < table.index("Beslutning før evaluering")
    assert "kap. 5.1" in table


def test_every_table_of_an_empty_plan_is_a_sentence():
    deadlines = ek.milestone_deadlines(rows_of("milestones"))
    phases = rows_of("plan_phases")
    budget = rows_of("budget_lines")
    made = [
        ek.decisions_table(deadlines),
        ek.milestones_table(deadlines, plan_phases=phases),
        ek.plan_phases_table(phases, municipalities=rows_of("municipalities")),
        ek.budget_table(budget, checks=ek.budget_checks(budget)),
        ek.stakeholders_table(rows_of("stakeholders")),
        ek.success_criteria_table(rows_of("success_criteria")),
        ek.evaluation_plan_table(rows_of("evaluation_plan")),
        ek.risks_table(ek.recomputed_risks(rows_of("risks"))),
        ek.measure_progress_table(rows_of("measures")),
        ek.lessons_table(rows_of("lessons")),
    ]

    assert all("|" not in table.markdown and table.markdown.endswith(".") for table in made)


def test_the_gantt_figure_counts_milestones_without_deadline():
    phases = rows_of(
        "plan_phases", {"phase_id": "f", "position": 1, "name": "Fase", "start": "2021"}
    )
    milestones = rows_of(
        "milestones", milestone("med", "2021-05", phase_id="f"), milestone("uten", None)
    )

    figure = ek.gantt_figure(phases, ek.milestone_deadlines(milestones))

    assert "1 milepæl uten frist er ikke med" in figure.alt
    assert "med mai 2021" in figure.alt
    assert figure.svg == ek.gantt_figure(phases, ek.milestone_deadlines(milestones)).svg


def test_the_stakeholder_map_places_by_level_and_names_the_rest(selbu):
    figure = ek.stakeholder_figure(selbu["stakeholders"])

    assert "liten interesse og stor innflytelse: Politikerne og De tillitsvalgte" in figure.alt
    assert "Ikke plassert i planen: Fastlegene" in figure.alt


def test_the_risk_matrix_tells_each_risk_in_words():
    risks = rows_of("risks", {"risk_id": "a", "position": 2, "probability": 2, "consequence": 4})

    figure = ek.risk_matrix_figure(ek.recomputed_risks(risks))

    assert "risiko 2 har sannsynlighet 2 og konsekvens 4" in figure.alt
