"""Whether synthetic rows lie where real rows lie, and everywhere where they do: by neighbours.

Notation: n real rows x_i, m synthetic rows y_j; B(x_i), the ball around x_i that just reaches its
k-th nearest other real row; B(y_j), likewise among synthetic rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from tabseed._progress import Progress
from tabseed._random import child
from tabseed.errors import TooFewRowsError
from tabseed.estimates.estimate import Better, Estimate
from tabseed.metrics.base import Metric
from tabseed.metrics.chance import Family, Null, jackknife, quantile_t
from tabseed.metrics.discriminators import judged_rows
from tabseed.metrics.marginal import PERMUTATIONS
from tabseed.metrics.signs import SAME, coded, distances
from tabseed.metrics.two_sample import label_vectors
from tabseed.parameters import Parameters, Whole
from tabseed.table import Table

MEASURES = ("precision", "recall", "density", "coverage")
LISTED = 3  # times as many rows as a ball holds on average are listed
SHUFFLED, LEFT_OUT = 2, 3  # random streams below the metric's own


@dataclass(frozen=True)
class CoverageResult:
    """Precision, recall, density and coverage with intervals, and what chance gives.

    ``measures``: the four by name; the truth of one law has no fixed value for precision and
    recall, 1 for density, and 1 - (n-1)...(n-k)/((n+m-1)...(n+m-k)) for coverage. Lower *and*
    higher values than chance gives are differences: copies have a precision of 1.
    """

    coverage: Estimate
    measures: Family = field(compare=False)
    n_real: int
    n_synthetic: int

    @property
    def headline(self) -> Estimate:
        """The number to quote: the coverage."""
        return self.coverage

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        return {
            "headline": self.coverage.to_dict(),
            **{name: one.to_dict() for name, one in self.measures.compared().items()},
            "n_real": self.n_real,
            "n_synthetic": self.n_synthetic,
        }


class Coverage(Metric[CoverageResult]):
    """Share of the real rows that have a synthetic row as near as their own k-th neighbour.

    Four numbers by nearest neighbours: precision, the share of synthetic rows in some B(x_i);
    recall, the share of real rows in some B(y_j) (arXiv 1904.06991, Eqs. (1) to (3)); density, the
    number of (i, j) with y_j in B(x_i), over k m; coverage, the share of B(x_i) with some y_j in
    them (arXiv 2002.09797, Eqs. (3) and (4)). Balls include their border, so equal rows are in.

    The distance is a sum over columns (Gower 1971): 0 or 1 for categories, the difference of pooled
    ranks for numbers, 1/2 more for a missing cell, at most 1. Far tails and units do not count.
    All four depend on the numbers of rows: compare only values from equally many.

    Intervals are by the jackknife over 20 groups of rows of each table, no narrower than what
    shuffled labels give; ``permutations`` (0: none) as in
    :class:`~tabseed.metrics.pairs.PairDistance`. At most ``max_rows`` real rows, and of the
    synthetic ones no more than max(10 n, 1,000), and ``max_rows``; others are dropped at random.
    Raises TooFewRowsError with k or fewer rows in a table. Cost: (n + m)^2 distances of p columns,
    and lists of neighbours read for each deal: for 1,000 + 1,000 rows 1 s with 15 columns, 5 s with
    100; 24 (n + m)^2 bytes.
    """

    unit: ClassVar[str] = "share"
    better: ClassVar[Better] = "higher"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1904.06991", "arXiv:2002.09797")
    min_rows: ClassVar[int] = 4
    parameters: ClassVar[Parameters] = {
        "k": Whole(1),
        "permutations": PERMUTATIONS,
        "max_rows": Whole(10, 5_000),
    }

    def __init__(self, *, k: int = 5, permutations: int = 199, max_rows: int = 1_000) -> None:
        self.k = k
        self.permutations = permutations
        self.max_rows = max_rows

    def _evaluate(
        self,
        real: Table,
        synthetic: Table,
        stream: np.random.SeedSequence,
        *,
        train: Table | None,
        progress: Progress | None,
    ) -> CoverageResult:
        del train
        chosen = judged_rows(len(real), len(synthetic), self.max_rows, stream)
        n, m = (len(rows) for rows in chosen)
        if min(n, m) <= self.k:
            raise TooFewRowsError(
                f"Coverage: {self.k} neighbours need more than {self.k} rows in each table, got "
                f"{min(n, m)}"
            )
        between = _between([real.take(chosen[0]), synthetic.take(chosen[1])])
        near = Neighbours.of(between, LISTED * self.k * (n + m) // min(n, m))
        sides = np.arange(n), np.arange(n, n + m)
        values = near.measures(*sides, self.k)
        null = self._null(near, n, stream, progress)
        variance, degrees = np.zeros(len(values)), np.inf
        for side, own in enumerate(sides):

            def statistic(kept: np.ndarray, side: int = side, own: np.ndarray = own) -> np.ndarray:
                rows = [*sides]
                rows[side] = own[kept]
                return near.measures(rows[0], rows[1], self.k)

            rng = np.random.default_rng(child(stream, LEFT_OUT, side))
            found, freedom = jackknife(statistic, len(own), rng)
            variance, degrees = variance + found, min(degrees, freedom)
        error = np.sqrt(variance)
        if null is not None:
            error = np.maximum(error, null.sd)
        half = quantile_t(int(degrees)) * error
        ceiling = np.where(np.array(MEASURES) == "density", np.inf, 1.0)
        low, high = np.maximum(values - half, 0.0), np.minimum(values + half, ceiling)
        at = MEASURES.index("coverage")
        value, least, most = (float(ends[at]) for ends in (values, low, high))
        return CoverageResult(
            Estimate(value, least, most, self.unit, self.better),
            Family(MEASURES, values, low, high, error, null),
            n,
            m,
        )

    def _null(
        self, near: Neighbours, n: int, stream: np.random.SeedSequence, progress: Progress | None
    ) -> Null | None:
        if not self.permutations:
            return None
        rng = np.random.default_rng(child(stream, SHUFFLED))
        labels = label_vectors(np.arange(len(near.between)) < n, self.permutations, rng) > 0
        values = np.empty((len(MEASURES), labels.shape[1]))
        for at, is_real in enumerate(labels.T):
            sides = np.flatnonzero(is_real), np.flatnonzero(~is_real)
            values[:, at] = near.measures(*sides, self.k)
            if progress is not None:
                progress(at + 1, labels.shape[1], "neighbours")
        return Null.of(values, signed=True)


@dataclass(frozen=True)
class Neighbours:
    """The distances of N pooled rows, and each row's nearest others in order.

    ``between`` (N, N), infinite from a row to itself; ``nearest`` (N, L) row indices, ``distances``
    (N, L) theirs. Lists of L rows suffice for nearly all balls; for the others all rows are read.
    """

    between: np.ndarray
    nearest: np.ndarray
    distances: np.ndarray

    @classmethod
    def of(cls, between: np.ndarray, length: int) -> Neighbours:
        """Return the lists of the ``length`` nearest rows."""
        length = min(length, len(between) - 1)
        nearest = np.argpartition(between, length - 1, axis=1)[:, :length]
        order = np.argsort(np.take_along_axis(between, nearest, axis=1), axis=1)
        nearest = np.take_along_axis(nearest, order, axis=1)
        return cls(between, nearest, np.take_along_axis(between, nearest, axis=1))

    def measures(self, real: np.ndarray, synthetic: np.ndarray, k: int) -> np.ndarray:
        """Return precision, recall, density and coverage, (4,), of rows by index, > k of each."""
        held, reached = self._balls(real, synthetic, k)
        found = self._balls(synthetic, real, k)[1]
        return np.array(
            [reached.mean(), found.mean(), held.sum() / (k * len(synthetic)), (held > 0).mean()]
        )

    def _balls(self, rows: np.ndarray, others: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return how many other rows each row's ball holds, and which of these are in any ball."""
        is_own, is_other = np.zeros((2, len(self.between)), dtype=bool)
        is_own[rows], is_other[others] = True, True
        nearest, near = self.nearest[rows], self.distances[rows]
        reach = np.cumsum(is_own[nearest], axis=1) >= k
        border = near[np.arange(len(rows)), reach.argmax(axis=1)] + SAME
        inside = (near <= border[:, None]) & is_other[nearest]
        held, reached = inside.sum(axis=1), np.zeros(len(self.between), dtype=bool)
        # a ball may be larger than the list where the list ends inside it
        beyond = ~reach[:, -1] | (near[:, -1] <= border)
        reached[nearest[inside & ~beyond[:, None]]] = True
        if beyond.any():
            far = self.between[rows[beyond]]
            border = np.partition(far[:, rows], k - 1, axis=1)[:, [k - 1]] + SAME
            inside = (far <= border) & is_other
            held[beyond] = inside.sum(axis=1)
            reached |= inside.any(axis=0)
        return held, reached[others]


def _between(tables: list[Table]) -> np.ndarray:
    """Return the distances of all pooled rows, (N, N), infinite from a row to itself."""
    columns = [coded(tables, column.name) for column in tables[0].schema]
    cells, _, discrete = (np.array(part) for part in zip(*columns, strict=True))
    between = distances(cells.T, cells.T, discrete)
    np.fill_diagonal(between, np.inf)
    return between
