"""Files: what is read is what was written, refusals are one line, and no write is ever half."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabseed.errors import FileError, MissingDependencyError, SchemaError
from tabseed.table import files as io
from tabseed.table.delimited import MISSING_MARKS, as_text
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


def read(tmp_path: Path, data: bytes | str, name: str = "t.csv", **options) -> pa.Table:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return io.read_table(path, **options)


# --- round trips --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["t.csv", "t.tsv", "t.csv.gz", "t.TSV.GZ", "t.parquet", "t.arrow", "t.feather"]
)
def test_what_was_written_is_read_back(tmp_path, name) -> None:
    io.write_table(TABLE, tmp_path / name)
    assert io.read_table(tmp_path / name).equals(TABLE)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "t.arrow"])
def test_same_table_same_bytes(tmp_path, name) -> None:
    for part in ("a", "b"):
        (tmp_path / part).mkdir()
        io.write_table(TABLE, tmp_path / part / name)
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8), st.sampled_from(",\t"))
def test_any_text_survives_csv(tmp_path_factory, rows, separator) -> None:
    rows = [("stays text", "x"), *rows]  # so that no column is all numbers
    table = pa.table({"a": [a for a, _ in rows], "b": [b for _, b in rows]})
    path = tmp_path_factory.mktemp("csv") / ("t.csv" if separator == "," else "t.tsv")
    io.write_table(table, path)
    back = io.read_table(path, text_columns=("a", "b"))
    for name in ("a", "b"):
        wanted = [None if v.strip() in MISSING_MARKS else v for v in table[name].to_pylist()]
        assert back[name].to_pylist() == wanted


def test_one_column_keeps_its_missing_cells(tmp_path) -> None:
    table = pa.table({"a": ["x", None, "y", None]})
    io.write_table(table, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == 'a\nx\n""\ny\n""\n'
    assert io.read_table(tmp_path / "t.csv").equals(table)


def test_dates_are_written_without_empty_fractions() -> None:
    stamps = pa.array([dt.datetime(1650, 1, 2, 3, 4, 5), None], pa.timestamp("us"))
    days = pa.array([dt.date(2020, 2, 29), None])
    assert as_text(pa.table({"t": stamps, "d": days}), ",", False) == (
        "t,d\n1650-01-02 03:04:05,2020-02-29\n,\n"
    )


def test_nested_cells_cannot_be_csv(tmp_path) -> None:
    with pytest.raises(FileError, match=r"write \.parquet"):
        io.write_table(pa.table({"a": [[1, 2]]}), tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


# --- what cells become --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (["1", "20", "-3"], [1, 20, -3]),
        (["1", "", "NA"], [1, None, None]),
        ([" 5", "6 "], [5, 6]),
        (["01234", "5"], ["01234", "5"]),
        (["+49", "5"], ["+49", "5"]),
        (["9223372036854775807", "1"], [2**63 - 1, 1]),
        (["9223372036854775808", "1"], ["9223372036854775808", "1"]),
        (["12345678901234567890", "1.5"], ["12345678901234567890", "1.5"]),
        (["1.50", "-.5", "2", "1e3"], [1.5, -0.5, 2.0, 1000.0]),
        (["1e999", "1"], ["1e999", "1"]),
        (["inf", "1"], ["inf", "1"]),
        (["1_000", "1"], ["1_000", "1"]),
        (["0x10", "1"], ["0x10", "1"]),
        (["1", "?", "-", "None"], [1, None, None, None]),
        (["None", "a", "?"], ["None", "a", "?"]),
        (["None", "None"], ["None", "None"]),
        (["true", "false", "null"], [True, False, None]),
        (["True", "False"], ["True", "False"]),
        (["2020-01-01", "NaT"], ["2020-01-01", None]),
        (["NaN", "nan"], [None, None]),
        (["٣", "1"], ["٣", "1"]),  # an Arabic digit is a digit to some parsers
    ],
)
def test_cells_become_numbers_only_where_nothing_is_lost(tmp_path, cells, wanted) -> None:
    found = read(tmp_path, "a,b\n" + "".join(f"{c},x\n" for c in cells))["a"].to_pylist()
    assert found == wanted
    assert [type(v) for v in found] == [type(v) for v in wanted]


def test_named_columns_stay_text(tmp_path) -> None:
    table = read(tmp_path, "a,b\n1,2\nNA,3\n", text_columns=("a",))
    assert table.to_pydict() == {"a": ["1", None], "b": [2, 3]}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("\ufeffa;b\r\n1,5;x\r\n2;y\r\n", {"a": [1.5, 2.0], "b": ["x", "y"]}),
        ("a\tb\n1\tx,y\n", {"a": [1], "b": ["x,y"]}),
        ("a|b\n1|x\n", {"a": [1], "b": ["x"]}),
        ('"a;b",c\n1,2\n', {"a;b": [1], "c": [2]}),
        ("a;b\n1\n2\n", {"a;b": [1, 2]}),
        ("a\n1\n\n2\n", {"a": [1, 2]}),
        ('a,b\n1,"x\ny"\n', {"a": [1], "b": ["x\ny"]}),
        ("a,b\r1,2\r", {"a": [1], "b": [2]}),
        ("<b>=1+1</b>,日本\n1,ü\n", {"<b>=1+1</b>": [1], "日本": ["ü"]}),
    ],
)
def test_separators_line_ends_and_marks(tmp_path, text, wanted) -> None:
    assert read(tmp_path, text).to_pydict() == wanted


def test_other_encodings_by_name(tmp_path) -> None:
    assert read(tmp_path, "a\nü\n".encode("latin-1"), encoding="latin-1")["a"][0].as_py() == "ü"
    assert read(tmp_path, "a\nü\n".encode("utf-16"), encoding="utf-16")["a"][0].as_py() == "ü"


def test_many_rows_pass_in_batches(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tabseed.table.delimited.BATCH_ROWS", 7)
    table = read(tmp_path, "a,b\n" + "".join(f"{i},x\n" for i in range(50)))
    assert table["a"].to_pylist() == list(range(50))


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"\n \n", "is empty"),
        ("t.csv", b"a,b\n", "header but no rows"),
        ("t.csv", b"a,b,a\n1,2,3\n", r"'a' occurs twice \(columns 1 and 3\); rename one"),
        ("t.csv", b"a,,b\n1,2,3\n", "column 2 has no name"),
        ("t.csv", b"a,b\n1,2\n3\n", "line 3: 1 cells where the header has 2"),
        ("t.csv", b"a,b\n1,2,3\n", "line 2: 3 cells where the header has 2"),
        ("t.csv", b"a;b\n1;2;3\n", "line 2: 3 cells where the header has 2"),
        ("t.csv", b'a,b\n1,"x\n2,3\n', "is a quote missing"),
        ("t.csv", b"a\nok\n\xe9\n", "line 3: not utf-8 text"),
        ("t.csv", b"a\0b\n1\n", "NUL bytes"),
        ("t.csv", b"a,b\n" + b"x" * 200_000 + b",1\n", "field larger than field limit"),
        ("t.csv.gz", b"no gzip", "cannot be read"),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0)[:-6], "ends early"),
        ("t.parquet", b"nonsense", "not a sound Parquet file"),
        ("t.arrow", b"nonsense", "not a sound Arrow file"),
        ("t.xlsx", b"PK", "unknown ending '.xlsx'; readable are .csv"),
        ("t", b"a,b\n1,2\n", "unknown ending ''"),
        ("t.duckdb", b"nonsense", "add --sql"),
    ],
)
def test_bad_files_get_one_line(tmp_path, name, data, message) -> None:
    with pytest.raises((FileError, SchemaError), match=message) as caught:
        read(tmp_path, data, name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_directory_and_unknown_encoding(tmp_path) -> None:
    with pytest.raises(FileError, match="no such file"):
        io.read_table(tmp_path / "none.csv")
    with pytest.raises(FileError, match="is a directory"):
        io.read_table(tmp_path)
    with pytest.raises(FileError, match="unknown encoding 'klingon'"):
        read(tmp_path, "a\n1\n", encoding="klingon")


def test_a_bomb_is_stopped_at_the_limit(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(io, "MAX_BYTES", 2**20)
    bomb = gzip.compress(b"a,b\n" + b"1,2\n" * 2**19)
    assert len(bomb) < 2**14
    with pytest.raises(FileError, match="more than 1 MiB"):
        read(tmp_path, bomb, "t.csv.gz")
    io.write_table(pa.table({"a": [0] * 2**19}), tmp_path / "t.parquet")
    monkeypatch.setattr(io, "MAX_BYTES", 100)
    with pytest.raises(FileError, match="more than"):
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


def test_sql_asks_any_table_but_no_other_file(tmp_path) -> None:
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
    with pytest.raises(MissingDependencyError, match=r'pip install "tabseed\[sql\]"'):
        read(tmp_path, "a\n1\n", sql="select 1")


# --- writing ------------------------------------------------------------------------------------


def test_files_that_exist_stay_unless_forced(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")
    with pytest.raises(FileError, match="exists already; name another file or add --force"):
        io.write_table(TABLE, path)
    assert path.read_text() == "old"
    io.write_table(TABLE, path, force=True)
    assert path.read_text().startswith("zip,")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none/t.csv", "there is no directory"),
        ("t.xlsx", "unknown ending '.xlsx'; writable are"),
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


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path) -> None:
    path = tmp_path / "t.csv"
    with pytest.raises(FileError, match="exists already"), io.atomic_write(path) as part:
        part.write_text("ours")
        path.write_text("theirs")
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]
    assert path.read_text() == "theirs"


def test_outputs_may_not_meet_each_other_or_an_input(tmp_path) -> None:
    a, b = tmp_path / "a.csv", tmp_path / "b.html"
    for tables, others, inputs in (([a], [b, b], []), ([a], [b], [a]), ([a, a], [], [])):
        with pytest.raises(FileError, match="named twice"):
            io.check_outputs(tables, others, inputs, True)
    io.check_outputs([a], [b, None], [tmp_path / "c.csv", None], False)


def test_formula_guard_touches_text_only_and_only_if_asked(tmp_path) -> None:
    risky = ["=1+1", "+1", "-x", "@a", "\tx", "\rx", "＝1", "safe", "a=b", None]
    table = pa.table({"=h": risky, "n": [-1.5] * len(risky), "@n": list(range(len(risky)))})
    plain, guarded = as_text(table, ",", False), as_text(table, ",", True)
    assert "'" not in plain
    io.write_table(table, tmp_path / "t.csv", for_spreadsheet=True)
    assert (tmp_path / "t.csv").read_bytes().decode() == guarded
    back = io.read_table(tmp_path / "t.csv")
    assert back.column_names == ["'=h", "n", "'@n"]
    assert back["'=h"].to_pylist() == [f"'{v}" for v in risky[:7]] + risky[7:]
    assert back["n"].to_pylist() == [-1.5] * len(risky)
    with pytest.raises(FileError, match="guard for spreadsheets needs"):
        io.write_table(table, tmp_path / "t.parquet", for_spreadsheet=True)


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
    assert io.text_columns(schema) == {"size", "when"}


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
