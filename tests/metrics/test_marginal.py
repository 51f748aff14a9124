"""Distances of single columns by hand, and their bootstrap intervals."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import hypergeom, ks_2samp, wasserstein_distance

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


def gappy(rng: np.random.Generator, n: int, shift: float) -> np.ndarray:
    """Return numbers with ties, a fifth of them missing."""
    x = np.round(rng.normal(size=n) + shift, 1)
    return np.where(rng.random(n) < 0.2, np.nan, x)


def test_distances_agree_with_scipy() -> None:
    rng = np.random.default_rng(0)
    for n, m in ((5, 9), (40, 300), (200, 80)):
        x, y = gappy(rng, n, 0.0), gappy(rng, m, 0.4)
        u, v = rng.integers(0, 5, n), rng.integers(1, 6, m)
        result = MarginalDistance(n_bootstrap=2).evaluate(
            pa.table({"x": pa.array(x, mask=np.isnan(x)), "c": [f"c{i}" for i in u]}),
            pa.table({"x": pa.array(y, mask=np.isnan(y)), "c": [f"c{i}" for i in v]}),
        )
        below = [np.where(np.isnan(cells), -100, cells) for cells in (x, y)]
        assert result.columns["x"] == pytest.approx(ks_2samp(*below).statistic, abs=1e-9)
        counts = (np.bincount(cells, minlength=6) / len(cells) for cells in (u, v))
        assert result.columns["c"] == pytest.approx(np.abs(np.subtract(*counts)).sum() / 2)
        shift = result.shifts.compared()["x"].value
        present = (cells[~np.isnan(cells)] for cells in (x, y))
        assert shift == pytest.approx(wasserstein_distance(*present), abs=1e-9)
        missing = result.missing.compared()["x"].value
        assert missing == pytest.approx(np.isnan(y).mean() - np.isnan(x).mean(), abs=1e-12)
        assert set(result.shifts.names) == set(result.missing.names) == {"x"}


def test_dates_shift_by_days() -> None:
    days = [datetime(2020, 1, 1) + timedelta(hours=7 * i) for i in range(60)]
    later = [day + timedelta(days=3) for day in days]
    result = MarginalDistance().evaluate(pa.table({"d": days}), pa.table({"d": later}))
    assert result.shifts.compared()["d"].value == pytest.approx(3, abs=1e-9)


def test_empty_and_constant_columns_have_no_null() -> None:
    """A column without a value in either table, and one of a single value, cannot differ."""
    n = 30
    real = pa.table(
        {
            "empty": pa.array([None] * n, pa.float64()),
            "one": [2.5] * n,
            "half": pa.array([None, 1.5] * (n // 2)),
            "x": np.random.default_rng(0).normal(size=n),
        }
    )
    gone = real.set_column(2, "half", pa.array([None] * n, pa.float64()))
    result = MarginalDistance(permutations=99).evaluate(real, gone)
    distances = result.distances.compared()
    for name in set(distances) - {"half", "x"}:
        assert distances[name].value == 0 and distances[name].p == 1
    assert distances["half"].value == 0.5 and distances["half"].differs
    assert result.missing.compared()["half"].value == 0.5
    assert "half" not in result.shifts.names and "x" in result.shifts.names


def test_chance_gives_what_the_hypergeometric_law_gives() -> None:
    """One category of 7 in 20: distance |a/8 - (7 - a)/12|, a hypergeometric. Seed fixed."""
    real = pa.table({"c": ["a"] * 3 + ["b"] * 5})
    fake = pa.table({"c": ["a"] * 4 + ["b"] * 8})
    one = MarginalDistance(permutations=9_999).evaluate(real, fake).distances.compared()["c"]
    a = np.arange(8)
    law, distance = hypergeom(20, 7, 8).pmf(a), np.abs(a / 8 - (7 - a) / 12)
    assert one.by_chance == pytest.approx(law @ distance, abs=0.005)  # 5 standard errors
    p = law[distance >= distance[3] - 1e-12].sum()
    assert one.p == pytest.approx(p, abs=5 * np.sqrt(p * (1 - p) / 10_000) + 1e-4)


def test_intervals_hold_the_truth() -> None:
    """True distances of N(0, 1) from N(1, 2^2), and of missing shares, in 200 draws of 60 + 90.

    Coverage is 95 % or more by design; fewer than 180 of 200 would have probability 0.003.
    """
    from scipy.stats import norm

    grid = np.linspace(-12, 12, 240_001)
    gap = norm.cdf(grid) - norm.cdf(grid, 1, 2)
    truth = {"distances": np.abs(gap).max(), "shifts": np.abs(gap).sum() * (grid[1] - grid[0])}
    rng = np.random.default_rng(6)
    held = dict.fromkeys([*truth, "missing"], 0)
    for _ in range(200):
        real, fake = rng.normal(size=60), rng.normal(1, 2, size=90)
        gaps = [pa.array([None if u < q else 1.5 for u in rng.random(k)]) for q, k in
                ((0.05, 60), (0.15, 90))]  # fmt: skip
        result = MarginalDistance(n_bootstrap=100).evaluate(
            pa.table({"x": real, "g": gaps[0]}), pa.table({"x": fake, "g": gaps[1]})
        )
        found = {name: getattr(result, name).compared() for name in truth}
        for name, value in truth.items():
            held[name] += found[name]["x"].low <= value <= found[name]["x"].high
        missing = result.missing.compared()["g"]
        held["missing"] += missing.low <= 0.1 <= missing.high
    assert min(held.values()) >= 180, held


def test_the_detectable_difference_is_detected() -> None:
    """Of uniforms on [0, 1] and [d, 1 + d], whose distance and shift is d. Seed fixed.

    With a power of 80 % fewer than 70 of 100 would have probability 0.6 %.
    """
    rng = np.random.default_rng(8)

    def judged(d: float):
        real, fake = rng.random(60), rng.random(90) + d
        return MarginalDistance(n_bootstrap=2, permutations=99).evaluate(
            pa.table({"x": real}), pa.table({"x": fake})
        )

    for family in ("distances", "shifts"):
        reach = np.median(
            [getattr(judged(0), family).compared()["x"].detectable for _ in range(20)]
        )
        found = [getattr(judged(reach), family).compared()["x"].differs for _ in range(100)]
        assert sum(found) >= 70
