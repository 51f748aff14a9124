"""Networks of S seeds as stacked weights, trained as one batch, with all that hardness needs.

Notation: S seeds, E epochs, n rows, b rows of a batch, w coordinates of a row, C outputs, P weights
of a network. Layer l maps activations a_l to a_l W_l + b_l; a_0 are the rows, hidden layers are
rectified, the last is linear. ``delta_l`` is the slope of a function of the outputs with respect
to the linear output of layer l: one backward pass gives the gradients for training, the gradient
norms of single rows and the gradients with respect to the rows.

Plain NumPy: a network this small gains nothing from PyTorch, so hardness does not require it.
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

INITIAL, EPOCH = range(2)  # child streams of the stream of a seed
BETAS, EPSILON = (0.9, 0.999), 1e-8  # Adam's usual
LEAST_STEPS = 10  # in an epoch, which goes through few rows several times
ROWS = 1024  # rows that pass at once outside training
HELD = 2**22  # numbers that gradients with respect to the rows may occupy at once


@dataclass(frozen=True)
class MLP:
    """Settings of a network: rectified hidden layers with dropout, linear logits, Adam.

    ``batch_size`` None: n/64, at least 16 and at most 256. An epoch takes at least ten steps and
    goes through few rows several times, so that a small table gets as many steps as it needs.
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
        """Return the maximum number of rows in a step, for n rows."""
        size = self.batch_size or int(np.clip(n // 64, 16, 256))
        return max(1, min(n, size))


class Layer(NamedTuple):
    """Weights (..., p, q) and bias (..., 1, q)."""

    weight: np.ndarray
    bias: np.ndarray


def layers_of(flat: np.ndarray, widths: Sequence[int]) -> list[Layer]:
    """Return the weights (..., P) of networks as layers, without a copy."""
    lead, start, layers = flat.shape[:-1], 0, []
    for p, q in pairwise(widths):
        weight = flat[..., start : start + p * q].reshape(*lead, p, q)
        bias = flat[..., start + p * q : start + (p + 1) * q].reshape(*lead, 1, q)
        layers.append(Layer(weight, bias))
        start += (p + 1) * q
    return layers


def forward(
    layers: Sequence[Layer], x: np.ndarray, masks: Sequence[np.ndarray] | None = None
) -> list[np.ndarray]:
    """Return the activations a_0 = x, a_1, ... and the outputs; ``masks`` multiply hidden ones."""
    activations = [x]
    for index, (weight, bias) in enumerate(layers):
        a = activations[-1] @ weight
        a += bias
        if index < len(layers) - 1:
            np.maximum(a, 0, out=a)
            if masks is not None:
                a *= masks[index]
        activations.append(a)
    return activations


def backward(
    layers: Sequence[Layer],
    activations: Sequence[np.ndarray],
    slopes: np.ndarray,
    dropout: float = 0.0,
) -> list[np.ndarray]:
    """Return every delta_l, from the slopes with respect to the outputs (..., b, C)."""
    deltas = [slopes]
    for index in range(len(layers) - 1, 0, -1):
        delta = deltas[0] @ layers[index].weight.swapaxes(-1, -2)
        # rectified or dropped units have activation 0; the others were scaled by 1/(1 - dropout)
        delta *= (activations[index] > 0).astype(np.float32) / np.float32(1 - dropout)
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
    """Return the slope of each row's loss with respect to its outputs, (..., n, C).

    For class numbers ``y`` (..., n) the loss is cross-entropy and the slope
    softmax(outputs) - onehot(y); for targets it is half the squared error, with outputs - y.
    """
    if y.dtype.kind == "f":
        return np.asarray(outputs - y[..., None].astype(outputs.dtype))
    slopes = softmax(outputs, axis=-1)
    slopes -= y[..., None] == np.arange(outputs.shape[-1])
    return np.asarray(slopes)


def train(
    settings: MLP,
    x: np.ndarray,
    y: np.ndarray,
    n_outputs: int,
    epochs: int,
    streams: Sequence[np.random.SeedSequence],
) -> Networks:
    """Train one network for each stream on rows (n, w) with labels (n,), as one batch.

    Every seed trains as it would alone: its row order, dropout and first weights come from its own
    stream. NothingLearnedError if the weights overflow. Cost: about 6 n P E S operations.
    """
    x = np.ascontiguousarray(x, dtype=np.float32)
    n, widths = len(x), (x.shape[1], *settings.hidden, n_outputs)
    weights = np.stack([first_weights(widths, child(s, INITIAL)) for s in streams])
    gradient = np.empty_like(weights)
    layers, slopes_of = layers_of(weights, widths), layers_of(gradient, widths)
    adam = _Adam(weights, settings.learning_rate)
    history = np.empty((epochs, *weights.shape), dtype=np.float32)
    steps = -(-n // settings.batch_rows(n))
    passes = -(-LEAST_STEPS // steps)
    bounds = np.linspace(0, passes * n, passes * steps + 1).astype(
        int
    )  # of steps, as equal as possible
    with one_thread(), np.errstate(over="ignore", invalid="ignore"):  # reported below, in one line
        for epoch in range(epochs):
            rngs = [generator(child(stream, EPOCH, epoch)) for stream in streams]
            order = np.stack(
                [np.concatenate([rng.permutation(n) for _ in range(passes)]) for rng in rngs]
            )
            for low, high in pairwise(bounds):
                rows = order[:, low:high]
                masks = _masks(settings, high - low, rngs)
                activations = forward(layers, x[rows], masks)
                slopes = output_slopes(activations[-1], y[rows]) / np.float32(high - low)
                deltas = backward(layers, activations, slopes, settings.dropout)
                for a, delta, out in zip(activations, deltas, slopes_of, strict=False):
                    np.matmul(a.swapaxes(-1, -2), delta, out=out.weight)
                    np.sum(delta, axis=-2, keepdims=True, out=out.bias)
                adam.step(gradient)
            history[epoch] = weights
    if not np.isfinite(weights).all():
        raise NothingLearnedError(
            f"training diverged; lower the learning rate ({settings.learning_rate:g})"
        )
    return Networks(history, widths, settings.dropout)


def first_weights(widths: Sequence[int], stream: np.random.SeedSequence) -> np.ndarray:
    """Draw normal weights of variance 2/p before rectifiers, 1/p before outputs; biases are 0."""
    rng, parts = generator(stream), []
    for index, (p, q) in enumerate(pairwise(widths)):
        gain = 1.0 if index == len(widths) - 2 else 2.0
        scale = np.float32(math.sqrt(gain / p))
        parts += [scale * rng.standard_normal(p * q, dtype=np.float32), np.zeros(q, np.float32)]
    return np.concatenate(parts)


def _masks(settings: MLP, n: int, rngs: Sequence[np.random.Generator]) -> list[np.ndarray] | None:
    """Draw dropout masks for the hidden activations of n rows, (S, n, h) for each layer."""
    if settings.dropout == 0:
        return None
    keep = np.float32(1 - settings.dropout)
    masks = [[rng.random((n, h), dtype=np.float32) < keep for h in settings.hidden] for rng in rngs]
    return [np.stack(layer) / keep for layer in zip(*masks, strict=True)]


@dataclass(frozen=True)
class Networks:
    """The weights of S networks after each of E epochs, with the outputs they give rows.

    ``weights`` is (E, S, P) float32. Rows pass without dropout unless stated otherwise.
    """

    weights: np.ndarray
    widths: tuple[int, ...]
    dropout: float

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """Return the outputs for rows (n, w) after every epoch, (S, E, n, C) float32."""
        epochs, seeds = self.weights.shape[:2]
        outputs = np.empty((seeds, epochs, len(x), self.widths[-1]), dtype=np.float32)
        with one_thread():
            for epoch in range(epochs):
                layers = self._layers(epoch)
                for part, rows in _parts(x, ROWS):
                    outputs[:, epoch, part] = forward(layers, rows)[-1]
        return outputs

    def gradient_norms(self, x: np.ndarray, slopes: np.ndarray, epoch: int) -> np.ndarray:
        """Return the norm of each row's gradient in all weights and biases, (S, n).

        Weights are those after the given epoch; ``slopes`` (S, n, C) are those of the row's loss
        with respect to its outputs. The gradient of W_l is the outer product of a_l and delta_l,
        so its norm is the product of their norms.
        """
        layers, norms = self._layers(epoch), np.empty(slopes.shape[:2])
        with one_thread():
            for part, rows in _parts(x, ROWS):
                activations = forward(layers, rows)
                deltas = backward(layers, activations, slopes[:, part])
                squares = sum(
                    (_squares(a) + 1) * _squares(delta)
                    for a, delta in zip(activations, deltas, strict=False)
                )
                norms[:, part] = np.sqrt(squares)
        return norms

    def gradient_spread(self, x: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """Return the spread of a row's gradient over epochs, the mean over coordinates, (S, n).

        The gradient is that of a function of the outputs, with slopes (n, C), with respect to the
        row; the spread is a standard deviation (ddof 0).
        """
        epochs, seeds = self.weights.shape[:2]
        spread = np.empty((seeds, len(x)))
        size = max(1, min(ROWS, HELD // (epochs * seeds * self.widths[0])))
        with one_thread():
            for part, rows in _parts(x, size):
                gradients = np.stack(
                    [self._row_gradients(rows, slopes[part], epoch) for epoch in range(epochs)]
                )
                spread[:, part] = gradients.std(axis=0).mean(axis=-1)
        return spread

    def _row_gradients(self, rows: np.ndarray, slopes: np.ndarray, epoch: int) -> np.ndarray:
        layers = self._layers(epoch)
        activations = forward(layers, rows)
        slopes_by_seed = np.broadcast_to(slopes.astype(np.float32), activations[-1].shape)
        deltas = backward(layers, activations, slopes_by_seed)
        return np.asarray(deltas[0] @ layers[0].weight.swapaxes(-1, -2))

    def class_similarity(
        self, x: np.ndarray, y: np.ndarray, x_ref: np.ndarray, y_ref: np.ndarray
    ) -> np.ndarray:
        """Return the cosine of a row's embedding and the mean embedding of its class, (S, n).

        The mean is over reference rows. The embedding is the last hidden layer after the last
        epoch. A class without reference rows has similarity 0.
        """
        own, reference = self._embeddings(x), self._embeddings(x_ref)
        belongs = (y_ref[:, None] == np.arange(self.widths[-1])).astype(np.float32)
        with one_thread():
            mean = (belongs.T @ reference)[:, y]  # the sum, which has the same direction
        dot = (own * mean).sum(axis=-1, dtype=np.float64)
        length = np.sqrt(_squares(own) * _squares(mean))
        return np.where(length > 0, dot / np.where(length > 0, length, 1), 0.0)

    def _embeddings(self, x: np.ndarray) -> np.ndarray:
        seeds = self.weights.shape[1]
        embeddings = np.empty((seeds, len(x), self.widths[-2]), dtype=np.float32)
        layers = self._layers(-1)
        with one_thread():
            for part, rows in _parts(x, ROWS):
                embeddings[:, part] = forward(layers, rows)[-2]
        return embeddings

    def thinned(self, x: np.ndarray, passes: int, stream: np.random.SeedSequence) -> np.ndarray:
        """Return the mean class probabilities over passes with dropout, (n, C).

        Weights are those after the last epoch. In a pass all rows lose the same units, so that the
        same networks compare them.
        """
        layers, seeds = self._layers(-1), self.weights.shape[1]
        settings = MLP(self.widths[1:-1], self.dropout)
        rngs = [generator(child(stream, seed)) for seed in range(seeds)]
        masks_by_pass = [_masks(settings, 1, rngs) for _ in range(passes)]
        total = np.zeros((len(x), self.widths[-1]))
        with one_thread():
            for part, rows in _parts(x, ROWS):
                for masks in masks_by_pass:
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
    """Return the squared norms along the last axis, in float64."""
    return np.asarray(np.square(a, dtype=np.float64).sum(axis=-1))
