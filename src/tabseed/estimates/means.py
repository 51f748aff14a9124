"""Means over rows, synthetic tables and seeds, with intervals that cover all three.

Notation: D synthetic tables (draws), S seeds, h rows that all of them share, k_d rows that only
table d has; a value u[d, s, i] is mu + row_i + draw_d + seed_s + all their interactions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.stats import t as student

from tabseed.errors import TooFewRowsError
from tabseed.estimates.estimate import Better, Estimate

LEVEL = 0.95
Added = Sequence[tuple[float, float]]  # values and how many rows each stands for
BALANCED: Added = ((-1.0, 0.5), (1.0, 0.5))  # for values in [-1, 1] that are mostly 0
SHARE: Added = ((0.0, 2.0), (1.0, 2.0))  # for values in [0, 1]
FEW_FOR_SKEW = 20  # rows: with fewer a sample's skewness says nothing
DOUBLINGS = 60


@dataclass(frozen=True)
class Mean:
    """A mean, its 95 % interval and the standard errors that come from rows, draws and seeds."""

    value: float
    low: float
    high: float
    se_rows: float
    se_draws: float
    se_seeds: float

    @property
    def se(self) -> float:
        """The standard error from all of them."""
        return math.hypot(self.se_rows, self.se_draws, self.se_seeds)

    def estimate(
        self, unit: str, better: Better = "lower", floor: float = -np.inf, ceiling: float = np.inf
    ) -> Estimate:
        """Return the mean as an Estimate, its interval cut to the possible range."""
        return Estimate(self.value, max(self.low, floor), min(self.high, ceiling), unit, better)


def mean_over(shared: np.ndarray | None, own: Sequence[np.ndarray] = (), added: Added = ()) -> Mean:
    """Estimate E[shared] + E[own] from ``shared`` (D, S, h) and one ``own`` (S, k_d) per table.

    The variance of the mean is a sum of mean squares: the mean square of rows with all their
    interactions, what draws add to it, and what seeds add to both. With D = 1 (S = 1) the mean is
    that of this one draw (seed), and the interval does not cover how another would differ.

    Interval: squared half widths add up over the parts (Zou and Donner, Statistics in Medicine
    27 (2008), doi:10.1002/sim.3095). Draws and seeds use Student's t with D - 1 and S - 1 degrees
    of freedom: for normal parts this covers 95 % or more (Banerjee 1960), but the interval is wide
    for D = 2 or S = 2, where t is 12.7, and a skewed effect of few draws is covered less often.
    Rows use Student's t, with the side of a skew lengthened by Hall's transformation (JRSS B 54
    (1992)). The values ``added`` join the rows for the interval only, for data in which most rows
    have the same value: half a row that gains and half a row that loses, after Agresti and Min
    (Statistics in Medicine 24 (2005), doi:10.1002/sim.1781), or two right and two wrong rows
    (Agresti and Coull 1998).

    Raises TooFewRowsError for fewer than 2 rows.
    """
    parts = [] if shared is None else [_Rows.of(shared.mean(axis=(0, 1)), added)]
    tables = len(own) if shared is None else len(shared)
    parts += [_Rows.of(v.mean(axis=0), added).scaled(1 / tables) for v in own]
    cells = np.zeros((tables, 1)) if shared is None else shared.mean(axis=-1)
    if len(own):
        cells = cells + np.array([v.mean(axis=-1) for v in own])
    draws, seeds = _beyond_rows(cells, shared, own)
    more = draws * _quantile(cells.shape[0]) ** 2 + seeds * _quantile(cells.shape[1]) ** 2
    value = float(cells.mean())
    return Mean(
        value,
        value - math.sqrt(more + sum(p.below**2 for p in parts)),
        value + math.sqrt(more + sum(p.above**2 for p in parts)),
        math.sqrt(sum(p.variance for p in parts)),
        math.sqrt(draws),
        math.sqrt(seeds),
    )


def ratio(upper: np.ndarray, lower: np.ndarray, added: Added = ()) -> Mean | None:
    """Estimate E[upper] / E[lower], both (D, S, h) and paired, with Fieller's interval.

    The interval includes each r for which 0 lies in the interval of E[upper - r lower]. Returns
    None where the denominator is not reliably above 0, since no bounded interval covers then.
    """
    below = mean_over(lower, added=added)
    if not below.low > 0:
        return None
    value = float(upper.mean()) / below.value

    def at(r: float) -> Mean:
        return mean_over(upper - r * lower, added=added)

    low = _root(lambda r: at(r).low, value, -1.0)
    high = _root(lambda r: at(r).high, value, 1.0)
    if low is None or high is None:
        return None
    # standard errors by the delta method
    linear = at(value)
    errors = [e / below.value for e in (linear.se_rows, linear.se_draws, linear.se_seeds)]
    return Mean(value, low, high, *errors)


def _root(f: Callable[[float], float], start: float, step: float) -> float | None:
    """Return where f changes its sign, searching from ``start`` in doubling steps; else None."""
    at = f(start)
    if at == 0:
        return start
    for k in range(DOUBLINGS):
        end = start + step * 2.0 ** (k - 10) * max(1.0, abs(start))
        if np.sign(f(end)) != np.sign(at):
            return float(brentq(f, start, end, xtol=1e-9, rtol=1e-9))
    return None


@dataclass(frozen=True)
class _Rows:
    """What rows contribute: the variance of their mean, and the half widths of its interval."""

    variance: float
    below: float
    above: float

    @classmethod
    def of(cls, x: np.ndarray, added: Added) -> _Rows:
        n = len(x)
        if n < 2:
            raise TooFewRowsError(f"an interval needs at least 2 rows, got {n}")
        variance = interaction(x)
        half = math.sqrt(variance) * _quantile(n)
        if added:
            values, counts = np.array(added).T
            total = n + counts.sum()
            mean = (x.sum() + counts @ values) / total
            square = ((x**2).sum() + counts @ values**2) / total
            half = _quantile(n) * math.sqrt((square - mean**2) / total)
            shift = float(mean - x.mean())
            return cls(variance, max(0.0, half - shift), max(0.0, half + shift))
        below, above = _skewed(x, math.sqrt(variance))
        return cls(variance, max(half, below), max(half, above))

    def scaled(self, factor: float) -> _Rows:
        return _Rows(self.variance * factor**2, self.below * factor, self.above * factor)


def _skewed(x: np.ndarray, error: float) -> tuple[float, float]:
    """Return Hall's half widths: a skewed sample rarely holds the tail that moves its mean."""
    n = len(x)
    spread = error * math.sqrt(n)
    if n < FEW_FOR_SKEW or spread <= 1e-12 * float(np.abs(x).max()):
        return 0.0, 0.0
    skew = n / ((n - 1) * (n - 2)) * float((((x - x.mean()) / spread) ** 3).sum())
    if abs(skew) < 1e-6:
        return 0.0, 0.0
    root, q = math.sqrt(n), _quantile(n)

    def inverse(z: float) -> float:
        return 3 * root / skew * float(np.cbrt(1 + skew * (z / root - skew / (6 * n))) - 1)

    return error * inverse(q), -error * inverse(-q)


