"""VAEBGM as in the code of arXiv 2407.03080, for comparison with ours: network and training.

The inputs are the numbers themselves (z-scored; categories as integer codes), the outputs are
Gaussians with a standard deviation between 1e-5 and 0.1. The weaknesses of that code are
reproduced too; the stable network is :class:`~tabseed.generators.neural.vaebgm.CellNetwork`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

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
MAX_CODE = 99  # whole numbers between 0 and this count as category codes
CLIP_GRADIENT = 1_000.0

MAX_EPOCHS = 10_000
BATCH = 256


@dataclass(frozen=True)
class PaperVAEBGM:
    """How the authors' code learns; ``VAEBGM(paper=True)`` uses it.

    ``latent_dim``: None for 0.7 times the number of columns, between 2 and 20.
    """

    latent_dim: int | None

    def network(self, layout: Layout) -> PaperNetwork:
        """Return the network for an encoding."""
        return PaperNetwork(layout, self.latent_dim)

    def training(self, n: int) -> Training:
        """Return their settings for n rows: their early stopping, rows in order, Adam at 1e-3."""
        return Training(
            steps=MAX_EPOCHS * max(1, math.ceil(0.8 * n / BATCH)),
            batch_size=BATCH,
            learning_rate=1e-3,
            patience=15,
            tolerance=2.0,
            stopper="paper",
        )

    def mixture(self, means: np.ndarray, log_variances: np.ndarray, seed: int) -> LatentMixture:
        """Return their mixture, fitted to the codes (n, d) of the rows of :meth:`latent_split`."""
        return LatentMixture.of_paper(means, log_variances, seed)

    def latent_split(self, split: Split) -> Split:
        """Return the split itself: rows set aside for stopping are left out of the mixture."""
        return split


@dataclass(frozen=True)
class _Part:
    """One column in the paper's coding, and the indices of its outputs among P."""

    block: Block
    family: str  # "gaussian", "bernoulli", "categorical", or "missing" (a Bernoulli of its own)
    levels: np.ndarray  # value of each code; empty for a Gaussian
    out: slice

    def to_input(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the network's inputs for values (n,), and whether the likelihood counts them."""
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
    """Return the columns with families by the authors' rule, as far as the encoding allows.

    At most two consecutive whole numbers: Bernoulli. Whole numbers starting at 0: categorical (the
    authors count distinct values, this code looks at the largest). Otherwise Gaussian.
    """
    parts: list[_Part] = []
    start = 0
    for block in layout.blocks:
        family, levels = _family(block)
        columns = [(family, levels, {"gaussian": 2, "bernoulli": 1}.get(family, len(levels)))]
        if block.missing:
            columns.append(("missing", np.arange(2.0), 1))
        for kind, values, size in columns:
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
    """Encoder Linear - ReLU - Linear - 10 tanh; decoder Linear - ReLU - dropout - Linear - links.

    The loss is the sum over columns of -log p(x|z) plus KL(q(z|x) || N(0, I)). As in the
    original VAE-BGM (arXiv 2404.08434) a missing cell is left out of the likelihood, and whether
    it is missing is a Bernoulli column of its own; the tables of arXiv 2407.03080 have no missing
    cells.
    """

    def __init__(self, layout: Layout, latent_dim: int | None) -> None:
        self.layout, self.parts = layout, _parts(layout)
        self.n_outputs = self.parts[-1].out.stop
        self.latent_dim = latent_dim or int(np.clip(round(0.7 * len(layout.blocks)), 2, 20))
        self.noise_width = self.latent_dim + HIDDEN
        self.families = _Families.of(self.parts)

    def rows(self, x: np.ndarray) -> np.ndarray:
        """Return the inputs, then which of them the likelihood counts: (n, w) -> (n, 2C)."""
        pairs = [part.to_input(self.layout.values(part.block, x)) for part in self.parts]
        columns = [*(values for values, _ in pairs), *(counts for _, counts in pairs)]
        return np.column_stack(columns).astype(np.float32)

    def noise(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Return n rows of d normal deviates, then for each unit 1 if it is kept and 0 if not.

        Sixteen random bits decide on a unit, which costs a tenth of a normal deviate.
        """
        noise = np.empty((n, self.noise_width), np.float32)
        noise[:, : self.latent_dim] = self.held_noise(rng, n)
        bits = rng.integers(0, 1 << 16, (n, HIDDEN), dtype=np.uint16)
        noise[:, self.latent_dim :] = bits >= round(DROPOUT * (1 << 16))
        return noise

    def held_noise(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Return d normal deviates for each of n rows: a validation drops no unit."""
        return rng.standard_normal((n, self.latent_dim), dtype=np.float32)

    def initial_weights(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return random weights as torch.nn.Linear has them: uniform within 1/sqrt(inputs)."""
        weights = {}
        for name, rows, columns in (
            ("encode", len(self.parts), HIDDEN),
            ("code", HIDDEN, 2 * self.latent_dim),
            ("decode", self.latent_dim, HIDDEN),
            ("links", HIDDEN, self.n_outputs),
        ):
            bound = 1 / math.sqrt(rows)
            for kind, size in (("weight", rows), ("bias", 1)):
                value = rng.uniform(-bound, bound, (size, columns))
                weights[f"{name}.{kind}"] = value.astype(np.float32)
        return weights

    def encode(self, weights: Weights, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of q(z|x): (S, b, 2C) -> (S, b, d) each."""
        inputs = rows[..., : len(self.parts)]
        before = dense(weights, "encode", inputs)
        code = dense(weights, "code", before.relu())
        for activation in (before, code):
            if activation.requires_grad:
                activation.register_hook(lambda g: g.clamp(-CLIP_GRADIENT, CLIP_GRADIENT))
        mean, log_variance = (10 * code.tanh()).split(self.latent_dim, dim=-1)
        return mean, log_variance

    def decode(self, weights: Weights, z: Tensor, keep: Tensor | None = None) -> Tensor:
        """Return outputs before the links: (S, b, d) -> (S, b, P); ``keep``: 0 drops a unit."""
        hidden = dense(weights, "decode", z).relu()
        if keep is not None:
            hidden = hidden * (keep / (1 - DROPOUT))
        return dense(weights, "links", hidden)

    def log_likelihood(
        self, weights: Weights, rows: Tensor, z: Tensor, keep: Tensor | None = None
    ) -> Tensor:
        """Return log p(x|z) in nats, for numbers the density of the z-score: -> (S, b)."""
        of = self.families
        outputs = self.decode(weights, z, keep).index_select(-1, of.outputs.to(z.device))
        mean, sd, bernoulli, categorical = outputs.split(of.sizes, dim=-1)
        values, counts = (
            part.index_select(-1, of.columns.to(z.device)).split(of.counts, dim=-1)
            for part in rows.split(len(self.parts), dim=-1)
        )
        log_p = (
            _gaussian_log_p(values[0], *_gaussian(mean, sd)),
            _bernoulli_log_p(values[1], _bernoulli(bernoulli)),
            of.categorical_log_p(values[2], 10 * categorical.tanh()),
        )
        return torch.stack([(n * p).sum(-1) for n, p in zip(counts, log_p, strict=True)]).sum(0)

    def log_likelihoods(self, weights: Weights, rows: Tensor, z: Tensor) -> Tensor:
        """Return log p(x_i|z_k) of all rows and codes: (n, 2C), (K, d), one seed -> (n, K)."""
        outputs = self.decode(weights, z[None])[0]
        values, counts = rows.split(len(self.parts), dim=-1)
        likelihood = torch.zeros(len(rows), len(z))
        for at, part in enumerate(self.parts):
            out, x = outputs[:, part.out], values[:, at]
            if part.family == "categorical":
                log_p = (10 * out.tanh()).log_softmax(-1)[:, x.long()].T
            elif part.family == "gaussian":
                log_p = _gaussian_log_p(x[:, None], *_gaussian(out[:, 0], out[:, 1]))
            else:
                log_p = _bernoulli_log_p(x[:, None], _bernoulli(out[:, 0]))
            likelihood += counts[:, at, None] * log_p
        return likelihood

    def loss(self, weights: Weights, rows: Tensor, noise: Tensor, *, train: bool) -> Tensor:
        """Return the negative evidence lower bound, mean over rows, in nats: -> (S,)."""
        mean, log_variance = self.encode(weights, rows)
        z = mean + (log_variance / 2).exp() * noise[..., : self.latent_dim]
        keep = noise[..., self.latent_dim :] if train else None
        likelihood = self.log_likelihood(weights, rows, z, keep)
        loss: Tensor = (kl_to_standard_normal(mean, log_variance) - likelihood).mean(-1)
        return loss

    def draw(self, weights: Weights, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return random encoded rows (n, w) for codes (n, d); only whole numbers are rounded."""
        outputs = self.decode(weights, to_tensor(z.astype(np.float32))[None])[0]
        values: list[np.ndarray] = []
        for part in self.parts:
            column = _draw(part, outputs[:, part.out], rng)
            if part.family == "missing":
                values[-1] = np.where(column > 0, np.nan, values[-1])
            else:
                only_missing = not len(part.block.atoms) and part.block.is_discrete
                values.append(np.full(len(z), np.nan) if only_missing else column)
        return self.layout.from_values(values)


@dataclass(frozen=True)
class _Families:
    """The columns in the order Gaussian, Bernoulli, categorical, so that each family is one sum.

    ``columns`` (C,) and ``outputs`` (P,) put columns and outputs into that order, means of
    Gaussians before their widths; ``counts`` and ``sizes`` say how many there are of each. Of the
    outputs that are categories, those of a column start at ``first``; ``member`` (outputs,
    columns) is 1 where an output belongs to a column.
    """

    columns: Tensor
    outputs: Tensor
    counts: list[int]
    sizes: list[int]
    first: Tensor
    member: Tensor

    @classmethod
    def of(cls, parts: list[_Part]) -> _Families:
        """Return the families of all columns."""
        kinds = {"gaussian": 0, "bernoulli": 1, "missing": 1, "categorical": 2}
        groups: list[list[int]] = [[], [], []]
        for at, part in enumerate(parts):
            groups[kinds[part.family]].append(at)
        starts = [np.array([parts[at].out.start for at in group], int) for group in groups[:2]]
        widths = [len(parts[at].levels) for at in groups[2]]
        categories = [np.arange(parts[at].out.start, parts[at].out.stop) for at in groups[2]]
        outputs = [starts[0], starts[0] + 1, starts[1], np.concatenate([[], *categories])]
        first = np.cumsum([0, *widths])[:-1]
        member = np.repeat(np.eye(len(widths), dtype=np.float32), widths, axis=0)
        return cls(
            torch.tensor([at for group in groups for at in group]),
            torch.from_numpy(np.concatenate(outputs).astype(int)),
            [len(group) for group in groups],
            [len(group) for group in outputs],
            torch.from_numpy(first.astype(int)),
            torch.from_numpy(member),
        )

    def categorical_log_p(self, codes: Tensor, logits: Tensor) -> Tensor:
        """Return log p of codes (S, b, J) by logits within +-10, (S, b, outputs): -> (S, b, J)."""
        total = logits.exp() @ self.member.to(logits)
        chosen = logits.gather(-1, codes.long() + self.first.to(codes.device))
        return chosen - total.log()


def _gaussian(mean: Tensor, sd: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean, within +-5, and standard deviation, 1e-5 to 0.1, of the z-score."""
    return 5 * mean.tanh(), (0.001 + 9.999 * sd.sigmoid()) / 100


def _gaussian_log_p(x: Tensor, mean: Tensor, sd: Tensor) -> Tensor:
    return -(((x - mean) / sd).square() / 2) - sd.log() - math.log(2 * math.pi) / 2


def _bernoulli(output: Tensor) -> Tensor:
    return 0.001 + 0.998 * output.sigmoid()


def _bernoulli_log_p(x: Tensor, p: Tensor) -> Tensor:
    """Return log p of x, 0 or 1."""
    return (1 - x + (2 * x - 1) * p).log()


def _draw(part: _Part, outputs: Tensor, rng: np.random.Generator) -> np.ndarray:
    """Return random values of one column (n,), in the units of the table."""
    n = len(outputs)
    if part.family == "gaussian":
        mean, sd = (moment.double().numpy() for moment in _gaussian(outputs[:, 0], outputs[:, 1]))
        values = part.block.location + part.block.scale * (mean + sd * rng.standard_normal(n))
        if part.block.decimals == 0:
            return part.block.snap(values)
        return np.asarray(part.block.out_of_gaps(values))
    if part.family == "categorical":
        p = (10 * outputs.tanh()).softmax(-1).double().numpy()
        code = pick(np.cumsum(p, axis=1), rng.random(n))
    else:
        code = (rng.random(n) < _bernoulli(outputs[:, 0]).double().numpy()).astype(int)
    return np.asarray(part.levels[np.minimum(code, len(part.levels) - 1)])
