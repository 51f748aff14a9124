"""Values that differ from known categories only in spelling: 1 and "1.0", True and "TRUE"."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from tabseed.table.schema import Category

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TRUTHS = {
    "true": True, "t": True, "yes": True, "y": True,
    "false": False, "f": False, "no": False, "n": False,
}  # fmt: skip


def positions(categories: Sequence[Category], values: Iterable[Any]) -> list[int | None]:
    """Return for each value the index of the category that it spells otherwise; None if none.

    Numbers are alike by value, whatever their leading zeros, and booleans whatever their case. If
    there are at most two categories, one false and the other true, then 0, no, n and f are false
    as well, and 1, yes, y and t are true. A spelling of two categories is one of neither.
    """
    truths = [truth_of(category) for category in categories]
    two_way = len(categories) <= 2 and None not in truths and len(set(truths)) == len(truths)
    key = truth_of if two_way else _key
    known: dict[Any, int | None] = {}
    for index, category in enumerate(categories):
        spelling = key(category)
        known[spelling] = None if spelling in known else index
    known.pop(None, None)
    return [known.get(key(value)) for value in values]


def _key(value: Any) -> tuple[str, float] | None:
    """Return what values that differ only in spelling share; None if there is no such thing."""
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in ("true", "false"):
            return "boolean", float(text.lower() == "true")
        if not _NUMBER.fullmatch(text):
            return None
        value = float(text)
    if isinstance(value, bool):
        return "boolean", float(value)
    if not isinstance(value, int | float | Decimal):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):  # a signalling NaN; a whole number beyond all floats
        return None
    return ("number", number) if math.isfinite(number) else None


def truth_of(value: Any) -> bool | None:
    """Return what a flag, a number 0 or 1, or a word such as "yes" says; None for all others."""
    if isinstance(value, str) and value.strip().lower() in _TRUTHS:
        return _TRUTHS[value.strip().lower()]
    key = _key(value)
    return bool(key[1]) if key is not None and key[1] in (0.0, 1.0) else None
