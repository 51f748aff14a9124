"""The columns of a table of mixed kinds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tabseed.coding.encode import TableEncoder
from tabseed.table import Table


def columns(table: pa.Table) -> tuple[TableEncoder, np.ndarray]:
    table = Table.from_frame(table)
    encoder = TableEncoder().fit(table)
    return encoder, encoder.transform(table)


def mixed(n: int = 200) -> pa.Table:
    """Return numbers with an atom and missing cells, whole numbers, categories."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random(n) < 0.3, 0.0, rng.normal(size=n))
    k = rng.integers(0, 60, n)
    c = np.array(["a", "b", "c"])[rng.integers(0, 3, n)]
    return pa.table({"x": pa.array(x, mask=rng.random(n) < 0.1), "k": k, "c": c})
