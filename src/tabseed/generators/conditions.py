"""Conditions on drawn rows: read once against schema and encoder, then met or not, row by row.

Notation: n rows, K cells of a column, r ranges of numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from numbers import Real
from typing import Any, Self

import numpy as np
import pyarrow as pa

from tabseed.coding.cells import Block
from tabseed.coding.encode import TableEncoder
from tabseed.errors import SchemaError
from tabseed.parameters import shown
from tabseed.rules.language import parse_condition
from tabseed.rules.meaning import MIRRORED, Meaning, Rows
from tabseed.rules.tree import Among, Comparison, Joined, Moment, Number, State, Value, Word
from tabseed.rules.tree import Condition as Tree
from tabseed.table import MISSING, Table
from tabseed.table.arrow_types import plain_type
from tabseed.table.columns import read_numbers
from tabseed.table.moments import span_of
from tabseed.table.schema import NUMERIC, Column, Schema
from tabseed.table.values import is_missing, levels_named, near, plain

Condition = Any
"""What a column is to be: a value; None, NaN, ``pandas.NA`` or NaT for missing; a tuple
``(low, high)`` for a range of numbers, dates or ordered levels, ends included, a missing one for an
open end; a list, set or array of values (and ranges) of which any may be."""

NO_RANGES = np.empty((0, 2))
ON_GRID = 1e-6  # parts of a step: numbers this near to a point of the grid mean that point
DIGITS = {16: 10, 32: 23, 64: 52}  # binary digits of floats


@dataclass(frozen=True)
class Event:
    """What a condition asks of the cells of one column: any of these."""

    column: Column
    asked: Condition
    missing: bool
    codes: np.ndarray  # (k,) int64, the levels of a discrete column
    ranges: np.ndarray  # (r, 2) of a numeric column, ends included

    def __str__(self) -> str:
        return f"{self.column.name!r} = {shown(self.asked)}"

    def holds(self, table: Rows) -> np.ndarray:
        """Return which rows meet the condition, (n,) bool."""
        if self.column.kind not in NUMERIC:
            codes = table.codes(self.column.name)
            return np.asarray(np.isin(codes, self.codes) | (self.missing & (codes == MISSING)))
        numbers = table.numbers(self.column.name)
        meets = np.asarray(np.isnan(numbers) & self.missing)
        for low, high in self.ranges:
            meets |= (numbers >= low) & (numbers <= high)
        return meets

    def cells(self, block: Block) -> np.ndarray:
        """Return the cells of the column, (K,) bool, from which a value that meets it can come."""
        n_atoms, n_knots = len(block.atoms), len(block.knots)
        possible = np.zeros(block.n_cells, dtype=bool)
        if self.missing and block.missing:
            possible[-1] = True
        if self.column.kind not in NUMERIC:
            possible[:n_atoms] = np.isin(block.atoms, self.codes)
            if len(block.group):
                possible[n_atoms + n_knots] = np.isin(block.group, self.codes).any()
            return possible
        smallest, largest = _reach(block)
        moves = max(block.step, block.coarse)  # snapping moves a number by less
        reach = block.knots[:, [0, -1]] + np.array([-moves, moves])
        for low, high in self.ranges:
            possible[:n_atoms] |= (block.atoms >= low) & (block.atoms <= high)
            first, last = max(low, smallest), min(high, largest)
            if first <= last and _on_grid(block, first, last):
                meets = (reach[:, 1] >= first) & (reach[:, 0] <= last)
                possible[n_atoms : n_atoms + n_knots] |= meets
        return possible


@dataclass(frozen=True)
class Where:
    """A condition in the language of rules on the columns that a generator draws."""

    condition: Tree
    meaning: Meaning

    @classmethod
    def read(cls, text: str, encoder: TableEncoder) -> Self:
        """Return what a text says; SchemaError, in one line, for one that says nothing."""
        condition = parse_condition(text)
        meaning = Meaning(encoder.table_schema_, f"condition {shown(text)}")
        nothing = encoder.inverse_transform(np.empty((0, encoder.layout_.width)))
        meaning.check(condition, nothing)
        return cls(condition, meaning)

    def simple(self) -> Iterator[tuple[str, Condition]]:
        """Yield columns, each with what all rows must have there; other parts are left out."""
        whole = self.condition
        joined = isinstance(whole, Joined) and whole.word == "and"
        for part in whole.parts if isinstance(whole, Joined) and joined else (whole,):
            if isinstance(part, State) and part.missing:
                yield self.meaning.known_column(part.column).name, None
            elif isinstance(part, Among):
                column = self.meaning.column(part.value)
                choices = [self._constant(choice) for choice in part.choices]
                if column is not None and None not in choices:
                    yield column.name, choices
            elif isinstance(part, Comparison):
                for pair, sign in zip(pairwise(part.values), part.signs, strict=True):
                    yield from self._compared(*pair, sign)

    def _compared(self, left: Value, right: Value, sign: str) -> Iterator[tuple[str, Condition]]:
        for side, other, way in ((left, right, sign), (right, left, MIRRORED[sign])):
            column, value = self.meaning.column(side), self._constant(other)
            if column is None or value is None or way == "!=":
                continue
            if way == "=":
                yield column.name, value
            elif column.kind in NUMERIC or column.coded:
                yield column.name, (None, value) if way in ("<", "<=") else (value, None)

    def _constant(self, value: Value) -> Any:
        """Return a number, a date or a level as conditions take it; None for anything else."""
        if isinstance(value, Number):
            return None if value.unit else _whole(value.value)
        if isinstance(value, Moment):
            return value.text
        level = isinstance(value, Word) and self.meaning.column(value) is None
        return value.text if isinstance(value, Word) and level else None


@dataclass(frozen=True)
class Conditions:
    """The conditions on all columns, of which every drawn row meets each."""

    events: tuple[Event, ...]
    where: Where | None
    """A condition in the language of rules, of which events say only a part."""
    allowed: dict[int, np.ndarray]
    """By the index of a block that no other one determines: its cells, (K,) bool, from which rows
    that meet the conditions can come, also those on columns that it determines."""

    @classmethod
    def read(
        cls, conditions: Mapping[Any, Condition] | str, schema: Schema, encoder: TableEncoder
    ) -> Self:
        """Read conditions by column, or as text such as "sex = female and age >= 60".

        ``schema`` also has the columns that the encoder leaves out.

        SchemaError, in one line that names the column, for a condition that the column cannot have
        and for one that no row of the encoder can meet.
        """
        if isinstance(conditions, str):
            where = Where.read(conditions, encoder)
            asked_for: list[tuple[Any, Condition]] = list(where.simple())
        else:
            where, asked_for = None, list(conditions.items())
        names = encoder.table_schema_.names
        events = []
        for key, asked in asked_for:
            column = schema[key]  # an unknown name raises, with the nearest one
            if column.name not in names:
                raise SchemaError(
                    f"no condition on column {column.name!r}, which is not modelled: "
                    f"{column.reason or column.kind}"
                )
            column, block = encoder.table_schema_[column.name], encoder.block(column.name)
            stored = plain_type(encoder.frame_kind_.arrow.field(column.name).type)
            if pa.types.is_dictionary(stored):
                stored = stored.value_type
            event = _Reader(column, stored, block).read(asked)
            _check_possible(event, block)
            events.append(event)
        return cls(tuple(events), where, _allowed(encoder, events))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that they name."""
        named = [event.column.name for event in self.events]
        if self.where is not None:
            named += self.where.meaning.columns(self.where.condition)
        return tuple(dict.fromkeys(named))

    def __len__(self) -> int:
        return len(self.events) + (self.where is not None)

    def __str__(self) -> str:
        return ", ".join(map(str, self.events)) if self.where is None else str(self.where.condition)

    @property
    def hint(self) -> str:
        """What may help where too few rows meet the conditions."""
        exact = [e.column.name for e in self.events if (e.ranges[:, 0] == e.ranges[:, 1]).any()]
        return f"give a range (low, high) of {exact[0]!r}" if exact else "widen the conditions"

    def hold(self, table: Table) -> np.ndarray:
        """Return which rows meet all conditions, (n,) bool."""
        meets = np.ones(len(table), dtype=bool)
        for event in self.events:
            meets &= event.holds(table)
        if self.where is not None:
            meets &= self.where.meaning.truth(self.where.condition, table).holds
        return meets


