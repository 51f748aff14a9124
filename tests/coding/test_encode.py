"""The encoder: exactly invertible, one cell per column, draws that stay within training values."""

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
from sklearn.base import clone

from helpers.encoding import fitted, shares, table
from tabseed.coding.cells import MAX_LEVELS
from tabseed.coding.encode import Layout, TableEncoder, log_chance
from tabseed.errors import SchemaError, TooFewRowsError
from tabseed.table import Table
from tabseed.table.schema import Column, Schema

# --- any table ----------------------------------------------------------------------------------

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
    result = table(**columns)
    assume(len(result.schema.modelled))
    return result


@pytest.mark.slow
@given(tables(), st.integers(0, 2**32), st.sampled_from([None, 1, 3]))
@settings(max_examples=250)
@example(table(a=[0.1, 0.2, None, 0.30000000000000004] * 7), 0, None)
@example(table(a=[-1e150, 1e150, 0.5, 3.0, 4.0, 5.0] * 2), 0, 1)
@example(table(a=[5e-324 * k for k in range(30)]), 0, 1)
def test_any_table_comes_back_and_draws_stay_within_it(original, seed, max_intervals) -> None:
    encoder = TableEncoder(max_intervals).fit(original)
    x, layout = encoder.transform(original), encoder.layout_
    assert x.shape == (len(original), layout.width) and np.isfinite(x).all()
    modelled = original.schema.modelled
    assert (
        encoder.inverse_transform(x).to_frame().equals(original.to_frame().select(modelled.names))
    )
    for block in layout.blocks:
        onehot = x[:, block.cells]
        assert np.isin(onehot, [0, 1]).all() and (onehot.sum(axis=1) == 1).all()
    assert np.isfinite(layout.scores(x)).all()

    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(len(layout.cell_indices)) * 0.3, size=50)
    rows = layout.sample(p, rng)
    assert np.isfinite(rows).all()
    for block in layout.blocks:
        assert (rows[:, block.cells].sum(axis=1) == 1).all()
    assert_within(encoder.inverse_transform(rows), original, layout)


def assert_within(synthetic: Table, original: Table, layout: Layout) -> None:
    for block in layout.blocks:
        values, seen = (set(t.values(block.name)) for t in (synthetic, original))
        if not block.numeric:
            assert values <= seen
            continue
        assert None in seen or None not in values
        numbers, seen = synthetic.numbers(block.name), block.tidy(original.numbers(block.name))
        numbers = numbers[~np.isnan(numbers)]
        if not len(numbers):
            continue
        if not len(block.knots):
            assert set(numbers) <= set(seen)
            continue
        if block.gaps is not None:
            inside = (numbers[:, None] > block.gaps[:, 0]) & (numbers[:, None] < block.gaps[:, 1])
            assert not inside.any()
        assert np.nanmin(seen) <= numbers.min() and numbers.max() <= np.nanmax(seen)
        if block.step:
            k = np.round((numbers - block.origin) / block.step)
            ulps = 4 * np.spacing(np.abs([block.origin, *numbers]).max())
            off = np.abs(block.origin + k * block.step - numbers).max()
            assert off <= 1e-3 * block.step + ulps
        if block.decimals >= 0:
            np.testing.assert_array_equal(block.tidy(numbers), numbers)
            rounded = np.round(numbers, block.decimals)
            kind = f"f{block.bits // 8}"
            assert (rounded.astype(kind) == numbers.astype(kind)).all()


@given(tables())
@settings(max_examples=40)
def test_state_makes_the_same_encoder(original) -> None:
    encoder = TableEncoder().fit(original)
    state, arrays = encoder.to_state()
    schema = Schema.from_dict(json.loads(json.dumps(original.schema.to_dict())))
    again = TableEncoder.from_state(json.loads(json.dumps(state)), arrays, schema)
    x = encoder.transform(original)
    np.testing.assert_array_equal(again.transform(original), x)
    assert again.inverse_transform(x).to_frame().equals(encoder.inverse_transform(x).to_frame())
    p = shares(x, encoder.layout_, 20)
    one, other = (e.layout_.sample(p, np.random.default_rng(1)) for e in (encoder, again))
    np.testing.assert_array_equal(one, other)
    assert again.dependencies_ == encoder.dependencies_
    assert again.get_params() == encoder.get_params()


