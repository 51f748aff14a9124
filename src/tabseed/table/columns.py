"""A column of a table as an array of numbers or codes, and back.

Reading gives float64 with NaN for missing cells, or int64 codes (:data:`MISSING`, :data:`UNSEEN`).
Reading is costly, so a :class:`~tabseed.table.table.Table` reads each column once.
"""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tabseed.errors import SchemaError
from tabseed.table.alike import positions
from tabseed.table.arrow_types import is_date, is_number, is_text
from tabseed.table.display import kind_option
from tabseed.table.kinds.detect import MAX_EXACT_INTEGER
from tabseed.table.kinds.numerals import read_texts
from tabseed.table.notation.date_fields import YEARS
from tabseed.table.notation.dates import as_whole, compiled, digits_of
from tabseed.table.notation.number_formats import NumberFormat
from tabseed.table.schema import DISCRETE, NUMERIC, Column

Numbers = NDArray[np.float64]
Codes = NDArray[np.int64]

MISSING = -1  # code of a missing cell in a discrete column
UNSEEN = -2  # code of a value that is not among the column's categories
LARGEST = 1e150  # numbers beyond it are refused: their squares would overflow
LAST = float(np.nextafter(YEARS[1] + 1, 0))  # moment of the year 9999 that is a float


# --- reading ------------------------------------------------------------------------------------


def read_numbers(column: Column, values: pa.ChunkedArray) -> Numbers:
    """Read a numeric column: float64 (n,), NaN where missing; SchemaError for non-numbers."""
    if column.kind not in NUMERIC:
        raise SchemaError(f"column {column.name!r} is {column.kind}, not a number")
    if values.null_count == len(values):
        return np.full(len(values), np.nan)
    if column.kind == "datetime":
        values = _to_microseconds(column, values)
    elif is_text(values.type):
        values = read_texts(column, values)
    elif not (is_number(values.type) or pa.types.is_boolean(values.type)):
        raise SchemaError(
            f"column {column.name!r} is stored as {values.type}, which is not a number; "
            "set another kind"
        )
    if pa.types.is_decimal(values.type):  # Arrow's own cast to floats is an ulp off
        values = values.cast(pa.string())
    whole = pa.types.is_integer(values.type) and column.kind != "datetime"
    numbers: Numbers = values.cast(pa.float64(), safe=False).to_numpy().copy()
    if column.kind == "datetime":  # what stands for "no end" would round to the year 10000
        numbers[(numbers > LAST) & pc.less_equal(values, YEARS[1]).fill_null(False).to_numpy()] = (
            LAST
        )
    beyond = _beyond(numbers, whole)
    if beyond.any():
        row = int(np.flatnonzero(beyond)[0])
        limit = "2^53, where digits are lost" if whole else f"{LARGEST:g}"
        raise SchemaError(
            f"column {column.name!r}, row {row + 1}: {values[row].as_py()} is infinite or beyond "
            f"{limit}; correct it or set another kind"
        )
    return numbers


def check_whole(column: Column, numbers: Numbers) -> None:
    """Raise SchemaError for the first number of an integer column that is not whole."""
    rows = np.flatnonzero(np.isfinite(numbers) & (numbers != np.round(numbers)))
    if column.kind == "integer" and len(rows):
        raise SchemaError(
            f"column {column.name!r}, row {rows[0] + 1}: {numbers[rows[0]]:g} is not a whole "
            "number; correct it or set continuous"
        )


