"""Rules kept by construction: what generators learn instead of the columns, and the way back.

Notation: n rows. A *step* makes some columns of the table from others and from *inner* columns,
which are learned in their place: a computed column needs nothing of its own, a column that is
never below others is learned as its distance from them, columns that occur in few combinations
as one column of these. Whatever is drawn then keeps the rule, by every generator. What no step
can build in is checked, and rows that break it are drawn again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tabseed.rules.columns import Columns, columns_of
from tabseed.rules.meaning import Meaning, Rows, Rule
from tabseed.rules.plan import Plan
from tabseed.rules.steps import Step
from tabseed.table.schema import Column, Schema


@dataclass(frozen=True)
class Construction:
    """The steps of a table's rules, in the order in which rows are restored."""

    schema: Schema
    steps: tuple[Step, ...]
    checked: tuple[Rule, ...]
    """Rules that no step keeps: rows are checked and drawn again."""
    present: tuple[str, ...] = ()
    """Columns made by steps in which no cell was missing."""

    @classmethod
    def of(cls, rules: Sequence[Rule], table: Rows, schema: Schema) -> Self:
        """Find steps for rules that all rows of ``table`` keep."""
        meaning = Meaning(schema, "")
        rows = columns_of(table, schema)
        plan = Plan(rows, meaning)
        checked = [rule for rule in rules if not plan.take(rule)]
        names = set(schema.names)
        kept = tuple(rule for rule in checked if names.issuperset(rule.columns))
        made = dict.fromkeys(name for step in plan.steps for name in step.makes)
        present = tuple(name for name in made if not rows.missing(name).any())
        return cls(schema, tuple(plan.ordered()), kept, present)

    @property
    def meaning(self) -> Meaning:
        """Evaluates the trees of the steps."""
        return Meaning(self.schema, "")

    @property
    def inner(self) -> Schema:
        """The columns that are learned."""
        made = {name: step for step in self.steps if step.base for name in step.makes}
        columns: list[Column] = []
        for column in self.schema:
            step = made.get(column.name)
            if step is None:
                columns.append(column)
            elif column.name == step.makes[0]:
                columns += step.inner
        return Schema(tuple(columns))

    def reduce(self, table: Rows) -> Columns:
        """Return what is learned of rows."""
        rows, inner = columns_of(table, self.schema), self.inner
        arrays = dict(rows.arrays)
        for step in self.steps:
            arrays |= step.reduce(rows, self.meaning)
        return Columns(inner, {name: arrays[name] for name in inner.names}, rows.n)

    def restore(self, inner: Mapping[str, np.ndarray]) -> Columns:
        """Return the columns of the table from what was learned and drawn."""
        n = len(next(iter(inner.values()))) if inner else 0
        rows = Columns(self.schema, dict(inner), n)
        for step in self.steps:
            step.restore(rows, self.meaning)
        return Columns(self.schema, {name: rows.arrays[name] for name in self.schema.names}, n)

    def keep(self, rows: Columns) -> np.ndarray:
        """Return which rows (n,) keep what no step could build in."""
        kept = np.ones(rows.n, dtype=bool)
        for name in self.present:
            kept &= ~rows.missing(name)
        for rule in self.checked:
            kept &= rule.broken(rows) != 1
        return kept

    def to_state(self) -> list[dict[str, Any]]:
        """Return the steps, JSON-ready."""
        return [step.to_dict() for step in self.steps]
