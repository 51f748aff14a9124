"""Resampling: smoothing moves numbers only, and by its bandwidth."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import ndtri

import tabseed as ts
from tabseed.testing import example_table


def test_smoothing_moves_numbers_and_nothing_else() -> None:
    table = example_table(200)
    plain, smooth = (
        ts.Resample(smoothing=h, random_state=0).fit(table).sample(500) for h in (0.0, 1.0)
    )
    rows = {tuple(r.values()) for r in table.drop_columns("person_id").to_pylist()}
    assert {tuple(r.values()) for r in plain.to_pylist()} <= rows
    assert sum(tuple(r.values()) in rows for r in smooth.to_pylist()) < 100
    for name in ("level", "owns"):
        assert smooth[name].equals(plain[name])
    incomes = smooth["income"].drop_null().to_numpy()
    assert np.array_equal(np.round(incomes, 2), incomes)  # on the grid of cents


def test_smoothing_widens_the_variance_by_the_bandwidth() -> None:
    """Var of x + h c sd(x) eps, c = (4/(3n))^(1/5), clipped to the range: 400,000 draws, to 1 %.

    Inside the range that is Var x (1 + (h c)^2).
    """
    rng = np.random.default_rng(8)
    c = rng.choice(["a", "b"], 300)
    table = pa.table({"x": rng.normal(size=300), "k": rng.integers(0, 900, 300), "c": c})
    eps = ndtri((np.arange(1_000) + 0.5) / 1_000)
    for h in (0.0, 0.5, 1.0):
        synthetic = ts.Resample(smoothing=h, random_state=0).fit(table).sample(400_000)
        for name in ("x", "k"):
            x = table[name].to_numpy()
            smoothed = x[:, None] + h * (4 / 900) ** 0.2 * x.std() * eps
            wide = smoothed.clip(x.min(), x.max()).var()
            assert synthetic[name].to_numpy().var() == pytest.approx(wide, rel=0.01)
            assert h == 0 or wide > 1.01 * x.var()
        assert pa.types.is_integer(synthetic["k"].type)
        assert (
            abs(np.mean(synthetic["c"].to_numpy() == "a") - np.mean(c == "a"))
            < 4 * 0.5 / 400_000**0.5
        )
