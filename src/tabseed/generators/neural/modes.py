"""Mode-specific normalisation: a number is the mode that it lies in, and its place there.

Modes are those of the paper (arXiv:1907.00503, 4.2). A place is not (x - mean) / (4 sd), as there,
but the normal score of x among the numbers of its mode: the same but for the 4 where the mode is
Gaussian; and where it is not a normal law of places still gives back the numbers' own law.

Notation: n rows, J free columns, L levels of all of them, m columns of numbers that have modes.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import ndtr, ndtri
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture

from tabseed.archive import Arrays
from tabseed.coding.cells import KNOTS, Block
from tabseed.coding.encode import Layout
from tabseed.errors import TabseedError

LEAST_WEIGHT = 0.005  # of a mode that is kept
CONCENTRATION = 1e-3  # of the Dirichlet prior of the modes' weights
SPREAD = 0.01  # of the prior on variances; all of the column's, as is usual, blurs few points
REACH = 4.0  # bound of a place: that of generated ones is REACH tanh
FINE = 32  # points of each interval that the laws inside modes are taken from


@dataclass(frozen=True)
class ModeColumn:
    """One free column: its block, its place among all blocks, its modes, its levels' places.

    The levels lie as the block's cells do, K modes in the place of the intervals: atoms, modes,
    the group of rare categories, missing.
    """

    block: Block
    at: int
    means: np.ndarray  # (K,)
    widths: np.ndarray  # (K,) standard deviations
    levels: slice
    number: int  # its place among the m numbers; -1: it has no modes

    @property
    def modes(self) -> slice:
        """Places of the modes among all levels."""
        first = self.levels.start + len(self.block.atoms)
        return slice(first, first + len(self.means))

    @property
    def discrete(self) -> bool:
        """Whether the column has levels only."""
        return not len(self.means)

    @cached_property
    def laws(self) -> list[np.ndarray]:
        """Quantiles of each mode's own numbers, by equal probability, increasing."""
        if self.discrete:
            return []
        t = (np.arange(FINE) + 0.5) / FINE * (KNOTS - 1)
        left = t.astype(int)
        low, high = self.block.knots[:, left], self.block.knots[:, left + 1]
        points = np.sort((low + (t - left) * (high - low)).ravel())
        mode = self.mode_of(points)
        found = [points[mode == k] for k in range(len(self.means))]
        return [own if len(own) else self.means[k : k + 1] for k, own in enumerate(found)]

    def mode_of(self, values: np.ndarray) -> np.ndarray:
        """The mode of the largest density at each value, (n,)."""
        away = (values[:, None] - self.means) / self.widths
        return np.asarray((np.square(away) / 2 + np.log(self.widths)).argmin(axis=1))

    def normalised(self, mode: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Places (n,) of values in their modes: normal scores by the mode's law."""
        places = np.empty(len(values))
        for k, law in enumerate(self.laws):
            own = mode == k
            level = np.interp(values[own], law, _levels(law))
            places[own] = ndtri(level)
        return places

    def restored(self, mode: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Values (n,) at places in modes, not yet on the column's grid."""
        values = np.empty(len(places))
        for k, law in enumerate(self.laws):
            own = mode == k
            values[own] = np.interp(ndtr(places[own]), _levels(law), law)
        return values

    def level_of(self, cell: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Level of each row within the column: (n,) cells and values -> (n,)."""
        n_atoms, n_knots, k = len(self.block.atoms), len(self.block.knots), len(self.means)
        inside = (cell >= n_atoms) & (cell < n_atoms + n_knots)
        level = np.where(cell < n_atoms, cell, cell - n_knots + k)
        if k:
            level[inside] = n_atoms + self.mode_of(values[inside])
        return level

    def draw(self, level: np.ndarray, place: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Values (n,), NaN where missing, from levels and normalised values (n,)."""
        n_atoms, n_knots, k = len(self.block.atoms), len(self.block.knots), len(self.means)
        cell = np.where(level < n_atoms, level, level + n_knots - k)
        values = self.block.draw(np.where(level < n_atoms + k, 0, cell), rng)
        values[level < n_atoms] = self.block.atoms[level[level < n_atoms]]
        inside = (level >= n_atoms) & (level < n_atoms + k)
        values[inside] = self.block.snap(self.restored(level[inside] - n_atoms, place[inside]))
        return values


class ModeCoding:
    """Rows as one-hot levels and normalised numbers, and back (arXiv:1907.00503, section 4.2).

    The modes of a column come from the quantile function that the layout keeps of it, so shapes
    depend on the layout alone. Atoms, the group of rare categories and missing cells are levels
    beside the modes; columns that another one determines are left out and follow it.
    ``mixtures``: means and widths of the modes of each number, fitted where they are not given.
    """

    def __init__(
        self,
        layout: Layout,
        max_modes: int,
        mixtures: list[tuple[np.ndarray, np.ndarray]] | None = None,
    ) -> None:
        if max_modes < 1:
            raise TabseedError(f"max_modes={max_modes}: must be at least 1")
        self.layout = layout
        self.columns: list[ModeColumn] = []
        start, m = 0, 0
        given = iter(mixtures or ())
        none = np.empty(0)
        for at, block in enumerate(layout.blocks):
            if block.parent >= 0:
                continue
            means, widths = none, none
            if len(block.knots):
                means, widths = (
                    next(given) if mixtures is not None else modes_of(block.knots, max_modes)
                )
            size = block.n_cells - len(block.knots) + len(means)
            levels = slice(start, start + size)
            number = m if len(means) else -1
            self.columns.append(ModeColumn(block, at, means, widths, levels, number))
            start, m = start + size, m + (len(means) > 0)
        self.discrete = [column for column in self.columns if column.discrete]
        self.numbers = [column for column in self.columns if not column.discrete]
        self.n_levels, self.n_numbers = start, len(self.numbers)
        self.sizes = [c.levels.stop - c.levels.start for c in self.columns]
        # (L, J): which levels are of which column; (L, m): which levels are modes of which number
        self.member = np.zeros((start, len(self.columns)), np.float32)
        self.mode_member = np.zeros((start, len(self.numbers)), np.float32)
        for j, column in enumerate(self.columns):
            self.member[column.levels, j] = 1.0
        for j, column in enumerate(self.numbers):
            self.mode_member[column.modes, j] = 1.0

    def encode(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One-hot levels (n, L) and normalised numbers (n, m), 0 outside of modes: float32."""
        cells = self.layout.cells(x)
        hot = np.zeros((len(x), self.n_levels), np.float32)
        places = np.zeros((len(x), self.n_numbers), np.float32)
        rows = np.arange(len(x))
        for column in self.columns:
            values = self.layout.values(column.block, x)
            level = column.level_of(cells[column.at], values)
            hot[rows, column.levels.start + level] = 1.0
            if len(column.means):
                mode = level - len(column.block.atoms)
                inside = (mode >= 0) & (mode < len(column.means))
                places[inside, column.number] = column.normalised(mode[inside], values[inside])
        return hot, places

    def decode(
        self, levels: list[np.ndarray], places: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Encoded rows (n, w) from each column's level, J arrays (n,), and numbers (n, m)."""
        values: dict[int, np.ndarray] = {}
        for column, level in zip(self.columns, levels, strict=True):
            place = np.zeros(len(level)) if column.discrete else places[:, column.number]
            values[column.at] = column.draw(level, place, rng)
        return self.layout.from_free(values, rng)

    def scores(self, hot: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Normal scores of the numbers, modes or not, 0 where missing: (n, columns) float32."""
        found = []
        for column in self.columns:
            block = column.block
            level = hot[:, column.levels].argmax(axis=1)
            if not block.numeric:
                continue
            n_atoms, k = len(block.atoms), len(column.means)
            values = np.full(len(hot), np.nan)
            values[level < n_atoms] = block.atoms[level[level < n_atoms]]
            inside = (level >= n_atoms) & (level < n_atoms + k)
            if k:
                place = places[inside, column.number]
                values[inside] = column.restored(level[inside] - n_atoms, place)
            found.append(block.score(values))
        table = np.column_stack(found) if found else np.empty((len(hot), 0))
        return table.astype(np.float32)

    def to_arrays(self) -> Arrays:
        """Give the modes as arrays by name."""
        return {
            "modes.means": np.concatenate([c.means for c in self.columns]),
            "modes.widths": np.concatenate([c.widths for c in self.columns]),
            "modes.counts": np.array([len(c.means) for c in self.numbers], dtype=np.int64),
        }

    @classmethod
    def from_arrays(cls, layout: Layout, arrays: Arrays) -> ModeCoding:
        """Take back what :meth:`to_arrays` gave; ValueError for modes that cannot be."""
        means, widths = arrays["modes.means"], arrays["modes.widths"]
        counts = arrays["modes.counts"]
        sound = np.isfinite(means).all() and np.isfinite(widths).all() and (widths > 0).all()
        numbers = sum(len(block.knots) > 0 for block in layout.free)
        fits = len(counts) == numbers and (counts > 0).all() and counts.sum() == len(means)
        if not sound or not fits or len(means) != len(widths):
            raise ValueError("modes that are not those of the columns")
        ends = np.cumsum(counts)[:-1]
        parts = zip(np.split(means, ends), np.split(widths, ends), strict=True)
        return cls(layout, max(1, counts.max(initial=1)), list(parts))


def _levels(law: np.ndarray) -> np.ndarray:
    """Probabilities below the points of a law: those of equal parts' middles."""
    return (np.arange(len(law)) + 0.5) / len(law)


def modes_of(knots: np.ndarray, max_modes: int) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations (K,) of the modes of a quantile function (intervals, KNOTS).

    A Bayesian Gaussian mixture of up to ``max_modes`` components is fitted to points of equal
    probability; those of weight above 0.005 that some point lies in are kept, in the order of
    their means.
    """
    found = _modes(np.ascontiguousarray(knots, dtype=np.float64).tobytes(), max_modes)
    return found[0].copy(), found[1].copy()


@lru_cache(maxsize=1_000)
def _modes(knots: bytes, max_modes: int) -> tuple[np.ndarray, np.ndarray]:
    table = np.frombuffer(knots).reshape(-1, KNOTS)
    points = ((table[:, 1:] + table[:, :-1]) / 2).ravel()
    location, scale = points.mean(), points.std()
    if scale == 0:
        return points[:1], np.array([max(abs(location), 1.0) * 1e-6])
    if max_modes == 1:
        return np.array([location]), np.array([scale])
    scaled = ((points - location) / scale)[:, None]
    model = BayesianGaussianMixture(
        n_components=min(max_modes, len(np.unique(points))),
        weight_concentration_prior=CONCENTRATION,
        covariance_prior=[[SPREAD]],
        max_iter=200,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near enough will do
        likeliest = model.fit(scaled).predict(scaled)
    kept = [k for k in np.argsort(model.means_[:, 0]) if model.weights_[k] > LEAST_WEIGHT]
    kept = [k for k in kept if (likeliest == k).any()]
    widths = np.sqrt(model.covariances_.reshape(len(model.weights_))[kept])
    return model.means_[kept, 0] * scale + location, widths * scale
