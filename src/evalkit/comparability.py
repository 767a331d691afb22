"""Which questions may be compared: item bank, crosswalk, and what they allow.

The item bank has one row per question (``item``, ``text``, ``scale``). The crosswalk says, per
``municipality_code``, ``wave`` and ``item``, what was in fact asked (``status``):

``same``
    word for word as in the bank, on its scale
``reworded``
    the same matter in other words, on the same scale
``other_scale``
    other answers to choose from, whatever the words
``not_asked``
    left out

Where two places reworded an item, or changed its scale, in the same way, a shared ``variant``
(any short name) says so; they may then be compared with one another, though not with the bank.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from evalkit.errors import DataError
from evalkit.reasons import RESULT_COLUMNS

__all__ = [
    "STATUSES",
    "asked_alike",
    "comparable_answers",
    "comparable_over_time",
    "comparisons_between_municipalities",
    "comparisons_between_waves",
    "left_out",
    "with_refused",
]

STATUSES = ("same", "reworded", "other_scale", "not_asked")
_KEYS = ["municipality_code", "wave", "item"]


def comparisons_between_waves(
    crosswalk: pd.DataFrame, *, before: Any, after: Any, bank: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Whether each municipality's item may be compared from one wave to another.

    Parameters
    ----------
    crosswalk
        One row per ``municipality_code``, ``wave`` and ``item`` with ``status`` and,
        optionally, ``variant``. An item without a row in a wave was not asked then.
    before, after
        The two waves.
    bank
        The item bank; when given, every item of it is judged for every municipality, and an
        item that it lacks is an error.

    Returns
    -------
    DataFrame
        One row per ``municipality_code`` and ``item``: ``status_before``, ``status_after``,
        ``allowed``, ``reason`` (``not_asked``, ``not_comparable`` or missing) and
        ``explanation`` in words.

    Raises
    ------
    DataError
        If a status is unknown, a row occurs twice, or an item is not in the bank.
    """
    rows = _checked(crosswalk, bank)
    pairs = _every_pair(rows, bank)
    for wave, side in ((before, "before"), (after, "after")):
        chosen = rows.loc[rows["wave"] == wave, ["municipality_code", "item", "status", "variant"]]
        named = chosen.rename(columns={"status": f"status_{side}", "variant": f"variant_{side}"})
        pairs = pairs.merge(
            named, on=["municipality_code", "item"], how="left", validate="one_to_one"
        )
    return _judged(pairs, "before", "after")


