"""A Gaussian mixture on latent codes: fitting, sampling, density."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture

from tabseed.archive import SINGLE, Arrays, stored

ROWS_A_COMPONENT = 15  # fewest rows for each component
MAX_COMPONENTS = 20
MANY = 1_000  # codes
TRIES = 50  # the authors' code tries other seeds until the fit converges


@dataclass(frozen=True)
class LatentMixture:
    """K Gaussians in d dimensions: ``weights`` (K,), ``means`` (K, d), ``factors`` (K, d, d).

    ``factors`` are Cholesky factors of the covariances; ``extra`` (d,) are the standard deviations
    of noise added to every draw.
    """

    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray
    extra: np.ndarray

    @classmethod
    def fit(cls, means: np.ndarray, log_variances: np.ndarray, seed: int) -> Self:
        """Return a mixture for the aggregated posterior, the mean over rows of N(mean_i, exp(v_i)).

        The mixture is fitted to the means (n, d) of all rows; the mean posterior variance of
        the rows of a component, by responsibility, is added to its covariance, so that first
        and second moments of the component are those of its rows.
        """
        most = int(np.clip(len(means) // ROWS_A_COMPONENT, 1, MAX_COMPONENTS))
        starts = 2 if len(means) < MANY else 1  # many codes leave less to chance, and cost more
        model = _fit(means, most, seed, n_init=starts, max_iter=500, reg_covar=1e-4)[0]
        share = model.predict_proba(means)  # (n, K)
        weights = share.sum(axis=0)
        used = weights > 1e-3
        share, weights = share[:, used], weights[used]
        width = (share.T @ np.exp(log_variances)) / weights[:, None]  # (K, d)
        covariances = model.covariances_[used] + width[:, :, None] * np.eye(means.shape[1])
        factors = np.linalg.cholesky(covariances)
        centres, extra = model.means_[used], np.zeros(means.shape[1])
        return cls(weights / weights.sum(), centres, factors, extra)

    @classmethod
    def from_arrays(cls, arrays: Arrays, d: int) -> Self:
        """Return the mixture in d dimensions whose fields ``arrays`` are; ValueError if unsound."""
        weights = stored(arrays, "weights", "f", (None,))
        if (weights < 0).any() or not 0 < weights.sum() < np.inf:
            raise ValueError("weights of a mixture that are no shares")
        k = len(weights)
        shapes = {"means": (k, d), "factors": (k, d, d), "extra": (d,)}
        parts = {
            name: stored(arrays, name, "f", shape, most=SINGLE) for name, shape in shapes.items()
        }
        return cls(weights, **parts)

    @classmethod
    def of_paper(cls, means: np.ndarray, log_variances: np.ndarray, seed: int) -> Self:
        """Return the mixture of the authors of arXiv 2407.03080: d components, one width.

        Its draws have noise of variance exp(mean log-variance) added, the same for all rows. If
        no try converges the last one is kept (their code returns nothing then).
        """
        most = min(means.shape[1], len(means))
        for attempt in range(TRIES):
            model, converged = _fit(
                means, most, seed + attempt, n_init=10, max_iter=5000, reg_covar=1e-5
            )
            if converged:
                break
        factors = np.linalg.cholesky(model.covariances_)
        extra = np.exp(log_variances.mean(axis=0) / 2)
        return cls(model.weights_, model.means_, factors, extra)

    def sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return random codes (n, d), components mixed."""
        k = rng.choice(len(self.weights), size=n, p=self.weights / self.weights.sum())
        noise = rng.standard_normal((n, self.means.shape[1]))
        inner = np.einsum("nij,nj->ni", self.factors[k], noise)
        return np.asarray(self.means[k] + inner + self.extra * rng.standard_normal(inner.shape))

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """Return the log-density of codes: (n, d) -> (n,)."""
        inner = self.factors @ self.factors.transpose(0, 2, 1)
        factors = np.linalg.cholesky(inner + self.extra**2 * np.eye(z.shape[1]))
        log_det = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)  # (K,)
        difference = z[None] - self.means[:, None]  # (K, n, d)
        white = np.linalg.solve(factors, difference.transpose(0, 2, 1))  # (K, d, n)
        constant = log_det + z.shape[1] / 2 * math.log(2 * math.pi)
        log_p = -np.square(white).sum(axis=1) / 2 - constant[:, None]
        shares = self.weights / self.weights.sum()
        return np.asarray(logsumexp(log_p, axis=0, b=shares[:, None]))


def _fit(
    means: np.ndarray, most: int, seed: int, *, n_init: int, max_iter: int, reg_covar: float
) -> tuple[BayesianGaussianMixture, bool]:
    model = BayesianGaussianMixture(
        n_components=most,
        covariance_type="full",
        n_init=n_init,
        max_iter=max_iter,
        reg_covar=reg_covar,
        random_state=seed % 2**31,
    )
    with warnings.catch_warnings():
        # callers get converged_; fewer distinct codes than components do no harm
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(means)
    return model, bool(model.converged_)
