"""Tables as delimited text: cells are text, and become numbers only where this loses nothing.

A zip code ``01234`` or a card number of 19 digits stays as it is. Every error is one line: which
file, where, what to do.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tabseed.errors import FileError, SchemaError
from tabseed.table.arrow_types import is_real, is_text
from tabseed.table.formats.header import check_header
from tabseed.table.formats.quotes import TAG, Quoting, TaggedLines
from tabseed.table.index import ROWS, are_row_numbers, without_row_numbers
from tabseed.table.kinds.spellings import dates_in_text
from tabseed.table.notation.date_fields import YEARS
from tabseed.table.notation.dialect import SEPARATORS, Dialect
from tabseed.table.notation.marks import DECIMALS, Given, Marks, decide, doubtful
from tabseed.table.notation.missing import (
    BLANKS,
    LOOKS_MISSING,
    MISSING_AMONG_NUMBERS,
    MISSING_MARKS,
)

SNIFF_CHARS = 2**16  # length of the sample, from the beginning, that decides the separator
SNIFF_RECORDS = 50
BATCH_ROWS = 50_000  # rows held as Python lists at once

_WHOLE = r"^(0|-?[1-9][0-9]*)$"
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[ \t]*\r?[\n\r]?', re.IGNORECASE)  # Excel's first line
_BYTE_ORDER_MARKS = (  # that of UTF-32 begins like that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Characters that begin a formula for spreadsheets, full-width forms included.
_FORMULA = "^[=+@\t\r\n＝＋－＠-]"


Open = Callable[[], io.RawIOBase]


@dataclass(frozen=True)
class Wishes:
    """What the user says about a text file.

    ``encoding`` is its encoding, unless its first bytes say otherwise. ``text_columns`` stay text
    whatever they look like; a mapping also gives the values of each, which are values even where
    they look missing. ``decimal`` and ``thousands`` are the marks of its numbers, None: what its
    cells tell. ``expected`` is the decimal mark of columns for which the cells tell nothing.
    """

    encoding: str = "utf-8"
    text_columns: Collection[str] = ()
    decimal: str | None = None
    thousands: str | None = None
    expected: str | None = None

    def levels(self, name: str) -> Collection[str] | None:
        """Return the values of a text column, as far as known; None for any other column."""
        if name not in self.text_columns:
            return None
        return self.text_columns[name] if isinstance(self.text_columns, Mapping) else ()


def read_text(path: Path, open_bytes: Open, separator: str | None, wishes: Wishes) -> pa.Table:
    """Read delimited text from what ``open_bytes`` opens; ``path`` is named in messages.

    Without a ``separator``, choose the one that fits the header and the first rows. The metadata
    of the table tell how the text is written (:class:`~tabseed.table.notation.dialect.Dialect`).
    """
    line, encoding = 0, _encoding(path, open_bytes, wishes.encoding)
    try:
        with _decoded(open_bytes, encoding) as text:
            sample = text.read(SNIFF_CHARS)
        begin, named = _separator_line(sample)
        body = sample[begin:]
        if not body.strip():
            raise FileError(f"{path}: the file is empty; a table needs a header and rows")
        dialect = Dialect(
            separator=named or separator or _separator(body),
            encoding=encoding,
            newline=_newline(body),
        )
        with _decoded(open_bytes, encoding) as text:
            lines = TaggedLines(_without_first(text, begin > 0), dialect.separator)
            reader = csv.reader(lines, delimiter=dialect.separator, strict=True)
            try:
                cells = _collect(path, reader, lines, begin > 0)
            except (csv.Error, FileError) as error:
                raise _nul(path, lines.nul) if lines.nul else error from None
            finally:
                line = reader.line_num + (begin > 0)
        if lines.nul:
            raise _nul(path, lines.nul)
    except UnicodeError as error:
        raise FileError(
            f"{path}{_undecodable(open_bytes, encoding)}: not {encoding} text; "
            "save the file as UTF-8 or name its encoding, as in --encoding latin-1"
        ) from error
    except csv.Error as error:
        raise FileError(
            f"{path}, line {line}: {error}; is there a missing or an extra quote?"
        ) from error
    quoting = Quoting(itertools.islice(io.StringIO(body, newline=""), 1000), dialect.separator)
    table = _as_table(cells, quoting if lines.tagged else None, dialect, wishes)
    table = without_row_numbers(table)
    check_header(path, table)
    if separator is not None:  # it follows from the file's name, so another name has another
        written = Dialect.of(table.schema.metadata)
        table = replace(written, separator=";" if written.decimal == "," else ",").attached(table)
    return table


def _nul(path: Path, line: int) -> FileError:
    return FileError(
        f"{path}, line {line}: NUL bytes, so it is not a text table; "
        "if it is UTF-16, add --encoding utf-16"
    )


def _encoding(path: Path, open_bytes: Open, named: str) -> str:
    """Return the name of the encoding: what the first bytes say, else what the user says."""
    with open_bytes() as file:
        first = file.read(4) or b""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if first.startswith(mark):
            return encoding
    try:
        "".encode(named)
        return codecs.lookup(named).name
    except (LookupError, ValueError, TypeError) as error:
        raise FileError(f"{path}: unknown encoding {named!r}; try latin-1") from error


def _decoded(open_bytes: Open, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedReader(open_bytes()), encoding, newline="")


def _undecodable(open_bytes: Open, encoding: str) -> str:
    """Return the line of the first unreadable byte, as the end of a message; "" if unknown."""
    if encoding.startswith(("utf-16", "utf-32")):
        return ""  # their line ends are more than one byte
    with io.BufferedReader(open_bytes()) as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode(encoding)
            except UnicodeError:
                return f", line {number}"
    return ""


def _separator_line(sample: str) -> tuple[int, str | None]:
    """Return the length of a first line such as ``sep=;`` and what it names; (0, None) if none."""
    match = _SEPARATOR_LINE.match(sample)
    return (0, None) if match is None else (match.end(), match[1])


def _without_first(lines: io.TextIOWrapper, skip: bool) -> io.TextIOWrapper:
    if skip:
        lines.readline()
    return lines


def _newline(text: str) -> str:
    end = re.search("\r\n|\n|\r", text)
    return end[0] if end else "\n"


def _separator(sample: str) -> str:
    """Choose the separator that cuts the header and the first rows into equally many cells."""
    whole_lines = (
        sample if len(sample) < SNIFF_CHARS else sample[: sample.rfind("\n") + 1] or sample
    )
    best, best_score = SEPARATORS[0], (False, 1)
    for separator in SEPARATORS:
        widths: list[int] = []
        try:
            for record in csv.reader(io.StringIO(whole_lines, newline=""), delimiter=separator):
                if record:
                    widths.append(len(record))
                if len(widths) > SNIFF_RECORDS:
                    break
        except csv.Error:
            continue  # reading the whole file will report what is wrong
        usual = 2 * sum(width > 1 for width in widths) > len(widths)  # not only inside one name
        score = (len(set(widths)) == 1, widths[0])
        if widths[0] > 1 and usual and score > best_score:
            best, best_score = separator, score
    return best


def _collect(path: Path, reader: Any, lines: TaggedLines, late: bool) -> dict[str, pa.ChunkedArray]:
    """Return the cells of each column as text, tagged (:mod:`tabseed.table.formats.quotes`)."""
    header = [name.removeprefix(TAG) for name in next((record for record in reader if record), [])]
    lines.fresh = True
    numbered = len(header) > 1 and not header[0].strip() and bool(header[1].strip())
    names, ends_open = _names(path, [ROWS, *header[1:]] if numbered else header)
    batches: list[list[pa.Array]] = [[] for _ in names]
    rows: list[list[str]] = []

    def flush() -> None:
        for index, cells in enumerate(zip(*rows, strict=True)):
            batches[index].append(pa.array(cells, pa.string()))
        rows.clear()

    for record in reader:
        lines.fresh = True
        if not record:
            continue  # a blank line is not a row; a table of one column writes missing cells as ""
        if ends_open and len(record) == len(names) + 1 and not record[-1].strip():
            record.pop()
        if len(record) != len(names):
            raise FileError(
                f"{path}, line {reader.line_num + late}: {len(record)} cells where the header has "
                f"{len(names)} (separator {reader.dialect.delimiter!r}); correct the line, or "
                f"quote cells that contain the separator{_hint(header, record)}"
            )
        rows.append(record)
        if len(rows) == BATCH_ROWS:
            flush()
    flush()
    if not batches[0]:
        raise FileError(f"{path}: the file has a header but no rows")
    cells = {n: pa.chunked_array(b, pa.string()) for n, b in zip(names, batches, strict=True)}
    if numbered and not are_row_numbers(cells[ROWS]):
        check_names(path, header)
    return cells


def _names(path: Path, header: list[str]) -> tuple[list[str], bool]:
    """Return the column names, and whether the header ends with a separator."""
    ends_open = len(header) > 1 and not header[-1].strip()
    if ends_open and all(name.strip() for name in header[:-1]):
        return check_names(path, header[:-1]), True
    return check_names(path, header), False


def _hint(header: list[str], record: list[str]) -> str:
    """Return what may be wrong with a file whose records differ in length."""
    if len(record) == len(header) + 1 and len(header) > 1:
        return "; does the column of row names lack a name? then give it one"
    if record[0].startswith("#") or header[0].startswith("#"):
        return "; a line that begins with # is no comment here: remove it"
    if len(header) == 1 and len(record) > 1:
        return "; is the first line a title? then remove it"
    return ""


def check_names(path: Path | str, names: list[str]) -> list[str]:
    """Return the column names; SchemaError for an empty or a repeated one."""
    for index, name in enumerate(names):
        if not name.strip():
            raise SchemaError(
                f"{path}: column {index + 1} has no name in the header; give it one "
                "(a column of row numbers is best left out)"
            )
        if name in names[:index]:
            raise SchemaError(
                f"{path}: column name {name!r} occurs twice (columns {names.index(name) + 1} and "
                f"{index + 1}); rename one of them"
            )
    return names


# --- types of cells -----------------------------------------------------------------------------


def _as_table(
    cells: Mapping[str, pa.ChunkedArray], quoting: Quoting | None, dialect: Dialect, wishes: Wishes
) -> pa.Table:
    """Turn columns of tagged text into numbers, booleans or text."""
    bare = {
        name: _bare(_untagged(column, quoting))
        for name, column in cells.items()
        if name not in wishes.text_columns
    }
    distinct = {name: column.unique().drop_null() for name, column in bare.items()}
    separator = dialect.separator if len(cells) > 1 else ""  # one column shows no separator
    given = Given(wishes.decimal, wishes.thousands, wishes.expected)
    marks = decide(distinct, separator, given)
    columns = {}
    for index, (name, column) in enumerate(cells.items()):
        typed = _typed(bare[name], marks.get(name)) if name in bare else None
        if typed is None:
            levels = wishes.levels(name) or ()
            typed = _without_marks_among_dates(_text(column, index, quoting, levels), levels)
        columns[name] = typed
    used = {
        mark.decimal
        for name, mark in marks.items()
        if pa.types.is_floating(columns[name].type) or mark.thousands in DECIMALS
    }
    read = {n: mark for n, mark in marks.items() if not pa.types.is_string(columns[n].type)}
    form = replace(
        dialect,
        decimal="," if used == {","} else ".",
        grouped={name: mark.thousands for name, mark in read.items() if mark.thousands},
        doubtful={
            name: mark.decimal
            for name, mark in read.items()
            if not mark.thousands and wishes.decimal is None and doubtful(distinct[name])
        },
    )
    return form.attached(pa.table(columns))


def cells_as_table(cells: Mapping[str, pa.ChunkedArray], wishes: Wishes) -> pa.Table:
    """Turn columns of text, such as those of a sheet, into numbers, booleans or text."""
    return _as_table(cells, None, Dialect(separator=";"), wishes).replace_schema_metadata(None)


def _bare(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return cells without outer spaces, missing where among numbers they would be."""
    bare = pc.utf8_trim_whitespace(cells)
    return _blank(bare, _is_one_of(bare, MISSING_AMONG_NUMBERS | MISSING_MARKS))