def comparisons_between_municipalities(
    crosswalk: pd.DataFrame, *, wave: Any, bank: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Whether each municipality's item may stand beside the others' in one wave.

    The items' wordings are grouped into those that are alike; the largest group (of the
    bank's own wording where groups are equally large) is the one that is compared.

    Parameters
    ----------
    crosswalk, bank
        As in ``comparisons_between_waves``.
    wave
        The wave.

    Returns
    -------
    DataFrame
        One row per ``municipality_code`` and ``item``: ``status``, ``allowed``, ``reason``,
        ``explanation``. A municipality that stands alone with its wording is refused.

    Raises
    ------
    DataError
        As in ``comparisons_between_waves``.
    """
    rows = _checked(crosswalk, bank)
    pairs = _every_pair(rows, bank)
    chosen = rows.loc[rows["wave"] == wave, ["municipality_code", "item", "status", "variant"]]
    pairs = pairs.merge(chosen, on=["municipality_code", "item"], how="left", validate="one_to_one")
    status = pairs["status"].fillna("not_asked")
    wording = _wording(status, pairs["variant"], pairs.index)
    asked = status != "not_asked"
    sizes = pd.DataFrame({"item": pairs["item"], "wording": wording})[asked].value_counts()
    ranked = sizes.reset_index(name="places")
    ranked = ranked.assign(bank=ranked["wording"] == "same").sort_values(
        ["item", "places", "bank", "wording"], ascending=[True, False, False, True]
    )
    main = ranked.drop_duplicates("item").set_index("item")
    compared = wording == pairs["item"].map(main["wording"])
    alone = pairs["item"].map(main["places"]).fillna(0) < 2
    allowed = asked & compared & ~alone
    reason = np.select([~asked, ~allowed], ["not_asked", "not_comparable"], default=None)
    explanation = np.select(
        [~asked, allowed, status == "other_scale", status == "reworded", alone],
        [
            "not asked in this wave",
            "asked alike",
            "other answers to choose from than the rest",
            "other words than the rest",
            "nobody else asked it alike",
        ],
        default="the bank's wording, while more places share another",
    )
    return pairs[["municipality_code", "item"]].assign(
        status=status,
        allowed=allowed,
        reason=pd.Series(reason, index=pairs.index, dtype=object),
        explanation=explanation,
    )


def asked_alike(left: pd.DataFrame, right: pd.DataFrame) -> pd.Series:
    """True where two rows of a crosswalk, side by side, hold one and the same question.

    Parameters
    ----------
    left, right
        ``status`` and ``variant``; the same index.

    Returns
    -------
    Series of bool
        True where both are ``same``, or both changed in the same named way.
    """
    first, second = left["status"].fillna("not_asked"), right["status"].fillna("not_asked")
    both_same = (first == "same") & (second == "same")
    changed = first.isin(["reworded", "other_scale"]) & (first == second)
    return both_same | (changed & left["variant"].notna() & (left["variant"] == right["variant"]))


def comparable_answers(
    answers: pd.DataFrame, comparisons: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The answers that may enter a comparison, and the comparisons that are refused.

    Parameters
    ----------
    answers
        Rows with ``municipality_code`` and ``item``.
    comparisons
        From ``comparisons_between_waves`` or ``comparisons_between_municipalities``.

    Returns
    -------
    tuple of DataFrame
        The answers to allowed items; and the refused ``municipality_code`` and ``item`` with
        ``reason`` and ``explanation``. Answers to an item that the crosswalk does not know
        are refused as ``not_comparable``.
    """
    keys = ["municipality_code", "item"]
    allowed = pd.MultiIndex.from_frame(comparisons.loc[comparisons["allowed"], keys])
    kept = pd.MultiIndex.from_frame(answers[keys]).isin(allowed)
    refused = comparisons.loc[~comparisons["allowed"], [*keys, "reason", "explanation"]]
    known = pd.MultiIndex.from_frame(comparisons[keys])
    present = answers[keys].drop_duplicates()
    unknown = present.loc[~pd.MultiIndex.from_frame(present).isin(known)].assign(
        reason="not_comparable", explanation="the crosswalk does not say how it was asked"
    )
    return answers.loc[kept], pd.concat([refused, unknown], ignore_index=True)


def comparable_over_time(
    answers: pd.DataFrame,
    crosswalk: pd.DataFrame | None,
    *,
    before: Any,
    after: Any,
    by: Sequence[str] = ("municipality_code", "item"),
) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The answers whose change may be computed, and a row for every change that is refused.

    Parameters
    ----------
    answers
        Rows of ``AnswersTable`` with the columns of ``by``.
    crosswalk
        What was asked where; ``None`` lets all answers through.
    before, after
        The waves.
    by
        Columns that make a row of the result. Each further column than municipality and item
        gives one refused row per value that the municipality has.

    Returns
    -------
    tuple
        The answers to items asked alike in both waves; and the columns of ``by`` with
        ``reason`` and ``explanation``, or ``None`` without a crosswalk.

    Raises
    ------
    DataError
        If ``by`` lacks ``municipality_code`` or ``item``, by which a crosswalk judges.
    """
    if crosswalk is None:
        return answers, None
    keys = ["municipality_code", "item"]
    if not set(keys) <= set(by):
        raise DataError(f"a crosswalk needs municipality_code and item in by; got {list(by)}")
    comparisons = comparisons_between_waves(crosswalk, before=before, after=after)
    kept, refused = comparable_answers(answers, comparisons)
    further = [name for name in by if name != "item"]
    if len(further) > 1:
        groups = answers[further].drop_duplicates()
        refused = refused.merge(groups, on="municipality_code", how="left", validate="many_to_many")
    return kept, refused


def with_refused(
    results: pd.DataFrame,
    refused: pd.DataFrame | None,
    *,
    confidence_levels: Iterable[float],
    by: Sequence[str],
) -> pd.DataFrame:
    """Results with a row, without value, for every comparison that was refused.

    Parameters
    ----------
    results
        Rows with the columns of ``by`` and those of every result.
    refused
        From ``comparable_over_time`` or ``comparable_answers``; ``None`` leaves the results
        as they are.
    confidence_levels
        Levels of the results; each refused comparison has a row at each.
    by
        Columns that make a row, by which the whole is ordered.

    Returns
    -------
    DataFrame
        The columns of the results and ``explanation``.

    Raises
    ------
    DataError
        If the results lack a column that every result has.
    """
    if refused is None:
        return results
    missing = [name for name in RESULT_COLUMNS if name not in results]
    if missing:
        raise DataError(f"results lack the columns {missing}")
    levels = pd.DataFrame({"confidence_level": list(confidence_levels)})
    rows = refused.merge(levels, how="cross").assign(method="none")
    given = results.assign(explanation=None)
    joined = given if rows.empty else rows if given.empty else pd.concat([given, rows])
    ordered = joined.reindex(columns=given.columns).sort_values(
        [*by, "confidence_level"], kind="stable", ignore_index=True, na_position="first"
    )
    words = {
        name: ordered[name].astype(object).where(ordered[name].notna(), None)
        for name in ("reason", "explanation")
    }
    return ordered.assign(**words)


def left_out(results: pd.DataFrame) -> pd.DataFrame:
    """What a comparison left out, and why: one row per item and reason.

    Parameters
    ----------
    results
        Results with ``municipality_code``, ``item`` and ``reason``.

    Returns
    -------
    DataFrame
        ``item``, ``reason``, ``municipality_count`` and ``municipality_codes`` (joined by
        a comma), for the rows that carry a reason.
    """
    refused = results.loc[
        results["reason"].notna(), ["item", "reason", "municipality_code"]
    ].drop_duplicates()
    return (
        refused.sort_values("municipality_code")
        .groupby(["item", "reason"], as_index=False)
        .agg(
            municipality_count=("municipality_code", "size"),
            municipality_codes=("municipality_code", ", ".join),
        )
    )


def _checked(crosswalk: pd.DataFrame, bank: pd.DataFrame | None) -> pd.DataFrame:
    rows = crosswalk if "variant" in crosswalk else crosswalk.assign(variant=None)
    unknown = sorted(set(rows["status"]) - set(STATUSES))
    if unknown:
        raise DataError(f"crosswalk status {unknown}; expected one of: {', '.join(STATUSES)}")
    twice = rows.duplicated(_KEYS)
    if twice.any():
        first = rows.loc[twice, _KEYS].iloc[0].tolist()
        raise DataError(f"crosswalk has the same municipality, wave and item twice: {first}")
    if bank is not None:
        strange = sorted(set(rows["item"]) - set(bank["item"]))
        if strange:
            raise DataError(f"crosswalk names items that the bank lacks: {', '.join(strange)}")
    return rows


def _every_pair(rows: pd.DataFrame, bank: pd.DataFrame | None) -> pd.DataFrame:
    items = sorted(set(rows["item"]) if bank is None else set(bank["item"]))
    places = sorted(set(rows["municipality_code"]))
    index = pd.MultiIndex.from_product([places, items], names=["municipality_code", "item"])
    return index.to_frame(index=False)


def _wording(status: pd.Series, variant: pd.Series, index: pd.Index) -> pd.Series:
    """A name per wording: the bank's, a named variant, or one that nobody else has."""
    lone = pd.Series([f"only here {row}" for row in range(len(index))], index=index)
    changed = (status + ": " + variant.astype(object).astype(str)).where(variant.notna(), lone)
    return changed.where(status != "same", "same")


def _judged(pairs: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    left = pairs[[f"status_{first}", f"variant_{first}"]].set_axis(["status", "variant"], axis=1)
    right = pairs[[f"status_{second}", f"variant_{second}"]].set_axis(["status", "variant"], axis=1)
    left, right = (side.assign(status=side["status"].fillna("not_asked")) for side in (left, right))
    allowed = asked_alike(left, right)
    missing_first, missing_second = left["status"] == "not_asked", right["status"] == "not_asked"
    scale = (left["status"] == "other_scale") | (right["status"] == "other_scale")
    reason = np.select(
        [allowed, missing_first | missing_second], [None, "not_asked"], default="not_comparable"
    )
    explanation = np.select(
        [allowed, missing_first & missing_second, missing_first, missing_second, scale],
        [
            "asked alike",
            "asked in neither wave",
            "not asked in the first wave",
            "not asked in the second wave",
            "other answers to choose from",
        ],
        default="asked in other words",
    )
    return pairs[["municipality_code", "item"]].assign(
        **{f"status_{first}": left["status"], f"status_{second}": right["status"]},
        allowed=allowed,
        reason=pd.Series(reason, index=pairs.index, dtype=object),
        explanation=explanation,
    )
