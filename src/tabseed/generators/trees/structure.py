"""What is known of the causes of columns: which follow which, and the orders that this leaves."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from tabseed.coding.encode import TableEncoder
from tabseed.errors import KnowledgeWarning, SchemaError
from tabseed.generators.trees.level_trees import Rows, place_of
from tabseed.parameters import shown
from tabseed.table.schema import Schema

LEVEL = 0.01  # of a doubt about a direction that is true
TWO = 2  # levels that have an order without being ordered

Known = dict[int, frozenset[int]]  # by index of a block: those that it follows, and no others


def known_parents(parents: Mapping[Any, Any], encoder: TableEncoder, schema: Schema) -> Known:
    """Return the declared parents, by indices of the free blocks that are learned for columns.

    SchemaError for names that are no columns, for columns that follow from others anyway, and for
    parents that depend on each other in a circle.
    """
    known: Known = {}
    for name, causes in parents.items():
        if isinstance(causes, str) or not isinstance(causes, Sequence):
            raise SchemaError(f"parents of {shown(name)}: {shown(causes)} is no list of columns")
        (j,) = _blocks(encoder, schema[name].name, follows=False)
        found = [i for cause in causes for i in _blocks(encoder, schema[cause].name)]
        known[j] = frozenset(found) - {j}
    free = [j for j, block in enumerate(encoder.layout_.blocks) if block.parent < 0]
    if len(_placed(free, known, np.random.default_rng(0))) < len(free):
        raise SchemaError("parents: columns depend on each other in a circle")
    return known


def _blocks(encoder: TableEncoder, name: str, *, follows: bool = True) -> list[int]:
    """Return the free blocks that stand for a column."""
    blocks = encoder.layout_.blocks
    names = [block.name for block in blocks]
    if name not in names or name in encoder.made_:
        raise SchemaError(
            f"parents: column {name!r} is not learned by itself, because a rule makes it or it is "
            "left out"
        )
    j = names.index(name)
    if blocks[j].parent >= 0:
        if not follows:
            raise SchemaError(
                f"parents: column {name!r} follows {names[blocks[j].parent]!r} in every row; name "
                "that one"
            )
        j = blocks[j].parent
    return [j]


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
    (j,) = _blocks(encoder, name, follows=False)
    block = encoder.layout_.blocks[j]
    if not block.ordered and len(block.atoms) != TWO:
        raise SchemaError(
            f"monotone: column {name!r} has neither numbers, nor ordered levels, nor two levels"
        )
    return j


def warn_of_contradictions(signs: Signs, rows: Rows) -> None:
    """Warn of directions that the rows contradict: Spearman's correlation, one-sided.

    At LEVEL / (number of directions), so that of all true directions one is doubted with
    probability LEVEL at most.
    """
    pairs = [(pair, sign) for pair, sign in signs.items() if pair[0] < pair[1]]
    for (j, i), sign in pairs:
        one, other = (place_of(rows.levels[k], rows.level[k]) for k in (j, i))
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


def order_of(blocks: Sequence[int], known: Known, rng: np.random.Generator) -> list[int]:
    """Return the blocks in random order, each after its parents."""
    if not known:
        return [int(j) for j in rng.permutation(list(blocks))]
    return _placed(blocks, known, rng)


def _placed(blocks: Sequence[int], known: Known, rng: np.random.Generator) -> list[int]:
    """Place blocks whose parents are placed, at random, until none is left or none can be."""
    placed: list[int] = []
    left = [int(j) for j in rng.permutation(list(blocks))]
    while left:
        ready = [j for j in left if not (known.get(j, frozenset()) & set(left))]
        if not ready:
            break
        placed.append(ready[0])
        left.remove(ready[0])
    return placed


def predictors(before: Sequence[int], j: int, known: Known) -> list[int]:
    """Return the blocks before block j by which it is predicted."""
    return [i for i in before if j not in known or i in known[j]]
