"""A guess at why a row is hard: what its neighbours are, and how far off they lie.

Notation: n rows, K neighbours of each among the others, d mean distance to them.
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
    "mislabelled": "near rows have other labels: wrong, or unusual",
    "rare": "few rows are like it, or of its class",
    "ambiguous": "near rows have several labels",
    "": "nothing stands out",
}
FEWEST, MOST = 10, 50  # neighbours
OUTSIDE, FAR_OUT = 1.5, 3.0  # Tukey's fences, in interquartile ranges beyond the quartile
CHANCE = 0.01  # that neighbours drawn from all rows had so few of the row's label
RARE_CLASS = 0.05


def hints(X: Any, y: Any, *, task: Task | None = None) -> np.ndarray:
    """Guess for each row why it may be hard, (n,) keys of HINTS; a hint, not a finding.

    Of K = sqrt(n) neighbours, 10 to 50, in the points of :class:`Features`, in this order:

    - "out of support": log d beyond the far fence of Tukey, Q3 + 3 (Q3 - Q1), of all rows.
    - "mislabelled": so few neighbours have the row's label that K rows drawn at random from all
      would have as few with a chance of 1 % or less; of a regression, the target is beyond the far
      fence of distances from the neighbours' median. Where the class is rare even no neighbour
      of its label is no evidence, and the hint is not given.
    - "rare": log d beyond Q3 + 1.5 (Q3 - Q1), or a class of less than 5 % of the rows.
    - "ambiguous": less than half of the neighbours have the row's label; of a regression, beyond
      the near fence.

    Cost: n^2 w for w coordinates.
    """
    points = Features().fit_transform(X)
    kind, _, (labels,) = code_labels([y], task)
    n = len(points)
    k = min(n - 1, int(np.clip(np.sqrt(n), FEWEST, MOST)))
    found = np.full(n, "", dtype=object)
    if k < 1:
        return found
    near, log_d = _neighbours(points, k)
    if kind == "classification":
        same = (labels[near] == labels[:, None]).sum(axis=1)
        share = np.bincount(labels)[labels] / n
        wrong = binom.cdf(same, k, share) <= CHANCE
        mixed, scarce = 2 * same < k, share < RARE_CLASS
    else:
        away = np.abs(labels - np.median(labels[near], axis=1))
        wrong, mixed = _beyond(away, FAR_OUT), _beyond(away, OUTSIDE)
        scarce = np.zeros(n, dtype=bool)
    conditions = [_beyond(log_d, FAR_OUT), wrong, scarce | _beyond(log_d, OUTSIDE), mixed]
    for hint, holds in reversed(list(zip(HINTS, conditions, strict=False))):
        found[holds] = hint
    return found


def _neighbours(points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the k nearest other rows of each, (n, k), and the log of their mean distance, (n,)."""
    if points.shape[1] == 0:  # no column tells rows apart
        points = np.zeros((len(points), 1))
    with one_thread():
        search = NearestNeighbors(n_neighbors=k).fit(points)
        distances, near = search.kneighbors()  # of each training row, itself left out
    d = distances.mean(axis=1)
    least = d[d > 0].min(initial=np.inf)
    return near, np.log(np.maximum(d, least if np.isfinite(least) else 1.0))


def _beyond(values: np.ndarray, fence: float) -> np.ndarray:
    """Say which values are beyond the third quartile by ``fence`` interquartile ranges."""
    low, high = np.quantile(values, [0.25, 0.75])
    return np.asarray(values > high + fence * (high - low) + 1e-9 * abs(high))
