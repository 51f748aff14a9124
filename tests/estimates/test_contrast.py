"""Differences: interval and p-value say the same, and the power is what it is said to be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, nct, ttest_ind, ttest_rel
from scipy.stats import t as student

from tabseed.estimates.contrast import Contrast
from tabseed.estimates.estimate import interval


def test_means_of_rows_give_the_t_tests_of_scipy() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(0.3, 2, 30), rng.normal(size=50)
    welch = Contrast.of_means([x[None], -y[None]])
    by_scipy = ttest_ind(x, y, equal_var=False)
    assert welch.p == pytest.approx(by_scipy.pvalue, rel=1e-9)
    assert welch.freedom == pytest.approx(by_scipy.df, rel=1e-9)
    ends = by_scipy.confidence_interval()
    assert welch.ends == pytest.approx((ends.low, ends.high), rel=1e-9)
    paired = Contrast.of_means([(x - y[:30])[None]])
    assert paired.p == pytest.approx(ttest_rel(x, y[:30]).pvalue, rel=1e-9)


def test_repeats_and_the_floor_enter_as_in_a_single_interval() -> None:
    rng = np.random.default_rng(1)
    parts = [rng.normal(size=(3, 40)), rng.normal(1, 2, size=(3, 60))]
    single, contrast = interval(parts, 0.1, "bits"), Contrast.of_means(parts, 0.1)
    assert contrast.value == single.value
    assert contrast.ends == pytest.approx((single.low, single.high), rel=1e-12)


def test_the_interval_excludes_0_exactly_where_p_is_below_a_twentieth() -> None:
    for freedom in (3.0, 30.0, 1e6):
        for z in (0.5, 1.9, 2.0, 3.1, 3.2, 5.0):
            contrast = Contrast(z * 0.7, 0.7, freedom, z * 0.7)
            low, high = contrast.ends
            assert (low > 0 or high < 0) == (contrast.p < 0.05)


def test_the_difference_that_would_show_does_so_four_times_in_five() -> None:
    """By the noncentral t law; the usual sum of two quantiles is close to it."""
    for freedom, level in ((1e5, 0.05), (1e5, 0.05 / 6), (40.0, 0.05)):
        contrast = Contrast(0.0, 2.0, freedom, 0.0)
        edge = student.ppf(1 - level / 2, freedom)
        power = nct.sf(edge, freedom, contrast.detectable(level) / 2.0)
        assert power == pytest.approx(0.8, abs=0.01)


def test_shares_by_hand() -> None:
    """Agresti and Caffo: 7/10 against 2/10 is 8/12 - 3/12 with its error."""
    contrast = Contrast.of_shares(7, 10, 2, 10)
    error = math.sqrt((8 / 12 * 4 / 12 + 3 / 12 * 9 / 12) / 12)
    assert contrast.value == pytest.approx(0.5)
    assert contrast.ends == pytest.approx((5 / 12 - 1.959964 * error, 5 / 12 + 1.959964 * error))
    none = Contrast.of_shares(0, 50, 0, 50)
    assert none.value == 0 and none.ends[0] < 0 < none.ends[1] and none.p == 1


def test_shares_are_called_different_in_at_most_a_twentieth_of_null_cases() -> None:
    """Exact: the sum over all pairs of counts of two binomial laws with one share."""
    n, m = 40, 60
    called = np.array(
        [[Contrast.of_shares(a, n, b, m).p < 0.05 for b in range(m + 1)] for a in range(n + 1)]
    )
    for share in (0.01, 0.1, 0.5, 0.9):
        law = np.outer(binom.pmf(range(n + 1), n, share), binom.pmf(range(m + 1), m, share))
        assert law[called].sum() <= 0.055


def test_without_spread_a_difference_is_certain() -> None:
    equal, other = np.ones((1, 5)), np.full((1, 9), -1.0)
    assert Contrast.of_means([equal, other]).p == 1
    assert Contrast.of_means([2 * equal, other]).p == 0
    assert Contrast.of_means([2 * equal, other]).ends == (1.0, 1.0)
