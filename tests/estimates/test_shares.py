"""Shares: intervals by their definition, an exact test, and its power counted out."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom, fisher_exact, norm

from tabseed.estimates.shares import detectable, difference, more_often, wilson


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (10, 10), (17, 300)])
def test_the_ends_of_wilsons_interval_solve_its_equation(k: int, n: int) -> None:
    """An end p is where (k/n - p)^2 = z^2 p (1 - p) / n."""
    z = norm.ppf(0.95)
    for p in wilson(k, n, level=0.9):
        assert (k / n - p) ** 2 == pytest.approx(z**2 * p * (1 - p) / n, abs=1e-12)
    assert wilson(k, n)[0] <= k / n <= wilson(k, n)[1]
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_interval_of_a_difference_covers() -> None:
    """Counted over all outcomes of two binomials: 95 % within 1.5 points, on the mean of laws."""
    n1, n0 = 30, 20
    found = []
    for p1, p0 in ((0.1, 0.1), (0.3, 0.2), (0.6, 0.3), (0.05, 0.02)):
        covered = 0.0
        for k1 in range(n1 + 1):
            for k0 in range(n0 + 1):
                low, high = difference(k1, n1, k0, n0)
                weight = binom.pmf(k1, n1, p1) * binom.pmf(k0, n0, p0)
                covered += weight * (low <= p1 - p0 <= high)
        found.append(covered)
        assert covered > 0.92
    assert np.mean(found) == pytest.approx(0.95, abs=0.015)


def test_the_comparison_is_a_permutation_test_and_fishers() -> None:
    labels = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0])
    k1, n1 = int(labels[:4].sum()), 4
    as_many = [labels[list(chosen)].sum() >= k1 for chosen in combinations(range(9), n1)]
    assert more_often(k1, n1, 1, 5) == pytest.approx(np.mean(as_many), abs=1e-12)
    for k1, n1, k0, n0 in ((8, 20, 1, 30), (0, 5, 0, 9), (5, 5, 0, 7), (100, 300, 50, 200)):
        exact = fisher_exact([[k1, n1 - k1], [k0, n0 - k0]], alternative="greater")[1]
        assert more_often(k1, n1, k0, n0) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize(
    ("p0", "n1", "n0", "alpha"),
    [(0.2, 57, 57, 0.05), (0.5, 60, 30, 0.0125), (0.02, 150, 100, 0.05), (0.0, 100, 60, 0.01)],
)
def test_a_detectable_difference_is_found_with_the_power_that_is_said(p0, n1, n0, alpha) -> None:
    """The power of the exact test, counted over all outcomes, is 80 % or a little more."""
    p1 = p0 + detectable(p0, n1, n0, alpha)
    weights = np.outer(binom.pmf(range(n1 + 1), n1, p1), binom.pmf(range(n0 + 1), n0, p0))
    found = [[more_often(a, n1, b, n0) <= alpha for b in range(n0 + 1)] for a in range(n1 + 1)]
    power = float((weights * np.array(found)).sum())
    assert 0.76 < power < (0.87 if p0 else 1.0)


def test_what_no_difference_shows_is_none() -> None:
    assert detectable(0.5, 3, 3) is None and detectable(1.0, 100, 100) is None
    assert detectable(0.1, 300, 200) < detectable(0.1, 57, 57)
    assert math.isclose(detectable(0.0, 10**6, 10**6), 0.0, abs_tol=1e-4)
