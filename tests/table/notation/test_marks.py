"""Marks of numbers: one decimal mark a file, and what is doubtful stays text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.files import read
from tabseed.errors import FileError
from tabseed.table import Table
from tabseed.table.notation.dialect import Dialect

# --- any numbers in any known style -------------------------------------------------------------

STYLES = [
    (".", ""),
    (".", ","),
    (".", "'"),
    (".", "\u2019"),
    (",", ""),
    (",", "."),
    (",", "\u202f"),
]


def written(number: float | int, decimal: str, thousands: str) -> str:
    return f"{number:,}".translate({ord(","): thousands, ord("."): decimal})


NUMBERS = st.one_of(
    st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=6),
    st.lists(st.integers(-(10**9), 10**9).map(lambda n: n / 100), min_size=1, max_size=6),
    st.lists(st.integers(-(10**6), 10**6).map(lambda n: n / 1000), min_size=1, max_size=6),
)


@given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(NUMBERS.map(lambda v: (v * n)[:n]), min_size=1, max_size=3)
    ),
    st.sampled_from([(s, mark) for s in STYLES for mark in ",;\t|" if (s[0], mark) != (",", ",")]),
)
def test_numbers_are_read_as_they_are_or_stay_text(tmp_path_factory, columns, form):
    style, separator = form
    columns = [column for column in columns if len(column) == len(columns[0])]
    names = [f"c{i}" for i in range(len(columns))]
    rows = [[f'"{written(v, *style)}"' for v in row] for row in zip(*columns, strict=True)]
    text = "\n".join(separator.join(row) for row in [names, *rows]) + "\n"
    table = read(tmp_path_factory.mktemp("marks"), text)
    for name, numbers in zip(names, columns, strict=True):
        cells = table[name].to_pylist()
        texts = [written(v, *style) for v in numbers]
        assert cells in (numbers, texts)


# --- by hand ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # one cell that can be read in one way only decides for the file
        ("u;p\n1.250;3,25\n986;4,10\n", {"u": [1250, 986], "p": [3.25, 4.1]}),
        ("u;p\n1.250;3,25\n1.111;4,10\n", {"u": [1250, 1111], "p": [3.25, 4.1]}),
        ("u;p\n1,250;3.25\n986;4.10\n", {"u": [1250, 986], "p": [3.25, 4.1]}),
        ("u;p\n1.250,75;3,25\n986;4,10\n", {"u": [1250.75, 986], "p": [3.25, 4.1]}),
        ("u;p\n1'234.5;3.25\n986;4.10\n", {"u": [1234.5, 986], "p": [3.25, 4.1]}),
        ("u;p\n-1.250;-3,25\n+986;+4,10\n", {"u": [-1250, 986], "p": [-3.25, 4.1]}),
        ("u;p\n1.250.000;x\n1.111;y\n", {"u": [1250000, 1111], "p": ["x", "y"]}),
        ("u\tp\n1.250\t3,25\n986\t4,10\n", {"u": [1250, 986], "p": [3.25, 4.1]}),
        ('u,p\n"1,250",3\n986,4\n', {"u": [1250, 986], "p": [3, 4]}),
        ('u,p\n"1.250,5","3,05"\n"986","4,1"\n', {"u": [1250.5, 986], "p": [3.05, 4.1]}),
        ("u;p\n1\u202f250;x\n986;y\n", {"u": [1250, 986], "p": ["x", "y"]}),
        ("u;p\n1 250;x\n986;y\n", {"u": [1250, 986], "p": ["x", "y"]}),
        ("u;p\n\u22121.5;x\n2.5;y\n", {"u": [-1.5, 2.5], "p": ["x", "y"]}),
        ("u;p\n+1.5;x\n-2.5;y\n", {"u": [1.5, -2.5], "p": ["x", "y"]}),
        # three digits after a point are decimals where commas are between cells
        ("u,p\n1.250,3\n1.111,4\n", {"u": [1.25, 1.111], "p": [3, 4]}),
        ("u,p\n0.250,3\n1.111,4\n", {"u": [0.25, 1.111], "p": [3, 4]}),
        # nothing decides
        ("u\n1.250\n1.111\n", {"u": ["1.250", "1.111"]}),
        ("u;p\n1.250;3\n1.111;4\n", {"u": ["1.250", "1.111"], "p": [3, 4]}),
        ("u;p\n1.250;3\n986;4\n", {"u": ["1.250", "986"], "p": [3, 4]}),
        ("u;p\n1,250;3\n986;4\n", {"u": ["1,250", "986"], "p": [3, 4]}),
        # nobody writes 1.250 beside 986 where the point is the decimal mark
        ("u,p\n1.250,3.5\n986,4.5\n", {"u": ["1.250", "986"], "p": [3.5, 4.5]}),
        # a column that can be read in one way only is read so, the doubtful one is not
        ("u;p;q\n1.250;3,25;0.5\n1.111;4,1;0.7\n", None),
        # lists of codes, calling codes, phone numbers, dates
        ('u,p\n"1,3",x\n"2",y\n"2,5",z\n', {"u": ["1,3", "2", "2,5"], "p": ["x", "y", "z"]}),
        ("u;p\n+49;x\n+1;y\n", {"u": ["+49", "+1"], "p": ["x", "y"]}),
        ("u;p\n176 123 456;x\n555 987 654;y\n", None),
        ("u;p\n1.2.2020;x\n3.4.2021;y\n", {"u": ["1.2.2020", "3.4.2021"], "p": ["x", "y"]}),
        ("u;p\n12.34.5;x\n3;y\n", {"u": ["12.34.5", "3"], "p": ["x", "y"]}),
        ("u;p\n1,23,456;x\n3;y\n", {"u": ["1,23,456", "3"], "p": ["x", "y"]}),
        ("u;p\n01.250;x\n3;y\n", None),
    ],
)
def test_marks_are_those_of_the_file(tmp_path, text, expected) -> None:
    table = read(tmp_path, text)
    if expected is None:  # where only the first column matters
        assert all(isinstance(cell, str) for cell in table["u"].to_pylist())
    else:
        assert table.to_pydict() == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"decimal": "."}, [1.25, 986]),
        ({"decimal": ","}, [1250, 986]),
        ({"thousands": "."}, [1250, 986]),
        ({"thousands": ","}, [1.25, 986]),
        ({"decimal": ".", "thousands": "'"}, [1.25, 986]),
    ],
)
def test_the_user_gives_the_marks(tmp_path, options, expected) -> None:
    assert read(tmp_path, "u;p\n1.250;x\n986;y\n", **options)["u"].to_pylist() == expected


@pytest.mark.parametrize(
    "options",
    [{"decimal": ";"}, {"decimal": ""}, {"thousands": "x"}, {"decimal": ",", "thousands": ","}],
)
def test_marks_that_nobody_writes_are_refused(tmp_path, options) -> None:
    with pytest.raises(FileError, match=r"(decimal|thousands)"):
        read(tmp_path, "a\n1\n", **options)


def test_numbers_go_out_with_the_marks_of_their_file(tmp_path) -> None:
    table = read(tmp_path, "u;p\r\n1.250;3,25\r\n986;\r\n")
    form = Dialect.of(table.schema.metadata)
    assert form == Dialect(";", ",", newline="\r\n", grouped={"u": "."})
    assert Table.from_frame(table).schema["u"].reason.endswith("; 1.250 read as 1250")


def test_decimals_that_could_be_thousands_are_said(tmp_path) -> None:
    table = Table.from_frame(read(tmp_path, "u,p\n1.250,3.5\n2.125,4.5\n"))
    assert table.schema["u"].reason.endswith("; 1.250 read as 1.25")
    assert "read as" not in table.schema["p"].reason
    given = read(tmp_path, "u,p\n1.250,3.5\n2.125,4.5\n", decimal=".")
    assert "read as" not in Table.from_frame(given).schema["u"].reason


@pytest.mark.parametrize(
    ("cells", "are_numbers"),
    [
        (["2E4", "1E0", "12E3"], False),  # wells and clones
        (["1e05", "2e10"], False),
        (["1e+05", "2e+10"], True),
        (["1e5", "200"], True),
        (["1.0E5", "2E4"], True),
        (["1e-5", "2e4"], True),
    ],
)
def test_codes_with_an_e_are_no_numbers(tmp_path, cells, are_numbers) -> None:
    table = read(tmp_path, "x,y\n" + "".join(f"{cell},1.5\n" for cell in cells))
    assert (table["x"].to_pylist() == [float(cell) for cell in cells]) == are_numbers
    assert are_numbers or table["x"].to_pylist() == cells
    as_numbers = Table.from_frame(table, kinds={"x": "continuous"})
    assert as_numbers.numbers("x").tolist() == [float(cell) for cell in cells]
