"""Out-of-fold density ratios of real over synthetic rows, by four methods."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t as student

from tabseed._progress import Progress
from tabseed._random import child, one_thread
from tabseed.errors import SchemaError
from tabseed.estimates.estimate import Estimate
from tabseed.metrics.density_ratio import (
    ULSIF,
    Ratio,
    cell_ratio,
    discrete_chi_square,
    exp_ratio,
    gaussian_chi_square,
    gaussian_ratio,
)
from tabseed.metrics.discriminators import DISCRIMINATORS, Calibration, FoldRatios, Run, cross_fit
from tabseed.metrics.judge_encoder import BINS, JudgeEncoder, JudgeInputs, coarse_codes
from tabseed.metrics.leakage import pooled_codes
from tabseed.table import Table
from tabseed.table.schema import NUMERIC

METHODS = ("classifier", "ulsif", "gaussian", "histogram")
REPEATS = 2  # of the cross-fitting by classifiers, with other folds and seeds
QUICK = DISCRIMINATORS[:1]  # for the permutation null: trees take a fifth of the time of a network
RANKS = 250  # levels that trees see of a number
FIT = 2  # random stream below a run's own; 0 and 1 deal folds and train discriminators

Fit = Callable[[np.ndarray, np.ndarray, np.random.Generator], Ratio]
Formula = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Ratios:
    """One cross-fitting: each row's out-of-fold ratio, and the scale of its fold.

    The scale mean_P h/mean_Q h^2, with h the clipped ratio, comes from rows outside the fold. It is
    the factor of h for which L(h) = 2 E_P h - E_Q h^2 - 1 is largest.
    """

    ratio: np.ndarray
    scale: np.ndarray


class Judge:
    """A source of out-of-fold ratios over the pooled rows, for any labelling of them."""

    repeats = 1

    def judge(
        self, runs: list[Run], n_jobs: int | None, progress: Progress | None
    ) -> tuple[list[Ratios], Ratios]:
        """Return ratios for each run, and those of :meth:`judge_quickly` for the first run."""
        ratios = self.judge_quickly(runs, n_jobs, progress)
        return ratios, ratios[0]

    def judge_quickly(
        self, runs: list[Run], n_jobs: int | None, progress: Progress | None
    ) -> list[Ratios]:
        """Return ratios for each run, at a cost that the permutation null can afford."""
        raise NotImplementedError

    def closed_form(self, is_real: np.ndarray) -> float | None:
        """Return the divergence of all rows by a formula; None if the method has none."""
        return None

    def jackknife(self, run: Run, unit: str) -> Estimate | None:
        """Return :meth:`closed_form` with its spread over folds left out, or None."""
        return None


def judge_of(method: str, real: Table, synthetic: Table, clip: float) -> Judge:
    """Return a judge of both tables by ``method``; SchemaError if it cannot use their columns."""
    if method == "classifier":
        return Classifiers(JudgeEncoder().encode(real, synthetic), clip)
    if method == "histogram":
        return Fitted(
            _cells(real, synthetic), lambda p, q, _: cell_ratio(p, q), clip, _shares_chi_square
        )
    points = _numbers(method, real, synthetic)
    if method == "gaussian":
        return Fitted(points, lambda p, q, _: gaussian_ratio(p, q), clip, _moments_chi_square)
    return Fitted(points, lambda p, q, rng: ULSIF.fit(p, q, rng).ratio, clip)


def _scale(ratio: np.ndarray, is_real: np.ndarray, clip: float) -> float:
    h = np.minimum(ratio, clip)
    square = float((h[~is_real] ** 2).mean())
    return float(h[is_real].mean()) / square if square > 0 else 1.0


# --- classifiers --------------------------------------------------------------------------------


class Classifiers(Judge):
    """The discriminators of the divergence: their calibrated logits, added and recalibrated."""

    repeats = REPEATS

    def __init__(self, features: JudgeInputs, clip: float) -> None:
        columns = zip(features.trees.T, features.categorical, strict=True)
        trees = np.column_stack([x if codes else _ranks(x) for x, codes in columns])
        self.features = {"plain": replace(features, trees=trees)}
        self.clip = clip

    def judge(
        self, runs: list[Run], n_jobs: int | None, progress: Progress | None
    ) -> tuple[list[Ratios], Ratios]:
        """Return ratios by all discriminators, and by the quick one alone for the first run."""
        folds = self._folds(runs, DISCRIMINATORS, n_jobs, progress)
        ratios = [self._joined(own, run.is_real) for own, run in zip(folds, runs, strict=True)]
        return ratios, self._joined({name: folds[0][name] for name in QUICK}, runs[0].is_real)

    def judge_quickly(
        self, runs: list[Run], n_jobs: int | None, progress: Progress | None
    ) -> list[Ratios]:
        """Return ratios by trees alone."""
        folds = self._folds(runs, QUICK, n_jobs, progress)
        return [self._joined(own, run.is_real) for own, run in zip(folds, runs, strict=True)]

    def _folds(
        self, runs: list[Run], names: tuple[str, ...], n_jobs: int | None, progress: Progress | None
    ) -> list[dict[str, list[FoldRatios]]]:
        folds: list[dict[str, list[FoldRatios]]] = [{name: [] for name in names} for _ in runs]
        fitted = cross_fit(self.features, runs, names, n_jobs=n_jobs, progress=progress)
        for index, name, fold in fitted:
            folds[index][name].append(fold)
        return folds

    def _joined(self, folds_of: dict[str, list[FoldRatios]], is_real: np.ndarray) -> Ratios:
        ratio, scale = np.ones(len(is_real)), np.ones(len(is_real))
        for folds in zip(*folds_of.values(), strict=True):
            held_out, scored = folds[0].held, folds[0].scored  # the same for each discriminator
            held_logits = np.sum([f.held_ratio for f in folds], axis=0)
            logits = np.sum([f.ratio for f in folds], axis=0)
            if len(folds) > 1:
                calibration = Calibration.fit(held_logits, is_real[held_out])
                held_logits, logits = calibration.apply(held_logits), calibration.apply(logits)
            ratio[scored] = exp_ratio(logits)
            scale[scored] = _scale(exp_ratio(held_logits), is_real[held_out], self.clip)
        return Ratios(ratio, scale)


def _ranks(cells: np.ndarray) -> np.ndarray:
    """Return numbers as RANKS levels of their pooled rank; missing stays missing.

    Trees see 255 bins in any case. scikit-learn computes them by weighted quantiles, one by one,
    which takes forty times as long as the trees.
    """
    levels, level_of, counts = np.unique(cells, return_inverse=True, return_counts=True)
    if len(levels) <= RANKS:
        return cells
    codes = (np.cumsum(counts) - counts) * RANKS // len(cells)
    return np.where(np.isnan(cells), np.nan, codes[level_of].astype(float))


# --- fits that need no calibration --------------------------------------------------------------


class Fitted(Judge):
    """A ratio fitted to the points (rows, d) of the other folds."""

    def __init__(
        self, points: np.ndarray, fit: Fit, clip: float, formula: Formula | None = None
    ) -> None:
        self.points = points
        self.fit = fit
        self.clip = clip
        self.formula = formula

    def judge_quickly(
        self, runs: list[Run], n_jobs: int | None, progress: Progress | None
    ) -> list[Ratios]:
        """Fit each fold of each run in turn."""
        ratios = []
        with one_thread():
            for done, run in enumerate(runs):
                ratios.append(self._run(run))
                if progress is not None:
                    progress(done + 1, len(runs), "density ratios")
        return ratios

    def _run(self, run: Run) -> Ratios:
        ratio, scale = np.ones(len(self.points)), np.ones(len(self.points))
        for fold in range(run.folds):
            fit, held_out, scored = run.parts(fold)
            rows = np.concatenate([fit, held_out])
            real = run.is_real[rows]
            rng = np.random.default_rng(child(run.stream, FIT, fold))
            ratio_at = self.fit(self.points[rows[real]], self.points[rows[~real]], rng)
            ratio[scored] = ratio_at(self.points[scored])
            scale[scored] = _scale(ratio_at(self.points[rows]), real, self.clip)
        return Ratios(ratio, scale)

    def closed_form(self, is_real: np.ndarray) -> float | None:
        """Return the value of the formula on all rows; None without a formula."""
        if self.formula is None:
            return None
        return self.formula(self.points[is_real], self.points[~is_real])

    def jackknife(self, run: Run, unit: str) -> Estimate | None:
        """Return the formula's value -+ t sqrt((K - 1)/K sum_k (v_k - mean of v)^2) for K folds.

        v_k is the value without fold k.
        """
        if self.formula is None:
            return None
        value = self.formula(self.points[run.is_real], self.points[~run.is_real])
        partial_values = []
        for fold in range(run.folds):
            rows = np.concatenate(run.parts(fold)[:2])
            real = run.is_real[rows]
            partial_values.append(self.formula(self.points[rows[real]], self.points[rows[~real]]))
        if not all(map(math.isfinite, [value, *partial_values])):
            return Estimate(value, min([value, *partial_values]), math.inf, unit)
        t = float(student.ppf(0.975, run.folds - 1))
        half = t * math.sqrt((run.folds - 1) * float(np.var(partial_values)))
        return Estimate(value, value - half, value + half, unit)


def _moments_chi_square(p: np.ndarray, q: np.ndarray) -> float:
    return gaussian_chi_square(
        p.mean(axis=0), np.cov(p, rowvar=False), q.mean(axis=0), np.cov(q, rowvar=False)
    )


def _shares_chi_square(p: np.ndarray, q: np.ndarray) -> float:
    size = int(max(p.max(), q.max())) + 1
    shares = (np.bincount(x.ravel(), minlength=size) / len(x) for x in (p, q))
    return discrete_chi_square(*shares)


def _numbers(method: str, real: Table, synthetic: Table) -> np.ndarray:
    """Return the pooled rows as standard scores, without columns of one value."""
    columns = []
    for column in real.schema:
        if column.kind not in NUMERIC and not column.coded:
            raise SchemaError(
                f"column {column.name!r} is {column.kind}: method {method!r} takes numbers only; "
                "use 'classifier'"
            )
        x = np.concatenate([t.numbers(column.name) for t in (real, synthetic)])
        if np.isnan(x).any():
            raise SchemaError(
                f"column {column.name!r} has missing cells, which method {method!r} cannot take; "
                "use 'classifier'"
            )
        if np.ptp(x) > 0:
            columns.append((x - x.mean()) / x.std())
    if not columns:
        raise SchemaError(f"every column has one value: method {method!r} has nothing to compare")
    return np.column_stack(columns)


def _cells(real: Table, synthetic: Table) -> np.ndarray:
    """Return for each pooled row the number of its joint cell, from 0, (rows, 1)."""
    columns = []
    for column in real.schema:
        if column.kind in NUMERIC:
            x, y = real.numbers(column.name), synthetic.numbers(column.name)
            if len(np.unique(np.concatenate([x, y]))) > BINS:
                x, y = coarse_codes(x, x), coarse_codes(x, y)
            columns.append(np.concatenate([x, y]))
        else:
            columns.append(np.concatenate(pooled_codes([real, synthetic], column.name)))
    codes = [np.unique(c, return_inverse=True)[1] for c in columns]
    return np.unique(np.column_stack(codes), axis=0, return_inverse=True)[1].reshape(-1, 1)
