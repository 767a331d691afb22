"""Change in municipalities with a measure against change in municipalities without it.

A panel has one row per municipality and year: ``municipality_code``, ``year`` and ``value``. All
comparisons rest on parallel trends: without the measure, both groups would have changed alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, prod

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

from evalkit.errors import ConfigError, DataError
from evalkit.goals import smallest_detectable_change
from evalkit.groups import require_once
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
STAGGERED_INFERENCES = ("permutation", "analytic")
# What is averaged over: the library's name for it, and the column that tells the averages apart.
AVERAGES = {
    "all": ("simple", []),
    "event_time": ("event_study", ["event_time"]),
    "cohort": ("group", ["first_treated_year"]),
}
MOST_PERMUTATIONS = 20_000  # beyond this, permutations are drawn instead of listed
DRAWN_PERMUTATIONS = 9_999
BOOTSTRAP_REPLICATES = 1_999
FEWEST_BOOTSTRAP_UNITS = 12  # below, two-point weights give too few distinct samples
FEWEST_TREATED_BOOTSTRAP = 4  # with fewer, the restricted bootstrap hardly ever rejects
FEWEST_IN_COHORT = 5  # analytic errors of smaller cohorts are far too small
FEWEST_IN_WALD = 20  # with cohorts of ten the test rejects one true null in six
FEWEST_CLUSTERS = 10
FEWEST_CLUSTERS_IN_GROUP = 5  # with two of twelve treated, a 95 % interval covers 83 %
NOUGHT = 1e-12  # of the largest number behind: what arithmetic leaves of no scatter
RESULT = [
    "value",
    "lower",
    "upper",
    "p_value",
    "smallest_change",
    "confidence_level",
    "method",
    "reason",
]


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
    mean of its years before. The years are those that more than half of each group have; a
    municipality that lacks one of them is left out, and named. Serial correlation within a
    municipality then does no harm.

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
        ``post_period_count``, ``left_out`` (codes asked for and not used), ``count``
        (municipalities used), ``base`` (municipalities asked for), ``value``, ``lower``,
        ``upper``, ``p_value``, ``smallest_change`` (that this design finds in four of five
        cases, in the outcome's unit; from the interval's width), ``confidence_level``,
        ``method``, ``reason``. The value is refused for a group without a complete municipality
        (``missing``, ``design_cannot_answer``) and for a panel without years on both sides
        (``too_few_periods``); only the limits are withheld where the inference cannot carry
        them (``too_few_clusters``) or the changes in a group do not differ at all
        (``design_cannot_answer``).

    Raises
    ------
    DataError
        If a municipality and year stand in several rows, or a code in both groups.

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
    nought = NOUGHT * np.abs(table.to_numpy()).max()
    rows = _inferred(change.to_numpy(), is_treated, inference, confidence_levels, seed, nought)
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
    nought = NOUGHT * np.abs(table.to_numpy()).max()
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
            rows = _inferred(change, is_treated, inference, confidence_levels, seed, nought)
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
        ``post_period_count``, ``left_out``, ``count``, ``base``, ``value`` (the largest absolute difference before the measure, in
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
    mirrored = (masks == ~is_treated).all(axis=1).sum()  # as far out, whatever the data
    return pd.DataFrame(
        [
            {
                **head,
                "value": np.abs(own).max(),
                "p_value": (1 + extreme) / (1 + len(masks)),
                "smallest_p_value": (1 + mirrored) / (1 + len(masks)),
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
        ``comparison_count``, ``count`` (both), ``base`` (municipalities in ``starts``),
        ``standard_error``, ``value``, ``lower``, ``upper``, ``p_value``, ``smallest_change`` (as
        in ``difference_in_differences``), ``confidence_level``, ``method``, ``reason``. Years
        before the start compare with the year before each. A municipality that began at or
        before the first year, or after the last, contributes nothing and is not counted. Limits
        are Student's t with one degree of freedom fewer than the smaller group has members;
        they are withheld below five (``too_few_clusters``). Without a municipality that never
        began there is one row per level, ``design_cannot_answer``; without a start that has
        years on both sides, ``too_few_periods``.

    References
    ----------
    Callaway and Sant'Anna (2021), Journal of Econometrics 225, 200-230.
    """
    method = "Callaway and Sant'Anna, never treated as comparison, t interval"
    panel = _staggered_panel(values, starts)
    if panel.reason:
        return _staggered_refusal(panel, method, confidence_levels, ["first_treated_year", "year"])
    rows = []
    for (cohort, year), cell in _callaway_santanna(panel).group_time_effects.items():
        head = {
            "first_treated_year": int(cohort),
            "year": int(year),
            "event_time": int(year) - int(cohort),
            **panel.head(cell["n_treated"]),
            "standard_error": cell["se"],
        }
        smallest = min(cell["n_treated"], cell["n_control"])
        rows += [
            {**head, **_cohort_row(cell["effect"], cell["se"], smallest, level, method, panel)}
            for level in confidence_levels
        ]
    return _finished(pd.DataFrame(rows), head)


