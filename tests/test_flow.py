"""How often a table is converted from one form into another on its way through the library."""

from __future__ import annotations

import copy
import gc
import pickle
import re
import weakref
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tabseed as ts
from tabseed.cli import app
from tabseed.cli.console import run
from tabseed.coding.encode import TableEncoder
from tabseed.errors import SchemaError
from tabseed.table import MISSING, Table
from tabseed.table import table as module
from tabseed.table.schema import NUMERIC, Column, Schema

PENGUINS = Path(__file__).parents[1] / "examples" / "penguins.csv"
SOURCE = Path(ts.__file__).parent


@pytest.fixture
def conversions(monkeypatch) -> Counter:
    """Count, by column, how often Arrow's cells are converted into numpy's."""
    counts: Counter = Counter()

    def counted(work, name_of):
        def call(*arguments):
            counts[name_of(arguments[0])] += 1
            return work(*arguments)

        return call

    for name in ("read_numbers", "read_codes", "detect"):
        monkeypatch.setattr(
            module, name, counted(getattr(module, name), lambda c: getattr(c, "name", c))
        )
    return counts


def synth(tmp_path: Path, *further: object) -> Path:
    out = tmp_path / "out.csv"
    assert run(app, ["synth", str(PENGUINS), "-o", str(out), *map(str, further)]) == 0
    return out


def test_synth_reads_a_column_twice(conversions, tmp_path) -> None:
    """Once to detect its kind, once to learn from it; drawn rows go to the file as they are."""
    synth(tmp_path)
    assert set(conversions) == set(ts.read_table(PENGUINS).column_names)
    assert set(conversions.values()) == {2}


@pytest.mark.slow
def test_synth_with_a_report_reads_a_column_at_most_seven_times(conversions, tmp_path) -> None:
    synth(tmp_path, "--report", tmp_path / "page.html")
    assert max(conversions.values()) <= 7
    synthetic = ts.read_table(tmp_path / "out.csv")
    assert set(conversions) == set(synthetic.column_names)


def test_only_the_table_package_converts_arrow_into_numpy() -> None:
    """So that the counts above miss no conversion."""
    elsewhere = [
        f"{path.relative_to(SOURCE)}: {line.strip()}"
        for path in SOURCE.rglob("*.py")
        if path.parent.name != "table"
        for line in path.read_text().splitlines()
        if re.search(r"to_arrow\(\).*(to_numpy|to_pylist|to_pydict|to_pandas)", line)
        and ">>>" not in line
    ]
    assert not elsewhere


# --- a table remembers --------------------------------------------------------------------------


def mixed(n: int = 30) -> Table:
    rng = np.random.default_rng(3)
    frame = pa.table(
        {
            "real": pa.array(rng.normal(size=n), mask=rng.random(n) < 0.2),
            "whole": pa.array(rng.integers(-5, 50, n), pa.int16()),
            "small": pa.array(rng.normal(size=n).astype("float32")),
            "when": pa.array(rng.integers(0, 10**15, n), pa.timestamp("us")),
            "day": pa.array(rng.integers(0, 10_000, n).astype("int32"), pa.date32()),
            "level": pa.array(rng.choice(["a", "b", "c"], n), mask=rng.random(n) < 0.2),
            "coded": pa.array(rng.choice(["x", "y"], n)).dictionary_encode(),
            "yes": pa.array(rng.random(n) < 0.5),
            "flag": pa.array(rng.choice([0.0, 1.0], n), mask=rng.random(n) < 0.2),
        }
    )
    return Table.from_frame(frame)


def read_again(table: Table) -> dict[str, np.ndarray]:
    fresh = Table(table.to_arrow(), table.schema, table.frame_kind)
    return {name: fresh.cells(name) for name in table.schema.names}


def assert_remembers_correctly(table: Table) -> None:
    for name, cells in read_again(table).items():
        np.testing.assert_array_equal(table.cells(name), cells, err_msg=name)
        assert table.cells(name).dtype == cells.dtype, name


def test_columns_are_read_once_and_cannot_be_written_to(conversions) -> None:
    table = mixed()
    conversions.clear()
    for name in table.schema.names:
        cells = table.cells(name)
        assert cells is table.cells(name)
        with pytest.raises(ValueError, match="read-only"):
            cells[0] = 1
    assert max(conversions.values()) <= 1


@pytest.mark.parametrize(
    "part",
    [
        lambda t: t.take([5, 5, 0, 29]),
        lambda t: t.take([]),
        lambda t: t.select(Schema(t.schema.columns[::2])),
        lambda t: t.split(0.6, stratify="level", random_state=0)[1],
        lambda t: Table.from_frame(t, schema=Schema(t.schema.columns[1:])),
        lambda t: t.take(np.arange(9)).select(Schema(t.schema.columns[:3])).take([1]),
    ],
)
def test_parts_remember_the_cells_that_reading_would_give(part, conversions) -> None:
    table = mixed()
    for name in table.schema.names:
        table.cells(name)
    conversions.clear()
    piece = part(table)
    for name in piece.schema.names:
        piece.cells(name)
    assert not conversions
    assert_remembers_correctly(piece)


def test_rows_out_of_range_are_refused() -> None:
    for rows in ([-1], [len(mixed())], [0.5]):
        with pytest.raises(SchemaError, match="list of row indices"):
            mixed().take(rows)