def interaction(x: np.ndarray) -> float:
    """Return the mean square of the interaction of all axes, divided by the number of cells.

    For one axis this is the variance of a mean, s^2 / n. 0 where an axis has length 1.
    """
    if min(x.shape) < 2:
        return 0.0
    for axis in range(x.ndim):
        x = x - x.mean(axis=axis, keepdims=True)
    degrees = math.prod(n - 1 for n in x.shape)
    return float((x**2).sum() / (degrees * x.size))


def _beyond_rows(
    cells: np.ndarray, shared: np.ndarray | None, own: Sequence[np.ndarray]
) -> tuple[float, float]:
    """Return the variances that draws and seeds add; ``cells`` (D, S) are means over rows."""
    tables = len(cells)
    draws, seeds = interaction(cells.mean(axis=1)), interaction(cells.mean(axis=0))
    both = interaction(cells)  # draws and seeds both count it
    if shared is not None:
        draws -= interaction(shared.mean(axis=1))
        seeds -= interaction(shared.mean(axis=0))
        both -= interaction(shared)
    # a table's mean varies with its rows: part of the mean square of draws, and of `both`
    draws -= sum(interaction(v.mean(axis=0)) for v in own) / tables**2
    if tables == 1:
        seeds -= sum(interaction(v) for v in own)
    return max(0.0, draws), max(0.0, seeds - both)


@cache
def _quantile(n: int) -> float:
    return float(student.ppf((1 + LEVEL) / 2, n - 1)) if n > 1 else 0.0
