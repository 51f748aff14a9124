"""Values that only spell a category otherwise are that category."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabseed.table import MISSING, UNSEEN, Table
from tabseed.table.alike import positions
from tabseed.table.schema import Column, Schema


@pytest.mark.parametrize(
    ("categories", "values", "expected"),
    [
        ((False, True), ["True", "FALSE", "true", " True", "1", "0.0", "yes", "N"], "10111010"),
        ((False, True), [1, 0, 1.0, 2, "maybe"], "101--"),
        ((0, 1), [True, "False", "1.0", "0", 0.5], "1010-"),
        (("FALSE", "TRUE"), [True, "false", 1, "0"], "1010"),
        (("no", "yes"), [False, "YES", "1", "n"], "0110"),
        ((1, 2, 3), ["1", "2.0", 3.0, "03", "x", True], "0122--"),
        (("1", "2", "x"), [1, 2.0, "x ", "2e0"], "01-1"),
        (("1", "1.0", "x"), [1], "-"),  # a spelling of two categories
        (("a", "b"), ["A", "b "], "--"),  # letters are not numbers
        (("1", "2"), [True], "-"),
        (("nan", "inf"), [float("inf")], "-"),
    ],
)
def test_spellings(categories, values, expected) -> None:
    wanted = [None if c == "-" else int(c) for c in expected]
    assert positions(categories, values) == wanted


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=6, unique=True))
def test_numbers_are_alike_in_any_type(numbers) -> None:
    schema = Schema((Column("a", "categorical", "", tuple(numbers)),))
    frames = [
        pa.table({"a": [*numbers, None]}),
        pa.table({"a": [*map(float, numbers), None]}),
        pa.table({"a": [*map(str, numbers), None]}),
        pa.table({"a": [*(f"{n}.0" for n in numbers), None]}),
    ]
    for frame in frames:
        codes = Table.from_frame(frame, schema).codes("a")
        assert codes.tolist() == [*range(len(numbers)), MISSING]


def test_levels_of_mixed_text_read_numbers() -> None:
    """A table whose few rows are all numbers still meets the schema of "1", "2", "x"."""
    schema = Schema((Column("a", "categorical", "", ("1", "2", "x")),))
    table = Table.from_frame(pa.table({"a": [2, 1, 7]}), schema)
    assert table.codes("a").tolist() == [1, 0, UNSEEN]


@pytest.mark.parametrize("write", [str, lambda v: str(v).upper(), lambda v: str(v).lower(), int])
def test_booleans_of_any_file_meet_those_of_a_frame(write) -> None:
    real = pd.DataFrame({"smoker": [True, False, True]})
    other = pd.DataFrame({"smoker": [write(v) for v in real["smoker"]]})
    schema = Table.from_frame(real).schema
    np.testing.assert_array_equal(
        Table.from_frame(other, schema).codes("smoker"), Table.from_frame(real).codes("smoker")
    )
