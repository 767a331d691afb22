import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.genmod.cov_struct import OrdinalIndependence
from statsmodels.genmod.generalized_estimating_equations import OrdinalGEE

from evalkit.errors import DataError
from evalkit.reasons import REASONS, RESULT_COLUMNS
from evalkit.survey import (
    agreement_share,
    cliffs_delta,
    comparable_shares,
    item_shares,
    mcnemar_test,
    nonresponse_difference,
    ordinal_regression,
    paired_shift,
    probability_of_superiority,
    response_rate,
    score_distribution,
    share_change,
)


def answers(*scores):
    return pd.DataFrame({"municipality_code": "0301", "item": "plan", "score": scores})


def waves(before, after, *, first_id=0, second_id=0):
    """Two waves of one item; the n-th answers are one person unless the ids say otherwise."""
    return pd.DataFrame(
        {
            "municipality_code": "0301",
            "item": "plan",
            "wave": [0] * len(before) + [1] * len(after),
            "respondent_id": [f"p{first_id + n}" for n in range(len(before))]
            + [f"p{second_id + n}" for n in range(len(after))],
            "score": [*before, *after],
        }
    )


SURVEYS = pd.DataFrame(
    {
        "municipality_code": "0301",
        "wave": 0,
        "service": ["school", "care", "technical"],
        "invited_count": [50, 40, 10],
        "answered_count": [40, 20, 5],
    }
)


def test_blank_answers_leave_the_share_unchanged():
    result = agreement_share(answers(5, 1, None, None), item="plan")

    assert result["answered_count"].item() == 2
    assert result["agreed_share"].item() == 0.5


def test_only_blank_answers_keep_the_row_with_base_0_and_a_reason():
    result = agreement_share(answers(None, None), item="plan")

    assert result["answered_count"].item() == 0
    assert result[["agreed_share", "lower_share", "upper_share"]].isna().all(axis=None)
    assert result["reason"].item() == "missing"
    assert set(RESULT_COLUMNS) <= set(result)


def test_an_item_nobody_knows_is_refused_with_those_that_are_known():
    with pytest.raises(DataError, match="answers: no item 'plna'; the table holds: plan"):
        agreement_share(answers(5), item="plna")


@pytest.mark.parametrize(
    ("agreed", "answered", "lower", "upper"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)],
)
def test_the_interval_matches_newcombe_1998(agreed, answered, lower, upper):
    result = agreement_share(answers(*[5] * agreed, *[1] * (answered - agreed)), item="plan")

    interval = result[["lower_share", "upper_share"]].iloc[0].tolist()
    assert interval == pytest.approx([lower, upper], abs=5e-5)


def test_a_response_rate_has_its_count_base_and_nonresponse():
    row = response_rate(SURVEYS).iloc[0]

    assert (row["count"], row["base"], row["value"]) == (65, 100, 0.65)
    assert row["nonresponse_count"] == 35
    assert set(RESULT_COLUMNS) <= set(row.index)


def test_a_blank_number_of_invited_is_missing_not_nought():
    blank = SURVEYS.assign(invited_count=[50, 40, np.nan])

    row = response_rate(blank).iloc[0]

    assert row["reason"] == "missing"
    assert np.isnan(row["value"])


def test_more_answers_than_invitations_are_refused():
    with pytest.raises(DataError, match="more answered than were invited"):
        response_rate(SURVEYS.assign(answered_count=200))


def test_a_service_is_compared_with_the_rest_of_its_municipality():
    rows = nonresponse_difference(SURVEYS).set_index("service")

    assert rows.loc["school", "rest_share"] == 0.5
    assert rows.loc["school", "value"] == pytest.approx(0.3)
    assert rows.loc["school", "answers_share"] == pytest.approx(40 / 65)
    assert rows.loc["school", "invited_share"] == 0.5


def test_item_shares_agree_with_the_share_of_one_item():
    both = pd.concat([answers(5, 4, 1), answers(1, 1).assign(item="time")]).assign(wave=0)

    rows = item_shares(both).set_index("item")
    one = agreement_share(both, item="plan").iloc[0]

    assert rows.loc["plan", "value"] == one["agreed_share"]
    assert rows.loc["plan", "lower"] == one["lower_share"]
    assert rows.loc["time", "value"] == 0


