"""Intervals on one axis."""

from __future__ import annotations

import math
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
class Tick:
    """A number below an axis, ``at`` per cent of its length."""

    at: float
    text: str


@dataclass(frozen=True)
class Placed(Line):
    """A line with its positions on an axis: ``x`` of low, value and high, ``zero`` of 0, ticks."""

    x: tuple[float, float, float] = (0.0, 0.0, 0.0)
    zero: float = 0.0
    width: float = WIDTH
    ticks: tuple[Tick, ...] = ()


def on_one_axis(lines: Sequence[Line], beside: Sequence[Line] = ()) -> list[Placed]:
    """Return all lines on one axis, which also spans 0 and the lines ``beside`` of other plots."""
    ends = [end for line in (*lines, *beside) for end in (line.low, line.high)]
    start, end = min([0.0, *ends]), max([0.0, *ends])
    at, marks = axis(start, end), ticks(start, end)
    return [
        Placed(
            **vars(line), x=(at(line.low), at(line.value), at(line.high)), zero=at(0.0), ticks=marks
        )
        for line in lines
    ]


def axis(start: float, end: float) -> Callable[[float], float]:
    """Return the function from a value between ``start`` and ``end`` to its position in a plot."""
    span = (end - start) or 1.0

    def at(value: float) -> float:
        return round(MARGIN + (value - start) / span * (WIDTH - 2 * MARGIN), 1)

    return at


def ticks(start: float, end: float, most: int = 4) -> tuple[Tick, ...]:
    """Return round numbers between ``start`` and ``end``, at most ``most``, 0 among them if inside.

    Their distance is 1, 2 or 5 times a power of ten.
    """
    span = end - start
    if not span > 0:
        return (Tick(50.0, f"{start:.3g}"),)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(m * power for m in (1, 2, 5, 10, 20) if span / (m * power) < most)
    first, last = math.ceil(start / step - 1e-9), math.floor(end / step + 1e-9)
    at = axis(start, end)
    return tuple(
        Tick(at=round(100 * at(k * step) / WIDTH, 2), text=f"{k * step:.6g}")
        for k in range(first, last + 1)
    )


def axis_end(highest: float) -> float:
    """Return the round number at which an axis that includes ``highest`` ends."""
    return next((tick for tick in AXIS_ENDS if tick >= highest), highest)
