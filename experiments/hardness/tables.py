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

    def take(self, places: np.ndarray) -> Rows:
        """Give the rows at these places."""
        return Rows(self.X.take(places), self.y[places])


@cache
def population(name: str) -> Rows:
    """All rows of a table; the kinds of its columns are those of the whole."""
    table = ts.Table.from_frame(pq.read_table(DATA / f"{name}.parquet"))
    features = ts.Schema(tuple(c for c in table.schema if c.name != TARGETS[name]))
    return Rows(table.select(features), np.array(table.values(TARGETS[name])))


def draw(name: str, seed: int, *sizes: int) -> list[Rows]:
    """Draw disjoint sets of rows at random; the same for the same seed."""
    rows = population(name)
    order = np.random.default_rng([2410, seed]).permutation(len(rows.y))
    ends = np.cumsum(sizes)
    return [rows.take(np.sort(part)) for part in np.split(order[: ends[-1]], ends[:-1])]
