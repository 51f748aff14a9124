"""The two-sample test: exact by counting, the same whatever the order, worse as rows get worse."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.metrics.signs import Pooled, Sign, standardised
from tabseed.metrics.two_sample import TwoSampleTest, combined, label_vectors, p_value
from tabseed.testing.tables import example_table

KINDS = {"x": "continuous", "k": "integer", "c": "categorical"}


def mixed(n: int, seed: int, bond: float = 0.9) -> ts.Table:
    """Return rows of three columns that share one latent number, some cells missing."""
    rng = np.random.default_rng([17, seed])
    z = rng.normal(size=n)
    x, k, c = (bond * z + np.sqrt(1 - bond**2) * rng.normal(size=n) for _ in range(3))
    frame = pa.table(
        {
            "x": pa.array(x.round(2), mask=rng.random(n) < 0.1),
            "k": pa.array((3 * k).round().astype(int)),
            "c": pa.array(np.array(["a", "b", "c"])[np.digitize(c, [-0.5, 0.5])]),
        }
    )
    return ts.Table.from_frame(frame, kinds=KINDS)


def all_labels(n: int, m: int) -> np.ndarray:
    """Return every way to call n of n + m rows real, as label vectors."""
    columns = []
    for chosen in combinations(range(n + m), n):
        w = np.full(n + m, -1 / m)
        w[list(chosen)] = 1 / n
        columns.append(w)
    return np.column_stack(columns)


@pytest.mark.parametrize("with_train", [False, True])
def test_over_all_labels_every_p_value_comes_as_often_as_it_says(with_train: bool) -> None:
    """Brute force: of all 126 labels of 4 + 5 rows, at most a share a has a p-value of at most a.

    With every label vector in the family, a label's p-value is its rank, if the test is blind.
    """
    tables = mixed(4, 1), mixed(5, 2)
    train = mixed(30, 3) if with_train else None
    pooled, is_real = Pooled.of(tables, train, (), 500, np.random.default_rng(0))
    w = all_labels(4, 5)
    true = int(np.flatnonzero(((w > 0) == is_real[:, None]).all(axis=0))[0])
    strength = combined(list(pooled.signs(w, np.random.default_rng(1))), w.shape[1])
    p = np.array([(strength >= s - 1e-9).mean() for s in strength])
    levels = np.arange(1, w.shape[1] + 1) / w.shape[1]
    assert all((p <= level + 1e-12).mean() <= level + 1e-12 for level in levels)
    assert len(np.unique(p)) > 60  # the test is no constant
    # what the true labels get does not depend on their place among the label vectors
    first = np.r_[true, np.delete(np.arange(w.shape[1]), true)]
    again = combined(list(pooled.signs(w[:, first], np.random.default_rng(1))), w.shape[1])
    assert p_value(again) == pytest.approx(p[true])


def test_the_pooled_rows_do_not_show_whose_they_are() -> None:
    one, other = mixed(12, 4), mixed(9, 5)
    rng = np.random.default_rng(0)
    forth, is_first = Pooled.of((one, other), None, (), 500, rng)
    back, is_other = Pooled.of((other, one), None, (), 500, np.random.default_rng(0))
    assert np.array_equal(forth.cells, back.cells) and np.array_equal(is_first, ~is_other)


@pytest.mark.parametrize("with_train", [False, True])
def test_neither_the_order_of_rows_nor_of_tables_matters(with_train: bool) -> None:
    one, other = mixed(40, 6), mixed(40, 7, bond=0.3)
    train = mixed(60, 8) if with_train else None
    test = TwoSampleTest(permutations=99)
    found = test.evaluate(one, other, train=train, random_state=3)
    back = test.evaluate(other, one, train=train, random_state=3)
    order = np.random.default_rng(1).permutation(40)
    mingled = test.evaluate(one.take(order), other.take(order[::-1]), train=train, random_state=3)
    for again in (back, mingled):
        assert again.p_value == found.p_value
        assert again.strength.value == pytest.approx(found.strength.value, abs=1e-6)
    assert mingled.columns == found.columns  # which say in what the second table is odd


def test_more_rows_on_one_side_are_dealt_as_often_as_they_are() -> None:
    w = label_vectors(np.arange(10) < 7, 50, np.random.default_rng(0))
    assert np.array_equal(w[:, 0] > 0, np.arange(10) < 7)
    assert ((w > 0).sum(axis=0) == 7).all() and np.allclose(w.sum(axis=0), 0)


def test_signs_by_hand() -> None:
    """Four rows of one number and one category, two a side: each sign from its definition."""
    frame = pa.table({"x": [1.0, 2.0, 3.0, 4.0], "c": ["a", "a", "b", "b"]})
    kinds = {"x": "continuous", "c": "categorical"}
    table = ts.Table.from_frame(frame, kinds=kinds)
    halves = table.take(np.arange(2)), table.take(np.arange(2, 4))
    pooled, is_real = Pooled.of(halves, None, (), 500, np.random.default_rng(0))
    w = all_labels(2, 2)
    signs = {s.kind: s for s in pooled.signs(w, np.random.default_rng(0))}
    # ranks 1/8, 3/8, 5/8, 7/8: below each edge the difference of shares, squared, over F(1 - F)
    below = np.cumsum(w, axis=0)[:3]
    share = np.array([0.25, 0.5, 0.75])[:, None]
    anderson = (below**2 / (share * (1 - share))).sum(axis=0)
    counts = np.array([w[:2].sum(axis=0), w[2:].sum(axis=0)])
    chi = (counts**2 / 0.5).sum(axis=0)
    assert signs["alone"].names == ("x", "c")
    assert np.allclose(signs["alone"].parts, standardised(np.array([anderson, chi])))
    assert is_real.tolist() == [True, True, False, False]
    # three neighbours each: all others, so every row has as many of each table as there are
    assert "neighbours" not in signs


def test_a_loud_sign_and_many_agreeing_signs_both_count() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(20, 200))
    for k, size in ((1, 9.0), (20, 1.5)):
        values = noise.copy()
        values[:k, 0] = size
        signs = [Sign(str(i), v, (), v[None]) for i, v in enumerate(values)]
        assert p_value(combined(signs, 200)) <= 0.01


def test_better_rows_are_stronger_evidence_of_nothing() -> None:
    """Ordered: real rows, rows of which a third is shuffled apart, rows all shuffled apart."""
    real, fresh = example_table(150), example_table(150, 1)
    train = example_table(200, 2)
    rng = np.random.default_rng(5)

    def apart(share: float) -> pa.Table:
        k = round(share * len(fresh))
        first = [c.slice(0, k).take(pa.array(rng.permutation(k))) for c in fresh.columns]
        names = fresh.column_names
        changed = pa.table(dict(zip(names, first, strict=True)), schema=fresh.schema)
        return pa.concat_tables([changed, fresh.slice(k)])

    found = [
        TwoSampleTest(permutations=199).evaluate(real, apart(share), train=train)
        for share in (0.0, 1 / 3, 1.0)
    ]
    strengths = [result.strength.value for result in found]
    assert strengths[0] < strengths[1] < strengths[2]
    assert [result.told_apart for result in found] == [False, True, True]
    assert len(found[2].columns) == 2 and "go together" in found[2].columns_by


def test_the_column_that_differs_is_named() -> None:
    one, other = mixed(60, 9), mixed(60, 10)
    shifted = other.to_arrow().set_column(1, "k", pa.array(other.to_arrow()["k"].to_numpy() + 4))
    result = TwoSampleTest().evaluate(one, shifted, train=mixed(80, 11))
    assert result.p_value == 1 / 500
    assert result.columns == ("k",)
    assert result.columns_by == "column 'k' on its own"


def test_copies_of_training_rows_are_found() -> None:
    train = mixed(80, 12)
    copies = train.take(np.random.default_rng(0).integers(0, 80, 60))
    result = TwoSampleTest().evaluate(mixed(60, 13), copies, train=train)
    assert result.told_apart
    assert result.signs["near"] > 2


def test_copies_are_not_said_to_differ_in_how_columns_go_together() -> None:
    """They go together as in the training rows, more than new ones do; that is not the reason."""

    def levels(n: int, seed: int) -> pa.Table:
        rng = np.random.default_rng(seed)
        return pa.table({f"c{j}": rng.choice(list("abcdef"), n) for j in range(6)})

    result = TwoSampleTest().evaluate(levels(60, 1), levels(60, 0), train=levels(60, 0))
    assert result.told_apart and result.signs["usual"] > 10
    assert result.by == "how near the rows lie to the rows that trained the generator"
    assert (result.columns, result.columns_by) == ((), "")


def test_a_broken_rule_is_found_and_named() -> None:
    """14 of 40 synthetic rows break a sum that all real rows keep."""

    def rows(n: int, seed: int, broken: int) -> pa.Table:
        rng = np.random.default_rng([23, seed])
        net, tax = rng.normal(100, 20, n).round(2), rng.normal(20, 5, n).round(2)
        gross = net + tax + np.where(np.arange(n) < broken, 7.5, 0)
        return pa.table({"net": net, "tax": tax, "gross": gross.round(2)})

    result = TwoSampleTest().evaluate(rows(40, 1, 0), rows(40, 2, 14), train=rows(60, 3, 0))
    assert result.told_apart
    assert set(result.columns) == {"net", "tax", "gross"}
    assert result.columns_by == "the rule gross = net + tax"


def test_false_alarms() -> None:
    """Of 80 tests at 5 % on rows of one law at most 10 reject (false-alarm rate 0.2 %)."""
    test = TwoSampleTest(permutations=39)
    rejected = 0
    for seed in range(80):
        one, other = mixed(20, 100 + 2 * seed), mixed(20, 101 + 2 * seed)
        train = mixed(25, 1_000 + seed) if seed % 2 else None
        rejected += test.evaluate(one, other, train=train, random_state=seed).told_apart
    assert rejected <= 10


def test_tables_without_variety_have_no_evidence() -> None:
    same = pa.table({"x": [1.0] * 12, "c": ["a"] * 12})
    result = TwoSampleTest(permutations=19).evaluate(same, same)
    assert result.p_value == 1 and result.columns == () and result.signs == {}
    assert result.to_dict()["headline"]["value"] == 0
