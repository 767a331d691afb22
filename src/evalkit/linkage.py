"""How the persons of two waves of a survey are linked, as the study declares it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from evalkit.protected_surveys import survey_waves
from evalkit.survey import LINKAGES

__all__ = ["linkage_breaches", "linkage_questions", "survey_linkage"]

LINKED, UNLINKED = LINKAGES[0], LINKAGES[-1]
WEAKNESS = {linkage: place for place, linkage in enumerate(LINKAGES)}


def survey_linkage(
    surveys: pd.DataFrame, *, before: int, after: int, kind: str = "staff_survey"
) -> pd.DataFrame:
    """How the persons of two waves are linked in each municipality, as ``surveys`` declares it.

    Parameters
    ----------
    surveys
        Rows of ``SurveysTable``: ``follows`` and ``linkage`` of the later waves.
    before, after
        The waves.
    kind
        Kind of survey.

    Returns
    -------
    DataFrame
        One row per ``municipality_code`` with the later wave: ``linkage``, the weakest on the way
        from that wave back to the earlier one, survey by survey that it follows; ``unlinked``
        where a survey on the way declares nothing, or the way does not lead there.
    """
    own = survey_waves(surveys, kind=kind)
    by_id = {row.survey_id: row for row in own.itertuples(index=False)}
    weakest: dict[str, str] = {}
    for row in own.loc[own["wave"] == after].itertuples(index=False):
        found = _on_the_way(row, by_id, before)
        known = weakest.get(row.municipality_code, LINKED)
        weakest[row.municipality_code] = max(known, found, key=WEAKNESS.__getitem__)
    return pd.DataFrame(
        {
            "municipality_code": pd.Series(list(weakest), dtype=object),
            "linkage": pd.Series(list(weakest.values()), dtype=object),
        }
    )


def _on_the_way(survey, by_id: Mapping, before: int) -> str:
    """The weakest linkage on the way from a survey back to the wave before."""
    found, passed = LINKED, set()
    while survey.wave != before:
        passed.add(survey.survey_id)
        earlier = by_id.get(survey.follows) if isinstance(survey.follows, str) else None
        if earlier is None or earlier.survey_id in passed:
            return UNLINKED
        own = survey.linkage if isinstance(survey.linkage, str) else UNLINKED
        found = max(found, own, key=WEAKNESS.__getitem__)
        survey = earlier
    return found


def linkage_breaches(tables: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, str]]:
    """Surveys whose declared linkage cannot be: of no wave, or of persons who are never the same."""
    surveys = tables.get("surveys")
    if surveys is None:
        return
    for row in surveys.loc[surveys["linkage"].notna() & surveys["follows"].isna()].itertuples():
        yield (
            "surveys.csv",
            f"linkage: {row.linkage!r} in row {row.Index + 2}, where follows is blank; expected the "
            "survey whose respondents it is linked to in follows, or no linkage",
        )
    persons = _respondents(tables)
    declared = surveys.loc[(surveys["linkage"] == LINKED) & surveys["follows"].notna()]
    for row in declared.itertuples():
        own, earlier = persons.get(row.survey_id), persons.get(row.follows)
        if own is not None and earlier is not None and not set(own) & set(earlier):
            yield (
                "surveys.csv",
                f"linkage: 'linked' in row {row.Index + 2}, and no respondent_id of survey "
                f"{row.survey_id} is one of survey {row.follows} in answers.csv; expected the same "
                "identifiers in both, or 'unlinked'",
            )


def linkage_questions(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Surveys declared as linked whose respondents are numbered as rows are.

    Whoever answers a later wave is some of those who answered before, and others: their
    identifiers are not 1, 2, 3 without a gap, in the order of the rows.
    """
    surveys = tables.get("surveys")
    if surveys is None:
        return []
    persons = _respondents(tables)
    declared = surveys.loc[surveys["linkage"].isin([LINKED, "partly_linked"])]
    return [
        f"surveys.csv: linkage {row.linkage!r} in row {row.Index + 2}, and the respondents of survey "
        f"{row.survey_id} in answers.csv are numbered 1 to {len(persons[row.survey_id])} in the "
        f"order of the rows; are they the same persons as in survey {row.follows}, or row numbers? "
        "If row numbers, declare 'unlinked'"
        for row in declared.itertuples()
        if row.survey_id in persons and _are_row_numbers(persons[row.survey_id])
    ]


def _respondents(tables: Mapping[str, pd.DataFrame]) -> dict[str, list[str]]:
    """The respondents of each survey, in the order of the rows."""
    answers = tables.get("answers")
    if answers is None or answers.empty:
        return {}
    each = answers[["survey_id", "respondent_id"]].dropna().drop_duplicates()
    return {
        survey: persons.tolist()
        for survey, persons in each.groupby("survey_id", sort=False)["respondent_id"]
    }


def _are_row_numbers(persons: list[str]) -> bool:
    """1 to n without a gap, in that order; the same sign or word may stand before each number."""
    parts = pd.Series(persons).str.extract(r"^(.*?)0*(\d+)$")
    numbers = parts[1].tolist()
    return (
        len(persons) > 1
        and parts[0].nunique(dropna=False) == 1
        and numbers == [str(place) for place in range(1, len(persons) + 1)]
    )
