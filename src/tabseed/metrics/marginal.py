"""How far single columns are from the real ones, without regard to their joint law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tabseed._progress import Progress
from tabseed.estimates.estimate import Better, Estimate
from tabseed.metrics.base import Metric
from tabseed.metrics.leakage import pooled_codes
from tabseed.parameters import Parameters, Whole
from tabseed.table import Table
from tabseed.table.schema import NUMERIC

CHUNK_CELLS = 4_000_000  # resampled row counts in memory at once: 32 MB


@dataclass(frozen=True)
class MarginalResult:
    """The mean distance over columns, with its interval, and the distance of each column."""

    mean: Estimate
    columns: dict[str, float]

    @property
    def headline(self) -> Estimate:
        """The number to quote: the mean."""
        return self.mean

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        return {"headline": self.mean.to_dict(), "columns": dict(self.columns)}


class MarginalDistance(Metric[MarginalResult]):
    """Mean over columns of the distance between the real and the synthetic column, in [0, 1].

    Numbers: the Kolmogorov-Smirnov distance, the largest difference of the distribution
    functions, with missing as a value below all others. Categories: total variation, half the
    sum of absolute differences of level shares, with missing as a level.

    Interval: value -+ 1.96 standard deviations over ``n_bootstrap`` joint resamplings of the
    rows of both tables, kept inside [0, 1]. Two samples of one law do not have distance 0 but
    about 0.9 sqrt(1/n + 1/m) for a number, so compare it with real rows against real rows.
    Cost: one sort per column, and ``n_bootstrap`` passes over all cells.
    """

    unit: ClassVar[str] = "share"
    better: ClassVar[Better] = "lower"
    references: ClassVar[tuple[str, ...]] = ("Smirnov, Ann. Math. Statist. 19 (1948)",)
    min_rows: ClassVar[int] = 2

    parameters: ClassVar[Parameters] = {
        "n_bootstrap": Whole(2),
    }

    def __init__(self, *, n_bootstrap: int = 200) -> None:
        self.n_bootstrap = n_bootstrap

    def _evaluate(
        self,
        real: Table,
        synthetic: Table,
        stream: np.random.SeedSequence,
        *,
        train: Table | None,
        progress: Progress | None,
    ) -> MarginalResult:
        del train, progress  # the work takes only a moment
        rng = np.random.default_rng(stream)
        columns = {c.name: _ColumnPair.of(real, synthetic, c.name) for c in real.schema}
        n, m = len(real), len(synthetic)
        values = {
            name: float(pair.distance(np.ones((1, n)), np.ones((1, m)))[0])
            for name, pair in columns.items()
        }
        resampled = []
        step = max(1, CHUNK_CELLS // (n + m))
        for start in range(0, self.n_bootstrap, step):
            size = min(step, self.n_bootstrap - start)
            # counts of each row in a resample: the same for every column, so rows stay whole
            left, right = _resample_counts(rng, size, n), _resample_counts(rng, size, m)
            resampled.append(np.mean([p.distance(left, right) for p in columns.values()], axis=0))
        value = float(np.mean(list(values.values())))
        half = 1.96 * float(np.std(np.concatenate(resampled), ddof=1))
        low, high = max(0.0, value - half), min(1.0, value + half)
        return MarginalResult(Estimate(value, low, high, self.unit, self.better), values)


def _resample_counts(rng: np.random.Generator, size: int, n: int) -> np.ndarray:
    """Return how often each of n rows occurs in ``size`` resamples, float (size, n)."""
    rows = rng.integers(0, n, size=(size, n)) + n * np.arange(size)[:, None]
    return np.bincount(rows.ravel(), minlength=size * n).reshape(size, n).astype(float)


@dataclass(frozen=True)
class _ColumnPair:
    """One column of both tables as indices of its pooled levels (missing comes first)."""

    left: np.ndarray
    right: np.ndarray
    n_levels: int
    ordered: bool

    @classmethod
    def of(cls, real: Table, synthetic: Table, name: str) -> _ColumnPair:
        ordered = real.schema[name].kind in NUMERIC
        if ordered:
            cells = np.concatenate([real.numbers(name), synthetic.numbers(name)])
            cells = np.where(np.isnan(cells), -np.inf, cells)
        else:
            cells = np.concatenate(pooled_codes([real, synthetic], name))
        levels, codes = np.unique(cells, return_inverse=True)
        return cls(codes[: len(real)], codes[len(real) :], len(levels), ordered)

    def distance(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the distances (size,) under row counts (size, n) and (size, m)."""
        gap = self._shares(self.left, left) - self._shares(self.right, right)
        if self.ordered:
            return np.asarray(np.abs(np.cumsum(gap, axis=1)).max(axis=1))
        return np.asarray(np.abs(gap).sum(axis=1) / 2)

    def _shares(self, codes: np.ndarray, counts: np.ndarray) -> np.ndarray:
        size, n = counts.shape
        bins = (codes + self.n_levels * np.arange(size)[:, None]).ravel()
        total = np.bincount(bins, weights=counts.ravel(), minlength=size * self.n_levels)
        return np.asarray(total.reshape(size, self.n_levels) / n)
