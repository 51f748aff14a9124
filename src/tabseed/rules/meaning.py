"""What a rule or condition says of the rows of a table: its words looked up in a schema.

Notation: n rows. A condition on a row holds, does not hold, or is unknown because a cell is
missing; "not", "and", "or" keep to that (Kleene's three values). Dates are days since 1970.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Protocol

import numpy as np

from tabseed.errors import SchemaError
from tabseed.parameters import shown
from tabseed.rules.language import parse_condition, parse_rule
from tabseed.rules.tree import (
    Among,
    Calculation,
    Comparison,
    Condition,
    Group,
    Implication,
    Joined,
    Moment,
    Negative,
    Not,
    Number,
    State,
    Statement,
    Value,
    Word,
)
from tabseed.table import MISSING, Table
from tabseed.table.display import counted
from tabseed.table.schema import DISCRETE, LEFT_OUT, NUMERIC, Column, Schema
from tabseed.table.values import levels_named, near

MICROSECONDS = 86_400e6  # in a day
MOST_DECIMALS = 6  # of a column that is rounded
ROUNDING = 0.505  # of a column's last decimal: how far rounding moves a number, at most
RELATIVE = 1e-9  # difference of numbers that are calculated to be equal
MOMENT = 1e-8  # days: about a millisecond
MISSING_CELL = -math.inf
SHOWN = 3  # rows that a message shows


class Rows(Protocol):
    """What rules look at: a Table, or columns by name before they are one."""

    @property
    def schema(self) -> Schema:
        """The columns."""

    def numbers(self, name: str) -> np.ndarray:
        """Return a numeric column (n,); dates in microseconds since 1970."""

    def codes(self, name: str) -> np.ndarray:
        """Return a discrete column (n,)."""

    def values(self, name: str) -> list[Any]:
        """Return any column as Python values; of ids and free text there is nothing else."""

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Truth:
    """Of each row: whether a condition holds, and whether that is known; (n,) bool each."""

    holds: np.ndarray
    known: np.ndarray

    def __invert__(self) -> Truth:
        return Truth(self.known & ~self.holds, self.known)

    def __and__(self, other: Truth) -> Truth:
        refuted = (self.known & ~self.holds) | (other.known & ~other.holds)
        return Truth(self.holds & other.holds, refuted | (self.known & other.known))

    def __or__(self, other: Truth) -> Truth:
        return ~(~self & ~other)


@dataclass(frozen=True)
class Meaning:
    """Evaluates trees on tables of a schema; ``what`` begins each message.

    ``grains``: the unit of the last decimal of columns in real rows; of others the cells show it.
    """

    schema: Schema
    what: str
    grains: Mapping[str, float] = field(default_factory=dict, compare=False, hash=False)

    def refused(self, why: str) -> SchemaError:
        """Return the error for a tree that says nothing about tables of the schema."""
        return SchemaError(f"{self.what}: {why}" if self.what else why)

    # -- words

    def column(self, word: Value) -> Column | None:
        """Return the column that a word names, None for what is no column."""
        if not isinstance(word, Word) or word.sort == "level":
            return None
        if word.text in self.schema:
            return self.schema[word.text]
        if word.sort == "column":
            self.schema[word.text]  # raises, with the nearest name
        return None

    def known_column(self, word: Word) -> Column:
        """Return the column that a word names; SchemaError, with the nearest name, for others."""
        column = self.column(word)
        if column is not None:
            return column
        try:
            return self.schema[word.text]
        except SchemaError as error:
            raise self.refused(str(error)) from error

    def columns(self, part: Statement | Value) -> tuple[str, ...]:
        """Return the names of all columns that a tree names, in order."""
        names = (self.column(word) for word in words(part))
        return tuple(dict.fromkeys(c.name for c in names if c is not None))

    # -- values

    def is_date(self, value: Value) -> bool:
        """Return whether a value is a point in time; SchemaError where dates are no numbers."""
        if isinstance(value, Moment):
            return True
        if isinstance(value, Word):
            return self.number_column(value).kind == "datetime"
        if isinstance(value, Negative):
            if self.is_date(value.of):
                raise self.refused(f"{value.of} is a date, which has no sign")
            return False
        if isinstance(value, Calculation):
            if (
                value.sign in ("/", "%")
                and isinstance(value.right, Number)
                and not value.right.days
            ):
                raise self.refused(f"{value} divides by zero")
            left, right = self.is_date(value.left), self.is_date(value.right)
            if value.sign == "-" and left:
                return not right  # of two dates the days between them
            if value.sign == "+" and left != right:
                return True
            if left or right:
                raise self.refused(
                    f"{value} is no date and no number; of two dates take the difference"
                )
        return False

    def number_column(self, word: Word) -> Column:
        """Return a column of numbers or dates; SchemaError for a word that names none."""
        if word.sort == "level":
            raise self.refused(f"{word} is a level, where a number is needed")
        column = self.known_column(word)
        if column.kind in NUMERIC or column.coded:
            return column
        raise self.refused(f"column {column.name!r} is {column.kind}, so it has no numbers")

    def numbers(self, value: Value, table: Rows) -> np.ndarray:
        """Return a value in each row (n,), NaN where a cell is missing, or where it has none."""
        if isinstance(value, Number | Moment):
            return np.full(len(table), value.days)
        if isinstance(value, Word):
            column = self.number_column(value)
            found = table.numbers(column.name)
            return found / MICROSECONDS if column.kind == "datetime" else found
        if isinstance(value, Negative):
            return -self.numbers(value.of, table)
        left, right = self.numbers(value.left, table), self.numbers(value.right, table)
        with np.errstate(all="ignore"):
            found = _calculated(value.sign, left, right)
        return np.where(np.isfinite(found), found, np.nan)

    def size(self, value: Value, table: Rows) -> np.ndarray:
        """Return the largest term (n,) of a value, which the errors of floats are small beside."""
        if isinstance(value, Negative):
            return self.size(value.of, table)
        if isinstance(value, Calculation) and value.sign in ("+", "-"):
            return np.asarray(np.fmax(self.size(value.left, table), self.size(value.right, table)))
        return np.asarray(np.abs(self.numbers(value, table)))

    def grain(self, value: Value, table: Rows) -> float:
        """Return the last decimal's unit of a column; 0 for other values."""
        column = self.column(value)
        if column is None or column.kind == "datetime":
            return 0.0
        known = self.grains.get(column.name)
        return grain_of(table.numbers(column.name)) if known is None else known

    # -- conditions

    def truth(self, condition: Condition, table: Rows) -> Truth:
        """Return where a condition holds."""
        if isinstance(condition, Not):
            return ~self.truth(condition.of, table)
        if isinstance(condition, Joined):
            parts = [self.truth(part, table) for part in condition.parts]
            join = Truth.__and__ if condition.word == "and" else Truth.__or__
            return reduce(join, parts)
        if isinstance(condition, State):
            missing = _missing(table, self.known_column(condition.column))
            return Truth(missing == condition.missing, np.ones(len(table), dtype=bool))
        if isinstance(condition, Among):
            each = [
                self.compared(condition.value, "=", choice, table) for choice in condition.choices
            ]
            return reduce(Truth.__or__, each)
        pairs = zip(condition.values, condition.signs, condition.values[1:], strict=False)
        return reduce(Truth.__and__, [self.compared(*pair, table) for pair in pairs])

    def compared(self, left: Value, sign: str, right: Value, table: Rows) -> Truth:
        """Return where a comparison of two values holds."""
        if self.of_levels(left, right):
            return self.levels_compared(left, sign, right, table)
        if self.of_levels(right, left):
            return self.levels_compared(right, MIRRORED[sign], left, table)
        if self.is_date(left) != self.is_date(right):
            raise self.refused(f"{left} {sign} {right} compares a date with a number")
        x, y = self.numbers(left, table), self.numbers(right, table)
        known = ~(np.isnan(x) | np.isnan(y))
        with np.errstate(invalid="ignore"):
            close = RELATIVE * np.maximum(self.size(left, table), self.size(right, table))
            if self.is_date(left):
                close = np.full(len(x), MOMENT)
            elif sign in ("=", "!="):
                close = close + ROUNDING * max(self.grain(left, table), self.grain(right, table))
            if isinstance(left, Word | Number) and isinstance(right, Word | Number):
                close = np.zeros(len(x))  # nothing was calculated
            return Truth(known & _compare(sign, x, y, close), known)

    def of_levels(self, value: Value, other: Value) -> bool:
        """Return whether a value is a column whose levels are meant, not their numbers."""
        column = self.column(value)
        if column is None or column.kind not in DISCRETE:
            return False
        if not column.coded:
            return True
        return isinstance(other, Word) and self.column(other) is None

    def levels_compared(self, left: Value, sign: str, right: Value, table: Rows) -> Truth:
        """Return where a comparison of a column of levels holds."""
        column = self.column(left)
        assert column is not None
        if sign not in ("=", "!=") and column.kind != "ordinal":
            raise self.refused(
                f"column {column.name!r} is {column.kind}; only ordered levels have {sign}"
            )
        codes = table.codes(column.name)
        known = codes != MISSING
        other = self.column(right)
        if other is None:
            asked = np.full(len(table), self.level(column, right))
        elif other.kind in DISCRETE:
            places = [self.place(column, level) for level in other.categories]
            theirs = table.codes(other.name)
            asked = np.append(np.array(places, dtype=np.int64), -2)[theirs]
            known &= theirs != MISSING
        else:
            raise self.refused(
                f"column {other.name!r} is {other.kind} and {column.name!r} {column.kind}; they "
                "cannot be compared"
            )
        return Truth(known & _compare(sign, codes, asked, np.zeros(len(table))), known)

    def place(self, column: Column, level: object) -> int:
        """Return the index of another column's level among those of a column, -2 if it has none."""
        named = levels_named(level, column.categories)
        return named[0] if len(named) == 1 else -2

    def level(self, column: Column, value: Value) -> int:
        """Return the index of the level that a value names; SchemaError for none or several."""
        if isinstance(value, Word):
            asked: object = value.text
        elif isinstance(value, Number) and not value.unit:
            asked = int(value.value) if value.value == int(value.value) else value.value
        else:
            raise self.refused(f"column {column.name!r} has levels, and {value} is none")
        named = levels_named(asked, column.categories)
        if len(named) == 1:
            return named[0]
        if named:
            alike = ", ".join(shown(column.categories[i]) for i in named)
            raise self.refused(f"column {column.name!r}: {value} may be any of {alike}")
        raise self.refused(
            f"column {column.name!r} has no level {value}; {near(asked, column.categories)}"
        )

    def check(self, statement: Statement, table: Table) -> None:
        """Raise SchemaError, in one line, for a statement that says nothing about such a table."""
        if not self.columns(statement):
            for word in words(statement):
                self.known_column(word)  # raises, with the nearest name
            raise self.refused("it names no column")
        for name in self.columns(statement):
            column = self.schema[name]
            if column.kind in LEFT_OUT:
                raise self.refused(
                    f"column {name!r} is {column.kind}, which is left out; leave the rule out, or "
                    f"set the kind of {name!r}"
                )
        if not isinstance(statement, Group):
            self.evaluate(statement, table.take([]))
            return
        for column in map(self.known_column, statement.columns):
            if statement.sort == "one of":
                _hot_code(column, self)

    def evaluate(self, statement: Condition | Implication, table: Rows) -> np.ndarray:
        """Return (n,) 1 where a row breaks a statement, 0 where it keeps it, NaN where neither."""
        if isinstance(statement, Implication):
            first, second = self.truth(statement.first, table), self.truth(statement.second, table)
            broken = first.holds & second.known & ~second.holds
            known = (first.known & ~first.holds) | (first.known & second.known)
            if statement.both:
                broken |= second.holds & first.known & ~first.holds
                known = first.known & second.known
        else:
            truth = self.truth(statement, table)
            broken, known = truth.known & ~truth.holds, truth.known
        return np.where(known, broken.astype(float), np.nan)


