"""Weights on the simplex against brute force and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from tabseed.estimates.simplex import least_squares_weights, likeliest_weights

GRID = np.stack([np.linspace(0, 1, 2_001), 1 - np.linspace(0, 1, 2_001)], axis=1)


def test_likeliest_weights_are_those_of_a_grid() -> None:
    rng = np.random.default_rng(0)
    logs, towards = rng.normal(size=(60, 2)), np.array([0.7, 0.3])
    for prior in (0.0, 5.0, 500.0):
        values = np.log(np.exp(logs) @ GRID[1:-1].T).sum(axis=0)
        values += prior * np.log(GRID[1:-1]) @ towards
        best = GRID[1:-1][values.argmax()]
        np.testing.assert_allclose(likeliest_weights(logs, towards, prior), best, atol=1e-3)


def test_what_no_member_draws_says_nothing_and_one_that_draws_none_gets_nothing() -> None:
    logs = np.array([[0.0, -np.inf], [-np.inf, -np.inf], [-1.0, -np.inf]])
    np.testing.assert_allclose(likeliest_weights(logs, np.full(2, 0.5), 0.0), [1, 0], atol=1e-6)
    nothing = likeliest_weights(np.empty((0, 3)), np.array([0.5, 0.3, 0.2]), 4.0)
    np.testing.assert_allclose(nothing, [0.5, 0.3, 0.2], atol=1e-6)


def test_a_mixture_is_recovered() -> None:
    """3,000 rows of 0.8 N(0, 1) + 0.2 N(3, 1): the error of w is below 0.03, three of its sd."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=3_000) + 3 * (rng.random(3_000) < 0.2)
    logs = -((x[:, None] - np.array([0, 3])) ** 2) / 2
    w = likeliest_weights(logs, np.full(2, 0.5), 0.0)
    assert w[1] == pytest.approx(0.2, abs=0.03)


def test_least_squares_weights_are_those_of_a_grid_whatever_the_unit() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=80)
    predictions = np.stack([y + rng.normal(size=80), 0.5 * y + 0.4 * rng.normal(size=80)], axis=1)
    for prior in (0.0, 10.0):
        v = np.var(y)
        values = ((y[:, None] - predictions @ GRID.T) ** 2).sum(axis=0)
        values += prior * v * ((GRID - 0.5) ** 2).sum(axis=1)
        w = least_squares_weights(predictions, y, prior)
        np.testing.assert_allclose(w, GRID[values.argmin()], atol=1e-3)
        np.testing.assert_allclose(
            least_squares_weights(1e6 * predictions, 1e6 * y, prior), w, atol=1e-4
        )


def test_a_perfect_member_gets_all_and_equal_ones_share() -> None:
    y = np.random.default_rng(2).normal(size=50)
    noise = np.random.default_rng(3).normal(size=50)
    w = least_squares_weights(np.stack([y, noise, noise], axis=1), y, 0.0)
    np.testing.assert_allclose(w, [1, 0, 0], atol=1e-4)
    w = least_squares_weights(np.stack([noise, noise], axis=1), y, 1.0)
    np.testing.assert_allclose(w, [0.5, 0.5], atol=1e-4)
