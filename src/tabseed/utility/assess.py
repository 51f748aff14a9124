"""All that utility says of one synthetic table, the verdict first: what ``tabseed utility`` prints.

Notation: K models, D synthetic tables, S seeds, h rows held out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from tabseed._random import RandomState, child, seed_sequence
from tabseed.metrics import ChiSquareDivergence, ChiSquareResult
from tabseed.metrics.base import Estimate, conform
from tabseed.schema import Schema
from tabseed.supervised import Task
from tabseed.table import Table
from tabseed.utility.bound import BoundReport, utility_bound
from tabseed.utility.decomposition import (
    WORDS,
    Decomposition,
    decompose,
    mean_decomposition,
)
from tabseed.utility.gap import PLAIN, RISKS, SCORES, UtilityGap, gaps, score_rows
from tabseed.utility.interval import BALANCED, mean_over
from tabseed.utility.measure import REAL, SYNTHETIC, Measured, Measuring, Progress, measure
from tabseed.utility.models import loss
from tabseed.utility.ranking import RankingReport, rank
from tabseed.utility.several import SeveralSets, error_of_several

MODELS, RANKS, FIDELITY = range(3)  # streams below that of a report
SHARE_OF_FITS = 80  # per cent of the time, roughly, that goes into models


@dataclass(frozen=True)
class UtilityReport:
    """Whether synthetic rows serve in the place of the real ones, by K models of many kinds.

    ``cost``: what training on the synthetic rows costs in AUC or R2 (``score``), the mean over
    models, positive where synthetic is worse; in the error rate where one class only was held
    out. ``gaps``, ``terms`` and ``bounds`` have an entry for each model, ``mean_term`` is of the
    mean over models. ``fidelity`` is the chi-square divergence of the features. ``several``
    predicts what averaging over tables gains, None for one table.
    """

    target: str
    task: Task
    score: str
    cost: Estimate
    gaps: tuple[UtilityGap, ...]
    terms: tuple[Decomposition, ...]
    mean_term: Decomposition
    ranking: RankingReport
    fidelity: ChiSquareResult
    bounds: tuple[BoundReport, ...]
    several: SeveralSets | None
    n_train: int
    n_synthetic: tuple[int, ...]
    n_holdout: int

    @property
    def headline(self) -> Estimate:
        """The mean cost."""
        return self.cost

    @property
    def dominant(self) -> str:
        """Say which term of the mean gap is the largest."""
        name = self.mean_term.dominant
        if name is None:
            return "no term of the mean gap is told from 0"
        return f"the {name} term dominates: {WORDS[name]}"

    @property
    def verdict(self) -> str:
        """Say in plain words what the synthetic rows cost, and whether they choose alike."""
        cost, size = self.cost, abs(self.cost.value)
        found = (
            f"(95 % interval {cost.low:+.3f} to {cost.high:+.3f}, mean of {len(self.gaps)} models)"
        )
        if cost.low > 0:
            says = f"Training on the synthetic table costs {size:.3f} {cost.unit} {found}."
        elif cost.high < 0:
            says = f"Training on the synthetic table gains {size:.3f} {cost.unit} {found}."
        else:
            says = (
                f"These {self.n_holdout} held-out rows show no cost of training on the synthetic "
                f"table: {cost.value:+.3f} {cost.unit} {found}."
            )
        return f"{says} {self.ranking.verdict} {self.dominant.capitalize()}."

    @property
    def warnings(self) -> tuple[str, ...]:
        """Everything that limits what the numbers mean."""
        return (*self.ranking.warnings, *self.fidelity.warnings)

    def to_dict(self) -> dict[str, Any]:
        """Give everything, JSON-ready."""
        return {
            "verdict": self.verdict,
            "target": self.target,
            "task": self.task,
            "score": self.score,
            "cost": self.cost.to_dict(),
            "rows": {
                "train": self.n_train,
                "synthetic": list(self.n_synthetic),
                "holdout": self.n_holdout,
            },
            "models": {
                gap.model: {
                    "gap": gap.to_dict(),
                    "terms": term.to_dict(),
                    "bound": bound.to_dict(),
                }
                for gap, term, bound in zip(self.gaps, self.terms, self.bounds, strict=True)
            },
            "mean_terms": self.mean_term.to_dict(),
            "ranking": self.ranking.to_dict(),
            "fidelity": self.fidelity.to_dict(),
            "several": None if self.several is None else self.several.to_dict(),
            "warnings": list(self.warnings),
        }


def assess_utility(
    train: Any,
    synthetic: Any,
    holdout: Any,
    target: str,
    how: Measuring = PLAIN,
    random_state: RandomState = 0,
) -> UtilityReport:
    """Measure gaps, their terms, rankings and the fidelity of features, all from the same fits.

    ``train`` trained the generator, ``holdout`` trained nothing; ``synthetic`` is one table or a
    list of them from generators trained independently. All are frames or Tables. Raises
    LeakageError, SchemaError, TooFewRowsError. Cost: that of
    :func:`~tabseed.utility.measure.measure`, and a
    :class:`~tabseed.metrics.ChiSquareDivergence`.
    """
    stream = seed_sequence(random_state)
    real = Table.from_frame(train)
    many = list(synthetic) if isinstance(synthetic, list | tuple) else [synthetic]
    tables = [conform(frame, real.schema.modelled, "synthetic") for frame in many]
    held = conform(holdout, real.schema.modelled, "holdout")
    told = replace(how, progress=_stage(how.progress, 0, SHARE_OF_FITS))
    measured = measure(real, tables, held, target, told, child(stream, MODELS))
    fidelity = _fidelity((real, tables, held), target, how, child(stream, FIDELITY))
    return UtilityReport(
        target=target,
        task=measured.problem.task,
        score=SCORES[measured.problem.task],
        cost=mean_cost(measured),
        gaps=gaps(measured),
        terms=decompose(measured),
        mean_term=mean_decomposition(measured),
        ranking=rank(measured, random_state=child(stream, RANKS)),
        fidelity=fidelity,
        bounds=utility_bound(measured, max(0.0, fidelity.plugin.value)),
        several=error_of_several(measured) if len(tables) > 1 else None,
        n_train=len(real),
        n_synthetic=tuple(map(len, tables)),
        n_holdout=len(held),
    )


def mean_cost(measured: Measured) -> Estimate:
    """Give the mean over models of the score lost by training on synthetic rows, paired by row.

    Of AUC or R2; of the share of wrong classes where one class only is held out, of the squared
    error where the target held out is constant.
    """
    problem, y = measured.problem, measured.y
    lost = []
    for pair in zip(measured.on_holdout[REAL], measured.on_holdout[SYNTHETIC], strict=True):
        real, drawn = (score_rows(problem, y, said) for said in pair)
        if real is not None and drawn is not None:
            lost.append(real - drawn)
    if lost:
        return mean_over(np.mean(lost, axis=0)).estimate(SCORES[problem.task], "lower")
    risk = {s: loss(problem, y, measured.on_holdout[s]).mean(axis=0) for s in (REAL, SYNTHETIC)}
    added = BALANCED if problem.task == "classification" else ()
    return mean_over(risk[SYNTHETIC] - risk[REAL], added=added).estimate(RISKS[problem.task])


def _fidelity(
    tables: tuple[Table, list[Table], Table],
    target: str,
    how: Measuring,
    stream: np.random.SeedSequence,
) -> ChiSquareResult:
    """Compare the features, target left out, of all synthetic tables with those held out."""
    real, drawn, held = tables
    features = Schema(tuple(c for c in real.schema.modelled if c.name != target))
    stacked = pa.concat_tables([table.select(features).to_arrow() for table in drawn])
    metric = ChiSquareDivergence(
        n_jobs=how.n_jobs, progress=_stage(how.progress, SHARE_OF_FITS, 100)
    )
    return metric.evaluate(
        held.select(features),
        Table.from_frame(stacked, schema=features),
        train=real.select(features),
        random_state=stream,
    )


def _stage(
    progress: Progress | None, start: int, end: int
) -> Callable[[int, int, str], None] | None:
    """Turn the progress of one step into that of all, in per cent."""
    if progress is None:
        return None

    def forward(done: int, total: int, message: str) -> None:
        progress(start + (end - start) * done // total, 100, message)

    return forward
