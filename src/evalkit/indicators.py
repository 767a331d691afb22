"""Indicators over time, against their targets, against others, and across social groups.

Every table of yearly values has ``municipality_code``, ``indicator_id``, ``year`` (whole number)
and ``value``, in the indicator's unit. Every result repeats the identity of its row and gives
``value``, ``lower``, ``upper``, ``confidence_level``, ``method`` and ``reason``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats
from scipy.spatial.distance import cdist

from evalkit.accepted import (
    CODE,
    COUNT,
    COUNTS,
    GROUP,
    KEY,
    NUMBER,
    ORDERED,
    TARGETS,
    YEAR,
    Rows,
    accepts,
)
from evalkit.autocorrelation import autoregressive_process, fewer_degrees
from evalkit.contracts import PARTIAL_DATE
from evalkit.errors import DataError
from evalkit.goals import smallest_detectable_change
from evalkit.groups import places_in_order, rows_said
from evalkit.process import last_days
from evalkit.reasons import checked_reason
from evalkit.uncertainty import STANDARD_LEVELS, newcombe_difference_interval

__all__ = [
    "comparison_with_areas",
    "comparison_with_peers",
    "distance_to_target",
    "funnel_limits",
    "indicator_trend",
    "inequality_indices",
    "peer_group",
    "reach_probability",
    "yearly_values",
]

SERIES = ["municipality_code", "indicator_id"]
DIRECTIONS = {"at_least": 1.0, "at_most": -1.0}
SERIES_AT_ONCE = 1_000  # whose years are weighed together, which bounds the memory
TREND_ERRORS = ("small_sample", "independent")
MINIMUM_PERIODS = 4  # a line through three points leaves one degree of freedom
MINIMUM_PEERS = 5
MINIMUM_OTHERS = 3  # with one other, the rest of an area is that municipality
MINIMUM_GROUPS = 4
PEER_NUMBERS = [
    "peer_median",
    "peer_lower_quartile",
    "peer_upper_quartile",
    "peer_minimum",
    "peer_maximum",
]
FEWEST_FOR_DISPERSION = 5
AREA_METHODS = ("difference, no interval", "difference of shares, Newcombe")
STANDINGS = (None, "missing", "not_comparable", "design_cannot_answer")
ROUNDED = 0.005  # how far a published share may lie from its counts, or a twentieth of itself
ROUNDING = 1e-20  # of a sum of squares: what arithmetic leaves of an exact nought


@accepts(
    observations=Rows(
        {"indicator_id": KEY, "period": GROUP, "value": NUMBER},
        {
            "numerator": COUNT,
            "denominator": COUNT,
            "municipality_code": GROUP,
            "area": GROUP,
            "group": GROUP,
        },
    )
)
def yearly_values(observations: pd.DataFrame) -> pd.DataFrame:
    """One value per municipality, indicator and year.

    Rows without a period, for another area or for a group within the municipality are left out.
    Where a year has several observations, the one whose ``period`` ends last is kept.

    Parameters
    ----------
    observations
        Rows of ``ObservationsTable``.

    Returns
    -------
    DataFrame
        ``municipality_code``, ``indicator_id``, ``year``, ``value``, ``numerator`` and
        ``denominator``, in the order of the first three.
    """
    own = observations.loc[
        observations["municipality_code"].notna()
        & observations["area"].isna()
        & observations["group"].isna()
        & observations["period"].notna()
    ]
    strange = ~own["period"].astype("str").str.fullmatch(PARTIAL_DATE)
    if strange.any():
        raise DataError(
            f"observations: period: no date in {rows_said(own.index[strange])}; expected one such as "
            "2023, 2023-03 or 2023-Q1"
        )
    dated = own.assign(
        year=own["period"].str.slice(0, 4).astype(int), last_day=last_days(own["period"])
    )
    columns = [*SERIES, "year", "value", "numerator", "denominator"]
    return (
        dated.sort_values([*SERIES, "last_day", "period"])
        .drop_duplicates([*SERIES, "year"], keep="last")
        .loc[:, columns]
        .reset_index(drop=True)
    )


@accepts(
    values=Rows(
        {"municipality_code": CODE, "indicator_id": KEY, "year": YEAR, "value": NUMBER},
        once=("municipality_code", "indicator_id", "year"),
    ),
    targets=TARGETS,
)
def distance_to_target(values: pd.DataFrame, targets: pd.DataFrame) -> pd.DataFrame:
    """How far the latest value is from its target, and the change needed per year to get there.

    It describes, and has no interval.

    Parameters
    ----------
    values
        Yearly values; missing ones are skipped.
    targets
        ``municipality_code``, ``indicator_id``, ``direction`` (``at_least`` or ``at_most``),
        ``target_value`` and ``target_year``; one row per municipality and indicator.

    Returns
    -------
    DataFrame
        One row per row of ``targets``: ``first_year``, ``first_value``, ``latest_year``,
        ``value`` (the latest), ``target_value``, ``target_year``; ``remaining_distance`` (in the
        indicator's unit; positive while the target is not met, whatever its direction);
        ``reached``; ``years_left``; ``needed_per_year`` and ``achieved_per_year`` (signed changes
        of the value per year); ``progress_share`` (share of the way from first value to target,
        negative when it went the wrong way; missing when the first value met the target, for
        then there was no way to go); ``method``; ``reason`` (``missing`` without a value or a
        target). ``needed_per_year`` is missing when the target is met or its year has passed.

    Raises
    ------
    DataError
        If a direction is unknown, a series has more than one target or a year twice.
    """
    sign = _directions(targets)
    ends = _first_and_latest(values)
    rows = targets.merge(ends, on=SERIES, how="left", validate="one_to_one")
    sign = sign.to_numpy()

    remaining = sign * (rows["target_value"] - rows["value"])
    unknown = rows["value"].isna() | rows["target_value"].isna() | rows["direction"].isna()
    reached = (remaining <= 0).astype("boolean").mask(unknown)
    years_left = rows["target_year"] - rows["latest_year"]
    open_target = (remaining > 0) & (years_left > 0)
    whole_way = rows["target_value"] - rows["first_value"]
    way_to_go = sign * whole_way > 0
    span = rows["latest_year"] - rows["first_year"]
    change = rows["value"] - rows["first_value"]
    return rows.assign(
        remaining_distance=remaining,
        reached=reached,
        years_left=years_left,
        needed_per_year=((rows["target_value"] - rows["value"]) / years_left).where(open_target),
        achieved_per_year=(change / span).where(span > 0),
        progress_share=(change / whole_way).where((span > 0) & way_to_go),
        method="description: latest value against target",
        reason=_none_for_blank(_reason_where(unknown, "missing")),
    )[
        [
            *SERIES,
            "direction",
            "first_year",
            "first_value",
            "latest_year",
            "value",
            "target_value",
            "target_year",
            "remaining_distance",
            "reached",
            "years_left",
            "needed_per_year",
            "achieved_per_year",
            "progress_share",
            "method",
            "reason",
        ]
    ]


@accepts(
    values=Rows(
        {"municipality_code": CODE, "indicator_id": KEY, "year": YEAR, "value": NUMBER},
        once=("municipality_code", "indicator_id", "year"),
    )
)
def indicator_trend(
    values: pd.DataFrame,
    *,
    errors: str = "small_sample",
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
    minimum_periods: int = MINIMUM_PERIODS,
) -> pd.DataFrame:
    """Average change per year of each series, with its uncertainty.

    A straight line is fitted by least squares. Years that are taken as independent give limits
    that are far too narrow where neighbouring years are alike. With ``errors="small_sample"`` the
    error is therefore the larger of that and the one of an autoregressive process, averaged over
    what its correlation may be, and Student's t has as many degrees of freedom as independent
    years would give the same information.

    Parameters
    ----------
    values
        Yearly values; missing ones are skipped.
    errors
        ``"small_sample"``, or ``"independent"``: two degrees of freedom fewer than there are
        years, as other programs print them, for comparison.
    confidence_levels
        One row is given per level.
    minimum_periods
        Fewest years with a value for which a trend is given; at least 3.

    Returns
    -------
    DataFrame
        One row per municipality, indicator and level: ``period_count``, ``first_year``,
        ``latest_year``, ``count`` (years with a value), ``base`` (years from first to latest),
        ``value``, ``lower``, ``upper`` (change per year, in the indicator's unit),
        ``smallest_change`` (per year, found in four of five cases; from the interval's width),
        ``confidence_level``, ``residual_autocorrelation`` (lag 1), ``method``, ``reason``
        (``missing`` or ``too_few_periods``; ``design_cannot_answer``, limits only, for a series
        exactly on its line).

    Raises
    ------
    DataError
        If a municipality, indicator and year stand in several rows.

    References
    ----------
    Draper and Smith (1998), Applied Regression Analysis, 3rd ed., section 1.4.
    """
    _known("errors", errors, TREND_ERRORS)
    lines = _fitted_lines(values)
    if errors == "small_sample":
        lines = _alike_years(lines, values)
    rows = _at_levels(lines, confidence_levels)
    usable = rows["period_count"] >= minimum_periods
    margin = _t_quantile(rows) * rows["slope_error"]
    lower, upper = ((rows["slope"] + side * margin).where(usable) for side in (-1, 1))
    return rows.assign(
        value=rows["slope"].where(usable),
        lower=lower,
        upper=upper,
        smallest_change=smallest_detectable_change(lower, upper, rows["confidence_level"]),
        residual_autocorrelation=rows["residual_autocorrelation"].where(usable),
        method="least-squares line, "
        + ("autoregressive errors, " if errors == "small_sample" else "")
        + "t interval",
        reason=_none_for_blank(
            _series_reason(rows, usable).mask(
                usable & rows["slope_error"].isna(), checked_reason("design_cannot_answer")
            )
        ),
    )[
        [
            *SERIES,
            "period_count",
            "first_year",
            "latest_year",
            "count",
            "base",
            "value",
            "lower",
            "upper",
            "smallest_change",
            "confidence_level",
            "residual_autocorrelation",
            "method",
            "reason",
        ]
    ]


@accepts(
    values=Rows(
        {"municipality_code": CODE, "indicator_id": KEY, "year": YEAR, "value": NUMBER},
        once=("municipality_code", "indicator_id", "year"),
    ),
    targets=TARGETS,
)
def reach_probability(
    values: pd.DataFrame,
    targets: pd.DataFrame,
    *,
    rule: str,
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
    minimum_periods: int = MINIMUM_PERIODS,
) -> pd.DataFrame:
    """Probability that a series meets its target in the target year, if a stated rule holds.

    The rule is an assumption about the future, not a finding. ``linear_trend``: the fitted line
    goes on, and years scatter around it as before. ``random_walk``: from the latest value, each
    year adds a change drawn from the same distribution as the yearly changes seen so far; this
    rule needs a value for every year.

    Parameters
    ----------
    values, targets
        As for ``distance_to_target``.
    rule
        ``"linear_trend"`` or ``"random_walk"``.
    confidence_levels
        Levels of the prediction interval; one row is given per level.
    minimum_periods
        Fewest years with a value for which a probability is given; at least 3.

    Returns
    -------
    DataFrame
        One row per target and level: ``period_count``, ``count`` (years with a value), ``base``
        (years from first to latest), ``target_value``, ``target_year``;
        ``value``, ``lower``, ``upper`` (the expected value in the target year and its prediction
        interval, in the indicator's unit); ``reach_probability`` (0 to 1), ``confidence_level``,
        ``method``, ``reason``. A target year that is not after the latest value is refused
        (``design_cannot_answer``): then the target is met or not. So is a series without any
        scatter, which gives nothing to judge the uncertainty by. A blank target is ``missing``.

    References
    ----------
    Draper and Smith (1998), section 3.1 (prediction from a line); Hyndman and Athanasopoulos
    (2021), Forecasting: Principles and Practice, 3rd ed., section 5.2 (drift method).
    """
    predictors = {"linear_trend": _line_prediction, "random_walk": _walk_prediction}
    if rule not in predictors:
        raise DataError(f"unknown rule {rule!r}; expected one of: {', '.join(predictors)}")
    sign = _directions(targets).to_numpy()

    lines = _fitted_lines(values)
    rows = targets.assign(sign=sign).merge(lines, on=SERIES, how="left", validate="one_to_one")
    counted = ["period_count", "count", "base"]
    rows[counted] = rows[counted].fillna(0).astype(int)
    found = predictors[rule](rows, values)
    expected, error, degrees = (numbers.astype(float) for numbers in found)
    degrees = degrees.where(degrees > 0)
    gap = rows["sign"].astype(float) * (expected - rows["target_value"].astype(float))
    with np.errstate(divide="ignore", invalid="ignore"):
        probability = stats.t.cdf(gap / error, degrees)

    rows = rows.assign(
        expected=expected, error=error, degrees=degrees, reach_probability=probability
    )
    rows = _at_levels(rows, confidence_levels)
    past = rows["target_year"] <= rows["latest_year"]
    aimed = rows[["target_value", "target_year", "direction"]].notna().all(axis=1)
    enough = (rows["period_count"] >= minimum_periods) & aimed
    broken = enough & ~past & rows["error"].isna()
    usable = enough & ~past & ~broken
    margin = stats.t.ppf(0.5 + rows["confidence_level"] / 2, rows["degrees"]) * rows["error"]
    reason = _series_reason(rows, enough).mask(~aimed, checked_reason("missing"))
    reason = reason.mask(enough & (past | broken), checked_reason("design_cannot_answer"))
    return rows.assign(
        value=rows["expected"].where(usable),
        lower=(rows["expected"] - margin).where(usable),
        upper=(rows["expected"] + margin).where(usable),
        reach_probability=rows["reach_probability"].where(usable),
        method=f"{rule.replace('_', ' ')} goes on, t prediction interval",
        reason=_none_for_blank(reason),
    )[
        [
            *SERIES,
            "direction",
            "period_count",
            "count",
            "base",
            "target_value",
            "target_year",
            "value",
            "lower",
            "upper",
            "reach_probability",
            "confidence_level",
            "method",
            "reason",
        ]
    ]


@accepts(
    profiles=Rows(
        {"municipality_code": CODE}, named={"characteristics": NUMBER}, once=("municipality_code",)
    )
)
def peer_group(
    profiles: pd.DataFrame, *, characteristics: Sequence[str], peer_count: int = 10
) -> pd.DataFrame:
    """The municipalities most like each municipality, by standardised distance.

    Each characteristic is centred and divided by its standard deviation over all municipalities
    in ``profiles``; the distance is the root of the mean squared difference, so that 1 means one
    standard deviation apart on average. Municipalities that lack a characteristic have no peers
    and are nobody's peer.

    Parameters
    ----------
    profiles
        One row per ``municipality_code``, with the characteristics as numbers. Skewed ones, such
        as population, are best given as logarithms.
    characteristics
        Columns to compare on.
    peer_count
        Peers to find for each municipality.

    Returns
    -------
    DataFrame
        ``municipality_code``, ``peer_code``, ``peer_rank`` (1 is nearest), ``distance`` (in
        standard deviations), ``method``, ``reason``. A municipality without peers keeps one row,
        with the reason ``missing``, or ``too_few_donors`` when others are too few.

    Raises
    ------
    DataError
        If a municipality occurs twice or a characteristic does not vary.
    """
    codes = profiles["municipality_code"]
    measured = profiles.loc[profiles[list(characteristics)].notna().all(axis=1)]
    spread = measured[list(characteristics)].std()
    if (spread == 0).any():
        still = ", ".join(spread.index[spread == 0])
        raise DataError(f"profiles: no variation in {still}; leave it out of the distance")

    method = f"standardised distance on {', '.join(characteristics)}"
    known = measured["municipality_code"].to_numpy()
    if len(known) <= peer_count:
        lacking = codes[~codes.isin(known)]
        reasons = np.where(codes.isin(lacking), "missing", checked_reason("too_few_donors"))
        return _without_peers(codes.to_numpy(), reasons, method)
    standardised = (
        measured[list(characteristics)] - measured[list(characteristics)].mean()
    ) / spread
    distance = cdist(standardised, standardised) / np.sqrt(len(characteristics))
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :peer_count]
    found = pd.DataFrame(
        {
            "municipality_code": np.repeat(known, peer_count),
            "peer_code": known[nearest].ravel(),
            "peer_rank": np.tile(np.arange(1, peer_count + 1), len(known)),
            "distance": np.take_along_axis(distance, nearest, axis=1).ravel(),
            "method": method,
            "reason": None,
        }
    )
    lacking = codes[~codes.isin(known)].to_numpy()
    if len(lacking):
        unknown = _without_peers(lacking, np.full(len(lacking), "missing"), method)
        found = pd.concat([found, unknown], ignore_index=True)
    found = found.assign(reason=_none_for_blank(found["reason"]))
    return found.sort_values(["municipality_code", "peer_rank"]).reset_index(drop=True)


@accepts(
    values=Rows(
        {"municipality_code": CODE, "indicator_id": KEY, "year": YEAR, "value": NUMBER},
        once=("municipality_code", "indicator_id", "year"),
    ),
    peers=Rows({"municipality_code": CODE, "peer_code": replace(CODE, blank=True)}),
)
def comparison_with_peers(
    values: pd.DataFrame, peers: pd.DataFrame, *, minimum_peers: int = MINIMUM_PEERS
) -> pd.DataFrame:
    """Each value beside the values of the municipality's peers in the same year.

    Parameters
    ----------
    values
        Yearly values of the municipalities and of their peers.
    peers
        From ``peer_group``.
    minimum_peers
        Fewest peers with a value for which a comparison is given.

    Returns
    -------
    DataFrame
        One row per municipality that has peers, indicator and year: ``value``, ``peer_count``
        (peers with a value), ``peer_median``, ``peer_lower_quartile``, ``peer_upper_quartile``,
        ``peer_minimum``, ``peer_maximum``, ``difference`` (value minus the peers'
        median), ``rank`` (1 is the highest among the municipality and its peers), ``method``,
        ``reason`` (``missing`` or ``too_few_donors``). The quartiles describe the peers; they
        are not a confidence interval.
    """
    pairs = peers.loc[peers["peer_code"].notna(), ["municipality_code", "peer_code"]]
    keys = [*SERIES, "year"]
    own = values.loc[values["municipality_code"].isin(pairs["municipality_code"]), [*keys, "value"]]
    rows = pd.concat([own.reset_index(drop=True), _among_peers(own, values, pairs)], axis=1)
    few = rows["peer_count"] < minimum_peers
    numbers = [*PEER_NUMBERS, "rank"]
    rows[numbers] = rows[numbers].mask(few, axis=0)
    return rows.assign(
        difference=rows["value"] - rows["peer_median"],
        method="description: median and quartiles of peers",
        reason=_none_for_blank(
            _reason_where(few, "too_few_donors").mask(rows["value"].isna(), "missing")
        ),
    )[
        [
            *keys,
            "value",
            "peer_count",
            *PEER_NUMBERS,
            "difference",
            "rank",
            "method",
            "reason",
        ]
    ].sort_values(keys, ignore_index=True)


@accepts(
    values=Rows(
        {"municipality_code": CODE, "indicator_id": KEY, "year": YEAR, "value": NUMBER},
        COUNTS,
        once=("municipality_code", "indicator_id", "year"),
    ),
    areas=Rows(
        {
            "municipality_code": CODE,
            "indicator_id": KEY,
            "year": YEAR,
            "value": NUMBER,
            "area": KEY,
        },
        COUNTS,
    ),
)
def comparison_with_areas(
    values: pd.DataFrame,
    areas: pd.DataFrame,
    *,
    areas_contain_municipality: bool,
    minimum_others: int = MINIMUM_OTHERS,
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """Each value beside the value of its county, the country or another area.

    Where both have ``numerator`` and ``denominator``, the difference is one of shares, with
    Newcombe's interval for independent samples. A county contains its municipality: with
    ``areas_contain_municipality`` the municipality's own counts are taken out of the area's
    first, since the interval is wrong otherwise. Without counts the difference of the published
    values stands alone. All is in the indicator's unit, which for per cent is a hundred times the
    share of the counts: the power of ten is read from an indicator's values and counts.

    Parameters
    ----------
    values
        Yearly values; ``numerator`` and ``denominator`` where they are known, and ``reason`` where
        the value is hidden.
    areas
        ``municipality_code``, ``indicator_id``, ``year``, ``area`` (such as ``"county"``) and
        ``value``; ``numerator``, ``denominator`` and ``municipality_count`` where they are known,
        and ``reason`` where the value is hidden.
    areas_contain_municipality
        Whether the area's counts include the municipality's own.
    minimum_others
        Fewest other municipalities in an area that contains the municipality, where it is known
        how many there are, for the rest of it to be something to compare with.
    confidence_levels
        One row is given per level.

    Returns
    -------
    DataFrame
        One row per municipality, indicator, year, area and level; one without area where there
        is none to compare with: ``own_value``, ``area_value`` (of the rest of the area where
        counts allow), ``count`` and ``base`` (the municipality's own), ``value`` (the
        difference), ``lower``, ``upper``, ``confidence_level``, ``method``, ``reason``. The
        reason is why the municipality's or the area's value is hidden; ``too_few_donors`` where
        the rest of the area is too few municipalities;
        ``missing`` without a value or an area, and, limits only, without counts;
        ``not_comparable`` where the municipality's counts are more than those of the area that
        should contain it; ``design_cannot_answer``, limits only, for counts that are no share
        or do not give the published value.

    References
    ----------
    Newcombe (1998), Statistics in Medicine 17, 873-890, method 10.
    """
    keys = [*SERIES, "year"]
    counts = ["numerator", "denominator"]
    own = values.reindex(columns=[*keys, "value", *counts, "reason"])
    other = areas.reindex(columns=[*keys, "area", "value", *counts, "municipality_count", "reason"])
    rows = own.merge(other, on=keys, how="left", suffixes=("_own", "_area"), validate="one_to_many")
    rest = rows[["numerator_area", "denominator_area"]].to_numpy(dtype=float)
    if areas_contain_municipality:
        rest = rest - rows[["numerator_own", "denominator_own"]].to_numpy(dtype=float)
    rows = rows.assign(rest_count=rest[:, 0], rest_base=rest[:, 1])
    rows = _with_shares(rows)
    rows = _at_levels(rows, confidence_levels)
    standing, scale = rows["standing"].to_numpy(), rows["scale"]
    counted = pd.Series(standing == 0, rows.index)
    own_value = (scale * rows["own_share"]).where(counted, rows["value_own"])
    area_value = (scale * rows["rest_share"]).where(counted, rows["value_area"])
    not_comparable = standing == STANDINGS.index("not_comparable")
    few = rows["municipality_count"] - 1 < minimum_others
    few &= areas_contain_municipality
    difference = (own_value - area_value).mask(not_comparable)
    unknown = difference.isna().to_numpy() & ~not_comparable
    reason = np.where(unknown, STANDINGS.index("missing"), standing)
    reason = pd.Series(np.array(STANDINGS, dtype=object)[reason], rows.index, dtype=object)
    reason = reason.mask(few, checked_reason("too_few_donors"))
    for side in ("area", "own"):
        hidden = unknown & rows[f"value_{side}"].isna() & rows[f"reason_{side}"].notna()
        reason = reason.mask(hidden, rows[f"reason_{side}"])
    counted &= ~few
    lower, upper = _newcombe_limits(rows.loc[counted])
    return rows.assign(
        own_value=own_value,
        area_value=area_value.mask(few),
        count=rows["numerator_own"],
        base=rows["denominator_own"],
        value=difference.mask(few),
        lower=lower.reindex(rows.index) * scale,
        upper=upper.reindex(rows.index) * scale,
        method=pd.array(AREA_METHODS, dtype="str").take(counted.astype(int)),
        reason=reason,
    )[
        [
            *keys,
            "area",
            "own_value",
            "area_value",
            "count",
            "base",
            "value",
            "lower",
            "upper",
            "confidence_level",
            "method",
            "reason",
        ]
    ]


def _with_shares(rows: pd.DataFrame) -> pd.DataFrame:
    """The shares behind the values, what they are multiplied with, and how the counts stand.

    ``standing`` is the place among ``STANDINGS``: the first where the counts give the value,
    otherwise the reason that they do not.
    """
    count, base = rows["numerator_own"], rows["denominator_own"]
    rest_count, rest_base = rows["rest_count"], rows["rest_base"]
    own_share = (count / base).where(base > 0)
    rest_share = (rest_count / rest_base).where(rest_base > 0)
    area_share = rows["numerator_area"] / rows["denominator_area"]
    published = ((rows["value_own"], own_share), (rows["value_area"], area_share))
    place, names = pd.factorize(rows["indicator_id"])
    typical = pd.Series(np.nan, range(len(names)))
    for value, share in published:
        ratio = (value / share).where((share > 0) & (value > 0))
        typical = typical.fillna(ratio.groupby(place).median())
    powers = 10.0 ** np.log10(typical).round().fillna(0.0)
    scale = pd.Series(powers.to_numpy()[place], rows.index)

    off = pd.Series(False, rows.index)
    for value, share in published:
        allowed = np.maximum(ROUNDED * scale, 0.05 * value.abs())
        off |= (value - scale * share).abs() > allowed
    no_share = (count < 0) | (count > base) | (rest_count > rest_base)
    standing = np.select(
        [
            own_share.isna() | (rest_count.isna() | rest_base.isna()),
            (rest_count < 0) | (rest_base < 0),
            (rest_base == 0) | no_share | off,
        ],
        [STANDINGS.index(reason) for reason in STANDINGS[1:]],
        0,
    )
    return rows.assign(own_share=own_share, rest_share=rest_share, scale=scale, standing=standing)


@accepts(
    counts=Rows(
        {"municipality_code": CODE, "count": COUNT, "base": COUNT}, once=("municipality_code",)
    )
)
def funnel_limits(
    counts: pd.DataFrame,
    *,
    kind: str,
    comparison_value: float | None = None,
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
    overdispersion: str = "none",
    scale: str = "square_root",
    winsorised_share: float = 0.1,
) -> pd.DataFrame:
    """Where each municipality lies in a funnel around the common value.

    A funnel shows who differs more than chance allows; it replaces ranking. Without
    overdispersion the limits are exact, interpolated between counts. With it, the spread of all
    municipalities decides how wide chance is: z scores, their extremes pulled in to
    ``winsorised_share`` at each end, give the dispersion, which widens the limits by its root
    (``multiplicative``) or as a variance between municipalities (``additive``).

    Parameters
    ----------
    counts
        One row per ``municipality_code``: ``count`` (events or persons) and ``base`` (persons for
        a share, person-time for a rate, expected events for a ratio).
    kind
        ``"share"``, ``"rate"`` or ``"ratio"``.
    comparison_value
        The centre of the funnel; by default the pooled value, and 1 for a ratio.
    confidence_levels
        One row is given per municipality and level. A funnel is usually drawn with two and three
        standard errors: ``(0.95, 0.998)``.
    overdispersion
        ``"none"``, ``"multiplicative"`` or ``"additive"``.
    scale
        Scale on which rates and ratios are taken as normal when overdispersed:
        ``"square_root"`` or ``"log"``; shares are taken as they are.
    winsorised_share
        Share of the z scores pulled in at each end, 0 to below 0.5.

    Returns
    -------
    DataFrame
        ``municipality_code``, ``count``, ``base``, ``value``, ``comparison_value``, ``lower``,
        ``upper`` (limits of the funnel at that base), ``confidence_level``, ``position``
        (``below``, ``within`` or ``above``), ``dispersion`` (1 is chance alone; before any
        widening; missing below five municipalities), ``method``, ``reason`` (``missing``;
        ``base_too_small`` for base 0; ``too_few_clusters``, limits only, where overdispersion
        is asked for and cannot be known; ``design_cannot_answer``, limits only, around a centre
        of 0, or of 1 for shares, where no chance is left).

    Raises
    ------
    DataError
        If an option is unknown, or a log scale meets a count of 0.

    References
    ----------
    Spiegelhalter (2005), Statistics in Medicine 24, 1185-1202; Spiegelhalter (2005), Quality and
    Safety in Health Care 14, 347-351 (overdispersion); Spiegelhalter et al. (2012), J. R. Stat.
    Soc. A 175, 1-47 (square-root scale).
    """
    _known("kind", kind, ("share", "rate", "ratio"))
    _known("overdispersion", overdispersion, ("none", "multiplicative", "additive"))
    _known("scale", scale, ("square_root", "log"))
    rows = counts[["municipality_code", "count", "base"]].reset_index(drop=True)
    usable = rows["count"].notna() & (rows["base"] > 0)
    centre = comparison_value
    if centre is None:
        used = rows.loc[usable]
        centre = 1.0 if kind == "ratio" else used["count"].sum() / max(used["base"].sum(), 1e-300)
    if kind != "share" and scale == "log" and (rows.loc[usable, "count"] == 0).any():
        raise DataError("funnel on a log scale: a count of 0; use the square-root scale")

    scores, errors, forward, backward = _funnel_scale(rows, usable, kind, scale, centre)
    dispersion, between = _dispersion(scores[usable], errors[usable], winsorised_share)
    rows = rows.assign(
        value=(rows["count"] / rows["base"]).where(usable),
        comparison_value=centre,
        dispersion=dispersion,
        error=errors,
        usable=usable,
    )
    rows = _at_levels(rows, confidence_levels)
    if overdispersion == "none":
        lower, upper = _exact_limits(rows, kind, centre)
        method = "exact limits, binomial" if kind == "share" else "exact limits, Poisson"
    else:
        widened = {
            "multiplicative": rows["error"] * np.sqrt(np.maximum(dispersion, 1.0)),
            "additive": np.sqrt(rows["error"] ** 2 + (between if dispersion >= 0 else np.nan)),
        }[overdispersion]
        margin = stats.norm.ppf(0.5 + rows["confidence_level"] / 2) * widened
        lower, upper = backward(forward(centre) - margin), backward(forward(centre) + margin)
        method = f"normal limits, {overdispersion} overdispersion"
    lower, upper = pd.Series(lower, rows.index), pd.Series(upper, rows.index)
    no_chance = centre <= 0 or (kind == "share" and centre >= 1)
    if no_chance:
        lower, upper = lower * np.nan, upper * np.nan
    position = np.select(
        [lower.isna(), rows["value"] < lower, rows["value"] > upper],
        ["", "below", "above"],
        "within",
    )
    without = "design_cannot_answer" if no_chance else "too_few_clusters"
    reason = _reason_where(rows["usable"] & lower.isna(), without)
    reason = reason.mask(rows["count"].isna() | rows["base"].isna(), checked_reason("missing"))
    return rows.assign(
        lower=lower.where(rows["usable"]),
        upper=upper.where(rows["usable"]),
        position=pd.Series(position, rows.index).where(rows["usable"] & lower.notna()),
        method=method,
        reason=_none_for_blank(reason.mask(rows["base"] <= 0, checked_reason("base_too_small"))),
    )[
        [
            "municipality_code",
            "count",
            "base",
            "value",
            "comparison_value",
            "lower",
            "upper",
            "confidence_level",
            "position",
            "dispersion",
            "method",
            "reason",
        ]
    ]


@accepts(
    groups=Rows(
        {"group_order": ORDERED, "population": COUNT, "value": NUMBER},
        {"standard_error": COUNT},
        named={"by": KEY},
    )
)
def inequality_indices(
    groups: pd.DataFrame,
    *,
    by: Sequence[str] = ("municipality_code", "indicator_id"),
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """Slope index and relative index of inequality over ordered social groups.

    Groups are placed at the middle of their share of the population, ordered from the worst off
    to the best off, and a line is fitted to their values, weighted by population. The slope
    index is the difference between the line's two ends; the relative index is their ratio, the
    best off over the worst off.

    Parameters
    ----------
    groups
        One row per group: the ``by`` columns, ``group_order`` (numbers, or an ordered categorical;
        the lowest is the worst off),
        ``population`` (persons) and ``value``; ``standard_error`` of the value where it is known.
    by
        Columns that identify one gradient.
    confidence_levels
        One row is given per level.

    Returns
    -------
    DataFrame
        One row per gradient, index and level: the ``by`` columns, ``index``
        (``slope_index`` or ``relative_index``), ``count`` (groups), ``base`` (persons), ``value``,
        ``lower``, ``upper``, ``confidence_level``, ``method``, ``reason``. With standard errors
        the limits carry the uncertainty of the values; without, the scatter around the line,
        and groups exactly on it have no limits (``design_cannot_answer``). A gradient with fewer than four groups, or a ratio of a line that crosses zero, is refused
        (``design_cannot_answer``); a gradient with a blank cell is ``missing``.

    References
    ----------
    Mackenbach and Kunst (1997), Social Science and Medicine 44, 757-771; Low and Low (2004),
    Journal of Public Health 26, 387-395.
    """
    by = list(by)
    groups = groups.assign(group_order=places_in_order(groups["group_order"])[0])
    rows = []
    for identity, gradient in groups.groupby(by, sort=True):
        known = dict(zip(by, identity, strict=True))
        rows += [
            {**known, **row}
            for level in confidence_levels
            for row in _gradient_rows(gradient.sort_values("group_order"), level)
        ]
    columns = [
        *by,
        "index",
        "count",
        "base",
        "value",
        "lower",
        "upper",
        "confidence_level",
        "method",
        "reason",
    ]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(reason=_none_for_blank(table["reason"]))


def _gradient_rows(gradient: pd.DataFrame, level: float) -> list[dict]:
    has_errors = "standard_error" in gradient and gradient["standard_error"].notna().all()
    head = {
        "count": len(gradient),
        "base": gradient["population"].sum(),
        "value": np.nan,
        "lower": np.nan,
        "upper": np.nan,
        "confidence_level": level,
        "method": "population-weighted line, "
        + ("normal interval from standard errors" if has_errors else "t interval from scatter"),
        "reason": None,
    }
    reason = None
    if gradient[["population", "value"]].isna().any(axis=None):
        reason = "missing"
    elif len(gradient) < MINIMUM_GROUPS:
        reason = "design_cannot_answer"
    if reason:
        refused = {**head, "reason": checked_reason(reason)}
        return [{**refused, "index": index} for index in ("slope_index", "relative_index")]

    weight = (gradient["population"] / gradient["population"].sum()).to_numpy()
    rank = weight.cumsum() - weight / 2
    value = gradient["value"].to_numpy(dtype=float)
    design = np.column_stack([np.ones_like(rank), rank])
    projection = np.linalg.solve(design.T * weight @ design, design.T * weight)
    low_end, slope = projection @ value
    if has_errors:
        spread = projection * gradient["standard_error"].to_numpy(dtype=float)
        covariance = spread @ spread.T
        quantile = stats.norm.ppf(0.5 + level / 2)
    else:
        degrees = len(value) - 2
        residual = value - design @ np.array([low_end, slope])
        scale = (weight * residual**2).sum() / degrees
        covariance = scale * np.linalg.inv(design.T * weight @ design)
        quantile = stats.t.ppf(0.5 + level / 2, degrees)
    certain = covariance[1, 1] <= ROUNDING * (value**2).sum()
    if certain:  # nothing to estimate an error from
        covariance = covariance * np.nan
        head["reason"] = checked_reason("design_cannot_answer")
    margin = quantile * np.sqrt(covariance[1, 1])
    slope_row = {
        **head,
        "index": "slope_index",
        "value": slope,
        "lower": slope - margin,
        "upper": slope + margin,
    }
    high_end = low_end + slope
    if min(low_end, high_end) <= 0:
        refused = checked_reason("design_cannot_answer")
        return [slope_row, {**head, "index": "relative_index", "reason": refused}]
    tilt = np.array([1 / high_end - 1 / low_end, 1 / high_end])
    log_margin = quantile * np.sqrt(tilt @ covariance @ tilt)
    ratio = high_end / low_end
    return [
        slope_row,
        {
            **head,
            "index": "relative_index",
            "value": ratio,
            "lower": ratio * np.exp(-log_margin),
            "upper": ratio * np.exp(log_margin),
        },
    ]


def _among_peers(own: pd.DataFrame, values: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Order statistics of the peers' values in the same year, one row per row of ``own``."""
    keys = ["indicator_id", "year"]
    if values.duplicated([*SERIES, "year"]).any():
        raise DataError("values: a municipality, indicator and year more than once")
    place, codes = pd.factorize(values["municipality_code"])
    moments = values[keys].drop_duplicates()
    at = pd.MultiIndex.from_frame(moments)
    table = np.full((len(codes), len(at)), np.nan)
    table[place, at.get_indexer(pd.MultiIndex.from_frame(values[keys]))] = values["value"]
    peer_places = pd.Index(codes).get_indexer(pairs["peer_code"])
    pairs_of = pairs.groupby("municipality_code").indices

    result = np.full((len(own), 7), np.nan)
    moment = at.get_indexer(pd.MultiIndex.from_frame(own[keys]))
    rows_of = own.groupby("municipality_code").indices
    for code, here in rows_of.items():
        known = peer_places[pairs_of[code]]
        known = known[known >= 0]
        ordered = np.sort(table[known][:, moment[here]].T, axis=1)  # missing values come last
        ordered = np.column_stack([ordered, np.full(len(here), np.nan)])
        count = np.isfinite(ordered).sum(axis=1)
        value = own["value"].to_numpy(dtype=float)[here]
        rank = np.where(np.isnan(value), np.nan, 1.0 + (ordered > value[:, None]).sum(axis=1))
        quantiles = [_row_quantile(ordered, count, share) for share in (0.5, 0.25, 0.75, 0.0, 1.0)]
        result[here] = np.column_stack([count, *quantiles, rank])
    columns = ["peer_count", *PEER_NUMBERS, "rank"]
    return pd.DataFrame(result, columns=columns).astype({"peer_count": int})


def _row_quantile(ordered: np.ndarray, count: np.ndarray, share: float) -> np.ndarray:
    place = np.maximum(count - 1, 0) * share
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    row = np.arange(len(ordered))
    return ordered[row, low] + (place - low) * (ordered[row, high] - ordered[row, low])


def _fitted_lines(values: pd.DataFrame) -> pd.DataFrame:
    """One least-squares line per series, all series at once."""
    ordered = values.sort_values([*SERIES, "year"])
    series = ordered.groupby(SERIES, sort=True).ngroup().to_numpy()
    lines = ordered[SERIES].drop_duplicates().reset_index(drop=True)
    seen = ordered["value"].notna().to_numpy()
    series, year = series[seen], ordered["year"].to_numpy(dtype=float)[seen]
    value = ordered["value"].to_numpy(dtype=float)[seen]

    def total(numbers: np.ndarray) -> np.ndarray:
        return np.bincount(series, numbers, minlength=len(lines))

    count = np.bincount(series, minlength=len(lines))
    some = np.where(count > 0, count, np.nan)
    mean_year, mean_value = total(year) / some, total(value) / some
    across, up = year - mean_year[series], value - mean_value[series]
    spread = total(across**2)
    slope = total(across * up) / np.where(spread > 0, spread, np.nan)
    residual = up - slope[series] * across
    follows = np.zeros(len(series), dtype=bool)
    follows[1:] = series[1:] == series[:-1]
    previous = np.where(follows, np.roll(residual, 1), 0.0)
    residual_square = total(residual**2)
    degrees = np.where(count > 2, count - 2.0, np.nan)
    on_line = residual_square <= ROUNDING * total(value**2)  # no scatter, so no error to estimate
    residual_error = np.where(on_line, np.nan, np.sqrt(residual_square / degrees))
    latest = np.searchsorted(series, np.arange(len(lines)), side="right") - 1
    first = np.searchsorted(series, np.arange(len(lines)), side="left")
    inside = count > 0
    ends = {
        "first_year": (year, first),
        "latest_year": (year, latest),
        "latest_value": (value, latest),
    }
    for name, (numbers, where) in ends.items():
        lines[name] = np.nan
        lines.loc[inside, name] = numbers[where[inside]]
    with np.errstate(divide="ignore", invalid="ignore"):
        return lines.assign(
            period_count=count,
            count=count,
            base=(lines["latest_year"] - lines["first_year"] + 1).fillna(0).astype(int),
            mean_year=mean_year,
            mean_value=mean_value,
            slope=slope,
            xx=spread,
            degrees=degrees,
            residual_error=residual_error,
            slope_error=residual_error / np.sqrt(spread),
            residual_autocorrelation=total(residual * previous)
            / np.where(on_line, np.nan, residual_square),
        )


def _alike_years(lines: pd.DataFrame, values: pd.DataFrame) -> pd.DataFrame:
    """The lines with errors and degrees of freedom that allow for years that go together."""
    seen = values.loc[values["value"].notna()]
    scattered = lines.loc[lines["slope_error"].notna(), SERIES]
    wide = seen.merge(scattered, on=SERIES).pivot(index="year", columns=SERIES, values="value")
    wide = wide.sort_index()
    variance = pd.Series(np.nan, pd.MultiIndex.from_frame(lines[SERIES]))
    correlation = variance.copy()
    missing = wide.isna().to_numpy()
    patterns, pattern = np.unique(missing, axis=1, return_inverse=True)
    blocks = [
        (number, columns)
        for number in range(patterns.shape[1])
        for place in [np.flatnonzero(pattern.ravel() == number)]
        for columns in np.split(place, range(SERIES_AT_ONCE, len(place), SERIES_AT_ONCE))
        if len(columns)
    ]
    for number, columns in blocks:
        some = wide.iloc[~patterns[:, number], columns]
        year = some.index.to_numpy(dtype=float)
        process = autoregressive_process(
            np.column_stack([np.ones_like(year), year - year.mean()]),
            some.to_numpy(dtype=float),
            times=year,
            contrasts=np.array([[0.0, 1.0]]),
        )
        variance[some.columns] = process.averaged_variance[:, 0]
        correlation[some.columns] = process.correlation
    wider = np.sqrt(variance.to_numpy())
    return lines.assign(
        slope_error=np.fmax(lines["slope_error"], wider).where(lines["slope_error"].notna()),
        degrees=fewer_degrees(lines["degrees"], correlation.fillna(0.0).to_numpy()),
    )


def _line_prediction(rows: pd.DataFrame, values: pd.DataFrame) -> tuple[pd.Series, ...]:
    ahead = rows["target_year"] - rows["mean_year"]
    expected = rows["mean_value"] + rows["slope"] * ahead
    error = rows["residual_error"] * np.sqrt(1 + 1 / rows["period_count"] + ahead**2 / rows["xx"])
    return expected, error, rows["degrees"]


def _walk_prediction(rows: pd.DataFrame, values: pd.DataFrame) -> tuple[pd.Series, ...]:
    seen = values.loc[values["value"].notna()].sort_values([*SERIES, "year"])
    steps = seen.groupby(SERIES)[["year", "value"]].diff()
    steps = seen[SERIES].assign(gap=steps["year"], step=steps["value"]).dropna()
    moves = steps.groupby(SERIES).agg(
        step_count=("step", "count"),
        drift=("step", "mean"),
        step_spread=("step", "std"),
        longest_gap=("gap", "max"),
    )
    moves = rows[SERIES].merge(moves.reset_index(), on=SERIES, how="left", validate="one_to_one")
    moves.index = rows.index
    moves = moves.where(moves["longest_gap"] == 1)
    ahead = rows["target_year"] - rows["latest_year"]
    expected = rows["latest_value"] + ahead * moves["drift"]
    spread = moves["step_spread"].where(moves["step_spread"] > 0)
    error = spread * np.sqrt(ahead * (1 + ahead / moves["step_count"]))
    return expected, error, moves["step_count"] - 1


def _funnel_scale(rows, usable, kind, scale, centre):
    """z scores and their standard errors, and the way to and from the scale they live on."""
    observed = (rows["count"] / rows["base"]).where(usable)
    base = rows["base"].where(usable)
    if kind == "share":
        forward, backward = _unchanged, _within_shares
        error = np.sqrt(centre * (1 - centre) / base)
    elif scale == "log":
        forward, backward = np.log, np.exp
        error = 1 / np.sqrt(centre * base)
    else:
        forward, backward = np.sqrt, _squared
        error = 0.5 / np.sqrt(base)
    return (forward(observed) - forward(centre)) / error, error, forward, backward


def _unchanged(value):
    return value


def _within_shares(value):
    return np.clip(value, 0.0, 1.0)


def _squared(value):
    return np.clip(value, 0.0, None) ** 2


def _dispersion(scores: pd.Series, errors: pd.Series, winsorised_share: float):
    """Mean squared z score, and the variance between municipalities that explains it."""
    if len(scores) < FEWEST_FOR_DISPERSION or not np.isfinite(scores).all():
        return np.nan, 0.0
    low, high = scores.quantile([winsorised_share, 1 - winsorised_share])
    dispersion = float((scores.clip(low, high) ** 2).mean())
    weight = 1 / errors**2
    excess = len(scores) * dispersion - (len(scores) - 1)
    between = excess / (weight.sum() - (weight**2).sum() / weight.sum())
    return dispersion, max(float(between), 0.0)


def _exact_limits(rows: pd.DataFrame, kind: str, centre: float):
    tail = (1 - rows["confidence_level"]) / 2
    base = rows["base"].where(rows["usable"])
    law = stats.binom(base.round(), centre) if kind == "share" else stats.poisson(base * centre)
    return _interpolated(law, tail) / base, _interpolated(law, 1 - tail) / base


def _interpolated(law, probability):
    """Quantile of a discrete law, interpolated as in Spiegelhalter (2005), appendix A.1."""
    whole = law.ppf(probability)
    below, at = law.cdf(whole - 1), law.cdf(whole)
    return np.clip(whole - (at - probability) / (at - below), 0, None)


def _newcombe_limits(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    lower, upper = pd.Series(np.nan, rows.index), pd.Series(np.nan, rows.index)
    for level in rows["confidence_level"].unique():
        here = rows["confidence_level"] == level
        lower[here], upper[here] = newcombe_difference_interval(
            rows.loc[here, "numerator_own"],
            rows.loc[here, "denominator_own"],
            rows.loc[here, "rest_count"],
            rows.loc[here, "rest_base"],
            confidence_level=level,
        )
    return lower, upper


def _first_and_latest(values: pd.DataFrame) -> pd.DataFrame:
    seen = values.loc[values["value"].notna()].sort_values([*SERIES, "year"])
    return seen.groupby(SERIES, as_index=False).agg(
        first_year=("year", "first"),
        first_value=("value", "first"),
        latest_year=("year", "last"),
        value=("value", "last"),
    )


def _directions(targets: pd.DataFrame) -> pd.Series:
    unknown = set(targets["direction"].dropna()) - set(DIRECTIONS)
    if unknown:
        raise DataError(
            f"targets: direction {', '.join(map(repr, sorted(map(str, unknown))))}; "
            f"expected one of: {', '.join(DIRECTIONS)}"
        )
    if targets.duplicated(SERIES).any():
        raise DataError("targets: a municipality and indicator more than once; expected one target")
    return targets["direction"].map(DIRECTIONS)


def _at_levels(rows: pd.DataFrame, levels: Sequence[float]) -> pd.DataFrame:
    """Every row once per confidence level, the levels of a row next to each other."""
    repeated = rows.loc[rows.index.repeat(len(levels))].reset_index(drop=True)
    return repeated.assign(confidence_level=np.tile(levels, len(rows)))


def _t_quantile(rows: pd.DataFrame) -> np.ndarray:
    return stats.t.ppf(0.5 + rows["confidence_level"] / 2, rows["degrees"])


def _reason_where(withheld: pd.Series, reason: str) -> pd.Series:
    return pd.Series(None, withheld.index, dtype=object).mask(withheld, checked_reason(reason))


def _none_for_blank(reason: pd.Series) -> pd.Series:
    return reason.astype(object).where(reason.notna(), None)


def _series_reason(rows: pd.DataFrame, enough: pd.Series) -> pd.Series:
    reason = _reason_where(~enough, "too_few_periods")
    return reason.mask(rows["period_count"] == 0, checked_reason("missing"))


def _without_peers(codes: np.ndarray, reasons: np.ndarray, method: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "municipality_code": codes,
            "peer_code": None,
            "peer_rank": np.nan,
            "distance": np.nan,
            "method": method,
            "reason": reasons,
        }
    )


def _known(name: str, value: str, expected: Sequence[str]) -> None:
    if value not in expected:
        raise DataError(f"unknown {name} {value!r}; expected one of: {', '.join(expected)}")
