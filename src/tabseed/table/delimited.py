"""Tables as delimited text: cells are text, and become numbers only where this loses nothing.

A zip code ``01234`` or a card number of 19 digits stays as it is. Every error is one line: which
file, where, what to do.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tabseed.errors import FileError, SchemaError

SNIFF_CHARS = 2**16  # length of the sample, from the beginning, that decides the separator
SNIFF_RECORDS = 50
BATCH_ROWS = 50_000  # rows held as Python lists at once
SEPARATORS = (",", ";", "\t", "|")

MISSING_MARKS = frozenset(
    ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>", "NaT")
)
# These may be values of a text column; among numbers they can only mean "missing".
MISSING_AMONG_NUMBERS = frozenset(("None", "none", "?", "-", "."))

_WHOLE = r"^(0|-?[1-9][0-9]*)$"
_REAL = r"^-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_DECIMAL_COMMA = r"^-?(0|[1-9][0-9]*)(,[0-9]+)?$"
# Characters that begin a formula for spreadsheets, full-width forms included.
_FORMULA = "^[=+@\t\r\n＝＋－＠-]"


Open = Callable[[], io.RawIOBase]


def read_text(
    path: Path,
    open_bytes: Open,
    separator: str | None,
    encoding: str,
    text_columns: Collection[str] = (),
) -> pa.Table:
    """Read delimited text from what ``open_bytes`` opens; ``path`` is named in messages.

    Without a ``separator``, choose the one that fits the header and the first rows.
    ``text_columns`` stay text whatever they look like.
    """
    line = 0
    try:
        with _decoded(path, open_bytes, encoding) as text:
            sample = text.read(SNIFF_CHARS)
        if not sample.strip():
            raise FileError(f"{path}: the file is empty; a table needs a header and rows")
        if "\0" in sample:
            raise FileError(
                f"{path}: the file contains NUL bytes, so it is not a text table; "
                "if it is UTF-16, add --encoding utf-16"
            )
        separator = separator or _separator(sample)
        with _decoded(path, open_bytes, encoding) as text:
            reader = csv.reader(text, delimiter=separator, strict=True)
            try:
                return _collect(path, reader, separator, text_columns)
            finally:
                line = reader.line_num
    except UnicodeError as error:
        raise FileError(
            f"{path}{_undecodable(open_bytes, encoding)}: not {encoding} text; "
            "save the file as UTF-8 or name its encoding, as in --encoding latin-1"
        ) from error
    except csv.Error as error:
        raise FileError(
            f"{path}, line {line}: {error}; is there a missing or an extra quote?"
        ) from error


def _decoded(path: Path, open_bytes: Open, encoding: str) -> io.TextIOWrapper:
    name = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    try:
        "".encode(name)
    except LookupError as error:
        raise FileError(f"{path}: unknown encoding {encoding!r}; try latin-1") from error
    return io.TextIOWrapper(io.BufferedReader(open_bytes()), name, newline="")


def _undecodable(open_bytes: Open, encoding: str) -> str:
    """Return the line of the first unreadable byte, as the end of a message; "" if unknown."""
    with io.BufferedReader(open_bytes()) as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode(encoding)
            except UnicodeError:
                return f", line {number}"
    return ""


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


def _collect(path: Path, reader: Any, separator: str, text_columns: Collection[str]) -> pa.Table:
    names = check_names(path, next((record for record in reader if record), []))
    batches: list[list[pa.Array]] = [[] for _ in names]
    rows: list[list[str]] = []

    def flush() -> None:
        for index, cells in enumerate(zip(*rows, strict=True)):
            batches[index].append(pa.array(cells, pa.string()))
        rows.clear()

    for record in reader:
        if not record:
            continue  # a blank line is not a row; a table of one column writes missing cells as ""
        if len(record) != len(names):
            raise FileError(
                f"{path}, line {reader.line_num}: {len(record)} cells where the header has "
                f"{len(names)} (separator {separator!r}); correct the line, or quote cells that "
                "contain the separator"
            )
        rows.append(record)
        if len(rows) == BATCH_ROWS:
            flush()
    flush()
    if not batches[0]:
        raise FileError(f"{path}: the file has a header but no rows")
    comma = separator == ";"
    columns = []
    for name, parts in zip(names, batches, strict=True):
        cells = pa.chunked_array(parts, pa.string())
        columns.append(_text(cells) if name in text_columns else _typed(cells, comma))
    return pa.table(columns, names=names)


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


def _typed(cells: pa.ChunkedArray, decimal_comma: bool) -> pa.ChunkedArray:
    """Turn a column of text into numbers or booleans where this loses nothing."""
    text = _text(cells)
    bare = pc.utf8_trim_whitespace(text)
    bare = _blank(bare, _is_one_of(bare, MISSING_AMONG_NUMBERS))
    if bare.null_count == len(bare):
        return text  # every cell is missing, or a mark that may be a value
    if _all(pc.is_in(bare, value_set=pa.array(["true", "false"])), bare):
        return bare.cast(pa.bool_())
    if decimal_comma and not _fits(bare, _REAL) and _fits(bare, _DECIMAL_COMMA):
        bare = pc.replace_substring(bare, ",", ".")
    if _fits(bare, _WHOLE):
        try:
            return bare.cast(pa.int64())
        except pa.ArrowInvalid:
            return text  # too many digits for a number: an identifier
    if _fits(bare, _REAL) and _all(pc.is_finite(numbers := bare.cast(pa.float64())), bare):
        long = pc.match_substring_regex(bare, "^-?[0-9]{17,}$")
        return text if pc.any(long).as_py() else numbers
    return text


def _text(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return _blank(cells, _is_one_of(pc.utf8_trim_whitespace(cells), MISSING_MARKS))


def _is_one_of(cells: pa.ChunkedArray, marks: frozenset[str]) -> pa.ChunkedArray:
    return pc.is_in(cells, value_set=pa.array(sorted(marks)))


def _blank(cells: pa.ChunkedArray, where: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(where, pa.scalar(None, pa.string()), cells)


def _fits(cells: pa.ChunkedArray, pattern: str) -> bool:
    return _all(pc.match_substring_regex(cells, pattern), cells)


def _all(flags: pa.ChunkedArray, cells: pa.ChunkedArray) -> bool:
    return bool(pc.all(pc.or_kleene(flags, cells.is_null())).as_py())


# --- writing ------------------------------------------------------------------------------------


def as_text(table: pa.Table, separator: str, guard: bool) -> str:
    """Return a table as delimited text; ``guard`` defuses text that spreadsheets would run."""
    alone = table.num_columns == 1  # an empty line would not be read as a row
    header = pa.chunked_array([pa.array(table.column_names, pa.string())])
    lines = [separator.join(_quoted(header, separator, guard, True).to_pylist())]
    if table.num_rows:
        columns = []
        for column in table.columns:
            cells, is_text = _cells(column)
            cells = _quoted(cells, separator, guard and is_text, alone) if is_text else cells
            columns.append(pc.fill_null(cells, '""' if alone else ""))
        lines += pc.binary_join_element_wise(*columns, separator).to_pylist()
    return "\n".join(lines) + "\n"


def _cells(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, bool]:
    """Return a column as text, and whether it was text to begin with."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = kind.value_type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
        whole = column.cast(pa.timestamp("s", kind.tz), safe=False)
        if pc.all(pc.equal(whole.cast(column.type), column)).as_py() is not False:
            column = whole  # no cell has a fraction of a second, so none is written
    try:
        return column.cast(pa.string()), pa.types.is_string(kind) or pa.types.is_large_string(kind)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise FileError(
            f"a column of type {kind} cannot be written as text; write .parquet"
        ) from error


def _quoted(
    cells: pa.ChunkedArray, separator: str, guard: bool, quote_empty: bool
) -> pa.ChunkedArray:
    if guard:
        risky = pc.match_substring_regex(cells, _FORMULA)
        cells = pc.if_else(risky, pc.binary_join_element_wise("'", cells, ""), cells)
    pattern = f'["\r\n{separator}]|^\ufeff' + ("|^$" if quote_empty else "")
    needs = pc.match_substring_regex(cells, pattern)
    escaped = pc.replace_substring(cells, '"', '""')
    return pc.if_else(needs, pc.binary_join_element_wise('"', escaped, '"', ""), cells)
