"""Rules kept by construction: what generators learn instead of the columns, and the way back.

Notation: n rows. A *step* makes some columns of the table from others and from *inner* columns,
which are learned in their place: a computed column needs nothing of its own, a column that is
never below others is learned as its distance from them, columns that occur in few combinations
as one column of these. Whatever is drawn then keeps the rule, by every generator. What no step
can build in is checked, and rows that break it are drawn again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tabseed.rules.columns import Columns, columns_of
from tabseed.rules.meaning import Meaning, Rows, Rule
from tabseed.rules.plan import Plan
from tabseed.rules.steps import Combined, Computed, Slack, Step, step_from
from tabseed.table.schema import Column, Schema


@dataclass(frozen=True)
class Construction:
    """The steps of a table's rules, in the order in which rows are restored."""

    schema: Schema
    steps: tuple[Step, ...] = ()
    checked: tuple[Rule, ...] = ()
    """Rules that no step keeps: rows are checked and drawn again."""
    present: tuple[str, ...] = ()
    """Columns made by steps in which no cell was missing."""
    ends: tuple[tuple[str, float, float], ...] = ()
    """Columns of numbers computed or bounded by steps, with the smallest and the largest cell: a
    sum of parts, each of which may be, may be what no row is."""

    @classmethod
    def of(
        cls,
        rules: Sequence[Rule],
        table: Rows,
        schema: Schema,
        identities: Sequence[Rule] = (),
    ) -> Self:
        """Find steps for rules that all rows of ``table`` keep.

        ``identities``: rules that were found, not declared; kept where a step can build them in.
        """
        meaning = Meaning(schema, "")
        rows = columns_of(table, schema)
        plan = Plan(rows, meaning)
        checked = [rule for rule in rules if not plan.take(rule)]
        for rule in identities:
            plan.take(rule)
        undone = plan.undoing()  # steps that would move what another step made
        plan.steps = [step for step in plan.steps if step not in undone]
        texts = {step.rule for step in undone}
        checked += [rule for rule in rules if str(rule) in texts and rule not in checked]
        names = set(schema.names)
        kept = tuple(rule for rule in checked if names.issuperset(rule.columns))
        made = dict.fromkeys(name for step in plan.steps for name in step.makes)
        present = tuple(name for name in made if not rows.missing(name).any())
        ends: list[tuple[str, float, float]] = []
        for step in plan.steps:
            if isinstance(step, Computed | Slack):
                name, cells = step.target.name, rows.arrays[step.target.name]
                if not np.isnan(cells).all():
                    ends.append((name, float(np.nanmin(cells)), float(np.nanmax(cells))))
        return cls(schema, tuple(plan.ordered()), kept, present, tuple(ends))

    @property
    def kept(self) -> list[str]:
        """The rules that are kept, as text."""
        texts = [text for step in self.steps for text in step.rule.split("; ")]
        return list(dict.fromkeys([*texts, *map(str, self.checked)]))

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
        found: dict[str, np.ndarray] = {}
        for step in self.steps:
            found |= step.reduce(rows, self.meaning)
        arrays = {n: found[n] if n in found else rows.arrays[n] for n in inner.names}
        return Columns(inner, arrays, rows.n, frozenset(inner.names).difference(found))

    def restore(self, inner: Mapping[str, np.ndarray]) -> Columns:
        """Return the columns of the table from what was learned and drawn."""
        n = len(next(iter(inner.values()))) if inner else 0
        rows = Columns(self.schema, dict(inner), n)
        for step in self.steps:
            step.restore(rows, self.meaning)
        return Columns(self.schema, {name: rows.arrays[name] for name in self.schema.names}, n)

    def combined(self, name: str) -> Iterator[tuple[str, Columns]]:
        """Yield the column learned of combinations with a column of the table, and these.

        Nothing if another step changes the column's cells afterwards.
        """
        if any(name in step.makes and not step.base for step in self.steps):
            return
        for step in self.steps:
            if isinstance(step, Combined) and name in step.columns:
                codes = np.arange(len(step.cells))
                rows = Columns(self.schema, {step.joint.name: codes}, len(codes))
                step.restore(rows, self.meaning)
                yield step.joint.name, rows

    def keep(self, rows: Columns, seen: Columns | None = None) -> np.ndarray:
        """Return which rows (n,) keep what no step could build in, beside rows ``seen`` before."""
        kept = np.ones(rows.n, dtype=bool)
        for name in self.present:
            kept &= ~rows.missing(name)
        for name, low, high in self.ends:
            kept &= ~((rows.arrays[name] < low) | (rows.arrays[name] > high))
        for rule in self.checked:
            kept &= rule.broken(rows, seen) != 1
        return kept

    def blamed(self, rows: Columns, seen: Columns) -> list[tuple[str, float]]:
        """Return what rows break, beside rows ``seen``, with the share of them; most first."""
        shares = [
            (f"{name} present", float(rows.missing(name).mean()) if rows.n else 0.0)
            for name in self.present
        ]
        for name, low, high in self.ends:
            beyond = (rows.arrays[name] < low) | (rows.arrays[name] > high)
            shares.append(
                (f"{low:g} <= {name} <= {high:g}", float(beyond.mean()) if rows.n else 0.0)
            )
        for rule in self.checked:
            broken = rule.broken(rows, seen) == 1
            shares.append((str(rule), float(broken.mean()) if rows.n else 1.0))
        return sorted((pair for pair in shares if pair[1] > 0), key=lambda pair: -pair[1])

    def about(self, names: Iterable[str]) -> list[str]:
        """Return the rules that name one of some columns, or make it."""
        wanted = set(names)
        found = [
            text
            for step in self.steps
            if wanted.intersection(step.makes)
            for text in step.rule.split("; ")
        ]
        found += [str(rule) for rule in self.checked if wanted.intersection(rule.columns)]
        return list(dict.fromkeys(found))

    def to_state(self) -> dict[str, Any]:
        """Return what was learned, JSON-ready."""
        return {
            "steps": [step.to_dict() for step in self.steps],
            "checked": [str(rule) for rule in self.checked],
            "present": list(self.present),
            "ends": [list(entry) for entry in self.ends],
            "grains": {n: g for rule in self.checked for n, g in rule.meaning.grains.items()},
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], schema: Schema) -> Self:
        """Rebuild it from what :meth:`to_state` returned; without ``checked``, which need a table.

        Raises ValueError, SchemaError or what Python raises for wrong types and keys.
        """
        steps = tuple(step_from(entry) for entry in state["steps"])
        present = tuple(schema[str(name)].name for name in state["present"])
        ends = tuple(
            (schema[str(name)].name, float(low), float(high)) for name, low, high in state["ends"]
        )
        built = cls(schema, steps, (), present, ends)
        known = set(built.inner.names)
        for step in steps:
            for name in (*step.makes, *step.needs(built.meaning)):
                schema[name]
            for name in step.needs(built.meaning):
                if name not in known:
                    raise ValueError(f"a step needs {name!r} before it is made")
            known |= set(step.makes)
        return built
