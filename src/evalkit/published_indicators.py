"""Indicators of a municipality: value, target and what is left, as published."""

from __future__ import annotations

import pandas as pd

from evalkit.process import period_days

__all__ = [
    "indicator_overview",
    "indicator_values",
    "latest_values",
    "passed_over",
    "withheld_values",
]

COUNTS = ("value", "numerator", "denominator")


def listed(ids: pd.Series) -> pd.Series:
    """Identifiers separated by semicolons, as lists."""
    return ids.map(
        lambda given: [part.strip() for part in given.split(";")] if isinstance(given, str) else []
    )


def withheld_values(observations: pd.DataFrame, claims: pd.DataFrame) -> pd.DataFrame:
    """The observations without what a report hides, so that tables and sentences hide the same.

    Parameters
    ----------
    observations
        Rows of ``ObservationsTable``.
    claims
        The study's claims, with ``withheld``: why some are not to be shown.

    Returns
    -------
    DataFrame
        The same rows; values and counts that are withheld are missing, with the note on a
        withheld value, and ``withheld`` says why the value is: ``too_few``,
        ``base_too_small`` or ``can_be_derived``.
    """
    told = claims.loc[(claims["table"] == "observations") & claims["withheld"].notna()]
    ids = observations["observation_id"]
    reasons = {
        name: ids.map(
            told.loc[told["quantity"] == name]
            .drop_duplicates("subject")
            .set_index("subject")["withheld"]
        )
        for name in COUNTS
    }
    withheld = reasons["value"].astype(object)
    return observations.assign(
        **{name: observations[name].mask(reason.notna()) for name, reason in reasons.items()},
        note=observations["note"].mask(withheld.notna()),
        withheld=withheld.where(withheld.notna(), None),
    )


def indicator_values(
    indicators: pd.DataFrame, *, observations: pd.DataFrame, municipality_code: str
) -> pd.DataFrame:
    """Every published value of a municipality's indicators, its own and other areas'.

    Parameters
    ----------
    indicators
        Rows of ``IndicatorsTable``; those of the municipality, or of none, count.
    observations
        Rows of ``ObservationsTable``, or those of ``withheld_values``; values of other
        municipalities are left out.
    municipality_code
        The municipality.

    Returns
    -------
    DataFrame
        One row per value, by indicator and time, those without a date first: ``indicator_id``, ``name``, ``unit``,
        ``is_own`` (the municipality's own, not another area's), ``area``, ``group``,
        ``period``, ``first_day``, ``value``, ``numerator``, ``denominator``, ``qualifier``,
        ``note``, ``withheld`` (why the value is not shown), ``source``, ``locator``.
    """
    if "withheld" not in observations:
        observations = observations.assign(withheld=None)
    own = indicators.loc[
        indicators["municipality_code"].fillna(municipality_code) == municipality_code
    ]
    values = observations.loc[
        observations["municipality_code"].fillna(municipality_code) == municipality_code
    ]
    rows = own[["indicator_id", "name", "unit"]].merge(
        values, on="indicator_id", how="inner", validate="one_to_many"
    )
    rows = rows.assign(
        is_own=rows["area"].isna(), first_day=period_days(rows["period"])["first_day"]
    )
    place = {name: number for number, name in enumerate(own["indicator_id"])}
    ordered = rows.assign(place=rows["indicator_id"].map(place)).sort_values(
        ["place", "first_day"], kind="stable", na_position="first"
    )
    return ordered[
        [
            "indicator_id",
            "name",
            "unit",
            "is_own",
            "area",
            "group",
            "period",
            "first_day",
            "value",
            "numerator",
            "denominator",
            "qualifier",
            "note",
            "withheld",
            "source",
            "locator",
        ]
    ].reset_index(drop=True)


def latest_values(values: pd.DataFrame) -> pd.DataFrame:
    """The latest value of each indicator and group, or that it is withheld; dated before undated.

    Parameters
    ----------
    values
        As from ``indicator_values``; those of other areas are passed over.

    Returns
    -------
    DataFrame
        Some rows of ``values``: of each indicator the value for all first, then those of groups.
    """
    known = values["is_own"] & (values["value"].notna() | values["withheld"].notna())
    latest = values.loc[known].drop_duplicates(["indicator_id", "group"], keep="last")
    place = latest["indicator_id"].map({name: n for n, name in enumerate(values["indicator_id"])})
    ordered = latest.assign(place=place, of_group=latest["group"].notna())
    ordered = ordered.sort_values(["place", "of_group"], kind="stable")
    return ordered.drop(columns=["place", "of_group"]).reset_index(drop=True)


