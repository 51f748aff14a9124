"""Steps that make columns from others, so that a rule is kept whatever is drawn.

Notation: n rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

import numpy as np

from tabseed.rules.columns import Arrays, Columns, side_by_side
from tabseed.rules.language import parse_condition, parse_value
from tabseed.rules.meaning import MICROSECONDS, Meaning, Rows, grain_of
from tabseed.rules.solve import Solved
from tabseed.rules.tree import Condition, Value
from tabseed.table import MISSING
from tabseed.table.schema import DISCRETE, Column

FILL = 0  # seed for what stands in missing cells while they are learned; no draw depends on it


@dataclass(frozen=True)
class Step(ABC):
    """Makes columns. ``rule``: the text of what it keeps."""

    rule: str
    sort: ClassVar[str]
    base: ClassVar[bool] = True  # makes columns, rather than change cells of what is made

    @property
    @abstractmethod
    def makes(self) -> tuple[str, ...]:
        """The columns of the table that it makes or changes."""

    @abstractmethod
    def needs(self, meaning: Meaning) -> tuple[str, ...]:
        """Return the columns that must be there before."""

    @property
    def inner(self) -> tuple[Column, ...]:
        """What is learned instead of the columns that it makes."""
        return ()

    def reduce(self, table: Columns, meaning: Meaning) -> Arrays:
        """Return the inner columns of training rows."""
        del table, meaning
        return {}

    @abstractmethod
    def restore(self, table: Columns, meaning: Meaning) -> None:
        """Write the columns that it makes, into ``table.arrays``."""

    def to_dict(self) -> dict[str, Any]:
        """Return the step, JSON-ready."""
        entry = {f.name: _plain(getattr(self, f.name)) for f in fields(self)}
        return {"sort": self.sort, **entry}


def step_from(entry: Mapping[str, Any]) -> Step:
    """Rebuild a step from what :meth:`Step.to_dict` returned.

    Raises ValueError, SchemaError or what Python raises for wrong types and keys.
    """
    step = STEPS[str(entry["sort"])]
    return step(**{f.name: _READERS[str(f.type)](entry[f.name]) for f in fields(step)})


def _plain(value: Any) -> Any:
    if isinstance(value, Column):
        return {"name": value.name, **value.to_dict()}
    if isinstance(value, np.ndarray):
        return [[None if cell != cell else cell for cell in row] for row in value.tolist()]
    if isinstance(value, tuple):
        return [str(one) for one in value]
    if isinstance(value, float):
        return None if value != value else value
    return value if value is None or isinstance(value, str | int) else str(value)


def _part(name: str, what: str, taken: set[str]) -> str:
    """Return a name for an inner column that no column has yet."""
    found = f"{name} {what}"
    while found in taken:
        found += "*"
    taken.add(found)
    return found


@dataclass(frozen=True)
class Computed(Step):
    """``target`` = ``value``, rounded to ``grain``.

    ``alone``: a column of the target's own cells where the value is unknown; ``given``: a column
    that says where the target is present although it could be computed. None: not needed.
    """

    sort: ClassVar[str] = "computed"
    target: Column
    value: Value
    grain: float
    alone: Column | None
    given: Column | None

    @classmethod
    def of(
        cls, rule: str, solved: Solved, table: Columns, meaning: Meaning, taken: set[str]
    ) -> Self:
        """Learn from training rows what is needed."""
        target = table.schema[solved.column]
        value, cells = in_unit(target, solved.value, table, meaning), table.arrays[target.name]
        beyond = np.isnan(value) & ~np.isnan(cells)
        absent = ~np.isnan(value) & np.isnan(cells)
        alone = given = None
        if beyond.any():
            alone = Column(_part(target.name, "otherwise", taken), target.kind)
        if absent.any():
            given = Column(
                _part(target.name, "present", taken), "boolean", categories=(False, True)
            )
        return cls(rule, target, solved.value, grain_of_column(target, cells), alone, given)

    @property
    def makes(self) -> tuple[str, ...]:
        """See :class:`Step`."""
        return (self.target.name,)

    def needs(self, meaning: Meaning) -> tuple[str, ...]:
        """See :class:`Step`."""
        return meaning.columns(self.value)

    @property
    def inner(self) -> tuple[Column, ...]:
        """See :class:`Step`."""
        return tuple(c for c in (self.alone, self.given) if c is not None)

    def reduce(self, table: Columns, meaning: Meaning) -> Arrays:
        """See :class:`Step`."""
        cells = table.arrays[self.target.name]
        value = in_unit(self.target, self.value, table, meaning)
        found = {}
        if self.alone is not None:
            found[self.alone.name] = np.where(np.isnan(value), cells, np.nan)
        if self.given is not None:
            found[self.given.name] = (~np.isnan(cells)).astype(np.int64)
        return found

    def restore(self, table: Columns, meaning: Meaning) -> None:
        """See :class:`Step`."""
        value = in_unit(self.target, self.value, table, meaning)
        found = _rounded(value, self.grain)
        if self.given is not None:
            found = np.where(table.arrays[self.given.name] == 0, np.nan, found)
        if self.alone is not None:
            found = np.where(np.isnan(value), table.arrays[self.alone.name], found)
        table.arrays[self.target.name] = found


@dataclass(frozen=True)
class Slack(Step):
    """``target`` is at least (``side`` 1) or at most (-1) each of ``bounds``.

    Learned is the ``distance`` from the tightest bound, at least ``least``; ``alone``: the target's
    own cells where no bound is known, None: not needed.
    """

    sort: ClassVar[str] = "slack"
    target: Column
    bounds: tuple[Value, ...]
    side: int
    grain: float
    least: float
    distance: Column
    alone: Column | None

    @classmethod
    def of(
        cls,
        rule: str,
        solved: Sequence[Solved],
        table: Columns,
        meaning: Meaning,
        taken: set[str],
    ) -> Self:
        """Learn from training rows what is needed; all of ``solved`` bound one column alike."""
        target = table.schema[solved[0].column]
        cells = table.arrays[target.name]
        side = 1 if solved[0].sign in (">", ">=") else -1
        bounds = tuple(one.value for one in solved)
        bound = _tightest(target, bounds, side, table, meaning)
        distance = side * (cells - bound)
        known = distance[~np.isnan(distance)]
        grain = grain_of_column(target, cells)
        strict = any(one.sign in ("<", ">") for one in solved)
        whole = len(known) > 0 and bool((known == np.round(known)).all())
        alone = None
        if (np.isnan(bound) & ~np.isnan(cells)).any():
            alone = Column(_part(target.name, "otherwise", taken), target.kind)
        name = _part(target.name, "beyond" if side > 0 else "below", taken)
        return cls(
            rule,
            target,
            bounds,
            side,
            grain,
            max(float(known.min()), 0.0) if strict and len(known) else 0.0,
            Column(name, "integer" if whole else "continuous"),
            alone,
        )

    @property
    def makes(self) -> tuple[str, ...]:
        """See :class:`Step`."""
        return (self.target.name,)

    def needs(self, meaning: Meaning) -> tuple[str, ...]:
        """See :class:`Step`."""
        return tuple(dict.fromkeys(n for bound in self.bounds for n in meaning.columns(bound)))

    @property
    def inner(self) -> tuple[Column, ...]:
        """See :class:`Step`."""
        return (self.distance,) if self.alone is None else (self.distance, self.alone)

    def reduce(self, table: Columns, meaning: Meaning) -> Arrays:
        """See :class:`Step`."""
        cells = table.arrays[self.target.name]
        bound = _tightest(self.target, self.bounds, self.side, table, meaning)
        found = {self.distance.name: self.side * (cells - bound)}
        if self.alone is not None:
            found[self.alone.name] = np.where(np.isnan(bound), cells, np.nan)
        return found

    def restore(self, table: Columns, meaning: Meaning) -> None:
        """See :class:`Step`."""
        bound = _tightest(self.target, self.bounds, self.side, table, meaning)
        moved = np.maximum(table.arrays[self.distance.name], self.least)
        found = _rounded(bound + self.side * moved, self.grain)
        # rounding may have moved it beyond its bound
        beyond = self.side * (found - bound) < self.least
        found = np.where(beyond, found + self.side * self.grain, found)
        if self.alone is not None:
            found = np.where(np.isnan(bound), table.arrays[self.alone.name], found)
        table.arrays[self.target.name] = found


@dataclass(frozen=True)
class Combined(Step):
    """``columns`` have only the combinations (rows) of ``cells`` (combinations, columns)."""

    sort: ClassVar[str] = "combined"
    columns: tuple[str, ...]
    cells: np.ndarray = field(compare=False)
    joint: Column

    @classmethod
    def of(cls, rule: str, names: Sequence[str], table: Columns, taken: set[str]) -> Self:
        """Learn which combinations training rows have."""
        cells = np.unique(side_by_side(names, table), axis=0)
        name = _part(" x ".join(names), "together", taken)
        joint = Column(name, "categorical", categories=tuple(map(str, range(len(cells)))))
        return cls(rule, tuple(names), np.where(np.isinf(cells), np.nan, cells), joint)

    @property
    def makes(self) -> tuple[str, ...]:
        """See :class:`Step`."""
        return self.columns

    def needs(self, meaning: Meaning) -> tuple[str, ...]:
        """See :class:`Step`."""
        del meaning
        return ()

    @property
    def inner(self) -> tuple[Column, ...]:
        """See :class:`Step`."""
        return (self.joint,)

    def reduce(self, table: Columns, meaning: Meaning) -> Arrays:
        """See :class:`Step`."""
        del meaning
        own = np.where(np.isnan(self.cells), -np.inf, self.cells)
        rows = np.concatenate([own, side_by_side(self.columns, table)])
        keys = np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)
        place = np.full(keys.max() + 1, -2)
        place[keys[: len(own)]] = np.arange(len(own))
        return {self.joint.name: place[keys[len(own) :]]}

    def restore(self, table: Columns, meaning: Meaning) -> None:
        """See :class:`Step`."""
        del meaning
        codes = table.arrays[self.joint.name].astype(np.int64)
        for name, cells in zip(self.columns, self.cells.T, strict=True):
            found = cells[codes]
            if table.schema[name].kind in DISCRETE:
                found = np.where(np.isnan(found), MISSING, found).astype(np.int64)
            table.arrays[name] = found


@dataclass(frozen=True)
class Forced(Step):
    """Where ``condition`` holds, ``column`` is missing (``cell`` NaN) or has this cell."""

    sort: ClassVar[str] = "forced"
    base: ClassVar[bool] = False
    condition: Condition
    column: str
    cell: float

    @property
    def makes(self) -> tuple[str, ...]:
        """See :class:`Step`."""
        return (self.column,)

    def needs(self, meaning: Meaning) -> tuple[str, ...]:
        """See :class:`Step`."""
        return meaning.columns(self.condition)

    def restore(self, table: Columns, meaning: Meaning) -> None:
        """See :class:`Step`."""
        holds = meaning.truth(self.condition, table).holds
        cells = table.arrays[self.column]
        discrete = table.schema[self.column].kind in DISCRETE
        cell = MISSING if discrete and np.isnan(self.cell) else self.cell
        table.arrays[self.column] = np.where(holds, cell, cells).astype(cells.dtype)


@dataclass(frozen=True)
class Masked(Step):
    """``column`` is missing exactly where ``condition`` holds.

    It is learned without missing cells: some other row's cell stands in each.
    """

    sort: ClassVar[str] = "masked"
    condition: Condition
    column: Column
    fill: float  # a cell of the training rows, for tables that have none

    @property
    def makes(self) -> tuple[str, ...]:
        """See :class:`Step`."""
        return (self.column.name,)

    def needs(self, meaning: Meaning) -> tuple[str, ...]:
        """See :class:`Step`."""
        return meaning.columns(self.condition)

    @property
    def inner(self) -> tuple[Column, ...]:
        """See :class:`Step`."""
        return (self.column,)

    def reduce(self, table: Columns, meaning: Meaning) -> Arrays:
        """See :class:`Step`."""
        del meaning
        cells, missing = table.arrays[self.column.name].copy(), table.missing(self.column.name)
        if missing.all():
            cells[:] = self.fill
        elif missing.any():
            rng = np.random.default_rng(FILL)
            cells[missing] = rng.choice(cells[~missing], int(missing.sum()))
        return {self.column.name: cells}

    def restore(self, table: Columns, meaning: Meaning) -> None:
        """See :class:`Step`."""
        holds = meaning.truth(self.condition, table).holds
        cells = table.arrays[self.column.name]
        nothing = MISSING if self.column.kind in DISCRETE else np.nan
        table.arrays[self.column.name] = np.where(holds, nothing, cells).astype(cells.dtype)


@dataclass(frozen=True)
class Snapped(Step):
    """``column`` is ``offset`` plus a multiple of ``step``, from ``low`` to ``high``."""

    sort: ClassVar[str] = "snapped"
    base: ClassVar[bool] = False
    column: str
    step: float
    offset: float
    low: float
    high: float

    @property
    def makes(self) -> tuple[str, ...]:
        """See :class:`Step`."""
        return (self.column,)

    def needs(self, meaning: Meaning) -> tuple[str, ...]:
        """See :class:`Step`."""
        del meaning
        return ()

    def restore(self, table: Columns, meaning: Meaning) -> None:
        """See :class:`Step`."""
        del meaning
        steps = np.round((table.arrays[self.column] - self.offset) / self.step)
        found = np.clip(self.offset + steps * self.step, self.low, self.high)
        table.arrays[self.column] = _rounded(found, _decimal(self.step, self.offset))


STEPS: dict[str, type[Step]] = {
    one.sort: one for one in (Computed, Slack, Combined, Forced, Masked, Snapped)
}


def _text(entry: Any) -> str:
    if not isinstance(entry, str):
        raise TypeError(f"{entry!r} is no text")
    return entry


def _column(entry: Any) -> Column:
    return Column.from_dict(_text(entry["name"]), entry)


def _number(entry: Any) -> float:
    return float("nan") if entry is None else float(entry)


def _cells(entry: Any) -> np.ndarray:
    cells = np.array([[_number(cell) for cell in row] for row in entry], dtype=float)
    if cells.ndim != 2 or not len(cells):
        raise ValueError("a step has no combinations")
    return cells


_READERS: dict[str, Callable[[Any], Any]] = {  # by the type of a field
    "str": _text,
    "int": int,
    "float": _number,
    "Column": _column,
    "Column | None": lambda entry: None if entry is None else _column(entry),
    "Value": lambda entry: parse_value(_text(entry)),
    "Condition": lambda entry: parse_condition(_text(entry)),
    "tuple[str, ...]": lambda entry: tuple(map(_text, entry)),
    "tuple[Value, ...]": lambda entry: tuple(parse_value(_text(one)) for one in entry),
    "np.ndarray": _cells,
}


def in_unit(target: Column, value: Value, table: Rows, meaning: Meaning) -> np.ndarray:
    """Return a value in each row (n,) in the unit of a column's cells."""
    found = meaning.numbers(value, table)
    return found * MICROSECONDS if target.kind == "datetime" else found


