"""Small games and the values of their players."""

from __future__ import annotations

import numpy as np

import tabseed as ts

ENGINES = ("numba", "numpy", "torch")

GAMES = ("accuracy", "soft", "threshold", "likeness", "squared")

OF_TARGETS = ("likeness", "squared")


def shapley(kind, k, x, y, reference, engine="numpy", **further):
    """Return a fitted scorer for players (a column or points) and reference rows (X, y)."""
    game = "accuracy" if kind == "likeness" else kind
    task = "regression" if kind in OF_TARGETS else "classification"
    scorer = ts.KNNShapley(k, game=game, engine=engine, random_state=0, **further)
    x, x_ref = (np.asarray(a, dtype=float) for a in (x, reference[0]))
    x, x_ref = (a[:, None] if a.ndim == 1 else a for a in (x, x_ref))
    return scorer.fit(x, y, reference=(x_ref, reference[1]), task=task)


def alike(y, t):
    """Return the likeness of each target to t: 1 if equal, 0 from an interquartile range away."""
    width = np.subtract(*np.quantile(y, [0.75, 0.25])) or y.std() or 1.0
    return np.maximum(0, 1 - np.abs(y - t) / width)


def clusters(rng, n, d=3, classes=3):
    y = rng.integers(0, classes, n)
    return rng.normal(size=(n, d)) + 1.5 * y[:, None], y


def full_of_ties(rng, n):
    return rng.integers(0, 3, (n, 4)).astype(float), rng.integers(0, 3, n)
