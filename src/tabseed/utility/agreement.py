"""How far two rankings agree: Kendall's tau-b, Spearman's rho, and what chance would give.

Ranked are scores of K models, never lists of names sorted by score: those depend on how the models
are numbered.
"""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np

from tabseed._random import RandomState, seed_sequence

MOST_EXACT = 8  # models whose permutations, 40,320, are all counted
PERMUTATIONS = 20_000  # drawn where there are more
ROUNDING = 1e-12  # of the largest score: a smaller difference is a tie
BLOCK = 2**22  # numbers held at once


def order(scores: np.ndarray) -> np.ndarray:
    """Give the sign of every pair's gap, (..., K, K) of scores (..., K); rounding is a tie."""
    gap = scores[..., :, None] - scores[..., None, :]
    largest = np.abs(scores).max(axis=-1)[..., None, None]
    return np.asarray(np.where(np.abs(gap) <= ROUNDING * largest, 0, np.sign(gap)))


def kendall_tau_b(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Give Kendall's tau-b of scores (..., K); NaN where one of them ties throughout."""
    a, b = order(x), order(y)
    pairs = np.sqrt((a**2).sum(axis=(-2, -1)) * (b**2).sum(axis=(-2, -1)))
    with np.errstate(invalid="ignore"):
        return np.asarray((a * b).sum(axis=(-2, -1)) / np.where(pairs > 0, pairs, np.nan))


def spearman_rho(x: np.ndarray, y: np.ndarray) -> float:
    """Give Spearman's rank correlation of scores (K,), ties at their mean rank; NaN as above."""
    # the sum of a row of signs is twice the mean rank, less a constant
    a, b = order(x).sum(axis=-1), order(y).sum(axis=-1)
    norm = math.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / norm) if norm > 0 else math.nan


def permutation_p(
    x: np.ndarray, y: np.ndarray, random_state: RandomState = 0
) -> tuple[float, bool]:
    """Give the share of permutations of x whose tau with y is no smaller, and if it is exact.

    All are counted up to 8 models, else 20,000 are drawn (and x itself is counted among them).
    """
    k = len(x)
    exact = k <= MOST_EXACT
    if exact:
        orders = np.array(list(permutations(range(k))))
    else:
        rng = np.random.default_rng(seed_sequence(random_state))
        drawn = rng.permuted(np.tile(np.arange(k), (PERMUTATIONS, 1)), axis=1)
        orders = np.concatenate([np.arange(k)[None], drawn])
    a, b = order(x).astype(np.int8), order(y).astype(np.int8)
    shared = np.concatenate(
        [
            (a[part[:, :, None], part[:, None, :]] * b).sum(axis=(1, 2), dtype=np.int64)
            for part in np.array_split(orders, math.ceil(orders.size * k / BLOCK))
        ]
    )
    return float((shared >= (a * b).sum(dtype=np.int64)).mean()), exact
