"""The rows under attack, seen so that nothing tells which of them trained the generator.

Notation: N target rows (n training rows, "members", and h held-out ones), M synthetic rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from tabseed._random import at_most, child
from tabseed.metrics.judge_encoder import merge_close
from tabseed.metrics.leakage import pooled_codes, row_keys
from tabseed.table import MISSING, Table
from tabseed.table.schema import NUMERIC

ORDER, CAP = 0, 1  # random streams
SYNTHETIC_PER_TARGET = 5  # synthetic rows read, at most, for each target row that may be read,
LEAST_SYNTHETIC = 10_000  # or as many as these
FAR = 1e6  # spreads from the middle: numbers are cut there
SPREAD = 1.349  # interquartile range of a normal law, in standard deviations


@dataclass(frozen=True)
class Points:
    """Rows as points: the squared distance is that of ``numbers`` plus one per code that differs.

    ``numbers`` (., q) finite, ``codes`` (., c). With ``absolute`` it is the sum of the absolute
    differences of the numbers instead of the squared ones.
    """

    numbers: np.ndarray
    codes: np.ndarray
    absolute: bool = False

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: np.ndarray | slice) -> Points:
        """Return these rows."""
        return Points(self.numbers[rows], self.codes[rows], self.absolute)

    def distances(self, others: Points) -> np.ndarray:
        """Return the distances (., .) to other rows; 0 exactly where all cells are equal."""
        if self.numbers.shape[1]:
            form = "cityblock" if self.absolute else "sqeuclidean"
            found = cdist(self.numbers, others.numbers, form)
        else:
            found = np.zeros((len(self), len(others)))
        differing = np.zeros(found.shape, dtype=np.uint16)  # small numbers are quick to add
        for mine, theirs in zip(self.codes.T, others.codes.T, strict=True):
            differing += mine[:, None] != theirs
        found += differing
        return np.asarray(found if self.absolute else np.sqrt(found, out=found))


@dataclass(frozen=True)
class Targets:
    """The target rows in random order, and the synthetic rows; arrays hold the targets first.

    ``member`` (N,): which targets are training rows: only the null and the measures read it, no
    attack. ``row`` (N,): the index of each in its own table. ``cells`` (N + M, p): codes of exact
    values, equal where the values are. ``values`` and ``ranks``: the rows as points, numbers in
    spreads of the targets or as ranks. ``trees`` (N + M, p), ``categorical`` (p,): numbers in
    spreads and codes by frequency, NaN where missing. ``same`` (N,): a number for each distinct
    target row.
    """

    member: np.ndarray
    row: np.ndarray
    cells: np.ndarray
    values: Points
    ranks: Points
    trees: np.ndarray
    categorical: np.ndarray
    same: np.ndarray

    @classmethod
    def of(
        cls,
        tables: tuple[Table, Table, Table],
        max_rows: int,
        stream: np.random.SeedSequence,
    ) -> Targets:
        """Read training, held-out and synthetic rows, which share a schema.

        At most ``max_rows`` rows of each of the first two; others are left out at random. The
        order of the targets is drawn, so that where an attack breaks ties or deals folds by it,
        labels stay exchangeable.
        """
        kept = [
            at_most(len(table), most, child(stream, CAP, index))
            for index, (table, most) in enumerate(
                zip(tables, (max_rows, max_rows, most_synthetic(max_rows)), strict=True)
            )
        ]
        read = [table.take(rows) for table, rows in zip(tables, kept, strict=True)]
        n, h, _ = map(len, read)
        order = np.random.default_rng(child(stream, ORDER)).permutation(n + h)
        every = np.concatenate([order, np.arange(n + h, sum(map(len, read)))])
        columns = [_Column.of(read, column.name, every, n + h) for column in tables[0].schema]
        cells = np.column_stack([column.cells for column in columns])
        numeric = [column for column in columns if column.numeric]
        codes = np.column_stack(
            [np.empty((len(every), 0), int), *(c.cells for c in columns if not c.numeric)]
        ).astype(np.int32)
        flags = [np.isnan(column.scaled) * 1.0 for column in numeric]
        flags = [flag for flag in flags if flag.any() and not flag.all()]
        none = np.empty((len(every), 0))
        return cls(
            member=order < n,
            row=np.concatenate(kept[:2])[order],
            cells=cells,
            values=Points(
                np.column_stack([none, *(np.nan_to_num(c.scaled) for c in numeric), *flags]), codes
            ),
            ranks=Points(np.column_stack([none, *(c.ranks for c in numeric)]), codes, True),
            trees=np.column_stack([column.scaled for column in columns]),
            categorical=np.array([not column.numeric for column in columns]),
            same=np.concatenate(row_keys(read[:2]))[order],
        )

    @property
    def n(self) -> int:
        """The number of members."""
        return int(self.member.sum())

    @property
    def h(self) -> int:
        """The number of rows that trained nothing."""
        return len(self) - self.n

    def __len__(self) -> int:
        return len(self.member)

    def alike(self, scores: np.ndarray) -> np.ndarray:
        """Return scores (..., N) of which equal rows have the same: the mean of theirs."""
        counts = np.bincount(self.same)
        if counts.max() == 1:
            return scores
        flat = scores.reshape(-1, len(self))
        means = [np.bincount(self.same, weights=row) / counts for row in flat]
        return np.asarray(np.array(means)[:, self.same].reshape(scores.shape))


def most_synthetic(max_rows: int) -> int:
    """Return how many synthetic rows are read at most."""
    return max(LEAST_SYNTHETIC, SYNTHETIC_PER_TARGET * max_rows)


@dataclass(frozen=True)
class _Column:
    """One column of all rows: codes of exact cells, scaled numbers (NaN if missing), ranks."""

    numeric: bool
    cells: np.ndarray
    scaled: np.ndarray
    ranks: np.ndarray

    @classmethod
    def of(cls, tables: list[Table], name: str, order: np.ndarray, n_targets: int) -> _Column:
        column = tables[0].schema[name]
        if not (column.kind in NUMERIC or column.coded):
            # which codes the schema gives depends on the training rows: only equality may count
            codes = _by_frequency(np.concatenate(pooled_codes(tables, name))[order])
            return cls(False, codes, np.where(codes == MISSING, np.nan, codes * 1.0), codes)
        numbers = np.concatenate(merge_close([table.numbers(name) for table in tables]))[order]
        present = ~np.isnan(numbers)
        levels, places, counts = np.unique(
            numbers[present], return_inverse=True, return_counts=True
        )
        cells, ranks = np.full(len(order), MISSING), np.full(len(order), -0.5)
        if len(levels):
            cells[present] = places
            ranks[present] = ((np.cumsum(counts) - counts / 2) / len(places))[places]
        return cls(True, cells, _scaled(numbers, numbers[:n_targets]), ranks)


def _by_frequency(codes: np.ndarray) -> np.ndarray:
    """Return codes 0, 1, ... by frequency, equally frequent ones in the order of the rows."""
    levels, first, places, counts = np.unique(
        codes, return_index=True, return_inverse=True, return_counts=True
    )
    rank = np.empty(len(levels), dtype=np.int64)
    missing = levels == MISSING
    rank[np.lexsort([first, -counts, missing])] = np.arange(len(levels))
    rank[missing] = MISSING
    return np.asarray(rank[places])


def _scaled(numbers: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return numbers in robust spreads of the targets from their median."""
    known = targets[~np.isnan(targets)]
    if not len(known):
        return numbers * 0.0
    # first to units near 1: squares of the largest numbers overflow
    unit = float(np.abs(known).max()) or 1.0
    known = known / unit
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    spread = min(filter(None, (float(high - low) / SPREAD, float(known.std()))), default=1.0)
    return np.asarray(np.clip((numbers / unit - middle) / max(spread, 1e-12), -FAR, FAR))
