"""Gaps: found where numbers leave one, rarely elsewhere, and never filled by a block's law."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tabseed.coding.cells import number_block
from tabseed.coding.gaps import END_ALARM, INNER_ALARM, LEAST, find_gaps

ALARM = 1e-4  # share of seeds for which a statistical test here would fail by chance


def gaps_of(values: np.ndarray, step: float = 0.0, most: int = 20) -> list[tuple[float, float]]:
    distinct, counts = np.unique(values, return_counts=True)
    return [(low, high) for low, high in find_gaps(distinct, counts, step, most)]


AGES = np.arange(18.0, 90.0)
INCOMES = np.exp(10 + 0.5 * stats.norm.ppf((np.arange(240) + 0.5) / 240)).round()
WEIGHTS = (75 + 12 * stats.norm.ppf((np.arange(240) + 0.5) / 240)).round()
YEAR = np.arange(19_358.0, 20_058.0, 3)  # days since 1970


@pytest.mark.parametrize(
    ("body", "codes", "found"),
    [
        (AGES, [], []),
        (AGES, [-9] * 6, [(-9, 18)]),
        (AGES, [-9], [(-9, 18)]),
        (AGES, [-9, -8, 999], [(-8, 18), (89, 999)]),
        (AGES, [97, 98, 99], [(89, 97)]),
        (AGES[::2], [-9], [(-9, 18)]),
        (np.arange(11.0), [99] * 3, [(10, 99)]),
        (INCOMES, [], []),
        (INCOMES, [999_999] * 6, [(INCOMES[-1], 999_999)]),
        (INCOMES, [999_999], [(INCOMES[-1], 999_999)]),
        (INCOMES, [99_999_999, 88_888_888], None),
        (INCOMES, [0] * 90, [(0, INCOMES[0])]),
        (WEIGHTS, [213], [(WEIGHTS[-1], 213)]),
        (WEIGHTS[::4], [213], [(WEIGHTS[-4:].min(), 213)]),
        (YEAR, [2_932_896.0] * 5, [(YEAR[-1], 2_932_896)]),
        (YEAR, [2_932_896.0] * 90, [(YEAR[-1], 2_932_896)]),
        (np.append(WEIGHTS, 1_000 * WEIGHTS[::20]), [], [(WEIGHTS[-1], 1_000 * WEIGHTS[0])]),
        (np.concatenate([WEIGHTS, WEIGHTS + 500]), [300], None),
    ],
)
def test_codes_and_outliers_are_beyond_a_gap(body, codes, found) -> None:
    gaps = gaps_of(np.concatenate([body, codes]), step=1.0)
    if found is None:  # each code is on its own side of gaps, or with the other codes
        ends = np.array([low for low, _ in gaps])
        sides = {int(np.searchsorted(ends, code)) for code in codes}
        assert sides.isdisjoint(np.searchsorted(ends, body))
    else:
        assert gaps == found


LAWS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.random(n),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "lognormal": lambda rng, n: rng.lognormal(0, 1.5, n),
    "Pareto": lambda rng, n: rng.pareto(1, n),
    "U-shaped": lambda rng, n: rng.beta(0.3, 0.3, n),
    "ages": lambda rng, n: rng.integers(18, 90, n).astype(float),
    "counts": lambda rng, n: rng.geometric(0.05, n).astype(float),
}


@pytest.mark.parametrize("name", LAWS)
def test_smooth_laws_are_rarely_cut(name) -> None:
    """At most by the stated alarms of LEAST spacings at both ends and of those inside.

    60 columns of 200 rows, seeds fixed; false alarm ALARM by the binomial law.
    """
    step = 1.0 if name in ("ages", "counts") else 0.0
    cut = sum(bool(gaps_of(LAWS[name](np.random.default_rng(i), 200), step)) for i in range(60))
    assert cut <= stats.binom.isf(ALARM, 60, 2 * LEAST * END_ALARM + INNER_ALARM)


columns = st.integers(0, 2**32).map(
    lambda seed: np.concatenate(
        [
            np.random.default_rng(seed).normal(size=60),
            np.random.default_rng(seed).choice([-400.5, 30.5, 31.5, 1e5], seed % 5),
        ]
    )
)


@given(columns, st.integers(-3, 3), st.sampled_from([-1.0, 1.0]))
@settings(max_examples=60, deadline=None)
def test_units_and_direction_do_not_matter(values, power, sign) -> None:
    gaps = np.array(gaps_of(values)).reshape(-1, 2)
    other = np.array(gaps_of(sign * 2.0**power * values)).reshape(-1, 2)
    np.testing.assert_array_equal(np.sort(other * sign / 2.0**power, axis=None), gaps.ravel())
    ordered = np.unique(values)
    after = np.searchsorted(ordered, gaps[:, 0]) + 1
    np.testing.assert_array_equal(ordered[after], gaps[:, 1])


def test_the_widest_gaps_are_kept() -> None:
    middles = np.cumsum(np.arange(1, 9)) * 1_000.0
    values = (middles[:, None] + np.linspace(0, 1, 40)).ravel()
    assert len(gaps_of(values)) == 7
    assert gaps_of(values, most=2) == [(middles[k] + 1, middles[k + 1]) for k in (5, 6)]


@pytest.mark.parametrize(
    ("levels", "found"),
    [
        ([1, 2, 3, 4, 5, 9], [(5, 9)]),
        ([-1, 1, 2, 3], [(-1, 1)]),
        ([0, 1, 9], [(1, 9)]),
        ([0, 7], []),
        ([6, 7, 8, 9], []),
        ([1, 2, 3, 4, 5, 10], []),
        ([-2, -1, 0, 1], []),
    ],
)
def test_of_very_few_numbers_only_usual_codes_stand_apart(levels, found) -> None:
    assert gaps_of(np.repeat(levels, 9), step=1.0) == found


# --- what a block makes of them ------------------------------------------------------------------


@given(columns, st.integers(4, 20))
@settings(max_examples=60, deadline=None)
def test_no_law_inside_cells_reaches_into_a_gap(values, n_intervals) -> None:
    block = number_block("x", 0, values, n_intervals)
    rng = np.random.default_rng(0)
    drawn = block.draw(rng.integers(0, block.n_cells, 500), rng)
    moved = block.snap(rng.uniform(values.min() - 1, values.max() + 1, 500))
    gaps = gaps_of(values, block.step, max(8, n_intervals - 1))
    assert (block.gaps is None) == (not gaps)
    for low, high in gaps:
        for numbers in (drawn, moved, block.knots.ravel(), block.atoms):
            assert not ((numbers > low) & (numbers < high)).any()
    cells = block.cell_of(values)
    assert (cells >= 0).all()


def test_numbers_in_a_gap_move_to_the_nearer_side() -> None:
    block = number_block("x", 0, np.concatenate([INCOMES, [999_999] * 5]), 15)
    top = INCOMES.max()
    middle = (top + 999_999) / 2
    numbers = np.array([top + 1, middle - 1, middle + 1, 999_998, 2e6, np.nan, 20_000])
    expected = [top, top, 999_999, 999_999, 999_999, np.nan, 20_000]
    np.testing.assert_array_equal(block.snap(numbers), expected)
    np.testing.assert_array_equal(block.piece_of(numbers[:5]), [0, 0, 1, 1, 1])
    assert block.atoms[block.alone].tolist() == [999_999]


def test_few_rows_far_from_all_others_are_drawn_as_they_are() -> None:
    values = np.concatenate([INCOMES, [999_999] * 2, [5e6, 6e6]])
    block = number_block("x", 0, values, 15)
    assert set(block.atoms[-3:]) == {999_999, 5e6, 6e6}
    share = np.bincount(block.cell_of(values), minlength=block.n_cells) / len(values)
    drawn = block.draw(np.repeat(np.arange(block.n_cells), 100), np.random.default_rng(0))
    assert set(drawn[drawn > INCOMES.max()]) == {999_999, 5e6, 6e6}
    assert share[block.cell_of(np.array([5e6]))] == 1 / len(values)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("n", [60, 300, 2_000])
def test_the_last_rows_of_a_tail_are_drawn_as_often_as_they_occur(n, sign) -> None:
    """Beyond the j-th largest of Pareto numbers lie (j - 1) / n of the draws.

    Seed fixed; 6 standard errors of 40,000 draws, and a quarter of a row for the quantiles
    between rows and the grid of END_LEVELS.
    """
    values = np.random.default_rng(n).pareto(1.5, n)
    block = number_block("x", 0, sign * values, 20)
    rng = np.random.default_rng(1)
    drawn = sign * block.draw(rng.choice(block.cell_of(sign * values), 40_000), rng)
    for j in (2, 3, 5):
        share, expected = np.mean(drawn > np.sort(values)[-j]), (j - 1) / n
        allowed = 6 * (expected / 40_000) ** 0.5 + 0.25 / n + expected / n
        assert abs(share - expected) < allowed
