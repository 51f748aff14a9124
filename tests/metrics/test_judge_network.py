"""The judge's network: scikit-learn's network is the oracle of its arithmetic."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from tabseed.metrics.judge_network import HIDDEN, JudgeNetwork


def _rows(n: int, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d))
    return x, x[:, 0] * x[:, 1] > 0, rng.uniform(0.5, 2.0, n)


@pytest.mark.parametrize(("n", "batch", "alpha"), [(200, 32, 1.0), (97, 40, 0.3), (64, 64, 0.0)])
def test_the_weights_are_those_of_scikit_learn(n: int, batch: int, alpha: float) -> None:
    x, y, weights = _rows(n, 5)
    settings = {"alpha": alpha, "learning_rate_init": 1e-2, "batch_size": batch}
    theirs = MLPClassifier(HIDDEN, shuffle=False, random_state=3, **settings)
    ours = JudgeNetwork(5, alpha, 1e-2, np.random.default_rng(0))
    sizes = (5, *HIDDEN, 1)
    start = np.random.RandomState(3)  # their first weights, in their order
    first = []
    for fan_in, fan_out in pairwise(sizes):
        bound = np.sqrt(6 / (fan_in + fan_out))
        first += [start.uniform(-bound, bound, (fan_in, fan_out)).ravel()]
        first += [start.uniform(-bound, bound, fan_out)]
    ours.parameters[:] = np.concatenate(first)
    for _ in range(10):
        theirs.partial_fit(x, y, classes=[False, True], sample_weight=weights)
        ours.train(*(v.astype(np.float32) for v in (x, y, weights)), batch)
    layers = zip(theirs.coefs_, theirs.intercepts_, strict=True)
    expected = np.concatenate([part.ravel() for layer in layers for part in layer])
    np.testing.assert_allclose(ours.parameters, expected, atol=2e-4)
    share = 1 / (1 + np.exp(-ours.logit(x.astype(np.float32))))
    np.testing.assert_allclose(share, theirs.predict_proba(x)[:, 1], atol=1e-3)


def test_it_learns_what_no_line_separates() -> None:
    x, y, weights = (v.astype(np.float32) for v in _rows(2_000, 2))
    network = JudgeNetwork(2, 0.0, 1e-2, np.random.default_rng(1))
    for _ in range(20):
        network.train(x[:1_000], y[:1_000], weights[:1_000], 32)
    assert np.mean((network.logit(x[1_000:]) > 0) == y[1_000:]) > 0.95


def test_extreme_rows_keep_the_logits_finite() -> None:
    x = np.zeros((100, 2), dtype=np.float32)
    x[:50] = 1e4
    y = np.arange(100) < 50
    network = JudgeNetwork(2, 1.0, 1e-2, np.random.default_rng(1))
    with np.errstate(all="raise", under="ignore"):
        for _ in range(50):
            network.train(x, y.astype(np.float32), np.ones(100, dtype=np.float32), 32)
    assert np.isfinite(network.logit(x)).all()
    assert (network.logit(x[:50]) > network.logit(x[50:])).all()
