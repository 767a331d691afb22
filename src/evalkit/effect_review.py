"""Some years after: how far the indicators have come, and what may be said of why."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from evalkit.disclosure import primary_reasons
from evalkit.facts import PERSON_UNITS
from evalkit.process import period_days
from evalkit.published_indicators import indicator_values, passed_over
from evalkit.small_counts import is_small

__all__ = ["STANDINGS", "area_changes", "indicator_changes", "programme_start"]

# What the values of an indicator allow, from nothing to a comparison.
STANDINGS = ("no_value", "hidden", "no_before", "no_after", "change_only", "compared")
ENDS = [
    *["before_period", "before_value", "before_qualifier"],
    *["after_period", "after_value", "after_qualifier"],
]
HIDDEN = ["before_hidden", "after_hidden"]


def indicator_changes(
    indicators: pd.DataFrame,
    *,
    observations: pd.DataFrame,
    targets: pd.DataFrame,
    municipality_codes: Sequence[str],
    start: str,
    smallest_count: int = 5,
) -> pd.DataFrame:
    """Each indicator before and after a programme began, against its target, and its standing.

    Parameters
    ----------
    indicators, observations, targets
        Rows of their tables; observations as from ``withheld_values`` where some are withheld.
        Values of groups within a municipality, or without a date, are passed over and counted.
    municipality_codes
        Those asked for.
    start
        The day the programme began, such as ``2019-01-01``.
    smallest_count
        Values that rest on fewer persons, or on all but fewer, count as hidden.

    Returns
    -------
    DataFrame
        One row per municipality, indicator and target, one without a target: ``municipality_code``, ``indicator_id``, ``name``,
        ``unit``, ``passed_over_count`` (values of groups or without a date), ``before_period``, ``before_value``, ``before_qualifier`` (the last that began
        before the start), ``after_period``, ``after_value``, ``after_qualifier`` (the latest
        since), ``before_hidden`` and ``after_hidden`` (there are values, and all are hidden),
        ``change``, ``target_value``,
        ``target_direction``, ``target_unit``, ``due``, ``reached`` (missing without a value after, or a
        target in the indicator's unit),
        ``area_count`` (areas with values at both times), ``standing`` (of ``STANDINGS``),
        ``source``, ``locator``.
    """
    values = dated_values(
        indicators, observations, municipality_codes, smallest_count=smallest_count
    )
    areas = area_changes(
        indicators,
        observations=observations,
        municipality_codes=municipality_codes,
        start=start,
        smallest_count=smallest_count,
    )
    keys = ["municipality_code", "indicator_id"]
    own = values.loc[values["is_own"]]
    rows = own_indicators(indicators, municipality_codes)
    rows = rows.merge(before_and_after(own.loc[~own["is_hidden"]], start), on=keys, how="left")
    aims = targets.dropna(subset=["indicator_id"]).rename(
        columns={"value": "target_value", "direction": "target_direction", "unit": "target_unit"}
    )[["indicator_id", "target_value", "target_direction", "target_unit", "due"]]
    rows = rows.merge(aims, on="indicator_id", how="left")
    rows["target_unit"] = rows["target_unit"].fillna(rows["unit"])
    sign = rows["target_direction"].map({"at_least": 1.0, "at_most": -1.0}).astype(float)
    remaining = sign * (rows["target_value"] - rows["after_value"])
    remaining = remaining.where(
        rows["unit"].isna() | (rows["target_unit"] == rows["unit"]).fillna(False)
    )
    pairs = pd.MultiIndex.from_frame(rows[keys])
    compared = areas.groupby(keys).size().reindex(pairs, fill_value=0).to_numpy()
    before, after = rows["before_value"].notna(), rows["after_value"].notna()
    hides = _hidden_ends(own, start).reindex(pairs, fill_value=False).set_axis(rows.index)
    no_before, no_after = ~before & hides["before"], ~after & hides["after"]
    standing = pd.Series("change_only", index=rows.index, dtype=object)
    standing = standing.mask(before & after & (compared > 0), "compared")
    standing = standing.mask(before & ~after, "no_after").mask(after & ~before, "no_before")
    standing = standing.mask(~before & ~after, "no_value").mask(no_before | no_after, "hidden")
    left_out = pd.concat(
        [
            passed_over(
                observations.loc[observations["municipality_code"].fillna(code) == code], dated=True
            )
            for code in municipality_codes
        ],
        keys=list(municipality_codes),
    )
    return rows.assign(
        passed_over_count=left_out.reindex(pairs, fill_value=0).to_numpy(),
        before_hidden=no_before,
        after_hidden=no_after,
        change=rows["after_value"] - rows["before_value"],
        reached=(remaining <= 0).astype("boolean").mask(remaining.isna()),
        area_count=compared,
        standing=standing,
    )[
        [
            *keys,
            "name",
            "unit",
            "passed_over_count",
            *ENDS,
            *HIDDEN,
            "change",
            "target_value",
            "target_direction",
            "target_unit",
            "due",
            "reached",
            "area_count",
            "standing",
            "source",
            "locator",
        ]
    ]


def area_changes(
    indicators: pd.DataFrame,
    *,
    observations: pd.DataFrame,
    municipality_codes: Sequence[str],
    start: str,
    smallest_count: int = 5,
) -> pd.DataFrame:
    """The change of each indicator beside that of every area with values at the same two times.

    Parameters
    ----------
    indicators, observations, municipality_codes, start, smallest_count
        As for ``indicator_changes``.

    Returns
    -------
    DataFrame
        One row per municipality, indicator and area: ``municipality_code``, ``indicator_id``,
        ``name``, ``unit``, the two values as from ``indicator_changes``, ``area``, ``area_before_value``, ``area_after_value``, ``change``,
        ``area_change``, ``difference`` (the municipality's change less the area's), ``source``
        and ``locator`` of the area's value.
    """
    values = dated_values(
        indicators, observations, municipality_codes, smallest_count=smallest_count
    )
    keys = ["municipality_code", "indicator_id"]
    shown = values.loc[~values["is_hidden"]]
    own = before_and_after(shown.loc[shown["is_own"]], start).dropna(
        subset=["before_value", "after_value"]
    )
    other = shown.loc[~shown["is_own"] & shown["area"].notna()]
    other = other.drop_duplicates([*keys, "area", "period"], keep="last")
    columns = [*keys, "area", "period", "value"]
    first = other[columns].rename(columns={"period": "before_period", "value": "area_before_value"})
    last = other[[*columns, "source", "locator"]].rename(
        columns={"period": "after_period", "value": "area_after_value"}
    )
    rows = own.merge(first, on=[*keys, "before_period"]).merge(
        last, on=[*keys, "area", "after_period"]
    )
    rows = rows.merge(
        own_indicators(indicators, municipality_codes)[[*keys, "name", "unit"]], on=keys
    )
    change = rows["after_value"] - rows["before_value"]
    area_change = rows["area_after_value"] - rows["area_before_value"]
    return rows.assign(change=change, area_change=area_change, difference=change - area_change)[
        [
            *keys,
            "name",
            "unit",
            *ENDS,
            "area",
            "area_before_value",
            "area_after_value",
            "change",
            "area_change",
            "difference",
            "source",
            "locator",
        ]
    ]


def programme_start(plan_phases: pd.DataFrame, *, first_year: int) -> str:
    """The day a programme began: that of its first phase, or of its first year without phases."""
    first = period_days(plan_phases["start"])["first_day"].min()
    return f"{first_year}-01-01" if pd.isna(first) else first.date().isoformat()


def own_indicators(indicators: pd.DataFrame, municipality_codes: Sequence[str]) -> pd.DataFrame:
    """One row per municipality and indicator that is its own or everybody's."""
    named = indicators[["indicator_id", "municipality_code", "name", "unit", "source", "locator"]]
    codes = pd.DataFrame({"code": list(municipality_codes)}, dtype=object)
    rows = codes.merge(named, how="cross")
    held = rows["municipality_code"].isna() | (rows["municipality_code"] == rows["code"])
    return (rows.loc[held].assign(municipality_code=rows["code"]).drop(columns="code")).reset_index(
        drop=True
    )


def dated_values(
    indicators: pd.DataFrame,
    observations: pd.DataFrame,
    municipality_codes: Sequence[str],
    *,
    smallest_count: int,
) -> pd.DataFrame:
    """Values of whole municipalities and areas, in time, with those that may not be shown marked."""
    parts = [
        indicator_values(indicators, observations=observations, municipality_code=code).assign(
            municipality_code=code
        )
        for code in municipality_codes
    ]
    values = pd.concat(parts, ignore_index=True)
    withheld = values["withheld"].notna()
    values = values.loc[values["group"].isna() & (values["value"].notna() | withheld)]
    values = values.reset_index(drop=True)
    few = primary_reasons(values["numerator"], values["denominator"], threshold=smallest_count)
    counted = values["numerator"].notna() & values["denominator"].notna()
    persons = values["unit"].isin(PERSON_UNITS) & is_small(values["value"], smallest_count)
    hidden = values["withheld"].notna() | (counted & few.notna()) | persons
    return values.assign(is_hidden=hidden.astype(bool), **period_days(values["period"]))


def _hidden_ends(values: pd.DataFrame, start: str) -> pd.DataFrame:
    """Per municipality and indicator, whether a value ``before`` a day, or ``after``, is hidden."""
    before = values["first_day"] < pd.Timestamp(start)
    ends = pd.DataFrame(
        {"before": values["is_hidden"] & before, "after": values["is_hidden"] & ~before}
    )
    return ends.groupby([values["municipality_code"], values["indicator_id"]]).any()


def before_and_after(values: pd.DataFrame, start: str) -> pd.DataFrame:
    """The last value before a day and the latest from it on, per municipality and indicator."""
    keys = ["municipality_code", "indicator_id"]
    ordered = values.sort_values("last_day", kind="stable")
    day = pd.Timestamp(start)
    told = ["period", "value", "qualifier"]
    ends = [
        ordered.loc[of_end, [*keys, *told]]
        .drop_duplicates(keys, keep="last")
        .rename(columns={column: f"{name}_{column}" for column in told})
        for name, of_end in (
            ("before", ordered["first_day"] < day),
            ("after", ordered["first_day"] >= day),
        )
    ]
    return ends[0].merge(ends[1], on=keys, how="outer")
