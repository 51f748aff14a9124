"""Model the objective of a family by a Gaussian process, and compute expected improvement.

Notation: n trials of a family, d dimensions, f the objective without noise, y_i the mean of the
draws of trial i, v_i its variance.

    y_i = f(x_i) + e_i,   var e_i = v_i + w,   f ~ GP(0, c Matern_5/2 with a length a feature)
    EI = E max(N(mu, sigma^2) - best, 0) = sigma h(z),   h(z) = phi(z) + z Phi(z),
    z = (mu - best) / sigma

w is the noise that the draws of a trial share (the split of the rows, for example). Because values
are noisy, the posterior mean counts: best is its largest value at the trials, not the largest
observed value, and sigma is how far the mean at x will move when x is tried,
s^2 / sqrt(s^2 + v + w), where s is the posterior's spread. Without noise this is s; with noise, a
trial close to the best one shows little, and EI turns elsewhere sooner. Candidates are compared by
log EI, which is finite and still falls where EI underflows to 0, as it does from z = -39 on. A
running trial counts as if it had given its posterior mean, so that parallel workers do not
propose the same settings.

References: Jones, Schonlau, Welch 1998 (doi:10.1023/A:1008306431147), EI; Ament, Daulton,
Eriksson, Balandat, Bakshy 2023 (arXiv 2310.20708), log EI; Ginsbourger, Le Riche,
Carraro 2010 (doi:10.1007/978-3-642-10701-6_6), running trials; Picheny, Wagner, Ginsbourger 2013
(doi:10.1007/s00158-013-0919-4), EI under noise; Hvarfner, Hellsten, Nardi 2024 (arXiv 2402.02229),
lengths that grow with sqrt(d); Smyth 2004 (doi:10.2202/1544-6115.1027), variances of few draws.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import erfcx, ndtr
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

from tabseed.space import Space

DRAWS_PRIOR = 4  # degrees of freedom with which the pooled variance enters that of a trial
FENCE = 3.0  # values more interquartile ranges below the first quartile are moved up to this
FAR = -1e4  # at and below this z, h(z) is phi(z) / z^2
JITTER = 1e-8  # the smallest noise variance, in units of the variance of the values


@dataclass(frozen=True)
class Observed:
    """Trials of one family: points (n, d), mean of the draws (n,), variance of that mean (n,)."""

    points: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray, draws: Sequence[Sequence[float]]) -> Observed:
        """Summarise points (n, d) and their draws; a trial without draws failed, the worst value.

        A trial's variance shrinks towards that of all trials' draws, as if the latter had
        DRAWS_PRIOR degrees of freedom; it is 0 if no trial has two draws. Values far below the
        others are moved up to FENCE, so that one diverged trial does not flatten the rest.
        """
        count = np.array([len(d) for d in draws])
        mean = np.array([np.mean(d) if len(d) else np.nan for d in draws])
        mean = np.where(np.isnan(mean), np.nanmin(mean), mean)
        low, high = np.quantile(mean, [0.25, 0.75])
        mean = np.maximum(mean, low - FENCE * (high - low))
        squares = np.array(
            [np.sum(np.square(np.subtract(d, np.mean(d)))) if len(d) else 0.0 for d in draws]
        )
        degrees = np.maximum(count - 1, 0)
        pooled = squares.sum() / max(degrees.sum(), 1)
        variance = (DRAWS_PRIOR * pooled + squares) / (DRAWS_PRIOR + degrees)
        return cls(points, mean, variance / np.maximum(count, 1))


def log_expected_improvement(mean: np.ndarray, sd: np.ndarray, best: float) -> np.ndarray:
    """Return log E max(f - best, 0) for f ~ N(mean, sd^2), (m,): log sd + log h((mean-best) / sd).

    If sd is 0, it is log max(mean - best, 0), which may be -inf.
    """
    gain = mean - best
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        z = gain / sd
        certain = ~np.isfinite(z)  # sd is 0, or so small that z overflows
        logs = np.log(sd) + log_h(np.where(certain, 0.0, z))
        return np.asarray(np.where(certain, np.log(np.maximum(gain, 0.0)), logs))


def log_h(z: np.ndarray) -> np.ndarray:
    """Return log(phi(z) + z Phi(z)) of finite z, (m,): equation (9) of arXiv 2310.20708.

    With c = log(2 pi) / 2 and d = log(pi / 2) / 2:

        log h(z) = log(phi(z) + z Phi(z))                                  -1 < z
                 = -z^2/2 - c + log(1 - exp(d + log(|z| erfcx(-z / sqrt 2))))  FAR < z <= -1
                 = -z^2/2 - c - 2 log|z|                                        z <= FAR

    The equation has FAR = -1/sqrt(eps). At -1e4 both neighbouring branches err by 3e-8, less than
    the rounding of z^2/2: the middle one loses z^2 eps to cancellation, the far one omits 3/z^2.
    """
    near, middle = np.maximum(z, -1.0), -np.clip(z, FAR, -1.0)
    normal = -0.5 * z**2 - 0.5 * math.log(2 * math.pi)
    above = np.log(np.exp(-0.5 * near**2) / math.sqrt(2 * math.pi) + near * ndtr(near))
    # 1 - exp(x) for x < 0; expm1 keeps the digits if x is near 0
    below = np.log(-np.expm1(0.5 * math.log(math.pi / 2) + np.log(middle * erfcx(middle / 2**0.5))))
    far = -2 * np.log(np.maximum(-z, 1.0))
    return np.asarray(np.select([z > -1, z > FAR], [above, normal + below], normal + far))


class Surrogate:
    """The posterior of f given n trials: O(n^3), some tenths of a second for a few hundred.

    Hyperparameters are the most probable ones under wide log-normal priors: lengths about
    sqrt(d) / 2, w about e^-4 times the variance of the values.
    """

    def __init__(self, space: Space, seen: Observed) -> None:
        self.space, self.seen = space, seen
        self.centre = float(seen.mean.mean())
        self.unit = float(seen.mean.std()) or 1.0
        x = space.features(seen.points)
        lengths = np.full(x.shape[1], 0.5 * math.sqrt(len(space)))
        kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(lengths, (0.02, 50.0), nu=2.5)
        kernel += WhiteKernel(math.exp(-4), (1e-6, 2.0))
        spread = np.array(
            [1.0, *[1.0] * len(lengths), 2.0]
        )  # standard deviations of the priors, in logarithms
        self.process = GaussianProcessRegressor(
            kernel, alpha=self._noise(seen), optimizer=_most_probable(kernel.theta, spread)
        )
        _fit(self.process, x, self._scaled(seen.mean))

    def _noise(self, seen: Observed) -> np.ndarray:
        return seen.variance / self.unit**2 + JITTER

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        return (values - self.centre) / self.unit

    @property
    def _shared_noise(self) -> float:
        """w, in units of the variance of the values."""
        return float(self.process.kernel_.k2.noise_level)

    def posterior(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and standard deviation of f at points (m, d)."""
        mean, sd = self.process.predict(self.space.features(points), return_std=True)
        sd = np.sqrt(np.maximum(sd**2 - self._shared_noise, 0.0))  # predict includes it
        return self.centre + self.unit * mean, self.unit * sd

    def given(self, running: np.ndarray) -> Surrogate:
        """Return the posterior as if trials at points (r, d) had given their expected values."""
        if not len(running):
            return self
        updated = object.__new__(Surrogate)
        updated.space, updated.centre, updated.unit = self.space, self.centre, self.unit
        seen, expected = self.seen, self.posterior(running)[0]
        updated.seen = Observed(
            np.concatenate([seen.points, running]),
            np.concatenate([seen.mean, expected]),
            np.concatenate([seen.variance, np.full(len(running), seen.variance.mean())]),
        )
        updated.process = GaussianProcessRegressor(
            self.process.kernel_, alpha=self._noise(updated.seen), optimizer=None
        )
        points = self.space.features(updated.seen.points)
        _fit(updated.process, points, self._scaled(updated.seen.mean))
        return updated

    def log_improvement(self, points: np.ndarray) -> np.ndarray:
        """Return log EI of trying points (m, d), over the best trial."""
        best = self.posterior(self.seen.points)[0].max()
        mean, sd = self.posterior(points)
        noise = self.seen.variance.mean() + self.unit**2 * (self._shared_noise + JITTER)
        return log_expected_improvement(mean, sd**2 / np.sqrt(sd**2 + noise), best)


