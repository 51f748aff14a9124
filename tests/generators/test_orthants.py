"""Probabilities of boxes against scipy's, in the tails, and as unions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from tabseed.generators.orthants import log_probability, normal_mass

R = np.array([[1.0, 0.7, -0.4], [0.7, 1.0, 0.2], [-0.4, 0.2, 1.0]])


def boxes(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return low and high (3, n, 1); some sides are open."""
    rng = np.random.default_rng(seed)
    low = rng.normal(-1, 1, (3, n, 1))
    high = low + rng.exponential(1.5, (3, n, 1))
    low[rng.random(low.shape) < 0.2], high[rng.random(high.shape) < 0.2] = -np.inf, np.inf
    return low, high


def test_boxes_have_the_probability_of_scipy() -> None:
    low, high = boxes(40, 0)
    expected = [
        multivariate_normal(cov=R).cdf(b, lower_limit=a, rng=0)
        for a, b in zip(low[:, :, 0].T, high[:, :, 0].T, strict=True)
    ]
    found = log_probability(low, high, R, np.random.default_rng(0), n_draws=4_096)
    np.testing.assert_allclose(np.exp(found), expected, rtol=5e-3, atol=1e-5)


def test_one_bounded_axis_is_exact_and_none_is_certain() -> None:
    low, high = np.full((3, 4, 1), -np.inf), np.full((3, 4, 1), np.inf)
    low[0, :, 0], high[0, :, 0] = [-np.inf, 1, 6, -40], [0, 2, 7, -30]
    found = log_probability(low, high, R, np.random.default_rng(0))
    expected = [np.log(0.5), np.log(norm.cdf(2) - norm.cdf(1)), norm.logsf(6), norm.logcdf(-30)]
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    everything = log_probability(low[1:], high[1:], np.eye(2), np.random.default_rng(0))
    np.testing.assert_allclose(everything, 0, atol=1e-12)


def test_a_union_is_the_sum_of_its_boxes() -> None:
    low, high = boxes(30, 1)
    middle = np.clip(0.3, low, high)
    gap = np.clip(middle + 0.4, low, high)  # between the two intervals of an axis
    parts = [np.stack([low[:, :, 0], gap[:, :, 0]], axis=-1)]
    parts.append(np.stack([middle[:, :, 0], high[:, :, 0]], axis=-1))
    union = log_probability(parts[0], parts[1], R, np.random.default_rng(0), n_draws=4_096)
    total = np.zeros(30)
    for choice in np.ndindex(2, 2, 2):
        a, b = (
            np.stack([side[k, :, c] for k, c in enumerate(choice)])[:, :, None] for side in parts
        )
        total += np.exp(log_probability(a, b, R, np.random.default_rng(0), n_draws=4_096))
    np.testing.assert_allclose(np.exp(union), total, rtol=5e-3, atol=1e-5)


def test_blocks_of_rows_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory bounds how many rows are asked at once: here three."""
    low, high = boxes(20, 3)
    whole = log_probability(low, high, R, np.random.default_rng(0))
    monkeypatch.setattr("tabseed.generators.orthants.MOST", 3 * 12 * 128)
    np.testing.assert_array_equal(log_probability(low, high, R, np.random.default_rng(0)), whole)


def test_empty_boxes_have_probability_zero() -> None:
    low, high = boxes(5, 2)
    high[1] = low[1]
    low[1, :2] = high[1, :2] = [[-np.inf], [np.inf]]
    found = log_probability(low, high, R, np.random.default_rng(0))
    assert (found == -np.inf).all()


def test_mass_keeps_its_digits_in_both_tails() -> None:
    a = np.array([8.0, -9.0, -1.0, 2.0])
    b = np.array([9.0, -8.0, 1.0, 1.0])
    tail = norm.sf(8) - norm.sf(9)
    np.testing.assert_allclose(normal_mass(a, b), [tail, tail, 1 - 2 * norm.cdf(-1), 0], rtol=1e-9)
