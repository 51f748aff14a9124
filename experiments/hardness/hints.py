"""What ``tabseed hardness`` guesses of rows whose fault is known.

A line of ``hints.csv`` is one table, kind of perturbation, seed and group of rows: those made hard
(a tenth), or the others; a column is the share of the group with a hint.
"""

from __future__ import annotations

from itertools import product

import numpy as np

import tabseed as ts
from experiments.common.results import Row
from experiments.hardness import cells
from experiments.hardness.honest import SHARE, TWO_CLASSES
from experiments.hardness.tables import TARGETS, draw
from tabseed.hardness.hints import HINTS, hints

N, SEEDS = 2_000, 5
KEYS = ("table", "kind", "seed", "rows")
GROUPS = ("made hard", "others")
Cell = tuple[str, str, int]


def measured(cell: Cell) -> list[Row]:
    """Perturb, guess, count."""
    table, kind, seed = cell
    (rows,) = draw(table, seed, N)
    stream = np.random.SeedSequence([seed, 6, TWO_CLASSES.index(kind)])
    made = ts.perturb(rows.X, rows.y, kind, share=SHARE, random_state=stream)
    found = hints(made.X, made.y, task="classification")
    where = {"table": table, "kind": kind, "seed": seed}
    groups = zip(GROUPS, (made.changed, ~made.changed), strict=True)
    return [
        {**where, "rows": g, **{h or "none": float((found[own] == h).mean()) for h in HINTS}}
        for g, own in groups
    ]


def run(tables: list[str]) -> None:
    """Measure what was not yet."""
    everything = list(product(tables or TARGETS, TWO_CLASSES, range(SEEDS)))
    cells.run("hints", KEYS, measured, everything, GROUPS)