def _whole(value: float) -> int | float:
    return int(value) if value == int(value) else value


# --- reading ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Reader:
    """Reads the conditions on one column, stored as ``stored``."""

    column: Column
    stored: pa.DataType
    block: Block

    def read(self, asked: Condition) -> Event:
        """Return the event; SchemaError, in one line, for what is no condition on the column."""
        several = _several(asked)
        choices = [asked] if several is None else several
        if not choices:
            raise self._refused(asked, "names no value; leave the column out, or list values")
        missing, codes, ranges = False, list[int](), list[tuple[float, float]]()
        for choice in choices:
            choice = plain(choice)
            if is_missing(choice):
                missing = True
            elif self.column.kind in NUMERIC:
                ranges.append(self._range(choice))
            else:
                codes += self._codes(choice)
        return Event(
            self.column,
            asked,
            missing,
            np.array(codes, dtype=np.int64),
            np.array(ranges, dtype=float) if ranges else NO_RANGES,
        )

    def _range(self, choice: Any) -> tuple[float, float]:
        """Return the range of numbers of a number, a date or a pair of them."""
        if not isinstance(choice, tuple):
            return self._widened(choice, self._span(choice))
        low, high = self._ends(choice)
        first = -math.inf if _open(low, -1) else self._widened(low, self._span(low))[0]
        last = math.inf if _open(high, 1) else self._widened(high, self._span(high))[1]
        if first > last:
            raise self._refused(choice, "has its ends in the wrong order; write (low, high)")
        return first, last

    def _ends(self, choice: tuple[Any, ...]) -> tuple[Any, Any]:
        if len(choice) != 2:
            raise self._refused(
                choice, "is not a pair (low, high); for several values pass a list, as in [1, 4]"
            )
        return plain(choice[0]), plain(choice[1])

    def _span(self, value: Any) -> tuple[float, float]:
        """Return the first and last number that a single value stands for."""
        if self.column.kind == "datetime":
            return span_of(self.column, self.stored, value)
        number = self._number(value)
        if not math.isfinite(number):
            raise self._refused(value, "is not a finite number; None is an open end of a range")
        return number, number

    def _number(self, value: Any) -> float:
        if isinstance(value, str):
            try:
                cells = pa.chunked_array([pa.array([value])])
                read = read_numbers(self.column, cells)
            except SchemaError:
                read = np.full(1, np.nan)
            if np.isnan(read[0]):
                raise self._refused(value, self._what_is_right())
            return float(read[0])
        if not isinstance(value, Real | Decimal) or isinstance(value, bool):
            raise self._refused(value, self._what_is_right())
        try:
            number = float(value)
            if pa.types.is_float32(self.stored) or pa.types.is_float16(self.stored):
                with np.errstate(over="ignore"):  # as the column's cells hold it
                    number = float(np.dtype(self.stored.to_pandas_dtype()).type(number))
        except OverflowError:
            number = math.inf
        return number

    def _widened(self, value: Any, span: tuple[float, float]) -> tuple[float, float]:
        """Return the span, widened up to the point of the grid that a single number means."""
        block, (low, high) = self.block, span
        if low != high or block.step <= 0:
            return span
        if block.decimals < 0:  # the points are known up to a thousandth of a step only
            return low - 1e-3 * block.step, high + 1e-3 * block.step
        grid = replace(block, coarse=0.0, gaps=None)
        point = float(grid.snap(np.array([low]))[0])
        meant = abs(point - low) <= _slack(block) * block.step
        return (min(low, point), max(low, point)) if meant else span

    def _codes(self, choice: Any) -> list[int]:
        """Return the codes of a level, or of those from one ordered level to another."""
        if not isinstance(choice, tuple):
            return [self._code(choice)]
        if self.column.kind != "ordinal":
            raise self._refused(
                choice,
                "is a range, which is for numbers, dates and ordered levels; for several levels "
                f"pass a list, as in {shown(list(choice))}",
            )
        low, high = self._ends(choice)
        levels = self.column.categories
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in levels):
            first = -math.inf if _open(low, -1) else self._end(low)
            last = math.inf if _open(high, 1) else self._end(high)
            codes = [i for i, v in enumerate(levels) if first <= float(v) <= last]
        else:
            first = 0 if is_missing(low) else self._code(low)
            last = len(levels) if is_missing(high) else self._code(high)
            codes = [i for i in range(len(levels)) if first <= i <= last]
        if first > last:
            raise self._refused(choice, "has its ends in the wrong order; write (low, high)")
        if not codes:
            raise self._refused(choice, f"has no level; {near(low, levels)}")
        return codes

    def _end(self, value: Any) -> float:
        """Return an end of a range of levels that are numbers; a text names a level."""
        if isinstance(value, str):
            return float(self.column.categories[self._code(value)])
        return self._number(value)

    def _code(self, value: Any) -> int:
        levels = self.column.categories
        named = levels_named(value, levels)
        if len(named) == 1:
            return named[0]
        where = f"column {self.column.name!r}"
        if named:
            alike = ", ".join(shown(levels[i]) for i in named)
            raise SchemaError(f"{where}: {shown(value)} may be any of {alike}; name one as it is")
        raise SchemaError(f"{where} has no category {shown(value)}; {near(value, levels)}")

    def _what_is_right(self) -> str:
        return (
            "is not a number, None for missing, a tuple (low, high) with None for an open end, or "
            "a list of numbers"
        )

    def _refused(self, value: Any, why: str) -> SchemaError:
        return SchemaError(f"column {self.column.name!r}: the condition {shown(value)} {why}")


