"""Table 1 of arXiv 2410.00759 as it was printed, and why its order is inverted.

The protocol of its toolkit (H-CAT, arXiv 2403.04551) on our scores: average precision of the rows
that were *not* flagged, by the raw score of each method, whatever its direction; rows are flagged
whether they changed or not; noise in the units of the columns, columns not scaled; in-sample scores
of the last epoch.
In addition, from the same scores: average precision of the flagged rows, hardest first.
"""

from __future__ import annotations

from itertools import product

import numpy as np

import tabseed as ts
from experiments.common.results import Row
from experiments.hardness import cells
from experiments.hardness.scores import RECORDED, average_precision, recorded, shapley
from experiments.hardness.tables import PAPERS, Rows, draw
from tabseed.table.schema import NUMERIC

TYPES = ("mislabelled", "out of distribution", "atypical")
N, SHARES, SEEDS = 2_000, (0.05, 0.1, 0.15, 0.2), 3
PRINTED = "as printed"  # AP of the rows that are not flagged, by raw scores
MEASURES = (PRINTED, "average precision")
KEYS = ("table", "type", "share", "seed", "measure")
# methods whose raw score is larger for harder rows; the toolkit ranks by it all the same
LARGER_IS_HARDER = ("Detector", "EL2N", "Forgetting", "GraNd", "Sample-loss", "VoG")
OVERWRITTEN = {
    "covertype": "Elevation",
    "diabetes130us": "num_medications",
    "eye_movements": "timePrtctg",
    "jannis": None,  # the toolkit names none: the first column
}
PUBLISHED = """
Agreement       .951 .927 .902 .877 .954 .932 .908 .885 .951 .927 .903 .878 .951 .927 .903 .879
AUM             .956 .934 .912 .890 .965 .947 .928 .908 .953 .932 .909 .885 .961 .942 .922 .902
CleanLab        .956 .933 .911 .888 .967 .950 .930 .911 .954 .933 .911 .887 .961 .942 .922 .902
Data-IQ         .955 .934 .912 .889 .965 .946 .926 .905 .954 .933 .911 .887 .961 .942 .922 .902
DataMaps        .955 .934 .912 .889 .965 .946 .926 .905 .954 .933 .911 .887 .961 .942 .922 .902
Detector        .950 .925 .900 .875 .945 .920 .894 .869 .950 .925 .900 .875 .946 .920 .895 .870
EL2N            .942 .914 .886 .859 .922 .890 .861 .832 .945 .915 .886 .860 .926 .894 .863 .833
Forgetting      .951 .925 .900 .874 .951 .927 .902 .877 .951 .926 .901 .875 .951 .927 .902 .877
GraNd           .932 .900 .869 .839 .942 .916 .891 .867 .946 .920 .893 .867 .935 .907 .879 .852
KNN-Shapley     .957 .924 .902 .877 .961 .940 .919 .898 .950 .924 .900 .875 .951 .927 .902 .875
Prototypicality .953 .927 .904 .880 .968 .950 .929 .909 .953 .932 .909 .885 .959 .939 .918 .897
Sample-loss     .941 .913 .885 .857 .922 .891 .863 .836 .944 .915 .885 .858 .925 .893 .862 .833
VoG             .963 .942 .922 .900 .964 .944 .923 .903 .950 .925 .899 .874 .957 .934 .912 .889
"""
METHODS = tuple(line.split()[0] for line in PUBLISHED.strip().splitlines())
Cell = tuple[str, str, float, int]


def published() -> dict[str, np.ndarray]:
    """Return Table 1 of the paper: (4 tables, 4 shares) by method."""
    lines = (line.split() for line in PUBLISHED.strip().splitlines())
    return {name: np.array(cells, dtype=float).reshape(4, 4) for name, *cells in lines}


def as_numbers(X: ts.Table) -> np.ndarray:
    """Return every column as numbers, categories as codes."""
    names = [(c.name, c.kind in NUMERIC) for c in X.schema.modelled]
    return np.column_stack([X.numbers(n) if numeric else X.codes(n) for n, numeric in names])


