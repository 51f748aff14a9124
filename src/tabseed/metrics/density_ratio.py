"""The density ratio r = dP/dQ of real rows P over synthetic rows Q: closed forms, fits, its tail.

chi2(P||Q) = E_Q[(r - 1)^2] = E_P[r] - 1, real in the numerator. :mod:`tabseed.metrics.chi2` fits
each ratio to one part of the rows and evaluates it on another.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist, pdist
from scipy.stats import chi2 as chi2_law

from tabseed.errors import TabseedError
from tabseed.parameters import Real, as_numbers, checked

LARGEST_LOG = 50.0  # of a ratio: e^50 stands for anything larger, infinity included
TAIL_ROWS = 10  # at least, above the start of a tail, to fit an exponent to
CENTRES = 100  # of the kernels of uLSIF: half at real rows, half at synthetic ones
WIDTHS = (0.25, 0.5, 1.0, 2.0)  # times the median distance of the centres
RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
ULSIF_FOLDS = 4

Ratio = Callable[[np.ndarray], np.ndarray]


# --- closed forms -------------------------------------------------------------------------------


def discrete_chi_square(p: ArrayLike, q: ArrayLike) -> float:
    """Return chi2(p||q) = sum p^2/q - 1 of two discrete laws over the same cells.

    ``p`` and ``q`` are probabilities of one shape, each adding up to 1. The result is infinite
    if q is 0 in a cell of p; cells of q alone cost little. Raises TabseedError for anything else.
    """
    p, q = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    for name, law in (("p", p), ("q", q)):
        if law.shape != p.shape or (law < 0).any() or not math.isclose(law.sum(), 1, abs_tol=1e-9):
            raise TabseedError(f"{name} must be probabilities over the same cells that add up to 1")
    positive = p > 0
    if (q[positive] == 0).any():
        return math.inf
    return float((p[positive] ** 2 / q[positive]).sum() - 1)


def gaussian_chi_square(
    mean_p: ArrayLike, cov_p: ArrayLike, mean_q: ArrayLike, cov_q: ArrayLike
) -> float:
    """Return chi2(N(mean_p, cov_p) || N(mean_q, cov_q)), means (d,) and covariances (d, d).

    With S = 2 cov_q - cov_p and the shift v = mean_p - mean_q it is
    |cov_q| / sqrt(|cov_p| |S|) exp(v' S^-1 v) - 1; infinite where S is not positive definite,
    that is, where Q has in some direction a standard deviation below that of P over sqrt(2).
    Plain numbers mean d = 1, where a covariance is the variance. Raises TabseedError for shapes
    that do not match and covariances that are not positive definite.
    """
    v = np.atleast_1d(np.asarray(mean_p, dtype=float)) - np.asarray(mean_q, dtype=float)
    covariances = {"cov_p": np.atleast_2d(cov_p), "cov_q": np.atleast_2d(cov_q)}
    log_det = {}
    for name, cov in covariances.items():
        if cov.shape != (len(v), len(v)):
            raise TabseedError(f"{name} has shape {cov.shape}, the means have {len(v)} entries")
        sign, log_det[name] = np.linalg.slogdet(cov)
        if sign <= 0 or np.linalg.eigvalsh(cov)[0] <= 0:
            raise TabseedError(f"{name} is not positive definite")
    s = 2 * covariances["cov_q"] - covariances["cov_p"]
    if np.linalg.eigvalsh(s)[0] <= 0:
        return math.inf
    log_ratio = log_det["cov_q"] - (log_det["cov_p"] + np.linalg.slogdet(s)[1]) / 2
    exponent = float(log_ratio + v @ np.linalg.solve(s, v))
    return math.expm1(exponent) if exponent < 700 else math.inf


# --- fits: from points of P and of Q to a function from points to ratios ------------------------


def gaussian_ratio(p: np.ndarray, q: np.ndarray) -> Ratio:
    """Fit a Gaussian to each sample (n, d), (m, d) by moments; return the ratio of the two."""
    (mean_p, root_p), (mean_q, root_q) = (_moments(x) for x in (p, q))
    log_scale = float(np.log(np.diag(root_q)).sum() - np.log(np.diag(root_p)).sum())

    def ratio(x: np.ndarray) -> np.ndarray:
        z_p = np.linalg.solve(root_p, (x - mean_p).T)
        z_q = np.linalg.solve(root_q, (x - mean_q).T)
        return exp_ratio(log_scale + ((z_q**2).sum(axis=0) - (z_p**2).sum(axis=0)) / 2)

    return ratio


def _moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    try:
        return x.mean(axis=0), np.linalg.cholesky(np.atleast_2d(np.cov(x, rowvar=False)))
    except np.linalg.LinAlgError as error:
        raise TabseedError(
            "the covariance of the numbers is singular: a column is constant in one table or "
            "depends linearly on others; use method 'classifier'"
        ) from error


def exp_ratio(log_ratio: np.ndarray) -> np.ndarray:
    """Return the ratio of a log ratio, at most e^50."""
    return np.asarray(np.exp(np.minimum(log_ratio, LARGEST_LOG)))


def cell_ratio(p: np.ndarray, q: np.ndarray) -> Ratio:
    """Return the ratio of the shares of each cell, for (n, 1) and (m, 1) cell numbers from 0.

    A cell that Q lacks gets e^50, a cell that both lack gets 1.
    """
    size = int(max(p.max(), q.max())) + 1
    count_p, count_q = (np.bincount(x.ravel(), minlength=size) for x in (p, q))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (count_p / len(p)) / (count_q / len(q))
    ratios = np.where(count_p + count_q == 0, 1.0, np.minimum(ratios, math.exp(LARGEST_LOG)))

    def ratio(x: np.ndarray) -> np.ndarray:
        cells = x.ravel()
        return np.asarray(np.where(cells < size, ratios[np.minimum(cells, size - 1)], 1.0))

    return ratio


@dataclass(frozen=True)
class ULSIF:
    """A least-squares ratio h(x) = max(0, 1 + sum_l a_l exp(-|x - c_l|^2 / (2 width^2))).

    It minimises E_Q h^2/2 - E_P h + ridge |a|^2/2, whose minimum without a ridge is r
    (unconstrained least-squares importance fitting; Kanamori, Hido and Sugiyama, JMLR 10 (2009)).
    It is written around 1, so that a large ridge means "no difference" and not "no real rows".
    Closed form, with phi the kernels: a = (E_Q phi phi' + ridge I)^-1 (E_P phi - E_Q phi).
    """

    centres: np.ndarray
    weights: np.ndarray
    width: float
    ridge: float

    @classmethod
    def fit(cls, p: np.ndarray, q: np.ndarray, rng: np.random.Generator) -> ULSIF:
        """Fit to points (n, d) and (m, d) on comparable scales.

        Width and ridge have the least loss in 4-fold cross-validation. Cost: a (b, b)
        eigendecomposition for each width and fold, and (n + m) b^2 operations, b = 100 kernels.
        """
        samples = [rng.permutation(len(x))[: CENTRES // 2] for x in (p, q)]
        centres = np.concatenate([x[rows] for x, rows in zip((p, q), samples, strict=True)])
        unit = float(np.median(pdist(centres))) or 1.0
        # folds.deal would invert this permutation: equally random, but with other figures
        folds = [rng.permutation(len(x)) % ULSIF_FOLDS for x in (p, q)]
        candidates = []
        for width in unit * np.array(WIDTHS):
            phi = [_kernels(x, centres, width) for x in (p, q)]
            losses = [_held_out_loss(phi, folds, fold) for fold in range(ULSIF_FOLDS)]
            loss = np.mean(losses, axis=0)
            best = int(np.argmin(loss))
            candidates.append((float(loss[best]), float(width), RIDGES[best]))
        _, width, ridge = min(candidates)
        phi = [_kernels(x, centres, width) for x in (p, q)]
        weights = _ridge_weights(phi, (ridge,))[:, 0]
        return cls(centres, weights, width, ridge)

    def ratio(self, x: np.ndarray) -> np.ndarray:
        """Return h (k,) at points (k, d)."""
        return np.asarray(np.maximum(0.0, 1 + _kernels(x, self.centres, self.width) @ self.weights))


def _kernels(x: np.ndarray, centres: np.ndarray, width: float) -> np.ndarray:
    return np.asarray(np.exp(-cdist(x, centres, "sqeuclidean") / (2 * width**2)))


def _ridge_weights(phi: list[np.ndarray], ridges: tuple[float, ...]) -> np.ndarray:
    """Return the weights (b, ridges) for kernels at the points of P (n, b) and of Q (m, b)."""
    p, q = phi
    values, vectors = np.linalg.eigh(q.T @ q / len(q))
    turned = vectors.T @ (p.mean(axis=0) - q.mean(axis=0))
    return np.asarray(vectors @ (turned[:, None] / (values.clip(0)[:, None] + np.array(ridges))))


def _held_out_loss(phi: list[np.ndarray], folds: list[np.ndarray], fold: int) -> np.ndarray:
    """Return for each ridge the loss, on one fold, of the fit to the others."""
    training = [x[fold_of != fold] for x, fold_of in zip(phi, folds, strict=True)]
    weights = _ridge_weights(training, RIDGES)
    h_p, h_q = (
        np.maximum(0.0, 1 + x[fold_of == fold] @ weights)
        for x, fold_of in zip(phi, folds, strict=True)
    )
    return np.asarray((h_q**2).mean(axis=0) / 2 - h_p.mean(axis=0))


# --- the tail -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class DensityRatioTail:
    """How much real probability lies where synthetic rows are rare.

    ``shares[i]`` = P(r > ``thresholds[i]``), a share of the real rows. ``exponent`` d with its
    95 % interval and ``coefficient`` V describe the tail as P(r > C) = V C^-d, fitted to the
    ``n_tail`` largest ratios; d is infinite where these ratios are all equal.
    """

    thresholds: np.ndarray
    shares: np.ndarray
    exponent: float
    exponent_low: float
    exponent_high: float
    coefficient: float
    n_tail: int

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict; an infinite number is None."""
        numbers = ("exponent", "exponent_low", "exponent_high", "coefficient")
        return {
            "thresholds": self.thresholds.tolist(),
            "shares": self.shares.tolist(),
            **{k: v if math.isfinite(v := getattr(self, k)) else None for k in numbers},
            "n_tail": self.n_tail,
        }


@checked(tail_share=Real(above=0, high=0.5))
def density_ratio_tail(
    r: ArrayLike, thresholds: ArrayLike = (2.0, 5.0, 10.0, 20.0), *, tail_share: float = 0.1
) -> DensityRatioTail:
    """Describe the tail of the ratio r = dP/dQ at real rows, (n,).

    These are two computable readings of a "(V, d) fidelity", both ours: the definition in arXiv
    2305.10015 was not available to us. (a) The curve d(V) = P(r > V): for a loss 0 <= g <= B it
    gives E_P g <= V E_Q g + B d(V), and d(V) <= chi2 V/(V - 1)^2. (b) A polynomial tail
    P(r > C) <= V C^-d: a synthetic excess risk e implies a real one of order e^(d/(d + 1)); a
    finite chi2 gives d = 1, V = 1 + chi2 at worst.

    d is Hill's estimate d^ on the k = ``tail_share`` n largest ratios (at least 10). Its interval
    takes 2 k d/d^ as chi-square with 2 k degrees of freedom, which is right for independent rows
    and an exact power law beyond the k-th ratio, with r known; an estimated ratio is smoother, and
    a clipped one has no tail. V is the share k/n times (k-th ratio)^d. Cost: one sort. Raises
    TabseedError for fewer than 20 ratios, negative ratios, or a share outside (0, 0.5].
    """
    r, limits = as_numbers("r", r), as_numbers("thresholds", thresholds)
    if r.ndim != 1 or len(r) < 2 * TAIL_ROWS or not (r >= 0).all():
        raise TabseedError(
            f"r needs at least {2 * TAIL_ROWS} ratios, none of them negative or missing"
        )
    ordered = np.sort(r)
    shares = 1 - np.searchsorted(ordered, limits, side="right") / len(r)
    k = max(TAIL_ROWS, round(tail_share * len(r)))
    start = ordered[-k - 1]
    if start <= 0 or not np.isfinite(ordered[-1]):
        raise TabseedError(
            f"the {k + 1} largest ratios must be positive and finite, to fit a tail to them"
        )
    mean_log = float(np.log(ordered[-k:] / start).mean())
    if mean_log == 0:
        return DensityRatioTail(limits, shares, math.inf, math.inf, math.inf, math.inf, k)
    d = 1 / mean_log
    low, high = (d * float(chi2_law.ppf(level, 2 * k)) / (2 * k) for level in (0.025, 0.975))
    log_v = math.log(k / len(r)) + d * math.log(start)
    v = math.exp(log_v) if log_v < 700 else math.inf
    return DensityRatioTail(limits, shares, d, low, high, v, k)