def _typed(bare: pa.ChunkedArray, marks: Marks | None) -> pa.ChunkedArray | None:
    """Turn a column of text into numbers or booleans where this loses nothing; else None."""
    if bare.null_count == len(bare):
        return None  # every cell is missing, or a mark that may be a value
    if _all(pc.is_in(bare, value_set=pa.array(["true", "false"])), bare):
        return bare.cast(pa.bool_())
    if marks is None:
        return None
    plain = marks.plain(bare)
    if _all(pc.match_substring_regex(plain, _WHOLE), plain):
        try:
            return plain.cast(pa.int64())
        except pa.ArrowInvalid:
            return None  # too many digits for a number: an identifier
    if pc.any(pc.match_substring_regex(plain, "^-?[0-9]{17,}$")).as_py():
        return None
    numbers = plain.cast(pa.float64())
    return numbers if _all(pc.is_finite(numbers), plain) else None


def _text(
    cells: pa.ChunkedArray, index: int, quoting: Quoting | None, levels: Collection[str]
) -> pa.ChunkedArray:
    """Return a column as text: missing where a cell looks so and nothing says it is a value."""
    text = _untagged(cells, quoting)
    missing = _is_one_of(pc.utf8_trim(text, characters=BLANKS), MISSING_MARKS)
    if quoting is not None:
        quoted = pc.starts_with(cells, TAG)
        deliberate = [m for m in _distinct_where(text, quoted) if quoting.means_value(index, m)]
        deliberate += [level for level in levels if not level.strip(BLANKS)]
        missing = pc.and_not(missing, pc.and_(quoted, _is_one_of(text, frozenset(deliberate))))
    known = frozenset(level for level in levels if level.strip(BLANKS))
    return _blank(text, pc.and_not(missing, _is_one_of(text, known)))


