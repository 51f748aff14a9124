"""Attacks: a score of each target row, larger where it looks more like a training row.

The attacker knows the synthetic rows and, as a picture of the population, all target rows but the
one under attack: more than most attackers have. No attack sees which of them are training rows.

Notation: N target rows, M synthetic rows; d(x, S) the distance to the nearest synthetic row,
d(x, R) to the nearest other target row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, combinations
from math import comb

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier

from tabseed._random import child, int_seed
from tabseed.privacy.targets import Points, Targets

NEIGHBOURS = 5
BLOCK = 4_000_000  # distances held at once
FLOOR = 1e-3  # of the typical distance of neighbours: smaller distances count as that
BACKGROUND = np.exp(-4.5)  # a kernel's height 3 widths away: all densities are at least that / N
FOLDS, TREES, LEAF = 5, 25, 2  # of the classifier; LEAF: rows in a leaf, at least
LEAST_FITTED = 1_000  # synthetic rows that it learns, at most, or twice the targets
SUBSETS = 300  # of columns whose combinations are counted; if there are more, drawn
LARGEST = 3  # columns in such a subset
ADDED = 0.5  # to each count
BINS = 10  # of numbers in combinations
JUDGED, CHOSEN = 0, 1  # random streams

WORDS = {  # of each attack: what gives a training row away
    "nearest": "how near the nearest synthetic row lies",
    "ratio": "synthetic rows that lie nearer than other real rows do",
    "rank ratio": "synthetic rows that lie nearer than other real rows do, by ranks",
    "neighbours": "more synthetic than real rows among the nearest",
    "density": "a higher density of synthetic than of real rows",
    "local likelihood": "synthetic rows nearby that are likelier with the row than without it",
    "classifier": "a classifier of synthetic and real rows",
    "combinations": "combinations of values that synthetic rows repeat more often than real ones",
    "likelihood": "the likelihood under the generator",
    "likelihood ratio": "the likelihood under the generator beside the density of real rows",
    "shadow": "generators that learned with and without the row",
}
NEEDS = {"likelihood": "model", "likelihood ratio": "model", "shadow": "generator"}  # besides rows


@dataclass(frozen=True)
class Near:
    """The neighbours of the targets: distances to the nearest rows, and kernel densities.

    ``real`` and ``synthetic`` (N, k): the k smallest distances, in order. ``density_real`` (other
    targets), ``density_synthetic`` (N,): means of exp(-d^2 / (2 w^2)), with ``width`` w the median
    distance to the sqrt(N)-th nearest target. ``local`` (N,): see :func:`local_likelihood`; its
    kernels are as wide as the median distance to the nearest target.
    """

    real: np.ndarray
    synthetic: np.ndarray
    density_real: np.ndarray
    density_synthetic: np.ndarray
    width: float
    local: np.ndarray

    @classmethod
    def of(cls, points: Points, n_targets: int) -> Near:
        """Scan all pairs. Cost: N (N + M) distances, in blocks of 32 MB."""
        targets = points.take(slice(0, n_targets))
        synthetic = points.take(slice(n_targets, len(points)))
        real, width = _other_targets(targets)
        narrow = _typical(real[:, 0])
        near = np.empty((n_targets, min(NEIGHBOURS, len(synthetic))))
        density_real, density_synthetic = np.empty(n_targets), np.empty(n_targets)
        closest = np.empty(near.shape, dtype=np.int64)
        at_synthetic = np.zeros(len(synthetic))  # sum of the kernels of all targets
        for rows in blocks(n_targets, max(len(points), 1)):
            block = targets.take(rows)
            heights = kernel(block.distances(targets), width)
            heights[np.arange(len(block)), np.arange(n_targets)[rows]] = 0.0
            density_real[rows] = heights.sum(axis=1) / max(n_targets - 1, 1)
            distances = block.distances(synthetic)
            closest[rows], near[rows] = _smallest(distances, near.shape[1])
            density_synthetic[rows] = kernel(distances, width).mean(axis=1)
            at_synthetic += kernel(distances, narrow).sum(axis=0)
        local = local_likelihood(kernel(near, narrow), at_synthetic[closest])
        return cls(real, near, density_real, density_synthetic, width, local)

    def log_ratio(self, k: int) -> np.ndarray:
        """Return log of the distance to the k-th target over that to the k-th synthetic row."""
        real, synthetic = (
            near[:, min(k, near.shape[1]) - 1] for near in (self.real, self.synthetic)
        )
        return _log_ratio(real, synthetic, self.width)

    @property
    def exposure(self) -> np.ndarray:
        """The mean distance to the nearest targets, (N,): exposed rows lie far from all others."""
        return np.asarray(self.real.mean(axis=1))

    @property
    def log_density_ratio(self) -> np.ndarray:
        """The log ratio of the density of synthetic rows to that of other targets, (N,)."""
        return np.asarray(
            np.log(self.density_synthetic + self._background)
            - np.log(self.density_real + self._background)
        )

    @property
    def log_density_real(self) -> np.ndarray:
        """The log density of other targets, up to a constant, (N,)."""
        return np.asarray(np.log(self.density_real + self._background))

    @property
    def _background(self) -> float:
        return float(BACKGROUND / len(self.real))


def _other_targets(targets: Points) -> tuple[np.ndarray, float]:
    """Return the smallest distances (N, k) to other targets, and the width of kernels."""
    n = len(targets)
    wide = min(max(NEIGHBOURS, round(np.sqrt(n))), n - 1)
    near = np.empty((n, wide))
    for rows in blocks(n, n):
        distances = targets.take(rows).distances(targets)
        distances[np.arange(len(distances)), np.arange(n)[rows]] = np.inf
        near[rows] = _smallest(distances, near.shape[1])[1]
    return near[:, :NEIGHBOURS], _typical(near[:, -1])


def _typical(distances: np.ndarray) -> float:
    """Return the median; the smallest positive distance instead of 0, and 1 if there is none."""
    positive = distances[distances > 0]
    return float(np.median(distances)) or (float(positive.min()) if len(positive) else 1.0)


def nearest_ratio(points: Points, n_targets: int) -> np.ndarray:
    """Return log of the distance to the nearest other target over that to a synthetic row, (N,)."""
    targets = points.take(slice(0, n_targets))
    synthetic = points.take(slice(n_targets, len(points)))
    real, width = _other_targets(targets)
    near = np.empty(n_targets)
    for rows in blocks(n_targets, len(synthetic)):
        near[rows] = targets.take(rows).distances(synthetic).min(axis=1)
    return _log_ratio(real[:, 0], near, width)


def _log_ratio(real: np.ndarray, synthetic: np.ndarray, width: float) -> np.ndarray:
    floor = FLOOR * width  # else a copy's ratio would be infinite
    return np.asarray(np.log(real + floor) - np.log(synthetic + floor))


def blocks(n: int, width: int) -> Iterator[slice]:
    """Yield slices of n rows, so many at once that their distances to ``width`` rows fit."""
    size = max(1, BLOCK // width)
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def _smallest(distances: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns and the values (., k) of the k smallest, in order."""
    columns = np.argpartition(distances, k - 1, axis=1)[:, :k]
    values = np.take_along_axis(distances, columns, axis=1)
    order = np.argsort(values, axis=1, kind="stable")
    return np.take_along_axis(columns, order, 1), np.take_along_axis(values, order, 1)


