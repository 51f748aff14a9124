"""What given cells say of the columns that are learned, where rules make columns from these.

Notation: n rows, J blocks of the encoder's layout.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tabseed.coding.cells import Block
from tabseed.coding.encode import TableEncoder
from tabseed.errors import SchemaError
from tabseed.parameters import shown
from tabseed.rules.columns import Columns, columns_of
from tabseed.rules.meaning import read_rules
from tabseed.rules.solve import Solved, solutions
from tabseed.rules.steps import Combined, Computed, Slack, in_unit
from tabseed.rules.tree import Comparison, Group, Word
from tabseed.table import Table
from tabseed.table.schema import Column

ROUNDING = 1e-9  # of a number: cells that differ by less are equal
ON_GRID = 1e-6  # of a step: numbers this near to a point of the grid lie on it
SHOWN = 8  # levels that a message names


@dataclass(frozen=True)
class Follower:
    """In ``rows`` (n,) block ``j`` takes what the other cells and a given one leave for it."""

    j: int
    rows: np.ndarray
    rule: Slack | Solved


def check_learned(table: Table, name: str, strange: np.ndarray) -> None:
    """Raise SchemaError for the first row (n,) of a column whose cell was not learned."""
    if strange.any():
        row = int(np.flatnonzero(strange)[0])
        value = table.values(name)[row]
        raise SchemaError(
            f"column {name!r}, row {row + 1}: the generator has not learned {value!r}"
        )


def _cells_of(column: Column, block: Block, numbers: np.ndarray) -> np.ndarray:
    """Return the values of a block (n,) that stand for numbers of its column; NaN for none."""
    if not column.coded:
        return block.tidy(numbers)
    levels = np.array(column.categories, dtype=float)
    order = np.argsort(levels)
    place = order[np.searchsorted(levels, numbers, sorter=order).clip(max=len(levels) - 1)]
    return np.where(np.isclose(levels[place], numbers, rtol=ROUNDING), place, np.nan)


def _learned(block: Block, values: np.ndarray) -> np.ndarray:
    """Return which values (n,) of a block lie among those that were learned."""
    if not block.numeric:
        return np.asarray(~np.isnan(values) & (block.cell_of(values) >= 0))
    ends = np.concatenate([block.atoms, block.knots.ravel()])
    good = (values >= ends.min()) & (values <= ends.max())
    if block.step > 0:
        steps = (values - block.origin) / block.step
        good &= np.abs(steps - np.round(steps)) < ON_GRID
    return np.asarray(good)


def _range_of(column: Column, block: Block) -> str:
    """Return what was learned of a column, in words."""
    if column.coded:
        levels = sorted(float(column.categories[int(code)]) for code in block.atoms)
        return ", ".join(f"{level:g}" for level in levels[:SHOWN]) + (
            "" if len(levels) <= SHOWN else ", ..."
        )
    ends = np.concatenate([block.atoms, block.knots.ravel()])
    return f"{ends.min():.12g} to {ends.max():.12g}"


class Given:
    """The given cells of n rows: which blocks they fix, and what the open ones must agree with.

    ``values`` (n, J) are those of the blocks, NaN where a block is open; ``drawn`` (n, J) says
    which are to be drawn, rather than fixed, or following others. Cells that rules compute from
    given ones count as given. SchemaError for rows that break a rule, have a cell that was not
    learned, or give too little for a rule to be solved.
    """

    def __init__(self, table: Table, encoder: TableEncoder) -> None:
        self.encoder, self.construction = encoder, encoder.construction_
        self.blocks = encoder.layout_.blocks
        self.meaning = self.construction.meaning
        self.columns = columns_of(table, encoder.table_schema_)
        self._check_rules(table)
        self.table = table
        n = len(table)
        self._compute()
        self.values = np.full((n, len(self.blocks)), np.nan)
        self.drawn = np.zeros((n, len(self.blocks)), dtype=bool)
        self.followers: list[Follower] = []
        self.aside: list[int] = []  # blocks of what stands where other cells are missing
        self.allowed: list[tuple[int, np.ndarray]] = []  # block of combinations, (n, combinations)
        self._own_cells(table)
        for step in self.construction.steps:
            if isinstance(step, Slack):
                self._slack(step)
            elif isinstance(step, Computed):
                self._computed(step)
            elif isinstance(step, Combined):
                self._combined(step)

    def present(self, name: str) -> np.ndarray:
        """Return (n,) where a cell of the table's column is given."""
        return ~self.columns.missing(name)

    def _check_rules(self, table: Table) -> None:
        """Raise SchemaError for a rule that a row breaks which has all cells that it names."""
        for rule in read_rules(self.construction.kept, table):
            whole = np.flatnonzero(self._known(rule.columns))
            broken = whole[rule.broken(table.take(whole)) == 1]
            if len(broken):
                cells = ", ".join(
                    f"{name}: {shown(table.values(name)[broken[0]])}" for name in rule.columns
                )
                raise SchemaError(
                    f"row {broken[0] + 1} ({cells}) breaks the rule {shown(str(rule))}; correct "
                    "it, or leave a cell of it out"
                )

    def _compute(self) -> None:
        """Compute cells that an equation leaves no choice for."""
        for _ in self.construction.steps:
            before = sum(int(self.present(name).sum()) for name in self.columns.arrays)
            for step in self.construction.steps:
                if isinstance(step, Computed):
                    for solved in self._solutions(step):
                        self._solve(step, solved)
            if sum(int(self.present(name).sum()) for name in self.columns.arrays) == before:
                return

    def _solutions(self, step: Computed) -> Iterator[Solved]:
        equation = Comparison((Word(step.target.name), step.value), ("=",))
        yield from solutions(equation, self.meaning)

    def _solve(self, step: Computed, solved: Solved) -> None:
        column = self.columns.schema[solved.column]
        with np.errstate(divide="ignore", invalid="ignore"):
            numbers = in_unit(column, solved.value, self.columns, self.meaning)
        block = self.encoder.block(column.name)
        found = _cells_of(column, block, numbers)
        new = ~self.present(column.name) & np.isfinite(numbers)
        beyond = new & ~_learned(block, found)
        if beyond.any():
            row = int(np.flatnonzero(beyond)[0])
            raise SchemaError(
                f"column {column.name!r}, row {row + 1}: by rule {step.rule!r} it would be "
                f"{numbers[row]:.12g}, but the generator has learned {_range_of(column, block)}; "
                "correct the row, or give this cell too"
            )
        cells = self.columns.arrays[column.name]
        self.columns.arrays[column.name] = np.where(new, found, cells).astype(cells.dtype)

    def _own_cells(self, table: Table) -> None:
        """Fix the blocks of columns that are learned as they stand."""
        made = {name for step in self.construction.steps if step.base for name in step.makes}
        masked = {c.name for step in self.construction.steps for c in step.inner}
        for j, block in enumerate(self.blocks):
            if block.name not in self.columns.arrays or (block.name in made - masked):
                self.drawn[:, j] = block.name not in self.columns.arrays
                continue
            cells, has = self.columns.arrays[block.name].astype(float), self.present(block.name)
            check_learned(
                table, block.name, has & (block.cell_of(np.where(has, cells, np.nan)) < 0)
            )
            self.values[has, j] = cells[has]
            self.drawn[:, j] = ~has

    def _index(self, name: str) -> int:
        return next(j for j, block in enumerate(self.blocks) if block.name == name)

    def _known(self, names: tuple[str, ...]) -> np.ndarray:
        known = np.ones(self.columns.n, dtype=bool)
        for name in names:
            known &= self.present(name)
        return known

    def _aside(self, *names: str) -> None:
        """Blocks that matter only where cells are missing are not drawn."""
        for name in names:
            j = self._index(name)
            self.drawn[:, j] = False
            self.aside.append(j)

    def _slack(self, step: Slack) -> None:
        j = self._index(step.distance.name)
        if step.alone is not None:
            self._aside(step.alone.name)
        has, known = self.present(step.target.name), self._known(step.needs(self.meaning))
        sure = has & known
        distance = step.reduce(self.columns, self.meaning)[step.distance.name]
        self.values[sure, j] = distance[sure]
        self.drawn[:, j] = ~has
        self._add(Follower(j, has & ~known, step))

    def _computed(self, step: Computed) -> None:
        if step.alone is not None:
            self._aside(step.alone.name)
        if step.given is not None:
            j = self._index(step.given.name)
            self.drawn[:, j] = False
            self.values[:, j] = 1
        loose = self.present(step.target.name) & ~self._known(step.needs(self.meaning))
        for solved in self._solutions(step):
            if solved.column == step.target.name or not loose.any():
                continue
            j = next((j for j, b in enumerate(self.blocks) if b.name == solved.column), -1)
            leads = any(block.parent == j for block in self.blocks)
            if j < 0 or leads or self.blocks[j].parent >= 0:
                continue
            rows = loose & self.drawn[:, j]
            self._add(Follower(j, rows, solved))
            self.drawn[rows, j] = False
            loose = loose & ~rows
        if loose.any():
            row = int(np.flatnonzero(loose)[0])
            needs = ", ".join(repr(name) for name in step.needs(self.meaning))
            raise SchemaError(
                f"column {step.target.name!r}, row {row + 1}: it is given, but too little of what "
                f"rule {step.rule!r} computes it from ({needs}); give more of these, or leave "
                f"{step.target.name!r} out"
            )

    def _add(self, follower: Follower) -> None:
        if follower.rows.any():
            self.followers.append(follower)

    def _combined(self, step: Combined) -> None:
        j = self._index(step.joint.name)
        fits = np.ones((len(self.values), len(step.cells)), dtype=bool)
        for name, cells in zip(step.columns, step.cells.T, strict=True):
            own, has = self.columns.arrays[name].astype(float), self.present(name)
            fits &= ~has[:, None] | (own[:, None] == cells)
        some = fits[:, self.blocks[j].atoms.astype(int)].any(axis=1)
        if not some.all():
            row = int(np.flatnonzero(~some)[0])
            given = {n: self.table.values(n)[row] for n in step.columns if self.present(n)[row]}
            raise SchemaError(
                f"row {row + 1}: the generator has learned no row with {given}, and rule "
                f"{step.rule!r} allows only combinations that it has"
            )
        self.drawn[:, j] = True
        self.allowed.append((j, fits))

    def follow(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Let blocks follow, in place, in values (m, J) of the rows (m,).

        Returns where (m,) they agree with all that is given and with the rules.
        """
        agrees = np.ones(len(rows), dtype=bool)
        for follower in self.followers:
            here = np.flatnonzero(follower.rows[rows])
            if not len(here):
                continue
            table, block = self.restored(values[here], rows[here]), self.blocks[follower.j]
            if isinstance(follower.rule, Slack):
                found = follower.rule.reduce(table, self.meaning)[follower.rule.distance.name]
                agrees[here] &= found >= follower.rule.least
            else:
                column = self.columns.schema[follower.rule.column]
                with np.errstate(divide="ignore", invalid="ignore"):
                    found = in_unit(column, follower.rule.value, table, self.meaning)
                found = _cells_of(column, block, found)
            good = _learned(block, found)
            agrees[here] &= good
            some = float(np.concatenate([block.atoms, block.knots.ravel()])[0])
            values[here, follower.j] = np.where(good, found, some)
        return self.agree(values, rows) & agrees

    def restored(self, values: np.ndarray, rows: np.ndarray) -> Columns:
        """Return the table's columns of values (m, J), with the cells of the rows (m,) given."""
        made = self.encoder.restored(list(values.T))
        arrays = {
            name: np.where(self.present(name)[rows], self.columns.arrays[name][rows], cells)
            for name, cells in made.arrays.items()
        }
        return Columns(made.schema, arrays, made.n)

    def agree(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return where (m,) what the values make is what is given, and keeps the rules."""
        made = self.encoder.restored(list(values.T))
        good = np.ones(len(rows), dtype=bool)
        for name, cells in made.arrays.items():
            given, has = self.columns.arrays[name][rows].astype(float), self.present(name)[rows]
            near = np.isclose(cells.astype(float), given, rtol=ROUNDING, atol=self._grain(name))
            good &= ~has | near
        for j, fits in self.allowed:
            good &= fits[rows, values[:, j].astype(int)]
        for name in self.construction.present:
            good &= ~made.missing(name)
        for name, low, high in self.construction.ends:
            cells = made.arrays[name]
            good &= self.present(name)[rows] | ~((cells < low) | (cells > high))
        for rule in self.construction.checked:
            if not isinstance(rule.statement, Group) or rule.statement.sort != "unique":
                good &= rule.broken(made) != 1
        return good

    def _grain(self, name: str) -> float:
        """Return what the rounding of a computed column may be off."""
        grains = (
            step.grain
            for step in self.construction.steps
            if isinstance(step, Computed | Slack) and step.target.name == name
        )
        return max(grains, default=0.0) / 2
