"""Dataframes into Arrow and back: pandas 2 and 3, polars, pyarrow, through narwhals.

:class:`FrameKind` keeps what Arrow cannot (dtypes of pandas, Enums of polars, column labels that
are not text), so that a table goes out as the kind of frame that came in.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from tabseed.errors import SchemaError, TabseedError, not_installed, one_line, shortened
from tabseed.table.arrow_types import plain_type
from tabseed.table.date_objects import check_date_objects
from tabseed.table.display import MAX_QUOTED
from tabseed.table.labels import from_plain, name_of, to_plain
from tabseed.table.notation.dialect import own_metadata

FRAMES = ("pandas", "polars", "pyarrow")
FILE = "file"  # the backend of a table read by a command: pandas where it is installed


@dataclass(frozen=True)
class FrameKind:
    """Which dataframe came in, and its dtypes: enough to give the same kind back."""

    backend: str  # "pandas", "polars", "pyarrow" or FILE
    arrow: pa.Schema
    dtypes: dict[str, Any]  # what Arrow cannot keep: dtypes of pandas, Enums of polars, by name
    labels: dict[str, Any]  # pandas column labels that are not text, by their text
    label_names: tuple[Any, ...] = ()  # the names of pandas' columns as an index, if it has any

    @classmethod
    def of(cls, frame: nw.DataFrame[Any], labels: list[Any], arrow: pa.Schema) -> FrameKind:
        """Record the kind and the dtypes of a frame."""
        backend, native = frame.implementation.value, frame.to_native()
        if backend == "polars":
            enums = {n: native.schema[n] for n, d in frame.schema.items() if d == nw.Enum}
            return cls(backend, arrow, enums, {})
        if backend != "pandas":
            return cls(backend, arrow, {}, {})
        dtypes = dict(zip(map(name_of, labels), native.dtypes, strict=True))
        odd = {name_of(label): label for label in labels if not isinstance(label, str)}
        names = tuple(native.columns.names)
        return cls(backend, arrow, dtypes, odd, names if names != (None,) else ())

    def build(self, table: pa.Table, backend: str | None = None) -> Any:
        """Turn a pyarrow table into this kind of frame, or into another one of FRAMES.

        Another kind, and that of a file, has the dtypes that :func:`_default_pandas` says, or
        those of polars. MissingDependencyError if its library is not installed.
        """
        table = pa.table(
            [_as_type(table[c], self.arrow.field(c).type) for c in table.column_names],
            names=table.column_names,
            metadata=own_metadata(self.arrow),
        )
        own, backend = backend in (None, self.backend), backend or self.backend
        if backend == FILE:
            backend = "pyarrow" if find_spec("pandas") is None else "pandas"
        if backend == "pyarrow":
            return table
        check_backend(backend)
        if backend == "pandas":
            return self._build_pandas(table, own and self.backend != FILE)
        native = nw.from_arrow(table, backend=backend).to_native()  # type: ignore[arg-type]
        native.columns = table.column_names  # polars renames a column without a name
        kept = self.dtypes if own else {}
        enums = {name: dtype for name, dtype in kept.items() if name in table.column_names}
        return native.cast(enums) if enums else native

    def _build_pandas(self, table: pa.Table, own: bool) -> Any:
        import pandas as pd

        columns = [
            _to_pandas(table[name], self.dtypes[name]) if own else _default_pandas(table[name])
            for name in table.column_names
        ]
        native = pd.concat(columns, axis=1)
        native.columns = pd.Index([self.labels.get(name, name) for name in table.column_names])
        if len(self.label_names) == native.columns.nlevels:
            native.columns.names = self.label_names
        return native

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict; what JSON cannot hold becomes text (dates as column labels)."""
        return {
            "backend": self.backend,
            "arrow": base64.b64encode(self.arrow.serialize().to_pybytes()).decode(),
            "dtypes": {name: _describe_dtype(dtype) for name, dtype in self.dtypes.items()},
            "labels": {name: to_plain(label) for name, label in self.labels.items()},
            "label_names": [to_plain(name) for name in self.label_names],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> FrameKind:
        """Read what :meth:`to_dict` wrote; if its library is not installed, frames are pyarrow."""
        arrow = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(data["arrow"])))
        backend = data["backend"]
        if backend == FILE:
            return cls(FILE, arrow, {}, {})
        if backend not in ("pandas", "polars") or find_spec(backend) is None:
            return cls("pyarrow", arrow, {}, {})
        dtypes = {n: _remake_dtype(d, arrow.field(n).type) for n, d in data["dtypes"].items()}
        labels = {name: from_plain(label) for name, label in data["labels"].items()}
        label_names = tuple(map(from_plain, data.get("label_names", ())))  # not in older files
        return cls(backend, arrow, dtypes, labels, label_names)


