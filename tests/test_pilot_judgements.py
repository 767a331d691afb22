"""The pilot's own grades follow the rules that its method chapter states, in every municipality."""

from pathlib import Path

import pandas as pd
import pytest

from evalkit.goals import EVIDENCE_ORDER

PILOT = Path(__file__).parents[1] / "data" / "raw" / "pilot"
# What the evaluators say of anchoring in their overview of phases, as this study words it.
ANCHORING = {
    "Svært bred og god forankring": "good",
    "God forankring": "good",
    "Forankring på toppen, men ikke hos mellomledere": "in part",
    "Bedre forankring og styringsgruppe etablert": "in part",
    "Svak forankring": "weak",
}
WITHOUT_FINAL_EVALUATION = ["3813"]


def pilot(table):
    return pd.read_csv(PILOT / f"{table}.csv", dtype=str)


def judged(goal):
    """Judgements of a goal by municipality; the programme as a whole left out."""
    rows = pilot("attainment").query("goal_id == @goal").dropna(subset="municipality_code")
    return rows.set_index("municipality_code")


def expected_anchoring(said, in_full_use):
    if said == "weak":
        return "not_reached"
    return "reached" if said == "good" and in_full_use else "partly_reached"


def test_anchoring_has_one_rule_in_all_seven_municipalities():
    phases = pilot("phases")
    prepared = phases[(phases["phase"] == "installation")].set_index("municipality_code")["text"]
    said = prepared[prepared.str.contains("forankring", case=False)].map(ANCHORING)
    in_full_use = set(phases.loc[phases["phase"] == "full_implementation", "municipality_code"])
    expected = {code: expected_anchoring(said[code], code in in_full_use) for code in said.index}
    expected |= dict.fromkeys(WITHOUT_FINAL_EVALUATION, "not_judged")

    assert said.notna().all()
    assert len(expected) == 7
    assert judged("anchored-cooperation")["judgement"].to_dict() == expected


def test_more_knowledge_has_one_rule_in_all_seven_municipalities():
    rows = judged("more-knowledge")
    measured = EVIDENCE_ORDER.index("before_and_after")
    expected = {
        code: "not_judged"
        if code in WITHOUT_FINAL_EVALUATION
        else "reached"
        if EVIDENCE_ORDER.index(grade) >= measured
        else "partly_reached"
        for code, grade in rows["evidence_grade"].items()
    }

    assert len(rows) == 7
    assert rows["judgement"].to_dict() == expected


@pytest.mark.parametrize("goal", ["anchored-cooperation", "more-knowledge", "less-time-on-grants"])
def test_a_grade_that_the_source_does_not_give_is_marked_as_ours(goal):
    rows = pilot("attainment").query("goal_id == @goal and judgement != 'not_judged'")

    assert set(rows["graded_by"]) == {"us"}


def test_who_graded_stands_in_its_column_and_not_in_the_reason():
    assert not pilot("attainment")["reason"].str.contains(r"\bvår\b", case=False).any()
