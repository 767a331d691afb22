"""Indicators with several targets: each is shown, judged in its own unit, and counted once."""

import pandas as pd
import pytest
from test_effect_review import INDICATOR, START, value
from test_plan_review import rows_of

import evalkit as ek

GOAL = {"goal_id": "e1", "kind": "effect_goal", "position": 1, "text": "Færre unge er borte"}
FOLLOWED = INDICATOR | {"goal_ids": "e1"}
TARGETS = [
    {"target_id": "first", "value": 10.0, "unit": "percent", "due": "2022"},
    {"target_id": "second", "value": 7.0, "unit": None, "due": "2030"},
    {"target_id": "persons", "value": 60.0, "unit": "persons", "due": "2031"},
    {"target_id": "undecided", "value": None, "unit": None, "due": "2040"},
]
TARGETS = [row | {"indicator_id": "fravaer", "direction": "at_most"} for row in TARGETS]
OBSERVATIONS = rows_of(
    "observations",
    value("2018", 9.0),
    value("2021", 8.0),
    value("2021", 4.0, group="Jenter") | {"observation_id": "girls"},
)


@pytest.fixture
def measured():
    return ek.goal_measurability(
        rows_of("goals", GOAL),
        targets=rows_of("targets", *TARGETS),
        indicators=rows_of("indicators", FOLLOWED),
        observations=OBSERVATIONS,
    )


@pytest.fixture
def changes():
    return ek.indicator_changes(
        rows_of("indicators", FOLLOWED),
        observations=OBSERVATIONS,
        targets=rows_of("targets", *TARGETS),
        municipality_codes=["0301"],
        start=START,
    )


def test_each_target_of_an_indicator_is_held_against_its_first_value(measured):
    assert measured["target_id"].tolist() == ["first", "second", "persons", "undecided"]
    assert measured["met_at_baseline"].tolist() == [True, False, False, False]


def test_each_target_of_an_indicator_is_held_against_its_last_value(changes):
    reached = changes["reached"].astype(object).where(changes["reached"].notna(), None)

    assert changes["target_value"].fillna(0).tolist() == [10, 7, 60, 0]
    assert reached.tolist() == [True, False, None, None]


@pytest.mark.parametrize("expected", ["høyst 10", "høyst 7", "høyst 60", "2030", "2031", "2040"])
def test_each_target_stands_in_the_tables_of_a_plan_and_of_its_status(measured, changes, expected):
    assert expected in ek.targets_table(measured).body.replace("\u00a0", " ")
    assert expected in ek.indicator_changes_table(changes, names={}).body.replace("\u00a0", " ")


def test_values_that_are_left_out_are_counted_once_and_the_indicator_is_named_once(
    measured, changes
):
    assert "Én verdi" in ek.targets_table(measured).source
    assert "Én verdi" in ek.indicator_changes_table(changes, names={}).source
    assert ek.attribution_table(changes, names={}).body.count("Fravær") == 1


def test_a_goal_that_no_indicator_with_a_target_follows_has_each_of_its_own_targets():
    targets = [
        {"target_id": f"own-{year}", "goal_id": "e1", "due": str(year)} for year in (2025, 2030)
    ]

    measured = ek.goal_measurability(
        rows_of("goals", GOAL),
        targets=rows_of("targets", *targets),
        indicators=rows_of("indicators").astype(object),
        observations=rows_of("observations"),
    )

    assert measured["due"].tolist() == ["2025", "2030"]
    assert pd.isna(measured["target_value"]).all()
