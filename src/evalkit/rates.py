"""Rates of events in populations: crude, and standardised for age or another stratum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from evalkit.accepted import COUNT, GROUP, KEY, PERSONS, Rows, accepts
from evalkit.errors import DataError
from evalkit.reasons import level_rows, withhold
from evalkit.uncertainty import BYAR_FROM, STANDARD_LEVELS, byar_interval, count_interval

__all__ = [
    "crude_rate",
    "directly_standardised_rate",
    "indirectly_standardised_rate",
    "indirectly_standardised_ratio",
]

PER = 100_000  # rates are per this many person-years unless another is asked for


@accepts(events=Rows({"event_count": COUNT, "population_count": COUNT}, named={"by": GROUP}))
def crude_rate(
    events: pd.DataFrame,
    *,
    by: Sequence[str] = ("municipality_code",),
    per: float = PER,
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """Events per person-years, by municipality.

    Parameters
    ----------
    events
        ``event_count`` and ``population_count`` (person-years) with the columns of ``by``;
        rows of the same group are added up.
    by
        Columns that make a row.
    per
        Person-years the rate is given per.
    confidence_levels
        Levels wanted.

    Returns
    -------
    DataFrame
        The columns of ``by``; ``count`` (events), ``base`` (person-years), ``value`` (events
        per ``per``), limits, ``confidence_level``, ``method`` (exact under ten events, Byar's
        from ten), ``reason`` (``missing`` where a number is blank or there is nobody).

    References
    ----------
    Public Health England (2018), Technical guide: confidence intervals.
    """
    totals = _totals(events, by)
    rows = []
    for level in confidence_levels:
        lower, upper, method = count_interval(totals["count"], confidence_level=level)
        scale = per / totals["base"].where(totals["base"] > 0)
        rows.append(
            totals.assign(
                value=totals["count"] * scale,
                lower=lower * scale,
                upper=upper * scale,
                confidence_level=level,
                method=method,
            )
        )
    return _with_missing(rows)


@accepts(
    events=Rows(
        {"event_count": COUNT, "population_count": COUNT}, named={"stratum": KEY, "by": GROUP}
    ),
    standard=PERSONS,
)
def directly_standardised_rate(
    events: pd.DataFrame,
    *,
    standard: pd.Series,
    stratum: str = "age_group",
    by: Sequence[str] = ("municipality_code",),
    per: float = PER,
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """The rate a municipality would have with the standard population's age composition.

    Parameters
    ----------
    events
        One row per group and stratum: ``event_count``, ``population_count`` (person-years).
    standard
        Persons in the standard population, indexed by stratum.
    stratum
        The column standardised for.
    by
        Columns that make a row.
    per
        Person-years the rate is given per.
    confidence_levels
        Levels wanted.

    Returns
    -------
    DataFrame
        As ``crude_rate``, with method ``Dobson``; under ten events the value is withheld as
        ``too_few``, and as ``missing`` where a stratum of the standard is lacking, has a blank
        number or nobody in it.

    Raises
    ------
    DataError
        If a group has a stratum twice or one that the standard lacks, or the standard has a
        stratum twice or without a number.

    References
    ----------
    Dobson, Kuulasmaa, Eberle and Scherer (1991), Stat. Med. 10, 457-462.
    """
    if standard.isna().any():
        raise DataError(f"the standard has some {stratum} without a number of persons")
    complete = _every_stratum(events, by, stratum, standard.index)
    share = complete[stratum].map(standard / standard.sum()).astype(float)
    weight = share / complete["population_count"].where(complete["population_count"] > 0)
    totals = _totals(
        complete.assign(
            weighted=complete["event_count"] * weight, variance=complete["event_count"] * weight**2
        ),
        by,
        "weighted",
        "variance",
    )
    rows = []
    for level in confidence_levels:
        low, high = byar_interval(totals["count"], confidence_level=level)
        step = np.sqrt(totals["variance"] / totals["count"].where(totals["count"] > 0))
        rows.append(
            totals.assign(
                value=totals["weighted"] * per,
                lower=(totals["weighted"] + step * (low - totals["count"])) * per,
                upper=(totals["weighted"] + step * (high - totals["count"])) * per,
                confidence_level=level,
                method="Dobson",
            ).drop(columns=["weighted", "variance"])
        )
    result = _with_missing(rows)
    return withhold(result, result["count"] < BYAR_FROM, "too_few")


@accepts(
    events=Rows(
        {"event_count": COUNT, "population_count": COUNT}, named={"stratum": KEY, "by": GROUP}
    ),
    reference=Rows({"event_count": COUNT, "population_count": COUNT}, named={"stratum": KEY}),
)
def indirectly_standardised_ratio(
    events: pd.DataFrame,
    *,
    reference: pd.DataFrame,
    stratum: str = "age_group",
    by: Sequence[str] = ("municipality_code",),
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """Events against those expected at the reference population's rates (SMR, ISR).

    Parameters
    ----------
    events
        One row per group and stratum: ``event_count``, ``population_count`` (person-years).
    reference
        ``event_count`` and ``population_count`` per stratum, such as the country's.
    stratum, by, confidence_levels
        As in ``directly_standardised_rate``.

    Returns
    -------
    DataFrame
        The columns of ``by``; ``count`` (events), ``base`` (person-years),
        ``expected_count``, ``value`` (1 for as many as expected), limits,
        ``confidence_level``, ``method`` (exact under ten events, Byar's from ten), ``reason``
        (``missing`` where a stratum is lacking or has a blank number, or none is expected).

    Raises
    ------
    DataError
        If a group has a stratum twice or one that the reference lacks, or the reference has
        blank events or nobody in a stratum in which somebody lives.

    References
    ----------
    Breslow and Day (1987), Statistical Methods in Cancer Research, volume II, section 2.3.
    """
    complete = _every_stratum(events, by, stratum, reference[stratum])
    needed = complete.loc[complete["population_count"] != 0, stratum]
    rate = complete[stratum].map(_reference_rates(reference, stratum, needed)).astype(float)
    totals = _totals(
        complete.assign(expected_count=complete["population_count"] * rate), by, "expected_count"
    )
    rows = []
    for level in confidence_levels:
        lower, upper, method = count_interval(totals["count"], confidence_level=level)
        expected_count = totals["expected_count"].where(totals["expected_count"] > 0)
        rows.append(
            totals.assign(
                value=totals["count"] / expected_count,
                lower=lower / expected_count,
                upper=upper / expected_count,
                confidence_level=level,
                method=method,
            )
        )
    return _with_missing(rows)


@accepts(
    events=Rows(
        {"event_count": COUNT, "population_count": COUNT}, named={"stratum": KEY, "by": GROUP}
    ),
    reference=Rows({"event_count": COUNT, "population_count": COUNT}, named={"stratum": KEY}),
)
def indirectly_standardised_rate(
    events: pd.DataFrame,
    *,
    reference: pd.DataFrame,
    stratum: str = "age_group",
    by: Sequence[str] = ("municipality_code",),
    per: float = PER,
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
) -> pd.DataFrame:
    """The indirectly standardised ratio times the reference population's crude rate.

    Parameters
    ----------
    events, reference, stratum, by, confidence_levels
        As in ``indirectly_standardised_ratio``.
    per
        Person-years the rate is given per.

    Returns
    -------
    DataFrame
        As ``indirectly_standardised_ratio``, with ``value`` and limits per ``per``, and
        ``reference_rate``.
    """
    ratio = indirectly_standardised_ratio(
        events, reference=reference, stratum=stratum, by=by, confidence_levels=confidence_levels
    )
    rate = reference["event_count"].sum() / reference["population_count"].sum() * per
    scaled = {name: ratio[name] * rate for name in ("value", "lower", "upper")}
    return ratio.assign(**scaled, reference_rate=rate)


def _totals(events: pd.DataFrame, by: Sequence[str], *more: str) -> pd.DataFrame:
    """Sums per group; a sum with a blank in it is blank."""
    summed = events.groupby(list(by), as_index=False, dropna=False)[
        ["event_count", "population_count", *more]
    ].agg(lambda column: column.sum(skipna=False))
    return summed.rename(columns={"event_count": "count", "population_count": "base"})


def _every_stratum(
    events: pd.DataFrame, by: Sequence[str], stratum: str, expected: Sequence
) -> pd.DataFrame:
    """The events with a row for every group and stratum, blank where the group lacks it."""
    if events.duplicated([*by, stratum]).any():
        raise DataError(f"a group has the same {stratum} twice")
    strange = sorted(map(str, set(events[stratum]) - set(expected)))
    if strange:
        raise DataError(f"{stratum} {strange} not in the standard or reference population")
    strata = pd.DataFrame({stratum: expected})
    if strata[stratum].duplicated().any():
        raise DataError(f"the standard or reference population has the same {stratum} twice")
    return (
        events[list(by)]
        .drop_duplicates()
        .merge(strata, how="cross")
        .merge(events, on=[*by, stratum], how="left", validate="one_to_one")
    )


def _reference_rates(reference: pd.DataFrame, stratum: str, needed: pd.Series) -> pd.Series:
    """The reference's rate in each stratum; nought in those where nobody lives."""
    counts = reference.set_index(stratum)
    usable = counts["event_count"].notna() & (counts["population_count"] > 0)
    unusable = counts.index[~usable & counts.index.isin(needed)]
    if len(unusable):
        raise DataError(
            f"the reference population has blank events or nobody in {stratum} {list(unusable)}"
        )
    return (counts["event_count"] / counts["population_count"]).where(usable, 0.0)


def _with_missing(blocks: list[pd.DataFrame]) -> pd.DataFrame:
    rows = level_rows(blocks)
    unknown = rows[["count", "base", "value"]].isna().any(axis=1)
    return withhold(rows.assign(reason=None), unknown, "missing")
