"""Interrupted time series: did level or trend change when the measure began?"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

from evalkit.accepted import CODE, COUNT, KEY, NUMBER, WHOLE, WHOLE_COUNT, Rows, accepts
from evalkit.autocorrelation import autoregressive_process, fewer_degrees
from evalkit.errors import DataError
from evalkit.goals import smallest_detectable_change
from evalkit.reasons import checked_reason
from evalkit.uncertainty import STANDARD_LEVELS

__all__ = ["interrupted_counts", "interrupted_series", "interrupted_series_path"]

FEWEST_PERIODS = 8  # on each side
FEWEST_EVENTS = 10  # on each side; with fewer a ratio of rates is anybody's guess
STRONG_AUTOCORRELATION = 0.5  # above, a 95 % interval covers about 90 %
MOST_UNLIKE = 1e6  # condition above which rounding outweighs what the smaller counts tell
NOUGHT = 1e-10  # of the largest value: what arithmetic leaves of residuals of nought
ERRORS = ("small_sample", "newey_west")
INTERVALS = ("t", "normal")
TERMS = ("trend_before", "level_change", "trend_change", "trend_after")
COLUMNS = [
    "municipality_code",
    "indicator_id",
    "term",
    "pre_period_count",
    "post_period_count",
    "count",
    "base",
    "value",
    "standard_error",
    "lower",
    "upper",
    "p_value",
    "smallest_change",
    "confidence_level",
    "residual_autocorrelation",
    "method",
    "reason",
]
SERIES = ["municipality_code", "indicator_id"]


@accepts(
    values=Rows(
        {"municipality_code": CODE, "indicator_id": KEY, "period": WHOLE, "value": NUMBER},
        once=("municipality_code", "indicator_id", "period"),
    )
)
def interrupted_series(
    values: pd.DataFrame,
    *,
    interrupted_at: int,
    lag_count: int | None = None,
    errors: str = "small_sample",
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
    minimum_periods: int = FEWEST_PERIODS,
) -> pd.DataFrame:
    """Change of level and of trend, by segmented regression with Newey-West errors.

    The model of each series is ``value = a + b time + c after + d (time since the start) after``.
    It has no comparison: whatever else happened at the same time is part of the change.

    Newey-West errors alone are far too small in short series: with eight periods on each side,
    95 % limits hold the truth in 80 to 86 of 100. With ``errors="small_sample"`` the residuals
    are first divided by one minus their leverage, and where an autoregressive process, at the
    mean of its restricted likelihood, gives a larger error, that one is used; the t quantile has
    as many degrees of freedom as independent periods would give the same information.

    Parameters
    ----------
    values
        Rows of ``municipality_code``, ``indicator_id``, ``period`` (whole numbers, one apart:
        years, or months counted from any start) and ``value``.
    interrupted_at
        First period with the measure.
    lag_count
        Lags over which Newey-West lets periods be correlated, at most a quarter of the periods;
        0 gives errors robust to unequal variance only. By default 4(n/100)^(2/9), rounded down.
    errors
        ``"small_sample"``, or ``"newey_west"``: as other programs print them, for comparison.
    confidence_levels
        One row is given per series, term and level.
    minimum_periods
        Fewest periods with a value on each side; at least 3.

    Returns
    -------
    DataFrame
        ``municipality_code``, ``indicator_id``, ``term`` (``trend_before`` and ``trend_after``
        per period, ``level_change`` at the first period with the measure, ``trend_change``),
        ``pre_period_count``, ``post_period_count``, ``count`` (periods with a value), ``base``
        (periods in the table), ``value``, ``standard_error``, ``lower``, ``upper``, ``p_value``,
        ``smallest_change`` (found in four of five cases, from the interval's width),
        ``confidence_level``, ``residual_autocorrelation`` (lag 1), ``autocorrelation`` and
        ``autocorrelation_warning`` (the process's, corrected for the short series, and whether
        it is so strong that limits are still too narrow; ``small_sample`` only), ``method``,
        ``reason`` (``missing``, ``too_few_periods``; ``design_cannot_answer`` for a gap between
        periods and, limits only, for a series that lies exactly on its lines).

    Raises
    ------
    DataError
        If a series has a period twice, or ``lag_count`` is more than a quarter of its periods.

    References
    ----------
    Newey and West (1987), Econometrica 55, 703-708; Linden (2015), Stata Journal 15, 480-500;
    Turner et al. (2021), BMC Medical Research Methodology 21, 181 (short series).
    """
    _known("errors", errors, ERRORS)
    rows = []
    for identity, series in values.groupby(SERIES, sort=True):
        head, reason, used = _screened(identity, series, interrupted_at, minimum_periods)
        lags = _lags(lag_count, len(used), reason)
        head["method"] = (
            f"segmented regression, Newey-West errors with {lags} lags"
            + (", small-sample" if errors == "small_sample" else "")
            + ", t interval"
        )
        if reason:
            rows += _refused(head, TERMS, confidence_levels, reason)
            continue
        design = _segments(used["period"].to_numpy(dtype=float), interrupted_at)
        found = _segmented(design, used["value"].to_numpy(dtype=float), lags, errors)
        head |= found["series"]
        for term, value, error in zip(TERMS, found["value"], found["error"], strict=True):
            for level in confidence_levels:
                row = {**head, "term": term, "value": value, "confidence_level": level}
                rows.append(row | _limits(value, error, found["degrees"], level))
    return _finished(rows, [*COLUMNS[:-2], "autocorrelation", "autocorrelation_warning"])


@accepts(
    values=Rows(
        {"municipality_code": CODE, "indicator_id": KEY, "period": WHOLE, "value": NUMBER},
        once=("municipality_code", "indicator_id", "period"),
    )
)
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
        before the measure, and where fewer than two periods lie before it).
    """
    columns = [*SERIES, "period", "value", "fitted_value", "expected_value"]
    frames = [pd.DataFrame(columns=columns)]
    for _, series in values.loc[values["value"].notna()].groupby(SERIES, sort=True):
        used = series.sort_values("period")
        design = _segments(used["period"].to_numpy(dtype=float), interrupted_at)
        coefficient = np.linalg.lstsq(design, used["value"].to_numpy(dtype=float), rcond=None)[0]
        expected = design[:, :2] @ coefficient[:2]
        told = (used["period"] >= interrupted_at) & ((used["period"] < interrupted_at).sum() > 1)
        frames.append(
            used[[*SERIES, "period", "value"]].assign(
                fitted_value=design @ coefficient,
                expected_value=np.where(told, expected, np.nan),
            )
        )
    return pd.concat(frames[1:] or frames, ignore_index=True)


@accepts(
    counts=Rows(
        {
            "municipality_code": CODE,
            "indicator_id": KEY,
            "period": WHOLE,
            "count": WHOLE_COUNT,
            "base": COUNT,
        },
        once=("municipality_code", "indicator_id", "period"),
    )
)
def interrupted_counts(
    counts: pd.DataFrame,
    *,
    interrupted_at: int,
    season_length: int | None = None,
    harmonic_count: int = 2,
    interval: str = "t",
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
    minimum_periods: int = FEWEST_PERIODS,
) -> pd.DataFrame:
    """Ratio by which a rate changed when the measure began, given its trend and season.

    Poisson regression of counts with the exposed population as offset, a straight trend in the
    logarithm of the rate, and errors widened for overdispersion (quasi-Poisson). Counts that
    scatter less than Poisson do not make them narrower. Where an autoregressive process behind the
    residuals, averaged over what its correlation may be, gives a larger error, that one is used,
    with the degrees of freedom of as many independent periods as would tell as much.

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
        Pairs of sine and cosine that describe the season; fewer than half its length.
    interval
        ``"t"``, or ``"normal"``: quasi-Poisson errors alone, as R's confint.default, for
        comparison; it covers too seldom where neighbouring periods are alike.
    confidence_levels, minimum_periods
        As for ``interrupted_series``.

    Returns
    -------
    DataFrame
        As for ``interrupted_series``, with the terms ``rate_ratio`` (after against before) and
        ``trend_ratio`` (per period); ``count`` (events), ``base`` (person-time, summed over the
        periods), ``standard_error`` (of the logarithm), ``smallest_change`` (a ratio above 1)
        and ``dispersion`` (1 is Poisson; before any widening). Fewer than ten events on a side
        are ``too_few``; counts of so unlike size that the smaller tell nothing beside the others,
        ``design_cannot_answer``.

    References
    ----------
    Lopez Bernal, Cummins and Gasparrini (2017), Int. J. Epidemiol. 46, 348-355.
    """
    _known("interval", interval, INTERVALS)
    if season_length is not None and 2 * harmonic_count >= season_length:
        raise DataError(
            f"harmonic_count {harmonic_count}; expected fewer than half of {season_length}"
        )
    season = "" if season_length is None else f", {harmonic_count} harmonics of {season_length}"
    rows = []
    for identity, series in counts.groupby(SERIES, sort=True):
        complete = series.assign(value=series["count"].where(series["base"] > 0))
        head, reason, used = _screened(identity, complete, interrupted_at, minimum_periods)
        alike = ", autoregressive errors" if interval == "t" else ""
        head["method"] = f"quasi-Poisson regression{season}{alike}, {interval} interval"
        head |= {"count": used["count"].sum(), "base": used["base"].sum(), "dispersion": np.nan}
        after = used["period"] >= interrupted_at
        if reason is None and used["count"].groupby(after).sum().min() < FEWEST_EVENTS:
            reason = "too_few"
        period = used["period"].to_numpy(dtype=float)
        columns = [np.ones_like(period), after.to_numpy(dtype=float), period]
        if season_length is not None:
            for harmonic in range(1, harmonic_count + 1):
                angle = 2 * np.pi * harmonic * period / season_length
                columns += [np.sin(angle), np.cos(angle)]
        if reason is None and len(used) <= len(columns):
            reason = "too_few_periods"
        if reason:
            rows += _refused(head, ("rate_ratio", "trend_ratio"), confidence_levels, reason)
            continue
        model = sm.GLM(
            used["count"].to_numpy(dtype=float),
            np.column_stack(columns),
            family=sm.families.Poisson(),
            offset=np.log(used["base"].to_numpy(dtype=float)),
        )
        with warnings.catch_warnings():  # counts that all lie on the curve are no error here
            warnings.simplefilter("ignore", PerfectSeparationWarning)
            try:
                fitted = model.fit()
            except (ValueError, np.linalg.LinAlgError):  # the weights run out of what floats hold
                fitted = None
        if fitted is None or not fitted.converged or _tells_too_little(fitted):
            rows += _refused(
                head, ("rate_ratio", "trend_ratio"), confidence_levels, "design_cannot_answer"
            )
            continue
        head["residual_autocorrelation"] = _lag_one(fitted.resid_deviance)
        head["dispersion"] = fitted.pearson_chi2 / fitted.df_resid
        errors = fitted.bse[1:3] * np.sqrt(max(head["dispersion"], 1.0))
        degrees = np.inf
        if interval == "t":
            errors, degrees = _alike_neighbours(fitted, period, errors)
        for term, value, error in zip(
            ("rate_ratio", "trend_ratio"), fitted.params[1:3], errors, strict=True
        ):
            for level in confidence_levels:
                row = {**head, "term": term, "value": value, "confidence_level": level}
                rows.append(row | _limits(value, error, degrees, level))
    logarithmic = _finished(rows, [*COLUMNS[:-2], "dispersion"])
    ratios = ["value", "lower", "upper", "smallest_change"]
    with np.errstate(over="ignore"):
        found = np.exp(logarithmic[ratios].astype(float))
    untold = found.isin([0.0, np.inf]).any(axis=1)  # no ratio that a number can hold
    return logarithmic.assign(
        **found.mask(untold), reason=logarithmic["reason"].mask(untold, "design_cannot_answer")
    )


def _tells_too_little(fitted) -> bool:
    """Whether some periods weigh so much in a Poisson regression that its terms cannot be told."""
    weighted = np.sqrt(fitted.mu)[:, None] * fitted.model.exog
    length = np.sqrt((weighted**2).sum(axis=0))
    if not (np.isfinite(length).all() and (length > 0).all()):
        return True
    return np.linalg.cond(weighted / length) > MOST_UNLIKE


def _alike_neighbours(fitted, period: np.ndarray, errors: np.ndarray):
    """Errors of a Poisson regression's level and trend that allow for periods that go together."""
    root = np.sqrt(fitted.mu)
    design = root[:, None] * fitted.model.exog
    working = design @ fitted.params + fitted.resid_pearson
    if np.abs(fitted.resid_pearson).max() <= NOUGHT * root.max():
        return errors, fitted.df_resid
    process = autoregressive_process(
        design, working[:, None], times=period, contrasts=np.eye(len(fitted.params))[1:3]
    )
    widest = np.sqrt(np.maximum(errors**2, process.averaged_variance[0]))
    return widest, fewer_degrees(fitted.df_resid, process.correlation).item()


def _segmented(design: np.ndarray, value: np.ndarray, lags: int, errors: str) -> dict:
    """The terms of a segmented regression, their errors and degrees of freedom."""
    contrasts = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 1, 0, 1]], dtype=float)
    fitted = sm.OLS(value, design).fit()
    residual, degrees = fitted.resid, len(value) - design.shape[1]
    series = {"residual_autocorrelation": np.nan, "autocorrelation": np.nan}
    estimates = contrasts @ fitted.params
    if np.abs(residual).max() <= NOUGHT * np.abs(value).max():
        blank = np.full(len(contrasts), np.nan)
        return {"value": estimates, "error": blank, "degrees": degrees, "series": series}

    spread = contrasts @ np.linalg.pinv(design)  # from the values to the terms
    if errors == "newey_west":
        variance = newey_west_variance(spread * residual, lags) * len(value) / degrees
    else:
        leverage = np.einsum("ij,ji->i", design, np.linalg.pinv(design))
        robust = newey_west_variance(spread * (residual / (1 - leverage)), lags)
        process = autoregressive_process(
            design, value[:, None], times=np.arange(len(value)), contrasts=contrasts
        )
        series["autocorrelation"] = process.correlation.item()
        variance = np.maximum(robust, process.variance[0])
        degrees = fewer_degrees(degrees, process.correlation).item()
    series["residual_autocorrelation"] = _lag_one(residual)
    return {
        "value": estimates,
        "error": np.sqrt(variance),
        "degrees": degrees,
        "series": series,
    }


