"""Synthetic control: a weighted mix of untreated municipalities as the missing comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.optimize import minimize, nnls

from evalkit.accepted import CODE, NUMBER, YEAR, Rows, accepts
from evalkit.errors import DataError
from evalkit.goals import smallest_detectable_change
from evalkit.groups import require_different, require_once
from evalkit.reasons import checked_reason
from evalkit.uncertainty import STANDARD_LEVELS

__all__ = ["synthetic_control", "synthetic_control_path", "synthetic_control_weights"]

MINIMUM_DONORS = 10
MINIMUM_PRE_PERIODS = 5
EXACT_FIT = 1e-6  # of the placebos' gaps after the change: below, a municipality was copied
SMALLEST_LOG_IMPORTANCE = -12.0  # of a predictor, against the most important
SUM_WEIGHT = 1e3  # pull of the row that makes the weights add up, relative to the data's scale


@accepts(
    values=Rows({"municipality_code": CODE, "year": YEAR, "value": NUMBER}),
    predictors=Rows({"municipality_code": CODE}, once=("municipality_code",)),
)
def synthetic_control_weights(
    values: pd.DataFrame,
    *,
    municipality_code: str,
    treated_from: int,
    donors: Sequence[str],
    predictors: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Weights of the donors that together resemble the municipality before the change.

    Without ``predictors``, the weights make the donors' mix as close as possible to the
    municipality in every year before the change. With them, the mix is matched on the predictors,
    each scaled by its standard deviation among the donors, and the importance of each predictor is chosen so that
    the mix also follows the outcome before the change.

    Parameters
    ----------
    values
        Rows of ``municipality_code``, ``year`` and ``value``; a donor with a missing year is left
        out.
    municipality_code
        The treated municipality.
    treated_from
        First year with the measure.
    donors
        Codes of untreated municipalities.
    predictors
        One row per ``municipality_code`` with numbers from before the change, or ``None``.

    Returns
    -------
    DataFrame
        One row per usable donor: ``municipality_code``, ``donor_code``, ``weight`` (0 to 1, sums
        to 1), largest first.

    Raises
    ------
    DataError
        If the municipality lacks a year before the change, no donor is complete, or a
        municipality is named twice.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), J. Am. Stat. Assoc. 105, 493-505.
    """
    require_different(treated=[municipality_code], donors=donors)
    table = _complete_table(values, municipality_code, donors)
    before = table.index < treated_from
    codes = table.columns.drop(municipality_code)
    own, others = table[municipality_code].to_numpy(), table[codes].to_numpy()
    if predictors is None:
        weights = _nearest_mix(own[before], others[before])
    else:
        profiles = _profiles(predictors, table.columns)
        codes, others = profiles.columns[1:], table[profiles.columns[1:]].to_numpy()
        weights = _predictor_mix(
            own[before],
            others[before],
            profiles[municipality_code].to_numpy(),
            profiles[codes].to_numpy(),
        )
    frame = pd.DataFrame(
        {"municipality_code": municipality_code, "donor_code": codes, "weight": weights}
    )
    return frame.sort_values("weight", ascending=False, ignore_index=True, kind="stable")


@accepts(
    values=Rows(
        {"municipality_code": CODE, "year": YEAR, "value": NUMBER},
        once=("municipality_code", "year"),
    ),
    weights=Rows({"municipality_code": CODE, "donor_code": CODE, "weight": NUMBER}, some=True),
)
def synthetic_control_path(values: pd.DataFrame, weights: pd.DataFrame) -> pd.DataFrame:
    """The municipality beside its synthetic control, year by year.

    Parameters
    ----------
    values
        As for ``synthetic_control_weights``.
    weights
        From ``synthetic_control_weights``.

    Returns
    -------
    DataFrame
        One row per year: ``municipality_code``, ``year``, ``value`` (observed),
        ``synthetic_value`` and ``gap`` (observed minus synthetic), in the outcome's unit.
    """
    code = weights["municipality_code"].iloc[0]
    table = values.pivot(index="year", columns="municipality_code", values="value")
    absent = sorted({code, *weights["donor_code"]} - set(table))
    if absent:
        raise DataError(
            f"values: no row of {', '.join(absent)}, which weights names; expected some"
        )
    synthetic = table[weights["donor_code"]].to_numpy() @ weights["weight"].to_numpy()
    path = pd.DataFrame({"value": table[code], "synthetic_value": synthetic})
    path["gap"] = path["value"] - path["synthetic_value"]
    path.insert(0, "municipality_code", code)
    return path.reset_index()[["municipality_code", "year", "value", "synthetic_value", "gap"]]


