"""Columns as they are detected, and messages of one line."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tabseed.table import Table
from tabseed.table.schema import Column


def column_of(name: str, values: Any, **options: Any) -> Column:
    """Return the only column of a table as it is detected."""
    return Table.from_frame(pa.table({name: values}), **options).schema[name]


def one_line(message: str, text: str) -> bool:
    return text in message and "\n" not in message
