"""Claims that may not be shown: those that tell a count too small, or give one away.

A claim stands in sentences, lists and on the command line, so it is hidden where the report's
tables and figures hide the same count: by the one pass that protects the indicators, and in its
own row beside every count that is hidden.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from evalkit.baseline import withheld_results
from evalkit.disclosure import primary_reasons
from evalkit.errors import DataError
from evalkit.indicators import yearly_values
from evalkit.municipality_changes import present_day_values
from evalkit.person_counts import withheld_persons
from evalkit.preparation import county_codes, indicator_noise, protected_indicators
from evalkit.reasons import HIDING
from evalkit.small_counts import is_small, published_rule

__all__ = ["withheld_claims", "withheld_observations"]

CELL = ["municipality_code", "indicator_id", "year"]
TABLE = ["indicator_id", "year"]
SUM = [*TABLE, "county_code"]
ALL = ""  # county of the areas that hold all municipalities
COUNTS = ["numerator", "denominator"]
SAME = 1e-6  # counts that differ by less are the same


def withheld_claims(
    every: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    *,
    smallest_count: int = 5,
    hidden: pd.DataFrame | None = None,
    published: Collection[str] = (),
    decided: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """The claims with why some are not to be shown.

    Parameters
    ----------
    every
        Claims, as from ``claims``.
    tables
        The study's validated tables.
    smallest_count
        Smallest count, complement and base of an indicator, and smallest count of persons in a
        survey, that may be shown.
    hidden
        As from ``hidden_rows`` of these tables, where that is known already.
    published
        Tables whose counts of persons others have published and are shown as published.
    decided
        Keys of claims of persons that the study shows all the same, with the reason.

    Returns
    -------
    DataFrame
        The same rows with ``withheld``: ``too_few``, ``base_too_small``, ``can_be_derived`` or
        ``protected``; missing where the claim may be shown. Claims of the same key are withheld
        alike, whichever table they stand in.
    """
    asked = {"smallest_count": smallest_count, "published": published, "decided": decided}
    persons = withheld_persons(every, tables, **asked)
    of_results = published_rule(smallest_count, published="survey_results" in published)
    parts = [
        persons.set_axis(every["key"]),
        _observation_keys(
            tables, hidden_rows(tables, smallest_count) if hidden is None else hidden
        ),
        _result_keys(tables.get("survey_results"), of_results),
    ]
    if "surveys" in tables:
        of_surveys = published_rule(smallest_count, published="surveys" in published)
        parts.append(_survey_keys(tables["surveys"], of_surveys))
    reasons = {key: reason for part in parts for key, reason in part.dropna().items()}
    withheld = every["key"].map(reasons).astype(object)
    return every.assign(withheld=withheld.where(withheld.notna(), None))


def _by_key(subjects: pd.Series, quantity: str, rows: pd.Series, reason: object) -> pd.Series:
    """Reasons by key, for the rows that are withheld."""
    given = pd.Series(reason, index=rows.index, dtype=object).where(rows, None)
    return given.set_axis(subjects + "." + quantity)


def _result_keys(results: pd.DataFrame | None, smallest_count: int) -> pd.Series:
    """Published results of surveys: a share beside its base tells the count."""
    if results is None or results.empty:
        return pd.Series(dtype=object)
    found = withheld_results(results, smallest_count=smallest_count)
    reason, base = found["reason"], found["base_reason"]
    shown_as = reason.mask(reason == "base_too_small", "too_few")
    subjects = results["result_id"]
    return pd.concat(
        [
            _by_key(subjects, "count", reason.notna(), shown_as),
            _by_key(subjects, "share", reason.notna(), shown_as),
            _by_key(subjects, "base", base.notna(), base),
        ]
    )


def _survey_keys(surveys: pd.DataFrame, smallest_count: int) -> pd.Series:
    """How many were asked and answered, and the rate that tells the one beside the other."""
    told = (surveys["response_rate_percent"] * surveys["invited_count"] / 100).round()
    few_asked = is_small(surveys["invited_count"], smallest_count)
    few = is_small(surveys["answered_count"].fillna(told), smallest_count) | few_asked
    subjects = surveys["survey_id"]
    return pd.concat(
        [
            _by_key(subjects, "answered", few, "too_few"),
            _by_key(subjects, "response_rate", few, "too_few"),
            _by_key(subjects, "invited", few_asked, "base_too_small"),
        ]
    )


def hidden_rows(tables: Mapping[str, pd.DataFrame], smallest_count: int) -> pd.DataFrame:
    """As from ``withheld_observations`` of a study's tables; empty where nothing is counted."""
    observations = tables.get("observations")
    if observations is None or observations[COUNTS].isna().all(axis=None):
        return pd.DataFrame(columns=["reason", "base_reason", "count_alone"])
    return withheld_observations(
        observations,
        indicators=tables["indicators"],
        changes=tables.get("municipality_changes"),
        areas=tables.get("areas"),
        noise=tables.get("noise"),
        smallest_count=smallest_count,
    )


