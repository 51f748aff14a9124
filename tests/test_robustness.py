"""Odd tables: each gives valid synthetic rows, or an error of one line."""

from __future__ import annotations

import contextlib
import datetime as dt
import io as streams
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_digits

from helpers.command import Ran
from tabseed.cli import app
from tabseed.cli.console import run
from tabseed.errors import FileError
from tabseed.table import MISSING, UNSEEN, Table
from tabseed.table import files as io
from tabseed.table.schema import DISCRETE, Schema

PENGUINS = Path(__file__).parents[1] / "examples" / "penguins.csv"

RNG = np.random.default_rng(0)

DAYS = [dt.date(1400, 1, 1) + dt.timedelta(days=int(d)) for d in RNG.integers(0, 109_000, 40)]


def texts(prefix: str, n: int, levels: int) -> list[str]:
    return [f"{prefix}{i}" for i in RNG.integers(0, levels, n)]


def bunch(loaded: Any, n: int) -> pa.Table:
    columns = {str(name): loaded.data[:n, j] for j, name in enumerate(loaded.feature_names)}
    return pa.table({**columns, "target": loaded.target[:n]})


def wide(n: int) -> pa.Table:
    numbers = {f"n{i}": RNG.normal(size=n) for i in range(150)}
    return pa.table({**numbers, **{f"c{i}": texts("v", n, 4) for i in range(150)}})


def levels(n: int) -> pa.Table:
    cells = [*range(2000), *RNG.integers(0, 2000, n - 2000)]
    return pa.table({"c": [f"level {i}" for i in cells], "x": RNG.normal(size=n)})


TABLES: dict[str, Callable[[], pa.Table]] = {
    "penguins": lambda: io.read_table(PENGUINS),
    "breast cancer": lambda: bunch(load_breast_cancer(), 120),
    "digits": lambda: bunch(load_digits(), 80),
    "5 rows": lambda: io.read_table(PENGUINS).slice(0, 5),
    "1 column of numbers": lambda: pa.table({"x": RNG.normal(size=40)}),
    "1 column of text": lambda: pa.table({"x": texts("c", 40, 3)}),
    "1 column with missing cells": lambda: pa.table({"x": [None, 0.25, 0.5, None, 7.0] * 8}),
    "a column without values": lambda: pa.table(
        {"void": pa.nulls(30, pa.string()), "x": RNG.normal(size=30)}
    ),
    "no values at all": lambda: pa.table({"a": pa.nulls(30, pa.string())}),
    "constant columns": lambda: pa.table(
        {"a": [7] * 30, "b": ["x"] * 30, "c": [True] * 30, "d": [1.5] * 30, "e": [DAYS[0]] * 30}
    ),
    "constant or missing": lambda: pa.table({"a": [7, None] * 15, "b": ["x", None, None] * 10}),
    "mostly missing": lambda: pa.table({"a": [1.5, *[None] * 49], "b": [*[None] * 49, "x"]}),
    "300 columns": lambda: wide(30),
    "2000 levels": lambda: levels(2300),
    "dates before 1700": lambda: pa.table(
        {"born": pa.array(DAYS), "x": RNG.normal(size=len(DAYS)), "stamp": pa.array(
            [dt.datetime(d.year, d.month, d.day, 3, 4, 5) for d in DAYS], pa.timestamp("us"))}
    ),
    "dates as text": lambda: pa.table(
        {"d": [f"{d.day:02d}/{d.month:02d}/{d.year}" for d in DAYS], "x": [1, 2] * 20}
    ),
    "dates in other spellings": lambda: pa.table(
        {"n": [int(f"{d.day}{d.month:02d}19{d.year % 100:02d}") for d in DAYS],
         "gaps": [None, *[float(f"{d.year + 400}{d.month:02}{d.day:02}") for d in DAYS[1:]]],
         "z": [f"{d}T23:30:00.5-05:00" for d in DAYS],
         "us": [f"{d.month}/{d.day}/{d.year} {d.day % 12 + 1}:05 PM" for d in DAYS]}
    ),
    "dates in the year 1": lambda: pa.table(
        {"d": [f"0001-01-{i % 28 + 1:02d}" for i in range(40)], "x": [1, 2] * 20}
    ),
    "Unicode": lambda: pa.table(
        {"größe": RNG.normal(size=40), "日本 語": texts("値", 40, 3), "🐧": [1, 2] * 20,
         "e\u0301": texts("x", 40, 2), "\u00e9": texts("y", 40, 2), "\u202ez": texts("z", 40, 2)}
    ),
    "hostile text": lambda: pa.table(
        {"a,b;c\td|e\n\x1b[31m": texts('q"\n', 40, 3), "=1+1": ["[bold]x[/bold]", "{{7*7}}"] * 20}
    ),
    "equal rows": lambda: pa.table({"a": [1, 2] * 20, "b": ["x", "y"] * 20}),
    "one row of a class": lambda: pa.table({"y": ["n"] * 39 + ["p"], "x": RNG.normal(size=40)}),
    "far apart": lambda: pa.table(
        {"a": RNG.normal(size=40) * 1e140, "b": RNG.normal(size=40) * 1e-140,
         "c": RNG.standard_cauchy(40) * 1e6}
    ),
    "whole numbers beyond 2^53": lambda: pa.table(
        {"a": [2**62 + 3 * i for i in range(40)], "b": [1, 2] * 20}
    ),
}  # fmt: skip

