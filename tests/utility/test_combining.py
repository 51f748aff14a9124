"""Rules that combine estimates from several tables: closed forms, and coverage of intervals."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import tabseed as ts
from tabseed.errors import TabseedError


def test_rules_in_closed_form():
    q, u = np.array([1.0, 2.0, 4.0]), np.array([0.1, 0.2, 0.3])
    b, v = np.var(q, ddof=1), 0.2
    expected = {
        "rrr": (1 + 1 / 3) * b - v,
        "simple": v * (200 / 100) * (1 + 100 / (200 * 3)),
        "proper": v * (200 / 100) * (1 + (100 / 200 + 1) / 3),
        "incomplete": b / 3 + v,
    }
    for rule, variance in expected.items():
        combined = ts.combine_estimates(q, u, 100, 200, rule=rule)
        assert float(combined.estimate) == pytest.approx(7 / 3)
        assert float(combined.variance) == pytest.approx(variance, rel=1e-12)
        assert "Decruyenaere" in combined.warning and not combined.adjusted
        json.dumps(combined.to_dict(), allow_nan=False)
    combined = ts.combine_estimates(q, u, 100, 200, rule="rrr")
    assert float(combined.degrees) == pytest.approx(2 * (1 - v / (4 / 3 * b)) ** 2)
    doubled = ts.combine_estimates([3.0], [0.4], 50, 50)
    assert float(doubled.variance) == pytest.approx(0.8)
    assert float(doubled.high - doubled.low) == pytest.approx(2 * 1.959964 * math.sqrt(0.8))


def test_it_prints_in_one_line_with_its_rule_and_warning():
    one = ts.combine_estimates([1.0, 3.0], [1.0, 1.0], 100, 100)
    half = 1.959964 * math.sqrt(1 + 1 / 2)
    start = f"2 ({2 - half:.4g} to {2 + half:.4g}), by the rule 'simple'; "
    assert str(one) == start + one.warning
    two = ts.combine_estimates([[1.0, 5.0], [3.0, 7.0]], np.ones((2, 2)), 100, 100)
    assert str(two).startswith(start.partition(",")[0] + "; 6 (") and "\n" not in str(two)


def test_a_negative_variance_is_marked_and_replaced():
    combined = ts.combine_estimates(
        [[1.0, 0.0], [1.0, 9.0]], np.full((2, 2), 0.3), 100, 50, rule="rrr"
    )
    assert combined.raw_variance[0] == pytest.approx(-0.3)
    assert combined.adjusted.tolist() == [True, False]
    assert combined.variance[0] == pytest.approx(0.15)


@pytest.mark.parametrize("rule", ["simple", "proper", "rrr", "incomplete"])
def test_intervals_of_a_normal_mean_cover(rule):
    # 3,000 repeats; 4 standard errors of .95 are .016; an exact rule fails with probability 6e-5
    rng = np.random.default_rng(11)
    n, m, repeats = 100, 10, 3_000
    k = n if rule == "incomplete" else 200
    real = rng.standard_normal((repeats, 1)) / math.sqrt(n)
    # incomplete: the column that is averaged is synthetic in all n rows, drawn as in "proper"
    law = real + (rule != "simple") * rng.standard_normal((repeats, m)) / math.sqrt(n)
    q = law + rng.standard_normal((repeats, m)) / math.sqrt(k)
    v = np.full_like(q, 1 / k)
    combined = ts.combine_estimates(q.T, v.T, n, k, rule=rule)
    coverage = ((combined.low <= 0) & (combined.high >= 0)).mean()
    assert coverage > 0.95 - 0.016
    if rule != "rrr":  # its t interval is conservative for few tables
        assert coverage < 0.95 + 0.016


def test_estimates_that_do_not_fit_are_refused():
    for arguments in (([1.0], [1.0, 2.0]), ([], []), ([math.nan, 1.0], [1.0, 1.0])):
        with pytest.raises(TabseedError):
            ts.combine_estimates(*arguments, 10, 10)
    with pytest.raises(TabseedError, match="2 tables"):
        ts.combine_estimates([1.0], [1.0], 10, 10, rule="rrr")
    with pytest.raises(TabseedError, match=r"rule=.* is not one of"):
        ts.combine_estimates([1.0], [1.0], 10, 10, rule="best")
