"""What is declared public of a table, and nothing else: its cells as codes, and codes as values.

A table is coded row by row by what the public schema says, so one row more or less changes one
row of codes. Numbers beyond the declared range move to its ends; a level that is not declared, and
a missing cell, take the last code, K, which is drawn as missing or, where no cell may be missing,
never.

Notation: n rows, K values of a column: its levels, or the bins of its range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, log10
from typing import Self

import numpy as np
import pyarrow as pa

from tabseed.coding.cells import DATE_UNITS, KNOTS, Block, category_block
from tabseed.coding.encode import Layout, TableEncoder
from tabseed.errors import SchemaError
from tabseed.rules.construction import Construction
from tabseed.table import MISSING, Table
from tabseed.table.arrow_types import is_text
from tabseed.table.frames import FILE, FrameKind
from tabseed.table.notation.dialect import own_metadata
from tabseed.table.schema import DAY, DISCRETE, NUMERIC, Category, Column, Schema

STEPS = 10_000  # points, at least, of the grid on which real numbers are drawn
SECOND = 1_000_000  # microseconds
DECLARED = "declared public"
HOW = "tabseed info DATA --save-schema s.json writes the entry to edit"


@dataclass(frozen=True)
class PublicColumn:
    """A column as its public schema declares it.

    A number lies on the grid ``low + k step``; ``starts`` (K + 1,) are the k at which the bins
    start, and the one after the last.
    """

    column: Column
    low: float = 0.0
    step: float = 1.0
    decimals: int = 0
    starts: np.ndarray | None = None

    @classmethod
    def of(cls, column: Column, bins: int) -> Self:
        """Return the column with its range cut into ``bins`` of one width, or where it says."""
        if column.kind not in NUMERIC:
            return cls(column)
        points = np.array(column.range_points())
        low, high, decimals, step = points[0], points[-1], 0, 1.0
        if column.kind == "continuous":
            decimals = min(max(0, ceil(log10(STEPS / (high - low)) - 1e-9)), 15)
            step = 10.0**-decimals
        elif column.kind == "datetime":
            step = float(DATE_UNITS[0] if all(len(str(p)) == DAY for p in column.range) else SECOND)
        size = max(1, round((high - low) / step)) + 1
        if len(points) > 2:
            inner = np.ceil((points[1:-1] - low) / step - 1e-9).astype(np.int64)
            starts = np.unique(np.concatenate([[0], inner, [size]]))
        else:
            k = min(bins, size)
            starts = np.arange(k + 1) * size // k
        return cls(column, float(low), step, decimals, starts)

    @property
    def size(self) -> int:
        """K, without the code of what is missing or not declared."""
        return len(self.column.categories) if self.starts is None else len(self.starts) - 1

    @property
    def width(self) -> int:
        """Columns that this one takes in a matrix of numbers: one for each level, 1 for numbers."""
        values = self.size if self.starts is None else 1
        return values + (self.column.missing is not False)

    def codes(self, table: Table) -> np.ndarray:
        """Return the codes (n,) of the column's cells, from 0 to K."""
        if self.starts is None:
            codes = table.codes(self.column.name)
            return np.where(codes < 0, self.size, codes)
        values = table.numbers(self.column.name)
        last = int(self.starts[-1]) - 1
        place = np.clip((np.nan_to_num(values) - self.low) / self.step, 0, last)
        bins = np.searchsorted(self.starts[1:-1], np.floor(place + 1e-9), side="right")
        return np.where(np.isnan(values), self.size, bins)

    def draw(self, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return values (n,) of the codes, NaN where missing; uniform on the grid inside a bin."""
        missing = codes == self.size
        if self.starts is None:
            return np.where(missing, np.nan, codes.astype(float))
        bins = np.where(missing, 0, codes)
        return np.where(
            missing, np.nan, self._at(rng.integers(self.starts[bins], self.starts[bins + 1]))
        )

    def _at(self, place: np.ndarray) -> np.ndarray:
        return np.asarray(np.round(self.low + place * self.step, self.decimals))

    def block(self, start: int) -> Block:
        """Return the column's coordinates in an encoded row: every value that is declared."""
        missing = self.column.missing is not False
        if self.starts is None:
            codes = np.array([*range(self.size), *[MISSING] * missing])
            ranked = self.column.kind == "ordinal"
            return category_block(self.column.name, start, codes, ranked=ranked)
        first, last = self.starts[:-1], self.starts[1:] - 1
        one = first == last
        ends = self._at(np.stack([first[~one], last[~one]]))
        knots = np.linspace(ends[0], ends[1], KNOTS, axis=1)
        spread = float(self._at(self.starts[-1:] - 1)[0]) - self.low
        return Block(
            name=self.column.name,
            numeric=True,
            start=start,
            atoms=self._at(first[one]),
            knots=knots,
            group=np.empty(0),
            group_weights=np.empty(0),
            missing=missing,
            step=self.step,
            origin=self.low,
            decimals=self.decimals,
            location=self.low + spread / 2,
            scale=spread / 12**0.5 or 1.0,
        )


def public_columns(public: Schema | None, bins: int) -> list[PublicColumn]:
    """Return the modelled columns of a public schema; SchemaError for what it does not declare."""
    if public is None:
        raise SchemaError(
            "differential privacy needs a schema that you declare public, because finding kinds, "
            "levels and ranges looks at the rows: --public-schema s.json, in Python "
            "public=read_schema('s.json'); tabseed info DATA --save-schema s.json writes one to "
            "edit"
        )
    for column in public.modelled:
        if column.kind in NUMERIC and not column.range:
            ends = '["2020-01-01", "2020-12-31"]' if column.kind == "datetime" else "[0, 120]"
            raise SchemaError(
                f'column {column.name!r}: no public range; put "range": {ends} beside its kind '
                f'under "tabseed" in the public schema, with ends known without these rows ({HOW})'
            )
        if len({_sort(level) for level in column.categories}) > 1:
            raise SchemaError(f"column {column.name!r}: its public levels mix texts and numbers")
        if column.kind in DISCRETE and not column.categories:
            raise SchemaError(
                f"column {column.name!r}: no public levels; list all that there may be under "
                f'"categories" in the public schema ({HOW})'
            )
    if not len(public.modelled):
        raise SchemaError("the public schema has no column to model: all are ids or free text")
    return [PublicColumn.of(replace(c, reason=DECLARED), bins) for c in public.modelled]


def _sort(level: Category) -> str:
    return "text" if isinstance(level, str) else "truth" if isinstance(level, bool) else "number"


def read_public(table: Table, columns: Sequence[PublicColumn]) -> Table:
    """Return the table as its public schema reads it, each cell by itself.

    SchemaError for cells of another type than declared: the guarantee is for tables that can be
    read so.
    """
    schema = Schema(tuple(c.column for c in columns))
    read = Table.from_frame(table, schema=schema)
    for declared, found in zip(schema, read.schema, strict=True):
        if declared.datetime_format != found.datetime_format:
            raise SchemaError(
                f"column {declared.name!r}: its dates are text, and no public pattern says how to "
                'read them; declare one in the public schema, such as "datetime_format": "%Y-%m-%d"'
            )
        stored = read.to_arrow()[declared.name].type
        numbers = {_sort(level) for level in declared.categories} == {"number"}
        if numbers and is_text(stored):
            raise SchemaError(
                f"column {declared.name!r}: its public levels are numbers, and not all its cells "
                "are; correct the cells, or declare the levels as text"
            )
    return read


def public_encoder(table: Table, columns: Sequence[PublicColumn]) -> TableEncoder:
    """Return an encoder of all that is declared; of ``table`` it has the kind of frame."""
    blocks, start = [], 0
    for column in columns:
        blocks.append(column.block(start))
        start += 1 + blocks[-1].n_cells
    encoder = TableEncoder(dependencies=False)
    encoder.schema_ = encoder.table_schema_ = Schema(tuple(c.column for c in columns))
    encoder.construction_, encoder.made_ = Construction(encoder.schema_), {}
    encoder.layout_ = Layout(tuple(blocks))
    encoder.frame_kind_ = _declared_types(table.frame_kind, encoder.schema_)
    return encoder


def _declared_types(kind: FrameKind, public: Schema) -> FrameKind:
    """Return a kind of frame without what frames keep of cells: levels of dtypes, numbers of rows.

    Whole numbers are 64-bit, as are real ones, also where a frame stored them otherwise because a
    cell was missing; levels have the type of those declared; dates, and numbers kept as text, are
    as they were. Frames of pandas have its default dtypes.
    """
    fields = [pa.field(c.name, _type(c, kind.arrow.field(c.name).type)) for c in public]
    arrow = pa.schema(fields, metadata=own_metadata(kind.arrow))
    return FrameKind(FILE if kind.backend == "pandas" else kind.backend, arrow, {}, {})


def _type(column: Column, stored: pa.DataType) -> pa.DataType:
    if column.kind in DISCRETE:
        return pa.array(list(column.categories)).type
    if column.kind == "datetime" or is_text(stored):
        return stored
    return pa.int64() if column.kind == "integer" else pa.float64()
