"""Law: each ``--kind`` that a reason or an error suggests is accepted, and models the column."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabseed.cli.options import Source, _parse_kind
from tabseed.errors import SchemaError
from tabseed.table import Table
from tabseed.table.display import kind_option
from tabseed.table.schema import LEFT_OUT, NUMERIC

N = 60
RNG = np.random.default_rng(5)
REAL = RNG.normal(120, 15, N).round(1)
TEXTS = [f"{v}" for v in REAL]
LARGE = RNG.integers(10_000, 99_999, N)
SMALL = RNG.integers(360, 387, N) / 10  # 27 distinct
DAYS = [f"{d:02d}" for d in RNG.integers(1, 13, N)]
THREE = [f"{v / 1000:.3f}" for v in RNG.integers(1000, 9000, N)]
GERMAN = [f"{v:,}".replace(",", ".") for v in LARGE]
QUOTED = r"--kind (\$'(?:\\.|[^'\\])*'|(?:'[^']*'|\"[^\"]*\"|[\w@%+=:,./-])+)"


def with_some(cells, *odd) -> list[str]:
    return [odd[i // 20 % len(odd)] if i % 20 == 7 else c for i, c in enumerate(cells)]


COLUMNS = {  # cells, and whether a hint is due in the reason
    "dollars of thousands": ([f"${v:,}" for v in LARGE], True),
    "dollars and cents": ([f"${v:,}.50" for v in LARGE], True),
    "euros": ([f"{v:.2f} EUR".replace(".", ",") for v in REAL], True),
    "euros of thousands": ([f"{v:,} €".replace(",", ".") for v in LARGE], True),
    "pounds": ([f"£{v}" for v in REAL], True),
    "minus dollars": ([f"-${v}" for v in REAL], True),
    "francs": ([f"CHF {v:,}".replace(",", "'") for v in LARGE], True),
    "dollars and a gap": (with_some([f"${v:,}" for v in LARGE], "n.d."), True),
    "dollars and marks": (with_some([f"${v:,}" for v in LARGE], "?"), True),
    "euros with a fixed space": ([f"{v}\u00a0€" for v in REAL], True),
    "euros that repeat": ([f"{v * 1000:,.0f} €" for v in SMALL], True),
    "beats": ([f"{v:.0f} bpm" for v in REAL], True),
    "warm": ([f"{v} °C" for v in SMALL], True),
    "warm, some not measured": (with_some([f"{v} °C" for v in SMALL], "nicht gemessen"), True),
    "few doses": ([f"{100 * (i % 3)} mg" for i in range(N)], True),
    "doses, an unknown one": (with_some([f"{100 * (i % 3)} mg" for i in range(N)], "?"), True),
    "millimetres": ([f"{t} mm/h" for t in THREE], True),
    "a percentage": ([f"{v}%" for v in REAL], False),
    "a percentage and gaps": (with_some([f"{v}%" for v in REAL], "k.A."), True),
    "doubtful percentage": ([f"{t}%" for t in THREE], True),
    "percent and limits": (with_some([f"{v}%" for v in REAL], "<5%"), True),
    "CRP (mg/l)": (with_some(TEXTS, "k.A."), True),
    "it's": (with_some(TEXTS, "keine Angabe"), True),
    "a=b": (with_some(TEXTS, "n.d."), True),
    "Größe in cm": (with_some(TEXTS, "x"), True),
    "$HOME `pwd`": (with_some(TEXTS, "x"), True),
    "censored": (with_some(TEXTS, "<90"), True),
    "censored, and gaps": (with_some(TEXTS, "<90", "n.d."), True),
    "censored, and marks": (with_some(TEXTS, "<90", "?"), True),
    "censored with a unit": (with_some([f"{t} U/l" for t in TEXTS], "<5 U/l"), True),
    "censored with a unit, and gaps": (with_some([f"{t} U/l" for t in TEXTS], "<5 U/l", "-"), True),
    "doubtful": (GERMAN, True),
    "doubtful with commas": ([t.replace(".", ",") for t in THREE], True),
    "doubtful and gaps": (with_some(GERMAN, "n.d."), True),
    "doubtful and marks": (with_some(GERMAN, "?"), True),
    "doubtful and limits": (with_some(GERMAN, "<1.000"), True),
    "doubtful, limits, gaps": (with_some(GERMAN, "<1.000", "x"), True),
    "commas and gaps": (with_some([t.replace(".", ",") for t in TEXTS], "o.B."), True),
    "only numbers": (TEXTS, True),
    "numbers and marks": (with_some(TEXTS, "?"), True),
    "swiss": (with_some([f"{v:,}".replace(",", "'") for v in LARGE], "x"), True),
    "zeros": (with_some([f"0{t}" for t in TEXTS], "x"), False),
    "two marks": (with_some(TEXTS, "2,75"), False),
    "day, month": ([f"{d}/{m}/2023" for d, m in zip(DAYS, DAYS[::-1], strict=True)], True),
    "day = month": ([f"{d}=0{1 + i % 9}=2023" for i, d in enumerate(DAYS)], True),
    "day month": ([f"{d} {m} 2023" for d, m in zip(DAYS, DAYS[::-1], strict=True)], True),
    "clock": ([f"{d}:{m}:30" for d, m in zip(DAYS, DAYS[::-1], strict=True)], True),
    "names": (["Anna", "Ben", "Cem"] * 20, False),
    "whole": ([f"{v}" for v in LARGE], True),
}


def options_in(text: str) -> list[tuple[str, str]]:
    """Return the columns and kinds of the options in a message, as a shell would pass them on."""
    return [_parse_kind(unquoted(found.rstrip(",:;."))) for found in re.findall(QUOTED, text)]


def unquoted(word: str) -> str:
    if word.startswith("$'"):  # that bash reads these as Python does is tested below
        return word[2:-1].encode("ascii", "backslashreplace").decode("unicode_escape")
    return "".join(shlex.split(word))


def check_hints(name: str, cells: list[str], text: str) -> int:
    options = options_in(text)
    assert text.count("--kind") == len(options), text
    for column, kind in options:
        assert column == name
        table = Table.from_frame(pa.table({name: cells}), kinds={column: kind})
        found = table.schema[name]
        assert found.kind not in LEFT_OUT, (text, found)
        read = table.numbers(name) if found.kind in NUMERIC else table.codes(name)
        assert np.isfinite(read).sum() >= 0.8 * len(cells), text
    return len(options)


@pytest.mark.parametrize("name", COLUMNS)
def test_each_hint_of_a_reason_is_accepted(name) -> None:
    cells, due = COLUMNS[name]
    reason = Table.from_frame(pa.table({name: cells})).schema[name].reason
    assert bool(check_hints(name, cells, reason)) == due, reason


@pytest.mark.parametrize("kind", ["continuous", "integer", "datetime", "continuous:censored"])
@pytest.mark.parametrize("name", COLUMNS)
def test_each_hint_of_an_error_is_accepted(name, kind) -> None:
    cells, _ = COLUMNS[name]
    try:
        Table.from_frame(pa.table({name: cells}), kinds={name: kind})
    except SchemaError as error:
        if "as in --kind" not in str(error):  # an example of a pattern is none of this column
            check_hints(name, cells, str(error))


def test_each_hint_is_accepted_for_the_columns_of_a_file(tmp_path) -> None:
    path = tmp_path / "all.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *zip(*(c for c, _ in COLUMNS.values()), strict=True)])
    schema = Source(path).read().schema
    hints = {c.name: options_in(c.reason) for c in schema}
    for i in range(2):  # where a hint names two ways, each one
        chosen = [f"{n}={kind[i % len(kind)][1]}" for n, kind in hints.items() if kind]
        assert len(chosen) > 30
        table = Source(path, kinds=chosen).read()
        assert not [c for c in table.schema.left_out if hints[c.name]]


def test_doubtful_money_names_both_readings() -> None:
    column = Table.from_frame(pa.table({"income": ["$32,739", "$41,001", "$9,250", "$875"] * 3}))
    reason = column.schema["income"].reason
    assert options_in(reason) == [
        ("income", "continuous:comma+$#"),
        ("income", "continuous:point+thousands+$#"),
    ]
    assert "(32.739)" in reason and "(32739)" in reason


def test_numbers_with_a_unit_are_said_whatever_their_number() -> None:
    for distinct in (2, 3, 10, 30, 60):
        cells = [f"{36 + (i % distinct) / 10} °C" for i in range(N)]
        column = Table.from_frame(pa.table({"warm": cells})).schema["warm"]
        assert "all 60 cells are numbers with '°C'" in column.reason
        assert column.kind == ("categorical" if distinct <= N / 2 else "text")


def test_texts_without_one_unit_get_no_hint() -> None:
    ranges = ["<=50K", ">50K"] * 30
    for cells in (
        ranges,
        ["a1", "b2", "c3"] * 20,
        ["1 mg", "2 g", "3 l"] * 20,
        ["5 mg", "no", "x"] * 20,
    ):
        assert "--kind" not in Table.from_frame(pa.table({"x": cells})).schema["x"].reason


HOSTILE = ("a\nb", "\x1b[31m", "it's\t", "\\n\r", "\u202e", "x\u00a0y", "\U000e0041", "-x", "a b")


@pytest.mark.parametrize("name", HOSTILE)
def test_bash_reads_the_option_of_a_hostile_name(name) -> None:
    option = kind_option(name, "continuous:# \u00a0€")
    assert option.isprintable()
    ran = subprocess.run(
        ["bash", "-c", f"printf '%s|' {option}"],
        env={"LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=True,
    )
    assert ran.stdout.decode() == f"--kind|{name}=continuous:# \u00a0€|"


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1))
@settings(max_examples=50)
def test_the_option_of_any_ascii_name_is_one_word(name) -> None:
    assert shlex.split(kind_option(name, "integer")) == ["--kind", f"{name}=integer"]


@pytest.mark.parametrize("kind", ["datetime:%d=%m=%Y", "continuous:comma+$#", "id", "nonsense"])
@pytest.mark.parametrize("name", ["a", "a=b", "x=integer", "a\nb"])
def test_a_kind_is_parsed_after_the_name(name, kind) -> None:
    assert _parse_kind(f"{name}={kind}") == (name, kind)
