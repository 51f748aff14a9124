"""The encoder: exactly invertible, one cell a column, and draws that stay within what was seen."""

from __future__ import annotations

import datetime as dt
import json
import time
from itertools import product
from math import comb, factorial, log, prod

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.base import clone

from tabseed.coding.cells import DATE_UNITS, KNOTS, MAX_LEVELS, _grid
from tabseed.coding.encode import Layout, TableEncoder, log_chance
from tabseed.errors import SchemaError, TooFewRowsError
from tabseed.table import Table
from tabseed.table.schema import Column, Schema

ALARM = 1e-4  # share of seeds at which a statistical test here would fail for no reason


def table(**columns) -> Table:
    return Table.from_frame(pa.table(columns))


def fitted(**columns) -> tuple[Table, TableEncoder, np.ndarray]:
    made = table(**columns)
    encoder = TableEncoder().fit(made)
    return made, encoder, encoder.transform(made)


def shares(x: np.ndarray, layout: Layout, n: int) -> np.ndarray:
    """The training shares of all free cells, for n rows."""
    return np.tile(x[:, layout.cell_places].mean(axis=0), (n, 1))


# --- any table ----------------------------------------------------------------------------------

DAY = 86_400_000_000
CELLS = [
    st.floats(-1e150, 1e150),
    st.floats(-10, 10, width=32),
    st.floats(1e-310, 1e-300) | st.just(0.0),
    st.integers(-50, 50).map(lambda k: round(k * 0.1, 1)),
    st.integers(0, 40).map(lambda k: k / 3),
    st.integers(-(2**53), 2**53),
    st.integers(0, 6),
    st.booleans(),
    st.text(max_size=3),
    st.sampled_from(["ä", "日本", "🦜", "", " ", "NaN"]),
    st.datetimes(dt.datetime(1685, 1, 1), dt.datetime(2255, 1, 1)),
    st.datetimes().map(lambda t: t.replace(microsecond=0)),
    st.dates(),
    st.dates(dt.date(1000, 1, 1)).map(dt.date.isoformat),
    st.just(7.5),
    st.none(),
]


@st.composite
def tables(draw) -> Table:
    n = draw(st.integers(1, 30))
    columns = {}
    for j in range(draw(st.integers(1, 4))):
        cell = draw(st.sampled_from(CELLS))
        if draw(st.booleans()):
            cell = cell | st.none()
        columns[f"c{j}"] = draw(st.lists(cell, min_size=n, max_size=n))
    made = table(**columns)
    assume(len(made.schema.modelled))
    return made


@given(tables(), st.integers(0, 2**32), st.sampled_from([None, 1, 3]))
@settings(max_examples=250, deadline=None)
@example(table(a=[0.1, 0.2, None, 0.30000000000000004] * 7), 0, None)
@example(table(a=[-1e150, 1e150, 0.5, 3.0, 4.0, 5.0] * 2), 0, 1)
@example(table(a=[5e-324 * k for k in range(30)]), 0, 1)
def test_any_table_comes_back_and_draws_stay_within_it(made, seed, max_intervals) -> None:
    encoder = TableEncoder(max_intervals).fit(made)
    x, layout = encoder.transform(made), encoder.layout_
    assert x.shape == (len(made), layout.width) and np.isfinite(x).all()
    modelled = made.schema.modelled
    assert encoder.inverse_transform(x).to_frame().equals(made.to_frame().select(modelled.names))
    for block in layout.blocks:
        onehot = x[:, block.cells]
        assert np.isin(onehot, [0, 1]).all() and (onehot.sum(axis=1) == 1).all()
    assert np.isfinite(layout.scores(x)).all()

    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(len(layout.cell_places)) * 0.3, size=50)
    drawn = layout.sample(p, rng)
    assert np.isfinite(drawn).all()
    for block in layout.blocks:
        assert (drawn[:, block.cells].sum(axis=1) == 1).all()
    assert_within(encoder.inverse_transform(drawn), made, layout)


def assert_within(drawn: Table, made: Table, layout: Layout) -> None:
    for block in layout.blocks:
        found, seen = (set(t.values(block.name)) for t in (drawn, made))
        if not block.numeric or not len(block.knots):
            assert found <= seen
            continue
        assert None in seen or None not in found
        found, seen = drawn.numbers(block.name), made.numbers(block.name)
        found = found[~np.isnan(found)]
        if not len(found):
            continue
        assert np.nanmin(seen) <= found.min() and found.max() <= np.nanmax(seen)
        if block.step:
            k = np.round((found - block.origin) / block.step)
            ulps = 4 * np.spacing(np.abs([block.origin, *found]).max())
            off = np.abs(block.origin + k * block.step - found).max()
            assert off <= 1e-3 * block.step + ulps
        if block.decimals >= 0:
            np.testing.assert_array_equal(np.round(found, block.decimals), found)


