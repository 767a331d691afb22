"""Do coders agree? Krippendorff's alpha, Cohen's kappa and Fleiss's kappa, with intervals.

Every function takes a long table with one row per coder and unit: ``unit``, ``coder`` and
``code``. A blank code is a unit that coder did not code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import krippendorff
import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.inter_rater import cohens_kappa as two_coder_kappa

from evalkit.accepted import KEY, ORDERED, Rows, accepts
from evalkit.errors import DataError
from evalkit.groups import places_in_order
from evalkit.reasons import checked_reason
from evalkit.uncertainty import STANDARD_LEVELS

__all__ = ["cohen_kappa", "fleiss_kappa", "krippendorff_alpha"]

MEASUREMENTS = ("nominal", "ordinal", "interval", "ratio")
MINIMUM_UNITS = 10  # fewer units, and the interval says nothing
COLUMNS = [
    "statistic",
    "unit_count",
    "coder_count",
    "base",
    "value",
    "lower",
    "upper",
    "confidence_level",
    "method",
    "reason",
]


@accepts(codings=Rows({"unit": KEY, "coder": KEY, "code": ORDERED}, once=("unit", "coder")))
def krippendorff_alpha(
    codings: pd.DataFrame,
    *,
    measurement: str = "nominal",
    order: Sequence[Any] | None = None,
    replicate_count: int = 2000,
    seed: int = 1,
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """Krippendorff's alpha, for any number of coders and any gaps.

    The interval is the bootstrap percentile interval over units: units, not codings, are drawn
    again, since a unit's codings belong together.

    Parameters
    ----------
    codings
        Rows of ``unit``, ``coder``, ``code``. Ordinal codes are numbers, an ordered categorical,
        or stand in ``order``; those of an interval or ratio scale are numbers.
    measurement
        ``"nominal"``, ``"ordinal"``, ``"interval"`` or ``"ratio"``.
    order
        All steps of an ordinal scale, lowest first; the alphabet is no order.
    replicate_count
        Bootstrap replicates.
    seed
        Seed of the bootstrap, so that the same table gives the same interval.
    confidence_levels
        One row is given per level.

    Returns
    -------
    DataFrame
        One row per level: ``unit_count`` (units coded by two or more), ``coder_count``, ``base``
        (codings in those units), ``value`` (1 is full agreement, 0 is what chance gives),
        ``lower``, ``upper``, ``confidence_level``, ``method``, ``reason``. Fewer than ten units
        keep their value and lose the interval (``base_too_small``), and so does agreement without
        any exception (``design_cannot_answer``), since limits without width would claim certainty;
        codes that never vary give ``design_cannot_answer``, since there is no disagreement to
        expect.

    References
    ----------
    Krippendorff (2011), Computing Krippendorff's alpha-reliability, University of Pennsylvania.
    """
    if measurement not in MEASUREMENTS:
        expected = ", ".join(MEASUREMENTS)
        raise DataError(f"unknown measurement {measurement!r}; expected one of: {expected}")
    _order_is_used(order, measurement == "ordinal", "measurement='ordinal'")
    if measurement == "ordinal":
        codings = codings.assign(code=places_in_order(codings["code"], order=order)[0])
    elif measurement != "nominal":
        codings = codings.assign(code=_numbers(codings["code"], measurement))
    counts = _unit_by_code(codings)
    pairable = counts.loc[counts.sum(axis=1) >= 2]
    head = _head("krippendorff_alpha", pairable, codings)
    method = f"{measurement}; bootstrap over units, percentile, {replicate_count} replicates"
    reason = _cannot_tell(pairable)
    if reason:
        return _refused(head, method, confidence_levels, reason)

    domain = pairable.columns.tolist()
    value = krippendorff.alpha(
        value_counts=pairable.to_numpy(dtype=int),
        value_domain=domain,
        level_of_measurement=measurement,
    )
    replicates = _bootstrapped_alpha(
        pairable.to_numpy(dtype=float), domain, measurement, replicate_count, seed
    )
    return pd.DataFrame(
        [
            _with_limits(
                {**head, "value": value, "confidence_level": level, "method": method},
                *np.nanquantile(replicates, [0.5 - level / 2, 0.5 + level / 2]),
            )
            for level in confidence_levels
        ],
        columns=COLUMNS,
    )


@accepts(codings=Rows({"unit": KEY, "coder": KEY, "code": ORDERED}, once=("unit", "coder")))
def cohen_kappa(
    codings: pd.DataFrame,
    *,
    weights: str = "none",
    order: Sequence[Any] | None = None,
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """Cohen's kappa for two coders, plain or weighted for ordered codes.

    Parameters
    ----------
    codings
        Rows of ``unit``, ``coder``, ``code`` from exactly two coders; units coded by one of them
        are left out.
    weights
        ``"none"``, ``"linear"`` or ``"quadratic"``. Weights count the steps between codes, on a
        scale that must be known: that of an ordered categorical or of ``order``, with the steps
        that nobody used, or of the numbers that occur.
    order
        All steps of the scale, lowest first; the alphabet is no order.
    confidence_levels
        One row is given per level.

    Returns
    -------
    DataFrame
        As for ``krippendorff_alpha``; the interval is normal, with the large-sample standard
        error.

    Raises
    ------
    DataError
        If there are not exactly two coders, ``weights`` is unknown, or they are asked for and the
        order of the codes is not known.

    References
    ----------
    Cohen (1960), Educ. Psychol. Meas. 20, 37-46; Fleiss, Cohen and Everitt (1969), Psychological
    Bulletin 72, 323-327 (standard error).
    """
    if weights not in ("none", "linear", "quadratic"):
        raise DataError(f"unknown weights {weights!r}; expected one of: none, linear, quadratic")
    _order_is_used(order, weights != "none", "weights='linear' or 'quadratic'")
    scale = None if weights == "none" else _scale(codings["code"], order)
    codings = codings.assign(code=codings["code"].astype(object))
    wide = _unit_by_coder(codings)
    if wide.shape[1] != 2:
        raise DataError(f"Cohen's kappa: {wide.shape[1]} coders; expected two")
    both = wide.dropna()
    codes = scale or sorted(pd.unique(both.to_numpy().ravel()))
    counts = pd.DataFrame({code: (both == code).sum(axis=1) for code in codes}, index=both.index)
    head = _head("cohen_kappa", counts, codings)
    method = f"{'unweighted' if weights == 'none' else weights}; normal interval"
    reason = _cannot_tell(counts)
    if reason:
        return _refused(head, method, confidence_levels, reason)

    first, second = (pd.Categorical(both[coder], categories=codes) for coder in both)
    table = pd.crosstab(first, second, dropna=False).reindex(index=codes, columns=codes)
    fitted = two_coder_kappa(table.fillna(0).to_numpy(), wt=None if weights == "none" else weights)
    return pd.DataFrame(
        [
            _normal_row(head, method, fitted.kappa, fitted.std_kappa, level, np.inf)
            for level in confidence_levels
        ],
        columns=COLUMNS,
    )


@accepts(codings=Rows({"unit": KEY, "coder": KEY, "code": ORDERED}, once=("unit", "coder")))
def fleiss_kappa(
    codings: pd.DataFrame, *, confidence_levels: Sequence[float] = STANDARD_LEVELS
) -> pd.DataFrame:
    """Fleiss's kappa for any number of coders and nominal codes; gaps are allowed.

    Parameters
    ----------
    codings
        Rows of ``unit``, ``coder``, ``code``.
    confidence_levels
        One row is given per level.

    Returns
    -------
    DataFrame
        As for ``krippendorff_alpha``; the interval is Student's t with one degree of freedom
        fewer than there are units, with Gwet's standard error, and is not allowed above 1.

    References
    ----------
    Fleiss (1971), Psychological Bulletin 76, 378-382; Gwet (2021), Educ. Psychol. Meas. 81,
    781-790 (standard error away from zero); Gwet (2014), Handbook of Inter-Rater Reliability,
    4th ed. (gaps).
    """
    counts = _unit_by_code(codings)
    pairable = counts.loc[counts.sum(axis=1) >= 2]
    head = _head("fleiss_kappa", pairable, codings)
    method = "t interval, linearised standard error"
    reason = _cannot_tell(pairable)
    if reason:
        return _refused(head, method, confidence_levels, reason)

    value, error = _fleiss_with_error(counts.to_numpy(dtype=float))
    return pd.DataFrame(
        [
            _normal_row(head, method, value, error, level, len(counts) - 1)
            for level in confidence_levels
        ],
        columns=COLUMNS,
    )


def _fleiss_with_error(counts: np.ndarray) -> tuple[float, float]:
    coded = counts.sum(axis=1)
    shared = coded >= 2
    unit_count = len(counts)
    common = (counts / coded[:, None]).mean(axis=0)
    by_chance = (common**2).sum()
    pairs = np.zeros(unit_count)
    pairs[shared] = (counts * (counts - 1)).sum(axis=1)[shared] / (coded * (coded - 1))[shared]
    observed = pairs.sum() / shared.sum()
    value = (observed - by_chance) / (1 - by_chance)

    stretched = np.where(shared, unit_count / shared.sum() * (pairs - by_chance), 0.0)
    unit_value = stretched / (1 - by_chance)
    unit_chance = counts @ common / coded
    linear = unit_value - 2 * (1 - value) * (unit_chance - by_chance) / (1 - by_chance)
    return value, np.sqrt(((linear - value) ** 2).sum() / (unit_count * (unit_count - 1)))


def _bootstrapped_alpha(counts, domain, measurement, replicate_count, seed) -> np.ndarray:
    unit_count, code_count = counts.shape
    coded = counts.sum(axis=1)
    pairs = counts[:, :, None] * counts[:, None, :] - np.eye(code_count) * counts[:, :, None]
    pairs = (pairs / (coded - 1)[:, None, None]).reshape(unit_count, -1)
    drawn = np.random.default_rng(seed).multinomial(
        unit_count, np.full(unit_count, 1 / unit_count), size=replicate_count
    )
    coincidence = (drawn @ pairs).reshape(replicate_count, code_count, code_count)
    margin = coincidence.sum(axis=2)
    total = margin.sum(axis=1)
    distance = _squared_distance(margin, domain, measurement)
    observed = (coincidence * distance).sum(axis=(1, 2))
    expected = (margin[:, :, None] * margin[:, None, :] * distance).sum(axis=(1, 2)) / (total - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - observed / expected, np.nan)


def _squared_distance(margin: np.ndarray, domain: list, measurement: str) -> np.ndarray:
    """Krippendorff's squared difference between codes, one matrix per replicate."""
    if measurement == "ordinal":
        middle = margin.cumsum(axis=1) - margin / 2
        return (middle[:, :, None] - middle[:, None, :]) ** 2
    if measurement == "nominal":
        return (1 - np.eye(len(domain)))[None]
    code = np.asarray(domain, dtype=float)
    difference = (code[:, None] - code[None, :]) ** 2
    if measurement == "ratio":
        total = (code[:, None] + code[None, :]) ** 2
        difference = np.divide(difference, total, out=np.zeros_like(total), where=total > 0)
    return difference[None]


