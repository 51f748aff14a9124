"""Cells: grids of numbers and dates, and the law of draws from given cells."""

from __future__ import annotations

import datetime as dt
from math import log

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from helpers.encoding import fitted, shares
from tabseed.coding.cells import DATE_UNITS, KNOTS, MAX_LEVELS, _grid, number_block

ALARM = 1e-4  # share of seeds for which a statistical test here would fail by chance


DAY = 86_400_000_000


# --- grids --------------------------------------------------------------------------------------

DAYS = np.array([*range(0, 3000, 7), 3001, 2_932_896]) * float(DAY)  # up to 9999-12-31


@pytest.mark.parametrize(
    ("numbers", "step", "decimals"),
    [
        ([], 0, -1),
        ([7.25], 0.01, 2),
        (np.arange(20) * 5 + 3, 5, 0),
        (np.arange(5) * 5 + 3, 1, 0),  # too few numbers to conclude that the step is 5
        (np.round(np.arange(20) * 0.1, 1), 0.1, 1),
        (np.round(np.arange(20) * 0.25 - 3, 2), 0.25, 2),
        (np.arange(30) / 7 + 1000, 1 / 7, -1),
        (np.arange(30) * 2.5e-12, 2.5e-12, -1),
        ((np.arange(30) * 0.1).astype(np.float32), 0.1, 1),
        ((np.arange(30) * 0.1).astype(np.float16), 0.1, 1),
        (np.arange(30) * 0.1, 0.1, 1),
        (np.arange(1, 40) * 19.99, 19.99, 2),
        (np.append(np.arange(0, 60, 2) / 100, 0.1 + 0.2), 0.02, 2),
        (np.cumsum(np.full(500, 0.01)), 0.01, 2),
        (np.random.default_rng(0).normal(size=50).astype(np.float32), 0, -1),
        (DAYS, DAY, 0),
        (np.arange(12) * 1e16, 1e16, 0),
        (np.random.default_rng(0).normal(size=50), 0, -1),
        (np.random.default_rng(0).normal(size=50) * 1e149, 0, -1),
        (np.random.default_rng(0).normal(size=50) * 1e-305, 0, -1),
        ([-1e150, 0.5, 1e150], 0, -1),
        (np.arange(30) * 5e-324, 0, -1),
        ([0.5, 2.0**53], 0, -1),
        ([-(2.0**60), 3, 5], 0, -1),  # 2^60 + 3 is not a float
    ],
)
def test_grids_are_found_where_there_are_any(numbers, step, decimals) -> None:
    distinct = np.unique(np.asarray(numbers, float))
    result, origin, result_decimals, bits = _grid(distinct)
    assert result == pytest.approx(step, rel=1e-6)
    assert result_decimals == decimals
    if result and decimals >= 0:
        k = np.round((distinct - origin) / result)
        on_grid = np.round(origin + k * result, decimals)
        if bits < 64:
            np.testing.assert_array_equal(on_grid.astype(f"f{bits // 8}"), distinct)
        np.testing.assert_allclose(on_grid, distinct, rtol={64: 1e-13, 32: 1e-6, 16: 1e-3}[bits])


@pytest.mark.parametrize("unit", DATE_UNITS)
def test_few_dates_lie_on_the_coarsest_common_unit(unit) -> None:
    assert _grid(np.array([0.0, 3.0, 7.0]) * unit, DATE_UNITS)[0] == unit


def test_nine_midnights_draw_midnights() -> None:
    days = [dt.datetime(2020, 1, 1) + dt.timedelta(3 * i + i * i) for i in range(9)]
    _, encoder, x = fitted(d=pa.array(days, pa.timestamp("us")))
    assert len(encoder.layout_.blocks[0].knots)
    rows = encoder.layout_.sample(shares(x, encoder.layout_, 200), np.random.default_rng(0))
    stamps = set(encoder.inverse_transform(rows).values("d"))
    assert len(stamps) > 9 and {s.time() for s in stamps} == {dt.time(0)}


def test_numbers_keep_the_decimals_that_most_of_them_have() -> None:
    """Within 6 binomial standard errors of the 400 training rows; seed fixed."""
    rng = np.random.default_rng(5)
    two, four = rng.lognormal(4, 1, 400).round(2), rng.lognormal(4, 1, 400).round(4)
    days = rng.integers(0, 700, 400) * float(DAY)
    few = rng.random(400) < 0.05
    for values, dates, unit in (
        (np.where(few, four, two), False, 0.01),
        (np.where(few, rng.lognormal(4, 1, 400), two), False, 0.01),
        (np.where(few, days + 3_600_000_000 * rng.integers(1, 24, 400), days), True, DAY),
    ):
        block = number_block("x", 0, values, 20, dates=dates)
        cell = block.cell_of(values)
        drawn = block.draw(np.repeat(cell, 10), rng)
        real, synthetic = (
            np.mean(np.abs(v / unit - np.round(v / unit)) < 1e-6) for v in (values, drawn)
        )
        assert abs(real - synthetic) < 6 * (real * (1 - real) / 400) ** 0.5
        np.testing.assert_array_equal(block.snap(drawn), drawn)


