"""Hints: each matches the change to a row, and false hints are as rare as stated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from helpers.hard_rows import clusters
from tabseed.hardness.hints import hints


def test_hints_match_the_change_to_a_row() -> None:
    x, y = clusters()
    x[0] = 200.0
    y[1] = 1 - y[1]
    result = hints(x, y)
    assert result[0] == "out of support" and result[1] == "mislabelled"
    rest = result[2:]
    assert (rest == "").mean() > 0.9 and np.isin(rest, ["out of support", "mislabelled"]).sum() <= 1


def test_labels_at_random_are_called_mislabelled_as_often_as_chance_says() -> None:
    """Labels that depend on nothing: the share with the hint is that of the binomial law.

    K = 44 neighbours of 2,000 rows. The tolerance is 5 standard errors, with a variance 20 times
    that of independent rows because rows share neighbours: false alarm below 1e-5, seed fixed.
    """
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2_000, 4)), rng.integers(0, 2, 2_000)
    k = 44
    allowed = max(c for c in range(k) if binom.cdf(c, k, 0.5) <= 0.01)
    expected = binom.cdf(allowed, k, 0.5)
    share = (hints(x, y) == "mislabelled").mean()
    assert abs(share - expected) < 5 * np.sqrt(20 * expected / 2_000)


def test_a_rare_class_is_not_called_mislabelled_for_being_rare() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 3))
    y = (np.arange(300) < 6).astype(int)
    result = hints(x, y)
    assert (result[:6] == "rare").all()


def test_targets_far_from_those_of_near_rows_get_a_hint() -> None:
    x = np.random.default_rng(1).normal(size=(300, 2))
    y = x @ [3.0, -2.0] + np.random.default_rng(2).normal(size=300)
    y[17] += 40
    result = hints(x, y, task="regression")
    assert result[17] == "mislabelled" and (result == "mislabelled").sum() < 10


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_or_equal_rows_get_hints(n: int) -> None:
    assert hints(np.zeros((n, 2)), np.arange(n) % 2).shape == (n,)
    assert set(hints(np.zeros((30, 2)), np.arange(30) % 2)) <= {"", "ambiguous", "mislabelled"}
