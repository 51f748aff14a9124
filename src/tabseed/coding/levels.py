"""Draw levels from cumulative weights, by inversion."""

from __future__ import annotations

import numpy as np


def pick(upto: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Return the level (n,) on which each u (n,) in [0, 1] falls: min {k: W_k > u W_K}.

    ``upto`` holds the cumulative weights W, of one law (K,) for all draws or one law per draw
    (n, K); K is 1 or more and W_K is above 0, but need not be 1. With u uniform, level k has
    probability (W_k - W_(k-1)) / W_K. A level without weight is never returned, not even the first
    or the last: u W_K, which may round up to W_K, is kept below it.
    """
    total = upto[..., -1]
    mass = np.minimum(u * total, np.nextafter(total, 0))
    if upto.ndim == 1:
        return np.asarray(np.searchsorted(upto, mass, side="right"))
    return np.asarray((upto <= mass[:, None]).sum(axis=1))