def _observation_keys(tables: Mapping[str, pd.DataFrame], found: pd.DataFrame) -> pd.Series:
    if found.empty:
        return pd.Series(dtype=object)
    subjects, reason = tables["observations"]["observation_id"], found["reason"]
    return pd.concat(
        [
            _by_key(subjects, "numerator", reason.notna(), reason),
            _by_key(subjects, "value", reason.notna() & ~found["count_alone"], reason),
            _by_key(subjects, "denominator", found["base_reason"].notna(), found["base_reason"]),
        ]
    )


def withheld_observations(
    observations: pd.DataFrame,
    *,
    indicators: pd.DataFrame,
    changes: pd.DataFrame | None = None,
    areas: pd.DataFrame | None = None,
    noise: pd.DataFrame | None = None,
    smallest_count: int = 5,
) -> pd.DataFrame:
    """Why the counts of some observations may not be shown.

    The yearly values of the municipalities of today are protected as the report protects them,
    with every area whose counts are the sums of its municipalities'. Those that were merged since
    are hidden all together, where one of them or the sum is hidden. So are an indicator's groups
    within municipalities in a year, where one of them is small or the municipality hidden.

    Parameters
    ----------
    observations, indicators
        Rows of ``ObservationsTable`` and ``IndicatorsTable``. Of a per cent, a count or base that
        is blank is what the others tell.
    changes
        Rows of ``MunicipalityChangesTable``, if the study has any.
    areas
        Rows of ``AreasTable``, if the study has any: which areas are counties.
    noise
        Rows of ``NoiseTable``, if the study has any.
    smallest_count
        Smallest count, complement and base that may be shown.

    Returns
    -------
    DataFrame
        By the rows of ``observations``: ``reason`` of the count and value and ``base_reason`` of
        the base (missing where they may be shown), ``count_alone`` (True where a small count has
        no base, and tells nothing of the value).
    """
    rows = _counted(observations, indicators)
    counted = rows[COUNTS].notna().all(axis=1)
    alone = rows["numerator"].notna() & ~counted
    small_base = is_small(rows["denominator"], smallest_count)
    few = is_small(rows["numerator"], smallest_count)
    reason = primary_reasons(
        rows["numerator"], rows["denominator"].where(counted), threshold=smallest_count
    )
    # where more events than persons are counted, no complement can be few
    more = rows["numerator"].gt(rows["denominator"]) & ~few & ~small_base
    found = pd.DataFrame({"reason": reason.mask(more, None), "hides_base": small_base})
    dated = rows.loc[counted & rows["year"].notna()].astype({"year": int})
    own = dated["municipality_code"].notna() & dated["area"].isna() & dated["group"].isna()
    if own.any():
        county = {} if areas is None else areas.set_index("area")["county_code"].dropna().to_dict()
        dated["county_code"] = dated["area"].map(county).astype(object).fillna(ALL)
        widths = indicator_noise(observations, noise)
        found = _protected(found, dated, own, changes, smallest_count, widths)
    found = _groups_hidden(found, rows.loc[counted | alone])
    hidden = found["hides_base"].astype(bool)
    base_reason = np.where(hidden, np.where(small_base, "base_too_small", "can_be_derived"), None)
    return pd.DataFrame(
        {
            "reason": found["reason"].where(found["reason"].notna(), None),
            "base_reason": pd.Series(base_reason, index=rows.index, dtype=object),
            "count_alone": alone,
        }
    )


