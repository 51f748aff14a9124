"""How far pairs of columns go together otherwise than in the real rows.

Notation: N pooled rows, k = p (p - 1)/2 pairs of p columns. All associations of a table come from
one product Z'Z of its design Z = (indicators of levels, ranks x, who has x, x^2), whose entries are
whole numbers, so that they are exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from tabseed._progress import Progress
from tabseed._random import child
from tabseed.estimates.estimate import Better, Estimate
from tabseed.metrics.base import Metric
from tabseed.metrics.chance import POWER_Z, Family, Null, jackknife, quantile_t
from tabseed.metrics.discriminators import judged_rows
from tabseed.metrics.leakage import pooled_codes
from tabseed.metrics.marginal import PERMUTATIONS
from tabseed.metrics.two_sample import label_vectors
from tabseed.parameters import Parameters, Whole
from tabseed.rules.patterns import has_values
from tabseed.table import MISSING, Table

MOST_LEVELS = 12  # of a category: the rarest share the last, so that the tables stay small
RARE = 5  # rows: a level with fewer to be expected in the smaller table is joined with others
WORK = 1.5e9  # multiplications for the associations of one table, at most
LEAST_ROWS = 1_000  # are compared, however many columns there are
STRONGEST = 0.995  # associations beyond it count as equal: z has no end
CONSTANT = 0.25  # a sum of squares of whole numbers below it is none but for rounding
SHUFFLED, LEFT_OUT = 2, 3  # random streams below the metric's own
SPEARMAN, RATIO, CRAMER = "Spearman correlation", "correlation ratio", "Cramér's V"

Pair = tuple[str, str]


@dataclass(frozen=True)
class Changes(Family):
    """Changes of associations, whose null is one of changes of Fisher's z.

    ``real`` (k,) are those of the real rows; ``below`` (k,), whether one can be below 0;
    ``mean`` (k,), the changes themselves over all deals.
    """

    real: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False)
    below: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool), repr=False)
    mean: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False)

    def chance(self) -> np.ndarray:
        """Return the mean changes (k,) over all deals, of associations."""
        return self.mean

    def detectable(self, looks: int) -> np.ndarray:
        """Return the smallest losses of association found with a power of 80 %.

        Where losing all of it would not be found, the smallest gain instead.
        """
        assert self.null is not None
        sd = self.null.sd
        z = np.abs(_z(self.real))
        with np.errstate(invalid="ignore"):  # no deal changes a constant: nothing can show
            least = np.where(sd > 0, (self.null.critical(looks) + POWER_Z) * sd, np.inf)
        loss, gain = np.tanh(z) - np.tanh(z - least), np.tanh(z + least) - np.tanh(z)
        found = np.where(self.below | (least <= z), loss, np.maximum(gain, np.tanh(z)))
        return np.where(np.isfinite(least), found, np.inf)


@dataclass(frozen=True)
class PairResult:
    """The mean change of associations over pairs of columns, with its interval, and each change.

    ``pairs`` in the schema's order with the ``measures`` of their association, its values ``real``
    and ``synthetic`` (k,), and ``changes``, synthetic minus real. ``n_real`` and ``n_synthetic``
    rows were compared.
    """

    mean: Estimate
    pairs: tuple[Pair, ...]
    measures: tuple[str, ...]
    real: np.ndarray = field(compare=False)
    synthetic: np.ndarray = field(compare=False)
    changes: Changes = field(compare=False)
    n_real: int
    n_synthetic: int

    @property
    def headline(self) -> Estimate:
        """The number to quote: the mean."""
        return self.mean

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        changes = self.changes.compared()
        return {
            "headline": self.mean.to_dict(),
            "pairs": [
                {
                    "columns": list(pair),
                    "measure": measure,
                    "real": real,
                    "synthetic": synthetic,
                    "change": changes[pair].to_dict(),
                }
                for pair, measure, real, synthetic in zip(
                    self.pairs,
                    self.measures,
                    self.real.tolist(),
                    self.synthetic.tolist(),
                    strict=True,
                )
            ],
            "n_real": self.n_real,
            "n_synthetic": self.n_synthetic,
        }


class PairDistance(Metric[PairResult]):
    """Mean over pairs of columns of the absolute change of their association, in [0, 2].

    Two numbers: Spearman's correlation, with each column ranked among its own cells. A number and
    a category: the correlation ratio of these ranks, eta with eta^2 = 1 - (1 - H/(n-1))(n-1)/(n-g)
    for g levels and the statistic H of Kruskal and Wallis (1952); two categories: Cramér's V, bias
    corrected (Bergsma 2013). Both are corrected for what chance gives to many levels and few rows,
    and cut at 0. Dates and ordinal codes are numbers. Levels are joined that are so rare that fewer
    than 5 rows are to be expected in the smaller table, and the rarest of more than 12: what goes
    with one or two rows is chance, and would hide what stands out elsewhere.
    Rows count where both cells are present; a column that is constant there goes with nothing: 0.

    Each pair gets an interval by the jackknife over 20 groups of rows of each table (Student's t;
    no narrower than what shuffled labels give) and, with ``permutations`` (0: none), an exact
    p-value by shuffled labels, one adjusted for all pairs, and the smallest loss of association
    (where no loss could show, gain) that such rows show; see
    :class:`~tabseed.metrics.chance.Compared`. Pairs are compared by changes of Fisher's z, in
    standard deviations over deals, of at least sqrt(1/n + 1/m). Shuffling asks for one joint law: a
    pair may also stand out because its columns have another law each, if that shows in it.

    Rows beyond ``max_rows`` of each table are dropped at random, more where many levels make the
    tables of counts large, but not below 1,000; of the synthetic rows no more than
    max(10 n, 1,000) are used. Cost: 2 x ``permutations`` products Z'Z and rankings; 4,950 pairs
    with 3,000 + 3,000 rows take some 15 s on one core.
    """

    unit: ClassVar[str] = "association"
    better: ClassVar[Better] = "lower"
    references: ClassVar[tuple[str, ...]] = (
        "doi:10.1016/j.jkss.2012.10.002",
        "doi:10.1080/01621459.1952.10483441",
        "doi:10.2307/1412159",
    )
    min_rows: ClassVar[int] = 4
    parameters: ClassVar[Parameters] = {
        "permutations": PERMUTATIONS,
        "max_rows": Whole(10, 20_000),
    }

    def __init__(self, *, permutations: int = 199, max_rows: int = 3_000) -> None:
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
    ) -> PairResult:
        del train
        tables = real, synthetic
        design = _Design.of(tables)
        most = min(self.max_rows, max(LEAST_ROWS, int(WORK / design.width**2)))
        chosen = judged_rows(len(real), len(synthetic), most, stream)
        n, m = (len(rows) for rows in chosen)
        if n < len(real) or m < len(synthetic):
            design = _Design.of(tuple(t.take(r) for t, r in zip(tables, chosen, strict=True)))
        first, second = np.arange(n), np.arange(n, n + m)
        of_real, of_synthetic = design.associations(first), design.associations(second)
        null, chance = self._null(design, n, stream, progress)
        variance, degrees = _variance(design, (first, second), (of_real, of_synthetic), stream)
        error = np.sqrt(variance)
        changes = of_synthetic - of_real
        if null is not None:  # of an association cut at 0 the jackknife sees no error
            largest = np.maximum(np.abs(of_real), np.abs(of_synthetic))
            error[:-1] = np.maximum(error[:-1], null.sd * (1 - largest**2))
        mean = float(np.abs(changes).mean()) if len(changes) else 0.0
        half = quantile_t(degrees) * float(error[-1])
        wide = quantile_t(degrees) * error[:-1]
        below = np.array([measure == SPEARMAN for measure in design.measures], dtype=bool)
        low, high = np.maximum(changes - wide, -2.0), np.minimum(changes + wide, 2.0)
        return PairResult(
            Estimate(mean, max(0.0, mean - half), mean + half, self.unit, self.better),
            design.pairs,
            design.measures,
            of_real,
            of_synthetic,
            Changes(design.pairs, changes, low, high, error[:-1], null, of_real, below, chance),
            n,
            m,
        )

    def _null(
        self, design: _Design, n: int, stream: np.random.SeedSequence, progress: Progress | None
    ) -> tuple[Null | None, np.ndarray]:
        """Return the null of changes of Fisher's z, and mean changes of associations (k,)."""
        total = np.zeros(len(design.pairs))
        if not self.permutations:
            return None, total
        rng = np.random.default_rng(child(stream, SHUFFLED))
        labels = label_vectors(np.arange(design.n_rows) < n, self.permutations, rng) > 0
        changes = np.empty((len(design.pairs), labels.shape[1]))
        for at, is_real in enumerate(labels.T):
            sides = (np.flatnonzero(side) for side in (~is_real, is_real))
            fake, real = (design.associations(rows) for rows in sides)
            changes[:, at], total = _z(fake) - _z(real), total + (fake - real)
            if progress is not None:
                progress(at + 1, labels.shape[1], "pairs of columns")
        floor = math.sqrt(1 / n + 1 / (design.n_rows - n))
        return Null.of(changes, signed=True, floor=floor), total / labels.shape[1]


