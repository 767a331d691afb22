import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from evalkit.errors import DataError
from evalkit.interruptions import (
    interrupted_counts,
    interrupted_series,
    interrupted_series_path,
)


def series(value, first=2000, code="0301"):
    return pd.DataFrame(
        {
            "municipality_code": code,
            "indicator_id": "falls",
            "period": range(first, first + len(value)),
            "value": value,
        }
    )


def broken_line(noise=0.0):
    """Rises by 2 a year; from year 10, falls by 5 at once and rises by 3 a year."""
    time = np.arange(20)
    after = time >= 10
    wobble = np.random.default_rng(1).normal(size=20)
    return 2.0 * time + after * (-5.0 + 1.0 * (time - 10)) + noise * wobble


def test_level_and_trend_of_a_broken_line_are_found():
    result = interrupted_series(series(broken_line(0.01)), interrupted_at=2010)

    by_term = result.groupby("term")["value"].first()
    assert by_term["trend_before"] == pytest.approx(2.0, abs=0.01)
    assert by_term["level_change"] == pytest.approx(-5.0, abs=0.05)
    assert by_term["trend_change"] == pytest.approx(1.0, abs=0.01)
    assert by_term["trend_after"] == pytest.approx(3.0, abs=0.01)


def test_the_trend_after_is_as_certain_as_when_measured_directly():
    """The trend after is the trend of the later half alone; so is its error without lags."""
    value = broken_line(1.0)
    whole = interrupted_series(series(value), interrupted_at=2010, confidence_levels=[0.95])

    slope = np.polyfit(np.arange(10), value[10:], 1)[0]
    after = whole.set_index("term").loc["trend_after"]
    assert after["value"] == pytest.approx(slope)
    assert after["lower"] < slope < after["upper"]


@pytest.mark.parametrize("lags", [0, 1, 3])
def test_newey_west_errors_of_a_broken_line_are_those_of_statsmodels(lags):
    value, time = broken_line(1.0), np.arange(20) - 10.0
    after = (time >= 0).astype(float)
    design = np.column_stack([np.ones(20), time, after, after * time])

    result = interrupted_series(
        series(value),
        interrupted_at=2010,
        lag_count=lags,
        errors="newey_west",
        confidence_levels=[0.95],
    ).set_index("term")

    fitted = sm.OLS(value, design).fit(
        cov_type="HAC", cov_kwds={"maxlags": lags, "use_correction": True}, use_t=True
    )
    terms = result.loc[["trend_before", "level_change", "trend_change"]]
    assert terms["standard_error"].tolist() == pytest.approx(fitted.bse[1:])
    assert terms[["lower", "upper"]].to_numpy() == pytest.approx(fitted.conf_int()[1:])


def test_the_path_carries_the_earlier_trend_on():
    path = interrupted_series_path(series(broken_line()), interrupted_at=2010)

    later = path[path["period"] >= 2010]
    assert path.loc[path["period"] < 2010, "expected_value"].isna().all()
    assert later["expected_value"].tolist() == pytest.approx([2.0 * n for n in range(10, 20)])
    assert path["fitted_value"].tolist() == pytest.approx(path["value"].tolist())


def test_few_periods_after_are_refused():
    result = interrupted_series(series(broken_line()), interrupted_at=2017)

    assert set(result["reason"]) == {"too_few_periods"}
    assert result["value"].isna().all()


def test_a_gap_between_periods_cannot_be_answered():
    gap = series(broken_line())
    gap.loc[4, "value"] = np.nan

    result = interrupted_series(gap, interrupted_at=2010)

    assert set(result["reason"]) == {"design_cannot_answer"}


def test_each_municipality_gets_its_own_rows():
    both = pd.concat([series(broken_line(0.1)), series([np.nan] * 20, code="1103")])

    result = interrupted_series(both, interrupted_at=2010, confidence_levels=[0.95])

    assert result.groupby("municipality_code").size().tolist() == [4, 4]
    assert set(result.loc[result["municipality_code"] == "1103", "reason"]) == {"missing"}


def test_a_halved_rate_is_a_ratio_of_one_half():
    months = np.arange(1, 49)
    counts = pd.DataFrame(
        {
            "municipality_code": "0301",
            "indicator_id": "falls",
            "period": months,
            "count": np.where(months < 25, 200, 100) + months % 2,
            "base": 1000.0,
        }
    )

    result = interrupted_counts(counts, interrupted_at=25, season_length=12)

    ratio = result[result["term"] == "rate_ratio"].iloc[0]
    assert ratio["value"] == pytest.approx(0.5, abs=0.02)
    assert ratio["lower"] < 0.5 < ratio["upper"]


def test_three_periods_are_the_least_that_may_be_asked_for():
    with pytest.raises(DataError, match="3 or more"):
        interrupted_series(series(broken_line()), interrupted_at=2010, minimum_periods=2)


def test_newey_west_errors_are_those_of_statsmodels():
    value = broken_line(1.0)
    result = interrupted_series(
        series(value), interrupted_at=2010, lag_count=2, errors="newey_west"
    ).set_index("term")

    time = np.arange(20)
    after = (time >= 10).astype(float)
    design = np.column_stack([np.ones(20), time - 10, after, (time - 10) * after])
    fitted = sm.OLS(value, design).fit(
        cov_type="HAC", cov_kwds={"maxlags": 2, "use_correction": True}, use_t=True
    )
    level = result.loc["level_change"]
    assert level["standard_error"] == pytest.approx(fitted.bse[2])
    assert [level["lower"], level["upper"]] == pytest.approx(fitted.conf_int()[2].tolist())


