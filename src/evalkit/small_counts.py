"""Which counts of persons are too small to show: the one rule, asked by all that shows or hides.

A study says in ``study.toml`` what its smallest count is, and under it whether nought is small too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SmallestCount", "is_small", "least_small", "published_rule", "smallest_count_of"]


class SmallestCount(int):
    """The smallest count of persons that may be shown, and whether nought may be.

    A plain number stands for a rule that hides nought: that nobody did says something of everybody.

    Parameters
    ----------
    count
        The smallest count that may be shown.
    nought_is_small
        False where a count of nought may be shown.
    """

    nought_is_small: bool

    def __new__(cls, count: int, *, nought_is_small: bool = True) -> SmallestCount:
        given = super().__new__(cls, count)
        given.nought_is_small = nought_is_small
        return given

    def __reduce__(self) -> tuple:
        return _made, (int(self), self.nought_is_small)


def _made(count: int, nought_is_small: bool) -> SmallestCount:
    return SmallestCount(count, nought_is_small=nought_is_small)


def least_small(smallest_count: int) -> int:
    """The least count that is too small to show: 0, or 1 where nought may be shown.

    Parameters
    ----------
    smallest_count
        A ``SmallestCount``, or a plain number.
    """
    return 0 if getattr(smallest_count, "nought_is_small", True) else 1


def is_small(counts: Any, smallest_count: int) -> Any:
    """Whether counts are too small to show; a missing count is not.

    Parameters
    ----------
    counts
        A count, or a Series or array of counts.
    smallest_count
        A ``SmallestCount``, or a plain number.
    """
    return (counts < smallest_count) & (counts >= least_small(smallest_count))


def published_rule(smallest_count: int, *, published: bool) -> int:
    """The rule for the counts of a table: none where they are shown as others published them.

    Parameters
    ----------
    smallest_count
        The study's rule.
    published
        Whether the study shows the table's counts as published.
    """
    return SmallestCount(0) if published else smallest_count


def smallest_count_of(settings: pd.DataFrame, *, of: str = "") -> SmallestCount:
    """The rule of a study, from its processed table ``study``.

    Parameters
    ----------
    settings
        The one row with ``smallest_count``, ``nought_is_small`` and ``published_tables``.
    of
        The table whose counts the rule is for, where the study may show them as published.
    """
    row = settings.iloc[0]
    if of and of in row["published_tables"].split(";"):
        return SmallestCount(0)
    return SmallestCount(int(row["smallest_count"]), nought_is_small=bool(row["nought_is_small"]))
