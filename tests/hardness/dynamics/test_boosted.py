"""Recorded boosted trees: their stages add up to their predictions."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.ensemble import HistGradientBoostingClassifier

import tabseed as ts
from helpers.dynamics import clusters
from tabseed._random import seed_sequence
from tabseed.errors import (
    MissingDependencyError,
    TabseedError,
)
from tabseed.hardness import scorer_class
from tabseed.hardness.dynamics.boosted import ROUNDS, Boosted, SklearnStages
from tabseed.hardness.dynamics.scores import score_all

# --- trees --------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 4])
def test_stages_of_trees_end_in_the_prediction(classes: int) -> None:
    x, y = clusters(classes)
    stage = SklearnStages(x, y, 10, seed=0)
    model = HistGradientBoostingClassifier(**stage.model.get_params()).fit(x, y)
    boosted = Boosted((stage,), 10, np.arange(classes), classes, len(x))
    outputs = boosted.outputs(x)
    assert outputs.shape == (1, 10 // ROUNDS, len(x), classes)
    for epoch, p in enumerate(list(model.staged_predict_proba(x))[ROUNDS - 1 :: ROUNDS]):
        np.testing.assert_allclose(softmax(outputs[0, epoch], axis=-1), p, atol=1e-6)
    # without increments the model predicts the shares of the classes
    margin = np.array([0.0, stage.base[0]]) if classes == 2 else stage.base
    np.testing.assert_allclose(softmax(margin), np.bincount(y) / len(y))


def test_stages_of_a_regression_end_in_the_prediction() -> None:
    x, _ = clusters(2)
    y = x[:, 0] ** 2
    dynamics = ts.TrainingDynamics.record(x, y, model="trees", epochs=2, n_seeds=1, stream=0)
    assert dynamics.origin is not None
    model = dynamics.origin.trained.stages[0].model  # type: ignore[union-attr]
    np.testing.assert_allclose(dynamics.outputs[0, -1, :, 0], model.predict(x), atol=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_stages_of_xgboost_are_its_predictions(classes: int) -> None:
    xgboost = pytest.importorskip("xgboost")
    x, y = clusters(classes, n=80)
    y[:30] = 0  # a base that is not 0
    model = xgboost.XGBClassifier(max_depth=3, learning_rate=0.2)
    dynamics = ts.TrainingDynamics.record(x, y, model=model, epochs=3, n_seeds=1, stream=0)
    assert isinstance(dynamics.origin.trained, Boosted)  # type: ignore[union-attr]
    booster = dynamics.origin.trained.stages[0].booster  # type: ignore[union-attr]
    for epoch in range(3):
        margin = booster.predict(
            xgboost.DMatrix(x), output_margin=True, iteration_range=(0, (epoch + 1) * ROUNDS)
        )
        outputs = dynamics.outputs[0, epoch]
        expected = margin if classes > 2 else np.column_stack([np.zeros(len(x)), margin])
        np.testing.assert_allclose(outputs, expected, atol=1e-5)
    assert model.n_estimators is None  # the caller's model is unchanged


def test_a_class_without_training_rows_has_odds_of_one_in_m_plus_one() -> None:
    x, y = clusters(2, n=30)
    y_far = np.full(30, 2)
    for labels in (y, np.zeros(30, dtype=np.int64)):
        dynamics = ts.TrainingDynamics.record(
            x, y_far, x, labels, model="trees", epochs=1, n_seeds=1, stream=0
        )
        p = softmax(dynamics.outputs.astype(float), axis=-1)
        n_learned = labels.max() + 1
        odds = p[..., 2] / p[..., :n_learned].sum(axis=-1)
        np.testing.assert_allclose(odds, 1 / 31, rtol=1e-5)


def test_leaves_of_one_stump_are_its_sides() -> None:
    """One split: the cosine is the class's share on the row's side over the norm of both shares."""

    class Stump:
        base = np.zeros(1)

        def increments(self, x: np.ndarray):  # type: ignore[no-untyped-def]
            yield np.where(x[:, :1] > 0, 0.3, -0.2)

    x = np.array([[-1.0], [-2.0], [-3.0], [1.0]])
    y = np.array([0, 0, 0, 0])
    boosted = Boosted((Stump(),), 1, np.arange(2), 2, 4)
    norm = np.hypot(0.75, 0.25)
    similarity = boosted.class_similarity(x, y, x, y)[0]
    np.testing.assert_allclose(similarity, np.array([0.75, 0.75, 0.75, 0.25]) / norm)
    p = boosted.thinned(x, 400, seed_sequence(0))
    # a mean of 400 draws of expit(0.375) or 1/2: sd 0.0019, false alarm below 1e-6
    assert p[3, 1] == pytest.approx(0.8 * expit(0.375) + 0.2 * 0.5, abs=0.01)


@pytest.mark.parametrize("name", ["vog", "grand"])
def test_scores_that_need_networks_refuse_trees(name: str) -> None:
    x, y = clusters(2)
    with pytest.raises(TabseedError, match=r"trees.*mlp"):
        scorer_class(name)(model="trees").fit(x, y)
    dynamics = ts.TrainingDynamics.record(x, y, model="trees", epochs=1, n_seeds=1, stream=0)
    with pytest.raises(TabseedError, match="mlp"):
        scorer_class(name)().from_dynamics(dynamics, y)  # type: ignore[attr-defined]
    assert name not in score_all(dynamics, y)


# --- every scorer -------------------------------------------------------------------------------


def test_without_xgboost_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    x, y = clusters(2)
    with pytest.raises(MissingDependencyError, match=r"pip install xgboost.*trees"):
        ts.TrainingDynamics.record(x, y, model="xgboost")
