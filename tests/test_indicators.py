import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from evalkit.errors import DataError
from evalkit.indicators import (
    comparison_with_areas,
    comparison_with_peers,
    distance_to_target,
    funnel_limits,
    indicator_trend,
    inequality_indices,
    peer_group,
    reach_probability,
    yearly_values,
)
from evalkit.uncertainty import newcombe_difference_interval


def series(*values, code="0301", first_year=2015):
    return pd.DataFrame(
        {
            "municipality_code": code,
            "indicator_id": "falls",
            "year": range(first_year, first_year + len(values)),
            "value": values,
        }
    )


def target(value, year=2025, direction="at_least", code="0301"):
    return pd.DataFrame(
        {
            "municipality_code": [code],
            "indicator_id": ["falls"],
            "direction": [direction],
            "target_value": [value],
            "target_year": [year],
        }
    )


def test_the_last_observation_of_a_year_counts_and_other_areas_do_not():
    observations = pd.DataFrame(
        {
            "municipality_code": ["0301", "0301", None],
            "indicator_id": "falls",
            "area": [None, None, "Norge"],
            "group": None,
            "period": ["2019-03", "2019-10", "2019"],
            "value": [1.0, 2.0, 9.0],
            "numerator": np.nan,
            "denominator": np.nan,
        }
    )

    result = yearly_values(observations)

    assert result[["year", "value"]].to_numpy().tolist() == [[2019, 2.0]]


@pytest.mark.parametrize(
    ("early", "late"),
    [("spring", "autumn"), ("winter", "spring"), ("summer", "autumn"), ("H1", "autumn")],
)
def test_the_last_period_of_a_year_goes_by_the_calendar_and_not_by_the_alphabet(early, late):
    observations = pd.DataFrame(
        {
            "municipality_code": "0301",
            "indicator_id": "falls",
            "period": [f"2019-{late}", f"2019-{early}"],
            "value": [2.0, 1.0],
            "numerator": np.nan,
            "denominator": np.nan,
            "area": None,
            "group": None,
        }
    )

    assert yearly_values(observations)["value"].tolist() == [2.0]


def test_groups_whose_order_is_text_are_refused():
    table = groups(11.0, 13.0, 15.0, 17.0, 19.0)

    with pytest.raises(DataError, match="group_order: text in rows 2, 3, 4, 5, 6"):
        inequality_indices(table.assign(group_order=["1", "2", "3", "4", "10"]))


def test_groups_are_ordered_by_an_ordered_categorical():
    table = groups(11.0, 13.0, 15.0, 17.0, 19.0)
    words = ["grunnskole", "fagskole", "videregående", "bachelor", "master"]
    named = table.assign(group_order=pd.Categorical(words, words, ordered=True))

    ours, plain = (inequality_indices(rows)["value"].tolist() for rows in (named, table))

    assert ours == plain


def test_the_path_to_the_target_is_the_remaining_distance_over_the_years_left():
    result = distance_to_target(series(40.0, 44.0, 50.0), target(60.0, 2022)).iloc[0]

    assert result["remaining_distance"] == 10.0
    assert result["needed_per_year"] == 2.0
    assert result["achieved_per_year"] == 5.0
    assert result["progress_share"] == 0.5


def test_a_target_to_stay_below_is_met_from_above():
    result = distance_to_target(series(8.0, 5.0), target(6.0, 2022, "at_most")).iloc[0]

    assert result["reached"]
    assert result["remaining_distance"] == -1.0
    assert np.isnan(result["needed_per_year"])


def test_a_target_without_a_value_is_missing_and_not_failed():
    result = distance_to_target(series(np.nan, np.nan), target(6.0)).iloc[0]

    assert result["reason"] == "missing"
    assert pd.isna(result["reached"])


def test_an_unknown_direction_is_refused():
    with pytest.raises(DataError, match="at_least, at_most"):
        distance_to_target(series(1.0), target(2.0, direction="up"))


def test_the_trend_and_its_interval_equal_those_of_a_regression_library():
    values = series(3.0, 5.0, np.nan, 4.0, 8.0, 9.0)

    result = indicator_trend(values, errors="independent", confidence_levels=[0.95]).iloc[0]

    seen = values.dropna()
    fitted = sm.OLS(seen["value"], sm.add_constant(seen["year"].astype(float))).fit()
    assert result["value"] == pytest.approx(fitted.params["year"])
    assert [result["lower"], result["upper"]] == pytest.approx(
        fitted.conf_int().loc["year"].tolist()
    )