def _tightest(
    target: Column, bounds: Sequence[Value], side: int, table: Rows, meaning: Meaning
) -> np.ndarray:
    """Return the largest known bound (n,), or of upper ones the smallest; NaN if none is known."""
    each = [in_unit(target, bound, table, meaning) for bound in bounds]
    fold = np.fmax if side > 0 else np.fmin
    return np.asarray(fold.reduce(each))


def grain_of_column(column: Column, cells: np.ndarray) -> float:
    """Return what a column's cells are multiples of: a decimal's unit, days or seconds; 0: none."""
    if column.kind != "datetime":
        return grain_of(cells)
    known = cells[~np.isnan(cells)]
    for unit in (MICROSECONDS, 60e6, 1e6):
        if (known % unit == 0).all():
            return float(unit)
    return 1.0


def _rounded(cells: np.ndarray, grain: float) -> np.ndarray:
    """Return cells rounded to multiples of a grain: 0.1 gives the float nearest to 37.2."""
    if not grain:
        return cells
    if grain >= 1:
        return np.asarray(np.round(cells / grain) * grain)
    return np.asarray(np.round(cells, round(-np.log10(grain))))


def _decimal(*numbers: float) -> float:
    """Return the unit of the last decimal of numbers, 0 if there are too many."""
    return grain_of(np.array(numbers))
