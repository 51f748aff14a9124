"""Rows with labels as one table, whatever kinds came in; the same kinds out, rows appended.

Notation: n rows, d features, C classes, m rows drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
from scipy.sparse import issparse

from tabseed.coding.labels import code_labels
from tabseed.errors import SchemaError
from tabseed.estimates.scores import Task
from tabseed.table import Table
from tabseed.table.frames import (
    as_frame,
    as_series,
    dense,
    is_frame,
    is_series,
    rows_at,
    stacked,
    with_flags,
)
from tabseed.table.schema import NUMERIC, Column, Schema


class LabelError(SchemaError, ValueError):
    """Labels that do not fit the task; a ValueError too, which samplers of classes raise."""


@dataclass(frozen=True)
class Rows:
    """Features and label as one table.

    ``y`` (n,) holds class numbers 0, 1, ..., places in ``classes``, or the targets of a
    regression (float64); ``label`` is the name of its column, which no feature has.
    """

    table: Table
    label: str
    task: Task
    y: np.ndarray
    classes: np.ndarray

    @classmethod
    def of(cls, X: Any, y: Any, task: Task) -> Self:
        """Join features and labels; SchemaError where they do not fit each other or the task."""
        features = features_of(X)
        classes, coded = labels_of(y, task)
        if len(features) != len(coded):
            raise SchemaError(f"X and y differ in length: {len(features)} rows, {len(coded)}")
        label = "label"
        while label in features.schema:
            label += "_"
        if task == "classification":
            column = Column(label, "categorical", "the label", tuple(range(len(classes))))
        else:
            whole = bool((coded == np.round(coded)).all())
            column = Column(label, "integer" if whole else "continuous", "the label")
        arrow = features.to_arrow().append_column(label, pa.array(coded))
        table = Table.from_frame(arrow, schema=Schema((*features.schema, column)))
        return cls(table, label, task, coded, classes)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def features(self) -> Table:
        """The table without the label."""
        return self.table.select(
            Schema(tuple(c for c in self.table.schema if c.name != self.label))
        )

    def take(self, places: np.ndarray) -> Self:
        """Give the rows at these places."""
        return replace(self, table=self.table.take(places), y=self.y[places])

    def draw(self, generator: Any, m: int, random_state: np.random.SeedSequence) -> Self:
        """Draw m rows, labels included, from a generator that learned from rows of this table."""
        drawn = generator.sample(m, random_state=random_state)
        table = Table.from_frame(drawn, schema=self.table.schema)
        return replace(self, table=table, y=table.cells(self.label))


# --- features -----------------------------------------------------------------------------------


def features_of(X: Any) -> Table:
    """Take a frame, a Table, or an array or list (n, d); SchemaError for columns not modelled."""
    if isinstance(X, Table) or is_frame(X):
        table = Table.from_frame(X if isinstance(X, Table) else dense(X))
    elif issparse(X):
        raise SchemaError("a sparse matrix is no table; pass X.toarray()")
    else:
        table = _table_of_array(np.asarray(X))
    for column in table.schema.left_out:
        raise SchemaError(
            f"column {column.name!r} cannot be drawn anew ({column.reason}); leave it out, or pass "
            "a Table that sets another kind"
        )
    return table


def _table_of_array(array: np.ndarray) -> Table:
    """Take an array as a table; all that numbers hold is numbers, whole or not."""
    if array.ndim != 2 or array.shape[1] == 0:
        raise SchemaError(f"rows are a table or an array (n, d), got shape {array.shape}")
    names = [f"x{j}" for j in range(array.shape[1])]
    if array.dtype.kind not in "iufb":
        cells = [pa.array(column.tolist(), from_pandas=True) for column in array.T]
        return Table.from_frame(pa.table(cells, names=names))
    kinds = {}
    for name, column in zip(names, array.T, strict=True):
        held = column[~np.isnan(column)] if column.dtype.kind == "f" else column
        if column.dtype.kind != "b" and len(held):
            kinds[name] = "integer" if (held == np.round(held)).all() else "continuous"
    plain = [pa.array(np.ascontiguousarray(column)) for column in array.T]
    return Table.from_frame(pa.table(plain, names=names), kinds=kinds)


def append_features(X: Any, drawn: Table, provenance: str | None) -> Any:
    """Put drawn features below those that came in: of the same kind, which stay as they are.

    ``provenance`` names a further column that is true for drawn rows.
    """
    if isinstance(X, Table):
        return _append_to_table(X, drawn, provenance)
    if is_frame(X):
        table = Table.from_frame(dense(X))
        below = Table.from_columns(table.schema, table.frame_kind, _columns(drawn)).to_frame()
        full = stacked(X, below)
        if provenance is None:
            return full
        _refuse_taken(provenance, table.schema)
        return with_flags(full, provenance, np.arange(len(X) + len(drawn)) >= len(X))
    if provenance is not None:
        raise SchemaError("an array has no named columns to keep the provenance in; pass a frame")
    array = np.asarray(X)
    found = [_cells(drawn, c, array.dtype) for c in drawn.schema]
    full = np.concatenate([array, np.column_stack(found).astype(array.dtype)])
    return full if isinstance(X, np.ndarray) else full.tolist()


def _append_to_table(X: Table, drawn: Table, provenance: str | None) -> Table:
    below = Table.from_columns(X.schema, X.frame_kind, _columns(drawn)).to_arrow()
    arrow, schema = pa.concat_tables([X.to_arrow(), below]), X.schema
    if provenance is None:
        return Table(arrow, schema, X.frame_kind)
    _refuse_taken(provenance, schema)
    flags = pa.array(np.arange(arrow.num_rows) >= len(X))
    column = Column(provenance, "boolean", "whether the row was drawn", (False, True))
    return Table.from_frame(
        arrow.append_column(provenance, flags), schema=Schema((*schema, column))
    )


def _refuse_taken(provenance: str, schema: Schema) -> None:
    if provenance in schema:
        raise SchemaError(f"provenance: the table has a column {provenance!r} already")


def _columns(table: Table) -> dict[str, np.ndarray]:
    """Give numbers or codes by column."""
    return {name: table.cells(name) for name in table.schema.names}


def _cells(table: Table, column: Column, dtype: np.dtype) -> np.ndarray:
    """Give a column as cells of an array of this type, NaN where missing."""
    if dtype.kind in "iuf":
        if column.kind in NUMERIC:
            return table.numbers(column.name)
        return np.full(len(table), np.nan)  # no value was ever present
    values = table.values(column.name)
    cells = np.empty(len(values), dtype=object)
    cells[:] = [np.nan if v is None else v for v in values]
    return cells


# --- labels -------------------------------------------------------------------------------------


def labels_of(y: Any, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Give the classes (empty in a regression) and class numbers or float64 targets, (n,).

    ``y`` is an array, list, column, or frame of one column; of classes also indicators (n, C).
    """
    array = _plain_labels(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if task == "regression":
        _, classes, (targets,) = code_labels([array], task)
        bad = np.flatnonzero(~np.isfinite(targets))
        if len(bad):
            raise LabelError(f"row {bad[0] + 1} has no finite label")
        return classes, targets
    if array.ndim == 2:
        if not (np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()):
            raise LabelError("labels are one a row, or indicators of one class a row")
        array = array.argmax(axis=1)
    _, classes, (coded,) = code_labels([array], "classification")
    if any(isinstance(c, float) and not c.is_integer() for c in classes.tolist()):
        raise LabelError(
            "these labels are the numbers of a regression; take TargetedRegressionAugmenter"
        )
    return classes, coded


def _plain_labels(y: Any) -> np.ndarray:
    if not (is_frame(y) or is_series(y)):
        return np.asarray(y)
    table = Table.from_frame(as_frame(y) if is_series(y) else y)
    columns = [table.values(name) for name in table.schema.names]
    array = np.empty((len(table), len(columns)), dtype=object)
    for j, values in enumerate(columns):
        array[:, j] = values
    return array


def append_labels(y: Any, rows: Rows, new: np.ndarray) -> Any:
    """Put labels (class numbers, or targets) below those that came in, of the same kind."""
    n = len(rows)
    if rows.task == "classification":
        example = np.empty(len(rows.classes), dtype=np.int64)  # a row of each class
        example[rows.y[::-1]] = np.arange(n)[::-1]
        places = np.concatenate([np.arange(n), example[new]])
        if is_frame(y) or is_series(y):
            return rows_at(y, places)
        return _like(y, np.asarray(y)[places])
    if is_frame(y) or is_series(y):
        frame = as_frame(y) if is_series(y) else y
        table = Table.from_frame(frame)
        column = Column(table.schema.names[0], rows.table.schema[rows.label].kind)
        below = Table.from_columns(Schema((column,)), table.frame_kind, {column.name: new})
        full = stacked(frame, below.to_frame())
        return as_series(full, y) if is_series(y) else full
    array = np.asarray(y)
    return _like(y, np.concatenate([array, new.reshape(-1, *array.shape[1:]).astype(array.dtype)]))


def _like(y: Any, array: np.ndarray) -> Any:
    return array.tolist() if isinstance(y, Sequence) else array
