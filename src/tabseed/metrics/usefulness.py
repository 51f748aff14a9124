"""What training on synthetic rows instead of the real ones costs, by a few models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabseed._progress import Progress, silent
from tabseed._random import child
from tabseed.coding.labels import target_note
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.means import BALANCED, mean_over
from tabseed.estimates.scores import SCORES, Task, form_of, score_rows
from tabseed.estimates.words import number, span
from tabseed.metrics.models import output, train, zoo
from tabseed.metrics.problem import Labelled, Problem, loss, points
from tabseed.table import Table

RISKS: dict[Task, str] = {"regression": "squared error", "classification": "share wrong"}
MODELS = ("linear", "forest", "boosting")
UNCLEAR = 0.1  # a loss or gain of AUC or R2 that cannot be excluded: nothing is known
MOST_ROWS = 5_000  # that a model learns from
ROWS, FIT = range(2)  # streams below that of a measurement


@dataclass(frozen=True)
class Cost:
    """The cost of learning ``target`` from synthetic rows: the score lost, positive if worse.

    The mean over models, in AUC or R2; its interval covers the choice of held-out rows.
    ``read_as``: how whole numbers of the target were read, if that was a choice.
    """

    target: str
    cost: Estimate
    models: tuple[str, ...]
    read_as: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict."""
        return {"target": self.target, "cost": self.cost.to_dict(), "models": list(self.models)}

    @property
    def verdict(self) -> str:
        """The cost in a sentence."""
        cost, form = self.cost, form_of(self.cost.unit)
        amount = f"{number(abs(cost.value), form)} {cost.unit}"
        what = f"Models that learn {self.target!r} from the synthetic rows instead of the real ones"
        if cost.low > 0:
            interval = span(cost.low, cost.high, form)
            return f"{what} lose {amount} (95 % interval {interval})."
        if cost.high < 0:
            interval = span(-cost.high, -cost.low, form)
            return f"{what} gain {amount} (95 % interval {interval})."
        interval = f"(loss in {cost.unit}: {span(cost.low, cost.high, form)})"
        if max(-cost.low, cost.high) > UNCLEAR:
            return (
                f"Whether models lose or gain that learn {self.target!r} from the synthetic rows "
                f"instead of the real ones, these held-out rows cannot say {interval}."
            )
        return f"{what} lose or gain nothing reliably {interval}."


def cost_of_use(
    real: Table,
    synthetic: Table,
    holdout: Table,
    target: str,
    stream: np.random.SeedSequence,
    *,
    progress: Progress | None = None,
) -> Cost:
    """Measure the cost of predicting ``target`` by a linear model, a forest and boosted trees.

    Each learns from at most 5,000 rows, drawn at random. Raises SchemaError or TooFewRowsError
    for tables that pose no such problem. Cost: six fits.
    """
    problem = Problem.of(real, target)
    judged = problem.rows(holdout, "holdout")
    sets = [
        _at_most(problem.rows(table, name, to_train=True), child(stream, ROWS, index))
        for index, (table, name) in enumerate(((real, "train"), (synthetic, "synthetic")))
    ]
    models = zoo(problem.task, min(map(len, sets)))
    outputs: list[np.ndarray] = []
    for rows in sets:
        x, inputs = points(rows, judged)
        for at, name in enumerate(MODELS):
            (progress or silent)(len(outputs), 2 * len(MODELS), "models")
            # the model decides the stream, not the rows: comparisons are paired
            fitted = train(models[name], x, rows.y, problem, child(stream, FIT, at))
            outputs.append(output(fitted, inputs, problem)[None, None])
    k = len(MODELS)
    cost = mean_cost(problem, judged.y, outputs[:k], outputs[k:])
    return Cost(target, cost, MODELS, target_note(real.schema, target))


def mean_cost(
    problem: Problem, y: np.ndarray, real: Iterable[np.ndarray], synthetic: Iterable[np.ndarray]
) -> Estimate:
    """Return the mean over models of the score lost by training on synthetic rows, paired by row.

    ``y`` (h,); for each model its outputs (tables, seeds, h) or (tables, seeds, h, C), by the rows
    that trained it. The score is AUC or R2. If only one class is held out it is the share of wrong
    classes; if the held-out target is constant it is the squared error.
    """
    losses = []
    for pair in zip(real, synthetic, strict=True):
        good, other = (score_rows(problem.task, y, outputs) for outputs in pair)
        if good is not None and other is not None:
            losses.append(good - other)
    if losses:
        return mean_over(np.mean(losses, axis=0)).estimate(SCORES[problem.task], "lower")
    good, other = (
        np.mean([loss(problem, y, outputs) for outputs in each], axis=0)
        for each in (real, synthetic)
    )
    added = BALANCED if problem.task == "classification" else ()
    return mean_over(other - good, added=added).estimate(RISKS[problem.task])


def _at_most(rows: Labelled, stream: np.random.SeedSequence) -> Labelled:
    if len(rows) <= MOST_ROWS:
        return rows
    return rows.take(np.sort(np.random.default_rng(stream).permutation(len(rows))[:MOST_ROWS]))
