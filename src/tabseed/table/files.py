"""Files: tables in and out, schemas, and writing that never leaves half a file.

:mod:`tabseed.table.formats` reads each format. Every error is one line: which file, where, what to
do.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import math
import os
import secrets
import stat
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from tabseed.errors import FileError, SchemaError, one_line
from tabseed.parameters import FLAG, PATH, TEXT, InstanceOf, NamesWithTexts, checked, or_none
from tabseed.table.formats.binary import MAX_BYTES, read_arrow, read_parquet, too_large
from tabseed.table.formats.delimited import Wishes, as_text, read_text
from tabseed.table.formats.foreign import (
    STATISTICS,
    WORKBOOKS,
    read_statistics,
    read_workbook,
    with_sheet,
)
from tabseed.table.formats.sql import ask_database, ask_table
from tabseed.table.frames import to_arrow
from tabseed.table.index import without_index
from tabseed.table.notation.dates import keeps_text
from tabseed.table.notation.dialect import Dialect, own_metadata, without_dialect
from tabseed.table.notation.marks import check_marks
from tabseed.table.schema import Column, Schema
from tabseed.table.table import Frame, Table

MAX_SCHEMA_BYTES = 2**24
MAX_JSON_VALUES = 3_000_000  # of a document; an empty list takes 3 bytes in a file, 60 in memory
_TEXT_FORMATS = {".csv": None, ".tsv": "\t"}
_PARQUET = (".parquet", ".pq")
_ARROW = (".arrow", ".feather", ".ipc")
_DUCKDB = (".duckdb", ".ddb")
_READABLE = (
    ".csv, .tsv (also .gz), .parquet, .arrow, .feather, .duckdb, .xlsx, .xls, .ods (also others "
    "of Excel), .sav, .dta, .sas7bdat, .xpt"
)
_WRITABLE = ".csv, .tsv (also .gz), .parquet, .arrow, .feather"


# --- reading ------------------------------------------------------------------------------------


@checked(
    path=PATH,
    sql=or_none(TEXT),
    sheet=or_none(TEXT),
    encoding=TEXT,
    text_columns=NamesWithTexts(),
    decimal=or_none(TEXT),
    thousands=or_none(TEXT),
    expected_decimal=or_none(TEXT),
)
def read_table(
    path: str | os.PathLike[str],
    *,
    sql: str | None = None,
    sheet: str | None = None,
    encoding: str = "utf-8",
    text_columns: Collection[str] = (),
    decimal: str | None = None,
    thousands: str | None = None,
    expected_decimal: str | None = None,
) -> pa.Table:
    """Read a table as pyarrow's ``Table``; the ending of the file's name decides the format.

    The result is a plain frame, like those of pandas and polars:
    :meth:`Table.from_frame <tabseed.table.table.Table.from_frame>`, and so every function that
    takes a frame, detects the kinds of its columns.

    The formats are CSV (``.csv``, ``.tsv``, either with ``.gz``), Parquet, Arrow and Feather;
    workbooks of Excel and others (``.xlsx``, ``.xls``, ``.ods``, with python-calamine), and files
    of SPSS, Stata and SAS (``.sav``, ``.dta``, ``.sas7bdat``, ``.xpt``, with pyreadstat), as
    :mod:`tabseed.table.formats.foreign` says. ``sheet`` names the sheet of a workbook, also as
    ``file.xlsx#Sheet``; it may be left out if only one has cells. ``sql`` is a query to a DuckDB
    file, opened read-only, or to any other table file under the name ``data``.

    Text becomes whole numbers, real numbers or true/false only if every cell is written as such
    without leading zeros or too many digits; dates stay text, and so do ``text_columns``, where a
    mapping to the values of each also says which values only look missing, such as ``"NA"``.
    ``encoding`` is for text files that do not begin with a byte order mark. A text file has one
    decimal mark, ``.`` or ``,``, which its cells tell, or ``decimal``; columns that may be read in
    two ways (1.250) stay text, unless there is an ``expected_decimal`` for them, that of a table
    of the same kind. ``thousands`` names a thousands mark. The metadata of the result
    tell how the file is written, for :func:`write_table`.

    An index of pandas in a Parquet or Arrow file is left out if it has no name
    (``__index_level_0__``, the numbers of rows), and a column if it has one.

    FileError for files beyond ``MAX_BYTES`` (after decompression).
    """
    path, sheet = with_sheet(path, sheet)
    path = regular_file(path)
    suffix, _ = _ending(path)
    check_marks(decimal, thousands)
    check_marks(expected_decimal, None)
    wishes = Wishes(encoding, text_columns, decimal, thousands, expected_decimal)
    try:
        if suffix in _DUCKDB:
            if sql is None:
                raise FileError(f'{path}: is a database; add --sql "select ... from ..."')
            return ask_database(path, sql)
        table = _read_plain(path, suffix, wishes, sheet)
    except (gzip.BadGzipFile, zlib.error) as error:
        raise FileError(
            f"{path}: the compressed file is damaged ({_reason(error)}); get it again"
        ) from error
    except EOFError as error:
        raise FileError(f"{path}: the compressed file is cut short; get it again") from error
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {_reason(error)}") from error
    if sql is None:
        return table
    return ask_table(path, table, sql).replace_schema_metadata(own_metadata(table.schema))


def regular_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that can be read to an end; FileError for anything else.

    A pipe, a device or a directory is no such file, even behind a link.
    """
    path = Path(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise FileError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:  # a loop of links, a name too long or with a NUL
        raise FileError(f"{path}: cannot be read: {_reason(error)}") from error
    if stat.S_ISDIR(mode):
        raise FileError(f"{path}: is a directory; name a file")
    if not stat.S_ISREG(mode):
        raise FileError(f"{path}: is not a regular file; save what it gives in one first")
    return path


def _read_plain(path: Path, suffix: str, wishes: Wishes, sheet: str | None) -> pa.Table:
    if suffix in _TEXT_FORMATS:
        return read_text(path, lambda: _open(path), _TEXT_FORMATS[suffix], wishes)
    if suffix in _PARQUET:
        return without_index(without_dialect(read_parquet(path)))
    if suffix in _ARROW:
        return without_index(without_dialect(read_arrow(path)))
    if path.suffix.lower() in WORKBOOKS:
        return read_workbook(path, sheet, wishes)
    if path.suffix.lower() in STATISTICS:
        return read_statistics(path, wishes.encoding)
    raise FileError(f"{path}: unknown ending {suffix!r}; readable are {_READABLE}")


def _ending(path: Path) -> tuple[str, bool]:
    """Return the ending that names the format, and whether ``.gz`` follows it."""
    name = path.name.lower()
    zipped = name.endswith(".gz")
    return Path(name.removesuffix(".gz")).suffix, zipped


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return one_line(error)


class _Limited(io.RawIOBase):
    """A byte stream that raises FileError after ``MAX_BYTES``."""

    def __init__(self, source: IO[bytes], path: Path) -> None:
        self._source, self._path, self._left = source, path, MAX_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._source.read(len(buffer))
        self._left -= len(chunk)
        if self._left < 0:
            raise too_large(self._path, MAX_BYTES)
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._source.close()
        super().close()


def _open(path: Path) -> Any:
    return _Limited(gzip.open(path) if _ending(path)[1] else open(path, "rb"), path)  # type: ignore[arg-type]


# --- writing ------------------------------------------------------------------------------------


def check_writable(path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Return the path; FileError if it could not be written. Call it before long work."""
    path = Path(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        mode = None
    except (OSError, ValueError) as error:
        raise FileError(f"{path}: cannot be written: {_reason(error)}") from error
    if mode is not None and stat.S_ISDIR(mode):
        raise FileError(f"{path}: is a directory; name a file")
    if mode is not None and not stat.S_ISREG(mode):
        raise FileError(f"{path}: is not a regular file; name another")
    if mode is not None and not force:
        raise FileError(
            f"{path}: already exists; name another file, or overwrite it with --force "
            "(in Python: force=True)"
        )
    if not path.parent.is_dir():
        raise FileError(f"{path}: there is no directory {str(path.parent)!r}; create it first")
    if not os.access(path.parent, os.W_OK):
        raise FileError(f"{path}: no permission to write to {str(path.parent)!r}")
    return path


def check_table_path(path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Do as :func:`check_writable`, and require an ending that names a writable format."""
    path = Path(path)
    suffix, zipped = _ending(path)
    known = suffix in _TEXT_FORMATS or (suffix in _PARQUET + _ARROW and not zipped)
    if not known:
        read_only = suffix in WORKBOOKS or suffix in STATISTICS
        why = "files such as this are only read" if read_only else f"unknown ending {path.suffix!r}"
        raise FileError(f"{path}: {why}; writable are {_WRITABLE}")
    return check_writable(path, force=force)


def check_spreadsheet(path: str | os.PathLike[str], for_spreadsheet: bool) -> None:
    """Raise FileError if the guard for spreadsheets is asked for a file that is not text."""
    if for_spreadsheet and _ending(Path(path))[0] not in _TEXT_FORMATS:
        raise FileError(f"{path}: a guard for spreadsheets needs a .csv or .tsv file")


def check_outputs(
    tables: Sequence[Path],
    others: Sequence[Path | None],
    inputs: Sequence[Path | None],
    force: bool,
    owned: Collection[Path] = (),
) -> None:
    """Raise FileError, before any work, for outputs that cannot be written or are named twice.

    ``owned``: absolute paths that may be written again without ``force``.
    """
    taken = {path.resolve() for path in inputs if path is not None}
    for path in (*tables, *(p for p in others if p is not None)):
        if path.resolve() in taken:
            raise FileError(f"{path}: is named twice, as input or output; name another file")
        taken.add(path.resolve())
        check = check_table_path if path in tables else check_writable
        check(path, force=force or path.resolve() in owned)


@contextmanager
def atomic_write(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same directory; rename it to ``path`` if all goes well.

    If anything ends the block early, an interrupt included, no new file is left behind and an
    older file stays untouched. What a killed process left behind, the next write of the same path
    removes.
    """
    path = check_writable(path, force=force)
    try:
        with _part_of(path) as part:
            yield part
            check_writable(path, force=force)  # another process may have created it meanwhile
            os.replace(part, path)
    except (OSError, pa.ArrowException) as error:  # the latter: a type that the format has not
        raise FileError(f"{path}: cannot be written: {_reason(error)}") from error


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """Yield a new file beside ``path``, locked as long as this process lives; remove it after."""
    stem = f".tabseed-{hashlib.sha256(path.name.encode(errors='surrogateescape')).hexdigest()[:12]}"
    for stale in path.parent.glob(f"{stem}-*.part"):
        _remove_stale(stale)
    part = path.with_name(f"{stem}-{secrets.token_hex(6)}.part")
    with open(part, "xb") as handle:
        try:
            # nobody else removes it from here on; one who did so before the lock did no harm,
            # since the writer makes the file again
            _lock(handle.fileno())
            yield part
        finally:
            part.unlink(missing_ok=True)


def _remove_stale(part: Path) -> None:
    """Remove a part whose writer no longer lives; the system lets go of a dead process's lock."""
    try:
        with open(part, "rb") as handle:
            if _lock(handle.fileno()):
                part.unlink(missing_ok=True)
    except OSError:
        return  # gone, or of another user


def _lock(descriptor: int) -> bool:
    """Return whether this process now holds the lock of an open file."""
    try:
        import fcntl
    except ImportError:  # Windows, which lets nobody remove a file that is open
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def write_bytes(data: bytes, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Write bytes completely or not at all."""
    with atomic_write(path, force=force) as part:
        part.write_bytes(data)


def write_text(text: str, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Write UTF-8 text completely or not at all; line ends stay as they are."""
    write_bytes(text.encode(), path, force=force)


@checked(path=PATH, force=FLAG, for_spreadsheet=FLAG, plain=FLAG)
def write_table(
    table: Frame,
    path: str | os.PathLike[str],
    *,
    force: bool = False,
    for_spreadsheet: bool = False,
    plain: bool = False,
) -> None:
    """Write a table; the ending of the file's name decides the format.

    The same table gives the same bytes. ``table`` is a frame of pandas, polars or pyarrow, or a
    :class:`~tabseed.table.table.Table`. The formats are CSV (``.csv``, ``.tsv``, either with
    ``.gz``), Parquet, Arrow and Feather; an index of pandas is not written. FileError if the file
    cannot be written, or exists and ``force`` is false.

    A table that comes from a text file, or was drawn by a model of one, is written as that file
    was: its separator (if the name ends in .csv), decimal mark, encoding and line ends, but
    without thousands marks. ``plain`` writes it with commas, decimal points and UTF-8.

    ``for_spreadsheet`` puts an apostrophe before text cells and column names that a spreadsheet
    might run as a formula. No such guard is complete: other programs have other triggers.
    """
    path = check_table_path(path, force=force)
    check_spreadsheet(path, for_spreadsheet)
    suffix, zipped = _ending(path)
    arrow = _as_arrow(table)
    if suffix in _TEXT_FORMATS:
        dialect = Dialect() if plain else Dialect.of(arrow.schema.metadata)
        dialect = replace(dialect, separator=_TEXT_FORMATS[suffix] or dialect.separator)
        data = _encoded(path, arrow, dialect, for_spreadsheet)
        # without a time stamp, which would differ from run to run
        write_bytes(gzip.compress(data, mtime=0) if zipped else data, path, force=force)
        return
    arrow = without_dialect(arrow)
    with atomic_write(path, force=force) as part:
        if suffix in _PARQUET:
            import pyarrow.parquet as pq

            pq.write_table(arrow, part)
        else:
            with pa.OSFile(str(part), "wb") as sink, pa.ipc.new_file(sink, arrow.schema) as writer:
                writer.write_table(arrow)


def _encoded(path: Path, table: pa.Table, dialect: Dialect, for_spreadsheet: bool) -> bytes:
    try:
        return dialect.encoded(as_text(table, dialect, for_spreadsheet))
    except UnicodeError as error:
        raise FileError(
            f"{path}: the table has characters that {dialect.encoding}, in which its rows were "
            "read, cannot write; write .parquet, or plain text (--plain-csv, in Python plain=True)"
        ) from error


def _as_arrow(table: Frame) -> pa.Table:
    if isinstance(table, pa.Table):
        return table  # as it is, whatever types it has
    return table.to_arrow() if isinstance(table, Table) else to_arrow(table)[0]


# --- schemas ------------------------------------------------------------------------------------


def read_small(path: str | os.PathLike[str], most: int, what: str) -> bytes:
    """Return the bytes of a file of at most ``most``; FileError for a larger one, or none."""
    path = regular_file(path)
    try:
        if path.stat().st_size > most:
            raise FileError(f"{path}: too large for {what}, more than {most >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {_reason(error)}") from error


def read_json(data: bytes) -> Any:
    """Return what a JSON document from a stranger holds; ValueError in one line for an unsound one.

    Too many values are refused before they are made; so are numbers that are not finite.
    """
    if sum(data.count(mark) for mark in (b"[", b"{", b",")) > MAX_JSON_VALUES:
        raise ValueError(f"more than {MAX_JSON_VALUES} values")
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("lists or objects nested too deeply") from None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is not a finite number")
    return number


@checked(path=PATH)
def read_schema(path: str | os.PathLike[str]) -> Schema:
    """Read a schema from JSON: tabseed's own, or SDV's metadata of one table."""
    try:
        data = read_json(read_small(path, MAX_SCHEMA_BYTES, "a schema"))
    except ValueError as error:
        raise FileError(f"{path}: not JSON: {_reason(error)}") from error
    try:
        return Schema.from_dict(data)
    except SchemaError as error:
        raise SchemaError(f"{path}: {error}") from error


@checked(schema=InstanceOf(Schema), path=PATH, force=FLAG)
def write_schema(schema: Schema, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Write a schema as JSON, which SDV can read too."""
    text = json.dumps(schema.to_dict(), indent=2, ensure_ascii=False)
    write_text(text + "\n", path, force=force)


def text_columns(schema: Iterable[Column]) -> dict[str, frozenset[str]]:
    """Return the columns that are text by their schema, whatever their cells look like.

    Each comes with its values, which are values even if they look missing, such as ``"NA"``.
    """
    return {
        column.name: frozenset(c for c in column.categories if isinstance(c, str))
        for column in schema
        if keeps_text(column.datetime_format or "")
        or any(isinstance(c, str) for c in column.categories)
    }
