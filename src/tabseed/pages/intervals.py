"""Intervals on one axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabseed.estimates.estimate import Estimate

WIDTH, MARGIN = 320.0, 8.0  # of an interval plot, in its own units
AXIS_ENDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


@dataclass(frozen=True)
class Line:
    """An interval with its name, and what to say beside it; ``stands_out`` chooses the colour."""

    name: str
    value: float
    low: float
    high: float
    stands_out: bool
    meaning: str = ""
    extra: str = ""

    @classmethod
    def of(cls, name: str, estimate: Estimate) -> Line:
        """Give the line of an estimate; one that 0 lies outside of stands out."""
        low, high = estimate.low, estimate.high
        return cls(name, estimate.value, low, high, not low <= 0 <= high)


@dataclass(frozen=True)
class Placed(Line):
    """A line, and where it lies on its axis: ``x`` of low, value and high, and of 0."""

    x: tuple[float, float, float] = (0.0, 0.0, 0.0)
    zero: float = 0.0
    width: float = WIDTH


def on_one_axis(lines: Sequence[Line], beside: Sequence[Line] = ()) -> list[Placed]:
    """Place all lines on one axis that holds 0, and the lines ``beside`` in other plots."""
    ends = [end for line in (*lines, *beside) for end in (line.low, line.high)]
    at = axis(min([0.0, *ends]), max([0.0, *ends]))
    return [
        Placed(**vars(line), x=(at(line.low), at(line.value), at(line.high)), zero=at(0.0))
        for line in lines
    ]


def axis(start: float, end: float) -> Callable[[float], float]:
    """Give what turns a value between ``start`` and ``end`` into its position in a plot."""
    span = (end - start) or 1.0

    def at(value: float) -> float:
        return round(MARGIN + (value - start) / span * (WIDTH - 2 * MARGIN), 1)

    return at


def axis_end(highest: float) -> float:
    """Give the round number at which an axis ends that holds ``highest``."""
    return next((tick for tick in AXIS_ENDS if tick >= highest), highest)
