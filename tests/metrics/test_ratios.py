"""Closed forms and inequalities of chi-square: normal and discrete laws, tails, changes of law."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from helpers.chi_square import TIGHT
from tabseed.metrics import (
    density_ratio_tail,
    discrete_chi_square,
    gaussian_chi_square,
)


def laws(rng: np.random.Generator, cells: int = 6) -> tuple[np.ndarray, np.ndarray]:
    p, q = rng.dirichlet(np.ones(cells)), rng.dirichlet(np.ones(cells))
    return p, q


# --- closed forms -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "q", "truth"),
    [
        ((0, 1), (0.5, 1), 0.2840254167),
        ((0, 1), (1, 1), 1.7182818285),
        ((0, 1), (2, 1), 53.5981500331),
        ((0, 1), (0, 1.5), 0.2026756),
        ((0, 1), (0, 0.8), 0.2094863),
        ((0, 1), (0.5, 1.5), 0.2917234),
        ((0, 1), (0, 0.72), 1.7023468),
        ((0, 1), (0, 0.7), math.inf),
    ],
)
def test_gaussians_of_one_dimension(p, q, truth) -> None:
    value = gaussian_chi_square(p[0], p[1] ** 2, q[0], q[1] ** 2)
    assert value == (math.inf if truth == math.inf else pytest.approx(truth, abs=6e-8, **TIGHT))


def test_gaussians_of_several_dimensions() -> None:
    zero, eye = np.zeros(2), np.eye(2)
    assert gaussian_chi_square(np.zeros(5), np.eye(5), np.full(5, 0.5), np.eye(5)) == pytest.approx(
        2.4903430, **TIGHT
    )
    equal = np.array([[1, 0.5], [0.5, 1]])
    assert gaussian_chi_square([0.5, -0.25], equal, zero, equal) == pytest.approx(
        0.7920018, **TIGHT
    )
    p, q = np.array([[1, 0.3], [0.3, 0.8]]), np.array([[1.2, -0.1], [-0.1, 1]])
    assert gaussian_chi_square([0.4, -0.3], p, zero, q) == pytest.approx(0.3563846, **TIGHT)
    torn = [gaussian_chi_square(zero, eye, zero, eye + r * (1 - eye)) for r in (0.4, 0.5, 0.7)]
    assert torn == [pytest.approx(0.4, **TIGHT), math.inf, math.inf]
    # independent columns: 1 + chi2 multiplies
    one, two = gaussian_chi_square(0, 1, 0.3, 1.2), gaussian_chi_square(1, 2, 0.3, 1.5)
    both = gaussian_chi_square([0, 1], np.diag([1, 2]), [0.3, 0.3], np.diag([1.2, 1.5]))
    assert 1 + both == pytest.approx((1 + one) * (1 + two), rel=1e-12)


def test_discrete_laws() -> None:
    assert discrete_chi_square([0.5, 0.3, 0.2], [0.2, 0.3, 0.5]) == pytest.approx(0.63, rel=1e-12)
    uniform = discrete_chi_square([1 / 2, 1 / 2, 0], [1 / 3] * 3)  # U[0, 1] in U[0, 1.5]
    assert uniform == pytest.approx(0.5, rel=1e-12)
    clean = np.array([0.5, 0.5, 0])  # 20 % of what the generator gives is invented
    contaminated = discrete_chi_square(clean, 0.8 * clean + [0, 0, 0.2])
    assert contaminated == pytest.approx(0.25, rel=1e-12)
    assert discrete_chi_square([0.9, 0.1], [1, 0]) == math.inf


def test_total_variation_and_tail_of_a_shift() -> None:
    """The tail P(r > 5) of N(0, 1) against N(1, 1) on 40,000 rows: 4 standard errors are 0.0068."""
    for shift, truth in ((0.5, 0.1974127), (1.0, 0.3829249), (2.0, 0.6826895)):
        tv = quad(lambda x, d=shift: abs(norm.pdf(x) - norm.pdf(x, d)) / 2, -9, shift / 2)[0]
        tv += quad(lambda x, d=shift: abs(norm.pdf(x) - norm.pdf(x, d)) / 2, shift / 2, 12)[0]
        assert tv == pytest.approx(truth, abs=6e-8, **TIGHT)
        chi2 = gaussian_chi_square(0, 1, shift, 1)
        assert tv <= math.sqrt(chi2) / 2
    x = np.random.default_rng(1).normal(size=40_000)
    tail = density_ratio_tail(np.exp(0.5 - x), [5.0])
    assert tail.shares[0] == pytest.approx(0.1336207, abs=0.0068)
    assert tail.shares[0] <= gaussian_chi_square(0, 1, 1, 1) * 5 / 16


# --- inequalities on discrete laws, exactly -----------------------------------------------------


def test_a_change_of_law_costs_no_more_than_chi_square_says() -> None:
    """|E_P g - E_Q g| <= sqrt(chi2 Var_Q g), equal for g = p/q."""
    rng = np.random.default_rng(2)
    for _ in range(500):
        p, q = laws(rng)
        g = rng.normal(size=len(p)) * rng.choice([1, 10], len(p))
        chi2 = discrete_chi_square(p, q)
        for values, equal in ((g, False), (p / q, True)):
            gap = abs((p - q) @ values)
            bound = math.sqrt(chi2 * (q @ values**2 - (q @ values) ** 2))
            assert gap <= bound * (1 + 1e-9)
            if equal:
                assert gap == pytest.approx(bound, rel=1e-6)


def test_the_functional_of_any_h_lies_below_chi_square() -> None:
    rng = np.random.default_rng(3)
    for _ in range(500):
        p, q = laws(rng)
        chi2 = discrete_chi_square(p, q)
        for h in (rng.exponential(size=len(p)), p / q * rng.uniform(0.5, 2, len(p)), p / q):
            value = 2 * p @ h - q @ h**2 - 1
            assert value <= chi2 + 1e-9
            assert value == pytest.approx(chi2 - q @ (p / q - h) ** 2, abs=1e-8)


def test_pooling_bounds_it_and_pmse_is_its_square_share() -> None:
    rng = np.random.default_rng(4)
    for _ in range(200):
        p, q = laws(rng)
        a = rng.uniform(0.05, 0.95)
        mixed = a * p + (1 - a) * q
        chi2 = discrete_chi_square(p, mixed)
        assert chi2 <= (1 - a) / a + 1e-12
        propensity = a * p / mixed
        assert mixed @ (propensity - a) ** 2 == pytest.approx(a**2 * chi2, rel=1e-9)
    assert discrete_chi_square([1, 0], [0.5, 0.5]) == pytest.approx(
        1
    )  # disjoint laws reach the bound


# --- fits ---------------------------------------------------------------------------------------


def test_a_power_tail_is_recovered() -> None:
    """r with P(r > C) = 2 C^-1.5 beyond its start: 100 intervals of 95 % on 2,000 rows each.

    Fewer than 87 hits have probability 0.0004.
    """
    rng = np.random.default_rng(9)
    hits = 0
    for _ in range(100):
        tail = density_ratio_tail(2 ** (1 / 1.5) * rng.random(2_000) ** (-1 / 1.5))
        hits += tail.exponent_low <= 1.5 <= tail.exponent_high
    assert hits >= 87
    assert tail.coefficient == pytest.approx(2, rel=0.5)
    assert (np.diff(tail.shares) < 0).all()
    flat = density_ratio_tail(np.full(100, 2.0))
    assert flat.exponent == math.inf and flat.to_dict()["exponent"] is None