@accepts(
    values=Rows({"municipality_code": CODE, "year": YEAR, "value": NUMBER}),
    predictors=Rows({"municipality_code": CODE}, once=("municipality_code",)),
)
def synthetic_control(
    values: pd.DataFrame,
    *,
    treated: Sequence[str],
    treated_from: int,
    donors: Sequence[str],
    predictors: pd.DataFrame | None = None,
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
    minimum_donors: int = MINIMUM_DONORS,
    minimum_pre_periods: int = MINIMUM_PRE_PERIODS,
) -> pd.DataFrame:
    """Mean gap after the change for each treated municipality, ranked among placebos.

    Every donor is in turn treated as if it had the measure, with the other donors as its mix. The
    rank is that of the ratio of the errors after and before the change; a rank of 1 among 20
    donors is a p value of 1/21. The limits invert that test: they hold the constant effects that,
    taken from the years after, leave a ratio that is not among the most extreme, so that an effect
    of 0 is outside them exactly where the p value says so. They are withheld when there are too few
    donors for the level to be reached at all. Where a mix copies the municipality or a placebo
    exactly, its fit is taken to be as good as the best that is not exact, and ``method`` says so;
    where most are copied, the errors after the change are compared as they are.

    Parameters
    ----------
    values
        Rows of ``municipality_code``, ``year`` and ``value``.
    treated
        Codes of the treated municipalities; none is a donor of another.
    treated_from
        First year with the measure.
    donors
        Codes of untreated municipalities; those with a missing year are left out.
    predictors
        As for ``synthetic_control_weights``; the importance of the predictors is then chosen
        anew for every placebo, which takes seconds rather than a moment.
    confidence_levels
        One row is given per municipality and level.
    minimum_donors, minimum_pre_periods
        Below these the estimate is refused.

    Returns
    -------
    DataFrame
        ``municipality_code``, ``donor_count``, ``weighted_donor_count`` (with a weight above
        0.001), ``pre_period_count``, ``post_period_count``, ``count`` (donors used), ``base``
        (donors asked for), ``value`` (mean gap per year after the change), ``lower``, ``upper``,
        ``smallest_change`` (found in four of five cases; from the interval's width, as if the
        placebos' gaps were normal), ``pre_rmspe`` and ``post_rmspe`` (root mean squared gap,
        in the outcome's unit), ``placebo_rank``, ``placebo_p_value``, ``confidence_level``,
        ``method``, ``reason`` (``missing``, ``too_few_periods``, ``too_few_donors``; the last
        also, with the value kept, where only the limits are withheld; ``design_cannot_answer``,
        limits only, where no constant effect is left: the placebos have no gaps, or the gaps after
        the change vary more than theirs).

    Raises
    ------
    DataError
        If a municipality is both treated and donor or named twice, or a municipality and year
        stand in several rows.

    References
    ----------
    Abadie, Diamond and Hainmueller (2010), J. Am. Stat. Assoc. 105, 493-505; Firpo and Possebom
    (2018), Journal of Causal Inference 6(2) (limits by inverting the test).
    """
    require_different(treated=treated, donors=donors)
    asked = values["municipality_code"].isin([*treated, *donors])
    require_once(values, ["municipality_code", "year"], name="values", among=asked)
    rows = []
    placebo_cache: dict[tuple, np.ndarray] = {}
    for code in treated:
        found = _placebo_study(
            values,
            code,
            treated_from,
            donors,
            predictors,
            minimum_donors,
            minimum_pre_periods,
            placebo_cache,
        )
        found |= {"count": found["donor_count"], "base": len(set(donors))}
        rows += [_level_row(found, level) for level in confidence_levels]
    table = pd.DataFrame(rows)
    reason = table["reason"].astype(object)
    return table.assign(
        smallest_change=smallest_detectable_change(
            table["lower"], table["upper"], table["confidence_level"]
        ),
        reason=reason.where(reason.notna(), None),
    )[
        [
            "municipality_code",
            "donor_count",
            "weighted_donor_count",
            "pre_period_count",
            "post_period_count",
            "count",
            "base",
            "value",
            "lower",
            "upper",
            "smallest_change",
            "pre_rmspe",
            "post_rmspe",
            "placebo_rank",
            "placebo_p_value",
            "confidence_level",
            "method",
            "reason",
        ]
    ]


