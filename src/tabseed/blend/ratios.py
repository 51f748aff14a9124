"""Which of several generators rows are likely to come from, where none needs a likelihood.

Notation: M generators Q_1 ... Q_M, each of which draws m rows; p_j(x) the probability, by a forest
that learned the M m drawn rows, that x is one of generator j. With an exact forest p_j(x) = Q_j(x)
/ sum_k Q_k(x), so that

    log M p_j(x) = log Q_j(x) - log (1/M) sum_k Q_k(x),

and the weights w that make real rows x_i likeliest under the mixture of the generators,
max_w sum_i log sum_j w_j Q_j(x_i), are those of max_w sum_i log sum_j w_j M p_j(x_i). The mean of
log p_j - log p_k over real rows estimates how much farther the real law is from Q_k than from Q_j
(Kullback-Leibler), as far as a forest sees. Drawn rows cost nothing, so the forest learns from
many; the few real ones are only asked, and each answer is one number of a mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from tabseed._random import int_seed

DRAWN, FEWEST, CELLS = 3_000, 500, 4_000_000  # rows of a generator; cells of all that are learned
TREES, LEAF = 100, 8


def rows_to_draw(n_generators: int, n_columns: int) -> int:
    """Return m, how many rows of each generator the forest learns; fewer for wide tables."""
    return int(np.clip(CELLS // max(1, n_generators * n_columns), FEWEST, DRAWN))


def log_ratios(
    drawn: Sequence[np.ndarray], points: np.ndarray, stream: np.random.SeedSequence
) -> np.ndarray:
    """Return log M p_j, (n, M) in nats, of rows ``points`` (n, columns).

    ``drawn`` holds rows (m, columns) of each generator, equally many. p is mixed with equal
    probabilities by one vote of the trees, so that none is 0. Cost: a forest of 100 trees.
    """
    m = len(drawn)
    if m == 1:
        return np.zeros((len(points), 1))
    source = np.repeat(np.arange(m), [len(rows) for rows in drawn])
    forest = RandomForestClassifier(TREES, min_samples_leaf=LEAF, random_state=int_seed(stream))
    p = forest.fit(np.concatenate(drawn), source).predict_proba(points)
    return np.asarray(np.log((TREES * m * p + 1) / (TREES + 1)))
