"""What chance gives: many numbers compared at once, beside what they are for rows dealt at random.

Notation: k statistics of two tables with n real and m synthetic rows, P label vectors: the true one
and P - 1 in which the pooled rows are dealt at random to tables of these sizes. Under "one law" the
true labels are one deal among P equal ones, so every p-value here is exact for any tables. Looking
at k numbers is paid for by the largest of them in each deal (Westfall and Young, Resampling-Based
Multiple Testing, 1993): of k true hypotheses one or more is rejected in at most 5 % of cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from tabseed.estimates.estimate import finite
from tabseed.estimates.splits import POWER

LEVEL = 0.05
TIE = 1e-9  # standardised values that differ by less are equal
GROUPS = 20  # of rows, left out in turn
POWER_Z = float(norm.ppf(POWER))


@dataclass(frozen=True)
class Compared:
    """One number on how two tables differ, beside what chance gives.

    ``low`` and ``high`` are the ends of its 95 % interval; ``by_chance`` its mean over rows dealt
    at random; ``p`` the share of deals in which it is as large; ``p_adjusted`` the same for all
    numbers looked at; ``detectable`` the smallest true difference that such rows call different
    four times in five, all looks paid for: infinite if none. The last four are None without
    permutations.
    """

    value: float
    low: float
    high: float
    by_chance: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    detectable: float | None = None

    @property
    def differs(self) -> bool:
        """Whether it is beyond chance at 5 %, all looks paid for."""
        return self.p_adjusted is not None and self.p_adjusted <= LEVEL

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict; an infinite number becomes None."""
        return finite({name: getattr(self, name) for name in self.__dataclass_fields__})


@dataclass(frozen=True)
class Null:
    """The null of k statistics: ``mean``, ``sd`` and ``p`` (k,), and the largest z in each deal.

    ``z`` (k,) are the true labels' values in standard deviations ``sd`` from the mean over all
    label vectors, without their sign if ``signed``; ``maxima`` (P,) the largest over the k, the
    true labels first.
    """

    mean: np.ndarray
    sd: np.ndarray
    z: np.ndarray
    p: np.ndarray
    maxima: np.ndarray
    signed: bool

    @classmethod
    def of(cls, values: np.ndarray, *, signed: bool, floor: float = 0.0) -> Null:
        """Return the null of ``values`` (k, P), the true labels first.

        ``signed``: values below the mean count as those above it. ``floor``: the least standard
        deviation of a statistic that varies at all. Without one a statistic that varies in a single
        deal is 14 of its own in one of 200 deals, and none of the others could ever stand out.
        """
        mean, sd = values.mean(axis=1), values.std(axis=1)
        sd = np.where(sd > 0, np.maximum(sd, floor), 0.0)
        z = (values - mean[:, None]) / np.where(sd > 0, sd, 1.0)[:, None]
        z[sd == 0] = 0.0
        if signed:
            z = np.abs(z)
        p = (z >= z[:, :1] - TIE).mean(axis=1)
        maxima = z.max(axis=0) if len(z) else np.zeros(values.shape[1])
        return cls(mean, sd, z[:, 0], p, maxima, signed)

    @property
    def p_value(self) -> float:
        """The p-value of all statistics together: of the largest of them."""
        return float((self.maxima >= self.maxima[0] - TIE).mean())

    def p_adjusted(self, looks: int = 1) -> np.ndarray:
        """Return p-values (k,) for the largest of k, times the number of such families."""
        below = np.searchsorted(np.sort(self.maxima), self.z - TIE)
        # counts before shares: 1 - 198/200 is above 2/200, so that a finding at 5 % would be lost
        return np.minimum(1.0, looks * ((len(self.maxima) - below) / len(self.maxima)))

    def critical(self, looks: int = 1) -> float:
        """Return the z above which a statistic is beyond chance; infinite with too few deals."""
        most = int(np.floor(LEVEL / looks * len(self.maxima) + TIE))
        if not 0 < most < len(self.maxima):
            return float("inf")
        return float(np.sort(self.maxima[1:])[-most])


@dataclass(frozen=True)
class Family:
    """Statistics of one sort that are looked at together, such as the distances of all columns.

    ``values`` (k,) with the ends ``low`` and ``high`` of their 95 % intervals; ``noise`` (k,): the
    standard error where the tables differ, for the smallest detectable difference.
    """

    names: tuple[Any, ...]
    values: np.ndarray
    low: np.ndarray
    high: np.ndarray
    noise: np.ndarray
    null: Null | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def varies(self) -> bool:
        """Whether chance can change any of the statistics, so that looking at them costs."""
        return self.null is not None and bool((self.null.sd > 0).any())

    def compared(self, looks: int = 1) -> dict[Any, Compared]:
        """Return each statistic by name; p-values pay for ``looks`` such families."""
        ends = zip(self.values.tolist(), self.low.tolist(), self.high.tolist(), strict=True)
        found = [Compared(*numbers) for numbers in ends]
        if self.null is not None:
            detectable, chance = self.detectable(looks), self.chance()
            adjusted = self.null.p_adjusted(looks)
            found = [
                Compared(
                    one.value,
                    one.low,
                    one.high,
                    float(chance[j]),
                    float(self.null.p[j]),
                    float(adjusted[j]),
                    float(detectable[j]),
                )
                for j, one in enumerate(found)
            ]
        return dict(zip(self.names, found, strict=True))

    def chance(self) -> np.ndarray:
        """Return the means (k,) over all deals."""
        assert self.null is not None
        return self.null.mean

    def detectable(self, looks: int) -> np.ndarray:
        """Return the smallest differences found with a power of 80 %, infinite if none are.

        At a true difference d a statistic is at least about d + noise, so it passes the critical
        value c in four of five cases if d - 0.84 noise = c.
        """
        assert self.null is not None
        centre = 0.0 if self.null.signed else self.null.mean
        critical = self.null.critical(looks)
        with np.errstate(invalid="ignore"):  # no deal changes a constant: nothing can show
            reach = centre + critical * self.null.sd + POWER_Z * self.noise
        return np.where(self.null.sd > 0, reach, np.inf)


def jackknife(
    statistic: Callable[[np.ndarray], np.ndarray], n: int, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Return the variance of statistics (k,) of n rows, by leaving out groups of rows in turn.

    ``statistic`` takes row indices. Rows are dealt at random to G = min(20, n) groups; the variance
    is (G - 1)/G times the sum of squares of the G values about their mean (Tukey 1958; Kott,
    J. Official Statistics 17 (2001)), with G - 1 degrees of freedom, which are returned too.
    """
    groups = min(GROUPS, n)
    group = rng.permutation(n) % groups
    values = np.array([statistic(np.flatnonzero(group != g)) for g in range(groups)])
    return np.asarray((groups - 1) * values.var(axis=0)), groups - 1


def quantile_t(degrees: int) -> float:
    """Return the 97.5 % quantile of Student's t."""
    return float(student.ppf(0.975, degrees))
