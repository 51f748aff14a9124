"""The hints of ``tabseed hardness`` for rows with a known fault.

A line of ``hints.csv`` is one table, kind of perturbation, seed and group of rows: the rows made
hard (a tenth), or the others; a column is the share of the group with a hint.
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
    """Perturb, guess, count; return a line for each group."""
    table, kind, seed = cell
    (rows,) = draw(table, seed, N)
    stream = np.random.SeedSequence([seed, 6, TWO_CLASSES.index(kind)])
    perturbed = ts.perturb(rows.X, rows.y, kind, share=SHARE, random_state=stream)
    guesses = hints(perturbed.X, perturbed.y, task="classification")
    cell_key = {"table": table, "kind": kind, "seed": seed}
    groups = zip(GROUPS, (perturbed.changed, ~perturbed.changed), strict=True)
    return [
        {
            **cell_key,
            "rows": g,
            **{h or "none": float((guesses[group_mask] == h).mean()) for h in HINTS},
        }
        for g, group_mask in groups
    ]


def run(tables: list[str]) -> None:
    """Measure the missing cells."""
    all_cells = list(product(tables or TARGETS, TWO_CLASSES, range(SEEDS)))
    cells.run("hints", KEYS, measured, all_cells, GROUPS)
