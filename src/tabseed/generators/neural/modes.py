"""Mode-specific normalisation: a number becomes the mode that it lies in and a score within it.

The modes are those of the paper (arXiv:1907.00503, 4.2). The mode score is not
(x - mean) / (4 sd), as there, but the normal score of x among the numbers of its mode. If the mode
is Gaussian the two differ only by the factor 4; if it is not, normal scores still reproduce the
law of the numbers.

Notation: n rows, J free columns, L levels of all of them, m columns of numbers that have modes.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
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
SPREAD = 0.01  # prior variance, as a share of the column's; the usual 1 is too wide for few points
REACH = 4.0  # bound of a mode score: networks generate REACH tanh
FINE = 32  # points of each interval from which the laws inside modes are computed


@dataclass(frozen=True)
class ModeColumn:
    """One free column: its block, the index of the block, its modes, the indices of its levels.

    The levels have the order of the block's cells, with K modes instead of the intervals: atoms,
    modes, the group of rare categories, missing.
    """

    block: Block
    at: int
    means: np.ndarray  # (K,)
    widths: np.ndarray  # (K,) standard deviations
    levels: slice
    number: int  # its index among the m numbers; -1: it has no modes

    @property
    def modes(self) -> slice:
        """The indices of the modes among all levels."""
        first = self.levels.start + len(self.block.atoms)
        return slice(first, first + len(self.means))

    @property
    def discrete(self) -> bool:
        """Whether the column has levels only."""
        return not len(self.means)

    @cached_property
    def laws(self) -> list[np.ndarray]:
        """Quantiles of the numbers of each mode, at equal steps of probability, increasing."""
        if self.discrete:
            return []
        t = (np.arange(FINE) + 0.5) / FINE * (KNOTS - 1)
        left = t.astype(int)
        low, high = self.block.knots[:, left], self.block.knots[:, left + 1]
        part = (np.arange(len(low))[:, None] * (KNOTS - 1) + left).ravel()
        u = np.tile(t - left, len(low))
        points = np.sort(self.block.at_ends(part, u, (low + (t - left) * (high - low)).ravel()))
        mode = self.mode_of(points)
        laws = [points[mode == k] for k in range(len(self.means))]
        return [law if len(law) else self.means[k : k + 1] for k, law in enumerate(laws)]

    def mode_of(self, values: np.ndarray) -> np.ndarray:
        """Return the mode that has the largest density at each value, (n,)."""
        scaled = (values[:, None] - self.means) / self.widths
        return np.asarray((np.square(scaled) / 2 + np.log(self.widths)).argmin(axis=1))

    def normalised(self, mode: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the mode scores (n,) of values: normal scores by the law of their mode."""
        scores = np.empty(len(values))
        for k, law in enumerate(self.laws):
            own = mode == k
            probability = np.interp(values[own], law, _probabilities(law))
            scores[own] = ndtri(probability)
        return scores

    def restored(self, mode: np.ndarray, mode_scores: np.ndarray) -> np.ndarray:
        """Return the values (n,) that have these mode scores, not yet on the column's grid."""
        values = np.empty(len(mode_scores))
        for k, law in enumerate(self.laws):
            own = mode == k
            values[own] = np.interp(ndtr(mode_scores[own]), _probabilities(law), law)
        return values

    def level_of(self, cell: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the level of each row within the column: (n,) cells and values -> (n,)."""
        n_atoms, n_knots, k = len(self.block.atoms), len(self.block.knots), len(self.means)
        inside = (cell >= n_atoms) & (cell < n_atoms + n_knots)
        level = np.where(cell < n_atoms, cell, cell - n_knots + k)
        if k:
            level[inside] = n_atoms + self.mode_of(values[inside])
        return level

    def draw(
        self, level: np.ndarray, mode_score: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return values (n,), NaN where missing, for levels and mode scores (n,)."""
        n_atoms, n_knots, k = len(self.block.atoms), len(self.block.knots), len(self.means)
        cell = np.where(level < n_atoms, level, level + n_knots - k)
        values = self.block.draw(np.where(level < n_atoms + k, 0, cell), rng)
        values[level < n_atoms] = self.block.atoms[level[level < n_atoms]]
        inside = (level >= n_atoms) & (level < n_atoms + k)
        values[inside] = self.block.snap(self.restored(level[inside] - n_atoms, mode_score[inside]))
        return values


class ModeCoding:
    """Turn rows into one-hot levels and mode scores, and back (arXiv:1907.00503, section 4.2).

    The modes of a column come from the quantile function that the layout keeps of it, so shapes
    depend on the layout alone. Atoms, the group of rare categories and missing cells are levels
    beside the modes; a column that another one determines is left out and computed from it.
    ``mixtures``: means and widths of the modes of each number; None: they are fitted.
    """

    def __init__(
        self,
        layout: Layout,
        max_modes: int,
        mixtures: list[tuple[np.ndarray, np.ndarray]] | None = None,
    ) -> None:
        if max_modes < 1:
            raise TabseedError(f"max_modes={max_modes} must be at least 1")
        self.layout = layout
        self.columns: list[ModeColumn] = []
        start, m = 0, 0
        stored = iter(mixtures or ())
        none = np.empty(0)
        for at, block in enumerate(layout.blocks):
            if block.parent >= 0:
                continue
            means, widths = none, none
            if len(block.knots):
                means, widths = (
                    next(stored) if mixtures is not None else modes_of(block.knots, max_modes)
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
        # (L, J): the levels of each column; (L, m): the levels that are modes of each number
        self.member = np.zeros((start, len(self.columns)), np.float32)
        self.mode_member = np.zeros((start, len(self.numbers)), np.float32)
        for j, column in enumerate(self.columns):
            self.member[column.levels, j] = 1.0
        for j, column in enumerate(self.numbers):
            self.mode_member[column.modes, j] = 1.0

    def encode(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return one-hot levels (n, L) and mode scores (n, m), 0 outside modes: float32."""
        cells = self.layout.cells(x)
        hot = np.zeros((len(x), self.n_levels), np.float32)
        scores = np.zeros((len(x), self.n_numbers), np.float32)
        rows = np.arange(len(x))
        for column in self.columns:
            values = self.layout.values(column.block, x)
            level = column.level_of(cells[column.at], values)
            hot[rows, column.levels.start + level] = 1.0
            if len(column.means):
                mode = level - len(column.block.atoms)
                inside = (mode >= 0) & (mode < len(column.means))
                scores[inside, column.number] = column.normalised(mode[inside], values[inside])
        return hot, scores

    def decode(
        self, levels: list[np.ndarray], mode_scores: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return encoded rows (n, w) from each column's level, J arrays (n,).

        ``mode_scores`` are the mode scores, (n, m).
        """
        values: dict[int, np.ndarray] = {}
        for column, level in zip(self.columns, levels, strict=True):
            scores = np.zeros(len(level)) if column.discrete else mode_scores[:, column.number]
            values[column.at] = column.draw(level, scores, rng)
        return self.layout.from_free(values, rng)

    def levels_left(self, allowed: Mapping[int, np.ndarray]) -> np.ndarray:
        """Return which levels (L,) can give cells that are ``allowed``, by the index of a block.

        A mode can if one of the quantiles of its law lies in such a cell.
        """
        left = np.ones(self.n_levels, dtype=bool)
        for column in self.columns:
            if column.at not in allowed:
                continue
            cells, block = allowed[column.at], column.block
            n_atoms, n_knots = len(block.atoms), len(block.knots)
            modes = [cells[block.cell_of(block.snap(law))].any() for law in column.laws]
            left[column.levels] = np.concatenate(
                [cells[:n_atoms], np.array(modes, dtype=bool), cells[n_atoms + n_knots :]]
            )
        return left

    def scores(self, hot: np.ndarray, mode_scores: np.ndarray) -> np.ndarray:
        """Return normal scores within the whole column, 0 where missing: (n, columns) float32.

        All columns of numbers have one, with modes or without; ``mode_scores`` are the mode scores.
        """
        scores = []
        for column in self.columns:
            block = column.block
            level = hot[:, column.levels].argmax(axis=1)
            if not block.ordered:
                continue
            n_atoms, k = len(block.atoms), len(column.means)
            values = np.full(len(hot), np.nan)
            values[level < n_atoms] = block.atoms[level[level < n_atoms]]
            inside = (level >= n_atoms) & (level < n_atoms + k)
            if k:
                own = mode_scores[inside, column.number]
                values[inside] = column.restored(level[inside] - n_atoms, own)
            scores.append(block.score(values))
        table = np.column_stack(scores) if scores else np.empty((len(hot), 0))
        return table.astype(np.float32)

    def to_arrays(self) -> Arrays:
        """Return the modes as arrays by name."""
        return {
            "modes.means": np.concatenate([c.means for c in self.columns]),
            "modes.widths": np.concatenate([c.widths for c in self.columns]),
            "modes.counts": np.array([len(c.means) for c in self.numbers], dtype=np.int64),
        }

    @classmethod
    def from_arrays(cls, layout: Layout, arrays: Arrays) -> ModeCoding:
        """Return the coding whose :meth:`to_arrays` are ``arrays``.

        Raises ValueError for modes that the columns of the layout cannot have.
        """
        means, widths = arrays["modes.means"], arrays["modes.widths"]
        counts = arrays["modes.counts"]
        sound = np.isfinite(means).all() and np.isfinite(widths).all() and (widths > 0).all()
        numbers = sum(len(block.knots) > 0 for block in layout.free)
        fits = len(counts) == numbers and (counts > 0).all() and counts.sum() == len(means)
        if not sound or not fits or len(means) != len(widths):
            raise ValueError("the modes do not match the columns")
        ends = np.cumsum(counts)[:-1]
        parts = zip(np.split(means, ends), np.split(widths, ends), strict=True)
        return cls(layout, max(1, counts.max(initial=1)), list(parts))


def _probabilities(law: np.ndarray) -> np.ndarray:
    """Return the probability below each point of a law: the middles of equal parts of [0, 1]."""
    return (np.arange(len(law)) + 0.5) / len(law)


def modes_of(knots: np.ndarray, max_modes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return means and standard deviations (K,) of the modes of a quantile function.

    ``knots`` is (intervals, KNOTS). A Bayesian Gaussian mixture of up to ``max_modes`` components
    is fitted to points of equal probability. Components of weight above 0.005 that are the
    likeliest for some point are kept, in the order of their means.
    """
    means, widths = _modes(np.ascontiguousarray(knots, dtype=np.float64).tobytes(), max_modes)
    return means.copy(), widths.copy()


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
        warnings.simplefilter("ignore", ConvergenceWarning)  # approximate modes suffice
        likeliest = model.fit(scaled).predict(scaled)
    modes = [k for k in np.argsort(model.means_[:, 0]) if model.weights_[k] > LEAST_WEIGHT]
    modes = [k for k in modes if (likeliest == k).any()]
    widths = np.sqrt(model.covariances_.reshape(len(model.weights_))[modes])
    return model.means_[modes, 0] * scale + location, widths * scale
