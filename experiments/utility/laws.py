"""Simulated laws of which real risks are known exactly: x ~ N(0, 1), synthetic x ~ N(m, s^2).

All take stacks of repetitions (r, n). Nothing here is estimated from held-out rows: a fitted line
has a real risk in closed form, so what is left is the noise of training alone.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm
from sklearn.neighbors import NearestNeighbors

SIGMA = 0.5  # of the noise of responses


def draw(
    rng: np.random.Generator, reps: int, n: int, mean: float = 0.0, sd: float = 1.0
) -> np.ndarray:
    """Give (reps, n) features."""
    return rng.normal(mean, sd, (reps, n))


def noisy(rng: np.random.Generator, mu: np.ndarray) -> np.ndarray:
    """Add the noise of responses."""
    return mu + rng.normal(0, SIGMA, mu.shape)


def least_squares(x: np.ndarray, y: np.ndarray, powers: tuple[int, ...]) -> np.ndarray:
    """Fit y by powers of x, each repetition by itself: (r, len(powers))."""
    design = np.stack([x**k for k in powers], axis=-1)
    turned = np.swapaxes(design, 1, 2)
    return np.linalg.solve(turned @ design, turned @ y[..., None])[..., 0]


def excess(coefficients: np.ndarray, powers: tuple[int, ...], truth: np.ndarray) -> np.ndarray:
    """Give E (f - mu)^2 under N(0, 1), (r,), for mu with coefficients ``truth`` of 1, x, x^2."""
    off = np.zeros((len(coefficients), 3))
    off[:, list(powers)] = coefficients
    off -= truth
    moments = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 3]])  # E x^(j + k)
    return np.einsum("rj,jk,rk->r", off, moments, off)


def neighbours(
    rng: np.random.Generator, x: np.ndarray, y: np.ndarray, drawn: np.ndarray, k: int
) -> np.ndarray:
    """Draw responses at ``drawn`` (r, m) from the mean of the k nearest real rows, plus residuals.

    Features may have a last axis p. Residuals are out of their own row: each row's mean leaves it
    out.
    """
    out = np.empty(drawn.shape[:2])
    for r in range(len(x)):  # one repetition has its own neighbours
        real, new = (a.reshape(len(a), -1) for a in (x[r], drawn[r]))
        index = NearestNeighbors(n_neighbors=k + 1).fit(real)
        own = index.kneighbors(real, return_distance=False)[:, 1:]
        near = index.kneighbors(new, n_neighbors=k, return_distance=False)
        residual = y[r] - y[r][own].mean(axis=1)
        out[r] = y[r][near].mean(axis=1) + rng.choice(residual, len(new))
    return out


# --- thresholds ---------------------------------------------------------------------------------


def best_threshold(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Give the t that minimises the errors of 1{x > t}, (r,); -inf where "always 1" is best."""
    order = np.argsort(x, axis=1)
    sorted_x, sorted_y = (np.take_along_axis(a, order, axis=1) for a in (x, y))
    # a threshold after the i smallest: errors are ones among them and zeros among the rest
    ones = np.concatenate([np.zeros((len(x), 1)), np.cumsum(sorted_y, axis=1)], axis=1)
    zeros = (1 - sorted_y).sum(axis=1, keepdims=True) - (np.arange(x.shape[1] + 1) - ones)
    at = (ones + zeros).argmin(axis=1)
    cuts = np.concatenate([np.full((len(x), 1), -np.inf), sorted_x], axis=1)
    return np.take_along_axis(cuts, at[:, None], axis=1)[:, 0]


def step_risk(t: np.ndarray, flips: float) -> np.ndarray:
    """Give the error of 1{x > t} where the class is 1{x > 0}, flipped with this probability."""
    return flips + (1 - 2 * flips) * np.abs(norm.cdf(t) - 0.5)


def band_risk(t: np.ndarray) -> np.ndarray:
    """Give the error of 1{x > t} where the class is 1{|x| > 1}."""
    inside = norm.cdf(np.clip(t, -1, 1)) - norm.cdf(-1)  # zeros not called one
    below = norm.cdf(np.minimum(t, -1)) + norm.cdf(np.maximum(t, 1)) - norm.cdf(1)
    return below + (norm.cdf(1) - norm.cdf(-1)) - inside