def flagged(table: str, rows: Rows, kind: str, share: float, seed: int) -> tuple[Rows, np.ndarray]:
    """Perturb as the toolkit does; return (array, labels) and the mask of flagged rows."""
    rng = np.random.default_rng([seed, TYPES.index(kind), round(100 * share)])
    x, y = as_numbers(rows.X).astype(float), rows.y.copy()
    index = rng.choice(len(y), round(share * len(y)), replace=False)
    if kind == "mislabelled":  # any class, the row's own included
        y[index] = rng.choice(np.unique(y), len(index))
    elif kind == "out of distribution":  # the same noise for metres and shares
        x[index] += rng.normal(0, 0.5, (len(index), x.shape[1]))
    else:
        names = [c.name for c in rows.X.schema.modelled]
        column = names.index(OVERWRITTEN[table]) if OVERWRITTEN[table] else 0
        top = x[:, column] >= np.nanquantile(x[:, column], 0.99)
        x[index, column] = rng.choice(x[top, column], len(index))
    return Rows(x, y), np.isin(np.arange(len(y)), index)


def hardness(rows: Rows, seed: int) -> dict[str, np.ndarray]:
    """Return all thirteen as in the toolkit: in sample, last epoch, larger is harder."""
    _, y, dynamics = recorded(rows, seed, scale=False)
    last = dynamics.outputs.shape[1]
    scores = {
        "KNN-Shapley": shapley(seed).fit_score(rows.X, rows.y),
        "CleanLab": ts.CleanLab().from_dynamics(dynamics, y),
        "Data-IQ": _doubt(dynamics, y),
        "DataMaps": _doubt(dynamics, y),
        "EL2N": ts.EL2N(epoch=last).from_dynamics(dynamics, y),
        "GraNd": ts.GraNd(epoch=last).from_dynamics(dynamics, y),
        "Forgetting": _forgotten(dynamics, y),
    }
    others = set(METHODS) - set(scores)
    return scores | {m: RECORDED[m]().from_dynamics(dynamics, y) for m in sorted(others)}


def _doubt(dynamics: ts.TrainingDynamics, y: np.ndarray) -> np.ndarray:
    """Return 1 - mean p_y; the toolkit ranks both Data-IQ and DataMaps by it alone."""
    return 1 - np.exp(dynamics.log_probabilities(y)).mean(axis=(0, 1))


def _forgotten(dynamics: ts.TrainingDynamics, y: np.ndarray) -> np.ndarray:
    """Return the times each row was forgotten; a row that was never learned counts 0."""
    learned = dynamics.learned(y)
    return (learned[:, :-1] & ~learned[:, 1:]).sum(axis=1).mean(axis=0)


def measured(cell: Cell) -> list[Row]:
    """Return the lines of one cell."""
    table, kind, share, seed = cell
    (clean,) = draw(table, seed, N)
    rows, mask = flagged(table, clean, kind, share, seed)
    harder = hardness(rows, seed)
    raw = {m: h if m in LARGER_IS_HARDER else -h for m, h in harder.items()}
    values = {
        PRINTED: {m: average_precision(~mask, raw[m]) for m in METHODS},
        "average precision": {m: average_precision(mask, harder[m]) for m in METHODS},
    }
    cell_key = {"table": table, "type": kind, "share": share, "seed": seed}
    # a float in a key would be written with four digits
    return [{**cell_key, "share": str(share), "measure": m, **values[m]} for m in MEASURES]


def run(tables: list[str]) -> None:
    """Measure the missing cells."""
    names = [t for t in tables or PAPERS if t in PAPERS]
    all_cells = product(range(SEEDS), names, SHARES, TYPES)
    cells.run("faithful", KEYS, measured, ((t, k, p, s) for s, t, p, k in all_cells), MEASURES)