def _describe_dtype(dtype: Any) -> dict[str, Any]:
    """Return a JSON-ready description of a dtype of pandas, or of an Enum of polars."""
    if hasattr(dtype, "pyarrow_dtype"):
        return {"is": "arrow"}
    if hasattr(dtype, "storage"):
        return {"is": "string", "storage": dtype.storage, "nan": isinstance(dtype.na_value, float)}
    if hasattr(dtype, "fill_value"):
        filler = dtype.fill_value
        filler = None if filler != filler else getattr(filler, "item", lambda: filler)()
        return {"is": "sparse", "of": _describe_dtype(dtype.subtype), "fill": filler}
    levels = getattr(dtype, "categories", None)
    if levels is None:
        return {"is": "named", "name": str(dtype)}
    if not hasattr(dtype, "ordered"):
        return {"is": "enum", "levels": levels.to_list()}
    return {
        "is": "category",
        "levels": _text_levels(levels).tolist(),
        "of": _describe_dtype(_text_levels(levels).dtype),
        "ordered": bool(dtype.ordered),
    }


def _remake_dtype(data: Mapping[str, Any], arrow: pa.DataType) -> Any:
    if data["is"] == "enum":
        import polars as pl

        return pl.Enum(data["levels"])
    import pandas as pd

    if data["is"] == "arrow":
        return pd.ArrowDtype(arrow)
    if data["is"] == "string":
        nan = (float("nan"),) if data["nan"] else ()  # pandas < 2.3 takes no second argument
        return pd.StringDtype(data["storage"], *nan)
    if data["is"] == "sparse":
        filler = float("nan") if data["fill"] is None else data["fill"]
        return pd.SparseDtype(_remake_dtype(data["of"], arrow), filler)
    if data["is"] == "category":
        of = _remake_dtype(data["of"], arrow.value_type)
        return pd.CategoricalDtype(pd.Index(data["levels"], dtype=of), data["ordered"])
    return pd.api.types.pandas_dtype(data["name"])


def _to_pandas(values: pa.ChunkedArray, dtype: Any) -> Any:
    """Turn one column into a pandas Series of a dtype; no value passes through a float."""
    import pandas as pd

    if isinstance(dtype, pd.CategoricalDtype):
        levels = _text_levels(dtype.categories)
        cells = pd.Categorical(values.to_pylist(), levels, dtype.ordered)
        return pd.Series(pd.Categorical.from_codes(cells.codes, dtype=dtype))
    if hasattr(dtype, "fill_value"):  # sparse
        return _to_pandas(values, dtype.subtype).astype(dtype)
    if str(dtype) == "object":
        return pd.Series(python_cells(values), dtype=object)
    if hasattr(dtype, "__from_arrow__"):
        return pd.Series(dtype.__from_arrow__(values))
    return values.to_pandas().astype(dtype)


def _default_pandas(values: pa.ChunkedArray) -> Any:
    """Turn a column that never was one of pandas into a Series.

    Whole numbers and true/false have pandas' dtypes that can be missing (Int64, boolean), so that
    a column has the same dtype whichever rows are drawn; days are datetime64; the rest is as
    Arrow turns it.
    """
    import pandas as pd

    kind = values.type
    if pa.types.is_integer(kind):
        name = str(kind).replace("int", "Int").replace("uI", "UI")
        return pd.Series(pd.api.types.pandas_dtype(name).__from_arrow__(values))
    if pa.types.is_boolean(kind):
        return pd.Series(pd.BooleanDtype().__from_arrow__(values))
    return (values.cast(pa.timestamp("s")) if pa.types.is_date(kind) else values).to_pandas()


