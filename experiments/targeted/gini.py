"""The Gini coefficient, 2 AUC - 1, row by row, and what the rows held out leave open.

DeLong, DeLong and Clarke-Pearson, doi:10.2307/2531595.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata


def right_side(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Give for each row (n,) the share of the other class that it is on the right side of.

    Ties count half. The mean over the rows of a class, either one, is the AUC.
    """
    among, share = rankdata(scores), np.empty(len(y))
    for c in (0, 1):
        own = y == c
        below = (among[own] - rankdata(scores[own])) / (~own).sum()
        share[own] = below if c else 1 - below
    return share


def gini(share: np.ndarray, y: np.ndarray) -> float:
    """Give 2 AUC - 1 from right sides."""
    return float(2 * share[y == 1].mean() - 1)


def row_error(gain: np.ndarray, y: np.ndarray) -> float:
    """Give the standard error, over rows, of a paired difference of Ginis.

    ``gain`` (n,) is the difference of right sides.
    """
    return float(2 * np.sqrt(sum(gain[y == c].var(ddof=1) / (y == c).sum() for c in (0, 1))))
