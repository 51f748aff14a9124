"""Scores of hardness from training: by hand on small records, and what all scorers must satisfy."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

import tabseed as ts
from helpers.dynamics import by_hand, clusters
from tabseed.errors import (
    SchemaError,
    TabseedError,
    TooFewRowsError,
)
from tabseed.hardness import SCORERS, scorer_class
from tabseed.hardness.dynamics.scores import DynamicsScorer, detect, score_all, within_class

NAMES = [name for name, (module, _) in SCORERS.items() if module.endswith("dynamics.scores")]

OF_OUTPUTS = (
    ts.AUM, ts.SampleLoss, ts.Forgetting, ts.CleanLab, ts.EL2N, ts.DataIQ, ts.DataMaps,
)  # fmt: skip


# --- scores worked out by hand ------------------------------------------------------------------


def test_scores_of_three_rows_by_hand() -> None:
    # all rows are of class 1; row 0 is easy, row 1 wavers, row 2 is surely taken for class 0
    dynamics = by_hand([[0.9, 0.8, 0.1], [0.9, 0.2, 0.2], [0.9, 0.8, 0.1], [0.9, 0.4, 0.2]])
    y = np.array([1, 1, 1])
    p = np.array([[0.9] * 4, [0.8, 0.2, 0.8, 0.4], [0.1, 0.2, 0.1, 0.2]])
    log_odds = np.log(p / (1 - p)).mean(axis=1)

    def of(scorer: DynamicsScorer) -> np.ndarray:
        return scorer.from_dynamics(dynamics, y)

    np.testing.assert_allclose(of(ts.AUM()), -log_odds, atol=1e-6)
    np.testing.assert_allclose(of(ts.SampleLoss()), -np.log(p).mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(of(ts.CleanLab()), [0.1, 0.6, 0.8], atol=1e-6)
    np.testing.assert_allclose(of(ts.DataMaps()), 1 - p.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(of(ts.DataIQ()), ((1 - p) ** 2).mean(axis=1), atol=1e-6)
    # row 1 is forgotten from epoch 1 to 2 and from 3 to 4; row 2 is never learned: E = 4
    np.testing.assert_array_equal(of(ts.Forgetting()), [0, 2, 4])
    np.testing.assert_allclose(of(ts.EL2N(epoch=2)), np.sqrt(2) * (1 - p[:, 1]), atol=1e-6)
    np.testing.assert_allclose(of(ts.EL2N()), np.sqrt(2) * (1 - p[:, 0]), atol=1e-6)
    np.testing.assert_allclose(
        ts.DataMaps().coordinates(dynamics, y), [p.mean(axis=1), p.std(axis=1)], atol=1e-6
    )


def test_margin_and_error_of_three_classes_by_hand() -> None:
    outputs = np.array([[[[2.0, 1.0, -1.0]], [[0.0, 3.0, 1.0]]]], dtype=np.float32)  # E = 2, n = 1
    dynamics = ts.TrainingDynamics(outputs)
    assert ts.AUM().from_dynamics(dynamics, np.array([0])) == pytest.approx([-(1 - 3) / 2])
    p = softmax([2.0, 1.0, -1.0])
    norm = np.sqrt(p[0] ** 2 + (p[1] - 1) ** 2 + p[2] ** 2)
    assert ts.EL2N().from_dynamics(dynamics, np.array([1])) == pytest.approx([norm])


def test_regression_scores_by_hand() -> None:
    outputs = np.array([0.5, -1.0, 0.0, 1.0], dtype=np.float32).reshape(1, 2, 2, 1)
    dynamics = ts.TrainingDynamics(outputs, centre=10.0, spread=2.0)
    y = np.array([12.0, 10.0])  # 1 and 0 when standardised
    np.testing.assert_allclose(ts.SampleLoss().from_dynamics(dynamics, y), [0.625, 1.0])
    np.testing.assert_allclose(ts.EL2N(epoch=2).from_dynamics(dynamics, y), [1.0, 1.0])


def test_data_iq_tells_apart_what_data_maps_does_not() -> None:
    # equal confidence; row 0 stays at 1/2, row 1 is sure of each class half of the time
    dynamics = by_hand([[0.5, 0.01], [0.5, 0.99]])
    y = np.array([1, 1])
    even = ts.DataMaps().from_dynamics(dynamics, y)
    assert even[0] == pytest.approx(even[1])
    np.testing.assert_allclose(ts.DataIQ().from_dynamics(dynamics, y), [0.25, 0.4901], atol=1e-6)
    # rows of different confidence can have opposite orders
    dynamics = by_hand([[0.45, 0.01], [0.45, 0.97]])
    iq, maps = (s.from_dynamics(dynamics, y) for s in (ts.DataIQ(), ts.DataMaps()))
    assert maps[0] > maps[1]
    assert iq[0] < iq[1]


def test_two_classes_have_one_order() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 200)
    dynamics = ts.TrainingDynamics(rng.normal(size=(3, 8, 200, 2)).astype(np.float32))
    p = softmax(dynamics.outputs[:, -1].astype(float), axis=-1)[..., 1].mean(axis=0)
    expected = np.argsort(np.where(y == 1, 1 - p, p))
    # the norm of (p - y, y - p) is the square root of 2 times |p - y|
    np.testing.assert_array_equal(np.argsort(ts.EL2N(epoch=8).from_dynamics(dynamics, y)), expected)
    np.testing.assert_array_equal(np.argsort(ts.CleanLab().from_dynamics(dynamics, y)), expected)


@pytest.mark.parametrize("kind", OF_OUTPUTS)
def test_permuted_rows_have_permuted_scores(kind: type[DynamicsScorer]) -> None:
    rng = np.random.default_rng(2)
    outputs = rng.normal(size=(2, 5, 40, 3)).astype(np.float32)
    y, order = rng.integers(0, 3, 40), rng.permutation(40)
    score = kind().from_dynamics(ts.TrainingDynamics(outputs), y)
    moved = kind().from_dynamics(ts.TrainingDynamics(outputs[:, :, order]), y[order])
    np.testing.assert_array_equal(moved, score[order])
    assert len(np.unique(score)) > 5


def test_z_scores_within_classes() -> None:
    z = within_class(np.array([1.0, 3.0, 5.0, 7.0, 7.0]), np.array([0, 0, 0, 2, 2]))
    np.testing.assert_allclose(z, [-np.sqrt(1.5), 0, np.sqrt(1.5), 0, 0])


def test_the_detector_judges_no_row_by_itself() -> None:
    rng = np.random.default_rng(3)
    changed, fold = np.arange(30) % 3 == 0, np.arange(30) % 5
    known, judged = rng.random((2, 4, 30)), rng.random((2, 4, 30))
    result = detect(known, changed, judged, fold)
    model = LogisticRegression(max_iter=1000)
    model.fit(
        np.vstack([known[0][:, fold != 2].T, known[1][:, fold != 2].T]),
        np.tile(changed[fold != 2], 2),
    )
    expected = [
        model.predict_proba(judged[:, :, i])[:, 1].mean() for i in np.flatnonzero(fold == 2)
    ]
    np.testing.assert_allclose(result[fold == 2], expected)
    other = known.copy()
    other[:, :, fold == 2] = rng.random((2, 4, 6))
    moved = detect(other, changed, judged, fold)
    np.testing.assert_array_equal(moved[fold == 2], result[fold == 2])
    assert (moved[fold != 2] != result[fold != 2]).all()


# --- every scorer -------------------------------------------------------------------------------

LABEL_BLIND = {"agreement", "vog"}  # these need not rank a wrong label first


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("model", ["mlp", "trees"])
def test_a_flipped_label_in_a_clean_cluster_ranks_first(classes: int, model: str) -> None:
    x, y = clusters(classes, n=120)
    dynamics = ts.TrainingDynamics.record(x, y, model=model, stream=0)
    scores = score_all(dynamics, y)
    assert set(scores) == set(NAMES) - (set() if model == "mlp" else {"vog", "grand"})
    for name, hardness in scores.items():
        assert hardness.shape == (120,)
        assert np.isfinite(hardness).all(), name
        if name not in LABEL_BLIND:
            assert hardness.argmax() == 0, name


def test_agreement_is_low_between_the_clusters() -> None:
    x, y = clusters(2, n=120)
    y[0] = 0
    x[5] = 0.0  # halfway
    hardness = ts.Agreement(random_state=0).fit_score(x, y)
    assert hardness.argmax() == 5


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_bytes(name: str) -> None:
    x, y = clusters(3, n=45)
    y[::4] = (y[::4] + 1) % 3  # otherwise all rows are learned at once and none is forgotten
    kind = scorer_class(name)
    settings = {"epochs": 4, "n_seeds": 2}
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = kind(**settings, random_state=1).fit_score(x, y)  # type: ignore[call-arg]
    again = kind(**settings, random_state=1).fit_score(x, y)  # type: ignore[call-arg]
    other = kind(**settings, random_state=2).fit_score(x, y)  # type: ignore[call-arg]
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize("n", [2, 5, 20])
@pytest.mark.parametrize("model", ["mlp", "trees"])
def test_few_rows(n: int, model: str) -> None:
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, 3)), np.arange(n) % 2
    dynamics = ts.TrainingDynamics.record(x, y, model=model, epochs=2, n_seeds=1, stream=0)
    for name in NAMES:
        scorer = scorer_class(name)()
        if name == "detector" and n < 10:
            with pytest.raises(TooFewRowsError, match="10 rows"):
                scorer.from_dynamics(dynamics, y)  # type: ignore[attr-defined]
        elif model == "mlp" or not scorer.needs_network:  # type: ignore[attr-defined]
            hardness = scorer.from_dynamics(dynamics, y)  # type: ignore[attr-defined]
            assert hardness.shape == (n,)
            assert np.isfinite(hardness).all(), name


@pytest.mark.parametrize("model", ["mlp", "trees"])
@pytest.mark.parametrize("shape", ["one class", "seven", "wide", "constant", "no column"])
def test_odd_tables(shape: str, model: str) -> None:
    rng = np.random.default_rng(6)
    width = {"wide": 100, "no column": 0}.get(shape, 3)
    x, y = rng.normal(size=(28, width)), np.arange(28) % 7
    if shape == "one class":
        y = np.zeros(28, dtype=np.int64)
    if shape == "constant":
        x[:, 1:] = 0.0
    dynamics = ts.TrainingDynamics.record(x, y, model=model, epochs=2, n_seeds=1, stream=0)
    scores = score_all(dynamics, y)
    assert len(scores) == (12 if model == "mlp" else 10)
    assert all(np.isfinite(hardness).all() for hardness in scores.values())
    if shape == "one class":
        for name in set(scores) - {"prototypicality", "agreement"}:
            assert (scores[name] == 0).all(), name


@pytest.mark.parametrize("name", NAMES)
def test_one_class_is_refused_not_scored_zero(name: str) -> None:
    x = np.random.default_rng(0).normal(size=(12, 2))
    with pytest.raises(SchemaError, match=r"^all labels are 'a'"):
        scorer_class(name)().fit_score(x, np.array(["a"] * 12))


def test_cross_fitting_scores_rows_by_others_and_maps_them_in_place() -> None:
    x, y = clusters(2, n=60)
    iq = ts.DataIQ(random_state=0).fit(x, y, folds=3)
    np.testing.assert_allclose(iq.scores_, 1 - iq.confidence_ - iq.aleatoric_)
    assert iq.scores_.argmax() == 0
    maps = ts.DataMaps(epochs=3, n_seeds=1, random_state=0).fit(x, y)
    np.testing.assert_allclose(maps.scores_, 1 - maps.confidence_)
    assert (maps.variability_ >= 0).all()
    # the label of a row does not matter to the model that scores it
    clean = y.copy()
    clean[0] = 1 - y[0]
    p = [
        1 - ts.CleanLab(epochs=3, n_seeds=1, random_state=0).fit_score(
            x[:30], labels[:30], reference=(x[30:], labels[30:])
        )
        for labels in (y, clean)
    ]  # fmt: skip
    assert p[0][0] + p[1][0] == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(p[0][1:], p[1][1:])


def test_groups_of_data_iq() -> None:
    iq = ts.DataIQ()
    iq.coordinates_ = np.array([[0.9, 0.1, 0.5, 0.8, 0.25], [0.05, 0.05, 0.05, 0.22, 0.1]])
    assert iq.groups_.tolist() == ["easy", "hard", "ambiguous", "ambiguous", "hard"]


@pytest.mark.parametrize("model", ["mlp", "trees"])
@pytest.mark.parametrize("name", ["el2n", "grand", "sample-loss"])
def test_regression_finds_the_wrong_target(name: str, model: str) -> None:
    if name == "grand" and model == "trees":
        return
    rng = np.random.default_rng(8)
    x = rng.normal(size=(150, 2))
    y = x @ [3.0, 1.0] + 100.0
    y[4] += 15.0
    hardness = scorer_class(name)(model=model, random_state=0).fit_score(x, y)  # type: ignore[call-arg]
    assert hardness.argmax() == 4
    with pytest.raises(TabseedError, match="regression"):
        ts.AUM().fit(x, y)


@pytest.mark.slow
def test_hardness_needs_no_torch() -> None:
    code = (
        "import sys, numpy as np, tabseed as ts\n"
        "ts.AUM(epochs=1).fit(np.eye(6), [0, 1] * 3)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
