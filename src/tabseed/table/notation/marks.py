"""The marks of numbers in text: one decimal mark for all columns of a file, never guessed.

"1.250" is 1.25 or 1250. Cells that can be read in one way only decide for the whole file; where
nothing decides, a doubtful column stays text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tabseed.errors import FileError

MINUS = "\u2212"  # that of typesetters
SPACES = " \u00a0\u2009\u202f"
APOSTROPHES = "'\u2019"
SIGN = f"[-+{MINUS}]?"
_GROUP = {",": ",", ".": r"\.", "'": f"[{APOSTROPHES}]", " ": f"[{SPACES}]"}
DECIMALS = (".", ",")
THOUSANDS = tuple(_GROUP)

# A cell of at most one decimal mark and any thousands marks; more exact patterns come after it.
_ROUGHLY = rf"^{SIGN}[0-9]*([.,{APOSTROPHES}{SPACES}][0-9]+)*[.]?([eE][+-]?[0-9]+)?$"
_DOUBTFUL = rf"^{SIGN}[1-9][0-9]{{0,2}}[.,][0-9]{{3}}$"
# "3,05", "0,5", "-1,5" and "1.234,5" cannot be a list of codes such as "3,12".
_NO_LIST = rf",0[0-9]|^{SIGN}0,|^[-{MINUS}]|[0-9][.{APOSTROPHES}][0-9]"
# "2E4", also of wells, rooms, clones: programs that write numbers so put a sign or a point there
_CODE = "^[0-9]+[eE][0-9]{1,2}$"
_FISHY_CELLS = 10


@dataclass(frozen=True)
class Marks:
    """The decimal mark and the thousands mark ("" for none) of a column."""

    decimal: str = "."
    thousands: str = ""

    @property
    def pattern(self) -> str:
        """A pattern for whole cells, as Arrow takes it; leading zeros do not fit."""
        mark = re.escape(self.decimal)
        fraction = rf"({mark}[0-9]{'*' if self.decimal == '.' else '+'})?"
        number = rf"((0|[1-9][0-9]*){fraction}|{mark}[0-9]+)([eE][+-]?[0-9]+)?"
        if self.thousands:
            grouped = rf"[1-9][0-9]{{0,2}}({_GROUP[self.thousands]}[0-9]{{3}})+{fraction}"
            number = f"({number}|{grouped})"
        return f"^{SIGN}{number}$"

    def plain(self, cells: pa.Array) -> pa.Array:
        """Return number cells as a computer writes them: "1.234,5" as "1234.5"."""
        if self.thousands:
            cells = pc.replace_substring_regex(cells, _GROUP[self.thousands], "")
        if self.decimal != ".":
            cells = pc.replace_substring(cells, self.decimal, ".")
        return pc.replace_substring(pc.replace_substring_regex(cells, "^[+]", ""), MINUS, "-")


def check_marks(decimal: str | None, thousands: str | None) -> None:
    """Raise FileError for marks that nobody writes numbers with."""
    if decimal is not None and decimal not in DECIMALS:
        raise FileError(f"decimal={decimal!r}: the decimal mark is '.' or ','")
    if thousands is not None and thousands not in THOUSANDS:
        marks = ", ".join(map(repr, THOUSANDS))
        raise FileError(f"thousands={thousands!r}: the thousands mark is one of {marks}")
    if decimal is not None and decimal == thousands:
        raise FileError(f"decimal and thousands are both {decimal!r}; they must differ")


def reading(distinct: pa.Array, decimal: str, thousands: str | None = None) -> Marks | None:
    """Return the marks that read all cells with this decimal mark; None if none do.

    ``distinct`` are the present cells of a column, each once, without outer spaces. If
    ``thousands`` is given, no other thousands mark is tried.
    """
    tried = THOUSANDS if thousands is None else (thousands,)
    for mark in ("", *(t for t in tried if t != decimal)):
        marks = Marks(decimal, mark)
        if _all(distinct, marks.pattern) and (mark != " " or _not_alike(distinct, decimal)):
            return marks if _signs_are_of_numbers(distinct, decimal) else None
    return None


def doubtful(distinct: pa.Array) -> bool:
    """Return whether every cell with a mark can be read in two ways, as "1.250" can."""
    marked = distinct.filter(pc.match_substring_regex(distinct, "[.,]"))
    return len(marked) > 0 and _all(marked, _DOUBTFUL)


@dataclass(frozen=True)
class Given:
    """What is known of the marks of a file before its cells are seen; None for nothing.

    ``decimal`` and ``thousands`` are its marks, ``expected`` the decimal mark where no cell tells.
    """

    decimal: str | None = None
    thousands: str | None = None
    expected: str | None = None


def decide(
    columns: Mapping[str, pa.Array], separator: str, given: Given = Given()
) -> dict[str, Marks]:
    """Return the marks of each column that is made of numbers; the others are left out.

    ``columns`` are the distinct present cells of each column. Unless a decimal mark is given, a
    cell that can be read in one way only decides for all columns; where none does, the mark is the
    expected one, or a point in a file separated by commas. A column that stays doubtful is left
    out. Cost: a few regular expressions for each distinct cell.
    """
    decimal, thousands = given.decimal, given.thousands
    if decimal is None and thousands in DECIMALS:
        decimal = "," if thousands == "." else "."
    rough = {
        name: distinct
        for name, distinct in columns.items()
        if len(distinct) and _all(distinct, _ROUGHLY) and not _all(distinct, _CODE)
    }
    if decimal is not None:
        read = {name: reading(d, decimal, thousands) for name, d in rough.items()}
        return {name: marks for name, marks in read.items() if marks is not None}
    return _by_evidence(rough, separator, given)


def _by_evidence(rough: Mapping[str, pa.Array], separator: str, given: Given) -> dict[str, Marks]:
    """Do as :func:`decide` for columns of which no decimal mark is given."""
    thousands = given.thousands
    point = {name: reading(d, ".", thousands) for name, d in rough.items()}
    comma = {name: reading(d, ",", thousands) for name, d in rough.items()}
    one_way = {
        name: "." if comma[name] is None else ","
        for name in rough
        if (point[name] is None) != (comma[name] is None)
    }
    weak = {
        name
        for name, mark in one_way.items()
        if mark == "," and separator == "," and not _any(rough[name], _NO_LIST)
    }
    evidence = {mark for name, mark in one_way.items() if name not in weak}
    whole_file = None
    if len(evidence) == 1:
        (whole_file,) = evidence
    elif not evidence:
        whole_file = given.expected or ("." if separator == "," else None)
    result: dict[str, Marks] = {}
    for name, distinct in rough.items():
        mark = one_way.get(name)
        if mark is not None and name in weak and whole_file != ",":
            continue
        if mark is None:
            both = point[name] is not None and comma[name] is not None
            mark = whole_file if both and doubtful(distinct) else "." if both else None
        marks = None if mark is None else (point if mark == "." else comma)[name]
        if marks is not None and not _fishy(distinct, marks):
            result[name] = marks
    return result


def _fishy(distinct: pa.Array, marks: Marks) -> bool:
    """Return whether decimals look like thousands: 1.250 beside 986, which nobody writes so."""
    if marks.thousands or not doubtful(distinct):
        return False
    has_mark = pc.match_substring_regex(distinct, "[.,]")
    marked, bare = distinct.filter(has_mark), distinct.filter(pc.invert(has_mark))
    several = len(marked) >= _FISHY_CELLS or _any(marked, "0$")
    return several and _any(bare, "[1-9]")


def _not_alike(distinct: pa.Array, decimal: str) -> bool:
    """Return whether cells differ in form; phone numbers, grouped by spaces, do not."""
    if not _any(distinct, "[0-9] [0-9]") or _any(distinct, re.escape(decimal)):
        return True
    lengths = pc.utf8_length(distinct)
    return bool(pc.min(lengths).as_py() < pc.max(lengths).as_py())


def _signs_are_of_numbers(distinct: pa.Array, decimal: str) -> bool:
    """Return whether plus signs are signs: all numbers have one, unlike calling codes."""
    if not _any(distinct, "^[+]"):
        return True
    unsigned = pc.invert(pc.match_substring_regex(distinct, f"^([-+{MINUS}]|0([.,]0*)?$)"))
    return not pc.any(unsigned).as_py() and _any(distinct, f"^[-{MINUS}]|{re.escape(decimal)}")


def _all(cells: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(cells, pattern)).as_py())


def _any(cells: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())
