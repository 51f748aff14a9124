"""Attacks: their scores by hand, blind to labels, and as strong as theory says where it does."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import norm, rankdata

import tabseed as ts
from tabseed.privacy import attacks
from tabseed.privacy.attacks import Near, combination_scores, local_likelihood, nearest_ratio
from tabseed.privacy.bounds import Auc
from tabseed.privacy.targets import Points, Targets
from tabseed.testing.tables import example_table

STREAM = np.random.SeedSequence(7)


def tables(sizes: tuple[int, int, int], seed: int = 0) -> tuple[ts.Table, ...]:
    """Return training, held-out and synthetic rows of all kinds, some cells missing."""
    schema = ts.Table.from_frame(example_table(300, 99)).schema.modelled
    return tuple(
        ts.Table.from_frame(example_table(size, 10 * seed + i), schema=schema)
        for i, size in enumerate(sizes)
    )


def normal(n: int, shift: float, rng: np.random.Generator) -> ts.Table:
    x = rng.normal(size=(n, 2)) + np.array([shift, 0])
    return ts.Table.from_frame(pa.table({"x": x[:, 0], "y": x[:, 1]}))


def read(train: ts.Table, holdout: ts.Table, synthetic: ts.Table) -> Targets:
    return Targets.of((train, holdout, synthetic), 2_000, STREAM)


def all_scores(targets: Targets) -> dict[str, np.ndarray]:
    near = Near.of(targets.values, len(targets))
    found = attacks.scores(targets, near, STREAM, progress=lambda step: None)
    return {name: targets.alike(score) for name, score in found.items()}


def test_scores_do_not_depend_on_which_rows_trained() -> None:
    """The same rows with other labels, in another order: the same score for each row.

    Only the classifier deals folds by the order; it is the same law, with other folds.
    """
    train, holdout, synthetic = tables((40, 30, 80))
    pooled = pa.concat_tables([train.to_arrow(), holdout.to_arrow()])
    schema = train.schema
    order = np.random.default_rng(0).permutation(70)
    found = []
    for chosen in (np.arange(70), order):
        both = ts.Table.from_frame(pooled, schema=schema)
        targets = read(both.take(chosen[:40]), both.take(chosen[40:]), synthetic)
        row = np.where(targets.member, targets.row, 40 + targets.row)
        back = np.argsort(chosen[row])
        found.append({name: score[back] for name, score in all_scores(targets).items()})
    for name in found[0].keys() - {"classifier"}:
        assert found[0][name] == pytest.approx(found[1][name], abs=1e-9), name


def test_categories_that_only_held_out_rows_have_count_by_equality_alone() -> None:
    """Exchanging training and held-out rows, whose categories differ, exchanges their scores."""
    rng = np.random.default_rng(1)
    sides = [
        pa.table({"c": rng.choice(levels, 30), "x": rng.normal(size=30).round(1)})
        for levels in (["a", "b", "only-here"], ["a", "b", "only-there"])
    ]
    synthetic = pa.table(
        {"c": rng.choice(["a", "b", "new"], 50), "x": rng.normal(size=50).round(1)}
    )
    found = []
    for one, other in (sides, sides[::-1]):
        schema = ts.Table.from_frame(one, kinds={"c": "categorical", "x": "continuous"}).schema
        targets = read(*(ts.Table.from_frame(t, schema=schema) for t in (one, other, synthetic)))
        scores = all_scores(targets)
        inside = np.flatnonzero(targets.member)[np.argsort(targets.row[targets.member])]
        outside = np.flatnonzero(~targets.member)[np.argsort(targets.row[~targets.member])]
        found.append((scores, inside, outside))
    (first, in_first, out_first), (second, in_second, out_second) = found
    for name in first.keys() - {"classifier"}:
        assert first[name][in_first] == pytest.approx(second[name][out_second], abs=1e-9), name
        assert first[name][out_first] == pytest.approx(second[name][in_second], abs=1e-9), name


def test_equal_rows_have_equal_scores() -> None:
    train, holdout, synthetic = tables((40, 30, 80))
    twice = ts.Table.from_frame(
        pa.concat_tables([holdout.to_arrow(), train.to_arrow().slice(0, 9)]), schema=train.schema
    )
    targets = read(train, twice, synthetic)
    row = {int(r): i for i, r in enumerate(targets.row) if targets.member[i]}
    copy = {int(r): i for i, r in enumerate(targets.row) if not targets.member[i]}
    for name, score in all_scores(targets).items():
        for k in range(9):
            assert score[row[k]] == score[copy[30 + k]], name


def test_neighbours_and_densities_by_brute_force(monkeypatch) -> None:
    monkeypatch.setattr(attacks, "BLOCK", 300)  # several blocks
    rng = np.random.default_rng(2)
    n, m = 30, 50
    points = Points(rng.normal(size=(n + m, 3)), rng.integers(0, 2, (n + m, 2)))
    near = Near.of(points, n)
    gap = points.numbers[:, None] - points.numbers
    d = np.sqrt((gap**2).sum(axis=-1) + (points.codes[:, None] != points.codes).sum(axis=-1))
    real = np.sort(np.where(np.eye(n, dtype=bool), np.inf, d[:n, :n]), axis=1)[:, :5]
    assert near.real == pytest.approx(real)
    assert near.width == pytest.approx(np.median(real[:, 4]))  # 5 is the root of 30
    assert near.synthetic == pytest.approx(np.sort(d[:n, n:], axis=1)[:, :5])
    heights = np.exp(-(d**2) / (2 * near.width**2))
    assert near.density_synthetic == pytest.approx(heights[:n, n:].mean(axis=1))
    assert near.density_real == pytest.approx((heights[:n, :n].sum(axis=1) - 1) / (n - 1))
    nearest = np.argsort(d[:n, n:], axis=1)[:, :5]
    narrow = np.exp(-(d[:n, n:] ** 2) / (2 * np.median(real[:, 0]) ** 2))
    own = np.take_along_axis(narrow, nearest, axis=1)
    total = narrow.sum(axis=0)[nearest]
    assert near.local == pytest.approx(local_likelihood(own, total))
    floor = attacks.FLOOR * near.width
    ratio = np.log((real[:, 0] + floor) / (near.synthetic[:, 0] + floor))
    assert near.log_ratio(1) == pytest.approx(ratio)
    assert nearest_ratio(points, n) == pytest.approx(ratio)


def test_the_local_likelihood_is_the_gain_of_kernel_densities() -> None:
    """log p(s; R and x) - log p(s; R), where the kernels of R are far above the floor."""
    rng = np.random.default_rng(3)
    x, population, drawn = rng.normal(size=1), rng.normal(size=200), rng.normal(size=5)

    def density(at: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * (at[:, None] - rows) ** 2).mean(axis=1)

    with_row = np.log(density(drawn, np.append(population, x))) - np.log(density(drawn, population))
    own = np.exp(-0.5 * (drawn - x) ** 2)
    found = local_likelihood(own[None], (own + density(drawn, population) * 200)[None])
    assert found[0] == pytest.approx(with_row.sum() - 5 * np.log(200 / 201), abs=1e-3)


def test_combinations_by_counting() -> None:
    rng = np.random.default_rng(4)
    rows = [
        pa.table({c: rng.choice(["u", "v", "w"], size) for c in "abcd"}) for size in (12, 9, 25)
    ]
    kinds = dict.fromkeys("abcd", "categorical")
    schema = ts.Table.from_frame(rows[0], kinds=kinds).schema
    targets = read(*(ts.Table.from_frame(t, schema=schema) for t in rows))
    found = combination_scores(targets, rng)
    cells = targets.cells
    expected = np.zeros(21)
    subsets = [s for k in (1, 2, 3) for s in combinations(range(4), k)]
    for subset in subsets:
        keys = [tuple(row[list(subset)]) for row in cells]
        real, drawn = Counter(keys[:21]), Counter(keys[21:])
        for i in range(21):
            share = (drawn[keys[i]] + 0.5) / 25, (real[keys[i]] - 0.5) / 21
            expected[i] += np.log(share[0] / share[1]) / len(subsets)
    assert found == pytest.approx(expected)


def test_many_columns_are_drawn_from() -> None:
    assert len(attacks._subsets(12, np.random.default_rng(0))) == 12 + 66 + 220
    drawn = attacks._subsets(40, np.random.default_rng(0))
    assert len(drawn) == 300 and drawn[:40] == [(j,) for j in range(40)]
    assert {len(s) for s in drawn} == {1, 2, 3} and all(len(set(s)) == len(s) for s in drawn)
    assert len(attacks._subsets(400, np.random.default_rng(0))) == 550


def test_density_attacks_reach_the_closed_form_of_two_normal_laws() -> None:
    """Members and synthetic rows are N(mu, I), others N(0, I): the best AUC is Phi(|mu| / sqrt 2).

    Given the population of both, the likelihood ratio of synthetic to real rows rises with x mu.
    1,000 + 1,000 + 3,000 rows: the AUC's standard error is 0.01.
    """
    rng = np.random.default_rng(5)
    targets = read(normal(1_000, 1.0, rng), normal(1_000, 0.0, rng), normal(3_000, 1.0, rng))
    best = norm.cdf(1 / np.sqrt(2))
    found = Near.of(targets.values, len(targets))
    for score, missing in ((found.log_density_ratio, 0.02), (found.log_ratio(5), 0.1)):
        value = Auc.of(score, targets.member).value
        assert best - missing - 0.02 < value < best + 0.02


@pytest.mark.parametrize("numbers", [True, False])
def test_copies_stand_out_in_every_attack(numbers: bool) -> None:
    """Synthetic rows that repeat the training rows; numbers only, or numbers and categories."""
    train, holdout, _ = tables((60, 60, 10))
    if numbers:
        schema = ts.Schema(
            tuple(c for c in train.schema if c.name in ("income", "age", "born <b>"))
        )
        train, holdout = train.select(schema), holdout.select(schema)
    for name, score in all_scores(read(train, holdout, train)).items():
        targets = read(train, holdout, train)
        # a copy is but one of the neighbours of a wide kernel
        least = 0.6 if name in ("neighbours", "density", "local likelihood") else 0.9
        assert Auc.of(score, targets.member).value > least, name


def test_ranks_and_spreads_of_extreme_numbers_stay_finite() -> None:
    x = np.array([0.0, 1.0, 2.0, np.nan, 1e150, -1e150] * 5)
    frame = pa.table({"x": x, "y": np.full(30, 3.0), "z": pa.array([None] * 30, pa.float64())})
    kinds = dict.fromkeys("xyz", "continuous")
    table = ts.Table.from_frame(frame, kinds=kinds)
    targets = read(table, table, table)
    assert np.isfinite(targets.values.numbers).all() and np.isfinite(targets.ranks.numbers).all()
    for name, score in all_scores(targets).items():
        assert np.isfinite(score).all(), name
    present = ~np.isnan(x[targets.row])
    far = np.where(np.abs(x) < 3, 0.0, x)  # beside such a range 0, 1 and 2 are one number
    expected = (rankdata(np.tile(far[~np.isnan(x)], 3)) - 0.5) / 75
    assert sorted(targets.ranks.numbers[:60, 0][present]) == pytest.approx(sorted(expected[:50]))
