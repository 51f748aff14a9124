"""A frame goes out with the kind and dtypes that came in, and every error is one line."""

from __future__ import annotations

import datetime as dt
import json
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

import tabseed as ts
from helpers.frames import P
from tabseed.errors import SchemaError
from tabseed.table import Table
from tabseed.table.frames import FrameKind
from tabseed.table.labels import name_of
from tabseed.table.schema import DISCRETE

DAY, STAMP = dt.date(2020, 2, 29), dt.datetime(1999, 12, 31, 23, 59, 58, 123456)


def L(values, dtype=None) -> pl.DataFrame:
    return pl.DataFrame({"a": pl.Series(values, dtype=dtype)})


def A(values, kind=None) -> pa.Table:
    return pa.table({"a": pa.array(values, kind)})


def levels(codes, values, kind, ordered=False, index=None) -> pa.Table:
    codes, values = pa.array(codes, index or pa.int8()), pa.array(values, kind)
    return pa.table({"a": pa.DictionaryArray.from_arrays(codes, values, ordered=ordered)})


def category(values, categories=None, ordered=False) -> pd.DataFrame:
    return P(pd.Categorical(values, categories, ordered))


def arrow_dtype(values, kind) -> pd.DataFrame:
    return P(values, pd.ArrowDtype(kind))


STAMPS = pd.Series(pd.to_datetime([STAMP, None]))

PANDAS = {
    "int8": P([1, -2, 7], "int8"),
    "uint64": P([1, 2, 7], "uint64"),
    "Int64": P([1, None, 7], "Int64"),
    "UInt8": P([1, None, 255], "UInt8"),
    "float16": P([1.5, np.nan, 0.1], "float16"),
    "float32": P([1.1, np.nan, 1e-30], "float32"),
    "float64": P([1.1, np.nan, 5e-324]),
    "Float64": P([1.1, None, 1e100], "Float64"),
    "whole floats": P([1.0, np.nan, 3.0]),
    "str": P(["ä", None, "日本"], "str"),
    "string": P(["a", None, ""], "string"),
    "string python": P(["a", None, ""], pd.StringDtype("python")),
    "object text": P(["a", None, "b"], object),
    "object int": P([1, 5, None], object),
    "object bool": P([True, None, False], object),
    "object decimal": P([Decimal("1.10"), None, Decimal("-2.25")], object),
    "object date": P([DAY, None], object),
    "category": category(["b", "a", None]),
    "category unused": category(["b", "a", None], ["z", "b", "a"]),
    "category ordered": category(["b", "a", None], ["z", "b", "a"], True),
    "category int": category([3, 1, None]),
    "category float": category([2.5, -1.0, None]),
    "category bool": category([True, False, None]),
    "category date": category(pd.to_datetime(["2020-01-01", "2021-01-01"])),
    "category mixed": category(["a", 1, None]),
    "category interval": P(pd.cut([1.0, 2.0, 9.0], 3)),
    "category empty": category([None, None]),
    "bool": P([True, False]),
    "boolean": P([True, None, False], "boolean"),
    "datetime ns": P(STAMPS.astype("datetime64[ns]")),
    "datetime us": P(STAMPS.astype("datetime64[us]")),
    "datetime s": P([dt.datetime(1500, 1, 1), None], "datetime64[s]"),
    "datetime zone": P(STAMPS.dt.tz_localize("Europe/Berlin")),
    "all NaN": P([np.nan, np.nan]),
    "all NaT": P([pd.NaT, pd.NaT], "datetime64[ns]"),
    "all NA": P([None, None], "string"),
    "all None": P([None, None], object),
    "sparse float": P(pd.arrays.SparseArray([1.5, np.nan, 0.0])),
    "sparse zeros": P(pd.arrays.SparseArray([1.5, 0.0, 0.0], fill_value=0.0)),
    "sparse int": P(pd.arrays.SparseArray([0, 7, 0], fill_value=0)),
    "sparse bool": P(pd.arrays.SparseArray([True, False], fill_value=False)),
    "sparse text": P(pd.arrays.SparseArray(np.array(["a", "b"], object), fill_value="a")),
    "arrow int": arrow_dtype([1, None, 7], pa.int16()),
    "arrow string": arrow_dtype(["a", None], pa.string()),
    "arrow decimal": arrow_dtype([Decimal("1.10"), None], pa.decimal128(7, 2)),
    "arrow stamp": arrow_dtype([STAMP, None], pa.timestamp("us")),
    "arrow date": arrow_dtype([DAY, None], pa.date32()),
    "arrow dictionary": arrow_dtype(["b", "a", None], pa.dictionary(pa.int8(), pa.string())),
}