def _order_is_used(order: Sequence[Any] | None, used: bool, where: str) -> None:
    if order is not None and not used:
        raise DataError(f"order= says nothing without {where}; leave it out, or state that")


def _scale(codes: pd.Series, order: Sequence[Any] | None) -> list | None:
    """The steps of a scale that is stated; None for numbers, whose steps are those compared."""
    _, steps = places_in_order(codes, order=order)
    ordered = isinstance(codes.dtype, pd.CategoricalDtype) and codes.cat.ordered
    return steps if order is not None or ordered else None


def _numbers(codes: pd.Series, measurement: str) -> pd.Series:
    numbers = pd.to_numeric(codes.astype(object), errors="coerce")
    strange = np.flatnonzero(numbers.isna() & codes.notna())
    if len(strange):
        shown = ", ".join(str(row + 2) for row in strange[:8]) + " ..." * (len(strange) > 8)
        raise DataError(f"code: rows {shown} are no numbers; a scale of {measurement} needs them")
    return numbers.astype(float)


def _unit_by_coder(codings: pd.DataFrame) -> pd.DataFrame:
    return codings.dropna(subset=["code"]).pivot(index="unit", columns="coder", values="code")


def _unit_by_code(codings: pd.DataFrame) -> pd.DataFrame:
    coded = codings.dropna(subset=["code"])
    return pd.crosstab(coded["unit"], coded["code"])


