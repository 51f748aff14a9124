"""Solve an equation or an order for one of its columns."""

from __future__ import annotations

from dataclasses import dataclass

from tabseed.rules.meaning import Meaning, words
from tabseed.rules.tree import Calculation, Comparison, Negative, Number, Value, Word

FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "="}


@dataclass(frozen=True)
class Solved:
    """``column`` ``sign`` ``value``, where the value does not depend on the column."""

    column: str
    sign: str
    value: Value


def solutions(comparison: Comparison, meaning: Meaning) -> list[Solved]:
    """Return what a comparison of two values says of each column that it can be solved for.

    Columns that stand alone on a side come first, and of an order the larger one. A column can be
    solved for if it occurs once and is reached through +, -, and factors.
    """
    (sign,), (left, right) = comparison.signs, comparison.values
    if sign not in FLIPPED:
        return []
    found = []
    names = [meaning.column(word) for word in words(comparison)]
    for column in dict.fromkeys(c.name for c in names if c is not None):
        if sum(c is not None and c.name == column for c in names) != 1:
            continue
        for side, other, way in ((left, right, sign), (right, left, FLIPPED[sign])):
            solved = _isolated(side, other, way, column, meaning)
            if solved is not None:
                found.append((not isinstance(side, Word), solved.sign in ("<", "<="), solved))
    return [solved for *_, solved in sorted(found, key=lambda one: one[:2])]


def _isolated(side: Value, other: Value, sign: str, column: str, meaning: Meaning) -> Solved | None:
    """Move all from ``side`` to ``other`` until the column stands alone; None if it cannot."""
    if isinstance(side, Word):
        named = meaning.column(side)
        return Solved(column, sign, other) if named is not None and named.name == column else None
    if isinstance(side, Negative):
        return _isolated(side.of, Negative(other), FLIPPED[sign], column, meaning)
    if not isinstance(side, Calculation):
        return None
    left, right, here = side.left, side.right, column in meaning.columns(side.left)
    if not here and column not in meaning.columns(right):
        return None
    if side.sign == "+":
        inner, rest = (left, right) if here else (right, left)
        return _isolated(inner, Calculation("-", other, rest), sign, column, meaning)
    if side.sign == "-" and here:
        return _isolated(left, Calculation("+", other, right), sign, column, meaning)
    if side.sign == "-":
        return _isolated(right, Calculation("-", left, other), FLIPPED[sign], column, meaning)
    factor = right if here else left
    if side.sign == "*" or (side.sign == "/" and here):
        if not isinstance(factor, Number) or not factor.days:
            if sign != "=":
                return None  # the order depends on the sign of the factor
        elif factor.days < 0:
            sign = FLIPPED[sign]
        moved = Calculation("/" if side.sign == "*" else "*", other, factor)
        return _isolated(left if here else right, moved, sign, column, meaning)
    return None
