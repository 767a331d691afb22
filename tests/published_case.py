"""A value that somebody else published, and how evalkit computes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One published number; ``compute`` must come within ``tolerance`` of it."""

    statistic: str
    case: str
    published: float
    tolerance: float
    source: str
    compute: Callable[[], float]
