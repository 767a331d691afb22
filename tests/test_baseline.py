import numpy as np
import pandas as pd
import pytest

from evalkit.baseline import (
    published_results,
    survey_comparability,
    survey_response,
    withheld_results,
)

MUNICIPALITIES = pd.DataFrame({"municipality_code": ["3801", "3812"], "name": ["Horten", "Siljan"]})


def survey(survey_id, code="3801", **given):
    blank = dict.fromkeys(
        ["provider", "mode", "population", "topics", "start", "end", "follows", "note"]
    )
    numbers = dict.fromkeys(["invited_count", "answered_count", "response_rate_percent"])
    return {
        "survey_id": survey_id,
        "municipality_code": code,
        "kind": "staff_survey",
        "wave": 0.0,
        "title": survey_id,
        **blank,
        **numbers,
        "source": "nf2024",
        "locator": "kap. 6.2",
        **given,
    }


def surveys(*rows):
    table = pd.DataFrame(rows)
    numbers = ["wave", "invited_count", "answered_count", "response_rate_percent"]
    return table.astype(dict.fromkeys(numbers, float))


def response(**given):
    return survey_response(surveys(survey("a", **given)), municipalities=MUNICIPALITIES).iloc[0]


def test_two_counts_give_the_wilson_interval_of_newcombe_1998():
    result = response(invited_count=263, answered_count=81)

    assert result["response_rate"] == pytest.approx(81 / 263)
    assert [result["lower_share"], result["upper_share"]] == pytest.approx(
        [0.2553, 0.3662], abs=5e-5
    )
    assert result["method"] == "Wilson"


def test_a_rounded_rate_of_those_invited_gives_the_widest_possible_interval():
    result = response(invited_count=100, response_rate_percent=69)

    exact = response(invited_count=100, answered_count=69)
    assert result["response_rate"] == 0.69
    assert result["lower_share"] == exact["lower_share"]
    wider = response(invited_count=586, response_rate_percent=69)
    assert wider["lower_share"] == pytest.approx(
        response(invited_count=586, answered_count=402)["lower_share"]
    )
    assert wider["upper_share"] == pytest.approx(
        response(invited_count=586, answered_count=407)["upper_share"]
    )
    assert wider["method"] == "Wilson, over the possible counts"


def test_a_rounded_rate_and_the_answers_leave_room_for_several_invited():
    result = response(answered_count=94, response_rate_percent=79)

    fewest = response(invited_count=119, answered_count=94)  # 78.99 per cent
    assert result["lower_share"] <= fewest["lower_share"]
    assert result["upper_share"] >= fewest["upper_share"]


def test_a_rate_alone_has_no_interval_and_says_why():
    result = response(response_rate_percent=69)

    assert result["response_rate"] == 0.69
    assert pd.isna(result["lower_share"])
    assert result["reason"] == "missing"


def results(*rows):
    columns = ["result_id", "survey_id", "item", "share_percent", "count", "base_count"]
    return pd.DataFrame(rows, columns=columns).assign(
        position=1.0, group=None, answer="enig", text=None, source="nf2024", locator="s. 1"
    )


def test_a_count_and_its_base_give_share_and_interval():
    table = results(("r", "a", "Kjenner rutinene", None, 15.0, 148.0))

    result = published_results(table, surveys=surveys(survey("a"))).iloc[0]

    assert result["share"] == pytest.approx(15 / 148)
    assert [result["lower_share"], result["upper_share"]] == pytest.approx(
        [0.0624, 0.1605], abs=5e-5
    )


def test_a_percentage_without_a_base_stays_without_an_interval():
    table = results(("r", "a", "Kjenner rutinene", 79.0, None, None))

    result = published_results(table, surveys=surveys(survey("a"))).iloc[0]

    assert result["share"] == pytest.approx(0.79)
    assert result["reason"] == "missing"


def pairs(rows, published=None):
    told = results() if published is None else published
    return survey_comparability(surveys(*rows), survey_results=told, municipalities=MUNICIPALITIES)


def test_a_baseline_that_nobody_repeated_can_show_no_change():
    result = pairs([survey("a")])

    assert result["reasons"].tolist() == ["not_repeated"]
    assert result["comparable"].tolist() == [False]


