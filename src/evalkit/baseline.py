"""Baseline surveys as they were published: response, results, and what they can be compared with."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evalkit.municipalities import named_rows
from evalkit.uncertainty import possible_counts, wilson_interval

__all__ = ["published_results", "survey_comparability", "survey_response", "withheld_results"]


def decimals_of(percentages: pd.Series) -> pd.Series:
    """How many decimals published percentages are given with."""
    return percentages.map(
        lambda p: (
            0 if pd.isna(p) else len(np.format_float_positional(p, trim="-").partition(".")[2])
        )
    )


def counts_behind(percentages: pd.Series, bases: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Smallest and largest count that a published percentage of a base can stand for."""
    lowest = pd.Series(np.nan, index=percentages.index)
    highest = lowest.copy()
    decimals = decimals_of(percentages)
    usable = percentages.notna() & bases.notna()
    for number in decimals[usable].unique():
        chosen = usable & (decimals == number)
        least, most = possible_counts(percentages[chosen], bases[chosen], decimals=int(number))
        lowest[chosen], highest[chosen] = least, most
    return lowest, highest


def widest_wilson(
    lowest: pd.Series, highest: pd.Series, lowest_base: pd.Series, highest_base: pd.Series
) -> tuple[pd.Series, pd.Series]:
    """Wilson limits that hold whichever of the possible counts and bases is the true one."""
    known = lowest.notna() & highest.notna() & lowest_base.notna() & highest_base.notna()
    known &= lowest_base > 0
    lower = pd.Series(np.nan, index=lowest.index)
    upper = lower.copy()
    if known.any():
        lower[known] = wilson_interval(lowest[known], highest_base[known])[0]
        upper[known] = wilson_interval(highest[known], lowest_base[known])[1]
    return lower, upper


def survey_response(surveys: pd.DataFrame, *, municipalities: pd.DataFrame) -> pd.DataFrame:
    """Response rates of published surveys, with the uncertainty that the publication leaves.

    The limits treat answering as the chance event; the rate itself is counted, not estimated.
    Where only a rounded percentage and one of the two counts are published, the limits are the
    widest that any possible count allows.

    Parameters
    ----------
    surveys
        Rows of ``SurveysTable``.
    municipalities
        Rows of ``MunicipalitiesTable``.

    Returns
    -------
    DataFrame
        The columns of ``surveys`` with ``municipality_name``; ``response_rate``,
        ``lower_share`` and ``upper_share`` (0 to 1; 95 % Wilson), ``method`` (``Wilson``,
        ``Wilson, over the possible counts`` or missing) and ``reason`` (``missing`` without a
        rate or without any count).

    References
    ----------
    Wilson (1927), J. Am. Stat. Assoc. 22, 209-212; Brown and Heathers (2017), Soc. Psychol.
    Personal. Sci. 8, 363-369, for the counts behind a percentage.
    """
    rows = named_rows(surveys, municipalities)
    invited, answered = rows["invited_count"], rows["answered_count"]
    percent = rows["response_rate_percent"]
    counted = invited.notna() & answered.notna() & (invited >= answered) & (invited > 0)
    rate = (answered / invited).where(counted, percent / 100)

    of_invited = counts_behind(percent, invited)
    lowest = answered.where(counted, of_invited[0])
    highest = answered.where(counted, of_invited[1])
    lowest_base = highest_base = invited
    backwards = invited.isna() & answered.notna() & percent.notna() & (percent > 0)
    half = 0.5 * 10.0 ** -decimals_of(percent)
    most = np.floor(100 * answered / (percent - half) + 1e-9)
    least = np.maximum(np.ceil(100 * answered / (percent + half) - 1e-9), answered)
    lowest, highest = lowest.where(~backwards, answered), highest.where(~backwards, answered)
    lowest_base = lowest_base.where(~backwards, least)
    highest_base = highest_base.where(~backwards, most)
    lower, upper = widest_wilson(lowest, highest, lowest_base, highest_base)

    method = np.select(
        [counted, lower.notna()], ["Wilson", "Wilson, over the possible counts"], default=None
    )
    return rows.assign(
        response_rate=rate,
        lower_share=lower,
        upper_share=upper,
        method=pd.Series(method, index=rows.index, dtype=object),
        reason=pd.Series(np.where(lower.isna(), "missing", None), index=rows.index, dtype=object),
    )


