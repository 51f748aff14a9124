"""Tables as the rest of the library sees them: a schema, and columns as numpy arrays.

Inside, a table is a pyarrow table, whatever dataframe came in; the frame that goes out is of the
kind that came in, with its dtypes (:mod:`tabseed.table.frames`; no other module knows dataframes).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tabseed._random import RandomState, generator
from tabseed.errors import LeftOutWarning, SchemaError, printable, shortened
from tabseed.parameters import (
    MAPPING,
    InstanceOf,
    Names,
    OneOf,
    Real,
    check,
    checked,
    or_none,
    shown,
)
from tabseed.table.arrow_types import plain_type
from tabseed.table.columns import (
    UNSEEN,
    Codes,
    Numbers,
    check_whole,
    read_codes,
    read_numbers,
    write_column,
)
from tabseed.table.display import (
    MAX_CELL,
    MAX_COLUMNS,
    MAX_NAME,
    MAX_ROWS,
    and_more,
    as_html,
    as_text,
    counted,
)
from tabseed.table.frames import FILE, FRAMES, FrameKind, python_cells, to_arrow
from tabseed.table.index import index_with_data
from tabseed.table.kinds.detect import describe_as, detect
from tabseed.table.kinds.spellings import pattern_for
from tabseed.table.notation.dialect import Dialect, own_metadata
from tabseed.table.schema import (
    DISCRETE,
    FROM_SCHEMA,
    KINDS,
    LEFT_OUT,
    NUMERIC,
    Column,
    Kind,
    Schema,
)

if TYPE_CHECKING:
    from typing import TypeAlias

    from narwhals.typing import IntoDataFrame

    # what a table is made from: a frame of pandas, polars or pyarrow, or a Table
    Frame: TypeAlias = "IntoDataFrame | Table"
else:
    Frame = Any  # for annotations only: narwhals defines its types only for type checkers

MAX_REASONS = 8  # columns left out that a warning names
AS_FRAME = or_none(OneOf(FRAMES))


class Table:
    """A table with a schema. Immutable; :meth:`take` returns rows, columns are numpy arrays.

    A table reads numbers and codes from its columns once and remembers them, in read-only arrays;
    a part of a table (:meth:`take`, :meth:`select`, :meth:`split`) takes over what the whole
    remembers. They live as long as the table.
    """

    def __init__(self, arrow: pa.Table, schema: Schema, frame_kind: FrameKind) -> None:
        self._arrow = arrow
        self.schema = schema
        self.frame_kind = frame_kind
        self._read: dict[str, np.ndarray] = {}  # by column: its numbers or its codes
        self._coded: dict[str, Numbers] = {}  # by ordinal column of numbers: these

    def __reduce__(self) -> tuple[type[Table], tuple[pa.Table, Schema, FrameKind]]:
        # without the arrays read, so there is less to send: a copy reads its columns again
        return Table, (self._arrow, self.schema, self.frame_kind)

    @classmethod
    @checked(schema=or_none(InstanceOf(Schema)), kinds=or_none(MAPPING), rules=or_none(Names()))
    def from_frame(
        cls,
        frame: Frame,
        schema: Schema | None = None,
        kinds: Mapping[Any, str] | None = None,
        rules: Sequence[str] | None = None,
    ) -> Table:
        """Make a table from a pandas, polars or pyarrow frame; return a Table as it is.

        Without ``schema`` the kinds are detected; ``kinds`` sets those of single columns, where a
        date pattern or a format of numbers (:mod:`tabseed.table.notation`) may follow
        (``{"seen": "datetime:%d/%m/%Y", "share": "continuous:percent"}``). With ``schema`` the
        frame must have its columns, but for ids and free text; further columns are ignored.
        ``rules`` say what always holds, such as "living = above + basement"
        (:mod:`tabseed.rules.language`): generators that learn the table keep them. SchemaError,
        with column and row, for cells that do not fit their column's kind.
        """
        if isinstance(frame, Table):
            if not kinds and not rules and schema in (None, frame.schema):
                return frame
            whole, schema = frame, schema or frame.schema
            arrow = whole._arrow
        else:
            arrow, frame_kind = to_arrow(frame)
            if schema is None:
                schema = _detected(arrow)
            whole = cls(arrow, Schema(()), frame_kind)
        names = frozenset(arrow.column_names)
        # what no generator learns is in no synthetic table either
        kept = tuple(c for c in schema if c.kind not in LEFT_OUT or c.name in names)
        schema = Schema(kept, schema.rules)
        schema = schema.with_rules(rules or ())
        for name, text in (kinds or {}).items():
            schema = schema.with_column(_with_kind(schema[name], arrow, text))
        for column in schema:
            if column.name not in names:
                raise SchemaError(
                    f"column {column.name!r} is missing; the table has {_some(arrow.column_names)}"
                )
        table = whole.select(_completed(schema, arrow))
        for column in table.schema:
            if column.kind in NUMERIC:
                table.numbers(column.name)
        return table

    def __repr__(self) -> str:
        columns = [[name, kind, ", ".join(cells)] for name, kind, *cells in self._first_columns()]
        return as_text(self._headline(), columns, self._not_shown())

    def _repr_html_(self) -> str:
        columns = self._first_columns()
        header = [f"{name}\n{kind}" for name, kind, *_ in columns]
        rows = list(zip(*(cells for _, _, *cells in columns), strict=True))
        return as_html(self._headline(), header, rows, self._not_shown())

    def _headline(self) -> str:
        return f"Table of {counted(len(self), 'row')} and {counted(len(self.schema), 'column')}"

    def _first_columns(self) -> list[list[str]]:
        """Return name, kind and first cells of each of the first columns."""
        top = self._arrow.slice(0, MAX_ROWS)
        return [
            [shortened(c.name, MAX_NAME), c.kind]
            + [shortened(cell, MAX_CELL) for cell in python_cells(top[c.name])]
            for c in self.schema.columns[:MAX_COLUMNS]
        ]

    def _not_shown(self) -> list[str]:
        return and_more(min(MAX_COLUMNS, len(self.schema)), len(self.schema))

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return int(self._arrow.num_rows)

    def __len__(self) -> int:
        return self.n_rows

    def numbers(self, name: str) -> Numbers:
        """Return a numeric column as float64 (n,), NaN where missing; the array is read-only.

        Datetimes are microseconds since 1970 (UTC); anything finer is cut off, and so is anything
        beyond the 53 bits of a float: digits of long decimals, and single microseconds (not
        milliseconds) before 1684 and after 2255. An ordinal column of coded numbers
        (:attr:`Column.coded <tabseed.table.schema.Column.coded>`) is read as these, levels that its
        schema does not know included. SchemaError for any other column.
        """
        column = self.schema[name]
        if column.coded:
            if column.name not in self._coded:
                self._coded[column.name] = self._numbers_of_codes(column)
                self._coded[column.name].setflags(write=False)
            return self._coded[column.name]
        if column.name not in self._read or column.kind not in NUMERIC:  # reading raises for others
            self._remember(column.name, read_numbers(column, self._arrow[column.name]))
        return self._read[column.name]

    def _numbers_of_codes(self, column: Column) -> Numbers:
        codes = self.codes(column.name)
        if (codes == UNSEEN).any():  # their numbers stand in the cells alone
            return read_numbers(replace(column, kind="continuous"), self._arrow[column.name])
        return np.append(np.array(column.categories, dtype=np.float64), np.nan)[
            codes
        ]  # -1: missing

    def codes(self, name: str) -> Codes:
        """Return a discrete column as int64 (n,): index among its categories, MISSING or UNSEEN.

        The array is read-only. SchemaError for a column that is not discrete.
        """
        column = self.schema[name]
        if column.name not in self._read or column.kind not in DISCRETE:  # reading raises
            self._remember(column.name, read_codes(column, self._arrow[column.name]))
        return self._read[column.name]

    def cells(self, name: str) -> Numbers | Codes:
        """Return a modelled column by :meth:`numbers` or :meth:`codes`, as suits its kind."""
        return self.numbers(name) if self.schema[name].kind in NUMERIC else self.codes(name)

    def _remember(self, name: str, cells: np.ndarray) -> None:
        cells.setflags(write=False)
        self._read[name] = cells

    def values(self, name: str) -> list[Any]:
        """Return a column as Python values (for messages and reports)."""
        return python_cells(self._arrow[self.schema[name].name])

    def take(self, rows: NDArray[np.int64] | Sequence[int]) -> Table:
        """Return the rows of these indices, in this order."""
        indices = np.asarray(rows)
        if not indices.size and indices.ndim == 1:
            indices = indices.astype(np.int64)
        beyond = indices.dtype.kind not in "iu" or (indices < 0) | (indices >= self.n_rows)
        if indices.ndim != 1 or np.any(beyond):
            raise SchemaError(
                f"rows={shown(rows)}: give a list of row indices from 0 to {self.n_rows - 1}"
            )
        indices = indices.astype(np.int64)
        table = Table(self._arrow.take(pa.array(indices)), self.schema, self.frame_kind)
        for name, cells in self._read.items():
            table._remember(name, cells[indices])
        table._coded = {name: cells[indices] for name, cells in self._coded.items()}
        return table

    @checked(schema=InstanceOf(Schema))
    def select(self, schema: Schema) -> Table:
        """Return the table with only the columns of ``schema``, which decides how they are read."""
        table = Table(self._arrow.select(schema.names), schema, self.frame_kind)
        for column in schema:
            if column.name in self._read and _read_alike(column, self.schema[column.name]):
                table._read[column.name] = self._read[column.name]
            if column.coded and column.name in self._coded:
                table._coded[column.name] = self._coded[column.name]
        return table

    def split(
        self, share: float, *, stratify: str | None = None, random_state: RandomState = 0
    ) -> tuple[Table, Table]:
        """Split the rows at random into two parts, the first with ``share`` of them.

        ``stratify`` names a discrete column whose levels (missing included) have the same shares
        in both parts. Rows keep their order inside each part.
        """
        check("Table.split", "share", share, Real(above=0, below=1))
        rng = generator(random_state)
        order = rng.permutation(self.n_rows)
        if stratify is not None:
            # shuffle rows, sort them by level, then deal them evenly: each level keeps its share
            order = order[np.argsort(self.codes(stratify)[order], kind="stable")]
            first = np.diff(np.floor(np.arange(self.n_rows + 1) * share + 0.5)).astype(bool)
        else:
            first = np.arange(self.n_rows) < np.floor(self.n_rows * share + 0.5)
        return self.take(np.sort(order[first])), self.take(np.sort(order[~first]))

    def to_arrow(self) -> pa.Table:
        """Return the table as pyarrow's."""
        return self._arrow

    def to_frame(self, as_frame: str | None = None) -> Any:
        """Return the table as the kind of frame that came in, with its dtypes.

        ``as_frame`` asks for another kind: "pandas", "polars" or "pyarrow". TabseedError for any
        other, MissingDependencyError if the library is not installed.
        """
        check("Table.to_frame", "as_frame", as_frame, AS_FRAME)
        return self.frame_kind.build(self._arrow, as_frame)

    def of_file(self) -> Table:
        """Return the table as one of a file: its frames are of pandas, if that is installed."""
        table = Table(self._arrow, self.schema, replace(self.frame_kind, backend=FILE))
        table._read, table._coded = self._read, self._coded
        return table

    @classmethod
    def from_columns(
        cls, schema: Schema, frame_kind: FrameKind, columns: Mapping[str, np.ndarray]
    ) -> Table:
        """Build a table from arrays such as :meth:`numbers` and :meth:`codes` return."""
        arrays, known = [], {}
        for column in schema:
            target = plain_type(frame_kind.arrow.field(column.name).type)
            array, cells = write_column(column, columns[column.name], target)
            arrays.append(array)
            if cells is not None:
                known[column.name] = cells
        form = own_metadata(
            frame_kind.arrow
        )  # how the file that came in is written, if it was text
        arrow = pa.table(arrays, names=schema.names, metadata=form)
        table = cls(arrow, schema, frame_kind)
        for name, cells in known.items():
            table._remember(name, cells)
        return table


