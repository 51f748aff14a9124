"""Discriminators: log density ratios of real to synthetic rows, cross-fitted and calibrated."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from scipy.optimize import brentq, minimize
from scipy.special import expit, log_expit
from sklearn.ensemble import HistGradientBoostingClassifier

from tabseed._progress import Progress
from tabseed._random import at_most, child, int_seed, one_thread
from tabseed.metrics.judge_encoder import JudgeInputs
from tabseed.metrics.judge_network import JudgeNetwork

DISCRIMINATORS = ("trees", "mlp")
CALIBRATION_SHARE = 0.25  # of the training rows: early stopping and calibration, no fitting
MAX_CALIBRATION = 1_500  # rows per class: more of them are of better use in fitting
SHRINK = 2.0  # a slope of smaller likelihood ratio counts as noise (as in AIC, 1 parameter)
FIT_SECONDS, ROW_SECONDS = 0.03, 1e-5  # rough cost of one fit
WORKER_SECONDS = 3.0  # for less work starting workers costs more than it gains
MANY_ROWS = 2_000  # to fit: from here on trees are freer, and two networks learn slowly
MAX_EPOCHS, PATIENCE = 60, 5  # of the network; so many epochs without gain end the training
BINS = 255  # of numbers, as many as the trees take at most
CAP = 2  # random stream below the metric's own


def judged_rows(
    n: int, m: int, max_rows: int, stream: np.random.SeedSequence
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of n real and m synthetic ones that discriminators see, in their order.

    At most ``max_rows`` real rows; of the synthetic rows ten times as many, but at least 1,000 and
    at most ``max_rows``. More would cost time, while the few real rows limit the precision.
    """
    real = at_most(n, max_rows, child(stream, CAP, 0))
    most = min(max(10 * len(real), 1_000), max_rows)
    return real, at_most(m, most, child(stream, CAP, 1))


