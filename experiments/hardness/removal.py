"""Removal curves (Figure 5 of arXiv 2410.00759): the value of the hardest rows for boosted trees.

Rows are removed hardest first by KNN-Shapley or Data-IQ (over all rows, or the same share of each
class), or at random; XGBoost learns from the rest; the Gini coefficient (2 AUC - 1) comes from rows
with no other use. Once with the rows as they are, once with a tenth of the training labels flipped.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score
from xgboost import XGBClassifier

import tabseed as ts
from experiments.common.results import Row
from experiments.hardness import cells
from experiments.hardness.scores import RECORDED, recorded, shapley
from experiments.hardness.tables import Rows, draw
from tabseed.coding.points import Features

TABLES = ("adult", "credit_card", "diabetes_cdc", "blobs")
N, HELD_OUT, SEEDS = 3_000, 5_000, 10
REMOVED = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
FLIPPED = (0.0, 0.1)
WITHIN = " within classes"  # the same share of each class is removed
SCORES = ("KNN-Shapley", "Data-IQ")
METHODS = (*SCORES, *(score + WITHIN for score in SCORES), "random")
KEYS = ("table", "flipped", "seed", "method")
Cell = tuple[str, float, int]


def measured(cell: Cell) -> list[Row]:
    """Return the curves of one draw: a line for each method, a column for each removed share."""
    table, flipped, seed = cell
    rows, held_out = draw(table, seed, N, HELD_OUT)
    stream = np.random.SeedSequence([seed, 5])
    y = ts.perturb(rows.X, rows.y, "uniform", share=flipped, random_state=stream).y
    points = Features().fit(rows.X)
    x, x_held_out = points.transform(rows.X), points.transform(held_out.X)
    classes = np.unique(rows.y)
    label, truth = (np.searchsorted(classes, v) for v in (y, held_out.y))
    _, code, dynamics = recorded(Rows(rows.X, y), seed)
    hardness = {
        "KNN-Shapley": shapley(seed).fit_score(rows.X, y),
        "Data-IQ": RECORDED["Data-IQ"]().from_dynamics(dynamics, code),
        "random": np.random.default_rng(seed).random(N),
    }
    hardness |= {score + WITHIN: within(hardness[score], label) for score in SCORES}
    lines = []
    for method in METHODS:
        hardest_first = np.argsort(-hardness[method], kind="stable")
        line: Row = {"table": table, "flipped": str(flipped), "seed": seed, "method": method}
        for share in REMOVED:
            rest = hardest_first[round(share * N) :]
            line[str(share)] = gini(x[rest], label[rest], x_held_out, truth, seed)
        lines.append(line)
    return lines


def within(hardness: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the share of its class that is at most as hard as each row (n,)."""
    share = np.empty(len(hardness))
    for c in np.unique(label):
        own = label == c
        share[own] = rankdata(hardness[own]) / own.sum()
    return share


def gini(
    x: np.ndarray, y: np.ndarray, x_held_out: np.ndarray, truth: np.ndarray, seed: int
) -> float:
    """Return 2 AUC - 1 of boosted trees; 0 if only one class is left.

    200 trees of depth 4, learning rate 0.1, otherwise XGBoost's defaults: fixed in advance.
    """
    if y.min() == y.max():
        return 0.0
    model = XGBClassifier(
        n_estimators=200, max_depth=4, learning_rate=0.1, n_jobs=1, random_state=seed
    ).fit(x.astype(np.float32), y)
    return float(
        2 * roc_auc_score(truth, model.predict_proba(x_held_out.astype(np.float32))[:, 1]) - 1
    )


def run(tables: list[str]) -> None:
    """Measure the missing cells."""
    names = [t for t in tables or TABLES if t in TABLES]
    all_cells = product(range(SEEDS), names, FLIPPED)
    cells.run("removal", KEYS, measured, ((t, f, s) for s, t, f in all_cells), METHODS)
