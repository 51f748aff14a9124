"""Table 1 of arXiv 2410.00759 in the right direction: how well scores detect perturbed rows.

A line of ``honest.csv`` is one measure of all methods on one table, kind of perturbation, share
and seed. A seed fixes the rows, the perturbation, and the random state of every method; all kinds
of perturbation start from the same rows.
"""

from __future__ import annotations

from itertools import product

import numpy as np

import tabseed as ts
from experiments.common.results import Row
from experiments.hardness import cells
from experiments.hardness.scores import METHODS, RECORDING, auroc, average_precision, scored
from experiments.hardness.tables import PAPERS, TARGETS, Rows, draw

# with two classes there is only one way to mislabel a row
TWO_CLASSES = ("uniform", "near", "far", "atypical")
KINDS = (*TWO_CLASSES, "asymmetric", "adjacent", "instance")
N, SHARE, SEEDS = 2_000, 0.1, 10
KEYS = ("table", "kind", "seed", "measure")
MEASURES = ("average precision", "AUROC", "seconds")
Cell = tuple[str, str, int]


def measured(cell: Cell) -> list[Row]:
    """Perturb, score and judge; return the lines of one cell."""
    table, kind, seed = cell
    rows, reference = draw(table, seed, N, N)
    stream = np.random.SeedSequence([seed, KINDS.index(kind), list(TARGETS).index(table)])
    perturbed = ts.perturb(rows.X, rows.y, kind, share=SHARE, random_state=stream)
    hardness, seconds = scored(Rows(perturbed.X, perturbed.y), reference, seed)
    values = {
        "average precision": {
            m: average_precision(perturbed.changed, hardness[m]) for m in METHODS
        },
        "AUROC": {m: auroc(perturbed.changed, hardness[m]) for m in METHODS},
        "seconds": {m: seconds[m] for m in METHODS},
    }
    cell_key = {"table": table, "kind": kind, "seed": seed}
    return [
        {**cell_key, "measure": m, **values[m], RECORDING: seconds[RECORDING] if "sec" in m else ""}
        for m in MEASURES
    ]


def run(tables: list[str]) -> None:
    """Measure the missing cells, seed by seed, so that partial results are balanced."""
    all_cells = [
        (table, kind, seed)
        for seed, table in product(range(SEEDS), tables or TARGETS)
        for kind in (KINDS if table in PAPERS else TWO_CLASSES)
    ]
    cells.run("honest", KEYS, measured, all_cells, MEASURES)
