"""Folds: rows dealt by label."""

from __future__ import annotations

import numpy as np

from tabseed.errors import TooFewRowsError


def deal(classes: np.ndarray | None, n: int, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Give each row its fold, 0 to ``folds - 1``: equally many of each class, at random."""
    if not 2 <= folds <= n:
        raise TooFewRowsError(f"{folds} folds need 2 folds or more, and no more than the {n} rows")
    order = rng.permutation(n)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    fold = np.empty(n, dtype=np.int64)
    fold[order] = np.arange(n) % folds
    return fold


def smallest(key: np.ndarray, group: np.ndarray, quota: np.ndarray) -> np.ndarray:
    """Give the places of the ``quota[g]`` smallest keys in each group g; equal ones by place.

    Rows of group -1 are left out. Fewer where a group has fewer. Ascending places.
    """
    inside = np.flatnonzero(group >= 0)
    order = inside[np.lexsort((key[inside], group[inside]))]  # a stable sort: ties by place
    start = np.searchsorted(group[order], np.arange(len(quota)))
    rank = np.arange(len(order)) - start[group[order]]
    return np.sort(order[rank < quota[group[order]]])
