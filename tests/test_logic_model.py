import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.logic_model import (
    FINDING_CODES,
    coverage_summary,
    indicator_coverage,
    logic_model_findings,
    logic_model_frame,
    outcome_coverage,
)
from evalkit.published_indicators import indicator_overview, indicator_values

MUNICIPALITIES = pd.DataFrame({"municipality_code": ["3801"], "name": ["Horten"]})
PLACE = {"source": "nf2024", "locator": "Tabell 12"}


def table(columns, rows):
    return pd.DataFrame(
        [dict(zip(columns, row, strict=False)) for row in rows], columns=columns
    ).assign(**PLACE)


def cells(*rows):
    columns = [
        "row",
        "row_kind",
        "column",
        "text",
        "row_span",
        "column_span",
        "indicator_ids",
        "status",
    ]
    made = table(columns, rows)
    made["position"] = made.groupby(["row", "column"]).cumcount() + 1.0
    numbers = ["row", "row_span", "column_span"]
    return made.assign(model_id="naervaer").astype(dict.fromkeys(numbers, float))


def models(pattern="alternating"):
    return table(
        ["model_id", "municipality_code", "measure_id", "title", "row_pattern"],
        [("naervaer", "3801", "naervaer", "Nærvær", pattern)],
    )


def indicators(*rows):
    columns = ["indicator_id", "level", "name", "unit", "data_source", "model_ids"]
    return table(columns, rows).assign(
        municipality_code="3801", direction=None, measure_ids=None, goal_ids=None, note=None
    )


def observations(*rows):
    columns = ["indicator_id", "period", "value", "area"]
    return (
        table(columns, rows)
        .assign(
            observation_id=[f"o{n}" for n in range(len(rows))],
            municipality_code="3801",
            group=None,
            numerator=None,
            denominator=None,
            qualifier=None,
            note=None,
        )
        .astype({"value": float})
    )


def targets(*rows):
    columns = ["target_id", "indicator_id", "value", "direction", "due"]
    return (
        table(columns, rows)
        .assign(goal_id=None, unit="percent", note=None)
        .astype({"value": float})
    )


SHAPE = cells(
    (1, "logic", "resources", "Koordinator", 2),
    (1, "logic", "activities", "Følge opp", None, None, None, "done"),
    (1, "logic", "activities", "Lage rutiner", None, None, None, "not_done"),
    (1, "logic", "output", "Rask hjelp"),
    (2, "indicator", "activities", "Antall saker", None, 5, "saker"),
)


def test_a_model_is_a_grid_whose_every_place_is_covered_once():
    frame = logic_model_frame(SHAPE, model_id="naervaer")

    assert frame.groupby("row")["column"].apply(list).to_dict() == {
        1: ["resources", "activities", "participation", "output", "outcome", "impact"],
        2: ["activities"],
    }
    area = (frame["row_span"] * frame["column_span"]).sum()
    assert area == 2 * 6


def test_a_cell_keeps_its_statements_in_order_with_their_status():
    frame = logic_model_frame(SHAPE, model_id="naervaer")

    cell = frame.loc[(frame["row"] == 1) & (frame["column"] == "activities")].iloc[0]
    assert cell["texts"] == ("Følge opp", "Lage rutiner")
    assert cell["statuses"] == ("done", "not_done")


def test_cells_on_top_of_each_other_are_refused():
    double = cells(
        (1, "logic", "resources", "a", 2),
        (2, "logic", "resources", "b"),
        (2, "logic", "impact", "c"),
    )

    with pytest.raises(
        DataError, match="resources in row 2 covers the place of resources in row 1"
    ):
        logic_model_frame(double, model_id="naervaer")


def test_a_cell_beyond_the_last_column_is_refused():
    wide = cells((1, "logic", "outcome", "a", None, 3))

    with pytest.raises(DataError, match="reaches beyond the last column"):
        logic_model_frame(wide, model_id="naervaer")


def test_an_unknown_model_is_refused_with_those_that_exist():
    with pytest.raises(DataError, match="'fravaer'; the table holds: naervaer"):
        logic_model_frame(SHAPE, model_id="fravaer")


def test_an_indicator_under_a_result_covers_it_and_not_its_neighbour():
    told = cells(
        (1, "logic", "output", "Rask hjelp"),
        (1, "logic", "outcome", "Fullfører"),
        (2, "indicator", "output", "Samtaler"),
    )

    result = outcome_coverage(models(), cells=told, indicators=indicators())

    assert result.set_index("text")["has_indicator"].to_dict() == {
        "Rask hjelp": True,
        "Fullfører": False,
    }


def test_one_row_of_indicators_covers_the_levels_its_indicators_are_on():
    told = cells(
        (1, "logic", "output", "Rask hjelp"),
        (1, "logic", "outcome", "Fullfører"),
        (2, "indicator", "activities", "Gjennomføring", None, 5),
    )
    one = indicators(("vgs", "outcome", "Gjennomføring", "percent", "SSB", "naervaer"))

    result = outcome_coverage(models("one_indicator_row"), cells=told, indicators=one)

    assert result["has_indicator"].tolist() == [False, True]


def coverage(indicator, observed=None, aimed=None):
    return indicator_coverage(
        indicators(indicator),
        observations=observations() if observed is None else observed,
        targets=targets() if aimed is None else aimed,
        municipalities=MUNICIPALITIES,
    ).iloc[0]


def test_an_indicator_with_nothing_lacks_everything():
    result = coverage(("trivsel", None, "Trivsel", None, None, None))

    kinds = ["has_source", "has_baseline", "has_later_value", "has_target", "is_measurable"]
    assert not result[kinds].any()


