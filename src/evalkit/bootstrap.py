"""Changes between two waves with limits from drawing the persons, or their services, again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from evalkit.accepted import ANSWER, CODE, CROSSWALK, GROUP, KEY, SCALE, SCORE, Rows, accepts
from evalkit.comparability import comparable_over_time, with_refused
from evalkit.errors import DataError
from evalkit.groups import grouped, numbered
from evalkit.reasons import reason_where, withhold
from evalkit.survey import AGREES_FROM
from evalkit.uncertainty import STANDARD_LEVELS

__all__ = ["bootstrap_change"]

FEWEST_ANSWERS = 10  # in each wave; with fewer the draws repeat a handful of persons
FEWEST_CLUSTERS = 10
MEASURES = ("share", "mean")


@accepts(
    answers=Rows(
        {
            "municipality_code": CODE,
            "item": KEY,
            "wave": KEY,
            "respondent_id": GROUP,
            "score": SCORE,
        },
        named={"cluster": GROUP},
        once=ANSWER,
        identity="respondent_id",
        among={"before": "wave", "after": "wave"},
    ),
    crosswalk=CROSSWALK,
)
def bootstrap_change(
    answers: pd.DataFrame,
    *,
    seed: int,
    before: Any = 0,
    after: Any = 1,
    measure: str = "share",
    cluster: str | None = None,
    agrees_from: float = AGREES_FROM,
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
    replicate_count: int = 1000,
    crosswalk: pd.DataFrame | None = None,
    scores: Sequence[float] = SCALE,
) -> pd.DataFrame:
    """Change of every item in every municipality, with bootstrap percentile limits.

    A person is drawn with all answers in both waves, so that what goes together in a person,
    over items and over time, goes together in the replicates. Persons of one wave and persons
    of both are drawn apart, which keeps the number of each. With ``cluster``, whole services
    are drawn instead, and the limits allow for colleagues who answer alike.

    Parameters
    ----------
    answers
        Rows of ``AnswersTable``; the same ``respondent_id`` in two waves is one person.
    seed
        The draw's seed, so that the same table gives the same limits.
    before, after
        The waves.
    measure
        ``"share"``, of those who agree, or ``"mean"``, of the scores.
    cluster
        Column of services or workplaces, or ``None``.
    agrees_from
        Lowest score that counts as agreement.
    confidence_levels
        Levels wanted.
    replicate_count
        Bootstrap replicates.
    crosswalk
        What was asked where; when given, items that were not asked alike are refused.
    scores
        The steps of the scale, lowest first; a score between or outside them is refused.

    Returns
    -------
    DataFrame
        One row per ``municipality_code``, ``item`` and level: ``before_base``, ``count`` (who
        agree at follow-up; missing for means), ``base`` (answers at follow-up), ``value``
        (follow-up minus baseline), limits and the rest. ``missing`` without an answer in a
        wave, ``base_too_small`` with fewer than ten, ``too_few_clusters`` with fewer than ten
        services in the municipality; the limits are withheld as ``design_cannot_answer`` where
        every draw gives the same, or some draw has no answer.

    Raises
    ------
    DataError
        If the measure is unknown, a row lacks a respondent or its service, or a person has two
        answers to an item in one wave.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13; Davison and
    Hinkley (1997), Bootstrap Methods and their Application, section 3.8 (clusters).
    """
    if measure not in MEASURES:
        raise DataError(f"measure {measure!r}; expected one of: {', '.join(MEASURES)}")
    levels = list(confidence_levels)
    kept, refused = comparable_over_time(answers, crosswalk, before=before, after=after)
    asked = kept.loc[kept["wave"].isin([before, after])]
    used = asked.loc[asked["score"].notna()]
    _, municipality_codes = numbered(used["municipality_code"])
    item, items = numbered(used["item"])
    unit, unit_municipality, unit_count = _drawn_units(used, cluster)
    is_after = (used["wave"] == after).to_numpy()
    score = used["score"].to_numpy(dtype=float)
    measured = (score >= agrees_from).astype(float) if measure == "share" else score

    # Sums and bases of every unit: unit x (before, after) x item.
    place = (unit * 2 + is_after) * len(items) + item
    shape = (unit_count, 2, len(items))
    sums, bases = (
        np.bincount(place, weights, minlength=int(np.prod(shape))).reshape(shape).astype(float)
        for weights in (measured, None)
    )

    generator = np.random.default_rng(seed)
    tails = [tail for level in levels for tail in ((1 - level) / 2, (1 + level) / 2)]
    blocks = []
    for number, code in enumerate(municipality_codes):
        strata = [rows[unit_municipality[rows] == number] for rows in _strata(bases, cluster)]
        strata = [rows for rows in strata if len(rows)]
        rows = np.concatenate(strata)
        drawn = _draws([len(stratum) for stratum in strata], replicate_count, generator)
        replicates = _change(drawn, sums[rows], bases[rows])
        observed = _change(np.ones((1, len(rows))), sums[rows], bases[rows])[0]
        varies = np.ptp(replicates, axis=0) > 1e-12
        base = bases[rows].sum(axis=0)
        enough = (base >= FEWEST_ANSWERS).all(axis=0)
        limits = np.full((len(tails), len(items)), np.nan)
        limits[:, enough] = np.quantile(replicates[:, enough], tails, axis=0)
        blocks += [
            pd.DataFrame(
                {
                    "municipality_code": code,
                    "item": items,
                    "before_base": base[0],
                    "count": sums[rows, 1].sum(axis=0) if measure == "share" else np.nan,
                    "base": base[1],
                    "value": observed,
                    "lower": limits[2 * index],
                    "upper": limits[2 * index + 1],
                    "confidence_level": level,
                    "unit_count": len(rows),
                    "varies": varies,
                }
            )
            for index, level in enumerate(levels)
        ]
    result = _of_every_group(asked, blocks, levels)
    drawn_from = f"{cluster} drawn" if cluster else "persons drawn"
    fewest = result[["before_base", "base"]].min(axis=1)
    result = result.assign(
        method=f"bootstrap, {drawn_from}, percentile, {replicate_count} replicates",
        reason=reason_where(fewest == 0),
    )
    result = withhold(result, fewest < FEWEST_ANSWERS, "base_too_small")
    limits = ("lower", "upper")
    if cluster:
        few = result["unit_count"] < FEWEST_CLUSTERS
        result = withhold(result, few, "too_few_clusters", columns=limits)
    result = withhold(result, ~result["varies"], "design_cannot_answer", columns=limits)
    result = result.drop(columns=["unit_count", "varies"])
    return with_refused(result, refused, confidence_levels=levels, by=("municipality_code", "item"))


def _of_every_group(
    asked: pd.DataFrame, blocks: list[pd.DataFrame], levels: list[float]
) -> pd.DataFrame:
    """A row for every item asked in every municipality and level; base 0 where all are blank."""
    keys = ["municipality_code", "item", "confidence_level"]
    blank = asked.loc[asked["score"].isna(), keys[:2]].drop_duplicates()
    blank = blank.merge(pd.DataFrame({"confidence_level": levels}), how="cross")
    if not blocks:
        numbers = ["before_base", "count", "base", "value", "lower", "upper", "unit_count"]
        drawn = blank.sort_values(keys, ignore_index=True).assign(
            **dict.fromkeys(numbers, np.nan), varies=False
        )
    else:
        drawn = pd.concat(blocks)
        answered = drawn[["before_base", "base"]].sum(axis=1) > 0
        drawn = drawn.loc[answered].merge(blank, on=keys, how="outer", validate="one_to_one")
    bases = {name: drawn[name].fillna(0.0) for name in ("before_base", "base")}
    drawn = drawn[[*keys[:2], *(name for name in drawn if name not in keys), keys[2]]]
    return drawn.assign(**bases, varies=drawn["varies"].eq(True))


def _drawn_units(used: pd.DataFrame, cluster: str | None) -> tuple[np.ndarray, np.ndarray, int]:
    """Each row's unit of drawing, each unit's municipality, and how many units there are."""
    units, unit = grouped(used, ["municipality_code", cluster or "respondent_id"])
    return unit, numbered(units["municipality_code"])[0], len(units)


def _strata(bases: np.ndarray, cluster: str | None) -> list[np.ndarray]:
    """Units drawn among themselves: persons of the first wave, of the second, and of both."""
    if cluster is not None:
        return [np.arange(len(bases))]
    answered = bases.sum(axis=2) > 0
    pattern = answered[:, 0] * 1 + answered[:, 1] * 2
    return [np.flatnonzero(pattern == kind) for kind in (1, 2, 3)]


def _draws(sizes: list[int], replicate_count: int, generator: np.random.Generator) -> np.ndarray:
    """How often each unit is drawn: replicates by units, every stratum drawn to its own size."""
    blocks = []
    for size in sizes:
        drawn = generator.integers(0, size, (replicate_count, size), dtype=np.int32)
        drawn += np.arange(replicate_count, dtype=np.int32)[:, None] * size
        counts = np.bincount(drawn.ravel(), minlength=replicate_count * size)
        blocks.append(counts.reshape(replicate_count, size))
    return np.concatenate(blocks, axis=1).astype(float)


def _change(drawn: np.ndarray, sums: np.ndarray, bases: np.ndarray) -> np.ndarray:
    """Change of every item, follow-up minus baseline, in every replicate."""
    units, waves, items = sums.shape
    total = (drawn @ sums.reshape(units, -1)).reshape(-1, waves, items)
    base = (drawn @ bases.reshape(units, -1)).reshape(-1, waves, items)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = total / base
    return level[:, 1] - level[:, 0]
