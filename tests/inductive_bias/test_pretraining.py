"""Rows that seeds generate: from which seeds, and how many."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

import tabseed as ts
from helpers.biases import assert_equal_weights
from tabseed.errors import TabseedError
from tabseed.generators.neural.ensemble import SeedEnsemble
from tabseed.inductive_bias.base import Bench
from tabseed.inductive_bias.pretraining import POOL
from tabseed.testing.biases import example_bench

# averages of seeds that share nothing say so
pytestmark = pytest.mark.filterwarnings("ignore::tabseed.OrthogonalSeedsWarning")


class Recording(Bench):
    """A bench that keeps the rows trained on."""

    def train_on(self, name, x, n_networks, stream):
        self.trained_on = x
        return super().train_on(name, x, n_networks, stream)


def recording_bench() -> Recording:
    made = example_bench()
    return Recording(made.model, made.x, made.layout, made.stream, made.journal)


def pool_of(seed_weights) -> tuple[Recording, list[np.ndarray]]:
    """A bench at which the pool was trained on, and 90 rows of each seed, the best first."""
    bench = recording_bench()
    seeds = bench.first_seeds(3)
    bias = ts.DomainRandomizedSearch(n_seeds=3, n_rows=90, seed_weights=seed_weights)
    bias.initial_weights(seeds, bench)
    return bench, bench.draw(seeds.ranked(), [90, 90, 90], POOL)


def test_given_weights_draw_from_those_seeds_alone() -> None:
    for seed, weights in enumerate(np.eye(3).tolist()):
        bench, of_each = pool_of(weights)
        own = bench.draw(bench.first_seeds(3).ranked(), [90 * int(w) for w in weights], POOL)
        assert np.array_equal(bench.trained_on, own[seed])
        assert [len(rows) for rows in own] == [90 * int(w) for w in weights]
        assert np.array_equal(own[seed], of_each[seed])


def test_shares_of_the_pool() -> None:
    """In closed form; sizes are drawn by them, 90 rows in all."""
    bench, _ = pool_of("equal")
    assert len(bench.trained_on) == 90
    ensemble = bench.first_seeds(3).ranked()
    ensemble.best_loss = np.array([6.0, 7.5, np.inf])
    shares = [
        ts.DomainRandomizedSearch(seed_weights=weights)._shares(ensemble)
        for weights in ("equal", "loss", [2, 1, 1])
    ]
    expected = [[0.5, 0.5, 0], [*softmax([-6.0, -7.5]), 0], [2 / 3, 1 / 3, 0]]
    np.testing.assert_allclose(shares, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "weights", [[1, 0], [1, 1, 1, 1], [-1, 1, 1], [0, 0, 0], [np.nan, 1, 1], [np.inf, 1, 1], "best"]
)
def test_weights_that_are_no_shares_are_refused(weights) -> None:
    with pytest.raises(TabseedError, match="seed_weights"):
        pool_of(weights)


def test_pretraining_draws_from_the_best_seed() -> None:
    bench = recording_bench()
    seeds = bench.first_seeds(3)
    bias = ts.Pretraining(n_seeds=3, n_rows=90)
    found = bias.initial_weights(seeds, bench)
    assert len(bench.trained_on) == 90
    again = recording_bench()
    only = again.first_seeds(3)
    others = [s for s in range(3) if s != only.chosen]
    for value in only.weights.values():
        value[others] = 0
    assert_equal_weights(found, bias.initial_weights(only, again))
    with pytest.raises(TabseedError, match="at least 10"):
        ts.Pretraining(n_seeds=3, n_rows=9).initial_weights(seeds, bench)


def test_seeds_draw_rows_of_their_own() -> None:
    """Two seeds that are one in weights and rows differ in the chance of drawing."""
    bench = example_bench()
    seeds = bench.first_seeds(2)
    twins = SeedEnsemble(
        seeds.of_seeds([0, 0]), [seeds.curves[0]] * 2, seeds.best_step, seeds.best_loss
    )
    one, two = bench.draw(twins, [40, 40], 1)
    assert one.shape == two.shape and not np.array_equal(one, two)


def test_rows_set_aside_do_not_shape_the_rows_drawn() -> None:
    """Other rows in their places, same draws; other rows that train, other draws."""
    bench = example_bench()
    seeds = bench.first_seeds(2)
    one = bench.draw(seeds, [40, 40], 1)
    (train,), (held,) = bench.split().train, bench.split().validation
    for places, same in ((held, True), (train[: len(held)], False)):
        before = bench.rows.copy()
        bench.rows[places] = bench.rows[train[-len(places) :]]
        two = bench.draw(seeds, [40, 40], 1)
        assert np.array_equal(one[0], two[0]) == np.array_equal(one[1], two[1]) == same
        bench.rows = before
