"""What synthetic rows leave out: levels, missing cells, spread."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from helpers.chi_square import judge
from tabseed.metrics.left_out import left_out
from tabseed.table import Table


def test_a_dropped_level_warns_and_an_invented_one_stays_finite() -> None:
    rng = np.random.default_rng(14)
    few, many = rng.choice(["a", "b"], 200), rng.choice(["a", "b", "c"], 200)
    dropped = judge(pa.table({"c": many}), pa.table({"c": few}), "histogram")
    invented = judge(pa.table({"c": few}), pa.table({"c": many}), "histogram")
    assert dropped.plugin.value == math.inf and math.isfinite(dropped.pooled.value)
    assert any("never generated: 'c'" in line for line in dropped.warnings)
    assert invented.plugin.value == pytest.approx(0.5, abs=0.25)  # e/(1 - e), e = 1/3; 4 sd
    assert not invented.warnings


def test_missing_cells_that_are_never_generated_are_named() -> None:
    x = np.random.default_rng(15).normal(size=100)
    real = Table.from_frame(pa.table({"x": pa.array(x, mask=np.arange(100) < 12)}))
    lines = left_out(real, Table.from_frame(pa.table({"x": x}), schema=real.schema))
    assert len(lines) == 1 and "missing cells (12 of 100 real rows)" in lines[0]
    assert not left_out(real, real)


def test_a_level_that_chance_leaves_out_is_not_reported() -> None:
    """One real row in 100 has it; 100 synthetic rows lack it one time in three."""
    real = pa.table({"c": ["once", *["a", "b", "c"] * 33]})
    fake = pa.table({"c": ["a", *["a", "b", "c"] * 33]})
    assert not judge(real, fake, "histogram").warnings


def test_a_narrow_column_is_distinguished_from_noise() -> None:
    """200 pairs of one law, some with heavy tails: an alarm at ratio 1 is far beyond 5 sd."""
    rng = np.random.default_rng(16)

    def lines(p: np.ndarray, q: np.ndarray) -> tuple[str, ...]:
        real = Table.from_frame(pa.table({"x": p}))
        return left_out(real, Table.from_frame(pa.table({"x": q}), schema=real.schema))

    alarms = 0
    for _ in range(100):
        alarms += bool(lines(rng.normal(size=40), rng.normal(size=400)))
        alarms += bool(lines(rng.standard_t(2, size=100), rng.standard_t(2, size=100)))
    assert alarms == 0
    narrow = lines(rng.normal(size=300), 0.4 * rng.normal(size=300))
    assert len(narrow) == 1 and "standard deviation is 0.4" in narrow[0]
    body = np.concatenate([0.3 * rng.normal(size=300), [-9.0, 9.0, 8.0, -8.0]])
    assert "interquartile range" in lines(rng.normal(size=300), body)[0]
    assert "all synthetic values are equal" in lines(rng.normal(size=300), np.full(300, 0.1))[0]
