"""Means with components of variance, and their intervals.

Statistical tests fix their seed; those at 4 standard errors would fail for 1 seed in 15,000.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t as student

import tabseed as ts
from tabseed.estimates.means import BALANCED, interaction, mean_over, ratio


def test_one_draw_and_seed_is_students_t() -> None:
    x = np.concatenate([np.linspace(-1, 1, 30), [0.0]])  # symmetric: no skew
    mean = mean_over(x[None, None])
    half = student.ppf(0.975, 30) * x.std(ddof=1) / 31**0.5
    assert (mean.low, mean.high) == pytest.approx((-half, half))
    assert (mean.se_draws, mean.se_seeds) == (0, 0)


def test_only_the_long_side_is_lengthened() -> None:
    x = np.random.default_rng(5).exponential(size=60)
    mean = mean_over(x[None, None])
    half = student.ppf(0.975, 59) * x.std(ddof=1) / 60**0.5
    assert mean.low == pytest.approx(x.mean() - half)
    assert mean.high > x.mean() + half * 1.01


def test_discordant_pairs_follow_agresti_and_min() -> None:
    x = np.zeros(100)
    x[:5], x[5] = 1, -1
    a, b, n = 5.5 / 101, 1.5 / 101, 101
    half = student.ppf(0.975, 99) * math.sqrt((a + b - (a - b) ** 2) / n)
    mean = mean_over(x[None, None], added=BALANCED)
    assert (mean.low, mean.high) == pytest.approx((a - b - half, a - b + half))
    same = mean_over(np.zeros((1, 1, 100)), added=BALANCED)
    assert same.low < 0 < same.high  # rows that agree do not prove that all would


def test_interaction_is_the_mean_square() -> None:
    rng = np.random.default_rng(6)
    x = rng.normal(size=(3, 4))
    residual = x - x.mean(0) - x.mean(1, keepdims=True) + x.mean()
    assert interaction(x) == pytest.approx((residual**2).sum() / (2 * 3) / 12)
    assert interaction(x[0]) == pytest.approx(x[0].var(ddof=1) / 4)
    assert interaction(x[:1]) == 0


@pytest.mark.parametrize("draws, seeds, own", [(3, 1, 0), (1, 3, 50), (3, 2, 50)])
def test_crossed_variances_are_counted_once(draws: int, seeds: int, own: int) -> None:
    """Simulated effects of known size; 4 standard errors of the mean estimated variance."""
    rng, repeats, h = np.random.default_rng(7), 300, 40
    row, draw, seed, cross, error = 1.0, 0.3, 0.2, 0.8, 0.6
    more = 0.7
    many_draws, many_seeds = draws > 1, seeds > 1
    means = []
    for _ in range(repeats):
        u = row * rng.standard_normal(h) + error * rng.standard_normal((draws, seeds, h))
        u += cross * rng.standard_normal((draws, 1, h))
        u += draw * many_draws * rng.standard_normal((draws, 1, 1))
        u += seed * many_seeds * rng.standard_normal((1, seeds, 1))
        tables = [more * rng.standard_normal((seeds, own)) for _ in range(draws if own else 0)]
        means.append(mean_over(u, tables))
    rows = (row**2 + cross**2 / draws + error**2 / (draws * seeds)) / h
    rows += more**2 / (own * seeds * draws) if own else 0
    expected = rows, draw**2 * many_draws / draws, seed**2 * many_seeds / seeds
    for name, value in zip(("se_rows", "se_draws", "se_seeds"), expected, strict=True):
        values = np.array([getattr(m, name) for m in means]) ** 2
        # the cut at 0 makes small variances larger, never smaller
        assert values.mean() >= value - 4 * values.std() / repeats**0.5
        assert values.mean() <= value + 4 * values.std() / repeats**0.5 + 0.1 * rows
    covered = np.mean([m.low <= 0 <= m.high for m in means])
    assert covered > 0.90  # below it by chance for 1 seed in 10,000 if the truth is 95 %


def test_ratio_ends_where_the_difference_is_just_not_distinguishable_from_0() -> None:
    rng = np.random.default_rng(8)
    w = 1 + rng.standard_normal(100)[None, None]
    u = 0.8 * w + 0.3 * rng.standard_normal(100)
    quotient = ratio(u, w)
    assert quotient.low < u.mean() / w.mean() < quotient.high
    assert mean_over(u - quotient.low * w).low == pytest.approx(0, abs=1e-6)
    assert mean_over(u - quotient.high * w).high == pytest.approx(0, abs=1e-6)
    assert ratio(u, w - 1) is None


def test_too_few_rows() -> None:
    with pytest.raises(ts.TooFewRowsError, match="2 rows"):
        mean_over(np.zeros((1, 1, 1)))
