"""Numbers kept as text: what a column of them is, and which cells keep it from being numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tabseed.errors import SchemaError, shortened
from tabseed.table.display import MAX_CELL, counted, kind_option
from tabseed.table.kinds.column_names import numbering
from tabseed.table.notation.marks import DECIMALS, Marks, reading
from tabseed.table.notation.missing import MISSING_AMONG_NUMBERS
from tabseed.table.notation.number_formats import (
    LIMIT,
    MARK_WORDS,
    NUMBER,
    NumberFormat,
    affixes_of,
    common_affixes,
    first_rows,
    format_of,
    infer,
)
from tabseed.table.schema import Column, check_number_format

_MIN_NUMBERS = 4  # fewer numbers in text say nothing
_FEW = 20  # texts of no more values may be classes: "0", "1", "2", "3+"
_REPEATS = 3  # rows in which each text that is no number stands, if it is a class
NEARLY_ALL = 0.9  # of the cells must have the same unit before it is said
SAMPLE = 200  # distinct cells of which the unit is taken
_MAKES_MISSING = "makes such cells missing"
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
    affixed = _affixed(cells, is_number)
    if affixed is not None:
        return _with_affixes(column, cells, *affixed)
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
    ways = _ways(cells.rows)
    remedy = (
        f"{'' if limits[odd].all() else 'correct it, or '}{_either(column, ways)} {_does(ways)}"
    )
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
    ways = _ways(cells.rows)
    if is_doubtful:
        row = first_rows(pc.match_substring_regex(cells.rows, "[.,]"), 1)[0]
        values = " or ".join(way.value for way in ways)
        options = ", by ".join(way.option(column) for way in ways)
        return _left_out(
            column,
            f"row {row + 1} is {cells.rows[row].as_py()!r}, which is {values}: say which by "
            f"--decimal, by {options}",
        )
    mixed = _two_marks(cells) if marks is None else ""
    if mixed and (column.kind in ("id", "text") or 2 * len(cells.texts) > cells.n):
        return _left_out(column, mixed)
    if column.kind in ("id", "text") and marks is not None:
        note = f"all cells are numbers kept as text, which {_either(column, ways)} reads"
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


def _affixed(cells: _Cells, plain: np.ndarray) -> tuple[tuple[str, str], np.ndarray] | None:
    """Return the text around the numbers of nearly all cells, and which of the distinct have it.

    ``plain`` are those that are numbers as they stand. None if fewer than NEARLY_ALL have it.
    """
    if int(cells.counts[plain].sum()) > (1 - NEARLY_ALL) * cells.n:
        return None
    spread = np.unique(np.linspace(0, len(cells.texts) - 1, SAMPLE).astype(int))
    bare = pc.replace_substring_regex(cells.texts.take(pa.array(spread)), LIMIT, "")
    found = Counter(filter(None, map(affixes_of, bare.to_pylist())))
    if not found:
        return None
    affixes = found.most_common(1)[0][0]
    bodies = format_of({"censored"}, affixes).bodies(pa.chunked_array([cells.texts]))
    has = pc.match_substring_regex(bodies, NUMBER).fill_null(False).to_numpy()
    if int(cells.counts[has].sum()) < NEARLY_ALL * cells.n:
        return None
    limits = has & cells.fits(LIMIT)  # "<=50K", ">50K": ranges
    return None if 2 * int(cells.counts[limits].sum()) >= cells.n else (affixes, has)


def _with_affixes(
    column: Column, cells: _Cells, affixes: tuple[str, str], has: np.ndarray
) -> Column:
    """Describe a column of numbers, of which all or nearly all have the same text around them.

    Percent signs are no unit, so such cells are numbers at once if all can be read in one way.
    Others are for the user to decide: doses that repeat are classes.
    """
    before, after = affixes
    ways = _ways(cells.rows, affixes)
    if after.strip() == "%" and not before and len(ways) == 1:
        form = NumberFormat(ways[0].text)
        bodies = form.bodies(pa.chunked_array([cells.texts])).unique().drop_null()
        marks = infer(bodies)[0]
        if marks is not None and common_affixes(cells.texts.to_pylist()) == affixes:
            form = form.with_marks(marks)
            why = "numbers with a percent sign" + _note(form, cells.rows)
            return Column(column.name, "continuous", why, number_format=form.text)
    unit, options = repr((before + after).strip()), _either(column, ways)
    if has.all():
        note = f"all {cells.n} cells are numbers with {unit}, which {options} reads"
        note += " (limits as their value)" * ("censored" in ways[0].words)
    else:
        note = (
            f"{int(cells.counts[has].sum())} of {cells.n} cells are numbers with {unit}, "
            f"{cells.where(~has)}; correct it, or {options} {_does(ways)}"
        )
    if column.kind in ("id", "text") or 2 * len(cells.texts) > cells.n:
        return _left_out(column, note)
    return replace(column, reason=f"{column.reason}; {note}")


def _left_out(column: Column, reason: str) -> Column:
    return Column(column.name, "text", f"{reason}: left out")


def _without_end(reason: str) -> str:
    return reason.removesuffix(": left out")


@dataclass(frozen=True)
class _Way:
    """A format by which a column can be read; ``value``: what a cell is, if there are two ways."""

    text: str
    value: str = ""
    whole: bool = True  # whether all numbers are whole

    @property
    def words(self) -> frozenset[str]:
        return NumberFormat(self.text or "point").words

    def option(self, column: Column) -> str:
        """Return the option that asks for it; only whole numbers can be asked for as integers."""
        integer = column.kind == "integer" and self.whole
        kind = "integer" if integer else "continuous"
        return kind_option(column.name, f"{kind}:{self.text}" if self.text else kind)


def _ways(
    values: pa.ChunkedArray, affixes: tuple[str, ...] = ("", ""), words: Set[str] = frozenset()
) -> list[_Way]:
    """Return the formats that read a column of text: two if marks are doubtful, none if none do.

    Each has these ``words`` and affixes, and ``censored`` and ``gaps`` where cells need them, so
    that it is accepted when the user asks for it.
    """
    form, values = format_of(words, affixes), values.unique()
    marks, cell = _marks_of(form, values) if not words & MARK_WORDS else ([], "")
    if len(marks) < 2:
        reads = form.with_marks(marks[0]) if marks else form
        way = _widened(reads, values)
        return [] if way is None else [way if words & MARK_WORDS else _unmarked(way, affixes)]
    ways = [_widened(form.naming(m), values) for m in marks]
    values_of = [m.plain(pa.array([cell]))[0].as_py() for m in marks]
    return [replace(w, value=v) for w, v in zip(ways, values_of, strict=True) if w is not None]


def _unmarked(way: _Way, affixes: tuple[str, ...]) -> _Way:
    """Leave out the marks, which the cells tell, and the word for the usual format."""
    text = format_of(way.words - MARK_WORDS, affixes).text
    return replace(way, text="" if text == "point" else text)


def _marks_of(form: NumberFormat, values: pa.ChunkedArray) -> tuple[list[Marks], str]:
    """Return the marks of cells: two, and a cell that has both readings, if they are doubtful.

    None where no marks read all cells.
    """
    bodies = form.bodies(values).unique().drop_null()
    if "censored" not in form.words:
        bodies = pc.replace_substring_regex(bodies, LIMIT, "").unique()
    numbers = bodies.filter(pc.match_substring_regex(bodies, NUMBER))
    marks, is_doubtful = infer(numbers) if len(numbers) else (None, False)
    if not is_doubtful:
        return [] if marks is None else [marks], ""
    cell = numbers.filter(pc.match_substring_regex(numbers, "[.,]"))[0].as_py()
    readings = [m for mark in DECIMALS if (m := reading(numbers, mark)) is not None]
    return sorted(readings, key=lambda m: m.thousands), cell  # the decimals first


def _widened(form: NumberFormat, values: pa.ChunkedArray) -> _Way | None:
    """Return a format with what else it takes to read all cells; None if it still reads none."""
    for more in (frozenset[str](), {"censored"}, {"gaps"}, {"censored", "gaps"}):
        wide = format_of(form.words | more, form.affixes)
        plain, bad = wide.read(values)
        if more == {"gaps"} and pc.any(pc.match_substring_regex(values, LIMIT)).as_py():
            limits = format_of(wide.words | {"censored"}, form.affixes).read(values)[0]
            if limits.null_count < plain.null_count:
                continue
        if plain.null_count < len(plain) and ("gaps" in wide.words or not pc.any(bad).as_py()):
            numbers = plain.drop_null().cast(pa.float64()).to_numpy()
            return _Way(wide.text, whole=bool((numbers == np.round(numbers)).all()))
    return None


def _does(ways: list[_Way]) -> str:
    """Return what the words of formats do to cells that are no numbers."""
    found = ways[0].words & {"censored", "gaps"}
    if found == {"censored"}:
        return "reads such cells as their limit"
    return "reads limits and makes the rest missing" if "censored" in found else _MAKES_MISSING


def _either(column: Column, ways: list[_Way]) -> str:
    """Return the options for the ways to read a column, each with the value of a cell if two."""
    return " or ".join(f"{w.option(column)}{f' ({w.value})' if w.value else ''}" for w in ways)


def set_format(column: Column, values: pa.ChunkedArray, text: str | None) -> Column:
    """Return a column of numbers kept as text with its format, and with what that changes.

    ``text`` is the format that the user asks for, None for none; marks that it does not name are
    those of the cells. SchemaError if the cells can be read in two ways.
    """
    check_number_format(column.name, text or "point")
    texts = pc.utf8_trim_whitespace(values).unique().drop_null()
    affixes = common_affixes(texts.to_pylist()) if text is None and len(texts) else None
    form = NumberFormat(text or "point") if affixes is None else format_of(frozenset(), affixes)
    if text is None or not form.words & MARK_WORDS:
        marks, cell = _marks_of(form, values)
        if len(marks) > 1:
            words = form.words if text else frozenset[str]()
            ways = _either(column, _ways(values, form.affixes, words))
            raise SchemaError(
                f"column {column.name!r}: {cell!r} can be read in two ways; say which by {ways}"
            )
        form = form.with_marks(marks[0]) if marks else form
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


def read_texts(column: Column, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of text as numbers in plain text; SchemaError for the first that is none.

    A column without a format is read with a decimal point, unless its cells may be read in two
    ways (1.250).
    """
    form = NumberFormat(column.number_format or "point")
    plain, bad = form.read(values)
    if "gaps" in form.words:
        return plain
    rows = first_rows(bad, 1)
    if rows:
        cell = values[rows[0]].as_py()
        ways = _ways(values, form.affixes, form.words - {"point"})  # the usual mark
        ways = ways if len(ways) == 1 else _ways(values, form.affixes, form.words)
        how = f"{_either(column, ways)}, which {_does(ways)}, or " if ways else ""
        how = f"set {how}" if how else "or set "
        raise SchemaError(
            f"column {column.name!r}, row {rows[0] + 1}: {cell!r} is not a number; correct it, "
            f"{how}another kind"
        )
    if column.number_format is None and infer(plain.unique().drop_null())[1]:
        row = first_rows(pc.match_substring(values, "."), 1)[0]
        raise SchemaError(
            f"column {column.name!r}, row {row + 1}: {values[row].as_py()!r} can be read in two "
            "ways; give the decimal mark of the file (--decimal, in Python decimal=)"
        )
    return plain
