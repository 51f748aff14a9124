"""Dates as text or whole numbers: patterns in strptime's notation, which read and write.

A pattern holds literal text and directives: ``%Y %y %m %d %e %j %H %I %M %S %p %b %B %a %A``
``%z`` and ``%Z`` (names of UTC), the compounds ``%F %D %T %R %c %x %X``, ``%f`` (a fraction of a
second) and ``%%``.
Further ones say what Python's leave open, so that text is written as it was read: ``%-d`` (and
``%-m %-H %-I ...``) without a leading zero, ``%3f`` a fraction of three digits, ``%^b`` upper and
``%#b`` lower case, ``%P`` am or pm, ``%:z`` an offset with a colon, ``%3y`` two digits of a year
from 1930 to 2029 (``%y``: 1969 to 2068). Text such as ``Z`` or
``+01:00`` that ends a time of day is the offset of all cells.

Reading takes what Python's strptime takes (leading zeros and case are free); writing is exact.
Names are English whatever the platform's locale. Dates are microseconds since 1970, in UTC where a
pattern has an offset. Only distinct values are read, a column of them at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property, lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabseed.table.notation.date_fields import (
    DAY,
    MONTHS,
    NAMES,
    SECOND,
    WEEKDAYS,
    WIDTHS,
    Fields,
    Part,
    Whole,
    first_days,
    offset_of,
    pivot_of,
    written,
)

FUTURE = 2040  # no two digits are a year beyond it if another reading has none there
_COMPOUNDS = {
    **{"F": "%Y-%m-%d", "D": "%m/%d/%y", "x": "%m/%d/%y", "T": "%H:%M:%S", "X": "%H:%M:%S"},
    **{"R": "%H:%M", "c": "%a %b %e %H:%M:%S %Y"},
}
_DIRECTIVE = re.compile(r"%(?:([-^#:]|[1-9])?([a-zA-Z])|(%))")
_ZONE = r"(?:Z|UTC|GMT|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)"
MOST_CHARACTERS = 200  # of a pattern
_FIXED_ZONE = re.compile(rf"(?s:.*)%[-^#1-9]?[MSTRXpPf]( ?{_ZONE})$")
_FLAGS = {
    **{**dict.fromkeys("mdHIMSj", "-"), **dict.fromkeys("bBaAp", "^#"), "z": ":"},
    "y": "123456789",
}


class DatePattern:
    """A pattern, ready to read and to write; ValueError if it is none. See :func:`compiled`."""

    def __init__(self, text: str) -> None:
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"has more than {MOST_CHARACTERS} characters")
        self.text = text
        fixed = _FIXED_ZONE.fullmatch(text)
        self.zone = fixed[1] if fixed else ""  # the literal offset of all cells
        self.parts = _parts(text.removesuffix(self.zone))
        self.directives = [part.text for part in self.parts if not part.literal]
        if missing := self._missing():
            raise ValueError(missing)
        groups = [self._group(index) for index in range(len(self.parts))]
        self.expression = "^(?i)" + "".join(groups) + re.escape(self.zone) + "$"

    def _missing(self) -> str:
        """Return what keeps the pattern from being read back, as the end of a message; or ""."""
        letters = set(self.directives)
        if not letters:
            return "holds no directive such as %Y"
        if not letters & set("yY") and not self.is_time:
            return "has no year"
        if not letters & set("HI") and (self.is_time or "p" in letters):
            return "has no hour"
        has_month, has_day = letters & set("mbB"), letters & set("de")
        if (has_day and not has_month) or (letters & set("aA") and not (has_day or "j" in letters)):
            return "has no month" if has_day else "has no day"
        return ""

    @property
    def is_time(self) -> bool:
        """Whether it is a time of day without a date (then the day is 1970-01-01)."""
        return not set(self.directives) & set("YymbBdejaA")

    @property
    def is_aware(self) -> bool:
        """Whether cells say their offset from UTC."""
        return bool(self.zone) or bool(set("zZ") & set(self.directives))

    @property
    def years(self) -> tuple[int, int]:
        """The first and last year that can be written."""
        short = [pivot_of(part) for part in self.parts if part.text == "y" and not part.literal]
        return (1900 + short[0], 1999 + short[0]) if short else (1, 9999)

    @property
    def ends(self) -> tuple[int, int]:
        """The first and last moment that can be written, in microseconds since 1970."""
        months = np.array([self.years[0], self.years[1] + 1]), np.ones(2, np.int64)
        first, after = (first_days(*months) * DAY).tolist()
        return first, after - 1

    @property
    def has_time(self) -> bool:
        """Whether it holds a time of day."""
        return bool(set(self.directives) & set("HIMSf"))

    @property
    def width(self) -> int | None:
        """The number of digits of each cell, if cells are digits of a fixed number only."""
        free = {"", *_FLAGS["y"]}  # flags that leave the number of digits as it is
        if any(p.literal or p.text not in WIDTHS or p.flag not in free for p in self.parts):
            return None
        return sum(WIDTHS[part.text] for part in self.parts) if not self.zone else None

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
        fields = Fields(len(texts), valid)
        for index, part in enumerate(self.parts):
            if not part.literal:
                fields.add(part, found.field(f"g{index}"))
        micros = fields.microseconds() - offset_of(self.zone.strip()) * 60 * SECOND
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
        micros = micros + offset_of(self.zone.strip()) * 60 * SECOND
        pieces = [
            pa.scalar(part.text) if part.literal else written(part, micros) for part in self.parts
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
        found_so = compiled("".join(map(str, parts)) + self.zone)
        if self.is_aware and not found_so.is_aware:  # no offset unless a time of day is before it
            return compiled("".join(map(str, (*parts[:-1], self.parts[-1]))))
        return found_so

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
    known = letter in WIDTHS or letter in NAMES or letter in "zZ"
    if not known or flag not in ("", *_FLAGS.get(letter, "")):
        raise ValueError(f"has %{flag}{letter}, which is not known")
    return Part(letter, flag)


def _expression(part: Part, beside_digits: bool) -> str:
    """Return what a directive reads; beside other digits, only digits of the full number."""
    letter = part.text
    if letter in NAMES:
        if letter in "bBaA":  # a long name is read where a short one is asked for, and vice versa
            return "|".join(f"{n}|{n[:3]}" for n in (MONTHS if letter in "bB" else WEEKDAYS))
        return "|".join(NAMES[letter])
    if letter in "zZ":
        return _ZONE if letter == "z" else "UTC|GMT|Z"
    if letter == "f":
        return f"\\d{{{part.flag or '1,9'}}}"
    width = WIDTHS[letter]
    if letter in "Yy" or (beside_digits and not part.flag):
        return f"\\d{{{width}}}"
    return (" ?" if letter == "e" else "") + f"\\d{{1,{width}}}"


def _like(part: Part, cells: pa.Array) -> Part:
    """Return a directive with its flag as in its distinct cells."""
    letter, texts = part.text, [text for text in cells.to_pylist() if text is not None]
    if letter in "mdHIMSj":
        single = any(len(text) < WIDTHS[letter] for text in texts)
        return Part(letter, "-") if single else Part(letter)
    if letter == "e" and not any(text.startswith(" ") for text in texts):
        single, zero = (any(map(says, texts)) for says in (lambda t: len(t) < 2, _has_zero))
        return Part("d", "-") if single else Part("d") if zero else part
    if letter == "y" and not part.flag:
        return Part("y", _century([int(text) for text in texts]))
    if letter == "f":
        return Part("f", str(max(map(len, texts), default=6)))
    if letter in NAMES:
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


def _has_zero(digits: str) -> bool:
    return digits.startswith("0")


def _century(years: list[int]) -> str:
    """Return the flag by which two-digit years span the least time; "" for POSIX's rule.

    Births in 30 to 95 are 1930 to 1995, not 2030 to 2068 and 1969 to 1995. No reading goes beyond
    FUTURE if another does not; ties go to POSIX.
    """

    def cost(flag: str) -> tuple[bool, int]:
        read = [y + (2000 if y < pivot_of(Part("y", flag)) else 1900) for y in years]
        return max(read) > FUTURE, max(read) - min(read)

    return min(("", *reversed(_FLAGS["y"])), key=cost) if years else ""


def _like_zone(part: Part, texts: Iterable[str]) -> Part:
    texts = set(texts)
    if len(texts) == 1:  # literal text, which ends the pattern
        return Part(texts.pop(), literal=True)
    if part.text == "Z":
        return part
    return Part("z", ":" if all(":" in text for text in texts - {"Z"}) else "")