def test_three_years_are_too_few_for_a_trend():
    result = indicator_trend(series(1.0, 2.0, 3.0))

    assert result["reason"].tolist() == ["too_few_periods"]
    assert result["value"].isna().all()


def test_the_wider_level_gives_the_wider_interval_in_the_next_row():
    result = indicator_trend(series(1.0, 3.0, 2.0, 5.0, 4.0), confidence_levels=(0.95, 0.998))

    assert result["confidence_level"].tolist() == [0.95, 0.998]
    assert result["upper"].is_monotonic_increasing


def test_the_prediction_equals_that_of_a_regression_library():
    values = series(3.0, 5.0, 4.0, 8.0, 9.0, 9.5)

    result = reach_probability(
        values, target(15.0, 2023), rule="linear_trend", confidence_levels=[0.95]
    ).iloc[0]

    fitted = sm.OLS(values["value"], sm.add_constant(values["year"].astype(float))).fit()
    ahead = fitted.get_prediction([[1.0, 2023.0]])
    assert result["value"] == pytest.approx(ahead.predicted_mean[0])
    assert [result["lower"], result["upper"]] == pytest.approx(ahead.conf_int(obs=True)[0].tolist())
    error = np.sqrt(ahead.var_pred_mean[0] + ahead.var_resid)
    chance = stats.t.sf((15.0 - result["value"]) / error, 4)
    assert result["reach_probability"] == pytest.approx(chance)


def test_a_random_walk_without_trend_reaches_its_own_level_half_the_time():
    values = series(5.0, 6.0, 5.0, 6.0, 5.0)

    result = reach_probability(values, target(5.0, 2022), rule="random_walk").iloc[0]

    assert result["value"] == 5.0
    assert result["reach_probability"] == pytest.approx(0.5)


def test_a_random_walk_over_a_missing_year_is_refused():
    values = series(5.0, 6.0, np.nan, 6.0, 5.0, 7.0)

    result = reach_probability(values, target(5.0), rule="random_walk").iloc[0]

    assert result["reason"] == "design_cannot_answer"


def test_a_target_year_that_has_passed_has_no_probability():
    values = series(5.0, 6.0, 7.0, 6.0, 5.0)

    result = reach_probability(values, target(5.0, 2018), rule="linear_trend").iloc[0]

    assert result["reason"] == "design_cannot_answer"
    assert np.isnan(result["reach_probability"])


def test_values_without_scatter_have_no_interval_and_no_probability():
    values = series(1.0, 2.0, 3.0, 4.0, 5.0)

    trend = indicator_trend(values).iloc[0]
    chances = [
        reach_probability(values, target(7.0, 2021), rule=rule).iloc[0]
        for rule in ("linear_trend", "random_walk")
    ]

    assert trend["value"] == pytest.approx(1.0)
    assert np.isnan(trend["lower"])
    assert {trend["reason"], *(row["reason"] for row in chances)} == {"design_cannot_answer"}
    assert all(np.isnan(row["reach_probability"]) for row in chances)


def profiles(*sizes):
    return pd.DataFrame(
        {"municipality_code": [f"{n:04d}" for n in range(len(sizes))], "size": sizes, "age": sizes}
    )


def test_the_nearest_municipality_is_the_first_peer():
    result = peer_group(profiles(1.0, 2.0, 4.0, 8.0), characteristics=["size", "age"], peer_count=2)

    own = result.loc[result["municipality_code"] == "0000", ["peer_code", "peer_rank"]]
    assert own.to_numpy().tolist() == [["0001", 1], ["0002", 2]]


def test_the_distance_is_in_standard_deviations():
    result = peer_group(profiles(1.0, 2.0, 3.0), characteristics=["size", "age"], peer_count=1)

    assert result["distance"].iloc[0] == pytest.approx(1.0)


def test_a_municipality_without_a_characteristic_is_nobodys_peer():
    result = peer_group(profiles(1.0, np.nan, 3.0, 4.0), characteristics=["size"], peer_count=2)

    assert "0001" not in set(result["peer_code"].dropna())
    assert result.loc[result["municipality_code"] == "0001", "reason"].tolist() == ["missing"]


def test_too_few_municipalities_make_no_peer_group():
    result = peer_group(profiles(1.0, 2.0), characteristics=["size"], peer_count=5)

    assert result["reason"].tolist() == ["too_few_donors"] * 2


