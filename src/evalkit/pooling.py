"""One answer from several municipalities: random-effects pooling and meta-regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq, minimize_scalar

from evalkit.accepted import CODE, ERROR, GROUP, KEY, NUMBER, Rows, accepts
from evalkit.errors import DataError
from evalkit.goals import smallest_detectable_change
from evalkit.groups import require_once
from evalkit.prediction_limits import confidence_distribution_limits
from evalkit.reasons import checked_reason
from evalkit.uncertainty import STANDARD_LEVEL, STANDARD_LEVELS

__all__ = ["forest_rows", "meta_regression", "pooled_estimate"]

ESTIMATORS = ("reml", "dersimonian_laird", "paule_mandel")
INTERVALS = ("hartung_knapp", "modified_hartung_knapp", "wald")
PREDICTIONS = ("confidence_distribution", "classical")
FEW_STUDIES = 5  # below this, tau2 is close to a guess and the interval leans on it
MOST_UNLIKE = 1e6  # ratio of standard errors above which rounding outweighs the less certain ones
LEAST_SCATTER = 1e-12  # of the weighted residuals; below it they are equal but for rounding


@accepts(
    estimates=Rows(
        {"value": NUMBER, "standard_error": ERROR}, {"municipality_code": CODE}, named={"by": KEY}
    )
)
def pooled_estimate(
    estimates: pd.DataFrame,
    *,
    by: Sequence[str] = ("indicator_id",),
    estimator: str = "reml",
    interval: str = "modified_hartung_knapp",
    prediction: str = "confidence_distribution",
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """Average effect over municipalities, allowing the effects to differ between them.

    Parameters
    ----------
    estimates
        One row per municipality: the ``by`` columns, ``municipality_code``, ``value`` and
        ``standard_error``. Rows without both, as finite numbers, are left out.
    by
        Columns that identify one pooling.
    estimator
        Of the variance between municipalities: ``"reml"``, ``"dersimonian_laird"`` or
        ``"paule_mandel"``.
    interval
        ``"modified_hartung_knapp"``, never narrower than the Wald interval's standard error
        allows; ``"hartung_knapp"``, which is far too narrow where the municipalities happen to
        agree, and without limits where they are equal (``design_cannot_answer``); or ``"wald"``,
        which is too narrow with few municipalities.
    prediction
        ``"confidence_distribution"``, whose prediction interval allows for not knowing the
        variance between municipalities, and is nowhere inside the interval of the average; or
        ``"classical"``, which takes the variance as known and is too narrow.
    confidence_levels
        One row is given per level.

    Returns
    -------
    DataFrame
        One row per pooling and level: the ``by`` columns, ``study_count``, ``value``,
        ``standard_error``, ``lower``, ``upper``, ``smallest_change`` (found in four of five
        cases; from the interval's width), ``prediction_lower`` and ``prediction_upper``
        (where the effect of one more such municipality is expected), ``tau2`` (in squared units
        of the value), ``i2_share``, ``q``, ``q_p_value``, ``small_k_warning``,
        ``confidence_level``, ``method``, ``reason``. One municipality is not pooled
        (``too_few_clusters``), nor are standard errors of which one is a million times another
        (``design_cannot_answer``). The prediction interval needs three; the classical one uses
        Student's t with one degree of freedom fewer than there are municipalities.

    Raises
    ------
    DataError
        If an option is unknown, a standard error is not positive, a ``by`` column is blank, or a
        municipality is there more than once in a pooling.

    References
    ----------
    DerSimonian and Laird (1986), Controlled Clinical Trials 7, 177-188; Paule and Mandel (1982),
    J. Res. Natl. Bur. Stand. 87, 377-385; Viechtbauer (2005), J. Educ. Behav. Stat. 30, 261-293;
    Hartung and Knapp (2001), Statistics in Medicine 20, 3875-3889; Röver, Knapp and Friede (2015),
    BMC Med. Res. Methodol. 15, 99; Higgins, Thompson and Spiegelhalter (2009), J. R. Stat. Soc. A
    172, 137-159; Nagashima, Noma and Furukawa (2019), Stat. Methods Med. Res. 28, 1689-1702.
    """
    _check_options(estimates, estimator, interval, prediction)
    by = list(by)
    _check_units(estimates, by)
    rows = []
    for identity, group in estimates.groupby(by, sort=True):
        usable = group.loc[_usable(group), ["value", "standard_error"]]
        rows += [
            {**dict(zip(by, identity, strict=True)), **row}
            for row in _pooled_rows(usable, estimator, interval, prediction, confidence_levels)
        ]
    columns = [
        *by,
        "study_count",
        "value",
        "standard_error",
        "lower",
        "upper",
        "smallest_change",
        "prediction_lower",
        "prediction_upper",
        "tau2",
        "i2_share",
        "q",
        "q_p_value",
        "small_k_warning",
        "confidence_level",
        "method",
        "reason",
    ]
    table = pd.DataFrame(rows, columns=columns)
    table["smallest_change"] = smallest_detectable_change(
        table["lower"].astype(float), table["upper"].astype(float), table["confidence_level"]
    )
    reason = table["reason"].astype(object)
    return table.assign(reason=reason.where(reason.notna(), None))


@accepts(
    estimates=Rows(
        {"municipality_code": CODE, "value": NUMBER, "standard_error": ERROR},
        {
            "lower": NUMBER,
            "upper": NUMBER,
            "confidence_level": NUMBER,
            "method": GROUP,
            "reason": GROUP,
        },
        once=("municipality_code",),
        some=True,
    )
)
def forest_rows(
    estimates: pd.DataFrame,
    *,
    estimator: str = "reml",
    interval: str = "modified_hartung_knapp",
    prediction: str = "confidence_distribution",
    confidence_level: float = STANDARD_LEVEL,
) -> pd.DataFrame:
    """The rows of a forest plot: each municipality with its weight, then the pooled effect.

    Parameters
    ----------
    estimates
        One row per municipality: ``municipality_code``, ``value``, ``standard_error``. Where it
        has ``lower`` and ``upper`` (with ``method``, and ``confidence_level`` as asked for), these
        are the municipality's limits, and the standard error serves the weights alone.
    estimator, interval, prediction, confidence_level
        As for ``pooled_estimate``.

    Returns
    -------
    DataFrame
        ``row`` (``municipality``, ``pooled`` or ``prediction``), ``municipality_code``,
        ``value``, ``lower``, ``upper``, ``weight_share`` (sums to 1 over municipalities),
        ``confidence_level``, ``method``, ``reason``. A municipality without an estimate keeps
        its row, with its own reason or ``missing``.
    """
    pooled = pooled_estimate(
        estimates.assign(pooling="all"),
        by=["pooling"],
        estimator=estimator,
        interval=interval,
        prediction=prediction,
        confidence_levels=[confidence_level],
    ).iloc[0]
    given = _usable(estimates)
    weight = (1 / (estimates["standard_error"] ** 2 + np.nan_to_num(pooled["tau2"]))).where(given)
    own = _own_limits(estimates, confidence_level)
    own = pd.DataFrame(
        {
            "row": "municipality",
            "municipality_code": estimates["municipality_code"],
            "value": estimates["value"].where(given),
            "lower": own["lower"].where(given),
            "upper": own["upper"].where(given),
            "weight_share": weight / weight.sum(),
            "confidence_level": confidence_level,
            "method": own["method"],
            "reason": own["reason"].where(~given, None),
        }
    )
    foot = pd.DataFrame(
        {
            "row": ["pooled", "prediction"],
            "municipality_code": None,
            "value": [pooled["value"]] * 2,
            "lower": [pooled["lower"], pooled["prediction_lower"]],
            "upper": [pooled["upper"], pooled["prediction_upper"]],
            "weight_share": np.nan,
            "confidence_level": confidence_level,
            "method": pooled["method"],
            "reason": [
                pooled["reason"],
                (pooled["reason"] or checked_reason("too_few_clusters"))
                if np.isnan(pooled["prediction_lower"])
                else None,
            ],
        }
    )
    return pd.concat([own.astype(object), foot.astype(object)], ignore_index=True).astype(
        {"value": float, "lower": float, "upper": float, "weight_share": float}
    )


@accepts(
    estimates=Rows(
        {"value": NUMBER, "standard_error": ERROR},
        {"municipality_code": CODE},
        named={"moderators": NUMBER},
    )
)
def meta_regression(
    estimates: pd.DataFrame,
    *,
    moderators: Sequence[str],
    estimator: str = "reml",
    interval: str = "modified_hartung_knapp",
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """How the effect varies with something measured in each municipality, such as dose.

    Parameters
    ----------
    estimates
        One row per municipality: ``value``, ``standard_error`` and the moderators as numbers.
        Rows with a blank, or an endless standard error, are left out.
    moderators
        Columns; an intercept is added.
    estimator, interval, confidence_levels
        As for ``pooled_estimate``.

    Returns
    -------
    DataFrame
        One row per term (``intercept`` first) and level: ``study_count``, ``value``,
        ``standard_error``, ``lower``, ``upper``, ``p_value``, ``tau2`` (what the moderators leave
        unexplained), ``explained_share`` (of tau2 without moderators), ``confidence_level``,
        ``method``, ``reason``. Fewer than three municipalities more than terms are refused
        (``too_few_clusters``); moderators that determine each other, or standard errors of which one is a million times
        another, ``design_cannot_answer``.

    References
    ----------
    Knapp and Hartung (2003), Statistics in Medicine 22, 2693-2710; Berkey et al. (1995),
    Statistics in Medicine 14, 395-411.
    """
    _check_options(estimates, estimator, interval)
    used = estimates.loc[_usable(estimates), ["value", "standard_error", *moderators]].dropna()
    value, variance = used["value"].to_numpy(float), used["standard_error"].to_numpy(float) ** 2
    design = np.column_stack([np.ones(len(used)), used[list(moderators)].to_numpy(float)])
    terms = ["intercept", *moderators]
    method = f"{estimator.replace('_', '-')} meta-regression, {interval.replace('_', '-')} interval"

    reason = None
    if len(used) < len(terms) + 3:
        reason = "too_few_clusters"
    elif (
        _too_unlike(variance)
        or np.linalg.matrix_rank(_scaled(np.ones(len(used)), design)[0]) < len(terms)
        or np.linalg.matrix_rank(_scaled(variance, design)[0]) < len(terms)
    ):
        reason = "design_cannot_answer"
    if reason:
        blank = dict.fromkeys(
            ("value", "standard_error", "lower", "upper", "p_value", "tau2", "explained_share"),
            np.nan,
        )
        rows = [
            {"term": term, "confidence_level": level, **blank, "reason": checked_reason(reason)}
            for term in terms
            for level in confidence_levels
        ]
    else:
        tau2 = _between_variance(value, variance, design, estimator)
        alone = _between_variance(value, variance, design[:, :1], estimator)
        coefficient, covariance, degrees = _fit(value, variance + tau2, design, interval)
        explained = max(0.0, 1 - tau2 / alone) if alone > 0 else np.nan
        rows = []
        for place, term in enumerate(terms):
            error = np.sqrt(covariance[place, place])
            p_value = 2 * stats.t.sf(abs(coefficient[place]) / error, degrees)
            for level in confidence_levels:
                margin = stats.t.ppf(0.5 + level / 2, degrees) * error
                rows.append(
                    {
                        "term": term,
                        "value": coefficient[place],
                        "standard_error": error,
                        "lower": coefficient[place] - margin,
                        "upper": coefficient[place] + margin,
                        "p_value": p_value,
                        "tau2": tau2,
                        "explained_share": explained,
                        "confidence_level": level,
                        "reason": "design_cannot_answer" if np.isnan(error) else None,
                    }
                )
    frame = pd.DataFrame(rows).assign(study_count=len(used), method=method)
    return frame[
        [
            "term",
            "study_count",
            "value",
            "standard_error",
            "lower",
            "upper",
            "p_value",
            "tau2",
            "explained_share",
            "confidence_level",
            "method",
            "reason",
        ]
    ]


def _own_limits(estimates: pd.DataFrame, level: float) -> pd.DataFrame:
    """The limits each municipality has at the level, else normal ones from its standard error."""
    asked = ["lower", "upper", "confidence_level", "method", "reason"]
    rows = estimates.reindex(columns=list(dict.fromkeys([*estimates.columns, *asked])))
    margin = stats.norm.ppf(0.5 + level / 2) * rows["standard_error"]
    has_own = rows["lower"].notna() & rows["upper"].notna() & rows["method"].notna()
    has_own &= np.isclose(rows["confidence_level"].astype(float), level)
    return pd.DataFrame(
        {
            "lower": rows["lower"].where(has_own, rows["value"] - margin),
            "upper": rows["upper"].where(has_own, rows["value"] + margin),
            "method": rows["method"].where(has_own, "normal interval"),
            "reason": rows["reason"].astype(object).fillna(checked_reason("missing")),
        }
    )


def _pooled_rows(usable, estimator, interval, prediction, levels) -> list[dict]:
    count = len(usable)
    head = {
        "study_count": count,
        "small_k_warning": count < FEW_STUDIES,
        "method": f"{estimator.replace('_', '-')}, {interval.replace('_', '-')} interval, "
        f"{prediction.replace('_', '-')} prediction",
        "reason": None,
    }
    if count < 2:
        reason = checked_reason("too_few_clusters" if count else "missing")
        return [{**head, "confidence_level": level, "reason": reason} for level in levels]

    value = usable["value"].to_numpy(float)
    variance = usable["standard_error"].to_numpy(float) ** 2
    if _too_unlike(variance):
        reason = checked_reason("design_cannot_answer")
        return [{**head, "confidence_level": level, "reason": reason} for level in levels]
    design = np.ones((count, 1))
    tau2 = _between_variance(value, variance, design, estimator)
    coefficient, covariance, degrees = _fit(value, variance + tau2, design, interval)
    centre, error = coefficient[0], np.sqrt(covariance[0, 0])
    heterogeneity = _weighted_residual(value, variance, design)
    weight = 1 / variance
    typical = (count - 1) * weight.sum() / (weight.sum() ** 2 - (weight**2).sum())
    margins = stats.t.ppf(0.5 + np.array(levels) / 2, degrees) * error
    average = [(centre - margin, centre + margin) for margin in margins]
    next_one = [(np.nan, np.nan)] * len(average)
    if count >= 3 and not np.isnan(error):
        next_one = (
            _classical_prediction(centre, tau2 + error**2, count, levels)
            if prediction == "classical"
            else _wider(average, value, variance, heterogeneity, levels)
        )
    rows = []
    for level, (lower, upper), (next_lower, next_upper) in zip(
        levels, average, next_one, strict=True
    ):
        rows.append(
            {
                **head,
                "value": centre,
                "standard_error": error,
                "lower": lower,
                "upper": upper,
                "prediction_lower": next_lower,
                "prediction_upper": next_upper,
                "tau2": tau2,
                "i2_share": tau2 / (tau2 + typical),
                "q": heterogeneity,
                "q_p_value": stats.chi2.sf(heterogeneity, count - 1),
                "confidence_level": level,
                "reason": checked_reason("design_cannot_answer") if np.isnan(error) else None,
            }
        )
    return rows


def _classical_prediction(centre, variance, count, levels) -> list[tuple[float, float]]:
    reach = stats.t.ppf(0.5 + np.array(levels) / 2, count - 1) * np.sqrt(variance)
    return [(centre - step, centre + step) for step in reach]


def _wider(average, value, variance, heterogeneity, levels) -> list[tuple[float, float]]:
    """Of the prediction limits and those of the average, the ones further out."""
    if heterogeneity < LEAST_SCATTER:
        return average
    ahead = confidence_distribution_limits(value, variance, levels=levels)
    return [
        (min(lower, low), max(upper, high))
        for (lower, upper), (low, high) in zip(average, ahead, strict=True)
    ]


def _fit(value, total_variance, design, interval):
    """Weighted least squares; the covariance and degrees of freedom the interval asks for."""
    weight = 1 / total_variance
    coefficient, covariance = _least_squares(value, total_variance, design)
    degrees = len(value) - design.shape[1]
    if interval == "wald":
        return coefficient, covariance, np.inf
    spread = (weight * (value - design @ coefficient) ** 2).sum() / degrees
    if interval == "modified_hartung_knapp":
        spread = max(spread, 1.0)
    elif spread < LEAST_SCATTER:
        spread = np.nan  # equal values would give limits without width
    return coefficient, spread * covariance, degrees


def _least_squares(value, total_variance, design):
    """Coefficients and their covariance, from the design itself rather than its square."""
    scaled, scale = _scaled(total_variance, design)
    orthogonal, triangle = np.linalg.qr(scaled)
    inverse = np.linalg.inv(triangle) / scale[:, None]
    coefficient = inverse @ (orthogonal.T @ (value / np.sqrt(total_variance)))
    return coefficient, inverse @ inverse.T


def _scaled(variance, design):
    """The design weighted by what each row tells, every column of the same length; and the lengths."""
    weighted = design / np.sqrt(variance)[:, None]
    length = np.sqrt((weighted**2).sum(axis=0))
    length = np.where(length > 0, length, 1.0)
    return weighted / length, length


def _too_unlike(variance) -> bool:
    """Whether rounding of what is known best would outweigh all that is known of the others."""
    return bool(np.sqrt(variance.max() / variance.min()) > MOST_UNLIKE)


def _weighted_residual(value, total_variance, design) -> float:
    weight = 1 / total_variance
    coefficient, _ = _least_squares(value, total_variance, design)
    return float((weight * (value - design @ coefficient) ** 2).sum())


def _between_variance(value, variance, design, estimator) -> float:
    return {
        "reml": _reml,
        "dersimonian_laird": _dersimonian_laird,
        "paule_mandel": _paule_mandel,
    }[estimator](value, variance, design)


def _dersimonian_laird(value, variance, design) -> float:
    weight = 1 / variance
    _, inverse = _least_squares(value, variance, design)
    trace = weight.sum() - np.trace(inverse @ (design.T * weight**2 @ design))
    degrees = len(value) - design.shape[1]
    return max(0.0, (_weighted_residual(value, variance, design) - degrees) / trace)


def _paule_mandel(value, variance, design) -> float:
    degrees = len(value) - design.shape[1]

    def excess(tau2: float) -> float:
        return _weighted_residual(value, variance + tau2, design) - degrees

    if excess(0.0) <= 0:
        return 0.0
    return float(brentq(excess, 0.0, _largest_between(value, variance, excess), xtol=1e-14))


def _largest_between(value, variance, excess) -> float:
    upper = float(np.var(value, ddof=1) + variance.max())
    while excess(upper) > 0:
        upper *= 2
    return upper


def _reml(value, variance, design) -> float:
    def loss(tau2: float) -> float:
        weight = 1 / (variance + tau2)
        information = design.T * weight @ design
        residual = _weighted_residual(value, variance + tau2, design)
        return -np.log(weight).sum() + np.linalg.slogdet(information)[1] + residual

    scale = float(np.var(value, ddof=1) + variance.max())
    grid = np.concatenate([[0.0], np.geomspace(scale * 1e-8, scale * 10, 200)])
    best = int(np.argmin([loss(tau2) for tau2 in grid]))
    bounds = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": scale * 1e-12})
    return float(found.x) if loss(found.x) < loss(0.0) else 0.0


def _check_options(estimates, estimator, interval, prediction=PREDICTIONS[0]) -> None:
    for name, given, known in (
        ("estimator", estimator, ESTIMATORS),
        ("interval", interval, INTERVALS),
        ("prediction", prediction, PREDICTIONS),
    ):
        if given not in known:
            raise DataError(f"unknown {name} {given!r}; expected one of: {', '.join(known)}")


def _usable(estimates: pd.DataFrame) -> pd.Series:
    numbers = estimates[["value", "standard_error"]].astype(float)
    return np.isfinite(numbers).all(axis=1)


def _check_units(estimates: pd.DataFrame, by: list[str]) -> None:
    """Each municipality at most once in each pooling, and every row in one."""
    blank = np.flatnonzero(estimates[by].isna().any(axis=1)) + 2
    if len(blank):
        shown = ", ".join(map(str, blank[:8])) + (" ..." if len(blank) > 8 else "")
        raise DataError(f"estimates: blank {' or '.join(by)} in row {shown}; expected a value")
    if "municipality_code" in estimates:
        keys = list(dict.fromkeys([*by, "municipality_code"]))
        require_once(estimates, keys, name="estimates", among=_usable(estimates))
