"""The index of pandas in Parquet and Arrow files: row numbers there are no column of the table.

pandas keeps the index of a frame as columns of the file, and says so in the metadata. An index
without a name is called ``__index_level_0__`` in the file, and mostly holds the numbers of the rows
before they were filtered or shuffled: it is left out. An index that has a name was a column once
(``set_index``) and is one for every other program, so it stays a column.

pandas (``to_csv``, ``to_excel``) and R (``write.csv``) write the same numbers as a first column
without a name: it is left out too.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

UNNAMED = re.compile(r"__index_level_\d+__")
WHY = "the index of a pandas frame, not a column: left out"
NOTE = b"tabseed.index"  # key of the schema's metadata: names left out and reasons, as JSON
ROWS = "\0rows"  # the first column of a text file or sheet, if it has no name and numbers the rows


def without_index(table: pa.Table) -> pa.Table:
    """Return a table of a file without pandas' metadata and the columns of an unnamed index.

    The metadata names an index that is no longer there, and would make one of named columns.
    A table that consists of the index alone keeps it.
    """
    metadata = dict(table.schema.metadata or {})
    metadata.pop(b"pandas", None)
    index = [name for name in table.column_names if UNNAMED.fullmatch(name)]
    if index and len(index) < len(table.column_names):
        table = table.drop_columns(index)
        metadata[NOTE] = json.dumps(dict.fromkeys(index, WHY)).encode()
    return table.replace_schema_metadata(metadata or None)


def are_row_numbers(cells: pa.ChunkedArray) -> bool:
    """Return whether cells of text are different whole numbers, as an index of pandas or R is."""
    whole = pc.all(pc.match_substring_regex(cells, "^[0-9]+$"), skip_nulls=False).as_py()
    return bool(whole) and pc.count_distinct(cells).as_py() == len(cells)


def without_row_numbers(table: pa.Table) -> pa.Table:
    """Return a table of a text file or a sheet without the column called :data:`ROWS`."""
    if ROWS not in table.column_names:
        return table
    place = table.column_names.index(ROWS) + 1
    note = json.dumps({f"column {place}": "row numbers without a name: left out"}).encode()
    return table.drop_columns([ROWS]).replace_schema_metadata(
        {**(table.schema.metadata or {}), NOTE: note}
    )


def index_notes(table: pa.Table) -> dict[str, str]:
    """Return what was left out of this table, each with the reason."""
    note = (table.schema.metadata or {}).get(NOTE)
    return {} if note is None else dict(json.loads(note))


def index_with_data(frame: Any) -> list[str]:
    """Return the levels of a pandas index that are more than row numbers: named, or not whole.

    An index of whole numbers without a name is what filters and shuffles leave behind.
    """
    index: Any = getattr(frame, "index", None)
    if not hasattr(index, "nlevels") or type(index).__name__ == "RangeIndex":
        return []
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    plain = ("integer", "empty")
    return [
        f"index {level.name!r}" if level.name is not None else "the index"
        for level in levels
        if level.name is not None or level.inferred_type not in plain
    ]
