"""Results of the studies as arrays over seeds."""

from __future__ import annotations

import numpy as np

from experiments.common import results
from experiments.hardness.tables import RESULTS

Series = dict[tuple[str, ...], dict[str, np.ndarray]]


def read(name: str) -> list[dict[str, str]]:
    """Return all lines of a results file, none if there is no file."""
    return results.read(RESULTS / f"{name}.csv")


def series(name: str, measure: str, methods: tuple[str, ...]) -> Series:
    """Return each method's figures over seeds, by the cell's key without seed and measure."""
    cells: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in read(name):
        if row["measure"] == measure:
            keys = list(row)[: list(row).index("measure")]
            cells.setdefault(tuple(row[k] for k in keys if k != "seed"), []).append(row)
    return {
        key: {m: np.array([float(r[m]) for r in rows]) for m in methods}
        for key, rows in cells.items()
    }
