"""Scores of predictions as means over rows, so that they can be paired by row."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.stats import rankdata

from tabseed.estimates.words import DIGITS, THOUSANDTHS

Task = Literal["classification", "regression"]
SCORES: dict[Task, str] = {"regression": "R2", "classification": "AUC"}
MIN_VARIANCE = 1e-12  # of y's variance over its mean square: below it there is nothing to explain


def form_of(unit: str) -> str:
    """Return the format of a number in ``unit``: thousandths for a score, else three digits."""
    return THOUSANDTHS if unit in SCORES.values() else DIGITS


def score_rows(task: Task, y: np.ndarray, predictions: np.ndarray) -> np.ndarray | None:
    """Return AUC or R2 as contributions (..., h) of rows, whose mean is the score.

    ``predictions`` are class shares (..., h, C) or numbers (..., h). The variance of
    the contributions over rows, divided by h, is that of the score: DeLong's (Biometrics 44
    (1988)) for the AUC of two classes, by linearisation for R2. With more classes the AUC is the
    mean of one against the rest over the classes that occur. Returns None where no score exists:
    for a single class or a constant.
    """
    if task == "regression":
        spread = y - y.mean()
        variance = float((spread**2).mean())
        if variance <= MIN_VARIANCE * float((y**2).mean()):
            return None
        error = (predictions - y) ** 2
        mean = error.mean(axis=-1, keepdims=True)
        share = mean / variance
        return np.asarray(1 - share - (error - share * spread**2) / variance)
    count = predictions.shape[-1]
    occur = [c for c in range(count) if 0 < int((y == c).sum()) < len(y)]
    if count == 2:
        occur = occur[-1:]
    if not occur:
        return None
    return np.asarray(np.mean([_auc_rows(y == c, predictions[..., c]) for c in occur], axis=0))


def _auc_rows(positive: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return contributions (..., h) to the AUC of scores (..., h); see :func:`score_rows`."""
    h, n1 = len(positive), int(positive.sum())
    n0 = h - n1
    rank = rankdata(score, axis=-1)
    wins = np.empty_like(score, dtype=np.float64)  # share of the other class that a row beats
    own = rankdata(score[..., positive], axis=-1)
    wins[..., positive] = (rank[..., positive] - own) / n0
    own = rankdata(score[..., ~positive], axis=-1)
    wins[..., ~positive] = 1 - (rank[..., ~positive] - own) / n1
    area = wins[..., positive].mean(axis=-1, keepdims=True)
    n = np.where(positive, n1, n0)
    # scaled so that s^2 / h over all rows is s1^2 / n1 + s0^2 / n0
    weight = np.sqrt(h * (h - 1) / (n * np.maximum(n - 1, 1)))
    return np.asarray(area + weight * (wins - area))