POLARS = {
    "Int8": L([1, None, -7], pl.Int8),
    "UInt8": L([1, None, 255], pl.UInt8),
    "UInt64": L([1, None, 7], pl.UInt64),
    "Float32": L([1.1, None, 1e-30], pl.Float32),
    "Float64": L([1.1, None, 1e100]),
    "String": L(["ä", None, "日本"]),
    "Categorical": L(["b", "a", None], pl.Categorical),
    "Enum": L(["b", "a", None], pl.Enum(["z", "b", "a"])),
    "Date": L([DAY, None, dt.date(1, 1, 1), dt.date(9999, 12, 31)]),
    "Datetime us": L([STAMP, None, dt.datetime(1600, 1, 1)]),
    "Datetime ms": L([dt.datetime(1, 1, 1), None], pl.Datetime("ms")),
    "Datetime ns": L([dt.datetime(1700, 1, 1), None], pl.Datetime("ns")),
    "Datetime zone": L([STAMP, None]).with_columns(pl.col("a").dt.replace_time_zone("Asia/Tokyo")),
    "Decimal": L([Decimal("1.10"), None, Decimal("-2.25")]),
    "Boolean": L([True, None]),
    "Null": L([None, None]),
}

ARROW = {
    "int64": A([1, None, 2**53]),
    "uint8": A([1, None, 255], pa.uint8()),
    "float16": A(np.array([1.5, 0.1], "float16")),
    "float32": A([1.1, None, 1e-30], pa.float32()),
    "large_string": A(["a", None], pa.large_string()),
    "string_view": A(["a", None], pa.string_view()),
    "decimal": A([Decimal("1.10"), None], pa.decimal128(5, 2)),
    "decimal fine": A([Decimal("0.1"), Decimal("0.3")], pa.decimal128(38, 30)),
    "decimal coarse": A([Decimal("1100"), None], pa.decimal128(5, -2)),
    "decimal256": A([Decimal("1.10"), None], pa.decimal256(50, 2)),
    "date32": A([DAY, None, dt.date(1, 1, 1)], pa.date32()),
    "date64": A([DAY, None, dt.date(1600, 1, 1)], pa.date64()),
    "timestamp s": A([dt.datetime(1, 1, 1), None], pa.timestamp("s")),
    "timestamp zone": A([0, None], pa.timestamp("ms", "Europe/Berlin")),
    "dictionary": levels([1, 0, None], ["b", "a"], pa.string()),
    "dictionary large": levels([1, 0, None], ["b", "a"], pa.large_string()),
    "dictionary int": levels([1, 0, None], [7, 5, 9], pa.int16(), index=pa.uint8()),
    "dictionary float": levels([1, 0, None], [1.5, 0.1], pa.float32()),
    "dictionary ordered": levels([2, 0, None], ["lo", "x", "hi"], pa.string(), ordered=True),
    "dictionary null": levels([1, 0, None], ["b", None], pa.string(), ordered=True),
    "dictionary twice": levels([2, 1, 0], ["b", "b", "a"], pa.string(), ordered=True),
    "dictionary dates": levels([1, 0, None], [STAMP, dt.datetime(1600, 1, 1)], pa.timestamp("us")),
    "bool": A([True, None]),
    "null": A([None, None]),
    "negative zero": A([-0.0, 1.0, None]),
    "chunks": pa.table(
        {"a": pa.chunked_array([pa.array(c).dictionary_encode() for c in (["a", "b"], ["c", "b"])])}
    ),
}

FRAMES = [
    pytest.param(frame, id=f"{library}: {name}")
    for library, frames in (("pandas", PANDAS), ("polars", POLARS), ("arrow", ARROW))
    for name, frame in frames.items()
]


