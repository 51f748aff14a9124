"""Gaussian copula of mixed columns: margins of any kind, one normal law of latent axes.

Notation: n rows, p latent axes, z (p, n) their standard normal scores, R (p, p) the correlation
of the axes, Phi the normal distribution function, F and Q a column's distribution and quantile
function.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import poisson

from tabseed._random import RandomState, generator, one_thread
from tabseed.archive import OF_COLUMNS, Arrays, Holds, stored
from tabseed.coding.cells import Block
from tabseed.coding.encode import Layout
from tabseed.coding.levels import pick
from tabseed.generators.base import Aids, Generator
from tabseed.generators.orthants import log_probability, normal_within
from tabseed.parameters import SEED, Parameters, Real
from tabseed.space import Float
from tabseed.table import Frame, Table
from tabseed.table.display import counted

CENTRES = 128  # kernels of a margin, centred at equally spaced quantiles
HEAPED = 1e-3  # probability, given its neighbours, below which a count is a point mass
MIN_COUNT = 3  # rows of a level that gets an axis, at least
MAX_AXES = 250  # axes that the levels of all columns together may use
CUTS = 2**12  # parts of a margin that are asked which cell they draw
MAX_ROWS = 20_000  # rows that R is learned from: a standard error of 0.007 at most
MAX_COST = 6e8  # n p^2 of one sweep: above it R is learned from fewer rows, at least 300
BURN_IN, SWEEPS = 5, 18  # sweeps over the axes: before moments are averaged, and in total


@dataclass(frozen=True)
class Margin:
    """The law of one column by latent axes: some cells split off one by one, then the rest.

    Axis k decides whether the cell is ``split[k]``, given that it is none of the earlier ones: it
    is if z_k < ndtri(``share[k]``). What no axis splits off is a number Q(Phi(z)) of a last axis,
    or one of the cells ``rest``, drawn independently of the other columns.
    """

    split: np.ndarray  # (s,) cells with an axis of their own
    share: np.ndarray  # (s,) their probabilities, each given none of the earlier cells
    rest: np.ndarray  # (r,) other cells; none if the rest are numbers
    rest_share: np.ndarray  # (r,) their probabilities, given none of the split cells
    levels: np.ndarray  # (m,) Q is linear between the points (levels, values), flat at a
    values: np.ndarray  # (m,) point mass

    @property
    def n_axes(self) -> int:
        """The number of latent axes of this column."""
        return len(self.split) + bool(len(self.values))

    def cdf(self, at: np.ndarray, *, left: bool = False) -> np.ndarray:
        """Return F at numbers (any shape), or its limit from the left."""
        last = len(self.values) - 1
        above = np.searchsorted(self.values, at, side="left" if left else "right").clip(1, last)
        v0, v1 = self.values[above - 1], self.values[above]
        u0, u1 = self.levels[above - 1], self.levels[above]
        part = (at - v0) / np.where(v1 > v0, v1 - v0, 1.0)
        jump = at >= v0 if not left else at > v0
        return np.asarray(u0 + np.where(v1 > v0, part.clip(0, 1), jump) * (u1 - u0))

    def bounds(
        self, block: Block, cell: np.ndarray, value: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return low and high, (axes, n) each, of each row's scores; infinite where unknown.

        A number on a grid is known up to half a step. If less than half a row lies between the
        bounds, both are their middle.
        """
        n = len(cell)
        low, high, left = self._of_split(cell)
        if len(self.values):
            below = self.cdf(value[left] - block.step / 2, left=True)
            upto = self.cdf(value[left] + block.step / 2)
            middle = ((below + upto) / 2).clip(0.5 / n, 1 - 0.5 / n)
            narrow = upto - below < 0.5 / n
            low[-1, left] = ndtri(np.where(narrow, middle, below))
            high[-1, left] = ndtri(np.where(narrow, middle, upto))
        return low, high

    def _of_split(self, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return low and high, (axes, n), as the split cells bound them, and which rows (n,) are
        in none of these cells.
        """
        low = np.full((self.n_axes, len(cell)), -np.inf)
        high = np.full((self.n_axes, len(cell)), np.inf)
        left = np.ones(len(cell), bool)  # rows that the earlier axes did not split off
        for k, threshold in enumerate(ndtri(self.share)):
            here = cell == self.split[k]
            high[k, left & here] = threshold
            low[k, left & ~here] = threshold
            left &= ~here
        return low, high, left

    def pieces(self, block: Block, cell: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return low and high of each axis, (n, m) each: where its score draws the cells (n,).

        A cell of numbers may be several intervals of scores, m at most; others are empty.
        """
        lows, highs, left = self._of_split(cell)
        low, high = [row[:, None] for row in lows], [row[:, None] for row in highs]
        if len(self.values):
            owner, start, end = self._cut(block)
            order = np.argsort(owner, kind="stable")
            first = np.searchsorted(owner[order], cell)
            count = np.searchsorted(owner[order], cell, side="right") - first
            at = np.arange(max(1, count.max(initial=1)))
            own = order[(first[:, None] + at).clip(max=len(order) - 1)]
            there = at < np.where(left, count, 1)[:, None]
            low[-1] = np.where(left[:, None], start[own], -np.inf)
            high[-1] = np.where(there, np.where(left[:, None], end[own], np.inf), low[-1])
        return low, high

    def _cut(self, block: Block) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the cells that the scores of numbers draw, in order, and the ends of each part.

        The ends are exact where a cell's end is one of the grid or of the knots, and known to
        1 / CUTS of probability where a share of the numbers is moved onto a coarser grid.
        """
        ends = np.concatenate([block.atoms, block.knots[:, 0]])
        known = [self.cdf(ends + half) for half in (-block.step / 2, 0, block.step / 2)]
        left = self.cdf(ends, left=True)
        u = np.unique(np.concatenate([self.levels, *known, left, np.linspace(0, 1, CUTS + 1)]))
        middle = np.interp((u[1:] + u[:-1]) / 2, self.levels, self.values)
        cell = block.cell_of(block.snap(middle))
        new = np.flatnonzero(np.append(True, np.diff(cell) != 0))
        score = ndtri(u)
        return cell[new], score[new], score[np.append(new[1:], len(u) - 1)]

    def draw(self, block: Block, z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the values (n,), NaN where missing, of scores z (axes, n)."""
        n: int = z.shape[1]
        cell = np.full(n, -1)
        for k, threshold in enumerate(ndtri(self.share)):
            cell[(cell < 0) & (z[k] < threshold)] = self.split[k]
        left = cell < 0
        if not len(self.values):
            cell[left] = self.rest[pick(np.cumsum(self.rest_share), rng.random(n))][left]
            return block.draw(cell, rng)
        value = np.full(n, np.nan)  # the only cell split off from numbers is missing
        value[left] = block.snap(np.interp(ndtr(z[-1, left]), self.levels, self.values))
        return value


def level_margin(cell: np.ndarray, min_count: int) -> Margin:
    """Return the margin of unordered cells (n,): frequent ones split off, by decreasing count."""
    counts = np.bincount(cell)
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    split = order[:-1][counts[order[:-1]] >= min_count]
    rest = order[len(split) :]
    left = len(cell) - np.cumsum(counts[split]) + counts[split]
    none = np.empty(0)
    return Margin(split, counts[split] / left, rest, counts[rest] / counts[rest].sum(), none, none)


def number_margin(block: Block, value: np.ndarray) -> Margin:
    """Return the margin of ordered values (n,), NaN missing: missing split off, the rest by Q.

    A number is a point mass if it is an atom of the encoder or repeats more often than its
    neighbours explain; a code of an ordered category always is. All others have a variable kernel
    density: normal kernels at up to CENTRES quantiles, each as wide as half the span of the
    sqrt(n) numbers on both sides, the outermost one not counted (of the widths tried, the one with
    the least measured KL divergence from seven laws at n = 50, 300 and 2,000), reflected at both
    ends of the range and at gaps.

    References: Breiman, Meisel, Purcell 1977 (variable kernels, doi:10.2307/1268623).
    """
    known = block.tidy(value[~np.isnan(value)])
    distinct, counts = np.unique(known, return_counts=True)
    mass = np.isin(distinct, block.atoms) | _heaped(distinct, counts, block.step)
    piece = block.piece_of(distinct)
    mass |= np.bincount(piece[~mass], minlength=piece[-1] + 1)[piece] < 2
    if not block.numeric:
        mass[:] = True
    half = block.step / 2
    pieces = [np.flatnonzero(~mass & (piece == k)) for k in np.unique(piece[~mass])]
    loose = [np.repeat(distinct[own], counts[own]) for own in pieces]
    points = np.unique(np.concatenate([distinct[mass], *[_grid_of(own, half) for own in loose]]))
    smooth = np.zeros(len(points))
    for own in loose:
        low, high = own[0] - half, own[-1] + half
        part = _kernel_cdf(own, points.clip(low, high), low, high, half)
        smooth += part * (len(own) / len(known))
    jump = np.zeros(len(points))
    jump[np.searchsorted(points, distinct[mass])] = counts[mass] / len(known)
    right = smooth + np.cumsum(jump)
    keep = np.column_stack([np.ones(len(points), bool), jump > 0]).ravel()
    levels = np.column_stack([right - jump, right]).ravel()[keep]
    levels = np.maximum.accumulate(levels / levels[-1])
    values = np.repeat(points, 2)[keep]
    none, no_cell = np.empty(0), np.empty(0, int)
    if len(known) == len(value):
        return Margin(no_cell, none, no_cell, none, levels, values)
    missing = np.array([block.n_cells - 1])
    return Margin(missing, np.array([np.isnan(value).mean()]), no_cell, none, levels, values)


def _grid_of(loose: np.ndarray, half: float) -> np.ndarray:
    """Return the points at which the law of sorted numbers is known: quantiles, and equal steps."""
    ends = loose[0] - half, loose[-1] + half
    quantiles = np.quantile(loose, np.linspace(0, 1, CENTRES))
    return np.concatenate([quantiles, np.linspace(*ends, CENTRES)])


def _heaped(distinct: np.ndarray, counts: np.ndarray, step: float) -> np.ndarray:
    """Return which sorted distinct numbers repeat more often than their neighbours explain.

    On a grid with that step the expected count is that of the ten distinct numbers nearest in
    rank, spread over the grid points that they span; without a grid any repeat is a point mass.
    """
    if step <= 0:
        return np.asarray(counts > 1)
    rank, upto = np.arange(len(distinct)), np.concatenate([[0], np.cumsum(counts)])
    first, last = (rank - 5).clip(0), (rank + 5).clip(max=len(distinct) - 1)
    others = upto[last + 1] - upto[first] - counts
    grid_points = np.maximum((distinct[last] - distinct[first]) / step, 1)
    return np.asarray((counts > 1) & (poisson.sf(counts - 1, others / grid_points) < HEAPED))


def _kernel_cdf(
    loose: np.ndarray, at: np.ndarray, low: float, high: float, narrowest: float
) -> np.ndarray:
    """Return the distribution function, at ``at``, of kernels reflected at ``low`` and ``high``."""
    m = min(len(loose), CENTRES)
    span = max(1 / m, len(loose) ** -0.5)
    level = (np.arange(m) + 0.5) / m
    below, above = (level - span).clip(0), (level + span).clip(max=1)
    ends = np.quantile(loose, np.stack([below, level, above]))
    if len(loose) > 2:  # one number far from all others says nothing of the density among those
        ends[[0, 2]] = ends[[0, 2]].clip(loose[1], loose[-2])
    if m == len(loose):
        ends[1] = loose
    width = np.maximum(span * (ends[2] - ends[0]) / (above - below), narrowest)
    width = np.maximum(width, 1e-9 * (high - low))
    x, t = ends[1], at[:, None]
    mass = ndtr((t - x) / width) - ndtr((2 * low - t - x) / width)
    mass += ndtr((t - 2 * high + x) / width)
    upto = mass.mean(axis=1)
    return np.asarray((upto - upto[0]) / (upto[-1] - upto[0]))


def whitener(second: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return B^(-1/2) (p, p), B the blocks of ``second`` within columns: it decorrelates axes."""
    inverse_root = np.zeros_like(second)
    for j in np.unique(column):
        block = np.ix_(*[np.flatnonzero(column == j)] * 2)
        spread, turn = np.linalg.eigh(second[block])
        inverse_root[block] = (turn * spread.clip(1e-6) ** -0.5) @ turn.T
    return inverse_root


def shrunk(second: np.ndarray, column: np.ndarray, n: int, shrinkage: float) -> np.ndarray:
    """Return R of scores with second moments S over n rows, the axes of each column independent.

        R = (1 - lambda) W S W + lambda I,   lambda = c p / (n + c p),

    W the whitener of S, c = ``shrinkage``: the posterior mode under an inverse Wishart prior of
    c p rows of independent axes. R is positive definite, with identity blocks within columns.
    """
    p = len(second)
    intensity = shrinkage * p / (n + shrinkage * p)
    root = whitener(second, column)
    return np.asarray((1 - intensity) * root @ second @ root + intensity * np.eye(p))


def latent_correlation(
    low: np.ndarray,
    high: np.ndarray,
    column: np.ndarray,
    shrinkage: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return R (p, p), learned from rows whose scores lie within [low, high], (p, n) each.

    ``column`` (p,) is the column of each axis. Stochastic approximation EM: a sweep draws the
    scores of each axis from their normal law given the other axes, within their bounds; second
    moments are averaged over the sweeps after BURN_IN, and R is :func:`shrunk` from them. If all
    bounds meet, one step is exact. Cost: SWEEPS n p^2.

    References: Delyon, Lavielle, Moulines 1999 (doi:10.1214/aos/1018031103).
    """
    n: int = low.shape[1]
    z = ndtri((ndtr(low) + ndtr(high)) / 2)
    open_ = np.flatnonzero((low < high).any(axis=1))
    second = z @ z.T / n
    r = shrunk(second, column, n, shrinkage)
    for sweep in range(SWEEPS if len(open_) else 0):
        precision = np.linalg.inv(r)
        for j in open_:
            scale = np.sqrt(1 / precision[j, j])
            centre = z[j] - scale**2 * (precision[j] @ z)
            a, b = (low[j] - centre) / scale, (high[j] - centre) / scale
            z[j] = (centre + scale * normal_within(a, b, rng.random(n))).clip(low[j], high[j])
        second += (z @ z.T / n - second) / max(1, sweep - BURN_IN + 1)
        r = shrunk(second, column, n, shrinkage)
    return r


class GaussianCopula(Generator):
    """Each column keeps its own law; a normal law of latent axes joins the columns.

    A numeric or ordinal column has one axis, its normal scores: point masses stay, all other
    numbers are smoothed on the column's grid (:func:`number_margin`). An unordered column has an
    axis for each level but the last, the most frequent first, which decides whether the cell is
    this level, given that it is none of the earlier ones; so the levels need no order. Missing is
    one of these levels. The correlation R of the axes has the greatest likelihood given all
    thresholds and is then shrunk (:func:`latent_correlation`, :func:`shrunk`).

    Parameters
    ----------
    shrinkage : float
        c > 0: R is shrunk towards independence as if by c rows for each axis. A smaller c
        follows the training rows more closely.

    Attributes
    ----------
    margins_ : list of Margin, one for each column that no other column determines
    correlation_ : (p, p) array, R

    It cannot represent dependence that is not monotone in every pair of axes, such as a price
    that peaks in the middle of a map, or sums that hold exactly. Cost: SWEEPS n p^2, n up to
    MAX_ROWS; 0.1 s for 300 rows on 50 axes, 15 s for 100,000 rows of 50 columns on 216 axes. The
    model file holds the margins' quantiles and R: no rows, but values that occur in the table.

    References: Hoff 2007 (doi:10.1214/07-AOAS107), the model; Delyon, Lavielle, Moulines 1999
    (doi:10.1214/aos/1018031103), the fitting algorithm.
    """

    holds: ClassVar[Holds] = Holds(False, f"correlations, and {OF_COLUMNS}")
    references: ClassVar[tuple[str, ...]] = (
        "doi:10.1214/07-AOAS107",
        "doi:10.1214/aos/1018031103",
    )
    parameters: ClassVar[Parameters] = {
        "shrinkage": Real(above=0, search=Float(0.01, 3.0, log=True)),
        "random_state": SEED,
    }

    def __init__(self, shrinkage: float = 0.15, random_state: RandomState = 0) -> None:
        self.shrinkage = shrinkage
        self.random_state = random_state

    margins_: list[Margin]
    correlation_: np.ndarray

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        del aids
        rng = np.random.default_rng(stream)
        cells = layout.free_cells(x)
        self.margins_ = self._margins(x, cells)
        axes = [margin.n_axes for margin in self.margins_]
        n = int(min(len(x), MAX_ROWS, max(300, MAX_COST / max(1, sum(axes)) ** 2)))
        rows = np.sort(rng.permutation(len(x))[:n])
        low, high = np.empty((2, sum(axes), n))
        at = 0
        for block, margin, cell in zip(layout.free, self.margins_, cells, strict=True):
            mine, at = slice(at, at + margin.n_axes), at + margin.n_axes
            value = layout.values(block, x)[rows]
            low[mine], high[mine] = margin.bounds(block, cell[rows], value)
        column = np.repeat(np.arange(len(axes)), axes)
        self.correlation_ = latent_correlation(low, high, column, self.shrinkage, rng)

    def _margins(self, x: np.ndarray, cells: list[np.ndarray]) -> list[Margin]:
        """Return the margin of each free column; frequent levels get the remaining axes."""
        layout, margins = self.encoder_.layout_, {}
        for k, block in enumerate(layout.free):
            value = layout.values(block, x)
            if block.ordered and np.nanmin(value, initial=np.inf) < np.nanmax(
                value, initial=-np.inf
            ):
                margins[k] = number_margin(block, value)
        rest = [k for k in range(len(cells)) if k not in margins]
        counts = [np.sort(np.bincount(cells[k]))[::-1] for k in rest]
        levels = np.sort(np.concatenate([np.empty(0, int), *[c[:-1] for c in counts]]))[::-1]
        room = max(len(rest), MAX_AXES - sum(m.n_axes for m in margins.values()))
        least = max(MIN_COUNT, levels[room] + 1 if len(levels) > room else 0)
        margins |= {k: level_margin(cells[k], least) for k in rest}
        return [margins[k] for k in range(len(cells))]

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        layout, p = self.encoder_.layout_, len(self.correlation_)
        z = np.linalg.cholesky(self.correlation_) @ rng.standard_normal((p, n))
        values: dict[int, np.ndarray] = {}
        at, margins = 0, iter(self.margins_)
        for j, block in enumerate(layout.blocks):
            if block.parent < 0:
                margin = next(margins)
                values[j] = margin.draw(block, z[at : at + margin.n_axes], rng)
                at += margin.n_axes
        return layout.from_free(values, rng)

    def log_likelihood(self, table: Frame, *, random_state: RandomState = 0) -> np.ndarray:
        """Return the estimated log-probability of each row's cells (n,), in nats.

        The law is the one that rows are drawn from; a number's cell is its interval
        (:class:`~tabseed.coding.encode.Layout`), so models that share an encoder can be compared.
        The estimate is a lower bound in expectation
        (:func:`~tabseed.generators.orthants.log_probability`); -inf for rows of probability 0.
        SchemaError for values that the encoder does not know.
        """
        layout = self.encoder_.layout_
        x = self.encoder_.transform(Table.from_frame(table))
        cells = layout.free_cells(x)
        low: list[np.ndarray] = []
        high: list[np.ndarray] = []
        logs = np.zeros(len(x))
        for block, margin, cell in zip(layout.free, self.margins_, cells, strict=True):
            lows, highs = margin.pieces(block, cell)
            low, high = low + lows, high + highs
            share = np.ones(block.n_cells)  # of a cell, given what the axes decide
            if len(margin.rest):
                share[margin.rest] = margin.rest_share
            logs += np.log(share[cell])
        with one_thread():
            chance = log_probability(low, high, self.correlation_, generator(random_state))
        return logs + (chance if low else 0.0)

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        arrays = {"correlation": self.correlation_}
        for k, margin in enumerate(self.margins_):
            arrays |= {f"margin{k}.{f.name}": getattr(margin, f.name) for f in fields(margin)}
        return {}, arrays

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        self.correlation_ = r = stored(arrays, "correlation", "f", (None, None))
        cells = ("split", "rest")
        kinds = {f.name: "i" if f.name in cells else "f" for f in fields(Margin)}
        self.margins_ = [
            Margin(**{n: stored(arrays, f"margin{k}.{n}", i, (None,)) for n, i in kinds.items()})
            for k in range(len(self.encoder_.layout_.free))
        ]
        for block, margin in zip(self.encoder_.layout_.free, self.margins_, strict=True):
            _refuse_unsound(block, margin)
        p = sum(margin.n_axes for margin in self.margins_)
        if r.shape != (p, p) or not np.allclose(r, r.T) or not np.allclose(np.diag(r), 1):
            raise ValueError(f"correlation of shape {r.shape}, {p} axes")
        np.linalg.cholesky(r)  # raises for one that is not positive definite

    def summary(self) -> list[str]:
        """Return a few lines that say what was learned."""
        p = len(self.correlation_)
        lines = [f"{counted(len(self.margins_), 'column')} on {p} latent axes"]
        without_axis = [
            block.name
            for block, margin in zip(self.encoder_.layout_.free, self.margins_, strict=True)
            if len(margin.rest) > 1
        ]
        if without_axis:
            lines.append(
                "rarest levels drawn independently of other columns: "
                + ", ".join(map(repr, without_axis))
            )
        return [*lines, *super().summary()]


def _refuse_unsound(block: Block, margin: Margin) -> None:
    """Raise ValueError if a margin from a file cannot be one of this block."""
    cells = np.concatenate([margin.split, margin.rest])
    shares = np.concatenate([margin.share, margin.rest_share])
    sound = (
        margin.split.shape == margin.share.shape
        and margin.rest.shape == margin.rest_share.shape
        and margin.levels.shape == margin.values.shape
        and bool(len(margin.rest)) != bool(len(margin.values))
        and np.isin(cells, np.arange(block.n_cells)).all()
        and ((shares > 0) & (shares <= 1)).all()
        and (np.diff(margin.levels) >= 0).all()
        and (np.diff(margin.values) >= 0).all()
        and np.isfinite(margin.values).all()
        and ((margin.levels >= 0) & (margin.levels <= 1)).all()
    )
    if not sound:
        raise ValueError(f"the margin of {block.name!r} is not sound")
