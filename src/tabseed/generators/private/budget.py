"""The privacy budget: epsilon and delta as rho, what was spent on what, and what n rows can carry.

Inside, the budget is rho of zero-concentrated differential privacy (zCDP), which adds up over
releases: Bun and Steinke, arXiv 1605.02065. OpenDP turns it into epsilon and delta.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt
from typing import Any

import numpy as np

from tabseed.errors import not_installed

NETWORKS = (50, 300)
"""Rows per encoded column below which a network with private gradients gives noise, and above
which its rows are as good as without privacy (six tables; OpenReview Pv3PSfaphM). Counts reach
further down: 28 rows each gave MST at epsilon 3 an AUC of 0.81 where real rows gave 0.91
(``experiments/privacy/results/dp.csv``, Adult), so that noise is asked for beside it."""
TOLERABLE = 0.5  # share of rows that noise may move in an average pair of columns
ONE_WAY = 0.5  # of the budget for the table: OpenDP's own share for the counts of single columns
MEASURED = 0.9  # of the rest: for counts of several columns; the remainder chooses which
TRIFLE = 1e-12


def opendp() -> Any:
    """Return OpenDP's module; MissingDependencyError, with the command, if it is not installed."""
    try:
        import mbi  # noqa: F401  # OpenDP says so itself only when it has begun
        import opendp.prelude as dp
    except ImportError as error:
        raise not_installed("differential privacy", "OpenDP", '"tabseed[private]"') from error
    dp.enable_features("contrib")
    return dp


def epsilon_of(rho: float, delta: float) -> float:
    """Return the epsilon that rho of zCDP guarantees at delta, by OpenDP's conversion."""
    dp = opendp()
    noise = dp.m.make_gaussian(
        dp.atom_domain(T=float, nan=False), dp.absolute_distance(T=float), 1 / sqrt(2 * rho)
    )
    return float(dp.c.make_zCDP_to_approxDP(noise).map(1.0).epsilon(delta))


def rho_for(epsilon: float, delta: float) -> float:
    """Return the largest rho, to 1e-9 of it, that guarantees (epsilon, delta)."""
    low, high = 0.0, epsilon  # rho = epsilon guarantees more than epsilon at any small delta
    while epsilon_of(high, delta) <= epsilon:
        low, high = high, 2 * high
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if epsilon_of(middle, delta) <= epsilon else (low, middle)
    return low


@dataclass(frozen=True)
class Spent:
    """A line of the ledger: what was released, and the rho that it cost."""

    what: str
    rho: float


@dataclass(frozen=True)
class Carries:
    """What a number of rows can carry at a budget.

    ``rows``: about how many there are. ``width``: encoded columns. ``of_column`` and ``of_pair``:
    the share of rows that noise moves in the counts of an average column, and of an average pair
    of columns if as many pairs as columns are measured; 1: noise only.
    """

    rows: float
    width: int
    of_column: float
    of_pair: float

    @classmethod
    def expected(cls, rows: float, rho: float, sizes: Sequence[int], width: int) -> Carries:
        """Return what to expect of columns with so many values (of each: K) and this budget.

        The counts of one column or pair have Gaussian noise of variance m / (2 rho), m of them
        sharing rho, and the mean of its absolute value is sqrt(2 / pi) of its deviation.
        """
        sizes_, m = np.array(sizes, dtype=float), len(sizes)
        cells = (sizes_.sum() ** 2 - (sizes_**2).sum()) / max(1, m * (m - 1))  # of an average pair
        noise = (
            sqrt(m / (2 * ONE_WAY * rho)),
            sqrt(m / (2 * (1 - ONE_WAY) * MEASURED * rho)),
        )
        of_column, of_pair = (
            min(1.0, sqrt(2 / pi) * deviation * size / (2 * max(rows, 1)))
            for deviation, size in zip(noise, (sizes_.mean(), cells), strict=True)
        )
        return cls(max(rows, 0.0), width, of_column, of_pair)

    @property
    def ratio(self) -> float:
        """N/d: rows for each encoded column."""
        return self.rows / self.width

    @property
    def noise(self) -> bool:
        """Whether rows drawn are likely noise."""
        return self.ratio < NETWORKS[0] and self.of_pair > TOLERABLE

    def __str__(self) -> str:
        few, many = NETWORKS
        place = f"below {few}" if self.ratio < few else f"{few} to {many}"
        place = place if self.ratio < many else f"{many} or more"
        return (
            f"about {self.rows:,.0f} rows for {self.width} encoded columns, {self.ratio:.3g} each "
            f"({place}; networks with private gradients give noise below {few} to {many}, counts "
            f"such as these reach further down); noise moves about {self.of_column:.0%} of the "
            f"rows in an average column and {self.of_pair:.0%} in an average pair of columns"
        )


class Parts(int):
    """A number of parts that a budget divided by it leaves a trifle of: they add up to no more.

    MST of OpenDP 0.16 gives each of its c - 1 selections the float below a (c - 1)-th of their
    budget, and adds these up with rounding upwards; where that exceeds the budget it fails, after
    the table was read: ``MST()`` at 15 columns for four budgets of five, at 60 for all (opendp
    issue 2789). ``MST(num_selections=Parts(c - 1))`` works: a part is smaller by 1e-12 of it, more
    than rounding can add for 4,000 columns. OpenDP still checks that nothing is overspent.
    """

    __array_ufunc__ = None  # or numpy's floats divide by the number itself

    def __rtruediv__(self, budget: Any) -> float:
        return float(budget) / int(self) * (1 - TRIFLE)