def test_a_census_of_everybody_has_no_sampling_error_when_asked_so():
    population = pd.DataFrame({"municipality_code": ["0301"], "population_count": [4]})

    row = item_shares(answers(5, 5, 1, 1).assign(wave=0), population=population).iloc[0]

    assert row["lower"] == row["value"] == row["upper"] == 0.5


def test_every_step_of_the_scale_has_a_row_even_when_nobody_chose_it():
    rows = score_distribution(answers(1, 5, 5, None).assign(wave=0)).set_index("score")

    assert rows["count"].tolist() == [1, 0, 0, 0, 2]
    assert rows["base"].unique().tolist() == [3]
    assert rows.loc[5, "value"] == pytest.approx(2 / 3)
    assert rows["median_score"].unique().tolist() == [5]


def test_a_score_outside_the_scale_is_refused():
    with pytest.raises(DataError, match="expected one of the steps"):
        score_distribution(answers(6).assign(wave=0))


def test_linked_answers_count_only_those_in_both_waves():
    followed = waves([5, 5, 1, 1, 1], [5, 5, 5, 1])  # the fifth person left

    row = share_change(followed, linkage="linked").iloc[0]

    assert (row["before_base"], row["after_base"], row["linked_count"]) == (5, 4, 4)
    assert row["linkage_share"] == 1
    assert row["value"] == 0.25
    assert row["method"] == "Newcombe, paired shares"


def test_unlinked_answers_count_everybody_as_different_persons():
    row = share_change(waves([5, 5, 1, 1, 1], [5, 5, 5, 1]), linkage="unlinked").iloc[0]

    assert row["value"] == pytest.approx(0.75 - 0.4)
    assert np.isnan(row["linked_count"])


def test_partly_linked_limits_lie_round_the_narrowest_and_hold_the_value():
    before, after = [5] * 20 + [1] * 30, [5] * 30 + [1] * 20

    row = share_change(waves(before, after, second_id=30), linkage="partly_linked").iloc[0]

    assert row["linked_count"] == 20
    assert row["linkage_share"] == 0.4
    assert row["lower"] <= row["narrowest_lower"] <= row["value"]
    assert row["value"] <= row["narrowest_upper"] <= row["upper"]


def test_partly_linked_with_no_known_overlap_is_as_wide_as_any_overlap_allows():
    before, after = [5] * 20 + [1] * 30, [5] * 30 + [1] * 20
    apart = waves(before, after, second_id=1000)

    partly = share_change(apart, linkage="partly_linked").iloc[0]
    unlinked = share_change(apart, linkage="unlinked").iloc[0]

    assert partly["upper"] - partly["lower"] > unlinked["upper"] - unlinked["lower"]


def test_too_few_answers_give_a_reason_and_no_number():
    row = share_change(waves([5, 1], [5, 5]), linkage="linked", smallest_base=10).iloc[0]

    assert row["reason"] == "base_too_small"
    assert row[["value", "lower", "upper"]].isna().all()


def test_two_answers_of_one_person_in_one_wave_are_refused():
    doubled = pd.concat([waves([5], [5]), waves([1], [])])

    with pytest.raises(
        DataError, match="rows 2, 4: the same municipality_code, wave, respondent_id and item"
    ):
        share_change(doubled, linkage="linked")


def test_an_unknown_linkage_is_refused():
    with pytest.raises(DataError, match="expected one of: linked"):
        share_change(waves([5], [5]), linkage="paired")


def crosswalk(*rows):
    return pd.DataFrame(rows, columns=["municipality_code", "wave", "item", "status"])


def test_a_reworded_item_is_refused_in_a_change_with_its_reason():
    two = pd.concat([waves([5, 1], [5, 5]), waves([5, 1], [5, 5]).assign(item="time")])
    asked = crosswalk(
        ("0301", 0, "plan", "same"),
        ("0301", 1, "plan", "same"),
        ("0301", 0, "time", "same"),
        ("0301", 1, "time", "reworded"),
    )

    rows = share_change(two, linkage="unlinked", crosswalk=asked).set_index("item")

    assert rows.loc["plan", "value"] == 0.5
    assert rows.loc["time", "reason"] == "not_comparable"
    assert np.isnan(rows.loc["time", "value"])
    assert rows.loc["time", "explanation"] == "asked in other words"