def staggered_effects(
    values: pd.DataFrame,
    starts: pd.DataFrame,
    *,
    over: str = "all",
    inference: str = "permutation",
    confidence_levels: Sequence[float] = COMMON_LEVELS,
    seed: int = 1,
) -> pd.DataFrame:
    """Group-time effects averaged: over all, by years since the start, or by cohort.

    Parameters
    ----------
    values, starts, confidence_levels
        As for ``group_time_effects``.
    over
        ``"all"``: one average over all treated municipality-years; ``"event_time"``: one per year
        since the start; ``"cohort"``: one per start year.
    inference
        ``"permutation"``: the starts are dealt anew among all municipalities, as many to each
        year as there were; holds with few treated municipalities, and its limits are the
        constant effects the test does not reject. ``"analytic"``: the standard error of the
        influence functions, with Student's t.
    seed
        Seed of the permutations, where they are drawn.

    Returns
    -------
    DataFrame
        ``first_treated_year`` or ``event_time`` (by ``over``), ``treated_count`` (municipalities
        behind the average), ``comparison_count``, ``count``, ``base``, ``standard_error``
        (analytic only), ``value``, ``lower``, ``upper``, ``p_value``, ``smallest_change``,
        ``confidence_level``, ``method``, ``reason``, as for ``group_time_effects``. Analytic
        limits are withheld where the smallest cohort behind the average has fewer than five.

    References
    ----------
    Callaway and Sant'Anna (2021), Journal of Econometrics 225, 200-230, section 3; Conley and
    Taber (2011), Review of Economics and Statistics 93, 113-125 (few treated).
    """
    if over not in AVERAGES:
        raise DataError(f"unknown over {over!r}; expected one of: {', '.join(AVERAGES)}")
    if inference not in STAGGERED_INFERENCES:
        expected = ", ".join(STAGGERED_INFERENCES)
        raise DataError(f"unknown inference {inference!r}; expected one of: {expected}")
    kind, label = AVERAGES[over]
    method = f"Callaway and Sant'Anna, averaged over {over.replace('_', ' ')}"
    panel = _staggered_panel(values, starts)
    if panel.reason:
        return _staggered_refusal(panel, method, confidence_levels, label)
    weights = panel.averages(over)
    if inference == "permutation":
        found = _permuted_averages(panel, weights, confidence_levels, method, seed)
    else:
        averages = _callaway_santanna(panel).aggregate(kind).to_dataframe()
        found = {}
        for average in averages.to_dict("records"):
            place = int(average.get("event_time", average.get("label"))) if label else 0
            smallest = min([*panel.sizes[panel.behind(weights[place])], panel.never_count])
            error = average["se"]
            told = f"{method}, t interval"
            found[place] = [
                {"standard_error": error}
                | _cohort_row(average["att"], error, smallest, level, told, panel)
                for level in confidence_levels
            ]
    rows = []
    for place, levels in found.items():
        head = dict.fromkeys(label, place)
        head |= panel.head(int(panel.sizes[panel.behind(weights[place])].sum()))
        rows += [{**head, **row} for row in levels]
    return _finished(pd.DataFrame(rows), [*head, "standard_error"])


