"""Responses chosen among several: weights from rows that nothing saw, and what they promise."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.generators.two_stage.fitting import (
    CANDIDATES,
    Fitting,
    candidates,
    pool_weights,
    votes,
)
from tabseed.generators.two_stage.laws import ClassLaw

STREAM = np.random.SeedSequence(0)


def line(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return points (n, 3) and a noisy line through them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    return x, x @ np.array([1.0, -0.5, 0.0]) + 0.3 * rng.normal(size=n)


def test_weights_of_classes_and_numbers_find_the_better_model() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    good = np.where(y == 1, 0.9, 0.1)
    p = np.stack([np.stack([1 - q, q], axis=1) for q in (good, np.full(300, 0.5))], axis=-1)
    assert pool_weights("classification", p, y)[0] > 0.9
    z = rng.normal(size=300)
    f = np.stack([z + 0.1 * rng.normal(size=300), rng.normal(size=300)], axis=1)
    assert pool_weights("regression", f, z)[0] > 0.9


def test_a_line_is_learned_by_a_line_and_no_row_is_judged_by_a_model_that_saw_it() -> None:
    """Shuffled numbers cannot be predicted: out of fold, no correlation (5 standard errors)."""
    points, y = line(200)
    fitting = Fitting("auto", 5, STREAM)
    predictions, pool = fitting.crossed("regression", points, y, lambda m, x: m.predict(x).ravel())
    assert np.corrcoef(predictions, y)[0, 1] > 0.9
    straight = sum(
        w
        for name, w in zip(pool.names, pool.weights, strict=True)
        if name in ("linear", "splines", "process")
    )
    assert straight > 0.6 and pool.weights.sum() == pytest.approx(1)
    shuffled = np.random.default_rng(1).permutation(y)
    predictions, _ = fitting.crossed(
        "regression", points, shuffled, lambda m, x: m.predict(x).ravel()
    )
    assert abs(np.corrcoef(predictions, shuffled)[0, 1]) < 5 / 200**0.5


def test_a_pool_of_classes_is_a_mean_of_probabilities() -> None:
    points, y = line(120, 1)
    k = np.digitize(y, [-0.5, 0.5])
    p, pool = Fitting("auto", 3, STREAM).crossed(
        "classification", points, k, lambda m, x: votes(m, x, 3)
    )
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    by_hand = sum(w * votes(m, points, 3) for w, m in zip(pool.weights, pool.models, strict=True))
    np.testing.assert_allclose(pool.predict_proba(points), by_hand, rtol=1e-12)
    law = ClassLaw.fit(points, k.astype(float), np.arange(3), Fitting("auto", 3, STREAM))
    assert law.gain > 0.3 and "%" in law.says()[0]


def test_many_rows_leave_the_process_out() -> None:
    assert candidates("regression", 300, 20) == CANDIDATES
    assert "process" not in candidates("regression", 2_000, 20)
    assert "splines" not in candidates("classification", 300, 500)


def test_one_class_one_row_and_few_rows_are_learned() -> None:
    for n in (2, 5, 12):
        rng = np.random.default_rng(n)
        table = pa.table(
            {"x": rng.normal(size=n), "c": ["a", "b"][:1] * n, "y": rng.normal(size=n)}
        )
        for target in ("c", "y"):
            model = ts.FeatureResponse(response="auto", random_state=0).fit(table, target=target)
            assert model.sample(20).num_rows == 20


def test_a_chosen_response_is_saved_and_loaded(tmp_path) -> None:
    points, y = line(60)
    table = pa.table({"a": points[:, 0], "b": points[:, 1], "y": y})
    model = ts.FeatureResponse(ts.GaussianCopula(), "auto", random_state=0).fit(table, target="y")
    model.save(tmp_path / "m.tabseed")
    assert ts.load(tmp_path / "m.tabseed").sample(20).equals(model.sample(20))