def _counted(observations: pd.DataFrame, indicators: pd.DataFrame) -> pd.DataFrame:
    """The observations with the counts that a per cent tells, and their year."""
    unit = observations["indicator_id"].map(indicators.set_index("indicator_id")["unit"])
    share = (observations["value"] / 100).where(unit.eq("percent"))
    numerator, denominator = observations["numerator"], observations["denominator"]
    base = (numerator / share.where(share > 0)).round()
    return observations.assign(
        numerator=numerator.fillna((share * denominator).round()),
        denominator=denominator.fillna(base),
        year=pd.to_numeric(observations["period"].str.slice(0, 4)),
    )


def _protected(
    found: pd.DataFrame,
    dated: pd.DataFrame,
    own: pd.Series,
    changes: pd.DataFrame | None,
    smallest_count: int,
    noise: Mapping[str, float],
) -> pd.DataFrame:
    """What is found with what the municipalities' rows and the sums over them must hide too."""
    yearly = yearly_values(dated.loc[own])
    cells = _of_today(yearly, changes)
    totals = _totals(dated.loc[dated["area"].notna() & dated["group"].isna()], cells, noise)
    possible = cells["numerator"].le(cells["denominator"])
    whole = possible.groupby([cells[name] for name in TABLE]).transform("all")
    guarded = totals.loc[_keys(totals, TABLE).isin(_keys(cells.loc[whole], TABLE))]
    guarded = guarded.drop_duplicates(SUM)[[*SUM, "value", *COUNTS]]
    safe, shown = protected_indicators(
        cells.loc[whole],
        threshold=smallest_count,
        noise=noise,
        totals=guarded.assign(county_code=guarded["county_code"].replace(ALL, None)),
    )
    safe = pd.concat([safe, _hidden_whole(cells.loc[~whole], smallest_count)])
    safe["hides_base"] = safe["denominator"].isna() & safe["reason"].isin(HIDING)
    safe["reason"] = safe["reason"].where(safe["reason"].isin(HIDING), None)

    rows = dated.loc[own, CELL]
    cell = safe.set_index(CELL)[["reason", "hides_base"]]
    told = cell.reindex(_keys(rows)).set_axis(rows.index)
    parts = rows.loc[~_keys(rows).isin(_keys(safe.loc[safe["basis"] == "own"]))]
    told.loc[parts.index] = _hidden_parts(parts, safe, found.loc[parts.index], changes)
    over = told.index[told["reason"].notna()]
    found = found.copy()
    found.loc[over, "reason"] = told.loc[over, "reason"]
    found.loc[rows.index, "hides_base"] |= told["hides_base"].eq(True)

    # a sum is hidden where no other part could be: one alone is, or all of them are
    told_of = _in_sums(safe.assign(hidden=safe["reason"].notna())).groupby(SUM)[
        ["hidden", "hides_base"]
    ]
    count, size = told_of.sum(), told_of.size()
    bare = (count.eq(1) | count.eq(size, axis=0)).reindex(_keys(totals, SUM)).eq(True)
    beside = pd.DataFrame(
        {"hidden": shown["reason"].notna(), "hides_base": shown["denominator"].isna()}
    ).set_axis(_keys(shown.assign(county_code=county_codes(shown).fillna(ALL)), SUM))
    bare |= beside.reindex(bare.index).eq(True)
    bare = bare.set_axis(totals.index)
    sums = bare.index[bare.any(axis=1)]
    found.loc[sums, "reason"] = found.loc[sums, "reason"].fillna("can_be_derived")
    found.loc[totals.index, "hides_base"] |= bare["hides_base"]
    return found


def _in_sums(cells: pd.DataFrame) -> pd.DataFrame:
    """The municipalities' rows once for all of them, and once for their county."""
    county = cells["municipality_code"].str[:2]
    return pd.concat([cells.assign(county_code=ALL), cells.assign(county_code=county)])


def _keys(rows: pd.DataFrame, columns: list[str] = CELL) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(rows[columns])


def _of_today(yearly: pd.DataFrame, changes: pd.DataFrame | None) -> pd.DataFrame:
    """The cells that the report protects, and those that it refuses to carry to today."""
    given = yearly.assign(basis="own", reason=None).astype({"reason": object})
    if changes is None or changes.empty:
        return given
    try:
        present = present_day_values(yearly, changes, splits="refuse")
    except DataError:  # then no report shows values of today
        return given
    present = present.loc[present[COUNTS].notna().all(axis=1)]
    merged = _in_families(present.loc[present["basis"] != "own"], changes)
    lost = ~_keys(given).isin(_keys(present)) & ~_keys(_in_families(given, changes)).isin(
        _keys(merged)
    )
    return pd.concat([present, given.loc[lost]]).sort_values(CELL, ignore_index=True)


