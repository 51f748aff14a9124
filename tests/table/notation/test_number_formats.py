"""Formats of numbers in text: what is written reads back, and a format that is none is refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabseed.errors import SchemaError
from tabseed.table import Table
from tabseed.table.notation.number_formats import NumberFormat
from tabseed.table.schema import Column, Schema

FORMATS = (
    "point",
    "comma",
    "percent",
    "comma+percent",
    "point+thousands",
    "comma+thousands+# EUR",
    "apostrophes+CHF #",
    "comma+spaces",
    "$#",
    "point+thousands+$#",
    "gaps+# mg",
    "censored",
)


@given(
    st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=5),
    st.sampled_from([1, 10, 1000]),
    st.sampled_from(FORMATS),
)
def test_what_is_written_reads_back(numbers, scale, text) -> None:
    values = np.array(numbers) / scale
    written = pa.chunked_array([NumberFormat(text).write(pa.array(values))])
    plain, bad = NumberFormat(text).read(written)
    np.testing.assert_array_equal(plain.cast(pa.float64()).to_numpy(), values)
    assert not any(bad.to_pylist())


@pytest.mark.parametrize(
    ("number", "text", "cell"),
    [
        (-1234.5, "point+thousands+$#", "-$1,234.5"),
        (1234.5, "comma+thousands+# EUR", "1.234,5 EUR"),
        (62.6, "percent", "62.6%"),
        (62.0, "comma+percent", "62%"),
        (1e-7, "point+thousands", "1e-7"),
        (0.25, "comma", "0,25"),
        (1e10, "point", "10000000000"),
    ],
)
def test_cells_as_people_write_them(number, text, cell) -> None:
    assert NumberFormat(text).write(pa.array([number])).to_pylist() == [cell]


@pytest.mark.parametrize(
    ("text", "cells", "numbers", "bad"),
    [
        ("percent", ["5%", "5 %", "-5%", "5", None], [5, 5, -5, None, None], [3]),
        ("$#", ["$5", "-$5", "$-5", "$ 5", "5"], [5, -5, -5, 5, None], [4]),
        ("censored", ["<0.3", ">= 90", "\u2264 5", "7", "x"], [0.3, 90, 5, 7, None], [4]),
        ("point", ["007", " 5", "+6", "0x1", "?", "1e3"], [7, 5, 6, None, None, 1000], [3, 4]),
        ("comma+thousands", ["1.234,5", "1.25", "1250"], [1234.5, None, 1250], [1]),
        ("point", ["05.562", "-00.5", "05,5"], [5.562, -0.5, None], [2]),  # written with %06.3f
        ("comma", ["05,562", "05.5"], [5.562, None], [1]),
    ],
)
def test_cells_are_numbers_or_named_as_none(text, cells, numbers, bad) -> None:
    plain, mask = NumberFormat(text).read(pa.chunked_array([pa.array(cells, pa.string())]))
    assert plain.cast(pa.float64()).to_pylist() == numbers
    assert np.flatnonzero(mask.to_numpy()).tolist() == bad


@pytest.mark.parametrize("text", ["", "#", "per cent", "##", "$1#", "point+comma", "percent+$#", 5])
def test_a_format_that_is_none_gets_one_line(text) -> None:
    with pytest.raises(SchemaError, match="is no format of numbers: it") as caught:
        Column("a", "continuous", number_format=text)
    assert "\n" not in str(caught.value)


def test_a_schema_keeps_the_format() -> None:
    schema = Schema((Column("a", "continuous", number_format="comma+percent"),))
    assert Schema.from_dict(schema.to_dict()) == schema
    table = Table.from_frame(pa.table({"a": ["2,5%", None]}), schema)
    np.testing.assert_array_equal(table.numbers("a"), [2.5, np.nan])
    back = Table.from_columns(schema, table.frame_kind, {"a": np.array([3.25, np.nan])})
    assert back.values("a") == ["3,25%", None]
