"""Numbers and intervals as text: one way to write them, wherever people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

THOUSANDTHS, DIGITS = ".3f", ".3g"  # forms of numbers between -1 and 1, and of any scale
WHOLE = 1e15  # a whole float below it is written with all its digits
FEW = 57  # rows: of fewer an answer warns
NONE = "none"  # stands for a number that does not exist


def number(value: float | None, form: str = THOUSANDTHS) -> str:
    """Write a number by a format specification; one that rounds to 0 has no minus sign.

    NaN and None become "none".

    >>> number(-0.0004), number(-0.0004, "+.2f"), number(-0.0004, ".1g"), number(float("nan"))
    ('0.000', '+0.00', '-0.0004', 'none')
    """
    if value is None or math.isnan(value):
        return NONE
    text = format(value, form)
    if text.startswith("-") and not text.strip("-0.,%"):
        return ("+" if form.startswith("+") else "") + text[1:]
    return text


def span(low: float, high: float, form: str = THOUSANDTHS) -> str:
    """Write the two ends of an interval.

    >>> span(-0.0001, 0.25)
    '0.000 to 0.250'
    """
    return f"{number(low, form)} to {number(high, form)}"


def cell(value: Any, form: str = ".6g") -> str:
    """Write any value as a cell of a table: whole numbers whole, a missing value empty.

    >>> cell(0.1 + 0.2), cell(1234567.0), cell(None), cell("a")
    ('0.3', '1234567', '', 'a')
    """
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    return number(value, ".0f" if value.is_integer() and abs(value) < WHOLE else form)


def listed(names: Sequence[str]) -> str:
    """Write names as a list in a sentence.

    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else str(last)


def few_rows(counts: Mapping[str, int]) -> tuple[str, ...]:
    """Return a warning for each kind of rows of which there are fewer than 57.

    >>> few_rows({"training": 300, "held-out": 40})
    ('Only 40 held-out rows: 40 others could give quite another answer.',)
    """
    return tuple(
        f"Only {n} {kind} row{'s' * (n != 1)}: {f'{n} others' if n != 1 else 'another one'} could "
        "give quite another answer."
        for kind, n in counts.items()
        if n < FEW
    )
