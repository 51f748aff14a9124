"""Trees over levels: laws shrunk towards ancestors, forests, targets."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from helpers.level_trees import columns, mixed
from tabseed.generators.trees.forest import Forest
from tabseed.generators.trees.level_trees import Rows, Tree, targets


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
    forest = Forest.join(rows.levels, [[0, 2]], trees, 0.0, np.eye(size))
    forest.check([[0, 2]], size)
    for t in range(3):
        law = np.diff(forest.laws(rows, np.full(rows.n, t), np.arange(rows.n)), axis=1, prepend=0)
        for i in range(0, rows.n, 17):
            same = reached[t] == reached[t][i]
            count = np.bincount(rows.level[same, 1], weights[t][same], size)
            np.testing.assert_allclose(law[i], count / count.sum(), atol=1e-6)
        in_bag = np.bincount(reached[t], weights[t] > 0)
        assert in_bag[in_bag > 0].min() >= 5


def test_targets_of_a_number_measure_its_ranked_probability_score() -> None:
    """The summed variance of threshold indicators is 0 for equal values and grows with distance."""
    encoder, x = columns(pa.table({"x": np.arange(200.0)}))
    rows = Rows.of(encoder.layout_, x)
    y, _ = targets(rows.levels[0], rows.level[:, 0], np.random.default_rng(0))
    spread = [y[rows_].var(axis=0).sum() for rows_ in ([5, 5], [5, 60], [5, 190])]
    assert spread[0] == 0 < spread[1] < spread[2]


def honest_tree(rows: Rows, seed: int = 0) -> tuple[Tree, np.ndarray, np.ndarray, np.ndarray]:
    """Return a tree of column 1, the nodes that rows reach, and the weights of both halves."""
    half = np.random.default_rng(seed).permutation(rows.n) % 2
    weight, counted = (half == 0) * 1, (half == 1) * 1
    tree, node = Tree.grow(
        rows,
        [0, 2],
        1,
        weight,
        min_leaf=4,
        stream=np.random.SeedSequence(seed),
        counted=counted,
    )
    return tree, node, weight, counted


def test_counted_rows_do_not_decide_where_a_tree_splits() -> None:
    """Any other levels of the counted rows leave its splits as they are, and only its counts."""
    encoder, x = columns(mixed())
    rows = Rows.of(encoder.layout_, x)
    tree, _, weight, counted = honest_tree(rows)
    others = Rows(rows.levels, rows.level.copy(), rows.position)
    mine = np.flatnonzero(counted)
    others.level[mine, 1] = np.random.default_rng(1).permutation(rows.level[mine, 1])
    again, *_ = honest_tree(others)
    np.testing.assert_array_equal(tree.feature, again.feature)
    np.testing.assert_array_equal(tree.threshold, again.threshold)
    assert (tree.feature >= 0).any() and tree.counts[0].sum() == counted.sum() == rows.n // 2
    assert weight.sum() == rows.n - rows.n // 2


def test_the_law_without_a_row_is_that_of_a_tree_that_never_counted_it() -> None:
    """Brute force: leave each row out, count again, and ask the laws; also without shrinkage."""
    encoder, x = columns(mixed())
    rows = Rows.of(encoder.layout_, x)
    tree, node, _, counted = honest_tree(rows)
    level, shrinkages = rows.level[:, 1], (0.0, 1.0, 8.0)
    kernels = np.stack([rows.levels[1].kernel(h) for h in (0.0, 1.5)])
    at = np.flatnonzero(counted)
    found = tree.without_themselves(node[at], level[at], counted[at], shrinkages, kernels)
    for i, row in enumerate(at):
        counts = np.zeros_like(tree.counts)
        others = at[at != row]
        np.add.at(counts, (node[others], level[others]), 1)
        smaller = Tree(tree.feature, tree.threshold, tree.left, tree.right, tree.contrasts, counts)
        smaller.add_up()
        law = smaller.laws(shrinkages)[:, node[row]]
        expected = np.einsum("ak,hk->ah", law, kernels[:, :, level[row]])
        np.testing.assert_allclose(found[:, :, i], expected, atol=1e-6)


def test_a_leaf_without_counted_rows_has_the_law_above_it() -> None:
    tree = Tree(
        feature=np.array([0, -1, -1]),
        threshold=np.zeros(3),
        left=np.array([1, -1, -1]),
        right=np.array([2, -1, -1]),
        contrasts=np.empty(0),
        counts=np.array([[3, 1], [3, 1], [0, 0]], float),
    )
    np.testing.assert_allclose(tree.laws([0.0, 2.0])[:, 2], [[0.75, 0.25]] * 2)