def test_a_wave_is_compared_with_the_one_it_repeats_where_questions_are_shared():
    shared = results(
        ("r", "a", "Rutiner", 40.0, None, None), ("s", "b", "Rutiner", 60.0, None, None)
    )

    result = pairs([survey("a"), survey("b", wave=1.0, follows="a")], shared)

    assert result[["survey_id", "other_survey_id"]].iloc[0].tolist() == ["a", "b"]
    assert result["comparable"].item()
    assert result["shared_item_count"].item() == 1


def test_baselines_with_other_questions_or_other_people_are_not_compared():
    other = results(
        ("r", "a", "Rutiner", 40.0, None, None), ("s", "b", "Samarbeid", 60.0, None, None)
    )
    rows = [
        survey("a", population="ansatte"),
        survey("b", code="3812", kind="youth_interviews", population="ungdom"),
    ]

    between = pairs(rows, other).query("comparison == 'between_municipalities'")

    assert between["reasons"].item() == "different_kind; different_population; no_shared_items"
    assert not between["comparable"].item()


def test_another_provider_is_told_but_forbids_nothing():
    shared = results(
        ("r", "a", "Rutiner", 40.0, None, None), ("s", "b", "Rutiner", 60.0, None, None)
    )
    rows = [survey("a", provider="KORUS Sør"), survey("b", code="3812", provider="KORUS Midt")]

    between = pairs(rows, shared).query("comparison == 'between_municipalities'")

    assert between["reasons"].item() == "different_provider"
    assert between["comparable"].item()


def test_no_surveys_give_no_pairs():
    none = surveys(survey("a")).iloc[:0]

    result = survey_comparability(none, survey_results=results(), municipalities=MUNICIPALITIES)

    assert result.empty
    assert survey_response(none, municipalities=MUNICIPALITIES).empty


def told(*rows):
    """Published results of one question: group, answer, persons and base."""
    return pd.DataFrame(
        [
            ("a", "x", group, answer, 100 * count / base, np.nan, float(base))
            for group, answer, count, base in rows
        ],
        columns=["survey_id", "item", "group", "answer", "share_percent", "count", "base_count"],
    )


def reasons_of(*rows):
    reasons = withheld_results(told(*rows))["reason"]
    return [None if pd.isna(reason) else reason for reason in reasons]


def test_a_share_of_a_small_base_or_of_few_persons_is_withheld():
    assert reasons_of((None, "enig", 3, 30), (None, "uenig", 20, 30), ("skole", "enig", 2, 4)) == [
        *("too_few", None, "base_too_small")
    ]


def test_the_other_of_two_groups_is_hidden_where_all_less_it_would_give_the_hidden_one():
    rows = (None, "enig", 23, 60), ("skole", "enig", 20, 40), ("helse", "enig", 3, 20)

    assert reasons_of(*rows) == [None, "can_be_derived", "too_few"]


def test_a_group_that_leaves_few_of_all_is_hidden_though_the_few_are_not_published():
    assert reasons_of((None, "enig", 40, 60), ("skole", "enig", 38, 57)) == [None, "protected"]
    assert reasons_of((None, "enig", 40, 60), ("skole", "enig", 20, 30)) == [None, None]


def test_of_three_groups_the_smallest_follows_the_hidden_one():
    rows = [
        (None, "enig", 48, 90),
        ("skole", "enig", 30, 40),
        ("helse", "enig", 16, 30),
        ("barnehage", "enig", 2, 20),
    ]

    assert reasons_of(*rows) == [None, None, "can_be_derived", "too_few"]


def test_groups_that_overlap_are_held_against_all_one_by_one():
    rows = [
        (None, "enig", 40, 60),
        ("skole", "enig", 20, 30),
        ("helse", "enig", 20, 30),
        ("kvinner", "enig", 38, 57),
    ]

    assert reasons_of(*rows) == [None, None, None, "protected"]


def test_answers_that_add_up_to_the_base_do_not_give_a_hidden_one_away():
    rows = (None, "enig", 20, 40), (None, "uenig", 17, 40), (None, "vet ikke", 3, 40)

    assert reasons_of(*rows) == [None, "can_be_derived", "too_few"]


def test_results_without_a_base_or_a_total_are_left_as_they_are():
    free = told((None, "enig", 20, 40)).assign(base_count=np.nan)

    assert withheld_results(free).isna().all(axis=None)
    assert reasons_of(("skole", "enig", 20, 40), ("helse", "enig", 3, 20)) == [None, "too_few"]
