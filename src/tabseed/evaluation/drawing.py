"""The pictures on the page of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tabseed.errors import printable, shortened
from tabseed.estimates.contrast import LEVEL
from tabseed.metrics import DivergenceResult
from tabseed.pages import Row
from tabseed.pages.intervals import Line, Placed, Tick, axis, axis_end, on_one_axis, ticks

NAME = 30  # characters of the name of a table, beside a picture
JUDGES = {"trees": "boosted trees", "mlp": "neural network"}


@dataclass(frozen=True)
class Plot:
    """The positions of a measure's two intervals on its axis, in the plot's units."""

    zero: float
    ticks: tuple[Tick, ...]
    synthetic: tuple[float, float, float]
    real: tuple[float, float, float]


def plot(row: Row) -> Plot:
    """Return the positions of both intervals, of synthetic and of real rows, in an answer's row."""
    start = min(0.0, row["synthetic_low"], row["real_low"])
    highest = max(row["synthetic_high"], row["real_high"])
    end = axis_end(max(highest, -0.6 * start))  # keep 0 clear of the end and its label
    at = axis(start, end)
    synthetic, real = (
        (at(row[f"{name}_low"]), at(row[name]), at(row[f"{name}_high"]))
        for name in ("synthetic", "real")
    )
    return Plot(at(0.0), ticks(start, end), synthetic, real)


def judges(result: DivergenceResult, reference: DivergenceResult) -> list[dict[str, Any]]:
    """Return each discriminator's own numbers, since the page quotes only the larger ones."""
    return [
        {
            "view": view,
            "judge": JUDGES[name],
            "js": estimates[name]["js"],
            "js_reference": reference.estimates[view][name]["js"],
            "kl": estimates[name]["kl"],
        }
        for view, estimates in result.estimates.items()
        for name in JUDGES
    ]


def bars_end(distances: Mapping[str, float], reference: Mapping[str, float]) -> float:
    """Return the value at which the axis of the columns' bars ends."""
    return axis_end(max((*distances.values(), *reference.values()), default=0.0))


def columns(
    distances: Mapping[str, float], reference: Mapping[str, float], end: float
) -> list[dict[str, Any]]:
    """Return the columns by distance, largest first, with their bars in per cent of the axis."""
    scale = 100 / end
    return [
        {
            "name": name,
            "synthetic": value,
            "real": reference[name],
            "bar": round(scale * value, 1),
            "mark": round(scale * reference[name], 1),
        }
        for name, value in sorted(distances.items(), key=lambda item: (-item[1], item[0]))
    ]


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
