"""AdversarialForest against sums over all cells, loops and rejection sampling."""

from __future__ import annotations

from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chi2, chi2_contingency

from helpers.forests import discrete_table, random_forest
from tabseed import AdversarialForest, SchemaError, Table, TableEncoder, TabseedError
from tabseed.generators.trees.adversarial_forest import _Forest, _OutOfBag
from tabseed.generators.trees.leaves import Axis, Leaves, Trees
from tabseed.testing.tables import example_table

FALSE_ALARM = 1e-4  # of each statistical test below, at its fixed seed


def all_rows(table: pa.Table) -> pa.Table:
    """Return every combination of the columns' values."""
    values = [table[name].unique().to_pylist() for name in table.column_names]
    rows = zip(*product(*values), strict=True)
    fields = zip(table.schema, rows, strict=True)
    return pa.table({field.name: pa.array(list(row), field.type) for field, row in fields})


@pytest.fixture(scope="module")
def fitted() -> AdversarialForest:
    return AdversarialForest(n_trees=20, random_state=1).fit(discrete_table())


def test_probabilities_of_all_rows_sum_to_one(fitted) -> None:
    everything = all_rows(discrete_table())
    assert len(everything) == 3 * 2 * 6 * 2
    assert np.exp(fitted.log_likelihood(everything)).sum() == pytest.approx(1, abs=1e-9)


def test_probabilities_of_intervals_sum_to_one() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=300)
    table = Table.from_frame(
        pa.table({"x": pa.array(x, mask=x > 1.2), "y": x + rng.normal(size=300), "c": x > 0})
    )
    encoder = TableEncoder(max_intervals=6).fit(table)
    model = AdversarialForest(n_trees=15, random_state=0).fit(table, encoder=encoder)
    sizes = [len(axis.margin) for axis in model.leaves_.axes]
    assert sizes == [7, 6, 2]
    cells = np.array(list(product(*map(range, sizes))))
    logs = model.leaves_.log_probability(cells, model.trees_.apply(cells))
    assert np.exp(logs).sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("min_rows", [1, 4, 15])
def test_boxes_partition_the_space_and_hold_enough_rows(min_rows) -> None:
    forest, rows = random_forest()
    sizes = np.array([6, 4, 5])
    trees = forest.trees.pruned(rows, forest.in_bag, min_rows)
    trees.check(sizes)
    cells = np.array(list(product(*map(range, sizes))))
    first, stop = trees.boxes(sizes)
    inside = ((cells[:, None] >= first) & (cells[:, None] < stop)).all(axis=2)  # (cells, L)
    leaf = trees.apply(cells)
    assert inside.sum() == leaf.size  # one box of each tree
    assert np.take_along_axis(inside, leaf, axis=1).all()
    counts = np.bincount(trees.apply(rows)[forest.in_bag], minlength=len(first))
    assert counts.min() >= min_rows
    assert counts.sum() == forest.in_bag.sum()


