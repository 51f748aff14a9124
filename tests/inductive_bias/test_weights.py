"""Averages of weights and their geometry."""

from __future__ import annotations

import numpy as np
import pytest

import tabseed as ts
from helpers.biases import NONE, assert_equal_weights
from tabseed.errors import OrthogonalSeedsWarning, TabseedError
from tabseed.inductive_bias.base import Plan
from tabseed.inductive_bias.weights import average, geometry
from tabseed.testing.biases import example_bench

# averages of seeds that share nothing warn
pytestmark = pytest.mark.filterwarnings("ignore::tabseed.OrthogonalSeedsWarning")


def test_geometry_of_equal_and_of_random_seeds() -> None:
    """Cosines of 2,000 normal numbers have standard error 1/sqrt(2000): 5 of them, 28 pairs."""
    rng = np.random.default_rng(0)
    many = rng.standard_normal((8, 40, 50)).astype(np.float32)
    unlike = geometry({"w": many, "w.bias": np.ones((8, 1, 50), np.float32)})
    assert list(unlike.by_name) == ["w"]
    assert abs(unlike.cosine) < 5 / 2_000**0.5 / 28**0.5
    assert unlike.norm_ratio == pytest.approx(8**-0.5, rel=0.05)
    alike = geometry({"w": many[[0] * 8], "v": 3 * many[[1] * 8]})
    assert alike.cosine == pytest.approx(1) and alike.norm_ratio == pytest.approx(1)
    two = geometry({"w": np.stack([np.diag([3.0, 0.0]), np.diag([0.0, 4.0])])})
    assert two.cosine == 0 and two.norm_ratio == pytest.approx(2.5 / 3.5)
    alone = geometry({"w": many[:1]})
    assert (alone.cosine, alone.norm_ratio) == (1, pytest.approx(1))


def test_averages_of_unrelated_seeds_warn_and_of_branches_do_not() -> None:
    bench = example_bench()
    seeds = bench.first_seeds(3)
    bias = ts.WeightAveraging(n_seeds=3)
    with pytest.warns(OrthogonalSeedsWarning, match="nearly orthogonal"):
        bias.initial_weights(seeds, bench)
    assert "nearly orthogonal" in bias.summary()[1]
    for steps in (0, 15):
        bias = ts.WeightAveraging(n_seeds=3, branches=steps)
        assert bias.plan().first == "none"
        bias.initial_weights(None, bench)
        assert bias.geometry_.cosine > 0.8 and len(bias.summary()) == 1


def test_branches_share_their_first_steps() -> None:
    """Branches that take no step are equal to the trunk, which took as many steps as asked."""
    bench = example_bench()
    bench.training = NONE
    weights = ts.WeightAveraging(n_seeds=3, branches=20).initial_weights(None, bench)
    trunk = bench.journal.finished["trunk of 20"]
    assert trunk["best_step"].tolist() == [20]
    assert_equal_weights(weights, {k: trunk[f"weights.{k}"] for k in weights})


def test_average_of_the_best() -> None:
    bench = example_bench()
    seeds = bench.first_seeds(3)
    weights = ts.WeightAveraging(n_seeds=3, top=2).initial_weights(seeds, bench)
    best = np.argsort(seeds.best_loss)[:2]
    assert_equal_weights(weights, average(seeds.of_seeds(best)))
    for name, value in weights.items():
        expected = seeds.weights[name][best].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(value[0], expected, rtol=1e-6, atol=1e-8)
    for top in (0, 4):
        with pytest.raises(TabseedError, match=f"top={top} is"):
            ts.WeightAveraging(n_seeds=3, top=top).initial_weights(seeds, bench)


def test_small_init_shrinks_what_is_random_and_nothing_else() -> None:
    """Norms fall by sqrt(n_averaged), within 5 standard errors of the norm of each matrix."""
    bench = example_bench()
    network = bench.model.network_
    fresh = network.initial_weights(np.random.default_rng(0))
    for n_averaged in (1, 10):
        weights = ts.SmallInit(n_seeds=4, n_averaged=n_averaged).small(bench)
        assert np.array_equal(weights["cells.bias"], np.stack([network.log_share[None]] * 4))
        for name in ("encode.weight", "code.weight", "decode.weight", "cells.weight"):
            norms = np.linalg.norm(weights[name].reshape(4, -1), axis=1)
            ratio = norms.mean() / np.linalg.norm(fresh[name]) * n_averaged**0.5
            standard_error = (1.25 / (2 * fresh[name].size)) ** 0.5
            assert abs(ratio - 1) < 5 * standard_error, name
        assert not np.array_equal(weights["encode.weight"][0], weights["encode.weight"][1])
    with pytest.raises(TabseedError, match="n_averaged=0"):
        ts.SmallInit(n_averaged=0).initial_weights(None, bench)


@pytest.mark.parametrize(
    ("bias", "expected"),
    [
        (ts.StageOne(n_seeds=4), Plan(4, last="none", stages=1)),
        (ts.StageOne(ts.Pretraining(3), n_seeds=4), Plan(3, last="judge", stages=3)),
        (ts.StageOne(ts.SmallInit(3)), Plan(3, first="none", last="judge")),
        (ts.StageOne(ts.SeedMixture(n_seeds=3)), Plan(3, last="none", stages=1)),
        (ts.SeedMixture(n_seeds=4), Plan(4, "rotating", "none", mixes=True, stages=1)),
        (ts.SeedMixture(n_seeds=4, rotate=False), Plan(4, "shared", "none", True, 1)),
        (ts.SeedMixture(ts.Continued(3), n_seeds=4), Plan(3, mixes=True)),
        (ts.SeedMixture(ts.SmallInit(3)), Plan(3, "none", mixes=True)),
        (ts.SeedMixture(ts.WeightAveraging(3, branches=0)), Plan(3, "none", "tune", True, 3)),
    ],
)
def test_a_wrapper_changes_only_its_own_part_of_a_plan(bias, expected) -> None:
    """Plans written by hand: what is left out, mixed or rotated."""
    assert bias.plan() == expected
