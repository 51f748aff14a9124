"""An index of pandas in a file: row numbers are no column, named levels are."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import feather

from tabseed.errors import SchemaError
from tabseed.table import Table
from tabseed.table.files import read_table
from tabseed.table.index import index_notes

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"age": RNG.integers(18, 90, 60), "bmi": RNG.normal(26, 4, 60)})
PAIRS = pd.MultiIndex.from_arrays([[f"c{i % 3}" for i in range(60)], range(60)])


@pytest.mark.parametrize("ending", ["parquet", "feather"])
@pytest.mark.parametrize(
    ("frame", "columns"),
    [
        (FRAME, ["age", "bmi"]),
        (FRAME[FRAME.age > 40], ["age", "bmi"]),
        (FRAME.sample(frac=1, random_state=0), ["age", "bmi"]),
        (FRAME.set_index(pd.RangeIndex(5, 65)), ["age", "bmi"]),
        (FRAME.set_index(pd.RangeIndex(5, 65, name="row")), ["age", "bmi"]),
        (FRAME.set_index(pd.date_range("2020", periods=60)), ["age", "bmi"]),
        (FRAME.set_index(PAIRS), ["age", "bmi"]),
        (FRAME.set_index(PAIRS.set_names(["centre", None])), ["age", "bmi", "centre"]),
        (FRAME.set_index(pd.date_range("2020", periods=60, name="day")), ["age", "bmi", "day"]),
        (FRAME.set_index("age"), ["bmi", "age"]),
    ],
)
def test_an_index_is_a_column_only_if_it_has_a_name(tmp_path, ending, frame, columns) -> None:
    path = tmp_path / f"t.{ending}"
    table = pa.Table.from_pandas(frame)
    if ending == "parquet":
        frame.to_parquet(path)
    else:
        feather.write_feather(table, path)
    read = read_table(path)
    assert read.column_names == columns
    assert list(index_notes(read)) == [n for n in table.column_names if n.startswith("__index")]
    # pandas, asked for a frame, makes the same columns
    assert read.to_pandas().columns.tolist() == columns
    np.testing.assert_array_equal(read["bmi"].to_numpy(), frame["bmi"])


def test_an_index_that_another_program_kept_as_a_column_is_left_out() -> None:
    frame = pl.DataFrame({"__index_level_0__": [5, 3, 9], "x": [1.5, 2.5, 3.5]})
    schema = Table.from_frame(frame).schema
    assert schema.modelled.names == ["x"]
    assert schema["__index_level_0__"].reason.startswith("the index of a pandas frame")


def test_a_file_of_an_index_alone_is_read(tmp_path) -> None:
    pd.DataFrame(index=pd.Index([3, 1, 2])).to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").column_names == ["__index_level_0__"]


@pytest.mark.parametrize(
    "frame", [FRAME, FRAME[FRAME.age > 40], FRAME.sample(frac=1, random_state=0)]
)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC])
def test_row_numbers_of_a_text_file_are_no_column(tmp_path, frame, quoting) -> None:
    path, plain = tmp_path / "t.csv", tmp_path / "plain.csv"
    frame.to_csv(path, quoting=quoting)
    frame.to_csv(plain, quoting=quoting, index=False)
    assert read_table(path).equals(read_table(plain))
    assert index_notes(read_table(path)) == {"column 1": "row numbers without a name: left out"}


def test_row_numbers_of_a_sheet_are_no_column(tmp_path) -> None:
    pytest.importorskip("python_calamine")
    FRAME.to_excel(tmp_path / "t.xlsx")
    table = read_table(tmp_path / "t.xlsx")
    assert table.column_names == ["age", "bmi"]
    assert table["age"].to_pylist() == FRAME.age.tolist()
    assert list(index_notes(table)) == ["column 1"]


@pytest.mark.parametrize(
    "text",
    [
        ",b\n1,2\n1,3\n",  # no row has a number of its own
        ",b\nx,2\ny,3\n",
        ",b\n,2\n1,3\n",
        "a,,c\n1,2,3\n2,3,4\n",
        ",,c\n1,2,3\n2,3,4\n",
    ],
)
def test_other_columns_without_a_name_are_refused(tmp_path, text) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(SchemaError, match="has no name in the header"):
        read_table(path)
