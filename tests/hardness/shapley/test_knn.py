"""KNN-Shapley as a scorer: folds, truncation, intervals, small and plain tables."""

from __future__ import annotations

import numpy as np
import pytest

import tabseed as ts
from helpers.games import ENGINES, clusters, full_of_ties, shapley
from tabseed._random import child, seed_sequence
from tabseed.errors import SchemaError, TabseedError, TooFewRowsError
from tabseed.estimates.folds import deal


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_number_of_jobs_changes_no_byte(engine):
    rng = np.random.default_rng(5)
    x, y = clusters(rng, 500)
    reference = clusters(rng, 1000)
    scorers = [shapley("accuracy", (1, 5), x, y, reference, engine, n_jobs=j) for j in (1, 2, 3)]
    for other in scorers[1:]:
        assert other.values_.tobytes() == scorers[0].values_.tobytes()
        assert other.values_by_k_[5].tobytes() == scorers[0].values_by_k_[5].tobytes()
        assert other.standard_errors_.tobytes() == scorers[0].standard_errors_.tobytes()


@pytest.mark.parametrize("engine", ENGINES)
def test_several_k_give_the_values_of_each_alone(engine):
    rng = np.random.default_rng(6)
    x, y = clusters(rng, 80)
    reference = clusters(rng, 30)
    scorer = shapley("soft", [3, 1, 200], x, y, reference, engine)
    for k in (3, 1, 200):
        alone = shapley("soft", k, x, y, reference, engine).values_
        assert np.abs(scorer.values_by_k_[k] - alone).max() < 1e-14
    assert np.array_equal(scorer.values_, scorer.values_by_k_[3])


def test_rows_of_a_fold_are_valued_by_the_others():
    rng = np.random.default_rng(7)
    x, y = clusters(rng, 90)
    scorer = ts.KNNShapley(3, random_state=1).fit(x, y, folds=4)
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
    assert np.abs(scorer.values_ - [np.mean(v) for v in each]).max() < 1e-12
    errors = [np.std(v, ddof=1) / np.sqrt(len(v)) for v in each]
    assert np.abs(scorer.standard_errors_ - errors).max() < 1e-12


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
            truncated = [
                shapley(kind, (5, 1), x, y, (x_ref, y_ref), e, truncate=eps) for e in ENGINES
            ]
            for one in truncated:
                error = np.abs(one.values_ - exact.values_).max()
                assert error <= 1 / r - 1 / 400 + 1e-12
                assert one.values_.sum() == pytest.approx(exact.values_.sum(), abs=1e-10)
                assert np.abs(one.values_ - truncated[0].values_).max() < 1e-12, t
            assert make is full_of_ties or error > 1e-6


@pytest.mark.slow
def test_intervals_cover_the_values_of_ten_times_the_reference():
    """40 reference sets of 1000 rows, each compared with the 10,000 rows of which it is a tenth.

    Coverage is 0.953 on average with a standard error of 0.006 over sets, so a false alarm occurs
    with less than 1 of 200 seeds.
    """
    rng = np.random.default_rng(9)

    def draw(n):
        x = rng.normal(size=(n, 5))
        return x, (x[:, 0] + 0.7 * rng.normal(size=n) > 0).astype(int)

    covered = []
    for _ in range(4):
        players = draw(500)
        tenths = [shapley("accuracy", 5, *players, draw(1000), "numba") for _ in range(10)]
        mean = np.mean([t.values_ for t in tenths], axis=0)
        covered += [np.abs(t.values_ - mean) <= 1.96 * t.standard_errors_ for t in tenths]
    assert 0.93 <= np.mean(covered) <= 0.97


def test_duplicates_are_worth_the_same_and_order_of_rows_is_irrelevant():
    rng = np.random.default_rng(10)
    x, y = full_of_ties(rng, 120)
    x, y = np.concatenate([x, x]), np.concatenate([y, y])
    reference = full_of_ties(rng, 40)
    values = shapley("accuracy", 5, x, y, reference).values_
    assert np.abs(values[:120] - values[120:]).max() < 1e-14
    order = rng.permutation(240)
    again = shapley("accuracy", 5, x[order], y[order], reference).values_
    assert np.abs(again - values[order]).max() < 1e-14


def test_flipped_label_in_a_clean_cluster_is_the_hardest():
    rng = np.random.default_rng(11)
    y = rng.integers(0, 2, 200)
    x = rng.normal(size=(200, 2)) + 6 * y[:, None]
    y[17] = 1 - y[17]
    assert np.argmax(ts.KNNShapley(random_state=0).fit_score(x, y)) == 17


def test_small_and_plain_tables():
    one = shapley("accuracy", 5, [0.0], [1], ([2.0], [0]))
    assert one.values_ == pytest.approx([0.0])
    assert np.isnan(one.standard_errors_).all()
    same = shapley("accuracy", 5, [0.0, 1.0, 2.0, 7.0], [1] * 4, ([2.0, 3.0, 3.0], [1, 1, 0]))
    assert same.values_ == pytest.approx([1 / 5 * 2 / 3] * 4)
    with pytest.raises(TooFewRowsError):
        ts.KNNShapley().fit(np.zeros((3, 1)), [0, 1, 0])  # five folds


@pytest.mark.parametrize("labels", [["a"] * 30, [1] * 30, [0.5] * 30])
def test_a_single_label_is_refused(labels):
    x = np.arange(30.0)[:, None]
    with pytest.raises(SchemaError, match=r"^all labels are .*: with a single one"):
        ts.KNNShapley().fit(x, labels)
    with pytest.raises(SchemaError, match=r"^all labels are"):
        ts.KNNShapley().fit(x, labels, reference=(x, labels))


@pytest.mark.parametrize("reference", [3, "ab", (), [[0.0]], ([[0.0]], [1], [1])], ids=str)
def test_a_reference_is_a_pair(reference):
    with pytest.raises(TabseedError, match=r"KNNShapley: reference=.* is not a pair \(X, y\)"):
        ts.KNNShapley().fit(np.arange(4.0)[:, None], [0, 1, 0, 1], reference=reference)


@pytest.mark.parametrize(
    "settings",
    [
        {"n_neighbors": 0}, {"n_neighbors": 1.5}, {"n_neighbors": ()}, {"ties": "random"},
        {"game": "margin"}, {"game": "threshold"}, {"radius": 1.0}, {"engine": "fortran"},
        {"game": "threshold", "radius": -1.0}, {"truncate": 0.0}, {"truncate": 1.0},
        {"game": "threshold", "radius": 1.0, "truncate": 0.1},
    ],
)  # fmt: skip
def test_wrong_parameters_are_refused(settings):
    x, y = clusters(np.random.default_rng(12), 30)
    with pytest.raises(TabseedError):
        ts.KNNShapley(**settings).fit(x, y)


def test_a_wrong_target_is_found_among_rows_that_score_each_other():
    """The bounded game ranks it first; the squared game blames its neighbours."""
    rng = np.random.default_rng(14)
    x = rng.normal(size=(200, 2))
    y = x @ [2.0, 1.0] + 0.1 * rng.normal(size=200)
    middle = int(np.argmin((x**2).sum(axis=1)))
    y[middle] += 12
    assert ts.KNNShapley(random_state=0).fit_score(x, y).argmax() == middle
    squared = ts.KNNShapley(game="squared", random_state=0).fit_score(x, y)
    assert np.linalg.norm(x[squared.argmax()] - x[middle]) < 0.5
