"""Column labels of any type as text, the only form that the rest of the library knows.

pandas allows whole numbers, NaN, None, tuples (of a MultiIndex) and dates as labels of columns.
:func:`name_of` gives the text of any of them, so ``target=1`` means the column that is labelled 1;
two labels with the same text are refused where a frame comes in.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def name_of(label: Any) -> str:
    """Return the text of a label: labels that pandas takes as equal (2, 2.0, numpy's 2) share it.

    >>> name_of("age"), name_of(2.0), name_of(("a", np.int64(2)))
    ('age', '2', "('a', 2)")
    """
    if isinstance(label, tuple):
        return repr(_python(label))
    label = _python(label)
    whole = isinstance(label, float) and label.is_integer() and abs(label) < 2**53
    return str(int(label) if whole else label)


def to_plain(label: Any) -> Any:
    """Return a label in the form that JSON stores; a label of another type becomes its text."""
    if isinstance(label, tuple):
        return {"tuple": [to_plain(part) for part in label]}
    label = _python(label)
    if label is None or isinstance(label, str | bool | int):
        return label
    return {"float": repr(label)} if isinstance(label, float) else str(label)


def from_plain(plain: Any) -> Any:
    """Return the label that :func:`to_plain` stored; ValueError for anything else."""
    if isinstance(plain, dict) and set(plain) == {"float"}:
        return float(plain["float"])
    if isinstance(plain, dict) and set(plain) == {"tuple"}:
        return tuple(from_plain(part) for part in plain["tuple"])
    if plain is None or isinstance(plain, str | bool | int | float):  # floats: of older files
        return plain
    raise ValueError(f"{plain!r} is not the label of a column")


def _python(label: Any) -> Any:
    if isinstance(label, tuple):
        return tuple(_python(part) for part in label)
    whole = isinstance(label, np.generic) and not isinstance(label, np.datetime64 | np.timedelta64)
    return label.item() if whole else label