def staggered_pretrend_check(
    values: pd.DataFrame,
    starts: pd.DataFrame,
    *,
    inference: str = "wild_bootstrap",
    seed: int = 1,
) -> pd.DataFrame:
    """Joint test that every group-time effect before the start is zero.

    Parameters
    ----------
    values, starts
        As for ``group_time_effects``.
    inference
        ``"wild_bootstrap"``: the sum of squared effects before the start, weighed by the size of
        their cohorts, against what each municipality's deviation from its cohort gives when
        multiplied with normal weights. ``"wald"``: the chi-squared test that other programs
        print; at the 5 % level it rejects one true null in two with cohorts of five, one in
        ten with cohorts of twenty.
    seed
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        One row: ``treated_count``, ``comparison_count``, ``count``, ``base``, ``value`` (the
        largest absolute effect before the start, in the outcome's unit; the statistic for
        ``"wald"``), ``degrees_of_freedom`` (``"wald"`` only), ``p_value``, ``method``,
        ``reason``. Cohorts of fewer than five, or twenty for ``"wald"``, are refused
        (``too_few_clusters``). A panel in which no cohort has two years before its start is
        ``too_few_periods``; one without any scatter is ``design_cannot_answer``.
    """
    fewest = {"wild_bootstrap": FEWEST_IN_COHORT, "wald": FEWEST_IN_WALD}
    if inference not in fewest:
        expected = ", ".join(fewest)
        raise DataError(f"unknown inference {inference!r}; expected one of: {expected}")
    panel = _staggered_panel(values, starts)
    steps = panel.table.diff().iloc[1:]
    cells = [(start, year) for start in panel.starts for year in steps.index if year < start]
    tested = np.isin(panel.starts, [start for start, _ in cells])
    told = {
        "wild_bootstrap": f"wild bootstrap, {BOOTSTRAP_REPLICATES} replicates, effects before",
        "wald": "Wald test of all effects before the start",
    }
    head = {
        **panel.head(int(panel.cohort.notna().sum())),
        "value": np.nan,
        "degrees_of_freedom": np.nan,
        "p_value": np.nan,
        "method": told[inference],
    }
    reason = panel.reason
    if reason is None and not cells:
        reason = "too_few_periods"
    elif reason is None and min([panel.never_count, *panel.sizes[tested]]) < fewest[inference]:
        reason = "too_few_clusters"
    if reason:
        return pd.DataFrame([{**head, "reason": checked_reason(reason)}])

    effect, influence = _effects_before(panel, steps, cells, corrected=inference != "wald")
    if np.abs(influence).max() <= panel.nought:
        refused = checked_reason("design_cannot_answer")
        return pd.DataFrame([{**head, "value": np.abs(effect).max(), "reason": refused}])
    if inference == "wald":
        covariance = influence @ influence.T
        statistic = float(effect @ np.linalg.pinv(covariance) @ effect)
        degrees = int(np.linalg.matrix_rank(covariance))
        p_value = stats.chi2.sf(statistic, degrees)
        found = {"value": statistic, "degrees_of_freedom": degrees, "p_value": p_value}
    else:
        size = np.array([(panel.cohort == start).sum() for start, _ in cells])
        draws = np.random.default_rng(seed).normal(size=(BOOTSTRAP_REPLICATES, len(panel.cohort)))
        drawn = (size * (draws @ influence.T) ** 2).sum(axis=1)
        extreme = (drawn >= (size * effect**2).sum()).sum()
        p_value = (1 + extreme) / (1 + BOOTSTRAP_REPLICATES)
        found = {"value": np.abs(effect).max(), "p_value": p_value}
    return pd.DataFrame([{**head, **found, "reason": None}])


def _effects_before(panel, steps, cells, *, corrected: bool):
    """Each cell's effect and every municipality's part in its error.

    ``corrected``: as many parts as members less one, so that small cohorts do not look certain.
    """
    never = panel.cohort.isna().to_numpy()
    effect = np.empty(len(cells))
    influence = np.zeros((len(cells), len(never)))
    for place, (start, year) in enumerate(cells):
        members = (panel.cohort == start).to_numpy()
        step = steps.loc[year].to_numpy()
        effect[place] = step[members].mean() - step[never].mean()
        for group, sign in ((members, 1.0), (never, -1.0)):
            count = group.sum()
            share = np.sqrt(count * (count - 1)) if corrected else count
            influence[place, group] = sign * (step[group] - step[group].mean()) / share
    return effect, influence