def _in_families(rows: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Rows under one code for all municipalities that became one another."""
    family: dict[str, set[str]] = {}
    for old, new in zip(changes["old_code"], changes["new_code"], strict=True):
        joined = family.get(old, {old}) | family.get(new, {new})
        family |= dict.fromkeys(joined, joined)
    first = {code: min(codes) for code, codes in family.items()}
    codes = rows["municipality_code"]
    return rows.assign(municipality_code=codes.map(first).fillna(codes))


def _hidden_parts(
    parts: pd.DataFrame, safe: pd.DataFrame, small: pd.DataFrame, changes: pd.DataFrame | None
) -> pd.DataFrame:
    """Municipalities merged since: all are hidden where one of them is small, or the sum hidden.

    Few are not said to be few: the sum is known, and may leave them no choice.
    """
    if parts.empty:
        return pd.DataFrame({"reason": None, "hides_base": False}, index=parts.index)
    sums = safe.loc[safe["basis"] != "own"]
    hidden = pd.concat(
        [
            _in_families(parts, changes).assign(
                hidden=small["reason"].notna(), hides_base=small["hides_base"]
            ),
            _in_families(sums, changes).assign(hidden=sums["reason"].notna()),
        ]
    )
    together = hidden.groupby(CELL)[["hidden", "hides_base"]].any()
    told = together.reindex(_keys(_in_families(parts, changes))).set_axis(parts.index)
    reason = pd.Series(None, index=parts.index, dtype=object).mask(told["hidden"], "can_be_derived")
    return pd.DataFrame({"reason": reason, "hides_base": told["hides_base"]})


def _hidden_whole(cells: pd.DataFrame, smallest_count: int) -> pd.DataFrame:
    """Years of an indicator that counts more events than persons: hidden whole where one is few."""
    few = is_small(cells["numerator"], smallest_count)
    small_base = is_small(cells["denominator"], smallest_count)
    by = [cells[name] for name in TABLE]
    hidden = (few | small_base).groupby(by).transform("any")
    hides_base = small_base.groupby(by).transform("any")
    reason = np.select(
        [small_base, few, hidden], ["base_too_small", "too_few", "can_be_derived"], default=None
    )
    return cells.assign(reason=reason, denominator=cells["denominator"].mask(hides_base))


def _totals(areas: pd.DataFrame, cells: pd.DataFrame, noise: Mapping[str, float]) -> pd.DataFrame:
    """Rows of areas whose count and base are the sums of their municipalities', noise allowed for."""
    of_sum = _in_sums(cells).groupby(SUM)
    at = _keys(areas, SUM)
    sums = of_sum[COUNTS].sum().reindex(at).set_axis(areas.index)
    size = of_sum.size().reindex(at).set_axis(areas.index)
    slack = areas["indicator_id"].map(noise).fillna(0.0).astype(float) * (size + 1) + SAME
    return areas.loc[(sums - areas[COUNTS]).abs().lt(slack, axis=0).all(axis=1)]


def _groups_hidden(found: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Groups are summed over places and places over groups: a year of them is hidden together."""
    grouped = rows["group"].notna()
    if not grouped.any():
        return found
    whole = rows.loc[~grouped].assign(hidden=found["reason"].notna())
    place = ["indicator_id", "municipality_code", "period"]
    of_whole = whole.dropna(subset=["municipality_code"]).groupby(place)["hidden"].any()
    own = rows.loc[grouped]
    hidden = (
        found.loc[own.index, "reason"].notna()
        | of_whole.reindex(_keys(own, place)).eq(True).to_numpy()
    )
    together = hidden.groupby([own["indicator_id"], own["period"]], dropna=False).transform("any")
    found = found.copy()
    taken = together.index[together]
    found.loc[taken, "reason"] = found.loc[taken, "reason"].fillna("can_be_derived")
    found.loc[taken, "hides_base"] = True
    return found
