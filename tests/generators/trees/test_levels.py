"""Levels of a column: the values in each, their shares, and the kernel."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from helpers.level_trees import columns, mixed
from tabseed.generators.trees.levels import Levels


def test_values_drawn_in_a_level_lie_in_it() -> None:
    encoder, _ = columns(mixed())
    for block in encoder.layout_.blocks:
        levels = Levels(block)
        level = np.repeat(np.arange(levels.size), 20)
        values = levels.at(level, np.random.default_rng(1).random(len(level)))
        if block.numeric:
            part = level - levels.n_atoms
            inside = (part >= 0) & (part < levels.n_parts)
            low, high = levels.low[part[inside]], levels.high[part[inside]]
            assert (values[inside] >= low - block.step / 2).all()
            assert (values[inside] <= high + block.step / 2).all()
        if block.step == 0:  # a grid may move a value over the edge of its part
            again = levels.of(block.cell_of(values), values)
            assert np.array_equal(again, level)
            assert np.array_equal(levels.cell(again), block.cell_of(values))


def test_position_increases_with_the_number_and_missing_comes_first() -> None:
    encoder, x = columns(mixed())
    layout = encoder.layout_
    block = layout.blocks[0]
    values = layout.values(block, x)
    levels = Levels(block)
    position = levels.position(levels.of(layout.cells(x)[0], values), values)
    missing = np.isnan(values)
    assert missing.any() and (position[missing] == -1).all()
    free = ~missing & (values != 0)  # the atom 0 lies before or after all of the part around it
    order = np.argsort(values[free], kind="stable")
    assert (np.diff(position[free][order]) >= 0).all()
    gaps = np.diff(values[free][order]) > 1e-3
    assert (np.diff(position[free][order])[gaps] > 0).all()
    at_atom = position[values == 0]
    below, above = position[values < -0.5], position[values > 0.5]
    assert below.max() < at_atom.min() == at_atom.max() < above.min()


def test_levels_hold_equal_shares_of_the_rows() -> None:
    """Parts of intervals are quarters between quantiles: about n / parts rows each."""
    x = np.random.default_rng(0).normal(size=640)
    encoder, _ = columns(pa.table({"x": x}))
    block = encoder.layout_.blocks[0]
    levels = Levels(block)
    level = levels.of(block.cell_of(x), x)
    counts = np.bincount(level, minlength=levels.size)
    assert levels.size == levels.n_parts
    assert abs(counts - 640 / levels.size).max() <= 2


def test_kernel_moves_between_parts_only_and_loses_nothing() -> None:
    encoder, _ = columns(mixed())
    levels = Levels(encoder.layout_.blocks[0])
    kernel = levels.kernel(1.5)
    np.testing.assert_allclose(kernel.sum(axis=1), 1, atol=1e-12)
    fixed = np.setdiff1d(
        np.arange(levels.size), levels.n_atoms + np.arange(levels.n_parts)
    )  # atoms, missing
    assert len(fixed) == 2
    np.testing.assert_array_equal(kernel[fixed], np.eye(levels.size)[fixed])
    parts = kernel[levels.n_atoms :, levels.n_atoms :][: levels.n_parts, : levels.n_parts]
    np.testing.assert_allclose(parts.sum(axis=0), 1, atol=1e-6)  # reflection keeps the uniform law
    middle = parts[levels.n_parts // 2]
    sd = np.sqrt(middle @ (np.arange(levels.n_parts) - levels.n_parts // 2) ** 2)
    assert sd == pytest.approx(1.5, rel=0.02)
    np.testing.assert_array_equal(levels.kernel(0.0), np.eye(levels.size))
