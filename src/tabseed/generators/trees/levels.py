"""A column's levels: its cells, with each interval cut into parts at its known quantiles.

A generator that draws a level and then a value inside it follows a number more closely than by
cells alone, and still draws no training value that is not an atom.
"""

from __future__ import annotations

import numpy as np

from tabseed.coding.cells import KNOTS, Block

PARTS = (
    KNOTS - 1
)  # of an interval: one between each two neighbouring knots of its quantile function


class Levels:
    """The K levels of a block, in the order of its cells: atoms, parts of intervals, rare, missing.

    ``rank`` (K,) orders the levels along the column: numbers by size, missing before all of them;
    categories in their own order.
    """

    def __init__(self, block: Block) -> None:
        self.block = block
        self.n_atoms, self.n_parts = len(block.atoms), len(block.knots) * PARTS
        self.low = block.knots[:, :-1].ravel()
        self.high = block.knots[:, 1:].ravel()
        self.size = self.n_atoms + self.n_parts + bool(len(block.group)) + block.missing
        self._kernels: dict[float, np.ndarray] = {}  # by width
        self.rank = np.arange(self.size)
        if block.ordered:
            middle = np.concatenate([block.atoms, (self.low + self.high) / 2])
            self.rank[np.argsort(middle, kind="stable")] = np.arange(len(middle))
            self.rank[len(middle) :] = -1

    @property
    def cell_starts(self) -> np.ndarray:
        """The first level of each cell, and the number of levels: (n_cells + 1,)."""
        widths = np.ones(self.block.n_cells, dtype=np.int64)
        widths[self.n_atoms : self.n_atoms + len(self.block.knots)] = PARTS
        return np.concatenate([[0], np.cumsum(widths)])

    def of(self, cell: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the levels of values (n,) in known cells (n,)."""
        level: np.ndarray = self.cell_starts[cell]
        inside = np.flatnonzero((cell >= self.n_atoms) & (cell < self.n_atoms + self.n_intervals))
        knots = self.block.knots[cell[inside] - self.n_atoms, 1:-1]
        level[inside] += (knots <= values[inside, None]).sum(axis=1)
        return level

    @property
    def n_intervals(self) -> int:
        """The number of intervals of the block."""
        return len(self.block.knots)

    def cell(self, level: np.ndarray) -> np.ndarray:
        """Return the cell of each level, (n,)."""
        return np.searchsorted(self.cell_starts, level, side="right") - 1

    def at(self, level: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Return values (n,) inside levels (n,), NaN where missing, by inversion of u (n,)."""
        if not self.n_parts:
            return self.block.at(level, u)
        values = np.full(len(level), np.nan)
        at_atom = level < self.n_atoms
        values[at_atom] = self.block.atoms[level[at_atom]]
        inside = (level >= self.n_atoms) & (level < self.n_atoms + self.n_parts)
        part, u = level[inside] - self.n_atoms, u[inside]
        low, high = self.low[part], self.high[part]
        values[inside] = self.block.snap(self.block.at_ends(part, u, low + u * (high - low)))
        return values

    def position(self, level: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the positions of numbers (n,), float32: the rank of the level plus a fraction.

        The fraction is how far inside the level the number lies. Positions increase with the
        number, so a threshold on a position is one on the number (except that an atom within a
        part comes before or after the whole part); missing is -1.
        """
        position: np.ndarray = self.rank[level].astype(np.float32)
        inside = (level >= self.n_atoms) & (level < self.n_atoms + self.n_parts)
        part = level[inside] - self.n_atoms
        low, width = self.low[part], self.high[part] - self.low[part]
        far = (values[inside] - low) / np.where(width > 0, width, 1)
        position[inside] += np.clip(far, 0, 1).astype(np.float32) * 0.999  # below the next level
        return position

    def kernel(self, width: float) -> np.ndarray:
        """Return the probabilities (K, K) to move from one level to another: normal, sd ``width``.

        The width is in parts of intervals, which hold equal shares of the rows; only they exchange
        probability. The kernel is reflected at both ends and at gaps: no probability is lost.
        """
        if width not in self._kernels:
            self._kernels[width] = self._kernel(width)
        return self._kernels[width]

    def _kernel(self, width: float) -> np.ndarray:
        kernel = np.eye(self.size)
        if width <= 0:
            return kernel
        pieces = np.repeat(self.block.interval_pieces, PARTS)
        for piece in np.unique(pieces):
            own = np.flatnonzero(pieces == piece)
            index = np.arange(len(own))
            images = (index, -1 - index, 2 * len(own) - 1 - index)
            steps = np.stack([index[:, None] - at for at in images])
            weights = np.exp(-((steps / width) ** 2) / 2).sum(axis=0)
            at = self.n_atoms + own
            kernel[np.ix_(at, at)] = weights / weights.sum(axis=1, keepdims=True)
        return kernel