def test_municipalities_stand_side_by_side_only_where_they_asked_alike():
    three = pd.concat(
        answers(5, 1).assign(municipality_code=code, wave=0) for code in ("0301", "1103", "4601")
    )
    asked = crosswalk(
        ("0301", 0, "plan", "same"),
        ("1103", 0, "plan", "same"),
        ("4601", 0, "plan", "other_scale"),
    )

    rows = comparable_shares(three, crosswalk=asked, wave=0).set_index("municipality_code")

    assert rows["value"].tolist()[:2] == [0.5, 0.5]
    assert rows.loc["4601", "reason"] == "not_comparable"
    assert set(rows["reason"].dropna()) <= REASONS


def test_delta_is_1_when_every_later_answer_is_higher():
    row = cliffs_delta(waves([1, 1, 2], [3, 4, 5])).iloc[0]

    assert row["value"] == 1
    assert row["upper"] == 1
    assert row["lower"] < 1


def test_superiority_is_one_half_when_nothing_changed():
    row = probability_of_superiority(waves([1, 2, 3, 4], [1, 2, 3, 4])).iloc[0]

    assert row["value"] == 0.5
    assert row["lower"] < 0.5 < row["upper"]


def test_one_answer_in_a_group_is_too_small_a_base_for_delta():
    assert cliffs_delta(waves([1], [2, 3])).iloc[0]["reason"] == "base_too_small"


def test_moves_up_and_down_are_counted():
    row = paired_shift(waves([1, 2, 3, 4], [2, 4, 3, 3]), linkage="linked").iloc[0]

    assert (row["up_count"], row["down_count"], row["same_count"]) == (2, 1, 1)
    assert row["value"] == 0.25


@pytest.mark.parametrize("steps", [5, 1000])
def test_signed_ranks_of_many_groups_at_once_are_those_of_scipy(steps):
    draws = np.random.default_rng(1)
    table = pd.concat(
        [
            waves(*draws.integers(1, steps, (2, size))).assign(item=f"q{size}")
            for size in (3, 12, 49, 50, 200)
        ]
    )

    result = paired_shift(table, linkage="linked", scores=range(1, steps)).set_index("item")

    for item, group in table.groupby("item"):
        wide = group.pivot(index="respondent_id", columns="wave", values="score")
        change = (wide[1] - wide[0])[wide[1] != wide[0]]
        exact = len(change) <= 50 and change.abs().is_unique
        theirs = stats.wilcoxon(change, method="exact" if exact else "asymptotic")
        row = result.loc[item]
        whole = row["count"] * (row["count"] + 1) / 2
        assert row["p_value"] == pytest.approx(theirs.pvalue)
        assert min(row["statistic"], whole - row["statistic"]) == theirs.statistic


@pytest.mark.parametrize("change", [paired_shift, mcnemar_test])
def test_groups_where_nobody_can_be_followed_keep_their_row_with_a_reason(change):
    apart = waves([5, 1], [5, 5], second_id=1000).assign(item="time")

    rows = change(pd.concat([waves([5, 1], [5, 5]), apart]), linkage="linked").set_index("item")

    assert rows["base"].to_dict() == {"plan": 2, "time": 0}
    assert rows["reason"].to_dict() == {"plan": None, "time": "missing"}
    assert rows.loc["time", ["value", "lower", "upper", "p_value"]].isna().all()


@pytest.mark.parametrize("compare", [cliffs_delta, probability_of_superiority])
def test_a_group_of_blanks_keeps_its_row_with_a_reason(compare):
    blank = waves([None, None], [None, None]).assign(item="time")

    rows = compare(pd.concat([waves([5, 1], [5, 5]), blank])).set_index("item")

    assert rows["reason"].to_dict() == {"plan": None, "time": "missing"}
    assert rows.loc["time", "base"] == 0


@pytest.mark.parametrize("level", [0.95, 0.998])
def test_answers_all_alike_have_limits_round_a_delta_of_nought(level):
    row = cliffs_delta(waves([5] * 10, [5] * 10), confidence_levels=[level]).iloc[0]

    assert row["value"] == 0
    assert row["lower"] < -0.15
    assert row["upper"] > 0.15


def test_the_limits_of_delta_are_never_inside_those_of_cliff():
    table = waves([1, 1, 2, 2, 1, 3], [4, 5, 5, 3, 4, 5])

    cliff = cliffs_delta(table, interval="cliff").iloc[0]
    wider = cliffs_delta(table).iloc[0]

    assert cliff["method"] != wider["method"]
    assert wider["lower"] < cliff["lower"] - 0.1
    assert wider["upper"] >= cliff["upper"]


