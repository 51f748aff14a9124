"""How a response is fitted: which estimator, in folds, or several of them pooled.

Notation: n rows, a point (w,) for each, C classes, M models of a pool, w (M,) their weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer

from tabseed._random import child, int_seed
from tabseed.errors import TabseedError, one_line
from tabseed.estimates.folds import deal
from tabseed.estimates.scores import Task
from tabseed.estimates.simplex import least_squares_weights, likeliest_weights

AUTO = "auto"
CANDIDATES = ("linear", "splines", "forest", "boosting", "knn", "process")
RESPONSES = (AUTO, *CANDIDATES, "mlp")
FOLDS, FITS, _, MEMBERS = range(4)  # streams below that of a response
MOST_OF_PROCESS, MOST_CLASSES_OF_PROCESS = 1_000, 500  # rows: a Gaussian process costs n^3
WIDEST_OF_SPLINES = 100  # columns of points: each becomes six, and most of so many are levels
SHRUNK = 3.0  # rows
LEAST = 0.02  # weight of a model that is worth its fit


@dataclass(frozen=True)
class Fitting:
    """How responses are fitted: the estimator, the number of folds, the random stream."""

    response: str | BaseEstimator
    folds: int
    stream: np.random.SeedSequence

    def make(self, task: Task, n: int, part: int) -> BaseEstimator:
        """Return a fresh estimator for n rows; all its seeds come from child ``part``."""
        if isinstance(self.response, str):
            estimator = _named(self.response, task, n)
        elif (is_classifier if task == "classification" else is_regressor)(self.response):
            estimator = clone(self.response)
        else:
            raise TabseedError(
                f"the target needs a model for {task}; {type(self.response).__name__} is not one"
            )
        if task == "classification" and not hasattr(estimator, "predict_proba"):
            raise TabseedError(f"{type(estimator).__name__} gives no probabilities to draw from")
        seeds = [k for k in sorted(estimator.get_params()) if k.split("__")[-1] == "random_state"]
        stream = child(self.stream, FITS, part)
        return estimator.set_params(**{k: int_seed(child(stream, i)) for i, k in enumerate(seeds)})

    @property
    def chosen(self) -> bool:
        """Whether the response is chosen among several."""
        return isinstance(self.response, str) and self.response == AUTO

    def learned(self, task: Task, points: np.ndarray, y: np.ndarray, part: int = 0) -> Any:
        """Return an estimator that has learned y (n,) from points (n, w)."""
        if len(np.unique(y)) < 2:  # not all estimators accept a single value
            constant = DummyClassifier() if task == "classification" else DummyRegressor()
            return constant.fit(points, y)
        estimator: Any = self.make(task, len(y), part)
        with _refusals(estimator, len(y)), warnings.catch_warnings():
            if isinstance(self.response, str):  # the number of steps is chosen here
                warnings.simplefilter("ignore", ConvergenceWarning)
            return estimator.fit(points, y)

    def crossed(
        self,
        task: Task,
        points: np.ndarray,
        y: np.ndarray,
        predict: Callable[[Any, np.ndarray], np.ndarray],
    ) -> tuple[np.ndarray, Any]:
        """Return predictions by models that did not see the row, (n, ...), and a model of all rows.

        If the response is chosen, both are those of a :class:`Pool`; the weights for a fold rest
        on the other folds, so the predictions remain those of rows that nothing saw.
        """
        if len(y) < 2:
            model = replace(self, response="linear") if self.chosen else self
            learned = model.learned(task, points, y)
            return 0 * predict(learned, points), learned
        if not self.chosen:
            return self.out_of_fold(task, points, y, predict), self.learned(task, points, y)
        if len(np.unique(y)) < 2:
            single = replace(self, response="linear")
            return single.crossed(task, points, y, predict)
        fits, parts = [], []
        for at, name in enumerate(candidates(task, *points.shape)):
            own = Fitting(name, self.folds, child(self.stream, MEMBERS, at))
            with suppress(TabseedError):  # one that cannot learn so few rows is not a candidate
                parts.append(own.out_of_fold(task, points, y, predict, dealt=self.stream))
                fits.append((name, own))
        each = np.stack(parts, axis=-1)  # (n, ..., M)
        fold = self._fold(y, self.stream)
        pooled = np.empty(each.shape[:-1])
        for k in range(int(fold.max()) + 1):
            w = pool_weights(task, each[fold != k], y[fold != k])
            pooled[fold == k] = each[fold == k] @ w
        weights = pool_weights(task, each, y)
        weights = np.where(weights < LEAST, 0.0, weights)
        kept = [(name, own, w) for (name, own), w in zip(fits, weights, strict=True) if w > 0]
        models = [own.learned(task, points, y) for _, own, _ in kept]
        n_classes = int(y.max()) + 1 if task == "classification" else 0
        shares = np.array([w for *_, w in kept]) / sum(w for *_, w in kept)
        return pooled, Pool(models, tuple(name for name, *_ in kept), shares, n_classes)

    def _fold(self, y: np.ndarray, stream: np.random.SeedSequence) -> np.ndarray:
        """Return the fold of each row (n,): dealt in order of y, so that all spread evenly."""
        n = len(y)
        return deal(y, n, min(self.folds, n), np.random.default_rng(child(stream, FOLDS)))

    def out_of_fold(
        self,
        task: Task,
        points: np.ndarray,
        y: np.ndarray,
        predict: Callable[[Any, np.ndarray], np.ndarray],
        dealt: np.random.SeedSequence | None = None,
    ) -> np.ndarray:
        """Return ``predict(model, points)`` for each row by a model that did not see it, (n, ...).

        Rows are shuffled, by the stream ``dealt`` if it is given, then dealt to the folds in order
        of y, so that classes and sizes are spread evenly.
        """
        n, fold = len(y), self._fold(y, dealt or self.stream)
        parts = []
        for k in range(int(fold.max()) + 1):
            model = self.learned(task, points[fold != k], y[fold != k], part=1 + k)
            with _refusals(model, int((fold != k).sum())):
                parts.append(predict(model, points[fold == k]))
        predictions = np.empty((n, *parts[0].shape[1:]))
        for k, part in enumerate(parts):
            predictions[fold == k] = part
        return predictions


@contextmanager
def _refusals(estimator: Any, n: int) -> Iterator[None]:
    """Turn an estimator's refusal of n rows into a TabseedError of one line."""
    try:
        yield
    except ValueError as error:
        reason = one_line(error)
        raise TabseedError(f"{type(estimator).__name__} cannot learn {n} rows: {reason}") from error