@given(tables())
@settings(max_examples=40, deadline=None)
def test_state_makes_the_same_encoder(made) -> None:
    encoder = TableEncoder().fit(made)
    state, arrays = encoder.to_state()
    schema = Schema.from_dict(json.loads(json.dumps(made.schema.to_dict())))
    again = TableEncoder.from_state(json.loads(json.dumps(state)), arrays, schema)
    x = encoder.transform(made)
    np.testing.assert_array_equal(again.transform(made), x)
    assert again.inverse_transform(x).to_frame().equals(encoder.inverse_transform(x).to_frame())
    p = shares(x, encoder.layout_, 20)
    one, other = (e.layout_.sample(p, np.random.default_rng(1)) for e in (encoder, again))
    np.testing.assert_array_equal(one, other)
    assert again.dependencies_ == encoder.dependencies_
    assert again.get_params() == encoder.get_params()


def test_fitting_twice_gives_the_same() -> None:
    made, encoder, x = fitted(a=np.random.default_rng(0).normal(size=80), b=["u", "v"] * 40)
    np.testing.assert_array_equal(clone(encoder).fit(made).transform(made), x)


# --- other rows than those of training ----------------------------------------------------------


def test_codes_mean_what_they_meant_in_training() -> None:
    _, encoder, _ = fitted(c=["a", "b", "c"], x=[1.5, 2.5, 3.5])
    other = table(c=["c", "b"], x=[3.5, 2.5])  # detected on its own, its codes are 1 and 0
    assert encoder.inverse_transform(encoder.transform(other)).values("c") == ["c", "b"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"c": ["a", "z"]}, "column 'c', row 2: 'z' is not seen in training"),
        ({"c": ["a", None]}, "column 'c', row 2: the cell is missing, which training never had"),
        ({"x": [None, 1.0]}, "column 'x', row 1: the cell is missing, which training never had"),
        ({"e": [None, "u"]}, "column 'e', row 2: 'u' is not seen in training"),
        ({"n": [None, 3.0]}, "column 'n', row 2: 3.0 is not seen in training"),
        ({"o": ["L", "M"]}, "column 'o', row 2: 'M' is not seen in training"),
    ],
)
def test_what_training_never_held_is_refused_with_its_row(other, message) -> None:
    columns = {
        "c": ["a", "b"],
        "x": [1.5, 2.5],
        "e": pa.nulls(2),
        "n": pa.nulls(2),
        "o": ["S", "L"],
    }
    kinds = {"n": "continuous"}
    schema = Table.from_frame(pa.table(columns), kinds=kinds).schema
    schema = schema.with_column(Column("o", "ordinal", categories=("S", "M", "L")))
    encoder = TableEncoder().fit(Table.from_frame(pa.table(columns), schema))
    with pytest.raises(SchemaError) as caught:
        encoder.transform(Table.from_frame(pa.table({**columns, **other}), schema))
    assert str(caught.value) == message


def test_numbers_outside_lie_in_the_end_interval_and_are_clipped_when_drawn() -> None:
    values = np.random.default_rng(0).normal(size=200)
    _, encoder, _ = fitted(x=values)
    outside = table(x=[-99.0, 99.0, 0.0])
    x, block = encoder.transform(outside), encoder.layout_.blocks[0]
    assert encoder.inverse_transform(x).numbers("x").tolist() == [-99, 99, 0]
    assert encoder.layout_.cells(x)[0][:2].tolist() == [0, len(block.knots) - 1]
    assert block.snap(np.array([-99.0, 99.0])).tolist() == [values.min(), values.max()]
    scores = encoder.layout_.scores(x)[:, 0]
    assert scores[0] == pytest.approx(-scores[1]) and scores[0] < -2 < scores[2] < 2


def test_a_number_between_atoms_takes_the_nearest_atom() -> None:
    _, encoder, _ = fitted(x=[1.5, 4.5, 9.5, None])
    x = encoder.transform(table(x=[2.5, 8.0, -7.0, None]))
    assert encoder.layout_.cells(x)[0].tolist() == [0, 2, 0, 3]


