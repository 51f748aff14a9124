"""The two networks of CTGAN and a step of their training (arXiv:1907.00503, section 4.3).

Notation: S seeds, b rows of a batch in P = b / pac packs, J free columns, L levels of all of them,
m numbers that have modes, v = L + m visible entries of a row, J' discrete columns, D levels of
these, e latent dimensions, h hidden units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabseed.coding.levels import pick
from tabseed.errors import TabseedError
from tabseed.generators.neural.critic import CRITIC, critic_loss, score_slope
from tabseed.generators.neural.learner import (
    Learner,
    Tensor,
    Weights,
    adam_step,
    dense,
    to_tensor,
    torch,
)
from tabseed.generators.neural.modes import REACH, ModeCoding

TAU = 0.2  # temperature of the Gumbel-softmax
KEEP = 0.5  # share of the critic's hidden units that a pack keeps
BETAS = (0.5, 0.9)  # of Adam
EPSILON = 1e-5  # added to a batch's variances
MEMORY = 100  # steps that the moving average of the generator's weights remembers
OUTSIDE = 80.0  # exp(-80) is nothing beside 1, and still a normal number in float32
DRAWS = 1_000  # rows generated for comparison with those set aside
GENERATOR, AVERAGE = "generator.", "average."  # prefixes of weights
Statistics = list[tuple[Tensor, Tensor]]  # mean and variance (S, 1, h) of both hidden layers


@dataclass(frozen=True)
class RowsByLevel:
    """The rows that train, sorted by the level of each discrete column.

    ``indices`` (n,) are those of the rows. ``row_of`` are positions in ``indices``, level by
    level; ``counts`` (D,) is the number of rows of each level, ``share`` (J', D) the probability
    of each level within its column.
    """

    indices: np.ndarray
    row_of: np.ndarray
    counts: np.ndarray
    share: np.ndarray


class AdversarialNetworks(Learner):
    """Generator and critic, one dict of stacked weights; see :meth:`descend`.

    Each layer of the generator sees all earlier ones (residual concatenation); all products with
    the same input are computed as one. Batch normalisation has no running averages: a batch in
    training is normalised by its own statistics, rows drawn later by those of a large batch
    (:meth:`statistics`).

    The noise of a row is e normal deviates, L Gumbel ones, and uniform ones that its pack shares:
    an interpolation weight, and dropout masks of both hidden layers of the critic for the step of
    each player.
    """

    def __init__(
        self, coding: ModeCoding, latent_dim: int, hidden_dim: int, pac: int, matching: float
    ) -> None:
        self.coding, self.latent_dim, self.hidden_dim = coding, latent_dim, hidden_dim
        self.pac = self.pack = pac
        self.matching = matching
        self.n_visible = coding.n_levels + coding.n_numbers
        self.uniforms = -(-(4 * hidden_dim + 1) // pac)  # of each row
        self.noise_width = latent_dim + coding.n_levels + self.uniforms
        self.mode_member = torch.from_numpy(coding.mode_member)
        self.member = torch.from_numpy(coding.member)
        columns = coding.discrete
        levels = [np.arange(c.levels.start, c.levels.stop) for c in columns]
        # (D,): the indices, among all levels, of those of the discrete columns
        self.level_inputs = np.concatenate([*levels, np.empty(0, np.int64)])
        self.condition_member = torch.zeros(max(1, len(columns)), len(self.level_inputs))  # (J', D)
        self.column_levels = torch.zeros(max(1, len(columns)), coding.n_levels)  # (J', L)
        start = 0
        for j, own in enumerate(levels):
            self.condition_member[j, start : start + len(own)] = 1.0
            self.column_levels[j, own] = 1.0
            start += len(own)
        self.log_share = np.zeros(coding.n_levels, np.float32)

    # -- rows, conditions, noise

    def rows(self, x: np.ndarray) -> np.ndarray:
        """Return one-hot levels and mode scores: (n, w) -> (n, v)."""
        hot, numbers = self.coding.encode(x)
        self.log_share = np.log((hot.sum(axis=0) + 0.5) / (len(x) + 1)).astype(np.float32)
        return np.hstack([hot, numbers])

    def noise(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Return the deviates of n rows, (n, k) float32."""
        normal = rng.standard_normal((n, self.latent_dim), dtype=np.float32)
        gumbel = -np.log(rng.standard_exponential((n, self.coding.n_levels), np.float32) + 1e-30)
        return np.hstack([normal, gumbel, rng.random((n, self.uniforms), np.float32)])

    def index(self, rows: np.ndarray, indices: np.ndarray) -> RowsByLevel:
        """Return the rows that train, ``rows[indices]``, sorted by level."""
        hot = rows[np.ix_(indices, self.level_inputs)] > 0  # (n, D)
        counts = hot.sum(axis=0)
        weight = np.log1p(counts) * self.condition_member.numpy()  # (J', D)
        total = weight.sum(axis=1, keepdims=True)
        share = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
        return RowsByLevel(indices, np.nonzero(hot.T)[1], counts, share)

    def picks(self, index: RowsByLevel, size: int, rng: np.random.Generator) -> np.ndarray:
        """Return random picks (training-by-sampling): a column, a level of it, a row with it.

        Levels are drawn by their log frequency. A pick is J' times the row's index plus the
        column's.
        """
        u = rng.random((3, size))
        if not len(self.level_inputs):
            return np.asarray(index.indices[(u[2] * len(index.indices)).astype(np.int64)])
        columns = len(index.share)
        column = (u[0] * columns).astype(np.int64)
        level = pick(np.cumsum(index.share, axis=1)[column], u[1])
        first = np.cumsum(index.counts) - index.counts
        at = first[level] + (u[2] * index.counts[level]).astype(np.int64)
        return np.asarray(index.indices[index.row_of[at]] * columns + column)

    def in_order(self, index: RowsByLevel) -> np.ndarray:
        """Raise TabseedError: rows are drawn by level and have no order."""
        del index
        raise TabseedError('CTGAN draws the rows of a batch at random: use stopper="relative"')

    def gather(self, rows: Tensor, picks: Tensor) -> Tensor:
        """Return rows and their conditions, one hot level of one column: -> (S, b, v + D)."""
        columns = len(self.condition_member)
        return self._conditioned(rows[picks // columns], picks % columns)

    def _conditioned(self, rows: Tensor, column: Tensor) -> Tensor:
        levels = rows[..., to_tensor(self.level_inputs, rows.device)]
        condition = levels * self.condition_member.to(rows.device)[column]
        return torch.cat([rows, condition], dim=-1)

    # -- weights

    def initial_weights(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Return random weights of one seed; before batch normalisation a layer needs no bias.

        The generator's output begins near the log shares of the training levels, so at first rows
        are drawn with independent columns. Layers before a ReLU have He's normal law.
        """
        h, v, d = self.hidden_dim, self.n_visible, len(self.level_inputs)
        inputs = self.latent_dim + d

        def normal(rows: int, columns: int, scale: float) -> np.ndarray:
            return (scale * rng.standard_normal((rows, columns))).astype(np.float32)

        def filled(value: float, columns: int) -> np.ndarray:
            return np.full((1, columns), value, np.float32)

        numbers = np.zeros((1, self.coding.n_numbers), np.float32)
        fan_in = inputs + h
        # a one-hot column has one input of 1, whatever the number of its levels
        critic_fan_in = self.pac * (len(self.coding.columns) + self.coding.n_numbers + 1)
        generator = {
            "input.weight": np.hstack(
                [
                    normal(inputs, h, 1.0 / math.sqrt(inputs)),
                    normal(inputs, h, 1.0 / math.sqrt(fan_in)),
                    normal(inputs, v, 0.3 / math.sqrt(fan_in + h)),
                ]
            ),
            "hidden.weight": np.hstack(
                [
                    normal(h, h, 1.0 / math.sqrt(fan_in)),
                    normal(h, v, 0.3 / math.sqrt(fan_in + h)),
                ]
            ),
            "last.weight": normal(h, v, 0.3 / math.sqrt(fan_in + h)),
            "bias": np.hstack([self.log_share[None], numbers]),
            "scale": filled(1.0, 2 * h),
            "shift": filled(0.0, 2 * h),
        }
        critic = {
            "rows.weight": normal(self.pac * v, h, math.sqrt(2 / critic_fan_in)),
            "condition.weight": normal(self.pac * d, h, math.sqrt(2 / critic_fan_in)),
            "bias": filled(0.0, h),
            "hidden.weight": normal(h, h, math.sqrt(2 / h)),
            "hidden.bias": filled(0.0, h),
            "last.weight": normal(h, 1, 0.1 * math.sqrt(1 / h)),
        }
        players = ((GENERATOR, generator), (AVERAGE, generator), (CRITIC, critic))
        return {f"{player}{name}": w for player, own in players for name, w in own.items()}

    # -- generator

    def outputs(
        self,
        weights: Weights,
        z: Tensor,
        condition: Tensor,
        statistics: Statistics | None = None,
        *,
        player: str = AVERAGE,
    ) -> tuple[Tensor, Tensor, Statistics]:
        """Return logits of levels (S, b, L), mode scores (S, b, m) and the batch statistics used.

        ``statistics``: None for those of this batch.
        """
        h, v = self.hidden_dim, self.n_visible
        own = _of(player, weights)
        scale, shift = (own[name].split(h, dim=-1) for name in ("scale", "shift"))
        used: Statistics = []

        def layer(inner: Tensor) -> Tensor:
            at = len(used)
            mean = inner.mean(1, keepdim=True) if statistics is None else statistics[at][0]
            centred = inner - mean
            if statistics is None:
                variance = centred.square().mean(1, keepdim=True)  # var_mean is ten times as slow
            else:
                variance = statistics[at][1]
            used.append((mean, variance))
            factor = scale[at] * (variance + EPSILON).rsqrt()
            return torch.addcmul(shift[at], centred, factor).relu()

        inputs = torch.cat([z, condition], dim=-1)
        first, second, out = (inputs @ own["input.weight"]).split([h, h, v], dim=-1)
        more, last = (layer(first) @ own["hidden.weight"]).split([h, v], dim=-1)
        hidden = layer(second + more)
        out = out + last + dense(own, "last", hidden, bias="bias")
        logits, numbers = out.split([self.coding.n_levels, self.coding.n_numbers], dim=-1)
        return logits, REACH * numbers.tanh(), used

    def soft(self, logits: Tensor, numbers: Tensor, gumbel: Tensor) -> Tensor:
        """Return the Gumbel-softmax of each column's levels, and mode scores: (S, b, v).

        Mode scores are multiplied by the sum of the column's modes.
        """
        member = self.member.to(logits)
        levels: Tensor = BlockSoftmax.apply(  # type: ignore[no-untyped-call]
            (logits + gumbel) / TAU, member, self.coding.sizes
        )
        return self._visible(levels, numbers)

    def hard(self, logits: Tensor, numbers: Tensor, gumbel: Tensor) -> Tensor:
        """Return the same at temperature 0: one-hot levels, drawn by their softmax."""
        parts = (logits + gumbel).split(self.coding.sizes, dim=-1)
        levels = [
            torch.nn.functional.one_hot(part.argmax(-1), size)
            for part, size in zip(parts, self.coding.sizes, strict=True)
        ]
        return self._visible(torch.cat(levels, dim=-1).to(numbers.dtype), numbers)

    def _visible(self, levels: Tensor, numbers: Tensor) -> Tensor:
        inside = levels @ self.mode_member.to(levels.device)
        return torch.cat([levels, numbers * inside], dim=-1)

    def _condition_loss(self, logits: Tensor, rows: Tensor, condition: Tensor) -> Tensor:
        """Return the cross-entropy of the conditioned column, mean over rows: -> (S,).

        ``rows`` (S, b, v) have the levels that ``condition`` (S, b, D) names.
        """
        if not len(self.level_inputs):
            return logits.new_zeros(len(logits))
        column = condition @ self.condition_member.to(logits).mT  # (S, b, J'): 1 for one column
        inside = column @ self.column_levels.to(logits)  # (S, b, L): 1 for its levels
        most = logits.detach().masked_fill(inside == 0, -torch.inf).amax(-1, keepdim=True)
        # bounds for other columns, whose exp would overflow, and for shares that are 0
        exp = (logits - most).clamp(-OUTSIDE, 0).exp()
        total = (exp * inside).sum(-1).log() + most[..., 0]
        own = (logits * inside * rows[..., : self.coding.n_levels]).sum(-1)
        return (total - own).mean(-1)

    # -- training

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
        """Take one step of the critic, then one of the generator; return the gap of scores before.

        Both see the same generated rows; each has dropout masks of its own.
        """
        real, condition = rows.split([self.n_visible, len(self.level_inputs)], dim=-1)
        z, gumbel, uniform = noise.split(
            [self.latent_dim, self.coding.n_levels, self.uniforms], dim=-1
        )
        logits, numbers, _ = self.outputs(weights, z, condition, player=GENERATOR)
        fake = self.soft(logits, numbers, gumbel)
        seeds, b, _ = rows.shape
        real, packed, condition_packs = (
            part.reshape(seeds, b // self.pac, -1) for part in (real, fake, condition)
        )
        shared = uniform.reshape(seeds, b // self.pac, -1)
        between, dropout = shared[..., :1], shared[..., 1 : 1 + 4 * self.hidden_dim]
        masks = ((dropout < KEEP).to(noise.dtype) / KEEP).chunk(4, dim=-1)
        with torch.no_grad():
            _, gap, slopes = critic_loss(
                weights, (real, packed, condition_packs), between, (masks[0], masks[1])
            )
            adam_step(weights, slopes, moments, count, rate, BETAS)
            slope = score_slope(weights, packed, condition_packs, (masks[2], masks[3]))
        loss = self._condition_loss(logits, rows, condition)
        if self.matching:
            loss = loss + self.matching * _moment_distance(rows[..., : self.n_visible], fake)
        own = _named(GENERATOR, weights)
        # minus the score is part of the loss: its slope enters at the generated rows
        gradient = torch.autograd.grad(
            [loss.sum(), packed], list(own.values()), [torch.ones_like(loss[0]), -slope]
        )
        adam_step(weights, dict(zip(own, gradient, strict=True)), moments, count, rate, BETAS)
        live, mean = (_of(player, weights) for player in (GENERATOR, AVERAGE))
        torch._foreach_lerp_(
            [mean[name].detach() for name in live],
            [value.detach() for value in live.values()],
            1 / MEMORY,
        )
        return gap

    # -- stopping

    def held_noise(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Return the deviates of DRAWS rows, whatever the number n of rows set aside."""
        del n
        return self.noise(rng, DRAWS)

    def held_loss(self, weights: Weights, rows: Tensor, noise: Tensor) -> Tensor:
        """Return the squared energy distance between generated rows and rows set aside, (S,).

        2 E|X - Y| - E|X - X'| - E|Y - Y'|, unbiased (Szekely and Rizzo, 2013), on levels (two
        different ones have distance 1) and normal scores of numbers. Each condition is one column
        of a row set aside.
        """
        rows = rows[:, :DRAWS]
        size, columns = rows.shape[1], len(self.condition_member)
        repeated = rows[:, torch.arange(DRAWS, device=rows.device) % size]
        column = (noise[..., -1] * columns).long().clamp(max=columns - 1)
        condition = self._conditioned(repeated, column)[..., self.n_visible :]
        z, gumbel, _ = noise.split([self.latent_dim, self.coding.n_levels, self.uniforms], dim=-1)
        logits, numbers, _ = self.outputs(weights, z, condition)
        fake = self._features(self.hard(logits, numbers, gumbel))
        real = self._features(rows)
        return 2 * torch.cdist(fake, real).mean((1, 2)) - _within(fake) - _within(real)

    def _features(self, visible: Tensor) -> Tensor:
        levels, numbers = visible.split([self.coding.n_levels, self.coding.n_numbers], dim=-1)
        flat = (part.flatten(0, 1).cpu().numpy() for part in (levels, numbers))
        scores = to_tensor(self.coding.scores(*flat), visible.device)
        shaped = scores.reshape(*levels.shape[:-1], scores.shape[-1])
        return torch.cat([levels / math.sqrt(2), shaped], dim=-1)

    def statistics(self, weights: Weights, z: Tensor, condition: Tensor) -> Statistics:
        """Return the statistics of a large batch; rows normalised by them are independent."""
        return self.outputs(weights, z, condition)[2]


class BlockSoftmax(torch.autograd.Function):
    """Softmax of each block of levels: (S, b, L) logits -> (S, b, L).

    ``member`` (L, J) is 1 where a level belongs to a block; ``sizes`` are the levels of the J
    blocks. Sums within blocks are products with it: a softmax for each block costs J times as many
    calls, forward and back.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, member: Tensor, sizes: list[int]) -> Tensor:
        """Return the shares of the levels within their blocks."""
        most = torch.stack([part.amax(-1) for part in logits.split(sizes, dim=-1)], dim=-1)
        share = (logits - most @ member.mT).exp_()
        share.div_((share @ member) @ member.mT)
        ctx.save_for_backward(share, member)
        return share

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        """Return p (g - sum within the block of p g)."""
        share, member = ctx.saved_tensors
        of_block = ((share * grads[0]) @ member) @ member.mT
        return share * (grads[0] - of_block), None, None


def _named(player: str, weights: Weights) -> Weights:
    return {name: value for name, value in weights.items() if name.startswith(player)}


def _of(player: str, weights: Weights) -> Weights:
    return {k.removeprefix(player): v for k, v in _named(player, weights).items()}


def _moment_distance(real: Tensor, fake: Tensor) -> Tensor:
    """Return the squared distance of the moments x'x / b of two batches (S, b, v): -> (S,)."""
    moments = [x.transpose(1, 2) @ x / x.shape[1] for x in (real, fake)]
    return (moments[0] - moments[1]).square().sum((1, 2))


def _within(points: Tensor) -> Tensor:
    """Return the mean distance between two different points: (S, n, f) -> (S,); 0 for one point."""
    n = points.shape[1]
    # no matrix product: by its rounding the distance of a point to itself would not be 0
    total = torch.cdist(points, points).sum((1, 2))
    return total / max(1, n * (n - 1))
