"""Several synthetic tables, combined estimates and mixes against closed forms and known laws."""

from __future__ import annotations

import json
import math
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsRegressor

import tabseed as ts
from tabseed.errors import TabseedError, TooFewRowsError
from tabseed.table.schema import Column, Schema
from tabseed.utility.averaging import error_of_several, predicted_error
from tabseed.utility.measure import SYNTHETIC, Measured
from tabseed.utility.mix import Mixing, _chosen, _gains, _judged
from tabseed.utility.problem import Problem

REGRESSION = Problem(
    Schema((Column("x", "continuous"), Column("y", "continuous"))), "y", "regression", ()
)
CLASSES = Problem(
    Schema((Column("x", "continuous"), Column("y", "categorical", "", (0, 1, 2)))),
    "y",
    "classification",
    (0, 1, 2),
)


def of_tables(problem, y, said):
    """What models of D tables say, (K, D, S, h[, C])."""
    return Measured(
        problem=problem,
        models=tuple(f"m{k}" for k in range(len(said))),
        y=y,
        y_aside=[],
        y_train=y,
        on_holdout={SYNTHETIC: said},
        on_aside={},
        response_holdout=np.zeros(0),
        response_aside=[],
        response_known=True,
        sizes={},
    )


# --- several tables -----------------------------------------------------------------------------


def test_predicted_error_of_the_toy():
    # V13: A = .09, B = 1
    found = [float(predicted_error(1.09, 0.59, m)) for m in (1, 2, 5, 10)]
    assert found == pytest.approx([1.09, 0.59, 0.29, 0.19], rel=1e-6)
    assert float(predicted_error(1.09, 0.59, math.inf)) == pytest.approx(0.09, rel=1e-6)


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_measured_error_is_that_of_all_subsets(task):
    rng = np.random.default_rng(0)
    k, d, s, h = 2, 5, 2, 30
    if task == "regression":
        y, said = rng.standard_normal(h), rng.standard_normal((k, d, s, h))
        truth, problem = y, REGRESSION
    else:
        y, said = rng.integers(-1, 3, size=h), rng.dirichlet(np.ones(3), (k, d, s, h))
        truth, problem = (y[:, None] == np.arange(3)).astype(float), CLASSES
    found = error_of_several(of_tables(problem, y, said))
    for m in range(1, d + 1):
        errors = [
            ((said[:, list(c)].mean(axis=1) - truth) ** 2).mean(axis=1)
            for c in combinations(range(d), m)
        ]
        brute = np.mean(errors, axis=0)
        # a class that no model knows costs 1 more: its own share was 0
        brute = (
            brute.mean(axis=-1)
            if task == "regression"
            else brute.sum(axis=-1).mean(axis=-1) + (y < 0).mean()
        )
        assert found.measured[:, m - 1] == pytest.approx(brute, rel=1e-12)
        assert [e.value for e in found.predicted(m)] == pytest.approx(brute, rel=1e-12)
    assert [e.value for e in found.predicted(9)] == pytest.approx(
        predicted_error(found.measured[:, 0], found.measured[:, 1], 9), rel=1e-12
    )
    assert not found.heuristic and found.tables_counted
    json.dumps(found.to_dict(), allow_nan=False)


def test_error_rate_is_that_of_all_subsets_and_fitted():
    rng = np.random.default_rng(1)
    y, said = rng.integers(3, size=40), rng.dirichlet(np.ones(3), (1, 4, 2, 40))
    found = error_of_several(of_tables(CLASSES, y, said), error_rate=True)
    for m in range(1, 5):
        brute = np.mean(
            [
                (said[0, list(c)].mean(axis=0).argmax(axis=-1) != y).mean()
                for c in combinations(range(4), m)
            ]
        )
        assert found.measured[0, m - 1] == pytest.approx(brute, rel=1e-12)
    slope, limit = np.polyfit([1, 1 / 2, 1 / 3, 1 / 4], found.measured[0], 1)
    assert (found.limit[0], found.varying[0]) == pytest.approx((limit, slope), rel=1e-9)
    assert found.heuristic


