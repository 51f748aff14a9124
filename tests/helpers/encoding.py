"""Tables from columns, their encoder, and the shares of their cells."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tabseed.coding.encode import Layout, TableEncoder
from tabseed.table import Table


def table(**columns) -> Table:
    return Table.from_frame(pa.table(columns))


def fitted(**columns) -> tuple[Table, TableEncoder, np.ndarray]:
    original = table(**columns)
    encoder = TableEncoder().fit(original)
    return original, encoder, encoder.transform(original)


def shares(x: np.ndarray, layout: Layout, n: int) -> np.ndarray:
    """Return the training shares of all free cells, repeated for n rows, (n, W)."""
    return np.tile(x[:, layout.cell_indices].mean(axis=0), (n, 1))
