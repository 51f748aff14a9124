"""How much of the real law synthetic rows cover: chi-square divergence, and its reliability.

Notation: P real rows (n), Q synthetic rows (m), r = dP/dQ, chi2 = chi2(P||Q) = E_Q[(r - 1)^2]
= E_P[r] - 1, real in the numerator: it costs much to drop a region and little to invent one.
Every ratio here is fitted to other rows than those over which it is averaged. arXiv 2305.10015
measures the fidelity of features by this divergence; estimators and constants here are ours.

There is no upper confidence bound: real rows from a region so rare that neither table has one of
them can make chi2 as large as you like, and no sample can show that there are none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from tabseed._progress import Progress
from tabseed._random import child
from tabseed.estimates.estimate import Better, Estimate, finite, interval
from tabseed.metrics.base import Metric
from tabseed.metrics.copies import copied
from tabseed.metrics.discriminators import Run, judged_rows
from tabseed.metrics.left_out import left_out
from tabseed.metrics.ratios import METHODS, Judge, Ratios, judge_of
from tabseed.parameters import N_JOBS, OneOf, Parameters, Real, Whole
from tabseed.table import Table

ONE_SIDED = 1.645  # 95 % quantile of the normal law
WORST = 10  # rows named as least covered
NEARLY_PERFECT = 0.95  # balanced accuracy: from here a ratio says little but "apart"
FEW_ROWS = 100  # of either table
MUCH_CLIPPED = 0.01  # of the real rows
MAIN, PERMUTED = 0, 1  # random streams below the metric's own


@dataclass(frozen=True)
class PermutationNull:
    """The estimates on the tables as they are, beside those for rows dealt at random.

    The same estimator gives all numbers (for "classifier": trees, one cross-fitting): ``plugin``
    and ``pooled`` on the tables as they are, and their 95 % quantiles over shuffled labels.
    ``p_value`` = (1 + shuffles with at least this ``pooled``)/(1 + shuffles).
    """

    plugin: float
    plugin_95: float
    pooled: float
    pooled_95: float
    p_value: float
    permutations: int

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict; an infinite number becomes None."""
        return finite({k: getattr(self, k) for k in self.__dataclass_fields__})


@dataclass(frozen=True)
class ChiSquareResult:
    """Chi-square divergence of real from synthetic rows, estimated in several ways; 0 is alike.

    ``pooled``: chi2(P||M) for the mixture M = a P + (1 - a) Q, a = ``real_share``. It always lies
    between 0 and (1 - a)/a, which is why it is the number to quote. Its interval is for what this
    judge reaches, on average a lower bound of the truth. ``p_mse`` = a^2 pooled is the propensity
    mean squared error at that share; at a = 1/2 pooled is 4 p_mse.

    ``plugin``: mean over real rows of r, minus 1. Its low and high show how far the estimate
    spreads (rows, folds, seeds); they do not bound the truth, since clipping and regions without
    rows are not in them. Infinite where the formula of "gaussian" or "histogram" is.

    ``lower_95``: the truth lies above it with 95 % confidence, whatever r is: see
    :class:`ChiSquareDivergence`. 0 means that nothing is certain.

    ``ess_fraction`` = 1/(1 + plugin): synthetic rows reweighted to the real law are worth this
    share of their number. ``tv_lower``: 95 % lower bound of the total variation distance.

    ``worst_rows``: (row index in the real table, ratio) of the real rows that synthetic rows cover
    least, the least covered first. ``ratios``: unclipped out-of-fold ratios of the real rows (n,),
    for :func:`~tabseed.metrics.density_ratio.density_ratio_tail`; ``rows`` are their indices.
    """

    pooled: Estimate
    plugin: Estimate
    lower_95: float
    null: PermutationNull | None
    tv_lower: float
    worst_rows: tuple[tuple[int, float], ...]
    warnings: tuple[str, ...]
    method: str
    real_share: float
    n_real: int
    n_synthetic: int
    rows: np.ndarray = field(repr=False, compare=False)
    ratios: np.ndarray = field(repr=False, compare=False)

    @property
    def headline(self) -> Estimate:
        """The number to quote: the pooled one, always finite."""
        return self.pooled

    @property
    def p_mse(self) -> float:
        """Propensity mean squared error a^2 chi2(P||M) at the real share a."""
        return self.real_share**2 * self.pooled.value

    @property
    def ess_fraction(self) -> float:
        """Effective sample size over number of rows, of synthetic rows weighted by r."""
        return 1 / (1 + max(0.0, self.plugin.value))

    def to_dict(self) -> dict[str, Any]:
        """Return everything but single ratios, JSON-ready; an infinite number becomes None."""
        return {
            "headline": self.pooled.to_dict(),
            "plugin": finite(self.plugin.to_dict()),
            "lower_95": self.lower_95,
            "p_mse": self.p_mse,
            "ess_fraction": self.ess_fraction,
            "tv_lower": self.tv_lower,
            "null": None if self.null is None else self.null.to_dict(),
            "worst_rows": [{"row": row, "ratio": ratio} for row, ratio in self.worst_rows],
            "warnings": list(self.warnings),
            "method": self.method,
            "real_share": self.real_share,
            "n_real": self.n_real,
            "n_synthetic": self.n_synthetic,
        }


class ChiSquareDivergence(Metric[ChiSquareResult]):
    """Chi-square divergence of real from synthetic rows, chi2(P||Q) = E_P[r] - 1, r = dP/dQ.

    ``method`` chooses the source of r, which is fitted for each of ``folds`` folds to the others:
    "classifier", the trees and the network of
    :class:`~tabseed.metrics.DiscriminatorDivergence` (their calibrated logits, added and calibrated
    once more; the trees see numbers as 250 ranks); "ulsif", kernel least squares, numbers only;
    "gaussian", means and covariances, numbers only, infinite where the synthetic rows are in some
    direction narrower than the real ones over sqrt(2); "histogram", shares of joint cells (levels;
    numbers of more than 20 values by their bin among the real rows' 20-quantiles), exact for
    discrete laws and meaningless where most cells contain one row.

    Plug-in: mean over real rows of min(r, ``clip``), minus 1, which cannot show a true divergence
    beyond ``clip`` - 1. "gaussian" and "histogram" put moments and shares of all rows into the
    closed form instead, with the spread by the jackknife over folds. For small tables the plug-in
    lies above the truth: compare it with the null.

    Lower bound: L(h) = 2 E_P h - E_Q h^2 - 1 = chi2 - E_Q (r - h)^2 lies below chi2 for any h.
    h is r as fitted in other folds, clipped, times mean_P h/mean_Q h^2 of rows outside the fold
    (for the classifier: its calibration rows); ``lower_95`` = L - 1.645 sqrt(4 Var_P h/n +
    Var_Q(h^2)/m), not below 0. It assumes nothing but the central limit theorem.

    Pooled: the same functional for g = r/(a r + 1 - a), a = ``real_share``, against the mixture;
    g <= 1/a keeps its variance small. It may fall below 0 and is not clipped.

    Null: ``permutations`` shuffles of the labels, each judged anew. For "classifier" trees alone
    judge them in one cross-fitting, and are compared with trees alone on the true labels.

    Warnings: levels never generated and columns too narrow (:mod:`tabseed.metrics.left_out`),
    tables told apart nearly perfectly, few rows, and, if ``train`` is passed, exact copies of it.

    Rows beyond ``max_rows`` are dropped at random, as in ``DiscriminatorDivergence``. Cost: with
    15 columns about 13 s on one core for 300 against 10,000 rows, most of it for the null.
    Raises SchemaError for numbers-only methods on other columns or missing cells, TabseedError for
    settings out of range and singular covariances.

    References: arXiv 2305.10015 (why this divergence); Kanamori et al., JMLR 10 (2009) (uLSIF);
    Snoke et al., J. R. Stat. Soc. A 181 (2018) (pMSE).
    """

    unit: ClassVar[str] = "chi2"
    better: ClassVar[Better] = "lower"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2305.10015", "doi:10.1111/rssa.12358")
    min_rows: ClassVar[int] = 10
    parameters: ClassVar[Parameters] = {
        "method": OneOf(METHODS),
        "clip": Real(above=1),
        "folds": Whole(2, min_rows),
        "permutations": Whole(0),
        "real_share": Real(above=0, below=1),
        "max_rows": Whole(min_rows),
        "n_jobs": N_JOBS,
    }

    def __init__(
        self,
        method: str = "classifier",
        *,
        clip: float = 20.0,
        folds: int = 5,
        permutations: int = 50,
        real_share: float = 0.5,
        max_rows: int = 10_000,
        n_jobs: int | None = None,
    ) -> None:
        self.method = method
        self.clip = clip
        self.folds = folds
        self.permutations = permutations
        self.real_share = real_share
        self.max_rows = max_rows
        self.n_jobs = n_jobs

    def _evaluate(
        self,
        real: Table,
        synthetic: Table,
        stream: np.random.SeedSequence,
        *,
        train: Table | None,
        progress: Progress | None,
    ) -> ChiSquareResult:
        gaps = left_out(real, synthetic)
        copies = () if train is None else copied(train, synthetic)
        rows, others = judged_rows(len(real), len(synthetic), self.max_rows, stream)
        judge = judge_of(self.method, real.take(rows), synthetic.take(others), self.clip)
        n, m = len(rows), len(others)
        is_real = np.arange(n + m) < n
        main = [
            Run("plain", is_real, child(stream, MAIN, repeat), self.folds)
            for repeat in range(judge.repeats)
        ]
        shuffled = []
        for index in range(self.permutations):
            seeds = child(stream, PERMUTED, index)
            labels = np.random.default_rng(seeds).permutation(is_real)
            shuffled.append(Run("plain", labels, seeds, self.folds))
        fits, quick = judge.judge(main, self.n_jobs, progress)
        null_fits = judge.judge_quickly(shuffled, self.n_jobs, progress)
        ratio = np.stack([fit.ratio for fit in fits])
        h = np.minimum(ratio, self.clip)
        accuracy, tv_lower = _told_apart(np.log(ratio.clip(1e-300)).mean(axis=0), n)
        covered = np.exp(np.log(ratio[:, :n].clip(1e-300)).mean(axis=0))
        worst = np.argsort(-covered, kind="stable")[:WORST]
        return ChiSquareResult(
            pooled=_pooled(ratio, n, self.real_share),
            plugin=judge.jackknife(main[0], self.unit)
            or interval([h[:, :n] - 1], 1 / n + 1 / m, self.unit),
            lower_95=lower_bound(h * np.stack([fit.scale for fit in fits]), n),
            null=self._null(judge, quick, main[0], list(zip(null_fits, shuffled, strict=True))),
            tv_lower=tv_lower,
            worst_rows=tuple((int(rows[i]), float(covered[i])) for i in worst),
            warnings=gaps + _doubts(n, m, accuracy, float((h[0, :n] >= self.clip).mean())) + copies,
            method=self.method,
            real_share=self.real_share,
            n_real=n,
            n_synthetic=m,
            rows=rows,
            ratios=covered,
        )

    def _null(
        self, judge: Judge, quick: Ratios, run: Run, null_fits: list[tuple[Ratios, Run]]
    ) -> PermutationNull | None:
        if not null_fits:
            return None
        numbers = []
        for fit, labels in [(quick, run), *null_fits]:
            real, n = labels.is_real, int(labels.is_real.sum())
            ordered = np.concatenate([fit.ratio[real], fit.ratio[~real]])
            plugin = judge.closed_form(real)
            if plugin is None:
                plugin = float(np.minimum(ordered[:n], self.clip).mean()) - 1
            numbers.append((plugin, _pooled(ordered[None], n, self.real_share).value))
        (plugin, pooled), null = numbers[0], np.array(numbers[1:])
        plugin_95, pooled_95 = np.quantile(null, 0.95, axis=0, method="higher")
        p_value = (1 + int((null[:, 1] >= pooled).sum())) / (1 + len(null))
        return PermutationNull(
            float(plugin), float(plugin_95), pooled, float(pooled_95), p_value, len(null)
        )


