"""KNN-Shapley against all subsets and all orders, published values, and its own invariants."""

from functools import cache
from itertools import combinations, permutations
from math import comb

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

import tabseed as ts

ENGINES = ("numba", "numpy", "torch")
GAMES = ("accuracy", "soft", "threshold", "regression")


def scorer(kind, k, engine="numpy", **further):
    game = "accuracy" if kind == "regression" else kind
    return ts.KNNShapley(k, game=game, engine=engine, random_state=0, **further)


def value_of(kind, nearest, y, t, k, classes):
    """V of a set of players, given from near to far (threshold: those within the radius)."""
    if kind == "accuracy":
        return sum(y[i] == t for i in nearest[:k]) / k
    if kind == "regression":
        return -((sum(y[i] for i in nearest[:k]) / k - t) ** 2)
    chosen = nearest if kind == "threshold" else nearest[:k]
    return np.mean([y[i] == t for i in chosen]) if chosen else 1 / classes


def by_all_subsets(order, value):
    """Shapley values for one order of the players by distance, from the definition."""
    n = len(order)
    value = cache(value)
    found = np.zeros(n)
    for i in range(n):
        others = [j for j in order if j != i]
        for size in range(n):
            for chosen in combinations(others, size):
                more = tuple(j for j in order if j in chosen or j == i)
                found[i] += (value(more) - value(chosen)) / (n * comb(n - 1, size))
    return found


def brute_force(kind, distance, y, t, k, radius=None):
    """Mean over all orders of tied players."""
    classes = len({*y.tolist(), t})
    players = range(len(y))
    orders = [p for p in permutations(players) if all(np.diff(distance[list(p)]) >= 0)]
    if kind == "threshold":
        orders = orders[:1]
        near = [i for i in players if distance[i] <= radius]
        inside = {i for i in near}
        return by_all_subsets(
            orders[0],
            lambda s: value_of(kind, [i for i in s if i in inside], y, t, k, classes),
        )
    every = [by_all_subsets(o, lambda s: value_of(kind, s, y, t, k, classes)) for o in orders]
    return np.mean(every, axis=0)


def random_game(kind, rng, n, levels):
    x = rng.integers(0, levels, n).astype(float)
    t = float(rng.integers(0, levels))
    if kind == "regression":
        return x, rng.normal(size=n), t, float(rng.normal())
    return x, rng.integers(0, 3, n), t, int(rng.integers(0, 3))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", GAMES)
def test_equals_all_subsets_and_all_orders_of_ties(kind, engine):
    rng = np.random.default_rng(0)
    task = "regression" if kind == "regression" else "classification"
    for n, levels in ((1, 2), (2, 2), (3, 2), (4, 2), (5, 3), (5, 100), (6, 100), (7, 100)):
        x, y, t, target = random_game(kind, rng, n, levels)
        spread = x.std() if x.std() > 0 else 1.0
        radius = 1.0 / spread if kind == "threshold" else None
        for k in (1, 2, 3, n, n + 3):
            found = scorer(kind, k, engine, radius=radius)
            reference = (np.array([[t]]), np.array([target]))
            found.fit(x[:, None], y, reference=reference, task=task)
            centre = y.mean() if kind == "regression" else 0
            # a column that does not vary is left out: all are tied
            distance = np.abs(x - t) if x.std() > 0 else np.zeros(n)
            truth = brute_force(kind, distance, y - centre, target - centre, k, 1.0)
            assert np.abs(found.values_ - truth).max() < 1e-12
            assert np.array_equal(found.scores_, -found.values_)
            if kind == "threshold":
                break


@pytest.mark.parametrize("kind", ["accuracy", "soft", "regression"])
def test_eight_players(kind):
    rng = np.random.default_rng(1)
    x, y, t, target = random_game(kind, rng, 8, 1000)
    task = "regression" if kind == "regression" else "classification"
    centre = y.mean() if kind == "regression" else 0
    for k in (1, 2, 3, 8, 11):
        found = scorer(kind, k).fit(
            x[:, None], y, reference=(np.array([[t]]), np.array([target])), task=task
        )
        truth = brute_force(kind, np.abs(x - t), y - centre, target - centre, k)
        assert np.abs(found.values_ - truth).max() < 1e-12


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["accuracy", "soft", "regression"])
def test_stable_takes_tied_rows_in_their_order(kind, engine):
    rng = np.random.default_rng(2)
    task = "regression" if kind == "regression" else "classification"
    for n in (3, 5, 6):
        x, y, t, target = random_game(kind, rng, n, 2)
        x[0], x[1] = 0.0, 1.0
        centre = y.mean() if kind == "regression" else 0
        order = np.argsort(np.abs(x - t), kind="stable")
        truth = by_all_subsets(
            order.tolist(), lambda s, y=y, t=target, c=centre: value_of(kind, s, y - c, t - c, 2, 3)
        )
        found = scorer(kind, 2, engine, ties="stable").fit(
            np.repeat(x, 1)[:, None], y, reference=(np.array([[t]]), np.array([target])), task=task
        )
        if kind == "soft":  # V of nobody is 1/C for the classes at hand
            truth += (1 / 3 - 1 / len({*y.tolist(), target})) / n
        assert np.abs(found.values_ - truth).max() < 1e-12


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
        found = ts.KNNShapley(1).fit(
            np.array([[-1.0], [0.0], [1.0]]), [0, 0, 1], reference=([[t]], [label])
        )
        assert found.values_ == pytest.approx(row, abs=1e-12)
        law = norm(2 * label - 1, 1)
        expected += (law.cdf(bounds[t][1]) - law.cdf(bounds[t][0])) / 2 * found.values_[1]
    assert expected == pytest.approx(0.2090488996, abs=1e-10)


def test_published_simulation():
    """The checksums of the authors' simulation study (arXiv 2410.00759)."""
    x, y = make_classification(
        10_000, 2, n_informative=2, n_redundant=0, n_clusters_per_class=2, weights=[0.5, 0.5],
        class_sep=1.2, flip_y=0, random_state=42,
    )  # fmt: skip
    rows, rest, label, others = train_test_split(x, y, test_size=0.5, stratify=y, random_state=42)
    found = {}
    for half in (0, 1):
        parts = train_test_split(rest, others, test_size=0.5, stratify=others, random_state=42)
        found[half] = ts.KNNShapley(5).fit(
            rows, label, reference=(parts[half], parts[2 + half])
        )
    sums = [f.values_.sum() for f in found.values()]
    print(sums, [np.argsort(f.values_)[:5] for f in found.values()])
    raise AssertionError
