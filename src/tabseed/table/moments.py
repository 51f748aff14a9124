"""A date as a user names it, as the stretch of time that it covers in a column of dates."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa

from tabseed.errors import SchemaError
from tabseed.parameters import shown
from tabseed.table.arrow_types import is_number, is_text
from tabseed.table.columns import read_numbers
from tabseed.table.notation.date_fields import DAY
from tabseed.table.notation.dates import compiled
from tabseed.table.schema import Column

FARTHEST = 2**63 - DAY
_UNITS = {"h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}
_FINER = {"ns": 1_000, "ps": 1_000_000, "fs": 10**9, "as": 10**12}  # parts of a microsecond
_DAYS = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)")


def span_of(column: Column, stored: pa.DataType, value: Any) -> tuple[float, float]:
    """Return the first and the last microsecond since 1970 (UTC) of the moment that is named.

    A year, month or day without a time ("2024-03", a ``date``, ``np.datetime64("2024-03-10")``)
    covers all of it; everything else is one microsecond. ``value`` may be a ``datetime`` (so
    pandas' ``Timestamp``), a ``date``, ``np.datetime64``, text in the pattern of the column or in
    ISO 8601, and a number as the column stores it (20240310). No other number: 2024 may be meant as
    a year, and read as a count since 1970 it is a moment of that day.
    ``stored`` is the column's type. Without a zone a moment is in that of the column.
    SchemaError for anything else, and for a moment with a zone if the column has none.
    """
    pattern = compiled(column.datetime_format) if column.datetime_format else None
    own = None if pattern is None else _in_own_form(column, stored, value)
    if pattern is not None and own is not None:
        return own, own if pattern.has_time else own + DAY - 1
    if isinstance(value, time) and pattern is not None and pattern.is_time:
        value = datetime.combine(date(1970, 1, 1), value)
    if isinstance(value, str):
        value = _from_iso(column, value.strip())
    if isinstance(value, datetime):
        first, length, zone = _microseconds(value.replace(tzinfo=None)), 1, value.tzinfo
        if zone is not None:
            _check_zone(column, stored, value)
            # a time before or after all others in a zone may leave what datetime can hold
            return (float(first - _microseconds(_offset(value))),) * 2
    elif isinstance(value, date):
        first, length = _microseconds(datetime(value.year, value.month, value.day)), DAY
    elif isinstance(value, np.datetime64):
        first, length = _of_numpy(value)
    else:
        raise SchemaError(_not_a_date(column, value))
    _check_near(column, value, first + length)
    zone_name = getattr(stored, "tz", None) or (pattern.zone if pattern else None)
    return _utc(first, zone_name), _utc(first + length, zone_name) - 1


def _check_near(column: Column, value: Any, microseconds: float) -> None:
    if not -FARTHEST < microseconds < FARTHEST:
        raise SchemaError(
            f"column {column.name!r}: {shown(value)} is more than 290 000 years away; correct it"
        )


def _in_own_form(column: Column, stored: pa.DataType, value: Any) -> float | None:
    """Return a text or number, as the column stores its dates, in microseconds; None for others."""
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0
    if is_text(stored) and isinstance(value, str):
        cell = pa.array([value], stored)
    elif is_number(stored) and (whole or (isinstance(value, str) and value.isdecimal())):
        try:
            cell = pa.array([int(value)], pa.int64())
        except (pa.ArrowException, OverflowError, ValueError):
            return None
    else:
        return None
    try:
        read = float(read_numbers(column, pa.chunked_array([cell]))[0])
    except SchemaError:
        return None
    return None if read != read else read


def _from_iso(column: Column, text: str) -> datetime | np.datetime64:
    try:
        return np.datetime64(text) if _DAYS.fullmatch(text) else datetime.fromisoformat(text)
    except ValueError as error:
        raise SchemaError(_not_a_date(column, text)) from error


def _not_a_date(column: Column, value: Any) -> str:
    own = f", or as {column.datetime_format}" if column.datetime_format else ""
    return (
        f"column {column.name!r}: {shown(value)} is not a date; write it as 2024-03-10 or "
        f"2024-03-10 14:30{own}"
    )


def _check_zone(column: Column, stored: pa.DataType, value: datetime) -> None:
    pattern = column.datetime_format
    zoned = getattr(stored, "tz", None) or (pattern is not None and compiled(pattern).is_aware)
    if not zoned:
        raise SchemaError(
            f"column {column.name!r} has no time zone, but {shown(str(value))} has one; "
            "leave the zone out"
        )


def _offset(value: datetime) -> timedelta:
    return value.utcoffset() or timedelta(0)


def _microseconds(value: datetime | timedelta) -> int:
    since = value - datetime(1970, 1, 1) if isinstance(value, datetime) else value
    return int(since // timedelta(microseconds=1))


def _of_numpy(value: np.datetime64) -> tuple[int, int]:
    """Return start and length in microseconds of a moment of numpy, by its unit."""
    unit, count = np.datetime_data(value.dtype)
    if unit in ("Y", "M", "W", "D"):
        step = np.timedelta64(count, unit)  # type: ignore[call-overload]
        start, end = (
            int(v.astype("datetime64[D]").astype(np.int64)) for v in (value, value + step)
        )
        return start * DAY, (end - start) * DAY
    number = int(value.astype(np.int64)) * count
    return (number * _UNITS[unit] if unit in _UNITS else number // _FINER.get(unit, 1)), 1


def _utc(local: int, zone: str | None) -> float:
    """Return microseconds of a wall clock in a zone as those since 1970 in UTC."""
    if zone in (None, "", "Z", "UTC"):
        return float(local)
    fixed = _OFFSET.fullmatch(zone)
    if fixed:
        sign, hours, minutes = fixed.groups()
        return float(local - int(f"{sign}1") * (int(hours) * 60 + int(minutes)) * 60_000_000)
    try:  # Arrow's own knows no summer time after 2037
        wall = datetime(1970, 1, 1) + timedelta(microseconds=local)
        return float(local - _microseconds(_offset(wall.replace(tzinfo=ZoneInfo(zone)))))
    except OverflowError:  # years that datetime cannot hold
        return float(local)
    except ZoneInfoNotFoundError as error:
        raise SchemaError(
            f"time zone {zone!r} is not known here; name moments with their zone, as in "
            "2024-03-10T14:30Z"
        ) from error
