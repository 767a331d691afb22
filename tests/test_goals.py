import numpy as np
import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.goals import (
    CLAIM_STRENGTHS,
    EVIDENCE_ORDER,
    RULE_JUDGEMENTS,
    contribution_claims,
    judge_goal_attainment,
    rival_explanation_summary,
    smallest_detectable_change,
    strongest_evidence,
)
from evalkit.vocabulary import EVIDENCE_GRADES


def change(value, lower, upper, **more):
    row = {
        "municipality_code": "0301",
        "goal_id": "g1",
        "evidence_grade": "before_and_after",
        "value": value,
        "lower": lower,
        "upper": upper,
        "confidence_level": 0.95,
        "baseline_value": 50.0,
        "method": "difference of shares, Newcombe",
    }
    return pd.DataFrame([{**row, **more}])


def rule(**more):
    row = {
        "goal_id": "g1",
        "direction": "up",
        "target_value": 60.0,
        "smallest_change": 5.0,
        "minimum_evidence": "before_and_after",
        "confidence_level": 0.95,
    }
    return pd.DataFrame([{**row, **more}])


@pytest.mark.parametrize(
    ("value", "lower", "upper", "judgement"),
    [
        (12.0, 10.0, 14.0, "reached"),
        (9.0, 6.0, 12.0, "improved"),
        (2.0, 1.0, 3.0, "improved"),
        (-4.0, -6.0, -2.0, "worsened"),
        (0.0, -2.0, 2.0, "no_change_that_matters"),
        (3.0, -4.0, 10.0, "cannot_be_judged"),
    ],
)
def test_the_interval_decides_the_judgement(value, lower, upper, judgement):
    result = judge_goal_attainment(change(value, lower, upper), rule())

    assert result["judgement"].item() == judgement


def test_a_goal_to_reduce_is_judged_the_other_way_round():
    result = judge_goal_attainment(
        change(-12.0, -14.0, -10.0), rule(direction="down", target_value=40.0)
    )

    assert result["judgement"].item() == "reached"
    assert result["target_status"].item() == "met"


def test_without_a_target_the_smallest_change_that_matters_is_the_bar():
    enough = judge_goal_attainment(change(7.0, 5.0, 9.0), rule(target_value=np.nan))
    short = judge_goal_attainment(change(7.0, 4.0, 9.0), rule(target_value=np.nan))

    assert enough["judgement"].item() == "reached"
    assert short["judgement"].item() == "improved"
    assert enough["target_status"].item() == "no_target"


def test_too_small_to_see_is_not_called_no_effect():
    result = judge_goal_attainment(change(1.0, -9.0, 11.0), rule()).iloc[0]

    assert result["judgement"] == "cannot_be_judged"
    assert result["reason"] == "base_too_small"
    assert result["smallest_detectable_change"] == pytest.approx(10 / 1.959964 * 2.801585, abs=1e-4)
    assert not any("ingen effekt" in label for label in RULE_JUDGEMENTS.values())


def test_evidence_weaker_than_the_rule_asks_for_cannot_be_judged():
    result = judge_goal_attainment(change(12.0, 10.0, 14.0, evidence_grade="told_by_staff"), rule())

    assert result["judgement"].item() == "cannot_be_judged"
    assert result["reason"].item() == "design_cannot_answer"


def test_a_withheld_change_keeps_its_own_reason():
    withheld = change(np.nan, np.nan, np.nan, reason="too_few")

    result = judge_goal_attainment(withheld, rule())

    assert result["judgement"].item() == "cannot_be_judged"
    assert result["reason"].item() == "too_few"


def test_only_the_interval_at_the_level_of_the_rule_is_judged():
    both = pd.concat([change(7.0, 1.0, 13.0), change(7.0, -2.0, 16.0, confidence_level=0.998)])

    result = judge_goal_attainment(both, rule())

    assert result["judgement"].tolist() == ["improved"]


