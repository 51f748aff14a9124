"""The arms: controls have as many rows as the hard ones, duplicates as much weight."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from helpers.augmentation import AUGMENTER, BRIEF, table
from tabseed import (
    Resample,
    SchemaError,
    TargetedAugmenter,
    TooFewRowsError,
)
from tabseed._random import seed_sequence
from tabseed.augment.arms import ARMS, Arms, held_out, with_rounds
from tabseed.augment.rows import Rows


def test_rows_set_aside_keep_the_shares_of_classes_and_leave_some() -> None:
    y = np.repeat(["a", "b", "c"], [100, 20, 5])
    rows = Rows.of(np.arange(125.0)[:, None], y, "classification")
    is_test = held_out(rows, 0.2, seed_sequence(0))
    assert [int(is_test[y == c].sum()) for c in "abc"] == [20, 4, 1]
    assert not np.array_equal(is_test, held_out(rows, 0.2, seed_sequence(1)))
    small = Rows.of(np.arange(6.0)[:, None], np.array(list("aaaabb")), "classification")
    with pytest.raises(TooFewRowsError, match="class 'b' has 2 rows"):
        held_out(small, 0.2, seed_sequence(0))
    assert held_out(small, 0.5, seed_sequence(0))[4:].sum() == 1


def arms_of(augmenter: TargetedAugmenter) -> tuple[Rows, Arms]:
    x, y = table(200)
    rows = Rows.of(x, y, "classification")
    return rows, Arms.on(rows, augmenter, LogisticRegression(), BRIEF.validation, seed_sequence(0))


def test_controls_have_as_many_rows_of_each_class_as_the_hard_ones() -> None:
    rows, arms = arms_of(AUGMENTER)
    indices = {arm: arms._rows_to_learn(arm) for arm in ("hardest", "easiest", "random", "full")}
    counts = {
        arm: np.bincount(rows.y[rows_of_arm]).tolist() for arm, rows_of_arm in indices.items()
    }
    assert counts["hardest"] == counts["easiest"] == counts["random"]
    assert sum(counts["hardest"]) == 40 and len(indices["full"]) == 200
    hardness = arms.hard.hardness
    assert hardness is not None
    for c in (0, 1):
        of_class = [set(rows_of_arm[rows.y[rows_of_arm] == c]) for rows_of_arm in indices.values()]
        order = np.flatnonzero(rows.y == c)[np.argsort(hardness[rows.y == c], kind="stable")]
        assert of_class[1] == set(order[: len(of_class[1])])
    assert not np.array_equal(indices["random"], indices["hardest"])


def test_duplicates_are_the_hard_rows_in_equal_parts_and_weights_as_much() -> None:
    class Recorder(ClassifierMixin, BaseEstimator):
        def fit(self, X, y, sample_weight=None):
            self.inputs_ = X, y, sample_weight
            return self

    x, y = table(200)
    rows = Rows.of(x, y, "classification")
    augmenter = TargetedAugmenter(Resample(), hardest=0.2, amount=2.5)
    arms = Arms.on(rows, augmenter, Recorder(), BRIEF.validation, seed_sequence(0))
    inputs = {arm: next(iter(arms.models(arm, 1))).inputs_ for arm in ARMS}
    assert len(inputs["none"][0]) == len(inputs["weighted"][0]) == 200
    assert {len(inputs[a][0]) for a in ARMS if a not in ("none", "weighted")} == {300}
    repeated, times = np.unique(inputs["duplicated"][0][200:], axis=0, return_counts=True)
    hard = arms.points.transform(rows.features)[arms.hard.indices]
    assert np.array_equal(repeated, np.unique(hard, axis=0))
    assert sorted(times) == [2] * 20 + [3] * 20
    weight = inputs["weighted"][2]
    assert np.array_equal(weight, np.where(np.isin(np.arange(200), arms.hard.indices), 3.5, 1.0))
    assert all(np.array_equal(s[0][:200], inputs["none"][0]) for s in inputs.values())


def test_rounds_are_the_best_on_the_rows_held_out() -> None:
    x, y = table(300)
    model = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.3, random_state=0)
    best = with_rounds(model, (x[:200], y[:200]), (x[200:], y[200:]))
    assert not best.early_stopping
    losses = []
    for rounds in range(1, 16):
        fitted = model.set_params(max_iter=rounds, early_stopping=False).fit(x[:200], y[:200])
        p = fitted.predict_proba(x[200:])[np.arange(100), y[200:]]
        losses.append(-np.log(p).mean())
    assert best.max_iter == 1 + int(np.argmin(losses))


def test_rounds_of_xgboost_are_chosen_too() -> None:
    xgboost = pytest.importorskip("xgboost")
    x, y = table(300)
    model = xgboost.XGBClassifier(n_estimators=80, learning_rate=0.3, n_jobs=1, random_state=0)
    best = with_rounds(model, (x[:200], y[:200]), (x[200:], y[200:]))
    assert best.early_stopping_rounds is None
    full = model.fit(x[:200], y[:200])
    losses = []
    for rounds in range(1, 41):
        p = full.predict_proba(x[200:], iteration_range=(0, rounds))[np.arange(100), y[200:]]
        losses.append(-np.log(p).mean())
    assert best.n_estimators == 1 + int(np.argmin(losses))


def test_rows_too_few_or_alike_are_refused_in_one_line() -> None:
    few = Rows.of(np.arange(3.0)[:, None], np.array([0.0, 1.0, 2.0]), "regression")
    with pytest.raises(TooFewRowsError, match="too few"):
        Arms.on(few, AUGMENTER, LogisticRegression(), 0.1, seed_sequence(0))
    alike = Rows.of(np.arange(30.0)[:, None], np.full(30, 7.0), "regression")
    with pytest.raises(SchemaError, match="has one value only in the training rows"):
        Arms.on(alike, AUGMENTER, LogisticRegression(), 0.2, seed_sequence(0))
