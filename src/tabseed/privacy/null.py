"""What attacks gain if nothing leaks: an exact null by permuting who is a training row.

Notation: A attacks, N target rows, n of them members and h not; c (J, N) coefficients of J
statistics c @ L, where L (N,) says who is a member; P = B + 1 label vectors, the true one first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from tabseed.estimates.splits import POWER

LEVEL = 0.05
BLOCK = 4_000_000  # labels held at once
ROUND = 9  # decimals: statistics that differ by less are equal
LEAST_CHANCE = 0.005  # so rarely are all of the first rows members by chance
LEAST_EXPOSED = 10  # rows; the exposed ones are the most exposed tenth, or as many as these
ALL, EXPOSED = "all rows", "the most exposed rows"


@dataclass(frozen=True)
class Statistic:
    """How one attack is read: its ``auc``, or which of the ``first`` rows are members."""

    attack: int
    scope: str
    kind: str


@dataclass(frozen=True)
class Null:
    """The statistics of all attacks against permuted labels.

    ``p`` (J,): one-sided p-values of the single statistics; ``z`` (J,): their distance from the
    mean over all permutations in its standard deviations. ``p_value``: the share of label vectors
    whose smallest p is at most the true one's. ``critical``: with a single p up to that the whole
    is significant at 5 %.
    """

    statistics: tuple[Statistic, ...]
    p: np.ndarray
    z: np.ndarray
    p_value: float
    critical: float

    @property
    def strongest(self) -> int:
        """The index of the statistic that stands out most; of equals, an AUC before first rows."""
        first = np.array([statistic.kind == "first" for statistic in self.statistics])
        return int(np.lexsort([-self.z, first, self.p])[0])


def most_exposed(exposure: np.ndarray) -> np.ndarray:
    """Return which rows (N,) are the most exposed tenth, at least ten rows or all."""
    size = max(LEAST_EXPOSED, round(len(exposure) / 10))
    exposed = np.zeros(len(exposure), dtype=bool)
    exposed[np.argsort(-exposure, kind="stable")[:size]] = True
    return exposed


def first_rows(n: int, h: int) -> int:
    """Return how many rows must be told all right to be told beyond chance.

    That is the smallest k for which k rows, drawn from all, are all members with probability at
    most 0.005; n + 1 if there is none.
    """
    chance, k = 1.0, 0
    while k < n and chance > LEAST_CHANCE:
        chance *= (n - k) / (n + h - k)
        k += 1
    return k if chance <= LEAST_CHANCE else n + 1


def coefficients(
    scores: np.ndarray, exposed: np.ndarray, first: int
) -> tuple[np.ndarray, tuple[Statistic, ...]]:
    """Return c (J, N) of all statistics of scores (A, N), and what each row of c is.

    For an AUC c is the mid-rank; for the first rows it is 1 for the ``first`` rows with the largest
    scores, a share for those that tie for the last places, else 0. Both are centred in the scope
    and 0 outside, so how many exposed rows are members is no evidence.
    """
    found, names = [], []
    for scope, rows in ((ALL, np.ones_like(exposed)), (EXPOSED, exposed)):
        size = int(rows.sum())
        for attack, score in enumerate(scores):
            rank = np.zeros(len(score))
            rank[rows] = rankdata(score[rows]) - (size + 1) / 2
            found.append(rank)
            names.append(Statistic(attack, scope, "auc"))
            if first < size:
                found.append(_first(score, rows, first))
                names.append(Statistic(attack, scope, "first"))
    return np.array(found), tuple(names)


def _first(score: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    last = np.sort(score[rows])[-k]
    above, ties = rows & (score > last), rows & (score == last)
    return np.asarray(above + ties * ((k - above.sum()) / ties.sum()) - rows * (k / rows.sum()))


def permuted(n: int, size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return (count, size) of 0 and 1: random labels, each with n members."""
    draws = rng.random((count, size))
    last = np.partition(draws, n - 1, axis=1)[:, [n - 1]]
    return np.asarray(draws <= last, dtype=np.float64)


def permutation_null(
    c: np.ndarray,
    statistics: tuple[Statistic, ...],
    member: np.ndarray,
    permutations: int,
    rng: np.random.Generator,
) -> Null:
    """Compare the true labels with permuted ones, for all statistics and for the strongest.

    If nothing leaks, every label vector is as probable as the true one, given the synthetic rows
    and the targets, and no attack saw a label. So the p-value of each statistic is its rank among
    the label vectors, and that of the smallest p the rank of the smallest p (Westfall and Young
    1993, section 2.6): at most a with probability at most a, exactly, whatever the attacks.
    """
    size, n = len(member), int(member.sum())
    values = [np.reshape(member, (1, -1)) @ c.T]
    block = max(1, BLOCK // size)
    for start in range(0, permutations, block):
        values.append(permuted(n, size, min(block, permutations - start), rng) @ c.T)
    return null_of(np.concatenate(values).T, statistics, _spreads(c, n))


def null_of(values: np.ndarray, statistics: tuple[Statistic, ...], spread: np.ndarray) -> Null:
    """Return the null from the statistics (J, P) of all label vectors, the true one first."""
    values = np.round(values, ROUND)
    p = rankdata(-values, method="max", axis=1) / values.shape[1]
    smallest = p.min(axis=0)
    ordered, counts = np.unique(smallest, return_counts=True)
    significant = np.cumsum(counts) / len(smallest) <= LEVEL
    return Null(
        statistics,
        p[:, 0],
        np.divide(
            values[:, 0] - values.mean(axis=1), spread, out=np.zeros(len(p)), where=spread > 0
        ),
        float((smallest <= smallest[0]).mean()),
        min(LEVEL, float(ordered[significant][-1] if significant.any() else ordered[0])),
    )


def _spreads(c: np.ndarray, n: int) -> np.ndarray:
    """Return the standard deviations (J,) of c @ L over all labels with n members."""
    size = c.shape[1]
    variance = c.var(axis=1) * n * (size - n) / (size - 1)
    # rounding must not make a constant statistic vary
    return np.asarray(np.sqrt(np.where(variance > 1e-12 * (c**2).mean(axis=1), variance, 0.0)))


def detectable_auc(n: float, h: float, critical: float) -> float | None:
    """Return the smallest AUC that n members and h others show with 80 % power, None if none.

    The spread is that of untied ranks under the null, sqrt((n + h + 1) / (12 n h)); ``critical`` is
    the p-value that a single attack needs.
    """
    spread = np.sqrt((n + h + 1) / (12 * n * h))
    found = float(0.5 + (norm.isf(critical) + norm.ppf(POWER)) * spread)
    return found if found < 1 else None