def test_a_target_without_a_baseline_cannot_be_judged():
    result = judge_goal_attainment(
        change(8.0, 6.0, 10.0, baseline_value=np.nan), rule(target_value=50.0)
    ).iloc[0]

    assert result["judgement"] == "cannot_be_judged"
    assert result["target_status"] == "unclear"
    assert result["reason"] == "missing"


def test_an_interval_without_width_is_not_certainty():
    result = judge_goal_attainment(change(0.1, 0.1, 0.1), rule(target_value=np.nan)).iloc[0]

    assert result["judgement"] == "cannot_be_judged"
    assert result["reason"] == "design_cannot_answer"


def test_a_municipality_that_has_only_another_level_keeps_its_row():
    both = pd.concat(
        [
            change(7.0, 1.0, 13.0),
            change(7.0, -2.0, 16.0, municipality_code="1103", confidence_level=0.998),
        ]
    )

    result = judge_goal_attainment(both, rule())

    assert result["municipality_code"].tolist() == ["0301", "1103"]
    assert result["judgement"].tolist() == ["improved", "cannot_be_judged"]
    assert result["reason"].tolist() == [None, "missing"]
    assert result["value"].isna().tolist() == [False, True]


def test_a_goal_without_a_change_at_its_level_is_refused():
    with pytest.raises(DataError, match="g1 has no row at the rule's confidence_level"):
        judge_goal_attainment(change(7.0, -2.0, 16.0, confidence_level=0.998), rule())


def test_a_goal_without_a_rule_is_refused():
    with pytest.raises(DataError, match="no rule for goal g2"):
        judge_goal_attainment(change(1.0, 0.0, 2.0, goal_id="g2"), rule())


def test_a_rule_must_say_which_change_matters():
    with pytest.raises(DataError, match="smallest_change"):
        judge_goal_attainment(change(1.0, 0.0, 2.0), rule(smallest_change=0.0))


def test_the_smallest_detectable_change_matches_bloom_1995():
    """Bloom (1995): 2.8 standard errors, for 80 % power at the two-sided 5 % level."""
    one_error = smallest_detectable_change(
        pd.Series([-1.959964]), pd.Series([1.959964]), pd.Series([0.95])
    )

    assert one_error.item() == pytest.approx(2.80, abs=5e-3)


def test_without_changes_nothing_is_judged():
    nothing = judge_goal_attainment(change(1.0, 0.0, 2.0).iloc[:0], rule())

    assert nothing.empty
    assert strongest_evidence(nothing).empty


def judged(code, grade, judgement, goal="g1"):
    return {
        "municipality_code": code,
        "goal_id": goal,
        "evidence_grade": grade,
        "judgement": judgement,
    }


def test_a_judgement_that_could_be_made_goes_before_one_that_could_not():
    judgements = pd.DataFrame(
        [
            judged("0301", "controlled", "cannot_be_judged"),
            judged("0301", "before_and_after", "improved"),
        ]
    )

    result = strongest_evidence(judgements)

    assert result["judgement"].tolist() == ["improved"]
    assert result["finding_count"].tolist() == [2]


def test_controlled_improvement_in_two_municipalities_is_replicated():
    judgements = pd.DataFrame(
        [judged("0301", "controlled", "improved"), judged("1103", "controlled", "reached")]
    )

    result = strongest_evidence(judgements)

    assert result["evidence_grade"].tolist() == ["replicated", "replicated"]


@pytest.mark.parametrize("found", ["worsened", "no_change_that_matters"])
def test_two_controlled_improvements_are_not_replicated_against_another_finding(found):
    judgements = pd.DataFrame(
        [
            judged("0301", "controlled", "improved"),
            judged("1103", "controlled", "reached"),
            judged("4601", "controlled", found),
        ]
    )

    result = strongest_evidence(judgements)

    assert result["evidence_grade"].tolist() == ["controlled"] * 3


