"""Columns cut into bins for pictures: the same bins for every table, none of a few real rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tabseed.metrics.leakage import pooled_codes
from tabseed.table import Table
from tabseed.table.describe import level_text, number_text
from tabseed.table.schema import NUMERIC, Column

TAIL = 0.02  # of the real numbers lie beyond each end of the bins, and count in the outer ones
FEWEST = 3  # real rows of a level that is shown by its name
ROWS_OF_A_CELL = 6  # real rows, on average, if all cells of two columns had as many
SKEWED = 8.0  # upper over lower half of the distance from the median: bins then grow by a factor
MISSING = -1


@dataclass(frozen=True)
class Bins:
    """A column in bins: ``cells[t]`` has the bin of each row of table t, -1 where it is missing.

    ``labels`` name the bins; ``ends`` (k + 1,) are their ends for a numeric column, whose outer
    bins are open, so that no least and no largest value of a person can be read off. Levels are
    ordered as the schema orders them (ordinal), or by their number of real rows; those of fewer
    than 3 real rows, or beyond the ``most``, share the last bin.
    """

    name: str
    labels: tuple[str, ...]
    ends: np.ndarray | None
    cells: tuple[np.ndarray, ...]

    @property
    def numeric(self) -> bool:
        """Whether the bins are ranges of numbers."""
        return self.ends is not None

    def shares(self) -> np.ndarray:
        """Return the share of rows (tables, k + 1) in each bin, and of missing cells as the last.

        A table without rows has NaN.
        """
        k = len(self.labels)
        counts = np.array([np.bincount(c % (k + 1), minlength=k + 1) for c in self.cells])
        with np.errstate(invalid="ignore"):
            return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def cut(tables: list[Table], name: str, most: int = 20) -> Bins:
    """Cut a modelled column of several tables; the first, of real rows, decides the bins."""
    column = tables[0].schema[name]
    if column.kind in NUMERIC:
        return _cut_numbers(column, [t.numbers(name) for t in tables], most)
    return _cut_levels(column, pooled_codes(tables, name), most)


def _cut_numbers(column: Column, values: list[np.ndarray], most: int) -> Bins:
    real = values[0][~np.isnan(values[0])]
    ends = _ends(real, whole=column.kind == "integer", most=most)
    cells = []
    for x in values:
        bins = np.clip(np.searchsorted(ends, x, side="right") - 1, 0, len(ends) - 2)
        cells.append(np.where(np.isnan(x), MISSING, bins))
    texts = [number_text(float(end), column) for end in ends]
    if len(ends) == 2:
        labels = ["all"]
    else:
        inner = [f"{a} to {b}" for a, b in pairwise(texts[1:-1])]
        labels = [f"below {texts[1]}", *inner, f"{texts[-2]} or more"]
    return Bins(column.name, tuple(labels), ends, tuple(cells))


def _ends(real: np.ndarray, *, whole: bool, most: int) -> np.ndarray:
    """Return increasing ends of bins of one width, or of one ratio for long tails to the right.

    The outer bins hold the tails as well.
    """
    if not len(real):
        return np.array([0.0, 1.0])
    low, high = (
        float(q) for q in np.quantile(real, [TAIL, 1 - TAIL], method="closest_observation")
    )
    if not high > low:
        low, high = float(real.min()), float(real.max())
    if not high > low:
        return np.array([low, low + max(1.0, 1e-9 * abs(low))])
    n = int(np.clip(np.sqrt(len(real)), 4, most))
    middle = float(np.median(real))
    if not whole and low > 0 and high - middle > SKEWED * (middle - low):
        return np.unique(np.geomspace(low, high, n + 1))
    if whole:  # bins hold equally many whole numbers
        width = max(1.0, np.ceil((high - low + 1) / n))
        n = max(int(np.ceil((high - low + 1) / width)), 2)
        return np.asarray(low + width * np.arange(n + 1))
    return np.unique(np.linspace(low, high, n + 1))  # fewer where neighbours are equal as floats


def _cut_levels(column: Column, codes: list[np.ndarray], most: int) -> Bins:
    known = len(column.categories)
    counts = np.bincount(codes[0][codes[0] >= 0], minlength=known)[:known]
    order = np.argsort(-counts, kind="stable")
    shown = order[counts[order] >= FEWEST][: most - 1]
    if known <= most and len(shown) == known - 1:
        shown = order  # a single level left over would be known by its being left over
    if column.kind == "ordinal":
        shown = np.sort(shown)
    size = max([known, *(int(c.max(initial=-1)) + 1 for c in codes)])
    place = np.full(size + 1, len(shown))
    place[shown] = np.arange(len(shown))
    place[-1] = MISSING
    labels = [level_text(column.categories[code]) for code in shown]
    others = known - len(shown)
    if others or size > known:
        labels.append({0: "other levels", 1: "another level"}.get(others, f"{others} other levels"))
    elif not labels:
        labels.append("no value")  # drawn as one bin, which stays empty
    return Bins(column.name, tuple(labels), None, tuple(place[c] for c in codes))


@dataclass(frozen=True)
class Pair:
    """Two columns cut together: shares (tables, rows, columns) of the rows without missing cells.

    Rows are the bins of ``up``, columns those of ``across``. Cells of fewer than 3 real rows have
    the share 0 in the real tables: a lone cell is a person.
    """

    across: Bins
    up: Bins
    shares: np.ndarray

    @classmethod
    def of(cls, tables: list[Table], across: str, up: str) -> Pair:
        """Cut two columns of several tables; all but the last table hold real rows."""
        most = int(np.clip((len(tables[0]) / ROWS_OF_A_CELL) ** 0.5, 3, 12))
        one, other = cut(tables, across, most), cut(tables, up, most)
        shape = (len(other.labels), len(one.labels))
        shares = []
        for index, (a, b) in enumerate(zip(one.cells, other.cells, strict=True)):
            both = (a >= 0) & (b >= 0)
            flat = b[both] * shape[1] + a[both]
            counts = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)
            total = max(int(counts.sum()), 1)
            if index < len(tables) - 1:
                counts = np.where(counts >= FEWEST, counts, 0)
            shares.append(counts / total)
        return cls(one, other, np.array(shares))


def missing_patterns(tables: list[Table], most: int = 8) -> list[dict[str, Any]]:
    """Return the commonest sets of missing columns, each with its share of every table's rows.

    Empty if no cell is missing. Patterns of fewer than 3 real rows are counted together.
    """
    names = [
        name for name in tables[0].schema.names if any((_missing(t, name)).any() for t in tables)
    ]
    if not names:
        return []
    masks = [np.column_stack([_missing(t, name) for name in names]) for t in tables]
    sets, index = np.unique(np.concatenate(masks), axis=0, return_inverse=True)
    parts = np.split(index.ravel(), np.cumsum([len(m) for m in masks])[:-1])
    counts = np.array([np.bincount(part, minlength=len(sets)) for part in parts])
    real = counts[:-1].sum(axis=0)
    order = np.argsort(-real, kind="stable")
    shown = order[real[order] >= FEWEST][:most]
    sizes = np.maximum(counts.sum(axis=1), 1)
    lines = [
        {
            "missing": [n for n, gone in zip(names, sets[i], strict=True) if gone],
            "shares": (counts[:, i] / sizes).tolist(),
        }
        for i in shown
    ]
    rest = (counts.sum(axis=1) - counts[:, shown].sum(axis=1)) / sizes
    if rest.any():
        lines.append({"missing": None, "shares": rest.tolist()})
    return lines


def _missing(table: Table, name: str) -> np.ndarray:
    cells = table.cells(name)
    return np.isnan(cells) if table.schema[name].kind in NUMERIC else np.asarray(cells == MISSING)
