"""How far synthetic rows are from real ones: KL and Jensen-Shannon divergence by discriminators.

Notation: p real rows (n of them), q synthetic rows (m); r(x) = log p(x)/q(x) as a calibrated
discriminator sees it at equal priors, D = 1/(1 + exp(-r)) its probability of "real". Then
JS = 1 + (E_p[log2 D] + E_q[log2(1 - D)])/2 in bits, in [0, 1] (arXiv 2405.07822), and
KL(p||q) = E_p[t] - E_q[exp(t)] + 1 in nats with t = min(r, log(m/10)) (arXiv 0809.0853).
With the true r the first is an equation, and so is the second but for the cut; with any other both
are lower bounds, a poor discriminator's looser ones.

The cut of t is needed because no sample bounds KL from above: q may lack a part of p that is too
rare for any sample, and a lower bound that holds for all laws cannot grow faster than log m (arXiv
1811.04251). At the cut exp(t) = m/10, so that ten rows of q would make its mean 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.special import log_expit
from scipy.stats import t as student

from tabseed._progress import Progress
from tabseed._random import child
from tabseed.errors import TooFewRowsError
from tabseed.estimates.estimate import Better, Estimate, interval
from tabseed.metrics.base import Metric
from tabseed.metrics.discriminators import DISCRIMINATORS, Run, cross_fit, judged_rows
from tabseed.metrics.divergence_result import DivergenceResult, Plan
from tabseed.metrics.judge_encoder import JudgeEncoder
from tabseed.metrics.paper_judge import REPEATS, PaperJudge
from tabseed.parameters import FLAG, N_JOBS, Each, OneOf, Parameters, Whole, or_none
from tabseed.rules.search import find_rules
from tabseed.table import Table

VIEWS = {
    "plain": "all values as they are",
    "coarse": "numbers only by the twentieth in which they lie",
}

POWER_Z = 0.8416  # 80 % quantile of the normal law
# divergence needed by a judge that must learn the law, over that of one that knows it: measured
LEARNING = 2.0
RARE = 10  # rows of q that must be seen at the largest ratio p/q which KL takes into account
MAIN, PERMUTED = 0, 1  # random streams below the metric's own


def plan(n_smaller: int) -> Plan:
    """Return folds, repeats and label permutations by the rows of the smaller table.

    Few rows need large training parts and many refits; with many rows only time is scarce.
    """
    for limit, budget in ((300, Plan(5, 3, 12)), (1500, Plan(5, 3, 8)), (4000, Plan(4, 2, 6))):
        if n_smaller < limit:
            return budget
    return Plan(folds=3, repeats=3, permutations=4)


class DiscriminatorDivergence(Metric[DivergenceResult]):
    """Lower bounds of KL(real||synthetic) in nats and of JS in bits, by trees and by a network.

    Cross-fitting: the discriminator that scores a row was neither fitted to it nor calibrated
    with it. A quarter of each training part goes to early stopping and calibration: a logistic
    slope >= 0 and intercept on the logit, fitted with weights that give both classes prior 1/2.
    The slope is shrunk by (1 - (2/LR)^2)+, with LR its likelihood ratio against no slope: a
    discriminator that sees no difference says D = 1/2 and costs nothing, instead of adding noise
    that would put the estimate below 0.

    Interval: value -+ t sqrt(V + B + F). V is the variance over rows, (s_p^2/n + s_q^2/m)/4 for
    JS (s_p^2/n + s_q^2/m for KL), where each row's contribution is first averaged over repeats. B
    is the variance of the repeats' estimates (other folds, other seeds) over their number. F is
    the square of the noise of a single fitted parameter, (1/n + 1/m)/8 nats for JS and four times
    that for KL; no smaller difference is resolved. t has the degrees of freedom of Welch and
    Satterthwaite. The interval is one for what such a discriminator sees with these rows, so only
    its lower end bounds the divergence: with 500 rows of each of nine laws the KL lay above it in
    90 of 90 repeats, and between both ends in 37 (benchmarks/divergence_oracle.py).

    Where ``train`` is passed, the rules that its rows keep (:mod:`tabseed.rules.patterns`: sums,
    products, orders, cells missing together) are features too: whether, and by how much, each row
    breaks them. Rows that judge nothing chose them, so labels stay exchangeable under "no
    difference".

    ``folds`` (at least 2), ``repeats`` and ``permutations`` follow :func:`plan` where they are
    None. Rows beyond ``max_rows`` real and min(max(10 n, 1000), ``max_rows``) synthetic are
    dropped at random. Cost: folds x repeats fits for each discriminator and view, plus one per
    fold and permutation; about 5 s for 100 against 1,000 rows, a minute for 10,000 against 10,000.

    ``paper=True`` is the protocol of the authors' code instead, to compare with the tables that
    arXiv 2407.03080 prints (returns :class:`~tabseed.metrics.paper_judge.PaperDivergence`; needs
    PyTorch): one split of the rows, at random, ``m`` of each table to train a network, ``l`` to
    test it and ``l`` to stop its training, at most 10,000 epochs; numbers as z-scores, categories
    as the numbers of their codes; KL the mean logit of the l real test rows, without bound or
    calibration, JS with probabilities clamped at 1e-7. KL and JS train ``repeats`` networks each
    (None: 5). The intervals are of *training noise only*: rows and generated table never vary.
    Not copied: their sampler, which takes a row of each category first, and, at m = l = 100, their
    use of the same real rows for training and test. Only ``m``, ``l``, ``repeats`` and ``n_jobs``
    have an effect then. Cost at the default m and l, on one core: 0.06 s an epoch for 14 columns,
    so up to 10 minutes for each of 10 networks.

    References: arXiv 2405.07822 (JS); arXiv 0809.0853 (KL); arXiv 2407.03080 (``paper``); Platt
    1999 (calibration).
    """

    unit: ClassVar[str] = "bits"
    better: ClassVar[Better] = "lower"
    references: ClassVar[tuple[str, ...]] = (
        "arXiv:2405.07822",
        "arXiv:0809.0853",
        "arXiv:2407.03080",
    )
    min_rows: ClassVar[int] = 10

    parameters: ClassVar[Parameters] = {
        "views": Each(OneOf(tuple(VIEWS))),
        "folds": or_none(Whole(2)),
        "repeats": or_none(Whole(1)),
        "permutations": or_none(Whole(0)),
        "max_rows": Whole(10),
        "n_jobs": N_JOBS,
        "paper": FLAG,
        "m": Whole(2),
        "l": Whole(1),
    }

    def __init__(  # noqa: PLR0913 - the last three are the paper's own
        self,
        *,
        views: tuple[str, ...] = ("plain", "coarse"),
        folds: int | None = None,
        repeats: int | None = None,
        permutations: int | None = None,
        max_rows: int = 10_000,
        n_jobs: int | None = None,
        paper: bool = False,
        m: int = 7_500,
        l: int = 1_000,  # noqa: E741 - as the paper calls it
    ) -> None:
        self.views = views
        self.folds = folds
        self.repeats = repeats
        self.permutations = permutations
        self.max_rows = max_rows
        self.n_jobs = n_jobs
        self.paper = paper
        self.m = m
        self.l = l

    def _evaluate(
        self,
        real: Table,
        synthetic: Table,
        stream: np.random.SeedSequence,
        *,
        train: Table | None,
        progress: Progress | None,
    ) -> DivergenceResult:
        if self.paper:
            judge = PaperJudge(self.m, self.l, self.repeats or REPEATS, self.n_jobs)
            return judge.measure(real, synthetic, stream, progress)
        rules = () if train is None else find_rules(train)
        real_rows, synthetic_rows = judged_rows(len(real), len(synthetic), self.max_rows, stream)
        real, synthetic = real.take(real_rows), synthetic.take(synthetic_rows)
        n, m = len(real), len(synthetic)
        settings = {key: getattr(self, key) for key in ("folds", "repeats", "permutations")}
        budget = replace(plan(min(n, m)), **{k: v for k, v in settings.items() if v is not None})
        if budget.folds > min(n, m):
            raise TooFewRowsError(
                f"DiscriminatorDivergence: {budget.folds} folds need {budget.folds} rows in each "
                f"table, got {min(n, m)}"
            )
        features = {
            view: JudgeEncoder(coarse=view == "coarse", rules=rules).encode(real, synthetic)
            for view in self.views
        }
        is_real = np.arange(n + m) < n
        runs = [
            Run(view, is_real, child(stream, MAIN, repeat), budget.folds)
            for view in self.views
            for repeat in range(budget.repeats)
        ]
        for index in range(budget.permutations):
            seeds = child(stream, PERMUTED, index)
            shuffled = np.random.default_rng(seeds).permutation(is_real)
            runs.append(Run(self.views[0], shuffled, seeds, budget.folds))
        logits = [{name: np.zeros(n + m) for name in DISCRIMINATORS} for _ in runs]
        for index, name, fold in cross_fit(features, runs, n_jobs=self.n_jobs, progress=progress):
            logits[index][name][fold.scored] = fold.ratio
        n_main = len(runs) - budget.permutations
        log_ratios = {
            view: {
                name: np.stack([logits[i][name] for i in range(n_main) if runs[i].view == view])
                for name in DISCRIMINATORS
            }
            for view in self.views
        }
        estimates = {
            view: {name: estimates_from_log_ratio(r, n) for name, r in by_name.items()}
            for view, by_name in log_ratios.items()
        }
        null_js = tuple(
            max(_js(log_ratios[name], run.is_real) for name in DISCRIMINATORS)
            for log_ratios, run in zip(logits[n_main:], runs[n_main:], strict=True)
        )
        smallest = smallest_js(np.array(null_js), n, m) if len(null_js) > 1 else None
        return DivergenceResult(estimates, smallest, null_js, n, m, budget, rules, log_ratios)


# --- estimates ----------------------------------------------------------------------------------


def js_rows(r: np.ndarray, is_real: np.ndarray) -> np.ndarray:
    """Return each row's contribution 1 + log2 of the probability of its own class, in bits."""
    return np.asarray(1 + log_expit(np.where(is_real, r, -r)) / math.log(2))


def _js(r: np.ndarray, is_real: np.ndarray) -> float:
    rows = js_rows(r, is_real)
    return float((rows[is_real].mean() + rows[~is_real].mean()) / 2)


@dataclass(frozen=True)
class RowParts:
    """What each row adds to a divergence: the sum of the means of ``real`` and ``synthetic``.

    Both are (repeats, rows); ``noise`` is the standard error of a single fitted parameter.
    """

    real: np.ndarray
    synthetic: np.ndarray
    noise: float
    unit: str


def row_parts(r: np.ndarray, n: int) -> dict[str, RowParts]:
    """Return what rows add to both divergences, by log ratios (repeats, rows), first n real."""
    m = r.shape[1] - n
    is_real = np.arange(n + m) < n
    rows = js_rows(r, is_real)
    noise = (1 / n + 1 / m) / 8  # E[JS] in nats from one parameter fitted to noise
    # the terms of synthetic rows also correct, to first order, what r gets wrong on average
    t = np.minimum(r, math.log(max(m / RARE, 1.0)))
    return {
        "js": RowParts(rows[:, :n] / 2, rows[:, n:] / 2, noise / math.log(2), "bits"),
        "kl": RowParts(t[:, :n], -np.expm1(t[:, n:]), 4 * noise, "nats"),
    }


def estimates_from_log_ratio(r: np.ndarray, n: int) -> dict[str, Estimate]:
    """Return both divergences from log ratios (repeats, rows), the first n rows real."""
    return {
        key: interval([parts.real, parts.synthetic], parts.noise, parts.unit)
        for key, parts in row_parts(r, n).items()
    }


def with_limit_of(result: DivergenceResult, other: DivergenceResult) -> DivergenceResult:
    """Return a result without permutations of its own with the limit by those of another."""
    limit = smallest_js(np.array(other.null_js), result.n_real, result.n_synthetic)
    return replace(result, smallest_js=limit)


def smallest_js(null_js: np.ndarray, n: int, m: int) -> float:
    """Return the true JS in bits that such a comparison tells from 0 four times in five.

    The larger of two demands. (1) The interval excludes 0. A discriminator that knew the law would
    need J = (1.96 + 0.84) SE, SE^2 = J (1/n + 1/m)/(2 ln 2) for a small J; one that must learn the
    law from the same rows needs about twice that: at twice, 80 to 97 % of 40 draws each told
    shifted Gaussians in 1 and 5 dimensions from 0, at 60 against 600, 150 against 150 and 1,000
    against 1,000 rows (benchmarks/divergence_oracle.py). (2) The estimate exceeds those of
    shuffled labels, u = mean + t sd sqrt(1 + 1/P) (95 % prediction bound for one value after P
    others), with 0.84 SE to spare. A structure that is harder to learn than a shift, such as a
    broken dependency between many categories, needs more. At most 1.
    """
    size = len(null_js)
    spread = float(student.ppf(0.95, size - 1)) * float(null_js.std(ddof=1))
    bound = max(0.0, float(null_js.mean()) + spread * math.sqrt(1 + 1 / size))
    per_js = (1 / n + 1 / m) / (2 * math.log(2))
    excludes = LEARNING * (1.96 + POWER_Z) ** 2 * per_js
    root = (POWER_Z * math.sqrt(per_js) + math.sqrt(POWER_Z**2 * per_js + 4 * bound)) / 2
    return float(min(1.0, max(excludes, root**2)))
