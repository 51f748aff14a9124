"""A table of people with a label."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv


def people(n: int, seed: int, classes: int = 2) -> pa.Table:
    """Return classes that overlap, an id, missing cells, and hostile names."""
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    x = np.round(rng.normal(size=n) + 1.5 * y, 3)
    return pa.table(
        {
            "who": [f"id{seed}-{i}-{i * i}" for i in range(n)],
            "<b>x</b>": pa.array(x, mask=rng.random(n) < 0.1),
            "=1+1": rng.integers(0, 9, n),
            "köln": np.array(["jå", "näh", "vil"])[y].tolist(),
        }
    )


def relabelled(table: pa.Table, labels: list[str | None]) -> pa.Table:
    labels = labels + table["köln"].to_pylist()[len(labels) :]
    return table.set_column(3, "köln", pa.array(labels))
