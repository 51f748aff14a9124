"""Rank agreement, compared with scipy and with a count of all orders."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from tabseed.utility.agreement import kendall_tau_b, permutation_p, spearman_rho


def test_tau_and_rho_with_ties_equal_those_of_scipy():
    rng = np.random.default_rng(3)
    for _ in range(50):
        x, y = rng.integers(4, size=(2, 7)).astype(float)
        assert float(kendall_tau_b(x, y)) == pytest.approx(kendalltau(x, y)[0], abs=1e-12)
        assert spearman_rho(x, y) == pytest.approx(spearmanr(x, y)[0], abs=1e-12)
    assert math.isnan(kendall_tau_b(np.ones(4), np.arange(4.0)))


def test_rounding_is_a_tie():
    x = np.array([0.1 + 0.2, 0.3, 0.5])
    exact = np.array([0.3, 0.3, 0.5])
    y = np.array([1.0, 2.0, 3.0])
    assert float(kendall_tau_b(x, y)) == pytest.approx(kendalltau(exact, y)[0], abs=1e-12)


def test_permutation_p_counts_all_orders():
    rng = np.random.default_rng(4)
    for k in (2, 3, 5, 6):
        x, y = rng.integers(5, size=(2, k)).astype(float)
        y[0] += 0.5

        def shared(a, b):
            gaps = [np.sign(v[:, None] - v[None]) for v in (a, b)]
            return (gaps[0] * gaps[1]).sum()

        brute = [shared(x[list(o)], y) >= shared(x, y) for o in permutations(range(k))]
        assert permutation_p(x, y) == (pytest.approx(np.mean(brute), abs=1e-12), True)
    same = np.arange(4.0)
    assert permutation_p(same, same)[0] == pytest.approx(1 / 24)


def test_permutation_p_of_many_models_is_near_the_exact_law():
    # 20,000 permutations of 9: 4 standard errors, false alarm 6e-5
    x = np.arange(9.0)
    y = np.array([1.0, 0, 3, 2, 4, 6, 5, 8, 7])
    p, exact = permutation_p(x, y, 0)
    truth = kendalltau(x, y, alternative="greater", method="exact")[1]
    assert not exact
    assert abs(p - truth) < 4 * math.sqrt(truth / 20_000) + 1 / 20_000
    wide = np.random.default_rng(5).permutation(9).astype(float)
    truth = kendalltau(x, wide, alternative="greater", method="exact")[1]
    p = permutation_p(x, wide, 1)[0]
    assert abs(p - truth) < 4 * math.sqrt(truth * (1 - truth) / 20_000)
