"""Copies: synthetic rows that equal, or nearly equal, a row that trained the generator."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.spatial import KDTree
from scipy.stats import hypergeom

from tabseed.estimates.estimate import Estimate
from tabseed.estimates.means import SHARE, mean_over
from tabseed.metrics.leakage import count_equal, row_keys
from tabseed.table import Table
from tabseed.table.schema import NUMERIC, Schema

NEAR = 0.05  # standard deviations of a column: numbers of a near copy differ by less
FALSE_ALARM = 1e-4  # probability that natural nearness is taken for copying
EXCESS = 0.02  # a smaller excess of near copies is not worth a word
FAR = 1e12  # coordinates are cut there, in units of NEAR
MOST = 0.5  # from this share of the rows on a table is called copied


@dataclass(frozen=True)
class Copies:
    """How many synthetic rows equal or nearly equal a training row, and how many would by nature.

    ``n_equal`` of ``n_synthetic`` rows equal a training row in every cell; about ``n_expected``
    would by natural repetition (:func:`~tabseed.metrics.leakage.count_equal`). ``n_near`` rows
    (equal ones included) agree with a training row in every category and every missing cell, and
    differ by less than 0.05 standard deviations in every number; ``n_near_holdout`` of
    ``n_holdout`` rows that trained nothing do. ``equal_beyond_chance`` and ``near_beyond_chance``
    say whether chance explains the numbers.
    """

    n_equal: int
    n_expected: float
    n_near: int
    n_near_holdout: int
    n_synthetic: int
    n_holdout: int
    equal_beyond_chance: bool
    near_beyond_chance: bool

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return asdict(self)

    @property
    def verdict(self) -> str:
        """A sentence on copies, empty if there are no more of them than by nature."""
        m = self.n_synthetic
        if self.equal_beyond_chance:
            n, what = self.n_equal, "equal a training row"
            usual = f"natural repetition would give about {self.n_expected:.0f}"
        elif self.near_beyond_chance:
            n, what = self.n_near, "nearly equal a training row"
            usual = f"{self.n_near_holdout} of {self.n_holdout} held-out rows do"
        else:
            return ""
        begin = "These synthetic rows are copies: " if n >= MOST * m else ""
        rows = "" if begin else "synthetic rows "
        return f"{begin}{n} of {m} {rows}{what} ({usual})."

    def shares(self, n_synthetic: int, n_holdout: int) -> tuple[Estimate, Estimate]:
        """Return counts of synthetic and of held-out rows as shares with their intervals."""
        synthetic, held_out = (
            mean_over((np.arange(size) < count)[None, None] * 1.0, added=SHARE).estimate(
                "share", floor=0.0, ceiling=1.0
            )
            for count, size in ((n_synthetic, self.n_synthetic), (n_holdout, self.n_holdout))
        )
        return synthetic, held_out

    def __str__(self) -> str:
        return (
            f"{self.n_equal} of {self.n_synthetic} synthetic rows equal a training row, about "
            f"{self.n_expected:.0f} expected by natural repetition; {self.n_near} equal or nearly "
            f"equal one, as do {self.n_near_holdout} of {self.n_holdout} held-out rows"
        )


def count_copies(train: Table, synthetic: Table, holdout: Table) -> Copies:
    """Count exact and near copies of ``train``, against held-out rows as what nature repeats.

    All have one schema. Near copies are beyond chance if, of the pooled synthetic and held-out
    rows, so many fall to the synthetic ones with probability below 1e-4, and their share exceeds
    the held-out share by more than 2 %. Cost: one sort of all rows per column, and a
    nearest-neighbour search.
    """
    tables = [train, synthetic, holdout]
    keys = row_keys(tables)
    equal, equal_beyond = count_equal(keys[0], keys[1])
    near, near_holdout = (int(found.sum()) for found in _near(tables))
    m, h = len(synthetic), len(holdout)
    chance = float(hypergeom.sf(near - 1, m + h, near + near_holdout, m))
    return Copies(
        n_equal=equal.n_equal,
        n_expected=equal.n_expected,
        n_near=near,
        n_near_holdout=near_holdout,
        n_synthetic=m,
        n_holdout=h,
        equal_beyond_chance=equal_beyond,
        near_beyond_chance=chance < FALSE_ALARM and near / m - near_holdout / h > EXCESS,
    )


def _near(tables: list[Table]) -> list[np.ndarray]:
    """Return for each table after the first which rows lie near a row of the first (masks)."""
    ends = np.cumsum([len(t) for t in tables])[:-1]
    schema = tables[0].schema
    numeric = [c.name for c in schema if c.kind in NUMERIC]
    # rows of other categories or missing cells are set apart in one more coordinate
    apart = np.zeros(sum(map(len, tables)), dtype=np.int64)
    places = []
    if len(numeric) < len(schema):
        discrete = Schema(tuple(c for c in schema if c.kind not in NUMERIC))
        apart = np.concatenate(row_keys([t.select(discrete) for t in tables]))
    for name in numeric:
        parts = [t.numbers(name) for t in tables]
        x = np.concatenate(parts)
        apart = np.unique(2 * apart + np.isnan(x), return_inverse=True)[1]
        places.append(np.clip(np.nan_to_num(x / (NEAR * _spread(parts[0]))), -FAR, FAR))
    points = np.split(np.column_stack([*places, 2.0 * apart]), ends)
    tree = KDTree(points[0])
    return [np.isfinite(tree.query(x, p=np.inf, distance_upper_bound=1)[0]) for x in points[1:]]


def _spread(x: np.ndarray) -> float:
    """Return the standard deviation, not counting far tails; tiny but not 0 for a constant."""
    x = x[~np.isnan(x)]
    if not len(x):
        return 1.0
    low, high = np.quantile(x, [0.25, 0.75])
    spread = float(high - low) / 1.349 or float(x.std())
    return max(min(spread, float(x.std())), 1e-9 * float(np.abs(x).max()), 1e-9)


def copied(train: Table, synthetic: Table) -> tuple[str, ...]:
    """Return a line if synthetic rows equal training rows more often than by natural repetition."""
    overlap, beyond_chance = count_equal(*row_keys([train, synthetic]))
    if not beyond_chance:
        return ()
    return (
        f"{overlap.n_equal} of {overlap.n_holdout} synthetic rows are exact copies of training "
        f"rows, about {overlap.n_expected:.0f} expected by natural repetition; copies look "
        "faithful to any judge that was not trained on them, and disclose training rows",
    )
