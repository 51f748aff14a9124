"""The critic of CTGAN: its loss, its score, and their derivatives written out.

The critic has two hidden layers of leaky ReLUs with dropout, and judges packs of rows with their
conditions. Its slopes are locally constant, so the derivatives are products of weights and slopes;
a graph for them, twice differentiated, would cost more than the products.

Notation: S seeds, P packs of pac rows, v visible entries of a row, D levels of discrete columns, h
hidden units. Packs are real or generated rows (S, P, pac v) with conditions (S, P, pac D).
"""

from __future__ import annotations

from typing import NamedTuple

from tabseed.generators.neural.learner import Tensor, Weights, dense, torch

PENALTY = 10.0  # weight of the gradient penalty
SLOPE = 0.2  # of the leaky ReLU below 0
CRITIC = "critic."  # prefix of its weights
Masks = tuple[Tensor, Tensor]  # factors (S, P, h) of both hidden layers: dropout


class _Layers(NamedTuple):
    """Both hidden layers for some packs, each (S, P, h)."""

    before: Tensor  # the first layer before activation
    one: Tensor  # the factors by which activation and dropout multiply it
    hidden: Tensor
    two: Tensor  # the same of the second layer
    active: Tensor  # the second layer after them


def critic_loss(
    weights: Weights, packs: tuple[Tensor, Tensor, Tensor], between: Tensor, masks: Masks
) -> tuple[Tensor, Tensor, Weights]:
    """Return the Wasserstein loss with gradient penalty (S,), the gap of scores (S,), the gradient.

    ``packs`` are real rows, generated rows and conditions. The penalty is on (|d score / d rows| -
    1)^2 at between real + (1 - between) generated, with ``between`` (S, P, 1) and the same
    conditions (arXiv:1704.00028). The gradient of the loss is by the names of the critic's weights.
    """
    real, fake, condition = packs
    size = real.shape[1]
    rows = torch.cat([real, fake], dim=1)
    both = (torch.cat([masks[0]] * 2, dim=1), torch.cat([masks[1]] * 2, dim=1))
    layers = _layers(weights, rows, condition, both)
    of_rows, of_hidden, last = (weights[f"{CRITIC}{w}.weight"] for w in ("rows", "hidden", "last"))
    score = (layers.active @ last)[..., 0]
    gap = score[:, :size].mean(-1) - score[:, size:].mean(-1)

    # the first layer is linear, so its outputs can be interpolated
    mixed = torch.lerp(layers.before[:, size:], layers.before[:, :size], between)
    one = _factor(mixed, masks[0])
    two = _factor(dense(weights, f"{CRITIC}hidden", mixed * one), masks[1])
    to_second = two * last.mT  # d score / d the second layer before activation
    to_first = (to_second @ of_hidden.mT) * one
    slope = to_first @ of_rows.mT  # (S, P, pac v)
    norm = (slope.square().sum(-1, keepdim=True) + 1e-12).sqrt()
    loss = PENALTY * (norm - 1).square().mean((1, 2)) - gap

    # the derivative of the penalty by the slope, taken back through the products above
    pushed = slope * (2 * PENALTY / size * (1 - 1 / norm))
    first = (pushed @ of_rows) * one
    second = (first @ of_hidden) * two
    sign = torch.full((2 * size, 1), 1 / size, dtype=rows.dtype, device=rows.device)
    sign[:size] *= -1
    down_second = sign * last.mT * layers.two
    down_first = (down_second @ of_hidden.mT) * layers.one
    # real and generated packs are compared one by one: where both activate the same units the
    # gradient is exactly 0, and Adam would make a step of what rounding leaves of a longer sum
    halves = down_first[:, :size] + down_first[:, size:]
    of_bias = down_second[:, :size] + down_second[:, size:]
    slopes = {
        "rows.weight": torch.cat([rows, pushed], 1).mT @ torch.cat([down_first, to_first], 1),
        "condition.weight": condition.mT @ halves,
        "bias": halves.sum(1, keepdim=True),
        "hidden.weight": torch.cat([layers.hidden, first], 1).mT
        @ torch.cat([down_second, to_second], 1),
        "hidden.bias": of_bias.sum(1, keepdim=True),
        "last.weight": layers.active.mT @ sign + second.sum(1, keepdim=True).mT,
    }
    return loss, gap, {f"{CRITIC}{name}": value for name, value in slopes.items()}


def score_slope(weights: Weights, rows: Tensor, condition: Tensor, masks: Masks) -> Tensor:
    """Return the derivative of the mean score of packs by their rows: (S, P, pac v)."""
    layers = _layers(weights, rows, condition, masks)
    to_second = weights[f"{CRITIC}last.weight"].mT * layers.two / rows.shape[1]
    to_first = (to_second @ weights[f"{CRITIC}hidden.weight"].mT) * layers.one
    return to_first @ weights[f"{CRITIC}rows.weight"].mT


def _layers(weights: Weights, rows: Tensor, condition: Tensor, masks: Masks) -> _Layers:
    """Return the layers for packs (S, a P, pac v); ``condition`` (S, P, pac D) is repeated."""
    of_condition = dense(weights, f"{CRITIC}condition", condition, bias=f"{CRITIC}bias")
    times = rows.shape[1] // condition.shape[1]
    before = torch.baddbmm(of_condition.repeat(1, times, 1), rows, weights[f"{CRITIC}rows.weight"])
    one = _factor(before, masks[0])
    hidden = before * one
    second = dense(weights, f"{CRITIC}hidden", hidden)
    two = _factor(second, masks[1])
    return _Layers(before, one, hidden, two, second * two)


def _factor(before: Tensor, mask: Tensor) -> Tensor:
    """Return the factor by which leaky ReLU and dropout multiply ``before``."""
    return (before > 0).to(mask.dtype).mul_(1 - SLOPE).add_(SLOPE).mul_(mask)
