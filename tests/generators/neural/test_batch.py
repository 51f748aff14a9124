"""Splits of the rows: disjoint and rotating; each seed trains as if it were alone."""

from __future__ import annotations

import numpy as np

from tabseed._random import seed_sequence
from tabseed.coding.encode import TableEncoder
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.ensemble import train_ensemble
from tabseed.generators.neural.stopping import Training
from tabseed.generators.neural.vaebgm import CellNetwork
from tabseed.table import Table
from tabseed.testing import example_table


def test_split_is_disjoint_and_leaves_both_sides_a_row() -> None:
    for n in (2, 3, 5, 300):
        split = Split.draw(n, 0.2, seed_sequence(0))
        (train,), (validation,) = split.train, split.validation
        assert sorted([*train, *validation]) == list(range(n))
        assert len(train) and len(validation) == max(1, round(n * 0.2))
        assert sorted(split.whole().train[0]) == list(range(n))


def test_rotating_splits_follow_one_another_and_treat_all_rows_alike() -> None:
    for n, share, n_seeds in (
        (10, 0.2, 5),
        (10, 0.2, 10),
        (10, 0.3, 10),
        (23, 0.2, 7),
        (2, 0.5, 3),
    ):
        stream = seed_sequence(4)
        split = Split.draw(n, share, stream, n_seeds=n_seeds)
        n_held = split.validation.shape[1]
        assert split.train.shape == (n_seeds, n - n_held)
        order = np.resize(np.random.default_rng(stream).permutation(n), n_seeds * n_held)
        for seed, (train, validation) in enumerate(zip(split.train, split.validation, strict=True)):
            assert sorted([*train, *validation]) == list(range(n))
            assert set(validation) == set(order[seed * n_held : (seed + 1) * n_held])
        times = np.bincount(split.validation.ravel(), minlength=n)
        assert np.ptp(times) <= (n_seeds * n_held % n > 0)
        alone = Split.draw(n, share, stream)
        assert np.array_equal(alone.train, split.train[:1])
        assert np.array_equal(alone.validation, split.validation[:1])


def test_seeds_of_a_rotating_split_are_as_if_alone() -> None:
    """Each seed's weights and curve are those of training it alone on its own rows."""
    table = Table.from_frame(example_table(50))
    encoder = TableEncoder().fit(table)
    network = CellNetwork(encoder.layout_, 2, 8, 0.3)
    rows = network.rows(encoder.transform(table))
    split = Split.draw(len(rows), 0.2, seed_sequence(0), n_seeds=3)
    training = Training(steps=80, warm_up=10, patience=2)
    streams = [seed_sequence(seed) for seed in (5, 6, 7)]
    together = train_ensemble(network, rows, split, training, streams)
    for seed, stream in enumerate(streams):
        own = Split(split.train[[seed]], split.validation[[seed]])
        alone = train_ensemble(network, rows, own, training, [stream])
        np.testing.assert_allclose(together.curves[seed], alone.curves[0], atol=1e-4)
        assert together.best_step[seed] == alone.best_step[0]
        for name, value in alone.weights.items():
            np.testing.assert_allclose(together.weights[name][seed], value[0], atol=1e-5)


def _trained(pull: float, steps: int, rate: float = 0.01) -> tuple[dict, dict]:
    """Return the weights at the start and after some steps, stacked for 2 seeds."""
    table = Table.from_frame(example_table(50))
    encoder = TableEncoder().fit(table)
    network = CellNetwork(encoder.layout_, 2, 8, 0.3)
    rows = network.rows(encoder.transform(table))
    split = Split.draw(len(rows), 0.2, seed_sequence(0))
    streams = [seed_sequence(seed) for seed in (5, 6)]
    start = train_ensemble(network, rows, split, Training(steps=0), streams).weights
    how = Training(steps=steps, warm_up=steps, learning_rate=rate, pull=pull)
    return start, train_ensemble(network, rows, split, how, streams, initial=start).weights


def test_pull_shortens_the_first_step_as_the_proximal_step_does() -> None:
    """(w - v)^2/(2 rate) + pull (w - s)^2/2 is least at w = s + (v - s)/(1 + rate pull)."""
    start, free = _trained(0.0, 1)
    _, pulled = _trained(40.0, 1)
    for name, value in pulled.items():
        expected = start[name] + (free[name] - start[name]) / (1 + 0.01 * 40)
        assert np.abs(value - expected).max() < 1e-6, name
        assert np.abs(free[name] - start[name]).max() > 5e-3, name


def test_pull_bounds_the_distance_from_the_start() -> None:
    """Adam steps by at most rate (1 - 0.9)/sqrt(1 - 0.999): a weight stays within 3.2/pull."""
    start, pulled = _trained(100.0, 60)
    _, free = _trained(0.0, 60)
    far = {k: np.abs(v - start[k]).max() for k, v in free.items()}
    for name, value in pulled.items():
        assert 0 < np.abs(value - start[name]).max() <= 3.2 / 100 < far[name], name
