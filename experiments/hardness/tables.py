"""The tables of the study, and rows drawn from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

import tabseed as ts
from experiments.common.data import DATA

RESULTS = Path(__file__).parent / "results"
TARGETS = {
    "diabetes130us": "readmitted",
    "covertype": "Cover_Type",
    "eye_movements": "label",
    "jannis": "class",
    "adult": "income",
    "credit_card": "Y",
    "diabetes_cdc": "Diabetes_binary",
    "blobs": "y",
}
PAPERS = ("diabetes130us", "covertype", "eye_movements", "jannis")  # Table 1 of arXiv 2410.00759


@dataclass(frozen=True)
class Rows:
    """Rows without their labels, and the labels."""

    X: ts.Table
    y: np.ndarray

    def take(self, index: np.ndarray) -> Rows:
        """Return the rows with these indices."""
        return Rows(self.X.take(index), self.y[index])


@cache
def population(name: str) -> Rows:
    """Return all rows of a table; column kinds are detected on the whole table."""
    table = ts.Table.from_frame(pq.read_table(DATA / f"{name}.parquet"))
    features = ts.Schema(tuple(c for c in table.schema if c.name != TARGETS[name]))
    return Rows(table.select(features), np.array(table.values(TARGETS[name])))


def draw(name: str, seed: int, *sizes: int) -> list[Rows]:
    """Return random disjoint sets of rows, the same for the same seed."""
    rows = population(name)
    order = np.random.default_rng([2410, seed]).permutation(len(rows.y))
    ends = np.cumsum(sizes)
    return [rows.take(np.sort(part)) for part in np.split(order[: ends[-1]], ends[:-1])]