def cross_section_difference(
    answers: pd.DataFrame,
    *,
    confidence_levels: Sequence[float] = COMMON_LEVELS,
) -> pd.DataFrame:
    """Difference in differences where different persons answered before and after.

    Limits are those of Student's t; with clusters, its degrees of freedom are Satterthwaite's,
    from the number of clusters in each group and the variance of the group's own change.

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
        One row per level: ``cluster_count``, ``treated_cluster_count``,
        ``comparison_cluster_count``, ``count`` (persons in the treated group), ``base``
        (persons), ``standard_error``, ``value``, ``lower``, ``upper``, ``p_value``,
        ``smallest_change`` (as in ``difference_in_differences``), ``confidence_level``,
        ``method``, ``reason``. An empty cell of the four, or no scatter at all, is
        ``design_cannot_answer``; fewer than ten clusters, or than five in a group, keep the
        value and lose the limits (``too_few_clusters``).

    Raises
    ------
    DataError
        If ``treated``, ``after`` or ``cluster`` is blank where there is a value.

    References
    ----------
    Wooldridge (2020), Introductory Econometrics, 7th ed., section 13-2; Donald and Lang (2007),
    Review of Economics and Statistics 89, 221-233 (few clusters).
    """
    used, clusters = _checked_answers(answers)
    treated, after = used["treated"].astype(float), used["after"].astype(float)
    head = {"cluster_count": 0, "treated_cluster_count": 0, "comparison_cluster_count": 0}
    if clusters is not None:
        sides = [clusters[treated == side].nunique() for side in (1, 0)]
        head = dict(zip(head, [clusters.nunique(), *sides], strict=True))
    head |= {"count": int((treated == 1).sum()), "base": len(used)}
    method = "regression with interaction, " + (
        "classical t interval" if clusters is None else "cluster-robust t interval"
    )
    if used.groupby([treated, after]).ngroups < 4:
        blank = {"standard_error": np.nan}
        return _refused({**head, **blank}, method, confidence_levels, "design_cannot_answer")
    design = np.column_stack([np.ones(len(used)), treated, after, treated * after])
    outcome = used["value"].to_numpy(dtype=float)
    model = sm.OLS(outcome, design)
    if clusters is None:
        fitted, degrees = model.fit(), len(used) - 4
        few = degrees < 1
    else:
        groups = {"groups": pd.factorize(clusters)[0]}
        fitted = model.fit(cov_type="cluster", cov_kwds=groups)
        sides = np.array([head["treated_cluster_count"], head["comparison_cluster_count"]])
        few = head["cluster_count"] < FEWEST_CLUSTERS or sides.min() < FEWEST_CLUSTERS_IN_GROUP
        degrees = np.nan if few else _welch_degrees(fitted.cov_params(), sides)
    value, error = fitted.params[3], fitted.bse[3]
    head["standard_error"] = np.nan if few else error
    nought = NOUGHT * np.abs(outcome).max()
    rows = [
        _student(value, error, degrees, level, method, few, nought=nought)
        for level in confidence_levels
    ]
    return _framed(head, rows)


def _welch_degrees(covariance: np.ndarray, clusters: np.ndarray) -> float:
    """Satterthwaite's degrees of freedom, from the variance of each group's own change."""
    changes = np.array([[0, 0, 1, 1], [0, 0, 1, 0]], dtype=float)  # treated, comparison
    variance = np.diag(changes @ covariance @ changes.T)
    if not variance.any():
        return float(clusters.min() - 1)
    return float(variance.sum() ** 2 / (variance**2 / (clusters - 1)).sum())


def _checked_answers(answers):
    """Rows with a value, and their clusters if there are any; blank cells are refused."""
    seen = answers["value"].notna()
    needed = [name for name in ("treated", "after", "cluster") if name in answers]
    for name in needed:
        blank = np.flatnonzero(seen & answers[name].isna()) + 2
        if len(blank):
            rows = ", ".join(map(str, blank[:8])) + (" ..." if len(blank) > 8 else "")
            raise DataError(f"answers: {name} is blank in rows {rows}; expected a value in each")
    used = answers.loc[seen]
    return used, used.get("cluster")


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
        ``smallest_change``, ``confidence_level``, ``method``, ``reason`` (``missing`` for a blank
        number; ``design_cannot_answer``, limits only, for errors of 0).

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
    rows = [_student(value, error, np.inf, level, method, False) for level in confidence_levels]
    return _framed({"standard_error": error}, rows)


