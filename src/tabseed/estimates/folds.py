"""Folds: rows dealt by label."""

from __future__ import annotations

import numpy as np

from tabseed.errors import TooFewRowsError


def deal(classes: np.ndarray | None, n: int, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Return the fold of each row, 0 to ``folds - 1``: at random, equally many of each class."""
    if not 2 <= folds <= n:
        raise TooFewRowsError(
            f"{n} row{'s' * (n != 1)} cannot be dealt into {folds} folds; give at least "
            f"{max(folds, 2)} rows, or fewer folds, at least 2"
        )
    order = rng.permutation(n)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    fold = np.empty(n, dtype=np.int64)
    fold[order] = np.arange(n) % folds
    return fold


def smallest(key: np.ndarray, group: np.ndarray, quota: np.ndarray) -> np.ndarray:
    """Return the indices of the ``quota[g]`` smallest keys in each group g, in ascending order.

    Of equal keys the lower index comes first. Rows of group -1 are left out. A group with fewer
    rows than its quota gives them all.
    """
    inside = np.flatnonzero(group >= 0)
    order = inside[np.lexsort((key[inside], group[inside]))]  # a stable sort: ties by index
    start = np.searchsorted(group[order], np.arange(len(quota)))
    rank = np.arange(len(order)) - start[group[order]]
    return np.sort(order[rank < quota[group[order]]])
