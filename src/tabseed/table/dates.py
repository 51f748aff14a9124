"""Dates as text or whole numbers: patterns in strptime's notation, which read and write.

A pattern holds literal text and directives: ``%Y %y %m %d %e %j %H %I %M %S %p %b %B %a %A``
``%z`` and ``%Z`` (names of UTC), the compounds ``%F %D %T %R %c %x %X``, ``%f`` (a fraction of a
second) and ``%%``.
Further ones say what Python's leave open, so that text is written as it was read: ``%-d`` (and
``%-m %-H %-I ...``) without a leading zero, ``%3f`` a fraction of three digits, ``%^b`` upper and
``%#b`` lower case, ``%P`` am or pm, ``%:z`` an offset with a colon. Text such as ``Z`` or
``+01:00`` that ends a time of day is the offset of all cells.

Reading takes what Python's strptime takes (leading zeros and case are free); writing is exact.
Names are English whatever the platform's locale. Dates are microseconds since 1970, in UTC where a
pattern has an offset. Only distinct values are read, a column of them at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

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
PIVOT = 69  # two-digit years are 1969 to 2068, as POSIX has it

_COMPOUNDS = {
    **{"F": "%Y-%m-%d", "D": "%m/%d/%y", "x": "%m/%d/%y", "T": "%H:%M:%S", "X": "%H:%M:%S"},
    **{"R": "%H:%M", "c": "%a %b %e %H:%M:%S %Y"},
}
_DIRECTIVE = re.compile(r"%(?:([-^#:]|[1-9])?([a-zA-Z])|(%))")
_ZONE = r"(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)"
_FIXED_ZONE = re.compile(rf"(?s:.*)%[-^#1-9]?[MSTRXpPf]( ?{_ZONE})$")
_WIDTHS = {**dict.fromkeys("mdeHIMSy", 2), "Y": 4, "j": 3}
_NAMES = {
    **{"B": MONTHS, "b": tuple(m[:3] for m in MONTHS)},
    **{"A": WEEKDAYS, "a": tuple(d[:3] for d in WEEKDAYS), "p": HALVES},
}
_FLAGS = {**dict.fromkeys("mdHIMSj", "-"), **dict.fromkeys("bBaAp", "^#"), "z": ":"}


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
        return not self.literal and (self.text in _WIDTHS or self.text == "f")


class DatePattern:
    """A pattern, ready to read and to write; ValueError if it is none. See :func:`compiled`."""

    def __init__(self, text: str) -> None:
        self.text = text
        fixed = _FIXED_ZONE.fullmatch(text)
        self.zone = fixed[1] if fixed else ""  # the literal offset of all cells
        self.parts = _parts(text.removesuffix(self.zone))
        self.directives = [part.text for part in self.parts if not part.literal]
        if not self.directives:
            raise ValueError("holds no directive such as %Y")
        if "y" not in self.directives and "Y" not in self.directives and not self.is_time:
            raise ValueError("has no year")
        groups = [self._group(index) for index in range(len(self.parts))]
        self.expression = "^(?i)" + "".join(groups) + re.escape(self.zone) + "$"

    @property
    def is_time(self) -> bool:
        """Whether it is a time of day without a date (then the day is 1970-01-01)."""
        return not set(self.directives) & set("YymbBdejaA")

    @property
    def is_aware(self) -> bool:
        """Whether cells say their offset from UTC."""
        return bool(self.zone) or bool(set("zZ") & set(self.directives))

    @property
    def has_short_years(self) -> bool:
        """Whether years have two digits."""
        return "y" in self.directives

    @property
    def has_time(self) -> bool:
        """Whether it holds a time of day."""
        return bool(set(self.directives) & set("HIMSf"))

    @property
    def width(self) -> int | None:
        """The number of digits of each cell, if cells are digits of a fixed number only."""
        if not all(
            part.text in _WIDTHS and not part.flag and not part.literal for part in self.parts
        ):
            return None
        return sum(_WIDTHS[part.text] for part in self.parts) if not self.zone else None

    @property
    def in_python(self) -> str:
        """The pattern in the notation of Python's strptime, which reads the same cells."""
        plain = (Part({"P": "p", "e": "d"}.get(p.text, p.text), "", p.literal) for p in self.parts)
        return "".join(map(str, plain)) + self.zone

    def _group(self, index: int) -> str:
        part = self.parts[index]
        if part.literal:
            return re.escape(part.text)
        near = [self.parts[i] for i in (index - 1, index + 1) if 0 <= i < len(self.parts)]
        return f"(?P<g{index}>{_expression(part, any(p.is_digits for p in near))})"

    # --- reading --------------------------------------------------------------------------------

    def read(self, values: pa.ChunkedArray | pa.Array) -> pa.Array:
        """Read text: int64 (n,), microseconds since 1970; null for what is no date (or null)."""
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        encoded = values.cast(pa.string()).dictionary_encode()
        return self._read_distinct(encoded.dictionary).take(encoded.indices)

    def _read_distinct(self, texts: pa.Array) -> pa.Array:
        found = pc.extract_regex(texts, pattern=self.expression)
        valid = found.is_valid().to_numpy(zero_copy_only=False)
        fields = _Fields(len(texts), valid)
        for index, part in enumerate(self.parts):
            if not part.literal:
                fields.add(part.text, found.field(f"g{index}"))
        micros = fields.microseconds() - _offset(self.zone.strip()) * 60 * SECOND
        return pa.array(micros, mask=~fields.valid)

    def is_exact(self, texts: pa.Array) -> bool:
        """Whether all cells are dates that this pattern writes as the very same text."""
        micros = self.read(texts)
        return micros.null_count == texts.null_count and bool(self.write(micros).equals(texts))

    # --- writing --------------------------------------------------------------------------------

    def write(self, micros: pa.Array) -> pa.Array:
        """Write microseconds since 1970 (n,) as text, null where null; what is finer is cut off."""
        encoded = micros.cast(pa.int64()).dictionary_encode()
        distinct = encoded.dictionary.to_numpy(zero_copy_only=False).astype(np.int64)
        return self._write_distinct(distinct).take(encoded.indices)

    def _write_distinct(self, micros: Whole) -> pa.Array:
        micros = micros + _offset(self.zone.strip()) * 60 * SECOND
        pieces = [
            pa.scalar(part.text) if part.literal else _written(part, micros) for part in self.parts
        ]
        if all(isinstance(piece, pa.Scalar) for piece in pieces) or not len(micros):
            return pa.array([], pa.string())
        return pc.binary_join_element_wise(*pieces, pa.scalar(self.zone), "")

    # --- what the cells themselves say ----------------------------------------------------------

    def like(self, texts: pa.Array) -> DatePattern:
        """Return the pattern with zeros, case, digits and offset as in ``texts``, all dates.

        Where cells differ among themselves, the pattern writes all of them in one way.
        """
        found = pc.extract_regex(texts, pattern=self.expression)
        parts = [
            part
            if part.literal or (part.text in "zZ" and index < len(self.parts) - 1)
            else _like(part, pc.unique(found.field(f"g{index}")))
            for index, part in enumerate(self.parts)
        ]
        return compiled("".join(map(str, parts)) + self.zone)

    @cached_property
    def order(self) -> str:
        """The order of year, month and day, such as ``dmy``."""
        letters = {"Y": "y", "b": "m", "B": "m", "e": "d"}
        return "".join(
            letters.get(d, d) for d in self.directives if letters.get(d, d) in ("y", "m", "d")
        )


