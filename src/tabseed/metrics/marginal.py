"""How far single columns are from the real ones, without regard to their joint law.

Notation: n real and m synthetic rows; p and q, the shares of a column's pooled levels (missing is
the first of an ordered column) in the real and in the synthetic rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from tabseed._progress import Progress
from tabseed._random import child
from tabseed.estimates.estimate import Better, Estimate
from tabseed.estimates.means import SHARE, mean_over
from tabseed.metrics.base import Metric
from tabseed.metrics.chance import Family, Null
from tabseed.metrics.leakage import pooled_codes
from tabseed.metrics.two_sample import label_vectors
from tabseed.parameters import AnyOf, OneOf, Parameters, Whole
from tabseed.rules.patterns import values_of
from tabseed.table import MISSING, Table
from tabseed.table.schema import NUMERIC

CHUNK_CELLS = 4_000_000  # resampled row counts in memory at once: 32 MB
CACHED_CELLS = 40_000  # of them, worked on at once
DEALS = 2  # random stream below the metric's own
PERMUTATIONS = AnyOf((OneOf((0,)), Whole(19)), "0 or a whole number of at least 19")
LEVEL = 0.95
TINY = 1e-300


@dataclass(frozen=True)
class MarginalResult:
    """The mean distance over columns, with its interval, and how each column differs.

    ``columns``: the distance of each column. ``distances``: the same with intervals and nulls;
    ``shifts``: Wasserstein distances of the numbers, in the column's unit (days for dates), of
    columns with values in both tables; ``missing``: the synthetic minus the real share of missing
    cells, of columns with a missing cell. ``missing_shares``: real and synthetic shares of them.
    ``spreads``: standard deviations of the pooled numbers.
    """

    mean: Estimate
    columns: dict[str, float]
    distances: Family = field(compare=False)
    shifts: Family = field(compare=False)
    missing: Family = field(compare=False)
    missing_shares: dict[str, tuple[float, float]]
    spreads: dict[str, float]

    @property
    def headline(self) -> Estimate:
        """The number to quote: the mean."""
        return self.mean

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        families = {"distances": self.distances, "shifts": self.shifts, "missing": self.missing}
        return {
            "headline": self.mean.to_dict(),
            "columns": dict(self.columns),
            **{
                key: {name: one.to_dict() for name, one in family.compared().items()}
                for key, family in families.items()
            },
            "missing_shares": {name: list(pair) for name, pair in self.missing_shares.items()},
        }


class MarginalDistance(Metric[MarginalResult]):
    """Mean over columns of the distance between the real and the synthetic column, in [0, 1].

    Numbers: the Kolmogorov-Smirnov distance, the largest difference of the distribution
    functions, with missing as a value below all others. Categories: total variation, half the
    sum of absolute differences of level shares, with missing as a level.

    Interval: value -+ 1.96 standard deviations over ``n_bootstrap`` joint resamplings of the
    rows of both tables, kept inside [0, 1]. Two samples of one law do not have distance 0 but
    about 0.9 sqrt(1/n + 1/m) for a number, so compare it with real rows against real rows.

    Each column also gets the Wasserstein distance of its numbers, the area between both
    distribution functions of cells that are not missing, and the difference of its shares of
    missing cells. All three distances are norms of a difference of shares, so by the triangle
    inequality the truth lies within the norm of the sampling error, whose 95 % quantile over the
    resamplings gives the interval: it covers 95 % or more. A missing share's has Agresti and
    Coull's intervals of both shares, joined by squares (Zou and Donner 2008).

    With ``permutations`` (0: none) each column gets what shuffled labels give, an exact p-value,
    one adjusted for all columns, and the smallest detectable difference; see
    :class:`~tabseed.metrics.chance.Compared`. For a Wasserstein distance that is of a shift.
    Cost: one sort per column, ``n_bootstrap`` + ``permutations`` passes over all cells: for 100
    columns of 10,000 + 10,000 numbers some 12 s on one core with 200 of each.
    """

    unit: ClassVar[str] = "share"
    better: ClassVar[Better] = "lower"
    references: ClassVar[tuple[str, ...]] = (
        "Smirnov, Ann. Math. Statist. 19 (1948)",
        "doi:10.1002/sim.3095",
    )
    min_rows: ClassVar[int] = 2

    parameters: ClassVar[Parameters] = {
        "n_bootstrap": Whole(2),
        "permutations": PERMUTATIONS,
    }

    def __init__(self, *, n_bootstrap: int = 200, permutations: int = 0) -> None:
        self.n_bootstrap = n_bootstrap
        self.permutations = permutations

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
        columns = {name: _Column.of(real, synthetic, name) for name in real.schema.names}
        rng = np.random.default_rng(stream)
        means, noise = _resampled(list(columns.values()), self.n_bootstrap, rng)
        deals = _dealt(list(columns.values()), self.permutations, child(stream, DEALS))
        distances = {name: float(c.norms(*c.true)[0][0]) for name, c in columns.items()}
        value = float(np.mean(list(distances.values())))
        half = 1.96 * float(np.std(means, ddof=1))
        low, high = max(0.0, value - half), min(1.0, value + half)
        return MarginalResult(
            Estimate(value, low, high, self.unit, self.better),
            distances,
            _distances(columns, noise[0], deals),
            _shifts(columns, noise[1], deals),
            _missing(columns, deals),
            {name: c.missing_shares for name, c in columns.items()},
            {name: c.spread() for name, c in columns.items() if c.has_numbers},
        )


# --- one column -----------------------------------------------------------------------------------


class _Gaps(NamedTuple):
    """Differences of shares (size, .): of all levels, and of numbers among all numbers."""

    levels: np.ndarray
    numbers: np.ndarray


@dataclass(frozen=True)
class _Column:
    """One column of both tables: the index of each cell's level, and the levels' shares.

    ``left`` (n,) and ``right`` (m,) index L pooled levels. ``numbers`` are the values of those of
    an ordered column, without the first one if that is "missing" (``lacks``); None for categories.
    """

    left: np.ndarray
    right: np.ndarray
    n_levels: int
    lacks: bool
    numbers: np.ndarray | None

    @classmethod
    def of(cls, real: Table, synthetic: Table, name: str) -> _Column:
        ordered = real.schema[name].kind in NUMERIC
        if ordered:
            cells = np.concatenate([values_of(table, name) for table in (real, synthetic)])
            cells = np.where(np.isnan(cells), -np.inf, cells)
        else:
            cells = np.concatenate(pooled_codes([real, synthetic], name))
        levels, codes = np.unique(cells, return_inverse=True)
        lacks = bool(levels[0] == (-np.inf if ordered else MISSING))
        numbers = levels[int(lacks) :] if ordered else None
        return cls(codes[: len(real)], codes[len(real) :], len(levels), lacks, numbers)

    @cached_property
    def true(self) -> tuple[np.ndarray, np.ndarray]:
        """The true shares of the levels, each (1, L)."""
        return self.shares(np.ones((1, len(self.left))), np.ones((1, len(self.right))))

    @property
    def missing_shares(self) -> tuple[float, float]:
        """The shares of missing cells, real and synthetic."""
        real, synthetic = (float(share[0, 0]) if self.lacks else 0.0 for share in self.true)
        return real, synthetic

    @property
    def has_numbers(self) -> bool:
        """Whether both tables have a number in it."""
        return self.numbers is not None and max(self.missing_shares) < 1

    def shares(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return shares (size, L) of the levels under row counts (size, n) and (size, m)."""
        p, q = self._count(self.left, left), self._count(self.right, right)
        return p / len(self.left), q / len(self.right)

    def dealt(self, deals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return shares (size, L) if other n of the pooled rows were the real ones.

        ``deals`` (size, n + m) is 1 for these rows, else 0.
        """
        codes = np.concatenate([self.left, self.right])
        counts = self._count(codes, deals)
        others = np.bincount(codes, minlength=self.n_levels) - counts
        return counts / len(self.left), others / len(self.right)

    def _count(self, codes: np.ndarray, counts: np.ndarray) -> np.ndarray:
        size = len(counts)
        bins = (codes + self.n_levels * np.arange(size)[:, None]).ravel()
        total = np.bincount(bins, weights=counts.ravel(), minlength=size * self.n_levels)
        return np.asarray(total.reshape(size, self.n_levels))

    def norms(
        self, p: np.ndarray, q: np.ndarray, less: _Gaps | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return distances and Wasserstein distances (size,) of shares p and q (size, L).

        ``less`` is subtracted from the differences of shares first: the norms are those of errors.
        Without numbers the second is 0.
        """
        gaps = self.gaps(p, q)
        of_levels = gaps.levels if less is None else gaps.levels - less.levels
        if self.numbers is None:
            return np.asarray(np.abs(of_levels).sum(axis=1) / 2), np.zeros(len(p))
        height = np.abs(np.cumsum(of_levels, axis=1))
        size = height.max(axis=1)
        if self.lacks:
            of_numbers = gaps.numbers if less is None else gaps.numbers - less.numbers
            height = np.abs(np.cumsum(of_numbers, axis=1))
        return np.asarray(size), np.asarray(height[:, :-1] @ np.diff(self.numbers))

    def gaps(self, p: np.ndarray, q: np.ndarray) -> _Gaps:
        """Return the differences of shares p and q (size, L) among all cells and among numbers."""
        if self.numbers is None or not self.lacks:
            return _Gaps(p - q, p - q)
        a, b = (x[:, 1:] / np.maximum(x[:, 1:].sum(axis=1, keepdims=True), TINY) for x in (p, q))
        return _Gaps(p - q, a - b)

    def spread(self) -> float:
        """Return the standard deviation of the pooled numbers."""
        if self.numbers is None or not len(self.numbers):
            return 0.0
        codes = np.concatenate([self.left, self.right]) - int(self.lacks)
        return float(self.numbers[codes[codes >= 0]].std())


# --- all columns ----------------------------------------------------------------------------------


def _resampled(
    columns: list[_Column], total: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean distances (total,), and the norms of errors of each column, (2, k, total)."""
    n, m = len(columns[0].left), len(columns[0].right)
    true = [column.gaps(*column.true) for column in columns]
    means, noise = [], []
    step = max(1, CHUNK_CELLS // (n + m))
    for start in range(0, total, step):
        size = min(step, total - start)
        # counts of each row in a resample: the same for every column, so rows stay whole
        left, right = _resample_counts(rng, size, n), _resample_counts(rng, size, m)
        for part in _parts(size, n + m):
            values, errors = [], []
            for column, gaps in zip(columns, true, strict=True):
                shares = column.shares(left[part], right[part])
                values.append(column.norms(*shares)[0])
                errors.append(column.norms(*shares, gaps))
            means.append(np.mean(values, axis=0))
            noise.append(np.swapaxes(errors, 0, 1))
    return np.concatenate(means), np.concatenate(noise, axis=2)


def _dealt(
    columns: list[_Column], permutations: int, stream: np.random.SeedSequence
) -> np.ndarray | None:
    """Return (3, k, P): distances, shifts and missing differences, the true labels first."""
    if not permutations:
        return None
    rng = np.random.default_rng(stream)
    n, m = len(columns[0].left), len(columns[0].right)
    deals = (label_vectors(np.arange(n + m) < n, permutations, rng) > 0).T
    found = []
    for part in _parts(len(deals), n + m):
        rows = deals[part].astype(np.float64)
        values = []
        for column in columns:
            p, q = column.dealt(rows)
            lacking = (q - p)[:, 0] if column.lacks else np.zeros(len(rows))
            values.append((*column.norms(p, q), lacking))
        found.append(np.swapaxes(values, 0, 1))
    return np.concatenate(found, axis=2)


def _distances(columns: dict[str, _Column], noise: np.ndarray, deals: np.ndarray | None) -> Family:
    values = np.array([float(c.norms(*c.true)[0][0]) for c in columns.values()])
    half = np.quantile(noise, LEVEL, axis=1)
    low, high = np.maximum(values - half, 0.0), np.minimum(values + half, 1.0)
    # the share of any set of levels has a standard error of at most this
    error = np.full(len(values), _per_spread(columns) / 2)
    null = None if deals is None else Null.of(deals[0], signed=False)
    return Family(tuple(columns), values, low, high, error, null)


def _shifts(columns: dict[str, _Column], noise: np.ndarray, deals: np.ndarray | None) -> Family:
    kept = [j for j, column in enumerate(columns.values()) if column.has_numbers]
    with_numbers = {name: c for name, c in columns.items() if c.has_numbers}
    values = np.array([float(c.norms(*c.true)[1][0]) for c in with_numbers.values()])
    half = np.quantile(noise[kept], LEVEL, axis=1)
    # no distance is below the difference of the means, whose standard error this is
    error = np.array([c.spread() for c in with_numbers.values()]) * _per_spread(columns)
    null = None if deals is None else Null.of(deals[1][kept], signed=False)
    low = np.maximum(values - half, 0.0)
    return Family(tuple(with_numbers), values, low, values + half, error, null)


def _missing(columns: dict[str, _Column], deals: np.ndarray | None) -> Family:
    kept = [j for j, column in enumerate(columns.values()) if column.lacks]
    lacking = {name: c for name, c in columns.items() if c.lacks}
    ends = [_difference(*c.missing_shares, len(c.left), len(c.right)) for c in lacking.values()]
    values, low, high = np.reshape(ends, (-1, 3)).T
    pooled = [np.mean(np.concatenate([c.left, c.right]) == 0) for c in lacking.values()]
    error = np.sqrt([share * (1 - share) for share in pooled]) * _per_spread(columns)
    null = None if deals is None else Null.of(deals[2][kept], signed=True)
    return Family(tuple(lacking), values, low, high, error, null)


def _per_spread(columns: dict[str, _Column]) -> float:
    """Return sqrt(1/n + 1/m): the standard error of a difference of means, over the spread."""
    column = next(iter(columns.values()))
    return float(np.sqrt(1 / len(column.left) + 1 / len(column.right)))


def _difference(real: float, synthetic: float, n: int, m: int) -> tuple[float, float, float]:
    """Return the difference of two independent shares with its interval."""
    p, q = (
        mean_over((np.arange(size) < round(share * size))[None, None] * 1.0, added=SHARE)
        for share, size in ((real, n), (synthetic, m))
    )
    below = math.hypot(q.value - q.low, p.high - p.value)
    above = math.hypot(q.high - q.value, p.value - p.low)
    value = synthetic - real
    return value, max(-1.0, value - below), min(1.0, value + above)


def _parts(total: int, cells: int) -> Iterator[slice]:
    """Yield the parts of ``total`` vectors of ``cells`` that fit a processor's cache."""
    step = max(1, CACHED_CELLS // cells)
    for start in range(0, total, step):
        yield slice(start, start + step)


def _resample_counts(rng: np.random.Generator, size: int, n: int) -> np.ndarray:
    """Return how often each of n rows occurs in ``size`` resamples, float (size, n)."""
    rows = rng.integers(0, n, size=(size, n)) + n * np.arange(size)[:, None]
    return np.bincount(rows.ravel(), minlength=size * n).reshape(size, n).astype(float)
