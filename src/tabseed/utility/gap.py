"""The utility gap: the cost of training on synthetic rows instead of the real ones.

Notation: R is the risk under the real law (squared error, or the share of wrong classes), f^ is
trained on the real rows, f~ on the synthetic ones; K models, D synthetic tables, S seeds, h
held-out rows, C classes. Everything is conditional on the training rows: another real table would
give another gap.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from tabseed._random import RandomState
from tabseed.errors import Called, TabseedError, renamed
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.means import BALANCED, SHARE, Mean, mean_over, ratio
from tabseed.estimates.scores import SCORES, Task, score_rows
from tabseed.estimates.words import number, span
from tabseed.metrics.problem import loss
from tabseed.metrics.usefulness import RISKS
from tabseed.parameters import ESTIMATOR, given_or_default, shown
from tabseed.table import Frame
from tabseed.utility.measure import REAL, SOURCES, SYNTHETIC, Measured, Measuring, measure

GAIN = "of what real rows gain over a constant"


@dataclass(frozen=True)
class UtilityGap:
    """The loss of one model by training on synthetic rows; 95 % intervals over rows, draws, seeds.

    ``signed`` is R(f~) - R(f^), paired by row; positive means that synthetic rows are worse.
    ``absolute`` is its size, the utility of the paper; it cannot be negative and is biased upwards
    near 0. ``relative`` is (R_trivial - R(f~)) / (R_trivial - R(f^)), 1 if nothing is lost, where
    the trivial model predicts the mean or the commonest class of the training rows; it is None if
    f^ is not reliably better than that, because the ratio then has no meaning. ``risks`` and
    ``scores`` (AUC or R2) have one Estimate for each of
    :data:`~tabseed.utility.measure.SOURCES`; ``score_costs`` is the score of the real rows minus
    that of each other source. Scores are None if they do not exist: one class only, or a constant,
    is held out. ``se_rows``, ``se_draws`` and ``se_seeds`` are the parts of the standard error of
    ``signed`` by cause. With one draw (one seed) the gap is that of this synthetic table (this
    seed), and the interval does not cover the random choice of it; with few draws the interval
    treats their effect as normal (measured: ``benchmarks/utility_coverage.py``).
    """

    model: str
    task: Task
    risk_trivial: Estimate
    risks: dict[str, Estimate]
    signed: Estimate
    absolute: Estimate
    relative: Estimate | None
    scores: dict[str, Estimate] | None
    score_costs: dict[str, Estimate] | None
    se_rows: float
    se_draws: float
    se_seeds: float
    draws: int
    seeds: int
    n_holdout: int

    @property
    def headline(self) -> Estimate:
        """The signed gap."""
        return self.signed

    @property
    def risk_real(self) -> Estimate:
        """R(f^)."""
        return self.risks[REAL]

    @property
    def risk_synthetic(self) -> Estimate:
        """R(f~)."""
        return self.risks[SYNTHETIC]

    @property
    def score(self) -> str:
        """Which score: "AUC" or "R2"."""
        return SCORES[self.task]

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON-ready form."""
        return asdict(self)

    def __str__(self) -> str:
        gap, low, high = self.signed.value, self.signed.low, self.signed.high
        if low > 0:
            result = "training on the synthetic rows costs"
        elif high < 0:
            result = "training on the synthetic rows gains"
            gap, low, high = -gap, -high, -low
        else:
            result = "no reliable difference; training on the synthetic rows costs"
        return (
            f"{self.model}: {result} {number(gap, '.4g')} {self.signed.unit} (95 % interval "
            f"{span(low, high, '.4g')}; real {self.risk_real.value:.4g}, trivial "
            f"{self.risk_trivial.value:.4g})"
        )


