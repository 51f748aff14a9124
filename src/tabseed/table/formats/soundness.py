"""Read a binary table file and validate it in full. Also a script, for a process of its own:

    python -I soundness.py SYS_PATH FILE MAX_BYTES

It imports only pyarrow, to start fast; ``SYS_PATH`` is the caller's, as JSON. It prints one line
for an unsound Arrow file (exit code 1), nothing for one that is too large (exit code 2).
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

SPARE = 2**29  # bytes that the process may use beyond the file and the table
BATCH_ROWS = 1_024  # of a Parquet file that could unpack to very much


class TooLarge(Exception):
    """The table unpacks to more bytes than allowed."""


def read_arrow(path: str, limit: int) -> Any:
    """Return an Arrow or Feather file (also a stream) as pyarrow's Table, validated in full."""
    import pyarrow as pa

    with pa.OSFile(path) as source:
        is_file = source.read(6) == b"ARROW1"
        source.seek(0)
        reader = pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)
        return _validated(reader.read_all(), limit)


def read_parquet(path: str, limit: int) -> Any:
    """Return a Parquet file as pyarrow's Table, validated in full.

    A few bytes may stand for any number of equal cells, so a file whose header allows more than
    ``limit`` bytes is unpacked bit by bit, and no further than that.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        metadata = file.metadata
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        chunks = [group.column(j) for group in groups for j in range(group.num_columns)]
        sizes = [max(0, chunk.total_uncompressed_size) for chunk in chunks]
        if sum(sizes) > limit:
            raise TooLarge
        # each cell at most as long as all that its chunk holds
        most = sum(c.num_values * max(8, size) for c, size in zip(chunks, sizes, strict=True))
        if most <= limit:
            return _validated(file.read(), limit)
        batches, total = [], 0
        for batch in file.iter_batches(BATCH_ROWS):
            total += batch.nbytes
            if total > limit:
                raise TooLarge
            batches.append(batch)
        return _validated(pa.Table.from_batches(batches, file.schema_arrow), limit)


def _validated(table: Any, limit: int) -> Any:
    table.validate(full=True)
    if table.nbytes > limit:
        raise TooLarge
    return table


def bound_memory(path: str, limit: int) -> None:
    """Let this process use ``limit`` bytes, the file's own and SPARE beyond what it uses now."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    with open("/proc/self/statm" if os.path.exists("/proc/self/statm") else os.devnull) as status:
        pages = status.read().split()[:1] or ["0"]
    now = int(pages[0]) * os.sysconf("SC_PAGE_SIZE")
    most = now + limit + os.path.getsize(path) + SPARE
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def say(error: Exception) -> None:
    """Print an error as one line that any terminal takes."""
    print(" ".join(str(error).split()).encode("ascii", "backslashreplace").decode())


def _main(sys_path: str, path: str, limit: str) -> int:
    sys.path[:] = json.loads(sys_path)
    import pyarrow as pa

    bound_memory(path, int(limit))
    try:
        read_arrow(path, int(limit))
    except (TooLarge, MemoryError):
        return 2
    except (pa.ArrowException, OSError, ValueError) as error:
        say(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
