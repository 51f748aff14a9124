"""Tables of some columns, their encoder, and the shares of their cells."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tabseed.coding.encode import Layout, TableEncoder
from tabseed.table import Table


def table(**columns) -> Table:
    return Table.from_frame(pa.table(columns))


def fitted(**columns) -> tuple[Table, TableEncoder, np.ndarray]:
    made = table(**columns)
    encoder = TableEncoder().fit(made)
    return made, encoder, encoder.transform(made)


def shares(x: np.ndarray, layout: Layout, n: int) -> np.ndarray:
    """The training shares of all free cells, for n rows."""
    return np.tile(x[:, layout.cell_places].mean(axis=0), (n, 1))
