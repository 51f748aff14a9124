"""Whether the first line of a text file holds names, or the first row of a file without names."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabseed.errors import FileError, one_line

_NUMBER = re.compile(r"[-+]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][-+]?[0-9]+)?")
_NAMED = 3  # names that the message shows


def check_header(path: Path, table: pa.Table) -> None:
    """Raise FileError if the names of the columns are values, as in a file without a header.

    They are if there are columns of numbers, all of them named by a number, and at least half of
    all names stand among the cells of their own column. Names at equal steps (0, 1, 2; 2019,
    2020), as pandas gives and wide tables have, are names.
    """
    numbers = [name for name in table.column_names if _is_number(table[name].type)]
    if not numbers or not all(map(_NUMBER.fullmatch, numbers)):
        return
    steps = np.diff([_value(name) for name in numbers])
    if len(steps) and np.allclose(steps, steps[0] if len(steps) > 1 else 1):
        return
    among = sum(_is_among(name, table[name]) for name in table.column_names)
    if 2 * among >= table.num_columns and among > 1:
        shown = ", ".join(repr(name) for name in table.column_names[:_NAMED])
        raise FileError(
            f"{path}: its first line holds values, not names ({one_line(shown)}, ...); put a line "
            "of names above it"
        )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _value(name: str) -> float:
    return float(name.replace(",", "."))


def _is_among(name: str, cells: pa.ChunkedArray) -> bool:
    if _is_number(cells.type):
        return bool(pc.any(pc.equal(cells, _value(name))).as_py())
    return bool(pa.types.is_string(cells.type) and pc.any(pc.equal(cells, name)).as_py())
