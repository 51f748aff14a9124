"""The judge's network: two hidden layers, trained by Adam on batches of weighted rows.

The formulas are those of scikit-learn's ``MLPClassifier`` (a test compares the weights), written
out in single precision: batches of 32 to 128 rows cost scikit-learn more in checks than in
arithmetic, and its ``partial_fit`` with a seed repeats the same batches in each epoch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy.special import expit

HIDDEN = (64, 32)
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # of Adam (arXiv 1412.6980)


@dataclass
class JudgeNetwork:
    """A network whose logit says how much more a row looks real than synthetic.

    ``alpha`` is the weight of half the squared norm of the weights beside a batch's summed loss,
    ``rate`` the step size of Adam.
    """

    n_inputs: int
    alpha: float
    rate: float
    rng: np.random.Generator
    parameters: np.ndarray = field(init=False)  # all layers, flat: one step of Adam for all

    def __post_init__(self) -> None:
        sizes = (self.n_inputs, *HIDDEN, 1)
        shapes = list(pairwise(sizes))
        count = sum((fan_in + 1) * fan_out for fan_in, fan_out in shapes)
        self.parameters, self._gradient, self._mean, self._square = np.zeros(
            (4, count), dtype=np.float32
        )
        self._layers = _views(self.parameters, shapes)
        self._gradients = _views(self._gradient, shapes)
        for weight, bias in self._layers:  # Glorot and Bengio (2010)
            bound = math.sqrt(6 / sum(weight.shape))
            weight[:] = self.rng.uniform(-bound, bound, weight.shape)
            bias[:] = self.rng.uniform(-bound, bound, bias.shape)
        self._steps = 0

    def train(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray, batch: int) -> None:
        """Take one step for each batch of the rows, in their order; all in single precision."""
        for first in range(0, len(x), batch):
            some = slice(first, first + batch)
            self._step(x[some], y[some], weights[some])

    def logit(self, x: np.ndarray) -> np.ndarray:
        """Return the logit of each row, in double precision."""
        return self._forward(x)[-1].ravel().astype(float)

    def _forward(self, x: np.ndarray) -> list[np.ndarray]:
        outputs = [x]
        for weight, bias in self._layers:
            x = x @ weight
            x += bias
            outputs.append(x)
            if len(outputs) <= len(HIDDEN) + 1:
                np.maximum(x, 0, out=x)
        return outputs

    def _step(self, x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> None:
        *inputs, logit = self._forward(x)
        delta = (expit(logit) - y[:, None]) * weights[:, None]
        layers = list(zip(self._layers, self._gradients, inputs, strict=True))
        for (weight, _), (weight_gradient, bias_gradient), rows in reversed(layers):
            np.matmul(rows.T, delta, out=weight_gradient)
            weight_gradient += self.alpha * weight
            np.sum(delta, axis=0, out=bias_gradient)
            if rows is not x:
                delta = delta @ weight.T
                delta *= rows > 0
        self._gradient /= weights.sum()
        self._steps += 1
        self._mean += (1 - BETA_1) * (self._gradient - self._mean)
        self._square += (1 - BETA_2) * (self._gradient**2 - self._square)
        rate = self.rate * math.sqrt(1 - BETA_2**self._steps) / (1 - BETA_1**self._steps)
        self.parameters -= rate * self._mean / (np.sqrt(self._square) + EPSILON)


def _views(flat: np.ndarray, shapes: list[tuple[int, int]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the weight (inputs, outputs) and the bias (outputs) of each layer."""
    views, first = [], 0
    for fan_in, fan_out in shapes:
        last = first + fan_in * fan_out
        views.append((flat[first:last].reshape(fan_in, fan_out), flat[last : last + fan_out]))
        first = last + fan_out
    return views
