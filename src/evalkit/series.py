"""All series of one municipality beside its county, the country and its peers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from evalkit.disclosure import primary_reasons
from evalkit.errors import DataError
from evalkit.indicators import yearly_values
from evalkit.observation_store import QUANTILES, municipality_series
from evalkit.small_counts import is_small, smallest_count_of
from evalkit.store import observations_folder, read_processed

__all__ = ["read_series"]

KEYS = ["indicator_id", "year"]
OWN = ["municipality_code", *KEYS, "value", "numerator", "denominator", "reason"]
NUMBERS = ["count", "mean", *QUANTILES]
AREAS = ("country", "county", "peer")


def read_series(
    study: str,
    processed_dir: str | Path,
    municipality_code: str,
    *,
    peers: Sequence[str] = (),
    minimum_count: int = 5,
) -> pd.DataFrame:
    """All series of one municipality of a study, beside country, county and peers.

    Small counts, complements and bases are hidden as the study's settings say, with the values
    that tell them, and count in no mean or quantile. No sums over municipalities are given, so
    nothing else has to be hidden for their sake. Observations that are too many to be read are
    read from where they are held on disk, with DuckDB; others from memory, with the same result.

    Parameters
    ----------
    study, processed_dir
        As for ``read_processed``.
    municipality_code
        The municipality. Its county is the first two digits.
    peers
        Codes of its peers, such as from ``peer_group``.
    minimum_count
        Fewest municipalities with a value for which numbers of an area are given.

    Returns
    -------
    DataFrame
        One row per indicator and year, as from ``municipality_series``: ``municipality_code``,
        ``indicator_id``, ``year``, ``value``, ``numerator``, ``denominator``, ``reason`` (why
        they are hidden: ``too_few`` or ``base_too_small``); and for ``country``, ``county`` and
        ``peer`` their ``_count``, ``_mean``, ``_q10``, ``_q25``, ``_median``, ``_q75`` and
        ``_q90``, in the indicator's unit. They describe; they are no confidence limits.

    Raises
    ------
    DataError
        If the study has not been processed, or has no observation of the municipality.
    ConfigError
        If the observations are on disk and DuckDB is not installed.
    """
    folder = observations_folder(study, processed_dir)
    if folder is not None:
        rows = municipality_series(
            folder, municipality_code, peers=peers, minimum_peers=minimum_count
        )
    else:
        rows = _series_in_memory(study, processed_dir, municipality_code, peers)
    for area in AREAS:
        names = [f"{area}_{name}" for name in NUMBERS]
        rows[names] = rows[names].astype(float)
        few = rows[f"{area}_count"].isna() | (rows[f"{area}_count"] < minimum_count)
        rows.loc[few, names if area == "peer" else names[1:]] = float("nan")
    reason = rows["reason"].astype(object)
    return rows.astype(dict.fromkeys(OWN[:2], "str") | {"year": "int64"}).assign(
        reason=reason.where(reason.notna(), None)
    )


def _series_in_memory(
    study: str, processed_dir: str | Path, municipality_code: str, peers: Sequence[str]
) -> pd.DataFrame:
    observations = read_processed("observations", study, processed_dir)
    indicators = read_processed("indicators", study, processed_dir)
    settings = read_processed("study", study, processed_dir)
    values = _without_small_counts(
        yearly_values(observations.dropna(subset="period")),
        indicators,
        smallest_count_of(settings),
    )
    codes = values["municipality_code"]
    own = values.loc[codes == municipality_code]
    if own.empty:
        raise DataError(f"{study} has no observation of municipality {municipality_code}")
    members = {
        "country": pd.Series(True, index=values.index),
        "county": codes.str[:2] == municipality_code[:2],
        "peer": codes.isin(set(peers) - {municipality_code}),
    }
    for area, among in members.items():
        own = own.merge(_summary(values.loc[among], area), on=KEYS, how="left")
    return own.sort_values(KEYS, ignore_index=True)


def _summary(values: pd.DataFrame, area: str) -> pd.DataFrame:
    """Count, mean and quantiles of the values in every year of every indicator."""
    groups = values.groupby(KEYS)["value"]
    spread = [groups.quantile(share).rename(name) for name, share in QUANTILES.items()]
    told = pd.concat(
        [groups.count().rename("count"), groups.mean().rename("mean"), *spread], axis=1
    )
    return told[NUMBERS].add_prefix(f"{area}_").reset_index()


def _without_small_counts(
    values: pd.DataFrame, indicators: pd.DataFrame, smallest_count: int
) -> pd.DataFrame:
    """The yearly values without those whose count, complement or base is small, and why."""
    unit = values["indicator_id"].map(indicators.set_index("indicator_id")["unit"])
    share = (values["value"] / 100).where(unit.eq("percent"))
    count = values["numerator"].fillna((share * values["denominator"]).round())
    told = (values["numerator"] / share.where(share > 0)).round()
    base = values["denominator"].fillna(told)
    # where more events than persons are counted, no complement can be few
    possible = base.where((count <= base) | is_small(base, smallest_count))
    reason = primary_reasons(count, possible, threshold=smallest_count)
    hidden = reason.notna()
    return values.assign(
        value=values["value"].mask(hidden & base.notna()),
        numerator=values["numerator"].mask(hidden),
        denominator=values["denominator"].mask(hidden),
        reason=reason,
    )[OWN]