def _several(asked: Condition) -> list[Any] | None:
    """Return the values of a list, a set or an array; None for a single value or a range."""
    if isinstance(asked, list):
        return asked
    if isinstance(asked, set | frozenset):  # in a fixed order, which sets of text have not
        return sorted(asked, key=repr)
    if getattr(asked, "ndim", 0) == 1 and hasattr(asked, "tolist"):  # of numpy or pandas
        dates = getattr(getattr(asked, "dtype", None), "kind", "") == "M"
        return list(asked) if dates else list(asked.tolist())
    for name in ("to_list", "to_pylist"):  # of polars or Arrow
        if hasattr(asked, name) and hasattr(asked, "__len__"):
            return list(getattr(asked, name)())
    return None


def _open(end: Any, side: int) -> bool:
    """Return whether an end of a range is open: missing, or infinite on its own side."""
    return is_missing(end) or (isinstance(end, float) and end == side * math.inf)


# --- what rows can be ---------------------------------------------------------------------------


def _reach(block: Block) -> tuple[float, float]:
    """Return the smallest and the largest number of a block; NaN if it has none."""
    values = np.concatenate([block.atoms, block.knots.ravel()])
    return (float(values.min()), float(values.max())) if len(values) else (math.nan, math.nan)


def _on_grid(block: Block, low: float, high: float) -> bool:
    """Return whether a point of the block's grid lies from low to high; True without a grid."""
    if block.step <= 0:
        return True
    slack = _slack(block)
    first = math.ceil((low - block.origin) / block.step - slack)
    last = math.floor((high - block.origin) / block.step + slack)
    return first <= last