def test_a_value_stands_beside_the_median_of_its_peers():
    codes = ["0000", "0001", "0002", "0003"]
    values = pd.concat(
        [
            series(number, code=code)
            for number, code in zip([5.0, 1.0, 2.0, 9.0], codes, strict=True)
        ]
    )
    peers = pd.DataFrame({"municipality_code": "0000", "peer_code": codes[1:]})

    result = comparison_with_peers(values, peers, minimum_peers=3).iloc[0]

    assert result["peer_median"] == 2.0
    assert result["difference"] == 3.0
    assert result["rank"] == 2
    assert [result["peer_lower_quartile"], result["peer_upper_quartile"]] == [1.5, 5.5]
    assert "lower" not in result, "quartiles of peers are no confidence limits"


def test_too_few_peers_with_a_value_withhold_the_comparison():
    values = pd.concat([series(5.0), series(np.nan, code="0001")])
    peers = pd.DataFrame({"municipality_code": ["0301"], "peer_code": ["0001"]})

    result = comparison_with_peers(values, peers, minimum_peers=1).iloc[0]

    assert result["reason"] == "too_few_donors"
    assert np.isnan(result["peer_median"])


def counted(count, base, **more):
    return series(count / base).assign(numerator=float(count), denominator=float(base), **more)


def test_a_municipality_without_peers_has_no_row_beside_its_peers():
    values = pd.DataFrame(
        {"municipality_code": ["0301"], "indicator_id": "a", "year": 2020, "value": [1.0]}
    )
    peers = pd.DataFrame({"municipality_code": ["0301"], "peer_code": [None]})

    assert comparison_with_peers(values, peers).empty


def test_the_municipality_is_taken_out_of_its_county_before_the_comparison():
    own = counted(20, 100)
    county = counted(120, 600, area="county")

    result = comparison_with_areas(own, county, areas_contain_municipality=True).iloc[0]

    assert result["area_value"] == pytest.approx(100 / 500)
    assert result["value"] == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("count", "base", "other_count", "other_base", "lower", "upper"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (9, 10, 3, 10, 0.1705, 0.8090),
        (5, 56, 0, 29, -0.0381, 0.1926),
    ],
)
def test_the_interval_of_a_difference_matches_newcombe_1998(
    count, base, other_count, other_base, lower, upper
):
    own, other = counted(count, base), counted(other_count, other_base, area="country")

    result = comparison_with_areas(own, other, areas_contain_municipality=False).iloc[0]

    assert [result["lower"], result["upper"]] == pytest.approx([lower, upper], abs=5e-5)


def test_values_without_counts_are_compared_without_an_interval():
    other = series(3.0).assign(area="country")

    result = comparison_with_areas(series(5.0), other, areas_contain_municipality=True).iloc[0]

    assert result["value"] == 2.0
    assert np.isnan(result["lower"])
    assert result["method"] == "difference, no interval"


def funnel_counts(*pairs):
    return pd.DataFrame(pairs, columns=["count", "base"]).assign(
        municipality_code=[f"{n:04d}" for n in range(len(pairs))]
    )


def test_exact_limits_leave_the_stated_share_outside():
    counts = funnel_counts((50, 100))

    result = funnel_limits(counts, kind="share", comparison_value=0.5, confidence_levels=[0.95])

    law = stats.binom(100, 0.5)
    row = result.iloc[0]
    assert law.cdf(np.ceil(row["lower"] * 100) - 1) <= 0.025 + 0.01
    assert law.cdf(np.floor(row["upper"] * 100)) >= 0.975 - 0.01
    assert [row["lower"], row["upper"]] == pytest.approx([0.402, 0.598], abs=0.01)


def test_a_municipality_far_from_the_rest_lies_outside_the_funnel():
    counts = funnel_counts((30, 100), (31, 100), (29, 100), (90, 100))

    result = funnel_limits(counts, kind="share", comparison_value=0.3, confidence_levels=[0.998])

    assert result["position"].tolist() == ["within", "within", "within", "above"]


def test_overdispersion_widens_the_funnel():
    counts = funnel_counts(*[(n, 100) for n in (10, 20, 30, 40, 50, 60)])

    plain = funnel_limits(counts, kind="ratio")
    wide = funnel_limits(counts, kind="ratio", overdispersion="additive")
    wider = funnel_limits(counts, kind="ratio", overdispersion="multiplicative")

    assert wide["dispersion"].iloc[0] > 1
    assert (wide["upper"] > plain["upper"]).all()
    assert (wider["upper"] > plain["upper"]).all()