@lru_cache(maxsize=512)
def compiled(text: str) -> DatePattern:
    """Compile a pattern; ValueError, with the reason, if it cannot be read and written."""
    return DatePattern(text)


def keeps_text(pattern: str) -> bool:
    """Return whether dates of a pattern must be read as text; 20231114 may as well be a number."""
    try:
        return bool(pattern) and compiled(pattern).width is None
    except ValueError:
        return True


def is_number(kind: pa.DataType) -> bool:
    """Return whether a type is of integers, reals or decimals."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def as_whole(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return numbers as int64, null where one is not whole or is beyond 2^53."""
    if not pa.types.is_integer(values.type):
        values = values.cast(pa.float64(), safe=False)
    small = pc.less(pc.abs(values.cast(pa.float64(), safe=False)), 2.0**53)
    if pa.types.is_floating(values.type):
        small = pc.and_(small, pc.equal(pc.floor(values), values))
    return pc.if_else(small, values, pa.scalar(None, values.type)).cast(pa.int64())


def digits_of(values: pa.ChunkedArray, pattern: DatePattern) -> pa.ChunkedArray:
    """Return whole numbers as text with the leading zeros that a pattern asks for."""
    texts = values.cast(pa.int64()).cast(pa.string())
    return pc.utf8_lpad(texts, pattern.width, "0") if pattern.width else texts


