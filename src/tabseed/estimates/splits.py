"""Paired differences over repeated splits, whose rows overlap: intervals and p-values.

Notation: J splits, each with n1 training and n2 test rows; d_j the difference on split j.
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

    ``p`` is two-sided; ``p_holm`` is adjusted for the family of comparisons, or ``p`` without one.
    ``detectable`` is the difference that the test detects with a power of 80 %.
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
        """Return whether the arm is reliably better, at the family's error rate ``level``."""
        return self.mean > 0 and self.p_holm < level

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return asdict(self)


def compare(
    arm: str, against: str, differences: np.ndarray, ratio: float, level: float = 0.05
) -> Difference:
    """Test the mean of paired differences (J,) by the corrected resampled t test.

    The standard error is that of :func:`split_error`, ``ratio`` = n2/n1; t has J - 1 degrees of
    freedom. Without any spread the interval is the mean itself, and p is 1 if it is 0, else 0.
    """
    j = len(differences)
    if j < 2:
        raise TabseedError(f"an interval needs at least 2 splits, got {j}")
    mean = float(np.mean(differences))
    error = float(split_error(differences, ratio))
    half = float(student.ppf(1 - level / 2, j - 1)) * error
    p = float(2 * student.sf(abs(mean) / error, j - 1)) if error > 0 else float(mean == 0)
    detectable = half + float(student.ppf(POWER, j - 1)) * error
    return Difference(arm, against, mean, mean - half, mean + half, p, p, detectable)


def holm(p: np.ndarray) -> np.ndarray:
    """Return p-values (k,) adjusted for the error rate of a family (Holm, Scand. J. Stat. 1979).

    The i-th smallest becomes the largest of (k - h + 1) p_(h) over h <= i, and at most 1.
    """
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def family(members: list[Difference]) -> tuple[Difference, ...]:
    """Return comparisons made together, with ``p_holm`` adjusted."""
    adjusted = holm(np.array([d.p for d in members]))
    return tuple(replace(d, p_holm=float(p)) for d, p in zip(members, adjusted, strict=True))


def split_error(differences: np.ndarray, ratio: float) -> np.ndarray:
    """Return the standard error (...) of the mean of paired differences (J, ...) over J splits.

    Splits share rows, so the variance of the mean is not s^2 / J but about (1/J + ratio) s^2, where
    ``ratio`` is test rows over training rows (Nadeau and Bengio, Machine Learning 52 (2003),
    doi:10.1023/A:1024068626366). This is an approximation, exact only if the scores on two splits
    have correlation n2 / (n1 + n2).
    """
    return np.asarray(np.sqrt((1 / len(differences) + ratio) * np.var(differences, axis=0, ddof=1)))
