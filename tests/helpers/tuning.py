"""A small table and a generator that copies it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

import tabseed as ts


def table(n: int = 90) -> pa.Table:
    rng = np.random.default_rng(4)
    y = np.arange(n) % 2
    return pa.table(
        {
            "who": [f"id{i}-{i * i}" for i in range(n)],
            "<b>x</b>": np.round(rng.normal(size=n) + y, 3),
            "v": np.round(rng.normal(size=n), 2),
            "köln": np.where(y == 1, "jå", "näh").tolist(),
        }
    )


class Copies(ts.Resample):
    """Draws the training rows, each once, so that the added rows are known."""

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return np.resize(self.rows_, (n, self.rows_.shape[1]))