def published_results(
    survey_results: pd.DataFrame, *, surveys: pd.DataFrame, smallest_count: int = 5
) -> pd.DataFrame:
    """Published results with the interval that count, percentage and base allow.

    Parameters
    ----------
    survey_results
        Rows of ``SurveyResultsTable``. A result without its own base stays without an interval.
    surveys
        Rows of ``SurveysTable``; results of other surveys are left out.
    smallest_count
        As for ``withheld_results``.

    Returns
    -------
    DataFrame
        In the surveys' order: the columns of ``survey_results`` with ``survey_title``,
        ``municipality_code``; ``withheld`` (from ``withheld_results``); ``share``, ``lower_share``, ``upper_share`` (0 to 1; 95 %
        Wilson), ``method`` and ``reason`` as in ``survey_response``.

    References
    ----------
    Wilson (1927); Brown and Heathers (2017).
    """
    titles = surveys[["survey_id", "title", "municipality_code"]].rename(
        columns={"title": "survey_title"}
    )
    place = {survey: number for number, survey in enumerate(surveys["survey_id"])}
    rows = survey_results.merge(titles, on="survey_id", how="inner", validate="many_to_one")
    rows = (
        rows.assign(place=rows["survey_id"].map(place))
        .sort_values(["place", "position"], kind="stable")
        .drop(columns="place")
        .reset_index(drop=True)
    )
    counted = (
        rows["count"].notna() & (rows["base_count"] > 0) & (rows["count"] <= rows["base_count"])
    )
    behind = counts_behind(rows["share_percent"], rows["base_count"])
    lowest = rows["count"].where(counted, behind[0])
    highest = rows["count"].where(counted, behind[1])
    lower, upper = widest_wilson(lowest, highest, rows["base_count"], rows["base_count"])
    method = np.select(
        [counted, lower.notna()], ["Wilson", "Wilson, over the possible counts"], default=None
    )
    return rows.assign(
        withheld=withheld_results(rows, smallest_count=smallest_count),
        share=(rows["count"] / rows["base_count"]).where(counted, rows["share_percent"] / 100),
        lower_share=lower,
        upper_share=upper,
        method=pd.Series(method, index=rows.index, dtype=object),
        reason=pd.Series(np.where(lower.isna(), "missing", None), index=rows.index, dtype=object),
    )


def withheld_results(results: pd.DataFrame, *, smallest_count: int = 5) -> pd.Series:
    """Why some published results of surveys may not be shown.

    A share beside its base tells the count. A group's result is hidden too where it, taken from
    the result for all, leaves few persons; and where all groups but one, or all answers but one,
    would give a hidden one away. Groups whose bases add up to more than those of all overlap, and
    are held against all one by one.

    Parameters
    ----------
    results
        Rows of ``SurveyResultsTable``.
    smallest_count
        Smallest count of persons, and smallest base, that may be shown.

    Returns
    -------
    Series
        ``too_few``, ``base_too_small`` or ``can_be_derived``; missing where the result may be
        shown.
    """
    base = results["base_count"].astype(float)
    count = results["count"].fillna((results["share_percent"] * base / 100).round()).astype(float)
    few, few_asked = (_some_but_few(number, smallest_count) for number in (count, base))
    reason = pd.Series(np.select([few_asked, few], ["base_too_small", "too_few"], default=None))
    pieces = pd.DataFrame({"count": count, "base": base}).reset_index(drop=True)
    about = results[["survey_id", "item", "group", "answer"]].fillna("").reset_index(drop=True)
    known = pieces.notna().all(axis=1)
    pieces, about = pieces.loc[known], about.loc[known]
    hidden = set(reason.index[reason.notna()])
    size = -1
    while size < len(hidden):
        size = len(hidden)
        for _, rows in about.groupby(["survey_id", "item", "answer"]):
            everyone = rows.index[rows["group"] == ""]
            groups = pieces.loc[rows.index[rows["group"] != ""]]
            if len(everyone) == 1 and len(groups) and not hidden & set(everyone):
                hidden |= _given_away(pieces.loc[everyone[0]], groups, hidden, smallest_count)
        for _, rows in about.groupby(["survey_id", "item", "group"]):
            answers = pieces.loc[rows.index].assign(base=0.0)
            whole = pd.Series({"count": pieces.loc[rows.index[0], "base"], "base": 0.0})
            one_each = answers["count"].sum() <= whole["count"] + 1  # else several answers apiece
            if one_each and len(rows) > 1 and hidden & set(rows.index):
                hidden |= _completed(whole, answers, hidden & set(rows.index), smallest_count)
    derived = reason.index.isin(hidden) & reason.isna()
    return reason.mask(derived, "can_be_derived").set_axis(results.index).astype(object)


def _some_but_few(number, smallest_count: int):
    return (number > 0) & (number < smallest_count)


def _given_away(everyone, groups, hidden: set, smallest_count: int) -> set:
    """Groups to hide, besides those hidden, so that no few are left between them and everyone."""
    rest = _some_but_few(everyone - groups, smallest_count).any(axis=1)
    found = {*groups.index[rest]} | (hidden & {*groups.index})
    if groups["base"].sum() > everyone["base"]:
        return found
    return _completed(everyone, groups, found, smallest_count)


