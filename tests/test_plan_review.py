import pandas as pd
import pytest
from conftest import PROJECT

from evalkit.contracts import CONTRACTS, columns_of, typed
from evalkit.plan_review import (
    budget_checks,
    goal_measurability,
    measure_chain,
    measure_progress,
    measured_sizes,
    milestone_status,
    plan_changes,
    recomputed_risks,
)
from evalkit.readers import read_study
from evalkit.readiness import FINDINGS, plan_findings

TABLES = [
    *["goals", "targets", "indicators", "observations", "measures", "milestones", "plan_phases"],
    *["budget_lines", "risks", "stakeholders", "surveys", "evaluation_plan"],
]


def rows_of(table, *rows):
    """Rows of a study's table; columns that are not given are blank."""
    contract = CONTRACTS[table]
    given = pd.DataFrame(list(rows), columns=None if rows else list(columns_of(contract)))
    given = given.assign(source="plan", locator="kap. 3")
    return typed(given.reindex(columns=list(columns_of(contract))), contract)


def goal(goal_id, text="Flere barn trives", **given):
    return {"goal_id": goal_id, "kind": "effect_goal", "position": 1, "text": text} | given


INDICATOR = {
    "indicator_id": "trivsel",
    "goal_ids": "trives",
    "name": "Barn som trives",
    "unit": "percent",
    "data_source": "Ungdata",
}
TARGET = {
    "target_id": "mal",
    "indicator_id": "trivsel",
    "value": 80,
    "unit": "percent",
    "direction": "at_least",
    "due": "2030",
}
FIRST = {"observation_id": "forste", "indicator_id": "trivsel", "period": "2020", "value": 70}


def measured(*, goals=(), indicators=(), targets=(), observations=(), **options):
    return goal_measurability(
        rows_of("goals", *goals),
        indicators=rows_of("indicators", *indicators),
        targets=rows_of("targets", *targets),
        observations=rows_of("observations", *observations),
        **options,
    )


def test_a_goal_that_says_everything_is_measurable():
    result = measured(
        goals=[goal("trives")], indicators=[INDICATOR], targets=[TARGET], observations=[FIRST]
    )

    assert result["missing"].item() == ""
    assert result["measurable"].item()
    assert not result["met_at_baseline"].item()


def test_what_a_goal_leaves_out_is_named_in_order():
    result = measured(goals=[goal("metode", "En god arbeidsmetode")])

    expected = "what; for_whom; how_much; by_when; baseline; measured_by"
    assert result["missing"].item() == expected


@pytest.mark.parametrize(
    ("direction", "first", "met"),
    [("at_least", 86, True), ("at_least", 84, False), ("at_most", 2, True), ("at_most", 99, False)],
)
def test_a_target_is_met_when_the_first_value_reaches_it(direction, first, met):
    target = TARGET | {"value": 85, "direction": direction}
    result = measured(
        goals=[goal("trives")],
        indicators=[INDICATOR],
        targets=[target],
        observations=[FIRST | {"value": first}],
    )

    assert result["met_at_baseline"].item() is met


def test_the_baseline_is_the_first_value_of_the_municipality_itself():
    result = measured(
        goals=[goal("trives")],
        indicators=[INDICATOR],
        targets=[TARGET],
        observations=[
            FIRST | {"observation_id": "ny", "period": "2022", "value": 75},
            FIRST | {"observation_id": "landet", "period": "2018", "area": "Norge", "value": 60},
            FIRST,
        ],
    )

    assert result["baseline_value"].item() == 70


def test_goals_of_another_version_and_for_society_are_passed_over():
    goals = [
        goal("trives"),
        goal("visjon", kind="impact_goal"),
        goal("plan-trives", version="plan-2019"),
    ]

    assert measured(goals=goals)["goal_id"].tolist() == ["trives"]
    assert measured(goals=goals, version="plan-2019")["goal_id"].tolist() == ["plan-trives"]


def test_a_goal_is_served_through_the_goals_below_it():
    goals = rows_of(
        "goals",
        goal("virkning"),
        goal("resultat", kind="result_goal", parent_goal_ids="virkning"),
        goal("alene"),
    )
    measures = rows_of(
        "measures",
        {"measure_id": "kurs", "name": "Kurs", "position": 1, "goal_ids": "resultat"},
        {"measure_id": "mote", "name": "Møte", "position": 2},
    )

    chain = measure_chain(measures, goals).astype(object).where(lambda t: t.notna(), None)

    pairs = chain[["measure_id", "goal_id"]].values.tolist()
    assert pairs == [["kurs", "resultat"], ["mote", None], [None, "alene"]]


