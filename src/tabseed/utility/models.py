"""What utility is measured with: models of a table, trained on some rows and judged on others.

Notation: n rows, C classes, f a trained model.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Self

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
from tabseed.coding.labels import Features, Task, features_and_labels, seeded, task_of
from tabseed.errors import SchemaError, TabseedError, TooFewRowsError
from tabseed.metrics.base import conform
from tabseed.table import Table
from tabseed.table.schema import DISCRETE, Schema

FOURIER = 300  # random waves that a kernel model is made of


@dataclass(frozen=True)
class Problem:
    """A target column to predict by the others; ``classes`` are those of the training rows."""

    schema: Schema
    target: str
    task: Task
    classes: tuple[Any, ...]

    @classmethod
    def of(cls, table: Table, target: str) -> Self:
        """Pose the problem of a table of real training rows; SchemaError where there is none."""
        task = task_of(table.schema, target)
        labels = features_and_labels(table, target)[1]
        if len(labels) and bool((labels == labels[0]).all()):
            raise SchemaError(f"column {target!r} has one value only: there is nothing to predict")
        column = table.schema[target]
        classes = tuple(column.categories) if column.kind in DISCRETE else ()
        return cls(table.schema.modelled, target, task, classes)

    def rows(self, frame: Any, name: str, *, to_train: bool = False) -> Labelled:
        """Take rows of this table; errors begin with ``name``.

        SchemaError for a missing label. A class that the training rows lack gets a negative
        number, for no model can name it; rows ``to_train`` on are refused then.
        """
        table = conform(frame, self.schema, name)
        if not len(table):
            raise TooFewRowsError(f"the {name} table has no row")
        try:
            features, labels = features_and_labels(table, self.target)
        except SchemaError as error:
            raise SchemaError(f"{name} table: {error}") from error
        if self.task == "regression":
            return Labelled(features, labels)
        y = table.codes(self.target)
        if to_train and (y < 0).any():
            row = int(np.flatnonzero(y < 0)[0])
            raise SchemaError(
                f"{name} table: column {self.target!r}, row {row + 1}: {labels[row]!r} is no class "
                "of the training rows; leave such rows out"
            )
        return Labelled(features, y)


@dataclass(frozen=True)
class Labelled:
    """Features and, as numbers (n,), what is to be predicted: class numbers or targets."""

    features: Table
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    def take(self, places: np.ndarray) -> Labelled:
        """Give the rows at these places."""
        return Labelled(self.features.take(places), self.y[places])


def train(
    model: Any,
    x: np.ndarray,
    y: np.ndarray,
    problem: Problem,
    stream: np.random.SeedSequence,
    weight: np.ndarray | None = None,
) -> Any:
    """Fit a copy of a scikit-learn model to points (n, w); one thread, seeded by the stream.

    Rows of one class make a model that always says so. ``weight`` (n,) is for models that take
    weights; TabseedError for another.
    """
    if problem.task == "classification" and len(np.unique(y)) == 1:
        return Constant(int(y[0]))
    made = seeded(model, stream)
    options: dict[str, Any] = {}
    if weight is not None:
        if not has_fit_parameter(made, "sample_weight"):
            raise TabseedError(f"{type(made).__name__} takes no weights of rows")
        options["sample_weight"] = weight
    with one_thread(), warnings.catch_warnings():
        # networks stop by the number of steps: it is their setting, not news
        warnings.simplefilter("ignore", ConvergenceWarning)
        return made.fit(x, y, **options)


def output(fitted: Any, x: np.ndarray, problem: Problem) -> np.ndarray:
    """Give what a fitted model says of points: class shares (n, C), or numbers (n,)."""
    with one_thread():
        if problem.task == "regression":
            return np.asarray(fitted.predict(x), dtype=np.float64)
        share = np.zeros((len(x), len(problem.classes)))
        share[:, fitted.classes_] = fitted.predict_proba(x)
        return share


def named(problem: Problem, said: np.ndarray) -> np.ndarray:
    """Turn outputs (..., n, C) into class numbers (..., n); numbers stay as they are."""
    return said if problem.task == "regression" else said.argmax(axis=-1)


def loss(problem: Problem, y: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Give each row's loss, (..., n): squared error, or 1 where the class is wrong."""
    if problem.task == "regression":
        return np.asarray((said - y) ** 2)
    return (named(problem, said) != y).astype(np.float64)


class Constant:
    """A model that has seen one class and names no other."""

    def __init__(self, number: int) -> None:
        self.classes_ = np.array([number])

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Give (n, 1) ones."""
        return np.ones((len(x), 1))


def points(train_on: Labelled, *others: Labelled) -> list[np.ndarray]:
    """Give all rows as points, scaled and coded by the rows to train on, as their user would."""
    features = Features().fit(train_on.features)
    return [features.transform(rows.features) for rows in (train_on, *others)]


def zoo(task: Task, n: int) -> dict[str, Any]:
    """Give models of many kinds, by name, as their users would set them; none is tuned.

    Nine for classes, eight for numbers: what they assume differs (lines, densities, neighbours,
    steps, sums of steps, smooth curves), which is what a choice among models is about. ``n`` is
    the smallest number of rows that one will train on.
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
