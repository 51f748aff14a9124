"""Shares of rows: intervals, an exact comparison of two, and what such a comparison can show.

Notation: k1 of n1 rows and k0 of n0 other rows have a property; p1 and p0 are the probabilities.
"""

from __future__ import annotations

import math

from scipy.optimize import brentq
from scipy.stats import hypergeom, norm

from tabseed.estimates.splits import POWER

LEVEL = 0.95


def wilson(k: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the score interval of a share k/n (Wilson, JASA 22 (1927)); (0, 1) for n = 0.

    >>> [round(end, 4) for end in wilson(0, 10)]
    [0.0, 0.2775]
    """
    if not n:
        return 0.0, 1.0
    z = float(norm.ppf((1 + level) / 2))
    middle, half = k + z * z / 2, z * math.sqrt(k * (n - k) / n + z * z / 4)
    # exactly 0 and 1 at the ends, where rounding leaves a rest
    low = 0.0 if k == 0 else (middle - half) / (n + z * z)
    high = 1.0 if k == n else (middle + half) / (n + z * z)
    return low, high


def difference(k1: int, n1: int, k0: int, n0: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval of p1 - p0 (Newcombe, Statistics in Medicine 17 (1998), method 10).

    >>> [round(end, 4) for end in difference(56, 70, 48, 80)]
    [0.0524, 0.3339]
    """
    one, other = k1 / n1, k0 / n0
    (low1, high1), (low0, high0) = wilson(k1, n1, level), wilson(k0, n0, level)
    return (
        one - other - math.hypot(one - low1, high0 - other),
        one - other + math.hypot(high1 - one, other - low0),
    )


def more_often(k1: int, n1: int, k0: int, n0: int) -> float:
    """Return the one-sided p-value of p1 = p0 against p1 > p0: Fisher's exact test.

    It also holds where the rows are not independent, if each choice of n1 of all rows is as
    probable as the true one: a permutation test of which rows are which.
    """
    return float(hypergeom.sf(k1 - 1, n1 + n0, k1 + k0, n1))


def detectable(
    p0: float, n1: int, n0: int, alpha: float = 0.05, power: float = POWER
) -> float | None:
    """Return the smallest p1 - p0 that the exact test finds with this power, None if none.

    One-sided at level ``alpha``, by the normal approximation with correction for continuity of
    Casagrande, Pike and Smith (Biometrics 34 (1978)), for samples of two sizes (Fleiss, Tytun and
    Ury, Biometrics 36 (1980)). Conservative where k0 is 0 or nearly so.
    """
    ratio = n0 / n1

    def lacking(p1: float) -> float:
        return _needed(p0, p1, ratio, alpha, power) - n1

    if p0 >= 1 or lacking(1.0) > 0:
        return None
    return float(brentq(lacking, p0 + 1e-9, 1.0, xtol=1e-6)) - p0


def _needed(p0: float, p1: float, ratio: float, alpha: float, power: float) -> float:
    """Return how many rows the first sample needs to show p1 > p0."""
    mean = (p1 + ratio * p0) / (1 + ratio)
    pooled = math.sqrt((1 + ratio) * mean * (1 - mean))
    apart = math.sqrt(ratio * p1 * (1 - p1) + p0 * (1 - p0))
    shift = p1 - p0
    root = norm.isf(alpha) * pooled + norm.ppf(power) * apart
    n = float(root) ** 2 / (ratio * shift**2)
    return n / 4 * (1 + math.sqrt(1 + 2 * (1 + ratio) / (ratio * n * shift))) ** 2
