"""Sequential trees: levels, laws that lean on ancestors, the joint law that is drawn from."""

from __future__ import annotations

from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chisquare

from tabseed import SequentialTrees
from tabseed.coding.encode import TableEncoder
from tabseed.errors import TabseedError
from tabseed.generators.trees.level_trees import Forest, Rows, Tree, targets
from tabseed.generators.trees.levels import Levels
from tabseed.table import Table
from tabseed.testing.tables import example_table


def columns(table: pa.Table) -> tuple[TableEncoder, np.ndarray]:
    table = Table.from_frame(table)
    encoder = TableEncoder().fit(table)
    return encoder, encoder.transform(table)


def mixed(n: int = 200) -> pa.Table:
    """Numbers with an atom and missing cells, whole numbers, categories."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random(n) < 0.3, 0.0, rng.normal(size=n))
    k = rng.integers(0, 60, n)
    c = np.array(["a", "b", "c"])[rng.integers(0, 3, n)]
    return pa.table({"x": pa.array(x, mask=rng.random(n) < 0.1), "k": k, "c": c})


# --- levels


def test_values_drawn_in_a_level_lie_in_it() -> None:
    encoder, _ = columns(mixed())
    for block in encoder.layout_.blocks:
        levels = Levels(block)
        level = np.repeat(np.arange(levels.size), 20)
        values = levels.draw(level, np.random.default_rng(1))
        if block.numeric:
            part = level - levels.n_atoms
            inside = (part >= 0) & (part < levels.n_parts)
            low, high = levels.low[part[inside]], levels.high[part[inside]]
            assert (values[inside] >= low - block.step / 2).all()
            assert (values[inside] <= high + block.step / 2).all()
        if block.step == 0:  # a grid may move a value over the edge of its part
            again = levels.of(block.cell_of(values), values)
            assert np.array_equal(again, level)
            assert np.array_equal(levels.cell(again), block.cell_of(values))


def test_position_increases_with_the_number_and_missing_comes_first() -> None:
    encoder, x = columns(mixed())
    layout = encoder.layout_
    block = layout.blocks[0]
    values = layout.values(block, x)
    levels = Levels(block)
    place = levels.position(levels.of(layout.cells(x)[0], values), values)
    missing = np.isnan(values)
    assert missing.any() and (place[missing] == -1).all()
    free = ~missing & (values != 0)  # the atom 0 lies before or after all of the part around it
    order = np.argsort(values[free], kind="stable")
    assert (np.diff(place[free][order]) >= 0).all()
    gaps = np.diff(values[free][order]) > 1e-3
    assert (np.diff(place[free][order])[gaps] > 0).all()
    at_atom = place[values == 0]
    below, above = place[values < -0.5], place[values > 0.5]
    assert below.max() < at_atom.min() == at_atom.max() < above.min()


def test_levels_hold_the_shares_that_they_stand_for() -> None:
    """Parts of intervals are quarters between quantiles: about n / parts rows each."""
    x = np.random.default_rng(0).normal(size=640)
    encoder, _ = columns(pa.table({"x": x}))
    block = encoder.layout_.blocks[0]
    levels = Levels(block)
    found = levels.of(block.cell_of(x), x)
    counts = np.bincount(found, minlength=levels.size)
    assert levels.size == levels.n_parts
    assert abs(counts - 640 / levels.size).max() <= 2


def test_kernel_moves_between_parts_only_and_loses_nothing() -> None:
    encoder, _ = columns(mixed())
    levels = Levels(encoder.layout_.blocks[0])
    kernel = levels.kernel(1.5)
    np.testing.assert_allclose(kernel.sum(axis=1), 1, atol=1e-12)
    fixed = np.setdiff1d(
        np.arange(levels.size), levels.n_atoms + np.arange(levels.n_parts)
    )  # atoms, missing
    assert len(fixed) == 2
    np.testing.assert_array_equal(kernel[fixed], np.eye(levels.size)[fixed])
    parts = kernel[levels.n_atoms :, levels.n_atoms :][: levels.n_parts, : levels.n_parts]
    np.testing.assert_allclose(parts.sum(axis=0), 1, atol=1e-6)  # reflection keeps the uniform
    middle = parts[levels.n_parts // 2]
    sd = np.sqrt(middle @ (np.arange(levels.n_parts) - levels.n_parts // 2) ** 2)
    assert sd == pytest.approx(1.5, rel=0.02)
    np.testing.assert_array_equal(levels.kernel(0.0), np.eye(levels.size))


# --- trees


def test_laws_lean_on_ancestors_as_the_formula_says() -> None:
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
    """Against counting by brute force; the walk down must end where scikit-learn's does."""
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
        found = np.diff(forest.laws(rows, np.full(rows.n, t)), axis=1, prepend=0)
        for i in range(0, rows.n, 17):
            same = reached[t] == reached[t][i]
            count = np.bincount(rows.level[1][same], weights[t][same], size)
            np.testing.assert_allclose(found[i], count / count.sum(), atol=1e-6)
        in_bag = np.bincount(reached[t], weights[t] > 0)
        assert in_bag[in_bag > 0].min() >= 5


