"""An index of pandas in a file: row numbers are no column, named levels are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import feather

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
