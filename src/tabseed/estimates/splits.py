"""Paired differences over repeated splits, whose rows overlap: intervals and p-values.

Notation: J splits, each of n1 rows that train and n2 that test; d_j the difference on split j.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import t as student

from tabseed.errors import TabseedError

POWER = 0.8


@dataclass(frozen=True)
class Difference:
    """How much better ``arm`` scores than ``against``: mean over splits, with its interval.

    ``p`` is two-sided; ``p_holm`` adjusted for its family of comparisons, ``p`` where it is alone.
    ``detectable`` is the difference that would be found with a power of 80 %.
    """

    arm: str
    against: str
    mean: float
    low: float
    high: float
    p: float
    p_holm: float
    detectable: float

    def gains(self, level: float) -> bool:
        """Whether the arm is reliably better, its family's error held to ``level``."""
        return self.mean > 0 and self.p_holm < level

    def to_dict(self) -> dict[str, Any]:
        """Give a JSON-ready dict."""
        return asdict(self)


def compare(
    arm: str, against: str, differences: np.ndarray, ratio: float, level: float = 0.05
) -> Difference:
    """Test the mean of paired differences (J,) by the corrected resampled t test.

    The standard error is that of :func:`split_error`, ``ratio`` = n2/n1; t with J - 1 degrees of
    freedom. Without any spread the interval is the mean itself, and p is 1 if that is 0, else 0.
    """
    j = len(differences)
    if j < 2:
        raise TabseedError(f"an interval needs 2 splits or more, got {j}")
    mean = float(np.mean(differences))
    error = float(split_error(differences, ratio))
    half = float(student.ppf(1 - level / 2, j - 1)) * error
    p = float(2 * student.sf(abs(mean) / error, j - 1)) if error > 0 else float(mean == 0)
    detectable = half + float(student.ppf(POWER, j - 1)) * error
    return Difference(arm, against, mean, mean - half, mean + half, p, p, detectable)


def holm(p: np.ndarray) -> np.ndarray:
    """Adjust p-values (k,) so that a family errs at most at the level (Holm, Scand. J. Stat. 1979).

    The i-th smallest becomes the largest of (k - h + 1) p_(h), h <= i, and at most 1.
    """
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def family(members: list[Difference]) -> tuple[Difference, ...]:
    """Adjust the p-values of comparisons that are made together."""
    adjusted = holm(np.array([d.p for d in members]))
    return tuple(replace(d, p_holm=float(p)) for d, p in zip(members, adjusted, strict=True))


def split_error(differences: np.ndarray, ratio: float) -> np.ndarray:
    """Give the standard error (...) of the mean of paired differences (J, ...) over J splits.

    Splits share rows, so that the variance of the mean is not s^2 / J but about (1/J + ratio) s^2,
    ``ratio`` = rows that test over rows that train (Nadeau and Bengio, Machine Learning 52 (2003),
    doi:10.1023/A:1024068626366): an approximation, exact only if scores on two splits correlate
    by n2 / (n1 + n2).
    """
    return np.asarray(np.sqrt((1 / len(differences) + ratio) * np.var(differences, axis=0, ddof=1)))
