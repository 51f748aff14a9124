"""Simulated laws with exact real risks: x ~ N(0, 1), synthetic x ~ N(m, s^2).

All functions take stacks of repetitions (r, n). The real risk of a fitted line has a closed form,
so no held-out rows are needed and the only noise is that of training.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm
from sklearn.neighbors import NearestNeighbors

SIGMA = 0.5  # standard deviation of the noise of responses


def draw(
    rng: np.random.Generator, reps: int, n: int, mean: float = 0.0, sd: float = 1.0
) -> np.ndarray:
    """Return features (reps, n)."""
    return rng.normal(mean, sd, (reps, n))


def noisy(rng: np.random.Generator, mu: np.ndarray) -> np.ndarray:
    """Return responses (..., n): means plus noise."""
    return mu + rng.normal(0, SIGMA, mu.shape)


def least_squares(x: np.ndarray, y: np.ndarray, powers: tuple[int, ...]) -> np.ndarray:
    """Return the coefficients (r, len(powers)) of y on powers of x, for each repetition."""
    design = np.stack([x**k for k in powers], axis=-1)
    transposed = np.swapaxes(design, 1, 2)
    return np.linalg.solve(transposed @ design, transposed @ y[..., None])[..., 0]


def excess(coefficients: np.ndarray, powers: tuple[int, ...], truth: np.ndarray) -> np.ndarray:
    """Return E (f - mu)^2 under N(0, 1), (r,); ``truth`` has mu's coefficients of 1, x, x^2."""
    difference = np.zeros((len(coefficients), 3))
    difference[:, list(powers)] = coefficients
    difference -= truth
    moments = np.array([[1, 0, 1], [0, 1, 0], [1, 0, 3]])  # E x^(j + k)
    return np.einsum("rj,jk,rk->r", difference, moments, difference)


def neighbours(
    rng: np.random.Generator, x: np.ndarray, y: np.ndarray, x_synthetic: np.ndarray, k: int
) -> np.ndarray:
    """Draw responses (r, m): the mean of the k real rows nearest to ``x_synthetic``, plus noise.

    The noise is drawn from the residuals of real rows, each from a mean that leaves its row out.
    Features may have a last axis p.
    """
    out = np.empty(x_synthetic.shape[:2])
    for r in range(len(x)):  # each repetition has its own neighbours
        real, new = (a.reshape(len(a), -1) for a in (x[r], x_synthetic[r]))
        index = NearestNeighbors(n_neighbors=k + 1).fit(real)
        own = index.kneighbors(real, return_distance=False)[:, 1:]
        near = index.kneighbors(new, n_neighbors=k, return_distance=False)
        residual = y[r] - y[r][own].mean(axis=1)
        out[r] = y[r][near].mean(axis=1) + rng.choice(residual, len(new))
    return out


# --- thresholds ---------------------------------------------------------------------------------


def best_threshold(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the t that minimises the errors of 1{x > t}, (r,); -inf if "always 1" is best."""
    order = np.argsort(x, axis=1)
    sorted_x, sorted_y = (np.take_along_axis(a, order, axis=1) for a in (x, y))
    # errors of a threshold after the i smallest: ones among them, zeros among the rest
    ones = np.concatenate([np.zeros((len(x), 1)), np.cumsum(sorted_y, axis=1)], axis=1)
    zeros = (1 - sorted_y).sum(axis=1, keepdims=True) - (np.arange(x.shape[1] + 1) - ones)
    best = (ones + zeros).argmin(axis=1)
    cuts = np.concatenate([np.full((len(x), 1), -np.inf), sorted_x], axis=1)
    return np.take_along_axis(cuts, best[:, None], axis=1)[:, 0]


def step_risk(t: np.ndarray, flips: float) -> np.ndarray:
    """Return the error of 1{x > t} if the class is 1{x > 0}, flipped with this probability."""
    return flips + (1 - 2 * flips) * np.abs(norm.cdf(t) - 0.5)


def band_risk(t: np.ndarray) -> np.ndarray:
    """Return the error of 1{x > t} if the class is 1{|x| > 1}."""
    inside = norm.cdf(np.clip(t, -1, 1)) - norm.cdf(-1)  # zeros predicted as zeros
    below = norm.cdf(np.minimum(t, -1)) + norm.cdf(np.maximum(t, 1)) - norm.cdf(1)
    return below + (norm.cdf(1) - norm.cdf(-1)) - inside
