"""Layers, steps, the likelihood of cells and the KL divergence, compared with numpy and torch."""

from __future__ import annotations

import numpy as np
import torch

from tabseed.generators.neural.learner import (
    CellLogLikelihood,
    adam_step,
    dense,
    kl_to_standard_normal,
    slopes_of,
)


def blocks_of(sizes: list[int]) -> torch.Tensor:
    member = torch.zeros(sum(sizes), len(sizes), dtype=torch.float64)
    member[torch.arange(sum(sizes)), torch.repeat_interleave(torch.tensor(sizes))] = 1
    return member


def test_cell_likelihood_is_log_softmax_by_block() -> None:
    """Value and gradient, compared with torch's log_softmax of each block."""
    sizes = [3, 1, 5]
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 7, 9, generator=generator, dtype=torch.float64) * 5
    indices = [torch.randint(0, k, (2, 7), generator=generator) for k in sizes]
    hot = torch.cat(
        [torch.nn.functional.one_hot(p, k) for p, k in zip(indices, sizes, strict=True)], -1
    ).double()
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    result = CellLogLikelihood.apply(ours, hot, blocks_of(sizes))
    pieces = theirs.split(sizes, -1)
    expected = sum(
        piece.log_softmax(-1).gather(-1, p[..., None])[..., 0]
        for piece, p in zip(pieces, indices, strict=True)
    )
    torch.testing.assert_close(result, expected)
    weights = torch.rand(2, 7, generator=generator, dtype=torch.float64)
    (result * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_cell_likelihood_stays_finite_and_huge_logits_can_return() -> None:
    logits = torch.tensor([[[1e4, -1e4, 0.0]]], requires_grad=True)
    hot = torch.tensor([[[0.0, 1.0, 0.0]]])
    result = CellLogLikelihood.apply(logits, hot, torch.ones(3, 1))
    result.sum().backward()
    assert torch.isfinite(result).all()
    assert logits.grad[0, 0, 1] > 0.9 and logits.grad[0, 0, 0] < -0.9


def test_cell_likelihood_has_correct_second_derivatives() -> None:
    """MAML of second order differentiates the gradient: check both by finite differences."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(1, 2, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    hot = torch.tensor([[[1.0, 0, 0, 1], [0, 0, 1, 1]]], dtype=torch.float64)

    def likelihood(x: torch.Tensor) -> torch.Tensor:
        return CellLogLikelihood.apply(x, hot, blocks_of([3, 1]))

    assert torch.autograd.gradcheck(likelihood, logits)
    assert torch.autograd.gradgradcheck(likelihood, logits)


def test_kl_against_torch_distributions() -> None:
    mean, log_variance = torch.randn(4, 5, 3), torch.randn(4, 5, 3)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(
        normal(mean, (log_variance / 2).exp()), normal(0.0, 1.0)
    ).sum(-1)
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected)


def test_a_dense_layer_is_one_product_for_each_seed() -> None:
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(3, 5, 4)), rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 1, 2))
    weights = {k: torch.from_numpy(v) for k, v in {"a.weight": w, "a.bias": b, "other": -b}.items()}
    for bias, added in ((None, b), ("other", -b)):
        layer = dense(weights, "a", torch.from_numpy(x), bias=bias)
        expected = np.stack([x[s] @ w[s] + added[s] for s in range(3)])
        np.testing.assert_allclose(layer.numpy(), expected, rtol=1e-12)


def test_only_the_weights_named_follow_a_loss() -> None:
    """Adam's first step has the size of the rate, whatever the slope."""
    weights = {k: torch.ones(2, 1, requires_grad=True) for k in ("a", "b")}
    moments = [{k: torch.zeros(2, 1) for k in weights} for _ in range(2)]
    losses = (torch.tensor([3.0, -0.1]) * weights["a"][:, 0]) * weights["b"][:, 0]
    slopes = slopes_of(losses, {"a": weights["a"]})
    adam_step(weights, slopes, moments, count=1, rate=0.25)
    np.testing.assert_allclose(weights["a"].detach()[:, 0], [0.75, 1.25], atol=1e-6)
    assert weights["b"].tolist() == [[1.0], [1.0]]
