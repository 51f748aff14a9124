"""A table as a model sees it: rows as points, labels as numbers.

Notation: n rows, d columns, w coordinates of a point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor

from tabseed._random import int_seed
from tabseed.coding.label_arrays import check_shared, read_labels
from tabseed.errors import SchemaError, printable
from tabseed.estimates.scores import Task
from tabseed.table import Table
from tabseed.table.display import kind_option
from tabseed.table.schema import DISCRETE, NUMERIC, Column, Schema

MAX_CLASSES = 20  # whole numbers of more values are for regression, unless the caller decides


# --- labels -------------------------------------------------------------------------------------


def task_of(schema: Schema, target: str) -> Task:
    """Return the task of predicting a column: classification, or regression of numbers."""
    return "classification" if schema.to_predict(target).kind in DISCRETE else "regression"


def posed(table: Table, target: str, models: Iterable[Any]) -> Table:
    """Return the table with its target read as the models pose it: a classifier has classes.

    Whole numbers can be classes or quantities. Their kind says which (few values: classes), but a
    scikit-learn classifier makes classes of them, and a regressor numbers; other models, and names
    of models, change nothing. SchemaError for a classifier of real numbers or a regressor of
    classes that are no numbers.
    """
    for model in models:
        column = table.schema[target]
        wants = "classes" if _is(is_classifier, model) else "numbers"
        if wants == "numbers" and not _is(is_regressor, model):
            continue
        if (column.kind in DISCRETE) == (wants == "classes"):
            continue
        if column.kind == "integer":
            table = Table.from_frame(table, kinds={target: "ordinal"})
        elif column.kind in DISCRETE and _whole(column):
            table = Table.from_frame(table, kinds={target: "integer"})
        elif column.kind in DISCRETE or column.kind in NUMERIC:
            other, kind = (
                ("classes", "regressor") if wants == "numbers" else ("numbers", "classifier")
            )
            raise SchemaError(
                f"{type(model).__name__} is a {kind}, but column {target!r} holds {other} "
                f"({column.kind}); take another model or set another kind"
            )
    return table


def _is(of: Callable[[Any], bool], model: Any) -> bool:
    return isinstance(model, BaseEstimator) and of(model)


def _whole(column: Column) -> bool:
    """Return whether all levels of a discrete column are whole numbers, true and false not."""
    return len(column.categories) > 0 and all(
        isinstance(c, int | float) and not isinstance(c, bool) and c == round(c)
        for c in column.categories
    )


def target_note(schema: Schema, target: str) -> tuple[str, ...]:
    """Return a sentence on how whole numbers of a target are read, and how to change that.

    Whole numbers can be classes or quantities; of all other targets there is nothing to say.
    """
    column = schema[target]
    name, in_python = printable(target), f"in Python kinds={{{target!r}:"
    if column.kind in DISCRETE and _whole(column):
        levels = [f"{c:g}" for c in column.categories]
        shown = ", ".join(levels if len(levels) <= 6 else [*levels[:3], "...", levels[-1]])
        return (
            f"{name} holds {len(levels)} whole numbers ({shown}), read as classes; if they are "
            f"quantities, set its kind: {kind_option(target, 'integer')}, "
            f"{in_python} 'integer'}}.",
        )
    if column.kind == "integer":
        return (
            f"{name} is read as a number; if its values are classes, set its kind: "
            f"{kind_option(target, 'categorical')}, {in_python} 'categorical'}}.",
        )
    return ()


def features_and_labels(table: Table, target: str) -> tuple[Table, np.ndarray]:
    """Return the other modelled columns and the labels (n,); SchemaError if either is missing."""
    others = Schema(tuple(c for c in table.schema.modelled if c.name != target))
    if not len(others):
        raise SchemaError(f"the table has no column besides {target!r} to predict it from")
    return table.select(others), labels_of(table, target)


def labels_of(table: Table, target: str) -> np.ndarray:
    """Return the labels (n,): numbers, or values of a discrete column.

    SchemaError, with the row, for a missing label.
    """
    if table.schema[target].kind in NUMERIC:
        labels = table.numbers(target)
        gap = np.isnan(labels)
    else:
        values = table.values(target)
        labels = np.empty(len(values), dtype=object)
        labels[:] = values
        gap = np.array([v is None for v in values], dtype=bool)
    if gap.any():
        raise SchemaError(
            f"column {target!r}, row {int(np.flatnonzero(gap)[0]) + 1}: the label is missing; "
            "leave out rows without a label"
        )
    return labels


def code_labels(
    labels: list[Any], task: Task | None = None
) -> tuple[Task, np.ndarray, list[np.ndarray]]:
    """Return the task that the labels (of one or two tables) are for, its classes, coded labels.

    Without ``task``, numbers are targets of a regression unless they are whole and take at most
    MAX_CLASSES values. Classes are sorted, by their text if they cannot be compared. Those of the
    second table may be spelled otherwise. Errors: those of
    :func:`~tabseed.coding.label_arrays.read_labels`, and SchemaError for a regression of texts and
    for two tables without a class in common.
    """
    arrays = read_labels(labels)
    ends = np.cumsum([len(a) for a in arrays])[:-1]
    pooled = np.concatenate([a.astype(object) for a in arrays])
    numeric = all(a.dtype.kind in "iuf" for a in arrays)
    if task is None:
        levels = np.unique(pooled.astype(float)) if numeric else pooled[:0]
        whole = len(levels) <= MAX_CLASSES and bool((levels == np.round(levels)).all())
        task = "regression" if numeric and not whole else "classification"
    if task == "regression":
        try:
            numbers = pooled.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise SchemaError(f"the labels of a regression must be numbers ({error})") from error
        if not np.isfinite(numbers).all():
            raise SchemaError("the labels of a regression must be finite numbers")
        return task, np.empty(0), np.split(numbers, ends)
    distinct = list(dict.fromkeys(pooled.tolist()))
    try:
        classes = sorted(distinct)
    except TypeError:
        classes = sorted(distinct, key=str)
    number = {label: k for k, label in enumerate(classes)}
    coded = np.array([number[label] for label in pooled.tolist()], dtype=np.int64)
    known = np.empty(len(classes), dtype=object)
    known[:] = classes
    check_shared(known, np.split(coded, ends))
    return task, known, np.split(coded, ends)


# --- models -------------------------------------------------------------------------------------


def seeded(model: Any, stream: np.random.SeedSequence) -> Any:
    """Return an unfitted copy; the stream sets every ``random_state``, nested ones included."""
    copy = clone(model)
    keys = [key for key in copy.get_params() if key.split("__")[-1] == "random_state"]
    return copy.set_params(**dict.fromkeys(keys, int_seed(stream)))
