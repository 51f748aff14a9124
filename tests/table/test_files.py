"""Files: tables are read as they were written, errors are one line, no write is ever half."""

from __future__ import annotations

import errno
import gzip
import json
import os
import signal
import subprocess
import sys

import pyarrow as pa
import pytest

from helpers.files import read
from tabseed.archive import Checkpoint
from tabseed.errors import FileError, MissingDependencyError, SchemaError
from tabseed.saved import load
from tabseed.table import files as io
from tabseed.table.formats import binary
from tabseed.table.schema import Column, Schema

TABLE = pa.table(
    {
        "zip": ["01234", "99999", None],
        "größe, m": [1.5, None, 1e-9],
        "n": [1, -2, None],
        "yes": [True, None, False],
        "note": ['say "x"', "two\nlines", "a\rb;\tc,d"],
    }
)


# --- round trips --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["t.csv", "t.tsv", "t.csv.gz", "t.TSV.GZ", "t.parquet", "t.arrow", "t.feather"]
)
def test_tables_are_read_as_they_were_written(tmp_path, name) -> None:
    io.write_table(TABLE, tmp_path / name)
    assert io.read_table(tmp_path / name).equals(TABLE)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "t.arrow"])
def test_same_table_same_bytes(tmp_path, name) -> None:
    for part in ("a", "b"):
        (tmp_path / part).mkdir()
        io.write_table(TABLE, tmp_path / part / name)
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


# --- refusals -----------------------------------------------------------------------------------


def test_missing_file_directory_and_unknown_encoding(tmp_path) -> None:
    with pytest.raises(FileError, match="no such file"):
        io.read_table(tmp_path / "none.csv")
    with pytest.raises(FileError, match="is a directory"):
        io.read_table(tmp_path)
    with pytest.raises(FileError, match="unknown encoding 'klingon'"):
        read(tmp_path, "a\n1\n", encoding="klingon")


READERS = (io.read_table, io.read_schema, load, lambda path: Checkpoint(path, "x").read())


@pytest.mark.parametrize("reader", READERS)
def test_only_regular_files_are_read(tmp_path, reader) -> None:
    pipe, device, loop, long = (tmp_path / n for n in ("p.csv", "d.csv", "l.csv", "x" * 300))
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    loop.symlink_to(loop)
    for path, message in (
        (pipe, "is not a regular file"),
        (device, "is not a regular file"),
        (loop, "Too many levels of symbolic links"),
        (long, "File name too long" if reader is not READERS[-1] else None),
        (tmp_path, "is a directory"),
    ):
        if message is not None:
            with pytest.raises(FileError, match=message):
                reader(path)


@pytest.mark.parametrize(
    "name", ["x" * 300 + ".csv", "a\0b.csv", "loop/t.csv", "file/t.csv", "p.csv"]
)
def test_impossible_outputs_get_one_line(tmp_path, name) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "p.csv")
    with pytest.raises(FileError):
        io.write_table(TABLE, tmp_path / name, force=True)


