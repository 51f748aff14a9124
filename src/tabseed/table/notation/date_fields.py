"""The fields of dates: read from cells as numbers, put together, and written, all rows at once.

:mod:`tabseed.table.notation.dates` knows the notation of patterns; here a directive is a letter
and a flag.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]

SECOND = 1_000_000  # microseconds
DAY = 86_400 * SECOND
YEARS = (-62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1)  # 1 to 9999, in microseconds
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HALVES = ("AM", "PM")
PIVOT = 69  # two-digit years are 1969 to 2068, as POSIX has it, unless %3y says 1930 to 2029

WIDTHS = {**dict.fromkeys("mdeHIMSy", 2), "Y": 4, "j": 3}
NAMES = {
    **{"B": MONTHS, "b": tuple(m[:3] for m in MONTHS)},
    **{"A": WEEKDAYS, "a": tuple(d[:3] for d in WEEKDAYS), "p": HALVES},
}


@dataclass(frozen=True)
class Part:
    """A piece of a pattern: literal text, or a directive with its flag."""

    text: str
    flag: str = ""
    literal: bool = False

    def __str__(self) -> str:
        return self.text.replace("%", "%%") if self.literal else f"%{self.flag}{self.text}"

    @property
    def is_digits(self) -> bool:
        """Whether the directive is written in digits only."""
        return not self.literal and (self.text in WIDTHS or self.text == "f")


def pivot_of(part: Part) -> int:
    """Return the first two-digit year of the twentieth century."""
    return 10 * int(part.flag) if part.flag else PIVOT


def offset_of(zone: str) -> int:
    """Return the minutes of an offset such as ``+01:30``; 0 for names of UTC."""
    digits = re.sub(r"\D", "", zone)
    if not digits:
        return 0
    minutes = 60 * int(digits[:2]) + int(digits[2:] or 0)
    return -minutes if zone.startswith("-") else minutes


class Fields:
    """The numbers that the directives of one pattern read from the cells, and which are sound."""

    def __init__(self, n: int, valid: Flags) -> None:
        self.n = n
        self.valid = valid
        self.fields: dict[str, Whole] = {}

    def add(self, part: Part, cells: pa.Array) -> None:
        """Read one directive from its cells (n,), text."""
        field, numbers = self._numbers(part.text, cells)
        if part.text == "y":
            numbers = np.where(numbers < pivot_of(part), 2000, 1900) + numbers
        if field in self.fields:  # told twice, so both must agree
            self.valid &= self.fields[field] == numbers
        self.fields[field] = numbers

    def _numbers(self, letter: str, cells: pa.Array) -> tuple[str, Whole]:
        """Return a field and its numbers; invalid cells are 0 or any."""
        if letter in NAMES:
            names = [name[:3].lower() for name in NAMES[letter]]
            short = pc.utf8_lower(pc.utf8_slice_codeunits(cells, 0, 3))
            numbers = pc.index_in(short, value_set=pa.array(names))
            return {"b": "m", "B": "m", "a": "weekday", "A": "weekday", "p": "p"}[letter], _whole(
                numbers
            ) + (letter in "bB")
        if letter in "zZ":
            distinct = cells.dictionary_encode()
            offsets = pa.array(
                [offset_of(z or "") for z in distinct.dictionary.to_pylist()], pa.int64()
            )
            return "z", _whole(offsets.take(distinct.indices))
        if letter == "f":  # digits beyond the sixth are cut off
            padded = pc.utf8_rpad(pc.utf8_slice_codeunits(cells, 0, 6), 6, "0")
            return "f", _whole(padded.cast(pa.int64()))
        digits = pc.utf8_trim_whitespace(cells)
        numbers = _whole(pc.if_else(pc.equal(digits, ""), None, digits).cast(pa.int64()))
        return {"e": "d", "y": "Y"}.get(letter, letter), numbers

    def microseconds(self) -> Whole:
        """Return microseconds since 1970 (n,), 0 where invalid; mark impossible dates so."""
        day, within = self._days(), self._time()
        minutes = self.fields.get("z", np.zeros(self.n, np.int64))
        return np.where(self.valid, day * DAY + within - minutes * 60 * SECOND, 0)

    def _days(self) -> Whole:
        zero = np.zeros(self.n, np.int64)
        if "Y" not in self.fields:
            return zero
        year, month, day = (self.fields.get(field, zero + 1) for field in "Ymd")
        self.valid &= (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
        first = first_days(year, np.clip(month, 1, 12))
        following = first_days(year, np.clip(month, 1, 12) + 1)
        self.valid &= day <= following - first
        days = first + day - 1
        if "j" in self.fields:
            new_year = first_days(year, zero + 1)
            of_year = self.fields["j"]
            self.valid &= (of_year >= 1) & (of_year <= first_days(year + 1, zero + 1) - new_year)
            told, days = days, new_year + of_year - 1
            if "d" in self.fields:
                self.valid &= told == days
            elif "m" in self.fields:
                self.valid &= month == _month(days * DAY) + 1
        if "weekday" in self.fields:
            self.valid &= self.fields["weekday"] == _weekday(days)
        return days

    def _time(self) -> Whole:
        zero = np.zeros(self.n, np.int64)
        hour = self.fields.get("H")
        if "I" in self.fields:
            twelve = self.fields["I"]
            self.valid &= (twelve >= 1) & (twelve <= 12)
            of_day = twelve % 12 + 12 * self.fields.get("p", zero)
            self.valid &= hour is None or hour == of_day
            hour = of_day
        elif hour is not None and "p" in self.fields:
            self.valid &= (hour >= 12) == (self.fields["p"] == 1)
        hour = zero if hour is None else hour
        minute, second = self.fields.get("M", zero), self.fields.get("S", zero)
        self.valid &= (hour <= 23) & (minute <= 59) & (second <= 59)
        return ((hour * 60 + minute) * 60 + second) * SECOND + self.fields.get("f", zero)


def _whole(numbers: pa.Array) -> Whole:
    return np.asarray(numbers.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False))


def first_days(year: Whole, month: Whole) -> Whole:
    """Return the first day of a month, in days since 1970."""
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64)


def _weekday(days: Whole) -> Whole:
    """Return 0 for Monday to 6 for Sunday; 1970-01-01 was a Thursday."""
    return (days + 3) % 7


def written(part: Part, micros: Whole) -> pa.Array:
    """Write one directive for all dates."""
    letter, flag = part.text, part.flag
    if letter in "zZ":
        zone = "UTC" if letter == "Z" else "+00:00" if flag else "+0000"
        return pa.array([zone] * len(micros))
    if letter == "f":
        text = pc.utf8_rpad(_padded(micros % SECOND, 6), 9, "0")
        return pc.utf8_slice_codeunits(text, 0, int(flag or 6))
    if letter in NAMES:
        index = {"b": _month, "B": _month, "a": _weekday_of, "A": _weekday_of, "p": _half}[letter]
        names = pa.array(NAMES[letter]).take(pa.array(index(micros)))
        return pc.utf8_upper(names) if flag == "^" else pc.utf8_lower(names) if flag else names
    numbers = _NUMBERS[letter](micros)
    if letter == "e":
        return pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 2, " ")
    return _padded(numbers, 1 if flag == "-" else WIDTHS[letter])


def _padded(numbers: Whole, width: int) -> pa.Array:
    return pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")


def _units(micros: Whole, unit: str) -> Whole:
    """Return whole months or years since 1970."""
    days = (micros // DAY).astype("datetime64[D]")
    return days.astype(f"datetime64[{unit}]").astype(np.int64)


def _month(micros: Whole) -> Whole:
    return _units(micros, "M") % 12


def _weekday_of(micros: Whole) -> Whole:
    return _weekday(micros // DAY)


def _half(micros: Whole) -> Whole:
    return micros % DAY // (12 * 3600 * SECOND)


def _year(micros: Whole) -> Whole:
    return _units(micros, "Y") + 1970


def _day_of_month(micros: Whole) -> Whole:
    return micros // DAY - first_days(_year(micros), _month(micros) + 1) + 1


def _day_of_year(micros: Whole) -> Whole:
    return micros // DAY - first_days(_year(micros), np.ones_like(micros)) + 1


_NUMBERS: dict[str, Callable[[Whole], Whole]] = {
    "Y": _year,
    "y": lambda micros: _year(micros) % 100,
    "m": lambda micros: _month(micros) + 1,
    "d": _day_of_month,
    "e": _day_of_month,
    "j": _day_of_year,
    "H": lambda micros: micros % DAY // (3600 * SECOND),
    "I": lambda micros: (micros // (3600 * SECOND) - 1) % 12 + 1,
    "M": lambda micros: micros // (60 * SECOND) % 60,
    "S": lambda micros: micros // SECOND % 60,
}
