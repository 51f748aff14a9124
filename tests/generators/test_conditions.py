"""Conditions on drawn rows: every form that a user writes, and one line for what is none."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tabseed as ts
from tabseed.errors import SchemaError, TabseedError
from tabseed.generators.conditions import Conditions

N = 120
NAN, NA, NAT = math.nan, pd.NA, pd.NaT


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    minutes = rng.integers(0, 90 * 24 * 60, N)
    frame = pd.DataFrame(
        {
            "price": rng.normal(size=N).round(2),
            "age": rng.integers(0, 90, N),
            "long": rng.normal(size=N),
            "fruit": rng.choice(["apple", "pear", "plum"], N),
            "flag": rng.random(N) < 0.5,
            "says": rng.choice(["yes", "no"], N),
            "code": rng.choice(["1", "2", "10"], N),
            "size": pd.Categorical(rng.choice(["s", "m", "l"], N), ["s", "m", "l"], ordered=True),
            "stage": pd.Categorical(rng.choice([1, 2, 5], N), [1, 2, 5, 9], ordered=True),
            "seen": pd.Timestamp("2024-01-01") + pd.to_timedelta(minutes, unit="min"),
            "day": pd.date_range("2024-01-01", periods=N).strftime("%d.%m.%Y"),
            "zoned": pd.date_range("2024-03-29", periods=N, freq="h", tz="Europe/Berlin"),
            "small": rng.normal(size=N).round(1).astype("float32"),
            "name": [f"p{i}" for i in range(N)],
        }
    )
    frame.loc[:9, "price"] = NAN
    frame.loc[:9, "fruit"] = None
    return frame


@pytest.fixture(scope="module")
def model(frame) -> ts.Resample:
    return ts.Resample(random_state=0).fit(frame)


def day(seen: pd.Series) -> pd.Series:
    return seen.dt.strftime("%Y-%m-%d")


def numbered(cases: list[tuple]) -> list[str]:
    """Names of cases that are the same in each process (a set has no fixed order)."""
    return [f"{case[0]}{i}" for i, case in enumerate(cases)]


FORMS = [
    ("price", None, lambda v: v.isna()),
    ("price", NAN, lambda v: v.isna()),
    ("price", NA, lambda v: v.isna()),
    ("price", np.float32("nan"), lambda v: v.isna()),
    ("price", [None], lambda v: v.isna()),
    ("price", (None, None), lambda v: v.notna()),
    ("price", (0.3, None), lambda v: v >= 0.3),
    ("price", (NA, 0.3), lambda v: v <= 0.3),
    ("price", (NAN, 0.1 + 0.2), lambda v: v <= 0.3),
    ("price", (-math.inf, 0), lambda v: v <= 0),
    ("price", (Decimal("-0.5"), np.float64(0.5)), lambda v: v.between(-0.5, 0.5)),
    ("price", [NA, (0.5, None)], lambda v: v.isna() | (v >= 0.5)),
    ("age", [(0, 9), (80, None)], lambda v: (v <= 9) | (v >= 80)),
    ("age", (np.int64(20), "40"), lambda v: v.between(20, 40)),
    ("fruit", "apple", lambda v: v == "apple"),
    ("fruit", np.str_("apple"), lambda v: v == "apple"),
    ("fruit", NA, lambda v: v.isna()),
    ("fruit", ["apple", "plum"], lambda v: v.isin(["apple", "plum"])),
    ("fruit", {"apple", "plum"}, lambda v: v.isin(["apple", "plum"])),
    ("fruit", frozenset({"apple"}), lambda v: v == "apple"),
    ("fruit", [None, "apple"], lambda v: v.isna() | (v == "apple")),
    ("fruit", np.array(["apple", "plum"]), lambda v: v.isin(["apple", "plum"])),
    ("fruit", pd.Series(["apple", "plum"]), lambda v: v.isin(["apple", "plum"])),
    ("fruit", pl.Series(["apple", "plum"]), lambda v: v.isin(["apple", "plum"])),
    ("fruit", pa.array(["apple", None]), lambda v: v.isna() | (v == "apple")),
    ("flag", np.bool_(True), lambda v: v),
    ("flag", 1, lambda v: v),
    ("flag", "TRUE", lambda v: v),
    ("flag", "no", lambda v: ~v),
    ("says", True, lambda v: v == "yes"),
    ("says", 0, lambda v: v == "no"),
    ("code", 1, lambda v: v == "1"),
    ("code", [1.0, "10"], lambda v: v.isin(["1", "10"])),
    ("size", ("m", None), lambda v: v.isin(["m", "l"])),
    ("size", ("s", "m"), lambda v: v.isin(["s", "m"])),
    ("stage", (2, None), lambda v: v.astype(int) >= 2),
    ("stage", (1.5, 6), lambda v: v.isin([2, 5])),
    ("stage", [1, 5, 9], lambda v: v.isin([1, 5])),
    ("stage", "2", lambda v: v == 2),
    ("stage", ("2", "5"), lambda v: v.isin([2, 5])),
    ("seen", ("2024-02-01", None), lambda v: v >= pd.Timestamp("2024-02-01")),
    ("seen", (NAT, dt.date(2024, 1, 31)), lambda v: v < pd.Timestamp("2024-02-01")),
    ("seen", (pd.Timestamp("2024-02-01"), NA), lambda v: v >= pd.Timestamp("2024-02-01")),
    ("seen", "2024-02", lambda v: day(v).str.startswith("2024-02")),
    ("seen", np.datetime64("2024-02"), lambda v: day(v).str.startswith("2024-02")),
    (
        "seen",
        (np.datetime64("2024-01-10"), dt.datetime(2024, 2, 1)),
        lambda v: v.between("2024-01-10", "2024-02-01"),
    ),
    ("day", "10.03.2024", lambda v: v == "10.03.2024"),
    ("day", "2024-03-10", lambda v: v == "10.03.2024"),
    ("day", ["10.03.2024", dt.date(2024, 3, 11)], lambda v: v.isin(["10.03.2024", "11.03.2024"])),
    ("day", ("01.03.2024", "2024-03-31"), lambda v: v.str.endswith("03.2024")),
    ("zoned", "2024-03-31", lambda v: day(v) == "2024-03-31"),
    ("zoned", ("2024-03-31 12:00", None), lambda v: v >= pd.Timestamp("2024-03-31 10:00Z")),
    ("zoned", pd.Timestamp("2024-03-31 10:00Z"), lambda v: v == "2024-03-31 12:00+02:00"),
    ("small", (0.3, None), lambda v: v >= np.float32(0.3)),
    ("small", (0.3, 0.3), lambda v: v == np.float32(0.3)),
    ("price", (np.float32(0.3), None), lambda v: v >= 0.3),
    ("price", [np.float32(v / 100) for v in range(-200, 200)], lambda v: v.between(-2, 1.99)),
]


@pytest.mark.parametrize(("name", "asked", "meets"), FORMS, ids=numbered(FORMS))
def test_rows_that_meet_a_condition_are_those_that_pandas_selects(
    frame, model, name, asked, meets
) -> None:
    given = Conditions.read({name: asked}, model.schema_, model.encoder_)
    expected = meets(frame[name]).to_numpy(dtype=bool)
    assert 0 < expected.sum() < len(frame) or name == "zoned"
    np.testing.assert_array_equal(given.hold(ts.Table.from_frame(frame)), expected)
    drawn = model.sample(5, conditions={name: asked})[name]
    assert len(drawn) == 5 and meets(drawn).all()


@settings(max_examples=30, deadline=None)
@given(st.floats(-3, 3), st.floats(-3, 3))
def test_a_range_holds_where_numbers_lie_in_it(low, high) -> None:
    """Brute force: the rows of a table that meet a range are those whose numbers lie in it."""
    x = np.round(np.random.default_rng(1).normal(size=60), 1)
    table = ts.Table.from_frame(pa.table({"x": x}))
    encoder = ts.TableEncoder().fit(table)
    low, high = sorted((low, high))
    near = np.abs(x - np.array([[low], [high]])).min(initial=1) < 1e-6
    expected = (x >= low) & (x <= high)
    try:
        given = Conditions.read({"x": (low, high)}, table.schema, encoder)
    except SchemaError:
        assert not expected.any()
    else:
        assert near or np.array_equal(given.hold(table), expected)
        (event,) = given.events
        block = encoder.layout_.blocks[0]
        assert event.cells(block)[block.cell_of(x[expected])].all()


REFUSED = [
    ("price", 0.505, "no row can have 'price' = 0.505: .* in steps of 0.01"),
    ("price", (5, 9), r"no row can have 'price' = \(5, 9\)"),
    ("price", (3, 1), "ends in the wrong order"),
    ("price", (1,), r"is not a pair \(low, high\)"),
    ("price", (1, 2, 3), r"is not a pair \(low, high\); for several values pass a list"),
    ("price", "much", "is not a number"),
    ("price", ("a", "b"), "'a' is not a number"),
    ("price", True, "True is not a number"),
    ("price", 1j, "is not a number"),
    ("price", {}, "is not a number"),
    ("price", range(3), "is not a number"),
    ("price", np.ones((2, 2)), "is not a number"),
    ("price", object(), "is not a number"),
    ("price", math.inf, "is not a finite number"),
    ("price", (math.inf, None), "is not a finite number"),
    ("price", 10**400, "is not a finite number"),
    ("price", [], "names no value"),
    ("price", set(), "names no value"),
    ("age", 3.5, "in steps of 1"),
    ("age", 999, "0 to 89|have"),
    ("age", None, "no missing cell among the training rows"),
    ("age", NA, "no missing cell"),
    ("fruit", "appel", "column 'fruit' has no category 'appel'; the nearest are 'apple'"),
    ("fruit", 3, "no category 3; there are 'apple', 'pear', 'plum'"),
    ("fruit", ["apple", "q"], "no category 'q'"),
    ("fruit", ("apple", "plum"), "is a range.* pass a list, as in"),
    ("fruit", {}, "no category {}"),
    ("fruit", "a\n\x1b[31m", r"no category 'a\\n\\x1b\[31m'"),
    ("code", True, "no category True"),
    ("code", 3, "no category 3"),
    ("flag", (0, 1), "is a range"),
    ("size", ("l", "s"), "wrong order"),
    ("size", ("m", "xl"), "no category 'xl'"),
    ("stage", 9, "no row can have 'stage' = 9, which no training row has"),
    ("stage", 7, "no category 7; the nearest are 1, 2, 5, 9"),
    ("stage", (3, 4), r"\(3, 4\) has no level"),
    ("seen", "2020-01-01", "no row can have .* 2024-01-01T.* to 2024-03"),
    ("seen", "soon", "is not a date"),
    ("seen", 2024, "2024 is not a date"),
    ("seen", (2024, None), "2024 is not a date"),
    ("stage", ("2", "6"), "no category '6'"),
    ("seen", ("2024-03-01", "2024-02-01"), "wrong order"),
    ("seen", pd.Timestamp("2024-03-01", tz="UTC"), "has no time zone"),
    ("seen", NAT, "no missing cell"),
    ("name", "p1", "column 'name', which is not modelled: .*distinct"),
    ("fruits", "apple", "no column 'fruits' in the table; did you mean 'fruit'"),
]


@pytest.mark.parametrize(("name", "asked", "text"), REFUSED)
def test_what_no_row_can_meet_is_refused_at_once_in_one_line(model, name, asked, text) -> None:
    for n in (0, 3):
        with pytest.raises(SchemaError, match=text) as error:
            model.sample(n, conditions={name: asked})
        assert "\n" not in str(error.value) and len(str(error.value)) < 300


def test_conditions_are_a_dictionary_by_column(model) -> None:
    for conditions in (3, [("price", 1.5)], {"price"}):
        with pytest.raises(TabseedError, match=r"Resample: conditions=.* is not a dict"):
            model.sample(3, conditions=conditions)
    for key in (3, ("a",), None, b"price"):
        with pytest.raises(SchemaError, match=r"^no column .* in the table") as error:
            model.sample(3, conditions={key: 1.5})
        assert "\n" not in str(error.value)


def test_a_label_of_pandas_that_is_no_text_names_its_column() -> None:
    frame = pd.DataFrame({1: ["a", "b"] * 20, ("x", 2): np.arange(40) / 7})
    frame.columns = pd.Index([1, ("x", 2)], tupleize_cols=False)
    rows = ts.Resample(random_state=0).fit(frame).sample(9, conditions={1: "a", ("x", 2): (1, 3)})
    assert set(rows[1]) == {"a"} and rows[("x", 2)].between(1, 3).all()


def test_too_few_rows_for_an_exact_number_advise_a_range(model) -> None:
    with pytest.raises(SchemaError, match=r"only 0 of \d+ .* give a range \(low, high\) of 'long'"):
        model.sample(3, conditions={"long": 0.5})


def test_conditions_against_a_dependency_are_refused_at_once() -> None:
    level = np.tile(np.arange(4), 60)
    table = pa.table({"name": np.array(["no", "some", "some", "much"])[level], "level": level})
    model = ts.Resample(random_state=0).fit(table)
    assert model.encoder_.dependencies_ == [("name", "level")]
    rows = model.sample(20, conditions={"name": "some"})
    assert set(rows["level"].to_pylist()) == {1, 2}
    with pytest.raises(SchemaError, match=r"no row .*'name'.*'level' determines the other"):
        model.sample(1, conditions={"name": "much", "level": 0})


def test_a_level_that_may_be_two_is_refused() -> None:
    table = pa.table({"c": ["1", "1.0", "2"] * 10})
    model = ts.Resample(random_state=0).fit(table)
    with pytest.raises(SchemaError, match=r"column 'c': 1 may be any of '1', '1.0'"):
        model.sample(1, conditions={"c": 1})
    assert set(model.sample(9, conditions={"c": "1"})["c"].to_pylist()) == {"1"}


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=6),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.times(),
    st.timedeltas(),
    st.complex_numbers(),
    st.binary(max_size=3),
    st.sampled_from(
        [
            pd.NA, NAT, np.datetime64("NaT", "us"), np.datetime64("2024-02"),
            np.timedelta64(3, "D"),
            np.float32(1), np.int8(3), np.str_("s"), np.array(3), pd.Interval(1, 2), 10**400,
            1e308, pd.Period("2024-01"), pd.Timestamp.max, dt.datetime.min, dt.date.max,
            slice(1, 2), dict, "2024-02-30", "0001-01-01", "2024-W10", "nan", ".5", "1e5", " 1 ",
            "yes", "1",
        ]
    ),
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda part: st.lists(part, max_size=3) | st.tuples(part, part) | st.tuples(part),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None)
@given(st.data(), ANYTHING)
def test_any_value_is_a_condition_or_one_line(frame, model, data, asked) -> None:
    name = data.draw(st.sampled_from(list(frame.columns)))
    try:
        given = Conditions.read({name: asked}, model.schema_, model.encoder_)
    except TabseedError as error:
        assert "\n" not in str(error) and len(str(error)) < 400
    else:
        given.hold(ts.Table.from_frame(frame))
