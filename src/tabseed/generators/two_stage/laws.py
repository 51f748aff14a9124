"""Laws of one column given points: what a two-stage generator draws its response from.

Notation: n rows, a point (w,) for each, w = 0 if there are no features; C classes; values
as in a column's block (numbers, or codes of categories), NaN missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, ndtri, softmax
from sklearn.neighbors import NearestNeighbors

from tabseed._random import child
from tabseed.coding.cells import Block
from tabseed.coding.levels import pick
from tabseed.generators.two_stage.fitting import Fitting, near, said, votes
from tabseed.table import MISSING

Residuals = Literal["local", "global", "gaussian", "none"]
GAPS = 2  # stream below that of a response, beside those of its fits
BODY, MISSING_CELL, APART = range(3)  # kinds of numbers; APART + k is atom k
NODES = 201  # normal quantiles that give the mean of a rounded Gaussian response
BLOCK_CELLS = 2_000_000  # rows times residuals in memory at once
CLIPPED_ROWS = 500  # training rows that give the share of clipped responses, at most


# --- laws of the response given points ----------------------------------------------------------


class Law(Protocol):
    """The law of one column given points (n, w)."""

    def mean(self, points: np.ndarray) -> np.ndarray:
        """Return E[y~ | x] (n,), or the probabilities of the classes (n, C)."""

    def draw(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw values (n,) of the column's block, NaN missing."""

    def says(self) -> list[str]:
        """Return a few lines that say what was learned."""


