"""Tables: other storage, codes, splits."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import stats

import tabseed as ts
from helpers.frames import P
from tabseed.coding.encode import TableEncoder
from tabseed.errors import SchemaError, TabseedError
from tabseed.table import MISSING, UNSEEN, Table
from tabseed.table.schema import Column, Schema

# --- a schema from elsewhere --------------------------------------------------------------------

SCHEMA = Schema(
    (
        Column("x", "continuous"),
        Column("c", "categorical", categories=("a", "b")),
        Column("b", "boolean", categories=(0, 1)),
        Column("d", "datetime", datetime_format="%Y-%m-%d"),
    )
)


@pytest.mark.parametrize(
    "frame",
    [
        pa.table({"d": ["1970-01-02"], "b": [1.0], "c": ["b"], "x": [5], "more": [0]}),
        pa.table({"d": [dt.date(1970, 1, 2)], "b": [True], "c": ["b"], "x": ["5"]}),
        pd.DataFrame({"d": ["1970-01-02"], "b": ["1"], "c": pd.Categorical(["b"]), "x": [5.0]}),
        pl.DataFrame({"d": [dt.datetime(1970, 1, 2)], "b": [1], "c": ["b"], "x": [Decimal(5)]}),
    ],
)
def test_a_schema_reads_other_types_of_storage_alike(frame) -> None:
    table = Table.from_frame(frame, SCHEMA)
    assert table.schema == SCHEMA
    columns = [table.numbers("x"), table.codes("c"), table.codes("b"), table.numbers("d")]
    assert np.concatenate(columns).tolist() == [5, 1, 1, 86400e6]


def test_codes_distinguish_missing_from_unseen() -> None:
    frame = pa.table({"x": pa.nulls(3), "c": ["b", "z", None], "b": [0, 1, 2], "d": pa.nulls(3)})
    table = Table.from_frame(frame, SCHEMA)
    assert table.codes("c").tolist() == [1, UNSEEN, MISSING]
    assert table.codes("b").tolist() == [0, 1, UNSEEN]
    assert np.isnan(table.numbers("x")).all() and np.isnan(table.numbers("d")).all()
    nothing = Table.from_frame(pa.table({**{n: pa.nulls(1) for n in "xcbd"}}), SCHEMA)
    assert nothing.codes("c").tolist() == nothing.codes("b").tolist() == [MISSING]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"x": [1.5]}, "column 'c' is missing; the table has 'x'"),
        ({"x": ["?"], "c": ["a"], "b": [0], "d": ["1970-01-02"]}, "column 'x', row 1: '?' is not"),
        ({"x": [1], "c": ["a"], "b": [0], "d": ["02.01.1970"]}, "column 'd', row 1: '02.01.1970'"),
    ],
)
def test_a_frame_that_does_not_fit_its_schema_gets_one_line(frame, message) -> None:
    with pytest.raises(SchemaError) as caught:
        Table.from_frame(pa.table(frame), SCHEMA)
    assert message in str(caught.value)


def test_categories_of_another_type_are_refused_by_name() -> None:
    table = Table.from_frame(
        pa.table({"c": [[1]]}), Schema((Column("c", "categorical", categories=("a",)),))
    )
    with pytest.raises(SchemaError, match=r"column 'c' is stored as list.*of another type \('a'\)"):
        table.codes("c")
    with pytest.raises(SchemaError, match="column 'c' is categorical, not a number"):
        table.numbers("c")


# --- splitting ----------------------------------------------------------------------------------


def numbered(n: int, **columns) -> Table:
    return Table.from_frame(pa.table({"row": [float(i) + 0.5 for i in range(n)], **columns}))


@pytest.mark.parametrize("n", [1, 2, 3, 10, 101])
@pytest.mark.parametrize("share", [0.1, 0.29, 0.5, 0.8])
@pytest.mark.parametrize("stratify", [None, "c"])
def test_split_is_exact_disjoint_and_complete(n, share, stratify) -> None:
    table = numbered(n, c=[["a", "b", None][i % 3] for i in range(n)])
    first, second = table.split(share, stratify=stratify, random_state=3)
    assert len(first) == int(n * share + 0.5)
    rows = [part.numbers("row") for part in (first, second)]
    assert sorted(np.concatenate(rows)) == table.numbers("row").tolist()
    assert all((np.diff(part) > 0).all() for part in rows)  # in their original order


@pytest.mark.parametrize("share", [0.2, 0.5, 0.77])
def test_stratified_levels_keep_their_shares(share) -> None:
    cells = ["a"] * 50 + ["b"] * 7 + [None] * 13 + ["c"]
    table = numbered(len(cells), c=cells)
    for seed in range(20):
        first, _ = table.split(share, stratify="c", random_state=seed)
        for level in ("a", "b", None, "c"):
            assert abs(first.values("c").count(level) - share * cells.count(level)) < 1


def test_split_repeats_by_seed_and_leaves_global_states_alone() -> None:
    table = numbered(50)
    np_state, py_state = np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    parts = [table.split(0.5, random_state=s)[0].numbers("row").tolist() for s in (1, 1, 2)]
    assert parts[0] == parts[1] != parts[2]
    assert np.random.get_state()[1].tolist() == np_state  # noqa: NPY002
    assert random.getstate() == py_state


@pytest.mark.parametrize("stratify", [None, "c"])
def test_every_row_is_drawn_equally_often(stratify) -> None:
    """Chi-square over rows, seed fixed; false alarm below 1e-4 (rows drawn without replacement
    vary less than the law assumed)."""
    n, draws = 12, 600
    table = numbered(n, c=["a"] * 6 + ["b"] * 6)
    rng = np.random.default_rng(5)
    counts = np.zeros(n)
    for _ in range(draws):
        first, _ = table.split(1 / 3, stratify=stratify, random_state=rng)
        counts[(first.numbers("row") - 0.5).astype(int)] += 1
    expected = draws / 3
    chi2 = ((counts - expected) ** 2 / expected).sum()
    assert chi2 < stats.chi2.ppf(1 - 1e-4, n - 1)


@pytest.mark.parametrize("share", [0, 1, -0.5, float("nan")])
def test_a_share_lies_between_0_and_1(share) -> None:
    with pytest.raises(TabseedError, match=r"share=.* is not a number"):
        numbered(3).split(share)


def test_only_levels_can_be_stratified() -> None:
    with pytest.raises(SchemaError, match="'row' is continuous, not a category"):
        numbered(3).split(0.5, stratify="row")


def test_the_input_is_untouched() -> None:
    frame = P(pd.Categorical(["b", "a", None])).assign(x=[1.5, np.nan, 2.5])
    before = frame.copy(deep=True)
    encoder = TableEncoder().fit(Table.from_frame(frame))
    out = encoder.inverse_transform(encoder.transform(Table.from_frame(frame))).to_frame()
    out.loc[0, "x"] = 99.0
    pd.testing.assert_frame_equal(frame, before)


def test_a_schema_asks_for_no_column_that_is_left_out() -> None:
    frame = pa.table({"id": [f"p{i}" for i in range(30)], "x": [i / 4 for i in range(30)]})
    schema = Table.from_frame(frame).schema
    assert schema["id"].kind == "id"
    synthetic = Table.from_frame(frame.select(["x"]), schema=schema)
    assert synthetic.schema.names == ["x"]
    with pytest.raises(SchemaError, match="column 'x' is missing"):
        Table.from_frame(frame.select(["id"]), schema=schema)
    with pytest.raises(SchemaError, match="'id'"):
        Table.from_frame(frame.select(["x"]), schema=schema, kinds={"id": "categorical"})


DAYS = [dt.date(2020, 1, 1) + dt.timedelta(days=37 * i) for i in range(30)]


@pytest.mark.parametrize(
    "cells",
    [
        [str(day) for day in DAYS],
        [f"{day:%d.%m.%Y}" for day in DAYS],
        [f"{day} 00:00:00+00:00" for day in DAYS],
        [int(f"{day:%Y%m%d}") for day in DAYS],
    ],
)
def test_dates_of_a_schema_without_pattern_are_read_from_text(cells) -> None:
    stored = Table.from_frame(pa.table({"day": DAYS, "x": range(30)}))
    written = Table.from_frame(pa.table({"day": cells, "x": range(30)}), schema=stored.schema)
    np.testing.assert_array_equal(written.numbers("day"), stored.numbers("day"))


def test_dates_of_a_schema_without_pattern_are_not_guessed() -> None:
    stored = Table.from_frame(pa.table({"day": DAYS}))
    for cells, message in ((["01/02/2020"] * 30, "in 2 ways"), (["soon"] * 30, "no known date")):
        with pytest.raises(SchemaError, match=f"^column 'day': .*{message}"):
            Table.from_frame(pa.table({"day": cells}), schema=stored.schema)


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_the_end_of_the_year_9999_stays_in_it(unit, tmp_path) -> None:
    """Databases write its last microsecond for "no end"; the nearest float is the year 10000."""
    last = np.datetime64("9999-12-31T23:59:59.999999").astype(f"datetime64[{unit}]")
    moments = np.where(np.arange(40) % 4 == 0, last, np.datetime64("2024-01-01", unit))
    frame = pa.table({"end": moments, "x": np.arange(40) % 7})
    model = ts.SequentialTrees(random_state=0).fit(frame)
    drawn = model.sample(40)["end"].cast(pa.timestamp("s"), safe=False).to_numpy()
    second = np.datetime64("9999-12-31T23:59:59")
    assert set(drawn) == {second, np.datetime64("2024-01-01T00:00:00")}
    model.save(tmp_path / "m.tabseed")
    assert ts.load(tmp_path / "m.tabseed").sample(5, random_state=1).num_rows == 5
    ts.write_table(frame, tmp_path / "t.parquet")
    again = ts.read_table(tmp_path / "t.parquet")["end"].cast(pa.timestamp("us"))
    assert again.cast(pa.timestamp("s"), safe=False).to_numpy().max() == second


def test_codes_of_few_numbers_are_read_once() -> None:
    table = Table.from_frame(pa.table({"grade": np.arange(80) % 3 + 1, "x": np.arange(80) % 7}))
    numbers = table.numbers("grade")
    assert table.numbers("grade") is numbers and not numbers.flags.writeable
    part = table.select(Schema((table.schema["grade"],)))
    assert part.numbers("grade") is numbers
    np.testing.assert_array_equal(part.take([2, 0]).numbers("grade"), numbers[[2, 0]])