@pytest.mark.parametrize("turned", [False, True])
def test_findings_of_equal_grade_that_contradict_each_other_cannot_be_judged(turned):
    pair = [judged("0301", "controlled", "improved"), judged("0301", "controlled", "worsened")]
    judgements = pd.DataFrame(pair[::-1] if turned else pair).assign(value=3.0, reason=None)

    result = strongest_evidence(judgements).iloc[0]

    assert result["judgement"] == "cannot_be_judged"
    assert result["reason"] == "design_cannot_answer"
    assert np.isnan(result["value"])
    assert result["agreeing_count"] == 0


@pytest.mark.parametrize("turned", [False, True])
def test_reached_and_improved_on_equal_grade_make_an_improvement(turned):
    pair = [judged("0301", "controlled", "reached"), judged("0301", "controlled", "improved")]

    result = strongest_evidence(pd.DataFrame(pair[::-1] if turned else pair))

    assert result["judgement"].tolist() == ["improved"]


def rivals(*rows):
    return pd.DataFrame(rows, columns=["municipality_code", "goal_id", "rival", "status"])


def test_a_goal_nobody_listed_rivals_for_says_so():
    judgements = pd.DataFrame([judged("0301", "controlled", "improved")])

    result = rival_explanation_summary(
        rivals(("1103", "g1", "pandemien", "open")), judgements
    ).iloc[0]

    assert result["rival_count"] == 0
    assert result["reason"] == "missing"


def test_standing_rivals_are_named():
    judgements = pd.DataFrame([judged("0301", "controlled", "improved")])
    listed = rivals(
        ("0301", "g1", "pandemien", "open"), ("0301", "g1", "flere ansatte", "ruled_out")
    )

    result = rival_explanation_summary(listed, judgements).iloc[0]

    assert result["standing_rivals"] == "pandemien"
    assert result["ruled_out_count"] == 1


@pytest.mark.parametrize(
    ("grade", "judgement", "mechanism", "status", "strength"),
    [
        ("controlled", "reached", "observed", "ruled_out", "well_supported"),
        ("controlled", "reached", "observed", "open", "plausible"),
        ("before_and_after", "improved", "partly_observed", "weakened", "plausible"),
        ("before_and_after", "improved", "unknown", "weakened", "weak"),
        ("told_by_staff", "improved", "observed", "weakened", "weak"),
        ("controlled", "improved", "observed", "supported", "weak"),
        ("controlled", "worsened", "observed", "ruled_out", "contradicted"),
        ("controlled", "reached", "not_observed", "ruled_out", "contradicted"),
        ("controlled", "cannot_be_judged", "observed", "ruled_out", "cannot_be_judged"),
    ],
)
def test_a_claim_is_as_strong_as_its_weakest_part(grade, judgement, mechanism, status, strength):
    claims = pd.DataFrame(
        [("0301", "g1", "m1", "treningen ga færre fall", mechanism)],
        columns=["municipality_code", "goal_id", "measure_id", "claim", "mechanism_status"],
    )

    result = contribution_claims(
        claims,
        pd.DataFrame([judged("0301", grade, judgement)]),
        rivals(("0301", "g1", "pandemien", status)),
    )

    assert result["claim_strength"].item() == strength
    assert strength in CLAIM_STRENGTHS


def test_a_claim_without_listed_rivals_is_at_most_weak():
    claims = pd.DataFrame(
        [("0301", "g1", "m1", "treningen ga færre fall", "observed")],
        columns=["municipality_code", "goal_id", "measure_id", "claim", "mechanism_status"],
    )

    result = contribution_claims(
        claims, pd.DataFrame([judged("0301", "controlled", "reached")]), rivals()
    )

    assert result["claim_strength"].item() == "weak"


def test_the_order_of_evidence_covers_the_vocabulary():
    assert set(EVIDENCE_ORDER) == set(EVIDENCE_GRADES)
