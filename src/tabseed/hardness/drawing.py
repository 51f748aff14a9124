"""Pictures of the hardness of rows: a histogram, a map, and the cells of the hardest rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tabseed.hardness.hints import HINTS
from tabseed.table import Table

WIDTH, HEIGHT, MAP = 640.0, 150.0, 420.0  # of the pictures, in their own units
BINS, DOTS, LISTED, CELLS = 60, 2_000, 20, 8  # bars; rows on the map; listed rows; their columns
CLASSES = dict(zip(HINTS, ("out", "mis", "rare", "amb", "none"), strict=True))
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
    low, high = hardness.min(), hardness.max()
    scaled = (hardness - low) / ((high - low) or 1.0)
    column = np.minimum((scaled * BINS).astype(int), BINS - 1)
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


def dots(
    points: np.ndarray, rank: np.ndarray, hint: np.ndarray
) -> list[tuple[str, float, float, float]]:
    """Return up to DOTS rows on the map as (class, x, y, radius), the hardest last and largest."""
    n = len(rank)
    hard = np.argsort(rank)[: DOTS // 4]
    rest = np.setdiff1d(np.arange(n), hard)
    rest = rest[np.linspace(0, len(rest) - 1, min(len(rest), DOTS - len(hard))).astype(int)]
    chosen = np.concatenate([rest, hard[::-1]])
    low, high = np.quantile(points, [EDGE, 1 - EDGE], axis=0)
    scaled = np.clip((points - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    size = 1.5 + 3.5 * (1 - (rank - 1) / max(n - 1, 1)) ** 6
    return [
        (
            CLASSES[hint[i]],
            round(8 + scaled[i, 0] * (WIDTH - 16), 1),
            round(8 + (1 - scaled[i, 1]) * (MAP - 16), 1),
            round(float(size[i]), 1),
        )
        for i in chosen
    ]
