"""Baseline surveys as they were published: response, results, and what they can be compared with."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evalkit.disclosure import CountTable, Relation, primary_reasons, protect
from evalkit.municipalities import named_rows
from evalkit.small_counts import is_small
from evalkit.uncertainty import possible_counts, wilson_interval

__all__ = ["published_results", "survey_comparability", "survey_response", "withheld_results"]

ROUNDED = 1.0  # how far counts told by rounded percentages may be from adding up


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


def survey_response(
    surveys: pd.DataFrame, *, municipalities: pd.DataFrame, smallest_count: int = 5
) -> pd.DataFrame:
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
    smallest_count
        Smallest count of persons invited, and of persons who answered, that may be shown. That
        somebody did not respond is no answer: few who did not are no reason to hide.

    Returns
    -------
    DataFrame
        The columns of ``surveys`` with ``municipality_name`` and ``withheld`` (``too_few`` where
        persons are too few, and the numbers are missing); ``response_rate``,
        ``lower_share`` and ``upper_share`` (0 to 1; 95 % Wilson), ``method`` (``Wilson``,
        ``Wilson, over the possible counts`` or missing) and ``reason`` (``missing`` without a
        rate or without any count).

    References
    ----------
    Wilson (1927), J. Am. Stat. Assoc. 22, 209-212; Brown and Heathers (2017), Soc. Psychol.
    Personal. Sci. 8, 363-369, for the counts behind a percentage.
    """
    rows = named_rows(surveys, municipalities)
    told = rows["answered_count"].fillna(
        (rows["response_rate_percent"] * rows["invited_count"] / 100).round()
    )
    few_asked = is_small(rows["invited_count"], smallest_count)
    few = is_small(told, smallest_count) | few_asked
    rows = rows.assign(
        invited_count=rows["invited_count"].mask(few_asked),
        answered_count=rows["answered_count"].mask(few),
        response_rate_percent=rows["response_rate_percent"].mask(few),
        withheld=pd.Series(np.where(few, "too_few", None), index=rows.index, dtype=object),
    )
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
        ``municipality_code``; ``withheld`` and ``base_withheld`` (from
        ``withheld_results``); ``share``, ``lower_share``, ``upper_share`` (0 to 1; 95 %
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
    hidden = withheld_results(rows, smallest_count=smallest_count)
    return rows.assign(
        withheld=hidden["reason"],
        base_withheld=hidden["base_reason"],
        share=(rows["count"] / rows["base_count"]).where(counted, rows["share_percent"] / 100),
        lower_share=lower,
        upper_share=upper,
        method=pd.Series(method, index=rows.index, dtype=object),
        reason=pd.Series(np.where(lower.isna(), "missing", None), index=rows.index, dtype=object),
    )


def withheld_results(results: pd.DataFrame, *, smallest_count: int = 5) -> pd.DataFrame:
    """Why some published results of surveys, and their bases, may not be shown.

    A share beside its base tells the count, and those who are left of the base. So does a group's
    result taken from the result for all, and the sum of all groups or of all answers. Groups
    whose bases add up to more than those of all overlap, and are held against all one by one.

    Parameters
    ----------
    results
        Rows of ``SurveyResultsTable``.
    smallest_count
        Smallest count of persons, complement and base that may be shown; a ``SmallestCount`` says
        whether nought may be, too.

    Returns
    -------
    DataFrame
        By the rows of ``results``: ``reason`` of the result and ``base_reason`` of its base
        (``too_few``, ``base_too_small``, ``can_be_derived`` or ``protected``; missing where it may
        be shown).
    """
    base = results["base_count"].astype(float)
    count = results["count"].fillna((results["share_percent"] * base / 100).round()).astype(float)
    about = (
        results[["survey_id", "item", "group", "answer"]]
        .fillna("")
        .assign(count=count.to_numpy(), base=base.to_numpy(), row=range(len(results)))
    )
    known = about.loc[about["count"].notna() & about["base"].notna()]
    known = known.loc[known["count"] <= known["base"]].reset_index(drop=True)
    found = pd.DataFrame({"reason": None, "base_reason": None}, index=results.index, dtype=object)
    if known.empty:
        return found
    tables, relations = result_counts(known)
    primary = _result_reasons(known, smallest_count)
    hidden = protect(
        tables, threshold=smallest_count, primary=primary, relations=relations
    ).set_index("cell")["reason"]
    at = known["row"].to_numpy()
    found.iloc[at, 0] = hidden.reindex(_cells(known, "yes")).to_numpy()
    found.iloc[at, 1] = hidden.reindex(_cells(known, "base")).to_numpy()
    reason = found["reason"].where(found["reason"].notna(), found["base_reason"])
    return found.assign(reason=reason).where(lambda frame: frame.notna(), None)


def _cells(known: pd.DataFrame, part: str) -> list[str]:
    """The cell of each row: those who gave the answer, those who did not, or all who answered."""
    if part != "base":
        return [f"results | cell={row} {part}" for row in known["row"]]
    return [
        f"results | cell={survey} | {item} | {group} | {number:g}"
        for survey, item, group, number in zip(
            known["survey_id"], known["item"], known["group"], known["base"], strict=True
        )
    ]


def _result_reasons(known: pd.DataFrame, smallest_count: int) -> dict[str, str]:
    reasons = primary_reasons(known["count"], known["base"], threshold=smallest_count)
    told = reasons.notna()
    primary = dict(zip(np.array(_cells(known, "yes"))[told], reasons[told], strict=True))
    small = is_small(known["base"], smallest_count)
    return primary | dict.fromkeys(np.array(_cells(known, "base"))[small], "base_too_small")


def result_counts(known: pd.DataFrame) -> tuple[list[CountTable], list[Relation]]:
    """Published results as counts, and the sums that join them.

    Parameters
    ----------
    known
        ``row``, ``survey_id``, ``item``, ``group``, ``answer``, ``count`` and ``base``.

    Returns
    -------
    tuple
        A table of cells, and the sums: those who gave an answer and those who did not are all;
        the answers that a person gives one of, and the groups, with those of none, are all too.
    """
    counts: dict[str, float] = {}
    yes, no, every = (_cells(known, part) for part in ("yes", "no", "base"))
    relations = []
    for row, (count, base) in enumerate(zip(known["count"], known["base"], strict=True)):
        counts |= {yes[row]: count, no[row]: base - count, every[row]: base}
        relations.append(Relation({yes[row]: 1.0, no[row]: 1.0, every[row]: -1.0}))

    def joined(parts: list[str], total: str, name: str) -> None:
        rest = counts[total] - sum(counts[part] for part in parts)
        weights = dict.fromkeys(parts, 1.0) | {total: -1.0}
        if abs(rest) > ROUNDED:
            counts[name] = rest
            weights[name] = 1.0
        relations.append(Relation(weights, slack=ROUNDED if 0 < abs(rest) <= ROUNDED else 0.0))

    of_item = known.groupby(["survey_id", "item", "group"], sort=False)
    for rows in of_item.indices.values():
        whole = known["base"].iloc[rows]
        several = len(rows) > 1 and whole.nunique() == 1
        if several and known["count"].iloc[rows].sum() <= whole.iloc[0] + ROUNDED:
            joined([yes[row] for row in rows], every[rows[0]], f"results | cell={rows[0]} others")
    for rows in known.groupby(["survey_id", "item", "answer"], sort=False).indices.values():
        whole = [row for row in rows if known["group"].iloc[row] == ""]
        groups = [row for row in rows if known["group"].iloc[row] != ""]
        if len(whole) != 1 or not groups:
            continue
        total = whole[0]
        of_groups = known.iloc[groups]
        apart = of_groups["base"].sum() <= known["base"].iloc[total] + ROUNDED and (
            of_groups["count"].sum() <= known["count"].iloc[total] + ROUNDED
        )
        for number, some in enumerate([groups] if apart else [[group] for group in groups]):
            if any(known["base"].iloc[row] > known["base"].iloc[total] for row in some):
                continue  # of another question, or other persons
            if any(known["count"].iloc[row] > known["count"].iloc[total] for row in some):
                continue
            for cells, kind in ((yes, "yes"), (every, "all")):
                name = f"results | cell={total} {number} in no group, {kind}"
                joined(list(dict.fromkeys(cells[row] for row in some)), cells[total], name)
    named = pd.DataFrame({"cell": list(counts), "count": list(counts.values())})
    cells = named.assign(cell=named["cell"].str.removeprefix("results | cell="))
    return [CountTable(cells, ("cell",), "results")], relations


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
