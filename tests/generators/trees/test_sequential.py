"""Sequential trees: the joint law of the drawn rows."""

from __future__ import annotations

from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chisquare

from tabseed import SequentialTrees, load
from tabseed.errors import TabseedError
from tabseed.testing.tables import example_table


def discrete(n: int = 400) -> pa.Table:
    rng = np.random.default_rng(5)
    a, b = rng.integers(0, 2, n), rng.integers(0, 3, n)
    c = (a + b + (rng.random(n) < 0.1)) % 2
    gone = rng.random(n) < 0.15
    return pa.table(
        {"a": a == 1, "b": np.array(["u", "v", "w"])[b], "c": pa.array(c == 1, mask=gone)}
    )


@pytest.mark.parametrize("honest", [False, True])
def test_likelihoods_of_all_possible_rows_sum_to_one(honest: bool) -> None:
    model = SequentialTrees(3, 2, honest=honest, random_state=0).fit(discrete())
    rows = list(product([False, True], ["u", "v", "w"], [False, True, None]))
    everything = pa.table({name: [r[i] for r in rows] for i, name in enumerate("abc")})
    p = np.exp(model.log_likelihood(everything))
    assert p.sum() == pytest.approx(1, abs=1e-6)
    synthetic = model.sample(20_000, random_state=1)
    key = list(zip(*(synthetic[name].to_pylist() for name in "abc"), strict=True))
    counts = np.array([key.count(row) for row in rows])
    # each of two tests at false-alarm rate 0.001; equal parts of the orders only lower it
    assert chisquare(counts, 20_000 * p / p.sum()).pvalue > 1e-3


@pytest.mark.parametrize("honest", [False, True])
def test_an_interaction_without_main_effects_is_learned(honest: bool) -> None:
    """Parity of three columns: one column alone says nothing about another."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (2, 300))
    table = pa.table({"a": a == 1, "b": b == 1, "c": (a ^ b) == 1})
    synthetic = SequentialTrees(honest=honest, random_state=0).fit(table).sample(2_000)
    a, b, c = (np.array(synthetic[name]) for name in "abc")
    assert np.mean((a ^ b) == c) > 0.9


def test_endless_shrinkage_makes_columns_independent_with_their_margins() -> None:
    table = discrete()
    model = SequentialTrees(shrinkage=1e9, n_orders=200, n_trees=1, random_state=0).fit(table)
    probability = np.exp(model.log_likelihood(pa.table({"a": [True], "b": ["u"], "c": [True]})))
    shares = [
        np.mean([v == w for v in table[name].to_pylist()])
        for name, w in zip("abc", (True, "u", True), strict=True)
    ]
    # 600 bags of 400 rows: their mean margin is off by less than 5 standard errors of 0.001
    assert probability[0] == pytest.approx(np.prod(shares), rel=0.05)


def test_held_out_likelihood_smooths_noise_and_keeps_patterns() -> None:
    rng = np.random.default_rng(0)
    noise = pa.table({"x": rng.normal(size=300), "y": rng.normal(size=300)})
    c = np.array(list("abcd"))[rng.integers(0, 4, 300)]
    patterned = pa.table({"c": c, "d": np.where(rng.random(300) < 0.03, "a", c)})
    model = SequentialTrees(random_state=0).fit(noise)
    assert max(model.gains_.values()) < 0.1
    assert all(a >= 8 for a, _ in model.settings_.values())
    model = SequentialTrees(random_state=0).fit(patterned)
    assert min(model.gains_.values()) > 0.5
    assert all(a <= 4 for a, _ in model.settings_.values())


def test_numbers_are_not_those_of_the_table() -> None:
    x = np.random.default_rng(0).lognormal(size=(300, 2))
    synthetic = (
        SequentialTrees(random_state=0).fit(pa.table({"x": x[:, 0], "y": x[:, 1]})).sample(3_000)
    )
    assert np.isin(np.array(synthetic["x"]), x[:, 0]).mean() < 0.01


def test_proper_synthesis_sees_one_bootstrap_sample_in_each_order() -> None:
    """150 rows, each of its own category: a bootstrap sample holds 63 % of them, sd 2 %."""
    table = pa.table({"c": pa.array([f"c{i % 150}" for i in range(300)])})
    share = {}
    for proper in (False, True):
        model = SequentialTrees(n_orders=1, n_trees=40, proper=proper, random_state=0).fit(table)
        share[proper] = len(set(model.sample(20_000)["c"].to_pylist())) / 150
    assert share[False] > 0.99
    assert 0.75 < share[True] < 0.95  # 1 - e^-2 = 0.865 as each category has two rows


@pytest.mark.parametrize("n", [1, 2, 3, 5, 60])
@pytest.mark.parametrize("proper", [False, True])
def test_honest_trees_learn_few_rows_and_come_back_from_a_file(n, proper, tmp_path) -> None:
    model = SequentialTrees(honest=True, proper=proper, shrinkage=0.0, random_state=0)
    model.fit(example_table(n)).save(tmp_path / "m")
    assert load(tmp_path / "m").sample(40).equals(model.sample(40))


def test_honest_trees_keep_no_directions() -> None:
    with pytest.raises(TabseedError, match="take honest=False"):
        SequentialTrees(honest=True, monotone={"c": {"a": 1}}).fit(discrete())


def test_threads_do_not_change_the_rows() -> None:
    table = example_table(2_500)
    one, two = (
        SequentialTrees(n_orders=2, n_trees=1, n_jobs=k, random_state=0).fit(table).sample(200)
        for k in (1, 2)
    )
    assert one.equals(two)


@pytest.mark.parametrize("name", ["n_orders", "n_trees", "min_leaf"])
def test_counts_below_one_are_refused(name: str) -> None:
    with pytest.raises(TabseedError, match=f"{name}=0 is not a whole number of at least 1"):
        SequentialTrees(**{name: 0}).fit(example_table(20))
    with pytest.raises(TabseedError, match="width=-1 is not a number of at least 0"):
        SequentialTrees(width=-1).fit(example_table(20))