def _placebo_study(
    values: pd.DataFrame,
    code: str,
    treated_from: int,
    donors: Sequence[str],
    predictors: pd.DataFrame | None,
    minimum_donors: int,
    minimum_pre: int,
    cache: dict[tuple, np.ndarray],
) -> dict:
    matched_on = "the outcome" if predictors is None else "predictors and the outcome"
    found = {
        "municipality_code": code,
        "donor_count": 0,
        "weighted_donor_count": 0,
        "pre_period_count": 0,
        "post_period_count": 0,
        "method": f"synthetic control on {matched_on} before the change, placebo test",
        "reason": None,
    }
    own = values.loc[(values["municipality_code"] == code) & values["value"].notna()]
    known = predictors is None or code in set(predictors.dropna()["municipality_code"])
    if own.empty or not known:
        return {**found, "reason": checked_reason("missing")}
    try:
        table = _complete_table(values, code, donors)
    except DataError:
        return {**found, "reason": checked_reason("too_few_donors")}
    profiles = None if predictors is None else _profiles(predictors, table.columns)
    if profiles is not None:
        table = table[profiles.columns]
    before = np.asarray(table.index < treated_from)
    found["donor_count"] = table.shape[1] - 1
    found["pre_period_count"] = int(before.sum())
    found["post_period_count"] = int((~before).sum())
    if before.sum() < minimum_pre or before.all():
        return {**found, "reason": checked_reason("too_few_periods")}
    if found["donor_count"] < minimum_donors:
        return {**found, "reason": checked_reason("too_few_donors")}

    outcome = table.to_numpy()
    numbers = None if profiles is None else profiles.to_numpy()
    weights = _mix_of_others(outcome, before, numbers, 0)
    gap = outcome[:, 0] - outcome[:, 1:] @ weights
    key = (tuple(table.columns[1:]), tuple(table.index), treated_from)
    if key not in cache:
        cache[key] = _placebo_gaps(
            outcome[:, 1:], before, None if numbers is None else numbers[:, 1:]
        )
    return {**found, **_against_placebos(gap, cache[key], before, weights)}


def _mix_of_others(
    outcome: np.ndarray, before: np.ndarray, profiles: np.ndarray | None, place: int
) -> np.ndarray:
    """Weights of all other columns that resemble one column before the change."""
    own, others = outcome[before, place], np.delete(outcome[before], place, axis=1)
    if profiles is None:
        return _nearest_mix(own, others)
    return _predictor_mix(own, others, profiles[:, place], np.delete(profiles, place, axis=1))


def _placebo_gaps(
    others: np.ndarray, before: np.ndarray, profiles: np.ndarray | None
) -> np.ndarray:
    """Gap of each donor from a mix of the other donors; one column per donor."""
    gaps = np.empty_like(others)
    for place in range(others.shape[1]):
        weights = _mix_of_others(others, before, profiles, place)
        gaps[:, place] = others[:, place] - np.delete(others, place, axis=1) @ weights
    return gaps


def _against_placebos(gap, placebo_gaps, before, weights) -> dict:
    """Rank among the placebos by the error after the change over the error before it."""
    gaps = np.column_stack([gap, placebo_gaps])
    pre, post = _root_mean_square(gaps[before]), _root_mean_square(gaps[~before])
    scale, exact = _told_from_rounding(pre, EXACT_FIT * _root_mean_square(post))
    ratio = post / scale
    rank = int((ratio >= ratio[0]).sum())
    return {
        "weighted_donor_count": int((weights > 1e-3).sum()),
        "value": float(gap[~before].mean()),
        "pre_rmspe": float(pre[0]),
        "post_rmspe": float(post[0]),
        "placebo_rank": rank,
        "placebo_p_value": rank / len(ratio),
        "placebo_errors": scale[0] * ratio[1:],
        "spread": float(gap[~before].std()),
        "method_suffix": exact,
    }


def _told_from_rounding(pre: np.ndarray, nought: float) -> tuple[np.ndarray, str]:
    """What each error is divided by: its fit before the change, where that is not rounding.

    The rule is the same for the municipality and its placebos, as a rank among them must be.
    """
    is_exact = pre <= nought
    if is_exact.mean() > 0.5:
        return np.ones_like(pre), ", gaps not scaled: exact fit before"
    floor = pre[~is_exact].min()
    count = int(is_exact.sum())
    return np.where(is_exact, floor, pre), f", {count} with exact fit before" if count else ""


