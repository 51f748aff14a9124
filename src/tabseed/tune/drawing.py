"""Draw a study in parallel coordinates, as SVG: no script, no font, every name escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

import numpy as np

from tabseed.errors import printable
from tabseed.estimates.words import DIGITS, cell, number
from tabseed.parameters import Having, checked
from tabseed.space import Choice, Dimension, Space
from tabseed.tune.trial import Trial

GAP, HEIGHT = 130.0, 220.0  # between axes; of an axis
MARGIN, HEAD = 70.0, 74.0  # at the sides of a panel; above it
HALO = 'paint-order="stroke" stroke="white" stroke-width="3"'  # labels stay clear of lines
WORST, BEST = np.array([200, 208, 218]), np.array([20, 90, 160])  # colours, red green blue
LONGEST = 22  # characters of a name; longer names are cut


class Trials(Protocol):
    """The parts of a study that a picture shows."""

    @property
    def spaces(self) -> dict[str, Space]:
        """The settings of each family."""

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials, in the order in which they began."""

    @property
    def best(self) -> Trial:
        """The trial that is chosen."""


@dataclass(frozen=True)
class _Axis:
    """A vertical axis: its title, and its labels with their heights (0 bottom to 1 top)."""

    title: str
    labels: Sequence[tuple[float, str]]


@checked(study=Having(("spaces", "trials"), "a Study"))
def parallel_coordinates(study: Trials) -> str:
    """Draw every trial as a line through its settings to its value: an SVG document.

    Each family has a panel, and each setting an axis; the last axis is the value, on one scale
    for all families. The better a trial ranks among all, the darker its line; the best one is
    thick. Failed trials are dashed and stop before the value axis. A tooltip describes each
    line. Running trials are left out.
    """
    families = list(study.spaces)
    widest = max((len(space) for space in study.spaces.values()), default=0)
    values = np.array([t.value for t in study.trials if t.draws])
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    best = study.best.number if len(values) else None
    width = 2 * MARGIN + GAP * widest
    height = (HEIGHT + 1.5 * HEAD) * len(families)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        'role="img" font-family="sans-serif" font-size="11" fill="#333">',
        f"<title>{len(study.trials)} trials of {len(families)} families</title>",
        f'<rect width="{width:g}" height="{height:g}" fill="white"/>',
    ]
    for row, family in enumerate(families):
        own = [t for t in study.trials if t.family == family and t.state != "running"]
        parts.append(
            f'<g transform="translate({MARGIN:g},{HEAD + row * (HEIGHT + 1.5 * HEAD):g})">'
        )
        heading = f"{_short(family)}: {_count(own)}"
        parts.append(f'<text y="-44" font-size="14" font-weight="bold">{heading}</text>')
        heights = {t.number: (t.value - low) / ((high - low) or 1.0) for t in own if t.draws}
        for trial in sorted(own, key=lambda t: heights.get(t.number, -1.0)):  # the best on top
            share = float(np.mean(values <= trial.value)) if trial.draws else 0.0
            points = [*study.spaces[family].point(trial.settings)]
            if trial.draws:
                points.append(heights[trial.number])
            parts.append(_line(trial, points, share, thick=trial.number == best))
        parts += _axes([*map(_axis, study.spaces[family].dimensions.items()), _value(low, high)])
        parts.append("</g>")
    return "\n".join([*parts, "</svg>\n"])


def _short(text: Any) -> str:
    """Return a name escaped for XML, and cut if it is long."""
    plain = printable(text)
    return escape(plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…")


def _count(trials: Sequence[Trial]) -> str:
    failed = sum(not t.draws for t in trials)
    return f"{len(trials)} trial{'s' * (len(trials) != 1)}" + (
        f", {failed} failed" if failed else ""
    )


def _axis(item: tuple[str, Dimension]) -> _Axis:
    name, dimension = item
    if isinstance(dimension, Choice):
        return _Axis(name, [(dimension.coordinate(v), str(v)) for v in dimension.values])
    ends = [dimension.value(u) for u in (0.0, 0.5, 1.0)]
    return _Axis(name, [(dimension.coordinate(v), cell(v, DIGITS)) for v in dict.fromkeys(ends)])


def _value(low: float, high: float) -> _Axis:
    return _Axis("value", [(0.0, number(low, DIGITS)), (1.0, number(high, DIGITS))])


def _axes(axes: Sequence[_Axis]) -> list[str]:
    parts = []
    for k, axis in enumerate(axes):
        x = k * GAP
        parts.append(f'<line x1="{x:g}" x2="{x:g}" y1="0" y2="{HEIGHT:g}" stroke="#888"/>')
        parts.append(f'<text x="{x:g}" y="-12" text-anchor="middle">{_short(axis.title)}</text>')
        for height, label in axis.labels:
            y = HEIGHT * (1 - height) + 4
            parts.append(
                f'<text x="{x - 5:g}" y="{y:.1f}" text-anchor="end" {HALO}>{_short(label)}</text>'
            )
    return parts


def _line(trial: Trial, points: Sequence[float], share: float, *, thick: bool) -> str:
    path = " ".join(f"{k * GAP:g},{HEIGHT * (1 - p):.1f}" for k, p in enumerate(points))
    red, green, blue = np.rint(WORST + share * (BEST - WORST)).astype(int)
    style = f'stroke="rgb({red},{green},{blue})" stroke-width="{3 if thick else 1.2}"'
    if not trial.draws:
        style += ' stroke-dasharray="4 3"'
    settings = ", ".join(f"{name} {value}" for name, value in trial.settings.items())
    result = number(trial.value, ".4g") if trial.draws else trial.message
    tip = escape(printable(f"trial {trial.number + 1}: {result} ({settings or 'no settings'})"))
    return f'<polyline points="{path}" fill="none" {style}><title>{tip}</title></polyline>'
