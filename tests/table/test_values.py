"""Single values: missing or not, the level that is meant, the levels that are near."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabseed.table.values import is_missing, levels_named, near, plain, spelled_alike

MISSING = [None, math.nan, np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT", "us")]
MISSING += [Decimal("NaN"), Decimal("sNaN")]
PRESENT = [0, False, "", "nan", b"", math.inf, dt.date(2024, 1, 1), np.datetime64("2024"), [], ()]


def test_values_that_stand_for_missing_ones() -> None:
    assert all(map(is_missing, MISSING)) and not any(map(is_missing, PRESENT))


def test_scalars_become_pythons_own() -> None:
    values = map(plain, [np.int8(3), np.bool_(True), np.str_("a"), pa.scalar(2.5), "b", None])
    assert [(type(v), v) for v in values] == [
        (int, 3),
        (bool, True),
        (str, "a"),
        (float, 2.5),
        (str, "b"),
        (type(None), None),
    ]


@pytest.mark.parametrize(
    ("value", "levels", "named"),
    [
        ("a", ("a", "b"), [0]),
        (1, ("0", "1"), [1]),
        (1.0, ("0", "1"), [1]),
        ("1", (0, 1), [1]),
        ("1.0", (0, 1), [1]),
        (Decimal("1.50"), (1.5, 2.5), [0]),
        (True, (0, 1), [1]),
        (0, (False, True), [0]),
        ("TRUE", (False, True), [1]),
        (True, ("false", "true"), [1]),
        (True, ("No", "Yes"), [1]),
        ("y", (False, True), [1]),
        ("y", ("x", "y"), [1]),
        (True, ("x", "y"), []),
        (1, ("1", 1), [1]),  # the same sort comes first
        (1, ("1", "1.0"), [0, 1]),
        (7, ("007", "8"), []),  # a code, not a number
        ("007", (7, 8), []),
        (True, (1, 2), []),
        (True, ("yes", "true"), [1]),
        (1, ("yes", "true"), []),  # which of them?
        (Decimal("1.00"), ("no", "yes"), [1]),
        (b"1", ("no", "yes"), []),
        ("A", ("a", "b"), []),
        ([], ("a", "b"), []),
    ],
)
def test_a_level_is_named_by_another_spelling_of_it(value, levels, named) -> None:
    assert levels_named(value, levels) == named


@given(st.lists(st.integers(-99, 99), min_size=1, unique=True), st.data())
def test_numbers_and_their_texts_name_each_other(levels, data) -> None:
    k = data.draw(st.integers(0, len(levels) - 1))
    texts = list(map(str, levels))
    assert levels_named(levels[k], texts) == levels_named(texts[k], levels) == [k]
    assert levels_named(float(levels[k]), texts) == [k]
    assert spelled_alike(texts, levels[::-1]) == list(range(len(levels)))[::-1]


def test_two_lists_of_levels_are_matched_one_to_one_or_not_at_all() -> None:
    assert spelled_alike(["0", "1"], [1, 0]) == [1, 0]
    assert spelled_alike(["a", "c"], ["a", "b"]) == [0, -1]
    assert spelled_alike(["1", "1.0"], [1, 2]) is None
    assert spelled_alike([1], ["1", "1.0"]) is None


def test_messages_list_the_nearest_levels() -> None:
    assert near(7, [1, 5, 6, 9, 10, 40]) == "the nearest are 1, 5, 6, 9, 10"
    assert near("appel", ["plum", "Apple", "maple"]) == "the nearest are 'Apple', 'maple'"
    assert near("q", list("abcdefg")) == "there are 'a', 'b', 'c', 'd', 'e' and 2 more"
    assert near("q", []) == "there are none"
