import numpy as np
import pandas as pd
import pytest

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
