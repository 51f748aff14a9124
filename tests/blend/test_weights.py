"""How a blend is weighed: the likeliest mixture, and a rule that does no harm."""

from __future__ import annotations

import numpy as np
import pytest

from tabseed.blend.ratios import log_ratios
from tabseed.blend.weights import log_density, weigh
from tabseed.estimates.simplex import likeliest_weights

RNG = np.random.default_rng(0)


def seen(laws: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Return log-densities of cells (n,) under laws (M, cells), relative to their mean."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log((laws / laws.mean(axis=0))[:, cells].T))


def js(p: np.ndarray, q: np.ndarray) -> float:
    m = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(sum(np.where(x > 0, x * np.log2(x / m), 0).sum() for x in (p, q)) / 2)


def test_ratios_give_the_weights_that_densities_give() -> None:
    laws = RNG.dirichlet(np.ones(6), 3)
    cells = np.random.default_rng(1).choice(6, 400, p=[0.5, 0.3, 0.2] @ laws)
    ratios = seen(laws, cells)
    own = likeliest_weights(np.log(laws[:, cells].T), np.full(3, 1 / 3), 3.0)
    np.testing.assert_allclose(likeliest_weights(ratios, np.full(3, 1 / 3), 3.0), own, atol=1e-6)
    grid = RNG.dirichlet(np.ones(3), 2_000)
    best = likeliest_weights(ratios, np.full(3, 1 / 3), 0.0)
    assert log_density(ratios, best).sum() >= max(log_density(ratios, w).sum() for w in grid) - 1e-6


def test_a_mixture_of_two_halves_of_the_law_is_found() -> None:
    """The real law is the mean of the two members, so that neither alone is near it."""
    halves = np.array([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    cells = np.random.default_rng(3).choice(4, 300, p=halves.mean(axis=0))
    chosen = weigh(seen(halves, cells), np.random.default_rng(0))
    np.testing.assert_allclose(chosen.weights, [0.5, 0.5], atol=0.05)
    assert chosen.gain > 5 * chosen.error


def test_a_forest_of_drawn_rows_sees_how_far_real_rows_are_from_each_generator() -> None:
    """Real rows N(0, 1) in two columns, generators N(0.5, 1) and N(1, 1) in the first.

    The real law is farther from the second by (1 - 0.25) / 2 = 0.375 nats; seen within 0.1, of
    which the mean of 2,000 rows accounts for 0.011.
    """
    rng = np.random.default_rng(5)
    real, *drawn = (rng.normal(size=(n, 2)) for n in (2_000, 3_000, 3_000))
    drawn[0][:, 0] += 0.5
    drawn[1][:, 0] += 1
    logs = log_ratios(drawn, real, np.random.SeedSequence(0))
    assert (logs[:, 0] - logs[:, 1]).mean() == pytest.approx(0.375, abs=0.1)
    turned = log_ratios(drawn[::-1], real, np.random.SeedSequence(0))
    assert (turned[:, 1] - turned[:, 0]).mean() == pytest.approx(0.375, abs=0.1)
    assert log_ratios(drawn[:1], real, np.random.SeedSequence(0)).tolist() == [[0.0]] * 2_000


def test_a_worthless_member_gets_little_and_the_best_alone_may_stay() -> None:
    """The first member is the law itself, the second is far from it: 57 rows, 40 tables.

    The mixture that is chosen is never farther from the law than 0.02 bits, on average 0.005.
    """
    law, far = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.05, 0.05, 0.1, 0.8])
    lost = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        cells = rng.choice(4, 57, p=law)
        w = weigh(seen(np.stack([law, far]), cells), rng).weights
        lost.append(js(law, w[0] * law + w[1] * far))
    assert max(lost) < 0.02 and np.mean(lost) < 0.005


def test_units_of_the_evidence_and_the_order_of_members_do_not_matter() -> None:
    logs = RNG.normal(size=(100, 3))
    first = weigh(logs, np.random.default_rng(0)).weights
    shifted = weigh(logs - 700, np.random.default_rng(0)).weights
    turned = weigh(logs[:, ::-1], np.random.default_rng(0)).weights
    np.testing.assert_allclose(first, shifted, atol=1e-6)
    np.testing.assert_allclose(first, turned[::-1], atol=1e-6)
