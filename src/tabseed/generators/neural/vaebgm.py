"""VAEBGM: a variational autoencoder with a Bayesian Gaussian mixture on its latent codes.

Notation: S seeds, b rows, W cells of all free blocks, J free blocks, d latent dimensions, h
hidden units; z the latent code of a row, q(z|x) = N(mu(x), diag exp(v(x))).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import logsumexp

from tabseed._random import RandomState, int_seed
from tabseed.archive import Arrays, under
from tabseed.coding.encode import Layout
from tabseed.generators.conditions import Conditions
from tabseed.generators.neural.base import NeuralGenerator
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.learner import (
    LOG_VARIANCE,
    LOGIT,
    Tensor,
    VariationalNetwork,
    Weights,
    cell_log_likelihood,
    dense,
    to_tensor,
    torch,
)
from tabseed.generators.neural.mixture import LatentMixture
from tabseed.generators.neural.near import inputs_near
from tabseed.generators.neural.paper import PaperNetwork, PaperVAEBGM
from tabseed.generators.neural.stopping import Training
from tabseed.parameters import FLAG, SEED, TEXT, InstanceOf, Parameters, Real, Whole, or_none
from tabseed.space import Choice, Float, Int
from tabseed.table.display import counted

CODES = 10_000  # rows encoded at once
OWN_CODES, PRIOR_CODES = 50, 4_000  # codes for a likelihood: of each row, and shared by all rows


def _curves(layout: Layout) -> np.ndarray:
    """Return a line and a parabola over the cells of each free numeric column, (2 m, W).

    They are functions of the normal score of each cell; cells of other columns, and missing
    cells, have 0.
    """
    rows, at = [], 0
    for block in layout.free:
        if block.ordered and len(block.atoms) + len(block.knots) > 1:
            middle = np.concatenate([block.atoms, block.knots.mean(axis=1)])
            score = block.score(middle)
            score = (score - score.mean()) / (score.std() or 1.0)
            for curve in (score, score**2 - 1):
                row = np.zeros(len(layout.cell_indices), np.float32)
                row[at : at + len(middle)] = curve
                rows.append(row)
        at += block.n_cells
    return np.array(rows, np.float32).reshape(-1, len(layout.cell_indices))


class _Kept(NamedTuple):
    """What the gradient of the loss of a :class:`CellNetwork` needs, each (S, b, ...)."""

    hidden: Tensor
    mean: Tensor
    free: Tensor  # log-variances before they are clamped
    width: Tensor  # exp(v / 2)
    z: Tensor
    units: Tensor
    last: Tensor  # weights of the last layer, (S, h, W)
    exp: Tensor  # of the logits
    total: Tensor  # sums of exp in each block


def _through(slope: Tensor, active: Tensor) -> Tensor:
    """Return the slope before a ReLU whose output is ``active``."""
    return torch.ops.aten.threshold_backward(slope, active, 0)  # type: ignore[no-any-return]


class CellNetwork(VariationalNetwork):
    """The stable network: cells and normal scores in, probabilities of cells out.

    Output biases begin at the log shares of the training cells, so learning begins at the
    product of the marginals; the encoder's last layer begins near 0. The last layer's weights are
    W + A C: free ones for each cell, and for each number a line and a parabola over its cells
    (rows of C). W alone gives the same family of functions, but with A C neighbouring intervals
    learn together, which few rows need.
    """

    def __init__(self, layout: Layout, latent_dim: int, hidden_dim: int, kl_weight: float) -> None:
        self.layout, self.kl_weight = layout, kl_weight
        self.noise_width = self.latent_dim = latent_dim
        self.hidden_dim = hidden_dim
        self.n_cells = len(layout.cell_indices)
        self.n_scores = sum(b.ordered for b in layout.free)
        block = layout.cell_block
        self.member = torch.zeros(self.n_cells, len(layout.free))
        self.member[torch.arange(self.n_cells), torch.from_numpy(block)] = 1.0
        self.curves = torch.from_numpy(_curves(layout))
        self.log_share = np.zeros(self.n_cells, dtype=np.float32)

    def rows(self, x: np.ndarray) -> np.ndarray:
        """Return one-hot cells, then normal scores: (n, w) -> (n, p)."""
        cells = x[:, self.layout.cell_indices]
        self.log_share = np.log((cells.sum(axis=0) + 0.5) / (len(x) + 1)).astype(np.float32)
        return np.hstack([cells, self.layout.scores(x)]).astype(np.float32)

    def initial_weights(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return random weights of one seed: He's normal law for layers before a ReLU."""
        p, h, d = self.n_cells + self.n_scores, self.hidden_dim, self.latent_dim
        # a one-hot block has one input of 1: count blocks, not cells
        fan_in = len(self.layout.free) + self.n_scores

        def normal(rows: int, columns: int, scale: float) -> np.ndarray:
            return (scale * rng.standard_normal((rows, columns))).astype(np.float32)

        return {
            "encode.weight": normal(p, h, math.sqrt(2 / fan_in)),
            "encode.bias": np.zeros((1, h), np.float32),
            "code.weight": normal(h, 2 * d, 0.3 / math.sqrt(h)),
            "code.bias": np.zeros((1, 2 * d), np.float32),
            "decode.weight": normal(d, h, math.sqrt(2 / d)),
            "decode.bias": np.zeros((1, h), np.float32),
            "cells.weight": normal(h, self.n_cells, 0.3 / math.sqrt(h)),
            "curve.weight": normal(h, len(self.curves), 0.3 / math.sqrt(h)),
            "cells.bias": self.log_share[None, :].copy(),
        }

    def encode(self, weights: Weights, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of q(z|x): (S, b, p) -> (S, b, d) each."""
        hidden = dense(weights, "encode", rows).relu_()
        mean, log_variance = dense(weights, "code", hidden).split(self.latent_dim, dim=-1)
        return mean, log_variance.clamp(*LOG_VARIANCE)

    def decode(self, weights: Weights, z: Tensor) -> Tensor:
        """Return the logits of the cells: (S, b, d) -> (S, b, W)."""
        hidden = dense(weights, "decode", z).relu_()
        return torch.baddbmm(weights["cells.bias"], hidden, self._last(weights))

    def _last(self, weights: Weights) -> Tensor:
        """Return the weights of the last layer, W + A C: (S, h, W)."""
        return weights["cells.weight"] + weights["curve.weight"] @ self.curves.to(
            weights["cells.weight"].device
        )

    def log_likelihood(self, weights: Weights, rows: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z) in nats: (S, b, p) rows, (S, b, d) codes -> (S, b)."""
        logits = self.decode(weights, z)
        hot = rows[..., : self.n_cells]
        return cell_log_likelihood(logits, hot, self.member.to(rows.device))

    # -- the same, with the derivative written out: a graph would cost as much as the products

    def held_loss(self, weights: Weights, rows: Tensor, noise: Tensor) -> Tensor:
        """Return the loss of rows set aside, (S,)."""
        with torch.no_grad():
            return self._forward(weights, rows, noise)[0]

    def slopes(self, weights: Weights, rows: Tensor, noise: Tensor) -> tuple[Tensor, Weights]:
        """Return the losses (S,) and their gradient; see :class:`~.learner.CellLogLikelihood`."""
        with torch.no_grad():
            losses, kept = self._forward(weights, rows, noise)
            return losses, self._backward(weights, rows, kept)

    def _forward(self, weights: Weights, rows: Tensor, noise: Tensor) -> tuple[Tensor, _Kept]:
        """Return the losses (S,) of :meth:`loss`, and what their gradient needs."""
        hidden = dense(weights, "encode", rows).relu_()
        mean, free = dense(weights, "code", hidden).split(self.latent_dim, dim=-1)
        log_variance = free.clamp(*LOG_VARIANCE)
        width = (log_variance / 2).exp()
        z = torch.addcmul(mean, width, noise)
        units = dense(weights, "decode", z).relu_()
        last = self._last(weights)
        logits = torch.baddbmm(weights["cells.bias"], units, last).clamp_(-LOGIT, LOGIT)
        likelihood = (logits * rows[..., : self.n_cells]).sum(-1)
        exp = logits.exp_()
        total = exp @ self.member.to(rows.device)  # (S, b, J)
        likelihood -= total.log().sum(-1)
        divergence = (mean.square() + width.square() - 1 - log_variance).sum(-1) / 2
        losses = (self.kl_weight * divergence - likelihood).mean(-1)
        kept = _Kept(hidden, mean, free, width, z, units, last, exp, total)
        return losses, kept

    def _backward(self, weights: Weights, rows: Tensor, kept: _Kept) -> Weights:
        """Return the gradient of the losses; overwrites ``kept.exp``."""
        b, member = rows.shape[1], self.member.to(rows.device)
        # p - t: the shares of the cells minus the hot ones, for each row
        logits = kept.exp.mul_((1 / (b * kept.total)) @ member.T)
        logits.sub_(rows[..., : self.n_cells], alpha=1 / b)
        last = kept.units.transpose(1, 2) @ logits
        units = _through(logits @ kept.last.transpose(1, 2), kept.units)
        z = units @ weights["decode.weight"].transpose(1, 2)
        share = self.kl_weight / b
        low, high = LOG_VARIANCE
        inside = (kept.free >= low) & (kept.free <= high)
        of_variance = z * (kept.z - kept.mean) + share * (kept.width.square() - 1)
        code = torch.cat([z + share * kept.mean, of_variance * inside / 2], dim=-1)
        hidden = _through(code @ weights["code.weight"].transpose(1, 2), kept.hidden)
        return {
            "encode.weight": rows.transpose(1, 2) @ hidden,
            "encode.bias": hidden.sum(1, keepdim=True),
            "code.weight": kept.hidden.transpose(1, 2) @ code,
            "code.bias": code.sum(1, keepdim=True),
            "decode.weight": kept.z.transpose(1, 2) @ units,
            "decode.bias": units.sum(1, keepdim=True),
            "cells.weight": last,
            "curve.weight": last @ self.curves.T.to(rows.device),
            "cells.bias": logits.sum(1, keepdim=True),
        }

    def log_likelihoods(self, weights: Weights, rows: Tensor, z: Tensor) -> Tensor:
        """Return log p(x_i|z_k) of all rows and codes: (n, p), (K, d), one seed -> (n, K)."""
        logits = self.decode(weights, z[None])[0].clamp(-LOGIT, LOGIT)
        log_p = logits - (logits.exp() @ self.member).log() @ self.member.T
        return rows[:, : self.n_cells] @ log_p.T

    def probabilities(self, weights: Weights, z: np.ndarray) -> np.ndarray:
        """Return the probabilities of the cells for codes: (n, d) -> (n, W)."""
        logits = self.decode(weights, to_tensor(z.astype(np.float32))[None])[0]
        exp = logits.clamp(-LOGIT, LOGIT).exp()
        return np.asarray((exp / (exp @ self.member @ self.member.T)).double().numpy())

    def draw(self, weights: Weights, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return random encoded rows (n, w) for codes (n, d)."""
        return self.layout.sample(self.probabilities(weights, z), rng)


@dataclass(frozen=True)
class StableVAEBGM:
    """How a VAEBGM learns unless it follows the authors' code (:class:`PaperVAEBGM`)."""

    latent_dim: int | None
    hidden_dim: int
    kl_weight: float

    def network(self, layout: Layout) -> CellNetwork:
        """Return the network for an encoding."""
        dim = self.latent_dim or int(np.clip(len(layout.free), 2, 16))
        return CellNetwork(layout, dim, self.hidden_dim, self.kl_weight)

    def training(self, n: int) -> Training:
        """Return the settings for training on n rows."""
        del n
        return Training()

    def mixture(self, means: np.ndarray, log_variances: np.ndarray, seed: int) -> LatentMixture:
        """Return a mixture fitted to the codes (n, d) of the rows of :meth:`latent_split`."""
        return LatentMixture.fit(means, log_variances, seed)

    def latent_split(self, split: Split) -> Split:
        """Return the split for the mixture: all rows, because stopping needs none any more."""
        return split.whole()


class VAEBGM(NeuralGenerator):
    """Variational autoencoder with a Bayesian Gaussian mixture on its latent codes.

    Every column, of whatever kind, is a choice among cells (see
    :class:`~tabseed.coding.encode.Layout`), so the loss is
    -E_q[log p(x|z)] + kl_weight KL(q(z|x) || N(0, I)). Then a mixture of full-covariance
    Gaussians is fitted to the codes of all training rows and the width of their posteriors (at
    least 15 rows for each component, at most 20 components). The codes of synthetic rows are drawn
    from it.

    Parameters
    ----------
    latent_dim : int or None
        d; None: the number of free columns, but between 2 and 16.
    hidden_dim : int
        Hidden units of encoder and decoder.
    kl_weight : float
        1 is the evidence lower bound; with less the codes carry more of a small table, and the
        mixture then describes it.
    n_seeds : int
        Networks trained at once; rows are drawn from the one of smallest validation loss.
    training : Training or None
    paper : bool
        Use architecture, losses, stopper and mixture of the authors' code
        (:class:`~tabseed.generators.neural.paper.PaperVAEBGM`) instead; ``hidden_dim`` and
        ``kl_weight`` then have no effect.
    device : str
        "auto" (a GPU if there is one), "cpu", "cuda".
    random_state : int, Generator, RandomState or SeedSequence of numpy, or None

    References: arXiv:2404.08434, arXiv:2407.03080 (section 3.1).

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> x = np.random.default_rng(0).integers(0, 5, 60)
    >>> table = pa.table({"x": x, "even": x % 2 == 0})
    >>> model = VAEBGM(n_seeds=2, random_state=0).fit(table)
    >>> synthetic = model.sample(1000).to_pydict()
    >>> all((a % 2 == 0) == b for a, b in zip(synthetic["x"], synthetic["even"]))
    True
    """

    references: ClassVar[tuple[str, ...]] = ("arXiv:2404.08434", "arXiv:2407.03080")
    parameters: ClassVar[Parameters] = {
        "latent_dim": or_none(Whole(1), search=Choice((None, 2, 4, 8, 16, 32))),
        "hidden_dim": Whole(1, search=Int(32, 512, log=True)),
        "kl_weight": Real(0, search=Float(0.05, 1.0, log=True)),
        "n_seeds": Whole(1),
        "training": or_none(InstanceOf(Training)),
        "paper": FLAG,
        "device": TEXT,
        "random_state": SEED,
    }

    def __init__(
        self,
        latent_dim: int | None = None,
        hidden_dim: int = 128,
        kl_weight: float = 0.3,
        n_seeds: int = 10,
        training: Training | None = None,
        paper: bool = False,
        device: str = "auto",
        random_state: RandomState = 0,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden_dim = hidden_dim
        self.kl_weight = kl_weight
        self.n_seeds = n_seeds
        self.training = training
        self.paper = paper
        self.device = device
        self.random_state = random_state

    network_: CellNetwork | PaperNetwork
    mixtures_: list[LatentMixture]  # one for each seed in drawn_

    def _design(self) -> StableVAEBGM | PaperVAEBGM:
        """Return the design: the network, its training and the latent law."""
        if self.paper:
            return PaperVAEBGM(self.latent_dim)
        return StableVAEBGM(self.latent_dim, self.hidden_dim, self.kl_weight)

    def _training(self, n: int) -> Training:
        return self.training or self._design().training(n)

    def _network(self, layout: Layout) -> CellNetwork | PaperNetwork:
        return self._design().network(layout)

    def _learn_latent(self, rows: np.ndarray, split: Split, stream: np.random.SeedSequence) -> None:
        design, self.mixtures_ = self._design(), []
        for at, seed in enumerate(self.drawn_):
            codes = self._codes(at, rows[split.train[seed]])
            self.mixtures_.append(design.mixture(*codes, int_seed(stream)))

    def _latent_split(self, split: Split) -> Split:
        return self._design().latent_split(split)

    def _codes(self, at: int, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means and log-variances (n, d) of q(z|x) of the network ``drawn_[at]``."""
        weights = self._stacked(at)
        with torch.no_grad():
            parts = [
                self.network_.encode(weights, to_tensor(rows[low : low + CODES])[None])
                for low in range(0, len(rows), CODES)
            ]
        mean, log_variance = (
            torch.cat(moment, dim=1)[0].double().numpy() for moment in zip(*parts, strict=True)
        )
        return mean, log_variance

    def _sample_seed(self, at: int, n: int, rng: np.random.Generator) -> np.ndarray:
        with torch.no_grad():
            return self.network_.draw(self._stacked(at), self.mixtures_[at].sample(n, rng), rng)

    def _sample_near(self, n: int, conditions: Conditions, rng: np.random.Generator) -> np.ndarray:
        """Draw rows given the conditions by importance: codes by the probability of allowed cells.

        Given its code the columns of a row are independent, so this is the law given the cells.
        """
        network, layout = self.network_, self.encoder_.layout_
        if not isinstance(network, CellNetwork):
            return super()._sample_near(n, conditions, rng)
        free = [j for j, block in enumerate(layout.blocks) if block.parent < 0]
        every = [np.ones(layout.blocks[j].n_cells, bool) for j in free]
        masks = [conditions.allowed.get(j, own) for j, own in zip(free, every, strict=True)]
        mask = np.concatenate(masks).astype(float)
        asked = network.member.numpy()[:, [j in conditions.allowed for j in free]]

        def draw(at: int, m: int, rng: np.random.Generator) -> np.ndarray:
            return np.asarray(self.mixtures_[at].sample(m, rng), dtype=np.float64)

        def weigh(at: int, z: np.ndarray) -> np.ndarray:
            p = network.probabilities(self._stacked(at), z)
            return np.asarray(((p * mask) @ asked).prod(axis=1))

        with torch.no_grad():
            found = inputs_near(len(self.drawn_), draw, weigh, n, rng)
            if found is None:
                return self._sample(n, rng)
            seeds, z = found
            p = np.empty((n, len(mask)))
            for at in range(len(self.drawn_)):
                mine = np.flatnonzero(seeds == at)
                if len(mine):
                    p[mine] = network.probabilities(self._stacked(at), z[mine]) * mask
        return layout.sample(p, rng)

    def _log_likelihood(
        self,
        rows: np.ndarray,
        rng: np.random.Generator,
        n_own: int = OWN_CODES,
        n_shared: int = PRIOR_CODES,
    ) -> np.ndarray:
        """Return estimates of log 1/J sum_j p_j(x) over the J networks, by importance sampling.

        p_j(x) = E_r[p(x|z)], where r is the latent mixture. Codes are drawn from q(z|x), K_q =
        ``n_own`` for each row, and from r, K_r = ``n_shared`` for all rows together; each adds
        p(x|z) r(z) / (K_q q(z|x) + K_r r(z)), the balance heuristic (Veach and Guibas 1995). Codes
        from q alone are not enough: where q is narrow they miss codes that r makes likely
        elsewhere, and the error can be several nats. The logarithm is a lower bound in
        expectation. Cost: n K_q + K_r decodings, n K_r products with the cells.
        """
        parts = [
            logsumexp(
                [
                    self._log_likelihood_of(at, rows[low : low + 500], rng, n_own, n_shared)
                    for at in range(len(self.drawn_))
                ],
                axis=0,
            )
            for low in range(0, len(rows), 500)
        ]
        return np.concatenate(parts) - math.log(len(self.drawn_))

    def _log_likelihood_of(
        self, at: int, rows: np.ndarray, rng: np.random.Generator, n_own: int, n_shared: int
    ) -> np.ndarray:
        weights, prior = self._stacked(at), self.mixtures_[at]
        mean, log_variance = self._codes(at, rows)
        precision = np.exp(-log_variance)
        constant = (np.square(mean) * precision + log_variance + math.log(2 * math.pi)).sum(axis=1)

        def pooled(log_q: np.ndarray, log_r: np.ndarray) -> np.ndarray:
            """Return log(r(z) / (K_q q(z|x) + K_r r(z)))."""
            both = np.logaddexp(math.log(n_own) + log_q, math.log(n_shared) + log_r)
            return np.asarray(log_r - both)

        terms = []
        with torch.no_grad():
            z = prior.sample(n_shared, rng)
            shared = self.network_.log_likelihoods(
                weights, to_tensor(rows), to_tensor(z.astype(np.float32))
            )
            # log q(z_k|x_i) of all pairs, with the square expanded: (n, K_r)
            square = precision @ np.square(z).T - 2 * (mean * precision) @ z.T
            log_q = -(square + constant[:, None]) / 2
            weight = pooled(log_q, prior.log_density(z)[None])
            terms.append(logsumexp(shared.double().numpy() + weight, axis=1))
            for _ in range(n_own):
                noise = rng.standard_normal(mean.shape)
                z = mean + np.exp(log_variance / 2) * noise
                own = self.network_.log_likelihood(
                    weights, to_tensor(rows)[None], to_tensor(z.astype(np.float32))[None]
                )[0]
                log_q = -(np.square(noise) + log_variance + math.log(2 * math.pi)).sum(axis=1) / 2
                terms.append(own.double().numpy() + pooled(log_q, prior.log_density(z)))
        return np.asarray(logsumexp(terms, axis=0))

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        state, arrays = super()._state()
        for at, mixture in enumerate(self.mixtures_):
            arrays |= {f"mixture.{at}.{k}": v for k, v in vars(mixture).items()}
        return state, arrays

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        super()._restore(state, arrays)
        latent_dim = self.network_.latent_dim
        self.mixtures_ = [
            LatentMixture.from_arrays(under(f"mixture.{at}.", arrays), latent_dim)
            for at in range(len(self.drawn_))
        ]

    def summary(self) -> list[str]:
        """Return lines of text that say what was learned."""
        counts = sorted({int((m.weights > 0.01).sum()) for m in self.mixtures_})
        size = self.mixtures_[0].means.shape[1]
        count = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        gaussians = "Gaussian" if count == "1" else "Gaussians"
        mixture = f"mixture of {count} {gaussians} on {counted(size, 'latent dimension')}"
        return [*super().summary()[:1], mixture, *super().summary()[1:]]