def test_columns_of_the_wrong_table_are_named() -> None:
    _, encoder, _ = fitted(x=[1.5, 2.5], c=["a", "b"])
    with pytest.raises(SchemaError, match="column 'c' is missing; the table has 'x'"):
        encoder.transform(table(x=[1.5]))
    with pytest.raises(TooFewRowsError, match="no rows"):
        TableEncoder().fit(table(x=pa.array([], pa.float64())))
    with pytest.raises(SchemaError, match=r"no column is left to model.*\('id'\)"):
        TableEncoder().fit(table(id=list(range(30))))


# --- grids --------------------------------------------------------------------------------------

DAYS = np.array([*range(0, 3000, 7), 3001, 2_932_896]) * float(DAY)  # up to 9999-12-31


@pytest.mark.parametrize(
    ("numbers", "step", "decimals"),
    [
        ([], 0, -1),
        ([7.25], 0.01, 2),
        (np.arange(20) * 5 + 3, 5, 0),
        (np.arange(5) * 5 + 3, 1, 0),  # too few to believe in 5
        (np.round(np.arange(20) * 0.1, 1), 0.1, 1),
        (np.round(np.arange(20) * 0.25 - 3, 2), 0.25, 2),
        (np.arange(30) / 7 + 1000, 1 / 7, -1),
        (np.arange(30) * 2.5e-12, 2.5e-12, -1),
        ((np.arange(30) * 0.1).astype(np.float32), 0.1, -1),
        (DAYS, DAY, 0),
        (np.arange(12) * 1e16, 1e16, 0),
        (np.random.default_rng(0).normal(size=50), 0, -1),
        (np.random.default_rng(0).normal(size=50) * 1e149, 0, -1),
        (np.random.default_rng(0).normal(size=50) * 1e-305, 0, -1),
        ([-1e150, 0.5, 1e150], 0, -1),
        (np.arange(30) * 5e-324, 0, -1),
        ([0.5, 2.0**53], 0, -1),
        ([-(2.0**60), 3, 5], 0, -1),  # 2^60 + 3 is no float
    ],
)
def test_grids_are_found_where_they_are(numbers, step, decimals) -> None:
    distinct = np.unique(np.asarray(numbers, float))
    found, origin, found_decimals = _grid(distinct)
    assert found == pytest.approx(step, rel=1e-6)
    assert found_decimals == decimals
    if found and decimals >= 0:
        k = np.round((distinct - origin) / found)
        np.testing.assert_array_equal(np.round(origin + k * found, decimals), distinct)


@pytest.mark.parametrize("unit", DATE_UNITS)
def test_few_dates_lie_on_the_coarsest_common_unit(unit) -> None:
    assert _grid(np.array([0.0, 3.0, 7.0]) * unit, DATE_UNITS)[0] == unit


def test_nine_midnights_draw_midnights() -> None:
    days = [dt.datetime(2020, 1, 1) + dt.timedelta(3 * i + i * i) for i in range(9)]
    _, encoder, x = fitted(d=pa.array(days, pa.timestamp("us")))
    assert len(encoder.layout_.blocks[0].knots)
    drawn = encoder.layout_.sample(shares(x, encoder.layout_, 200), np.random.default_rng(0))
    stamps = set(encoder.inverse_transform(drawn).values("d"))
    assert len(stamps) > 9 and {s.time() for s in stamps} == {dt.time(0)}


# --- laws of the draws --------------------------------------------------------------------------


def test_cells_are_drawn_with_the_probabilities_given() -> None:
    """Chi-square over cells, seed fixed; false alarm ALARM over all blocks and both halves."""
    rng = np.random.default_rng(11)
    _, encoder, _ = fitted(
        x=rng.normal(size=100), n=rng.integers(0, 4, 100), c=rng.choice(["a", "b", None], 100)
    )
    layout, n = encoder.layout_, 20_000
    p = np.concatenate([np.tile(rng.random((1, len(layout.cell_places))), (n, 1)) for _ in "ab"])
    p[:, 0] = 0  # a cell that must not occur
    drawn = layout.cells(layout.sample(p, rng))
    for j, block in enumerate(layout.free):
        for half in (slice(0, n), slice(n, 2 * n)):
            wanted = p[half.start, layout.cell_block == j]
            counts = np.bincount(drawn[j][half], minlength=block.n_cells)
            assert (counts[wanted == 0] == 0).all()
            counts, wanted = counts[wanted > 0], wanted[wanted > 0] * n / wanted.sum()
            assert stats.chisquare(counts, wanted).pvalue > ALARM / 6