def _z(associations: np.ndarray) -> np.ndarray:
    """Return Fisher's z, whose standard error is about sqrt(1/n) for weak and strong ones."""
    return np.asarray(np.arctanh(np.clip(associations, -STRONGEST, STRONGEST)))


def _variance(
    design: _Design,
    rows: tuple[np.ndarray, np.ndarray],
    values: tuple[np.ndarray, np.ndarray],
    stream: np.random.SeedSequence,
) -> tuple[np.ndarray, int]:
    """Return the variances of the changes and of their mean size (k + 1,), and the degrees."""
    total, degrees = np.zeros(len(design.pairs) + 1), np.inf
    for side, (own, other) in enumerate(zip(rows, values[::-1], strict=True)):

        def statistic(
            kept: np.ndarray, own: np.ndarray = own, other: np.ndarray = other
        ) -> np.ndarray:
            found = design.associations(own[kept])
            return np.append(found, np.abs(found - other).mean() if len(found) else 0.0)

        rng = np.random.default_rng(child(stream, LEFT_OUT, side))
        variance, freedom = jackknife(statistic, len(own), rng)
        total, degrees = total + variance, min(degrees, freedom)
    return total, int(degrees)


@dataclass(frozen=True)
class _Design:
    """The pooled rows of two tables, coded so that a subset's associations take one product.

    ``numbers`` (N, p1): each cell's index among the T levels of all columns of numbers, T where
    missing; ``starts`` (p1,), where each column's levels begin. ``hot`` (N, L): the indicators of
    the levels of p2 categories, all 0 where missing; ``blocks`` (p2,), where each column's begin.
    ``names`` is in the schema's order, ``columns`` in this one, numbers first.
    """

    numbers: np.ndarray
    starts: np.ndarray
    n_levels: int
    hot: np.ndarray
    blocks: np.ndarray
    names: tuple[str, ...]
    columns: tuple[str, ...]

    @classmethod
    def of(cls, tables: tuple[Table, ...]) -> _Design:
        """Return the design of tables with one schema."""
        n_rows, schema = sum(map(len, tables)), tables[0].schema
        numeric = [c.name for c in schema if has_values(c)]
        others = [c.name for c in schema if not has_values(c)]
        codes, starts = np.full((n_rows, len(numeric)), MISSING), [0]
        for at, name in enumerate(numeric):
            cells = np.concatenate([table.numbers(name) for table in tables])
            present = ~np.isnan(cells)
            levels, found = np.unique(cells[present], return_inverse=True)
            codes[present, at] = found + starts[-1]
            starts.append(starts[-1] + max(len(levels), 1))
        least = RARE * n_rows / min(map(len, tables))
        hot = [
            _indicators(np.concatenate(pooled_codes(list(tables), name)), least) for name in others
        ]
        blocks = np.cumsum([0, *(indicators.shape[1] for indicators in hot)])
        return cls(
            np.where(codes == MISSING, starts[-1], codes),
            np.array(starts[:-1], dtype=np.int64),
            starts[-1],
            np.column_stack([np.empty((n_rows, 0)), *hot]),
            blocks[:-1],
            tuple(schema.names),
            (*numeric, *others),
        )

    @property
    def n_rows(self) -> int:
        """The number of pooled rows."""
        return len(self.numbers)

    @property
    def width(self) -> int:
        """The number of columns of Z."""
        return int(self.hot.shape[1] + 3 * self.numbers.shape[1])

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """All pairs of columns in the schema's order."""
        return tuple(combinations(self.names, 2))

    @property
    def measures(self) -> tuple[str, ...]:
        """How the association of each pair is measured."""
        numeric = set(self.columns[: len(self.starts)])
        names = (CRAMER, RATIO, SPEARMAN)
        return tuple(names[(one in numeric) + (two in numeric)] for one, two in self.pairs)

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the two columns of each pair stand among ``columns``."""
        order = np.array([self.columns.index(name) for name in self.names], dtype=np.int64)
        one, two = np.triu_indices(len(order), 1)
        return order[one], order[two]

    def associations(self, rows: np.ndarray) -> np.ndarray:
        """Return the association of each pair in these rows, (k,)."""
        x, has = self._ranks(rows)
        hot = self.hot[rows]
        z = np.hstack([hot, x, has, x**2])
        product = z.T @ z
        ends = np.cumsum([hot.shape[1], *[x.shape[1]] * 3])
        at_hot, at_x, at_has, at_square = (
            slice(int(start), int(end)) for start, end in zip([0, *ends[:-1]], ends, strict=True)
        )
        p1 = x.shape[1]
        found = np.zeros((len(self.columns), len(self.columns)))
        found[:p1, :p1] = _spearman(
            product[at_x, at_x],
            product[at_x, at_has],
            product[at_square, at_has],
            product[at_has, at_has],
        )
        if len(self.blocks):
            count, total, squares = (product[at_hot, at] for at in (at_has, at_x, at_square))
            ratio = _correlation_ratio(count, total, squares, self.blocks)
            found[:p1, p1:], found[p1:, :p1] = ratio.T, ratio
            found[p1:, p1:] = _cramer(product[at_hot, at_hot], self.blocks)
        return np.asarray(found[self._places])

    def _ranks(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return twice the centred mid-ranks in each column, 0 where missing, and who has one."""
        codes = self.numbers[rows]
        has = (codes < self.n_levels).astype(np.float64)
        if not codes.shape[1]:
            return has, has
        counts = np.bincount(codes.ravel(), minlength=self.n_levels + 1)[:-1]
        sizes = np.add.reduceat(counts, self.starts)
        below = np.cumsum(counts) - counts
        width = np.diff(np.append(self.starts, self.n_levels))
        below -= np.repeat(below[self.starts], width)
        ranks = np.append(2 * below + counts - np.repeat(sizes, width), 0)
        return ranks[codes].astype(np.float64), has


