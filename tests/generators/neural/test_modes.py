"""Modes of a column: where they lie, and rows that survive the coding."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import norm

import tabseed as ts
from tabseed.coding.encode import TableEncoder
from tabseed.generators.neural.modes import ModeCoding


def test_modes_of_two_distant_normals_are_theirs() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 1, 600), rng.normal(50, 2, 400)])
    encoder = TableEncoder().fit(ts.Table.from_frame(pa.table({"x": x})))
    column = ModeCoding(encoder.layout_, 10).numbers[0]
    mean = column.means[column.mode_of(x)]
    # the interval with the gap between the normals belongs to neither
    assert (np.abs(mean[:600]) < 3).mean() > 0.95 and (np.abs(mean[600:] - 50) < 6).mean() > 0.95
    assert np.median(column.widths[column.mode_of(x[:600])]) < 5  # that of all rows: 25


def test_coding_restores_rows(encoded) -> None:
    """Atoms, categories, missing and dependent cells exactly, numbers to a 50th of the scale."""
    x, encoder = encoded
    coding = ModeCoding(encoder.layout_, 10)
    hot, scores = coding.encode(x)
    assert (hot @ coding.member == 1).all() and np.abs(scores).max() < 4
    levels = [hot[:, c.levels].argmax(axis=1) for c in coding.columns]
    back = coding.decode(levels, scores.astype(float), np.random.default_rng(0))
    for block in encoder.layout_.blocks:
        real, decoded = (encoder.layout_.values(block, t) for t in (x, back))
        assert np.array_equal(np.isnan(real), np.isnan(decoded)), block.name
        gap = np.nan_to_num(np.abs(decoded - real))
        if block.is_discrete:
            assert gap.max() == 0, block.name
        else:
            ends = np.isin(real, [np.nanmin(real), np.nanmax(real)])
            assert gap[np.isin(real, block.atoms)].max(initial=0) == 0, block.name
            assert gap[~ends].max() < block.scale / 50 + block.step, block.name


def test_normal_scores_reproduce_the_law_of_a_mode(encoded) -> None:
    _, encoder = encoded
    column = ModeCoding(encoder.layout_, 10).numbers[0]
    probability = (np.arange(1_000) + 0.5) / 1_000
    for k, law in enumerate(column.laws):
        values = column.restored(np.full(1_000, k), norm.ppf(probability))
        assert np.allclose(np.quantile(values, [0.1, 0.5, 0.9]), np.quantile(law, [0.1, 0.5, 0.9]),
                           rtol=0.02, atol=0.02 * column.block.scale)  # fmt: skip


def test_modes_are_kept_with_a_model_and_checked(encoded) -> None:
    _, encoder = encoded
    coding = ModeCoding(encoder.layout_, 10)
    arrays = coding.to_arrays()
    again = ModeCoding.from_arrays(encoder.layout_, arrays)
    assert all(np.array_equal(again.to_arrays()[k], v) for k, v in arrays.items())
    for name, value in (("widths", -arrays["modes.widths"]), ("counts", arrays["modes.counts"][1:]),
                        ("means", arrays["modes.means"] * np.nan)):  # fmt: skip
        with pytest.raises(ValueError, match="modes"):
            ModeCoding.from_arrays(encoder.layout_, {**arrays, f"modes.{name}": value})
