"""The paper's model, and its gain with an interval from the test rows.

Notation: m test rows.
"""

from __future__ import annotations

import numpy as np
import xgboost
from scipy.stats import norm

from experiments.targeted.gini import right_side, row_error

PARAMETERS = {
    "objective": "binary:logistic",
    "max_depth": 4,
    "eta": 0.05,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "eval_metric": "auc",  # the Gini coefficient is 2 AUC - 1
}
MAX_ROUNDS, PATIENCE = 9_999, 100

Pair = tuple[np.ndarray, np.ndarray]


def predicted(
    train: Pair, valuation: Pair, x: np.ndarray, seed: int, jobs: int
) -> tuple[np.ndarray, int]:
    """Fit to ``train``, choose rounds on ``valuation``; return P(y = 1) of x, (m,), and rounds."""
    settings = PARAMETERS | {"seed": seed, "nthread": jobs}
    rows = xgboost.QuantileDMatrix(*train, nthread=jobs)
    stopping_rows = xgboost.QuantileDMatrix(*valuation, ref=rows, nthread=jobs)
    model = xgboost.train(
        settings,
        rows,
        MAX_ROUNDS,
        evals=[(stopping_rows, "valuation")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    rounds = model.best_iteration + 1
    return model.inplace_predict(x, iteration_range=(0, rounds)), rounds


def gain(y: np.ndarray, score: np.ndarray, against: np.ndarray) -> tuple[float, float, float]:
    """Return the difference of two Gini coefficients on the same rows, with a 95 % interval.

    The interval covers the choice of the test rows only, not the choice of the training rows, the
    draw of added rows, or the seed of the model.
    """
    side = right_side(score, y) - right_side(against, y)
    mean = 2 * float(side[y == 1].mean())
    half = float(norm.ppf(0.975)) * row_error(side, y)
    return mean, mean - half, mean + half