def table_to_learn(frame: Frame) -> Table:
    """Return what a user passes to learn from as a Table, as :meth:`Table.from_frame` does.

    LeftOutWarning, in the user's line, if columns of a frame are ids or free text, or its index
    holds more than row numbers: nothing is learned of them. The maker of a Table has seen its
    schema, so there is none.
    """
    table = Table.from_frame(frame)
    if isinstance(frame, Table):
        return table
    reasons = [(repr(c.name), c.reason.removesuffix(": left out")) for c in table.schema.left_out]
    reasons += [
        (name, "not a column; reset_index() makes it one") for name in index_with_data(frame)
    ]
    if reasons:
        shown = "; ".join(f"{name} ({why})" for name, why in reasons[:MAX_REASONS])
        hint = "; to learn a column, pass Table.from_frame(frame, kinds={name: kind})"
        more = f"; and {len(reasons) - MAX_REASONS} more" if len(reasons) > MAX_REASONS else ""
        warnings.warn(
            f"left out: {printable(shown)}{more}{hint if table.schema.left_out else ''}",
            LeftOutWarning,
            stacklevel=_calls_inside(),
        )
    return table


def _calls_inside() -> int:
    """Return the stack level, for a warning of the caller, of the first line outside tabseed."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] == "tabseed":
        level, frame = level + 1, frame.f_back
    return level


def _detected(arrow: pa.Table) -> Schema:
    """Detect the kinds of all columns; the reason also says how doubtful numbers were read."""
    readings = Dialect.of(arrow.schema.metadata).readings()
    columns = []
    for name in arrow.column_names:
        column = detect(name, arrow[name])
        if name in readings and column.kind not in LEFT_OUT:
            column = replace(column, reason=f"{column.reason}; {readings[name]}")
        columns.append(column)
    return Schema(tuple(columns))


def _with_kind(column: Column, arrow: pa.Table, text: str) -> Column:
    """Describe a column as of the kind in ``text``, where a date pattern may follow the kind."""
    if not isinstance(text, str):
        raise SchemaError(f"column {column.name!r}: kind {shown(text)} is not text such as integer")
    kind, _, pattern = text.partition(":")
    if kind not in KINDS:
        raise SchemaError(f"column {column.name!r}: kind {kind!r} is not one of {', '.join(KINDS)}")
    described = describe_as(column.name, arrow[column.name], _kind(kind), pattern or None)
    if kind == "integer":
        check_whole(described, read_numbers(described, arrow[column.name]))
    return described


def _kind(text: str) -> Kind:
    return text  # type: ignore[return-value]  # checked against KINDS by the caller


def _some(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more


def _completed(schema: Schema, arrow: pa.Table) -> Schema:
    """Fill in what a schema leaves to the cells, as SDV's may: categories, and how dates look."""
    for column in schema:
        if column.kind in DISCRETE and not column.categories:
            described = describe_as(column.name, arrow[column.name], column.kind)
            schema = schema.with_column(replace(column, categories=described.categories))
        elif column.kind == "datetime" and (
            # stored as dates in the table of the schema, they may be text in this one
            column.reason == FROM_SCHEMA or column.datetime_format is None
        ):
            pattern, _ = pattern_for(column.name, arrow[column.name], column.datetime_format)
            schema = schema.with_column(replace(column, datetime_format=pattern))
    return schema


def _read_alike(one: Column, other: Column) -> bool:
    """Return whether both columns read the same cells as the same numbers or codes."""
    return replace(one, reason="") == replace(other, reason="")
