"""The budget: shares that add up, what rows can carry; with OpenDP, its own arithmetic."""

from __future__ import annotations

from fractions import Fraction
from math import exp, log, pi, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from tabseed.generators.private.budget import (
    MEASURED,
    Carries,
    Parts,
    epsilon_of,
    opendp,
    rho_for,
)


def below(x: float) -> np.float64:
    return np.nextafter(x, -np.inf)


def part_and_all(budget: float, parts: int) -> tuple[float, float]:
    """Return a selection's budget and that of all, in the arithmetic of OpenDP 0.16's MST."""
    select = below(below(budget - budget * MEASURED))
    return below(select / parts), select


def summed_upwards(part: float, parts: int) -> float:
    total = 0.0
    for _ in range(parts):
        exact = Fraction(total) + Fraction(part)
        total += float(part)
        total = float(np.nextafter(total, np.inf)) if Fraction(total) < exact else total
    return total


@settings(max_examples=100, deadline=None)
@given(st.floats(1e-6, 100), st.integers(1, 300))
def test_parts_add_up(budget, n) -> None:
    part, select = part_and_all(budget, Parts(n))
    assert select * (1 - 1e-11) < summed_upwards(part, n) <= select


def test_parts_is_a_number() -> None:
    assert Parts(14) == 14 and len([0.1] * Parts(3)) == len(range(Parts(3))) == 3


def test_the_plain_number_does_not_add_up_at_fifteen_columns() -> None:
    """The failing call: the 14 selections of MST() at rho 0.1, of which columns take half."""
    part, select = part_and_all(float(below(below(0.05))), 14)
    assert summed_upwards(part, 14) > select


def test_what_rows_carry_by_hand() -> None:
    """Two columns of 3 and 5 values: noise of variance 2 / (2 rho / 2) and 2 / (2 rho .45)."""
    found = Carries.expected(1_000, 0.1, (3, 5), 8)
    mean = sqrt(2 / pi) / 2_000  # of |noise|, and half of what moved is counted twice
    assert found.of_column == pytest.approx(mean * sqrt(2 / 0.1) * 4)
    assert found.of_pair == pytest.approx(mean * sqrt(2 / 0.09) * 15)
    assert found.ratio == 125 and not found.noise
    assert Carries.expected(0, 0.1, (3, 5), 8).of_pair == 1


def test_expected_noise_is_what_noise_does() -> None:
    """Gaussian noise on the counts of one column: rows moved, over 2,000 draws, within 2 %."""
    rng, sizes, rho = np.random.default_rng(0), (10, 10, 10), 0.05
    deviation = sqrt(3 / (2 * 0.5 * rho))
    moved = np.abs(rng.normal(0, deviation, (2_000, 10))).sum(1).mean() / 2 / 400
    assert Carries.expected(400, rho, sizes, 30).of_column == pytest.approx(moved, rel=0.02)


# --- with OpenDP ----------------------------------------------------------------------------------


@pytest.fixture
def dp():
    pytest.importorskip("opendp", reason="needs pip install 'tabseed[private]'")
    pytest.importorskip("mbi", reason="needs pip install 'tabseed[private]'")
    return opendp()


def composed(dp, part: float, parts: int) -> float:
    """Return what OpenDP says that so many parts cost together."""
    measurement = dp.c.make_adaptive_composition(
        dp.atom_domain(T=float, nan=False),
        dp.absolute_distance(T=float),
        dp.zero_concentrated_divergence(),
        d_in=1.0,
        d_mids=[float(part)] * parts,
    )
    return measurement.map(1.0)


def test_opendp_adds_up_as_the_tests_above_do(dp) -> None:
    rng = np.random.default_rng(0)
    for parts in (2, 8, 14, 16, 60):
        for budget in np.exp(rng.uniform(-9, 1, 6)):
            plain, select = part_and_all(budget, parts)
            assert composed(dp, plain, parts) == summed_upwards(plain, parts)
            part, _ = part_and_all(budget, Parts(parts))
            assert composed(dp, part, parts) <= select


@pytest.mark.parametrize("delta", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("epsilon", [0.05, 0.5, 1, 3, 10])
def test_rho_is_that_of_epsilon_and_delta(dp, epsilon, delta) -> None:
    """OpenDP's conversion, and the bound of Canonne, Kamath and Steinke (2004.00010), Cor. 13."""
    rho = rho_for(epsilon, delta)
    assert epsilon * (1 - 1e-6) < epsilon_of(rho, delta) <= epsilon

    def log_delta(log_excess: float) -> float:
        a = 1 + exp(log_excess)
        return (a - 1) * (a * rho - epsilon) + (a - 1) * log(1 - 1 / a) - log(a)

    best = minimize_scalar(log_delta, bounds=(-10, 15), method="bounded", options={"xatol": 1e-9})
    assert exp(best.fun) == pytest.approx(delta, rel=1e-3)