def _indicators(codes: np.ndarray, least: float) -> np.ndarray:
    """Return the indicators (N, .) of levels of ``least`` rows or more; all 0 where missing.

    The others count as one, which joins the rarest of those kept if it has too few rows itself.
    """
    levels, index, counts = np.unique(codes, return_inverse=True, return_counts=True)
    counts[levels == MISSING] = 0  # ranked last of all
    rank = np.argsort(np.argsort(-counts, kind="stable"), kind="stable")
    known = int((levels != MISSING).sum())
    kept = int(np.sum(counts >= least))
    if kept == known <= MOST_LEVELS or kept == 0:
        last = max(kept, 1) - 1
    else:
        kept = min(kept, MOST_LEVELS - 1)
        last = kept - (counts[rank >= kept].sum() < least)
    place = np.where(levels == MISSING, MISSING, np.minimum(rank, last))[index]
    return np.asarray(place[:, None] == np.arange(last + 1), dtype=np.float64)


def _spearman(
    xy: np.ndarray, x_with: np.ndarray, square_with: np.ndarray, n: np.ndarray
) -> np.ndarray:
    """Return correlations (p, p) from sums over the rows n in which both columns have values."""
    n = np.maximum(n, 1)
    covariance = xy - x_with * x_with.T / n
    spread = square_with - x_with**2 / n
    scale = np.where(np.minimum(spread, spread.T) > CONSTANT, spread * spread.T, np.inf)
    return np.asarray(np.clip(covariance / np.sqrt(scale), -1.0, 1.0))