@pytest.mark.parametrize("correlation", [0.0, 0.4])
def test_limits_of_eight_periods_on_each_side_cover_nothing_where_nothing_happened(correlation):
    """Newey-West errors alone cover in 80 to 84 of 100 without correlation, in 70 with 0.4."""
    generator = np.random.default_rng(9)
    noise = generator.normal(size=(250, 76))
    for period in range(1, 76):
        noise[:, period] += correlation * noise[:, period - 1]
    many = pd.concat([series(row[60:], code=f"{n:04d}") for n, row in enumerate(noise)])

    result = interrupted_series(many, interrupted_at=2008, confidence_levels=[0.95])

    covered = (result["lower"] <= 0) & (result["upper"] >= 0)
    assert covered.mean() > 0.92


def test_more_lags_than_a_quarter_of_the_periods_are_refused():
    for lags in (25, 6, -1):
        with pytest.raises(DataError, match="0 to 5, a quarter of the periods"):
            interrupted_series(series(broken_line()), interrupted_at=2010, lag_count=lags)


def test_a_series_that_lies_on_its_lines_has_no_limits():
    result = interrupted_series(series(broken_line()), interrupted_at=2010)

    assert set(result["reason"]) == {"design_cannot_answer"}
    assert result["value"].notna().all()
    assert result[["lower", "upper", "p_value"]].isna().all(axis=None)


def test_strong_autocorrelation_gives_a_warning():
    generator = np.random.default_rng(2)
    wandering = generator.normal(size=40).cumsum()

    result = interrupted_series(series(wandering), interrupted_at=2020)

    assert result["autocorrelation_warning"].all()
    assert not interrupted_series(series(broken_line(1.0)), interrupted_at=2010)[
        "autocorrelation_warning"
    ].any()


def test_a_result_says_how_many_periods_it_rests_on():
    blank = series([np.nan, *broken_line(1.0)])

    result = interrupted_series(blank, interrupted_at=2011, confidence_levels=[0.95]).iloc[0]

    assert [result["count"], result["base"]] == [20, 21]
    assert result["reason"] is None
    assert result["smallest_change"] > 0


def test_a_period_in_two_rows_is_refused_by_row():
    twice = pd.concat([series(broken_line()), series([1.0])])

    for result in (interrupted_series, interrupted_counts):
        with pytest.raises(DataError, match="rows 2, 22: the same municipality_code"):
            result(twice.assign(count=5.0, base=10.0), interrupted_at=2010)


def test_no_series_have_an_empty_path():
    for values in (series([np.nan] * 20), series(broken_line()).iloc[:0]):
        path = interrupted_series_path(values, interrupted_at=2010)

        assert path.empty
        assert path.columns[-2:].tolist() == ["fitted_value", "expected_value"]


def monthly(count, base=1000.0):
    return series(count, first=1).rename(columns={"value": "count"}).assign(base=base)


@pytest.mark.parametrize(
    "count", [[0] * 48, [200] * 24 + [0] * 24, [0] * 24 + [200] * 24, [1] * 9 + [0] * 39]
)
def test_few_events_on_a_side_are_too_few_for_a_ratio(count):
    result = interrupted_counts(monthly(count), interrupted_at=25)

    assert set(result["reason"]) == {"too_few"}
    assert result[["value", "lower", "upper"]].isna().all(axis=None)


def test_counts_that_hardly_scatter_keep_the_error_of_poisson():
    result = interrupted_counts(monthly([200] * 48), interrupted_at=25, confidence_levels=[0.95])

    ratio = result.iloc[0]
    assert ratio["dispersion"] < 1
    assert ratio["value"] == pytest.approx(1.0)
    assert ratio["standard_error"] == pytest.approx(2 * np.sqrt(2 / 4800), rel=0.02)
    assert ratio["smallest_change"] == pytest.approx(np.exp(2.8 * 2 * np.sqrt(2 / 4800)), rel=0.01)


def test_events_are_counted_over_their_person_time():
    result = interrupted_counts(monthly(np.arange(48) + 50), interrupted_at=25).iloc[0]

    assert [result["count"], result["base"]] == [3528, 48000]


def test_the_t_interval_of_a_ratio_is_the_wider_one():
    counts = monthly(np.random.default_rng(1).poisson(30, size=20))
    t, normal = (
        interrupted_counts(counts, interrupted_at=11, interval=interval).iloc[0]
        for interval in ("t", "normal")
    )

    assert t["lower"] < normal["lower"] < normal["upper"] < t["upper"]


def test_more_harmonics_than_the_season_can_tell_apart_are_refused():
    with pytest.raises(DataError, match="fewer than half of 4"):
        interrupted_counts(monthly([20] * 48), interrupted_at=25, season_length=4)


def test_a_count_of_a_milliard_among_hundreds_gives_a_reason_and_no_numpy_error():
    rows = pd.DataFrame(
        {
            "municipality_code": "0301",
            "indicator_id": "absence",
            "period": range(2012, 2024),
            "count": [1e9, 62, 40, 71, 55, 38, 64, 58, 47, 69, 52, 44],
            "base": 300.0,
        }
    )
    result = interrupted_counts(rows, interrupted_at=2018, minimum_periods=4)

    blank = result[["value", "lower", "upper"]].isna().any(axis=1)
    assert blank.any()
    assert result.loc[blank, "reason"].notna().all()
