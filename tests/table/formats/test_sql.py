"""Queries: every type of DuckDB gives a column or one line; what never ends is stopped."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

from helpers.files import read
from tabseed.errors import FileError, SchemaError
from tabseed.table import Table
from tabseed.table.formats import sql as queries

pytest.importorskip("duckdb")

ENDLESS = "with recursive t(n) as (select 1 union all select 1 from t) select n from t where n > 5"


def ask(tmp_path, sql: str) -> pa.Table:
    return read(tmp_path, "a\n1\n", sql=sql)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("[1, 2]", "[1, 2]"),
        ("[1, 2]::int[2]", "[1, 2]"),
        ("{'a': 1}", "{'a': 1}"),
        ("map {'a': 1}", "{a=1}"),
        ("union_value(x := 1)", "1"),
        ("interval 1 month", "1 month"),
        ("time '01:02:03'", "01:02:03"),
        ("'101'::bit", "101"),
        ("'x'::blob", "x"),
        ("'a'::enum('a', 'b')", "a"),
        ("sum(a)", 1),  # a hugeint
        ("(2::hugeint ** 100)::hugeint", str(2**100)),
    ],
)  # fmt: skip
def test_types_that_only_duckdb_has_come_as_text(tmp_path, value, cell) -> None:
    table = ask(tmp_path, f"select {value} as v from data group by a")
    assert table.to_pydict() == {"v": [cell]}
    Table.from_frame(table)


@pytest.mark.parametrize("kind", ["timestamp", "date", "timestamptz", "timestamp_ns"])
def test_infinite_dates_are_refused_with_their_row(tmp_path, kind) -> None:
    for sign in ("", "-"):
        sql = f"select * from (values (null), ('{sign}infinity'::{kind})) as t(v)"
        with pytest.raises(FileError, match="column 'v', row 2: not a date of the years 1 to 9999"):
            ask(tmp_path, sql)


@pytest.mark.parametrize(
    "sql",
    ["", "select 1; select 2", "set threads = 1", "pragma threads = 1", "explain select 1",
     "attach 'x.db'", "create table t as select 1", "select '\ud800'", "select error('\x1b[2J')"],
)  # fmt: skip
def test_anything_but_one_select_gets_one_printable_line(tmp_path, sql) -> None:
    with pytest.raises((FileError, SchemaError)) as caught:
        ask(tmp_path, sql)
    assert str(caught.value).isprintable()


def test_a_query_that_never_ends_is_stopped(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(queries, "MAX_SECONDS", 0.3)
    started = time.monotonic()
    with pytest.raises(FileError, match=r"took more than 0.3 s"):
        ask(tmp_path, ENDLESS)
    assert time.monotonic() - started < 10


def test_a_result_beyond_the_bounds_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(queries, "MAX_ROWS", 1_000)
    assert ask(tmp_path, "from range(1000)").num_rows == 1_000
    with pytest.raises(FileError, match="more than 1000 rows"):
        ask(tmp_path, "from range(1000000000000)")
    monkeypatch.setattr(queries, "MAX_BYTES", 2**20)
    with pytest.raises(FileError, match="more than 1 MiB"):
        ask(tmp_path, "select repeat('x', 1000000) from range(500)")
    monkeypatch.setitem(queries._CLOSED, "memory_limit", "30MB")
    with pytest.raises(FileError, match="memory"):
        ask(tmp_path, "select list(range) from range(10000000)")
