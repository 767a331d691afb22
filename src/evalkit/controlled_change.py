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

from evalkit.accepted import CODE, COUNT, GROUP, KEY, NUMBER, TRUE_OR_FALSE, YEAR, Rows, accepts
from evalkit.effect_limits import (
    NOUGHT,
    bootstrap_rows,
    complete_panel,
    effect_rows,
    inverted_rows,
    refused_rows,
    student_row,
    without_limits,
)
from evalkit.errors import DataError
from evalkit.groups import require_different
from evalkit.reasons import checked_reason
from evalkit.uncertainty import STANDARD_LEVELS

__all__ = [
    "cross_section_difference",
    "difference_in_differences",
    "difference_of_changes",
    "event_study",
    "pretrend_check",
]

INFERENCES = ("permutation", "wild_bootstrap", "welch")
MOST_PERMUTATIONS = 20_000  # beyond this, permutations are drawn instead of listed
DRAWN_PERMUTATIONS = 9_999
FEWEST_CLUSTERS = 10
FEWEST_CLUSTERS_IN_GROUP = 5  # with two of twelve treated, a 95 % interval covers 83 %


@accepts(values=Rows({"municipality_code": CODE, "year": YEAR, "value": NUMBER}))
def difference_in_differences(
    values: pd.DataFrame,
    *,
    treated: Sequence[str],
    comparison: Sequence[str],
    treated_from: int,
    inference: str = "permutation",
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
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
    table, after, head, reason = _panel(values, treated, comparison, treated_from, inference)
    if reason:
        return refused_rows(
            head, f"difference in differences, {inference}", confidence_levels, reason
        )
    change = table.loc[after].mean() - table.loc[~after].mean()
    is_treated = change.index.isin(list(treated))
    nought = NOUGHT * np.abs(table.to_numpy()).max()
    rows = _inferred(change.to_numpy(), is_treated, inference, confidence_levels, seed, nought)
    return effect_rows(head, rows)


@accepts(values=Rows({"municipality_code": CODE, "year": YEAR, "value": NUMBER}))
def event_study(
    values: pd.DataFrame,
    *,
    treated: Sequence[str],
    comparison: Sequence[str],
    treated_from: int,
    inference: str = "permutation",
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
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
    table, after, head, reason = _panel(values, treated, comparison, treated_from, inference)
    if reason:
        refused = refused_rows(head, f"event study, {inference}", confidence_levels, reason)
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
        frames.append(effect_rows(head, rows).assign(year=year, event_time=year - treated_from))
    return pd.concat(frames, ignore_index=True)


@accepts(values=Rows({"municipality_code": CODE, "year": YEAR, "value": NUMBER}))
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
    table, after, head, reason = _panel(values, treated, comparison, treated_from, "permutation")
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


@accepts(
    answers=Rows(
        {"value": NUMBER, "treated": TRUE_OR_FALSE, "after": TRUE_OR_FALSE}, {"cluster": GROUP}
    )
)
def cross_section_difference(
    answers: pd.DataFrame,
    *,
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
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
        return refused_rows({**head, **blank}, method, confidence_levels, "design_cannot_answer")
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
        student_row(value, error, degrees, level, method, few, nought=nought)
        for level in confidence_levels
    ]
    return effect_rows(head, rows)


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


@accepts(changes=Rows({"group": KEY, "value": NUMBER, "standard_error": COUNT}, {"base": COUNT}))
def difference_of_changes(
    changes: pd.DataFrame, *, confidence_levels: Sequence[float] = STANDARD_LEVELS
) -> pd.DataFrame:
    """Difference in differences from two published changes and their standard errors.

    Parameters
    ----------
    changes
        Two rows, ``group`` being ``treated`` and ``comparison``: ``value`` (change from before to
        after), ``standard_error`` and, where it was published, ``base`` (persons or
        municipalities behind the change). The two are taken as independent.
    confidence_levels
        One row is given per level.

    Returns
    -------
    DataFrame
        One row per level: ``count`` (the base of the treated), ``base`` (of both; missing where
        it is not given), ``standard_error``, ``value``, ``lower``, ``upper``, ``p_value``,
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
    bases = pair["base"] if "base" in pair else pd.Series(np.nan, index=pair.index)
    head = {"count": bases["treated"], "base": bases.sum(skipna=False), "standard_error": np.nan}
    if pair[["value", "standard_error"]].isna().any(axis=None):
        return refused_rows(head, method, confidence_levels, "missing")
    value = pair.loc["treated", "value"] - pair.loc["comparison", "value"]
    error = float(np.hypot(*pair["standard_error"]))
    rows = [student_row(value, error, np.inf, level, method, False) for level in confidence_levels]
    return effect_rows({**head, "standard_error": error}, rows)


def _inferred(change, is_treated, inference, levels, seed, nought) -> list[dict]:
    infer, method = {
        "permutation": (_permutation_rows, "permutation of treated municipalities"),
        "wild_bootstrap": (_wild_rows, "restricted wild bootstrap-t"),
        "welch": (_welch_rows, "Welch's t interval on changes of municipalities"),
    }[inference]
    inside, outside = change[is_treated], change[~is_treated]
    if max(np.ptp(inside), np.ptp(outside)) <= nought:
        value = inside.mean() - outside.mean()
        few = len(change) == 2
        reason = "too_few_clusters" if few else "design_cannot_answer"
        return without_limits(value, method, levels, reason)
    return infer(change, is_treated, levels, seed)


def _permutation_rows(change, is_treated, levels, seed) -> list[dict]:
    masks = _permutations(is_treated, seed)
    own = _group_difference(change[None], is_treated[None])[0, 0]
    others = _group_difference(change[None], masks)[0]
    overlap = _group_difference(is_treated.astype(float)[None], masks)[0]
    method = f"permutation of treated municipalities, {len(masks)} others"
    return inverted_rows(own, others, overlap, levels, method)


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


def _wild_rows(change, is_treated, levels, seed) -> list[dict]:
    return bootstrap_rows(change, is_treated, levels=levels, seed=seed)


def _welch_rows(change, is_treated, levels, seed) -> list[dict]:
    method = "Welch's t interval on changes of municipalities"
    inside, outside = change[is_treated], change[~is_treated]
    own = inside.mean() - outside.mean()
    if min(len(inside), len(outside)) < 2:
        return without_limits(own, method, levels, "too_few_clusters")
    test = stats.ttest_ind(inside, outside, equal_var=False)
    rows = []
    for level in levels:
        limits = test.confidence_interval(level)
        found = {"lower": limits.low, "upper": limits.high, "p_value": test.pvalue, "reason": None}
        rows.append({"value": own, "confidence_level": level, "method": method, **found})
    return rows


def _panel(values, treated, comparison, treated_from, inference):
    """Years by municipality, which years are after, what a result tells of them, and why not."""
    _check_groups(treated, comparison, inference)
    table = complete_panel(values, treated, comparison)
    after = np.asarray(table.index >= treated_from)
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
        return table, after, head, "missing"
    if head["comparison_count"] == 0:
        return table, after, head, "design_cannot_answer"
    if after.all() or not after.any():
        return table, after, head, "too_few_periods"
    return table, after, head, None


def _check_groups(treated, comparison, inference) -> None:
    if inference not in INFERENCES:
        expected = ", ".join(INFERENCES)
        raise DataError(f"unknown inference {inference!r}; expected one of: {expected}")
    require_different(treated=treated, comparison=comparison)
