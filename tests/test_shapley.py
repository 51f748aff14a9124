"""KNN-Shapley against all subsets and all orders, published values, and its own invariants."""

from fractions import Fraction
from functools import cache
from itertools import combinations, permutations
from math import comb

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import norm
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

import tabseed as ts
from tabseed._random import child, seed_sequence
from tabseed.errors import TabseedError, TooFewRowsError
from tabseed.estimates.folds import deal

ENGINES = ("numba", "numpy", "torch")
GAMES = ("accuracy", "soft", "threshold", "likeness", "squared")
OF_TARGETS = ("likeness", "squared")


def shapley(kind, k, x, y, reference, engine="numpy", **further):
    """Values of players on one column, or of points, for reference rows (X, y)."""
    game = "accuracy" if kind == "likeness" else kind
    task = "regression" if kind in OF_TARGETS else "classification"
    scorer = ts.KNNShapley(k, game=game, engine=engine, random_state=0, **further)
    x, x_ref = (np.asarray(a, dtype=float) for a in (x, reference[0]))
    x, x_ref = (a[:, None] if a.ndim == 1 else a for a in (x, x_ref))
    return scorer.fit(x, y, reference=(x_ref, reference[1]), task=task)


def worth(kind, nearest, y, t, k, classes):
    """V of a set of players, given from near to far (threshold: those within the radius)."""
    if kind == "accuracy":
        return sum(y[i] == t for i in nearest[:k]) / k
    if kind == "likeness":
        return sum(alike(y, t)[i] for i in nearest[:k]) / k
    if kind == "squared":
        return -((sum(y[i] for i in nearest[:k]) / k - t) ** 2)
    chosen = nearest if kind == "threshold" else nearest[:k]
    return sum(y[i] == t for i in chosen) / len(chosen) if chosen else 1 / classes


def alike(y, t):
    """How much of a hit each target is: 1 at t, 0 an interquartile range away."""
    width = np.subtract(*np.quantile(y, [0.75, 0.25])) or y.std() or 1.0
    return np.maximum(0, 1 - np.abs(y - t) / width)


def by_all_subsets(order, value):
    """Shapley values for one order of the players by distance, from the definition."""
    n, value = len(order), cache(value)
    found = np.zeros(n)
    for i in range(n):
        others = [j for j in order if j != i]
        for size in range(n):
            for chosen in combinations(others, size):
                more = tuple(j for j in order if j in chosen or j == i)
                found[i] += (value(more) - value(chosen)) / (n * comb(n - 1, size))
    return found


def by_all_orders(kind, distance, y, t, k):
    """Mean over all orders of tied players; a ball of radius 1."""
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
    """Players x, y and a reference row t with its target; targets add up to 0."""
    x, t = rng.integers(0, levels, n).astype(float), float(rng.integers(0, levels))
    if kind in OF_TARGETS:
        y = rng.normal(size=n)
        return x, y - y.mean(), t, float(rng.normal())
    return x, rng.integers(0, 3, n), t, int(rng.integers(0, 3))


@pytest.mark.parametrize("kind", GAMES)
def test_equals_all_subsets_and_all_orders_of_ties(kind):
    rng = np.random.default_rng(0)
    for n, levels in ((1, 2), (2, 2), (3, 2), (4, 2), (5, 3), (7, 100)):
        x, y, t, target = small_game(kind, rng, n, levels)
        varies = x.std() > 0  # a column that does not is left out: all are tied
        distance = np.abs(x - t) if varies else np.zeros(n)
        further = {"radius": 1 / x.std() if varies else 1.0} if kind == "threshold" else {}
        for k in (1, 2, 3, n, n + 3) if kind != "threshold" else (5,):
            truth = by_all_orders(kind, distance, y, target, k)
            for engine in ENGINES:
                found = shapley(kind, k, x, y, ([t], [target]), engine, **further)
                assert np.abs(found.values_ - truth).max() < 1e-12
                assert np.array_equal(found.scores_, -found.values_)


