"""Delimited text: types of cells, encodings, byte-order marks, and cells that cannot be written."""

from __future__ import annotations

import codecs
import datetime as dt
import gzip

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.files import read
from tabseed.errors import FileError, SchemaError, TabseedError
from tabseed.table import files as io
from tabseed.table.formats.delimited import as_text
from tabseed.table.notation.dialect import Dialect
from tabseed.table.notation.missing import MISSING_MARKS

# --- round trips --------------------------------------------------------------------------------

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@given(
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8),
    st.sampled_from(",;\t|"),
    st.sampled_from(("\n", "\r\n", "\r")),
)
def test_any_text_survives_csv(tmp_path_factory, rows, separator, newline) -> None:
    rows = [("stays text", "x"), ("NA", None), *rows]  # so that no column is all numbers
    table = pa.table({"a": [a for a, _ in rows], "b": [b for _, b in rows]})
    levels = {name: set(table[name].to_pylist()) - {None} for name in ("a", "b")}
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    io.write_table(Dialect(separator, newline=newline).attached(table), path)
    back = io.read_table(path, text_columns=levels)
    assert back.to_pydict() == table.to_pydict()
    if not any("\r" in name or "\n" in name for name in levels["a"] | levels["b"]):
        assert Dialect.of(back.schema.metadata) == Dialect(separator, newline=newline)


@pytest.mark.parametrize("mark", sorted(MISSING_MARKS))
def test_a_value_that_looks_missing_survives_without_a_schema(tmp_path, mark) -> None:
    table = pa.table({"land": [mark, "ZA", None, mark], "x": [1.5, 2.0, None, 3.0]})
    io.write_table(table, tmp_path / "t.csv")
    assert io.read_table(tmp_path / "t.csv").to_pydict() == table.to_pydict()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('land,x\n"NA",1\n"ZA",2\n', ["NA", "ZA"]),  # text in quotes, as R writes it
        ('"land","x"\n"NA",1\nNA,2\n', ["NA", None]),
        ('"land","x"\n"NA","1"\n"ZA","2"\n', [None, "ZA"]),  # all in quotes: they tell nothing
        ('"land","x"\n"",1\n"ZA",2\n', [None, "ZA"]),  # pandas, QUOTE_NONNUMERIC
        ('land,x\n"",1\nZA,2\n', ["", "ZA"]),
        ('land,x\n"",1\n"ZA",2\n', [None, "ZA"]),
        ('land,x\n NA ,1\n" NA ",2\n', [None, " NA "]),
        ('land,x\n"a ""NA"", b",1\n"a,"",",2\n', ['a "NA", b', 'a,",']),
        ('land,x\n"a\n"","",",1\n"NA",2\n"\n""",3\n', ['a\n",",', "NA", '\n"']),
        ('land,x\n"NA\n",1\n"ZA",2\n', ["NA\n", "ZA"]),
        ("land,x\nNA,1\nZA,2\n", [None, "ZA"]),
    ],
)
def test_quotes_tell_a_value_from_a_missing_cell(tmp_path, text, expected) -> None:
    assert read(tmp_path, text)["land"].to_pylist() == expected


def test_a_schema_tells_a_value_from_a_missing_cell(tmp_path) -> None:
    text = "land,x\nNA,1\nnull,2\n,3\n"
    back = read(tmp_path, text, text_columns={"land": {"NA", ""}})
    assert back["land"].to_pylist() == ["NA", None, None]


@pytest.mark.parametrize("columns", [{"land": "NA"}, {1: {"NA"}}, "land", {"land": {1}}])
def test_text_columns_are_names_or_their_values(tmp_path, columns) -> None:
    with pytest.raises(TabseedError, match="is not a list of texts, or a dict of texts"):
        read(tmp_path, "land,x\nNA,1\n", text_columns=columns)


def test_quoted_marks_among_numbers_are_missing(tmp_path) -> None:
    assert read(tmp_path, 'a,b\n"NA",x\n"",y\n"3",z\n')["a"].to_pylist() == [None, None, 3]


def test_an_empty_text_alone_in_its_row_cannot_be_written(tmp_path) -> None:
    with pytest.raises(FileError, match="'a' alone: its empty texts"):
        io.write_table(pa.table({"a": ["", "x"]}), tmp_path / "t.csv")


