"""A problem of prediction: points, labels and losses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa

from tabseed.coding.labels import features_and_labels, posed, task_of
from tabseed.coding.points import Features
from tabseed.errors import SchemaError, TabseedError, TooFewRowsError
from tabseed.estimates.scores import Task
from tabseed.metrics.leakage import conform
from tabseed.parameters import shown
from tabseed.table import Frame, Table
from tabseed.table.schema import DISCRETE, Schema


def _check_models(models: Iterable[Any], task: Task) -> None:
    """Raise TabseedError for a model that gives no class shares, or no numbers, to judge it by."""
    gives = "predict_proba" if task == "classification" else "predict"
    for model in models:
        lacking = [n for n in ("fit", gives, "set_params") if not hasattr(model, n)]
        if lacking and not (model is None or isinstance(model, str)):
            raise TabseedError(
                f"{shown(model)} has no {lacking[0]}, which a {task} needs; take another model"
            )


def residuals(problem: Problem, y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return predictions minus the truth: (..., h, C + 1) for classes, (..., h, 1) for numbers.

    The last of the C + 1 entries is for a class that the training rows lack.
    """
    if problem.task == "regression":
        return np.asarray((predicted - y)[..., None])
    c = predicted.shape[-1]
    truth = np.where(y < 0, c, y)[:, None] == np.arange(c + 1)
    unknown = np.zeros((*predicted.shape[:-1], 1))
    return np.asarray(np.concatenate([predicted, unknown], axis=-1) - truth)


def squared_loss(problem: Problem, y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return each row's squared error, or its Brier score summed over classes, (..., h)."""
    return np.asarray((residuals(problem, y, predicted) ** 2).sum(axis=-1))


def squared_name(problem: Problem) -> str:
    """Return the name of that loss."""
    return "squared error" if problem.task == "regression" else "Brier score"


@dataclass(frozen=True)
class Problem:
    """A target column to predict from the others; ``classes`` are those of the training rows."""

    schema: Schema
    target: str
    task: Task
    classes: tuple[Any, ...]

    @classmethod
    def of(cls, table: Table, target: str, models: Iterable[Any] = ()) -> Self:
        """Return the problem of a table of real training rows; SchemaError if there is none.

        The models may decide whether whole numbers are classes (:func:`posed`).
        """
        target, models = table.schema[target].name, list(models)
        table = posed(table, target, models)
        task = task_of(table.schema, target)
        _check_models(models, task)
        labels = features_and_labels(table, target)[1]
        if len(labels) and bool((labels == labels[0]).all()):
            raise SchemaError(f"column {target!r} has one value only: there is nothing to predict")
        column = table.schema[target]
        classes = tuple(column.categories) if column.kind in DISCRETE else ()
        return cls(table.schema.modelled, target, task, classes)

    def rows(self, frame: Frame, name: str, *, to_train: bool = False) -> Labelled:
        """Return the rows of a table for this problem; errors begin with ``name``.

        SchemaError for a missing label. A class that the training rows lack gets a negative
        number, because no model can predict it; with ``to_train`` such rows are refused.
        """
        table = conform(frame, self.schema, name)
        if not len(table):
            raise TooFewRowsError(f"the {name} table has no rows")
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
                f"{name} table: column {self.target!r}, row {row + 1}: {labels[row]!r} is not a "
                "class of the training rows; leave such rows out"
            )
        return Labelled(features, y)


@dataclass(frozen=True)
class Labelled:
    """Features, and the labels to predict, (n,): class numbers or numeric targets."""

    features: Table
    y: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    def take(self, indices: np.ndarray) -> Labelled:
        """Return the rows with these indices."""
        return Labelled(self.features.take(indices), self.y[indices])

    def with_rows(self, rows: Labelled) -> Labelled:
        """Return these rows, and other rows of the same schema after them."""
        both = pa.concat_tables([self.features.to_arrow(), rows.features.to_arrow()])
        features = Table.from_frame(both, schema=self.features.schema)
        return Labelled(features, np.concatenate([self.y, rows.y]))


def named(problem: Problem, predicted: np.ndarray) -> np.ndarray:
    """Return the class numbers (..., n) of outputs (..., n, C); numbers stay as they are."""
    return predicted if problem.task == "regression" else predicted.argmax(axis=-1)


def loss(problem: Problem, y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return each row's loss, (..., n): squared error, or 1 for a wrong class."""
    if problem.task == "regression":
        return np.asarray((predicted - y) ** 2)
    return np.asarray((named(problem, predicted) != y).astype(np.float64))


def points(train_on: Labelled, *others: Labelled) -> list[np.ndarray]:
    """Return all rows as points, scaled and coded as the training rows alone determine."""
    features = Features().fit(train_on.features)
    return [features.transform(rows.features) for rows in (train_on, *others)]