@pytest.mark.parametrize("kind", ["accuracy", "soft", "likeness", "squared"])
def test_eight_players(kind):
    x, y, t, target = small_game(kind, np.random.default_rng(1), 8, 1000)
    ks = (1, 2, 3, 8, 11)
    found = shapley(kind, ks, x, y, ([t], [target]))
    for k in ks:
        truth = by_all_orders(kind, np.abs(x - t), y, target, k)
        assert np.abs(found.values_by_k_[k] - truth).max() < 1e-12
    assert np.array_equal(found.values_, found.values_by_k_[1])


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
            found = shapley(kind, 2, x, y, ([t], [target]), engine, ties="stable")
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
        found = shapley("accuracy", 1, [-1, 0, 1], [0, 0, 1], ([t], [label]))
        assert found.values_ == pytest.approx(row, abs=1e-12)
        law = norm(2 * label - 1, 1)
        expected += (law.cdf(bounds[t][1]) - law.cdf(bounds[t][0])) / 2 * found.values_[1]
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


def clusters(rng, n, d=3, classes=3):
    y = rng.integers(0, classes, n)
    return rng.normal(size=(n, d)) + 1.5 * y[:, None], y


def full_of_ties(rng, n):
    return rng.integers(0, 3, (n, 4)).astype(float), rng.integers(0, 3, n)


@pytest.mark.parametrize("make", [clusters, full_of_ties])
@pytest.mark.parametrize("kind", GAMES)
def test_engines_agree_and_values_add_up(kind, make):
    rng = np.random.default_rng(3)
    x, y = make(rng, 700)
    x_ref, y_ref = make(rng, 150)
    if kind in OF_TARGETS:
        y, y_ref = y + rng.normal(size=700), y_ref + rng.normal(size=150)
    further = {"radius": 1.0} if kind == "threshold" else {}
    found = [shapley(kind, 5, x, y, (x_ref, y_ref), e, **further) for e in ENGINES]
    for other in found[1:]:
        assert np.abs(other.values_ - found[0].values_).max() < 1e-12
        assert np.abs(other.standard_errors_ - found[0].standard_errors_).max() < 1e-12
    if kind == "threshold":
        return
    # all orders of tied players are alike to the sum, so any of them will do
    spread = x.std(axis=0)
    nearest = np.argsort(cdist(x_ref / spread, x / spread), axis=1, kind="stable")[:, :5]
    if kind == "likeness":
        if make is clusters:
            votes = [alike(y, t)[near].mean() for t, near in zip(y_ref, nearest, strict=True)]
            assert found[0].values_.sum() == pytest.approx(np.mean(votes), abs=1e-10)
    elif kind == "squared":
        if make is clusters:
            centred = y - y.mean()
            error = centred[nearest].mean(axis=1) - (y_ref - y.mean())
            whole = ((y_ref - y.mean()) ** 2 - error**2).mean()
            assert found[0].values_.sum() == pytest.approx(whole, abs=1e-10)
    elif make is clusters:
        whole = (y[nearest] == y_ref[:, None]).mean() - (1 / 3 if kind == "soft" else 0)
        assert found[0].values_.sum() == pytest.approx(whole, abs=1e-10)