def test_targets_of_a_number_measure_its_ranked_probability_score() -> None:
    """Variance of threshold indicators, summed: zero within a value, larger the further apart."""
    encoder, x = columns(pa.table({"x": np.arange(200.0)}))
    rows = Rows.of(encoder.layout_, x)
    y, _ = targets(rows.levels[0], rows.level[0], np.random.default_rng(0))
    spread = [y[places].var(axis=0).sum() for places in ([5, 5], [5, 60], [5, 190])]
    assert spread[0] == 0 < spread[1] < spread[2]


# --- the joint law


def discrete(n: int = 400) -> pa.Table:
    rng = np.random.default_rng(5)
    a, b = rng.integers(0, 2, n), rng.integers(0, 3, n)
    c = (a + b + (rng.random(n) < 0.1)) % 2
    gone = rng.random(n) < 0.15
    return pa.table(
        {"a": a == 1, "b": np.array(["u", "v", "w"])[b], "c": pa.array(c == 1, mask=gone)}
    )


def test_likelihoods_of_all_rows_there_are_sum_to_one() -> None:
    model = SequentialTrees(n_orders=3, n_trees=2, random_state=0).fit(discrete())
    rows = list(product([False, True], ["u", "v", "w"], [False, True, None]))
    everything = pa.table({name: [r[i] for r in rows] for i, name in enumerate("abc")})
    p = np.exp(model.log_likelihood(everything))
    assert p.sum() == pytest.approx(1, abs=1e-6)
    drawn = model.sample(20_000, random_state=1)
    key = list(zip(*(drawn[name].to_pylist() for name in "abc"), strict=True))
    counts = np.array([key.count(row) for row in rows])
    # one test at false-alarm rate 0.001; orders come in equal parts, which only lowers it
    assert chisquare(counts, 20_000 * p / p.sum()).pvalue > 1e-3


def test_an_interaction_without_main_effects_is_learned() -> None:
    """Parity of three columns: no column alone, nor pair, tells the third."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (2, 300))
    table = pa.table({"a": a == 1, "b": b == 1, "c": (a ^ b) == 1})
    drawn = SequentialTrees(random_state=0).fit(table).sample(2_000)
    a, b, c = (np.array(drawn[name]) for name in "abc")
    assert np.mean((a ^ b) == c) > 0.9


def test_endless_shrinkage_makes_columns_independent_with_their_margins() -> None:
    table = discrete()
    model = SequentialTrees(shrinkage=1e9, n_orders=200, n_trees=1, random_state=0).fit(table)
    found = np.exp(model.log_likelihood(pa.table({"a": [True], "b": ["u"], "c": [True]})))
    shares = [
        np.mean([v == w for v in table[name].to_pylist()])
        for name, w in zip("abc", (True, "u", True), strict=True)
    ]
    # 600 bags of 400 rows: their mean margin is off by less than 5 standard errors of 0.001
    assert found[0] == pytest.approx(np.prod(shares), rel=0.05)


def test_held_out_likelihood_smooths_noise_and_keeps_what_repeats() -> None:
    rng = np.random.default_rng(0)
    noise = pa.table({"x": rng.normal(size=300), "y": rng.normal(size=300)})
    c = np.array(list("abcd"))[rng.integers(0, 4, 300)]
    copied = pa.table({"c": c, "d": np.where(rng.random(300) < 0.03, "a", c)})
    model = SequentialTrees(random_state=0).fit(noise)
    assert max(model.gains_.values()) < 0.1
    assert all(a >= 8 for a, _ in model.settings_.values())
    model = SequentialTrees(random_state=0).fit(copied)
    assert min(model.gains_.values()) > 0.5
    assert all(a <= 4 for a, _ in model.settings_.values())


def test_numbers_are_not_those_of_the_table() -> None:
    x = np.random.default_rng(0).lognormal(size=(300, 2))
    drawn = (
        SequentialTrees(random_state=0).fit(pa.table({"x": x[:, 0], "y": x[:, 1]})).sample(3_000)
    )
    assert np.isin(np.array(drawn["x"]), x[:, 0]).mean() < 0.01


def test_proper_synthesis_sees_one_bootstrap_sample_in_each_order() -> None:
    """150 rows, each of its own category: a bootstrap sample holds 63 % of them, sd 2 %."""
    table = pa.table({"c": pa.array([f"c{i % 150}" for i in range(300)])})
    share = {}
    for proper in (False, True):
        model = SequentialTrees(n_orders=1, n_trees=40, proper=proper, random_state=0).fit(table)
        share[proper] = len(set(model.sample(20_000)["c"].to_pylist())) / 150
    assert share[False] > 0.99
    assert 0.75 < share[True] < 0.95  # 1 - e^-2 = 0.865 as each category has two rows


def test_threads_do_not_change_the_rows() -> None:
    table = example_table(2_500)
    one, two = (
        SequentialTrees(n_orders=2, n_trees=1, n_jobs=k, random_state=0).fit(table).sample(200)
        for k in (1, 2)
    )
    assert one.equals(two)


@pytest.mark.parametrize("name", ["n_orders", "n_trees", "min_leaf"])
def test_counts_below_one_are_refused(name: str) -> None:
    with pytest.raises(TabseedError, match="at least 1"):
        SequentialTrees(**{name: 0}).fit(example_table(20))
    with pytest.raises(TabseedError, match="negative"):
        SequentialTrees(width=-1).fit(example_table(20))