def _inferred(change, is_treated, inference, levels, seed, nought) -> list[dict]:
    infer, method = {
        "permutation": (_permutation_rows, "permutation of treated municipalities"),
        "wild_bootstrap": (_bootstrap_rows, "restricted wild bootstrap-t"),
        "welch": (_welch_rows, "Welch's t interval on changes of municipalities"),
    }[inference]
    inside, outside = change[is_treated], change[~is_treated]
    if max(np.ptp(inside), np.ptp(outside)) <= nought:
        value = inside.mean() - outside.mean()
        few = len(change) == 2
        reason = "too_few_clusters" if few else "design_cannot_answer"
        return _without_limits(value, method, levels, reason)
    return infer(change, is_treated, levels, seed)


def _without_limits(value, method, levels, reason) -> list[dict]:
    return [
        {"value": value, "confidence_level": level, "method": method, **_no_limits(reason)}
        for level in levels
    ]


def _permutation_rows(change, is_treated, levels, seed) -> list[dict]:
    masks = _permutations(is_treated, seed)
    own = _group_difference(change[None], is_treated[None])[0, 0]
    others = _group_difference(change[None], masks)[0]
    overlap = _group_difference(is_treated.astype(float)[None], masks)[0]
    method = f"permutation of treated municipalities, {len(masks)} others"
    return _inverted_rows(own, others, overlap, levels, method)


def _inverted_rows(own, others, overlap, levels, method) -> list[dict]:
    """Rows of a permutation test, its limits found exactly.

    For each other way of naming the treated, the constant effects that it does not make less
    likely form an interval around the estimate; a limit is where too few of these intervals
    reach. ``overlap`` is what the other naming makes of a constant effect of 1. Where it is -1,
    the other naming is the mirror of the real one and as far out whatever the effect.
    """
    p_value = (1 + (np.abs(others) >= abs(own) * (1 - 1e-12)).sum()) / (1 + len(others))
    mirrored = overlap <= -1 + 1e-12
    with np.errstate(divide="ignore", invalid="ignore"):
        first = (own - others) / (1 - overlap)
        second = (own + others) / (1 + overlap)
    highest = np.sort(np.where(mirrored, np.inf, np.maximum(first, second)))[::-1]
    lowest = np.sort(np.where(mirrored, -np.inf, np.minimum(first, second)))
    rows = []
    for level in levels:
        allowed = int(np.floor((1 - level) * (1 + len(others)) + 1e-9))
        found = _no_limits()
        if allowed >= 1 and np.isfinite([lowest[allowed - 1], highest[allowed - 1]]).all():
            limits = {"lower": lowest[allowed - 1], "upper": highest[allowed - 1]}
            found = {**limits, "reason": None}
        row = {"value": own, "confidence_level": level, "method": method}
        rows.append({**row, **found, "p_value": p_value})
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
        return _without_limits(own, method, levels, "too_few_clusters")
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
        return _without_limits(own, method, levels, "too_few_clusters")
    test = stats.ttest_ind(inside, outside, equal_var=False)
    rows = []
    for level in levels:
        limits = test.confidence_interval(level)
        found = {"lower": limits.low, "upper": limits.high, "p_value": test.pvalue, "reason": None}
        rows.append({"value": own, "confidence_level": level, "method": method, **found})
    return rows


def _cohort_row(value, error, smallest, level, method, panel) -> dict:
    """Student's t for an average whose smallest group has so many members.

    The library divides by the number of members; the t distribution expects one fewer.
    """
    few = smallest < FEWEST_IN_COHORT
    widened = error if few else error * np.sqrt(smallest / (smallest - 1))
    return _student(value, widened, smallest - 1, level, method, few, nought=panel.nought)


def _callaway_santanna(panel):
    """The fitted library object."""
    try:
        from diff_diff import CallawaySantAnna  # slow to import, and needed here only
    except ImportError as error:
        raise ConfigError("staggered effects need diff-diff: pip install 'evalkit[did]'") from error

    long = panel.table.reset_index().melt(
        id_vars="year", var_name="municipality_code", value_name="value"
    )
    first = long["municipality_code"].map(panel.cohort).fillna(0).astype(int)
    estimator = CallawaySantAnna(
        control_group="never_treated", base_period="varying", estimation_method="reg"
    )
    return estimator.fit(
        long.assign(first=first),
        outcome="value",
        unit="municipality_code",
        time="year",
        first_treat="first",
    )


