"""Change in municipalities with a measure against change in municipalities without it.

A panel has one row per municipality and year: ``municipality_code``, ``year`` and ``value``. All
comparisons rest on parallel trends: without the measure, both groups would have changed alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

from evalkit.errors import ConfigError, DataError
from evalkit.reasons import checked_reason
from evalkit.uncertainty import COMMON_LEVELS

__all__ = [
    "cross_section_difference",
    "difference_in_differences",
    "difference_of_changes",
    "event_study",
    "group_time_effects",
    "pretrend_check",
    "staggered_effects",
    "staggered_pretrend_check",
]

INFERENCES = ("permutation", "wild_bootstrap", "welch")
MOST_PERMUTATIONS = 20_000  # beyond this, permutations are drawn instead of listed
DRAWN_PERMUTATIONS = 9_999
BOOTSTRAP_REPLICATES = 1_999
FEWEST_BOOTSTRAP_UNITS = 12  # below, two-point weights give too few distinct samples
FEWEST_TREATED_BOOTSTRAP = 4  # with fewer, the restricted bootstrap hardly ever rejects
FEWEST_IN_COHORT = 5  # analytic errors of smaller cohorts are far too small
FEWEST_CLUSTERS = 10
RESULT = ["value", "lower", "upper", "p_value", "confidence_level", "method", "reason"]


def difference_in_differences(
    values: pd.DataFrame,
    *,
    treated: Sequence[str],
    comparison: Sequence[str],
    treated_from: int,
    inference: str = "permutation",
    confidence_levels: Sequence[float] = COMMON_LEVELS,
    seed: int = 1,
) -> pd.DataFrame:
    """Mean change after the measure began, in treated against comparison municipalities.

    Each municipality gives one number, the mean of its years from ``treated_from`` on minus the
    mean of its years before; only municipalities with every year are used. Serial correlation
    within a municipality then does no harm.

    Parameters
    ----------
    values
        The panel.
    treated, comparison
        Codes of the two groups.
    treated_from
        First year with the measure.
    inference
        ``"permutation"``: every (or many) other ways to name as many municipalities treated;
        holds with one treated municipality, and its limits invert the test. ``"wild_bootstrap"``:
        restricted wild cluster bootstrap-t, for four treated municipalities or more.
        ``"welch"``: Student's t with unequal variances, for two or more in each group.
    confidence_levels
        One row is given per level.
    seed
        Seed of permutations and bootstrap, where they are drawn.

    Returns
    -------
    DataFrame
        One row per level: ``treated_count``, ``comparison_count``, ``pre_period_count``,
        ``post_period_count``, ``value``, ``lower``, ``upper``, ``p_value``, ``confidence_level``,
        ``method``, ``reason``. The value is refused for a group without a complete municipality
        (``missing``, ``design_cannot_answer``) and for a panel without years on both sides
        (``too_few_periods``); only the limits and p value are withheld (``too_few_clusters``)
        where the inference cannot carry them.

    References
    ----------
    Conley and Taber (2011), Review of Economics and Statistics 93, 113-125; Cameron, Gelbach and
    Miller (2008), Review of Economics and Statistics 90, 414-427; MacKinnon and Webb (2018),
    Econometrics Journal 21, 114-135 (few treated clusters).
    """
    _check_groups(treated, comparison, inference)
    table = _complete_panel(values, treated, comparison)
    after = np.asarray(table.index >= treated_from)
    head, reason = _panel_head(table, treated, comparison, after)
    if reason:
        return _refused(head, f"difference in differences, {inference}", confidence_levels, reason)
    change = table.loc[after].mean() - table.loc[~after].mean()
    is_treated = change.index.isin(list(treated))
    rows = _inferred(change.to_numpy(), is_treated, inference, confidence_levels, seed)
    return _framed(head, rows)


def event_study(
    values: pd.DataFrame,
    *,
    treated: Sequence[str],
    comparison: Sequence[str],
    treated_from: int,
    inference: str = "permutation",
    confidence_levels: Sequence[float] = COMMON_LEVELS,
    seed: int = 1,
) -> pd.DataFrame:
    """The difference between the groups in each year, against the last year before the measure.

    Parameters
    ----------
    values, treated, comparison, treated_from, inference, confidence_levels, seed
        As for ``difference_in_differences``.

    Returns
    -------
    DataFrame
        One row per year and level, with ``year``, ``event_time`` (0 is the first year with the
        measure; -1, the reference, has value 0 and no interval) and the columns of
        ``difference_in_differences``. Years before the measure show whether trends were parallel.
    """
    _check_groups(treated, comparison, inference)
    table = _complete_panel(values, treated, comparison)
    after = np.asarray(table.index >= treated_from)
    head, reason = _panel_head(table, treated, comparison, after)
    if reason:
        refused = _refused(head, f"event study, {inference}", confidence_levels, reason)
        return refused.assign(year=treated_from, event_time=0)
    reference = table.index[~after].max()
    is_treated = table.columns.isin(list(treated))
    frames = []
    for year in table.index:
        if year == reference:
            blank = {"value": 0.0, "lower": np.nan, "upper": np.nan, "p_value": np.nan}
            rows = [
                {**blank, "confidence_level": level, "method": "reference year", "reason": None}
                for level in confidence_levels
            ]
        else:
            change = (table.loc[year] - table.loc[reference]).to_numpy()
            rows = _inferred(change, is_treated, inference, confidence_levels, seed)
        frames.append(_framed(head, rows).assign(year=year, event_time=year - treated_from))
    return pd.concat(frames, ignore_index=True)


def pretrend_check(
    values: pd.DataFrame,
    *,
    treated: Sequence[str],
    comparison: Sequence[str],
    treated_from: int,
    seed: int = 1,
) -> pd.DataFrame:
    """Did the groups already drift apart before the measure? A permutation test over all years.

    The statistic is the sum of squared differences from the reference year, over the years
    before the measure. A large p value is not proof of parallel trends: with few municipalities
    or years a real drift goes unseen.

    Returns
    -------
    DataFrame
        One row: ``treated_count``, ``comparison_count``, ``pre_period_count``,
        ``post_period_count``, ``value`` (the largest absolute difference before the measure, in
        the outcome's unit), ``p_value``, ``smallest_p_value`` (what the design can reach),
        ``method``, ``reason``. Fewer than two years before the measure are refused
        (``too_few_periods``).
    """
    _check_groups(treated, comparison, "permutation")
    table = _complete_panel(values, treated, comparison)
    after = np.asarray(table.index >= treated_from)
    head, reason = _panel_head(table, treated, comparison, after)
    method = "permutation test, sum of squared differences before the measure"
    if reason is None and head["pre_period_count"] < 2:
        reason = "too_few_periods"
    if reason:
        blank = {"value": np.nan, "p_value": np.nan, "smallest_p_value": np.nan}
        return pd.DataFrame([{**head, **blank, "method": method, "reason": checked_reason(reason)}])
    before = table.loc[~after]
    drift = (before - before.iloc[-1]).iloc[:-1].to_numpy()
    is_treated = table.columns.isin(list(treated))
    masks = _permutations(is_treated, seed)
    own = _group_difference(drift, is_treated[None])[:, 0]
    others = _group_difference(drift, masks)
    extreme = ((others**2).sum(axis=0) >= (own**2).sum() * (1 - 1e-12)).sum()
    return pd.DataFrame(
        [
            {
                **head,
                "value": np.abs(own).max(),
                "p_value": (1 + extreme) / (1 + len(masks)),
                "smallest_p_value": 1 / (1 + len(masks)),
                "method": method,
                "reason": None,
            }
        ]
    )


def group_time_effects(
    values: pd.DataFrame,
    starts: pd.DataFrame,
    *,
    confidence_levels: Sequence[float] = COMMON_LEVELS,
) -> pd.DataFrame:
    """Effect in each year for the municipalities that began in the same year.

    Each cohort is compared with municipalities that never began, never with those that began
    before it, which is what misleads a regression with two-way fixed effects when starts are
    staggered.

    Parameters
    ----------
    values
        The panel; municipalities with a missing year are left out.
    starts
        One row per ``municipality_code``: ``first_treated_year``, blank for never.
    confidence_levels
        One row is given per cohort, year and level.

    Returns
    -------
    DataFrame
        ``first_treated_year``, ``year``, ``event_time``, ``treated_count``,
        ``comparison_count``, ``value``, ``lower``, ``upper``, ``p_value``, ``confidence_level``,
        ``method``, ``reason``. Years before the start compare with the year before each. Limits
        are withheld for a cohort or comparison of fewer than five (``too_few_clusters``); without
        a municipality that never began there is one row, ``design_cannot_answer``.

    References
    ----------
    Callaway and Sant'Anna (2021), Journal of Econometrics 225, 200-230.
    """
    method = "Callaway and Sant'Anna, never treated as comparison, normal interval"
    fitted, reason = _callaway_santanna(values, starts)
    if reason:
        return _staggered_refusal(method, confidence_levels, reason, ["first_treated_year", "year"])
    rows = []
    for (cohort, year), cell in fitted.group_time_effects.items():
        head = {
            "first_treated_year": int(cohort),
            "year": int(year),
            "event_time": int(year) - int(cohort),
            "treated_count": cell["n_treated"],
            "comparison_count": cell["n_control"],
        }
        few = min(cell["n_treated"], cell["n_control"]) < FEWEST_IN_COHORT
        rows += [
            {**head, **_normal(cell["effect"], cell["se"], level, method, few)}
            for level in confidence_levels
        ]
    return pd.DataFrame(rows)


def staggered_effects(
    values: pd.DataFrame,
    starts: pd.DataFrame,
    *,
    over: str = "all",
    confidence_levels: Sequence[float] = COMMON_LEVELS,
) -> pd.DataFrame:
    """Group-time effects averaged: over all, by years since the start, or by cohort.

    Parameters
    ----------
    values, starts, confidence_levels
        As for ``group_time_effects``.
    over
        ``"all"``: one average over all treated municipality-years; ``"event_time"``: one per year
        since the start; ``"cohort"``: one per start year.

    Returns
    -------
    DataFrame
        ``first_treated_year`` or ``event_time`` (by ``over``), ``treated_count`` (municipalities
        behind the average), ``comparison_count``, ``value``, ``lower``, ``upper``, ``p_value``,
        ``confidence_level``, ``method``, ``reason``, as for ``group_time_effects``.

    References
    ----------
    Callaway and Sant'Anna (2021), Journal of Econometrics 225, 200-230, section 3.
    """
    kinds = {"all": "simple", "event_time": "event_study", "cohort": "group"}
    if over not in kinds:
        raise DataError(f"unknown over {over!r}; expected one of: {', '.join(kinds)}")
    method = f"Callaway and Sant'Anna, averaged over {over.replace('_', ' ')}, normal interval"
    label = {"all": [], "event_time": ["event_time"], "cohort": ["first_treated_year"]}[over]
    fitted, reason = _callaway_santanna(values, starts)
    if reason:
        return _staggered_refusal(method, confidence_levels, reason, label)
    averages = fitted.aggregate(kinds[over]).to_dataframe()
    sizes = {
        int(cohort): cell["n_treated"] for (cohort, _), cell in fitted.group_time_effects.items()
    }
    cells = fitted.group_time_effects
    rows = []
    for average in averages.to_dict("records"):
        treated_count, head = fitted.n_treated_units, {}
        if label:
            place = int(average.get("event_time", average.get("label")))
            head = {label[0]: place}
            treated_count = sizes.get(place) or sum(
                cell["n_treated"]
                for (cohort, year), cell in cells.items()
                if year - cohort == place
            )
        few = min(treated_count, fitted.n_control_units) < FEWEST_IN_COHORT
        head |= {"treated_count": treated_count, "comparison_count": fitted.n_control_units}
        rows += [
            {**head, **_normal(average["att"], average["se"], level, method, few)}
            for level in confidence_levels
        ]
    return pd.DataFrame(rows)


def staggered_pretrend_check(values: pd.DataFrame, starts: pd.DataFrame) -> pd.DataFrame:
    """Joint test that every group-time effect before the start is zero.

    Parameters
    ----------
    values, starts
        As for ``group_time_effects``.

    Returns
    -------
    DataFrame
        One row: ``treated_count``, ``comparison_count``, ``value`` (Wald statistic),
        ``degrees_of_freedom``, ``p_value``, ``method``, ``reason``. Cohorts of fewer than five are
        refused (``too_few_clusters``): use ``pretrend_check``. A panel in which no cohort has two
        years before its start is ``too_few_periods``.
    """
    table, cohort = _staggered_panel(values, starts)
    never = cohort.isna()
    head = {
        "treated_count": int((~never).sum()),
        "comparison_count": int(never.sum()),
        "value": np.nan,
        "degrees_of_freedom": np.nan,
        "p_value": np.nan,
        "method": "Wald test of all effects before the start",
    }
    sizes = cohort.value_counts()
    steps = table.diff().iloc[1:]
    cells = [(start, year) for start in sorted(sizes.index) for year in steps.index if year < start]
    reason = None
    if head["comparison_count"] == 0:
        reason = "design_cannot_answer"
    elif not cells:
        reason = "too_few_periods"
    elif min([head["comparison_count"], *sizes]) < FEWEST_IN_COHORT:
        reason = "too_few_clusters"
    if reason:
        return pd.DataFrame([{**head, "reason": checked_reason(reason)}])

    others = steps.loc[:, never.to_numpy()]
    effect = np.empty(len(cells))
    influence = np.zeros((len(cells), table.shape[1]))
    for place, (start, year) in enumerate(cells):
        members = (cohort == start).to_numpy()
        step = steps.loc[year].to_numpy()
        effect[place] = step[members].mean() - others.loc[year].mean()
        influence[place, members] = (step[members] - step[members].mean()) / members.sum()
        outside = never.to_numpy()
        influence[place, outside] = -(step[outside] - step[outside].mean()) / outside.sum()
    covariance = influence @ influence.T
    statistic = float(effect @ np.linalg.pinv(covariance) @ effect)
    degrees = int(np.linalg.matrix_rank(covariance))
    found = {
        "value": statistic,
        "degrees_of_freedom": degrees,
        "p_value": stats.chi2.sf(statistic, degrees),
        "reason": None,
    }
    return pd.DataFrame([{**head, **found}])


def cross_section_difference(
    answers: pd.DataFrame,
    *,
    confidence_levels: Sequence[float] = COMMON_LEVELS,
) -> pd.DataFrame:
    """Difference in differences where different persons answered before and after.

    Parameters
    ----------
    answers
        One row per person: ``value``, ``treated`` and ``after`` (true or false). With a column
        ``cluster`` (such as the municipality or the service) the standard error is robust to
        likeness within it; without, it is the classical one.
    confidence_levels
        One row is given per level.

    Returns
    -------
    DataFrame
        One row per level: ``base`` (persons), ``cluster_count``, ``value``, ``standard_error``,
        ``lower``, ``upper``, ``p_value``, ``confidence_level``, ``method``, ``reason``. An empty
        cell of the four is ``design_cannot_answer``; fewer than ten clusters keep the value and
        lose the limits (``too_few_clusters``).

    References
    ----------
    Wooldridge (2020), Introductory Econometrics, 7th ed., section 13-2.
    """
    used = answers.loc[answers["value"].notna()]
    treated, after = used["treated"].astype(float), used["after"].astype(float)
    clusters = used.get("cluster")
    head = {"base": len(used), "cluster_count": clusters.nunique() if clusters is not None else 0}
    method = "regression with interaction, " + (
        "classical t interval" if clusters is None else "cluster-robust t interval"
    )
    if used.groupby([treated, after]).ngroups < 4:
        blank = {"standard_error": np.nan}
        return _refused({**head, **blank}, method, confidence_levels, "design_cannot_answer")
    design = np.column_stack([np.ones(len(used)), treated, after, treated * after])
    model = sm.OLS(used["value"].to_numpy(dtype=float), design)
    if clusters is None:
        fitted, degrees = model.fit(), len(used) - 4
    else:
        groups = {"groups": pd.factorize(clusters)[0]}
        fitted = model.fit(cov_type="cluster", cov_kwds=groups)
        degrees = head["cluster_count"] - 1
    few = clusters is not None and head["cluster_count"] < FEWEST_CLUSTERS
    value, error = fitted.params[3], fitted.bse[3]
    head["standard_error"] = np.nan if few else error
    rows = [_student(value, error, degrees, level, method, few) for level in confidence_levels]
    return _framed(head, rows)


def difference_of_changes(
    changes: pd.DataFrame, *, confidence_levels: Sequence[float] = COMMON_LEVELS
) -> pd.DataFrame:
    """Difference in differences from two published changes and their standard errors.

    Parameters
    ----------
    changes
        Two rows, ``group`` being ``treated`` and ``comparison``: ``value`` (change from before to
        after) and ``standard_error``. The two are taken as independent.
    confidence_levels
        One row is given per level.

    Returns
    -------
    DataFrame
        One row per level: ``standard_error``, ``value``, ``lower``, ``upper``, ``p_value``,
        ``confidence_level``, ``method``, ``reason`` (``missing`` for a blank number).

    Raises
    ------
    DataError
        If there is not one row for each group.
    """
    if sorted(changes["group"]) != ["comparison", "treated"]:
        raise DataError("changes: expected one row for group 'treated' and one for 'comparison'")
    pair = changes.set_index("group")
    method = "difference of two changes, normal interval"
    if pair[["value", "standard_error"]].isna().any(axis=None):
        return _refused({"standard_error": np.nan}, method, confidence_levels, "missing")
    value = pair.loc["treated", "value"] - pair.loc["comparison", "value"]
    error = float(np.hypot(*pair["standard_error"]))
    rows = [_normal(value, error, level, method, False) for level in confidence_levels]
    return _framed({"standard_error": error}, rows)


def _inferred(change, is_treated, inference, levels, seed) -> list[dict]:
    infer = {
        "permutation": _permutation_rows,
        "wild_bootstrap": _bootstrap_rows,
        "welch": _welch_rows,
    }[inference]
    return infer(change, is_treated, levels, seed)


def _permutation_rows(change, is_treated, levels, seed) -> list[dict]:
    """Rows of the permutation test, its limits found exactly.

    For each way of naming the treated, the constant effects that it does not make less likely
    form an interval around the estimate; a limit is where too few of these intervals reach.
    """
    masks = _permutations(is_treated, seed)
    own = _group_difference(change[None], is_treated[None])[0, 0]
    others = _group_difference(change[None], masks)[0]
    overlap = _group_difference(is_treated.astype(float)[None], masks)[0]
    p_value = (1 + (np.abs(others) >= abs(own) * (1 - 1e-12)).sum()) / (1 + len(masks))
    with np.errstate(divide="ignore", invalid="ignore"):
        first = (own - others) / (1 - overlap)
        second = (own + others) / (1 + overlap)
    first = np.where(overlap < 1, first, np.inf)
    second = np.where(overlap > -1 + 1e-12, second, own)
    highest, lowest = np.sort(np.maximum(first, second))[::-1], np.sort(np.minimum(first, second))
    method = f"permutation of treated municipalities, {len(masks)} others"
    rows = []
    for level in levels:
        allowed = int(np.floor((1 - level) * (1 + len(masks)) + 1e-9))
        row = {"value": own, "confidence_level": level, "method": method}
        if allowed < 1:
            rows.append({**row, **_no_limits(), "p_value": p_value})
        else:
            limits = {"lower": lowest[allowed - 1], "upper": highest[allowed - 1]}
            rows.append({**row, **limits, "p_value": p_value, "reason": None})
    return rows


def _permutations(is_treated: np.ndarray, seed: int) -> np.ndarray:
    """Ways to name as many municipalities treated, without the real one; one row each."""
    count, treated_count = len(is_treated), int(is_treated.sum())
    if comb(count, treated_count) <= MOST_PERMUTATIONS:
        chosen = np.array(list(combinations(range(count), treated_count)))
    else:
        generator = np.random.default_rng(seed)
        keys = generator.random((DRAWN_PERMUTATIONS, count))
        chosen = np.argpartition(keys, treated_count - 1, axis=1)[:, :treated_count]
    masks = np.zeros((len(chosen), count), dtype=bool)
    np.put_along_axis(masks, chosen, True, axis=1)
    return masks[(masks != is_treated).any(axis=1)]


def _group_difference(changes: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Mean of the named minus mean of the rest; one row per row of ``changes``."""
    named = masks.sum(axis=1)
    inside = changes @ masks.T
    outside = changes.sum(axis=1)[:, None] - inside
    return inside / named - outside / (masks.shape[1] - named)


def _bootstrap_rows(change, is_treated, levels, seed) -> list[dict]:
    method = f"restricted wild bootstrap-t, {BOOTSTRAP_REPLICATES} replicates"
    own, error = _difference_and_error(change[None], is_treated)
    own, error = own[0], error[0]
    treated_count = int(is_treated.sum())
    if min(treated_count, len(change) - treated_count) < FEWEST_TREATED_BOOTSTRAP:
        return [
            {"value": own, "confidence_level": level, "method": method, **_no_limits()}
            for level in levels
        ]
    generator = np.random.default_rng(seed)
    points = [-1.0, 1.0]
    if len(change) < FEWEST_BOOTSTRAP_UNITS:
        points = [sign * np.sqrt(size) for size in (0.5, 1.0, 1.5) for sign in (-1, 1)]
    draws = generator.choice(points, size=(BOOTSTRAP_REPLICATES, len(change)))

    def p_value(effect: float) -> float:
        extreme = bootstrap_extremes(change, is_treated, draws, effect=effect)
        return float((1 + extreme.sum()) / (1 + BOOTSTRAP_REPLICATES))

    rows = []
    for level in levels:
        lower, upper = (_crossing(p_value, own, side * error, 1 - level) for side in (-1, 1))
        found = {"lower": lower, "upper": upper, "p_value": p_value(0.0), "reason": None}
        rows.append({"value": own, "confidence_level": level, "method": method, **found})
    return rows


def bootstrap_extremes(
    change: np.ndarray, is_treated: np.ndarray, draws: np.ndarray, *, effect: float = 0.0
) -> np.ndarray:
    """Which samples of the restricted wild bootstrap have a t value as far out as the real one.

    Parameters
    ----------
    change
        Change of each unit.
    is_treated
        True for the treated units.
    draws
        Weights that the residuals under the null are multiplied with: one row per sample.
    effect
        The null: the difference in differences is this.

    Returns
    -------
    ndarray of bool
        One per row of ``draws``.
    """
    own, error = _difference_and_error(change[None], is_treated)
    freed = change - effect * is_treated
    value, spread = _difference_and_error(draws * (freed - freed.mean()), is_treated)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.abs(value / spread) >= np.abs(own - effect) / error * (1 - 1e-12)


def _difference_and_error(changes: np.ndarray, is_treated: np.ndarray):
    inside, outside = changes[:, is_treated], changes[:, ~is_treated]
    value = inside.mean(axis=1) - outside.mean(axis=1)
    variance = sum(part.var(axis=1) / part.shape[1] for part in (inside, outside))
    count = changes.shape[1]
    return value, np.sqrt(variance * count / (count - 2))


def _crossing(p_value, start: float, step: float, alpha: float) -> float:
    """Where the p value falls to ``alpha``, going from the estimate in steps of its error."""
    far = start + step
    for _ in range(60):
        if p_value(far) <= alpha:
            break
        far += step
    else:
        return np.inf if step > 0 else -np.inf
    near = far - step
    for _ in range(30):
        middle = (near + far) / 2
        near, far = (near, middle) if p_value(middle) <= alpha else (middle, far)
    return far


def _welch_rows(change, is_treated, levels, seed) -> list[dict]:
    method = "Welch's t interval on changes of municipalities"
    inside, outside = change[is_treated], change[~is_treated]
    own = inside.mean() - outside.mean()
    if min(len(inside), len(outside)) < 2:
        return [
            {"value": own, "confidence_level": level, "method": method, **_no_limits()}
            for level in levels
        ]
    test = stats.ttest_ind(inside, outside, equal_var=False)
    rows = []
    for level in levels:
        limits = test.confidence_interval(level)
        found = {"lower": limits.low, "upper": limits.high, "p_value": test.pvalue, "reason": None}
        rows.append({"value": own, "confidence_level": level, "method": method, **found})
    return rows


def _callaway_santanna(values, starts):
    """The fitted library object, or the reason why there is none."""
    table, cohort = _staggered_panel(values, starts)
    if cohort.isna().all() or table.empty:
        return None, "missing"
    if not cohort.isna().any():
        return None, "design_cannot_answer"
    if (cohort <= table.index.min()).all():
        return None, "too_few_periods"
    try:
        from diff_diff import CallawaySantAnna  # slow to import, and needed here only
    except ImportError as error:
        raise ConfigError("staggered effects need diff-diff: pip install 'evalkit[did]'") from error

    long = table.reset_index().melt(
        id_vars="year", var_name="municipality_code", value_name="value"
    )
    first = long["municipality_code"].map(cohort).fillna(0).astype(int)
    estimator = CallawaySantAnna(
        control_group="never_treated", base_period="varying", estimation_method="reg"
    )
    fitted = estimator.fit(
        long.assign(first=first),
        outcome="value",
        unit="municipality_code",
        time="year",
        first_treat="first",
    )
    return fitted, None


def _staggered_panel(values, starts):
    if starts["municipality_code"].duplicated().any():
        raise DataError("starts: a municipality more than once; expected one start for each")
    known = values.loc[values["municipality_code"].isin(starts["municipality_code"])]
    table = known.pivot(index="year", columns="municipality_code", values="value")
    table = table.sort_index().dropna(axis=1)
    cohort = starts.set_index("municipality_code")["first_treated_year"].reindex(table.columns)
    return table, cohort


def _staggered_refusal(method, levels, reason, label) -> pd.DataFrame:
    head = {**dict.fromkeys(label), "treated_count": 0, "comparison_count": 0}
    return _refused(head, method, levels, reason)


def _complete_panel(values, treated, comparison) -> pd.DataFrame:
    wanted = values.loc[values["municipality_code"].isin([*treated, *comparison])]
    table = wanted.pivot(index="year", columns="municipality_code", values="value")
    return table.sort_index().dropna(axis=1)


def _panel_head(table, treated, comparison, after) -> tuple[dict, str | None]:
    head = {
        "treated_count": int(table.columns.isin(list(treated)).sum()),
        "comparison_count": int(table.columns.isin(list(comparison)).sum()),
        "pre_period_count": int((~after).sum()),
        "post_period_count": int(after.sum()),
    }
    if head["treated_count"] == 0:
        return head, "missing"
    if head["comparison_count"] == 0:
        return head, "design_cannot_answer"
    if after.all() or not after.any():
        return head, "too_few_periods"
    return head, None


def _check_groups(treated, comparison, inference) -> None:
    if inference not in INFERENCES:
        expected = ", ".join(INFERENCES)
        raise DataError(f"unknown inference {inference!r}; expected one of: {expected}")
    both = sorted(set(treated) & set(comparison))
    if both:
        raise DataError(f"{', '.join(both)}: both treated and comparison; expected one of them")


def _normal(value, error, level, method, few) -> dict:
    return _student(value, error, np.inf, level, method, few)


def _student(value, error, degrees, level, method, few) -> dict:
    row = {"value": value, "confidence_level": level, "method": method}
    if few or not np.isfinite(error):
        return {**row, **_no_limits()}
    margin = stats.t.ppf(0.5 + level / 2, degrees) * error
    with np.errstate(divide="ignore"):
        p_value = 2 * stats.t.sf(abs(value / error), degrees)
    return {
        **row,
        "lower": value - margin,
        "upper": value + margin,
        "p_value": p_value,
        "reason": None,
    }


def _no_limits() -> dict:
    reason = checked_reason("too_few_clusters")
    return {"lower": np.nan, "upper": np.nan, "p_value": np.nan, "reason": reason}


def _refused(head, method, levels, reason) -> pd.DataFrame:
    blank = dict.fromkeys(("value", "lower", "upper", "p_value"), np.nan)
    rows = [
        {**blank, "confidence_level": level, "method": method, "reason": checked_reason(reason)}
        for level in levels
    ]
    return _framed(head, rows)


def _framed(head: dict, rows: list[dict]) -> pd.DataFrame:
    return pd.DataFrame([{**head, **row} for row in rows], columns=[*head, *RESULT])
