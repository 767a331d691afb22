"""A study's tables as the statistics take them: joined to waves, counted, protected, with rules.

Counts are protected here, once, before any table, figure or text is made of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from evalkit.comparability import comparable_answers, comparisons_between_municipalities
from evalkit.controlled_change import difference_in_differences, pretrend_check
from evalkit.disclosure import (
    TOTAL,
    hidden_series,
    primary_reasons,
    protect_shares,
)
from evalkit.errors import DataError
from evalkit.groups import numbered, require_once
from evalkit.pooling import pooled_estimate
from evalkit.process import last_days
from evalkit.protected_surveys import EVERY, survey_waves
from evalkit.reasons import withhold
from evalkit.small_counts import is_small
from evalkit.survey import (
    AGREES_FROM,
    cliffs_delta,
    mcnemar_test,
    paired_shift,
    probability_of_superiority,
)
from evalkit.synthetic_controls import (
    synthetic_control,
    synthetic_control_path,
    synthetic_control_weights,
)
from evalkit.uncertainty import STANDARD_LEVEL, wilson_interval, z_value

__all__ = [
    "ItemComparisons",
    "answers_behind",
    "answers_by_wave",
    "baseline_shares",
    "coded_units",
    "counts_behind",
    "crosswalk_by_wave",
    "funnel_counts",
    "goal_changes",
    "goal_rules",
    "group_values",
    "in_both_waves",
    "indicator_areas",
    "indicator_effect",
    "indicator_effects",
    "indicator_noise",
    "indicator_profiles",
    "indicator_synthetic_controls",
    "indicator_synthetic_path",
    "indicator_totals",
    "item_comparisons",
    "item_scores",
    "measure_starts",
    "pairs_behind",
    "pooled_shares",
    "protected_changes",
    "protected_indicators",
    "protected_shares",
    "protected_side_by_side",
    "protected_values",
    "sample_and_population",
    "shown_populations",
    "survey_plan",
    "targets_by_municipality",
    "truth_and_estimates",
    "with_standard_error",
]

CODE = "municipality_code"
KEYS = ["indicator_id", "year"]
COUNTS = ["numerator", "denominator"]
AREA = ["area", "county_code"]


def answers_by_wave(
    answers: pd.DataFrame, surveys: pd.DataFrame, *, kind: str = "staff_survey"
) -> pd.DataFrame:
    """The answers to a series of surveys, each with its wave.

    Parameters
    ----------
    answers
        Rows of ``AnswersTable``.
    surveys
        Rows of ``SurveysTable``; those that ``survey_waves`` leaves out are left out.
    kind
        Kind of survey: a code of ``SURVEY_KINDS``.

    Returns
    -------
    DataFrame
        The answers with ``wave`` (a whole number; 0 is the baseline), in their order.
    """
    of_series = survey_waves(surveys, kind=kind)
    numbers, names = numbered(answers["survey_id"])
    waves = of_series.set_index("survey_id")["wave"].reindex(names).to_numpy(dtype=float)[numbers]
    known = ~np.isnan(waves)
    given = answers if known.all() else answers.loc[known]
    return given.assign(wave=waves[known].astype(int))


def in_both_waves(answers: pd.DataFrame, *, before: int, after: int) -> pd.DataFrame:
    """The answers, where two waves are there to compare; else none of them.

    A municipality that was asked in one wave only has no change, and that is no fault of its answers.

    Parameters
    ----------
    answers
        As from ``answers_by_wave``.
    before, after
        The waves.
    """
    return answers if {before, after} <= set(answers["wave"]) else answers.iloc[:0]


def crosswalk_by_wave(
    crosswalk: pd.DataFrame, surveys: pd.DataFrame, *, kind: str = "staff_survey"
) -> pd.DataFrame:
    """What each municipality asked in each wave of a series of surveys.

    Parameters
    ----------
    crosswalk
        Rows of ``CrosswalkTable``.
    surveys, kind
        As for ``answers_by_wave``.

    Returns
    -------
    DataFrame
        ``municipality_code``, ``wave``, ``item``, ``status`` and ``variant``.
    """
    own = survey_waves(surveys, kind=kind)
    joined = crosswalk.merge(
        own[["survey_id", "municipality_code", "wave"]], on="survey_id", validate="many_to_one"
    )
    return joined[["municipality_code", "wave", "item", "status", "variant"]]


def protected_shares(
    protected: pd.DataFrame, *, confidence_level: float = STANDARD_LEVEL
) -> pd.DataFrame:
    """Shares who agree, from counts that are safe to show.

    Parameters
    ----------
    protected
        As from ``protected_answers``.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    DataFrame
        One row per municipality, wave, item and ``service`` (``TOTAL`` for all): ``count``,
        ``base``, ``value``, ``lower``, ``upper`` (0 to 1; Wilson), ``confidence_level``,
        ``method`` and ``reason``.
    """
    keys = [*EVERY, "service"]
    agree = protected.loc[protected["answer_class"] == "agree"].drop(columns="answer_class")
    base = protected.loc[protected["answer_class"] == TOTAL, [*keys, "count"]]
    rows = agree.merge(base.rename(columns={"count": "base"}), on=keys, validate="one_to_one")
    known = rows["count"].notna() & rows["base"].notna()
    lower, upper = wilson_interval(rows["count"], rows["base"], confidence_level=confidence_level)
    reason = rows["reason"].astype(object)
    unknown_base = rows["base"].isna() & reason.isna()
    return rows.assign(
        count=rows["count"].where(known),
        value=(rows["count"] / rows["base"]).where(known),
        lower=pd.Series(lower, index=rows.index).where(known),
        upper=pd.Series(upper, index=rows.index).where(known),
        confidence_level=confidence_level,
        method="Wilson",
        reason=reason.mask(unknown_base, "can_be_derived"),
    )


def pooled_shares(shares: pd.DataFrame) -> pd.DataFrame:
    """Average share over municipalities of those who agree with each item, in each wave.

    Shares by service are parts of the municipality's own, and a later survey asked again: neither
    is another municipality.

    Parameters
    ----------
    shares
        As from ``protected_shares``, of one or more waves and of all services.

    Returns
    -------
    DataFrame
        As from ``pooled_estimate``, by ``item`` and ``wave``.
    """
    whole = shares.loc[shares["service"] == TOTAL]
    return pooled_estimate(with_standard_error(whole), by=("item", "wave"))


def protected_side_by_side(
    protected: pd.DataFrame,
    *,
    crosswalk: pd.DataFrame,
    wave: int,
    confidence_level: float = STANDARD_LEVEL,
) -> pd.DataFrame:
    """Shares who agree in one wave, across municipalities, from counts that are safe to show.

    Parameters
    ----------
    protected
        As from ``protected_answers``, of all municipalities.
    crosswalk
        As from ``crosswalk_by_wave``.
    wave, confidence_level
        The wave, and the level of the intervals.

    Returns
    -------
    DataFrame
        One row per municipality and item, as from ``protected_shares``. Items that were not asked
        alike have no value, ``reason`` ``not_asked`` or ``not_comparable``, and the
        ``explanation`` in words.
    """
    keys = ["municipality_code", "item"]
    own = protected.loc[(protected["wave"] == wave) & (protected["service"] == TOTAL)]
    shares = protected_shares(own, confidence_level=confidence_level)
    asked = comparisons_between_municipalities(crosswalk, wave=wave)
    kept, refused = comparable_answers(shares, asked)
    rows = pd.concat([kept.assign(explanation=None), refused])
    reason = rows["reason"].astype(object)
    return rows.assign(reason=reason.where(reason.notna(), None)).sort_values(
        keys, ignore_index=True
    )


def answers_behind(
    answers: pd.DataFrame,
    shown: pd.DataFrame,
    *,
    by: Sequence[str] = ("municipality_code", "item"),
) -> pd.DataFrame:
    """The answers that results shown elsewhere rest on, so that a sum of them says nothing new.

    An estimate over all municipalities, beside those of each, would tell of one that is hidden.

    Parameters
    ----------
    answers
        As from ``answers_by_wave``.
    shown
        Results with the columns of ``by`` and ``value``, as from ``protected_shares`` or
        ``protected_changes``; those without a value are hidden.
    by
        The columns that say which answers a result rests on.
    """
    keys = list(by)
    kept = pd.MultiIndex.from_frame(shown.loc[shown["value"].notna(), keys])
    number = answers.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()
    groups = answers[keys].loc[~pd.Series(number).duplicated().to_numpy()]
    return answers.loc[pd.MultiIndex.from_frame(groups).isin(kept)[number]]


class ItemComparisons(NamedTuple):
    """Two waves compared over all municipalities that are shown, a row for each item."""

    tests: pd.DataFrame  # of mcnemar_test
    shifts: pd.DataFrame  # of paired_shift
    superiority: pd.DataFrame  # of probability_of_superiority
    deltas: pd.DataFrame  # of cliffs_delta


def item_comparisons(
    parts: Iterable[pd.DataFrame], changes: pd.DataFrame, *, before: int, after: int
) -> ItemComparisons:
    """Two waves compared item by item, so that not all answers need be in memory at once.

    Only answers of municipalities whose change in the item is shown are counted: no sum then
    tells of one that is hidden. Tests of the same persons' answers count those of linked changes.

    Parameters
    ----------
    parts
        Answers as from ``answers_by_wave``, all of one or more items at a time.
    changes
        As from ``protected_changes``: whose change in which item is shown, and its ``linkage``.
    before, after
        The waves.

    Raises
    ------
    DataError
        If there is no part.
    """
    linked = {"linkage": "linked", "by": ("item",), "before": before, "after": after}
    of_linked = changes.loc[changes["linkage"] == "linked"]
    each = {"by": ("item",), "first": before, "second": after}
    found = [
        (
            mcnemar_test(answers_behind(part, of_linked), **linked),
            paired_shift(answers_behind(part, of_linked), **linked),
            probability_of_superiority(behind, **each),
            cliffs_delta(behind, **each),
        )
        for part in parts
        for behind in [answers_behind(part, changes)]
    ]
    if not found:
        raise DataError(f"no answers to compare wave {before} and {after} by; expected some items")
    return ItemComparisons(
        *(pd.concat(estimates, ignore_index=True) for estimates in zip(*found, strict=True))
    )


def item_scores(parts: Iterable[pd.DataFrame], *, wave: int) -> pd.DataFrame:
    """The answers of one wave as scales take them, read item by item.

    Parameters
    ----------
    parts
        Answers as from ``answers_by_wave``, all of one or more items at a time.
    wave
        The wave.

    Returns
    -------
    DataFrame
        A row for each respondent of each municipality, a column with the scores of each item.
    """
    person = [CODE, "respondent_id"]
    of_wave = [part.loc[part["wave"] == wave, [*person, "item", "score"]] for part in parts]
    if not of_wave:
        return pd.DataFrame(index=pd.MultiIndex.from_arrays([[], []], names=person))
    return pd.concat(of_wave).pivot(index=person, columns="item", values="score")


def sample_and_population(
    answers: pd.DataFrame, shares: pd.DataFrame, responses: pd.DataFrame, *, item: str, wave: int
) -> tuple[pd.DataFrame, pd.Series]:
    """The answers to an item from services that are shown, and how many these invited.

    Parameters
    ----------
    answers
        As from ``answers_by_wave``.
    shares
        As from ``protected_shares``: only services whose share is shown are taken.
    responses
        As from ``protected_survey``: only services whose number of invited is shown are taken.
    item, wave
        The item, and the wave.

    Returns
    -------
    tuple
        The answers that are not blank, with ``agreed`` (whether the person agrees) and ``workplace``
        (the service in its municipality); and the persons invited by ``municipality_code`` and
        ``service``, of the same services.
    """
    keys = ["municipality_code", "service"]
    own = shares.loc[
        (shares["item"] == item) & (shares["wave"] == wave) & (shares["service"] != TOTAL)
    ]
    invited = responses.loc[
        (responses["wave"] == wave) & (responses["service"] != TOTAL)
    ].drop_duplicates(keys)
    population = invited.dropna(subset=["base"]).set_index(keys)["base"].rename("population_count")
    of_item = (answers["item"] == item) & (answers["wave"] == wave) & answers["score"].notna()
    given = answers_behind(answers.loc[of_item], own, by=keys)
    places = pd.MultiIndex.from_frame(given[keys])
    known = places.isin(population.index)
    given, places = given.loc[known], places[known]
    sample = given.assign(
        agreed=given["score"] >= AGREES_FROM,
        workplace=given["municipality_code"] + " " + given["service"],
    )
    return sample, population.loc[population.index.isin(places)]


def shown_populations(responses: pd.DataFrame) -> pd.DataFrame:
    """Persons invited to each wave, as ``share_change`` takes a population; those hidden left out.

    Parameters
    ----------
    responses
        As from ``protected_survey``.

    Returns
    -------
    DataFrame
        ``municipality_code``, ``wave`` and ``population_count``.
    """
    keys = ["municipality_code", "wave"]
    whole = responses.loc[(responses["service"] == TOTAL) & responses["base"].notna()]
    rows = whole.drop_duplicates(keys)
    return rows[keys].assign(population_count=rows["base"]).reset_index(drop=True)


def survey_plan(
    responses: pd.DataFrame,
    shares: pd.DataFrame,
    *,
    item: str,
    wave: int,
    linkage_share: float,
    correlation: float,
) -> pd.DataFrame:
    """A survey to come, planned like the last one, as ``planned_detectable_change`` takes it.

    Parameters
    ----------
    responses, shares
        As from ``protected_survey`` and ``protected_shares``.
    item, wave
        What the last one was: its item, and its wave.
    linkage_share
        Share of the answers that can be linked to one in the other wave (0 to 1), as hoped for.
    correlation
        Between a person's two answers, as expected.

    Returns
    -------
    DataFrame
        One row per ``municipality_code``: ``invited_count``, ``response_share`` and
        ``before_share`` (missing where they are hidden), ``linkage_share`` and ``correlation``.
    """
    asked = responses.loc[(responses["wave"] == wave) & (responses["service"] == TOTAL)]
    asked = asked.drop_duplicates("municipality_code").set_index("municipality_code")
    own = shares.loc[
        (shares["item"] == item) & (shares["wave"] == wave) & (shares["service"] == TOTAL)
    ].set_index("municipality_code")
    return pd.DataFrame(
        {
            "invited_count": asked["base"].astype(float),
            "response_share": asked["value"].astype(float),
            "before_share": own["value"].astype(float).reindex(asked.index),
            "linkage_share": linkage_share,
            "correlation": correlation,
        }
    ).reset_index()


def protected_changes(
    changes: pd.DataFrame,
    protected: pd.DataFrame,
    *,
    before: int,
    after: int,
    threshold: int = 5,
) -> pd.DataFrame:
    """Changes of shares without those that would tell of too few.

    A change gives away the counts behind it, to a reader who takes its interval into account:
    of linked answers, how many of the linked agreed before and after.

    Parameters
    ----------
    changes
        As from ``share_change`` or ``with_detectable_change``.
    protected
        As from ``protected_answers``, with the same answers.
    before, after
        The waves.
    threshold
        Smallest count, and smallest complement, that may lie behind a change, among those it
        counts and, where it counts only some of a wave's answers, among the rest of them; of
        linked answers also the smallest count of each pair of answers.

    Returns
    -------
    DataFrame
        The same rows; value and limits missing where hidden, with the ``reason``:
        ``base_too_small`` where those counted are few, ``protected`` where some count behind the
        change is, or ``can_be_derived`` where a share of the same wave is hidden.
    """
    shares = protected_shares(protected.loc[protected["service"] == TOTAL])
    shares = shares.set_index(EVERY)[["count", "base"]].astype(float)
    few = pd.Series(False, index=changes.index)
    beside = pd.Series(False, index=changes.index)
    for wave, own in zip((before, after), counts_behind(changes), strict=True):
        key = changes[["municipality_code", "item"]].assign(wave=wave)[EVERY]
        every = shares.reindex(pd.MultiIndex.from_frame(key)).set_axis(changes.index)
        rest = every - own
        few |= _is_small(own, threshold) | (rest["base"].gt(0) & _is_small(rest, threshold))
        beside |= every.isna().any(axis=1)
    few |= is_small(pairs_behind(changes), threshold).any(axis=1)
    hidden = ("value", "lower", "upper", "before_count", "after_count", "count")
    hidden += ("before_only_count", "after_only_count")
    bases = pd.concat([own["base"] for own in counts_behind(changes)], axis=1)
    few_counted = is_small(bases, threshold).any(axis=1)
    held = withhold(changes, few_counted, "base_too_small", columns=hidden)
    held = withhold(held, few, "protected", columns=hidden)
    return withhold(held, beside, "can_be_derived", columns=hidden)


def counts_behind(changes: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Those who agreed and all whom a change counts, before and after.

    Parameters
    ----------
    changes
        As from ``share_change``; of linked answers only the linked are counted.

    Returns
    -------
    tuple of DataFrame
        ``count`` and ``base`` in the first wave and in the second, by the rows of ``changes``.
    """
    numbers = changes[
        ["before_count", "before_base", "after_count", "after_base", "count", "base", "value"]
    ].astype(float)
    linked = changes["linkage"] == "linked"
    before = (numbers["count"] - (numbers["value"] * numbers["base"]).round()).where(
        linked, numbers["before_count"]
    )
    after = numbers["count"].where(linked, numbers["after_count"])
    return (
        pd.DataFrame(
            {"count": before, "base": numbers["base"].where(linked, numbers["before_base"])}
        ),
        pd.DataFrame(
            {"count": after, "base": numbers["base"].where(linked, numbers["after_base"])}
        ),
    )