def test_another_kind_is_read_again(conversions) -> None:
    table = Table.from_frame(pa.table({"a": [0, 1, 2, 1]}), kinds={"a": "integer"})
    conversions.clear()
    codes = table.select(Schema((Column("a", "ordinal", "", (2, 1, 0)),))).codes("a")
    assert codes.tolist() == [2, 1, 0, 1]
    assert table.numbers("a").tolist() == [0, 1, 2, 1]
    assert conversions == {"a": 1}
    with pytest.raises(SchemaError, match="not a category"):
        table.codes("a")


def test_a_table_with_its_own_schema_is_returned_as_it_is() -> None:
    table = mixed()
    assert Table.from_frame(table) is table
    assert Table.from_frame(table, schema=table.schema) is table
    assert Table.from_frame(table, kinds={"whole": "continuous"}) is not table


@pytest.mark.parametrize("seed", range(5))
def test_a_table_from_columns_remembers_the_cells_that_reading_would_give(seed) -> None:
    like, rng = mixed(), np.random.default_rng(seed)
    columns = {
        c.name: rng.normal(0, 10, 50) if c.kind in NUMERIC else rng.integers(-2, 2, 50)
        for c in like.schema
    }
    columns["real"][:3] = np.nan, -0.0, 1e300  # the last is too large to be read
    columns["whole"][:3] = np.nan, -0.3, 0.5
    columns["when"][:2] = np.nan, -1.5
    table = Table.from_columns(like.schema, like.frame_kind, columns)
    with pytest.raises(SchemaError, match=r"row 3: .* beyond"):
        table.numbers("real")
    columns["real"][2] = 0.1
    table = Table.from_columns(like.schema, like.frame_kind, columns)
    assert_remembers_correctly(table)
    columns["real"][:] = 0  # later changes to the arrays do not reach the table
    assert_remembers_correctly(table)


def test_categories_that_are_equal_in_storage_are_read_from_there() -> None:
    schema = Schema((Column("a", "categorical", "", ("1", "01")),))
    like = Table.from_frame(pa.table({"a": [1, 1]}))
    table = Table.from_columns(schema, like.frame_kind, {"a": np.array([0, 1, MISSING])})
    assert table.codes("a").tolist() == [0, 0, MISSING]


def test_the_encoder_returns_a_table_that_needs_no_reading(conversions) -> None:
    names = ("real", "whole", "when", "level", "coded", "yes", "flag")
    table = mixed()
    table = table.select(Schema(tuple(table.schema[name] for name in names)))
    encoder = TableEncoder().fit(table)
    back = encoder.inverse_transform(encoder.transform(table))
    conversions.clear()
    for name in names:
        np.testing.assert_array_equal(back.cells(name), table.cells(name))
    assert not conversions


def test_memory_is_freed_with_the_table_and_copies_read_again() -> None:
    table = mixed()
    reference = weakref.ref(table.numbers("real"))
    part = table.take(np.arange(5))
    for again in (pickle.loads(pickle.dumps(table)), copy.deepcopy(table)):
        assert not again.numbers("real").flags.writeable
        assert_remembers_correctly(again)
    assert len(pickle.dumps(table)) < len(pickle.dumps(table.to_arrow())) + 5_000
    del table, again
    gc.collect()
    assert reference() is None
    assert_remembers_correctly(part)


# --- draws and files ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_sample_gives_the_rows_of_draw_as_a_frame(kind) -> None:
    frame = kind({"x": [1.5, 2.5, 4.0, 8.0] * 5, "y": ["a", "b", "b", "a"] * 5})
    model = ts.Resample(random_state=0).fit(frame)
    for options in ({}, {"random_state": 3}, {"conditions": {"y": "b"}, "random_state": 1}):
        table = model.draw(7, **options)
        assert isinstance(table, Table) and len(table) == 7
        assert type(model.sample(7, **options)) is type(frame)
        assert table.to_frame().equals(model.sample(7, **options))


def test_fit_takes_a_table_as_it_is(conversions) -> None:
    table = mixed()
    for name in table.schema.names:
        table.cells(name)
    conversions.clear()
    ts.Resample(random_state=0).fit(table, target="level")
    assert not conversions


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".arrow", ".tsv.gz"])
def test_all_kinds_of_frames_are_written_alike(ending, tmp_path) -> None:
    columns = {"x": [1.5, None, 3.0], "y": ["a", None, "c"], "n": [1, 2, 3]}
    arrow = pa.table(columns)
    frames = [arrow, pd.DataFrame(columns), pl.DataFrame(columns), Table.from_frame(arrow)]
    written = []
    for number, frame in enumerate(frames):
        path = tmp_path / f"{number}{ending}"
        ts.write_table(frame, path)
        written.append(path.read_bytes())
        assert ts.read_table(path).equals(arrow)
    assert len(set(written)) == 1 or ending == ".arrow"  # Arrow files keep buffers as they come


def test_objects_that_are_not_frames_are_not_written(tmp_path) -> None:
    with pytest.raises(SchemaError, match="expected a pandas, polars or pyarrow table, got dict"):
        ts.write_table({"x": [1]}, tmp_path / "x.csv")
    assert not list(tmp_path.iterdir())


def test_an_arrow_table_is_written_with_its_types(tmp_path) -> None:
    table = pa.table({"a": pa.array([[1], [2]], pa.list_(pa.int8()))})
    ts.write_table(table, tmp_path / "a.parquet")
    assert pq.read_table(tmp_path / "a.parquet").equals(table)