def test_rare_categories_share_a_cell_and_keep_their_frequencies() -> None:
    """Chi-square over the rare levels, seed fixed; false alarm ALARM."""
    common = [f"c{i}" for i in range(MAX_LEVELS - 1) for _ in range(9)]
    rare = [f"r{i}" for i in range(100) for _ in range(1 + i % 5)]
    _, encoder, _ = fitted(c=common + rare)
    block = encoder.layout_.blocks[0]
    assert (len(block.atoms), len(block.group), block.n_cells) == (MAX_LEVELS - 1, 100, MAX_LEVELS)
    n = 60_000
    p = np.zeros((n, MAX_LEVELS))
    p[:, -1] = 1
    drawn = encoder.inverse_transform(encoder.layout_.sample(p, np.random.default_rng(2)))
    levels, counts = np.unique(drawn.values("c"), return_counts=True)
    assert set(levels) == set(rare)
    wanted = np.array([rare.count(level) for level in levels]) * n / len(rare)
    assert stats.chisquare(counts, wanted).pvalue > ALARM


RNG = np.random.default_rng(4)
MARGINALS = {
    "normal": RNG.normal(size=1000),
    "heavy tail": RNG.standard_cauchy(1000),
    "exponential, two decimals": np.round(RNG.exponential(size=1000), 2),
    "half zeros": np.where(RNG.random(1000) < 0.5, 0.0, RNG.lognormal(size=1000)),
    "ages": RNG.integers(18, 95, 1000).astype(float),
    "few values": RNG.poisson(2, 1000).astype(float),
    "two bumps": np.where(RNG.random(1000) < 0.3, RNG.normal(-9, 1, 1000), RNG.normal(9, 1, 1000)),
    "large counts": RNG.poisson(10_000, 1000).astype(float),
    "ties": np.repeat(RNG.normal(size=125), 8),
    "15 rows": RNG.normal(size=15),
}


@pytest.mark.parametrize("name", MARGINALS)
def test_training_shares_give_back_the_marginal(name) -> None:
    """Kolmogorov's distance to the training rows: below the noise of m draws (Massart's bound at
    ALARM) plus what cells may blur: a part of an interval between knots, one training row."""
    values, m = MARGINALS[name], 40_000
    _, encoder, x = fitted(x=np.where(np.arange(len(values)) % 10 == 0, np.nan, values))
    present = values[np.arange(len(values)) % 10 != 0]
    drawn = encoder.layout_.sample(shares(x, encoder.layout_, m), np.random.default_rng(9))
    found, block = encoder.inverse_transform(drawn).numbers("x"), encoder.layout_.blocks[0]
    if not block.step:  # where no grid moves them, values lie in the cell that was drawn
        np.testing.assert_array_equal(block.cell_of(found), encoder.layout_.cells(drawn)[0])
    missing = np.isnan(found).mean()
    assert abs(missing - 0.1) < 0.04 if len(values) == 15 else abs(missing - 0.1) < 0.01
    found = np.sort(found[~np.isnan(found)])
    grid = np.unique(present)
    distance = np.abs(
        np.searchsorted(found, grid, "right") / len(found)
        - np.searchsorted(np.sort(present), grid, "right") / len(present)
    ).max()
    noise = np.sqrt(log(2 / ALARM) / 2 / len(found))
    blur = 1 / (len(block.atoms) + len(block.knots)) / (KNOTS - 1)
    assert distance < noise + blur + 1 / len(present)


# --- dependencies -------------------------------------------------------------------------------

EDUCATION = ["none", "school", "college", "bachelor", "master", "doctor"]


def test_columns_that_another_determines_follow_it() -> None:
    rng = np.random.default_rng(0)
    level, city = rng.integers(0, 6, 200), rng.integers(0, 12, 200)
    made, encoder, x = fitted(
        num=level,
        education=[EDUCATION[i] for i in level],
        country=[f"country{i // 4}" for i in city],
        city=[f"city{i}" for i in city],
        free=rng.choice(["u", "v"], 200),
    )
    assert set(encoder.dependencies_) == {("education", "num"), ("country", "city")}
    assert [b.name for b in encoder.layout_.free] == ["num", "city", "free"]
    uniform = np.ones((500, len(encoder.layout_.cell_places)))
    drawn = encoder.inverse_transform(encoder.layout_.sample(uniform, rng))
    for pair in (("num", "education"), ("city", "country")):
        seen, found = (set(zip(*map(t.values, pair), strict=True)) for t in (made, drawn))
        assert found == seen
    plain = TableEncoder(dependencies=False).fit(made)
    assert plain.dependencies_ == [] and len(plain.layout_.free) == 5
    np.testing.assert_array_equal(plain.transform(made), x)


