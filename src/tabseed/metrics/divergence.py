"""How far synthetic rows are from real ones: KL and Jensen-Shannon divergence by discriminators.

Notation: p real rows (n of them), q synthetic rows (m); r(x) = log p(x)/q(x) as a calibrated
discriminator sees it on equal priors, D = 1/(1 + exp(-r)) its probability of "real". Then
KL(p||q) = E_p[r] in nats and JS = 1 + (E_p[log2 D] + E_q[log2(1 - D)])/2 in bits, in [0, 1]
(arXiv 2405.07822). Any discriminator gives a lower bound of the true JS; a poor one a lower one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, ClassVar

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from scipy.optimize import brentq, minimize
from scipy.special import expit, log_expit
from scipy.stats import t as student
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neural_network import MLPClassifier

from tabseed._random import child, int_seed, one_thread
from tabseed.metrics.base import Better, Estimate, Features, JudgeEncoder, Metric
from tabseed.table import Table

DISCRIMINATORS = ("trees", "mlp")
CALIBRATION_SHARE = 0.25  # of the training rows: early stopping and calibration, no fitting
MAX_CALIBRATION = 1_500  # rows a class: beyond it they serve better in fitting
SHRINK = 2.0  # likelihood ratio below which a slope counts as noise (as in AIC, 1 parameter)
FIT_SECONDS, ROW_SECONDS = 0.03, 1e-5  # rough cost of one fit
WORKER_SECONDS = 3.0  # work below which starting workers costs more than it gains
POWER_Z = 0.8416  # 80 % quantile of the normal law
LEARNING = 2.0  # divergence needed by who must learn the law, over that of who knows it: measured
MANY_ROWS = 2_000  # to fit: from here on trees are freer, networks learn slowly, two of them
MAX_EPOCHS, PATIENCE = 60, 5  # of the network; an epoch without gain uses up patience
MAIN, PERMUTED, CAP = 0, 1, 2  # random streams below a metric's own


@dataclass(frozen=True)
class Plan:
    """How much computing a table of this size gets."""

    folds: int
    repeats: int
    permutations: int


def plan(n_smaller: int) -> Plan:
    """Choose folds, repeats and label permutations by the rows of the smaller table.

    Few rows need training rows and many refits; with many rows only time is scarce.
    """
    for limit, chosen in ((300, Plan(5, 3, 12)), (1500, Plan(5, 3, 8)), (4000, Plan(4, 2, 6))):
        if n_smaller < limit:
            return chosen
    return Plan(folds=3, repeats=3, permutations=4)


@dataclass(frozen=True)
class DivergenceResult:
    """Estimates by view, discriminator and divergence, and what could not have been seen.

    ``estimates[view][discriminator][divergence]`` with views "plain" and "coarse" (numbers only
    by their bin among the real rows' 20-quantiles, so that exact grain plays no part),
    discriminators "trees" and "mlp", divergences "js" (bits) and "kl" (nats).
    ``smallest_js``: see :meth:`DiscriminatorDivergence.evaluate`; None without permutations.
    """

    estimates: dict[str, dict[str, dict[str, Estimate]]]
    smallest_js: float | None
    null_js: tuple[float, ...]
    n_real: int
    n_synthetic: int
    plan: Plan

    def by(self, view: str = "plain") -> str:
        """Name the discriminator whose JS is larger."""
        found = self.estimates[view]
        return max(found, key=lambda name: found[name]["js"].value)

    @property
    def js(self) -> Estimate:
        """The larger of the two Jensen-Shannon divergences: both are lower bounds."""
        return self.estimates["plain"][self.by("plain")]["js"]

    @property
    def js_coarse(self) -> Estimate:
        """As :attr:`js`, with numbers seen by their bin only."""
        return self.estimates["coarse"][self.by("coarse")]["js"]

    @property
    def kl(self) -> Estimate:
        """KL(real||synthetic) by the discriminator that :attr:`js` quotes."""
        return self.estimates["plain"][self.by("plain")]["kl"]

    headline = js

    def to_dict(self) -> dict[str, Any]:
        """Give everything, JSON-ready."""
        return {
            "headline": self.js.to_dict(),
            "discriminator": self.by("plain"),
            "coarse": self.js_coarse.to_dict() if "coarse" in self.estimates else None,
            "estimates": {
                view: {
                    name: {key: e.to_dict() for key, e in values.items()}
                    for name, values in found.items()
                }
                for view, found in self.estimates.items()
            },
            "smallest_js": self.smallest_js,
            "null_js": list(self.null_js),
            "n_real": self.n_real,
            "n_synthetic": self.n_synthetic,
            "folds": self.plan.folds,
            "repeats": self.plan.repeats,
            "permutations": self.plan.permutations,
        }


class DiscriminatorDivergence(Metric):
    """KL(real||synthetic) in nats and JS in bits, estimated by trees and by a network.

    Cross-fitted: each row is scored by a discriminator that saw neither it nor, with it, its
    calibration rows. Every training part gives a quarter to early stopping and calibration: a
    logistic slope >= 0 and intercept on the logit, fitted with weights that give both classes
    prior 1/2. The slope is shrunk by (1 - (2/LR)^2)+, LR its likelihood ratio against no slope: a
    discriminator that finds nothing says D = 1/2 and costs nothing, instead of adding noise
    that would put the estimate below 0.

    Interval: value -+ t sqrt(V + B + F). V is the variance over rows, (s_p^2/n + s_q^2/m)/4 for
    JS (s_p^2/n for KL), each row's contribution averaged over repeats first; B the variance of
    the repeats' estimates (other folds, other seeds) over their number; F the noise that a
    single fitted parameter would leave, (1/n + 1/m)/8 nats for JS and four times that for KL,
    below which no difference is resolved. t has Welch and Satterthwaite's degrees of freedom.

    ``folds`` (2 and more), ``repeats`` and ``permutations`` follow :func:`plan` unless given.
    Rows beyond ``max_rows`` real and min(max(10 n, 1000), ``max_rows``) synthetic are dropped
    at random. Cost: folds x repeats fits for each discriminator and view, plus folds a
    permutation; about 5 s for 100 against 1,000 rows, a minute for 10,000 against 10,000.

    References: arXiv 2405.07822 (estimator); Platt 1999 (calibration).
    """

    unit: ClassVar[str] = "bits"
    better: ClassVar[Better] = "lower"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2405.07822",)
    min_rows: ClassVar[int] = 10

    def __init__(
        self,
        *,
        views: tuple[str, ...] = ("plain", "coarse"),
        folds: int | None = None,
        repeats: int | None = None,
        permutations: int | None = None,
        max_rows: int = 10_000,
        n_jobs: int | None = None,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> None:
        self.views = views
        self.folds = folds
        self.repeats = repeats
        self.permutations = permutations
        self.max_rows = max_rows
        self.n_jobs = n_jobs
        self.progress = progress

    def _evaluate(
        self, real: Table, synthetic: Table, stream: np.random.SeedSequence
    ) -> DivergenceResult:
        real_rows, synthetic_rows = judged_rows(len(real), len(synthetic), self.max_rows, stream)
        real, synthetic = real.take(real_rows), synthetic.take(synthetic_rows)
        n, m = len(real), len(synthetic)
        asked = {key: getattr(self, key) for key in ("folds", "repeats", "permutations")}
        chosen = replace(plan(min(n, m)), **{k: v for k, v in asked.items() if v is not None})
        features = {
            view: JudgeEncoder(coarse=view == "coarse").encode(real, synthetic)
            for view in self.views
        }
        is_real = np.arange(n + m) < n
        runs = [
            Run(view, is_real, child(stream, MAIN, repeat), chosen.folds)
            for view in self.views
            for repeat in range(chosen.repeats)
        ]
        for place in range(chosen.permutations):
            seeds = child(stream, PERMUTED, place)
            shuffled = np.random.default_rng(seeds).permutation(is_real)
            runs.append(Run(self.views[0], shuffled, seeds, chosen.folds))
        logits = [{name: np.zeros(n + m) for name in DISCRIMINATORS} for _ in runs]
        for place, name, fold in cross_fit(
            features, runs, n_jobs=self.n_jobs, progress=self.progress
        ):
            logits[place][name][fold.scored] = fold.ratio
        n_main = len(runs) - chosen.permutations
        estimates = {
            view: _view_estimates([logits[i] for i in range(n_main) if runs[i].view == view], n)
            for view in self.views
        }
        null_js = tuple(
            max(_js(found[name], run.is_real) for name in DISCRIMINATORS)
            for found, run in zip(logits[n_main:], runs[n_main:], strict=True)
        )
        smallest = smallest_js(np.array(null_js), n, m) if len(null_js) > 1 else None
        return DivergenceResult(estimates, smallest, null_js, n, m, chosen)


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


# --- one fold -----------------------------------------------------------------------------------


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
    features: dict[str, Features],
    runs: list[Run],
    discriminators: tuple[str, ...] = DISCRIMINATORS,
    *,
    n_jobs: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
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


def _fold_ratios(features: Features, run: Run, discriminator: str, fold: int) -> FoldRatios:
    fit, held, scored = run.parts(fold)
    seed = int_seed(child(run.stream, 1, DISCRIMINATORS.index(discriminator), fold))
    learn = _tree_scores if discriminator == "trees" else _mlp_scores
    with one_thread():
        at_held, at_scored = learn(features, run.is_real, (fit, held, scored), seed)
        calibration = Calibration.fit(at_held, run.is_real[held])
        return FoldRatios(held, calibration.apply(at_held), scored, calibration.apply(at_scored))


def _weights(is_real: np.ndarray) -> np.ndarray:
    """Weigh rows so that both classes count the same; mean 1."""
    return np.where(is_real, 0.5 / is_real.mean(), 0.5 / (1 - is_real.mean()))


def _tree_scores(
    features: Features, is_real: np.ndarray, parts: tuple[np.ndarray, ...], seed: int
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
    features: Features, is_real: np.ndarray, parts: tuple[np.ndarray, ...], seed: int
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
    return (x @ model.coefs_[-1] + model.intercepts_[-1]).ravel()


# --- calibration --------------------------------------------------------------------------------


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
        return self.slope * np.clip(scores, self.low, self.high) + self.intercept


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


# --- estimates ----------------------------------------------------------------------------------


def _js_rows(r: np.ndarray, is_real: np.ndarray) -> np.ndarray:
    """Give each row's contribution 1 + log2 of the probability of its own class, in bits."""
    return 1 + log_expit(np.where(is_real, r, -r)) / math.log(2)


def _js(r: np.ndarray, is_real: np.ndarray) -> float:
    rows = _js_rows(r, is_real)
    return float((rows[is_real].mean() + rows[~is_real].mean()) / 2)


def _estimates(r: np.ndarray, n: int) -> dict[str, Estimate]:
    """Turn log ratios (repeats, rows), the first n rows real, into both divergences."""
    m = r.shape[1] - n
    is_real = np.arange(n + m) < n
    rows = _js_rows(r, is_real)
    noise = (1 / n + 1 / m) / 8  # E[JS] in nats of one parameter fitted to nothing
    js = interval([rows[:, :n] / 2, rows[:, n:] / 2], noise / math.log(2), "bits")
    kl = interval([r[:, :n]], 4 * noise, "nats")
    return {"js": js, "kl": kl}


def _view_estimates(repeats: list[dict[str, np.ndarray]], n: int) -> dict[str, dict[str, Estimate]]:
    return {name: _estimates(np.stack([r[name] for r in repeats]), n) for name in DISCRIMINATORS}


def interval(parts: list[np.ndarray], floor: float, unit: str) -> Estimate:
    """Add the means of independent samples (repeats, rows): value and 95 % interval."""
    repeats = sum(part.mean(axis=1) for part in parts)
    value = float(np.mean(repeats))
    pieces = [(part.mean(axis=0).var(ddof=1) / part.shape[1], part.shape[1] - 1) for part in parts]
    if len(repeats) > 1:
        pieces.append((float(np.var(repeats, ddof=1)) / len(repeats), len(repeats) - 1))
    total = sum(v for v, _ in pieces) + floor**2
    freedom = total**2 / max(sum(v**2 / df for v, df in pieces), 1e-300)
    half = float(student.ppf(0.975, min(freedom, 1e6))) * math.sqrt(total)
    return Estimate(value, value - half, value + half, unit, "lower")


def smallest_js(null_js: np.ndarray, n: int, m: int) -> float:
    """Give the true JS in bits that such a comparison would tell from 0 four times in five.

    The larger of two demands. (1) The interval must exclude 0. A discriminator that knew the
    law would need J = (1.96 + 0.84) SE, SE^2 = J (1/n + 1/m)/(2 ln 2) for a small J; one that
    has to learn it from the same rows needs about twice that: at twice, shifted Gaussians in 1
    and 5 dimensions were told from 0 in 80 to 97 % of 40 draws each, at 60 against 600, 150
    against 150 and 1,000 against 1,000 rows (benchmarks/divergence_oracle.py). (2) The estimate
    must exceed what shuffled labels give, u = mean + t sd sqrt(1 + 1/P) (95 % prediction bound
    of one more of P values), with 0.84 SE to spare. A structure that is harder to learn than a
    shift, such as a torn dependency between many categories, needs more. At most 1.
    """
    size = len(null_js)
    spread = float(student.ppf(0.95, size - 1)) * float(null_js.std(ddof=1))
    bound = max(0.0, float(null_js.mean()) + spread * math.sqrt(1 + 1 / size))
    per_js = (1 / n + 1 / m) / (2 * math.log(2))
    excludes = LEARNING * (1.96 + POWER_Z) ** 2 * per_js
    root = (POWER_Z * math.sqrt(per_js) + math.sqrt(POWER_Z**2 * per_js + 4 * bound)) / 2
    return float(min(1.0, max(excludes, root**2)))
