"""The surrogate: the posterior by its formula, expected improvement against the integral."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor

from tabseed.space import Choice, Float, Space
from tabseed.tune.surrogate import (
    Observed,
    Surrogate,
    greedy_mean,
    log_expected_improvement,
    log_h,
)


def gain(mean: float, sd: float, best: float) -> float:
    """Return the integral of (f - best) over f > best, for f ~ N(mean, sd^2)."""

    def integrand(f: float) -> float:
        return float((f - best) * norm.pdf(f, mean, sd))

    return float(quad(integrand, best, max(mean, best) + 12 * sd, epsabs=0, epsrel=1e-12)[0])


@pytest.mark.parametrize("mean, sd, best", [(0, 1, 0), (1.3, 0.4, 2.0), (-1, 2, -3), (0, 0.5, 3)])
def test_log_expected_improvement_is_that_of_the_integral(
    mean: float, sd: float, best: float
) -> None:
    logs = log_expected_improvement(np.array([float(mean)]), np.array([float(sd)]), best)
    assert math.exp(logs[0]) == pytest.approx(gain(mean, sd, best), rel=1e-9)


def test_expected_improvement_without_spread_is_the_gain() -> None:
    mean, sd = np.array([2.0, -1.0, 3.0, 0.0]), np.array([0.0, 0.0, 5e-324, 0.0])
    logs = log_expected_improvement(mean, sd, 0.0)
    np.testing.assert_array_equal(logs, [math.log(2.0), -np.inf, math.log(3.0), -np.inf])


def log_integral(z: float) -> float:
    """Return log h(z); h(z) = phi(z) int_0^inf t e^(z t - t^2/2), which does not cancel."""
    peak = max(z, 0.0)  # about where the integrand is largest; its value there is divided out

    def integrand(t: float) -> float:
        return t * math.exp(z * t - t**2 / 2 - (z * peak - peak**2 / 2))

    width = min(1.0, 1 / max(-z, 1e-9)) if z < 0 else 1.0
    ends = [max(0.0, peak - 12 * width), peak + 40 * width]
    value, _ = quad(integrand, *ends, epsabs=0, epsrel=1e-13, limit=200)
    return float(norm.logpdf(z) + z * peak - peak**2 / 2 + math.log(value))


@pytest.mark.parametrize(
    "z",
    [
        -40.0,
        -39.5,
        -38.0,
        -20.0,
        -7.3,
        -3.0,
        -1.5,
        -1.0001,
        -1.0,
        -0.9999,
        -0.5,
        0.0,
        1.0,
        4.0,
        10.0,
    ],
)
def test_log_h_is_the_log_of_the_integral(z: float) -> None:
    assert log_h(np.array([float(z)]))[0] == pytest.approx(log_integral(z), rel=1e-12, abs=1e-12)


def test_log_h_against_its_asymptotic_series() -> None:
    """h(z) = phi(z) / z^2 (1 - 3/z^2 + 15/z^4 - 105/z^6 + ...), on both sides of z = FAR."""
    z = -np.concatenate([np.geomspace(100, 1e7, 60), [9999.9, 10_000.0, 10_000.1]])
    series = -3 / z**2 + 15 / z**4 - 105 / z**6
    wanted = -0.5 * z**2 - 0.5 * math.log(2 * math.pi) - 2 * np.log(-z) + np.log1p(series)
    np.testing.assert_allclose(log_h(z), wanted, rtol=1e-14, atol=1e-8)


def test_log_h_is_finite_and_rises_where_h_itself_is_0() -> None:
    z = np.concatenate([-np.geomspace(1e150, 51, 500), np.linspace(-50, 10, 6001)])
    logs = log_h(z)
    assert np.isfinite(logs).all()
    assert (np.diff(logs) > 0).all()
    with np.errstate(under="ignore"):
        assert (norm.pdf(z[z < -40]) + z[z < -40] * norm.cdf(z[z < -40]) == 0).all()


def observed(n: int = 12) -> tuple[Space, Observed]:
    rng = np.random.default_rng(1)
    space = Space({"x": Float(0.0, 1.0), "c": Choice(("a", "b"))})
    points = rng.random((n, 2))
    f = np.sin(5 * points[:, 0]) + (points[:, 1] > 0.5)
    return space, Observed.of(points, f[:, None] + 0.1 * rng.normal(size=(n, 3)))


def test_the_posterior_is_that_of_the_formula() -> None:
    space, seen = observed()
    model = Surrogate(space, seen)
    kernel = model.process.kernel_
    c, lengths, w = (kernel.k1.k1.constant_value, kernel.k1.k2.length_scale, kernel.k2.noise_level)

    def covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        gap = (space.features(a)[:, None] - space.features(b)[None]) / lengths
        r = math.sqrt(5) * np.sqrt(np.sum(gap**2, axis=2))
        return c * (1 + r + r**2 / 3) * np.exp(-r)

    new = np.random.default_rng(2).random((5, 2))
    y = (seen.mean - seen.mean.mean()) / seen.mean.std()
    noise = np.diag(seen.variance / seen.mean.var() + w)
    gain = covariance(new, seen.points) @ np.linalg.inv(
        covariance(seen.points, seen.points) + noise
    )
    mean = seen.mean.mean() + seen.mean.std() * gain @ y
    variance = c - np.sum(gain * covariance(new, seen.points), axis=1)
    posterior = model.posterior(new)
    np.testing.assert_allclose(posterior[0], mean, atol=1e-6)
    np.testing.assert_allclose(posterior[1], seen.mean.std() * np.sqrt(variance), atol=1e-5)


def test_running_trials_change_no_mean_and_lower_the_spread() -> None:
    space, seen = observed()
    model, new = Surrogate(space, seen), np.array([[0.31, 0.75], [0.9, 0.25]])
    updated = model.given(new)
    np.testing.assert_allclose(updated.posterior(new)[0], model.posterior(new)[0], atol=1e-6)
    assert np.all(updated.posterior(new)[1] < 0.9 * model.posterior(new)[1])


def test_improvement_is_that_of_the_mean_once_the_point_was_tried() -> None:
    """Trying x moves the mean there by a normal amount; two tries give the law of that amount."""
    space, seen = observed()
    model, x = Surrogate(space, seen), np.array([[0.35, 0.75]])
    kernel, unit = model.process.kernel_, seen.mean.std()
    mu, s = (float(v[0]) for v in model.posterior(x))
    noise = seen.variance.mean() + unit**2 * kernel.k2.noise_level

    def mean_after(value: float) -> float:
        process = GaussianProcessRegressor(
            kernel, alpha=np.r_[seen.variance, seen.variance.mean()] / unit**2, optimizer=None
        )
        y = (np.r_[seen.mean, value] - seen.mean.mean()) / unit
        process.fit(space.features(np.concatenate([seen.points, x])), y)
        return float(seen.mean.mean() + unit * process.predict(space.features(x))[0])

    moves = (mean_after(mu + 1.0) - mean_after(mu)) * math.sqrt(s**2 + noise)
    best = model.posterior(seen.points)[0].max()
    wanted = gain(mu, moves, best)
    assert wanted > 1e-3
    assert math.exp(model.log_improvement(x)[0]) == pytest.approx(wanted, rel=1e-4)


def test_noise_of_draws_by_hand() -> None:
    draws = [(1.0, 3.0), (2.0, 2.0, 2.0, 6.0), (4.0,), ()]
    seen = Observed.of(np.zeros((4, 1)), draws)
    np.testing.assert_allclose(seen.mean, [2, 3, 4, 2])  # the failed trial counts as the worst
    pooled = (2 + 12) / (1 + 3)
    variances = [(4 * pooled + 2) / 5, (4 * pooled + 12) / 7, pooled, pooled]
    np.testing.assert_allclose(seen.variance, np.array(variances) / [2, 4, 1, 1])
    fenced = Observed.of(np.zeros((5, 1)), [(1.0,), (2.0,), (3.0,), (4.0,), (-1e9,)])
    np.testing.assert_allclose(fenced.mean.min(), 1 - 3 * 2)


def test_btb_mean_meets_every_value() -> None:
    space, seen = observed(8)
    np.testing.assert_allclose(greedy_mean(space, seen, seen.points), seen.mean, atol=1e-5)