def test_pruning_a_split_keeps_those_below_its_larger_side() -> None:
    """Root: 1 row against 5; below it 2 against 3. With 2 rows in a leaf only the root goes."""
    arrays = ([0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [1, -1, 3, -1, -1], [2, -1, 4, -1, -1])
    trees = Trees(np.array([0]), *(np.array(a) for a in arrays))
    rows = np.array([[0, 3], [1, 0], [1, 1], [1, 2], [1, 3], [1, 3]])
    pruned = trees.pruned(rows, np.ones((6, 1), bool), 2)
    assert pruned.feature[pruned.roots].tolist() == [1]
    assert len(pruned.left) == 3
    assert pruned.apply(rows).ravel().tolist() == [1, 0, 0, 1, 1, 1]


def test_smoothed_margins_stay_near_the_real_ones() -> None:
    """Total variation between each column's margin and the model's, which is exact."""
    model = AdversarialForest(n_trees=30, random_state=0).fit(example_table())
    leaves = model.leaves_
    weights = leaves.sizes / leaves.sizes.sum()
    for j, axis in enumerate(leaves.axes):
        mixed = weights @ leaves.law(j, np.arange(len(weights)))
        assert abs(mixed - axis.margin).sum() / 2 < 0.03


def counted(table: pa.Table, among: pa.Table) -> np.ndarray:
    """Return how often each row of ``among`` occurs in ``table``."""
    index = {tuple(row.values()): i for i, row in enumerate(among.to_pylist())}
    rows = [index[tuple(row.values())] for row in table.to_pylist()]
    return np.bincount(rows, minlength=len(among))


def check_law(counts: np.ndarray, probability: np.ndarray) -> None:
    """Compare counts with a law by chi-square; cells with fewer than 5 expected are merged."""
    assert counts[probability == 0].sum() == 0
    expected = probability * counts.sum()
    few = expected < 5
    observed = np.append(counts[~few], counts[few].sum())
    merged = np.append(expected[~few], expected[few].sum())
    occurs = merged > 0
    statistic = ((observed - merged)[occurs] ** 2 / merged[occurs]).sum()
    assert statistic < chi2.isf(FALSE_ALARM, occurs.sum() - 1)


@pytest.mark.parametrize(
    ("conditions", "meets"),
    [
        ({}, lambda row: True),
        ({"kind": "c"}, lambda row: row["kind"] == "c"),
        ({"count": None, "yes": False}, lambda row: row["count"] is None and not row["yes"]),
        (
            {"count": (1, 2.5), "side": "left"},
            lambda row: row["count"] in (1, 2) and row["side"] == "left",
        ),
    ],
)
def test_conditions_give_the_conditional_of_the_joint_law(fitted, conditions, meets) -> None:
    everything = all_rows(discrete_table())
    joint = np.exp(fitted.log_likelihood(everything))
    law = joint * [meets(row) for row in everything.to_pylist()]
    synthetic = fitted.sample(6_000, conditions=conditions, random_state=3)
    check_law(counted(synthetic, everything), law / law.sum())


def test_a_range_within_an_interval_gives_what_rejection_gives() -> None:
    """Two samples of the same law: one drawn given the range, one reduced to it."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=300)
    table = pa.table({"x": x, "y": np.digitize(x + 0.5 * rng.normal(size=300), [-0.5, 0.5])})
    model = AdversarialForest(n_trees=20, random_state=0).fit(table)
    low, high = -0.11, 0.83
    conditional = model.sample(4_000, conditions={"x": (low, high)}, random_state=1)
    free = model.sample(20_000, random_state=2).to_pandas()
    reduced = free[(free["x"] >= low) & (free["x"] <= high)]
    conditional = conditional.to_pandas()
    edges = np.linspace(low, high, 6)[1:-1]
    counts = [
        np.bincount(3 * np.digitize(frame["x"], edges) + frame["y"], minlength=15)
        for frame in (conditional, reduced)
    ]
    occurs = np.sum(counts, axis=0) > 0
    assert chi2_contingency(np.array(counts)[:, occurs]).pvalue > FALSE_ALARM


def test_rare_conditions_are_met_and_impossible_ones_refused(fitted) -> None:
    everything = all_rows(discrete_table())
    joint = np.exp(fitted.log_likelihood(everything))
    rarest = everything.slice(int(joint.argmin()), 1).to_pylist()[0]
    assert joint.min() < 1 / 2_000  # rejection gives up at one row in 200
    assert fitted.sample(30, conditions=rarest).to_pylist() == [rarest] * 30
    for impossible in ({"count": (7, 9)}, {"kind": None}, {"kind": "z"}):
        with pytest.raises(SchemaError, match=r"^(no row can|column '(count|kind)')"):
            fitted.sample(1, conditions=impossible)


def test_conditions_on_a_column_that_another_determines() -> None:
    rng = np.random.default_rng(0)
    level = rng.integers(0, 4, 300)
    name = np.array(["none", "some", "some", "much"])[level]
    table = pa.table({"name": name, "level": level, "x": level + rng.normal(size=300)})
    model = AdversarialForest(n_trees=10, random_state=0).fit(table)
    assert model.encoder_.dependencies_ == [("name", "level")]
    synthetic = model.sample(200, conditions={"name": "some"})
    assert set(synthetic["name"].to_pylist()) == {"some"}
    assert set(synthetic["level"].to_pylist()) == {1, 2}


def test_point_masses_and_missing_cells_follow_other_columns() -> None:
    """Zeros and missing cells, by group: within 6 standard errors of the real shares."""
    rng = np.random.default_rng(5)
    n = 400
    group = rng.random(n) < 0.5
    gain = np.where(rng.random(n) < np.where(group, 0.8, 0.3), 0.0, np.exp(rng.normal(size=n)))
    gone = rng.random(n) < np.where(group, 0.02, 0.3)
    table = pa.table({"group": group, "gain": pa.array(gain, mask=gone)})
    model = AdversarialForest(n_trees=30, random_state=0).fit(table)
    for value in (False, True):
        values = model.sample(2_000, conditions={"group": value})["gain"].to_pylist()
        here = group == value
        for share, estimate in (
            ((~gone[here] & (gain[here] == 0)).mean(), np.mean([v == 0 for v in values])),
            (gone[here].mean(), np.mean([v is None for v in values])),
        ):
            error = max(share * (1 - share), 0.02) / here.sum()
            assert abs(estimate - share) < 6 * error**0.5


def test_rounds_stop_when_the_forest_cannot_tell() -> None:
    """Dependent columns: the forest tells rows apart at first, not from draws in the leaves."""
    rng = np.random.default_rng(6)
    x = rng.integers(0, 3, 400)
    y = np.where(rng.random(400) < 0.95, x, rng.integers(0, 3, 400))
    table = pa.table({"x": x, "y": y, "z": rng.integers(0, 3, 400)})
    model = AdversarialForest(n_trees=30, random_state=0).fit(table)
    assert model.accuracy_[0] > 0.6 > 0.52 >= model.accuracy_[-1]
    synthetic = model.sample(3_000).to_pandas()
    assert (synthetic["x"] == synthetic["y"]).mean() > (x == y).mean() - 0.08  # 1/3 if independent


def test_the_out_of_bag_score_equals_loops_and_climbing_improves_it() -> None:
    table = Table.from_frame(discrete_table(60))
    encoder = TableEncoder().fit(table)
    blocks = encoder.layout_.free
    model = AdversarialForest(n_trees=8, random_state=0).fit(table, encoder=encoder)
    rows = model.leaves_.rows
    rng = np.random.default_rng(0)
    synthetic = np.column_stack([rng.permutation(c) for c in rows.T])
    forest = _Forest.grow(rows, synthetic, 8, None, 1)
    smoothing = ((0.0, 0.5), (0.0, 2.0), (0.1, 0.3), (0.0, 1.0))
    out_of_bag = _OutOfBag(forest, 3, rows, blocks, np.arange(60))
    trees = forest.trees.pruned(rows, forest.in_bag, 3)
    axes = [Axis.learn(b, c, *s) for b, c, s in zip(blocks, rows.T, smoothing, strict=True)]
    leaves = Leaves.learn(trees, axes, rows, forest.in_bag)
    leaf, logs = trees.apply(rows), []
    for i in range(60):
        probabilities = []
        for t in np.flatnonzero(~forest.in_bag[i]):
            number = leaf[i, t]
            p = leaves.sizes[number] / forest.in_bag[:, t].sum()
            for j in range(4):
                p *= leaves.law(j, np.array([number]))[0, rows[i, j]]
            probabilities.append(p)
        if probabilities:
            logs.append(np.log(np.mean(probabilities)))
    assert out_of_bag.score(smoothing) == pytest.approx(np.mean(logs))
    better, score = out_of_bag.climb(smoothing)
    assert score > out_of_bag.score(smoothing)
    assert score == pytest.approx(out_of_bag.score(better))


def test_threads_change_no_byte() -> None:
    table = example_table(80)
    one, two = (
        AdversarialForest(n_trees=12, n_jobs=jobs, random_state=3).fit(table) for jobs in (1, 2)
    )
    for name, array in one._state()[1].items():
        assert array.tobytes() == two._state()[1][name].tobytes(), name
    assert one._state()[0] == two._state()[0]
    assert one.sample(50).equals(two.sample(50))


def test_unsound_arrays_are_refused(fitted) -> None:
    state, arrays = fitted._state()
    other = AdversarialForest()
    other.encoder_ = fitted.encoder_
    other._restore(state, arrays)
    root = arrays["trees.roots"][0]
    wrong = {
        "rows": arrays["rows"] + 10,
        "trees.left": np.where(arrays["trees.left"] >= 0, root, -1),  # a loop
        "trees.feature": arrays["trees.feature"] + 4,
        "trees.threshold": arrays["trees.threshold"] - 9,
        "trees.roots": arrays["trees.roots"][:0],
    }
    for name, array in wrong.items():
        with pytest.raises(ValueError, match=r"rows|nodes"):
            other._restore(state, {**arrays, name: array})


@pytest.mark.parametrize(
    "wrong", [{"n_trees": 0}, {"min_leaf": 0}, {"delta": 0.5}, {"max_rounds": 0}]
)
def test_parameters_out_of_range_are_refused(wrong) -> None:
    with pytest.raises(TabseedError, match=next(iter(wrong))):
        AdversarialForest(**wrong).fit(discrete_table(30))


def test_progress_reports_each_round() -> None:
    calls = []
    AdversarialForest(n_trees=8, random_state=0).fit(
        discrete_table(), progress=lambda done, total, message: calls.append((done, total, message))
    )
    assert calls[0][:2] == (1, 3)
    assert "accuracy" in calls[0][2]