def kernel(distances: np.ndarray, width: float) -> np.ndarray:
    """Return the heights exp(-d^2 / (2 w^2)) of a normal kernel."""
    return np.asarray(np.exp(-0.5 * (distances / width) ** 2))


def local_likelihood(own: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Return how much likelier the nearest synthetic rows are with the row than without, (N,).

    The generative likelihood ratio attack (arXiv 2508.21146; also in 2509.18014): the sum over the
    nearest synthetic rows s of log p(s; R and x) - log p(s; R), with kernel densities p. Here R are
    the other targets, ``own`` (N, k) the kernels of x at s, and ``total`` (N, k) those of all
    targets, x among them; what depends on N alone is left out.
    """
    others = np.maximum(total - own, 0.0) + BACKGROUND
    return np.asarray(np.log1p(own / others).sum(axis=1))


def scores(
    targets: Targets,
    values: Near,
    stream: np.random.SeedSequence,
    *,
    progress: Callable[[str], None],
) -> dict[str, np.ndarray]:
    """Return the scores (N,) of all attacks that need only rows, by name; see :data:`WORDS`.

    "nearest": -d(x, S) (arXiv 1909.03935, in distances of cells). "ratio": log d(x, R) - log
    d(x, S), and "rank ratio" likewise with numbers as ranks; "neighbours": the same of the fifth
    nearest rows. "density": the log ratio of kernel densities (DOMIAS, arXiv 2302.12580, equation
    2; kernels as in 2603.10937). "local likelihood": :func:`local_likelihood`. "classifier": a
    forest that tells synthetic rows from targets, fitted without the row (five folds).
    "combinations": :func:`combination_scores`.
    """
    progress("ranks")
    by_ranks = nearest_ratio(targets.ranks, len(targets))
    progress("classifier")
    classifier = _classifier(targets, child(stream, JUDGED))
    progress("combinations")
    rng = np.random.default_rng(child(stream, CHOSEN))
    return {
        "nearest": -values.synthetic[:, 0],
        "ratio": values.log_ratio(1),
        "rank ratio": by_ranks,
        "neighbours": values.log_ratio(NEIGHBOURS),
        "density": values.log_density_ratio,
        "local likelihood": values.local,
        "classifier": classifier,
        "combinations": combination_scores(targets, rng),
    }


def _classifier(targets: Targets, stream: np.random.SeedSequence) -> np.ndarray:
    """Return the share of trees (N,), grown without a target, that call it synthetic."""
    n, m = len(targets), len(targets.trees) - len(targets)
    kept = n + np.random.default_rng(child(stream, 0)).permutation(m)[: max(LEAST_FITTED, 2 * n)]
    found = np.empty(n)
    for fold in range(FOLDS):
        judged = np.arange(n) % FOLDS == fold  # targets are in random order
        rows = np.concatenate([np.flatnonzero(~judged), kept])
        forest = ExtraTreesClassifier(
            TREES,
            min_samples_leaf=LEAF,
            class_weight="balanced",
            random_state=int_seed(child(stream, 1, fold)),
        )
        forest.fit(targets.trees[rows], rows >= n)
        found[judged] = forest.predict_proba(targets.trees[:n][judged])[:, 1]
    return found


def combination_scores(targets: Targets, rng: np.random.Generator) -> np.ndarray:
    """Return the mean log ratio (N,) of how often rows repeat a target's combinations of cells.

    For each subset of one to three columns, the share of synthetic rows with the target's cells
    over that of other targets, 1/2 added to each count. Columns of many numbers count with their
    exact values and, in tenths, once more. Of more than
    300 subsets all single columns count, and pairs and triples are drawn.
    """
    n = len(targets)
    cells = [np.unique(column, return_inverse=True)[1] for column in targets.cells.T]
    coarse = [
        _tenths(column, targets.trees[:, j])
        for j, column in enumerate(cells)
        if not targets.categorical[j] and len(np.unique(column[:n])) > BINS
    ]
    columns = np.array([*cells, *coarse])
    ratios = np.zeros(n)
    subsets = _subsets(len(columns), rng)
    for subset in subsets:
        key = columns[subset[0]]
        for j in subset[1:]:
            key = np.unique(key * (columns[j].max() + 1) + columns[j], return_inverse=True)[1]
        real, synthetic = (
            np.bincount(part, minlength=key.max() + 1)[key[:n]] for part in (key[:n], key[n:])
        )
        ratios += np.log((synthetic + ADDED) / (len(key) - n)) - np.log((real - 1 + ADDED) / n)
    return ratios / len(subsets)


def _tenths(cells: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return codes of which tenth of all rows a number lies in, 0 where missing."""
    present = ~np.isnan(numbers)
    edges = np.unique(np.quantile(numbers[present], np.arange(1, BINS) / BINS))
    codes = np.zeros(len(cells), dtype=np.int64)
    codes[present] = 1 + np.searchsorted(edges, numbers[present], side="left")
    return codes


def _subsets(n_columns: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Return all subsets of one to three columns, or 300 of them: singles first, then drawn."""
    singles = [(j,) for j in range(n_columns)]
    if sum(comb(n_columns, size) for size in range(1, LARGEST + 1)) <= SUBSETS:
        larger = (combinations(range(n_columns), size) for size in range(2, LARGEST + 1))
        return [*singles, *chain.from_iterable(larger)]
    drawn = [
        tuple(np.sort(rng.choice(n_columns, size=2 + i % (LARGEST - 1), replace=False)).tolist())
        for i in range(max(SUBSETS - n_columns, SUBSETS // 2))
    ]
    return [*singles, *drawn]