def assert_same(result, expected) -> None:
    """Expect the same library, names, dtypes, values; marks of missing cells may differ."""
    assert type(result) is type(expected)
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_index_equal(result.columns, expected.columns, exact="equiv")
        for (_, a), (_, b) in zip(result.items(), expected.items(), strict=True):
            assert a.dtype == b.dtype and str(a.dtype) == str(b.dtype)
            assert a.isna().tolist() == b.isna().tolist()
            present = [[(type(v), v) for v in s[s.notna()]] for s in (a, b)]
            assert present[0] == present[1]
    elif isinstance(expected, pl.DataFrame):
        assert result.schema == expected.schema
        assert result.equals(expected)
    else:
        assert (
            result.schema == expected.schema
        )  # the order of a dictionary may differ, its values must not
        assert result.to_pydict() == expected.to_pydict()


@pytest.mark.parametrize("frame", FRAMES)
def test_the_frame_that_came_in_goes_out(frame) -> None:
    table = Table.from_frame(frame)
    assert_same(table.to_frame(), frame)
    cells = table.codes("a") if table.schema["a"].kind in DISCRETE else table.numbers("a")
    built = Table.from_columns(table.schema, table.frame_kind, {"a": cells})
    assert_same(built.to_frame(), frame)


@pytest.mark.parametrize("frame", FRAMES)
def test_the_frame_goes_out_after_a_round_trip_through_json(frame) -> None:
    kind = Table.from_frame(frame).frame_kind
    again = FrameKind.from_dict(json.loads(json.dumps(kind.to_dict())))
    result = again.build(Table.from_frame(frame).to_arrow())
    if isinstance(frame, pd.DataFrame) and frame["a"].dtype == "category":
        old = frame["a"].cat.categories
        if old.inferred_type not in ("string", "integer", "floating", "boolean", "empty"):
            frame = frame.assign(a=frame["a"].cat.rename_categories(old.astype(str)))
    assert_same(result, frame)


def test_nanoseconds_are_cut_off_and_nothing_more() -> None:
    frame = pd.DataFrame({"a": np.array([1577836800123456789], "datetime64[ns]")})
    table = Table.from_frame(frame)
    assert table.numbers("a")[0] == 1577836800123456
    assert_same(table.to_frame(), frame)


def test_nan_is_missing_everywhere() -> None:
    for frame in (A([1.5, float("nan"), None]), L([1.5, float("nan"), None])):
        assert Table.from_frame(frame).values("a") == [1.5, None, None]


def test_large_ids_with_missing_cells_keep_every_digit() -> None:
    frame = P([2**62 + 1, None], "Int64")
    assert_same(Table.from_frame(frame).to_frame(), frame)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({1: [1, 2], 2.5: ["a", "b"], "größe 日本": [True, False], "": [1.5, 2.5]}),
        pd.DataFrame(np.eye(3)[:, :2]),
        pd.DataFrame({("a", "x"): [1, 5], ("a", "y"): ["u", "v"]}),
        pd.DataFrame(
            [[1, 5]], columns=pd.MultiIndex.from_product([["a"], [1, 2]], names=["p", "q"])
        ),
        pd.DataFrame([[1, 5]], columns=pd.Index(["a", "b"], name="colour")),
        pd.DataFrame([[1, 5, 7]], columns=[None, "a", (1, 2)]),
        pd.DataFrame([[1, 5]], columns=[np.nan, 2.0]),
        pd.DataFrame({pd.Timestamp("2020-01-01"): [1, 5]}),
        pl.DataFrame({"größe 日本": [1, 5], "": ["u", "v"], "<b>": [None, 1.5]}),
        pa.table({"größe 日本": [1, 5], "": ["u", "v"], "a.b[0]": [None, 1.5]}),
    ],
)
def test_any_label_survives(frame) -> None:
    table = Table.from_frame(frame)
    assert_same(table.to_frame(), frame)
    if not (isinstance(frame, pd.DataFrame) and isinstance(frame.columns, pd.DatetimeIndex)):
        again = FrameKind.from_dict(json.loads(json.dumps(table.frame_kind.to_dict())))
        assert_same(again.build(table.to_arrow()), frame)  # dates as labels become text in files