def test_overdispersion_of_four_municipalities_cannot_be_known():
    counts = funnel_counts((10, 100), (20, 100), (30, 100), (40, 100))

    result = funnel_limits(counts, kind="ratio", overdispersion="additive")

    assert set(result["reason"]) == {"too_few_clusters"}
    assert result["lower"].isna().all()
    assert result["value"].notna().all()


def test_a_base_of_zero_is_refused_in_its_row():
    result = funnel_limits(funnel_counts((1, 10), (0, 0), (2, 10)), kind="share")

    assert result.set_index("municipality_code")["reason"]["0001"] == "base_too_small"


def test_a_count_of_zero_is_refused_on_a_log_scale():
    with pytest.raises(DataError, match="square-root"):
        funnel_limits(funnel_counts((0, 10), (3, 10)), kind="rate", scale="log")


def groups(*values, population=None, **more):
    return pd.DataFrame(
        {
            "municipality_code": "0301",
            "indicator_id": "falls",
            "group_order": range(1, len(values) + 1),
            "population": population or [100] * len(values),
            "value": values,
        }
    ).assign(**more)


def test_a_straight_gradient_has_its_two_ends_as_slope_and_ratio():
    result = inequality_indices(groups(11.0, 13.0, 15.0, 17.0, 19.0), confidence_levels=[0.95])

    assert result["value"].tolist() == pytest.approx([10.0, 2.0])


def test_the_slope_index_equals_weighted_regression_on_population_rank():
    table = groups(70.0, 74.0, 73.0, 78.0, 80.0, population=[50, 200, 100, 100, 50])

    result = inequality_indices(table, confidence_levels=[0.95]).iloc[0]

    weight = table["population"] / 500
    rank = weight.cumsum() - weight / 2
    fitted = sm.WLS(table["value"], sm.add_constant(rank), weights=weight).fit()
    assert result["value"] == pytest.approx(fitted.params.iloc[1])
    assert [result["lower"], result["upper"]] == pytest.approx(fitted.conf_int().iloc[1].tolist())


def test_three_groups_make_no_gradient():
    result = inequality_indices(groups(1.0, 2.0, 3.0))

    assert set(result["reason"]) == {"design_cannot_answer"}


def test_real_series_get_a_trend_or_a_reason(shared_data):
    table = pd.read_csv(
        shared_data / "indicators" / "ssb05065_user_payments_homecare_2003_2016.csv",
        dtype={"knr": str},
    )
    values = table.rename(columns={"knr": "municipality_code", "user_payment_hbc": "value"})
    values = values.assign(
        indicator_id="user_payments", municipality_code=values["municipality_code"].str.zfill(4)
    )

    result = indicator_trend(values)

    assert len(result) == values["municipality_code"].nunique()
    assert (result["value"].notna() ^ result["reason"].notna()).all()


def test_a_difference_from_an_area_is_in_the_indicators_unit():
    own = pd.concat(
        [
            counted(20, 90).assign(value=22.2),
            counted(10, 50).assign(municipality_code="1103", value=20.0),
            series(25.0, code="4601"),
        ]
    )
    country = pd.concat(
        [
            counted(300, 1000, area="country").assign(municipality_code=code, value=30.0)
            for code in ("0301", "1103", "4601")
        ]
    )

    result = comparison_with_areas(
        own, country, areas_contain_municipality=False, confidence_levels=[0.95]
    ).set_index("municipality_code")

    assert result["own_value"].tolist() == pytest.approx([100 * 20 / 90, 20.0, 25.0])
    assert result["value"].tolist() == pytest.approx([100 * 20 / 90 - 30, -10.0, -5.0])
    low, high = newcombe_difference_interval(10, 50, 300, 1000)
    limits = result.loc["1103", ["lower", "upper"]].tolist()
    assert limits == pytest.approx([100 * low, 100 * high])
    assert result.loc["4601", "reason"] == "missing"
    assert np.isnan(result.loc["4601", "lower"])


