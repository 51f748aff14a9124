"""The choice of the next family: UCB1 worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from tabseed.tune.bandit import scaled, select, ucb1


def test_ucb1_by_hand() -> None:
    index = ucb1(np.array([1.0, 0.5, 0.0]), np.array([4, 1, 0]))
    # ln 5 = 1.6094379124341003
    assert index[0] == pytest.approx(1 + math.sqrt(3.2188758248682006 / 4), abs=1e-12)
    assert index[1] == pytest.approx(0.5 + math.sqrt(3.2188758248682006), abs=1e-12)
    assert index[2] == math.inf


def test_rewards_by_hand_and_free_of_scale() -> None:
    values = [np.array([3.0, 5.0]), np.array([1.0])]
    z = norm.ppf([1 / 6, 3 / 6, 5 / 6])  # scores of the values 1, 3, 5
    s = math.sqrt((1 + 2 * ((z[2] - z[1]) / 2) ** 2) / (1 + 3 - 2))
    rewards = scaled(values)
    np.testing.assert_allclose(rewards[0], z[1:] / s)
    np.testing.assert_allclose(rewards[1], z[:1] / s)
    for change in (lambda v: 1e-4 * v - 7, np.exp):  # any increasing function
        np.testing.assert_allclose(
            np.concatenate(scaled([change(v) for v in values])), np.concatenate(rewards)
        )
    np.testing.assert_array_equal(scaled([np.array([2.0, 2.0]), np.array([])])[0], 0.0)


def shares(rule: str, gap: float, scale: float, families: int = 2) -> np.ndarray:
    """Return how many of 40 trials the first family gets, (100,); its mean is ``gap`` higher.

    ``gap`` is in standard deviations of the noise.
    """
    counts = []
    for seed in range(100):
        rng = np.random.default_rng([6, seed])
        values: list[list[float]] = [[] for _ in range(families)]
        for _ in range(40):
            k = select(rule, [np.array(v) for v in values], np.zeros(families, dtype=int), rng)
            values[k].append(scale * (gap * (k == 0) + rng.normal()))
        counts.append(len(values[0]))
    return np.array(counts)


def test_ucb1_is_not_inert() -> None:
    """The mean share is 0.87, seventeen standard errors above the bar; the seeds are fixed."""
    assert shares("ucb1", 1.0, 1e-4).mean() > 0.7 * 40
    equal = shares("ucb1", 0.0, 1e-4)  # 20, false alarm 1e-4
    assert abs(equal.mean() - 20) < 4 * equal.std() / 10


def test_raw_ucb1_takes_turns_at_the_scale_of_real_gains() -> None:
    np.testing.assert_array_equal(shares("ucb1-raw", 1.0, 1e-4), 20)
    np.testing.assert_array_equal(shares("round-robin", 1.0, 1.0), 20)


def test_failed_running_and_exhausted_families() -> None:
    rng = np.random.default_rng(0)
    failed = [np.array([-np.inf] * 3), np.array([1.0, 2.0, 3.0])]
    none = np.zeros(2, dtype=int)
    for rule in ("ucb1", "ucb1-raw"):
        assert select(rule, failed, none, rng) == 1
        assert select(rule, [failed[1]] * 2, np.array([3, 0]), rng) == 1  # more bonus
        assert select(rule, [np.array([])] * 2, np.array([1, 0]), rng) == 1
        assert select(rule, failed, none, rng, available=np.array([True, False])) == 0
    # a family that fails gets other trials, but few
    values = [[-np.inf], [0.0]]
    picks = []
    for _ in range(100):
        k = select("ucb1", [np.array(v) for v in values], none, rng)
        values[k].append(-np.inf if k == 0 else rng.normal())
        picks.append(k)
    assert 1 <= picks.count(0) <= 10