ARROW_ONLY: dict[str, Callable[[], pa.Table]] = {
    "lists": lambda: pa.table({"a": [[1, 2], [3]] * 20, "b": RNG.normal(size=40)}),
    "bytes": lambda: pa.table({"a": [b"x", b"y"] * 20, "b": RNG.normal(size=40)}),
    "times of day": lambda: pa.table({"a": [dt.time(i % 24) for i in range(40)], "b": [1, 2] * 20}),
    "decimals": lambda: pa.table(
        {"a": pa.array([f"{x:.2f}" for x in RNG.normal(size=40)]).cast(pa.decimal128(9, 2))}
    ),
    "small floats": lambda: pa.table(
        {"a": RNG.normal(size=40).astype(np.float16), "b": RNG.normal(size=40).astype(np.float32)}
    ),
    "zoned stamps": lambda: pa.table(
        {"a": pa.array(RNG.integers(0, 10**15, 40), pa.timestamp("us", "Europe/Berlin"))}
    ),
    "dictionaries": lambda: pa.table({"a": pa.array(texts("c", 40, 3)).dictionary_encode()}),
}


def synth(source: Path, out: Path, *options: object) -> tuple[int, str]:
    """Run ``tabseed synth`` in this process; return the exit code and what it says on errors."""
    out_stream, errors = streams.StringIO(), streams.StringIO()
    with contextlib.redirect_stdout(out_stream), contextlib.redirect_stderr(errors):
        code = run(app, [str(a) for a in ("synth", source, "-o", out, *options)])
    return code, Ran(code, "", errors.getvalue()).said


def check_valid(source: Path, out: Path, rows: int) -> None:
    """Expect the same columns, only categories seen, numbers in range, missing cells as seen."""
    real = Table.from_frame(io.read_table(source))
    schema = Schema(tuple(c for c in real.schema.modelled))
    frame = io.read_table(out, text_columns=io.text_columns(schema))
    assert frame.column_names == schema.names
    synthetic = Table.from_frame(frame, schema=schema)
    assert len(synthetic) == rows
    if out.suffix == ".parquet":
        assert [frame.schema.field(n).type for n in schema.names] == [
            real.to_arrow().schema.field(n).type for n in schema.names
        ]
    for column in schema:
        name = column.name
        if column.kind in DISCRETE:
            codes, seen = synthetic.codes(name), set(real.codes(name))
            assert UNSEEN not in codes
            assert set(codes) <= seen | ({MISSING} & seen), name
            continue
        x, seen = synthetic.numbers(name), real.numbers(name)
        assert np.isnan(seen).any() or not np.isnan(x).any(), name
        assert np.isnan(seen).all() == np.isnan(x).all() or np.isnan(seen).any(), name
        if not np.isnan(x).all():
            assert np.nanmin(seen) <= np.nanmin(x) and np.nanmax(x) <= np.nanmax(seen), name
        if column.kind == "integer":
            assert np.array_equal(x, np.round(x), equal_nan=True), name


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("name", TABLES)
def test_resample_accepts_every_table(tmp_path, name, suffix) -> None:
    source, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    io.write_table(TABLES[name](), source)
    assert synth(source, out, "--generator", "resample", "--rows", 60) == (0, "")
    check_valid(source, out, 60)


