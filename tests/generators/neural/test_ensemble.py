"""Training seeds together: the steps of Adam, a monitor, ranking, arrays."""

from __future__ import annotations

import numpy as np
import torch

from tabseed._random import child, seed_sequence
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.ensemble import SeedEnsemble, train_ensemble
from tabseed.generators.neural.learner import Network
from tabseed.generators.neural.stopping import Training


class Bowl(Network):
    """Loss (w - mean of the rows)^2 / 2, for which the steps of Adam are known."""

    noise_width = 1

    def rows(self, x):
        return x.astype(np.float32)

    def initial_weights(self, rng):
        return {"w": np.float32(rng.normal(size=(1,)))}

    def loss(self, weights, rows, noise, *, train):
        return ((weights["w"] - rows.mean((1, 2))[:, None]) ** 2).sum(-1) / 2


def test_adam_against_torch_optim() -> None:
    """60 steps of the loop and of torch.optim.Adam on the same loss."""
    rows = np.random.default_rng(0).normal(size=(10, 1)).astype(np.float32)
    split = Split(np.arange(8)[None], np.arange(8, 10)[None])
    training = Training(steps=60, batch_size=8, learning_rate=0.05, patience=10**6, stopper="paper")
    stream = seed_sequence(3)
    ensemble = train_ensemble(Bowl(), rows, split, training, [stream])
    start = Bowl().initial_weights(np.random.default_rng(child(stream, 1)))["w"]
    w = torch.from_numpy(start.copy())[None].requires_grad_()
    optimizer = torch.optim.Adam([w], lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        Bowl().loss({"w": w}, torch.from_numpy(rows[:8])[None], None, train=True).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(ensemble.weights["w"], w.detach().numpy(), atol=1e-6)


def test_a_monitor_decides_when_to_stop_and_what_is_kept() -> None:
    from tabseed.generators.neural.ensemble import Options

    rows = np.ones((10, 1), np.float32)
    steps: list[int] = []

    def monitor(step, seeds, weights):
        steps.append(step)
        assert len(weights["w"]) == len(seeds)
        return np.abs(step - np.array([30.0, 50.0])[seeds])

    training = Training(steps=500, validate_every=10, patience=3, warm_up=0)
    ensemble = train_ensemble(
        Bowl(), rows, Split.draw(10, 0.2, seed_sequence(0)), training,
        [seed_sequence(1), seed_sequence(2)], options=Options(monitor=monitor),
    )  # fmt: skip
    assert ensemble.best_step.tolist() == [30, 50]
    assert steps[-1] == 80 and len(ensemble.curves[0]) < len(ensemble.curves[1])


def test_ensembles_are_ranked_and_survive_as_arrays() -> None:
    """Seeds that diverged come last, equal ones keep their order; arrays restore everything."""
    losses = np.array([2.0, np.inf, 1.0, np.nan, 1.0, -3.0])
    curves = [np.full((seed, 3), float(seed)) for seed in range(6)]
    weights = {"a.b": np.arange(6.0)[:, None], "n": np.arange(6)[:, None]}
    ensemble = SeedEnsemble(weights, curves, np.arange(6) * 10, losses)
    assert ensemble.chosen == 5
    ranked = ensemble.ranked()
    assert ranked.chosen == 0
    order = [5, 2, 4, 0, 1, 3]
    assert ranked.weights["n"].ravel().tolist() == order
    assert ranked.weights["a.b"].ravel().tolist() == order
    assert ranked.best_step.tolist() == [10 * seed for seed in order]
    assert [len(curve) for curve in ranked.curves] == order
    np.testing.assert_array_equal(ranked.best_loss, losses[order])
    assert weights["n"].ravel().tolist() == list(range(6))  # the input is unchanged
    again = SeedEnsemble.from_arrays(ranked.to_arrays())
    assert set(again.weights) == {"a.b", "n"}
    for one, two in zip(
        (*ranked.weights.values(), *ranked.curves, ranked.best_step, ranked.best_loss),
        (*again.weights.values(), *again.curves, again.best_step, again.best_loss),
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)