def test_a_column_is_found_by_its_label_of_any_type() -> None:
    """Labels of pandas that are not text work wherever a name does, and mean that column."""
    rng = np.random.default_rng(0)
    numbers = {label: rng.normal(size=60) for label in (7, ("a", 1), np.nan, None)}
    frame = pd.DataFrame({**numbers, 1: rng.integers(0, 2, 60)})
    for label in (1, 1.0, np.int64(1), 7, ("a", np.int64(1)), np.nan):
        model = ts.Resample(random_state=0).fit(frame, target=label)
        assert model.target_ in model.schema_.names and model.target_ == name_of(label)
    drawn = model.sample(20, conditions={1: 1, 7: (None, 1.0)})
    assert (drawn[1] == 1).all() and (drawn[7] <= 1).all()
    assert list(drawn.columns) == list(frame.columns)
    table = Table.from_frame(frame, kinds={1: "categorical", ("a", 1): "continuous"})
    assert (table.schema[1].kind, table.schema[1].reason) == ("categorical", "set by you")
    # the labelled column, not the one at this position
    np.testing.assert_array_equal(table.numbers(7), frame[7])
    np.testing.assert_array_equal(table.numbers(("a", 1)), frame[("a", 1)])
    assert table.values(1) == frame[1].tolist()
    one, two = (ts.assess_hardness(frame, label, ts.KNNShapley()) for label in (1, "1"))
    np.testing.assert_array_equal(one.hardness, two.hardness)


@pytest.mark.slow
def test_every_function_that_takes_a_target_takes_a_label_that_is_no_text() -> None:
    rng = np.random.default_rng(0)

    def rows() -> pd.DataFrame:
        frame = pd.DataFrame({0: rng.normal(size=120), ("a", 2): rng.normal(size=120).round(2)})
        return frame.assign(**{"t": np.where(frame[0] > rng.normal(size=120), "y", "n")}).rename(
            columns={"t": 3}
        )

    train, holdout, model = rows(), rows(), LogisticRegression()
    synthetic = ts.Resample(random_state=0).fit(train, target=3).sample(120)
    x, y = train.drop(columns=3), train[3]
    assert (
        ts.measure(train, synthetic, holdout, 3, ts.Measuring({"m": model})).problem.target == "3"
    )
    ts.generalization_utility(train, synthetic, holdout, 3, model=model)
    ts.utility_decomposition(train, synthetic, holdout, 3, model=model)
    mix = ts.tune_mix(train, ts.Resample(), 3, model=model, settings=ts.Mixing(draws=1, repeats=1))
    assert list(mix.training_rows()[0].columns) == list(train.columns)
    assert len(ts.independent_sets(ts.Resample(), train, m=2, n=10, target=3)) == 2
    assert ts.FeatureResponse().fit(train, target=3).target_ == "3"
    assert [len(t) for t in Table.from_frame(train).split(0.5, stratify=3)] == [60, 60]
    moved = ts.perturb(x, y, "atypical", columns=[("a", 2)]).X
    assert moved[0].equals(x[0]) and not moved[("a", 2)].equals(x[("a", 2)])
    augmenter = ts.TargetedAugmenter(ts.Resample(), hardest=0.5, provenance="drawn")
    grown, labels = augmenter.fit_resample(x, y)
    assert list(grown.columns) == [0, ("a", 2), "drawn"] and labels.name == 3


def test_sparse_columns_go_through_every_door() -> None:
    """The same rows as sparse and as plain columns give the same scores and drawn rows."""
    rng = np.random.default_rng(0)
    dummies = pd.get_dummies(pd.Series(rng.choice(["r", "g", "b"], 60)), sparse=True, dtype=int)
    some = pd.concat([pd.DataFrame({"x": rng.normal(size=60)}), dummies], axis=1)
    y = rng.integers(0, 2, 60)
    augmenter = ts.TargetedAugmenter(ts.SMOTE(), hardest=0.4, per_class=True, random_state=0)
    for frame in (some, dummies):
        plain = frame.astype({name: "int64" for name in dummies})
        drawn = [ts.SMOTE(random_state=0).fit(each).sample(9) for each in (frame, plain)]
        assert drawn[0].dtypes.equals(frame.dtypes)
        assert drawn[0].astype(plain.dtypes).equals(drawn[1])
        scores = [ts.KNNShapley().fit(each, y).scores_ for each in (frame, plain)]
        np.testing.assert_array_equal(*scores)
        grown = [augmenter.fit_resample(each, y)[0] for each in (frame, plain)]
        assert grown[0].dtypes.equals(frame.dtypes)
        assert grown[0].astype(plain.dtypes).equals(grown[1])


