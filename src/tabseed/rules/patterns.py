"""Patterns that the rows of a table keep: sums, products, orders, cells missing together.

A pattern is a statement about single rows ("gross = net + tax"), so it can be checked on any table
with the same columns; its text is in the language of rules.
:func:`~tabseed.rules.search.find_rules` finds them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Self

import numpy as np

from tabseed.errors import shortened
from tabseed.rules.meaning import MICROSECONDS
from tabseed.rules.tree import (
    UNITS,
    Calculation,
    Comparison,
    Condition,
    Implication,
    Negative,
    Number,
    State,
    Statement,
    Value,
    Word,
)
from tabseed.table import MISSING, Table
from tabseed.table.display import MAX_NAME
from tabseed.table.schema import NUMERIC, Column

Cells = Mapping[str, np.ndarray]  # values of columns by name

ALIKE = 2e-3  # relative difference by which a factor still is a unit's, or 1


def has_values(column: Column) -> bool:
    """Return whether a column's cells are numbers, dates or codes that are numbers."""
    return column.kind in NUMERIC or column.coded


def values_of(table: Table, name: str) -> np.ndarray:
    """Return a column by :meth:`Table.numbers`, but dates in days since 1970."""
    numbers = table.numbers(name)
    return numbers / MICROSECONDS if table.schema[name].kind == "datetime" else numbers