def test_an_unknown_interval_of_delta_is_refused_with_those_known():
    with pytest.raises(DataError, match="expected one of: cliff_newcombe, cliff"):
        probability_of_superiority(waves([1, 2], [3, 4]), interval="wald")


def test_a_shift_of_everybody_the_same_way_has_limits_with_a_width():
    row = paired_shift(waves([1, 2, 3], [2, 3, 4]), linkage="linked").iloc[0]

    assert row["value"] == 1
    assert row["lower"] == pytest.approx(0.6 - 1.959964 * (0.64 / 5) ** 0.5)  # four up, one down
    assert row["upper"] == 1


def test_limits_of_a_shift_match_those_of_bonett_and_price_in_contingencytables():
    """Complete response in Cavo et al. (2012); tests/testthat/test-ch8.R: -0.1195 to -0.0032."""
    changes = [(1, 2)] * 6 + [(2, 1)] * 16 + [(1, 1)] * 139
    before, after = zip(*changes, strict=True)

    row = paired_shift(waves(list(before), list(after)), linkage="linked").iloc[0]

    found = row[["value", "lower", "upper"]].tolist()
    assert found == pytest.approx([-0.0621, -0.1195, -0.0032], abs=5e-5)


def test_mcnemar_is_exact_when_few_changed():
    row = mcnemar_test(waves([5, 5, 1, 1, 1, 1], [5, 5, 5, 5, 5, 5]), linkage="linked").iloc[0]

    assert row["test"] == "exact binomial"
    assert row["p_value"] == pytest.approx(2 * 0.5**4)
    assert row["value"] == pytest.approx(4 / 6)


def test_mcnemar_is_chi_squared_when_many_changed():
    row = mcnemar_test(waves([5] * 10 + [1] * 30, [1] * 10 + [5] * 30), linkage="linked").iloc[0]

    assert row["test"] == "chi-squared"
    assert row["statistic"] == pytest.approx(20**2 / 40)


def test_regression_needs_ten_answers_per_coefficient():
    few = pd.DataFrame({"score": [1, 2, 3, 4, 5] * 4, "wave": [0, 1] * 10})

    result = ordinal_regression(few, covariates=["wave"])

    assert result["reason"].unique().tolist() == ["base_too_small"]


def test_regression_refuses_terms_that_cannot_be_told_apart():
    twin = pd.DataFrame({"score": [1, 2, 3] * 40, "wave": [0, 1] * 60, "again": [0, 1] * 60})

    result = ordinal_regression(twin, covariates=["wave", "again"])

    assert result["reason"].unique().tolist() == ["design_cannot_answer"]


def test_regression_with_few_clusters_gives_no_limits():
    rows = pd.DataFrame(
        {"score": [1, 2, 3, 3, 1] * 40, "wave": [0, 1] * 100, "service": ["a", "b", "c", "d"] * 50}
    )

    result = ordinal_regression(rows, covariates=["wave"], cluster="service")

    assert result["reason"].item() == "too_few_clusters"


def test_a_year_far_from_nought_gives_the_slope_of_a_year_near_it():
    draws = np.random.default_rng(3)
    far = pd.DataFrame({"year": 2019 + draws.integers(0, 5, 400)}).assign(
        score=lambda rows: np.clip(np.round(rows["year"] - 2018 + draws.normal(size=400)), 1, 5)
    )

    rows = [
        ordinal_regression(table, covariates=["year"]).iloc[0]
        for table in (far, far.assign(year=far["year"] - 2019))
    ]

    columns = ["value", "standard_error", "lower", "upper", "p_value"]
    assert rows[0][columns].tolist() == pytest.approx(rows[1][columns].tolist(), rel=1e-5)
    assert rows[0]["reason"] is None


def test_a_term_that_parts_the_answers_has_endless_odds_and_no_value():
    parted = pd.DataFrame({"score": [1, 2] * 20 + [4, 5] * 20, "wave": [0] * 40 + [1] * 40})

    row = ordinal_regression(parted, covariates=["wave"]).iloc[0]

    assert row["reason"] == "design_cannot_answer"
    assert row[["value", "lower", "upper", "p_value"]].isna().all()


def test_a_group_in_which_all_answered_highest_has_endless_odds_and_no_value():
    rows = pd.DataFrame({"score": [1, 2, 3, 4, 5] * 10, "service": "school"})
    care = pd.DataFrame({"score": [5] * 30, "service": "care"})

    row = ordinal_regression(pd.concat([rows, care]), covariates=["service"]).iloc[0]

    assert row["reason"] == "design_cannot_answer"