def _parts(text: str) -> list[Part]:
    parts: list[Part] = []
    position = 0
    for found in _DIRECTIVE.finditer(text):
        _add_literal(parts, text[position : found.start()])
        position = found.end()
        flag, letter, percent = found[1] or "", found[2], found[3]
        if percent:
            _add_literal(parts, percent, escaped=True)
        elif letter in _COMPOUNDS and not flag:
            for part in _parts(_COMPOUNDS[letter]):
                _add_literal(parts, part.text) if part.literal else parts.append(part)
        else:
            parts.append(_directive(letter, flag))
    _add_literal(parts, text[position:])
    return parts


def _add_literal(parts: list[Part], text: str, *, escaped: bool = False) -> None:
    if "%" in text and not escaped:
        raise ValueError("has a % that begins no directive")
    if text and parts and parts[-1].literal:
        parts[-1] = Part(parts[-1].text + text, literal=True)
    elif text:
        parts.append(Part(text, literal=True))


def _directive(letter: str, flag: str) -> Part:
    if letter == "f" and (flag == "" or flag in "123456789"):
        return Part(letter, flag)
    if letter == "P" and not flag:
        return Part("p", "#")
    known = letter in _WIDTHS or letter in _NAMES or letter in "zZ"
    if not known or flag not in ("", *_FLAGS.get(letter, "")):
        raise ValueError(f"has %{flag}{letter}, which is not known")
    return Part(letter, flag)


def _expression(part: Part, beside_digits: bool) -> str:
    """Return what a directive reads; beside other digits, only digits of the full number."""
    letter = part.text
    if letter in _NAMES:
        if letter in "bBaA":  # a long name is read where a short one is asked for, and vice versa
            return "|".join(f"{n}|{n[:3]}" for n in (MONTHS if letter in "bB" else WEEKDAYS))
        return "|".join(_NAMES[letter])
    if letter in "zZ":
        return _ZONE if letter == "z" else "UTC|GMT|Z"
    if letter == "f":
        return f"\\d{{{part.flag or '1,9'}}}"
    width = _WIDTHS[letter]
    if letter in "Yy" or (beside_digits and not part.flag):
        return f"\\d{{{width}}}"
    return (" ?" if letter == "e" else "") + f"\\d{{1,{width}}}"


def _offset(zone: str) -> int:
    """Return the minutes of an offset such as ``+01:30``; 0 for names of UTC."""
    digits = re.sub(r"\D", "", zone)
    if not digits:
        return 0
    minutes = 60 * int(digits[:2]) + int(digits[2:] or 0)
    return -minutes if zone.startswith("-") else minutes


