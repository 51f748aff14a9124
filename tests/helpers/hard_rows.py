"""Clusters of labelled rows."""

from __future__ import annotations

import numpy as np


def clusters(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return two clusters far apart, one per class."""
    rng = np.random.default_rng([9, seed])
    side = np.arange(n) % 2
    return rng.normal(size=(n, 3)) + 8 * side[:, None], side
