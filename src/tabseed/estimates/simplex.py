"""Weights on the simplex: of a mixture of laws, and of a mean of predictions.

Notation: n rows, M members, w (M,) their weights, none below 0, with the sum 1; t (M,) the weights
that w is shrunk towards, as if by c rows.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

STEPS, SETTLED = 2_000, 1e-9  # of the EM algorithm: at most, and the change of w that ends it


def likeliest_weights(logs: np.ndarray, towards: np.ndarray, prior: float) -> np.ndarray:
    """Return w that maximises sum_i log sum_m w_m exp(l_im) + c sum_m t_m log w_m.

    ``logs`` (n, M) are l, -inf where a member never draws the row; rows that none draws say
    nothing. The sum is concave; the EM algorithm ends at its maximum.

    References: Dempster, Laird and Rubin 1977 (doi:10.1111/j.2517-6161.1977.tb01600.x).
    """
    known = logs[np.isfinite(logs).any(axis=1)]
    p = np.exp(known - known.max(axis=1, keepdims=True, initial=-np.inf))
    w = np.full(logs.shape[1], 1 / logs.shape[1])
    for _ in range(STEPS if len(p) + prior > 0 else 0):
        share = p * w
        share /= share.sum(axis=1, keepdims=True)
        new = (share.sum(axis=0) + prior * towards) / (len(p) + prior)
        settled = np.abs(new - w).max() < SETTLED
        w = new
        if settled:
            break
    return w


def least_squares_weights(predictions: np.ndarray, y: np.ndarray, prior: float) -> np.ndarray:
    """Return w that minimises sum_i (y_i - sum_m w_m f_im)^2 + c v sum_m (w_m - 1/M)^2.

    ``predictions`` (n, M) are f, ``y`` (n,) numbers; v is the mean square of y less its mean, so
    that units do not matter.
    """
    m = predictions.shape[1]
    equal = np.full(m, 1 / m)
    scale = float(np.var(y)) or 1.0
    gram = predictions.T @ predictions / scale + prior * np.eye(m)
    pull = predictions.T @ y / scale + prior * equal

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        slope = gram @ w - pull
        return float(w @ (slope - pull) / 2), slope

    found = minimize(
        loss,
        equal,
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * m,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(m)},
        options={"maxiter": 300, "ftol": 1e-12},
    )
    w = np.clip(found.x, 0, None)
    return np.asarray(w / w.sum())
