"""Survey answers: who answered, what they said, and what changed since the baseline.

Answers come as rows of ``AnswersTable``: ``municipality_code``, ``wave``, ``respondent_id``,
``item`` and ``score``, with ``service`` and other background where there is any. Blank scores
count nowhere. Every result has ``count``, ``base``, ``value``, ``lower``, ``upper``,
``confidence_level``, ``method`` and ``reason``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats
from statsmodels.miscmodels.ordinal_model import OrderedModel

from evalkit import vocabulary as words
from evalkit.accepted import (
    ANSWER,
    ANSWERS,
    CODE,
    COUNT,
    CROSSWALK,
    GROUP,
    KEY,
    NUMBER,
    SCALE,
    SCORE,
    Rows,
    accepts,
)
from evalkit.comparability import (
    comparable_answers,
    comparable_over_time,
    comparisons_between_municipalities,
    with_refused,
)
from evalkit.errors import DataError
from evalkit.groups import grouped, numbered
from evalkit.reasons import level_rows, reason_where, withhold
from evalkit.uncertainty import (
    STANDARD_LEVELS,
    newcombe_difference_interval,
    newcombe_paired_interval,
    newcombe_superiority_interval,
    phi_coefficient,
    share_limits,
    square_and_add,
    wilson_interval,
    z_value,
)

__all__ = [
    "AGREES_FROM",
    "LINKAGES",
    "agreement_share",
    "cliffs_delta",
    "comparable_shares",
    "item_shares",
    "mcnemar_test",
    "nonresponse_difference",
    "ordinal_regression",
    "paired_shift",
    "probability_of_superiority",
    "response_rate",
    "score_distribution",
    "share_change",
]

AGREES_FROM = 4  # on the scale from 1 (not at all) to 5 (fully)
LINKAGES = tuple(words.LINKAGES)  # the strongest first
ENOUGH_PAIRS = 10  # linked persons from which their correlation is used for the rest
EXACT_UNDER = 25  # discordant persons under which McNemar's test is exact
EXACT_RANKS = 50  # moves without ties up to which Wilcoxon's test is exact
SUPERIORITY_INTERVALS = {
    "cliff_newcombe": "Cliff's delta, the wider of Cliff's limits and Newcombe's",
    "cliff": "Cliff's delta, unbiased variance, Student's t",
}
ANSWERS_PER_TERM = 10  # answers wanted per coefficient of a regression


@accepts(surveys=Rows({"invited_count": COUNT, "answered_count": COUNT}, named={"by": GROUP}))
def response_rate(
    surveys: pd.DataFrame,
    *,
    by: Sequence[str] = ("municipality_code", "wave"),
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """Share of those invited who answered, by municipality and wave, or by service too.

    Parameters
    ----------
    surveys
        ``invited_count`` and ``answered_count`` (persons) with the columns of ``by``; rows
        of the same group are added up.
    by
        Columns that make a row, such as ``("municipality_code", "wave", "service")``.
    confidence_levels
        Levels wanted.

    Returns
    -------
    DataFrame
        The columns of ``by``; ``count`` (answered), ``base`` (invited), ``value`` (0 to 1),
        limits; ``nonresponse_count`` and ``nonresponse_share``. The limits treat answering
        as the chance event; the rate itself is counted, not estimated. A group with a blank
        number keeps its row, with reason ``missing``.

    Raises
    ------
    DataError
        If more answered than were invited.
    """
    totals, known = _invited_and_answered(surveys, by)
    counts = totals.assign(
        count=totals["answered_count"].where(known), base=totals["invited_count"].where(known)
    ).drop(columns=["answered_count", "invited_count"])
    rows = share_limits(counts, confidence_levels=confidence_levels)
    return rows.assign(
        nonresponse_count=rows["base"] - rows["count"], nonresponse_share=1 - rows["value"]
    )


@accepts(
    surveys=Rows(
        {"municipality_code": CODE, "wave": KEY, "invited_count": COUNT, "answered_count": COUNT},
        named={"group": GROUP},
    )
)
def nonresponse_difference(
    surveys: pd.DataFrame,
    *,
    group: str = "service",
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """How much each service's response rate differs from the rest of its municipality's.

    Parameters
    ----------
    surveys
        ``municipality_code``, ``wave``, the column ``group``, ``invited_count`` and
        ``answered_count`` (persons).
    group
        What the rates are compared across. Rows where it is blank are a group of their own.
    confidence_levels
        Levels wanted.

    Returns
    -------
    DataFrame
        One row per municipality, wave, group and level: ``count`` and ``base`` of the group,
        its ``response_share``, ``rest_share``, ``answers_share`` (its share of all answers)
        beside ``invited_share`` (of all invited), and ``value``, the group's rate minus the
        rest's, with its limits. Reason ``missing`` where there is no rest, or where a number
        of the municipality and wave is blank.

    Raises
    ------
    DataError
        If more answered than were invited.

    References
    ----------
    Newcombe (1998), Stat. Med. 17, 873-890, method 10.
    """
    places = ["municipality_code", "wave"]
    rows, _ = _invited_and_answered(surveys, [*places, group])
    whole = rows.groupby(places, dropna=False)[["answered_count", "invited_count"]].transform(
        "sum", skipna=False
    )
    rest_count = whole["answered_count"] - rows["answered_count"]
    rest_base = whole["invited_count"] - rows["invited_count"]
    own = rows["answered_count"] / rows["invited_count"].where(rows["invited_count"] > 0)
    rest = rest_count / rest_base.where(rest_base > 0)
    result = rows[[*places, group]].assign(
        count=rows["answered_count"],
        base=rows["invited_count"],
        response_share=own,
        rest_share=rest,
        answers_share=rows["answered_count"] / whole["answered_count"],
        invited_share=rows["invited_count"] / whole["invited_count"],
    )
    blocks = []
    for level in confidence_levels:
        lower, upper = newcombe_difference_interval(
            rows["answered_count"],
            rows["invited_count"],
            rest_count,
            rest_base,
            confidence_level=level,
        )
        blocks.append(
            result.assign(
                value=own - rest,
                lower=lower,
                upper=upper,
                confidence_level=level,
                method="Newcombe, independent shares",
                reason=reason_where((own - rest).isna()),
            )
        )
    return level_rows(blocks)


@accepts(
    answers=Rows(
        {"municipality_code": CODE, "item": KEY, "score": SCORE},
        once=ANSWER,
        identity="respondent_id",
        among={"item": "item"},
    )
)
def agreement_share(
    answers: pd.DataFrame,
    *,
    item: str,
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
    scores: Sequence[float] = SCALE,
) -> pd.DataFrame:
    """Share of respondents in each municipality who agree with an item.

    Blank answers count neither in the share nor in its base. A municipality with
    only blank answers keeps its row, with base 0 and a reason.

    Parameters
    ----------
    answers
        Rows of ``AnswersTable``: one per respondent and item.
    item
        The item to summarise, such as ``"anchoring_leadership"``.
    confidence_levels
        Levels wanted.
    scores
        The steps of the scale, lowest first; a score between or outside them is refused.

    Returns
    -------
    DataFrame
        As ``item_shares``, one row per ``municipality_code`` and level, in that order; and
        under names of their own ``answered_count`` and ``agreed_count`` (persons),
        ``agreed_share``, ``lower_share`` and ``upper_share``.

    Raises
    ------
    DataError
        If ``answers`` holds no row for ``item``.

    References
    ----------
    Wilson (1927), J. Am. Stat. Assoc. 22, 209-212.
    """
    asked = answers.loc[answers["item"] == item]
    shares = item_shares(
        asked, by=("municipality_code",), confidence_levels=confidence_levels, scores=scores
    )
    return shares.assign(
        answered_count=shares["base"],
        agreed_count=shares["count"],
        agreed_share=shares["value"],
        lower_share=shares["lower"],
        upper_share=shares["upper"],
    )


@accepts(
    answers=Rows(
        {"score": SCORE}, ANSWERS, named={"by": KEY}, once=ANSWER, identity="respondent_id"
    ),
    population=Rows({"population_count": COUNT}),
)
def item_shares(
    answers: pd.DataFrame,
    *,
    by: Sequence[str] = ("municipality_code", "wave", "item"),
    agrees_from: float = AGREES_FROM,
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
    population: pd.DataFrame | None = None,
    scores: Sequence[float] = SCALE,
) -> pd.DataFrame:
    """Shares who agree with every item at once, in every group.

    Parameters
    ----------
    answers
        Rows of ``AnswersTable``.
    by
        Columns that make a row.
    agrees_from
        Lowest score that counts as agreement.
    confidence_levels
        Levels wanted.
    population
        ``population_count`` (persons invited) with some columns of ``by``, when the
        finite-population correction is wanted: the question is then about exactly these
        persons. Left out, the interval is about the workplace they speak for.
    scores
        The steps of the scale, lowest first; a score between or outside them is refused.

    Returns
    -------
    DataFrame
        One row per group and level, ordered by group.

    References
    ----------
    Wilson (1927), J. Am. Stat. Assoc. 22, 209-212.
    """
    groups, codes = grouped(answers, by)
    answered = answers["score"].notna().to_numpy()
    agreed = (answers["score"] >= agrees_from).to_numpy()
    counts = groups.assign(
        count=np.bincount(codes, weights=agreed, minlength=len(groups)),
        base=np.bincount(codes, weights=answered, minlength=len(groups)),
    )
    if population is None:
        return share_limits(counts, confidence_levels=confidence_levels)
    return share_limits(
        _with_population(counts, population, by),
        confidence_levels=confidence_levels,
        population_column="population_count",
    )


@accepts(
    answers=Rows(
        {"score": SCORE}, ANSWERS, named={"by": KEY}, once=ANSWER, identity="respondent_id"
    )
)
def score_distribution(
    answers: pd.DataFrame,
    *,
    scores: Sequence[float] = SCALE,
    by: Sequence[str] = ("municipality_code", "wave", "item"),
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """Share of answers at every step of an ordinal scale, for diverging bars.

    Parameters
    ----------
    answers
        Rows of ``AnswersTable``.
    scores
        The steps, lowest first. Every group gets a row for each, answered or not.
    by
        Columns that make a group.
    confidence_levels
        Levels wanted; each step's limits hold for it alone.

    Returns
    -------
    DataFrame
        One row per group, ``score`` and level; ``cumulative_share`` is the share at the step
        or below, ``median_score`` the group's median step (lower of two).

    Raises
    ------
    DataError
        If an answer is not one of ``scores``.
    """
    given = answers.loc[answers["score"].notna()]
    steps = np.asarray(scores, dtype=float)
    position = np.searchsorted(steps, given["score"].to_numpy(dtype=float))
    groups, all_codes = grouped(answers, by)
    codes = all_codes[answers["score"].notna().to_numpy()]
    table = np.bincount(codes * len(steps) + position, minlength=len(groups) * len(steps))
    table = table.reshape(len(groups), len(steps))
    base = table.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cumulative = table.cumsum(axis=1) / base[:, None]
    median = np.where(base > 0, steps[np.argmax(cumulative >= 0.5, axis=1)], np.nan)
    rows = groups.loc[groups.index.repeat(len(steps))].reset_index(drop=True)
    counts = rows.assign(
        score=np.tile(steps, len(groups)),
        count=table.ravel(),
        base=base.repeat(len(steps)),
        cumulative_share=cumulative.ravel(),
        median_score=median.repeat(len(steps)),
    )
    return share_limits(counts, confidence_levels=confidence_levels)


@accepts(
    answers=Rows(
        {"municipality_code": CODE, "wave": KEY, "item": KEY, "score": SCORE},
        once=ANSWER,
        identity="respondent_id",
        among={"wave": "wave"},
    ),
    crosswalk=CROSSWALK,
)
def comparable_shares(
    answers: pd.DataFrame,
    *,
    crosswalk: pd.DataFrame,
    wave: Any,
    agrees_from: float = AGREES_FROM,
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
    scores: Sequence[float] = SCALE,
) -> pd.DataFrame:
    """Shares who agree, side by side across municipalities, for items that were asked alike.

    Parameters
    ----------
    answers
        Rows of ``AnswersTable``.
    crosswalk
        What each municipality asked; see ``evalkit.comparability``.
    wave
        The wave to compare in.
    agrees_from, confidence_levels, scores
        As in ``item_shares``.

    Returns
    -------
    DataFrame
        One row per municipality, item and level. Refused rows have no value, ``reason``
        ``not_asked`` or ``not_comparable``, and the ``explanation`` in words.
    """
    chosen = answers.loc[answers["wave"] == wave]
    comparisons = comparisons_between_municipalities(crosswalk, wave=wave)
    kept, refused = comparable_answers(chosen, comparisons)
    shares = item_shares(
        kept,
        by=("municipality_code", "item"),
        agrees_from=agrees_from,
        confidence_levels=confidence_levels,
        scores=scores,
    )
    return with_refused(
        shares, refused, confidence_levels=confidence_levels, by=("municipality_code", "item")
    )


@accepts(
    answers=Rows(
        {"wave": KEY, "score": SCORE},
        ANSWERS,
        named={"by": KEY},
        once=ANSWER,
        identity="respondent_id",
        among={"before": "wave", "after": "wave"},
    ),
    crosswalk=CROSSWALK,
    population=Rows({"wave": KEY, "population_count": COUNT}),
)
def share_change(
    answers: pd.DataFrame,
    *,
    linkage: str | pd.DataFrame,
    before: Any = 0,
    after: Any = 1,
    by: Sequence[str] = ("municipality_code", "item"),
    agrees_from: float = AGREES_FROM,
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
    crosswalk: pd.DataFrame | None = None,
    smallest_base: int = 1,
    population: pd.DataFrame | None = None,
    design_effect: float = 1.0,
    scores: Sequence[float] = SCALE,
) -> pd.DataFrame:
    """Change in the share who agree, from one wave to another, follow-up minus baseline.

    What is known of who answered twice decides the interval:

    ``linked``
        every person can be followed; only those who answered the item in both waves count,
        and their two answers are compared as a pair
    ``partly_linked``
        some can be followed and others may have answered twice without our knowing; all
        answers count, and the limits are the widest over every overlap that is possible
    ``unlinked``
        nobody can be followed; all answers count as if from different persons, which is too
        cautious where the same persons answered alike

    Parameters
    ----------
    answers
        Rows of ``AnswersTable``; the same ``respondent_id`` in two waves is one person
        (not used when unlinked).
    linkage
        One of ``LINKAGES``, or what each municipality declares, as from ``survey_linkage``: one
        that declares nothing is unlinked.
    before, after
        The waves.
    by
        Columns that make a row.
    agrees_from
        Lowest score that counts as agreement.
    confidence_levels
        Levels wanted.
    crosswalk
        What was asked where; when given, items that were not asked alike are refused.
    smallest_base
        Answers needed in each wave (pairs when linked); fewer give ``base_too_small``.
    population
        ``population_count`` (persons invited) with ``wave`` and some columns of ``by``, when the
        finite-population correction is wanted, as in ``item_shares``. Linked pairs are taken
        from the smaller wave's population. Not for partly linked answers: where municipalities
        declare their linkage, those partly linked have a change without limits, and the reason.
    design_effect
        See ``evalkit.uncertainty.effective_base``.
    scores
        The steps of the scale, lowest first; a score between or outside them is refused.

    Returns
    -------
    DataFrame
        One row per group and level: ``before_count``, ``before_base``, ``after_count``,
        ``after_base``, ``linked_count`` (persons in both), ``linkage_share`` (of those in the
        smaller wave), ``count`` and ``base`` (at follow-up, or of pairs when linked),
        ``value`` (-1 to 1), ``linkage`` and the rest. Linked results also have ``before_only_count`` and
        ``after_only_count``: those who agreed in that wave only. Partly linked results also have
        ``narrowest_lower`` and ``narrowest_upper``: the limits if as many as possible, or as
        few, answered twice, whichever is narrower. With a population, also
        ``before_population`` and ``after_population``.

    Raises
    ------
    DataError
        If ``linkage`` is unknown, a person has two answers to an item in one wave, a group
        lacks its population or has more answers than persons, a population is given for
        partly linked answers, or nobody of one wave is found in the other of linked answers.

    References
    ----------
    Newcombe (1998), Stat. Med. 17, 873-890 and 2635-2650; Zou and Donner (2008), Stat. Med.
    27, 1693-1702, for the correlation that an overlap gives.
    """
    if isinstance(linkage, pd.DataFrame):
        chosen = {
            "by": by,
            "agrees_from": agrees_from,
            "confidence_levels": confidence_levels,
            "smallest_base": smallest_base,
            "design_effect": design_effect,
            "scores": scores,
        }
        return _declared_change(answers, linkage, crosswalk, population, before, after, chosen)
    _check_linkage(linkage)
    if linkage == "linked":
        _require_overlap(answers, before, after)
    levels = list(confidence_levels)
    answers, refused = comparable_over_time(answers, crosswalk, before=before, after=after, by=by)
    tallies = _tallies(answers, before, after, by, agrees_from, linked=linkage != "unlinked")
    if population is not None:
        if linkage == "partly_linked":
            raise DataError("no finite-population correction is known for partly linked answers")
        for wave, side in ((before, "before"), (after, "after")):
            of_wave = population.loc[population["wave"] == wave].drop(columns="wave")
            tallies = _with_population(tallies, of_wave, by).rename(
                columns={"population_count": f"{side}_population"}
            )
    rows = level_rows(_change_at(tallies, linkage, level, design_effect) for level in levels)
    smallest = rows[["before_base", "after_base"]].min(axis=1)
    small = (rows["linked_count"] if linkage == "linked" else smallest) < smallest_base
    rows = withhold(
        rows,
        small & rows["reason"].isna(),
        "base_too_small",
        columns=("value", "lower", "upper", "narrowest_lower", "narrowest_upper"),
    )
    return with_refused(rows, refused, confidence_levels=levels, by=by).assign(linkage=linkage)


def _declared_change(
    answers: pd.DataFrame,
    declared: pd.DataFrame,
    crosswalk: pd.DataFrame | None,
    population: pd.DataFrame | None,
    before: Any,
    after: Any,
    chosen: dict[str, Any],
) -> pd.DataFrame:
    """``share_change`` of each municipality as its linkage is declared."""
    by = list(chosen["by"])
    if "municipality_code" not in by:
        raise DataError(
            f"by {by} with the linkage that municipalities declare; expected municipality_code in "
            "by, or one linkage"
        )
    of_municipality = declared.set_index("municipality_code")["linkage"]
    if not of_municipality.index.is_unique:
        twice = sorted(set(of_municipality.index[of_municipality.index.duplicated()]))
        raise DataError(f"linkage: several rows of municipality {', '.join(twice)}; expected one")
    for linkage in of_municipality.unique():
        _check_linkage(linkage)

    def of(table: pd.DataFrame | None, linkage: str) -> pd.DataFrame | None:
        if table is None or "municipality_code" not in table:
            return table
        own = table["municipality_code"].map(of_municipality).fillna("unlinked")
        return table.loc[own == linkage]

    found = []
    for linkage in LINKAGES:
        own, asked = of(answers, linkage), of(crosswalk, linkage)
        if own.empty and (asked is None or asked.empty) and linkage != "unlinked":
            continue
        finite = population if linkage != "partly_linked" else None
        rows = share_change(
            own,
            linkage=linkage,
            before=before,
            after=after,
            crosswalk=asked,
            population=finite,
            **chosen,
        )
        if population is not None and finite is None:
            rows = withhold(
                rows,
                rows["reason"].isna(),
                "design_cannot_answer",
                columns=("lower", "upper", "narrowest_lower", "narrowest_upper"),
            )
        found.append(rows)
    together = [rows for rows in found if len(rows)] or found[-1:]
    order = [*by, "confidence_level"]
    return pd.concat(together).sort_values(order, kind="stable", ignore_index=True)


def _check_linkage(linkage: Any) -> None:
    if linkage not in LINKAGES:
        raise DataError(f"linkage {linkage!r}; expected one of: {', '.join(LINKAGES)}")


def _require_overlap(answers: pd.DataFrame, before: Any, after: Any) -> None:
    """Answers said to be linked are refused where no person of one wave is in the other."""
    own = answers.loc[answers["wave"].isin([before, after])].dropna(subset="respondent_id")
    places = ["municipality_code"] if "municipality_code" in own else []
    persons = own[[*places, "respondent_id", "wave"]].drop_duplicates()
    twice = persons.duplicated([*places, "respondent_id"])
    place = persons["municipality_code"] if places else pd.Series("", index=persons.index)
    both = persons["wave"].groupby(place).nunique() > 1
    apart = sorted(both.index[both & ~twice.groupby(place).any()])
    if apart:
        where = f" in municipality {', '.join(map(str, apart))}" if places else ""
        raise DataError(
            f"linkage 'linked': no respondent_id of wave {before} is one of wave {after}{where}; "
            "expected the same identifiers in both waves, or 'unlinked'"
        )


def _require_linked(linkage: str, answers: pd.DataFrame, before: Any, after: Any) -> None:
    _check_linkage(linkage)
    if linkage == "unlinked":
        raise DataError(
            "linkage 'unlinked': no two answers are known to be of one person; expected linked "
            "answers, or a comparison of shares"
        )
    if linkage == "linked":
        _require_overlap(answers, before, after)


@accepts(
    answers=Rows(
        {"score": SCORE},
        ANSWERS,
        named={"by": KEY, "column": GROUP},
        once=ANSWER,
        identity="respondent_id",
        among={"first": "@column", "second": "@column"},
    ),
    crosswalk=CROSSWALK,
)
def cliffs_delta(
    answers: pd.DataFrame,
    *,
    column: str = "wave",
    first: Any = 0,
    second: Any = 1,
    by: Sequence[str] = ("municipality_code", "item"),
    interval: str = "cliff_newcombe",
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
    crosswalk: pd.DataFrame | None = None,
    scores: Sequence[float] = SCALE,
) -> pd.DataFrame:
    """Cliff's delta between two groups of answers, second against first.

    The share of pairs of one answer from each group in which the second is higher, minus the
    share in which it is lower; nothing but the order of the scale is used.

    Parameters
    ----------
    answers
        Rows of ``AnswersTable``; the groups are taken to be different persons.
    column, first, second
        The column that parts the answers, and its two values.
    by
        Columns that make a row.
    interval
        ``"cliff_newcombe"``: of Cliff's limits and Newcombe's, each time the one further out; or
        ``"cliff"``, whose limits are too narrow where nearly all answers are higher, or lower.
    confidence_levels
        Levels wanted.
    crosswalk
        What was asked where, when ``column`` is the wave; items that were not asked alike are
        refused.
    scores
        The steps of the scale, lowest first; a score between or outside them is refused.

    Returns
    -------
    DataFrame
        One row per group and level: ``first_base``, ``count`` (answers in the second group),
        ``base`` (both together), ``value`` (-1 to 1). ``missing`` with no answer in one of the
        two, ``base_too_small`` with fewer than two.

    Raises
    ------
    DataError
        If the interval is unknown, or a crosswalk is given and ``column`` is not the wave.

    References
    ----------
    Cliff (1996), Multivar. Behav. Res. 31, 331-350 (asymmetric interval from the unbiased
    variance, which is never taken to be under (1 - d^2) / (n1 n2 - 1)); Feng and Cliff (2004),
    J. Mod. Appl. Stat. Methods 3, 322-332 (Student's t); Newcombe (2006), Stat. Med. 25, 559-573,
    method 5, with the tie correction of the Mann-Whitney test.
    """
    if interval not in SUPERIORITY_INTERVALS:
        known = ", ".join(SUPERIORITY_INTERVALS)
        raise DataError(f"unknown interval {interval!r}; expected one of: {known}")
    if crosswalk is not None and column != "wave":
        raise DataError(f"a crosswalk compares waves; the answers are parted by {column}")
    levels = list(confidence_levels)
    kept, refused = comparable_over_time(answers, crosswalk, before=first, after=second, by=by)
    rows = _dominance(kept, column, first, second, by, interval, levels)
    return with_refused(rows, refused, confidence_levels=levels, by=by)


@accepts(
    answers=Rows(
        {"score": SCORE},
        ANSWERS,
        named={"by": KEY, "column": GROUP},
        once=ANSWER,
        identity="respondent_id",
        among={"first": "@column", "second": "@column"},
    ),
    crosswalk=CROSSWALK,
)
def probability_of_superiority(
    answers: pd.DataFrame,
    *,
    column: str = "wave",
    first: Any = 0,
    second: Any = 1,
    by: Sequence[str] = ("municipality_code", "item"),
    interval: str = "cliff_newcombe",
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
    crosswalk: pd.DataFrame | None = None,
    scores: Sequence[float] = SCALE,
) -> pd.DataFrame:
    """Chance that an answer from the second group is higher than one from the first.

    Ties count half; 0.5 means no difference. It is Cliff's delta on another scale, with the
    interval carried over.

    Parameters
    ----------
    answers, column, first, second, by, interval, confidence_levels, crosswalk, scores
        As in ``cliffs_delta``.

    Returns
    -------
    DataFrame
        As ``cliffs_delta``, with ``value`` and limits from 0 to 1.

    References
    ----------
    Vargha and Delaney (2000), J. Educ. Behav. Stat. 25, 101-132.
    """
    delta = cliffs_delta(
        answers,
        column=column,
        first=first,
        second=second,
        by=by,
        interval=interval,
        confidence_levels=confidence_levels,
        crosswalk=crosswalk,
        scores=scores,
    )
    halves = {name: (delta[name] + 1) / 2 for name in ("value", "lower", "upper")}
    return delta.assign(**halves)


@accepts(
    answers=Rows(
        {"wave": KEY, "respondent_id": GROUP, "score": SCORE},
        ANSWERS,
        named={"by": KEY},
        once=ANSWER,
        identity="respondent_id",
        among={"before": "wave", "after": "wave"},
    ),
    crosswalk=CROSSWALK,
)
def paired_shift(
    answers: pd.DataFrame,
    *,
    linkage: str,
    before: Any = 0,
    after: Any = 1,
    by: Sequence[str] = ("municipality_code", "item"),
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
    crosswalk: pd.DataFrame | None = None,
    scores: Sequence[float] = SCALE,
) -> pd.DataFrame:
    """How many linked persons moved up and down the scale, with Wilcoxon's signed-rank test.

    Parameters
    ----------
    answers
        Rows of ``AnswersTable``; the same ``respondent_id`` in both waves is one person.
    linkage
        ``linked`` or ``partly_linked``, as the study declares it; unlinked answers are refused.
    before, after
        The waves.
    by
        Columns that make a row.
    confidence_levels
        Levels wanted.
    crosswalk
        What was asked where; when given, items that were not asked alike are refused.
    scores
        The steps of the scale, lowest first; a score between or outside them is refused.

    Returns
    -------
    DataFrame
        One row per group and level: ``up_count``, ``down_count``, ``same_count``; ``count``
        (those who moved), ``base`` (pairs); ``value``, the share who moved up minus the share
        who moved down, with limits as if one more person had moved up and one more down, which
        keep their width where nobody moved, or everybody the same way; ``statistic`` (rank sum of
        those who moved up) and ``p_value``. Exact without ties up to 50 who moved, else normal
        with tie correction and without continuity correction. ``missing`` without a pair.

    References
    ----------
    Wilcoxon (1945), Biometrics Bull. 1, 80-83; Bonett and Price (2012), J. Educ. Behav. Stat. 37,
    479-488.
    """
    _require_linked(linkage, answers, before, after)
    levels = list(confidence_levels)
    kept, refused = comparable_over_time(answers, crosswalk, before=before, after=after, by=by)
    groups, codes, was, now = _pairs(kept, before, after, by)
    change = now - was
    n = _tally(codes, np.ones(len(codes), dtype=bool), len(groups))
    up, down = (_tally(codes, moved, len(groups)) for moved in (change > 0, change < 0))
    moved = up + down
    statistic, p_value = _signed_ranks(change, codes, len(groups))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (up - down) / n
    more = np.where(n > 0, n + 2, np.nan)  # one more up and one more down
    centre = (up - down) / more
    error = np.sqrt(((moved + 2) / more - centre**2) / more)
    shifts = groups.assign(
        up_count=up, down_count=down, same_count=n - moved, count=moved, base=n, value=value
    )
    rows = level_rows(
        shifts.assign(
            lower=np.maximum(centre - z_value(level) * error, -1),
            upper=np.minimum(centre + z_value(level) * error, 1),
            statistic=statistic,
            p_value=p_value,
            confidence_level=level,
            method="share up minus share down, Bonett and Price; Wilcoxon signed-rank test",
            reason=reason_where(n == 0),
        )
        for level in levels
    )
    return with_refused(rows, refused, confidence_levels=levels, by=by)


@accepts(
    answers=Rows(
        {"wave": KEY, "respondent_id": GROUP, "score": SCORE},
        ANSWERS,
        named={"by": KEY},
        once=ANSWER,
        identity="respondent_id",
        among={"before": "wave", "after": "wave"},
    ),
    crosswalk=CROSSWALK,
)
def mcnemar_test(
    answers: pd.DataFrame,
    *,
    linkage: str,
    before: Any = 0,
    after: Any = 1,
    by: Sequence[str] = ("municipality_code", "item"),
    agrees_from: float = AGREES_FROM,
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
    crosswalk: pd.DataFrame | None = None,
    scores: Sequence[float] = SCALE,
) -> pd.DataFrame:
    """McNemar's test of whether linked persons agree more, or less, than they did.

    Parameters
    ----------
    answers
        Rows of ``AnswersTable``; the same ``respondent_id`` in both waves is one person.
    linkage
        ``linked`` or ``partly_linked``, as the study declares it; unlinked answers are refused.
    before, after
        The waves.
    by
        Columns that make a row.
    agrees_from
        Lowest score that counts as agreement.
    confidence_levels
        Levels wanted.
    crosswalk
        What was asked where; when given, items that were not asked alike are refused.
    scores
        The steps of the scale, lowest first; a score between or outside them is refused.

    Returns
    -------
    DataFrame
        One row per group and level: ``both_count``, ``before_only_count``,
        ``after_only_count``, ``neither_count``; ``count`` (those who changed), ``base`` (pairs);
        ``value``, the change in share, with Newcombe's paired limits; ``statistic`` and
        ``p_value`` (exact binomial under 25 who changed, chi-squared without correction from
        25; ``test`` says which). ``missing`` without a pair.

    References
    ----------
    McNemar (1947), Psychometrika 12, 153-157.
    """
    _require_linked(linkage, answers, before, after)
    levels = list(confidence_levels)
    kept, refused = comparable_over_time(answers, crosswalk, before=before, after=after, by=by)
    groups, codes, first, second = _pairs(kept, before, after, by)
    cells = _paired_cells(codes, first >= agrees_from, second >= agrees_from, len(groups))
    a, b, c, d = cells.values()
    table = groups.assign(**{f"{name}_count": count.astype(int) for name, count in cells.items()})
    n, moved = a + b + c + d, b + c
    exact = np.minimum(1.0, 2 * stats.binom.cdf(np.minimum(b, c), moved, 0.5))
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (c - b) / n
        chi_squared = np.where(moved > 0, (b - c) ** 2 / moved, np.nan)
    small = moved < EXACT_UNDER
    p_value = np.where(small, exact, stats.chi2.sf(chi_squared, 1))
    blocks = []
    for level in levels:
        lower, upper = newcombe_paired_interval(a, c, b, d, confidence_level=level)
        blocks.append(
            table.assign(
                count=moved,
                base=n,
                value=value,
                lower=lower,
                upper=upper,
                confidence_level=level,
                statistic=np.where(n > 0, np.where(small, np.minimum(b, c), chi_squared), np.nan),
                p_value=np.where(n > 0, p_value, np.nan),
                test=np.where(small, "exact binomial", "chi-squared"),
                method="Newcombe, paired shares; McNemar",
                reason=reason_where(n == 0),
            )
        )
    return with_refused(level_rows(blocks), refused, confidence_levels=levels, by=by)


@accepts(
    answers=Rows(
        maybe=ANSWERS,
        named={"outcome": NUMBER, "covariates": GROUP, "cluster": GROUP},
        once=ANSWER,
        identity="respondent_id",
    ),
    crosswalk=CROSSWALK,
)
def ordinal_regression(
    answers: pd.DataFrame,
    *,
    covariates: Sequence[str],
    outcome: str = "score",
    cluster: str | None = None,
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
    smallest_cluster_count: int = 10,
    crosswalk: pd.DataFrame | None = None,
    before: Any = 0,
    after: Any = 1,
) -> pd.DataFrame:
    """Proportional-odds regression of an answer on background and wave.

    Parameters
    ----------
    answers
        One row per answer with ``outcome`` and the covariates. Text becomes indicator
        columns against its first value in sorted order; numbers and yes-or-no stay as they are.
    covariates
        Columns to adjust for, the one of interest among them.
    outcome
        The ordinal answer.
    cluster
        Column of services or workplaces, when the limits are to allow for answers that go
        together there.
    confidence_levels
        Levels wanted.
    smallest_cluster_count
        Clusters needed; with fewer all values are withheld as ``too_few_clusters``.
    crosswalk, before, after
        What was asked where, and the waves compared; when given, only answers of these waves
        to items that were asked alike in both are used, and every item that was not has a
        row, by municipality, with its reason and without ``term``.

    Returns
    -------
    DataFrame
        One row per ``term`` and level: ``value`` and limits (log odds of a higher answer),
        ``odds_ratio``, ``p_value``, ``standard_error``, ``count`` (answers on which the term
        is not 0), ``base`` (answers used). With clusters, limits and p-value are Student's t
        with clusters minus one degrees of freedom. All values are withheld: ``missing``
        without an answer to use; ``base_too_small`` with fewer than ten per coefficient or an
        outcome that does not vary; ``design_cannot_answer`` where a term does not vary, the
        terms cannot be told apart, they part the answers without overlap (the odds are then
        endless), or no estimate was reached.

    References
    ----------
    McCullagh (1980), J. R. Stat. Soc. B 42, 109-142; Kosmidis (2014), J. R. Stat. Soc. B 76,
    169-196, for endless odds.
    """
    levels = list(confidence_levels)
    refused = None
    if crosswalk is not None:
        of_waves = answers.loc[answers["wave"].isin([before, after])]
        answers, refused = comparable_over_time(of_waves, crosswalk, before=before, after=after)
    used = answers[[outcome, *covariates, *([cluster] if cluster else [])]].dropna()
    design = _design(used, covariates)
    reason, fit = _why_no_regression(design, used[outcome]), None
    if reason is None and cluster and used[cluster].nunique() < smallest_cluster_count:
        reason = "too_few_clusters"
    if reason is None:
        groups = pd.factorize(used[cluster])[0] if cluster else None
        fit = _proportional_odds(design, used[outcome], groups)
        reason = "design_cannot_answer" if fit is None else None
    if fit is None:
        fit = dict.fromkeys(("value", "standard_error", "t_freedom"), np.nan)
    robust = f", robust to clusters of {cluster}, Student's t" if cluster else ""
    value, error, freedom = fit["value"], fit["standard_error"], fit["t_freedom"]
    terms = pd.DataFrame({"term": design.columns.astype(object)}).assign(
        count=(design != 0).sum().to_numpy(), base=len(used), value=value
    )
    blocks = []
    for level in levels:
        half = stats.t.ppf((1 + level) / 2, freedom) * error
        blocks.append(
            terms.assign(
                lower=value - half,
                upper=value + half,
                confidence_level=level,
                odds_ratio=np.exp(value),
                standard_error=error,
                p_value=2 * stats.t.sf(np.abs(value / error), freedom),
                method=f"proportional odds{robust}",
                reason=reason,
            )
        )
    rows = level_rows(blocks)
    if refused is None:
        return rows
    return with_refused(
        rows.assign(municipality_code=None, item=None),
        refused,
        confidence_levels=levels,
        by=("municipality_code", "item", "term"),
    )


def _design(used: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    """Columns of the regression; text of one value keeps a column, to be refused by name."""
    columns = []
    for name in covariates:
        values = used[name]
        number = pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values)
        if not number and values.nunique() > 1:
            columns.append(pd.get_dummies(values, prefix=name, drop_first=True, dtype=float))
        elif number:
            columns.append(values.astype(float).to_frame())
        else:
            columns.append(pd.Series(1.0, index=used.index, name=name).to_frame())
    return pd.concat(columns, axis=1)


def _why_no_regression(design: pd.DataFrame, outcome: pd.Series) -> str | None:
    """The reason for which a proportional-odds model has no answer, or None."""
    steps, position = np.unique(outcome, return_inverse=True)
    parameters = design.shape[1] + len(steps) - 1
    if outcome.empty:
        return "missing"
    if len(steps) < 2 or len(outcome) < ANSWERS_PER_TERM * parameters:
        return "base_too_small"
    spread = design.std(ddof=0)
    if (spread <= 1e-12 * design.abs().max()).any():
        return "design_cannot_answer"
    standard = ((design - design.mean()) / spread).to_numpy()
    if np.linalg.matrix_rank(standard) < design.shape[1] or _parted(standard, position):
        return "design_cannot_answer"
    return None


def _parted(design: np.ndarray, position: np.ndarray) -> bool:
    """Whether some mix of the terms parts the answers, so that the likelihood has no maximum.

    It has none when thresholds and coefficients can be moved in a direction that takes no
    answer away from its own step: a linear programme over directions.
    """
    rows = np.unique(np.column_stack([position, design]), axis=0)
    step, terms = rows[:, 0].astype(int), rows[:, 1:]
    thresholds = np.eye(step.max())
    below = step < step.max()  # answers under their upper threshold, and those above a lower one
    room = np.vstack(
        [
            np.column_stack([thresholds[step[below]], -terms[below]]),
            np.column_stack([-thresholds[step[step > 0] - 1], terms[step > 0]]),
        ]
    )
    found = optimize.linprog(
        -room.sum(axis=0), A_ub=-room, b_ub=np.zeros(len(room)), bounds=(-1, 1), method="highs"
    )
    return not found.success or -found.fun > 1e-6


def _proportional_odds(
    design: pd.DataFrame, outcome: pd.Series, groups: np.ndarray | None
) -> dict[str, Any] | None:
    """Coefficients, errors and degrees of freedom; None where no estimate was reached.

    The columns are standardised for the search, which otherwise stops early on years or sums.
    """
    spread = design.std(ddof=0)
    standard = ((design - design.mean()) / spread).to_numpy()
    model = OrderedModel(np.unique(outcome, return_inverse=True)[1], standard, distr="logit")
    robust = {} if groups is None else {"cov_type": "cluster", "cov_kwds": {"groups": groups}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they warn of is refused below
        fit = model.fit(method="bfgs", maxiter=500, disp=False, gtol=1e-8, **robust)
    value, error = (np.asarray(x)[: design.shape[1]] / spread for x in (fit.params, fit.bse))
    if not (fit.mle_retvals["converged"] and np.isfinite(value).all() and (error > 0).all()):
        return None
    freedom = np.inf if groups is None else groups.max()
    return {
        "value": value.to_numpy(),
        "standard_error": error.to_numpy(),
        "t_freedom": freedom,
    }


def _invited_and_answered(
    surveys: pd.DataFrame, by: Sequence[str]
) -> tuple[pd.DataFrame, pd.Series]:
    """Invited and answered per group, blank where a number is, and where both are known."""
    names = ["answered_count", "invited_count"]
    totals = surveys.groupby(list(by), as_index=False, dropna=False)[names].agg(
        lambda column: column.sum(skipna=False)
    )
    known = totals[names].notna().all(axis=1)
    over = known & (totals["answered_count"] > totals["invited_count"])
    if over.any():
        group = totals.loc[over, list(by)].iloc[0].to_dict()
        raise DataError(f"more answered than were invited in {group}")
    return totals, known


def _with_population(
    counts: pd.DataFrame, population: pd.DataFrame, by: Sequence[str]
) -> pd.DataFrame:
    """The counts with the population that each group's persons were invited from."""
    keys = [name for name in by if name in population]
    merged = counts.merge(
        population[[*keys, "population_count"]], on=keys, how="left", validate="many_to_one"
    )
    if merged["population_count"].isna().any():
        raise DataError("population_count is missing for some groups of the answers")
    return merged


def _tallies(
    answers: pd.DataFrame,
    before: Any,
    after: Any,
    by: Sequence[str],
    agrees_from: float,
    *,
    linked: bool,
) -> pd.DataFrame:
    """Per group: counts and bases of both waves, and the four cells of those in both."""
    in_waves = answers.loc[answers["wave"].isin([before, after])]
    groups, codes = grouped(in_waves, by)
    score = in_waves["score"].to_numpy(dtype=float)
    given, agreed = ~np.isnan(score), score >= agrees_from
    is_before = (in_waves["wave"] == before).to_numpy()
    size = len(groups)

    def tally(rows: np.ndarray) -> np.ndarray:
        return _tally(codes, rows, size).astype(float)

    table = groups.assign(
        before_count=tally(given & is_before & agreed),
        before_base=tally(given & is_before),
        after_count=tally(given & ~is_before & agreed),
        after_base=tally(given & ~is_before),
    )
    first = second = np.zeros(0, dtype=int)
    if linked:
        first, second = _places_of_pairs(in_waves["respondent_id"], codes, given, is_before)
    cells = _paired_cells(codes[first], agreed[first], agreed[second], size)
    table = table.assign(**cells)
    pairs = table[list(cells)].sum(axis=1)
    smaller = table[["before_base", "after_base"]].min(axis=1)
    share = pairs / smaller.where(smaller > 0)
    return table.assign(
        linked_count=pairs if linked else np.nan, linkage_share=share if linked else np.nan
    )


def _change_at(
    tallies: pd.DataFrame, linkage: str, level: float, design_effect: float
) -> pd.DataFrame:
    """Change, limits and method at one confidence level."""
    chosen = {"confidence_level": level, "design_effect": design_effect}
    finite = "before_population" in tallies
    persons_1, persons_2 = (
        tallies[name].to_numpy(dtype=float) if finite else None
        for name in ("before_population", "after_population")
    )
    cells = [tallies[name].to_numpy() for name in ("both", "before_only", "after_only", "neither")]
    a, b, c, d = cells
    k1, n1 = tallies["before_count"].to_numpy(), tallies["before_base"].to_numpy()
    k2, n2 = tallies["after_count"].to_numpy(), tallies["after_base"].to_numpy()
    extra = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        if linkage == "linked":
            n = a + b + c + d
            value, count, base = (c - b) / n, a + c, n
            lower, upper = newcombe_paired_interval(
                *(a, c, b, d),
                population_count=np.minimum(persons_1, persons_2) if finite else None,
                **chosen,
            )
            method = "Newcombe, paired shares"
        else:
            value, count, base = k2 / n2 - k1 / n1, k2, n2
            lower, upper = newcombe_difference_interval(
                *(k2, n2, k1, n1),
                population_count_1=persons_2,
                population_count_2=persons_1,
                **chosen,
            )
            method = "Newcombe, independent shares"
        if linkage == "partly_linked":
            limits_1 = wilson_interval(k1, n1, **chosen)
            limits_2 = wilson_interval(k2, n2, **chosen)
            candidates = [
                square_and_add(k2 / n2, limits_2, k1 / n1, limits_1, correlation=r)
                for r in _possible_correlations(cells, k1, n1, k2, n2)
            ]
            width = np.array([high - low for low, high in candidates])
            lows = np.array([low for low, _ in candidates])
            highs = np.array([high for _, high in candidates])
            lower, upper = lows.min(axis=0), highs.max(axis=0)
            tightest = np.argmin(np.where(np.isnan(width), np.inf, width), axis=0)
            columns = np.arange(len(k1))
            extra = {
                "narrowest_lower": lows[tightest, columns],
                "narrowest_upper": highs[tightest, columns],
            }
            method = "Newcombe, widest over the possible overlap"
    method += ", finite population" if finite else ""
    method += "" if design_effect == 1.0 else f", design effect {design_effect:.3g}"
    table = tallies.drop(columns=["both", "before_only", "after_only", "neither"])
    if linkage == "linked":
        extra |= {"before_only_count": b, "after_only_count": c}
    changes = table.assign(
        count=count, base=base, value=value, lower=lower, upper=upper, **extra
    ).assign(confidence_level=level, method=method)
    return changes.assign(reason=reason_where(changes["value"].isna()))


def _possible_correlations(
    cells: list[np.ndarray], k1: np.ndarray, n1: np.ndarray, k2: np.ndarray, n2: np.ndarray
) -> list[np.ndarray]:
    """Correlations between the two shares at the ends of what the unknown overlap allows.

    ``m`` persons in both waves whose answers correlate by phi give the shares the correlation
    ``phi * m / sqrt(n1 * n2)``. At least the linked persons overlap, at most the smaller wave.
    Phi is that of the linked persons where there are enough, else anything the shares allow.
    """
    linked = sum(cells)
    fewest, most = linked, np.minimum(n1, n2)
    p1, p2 = k1 / n1, k2 / n2
    spread = np.sqrt(p1 * (1 - p1) * p2 * (1 - p2))
    highest = np.where(spread > 0, (np.minimum(p1, p2) - p1 * p2) / spread, 0.0)
    lowest = np.where(spread > 0, (np.maximum(p1 + p2 - 1, 0) - p1 * p2) / spread, 0.0)
    known = linked >= ENOUGH_PAIRS
    observed = np.asarray(phi_coefficient(*cells))
    phis = (np.where(known, observed, lowest), np.where(known, observed, highest))
    return [phi * m / np.sqrt(n1 * n2) for phi in phis for m in (fewest, most)]


def _pairs(
    answers: pd.DataFrame, before: Any, after: Any, by: Sequence[str]
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray]:
    """The groups; each pair's group; its score before; its score after."""
    in_waves = answers.loc[answers["wave"].isin([before, after])]
    groups, codes = grouped(in_waves, by)
    score = in_waves["score"].to_numpy(dtype=float)
    is_before = (in_waves["wave"] == before).to_numpy()
    first, second = _places_of_pairs(in_waves["respondent_id"], codes, ~np.isnan(score), is_before)
    return groups, codes[first], score[first], score[second]


def _places_of_pairs(
    persons: pd.Series, codes: np.ndarray, given: np.ndarray, is_before: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the two answers of each person and group stand, first wave and second wave."""
    numbers = pd.factorize(persons)[0].astype(np.int64)
    key = codes.astype(np.int64) * (numbers.max(initial=0) + 1) + numbers
    named = given & (numbers >= 0)
    first, second = np.flatnonzero(named & is_before), np.flatnonzero(named & ~is_before)
    if any((np.diff(np.sort(key[rows])) == 0).any() for rows in (first, second)):
        raise DataError(
            "answers: a respondent has several answers in a wave and row of the result; expected "
            "one: put what tells them apart, such as item, in by"
        )
    _, place_1, place_2 = np.intersect1d(
        key[first], key[second], assume_unique=True, return_indices=True
    )
    return first[place_1], second[place_2]


def _tally(codes: np.ndarray, counted: np.ndarray, size: int) -> np.ndarray:
    """How many of each group are counted."""
    return np.bincount(codes[counted], minlength=size)


def _paired_cells(
    codes: np.ndarray, was: np.ndarray, now: np.ndarray, size: int
) -> dict[str, np.ndarray]:
    """Pairs of every group by whether they agreed before and after."""
    kinds = {"both": was & now, "before_only": was & ~now, "after_only": ~was & now}
    kinds["neither"] = ~was & ~now
    return {name: _tally(codes, rows, size).astype(float) for name, rows in kinds.items()}


def _signed_ranks(
    change: np.ndarray, codes: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rank sum of the rises and Wilcoxon's p value, for all groups at once."""
    codes, change = codes[change != 0], change[change != 0]
    height = np.abs(change)
    order = np.lexsort((height, codes))
    ordered_codes, ordered = codes[order], height[order]
    fresh = np.ones(len(order), dtype=bool)  # the first of every run of equal changes in a group
    fresh[1:] = (np.diff(ordered_codes) != 0) | (np.diff(ordered) != 0)
    run = np.cumsum(fresh) - 1
    tied = np.bincount(run).astype(float)
    moved = np.bincount(codes, minlength=size).astype(float)
    before = np.concatenate([[0.0], moved.cumsum()[:-1]])  # changes in the groups before
    start = np.flatnonzero(fresh)
    rank = (start - before[ordered_codes[start]] + (tied + 1) / 2)[run]
    rise = np.bincount(ordered_codes, rank * (change[order] > 0), minlength=size)
    ties = np.bincount(ordered_codes[start], tied**3 - tied, minlength=size)
    expected = moved * (moved + 1) / 4
    variance = moved * (moved + 1) * (2 * moved + 1) / 24 - ties / 48
    with np.errstate(invalid="ignore", divide="ignore"):
        p_value = 2 * stats.norm.sf(np.abs(rise - expected) / np.sqrt(variance))
    for group in np.flatnonzero((moved > 0) & (moved <= EXACT_RANKS) & (ties == 0)):
        p_value[group] = stats.wilcoxon(change[codes == group], method="exact").pvalue
    return np.where(moved > 0, rise, np.nan), np.where(moved > 0, p_value, np.nan)


def _dominance(
    answers: pd.DataFrame,
    column: str,
    first: Any,
    second: Any,
    by: Sequence[str],
    interval: str,
    confidence_levels: Iterable[float],
) -> pd.DataFrame:
    """Cliff's delta of every group from its tables of scores, all groups in one pass."""
    asked = answers.loc[answers[column].isin([first, second])]
    groups, codes = grouped(asked, by)
    given = asked["score"].notna().to_numpy()
    chosen, codes = asked.loc[given], codes[given]
    step, steps = numbered(chosen["score"])
    in_second = (chosen[column] == second).to_numpy()
    size = len(groups) * len(steps)
    place = codes * len(steps) + step
    table_1, table_2 = (
        np.bincount(place[rows], minlength=size).reshape(len(groups), len(steps)).astype(float)
        for rows in (~in_second, in_second)
    )
    n1, n2 = table_1.sum(axis=1), table_2.sum(axis=1)
    fewest = np.minimum(n1, n2)
    with np.errstate(invalid="ignore", divide="ignore"):
        delta, variance = _delta_and_variance(table_1, table_2)
        tied = ((table_1 + table_2) ** 3 - (table_1 + table_2)).sum(axis=1)
        tie_factor = 1 - tied / ((n1 + n2) ** 3 - (n1 + n2))
    blocks = []
    for level in confidence_levels:
        with np.errstate(invalid="ignore", divide="ignore"):
            lower, upper = _cliffs_limits(delta, variance, n1, n2, level)
        if interval == "cliff_newcombe":
            shares = newcombe_superiority_interval(
                (delta + 1) / 2, n1, n2, tie_factor=tie_factor, confidence_level=level
            )
            lower, upper = (
                np.minimum(lower, 2 * shares[0] - 1),
                np.maximum(upper, 2 * shares[1] - 1),
            )
        block = groups.assign(
            first_base=n1,
            count=n2,
            base=n1 + n2,
            value=delta,
            lower=lower,
            upper=upper,
            confidence_level=level,
            method=SUPERIORITY_INTERVALS[interval],
            reason=reason_where(fewest == 0),
        )
        blocks.append(withhold(block, pd.Series(fewest < 2, index=block.index), "base_too_small"))
    return level_rows(blocks)


def _cliffs_limits(delta, variance, n1, n2, level) -> tuple[np.ndarray, np.ndarray]:
    """Cliff's asymmetric limits, with Student's t."""
    pairs = n1 * n2
    inner = np.where(np.abs(delta) == 1, delta * (pairs - 1) / pairs, delta)
    t = stats.t.ppf((1 + level) / 2, n1 + n2 - 2)
    root = t * np.sqrt(variance) * np.sqrt((1 - inner**2) ** 2 + t**2 * variance)
    below = 1 - inner**2 + t**2 * variance
    lower = np.where(delta == -1, -1.0, (inner - inner**3 - root) / below)
    upper = np.where(delta == 1, 1.0, (inner - inner**3 + root) / below)
    return lower, upper


def _delta_and_variance(table_1: np.ndarray, table_2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Delta (second over first) and its unbiased variance from tables of group by score.

    The unbiased variance may come out at nought or below; (1 - d^2) / (n1 n2 - 1) is its floor.
    """
    n1, n2 = table_1.sum(axis=1), table_2.sum(axis=1)
    steps = table_1.shape[1]
    sign = np.sign(np.subtract.outer(np.arange(steps), np.arange(steps)))
    of_second = table_1 @ sign.T / n1[:, None]  # how a second answer at each step stands
    of_first = table_2 @ sign / n2[:, None]  # how a first answer at each step is stood against
    delta = (of_second * table_2).sum(axis=1) / n2
    inner = np.where(np.abs(delta) == 1, delta * (n1 * n2 - 1) / (n1 * n2), delta)
    rows = (table_2 * (of_second - inner[:, None]) ** 2).sum(axis=1)
    columns = (table_1 * (of_first - inner[:, None]) ** 2).sum(axis=1)
    squares = (sign[None, :, :] - inner[:, None, None]) ** 2
    cells = (table_2[:, :, None] * table_1[:, None, :] * squares).sum(axis=(1, 2))
    variance = (n1**2 * rows + n2**2 * columns - cells) / (n1 * n2 * (n1 - 1) * (n2 - 1))
    return delta, np.maximum(variance, (1 - inner**2) / (n1 * n2 - 1))
