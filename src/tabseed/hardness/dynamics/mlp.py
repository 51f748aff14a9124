"""Networks of S seeds as stacked weights, trained as one batch; all that hardness asks of them.

Notation: S seeds, E epochs, n rows, b rows of a batch, w coordinates of a row, C outputs, P weights
of a network. Layer l takes activations a_l to a_l W_l + b_l; a_0 are the rows, hidden layers are
rectified, the last is linear. ``delta_l`` is the slope of a function of the outputs with respect
to the linear output of layer l: one backward pass gives the gradients that train, the gradient
norms of single rows and the gradients with respect to the rows.

Plain NumPy: a network this small gains nothing from PyTorch, which hardness then does not need.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, NamedTuple

import numpy as np
from scipy.special import softmax

from tabseed._random import child, generator, one_thread
from tabseed.errors import NothingLearnedError
from tabseed.parameters import Each, Parameters, Real, Whole, check_parameters, or_none

INITIAL, EPOCH = range(2)  # streams below that of a seed
BETAS, EPSILON = (0.9, 0.999), 1e-8  # Adam's usual
LEAST_STEPS = 10  # of an epoch: few rows pass several times in one
ROWS = 1024  # rows that pass at once when nothing is learned
HELD = 2**22  # numbers that gradients with respect to the rows may take at once


@dataclass(frozen=True)
class MLP:
    """What network to train, and how: rectified hidden layers with dropout, linear logits, Adam.

    ``batch_size`` None: n/64, but 16 to 256; an epoch takes ten steps or more, going through the
    rows several times if they are few, so that a small table gets as many steps as it needs.
    """

    hidden: tuple[int, ...] = (128, 64)
    dropout: float = 0.1
    learning_rate: float = 1e-3
    batch_size: int | None = None

    parameters: ClassVar[Parameters] = {
        "hidden": Each(Whole(1)),
        "dropout": Real(0, below=1),
        "learning_rate": Real(above=0),
        "batch_size": or_none(Whole(1)),
    }

    def __post_init__(self) -> None:
        check_parameters(self)

    def batch_rows(self, n: int) -> int:
        """Say how many of n rows a step takes at most."""
        wanted = self.batch_size or int(np.clip(n // 64, 16, 256))
        return max(1, min(n, wanted))


class Layer(NamedTuple):
    """Weights (..., p, q) and bias (..., 1, q)."""

    weight: np.ndarray
    bias: np.ndarray


def layers_of(flat: np.ndarray, widths: Sequence[int]) -> list[Layer]:
    """See the weights (..., P) of networks as their layers, without a copy."""
    lead, at, found = flat.shape[:-1], 0, []
    for p, q in pairwise(widths):
        weight = flat[..., at : at + p * q].reshape(*lead, p, q)
        bias = flat[..., at + p * q : at + (p + 1) * q].reshape(*lead, 1, q)
        found.append(Layer(weight, bias))
        at += (p + 1) * q
    return found


def forward(
    layers: Sequence[Layer], x: np.ndarray, masks: Sequence[np.ndarray] | None = None
) -> list[np.ndarray]:
    """Give the activations a_0 = x, a_1, ... and the outputs; ``masks`` multiply hidden ones."""
    activations = [x]
    for place, (weight, bias) in enumerate(layers):
        a = activations[-1] @ weight
        a += bias
        if place < len(layers) - 1:
            np.maximum(a, 0, out=a)
            if masks is not None:
                a *= masks[place]
        activations.append(a)
    return activations


def backward(
    layers: Sequence[Layer],
    activations: Sequence[np.ndarray],
    slopes: np.ndarray,
    dropout: float = 0.0,
) -> list[np.ndarray]:
    """Give every delta_l, from the slopes with respect to the outputs (..., b, C)."""
    deltas = [slopes]
    for place in range(len(layers) - 1, 0, -1):
        delta = deltas[0] @ layers[place].weight.swapaxes(-1, -2)
        # what was rectified or dropped has activation 0; the others were scaled by 1/(1 - dropout)
        delta *= (activations[place] > 0).astype(np.float32) / np.float32(1 - dropout)
        deltas.insert(0, delta)
    return deltas


class _Adam:
    """Adam on one array of weights (arXiv 1412.6980, Algorithm 1)."""

    def __init__(self, weights: np.ndarray, rate: float) -> None:
        self.weights, self.rate, self.count = weights, rate, 0
        self.first, self.second = np.zeros_like(weights), np.zeros_like(weights)

    def step(self, gradient: np.ndarray) -> None:
        self.count += 1
        self.first += (1 - BETAS[0]) * (gradient - self.first)
        self.second += (1 - BETAS[1]) * (gradient * gradient - self.second)
        spread = np.sqrt(self.second / (1 - BETAS[1] ** self.count)) + EPSILON
        self.weights -= (self.rate / (1 - BETAS[0] ** self.count)) * self.first / spread


def output_slopes(outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Give the slope of each row's loss with respect to its outputs, (..., n, C).

    softmax(outputs) - onehot(y) for cross-entropy where ``y`` (..., n) are class numbers;
    outputs - y for half the squared error where they are targets.
    """
    if y.dtype.kind == "f":
        return np.asarray(outputs - y[..., None].astype(outputs.dtype))
    slopes = softmax(outputs, axis=-1)
    slopes -= y[..., None] == np.arange(outputs.shape[-1])
    return np.asarray(slopes)


