"""The difference of two quantities: its interval, its p-value, the smallest one that would show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t as student

from tabseed.estimates.estimate import Piece, error_of, sum_of_means
from tabseed.estimates.splits import POWER

LEVEL = 0.05


@dataclass(frozen=True)
class Contrast:
    """How much larger one quantity is than another, with a standard error.

    ``value`` is the difference as measured. Interval and p-value are those of Student's t with
    ``freedom`` degrees of freedom around ``centre``, which is ``value`` unless a formula moves it.
    """

    value: float
    error: float
    freedom: float
    centre: float

    @classmethod
    def of(cls, value: float, pieces: Sequence[Piece], floor: float = 0.0) -> Contrast:
        """Return a difference whose variances add up; see :func:`error_of`."""
        return cls(value, *error_of(pieces, floor), value)

    @classmethod
    def of_means(cls, parts: Sequence[np.ndarray], floor: float = 0.0) -> Contrast:
        """Return the sum of the means of independent samples (repeats, rows).

        Pair what two quantities share by subtracting it, row by row, before it becomes one sample.
        """
        return cls.of(*sum_of_means(parts), floor)

    @classmethod
    def of_shares(cls, first: int, n: int, second: int, m: int) -> Contrast:
        """Return first/n - second/m for counts of independent rows.

        The interval adds a row that counts and one that does not to each sample (Agresti and
        Caffo, American Statistician 54 (2000), doi:10.1080/00031305.2000.10474560).
        """
        p, q = (first + 1) / (n + 2), (second + 1) / (m + 2)
        error = math.sqrt(p * (1 - p) / (n + 2) + q * (1 - q) / (m + 2))
        return cls(first / n - second / m, error, math.inf, p - q)

    def plus(self, pieces: Sequence[Piece]) -> Contrast:
        """Return the same difference with further variances."""
        own = (self.error**2, self.freedom)
        error, freedom = error_of([own, *pieces])
        return replace(self, error=error, freedom=freedom)

    @property
    def ends(self) -> tuple[float, float]:
        """The ends of the 95 % interval."""
        half = self._quantile(1 - LEVEL / 2) * self.error
        return self.centre - half, self.centre + half

    @property
    def p(self) -> float:
        """The two-sided p-value of "no difference"."""
        if self.error == 0:
            return float(self.centre == 0)
        return float(2 * student.sf(abs(self.centre) / self.error, self.freedom))

    def detectable(self, level: float = LEVEL) -> float:
        """Return the difference that a test at ``level`` finds with a power of 80 %."""
        return (self._quantile(1 - level / 2) + self._quantile(POWER)) * self.error

    def _quantile(self, share: float) -> float:
        return float(student.ppf(share, self.freedom))
