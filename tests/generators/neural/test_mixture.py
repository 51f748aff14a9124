"""The latent mixture: its moments, density and draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid
from scipy.special import logsumexp
from scipy.stats import kstest, multivariate_normal

from tabseed.generators.neural.mixture import LatentMixture


def test_mixture_has_the_moments_of_the_aggregated_posterior() -> None:
    """Mean and covariance of 200,000 draws: 5 numbers, each within 5 standard errors; one seed."""
    rng = np.random.default_rng(0)
    n, d = 400, 2
    means = np.concatenate([rng.normal(size=(n // 2, d)) - 4, rng.normal(size=(n // 2, d)) + 4])
    log_variances = np.log(rng.uniform(0.05, 0.5, size=(n, d)))
    mixture = LatentMixture.fit(means, log_variances, seed=0)
    codes = mixture.sample(200_000, rng)
    expected = np.cov(means.T, bias=True) + np.diag(np.exp(log_variances).mean(axis=0))
    assert np.allclose(codes.mean(axis=0), means.mean(axis=0), atol=5 * 4.2 / 200_000**0.5 + 0.02)
    assert np.allclose(np.cov(codes.T), expected, rtol=0.02)
    close = np.abs(codes[:, None] - np.array([[-4, -4], [4, 4]])).max(-1).min(-1)
    assert (close < 4).mean() > 0.99  # two clusters with nothing between them


def test_mixture_of_few_or_equal_codes() -> None:
    for means in (np.zeros((5, 3)), np.ones((1, 2)).repeat(40, 0), np.eye(5)):
        mixture = LatentMixture.fit(means, np.full(means.shape, -3.0), seed=1)
        assert np.isfinite(mixture.sample(10, np.random.default_rng(0))).all()


def mixture_of(d: int, extra: float) -> LatentMixture:
    rng = np.random.default_rng(d)
    weights, means = np.array([0.2, 0.5, 0.3]), rng.normal(size=(3, d)) * 2
    factors = np.tril(rng.normal(size=(3, d, d)) * 0.4) + 0.8 * np.eye(d)
    return LatentMixture(weights, means, factors, np.full(d, extra) * np.arange(1, d + 1))


@pytest.mark.parametrize("extra", [0.0, 0.7])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_mixture_density_against_scipy(d: int, extra: float) -> None:
    """Also where the mixture is far away, and where weights do not sum to 1."""
    mixture = mixture_of(d, extra)
    z = np.random.default_rng(1).normal(size=(40, d)) * np.geomspace(0.1, 30, 40)[:, None]
    parts = [
        np.log(w) + multivariate_normal(m, f @ f.T + np.diag(mixture.extra**2)).logpdf(z)
        for w, m, f in zip(mixture.weights, mixture.means, mixture.factors, strict=True)
    ]
    density = mixture.log_density(z)
    np.testing.assert_allclose(density, logsumexp(parts, axis=0), rtol=1e-9)
    doubled = LatentMixture(2 * mixture.weights, mixture.means, mixture.factors, mixture.extra)
    np.testing.assert_allclose(doubled.log_density(z), density, rtol=1e-12)


@pytest.mark.parametrize("extra", [0.0, 0.7])
def test_mixture_density_integrates_to_one(extra: float) -> None:
    line = np.linspace(-15, 15, 601)
    one = np.exp(mixture_of(1, extra).log_density(line[:, None]))
    assert np.trapezoid(one, line) == pytest.approx(1, abs=1e-6)
    plane = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    two = np.exp(mixture_of(2, extra).log_density(plane))
    assert two.sum() * 0.05**2 == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("extra", [0.0, 0.7])
def test_mixture_draws_from_its_density(extra: float) -> None:
    """Kolmogorov-Smirnov on 20,000 draws, rejected at p < 1e-6; one seed."""
    mixture, line = mixture_of(1, extra), np.linspace(-15, 15, 3_001)
    cumulative = cumulative_trapezoid(np.exp(mixture.log_density(line[:, None])), line, initial=0)
    codes = mixture.sample(20_000, np.random.default_rng(2))[:, 0]
    assert kstest(codes, lambda z: np.interp(z, line, cumulative)).pvalue > 1e-6
