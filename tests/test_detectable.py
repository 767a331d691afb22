import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.power import TTestPower

from evalkit.detectable import (
    cluster_design_effect,
    detectable_mean_change,
    detectable_share_change,
    planned_detectable_change,
    required_base,
    with_detectable_change,
)
from evalkit.errors import DataError
from evalkit.survey import share_change


def smallest(*arguments, **chosen):
    return detectable_share_change(*arguments, **chosen)["smallest_change_share"].item()


def test_more_answers_find_smaller_changes():
    assert smallest(400, 400) < smallest(100, 100) < smallest(25, 25)


def test_a_handful_of_answers_can_find_nothing():
    row = detectable_share_change(3, 3, 0.5).iloc[0]

    assert row["reason"] == "base_too_small"
    assert np.isnan(row["smallest_change_share"])


def test_a_share_near_1_can_fall_but_not_rise_enough():
    row = detectable_share_change(30, 30, 0.95).iloc[0]

    assert np.isnan(row["smallest_rise_share"])
    assert row["smallest_fall_share"] > 0


def test_linked_answers_that_go_together_find_smaller_changes():
    linked = smallest(100, 100, 0.5, paired=True, correlation=0.6)

    assert linked < smallest(100, 100, 0.5)


def test_a_design_effect_of_two_costs_half_the_answers():
    assert smallest(100, 100, 0.5, design_effect=2.0) == pytest.approx(smallest(50, 50, 0.5))


def test_when_everybody_answers_both_times_any_change_is_seen():
    found = smallest(100, 100, 0.5, before_population=100, after_population=100)

    assert found == pytest.approx(0, abs=1e-6)


def test_workplaces_of_eleven_with_a_tenth_of_the_variance_double_it():
    assert cluster_design_effect(11, 0.1) == pytest.approx(2.0)


def test_pairs_without_a_common_number_are_refused():
    with pytest.raises(DataError, match="number of pairs"):
        detectable_share_change(10, 12, paired=True)


def test_the_paired_mean_agrees_with_statsmodels():
    found = detectable_mean_change(40, 40, 1.2, paired=True, correlation=0.5)

    library = TTestPower().solve_power(nobs=40, power=0.8, alpha=0.05) * 1.2
    assert found["smallest_change_mean"].item() == pytest.approx(library, rel=1e-6)


def test_one_answer_finds_no_change_of_a_mean():
    assert detectable_mean_change(1, 1)["reason"].item() == "base_too_small"


PLAN = pd.DataFrame(
    {
        "municipality_code": ["0301", "1103"],
        "invited_count": [400, 60],
        "response_share": [0.5, 0.5],
        "before_share": [0.5, 0.5],
    }
)


def test_a_plan_is_judged_before_fieldwork():
    rows = planned_detectable_change(PLAN)

    assert rows["expected_base"].tolist() == [200, 30]
    assert rows["smallest_change_share"].is_monotonic_increasing


def test_a_plan_with_good_linkage_counts_pairs():
    rows = planned_detectable_change(PLAN.assign(linkage_share=0.9, correlation=0.7))

    assert rows["method"].eq("paired shares, normal").all()


def test_a_null_finding_carries_what_it_could_have_seen():
    changes = pd.DataFrame(
        {
            "before_count": [50.0, 10.0],
            "before_base": [100.0, 100.0],
            "after_base": [100.0, 100.0],
            "linked_count": np.nan,
            "base": 100.0,
            "value": [0.02, 0.5],
            "lower": [-0.1, 0.4],
            "upper": [0.14, 0.6],
            "confidence_level": 0.95,
            "linkage": "unlinked",
        }
    )

    rows = with_detectable_change(changes)

    assert rows["could_see"].tolist() == ["no change seen", "change seen"]
    assert rows["smallest_change_share"].notna().all()


def test_a_small_population_needs_most_of_its_answers_and_a_large_one_384():
    assert required_base(10) == pytest.approx(9.77, abs=0.01)
    assert required_base(10**9) == pytest.approx(1.96**2 * 0.25 / 0.05**2, abs=0.02)


def test_the_smallest_change_is_that_of_the_rows_own_level_and_population():
    answers = pd.DataFrame(
        {
            "municipality_code": "0301",
            "item": "plan",
            "wave": [0] * 100 + [1] * 100,
            "respondent_id": [*range(100)] * 2,
            "score": [5, 1] * 100,
        }
    )
    invited = pd.DataFrame(
        {"municipality_code": "0301", "wave": [0, 1], "population_count": [150, 160]}
    )
    chosen = {"linkage": "unlinked", "confidence_levels": (0.95, 0.998)}

    plain = with_detectable_change(share_change(answers, **chosen))["smallest_change_share"]
    finite = with_detectable_change(share_change(answers, **chosen, population=invited))

    assert plain.tolist() == pytest.approx(
        [smallest(100, 100), smallest(100, 100, level=0.002)], abs=1e-9
    )
    assert finite["smallest_change_share"].tolist()[0] == pytest.approx(
        smallest(100, 100, before_population=150, after_population=160)
    )


def test_a_blank_base_or_share_is_missing_not_small_whatever_the_index():
    bases = pd.Series([50, np.nan, 3, 50], index=list("abcd"))
    shares = pd.Series([0.5, 0.5, 0.5, None], index=bases.index)

    rows = detectable_share_change(bases, bases, shares)

    assert rows["reason"].to_dict() == {
        "a": None,
        "b": "missing",
        "c": "base_too_small",
        "d": "missing",
    }