@dataclass(frozen=True)
class _StaggeredPanel:
    """Municipalities with every year that began within them, or never."""

    table: pd.DataFrame  # years by municipality
    cohort: pd.Series  # first treated year by municipality, blank for never
    asked_count: int
    reason: str | None

    @property
    def starts(self) -> list[int]:
        return sorted(self.cohort.dropna().astype(int).unique())

    @property
    def labels(self) -> np.ndarray:
        """Each municipality's place among the starts; -1 for never."""
        return pd.Index(self.starts).get_indexer(self.cohort)

    @property
    def sizes(self) -> np.ndarray:
        return np.array([(self.cohort == start).sum() for start in self.starts], dtype=int)

    @property
    def never_count(self) -> int:
        return int(self.cohort.isna().sum())

    @property
    def nought(self) -> float:
        return NOUGHT * np.abs(self.table.to_numpy()).max()

    def head(self, treated_count: int) -> dict:
        return {
            "treated_count": treated_count,
            "comparison_count": self.never_count,
            "count": treated_count + self.never_count,
            "base": self.asked_count,
        }

    def averages(self, over: str) -> dict[int, np.ndarray]:
        """By average, the weight of every year's outcome: one row per cohort.

        A cohort's year after the start is held against the last year before it, a year before
        the start against the year before that; cohorts weigh by their size.
        """
        years = self.table.index.to_numpy()
        found: dict[int, np.ndarray] = {}
        for row, (start, size) in enumerate(zip(self.starts, self.sizes, strict=True)):
            base = np.flatnonzero(years < start).max()
            for place, year in enumerate(years):
                if year < start and (over != "event_time" or place == 0):
                    continue
                key = {"all": 0, "event_time": int(year) - start, "cohort": start}[over]
                weight = found.setdefault(key, np.zeros((len(self.sizes), len(years))))
                weight[row, place] += size
                weight[row, base if year >= start else place - 1] -= size
        totals = {key: np.clip(weight, 0, None).sum() for key, weight in found.items()}
        return {key: found[key] / totals[key] for key in sorted(found)}

    @staticmethod
    def behind(weights: np.ndarray) -> np.ndarray:
        """Which cohorts an average rests on."""
        return (weights != 0).any(axis=1)


def _permuted_averages(panel, averages, levels, method, seed) -> dict[int, list[dict]]:
    """By average, its rows: the starts are dealt anew, and all averages computed again."""
    labels = panel.labels
    dealt = _dealt_starts(labels, seed)
    told = f"{method}, permutation of starts, {len(dealt)} others"
    outcome, years = panel.table.to_numpy().T, panel.table.index.to_numpy()
    since = years - panel.cohort.to_numpy(dtype=float)[:, None]
    found = {}
    for place, weights in averages.items():
        contrast = outcome @ weights.T  # municipality by cohort
        own = _dealt_average(contrast, labels[None])[0]
        scatter = [np.ptp(contrast[labels == row, row]) for row in range(len(panel.sizes))]
        scatter.append(np.ptp(contrast[labels == -1].sum(axis=1)))
        if max(scatter) <= panel.nought:
            rows = _without_limits(own, told, levels, "design_cannot_answer")
        else:
            before = min(place, 0)  # a difference before the start is one that begins there
            effect = (since >= before).astype(float) @ weights.T
            others, overlap = (_dealt_average(part, dealt) for part in (contrast, effect))
            rows = _inverted_rows(own, others, overlap, levels, told)
        found[place] = [{"standard_error": np.nan, **row} for row in rows]
    return found


