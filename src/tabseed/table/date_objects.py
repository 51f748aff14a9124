"""Dates as objects of Python, as columns of pandas may hold them, several types in one column."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from tabseed.errors import SchemaError, printable, shortened
from tabseed.table.display import MAX_QUOTED


def check_date_objects(name: str, cells: Iterable[Any]) -> None:
    """Raise SchemaError, with the rows, for cells that mix dates, date-times and other things.

    Arrow takes the type of the first cell for all, and then cuts times or offsets off in silence.
    """
    cells = list(cells)
    if not any(issubclass(kind, dt.date) for kind in set(map(type, cells))):
        return
    first, sort = 0, ""
    for row, now in enumerate(map(_sort_of, cells)):
        if sort and now and now != sort:
            one, other = (shortened(cells[at], MAX_QUOTED) for at in (first, row))
            raise SchemaError(
                f"column {printable(name)!r} mixes {sort} (row {first + 1}: {one}) with {now} "
                f"(row {row + 1}: {other}); make all of one type, such as text"
            )
        first, sort = (row, now) if now and not sort else (first, sort)


def _sort_of(cell: Any) -> str:
    """Return what a cell of Python is, as regards dates; "" for a missing one."""
    if cell is None or (isinstance(cell, float) and cell != cell) or str(cell) in ("NaT", "<NA>"):
        return ""
    if isinstance(cell, dt.datetime):
        return "date-times with a time zone" if cell.tzinfo else "date-times without a time zone"
    return "dates" if isinstance(cell, dt.date) else f"{type(cell).__name__} cells"
