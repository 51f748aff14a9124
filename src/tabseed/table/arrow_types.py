"""Sorts of Arrow types that the kinds of columns ask for."""

from __future__ import annotations

import pyarrow as pa


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type is text, of any size."""
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def is_real(kind: pa.DataType) -> bool:
    """Return whether a type is of reals: floats or decimals."""
    return bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def is_number(kind: pa.DataType) -> bool:
    """Return whether a type is of integers, reals or decimals."""
    return bool(pa.types.is_integer(kind) or is_real(kind))


def is_date(kind: pa.DataType) -> bool:
    """Return whether a type is of dates, with or without a time."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def can_be_category(kind: pa.DataType) -> bool:
    """Return whether values of a plain type can be categories: true/false, numbers, text."""
    fits = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_string)
    return any(fit(kind) for fit in fits)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the type in which a column is kept: one type for all text, and plain categories."""
    if is_text(kind):
        return pa.string()
    if not pa.types.is_dictionary(kind):
        return kind
    levels = plain_type(kind.value_type)
    if not can_be_category(levels):
        return levels  # dates, lists, ... : being categories adds nothing to their values
    return pa.dictionary(pa.int32(), levels, kind.ordered)