def _beyond(numbers: Numbers, whole: bool) -> NDArray[np.bool_]:
    """Return a mask of the numbers that are too large to calculate with."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(numbers) > (MAX_EXACT_INTEGER if whole else LARGEST))


def read_codes(column: Column, values: pa.ChunkedArray) -> Codes:
    """Read a discrete column: int64 (n,), the index among its categories, MISSING or UNSEEN.

    A value that only spells a category otherwise is that category (:mod:`tabseed.table.alike`).
    """
    if column.kind not in DISCRETE:
        raise SchemaError(f"column {column.name!r} is {column.kind}, not a category")
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    missing = values.is_null().to_numpy()
    if not column.categories or missing.all():
        return np.where(missing, MISSING, UNSEEN)
    try:
        known = _value_set(column, values.type)
        if pa.types.is_floating(values.type):  # + 0.0 makes -0.0, which Arrow tells apart, 0.0
            values, known = (pc.add(v.cast(pa.float64()), 0.0) for v in (values, known))
        indices = pc.index_in(values, value_set=known).fill_null(UNSEEN).to_numpy()
        codes, reason = np.where(missing, MISSING, indices.astype(np.int64)), None
    except SchemaError as error:
        codes, reason = np.where(missing, MISSING, UNSEEN), error
    if (codes == UNSEEN).any() and not pa.types.is_nested(values.type):
        codes = _spelled_otherwise(column, values, codes)
    if reason is not None and not (codes >= 0).any():
        raise reason
    return codes


def _spelled_otherwise(column: Column, values: pa.ChunkedArray, codes: Codes) -> Codes:
    """Give unseen values that only spell a category otherwise its code, as "TRUE" does True."""
    unseen = codes == UNSEEN
    coded = values.filter(pa.array(unseen)).combine_chunks().dictionary_encode()
    found = positions(column.categories, coded.dictionary.to_pylist())
    levels = np.array([UNSEEN if index is None else index for index in found], dtype=np.int64)
    codes = codes.copy()
    codes[unseen] = levels[coded.indices.to_numpy()]
    return codes


def _to_microseconds(column: Column, values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind, pattern = values.type, column.datetime_format
    if is_text(kind) or is_number(kind):
        return _read_pattern(column, values)
    if not is_date(kind):
        raise SchemaError(f"column {column.name!r} is stored as {kind}, not as dates")
    if pattern and compiled(pattern).is_aware and getattr(kind, "tz", None) is None:
        raise SchemaError(
            f"column {column.name!r} is stored as {kind} without a time zone, but its pattern "
            f"{pattern} has one; give it the zone"
        )
    microseconds = pa.timestamp("us", tz=getattr(kind, "tz", None))
    finer = pa.types.is_timestamp(kind) and kind.unit == "ns"
    try:
        return values.cast(microseconds, safe=not finer).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise SchemaError(
            f"column {column.name!r} holds dates more than 290 000 years away; correct them"
        ) from error


def _read_pattern(column: Column, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Read text or whole numbers by the column's date pattern: int64 (n,), microseconds."""
    if column.datetime_format is None:
        example = f"datetime:{'%d/%m/%Y' if is_text(values.type) else '%Y%m%d'}"
        raise SchemaError(
            f"column {column.name!r} is stored as {values.type}, so its dates need a pattern, as "
            f"in {kind_option(column.name, example)}"
        )
    pattern = compiled(column.datetime_format)
    texts = values if is_text(values.type) else digits_of(as_whole(values), pattern)
    micros = pa.chunked_array([pattern.read(texts)])
    bad = np.flatnonzero(values.is_valid().to_numpy() & micros.is_null().to_numpy())
    if len(bad):
        cell = values[int(bad[0])].as_py()
        raise SchemaError(
            f"column {column.name!r}, row {bad[0] + 1}: {cell!r} is not a date ({pattern.text}); "
            "correct it, leave it empty, or set another kind or pattern"
        )
    return micros


