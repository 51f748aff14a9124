"""A column's levels: its cells with each interval in parts, as fine as its quantiles are known.

A generator that draws a level and then a value inside it follows a number more closely than by
its cells alone, and still draws no training value that is not an atom.
"""

from __future__ import annotations

import numpy as np

from tabseed.coding.cells import KNOTS, Block

PARTS = KNOTS - 1  # of an interval: between neighbouring knots of its quantile function


class Levels:
    """The K levels of a block, in the order of its cells: atoms, parts of intervals, rare, missing.

    ``rank`` (K,) is the place of each level along the column: numbers by size, missing before
    them all; categories as they come.
    """

    def __init__(self, block: Block) -> None:
        self.block = block
        self.n_atoms, self.n_parts = len(block.atoms), len(block.knots) * PARTS
        self.low = block.knots[:, :-1].ravel()
        self.high = block.knots[:, 1:].ravel()
        self.size = self.n_atoms + self.n_parts + bool(len(block.group)) + block.missing
        self.rank = np.arange(self.size)
        if block.numeric:
            middle = np.concatenate([block.atoms, (self.low + self.high) / 2])
            self.rank[np.argsort(middle, kind="stable")] = np.arange(len(middle))
            self.rank[len(middle) :] = -1

    @property
    def cell_starts(self) -> np.ndarray:
        """First level of each cell, and the end: (n_cells + 1,)."""
        widths = np.ones(self.block.n_cells, dtype=np.int64)
        widths[self.n_atoms : self.n_atoms + len(self.block.knots)] = PARTS
        return np.concatenate([[0], np.cumsum(widths)])

    def of(self, cell: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Give the level of values (n,) whose cells are known."""
        level: np.ndarray = self.cell_starts[cell]
        inside = np.flatnonzero((cell >= self.n_atoms) & (cell < self.n_atoms + self.n_intervals))
        knots = self.block.knots[cell[inside] - self.n_atoms, 1:-1]
        level[inside] += (knots <= values[inside, None]).sum(axis=1)
        return level

    @property
    def n_intervals(self) -> int:
        """Intervals of the block."""
        return len(self.block.knots)

    def cell(self, level: np.ndarray) -> np.ndarray:
        """Give the cell (n,) that each level lies in."""
        return np.searchsorted(self.cell_starts, level, side="right") - 1

    def draw(self, level: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw values (n,) inside given levels, NaN where missing."""
        if not self.n_parts:
            return self.block.draw(level, rng)
        values = np.full(len(level), np.nan)
        at_atom = level < self.n_atoms
        values[at_atom] = self.block.atoms[level[at_atom]]
        inside = (level >= self.n_atoms) & (level < self.n_atoms + self.n_parts)
        part, u = level[inside] - self.n_atoms, rng.random(len(level))[inside]
        low, high = self.low[part], self.high[part]
        values[inside] = self.block.snap(low + u * (high - low))
        return values

    def position(self, level: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Place numbers (n,) along the column: rank of the level and how far inside; float32.

        Increases with the number, so a threshold on it is one on the number (but for an atom
        within a part: it lies before or after the whole part); missing is -1.
        """
        place: np.ndarray = self.rank[level].astype(np.float32)
        inside = (level >= self.n_atoms) & (level < self.n_atoms + self.n_parts)
        part = level[inside] - self.n_atoms
        low, width = self.low[part], self.high[part] - self.low[part]
        far = (values[inside] - low) / np.where(width > 0, width, 1)
        place[inside] += np.clip(far, 0, 1).astype(np.float32) * 0.999  # below the next level
        return place

    def kernel(self, width: float) -> np.ndarray:
        """Probability (K, K) to move from a level to another: normal, sd ``width`` parts.

        Parts of intervals only, which hold equal shares of the rows; reflected at both ends, so
        that none is lost.
        """
        found = np.eye(self.size)
        if width > 0 and self.n_parts > 1:
            place = np.arange(self.n_parts)
            images = (place, -1 - place, 2 * self.n_parts - 1 - place)
            steps = np.stack([place[:, None] - at for at in images])
            moved = np.exp(-((steps / width) ** 2) / 2).sum(axis=0)
            parts = slice(self.n_atoms, self.n_atoms + self.n_parts)
            found[parts, parts] = moved / moved.sum(axis=1, keepdims=True)
        return found