def _text_levels(levels: Any) -> Any:
    """Return the categories of a pandas dtype, as text where Arrow has no such type."""
    plain = levels.inferred_type in ("string", "integer", "floating", "boolean", "empty")
    return levels if plain else levels.astype(str)


def to_arrow(frame: Any) -> tuple[pa.Table, FrameKind]:
    """Turn a frame into Arrow, with plain types and unique names that are text."""
    try:
        narwhal = nw.from_native(frame, eager_only=True)
    except TypeError as error:
        raise SchemaError(
            f"expected a pandas, polars or pyarrow table, got {type(frame).__name__}"
        ) from error
    except nw.exceptions.NarwhalsError as error:  # pandas allows a name twice, narwhals does not
        raise SchemaError(f"{one_line(error)}; rename the others") from error
    native = narwhal.to_native()
    labels = list(native.columns) if narwhal.implementation.value == "pandas" else narwhal.columns
    names = [name_of(label) for label in labels]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise SchemaError(
                f"column name {name!r} occurs twice (columns {names.index(name) + 1} and "
                f"{index + 1}, labels {labels[names.index(name)]!r} and {labels[index]!r}); "
                "rename one of them"
            )
    if not names:
        raise SchemaError("the table has no columns")
    series = zip(names, narwhal.iter_columns(), strict=True)
    form = own_metadata(native.schema) if isinstance(native, pa.Table) else None
    columns = [_column_to_arrow(name, column) for name, column in series]
    raw = pa.table(columns, names=names, metadata=form)
    arrow = pa.table([_plain_cells(c) for c in raw.columns], names=names, metadata=form)
    return arrow, FrameKind.of(narwhal, labels, raw.schema)


def frame_of_rows(rows: list[dict[str, Any]], kind: str) -> Any:
    """Make a frame of ``kind`` (one of FRAMES) from dicts of the same keys, one for each row.

    TabseedError for another kind, MissingDependencyError if its library is not installed.
    """
    if kind not in FRAMES:
        raise TabseedError(f"kind={kind!r} is not one of {', '.join(FRAMES)}")
    check_backend(kind)
    table = pa.Table.from_pylist(rows)
    if kind == "pyarrow":
        return table
    return nw.from_arrow(table, backend=kind).to_native()  # type: ignore[arg-type]


def check_backend(kind: str) -> None:
    """Raise MissingDependencyError if the library of ``kind``, one of FRAMES, is missing."""
    if find_spec(kind) is None:
        raise not_installed(f"a frame of {kind}", kind)


def is_frame(data: Any) -> bool:
    """Return whether ``data`` is a table of pandas, polars or pyarrow."""
    return nw.dependencies.is_into_dataframe(data)


def is_series(data: Any) -> bool:
    """Return whether ``data`` is a column of pandas, polars or pyarrow."""
    return nw.dependencies.is_into_series(data)


def as_frame(series: Any) -> Any:
    """Return a frame of one column alone, which is called "0" if it had no name."""
    narwhal = nw.from_native(series, series_only=True)
    return (narwhal if narwhal.name else narwhal.alias("0")).to_frame().to_native()


def as_series(frame: Any, like: Any) -> Any:
    """Return the first column of a frame, under the name of the column ``like``."""
    narwhal = nw.from_native(frame, eager_only=True)
    series = narwhal[narwhal.columns[0]]
    return series.alias(nw.from_native(like, series_only=True).name).to_native()


def rows_at(data: Any, indices: Any) -> Any:
    """Return rows of a frame or a column by index, renumbered where rows have labels."""
    rows = nw.from_native(data, eager_only=True, allow_series=True)[indices].to_native()
    return _renumbered(rows)


def stacked(top: Any, below: Any) -> Any:
    """Put the rows of one frame below those of another of its kind and columns, renumbered.

    Columns of ``top`` may be sparse; then so are those of the result.
    """
    parts = [nw.from_native(_dense(part), eager_only=True) for part in (top, below)]
    full = _renumbered(nw.concat(parts, how="vertical").to_native())
    sparse = _sparse_columns(top)
    return full.astype(sparse) if sparse else full


