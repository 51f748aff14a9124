"""Rows to change: their columns as numbers, and stored again in the types that they came in.

Notation: n rows, d columns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tabseed.errors import SchemaError
from tabseed.table import MISSING, Frame, Table
from tabseed.table.arrow_types import is_text
from tabseed.table.columns import LARGEST
from tabseed.table.kinds.detect import MAX_EXACT_INTEGER
from tabseed.table.notation.date_fields import YEARS
from tabseed.table.notation.dates import compiled
from tabseed.table.schema import NUMERIC, Schema

YEARS_IN_NANOSECONDS = (-(2**63) // 1000 + 1, 2**63 // 1000 - 1)  # in microseconds


@dataclass(frozen=True)
class Cells:
    """One column: numbers or level codes (n,), NaN where missing, and the range of its type."""

    values: np.ndarray
    numeric: bool
    whole: bool = False
    limits: tuple[float, float] = (-LARGEST, LARGEST)

    @property
    def present(self) -> np.ndarray:
        """The cells that are not missing."""
        return np.asarray(self.values[~np.isnan(self.values)])

    @property
    def varies(self) -> bool:
        """Whether there are two values at least."""
        return len(np.unique(self.present)) > 1

    def fitted(self, values: np.ndarray) -> np.ndarray:
        """Return numbers moved to the nearest ones that the column can hold."""
        return np.clip(np.round(values) if self.whole else values, *self.limits)

    def tail(self, share: float) -> np.ndarray:
        """Return the cells in either tail of numbers, ``share`` of the rows, or of rare levels."""
        order = np.sort(self.present)
        below = np.searchsorted(order, order, side="left")
        up_to = np.searchsorted(order, order, side="right")
        if self.numeric:
            reached = np.minimum(len(order) - below, up_to)
        else:
            reached = up_to - below
        few = reached <= max(share * len(order), 1)
        return order[few] if self.varies else order[:0]


class ArrayRows:
    """Rows of a plain array (n, d) of numbers; columns by index."""

    def __init__(self, array: np.ndarray) -> None:
        if array.ndim != 2 or array.dtype.kind not in "biuf":
            raise SchemaError(
                f"an array of rows must have numbers in two dimensions, not {array.dtype} in "
                f"{array.ndim}; pass a frame for other kinds"
            )
        self.array = array
        whole, *limits = range_of(array.dtype)
        values = array.astype(np.float64)
        if np.isinf(values).any():
            row, column = np.argwhere(np.isinf(values))[0]
            raise SchemaError(f"row {row + 1}, column {column + 1}: the number is infinite")
        filled = np.where(np.isnan(values), 0.0, values)
        column_is_whole = (filled == np.round(filled)).all(axis=0) | whole
        self.cells: dict[Any, Cells] = {
            j: Cells(values[:, j], True, bool(column_is_whole[j]), (limits[0], limits[1]))
            for j in range(array.shape[1])
        }

    def __len__(self) -> int:
        return len(self.array)

    def stored(self, names: list[Any], values: np.ndarray) -> np.ndarray:
        """Return the values (k, .) as the array would store them."""
        return values.astype(self.array.dtype).astype(np.float64)

    def replaced(
        self, names: list[Any], rows: np.ndarray, values: np.ndarray, moved: np.ndarray
    ) -> np.ndarray:
        """Return a copy of the array with the values that moved."""
        array = self.array.copy()
        row, column = np.nonzero(moved)
        array[rows[row], np.asarray(names)[column]] = values[moved]
        return array


class TableRows:
    """Rows of a frame; columns by name."""

    def __init__(self, frame: Frame) -> None:
        self.table = Table.from_frame(frame)
        self.is_table = isinstance(frame, Table)
        self.cells: dict[Any, Cells] = {c.name: self._cells(c) for c in self.table.schema.modelled}

    def __len__(self) -> int:
        return len(self.table)

    def _cells(self, column: Any) -> Cells:
        if column.kind not in NUMERIC:
            code = self.table.codes(column.name)
            return Cells(np.where(code < 0, np.nan, code), numeric=False)
        storage = self.table.to_arrow()[column.name].type
        whole = column.kind == "integer"
        limits = (
            _date_range(column, storage) if column.kind == "datetime" else _storage_range(storage)
        )
        return Cells(self.table.numbers(column.name), True, whole, limits)

    def _built(self, names: list[Any], values: np.ndarray) -> Table:
        columns = {
            name: v if self.cells[name].numeric else np.where(np.isnan(v), MISSING, v).astype(int)
            for name, v in zip(names, values.T, strict=True)
        }
        schema = Schema(tuple(self.table.schema[name] for name in names))
        return Table.from_columns(schema, self.table.frame_kind, columns)

    def stored(self, names: list[Any], values: np.ndarray) -> np.ndarray:
        """Return the values (k, .) as the columns would store them: float32, days, decimals, ..."""
        table = self._built(names, values)
        columns = [
            table.numbers(name) if self.cells[name].numeric else table.codes(name) for name in names
        ]
        return np.where(np.isnan(values), np.nan, np.column_stack(columns))

    def replaced(
        self, names: list[Any], rows: np.ndarray, values: np.ndarray, moved: np.ndarray
    ) -> Any:
        """Return the frame with the cells that moved; all other cells stay exactly as stored."""
        new, old = self._built(names, values).to_arrow(), self.table.to_arrow()
        for name, moves in zip(names, moved.T, strict=True):
            source = np.arange(len(self))
            source[rows[moves]] = len(self) + np.flatnonzero(moves)
            both = pa.chunked_array([*old[name].chunks, *new[name].chunks], old[name].type)
            cells = both.unify_dictionaries().take(pa.array(source))
            old = old.set_column(old.column_names.index(name), name, cells)
        table = Table(old, self.table.schema, self.table.frame_kind)
        return table if self.is_table else table.to_frame()


def rows_of(X: Any) -> ArrayRows | TableRows:
    """Return the rows of an array, or of a frame or Table, so that they can be changed."""
    return ArrayRows(X) if isinstance(X, np.ndarray) else TableRows(X)


def range_of(dtype: np.dtype[Any]) -> tuple[bool, float, float]:
    """Return whether a type of numbers is whole, and its smallest and largest exact number."""
    if dtype.kind == "b":
        return True, 0.0, 1.0
    if dtype.kind in "iu":
        ends = np.iinfo(dtype)
        low, high = max(ends.min, -MAX_EXACT_INTEGER), min(ends.max, MAX_EXACT_INTEGER)
        return True, float(low), float(high)
    largest = min(float(np.finfo(dtype).max), LARGEST)
    return False, -largest, largest


def _storage_range(storage: pa.DataType) -> tuple[float, float]:
    """Return the smallest and largest number that a column can store."""
    if pa.types.is_decimal(storage):
        largest = 10.0 ** (storage.precision - storage.scale) - 10.0**-storage.scale
        largest = min(float(np.nextafter(largest, 0.0)), LARGEST)
        return -largest, largest
    if is_text(storage):
        return -LARGEST, LARGEST
    _, low, high = range_of(np.dtype(storage.to_pandas_dtype()))
    return low, high


def _date_range(column: Any, storage: pa.DataType) -> tuple[float, float]:
    """Return the first and last date that a column can store, in microseconds since 1970."""
    first, last = compiled(column.datetime_format).ends if column.datetime_format else YEARS
    if pa.types.is_timestamp(storage) and storage.unit == "ns":
        first, last = YEARS_IN_NANOSECONDS
    low, high = float(first), float(last)  # may round outwards: beyond 2^53 floats skip numbers
    return low + (int(low) < first) * math.ulp(low), high - (int(high) > last) * math.ulp(high)
