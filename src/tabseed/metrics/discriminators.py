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
from sklearn.neural_network import MLPClassifier

from tabseed._progress import Progress
from tabseed._random import child, int_seed, one_thread
from tabseed.metrics.judge_encoder import JudgeInputs

DISCRIMINATORS = ("trees", "mlp")
CALIBRATION_SHARE = 0.25  # of the training rows: early stopping and calibration, no fitting
MAX_CALIBRATION = 1_500  # rows a class: beyond it they serve better in fitting
SHRINK = 2.0  # likelihood ratio below which a slope counts as noise (as in AIC, 1 parameter)
FIT_SECONDS, ROW_SECONDS = 0.03, 1e-5  # rough cost of one fit
WORKER_SECONDS = 3.0  # work below which starting workers costs more than it gains
MANY_ROWS = 2_000  # to fit: from here on trees are freer, networks learn slowly, two of them
MAX_EPOCHS, PATIENCE = 60, 5  # of the network; an epoch without gain uses up patience
CAP = 2  # stream below a metric's own


def judged_rows(
    n: int, m: int, max_rows: int, stream: np.random.SeedSequence
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the rows that discriminators see of n real and m synthetic ones, in their order.

    At most ``max_rows`` real ones, and of synthetic ones ten times as many, between 1,000 and
    ``max_rows``: more would cost time and resolve nothing that the few real rows do not blur.
    """
    real = _at_most(n, max_rows, child(stream, CAP, 0))
    most = min(max(10 * len(real), 1_000), max_rows)
    return real, _at_most(m, most, child(stream, CAP, 1))


def _at_most(n: int, most: int, stream: np.random.SeedSequence) -> np.ndarray:
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(stream).permutation(n)[:most])


@dataclass(frozen=True)
class Run:
    """One cross-fitting: a view, who counts as real, and the stream for folds and fits."""

    view: str
    is_real: np.ndarray
    stream: np.random.SeedSequence
    folds: int

    def parts(self, fold: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give the rows to fit, to calibrate and to score; stratified, other in each run."""
        rng = np.random.default_rng(child(self.stream, 0))
        # not by folds.deal: the order of a side's rows matters too, since calibration rows are a
        # part of it
        fit, calibrate, score = [], [], []
        for side in (False, True):
            rows = rng.permutation(np.flatnonzero(self.is_real == side))
            mine = np.arange(len(rows)) % self.folds == fold
            score.append(rows[mine])
            # the rest begins elsewhere for each fold, so that calibration rows differ too
            rest = np.roll(rows[~mine], fold * len(rows) // self.folds)
            cut = max(2, min(round(CALIBRATION_SHARE * len(rest)), MAX_CALIBRATION))
            calibrate.append(rest[:cut])
            fit.append(rest[cut:])
        return np.concatenate(fit), np.concatenate(calibrate), np.concatenate(score)


@dataclass(frozen=True)
class FoldRatios:
    """What a discriminator says in one fold: log ratios of rows that it did not fit.

    ``held`` rows chose its length and calibrated it; ``scored`` rows played no part at all.
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
    """Fit each discriminator in each fold of each run, in this order; give the run's place too."""
    tasks = [
        (place, name, fold)
        for place, run in enumerate(runs)
        for name in discriminators
        for fold in range(run.folds)
    ]
    seconds = len(tasks) * (FIT_SECONDS + ROW_SECONDS * len(runs[0].is_real)) if runs else 0.0
    n_jobs = 1 if seconds < WORKER_SECONDS else effective_n_jobs(n_jobs)
    work = (delayed(_fold_ratios)(features[runs[p].view], runs[p], d, f) for p, d, f in tasks)
    found = Parallel(n_jobs=n_jobs, return_as="generator")(work)
    for done, ((place, name, _), ratios) in enumerate(zip(tasks, found, strict=True)):
        if progress is not None:
            progress(done + 1, len(tasks), "discriminators")
        yield place, name, ratios


def _fold_ratios(features: JudgeInputs, run: Run, discriminator: str, fold: int) -> FoldRatios:
    fit, held, scored = run.parts(fold)
    seed = int_seed(child(run.stream, 1, DISCRIMINATORS.index(discriminator), fold))
    learn = _tree_scores if discriminator == "trees" else _mlp_scores
    with one_thread():
        at_held, at_scored = learn(features, run.is_real, (fit, held, scored), seed)
        calibration = Calibration.fit(at_held, run.is_real[held])
        return FoldRatios(held, calibration.apply(at_held), scored, calibration.apply(at_scored))


def _weights(is_real: np.ndarray) -> np.ndarray:
    """Weigh rows so that both classes count the same; mean 1."""
    return np.asarray(np.where(is_real, 0.5 / is_real.mean(), 0.5 / (1 - is_real.mean())))


def _tree_scores(
    features: JudgeInputs, is_real: np.ndarray, parts: tuple[np.ndarray, ...], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Boost trees until the calibration rows gain no more; give logits there and on score."""
    fit, calibrate, score = parts
    x = features.trees
    large = len(fit) >= MANY_ROWS  # then freer trees, and more of them, find more
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
        sample_weight=_weights(is_real[fit]),
        X_val=x[calibrate],
        y_val=is_real[calibrate],
        sample_weight_val=_weights(is_real[calibrate]),
    )
    best = max(int(np.argmax(model.validation_score_)), 1)
    held, scores = (
        next(islice(model.staged_decision_function(x[rows]), best - 1, None))
        for rows in (calibrate, score)
    )
    return held.ravel(), scores.ravel()


def _mlp_scores(
    features: JudgeInputs, is_real: np.ndarray, parts: tuple[np.ndarray, ...], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Train networks while the calibration rows gain; give mean logits there and on score."""
    large = len(parts[0]) >= MANY_ROWS
    # strong penalties (scikit-learn divides them by the batch): weak ones fit noise before they
    # find interactions; with many rows a second, freer network sees what the first smooths away
    found = [
        _one_mlp(features.mlp, is_real, parts, (alpha, 1e-3 if large else 1e-2, seed + place))
        for place, alpha in enumerate((1.0, 0.3) if large else (1.0,))
    ]
    held, scores = zip(*found, strict=True)
    return np.mean(held, axis=0), np.mean(scores, axis=0)


def _one_mlp(
    x: np.ndarray,
    is_real: np.ndarray,
    parts: tuple[np.ndarray, ...],
    training: tuple[float, float, int],
) -> tuple[np.ndarray, np.ndarray]:
    fit, calibrate, score = parts
    alpha, rate, seed = training
    model = MLPClassifier(
        hidden_layer_sizes=(64, 32),
        alpha=alpha,
        batch_size=min(len(fit), int(np.clip(len(fit) // 30, 32, 128))),
        learning_rate_init=rate,
        random_state=seed,
    )
    rows, y, weights = x[fit], is_real[fit], _weights(is_real[fit])
    held_y, held_weights = is_real[calibrate], _weights(is_real[calibrate])
    best, best_loss, since = (np.zeros(len(calibrate)), np.zeros(len(score))), math.inf, 0
    for _ in range(MAX_EPOCHS):
        # epoch by epoch, because scikit-learn's own early stopping would take yet more rows away
        model.partial_fit(rows, y, classes=[False, True], sample_weight=weights)
        held = _logit(model, x[calibrate])
        loss = -np.average(log_expit(np.where(held_y, held, -held)), weights=held_weights)
        if loss < best_loss - 1e-4:
            best, best_loss, since = (held, _logit(model, x[score])), loss, 0
        else:
            since += 1
            if since >= PATIENCE:
                break
    return best


def _logit(model: MLPClassifier, x: np.ndarray) -> np.ndarray:
    """Give the network's logit; its own probabilities would round at 0 and 1."""
    for weight, bias in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
        x = np.maximum(x @ weight + bias, 0)
    return np.asarray((x @ model.coefs_[-1] + model.intercepts_[-1]).ravel())


@dataclass(frozen=True)
class Calibration:
    """r = slope * score + intercept, scores first held to the range seen when calibrating."""

    slope: float
    intercept: float
    low: float
    high: float

    @classmethod
    def fit(cls, scores: np.ndarray, is_real: np.ndarray) -> Calibration:
        """Fit by weighted logistic likelihood, both classes at prior 1/2.

        Weights add up to W = 4/(1/n + 1/m): then twice the gain in likelihood over slope 0 is
        chi-square with one degree of freedom if the scores say nothing. Targets are Platt's
        (k + 1)/(k + 2) for a class of k rows, so that separable rows keep a finite slope.
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
        """Give the log ratio r of rows."""
        return np.asarray(self.slope * np.clip(scores, self.low, self.high) + self.intercept)


def _logistic(
    s: np.ndarray, target: np.ndarray, weights: np.ndarray, slope: float | None = None
) -> tuple[float, float]:
    """Give the best slope >= 0 (or keep the one given) and the weighted loss in nats there."""
    total = weights.sum()

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        z = theta[0] * s + theta[1]
        value = -(weights * (target * log_expit(z) + (1 - target) * log_expit(-z))).sum()
        residual = weights * (expit(z) - target)
        return value / total, np.array([(residual * s).sum(), residual.sum()]) / total

    bounds = [(0.0, None) if slope is None else (slope, slope), (None, None)]
    found = minimize(
        loss,
        np.array([0.0 if slope is None else slope, 0.0]),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 1e-12, "gtol": 1e-8},
    )
    return float(found.x[0]), float(found.fun * total)


def _balance(s: np.ndarray, weights: np.ndarray, target: np.ndarray, slope: float) -> float:
    """Give the intercept at which a fixed slope predicts the weighted mean of the targets."""
    if slope == 0:
        return 0.0
    reach = slope * float(np.abs(s).max()) + 20
    return float(brentq(lambda b: (weights * (expit(slope * s + b) - target)).sum(), -reach, reach))
