"""The null of attacks: exact by counting all labels, and what so few rows can show."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy.stats import hypergeom, norm

from tabseed.privacy.null import (
    ALL,
    EXPOSED,
    coefficients,
    detectable_auc,
    first_rows,
    most_exposed,
    null_of,
    permutation_null,
    permuted,
)


def all_labels(n: int, size: int) -> np.ndarray:
    """Return every way to call n of the rows members, a row each."""
    labels = np.zeros((comb(size, n), size))
    for row, chosen in zip(labels, combinations(range(size), n), strict=True):
        row[list(chosen)] = 1
    return labels


def auc(score: np.ndarray, member: np.ndarray) -> float:
    pairs = score[member][:, None] - score[~member]
    return float((pairs > 0).mean() + (pairs == 0).mean() / 2)


def test_over_all_labels_every_p_value_comes_as_often_as_it_says() -> None:
    """Brute force over all 462 labels of 5 + 6 rows and three attacks, one of them with ties.

    With every label vector in the family a label's p-value is its rank among all.
    """
    rng = np.random.default_rng(0)
    scores = np.array([rng.normal(size=11), rng.integers(0, 3, 11), rng.normal(size=11)])
    exposed = np.arange(11) < 6
    c, statistics = coefficients(scores, exposed, 3)
    values = all_labels(5, 11) @ c.T
    single, whole = [], []
    for true in range(len(values)):
        null = null_of(np.roll(values, -true, axis=0).T, statistics, np.ones(len(c)))
        single.append(null.p)
        whole.append(null.p_value)
    levels = np.arange(1, len(values) + 1) / len(values)
    for p in (*np.array(single).T, np.array(whole)):
        assert all((p <= level + 1e-12).mean() <= level + 1e-12 for level in levels)
    assert len(np.unique(whole)) > 20  # the test is no constant
    # with a p up to the critical one, and no other, the whole is significant
    smallest = np.array(single).min(axis=1)
    significant = np.array(whole) <= 0.05
    assert smallest[significant].max() <= null.critical + 1e-12 < smallest[~significant].min()


def test_random_labels_agree_with_all_labels() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(2, 10))
    member = np.arange(10) < 4
    c, statistics = coefficients(scores, np.arange(10) < 10, 3)
    every = all_labels(4, 10)
    exact = (every @ c.T >= member @ c.T - 1e-9).mean(axis=0)
    null = permutation_null(c, statistics, member, 20_000, rng)
    # six standard errors of 20,000 labels: a false alarm below 1e-8
    assert np.abs(null.p - exact).max() < 6 * 0.5 / np.sqrt(20_000)
    sums = every @ c.T
    z = (member @ c.T - sums.mean(axis=0)) / sums.std(axis=0)
    assert np.abs(null.z - z).max() < 0.05


def test_permuted_labels_have_n_members_and_every_row_as_often() -> None:
    labels = permuted(3, 8, 4_000, np.random.default_rng(2))
    assert set(np.unique(labels)) == {0, 1} and (labels.sum(axis=1) == 3).all()
    assert np.abs(labels.mean(axis=0) - 3 / 8).max() < 6 * np.sqrt(15 / 64 / 4_000)


def test_coefficients_give_the_auc_of_all_rows_and_of_exposed_ones() -> None:
    rng = np.random.default_rng(3)
    score = rng.integers(0, 6, 40).astype(float)
    member, exposed = rng.random(40) < 0.4, rng.random(40) < 0.5
    c, statistics = coefficients(score[None], exposed, 10**9)
    assert [s.scope for s in statistics] == [ALL, EXPOSED]
    for row, mask in zip(c, (np.ones(40, dtype=bool), exposed), strict=True):
        n, h = (member & mask).sum(), (~member & mask).sum()
        assert row @ member / (n * h) + 0.5 == pytest.approx(auc(score[mask], member[mask]))


def test_the_first_rows_share_tied_places() -> None:
    c, statistics = coefficients(np.array([[5.0, 4, 3, 3, 3, 1]]), np.arange(6) < 1, 3)
    assert statistics[1].kind == "first"
    assert c[1] + 1 / 2 == pytest.approx([1, 1, 1 / 3, 1 / 3, 1 / 3, 0])


def test_an_order_of_scores_is_all_that_counts() -> None:
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(3, 50))
    exposed = most_exposed(rng.normal(size=50))
    found = coefficients(scores, exposed, 5)[0]
    assert np.array_equal(found, coefficients(np.exp(3 * scores), exposed, 5)[0])
    with_infinity = np.where(scores == scores.min(), -np.inf, scores)
    assert np.array_equal(found, coefficients(with_infinity, exposed, 5)[0])


def test_an_attack_that_says_nothing_is_no_evidence() -> None:
    member = np.arange(20) < 10
    c, statistics = coefficients(np.zeros((2, 20)), most_exposed(np.zeros(20)), 4)
    null = permutation_null(c, statistics, member, 199, np.random.default_rng(0))
    assert null.p_value == 1 and (null.p == 1).all() and (null.z == 0).all()


@pytest.mark.parametrize(("n", "h"), [(300, 200), (300, 300), (300, 600), (57, 40), (20, 500)])
def test_the_fewest_rows_that_stand_out(n: int, h: int) -> None:
    k = first_rows(n, h)
    assert hypergeom.pmf(k, n + h, n, k) <= 0.005 < hypergeom.pmf(k - 1, n + h, n, k - 1)


def test_no_number_of_rows_stands_out_beside_too_few_others() -> None:
    assert first_rows(100, 1) == 101


def test_the_detectable_auc_is_found_with_the_power_that_it_claims() -> None:
    """4,000 normal samples of 60 + 50 rows with that AUC; their AUC against its critical value."""
    n, h, critical, runs = 60, 50, 0.01, 4_000
    target = detectable_auc(n, h, critical)
    rng = np.random.default_rng(5)
    shift = np.sqrt(2) * norm.ppf(target)
    inside, outside = rng.normal(shift, size=(runs, n)), rng.normal(size=(runs, h))
    found = (inside[:, :, None] > outside[:, None]).mean(axis=(1, 2))
    limit = 0.5 + norm.isf(critical) * np.sqrt((n + h + 1) / (12 * n * h))
    assert (found >= limit).mean() == pytest.approx(0.8, abs=0.04)
    assert detectable_auc(5, 5, critical) is None
    assert detectable_auc(57, 57, 0.025) == pytest.approx(0.5 + 2.8 * 0.0543, abs=0.002)


def test_the_most_exposed_tenth_is_at_least_ten_rows() -> None:
    for size, expected in ((8, 8), (60, 10), (250, 25)):
        exposure = np.random.default_rng(size).random(size)
        exposed = most_exposed(exposure)
        assert exposed.sum() == expected
        assert exposure[exposed].min() >= exposure[~exposed].max(initial=0)
