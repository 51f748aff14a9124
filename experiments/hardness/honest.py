"""Table 1 of arXiv 2410.00759 the right way up: how well the perturbed rows are found.

A line of ``honest.csv`` is one measure of all methods on one table, kind of perturbation, share
and seed. A seed fixes the rows, the perturbation, and every method's random state; all kinds of
perturbation meet the same rows.
"""

from __future__ import annotations

from itertools import product

import numpy as np

import tabseed as ts
from experiments.common.results import Row
from experiments.hardness import cells
from experiments.hardness.scores import METHODS, RECORDING, auroc, average_precision, scored
from experiments.hardness.tables import PAPERS, TARGETS, Rows, draw

# of two classes there is one way to be mislabelled
TWO_CLASSES = ("uniform", "near", "far", "atypical")
KINDS = (*TWO_CLASSES, "asymmetric", "adjacent", "instance")
N, SHARE, SEEDS = 2_000, 0.1, 10
KEYS = ("table", "kind", "seed", "measure")
MEASURES = ("average precision", "AUROC", "seconds")
Cell = tuple[str, str, int]


def measured(cell: Cell) -> list[Row]:
    """Perturb, score, judge: the lines of one cell."""
    table, kind, seed = cell
    rows, reference = draw(table, seed, N, N)
    stream = np.random.SeedSequence([seed, KINDS.index(kind), list(TARGETS).index(table)])
    found = ts.perturb(rows.X, rows.y, kind, share=SHARE, random_state=stream)
    hardness, seconds = scored(Rows(found.X, found.y), reference, seed)
    values = {
        "average precision": {m: average_precision(found.changed, hardness[m]) for m in METHODS},
        "AUROC": {m: auroc(found.changed, hardness[m]) for m in METHODS},
        "seconds": {m: seconds[m] for m in METHODS},
    }
    where = {"table": table, "kind": kind, "seed": seed}
    return [
        {**where, "measure": m, **values[m], RECORDING: seconds[RECORDING] if "sec" in m else ""}
        for m in MEASURES
    ]


def run(tables: list[str]) -> None:
    """Measure what was not yet; seed by seed, so that what stands there is balanced."""
    everything = [
        (table, kind, seed)
        for seed, table in product(range(SEEDS), tables or TARGETS)
        for kind in (KINDS if table in PAPERS else TWO_CLASSES)
    ]
    cells.run("honest", KEYS, measured, everything, MEASURES)