def train(
    how: MLP,
    x: np.ndarray,
    y: np.ndarray,
    n_outputs: int,
    epochs: int,
    streams: Sequence[np.random.SeedSequence],
) -> Networks:
    """Train one network for each stream on rows (n, w) with labels (n,), as one batch.

    Every seed is as if it were alone: order of rows, dropout and first weights come from its own
    stream. NothingLearnedError if the weights overflow. Cost: about 6 n P E S operations.
    """
    x = np.ascontiguousarray(x, dtype=np.float32)
    n, widths = len(x), (x.shape[1], *how.hidden, n_outputs)
    weights = np.stack([first_weights(widths, child(s, INITIAL)) for s in streams])
    gradient = np.empty_like(weights)
    layers, slopes_of = layers_of(weights, widths), layers_of(gradient, widths)
    adam = _Adam(weights, how.learning_rate)
    history = np.empty((epochs, *weights.shape), dtype=np.float32)
    steps = -(-n // how.batch_rows(n))
    passes = -(-LEAST_STEPS // steps)
    bounds = np.linspace(0, passes * n, passes * steps + 1).astype(int)  # as equal as can be
    with one_thread(), np.errstate(over="ignore", invalid="ignore"):  # said below, in one line
        for epoch in range(epochs):
            rngs = [generator(child(stream, EPOCH, epoch)) for stream in streams]
            order = np.stack(
                [np.concatenate([rng.permutation(n) for _ in range(passes)]) for rng in rngs]
            )
            for low, high in pairwise(bounds):
                rows = order[:, low:high]
                masks = _masks(how, high - low, rngs)
                activations = forward(layers, x[rows], masks)
                slopes = output_slopes(activations[-1], y[rows]) / np.float32(high - low)
                deltas = backward(layers, activations, slopes, how.dropout)
                for a, delta, out in zip(activations, deltas, slopes_of, strict=False):
                    np.matmul(a.swapaxes(-1, -2), delta, out=out.weight)
                    np.sum(delta, axis=-2, keepdims=True, out=out.bias)
                adam.step(gradient)
            history[epoch] = weights
    if not np.isfinite(weights).all():
        raise NothingLearnedError(
            f"training diverged; lower the learning rate ({how.learning_rate:g})"
        )
    return Networks(history, widths, how.dropout)


def first_weights(widths: Sequence[int], stream: np.random.SeedSequence) -> np.ndarray:
    """Draw normal weights of variance 2/p below rectifiers, 1/p below outputs; biases 0."""
    rng, parts = generator(stream), []
    for place, (p, q) in enumerate(pairwise(widths)):
        gain = 1.0 if place == len(widths) - 2 else 2.0
        scale = np.float32(math.sqrt(gain / p))
        parts += [scale * rng.standard_normal(p * q, dtype=np.float32), np.zeros(q, np.float32)]
    return np.concatenate(parts)


def _masks(how: MLP, n: int, rngs: Sequence[np.random.Generator]) -> list[np.ndarray] | None:
    """Draw what multiplies the hidden activations of n rows, (S, n, h) for each layer."""
    if how.dropout == 0:
        return None
    keep = np.float32(1 - how.dropout)
    drawn = [[rng.random((n, h), dtype=np.float32) < keep for h in how.hidden] for rng in rngs]
    return [np.stack(layer) / keep for layer in zip(*drawn, strict=True)]


@dataclass(frozen=True)
class Networks:
    """The weights of S networks after each of E epochs, and what they say of rows.

    ``weights`` is (E, S, P) float32. Rows pass in eval mode, without dropout, unless said.
    """

    weights: np.ndarray
    widths: tuple[int, ...]
    dropout: float

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """Give the outputs of rows (n, w) after every epoch, (S, E, n, C) float32."""
        epochs, seeds = self.weights.shape[:2]
        found = np.empty((seeds, epochs, len(x), self.widths[-1]), dtype=np.float32)
        with one_thread():
            for epoch in range(epochs):
                layers = self._layers(epoch)
                for part, rows in _parts(x, ROWS):
                    found[:, epoch, part] = forward(layers, rows)[-1]
        return found

    def gradient_norms(self, x: np.ndarray, slopes: np.ndarray, epoch: int) -> np.ndarray:
        """Norm of each row's gradient in all weights and biases after an epoch, (S, n).

        ``slopes`` (S, n, C) are those of the row's loss with respect to its outputs. The gradient
        of W_l is the outer product of a_l and delta_l, so that its norm is that of the two.
        """
        layers, found = self._layers(epoch), np.empty(slopes.shape[:2])
        with one_thread():
            for part, rows in _parts(x, ROWS):
                activations = forward(layers, rows)
                deltas = backward(layers, activations, slopes[:, part])
                squares = sum(
                    (_squares(a) + 1) * _squares(delta)
                    for a, delta in zip(activations, deltas, strict=False)
                )
                found[:, part] = np.sqrt(squares)
        return found

    def gradient_spread(self, x: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """Spread over epochs of a row's gradient, mean over its coordinates, (S, n).

        The gradient is that of a function of the outputs, whose slopes (n, C) are given, with
        respect to the row; the spread is a standard deviation (ddof 0).
        """
        epochs, seeds = self.weights.shape[:2]
        found = np.empty((seeds, len(x)))
        size = max(1, min(ROWS, HELD // (epochs * seeds * self.widths[0])))
        with one_thread():
            for part, rows in _parts(x, size):
                gradients = np.stack(
                    [self._row_gradients(rows, slopes[part], epoch) for epoch in range(epochs)]
                )
                found[:, part] = gradients.std(axis=0).mean(axis=-1)
        return found

    def _row_gradients(self, rows: np.ndarray, slopes: np.ndarray, epoch: int) -> np.ndarray:
        layers = self._layers(epoch)
        activations = forward(layers, rows)
        shaped = np.broadcast_to(slopes.astype(np.float32), activations[-1].shape)
        deltas = backward(layers, activations, shaped)
        return np.asarray(deltas[0] @ layers[0].weight.swapaxes(-1, -2))

    def class_similarity(
        self, x: np.ndarray, y: np.ndarray, x_ref: np.ndarray, y_ref: np.ndarray
    ) -> np.ndarray:
        """Cosine of a row's embedding and the mean one of its class among reference rows, (S, n).

        The embedding is the last hidden layer after the last epoch. A class without reference
        rows is like nothing: 0.
        """
        own, reference = self._embeddings(x), self._embeddings(x_ref)
        belongs = (y_ref[:, None] == np.arange(self.widths[-1])).astype(np.float32)
        with one_thread():
            mean = (belongs.T @ reference)[:, y]  # a sum, of the same direction
        dot = (own * mean).sum(axis=-1, dtype=np.float64)
        length = np.sqrt(_squares(own) * _squares(mean))
        return np.where(length > 0, dot / np.where(length > 0, length, 1), 0.0)

    def _embeddings(self, x: np.ndarray) -> np.ndarray:
        seeds = self.weights.shape[1]
        found = np.empty((seeds, len(x), self.widths[-2]), dtype=np.float32)
        layers = self._layers(-1)
        with one_thread():
            for part, rows in _parts(x, ROWS):
                found[:, part] = forward(layers, rows)[-2]
        return found

    def thinned(self, x: np.ndarray, passes: int, stream: np.random.SeedSequence) -> np.ndarray:
        """Mean class probabilities over passes with dropout after the last epoch, (n, C).

        In a pass all rows lose the same units, so that they are compared by the same networks.
        """
        layers, seeds = self._layers(-1), self.weights.shape[1]
        how = MLP(self.widths[1:-1], self.dropout)
        rngs = [generator(child(stream, seed)) for seed in range(seeds)]
        thinner = [_masks(how, 1, rngs) for _ in range(passes)]
        total = np.zeros((len(x), self.widths[-1]))
        with one_thread():
            for part, rows in _parts(x, ROWS):
                for masks in thinner:
                    outputs = forward(layers, rows, masks)[-1]
                    total[part] += softmax(outputs, axis=-1).mean(axis=0)
        return total / passes

    def _layers(self, epoch: int) -> list[Layer]:
        return layers_of(self.weights[epoch], self.widths)


def _parts(x: np.ndarray, size: int) -> Iterator[tuple[slice, np.ndarray]]:
    for low in range(0, len(x), size):
        part = slice(low, low + size)
        yield part, np.ascontiguousarray(x[part], dtype=np.float32)


def _squares(a: np.ndarray) -> np.ndarray:
    """Squared norms along the last axis, in float64."""
    return np.asarray(np.square(a, dtype=np.float64).sum(axis=-1))
