"""Paired differences over splits: Nadeau and Bengio's interval, Holm's p-values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tabseed import (
    TabseedError,
)
from tabseed.estimates.splits import compare, family, holm


def test_the_interval_is_nadeau_and_bengios() -> None:
    # by hand: mean 3, s^2 = 2.5, so the mean has the variance (1/5 + 1/4) 2.5 = 1.125;
    # t_4(0.975) = 2.776445, t_4(0.8) = 0.940965
    difference = compare("a", "b", np.array([1.0, 2.0, 3.0, 4.0, 5.0]), ratio=0.25)
    error = math.sqrt(1.125)
    assert difference.mean == 3.0
    assert difference.low == pytest.approx(3 - 2.776445 * error, abs=1e-6)
    assert difference.high == pytest.approx(3 + 2.776445 * error, abs=1e-6)
    # with 4 degrees of freedom F(t) = 1/2 + (3 u - u^3) / 4, u = t / sqrt(4 + t^2)
    t = 3 / error
    u = t / math.sqrt(4 + t**2)
    assert difference.p == pytest.approx(2 * (1 - (0.5 + (3 * u - u**3) / 4)), rel=1e-9)
    assert difference.detectable == pytest.approx((2.776445 + 0.940965) * error, abs=1e-5)


def test_without_spread_the_interval_is_a_point() -> None:
    same, shifted = compare("a", "b", np.zeros(4), 0.25), compare("a", "b", np.ones(4), 0.25)
    assert (same.low, same.high, same.p) == (0.0, 0.0, 1.0)
    assert (shifted.low, shifted.high, shifted.p) == (1.0, 1.0, 0.0)
    with pytest.raises(TabseedError, match="2 splits"):
        compare("a", "b", np.ones(1), 0.25)


def test_holms_p_values_are_those_of_the_step_down_rule() -> None:
    # by hand: 4 x 0.005, 3 x 0.01, 2 x 0.03, and no less than that for the last
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    rng = np.random.default_rng(0)
    for _ in range(100):  # the adjusted p_i is the smallest level at which step down rejects it
        p = rng.uniform(0, 0.3, 5)
        for level in rng.uniform(0, 1, 5):
            rejected, order = set(), np.argsort(p)
            for step, i in enumerate(order):
                if p[i] > level / (5 - step):
                    break
                rejected.add(int(i))
            assert rejected == set(np.flatnonzero(holm(p) <= level).tolist())


def test_a_family_adjusts_what_is_compared_together() -> None:
    members = [compare(a, "none", np.array(d), 0.25) for a, d in (("a", [1.0, 1.1]), ("b", [0, 1]))]
    adjusted = family(members)
    assert [d.p for d in adjusted] == [d.p for d in members]
    assert adjusted[0].p_holm == pytest.approx(min(1.0, 2 * members[0].p))
    assert not adjusted[0].gains(0.0) and adjusted[0].gains(1.0)