def pairs_behind(changes: pd.DataFrame) -> pd.DataFrame:
    """How the pairs behind changes of linked answers fell; missing for other answers.

    A change and its interval give away all four, to a reader who tries which fit.

    Returns
    -------
    DataFrame
        ``both`` (agreed in both waves), ``before_only``, ``after_only`` and ``neither``, by the
        rows of ``changes``.
    """
    before, after = (
        changes.get(f"{wave}_only_count", pd.Series(np.nan, index=changes.index)).astype(float)
        for wave in ("before", "after")
    )
    both = changes["count"].astype(float) - after
    neither = changes["base"].astype(float) - both - before - after
    return pd.DataFrame(
        {"both": both, "before_only": before, "after_only": after, "neither": neither}
    )


def _is_small(counts: pd.DataFrame, threshold: int) -> pd.Series:
    """Whether the count or its complement is under the threshold."""
    rest = counts["base"] - counts["count"]
    return is_small(counts["count"], threshold) | is_small(rest, threshold)


def indicator_noise(observations: pd.DataFrame, noise: pd.DataFrame | None) -> dict[str, float]:
    """How far the published counts of each indicator may be from the true ones.

    Parameters
    ----------
    observations
        Rows of ``ObservationsTable``.
    noise
        Rows of ``NoiseTable``, if the study has any.

    Returns
    -------
    dict
        The largest width of an indicator's sources; indicators without noise are left out.
    """
    if noise is None or noise.empty or observations.empty:
        return {}
    width = observations["source"].map(noise.set_index("noisy_source")["width"])
    return width.groupby(observations["indicator_id"]).max().dropna().to_dict()


