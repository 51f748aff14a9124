"""A table whose target is linear."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


def table(n, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((3, n))
    y = x[0] + 0.5 * x[1] + 0.3 * rng.standard_normal(n)
    return pa.table({"a": x[0], "b": x[1], "c": x[2], "y": y})
