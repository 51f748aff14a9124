"""Two clusters of numbers, one per class."""

from __future__ import annotations

import numpy as np


def clusters(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    x = rng.normal(size=(n, 3))
    x[:, 0] += np.where(y == 1, 1.0, -1.0)
    return x, y
