"""Dealing rows to folds of even size, and the quota of smallest keys in each group."""

from __future__ import annotations

import numpy as np

from tabseed.estimates.folds import deal, smallest


def test_smallest_takes_the_quota_of_each_group() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        n = int(rng.integers(1, 30))
        key, group = rng.integers(0, 6, n).astype(float), rng.integers(-1, 3, n)
        quota = rng.integers(0, 5, 3)
        expected: list[int] = []
        for g in range(3):
            own = [i for i in range(n) if group[i] == g]
            expected += sorted(own, key=lambda i: (key[i], i))[: quota[g]]
        assert smallest(key, group, quota).tolist() == sorted(expected)


def test_folds_are_even_in_all_and_in_each_class() -> None:
    group = np.repeat([0, 1, 2], [50, 13, 7])
    fold = deal(group, len(group), 4, np.random.default_rng(0))
    counts = np.array([np.bincount(fold[group == g], minlength=4) for g in range(3)])
    assert (np.ptp(counts, axis=1) <= 1).all() and np.ptp(counts.sum(axis=0)) <= 1
    assert not np.array_equal(fold, deal(group, len(group), 4, np.random.default_rng(1)))


def test_without_classes_every_fold_is_a_slice_of_one_permutation() -> None:
    order = np.random.default_rng(3).permutation(23)
    fold = deal(None, 23, 5, np.random.default_rng(3))
    for k in range(5):
        assert np.flatnonzero(fold == k).tolist() == sorted(order[k::5])


def test_numbers_are_dealt_in_order_so_that_every_fold_gets_each_range_of_values() -> None:
    y = np.random.default_rng(4).normal(size=20)
    fold = deal(y, 20, 4, np.random.default_rng(5))
    ranked = fold[np.argsort(y)].reshape(5, 4)
    assert (np.sort(ranked, axis=1) == np.arange(4)).all()