def test_fitting_twice_gives_the_same() -> None:
    original, encoder, x = fitted(a=np.random.default_rng(0).normal(size=80), b=["u", "v"] * 40)
    np.testing.assert_array_equal(clone(encoder).fit(original).transform(original), x)


NEVER = "but no cell of this column was missing in training"

# --- rows other than the training rows ----------------------------------------------------------


def test_codes_mean_the_same_as_in_training() -> None:
    _, encoder, _ = fitted(c=["a", "b", "c"], x=[1.5, 2.5, 3.5])
    other = table(c=["c", "b"], x=[3.5, 2.5])  # detected on its own, its codes are 1 and 0
    assert encoder.inverse_transform(encoder.transform(other)).values("c") == ["c", "b"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"c": ["a", "z"]}, "column 'c', row 2: 'z' is not seen in training"),
        ({"c": ["a", None]}, f"column 'c', row 2: the cell is missing, {NEVER}"),
        ({"x": [None, 1.0]}, f"column 'x', row 1: the cell is missing, {NEVER}"),
        ({"e": [None, "u"]}, "column 'e', row 2: 'u' is not seen in training"),
        ({"n": [None, 3.0]}, "column 'n', row 2: 3.0 is not seen in training"),
        ({"o": ["L", "M"]}, "column 'o', row 2: 'M' is not seen in training"),
    ],
)
def test_values_not_in_training_are_refused_with_their_row(other, message) -> None:
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


def test_coded_numbers_keep_their_order_and_new_ones_take_the_nearest() -> None:
    grades = [1, 2, 2, 3, 9] * 8
    _, encoder, _ = fitted(grade=grades)
    block = encoder.layout_.blocks[0]
    assert block.ordered and not block.numeric and block.atoms.tolist() == [0, 1, 2, 3]
    x = encoder.transform(Table.from_frame(pa.table({"grade": [7, 5, 0, 3]}), encoder.schema_))
    assert encoder.inverse_transform(x).values("grade") == [9, 3, 1, 3]
    scores = encoder.layout_.scores(encoder.transform(table(grade=grades)))[:5, 0]
    assert scores[0] < scores[1] == scores[2] < scores[3] < scores[4]


def test_columns_of_the_wrong_table_are_named() -> None:
    _, encoder, _ = fitted(x=[1.5, 2.5], c=["a", "b"])
    with pytest.raises(SchemaError, match="column 'c' is missing; the table has 'x'"):
        encoder.transform(table(x=[1.5]))
    with pytest.raises(TooFewRowsError, match="no rows"):
        TableEncoder().fit(table(x=pa.array([], pa.float64())))
    with pytest.raises(SchemaError, match=r"no column is left to model.*\('id'\)"):
        TableEncoder().fit(table(id=list(range(30))))


# --- dependencies -------------------------------------------------------------------------------

EDUCATION = ["none", "school", "college", "bachelor", "master", "doctor"]


def test_columns_that_another_determines_follow_it() -> None:
    rng = np.random.default_rng(0)
    level, city = rng.integers(0, 6, 200), rng.integers(0, 12, 200)
    original, encoder, x = fitted(
        num=level,
        education=[EDUCATION[i] for i in level],
        country=[f"country{i // 4}" for i in city],
        city=[f"city{i}" for i in city],
        free=rng.choice(["u", "v"], 200),
    )
    assert set(encoder.dependencies_) == {("education", "num"), ("country", "city")}
    assert [b.name for b in encoder.layout_.free] == ["num", "city", "free"]
    uniform = np.ones((500, len(encoder.layout_.cell_indices)))
    synthetic = encoder.inverse_transform(encoder.layout_.sample(uniform, rng))
    for pair in (("num", "education"), ("city", "country")):
        seen, pairs = (set(zip(*map(t.values, pair), strict=True)) for t in (original, synthetic))
        assert pairs == seen
    plain = TableEncoder(dependencies=False).fit(original)
    assert plain.dependencies_ == [] and len(plain.layout_.free) == 5
    np.testing.assert_array_equal(plain.transform(original), x)