def test_an_indicator_with_values_source_and_target_has_them():
    result = coverage(
        ("vgs", "outcome", "Gjennomføring", "percent", "SSB", None),
        observations(("vgs", "2020", 80, None), ("vgs", "2022", 84, None)),
        targets(("t", "vgs", 90, "at_least", "2030")),
    )

    kinds = ["has_source", "has_baseline", "has_later_value", "has_target", "has_due"]
    assert result[kinds].all()
    assert not result["met_at_first"]


def test_the_distance_to_the_target_is_what_is_left_whatever_its_direction():
    both = indicators(
        ("vgs", "outcome", "Gjennomføring", "percent", "SSB", None),
        ("neet", "outcome", "Utenfor", "percent", "SSB", None),
    )

    result = indicator_overview(
        both,
        observations=observations(("vgs", "2022", 84, None), ("neet", "2022", 13, None)),
        targets=targets(("t", "vgs", 90, "at_least", "2030"), ("u", "neet", 8, "at_most", None)),
        municipality_code="3801",
    )

    assert result["remaining_distance"].tolist() == [6.0, 5.0]
    assert result["reached"].tolist() == [False, False]


def test_the_latest_value_counts_and_other_areas_do_not():
    one = indicators(("vgs", "outcome", "Gjennomføring", "percent", "SSB", None))
    seen = observations(
        ("vgs", "2022", 84, None), ("vgs", "2020", 80, None), ("vgs", "2023", 79, "landet")
    )

    result = indicator_overview(one, observations=seen, targets=targets(), municipality_code="3801")
    values = indicator_values(one, observations=seen, municipality_code="3801")

    assert result[["first_value", "latest_value", "value_count"]].iloc[0].tolist() == [80, 84, 2]
    assert values["period"].tolist() == ["2020", "2022", "2023"]
    assert values["is_own"].tolist() == [True, True, False]


def goals(*rows):
    return table(["goal_id", "municipality_code", "text", "parent_goal_ids"], rows)


def measures(*rows):
    return table(["measure_id", "municipality_code", "name", "goal_ids", "parent_measure_id"], rows)


def findings(**given):
    tables = {
        "cells": cells(
            (1, "logic", "activities", "Følge opp"), (1, "logic", "impact", "God helse")
        ),
        "measures": measures(),
        "goals": goals(),
        "indicators": indicators(),
        "observations": observations(),
        "targets": targets(),
    } | given
    return logic_model_findings(models(), municipalities=MUNICIPALITIES, **tables)


def test_a_chain_without_gaps_has_no_findings():
    assert findings().empty


@pytest.mark.parametrize(
    ("code", "tables"),
    [
        ("activity-without-outcome", {"cells": cells((1, "logic", "activities", "Følge opp"))}),
        (
            "outcome-without-indicator",
            {"cells": cells((1, "logic", "activities", "a"), (1, "logic", "output", "b"))},
        ),
        (
            "indicator-without-source",
            {
                "indicators": indicators(
                    ("vgs", "outcome", "Gjennomføring", "percent", None, "naervaer")
                )
            },
        ),
        (
            "indicator-without-baseline",
            {"indicators": indicators(("a", None, "b", "percent", "c"))},
        ),
        ("indicator-without-target", {"indicators": indicators(("a", None, "b", "percent", "c"))}),
        ("indicator-too-general", {"indicators": indicators(("a", None, "b", None, "c"))}),
        (
            "target-without-date",
            {
                "indicators": indicators(("a", None, "b", "percent", "c")),
                "targets": targets(("t", "a", 90, "at_least", None)),
            },
        ),
        (
            "target-met-at-baseline",
            {
                "indicators": indicators(("a", None, "b", "percent", "c")),
                "observations": observations(("a", "2020", 91, None)),
                "targets": targets(("t", "a", 90, "at_least", "2030")),
            },
        ),
        ("goal-without-measure", {"goals": goals(("mål", "3801", "Flere fullfører", None))}),
        ("measure-without-goal", {"measures": measures(("tiltak", "3801", "Nærvær", None, None))}),
    ],
)
def test_each_gap_is_found_under_its_own_code(code, tables):
    result = findings(**tables)

    assert code in set(result["code"])
    assert result["sentence"].str.endswith(".").all()


def test_every_code_is_tested():
    marks = test_each_gap_is_found_under_its_own_code.pytestmark[0].args[1]

    assert [code for code, _ in marks] == list(FINDING_CODES)


def test_a_goal_served_through_another_goal_has_its_measure():
    result = findings(
        goals=goals(("over", "3801", "Flere i arbeid", None), ("under", "3801", "Nærvær", "over")),
        measures=measures(("tiltak", "3801", "Nærvær", "under", None)),
    )

    assert result.empty


def test_the_name_of_a_finding_does_not_change_when_others_come_or_go():
    gap = ("vgs", "outcome", "Gjennomføring", "percent", None, None)

    alone = findings(indicators=indicators(gap))
    beside = findings(indicators=indicators(("a", None, "b", None, None, None), gap))

    assert set(alone["finding"]) < set(beside["finding"])


def test_the_summary_counts_indicators_by_municipality():
    both = indicator_coverage(
        indicators(("a", None, "b", "percent", "SSB"), ("c", None, "d", None, None)),
        observations=observations(),
        targets=targets(("t", "a", 90, "at_least", None)),
        municipalities=MUNICIPALITIES,
    )

    result = coverage_summary(both).iloc[0]

    assert result[["indicator_count", "has_source_count", "has_target_count"]].tolist() == [2, 1, 1]
    assert result["has_due_count"] == 0
