"""The law of meta-learning: with an inner learning rate of 0 it is ordinary learning."""

from __future__ import annotations

from typing import Any

import numpy as np

from tabseed._random import child
from tabseed.testing.biases import example_bench


def in_double(network: Any) -> Any:
    """Turn the constants of a network into float64, in place; return the network."""
    import torch

    for name, value in vars(network).items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            setattr(network, name, value.double())
    return network


def check_meta_gradient_without_inner_rate_is_pooled(bias: Any) -> None:
    """At inner rate 0 the meta-gradient is that of the summed query losses, to 1e-6.

    This is for first and second order; reptile's is the sum of the tasks' support gradients.
    Checked in float64, with the bias's number of inner steps.
    """
    import torch

    from tabseed.inductive_bias.maml import Batch, MetaTraining, meta_gradient

    bench = example_bench()
    theta = {k: torch.from_numpy(v).double() for k, v in bench.first_seeds(1).weights.items()}
    network = in_double(bench.model.network_)
    rng = np.random.default_rng(child(bench.stream, 1))

    def batch() -> Any:
        rows = bench.rows[rng.integers(0, len(bench.rows), (3, 20))]
        noise = rng.standard_normal((3, 20, network.noise_width))
        return Batch(torch.from_numpy(rows).double(), torch.from_numpy(noise))

    support, query = batch(), batch()
    steps = max(1, (bias.meta or MetaTraining()).inner_steps)
    for order, pooled in (("first", query), ("second", query), ("reptile", support)):
        gradient, losses = meta_gradient(
            network,
            theta,
            support,
            query,
            rate=0.0,
            steps=steps,
            order=order,  # type: ignore[arg-type]
        )
        leaves = {k: v.clone().requires_grad_() for k, v in theta.items()}
        total: Any = sum(
            network.loss(leaves, pooled.rows[t : t + 1], pooled.noise[t : t + 1], train=True)[0]
            for t in range(3)
        )
        expected = torch.autograd.grad(total, list(leaves.values()))
        for name, slope in zip(leaves, expected, strict=True):
            gap = float((gradient[name] - slope).norm())
            assert gap <= 1e-6 * float(slope.norm()), f"{order}, {name}: differs by {gap:.2g}"
        assert losses.shape == (3,)
