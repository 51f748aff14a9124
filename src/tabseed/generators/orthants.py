"""The probability that a normal vector lies in a box, or in a union of boxes.

Notation: n rows, p axes, m intervals of an axis, M draws, L the Cholesky factor of the correlation
R = L L' (p, p), Phi the normal distribution function.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp, ndtr, ndtri
from scipy.stats.qmc import Sobol

MOST = 20_000_000  # numbers of one block of rows: M times p and all that m intervals take
PER_INTERVAL = 8  # arrays of (rows, M, m) at once


def log_probability(
    low: Sequence[np.ndarray],
    high: Sequence[np.ndarray],
    correlation: np.ndarray,
    rng: np.random.Generator,
    n_draws: int = 128,
) -> np.ndarray:
    """Estimate the log-probability (n,) that each axis lies within one of its intervals.

    ``low`` and ``high`` have an array (n, m) for each axis, m may differ; an interval whose ends
    are equal is empty. Axes are drawn one after the other from their law given the earlier ones,
    within their intervals; the mean over M draws of the product of their conditional probabilities
    is unbiased, so its logarithm is a lower bound in expectation, and exact where at most one
    axis is bounded. M is a power of two: the draws are a Sobol sequence, shifted at random, the
    same one for all rows. Cost: M n p^2, and M n m for each axis.

    References: Genz 1992 (doi:10.1080/10618600.1992.10477010).
    """
    p, n = len(low), len(low[0]) if len(low) else 0
    points = Sobol(max(1, p), scramble=False).random(n_draws).T + rng.random((max(1, p), 1))
    points = (points % 1).clip(1e-12, 1 - 1e-12)
    root = np.linalg.cholesky(correlation)
    widest = max((side.shape[1] for side in low), default=0)
    size = max(1, MOST // ((p + PER_INTERVAL * widest + 1) * n_draws))
    logs = np.zeros((n, n_draws))
    for start in range(0, n, size):
        rows = slice(start, start + size)
        walk = Walk(root, logs[rows].shape)
        for k in range(p):
            walk.step(low[k][rows, None], high[k][rows, None], points[k])
        logs[rows] = walk.logs
    return np.asarray(logsumexp(logs, axis=1) - np.log(n_draws))


class Walk:
    """Normal vectors drawn axis by axis, each score within intervals given the earlier ones.

    ``shape`` is that of the vectors side by side; ``logs``, of this shape, are the sums of the
    log-probabilities of the intervals, each given the earlier scores.
    """

    def __init__(self, root: np.ndarray, shape: tuple[int, ...]) -> None:
        self.root, self.logs = root, np.zeros(shape)
        self.noise = np.empty((len(root), *shape))
        self.at = 0

    def free(self, noise: np.ndarray) -> None:
        """Take standard normal noise for the next axis, which nothing bounds."""
        self.noise[self.at], self.at = noise, self.at + 1

    def step(self, low: np.ndarray, high: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Draw the next axis within one of m intervals (..., m), by inversion of u; return it."""
        k, scale = self.at, self.root[self.at, self.at]
        centre = np.tensordot(self.root[k, :k], self.noise[:k], 1)
        a, b = ((side - centre[..., None]) / scale for side in (low, high))
        mass = normal_mass(a, b)
        upto = mass.cumsum(axis=-1)
        target = u * upto[..., -1]
        which = (target[..., None] >= upto[..., :-1]).sum(axis=-1)[..., None]
        a, b, mass, last = (np.take_along_axis(v, which, -1)[..., 0] for v in (a, b, mass, upto))
        with np.errstate(divide="ignore", invalid="ignore"):
            self.logs += np.log(upto[..., -1])
            within = np.where(mass > 0, (target - (last - mass)) / mass, 0.5)
        # rows that are impossible so far go on anywhere: their product is 0 already
        noise = np.where(mass > 0, normal_within(a, b, within.clip(0, 1)), 0.0)
        self.noise[k], self.at = noise, k + 1
        return np.asarray(centre + scale * noise)


def normal_mass(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Phi(b) - Phi(a), exact in both tails; 0 where a >= b."""
    upper = a > 0
    mass = ndtr(np.where(upper, -a, b)) - ndtr(np.where(upper, -b, a))
    return np.asarray(np.where(a < b, mass, 0.0))


def normal_within(a: np.ndarray, b: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Return standard normal numbers within [a, b] by inversion of u, exact in both tails."""
    upper = a > 0  # mirrored, because Phi keeps its digits only in the lower tail
    a, b = np.where(upper, -b, a), np.where(upper, -a, b)
    bottom = ndtr(a)
    x = ndtri(bottom + u * (ndtr(b) - bottom))
    x = np.where(np.isfinite(x), x, b).clip(a, b)
    return np.where(upper, -x, x)