@pytest.mark.parametrize(
    ("service", "reason"), [("school", "design_cannot_answer"), (None, "missing")]
)
def test_text_of_one_value_is_refused_by_name(service, reason):
    alone = pd.DataFrame({"score": [1, 2, 3, 4, 5] * 20, "service": service})

    row = ordinal_regression(alone, covariates=["service"]).iloc[0]

    assert (row["term"], row["reason"]) == ("service", reason)


def test_errors_from_clusters_are_those_of_independent_estimating_equations():
    """Estimating equations that take answers as independent give the same odds; their errors
    rest on expected instead of observed information, and have no factor for few clusters."""
    draws = np.random.default_rng(3)
    service = np.repeat(np.arange(300), 8)
    wave, leader = np.tile([0.0, 1.0], 1200), draws.normal(size=2400)
    alike = (draws.normal(size=300)[service] + draws.normal(size=2400)) / np.sqrt(2)
    liking = 0.5 * wave + 0.6 * leader + stats.logistic.isf(stats.norm.sf(alike))
    score = np.digitize(liking, [-1.0, 0.0, 1.2])
    table = pd.DataFrame({"score": score, "wave": wave, "leader": leader, "service": service})

    result = ordinal_regression(table, covariates=["wave", "leader"], cluster="service")

    other = OrdinalGEE(
        score, table[["wave", "leader"]], groups=service, cov_struct=OrdinalIndependence()
    ).fit()
    factor = np.sqrt(300 / 299 * 2399 / (2400 - 5))
    assert result["value"].tolist() == pytest.approx(other.params.iloc[3:].tolist(), abs=1e-5)
    assert (result["standard_error"] / factor).tolist() == pytest.approx(
        other.bse.iloc[3:].tolist(), rel=1e-2
    )


def test_limits_from_clusters_are_students_with_clusters_minus_one():
    draws = np.random.default_rng(5)
    rows = pd.DataFrame(
        {
            "score": draws.integers(1, 6, 300),
            "wave": [0, 1] * 150,
            "service": np.repeat(np.arange(12), 25),
        }
    )

    row = ordinal_regression(rows, covariates=["wave"], cluster="service").iloc[0]

    half = stats.t.ppf(0.975, 11) * row["standard_error"]
    assert row["upper"] - row["value"] == pytest.approx(half)


@pytest.mark.parametrize(
    "compute",
    [
        lambda levels: nonresponse_difference(SURVEYS, confidence_levels=levels).iloc[:2],
        lambda levels: paired_shift(
            waves([1, 2, 3], [2, 3, 1]), linkage="linked", confidence_levels=levels
        ),
        lambda levels: mcnemar_test(
            waves([1, 5, 5], [5, 1, 5]), linkage="linked", confidence_levels=levels
        ),
        lambda levels: agreement_share(answers(5, 1), item="plan", confidence_levels=levels),
        lambda levels: ordinal_regression(
            pd.DataFrame({"score": [1, 2, 3, 3, 1] * 40, "wave": [0, 1] * 100}),
            covariates=["wave"],
            confidence_levels=levels,
        ),
    ],
)
def test_both_levels_come_from_one_call_and_the_higher_is_wider(compute):
    rows = compute((0.95, 0.998))

    assert rows["confidence_level"].tolist() == [0.95, 0.998]
    assert (rows["upper"] - rows["lower"]).is_monotonic_increasing


def test_a_blank_number_of_invited_leaves_one_place_unknown_and_the_rest_as_they_were():
    other = SURVEYS.assign(municipality_code="1103", invited_count=[50, 40, np.nan])

    rows = nonresponse_difference(pd.concat([SURVEYS, other])).set_index("municipality_code")

    assert rows.loc["0301", "reason"].tolist() == [None] * 3
    assert rows.loc["1103", "reason"].tolist() == ["missing"] * 3


def test_a_blank_service_is_part_of_the_rest():
    rows = nonresponse_difference(SURVEYS.assign(service=["school", "care", None]))

    assert len(rows) == 3
    assert rows.set_index("service").loc["school", "rest_share"] == 0.5


REWORDED = crosswalk(
    ("0301", 0, "plan", "same"),
    ("0301", 1, "plan", "same"),
    ("0301", 0, "time", "same"),
    ("0301", 1, "time", "reworded"),
)