def _slack(block: Block) -> float:
    """Return how near to a point of the grid, in steps, a number means that point."""
    rounding = 2.0 ** -DIGITS[block.bits] * max(map(abs, _reach(block))) / block.step
    return max(ON_GRID, 8 * rounding)


def _check_possible(event: Event, block: Block) -> None:
    """Raise SchemaError, which says why, if no value of the block meets the condition."""
    if event.cells(block).any():
        return
    if event.missing and not len(event.ranges) and not len(event.codes):
        raise SchemaError(
            f"column {block.name!r} has no missing cell among the training rows, so no row can "
            "have one; leave the condition out"
        )
    low, high = _reach(block)
    if event.column.kind not in NUMERIC:
        codes = np.sort(np.concatenate([block.atoms, block.group])).astype(int)
        known = near(plain(event.asked), [event.column.categories[code] for code in codes])
        raise SchemaError(f"no row can have {event}, which no training row has; {known}")
    if math.isnan(low):
        known = "no number"
    elif event.column.kind == "datetime":
        known = _dates_known(low, high)
    elif low == high:
        known = f"{low:g} only"
    else:
        known = f"{low:g} to {high:g}" + (f", in steps of {block.step:g}" if block.step > 0 else "")
    raise SchemaError(f"no row can have {event}: the training rows have {known}")


def _dates_known(low: float, high: float) -> str:
    first, last = (str(np.datetime64(int(end), "us"))[:19] for end in (low, high))
    return f"{first} to {last} (UTC)"


def _allowed(encoder: TableEncoder, events: list[Event]) -> dict[int, np.ndarray]:
    """Return the cells that the events leave to the blocks that no other one determines.

    Nothing is said of columns that rules compute: their rows are drawn, and drawn again.
    """
    blocks = encoder.layout_.blocks
    names = [block.name for block in blocks]
    allowed, asked = dict[int, np.ndarray](), dict[int, list[Event]]()
    for event in events:
        found = _cells_of(encoder, event)
        if found is None:
            continue
        j, cells = names.index(found[0].name), found[1]
        block = blocks[j]
        if block.parent_cells is not None:
            j, cells = block.parent, cells[block.parent_cells]
        allowed[j] = cells & allowed.get(j, np.ones(len(cells), dtype=bool))
        asked.setdefault(j, []).append(event)
        if not allowed[j].any():
            raise SchemaError(
                f"no row can have {', '.join(map(str, asked[j]))}: in every training row "
                f"{names[j]!r} determines the other columns"
            )
    return allowed


def _cells_of(encoder: TableEncoder, event: Event) -> tuple[Block, np.ndarray] | None:
    """Return a block that is drawn, and its cells (K,) bool that an event leaves; None: any."""
    name = event.column.name
    if name not in encoder.made_:
        block = encoder.block(name)
        return block, event.cells(block)
    for joint, combinations in encoder.construction_.combined(name):
        block = encoder.block(joint)
        codes = np.flatnonzero(event.holds(combinations))
        possible = np.zeros(block.n_cells, dtype=bool)
        possible[: len(block.atoms)] = np.isin(block.atoms, codes)
        if len(block.group):
            possible[len(block.atoms)] = np.isin(block.group, codes).any()
        return block, possible
    return None
