"""MAML: meta-gradients against double differentiation, and the gain of meta-learning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import tabseed as ts
from helpers.biases import META, assert_equal_weights, maml
from tabseed.archive import Checkpoint
from tabseed.errors import TabseedError
from tabseed.generators.base import Aids
from tabseed.generators.neural.paper import PaperNetwork
from tabseed.inductive_bias.journal import Journal
from tabseed.inductive_bias.maml import Batch, MetaTraining, _Search, adapt, meta_gradient
from tabseed.inductive_bias.weights import average
from tabseed.testing.biases import example_bench
from tabseed.testing.meta_learning import in_double

# averages of seeds that share nothing warn
pytestmark = pytest.mark.filterwarnings("ignore::tabseed.OrthogonalSeedsWarning")


# --- meta-gradients -----------------------------------------------------------------------------


def tasks(network, rows: np.ndarray, b: int = 12) -> tuple[Batch, Batch]:
    """Return support and query rows of two tasks, with their noise, in float64."""
    rng = np.random.default_rng(5)
    batches = []
    for _ in range(2):
        sample = rows[rng.integers(0, len(rows), (2, b))]
        noise = rng.standard_normal((2, b, network.noise_width))
        batches.append(Batch(torch.from_numpy(sample).double(), torch.from_numpy(noise)))
    return batches[0], batches[1]


def setting(kind: str):
    """Return a network, weights (1, ...), support, query, and a rate with an effect."""
    bench = example_bench()
    if kind == "paper":
        network = PaperNetwork(bench.layout, 3)
        rows, rate = network.rows(bench.x), 1e-8
    else:
        network, rows, rate = bench.model.network_, bench.rows, 0.1
    start = network.initial_weights(np.random.default_rng(1))
    theta = {k: torch.from_numpy(v).double()[None] for k, v in start.items()}
    return in_double(network), theta, *tasks(network, rows), rate


def after_adaptation(network, theta, support, query, rate, steps) -> float:
    """Return what MAML minimises: the sum of the query losses after adaptation."""
    start = {k: v.expand(2, *v.shape[1:]).clone().requires_grad_() for k, v in theta.items()}
    phi, _ = adapt(network, start, support, rate, steps, graph=False)
    return float(network.loss(phi, query.rows, query.noise, train=True).sum().detach())


@pytest.mark.parametrize("kind", ["cells", "paper"])
def test_second_order_is_the_gradient_after_adaptation(kind: str, monkeypatch) -> None:
    """Central differences, in float64: each weight in its gradient's and a random direction.

    Noise, and with it dropout, is an argument, so the loss is a function of the weights alone.
    Clipped gradients are not gradients, so the paper's clipping is off. The first order must be a
    different vector, or the test would show nothing.
    """
    monkeypatch.setattr("tabseed.generators.neural.paper.CLIP_GRADIENT", 1e30)
    network, theta, support, query, rate = setting(kind)
    second, first = (
        meta_gradient(network, theta, support, query, rate=rate, steps=2, order=order)[0]
        for order in ("second", "first")
    )
    generator = torch.Generator().manual_seed(0)
    gaps = []
    for name, value in theta.items():
        step = torch.randn(value.shape, generator=generator, dtype=torch.float64)
        step = 1e-7 * (step / step.norm() + second[name] / second[name].norm())
        ends = [
            after_adaptation(network, {**theta, name: value + sign * step}, support, query, rate, 2)
            for sign in (1, -1)
        ]
        slope = float((second[name] * step).sum()) * 2
        size = float(second[name].norm()) * 2e-7
        assert abs(slope - (ends[0] - ends[1])) < 1e-5 * size, name
        gaps.append(float((second[name] - first[name]).norm() / second[name].norm()))
    assert max(gaps) > 0.01


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("kind", ["cells", "paper"])
def test_adaptation_is_a_loop_over_tasks(kind: str, graph: bool) -> None:
    """Three plain gradient steps on each task by itself."""
    network, theta, support, _, rate = setting(kind)
    start = {k: v.expand(2, *v.shape[1:]).clone().requires_grad_() for k, v in theta.items()}
    phi, total = adapt(network, start, support, rate, 3, graph=graph, sums=True)
    for task in range(2):
        rows, noise = support.rows[[task]], support.noise[[task]]
        own = {k: v.clone() for k, v in theta.items()}
        summed = {k: torch.zeros_like(v) for k, v in theta.items()}
        for _ in range(3):
            own = {k: v.detach().requires_grad_() for k, v in own.items()}
            network.loss(own, rows, noise, train=True).sum().backward()
            for name, value in own.items():
                summed[name] += value.grad
            own = {k: v - rate * v.grad for k, v in own.items()}
        for name in theta:
            torch.testing.assert_close(phi[name][[task]], own[name], rtol=1e-9, atol=1e-11)
            torch.testing.assert_close(total[name][[task]], summed[name], rtol=1e-9, atol=1e-9)


def test_orders_without_inner_steps_and_the_formula_of_reptile() -> None:
    """K = 0: first and second order are equal. Reptile: sum_t (theta - phi_t)/(K alpha)."""
    network, theta, support, query, rate = setting("cells")
    first, second = (
        meta_gradient(network, theta, support, query, rate=rate, steps=0, order=order)
        for order in ("first", "second")
    )
    torch.testing.assert_close(first, second, rtol=1e-12, atol=1e-14)
    gradient, losses = meta_gradient(
        network, theta, support, query, rate=rate, steps=4, order="reptile"
    )
    start = {k: v.expand(2, *v.shape[1:]).clone().requires_grad_() for k, v in theta.items()}
    phi, _ = adapt(network, start, support, rate, 4, graph=False)
    for name, value in theta.items():
        expected = (value - phi[name]).sum(0, keepdim=True).detach() / (4 * rate)
        torch.testing.assert_close(gradient[name], expected, rtol=1e-8, atol=1e-10)
    whole = after_adaptation(network, theta, support, query, rate, 4)
    assert float(losses.sum()) == pytest.approx(whole, rel=1e-12)


# --- meta-learning ------------------------------------------------------------------------------


@pytest.mark.slow
def test_meta_learning_lowers_the_loss_after_adaptation() -> None:
    """From fresh weights, on rows set aside; the best weights are kept."""
    meta = MetaTraining(40, 40, inner_steps=2, steps=40, rate=5e-3)
    for order in ("first", "second", "reptile"):
        bench = example_bench()
        bias = maml(order=order, start="fresh", meta=meta)
        bias.initial_weights(bench.first_seeds(3), bench)
        start, best = bias.losses_[0, 1], bias.losses_[:, 1].min()
        assert best < start - 0.1, order
        assert f"from {start:.3f} to {best:.3f} nats" in bias.summary()[0]


def test_harmful_meta_learning_is_refused_or_returns_the_start() -> None:
    wild = MetaTraining(30, 30, inner_steps=1, steps=4, check_every=1, rate=100.0)
    for start in ("best", "average"):
        bench = example_bench()
        seeds = bench.first_seeds(3)
        with pytest.raises(TabseedError, match="no weights better than its start in 4 meta-steps"):
            maml(meta=wild, start=start).initial_weights(seeds, bench)
        weights = maml(meta=wild, start=start, must_improve=False).initial_weights(seeds, bench)
        one = seeds.of_seeds([seeds.chosen]) if start == "best" else average(seeds.weights)
        assert_equal_weights(weights, one)


def test_each_meta_step_sees_other_rows_unless_told_not_to() -> None:
    """The rows of the first step are the same, those of the second are not."""
    weights = []
    for steps, resample in ((1, True), (1, False), (2, True), (2, False)):
        bench = example_bench()
        meta = replace(META, steps=steps, resample=resample, rate=1e-5)
        bias = maml(meta=meta, start="fresh", must_improve=False)
        weights.append(bias.initial_weights(bench.first_seeds(3), bench)["decode.weight"])
    assert np.array_equal(*weights[:2]) and not np.array_equal(*weights[2:])


def test_tasks_have_the_noise_of_their_network() -> None:
    """The paper's network keeps 80 % of its units: bits, in 3 tasks of support and query rows.

    The share of 46,080 bits that keep, within 5 standard errors (false alarm 6e-7). One seed.
    """
    bench = example_bench()
    network = PaperNetwork(bench.layout, 3)
    rows = np.stack([network.rows(np.resize(bench.x, (80, bench.x.shape[1])))] * 3)
    search = _Search(maml(), network, rows, bench, Aids(None, None))
    keep = torch.cat([batch.noise[..., 3:] for batch in search._batches(search.rows, 4)])
    assert keep.shape == (6, 30, 256) and set(keep.unique().tolist()) == {0.0, 1.0}
    assert abs(float(keep.mean()) - 0.8) < 5 * (0.16 / keep.numel()) ** 0.5


@pytest.mark.parametrize("fault", [{"order": "third"}, {"start": "worst"}, {"n_rows": 9}])
def test_settings_that_maml_cannot_follow_are_refused(fault: dict) -> None:
    bench = example_bench()
    with pytest.raises(TabseedError, match=next(iter(fault))):
        maml(**fault).initial_weights(bench.first_seeds(3), bench)


@pytest.mark.parametrize(("rate", "improves"), [(1e-3, True), (0.03, False)])
def test_interrupted_meta_learning_continues(rate: float, improves: bool, tmp_path: Path) -> None:
    """Weights and losses of a run interrupted twice are those of an uninterrupted one."""
    meta = replace(META, rate=rate, patience=9)
    messages: list[str] = []

    def run(stop: int | None) -> tuple[ts.MAML, dict[str, np.ndarray]]:
        def report(done: int, total: int, message: str) -> None:
            if message.startswith("MAML"):
                messages.append(message)
                if len(messages) == stop:
                    raise KeyboardInterrupt

        messages.clear()
        start = "fresh" if improves else "best"
        bench, bias = example_bench(), maml(meta=meta, start=start, must_improve=False)
        bench.journal = Journal(Aids(report, Checkpoint(tmp_path / "state", "one", seconds=0)), 3)
        return bias, bias.initial_weights(bench.first_seeds(3), bench)

    whole, weights = run(None)
    assert (whole.losses_[:, 1].argmin() == 6) == improves
    steps = len(messages)
    assert steps == 7  # the start and six meta-steps
    (tmp_path / "state").unlink()
    for stop in (3, 2):
        with pytest.raises(KeyboardInterrupt):
            run(stop)
    resumed, again = run(None)
    assert len(messages) == steps - 3  # each interrupt lost the validation not yet written
    assert_equal_weights(weights, again)
    assert np.array_equal(whole.losses_, resumed.losses_)
