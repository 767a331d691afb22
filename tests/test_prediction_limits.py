import numpy as np
import pytest
from scipy import optimize, stats

from evalkit.prediction_limits import chance_of_less_scatter, confidence_distribution_limits


@pytest.mark.parametrize("count", [3, 6, 41, 51, 357])
@pytest.mark.parametrize("chance", [1e-4, 0.1, 0.5, 0.999])
def test_scatter_of_equal_units_has_a_chi_squared_distribution(count, chance):
    scatter = 5.0 * stats.chi2.ppf(chance, count - 1)

    result = chance_of_less_scatter(scatter, np.full(count, 0.5), np.array([2.0]))

    assert result.item() == pytest.approx(chance, abs=1e-8)


@pytest.mark.parametrize("count", [4, 30, 60])
def test_scatter_of_unequal_units_is_that_of_drawn_ones(count):
    generator = np.random.default_rng(1)
    variance = generator.uniform(0.2, 3.0, count)
    values = generator.normal(scale=np.sqrt(variance + 0.7), size=(40_000, count))
    means = (values / variance).sum(axis=1) / (1 / variance).sum()
    scatter = ((values - means[:, None]) ** 2 / variance).sum(axis=1)
    limits = np.quantile(scatter, [0.05, 0.5, 0.95])

    result = [chance_of_less_scatter(q, variance, np.array([0.7])).item() for q in limits]

    assert result == pytest.approx([0.05, 0.5, 0.95], abs=0.012)


def test_the_limits_are_the_quantiles_of_the_drawn_mixture():
    """As the authors do it: draw a variance, a mean with its error, and an effect round it."""
    value = np.array([0.0, 1.0, 0.3, 2.2, 1.4])
    variance = np.array([0.1, 0.2, 0.05, 0.4, 0.1])
    scatter = ((value - np.average(value, weights=1 / variance)) ** 2 / variance).sum()
    contrast = np.diag(1 / variance) - np.outer(1 / variance, 1 / variance) / (1 / variance).sum()
    generator = np.random.default_rng(2)
    squares = generator.chisquare(1, size=(20_000, 4))

    def likely_under(between):
        root = np.sqrt(variance + between)
        weights = np.linalg.eigvalsh(root[:, None] * contrast * root)[1:]
        return (squares @ weights > scatter).mean()

    chances = generator.random(40_000)
    shares = np.linspace(0.0005, 0.9995, 1000)
    quantiles = [
        0.0
        if share <= likely_under(0.0)
        else optimize.brentq(lambda between, share=share: likely_under(between) - share, 0.0, 1e5)
        for share in shares
    ]
    between = np.interp(chances, shares, quantiles)
    weight = 1 / (variance + between[:, None])
    mean = (weight * value).sum(axis=1) / weight.sum(axis=1)
    spread = (weight * (value - mean[:, None]) ** 2).sum(axis=1) / 4 / weight.sum(axis=1)
    drawn = mean + np.sqrt(between) * generator.normal(size=40_000)
    drawn += np.sqrt(spread) * generator.standard_t(4, size=40_000)

    (limits,) = confidence_distribution_limits(value, variance, levels=[0.8])

    assert limits == pytest.approx(tuple(np.quantile(drawn, [0.1, 0.9])), abs=0.03)


@pytest.mark.parametrize("count", [3, 8, 60])
@pytest.mark.parametrize("unlike", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("apart", [1e-4, 1.0, 1e4])
def test_very_unlike_units_have_limits_too(count, unlike, apart):
    generator = np.random.default_rng(3)
    variance = np.geomspace(1.0, unlike, count)
    value = apart * generator.normal(size=count)

    (near, far) = confidence_distribution_limits(value, variance, levels=[0.95, 0.998])

    assert np.isfinite([*near, *far]).all()
    assert far[0] < near[0] < near[1] < far[1]
