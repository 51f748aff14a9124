"""The surrogate: the posterior by its formula, expected improvement against the integral."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor

from tabseed.space import Choice, Float, Space
from tabseed.tune.surrogate import Observed, Surrogate, expected_improvement, greedy_mean


@pytest.mark.parametrize("mean, sd, best", [(0, 1, 0), (1.3, 0.4, 2.0), (-1, 2, -3), (0, 0.5, 3)])
def test_expected_improvement_is_the_integral(mean: float, sd: float, best: float) -> None:
    def gain(f: float) -> float:
        return (f - best) * norm.pdf(f, mean, sd)

    wanted, _ = quad(gain, best, max(mean, best) + 12 * sd, epsabs=1e-13)
    found = expected_improvement(np.array([float(mean)]), np.array([float(sd)]), best)
    assert found[0] == pytest.approx(wanted, abs=1e-10)


def test_expected_improvement_at_its_limits() -> None:
    mean, sd = np.array([2.0, -1.0, -50.0]), np.array([0.0, 0.0, 1.0])
    np.testing.assert_array_equal(expected_improvement(mean, sd, 0.0), [2.0, 0.0, 0.0])


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
    found = model.posterior(new)
    np.testing.assert_allclose(found[0], mean, atol=1e-6)
    np.testing.assert_allclose(found[1], seen.mean.std() * np.sqrt(variance), atol=1e-5)


def test_trials_that_run_change_no_mean_and_are_not_asked_for_again() -> None:
    space, seen = observed()
    model, new = Surrogate(space, seen), np.array([[0.31, 0.75], [0.9, 0.25]])
    told = model.given(new)
    np.testing.assert_allclose(told.posterior(new)[0], model.posterior(new)[0], atol=1e-6)
    assert np.all(told.posterior(new)[1] < 0.9 * model.posterior(new)[1])


def test_improvement_is_that_of_the_mean_once_the_point_was_tried() -> None:
    """Trying x moves the mean there by a normal amount: its law is found by trying it twice."""
    space, seen = observed()
    model, x = Surrogate(space, seen), np.array([[0.35, 0.75]])
    kernel, unit = model.process.kernel_, seen.mean.std()
    mu, s = (float(v[0]) for v in model.posterior(x))
    noise = seen.variance.mean() + unit**2 * kernel.k2.noise_level

    def mean_after(value: float) -> float:
        told = GaussianProcessRegressor(
            kernel, alpha=np.r_[seen.variance, seen.variance.mean()] / unit**2, optimizer=None
        )
        y = (np.r_[seen.mean, value] - seen.mean.mean()) / unit
        told.fit(space.features(np.concatenate([seen.points, x])), y)
        return float(seen.mean.mean() + unit * told.predict(space.features(x))[0])

    moves = (mean_after(mu + 1.0) - mean_after(mu)) * math.sqrt(s**2 + noise)
    best = model.posterior(seen.points)[0].max()
    wanted, _ = quad(lambda f: (f - best) * norm.pdf(f, mu, moves), best, mu + 12 * moves)
    assert wanted > 1e-3
    assert model.improvement(x)[0] == pytest.approx(wanted, rel=1e-4)


def test_noise_of_draws_by_hand() -> None:
    draws = [(1.0, 3.0), (2.0, 2.0, 2.0, 6.0), (4.0,), ()]
    seen = Observed.of(np.zeros((4, 1)), draws)
    np.testing.assert_allclose(seen.mean, [2, 3, 4, 2])  # the failed one is as bad as the worst
    pooled = (2 + 12) / (1 + 3)
    variances = [(4 * pooled + 2) / 5, (4 * pooled + 12) / 7, pooled, pooled]
    np.testing.assert_allclose(seen.variance, np.array(variances) / [2, 4, 1, 1])
    fenced = Observed.of(np.zeros((5, 1)), [(1.0,), (2.0,), (3.0,), (4.0,), (-1e9,)])
    np.testing.assert_allclose(fenced.mean.min(), 1 - 3 * 2)


def test_btb_mean_meets_every_value() -> None:
    space, seen = observed(8)
    np.testing.assert_allclose(greedy_mean(space, seen, seen.points), seen.mean, atol=1e-5)