def model_first(function: Called) -> Called:
    """Accept the model before the tables, as in the last release, with a FutureWarning."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if args and "model" not in kwargs and hasattr(args[0], "fit"):
            warnings.warn(
                f"{function.__name__}: the model comes after the tables, as model=...; "
                "the old order will be removed in the next release",
                FutureWarning,
                stacklevel=3,  # the decorator renamed is outside
            )
            kwargs["model"], args = args[0], args[1:]
        return function(*args, **kwargs)

    return wrapper  # type: ignore[return-value]


@renamed(how="settings")
@model_first
def generalization_utility(
    train: Frame,
    synthetic: Frame | Sequence[Frame],
    holdout: Frame,
    target: str,
    settings: Measuring | None = None,
    random_state: RandomState = 0,
    *,
    model: Any,
) -> UtilityGap:
    """Return what ``model`` loses if it is trained on synthetic instead of real rows.

    ``model`` is a scikit-learn estimator; ``train``, ``synthetic`` (one table, or a list of draws,
    ideally from generators trained independently) and ``holdout`` are frames or Tables;
    ``settings`` are seeds and jobs. The held-out rows must have trained neither model nor
    generator.

    The name is that of the paper (Xu, Sun and Cheng, arXiv 2305.10015); the intervals are ours.
    Raises the errors of :func:`~tabseed.utility.measure.measure`. Cost: S (3 D + 2) fits, and D
    fits of a forest unless ``settings.responses`` are given.
    """
    alone = one(model, settings)
    measured = measure(train, synthetic, holdout, target, alone, random_state)
    return gaps(measured)[0]


def one(model: Any, settings: Measuring | None) -> Measuring:
    """Return the settings with a single model, named after its class."""
    settings = given_or_default(settings, Measuring)
    if settings.models is not None:
        raise TabseedError("give either model=..., or models in a Measuring to measure(), not both")
    if not ESTIMATOR.accepts(model):
        raise TabseedError(f"model={shown(model)} is not {ESTIMATOR}")
    return replace(settings, models={type(model).__name__: model})


def gaps(measured: Measured) -> tuple[UtilityGap, ...]:
    """Return the utility gap of each model. Cost: passes over the measured arrays."""
    return tuple(_gap(measured, k) for k in range(len(measured.models)))


def _gap(measured: Measured, k: int) -> UtilityGap:
    problem, y = measured.problem, measured.y
    classes = problem.task == "classification"
    unit = RISKS[problem.task]
    added = (BALANCED, SHARE) if classes else ((), ())
    losses = {s: loss(problem, y, outputs[k]) for s, outputs in measured.on_holdout.items()}
    trivial = trivial_losses(measured)[None, None]
    difference = losses[SYNTHETIC] - losses[REAL]
    signed = mean_over(difference, added=added[0])
    relative = ratio(trivial - losses[SYNTHETIC], trivial - losses[REAL], added[0])
    scores, costs = _scores(measured, k)
    ceiling = 1.0 if classes else np.inf

    def risk(rows: np.ndarray) -> Estimate:
        return mean_over(rows, added=added[1]).estimate(unit, floor=0.0, ceiling=ceiling)

    return UtilityGap(
        model=measured.models[k],
        task=problem.task,
        risk_trivial=risk(trivial),
        risks={source: risk(losses[source]) for source in SOURCES},
        signed=signed.estimate(unit, floor=-ceiling, ceiling=ceiling),
        absolute=_absolute(signed).estimate(unit, floor=0.0, ceiling=ceiling),
        relative=None if relative is None else relative.estimate(GAIN, "higher"),
        scores=scores,
        score_costs=costs,
        se_rows=signed.se_rows,
        se_draws=signed.se_draws,
        se_seeds=signed.se_seeds,
        draws=difference.shape[0],
        seeds=difference.shape[1],
        n_holdout=len(y),
    )


def _absolute(signed: Mean) -> Mean:
    """Fold at 0: an interval that contains 0 becomes one that begins at 0."""
    ends = sorted((abs(signed.low), abs(signed.high)))
    low = 0.0 if signed.low <= 0 <= signed.high else ends[0]
    return replace(signed, value=abs(signed.value), low=low, high=ends[1])


def trivial_losses(measured: Measured) -> np.ndarray:
    """Return the losses (h,) of predicting the mean or commonest class of the training rows."""
    y = measured.y_train
    if measured.problem.task == "regression":
        return np.asarray((measured.y - y.mean()) ** 2)
    return np.asarray((measured.y != np.bincount(y.astype(np.int64)).argmax()).astype(np.float64))


# --- other scores -------------------------------------------------------------------------------


def _scores(
    measured: Measured, k: int
) -> tuple[dict[str, Estimate] | None, dict[str, Estimate] | None]:
    """Return each source's score, and how much lower it is than that of the real rows."""
    unit = SCORES[measured.problem.task]
    floor = 0.0 if measured.problem.task == "classification" else -np.inf
    parts = {}
    for source in SOURCES:
        rows = score_rows(measured.problem.task, measured.y, measured.on_holdout[source][k])
        if rows is None:
            return None, None
        parts[source] = rows
    scores = {
        source: mean_over(r).estimate(unit, "higher", floor=floor, ceiling=1.0)
        for source, r in parts.items()
    }
    costs = {
        source: mean_over(parts[REAL] - r).estimate(unit, "lower")
        for source, r in parts.items()
        if source != REAL
    }
    return scores, costs
