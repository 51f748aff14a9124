"""Numbers kept as text: what a column of them is, and which cells keep it from being numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabseed.errors import SchemaError, shortened
from tabseed.table.display import MAX_CELL, counted
from tabseed.table.kinds.column_names import numbering
from tabseed.table.notation.marks import Marks
from tabseed.table.notation.missing import MISSING_AMONG_NUMBERS
from tabseed.table.notation.number_formats import (
    LIMIT,
    MARK_WORDS,
    NUMBER,
    NumberFormat,
    common_affixes,
    first_rows,
    infer,
)
from tabseed.table.schema import Column, check_number_format

_MIN_NUMBERS = 4  # fewer numbers in text say nothing
_FEW = 20  # texts of no more values may be classes: "0", "1", "2", "3+"
_REPEATS = 3  # rows in which each text that is no number stands, if it is a class
_CODES = 5  # more different texts with digits that are no numbers are codes (V57)
# "~5", "5*", "5 mg" beside "5 g", "5 ± 1", "(5)"; "5a" and "k5" are codes
_NEARLY = (
    r"^([~≈<>≤≥=$€£¥*(]|± ?)*\s*"
    + NUMBER[1:-1]
    + r"\s*([%‰*†)°-]|\s[^\W\d_]{1,4}|±.*|\[[^\]]*\])?$"
)
_PAIR = r"^[0-9]+([.,][0-9]+)?\s*[/-]\s*[0-9]+([.,][0-9]+)?$"


@dataclass(frozen=True)
class _Cells:
    """The cells of a text column without outer spaces: all, and the distinct ones with counts."""

    name: str
    rows: pa.ChunkedArray
    texts: pa.Array
    counts: np.ndarray
    has_gone: bool  # whether there are cells such as "?", which are not among the distinct ones

    @classmethod
    def of(cls, name: str, values: pa.ChunkedArray) -> _Cells:
        rows = pc.utf8_trim_whitespace(values)
        gone = pc.is_in(rows, value_set=pa.array(sorted(MISSING_AMONG_NUMBERS)))
        found = pc.value_counts(rows.filter(pc.invert(gone)).drop_null().combine_chunks())
        has_gone = bool(pc.any(gone).as_py())
        return cls(name, rows, found.field(0), found.field(1).to_numpy(), has_gone)

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    def fits(self, pattern: str) -> np.ndarray:
        mask = pc.match_substring_regex(self.texts, pattern)
        return np.asarray(mask.to_numpy(zero_copy_only=False))

    def where(self, mask: np.ndarray, most: int = 3) -> str:
        """Return the first rows of some of the distinct cells, with their text."""
        chosen = pc.is_in(self.rows, value_set=self.texts.filter(pa.array(mask)))
        rows = first_rows(chosen, most)
        total = pc.sum(chosen).as_py()
        named = [f"row {row + 1} is {shortened(self.rows[row], MAX_CELL)!r}" for row in rows]
        more = [f"and so on in {counted(total - len(rows), 'more row')}"] * (total > len(rows))
        return ", ".join([*named, *more])


def described(column: Column, values: pa.ChunkedArray) -> Column:
    """Return a detected column of text, or what its numbers make of it.

    Cells that all have a percent sign are numbers. A column in which most cells are numbers is
    left out, and the reason names the first rows that are none, or says how else to go on.
    Columns whose names are those of codes and ids, and texts of few values, stay what they are.
    """
    if column.kind == "datetime" or numbering(column.name) not in ("", "time"):
        return column
    cells = _Cells.of(column.name, values)
    if not len(cells.texts) or cells.n < _MIN_NUMBERS:
        return column
    is_number = cells.fits(NUMBER)
    if is_number.all():
        return _all_numbers(column, cells)
    if not is_number.any():
        affixes = common_affixes(cells.texts.to_pylist())
        if affixes is not None:
            return _with_affixes(column, cells, affixes)
    odd = ~is_number
    limits = odd & cells.fits(LIMIT + NUMBER[1:])
    pairs = odd & cells.fits(_PAIR)
    n_numbers = int(cells.counts[is_number].sum())
    if 2 * int(cells.counts[pairs].sum()) > cells.n and column.kind in ("id", "text"):
        return _left_out(
            column, f"cells hold two numbers each, {cells.where(pairs, 1)}; make two columns of it"
        )
    nearly = is_number | cells.fits(_NEARLY)
    if column.kind in ("id", "text") and 10 * int(cells.counts[nearly].sum()) > 9 * cells.n:
        differing = nearly & odd & ~limits
        if 2 * int(cells.counts[differing].sum()) > cells.n:
            return _left_out(
                column, f"cells are numbers with other text, {cells.where(differing)}; take it off"
            )
    close = n_numbers + int(cells.counts[limits].sum())
    if close < _MIN_NUMBERS or 2 * close <= cells.n or not n_numbers:  # "<1", "1 to 5": ranges
        return column
    if column.kind not in ("id", "text") and _may_be_classes(cells, odd):
        note = f", of which {int(is_number.sum())} are numbers"
        return Column(column.name, column.kind, column.reason + note, column.categories)
    return _mostly_numbers(column, cells, odd, limits)


def _mostly_numbers(column: Column, cells: _Cells, odd: np.ndarray, limits: np.ndarray) -> Column:
    """Leave out a column with some texts that are ``odd``, no numbers; of these some are limits."""
    how = f"--kind {column.name}=continuous:"
    if limits[odd].all():
        remedy = f"{how}censored reads such cells as their limit"
    elif limits.any():
        remedy = f"correct it, or {how}censored+gaps reads limits and makes the rest missing"
    else:
        remedy = f"correct it, or {how}gaps makes such cells missing"
    n_numbers = int(cells.counts[~odd].sum())
    return _left_out(
        column, f"{n_numbers} of {cells.n} cells are numbers, {cells.where(odd)}; {remedy}"
    )


def _may_be_classes(cells: _Cells, odd: np.ndarray) -> bool:
    """Return whether texts, some of them numbers, are rather classes or codes."""
    repeated = cells.n >= 4 * len(cells.texts)
    if len(cells.texts) <= _FEW:
        return repeated and bool(cells.counts[odd].min() >= _REPEATS)
    codes = odd.sum() > _CODES and bool(cells.fits("[0-9]")[odd].all())
    return repeated and codes and cells.counts[odd].sum() >= _REPEATS * odd.sum()


def _all_numbers(column: Column, cells: _Cells) -> Column:
    """Describe a column of numbers that were not read as such: doubtful, or kept as text."""
    marks, is_doubtful = infer(cells.texts)
    if is_doubtful:
        row = first_rows(pc.match_substring_regex(cells.rows, "[.,]"), 1)[0]
        cell = cells.rows[row].as_py()
        small, large = cell.replace(",", "."), cell.replace(",", "").replace(".", "")
        words = ("point", "comma+thousands") if "." in cell else ("comma", "point+thousands")
        return _left_out(
            column,
            f"row {row + 1} is {cell!r}, which is {small} or {large}: say which by --decimal, by "
            f"--kind {column.name}=continuous:{words[0]} or by continuous:{words[1]}",
        )
    mixed = _two_marks(cells) if marks is None else ""
    if mixed and (column.kind in ("id", "text") or 2 * len(cells.texts) > cells.n):
        return _left_out(column, mixed)
    if column.kind in ("id", "text") and marks is not None:
        note = f"all cells are numbers kept as text, which --kind {column.name}=continuous reads"
        return Column(column.name, column.kind, f"{_without_end(column.reason)}; {note}: left out")
    return column


def _two_marks(cells: _Cells) -> str:
    """Say where numbers have a decimal point and where a comma; "" if not both occur."""
    points, commas = (cells.fits(Marks(mark).pattern) & cells.fits("[.,]") for mark in ".,")
    points, commas = points & ~commas, commas & ~points
    if not points.any() or not commas.any():
        return ""
    where = f"{cells.where(points, 1)}; {cells.where(commas, 1)}"
    return f"numbers with a decimal point beside such with a comma ({where}); write all alike"


def _with_affixes(column: Column, cells: _Cells, affixes: tuple[str, str]) -> Column:
    """Describe a column of numbers that all have the same text around them."""
    before, after = affixes
    gaps = "gaps+" if cells.has_gone else ""
    form = NumberFormat(gaps + ("percent" if affixes == ("", "%") else f"{before}#{after}"))
    bodies = form.bodies(pa.chunked_array([cells.texts])).unique().drop_null()
    marks, is_doubtful = infer(bodies)
    if after.strip() == "%" and not before and marks is not None:
        if marks.decimal != "." or marks.thousands:
            form = form.with_marks(marks)
        why = "numbers with a percent sign" + _note(form, cells.rows)
        return Column(column.name, "continuous", why, number_format=form.text)
    if column.kind not in ("id", "text") and 2 * len(cells.texts) <= cells.n:
        return column  # doses that repeat are classes
    either = " (with its decimal mark, as in comma+...)" if is_doubtful else ""
    return _left_out(
        column,
        f"all {cells.n} cells are numbers with {(before + after).strip()!r}, which "
        f"--kind '{column.name}=continuous:{form.text}' reads{either}",
    )


def _left_out(column: Column, reason: str) -> Column:
    return Column(column.name, "text", f"{reason}: left out")


def _without_end(reason: str) -> str:
    return reason.removesuffix(": left out")


def set_format(column: Column, values: pa.ChunkedArray, text: str | None) -> Column:
    """Return a column of numbers kept as text with its format, and with what that changes.

    ``text`` is the format that the user asks for, None for none; marks that it does not name are
    those of the cells. SchemaError if the cells can be read in two ways.
    """
    check_number_format(column.name, text or "point")
    texts = pc.utf8_trim_whitespace(values).unique().drop_null()
    affixes = common_affixes(texts.to_pylist()) if text is None and len(texts) else None
    if affixes is not None:
        text = "percent" if affixes == ("", "%") else "#".join(affixes)
    form = NumberFormat(text or "point")
    if text is None or not form.words & MARK_WORDS:
        bodies = form.bodies(values).unique().drop_null()
        numbers = bodies.filter(pc.match_substring_regex(bodies, NUMBER))
        marks, is_doubtful = infer(numbers) if len(numbers) else (None, False)
        if is_doubtful:
            cell = numbers.filter(pc.match_substring_regex(numbers, "[.,]"))[0].as_py()
            raise SchemaError(
                f"column {column.name!r}: {cell!r} can be read in two ways; set its decimal mark, "
                f"as in {column.name}={column.kind}:point or {column.name}={column.kind}:comma, "
                "with +thousands if the other one is the thousands mark"
            )
        form = form if marks is None else form.with_marks(marks)
    if "gaps" in form.words and form.read(values)[0].null_count == len(values) > 0:
        row = first_rows(values.is_valid(), 1)[:1]
        cell = f", such as {shortened(values[row[0]], MAX_CELL)!r}" if row else ""
        raise SchemaError(
            f"column {column.name!r}: none of its cells is a number{cell}; set another kind"
        )
    return replace(column, number_format=form.text, reason=column.reason + _note(form, values))


def _note(form: NumberFormat, values: pa.ChunkedArray) -> str:
    """Return how many cells a format changes, and the first of them."""
    notes = []
    cells = _Cells.of("", values)
    if "censored" in form.words:
        limits = cells.fits(LIMIT)
        if limits.any():
            count = counted(int(cells.counts[limits].sum()), "cell")
            notes.append(f"{count} read and written as their limit ({cells.where(limits, 1)})")
    if "gaps" in form.words:
        _, bad = form.read(values)
        rows = first_rows(bad)
        if rows:
            named = ", ".join(f"row {r + 1}: {shortened(values[r], MAX_CELL)!r}" for r in rows)
            n_bad = pc.sum(bad).as_py()
            are = "is no number" if n_bad == 1 else "are no numbers"
            made = f"{counted(n_bad, 'cell')} that {are} made missing"
            notes.append(f"{made} ({named})" if len(rows) == 1 else f"{made} (first {named})")
    return "".join(f"; {note}" for note in notes)


def _suggested(cell: str) -> str:
    """Return the format that may read a cell that is no number, and what it does."""
    if re.match(LIMIT.replace(r"\x{a0}", "\u00a0"), cell):
        return "censored (read as its limit)"
    return "percent" if cell.endswith("%") else "gaps (such cells are made missing)"


def read_texts(column: Column, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of text as numbers in plain text; SchemaError for the first that is none.

    A column without a format is read with a decimal point, unless its cells may be read in two
    ways (1.250).
    """
    form = NumberFormat(column.number_format or "point")
    # 05.562 is no number to detection, but it is one to whoever sets the kind
    values = pc.replace_substring_regex(values, r"^(\s*[+-]?)0+([0-9])", r"\1\2")
    plain, bad = form.read(values)
    if "gaps" in form.words:
        return plain
    rows = first_rows(bad, 1)
    if rows:
        cell = values[rows[0]].as_py()
        raise SchemaError(
            f"column {column.name!r}, row {rows[0] + 1}: {cell!r} is not a number; correct it, "
            f"set {column.name}={column.kind}:{_suggested(cell)} or another kind"
        )
    if column.number_format is None and infer(plain.unique().drop_null())[1]:
        row = first_rows(pc.match_substring(values, "."), 1)[0]
        raise SchemaError(
            f"column {column.name!r}, row {row + 1}: {values[row].as_py()!r} can be read in two "
            "ways; give the decimal mark of the file (--decimal, in Python decimal=)"
        )
    return plain