@pytest.mark.parametrize("name", ARROW_ONLY)
def test_resample_accepts_types_that_only_arrow_has(tmp_path, name) -> None:
    source, out = tmp_path / "in.parquet", tmp_path / "out.parquet"
    io.write_table(ARROW_ONLY[name](), source)
    assert synth(source, out, "--generator", "resample", "--rows", 60) == (0, "")
    check_valid(source, out, 60)


BY_NETWORK = (
    "5 rows",
    "1 column with missing cells",
    "no values at all",
    "constant columns",
    "constant or missing",
    "mostly missing",
    "dates before 1700",
    "Unicode",
    "far apart",
    "one row of a class",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_NETWORK)
def test_vaebgm_accepts_odd_tables(tmp_path, name) -> None:
    pytest.importorskip("torch")
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    io.write_table(TABLES[name](), source)
    assert synth(source, out, "--device", "cpu", "--rows", 60) == (0, "")
    check_valid(source, out, 60)


@pytest.mark.slow
@pytest.mark.parametrize("bias", ["pretrain", "mixture"])
@pytest.mark.parametrize("name", ["5 rows", "no values at all", "mostly missing", "far apart"])
def test_a_bias_accepts_odd_tables(tmp_path, name, bias) -> None:
    pytest.importorskip("torch")
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    io.write_table(TABLES[name](), source)
    assert synth(source, out, "--device", "cpu", "--rows", 60, "--bias", bias) == (0, "")
    check_valid(source, out, 60)


def test_too_few_rows_to_choose_a_bias_are_refused_with_their_number(tmp_path) -> None:
    pytest.importorskip("torch")
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    io.write_table(io.read_table(PENGUINS).slice(0, 12), source)
    message = "error: AutoBias with 3 folds needs at least 15 rows, got 12\n"
    assert synth(source, out, "--bias", "auto") == (2, message)
    assert not out.exists()


@pytest.mark.parametrize("rows", [1, 4])
def test_too_few_rows_for_a_network_are_refused_with_their_number(tmp_path, rows) -> None:
    pytest.importorskip("torch")
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    io.write_table(io.read_table(PENGUINS).slice(0, rows), source)
    assert synth(source, out, "--generator", "vaebgm") == (
        2,
        f"error: VAEBGM needs at least 5 rows, got {rows}\n",
    )
    assert not out.exists()


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=5)

CELLS = (
    st.integers(-(2**53), 2**53),
    st.integers(0, 1),
    st.floats(-1e100, 1e100),
    st.sampled_from([0.0, -0.0, 1.5, 5e-324]),
    st.booleans(),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3),
    st.sampled_from(["", "NA", "?", "01", "1e999", "inf", "true", "None", " 1"]),
    st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31)),
    st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31)),
)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    n = draw(st.integers(1, 25))
    names = draw(st.lists(NAMES.filter(str.strip), min_size=1, max_size=4, unique=True))
    columns = {}
    for name in names:
        cells = draw(st.sampled_from(CELLS))
        few = draw(st.lists(cells, min_size=1, max_size=4))
        cells = draw(st.sampled_from([cells, st.sampled_from(few), st.none() | cells]))
        columns[name] = draw(st.lists(cells, min_size=n, max_size=n))
    return pa.table(columns)


@pytest.mark.slow
@given(tables(), st.sampled_from([".csv", ".tsv", ".parquet"]))
@settings(max_examples=60)
def test_any_table_is_accepted_or_refused_in_one_line(tmp_path_factory, table, suffix) -> None:
    folder = tmp_path_factory.mktemp("any")
    source, out = folder / f"in{suffix}", folder / f"out{suffix}"
    try:
        io.write_table(table, source)
    except FileError as error:  # an empty text alone in a row would be no row
        assert "write .parquet" in str(error) and suffix != ".parquet"
        return
    code, message = synth(source, out, "--generator", "resample", "--rows", 20)
    if code == 0:
        check_valid(source, out, 20)
    else:
        assert code == 2 and message.startswith("error: ") and message.count("\n") == 1, message
        assert not out.exists()