def _doubts(n: int, m: int, accuracy: float, clipped: float) -> tuple[str, ...]:
    lines = []
    if accuracy >= NEARLY_PERFECT:
        lines.append(
            "The judge tells real and synthetic rows apart nearly perfectly (balanced accuracy "
            f"{accuracy:.3f}): ratios say little else, and the chi-square is far too low."
        )
    elif clipped >= MUCH_CLIPPED:
        lines.append(
            f"{clipped:.1%} of the real rows lie where there is hardly a synthetic one: their "
            "ratios are clipped, and the resulting chi-square is too low."
        )
    for name, rows in (("real", n), ("synthetic", m)):
        if rows < FEW_ROWS:
            lines.append(
                f"Only {rows} {name} rows: the chi-square comes out too large; compare it with "
                "that of shuffled rows (null)."
            )
    return tuple(lines)


# --- estimates from ratios (repeats, rows), the first n rows real -------------------------------


def lower_bound(h: np.ndarray, n: int) -> float:
    """Return the 95 % lower bound of chi2 from an h (repeats, rows) fitted to other rows.

    Repeats are averaged first: L is concave, so L of the average is no lower than their mean L.
    """
    h = h.mean(axis=0)
    real, squares = h[:n], h[n:] ** 2
    value = 2 * real.mean() - squares.mean() - 1
    error = math.sqrt(4 * real.var(ddof=1) / n + squares.var(ddof=1) / len(squares))
    return max(0.0, float(value) - ONE_SIDED * error)


def _pooled(ratio: np.ndarray, n: int, a: float) -> Estimate:
    """Estimate chi2(P||M), M = a P + (1 - a) Q, by 2 E_P g - E_M g^2 - 1."""
    m = ratio.shape[1] - n
    g = ratio / (a * ratio + 1 - a)
    parts = [2 * g[:, :n] - a * g[:, :n] ** 2 - 1, -(1 - a) * g[:, n:] ** 2]
    return interval(parts, (1 - a) ** 2 * (1 / n + 1 / m), ChiSquareDivergence.unit)


def _told_apart(log_ratio: np.ndarray, n: int) -> tuple[float, float]:
    """Return balanced accuracy, and a 95 % lower bound of total variation = 2 accuracy - 1.

    The variance is that of shares with one success and one failure added (Agresti and Caffo
    2000), so that separating few rows perfectly does not count as certainty.
    """
    called_real = log_ratio > 0
    hits = [
        (int(called_real[:n].sum()), n),
        (int((~called_real[n:]).sum()), len(called_real) - n),
    ]
    accuracy = sum(k / size for k, size in hits) / 2
    shares = [((k + 1) / (size + 2), size + 2) for k, size in hits]
    variance = sum(share * (1 - share) / size for share, size in shares)
    value = sum(share for share, _ in shares) - 1
    return accuracy, max(0.0, value - ONE_SIDED * math.sqrt(variance))