def protected_values(
    values: pd.DataFrame,
    *,
    threshold: int = 5,
    totals: pd.DataFrame | None = None,
    noise: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Yearly values of indicators without those that rest on counts too small to show.

    Parameters
    ----------
    values
        As from ``yearly_values`` or ``present_day_values``; a reason that stands there already
        is kept.
    threshold
        Smallest count, complement and base that may be shown. Of a series with more than half of
        its years below it, all years are hidden.
    totals
        As for ``protected_indicators``, where sums over municipalities are shown too; a hidden
        count is then guarded against subtraction.
    noise
        As for ``protected_indicators``.

    Returns
    -------
    DataFrame
        As the first of ``protected_indicators``.
    """
    given = pd.DataFrame(columns=[*KEYS, *COUNTS]) if totals is None else totals
    return protected_indicators(values, totals=given, threshold=threshold, noise=noise)[0]


def protected_indicators(
    values: pd.DataFrame,
    *,
    totals: pd.DataFrame,
    threshold: int = 5,
    noise: Mapping[str, float] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Yearly values of indicators and of the areas that sum them, without what may not be shown.

    Municipalities, counties and the area that holds all are protected together: a hidden count
    can be found neither from its county less the others there, nor from all less the other
    counties. An area is hidden only where no municipality in it will do.

    Parameters
    ----------
    values
        As from ``yearly_values`` or ``present_day_values``; a reason that stands there already
        is kept.
    totals
        As from ``indicator_totals``: ``indicator_id``, ``year``, ``value``, ``numerator``,
        ``denominator`` and, where there are counties among them, ``county_code``, missing for the
        area that holds all municipalities. Of values carried over to the municipalities of today,
        the counties must be those of today too.
    threshold
        Smallest count, complement and base that may be shown. Of a series with more than half of
        its years below it, all years are hidden.
    noise
        As from ``indicator_noise``: how far the counts of indicators may be from the true ones.

    Returns
    -------
    tuple of DataFrame
        The rows of ``values`` and those of ``totals``; ``value``, ``numerator`` and
        ``denominator`` missing and ``reason`` given where hidden. Values without counts are left
        as they are. Areas have ``municipality_count``: municipalities in them with counts.

    Raises
    ------
    DataError
        If the counts of an area are not the sums of its municipalities', noise allowed for.
    """
    given = values.get("reason")
    rows = values.assign(reason=given).astype({"reason": object})
    counted = rows["numerator"].notna() & rows["denominator"].notna()
    sums = _with_members(totals, rows.loc[counted]).assign(reason=None)
    cells = pd.concat(
        [
            rows.loc[counted].assign(is_sum=False),
            sums.assign(municipality_code=county_codes(sums).fillna(TOTAL), is_sum=True),
        ]
        if len(sums)
        else [rows.loc[counted].assign(is_sum=False)],
        ignore_index=True,
    ).rename(columns={"numerator": "count", "denominator": "base"})
    if cells.empty:
        return rows, sums
    widths = cells["indicator_id"].map(noise or {}).fillna(0.0).astype(float)
    cells = cells.assign(lower=np.nan, upper=np.nan, noise=widths)
    keys = ["municipality_code", "indicator_id"]
    weak = hidden_series(cells, series=keys, threshold=threshold)
    small = primary_reasons(cells["count"], cells["base"], threshold=threshold).notna()
    touched = small.groupby([cells["indicator_id"], cells["year"]]).transform("any") | weak.any()
    if not touched.any():
        return rows, sums
    safe = protect_shares(
        cells.loc[touched],
        dimensions=("municipality_code",),
        of=("indicator_id", "year"),
        parents={"municipality_code": county_of(cells.loc[~cells["is_sum"], "municipality_code"])},
        threshold=threshold,
        series=keys if weak.any() else None,
    )
    safe = pd.concat([safe, cells.loc[~touched]]).sort_index()
    renamed = safe.rename(columns={"count": "numerator", "base": "denominator"})
    is_sum = renamed["is_sum"].astype(bool)
    shown = pd.concat([renamed.loc[~is_sum, rows.columns], rows.loc[~counted]])
    return (
        shown.sort_values(["municipality_code", "indicator_id", "year"]).reset_index(drop=True),
        renamed.loc[is_sum].reindex(columns=sums.columns).reset_index(drop=True),
    )


def county_of(codes: pd.Series) -> dict[str, str]:
    """The county of each municipality: the first two digits of its code."""
    return {code: code[:2] for code in codes.unique()}


def county_codes(totals: pd.DataFrame) -> pd.Series:
    """The counties of ``totals``; missing for the area that holds all municipalities."""
    if "county_code" in totals:
        return totals["county_code"].astype(object).where(totals["county_code"].notna(), None)
    return pd.Series(None, index=totals.index, dtype=object)


def _with_members(totals: pd.DataFrame, counted: pd.DataFrame) -> pd.DataFrame:
    """The totals with how many municipalities with counts there are in each."""
    if totals.empty:
        return totals.assign(municipality_count=0)
    areas = pd.concat(
        [counted.assign(area_code=TOTAL), counted.assign(area_code=counted[CODE].str[:2])]
    )
    number = areas.groupby([*KEYS, "area_code"])[CODE].nunique()
    at = pd.MultiIndex.from_arrays(
        [*(totals[key] for key in KEYS), county_codes(totals).fillna(TOTAL)]
    )
    return totals.assign(municipality_count=number.reindex(at).fillna(0).astype(int).to_numpy())


def targets_by_municipality(targets: pd.DataFrame, municipality_codes: list[str]) -> pd.DataFrame:
    """Targets of indicators that hold for every municipality, one row for each.

    Returns
    -------
    DataFrame
        ``municipality_code``, ``indicator_id``, ``direction``, ``target_value``, ``target_year``.
    """
    own = targets.loc[targets["indicator_id"].notna()]
    shaped = pd.DataFrame(
        {
            "indicator_id": own["indicator_id"],
            "direction": own["direction"],
            "target_value": own["value"],
            "target_year": own["due"].str.slice(0, 4).astype(int),
        }
    )
    codes = pd.DataFrame({"municipality_code": municipality_codes})
    return codes.merge(shaped, how="cross")


def indicator_totals(observations: pd.DataFrame, *, areas: pd.DataFrame) -> pd.DataFrame:
    """Yearly counts of the areas that sum a study's municipalities; their groups are left out.

    Parameters
    ----------
    observations
        Rows of ``ObservationsTable``.
    areas
        Rows of ``AreasTable``: which areas hold which municipalities. An area that is not among
        them is no sum of the study's municipalities, and is left out.

    Returns
    -------
    DataFrame
        ``area``, ``county_code`` (missing for the area that holds all), ``indicator_id``,
        ``year``, ``value``, ``numerator`` and ``denominator``; of several observations in a year
        the last.
    """
    own = observations.loc[observations["municipality_code"].isna() & observations["group"].isna()]
    named = own.merge(areas[AREA], on="area", how="inner", validate="many_to_one")
    dated = named.assign(
        year=named["period"].str.slice(0, 4).astype(int), last_day=last_days(named["period"])
    ).sort_values(["last_day", "period"], kind="stable")
    latest = dated.drop_duplicates(["area", *KEYS], keep="last").sort_index()
    return latest[[*AREA, *KEYS, "value", *COUNTS]].reset_index(drop=True)


def indicator_areas(totals: pd.DataFrame, municipality_codes: Sequence[str]) -> pd.DataFrame:
    """County and the area that holds all municipalities, as ``comparison_with_areas`` takes them.

    Parameters
    ----------
    totals
        As from ``protected_indicators``.
    municipality_codes
        The municipalities that are compared with them.

    Returns
    -------
    DataFrame
        For each municipality the rows of ``totals`` for its county (``area`` is ``"county"``),
        then for the area that holds all (``"all"``).
    """
    codes = pd.DataFrame({"municipality_code": list(municipality_codes)})
    every = totals.assign(county_code=county_codes(totals))
    counties = every.loc[every["county_code"].notna()].assign(area="county")
    of_county = codes.assign(county_code=codes["municipality_code"].str[:2]).merge(
        counties, on="county_code", how="inner"
    )
    of_all = codes.merge(every.loc[every["county_code"].isna()].assign(area="all"), how="cross")
    parts = [part for part in (of_county, of_all) if len(part)] or [of_all]
    return pd.concat(parts, ignore_index=True)


def group_values(
    observations: pd.DataFrame,
    *,
    area: str,
    groups: Sequence[str],
    threshold: int = 5,
) -> pd.DataFrame:
    """Yearly values of the groups of an area, in their order, safe to show.

    Groups part the whole of the area, so a small count could be found from the others: where one
    is hidden, all groups of that indicator and year are. Of single municipalities they say nothing
    that the whole does not.

    Parameters
    ----------
    observations
        Rows of ``ObservationsTable``, with counts.
    area
        The area.
    groups
        The groups in their order, such as from the worst off to the best off.
    threshold
        Smallest count, complement and base that may be shown.

    Returns
    -------
    DataFrame
        One row per ``indicator_id``, ``year`` and ``group``, in that order: ``group_order`` (from
        1), ``numerator``, ``denominator``, ``value`` (per cent), its ``standard_error`` (binomial)
        and ``reason``.

    Raises
    ------
    DataError
        If the area has none of the groups, or a group stands twice in a year.
    """
    own = observations.loc[(observations["area"] == area) & observations["group"].isin(groups)]
    if own.empty:
        raise DataError(f"no observations of {area!r} by group; expected: {', '.join(groups)}")
    keys = ["indicator_id", "year"]
    rows = own.assign(
        year=own["period"].str.slice(0, 4).astype(int),
        group_order=own["group"].map({group: n for n, group in enumerate(groups, start=1)}),
    )
    require_once(rows, [*keys, "group"], name="observations")
    rows = rows.sort_values([*keys, "group_order"], ignore_index=True)
    count, base = rows["numerator"].astype(float), rows["denominator"].astype(float)
    small = primary_reasons(count, base, threshold=threshold)
    beside = small.notna().groupby([rows[key] for key in keys]).transform("any") & small.isna()
    reason = small.mask(beside, "can_be_derived")
    share = count / base
    shown = rows[[*keys, "group", "group_order"]].assign(
        numerator=count,
        denominator=base,
        value=100 * share,
        standard_error=100 * np.sqrt(share * (1 - share) / base),
        reason=reason.where(reason.notna(), None),
    )
    numbers = ["numerator", "denominator", "value", "standard_error"]
    shown[numbers] = shown[numbers].mask(reason.notna())
    return shown


def measure_starts(
    values: pd.DataFrame, *, treated: Sequence[str], treated_from: int
) -> pd.DataFrame:
    """When each municipality got the measure, as ``staggered_effects`` takes it.

    Parameters
    ----------
    values
        As from ``protected_values``: of all indicators, or some indicators at a time where
        together they are too many.
    treated, treated_from
        As for ``indicator_effect``.

    Returns
    -------
    DataFrame
        ``municipality_code`` and ``first_treated_year``, missing for those without.
    """
    codes = np.sort(values["municipality_code"].unique())
    return pd.DataFrame(
        {
            "municipality_code": codes,
            "first_treated_year": np.where(np.isin(codes, list(treated)), treated_from, np.nan),
        }
    )


def indicator_profiles(values: pd.DataFrame, *, year: int) -> pd.DataFrame:
    """What municipalities are compared on to find those most alike: size and level before.

    Parameters
    ----------
    values
        As from ``yearly_values``.
    year
        The year, best the last one before the measure.

    Returns
    -------
    DataFrame
        One row per ``municipality_code`` with ``log_base`` (logarithm of the largest base) and a
        column per indicator.
    """
    own = values.loc[values["year"] == year]
    wide = own.pivot(index="municipality_code", columns="indicator_id", values="value")
    size = np.log(own.groupby("municipality_code")["denominator"].max())
    return wide.assign(log_base=size).rename_axis(columns=None).reset_index()


def funnel_counts(values: pd.DataFrame, *, indicator_id: str, year: int) -> pd.DataFrame:
    """Count and base of an indicator in every municipality in a year, for a funnel."""
    own = values.loc[(values["indicator_id"] == indicator_id) & (values["year"] == year)]
    return own.rename(columns={"numerator": "count", "denominator": "base"})[
        ["municipality_code", "count", "base"]
    ].reset_index(drop=True)


def of_indicator(values: pd.DataFrame, indicator_id: str) -> pd.DataFrame:
    return values.loc[values["indicator_id"] == indicator_id]


def indicator_effect(
    values: pd.DataFrame,
    *,
    indicator_id: str,
    treated: Sequence[str],
    treated_from: int,
    confidence_level: float = STANDARD_LEVEL,
) -> pd.DataFrame:
    """Difference in differences of one indicator against all municipalities without the measure.

    Parameters
    ----------
    values
        As from ``protected_values``.
    indicator_id
        The indicator.
    treated
        Codes of the municipalities with the measure.
    treated_from
        First year with the measure.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    DataFrame
        One row, as from ``difference_in_differences`` with permutation.
    """
    own = of_indicator(values, indicator_id)
    return difference_in_differences(
        own,
        treated=treated,
        comparison=sorted(set(own["municipality_code"]) - set(treated)),
        treated_from=treated_from,
        confidence_levels=(confidence_level,),
    )


def indicator_synthetic_controls(
    values: pd.DataFrame,
    *,
    indicator_id: str,
    treated: Sequence[str],
    treated_from: int,
    confidence_level: float = STANDARD_LEVEL,
) -> pd.DataFrame:
    """Synthetic control of one indicator for each municipality with the measure.

    Parameters
    ----------
    values, indicator_id, treated, treated_from, confidence_level
        As for ``indicator_effect``; all municipalities without the measure are donors.

    Returns
    -------
    DataFrame
        As from ``synthetic_control``, one row per municipality.
    """
    own = of_indicator(values, indicator_id)
    return synthetic_control(
        own,
        treated=treated,
        treated_from=treated_from,
        donors=sorted(set(own["municipality_code"]) - set(treated)),
        confidence_levels=(confidence_level,),
    )


def indicator_synthetic_path(
    values: pd.DataFrame,
    *,
    indicator_id: str,
    municipality_code: str,
    treated: Sequence[str],
    treated_from: int,
) -> pd.DataFrame:
    """One municipality beside its synthetic control, year by year.

    Parameters
    ----------
    values, indicator_id, treated, treated_from
        As for ``indicator_effect``.
    municipality_code
        The municipality.

    Returns
    -------
    DataFrame
        As from ``synthetic_control_path``; no rows where the municipality has no values, or no
        other can be a donor.
    """
    own = of_indicator(values, indicator_id)
    donors = sorted(set(own["municipality_code"]) - set(treated))
    if not donors or municipality_code not in set(own["municipality_code"]):
        return pd.DataFrame(
            columns=["municipality_code", "year", "value", "synthetic_value", "gap"]
        )
    weights = synthetic_control_weights(
        own, municipality_code=municipality_code, treated_from=treated_from, donors=donors
    )
    return synthetic_control_path(own, weights)


def goal_changes(
    results: Mapping[str, pd.DataFrame],
    *,
    evidence: Mapping[str, str],
    scale: Mapping[str, float],
    baselines: Mapping[str, pd.Series] | None = None,
) -> pd.DataFrame:
    """Changes that goals are judged by, as ``judge_goal_attainment`` takes them.

    Parameters
    ----------
    results
        By goal: one row per municipality with ``value``, ``lower``, ``upper``,
        ``confidence_level``, ``method`` and ``reason``.
    evidence
        By goal, the kind of evidence: a code of ``EVIDENCE_GRADES``.
    scale
        By goal, what brings its changes and baselines into the unit of the rules.
    baselines
        By goal with a target, the level that its changes are measured from, by municipality, as
        from ``baseline_shares``; a goal that is not there has none.
    """
    columns = ["municipality_code", "value", "lower", "upper", "confidence_level"]
    parts = []
    for goal, result in results.items():
        known = (baselines or {}).get(goal, pd.Series(dtype=float))
        part = result[[*columns, "method", "reason"]].assign(
            goal_id=goal,
            evidence_grade=evidence[goal],
            baseline_value=result["municipality_code"].map(known).astype(float) * scale[goal],
        )
        numbers = ["value", "lower", "upper"]
        part[numbers] = part[numbers].astype(float) * scale[goal]
        parts.append(part.astype({"reason": object}))
    return pd.concat(parts, ignore_index=True)


def baseline_shares(changes: pd.DataFrame) -> pd.Series:
    """The share who agreed before, among those whom each change counts.

    Parameters
    ----------
    changes
        As from ``protected_changes``, of one item and one pair of waves.

    Returns
    -------
    Series
        0 to 1, by ``municipality_code``; missing where the change is hidden.

    Raises
    ------
    DataError
        If a municipality is there more than once.
    """
    require_once(changes, ["municipality_code"], name="changes")
    before, _ = counts_behind(changes)
    share = (before["count"] / before["base"]).where(changes["value"].notna())
    return share.set_axis(changes["municipality_code"])


def goal_rules(claims: pd.DataFrame, *, scale: float = 1.0) -> pd.DataFrame:
    """The rules that the study declares for its goals, as ``judge_goal_attainment`` takes them.

    Parameters
    ----------
    claims
        Claims of the study; those about ``regel-<goal_id>`` are read: ``direction``,
        ``smallest_change`` (percentage points), ``minimum_evidence`` and, where there is one,
        ``target_value`` (the level to reach, in per cent).
    scale
        What the smallest change and the target are multiplied with, 0.01 where changes are shares.

    Returns
    -------
    DataFrame
        One row per ``goal_id`` with ``target_value`` (missing where none is declared) and
        ``confidence_level`` (0.95).
    """
    own = claims.loc[claims["chosen"] & claims["subject"].str.startswith("regel-")]
    wide = own.pivot(index="subject", columns="quantity", values="value")
    needed = ["direction", "smallest_change", "minimum_evidence"]
    missing = [name for name in needed if name not in wide.columns]
    if missing:
        raise DataError(f"the claims hold no rule with {', '.join(missing)}; expected one per goal")
    wide = wide.reindex(columns=[*needed, "target_value"])
    return pd.DataFrame(
        {
            "goal_id": wide.index.str.removeprefix("regel-"),
            "direction": wide["direction"].to_numpy(),
            "target_value": wide["target_value"].astype(float).to_numpy() * scale,
            "smallest_change": wide["smallest_change"].astype(float).to_numpy() * scale,
            "minimum_evidence": wide["minimum_evidence"].to_numpy(),
            "confidence_level": STANDARD_LEVEL,
        }
    )


def with_standard_error(results: pd.DataFrame) -> pd.DataFrame:
    """Results with the standard error that their limits imply, taken as normal.

    Parameters
    ----------
    results
        Rows with ``lower``, ``upper`` and ``confidence_level``.
    """
    z = results["confidence_level"].map(z_value)
    return results.assign(standard_error=(results["upper"] - results["lower"]) / (2 * z))


def coded_units(codings: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``CodingsTable`` as the qualitative statistics take them.

    Returns
    -------
    DataFrame
        The rows with ``code`` for ``code_id``.
    """
    return codings.rename(columns={"code_id": "code"})


def truth_and_estimates(
    claims: pd.DataFrame, estimates: Mapping[str, pd.DataFrame], *, scale: Mapping[str, float]
) -> pd.DataFrame:
    """What the generator knows beside what was estimated.

    Parameters
    ----------
    claims
        Claims of a synthetic study; those about ``sannhet-<name>`` are read.
    estimates
        By name, one row with ``value``, ``lower``, ``upper``, ``method`` and ``reason``.
    scale
        By name, what the estimate is multiplied with to be in the unit of the truth.

    Returns
    -------
    DataFrame
        One row per name: ``label``, ``unit``, ``truth``, ``value``, ``lower``, ``upper``,
        ``method``, ``reason``, ``source``, ``locator`` and ``confidence_level`` and ``covered`` (whether the interval
        holds the truth; missing without an interval).
    """
    known = claims.loc[claims["subject"].str.startswith("sannhet-")].set_index("subject")
    rows = []
    for name, estimate in estimates.items():
        truth = known.loc[f"sannhet-{name}"]
        found = estimate.iloc[0]
        value, lower, upper = (found[part] * scale[name] for part in ("value", "lower", "upper"))
        inside = None if pd.isna(lower) else bool(lower <= float(truth["value"]) <= upper)
        rows.append(
            {
                "name": name,
                "label": truth["label"],
                "unit": truth["unit"],
                "truth": float(truth["value"]),
                "value": value,
                "lower": lower,
                "upper": upper,
                "covered": inside,
                "confidence_level": found["confidence_level"],
                "method": found["method"],
                "reason": found["reason"],
                "source": truth["source"],
                "locator": truth["locator"],
            }
        )
    return pd.DataFrame(rows)


def indicator_effects(
    values: pd.DataFrame | Iterable[pd.DataFrame], *, treated: Sequence[str], treated_from: int
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Difference in differences of every indicator that comparison municipalities have too.

    An indicator is passed over if no municipality with the measure, or fewer than two without
    it, have a value both before and after it began.

    Parameters
    ----------
    values
        As from ``protected_values``: of all indicators, or some indicators at a time where
        together they are too many.
    treated, treated_from
        As for ``indicator_effect``.

    Returns
    -------
    tuple of dict
        By indicator, as from ``indicator_effect``, and as from ``pretrend_check``.
    """
    effects, pretrends = {}, {}
    parts = [values] if isinstance(values, pd.DataFrame) else values
    every = (
        one
        for part in parts
        for one in part.dropna(subset=["value"]).groupby("indicator_id", sort=False)
    )
    for indicator_id, own in every:
        early = set(own.loc[own["year"] < treated_from, "municipality_code"])
        held = early & set(own.loc[own["year"] >= treated_from, "municipality_code"])
        others = sorted(held - set(treated))
        if not held & set(treated) or len(others) < 2:
            continue
        design = {"treated": list(treated), "treated_from": treated_from}
        effects[indicator_id] = indicator_effect(own, indicator_id=indicator_id, **design)
        pretrends[indicator_id] = pretrend_check(own, comparison=others, **design)
    return effects, pretrends
