"""The Gini coefficient, 2 AUC - 1, row by row, and its standard error over held-out rows.

DeLong, DeLong and Clarke-Pearson, doi:10.2307/2531595.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata


def right_side(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the share of the other class (n,) on whose right side each row is.

    Ties count half. The mean over the rows of either class is the AUC.
    """
    ranks, share = rankdata(scores), np.empty(len(y))
    for c in (0, 1):
        own = y == c
        below = (ranks[own] - rankdata(scores[own])) / (~own).sum()
        share[own] = below if c else 1 - below
    return share


def gini(share: np.ndarray, y: np.ndarray) -> float:
    """Return 2 AUC - 1 from right sides."""
    return float(2 * share[y == 1].mean() - 1)


def row_error(gain: np.ndarray, y: np.ndarray) -> float:
    """Return the standard error, over rows, of a paired difference of Ginis.

    ``gain`` (n,) is the difference of right sides.
    """
    return float(2 * np.sqrt(sum(gain[y == c].var(ddof=1) / (y == c).sum() for c in (0, 1))))
