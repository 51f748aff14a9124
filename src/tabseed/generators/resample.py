"""The plainest generator: real rows drawn with replacement, as they are or smoothed."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tabseed._random import RandomState
from tabseed.archive import Arrays, Holds, stored
from tabseed.coding.cells import Block
from tabseed.coding.encode import Layout
from tabseed.generators.base import Aids, Generator
from tabseed.generators.conditions import Conditions
from tabseed.parameters import SEED, Parameters, Real


class Resample(Generator):
    """Bootstrap: each drawn row is a training row, with its numbers moved a little on request.

    The baseline that every generator must beat. With ``smoothing`` 0 the drawn rows are copies,
    and the model file holds copies too: neither protects privacy. With smoothing h > 0 a number x
    becomes x + h sd(x) c eps, eps normal, c = (4/(3n))^(1/5) (the normal reference rule), and is
    then moved back to the range and grid of the training rows; missing cells and values that
    occur often or lie far from all others (atoms) stay as they are, and so do columns that another
    column determines. In a column with gaps (:mod:`~tabseed.coding.gaps`) the range and sd are
    those of the numbers on the same side of them.

    References: Efron, Annals of Statistics 7 (1979); Silverman, Density Estimation (1986), 3.31
    and 6.4 (smoothed bootstrap).
    """

    holds: ClassVar[Holds] = Holds(True, "as it is")
    references: ClassVar[tuple[str, ...]] = ("doi:10.1214/aos/1176344552",)
    parameters: ClassVar[Parameters] = {"smoothing": Real(0), "random_state": SEED}

    def __init__(self, smoothing: float = 0.0, random_state: RandomState = 0) -> None:
        self.smoothing = smoothing
        self.random_state = random_state

    rows_: np.ndarray

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        del layout, stream, aids
        self.rows_ = x

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return self._drawn(n, np.arange(len(self.rows_)), rng)

    def _drawn(self, n: int, among: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw n encoded rows, each from one of the training rows ``among``."""
        layout = self.encoder_.layout_
        x: np.ndarray = self.rows_[among[rng.integers(0, len(among), n)]]
        if self.smoothing == 0:
            return x
        width = self.smoothing * (4 / (3 * len(self.rows_))) ** 0.2
        values = []
        for block in layout.blocks:
            value = layout.values(block, x)
            if block.numeric and len(block.knots) and block.parent < 0:
                free = ~np.isnan(value) & ~np.isin(block.tidy(value), block.atoms)
                moved = value + width * self._spread(block, value) * rng.standard_normal(n)
                value = np.where(free, block.snap(within_piece(block, value, moved)), value)
            values.append(value)
        return layout.from_values(values)

    def _sample_near(self, n: int, conditions: Conditions, rng: np.random.Generator) -> np.ndarray:
        """Draw among the rows whose cells the conditions leave; smoothing moves numbers only."""
        layout = self.encoder_.layout_
        meets = np.ones(len(self.rows_), dtype=bool)
        for j, cell in enumerate(layout.cells(self.rows_)):
            if j in conditions.allowed and (self.smoothing == 0 or not layout.blocks[j].numeric):
                meets &= conditions.allowed[j][cell]
        return self._drawn(n, np.flatnonzero(meets) if meets.any() else np.arange(len(meets)), rng)

    def _spread(self, block: Block, value: np.ndarray) -> np.ndarray:
        """Return the standard deviation (n,) of the training numbers on the same side of gaps."""
        if block.gaps is None:
            return np.full(len(value), block.scale)
        known = self.encoder_.layout_.values(block, self.rows_)
        known = known[~np.isnan(known)]
        piece, spread = block.piece_of(known), np.zeros(len(block.gaps) + 1)
        for k in np.unique(piece):
            spread[k] = known[piece == k].std()
        return np.asarray(spread[block.piece_of(value)])

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        return {}, {"rows": self.rows_}

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        layout = self.encoder_.layout_
        self.rows_ = stored(arrays, "rows", "f", (None, layout.width))
        values = layout.columns(self.rows_)
        layout.check(values)
        if not np.array_equal(layout.from_values(list(values.T)), self.rows_):
            raise ValueError("rows that are no encoded ones")

    def summary(self) -> list[str]:
        """Return a few lines that say what was learned."""
        change = "as they are: copies" if self.smoothing == 0 else f"smoothed by {self.smoothing:g}"
        return [f"resampled rows, {change}", *super().summary()]


def within_piece(block: Block, value: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Return moved numbers (n,), kept on the same side of each gap as ``value``."""
    if block.gaps is None:
        return moved
    low = np.concatenate([[-np.inf], block.gaps[:, 1]])
    high = np.concatenate([block.gaps[:, 0], [np.inf]])
    piece = block.piece_of(value)
    return np.asarray(np.clip(moved, low[piece], high[piece]))
