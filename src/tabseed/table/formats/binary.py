"""Parquet, Arrow and Feather files: what is read is sound, and no larger than MAX_BYTES.

Arrow trusts what an Arrow file says of its buffers, and a few bytes may unpack to many: a crafted
or damaged file can end the process by a signal. So such a file is first read, and validated in
full, by a process of its own with bounded memory (:mod:`tabseed.table.formats.soundness`); this
costs about 0.2 s and one more reading of the file.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tabseed.errors import FileError, one_line, printable
from tabseed.table.arrow_types import is_date
from tabseed.table.formats import soundness
from tabseed.table.formats.process import run_script
from tabseed.table.notation.date_fields import YEARS

MAX_BYTES = 2**31  # decompressed; a file beyond 2 GiB is not a small table, or is a zip bomb
CHECK_SECONDS = 120


def read_parquet(path: Path) -> pa.Table:
    """Read a Parquet file; FileError for an unsound one, and beyond MAX_BYTES."""
    return _sound(path, "Parquet", soundness.read_parquet)


def read_arrow(path: Path) -> pa.Table:
    """Read an Arrow or Feather file; FileError for an unsound one, and beyond MAX_BYTES."""
    if path.stat().st_size > MAX_BYTES:
        raise too_large(path, MAX_BYTES)
    _look_first(path)
    return _sound(path, "Arrow", soundness.read_arrow)


def _sound(path: Path, form: str, read: Callable[[str, int], pa.Table]) -> pa.Table:
    try:
        table = read(str(path), MAX_BYTES)
    except soundness.TooLarge:
        raise too_large(path, MAX_BYTES) from None
    except (pa.ArrowException, ValueError, OSError) as error:
        raise _unsound(path, form, error) from error
    check_dates(str(path), table)
    return table


def too_large(path: Path, limit: int) -> FileError:
    """Return the error for a file that holds more than ``limit`` bytes of data."""
    return FileError(
        f"{path}: holds more than {limit // 2**20} MiB of data; take only some of its rows"
    )


def _unsound(path: Path, form: str, why: object) -> FileError:
    return FileError(f"{path}: not a sound {form} file: {one_line(why)}")


def _look_first(path: Path) -> None:
    """Let another process read and validate an Arrow file, and say what it found."""
    if not sys.executable:  # Python inside another program: no interpreter to start
        return
    try:
        done = run_script(soundness, path, MAX_BYTES, seconds=CHECK_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise _unsound(path, "Arrow", f"not read after {CHECK_SECONDS} s") from error
    if done.returncode == 2:
        raise too_large(path, MAX_BYTES)
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace") or "reading it ends the process that tries"
        raise _unsound(path, "Arrow", said)


def check_dates(where: str, table: pa.Table) -> None:
    """Raise FileError for a date outside the years 1 to 9999, such as an infinite one of SQL."""
    for name in table.column_names:
        column = table[name]
        if not is_date(column.type):
            continue
        row = _first_beyond(column)
        if row is not None:
            raise FileError(
                f"{where}: column {printable(name)!r}, row {row + 1}: not a date of the years 1 to "
                "9999; correct it, or make it missing"
            )


def _first_beyond(column: pa.ChunkedArray) -> int | None:
    """Return the first row whose date or time lies outside the years 1 to 9999."""
    kind: Any = column.type
    if pa.types.is_timestamp(kind):
        unit, number = kind.unit, pa.int64()
    else:
        unit, number = ("D", pa.int32()) if pa.types.is_date32(kind) else ("ms", pa.int64())
    if unit == "ns":  # reaches from 1677 to 2262 only; its ends stand for infinity in SQL
        low, high = -(2**63) + 2, 2**63 - 2
    else:
        ends = np.array(YEARS, "datetime64[us]").astype(f"datetime64[{unit}]")
        low, high = ends.astype(np.int64).tolist()
    cells = column.cast(number).fill_null(low).to_numpy()
    beyond = (cells < low) | (cells > high)
    return int(beyond.argmax()) if beyond.any() else None
