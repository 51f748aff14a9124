"""Estimates of density ratios against closed forms and their own normal equations."""

from __future__ import annotations

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import multivariate_normal

from helpers.chi_square import judge, table
from tabseed.metrics import (
    gaussian_chi_square,
)
from tabseed.metrics.density_ratio import ULSIF, cell_ratio, gaussian_ratio


def test_the_histogram_is_exact_for_discrete_laws() -> None:
    p, q = np.array([50, 30, 20]), np.array([200, 300, 500])
    names = np.array(["a", "b", "c"])
    real, fake = pa.table({"c": names.repeat(p)}), pa.table({"c": names.repeat(q)})
    result = judge(real, fake, "histogram")
    assert result.plugin.value == pytest.approx(0.63, rel=1e-12)
    assert result.lower_95 <= 0.63 and result.ess_fraction == pytest.approx(1 / 1.63)
    absent, unknown = (
        cell_ratio(np.array([[0], [1]]), np.array([[0]]))(np.array([[k]])) for k in (1, 7)
    )
    assert absent[0] > 1e20 and unknown[0] == 1


def test_gaussian_moments_give_the_closed_form() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 3)), rng.normal(size=(500, 3)) * 3
    result = judge(table(x), table(y))
    truth = gaussian_chi_square(x.mean(axis=0), np.cov(x.T), y.mean(axis=0), np.cov(y.T))
    assert result.plugin.value == pytest.approx(truth, rel=1e-9)
    narrow = judge(table(x), table(y / 10))
    assert narrow.plugin.value == math.inf and narrow.ess_fraction == 0
    assert math.isfinite(narrow.headline.value)
    assert json.loads(json.dumps(narrow.to_dict(), allow_nan=False))["plugin"]["value"] is None
    points = rng.normal(size=(5, 3))
    ratios = gaussian_ratio(x, y)(points)
    densities = [multivariate_normal.pdf(points, z.mean(axis=0), np.cov(z.T)) for z in (x, y)]
    np.testing.assert_allclose(ratios, densities[0] / densities[1], rtol=1e-9)


def test_ulsif_finds_the_ratio_of_a_shift() -> None:
    """N(0.5, 1) over N(0, 1), 4,000 rows each, r(x) = exp(x/2 - 1/8): L2 error, chi2. One seed."""
    rng = np.random.default_rng(7)
    p, q = rng.normal(size=(4_000, 1)) + 0.5, rng.normal(size=(4_000, 1))
    fitted = ULSIF.fit(p, q, rng)
    fresh_p, fresh_q = rng.normal(size=(20_000, 1)) + 0.5, rng.normal(size=(20_000, 1))
    off = fitted.ratio(fresh_q) - np.exp(fresh_q[:, 0] / 2 - 1 / 8)
    assert np.mean(off**2) < 0.05  # the constant 1 is off by chi2 = 0.284
    assert fitted.ratio(fresh_p).mean() - 1 == pytest.approx(0.2840, abs=0.06)
    nothing = ULSIF.fit(q, fresh_q[:4_000], rng)
    assert np.abs(nothing.ratio(fresh_q) - 1).mean() < 0.05


def test_ulsif_solves_its_normal_equations() -> None:
    """The weights zero the gradient of E_Q h^2/2 - E_P h + ridge |a|^2/2 at h = 1 + phi a."""
    rng = np.random.default_rng(8)
    p, q = rng.normal(size=(200, 2)) + 0.5, rng.normal(size=(300, 2))
    fitted = ULSIF.fit(p, q, rng)
    square = ((np.vstack([p, q])[:, None] - fitted.centres) ** 2).sum(axis=2)
    phi = np.exp(-square / (2 * fitted.width**2))
    h = 1 + phi @ fitted.weights
    gradient = (phi[200:] * h[200:, None]).mean(axis=0) - phi[:200].mean(axis=0)
    np.testing.assert_allclose(gradient + fitted.ridge * fitted.weights, 0, atol=1e-9)
