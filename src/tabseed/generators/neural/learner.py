"""What the seeds of an ensemble are: layers of stacked weights, a loss or a step, Adam.

Notation: S seeds, n rows, b rows of a batch, p inputs of a row, k random deviates that a row
consumes. The seed is the first dimension of stacked weights, so one batched matrix product does
the work of S networks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from tabseed.errors import not_installed

try:
    import torch as torch  # other modules import it from here, and so give the message below
except ImportError as error:  # pragma: no cover - exercised in an environment of its own
    hint = "choose a generator that does not, such as trees"
    raise not_installed("this generator", "PyTorch", "torch", instead=hint) from error

Tensor = torch.Tensor
Weights = dict[str, Tensor]  # by name, each (S, ...)

LOG_VARIANCE = (-8.0, 2.0)  # bounds of v(x)
LOGIT = 30.0  # bound of a cell's logit: exp stays far from the ends of float32
BETAS, EPSILON = (0.9, 0.999), 1e-8  # the usual values for Adam


def to_tensor(array: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Return a copy in memory that torch has aligned: rounding may depend on the alignment."""
    return torch.from_numpy(array).clone(memory_format=torch.contiguous_format).to(device)


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, exp(log_variance)) || N(0, I)) in nats: (..., d) -> (...)."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1) / 2


def dense(weights: Weights, layer: str, x: Tensor, bias: str | None = None) -> Tensor:
    """Return x W + b of a layer, one product for each seed: (S, b, p) -> (S, b, h).

    ``bias`` is the name of b if it is not ``layer.bias``.
    """
    return torch.baddbmm(weights[bias or f"{layer}.bias"], x, weights[f"{layer}.weight"])


def adam_step(
    weights: Weights,
    slopes: Weights,
    moments: Sequence[Weights],
    count: int,
    rate: float,
    betas: tuple[float, float] = BETAS,
) -> None:
    """Take step number ``count`` of Adam in place (arXiv 1412.6980, Algorithm 1).

    Only the weights named in ``slopes``, the gradients, change. ``moments`` are first and second,
    by name. The kernel is that of torch.optim.Adam(fused=True); using that class would import
    torch's compiler, which takes longer than many trainings.
    """
    names = list(slopes)
    device = weights[names[0]].device
    torch._fused_adam_(
        [weights[name].detach() for name in names],
        [slopes[name] for name in names],
        [moments[0][name] for name in names],
        [moments[1][name] for name in names],
        [],
        [torch.tensor(float(count), device=device)] * len(names),
        lr=rate,
        beta1=betas[0],
        beta2=betas[1],
        eps=EPSILON,
        weight_decay=0.0,
        amsgrad=False,
        maximize=False,
    )


def slopes_of(losses: Tensor, weights: Weights) -> Weights:
    """Return the gradient of the sum of the seeds' losses (S,), by the names of the weights."""
    slopes = torch.autograd.grad(losses.sum(), list(weights.values()))
    return dict(zip(weights, slopes, strict=True))


