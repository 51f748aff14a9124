"""Read bytes as a file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from tabseed.table import files as io


def read(tmp_path: Path, data: bytes | str, name: str = "t.csv", **options) -> pa.Table:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return io.read_table(path, **options)
