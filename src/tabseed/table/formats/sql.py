"""Queries to a DuckDB file or to a table: closed to other files, bounded in rows, memory and time.

A query may come from a stranger, like the files: it is one SELECT, it reads only its own table or
database, and one that never ends or returns too much is stopped with one line.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from tabseed.errors import FileError, not_installed, one_line
from tabseed.table.formats.binary import check_dates
from tabseed.table.formats.delimited import check_names

MAX_ROWS = 1_000_000  # of a result; a larger one is not a small table
MAX_BYTES = 2**30  # likewise
MAX_SECONDS = 60.0
MAX_MEMORY = "1GB"  # of the query's own work
BATCH_ROWS = 10_000

# No other files, no network, no extensions, nothing spilled to the disk; a query cannot undo this.
_CLOSED = {
    "enable_external_access": "false",
    "memory_limit": MAX_MEMORY,
    "temp_directory": "",
    "lock_configuration": "true",
}
# what the library has no kind for comes as text, written as DuckDB writes it
_AS_TEXT = frozenset(
    (
        *("list", "array", "struct", "map", "union", "variant", "geometry", "interval", "blob"),
        *("bit", "time", "time_ns", "time with time zone", "bignum", "hugeint", "uhugeint"),
    )
)
_LONG = frozenset(("hugeint", "uhugeint"))  # of which sums are: whole numbers again where they fit


def ask_database(path: Path, sql: str) -> pa.Table:
    """Return what a query to a DuckDB file gives; the file is opened read-only."""
    return _ask(str(path), str(path), sql, None)


def ask_table(path: Path, table: pa.Table, sql: str) -> pa.Table:
    """Return what a query to ``table``, under the name ``data``, gives."""
    return _ask(":memory:", f"{path} (as 'data')", sql, table)


def _ask(database: str, where: str, sql: str, table: pa.Table | None) -> pa.Table:
    duckdb = _duckdb()
    try:
        with (
            duckdb.connect(database, read_only=table is None, config=_CLOSED) as connection,
            _clock(connection) as late,
        ):
            if table is not None:
                connection.register("data", table)
            try:
                return _result(duckdb, connection, where, sql, late)
            except (duckdb.Error, pa.ArrowException, OSError) as error:  # the last: from batches
                if late.is_set():
                    raise _too_slow(where) from error
                if isinstance(error, duckdb.InterruptException):
                    raise KeyboardInterrupt from error
                if isinstance(error, duckdb.OutOfMemoryException) or "Out of Memory" in str(error):
                    raise FileError(
                        f"{where}: the query needs more than {MAX_MEMORY} of memory; ask for less"
                    ) from error
                raise
    except (duckdb.Error, pa.ArrowException, OSError, UnicodeError) as error:
        raise FileError(f"{where}: {one_line(error)}") from error


def _too_slow(where: str) -> FileError:
    return FileError(
        f"{where}: the query took more than {MAX_SECONDS:g} s and was stopped; ask for less"
    )


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError as error:
        raise not_installed("SQL", "DuckDB", "duckdb") from error
    return duckdb


@contextmanager
def _clock(connection: Any) -> Iterator[threading.Event]:
    """Interrupt the connection after MAX_SECONDS; the event says that this happened."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        connection.interrupt()

    timer = threading.Timer(MAX_SECONDS, stop)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _result(duckdb: Any, connection: Any, where: str, sql: str, late: threading.Event) -> pa.Table:
    sql.encode()  # text that is not Unicode raises here, not in DuckDB
    statements = connection.extract_statements(sql)
    if len(statements) > 1:
        raise FileError("--sql: holds several statements; give one select")
    if not statements or statements[0].type != duckdb.StatementType.SELECT:
        raise FileError("--sql: the query returns no table; it should begin with select")
    relation = connection.sql(sql)
    check_names(Path("--sql"), relation.columns)
    kinds = dict(zip(relation.columns, (t.id for t in relation.types), strict=True))
    shaped = relation.project(", ".join(_shape(name, kind) for name, kind in kinds.items()))
    found = _fetched(shaped, where, late)
    for at, (name, kind) in enumerate(kinds.items()):
        if kind in _LONG:
            found = found.set_column(at, name, _whole(found[name]))
    check_dates(where, found)
    return found


def _fetched(relation: Any, where: str, late: threading.Event) -> pa.Table:
    """Return the rows, batch by batch, and no further than the bounds."""
    newer = hasattr(relation, "to_arrow_reader")
    fetch = relation.to_arrow_reader if newer else relation.fetch_arrow_reader
    reader = fetch(BATCH_ROWS)
    batches, rows, size = [], 0, 0
    with reader:  # closed before its connection, which would otherwise wait for the whole query
        for batch in reader:
            if late.is_set():  # between two batches there is nothing to interrupt
                raise _too_slow(where)
            batches.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if rows > MAX_ROWS or size > MAX_BYTES:
                beyond = f"{MAX_ROWS} rows" if rows > MAX_ROWS else f"{MAX_BYTES >> 20} MiB"
                raise FileError(
                    f"{where}: the query returns more than {beyond}; ask for less, for example by "
                    "'using sample 10000 rows' at its end"
                )
    return pa.Table.from_batches(batches, reader.schema)


def _shape(name: str, kind: str) -> str:
    column = '"' + name.replace('"', '""') + '"'
    return f"cast({column} as varchar) as {column}" if kind in _AS_TEXT else column


def _whole(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return digits as whole numbers if 64 bits hold all of them, else as they are."""
    try:
        return text.cast(pa.int64())
    except pa.ArrowInvalid:
        return text