def test_a_printed_factor_that_is_not_the_product_is_found():
    risks = rows_of(
        "risks",
        {"risk_id": "a", "position": 1, "probability": 2, "consequence": 4, "factor": 12},
        {"risk_id": "b", "position": 2, "probability": 4, "consequence": 5, "factor": 20},
        {"risk_id": "c", "position": 3},
    )

    again = recomputed_risks(risks)

    assert again["risk_id"].tolist() == ["b", "a", "c"]
    assert again["computed_factor"].tolist()[:2] == [20, 8]
    assert again["factor_agrees"].tolist() == [True, False, True]


def line(budget_id, name, year, amount, **given):
    return {
        "budget_id": budget_id,
        "line": name,
        "kind": "cost",
        "year": year,
        "amount_nok": amount,
        "is_total": "no",
    } | given


def test_a_total_sums_its_line_its_year_or_everything():
    checks = budget_checks(
        rows_of(
            "budget_lines",
            line("lonn-1", "Lønn", "2020", 100),
            line("lonn-2", "Lønn", "2021", 200),
            line("reise-1", "Reise", "2020", 10),
            line("lonn", "Lønn", "2020-2021", 300, is_total="yes", position=1),
            line("ar", "Sum", "2020", 110, is_total="yes", position=2),
            line("alt", "Sum", "2020-2021", 311, is_total="yes", position=3),
        )
    )

    assert checks["summed_nok"].tolist() == [300, 110, 310]
    assert checks["adds_up"].tolist() == [True, True, False]
    assert checks["difference_nok"].tolist() == [0, 0, 1]


def test_lines_without_year_are_summed_by_the_total_without_year():
    checks = budget_checks(
        rows_of(
            "budget_lines",
            line("a", "Forskning", None, 250),
            line("b", "Drift", None, None),
            line("sum", "Sum", None, 250, is_total="yes"),
        )
    )

    assert checks["adds_up"].item()
    assert checks["blank_count"].item() == 1


def milestone(milestone_id, due, **given):
    return {
        "milestone_id": milestone_id,
        "due": due,
        "title": milestone_id,
        "status": "planned",
        "position": 1,
    } | given


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({"due": "2021-11-30"}, "not_reported"),
        ({"due": "2021-11"}, "not_reported"),
        ({"due": "2021-11-30", "status": "in_progress"}, "late"),
        ({"due": "2021-10-01"}, "late"),
        ({"due": "2021-12-01"}, "due"),
        ({"due": "2022-01-01"}, "due"),
        ({"due": "2022-01-02"}, "upcoming"),
        ({"due": None}, "no_deadline"),
        ({"due": "2021-11-30", "done": "2021-11-30", "status": "done"}, "done"),
        ({"due": "2021-11-01", "done": "2021-11-30", "status": "done"}, "done_late"),
        ({"due": "2021-12-31", "done": "2021-12-15", "status": "done"}, "due"),
        ({"due": None, "status": "done"}, "done"),
        ({"due": "2021-11-30", "status": "cancelled"}, "cancelled"),
    ],
)
def test_a_milestone_stands_where_its_deadline_and_reports_put_it(given, state):
    milestones = rows_of("milestones", milestone("m", **given))

    result = milestone_status(milestones, as_of="2021-12-01", reported="2021-10-31")

    assert result["state"].item() == state


def found_in(study, version=None):
    read = read_study(PROJECT / "data" / "raw" / study)
    tables = {name: read.tables.get(name, rows_of(name)) for name in TABLES}
    return plan_findings(**tables, version=version)


def test_an_empty_plan_is_told_what_it_lacks():
    found = plan_findings(**{name: rows_of(name) for name in TABLES})

    expected = [
        *["no_goals", "no_baseline_planned", "no_final_evaluation", "no_measures"],
        "budget_missing",
    ]
    assert found["code"].tolist() == expected