def _without_marks_among_dates(text: pa.ChunkedArray, levels: Collection[str]) -> pa.ChunkedArray:
    """Return a column of dates with ``?`` and its like as missing, which they mean among dates."""
    marks = _is_one_of(pc.utf8_trim(text, characters=BLANKS), MISSING_AMONG_NUMBERS)
    if levels or not pc.any(marks).as_py():
        return text
    rest = _blank(text, marks)
    dates = dates_in_text("", rest)
    return rest if dates and dates.patterns else text


def _distinct_where(cells: pa.ChunkedArray, where: pa.ChunkedArray) -> list[str]:
    return list(cells.filter(where).unique().to_pylist())


def _untagged(cells: pa.ChunkedArray, quoting: Quoting | None) -> pa.ChunkedArray:
    return cells if quoting is None else pc.replace_substring_regex(cells, "^\\x00", "")


def _is_one_of(cells: pa.ChunkedArray, marks: frozenset[str]) -> pa.ChunkedArray:
    return pc.is_in(cells, value_set=pa.array(sorted(marks), pa.string()))


def _blank(cells: pa.ChunkedArray, where: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(where, pa.scalar(None, pa.string()), cells)


def _all(flags: pa.ChunkedArray, cells: pa.ChunkedArray) -> bool:
    return bool(pc.all(pc.or_kleene(flags, cells.is_null())).as_py())


# --- writing ------------------------------------------------------------------------------------


def as_text(table: pa.Table, dialect: Dialect, guard: bool) -> str:
    """Return a table as delimited text; ``guard`` defuses text that spreadsheets would run."""
    separator = dialect.separator
    alone = table.num_columns == 1  # an empty line would not be read as a row
    marks = "".join(SEPARATORS) if alone else separator  # one column shows no separator
    header = pa.chunked_array([pa.array(table.column_names, pa.string())])
    lines = [separator.join(_quoted(header, marks, guard, "").to_pylist())]
    if table.num_rows:
        columns = []
        for name, column in zip(table.column_names, table.columns, strict=True):
            cells, is_text = _cells(column)
            if is_text:
                if alone and pc.any(pc.match_substring_regex(cells, f"^[{BLANKS}]*$")).as_py():
                    raise FileError(
                        f"column {name!r} alone: its empty texts would be read as missing; "
                        "write .parquet, or another column beside it"
                    )
                cells = _quoted(cells, marks, guard, f"^{LOOKS_MISSING}$")
            elif dialect.decimal == "," and is_real(column.type):
                cells = pc.replace_substring(cells, ".", ",")
                cells = _quoted(cells, separator, False, "")
            columns.append(pc.fill_null(cells, '""' if alone else ""))
        lines += pc.binary_join_element_wise(*columns, separator).to_pylist()
    return dialect.newline.join(lines) + dialect.newline


def _cells(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, bool]:
    """Return a column as text, and whether it was text to begin with."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = kind.value_type
    if pa.types.is_timestamp(kind):
        column = _of_whole_minutes(column.cast(pa.timestamp("us", kind.tz), safe=False))
        whole = column.cast(pa.timestamp("s", column.type.tz), safe=False)
        if pc.all(pc.equal(whole.cast(column.type), column)).as_py() is not False:
            column = whole  # no cell has a fraction of a second, so none is written
    try:
        return column.cast(pa.string()), is_text(kind)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise FileError(
            f"a column of type {kind} cannot be written as text; write .parquet"
        ) from error


def _of_whole_minutes(stamps: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return moments in UTC if their zone cannot be written: offsets of whole minutes, 4 digits.

    Before 1893 Berlin was 53 minutes and 28 seconds ahead, which Arrow writes as +0053.
    """
    if stamps.type.tz is None or stamps.null_count == len(stamps):
        return stamps
    local = pc.local_timestamp(stamps).cast(pa.int64()).drop_null().to_numpy()
    offsets = local - stamps.cast(pa.int64()).drop_null().to_numpy()
    first, last = YEARS
    if (offsets % 60_000_000).any() or local.min() < first or local.max() > last:
        return stamps.cast(pa.timestamp("us", "UTC"))
    return stamps


def _quoted(cells: pa.ChunkedArray, marks: str, guard: bool, also: str) -> pa.ChunkedArray:
    """Put cells in quotes where they hold one of ``marks`` or fit the pattern ``also``."""
    if guard:
        risky = pc.match_substring_regex(cells, _FORMULA)
        cells = pc.if_else(risky, pc.binary_join_element_wise("'", cells, ""), cells)
    pattern = f'["\r\n{marks}]|^\ufeff' + (f"|{also}" if also else "")
    needs = pc.match_substring_regex(cells, pattern)
    escaped = pc.replace_substring(cells, '"', '""')
    return pc.if_else(needs, pc.binary_join_element_wise('"', escaped, '"', ""), cells)
