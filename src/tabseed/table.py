"""Tables as the rest of the house sees them: a schema, and columns as numpy arrays.

The only module that knows dataframes. Inside, a table is a pyarrow table, whatever came in
(pandas 2 and 3, polars, pyarrow, through narwhals); out comes the kind that came in, with its
dtypes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabseed._random import RandomState, generator
from tabseed.detect import describe_as, detect, write_dates
from tabseed.errors import SchemaError
from tabseed.schema import DISCRETE, KINDS, NUMERIC, Column, Kind, Schema

MISSING = -1  # code of a missing cell in a discrete column
UNSEEN = -2  # code of a value that is not among the column's categories


@dataclass(frozen=True)
class FrameKind:
    """Which dataframe came in, and its dtypes: enough to give the same kind back."""

    backend: str  # "pandas", "polars" or "pyarrow"
    arrow: pa.Schema
    dtypes: dict[str, Any]  # pandas dtypes by name; empty for the others
    labels: dict[str, Any]  # pandas column labels that are not text, by their text

    @classmethod
    def of(cls, frame: nw.DataFrame[Any], labels: list[Any], arrow: pa.Schema) -> FrameKind:
        """Note kind and dtypes of a frame."""
        backend = frame.implementation.value
        if backend != "pandas":
            return cls(backend, arrow, {}, {})
        native = frame.to_native()
        dtypes = {str(label): native[name].dtype for label, name in zip(labels, native, strict=True)}
        odd = {str(label): label for label in labels if not isinstance(label, str)}
        return cls(backend, arrow, dtypes, odd)

    def build(self, table: pa.Table) -> Any:
        """Turn a pyarrow table into this kind of frame."""
        table = pa.table(
            [_as_type(table[c], self.arrow.field(c).type) for c in table.column_names],
            names=table.column_names,
        )
        if self.backend == "pyarrow":
            return table
        native = nw.from_arrow(table, backend=self.backend).to_native()
        if self.backend == "pandas":
            native = native.astype({c: self.dtypes[c] for c in table.column_names})
            native.columns = [self.labels.get(c, c) for c in table.column_names]
        return native

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready dict (a pandas category dtype is remade from the schema's values)."""
        return {
            "backend": self.backend,
            "arrow": base64.b64encode(self.arrow.serialize().to_pybytes()).decode(),
            "dtypes": {name: str(dtype) for name, dtype in self.dtypes.items()},
            "labels": {k: v for k, v in self.labels.items() if isinstance(v, int | float | bool)},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], schema: Schema) -> FrameKind:
        """Read what :meth:`to_dict` wrote; without pandas installed, frames become pyarrow."""
        arrow = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(data["arrow"])))
        backend, dtypes = data["backend"], dict(data["dtypes"])
        if backend == "pandas":
            try:
                import pandas as pd
            except ImportError:
                return cls("pyarrow", arrow, {}, {})
            for name, text in dtypes.items():
                dtypes[name] = pd.api.types.pandas_dtype(text)
                if text == "category" and name in schema:
                    column = schema[name]
                    dtypes[name] = pd.CategoricalDtype(
                        list(column.categories), ordered=column.kind == "ordinal"
                    )
        return cls(backend, arrow, dtypes, dict(data["labels"]))


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
            frame = frame.to_frame()
        arrow, frame_kind = _to_arrow(frame)
        if schema is None:
            schema = Schema(
                tuple(detect(name, arrow[name]) for name in arrow.column_names)
            )
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

        Datetimes are microseconds since 1970 (UTC); what is finer is cut off.
        """
        column, values = self.schema[name], self._arrow[name]
        if column.kind not in NUMERIC:
            raise SchemaError(f"column {name!r} is {column.kind}, not a number")
        if column.kind == "datetime":
            values = _to_microseconds(column, values)
        elif _is_text(values.type):
            _refuse_first(column, values, pc.match_substring_regex(values, _NUMBER))
        missing = values.is_null().to_numpy()
        try:
            numbers = values.fill_null(0).cast(pa.float64(), safe=False).to_numpy().copy()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise SchemaError(
                f"column {name!r} is stored as {values.type}, which is not a number; "
                "set another kind"
            ) from error
        numbers[missing] = np.nan
        if np.isinf(numbers).any():
            row = int(np.flatnonzero(np.isinf(numbers))[0])
            raise SchemaError(f"column {name!r}, row {row + 1}: the value is infinite; mend it")
        return numbers

    def codes(self, name: str) -> np.ndarray:
        """Give a discrete column as int64 (n,): place among its categories, MISSING or UNSEEN."""
        column, values = self.schema[name], self._arrow[name]
        if column.kind not in DISCRETE:
            raise SchemaError(f"column {name!r} is {column.kind}, not a category")
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        missing = values.is_null().to_numpy()
        if not column.categories:
            return np.where(missing, MISSING, UNSEEN)
        known = _value_set(column, values.type)
        places = pc.index_in(values, value_set=known).fill_null(UNSEEN).to_numpy().astype(np.int64)
        places = np.where(missing, MISSING, places)
        return places

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
        self, share: float, *, stratify: str | None = None, random_state: RandomState = None
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
            first = np.arange(self.n_rows) < round(self.n_rows * share)
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
            target = frame_kind.arrow.field(column.name).type
            arrays.append(_to_array(column, columns[column.name], target))
        return cls(pa.table(arrays, names=schema.names), schema, frame_kind)


_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


def _kind(text: str) -> Kind:
    return text  # type: ignore[return-value]  # checked against KINDS by the caller


def _some(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more


def _to_arrow(frame: Any) -> tuple[pa.Table, FrameKind]:
    try:
        narwhal = nw.from_native(frame, eager_only=True)
    except TypeError as error:
        raise SchemaError(
            f"expected a pandas, polars or pyarrow table, got {type(frame).__name__}"
        ) from error
    except nw.exceptions.NarwhalsError as error:  # pandas allows a name twice, narwhals does not
        raise SchemaError(" ".join(str(error).split())) from error
    native = narwhal.to_native()
    labels = list(native.columns) if narwhal.implementation.value == "pandas" else narwhal.columns
    names = [str(label) for label in labels]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise SchemaError(
                f"column name {name!r} occurs twice (columns {names.index(name) + 1} and "
                f"{place + 1}); rename one of them"
            )
    if not names:
        raise SchemaError("the table has no columns")
    try:
        raw = narwhal.to_arrow().rename_columns(names)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SchemaError(f"a column mixes types: {' '.join(str(error).split())}") from error
    arrow = pa.table([_plain(c) for c in raw.columns], names=names)
    return arrow, FrameKind.of(narwhal, labels, raw.schema.remove_metadata())


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Make NaN missing, as every dataframe but Arrow's means it, and large strings plain."""
    kind = values.type
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_nan(values.fill_null(0)), pa.scalar(None, kind), values)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return values.cast(pa.string())
    if pa.types.is_dictionary(kind):
        values = values.cast(pa.dictionary(pa.int32(), _plain_type(kind.value_type), kind.ordered))
        return values.unify_dictionaries()
    return values