def passed_over(observations: pd.DataFrame, *, dated: bool = False) -> pd.Series:
    """How many values of each indicator hold for a group only, or, if asked, for no known time.

    Parameters
    ----------
    observations
        Rows of ``ObservationsTable``, or those of ``withheld_values``.
    dated
        Whether values without a date are passed over too.
    """
    undated = observations["period"].isna() & dated
    known = observations["value"].notna()
    if "withheld" in observations:
        known |= observations["withheld"].notna()
    left_out = observations["area"].isna() & known & (observations["group"].notna() | undated)
    return observations.loc[left_out].groupby("indicator_id").size()


def indicator_overview(
    indicators: pd.DataFrame,
    *,
    observations: pd.DataFrame,
    targets: pd.DataFrame,
    municipality_code: str,
) -> pd.DataFrame:
    """First and latest value of each of a municipality's indicators, its target and the distance.

    Indicators that are everybody's are the municipality's too.

    Values are those for the whole municipality, not those of a group in it (``latest_values``); a
    value without a date is used where there is none with one.

    Parameters
    ----------
    indicators, observations, targets
        Rows of ``IndicatorsTable``, ``ObservationsTable`` (or ``withheld_values``),
        ``TargetsTable``.
    municipality_code
        The municipality.

    Returns
    -------
    DataFrame
        One row per indicator and target (an indicator without a target has one row):
        ``indicator_id``, ``name``, ``unit``, ``level``, ``direction``, ``data_source``,
        ``value_count`` (periods with a value, for all or for a group; values without a date count
        as one if there are no others), ``first_period``, ``first_value``,
        ``latest_period``, ``latest_value``, ``latest_qualifier``, ``latest_withheld`` (why the
        latest value is not shown), ``target_id``,
        ``target_value``, ``target_direction``, ``target_unit``, ``due``,
        ``remaining_distance`` (in the indicator's unit; positive while the target is not met,
        missing without value or target), ``reached``, ``met_at_first``, ``source``,
        ``locator``, and ``value_source``, ``value_locator`` of the latest value.
    """
    own = indicators.loc[
        indicators["municipality_code"].fillna(municipality_code) == municipality_code
    ]
    values = indicator_values(own, observations=observations, municipality_code=municipality_code)
    known = values["value"].notna() | values["withheld"].notna()
    every = values.loc[values["is_own"] & known]
    values = every.loc[every["group"].isna()]
    in_time = values.sort_values("first_day", kind="stable", na_position="last")
    first = in_time.drop_duplicates("indicator_id").set_index("indicator_id")
    first = first[["period", "value"]].add_prefix("first_")
    latest = (
        values.drop_duplicates("indicator_id", keep="last")
        .set_index("indicator_id")[
            ["period", "value", "qualifier", "withheld", "source", "locator"]
        ]
        .rename(
            columns={
                "period": "latest_period",
                "value": "latest_value",
                "qualifier": "latest_qualifier",
                "withheld": "latest_withheld",
                "source": "value_source",
                "locator": "value_locator",
            }
        )
    )
    aims = targets.loc[targets["indicator_id"].notna()].rename(
        columns={"value": "target_value", "direction": "target_direction", "unit": "target_unit"}
    )[["target_id", "indicator_id", "target_value", "target_direction", "target_unit", "due"]]
    rows = (
        own[
            [
                "indicator_id",
                "name",
                "unit",
                "level",
                "direction",
                "data_source",
                "model_ids",
                "source",
                "locator",
            ]
        ]
        .merge(first, on="indicator_id", how="left", validate="one_to_one")
        .merge(latest, on="indicator_id", how="left", validate="one_to_one")
        .merge(aims, on="indicator_id", how="left", validate="one_to_many")
    )
    periods = every.groupby(["indicator_id", "group"], dropna=False)["period"].nunique()
    counts = periods.groupby("indicator_id").max().clip(lower=1)
    sign = rows["target_direction"].map({"at_least": 1.0, "at_most": -1.0}).astype(float)
    same_unit = rows["unit"].isna() | (rows["unit"] == rows["target_unit"])
    remaining = (sign * (rows["target_value"] - rows["latest_value"])).where(same_unit)
    first_gap = (sign * (rows["target_value"] - rows["first_value"])).where(same_unit)
    return rows.assign(
        value_count=rows["indicator_id"].map(counts).fillna(0).astype(int),
        remaining_distance=remaining,
        reached=(remaining <= 0).astype("boolean").mask(remaining.isna()),
        met_at_first=(first_gap <= 0).astype("boolean").mask(first_gap.isna()),
    )