@pytest.mark.parametrize(
    "change",
    [
        cliffs_delta,
        probability_of_superiority,
        lambda table, **chosen: paired_shift(table, linkage="linked", **chosen),
        lambda table, **chosen: mcnemar_test(table, linkage="linked", **chosen),
        lambda table, **chosen: share_change(table, linkage="linked", **chosen),
    ],
)
def test_a_reworded_item_is_refused_once_for_each_service(change):
    one = waves([5, 1, 2], [5, 5, 1])
    both = pd.concat(
        [
            one.assign(service=name, respondent_id=name + one["respondent_id"].astype(str))
            for name in ("care", "school")
        ]
    )
    table = pd.concat([both, both.assign(item="time")])

    rows = change(
        table,
        by=("municipality_code", "service", "item"),
        crosswalk=REWORDED,
        confidence_levels=(0.95, 0.998),
    )

    assert rows["service"].tolist() == ["care"] * 4 + ["school"] * 4
    assert rows["reason"].tolist() == [None, None, "not_comparable", "not_comparable"] * 2
    assert rows.loc[rows["item"] == "time", ["value", "lower", "upper"]].isna().all(axis=None)
    assert set(RESULT_COLUMNS) <= set(rows)


def test_a_regression_leaves_out_answers_to_a_reworded_item_and_says_so():
    one = waves([1, 2, 3, 4, 5] * 10, [2, 3, 4, 5, 5] * 10)

    rows = ordinal_regression(
        pd.concat([one, one.assign(item="time")]), covariates=["wave"], crosswalk=REWORDED
    )

    assert rows["base"].dropna().tolist() == [100]
    assert rows["item"].dropna().tolist() == ["time"]
    assert sorted(rows["reason"].dropna()) == ["not_comparable"]


def test_a_crosswalk_judges_items_of_municipalities_between_waves_only():
    with pytest.raises(DataError, match="needs municipality_code and item"):
        share_change(waves([5], [5]), linkage="linked", crosswalk=REWORDED, by=("item",))
    with pytest.raises(DataError, match="parted by service"):
        cliffs_delta(
            waves([5], [5]).assign(service=["care", "school"]),
            column="service",
            first="care",
            second="school",
            crosswalk=REWORDED,
        )


POPULATION = pd.DataFrame(
    {"municipality_code": "0301", "wave": [0, 1], "population_count": [100, 80]}
)


@pytest.mark.parametrize("linkage", ["linked", "unlinked"])
def test_a_change_among_exactly_those_invited_has_narrower_limits_and_says_so(linkage):
    table = waves([5] * 20 + [1] * 30, [5] * 30 + [1] * 20)

    plain = share_change(table, linkage=linkage).iloc[0]
    finite = share_change(table, linkage=linkage, population=POPULATION).iloc[0]

    assert finite["value"] == plain["value"]
    assert plain["lower"] < finite["lower"] < finite["upper"] < plain["upper"]
    assert finite["method"].endswith(", finite population")
    assert (finite["before_population"], finite["after_population"]) == (100, 80)


def test_a_change_that_everybody_answered_has_no_sampling_error():
    everybody = POPULATION.assign(population_count=4)

    row = share_change(waves([5, 1, 1, 1], [5, 5, 1, 1]), linkage="linked", population=everybody)

    assert row[["lower", "value", "upper"]].iloc[0].tolist() == [0.25, 0.25, 0.25]


def test_a_design_effect_of_two_gives_the_limits_of_half_the_answers():
    table = waves([5] * 20 + [1] * 30, [5] * 30 + [1] * 20)

    doubled = share_change(table, linkage="unlinked", design_effect=2.0).iloc[0]
    half = share_change(waves([5] * 10 + [1] * 15, [5] * 15 + [1] * 10), linkage="unlinked").iloc[0]

    assert doubled[["lower", "upper"]].tolist() == pytest.approx(half[["lower", "upper"]].tolist())
    assert doubled["method"].endswith(", design effect 2")


def test_partly_linked_answers_take_no_population():
    with pytest.raises(DataError, match="partly linked"):
        share_change(waves([5], [5]), linkage="partly_linked", population=POPULATION)


def test_the_callers_table_is_left_as_it_was():
    table = waves([5, 1], [5, 5])
    before = table.copy()

    share_change(table, linkage="linked")
    cliffs_delta(table)

    pd.testing.assert_frame_equal(table, before)
