"""TVAE: a variational autoencoder on levels and normalised numbers.

Notation: S seeds, b rows, J free columns, L levels of all of them, m numbers that have modes, d
latent dimensions, h hidden units.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from tabseed._random import RandomState
from tabseed.archive import Arrays
from tabseed.coding.encode import Layout
from tabseed.generators.conditions import Conditions
from tabseed.generators.neural.base import NeuralGenerator
from tabseed.generators.neural.learner import (
    LOG_VARIANCE,
    Tensor,
    VariationalNetwork,
    Weights,
    cell_log_likelihood,
    dense,
    to_tensor,
    torch,
)
from tabseed.generators.neural.modes import REACH, ModeCoding
from tabseed.generators.neural.near import rows_near
from tabseed.generators.neural.stopping import Training
from tabseed.parameters import SEED, TEXT, InstanceOf, Parameters, Real, Whole, or_none
from tabseed.space import Float, Int

LOG_SIGMA = (math.log(0.04), math.log(4.0))  # bounds of a number's log standard deviation
FIRST_SIGMA = 0.6


class ModeNetwork(VariationalNetwork):
    """Two hidden layers in, two out; levels are categorical, mode scores Gaussian about a tanh.

    A number's standard deviation is a weight. The output biases of the levels begin at the log
    shares of the training rows, as in :class:`~tabseed.generators.neural.vaebgm.CellNetwork`.
    """

    def __init__(
        self, coding: ModeCoding, latent_dim: int, hidden_dim: int, kl_weight: float
    ) -> None:
        self.coding, self.kl_weight = coding, kl_weight
        self.noise_width = self.latent_dim = latent_dim
        self.hidden_dim = hidden_dim
        self.member = torch.from_numpy(coding.member)
        # 0 for a column of one level: its gradient is only rounding, and Adam would follow it
        self.open = torch.from_numpy((coding.member @ coding.member.sum(0) > 1).astype(np.float32))
        self.log_share = np.zeros(coding.n_levels, np.float32)

    def rows(self, x: np.ndarray) -> np.ndarray:
        """Return one-hot levels, mode scores, and which lie in modes: (n, w) -> (n, L + 2 m)."""
        hot, scores = self.coding.encode(x)
        self.log_share = np.log((hot.sum(axis=0) + 0.5) / (len(x) + 1)).astype(np.float32)
        return np.hstack([hot, scores, hot @ self.coding.mode_member])

    def initial_weights(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return random weights of one seed: He's normal law for layers before a ReLU."""
        levels, m = self.coding.n_levels, self.coding.n_numbers
        h, d = self.hidden_dim, self.latent_dim
        # a one-hot column has one input of 1, whatever the number of its levels
        fan_in = len(self.coding.columns) + m

        def normal(rows: int, columns: int, scale: float) -> np.ndarray:
            return (scale * rng.standard_normal((rows, columns))).astype(np.float32)

        def zero(columns: int) -> np.ndarray:
            return np.zeros((1, columns), np.float32)

        return {
            "encode.weight": normal(levels + m, h, math.sqrt(2 / fan_in)),
            "encode.bias": zero(h),
            "encode2.weight": normal(h, h, math.sqrt(2 / h)),
            "encode2.bias": zero(h),
            "code.weight": normal(h, 2 * d, 0.3 / math.sqrt(h)),
            "code.bias": zero(2 * d),
            "decode.weight": normal(d, h, math.sqrt(2 / d)),
            "decode.bias": zero(h),
            "decode2.weight": normal(h, h, math.sqrt(2 / h)),
            "decode2.bias": zero(h),
            "out.weight": normal(h, levels + m, 0.3 / math.sqrt(h)),
            "out.bias": np.concatenate([self.log_share[None], zero(m)], axis=1),
            "log_sigma": np.full((1, m), math.log(FIRST_SIGMA), np.float32),
        }

    def encode(self, weights: Weights, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of q(z|x): (S, b, L + 2 m) -> (S, b, d) each."""
        inputs = rows[..., : self.coding.n_levels + self.coding.n_numbers]
        hidden = dense(weights, "encode", inputs).relu()
        hidden = dense(weights, "encode2", hidden).relu()
        mean, log_variance = dense(weights, "code", hidden).split(self.latent_dim, dim=-1)
        return mean, log_variance.clamp(*LOG_VARIANCE)

    def decode(self, weights: Weights, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the levels (S, b, L) and the means of the mode scores (S, b, m)."""
        hidden = dense(weights, "decode", z).relu()
        hidden = dense(weights, "decode2", hidden).relu()
        sizes = [self.coding.n_levels, self.coding.n_numbers]
        logits, mean = dense(weights, "out", hidden).split(sizes, dim=-1)
        return logits, REACH * mean.tanh()

    @staticmethod
    def sigma(weights: Weights) -> Tensor:
        """Return the standard deviations of the mode scores, (S, 1, m)."""
        return weights["log_sigma"].clamp(*LOG_SIGMA).exp()

    def log_likelihood(self, weights: Weights, rows: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z) in nats, for numbers the density of the mode score: -> (S, b)."""
        logits, mean = self.decode(weights, z)
        m = self.coding.n_numbers
        hot, scores, inside = rows.split([self.coding.n_levels, m, m], dim=-1)
        of_levels = cell_log_likelihood(
            logits * self.open.to(rows.device), hot, self.member.to(rows.device)
        )
        sigma = self.sigma(weights)
        minus_log = ((scores - mean) / sigma).square() / 2 + (sigma * math.sqrt(2 * math.pi)).log()
        of_numbers: Tensor = (inside * minus_log).sum(-1)
        return of_levels - of_numbers

    def given(
        self, weights: Weights, z: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return logits of the levels (n, L) and random mode scores (n, m) for codes (n, d)."""
        logits, mean = self.decode(weights, to_tensor(z.astype(np.float32))[None])
        noise = to_tensor(rng.standard_normal(mean.shape[1:], dtype=np.float32))
        scores = mean[0] + self.sigma(weights)[0] * noise
        return logits[0].numpy(), scores.clamp(-REACH, REACH).double().numpy()

    def draw(self, weights: Weights, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return random encoded rows (n, w) for codes (n, d)."""
        logits, scores = self.given(weights, z, rng)
        gumbel = -np.log(rng.standard_exponential(logits.shape, dtype=np.float32) + 1e-30)
        # the index of the largest of logits plus Gumbel noise is a draw by their softmax
        noisy = logits + gumbel
        levels = [noisy[:, column.levels].argmax(axis=1) for column in self.coding.columns]
        return self.coding.decode(levels, scores, rng)


class TVAE(NeuralGenerator):
    """Tabular variational autoencoder (arXiv:1907.00503, section 4.4).

    Numbers are mode-normalised (:class:`~tabseed.generators.neural.modes.ModeCoding`); rows are
    drawn from codes z ~ N(0, I).

    Parameters
    ----------
    latent_dim : int
        d; the paper's is 128, which fits few rows less well.
    hidden_dim : int
        Hidden units of each of two layers of encoder and decoder.
    kl_weight : float
        1 is the evidence lower bound of the paper; 0.5 is the same as counting the reconstruction
        twice, which is common.
    max_modes : int
        Largest number of modes of a column; the paper's is 10. One is better for few rows: the
        normal scores reproduce a law of many modes too, and depend smoothly on codes.
    n_seeds : int
        Networks trained at once; rows are drawn from the one of smallest validation loss.
    training : Training or None
    device : str
        "auto" (a GPU if there is one), "cpu", "cuda".
    random_state : int, Generator, RandomState or SeedSequence of numpy, or None

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> x = np.random.default_rng(0).normal(size=60)
    >>> table = pa.table({"x": x, "positive": x > 0})
    >>> TVAE(n_seeds=2, random_state=0).fit(table).sample(1000).num_rows
    1000
    """

    references: ClassVar[tuple[str, ...]] = ("arXiv:1907.00503",)
    parameters: ClassVar[Parameters] = {
        "latent_dim": Whole(1, search=Int(2, 128, log=True)),
        "hidden_dim": Whole(1, search=Int(32, 512, log=True)),
        "kl_weight": Real(0, search=Float(0.05, 1.0, log=True)),
        "max_modes": Whole(1, search=Int(1, 10)),
        "n_seeds": Whole(1),
        "training": or_none(InstanceOf(Training)),
        "device": TEXT,
        "random_state": SEED,
    }

    network_: ModeNetwork

    def __init__(
        self,
        latent_dim: int = 16,
        hidden_dim: int = 128,
        kl_weight: float = 0.3,
        max_modes: int = 1,
        n_seeds: int = 10,
        training: Training | None = None,
        device: str = "auto",
        random_state: RandomState = 0,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden_dim = hidden_dim
        self.kl_weight = kl_weight
        self.max_modes = max_modes
        self.n_seeds = n_seeds
        self.training = training
        self.device = device
        self.random_state = random_state

    def _training(self, n: int) -> Training:
        return self.training or Training()

    def _network(self, layout: Layout) -> ModeNetwork:
        return self._of_modes(ModeCoding(layout, self.max_modes))

    def _of_modes(self, coding: ModeCoding) -> ModeNetwork:
        return ModeNetwork(coding, self.latent_dim, self.hidden_dim, self.kl_weight)

    def _sample_seed(self, at: int, n: int, rng: np.random.Generator) -> np.ndarray:
        z = self._inputs(at, n, rng)
        with torch.no_grad():
            return self.network_.draw(self._stacked(at), z, rng)

    def _inputs(self, at: int, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.standard_normal((n, self.network_.latent_dim))

    def _outputs(
        self, at: int, inputs: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            return self.network_.given(self._stacked(at), inputs, rng)

    def _sample_near(self, n: int, conditions: Conditions, rng: np.random.Generator) -> np.ndarray:
        found = rows_near(self, self.network_.coding, conditions, n, rng)
        return self._sample(n, rng) if found is None else found

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        state, arrays = super()._state()
        return state, arrays | self.network_.coding.to_arrays()

    def _network_from(self, layout: Layout, arrays: Arrays) -> ModeNetwork:
        return self._of_modes(ModeCoding.from_arrays(layout, arrays))
