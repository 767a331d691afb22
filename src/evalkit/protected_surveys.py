"""Counts of a survey made safe to show: who was invited, who responded, what they answered.

Each tells of the others: nobody answers an item who did not respond, and nobody responds who was
not invited. So respondents are hidden where answers are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from evalkit.disclosure import TOTAL, CountTable, Relation, hidden_series, protect
from evalkit.errors import DataError
from evalkit.groups import in_blocks
from evalkit.reasons import HIDING, withhold
from evalkit.small_counts import is_small
from evalkit.survey import response_rate
from evalkit.uncertainty import STANDARD_LEVELS
from evalkit.vocabulary import NO_SERVICE

__all__ = [
    "CELL",
    "CLASSES",
    "EVERY",
    "MUNICIPALITIES_AT_ONCE",
    "RESPONDENTS",
    "no_fewer_than_answers",
    "protected_answers",
    "protected_survey",
    "published_counts",
    "respondents_by_service",
    "response_counts",
    "survey_waves",
]

CLASSES = ("disagree", "neither", "agree")  # scores 1-2, 3 and 4-5
CELL = ["municipality_code", "wave", "item", "service", "answer_class"]
EVERY = ["municipality_code", "wave", "item"]
RESPONDENTS = ["municipality_code", "wave", "service"]
MUNICIPALITIES_AT_ONCE = 20  # whose answers are counted; more takes more memory


def survey_waves(surveys: pd.DataFrame, *, kind: str = "staff_survey") -> pd.DataFrame:
    """The surveys of a kind whose answers belong together, each with its wave.

    Parameters
    ----------
    surveys
        Rows of ``SurveysTable``.
    kind
        Kind of survey: a code of ``SURVEY_KINDS``.

    Returns
    -------
    DataFrame
        The surveys that have a wave (a whole number; 0 is the baseline). One without a wave that is
        its municipality's only survey of the kind counts as wave 0, so that what was asked once
        is protected like a series; others without a wave are left out.
    """
    own = surveys.loc[surveys["kind"] == kind]
    alone = own.groupby("municipality_code")["survey_id"].transform("size") == 1
    waves = own["wave"].astype(float).mask(own["wave"].isna() & alone, 0.0)
    known = waves.notna()
    return own.loc[known].assign(wave=waves[known].astype(int))


def respondents_by_service(
    surveys: pd.DataFrame, services: pd.DataFrame, *, kind: str = "staff_survey"
) -> pd.DataFrame:
    """Who was invited and who responded to surveys of a kind, in all and by service.

    Parameters
    ----------
    surveys, kind
        As for ``survey_waves``.
    services
        Rows of ``SurveyServicesTable``; none where a study does not know.

    Returns
    -------
    DataFrame
        One row per municipality, wave and ``service`` (``TOTAL`` for all): ``invited_count`` and
        ``answered_count``. Those of no service in the table are a group of their own.
    """
    own = survey_waves(surveys, kind=kind)
    numbers = ["invited_count", "answered_count"]
    whole = own.groupby(RESPONDENTS[:2])[numbers].sum(min_count=1)
    parted = services.merge(own[["survey_id", *RESPONDENTS[:2]]], on="survey_id")
    rest = whole - parted.groupby(RESPONDENTS[:2])[numbers].sum()
    rest = rest.loc[rest["invited_count"] > 0].reset_index().assign(service=NO_SERVICE)
    columns = [*RESPONDENTS, *numbers]
    every = [parted[columns], rest[columns], whole.reset_index().assign(service=TOTAL)[columns]]
    return pd.concat([part for part in every if len(part)] or every, ignore_index=True)


def protected_survey(
    answers: pd.DataFrame,
    respondents: pd.DataFrame | None,
    *,
    threshold: int = 5,
    confidence_levels: Sequence[float] = STANDARD_LEVELS,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How many disagreed, were in between and agreed, and the response rates, safe to show.

    That somebody did not respond is no answer: few who did not are no reason to hide.

    Parameters
    ----------
    answers
        Answers on the scale from 1 to 5, with ``wave``; blank scores count nowhere, answers
        without a service in the total and, where others have one, as a group of their own.
    respondents
        As from ``respondents_by_service``, of the same municipalities; None where it is not shown
        how many there were.
    threshold
        Smallest count that may be shown.
    confidence_levels
        Levels wanted for the response rates.

    Returns
    -------
    tuple of DataFrame
        One row per municipality, wave, item, ``service`` and ``answer_class`` (of ``CLASSES``),
        with ``TOTAL`` for all services and all answers: ``count`` (missing where hidden) and
        ``reason``. Where the answers of a group are fewer than ``threshold``, the reason is
        ``base_too_small``; where they are so in more than half of the waves, the group is hidden
        in the other waves too (``can_be_derived``). An answer that all but a few gave is hidden
        with that reason as well.

        And one row per municipality, wave, service and level as from ``response_rate``, with the
        ``reason`` where numbers are hidden.

    Raises
    ------
    DataError
        If more persons answered an item than responded, or responded than were invited.
    """
    invited = _no_respondents() if respondents is None else respondents
    codes = invited["municipality_code"]
    shown, rates = [], []
    for block in in_blocks(answers, "municipality_code", size=MUNICIPALITIES_AT_ONCE):
        own = invited.loc[codes.isin(block["municipality_code"].unique())]
        parts = _protected(block, own, threshold, confidence_levels)
        shown.append(parts[0])
        rates.append(parts[1])
    without = invited.loc[~codes.isin(answers["municipality_code"].unique())]
    if len(without):
        rates.append(_protected(answers.head(0), without, threshold, confidence_levels)[1])
    return pd.concat(shown, ignore_index=True), pd.concat(rates, ignore_index=True)


