"""Choose the family of the next trial: UCB1 on rewards scaled by their noise.

Notation: K families, n_i trials of family i, t trials in all, psi a trial's value, larger is
better.

UCB1 takes the family with the largest mean_i + sqrt(2 ln t / n_i), which suits rewards that
differ by about 1. The values of a real objective may differ by 1e-4: then the second term alone
decides, the families take turns, and the search learns nothing (``"ucb1-raw"``). Here

    z = Phi^-1((rank of psi - 1/2) / t)  within +-2       normal scores over all finished trials
    s^2 = (1 + sum_ij (z_ij - mean_i z)^2) / (1 + t - K)   their spread within families
    index_i = mean_i z / s + sqrt(2 ln t / n_i)

so s is the unit: a family that is better by one s counts as better by 1. For rewards with
(sub-)Gaussian noise s, this bonus, s sqrt(2 ln t / n), is that of UCB with alpha = 1. UCB1's own
bonus on [0, 1], where s is at most 1/2, is 2 s sqrt(2 ln t / n): its regret is bounded from the
first trial on, but of 40 trials on three families only 25, not 31, would go to a family that is
better by s. Because scores are ranks, one diverged trial cannot set the scale, and failed trials
are the worst. Scores are cut off at 2: otherwise the lowest of t would fall about as fast as the
bonus of a family with one trial grows, and one failure would exclude that family for good. The
spread within a family comes from its settings as well as from noise: both make a mean over few
trials uncertain. The 1s in s^2 count as one more trial of spread 1, the spread of all scores; they
decide while every family has one trial.

References: Auer, Cesa-Bianchi, Fischer 2002 (doi:10.1023/A:1013689704352), UCB1; Bubeck and
Cesa-Bianchi 2012 (arXiv 1204.5721, section 2.2), sub-Gaussian rewards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

LIMIT = 2.0  # of normal scores
SELECTORS = ("ucb1", "ucb1-raw", "round-robin")


def ucb1(mean: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the UCB1 index of each family, (K,); infinite for a family without a trial."""
    bonus = np.sqrt(2 * np.log(max(count.sum(), 1)) / np.maximum(count, 1))
    return np.where(count == 0, np.inf, mean + bonus)


def scaled(values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return z / s of each family's finished trials, given their values (-inf: failed)."""
    together = np.concatenate(values)
    z = ndtri((rankdata(together) - 0.5) / max(len(together), 1)).clip(-LIMIT, LIMIT)
    parts = np.split(z, np.cumsum([len(v) for v in values])[:-1])
    within = [np.sum((part - part.mean()) ** 2) for part in parts if len(part)]
    s = np.sqrt((1 + np.sum(within)) / (1 + len(z) - len(within)))
    return [part / s for part in parts]


def select(
    rule: str,
    values: Sequence[np.ndarray],
    running: np.ndarray,
    rng: np.random.Generator,
    *,
    available: np.ndarray | None = None,
) -> int:
    """Choose a family, 0 to K - 1; break ties at random.

    ``values[i]`` holds psi of the finished trials of family i, -inf for those that failed.
    ``running`` (K,) is the number of unfinished trials; they count in n_i, so that parallel
    workers spread over families. ``available`` (K,) says which families have settings left to
    try.
    """
    count = np.array([len(v) for v in values]) + running
    if rule == "round-robin":
        index = -count.astype(np.float64)
    else:
        rewards = scaled(values) if rule == "ucb1" else _finite(values)
        index = ucb1(np.array([r.mean() if len(r) else 0.0 for r in rewards]), count)
    if available is not None:
        index = np.where(available, index, -np.inf)
    return int(rng.choice(np.flatnonzero(index == index.max())))


def _finite(values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Replace the value of each failed trial by the worst finite value."""
    together = np.concatenate(values)
    finite = together[np.isfinite(together)]
    worst = finite.min() if len(finite) else 0.0
    return [np.where(np.isfinite(v), v, worst) for v in values]
