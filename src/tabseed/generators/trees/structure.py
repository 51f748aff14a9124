"""What is known of the causes of columns: which follow which, and the orders that this leaves."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from scipy.stats import spearmanr

from tabseed.coding.encode import TableEncoder
from tabseed.errors import KnowledgeWarning, SchemaError
from tabseed.generators.trees.level_trees import Rows, place_of
from tabseed.parameters import shown
from tabseed.table.schema import Schema

LEVEL = 0.01  # of a doubt about a direction that is true
TWO = 2  # levels that have an order without being ordered

Edges = dict[int, frozenset[int]]  # by index of a block: other blocks


@dataclass(frozen=True)
class Structure:
    """What is known of causes, by indices of free blocks.

    ``parents``: all that predicts a block; ``after``: what comes before it in every order;
    ``forbidden``: what never predicts it.
    """

    parents: Edges = field(default_factory=dict)
    after: Edges = field(default_factory=dict)
    forbidden: Edges = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        encoder: TableEncoder,
        schema: Schema,
        parents: Mapping[Any, Any],
        order: Sequence[Any] = (),
        forbidden: Mapping[Any, Any] | None = None,
    ) -> Self:
        """Return what was declared of columns, of the free blocks that are learned for them.

        SchemaError for names that are no columns, for columns that follow from others anyway, for
        what contradicts itself, and for columns that depend on each other in a circle.
        """
        known = _edges("parents", parents, encoder, schema)
        for name, causes in parents.items():
            if name in causes:
                raise SchemaError(f"parents: {shown(name)} is its own parent")
        never = _edges("forbidden", forbidden or {}, encoder, schema)
        for j in sorted(set(known).intersection(never)):
            both = sorted(known[j] & never[j])
            if both:
                names = [encoder.layout_.blocks[k].name for k in (both[0], j)]
                raise SchemaError(f"forbidden: {names[0]!r} is also a parent of {names[1]!r}")
        if isinstance(order, str):
            raise SchemaError(f"order: {shown(order)} is no list of columns")
        line = [_block(encoder, schema[name].name, "order", follows=False) for name in order]
        if len(set(line)) < len(line):
            raise SchemaError("order: a column is named twice")
        after = {j: frozenset(line[:at]) | known.get(j, frozenset()) for at, j in enumerate(line)}
        made = cls(known, known | after, never)
        free = [j for j, block in enumerate(encoder.layout_.blocks) if block.parent < 0]
        if len(made.order(free, np.random.default_rng(0))) < len(free):
            raise SchemaError("parents, order: columns depend on each other in a circle")
        return made

    def order(self, blocks: Sequence[int], rng: np.random.Generator) -> list[int]:
        """Return the blocks in random order, each after those that it must come after.

        Blocks with parents come first, with what they need: whatever comes after them may follow
        them, but they may not follow it. Blocks that depend on each other in a circle are left out.
        """
        placed: list[int] = []
        left = [int(j) for j in rng.permutation(list(blocks))]
        needed = self._needed()
        while left:
            ready = [j for j in left if not (self.after.get(j, frozenset()) & set(left))]
            if not ready:
                break
            ready.sort(key=lambda j: (j not in self.parents, j not in needed))
            placed.append(ready[0])
            left.remove(ready[0])
        return placed

    def _needed(self) -> set[int]:
        """Return the blocks that must come before one with parents."""
        needed: set[int] = set()
        more = set(self.parents)
        while more:
            more = set().union(*(self.after.get(j, frozenset()) for j in more)) - needed
            needed |= more
        return needed

    def predictors(self, before: Sequence[int], j: int) -> list[int]:
        """Return the blocks before block j by which it is predicted."""
        never = self.forbidden.get(j, frozenset())
        return [i for i in before if i in self.parents.get(j, before) and i not in never]


def _edges(what: str, edges: Mapping[Any, Any], encoder: TableEncoder, schema: Schema) -> Edges:
    """Return edges of columns as edges of the free blocks that stand for them."""
    known: Edges = {}
    for name, others in edges.items():
        if isinstance(others, str) or not isinstance(others, Sequence):
            raise SchemaError(f"{what} of {shown(name)}: {shown(others)} is no list of columns")
        j = _block(encoder, schema[name].name, what, follows=False)
        known[j] = frozenset(_block(encoder, schema[o].name, what) for o in others) - {j}
    return known


def _block(encoder: TableEncoder, name: str, what: str, *, follows: bool = True) -> int:
    """Return the free block that stands for a column."""
    blocks = encoder.layout_.blocks
    names = [block.name for block in blocks]
    if name not in names or name in encoder.made_:
        steps = encoder.construction_.steps
        rule = next((step.rule for step in steps if name in step.makes), None)
        why = "it is left out" if rule is None else f"rule {rule!r} makes it; name others of it"
        raise SchemaError(f"{what}: column {name!r} is not learned by itself: {why}")
    j = names.index(name)
    if blocks[j].parent >= 0 and not follows:
        raise SchemaError(
            f"{what}: column {name!r} follows {names[blocks[j].parent]!r} in every row; name "
            "that one"
        )
    return blocks[j].parent if blocks[j].parent >= 0 else j


Signs = dict[tuple[int, int], int]  # of a pair of blocks, both ways


def known_signs(monotone: Mapping[Any, Any], encoder: TableEncoder, schema: Schema) -> Signs:
    """Return the declared directions, 1 or -1, by the indices of free blocks, both ways.

    SchemaError for a direction of columns that have none, or of another form.
    """
    signs: Signs = {}
    for name, others in monotone.items():
        if not isinstance(others, Mapping):
            raise SchemaError(f"monotone {shown(name)}: {shown(others)} is no dict of columns")
        for other, sign in others.items():
            if isinstance(sign, bool) or sign not in (1, -1):
                raise SchemaError(
                    f"monotone {shown(name)}: {shown(other)} has 1 or -1, not {shown(sign)}"
                )
            pair = [_directed(encoder, schema[n].name) for n in (name, other)]
            if pair[0] == pair[1]:
                raise SchemaError(f"monotone {shown(name)}: a column has no direction to itself")
            signs[pair[0], pair[1]] = signs[pair[1], pair[0]] = int(sign)
    return signs


def _directed(encoder: TableEncoder, name: str) -> int:
    """Return the free block of a column that can rise and fall."""
    j = _block(encoder, name, "monotone", follows=False)
    block = encoder.layout_.blocks[j]
    if not block.ordered and len(block.atoms) != TWO:
        raise SchemaError(
            f"monotone: column {name!r} has neither numbers, nor ordered levels, nor two levels"
        )
    return j


def check_possible(signs: Signs, known: Structure, encoder: TableEncoder) -> None:
    """Raise SchemaError for a direction of columns of which neither may predict the other."""
    for j, i in signs:
        if not (known.predictors([i], j) or known.predictors([j], i)):
            names = [encoder.layout_.blocks[k].name for k in (j, i)]
            raise SchemaError(
                f"monotone: {names[0]!r} has a direction with {names[1]!r}, but by parents and "
                "forbidden neither may predict the other"
            )


def warn_of_contradictions(signs: Signs, rows: Rows) -> None:
    """Warn of directions that the rows contradict: Spearman's correlation, one-sided.

    At LEVEL / (number of directions), so that of all true directions one is doubted with
    probability LEVEL at most.
    """
    pairs = [(pair, sign) for pair, sign in signs.items() if pair[0] < pair[1]]
    for (j, i), sign in pairs:
        one, other = (place_of(rows.levels[k], rows.level[:, k]) for k in (j, i))
        found = spearmanr(one, other, alternative="less" if sign > 0 else "greater")
        if found.pvalue < LEVEL / len(pairs):
            names = [rows.levels[k].block.name for k in (j, i)]
            warnings.warn(
                f"monotone: {names[0]!r} was said to {'rise' if sign > 0 else 'fall'} with "
                f"{names[1]!r}, and the {rows.n} rows say the opposite (rank correlation "
                f"{found.statistic:+.2f}); unless other columns explain it, the sign is wrong",
                KnowledgeWarning,
                stacklevel=5,
            )