def _completed(whole, parts, hidden: set, smallest_count: int) -> set:
    """The hidden parts and as many more, the smallest first, as keep each of them unknown."""
    found = set(hidden)
    unpublished = bool((whole > parts.sum() + 1).any())  # persons in none of the parts; 1: rounding
    for part in parts.sort_values(["count", "base"]).index:
        left = whole - parts.loc[~parts.index.isin(found)].sum()
        alone = len(found) + unpublished == 1 and found
        if not alone and not _some_but_few(left, smallest_count).any():
            break
        found.add(part)
    return found


COMPARED = {
    "kind": "different_kind",
    "population": "different_population",
    "mode": "different_mode",
    "provider": "different_provider",
}


def survey_comparability(
    surveys: pd.DataFrame, *, survey_results: pd.DataFrame, municipalities: pd.DataFrame
) -> pd.DataFrame:
    """Which published surveys may be compared with which, and what stands in the way.

    Two comparisons are asked for: a wave with the one that it repeats, and the municipalities'
    baselines with one another. They are allowed where both are surveys of the same kind, to the
    same sort of people, in the same way, and the publications share at least one question, word
    for word and with the same answer counted. A blank population or mode stands in nobody's way.

    Parameters
    ----------
    surveys, survey_results
        Rows of ``SurveysTable`` and ``SurveyResultsTable``.
    municipalities
        Rows of ``MunicipalitiesTable``.

    Returns
    -------
    DataFrame
        One row per pair, and one for each baseline that nobody repeated: ``comparison``
        (``over_time`` or ``between_municipalities``), ``survey_id``, ``title``,
        ``municipality_code``, ``municipality_name``, and the same with ``other_`` (missing
        where there is none); ``shared_item_count``; ``comparable``; ``reasons`` (codes:
        ``not_repeated``, ``different_kind``, ``different_population``, ``different_mode``,
        ``different_provider``, ``no_shared_items``, ``no_published_items``), joined by ``; ``; ``source``, ``locator``
        and ``other_source``, ``other_locator``. A different provider is told, but forbids nothing.
    """
    rows = named_rows(surveys, municipalities)
    asked = {
        survey: set(zip(group["item"], group["answer"].fillna(""), strict=True))
        for survey, group in survey_results.loc[
            survey_results["share_percent"].notna() | survey_results["count"].notna()
        ].groupby("survey_id")
    }
    by_id = {row.survey_id: row for row in rows.itertuples()}
    pairs = []
    for row in rows.itertuples():
        if isinstance(row.follows, str) and row.follows in by_id:
            pairs.append(("over_time", by_id[row.follows], row))
    followed = set(rows["follows"].dropna())
    baselines = rows.loc[rows["wave"] == 0]
    for row in baselines.itertuples():
        if row.survey_id not in followed:
            pairs.append(("over_time", row, None))
    baseline_rows = list(baselines.itertuples())
    for number, row in enumerate(baseline_rows):
        for other in baseline_rows[number + 1 :]:
            if other.municipality_code != row.municipality_code:
                pairs.append(("between_municipalities", row, other))
    found = [compared_pair(kind, row, other, asked) for kind, row, other in pairs]
    return pd.DataFrame(found, columns=COMPARABILITY_COLUMNS)


COMPARABILITY_COLUMNS = [
    "comparison",
    "survey_id",
    "title",
    "municipality_code",
    "municipality_name",
    "other_survey_id",
    "other_title",
    "other_municipality_code",
    "other_municipality_name",
    "shared_item_count",
    "comparable",
    "reasons",
    "source",
    "locator",
    "other_source",
    "other_locator",
]


def compared_pair(comparison: str, row, other, asked: dict[str, set]) -> tuple:
    """One row of ``survey_comparability``."""
    own = (row.survey_id, row.title, row.municipality_code, row.municipality_name)
    if other is None:
        return (
            comparison,
            *own,
            *(None,) * 4,
            0,
            False,
            "not_repeated",
            row.source,
            row.locator,
            None,
            None,
        )
    different = [
        code
        for column, code in COMPARED.items()
        if isinstance(getattr(row, column), str)
        and isinstance(getattr(other, column), str)
        and getattr(row, column) != getattr(other, column)
    ]
    one, two = asked.get(row.survey_id, set()), asked.get(other.survey_id, set())
    shared = len(one & two)
    if not one or not two:
        different.append("no_published_items")
    elif not shared:
        different.append("no_shared_items")
    return (
        comparison,
        *own,
        other.survey_id,
        other.title,
        other.municipality_code,
        other.municipality_name,
        shared,
        not set(different) - {"different_provider"},
        "; ".join(different),
        row.source,
        row.locator,
        other.source,
        other.locator,
    )
