"""Trees over levels: laws shrunk towards ancestors, forests, targets."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from helpers.level_trees import columns, mixed
from tabseed.generators.trees.level_trees import Forest, Rows, Tree, targets


def test_laws_are_shrunk_towards_ancestors_as_the_formula_says() -> None:
    """Root (6, 2), its children (5, 1) and (1, 1), of which the first has (4, 0) and (1, 1)."""
    tree = Tree(
        feature=np.array([0, 0, -1, -1, -1]),
        threshold=np.zeros(5),
        left=np.array([1, 2, -1, -1, -1]),
        right=np.array([4, 3, -1, -1, -1]),
        contrasts=np.empty(0),
        counts=np.array([[6, 2], [5, 1], [4, 0], [1, 1], [1, 1]], float),
    )
    law = tree.laws([2.0, 0.0])
    p1 = (5 + 2 * 0.75) / 8  # child of the root
    expected = [0.75, p1, (4 + 2 * p1) / 6, (1 + 2 * p1) / 4, (1 + 2 * 0.75) / 4]
    np.testing.assert_allclose(law[0, :, 0], expected, rtol=1e-12)
    np.testing.assert_allclose(law[1, :, 0], [0.75, 5 / 6, 1, 0.5, 0.5], rtol=1e-12)
    np.testing.assert_allclose(law.sum(axis=2), 1, rtol=1e-12)


def test_a_forest_gives_each_row_the_shares_of_its_leaf() -> None:
    """It agrees with counting by brute force; each walk ends where scikit-learn's does."""
    encoder, x = columns(mixed())
    rows = Rows.of(encoder.layout_, x)
    trees, reached, weights = [], [], []
    for t in range(3):
        weight = np.random.default_rng(t).integers(0, 3, rows.n)
        stream = np.random.SeedSequence(t)
        tree, node = Tree.grow(rows, [0, 2], 1, weight, min_leaf=5, stream=stream)
        trees.append(tree)
        reached.append(node)
        weights.append(weight)
    size = rows.levels[1].size
    forest = Forest.join([0, 2], trees, 0.0, np.eye(size))
    for t in range(3):
        law = np.diff(forest.laws(rows, np.full(rows.n, t)), axis=1, prepend=0)
        for i in range(0, rows.n, 17):
            same = reached[t] == reached[t][i]
            count = np.bincount(rows.level[1][same], weights[t][same], size)
            np.testing.assert_allclose(law[i], count / count.sum(), atol=1e-6)
        in_bag = np.bincount(reached[t], weights[t] > 0)
        assert in_bag[in_bag > 0].min() >= 5


def test_targets_of_a_number_measure_its_ranked_probability_score() -> None:
    """The summed variance of threshold indicators is 0 for equal values and grows with distance."""
    encoder, x = columns(pa.table({"x": np.arange(200.0)}))
    rows = Rows.of(encoder.layout_, x)
    y, _ = targets(rows.levels[0], rows.level[0], np.random.default_rng(0))
    spread = [y[rows_].var(axis=0).sum() for rows_ in ([5, 5], [5, 60], [5, 190])]
    assert spread[0] == 0 < spread[1] < spread[2]
