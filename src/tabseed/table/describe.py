"""What ``tabseed info`` says about a column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabseed.table.notation.dates import compiled
from tabseed.table.schema import LEFT_OUT, NUMERIC, Category, Column
from tabseed.table.table import Table


def describe(table: Table, column: Column) -> dict[str, Any]:
    """Return the kind of a column, the reason for it, and a summary of its values."""
    values = table.to_arrow()[column.name]
    return {
        "name": column.name,
        "kind": column.kind,
        "missing": values.null_count,
        "distinct": _distinct(values),
        "values": _shown_values(table, column),
        "reason": column.reason,
    }


def _distinct(values: pa.ChunkedArray) -> int | None:
    """Return the number of distinct values, None for types that cannot be compared (lists)."""
    try:
        return len(pc.unique(values.drop_null()))
    except pa.ArrowNotImplementedError:
        return None


def _shown_values(table: Table, column: Column, most: int = 3) -> str:
    """Return a range or the commonest levels as text; never a value of an id or free text."""
    if column.kind in LEFT_OUT:
        return "not shown"
    if column.kind in NUMERIC:
        numbers = table.numbers(column.name)
        if np.isnan(numbers).all():
            return ""
        ends = (np.nanmin(numbers), np.nanmax(numbers))
        low, high = (number_text(end, column) for end in ends)
        return low if low == high else f"{low} to {high}"
    codes = table.codes(column.name)
    counts = np.bincount(codes[codes >= 0], minlength=len(column.categories))
    common = np.argsort(-counts, kind="stable")[:most]
    levels = ", ".join(level_text(column.categories[code]) for code in common)
    return levels + (", ..." if len(column.categories) > most else "")


def level_text(level: Category, most: int = 30) -> str:
    """Return a level as text; a code stored as a real number, 3.0, is 3."""
    whole = isinstance(level, float) and level.is_integer()
    return str(int(level) if whole else level)[:most]


def number_text(number: float, column: Column) -> str:
    """Return a number of a column as text: dates as dates, whole numbers whole."""
    if column.kind == "datetime":
        stamp = str(np.datetime64(int(number), "us").astype("datetime64[s]"))
        if column.datetime_format and compiled(column.datetime_format).is_time:
            return stamp.removeprefix("1970-01-01T")
        return stamp.removesuffix("T00:00:00")
    return f"{number:.0f}" if column.kind == "integer" else f"{number:.6g}"
