"""Each row's part in the terms of a utility gap: see :mod:`tabseed.utility.decomposition`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tabseed.estimates.means import BALANCED, Added, Mean, mean_over
from tabseed.metrics.problem import Problem, loss, named

Compared = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Labels, outputs of f~ and of f^, and the synthetic law's mean response, for the same rows."""


@dataclass(frozen=True)
class Terms:
    """The three terms of one model's gap, their sum, and the gap itself."""

    response: Mean
    feature: Mean
    estimation: Mean
    total: Mean
    direct: Mean
    difference: Mean


@dataclass(frozen=True)
class Contributions:
    """Each row's part: (D, S, h) for held-out rows, and (S, k_d) for the rows set aside of a table.

    ``shift`` is b(x), the difference of conditional risks under the synthetic response, and
    ``surplus`` is the difference of losses minus b. With real labels its mean is the response term;
    with synthetic labels its mean is 0 if the response is exact, which a learned one is not.
    """

    surplus: np.ndarray
    shift: np.ndarray
    surplus_aside: list[np.ndarray]
    shift_aside: list[np.ndarray]
    learned: bool
    added: Added  # see mean_over

    @classmethod
    def of(
        cls,
        problem: Problem,
        held_out: Compared,
        aside: Sequence[Compared],
        *,
        response_known: bool,
    ) -> Contributions:
        """Compute them for one model, from its outputs on the rows held out and set aside."""
        surplus, shift = contributions(problem, *held_out)
        parts = [contributions(problem, *table) for table in aside]
        added = BALANCED if problem.task == "classification" else ()
        lists = [a for a, _ in parts], [b for _, b in parts]
        return cls(surplus, shift, *lists, not response_known, added)

    @cached_property
    def terms(self) -> Terms:
        """The terms, estimated from all rows."""
        a, b = self.surplus, self.shift
        under = [u + v for u, v in zip(self.surplus_aside, self.shift_aside, strict=True)]
        correction = [-u for u in self.surplus_aside] if self.learned else []
        rest = [] if self.learned else self.surplus_aside
        return Terms(
            response=mean_over(a, correction, self.added),
            feature=mean_over(b, [-v for v in self.shift_aside], self.added),
            estimation=mean_over(None, under, self.added),
            total=mean_over(a + b, rest, self.added),
            direct=mean_over(a + b, added=self.added),
            difference=mean_over(None, self.surplus_aside, self.added),
        )


def contributions(
    problem: Problem, y: np.ndarray, synthetic: np.ndarray, real: np.ndarray, mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return surplus and shift, (..., n), given outputs of f~ and f^, and the mean response."""
    if problem.task == "regression":
        shift = (synthetic - mean) ** 2 - (real - mean) ** 2
        return 2 * (synthetic - real) * (mean - y), np.asarray(shift)
    shift = _share(mean, named(problem, real)) - _share(mean, named(problem, synthetic))
    return loss(problem, y, synthetic) - loss(problem, y, real) - shift, shift


def _share(mean: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return the share of the classes ``number`` (..., n) in shares (..., n, C)."""
    return np.take_along_axis(mean, number[..., None], axis=-1)[..., 0]