@dataclass(frozen=True)
class Run:
    """One cross-fitting: a view, the labels, and the random stream for folds and fits."""

    view: str
    is_real: np.ndarray
    stream: np.random.SeedSequence
    folds: int

    def parts(self, fold: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the rows to fit, to calibrate and to score; stratified, different in each run."""
        rng = np.random.default_rng(child(self.stream, 0))
        # not by folds.deal: the order of the rows on a side matters too, because it decides which
        # rows calibrate
        fit, calibration, scored = [], [], []
        for side in (False, True):
            rows = rng.permutation(np.flatnonzero(self.is_real == side))
            in_fold = np.arange(len(rows)) % self.folds == fold
            scored.append(rows[in_fold])
            # the rest starts elsewhere in each fold, so that the calibration rows differ too
            rest = np.roll(rows[~in_fold], fold * len(rows) // self.folds)
            cut = max(2, min(round(CALIBRATION_SHARE * len(rest)), MAX_CALIBRATION))
            calibration.append(rest[:cut])
            fit.append(rest[cut:])
        return np.concatenate(fit), np.concatenate(calibration), np.concatenate(scored)


@dataclass(frozen=True)
class FoldRatios:
    """The output of a discriminator in one fold: log ratios of rows that it did not fit.

    ``held`` rows stopped its training and calibrated it; ``scored`` rows played no part.
    """

    held: np.ndarray
    held_ratio: np.ndarray
    scored: np.ndarray
    ratio: np.ndarray


def cross_fit(
    features: dict[str, JudgeInputs],
    runs: list[Run],
    discriminators: tuple[str, ...] = DISCRIMINATORS,
    *,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[int, str, FoldRatios]]:
    """Fit each discriminator in each fold of each run, in this order; yield the run's index too."""
    tasks = [
        (index, name, fold)
        for index, run in enumerate(runs)
        for name in discriminators
        for fold in range(run.folds)
    ]
    seconds = len(tasks) * (FIT_SECONDS + ROW_SECONDS * len(runs[0].is_real)) if runs else 0.0
    n_jobs = 1 if seconds < WORKER_SECONDS else effective_n_jobs(n_jobs)
    work = (delayed(_fold_ratios)(features[runs[i].view], runs[i], d, f) for i, d, f in tasks)
    results = Parallel(n_jobs=n_jobs, return_as="generator")(work)
    for done, ((index, name, _), ratios) in enumerate(zip(tasks, results, strict=True)):
        if progress is not None:
            progress(done + 1, len(tasks), "discriminators")
        yield index, name, ratios


def _fold_ratios(features: JudgeInputs, run: Run, discriminator: str, fold: int) -> FoldRatios:
    parts = run.parts(fold)
    _, held_out, scored = parts
    seed = int_seed(child(run.stream, 1, DISCRIMINATORS.index(discriminator), fold))
    fit_and_score = _tree_scores if discriminator == "trees" else _mlp_scores
    with one_thread():
        held_scores, scores = fit_and_score(features, run.is_real, parts, seed)
        calibration = Calibration.fit(held_scores, run.is_real[held_out])
        return FoldRatios(
            held_out, calibration.apply(held_scores), scored, calibration.apply(scores)
        )


def _weights(is_real: np.ndarray) -> np.ndarray:
    """Return weights of rows by which both classes count the same; their mean is 1."""
    return np.asarray(np.where(is_real, 0.5 / is_real.mean(), 0.5 / (1 - is_real.mean())))


def binned(x: np.ndarray, fit: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return x (n, d) with numbers of many values as places among BINS bins of equal weight.

    ``weights`` are those of the rows ``fit``, by which bins are cut; NaN stays. The bins are those
    that scikit-learn's trees would take, whose release 1.9 seeks each cut of each column by itself:
    a fit of 4,000 rows of 30 numbers took 4.2 CPU seconds so, and takes 0.6 with these bins.
    """
    out = x.copy()
    for column in range(x.shape[1]):
        known = np.flatnonzero(~np.isnan(x[fit, column]))
        known = known[np.argsort(x[fit[known], column], kind="stable")]
        values = x[fit[known], column]
        if np.count_nonzero(np.diff(values)) < BINS:
            continue
        mass = np.cumsum(weights[known])
        ends = values[np.searchsorted(mass, np.linspace(0, mass[-1], BINS + 1)[1:-1])]
        cells = x[:, column]
        out[:, column] = np.where(np.isnan(cells), np.nan, np.searchsorted(ends, cells))
    return out


def _tree_scores(
    features: JudgeInputs, is_real: np.ndarray, parts: tuple[np.ndarray, ...], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Boost trees until calibration rows gain no more; return logits of these and scored rows."""
    fit, held_out, scored = parts
    weights = _weights(is_real[fit])
    x = binned(features.trees, fit, weights)
    large = len(fit) >= MANY_ROWS  # then freer trees, and more of them, see more
    model = HistGradientBoostingClassifier(
        learning_rate=0.1,
        max_iter=1_000 if large else 300,
        max_leaf_nodes=31 if large else 15,
        min_samples_leaf=int(np.clip(len(fit) // 10, 3, 20)),
        l2_regularization=1.0 if large else 10.0,
        categorical_features=features.categorical if features.categorical.any() else None,
        early_stopping=True,
        n_iter_no_change=10,
        random_state=seed,
    )
    model.fit(
        x[fit],
        is_real[fit],
        sample_weight=weights,
        X_val=x[held_out],
        y_val=is_real[held_out],
        sample_weight_val=_weights(is_real[held_out]),
    )
    best = max(int(np.argmax(model.validation_score_)), 1)
    held_scores, scores = (
        next(islice(model.staged_decision_function(x[rows]), best - 1, None))
        for rows in (held_out, scored)
    )
    return held_scores.ravel(), scores.ravel()


def _mlp_scores(
    features: JudgeInputs, is_real: np.ndarray, parts: tuple[np.ndarray, ...], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Train networks while calibration rows gain; return mean logits of these and scored rows."""
    large = len(parts[0]) >= MANY_ROWS
    # strong penalties (divided by the rows of a batch): weak ones fit noise before
    # interactions; with many rows a second, freer network sees what the first smooths away
    logits = [
        _one_mlp(features.mlp, is_real, parts, (alpha, 1e-3 if large else 1e-2, seed + index))
        for index, alpha in enumerate((1.0, 0.3) if large else (1.0,))
    ]
    held_scores, scores = zip(*logits, strict=True)
    return np.mean(held_scores, axis=0), np.mean(scores, axis=0)


def _one_mlp(
    x: np.ndarray,
    is_real: np.ndarray,
    parts: tuple[np.ndarray, ...],
    training: tuple[float, float, int],
) -> tuple[np.ndarray, np.ndarray]:
    fit, held_out, scored = parts
    alpha, rate, seed = training
    rng = np.random.default_rng(seed)
    network = JudgeNetwork(x.shape[1], alpha, rate, rng)
    x, y, weights = (v.astype(np.float32) for v in (x, is_real[fit], _weights(is_real[fit])))
    rows, held_x, scored_x = x[fit], x[held_out], x[scored]
    held_y, held_weights = is_real[held_out], _weights(is_real[held_out])
    batch = min(len(fit), int(np.clip(len(fit) // 30, 32, 128)))
    best, best_loss, waited = (np.zeros(len(held_out)), np.zeros(len(scored))), math.inf, 0
    for _ in range(MAX_EPOCHS):
        order = rng.permutation(len(fit))
        network.train(rows[order], y[order], weights[order], batch)
        held_scores = network.logit(held_x)
        loss = -np.average(
            log_expit(np.where(held_y, held_scores, -held_scores)), weights=held_weights
        )
        if loss < best_loss - 1e-4:
            best, best_loss, waited = (held_scores, network.logit(scored_x)), loss, 0
        else:
            waited += 1
            if waited >= PATIENCE:
                break
    return best


@dataclass(frozen=True)
class Calibration:
    """r = slope * score + intercept, with scores clipped to the range seen in calibration."""

    slope: float
    intercept: float
    low: float
    high: float

    @classmethod
    def fit(cls, scores: np.ndarray, is_real: np.ndarray) -> Calibration:
        """Fit by weighted logistic likelihood, both classes at prior 1/2.

        Weights add up to W = 4/(1/n + 1/m), so that twice the gain in log likelihood over slope 0
        is chi-square with one degree of freedom if the scores carry no information. Targets are
        Platt's (k + 1)/(k + 2) for a class of k rows, so that separable rows keep a finite slope.
        """
        low, high = float(scores.min()), float(scores.max())
        n, m = int(is_real.sum()), int((~is_real).sum())
        centre, scale = float(scores.mean()), float(scores.std())
        if scale < 1e-12:
            return cls(0.0, 0.0, low, high)
        s = (scores - centre) / scale
        total = 4 / (1 / n + 1 / m)
        weights = np.where(is_real, total / (2 * n), total / (2 * m))
        target = np.where(is_real, (n + 1) / (n + 2), 1 / (m + 2))
        slope, loss = _logistic(s, target, weights)
        ratio = 2 * (_logistic(s, target, weights, slope=0.0)[1] - loss)
        slope *= max(0.0, 1 - (SHRINK / ratio) ** 2) if ratio > 0 else 0.0
        intercept = _balance(s, weights, target, slope)
        return cls(slope / scale, intercept - slope * centre / scale, low, high)

    def apply(self, scores: np.ndarray) -> np.ndarray:
        """Return the log ratio r of rows from their scores."""
        return np.asarray(self.slope * np.clip(scores, self.low, self.high) + self.intercept)


def _logistic(
    s: np.ndarray, target: np.ndarray, weights: np.ndarray, slope: float | None = None
) -> tuple[float, float]:
    """Return the best slope >= 0 (or the one passed) and the weighted loss in nats there."""
    total = weights.sum()

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        z = theta[0] * s + theta[1]
        value = -(weights * (target * log_expit(z) + (1 - target) * log_expit(-z))).sum()
        residual = weights * (expit(z) - target)
        return value / total, np.array([(residual * s).sum(), residual.sum()]) / total

    bounds = [(0.0, None) if slope is None else (slope, slope), (None, None)]
    optimum = minimize(
        loss,
        np.array([0.0 if slope is None else slope, 0.0]),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-12, "gtol": 1e-8},
    )
    return float(optimum.x[0]), float(optimum.fun * total)


def _balance(s: np.ndarray, weights: np.ndarray, target: np.ndarray, slope: float) -> float:
    """Return the intercept at which a fixed slope predicts the weighted mean of the targets."""
    if slope == 0:
        return 0.0
    reach = slope * float(np.abs(s).max()) + 20
    return float(brentq(lambda b: (weights * (expit(slope * s + b) - target)).sum(), -reach, reach))
