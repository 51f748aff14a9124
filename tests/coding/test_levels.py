"""Draws by inversion, compared with a search by the definition, in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabseed.coding.levels import pick

BELOW_1 = np.nextafter(1.0, 0.0)


def by_definition(weights: np.ndarray, u: float) -> int:
    """Return the first level of a cumulative weight above u times the total; at u = 1 the last."""
    total = sum(map(Fraction, weights.tolist()))
    upto = Fraction(0)
    for level, weight in enumerate(weights.tolist()):
        upto += Fraction(weight)
        if upto > Fraction(u) * total:
            return level
    return int(np.flatnonzero(weights)[-1])


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=7).filter(any),
    st.lists(st.integers(0, 64).map(lambda k: k / 64), min_size=1, max_size=9),
)
def test_levels_are_those_of_the_definition(weights: list[int], u: list[float]) -> None:
    law, uniform = np.array(weights, dtype=float), np.array(u)
    expected = [by_definition(law, x) for x in u]
    assert pick(np.cumsum(law), uniform).tolist() == expected
    rows = np.tile(np.cumsum(law), (len(u), 1))
    assert pick(rows, uniform).tolist() == expected
    assert pick(rows.astype(np.float32), uniform).tolist() == expected


@pytest.mark.parametrize("scale", [1.0, 0.1, 3e-300, 7e300, 1e-310])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_end_levels_without_weight_are_never_returned(scale: float, dtype: type) -> None:
    if dtype is np.float32 and not 1e-30 < scale < 1e30:
        pytest.skip("no such float32")
    upto = np.cumsum(np.array([0, 0, 1, 0, 2, 0], dtype) * dtype(scale), dtype=dtype)
    u = np.array([0.0, 5e-324, 0.25, 0.9, BELOW_1, 1.0])
    expected = [2, 2, 2, 4, 4, 4]
    assert pick(upto, u).tolist() == expected
    assert pick(np.tile(upto, (len(u), 1)), u).tolist() == expected


def test_a_single_level_is_always_returned() -> None:
    u = np.array([0.0, 0.5, BELOW_1, 1.0])
    assert pick(np.array([0.3]), u).tolist() == [0, 0, 0, 0]
    assert pick(np.full((4, 1), 0.3), u).tolist() == [0, 0, 0, 0]


def test_each_row_has_its_own_law() -> None:
    upto = np.cumsum([[1.0, 1.0, 2.0], [0.0, 4.0, 0.0], [2.0, 1.0, 1.0]], axis=1)
    assert pick(upto, np.array([0.5, 0.5, 0.5])).tolist() == [2, 1, 1]


def test_frequencies_are_the_weights() -> None:
    weights = np.array([3.0, 0.0, 1.0, 6.0])
    n = 1000  # u at the midpoints of a grid: frequencies are exact, without chance
    level = pick(np.cumsum(weights), (np.arange(n) + 0.5) / n)
    assert np.bincount(level, minlength=4).tolist() == [300, 0, 100, 600]
