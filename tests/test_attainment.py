import pandas as pd

from evalkit.attainment import attainment_matrix, attainment_overview

MUNICIPALITIES = pd.DataFrame(
    {"municipality_code": ["3801", "3812", "3813"], "name": ["Horten", "Siljan", "Bamble"]}
)
GOALS = pd.DataFrame(
    {
        "goal_id": ["more-knowledge", "coordinated", "local", "planned"],
        "municipality_code": [None, None, "3801", None],
        "kind": ["effect_goal", "effect_goal", "local_goal", "effect_goal"],
        "position": [2.0, 1.0, 1.0, 3.0],
        "text": ["Mer kunnskap", "Mer samordnet", "Flere fullfører", "Målet i planen"],
        "version": [None, None, None, "plan2019"],
    }
)


def attainment(*rows):
    columns = ["attainment_id", "municipality_code", "goal_id", "judgement", "evidence_grade"]
    return pd.DataFrame(rows, columns=columns).assign(
        graded_by="us",
        reason="a",
        evidence="b",
        too_early=None,
        source="nf2024",
        locator="kap. 6.4",
    )


def test_every_effect_goal_of_the_study_has_a_row_in_its_order():
    judged = attainment(("a", "3801", "more-knowledge", "partly_reached", "documented"))

    result = attainment_overview(judged, goals=GOALS, municipality_code="3801")

    assert result["goal"].tolist() == ["Mer samordnet", "Mer kunnskap"]
    assert result["judgement"].tolist() == ["not_judged", "partly_reached"]
    assert result["evidence_grade"].tolist() == ["none", "documented"]


def test_a_local_goal_has_a_row_only_where_it_was_judged():
    judged = attainment(("a", "3801", "local", "reached", "before_and_after"))

    own = attainment_overview(judged, goals=GOALS, municipality_code="3801")
    other = attainment_overview(judged, goals=GOALS, municipality_code="3812")

    assert own["goal"].tolist()[-1] == "Flere fullfører"
    assert "Flere fullfører" not in other["goal"].tolist()


def test_the_matrix_has_a_cell_for_each_goal_and_municipality_that_was_judged():
    judged = attainment(
        ("a", "3812", "coordinated", "promising", "told_by_users"),
        ("b", "3801", "more-knowledge", "reached", "documented"),
    )

    result = attainment_matrix(judged, goals=GOALS, municipalities=MUNICIPALITIES)

    assert result["municipality_name"].tolist() == ["Horten", "Horten", "Siljan", "Siljan"]
    assert result["judgement"].tolist() == ["not_judged", "reached", "promising", "not_judged"]


def test_what_is_judged_of_the_programme_as_a_whole_comes_last_in_the_matrix():
    judged = attainment(
        ("a", None, "coordinated", "promising", "told_by_staff"),
        ("b", "3801", "coordinated", "reached", "documented"),
    )

    result = attainment_matrix(judged, goals=GOALS, municipalities=MUNICIPALITIES)

    whole = result.loc[result["municipality_code"].isna()]
    assert whole.index.tolist() == [2, 3]
    assert whole["judgement"].tolist() == ["promising", "not_judged"]


def test_the_matrix_and_the_overview_say_who_graded():
    judged = attainment(("a", "3801", "coordinated", "promising", "told_by_staff"))

    matrix = attainment_matrix(judged, goals=GOALS, municipalities=MUNICIPALITIES)
    overview = attainment_overview(judged, goals=GOALS, municipality_code="3801")

    assert matrix["graded_by"].fillna("").tolist() == ["us", ""]
    assert overview["graded_by"].fillna("").tolist() == ["us", ""]


def test_nothing_judged_gives_an_empty_matrix():
    result = attainment_matrix(attainment(), goals=GOALS, municipalities=MUNICIPALITIES)

    assert result.empty
    assert "judgement" in result