HOSTILE = "\x1b[31m\u202e\u200b\x9b2J\x7f\u2028\r"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table whose names and levels would colour, clear or reverse a terminal's lines."""
    code = np.arange(60) % 3
    table = pa.table(
        {
            f"x{HOSTILE}": np.random.default_rng(0).normal(size=60).round(3),
            f"c{HOSTILE}": [f"v{k}{HOSTILE}" for k in code],
            f"f{HOSTILE}": [f"w{k // 2}{HOSTILE}" for k in code],
            f"id{HOSTILE}": [f"{HOSTILE}{i}" for i in range(60)],
            f"y{HOSTILE}": [f"{'aab'[k]}{HOSTILE}" for k in code],
        }
    )
    path = tmp_path_factory.mktemp("hostile") / f"{HOSTILE}.parquet"
    io.write_table(table, path)
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ("info", "DATA"),
        ("info", "DATA", "--json"),
        ("info", "DATA", "--kind", f"x{HOSTILE}=datetime"),
        ("info", "DATA", "--kind", f"none{HOSTILE}=integer"),
        ("info", "DATA", "--sql", f'select "none{HOSTILE}" from data'),
        ("info", f"none{HOSTILE}.csv"),
        ("info", "DATA", f"--none{HOSTILE}"),
        (f"none{HOSTILE}",),
        ("synth", "DATA", "-o", "OUT", "--generator", "copula", "--target", f"y{HOSTILE}"),
        ("synth", "DATA", "-o", "OUT", "--generator", "smote", "--force", "--json"),
        ("synth", "DATA", "-o", "OUT", "--generator", "smote", "--target", f"none{HOSTILE}"),
    ],
)
def test_no_name_or_level_controls_the_terminal(hostile, tmp_path, arguments) -> None:
    paths = {"DATA": str(hostile), "OUT": str(tmp_path / f"out{HOSTILE}.parquet")}
    out, err = (streams.TextIOWrapper(streams.BytesIO(), "utf-8", newline="") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(app, [paths.get(a, a) for a in arguments])
    assert code in (0, 2)
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
        assert all(line.isprintable() for line in texts[-1].split("\n"))
    if "--json" in arguments and arguments[0] == "info":
        assert json.loads(texts[0])["columns"][0]["name"] == f"x{HOSTILE}"


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1, 2], [3]] * 30),
        pa.array([{"a": 1}] * 60),
        pa.array([[("a", 1)]] * 60, pa.map_(pa.string(), pa.int32())),
        pa.UnionArray.from_sparse(
            pa.array([0, 1] * 30, pa.int8()), [pa.array(range(60)), pa.array(["x"] * 60)]
        ),
        pa.array([(1, i, 3) for i in range(60)], pa.month_day_nano_interval()),
        pa.RunEndEncodedArray.from_arrays(pa.array([30, 60], pa.int32()), pa.array(["a", "b"])),
        pa.DictionaryArray.from_arrays(pa.array([0, 1] * 30, pa.int32()), pa.array([[1], [2]])),
        pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}'] * 60)),
    ],
    ids=lambda values: str(values.type)[:12],
)
def test_types_that_are_not_modelled_are_shown_and_left_out(tmp_path, values) -> None:
    source, out = tmp_path / "in.arrow", tmp_path / "out.csv"
    io.write_table(pa.table({"odd": values, "x": RNG.normal(size=60)}), source)
    assert run(app, ["info", str(source)]) == 0
    assert synth(source, out, "--generator", "resample", "--rows", 5) == (0, "")
    assert io.read_table(out).column_names == ["x"]


def test_a_type_that_parquet_cannot_hold_gets_one_line(tmp_path) -> None:
    column = pa.array([(1, 2, 3)], pa.month_day_nano_interval())
    with pytest.raises(FileError, match=r"t.parquet: cannot be written: Unhandled type"):
        io.write_table(pa.table({"a": column}), tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == []
