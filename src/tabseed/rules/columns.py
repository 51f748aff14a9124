"""Columns of rows before they are a table: what rules are kept on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabseed.rules.meaning import Rows
from tabseed.table.schema import NUMERIC, Schema

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Columns:
    """Columns by name before they are a Table: numbers (NaN missing) or codes, (n,) each.

    ``own``: the columns that are as they stand in a table.
    """

    schema: Schema
    arrays: Arrays
    n: int
    own: frozenset[str] = frozenset()

    def numbers(self, name: str) -> np.ndarray:
        """Return a numeric column, or the numbers of a coded one."""
        column, cells = self.schema[name], self.arrays[name]
        if not column.coded:
            return cells
        return np.append(np.array(column.categories, dtype=float), np.nan)[cells.astype(np.int64)]

    def codes(self, name: str) -> np.ndarray:
        """Return a discrete column."""
        return self.arrays[name].astype(np.int64)

    def values(self, name: str) -> list[Any]:
        """Ids and free text are not learned, so there are none."""
        raise KeyError(name)

    def __len__(self) -> int:
        return self.n

    def missing(self, name: str) -> np.ndarray:
        """Return where cells are missing."""
        cells = self.arrays[name]
        return np.asarray(np.isnan(cells) if self.schema[name].kind in NUMERIC else cells < 0)


def columns_of(table: Rows, schema: Schema) -> Columns:
    """Return the columns of a schema as arrays."""
    arrays = {
        c.name: table.numbers(c.name) if c.kind in NUMERIC else table.codes(c.name) for c in schema
    }
    return Columns(schema, arrays, len(table))


def side_by_side(names: Sequence[str], table: Columns) -> np.ndarray:
    """Return cells (n, columns) as floats, in which missing ones are equal to each other."""
    return np.column_stack(
        [np.where(table.missing(n), -np.inf, table.arrays[n].astype(float)) for n in names]
    )