def protected_answers(answers: pd.DataFrame, *, threshold: int = 5) -> pd.DataFrame:
    """The answers of ``protected_survey``, where it is not shown how many responded.

    Parameters
    ----------
    answers, threshold
        As for ``protected_survey``.
    """
    return protected_survey(answers, None, threshold=threshold)[0]


def _no_respondents() -> pd.DataFrame:
    numbers = dict.fromkeys(("invited_count", "answered_count"), pd.Series(dtype=float))
    return pd.DataFrame({**dict.fromkeys(RESPONDENTS, pd.Series(dtype=object)), **numbers})


def _protected(
    answers: pd.DataFrame,
    respondents: pd.DataFrame,
    threshold: int,
    confidence_levels: Sequence[float],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """As ``protected_survey``, of some municipalities: none is ever summed with another."""
    every = _answer_cells(answers)
    rates = response_rate(respondents, by=RESPONDENTS, confidence_levels=confidence_levels)
    counted = rates.loc[rates["base"].notna()]
    table, (invited, answered) = published_counts(every), response_counts(counted)
    hidden_answers = _hidden_answers(every, table.names(), threshold)
    cells = counted.drop_duplicates(RESPONDENTS)
    small = is_small(cells["base"], threshold)
    primary = dict.fromkeys(answered.names()[is_small(cells["count"], threshold)], "too_few")
    primary |= dict.fromkeys([*answered.names()[small], *invited.names()[small]], "base_too_small")
    _check_respondents(every, cells)
    whole = table.names()[every["service"] == TOTAL]  # a municipality is hidden after its services
    decided = protect([table], threshold=threshold, primary=hidden_answers, kept=whole)
    reason = decided.set_index("cell")["reason"].reindex(table.names()).to_numpy()
    hidden = pd.notna(reason)
    shown = every.assign(count=every["count"].astype(float).mask(hidden), reason=reason)
    reasons = _hidden_respondents(cells, (invited, answered), shown, primary, threshold)
    return (
        shown[[*CELL, "count", "reason"]],
        _hidden_rates(
            rates,
            cells[RESPONDENTS].assign(
                invited=reasons.reindex(invited.names()).to_numpy(),
                answered=reasons.reindex(answered.names()).to_numpy(),
            ),
        ),
    )


def _answer_cells(answers: pd.DataFrame) -> pd.DataFrame:
    """True counts of every class of answers, by service and in all."""
    given = answers.dropna(subset=["score"])
    if given.empty:
        return pd.DataFrame(columns=[*CELL, "count"]).astype({"count": float})
    classed = given[EVERY].assign(
        service=given["service"].fillna(NO_SERVICE),
        answer_class=np.select(
            [given["score"] <= 2, given["score"] <= 3], ["disagree", "neither"], "agree"
        ),
    )
    counts = classed.groupby(CELL, sort=True).size().rename("count").reset_index()
    groups = counts[[*EVERY, "service"]].drop_duplicates()
    cells = groups.merge(pd.DataFrame({"answer_class": CLASSES}), how="cross")
    cells = cells.merge(counts, on=CELL, how="left", validate="one_to_one").fillna({"count": 0})
    alone = groups.groupby(EVERY)["service"].transform("size").eq(1) & groups["service"].eq(
        NO_SERVICE
    )
    for dimension in ("service", "answer_class"):
        rest = [name for name in CELL if name != dimension]
        sums = cells.groupby(rest, as_index=False, sort=True)["count"].sum()
        cells = pd.concat([cells, sums.assign(**{dimension: TOTAL})], ignore_index=True)
    lone = groups.loc[alone].assign(lone=True)
    cells = cells.merge(lone, on=[*EVERY, "service"], how="left", validate="many_to_one")
    every = cells.loc[cells["lone"].isna()].drop(columns="lone")
    return every.sort_values(EVERY, kind="stable", ignore_index=True)


def _hidden_answers(every: pd.DataFrame, names: pd.Series, threshold: int) -> dict[str, str]:
    """Cells of answers that are hidden for what they are, with the reason."""
    if every.empty:
        return {}
    base = every.loc[every["answer_class"] == TOTAL].set_index([*EVERY, "service"])["count"]
    base = base.loc[pd.MultiIndex.from_frame(every[[*EVERY, "service"]])].to_numpy()
    bases = every.assign(count=base)
    series = ["municipality_code", "item", "service"]
    weak = bases["answer_class"].eq(TOTAL) & bases["service"].ne(TOTAL)
    weak = hidden_series(bases.loc[weak], series=series, threshold=threshold)
    weak = pd.MultiIndex.from_frame(bases.loc[weak.index[weak], [*EVERY, "service"]])
    mostly_weak = pd.MultiIndex.from_frame(every[[*EVERY, "service"]]).isin(weak)
    few_others = every["answer_class"].ne(TOTAL) & is_small(base - every["count"], threshold)
    primary = dict.fromkeys(names[mostly_weak | few_others], "can_be_derived")
    primary |= dict.fromkeys(names[is_small(every["count"], threshold)], "too_few")
    return primary | dict.fromkeys(names[is_small(base, threshold)], "base_too_small")


def _hidden_respondents(
    cells: pd.DataFrame,
    tables: tuple[CountTable, CountTable],
    shown: pd.DataFrame,
    primary: dict[str, str],
    threshold: int,
) -> pd.Series:
    """Reasons of the hidden numbers of invited and respondents, by cell.

    A service whose answers to some item are hidden has its respondents hidden too. Those invited
    are much the same from wave to wave: hidden in one, they are hidden in all.
    """
    invited, answered = tables
    bases = shown.loc[shown["answer_class"] == TOTAL]
    hides = bases.assign(hidden=bases["count"].isna()).groupby(RESPONDENTS)["hidden"].any()
    groups = pd.MultiIndex.from_frame(cells[RESPONDENTS])
    beside = groups.isin(hides.index[hides]) & (cells["service"] != TOTAL).to_numpy()
    primary = dict.fromkeys(answered.names()[beside], "can_be_derived") | primary
    known = no_fewer_than_answers(tables, shown)
    of_all = (cells["service"] == TOTAL).to_numpy()
    while True:
        decided = protect(
            [invited, answered],
            threshold=threshold,
            primary=primary,
            relations=known,
            kept=[*invited.names()[of_all], *answered.names()[of_all]],
        )
        reasons = decided.set_index("cell")["reason"]
        hidden = reasons.reindex(invited.names()).notna().set_axis(cells.index)
        of_service = [cells["municipality_code"], cells["service"]]
        apart = hidden.groupby(of_service).transform("any") & ~hidden
        if not apart.any():
            return reasons
        primary |= dict.fromkeys(invited.names()[apart], "can_be_derived")


def _hidden_rates(rates: pd.DataFrame, hidden: pd.DataFrame) -> pd.DataFrame:
    """Response rates without the numbers that are hidden, all levels of a row alike."""
    keyed = rates[RESPONDENTS].merge(hidden, on=RESPONDENTS, how="left", validate="many_to_one")
    told = ("value", "lower", "upper", "nonresponse_count", "nonresponse_share")
    for reason in HIDING:
        for column, number in (("answered", "count"), ("invited", "base")):
            rows = (keyed[column] == reason).set_axis(rates.index)
            rates = withhold(rates, rows, reason, columns=(number, *told))
    return rates


def _check_respondents(every: pd.DataFrame, cells: pd.DataFrame) -> None:
    bases = every.loc[every["answer_class"] == TOTAL]
    most = bases.merge(cells, on=RESPONDENTS, suffixes=("", "_responded"))
    over = most.loc[most["count"] > most["count_responded"]]
    if len(over):
        row = over.iloc[0]
        raise DataError(
            f"survey of {row['municipality_code']}, wave {row['wave']}, service "
            f"{row['service']!r}: {row['count']:.0f} answers to {row['item']!r}, and "
            f"{row['count_responded']:.0f} respondents; expected no more answers than respondents"
        )


def published_counts(protected: pd.DataFrame) -> CountTable:
    """The counts as a table for the audit; municipalities, waves and items are never summed.

    Parameters
    ----------
    protected
        As from ``protected_answers``, or some of its columns.
    """
    dimensions = [name for name in protected.columns if name not in ("count", "reason", "base")]
    return CountTable(protected, dimensions, of="answers")


def response_counts(responses: pd.DataFrame) -> tuple[CountTable, CountTable]:
    """The invited and those who responded, as tables for the audit.

    Parameters
    ----------
    responses
        Response rates as from ``protected_survey``, or the same before anything is hidden.
    """
    rows = responses.drop_duplicates(RESPONDENTS)
    return tuple(
        CountTable(rows[RESPONDENTS].assign(count=rows[column], reason=reason), RESPONDENTS, of)
        for column, of, reason in (
            ("base", "invited", rows["reason"].where(rows["reason"] != "too_few")),
            ("count", "respondents", rows["reason"]),
        )
    )


def no_fewer_than_answers(responses: Sequence[CountTable], answers: pd.DataFrame) -> list[Relation]:
    """What a reader knows of respondents: no more than were invited, no fewer than answers shown.

    Parameters
    ----------
    responses
        As from ``response_counts``.
    answers
        Answers as from ``protected_survey``.
    """
    invited, answered = responses
    asked = zip(answered.names(), invited.names(), strict=True)
    relations = [Relation({few: 1.0, many: -1.0}, at_most=True) for few, many in asked]
    bases = answers.loc[answers["answer_class"] == TOTAL].dropna(subset=["count"])
    most = bases.groupby(RESPONDENTS)["count"].max().to_dict()
    groups = answered.cells[RESPONDENTS].itertuples(index=False, name=None)
    return relations + [
        Relation({cell: -1.0}, constant=-float(most[group]), at_most=True)
        for cell, group in zip(answered.names(), groups, strict=True)
        if group in most
    ]
