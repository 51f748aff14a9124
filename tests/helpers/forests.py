"""A small table of categories and a random forest over it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tabseed.generators.trees.adversarial_forest import _Forest


def discrete_table(n: int = 250, seed: int = 0) -> pa.Table:
    """Return four dependent columns with few values each; some numbers are missing."""
    rng = np.random.default_rng([9_435, seed])
    z = rng.random(n)
    kind = np.array(["a", "b", "c"])[(3 * z).astype(int)]
    count = np.abs(np.round(4 * z + 0.5 * rng.normal(size=n))).clip(max=4)
    return pa.table(
        {
            "kind": np.where(rng.random(n) < 0.2, "a", kind),
            "side": np.where(z + 0.3 * rng.normal(size=n) > 0.5, "left", "right"),
            "count": pa.array(count, mask=rng.random(n) < 0.3 * z),
            "yes": rng.random(n) < z,
        }
    )


def random_forest(seed: int = 0, n: int = 80) -> tuple[_Forest, np.ndarray]:
    """Return trees over three dependent columns of 6, 4 and 5 positions, and the rows."""
    rng = np.random.default_rng(seed)
    z = rng.random(n)
    columns = [(k * (0.7 * z + 0.3 * rng.random(n))).astype(int) for k in (6, 4, 5)]
    rows = np.column_stack(columns)
    synthetic = np.column_stack([rng.permutation(c) for c in columns])
    return _Forest.grow(rows, synthetic, 12, None, seed), rows
