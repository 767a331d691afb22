"""Change where municipalities began in different years, against those that never began.

A panel has one row per municipality and year: ``municipality_code``, ``year`` and ``value``. The
comparison rests on parallel trends: without the measure, all would have changed as those that
never began.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb, prod

import numpy as np
import pandas as pd
from scipy import stats

from evalkit.accepted import CODE, NUMBER, START, YEAR, Rows, accepts
from evalkit.effect_limits import (
    BOOTSTRAP_REPLICATES,
    NOUGHT,
    bootstrap_rows,
    complete_panel,
    finished_rows,
    inverted_rows,
    refused_rows,
    student_row,
    without_limits,
)
from evalkit.errors import ConfigError, DataError
from evalkit.groups import require_once
from evalkit.reasons import checked_reason
from evalkit.uncertainty import STANDARD_LEVELS

__all__ = ["group_time_effects", "staggered_effects", "staggered_pretrend_check"]

INFERENCES = ("permutation", "wild_bootstrap", "analytic")
# What is averaged over: the library's name for it, and the column that tells the averages apart.
AVERAGES = {
    "all": ("simple", []),
    "event_time": ("event_study", ["event_time"]),
    "cohort": ("group", ["first_treated_year"]),
}
MOST_PERMUTATIONS = 20_000  # beyond this, starts are dealt at random instead of in all ways
DRAWN_PERMUTATIONS = 9_999
FEWEST_BOOTSTRAPPED = 2  # in each cohort: one alone has no scatter of its own to draw
FEWEST_IN_COHORT = 5  # analytic errors of smaller cohorts are far too small
FEWEST_IN_WALD = 20  # with cohorts of ten the test rejects one true null in six


@accepts(
    values=Rows(
        {"municipality_code": CODE, "year": YEAR, "value": NUMBER},
        once=("municipality_code", "year"),
    ),
    starts=Rows(
        {"municipality_code": CODE, "first_treated_year": START}, once=("municipality_code",)
    ),
)
def group_time_effects(
    values: pd.DataFrame,
    starts: pd.DataFrame,
    *,
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
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
    return finished_rows(pd.DataFrame(rows), head)


@accepts(
    values=Rows(
        {"municipality_code": CODE, "year": YEAR, "value": NUMBER},
        once=("municipality_code", "year"),
    ),
    starts=Rows(
        {"municipality_code": CODE, "first_treated_year": START}, once=("municipality_code",)
    ),
)
def staggered_effects(
    values: pd.DataFrame,
    starts: pd.DataFrame,
    *,
    over: str = "all",
    inference: str = "permutation",
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
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
        constant effects the test does not reject. ``"wild_bootstrap"``: restricted wild cluster
        bootstrap-t on the municipalities' contributions to the average, for four treated
        municipalities or more, two in each cohort; does not take the effect as constant. ``"analytic"``: the standard
        error of the influence functions, with Student's t.
    seed
        Seed of the permutations and the bootstrap, where they are drawn.

    Returns
    -------
    DataFrame
        ``first_treated_year`` or ``event_time`` (by ``over``), ``treated_count`` (municipalities
        behind the average), ``comparison_count``, ``count``, ``base``, ``standard_error``
        (analytic only), ``value``, ``lower``, ``upper``, ``p_value``, ``smallest_change``,
        ``confidence_level``, ``method``, ``reason``, as for ``group_time_effects``. Analytic
        limits are withheld where the smallest cohort behind the average has fewer than five,
        those of the bootstrap where a cohort behind it has only one, or fewer than four
        municipalities are behind it or never began (``too_few_clusters``).

    References
    ----------
    Callaway and Sant'Anna (2021), Journal of Econometrics 225, 200-230, section 3; Conley and
    Taber (2011), Review of Economics and Statistics 93, 113-125 (few treated); Cameron, Gelbach
    and Miller (2008), Review of Economics and Statistics 90, 414-427 (wild bootstrap).
    """
    if over not in AVERAGES:
        raise DataError(f"unknown over {over!r}; expected one of: {', '.join(AVERAGES)}")
    if inference not in INFERENCES:
        expected = ", ".join(INFERENCES)
        raise DataError(f"unknown inference {inference!r}; expected one of: {expected}")
    kind, label = AVERAGES[over]
    method = f"Callaway and Sant'Anna, averaged over {over.replace('_', ' ')}"
    panel = _staggered_panel(values, starts)
    if panel.reason:
        return _staggered_refusal(panel, method, confidence_levels, label)
    weights = panel.averages(over)
    if inference == "permutation":
        found = _permuted_averages(panel, weights, confidence_levels, method, seed)
    elif inference == "wild_bootstrap":
        found = _bootstrapped_averages(panel, weights, confidence_levels, method, seed)
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
    return finished_rows(pd.DataFrame(rows), [*head, "standard_error"])


@accepts(
    values=Rows(
        {"municipality_code": CODE, "year": YEAR, "value": NUMBER},
        once=("municipality_code", "year"),
    ),
    starts=Rows(
        {"municipality_code": CODE, "first_treated_year": START}, once=("municipality_code",)
    ),
)
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


def _cohort_row(value, error, smallest, level, method, panel) -> dict:
    """Student's t for an average whose smallest group has so many members.

    The library divides by the number of members; the t distribution expects one fewer.
    """
    few = smallest < FEWEST_IN_COHORT
    widened = error if few else error * np.sqrt(smallest / (smallest - 1))
    return student_row(value, widened, smallest - 1, level, method, few, nought=panel.nought)


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


def _bootstrapped_averages(panel, averages, levels, method, seed) -> dict[int, list[dict]]:
    """By average, its rows: each municipality's contribution is multiplied with drawn weights."""
    outcome, labels = panel.table.to_numpy().T, panel.labels
    found = {}
    for place, weights in averages.items():
        behind = panel.behind(weights)
        contrast = outcome @ weights.T  # municipality by cohort
        own = np.where(labels < 0, contrast.sum(axis=1), contrast[range(len(labels)), labels])
        used = (labels < 0) | behind[labels]
        change, cohort = own[used], labels[used]
        groups = [change[cohort == label] for label in np.unique(cohort)]
        told = f"{method}, restricted wild bootstrap-t"
        value = sum(group.mean() for group in groups[1:]) - groups[0].mean()
        if max(np.ptp(group) for group in groups) <= panel.nought:
            rows = without_limits(value, told, levels, "design_cannot_answer")
        elif min(len(group) for group in groups) < FEWEST_BOOTSTRAPPED:
            rows = without_limits(value, told, levels, "too_few_clusters")
        else:
            asked = {"levels": levels, "seed": seed, "method": told, "cohort": cohort}
            rows = bootstrap_rows(change, cohort >= 0, **asked)
        found[place] = [{"standard_error": np.nan, **row} for row in rows]
    return found


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
            rows = without_limits(own, told, levels, "design_cannot_answer")
        else:
            before = min(place, 0)  # a difference before the start is one that begins there
            effect = (since >= before).astype(float) @ weights.T
            others, overlap = (_dealt_average(part, dealt) for part in (contrast, effect))
            rows = inverted_rows(own, others, overlap, levels, told)
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
    table = complete_panel(values, list(first.index), [])
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
    return refused_rows(head, method, levels, panel.reason)