def _head(statistic: str, counts: pd.DataFrame, codings: pd.DataFrame) -> dict:
    return {
        "statistic": statistic,
        "unit_count": len(counts),
        "coder_count": codings.loc[codings["code"].notna(), "coder"].nunique(),
        "base": int(counts.to_numpy().sum()),
        "reason": None,
    }


def _cannot_tell(counts: pd.DataFrame) -> str | None:
    if counts.empty:
        return "missing"
    if (counts.sum() > 0).sum() < 2:
        return "design_cannot_answer"
    return None


def _refused(head, method, levels, reason) -> pd.DataFrame:
    blank = {"value": np.nan, "lower": np.nan, "upper": np.nan, "method": method}
    rows = [
        {**head, **blank, "confidence_level": level, "reason": checked_reason(reason)}
        for level in levels
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _normal_row(head, method, value, error, level, degrees) -> dict:
    margin = stats.t.ppf(0.5 + level / 2, degrees) * error
    row = {**head, "value": value, "confidence_level": level, "method": method}
    return _with_limits(row, value - margin, min(value + margin, 1.0))


def _with_limits(row: dict, lower: float, upper: float) -> dict:
    if row["unit_count"] < MINIMUM_UNITS:
        return {**row, "lower": np.nan, "upper": np.nan, "reason": checked_reason("base_too_small")}
    if not upper - lower > 1e-12:  # also where they are missing
        reason = checked_reason("design_cannot_answer")
        return {**row, "lower": np.nan, "upper": np.nan, "reason": reason}
    return {**row, "lower": lower, "upper": upper}
