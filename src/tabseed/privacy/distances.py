"""Distances to training rows, which many ask for and which say little.

Sets that pass tests of distance are told from others by attacks (arXiv 2505.01524), and experts
advise against them (arXiv 2503.04980). They are here to be compared with other reports, beside what
held-out rows get, and decide nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tabseed.estimates.words import number
from tabseed.privacy.targets import Points, Targets

LOW = 0.05  # the quantile beside the median
BLOCK = 4_000_000  # distances held at once


@dataclass(frozen=True)
class Distances:
    """How near rows lie to their nearest training row: synthetic rows, and held-out ones.

    ``median`` and ``low`` (the 5 % quantile) of the distance, where two categories that differ are
    1 apart, and so are numbers by a spread of their column. ``ratio``: the median of the distance
    to the nearest training row over that to the second nearest, 1 where both are 0. ``share``: of
    the synthetic rows, that lie nearer to some training row than to any held-out one (ties count
    half); ``natural`` is what it is if nothing leaks, n / (n + h).
    """

    median: float
    low: float
    ratio: float
    median_others: float
    low_others: float
    ratio_others: float
    share: float
    natural: float

    @classmethod
    def of(cls, targets: Targets) -> Distances:
        """Measure the rows that attacks read. Cost: N (M + h) distances, in blocks."""
        rows = targets.values
        real, synthetic = rows.take(slice(0, len(targets))), rows.take(slice(len(targets), None))
        train, others = real.take(targets.member), real.take(~targets.member)
        near, second = _two_nearest(synthetic, train)
        near_others, second_others = _two_nearest(others, train)
        apart, _ = _two_nearest(synthetic, others)
        return cls(
            *_summary(near, second),
            *_summary(near_others, second_others),
            share=float(np.mean((near < apart) + (near == apart) / 2)),
            natural=targets.n / len(targets),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"Distance to the nearest training row: median {number(self.median)} of synthetic and "
            f"{number(self.median_others)} of held-out rows; over that to the second nearest "
            f"{number(self.ratio)} and {number(self.ratio_others)}; {100 * self.share:.0f} % of "
            f"synthetic rows are nearest to a training row ({100 * self.natural:.0f} % if nothing "
            "leaks). Distances are blind to much that attacks find, and decide nothing here"
        )


def _two_nearest(rows: Points, to: Points) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances (n,) to the nearest and to the second nearest of other rows."""
    found = np.empty((2, len(rows)))
    step = max(1, BLOCK // len(to))
    for start in range(0, len(rows), step):
        block = slice(start, min(start + step, len(rows)))
        found[:, block] = np.partition(rows.take(block).distances(to), 1, axis=1)[:, :2].T
    return found[0], found[1]


def _summary(near: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    ratio = np.divide(near, second, out=np.ones_like(near), where=second > 0)
    return float(np.median(near)), float(np.quantile(near, LOW)), float(np.median(ratio))