@dataclass(frozen=True)
class Rule:
    """What always holds in the rows of tables of a schema; ``str(rule)`` is its text."""

    statement: Statement
    meaning: Meaning

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that it names, in order."""
        return self.meaning.columns(self.statement)

    def __str__(self) -> str:
        return str(self.statement)

    def broken(self, table: Rows, seen: Rows | None = None) -> np.ndarray:
        """Return (n,) 1 where a row breaks the rule, 0 where it keeps it, NaN where neither.

        ``seen``: rows whose combinations are allowed (None: all), and whose keys no row may have.
        """
        if not isinstance(self.statement, Group):
            return self.meaning.evaluate(self.statement, table)
        if self.statement.sort == "one of":
            return self._not_one(table)
        if self.statement.sort == "combinations" and seen is None:
            return np.zeros(len(table))
        rows = [self._rows(table)] + ([] if seen is None else [self._rows(seen)])
        keys = np.unique(np.concatenate(rows), axis=0, return_inverse=True)[1].reshape(-1)
        own, others = keys[: len(table)], keys[len(table) :]
        if self.statement.sort == "combinations":
            return (~np.isin(own, others)).astype(float)
        first = np.zeros(len(own), dtype=bool)
        first[np.unique(own, return_index=True)[1]] = True
        return np.where(first & ~np.isin(own, others), 0.0, 1.0)

    def _rows(self, table: Rows) -> np.ndarray:
        """Return the cells of the columns side by side (n, columns), each cell as a number."""
        return np.column_stack([_cells(table, self.meaning.schema[n]) for n in self.columns])

    def _not_one(self, table: Rows) -> np.ndarray:
        hot = np.zeros(len(table), dtype=np.int64)
        known = np.ones(len(table), dtype=bool)
        for name in self.columns:
            column = self.meaning.schema[name]
            hot += _cells(table, column) == _hot_code(column, self.meaning)
            known &= ~_missing(table, column)
        return np.where(known, (hot != 1).astype(float), np.nan)


def words(part: Statement | Value) -> Iterator[Word]:
    """Yield all words of a tree, from left to right."""
    if isinstance(part, Word):
        yield part
    elif isinstance(part, Negative | Not):
        yield from words(part.of)
    elif isinstance(part, Calculation):
        yield from words(part.left)
        yield from words(part.right)
    elif isinstance(part, Implication):
        yield from words(part.first)
        yield from words(part.second)
    else:
        inner: Sequence[Statement | Value] = ()
        if isinstance(part, Comparison):
            inner = part.values
        elif isinstance(part, State):
            inner = (part.column,)
        elif isinstance(part, Among):
            inner = (part.value, *part.choices)
        elif isinstance(part, Joined):
            inner = part.parts
        elif isinstance(part, Group):
            inner = part.columns
        for one in inner:
            yield from words(one)


OPERATIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
}
MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}


def grain_of(numbers: np.ndarray) -> float:
    """Return the unit of the last decimal of all numbers (n,), 0 if there are more than 6."""
    numbers = numbers[np.isfinite(numbers)]
    for decimals in range(MOST_DECIMALS + 1):
        if np.isclose(np.round(numbers, decimals), numbers, rtol=1e-12, atol=1e-9).all():
            return float(10.0**-decimals)
    return 0.0


def _calculated(sign: str, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    if sign != "%":
        return np.asarray(OPERATIONS[sign](left, right))
    steps = left / right
    whole = np.round(steps)
    near_whole = np.abs(steps - whole) <= RELATIVE * np.maximum(np.abs(steps), 1)
    return np.where(near_whole, 0.0, left - right * np.floor(steps))


def _compare(sign: str, x: np.ndarray, y: np.ndarray, close: np.ndarray) -> np.ndarray:
    """Return where x and y compare so, (n,) bool; what is as near as ``close`` is equal."""
    equal = np.asarray(np.abs(x - y) <= close)
    if sign in ("=", "!="):
        return equal if sign == "=" else ~equal
    beyond = np.asarray((x < y) if sign in ("<", "<=") else (x > y)) & ~equal
    return np.asarray(beyond | equal) if sign in ("<=", ">=") else beyond


def _missing(table: Rows, column: Column) -> np.ndarray:
    return np.asarray(_cells(table, column) == MISSING_CELL)


def _cells(table: Rows, column: Column) -> np.ndarray:
    """Return a column as float64 (n,), in which missing cells are equal to each other."""
    if column.kind in NUMERIC:
        numbers = table.numbers(column.name)
        return np.where(np.isnan(numbers), MISSING_CELL, numbers)
    if column.kind in DISCRETE:
        codes = table.codes(column.name)
        return np.where(codes == MISSING, MISSING_CELL, codes)
    values = table.values(column.name)
    places = {value: place for place, value in enumerate(dict.fromkeys(values))}
    return np.array([MISSING_CELL if v is None else places[v] for v in values])


def _hot_code(column: Column, meaning: Meaning) -> int:
    """Return what a cell of a column of a one-hot group is where it is hot: 1, or true's code."""
    if column.kind in NUMERIC and column.kind != "datetime":
        return 1
    for hot in (True, 1):
        named = levels_named(hot, column.categories)
        if len(named) == 1:
            return named[0]
    raise meaning.refused(f"column {column.name!r} has no level 1 or true, so it cannot be hot")


