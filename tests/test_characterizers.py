"""Hardness from training: closed forms on hand-made records, networks and trees against truths."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from scipy.special import expit, log_softmax, softmax
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

import tabseed as ts
from tabseed._random import child, seed_sequence
from tabseed.errors import (
    MissingDependencyError,
    NothingLearnedError,
    SchemaError,
    TabseedError,
    TooFewRowsError,
)
from tabseed.hardness import SCORERS, scorer_class
from tabseed.hardness.dynamics.boosted import ROUNDS, Boosted, SklearnStages
from tabseed.hardness.dynamics.mlp import (
    INITIAL,
    MLP,
    Networks,
    backward,
    first_weights,
    forward,
    layers_of,
    output_slopes,
    train,
)
from tabseed.hardness.dynamics.scores import DynamicsScorer, detect, score_all, within_class

NAMES = [name for name, (module, _) in SCORERS.items() if module.endswith("characterizers")]
OF_OUTPUTS = (
    ts.AUM, ts.SampleLoss, ts.Forgetting, ts.CleanLab, ts.EL2N, ts.DataIQ, ts.DataMaps,
)  # fmt: skip


def by_hand(p: list[list[float]]) -> ts.TrainingDynamics:
    """Two classes, one seed: p[e][i] is the probability of class 1, the logits (0, log-odds)."""
    odds = np.log(np.array(p) / (1 - np.array(p)))
    outputs = np.stack([np.zeros_like(odds), odds], axis=-1)[None]
    return ts.TrainingDynamics(outputs.astype(np.float32))


def clusters(
    classes: int, n: int = 60, seed: int = 0, width: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Draw n rows of well-apart clusters; the first row has the label of another class."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    angle = 2 * np.pi * y / classes
    x = 0.25 * rng.normal(size=(n, width))
    x[:, :2] += 2 * np.column_stack([np.cos(angle), np.sin(angle)])
    y[0] = (y[0] + 1) % classes
    return x, y


# --- scores worked out by hand ------------------------------------------------------------------


def test_scores_of_three_rows_by_hand() -> None:
    # class 1 all; row 0 easy, row 1 wavers, row 2 is taken for class 0 for sure
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
    # equal confidence; row 0 always at 1/2, row 1 sure of either half of the time
    dynamics = by_hand([[0.5, 0.01], [0.5, 0.99]])
    y = np.array([1, 1])
    even = ts.DataMaps().from_dynamics(dynamics, y)
    assert even[0] == pytest.approx(even[1])
    np.testing.assert_allclose(ts.DataIQ().from_dynamics(dynamics, y), [0.25, 0.4901], atol=1e-6)
    # and they rank rows of unlike confidence the other way round
    dynamics = by_hand([[0.45, 0.01], [0.45, 0.97]])
    iq, maps = (s.from_dynamics(dynamics, y) for s in (ts.DataIQ(), ts.DataMaps()))
    assert maps[0] > maps[1]
    assert iq[0] < iq[1]


def test_two_classes_have_one_order() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 200)
    dynamics = ts.TrainingDynamics(rng.normal(size=(3, 8, 200, 2)).astype(np.float32))
    p = softmax(dynamics.outputs[:, -1].astype(float), axis=-1)[..., 1].mean(axis=0)
    want = np.argsort(np.where(y == 1, 1 - p, p))
    # the norm of (p - y, y - p) is the square root of 2 times |p - y|
    np.testing.assert_array_equal(np.argsort(ts.EL2N(epoch=8).from_dynamics(dynamics, y)), want)
    np.testing.assert_array_equal(np.argsort(ts.CleanLab().from_dynamics(dynamics, y)), want)


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
    taught, judged = rng.random((2, 4, 30)), rng.random((2, 4, 30))
    found = detect(taught, changed, judged, fold)
    model = LogisticRegression(max_iter=1000)
    model.fit(
        np.vstack([taught[0][:, fold != 2].T, taught[1][:, fold != 2].T]),
        np.tile(changed[fold != 2], 2),
    )
    want = [model.predict_proba(judged[:, :, i])[:, 1].mean() for i in np.flatnonzero(fold == 2)]
    np.testing.assert_allclose(found[fold == 2], want)
    other = taught.copy()
    other[:, :, fold == 2] = rng.random((2, 4, 6))
    moved = detect(other, changed, judged, fold)
    np.testing.assert_array_equal(moved[fold == 2], found[fold == 2])
    assert (moved[fold != 2] != found[fold != 2]).all()


# --- networks -----------------------------------------------------------------------------------


def small_networks(
    labels: np.ndarray, outputs: int, dropout: float = 0.1
) -> tuple[Networks, np.ndarray]:
    x = np.random.default_rng(4).normal(size=(len(labels), 4))
    streams = [child(seed_sequence(0), s) for s in range(2)]
    how = MLP(hidden=(7, 5), dropout=dropout)
    return train(how, x, labels, outputs, 3, streams), x


def test_gradients_agree_with_autograd() -> None:
    torch = pytest.importorskip("torch")
    y = np.arange(6) % 3
    networks, x = small_networks(y, 3)
    outputs = networks.outputs(x)
    norms = networks.gradient_norms(x, output_slopes(outputs[:, 1], y), 1)
    onehot = (y[:, None] == np.arange(3)).astype(float)
    spread = networks.gradient_spread(x, onehot)
    for seed in range(2):
        per_epoch = []
        for epoch in range(3):
            layers = layers_of(networks.weights[epoch, seed].astype(np.float64), networks.widths)
            leaves = [
                torch.tensor(part.copy(), requires_grad=True) for layer in layers for part in layer
            ]
            gradients = []
            for i in range(len(x)):
                row = torch.tensor(x[i : i + 1], requires_grad=True)
                a = row
                for at in range(0, 6, 2):
                    a = a @ leaves[at] + leaves[at + 1]
                    a = torch.relu(a) if at < 4 else a
                np.testing.assert_allclose(
                    a.detach().numpy()[0], outputs[seed, epoch, i], atol=1e-5
                )
                gradients.append(torch.autograd.grad(a[0, y[i]], row, retain_graph=True)[0][0])
                if epoch == 1:
                    loss = torch.nn.functional.cross_entropy(a, torch.tensor(y[i : i + 1]))
                    found = torch.autograd.grad(loss, leaves)
                    square = sum(float((g**2).sum()) for g in found)
                    assert norms[seed, i] == pytest.approx(np.sqrt(square), rel=1e-4)
            per_epoch.append(torch.stack(gradients).numpy())
        want = np.std(per_epoch, axis=0).mean(axis=-1)
        np.testing.assert_allclose(spread[seed], want, rtol=1e-3, atol=1e-6)


def test_backward_with_dropout_is_the_slope_of_forward() -> None:
    rng = np.random.default_rng(5)
    widths = (3, 6, 4, 2)
    flat = rng.normal(size=3 * 6 + 6 + 6 * 4 + 4 + 4 * 2 + 2)
    x, slopes = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    masks = [(rng.random((5, h)) < 0.7) / 0.7 for h in widths[1:-1]]

    def value(weights: np.ndarray) -> float:
        return float((forward(layers_of(weights, widths), x, masks)[-1] * slopes).sum())

    layers = layers_of(flat, widths)
    activations = forward(layers, x, masks)
    deltas = backward(layers, activations, slopes, dropout=0.3)
    found = np.concatenate(
        [
            np.concatenate([(a.T @ d).ravel(), d.sum(axis=0)])
            for a, d in zip(activations, deltas, strict=False)
        ]
    )
    step = 1e-6 * np.eye(len(flat))
    want = [(value(flat + s) - value(flat - s)) / 2e-6 for s in step]
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("task", ["classes", "regression"])
def test_seeds_together_are_seeds_alone(task: str) -> None:
    x, y = clusters(3)
    labels = y if task == "classes" else x[:, 0] - x[:, 2]
    streams = [child(seed_sequence(7), s) for s in range(3)]
    outputs = 3 if task == "classes" else 1
    both = train(MLP(), x, labels, outputs, 4, streams).outputs(x)
    for seed, stream in enumerate(streams):
        alone = train(MLP(), x, labels, outputs, 4, [stream]).outputs(x)
        np.testing.assert_allclose(both[seed], alone[0], atol=1e-5)
    assert np.abs(both[0] - both[1]).max() > 0.01


def test_steps_are_adam_of_the_mean_loss() -> None:
    """Two epochs, each of ten passes of one batch, without dropout: by autograd and Adam's sums."""
    torch = pytest.importorskip("torch")
    x, y = clusters(2, n=8)
    how = MLP(hidden=(5,), dropout=0.0, learning_rate=0.01, batch_size=8)
    stream = child(seed_sequence(1), 0)
    history = train(how, x, y, 2, 2, [stream]).weights[:, 0]
    weights = first_weights((3, 5, 2), child(stream, INITIAL)).astype(np.float64)
    past: list[np.ndarray] = []
    for t in range(1, 21):
        tensor = torch.tensor(weights, requires_grad=True)
        w1, b1, w2, b2 = tensor[:15], tensor[15:20], tensor[20:30], tensor[30:]
        hidden = torch.relu(torch.tensor(x) @ w1.reshape(3, 5) + b1)
        loss = torch.nn.functional.cross_entropy(hidden @ w2.reshape(5, 2) + b2, torch.tensor(y))
        past.append(torch.autograd.grad(loss, tensor)[0].numpy())
        back = np.arange(t)[::-1, None]
        mean = 0.1 * (0.9**back * past).sum(axis=0) / (1 - 0.9**t)
        square = 0.001 * (0.999**back * np.square(past)).sum(axis=0) / (1 - 0.999**t)
        weights = weights - 0.01 * mean / (np.sqrt(square) + 1e-8)
        if t % 10 == 0:
            np.testing.assert_allclose(history[t // 10 - 1], weights, atol=1e-5)


def test_similarity_to_the_class_is_the_cosine() -> None:
    y = np.arange(8) % 2
    networks, x = small_networks(y, 3)
    found = networks.class_similarity(x, np.full(8, 1), x, y)
    layers = [
        [part[0].astype(float) for part in layer]
        for layer in layers_of(networks.weights[-1][:1], networks.widths)
    ]
    h = np.maximum(x @ layers[0][0] + layers[0][1], 0)
    h = np.maximum(h @ layers[1][0] + layers[1][1], 0)
    mean = h[y == 1].mean(axis=0)
    want = h @ mean / np.maximum(np.linalg.norm(h, axis=1) * np.linalg.norm(mean), 1e-300)
    np.testing.assert_allclose(found[0], want, atol=1e-5)
    assert (networks.class_similarity(x, np.full(8, 2), x, y) == 0).all()  # no row is of class 2


def test_passes_with_dropout_average_to_the_softmax_without_it() -> None:
    y = np.arange(12) % 2
    networks, x = small_networks(y, 2, dropout=0.0)
    p = softmax(networks.outputs(x)[:, -1], axis=-1).mean(axis=0)
    np.testing.assert_allclose(networks.thinned(x, 3, seed_sequence(0)), p, atol=1e-6)
    noisy = Networks(networks.weights, networks.widths, 0.5).thinned(x, 3, seed_sequence(0))
    assert np.abs(noisy - p).max() > 1e-3


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
    # without its increments the model is the shares of the classes
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
    given = xgboost.XGBClassifier(max_depth=3, learning_rate=0.2)
    dynamics = ts.TrainingDynamics.record(x, y, model=given, epochs=3, n_seeds=1, stream=0)
    assert isinstance(dynamics.origin.trained, Boosted)  # type: ignore[union-attr]
    booster = dynamics.origin.trained.stages[0].booster  # type: ignore[union-attr]
    for epoch in range(3):
        margin = booster.predict(
            xgboost.DMatrix(x), output_margin=True, iteration_range=(0, (epoch + 1) * ROUNDS)
        )
        found = dynamics.outputs[0, epoch]
        want = margin if classes > 2 else np.column_stack([np.zeros(len(x)), margin])
        np.testing.assert_allclose(found, want, atol=1e-5)
    assert given.n_estimators is None  # the caller's model is left as it was


def test_a_class_not_learned_has_one_row_in_m_plus_one() -> None:
    x, y = clusters(2, n=30)
    y_far = np.full(30, 2)
    for labels in (y, np.zeros(30, dtype=np.int64)):
        dynamics = ts.TrainingDynamics.record(
            x, y_far, x, labels, model="trees", epochs=1, n_seeds=1, stream=0
        )
        p = softmax(dynamics.outputs.astype(float), axis=-1)
        learned = labels.max() + 1
        odds = p[..., 2] / p[..., :learned].sum(axis=-1)
        np.testing.assert_allclose(odds, 1 / 31, rtol=1e-5)


def test_leaves_of_one_stump_are_its_sides() -> None:
    """One split: the cosine to a class is the share of it on the row's side over its norm."""

    class Stump:
        base = np.zeros(1)

        def increments(self, x: np.ndarray):  # type: ignore[no-untyped-def]
            yield np.where(x[:, :1] > 0, 0.3, -0.2)

    x = np.array([[-1.0], [-2.0], [-3.0], [1.0]])
    y = np.array([0, 0, 0, 0])
    boosted = Boosted((Stump(),), 1, np.arange(2), 2, 4)
    norm = np.hypot(0.75, 0.25)
    found = boosted.class_similarity(x, y, x, y)[0]
    np.testing.assert_allclose(found, np.array([0.75, 0.75, 0.75, 0.25]) / norm)
    p = boosted.thinned(x, 400, seed_sequence(0))
    # a mean of 400 draws of expit(0.375) or 1/2: sd 0.0019, false alarm below 1e-6
    assert p[3, 1] == pytest.approx(0.8 * expit(0.375) + 0.2 * 0.5, abs=0.01)


@pytest.mark.parametrize("name", ["vog", "grand"])
def test_trees_are_refused_where_they_will_not_do(name: str) -> None:
    x, y = clusters(2)
    with pytest.raises(TabseedError, match=r"trees.*mlp"):
        scorer_class(name)(model="trees").fit(x, y)
    dynamics = ts.TrainingDynamics.record(x, y, model="trees", epochs=1, n_seeds=1, stream=0)
    with pytest.raises(TabseedError, match="mlp"):
        scorer_class(name)().from_dynamics(dynamics, y)  # type: ignore[attr-defined]
    assert name not in score_all(dynamics, y)


# --- every scorer -------------------------------------------------------------------------------

LABEL_BLIND = {"agreement", "vog"}  # no law says that a wrong label comes first


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
    found = ts.Agreement(random_state=0).fit_score(x, y)
    assert found.argmax() == 5


def test_vog_is_high_where_the_model_bends() -> None:
    """A logit that does not depend on the row has no gradient; one that comes to has."""
    weights = np.zeros((2, 1, 1 * 2 + 2 + 2 * 2 + 2), dtype=np.float32)
    weights[1, 0, 0] = 1.0  # the second epoch: unit 0 is max(x, 0), class 1 has 3 times it
    weights[1, 0, 5] = 3.0
    networks = Networks(weights, (1, 2, 2), 0.0)
    spread = networks.gradient_spread(np.array([[1.0], [-1.0]]), np.array([[0, 1], [0, 1]]))
    np.testing.assert_allclose(spread, [[1.5, 0.0]])  # of the gradients (0, 3), and (0, 0)


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_bytes(name: str) -> None:
    x, y = clusters(3, n=45)
    y[::4] = (y[::4] + 1) % 3  # else all is learned at once, and nothing forgotten
    kind = scorer_class(name)
    make = {"epochs": 4, "n_seeds": 2}
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = kind(**make, random_state=1).fit_score(x, y)  # type: ignore[call-arg]
    again = kind(**make, random_state=1).fit_score(x, y)  # type: ignore[call-arg]
    other = kind(**make, random_state=2).fit_score(x, y)  # type: ignore[call-arg]
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
            found = scorer.from_dynamics(dynamics, y)  # type: ignore[attr-defined]
            assert found.shape == (n,)
            assert np.isfinite(found).all(), name


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
    assert all(np.isfinite(found).all() for found in scores.values())
    if shape == "one class":
        for name in set(scores) - {"prototypicality", "agreement"}:
            assert (scores[name] == 0).all(), name


@pytest.mark.parametrize("name", NAMES)
def test_one_class_is_equally_hard(name: str) -> None:
    x = np.random.default_rng(0).normal(size=(12, 2))
    assert (scorer_class(name)().fit_score(x, np.array(["a"] * 12)) == 0).all()


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
    found = scorer_class(name)(model=model, random_state=0).fit_score(x, y)  # type: ignore[call-arg]
    assert found.argmax() == 4
    with pytest.raises(TabseedError, match="regression"):
        ts.AUM().fit(x, y)


def test_what_is_refused() -> None:
    x, y = clusters(2)
    record = ts.TrainingDynamics.record
    with pytest.raises(TabseedError, match="'forest'"):
        record(x, y, model="forest")
    with pytest.raises(TabseedError, match="epochs=0"):
        record(x, y, epochs=0)
    with pytest.raises(TabseedError, match="epoch=21"):
        ts.EL2N(epoch=21).fit(x, y)
    with pytest.raises(SchemaError, match="3 dimensions"):
        ts.TrainingDynamics(np.zeros((1, 2, 3)))
    with pytest.raises(TabseedError, match=r"TrainingDynamics\.record"):
        ts.Prototypicality().from_dynamics(by_hand([[0.5]]), np.array([1]))
    with pytest.raises(NothingLearnedError, match=r"diverged.*1e\+30"):
        record(x, y, model=MLP(learning_rate=1e30))
    with pytest.raises(TabseedError, match="dropout"):
        MLP(dropout=1.0)
    with pytest.raises(TabseedError, match="hidden"):
        MLP(hidden=())


def test_without_xgboost_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xgboost", None)
    x, y = clusters(2)
    with pytest.raises(MissingDependencyError, match=r"pip install xgboost.*trees"):
        ts.TrainingDynamics.record(x, y, model="xgboost")


def test_hardness_needs_no_torch() -> None:
    code = (
        "import sys, numpy as np, tabseed as ts\n"
        "ts.AUM(epochs=1).fit(np.eye(6), [0, 1] * 3)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_log_probabilities_are_those_of_the_label() -> None:
    rng = np.random.default_rng(9)
    outputs = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    y = np.array([4, 0, 2, 2])
    found = ts.TrainingDynamics(outputs).log_probabilities(y)
    want = log_softmax(outputs, axis=-1)[:, :, np.arange(4), y]
    np.testing.assert_array_equal(found, want)
