"""Averages over several synthetic tables, compared with all subsets and known laws."""

from __future__ import annotations

import json
import math
from itertools import combinations

import numpy as np
import pytest
from joblib import parallel_config

import tabseed as ts
from helpers.several_tables import table
from tabseed.errors import TabseedError
from tabseed.metrics.problem import Problem
from tabseed.table.schema import Column, Schema
from tabseed.utility.averaging import error_of_several
from tabseed.utility.measure import SYNTHETIC, Measured

REGRESSION = Problem(
    Schema((Column("x", "continuous"), Column("y", "continuous"))), "y", "regression", ()
)

CLASSES = Problem(
    Schema((Column("x", "continuous"), Column("y", "categorical", "", (0, 1, 2)))),
    "y",
    "classification",
    (0, 1, 2),
)


def of_tables(problem, y, outputs):
    """Return a Measured with the outputs of models of D tables, (K, D, S, h[, C])."""
    return Measured(
        problem=problem,
        models=tuple(f"m{k}" for k in range(len(outputs))),
        y=y,
        y_aside=[],
        y_train=y,
        on_holdout={SYNTHETIC: outputs},
        on_aside={},
        response_holdout=np.zeros(0),
        response_aside=[],
        response_known=True,
        sizes={},
    )


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_measured_error_is_that_of_all_subsets(task):
    rng = np.random.default_rng(0)
    k, d, s, h = 2, 5, 2, 30
    if task == "regression":
        y, outputs = rng.standard_normal(h), rng.standard_normal((k, d, s, h))
        truth, problem = y, REGRESSION
    else:
        y, outputs = rng.integers(-1, 3, size=h), rng.dirichlet(np.ones(3), (k, d, s, h))
        truth, problem = (y[:, None] == np.arange(3)).astype(float), CLASSES
    sets = error_of_several(of_tables(problem, y, outputs))
    for m in range(1, d + 1):
        errors = [
            ((outputs[:, list(c)].mean(axis=1) - truth) ** 2).mean(axis=1)
            for c in combinations(range(d), m)
        ]
        brute = np.mean(errors, axis=0)
        # a class that no model knows costs 1 more, because its own share is 0
        brute = (
            brute.mean(axis=-1)
            if task == "regression"
            else brute.sum(axis=-1).mean(axis=-1) + (y < 0).mean()
        )
        assert sets.measured[:, m - 1] == pytest.approx(brute, rel=1e-12)
        assert [e.value for e in sets.predicted(m)] == pytest.approx(brute, rel=1e-12)
    one, two = sets.measured[:, 0], sets.measured[:, 1]
    expected = one - 2 * (1 - 1 / 9) * (one - two)  # Raisa and Honkela, arXiv 2402.03985
    assert [e.value for e in sets.predicted(9)] == pytest.approx(expected, rel=1e-12)
    assert not sets.heuristic and sets.tables_counted
    json.dumps(sets.to_dict(), allow_nan=False)


def test_error_rate_is_that_of_all_subsets_and_fitted():
    rng = np.random.default_rng(1)
    y, outputs = rng.integers(3, size=40), rng.dirichlet(np.ones(3), (1, 4, 2, 40))
    sets = error_of_several(of_tables(CLASSES, y, outputs), error_rate=True)
    for m in range(1, 5):
        brute = np.mean(
            [
                (outputs[0, list(c)].mean(axis=0).argmax(axis=-1) != y).mean()
                for c in combinations(range(4), m)
            ]
        )
        assert sets.measured[0, m - 1] == pytest.approx(brute, rel=1e-12)
    slope, limit = np.polyfit([1, 1 / 2, 1 / 3, 1 / 4], sets.measured[0], 1)
    assert (sets.limit[0], sets.varying[0]) == pytest.approx((limit, slope), rel=1e-9)
    assert sets.heuristic


@pytest.mark.parametrize("tables", [3, 10])
def test_prediction_covers_the_truth_of_the_toy(tables):
    # toy V13, A = .09 and B = 1: an error has a common part of .3 and N(0, 1) for each row and
    # table; 300 repeats: a 95 % interval covers less than .90 with probability 2e-4
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
    outputs = np.array([[[[a, a]], [[b + c, b - c]]]])  # mean product a b = .09; mean squares 1.09
    sets = error_of_several(of_tables(REGRESSION, y[:2], outputs))
    assert (sets.limit[0], sets.varying[0]) == pytest.approx((0.09, 1.0), rel=1e-12)
    assert sets.worth(0.5) == [23]  # .09 + 1/m <= .135: m >= 22.2
    assert sets.worth(1 / 0.9) == [10]
    assert sets.gain(2)[0].value == pytest.approx(0.5)
    assert not sets.tables_counted
    same = error_of_several(of_tables(REGRESSION, y, np.ones((1, 3, 1, 4))))
    assert same.worth() == [1]


def test_averaging_needs_tables_and_rates_need_classes():
    with pytest.raises(TabseedError, match="2 synthetic tables"):
        error_of_several(of_tables(REGRESSION, np.zeros(3), np.zeros((1, 1, 1, 3))))
    with pytest.raises(TabseedError, match="classes"):
        error_of_several(
            of_tables(REGRESSION, np.zeros(3), np.zeros((1, 2, 1, 3))), error_rate=True
        )


def test_independent_sets_are_trained_anew_and_do_not_depend_on_jobs():
    trees = ts.SequentialTrees(n_orders=2, n_trees=1)
    one = ts.independent_sets(trees, table(40, 0), 15, 3, target="y", random_state=5, n_jobs=1)
    with parallel_config("threading"):
        two = ts.independent_sets(trees, table(40, 0), 15, 2, target="y", random_state=5, n_jobs=2)
    assert len(one) == 3 and all(frame.num_rows == 15 for frame in one)
    assert one[:2] == two
    assert one[0] != one[1]
    with pytest.warns(FutureWarning, match="target=..."):
        assert ts.independent_sets(trees, table(40, 0), "y", 15, 1, random_state=5) == one[:1]
    with pytest.raises(TabseedError, match="m=0 is not a whole number of at least 1"):
        ts.independent_sets(trees, table(40, 0), 15, 0, target="y")
