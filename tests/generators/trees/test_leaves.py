"""The law within the leaves of a forest against loops and results by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from helpers.forests import discrete_table, random_forest
from tabseed import Table, TableEncoder
from tabseed.generators.trees.leaves import Axis, Leaves, Trees


def hand_trees() -> Trees:
    """One tree that asks once: is column 0 at position 0?"""
    arrays = ([0, 0, 0], [0, 0, 0], [1, -1, -1], [2, -1, -1])
    return Trees(np.array([0]), *(np.array(a) for a in arrays))


def test_law_of_a_forest_computed_by_hand() -> None:
    """Rows (0,0) (0,1) | (1,1) (1,2): column 1 has margin (1, 2, 1) / 4, prior one row."""
    rows = np.array([[0, 0], [0, 1], [1, 1], [1, 2]])
    axes = [
        Axis(np.array([0.5, 0.5]), None, 1.0),
        Axis(np.array([0.25, 0.5, 0.25]), None, 1.0),
    ]
    trees = hand_trees()
    leaves = Leaves.learn(trees, axes, rows)
    assert leaves.law(0, np.arange(2)) == pytest.approx(np.eye(2))
    expected = np.array([[1.25, 1.5, 0.25], [0.25, 1.5, 1.25]]) / 3
    assert leaves.law(1, np.arange(2)) == pytest.approx(expected)
    queries = np.array([[0, 1], [1, 0]])
    logs = leaves.log_probability(queries, trees.apply(queries))
    assert np.exp(logs) == pytest.approx([1 / 4, 1 / 24])


def smooth_axis(size: int, column: np.ndarray, bandwidth: float, prior: float) -> Axis:
    """Return the axis of the docstring, computed with loops."""
    margin = np.array([(column == c).mean() for c in range(size)])
    rank = [margin[:c].sum() + margin[c] / 2 for c in range(size)]
    kernel = np.zeros((size, size))
    for a, b in product(range(size), repeat=2):
        kernel[a, b] = margin[b] * np.exp(-((rank[a] - rank[b]) ** 2) / (2 * bandwidth**2))
    return Axis(margin, kernel / kernel.sum(axis=1, keepdims=True), prior)


def law_by_loops(axis: Axis, column: np.ndarray, low: int, high: int) -> np.ndarray:
    """Return p(c | l) for the rows of one leaf and its box [low, high)."""
    law = np.zeros(len(axis.margin))
    for c in range(low, high):
        for at in column:
            law[c] += axis.kernel[at, c] / axis.kernel[at, low:high].sum()
        law[c] += axis.prior * axis.margin[c] / axis.margin[low:high].sum()
    return law / (len(column) + axis.prior)


def test_law_agrees_with_loops() -> None:
    forest, rows = random_forest()
    trees = forest.trees.pruned(rows, forest.in_bag, 4)
    axes = [smooth_axis(k, c, 0.2, 0.7) for k, c in zip((6, 4, 5), rows.T, strict=True)]
    leaves = Leaves.learn(trees, axes, rows, forest.in_bag)
    leaf = trees.apply(rows)
    some = np.array([3, 0, len(trees.leaf_nodes) - 1])
    for j, axis in enumerate(axes):
        laws = leaves.law(j, some)
        for number, law in zip(some, laws, strict=True):
            members = np.nonzero((leaf == number) & forest.in_bag)[0]
            box = leaves.first[number, j], leaves.stop[number, j]
            assert law == pytest.approx(law_by_loops(axis, rows[members, j], *box))


def test_kernel_of_an_axis() -> None:
    """The kernel of numbers is that of the loops; missing cells count only for themselves."""
    table = Table.from_frame(discrete_table())
    encoder = TableEncoder().fit(table)
    block = next(b for b in encoder.layout_.blocks if b.name == "count")
    rng = np.random.default_rng(0)
    column = rng.integers(0, 6, 100)
    axis = Axis.learn(block, column, 0.2, 0.5)
    bare = smooth_axis(6, column, 0.2, 0.5)
    kernel = bare.kernel.copy()
    kernel[0, 1:] = kernel[1:, 0] = 0
    assert axis.margin == pytest.approx(bare.margin)
    assert axis.kernel == pytest.approx(kernel / kernel.sum(axis=1, keepdims=True))


def test_without_smoothing_margins_are_the_real_ones() -> None:
    forest, rows = random_forest()
    axes = [Axis(np.bincount(c, minlength=k) / len(c), None, 0.0)
            for k, c in zip((6, 4, 5), rows.T, strict=True)]  # fmt: skip
    leaves = Leaves.learn(forest.trees.pruned(rows, forest.in_bag, 3), axes, rows)
    weights = leaves.sizes / leaves.sizes.sum()
    for j, axis in enumerate(axes):
        mixed = weights @ leaves.law(j, np.arange(len(weights)))
        assert mixed == pytest.approx(axis.margin, abs=1e-12)