def test_one_column_keeps_its_missing_cells(tmp_path) -> None:
    table = pa.table({"a": ["x", None, "y", None]})
    io.write_table(table, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == 'a\nx\n""\ny\n""\n'
    assert io.read_table(tmp_path / "t.csv").equals(table)


def test_one_column_with_other_separators_in_its_name(tmp_path) -> None:
    table = pa.table({"u|v;w": ["a|b;c", "d|e;f"]})
    io.write_table(table, tmp_path / "t.csv")
    assert io.read_table(tmp_path / "t.csv").equals(table)


def test_dates_are_written_without_zero_fractions() -> None:
    stamps = pa.array([dt.datetime(1650, 1, 2, 3, 4, 5), None], pa.timestamp("us"))
    days = pa.array([dt.date(2020, 2, 29), None])
    assert as_text(pa.table({"t": stamps, "d": days}), Dialect(), False) == (
        "t,d\n1650-01-02 03:04:05,2020-02-29\n,\n"
    )


def test_nested_cells_cannot_be_csv(tmp_path) -> None:
    with pytest.raises(FileError, match=r"write \.parquet"):
        io.write_table(pa.table({"a": [[1, 2]]}), tmp_path / "t.csv")
    assert list(tmp_path.iterdir()) == []


# --- types of cells -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "expected"),
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
def test_cells_become_numbers_only_where_this_loses_nothing(tmp_path, cells, expected) -> None:
    values = read(tmp_path, "a,b\n" + "".join(f"{c},x\n" for c in cells))["a"].to_pylist()
    assert values == expected
    assert [type(v) for v in values] == [type(v) for v in expected]


def test_named_columns_stay_text(tmp_path) -> None:
    table = read(tmp_path, "a,b\n1,2\nNA,3\n", text_columns=("a",))
    assert table.to_pydict() == {"a": ["1", None], "b": [2, 3]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\ufeffa;b\r\n1,5;x\r\n2;y\r\n", {"a": [1.5, 2.0], "b": ["x", "y"]}),
        ("a\tb\n1\tx,y\n", {"a": [1], "b": ["x,y"]}),
        ("a|b\n1|x\n", {"a": [1], "b": ["x"]}),
        ('"a;b",c\n1,2\n', {"a;b": [1], "c": [2]}),
        ("a;b\n1\n2\n", {"a;b": [1, 2]}),
        ("a\n1\n\n2\n", {"a": [1, 2]}),
        ('a,b\n1,"x\ny"\n', {"a": [1], "b": ["x\ny"]}),
        ("a,b\r1,2\r", {"a": [1], "b": [2]}),
        ("sep=;\r\na;b\r\n1,5;x\r\n", {"a": [1.5], "b": ["x"]}),
        ('"sep=|"\na|b\n1|x,y;z\n', {"a": [1], "b": ["x,y;z"]}),
        ("a,b,\n1,x,\n2,y\n", {"a": [1, 2], "b": ["x", "y"]}),
        ("<b>=1+1</b>,日本\n1,ü\n", {"<b>=1+1</b>": [1], "日本": ["ü"]}),
    ],
)
def test_separators_line_ends_and_marks(tmp_path, text, expected) -> None:
    assert read(tmp_path, text).to_pydict() == expected


def test_other_encodings_by_name(tmp_path) -> None:
    assert read(tmp_path, "a\nü\n".encode("latin-1"), encoding="latin-1")["a"][0].as_py() == "ü"
    bare = "a\nü\n".encode("utf-16-le")
    assert read(tmp_path, bare, encoding="utf-16-le")["a"][0].as_py() == "ü"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("named", ["utf-8", "latin-1"])
