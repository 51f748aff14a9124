"""Dates as users name them, against moments computed by the standard library."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabseed.errors import SchemaError
from tabseed.table.moments import DAY, span_of
from tabseed.table.schema import Column

SEEN = Column("seen", "datetime")
NAIVE = pa.timestamp("us")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def us(*parts: int, zone: dt.tzinfo = dt.UTC) -> int:
    return (dt.datetime(*parts, tzinfo=zone) - EPOCH) // dt.timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("value", "first", "length"),
    [
        ("2024-03-10", us(2024, 3, 10), DAY),
        ("2024-02", us(2024, 2, 1), 29 * DAY),
        ("2023", us(2023, 1, 1), 365 * DAY),
        (dt.date(2024, 3, 10), us(2024, 3, 10), DAY),
        (np.datetime64("2024-03-10"), us(2024, 3, 10), DAY),
        (np.datetime64("2024-03-10T00", "h"), us(2024, 3, 10), 1),
        (np.datetime64("2024-03-10T01:02:03.000000007", "ns"), us(2024, 3, 10, 1, 2, 3), 1),
        (pd.Timestamp("2024-03-10"), us(2024, 3, 10), 1),
        (dt.datetime(2024, 3, 10, 4, 5), us(2024, 3, 10, 4, 5), 1),
        ("2024-03-10 04:05", us(2024, 3, 10, 4, 5), 1),
        ("2024-03-10T04:05:06.5", us(2024, 3, 10, 4, 5, 6, 500_000), 1),
    ],
    ids=str,
)
def test_a_moment_without_a_zone(value, first, length) -> None:
    assert span_of(SEEN, NAIVE, value) == (first, first + length - 1)


def test_dates_in_the_columns_own_pattern_come_before_iso() -> None:
    column = Column("seen", "datetime", datetime_format="%d/%m/%Y")
    assert span_of(column, pa.string(), "03/04/2024") == (us(2024, 4, 3), us(2024, 4, 4) - 1)
    assert span_of(column, pa.string(), "2024-04-03") == (us(2024, 4, 3), us(2024, 4, 4) - 1)
    timed = Column("seen", "datetime", datetime_format="%Y-%m-%d %H:%M")
    assert span_of(timed, pa.string(), "2024-04-03 00:00") == (us(2024, 4, 3),) * 2


def test_whole_numbers_are_read_as_the_column_stores_its_dates() -> None:
    column = Column("seen", "datetime", datetime_format="%Y%m%d")
    for value in (20240403, "20240403", "2024-04-03", dt.date(2024, 4, 3)):
        assert span_of(column, pa.int64(), value) == (us(2024, 4, 3), us(2024, 4, 4) - 1)
    for value in (20241399, 1.5, 10**30, "20241399"):
        with pytest.raises(SchemaError, match=r"is not a date; write it as .*, or as %Y%m%d"):
            span_of(column, pa.int64(), value)
    # with missing cells pandas makes floats of them
    assert span_of(column, pa.float64(), 20240403.0) == (us(2024, 4, 3), us(2024, 4, 4) - 1)


def test_texts_that_end_in_z_have_a_zone() -> None:
    column = Column("seen", "datetime", datetime_format="%Y-%m-%dT%H:%M:%SZ")
    moment = us(2024, 4, 3, 12), us(2024, 4, 3, 12)
    for value in ("2024-04-03T12:00:00Z", "2024-04-03T14:00:00+02:00", "2024-04-03 12:00"):
        assert span_of(column, pa.string(), value) == moment
    east = Column("seen", "datetime", datetime_format="%Y-%m-%d %H:%M+02:00")
    for value in ("2024-04-03 14:00+02:00", "2024-04-03 14:00", "2024-04-03T12:00Z"):
        assert span_of(east, pa.string(), value) == moment


def test_times_of_day_are_named_as_such() -> None:
    column = Column("at", "datetime", datetime_format="%H:%M")
    for value in ("14:30", dt.time(14, 30)):
        assert span_of(column, pa.string(), value) == (us(1970, 1, 1, 14, 30),) * 2


@given(
    st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2080, 1, 1)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "UTC"]),
)
def test_a_moment_without_a_zone_is_in_that_of_the_column(wall, name) -> None:
    zone = ZoneInfo(name)
    aware = wall.replace(tzinfo=zone)
    there_and_back = aware.astimezone(dt.UTC).astimezone(zone).replace(tzinfo=None)
    moment = (aware - EPOCH) // dt.timedelta(microseconds=1)
    kind = pa.timestamp("us", tz=name)
    assert span_of(SEEN, kind, aware) == (moment, moment)
    if there_and_back == wall:  # not in the hour that the change of clocks skips
        assert span_of(SEEN, kind, wall) == (moment, moment)


def test_zones_as_offsets_and_days_of_23_hours() -> None:
    offset = pa.timestamp("us", tz="+05:30")
    assert span_of(SEEN, offset, "2024-03-10 05:30")[0] == us(2024, 3, 10)
    berlin = pa.timestamp("us", tz="Europe/Berlin")
    first, last = span_of(SEEN, berlin, "2024-03-31")
    assert (first, last - first + 1) == (us(2024, 3, 30, 23), 23 * DAY / 24)
    assert span_of(SEEN, berlin, "2024-03-31T12:00:00Z")[0] == us(2024, 3, 31, 12)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("yesterday", "'yesterday' is not a date; write it as 2024-03-10"),
        ("2024-13-01", "is not a date"),
        ("", "is not a date"),
        (True, "True is not a date"),
        (dt.time(3), "is not a date"),
        (dt.timedelta(3), "is not a date"),
        ([], "is not a date"),
        (2024, "2024 is not a date; write it as 2024-03-10"),
        (1_710_028_800_000_000, "is not a date"),
        (10**400, "is not a date"),
        (-1e300, "is not a date"),
        (np.datetime64("300000-01-01"), "more than 290 000 years"),
        (dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "has no time zone, but .* has one; leave"),
        ("2024-01-01T00:00Z", "has no time zone"),
    ],
    ids=str,
)
def test_what_is_no_moment_of_the_column_is_refused_in_one_line(value, text) -> None:
    with pytest.raises(SchemaError, match=f"^column 'seen'.*{text}") as error:
        span_of(SEEN, NAIVE, value)
    assert "\n" not in str(error.value)
