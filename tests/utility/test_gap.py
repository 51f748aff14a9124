"""The utility gap, compared with closed forms.

Statistical tests fix their seed; those at 4 standard errors would fail for 1 seed in 15,000.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from helpers.hand_measured import NORMAL, by_hand, line, one_hot, problem
from tabseed.utility.bound import shift_bound
from tabseed.utility.gap import gaps


def signed(real: np.ndarray, synthetic: np.ndarray, y: np.ndarray) -> list[float]:
    return [g.signed.value for g in gaps(by_hand(problem(), y, real, synthetic))]


@pytest.mark.parametrize(
    "m, s, expected, tight, loose",
    [
        (0.5, 1, 1.0625, 2.6586, 10.035),
        (1, 1, 5, 18.154, 38.05),
        (0, 1.5, 1.5625, 2.0188, 36.96),
        (0.5, 1.2, 1.0361, None, None),
        (2, 1, 32, None, None),
    ],
)
def test_misspecified_line(
    m: float, s: float, expected: float, tight: float | None, loose: float | None
) -> None:
    """V4: mu = x^2 and lines; population fits, from points with the moments of the normal law."""
    x, z = NORMAL, m + s * NORMAL
    a, b = line(z, z**2)
    assert signed(np.ones((1, 6)), (a + b * x)[None], x**2) == pytest.approx([expected], rel=1e-6)
    assert line(x, x**2) == pytest.approx([1, 0], abs=1e-12)
    if tight is None:
        return
    node, weight = np.polynomial.hermite_e.hermegauss(40)
    q, weight = m + s * node, weight / weight.sum()
    chi2 = s**2 / math.sqrt(2 * s**2 - 1) * math.exp(m**2 / (2 * s**2 - 1)) - 1
    losses = (a + b * q - q**2) ** 2, (1 - q**2) ** 2
    sds = [math.sqrt(weight @ g**2 - (weight @ g) ** 2) for g in losses]
    d = losses[0] - losses[1]
    sd = math.sqrt(weight @ d**2 - (weight @ d) ** 2)
    assert shift_bound(chi2, sd) + weight @ d == pytest.approx(tight, rel=3e-5)
    assert shift_bound(chi2, sds[0]) + shift_bound(chi2, sds[1]) == pytest.approx(loose, rel=3e-4)


@pytest.mark.parametrize(
    "copies, m, expected", [((1, 1), 1, 1), ((1, 1), 0.5, 0.25), ((4, 1), 1, 0.2437574)]
)
def test_pooled_real_and_synthetic(copies: tuple[int, int], m: float, expected: float) -> None:
    """V5: a line fitted to the mixture of real and synthetic rows."""
    z = np.concatenate([np.tile(NORMAL, copies[0]), np.tile(m + NORMAL, copies[1])])
    a, b = line(z, z**2)
    x = NORMAL
    results = signed(np.ones((1, 6)), (a + b * x)[None], x**2)
    assert results == pytest.approx([expected], rel=1e-6)


def test_correctly_specified_line_with_intercept() -> None:
    """V3a: shifted features cost no more than variance, (s2/n)(m^2 + s^2 + 1)/s^2 for m = s = 1."""
    rng, n, models = np.random.default_rng(0), 200, 800
    outputs = []
    for shift in (0.0, 1.0):
        x = shift + rng.standard_normal((models, n))
        y = 1 + 2 * x + rng.standard_normal((models, n))
        slope = ((x - x.mean(1, keepdims=True)) * y).sum(1) / (n * x.var(1))
        intercept = y.mean(1) - slope * x.mean(1)
        outputs.append(intercept[:, None] + slope[:, None] * NORMAL)
    results = gaps(by_hand(problem(), 1 + 2 * NORMAL, *outputs))
    for risk, m in (("risk_real", 0), ("risk_synthetic", 1)):
        values = np.array([getattr(g, risk).value for g in results])
        # the variance 1/n of the mean, plus that of the slope, E[1/sum (x - mean)^2] = 1/(n - 3),
        # times E[(x - mean of the sample)^2] under the real law
        exact = 1 / n + (1 + 1 / n + m**2) / (n - 3)
        assert abs(values.mean() - exact) < 4 * values.std() / models**0.5
        assert exact == pytest.approx((m**2 + 2) / n, rel=0.03)


def test_a_wider_design_beats_real_rows() -> None:
    """V3b: no intercept, Q = N(0, 2^2): s2/(s^2 (n - 2)) against s2/(n - 2); the gap is -.0075."""
    rng, n, models = np.random.default_rng(1), 102, 800
    outputs = []
    for s in (1.0, 2.0):
        x = s * rng.standard_normal((models, n))
        slope = 3 + (x * rng.standard_normal((models, n))).sum(1) / (x**2).sum(1)
        outputs.append(slope[:, None] * NORMAL)
    values = np.array(signed(*outputs, 3 * NORMAL))
    assert abs(values.mean() + 0.0075) < 4 * values.std() / models**0.5
    assert values.mean() < 0


@pytest.mark.parametrize("rho, tau, expected", [(0.1, 0.5, 0.15317), (0, 0.5, 0.1914625)])
def test_shifted_boundary(rho: float, tau: float, expected: float) -> None:
    """V7a: (1 - 2 rho)(Phi(|tau|) - 1/2), on a grid of quantiles, and from data."""
    n = 4_000
    x = np.repeat(ndtri((np.arange(n) + 0.5) / n), 10)
    y = (x > 0) ^ (np.tile(np.arange(10), n) < 10 * rho)
    rules = [one_hot(x > t)[None] for t in (0, tau)]
    results = gaps(by_hand(problem(2), y.astype(int), *rules))[0]
    assert results.signed.value == pytest.approx(expected, abs=1 / n)
    assert results.absolute.value == results.signed.value

    rng = np.random.default_rng(2)
    x = rng.standard_normal(3_000)
    y = (x > 0) ^ (rng.random(3_000) < rho)
    rules = [one_hot(x > t)[None] for t in (0, tau)]
    results = gaps(by_hand(problem(2), y.astype(int), *rules))[0]
    assert abs(results.signed.value - expected) < 4 * results.se_rows
    assert results.signed.low < expected < results.signed.high


@pytest.mark.parametrize("m, expected", [(-0.9, 0.0), (-1.1, ndtr(1) - 2 * ndtr(-1))])
def test_shifted_and_misspecified_can_be_harmless(m: float, expected: float) -> None:
    """V7b: Y = 1{|x| > 1} and rules 1{x > t}: nothing is lost until the best rule jumps."""
    n = 40_000
    x = ndtri((np.arange(n) + 0.5) / n)

    def best(z: np.ndarray) -> float:
        """Return the threshold with the fewest errors; z ascends."""
        label = np.abs(z) > 1
        errors = np.concatenate([[0], np.cumsum(label)]) + np.concatenate(
            [np.cumsum(~label[::-1])[::-1], [0]]
        )
        return float(np.concatenate([[-np.inf], z])[errors.argmin()])

    rules = [one_hot(x > best(z))[None] for z in (x, x + m)]
    y = (np.abs(x) > 1).astype(int)
    assert gaps(by_hand(problem(2), y, *rules))[0].signed.value == pytest.approx(
        expected, abs=5 / n
    )
