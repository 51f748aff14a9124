"""Sorts of Arrow types."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tabseed.table.arrow_types import (
    can_be_category,
    is_date,
    is_number,
    is_real,
    is_text,
    plain_type,
)

SORTS = {is_text: "t", is_real: "r", is_number: "n", is_date: "d", can_be_category: "c"}


@pytest.mark.parametrize(
    ("kind", "sorts"),
    [
        (pa.string(), "tc"),
        (pa.large_string(), "t"),
        (pa.string_view(), "t"),
        (pa.int8(), "nc"),
        (pa.float16(), "rnc"),
        (pa.decimal128(9, 2), "rn"),
        (pa.bool_(), "c"),
        (pa.timestamp("ns", "UTC"), "d"),
        (pa.date64(), "d"),
        (pa.time64("us"), ""),
        (pa.list_(pa.string()), ""),
        (pa.dictionary(pa.int8(), pa.string()), ""),
    ],
)
def test_sorts(kind, sorts) -> None:
    assert "".join(letter for sort, letter in SORTS.items() if sort(kind)) == sorts


@pytest.mark.parametrize("ordered", [False, True])
def test_categories_are_of_plain_levels_or_none_at_all(ordered) -> None:
    large = pa.dictionary(pa.int8(), pa.large_string(), ordered)
    assert plain_type(large) == pa.dictionary(pa.int32(), pa.string(), ordered)
    assert plain_type(pa.dictionary(pa.int8(), pa.date32(), ordered)) == pa.date32()
