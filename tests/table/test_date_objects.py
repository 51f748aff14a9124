"""Dates as objects of Python: one type in a column, whatever the order of its rows."""

from __future__ import annotations

import datetime as dt
from itertools import permutations

import pandas as pd
import pytest

from tabseed.errors import SchemaError
from tabseed.table import Table

DATE, NAIVE = dt.date(2020, 1, 1), dt.datetime(2020, 1, 1, 10)
AWARE = NAIVE.replace(tzinfo=dt.UTC)


def read(cells) -> Table:
    return Table.from_frame(pd.DataFrame({"a": pd.Series(cells, dtype=object)}))


@pytest.mark.parametrize(
    ("one", "other", "named"),
    [
        (DATE, NAIVE, ["dates (", "date-times without a time zone ("]),
        (DATE, pd.Timestamp(NAIVE), ["dates (", "date-times without a time zone ("]),
        (NAIVE, AWARE, ["without a time zone (", "with a time zone ("]),
        (pd.Timestamp(AWARE), NAIVE, ["without a time zone (", "with a time zone ("]),
        (DATE, "unknown", ["dates (", "str cells ("]),
        (NAIVE, 5, ["without a time zone (", "int cells ("]),
    ],
)
def test_mixed_cells_are_refused_in_any_order(one, other, named) -> None:
    for cells in permutations([None, one, other, one]):
        with pytest.raises(SchemaError, match="column 'a' mixes ") as caught:
            read(list(cells))
        message = str(caught.value)
        assert all(name in message for name in named)
        rows = sorted((cells.index(one) + 1, cells.index(other) + 1))
        assert all(f"(row {row}: " in message for row in rows)


@pytest.mark.parametrize(
    "cells",
    [
        [None, DATE, float("nan"), pd.NaT, pd.NA, dt.date(9999, 12, 31), dt.date(1, 1, 1)],
        [NAIVE, pd.Timestamp(NAIVE), None, dt.datetime(9999, 12, 31)],
        [AWARE, AWARE.astimezone(dt.timezone(dt.timedelta(hours=2)))],
    ],
)
def test_one_type_of_dates_goes_in_and_out(cells) -> None:
    table = read(cells)
    assert table.schema["a"].kind == "datetime"
    back = table.to_frame()["a"]
    assert back.dtype == object
    present = [cell for cell in cells if not pd.isna(cell)]
    assert [cell for cell in back if not pd.isna(cell)] == present


def test_moments_that_python_cannot_hold_are_shown_as_text() -> None:
    frame = pd.DataFrame({"a": pd.Series(["9999-12-31 23:30"], dtype="datetime64[s]")})
    table = Table.from_frame(
        frame.assign(a=frame.a.dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))
    )
    assert "Table of 1 row" in repr(table)
    assert table.values("a")[0].startswith("1")  # the year 10000 in Tokyo
