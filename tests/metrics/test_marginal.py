"""Distances of single columns by hand, and their bootstrap intervals."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tabseed.metrics import MarginalDistance


def test_kolmogorov_distance_of_two_uniforms() -> None:
    """U(0, 1) against U(0.3, 1.3) has distance 0.3; on even grids of 1,000 up to 1/1,000."""
    grid = (np.arange(1_000) + 0.5) / 1_000
    result = MarginalDistance().evaluate(
        pa.table({"x": grid}), pa.table({"x": grid + 0.3}), random_state=0
    )
    assert result.headline.value == pytest.approx(0.3, abs=2e-3)
    assert result.headline.low < 0.3 < result.headline.high
    assert result.headline.unit == "share" and result.headline.better == "lower"


def test_marginals_by_hand() -> None:
    """Categories: |.5-.2|, |.5-.3|, |0-.5| halved; numbers: only the missing tenth differs."""
    real = pa.table({"c": ["a"] * 10 + ["b"] * 10, "x": [0.5, 1.5] * 10})
    fake = pa.table(
        {"c": ["a"] * 4 + ["b"] * 6 + [None] * 10, "x": [None] * 2 + [0.5, 1.5] * 9},
    )
    result = MarginalDistance().evaluate(real, fake, random_state=0)
    assert result.columns == pytest.approx({"c": 0.5, "x": 0.1})
    assert result.headline.value == pytest.approx(0.3)


def test_marginal_interval_has_the_bootstrap_width() -> None:
    """One binary column: sd of the difference of shares is sqrt(.25/400 + .21/400) = 0.0339."""
    real = pa.table({"c": ["a"] * 200 + ["b"] * 200})
    fake = pa.table({"c": ["a"] * 280 + ["b"] * 120})
    result = MarginalDistance(n_bootstrap=2_000).evaluate(real, fake, random_state=0)
    half = result.headline.high - result.headline.value
    assert result.headline.value == pytest.approx(0.2)
    assert half == pytest.approx(1.96 * 0.0339, rel=0.08)


def test_resampling_in_chunks_keeps_rows_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two copies of a column have the interval of one: resampling takes rows, not cells."""
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=60), rng.normal(size=60) + 1
    one = MarginalDistance().evaluate(pa.table({"x": a}), pa.table({"x": b}), random_state=0)
    two = MarginalDistance().evaluate(
        pa.table({"x": a, "y": a}), pa.table({"x": b, "y": b}), random_state=0
    )
    assert one.headline == two.headline
