"""Training records built by hand, and clusters of labelled rows."""

from __future__ import annotations

import numpy as np

import tabseed as ts


def by_hand(p: list[list[float]]) -> ts.TrainingDynamics:
    """Return a record of two classes and one seed; p[e][i] is the probability of class 1."""
    odds = np.log(np.array(p) / (1 - np.array(p)))
    outputs = np.stack([np.zeros_like(odds), odds], axis=-1)[None]
    return ts.TrainingDynamics(outputs.astype(np.float32))


def clusters(
    classes: int, n: int = 60, seed: int = 0, width: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Draw n rows of well-apart clusters; the first row has the label of another class."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    angle = 2 * np.pi * y / classes
    x = 0.25 * rng.normal(size=(n, width))
    x[:, :2] += 2 * np.column_stack([np.cos(angle), np.sin(angle)])
    y[0] = (y[0] + 1) % classes
    return x, y