@dataclass(frozen=True)
class Determined:
    """A target that another column determines: points are that column's cells (n, 1)."""

    leader: str
    block: Block
    codes: np.ndarray  # (C,) of the classes; empty for numbers

    def draw(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the values that the leaders determine."""
        assert self.block.parent_cells is not None
        return self.block.draw(self.block.parent_cells[points[:, 0].astype(int)], rng)

    def mean(self, points: np.ndarray) -> np.ndarray:
        """Return the value itself, or probability 1."""
        value = self.draw(points, np.random.default_rng(0))  # a determined value is not random
        if self.block.numeric:
            return value
        return np.asarray((np.nan_to_num(value, nan=MISSING)[:, None] == self.codes).astype(float))

    def says(self) -> list[str]:
        """Return a line that names the leader."""
        return [f"no response was fitted: {self.block.name!r} follows {self.leader!r}"]


@dataclass(frozen=True)
class MarginLaw:
    """Numbers without features: cells as often as in the training rows."""

    block: Block
    counts: np.ndarray  # rows in each cell
    y: np.ndarray  # (n,) training values

    def draw(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw from the column's own law."""
        cell = rng.choice(len(self.counts), len(points), p=self.counts / self.counts.sum())
        return self.block.draw(cell, rng)

    def mean(self, points: np.ndarray) -> np.ndarray:
        """Return the mean of the training rows; NaN if all are missing."""
        known = self.y[~np.isnan(self.y)]
        return np.full(len(points), known.mean() if len(known) else np.nan)

    def says(self) -> list[str]:
        """Return a line that says that there was nothing to learn."""
        return ["no response was fitted: there is nothing to learn it from"]


@dataclass(frozen=True)
class ClassLaw:
    """Classes from calibrated probabilities; see :class:`FeatureResponse` for the formula."""

    model: Any
    codes: np.ndarray  # (C,)
    base: np.ndarray  # (C,) pi
    slope: float
    intercept: np.ndarray  # (C,)
    floor: float  # share of the base rates in p
    hard: bool
    gain: float  # mean out-of-fold log-likelihood less that of the base rates, nats a row

    @classmethod
    def fit(
        cls,
        points: np.ndarray,
        y: np.ndarray,
        codes: np.ndarray,
        fitting: Fitting,
        *,
        hard: bool = False,
    ) -> ClassLaw:
        """Learn from values y (n,), NaN missing, all of them among ``codes``."""
        n, c = len(y), len(codes)
        k = (np.nan_to_num(y, nan=MISSING)[:, None] == codes).argmax(axis=1)
        base, floor = np.bincount(k, minlength=c) / n, 1 / (n + 1)
        law = cls(None, codes, base, 0.0, np.zeros(c), floor, hard, 0.0)
        if c < 2 or not points.shape[1]:
            return law
        p, model = fitting.crossed("classification", points, k, lambda m, x: votes(m, x, c))
        evidence = law._evidence(p)
        slope, intercept = calibrated(evidence, k, base)
        logs = log_softmax(np.log(base) + intercept + slope * evidence, axis=1)
        gain = float((logs[np.arange(n), k] - np.log(base[k])).mean())
        return replace(law, model=model, slope=slope, intercept=intercept, gain=gain)

    def _evidence(self, p: np.ndarray) -> np.ndarray:
        """Return log(p / pi) of probabilities (n, C), mixed with ``floor`` of the base rates."""
        return np.asarray(np.log((1 - self.floor) * p / self.base + self.floor))

    def mean(self, points: np.ndarray) -> np.ndarray:
        """Return eta^(x), (n, C); with ``hard`` 1 for the likeliest class."""
        scores = np.tile(np.log(self.base) + self.intercept, (len(points), 1))
        if self.model is not None:
            p = votes(self.model, points, len(self.codes))
            scores = scores + self.slope * self._evidence(p)
        if self.hard:
            return np.asarray(
                (scores.argmax(axis=1)[:, None] == np.arange(len(self.codes))).astype(float)
            )
        return np.asarray(softmax(scores, axis=1))

    def draw(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw codes (n,), NaN missing."""
        upto = np.cumsum(self.mean(points), axis=1)
        code = self.codes[pick(upto, rng.random(len(points)))]
        return np.where(code == MISSING, np.nan, code)

    def says(self) -> list[str]:
        """Return a line that says how well the features predict."""
        if self.model is None:
            return ["no response was fitted: there is nothing to learn it from"]
        choice = ", always the likeliest class" if self.hard else ""
        return [
            f"response by {said(self.model)}: {self.gain:+.2f} nats a row over the base "
            f"rates on rows that it did not see, calibrated with slope {self.slope:.2f}{choice}"
        ]


def calibrated(evidence: np.ndarray, k: np.ndarray, base: np.ndarray) -> tuple[float, np.ndarray]:
    """Return slope a and intercepts b (C,) of classes k (n,) from evidence l (n, C).

    They maximise sum_i log softmax(log pi + b + a l_i)_{k_i} - (a^2 + |b|^2) / 2, which is concave.
    """
    n, c = evidence.shape
    hit = np.eye(c)[k]

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        logs = log_softmax(np.log(base) + theta[1:] + theta[0] * evidence, axis=1)
        off = np.exp(logs) - hit
        gradient = np.concatenate([[(off * evidence).sum()], off.sum(axis=0)])
        return float(theta @ theta / 2 - logs[np.arange(n), k].sum()), gradient + theta

    optimum = minimize(loss, np.zeros(1 + c), jac=True, method="L-BFGS-B")
    return float(optimum.x[0]), np.asarray(optimum.x[1:])


@dataclass(frozen=True)
class NumberLaw:
    """Numbers: mu^(x) plus a residual, moved onto the column's grid; possibly missing."""

    block: Block
    model: Any
    centre: float  # of y, and its spread: the model learned standardised values
    spread: float
    slope: float
    residuals: np.ndarray  # (n,) of y out of fold, with mean 0
    kind: Residuals
    search: NearestNeighbors  # among the training points
    apart: ClassLaw | None  # BODY, MISSING, or which number apart; None if all are in the body
    skill: float  # R2 out of fold
    clipped: float = 0.0  # share of responses drawn beyond the training range

    @classmethod
    def fit(
        cls, points: np.ndarray, y: np.ndarray, block: Block, fitting: Fitting, kind: Residuals
    ) -> NumberLaw:
        """Learn from y (n,), NaN missing; not all are missing."""
        apart, kinds = None, kinds_of(block, y)
        if kinds.any():
            named = isinstance(fitting.response, str)
            own = Fitting(
                fitting.response if named else "forest", fitting.folds, child(fitting.stream, GAPS)
            )
            apart = ClassLaw.fit(points, kinds.astype(float), np.unique(kinds), own)
        points, y = points[kinds == BODY], block.tidy(y[kinds == BODY])
        centre, spread = y.mean(), y.std() or 1.0
        z = (y - centre) / spread
        predictions, model = fitting.crossed(
            "regression", points, z, lambda m, x: m.predict(x).ravel()
        )
        predictions = predictions - predictions.mean()
        slope = max(0.0, float(predictions @ z / (predictions @ predictions + 1)))
        error = z - slope * predictions
        law = cls(
            block=block,
            model=model,
            centre=float(centre),
            spread=float(spread),
            slope=slope,
            residuals=spread * error,
            kind=kind,
            search=NearestNeighbors(n_neighbors=near(len(y))).fit(points),
            apart=apart,
            skill=float(1 - (error**2).mean()),
        )
        sample = points[:: -(-len(points) // CLIPPED_ROWS)]
        ends = np.concatenate([block.atoms, block.knots.ravel()])
        beyond = law._averaged(sample, lambda v: (v < ends.min()) | (v > ends.max()))
        return replace(law, clipped=float(beyond.mean()))

    def mu(self, points: np.ndarray) -> np.ndarray:
        """Return mu^(x), (n,)."""
        if not len(points):
            return np.empty(0)
        return np.asarray(
            self.centre + self.spread * self.slope * self.model.predict(points).ravel()
        )

    def noise(self, points: np.ndarray) -> np.ndarray:
        """Return equally likely residuals at each point, (n, r), or (1, r) for all points."""
        if self.kind == "none":
            return np.zeros((1, 1))
        if self.kind == "global":
            return self.residuals[None]
        if self.kind == "gaussian":
            return np.asarray(self.residuals.std() * ndtri((np.arange(NODES) + 0.5) / NODES)[None])
        e = self.residuals[self.search.kneighbors(points, return_distance=False)]
        k = e.shape[1]
        return np.asarray((e - e.mean(axis=1, keepdims=True)) * (k / max(1, k - 1)) ** 0.5)

    def draw(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw values (n,), NaN missing."""
        n = len(points)
        if not n:
            return np.empty(0)
        if self.kind == "gaussian":
            e = self.residuals.std() * rng.standard_normal(n)
        else:
            noise = self.noise(points)
            which = rng.integers(0, noise.shape[1], n)
            e = np.broadcast_to(noise, (n, noise.shape[1]))[np.arange(n), which]
        y = on_grid(self.block, self.mu(points) + e)
        if self.apart is not None:
            kind = self.apart.draw(points, rng).astype(int)
            y = np.where(kind == BODY, y, self._value_of(kind))
        return y

    def _value_of(self, kind: np.ndarray) -> np.ndarray:
        """Return the number of each kind that is not BODY, NaN for missing; both (n,)."""
        numbers = np.append(self.block.atoms, np.nan)  # for MISSING, and BODY, which has no number
        return numbers[np.where(kind > MISSING_CELL, kind - APART, len(numbers) - 1)]

    def mean(self, points: np.ndarray) -> np.ndarray:
        """Return the mean (n,) of the draws that are not missing."""
        mean = self._averaged(points, lambda values: on_grid(self.block, values))
        if self.apart is None or (self.apart.codes < APART).all():
            return mean
        share, codes = self.apart.mean(points), self.apart.codes
        known = codes != MISSING_CELL
        numbers = np.where(codes == BODY, mean[:, None], np.nan_to_num(self._value_of(codes)))
        weight = share[:, known]
        return np.asarray((weight * numbers[:, known]).sum(axis=1) / weight.sum(axis=1))

    def _averaged(self, points: np.ndarray, f: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return E[f(mu^(x) + e)] (n,), e over the residuals at x; f maps (m,) to (m,)."""
        if not len(points):
            return np.empty(0)
        mu, noise = self.mu(points), self.noise(points)
        size = max(1, BLOCK_CELLS // noise.shape[1])
        parts = []
        for start in range(0, len(mu), size):
            some = slice(start, start + size)
            value = mu[some, None] + (noise if len(noise) == 1 else noise[some])
            parts.append(f(value.ravel()).reshape(value.shape).mean(axis=1))
        return np.concatenate(parts)

    def says(self) -> list[str]:
        """Return lines that say how well the features predict and how much is clipped."""
        line = (
            f"response by {said(self.model)}: R2 {self.skill:.2f} on rows that it did not "
            f"see, calibrated with slope {self.slope:.2f}; residuals {self.kind}"
        )
        share = f"{self.clipped:.1%} of the responses lie beyond the training range and are clipped"
        return [line, *([share] if self.clipped >= 5e-4 else [])]


def kinds_of(block: Block, y: np.ndarray) -> np.ndarray:
    """Return BODY, MISSING_CELL, or APART plus the atom's index for each number (n,).

    Numbers apart, far from all others, are codes or outliers: a mean over them and others tells
    nothing, so a regression learns the body only.
    """
    kinds = np.where(np.isnan(y), MISSING_CELL, BODY)
    alone = np.flatnonzero(block.alone)
    hit = block.tidy(y)[:, None] == block.atoms[alone]
    apart = hit.any(axis=1)
    if not apart.any() or (apart | np.isnan(y)).all():
        return kinds
    kinds[apart] = APART + alone[hit[apart].argmax(axis=1)]
    return kinds


def on_grid(block: Block, values: np.ndarray) -> np.ndarray:
    """Return numbers (n,) moved into range and onto the grid, or to the nearest of few numbers."""
    values = block.snap(values)
    return block.atoms[block.cell_of(values)] if block.is_discrete else values