def test_a_byte_order_mark_tells_the_encoding_and_comes_back(tmp_path, encoding, named) -> None:
    text = "größe;n\r\nü;1,5\r\nNA;2\r\n"
    table = read(tmp_path, text.encode(encoding), encoding=named)
    assert table.to_pydict() == {"größe": ["ü", None], "n": [1.5, 2.0]}
    io.write_table(table, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes().decode(encoding) == text.replace("NA", "")


def test_big_endian_bytes_are_read(tmp_path) -> None:
    data = codecs.BOM_UTF16_BE + "a,b\n1,x\n".encode("utf-16-be")
    assert read(tmp_path, data).to_pydict() == {"a": [1], "b": ["x"]}


@pytest.mark.parametrize("name", ["utf\0", "no-such", "undefined", "hex", ""])
def test_an_encoding_that_is_none_gets_one_line(tmp_path, name) -> None:
    with pytest.raises(FileError, match="unknown encoding") as caught:
        read(tmp_path, "a\n1\n", encoding=name)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_flipped_bits_in_gzip_get_one_line(tmp_path) -> None:
    data = gzip.compress(b"a,b\n" + b"1,x\n2,y\n" * 40, mtime=0)
    rng = np.random.default_rng(0)
    for _ in range(200):
        flipped = bytearray(data)
        flipped[rng.integers(len(data))] ^= 1 << rng.integers(8)
        try:
            read(tmp_path, bytes(flipped), "t.csv.gz")
        except (FileError, SchemaError) as error:
            assert "\n" not in str(error)


def test_many_rows_pass_in_batches(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tabseed.table.formats.delimited.BATCH_ROWS", 7)
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
        ("t.csv", b"# by lab 7\na,b\n1,2\n", "no comment here: remove it"),
        ("t.csv", b"a b\nr1 1 2\n".replace(b" ", b","), "column of row names lack a name"),
        ("t.csv", b"a title\na,b\n1,2\n", "is the first line a title"),
        ("t.csv", b"a,b\n1,2\n\0,3\n", "line 3: NUL bytes"),
        ("t.csv", b"sep=;\na;b\n1;2;3\n", "line 3: 3 cells"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16-le"), "line 1: NUL bytes.*--encoding utf-16"),
        ("t.csv", b"a,b\n1,2,3\n", "line 2: 3 cells where the header has 2"),
        ("t.csv", b"a;b\n1;2;3\n", "line 2: 3 cells where the header has 2"),
        ("t.csv", b'a,b\n1,"x\n2,3\n', "a missing or an extra quote"),
        ("t.csv", b"a\nok\n\xe9\n", "line 3: not utf-8 text"),
        ("t.csv", b"a\0b\n1\n", "NUL bytes"),
        ("t.csv", b"a,b\n" + b"x" * 200_000 + b",1\n", "field larger than field limit"),
        ("t.csv.gz", b"no gzip", "is damaged"),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0)[:-6], "cut short"),
        ("t.parquet", b"nonsense", "not a sound Parquet file"),
        ("t.arrow", b"nonsense", "not a sound Arrow file"),
        ("t.docx", b"PK", "unknown ending '.docx'; readable are .csv"),
        ("t", b"a,b\n1,2\n", "unknown ending ''"),
        ("t.duckdb", b"nonsense", "add --sql"),
    ],
)
def test_bad_files_get_one_line(tmp_path, name, data, message) -> None:
    with pytest.raises((FileError, SchemaError), match=message) as caught:
        read(tmp_path, data, name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


# --- writing ------------------------------------------------------------------------------------


def test_formula_guard_touches_text_only_and_only_if_asked(tmp_path) -> None:
    risky = ["=1+1", "+1", "-x", "@a", "\tx", "\rx", "＝1", "safe", "a=b", None]
    table = pa.table({"=h": risky, "n": [-1.5] * len(risky), "@n": list(range(len(risky)))})
    plain, guarded = (as_text(table, Dialect(), guard) for guard in (False, True))
    assert "'" not in plain
    io.write_table(table, tmp_path / "t.csv", for_spreadsheet=True)
    assert (tmp_path / "t.csv").read_bytes().decode() == guarded
    back = io.read_table(tmp_path / "t.csv")
    assert back.column_names == ["'=h", "n", "'@n"]
    assert back["'=h"].to_pylist() == [f"'{v}" for v in risky[:7]] + risky[7:]
    assert back["n"].to_pylist() == [-1.5] * len(risky)
    with pytest.raises(FileError, match="guard for spreadsheets needs"):
        io.write_table(table, tmp_path / "t.parquet", for_spreadsheet=True)


@pytest.mark.parametrize("names", [["1", "0\n", "0"], ["a\nb\n\nc", 'q"\n"', "z"]])
def test_names_may_hold_line_breaks(names, tmp_path) -> None:
    table = pa.table([[0, 1] * 9, [2, 3] * 9, ["", "NA"] * 9], names=names)
    io.write_table(table, tmp_path / "t.csv")
    back = io.read_table(tmp_path / "t.csv")
    assert back.column_names == names
    assert back[names[0]].to_pylist() == [0, 1] * 9
