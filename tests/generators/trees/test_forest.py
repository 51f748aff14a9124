"""All trees of one column: files, thresholds, walks, and arrays that do not fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.level_trees import columns, mixed
from tabseed import SequentialTrees
from tabseed.generators.trees.forest import Forest, lowered, offsets
from tabseed.generators.trees.level_trees import Rows, Tree, levels_of

ALLOWED = [[0, 2], [2]]  # of column 1, in two orders with two trees each


def grown() -> tuple[Rows, Forest]:
    encoder, x = columns(mixed())
    rows = Rows.of(encoder.layout_, x)
    trees = []
    for t in range(4):
        weight = np.random.default_rng(t).integers(0, 3, rows.n)
        stream = np.random.SeedSequence(t)
        trees.append(Tree.grow(rows, ALLOWED[t // 2], 1, weight, min_leaf=5, stream=stream)[0])
    kernel = rows.levels[1].kernel(0.7)
    return rows, Forest.join(rows.levels, ALLOWED, trees, 2.0, kernel)


def test_a_forest_is_read_as_it_was_written_bit_for_bit() -> None:
    rows, forest = grown()
    again = Forest.stored(forest.state(), rows.levels, 1, 2.0, 0.7)
    again.check(ALLOWED, rows.levels[1].size)
    tree, at = np.repeat(np.arange(4), rows.n), np.tile(np.arange(rows.n), 4)
    assert (forest.laws(rows, tree, at) == again.laws(rows, tree, at)).all()
    assert all(
        array.dtype.itemsize < 4
        for name, array in forest.state().items()
        if array.dtype.kind == "i"
    )


def test_each_tree_asks_only_the_columns_before_its_own() -> None:
    _, forest = grown()
    ends = [*forest.roots[1:], len(forest.feature)]
    for t, (start, end) in enumerate(zip(forest.roots, ends, strict=True)):
        asked = set(forest.feature[start:end]) - {-1}
        assert asked <= set(ALLOWED[t // 2])
    with pytest.raises(ValueError, match="do not fit"):
        forest.check([[2], [2]], forest.upto.shape[1])


def test_probabilities_between_levels_add_up() -> None:
    rows, forest = grown()
    leaf = forest.leaves(rows, np.zeros(rows.n, int), np.arange(rows.n))
    k, zero = forest.upto.shape[1], np.zeros(rows.n, int)
    whole = forest.between(leaf, zero, zero + k)
    np.testing.assert_allclose(whole, 1, rtol=1e-6)
    parts = sum(forest.between(leaf, zero + i, zero + i + 1) for i in range(k))
    np.testing.assert_allclose(parts, 1, rtol=1e-5)


def test_lowered_thresholds_part_all_float32_numbers_alike() -> None:
    rng = np.random.default_rng(0)
    threshold = rng.normal(size=2_000)
    near = threshold.astype(np.float32)
    for x in (near, np.nextafter(near, np.float32(9)), np.nextafter(near, np.float32(-9))):
        assert ((x <= threshold) == (x <= lowered(threshold))).all()


@pytest.mark.parametrize(
    "change",
    [
        {"left": lambda v: v * 0},
        {"right": lambda v: v + 10**6},
        {"roots": lambda v: v[::-1]},
        {"roots": lambda v: v[:3]},
        {"upto": lambda v: v[:-1]},
        {"upto": lambda v: -v},
        {"contrasts": lambda v: v[:2]},
    ],
)
def test_unsound_arrays_are_refused(change) -> None:
    rows, forest = grown()
    broken = replace(forest, **{name: f(getattr(forest, name)) for name, f in change.items()})
    with pytest.raises(ValueError, match="do not fit"):
        broken.check(ALLOWED, rows.levels[1].size)


def test_counts_that_do_not_fit_are_refused() -> None:
    rows, forest = grown()
    state = forest.state()
    for name, value in (
        ("seen", state["seen"][:-1]),
        ("count", state["count"] * 0),
        ("level", state["level"] - 1),
        ("level", state["level"].astype(np.int64) + 1_000),
    ):
        with pytest.raises(ValueError, match="counts that do not fit"):
            Forest.stored(state | {name: value}, rows.levels, 1, 2.0, 0.7)


def test_levels_of_categories_lie_one_column_after_the_other() -> None:
    encoder, _ = columns(mixed())
    levels = levels_of(encoder.layout_)
    assert offsets(levels).tolist() == [-1, -1, 0]


def test_orders_drawn_in_groups_give_the_same_rows(monkeypatch) -> None:
    """Memory bounds how many orders are drawn at once, not what they draw."""
    model = SequentialTrees(n_orders=7, n_trees=2, random_state=0).fit(mixed())
    whole = model.sample(400)
    monkeypatch.setattr("tabseed.generators.trees.sequential.MOST_NUMBERS", 300)
    assert model.sample(400).equals(whole)
    np.testing.assert_array_equal(model.log_likelihood(mixed()).shape, (200,))
