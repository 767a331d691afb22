"""Do the items of an index go together? Cronbach's alpha and McDonald's omega."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import stats

from evalkit.accepted import NUMBER, Rows, accepts
from evalkit.errors import DataError
from evalkit.uncertainty import STANDARD_LEVELS

__all__ = ["cronbach_alpha", "mcdonald_omega", "one_factor_loadings"]

FEWEST_RESPONDENTS = 10
FEWEST_FOR_OMEGA_LIMITS = 30  # at twenty, those that could be given held the truth in 32 of 38
LARGEST_LOADING = np.sqrt(1 - 0.005)  # an item always has some variance of its own
DRAWN_AT_ONCE = 2_000_000  # counts of respondents in replicates, so that memory is bounded
MOST_IMPROPER = 0.1  # share of replicates with an item at that bound; above it, no limits


@accepts(scores=Rows(every=NUMBER))
def cronbach_alpha(
    scores: pd.DataFrame,
    *,
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
    fewest_respondents: int = FEWEST_RESPONDENTS,
) -> pd.DataFrame:
    """Cronbach's alpha with Feldt's interval, and alpha without each item.

    Parameters
    ----------
    scores
        One row per respondent, one column per item, all turned the same way. Respondents with
        a blank answer are left out.
    confidence_levels
        Levels wanted.
    fewest_respondents
        Complete respondents needed.

    Returns
    -------
    DataFrame
        A first row for all items (``left_out_item`` missing) and one per item left out, at
        each level: ``count`` (items), ``base`` (respondents), ``value``, limits,
        ``confidence_level``, ``method``, ``reason`` (``base_too_small`` under
        ``fewest_respondents``; ``design_cannot_answer`` with one item, an item that does not
        vary, or a sum that does not).

    References
    ----------
    Cronbach (1951), Psychometrika 16, 297-334; Feldt, Woodruff and Salih (1987), Appl.
    Psychol. Meas. 11, 93-103.
    """
    complete = scores.dropna().to_numpy(dtype=float)
    n, items = complete.shape
    levels = list(confidence_levels)
    left_out = [None, *(scores.columns if items > 2 else [])]
    rows = []
    for item in left_out:
        kept = complete[:, [name != item for name in scores.columns]]
        k = kept.shape[1]
        reason, value = _refusal(kept, fewest_respondents), np.nan
        if reason is None:
            covariance = np.cov(kept, rowvar=False)
            whole, own = covariance.sum(), np.trace(covariance)
            if whole <= 1e-12 * own:
                reason = "design_cannot_answer"
            else:
                value = k / (k - 1) * (1 - own / whole)
        for level in levels:
            tails = (1 + level) / 2, (1 - level) / 2
            lower, upper = (
                1 - (1 - value) * stats.f.ppf(tail, n - 1, (n - 1) * (k - 1)) for tail in tails
            )
            rows.append((item, k, n, value, lower, upper, level, "Feldt", reason))
    result = pd.DataFrame(rows, columns=["left_out_item", *_COLUMNS])
    reasons = result["reason"].astype(object)
    return result.assign(reason=reasons.where(reasons.notna(), None))


@accepts(scores=Rows(every=NUMBER))
def mcdonald_omega(
    scores: pd.DataFrame,
    *,
    confidence_levels: Iterable[float] = STANDARD_LEVELS,
    replicate_count: int = 1000,
    seed: int = 1,
    fewest_respondents: int = FEWEST_RESPONDENTS,
) -> pd.DataFrame:
    """McDonald's omega of a one-factor model, with a bootstrap interval.

    Unlike alpha it does not take every item to measure the common matter equally well.

    Parameters
    ----------
    scores
        As in ``cronbach_alpha``.
    confidence_levels
        Levels wanted.
    replicate_count
        Bootstrap replicates; respondents are drawn.
    seed
        Seed of the bootstrap, so that the same table gives the same interval.
    fewest_respondents
        Complete respondents needed.

    Returns
    -------
    DataFrame
        One row per level: ``count`` (items), ``base`` (respondents), ``value``, percentile
        limits, ``confidence_level``, ``method``, ``reason`` (as in ``cronbach_alpha``; a
        one-factor model needs three items) and ``improper_share``, the share of replicates in
        which an item would have no variance of its own, or that have an item that does not
        vary. Above one in ten, or where the answers themselves are so, the limits are withheld
        as ``design_cannot_answer``; under thirty respondents, as ``base_too_small``.

    References
    ----------
    McDonald (1999), Test Theory, chapter 6; the factor by minimum residuals, Harman and Jones
    (1966), Psychometrika 31, 351-368.
    """
    complete = scores.dropna().to_numpy(dtype=float)
    n, items = complete.shape
    levels = list(confidence_levels)
    reason = _refusal(complete, fewest_respondents) or (
        None if items >= 3 else "design_cannot_answer"
    )
    value = improper_share = np.nan
    limits = np.full((len(levels), 2), np.nan)
    if reason is None:
        values, improper = _omega(np.cov(complete, rowvar=False)[None])
        value = float(values[0])
        covariance = _drawn_covariances(complete, replicate_count, seed)
        usable = (np.diagonal(covariance, axis1=1, axis2=2) > 1e-12).all(axis=1)
        replicates, at_bound = _omega(covariance[usable])
        improper_share = 1 - (~at_bound).sum() / replicate_count
        if improper.any() or improper_share > MOST_IMPROPER:
            reason = "design_cannot_answer"
        else:
            tails = [((1 - level) / 2, (1 + level) / 2) for level in levels]
            limits = np.quantile(replicates, tails)
    if reason is None and n < FEWEST_FOR_OMEGA_LIMITS:
        reason, limits = "base_too_small", np.full_like(limits, np.nan)
    method = f"one factor, minimum residuals; bootstrap, {replicate_count} replicates"
    return pd.DataFrame(
        {
            "count": items,
            "base": n,
            "value": value,
            "lower": limits[:, 0],
            "upper": limits[:, 1],
            "confidence_level": levels,
            "method": method,
        }
    ).assign(reason=reason, improper_share=improper_share)


def one_factor_loadings(correlation: np.ndarray, *, most_rounds: int = 500) -> np.ndarray:
    """Loadings of a one-factor model by minimum residuals, for one or many matrices at once.

    Parameters
    ----------
    correlation
        Correlations, ``(items, items)`` or ``(matrices, items, items)``.
    most_rounds
        Rounds after which the loadings are taken as they are.

    Returns
    -------
    ndarray
        ``(items,)`` or ``(matrices, items)``, with a positive sum. None is larger than leaves
        an item 0.005 of its variance for its own (Heywood case), as in the R package psych.

    Raises
    ------
    DataError
        If there are fewer than three items.
    """
    single = correlation.ndim == 2
    matrices = correlation[None] if single else correlation
    items = matrices.shape[-1]
    if items < 3:
        raise DataError("a one-factor model needs at least three items")
    off = ~np.eye(items, dtype=bool)
    values, vectors = np.linalg.eigh(matrices)
    loadings = vectors[:, :, -1] * np.sqrt(np.maximum(values[:, -1], 0))[:, None]
    for _ in range(most_rounds):
        previous = loadings.copy()
        for item in range(items):  # least squares over the item's correlations with the rest
            others = off[item]
            rest = loadings[:, others]
            best = (matrices[:, item, others] * rest).sum(axis=1) / np.maximum(
                (rest**2).sum(axis=1), 1e-12
            )
            loadings[:, item] = np.clip(best, -LARGEST_LOADING, LARGEST_LOADING)
        if np.abs(loadings - previous).max() < 1e-10:
            break
    loadings = loadings * np.where(loadings.sum(axis=1) < 0, -1.0, 1.0)[:, None]
    return loadings[0] if single else loadings


_COLUMNS = ["count", "base", "value", "lower", "upper", "confidence_level", "method", "reason"]


def _refusal(complete: np.ndarray, fewest: int) -> str | None:
    n, items = complete.shape
    if n < fewest:
        return "base_too_small"
    if items < 2 or (np.ptp(complete, axis=0) == 0).any():
        return "design_cannot_answer"
    return None


def _drawn_covariances(complete: np.ndarray, replicate_count: int, seed: int) -> np.ndarray:
    """Covariances of the items in each bootstrap replicate of the respondents."""
    n = len(complete)
    generator = np.random.default_rng(seed)
    at_once = max(1, DRAWN_AT_ONCE // n)  # the draws are the same, however many are made at once
    found = []
    for first in range(0, replicate_count, at_once):
        size = min(at_once, replicate_count - first)
        drawn = generator.multinomial(n, np.full(n, 1 / n), size=size).astype(float)
        means = drawn @ complete / n
        products = np.einsum("bn,ni,nj->bij", drawn, complete, complete, optimize=True)
        found.append((products - n * means[:, :, None] * means[:, None, :]) / (n - 1))
    return np.concatenate(found)


def _omega(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Omega of each covariance matrix, and whether an item's loading is at its bound.

    Omega is the common variance of the sum over its modelled variance.
    """
    spread = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    correlation = covariance / (spread[:, :, None] * spread[:, None, :])
    standard = one_factor_loadings(correlation)
    common = (standard * spread).sum(axis=1) ** 2
    own = (spread**2 * (1 - standard**2)).sum(axis=1)
    return common / (common + own), (np.abs(standard) >= LARGEST_LOADING - 1e-9).any(axis=1)