def _value_set(column: Column, kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(list(column.categories)).cast(kind)
    except (pa.ArrowException, OverflowError):
        try:
            return pa.array(list(column.categories), type=kind)
        except (pa.ArrowException, OverflowError) as error:
            raise SchemaError(
                f"column {column.name!r} is stored as {kind}, "
                f"but its categories are of another type ({column.categories[0]!r})"
            ) from error


# --- writing ------------------------------------------------------------------------------------


def write_column(
    column: Column, cells: np.ndarray, target: pa.DataType
) -> tuple[pa.Array, np.ndarray | None]:
    """Write numbers or codes as a column of the type ``target``.

    Also return what reading that column would give, if this is known without reading it: for
    types that hold the cells exactly (float64, integers, microseconds, distinct categories).
    """
    if column.kind in DISCRETE:
        return _write_codes(column, cells, target)
    missing = np.isnan(cells)
    numbers = np.where(missing, np.nan, cells)  # a copy, because Arrow makes none
    if pa.types.is_null(target):
        return pa.nulls(len(numbers)), np.full(len(numbers), np.nan)
    if column.kind == "datetime":
        return _write_dates(column, numbers, missing, target)
    if pa.types.is_integer(target):
        whole = np.where(missing, 0, np.round(numbers)).astype(np.int64)
        exact = np.where(missing, np.nan, whole)
        array = pa.array(whole, mask=missing).cast(target)
        return array, None if _beyond(exact, whole=True).any() else exact
    array = pa.array(numbers, mask=missing)
    if pa.types.is_decimal(target):
        return pa.array(_decimals(array.to_pylist(), target.scale), target), None
    if pa.types.is_float64(target) and not _beyond(numbers, whole=False).any():
        return array, numbers
    if is_text(target):
        return NumberFormat(column.number_format or "point").write(array), None
    return array.cast(target, safe=False), None


def _write_codes(
    column: Column, codes: np.ndarray, target: pa.DataType
) -> tuple[pa.Array, np.ndarray | None]:
    if pa.types.is_null(target) or not column.categories:
        return pa.nulls(len(codes), target), np.full(len(codes), MISSING)
    base = target.value_type if pa.types.is_dictionary(target) else target
    indices, levels = pa.array(codes, mask=codes < 0), _value_set(column, base)
    if pa.types.is_dictionary(target):
        cells = indices.cast(target.index_type)
        array = pa.DictionaryArray.from_arrays(cells, levels, ordered=target.ordered)
    else:
        array = levels.take(indices)
    distinct = set(levels.to_pylist())  # in this type two categories may be equal, or one be NaN
    if len(distinct) < len(levels) or any(level != level for level in distinct):
        return array, None
    return array, np.where(codes < 0, MISSING, codes)


def _write_dates(
    column: Column, numbers: Numbers, missing: NDArray[np.bool_], target: pa.DataType
) -> tuple[pa.Array, np.ndarray | None]:
    whole = np.where(missing, 0, numbers).astype(np.int64)
    stamps = pa.array(whole, mask=missing)
    if is_text(target):
        return compiled(str(column.datetime_format)).write(stamps), None
    if not is_date(target):
        digits = compiled(str(column.datetime_format)).write(stamps).cast(pa.int64())
        return digits.cast(target), None
    zone = getattr(target, "tz", None)
    finer = pa.types.is_timestamp(target) and target.unit == "ns"
    try:  # safe only towards nanoseconds, which overflow; towards all others digits are cut off
        array = stamps.cast(pa.timestamp("us", tz=zone)).cast(target, safe=finer)
    except pa.ArrowInvalid as error:
        raise SchemaError(
            f"column {column.name!r} is stored as {target}, which holds no dates before 1678 or "
            "after 2261; store it in microseconds"
        ) from error
    exact = pa.types.is_timestamp(target) and target.unit == "us"
    return array, np.where(missing, np.nan, whole) if exact else None


def _decimals(values: list[float | None], scale: int) -> list[Decimal | None]:
    """Round floats, read by their shortest text: 0.1 is 0.10000, not 0.10000000000000000555."""
    unit = Decimal(1).scaleb(-scale)
    with localcontext(prec=100):
        return [None if v is None else Decimal(repr(v)).quantize(unit) for v in values]
