"""The comparison of arms: its honesty, its scores, and its verdicts."""

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
    calls: list[tuple[int, int]] = []
    evaluations = [
        evaluate_augmentation(
            x, y, AUGMENTER, model=GaussianNB(), protocol=BRIEF, random_state=1, n_jobs=jobs,
            progress=lambda done, total, _: calls.append((done, total)),
        )
        for jobs in (1, 2)
    ]  # fmt: skip
    assert evaluations[0].scores.tobytes() == evaluations[1].scores.tobytes()
    assert calls == [(1, 3), (2, 3), (3, 3)] * 2
    plain = [f.to_dict() for f in evaluations]
    for document in plain:
        for arm in document["arms"].values():
            assert arm.pop("seconds") >= 0
    assert json.dumps(plain[0]) == json.dumps(plain[1])
    assert plain[0]["n_added"] == plain[0]["n_hard"] == [24, 24, 24]


def test_scores_are_gini_mean_auc_and_r2() -> None:
    x, y = table()
    brief = AugmentationProtocol(splits=2, draws=1, arms=())
    three = np.where(x[:, 1] + np.random.default_rng(1).normal(size=150) > 0.5, 2, y)
    gini = evaluate_augmentation(
        x, y, AUGMENTER, model=LogisticRegression(), protocol=brief, random_state=0
    )
    auc = evaluate_augmentation(
        x, three, AUGMENTER, model=LogisticRegression(), protocol=brief, random_state=0
    )
    augmenter = TargetedRegressionAugmenter(Resample(smoothing=0.3), hardest=0.2)
    r2 = evaluate_augmentation(
        x, x[:, 0] * 2 + 1, augmenter, model=LinearRegression(), protocol=brief, random_state=0
    )
    assert (gini.score, auc.score, r2.score) == ("Gini", "AUC", "R2")
    assert r2.mean("none") == pytest.approx(1)
    # under the true law, the AUC of x0 is 3/4 by an integral over pairs, and Gini is 1/2
    assert 0.2 < gini.mean("none") < 0.8
    assert 0.5 < auc.mean("none") < 1
    assert gini.arms == ("none", "hardest") and gini.over_controls == ()


class Recording(GaussianNB):
    """Records the largest coordinate of rows to fit, and the smallest of rows to predict."""

    fitted: ClassVar[list[float]] = []
    predicted: ClassVar[list[float]] = []

    def fit(self, X, y, sample_weight=None):
        self.fitted.append(float(np.abs(X).max()))
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        self.predicted.append(float(np.abs(X).min()))
        return super().predict_proba(X)


def test_test_rows_are_used_for_the_score_alone() -> None:
    """Test rows lie far away, so any model that had seen them would show it."""
    x, y = table(200)
    stream = seed_sequence(5)
    is_test = held_out(Rows.of(x, y, "classification"), BRIEF.test, child(stream, SPLIT))
    far = Rows.of(np.where(is_test[:, None], 1e6, x), y, "classification")
    _run_split(far, AUGMENTER, Recording(), BRIEF, stream)
    assert len(Recording.fitted) == len(Recording.predicted) == len(ARMS)
    assert max(Recording.fitted) < 10 and min(Recording.predicted) > 1e5


class Oracle(Resample):
    """Draws from the true law of the labels, whatever rows it was fitted to."""

    def sample(self, n, *, conditions=None, random_state=None):
        x = np.random.default_rng(random_state).normal(size=(n, 80))
        columns = {f"x{j}": x[:, j] for j in range(80)}
        return pa.table({**columns, "label": (x.sum(axis=1) > 0).astype(int)})


@pytest.mark.slow
def test_a_gain_is_found_and_credited_to_what_brings_it() -> None:
    """All arms that draw from this generator gain equally, so hardness plays no part."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 80))
    y = (x.sum(axis=1) + 2 * rng.normal(size=150) > 0).astype(int)
    arms = ("random", "full", "smote")
    evaluation = evaluate_augmentation(
        x, y, TargetedAugmenter(Oracle(), hardest=0.5, amount=10.0), model=LogisticRegression(),
        protocol=AugmentationProtocol(splits=8, draws=1, arms=arms), random_state=0,
    )  # fmt: skip
    assert evaluation.gaining == ("random", "hardest", "full")
    assert evaluation.verdict.startswith("Rows like the hardest help, Gini +")
    assert evaluation.verdict.endswith("over none, but not reliably more than random and full.")


@pytest.mark.slow
def test_where_labels_ignore_features_no_gain_is_claimed() -> None:
    """Ten tables. Holm's rule allows each a false claim with probability 5 %, half of it for gains,
    so three or more have a probability of 0.2 %; benchmarks/augment_null.py has 100 tables a model.
    """
    claims, protocol = (
        0,
        AugmentationProtocol(splits=5, draws=1, arms=("duplicated", "random", "smote")),
    )
    for seed in range(10):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(80, 3)), rng.permutation(np.arange(80) % 2)
        evaluation = evaluate_augmentation(
            x, y, AUGMENTER, model=DecisionTreeClassifier(max_depth=4), protocol=protocol,
            random_state=seed,
        )  # fmt: skip
        claims += bool(evaluation.gaining)
        assert evaluation.gaining or evaluation.verdict.startswith(
            ("No reliable", "Rows like the hardest m")
        )
    assert claims <= 2


def test_the_default_model_is_boosting_of_scikit_learn() -> None:
    x, y = table(120)
    brief = AugmentationProtocol(splits=2, draws=1, arms=())
    evaluation = evaluate_augmentation(x, y, AUGMENTER, protocol=brief, random_state=0)
    same = evaluate_augmentation(
        x, y, AUGMENTER, protocol=brief, random_state=0,
        model=HistGradientBoostingClassifier(learning_rate=0.05, max_iter=1_000),
    )  # fmt: skip
    assert evaluation.scores.tobytes() == same.scores.tobytes()
    augmenter = TargetedRegressionAugmenter(Resample(), hardest=0.2)
    numbers = evaluate_augmentation(x, x[:, 0] ** 2, augmenter, protocol=brief, random_state=0)
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
        ({"splits": 1}, "splits=1 is not a whole number of at least 2"),
        ({"test": 1.0}, "test=1.0 is not a number above 0 and below 1"),
    ):
        with pytest.raises(TabseedError, match=message):
            AugmentationProtocol(**settings)


def test_other_scorers_work_too() -> None:
    x, y = table(100)
    for scorer in (AUM(model="trees"), KNNShapley(n_neighbors=3)):
        augmenter = TargetedAugmenter(Resample(), scorer, hardest=0.3)
        brief = AugmentationProtocol(splits=2, draws=1, arms=("easiest",))
        evaluation = evaluate_augmentation(
            x, y, augmenter, model=GaussianNB(), protocol=brief, random_state=0
        )
        assert evaluation.scores.shape == (2, 3, 1) and len(evaluation.over_controls) == 1


def test_scores_without_any_spread_claim_no_power() -> None:
    """Thirty rows are too few for boosting to split: every arm scores the same in every split."""
    x = pa.table({"x": np.random.default_rng(0).normal(size=30)})
    y = np.array(["a", "b"] * 15)
    evaluation = evaluate_augmentation(x, y, AUGMENTER, protocol=AugmentationProtocol(splits=2))
    assert np.ptp(evaluation.scores) == 0
    assert "with a power of 80 %" not in evaluation.verdict
    assert "Every split gave the same difference" in evaluation.verdict