def newey_west_variance(scores: np.ndarray, lags: int) -> np.ndarray:
    """Variance of each row's sum, its neighbours counted with falling weights.

    Parameters
    ----------
    scores
        One row per coefficient and one column per period: what the period's residual adds to
        the coefficient.
    lags
        Periods apart that still go together.

    Returns
    -------
    ndarray
        One variance per row, without a correction for few periods.

    References
    ----------
    Newey and West (1987), Econometrica 55, 703-708.
    """
    variance = (scores**2).sum(axis=1)
    for lag in range(1, lags + 1):
        together = (scores[:, lag:] * scores[:, :-lag]).sum(axis=1)
        variance = variance + 2 * (1 - lag / (lags + 1)) * together
    return np.clip(variance, 0.0, None)


def _limits(value: float, error: float, degrees: float, level: float) -> dict:
    if not (0 < error < np.inf and np.isfinite(value)):
        blank = dict.fromkeys(("standard_error", "lower", "upper", "p_value"), np.nan)
        return {**blank, "reason": checked_reason("design_cannot_answer")}
    margin = stats.t.ppf(0.5 + level / 2, degrees) * error
    return {
        "standard_error": error,
        "lower": value - margin,
        "upper": value + margin,
        "p_value": 2 * stats.t.sf(abs(value) / error, degrees),
        "reason": None,
    }


def _finished(rows: list[dict], columns: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=[*columns, "method", "reason"])
    reason = table["reason"].astype(object)
    found = table.assign(
        smallest_change=smallest_detectable_change(
            table["lower"].astype(float),
            table["upper"].astype(float),
            table["confidence_level"],
        ),
        reason=reason.where(reason.notna(), None),
    )
    if "autocorrelation" in found:
        found["autocorrelation_warning"] = found["autocorrelation"] > STRONG_AUTOCORRELATION
    return found


def _lags(lag_count: int | None, period_count: int, reason: str | None) -> int:
    if lag_count is None:
        return int(4 * (period_count / 100) ** (2 / 9))
    most = period_count // 4
    if lag_count < 0 or (reason is None and lag_count > most):
        raise DataError(f"lag_count {lag_count}; expected 0 to {most}, a quarter of the periods")
    return lag_count


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
        "count": len(used),
        "base": len(series),
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


def _known(name: str, value: str, expected: Sequence[str]) -> None:
    if value not in expected:
        raise DataError(f"unknown {name} {value!r}; expected one of: {', '.join(expected)}")
