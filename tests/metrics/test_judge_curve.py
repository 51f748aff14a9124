"""The judge's learning curve: against known curves, and against curves drawn from the prior."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import expit, logit

from tabseed.errors import ParameterError, TooFewRowsError
from tabseed.metrics import JudgeCurve
from tabseed.metrics.judge_curve import foretell, inverse_power, line_of_logits

SIZES = (250, 500, 1_000)
MANY = (10**7, 2 * 10**7, 4 * 10**7)  # rows at which a JS has no noise to speak of


def ends(js: np.ndarray, weight: np.ndarray) -> np.ndarray:
    order = np.argsort(js)
    return np.interp([0.025, 0.975], np.cumsum(weight[order]), js[order])


def power_curve(n: np.ndarray, limit: float, near: float, power: float) -> np.ndarray:
    return limit - (limit - near) * (n / MANY[-1]) ** -power


def test_each_family_finds_a_curve_of_its_own_without_noise() -> None:
    n = np.array([*MANY, 9 * MANY[-1]])
    *found, truth = power_curve(n, 0.8, 0.5, 0.5)
    low, high = ends(*inverse_power(MANY, np.array(found), int(n[-1])))
    assert low - 0.02 < truth < high + 0.02 and high - low < 0.1
    *found, truth = expit(logit(0.4) + 0.7 * np.log(n / MANY[-1]))
    low, high = ends(*line_of_logits(MANY, np.array(found), int(n[-1])))
    assert low - 0.01 < truth < high + 0.01 and high - low < 0.05


@pytest.mark.parametrize("family", ["inverse power", "line of logits"])
def test_the_grid_agrees_with_draws_from_the_prior(family: str) -> None:
    """300,000 curves drawn at random, weighted by the likelihood; quantiles within 0.02."""
    found, rng, far = np.array([0.1, 0.2, 0.27]), np.random.default_rng(0), 9.5

    def noise(js: np.ndarray, n: int) -> np.ndarray:
        return np.sqrt(np.maximum(js * (1 - js), 0.005) / (n * math.log(2)))

    near = found[-1] + noise(found[-1], 1_000) * rng.uniform(-5, 5, 300_000)
    if family == "inverse power":
        limit = near + rng.uniform(size=near.size) * (1 - near)
        power = np.exp(rng.uniform(math.log(0.1), math.log(2), near.size))
        curves = [limit - (limit - near) * x**-power for x in (0.25, 0.5, 1, far)]
        grid = inverse_power(SIZES, found, 9_500)
    else:
        slope = rng.uniform(0, 3, near.size)
        curves = [expit(logit(near) + slope * math.log(x)) for x in (0.25, 0.5, 1, far)]
        grid = line_of_logits(SIZES, found, 9_500)
    log_weight = np.zeros(near.size)
    for js, curve, n in zip(found, curves, SIZES, strict=False):
        curve = np.clip(curve, 0, 1)
        se = noise(curve, n)
        log_weight -= ((js - curve) / se) ** 2 / 2 + np.log(se)
    weight = np.exp(log_weight - log_weight.max())
    np.testing.assert_allclose(ends(*grid), ends(curves[-1], weight / weight.sum()), atol=0.02)


def test_intervals_grow_with_the_distance_and_begin_with_what_was_found() -> None:
    found = np.array([0.1, 0.2, 0.27])
    far = [foretell(SIZES, found, rows) for rows in (1_000, 2_000, 5_000, 10_000)]
    se = math.sqrt(0.27 * 0.73 / (1_000 * math.log(2)))
    assert far[0].value == pytest.approx(0.27, abs=se)  # fitted to three points, so a little moved
    assert far[0].high - far[0].low < 2 * 1.96 * se * 1.1
    widths = [e.high - e.low for e in far]
    assert widths == sorted(widths) and [e.low for e in far] == sorted(e.low for e in far)
    nothing = foretell(SIZES, np.zeros(3), 10_000)
    assert nothing.low < 0 < nothing.value < nothing.high < 1


def gaussian(n: int, shift: float, seed: int) -> pa.Table:
    return pa.table({"x": np.random.default_rng(seed).normal(size=n) + shift})


@pytest.mark.slow
def test_a_known_divergence_lies_in_the_interval() -> None:
    """N(1, 1) and N(0, 1): JS is 0.1607 bits, of which the judges find 0.15 at 9,000 rows."""
    real, fake = gaussian(1_000, 1, 1), gaussian(1_200, 0, 2)
    result = JudgeCurve(rows=9_000).evaluate(real, fake, random_state=0)
    assert result.sizes == SIZES and set(result.found) == {"trees", "mlp"}
    for estimate in result.foretold.values():
        assert estimate.low < 0.1607 < estimate.high < 0.6
    assert result.headline.value == max(e.value for e in result.foretold.values())
    assert result.to_dict()["foretold"]["mlp"] == result.foretold["mlp"].to_dict()


def test_too_few_rows_and_too_far_are_refused() -> None:
    with pytest.raises(TooFewRowsError, match="at least 1000 real rows, got 999"):
        JudgeCurve().evaluate(gaussian(999, 0, 1), gaussian(1_000, 0, 2))
    with pytest.raises(ParameterError, match="rows=10001 is not a whole number from 1000 to"):
        JudgeCurve(rows=10_001).evaluate(gaussian(1_000, 0, 1), gaussian(2_000, 0, 2))