@pytest.mark.parametrize("index", [["x", "y", "z"], [7, 3, 5], pd.RangeIndex(5, 8)])
def test_a_pandas_index_is_not_a_column(index) -> None:
    frame = pd.DataFrame({"a": [1.5, 2.5, 3.5]}, index=index)
    table = Table.from_frame(frame)
    assert table.schema.names == ["a"]
    assert_same(table.to_frame(), frame.reset_index(drop=True))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a' 2 times; rename"),
        (pa.table([[1], [2]], names=["a", "a"]), "'a' 2 times; rename"),
        (
            pd.DataFrame({1: [1], "1": [2]}),
            "'1' occurs twice (columns 1 and 2, labels 1 and '1'); rename one",
        ),
        (pd.DataFrame(), "no columns"),
        (pl.DataFrame(), "no columns"),
        (pa.table({}), "no columns"),
        (
            P([None, 1, 2, "a\n"], object),
            "column 'a' of type object cannot be read: it mixes int (row 2: '1') with str (row 4: ",
        ),
        (P([object()], object), "column 'a' of type object cannot be read"),
        (P(["\ud800"], object), "column 'a' of type object cannot be read"),
        (P([1 + 2j]), "column 'a' of type complex128 cannot be read"),
        (L([2**100], pl.Int128), "column 'a' of type Int128 cannot be read"),
        (P([1.5, np.inf]), "column 'a', row 2: inf is infinite"),
        (P([1.5, -np.inf], "float32"), "column 'a', row 2: -inf is infinite"),
        (L([1.5, None, float("inf")]), "column 'a', row 3: inf is infinite"),
        (A([1e300, 1.5]), "column 'a', row 1: 1e+300 is infinite or beyond 1e+150"),
        (A([2**62], pa.timestamp("s")), "column 'a' holds dates more than 290 000 years away"),
        (A([2**31 - 1], pa.date32()), "column 'a' holds dates more than 290 000 years away"),
        ([1, 2], "expected a pandas, polars or pyarrow table, got list"),
        (pd.Series([1]), "got Series"),
        (pl.LazyFrame({"a": [1]}), "got LazyFrame"),
        (None, "got NoneType"),
    ],
)
def test_objects_that_are_not_tables_get_one_line(frame, message) -> None:
    with pytest.raises(SchemaError) as caught:
        Table.from_frame(frame)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_may_have_no_rows() -> None:
    for frame in (P([], "float64"), P([], "str"), L([], pl.Date), A([], pa.int8())):
        table = Table.from_frame(frame)
        assert len(table) == 0
        assert_same(table.to_frame(), frame)


WHOLE, TEXT = st.integers(-100, 100), st.text(max_size=3).filter(lambda t: t.isprintable())
REAL = st.floats(-1e6, 1e6, width=32)
MOMENT = st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2200, 1, 1)).map(
    lambda t: t.replace(microsecond=0)
)
CELLS = {  # dtype of pandas: its cells, and whether some may be missing
    "int8": (WHOLE, False),
    "uint16": (st.integers(0, 2**16 - 1), False),
    "Int64": (st.integers(-(2**53), 2**53), True),
    "float32": (REAL, True),
    "float64": (REAL, True),
    "Float64": (REAL, True),
    "bool": (st.booleans(), False),
    "boolean": (st.booleans(), True),
    "str": (TEXT, True),
    "string": (TEXT, True),
    "category": (TEXT | WHOLE.map(str), True),
    "datetime64[s]": (MOMENT, True),
    "datetime64[ns, UTC]": (MOMENT.map(lambda t: t.replace(tzinfo=dt.UTC)), True),
    "Sparse[float64]": (REAL, True),
    "Sparse[int]": (WHOLE, False),
    "int64[pyarrow]": (WHOLE, True),
    "string[pyarrow]": (TEXT, True),
}


