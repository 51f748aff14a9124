"""Pictures of the hardness of rows: a histogram, a map, and the cells of the hardest rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabseed.hardness.hints import HINTS
from tabseed.pages.intervals import Tick, ticks
from tabseed.table import Table

WIDTH, HEIGHT, MAP = 640.0, 150.0, 420.0  # of the pictures, in their own units
BINS, DOTS, LISTED, CELLS = 60, 2_000, 20, 8  # bars; rows on the map; listed rows; their columns
CLASSES = dict(zip(HINTS, ("out", "mis", "rare", "amb", "none"), strict=True))
SHAPES, NUMBERED = 6, 10  # shapes of dots, one for each class; hardest rows with a number
EDGE = 0.005  # share of the rows that lie on each edge of the map


@dataclass(frozen=True)
class Bar:
    """A histogram bar: its position, and its parts from bottom to top as (class, top, height)."""

    x: float
    width: float
    parts: list[tuple[str, float, float]]


@dataclass(frozen=True)
class Cells:
    """Other columns of the listed rows: ``names``, ``values`` by row; ``more`` are not shown."""

    names: list[str]
    values: list[list[Any]]
    more: int

    @classmethod
    def of(cls, table: Table, target: str, indices: np.ndarray) -> Cells:
        """Take the first modelled columns, at most CELLS, of the rows with these indices."""
        others = [column.name for column in table.schema.modelled if column.name != target]
        names = others[:CELLS]
        rows = table.take(indices)
        columns = [rows.values(name) for name in names]
        values = [[column[i] for column in columns] for i in range(len(indices))]
        return cls(names, values, len(others) - len(names))


def bars(hardness: np.ndarray, hint: np.ndarray) -> list[Bar]:
    """Return the histogram of hardness in BINS bins, each bar stacked by hint.

    Heights follow the square root of the counts, because the hardest rows are few and are what
    people look for.
    """
    column = _bins(hardness)
    order = list(reversed(HINTS))
    counts = np.array([np.bincount(column[hint == h], minlength=BINS) for h in order])
    total = counts.sum(axis=0)
    unit = HEIGHT / np.sqrt(total.max())
    width = WIDTH / BINS
    result = []
    for b in np.flatnonzero(total):
        height = unit * np.sqrt(total[b])
        tops = np.cumsum(counts[:, b]) / total[b] * height
        parts = [
            (CLASSES[h], round(HEIGHT - top, 1), round(height * count / total[b], 2))
            for h, top, count in zip(order, tops, counts[:, b], strict=True)
            if count
        ]
        result.append(Bar(round(b * width, 1), round(width - 1, 1), parts))
    return result


def highest(hardness: np.ndarray) -> int:
    """Return the number of rows in the highest bar of :func:`bars`."""
    return int(np.bincount(_bins(hardness)).max())


def _bins(hardness: np.ndarray) -> np.ndarray:
    """Return the bin of each row, (n,), of BINS between the least and the largest hardness."""
    low, high = hardness.min(), hardness.max()
    scaled = (hardness - low) / ((high - low) or 1.0)
    return np.asarray(np.minimum((scaled * BINS).astype(int), BINS - 1))


def marker(shape: int, x: float, y: float, r: float) -> str:
    """Return a marker at (x, y) as the text of an SVG path: circle, square, triangle, ..."""
    if shape == 0:
        half = f"a{r:.1f} {r:.1f} 0 1 0 "
        return f"M{x - r:.1f} {y:.1f}{half}{2 * r:.1f} 0{half}{-2 * r:.1f} 0z"
    a = 0.9 * r
    return {
        1: f"M{x - a:.1f} {y - a:.1f}h{2 * a:.1f}v{2 * a:.1f}h{-2 * a:.1f}z",
        2: f"M{x:.1f} {y - 1.2 * r:.1f}l{1.2 * r:.1f} {2.1 * r:.1f}h{-2.4 * r:.1f}z",
        3: f"M{x:.1f} {y - 1.3 * r:.1f}l{1.3 * r:.1f} {1.3 * r:.1f}l{-1.3 * r:.1f} {1.3 * r:.1f}"
        f"l{-1.3 * r:.1f} {-1.3 * r:.1f}z",
        4: f"M{x:.1f} {y + 1.2 * r:.1f}l{1.2 * r:.1f} {-2.1 * r:.1f}h{-2.4 * r:.1f}z",
        5: f"M{x - 0.4 * r:.1f} {y - 1.2 * r:.1f}h{0.8 * r:.1f}v{2.4 * r:.1f}h{-0.8 * r:.1f}z",
    }[shape]


@dataclass(frozen=True)
class Map:
    """Up to DOTS rows on the plane of their first two principal coordinates.

    ``dots`` are (CSS class, path), the hardest last and largest; ``labels`` (row number, x, y in
    per cent) of the NUMBERED hardest; ``classes`` the shape of each label, the rarest beyond
    SHAPES - 1 sharing one; ``across`` the ticks of the first coordinate, ``up`` the ends of the
    second.
    """

    dots: list[tuple[str, str]]
    labels: list[tuple[int, float, float]]
    classes: list[tuple[str, str]]
    across: tuple[Tick, ...]
    up: tuple[str, str]
    shown: int

    @classmethod
    def of(
        cls, points: np.ndarray, rank: np.ndarray, hint: np.ndarray, labels: list[str] | None
    ) -> Map:
        """Draw rows with coordinates (n, 2), ranks (1 is the hardest), hints and labels."""
        n = len(rank)
        hard = np.argsort(rank)[: DOTS // 4]
        rest = np.setdiff1d(np.arange(n), hard)
        rest = rest[np.linspace(0, len(rest) - 1, min(len(rest), DOTS - len(hard))).astype(int)]
        chosen = np.concatenate([rest, hard[::-1]])
        low, high = np.quantile(points, [EDGE, 1 - EDGE], axis=0)
        scaled = np.clip((points - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
        x = 14 + scaled[:, 0] * (WIDTH - 28)
        y = 14 + (1 - scaled[:, 1]) * (MAP - 28)
        size = 2 + 4 * (1 - (rank - 1) / max(n - 1, 1)) ** 6
        shape, classes = _shapes(labels, n)
        dots = [
            (CLASSES[hint[i]], marker(int(shape[i]), float(x[i]), float(y[i]), float(size[i])))
            for i in chosen
        ]
        numbered = [
            (int(i) + 1, round(100 * x[i] / WIDTH, 1), round(100 * (y[i] + size[i]) / MAP, 1))
            for i in hard[:NUMBERED]
        ]
        ends = [f"{end:.3g}" for end in (low[1], high[1])]
        across = ticks(float(low[0]), float(high[0]))
        return cls(dots, numbered, classes, across, (ends[0], ends[1]), min(DOTS, n))


def _shapes(labels: list[str] | None, n: int) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Return the shape of each row (n,), and the legend: each class with its marker."""
    if labels is None:
        return np.zeros(n, int), []
    common = [name for name, _ in Counter(labels).most_common()]
    shape = {name: min(k, SHAPES - 1) for k, name in enumerate(common)}
    legend = [(name, marker(k, 5, 5, 3.6)) for name, k in shape.items() if k < SHAPES - 1]
    last = common[SHAPES - 1 :]
    if last:
        text = last[0] if len(last) == 1 else f"{len(last)} other classes"
        legend.append((text, marker(SHAPES - 1, 5, 5, 3.6)))
    return np.array([shape[label] for label in labels]), legend
