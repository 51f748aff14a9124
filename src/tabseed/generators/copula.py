"""Gaussian copula of mixed columns: margins of any kind, one normal law of latent axes.

Notation: n rows, p latent axes, z (p, n) their standard normal scores, R (p, p) the correlation
of the axes, Phi the normal distribution function, F and Q a column's distribution and quantile
function.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtr, ndtri

from tabseed._random import RandomState, generator, one_thread
from tabseed.archive import OF_COLUMNS, Arrays, Holds, stored
from tabseed.coding.encode import Layout
from tabseed.generators.base import Aids, Generator
from tabseed.generators.conditions import Conditions
from tabseed.generators.copula_margins import (
    Margin,
    level_margin,
    number_margin,
    refuse_unsound,
)
from tabseed.generators.importance import by_importance
from tabseed.generators.orthants import Walk, log_probability, normal_within
from tabseed.parameters import SEED, Parameters, Real
from tabseed.space import Float
from tabseed.table import Frame, Table
from tabseed.table.display import counted

MIN_COUNT = 3  # rows of a level that gets an axis, at least
MAX_AXES = 250  # axes that the levels of all columns together may use
MAX_ROWS = 20_000  # rows that R is learned from: a standard error of 0.007 at most
MAX_COST = 6e8  # n p^2 of one sweep: above it R is learned from fewer rows, at least 300
BURN_IN, SWEEPS = 5, 18  # sweeps over the axes: before moments are averaged, and in total


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
        z = np.linalg.cholesky(self.correlation_) @ rng.standard_normal((len(self.correlation_), n))
        return self._rows(z, {}, rng)

    def _sample_near(self, n: int, conditions: Conditions, rng: np.random.Generator) -> np.ndarray:
        """Draw rows given the conditions by importance: each axis within what they leave."""
        layout, allowed = self.encoder_.layout_, conditions.allowed
        free = [j for j, block in enumerate(layout.blocks) if block.parent < 0]
        root = np.linalg.cholesky(self.correlation_)

        def draw(m: int) -> tuple[np.ndarray, np.ndarray]:
            walk = Walk(root, (m,))
            for j, margin in zip(free, self.margins_, strict=True):
                if j in allowed:
                    margin.walk(layout.blocks[j], allowed[j], walk, rng)
                    continue
                for _ in range(margin.n_axes):
                    walk.free(rng.standard_normal(m))
            return root @ walk.noise, np.exp(walk.logs)

        batches, rows = by_importance(draw, n, rng)
        if rows is None:
            return self._sample(n, rng)
        return self._rows(np.concatenate(batches, axis=1)[:, rows], allowed, rng)

    def _rows(
        self, z: np.ndarray, allowed: dict[int, np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        """Return encoded rows (n, w) of scores (p, n)."""
        layout = self.encoder_.layout_
        values: dict[int, np.ndarray] = {}
        at, margins = 0, iter(self.margins_)
        for j, block in enumerate(layout.blocks):
            if block.parent < 0:
                margin = next(margins)
                own = z[at : at + margin.n_axes]
                values[j] = margin.draw(block, own, rng, allowed.get(j))
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
        x = self.encoder_.transform(Table.from_frame(table))
        return self._log_probability(x, random_state=random_state)

    def _log_probability(self, x: np.ndarray, *, random_state: RandomState = 0) -> np.ndarray:
        layout = self.encoder_.layout_
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
            refuse_unsound(block, margin)
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
