"""Recorded networks: gradients, steps and seeds, each computed in a second way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from helpers.dynamics import clusters
from tabseed._random import child, seed_sequence
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

# --- networks -----------------------------------------------------------------------------------


def small_networks(
    labels: np.ndarray, outputs: int, dropout: float = 0.1
) -> tuple[Networks, np.ndarray]:
    x = np.random.default_rng(4).normal(size=(len(labels), 4))
    streams = [child(seed_sequence(0), s) for s in range(2)]
    settings = MLP(hidden=(7, 5), dropout=dropout)
    return train(settings, x, labels, outputs, 3, streams), x


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
                    gradient_parts = torch.autograd.grad(loss, leaves)
                    square = sum(float((g**2).sum()) for g in gradient_parts)
                    assert norms[seed, i] == pytest.approx(np.sqrt(square), rel=1e-4)
            per_epoch.append(torch.stack(gradients).numpy())
        expected = np.std(per_epoch, axis=0).mean(axis=-1)
        np.testing.assert_allclose(spread[seed], expected, rtol=1e-3, atol=1e-6)


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
    gradient = np.concatenate(
        [
            np.concatenate([(a.T @ d).ravel(), d.sum(axis=0)])
            for a, d in zip(activations, deltas, strict=False)
        ]
    )
    step = 1e-6 * np.eye(len(flat))
    expected = [(value(flat + s) - value(flat - s)) / 2e-6 for s in step]
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)


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
    """Two epochs of ten passes of one batch, without dropout, by autograd and the sums of Adam."""
    torch = pytest.importorskip("torch")
    x, y = clusters(2, n=8)
    settings = MLP(hidden=(5,), dropout=0.0, learning_rate=0.01, batch_size=8)
    stream = child(seed_sequence(1), 0)
    history = train(settings, x, y, 2, 2, [stream]).weights[:, 0]
    weights = first_weights((3, 5, 2), child(stream, INITIAL)).astype(np.float64)
    past: list[np.ndarray] = []
    for t in range(1, 21):
        tensor = torch.tensor(weights, requires_grad=True)
        w1, b1, w2, b2 = tensor[:15], tensor[15:20], tensor[20:30], tensor[30:]
        hidden = torch.relu(torch.tensor(x) @ w1.reshape(3, 5) + b1)
        loss = torch.nn.functional.cross_entropy(hidden @ w2.reshape(5, 2) + b2, torch.tensor(y))
        past.append(torch.autograd.grad(loss, tensor)[0].numpy())
        age = np.arange(t)[::-1, None]
        mean = 0.1 * (0.9**age * past).sum(axis=0) / (1 - 0.9**t)
        square = 0.001 * (0.999**age * np.square(past)).sum(axis=0) / (1 - 0.999**t)
        weights = weights - 0.01 * mean / (np.sqrt(square) + 1e-8)
        if t % 10 == 0:
            np.testing.assert_allclose(history[t // 10 - 1], weights, atol=1e-5)


def test_similarity_to_the_class_is_the_cosine() -> None:
    y = np.arange(8) % 2
    networks, x = small_networks(y, 3)
    similarity = networks.class_similarity(x, np.full(8, 1), x, y)
    layers = [
        [part[0].astype(float) for part in layer]
        for layer in layers_of(networks.weights[-1][:1], networks.widths)
    ]
    h = np.maximum(x @ layers[0][0] + layers[0][1], 0)
    h = np.maximum(h @ layers[1][0] + layers[1][1], 0)
    mean = h[y == 1].mean(axis=0)
    expected = h @ mean / np.maximum(np.linalg.norm(h, axis=1) * np.linalg.norm(mean), 1e-300)
    np.testing.assert_allclose(similarity[0], expected, atol=1e-5)
    assert (networks.class_similarity(x, np.full(8, 2), x, y) == 0).all()  # no row is of class 2


def test_passes_with_dropout_average_to_the_softmax_without_it() -> None:
    y = np.arange(12) % 2
    networks, x = small_networks(y, 2, dropout=0.0)
    p = softmax(networks.outputs(x)[:, -1], axis=-1).mean(axis=0)
    np.testing.assert_allclose(networks.thinned(x, 3, seed_sequence(0)), p, atol=1e-6)
    noisy = Networks(networks.weights, networks.widths, 0.5).thinned(x, 3, seed_sequence(0))
    assert np.abs(noisy - p).max() > 1e-3


# --- every scorer -------------------------------------------------------------------------------


def test_vog_is_high_where_the_model_bends() -> None:
    """A logit that does not depend on the row has no gradient; one that begins to has one."""
    weights = np.zeros((2, 1, 1 * 2 + 2 + 2 * 2 + 2), dtype=np.float32)
    weights[1, 0, 0] = 1.0  # second epoch: unit 0 is max(x, 0), and class 1 is 3 times that
    weights[1, 0, 5] = 3.0
    networks = Networks(weights, (1, 2, 2), 0.0)
    spread = networks.gradient_spread(np.array([[1.0], [-1.0]]), np.array([[0, 1], [0, 1]]))
    np.testing.assert_allclose(spread, [[1.5, 0.0]])  # of the gradients (0, 3), and (0, 0)