class Learner(ABC):
    """What one seed is, and one step of its training.

    :func:`~tabseed.generators.neural.ensemble.train_ensemble` does the rest. Most subclasses
    write a loss (:class:`Network`); two players that follow losses of their own write ``descend``
    and ``held_loss`` themselves. ``noise_width`` is k, the deviates that a step consumes for each
    row. With ``pack`` 0 each row trains once in an epoch; otherwise rows are drawn with
    replacement, a multiple of ``pack`` in each batch. Seeds must not influence each other, and
    all randomness is in the noise and the picks, so each seed trains as if it were alone.
    """

    noise_width: int
    pack: int = 0

    @abstractmethod
    def rows(self, x: np.ndarray) -> np.ndarray:
        """Return the inputs of the network for encoded rows: (n, w) -> (n, p) float32."""

    @abstractmethod
    def initial_weights(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return random weights of one seed, float32."""

    @abstractmethod
    def descend(
        self,
        weights: Weights,
        moments: Sequence[Weights],
        rows: Tensor,
        noise: Tensor,
        *,
        count: int,
        rate: float,
    ) -> Tensor:
        """Take step ``count`` for every seed in place; return the losses before it, (S,)."""

    @abstractmethod
    def held_loss(self, weights: Weights, rows: Tensor, noise: Tensor) -> Tensor:
        """Return the loss for stopping and choosing: rows set aside (S, n, p), noise -> (S,)."""

    def noise(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Return the deviates of n rows, (n, k) float32."""
        return rng.standard_normal((n, self.noise_width), dtype=np.float32)

    def index(self, rows: np.ndarray, indices: np.ndarray) -> Any:
        """Return what :meth:`picks` needs to know of the rows that train, ``rows[indices]``."""
        del rows
        return indices

    def picks(self, index: Any, size: int, rng: np.random.Generator) -> np.ndarray:
        """Return which rows train in an epoch, and in which order, (size,) integers."""
        del size
        return np.asarray(index[rng.permutation(len(index))])

    def in_order(self, index: Any) -> np.ndarray:
        """Return the picks of an epoch that is not shuffled."""
        return np.asarray(index)

    def gather(self, rows: Tensor, picks: Tensor) -> Tensor:
        """Return the rows that ``picks`` (S, b) stand for: (n, p) -> (S, b, p')."""
        return rows[picks]

    def held_noise(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Return the deviates that :meth:`held_loss` needs for n rows set aside, float32."""
        return self.noise(rng, n)


class Network(Learner):
    """A learner with one loss of stacked weights, whose gradient Adam follows."""

    @abstractmethod
    def loss(self, weights: Weights, rows: Tensor, noise: Tensor, *, train: bool) -> Tensor:
        """Return the mean loss of a row in nats: (S, b, p) rows, (S, b, k) noise -> (S,)."""

    def slopes(self, weights: Weights, rows: Tensor, noise: Tensor) -> tuple[Tensor, Weights]:
        """Return the training losses (S,) and their gradient by the names of the weights.

        A subclass may write the derivative out, which saves the graph of a small network.
        """
        leaves = {name: value.detach().requires_grad_() for name, value in weights.items()}
        losses = self.loss(leaves, rows, noise, train=True)
        return losses.detach(), slopes_of(losses, leaves)

    def descend(
        self,
        weights: Weights,
        moments: Sequence[Weights],
        rows: Tensor,
        noise: Tensor,
        *,
        count: int,
        rate: float,
    ) -> Tensor:
        """Take one step of Adam on the loss."""
        losses, slopes = self.slopes(weights, rows, noise)
        adam_step(weights, slopes, moments, count, rate)
        return losses

    def held_loss(self, weights: Weights, rows: Tensor, noise: Tensor) -> Tensor:
        """Return the loss without what only training does, such as dropout."""
        return self.loss(weights, rows, noise, train=False)


class VariationalNetwork(Network):
    """An encoder q(z|x) = N(mean, variance) and a decoder p(x|z), trained on the evidence bound."""

    kl_weight: float

    @abstractmethod
    def encode(self, weights: Weights, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the codes of rows: (S, b, p) -> (S, b, d) each."""

    @abstractmethod
    def log_likelihood(self, weights: Weights, rows: Tensor, z: Tensor) -> Tensor:
        """Return log p(x|z) of each row in nats: -> (S, b)."""

    def loss(self, weights: Weights, rows: Tensor, noise: Tensor, *, train: bool) -> Tensor:
        """Return the loss, mean over rows, in nats: -> (S,).

        -E_q[log p(x|z)] + kl_weight KL(q(z|x) || N(0, I)).
        """
        del train  # validation has the same loss
        mean, log_variance = self.encode(weights, rows)
        z = mean + (log_variance / 2).exp() * noise
        divergence = kl_to_standard_normal(mean, log_variance)
        loss = self.kl_weight * divergence - self.log_likelihood(weights, rows, z)
        return loss.mean(-1)


class CellLogLikelihood(torch.autograd.Function):
    """Sum over blocks of the log-probability of the hot cell: (S, b, W) logits -> (S, b).

    log p = sum_w t_w l_w - sum_j log sum_{w in j} exp(l_w), where t are the one-hot cells. Sums
    within blocks are one product with the (W, J) membership matrix. Logits are clamped to LOGIT;
    beyond the bound the gradient is that at the bound, so that logits can return from there.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, hot: Tensor, member: Tensor) -> Tensor:
        """Return the log-likelihood of each row."""
        bounded = logits.clamp(-LOGIT, LOGIT)
        total = (exp := bounded.exp()) @ member  # (S, b, J)
        ctx.save_for_backward(logits, exp, total, hot, member)
        return (bounded * hot).sum(-1) - total.log().sum(-1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        """Return t - p times the incoming gradient."""
        logits, exp, total, hot, member = ctx.saved_tensors
        if torch.is_grad_enabled():  # for second derivatives p must be a function of the logits
            total = (exp := logits.clamp(-LOGIT, LOGIT).exp()) @ member
        weight = grads[0].unsqueeze(-1)
        share = (weight / total) @ member.T  # times exp: p times the incoming gradient
        return torch.addcmul(hot * weight, share, exp, value=-1), None, None


def cell_log_likelihood(logits: Tensor, hot: Tensor, member: Tensor) -> Tensor:
    """Return what :class:`CellLogLikelihood` computes: (S, b, W) logits -> (S, b)."""
    total: Tensor = CellLogLikelihood.apply(logits, hot, member)  # type: ignore[no-untyped-call]
    return total
