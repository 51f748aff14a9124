"""What training on synthetic rows instead of the real ones costs, by a few models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from tabseed._progress import Progress, silent
from tabseed._random import at_most, child
from tabseed.coding.labels import target_note
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.means import BALANCED, Added, mean_over
from tabseed.estimates.scores import SCORES, Task, form_of, score_rows
from tabseed.estimates.words import number, span
from tabseed.metrics.models import output, train, zoo
from tabseed.metrics.problem import Labelled, Problem, loss, points
from tabseed.table import Table

RISKS: dict[Task, str] = {"regression": "squared error", "classification": "share wrong"}
MODELS = ("linear", "forest", "boosting")
UNCLEAR = 0.1  # a loss or gain of AUC or R2 that cannot be excluded: nothing is known
MOST_ROWS = 5_000  # that a model learns from
ROWS, FIT, DRAWS = range(3)  # streams below that of a measurement


@dataclass(frozen=True)
class Cost:
    """The cost of learning ``target`` from synthetic rows: the score lost, positive if worse.

    The mean over models, in AUC or R2; its interval covers the choice of held-out rows.
    ``read_as``: how whole numbers of the target were read, if that was a choice. ``rows`` (h,):
    what each held-out row adds, with ``cost`` as its mean; ``redrawn``: the costs of as
    many rows drawn from the synthetic table with replacement. Neither is in :meth:`to_dict`.
    """

    target: str
    cost: Estimate
    models: tuple[str, ...]
    read_as: tuple[str, ...] = ()
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False, compare=False)
    redrawn: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False, compare=False)

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


@dataclass(frozen=True)
class Yardstick:
    """What models that learned the real rows say of held-out ones: the measure of other rows.

    A linear model, a forest and boosted trees learn from at most 5,000 rows each, drawn at random.
    """

    problem: Problem
    judged: Labelled
    models: dict[str, Any]
    by_real: list[np.ndarray]
    note: tuple[str, ...]
    stream: np.random.SeedSequence

    @classmethod
    def of(
        cls,
        real: Table,
        holdout: Table,
        target: str,
        stream: np.random.SeedSequence,
        *,
        least: int | None = None,
        step: Callable[[], None] = lambda: None,
    ) -> Self:
        """Let the models learn the real rows; ``least``: the fewest rows that others learn from.

        Raises SchemaError or TooFewRowsError for tables that pose no such problem.
        """
        problem = Problem.of(real, target)
        judged = problem.rows(holdout, "holdout")
        rows = problem.rows(real, "train", to_train=True)
        rows = rows.take(at_most(len(rows), MOST_ROWS, child(stream, ROWS, 0)))
        models = zoo(problem.task, len(rows) if least is None else min(len(rows), least))
        made = cls(problem, judged, models, [], target_note(real.schema, target), stream)
        return replace(made, by_real=made.learned(rows, step))

    def rows(self, synthetic: Table) -> Labelled:
        """Return the rows of a table that models learn from."""
        rows = self.problem.rows(synthetic, "synthetic", to_train=True)
        return rows.take(at_most(len(rows), MOST_ROWS, child(self.stream, ROWS, 1)))

    def learned(self, rows: Labelled, step: Callable[[], None]) -> list[np.ndarray]:
        """Return what each model says of the held-out rows after learning ``rows``."""
        x, inputs = points(rows, self.judged)
        outputs = []
        for at, name in enumerate(MODELS):
            step()
            # the model decides the stream, not the rows: comparisons are paired
            own = child(self.stream, FIT, at)
            fitted = train(self.models[name], x, rows.y, self.problem, own)
            outputs.append(output(fitted, inputs, self.problem)[None, None])
        return outputs

    def cost(self, rows: Labelled, draws: int = 0, step: Callable[[], None] = lambda: None) -> Cost:
        """Return the cost of learning ``rows``, and of as many drawn from them, ``draws`` times."""
        y, learned = self.judged.y, self.learned(rows, step)
        each = cost_rows(self.problem, y, self.by_real, learned).values[0, 0]
        rng = np.random.default_rng(child(self.stream, DRAWS))
        samples = [rows.take(rng.integers(0, len(rows), len(rows))) for _ in range(draws)]
        redrawn = [
            float(
                cost_rows(self.problem, y, self.by_real, self.learned(sample, step)).values.mean()
            )
            for sample in samples
        ]
        cost = mean_cost(self.problem, y, self.by_real, learned)
        return Cost(self.problem.target, cost, MODELS, self.note, each, np.array(redrawn))


def costs_of_use(
    real: Table,
    synthetics: Sequence[Table],
    holdout: Table,
    target: str,
    stream: np.random.SeedSequence,
    *,
    draws: int = 0,
    progress: Progress | None = None,
) -> list[Cost]:
    """Measure the cost of predicting ``target`` for several tables, paired by held-out row.

    See :class:`Yardstick`, and its errors. The models also learn from ``draws`` bootstrap samples
    of each synthetic table, which show how its cost varies with the rows drawn
    (:attr:`Cost.redrawn`). Cost: three fits, and 3 (1 + ``draws``) for each table.
    """
    done, total = 0, len(MODELS) * (1 + len(synthetics) * (1 + draws))

    def step() -> None:
        nonlocal done
        (progress or silent)(done, total, "models")
        done += 1

    least = min(map(len, synthetics), default=MOST_ROWS)
    yardstick = Yardstick.of(real, holdout, target, stream, least=least, step=step)
    return [yardstick.cost(yardstick.rows(table), draws, step) for table in synthetics]


@dataclass(frozen=True)
class CostRows:
    """What held-out rows add to a cost, (tables, seeds, h), and how their mean is to be read."""

    values: np.ndarray
    unit: str
    added: Added


def mean_cost(
    problem: Problem, y: np.ndarray, real: Iterable[np.ndarray], synthetic: Iterable[np.ndarray]
) -> Estimate:
    """Return the mean over models of the score lost, with its interval; see :func:`cost_rows`."""
    rows = cost_rows(problem, y, real, synthetic)
    return mean_over(rows.values, added=rows.added).estimate(rows.unit)


def cost_rows(
    problem: Problem, y: np.ndarray, real: Iterable[np.ndarray], synthetic: Iterable[np.ndarray]
) -> CostRows:
    """Return the mean over models of the score lost by training on synthetic rows, paired by row.

    ``y`` (h,); for each model its outputs (tables, seeds, h) or (tables, seeds, h, C), by the rows
    that trained it. The score is AUC or R2. If only one class is held out it is the share of wrong
    classes; if the held-out target is constant it is the squared error.
    """
    real, synthetic = list(real), list(synthetic)
    losses = []
    for pair in zip(real, synthetic, strict=True):
        good, other = (score_rows(problem.task, y, outputs) for outputs in pair)
        if good is not None and other is not None:
            losses.append(good - other)
    if losses:
        return CostRows(np.mean(losses, axis=0), SCORES[problem.task], ())
    good, other = (
        np.mean([loss(problem, y, outputs) for outputs in each], axis=0)
        for each in (real, synthetic)
    )
    added = BALANCED if problem.task == "classification" else ()
    return CostRows(other - good, RISKS[problem.task], added)
