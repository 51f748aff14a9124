"""How far two rankings agree: Kendall's tau-b, Spearman's rho, and agreement by chance.

These functions rank the scores of K models, never names sorted by score, which depend on the order
of the models.
"""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np

from tabseed._random import RandomState, seed_sequence

MOST_EXACT = 8  # up to so many models all permutations are counted, 40,320 at most
PERMUTATIONS = 20_000  # drawn at random if there are more models
ROUNDING = 1e-12  # a difference below this share of the largest score is a tie
BLOCK = 2**22  # numbers in memory at once


def order(scores: np.ndarray) -> np.ndarray:
    """Return the sign of each pair's gap, (..., K, K), for scores (..., K); rounding is a tie."""
    gap = scores[..., :, None] - scores[..., None, :]
    largest = np.abs(scores).max(axis=-1)[..., None, None]
    return np.asarray(np.where(np.abs(gap) <= ROUNDING * largest, 0, np.sign(gap)))


def kendall_tau_b(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return Kendall's tau-b of scores (..., K); NaN if all scores of x or of y tie."""
    a, b = order(x), order(y)
    pairs = np.sqrt((a**2).sum(axis=(-2, -1)) * (b**2).sum(axis=(-2, -1)))
    with np.errstate(invalid="ignore"):
        return np.asarray((a * b).sum(axis=(-2, -1)) / np.where(pairs > 0, pairs, np.nan))


def spearman_rho(x: np.ndarray, y: np.ndarray) -> float:
    """Return Spearman's rank correlation of scores (K,), ties at their mean rank; NaN as above."""
    # the sum of a row of signs is twice the mean rank minus a constant
    a, b = order(x).sum(axis=-1), order(y).sum(axis=-1)
    norm = math.sqrt((a**2).sum() * (b**2).sum())
    return float((a * b).sum() / norm) if norm > 0 else math.nan


def permutation_p(
    x: np.ndarray, y: np.ndarray, random_state: RandomState = 0
) -> tuple[float, bool]:
    """Return the share of permutations of x whose tau with y is no smaller, and if it is exact.

    Up to 8 models all permutations are counted; for more, 20,000 are drawn, and x itself is added.
    """
    k = len(x)
    exact = k <= MOST_EXACT
    if exact:
        orders = np.array(list(permutations(range(k))))
    else:
        rng = np.random.default_rng(seed_sequence(random_state))
        permuted = rng.permuted(np.tile(np.arange(k), (PERMUTATIONS, 1)), axis=1)
        orders = np.concatenate([np.arange(k)[None], permuted])
    a, b = order(x).astype(np.int8), order(y).astype(np.int8)
    shared = np.concatenate(
        [
            (a[part[:, :, None], part[:, None, :]] * b).sum(axis=(1, 2), dtype=np.int64)
            for part in np.array_split(orders, math.ceil(orders.size * k / BLOCK))
        ]
    )
    return float((shared >= (a * b).sum(dtype=np.int64)).mean()), exact