def test_chains_depend_on_their_root_and_rare_pairs_are_accepted() -> None:
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
    original = Table.from_frame(pa.table({"name": names, "flag": flags}), kinds=kinds)
    assert TableEncoder().fit(original).dependencies_ == []


def test_missing_cells_are_a_level_like_any_other() -> None:
    k = np.random.default_rng(1).integers(0, 3, 100)
    _, encoder, x = fitted(
        a=[["p", "q", None][i] for i in k], b=pa.array([[1.5, None, 2.5][i] for i in k])
    )
    assert encoder.dependencies_ == [("a", "b")]  # of both the numbers lead
    rows = encoder.layout_.sample(shares(x, encoder.layout_, 300), np.random.default_rng(0))
    synthetic = encoder.inverse_transform(rows)
    pairs = set(zip(synthetic.values("a"), synthetic.values("b"), strict=True))
    assert pairs == {("p", 1.5), ("q", None), (None, 2.5)}


@pytest.mark.slow
def test_independent_columns_are_not_taken_for_dependent() -> None:
    """The probability of a false alarm is below 1e-6 per table, below 3e-4 in all; seeds fixed.

    The tables are built to mislead: a column of many singletons explains any rare level by chance.
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


@pytest.mark.slow
def test_many_columns_and_many_levels_take_seconds() -> None:
    rng = np.random.default_rng(0)
    n = 1000
    columns: dict[str, object] = {f"x{j}": rng.normal(size=n) for j in range(150)}
    columns |= {f"c{j}": rng.integers(0, 20, n).astype(str) for j in range(150)}
    start = time.process_time()
    original, encoder, x = fitted(**columns)
    assert encoder.inverse_transform(x).to_frame().equals(original.to_frame())
    levels = [f"l{k % 2000}" for k in rng.zipf(1.2, 20_000)]
    original, encoder, x = fitted(c=levels, d=levels[::-1])
    assert len(set(levels)) > 1500 and x.shape[1] == 2 * (1 + MAX_LEVELS)
    assert encoder.inverse_transform(x).to_frame().equals(original.to_frame())
    assert time.process_time() - start < 20  # about 2 s on the machine where this was written


def test_values_side_by_side_are_those_of_the_table_and_pass_the_check() -> None:
    _, encoder, x = fitted(n=[1.0, 2.5, None, 4.0] * 5, c=["a", "b", "a", None] * 5)
    rows = encoder.layout_.columns(x)
    assert rows.shape == (20, 2)
    np.testing.assert_array_equal(rows[:4, 0], [1.0, 2.5, np.nan, 4.0])
    assert np.isnan(rows[:, 1]).sum() == 5
    encoder.layout_.check(rows)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda rows: rows[:0], r"the shape \(0, 2\)"),
        (lambda rows: rows[:, :1], "the encoder has 2 columns"),
        (lambda rows: np.where(rows == 4.0, np.inf, rows), "column 'n' cannot"),
        (lambda rows: rows + np.array([0, 9]), "column 'c' cannot"),
    ],
)
def test_values_that_the_columns_cannot_hold_are_refused(change, message) -> None:
    _, encoder, x = fitted(n=[1.0, 2.5, 3.0, 4.0] * 5, c=["a", "b", "a", "b"] * 5)
    with pytest.raises(ValueError, match=message):
        encoder.layout_.check(change(encoder.layout_.columns(x)))