@pytest.mark.parametrize("study", ["selbu", "ovre-eiker", "kristiansund"])
def test_findings_come_in_the_order_of_importance_and_name_rows_that_are_there(study):
    found = found_in(study)
    read = read_study(PROJECT / "data" / "raw" / study)

    order = [list(FINDINGS).index(code) for code in found["code"]]
    assert order == sorted(order)
    for row in found[found["row_ids"] != ""].itertuples():
        known = set(read.tables[row.table].iloc[:, 0])
        assert set(row.row_ids.split("; ")) <= known


def test_selbu_has_a_target_below_its_baseline_and_sums_that_agree():
    found = found_in("selbu").set_index("code")

    assert found.loc["target_met_at_baseline", "row_ids"] == "selbu-mal-gjennomforing"
    assert found.loc["effect_before_target_year", "locator"] == "kap. 5.1"
    assert "budget_does_not_add_up" not in found.index


def test_the_national_plan_has_one_factor_that_is_not_the_product():
    found = found_in("pilot", version="plan-2019").set_index("code")

    assert found.loc["risk_factor_wrong", "row_ids"] == "plan-2019-risk-directorates"
    assert "2 ganger 4 er 8" in found.loc["risk_factor_wrong", "text"]
    assert "budget_does_not_add_up" not in found.index


def test_kristiansund_has_a_total_whose_lines_lack_amounts():
    found = found_in("kristiansund").set_index("code")

    assert found.loc["budget_not_itemised", "row_ids"] == "kristiansund-utgift"
    assert "550 000 kr" in found.loc["budget_not_itemised", "text"].replace("\u00a0", " ")
    assert "budget_does_not_add_up" not in found.index
    assert "decisions_without_date" in found.index


def test_goals_with_a_date_but_no_amount_lack_the_amount_only():
    found = found_in("selbu").set_index("code")

    assert found.loc["goals_without_date", "text"] == "13 av 21 mål har ingen frist."
    assert found.loc["goals_without_amount", "text"] == "18 av 21 mål har ingen mengde å nå."


def test_an_answer_on_the_last_day_that_nobody_is_to_use_is_found():
    found = found_in("kristiansund").set_index("code")

    assert found.loc["final_at_the_end", "row_ids"] == "kristiansund-eval-slutt"
    assert "31. desember 2015" in found.loc["no_decision_after_evaluation", "text"]
    assert "decision_before_evaluation" not in found.index


def test_phases_that_meet_in_the_same_month_do_not_overlap():
    assert "phases_overlap" not in set(found_in("selbu")["code"])


def test_a_plan_changes_from_version_to_version_by_identifier():
    goals = rows_of(
        "goals",
        goal("trivsel", "Barn trives bedre"),
        goal("utkast-1-trivsel", "Barn trives", version="utkast-1"),
        goal("annet-mål", "Et nasjonalt mål", version="strategi"),
    )
    milestones = rows_of(
        "milestones",
        milestone("start", "2021-03"),
        milestone("ny", "2021-04"),
        milestone("utkast-1-start", "2021-01", version="utkast-1", title="start"),
        milestone("utkast-1-borte", "2021-02", version="utkast-1"),
    )

    changes = plan_changes(goals, milestones).set_index("row_id")["change"]

    assert changes.to_dict() == {
        "trivsel": "reworded",
        "start": "moved",
        "borte": "dropped",
        "ny": "added",
    }


def test_a_measure_that_should_have_begun_and_is_only_planned_is_overdue():
    def measure(measure_id, start, status):
        return {"measure_id": measure_id, "position": 1, "start": start, "status": status}

    measures = rows_of(
        "measures",
        measure("a", "2021-03", "planned"),
        measure("b", "2021-03", "started"),
        measure("c", "2021-12", "planned"),
    )

    progress = measure_progress(measures, as_of="2021-12-01")

    assert progress["is_overdue"].tolist() == [True, False, False]


def test_the_smallest_change_is_reckoned_for_surveys_and_for_indicators_with_a_first_value():
    table = measured(
        goals=[goal("trives")], indicators=[INDICATOR], targets=[TARGET], observations=[FIRST]
    )

    sizes = measured_sizes(table, sizes=(50, 100))

    assert sizes["measurement"].tolist() == ["", "", "Barn som trives", "Barn som trives"]
    assert sizes["before_share"].tolist() == [0.5, 0.5, 0.7, 0.7]
