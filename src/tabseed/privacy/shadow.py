"""The shadow attack: the user's own generator, refitted to halves of the target rows.

Notation: N target rows, E exposed ones; K shadow tables, in pairs whose halves complement each
other, so that each row trained K/2 of them; inside (K, N) says which; f (K, N, F) features of
each row beside each shadow table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from joblib import Parallel, delayed
from scipy.stats import norm, rankdata

from tabseed._progress import Progress
from tabseed._random import child
from tabseed.errors import SchemaError, TooFewRowsError, one_line
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.splits import POWER
from tabseed.metrics.leakage import conform
from tabseed.privacy.attacks import FLOOR, blocks, combination_scores, kernel
from tabseed.privacy.null import LEVEL, ROUND
from tabseed.privacy.targets import Targets
from tabseed.table import Frame, Table
from tabseed.table.display import counted
from tabseed.table.schema import DISCRETE, Schema

Refit = Callable[[Table, np.random.SeedSequence], Frame]
"""Fits the generator anew to a table and draws rows, as many as the user would."""
HALVES, FITTED, SHUFFLED, COMBINED = range(4)  # random streams
LEAST_DRAWN = 10
AT_ONCE = 20_000_000  # numbers held at once


@dataclass(frozen=True)
class ShadowResult:
    """Whether the generator's rows show that a single exposed row was learned.

    ``shadows`` tables come from halves of all target rows, half of them with each row.
    ``mean_auc``: how well tables with and without a row are told apart by it, the mean over
    ``n_exposed`` rows. ``n_told`` of these rows are told beyond chance at 5 %, corrected for their
    number; ``max_auc`` is the AUC of the row told best. ``p_value``: of the mean and of that row,
    the more extreme, corrected for looking at both. ``detectable``: the smallest AUC of a row that
    would be told with 80 % power, None if so few tables can show none.
    """

    shadows: int
    n_exposed: int
    n_told: int
    mean_auc: Estimate
    max_auc: float
    p_value: float
    detectable: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return {**vars(self), "mean_auc": self.mean_auc.to_dict()}


@dataclass(frozen=True)
class Shadows:
    """The features of all target rows beside the shadow tables, and beside the real synthetic."""

    inside: np.ndarray  # (K, N)
    features: np.ndarray  # (K, N, F), larger where synthetic rows are nearer
    observed: np.ndarray  # (N, F)

    def scores(self) -> np.ndarray:
        """Return the log likelihood ratio (N,) of having trained the synthetic table.

        The features of a row are taken as normal, with a mean of their own where the row trained a
        table and where it did not (LiRA, arXiv 2112.03570, section IV), and a variance half its
        own and half the median of all rows, since few tables tell no variance.
        """
        share = self.inside.mean(axis=0)[:, None]
        w = self.inside[..., None]
        with_row = (w * self.features).mean(axis=0) / share
        without = ((1 - w) * self.features).mean(axis=0) / (1 - share)
        own = ((self.features - w * with_row - (1 - w) * without) ** 2).mean(axis=0)
        variance = (own + np.median(own, axis=0)) / 2
        ratio = (self.observed - without) ** 2 - (self.observed - with_row) ** 2
        return np.asarray(
            np.divide(ratio, variance, out=np.zeros_like(ratio), where=variance > 0).sum(axis=1)
        )

    def judged(
        self, exposed: np.ndarray, permutations: int, rng: np.random.Generator
    ) -> tuple[ShadowResult, np.ndarray]:
        """Test whether having a row changes the tables: for all exposed rows at once.

        If no row matters, what the tables show does not depend on who trained which, so the tables
        may be dealt to the halves anew: an exact null for the mean over rows and for the largest
        over rows and features. Returns the result, and the AUC of each exposed row (E,).
        """
        inside = self.inside[:, exposed]
        k, e = inside.shape
        ranks = rankdata(self.features[:, exposed], axis=0) - (k + 1) / 2  # (K, E, F)
        spread = np.sqrt(k / (k - 1) / 4 * (ranks**2).sum(axis=0))  # of sums over half the tables
        scale = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
        orders = np.array([np.arange(k), *(rng.permutation(k) for _ in range(permutations))])
        step = max(1, AT_ONCE // (k * e))
        largest, means = [], []
        for start in range(0, len(orders), step):
            dealt = inside[orders[start : start + step]]  # (., K, E)
            sums = np.einsum("pke,kef->pef", dealt, ranks)
            largest.append(np.round((sums * scale).max(axis=2), ROUND))
            means.append(np.round(sums.mean(axis=(1, 2)), ROUND))
        z, mean = np.concatenate(largest), np.concatenate(means) * 4 / k**2
        most = z.max(axis=1)
        p = (most[:, None] >= z[0]).mean(axis=0)
        both = rankdata(-np.array([most, mean]), method="max", axis=1).min(axis=0)
        auc = 0.5 + (np.einsum("ke,kef->ef", inside, ranks) * 4 / k**2).max(axis=1)
        low, high = np.quantile(mean[1:], [LEVEL / 2, 1 - LEVEL / 2])
        value = 0.5 + float(mean[0])
        critical = float(np.quantile(most, 1 - LEVEL, method="higher"))
        detectable = 0.5 + (critical + float(norm.ppf(POWER))) * float(
            np.sqrt((k + 1) / (3 * k**2))
        )
        result = ShadowResult(
            shadows=k,
            n_exposed=e,
            n_told=int((p <= LEVEL).sum()),
            mean_auc=Estimate(
                value, max(0.0, value - float(high)), min(1.0, value - float(low)), "AUC"
            ),
            max_auc=float(auc[z[0].argmax()]),
            p_value=float((both <= both[0]).mean()),
            detectable=detectable if detectable < 1 else None,
        )
        return result, auc


def draw_shadows(
    tables: tuple[Table, Table, Table],
    targets: Callable[[Table], Targets],
    width: float,
    refit: Refit,
    settings: tuple[int, int | None],
    stream: np.random.SeedSequence,
    progress: Progress,
) -> Shadows:
    """Refit the generator to random halves of the target rows, and look at all rows beside it.

    ``tables``: training, held-out and synthetic rows; ``targets`` reads the first two beside any
    third; ``width`` is that of the kernels; ``settings`` are the number of shadow tables and jobs.
    Halves ignore who is a training row. All tables are cut to as many rows as the smallest has.
    """
    train, holdout, synthetic = tables
    shadows, n_jobs = settings
    whole = _one_table(train, holdout)
    read = targets(synthetic)
    rows = np.where(read.member, read.row, len(train) + read.row)
    inside = np.zeros((shadows, len(read)))
    half = len(read) // 2
    for pair in range(shadows // 2):
        order = np.random.default_rng(child(stream, HALVES, pair)).permutation(len(read))
        inside[2 * pair, order[:half]] = 1
        inside[2 * pair + 1, order[half:]] = 1
    work = (
        delayed(_drawn)(refit, whole.take(rows[one > 0]), train.schema, child(stream, FITTED, k))
        for k, one in enumerate(inside)
    )
    drawn = []
    for table in Parallel(n_jobs=n_jobs, return_as="generator")(work):
        drawn.append(table)
        progress(len(drawn), shadows, "shadow tables")
    size = min(len(synthetic), *map(len, drawn))
    rng = np.random.default_rng(child(stream, SHUFFLED))
    features = [
        _features(targets(table.take(rng.permutation(len(table))[:size])), width, stream)
        for table in (synthetic, *drawn)
    ]
    return Shadows(inside, np.array(features[1:]), features[0])


def _drawn(refit: Refit, half: Table, schema: Schema, stream: np.random.SeedSequence) -> Table:
    drawn = conform(refit(half, stream), schema, "shadow")
    if len(drawn) < LEAST_DRAWN:
        raise TooFewRowsError(
            f"refit drew {counted(len(drawn), 'row')}; it must draw as many as are published, and "
            f"at least {LEAST_DRAWN}"
        )
    return drawn


def _features(targets: Targets, width: float, stream: np.random.SeedSequence) -> np.ndarray:
    """Return what synthetic rows say of each target (N, 3).

    Minus the log distance to the nearest of them, their log density, and how often they repeat
    combinations of cells, with the same combinations for all tables.
    """
    repeats = combination_scores(targets, np.random.default_rng(child(stream, COMBINED)))
    points, n = targets.values, len(targets)
    synthetic = points.take(slice(n, len(points)))
    near, density = np.empty(n), np.empty(n)
    for rows in blocks(n, len(synthetic)):
        distances = points.take(rows).distances(synthetic)
        near[rows], density[rows] = distances.min(axis=1), kernel(distances, width).mean(axis=1)
    floor = 1 / len(synthetic)
    return np.column_stack([-np.log(near + FLOOR * width), np.log(density + floor), repeats])


def _one_table(train: Table, holdout: Table) -> Table:
    """Return both tables in one, whose schema knows the values of both."""
    try:
        parts = [_plain(table.to_arrow()) for table in (train, holdout)]
        arrow = pa.concat_tables(parts, promote_options="permissive")
    except pa.ArrowException as error:
        raise SchemaError(
            f"training and held-out rows are stored as different types, so no table of both can "
            f"be learned: {one_line(error)}"
        ) from error
    columns = (replace(c, categories=()) if c.kind in DISCRETE else c for c in train.schema)
    return Table.from_frame(arrow, schema=Schema(tuple(columns)))


def _plain(arrow: pa.Table) -> pa.Table:
    """Return a table without dictionaries, whose values two tables may list differently."""
    for index, field in enumerate(arrow.schema):
        if pa.types.is_dictionary(field.type):
            cells = arrow[index].cast(field.type.value_type)
            arrow = arrow.set_column(index, field.name, cells)
    return arrow
