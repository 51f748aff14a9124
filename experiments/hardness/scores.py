"""Every scorer on one set of rows, with one record for all scores of networks, and their times."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors

import tabseed as ts
from experiments.hardness.tables import Rows
from tabseed.coding.labels import code_labels
from tabseed.coding.points import Features

EPOCHS, NETWORKS, NEIGHBOURS = 20, 3, 5
RECORDED = {
    "Agreement": ts.Agreement,
    "AUM": ts.AUM,
    "CleanLab in sample": ts.CleanLab,
    "Data-IQ": ts.DataIQ,
    "DataMaps": ts.DataMaps,
    "Detector": ts.Detector,
    "EL2N": ts.EL2N,
    "Forgetting": ts.Forgetting,
    "GraNd": ts.GraNd,
    "Prototypicality": ts.Prototypicality,
    "Sample-loss": ts.SampleLoss,
    "VoG": ts.VoG,
}
METHODS = (
    "KNN-Shapley",
    "KNN-Shapley, clean reference",
    "CleanLab",
    *RECORDED,
    "distance",
    "isolation forest",
    "random",
)
RECORDING = "recording"  # the training shared by all of RECORDED
Scored = tuple[dict[str, np.ndarray], dict[str, float]]


class Clock:
    """The seconds of each step, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, step: Callable[[], Any]) -> Any:
        """Do a step, note its time, and return its result."""
        began = time.perf_counter()
        result = step()
        self.seconds[name] = time.perf_counter() - began
        return result


def scored(rows: Rows, reference: Rows, seed: int) -> Scored:
    """Return the hardness of the rows (n,), larger is harder, and the seconds, by method.

    The time of a method in RECORDED excludes the shared recording.
    """
    clock = Clock()
    hardness = {}
    hardness["KNN-Shapley"] = clock("KNN-Shapley", lambda: shapley(seed).fit_score(rows.X, rows.y))
    hardness["KNN-Shapley, clean reference"] = clock(
        "KNN-Shapley, clean reference",
        lambda: shapley(seed).fit_score(rows.X, rows.y, reference=(reference.X, reference.y)),
    )
    hardness["CleanLab"] = clock(
        "CleanLab",
        lambda: ts.CleanLab(epochs=EPOCHS, n_seeds=1, random_state=seed).fit_score(rows.X, rows.y),
    )
    x, label, dynamics = clock(RECORDING, lambda: recorded(rows, seed))
    for name, scorer in RECORDED.items():
        hardness[name] = clock(name, lambda s=scorer: s().from_dynamics(dynamics, label))
    hardness["distance"] = clock("distance", lambda: _distance(x))
    hardness["isolation forest"] = clock(
        "isolation forest",
        lambda: -IsolationForest(random_state=seed, n_jobs=1).fit(x).score_samples(x),
    )
    hardness["random"] = clock("random", lambda: np.random.default_rng(seed).random(len(x)))
    return hardness, clock.seconds


def shapley(seed: int) -> ts.KNNShapley:
    """Return KNN-Shapley with the study's number of neighbours."""
    return ts.KNNShapley(n_neighbors=NEIGHBOURS, random_state=seed)


def recorded(
    rows: Rows, seed: int, scale: bool = True
) -> tuple[np.ndarray, np.ndarray, ts.TrainingDynamics]:
    """Return rows as points, class numbers, and the record of networks trained on them."""
    x = Features(scale).fit_transform(rows.X)
    _, _, (label,) = code_labels([rows.y], "classification")
    record = ts.TrainingDynamics.record(x, label, epochs=EPOCHS, n_seeds=NETWORKS, stream=seed)
    return x, label, record


def _distance(x: np.ndarray) -> np.ndarray:
    """Return the mean distance to the nearest rows, as a scorer that ignores labels."""
    near = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(x)
    return near.kneighbors(x)[0][:, 1:].mean(axis=1)


def average_precision(changed: np.ndarray, hardness: np.ndarray) -> float:
    """Return the average precision of the changed rows; chance gives their share."""
    return float(average_precision_score(changed, rankdata(hardness)))


def auroc(changed: np.ndarray, hardness: np.ndarray) -> float:
    """Return the share of pairs in which the changed row is the harder one."""
    return float(roc_auc_score(changed, rankdata(hardness)))


def skill(precision: np.ndarray, share: float) -> np.ndarray:
    """Return (AP - p) / (1 - p): 0 is chance, 1 is perfect."""
    return (precision - share) / (1 - share)