def test_chains_hang_on_their_root_and_rare_pairs_are_believed() -> None:
    rng = np.random.default_rng(1)
    k = rng.integers(0, 16, 300)
    _, encoder, _ = fitted(c=k // 8, a=[f"a{i}" for i in k], b=[f"b{i // 4}" for i in k])
    assert set(encoder.dependencies_) == {("b", "a"), ("c", "a")}
    flags = np.array([True] * 10 + [False] * 90)  # few, but 1 in 10^13 of all arrangements
    _, encoder, _ = fitted(f=flags, g=np.where(flags, "y", "n"))
    assert encoder.dependencies_ == [("g", "f")]


def test_a_leader_must_repeat_itself() -> None:
    names = [f"n{i}" for i in [*range(60), *range(40)]]  # 40 of 100 rows are repeats
    flags = [int(name[1:]) % 2 == 0 for name in names]
    kinds = {"name": "categorical"}
    made = Table.from_frame(pa.table({"name": names, "flag": flags}), kinds=kinds)
    assert TableEncoder().fit(made).dependencies_ == []


def test_missing_cells_are_a_level_like_others() -> None:
    k = np.random.default_rng(1).integers(0, 3, 100)
    _, encoder, x = fitted(
        a=[["p", "q", None][i] for i in k], b=pa.array([[1.5, None, 2.5][i] for i in k])
    )
    assert encoder.dependencies_ == [("b", "a")]
    drawn = encoder.layout_.sample(shares(x, encoder.layout_, 300), np.random.default_rng(0))
    found = encoder.inverse_transform(drawn)
    pairs = set(zip(found.values("a"), found.values("b"), strict=True))
    assert pairs == {("p", 1.5), ("q", None), (None, 2.5)}


def test_independent_columns_are_not_believed_to_depend() -> None:
    """A false alarm comes with probability below 1e-6 a table, below 3e-4 in all; seeds fixed.

    The tables are made to tempt: a column of many singletons explains any rare level by chance.
    """
    for seed in range(300):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(4, 200))
        names = [f"s{i}" if rng.random() < 0.45 else "rest" for i in range(n)]
        flags = {f"f{j}": rng.random(n) < rng.uniform(0.01, 0.3) for j in range(8)}
        _, encoder, _ = fitted(name=names, grade=rng.integers(0, 3, n), **flags)
        assert encoder.dependencies_ == [], seed


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=6),
    st.lists(st.integers(1, 8), min_size=2, max_size=3),
)
@example([50, 50], [99, 1])
@example([10, 90], [90, 10])
def test_chance_is_bounded_by_counting(groups, levels) -> None:
    """Count the arrangements that keep groups whole, out of n! / prod n_b!."""
    n = sum(groups)
    if len(levels) == 2:
        levels = [min(levels[0], n - 1), n - min(levels[0], n - 1)]
    else:
        levels = [*levels[:2], n - sum(levels[:2])]
    assume(min(levels) > 0)
    whole = sum(
        all(
            sum(g for g, b in zip(groups, f, strict=True) if b == k) == m
            for k, m in enumerate(levels)
        )
        for f in product(range(len(levels)), repeat=len(groups))
    )
    bound = log_chance(np.array(groups), np.array(levels))
    arrangements = factorial(n) / prod(map(factorial, levels))
    if whole:
        assert bound >= log(whole / arrangements) - 1e-9
    assert bound <= len(groups) * log(len(levels)) - log(arrangements) + 1e-9


def test_chance_is_bounded_closely() -> None:
    exact = log(comb(100, 10) / comb(200, 20))  # 100 pairs of rows, 10 of them marked
    assert exact <= log_chance(np.full(100, 2), np.array([180, 20])) < exact + 3


# --- wide and long ------------------------------------------------------------------------------


def test_many_columns_and_many_levels_take_seconds() -> None:
    rng = np.random.default_rng(0)
    n = 1000
    columns: dict[str, object] = {f"x{j}": rng.normal(size=n) for j in range(150)}
    columns |= {f"c{j}": rng.integers(0, 20, n).astype(str) for j in range(150)}
    start = time.process_time()
    made, encoder, x = fitted(**columns)
    assert encoder.inverse_transform(x).to_frame().equals(made.to_frame())
    levels = [f"l{k % 2000}" for k in rng.zipf(1.2, 20_000)]
    made, encoder, x = fitted(c=levels, d=levels[::-1])
    assert len(set(levels)) > 1500 and x.shape[1] == 2 * (1 + MAX_LEVELS)
    assert encoder.inverse_transform(x).to_frame().equals(made.to_frame())
    assert time.process_time() - start < 20  # about 2 s where this was written
