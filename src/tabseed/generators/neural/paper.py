"""VAEBGM as the code of arXiv 2407.03080 has it, to be shown beside ours: network and training.

Numbers go in as they are (z-scored; categories as integer codes), Gaussians with a standard
deviation between 1e-5 and 0.1 come out. Its weaknesses are part of it; the stable network is
:class:`~tabseed.generators.neural.vaebgm.CellNetwork`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from tabseed.coding.cells import Block
from tabseed.coding.encode import Layout
from tabseed.coding.levels import pick
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.learner import (
    Network,
    Tensor,
    Weights,
    dense,
    kl_to_standard_normal,
    to_tensor,
    torch,
)
from tabseed.generators.neural.mixture import LatentMixture
from tabseed.generators.neural.stopping import Training

HIDDEN = 256
DROPOUT = 0.2
MAX_CODE = 99  # whole numbers from 0 to at most this count as category codes
CLIP_GRADIENT = 1_000.0

MAX_EPOCHS = 10_000
BATCH = 256


@dataclass(frozen=True)
class PaperVAEBGM:
    """How the authors' code learns: what ``VAEBGM(paper=True)`` hands over to.

    ``latent_dim``: None for 0.7 times the columns, between 2 and 20.
    """

    latent_dim: int | None

    def network(self, layout: Layout) -> PaperNetwork:
        """Make the network for an encoding."""
        return PaperNetwork(layout, self.latent_dim)

    def training(self, n: int) -> Training:
        """Their early stopping, fixed order of rows, Adam at 1e-3, for n rows."""
        return Training(
            steps=MAX_EPOCHS * max(1, math.ceil(0.8 * n / BATCH)),
            batch_size=BATCH,
            learning_rate=1e-3,
            patience=15,
            tolerance=2.0,
            stopper="paper",
        )

    def mixture(self, means: np.ndarray, log_variances: np.ndarray, seed: int) -> LatentMixture:
        """Fit their mixture to the codes (n, d) of the rows that :meth:`latent_split` gives."""
        return LatentMixture.of_paper(means, log_variances, seed)

    def latent_split(self, split: Split) -> Split:
        """Leave the rows that told when to stop out of the mixture."""
        return split


@dataclass(frozen=True)
class _Part:
    """One column in the paper's coding, and its places among the P outputs."""

    block: Block
    family: str  # "gaussian", "bernoulli", "categorical", or "missing" (a Bernoulli of its own)
    levels: np.ndarray  # value of each code; empty for a Gaussian
    out: slice

    def to_input(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give what the network sees of values (n,), and whether the likelihood counts it."""
        missing = np.isnan(values)
        if self.family == "missing":
            return missing.astype(float), np.ones(len(values))
        if self.family == "gaussian":
            scaled = np.nan_to_num((values - self.block.location) / self.block.scale)
            return scaled, ~missing
        code = np.searchsorted(self.levels, values).clip(max=len(self.levels) - 1)
        usual = np.bincount(code[~missing]).argmax() if not missing.all() else 0
        return np.where(missing, usual, code).astype(float), ~missing


def _parts(layout: Layout) -> list[_Part]:
    """Choose families by the authors' rule, as far as an encoding tells it.

    At most two consecutive whole numbers: Bernoulli. Whole numbers from 0 on: categorical (the
    authors count distinct values, we look at the largest). Else Gaussian.
    """
    parts: list[_Part] = []
    start = 0
    for block in layout.blocks:
        family, levels = _family(block)
        found = [(family, levels, {"gaussian": 2, "bernoulli": 1}.get(family, len(levels)))]
        if block.missing:
            found.append(("missing", np.arange(2.0), 1))
        for kind, values, size in found:
            parts.append(_Part(block, kind, values, slice(start, start + size)))
            start += size
    return parts


def _family(block: Block) -> tuple[str, np.ndarray]:
    ends = np.concatenate([block.atoms, block.knots.ravel(), block.group])
    if not len(ends):
        return "bernoulli", np.zeros(1)  # nothing but missing cells
    if not block.numeric:
        levels = np.sort(np.concatenate([block.atoms, block.group]))
        return ("bernoulli" if len(levels) <= 2 else "categorical"), levels
    low, high = ends.min(), ends.max()
    whole = block.decimals == 0
    if whole and not len(block.knots) and len(block.atoms) <= 2 and high - low <= 1:
        return "bernoulli", np.sort(block.atoms)
    if whole and low == 0 and high <= MAX_CODE:
        return "categorical", np.arange(high + 1)
    return "gaussian", np.empty(0)


class PaperNetwork(Network):
    """Linear - ReLU - Linear - 10 tanh in; Linear - ReLU - dropout - Linear - links out.

    The loss is the sum over columns of -log p(x|z) plus KL(q(z|x) || N(0, I)). As in the
    original VAE-BGM (arXiv 2404.08434) a missing cell is left out of the likelihood and its
    being missing is a Bernoulli column of its own; paper 1's tables had none missing.
    """

    def __init__(self, layout: Layout, latent_dim: int | None) -> None:
        self.layout, self.parts = layout, _parts(layout)
        self.n_outputs = self.parts[-1].out.stop
        self.latent_dim = latent_dim or int(np.clip(round(0.7 * len(layout.blocks)), 2, 20))
        self.noise_width = self.latent_dim + HIDDEN

    def rows(self, x: np.ndarray) -> np.ndarray:
        """Give the inputs, then which of them the likelihood counts: (n, w) -> (n, 2C)."""
        found = [part.to_input(self.layout.values(part.block, x)) for part in self.parts]
        return np.column_stack([*(f[0] for f in found), *(f[1] for f in found)]).astype(np.float32)

    def initial_weights(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw weights as torch.nn.Linear does: uniform within 1/sqrt(inputs)."""
        weights = {}
        for name, rows, columns in (
            ("encode", len(self.parts), HIDDEN),
            ("code", HIDDEN, 2 * self.latent_dim),
            ("decode", self.latent_dim, HIDDEN),
            ("links", HIDDEN, self.n_outputs),
        ):
            bound = 1 / math.sqrt(rows)
            for kind, size in (("weight", rows), ("bias", 1)):
                drawn = rng.uniform(-bound, bound, (size, columns))
                weights[f"{name}.{kind}"] = drawn.astype(np.float32)
        return weights

    def encode(self, weights: Weights, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z|x): (S, b, 2C) -> (S, b, d) each."""
        inputs = rows[..., : len(self.parts)]
        before = dense(weights, "encode", inputs)
        code = dense(weights, "code", before.relu())
        for activation in (before, code):
            if activation.requires_grad:
                activation.register_hook(lambda g: g.clamp(-CLIP_GRADIENT, CLIP_GRADIENT))
        mean, log_variance = (10 * code.tanh()).split(self.latent_dim, dim=-1)
        return mean, log_variance

    def decode(self, weights: Weights, z: Tensor, keep: Tensor | None = None) -> Tensor:
        """Outputs before the links: (S, b, d) -> (S, b, P); ``keep`` are units not dropped."""
        hidden = dense(weights, "decode", z).relu()
        if keep is not None:
            hidden = hidden * keep / (1 - DROPOUT)
        return dense(weights, "links", hidden)

    def log_likelihood(
        self, weights: Weights, rows: Tensor, z: Tensor, keep: Tensor | None = None
    ) -> Tensor:
        """log p(x|z) in nats, densities of z-scores for numbers: -> (S, b)."""
        outputs = self.decode(weights, z, keep)
        values, counts = rows.split(len(self.parts), dim=-1)
        likelihood = torch.zeros_like(values[..., 0])
        for at, part in enumerate(self.parts):
            found = _log_likelihood(part, outputs[..., part.out], values[..., at])
            likelihood = likelihood + counts[..., at] * found
        return likelihood

    def log_likelihoods(self, weights: Weights, rows: Tensor, z: Tensor) -> Tensor:
        """log p(x_i|z_k) of every row given every code: (n, 2C), (K, d), one seed -> (n, K)."""
        outputs = self.decode(weights, z[None])[0]
        values, counts = rows.split(len(self.parts), dim=-1)
        likelihood = torch.zeros(len(rows), len(z))
        for at, part in enumerate(self.parts):
            out, x = outputs[:, part.out], values[:, at]
            if part.family == "categorical":
                found = (10 * out.tanh()).log_softmax(-1)[:, x.long()].T
            else:
                found = _log_likelihood(part, out[None], x[:, None])
            likelihood += counts[:, at, None] * found
        return likelihood

    def loss(self, weights: Weights, rows: Tensor, noise: Tensor, *, train: bool) -> Tensor:
        """Negative evidence lower bound, mean over rows, nats: -> (S,)."""
        mean, log_variance = self.encode(weights, rows)
        z = mean + (log_variance / 2).exp() * noise[..., : self.latent_dim]
        # a normal deviate above its 20 % quantile keeps the unit
        keep = (noise[..., self.latent_dim :] > float(ndtri(DROPOUT))) if train else None
        likelihood = self.log_likelihood(weights, rows, z, keep)
        loss: Tensor = (kl_to_standard_normal(mean, log_variance) - likelihood).mean(-1)
        return loss

    def draw(self, weights: Weights, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw encoded rows (n, w) from codes (n, d); whole numbers are rounded, no more."""
        outputs = self.decode(weights, to_tensor(z.astype(np.float32))[None])[0]
        values: list[np.ndarray] = []
        for part in self.parts:
            drawn = _draw(part, outputs[:, part.out], rng)
            if part.family == "missing":
                values[-1] = np.where(drawn > 0, np.nan, values[-1])
            else:
                only_missing = not len(part.block.atoms) and part.block.is_discrete
                values.append(np.full(len(z), np.nan) if only_missing else drawn)
        return self.layout.from_values(values)


def _gaussian(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Mean within +-5, standard deviation between 1e-5 and 0.1, of the z-score."""
    return 5 * outputs[..., 0].tanh(), (0.001 + 9.999 * outputs[..., 1].sigmoid()) / 100


def _bernoulli(outputs: Tensor) -> Tensor:
    return 0.001 + 0.998 * outputs[..., 0].sigmoid()


def _log_likelihood(part: _Part, outputs: Tensor, x: Tensor) -> Tensor:
    """log p of one column, (S, b)."""
    if part.family == "gaussian":
        mean, sd = _gaussian(outputs)
        return -(((x - mean) / sd).square() / 2) - sd.log() - math.log(2 * math.pi) / 2
    if part.family == "categorical":
        log_p = (10 * outputs.tanh()).log_softmax(-1)
        return log_p.gather(-1, x.long().unsqueeze(-1)).squeeze(-1)
    p = _bernoulli(outputs)
    return x * p.log() + (1 - x) * (1 - p).log()


def _draw(part: _Part, outputs: Tensor, rng: np.random.Generator) -> np.ndarray:
    """Draw one column's values (n,), back in the table's units."""
    n = len(outputs)
    if part.family == "gaussian":
        mean, sd = (found.double().numpy() for found in _gaussian(outputs))
        values = part.block.location + part.block.scale * (mean + sd * rng.standard_normal(n))
        return part.block.snap(values) if part.block.decimals == 0 else np.asarray(values)
    if part.family == "categorical":
        p = (10 * outputs.tanh()).softmax(-1).double().numpy()
        code = pick(np.cumsum(p, axis=1), rng.random(n))
    else:
        code = (rng.random(n) < _bernoulli(outputs).double().numpy()).astype(int)
    return np.asarray(part.levels[np.minimum(code, len(part.levels) - 1)])
