"""What every inductive bias promises, on a table of 80 rows and a small network."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from tabseed._random import child, seed_sequence
from tabseed.coding.encode import TableEncoder
from tabseed.generators.base import Aids
from tabseed.table import Table
from tabseed.testing.tables import Check, example_table

STEPS = 60  # of each training
Stacked = dict[str, np.ndarray]


def example_bench() -> Any:
    """Give a :class:`~tabseed.inductive_bias.base.Bench` with nothing done in it yet."""
    from tabseed.generators.neural.stopping import Training
    from tabseed.generators.neural.vaebgm import VAEBGM
    from tabseed.inductive_bias.base import Bench
    from tabseed.inductive_bias.journal import Journal

    table = Table.from_frame(example_table(80))
    encoder = TableEncoder().fit(table)
    how = Training(steps=STEPS, warm_up=20, patience=4)
    model = VAEBGM(hidden_dim=16, n_seeds=3, training=how, device="cpu")
    x, stream = encoder.transform(table), seed_sequence(7)
    return Bench(model, x, encoder.layout_, stream, Journal(Aids(None, None), 1))


def _weights(bias: Any, ensemble: Any) -> Stacked:
    """Ask for weights at a bench of their own: nothing is left from another asking."""
    found: Stacked = clone(bias).initial_weights(ensemble, example_bench())
    return found


def check_weights_fit_the_network(bias: Any) -> None:
    """Names and shapes of the network's, float32, finite; one set, or one for each seed."""
    bench = example_bench()
    found = _weights(bias, bench.first(bias.plan()))
    fresh = bench.model.network_.initial_weights(np.random.default_rng(0))
    assert set(found) == set(fresh), f"weights {sorted(found)}, not {sorted(fresh)}"
    for name, value in found.items():
        assert value.shape[1:] == fresh[name].shape, f"{name}: {value.shape}, {fresh[name].shape}"
        assert value.dtype == np.float32, f"{name}: {value.dtype}"
        assert np.isfinite(value).all(), f"{name}: not finite"
    sizes = {len(value) for value in found.values()}
    assert sizes in ({1}, {bias.n_seeds}), f"{sizes} sets of weights for {bias.n_seeds} seeds"


def check_order_of_seeds_is_irrelevant(bias: Any) -> None:
    """Seeds handed over in another order give the same weights to 1e-6, in any order."""
    ensemble = example_bench().first(bias.plan())
    if ensemble is None:
        return
    one = _flat(_weights(bias, ensemble))
    turned = [*range(1, len(ensemble.curves)), 0]
    two = _flat(_weights(bias, _reordered(ensemble, turned)))
    assert one.shape == two.shape
    gaps = np.abs(one[:, None] - two[None]).max(axis=-1)
    gap = max(gaps.min(axis=0).max(), gaps.min(axis=1).max())
    assert gap <= 1e-6, f"weights differ by {gap:.2g}"


def _flat(weights: Stacked) -> np.ndarray:
    return np.concatenate([weights[k].reshape(len(weights[k]), -1) for k in sorted(weights)], 1)


def _reordered(ensemble: Any, order: list[int]) -> Any:
    return type(ensemble)(
        ensemble.of_seeds(order),
        [ensemble.curves[seed] for seed in order],
        ensemble.best_step[order],
        ensemble.best_loss[order],
    )


def check_bias_seed_decides_everything(bias: Any) -> None:
    """Same stream, same bytes; global random state is not touched."""
    ensemble = example_bench().first(bias.plan())
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    one, two = (_weights(bias, ensemble) for _ in range(2))
    for name, value in one.items():
        assert value.tobytes() == two[name].tobytes(), f"{name}: same stream, other weights"
    after = np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
    assert np.array_equal(before, after), "global random state was touched"


def check_initial_weights_change_nothing(bias: Any) -> None:
    """The seeds and the rows that came in are as they were."""
    bench = example_bench()
    ensemble = bench.first(bias.plan())
    kept = {} if ensemble is None else {k: v.copy() for k, v in ensemble.to_arrays().items()}
    x, rows = bench.x.copy(), bench.rows.copy()
    share = bench.model.network_.log_share.copy()
    clone(bias).initial_weights(ensemble, bench)
    for name, value in kept.items():
        found = ensemble.to_arrays()[name]
        assert np.array_equal(value, found, equal_nan=value.dtype.kind == "f"), f"{name} changed"
    assert np.array_equal(x, bench.x) and np.array_equal(rows, bench.rows), "rows changed"
    assert np.array_equal(share, bench.model.network_.log_share), "the network saw other rows last"


BIAS_CHECKS: tuple[Check, ...] = (
    check_weights_fit_the_network,
    check_order_of_seeds_is_irrelevant,
    check_bias_seed_decides_everything,
    check_initial_weights_change_nothing,
)


# --- averaging ----------------------------------------------------------------------------------


def check_average_of_equal_weights_is_that_weight(bias: Any) -> None:
    """Seeds that are one give its weights back, bit for bit (seeds handed over, not branches)."""
    plain = clone(bias).set_params(branches=None)
    ensemble = example_bench().first(plain.plan())
    equal = _reordered(ensemble, [0] * len(ensemble.curves))
    for name, value in _weights(plain, equal).items():
        assert value.tobytes() == ensemble.weights[name][:1].tobytes(), name


def check_only_float_tensors_are_averaged(bias: Any) -> None:
    """Whole numbers among the weights come back as the best seed has them."""
    plain = clone(bias).set_params(branches=None)
    ensemble = example_bench().first(plain.plan())
    count = np.arange(len(ensemble.curves), dtype=np.int64)[:, None] ** 2 + 2**60
    ensemble.weights["count"] = count
    found = _weights(plain, ensemble)["count"]
    assert found.dtype == np.int64 and found.shape == (1, 1), f"{found.dtype}, {found.shape}"
    assert found.item() == count[ensemble.chosen].item(), "not as the best seed has it"


AVERAGING_CHECKS: tuple[Check, ...] = (
    check_average_of_equal_weights_is_that_weight,
    check_only_float_tensors_are_averaged,
)


# --- meta-learning ------------------------------------------------------------------------------


def in_double(network: Any) -> Any:
    """Turn the constants of a network to float64, and give it."""
    import torch

    for name, value in vars(network).items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            setattr(network, name, value.double())
    return network


def check_meta_gradient_without_inner_rate_is_pooled(bias: Any) -> None:
    """At inner rate 0 the meta-gradient is that of the summed query losses, to 1e-6.

    So for the first and second order; reptile's is the sum of the tasks' support gradients. In
    float64, as many inner steps as the bias takes.
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
        found, losses = meta_gradient(
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
            gap = float((found[name] - slope).norm())
            assert gap <= 1e-6 * float(slope.norm()), f"{order}, {name}: differs by {gap:.2g}"
        assert losses.shape == (3,)


MAML_CHECKS: tuple[Check, ...] = (check_meta_gradient_without_inner_rate_is_pooled,)
