"""How numbers are written that stay text: percent, units, censored values, gaps.

A format is words joined by ``+``, after which a template may stand where ``#`` is the number:

=================  ================================================================
``percent``        "62.6%" is 62.6; the same as the template ``#%``
``$#``, ``# EUR``  the number with what stands before and after it in every cell
``censored``       "<0.3" and ">= 90" are read as their limit
``gaps``           cells that are no numbers are missing
``point, comma``   the decimal mark
``thousands``      the other one of point and comma is the thousands mark
``apostrophes``    the thousands mark is ' or ’
``spaces``         the thousands mark is a space, also a thin one
=================  ================================================================
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabseed.table.notation.marks import APOSTROPHES, MINUS, SIGN, SPACES, Marks, doubtful, reading
from tabseed.table.notation.missing import MISSING_AMONG_NUMBERS

WORDS = (
    "percent",
    "censored",
    "gaps",
    "point",
    "comma",
    "thousands",
    "apostrophes",
    "spaces",
)
MARK_WORDS = frozenset({"point", "comma", "thousands", "apostrophes", "spaces"})
LIMIT = r"^(<=|>=|=<|=>|<|>|≤|≥)[ \x{a0}]*"
# a number with any marks, which may be doubtful; leading zeros are those of codes
_BODY = (
    rf"(?:(?:0|[1-9][0-9]*|[1-9][0-9]{{0,2}}(?:[.,{APOSTROPHES}{SPACES}][0-9]{{3}})+)"
    r"(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?"
)
NUMBER = f"^{SIGN}{_BODY}$"
# before a number stands money only: "k1" and "P-12" are codes
_MONEY = re.compile("([A-Z]{0,3}[$€£¥₹]|USD|EUR|GBP|CHF|JPY|CNY|INR|SEK|NOK|DKK|PLN|AUD|CAD)?")
_UNIT = re.compile(r"[^\W\d_]{0,6}([%‰°$€£¥₹µ]|\^?[23²³]|/[^\W\d_]{1,6}|\.)?[^\W\d_]{0,3}")
_MAX_LENGTH = 60  # characters of a cell that may be a number with a unit
_WITH_AFFIX = re.compile(rf"({SIGN})([^0-9]*?)({SIGN}{_BODY})([^0-9]*)")


@dataclass(frozen=True)
class NumberFormat:
    """A format of numbers in text; see the module. ValueError, with the reason, if it is none."""

    text: str

    def __post_init__(self) -> None:
        rest, words = self.text, []
        while (head := rest.partition("+"))[0] in WORDS:
            words.append(head[0])
            rest = head[2]
        if rest and (rest.count("#") != 1 or re.search("[0-9]", rest)):
            raise ValueError(f"is not made of {', '.join(WORDS)} or one # for the number")
        if len({"point", "comma"}.intersection(words)) == 2:
            raise ValueError("has two decimal marks")
        if "percent" in words and rest:
            raise ValueError("has percent and a template")
        if not words and rest in ("", "#"):
            raise ValueError("says nothing")
        template = "#%" if "percent" in words else rest or "#"
        object.__setattr__(self, "words", frozenset(words))
        object.__setattr__(self, "affixes", tuple(template.split("#")))

    words: frozenset[str] = frozenset()
    affixes: tuple[str, ...] = ("", "")

    @cached_property
    def marks(self) -> Marks:
        """The decimal mark and the thousands mark."""
        decimal = "," if "comma" in self.words else "."
        other = "." if decimal == "," else ","
        named = {"thousands": other, "apostrophes": "'", "spaces": " "}
        return Marks(decimal, next((named[w] for w in named if w in self.words), ""))

    def bodies(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return the numbers inside cells of text, still with their marks.

        Null where a cell only says that it is missing; "" where the affixes are not there.
        """
        cells = pc.utf8_trim_whitespace(values)
        gone = pc.is_in(cells, value_set=pa.array(sorted(MISSING_AMONG_NUMBERS)))
        cells = pc.if_else(gone, pa.scalar(None, pa.string()), cells)
        if "censored" in self.words:
            cells = pc.replace_substring_regex(cells, LIMIT, "")
        before, after = (re.escape(affix.strip()) for affix in self.affixes)
        if before or after:
            gap = f"[{SPACES}]*"
            pattern = f"^({SIGN}){before}{gap}({SIGN}[0-9.,].*?){gap}{after}$"
            fits = pc.match_substring_regex(cells, pattern)
            bare = pc.replace_substring_regex(cells, pattern, r"\1\2")
            cells = pc.if_else(fits, bare, pa.scalar("", pa.string()))
        return cells

    def read(self, values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
        """Return cells of text as numbers in plain text, and a mask of those that are none.

        Cells such as "?" are none: whether they are missing is for the user to say.
        """
        cells, decimal = self.bodies(values), re.escape(self.marks.decimal)
        fits = pc.or_(
            pc.match_substring_regex(cells, self.marks.pattern),
            pc.match_substring_regex(cells, f"^{SIGN}0[0-9]+({decimal}[0-9]*)?$"),
        ).fill_null(False)
        plain = pc.if_else(fits, self.marks.plain(cells), pa.scalar(None, pa.string()))
        return plain, pc.and_not(values.is_valid(), fits)

    def write(self, numbers: pa.Array) -> pa.Array:
        """Return numbers (float64) as cells of text in this format; a censored one as its limit."""
        text = _digits(numbers)
        marks = self.marks
        if marks.thousands:
            text = _grouped(text, marks)
        elif marks.decimal == ",":
            text = pc.replace_substring(text, ".", ",")
        before, after = self.affixes
        if before:
            sign = pc.replace_substring_regex(text, "^(-?).*$", r"\1")
            bare = pc.replace_substring_regex(text, "^-", "")
            text = pc.binary_join_element_wise(sign, before, bare, "")
        return pc.binary_join_element_wise(text, after, "") if after else text

    def with_marks(self, marks: Marks) -> NumberFormat:
        """Return this format with other marks."""
        return self if marks == self.marks else self.naming(marks)

    def naming(self, marks: Marks) -> NumberFormat:
        """Return this format with these marks, named even where they are the usual ones."""
        words = {"comma" if marks.decimal == "," else "point"}
        named = {",": "thousands", ".": "thousands", "'": "apostrophes", " ": "spaces"}
        words |= {named[marks.thousands]} if marks.thousands else set()
        return format_of(words | (self.words - MARK_WORDS), self.affixes)


def format_of(words: Set[str], affixes: tuple[str, ...] = ("", "")) -> NumberFormat:
    """Return the format of these words and this text around the number; the usual one of none."""
    marks = [word for word in WORDS if word in words & MARK_WORDS]
    others = sorted(words - MARK_WORDS - {"percent"})
    template = "percent" if affixes == ("", "%") else "#".join(affixes)
    rest = [] if template == "#" else [template]
    return NumberFormat("+".join([*marks, *others, *rest]) or "point")


def infer(cells: pa.Array) -> tuple[Marks | None, bool]:
    """Return the marks of number cells, and whether they are doubtful (then the marks are None).

    ``cells`` are distinct. The marks are also None where no marks read all cells.
    """
    point, comma = reading(cells, "."), reading(cells, ",")
    if point is None or comma is None:
        return point or comma, False
    return (None, True) if doubtful(cells) else (point, False)


def affixes_of(text: str) -> tuple[str, str] | None:
    """Return money before and a unit after the number of a cell; None without, or for others."""
    match = _WITH_AFFIX.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None or (match[1] and match[3][0] in f"+-{MINUS}"):
        return None
    affixes = match[2], match[4]
    is_money = _MONEY.fullmatch(affixes[0].strip())
    is_unit = _UNIT.fullmatch(affixes[1].strip())
    return affixes if affixes != ("", "") and is_money and is_unit else None


def common_affixes(texts: list[str]) -> tuple[str, str] | None:
    """Return what stands before and after the number in every cell; None if that differs."""
    found: set[tuple[str, str] | None] = set()
    for text in texts:
        found.add(affixes_of(text))
        if len(found) > 1 or None in found:
            return None
    return found.pop() if found else None


def _digits(numbers: pa.Array) -> pa.Array:
    """Return numbers as plain text, whole ones by all their digits (Arrow writes 1e+10)."""
    whole = pc.and_(pc.equal(pc.floor(numbers), numbers), pc.less(pc.abs(numbers), 2.0**53))
    digits = pc.if_else(whole, numbers, 0.0).cast(pa.int64()).cast(pa.string())
    return pc.if_else(whole, digits, numbers.cast(pa.string()))


def _grouped(text: pa.Array, marks: Marks) -> pa.Array:
    """Put thousands marks into numbers; the loop runs over distinct values only."""
    coded = text.dictionary_encode()
    levels = []
    for number in coded.dictionary.to_pylist():
        whole, _, fraction = number.partition(".")
        sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
        if digits.isdigit() and "e" not in fraction:
            whole = sign + f"{int(digits):,}".replace(",", marks.thousands)
        levels.append(whole + (marks.decimal + fraction if fraction else ""))
    return pa.array(levels, pa.string()).take(coded.indices)


def first_rows(where: pa.ChunkedArray, most: int = 3) -> list[int]:
    """Return the indices of the first true cells of a mask."""
    return [int(row) for row in np.flatnonzero(where.fill_null(False).to_numpy())[:most]]
