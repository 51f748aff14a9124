"""The laws of inductive biases, checked on a table of 80 rows and a small network."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from tabseed._random import seed_sequence
from tabseed.coding.encode import TableEncoder
from tabseed.generators.base import Aids
from tabseed.table import Table
from tabseed.testing.tables import example_table

STEPS = 60  # of each training
Stacked = dict[str, np.ndarray]


def example_bench() -> Any:
    """Return a new :class:`~tabseed.inductive_bias.base.Bench`, in which nothing is trained yet."""
    from tabseed.generators.neural.stopping import Training
    from tabseed.generators.neural.vaebgm import VAEBGM
    from tabseed.inductive_bias.base import Bench
    from tabseed.inductive_bias.journal import Journal

    table = Table.from_frame(example_table(80))
    encoder = TableEncoder().fit(table)
    training = Training(steps=STEPS, warm_up=20, patience=4)
    model = VAEBGM(hidden_dim=16, n_seeds=3, training=training, device="cpu")
    model.schema_, model.encoder_ = table.schema, encoder  # as FineTuned passes them on
    model.target_, model.n_rows_ = None, len(table)
    x, stream = encoder.transform(table), seed_sequence(7)
    return Bench(model, x, encoder.layout_, stream, Journal(Aids(None, None), 1))


def weights_of(bias: Any, ensemble: Any) -> Stacked:
    """Return the weights of a bias on a new bench, so that no other call can affect them."""
    weights: Stacked = clone(bias).initial_weights(ensemble, example_bench())
    return weights


def check_weights_fit_the_network(bias: Any) -> None:
    """The network's names and shapes, float32, finite; one set of weights, or one per seed."""
    bench = example_bench()
    weights = weights_of(bias, bench.first(bias.plan()))
    fresh = bench.model.network_.initial_weights(np.random.default_rng(0))
    assert set(weights) == set(fresh), f"weights {sorted(weights)}, not {sorted(fresh)}"
    for name, value in weights.items():
        assert value.shape[1:] == fresh[name].shape, f"{name}: {value.shape}, {fresh[name].shape}"
        assert value.dtype == np.float32, f"{name}: {value.dtype}"
        assert np.isfinite(value).all(), f"{name}: not finite"
    sizes = {len(value) for value in weights.values()}
    assert sizes in ({1}, {bias.n_seeds}), f"{sizes} sets of weights for {bias.n_seeds} seeds"


def check_order_of_seeds_is_irrelevant(bias: Any) -> None:
    """Seeds passed in another order give the same sets of weights to 1e-6, in any order."""
    ensemble = example_bench().first(bias.plan())
    if ensemble is None:
        return
    one = _flat(weights_of(bias, ensemble))
    turned = [*range(1, len(ensemble.curves)), 0]
    two = _flat(weights_of(bias, reordered(ensemble, turned)))
    assert one.shape == two.shape
    gaps = np.abs(one[:, None] - two[None]).max(axis=-1)
    gap = max(gaps.min(axis=0).max(), gaps.min(axis=1).max())
    assert gap <= 1e-6, f"weights differ by {gap:.2g}"


def _flat(weights: Stacked) -> np.ndarray:
    return np.concatenate([weights[k].reshape(len(weights[k]), -1) for k in sorted(weights)], 1)


def reordered(ensemble: Any, order: list[int]) -> Any:
    """Return an ensemble of the same seeds in another order, or of some of them."""
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
    one, two = (weights_of(bias, ensemble) for _ in range(2))
    for name, value in one.items():
        assert value.tobytes() == two[name].tobytes(), f"{name}: same stream, other weights"
    after = np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
    assert np.array_equal(before, after), "global random state was touched"


def check_initial_weights_change_nothing(bias: Any) -> None:
    """The seeds and the rows that came in are as they were."""
    bench = example_bench()
    ensemble = bench.first(bias.plan())
    before = {} if ensemble is None else {k: v.copy() for k, v in ensemble.to_arrays().items()}
    x, rows = bench.x.copy(), bench.rows.copy()
    share = bench.model.network_.log_share.copy()
    clone(bias).initial_weights(ensemble, bench)
    for name, value in before.items():
        after = ensemble.to_arrays()[name]
        assert np.array_equal(value, after, equal_nan=value.dtype.kind == "f"), f"{name} changed"
    assert np.array_equal(x, bench.x) and np.array_equal(rows, bench.rows), "rows changed"
    assert np.array_equal(share, bench.model.network_.log_share), (
        "the network was last given other rows"
    )


def check_second_training_changes_the_weights(bias: Any) -> None:
    """With the default settings the seeds that rows are drawn from took steps, and have moved.

    Their curve begins with the weights of the bias, at step 0. A bias without a second training
    (``plan().last`` is not "tune") is not concerned.
    """
    from tabseed.inductive_bias.base import learn

    bench = example_bench()
    model, used = learn(clone(bias), bench)
    plan = used.plan()
    if plan.last != "tune":
        return
    start = used.initial_weights(bench.first(plan), bench)
    for at, seed in enumerate(model.drawn_):
        assert model.ensemble_.best_step[seed] > 0, f"seed {seed} took no step"
        assert model.ensemble_.curves[seed][0, 0] == 0, "the curve does not begin at the start"
        moved = {
            k: np.abs(v[at] - start[k][seed % len(start[k])]) for k, v in model.weights_.items()
        }
        still = [name for name, gap in moved.items() if not gap.any()]
        assert not still, f"seed {seed}: {', '.join(still)} did not change"