def _correlation_ratio(
    count: np.ndarray, total: np.ndarray, squares: np.ndarray, blocks: np.ndarray
) -> np.ndarray:
    """Return corrected ratios (p2, p1) from counts and sums of ranks by level, (L, p1)."""
    n, of_all, of_squares, within, levels = (
        np.add.reduceat(part, blocks, axis=0)
        for part in (count, total, squares, total**2 / np.maximum(count, 1), (count > 0) * 1.0)
    )
    mean = of_all**2 / np.maximum(n, 1)
    spread = of_squares - mean
    share = np.where(spread > CONSTANT, (within - mean) / np.maximum(spread, CONSTANT), 0.0)
    corrected = 1 - (1 - share) * (n - 1) / np.maximum(n - levels, 1)
    defined = (spread > CONSTANT) & (n > levels)
    return np.asarray(np.where(defined, np.sqrt(np.clip(corrected, 0.0, 1.0)), 0.0))


def _cramer(joint: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Return bias-corrected V (p2, p2) from the counts (L, L) of pairs of levels."""
    width = np.diff(np.append(blocks, len(joint)))
    margin = np.add.reduceat(joint, blocks, axis=1)  # (L, p2): of a level, with another column
    spread = np.repeat(margin, width, axis=1)
    cells = joint**2 / np.maximum(spread * spread.T, 1)
    phi, n = (
        np.add.reduceat(np.add.reduceat(part, blocks, axis=0), blocks, axis=1)
        for part in (cells, joint)
    )
    levels = np.add.reduceat((margin > 0) * 1.0, blocks, axis=0)
    less = np.maximum(n - 1, 1)
    phi = np.maximum(phi - 1 - (levels - 1) * (levels.T - 1) / less, 0.0)
    fewer = levels - (levels - 1) ** 2 / less
    most = np.minimum(fewer, fewer.T) - 1
    defined = (most > 0) & (n > 1)
    return np.asarray(
        np.where(defined, np.sqrt(np.minimum(phi / np.where(defined, most, 1), 1)), 0.0)
    )
