"""The comparison of arms: its honesty, its scores, and what it finds."""

from __future__ import annotations

import json
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from helpers.augmentation import AUGMENTER, BRIEF, table
from tabseed import (
    AUM,
    AugmentationProtocol,
    KNNShapley,
    Resample,
    TabseedError,
    TargetedAugmenter,
    TargetedRegressionAugmenter,
    evaluate_augmentation,
)
from tabseed._random import child, seed_sequence
from tabseed.augment.arms import ARMS, held_out
from tabseed.augment.protocol import SPLIT, _run_split
from tabseed.augment.rows import Rows


def test_the_same_bytes_for_any_number_of_jobs() -> None:
    x, y = table()
    told: list[tuple[int, int]] = []
    found = [
        evaluate_augmentation(
            x, y, AUGMENTER, model=GaussianNB(), protocol=BRIEF, random_state=1, n_jobs=jobs,
            progress=lambda done, total, _: told.append((done, total)),
        )
        for jobs in (1, 2)
    ]  # fmt: skip
    assert found[0].scores.tobytes() == found[1].scores.tobytes()
    assert told == [(1, 3), (2, 3), (3, 3)] * 2
    plain = [f.to_dict() for f in found]
    for document in plain:
        for arm in document["arms"].values():
            assert arm.pop("seconds") >= 0
    assert json.dumps(plain[0]) == json.dumps(plain[1])
    assert plain[0]["n_added"] == plain[0]["n_hard"] == [24, 24, 24]


def test_scores_are_gini_mean_auc_and_r2() -> None:
    x, y = table()
    few = AugmentationProtocol(splits=2, draws=1, arms=())
    three = np.where(x[:, 1] + np.random.default_rng(1).normal(size=150) > 0.5, 2, y)
    gini = evaluate_augmentation(
        x, y, AUGMENTER, model=LogisticRegression(), protocol=few, random_state=0
    )
    auc = evaluate_augmentation(
        x, three, AUGMENTER, model=LogisticRegression(), protocol=few, random_state=0
    )
    made = TargetedRegressionAugmenter(Resample(smoothing=0.3), hardest=0.2)
    r2 = evaluate_augmentation(
        x, x[:, 0] * 2 + 1, made, model=LinearRegression(), protocol=few, random_state=0
    )
    assert (gini.score, auc.score, r2.score) == ("Gini", "AUC", "R2")
    assert r2.mean("none") == pytest.approx(1)
    # the law's own: AUC of a logistic score of x0, by the integral over pairs is 3/4, Gini 1/2
    assert 0.2 < gini.mean("none") < 0.8
    assert 0.5 < auc.mean("none") < 1
    assert gini.arms == ("none", "hardest") and gini.over_controls == ()


class Recording(GaussianNB):
    """Remembers the largest coordinate that it was fitted to, and that it was asked about."""

    fitted: ClassVar[list[float]] = []
    asked: ClassVar[list[float]] = []

    def fit(self, X, y, sample_weight=None):
        self.fitted.append(float(np.abs(X).max()))
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        self.asked.append(float(np.abs(X).min()))
        return super().predict_proba(X)


def test_test_rows_are_used_for_the_score_alone() -> None:
    """They lie far off, so that whatever had seen them would show it."""
    x, y = table(200)
    stream = seed_sequence(5)
    held = held_out(Rows.of(x, y, "classification"), BRIEF.test, child(stream, SPLIT))
    far = Rows.of(np.where(held[:, None], 1e6, x), y, "classification")
    _run_split(far, AUGMENTER, Recording(), BRIEF, stream)
    assert len(Recording.fitted) == len(Recording.asked) == len(ARMS)
    assert max(Recording.fitted) < 10 and min(Recording.asked) > 1e5