def test_ties_of_whole_numbers_are_found_after_standardising():
    """Ranks from distances in exact fractions give the same values as points do."""
    rng = np.random.default_rng(4)
    x, y = rng.integers(0, 5, (40, 3)), rng.integers(0, 2, 40)
    variances = [Fraction(int(40 * (c**2).sum() - c.sum() ** 2), 1600) for c in x.T]
    for t in rng.integers(0, 5, (20, 3)):
        exact = [sum(Fraction(int(a - b) ** 2) / v for a, b, v in zip(r, t, variances, strict=True))
                 for r in x]  # fmt: skip
        levels = sorted(set(exact))
        ranks = np.array([levels.index(e) for e in exact])
        assert len(levels) < 40
        for k in (1, 5):
            points = shapley("accuracy", k, x, y, ([t], [1]))
            line = shapley("accuracy", k, ranks, y, ([0], [1]))
            assert np.abs(points.values_ - line.values_).max() < 1e-12


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_number_of_jobs_changes_no_byte(engine):
    rng = np.random.default_rng(5)
    x, y = clusters(rng, 500)
    reference = clusters(rng, 1000)
    found = [shapley("accuracy", (1, 5), x, y, reference, engine, n_jobs=j) for j in (1, 2, 3)]
    for other in found[1:]:
        assert other.values_.tobytes() == found[0].values_.tobytes()
        assert other.values_by_k_[5].tobytes() == found[0].values_by_k_[5].tobytes()
        assert other.standard_errors_.tobytes() == found[0].standard_errors_.tobytes()


@pytest.mark.parametrize("engine", ENGINES)
def test_several_k_are_as_each_alone(engine):
    rng = np.random.default_rng(6)
    x, y = clusters(rng, 80)
    reference = clusters(rng, 30)
    found = shapley("soft", [3, 1, 200], x, y, reference, engine)
    for k in (3, 1, 200):
        alone = shapley("soft", k, x, y, reference, engine).values_
        assert np.abs(found.values_by_k_[k] - alone).max() < 1e-14
    assert np.array_equal(found.values_, found.values_by_k_[3])


def test_rows_of_a_fold_are_valued_by_the_others():
    rng = np.random.default_rng(7)
    x, y = clusters(rng, 90)
    found = ts.KNNShapley(3, random_state=1).fit(x, y, folds=4)
    fold = deal(y, 90, 4, np.random.default_rng(child(seed_sequence(1), 0)))
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    each = [[] for _ in range(90)]
    for t in range(90):
        players = np.flatnonzero(fold != fold[t])
        order = players[np.argsort(((z[players] - z[t]) ** 2).sum(axis=1))]
        value = 0.0
        for rank in range(len(order), 0, -1):
            match = float(y[order[rank - 1]] == y[t])
            after = float(y[order[rank]] == y[t]) if rank < len(order) else 0.0
            value += (match - after) / max(rank, 3)
            each[order[rank - 1]].append(value)
    assert np.abs(found.values_ - [np.mean(v) for v in each]).max() < 1e-12
    errors = [np.std(v, ddof=1) / np.sqrt(len(v)) for v in each]
    assert np.abs(found.standard_errors_ - errors).max() < 1e-12


@pytest.mark.parametrize("make", [clusters, full_of_ties])
@pytest.mark.parametrize("kind", ["accuracy", "soft"])
def test_truncated_values_stay_within_the_bound_and_add_up(kind, make):
    rng = np.random.default_rng(8)
    x, y = make(rng, 400)
    for eps in (0.1, 0.02):
        r = round(1 / eps)
        for t in range(6):
            x_ref, y_ref = make(rng, 1)
            exact = shapley(kind, (5, 1), x, y, (x_ref, y_ref))
            found = [shapley(kind, (5, 1), x, y, (x_ref, y_ref), e, truncate=eps) for e in ENGINES]
            for one in found:
                error = np.abs(one.values_ - exact.values_).max()
                assert error <= 1 / r - 1 / 400 + 1e-12
                assert one.values_.sum() == pytest.approx(exact.values_.sum(), abs=1e-10)
                assert np.abs(one.values_ - found[0].values_).max() < 1e-12, t
            assert make is full_of_ties or error > 1e-6


