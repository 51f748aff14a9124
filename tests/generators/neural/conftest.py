"""A table encoded, for networks."""

from __future__ import annotations

import numpy as np
import pytest

import tabseed as ts
from tabseed.coding.encode import TableEncoder
from tabseed.testing import example_table


@pytest.fixture(scope="module")
def encoded() -> tuple[np.ndarray, TableEncoder]:
    table = ts.Table.from_frame(example_table(200))
    encoder = TableEncoder().fit(table)
    return encoder.transform(table), encoder
