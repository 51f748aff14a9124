"""Rules that all rows of a table keep: sums, products, orders, cells missing together.

A rule is a statement about single rows ("gross = net + tax"), so it can be checked on any table
with the same columns. :func:`~tabseed.metrics.rule_search.find_rules` finds them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from scipy.stats import hypergeom

from tabseed.errors import shortened
from tabseed.table import MISSING, Table
from tabseed.table.display import MAX_NAME
from tabseed.table.schema import NUMERIC, Column

Cells = Mapping[str, np.ndarray]  # values of columns by name

MICROSECONDS = 86_400e6  # in a day
UNITS = {"days": 1.0, "weeks": 7.0, "months": 30.4375, "years": 365.25, "hours": 1 / 24}
FALSE_ALARM = 0.05  # at most, of any rule that is called broken
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


@dataclass(frozen=True)
class Rule(ABC):
    """A statement about single rows. ``evidence`` is None until the rule was checked."""

    evidence: Evidence | None

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""

    @property
    @abstractmethod
    def text(self) -> str:
        """The rule as people write it."""

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


@dataclass(frozen=True)
class Equation(Rule):
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
        """Return where the residual exceeds the tolerance; see :meth:`Rule.broken`."""
        most = max(self.tolerance, self.spread / 20) if coarse else self.tolerance
        residual = np.abs(self.residual(table))
        return np.where(np.isnan(residual), np.nan, residual > most)

    def measure(self, table: Table) -> np.ndarray | None:
        """Return the residual where it breaks the rule, 0 elsewhere."""
        residual = self.residual(table)
        return np.where(np.abs(residual) > self.tolerance, residual, 0.0)


@dataclass(frozen=True)
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
    def text(self) -> str:
        """Such as "gross = net + tax", "days = out - in, in days"."""
        if self.dates and len(self.terms) == 2:
            (end, factor), (start, _) = self.terms
            between = f"{_name(end)} - {_name(start)}"
            for unit, length in UNITS.items():
                if abs(factor * length - 1) < ALIKE:
                    return f"{_name(self.target)} = {between} in {unit}"
            return f"{_name(self.target)} = {factor:.5g} x ({between} in days)"
        parts = [(factor < 0, _times(abs(factor), _name(name))) for name, factor in self.terms]
        if self.constant:
            days = " days" if self.dates else ""
            parts.append((self.constant < 0, f"{abs(self.constant):.6g}{days}"))
        minus, begin = parts[0]
        rest = "".join(f" {'-' if negative else '+'} {part}" for negative, part in parts[1:])
        return f"{_name(self.target)} = {'-' if minus else ''}{begin}{rest}"


@dataclass(frozen=True)
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
    def text(self) -> str:
        """Such as "bmi = weight / height^2"."""
        above = [_power(name, power) for name, power in self.powers if power > 0]
        below = [_power(name, -power) for name, power in self.powers if power < 0]
        start = _times(self.factor, " x ".join(above)) if above else f"{self.factor:.6g}"
        return f"{_name(self.target)} = {' / '.join([start, *below])}"


@dataclass(frozen=True)
class Order(Rule):
    """``lower`` <= ``upper`` in every row."""

    lower: str
    upper: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The lower one first."""
        return self.lower, self.upper

    @property
    def text(self) -> str:
        """Such as "admitted <= discharged"."""
        return f"{_name(self.lower)} <= {_name(self.upper)}"

    def measure(self, table: Table) -> np.ndarray | None:
        """Return upper - lower, NaN where one is missing: an interval has a law of its own."""
        cells = cells_of(table, self.columns)
        return np.asarray(cells[self.upper] - cells[self.lower])

    def broken(self, table: Table, *, coarse: bool = False) -> np.ndarray:
        """Return where the lower exceeds the upper; see :meth:`Rule.broken`."""
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

    def text(self, holds: bool = True) -> str:
        """Such as "hb is missing"; ``holds`` False: the opposite."""
        no = "" if holds else "not "
        if self.state == "level":
            return f"{_name(self.column)} is {no}{shortened(self.level, MAX_NAME)!r}"
        return f"{_name(self.column)} is {no}{'0' if self.state == 'zero' else 'missing'}"


@dataclass(frozen=True)
class Together(Rule):
    """A cell is in a state exactly where another one is in its own, or is ``opposite``."""

    first: Where
    second: Where
    opposite: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of both states."""
        return self.first.column, self.second.column

    @property
    def text(self) -> str:
        """Such as "date is missing exactly where value is missing"."""
        return f"{self.first.text()} exactly where {self.second.text(not self.opposite)}"

    def broken(self, table: Table, *, coarse: bool = False) -> np.ndarray:
        """Return where only one of both holds; see :meth:`Rule.broken`."""
        one, other = self.first.mask(table), self.second.mask(table)
        return np.asarray(one ^ other ^ self.opposite, dtype=float)


def _name(name: str) -> str:
    return shortened(name, MAX_NAME)


def _times(factor: float, what: str) -> str:
    return what if abs(factor - 1) < 1e-9 else f"{factor:.6g} x {what}"


def _power(name: str, power: int) -> str:
    return _name(name) if power == 1 else f"{_name(name)}^{power}"


# --- rules kept and broken ----------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """How real and synthetic rows keep a rule: rows that it rules, and rows that break it.

    ``broken``: more synthetic rows break it than real ones would, beyond chance.
    """

    rule: str
    columns: tuple[str, ...]
    n_real: int
    n_real_broken: int
    n_synthetic: int
    n_synthetic_broken: int
    broken: bool

    @property
    def share(self) -> float:
        """The share of synthetic rows that break it, of those that it rules."""
        return self.n_synthetic_broken / max(self.n_synthetic, 1)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return {**asdict(self), "columns": list(self.columns), "share": self.share}

    def __str__(self) -> str:
        kept = self.n_real - self.n_real_broken
        real = f"all {self.n_real}" if kept == self.n_real else f"{kept} of {self.n_real}"
        n, m = self.n_synthetic_broken, self.n_synthetic
        return f"{self.rule} holds in {real} real rows; {n} of {m} synthetic rows break it"


@np.errstate(all="ignore")  # numbers so far apart break a rule of course
def check_rules(rules: Sequence[Rule], real: Sequence[Table], synthetic: Table) -> tuple[Kept, ...]:
    """Return how the rows of tables keep rules, those that most synthetic rows break first.

    A rule counts as broken if, of all rows that break it, so many are synthetic with probability
    below 5 % / (number of rules) where all rows are dealt at random.
    """
    checked = []
    for rule in rules:
        real_broken = np.concatenate([rule.broken(table) for table in real])
        fake_broken = rule.broken(synthetic)
        (n, k), (m, j) = (
            (int((~np.isnan(flags)).sum()), int(np.nansum(flags)))
            for flags in (real_broken, fake_broken)
        )
        chance = float(hypergeom.sf(j - 1, n + m, k + j, m))
        broken = j > 0 and chance < FALSE_ALARM / len(rules)
        checked.append(Kept(rule.text, rule.columns, n, k, m, j, broken))
    return tuple(sorted(checked, key=lambda kept: -kept.share))
