"""Tables as the rest of the house sees them: a schema, and columns as numpy arrays.

Inside, a table is a pyarrow table, whatever dataframe came in; out comes the kind that came in,
with its dtypes (:mod:`tabseed.table.frames`; no other module knows dataframes).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabseed._random import RandomState, generator
from tabseed.errors import SchemaError
from tabseed.table.detect import MAX_EXACT_INTEGER, describe_as, detect, write_dates
from tabseed.table.frames import FrameKind, is_text, plain_type, to_arrow
from tabseed.table.schema import DISCRETE, KINDS, NUMERIC, Column, Kind, Schema

MISSING = -1  # code of a missing cell in a discrete column
UNSEEN = -2  # code of a value that is not among the column's categories
LARGEST = 1e150  # numbers beyond it are refused: their squares would overflow


class Table:
    """A table with a schema. Immutable; rows by :meth:`take`, columns as numpy arrays."""

    def __init__(self, arrow: pa.Table, schema: Schema, frame_kind: FrameKind) -> None:
        self._arrow = arrow
        self.schema = schema
        self.frame_kind = frame_kind

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        schema: Schema | None = None,
        kinds: Mapping[str, str] | None = None,
    ) -> Table:
        """Take a pandas, polars or pyarrow frame (or a Table, which passes through).

        Without ``schema`` the kinds are detected; ``kinds`` overrides single columns, a date
        pattern may follow (``{"seen": "datetime:%d/%m/%Y"}``). With ``schema`` the frame must
        hold its columns; further columns are left aside.
        """
        if isinstance(frame, Table):
            if schema is None and not kinds:
                return frame
            arrow, frame_kind, schema = frame._arrow, frame.frame_kind, schema or frame.schema
        else:
            arrow, frame_kind = to_arrow(frame)
        if schema is None:
            schema = Schema(tuple(detect(name, arrow[name]) for name in arrow.column_names))
        for name, text in (kinds or {}).items():
            kind, _, pattern = text.partition(":")
            if kind not in KINDS:
                raise SchemaError(
                    f"column {name!r}: kind {kind!r} is not one of {', '.join(KINDS)}"
                )
            values = arrow[schema[name].name]
            schema = schema.with_column(describe_as(name, values, _kind(kind), pattern or None))
        for column in schema:
            if column.name not in arrow.column_names:
                raise SchemaError(
                    f"column {column.name!r} is missing; the table has {_some(arrow.column_names)}"
                )
        table = cls(arrow.select(schema.names), _with_categories(schema, arrow), frame_kind)
        table._check()
        return table

    def _check(self) -> None:
        for column in self.schema:
            if column.kind in NUMERIC:
                self.numbers(column.name)

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return int(self._arrow.num_rows)

    def __len__(self) -> int:
        return self.n_rows

    def numbers(self, name: str) -> np.ndarray:
        """Give a numeric column as float64 (n,), NaN where missing.

        Datetimes are microseconds since 1970 (UTC); what is finer is cut off, and so is what is
        beyond the 53 bits of a float: digits of long decimals, and single microseconds (not
        milliseconds) before 1684 and after 2255.
        """
        column, values = self.schema[name], self._arrow[name]
        if column.kind not in NUMERIC:
            raise SchemaError(f"column {name!r} is {column.kind}, not a number")
        if values.null_count == len(values):
            return np.full(len(values), np.nan)
        if column.kind == "datetime":
            values = _to_microseconds(column, values)
        elif is_text(values.type):
            _refuse_first(column, values, pc.match_substring_regex(values, _NUMBER))
            values = pc.utf8_trim_whitespace(values)
        elif not any(fits(values.type) for fits in _NUMBER_TYPES):
            raise SchemaError(
                f"column {name!r} is stored as {values.type}, which is not a number; "
                "set another kind"
            )
        if pa.types.is_decimal(values.type):  # Arrow's own cast to floats is an ulp off
            values = values.cast(pa.string())
        whole = pa.types.is_integer(values.type) and column.kind != "datetime"
        numbers = values.cast(pa.float64(), safe=False).to_numpy().copy()
        with np.errstate(invalid="ignore"):
            bad = np.abs(numbers) > (MAX_EXACT_INTEGER if whole else LARGEST)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            limit = "2^53, where digits get lost" if whole else f"{LARGEST:g}"
            raise SchemaError(
                f"column {name!r}, row {row + 1}: {values[row].as_py()} is infinite or beyond "
                f"{limit}; mend it or set another kind"
            )
        return numbers

    def codes(self, name: str) -> np.ndarray:
        """Give a discrete column as int64 (n,): place among its categories, MISSING or UNSEEN."""
        column, values = self.schema[name], self._arrow[name]
        if column.kind not in DISCRETE:
            raise SchemaError(f"column {name!r} is {column.kind}, not a category")
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        missing = values.is_null().to_numpy()
        if not column.categories or missing.all():
            return np.where(missing, MISSING, UNSEEN)
        known = _value_set(column, values.type)
        if pa.types.is_floating(values.type):  # + 0.0: Arrow tells -0.0 from 0.0
            values, known = (pc.add(v.cast(pa.float64()), 0.0) for v in (values, known))
        places = pc.index_in(values, value_set=known).fill_null(UNSEEN).to_numpy()
        return np.where(missing, MISSING, places.astype(np.int64))

    def values(self, name: str) -> list[Any]:
        """Give a column as Python values (for messages and reports)."""
        return list(self._arrow[name].to_pylist())

    def take(self, rows: np.ndarray | Sequence[int]) -> Table:
        """Give the rows at these places, in this order."""
        places = pa.array(np.asarray(rows, dtype=np.int64))
        return Table(self._arrow.take(places), self.schema, self.frame_kind)

    def select(self, schema: Schema) -> Table:
        """Give the table with the columns of ``schema`` only."""
        return Table(self._arrow.select(schema.names), schema, self.frame_kind)

    def split(
        self, share: float, *, stratify: str | None = None, random_state: RandomState = 0
    ) -> tuple[Table, Table]:
        """Split the rows at random in two: the first part holds ``share`` of them.

        ``stratify`` names a discrete column whose levels (missing included) keep their shares.
        Rows keep their order inside each part.
        """
        if not 0 < share < 1:
            raise SchemaError(f"a share must lie between 0 and 1, not {share}")
        rng = generator(random_state)
        order = rng.permutation(self.n_rows)
        if stratify is not None:
            # rows shuffled, then sorted by level, then dealt evenly: each level keeps its share
            order = order[np.argsort(self.codes(stratify)[order], kind="stable")]
            first = np.diff(np.floor(np.arange(self.n_rows + 1) * share + 0.5)).astype(bool)
        else:
            first = np.arange(self.n_rows) < np.floor(self.n_rows * share + 0.5)
        return self.take(np.sort(order[first])), self.take(np.sort(order[~first]))

    def to_arrow(self) -> pa.Table:
        """Give the table as pyarrow."""
        return self._arrow

    def to_frame(self) -> Any:
        """Give the kind of frame that came in, with its dtypes."""
        return self.frame_kind.build(self._arrow)

    @classmethod
    def from_columns(
        cls, schema: Schema, frame_kind: FrameKind, columns: Mapping[str, np.ndarray]
    ) -> Table:
        """Build a table from what :meth:`numbers` and :meth:`codes` give."""
        arrays = []
        for column in schema:
            target = plain_type(frame_kind.arrow.field(column.name).type)
            arrays.append(_to_array(column, columns[column.name], target))
        return cls(pa.table(arrays, names=schema.names), schema, frame_kind)


_NUMBER_TYPES = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_boolean,
)
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


def _kind(text: str) -> Kind:
    return text  # type: ignore[return-value]  # checked against KINDS by the caller


def _some(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more


def _with_categories(schema: Schema, arrow: pa.Table) -> Schema:
    """Fill in categories that a schema file left open (SDV's need not list them)."""
    for column in schema:
        if column.kind in DISCRETE and not column.categories:
            found = describe_as(column.name, arrow[column.name], column.kind)
            schema = schema.with_column(
                Column(column.name, column.kind, column.reason, found.categories)
            )
    return schema


def _to_microseconds(column: Column, values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = values.type
    if is_text(kind):
        pattern = column.datetime_format
        if pattern is None:
            raise SchemaError(f"column {column.name!r} holds text; name its date pattern")
        parsed = pc.strptime(values, format=pattern, unit="us", error_is_null=True)
        _refuse_first(column, values, parsed.is_valid())
        values = parsed
    elif not (pa.types.is_date(kind) or pa.types.is_timestamp(kind)):
        raise SchemaError(f"column {column.name!r} is stored as {kind}, not as dates")
    microseconds = pa.timestamp("us", tz=getattr(kind, "tz", None))
    finer = pa.types.is_timestamp(kind) and kind.unit == "ns"
    try:
        return values.cast(microseconds, safe=not finer).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise SchemaError(
            f"column {column.name!r} holds dates more than 290 000 years away; mend them"
        ) from error


def _refuse_first(column: Column, values: pa.ChunkedArray, fits: pa.ChunkedArray) -> None:
    """Refuse the first present value that does not fit, with its row."""
    bad = np.flatnonzero(~fits.fill_null(False).to_numpy() & values.is_valid().to_numpy())
    if len(bad):
        row = int(bad[0])
        raise SchemaError(
            f"column {column.name!r}, row {row + 1}: {values[row].as_py()!r} is not "
            f"{'a date' if column.kind == 'datetime' else 'a number'}; mend it or set another kind"
        )


def _value_set(column: Column, kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(list(column.categories)).cast(kind)
    except (pa.ArrowException, OverflowError):
        try:
            return pa.array(list(column.categories), type=kind)
        except (pa.ArrowException, OverflowError) as error:
            raise SchemaError(
                f"column {column.name!r} is stored as {kind}, "
                f"its categories are of another type ({column.categories[0]!r})"
            ) from error


def _to_array(column: Column, values: np.ndarray, target: pa.DataType) -> pa.Array:
    """Turn numbers or codes back into a column of the type that came in."""
    if pa.types.is_null(target):
        return pa.nulls(len(values))
    if column.kind in DISCRETE:
        base = target.value_type if pa.types.is_dictionary(target) else target
        if not column.categories:
            return pa.nulls(len(values), target)
        places = pa.array(values, mask=values < 0)
        levels = _value_set(column, base)
        if pa.types.is_dictionary(target):
            indices = places.cast(target.index_type)
            return pa.DictionaryArray.from_arrays(indices, levels, ordered=target.ordered)
        return levels.take(places)
    missing = np.isnan(values)
    if column.kind == "datetime":
        stamps = pa.array(np.where(missing, 0, values).astype(np.int64), mask=missing)
        if is_text(target):
            dates = stamps.cast(pa.timestamp("us"))
            return write_dates(dates, str(column.datetime_format))
        zone = getattr(target, "tz", None)
        return stamps.cast(pa.timestamp("us", tz=zone)).cast(target, safe=False)
    if pa.types.is_integer(target):
        whole = np.where(missing, 0, np.round(values)).astype(np.int64)
        return pa.array(whole, mask=missing).cast(target)
    numbers = pa.array(values, mask=missing)
    if pa.types.is_decimal(target):
        return pa.array(_decimals(numbers.to_pylist(), target.scale), target)
    return numbers.cast(pa.string() if is_text(target) else target, safe=False)


def _decimals(values: list[float | None], scale: int) -> list[Decimal | None]:
    """Round floats, read by their shortest text: 0.1 is 0.10000, not 0.10000000000000000555."""
    unit = Decimal(1).scaleb(-scale)
    with localcontext(prec=100):
        return [None if v is None else Decimal(repr(v)).quantize(unit) for v in values]
