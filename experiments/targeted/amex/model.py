"""The paper's model, and its score with what test rows leave open.

Notation: m test rows, of them m1 of class 1 and m0 of class 0.
"""

from __future__ import annotations

import numpy as np
import xgboost
from scipy.stats import norm, rankdata

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
    """Learn ``train``, rounds chosen on ``valuation``; give P(y = 1) of x, (m,), and the rounds."""
    settings = PARAMETERS | {"seed": seed, "nthread": jobs}
    rows = xgboost.QuantileDMatrix(*train, nthread=jobs)
    judged = xgboost.QuantileDMatrix(*valuation, ref=rows, nthread=jobs)
    model = xgboost.train(
        settings,
        rows,
        MAX_ROUNDS,
        evals=[(judged, "valuation")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    rounds = model.best_iteration + 1
    return model.inplace_predict(x, iteration_range=(0, rounds)), rounds


def gini(y: np.ndarray, score: np.ndarray) -> float:
    """Give 2 AUC - 1."""
    return 2 * float(_shares_beaten(y, score)[0].mean()) - 1


def gain(y: np.ndarray, score: np.ndarray, against: np.ndarray) -> tuple[float, float, float]:
    """Give the difference of two Gini coefficients on the same rows, with a 95 % interval.

    DeLong, DeLong and Clarke-Pearson, doi:10.2307/2531595. It knows of the choice of the test rows
    only, not of that of the training rows, of the rows drawn, or of the model's seed.
    """
    ones, zeros = (
        a - b for a, b in zip(_shares_beaten(y, score), _shares_beaten(y, against), strict=True)
    )
    mean = 2 * float(ones.mean())
    error = 2 * (ones.var(ddof=1) / len(ones) + zeros.var(ddof=1) / len(zeros)) ** 0.5
    half = float(norm.ppf(0.975) * error)
    return mean, mean - half, mean + half


def _shares_beaten(y: np.ndarray, score: np.ndarray) -> Pair:
    """Of the other class, the share that each row is rightly apart from: (m1,) and (m0,).

    Ties count half; the mean of either is the AUC.
    """
    one = y == 1
    m1, m0 = int(one.sum()), int((~one).sum())
    rank = rankdata(score)
    beaten = (rank[one] - rankdata(score[one])) / m0
    beating = (rank[~one] - rankdata(score[~one])) / m1
    return beaten, 1 - beating
