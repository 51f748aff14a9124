"""Two synthetic tables judged by the same held-out rows: how their numbers differ.

Notation: A and B, two synthetic tables of m rows; n held-out rows that judge both. A measure is
mean_i a[i] + mean_j s[j], where a[i] is what a held-out row and s[j] what a synthetic row adds.
The difference is mean_i (a_A[i] - a_B[i]) + mean_j s_A[j] - mean_j s_B[j]: held-out rows are
paired, so that what both tables share cancels, and synthetic rows are independent samples. Its
interval covers the choice of held-out and of synthetic rows, but not another fit of a generator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tabseed._progress import Progress, part
from tabseed._random import child
from tabseed.estimates.contrast import Contrast
from tabseed.estimates.estimate import Piece, sum_of_means
from tabseed.metrics import divergence
from tabseed.metrics.divergence import DiscriminatorDivergence, RowParts, row_parts
from tabseed.metrics.divergence_result import DivergenceResult
from tabseed.metrics.marginal import _Column
from tabseed.metrics.usefulness import Cost
from tabseed.table import Table

FOLDS = 3  # of the judges of half a table
CHUNK_CELLS = 1_000_000  # counts of rows in memory at once


def judge_alike(
    real: Table,
    tables: Sequence[Table],
    stream: np.random.SeedSequence,
    *,
    train: Table,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> list[DivergenceResult]:
    """Judge tables by the same real rows and random numbers; the last one holds real rows.

    The others share the permutations of labels that say which divergence would be missed.
    """
    k = len(tables) - 1
    planned = divergence.plan(min(len(real), len(tables[0]))).permutations
    results = []
    for index, table in enumerate(tables):
        permutations = math.ceil(planned / k) if index < k else 0
        judge = DiscriminatorDivergence(n_jobs=n_jobs, permutations=permutations)
        done = part(progress, index, index + 1, k + 1)
        results.append(judge.evaluate(real, table, train=train, random_state=stream, progress=done))
    null_js = np.sort([js for result in results for js in result.null_js])
    limit = divergence.smallest_js(null_js, results[0].n_real, results[0].n_synthetic)
    return [replace(result, smallest_js=limit) for result in results]


def half_divergences(
    real: Table,
    synthetic: Table,
    stream: np.random.SeedSequence,
    *,
    train: Table,
    halves: int,
    n_jobs: int | None = None,
    progress: Progress | None = None,
) -> list[DivergenceResult]:
    """Judge random halves of a synthetic table: how a divergence varies with the rows drawn.

    Judges learn from the rows that they are given, so other rows also give other judges, which the
    rows' contributions do not show. The variance of an estimate by m/2 of m rows, drawn without
    replacement, is about that by all m (the delete-half jackknife, Shao and Wu, Annals of
    Statistics 17 (1989), doi:10.1214/aos/1176347263); that of judges that learn from so few rows
    is rather larger. Cost: ``halves`` divergences with one repeat in three folds.
    """
    judge = DiscriminatorDivergence(folds=FOLDS, repeats=1, permutations=0, n_jobs=n_jobs)
    results = []
    for index in range(halves):
        rows = np.random.default_rng(child(stream, index)).permutation(len(synthetic))
        half = synthetic.take(np.sort(rows[: len(rows) // 2]))
        done = part(progress, index, index + 1, halves)
        results.append(
            judge.evaluate(
                real, half, train=train, random_state=child(stream, index), progress=done
            )
        )
    return results


Judgement = tuple[DivergenceResult, Sequence[DivergenceResult]]


def divergence_contrast(first: Judgement, second: Judgement, view: str, key: str) -> Contrast:
    """Return the difference of two divergences ("js" or "kl") as the results quote them.

    Each comes with those of halves of its table (:func:`half_divergences`; there may be none).
    Both were measured with the same held-out rows, random state and numbers of rows, so the judges
    of both tables learn from the same real rows in each fold. Variances of rows and repeats and the
    noise of a fitted parameter enter as in a single interval; for synthetic rows the larger of the
    variances over rows and over halves.
    """
    a, b = (_quoted(result, view, key) for result, _ in (first, second))
    value, pieces = sum_of_means([a.real - b.real, a.synthetic, -b.synthetic])
    for at, (_, halves) in enumerate((first, second), start=1):
        if halves:
            drawn = np.array([h.estimates[view][h.by(view)][key].value for h in halves])
            pieces[at] = max(pieces[at], _of_draws(drawn))
    return Contrast.of(value, pieces, math.hypot(a.noise, b.noise))


def _quoted(result: DivergenceResult, view: str, key: str) -> RowParts:
    return row_parts(result.log_ratios[view][result.by(view)], result.n_real)[key]


def margin_draws(
    real: Table, synthetics: Sequence[Table], stream: np.random.SeedSequence, n_draws: int = 200
) -> np.ndarray:
    """Return the mean distance of single columns of each table (k, n_draws), rows resampled.

    A distance is that of :class:`~tabseed.metrics.MarginalDistance`. Each draw takes the same real
    rows for all k tables, and rows of each table on their own. Cost: ``n_draws`` passes over all
    cells.
    """
    tables = [real, *synthetics]
    columns = [[_Column.of(real, t, name) for name in real.schema.names] for t in synthetics]
    streams = [np.random.default_rng(child(stream, index)) for index in range(len(tables))]
    step = max(1, CHUNK_CELLS // sum(map(len, tables)))
    draws = []
    for start in range(0, n_draws, step):
        size = min(step, n_draws - start)
        left, *others = (_counts(g, size, len(t)) for g, t in zip(streams, tables, strict=True))
        draws.append(
            [
                np.mean([c.norms(*c.shares(left, right))[0] for c in of_table], axis=0)
                for of_table, right in zip(columns, others, strict=True)
            ]
        )
    return np.concatenate(draws, axis=1)


def _counts(rng: np.random.Generator, size: int, n: int) -> np.ndarray:
    """Return how often each of n rows is drawn in ``size`` draws of n rows, (size, n)."""
    return rng.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)


def margin_contrast(values: tuple[float, float], draws: tuple[np.ndarray, np.ndarray]) -> Contrast:
    """Return the difference of two mean distances; its error is that of :func:`margin_draws`."""
    error = float(np.std(draws[0] - draws[1], ddof=1))
    return Contrast.of(values[0] - values[1], [(error**2, len(draws[0]) - 1.0)])


def cost_contrast(first: Cost, second: Cost) -> Contrast:
    """Return the difference of two costs of use, paired by held-out row.

    How a cost varies with the synthetic rows drawn, independently of the other table's, is the
    variance of :attr:`Cost.redrawn`, of which there are at least two.
    """
    paired = Contrast.of_means([(first.rows - second.rows)[None]])
    return paired.plus([_of_draws(first.redrawn), _of_draws(second.redrawn)])


def _of_draws(costs: np.ndarray) -> Piece:
    return float(costs.var(ddof=1)), len(costs) - 1.0