def cells_of(table: Table, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Return :func:`values_of` for columns by name."""
    return {name: values_of(table, name) for name in names}


@dataclass(frozen=True)
class Evidence:
    """Why a rule is believed: ``kept`` of ``rows`` rows keep it, all of which could break it.

    ``by_chance`` is the share of rows that keep it after the values of one column are shuffled.
    """

    rows: int
    kept: int
    by_chance: float

    @property
    def certain(self) -> bool:
        """Whether no row breaks it."""
        return self.kept == self.rows


@dataclass(frozen=True, repr=False)
class Pattern(ABC):
    """A statement about single rows. ``evidence`` is None until the rule was checked."""

    evidence: Evidence | None

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""

    @property
    @abstractmethod
    def statement(self) -> Statement:
        """The pattern in the language of rules."""

    def __str__(self) -> str:
        found = self.evidence
        rows = "" if found is None else f"  ({found.kept} of {found.rows} rows that could break it)"
        return f"{self.statement}{rows}"

    def __repr__(self) -> str:
        return f"<{self}>"

    @property
    def text(self) -> str:
        """The pattern as people write it; long names are shortened."""
        return str(_renamed(self.statement))

    @abstractmethod
    def broken(self, table: Table, *, coarse: bool = False) -> np.ndarray:
        """Return (n,) 1 where a row breaks the rule, 0 where it keeps it, NaN where neither.

        ``coarse``: only by more than a twentieth of a standard deviation.
        """

    def measure(self, table: Table) -> np.ndarray | None:
        """Return by how much each row breaks or keeps the rule, (n,), None if that has no size."""
        return None

    def believed(self, evidence: Evidence) -> Self:
        """Return the rule with its evidence."""
        return replace(self, evidence=evidence)


@dataclass(frozen=True, repr=False)
class Equation(Pattern):
    """A rule ``target`` = f(other columns), up to ``tolerance`` in the target's unit.

    ``spread`` is the target's standard deviation where the rule was found.
    """

    target: str
    tolerance: float
    spread: float

    @abstractmethod
    def residual_of(self, cells: Cells) -> np.ndarray:
        """Return the target's value minus the one by the rule, (n,); NaN where it has none."""

    def residual(self, table: Table) -> np.ndarray:
        """Return the residual of each row of a table; see :meth:`residual_of`."""
        return self.residual_of(cells_of(table, self.columns))

    def broken(self, table: Table, *, coarse: bool = False) -> np.ndarray:
        """Return where the residual exceeds the tolerance; see :meth:`Pattern.broken`."""
        most = max(self.tolerance, self.spread / 20) if coarse else self.tolerance
        residual = np.abs(self.residual(table))
        return np.where(np.isnan(residual), np.nan, residual > most)

    def measure(self, table: Table) -> np.ndarray | None:
        """Return the residual where it breaks the rule, 0 elsewhere."""
        residual = self.residual(table)
        return np.where(np.abs(residual) > self.tolerance, residual, 0.0)


@dataclass(frozen=True, repr=False)
class Sum(Equation):
    """``target`` = constant + sum of coefficient x column, dates counted in days.

    Two dates of opposite coefficients among the ``terms`` are a duration.
    """

    terms: tuple[tuple[str, float], ...]
    constant: float = 0.0
    dates: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The target first."""
        return (self.target, *(name for name, _ in self.terms))

    def residual_of(self, cells: Cells) -> np.ndarray:
        """Return target - sum; see :meth:`Equation.residual_of`."""
        total = sum(factor * cells[name] for name, factor in self.terms)
        return np.asarray(cells[self.target] - total - self.constant)

    @property
    def statement(self) -> Statement:
        """Such as "gross = net + tax", "weeks = (end - begin) / 7"."""
        return Comparison((Word(self.target), self._value()), ("=",))

    def _value(self) -> Value:
        if self.dates and len(self.terms) == 2:
            (end, factor), (start, _) = self.terms
            between = Calculation("-", Word(end), Word(start))
            length = next((u for u in UNITS.values() if abs(factor * u - 1) < ALIKE), 1 / factor)
            if length == 1:
                return between
            if length < 1:
                return Calculation("*", _number(1 / length), between)
            return Calculation("/", between, _number(length))
        minus, value = self.terms[0][1] < 0, _times(abs(self.terms[0][1]), self.terms[0][0])
        value = Negative(value) if minus else value
        for name, factor in self.terms[1:]:
            value = Calculation("-" if factor < 0 else "+", value, _times(abs(factor), name))
        if self.constant:
            rest = Number(_plain(abs(self.constant)), "days" if self.dates else "")
            value = Calculation("-" if self.constant < 0 else "+", value, rest)
        return value


@dataclass(frozen=True, repr=False)
class Product(Equation):
    """``target`` = factor x product of column^power."""

    powers: tuple[tuple[str, int], ...]
    factor: float = 1.0

    @property
    def columns(self) -> tuple[str, ...]:
        """The target first."""
        return (self.target, *(name for name, _ in self.powers))

    def residual_of(self, cells: Cells) -> np.ndarray:
        """Return target - product; see :meth:`Equation.residual_of`."""
        target = cells[self.target]
        product = np.full(len(target), self.factor)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for name, power in self.powers:
                product = product * cells[name] ** float(power)
            residual = target - product
        return np.where(np.isfinite(residual), residual, np.nan)

    @property
    def statement(self) -> Statement:
        """Such as "bmi = weight / height ^ 2"."""
        above = [_power(name, power) for name, power in self.powers if power > 0]
        below = [_power(name, -power) for name, power in self.powers if power < 0]
        parts = above if abs(self.factor - 1) < 1e-9 and above else [_number(self.factor), *above]
        value = parts[0]
        for part in parts[1:]:
            value = Calculation("*", value, part)
        for part in below:
            value = Calculation("/", value, part)
        return Comparison((Word(self.target), value), ("=",))


@dataclass(frozen=True, repr=False)
class Order(Pattern):
    """``lower`` <= ``upper`` in every row."""

    lower: str
    upper: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The lower one first."""
        return self.lower, self.upper

    @property
    def statement(self) -> Statement:
        """Such as "admitted <= discharged"."""
        return Comparison((Word(self.lower), Word(self.upper)), ("<=",))

    def measure(self, table: Table) -> np.ndarray | None:
        """Return upper - lower, NaN where one is missing: an interval has a law of its own."""
        cells = cells_of(table, self.columns)
        return np.asarray(cells[self.upper] - cells[self.lower])

    def broken(self, table: Table, *, coarse: bool = False) -> np.ndarray:
        """Return where the lower exceeds the upper; see :meth:`Pattern.broken`."""
        cells = cells_of(table, self.columns)
        lower, upper = cells[self.lower], cells[self.upper]
        return np.where(np.isnan(lower) | np.isnan(upper), np.nan, lower > upper)


@dataclass(frozen=True)
class Where:
    """A state of a cell: missing, zero, or of a level."""

    column: str
    state: str  # "missing", "zero" or "level"
    level: Any = None

    def mask(self, table: Table) -> np.ndarray:
        """Return the rows in this state, (n,)."""
        column = table.schema[self.column]
        if self.state == "level":
            return np.asarray(table.codes(self.column) == column.categories.index(self.level))
        cells = table.cells(self.column)
        if self.state == "zero":
            return np.asarray(cells == 0)
        return np.asarray(np.isnan(cells) if column.kind in NUMERIC else cells == MISSING)

    def condition(self, holds: bool = True) -> Condition:
        """Such as "hb missing"; ``holds`` False: the opposite."""
        word = Word(self.column)
        if self.state == "missing":
            return State(word, missing=holds)
        level: Value = Number(0.0)
        if self.state == "level":
            level = Word(str(self.level), "level")
        return Comparison((word, level), ("=" if holds else "!=",))


@dataclass(frozen=True, repr=False)
class Together(Pattern):
    """A cell is in a state exactly where another one is in its own, or is ``opposite``."""

    first: Where
    second: Where
    opposite: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of both states."""
        return self.first.column, self.second.column

    @property
    def statement(self) -> Statement:
        """Such as "date missing <-> value missing"."""
        second = self.second.condition(not self.opposite)
        return Implication(self.first.condition(), second, both=True)

    def broken(self, table: Table, *, coarse: bool = False) -> np.ndarray:
        """Return where only one of both holds; see :meth:`Pattern.broken`."""
        one, other = self.first.mask(table), self.second.mask(table)
        return np.asarray(one ^ other ^ self.opposite, dtype=float)


def _number(value: float) -> Number:
    return Number(_plain(value))


def _plain(value: float) -> float:
    """Return a number without the digits that rounding of floats adds: 7.0 for 6.999999999999."""
    return float(f"{value:.10g}")


def _times(factor: float, name: str) -> Value:
    return Word(name) if abs(factor - 1) < 1e-9 else Calculation("*", _number(factor), Word(name))


def _power(name: str, power: int) -> Value:
    return Word(name) if power == 1 else Calculation("^", Word(name), Number(float(power)))


def _renamed(part: Any) -> Any:
    """Return a tree with long names shortened, to be shown."""
    if isinstance(part, Word):
        return replace(part, text=shortened(part.text, MAX_NAME))
    if isinstance(part, tuple):
        return tuple(map(_renamed, part))
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{f.name: _renamed(getattr(part, f.name)) for f in fields(part)})
    return part