def test_intervals_hold_what_ten_times_the_reference_gives():
    """40 reference sets of 1000 rows, each in the 10,000 of which it is a tenth.

    The share held is 0.953 on average with a standard error of 0.006 over sets: a false alarm in
    less than 1 of 200 seeds.
    """
    rng = np.random.default_rng(9)

    def draw(n):
        x = rng.normal(size=(n, 5))
        return x, (x[:, 0] + 0.7 * rng.normal(size=n) > 0).astype(int)

    held = []
    for _ in range(4):
        players = draw(500)
        tenths = [shapley("accuracy", 5, *players, draw(1000), "numba") for _ in range(10)]
        whole = np.mean([t.values_ for t in tenths], axis=0)
        held += [np.abs(t.values_ - whole) <= 1.96 * t.standard_errors_ for t in tenths]
    assert 0.93 <= np.mean(held) <= 0.97


def test_duplicates_are_worth_the_same_and_order_of_rows_is_irrelevant():
    rng = np.random.default_rng(10)
    x, y = full_of_ties(rng, 120)
    x, y = np.concatenate([x, x]), np.concatenate([y, y])
    reference = full_of_ties(rng, 40)
    values = shapley("accuracy", 5, x, y, reference).values_
    assert np.abs(values[:120] - values[120:]).max() < 1e-14
    mixed = rng.permutation(240)
    again = shapley("accuracy", 5, x[mixed], y[mixed], reference).values_
    assert np.abs(again - values[mixed]).max() < 1e-14


def test_flipped_label_in_a_clean_cluster_is_the_hardest():
    rng = np.random.default_rng(11)
    y = rng.integers(0, 2, 200)
    x = rng.normal(size=(200, 2)) + 6 * y[:, None]
    y[17] = 1 - y[17]
    assert np.argmax(ts.KNNShapley(random_state=0).fit_score(x, y)) == 17


def test_small_and_plain_tables():
    one = shapley("accuracy", 5, [0.0], [1], ([2.0], [1]))
    assert one.values_ == pytest.approx([1 / 5])
    assert np.isnan(one.standard_errors_).all()
    same = shapley("accuracy", 5, [0.0, 1.0, 2.0, 7.0], [1] * 4, ([2.0, 3.0], [1, 1]))
    assert same.values_ == pytest.approx([1 / 5] * 4)
    with pytest.raises(TooFewRowsError):
        ts.KNNShapley().fit(np.zeros((3, 1)), [0, 1, 0])  # five folds


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_neighbors": 0}, {"n_neighbors": 1.5}, {"n_neighbors": ()}, {"ties": "random"},
        {"game": "margin"}, {"game": "threshold"}, {"radius": 1.0}, {"engine": "fortran"},
        {"game": "threshold", "radius": -1.0}, {"truncate": 0.0}, {"truncate": 1.0},
        {"game": "threshold", "radius": 1.0, "truncate": 0.1},
    ],
)  # fmt: skip
def test_wrong_parameters_are_refused(wrong):
    x, y = clusters(np.random.default_rng(12), 30)
    with pytest.raises(TabseedError):
        ts.KNNShapley(**wrong).fit(x, y)


def test_games_of_classes_and_of_targets_are_not_mixed():
    x, y = clusters(np.random.default_rng(13), 30)
    for wrong in ({"game": "soft"}, {"game": "squared", "truncate": 0.1}):
        with pytest.raises(TabseedError):
            ts.KNNShapley(**wrong).fit(x, y + 0.5, task="regression")
    with pytest.raises(TabseedError):
        ts.KNNShapley(game="squared").fit(x, y)


def test_a_wrong_target_is_found_among_rows_that_score_each_other():
    """The bounded game ranks it first; the squared one blames its neighbours."""
    rng = np.random.default_rng(14)
    x = rng.normal(size=(200, 2))
    y = x @ [2.0, 1.0] + 0.1 * rng.normal(size=200)
    middle = int(np.argmin((x**2).sum(axis=1)))
    y[middle] += 12
    assert ts.KNNShapley(random_state=0).fit_score(x, y).argmax() == middle
    squared = ts.KNNShapley(game="squared", random_state=0).fit_score(x, y)
    assert np.linalg.norm(x[squared.argmax()] - x[middle]) < 0.5