@pytest.mark.parametrize("tables", [3, 10])
def test_prediction_covers_the_truth_of_the_toy(tables):
    # V13's toy, A = .09 and B = 1, with errors of a common part .3 and N(0, 1) of each row and
    # table; 300 repeats: coverage below .90 of a 95 % interval has a probability of 2e-4
    rng = np.random.default_rng(2)
    inside = 0
    for _ in range(300):
        y = rng.standard_normal(100)
        noise = rng.standard_normal((1, tables, 1, 100))
        estimate = error_of_several(of_tables(REGRESSION, y, y + 0.3 + noise)).predicted(20)[0]
        inside += estimate.low <= 0.14 <= estimate.high
    assert inside / 300 >= 0.90


def test_sets_worth_having():
    y = np.zeros(4)
    # errors of two tables with products of mean .09 and squares of mean 1.09
    a, b = math.sqrt(1.09), 0.09 / math.sqrt(1.09)
    c = math.sqrt(1.09 - b**2)
    said = np.array([[[[a, a]], [[b + c, b - c]]]])  # mean product a b = .09; mean squares 1.09
    found = error_of_several(of_tables(REGRESSION, y[:2], said))
    assert (found.limit[0], found.varying[0]) == pytest.approx((0.09, 1.0), rel=1e-12)
    assert found.worth(0.5) == [23]  # .09 + 1/m <= .135: m >= 22.2
    assert found.worth(1 / 0.9) == [10]
    assert found.gain(2)[0].value == pytest.approx(0.5)
    assert not found.tables_counted
    same = error_of_several(of_tables(REGRESSION, y, np.ones((1, 3, 1, 4))))
    assert same.worth() == [1]


def test_averaging_needs_tables_and_rates_need_classes():
    with pytest.raises(TabseedError, match="2 synthetic tables"):
        error_of_several(of_tables(REGRESSION, np.zeros(3), np.zeros((1, 1, 1, 3))))
    with pytest.raises(TabseedError, match="classes"):
        error_of_several(
            of_tables(REGRESSION, np.zeros(3), np.zeros((1, 2, 1, 3))), error_rate=True
        )