class _Fields:
    """The numbers that the directives of one pattern read from the cells, and which are sound."""

    def __init__(self, n: int, valid: Flags) -> None:
        self.n = n
        self.valid = valid
        self.fields: dict[str, Whole] = {}

    def add(self, letter: str, cells: pa.Array) -> None:
        field, numbers = self._numbers(letter, cells)
        if field in self.fields:  # told twice, so both must agree
            self.valid &= self.fields[field] == numbers
        self.fields[field] = numbers

    def _numbers(self, letter: str, cells: pa.Array) -> tuple[str, Whole]:
        """Return a field and its numbers; invalid cells are 0 or any."""
        if letter in _NAMES:
            names = [name[:3].lower() for name in _NAMES[letter]]
            short = pc.utf8_lower(pc.utf8_slice_codeunits(cells, 0, 3))
            numbers = pc.index_in(short, value_set=pa.array(names))
            return {"b": "m", "B": "m", "a": "weekday", "A": "weekday", "p": "p"}[letter], _whole(
                numbers
            ) + (letter in "bB")
        if letter in "zZ":
            distinct = cells.dictionary_encode()
            offsets = pa.array(
                [_offset(z or "") for z in distinct.dictionary.to_pylist()], pa.int64()
            )
            return "z", _whole(offsets.take(distinct.indices))
        if letter == "f":  # digits beyond the sixth are cut off
            padded = pc.utf8_rpad(pc.utf8_slice_codeunits(cells, 0, 6), 6, "0")
            return "f", _whole(padded.cast(pa.int64()))
        digits = pc.utf8_trim_whitespace(cells)
        numbers = _whole(pc.if_else(pc.equal(digits, ""), None, digits).cast(pa.int64()))
        if letter == "y":
            return "Y", np.where(numbers < PIVOT, 2000, 1900) + numbers
        return {"e": "d"}.get(letter, letter), numbers

    def microseconds(self) -> Whole:
        day, within = self._days(), self._time()
        minutes = self.fields.get("z", np.zeros(self.n, np.int64))
        return np.where(self.valid, day * DAY + within - minutes * 60 * SECOND, 0)

    def _days(self) -> Whole:
        zero = np.zeros(self.n, np.int64)
        if "Y" not in self.fields:
            return zero
        year, month, day = (self.fields.get(field, zero + 1) for field in "Ymd")
        self.valid &= (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
        first = _first_days(year, np.clip(month, 1, 12))
        following = _first_days(year, np.clip(month, 1, 12) + 1)
        self.valid &= day <= following - first
        days = first + day - 1
        if "j" in self.fields:
            new_year = _first_days(year, zero + 1)
            of_year = self.fields["j"]
            self.valid &= (of_year >= 1) & (of_year <= _first_days(year + 1, zero + 1) - new_year)
            if "m" in self.fields:
                self.valid &= days == new_year + of_year - 1
            days = new_year + of_year - 1
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


def _first_days(year: Whole, month: Whole) -> Whole:
    """Return the first day of a month, in days since 1970."""
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64)


def _weekday(days: Whole) -> Whole:
    """Return 0 for Monday to 6 for Sunday; 1970-01-01 was a Thursday."""
    return (days + 3) % 7


def _written(part: Part, micros: Whole) -> pa.Array:
    """Write one directive for all dates."""
    letter, flag = part.text, part.flag
    if letter in "zZ":
        zone = "UTC" if letter == "Z" else "+00:00" if flag else "+0000"
        return pa.array([zone] * len(micros))
    if letter == "f":
        text = pc.utf8_rpad(_padded(micros % SECOND, 6), 9, "0")
        return pc.utf8_slice_codeunits(text, 0, int(flag or 6))
    if letter in _NAMES:
        index = {"b": _month, "B": _month, "a": _weekday_of, "A": _weekday_of, "p": _half}[letter]
        names = pa.array(_NAMES[letter]).take(pa.array(index(micros)))
        return pc.utf8_upper(names) if flag == "^" else pc.utf8_lower(names) if flag else names
    numbers = _NUMBERS[letter](micros)
    if letter == "e":
        return pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 2, " ")
    return _padded(numbers, 1 if flag else _WIDTHS[letter])


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
    return micros // DAY - _first_days(_year(micros), _month(micros) + 1) + 1


def _day_of_year(micros: Whole) -> Whole:
    return micros // DAY - _first_days(_year(micros), np.ones_like(micros)) + 1


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


def _like(part: Part, cells: pa.Array) -> Part:
    """Return a directive with its flag as in its distinct cells."""
    letter, texts = part.text, [text for text in cells.to_pylist() if text is not None]
    if letter in "mdHIMSj":
        single = any(len(text) < _WIDTHS[letter] for text in texts)
        return Part(letter, "-") if single else Part(letter)
    if letter == "f":
        return Part("f", str(max(map(len, texts), default=6)))
    if letter in _NAMES:
        if letter in "bBaA":
            long = any(len(text) > 3 for text in texts)
            letter = {"b": "B", "B": "B", "a": "A", "A": "A"}[letter] if long else letter.lower()
        flag = (
            "^" if all(t.isupper() for t in texts) else "#" if all(map(str.islower, texts)) else ""
        )
        return Part(letter, "" if letter == "p" and flag == "^" else flag)
    if letter in "zZ":
        return _like_zone(part, texts)
    return part


def _like_zone(part: Part, texts: Iterable[str]) -> Part:
    texts = set(texts)
    if len(texts) == 1:  # literal text, which ends the pattern
        return Part(texts.pop(), literal=True)
    if part.text == "Z":
        return part
    return Part("z", ":" if all(":" in text for text in texts - {"Z"}) else "")
