"""Damaged and crafted binary files: one line, never a signal, never more memory than allowed."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tabseed.errors import FileError
from tabseed.table import files as io
from tabseed.table.formats import binary

TABLE = pa.table(
    {
        "text": [f"v{i % 7}" if i % 11 else None for i in range(60)],
        "level": pa.array([f"c{i % 5}" for i in range(60)]).dictionary_encode(),
        "x": np.random.default_rng(0).normal(size=60),
    }
)


def write_arrow(table: pa.Table, path, compression: str | None) -> None:
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_file(str(path), table.schema, options=options) as writer:
        writer.write_table(table)


def write_parquet(table: pa.Table, path, compression: str) -> None:
    pq.write_table(table, path, compression=compression)


def flipped(data: bytes, seed: int) -> bytes:
    rng, changed = np.random.default_rng(seed), bytearray(data)
    for at in rng.integers(0, len(data), rng.integers(1, 5)):
        changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


@pytest.mark.slow
@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_flipped_arrow_files_give_a_sound_table_or_one_line(tmp_path, compression) -> None:
    path = tmp_path / "t.arrow"
    write_arrow(TABLE, path, compression)
    check_flips(path, 8)


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_flipped_parquet_files_give_a_sound_table_or_one_line(tmp_path, compression) -> None:
    path = tmp_path / "t.parquet"
    write_parquet(TABLE, path, compression)
    check_flips(path, 40)


def check_flips(path, times: int) -> None:
    data = path.read_bytes()
    for seed in range(times):
        path.write_bytes(flipped(data, seed))
        try:
            table = io.read_table(path)
        except FileError as error:
            assert str(error).isprintable()
        else:
            table.validate(full=True)
            table.to_pylist()


def test_an_index_beyond_its_dictionary_is_found(tmp_path) -> None:
    path, index = tmp_path / "t.arrow", pa.array([0, 99], pa.int8())
    column = pa.DictionaryArray.from_arrays(index, pa.array(["a"]), safe=False)
    write_arrow(pa.table({"a": column}), path, None)
    with pytest.raises(FileError, match="not a sound Arrow file"):
        io.read_table(path)


@pytest.mark.parametrize("name", ["t.arrow", "t.parquet"])
def test_a_small_file_that_unpacks_to_very_much_is_refused(tmp_path, monkeypatch, name) -> None:
    path, table = tmp_path / name, pa.table({"a": pa.array(["x" * 1_000] * 5_000)})
    if name == "t.arrow":
        write_arrow(table, path, "zstd")
    else:
        write_parquet(table, path, "zstd")
    assert path.stat().st_size < 50_000
    monkeypatch.setattr(binary, "MAX_BYTES", 2**20)
    with pytest.raises(FileError, match="more than 1 MiB"):
        io.read_table(path)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("name", ["t.arrow", "t.parquet"])
def test_dates_beyond_all_calendars_are_refused_with_their_row(tmp_path, name, unit) -> None:
    ends = [dt.datetime(1900, 1, 1), None, dt.datetime(2200, 12, 31)]
    sound = pa.array(ends, pa.timestamp(unit))
    io.write_table(pa.table({"t": sound}), tmp_path / name)
    assert io.read_table(tmp_path / name)["t"].to_pylist() == ends
    endless = pa.array([0, None, 2**63 - 1]).cast(pa.timestamp(unit))
    if name == "t.parquet" and unit == "s":
        return  # Parquet has no seconds
    io.write_table(pa.table({"t": endless}), tmp_path / name, force=True)
    with pytest.raises(FileError, match="column 't', row 3: not a date of the years 1 to 9999"):
        io.read_table(tmp_path / name)
