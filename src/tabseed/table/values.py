"""Single values as a user names them: missing or not, which level is meant, which ones are near."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

import numpy as np

from tabseed.parameters import shown
from tabseed.table.alike import truth_of

NEAREST = 5  # levels that a message lists
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d{0,30})(\.\d{1,30})?")  # not 007, which is a code


def is_missing(value: Any) -> bool:
    """Return whether a single value stands for a missing one: None, NaN, pandas' NA and NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    if isinstance(value, float | np.floating | np.datetime64):
        return bool(value != value)
    return False


def plain(value: Any) -> Any:
    """Return a scalar of numpy or Arrow as Python's own value; any other value as it is.

    A float of fewer than 64 bits is the decimal number that it shows: 26.1, not 26.1000003815.
    """
    if isinstance(value, np.float32 | np.float16):
        return float(str(value))
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        return value.item()
    return value.as_py() if hasattr(value, "as_py") else value


def levels_named(value: Any, levels: Sequence[Any]) -> list[int]:
    """Return the indices of the levels that a value names: [] for none, several if ambiguous.

    The level that is equal and of the same sort (text, number, true/false), or else those that are
    spelled alike (1, 1.0 and "1"; True and "true"), or else, if all levels say yes or no, those
    that say the same (True, 1 and "yes"). 007 is not 7: who names a value writes a code as it is;
    in cells, where programs drop the zeros, it is (:mod:`tabseed.table.alike`).

    >>> levels_named(1, ["0", "1"]), levels_named("7", ["007", "7", 7]), levels_named(2, ["a"])
    ([1], [1], [])
    """
    for key in (_itself, _spelling):
        wanted = key(value)
        named = [i for i, level in enumerate(levels) if key(level) == wanted]
        if named and wanted is not None:
            return named
    truths, meant = [truth_of(level) for level in levels], truth_of(value)
    if len(set(truths)) != len(truths) or None in truths or meant is None:
        return []
    return [i for i, truth in enumerate(truths) if truth == meant]


def spelled_alike(one: Sequence[Any], other: Sequence[Any]) -> list[int] | None:
    """Return for each level of ``one`` the index of the level of ``other`` that it names, or -1.

    None if a level names several, or several name the same.
    """
    named = [levels_named(level, other) for level in one]
    if any(len(indices) > 1 for indices in named):
        return None
    found = [indices[0] if indices else -1 for indices in named]
    known = [i for i in found if i >= 0]
    return found if len(set(known)) == len(known) else None


def near(value: Any, levels: Sequence[Any]) -> str:
    """Return a few levels as text for a message: those nearest to the value, or the first."""
    if _is_number(value) and any(map(_is_number, levels)):
        numbers = [level for level in levels if _is_number(level)]
        closest = sorted(numbers, key=lambda level: abs(float(level) - float(value)))
        return f"the nearest are {_listed(sorted(closest[:NEAREST]))}"
    texts = {str(level).casefold(): level for level in reversed(levels)}
    close = get_close_matches(str(value).casefold(), list(texts), n=NEAREST)
    if close:
        return f"the nearest are {_listed([texts[text] for text in close])}"
    more = f" and {len(levels) - NEAREST} more" if len(levels) > NEAREST else ""
    return f"there are {_listed(levels[:NEAREST])}{more}" if len(levels) else "there are none"


def _listed(levels: Sequence[Any]) -> str:
    return ", ".join(map(shown, levels))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _itself(value: Any) -> Hashable | None:
    sorts: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "flag"),
        (str, "text"),
        ((int, float, Decimal), "number"),
    )
    sort = next((name for kinds, name in sorts if isinstance(value, kinds)), None)
    return (sort, value) if sort and isinstance(value, Hashable) else None


def _spelling(value: Any) -> Hashable | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = value.strip()
        if _NUMBER.fullmatch(text):
            return Decimal(text)
        return text.lower() if text.lower() in ("true", "false") else text
    if isinstance(value, int | float):
        return Decimal(repr(value))
    return value if isinstance(value, Decimal) else None
