"""Labelled rows of any input type as one table, and results of the same type with rows appended.

Notation: n rows, d features, C classes, m drawn rows.
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
    is_frame,
    is_series,
    rows_at,
    stacked,
    with_flags,
)
from tabseed.table.schema import NUMERIC, Column, Schema


class LabelError(SchemaError, ValueError):
    """Labels that do not fit the task; also a ValueError, as is usual for samplers."""


@dataclass(frozen=True)
class Rows:
    """Features and label as one table.

    ``y`` (n,) contains class numbers 0, 1, ..., which are indices of ``classes``, or the targets
    of a regression (float64). ``label`` is the name of its column; no feature has that name.
    """

    table: Table
    label: str
    task: Task
    y: np.ndarray
    classes: np.ndarray

    @classmethod
    def of(cls, X: Any, y: Any, task: Task) -> Self:
        """Join features and labels; SchemaError if they do not fit each other or the task."""
        features = features_of(X)
        classes, coded = labels_of(y, task)
        if len(features) != len(coded):
            raise SchemaError(
                f"X and y differ in length: {len(features)} rows, {len(coded)} labels"
            )
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

    def take(self, indices: np.ndarray) -> Self:
        """Return the rows with these indices."""
        return replace(self, table=self.table.take(indices), y=self.y[indices])

    def joined(self, parts: Sequence[Self]) -> Self:
        """Return the rows of several parts of this table, or drawn like it, one below the other."""
        arrow = pa.concat_tables([part.table.to_arrow() for part in parts])
        table = Table.from_frame(arrow, schema=self.table.schema)
        return replace(self, table=table, y=np.concatenate([part.y for part in parts]))

    def draw(
        self,
        generator: Any,
        m: int,
        random_state: np.random.SeedSequence,
        conditions: dict[str, Any] | None = None,
    ) -> Self:
        """Draw m rows, with labels, from a generator that learned from rows of this table."""
        synthetic = generator.sample(m, conditions=conditions, random_state=random_state)
        table = Table.from_frame(synthetic, schema=self.table.schema)
        return replace(self, table=table, y=table.cells(self.label))


# --- features -----------------------------------------------------------------------------------


def features_of(X: Any) -> Table:
    """Return a frame, array or list (n, d) as a Table; SchemaError for unmodelled columns."""
    if isinstance(X, Table) or is_frame(X):
        table = Table.from_frame(X)
    elif issparse(X):
        raise SchemaError("X is a sparse matrix; pass X.toarray()")
    else:
        table = _table_of_array(np.asarray(X))
    for column in table.schema.left_out:
        raise SchemaError(
            f"column {column.name!r} cannot be generated ({column.reason}); leave it out, or pass "
            "a Table in which it has another kind"
        )
    return table


def _table_of_array(array: np.ndarray) -> Table:
    """Return an array as a table; numeric columns become integer or continuous, never ids."""
    if array.ndim != 2 or array.shape[1] == 0:
        raise SchemaError(f"X must be a table or an array (n, d), not one of shape {array.shape}")
    names = [f"x{j}" for j in range(array.shape[1])]
    if array.dtype.kind not in "iufb":
        cells = [pa.array(column.tolist(), from_pandas=True) for column in array.T]
        return Table.from_frame(pa.table(cells, names=names))
    kinds = {}
    for name, column in zip(names, array.T, strict=True):
        present = column[~np.isnan(column)] if column.dtype.kind == "f" else column
        if column.dtype.kind != "b" and len(present):
            kinds[name] = "integer" if (present == np.round(present)).all() else "continuous"
    plain = [pa.array(np.ascontiguousarray(column)) for column in array.T]
    return Table.from_frame(pa.table(plain, names=names), kinds=kinds)


def append_features(X: Any, drawn: Table, provenance: str | None) -> Any:
    """Return X, unchanged and of the same type, with the drawn features appended.

    ``provenance`` names an additional column that is true for drawn rows.
    """
    if isinstance(X, Table):
        return _append_to_table(X, drawn, provenance)
    if is_frame(X):
        table = Table.from_frame(X)
        new_rows = Table.from_columns(table.schema, table.frame_kind, _columns(drawn)).to_frame()
        joined = stacked(X, new_rows)
        if provenance is None:
            return joined
        _refuse_taken(provenance, table.schema)
        return with_flags(joined, provenance, np.arange(len(X) + len(drawn)) >= len(X))
    if provenance is not None:
        raise SchemaError("provenance needs named columns, which an array lacks; pass a frame")
    array = np.asarray(X)
    columns = [_cells(drawn, c, array.dtype) for c in drawn.schema]
    joined = np.concatenate([array, np.column_stack(columns).astype(array.dtype)])
    return joined if isinstance(X, np.ndarray) else joined.tolist()


def _append_to_table(X: Table, drawn: Table, provenance: str | None) -> Table:
    new_rows = Table.from_columns(X.schema, X.frame_kind, _columns(drawn)).to_arrow()
    arrow, schema = pa.concat_tables([X.to_arrow(), new_rows]), X.schema
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
        raise SchemaError(
            f"provenance: the table already has a column {provenance!r}; choose another name"
        )


def _columns(table: Table) -> dict[str, np.ndarray]:
    """Return numbers or codes by column."""
    return {name: table.cells(name) for name in table.schema.names}


def _cells(table: Table, column: Column, dtype: np.dtype) -> np.ndarray:
    """Return a column as cells of an array of this type, NaN where missing."""
    if dtype.kind in "iuf":
        if column.kind in NUMERIC:
            return table.numbers(column.name)
        return np.full(len(table), np.nan)  # the column has no values at all
    values = table.values(column.name)
    cells = np.empty(len(values), dtype=object)
    cells[:] = [np.nan if v is None else v for v in values]
    return cells


# --- labels -------------------------------------------------------------------------------------


def labels_of(y: Any, task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Return the classes (empty in a regression) and class numbers or float64 targets, (n,).

    ``y`` is an array, list, series or frame of one column; for classes also indicators (n, C).
    """
    array = _plain_labels(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if task == "regression":
        _, classes, (targets,) = code_labels([array], task)
        bad = np.flatnonzero(~np.isfinite(targets))
        if len(bad):
            raise LabelError(
                f"row {bad[0] + 1} has no finite label; give it one or leave the row out"
            )
        return classes, targets
    if array.ndim == 2:
        if not (np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()):
            raise LabelError("y must have one label per row, or indicators of one class per row")
        array = array.argmax(axis=1)
    _, classes, (coded,) = code_labels([array], "classification")
    if any(isinstance(c, float) and not c.is_integer() for c in classes.tolist()):
        raise LabelError(
            "these labels are the numbers of a regression; use TargetedRegressionAugmenter"
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
    """Return y, of the same type, with new labels (class numbers, or targets) appended."""
    n = len(rows)
    if rows.task == "classification":
        example = np.empty(len(rows.classes), dtype=np.int64)  # index of a row of each class
        example[rows.y[::-1]] = np.arange(n)[::-1]
        indices = np.concatenate([np.arange(n), example[new]])
        if is_frame(y) or is_series(y):
            return rows_at(y, indices)
        return _like(y, np.asarray(y)[indices])
    if is_frame(y) or is_series(y):
        frame = as_frame(y) if is_series(y) else y
        table = Table.from_frame(frame)
        column = Column(table.schema.names[0], rows.table.schema[rows.label].kind)
        new_rows = Table.from_columns(Schema((column,)), table.frame_kind, {column.name: new})
        joined = stacked(frame, new_rows.to_frame())
        return as_series(joined, y) if is_series(y) else joined
    array = np.asarray(y)
    return _like(y, np.concatenate([array, new.reshape(-1, *array.shape[1:]).astype(array.dtype)]))


def _like(y: Any, array: np.ndarray) -> Any:
    return array.tolist() if isinstance(y, Sequence) else array