def table(n, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((3, n))
    y = x[0] + 0.5 * x[1] + 0.3 * rng.standard_normal(n)
    return pa.table({"a": x[0], "b": x[1], "c": x[2], "y": y})


def test_independent_sets_are_trained_anew_and_do_not_depend_on_jobs():
    trees = ts.SequentialTrees(n_orders=2, n_trees=1)
    one = ts.independent_sets(trees, table(40, 0), "y", 15, 3, random_state=5, n_jobs=1)
    with parallel_config("threading"):
        two = ts.independent_sets(trees, table(40, 0), "y", 15, 2, random_state=5, n_jobs=2)
    assert len(one) == 3 and all(frame.num_rows == 15 for frame in one)
    assert one[:2] == two
    assert one[0] != one[1]
    with pytest.raises(TabseedError, match="1 table"):
        ts.independent_sets(trees, table(40, 0), "y", 15, 0)


# --- combined estimates -------------------------------------------------------------------------


def test_rules_in_closed_form():
    q, u = np.array([1.0, 2.0, 4.0]), np.array([0.1, 0.2, 0.3])
    b, v = np.var(q, ddof=1), 0.2
    expected = {
        "rrr": (1 + 1 / 3) * b - v,
        "simple": v * (200 / 100) * (1 + 100 / (200 * 3)),
        "proper": v * (200 / 100) * (1 + (100 / 200 + 1) / 3),
        "incomplete": b / 3 + v,
    }
    for rule, variance in expected.items():
        found = ts.combine_estimates(q, u, 100, 200, rule=rule)
        assert float(found.estimate) == pytest.approx(7 / 3)
        assert float(found.variance) == pytest.approx(variance, rel=1e-12)
        assert "Decruyenaere" in found.warning and not found.adjusted
        json.dumps(found.to_dict(), allow_nan=False)
    found = ts.combine_estimates(q, u, 100, 200, rule="rrr")
    assert float(found.degrees) == pytest.approx(2 * (1 - v / (4 / 3 * b)) ** 2)
    doubled = ts.combine_estimates([3.0], [0.4], 50, 50)
    assert float(doubled.variance) == pytest.approx(0.8)
    assert float(doubled.high - doubled.low) == pytest.approx(2 * 1.959964 * math.sqrt(0.8))


def test_a_negative_variance_is_said_and_replaced():
    found = ts.combine_estimates(
        [[1.0, 0.0], [1.0, 9.0]], np.full((2, 2), 0.3), 100, 50, rule="rrr"
    )
    assert found.raw_variance[0] == pytest.approx(-0.3)
    assert found.adjusted.tolist() == [True, False]
    assert found.variance[0] == pytest.approx(0.15)


@pytest.mark.parametrize("rule", ["simple", "proper", "rrr", "incomplete"])
def test_intervals_of_a_normal_mean_cover(rule):
    # 3,000 repeats; 4 standard errors of .95 are .016; false alarm 6e-5 a rule if it is exact
    rng = np.random.default_rng(11)
    n, m, repeats = 100, 10, 3_000
    k = n if rule == "incomplete" else 200
    real = rng.standard_normal((repeats, 1)) / math.sqrt(n)
    # incomplete: the column that is averaged is synthetic in all n rows, drawn as in "proper"
    law = real + (rule != "simple") * rng.standard_normal((repeats, m)) / math.sqrt(n)
    q = law + rng.standard_normal((repeats, m)) / math.sqrt(k)
    v = np.full_like(q, 1 / k)
    found = ts.combine_estimates(q.T, v.T, n, k, rule=rule)
    coverage = ((found.low <= 0) & (found.high >= 0)).mean()
    assert coverage > 0.95 - 0.016
    if rule != "rrr":  # its t interval is conservative for few tables
        assert coverage < 0.95 + 0.016


def test_estimates_that_do_not_fit_are_refused():
    for arguments in (([1.0], [1.0, 2.0]), ([], []), ([math.nan, 1.0], [1.0, 1.0])):
        with pytest.raises(TabseedError):
            ts.combine_estimates(*arguments, 10, 10)
    with pytest.raises(TabseedError, match="2 tables"):
        ts.combine_estimates([1.0], [1.0], 10, 10, rule="rrr")
    with pytest.raises(TabseedError, match="rules are"):
        ts.combine_estimates([1.0], [1.0], 10, 10, rule="best")


# --- mixes --------------------------------------------------------------------------------------


class TrueLaw(BaseEstimator):
    """Draw from the law of :func:`table` itself."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, rows, target=None):
        return self

    def sample(self, n, random_state=None):
        return table(n, random_state)


class Torn(TrueLaw):
    """Draw each column alone, y far from where it belongs."""

    def fit(self, rows, target=None):
        self.columns_ = rows.to_arrow().to_pydict()
        return self

    def sample(self, n, random_state=None):
        rng = np.random.default_rng(random_state)
        drawn = {k: rng.choice(v, n) for k, v in self.columns_.items()}
        return pa.table(drawn | {"y": -3 * drawn["a"]})


QUICK = Mixing(repeats=2)


def test_a_poor_generator_gets_no_weight():
    mix = ts.tune_mix(
        table(60, 1), Torn(), "y", amounts=(0.5, 2), model=LinearRegression(), settings=QUICK
    )
    assert (mix.weight, mix.amount, mix.n_synthetic) == (0, 0, 0)
    assert not mix.surely_better
    assert (mix.gains[1:] < 0).all()
    frame, weights = mix.rows()
    assert frame.equals(table(60, 1)) and (weights == 1).all()
    assert "Leave synthetic rows out" in mix.verdict


def test_the_true_law_gets_weight_and_lowers_the_error():
    mix = ts.tune_mix(
        table(40, 2), TrueLaw(), "y", amounts=(1, 8), model=_tree(), settings=Mixing(repeats=3)
    )
    assert mix.weight > 0 and mix.amount == 8
    assert mix.surely_better and mix.gain.value > 0
    frame, weights = mix.rows(random_state=1)
    assert frame.num_rows == len(weights) == 40 + 320
    assert frame.slice(0, 40).equals(table(40, 2))
    assert (weights[40:] == mix.weight).all()
    assert mix.rows()[0].equals(mix.rows(3)[0]) is False
    json.dumps(mix.to_dict(), allow_nan=False)


def _tree():
    from sklearn.tree import DecisionTreeRegressor

    return DecisionTreeRegressor(min_samples_leaf=3)


def test_same_bytes_for_any_number_of_jobs():
    found = [
        ts.tune_mix(
            table(40, 3),
            ts.SequentialTrees(n_orders=2, n_trees=1),
            "y",
            model=_tree(),
            weights=(0.5,),
            amounts=(1, 2),
            settings=Mixing(folds=3, repeats=1, draws=2, n_jobs=jobs),
            random_state=7,
        )
        for jobs in (1, 2)
    ]
    assert found[0].to_dict() == found[1].to_dict()
    assert [m.rows()[0] for m in found[:1]] == [m.rows()[0] for m in found[1:]]


def test_no_fold_is_seen_by_the_generator_that_judges_it():
    seen = []

    class Spy(TrueLaw):
        def fit(self, rows, target=None):
            seen.append(set(rows.numbers("a")))
            return self

    every = set(table(30, 4)["a"].to_numpy())
    ts.tune_mix(
        table(30, 4),
        Spy(),
        "y",
        weights=(1,),
        amounts=(1,),
        model=LinearRegression(),
        settings=QUICK,
    )
    held = [every - rows for rows in seen[:10]]
    assert all(len(rows) == 6 for rows in held)
    assert set.union(*held[:5]) == every and set.union(*held[5:]) == every


def test_the_judged_gain_is_that_of_choices_made_without_the_rows():
    rng = np.random.default_rng(5)
    fold = np.stack([rng.permutation(np.arange(20) % 4) for _ in range(2)])
    losses = rng.random((2, 20, 3))
    losses[:, :, 2] -= 0.2
    expected = []
    for r in range(2):
        for f in range(4):
            others = []
            for q in range(2):
                for g in range(4):
                    rows = (fold[q] == g) & (fold[r] != f)
                    if rows.any():
                        others.append(losses[q, rows].mean(axis=0))
            gains = np.array([e[0] - e for e in others])
            error = gains.std(axis=0, ddof=1) * math.sqrt(1 / len(gains) + 1 / 3)
            best = int(gains.mean(axis=0).argmax())
            chosen = best if gains[:, best].mean() > error[best] else 0
            mine = losses[r, fold[r] == f].mean(axis=0)
            expected.append(mine[0] - mine[chosen])
    found = _judged(losses, fold, "loss")
    assert found.value == pytest.approx(np.mean(expected), rel=1e-12)
    assert np.ptp(expected) > 0


def test_noise_is_seldom_chosen_and_never_surely_better():
    # the best of 12 mixes that are all worth nothing; at most 1 in 20 "surely" in the long run:
    # more than 9 of 60 has a probability of 1e-3
    rng = np.random.default_rng(6)
    fold = np.stack([rng.permutation(np.arange(60) % 5) for _ in range(3)])
    sure, chosen = 0, 0
    for _ in range(60):
        row = rng.standard_normal((1, 60, 1))
        losses = row + 0.3 * rng.standard_normal((1, 60, 13)) + np.zeros((3, 1, 1))
        chosen += _chosen(_gains(losses, fold, np.ones(60, dtype=bool)), 5) > 0
        sure += _judged(losses, fold, "loss").low > 0
    assert sure <= 9
    assert chosen < 60


def test_what_cannot_be_mixed_is_refused():
    with pytest.raises(TabseedError, match="takes a generator"):
        ts.tune_mix(table(30, 0), table(30, 1), "y")
    with pytest.raises(TooFewRowsError, match="at least 10 rows"):
        ts.tune_mix(table(8, 0), TrueLaw(), "y")
    with pytest.raises(TabseedError, match="above 0"):
        ts.tune_mix(table(30, 0), TrueLaw(), "y", weights=(0,))
    with pytest.raises(TabseedError, match="2 folds"):
        ts.tune_mix(table(30, 0), TrueLaw(), "y", settings=Mixing(folds=1))
    with pytest.raises(TabseedError, match="no weights"):
        ts.tune_mix(table(30, 0), TrueLaw(), "y", model=KNeighborsRegressor(), weights=(0.5,))


def test_a_model_without_weights_can_use_weight_one():
    mix = ts.tune_mix(
        table(30, 0), TrueLaw(), "y", model=KNeighborsRegressor(3), weights=(1,), settings=QUICK
    )
    assert set(mix.weights.tolist()) == {0, 1}


def test_classes_are_mixed_by_the_brier_score():
    rng = np.random.default_rng(8)
    x = rng.standard_normal(60)
    y = np.where(x + 0.5 * rng.standard_normal(60) > 0, "yes", "no")
    frame = pa.table({"x": x, "y": y})
    mix = ts.tune_mix(
        frame, ts.Resample(), "y", model=LogisticRegression(), amounts=(1,), settings=QUICK
    )
    assert mix.loss == "Brier score"
    assert 0 < mix.errors[0] < 0.5  # always naming one half would cost .5
