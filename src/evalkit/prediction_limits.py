"""Where the effect in one more unit is expected, when the variance between units is uncertain too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special, stats
from scipy.optimize import brentq

__all__ = ["chance_of_less_scatter", "confidence_distribution_limits"]

VARIANCES = 200  # at which the confidence distribution is computed
PARTS = (np.arange(100) + 0.5) / 100
QUANTILES = np.sin(np.pi / 2 * PARTS) ** 2  # of it that are mixed, closest near its ends
SHARES = np.sin(np.pi * PARTS) / np.sin(np.pi * PARTS).sum()  # of the mixture that each makes up
CONTOUR_POINTS = 24  # of the inverted transform; nine digits with forty units, more with fewer
MANY_UNITS = 50  # with more, the inversion overflows, and two moments are enough
DEVIATES = np.linspace(-5, 5, 41)  # of the effect round its mean, in standard deviations


def confidence_distribution_limits(
    value: np.ndarray, variance: np.ndarray, *, levels: Sequence[float]
) -> list[tuple[float, float]]:
    """Prediction limits that let the variance between units be as uncertain as it is.

    Every value that the variance between units may have gives a distribution of the effect in one
    more unit: normal round the mean, whose own error is Hartung's, with Student's t. They are
    mixed by the confidence distribution of the variance, which inverts the exact distribution of
    Cochran's Q. The authors draw from the mixture; here its quantiles are computed.

    Parameters
    ----------
    value, variance
        Effect of each unit, of which there are three or more, and the square of its standard
        error. The effects must not all be equal.
    levels
        Confidence levels.

    Returns
    -------
    list of tuple
        Lower and upper limit for each level, in the unit of ``value``.

    References
    ----------
    Nagashima, Noma and Furukawa (2019), Stat. Methods Med. Res. 28, 1689-1702.
    """
    between = _quantiles_of_between_variance(value, variance)
    weight = 1 / (variance + between[:, None])
    mean = (weight * value).sum(axis=1) / weight.sum(axis=1)
    spread = (weight * (value - mean[:, None]) ** 2).sum(axis=1) / (len(value) - 1)
    error = np.sqrt(spread / weight.sum(axis=1))
    centres = mean[:, None] + np.sqrt(between)[:, None] * DEVIATES
    density = np.exp(-(DEVIATES**2) / 2)
    density /= density.sum()

    def chance_below(limit: float) -> float:
        below = special.stdtr(len(value) - 1, (limit - centres) / error[:, None])
        return float(SHARES @ below @ density)

    middle, step = float(np.median(mean)), float(np.sqrt(np.median(between + error**2)))
    return [
        tuple(
            _where(chance_below, chance, middle, step)
            for chance in (0.5 - level / 2, 0.5 + level / 2)
        )
        for level in levels
    ]


def chance_of_less_scatter(scatter: float, variance: np.ndarray, between: np.ndarray) -> np.ndarray:
    """Chance that Cochran's Q is at most ``scatter``.

    Q is a weighted sum of squared normal deviates. The Laplace transform of its distribution is
    inverted numerically; with more than fifty units, the distribution is the multiple of a
    chi-squared one that has its mean and variance.

    Parameters
    ----------
    scatter
        Above 0.
    variance
        The square of each unit's standard error.
    between
        Variances between units.

    Returns
    -------
    ndarray
        One chance for each of ``between``.

    References
    ----------
    Abate and Valkó (2004), Int. J. Numer. Methods Eng. 60, 979-993 (fixed Talbot algorithm);
    Biggerstaff and Jackson (2008), Statistics in Medicine 27, 6093-6110 (the distribution of Q).
    """
    share = 1 / variance / (1 / variance).sum()
    ratio = 1 + between[:, None] / variance
    if len(variance) > MANY_UNITS:
        mean = (ratio * (1 - share)).sum(axis=1)
        square = (ratio**2 * (1 - 2 * share)).sum(axis=1) + (ratio * share).sum(axis=1) ** 2
        return stats.chi2.cdf(scatter * mean / square, mean**2 / square)
    rate = 2 * CONTOUR_POINTS / (5 * scatter)
    angle = np.arange(1, CONTOUR_POINTS) * np.pi / CONTOUR_POINTS
    cotangent = 1 / np.tan(angle)
    turn = 1 + 1j * (angle + (angle * cotangent - 1) * cotangent)
    points = np.append(rate, rate * angle * (cotangent + 1j))
    factor = np.append(0.5, turn) * np.exp(scatter * points) / points
    terms = 1 + 2 * ratio[:, :, None] * points
    logarithm = np.log(terms).sum(axis=1) + np.log((share[:, None] / terms).sum(axis=1))
    return rate / CONTOUR_POINTS * (np.exp(-logarithm / 2) * factor).real.sum(axis=1)


def _quantiles_of_between_variance(value: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Quantiles of the confidence distribution of the variance between units."""
    scale = np.var(value, ddof=1) + variance.max()
    between = np.append(0.0, scale * np.geomspace(1e-6, 1e6, VARIANCES))
    mean = np.average(value, weights=1 / variance)
    scatter = float(((value - mean) ** 2 / variance).sum())
    chance = 1 - chance_of_less_scatter(scatter, variance, between)
    chance = np.maximum.accumulate(np.clip(chance, 0, 1))
    found = np.exp(np.interp(QUANTILES, chance[1:], np.log(between[1:])))
    return np.where(chance[0] >= QUANTILES, 0.0, found)


def _where(chance_below, chance: float, middle: float, step: float) -> float:
    """The limit under which the chance lies."""
    reach = step
    for _ in range(200):
        if chance_below(middle - reach) < chance < chance_below(middle + reach):
            break
        reach *= 2
    return brentq(
        lambda limit: chance_below(limit) - chance,
        middle - reach,
        middle + reach,
        xtol=1e-7 * step,
    )