def read_rules(
    texts: Iterable[str], table: Table, grains: Mapping[str, float] | None = None
) -> tuple[Rule, ...]:
    """Return rules about such tables; SchemaError, in one line, for text that says nothing of it.

    A rule that is given twice counts once. ``grains`` None: those of ``table``, of real rows.
    """
    if isinstance(texts, str):
        raise SchemaError(f"rules are a list of texts, not one: [{shown(texts)}]")
    found: dict[str, Rule] = {}
    for text in texts:
        statement = parse_rule(text)
        meaning = Meaning(table.schema, f"rule {shown(str(statement))}")
        meaning.check(statement, table)
        own = grains_of(meaning.columns(statement), table) if grains is None else grains
        found.setdefault(str(statement), Rule(statement, replace(meaning, grains=own)))
    return tuple(found.values())


def grains_of(names: Iterable[str], table: Rows) -> dict[str, float]:
    """Return :func:`grain_of` the columns of numbers among these."""
    schema = table.schema
    numbers = [n for n in names if schema[n].kind in ("continuous", "integer") or schema[n].coded]
    return {name: grain_of(table.numbers(name)) for name in numbers}


def rows_where(text: str, table: Table) -> np.ndarray:
    """Return which rows (n,) meet a condition, such as "sex = female and age >= 60"."""
    condition = parse_condition(text)
    meaning = Meaning(table.schema, f"condition {shown(text)}")
    meaning.check(condition, table)
    return meaning.truth(condition, table).holds


def breaking(rules: Sequence[Rule], table: Table) -> dict[Rule, np.ndarray]:
    """Return the rules that rows break, each with the indices of these rows."""
    broken = {rule: np.flatnonzero(rule.broken(table) == 1) for rule in rules}
    return {rule: rows for rule, rows in broken.items() if len(rows)}


def check_kept(rules: Sequence[Rule], table: Table, name: str) -> None:
    """Raise SchemaError for a rule that rows break: which rule, which rows, what they hold."""
    for rule, rows in breaking(rules, table).items():
        columns = rule.columns
        first = [
            f"row {row + 1} ({', '.join(f'{c}: {shown(table.values(c)[row])}' for c in columns)})"
            for row in rows[:SHOWN].tolist()
        ]
        more = "" if len(rows) <= SHOWN else ", ..."
        raise SchemaError(
            f"rule {shown(str(rule))}: {counted(len(rows), 'row')} of {len(table)} in the {name} "
            f"break{'s' * (len(rows) == 1)} it: {', '.join(first)}{more}; correct them, leave them "
            "out, or give another rule"
        )