def with_flags(frame: Any, name: str, flags: Any) -> Any:
    """Return a frame with one more column, of true and false."""
    narwhal = nw.from_native(frame, eager_only=True)
    column = nw.new_series(name, list(flags), nw.Boolean, backend=narwhal.implementation)
    return narwhal.with_columns(column).to_native()


def _sparse_columns(frame: Any) -> dict[Any, Any]:
    """Return the dtypes of the sparse columns of a frame of pandas, by label."""
    if not nw.dependencies.is_pandas_dataframe(frame):
        return {}
    return {label: dtype for label, dtype in frame.dtypes.items() if hasattr(dtype, "fill_value")}


def _dense(frame: Any) -> Any:
    sparse = _sparse_columns(frame)
    return frame.astype({k: d.subtype for k, d in sparse.items()}) if sparse else frame


def _renumbered(data: Any) -> Any:
    return data.reset_index(drop=True) if hasattr(data, "reset_index") else data


def _column_to_arrow(name: str, series: nw.Series[Any]) -> pa.ChunkedArray:
    if series.implementation.value == "pyarrow":
        return series.to_native()  # in its chunks, whose dictionaries may differ
    native = series.to_native()
    if str(native.dtype) == "object":
        check_date_objects(name, native)
    try:
        if hasattr(native.dtype, "fill_value"):  # sparse: only pandas has such columns
            series = nw.from_native(native.sparse.to_dense(), series_only=True)
        elif hasattr(native, "cat") and series.implementation.value == "pandas":
            native = native.cat.rename_categories(_text_levels(native.cat.categories))
            series = nw.from_native(native, series_only=True)
        array = series.to_arrow()
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        reason = str(error.args[0]) if isinstance(error, pa.ArrowException) else str(error)
        if str(native.dtype) == "object":
            reason = _mixture(native) or reason
        raise SchemaError(
            f"column {name!r} of type {native.dtype} cannot be read: "
            f"{one_line(reason)}; convert it to one type, such as text"
        ) from error
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _mixture(cells: Any) -> str:
    """Say which cells of an object column first differ in type; "" if all are of one type."""
    first: dict[str, tuple[int, Any]] = {}
    for row, (cell, missing) in enumerate(zip(cells, cells.isna(), strict=True), start=1):
        if not missing:
            first.setdefault(type(cell).__name__, (row, cell))
        if len(first) == 2:
            return "it mixes " + " with ".join(
                f"{kind} (row {row}: {shortened(cell, MAX_QUOTED)!r})"
                for kind, (row, cell) in first.items()
            )
    return ""


def _plain_cells(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Make the type plain, and NaN missing, which it means in every dataframe but Arrow's."""
    kind = values.type
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_nan(values.fill_null(0)), pa.scalar(None, kind), values)
    if not pa.types.is_dictionary(kind):
        return _as_type(values, plain_type(kind))
    plain = plain_type(kind.value_type)
    parts = [(c.indices, c.dictionary.cast(plain)) for c in values.chunks]
    cells = pa.chunked_array([levels.take(codes) for codes, levels in parts], plain)
    if plain == plain_type(kind):
        return cells
    levels = pa.chunked_array([levels for _, levels in parts], plain).unique().drop_null()
    # each level occurs once, and missing cells are missing, not a level of their own
    codes = pc.index_in(cells, value_set=levels).combine_chunks()
    array = pa.DictionaryArray.from_arrays(codes, levels, ordered=kind.ordered)
    return pa.chunked_array([array])


def python_cells(values: pa.ChunkedArray) -> list[Any]:
    """Return cells as Python's values; as text where Python has none, as for the year 10000."""
    try:
        return list(values.to_pylist())
    except (OverflowError, ValueError):
        return list(values.cast(pa.string()).to_pylist())


def _as_type(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if values.type == kind:
        return values
    if pa.types.is_dictionary(kind) and not pa.types.is_dictionary(values.type):
        if pa.types.is_nested(kind.value_type):
            return values  # Arrow reads dictionaries of lists, but cannot make them
        values = values.cast(kind.value_type).dictionary_encode()
    return values.cast(kind)