@pytest.mark.slow
@given(st.data(), st.integers(1, 12))
@settings(max_examples=30, deadline=None)
def test_rows_of_any_dtypes_come_back_as_they_were(data, n) -> None:
    """Through numbers and codes, and through the JSON of a model file, no cell changes."""
    columns = {}
    for name, dtype in enumerate(data.draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1))):
        cell, gaps = CELLS[dtype]
        cells = data.draw(st.lists(cell | st.none() if gaps else cell, min_size=n, max_size=n))
        floats = "float" in dtype.lower()
        given = [np.nan if cell is None else cell for cell in cells] if floats else cells
        columns[name] = pd.Series(given, dtype=dtype)
    frame = pd.DataFrame(columns)
    table = Table.from_frame(frame)
    rows = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1)))
    cells = {c.name: table.cells(c.name)[rows] for c in table.schema.modelled}
    kind = FrameKind.from_dict(json.loads(json.dumps(table.frame_kind.to_dict())))
    kept = frame[[label for label in frame if str(label) in cells]].iloc[rows]
    for each in (table.frame_kind, kind):
        if cells:
            built = Table.from_columns(table.schema.modelled, each, cells).to_frame()
            assert_same(built, kept.reset_index(drop=True))


# --- another kind of frame than the one that came in ------------------------------------------


TYPES = pa.table(
    {
        "whole": pa.array([1, None, 2**60 + 1]),
        "small": pa.array([1, None, 255], pa.uint8()),
        "real": pa.array([1.5, None, 0.1]),
        "flag": pa.array([True, None, False]),
        "text": pa.array(["a", None, "\u00e4"]),
        "level": pa.array(["lo", None, "hi"]).dictionary_encode(),
        "day": pa.array([DAY, None, dt.date(1, 1, 1)]),
        "stamp": pa.array([STAMP, None, STAMP], pa.timestamp("us", "Asia/Tokyo")),
    }
)


@pytest.mark.parametrize("backend", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("source", ["pandas", "polars", "pyarrow", "file"])
def test_a_table_goes_out_as_the_frame_that_is_asked_for(source, backend) -> None:
    """The cells are the same in every kind of frame, to the last digit; pandas has no days."""
    table = Table.from_frame(TYPES)
    if source != "pyarrow":
        table = table.of_file() if source == "file" else Table.from_frame(table.to_frame(source))
    frame = table.to_frame(backend)
    assert type(frame).__module__.split(".")[0] == backend
    back, there = (t.to_arrow() for t in (Table.from_frame(frame), table))
    assert back.set_column(6, "day", back["day"].cast(pa.date32())).to_pydict() == TYPES.to_pydict()
    assert there["day"].type == (pa.timestamp("s") if source == "pandas" else pa.date32())


def test_a_table_of_a_file_goes_out_as_pandas_whose_dtypes_do_not_depend_on_the_rows() -> None:
    table = Table.from_frame(TYPES).of_file()
    some, none = table.to_frame(), table.take([0]).to_frame()
    assert some.dtypes.equals(none.dtypes)
    dtypes = [str(dtype) for dtype in some.dtypes]
    assert dtypes[:4] == ["Int64", "UInt8", "float64", "boolean"]
    assert dtypes[5:] == ["category", "datetime64[s]", "datetime64[us, Asia/Tokyo]"]


def test_another_kind_of_frame_is_refused() -> None:
    for kind in ("spark", "file", 3, ""):
        with pytest.raises(ts.TabseedError, match=r"as_frame=.* is not one of 'pandas', 'polars'"):
            Table.from_frame(A([1.5])).to_frame(kind)


# --- columns that are not learned ---------------------------------------------------------------

NAMED = pd.DataFrame(
    {"note": [f"note of {i}" for i in range(40)], "x": np.arange(40) % 7 / 4, "y": [1.5, 2.25] * 20}
)


def test_columns_left_out_are_said_once_in_the_line_of_the_user() -> None:
    frame = NAMED.set_index(pd.date_range("2020", periods=40, name="day"))
    calls = (
        lambda f: ts.Resample().fit(f),
        lambda f: ts.KNNShapley().fit(f, [0, 1] * 20),
        lambda f: ts.assess_hardness(f, "x", ts.KNNShapley()),
    )
    for call in calls:
        with pytest.warns(ts.LeftOutWarning) as caught:
            call(frame)
        assert len(caught) == 1
        text = str(caught[0].message)
        assert caught[0].filename == __file__
        assert "'note' (" in text and "index 'day' (" in text and "\n" not in text
        call(Table.from_frame(frame))  # whoever made the Table has seen the schema
    assert [c.name for c in ts.Resample().fit(Table.from_frame(frame)).schema_.left_out] == ["note"]


@pytest.mark.parametrize("frame", [NAMED[["x"]], NAMED[["x"]].sample(frac=1, random_state=0)])
def test_row_numbers_are_no_news(frame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ts.Resample().fit(frame)