class Oracle(Resample):
    """Draws the law of the labels, which no table of few rows holds, whatever it has learned."""

    def sample(self, n, *, conditions=None, random_state=None):
        x = np.random.default_rng(random_state).normal(size=(n, 80))
        columns = {f"x{j}": x[:, j] for j in range(80)}
        return pa.table({**columns, "label": (x.sum(axis=1) > 0).astype(int)})


def test_a_gain_is_found_and_credited_to_what_brings_it() -> None:
    """All arms that draw from this generator gain alike, so that hardness has no part in it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 80))
    y = (x.sum(axis=1) + 2 * rng.normal(size=150) > 0).astype(int)
    arms = ("random", "full", "smote")
    found = evaluate_augmentation(
        x, y, TargetedAugmenter(Oracle(), hardest=0.5, amount=10.0), model=LogisticRegression(),
        protocol=AugmentationProtocol(splits=8, draws=1, arms=arms), random_state=0,
    )  # fmt: skip
    assert found.gaining == ("random", "hardest", "full")
    assert found.verdict.startswith("Rows like the hardest help, Gini +")
    assert found.verdict.endswith("over none, but not reliably more than random and full.")


def test_where_labels_ignore_features_no_gain_is_claimed() -> None:
    """Ten tables. At the 5 % that Holm's rule allows a table, half of it for gains, three or more
    claims have a probability of 0.2 %; benchmarks/augment_null.py has 100 tables a model."""
    claims, protocol = (
        0,
        AugmentationProtocol(splits=5, draws=1, arms=("duplicated", "random", "smote")),
    )
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(80, 3)), rng.permutation(np.arange(80) % 2)
        found = evaluate_augmentation(
            x, y, AUGMENTER, model=DecisionTreeClassifier(max_depth=4), protocol=protocol,
            random_state=seed,
        )  # fmt: skip
        claims += bool(found.gaining)
        assert found.gaining or found.verdict.startswith(("No reliable", "Rows like the hardest m"))
    assert claims <= 2


def test_the_default_model_is_boosting_of_scikit_learn() -> None:
    x, y = table(120)
    few = AugmentationProtocol(splits=2, draws=1, arms=())
    found = evaluate_augmentation(x, y, AUGMENTER, protocol=few, random_state=0)
    same = evaluate_augmentation(
        x, y, AUGMENTER, protocol=few, random_state=0,
        model=HistGradientBoostingClassifier(learning_rate=0.05, max_iter=1_000),
    )  # fmt: skip
    assert found.scores.tobytes() == same.scores.tobytes()
    made = TargetedRegressionAugmenter(Resample(), hardest=0.2)
    numbers = evaluate_augmentation(x, x[:, 0] ** 2, made, protocol=few, random_state=0)
    assert numbers.mean("none") > 0


def test_what_cannot_be_compared_is_refused() -> None:
    x, y = table()
    for changes, message in (
        ({"augmenter": TargetedAugmenter(Resample(), hardest=1.0)}, "no share"),
        ({"model": LinearRegression()}, "predict_proba"),
    ):
        settings = {"augmenter": AUGMENTER, **changes}
        with pytest.raises(TabseedError, match=message):
            evaluate_augmentation(x, y, **settings)
    for settings, message in (
        ({"arms": ("odd",)}, "arms=.*odd.* is not"),
        ({"splits": 1}, "splits=1 is not a whole number, 2 or more"),
        ({"test": 1.0}, "test=1.0 is not a number, above 0 and below 1"),
    ):
        with pytest.raises(TabseedError, match=message):
            AugmentationProtocol(**settings)


def test_other_scorers_serve_too() -> None:
    x, y = table(100)
    for scorer in (AUM(model="trees"), KNNShapley(n_neighbors=3)):
        augmenter = TargetedAugmenter(Resample(), scorer, hardest=0.3)
        few = AugmentationProtocol(splits=2, draws=1, arms=("easiest",))
        found = evaluate_augmentation(
            x, y, augmenter, model=GaussianNB(), protocol=few, random_state=0
        )
        assert found.scores.shape == (2, 3, 1) and len(found.over_controls) == 1
