"""Intervals on one axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabseed.estimates.estimate import Estimate

WIDTH, MARGIN = 320.0, 8.0  # of an interval plot, in its own units
AXIS_ENDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


@dataclass(frozen=True)
class Line:
    """An interval with its name, and the text beside it; ``stands_out`` chooses the colour."""

    name: str
    value: float
    low: float
    high: float
    stands_out: bool
    meaning: str = ""
    extra: str = ""

    @classmethod
    def of(cls, name: str, estimate: Estimate) -> Line:
        """Return the line of an estimate; it stands out if its interval excludes 0."""
        low, high = estimate.low, estimate.high
        return cls(name, estimate.value, low, high, not low <= 0 <= high)


@dataclass(frozen=True)
class Placed(Line):
    """A line with its positions on an axis: ``x`` of low, value and high, and ``zero`` of 0."""

    x: tuple[float, float, float] = (0.0, 0.0, 0.0)
    zero: float = 0.0
    width: float = WIDTH


def on_one_axis(lines: Sequence[Line], beside: Sequence[Line] = ()) -> list[Placed]:
    """Return all lines on one axis, which also spans 0 and the lines ``beside`` of other plots."""
    ends = [end for line in (*lines, *beside) for end in (line.low, line.high)]
    at = axis(min([0.0, *ends]), max([0.0, *ends]))
    return [
        Placed(**vars(line), x=(at(line.low), at(line.value), at(line.high)), zero=at(0.0))
        for line in lines
    ]


def axis(start: float, end: float) -> Callable[[float], float]:
    """Return the function from a value between ``start`` and ``end`` to its position in a plot."""
    span = (end - start) or 1.0

    def at(value: float) -> float:
        return round(MARGIN + (value - start) / span * (WIDTH - 2 * MARGIN), 1)

    return at


def axis_end(highest: float) -> float:
    """Return the round number at which an axis that includes ``highest`` ends."""
    return next((tick for tick in AXIS_ENDS if tick >= highest), highest)
