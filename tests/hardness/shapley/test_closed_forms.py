"""Closed forms of the games against all subsets, all orders, and published values."""

from __future__ import annotations

from functools import cache
from itertools import combinations, permutations
from math import comb

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

from helpers.games import ENGINES, GAMES, OF_TARGETS, alike, shapley


def worth(kind, nearest, y, t, k, classes):
    """Return V of a set of players from near to far (threshold: those within the radius)."""
    if kind == "accuracy":
        return sum(y[i] == t for i in nearest[:k]) / k
    if kind == "likeness":
        return sum(alike(y, t)[i] for i in nearest[:k]) / k
    if kind == "squared":
        return -((sum(y[i] for i in nearest[:k]) / k - t) ** 2)
    voters = nearest if kind == "threshold" else nearest[:k]
    return sum(y[i] == t for i in voters) / len(voters) if voters else 1 / classes


def by_all_subsets(order, value):
    """Return Shapley values from the definition, for one order of the players by distance."""
    n, value = len(order), cache(value)
    result = np.zeros(n)
    for i in range(n):
        others = [j for j in order if j != i]
        for size in range(n):
            for subset in combinations(others, size):
                more = tuple(j for j in order if j in subset or j == i)
                result[i] += (value(more) - value(subset)) / (n * comb(n - 1, size))
    return result


def by_all_orders(kind, distance, y, t, k):
    """Return Shapley values averaged over all orders of tied players; balls have radius 1."""
    classes, players = len({*y.tolist(), t}), range(len(y))
    if kind == "threshold":
        near = [i for i in players if distance[i] <= 1]
        return by_all_subsets(
            list(players),
            lambda s: worth(kind, [i for i in s if i in near], y, t, k, classes),
        )
    orders = [p for p in permutations(players) if all(np.diff(distance[list(p)]) >= 0)]
    every = [by_all_subsets(p, lambda s: worth(kind, s, y, t, k, classes)) for p in orders]
    return np.mean(every, axis=0)


def small_game(kind, rng, n, levels):
    """Return players x, y and a reference row t with its target; targets add up to 0."""
    x, t = rng.integers(0, levels, n).astype(float), float(rng.integers(0, levels))
    if kind in OF_TARGETS:
        y = rng.normal(size=n)
        return x, y - y.mean(), t, float(rng.normal())
    return x, rng.integers(0, 3, n), t, int(rng.integers(0, 3))


@pytest.mark.slow
@pytest.mark.parametrize("kind", GAMES)
def test_equals_all_subsets_and_all_orders_of_ties(kind):
    rng = np.random.default_rng(0)
    for n, levels in ((1, 2), (2, 2), (3, 2), (4, 2), (5, 3), (7, 100)):
        x, y, t, target = small_game(kind, rng, n, levels)
        varies = x.std() > 0  # a constant column is left out, so all rows are tied
        distance = np.abs(x - t) if varies else np.zeros(n)
        options = {"radius": 1 / x.std() if varies else 1.0} if kind == "threshold" else {}
        for k in (1, 2, 3, n, n + 3) if kind != "threshold" else (5,):
            truth = by_all_orders(kind, distance, y, target, k)
            for engine in ENGINES:
                scorer = shapley(kind, k, x, y, ([t], [target]), engine, **options)
                assert np.abs(scorer.values_ - truth).max() < 1e-12
                assert np.array_equal(scorer.scores_, -scorer.values_)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["accuracy", "soft", "likeness", "squared"])
def test_eight_players(kind):
    x, y, t, target = small_game(kind, np.random.default_rng(1), 8, 1000)
    ks = (1, 2, 3, 8, 11)
    scorer = shapley(kind, ks, x, y, ([t], [target]))
    for k in ks:
        truth = by_all_orders(kind, np.abs(x - t), y, target, k)
        assert np.abs(scorer.values_by_k_[k] - truth).max() < 1e-12
    assert np.array_equal(scorer.values_, scorer.values_by_k_[1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["accuracy", "soft", "likeness", "squared"])
def test_stable_takes_tied_rows_in_their_order(kind):
    rng = np.random.default_rng(2)
    for n in (3, 5, 6):
        x, y, t, target = small_game(kind, rng, n, 2)
        x[:2] = 0, 1
        classes = len({*y.tolist(), target})
        order = np.argsort(np.abs(x - t), kind="stable").tolist()
        truth = by_all_subsets(order, lambda s: worth(kind, s, y, target, 2, classes))  # noqa: B023
        for engine in ENGINES:
            scorer = shapley(kind, 2, x, y, ([t], [target]), engine, ties="stable")
            assert np.abs(scorer.values_ - truth).max() < 1e-12


# arXiv 2410.00759, Table 2a: players at -1, 0 and 1 with labels 0, 0, 1, K = 1
PUBLISHED = {
    (-0.7, 0): (1 / 2, 1 / 2, 0), (-0.7, 1): (-1 / 6, -1 / 6, 1 / 3),
    (-0.25, 0): (1 / 2, 1 / 2, 0), (-0.25, 1): (-1 / 6, -1 / 6, 1 / 3),
    (0.25, 0): (1 / 3, 5 / 6, -1 / 6), (0.25, 1): (0, -1 / 2, 1 / 2),
    (0.7, 0): (1 / 3, 1 / 3, -2 / 3), (0.7, 1): (0, 0, 1),
}  # fmt: skip


def test_published_table_and_its_expectation():
    bounds = {-0.7: (-np.inf, -0.5), -0.25: (-0.5, 0), 0.25: (0, 0.5), 0.7: (0.5, np.inf)}
    expected = 0.0
    for (t, label), row in PUBLISHED.items():
        scorer = shapley("accuracy", 1, [-1, 0, 1], [0, 0, 1], ([t], [label]))
        assert scorer.values_ == pytest.approx(row, abs=1e-12)
        law = norm(2 * label - 1, 1)
        expected += (law.cdf(bounds[t][1]) - law.cdf(bounds[t][0])) / 2 * scorer.values_[1]
    assert expected == pytest.approx(0.2090488996, abs=1e-10)


def test_published_simulation():
    """The checksums of the authors' simulation study: two columns, halves and quarters."""
    x, y = make_classification(
        10_000, 2, n_informative=2, n_redundant=0, n_clusters_per_class=2, weights=[0.5, 0.5],
        class_sep=1.2, flip_y=0, random_state=42,
    )  # fmt: skip
    x, x_rest, y, y_rest = train_test_split(x, y, test_size=0.5, stratify=y, random_state=42)
    x_ref, _, y_ref, _ = train_test_split(
        x_rest, y_rest, test_size=0.5, stratify=y_rest, random_state=42
    )
    values = shapley("accuracy", 5, x, y, (x_ref, y_ref), "auto").values_
    hardest = np.argsort(values)[:250]
    assert values.sum() == pytest.approx(0.948, abs=1e-10)
    assert values.min() == pytest.approx(-0.0013937484, abs=1e-10)
    assert values.max() == pytest.approx(0.0003772941, abs=1e-10)
    assert hardest[:5].tolist() == [643, 994, 2907, 159, 1139]
    assert y[hardest].mean() == pytest.approx(0.492)
    assert hardest.sum() == 629303