def test_noise_of_sums_is_kept_in_rows_and_not_drawn() -> None:
    prices = np.append(np.random.default_rng(0).lognormal(4, 1, 299).round(2), 0.1 + 0.2)
    _, encoder, x = fitted(x=prices)
    np.testing.assert_array_equal(encoder.inverse_transform(x).numbers("x"), prices)
    rows = encoder.layout_.sample(shares(x, encoder.layout_, 2_000), np.random.default_rng(0))
    drawn = encoder.inverse_transform(rows).numbers("x")
    np.testing.assert_array_equal(drawn, drawn.round(2))


# --- laws of the draws --------------------------------------------------------------------------


def test_cells_are_drawn_with_the_given_probabilities() -> None:
    """Chi-square over cells, seed fixed; false alarm ALARM over all blocks and both halves."""
    rng = np.random.default_rng(11)
    _, encoder, _ = fitted(
        x=rng.normal(size=100), n=rng.integers(0, 4, 100), c=rng.choice(["a", "b", None], 100)
    )
    layout, n = encoder.layout_, 20_000
    p = np.concatenate([np.tile(rng.random((1, len(layout.cell_indices))), (n, 1)) for _ in "ab"])
    p[:, 0] = 0  # a cell that must not occur
    cells = layout.cells(layout.sample(p, rng))
    for j, block in enumerate(layout.free):
        for half in (slice(0, n), slice(n, 2 * n)):
            expected = p[half.start, layout.cell_block == j]
            counts = np.bincount(cells[j][half], minlength=block.n_cells)
            assert (counts[expected == 0] == 0).all()
            counts, expected = counts[expected > 0], expected[expected > 0] * n / expected.sum()
            assert stats.chisquare(counts, expected).pvalue > ALARM / 6


def test_rare_categories_share_a_cell_and_keep_their_frequencies() -> None:
    """Chi-square over the rare levels, seed fixed; false alarm ALARM."""
    common = [f"c{i}" for i in range(MAX_LEVELS - 1) for _ in range(9)]
    rare = [f"r{i}" for i in range(100) for _ in range(1 + i % 5)]
    _, encoder, _ = fitted(c=common + rare)
    block = encoder.layout_.blocks[0]
    assert (len(block.atoms), len(block.group), block.n_cells) == (MAX_LEVELS - 1, 100, MAX_LEVELS)
    n = 60_000
    p = np.zeros((n, MAX_LEVELS))
    p[:, -1] = 1
    synthetic = encoder.inverse_transform(encoder.layout_.sample(p, np.random.default_rng(2)))
    levels, counts = np.unique(synthetic.values("c"), return_counts=True)
    assert set(levels) == set(rare)
    expected = np.array([rare.count(level) for level in levels]) * n / len(rare)
    assert stats.chisquare(counts, expected).pvalue > ALARM


RNG = np.random.default_rng(4)

MARGINALS = {
    "normal": RNG.normal(size=1000),
    "heavy tail": RNG.standard_cauchy(1000),
    "exponential, two decimals": np.round(RNG.exponential(size=1000), 2),
    "half zeros": np.where(RNG.random(1000) < 0.5, 0.0, RNG.lognormal(size=1000)),
    "ages": RNG.integers(18, 95, 1000).astype(float),
    "few values": RNG.poisson(2, 1000).astype(float),
    "two bumps": np.where(RNG.random(1000) < 0.3, RNG.normal(-9, 1, 1000), RNG.normal(9, 1, 1000)),
    "large counts": RNG.poisson(10_000, 1000).astype(float),
    "ties": np.repeat(RNG.normal(size=125), 8),
    "15 rows": RNG.normal(size=15),
}


@pytest.mark.parametrize("name", MARGINALS)
def test_training_shares_give_back_the_marginal(name) -> None:
    """Kolmogorov's distance to the training rows is below the noise of m draws (Massart's bound at
    ALARM) plus the blur of the cells: the part of an interval between two knots, and one row."""
    values, m = MARGINALS[name], 40_000
    _, encoder, x = fitted(x=np.where(np.arange(len(values)) % 10 == 0, np.nan, values))
    present = values[np.arange(len(values)) % 10 != 0]
    rows = encoder.layout_.sample(shares(x, encoder.layout_, m), np.random.default_rng(9))
    numbers, block = encoder.inverse_transform(rows).numbers("x"), encoder.layout_.blocks[0]
    if not block.step:  # without a grid to move them, values lie in the cell drawn
        np.testing.assert_array_equal(block.cell_of(numbers), encoder.layout_.cells(rows)[0])
    missing = np.isnan(numbers).mean()
    assert abs(missing - 0.1) < 0.04 if len(values) == 15 else abs(missing - 0.1) < 0.01
    numbers = np.sort(numbers[~np.isnan(numbers)])
    grid = np.unique(present)
    distance = np.abs(
        np.searchsorted(numbers, grid, "right") / len(numbers)
        - np.searchsorted(np.sort(present), grid, "right") / len(present)
    ).max()
    noise = np.sqrt(log(2 / ALARM) / 2 / len(numbers))
    blur = 1 / (len(block.atoms) + len(block.knots)) / (KNOTS - 1)
    assert distance < noise + blur + 1 / len(present)


def test_numbers_too_small_for_their_slopes_are_encoded() -> None:
    values = np.random.default_rng(0).uniform(size=60) * 1e-310
    block = number_block("x", 0, values, 8)
    assert block.tails is not None and values.min() <= block.tails.min()
    assert block.tails.max() <= values.max()
