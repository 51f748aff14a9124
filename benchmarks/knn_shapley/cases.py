"""Simulated rows, a float64 reference, and the plain NumPy baseline. Needs NumPy only."""

from __future__ import annotations

from multiprocessing.pool import ThreadPool

import numpy as np

K = 5


def rows(n: int, m: int, d: int, share: float = 1.0) -> tuple[np.ndarray, ...]:
    """Return standardised rows of two overlapping classes: x, y of players, x_ref, y_ref."""
    rng = np.random.default_rng([n, m, d])
    m = round(m * share)
    y = rng.integers(0, 2, n + m)
    x = rng.normal(size=(n + m, d))
    x[:, : d // 5] += 0.5 * y[:, None]
    x -= x[:n].mean(axis=0)
    x /= x[:n].std(axis=0)
    return x[:n], y[:n], x[n:], y[n:]


def by_definition(n: int, m: int, d: int) -> np.ndarray:
    """Return values by arXiv 1908.08619's recursion, from directly summed float64 distances.

    Continuous rows: no ties.
    """
    x, y, x_ref, y_ref = rows(n, m, d)
    values = np.zeros(n)
    weight = 1 / np.maximum(np.arange(1, n), K)
    for t, label in zip(x_ref, y_ref, strict=True):
        order = np.argsort(((x - t) ** 2).sum(axis=1), kind="stable")
        match = (y[order] == label).astype(float)
        steps = np.append((match[:-1] - match[1:]) * weight, match[-1] / n)
        values[order] += np.cumsum(steps[::-1])[::-1]
    return values / m


def distances_and_argsort(x: np.ndarray, half: np.ndarray, x_ref: np.ndarray, threads: int) -> None:
    """Multiply all points in float32 and argsort all rows; the caller sets BLAS's threads."""
    keys = half - x_ref @ x.T
    blocks = [keys[at : at + 64] for at in range(0, len(keys), 64)]
    with ThreadPool(threads) as pool:
        pool.map(lambda block: np.argsort(block, axis=1)[0, 0], blocks, chunksize=1)
