"""Guess why a row is hard, from the labels of its neighbours and how far away they are.

Notation: n rows, K nearest other rows (neighbours) of each, d the mean distance to them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import binom
from sklearn.neighbors import NearestNeighbors

from tabseed._random import one_thread
from tabseed.coding.labels import code_labels
from tabseed.coding.points import Features
from tabseed.estimates.scores import Task

HINTS = {
    "out of support": "far from every other row",
    "mislabelled": "nearby rows have other labels: the label is wrong or unusual",
    "rare": "few rows are like it, or belong to its class",
    "ambiguous": "nearby rows have several labels",
    "": "nothing stands out",
}
FEWEST, MOST = 10, 50  # neighbours
OUTSIDE, FAR_OUT = 1.5, 3.0  # Tukey's fences, in interquartile ranges beyond the quartile
CHANCE = 0.01  # probability that neighbours drawn from all rows have so few of the row's label
RARE_CLASS = 0.05


def hints(X: Any, y: Any, *, task: Task | None = None) -> np.ndarray:
    """Return a guess at why each row may be hard, (n,) keys of HINTS: hints, not findings.

    Each row is compared with its K = sqrt(n) neighbours (at least 10, at most 50) in the points of
    :class:`Features`. It gets the first hint that applies:

    - "out of support": log d lies beyond Tukey's far fence, Q3 + 3 (Q3 - Q1), over all rows.
    - "mislabelled": so few neighbours have the row's label that K rows drawn at random from the
      table would have as few with a probability of 1 % or less. In a regression, the distance of
      the target from the neighbours' median lies beyond the far fence of these distances. If the
      class is rare, even no neighbour with its label is no evidence, and the hint is not given.
    - "rare": log d lies beyond Q3 + 1.5 (Q3 - Q1), or less than 5 % of the rows are of the class.
    - "ambiguous": less than half of the neighbours have the row's label; in a regression, the
      distance from the median lies beyond the near fence.

    Cost: n^2 w for w coordinates.
    """
    points = Features().fit_transform(X)
    kind, _, (labels,) = code_labels([y], task)
    n = len(points)
    k = min(n - 1, int(np.clip(np.sqrt(n), FEWEST, MOST)))
    result = np.full(n, "", dtype=object)
    if k < 1:
        return result
    near, log_d = _neighbours(points, k)
    if kind == "classification":
        same = (labels[near] == labels[:, None]).sum(axis=1)
        share = np.bincount(labels)[labels] / n
        wrong = binom.cdf(same, k, share) <= CHANCE
        mixed, scarce = 2 * same < k, share < RARE_CLASS
    else:
        distance = np.abs(labels - np.median(labels[near], axis=1))
        wrong, mixed = _beyond(distance, FAR_OUT), _beyond(distance, OUTSIDE)
        scarce = np.zeros(n, dtype=bool)
    conditions = [_beyond(log_d, FAR_OUT), wrong, scarce | _beyond(log_d, OUTSIDE), mixed]
    for hint, applies in reversed(list(zip(HINTS, conditions, strict=False))):
        result[applies] = hint
    return result


def _neighbours(points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's k nearest other rows, (n, k), and the log of their mean distance, (n,)."""
    if points.shape[1] == 0:  # no column tells rows apart
        points = np.zeros((len(points), 1))
    with one_thread():
        search = NearestNeighbors(n_neighbors=k).fit(points)
        distances, near = search.kneighbors()  # of each row, without itself
    d = distances.mean(axis=1)
    least = d[d > 0].min(initial=np.inf)
    return near, np.log(np.maximum(d, least if np.isfinite(least) else 1.0))


def _beyond(values: np.ndarray, fence: float) -> np.ndarray:
    """Return whether each value exceeds the third quartile by ``fence`` interquartile ranges."""
    low, high = np.quantile(values, [0.25, 0.75])
    return np.asarray(values > high + fence * (high - low) + 1e-9 * abs(high))