def greedy_mean(space: Space, seen: Observed, points: np.ndarray) -> np.ndarray:
    """Return the mean (m,) of BTB's GPTuner, which has no noise term and meets every value."""
    process = GaussianProcessRegressor(RBF(0.1), normalize_y=True, alpha=1e-10)
    _fit(process, space.features(seen.points), seen.mean)
    return np.asarray(process.predict(space.features(points)))


def _fit(process: Any, x: np.ndarray, y: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # a length at its bound: as good as flat
        process.fit(x, y)


def _most_probable(centre: np.ndarray, spread: np.ndarray) -> Callable[..., tuple[Any, float]]:
    """Return an optimiser of log likelihood plus normal log priors of theta, from two starts."""

    def optimise(
        negative_log_likelihood: Callable[[np.ndarray], tuple[float, np.ndarray]],
        theta: np.ndarray,
        bounds: np.ndarray,
    ) -> tuple[np.ndarray, float]:
        def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
            value, gradient = negative_log_likelihood(theta)
            z = (theta - centre) / spread
            return float(value + 0.5 * z @ z), gradient + z / spread

        shorter = theta.copy()
        shorter[1:-1] -= math.log(4)
        results = [
            minimize(loss, np.clip(start, *bounds.T), jac=True, bounds=bounds, method="L-BFGS-B")
            for start in (theta, shorter)
        ]
        best = min(results, key=lambda result: float(result.fun))
        return best.x, float(best.fun)

    return optimise
