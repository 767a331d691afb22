"""Indicators of a municipality: value, target and what is left, as published."""

from __future__ import annotations

import pandas as pd

from evalkit.process import period_days

__all__ = ["indicator_overview", "indicator_values", "withheld_values"]

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
        One row per value, by indicator and time: ``indicator_id``, ``name``, ``unit``,
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
        ["place", "first_day"], kind="stable"
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


def indicator_overview(
    indicators: pd.DataFrame,
    *,
    observations: pd.DataFrame,
    targets: pd.DataFrame,
    municipality_code: str,
) -> pd.DataFrame:
    """First and latest value of each of a municipality's indicators, its target and the distance.

    Only values for the whole municipality count, not those of a group in it.

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
        ``value_count`` (periods with a value), ``first_period``, ``first_value``,
        ``latest_period``, ``latest_value``, ``latest_qualifier``, ``latest_withheld`` (why the
        latest value is not shown), ``target_id``,
        ``target_value``, ``target_direction``, ``target_unit``, ``due``,
        ``remaining_distance`` (in the indicator's unit; positive while the target is not met,
        missing without value or target), ``reached``, ``met_at_first``, ``source``,
        ``locator``, and ``value_source``, ``value_locator`` of the latest value.
    """
    own = indicators.loc[indicators["municipality_code"] == municipality_code]
    values = indicator_values(own, observations=observations, municipality_code=municipality_code)
    known = values["value"].notna() | values["withheld"].notna()
    values = values.loc[values["is_own"] & values["group"].isna() & known]
    by_indicator = values.groupby("indicator_id", sort=False)
    first = by_indicator.head(1).set_index("indicator_id")[["period", "value"]].add_prefix("first_")
    latest = (
        by_indicator.tail(1)
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
    counts = by_indicator["period"].nunique()
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
