"""Find the steps that keep rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from tabseed.rules.columns import Columns
from tabseed.rules.meaning import Meaning, Rule
from tabseed.rules.solve import Solved, solutions
from tabseed.rules.steps import Combined, Computed, Forced, Masked, Slack, Snapped, Step, in_unit
from tabseed.rules.tree import (
    Calculation,
    Comparison,
    Condition,
    Group,
    Implication,
    Joined,
    Number,
    State,
    Statement,
)
from tabseed.table.schema import NUMERIC

MOST_COMBINATIONS = 4_000


class Plan:
    """Takes rules one by one, and finds a step for each part of a rule."""

    def __init__(self, rows: Columns, meaning: Meaning) -> None:
        self.rows, self.meaning = rows, meaning
        self.steps: list[Step] = []
        self.taken = set(rows.schema.names)

    def take(self, rule: Rule) -> bool:
        """Add steps that keep the whole rule; False if a part of it must be checked."""
        if not self.taken.issuperset(rule.columns):
            return False  # of columns that are left out
        return all([self.part(str(rule), part) for part in _parts(rule.statement)])

    def part(self, text: str, part: Statement) -> bool:
        """Add a step that keeps a part of a rule; False if there is none."""
        if isinstance(part, Group):
            return part.sort != "unique" and self.combined(text, part)
        if isinstance(part, Implication):
            return self.implied(text, part)
        if not isinstance(part, Comparison):
            return False
        if self.snapped(text, part):
            return True
        found = [
            one
            for one in solutions(part, self.meaning)
            if self.rows.schema[one.column].kind in NUMERIC and self.meaning.columns(one.value)
        ]
        makers = [self.computed, self.slack]
        return any(make(text, one) for one in found for make in makers)

    def add(self, step: Step, instead: Step | None = None) -> bool:
        """Add a step unless its columns are made already, or it would depend on itself."""
        others = [s for s in self.steps if s is not instead]
        made = {name for s in others if s.base for name in s.makes}
        if step.base and made.intersection(step.makes):
            return False
        before, self.steps = self.steps, [*others, step]
        if self.ordered_or_none() is None:
            self.steps = before
            return False
        return True

    def computed(self, text: str, solved: Solved) -> bool:
        """Compute a column from others."""
        if solved.sign != "=":
            return False
        return self.add(Computed.of(text, solved, self.rows, self.meaning, self.taken))

    def slack(self, text: str, solved: Solved) -> bool:
        """Add a bound to a column, together with those of the same side that it has."""
        if solved.sign == "=":
            return False
        bounds, before = [solved], None
        for step in self.steps:
            if isinstance(step, Slack) and step.target.name == solved.column:
                if (step.side > 0) != (solved.sign in (">", ">=")):
                    return False
                before = step
                sign = ">" if step.side > 0 else "<"
                sign += "" if step.least > 0 else "="
                bounds = [*(Solved(solved.column, sign, b) for b in step.bounds), solved]
        rule = text if before is None else f"{before.rule}; {text}"
        taken = self.taken - {c.name for c in (before.inner if before else ())}
        return self.add(Slack.of(rule, bounds, self.rows, self.meaning, taken), before)

    def combined(self, text: str, part: Group) -> bool:
        """Learn the combinations of columns as one column, with those that share a column."""
        names = [self.meaning.known_column(word).name for word in part.columns]
        shared = [s for s in self.steps if isinstance(s, Combined) and set(s.columns) & set(names)]
        names = list(dict.fromkeys([*(n for s in shared for n in s.columns), *names]))
        rule = "; ".join([*(s.rule for s in shared), text])
        before, self.steps = self.steps, [s for s in self.steps if s not in shared]
        step = Combined.of(rule, names, self.rows, self.taken)
        if len(step.cells) > MOST_COMBINATIONS:
            raise self.meaning.refused(
                f"rule {text!r}: the rows have {len(step.cells)} combinations, more than "
                f"{MOST_COMBINATIONS}, so they say little; leave the rule out"
            )
        if self.add(step):
            return True
        self.steps = before
        if part.sort == "one of":
            return False  # which can be checked row by row
        raise self.meaning.refused(
            f"rule {text!r}: another rule makes one of its columns already; leave one of them out"
        )

    def implied(self, text: str, part: Implication) -> bool:
        """Force cells where the first condition holds; both ways only for missing cells."""
        if part.both:
            return any(
                isinstance(state, State) and self.masked(text, condition, state)
                for condition, state in ((part.first, part.second), (part.second, part.first))
            )
        consequences = _all_of(part.second)
        cells = [self.cell(one) for one in consequences]
        return all([
            cell is not None and self.add(Forced(text, part.first, *cell)) for cell in cells
        ])  # fmt: skip

    def masked(self, text: str, condition: Condition, state: State) -> bool:
        """Let cells be missing exactly where a condition on other columns holds."""
        column = self.meaning.known_column(state.column)
        if not state.missing or column.name in self.meaning.columns(condition):
            return False
        present = np.flatnonzero(~self.rows.missing(column.name))
        if not len(present):
            return False
        fill = float(self.rows.arrays[column.name][present[0]])
        return self.add(Masked(text, condition, column, fill))

    def cell(self, one: Condition) -> tuple[str, float] | None:
        """Return the column and the cell that a condition asks for, None if it leaves a choice."""
        if isinstance(one, State):
            return (self.meaning.known_column(one.column).name, np.nan) if one.missing else None
        if not isinstance(one, Comparison) or one.signs != ("=",):
            return None
        for side, other in (one.values, one.values[::-1]):
            column = self.meaning.column(side)
            if column is None or self.meaning.columns(other):
                continue
            if self.meaning.of_levels(side, other):
                return column.name, float(self.meaning.level(column, other))
            if column.kind in NUMERIC:
                (cell,) = in_unit(column, other, replace(self.rows, n=1), self.meaning)
                return column.name, float(cell)
        return None

    def snapped(self, text: str, part: Comparison) -> bool:
        """Move numbers to whole steps."""
        if part.signs != ("=",):
            return False
        for side, other in (part.values, part.values[::-1]):
            if not (isinstance(side, Calculation) and side.sign == "%"):
                continue
            column, step = self.meaning.column(side.left), side.right
            if column is None or column.kind not in ("continuous", "integer"):
                continue
            if not (isinstance(step, Number) and isinstance(other, Number) and step.days > 0):
                continue
            cells = self.rows.arrays[column.name]
            if np.isnan(cells).all():
                return True
            ends = float(np.nanmin(cells)), float(np.nanmax(cells))
            return self.add(Snapped(text, column.name, step.days, other.days, *ends))
        return False

    def undoing(self) -> list[Step]:
        """Return the steps that move cells which another step has computed, bounded or combined."""
        made = {
            name
            for step in self.steps
            if isinstance(step, Computed | Slack | Combined)
            for name in step.makes
        }
        return [
            step
            for step in self.steps
            if isinstance(step, Snapped | Forced)
            and made.intersection(step.makes)
            and not (isinstance(step, Forced) and np.isnan(step.cell))
        ]

    def ordered(self) -> list[Step]:
        """Return the steps so that each comes after those that make what it needs."""
        found = self.ordered_or_none()
        assert found is not None
        return found

    def ordered_or_none(self) -> list[Step] | None:
        """Return the steps in order, None if they depend on each other in a circle."""
        makers: dict[str, list[Step]] = {}
        for step in sorted(self.steps, key=lambda s: not s.base):
            for name in step.makes:
                makers.setdefault(name, []).append(step)
        after: dict[int, set[int]] = {id(step): set() for step in self.steps}
        for chain in makers.values():
            for one, other in pairwise(chain):
                after[id(other)].add(id(one))
        for step in self.steps:
            for name in step.needs(self.meaning):
                after[id(step)] |= {id(m) for m in makers.get(name, []) if m is not step}
        done: list[Step] = []
        left = list(self.steps)
        while left:
            ready = [s for s in left if after[id(s)] <= {id(d) for d in done}]
            if not ready:
                return None
            done.append(ready[0])
            left.remove(ready[0])
        return done


def _parts(statement: Statement) -> Iterator[Statement]:
    """Yield the parts of a statement that must all hold."""
    if isinstance(statement, Joined) and statement.word == "and":
        for part in statement.parts:
            yield from _parts(part)
    elif isinstance(statement, Comparison):
        for pair, sign in zip(pairwise(statement.values), statement.signs, strict=True):
            yield Comparison(pair, (sign,))
    else:
        yield statement


def _all_of(condition: Condition) -> tuple[Condition, ...]:
    """Return the conditions that must all hold for one to hold."""
    joined = isinstance(condition, Joined) and condition.word == "and"
    return condition.parts if isinstance(condition, Joined) and joined else (condition,)
