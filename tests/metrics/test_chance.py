"""Permutation nulls of many numbers at once, by brute force over all deals."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tabseed.metrics.chance import POWER_Z, Family, Null, jackknife


def deals(x: np.ndarray, n: int) -> np.ndarray:
    """Return differences of means (k, C(N, n)) over all deals of rows x (k, N), the true first."""
    size = x.shape[1]
    sides = [np.isin(np.arange(size), rows) for rows in combinations(range(size), n)]
    return np.array([x[:, side].mean(axis=1) - x[:, ~side].mean(axis=1) for side in sides]).T


@pytest.mark.parametrize("signed", [False, True])
def test_p_values_by_counting_deals(signed: bool) -> None:
    x = np.random.default_rng(0).normal(size=(5, 8)) + 1.5 * (np.arange(8) < 4) * np.eye(5)[:, :1]
    values = deals(x, 4)
    null = Null.of(values, signed=signed)
    z = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
    z = np.abs(z) if signed else z
    most = z.max(axis=0)
    for j in range(5):
        assert null.p[j] == pytest.approx(sum(z[j] >= z[j, 0] - 1e-9) / 70)
        adjusted = sum(most >= z[j, 0] - 1e-9) / 70
        assert null.p_adjusted()[j] == pytest.approx(adjusted)
        assert null.p_adjusted(looks=3)[j] == pytest.approx(min(1, 3 * adjusted))
    assert null.p_value == pytest.approx(null.p_adjusted().min())


@pytest.mark.parametrize("looks", [1, 2, 5, 7])
def test_a_family_differs_exactly_where_one_of_its_numbers_does(looks: int) -> None:
    """To the last bit, at every rank: 5 x 2/200 is 0.05, and 5 x (1 - 198/200) is more."""
    for size in (140, 200, 1_000):
        values = np.arange(size, dtype=float)
        for rank in (0, 1, 6, size // 20 - 1, size // 2):
            null = Null.of(np.roll(values, rank + 1)[None], signed=False)
            assert null.p_value == (rank + 1) / size
            assert null.p_adjusted(looks).min() == min(1.0, looks * null.p_value)


def test_adjusted_p_values_are_exact_over_all_deals() -> None:
    """Each deal taken for the true one in turn: at level a at most a of them find anything."""
    values = deals(np.random.default_rng(1).normal(size=(6, 8)), 4)
    turned = [np.roll(values, -at, axis=1) for at in range(values.shape[1])]
    smallest = np.array([Null.of(v, signed=True).p_value for v in turned])
    for level in (1 / 70, 0.05, 0.1, 0.3, 0.5):
        assert (smallest <= level + 1e-12).mean() <= level + 1e-12
    assert (smallest <= 0.1).mean() >= 0.08  # and not far below it


@pytest.mark.parametrize("looks", [1, 3])
def test_beyond_the_critical_value_is_beyond_chance(looks: int) -> None:
    values = deals(np.random.default_rng(2).normal(size=(3, 8)), 4)
    for at in range(values.shape[1]):
        null = Null.of(np.roll(values, -at, axis=1), signed=True)
        found = null.p_adjusted(looks) <= 0.05
        assert (found == (null.z > null.critical(looks) + 1e-9)).all()


def test_the_detectable_difference_is_the_critical_one_and_a_reserve() -> None:
    values = deals(np.random.default_rng(3).normal(size=(2, 8)), 4)
    null = Null.of(values, signed=True)
    noise = np.array([0.1, 0.2])
    family = Family(("a", "b"), values[:, 0], values[:, 0], values[:, 0], noise, null)
    for j, one in enumerate(family.compared(2).values()):
        reach = null.critical(2) * values[j].std() + 0.8416212 * noise[j]
        assert one.detectable == pytest.approx(reach)
    assert pytest.approx(0.8416212) == POWER_Z


def test_a_floor_keeps_rare_jumps_from_hiding_the_others() -> None:
    """What jumps in one of 200 deals is 14 of its standard deviations then, but few of others'."""
    values = np.random.default_rng(6).normal(size=(2, 200))
    values[1] = np.arange(200) == 150
    bare, floored = (Null.of(values, signed=True, floor=floor) for floor in (0.0, 0.5))
    assert bare.maxima.max() == pytest.approx(199 / 200 / values[1].std())
    assert bare.maxima.max() > 14
    assert floored.maxima.max() < 5 and floored.sd[1] == 0.5
    assert floored.sd[0] == bare.sd[0] and (floored.p == bare.p).all()
    assert Null.of(np.zeros((1, 20)), signed=True, floor=0.5).sd[0] == 0  # a constant stays one


def test_too_few_deals_or_a_constant_show_nothing() -> None:
    values = np.zeros((2, 20))
    values[0] = np.random.default_rng(4).normal(size=20)
    null = Null.of(values, signed=True)
    family = Family(("a", "b"), values[:, 0], values[:, 0], values[:, 0], np.zeros(2), null)
    one, other = family.compared().values()
    assert np.isfinite(one.detectable) and other.detectable == np.inf and other.p == 1
    assert all(c.detectable == np.inf for c in family.compared(looks=2).values())  # 1 of 40
    assert family.compared(looks=2)["a"].to_dict()["detectable"] is None
    bare = Family(("a", "b"), values[:, 0], values[:, 0], values[:, 0], np.zeros(2))
    assert not bare.varies and bare.compared()["a"].p is None and not bare.compared()["a"].differs


def test_the_jackknife_of_a_mean_is_its_variance() -> None:
    """With a row in each group it is s^2/n exactly; in groups, on average over their choice."""
    x = np.random.default_rng(5).normal(size=(1_000, 2))
    few = x[:15]
    variance, degrees = jackknife(lambda rows: few[rows].mean(axis=0), 15, np.random.default_rng(0))
    assert degrees == 14 and variance == pytest.approx(few.var(axis=0, ddof=1) / 15)
    rng = np.random.default_rng(0)
    grouped = [jackknife(lambda rows: x[rows].mean(axis=0), 1_000, rng)[0] for _ in range(200)]
    # a chi-square with 19 degrees has a spread of 0.32, so the mean of 200 x 2 one of 0.016
    ratio = np.mean(grouped / (x.var(axis=0, ddof=1) / 1_000))
    assert ratio == pytest.approx(1, abs=0.08)