def _as_type(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    return values if values.type == kind else values.cast(kind)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if _is_text(kind) else kind


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


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
    if _is_text(kind):
        pattern = column.datetime_format
        if pattern is None:
            raise SchemaError(f"column {column.name!r} holds text; name its date pattern")
        parsed = pc.strptime(values, format=pattern, unit="us", error_is_null=True)
        _refuse_first(column, values, parsed.is_valid())
        values = parsed
    elif pa.types.is_date(kind):
        values = values.cast(pa.timestamp("us"))
    elif not pa.types.is_timestamp(kind):
        raise SchemaError(f"column {column.name!r} is stored as {kind}, not as dates")
    return values.cast(pa.timestamp("us", tz=getattr(values.type, "tz", None)), safe=False).cast(
        pa.int64()
    )


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
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        try:
            return pa.array(list(column.categories), type=kind)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise SchemaError(
                f"column {column.name!r} is stored as {kind}, "
                f"its categories are of another type ({column.categories[0]!r})"
            ) from error


def _to_array(column: Column, values: np.ndarray, target: pa.DataType) -> pa.Array:
    """Turn numbers or codes back into a column of the type that came in."""
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
        if _is_text(target):
            dates = stamps.cast(pa.timestamp("us"))
            return write_dates(dates, str(column.datetime_format))
        zone = getattr(target, "tz", None)
        return stamps.cast(pa.timestamp("us", tz=zone)).cast(target, safe=False)
    if pa.types.is_integer(target):
        whole = np.where(missing, 0, np.round(values)).astype(np.int64)
        return pa.array(whole, mask=missing).cast(target)
    numbers = pa.array(values, mask=missing)
    if pa.types.is_decimal(target):
        return numbers.cast(target, safe=False)
    return numbers.cast(pa.string() if _is_text(target) else target, safe=False)
