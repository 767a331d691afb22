"""Interrupted time series: did level or trend change when the measure began?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

from evalkit.errors import DataError
from evalkit.reasons import checked_reason
from evalkit.uncertainty import COMMON_LEVELS

__all__ = ["interrupted_counts", "interrupted_series", "interrupted_series_path"]

FEWEST_PERIODS = 8  # on each side
TERMS = ("trend_before", "level_change", "trend_change", "trend_after")
COLUMNS = [
    "municipality_code",
    "indicator_id",
    "term",
    "pre_period_count",
    "post_period_count",
    "value",
    "standard_error",
    "lower",
    "upper",
    "p_value",
    "confidence_level",
    "residual_autocorrelation",
    "method",
    "reason",
]
SERIES = ["municipality_code", "indicator_id"]


def interrupted_series(
    values: pd.DataFrame,
    *,
    interrupted_at: int,
    lag_count: int = 1,
    confidence_levels: Sequence[float] = COMMON_LEVELS,
    minimum_periods: int = FEWEST_PERIODS,
) -> pd.DataFrame:
    """Change of level and of trend, by segmented regression with Newey-West errors.

    The model of each series is ``value = a + b time + c after + d (time since the start) after``.
    It has no comparison: whatever else happened at the same time is part of the change.

    Parameters
    ----------
    values
        Rows of ``municipality_code``, ``indicator_id``, ``period`` (whole numbers, one apart:
        years, or months counted from any start) and ``value``.
    interrupted_at
        First period with the measure.
    lag_count
        Lags over which periods are allowed to be correlated; 0 gives errors robust to unequal
        variance only.
    confidence_levels
        One row is given per series, term and level.
    minimum_periods
        Fewest periods with a value on each side; at least 3.

    Returns
    -------
    DataFrame
        ``municipality_code``, ``indicator_id``, ``term`` (``trend_before`` and ``trend_after``
        per period, ``level_change`` at the first period with the measure, ``trend_change``),
        ``pre_period_count``, ``post_period_count``, ``value``, ``standard_error``, ``lower``,
        ``upper``, ``p_value``, ``confidence_level``, ``residual_autocorrelation`` (lag 1),
        ``method``, ``reason`` (``missing``, ``too_few_periods``; ``design_cannot_answer`` for a
        gap between periods).

    References
    ----------
    Newey and West (1987), Econometrica 55, 703-708; Linden (2015), Stata Journal 15, 480-500.
    """
    _check_periods(minimum_periods)
    method = f"segmented regression, Newey-West errors with {lag_count} lags, t interval"
    rows = []
    for identity, series in values.groupby(SERIES, sort=True):
        head, reason, used = _screened(identity, series, interrupted_at, minimum_periods)
        head["method"] = method
        if reason:
            rows += _refused(head, TERMS, confidence_levels, reason)
            continue
        design = _segments(used["period"].to_numpy(dtype=float), interrupted_at)
        fitted = sm.OLS(used["value"].to_numpy(dtype=float), design).fit(
            cov_type="HAC", cov_kwds={"maxlags": lag_count, "use_correction": True}, use_t=True
        )
        contrasts = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 1]], dtype=float)
        estimates = contrasts @ fitted.params
        errors = np.sqrt(np.diag(contrasts @ fitted.cov_params() @ contrasts.T))
        head["residual_autocorrelation"] = _lag_one(fitted.resid)
        degrees = len(used) - design.shape[1]
        for term, value, error in zip(TERMS, estimates, errors, strict=True):
            for level in confidence_levels:
                margin = stats.t.ppf(0.5 + level / 2, degrees) * error
                rows.append(
                    {
                        **head,
                        "term": term,
                        "value": value,
                        "standard_error": error,
                        "lower": value - margin,
                        "upper": value + margin,
                        "p_value": 2 * stats.t.sf(abs(value) / error, degrees),
                        "confidence_level": level,
                        "reason": None,
                    }
                )
    return pd.DataFrame(rows, columns=COLUMNS)


def interrupted_series_path(values: pd.DataFrame, *, interrupted_at: int) -> pd.DataFrame:
    """The fitted line of each series, and where the earlier trend would have led.

    Parameters
    ----------
    values, interrupted_at
        As for ``interrupted_series``.

    Returns
    -------
    DataFrame
        One row per observed period: ``municipality_code``, ``indicator_id``, ``period``,
        ``value``, ``fitted_value`` and ``expected_value`` (the trend before, carried on; missing
        before the measure).
    """
    frames = []
    for _, series in values.loc[values["value"].notna()].groupby(SERIES, sort=True):
        used = series.sort_values("period")
        design = _segments(used["period"].to_numpy(dtype=float), interrupted_at)
        coefficient = np.linalg.lstsq(design, used["value"].to_numpy(dtype=float), rcond=None)[0]
        expected = design[:, :2] @ coefficient[:2]
        frames.append(
            used[[*SERIES, "period", "value"]].assign(
                fitted_value=design @ coefficient,
                expected_value=np.where(used["period"] >= interrupted_at, expected, np.nan),
            )
        )
    return pd.concat(frames, ignore_index=True)


def interrupted_counts(
    counts: pd.DataFrame,
    *,
    interrupted_at: int,
    season_length: int | None = None,
    harmonic_count: int = 2,
    confidence_levels: Sequence[float] = COMMON_LEVELS,
    minimum_periods: int = FEWEST_PERIODS,
) -> pd.DataFrame:
    """Ratio by which a rate changed when the measure began, given its trend and season.

    Poisson regression of counts with the exposed population as offset, a straight trend in the
    logarithm of the rate, and errors widened for overdispersion (quasi-Poisson).

    Parameters
    ----------
    counts
        Rows of ``municipality_code``, ``indicator_id``, ``period``, ``count`` and ``base``
        (persons or person-time exposed).
    interrupted_at
        First period with the measure.
    season_length
        Periods in a season's round, such as 12 for months; ``None`` leaves season out. Period 1
        is taken as the first of a round.
    harmonic_count
        Pairs of sine and cosine that describe the season.
    confidence_levels, minimum_periods
        As for ``interrupted_series``.

    Returns
    -------
    DataFrame
        As for ``interrupted_series``, with the terms ``rate_ratio`` (after against before) and
        ``trend_ratio`` (per period); ``standard_error`` is that of the logarithm.

    References
    ----------
    Lopez Bernal, Cummins and Gasparrini (2017), Int. J. Epidemiol. 46, 348-355.
    """
    _check_periods(minimum_periods)
    season = "" if season_length is None else f", {harmonic_count} harmonics of {season_length}"
    rows = []
    for identity, series in counts.groupby(SERIES, sort=True):
        complete = series.assign(value=series["count"].where(series["base"] > 0))
        head, reason, used = _screened(identity, complete, interrupted_at, minimum_periods)
        head["method"] = f"quasi-Poisson regression{season}, normal interval"
        if reason:
            rows += _refused(head, ("rate_ratio", "trend_ratio"), confidence_levels, reason)
            continue
        period = used["period"].to_numpy(dtype=float)
        columns = [np.ones_like(period), (period >= interrupted_at).astype(float), period]
        if season_length is not None:
            for harmonic in range(1, harmonic_count + 1):
                angle = 2 * np.pi * harmonic * period / season_length
                columns += [np.sin(angle), np.cos(angle)]
        model = sm.GLM(
            used["count"].to_numpy(dtype=float),
            np.column_stack(columns),
            family=sm.families.Poisson(),
            offset=np.log(used["base"].to_numpy(dtype=float)),
        )
        fitted = model.fit(scale="X2")
        head["residual_autocorrelation"] = _lag_one(fitted.resid_deviance)
        for term, place in (("rate_ratio", 1), ("trend_ratio", 2)):
            for level in confidence_levels:
                margin = stats.norm.ppf(0.5 + level / 2) * fitted.bse[place]
                rows.append(
                    {
                        **head,
                        "term": term,
                        "value": np.exp(fitted.params[place]),
                        "standard_error": fitted.bse[place],
                        "lower": np.exp(fitted.params[place] - margin),
                        "upper": np.exp(fitted.params[place] + margin),
                        "p_value": fitted.pvalues[place],
                        "confidence_level": level,
                        "reason": None,
                    }
                )
    return pd.DataFrame(rows, columns=COLUMNS)


def _segments(period: np.ndarray, interrupted_at: int) -> np.ndarray:
    after = (period >= interrupted_at).astype(float)
    since = (period - interrupted_at) * after
    return np.column_stack([np.ones_like(period), period - interrupted_at, after, since])


def _screened(identity, series, interrupted_at, minimum_periods):
    used = series.loc[series["value"].notna()].sort_values("period")
    before = int((used["period"] < interrupted_at).sum())
    head = {
        **dict(zip(SERIES, identity, strict=True)),
        "pre_period_count": before,
        "post_period_count": len(used) - before,
        "residual_autocorrelation": np.nan,
    }
    reason = None
    if used.empty:
        reason = "missing"
    elif min(before, len(used) - before) < minimum_periods:
        reason = "too_few_periods"
    elif (used["period"].diff().dropna() != 1).any():
        reason = "design_cannot_answer"
    return head, reason, used


def _refused(head, terms, levels, reason) -> list[dict]:
    blank = dict.fromkeys(("value", "standard_error", "lower", "upper", "p_value"), np.nan)
    return [
        {**head, **blank, "term": term, "confidence_level": level, "reason": checked_reason(reason)}
        for term in terms
        for level in levels
    ]


def _lag_one(residual: np.ndarray) -> float:
    total = (residual**2).sum()
    return float((residual[1:] * residual[:-1]).sum() / total) if total > 0 else np.nan


def _check_periods(minimum_periods: int) -> None:
    if minimum_periods < 3:
        raise DataError(f"minimum_periods {minimum_periods}; expected 3 or more")