def votes(model: Any, points: np.ndarray, n_classes: int) -> np.ndarray:
    """Return a classifier's probabilities (n, C); 0 for classes that it did not see."""
    p = np.zeros((len(points), n_classes))
    if len(points):
        p[:, model.classes_] = model.predict_proba(points)
    return p


def _named(name: str, task: Task, n: int) -> Any:
    """Return the estimator of that name for n rows."""
    classes = task == "classification"
    if name == "knn":
        return (KNeighborsClassifier if classes else KNeighborsRegressor)(near(n))
    if name == "linear":
        return _straight(classes)
    if name == "splines":
        curves = SplineTransformer(n_knots=5, extrapolation="linear", include_bias=False)
        return make_pipeline(curves, _straight(classes, 0.3))
    if name == "mlp":
        return (MLPClassifier if classes else MLPRegressor)(
            hidden_layer_sizes=(64,), alpha=1e-2, max_iter=300
        )
    if name == "boosting":
        model = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
        return model(
            learning_rate=0.05, max_iter=150, max_leaf_nodes=8, min_samples_leaf=10,
            l2_regularization=1.0, early_stopping=False,
        )  # fmt: skip
    if name == "process":
        smooth = ConstantKernel() * RBF(length_scale=3.0)
        if classes:
            return GaussianProcessClassifier(smooth, max_iter_predict=20)
        return GaussianProcessRegressor(smooth + WhiteKernel(), normalize_y=True)
    if classes:
        return RandomForestClassifier(n_estimators=100, min_samples_leaf=2)
    return RandomForestRegressor(n_estimators=100, max_features=0.5)


def _straight(classes: bool, c: float = 1.0) -> Any:
    if classes:
        return LogisticRegression(C=c, max_iter=1_000)
    return RidgeCV(np.logspace(-3, 3, 13))


def candidates(task: Task, n: int, width: int) -> tuple[str, ...]:
    """Return the names of the responses that "auto" chooses among, for n points of a width."""
    few = n <= (MOST_CLASSES_OF_PROCESS if task == "classification" else MOST_OF_PROCESS)
    out = {"process": not few, "splines": width > WIDEST_OF_SPLINES}
    return tuple(name for name in CANDIDATES if not out.get(name))


@dataclass(frozen=True)
class Pool:
    """Several fitted models as one: the weighted mean of what they predict."""

    models: list[Any]
    names: tuple[str, ...]
    weights: np.ndarray  # (M,)
    n_classes: int  # 0 for numbers

    @property
    def classes_(self) -> np.ndarray:
        """The classes of the columns of :meth:`predict_proba`."""
        return np.arange(self.n_classes)

    def predict(self, points: np.ndarray) -> np.ndarray:
        """Return numbers (n,)."""
        parts = [model.predict(points).ravel() for model in self.models]
        return np.asarray(self.weights @ np.array(parts))

    def predict_proba(self, points: np.ndarray) -> np.ndarray:
        """Return the probabilities of the classes, (n, C)."""
        parts = [votes(model, points, self.n_classes) for model in self.models]
        return np.asarray(np.tensordot(self.weights, np.array(parts), 1))


def pool_weights(task: Task, predictions: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the weights (M,) of M models from predictions of rows that they did not see.

    (n, C, M) probabilities of classes y (n,): the weights maximise sum_i log sum_m w_m p_m(y_i).
    (n, M) predictions of numbers y: they minimise the sum of squares. Both are shrunk towards equal
    weights as if by SHRUNK rows (:mod:`tabseed.estimates.simplex`).
    """
    if task == "regression":
        return least_squares_weights(predictions, y, SHRUNK)
    n, c, m = predictions.shape
    hit = np.take_along_axis(predictions, y.astype(int)[:, None, None], axis=1)[:, 0]
    floor = 1 / (n + 1) / c  # as in the law: no class is impossible
    return likeliest_weights(np.log((1 - c * floor) * hit + floor), np.full(m, 1 / m), SHRUNK)


def said(model: Any) -> str:
    """Return a model's name, or those of a pool with their weights."""
    if not isinstance(model, Pool):
        return type(model).__name__
    order = np.argsort(-model.weights, kind="stable")
    return ", ".join(f"{model.names[m]} {model.weights[m]:.0%}" for m in order)


def near(n: int) -> int:
    """Return how many of n rows count as near a point: about sqrt(n), at least 3."""
    return int(min(n, max(3, round(n**0.5))))
