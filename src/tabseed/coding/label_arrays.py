"""Labels that a caller passes as arrays, lists or series: read, checked, matched by spelling.

Notation: n rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from tabseed.errors import SchemaError
from tabseed.parameters import shown
from tabseed.table.values import is_missing, plain, spelled_alike

MAX_COMPARED = 1_000  # levels of a side, beyond which they are not compared by spelling
SHOWN_LEVELS = 5
_DATES = (date, datetime, time, timedelta, np.datetime64, np.timedelta64)


def read_labels(given: Sequence[Any]) -> list[np.ndarray]:
    """Return the labels of one table, or of a table and its reference, as arrays (n,).

    Labels of the reference that are spelled otherwise ("0" for 0, 1 for True) become those of the
    table. SchemaError, with the row, for a missing or infinite label and for dates, which are
    neither classes nor numbers; and if it cannot be told which labels of the two are the same.
    """
    arrays = [_read(labels) for labels in given]
    return [arrays[0], *(_matched(arrays[0], other) for other in arrays[1:])]


def _read(labels: Any) -> np.ndarray:
    masked = np.ma.getmaskarray(labels) if isinstance(labels, np.ma.MaskedArray) else None
    try:
        array = np.asarray(labels)
    except ValueError as error:  # rows of different lengths
        raise SchemaError("labels must be an array of one dimension, one for each row") from error
    if array.ndim == 1 and array.dtype.kind in "US" and isinstance(labels, list | tuple):
        array = np.array(labels, dtype=object)  # numpy makes the text "nan" of a missing label
    if array.ndim != 1:
        raise SchemaError(f"labels must be an array of one dimension, got {array.ndim} dimensions")
    if masked is not None:
        _refuse(masked, "no label, or an infinite one; leave such rows out")
    kind = array.dtype.kind
    if kind in "Mm":
        _refuse(np.isnat(array), "no label; leave such rows out")
        _refuse(np.ones(len(array), dtype=bool), _DATED)
    if kind == "f":
        _refuse(~np.isfinite(array), "no label, or an infinite one; leave such rows out")
    return array if kind in "biufUS" else _of_objects(array)


_DATED = "a date for a label; make it a class or a number, such as days since the first"


def _of_objects(array: np.ndarray) -> np.ndarray:
    """Check Python's own values, and return them as numbers or flags if all are that."""
    values = [plain(value) for value in array.tolist()]
    gap = [
        is_missing(v) or (isinstance(v, float | Decimal) and v in (np.inf, -np.inf)) for v in values
    ]
    _refuse(np.array(gap, dtype=bool), "no label, or an infinite one; leave such rows out")
    kinds = set(map(type, values))
    _refuse(np.array([isinstance(v, _DATES) for v in values], dtype=bool), _DATED)
    if kinds and kinds <= {int, float, Decimal}:
        numbers = [float(v) if isinstance(v, Decimal) else v for v in values]
        return np.array(numbers, dtype=float if kinds != {int} else None)
    if kinds == {bool}:
        return np.array(values, dtype=bool)
    wrong = np.array([not isinstance(v, str | bool | int | float | bytes) for v in values])
    _refuse(wrong, "a label that is neither text nor a number; give each row one of them")
    read = np.empty(len(values), dtype=object)
    read[:] = values
    return read


def check_shared(classes: np.ndarray, coded: Sequence[np.ndarray]) -> None:
    """Raise SchemaError if the class numbers of a table and its reference have none in common.

    A reference of a single class of the same type is none of the table's only by its rows.
    """
    levels = [classes[np.unique(codes)].tolist() for codes in coded]
    if len(coded) < 2 or not all(levels) or set(levels[0]) & set(levels[1]):
        return
    alike = isinstance(levels[0][0], str) == isinstance(levels[1][0], str)
    if not alike or min(map(len, levels)) > 1:
        raise SchemaError(
            f"the reference's labels ({_some(levels[1])}) have none in common with the labels "
            f"({_some(levels[0])}); spell them alike"
        )


def _refuse(rows: np.ndarray, why: str) -> None:
    if rows.any():
        raise SchemaError(f"row {int(np.flatnonzero(rows)[0]) + 1} has {why}")


def _matched(labels: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the reference's labels, spelled as those of the table."""
    if labels.dtype.kind in "iuf" and reference.dtype.kind in "iuf":
        return reference
    ours, theirs = _levels(labels), _levels(reference)
    if not ours or not theirs:
        return reference
    if len(ours) > MAX_COMPARED or len(theirs) > MAX_COMPARED:
        if labels.dtype.kind in "iuf" or reference.dtype.kind in "iuf":
            raise SchemaError(
                "the labels are numbers in one table and not in the other: make both of one type"
            )
        return reference
    named = spelled_alike(theirs, ours)
    if named is None:
        raise SchemaError(
            f"the reference's labels ({_some(theirs)}) can be matched with the labels "
            f"({_some(ours)}) in several ways; spell them alike"
        )
    as_ours = {
        level: ours[index] if index >= 0 else level
        for level, index in zip(theirs, named, strict=True)
    }
    matched = np.empty(len(reference), dtype=object)
    matched[:] = [as_ours[value] for value in reference.tolist()]
    return _of_objects(matched)


def _levels(labels: np.ndarray) -> list[Any]:
    return list(dict.fromkeys(labels.tolist()))


def _some(levels: list[Any]) -> str:
    more = ", ..." if len(levels) > SHOWN_LEVELS else ""
    return ", ".join(map(shown, levels[:SHOWN_LEVELS])) + more
