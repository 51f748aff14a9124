"""The models that measure utility: trained on some rows of a table and judged on others.

Notation: n rows, C classes, f a trained model.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.validation import has_fit_parameter

from tabseed._random import one_thread
from tabseed.coding.labels import seeded
from tabseed.errors import TabseedError
from tabseed.estimates.scores import Task
from tabseed.metrics.problem import Problem

FOURIER = 300  # random Fourier features of a kernel model


def train(
    model: Any,
    x: np.ndarray,
    y: np.ndarray,
    problem: Problem,
    stream: np.random.SeedSequence,
    weight: np.ndarray | None = None,
) -> Any:
    """Fit a copy of a scikit-learn model to points (n, w), on one thread, seeded by the stream.

    Rows of one class give a model that always predicts it. ``weight`` (n,) is for models that take
    weights; TabseedError for other models.
    """
    if problem.task == "classification" and len(np.unique(y)) == 1:
        return Constant(int(y[0]))
    copy = seeded(model, stream)
    options: dict[str, Any] = {}
    if weight is not None:
        if not has_fit_parameter(copy, "sample_weight"):
            raise TabseedError(f"{type(copy).__name__} takes no weights of rows; use weight 1")
        options["sample_weight"] = weight
    with one_thread(), warnings.catch_warnings():
        # networks stop after a set number of steps, which is intended
        warnings.simplefilter("ignore", ConvergenceWarning)
        return copy.fit(x, y, **options)


def output(fitted: Any, x: np.ndarray, problem: Problem) -> np.ndarray:
    """Return the output of a fitted model at points: class shares (n, C), or numbers (n,)."""
    with one_thread():
        if problem.task == "regression":
            return np.asarray(fitted.predict(x), dtype=np.float64)
        share = np.zeros((len(x), len(problem.classes)))
        share[:, fitted.classes_] = fitted.predict_proba(x)
        return share


class Constant:
    """A model that has seen one class and always predicts it."""

    def __init__(self, number: int) -> None:
        self.classes_ = np.array([number])

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Return ones, (n, 1)."""
        return np.ones((len(x), 1))


def zoo(task: Task, n: int) -> dict[str, Any]:
    """Return models of many kinds, by name, with usual settings; none is tuned.

    There are nine for classes and eight for numbers. Their assumptions differ (lines, densities,
    neighbours, steps, sums of steps, smooth curves), as they do when people choose among models.
    ``n`` is the smallest number of rows that a model will train on.
    """
    leaf, near = min(5, n), min(15, n)
    if task == "classification":
        return {
            "linear": LogisticRegression(max_iter=1_000),
            "naive-bayes": GaussianNB(var_smoothing=1e-3),
            "neighbours": KNeighborsClassifier(near, weights="distance"),
            "tree": DecisionTreeClassifier(min_samples_leaf=leaf),
            "forest": RandomForestClassifier(100, min_samples_leaf=2),
            "extra-trees": ExtraTreesClassifier(100, min_samples_leaf=2),
            "boosting": HistGradientBoostingClassifier(
                learning_rate=0.05, min_samples_leaf=leaf, early_stopping=False
            ),
            "kernel": make_pipeline(
                RBFSampler(gamma="scale", n_components=FOURIER), LogisticRegression(max_iter=1_000)
            ),
            "network": MLPClassifier(
                hidden_layer_sizes=(50,), alpha=1.0, solver="lbfgs", max_iter=200
            ),
        }
    penalties = np.logspace(-3, 3, 7)
    return {
        "linear": RidgeCV(penalties),
        "neighbours": KNeighborsRegressor(near, weights="distance"),
        "tree": DecisionTreeRegressor(min_samples_leaf=leaf),
        "forest": RandomForestRegressor(100, min_samples_leaf=2, max_features=1 / 3),
        "extra-trees": ExtraTreesRegressor(100, min_samples_leaf=2, max_features=1 / 3),
        "boosting": HistGradientBoostingRegressor(
            learning_rate=0.05, min_samples_leaf=leaf, early_stopping=False
        ),
        "kernel": make_pipeline(
            RBFSampler(gamma="scale", n_components=FOURIER), RidgeCV(penalties)
        ),
        "network": TransformedTargetRegressor(
            MLPRegressor(hidden_layer_sizes=(50,), alpha=1.0, solver="lbfgs", max_iter=200),
            transformer=StandardScaler(),
        ),
    }