def _level_row(found: dict, level: float) -> dict:
    blank = (
        "value",
        "lower",
        "upper",
        "pre_rmspe",
        "post_rmspe",
        "placebo_rank",
        "placebo_p_value",
    )
    row = {**dict.fromkeys(blank, np.nan), **found, "confidence_level": level}
    row["method"] += row.pop("method_suffix", "")
    errors, spread = row.pop("placebo_errors", None), row.pop("spread", None)
    if errors is None:
        return row
    allowed = int(np.floor((1 - level) * (len(errors) + 1) + 1e-9))  # extremes one may leave out
    if allowed < 1:
        return {**row, "reason": checked_reason("too_few_donors")}
    largest = np.sort(errors)[len(errors) - allowed]  # that the error less the effect may be
    if not largest > spread:
        return {**row, "reason": checked_reason("design_cannot_answer")}
    margin = np.sqrt(largest**2 - spread**2)
    return {**row, "lower": row["value"] - margin, "upper": row["value"] + margin}


def _complete_table(values: pd.DataFrame, code: str, donors: Sequence[str]) -> pd.DataFrame:
    """Years by municipality, the treated first, its missing years and gappy donors gone."""
    asked = values["municipality_code"].isin([code, *donors])
    require_once(values, ["municipality_code", "year"], name="values", among=asked)
    wanted = values.loc[asked]
    table = wanted.pivot(index="year", columns="municipality_code", values="value").sort_index()
    if code not in table:
        raise DataError(f"municipality {code} has no value; expected one for each year")
    table = table.loc[table[code].notna()].dropna(axis=1)
    kept = [donor for donor in donors if donor in table]
    if not kept:
        raise DataError(f"municipality {code}: no donor has a value for each of its years")
    return table[[code, *kept]]


def _profiles(predictors: pd.DataFrame, codes: pd.Index) -> pd.DataFrame:
    """Predictors by municipality, the treated first; each must vary among the donors."""
    matched = predictors.set_index("municipality_code").dropna()
    donors = codes[1:].intersection(matched.index, sort=False)
    if codes[0] not in matched.index or donors.empty:
        raise DataError("predictors: the municipality or all its donors lack a value")
    table = matched.loc[[codes[0], *donors]].astype(float).T
    spread = table[donors].std(axis=1)
    if not (spread > 0).all():
        still = ", ".join(map(str, spread.index[~(spread > 0)]))
        raise DataError(f"predictors: no variation among the donors in {still}; leave it out")
    return table


def _nearest_mix(target: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Weights, not negative and adding up to 1, whose mix is nearest to the target.

    Subtracting the target from every donor turns the problem into the point of a hull nearest
    to the origin, which keeps a large common level from drowning the differences.
    """
    shifted = others - target[:, None]
    scale = np.abs(shifted).max() or 1.0
    heavy = np.full((1, others.shape[1]), SUM_WEIGHT)
    stacked = np.vstack([shifted / scale, heavy])
    aim = np.append(np.zeros(len(target)), SUM_WEIGHT)
    weights, _ = nnls(stacked, aim, maxiter=50 * others.shape[1])
    return weights / weights.sum()


def _predictor_mix(own, others, own_profile, other_profiles) -> np.ndarray:
    """Weights matched on predictors whose importance makes the outcome fit before the change.

    Predictors are in standard deviations among those who are mixed. The search is over the logarithms of the importances, since the best often differ by powers
    of ten, from the four best of a few starts, and goes on once from where it ended.
    """

    spread = other_profiles.std(axis=1, ddof=1)
    spread[~(spread > 0)] = 1.0  # alike in all but the one that is left out
    own_profile, other_profiles = own_profile / spread, other_profiles / spread[:, None]

    def mix(logarithms: np.ndarray) -> np.ndarray:
        importance = np.exp(np.clip(logarithms - logarithms.max(), SMALLEST_LOG_IMPORTANCE, 0))
        root = np.sqrt(importance / importance.sum())
        return _nearest_mix(root * own_profile, root[:, None] * other_profiles)

    def loss(logarithms: np.ndarray) -> float:
        return float(((own - others @ mix(logarithms)) ** 2).mean())

    count = len(own_profile)
    tried = [np.zeros(count), *np.log(np.where(np.eye(count), 1.0, 0.02))]
    steps = 4.0 * np.vstack([np.zeros(count), np.eye(count)])
    found = []
    for start in sorted(tried, key=loss)[:4]:
        settings = {"maxiter": 300, "fatol": 1e-10, "xatol": 1e-4}
        wide = {**settings, "initial_simplex": start + steps}
        far = minimize(loss, start, method="Nelder-Mead", options=wide).x
        found.append(minimize(loss, far, method="Nelder-Mead", options=settings))
    return mix(min(found, key=lambda end: end.fun).x)


def _root_mean_square(gaps: np.ndarray) -> np.ndarray:
    return np.sqrt((gaps**2).mean(axis=0))
