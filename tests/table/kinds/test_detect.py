"""Detection of kinds: each has a reason, and the user can overrule it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from helpers.schemas import one_line
from tabseed.errors import SchemaError
from tabseed.table import MISSING, UNSEEN, Table
from tabseed.table.schema import Column, Schema

N = 40  # enough rows to tell ids and free text from categories


def detect(values, name: str = "a", **options) -> Column:
    values = values if isinstance(values, pa.Array) else pa.array(values)
    return Table.from_frame(pa.table([values], names=[name]), **options).schema[name]


# --- detection ----------------------------------------------------------------------------------

DAYS = [f"2020-01-{d:02d}" for d in range(1, 29)]

WORDS = [f"word {i} and {i * i}" for i in range(N)]


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        ([1.5, 2.25, None], "continuous", "2 distinct"),
        ([1e300 / 1e200, 1.5], "continuous", "real numbers"),
        ([Decimal("1.10"), Decimal("2.25")], "continuous", "real numbers"),
        ([Decimal("1.00"), Decimal("7.00")], "integer", "stored as reals"),
        ([5, 7, None, 5], "integer", "whole numbers, 2 distinct"),
        ([5, 5, 5], "integer", "1 distinct"),
        ([-3, 2**53], "integer", "whole numbers"),
        ([5.0, None, 7.0], "integer", "whole numbers with missing cells"),
        ([5.0, 8.0, 7.0], "integer", "stored as reals"),
        ([2.0**54, 3.0], "continuous", "real numbers"),
        ([0, 1, 1, None], "boolean", "0 and 1 only"),
        ([0.0, 1.0, None], "boolean", "0 and 1 only"),
        ([1, 1, 1], "integer", "1 distinct"),
        ([True, None], "boolean", "true/false"),
        (["a", "b", "a"], "categorical", "2 distinct texts"),
        (["same"] * N, "categorical", "1 distinct text"),
        (["01234", "99999", "01234"], "categorical", "2 distinct texts"),
        ([None, None], "categorical", "no value present"),
        ([float("nan"), None], "categorical", "no value present"),
        (pa.array(["a", "b"]).dictionary_encode(), "categorical", "stored as categories"),
        (pa.array([dt.date(2020, 1, 1)]), "datetime", "date32"),
        (pa.array([dt.datetime(2020, 1, 1)]), "datetime", "timestamp[us]"),
        (DAYS, "datetime", "%Y-%m-%d"),
        ([f"{d} 10:00:00" for d in DAYS], "datetime", "%Y-%m-%d %H:%M:%S"),
        (["31/12/2020", "01/02/2020", None], "datetime", "%d/%m/%Y"),
        (["12/31/2020", "01/02/2020"], "datetime", "%m/%d/%Y"),
        (["01-Mar-2020"], "datetime", "%d-%b-%Y"),
        (["03/02/2020", "01/02/2020"], "categorical", "in 2 ways (%d/%m/%Y or %m/%d/%Y)"),
        (["2020-02-30", "2020-01-01"], "categorical", "2 distinct texts"),  # no such day
        (["2020-1-1", "2020-01-01"], "datetime", "such as '2020-01-01', become so"),
        (list(range(7, 7 + N)), "id", "one by one"),
        (list(range(7, 26)), "integer", "whole numbers"),  # too few rows to tell
        ([2**53 + 1, 5], "id", "beyond 2^53"),
        ([-(2**63), 5], "id", "beyond 2^53"),
        (pa.array([2**64 - 1, 5], pa.uint64()), "id", "beyond 2^53"),
        ([f"k{i}" for i in range(N)], "id", "all 40 values distinct"),
        ([f"{i:05d}" for i in range(N)], "id", "all 40 values distinct"),
        (WORDS, "text", "all 40 values distinct"),
        (WORDS[:30] + WORDS[:10], "text", "30 distinct among 40"),
        ([[1], [2]], "text", "list"),
        ([{"x": 1}], "text", "struct"),
        ([b"x"], "text", "binary"),
        ([dt.time(1, 2)], "text", "time64"),
        ([dt.timedelta(1)], "text", "duration"),
    ],
)
def test_each_kind_is_detected_with_its_reason(values, kind, reason) -> None:
    column = detect(values)
    assert (column.kind, reason in column.reason) == (kind, True), column
    if kind in ("id", "text"):
        assert column.reason.endswith("left out")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[(n, "id") for n in ("id", "ID", "patient_id", "patientId", "uuid", "Unnamed: 0", "key")],
        *[(n, "integer") for n in ("paid", "grid", "Madrid", "acid", "monkey", "age")],
    ],
)
def test_distinct_numbers_are_ids_by_name_only(name, kind) -> None:
    numbers = np.random.default_rng(0).permutation(1000)[:N]
    assert detect(numbers.tolist(), name).kind == kind


def test_categories_are_sorted_and_an_order_is_kept() -> None:
    assert detect(["b", "ä", "a", None]).categories == ("a", "b", "ä")
    assert detect([True, False]).categories == (False, True)
    levels = pa.DictionaryArray.from_arrays(pa.array([2, 0, None]), ["low", "none", "high"])
    assert detect(levels).categories == ("high", "low")
    ordered = pa.DictionaryArray.from_arrays(levels.indices, levels.dictionary, ordered=True)
    column = detect(ordered)
    assert (column.kind, column.categories) == ("ordinal", ("low", "none", "high"))
    open_schema = Schema((Column("a", "ordinal"),))
    filled = Table.from_frame(pa.table({"a": ordered}), open_schema).schema["a"]
    assert filled.categories == ("low", "none", "high")


# --- overruling ---------------------------------------------------------------------------------


def test_the_user_overrules() -> None:
    table = pa.table({"zip": [1234, 99999, 1234], "n": ["5", " 6", "+7"], "g": [1, 0, 1]})
    kinds = {"zip": "categorical", "n": "integer", "g": "integer"}
    result = Table.from_frame(table, kinds=kinds)
    assert {c.name: c.kind for c in result.schema} == kinds
    assert result.schema["zip"].categories == (1234, 99999)
    assert result.numbers("n").tolist() == [5, 6, 7]
    assert all(c.reason == "set by you" for c in result.schema)
    again = Table.from_frame(result, kinds={"g": "boolean"})  # what was set before stays
    assert [c.kind for c in again.schema] == ["categorical", "integer", "boolean"]


@pytest.mark.parametrize(
    ("pattern", "expected"), [("%d/%m/%Y", dt.date(2020, 2, 3)), ("%m/%d/%Y", dt.date(2020, 3, 2))]
)
def test_ambiguous_dates_are_read_as_the_user_says(pattern, expected) -> None:
    frame = pa.table({"d": ["03/02/2020", None]})
    table = Table.from_frame(frame, kinds={"d": f"datetime:{pattern}"})
    days = (expected - dt.date(1970, 1, 1)).days
    np.testing.assert_array_equal(table.numbers("d"), [days * 86400e6, np.nan])
    assert table.schema["d"].datetime_format == pattern


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        (["a"], "colour", "'colour' is not one of"),
        (["a", "b", "c"], "boolean", "has 3 values, but a boolean has two"),
        (["x"], "integer", "row 1: 'x' is not a number"),
        (["1", None, "0x10"], "continuous", "row 3: '0x10' is not a number"),
        (["1", "1e400"], "continuous", "row 2: 1e400 is infinite or beyond"),
        (["x"], "datetime", "give its pattern, as in --kind a=datetime:%d/%m/%Y"),
        (["2020-01-01", "x"], "datetime:%Y-%m-%d", "row 2: 'x' is not a date"),
        (["2020-01-01"], "datetime:%Q", "'%Q' is not a date pattern"),
        (["2020-01-01"], "datetime:%Y.%f", "row 1: '2020-01-01' is not a date"),
        (["2020-01-01"], "text:%Y", "a date pattern is for datetime"),
        ([5], "datetime", "give its pattern, as in --kind a=datetime:%Y%m%d"),
        ([2**60], "integer", "row 1: 1152921504606846976 is infinite or beyond 2^53"),
        ([Decimal("1.5")], "categorical", "which cannot be categories; make it text"),
        ([dt.date(2020, 1, 1)], "ordinal", "which cannot be categories"),
        *[
            (odd, kind, "column 'a' is stored as")
            for odd in ([[1]], [{"x": 1}], [b"x"], [dt.time(1)], [dt.timedelta(1)])
            for kind in ("continuous", "categorical", "datetime")
        ],
        (pa.array([1, 2]).dictionary_encode(), "integer", "is stored as dictionary"),
    ],
)
def test_impossible_kinds_get_one_line(values, kind, message) -> None:
    with pytest.raises(SchemaError) as caught:
        detect(values, kinds={"a": kind})
    assert one_line(str(caught.value), message)
    assert "'a'" in str(caught.value)


def test_a_kind_for_an_unknown_column_suggests_a_name() -> None:
    with pytest.raises(SchemaError, match="no column 'agee' in the table; did you mean 'age'"):
        Table.from_frame(pa.table({"age": [1]}), kinds={"agee": "integer"})


# --- old dates ----------------------------------------------------------------------------------

OLD = dt.datetime(1650, 1, 2, 3, 4, 5)

OLD_US = (OLD - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)


@pytest.mark.parametrize(
    "frame",
    [
        pa.table({"d": pa.array([OLD, None], pa.timestamp("s"))}),
        pa.table({"d": pa.array([OLD, None], pa.timestamp("us"))}),
        pa.table({"d": ["1650-01-02 03:04:05", None]}),
        pl.DataFrame({"d": [OLD, None]}),
        pd.DataFrame({"d": pd.Series([OLD, None], dtype="datetime64[us]")}),
        pd.DataFrame({"d": pd.Series([OLD, None], dtype=object)}),
    ],
    ids=["arrow s", "arrow us", "text", "polars", "pandas", "pandas object"],
)
def test_dates_before_nanoseconds_begin(frame) -> None:
    table = Table.from_frame(frame)
    np.testing.assert_array_equal(table.numbers("d"), [OLD_US, np.nan])
    columns = {"d": table.numbers("d")}
    back = Table.from_columns(table.schema, table.frame_kind, columns)
    assert back.values("d") == table.values("d")


@pytest.mark.parametrize(
    "values",
    [
        [1, 2] * 20,
        [1, 2, 3, 2, 1] * 12,
        [0, 1, 2, 3, 4] * 8,
        [1, 2, 3, 99] * 15,  # with a code for "unknown"
        [-1, 0, 2] * 20,
        [10, 20, 30] * 20,
        [3, 1, 2, 2],  # few rows, numbered from 1
        [None, *([1.0, 2.0] * 20)],  # whole numbers with gaps, as a CSV has them
    ],
)
@pytest.mark.parametrize("shuffle", [0, 1])
def test_few_whole_numbers_are_codes_in_order(values, shuffle) -> None:
    values = np.random.default_rng(shuffle).permutation(np.array(values, dtype=object)).tolist()
    column = Table.from_frame(pa.table({"grade": values})).schema["grade"]
    assert column.kind == "ordinal" and column.coded
    assert column.categories == tuple(sorted({v for v in values if v is not None}))


def test_quantities_with_few_values_stay_numbers() -> None:
    rng = np.random.default_rng(0)
    gains = np.where(rng.random(300) < 0.93, 0, rng.integers(1, 90, 300) * 113)
    for values in (rng.integers(18, 60, 57), np.arange(20), gains, [7, 7, 7], [170, 180]):
        column = Table.from_frame(pa.table({"x": values})).schema["x"]
        assert column.kind in ("integer", "id"), column
    assert Table.from_frame(pa.table({"x": [0, 1] * 9})).schema["x"].kind == "boolean"


def test_codes_read_as_numbers_keep_levels_that_the_schema_does_not_know() -> None:
    table = Table.from_frame(pa.table({"grade": [1, 2, 4] * 9}))
    other = Table.from_frame(pa.table({"grade": [4, 3, None, 1]}), schema=table.schema)
    assert np.array_equal(other.numbers("grade"), [4, 3, np.nan, 1], equal_nan=True)
    assert other.codes("grade").tolist() == [2, UNSEEN, MISSING, 0]
