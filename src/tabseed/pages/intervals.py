"""Intervals on one axis."""

from __future__ import annotations

from collections.abc import Callable

WIDTH, MARGIN = 320.0, 8.0  # of an interval plot, in its own units
AXIS_ENDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


def axis(start: float, end: float) -> Callable[[float], float]:
    """Give what turns a value between ``start`` and ``end`` into its place in an interval plot."""
    span = (end - start) or 1.0

    def at(value: float) -> float:
        return round(MARGIN + (value - start) / span * (WIDTH - 2 * MARGIN), 1)

    return at


def _axis_end(highest: float) -> float:
    return next((tick for tick in AXIS_ENDS if tick >= highest), highest)