def test_each_row_that_cannot_be_compared_has_its_own_reason():
    own = pd.concat(
        [
            counted(20, 100).assign(municipality_code="ok"),
            counted(130, 100).assign(municipality_code="above one"),
            counted(700, 900).assign(municipality_code="more than all"),
            counted(20, 100).assign(municipality_code="no area"),
            counted(20, 100).assign(municipality_code="blank count", numerator=np.nan),
            counted(20, 100).assign(municipality_code="other value", value=0.6),
        ]
    )
    county = pd.concat(
        [
            counted(200, 800, area="county").assign(municipality_code=code)
            for code in own["municipality_code"]
            if code != "no area"
        ]
    )

    result = comparison_with_areas(
        own, county, areas_contain_municipality=True, confidence_levels=[0.95]
    ).set_index("municipality_code")

    assert result["reason"].to_dict() == {
        "ok": None,
        "above one": "design_cannot_answer",
        "more than all": "not_comparable",
        "no area": "missing",
        "blank count": "missing",
        "other value": "design_cannot_answer",
    }
    assert result["lower"].notna().tolist() == [True] + [False] * 5
    assert result.loc["blank count", "value"] == pytest.approx(0.2 - 0.25)
    assert result.loc[["more than all", "no area"], "value"].isna().all()


def test_a_first_value_that_met_the_target_leaves_no_way_to_go():
    """From 8 to 7 with a target of at most 10, and on to 12: no share of a way."""
    for last in (7.0, 12.0):
        result = distance_to_target(series(8.0, last), target(10.0, direction="at_most")).iloc[0]

        assert np.isnan(result["progress_share"])
        assert result["reached"] == (last <= 10)


def test_a_blank_target_is_missing_and_neither_reached_nor_not():
    blank = target(np.nan)

    distance = distance_to_target(series(5.0, 6.0), blank).iloc[0]
    probability = reach_probability(series(5.0, 6.0, 8.0, 7.0), blank, rule="linear_trend")

    assert distance["reached"] is pd.NA
    assert distance["reason"] == "missing"
    assert distance["method"].startswith("description")
    assert set(probability["reason"]) == {"missing"}
    assert probability["value"].isna().all()


def test_a_year_in_two_rows_is_refused_by_row():
    twice = pd.concat([series(1.0, 2.0, 4.0, 3.0), series(9.0)])
    for ask in (
        lambda: indicator_trend(twice),
        lambda: distance_to_target(twice, target(5.0)),
        lambda: reach_probability(twice, target(5.0), rule="random_walk"),
    ):
        with pytest.raises(DataError, match="rows 2, 6: the same municipality_code"):
            ask()


def test_a_trend_says_on_how_many_years_it_rests_and_what_it_could_have_shown():
    values = series(1.0, np.nan, 3.0, 2.0, 5.0, 4.0)

    result = indicator_trend(values, confidence_levels=[0.95]).iloc[0]

    assert [result["count"], result["base"]] == [5, 6]
    width = (result["upper"] - result["lower"]) / 2
    assert result["smallest_change"] == pytest.approx(width * 2.801585 / 1.959964)
    assert result["reason"] is None


@pytest.mark.parametrize("pairs", [[(0, 10), (0, 20), (0, 30)], [(5, 5), (9, 9)]])
def test_a_funnel_around_nought_or_all_has_no_limits(pairs):
    result = funnel_limits(funnel_counts(*pairs), kind="share")

    assert set(result["reason"]) == {"design_cannot_answer"}
    assert result[["lower", "upper"]].isna().all(axis=None)
    assert result["value"].notna().all()


def test_groups_exactly_on_the_line_have_an_index_without_limits():
    result = inequality_indices(groups(2.0, 4.0, 6.0, 8.0))

    assert result["value"].notna().all()
    assert result[["lower", "upper"]].isna().all(axis=None)
    assert set(result["reason"]) == {"design_cannot_answer"}
    assert set(result["count"]) == {4}


def test_a_given_value_has_none_for_a_reason_beside_a_withheld_one():
    values = pd.concat([series(1.0, 2.0, 4.0, 3.0), series(1.0, code="1103")])
    targets = pd.concat([target(9.0), target(9.0, code="1103")])
    peers = pd.DataFrame({"municipality_code": ["0301", "1103"], "peer_code": ["1103", "4601"]})
    results = [
        indicator_trend(values),
        distance_to_target(values, pd.concat([targets, target(9.0, code="4601")])),
        reach_probability(values, targets, rule="linear_trend"),
        comparison_with_peers(values, peers, minimum_peers=1),
        funnel_limits(funnel_counts((1, 10), (2, 10), (np.nan, 5)), kind="share"),
        peer_group(profiles(1.0, 2.0, np.nan), characteristics=["size"], peer_count=1),
    ]

    for result in results:
        assert any(reason is None for reason in result["reason"])
        assert all(reason is None or isinstance(reason, str) for reason in result["reason"])