def test_a_full_disk_gets_one_line_and_no_file(tmp_path) -> None:
    def write() -> None:
        with io.atomic_write(tmp_path / "t.csv"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(FileError, match=r"t.csv: cannot be written: No space left on device"):
        write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_bomb_is_stopped_at_the_limit(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(io, "MAX_BYTES", 2**20)
    bomb = gzip.compress(b"a,b\n" + b"1,2\n" * 2**19)
    assert len(bomb) < 2**14
    with pytest.raises(FileError, match="more than 1 MiB"):
        read(tmp_path, bomb, "t.csv.gz")
    io.write_table(pa.table({"a": [0] * 2**19}), tmp_path / "t.parquet")
    monkeypatch.setattr(binary, "MAX_BYTES", 2**20)
    with pytest.raises(FileError, match="more than 1 MiB"):
        io.read_table(tmp_path / "t.parquet")


# --- SQL ----------------------------------------------------------------------------------------


def test_sql_reads_a_database_and_leaves_it_alone(tmp_path) -> None:
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table sales as select range as n, 'x' as item from range(5)")
    before = path.read_bytes()
    table = io.read_table(path, sql="select item, n * 2 as twice from sales where n > 2")
    assert table.to_pydict() == {"item": ["x", "x"], "twice": [6, 8]}
    for sql in ("drop table sales", "select * from nowhere", "selec", "select '1' as a, 2 as a"):
        with pytest.raises((FileError, SchemaError)) as caught:
            io.read_table(path, sql=sql)
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_sql_reads_any_table_but_no_other_file(tmp_path) -> None:
    pytest.importorskip("duckdb")
    text = "a,b\n1,x\n2,y\n"
    assert read(tmp_path, text, sql="select a from data where b = 'y'").to_pydict() == {"a": [2]}
    other = tmp_path / "other.csv"
    other.write_text("secret\n1\n")
    with pytest.raises(FileError):
        read(tmp_path, text, sql=f"select * from read_csv('{other}')")
    with pytest.raises(FileError):
        read(tmp_path, text, sql=f"copy data to '{tmp_path / 'out.csv'}'")
    assert not (tmp_path / "out.csv").exists()


def test_without_duckdb_sql_says_what_to_install(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    with pytest.raises(MissingDependencyError, match=r"SQL needs DuckDB: pip install duckdb"):
        read(tmp_path, "a\n1\n", sql="select 1")


# --- writing ------------------------------------------------------------------------------------


def test_files_that_exist_stay_unless_forced(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")
    with pytest.raises(
        FileError, match="already exists; name another file, or overwrite it with --force"
    ):
        io.write_table(TABLE, path)
    assert path.read_text() == "old"
    io.write_table(TABLE, path, force=True)
    assert path.read_text().startswith("zip,")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none/t.csv", "there is no directory"),
        ("t.xlsx", "only read; writable are"),
        ("t.parquet.gz", "unknown ending"),
        ("t.duckdb", "unknown ending"),
    ],
)
def test_impossible_paths_get_one_line_and_no_file(tmp_path, name, message) -> None:
    with pytest.raises(FileError, match=message):
        io.write_table(TABLE, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_an_interrupted_write_leaves_nothing(tmp_path, error) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")

    def interrupted() -> None:
        with io.atomic_write(path, force=True) as part:
            part.write_text("half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]
    assert path.read_text() == "old"


def test_a_file_that_appears_during_a_write_is_not_overwritten(tmp_path) -> None:
    path = tmp_path / "t.csv"
    with pytest.raises(FileError, match="already exists"), io.atomic_write(path) as part:
        part.write_text("ours")
        path.write_text("theirs")
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]
    assert path.read_text() == "theirs"


KILLED = """
import os, signal, sys
from tabseed.table.files import atomic_write
with atomic_write(sys.argv[1]) as part:
    part.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_write_left_the_next_write_of_the_same_file_removes(tmp_path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "t.csv")]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    (stale,) = tmp_path.iterdir()
    io.write_table(TABLE, tmp_path / "other.csv")
    assert stale.exists(), "it may belong to another output"
    with io.atomic_write(tmp_path / "t.csv") as part:
        assert not stale.exists()
        part.write_text("first")
        with io.atomic_write(tmp_path / "t.csv") as second:
            assert part.exists(), "its writer lives"
            second.write_text("second")
        (tmp_path / "t.csv").unlink()
    assert (tmp_path / "t.csv").read_text() == "first"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other.csv", "t.csv"]


def test_outputs_must_differ_from_each_other_and_from_inputs(tmp_path) -> None:
    a, b = tmp_path / "a.csv", tmp_path / "b.html"
    for tables, others, inputs in (([a], [b, b], []), ([a], [b], [a]), ([a, a], [], [])):
        with pytest.raises(FileError, match="named twice"):
            io.check_outputs(tables, others, inputs, True)
    io.check_outputs([a], [b, None], [tmp_path / "c.csv", None], False)


# --- schemas ------------------------------------------------------------------------------------


def test_schema_survives_its_file(tmp_path) -> None:
    schema = Schema(
        (
            Column("größe", "continuous", "real"),
            Column("n", "integer"),
            Column("size", "ordinal", "", ("S", "M", "L")),
            Column("ok", "boolean", "", (False, True)),
            Column("when", "datetime", "", (), "%d/%m/%Y"),
            Column("id", "id"),
        )
    )
    io.write_schema(schema, tmp_path / "s.json")
    assert io.read_schema(tmp_path / "s.json") == schema
    assert json.loads((tmp_path / "s.json").read_text())["primary_key"] == "id"
    assert io.text_columns(schema) == {"size": {"S", "M", "L"}, "when": set()}


SDV_COLUMNS = {
    "age": {"sdtype": "numerical", "computer_representation": "Int64"},
    "height": {"sdtype": "numerical"},
    "sex": {"sdtype": "categorical"},
    "grade": {"sdtype": "categorical", "order": ["low", "high"]},
    "seen": {"sdtype": "datetime", "datetime_format": "%Y-%m-%d"},
    "mail": {"sdtype": "email", "pii": True},
    "key": {"sdtype": "id"},
}

SDV_KINDS = ["integer", "continuous", "categorical", "ordinal", "datetime", "text", "id"]


@pytest.mark.parametrize(
    "metadata",
    [
        {"METADATA_SPEC_VERSION": "SINGLE_TABLE_V1", "columns": SDV_COLUMNS, "primary_key": "key"},
        {"METADATA_SPEC_VERSION": "V1", "tables": {"people": {"columns": SDV_COLUMNS}}},
    ],
)
def test_sdv_metadata_is_read(tmp_path, metadata) -> None:
    (tmp_path / "s.json").write_text(json.dumps(metadata))
    schema = io.read_schema(tmp_path / "s.json")
    assert [column.kind for column in schema] == SDV_KINDS
    assert schema["grade"].categories == ("low", "high")
    assert schema["seen"].datetime_format == "%Y-%m-%d"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[" + "[]," * 2_000_000 + "1, 2]", "not JSON: more than 3000000 values"),
        ('{"columns": NaN}', "not a finite number"),
        ('{"columns": 1e999}', "not a finite number"),
        ("[1" + "0" * 5000 + "]", "not JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "no 'columns'"),
        ('{"columns": {"a": 1}}', "'a'"),
        ('{"columns": {"a": {"tabseed": {"kind": "colour"}}}}', "'colour' is not one of"),
        ('{"tables": {"a": {}, "b": {}}}', "several tables"),
    ],
)
def test_bad_schemas_get_one_line(tmp_path, text, message) -> None:
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises((FileError, SchemaError), match=message) as caught:
        io.read_schema(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
