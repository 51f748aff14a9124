"""The bound of the gap: exact identities on discrete laws, and swapped cells.

Statistical tests fix their seed; those at 4 standard errors would fail for 1 seed in 15,000.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

import tabseed as ts
from helpers.hand_measured import NORMAL, PATH_B, one_hot, path_b, problem
from tabseed.metrics.problem import Problem
from tabseed.utility.bound import shift_bound
from tabseed.utility.contributions import contributions
from tabseed.utility.decomposition import decompose

# --- closed forms -------------------------------------------------------------------------------


def test_path_b_by_data_and_its_bound() -> None:
    rng, n = np.random.default_rng(3), 20_000
    x, z = rng.standard_normal(n), 0.5 + rng.standard_normal(n)
    e, f = 0.5 * rng.standard_normal((2, n))
    measured = path_b(x, e, z, f)
    result = decompose(measured)[0]
    for name, value in PATH_B.items():
        term = getattr(result, name)
        assert abs(term.value - value) < 4 * (term.high - term.low) / 3.9
    assert abs(result.difference.value) < 4 * result.difference_se
    assert result.difference.value == pytest.approx(result.total.value - result.direct.value)
    assert result.dominant == "feature"
    assert not result.approximate and "another distribution" in str(result)
    bound = ts.utility_bound(measured, math.exp(0.25) - 1)[0]
    assert bound.feature_bound == pytest.approx(2.2105, rel=0.1)
    assert bound.low < result.direct.value < bound.high and result.direct.value < bound.size
    assert not bound.certified and "not a guarantee" in str(bound)
    with pytest.raises(ts.TabseedError, match="must be 0 or more"):
        ts.utility_bound(measured, -0.1)


def test_swap_cells() -> None:
    """V11: the same f~ under four laws; noise of variance .25."""
    noise = np.tile([0.5, -0.5], 6)
    x = np.repeat(NORMAL, 2)
    z = 0.5 + x

    def predict(v: np.ndarray) -> np.ndarray:
        return 0.6 + 0.8 * v

    result = ts.swap_design(
        predict,
        (x, x**2 + noise),
        (z, 0.8 * z**2 + noise),
        0.8 * x**2 + noise,
        "squared",
        oracle=lambda v: v**2 + noise,
    )
    cells = [
        (result.real_real, 3.05),
        (result.real_synthetic, 2.21),
        (result.synthetic_synthetic, 1.53),
        (result.synthetic_real, 2.3525),
    ]
    for cell, value in cells:
        assert cell.value == pytest.approx(value, rel=1e-6)
    gap = result.response_gap.value + result.feature_gap.value
    assert gap == pytest.approx(3.05 - 1.53, rel=1e-6)
    assert result.ess is None


def test_swapped_cell_by_weights() -> None:
    rng, n = np.random.default_rng(4), 50_000
    x, z = rng.standard_normal(n), 0.5 + rng.standard_normal(n)
    result = ts.swap_design(
        lambda v: 0.6 + 0.8 * v,
        (x, x**2 + 0.5 * rng.standard_normal(n)),
        (z, 0.8 * z**2 + 0.5 * rng.standard_normal(n)),
        0.8 * x**2 + 0.5 * rng.standard_normal(n),
        "squared",
        ratio=np.exp(-0.5 * x + 0.125),
    )
    cell = result.synthetic_real
    assert abs(cell.value - 2.3525) < 4 * (cell.high - cell.low) / 3.9
    assert result.ess == pytest.approx(math.exp(-0.25), rel=0.03)
    with pytest.raises(ts.TabseedError, match="one value for each real row"):
        ts.swap_design(np.abs, (x, x), (z, z), x[1:], "squared")
    with pytest.raises(ts.TabseedError, match="above 0"):
        ts.swap_design(np.abs, (x, x), (z, z), x, "squared", ratio=x)
    with pytest.raises(ts.TabseedError, match="one of 'squared', '0-1'"):
        ts.swap_design(np.abs, (x, x), (z, z), x, "hinge")  # type: ignore[arg-type]


# --- identities ---------------------------------------------------------------------------------


@dataclass
class Discrete:
    """A law on points x and values of y: P(x), and the share of each value at each point."""

    features: np.ndarray
    share: np.ndarray
    values: np.ndarray

    def risk(self, predicted: np.ndarray) -> float:
        """Return the squared error of numbers or error rate of one-hot classes, by brute force."""
        if predicted.ndim == 2:
            return float(self.features @ (1 - (predicted * self.share).sum(1)))
        errors = predicted[:, None] - self.values
        return float(self.features @ (self.share * errors**2).sum(1))

    def expect(
        self, posed: Problem, f: np.ndarray, g: np.ndarray, mean: np.ndarray
    ) -> tuple[float, float]:
        """Return E of surplus and shift, over all points and values."""
        parts = [
            np.array(contributions(posed, np.full(len(mean), v), g, f, mean)) @ (self.features * r)
            for v, r in zip(self.values, self.share.T, strict=True)
        ]
        surplus, shift = np.sum(parts, axis=0)
        return surplus, shift


@pytest.mark.parametrize("n_classes", [0, 2, 4])
def test_path_b_is_an_identity_on_any_law(n_classes: int) -> None:
    """Random discrete laws: the terms add to the gap, and are those of the docstring."""
    rng = np.random.default_rng(n_classes)
    posed, points, count = problem(n_classes), 7, n_classes or 3
    values = np.arange(count) if n_classes else rng.normal(size=count)
    for _ in range(50):
        p, q = rng.dirichlet(np.ones(points), 2)
        eta, eta_s = rng.dirichlet(np.ones(count), (2, points))
        real, synthetic = Discrete(p, eta, values), Discrete(q, eta_s, values)
        f, g = rng.normal(size=(2, points))
        mean = eta_s @ values
        if n_classes:
            f, g = one_hot(rng.integers(n_classes, size=(2, points)), n_classes)
            mean = eta_s
        response, shift_p = real.expect(posed, f, g, mean)
        nothing, shift_q = synthetic.expect(posed, f, g, mean)
        feature, estimation = shift_p - shift_q, nothing + shift_q
        gap = real.risk(g) - real.risk(f)
        assert response + feature + estimation == pytest.approx(gap, abs=1e-12)
        assert estimation == pytest.approx(synthetic.risk(g) - synthetic.risk(f), abs=1e-12)
        assert nothing == pytest.approx(0, abs=1e-12)
        if n_classes == 2:
            named, by = g[:, 1] - f[:, 1], eta_s[:, 1]
            assert response == pytest.approx(2 * p @ ((by - eta[:, 1]) * named), abs=1e-12)
            assert feature == pytest.approx((p - q) @ ((1 - 2 * by) * named), abs=1e-12)
        if not n_classes:
            both = 2 * p @ ((g - f) * (mean - eta @ values))
            assert response == pytest.approx(both, abs=1e-12)
            shift = (g - mean) ** 2 - (f - mean) ** 2
            assert feature == pytest.approx((p - q) @ shift, abs=1e-12)
            # T1 holds for the term it is meant for
            chi2 = float(p**2 @ (1 / q) - 1)
            sd = math.sqrt(q @ shift**2 - (q @ shift) ** 2)
            assert abs(feature) <= shift_bound(chi2, sd) * (1 + 1e-9)


def test_no_shift_of_a_constant() -> None:
    assert shift_bound(math.inf, 0.0) == 0 and shift_bound(0.0, math.inf) == 0
    assert shift_bound(math.inf, 1.0) == math.inf
