"""Mixes of real and synthetic rows, compared with known laws."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsRegressor

import tabseed as ts
from helpers.several_tables import table
from tabseed.errors import TabseedError, TooFewRowsError
from tabseed.utility.mix import Mixing, _chosen, _gains, _judged


class TrueLaw(BaseEstimator):
    """Draw from the law of :func:`table` itself."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, rows, target=None):
        return self

    def sample(self, n, random_state=None):
        return table(n, random_state)


class Independent(TrueLaw):
    """Draw each column by itself, and y far from its law."""

    def fit(self, rows, target=None):
        self.columns_ = rows.to_arrow().to_pydict()
        return self

    def sample(self, n, random_state=None):
        rng = np.random.default_rng(random_state)
        columns = {k: rng.choice(v, n) for k, v in self.columns_.items()}
        return pa.table(columns | {"y": -3 * columns["a"]})


QUICK = Mixing(repeats=2)


def test_a_poor_generator_gets_no_weight():
    mix = ts.tune_mix(
        table(60, 1), Independent(), "y", amounts=(0.5, 2), model=LinearRegression(), settings=QUICK
    )
    assert (mix.weight, mix.amount, mix.n_synthetic) == (0, 0, 0)
    assert not mix.surely_better
    assert (mix.gains[1:] < 0).all()
    frame, weights = mix.training_rows()
    assert frame.equals(table(60, 1)) and (weights == 1).all()
    assert "Leave synthetic rows out" in mix.verdict


@pytest.mark.slow
def test_the_true_law_gets_weight_and_lowers_the_error():
    mix = ts.tune_mix(
        table(40, 2), TrueLaw(), "y", amounts=(1, 8), model=_tree(), settings=Mixing(repeats=3)
    )
    assert mix.weight > 0 and mix.amount == 8
    assert mix.surely_better and mix.gain.value > 0
    frame, weights = mix.training_rows(random_state=1)
    assert frame.num_rows == len(weights) == 40 + 320
    assert frame.slice(0, 40).equals(table(40, 2))
    assert (weights[40:] == mix.weight).all()
    assert mix.training_rows()[0].equals(mix.training_rows(3)[0]) is False
    json.dumps(mix.to_dict(), allow_nan=False)


def _tree():
    from sklearn.tree import DecisionTreeRegressor

    return DecisionTreeRegressor(min_samples_leaf=3)


def test_same_bytes_for_any_number_of_jobs():
    mixes = [
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
    assert mixes[0].to_dict() == mixes[1].to_dict()
    assert mixes[0].training_rows()[0] == mixes[1].training_rows()[0]


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
    held_out = [every - rows for rows in seen[:10]]
    assert all(len(rows) == 6 for rows in held_out)
    assert set.union(*held_out[:5]) == every and set.union(*held_out[5:]) == every


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
            choice = best if gains[:, best].mean() > error[best] else 0
            means = losses[r, fold[r] == f].mean(axis=0)
            expected.append(means[0] - means[choice])
    estimate = _judged(losses, fold, "loss")
    assert estimate.value == pytest.approx(np.mean(expected), rel=1e-12)
    assert np.ptp(expected) > 0


def test_noise_is_seldom_chosen_and_never_surely_better():
    # the best of 12 mixes that gain nothing; in the long run at most 1 in 20 is "surely better":
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
    with pytest.raises(TabseedError, match="folds=1 is not a whole number of at least 2"):
        Mixing(folds=1)
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
    assert 0 < mix.errors[0] < 0.5  # a constant share of one half would cost .5
