"""Tables whose response has a known law."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

import tabseed as ts

SMOOTH = ts.Resample(smoothing=1.0)


def uneven(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y = x^2 + s(x) eps, s(x) = 0.2 + 0.5 |x|."""
    rng = np.random.default_rng([2_305, seed])
    x = rng.uniform(-2, 2, n)
    s = 0.2 + 0.5 * np.abs(x)
    return x, x**2 + s * rng.normal(size=n), s


def frame(x: np.ndarray, **more: object) -> pa.Table:
    columns = {f"x{j}": column for j, column in enumerate(np.atleast_2d(x.T))}
    return pa.table({**columns, **more})
