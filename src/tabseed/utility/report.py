"""All that utility says of one synthetic table, the verdict first: what ``tabseed utility`` prints.

Notation: K models, D synthetic tables, S seeds, h rows held out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.base import clone

from tabseed._progress import Progress, part
from tabseed._random import RandomState, child, seed_sequence
from tabseed.errors import TooFewRowsError, renamed
from tabseed.estimates.estimate import Estimate
from tabseed.estimates.means import BALANCED, mean_over
from tabseed.estimates.scores import SCORES, Task, score_rows
from tabseed.metrics import ChiSquareDivergence, ChiSquareResult
from tabseed.metrics.leakage import conform
from tabseed.table import Table
from tabseed.table.schema import Schema
from tabseed.utility.averaging import SeveralSets, error_of_several
from tabseed.utility.bound import BoundReport, utility_bound
from tabseed.utility.decomposition import (
    WORDS,
    Decomposition,
    decompose,
    mean_decomposition,
)
from tabseed.utility.gap import RISKS, UtilityGap, gaps
from tabseed.utility.measure import REAL, SYNTHETIC, Measured, Measuring, measure
from tabseed.utility.problem import loss
from tabseed.utility.ranking import (
    TRTR_REPEATED,
    TRTS,
    TSTR,
    TSTR_SAME,
    TSTS,
    RankingReport,
    rank,
)

MODELS, RANKS, FIDELITY = range(3)  # streams below that of a report
RANKINGS = {  # what models trained on, and by what they are judged if not by real rows
    TSTR: "trained on synthetic rows",
    TSTS: "the same, judged by synthetic rows",
    TRTS: "on real rows, judged by synthetic",
    TSTR_SAME: "on as many synthetic rows as real",
    TRTR_REPEATED: "on real rows repeated",
}
SHARE_OF_FITS = 80  # per cent of the time, roughly, that goes into models


@dataclass(frozen=True)
class UtilityReport:
    """Whether synthetic rows serve in the place of the real ones, by K models of many kinds.

    ``cost``: what training on the synthetic rows costs in AUC or R2 (``score``), the mean over
    models, positive where synthetic is worse; in the error rate where one class only was held
    out. ``gaps``, ``terms`` and ``bounds`` have an entry for each model, ``mean_term`` is of the
    mean over models. ``fidelity`` is the chi-square divergence of the features. ``several``
    predicts what averaging over tables gains, None for one table. ``n_unknown`` of the rows held
    out are of a class that the training rows lack.
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
    n_unknown: int

    @property
    def headline(self) -> Estimate:
        """The mean cost."""
        return self.cost

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say in plain words what is lost, who is chosen, whether models rank alike, and why."""
        words = self.ranking
        return (self._loss(), words.choice_in_words(), words.pairs_in_words(TSTR), self._reason())

    @property
    def verdict(self) -> str:
        """The sentences in one."""
        return " ".join(self.sentences)

    def _loss(self) -> str:
        cost, tables = self.cost, self._tables
        ends = sorted((cost.low, cost.high))
        if cost.high < 0:
            ends = [-cost.high, -cost.low]
        interval = " to ".join(_said(end, cost.unit) for end in ends)
        size = f"{_said(abs(cost.value), cost.unit)} {_unit(cost.unit)}"
        found = f"(95 % interval {interval}, mean of {len(self.gaps)} models)"
        if cost.low > 0:
            return f"Training on the {tables} costs {size} {found}."
        if cost.high < 0:
            return f"Training on the {tables} gains {size} {found}."
        way = "gain" if cost.value < 0 else "cost"
        return (
            f"No sure cost or gain of training on the {tables}: in {self.n_holdout} held-out rows "
            f"a {way} of {size} ({found[1:-1].replace('interval', 'interval of the cost')})."
        )

    def _reason(self) -> str:
        term, name = self.mean_term, self.mean_term.dominant
        gap = f"Of the mean gap of {term.direct.value:+.3g} in {term.direct.unit}"
        if name is None:
            return f"{gap}, no term is surely other than 0."
        return (
            f"{gap}, the largest sure part is the {name} term, {term.terms[name].value:+.3g}: "
            f"{WORDS[name]}."
        )

    @property
    def _tables(self) -> str:
        return "synthetic table" if len(self.n_synthetic) == 1 else "synthetic tables"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Everything that limits what the numbers mean."""
        found = (*self.ranking.warnings, *self.fidelity.warnings)
        if not self.n_unknown:
            return found
        return (
            f"held-out rows of a class that no training row has: {self.n_unknown}; every model is "
            "wrong there",
            *found,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give everything, JSON-ready; None for a number that does not exist."""
        found = {
            "verdict": self.verdict,
            "target": self.target,
            "task": self.task,
            "score": self.score,
            "cost": self.cost.to_dict(),
            "rows": {
                "train": self.n_train,
                "synthetic": list(self.n_synthetic),
                "holdout": self.n_holdout,
                "of_unknown_class": self.n_unknown,
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
        plain: dict[str, Any] = _plain(found)
        return plain


def _said(number: float, unit: str = "") -> str:
    """Write a score with three decimals, any other number, of whatever scale, with three digits."""
    text = f"{number:.3f}" if unit in SCORES.values() else f"{number:.3g}"
    return "0" + text[2:] if text.startswith("-0") and not float(text) else text


def _unit(name: str) -> str:
    return name if name in SCORES.values() else f"in {name}"


def _plain(found: Any) -> Any:
    """Put None in the place of numbers that JSON lacks."""
    if isinstance(found, dict):
        return {key: _plain(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_plain(value) for value in found]
    return None if isinstance(found, float) and not math.isfinite(found) else found


@renamed(how="settings")
def assess_utility(
    train: Any,
    synthetic: Any,
    holdout: Any,
    target: str,
    settings: Measuring | None = None,
    random_state: RandomState = 0,
    *,
    fidelity: ChiSquareDivergence | None = None,
) -> UtilityReport:
    """Measure gaps, their terms, rankings and the fidelity of features, all from the same fits.

    ``train`` trained the generator, ``holdout`` trained nothing; ``synthetic`` is one table or a
    list of them from generators trained independently. All are frames or Tables. ``settings``
    are models, seeds and jobs; ``fidelity`` compares the features, None:
    :class:`~tabseed.metrics.ChiSquareDivergence` as it is. The same bytes for any ``n_jobs``.

    Raises LeakageError, SchemaError, TooFewRowsError. Cost: that of
    :func:`~tabseed.utility.measure.measure`, and of ``fidelity``.
    """
    stream = seed_sequence(random_state)
    real = Table.from_frame(train)
    many = list(synthetic) if isinstance(synthetic, list | tuple) else [synthetic]
    tables = [conform(frame, real.schema.modelled, "synthetic") for frame in many]
    held = conform(holdout, real.schema.modelled, "holdout")
    settings = settings or Measuring()
    metric = clone(ChiSquareDivergence() if fidelity is None else fidelity)
    metric.set_params(n_jobs=settings.n_jobs)
    for name, n in (("held-out", len(held)), ("synthetic", sum(map(len, tables)))):
        if n < metric.min_rows:
            raise TooFewRowsError(
                f"a report on utility needs at least {metric.min_rows} {name} rows, got {n}"
            )
    fits = part(settings.progress, 0, SHARE_OF_FITS)
    last = part(settings.progress, SHARE_OF_FITS, 100)
    own = replace(settings, progress=fits)
    measured = measure(real, tables, held, target, own, child(stream, MODELS))
    covered = _fidelity((real, tables, held), target, metric, child(stream, FIDELITY), last)
    return UtilityReport(
        target=target,
        task=measured.problem.task,
        score=SCORES[measured.problem.task],
        cost=mean_cost(measured),
        gaps=gaps(measured),
        terms=decompose(measured),
        mean_term=mean_decomposition(measured),
        ranking=rank(measured, random_state=child(stream, RANKS)),
        fidelity=covered,
        bounds=utility_bound(measured, max(0.0, covered.plugin.value)),
        several=error_of_several(measured) if len(tables) > 1 else None,
        n_train=len(real),
        n_synthetic=tuple(map(len, tables)),
        n_holdout=len(held),
        n_unknown=int((measured.y < 0).sum()) if measured.problem.task == "classification" else 0,
    )


def mean_cost(measured: Measured) -> Estimate:
    """Give the mean over models of the score lost by training on synthetic rows, paired by row.

    Of AUC or R2; of the share of wrong classes where one class only is held out, of the squared
    error where the target held out is constant.
    """
    problem, y = measured.problem, measured.y
    lost = []
    for pair in zip(measured.on_holdout[REAL], measured.on_holdout[SYNTHETIC], strict=True):
        real, drawn = (score_rows(problem.task, y, said) for said in pair)
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
    metric: ChiSquareDivergence,
    stream: np.random.SeedSequence,
    progress: Progress | None,
) -> ChiSquareResult:
    """Compare the features, target left out, of all synthetic tables with those held out."""
    real, drawn, held = tables
    features = Schema(tuple(c for c in real.schema.modelled if c.name != target))
    stacked = pa.concat_tables([table.select(features).to_arrow() for table in drawn])
    return metric.evaluate(
        held.select(features),
        Table.from_frame(stacked, schema=features),
        train=real.select(features),
        random_state=stream,
        progress=progress,
    )
