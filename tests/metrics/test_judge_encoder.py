"""The judge's view of tables: grain, last bits, levels, and no use of labels."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from helpers.divergence import judge, mixed
from tabseed.metrics.judge_encoder import JudgeEncoder, coarse_codes, merge_close
from tabseed.table import Table


@pytest.mark.slow
def test_coarse_view_forgives_grain_and_keeps_shape() -> None:
    """Rounded against unrounded: all of the plain difference is grain."""
    rng = np.random.default_rng(10)
    real = pa.table({"x": np.round(rng.normal(size=800), 1)})
    fake = pa.table({"x": np.round(rng.normal(size=800), 1) + rng.choice([-0.03, 0.03], 800)})
    result = judge(real, fake, views=("plain", "coarse"))
    assert result.js.value > 0.3
    assert result.js_coarse.value < 0.15


def test_coarse_codes_by_hand() -> None:
    real = np.arange(1.0, 101)
    codes = coarse_codes(real, np.array([-5.0, 1.0, 5.95, 5.96, 50.5, 1e9, np.nan]))
    assert codes[:6].tolist() == [0, 0, 0, 1, 9, 19]
    assert np.isnan(codes[6])
    assert coarse_codes(np.full(3, np.nan), np.array([1.0, np.nan]))[0] == 0


def test_last_bits_of_numbers_are_not_seen() -> None:
    """Values whose last bits differ are equal to the judge; values 1e-6 apart are not."""
    left, right = merge_close([np.array([0.3, 1.0, np.nan]), np.array([0.1 + 0.2, 1 + 1e-6, 0.0])])
    assert left[0] == right[0] and left[1] != right[1] and np.isnan(left[2])
    rng = np.random.default_rng(16)
    steps = rng.integers(0, 60, size=(2, 600))
    real, fake = pa.table({"x": steps[0] * 0.0732}), pa.table({"x": 0.0732 * 7 * (steps[1] / 7)})
    assert not set(real["x"].to_pylist()) >= set(fake["x"].to_pylist())  # bits do differ
    assert judge(real, fake).js.low <= 0


def test_encoding_does_not_look_at_labels() -> None:
    rng = np.random.default_rng(11)
    left = Table.from_frame(pa.table(mixed(50, rng)))
    right = Table.from_frame(pa.table(mixed(70, rng)), schema=left.schema)
    one, two = JudgeEncoder().encode(left, right), JudgeEncoder().encode(right, left)
    for a, b in ((one.trees, two.trees), (one.mlp, two.mlp)):
        np.testing.assert_allclose(a, np.vstack([b[70:], b[:70]]), atol=1e-9)
    assert np.isfinite(one.mlp).all()


def test_many_levels_fit_the_trees() -> None:
    rng = np.random.default_rng(12)
    names = np.array([f"level {i}" for i in range(400)])
    real = Table.from_frame(pa.table({"c": rng.choice(names, 900)}), kinds={"c": "categorical"})
    codes = JudgeEncoder().encode(real, real).trees[:, 0]
    assert codes.max() == 254 and codes.min() == 0
    # the rest is one level, so the last code is the most common
    assert (codes == 254).sum() > (codes == 0).sum()
