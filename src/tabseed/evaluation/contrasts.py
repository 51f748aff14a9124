"""The pictures on the page of a comparison: values and paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tabseed.errors import printable, shortened
from tabseed.estimates.contrast import LEVEL
from tabseed.pages import Row
from tabseed.pages.intervals import Line, Placed, on_one_axis

NAME = 30  # characters of the name of a table, beside a picture


def compared(rows: Sequence[Row]) -> tuple[list[Placed], list[Placed]]:
    """Return the values of a measure and its paired differences, each on one axis.

    ``rows`` are those of the measure in a comparison's answer, what real rows get last among the
    values. That is in another colour, as is a difference that is not told from 0.
    """
    lines: dict[bool, list[Line]] = {True: [], False: []}
    for row in rows:
        ends, alone = (row["value"], row["low"], row["high"]), row["minus"] is None
        name = row["table"] if alone else f"{row['table']} − {row['minus']}"
        told = alone or row["p"] < LEVEL
        extra = "" if alone else printable(shortened(row["better"], NAME))
        lines[alone].append(Line(name, *ends, stands_out=told, extra=extra))
    *synthetic, real = lines[True]
    return on_one_axis([*synthetic, replace(real, stands_out=False)]), on_one_axis(lines[False])