def _dealt_average(contrast: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The average for each row of labels: the cohorts' means less the mean of the rest."""
    never = labels == -1
    average = -(never @ contrast.sum(axis=1)) / never.sum(axis=1)
    for row in range(contrast.shape[1]):
        members = labels == row
        average += members @ contrast[:, row] / members.sum(axis=1)
    return average


def _dealt_starts(labels: np.ndarray, seed: int) -> np.ndarray:
    """Other ways to deal the labels among the municipalities; one row each."""
    kinds, counts = np.unique(labels, return_counts=True)
    left = len(labels) - np.concatenate([[0], counts.cumsum()[:-1]])
    ways = prod(comb(int(n), int(k)) for n, k in zip(left, counts, strict=True))
    if ways > MOST_PERMUTATIONS:
        generator = np.random.default_rng(seed)
        dealt = generator.permuted(np.tile(labels, (DRAWN_PERMUTATIONS, 1)), axis=1)
    else:
        dealt = np.array(list(_all_ways(range(len(labels)), kinds, counts, len(labels))))
    return dealt[(dealt != labels).any(axis=1)]


def _all_ways(places, kinds, counts, length):
    if len(kinds) == 0:
        yield np.empty(length, dtype=int)
        return
    for chosen in combinations(places, int(counts[0])):
        rest = [place for place in places if place not in chosen]
        for way in _all_ways(rest, kinds[1:], counts[1:], length):
            way[list(chosen)] = kinds[0]
            yield way


def _staggered_panel(values, starts) -> _StaggeredPanel:
    require_once(starts, ["municipality_code"], name="starts")
    first = starts.set_index("municipality_code")["first_treated_year"]
    table = _complete_panel(values, list(first.index), [])
    cohort = first.reindex(table.columns)
    reason, inside = None, cohort.isna()
    if table.empty or cohort.isna().all():
        reason = "missing"
    else:
        inside |= (cohort > table.index.min()) & (cohort <= table.index.max())
        if not cohort.isna().any():
            reason = "design_cannot_answer"
        elif cohort[inside].isna().all():
            reason = "too_few_periods"
    return _StaggeredPanel(table.loc[:, inside.to_numpy()], cohort[inside], len(first), reason)


def _staggered_refusal(panel, method, levels, label) -> pd.DataFrame:
    counts = panel.head(int(panel.cohort.notna().sum()))
    head = {**dict.fromkeys(label), **counts, "standard_error": np.nan}
    return _refused(head, method, levels, panel.reason)


def _complete_panel(values, treated, comparison) -> pd.DataFrame:
    """Years by municipality: the years most of each group have, municipalities with all of them."""
    asked = values["municipality_code"].isin([*treated, *comparison])
    require_once(values, ["municipality_code", "year"], name="values", among=asked)
    wanted = values.loc[asked & values["value"].notna()]
    table = wanted.pivot(index="year", columns="municipality_code", values="value").sort_index()
    shared = np.ones(len(table), dtype=bool)
    for group in (treated, comparison):
        members = table.columns.isin(list(group))
        if members.any():
            shared &= table.loc[:, members].notna().mean(axis=1).to_numpy() > 0.5
    return table.loc[shared].dropna(axis=1)


def _panel_head(table, treated, comparison, after) -> tuple[dict, str | None]:
    asked = {*treated, *comparison}
    head = {
        "treated_count": int(table.columns.isin(list(treated)).sum()),
        "comparison_count": int(table.columns.isin(list(comparison)).sum()),
        "pre_period_count": int((~after).sum()),
        "post_period_count": int(after.sum()),
        "left_out": ", ".join(sorted(asked - set(table.columns))),
        "count": table.shape[1],
        "base": len(asked),
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


def _student(value, error, degrees, level, method, few, *, nought=0.0) -> dict:
    row = {"value": value, "confidence_level": level, "method": method}
    if few or not np.isfinite(error):
        return {**row, **_no_limits()}
    if error <= nought:
        return {**row, **_no_limits("design_cannot_answer")}
    margin = stats.t.ppf(0.5 + level / 2, degrees) * error
    return {
        **row,
        "lower": value - margin,
        "upper": value + margin,
        "p_value": 2 * stats.t.sf(abs(value / error), degrees),
        "reason": None,
    }


def _no_limits(reason: str = "too_few_clusters") -> dict:
    return {
        **dict.fromkeys(("lower", "upper", "p_value"), np.nan),
        "reason": checked_reason(reason),
    }


def _refused(head, method, levels, reason) -> pd.DataFrame:
    return _framed(head, _without_limits(np.nan, method, levels, reason))


def _framed(head: dict, rows: list[dict]) -> pd.DataFrame:
    return _finished(pd.DataFrame([{**head, **row} for row in rows]), head)


def _finished(table: pd.DataFrame, head) -> pd.DataFrame:
    """The columns in order, with the smallest change that limits of this width could show."""
    smallest = smallest_detectable_change(table["lower"], table["upper"], table["confidence_level"])
    reason = table["reason"].astype(object)
    found = table.assign(smallest_change=smallest, reason=reason.where(reason.notna(), None))
    return found[[*head, *RESULT]]
