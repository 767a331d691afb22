"""How alike neighbouring periods of a series are, told from few of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Process", "autoregressive_process", "fewer_degrees"]

GRID = np.linspace(-0.5, 0.98, 75)  # of the correlation between neighbours
FEWEST_DEGREES = 3.0


class Process(NamedTuple):
    """An autoregressive process behind the errors of series with the same periods."""

    correlation: np.ndarray  # between neighbours, one per series
    variance: np.ndarray  # of each contrast at that correlation, one row per series
    averaged_variance: np.ndarray  # the same, averaged over what the correlation may be


def autoregressive_process(
    design: np.ndarray, values: np.ndarray, *, times: np.ndarray, contrasts: np.ndarray
) -> Process:
    """The process whose correlation is the mean of its restricted likelihood.

    The likeliest correlation alone is too low in a short series; the average is not. What few
    periods cannot tell of the correlation is in the averaged variance, which is larger.

    Parameters
    ----------
    design
        One row per period, one column per coefficient.
    values
        One row per period, one column per series; none exactly on its line.
    times
        When the periods were, as whole numbers: two of them are as alike as the correlation to
        the power of the distance between them.
    contrasts
        One row per combination of the coefficients that is wanted.
    """
    degrees = len(values) - design.shape[1]
    apart = np.abs(times[:, None] - times[None, :]).astype(int)
    spread = contrasts @ np.linalg.pinv(design)
    alike = GRID[:, None, None] ** apart
    lower = np.linalg.cholesky(alike)
    whitened = np.linalg.solve(lower, np.column_stack([design, values])[None])
    columns, outcome = whitened[..., : design.shape[1]], whitened[..., design.shape[1] :]
    gram = columns.transpose(0, 2, 1) @ columns
    coefficient = np.linalg.solve(gram, columns.transpose(0, 2, 1) @ outcome)
    left = ((outcome - columns @ coefficient) ** 2).sum(axis=1)
    diagonal = np.diagonal(lower, axis1=1, axis2=2)
    shape = np.linalg.slogdet(gram)[1] + 2 * np.log(diagonal).sum(axis=1)
    likelihood = -0.5 * (degrees * np.log(left) + shape[:, None])
    unit = np.einsum("ij,gjk,ik->gi", spread, alike, spread)
    variance = left[..., None] / degrees * unit[:, None, :]
    weight = np.exp(likelihood - likelihood.max(axis=0))
    weight /= weight.sum(axis=0)
    correlation = GRID @ weight
    at = np.searchsorted(GRID, np.maximum(correlation, 0.0)).clip(1, len(GRID) - 1)
    share = (np.maximum(correlation, 0.0) - GRID[at - 1]) / (GRID[at] - GRID[at - 1])
    series = np.arange(values.shape[1])
    below, above = variance[at - 1, series], variance[at, series]
    averaged = np.einsum("gs,gsc->sc", weight, variance)
    return Process(correlation, below + share[:, None] * (above - below), averaged)


def fewer_degrees(degrees: float, correlation: np.ndarray) -> np.ndarray:
    """Degrees of freedom of as many independent periods as would give the same information."""
    likely = np.maximum(correlation, 0.0)
    return np.minimum(degrees, np.maximum(FEWEST_DEGREES, degrees * (1 - likely) / (1 + likely)))
