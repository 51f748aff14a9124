"""The report on the utility of synthetic tables, the verdict first; ``tabseed utility`` prints it.

Notation: K models, D synthetic tables, S seeds, h held-out rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.base import clone

from tabseed._progress import Progress, part
from tabseed._random import RandomState, child, seed_sequence, seed_text
from tabseed.coding.labels import target_note
from tabseed.errors import FormerName, TooFewRowsError, renamed
from tabseed.estimates.estimate import Estimate, finite
from tabseed.estimates.scores import SCORES, Task, form_of
from tabseed.estimates.words import few_rows, number, span
from tabseed.metrics import ChiSquareDivergence, ChiSquareResult
from tabseed.metrics.leakage import conform, unknown_values
from tabseed.metrics.usefulness import mean_cost
from tabseed.pages import Finding, Heading, Row
from tabseed.parameters import SEED, InstanceOf, checked, given_or_default, or_none
from tabseed.table import Frame, Table, table_to_learn
from tabseed.table.schema import Schema
from tabseed.utility import drawing
from tabseed.utility.averaging import SeveralSets, error_of_several
from tabseed.utility.bound import BoundReport, utility_bound
from tabseed.utility.decomposition import (
    WORDS,
    Decomposition,
    decompose,
    mean_decomposition,
)
from tabseed.utility.gap import UtilityGap, gaps
from tabseed.utility.measure import (
    AUGMENTED,
    REAL,
    REPEATED,
    SAME_SIZE,
    SYNTHETIC,
    Measured,
    Measuring,
    as_list,
    measure,
)
from tabseed.utility.ranking import (
    TRTR_REPEATED,
    TRTS,
    TSTR,
    TSTR_SAME,
    TSTS,
    RankingReport,
    rank,
)

TRAINED_ON = {  # keys of a report's rows, and the training rows of the models
    "real": REAL,
    "synthetic": SYNTHETIC,
    "synthetic_same_size": SAME_SIZE,
    "real_repeated": REPEATED,
    "augmented": AUGMENTED,
}
HEADINGS = (
    Heading.text("model", "model"),
    Heading.number("real", "real", ".4g"),
    Heading.number("synthetic", "synthetic", ".4g"),
    Heading.number("as many", "synthetic_same_size", ".4g"),
    Heading.number("repeated", "real_repeated", ".4g"),
    Heading.number("both", "augmented", ".4g"),
    Heading.number("cost", "cost", "+.4g"),
    Heading.span("95 % interval", "cost_low", "cost_high", "+.4g"),
)
SIGNED = "+.3g"  # the format of a gap or a term
MODELS, RANKS, FIDELITY = range(3)  # streams below that of a report
RANKINGS = {  # the training rows of the models, and the rows that judge if not real ones
    TSTR: "trained on synthetic rows",
    TSTS: "the same, judged by synthetic rows",
    TRTS: "on real rows, judged by synthetic",
    TSTR_SAME: "on as many synthetic rows as real",
    TRTR_REPEATED: "on real rows repeated",
}
SHARE_OF_FITS = 80  # per cent of the time that models take, roughly


@dataclass(frozen=True, repr=False)
class UtilityReport(Finding):
    """Whether synthetic rows can replace the real ones, judged by K models of many kinds.

    ``cost`` is the cost of training on the synthetic rows in AUC or R2 (``score``), the mean over
    models, positive if synthetic rows are worse; it is in the error rate if only one class was
    held out. ``cost_augmented`` is that of training on the real rows and as many synthetic ones,
    negative if synthetic rows help beside the real ones. ``gaps``, ``terms`` and ``bounds`` have an
    entry for each model; ``mean_term`` is for the mean over models. ``fidelity`` is the chi-square
    divergence of the features. ``several`` predicts what averaging over tables gains, and is None
    for one table. ``n_unknown`` of the held-out rows have a class that the training rows lack.
    ``target_read_as`` says how whole numbers of the target were read, ``unknown`` which values the
    training table lacks.
    """

    title = "Can the synthetic rows replace the real ones?"
    _template = "utility/page.html"

    target: str
    task: Task
    score: str
    cost: Estimate
    cost_augmented: Estimate
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
    settings: dict[str, str] = field(compare=False)
    target_read_as: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def headline(self) -> Estimate:
        """The mean cost."""
        return self.cost

    @property
    def sentences(self) -> tuple[str, ...]:
        """What is lost, and which model is chosen, in words."""
        return (self._loss(), self.ranking.choice_in_words())

    @property
    def verdict(self) -> str:
        """Both sentences in one text."""
        return " ".join(self.sentences)

    def _loss(self) -> str:
        return self._cost_in_words(self.cost, f"training on the {self._tables}")

    def _augmented(self) -> str:
        training = "training on the real rows and as many synthetic ones"
        return self._cost_in_words(self.cost_augmented, training)

    def _cost_in_words(self, cost: Estimate, training: str) -> str:
        low, high, unit = cost.low, cost.high, cost.unit
        form = form_of(unit)
        amount = number(abs(cost.value), form)
        amount = f"{amount} {unit}" if unit in SCORES.values() else f"{amount} in {unit}"
        models = f"mean of {len(self.gaps)} models"
        if low > 0:
            interval = f"95 % interval {span(low, high, form)}"
            return f"{training.capitalize()} costs {amount} ({interval}, {models})."
        if high < 0:
            interval = f"95 % interval {span(-high, -low, form)}"
            return f"{training.capitalize()} gains {amount} ({interval}, {models})."
        named, other = ("gain", "cost") if cost.value < 0 else ("cost", "gain")
        if named == "gain":
            low, high = -high, -low
        return (
            f"No reliable cost or gain of {training}: on {self.n_holdout} held-out rows a "
            f"{named} of {amount} (95 % interval {span(low, high, form)}, below 0 a {other}; "
            f"{models})."
        )

    def _reason(self) -> str:
        term, name = self.mean_term, self.mean_term.dominant
        gap = f"Of the mean gap of {number(term.direct.value, SIGNED)} in {term.direct.unit}"
        if name is None:
            return f"{gap}, no term differs reliably from 0."
        size = number(term.terms[name].value, SIGNED)
        return f"{gap}, the largest reliable part is the {name} term, {size}: {WORDS[name]}."

    @property
    def _tables(self) -> str:
        return "synthetic table" if len(self.n_synthetic) == 1 else "synthetic tables"

    @property
    def notes(self) -> tuple[str, ...]:
        """Whether models rank alike, why anything is lost, and what limits the numbers."""
        unknown = (
            f"held-out rows of a class that no training row has: {self.n_unknown}; every model is "
            "wrong there"
        )
        return (
            *([unknown] if self.n_unknown else []),
            self._augmented(),
            self.ranking.pairs_in_words(TSTR),
            self._reason(),
            *self.ranking.warnings,
            *self.fidelity.warnings,
            *few_rows({"training": self.n_train, "held-out": self.n_holdout}),
            *self.target_read_as,
            *self.unknown,
        )

    warnings = FormerName("notes")

    @property
    def headings(self) -> tuple[Heading, ...]:
        """Each model, its score by training rows, and its cost of training on synthetic rows."""
        return HEADINGS

    @property
    def unit(self) -> str:
        """The unit of :meth:`rows`: AUC or R2, or the risk if there is no such score."""
        first = self.gaps[0]
        return first.signed.unit if first.scores is None else self.score

    def rows(self) -> list[Row]:
        """Return each model's score (or risk) by training rows, and the cost of synthetic ones."""
        rows = []
        for gap in self.gaps:
            cost = gap.score_costs[SYNTHETIC] if gap.score_costs else gap.signed
            scores = gap.scores or gap.risks
            rows.append(
                {
                    "model": gap.model,
                    "unit": self.unit,
                    **{key: scores[source].value for key, source in TRAINED_ON.items()},
                    "cost": cost.value,
                    "cost_low": cost.low,
                    "cost_high": cost.high,
                }
            )
        return rows

    @property
    def all_terms(self) -> tuple[Decomposition, ...]:
        """The terms of each model, and of the mean over models."""
        return (*self.terms, self.mean_term)

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON-ready form; a number that does not exist is None."""
        everything = {
            "verdict": self.verdict,
            "notes": list(self.notes),
            "target": self.target,
            "task": self.task,
            "score": self.score,
            "cost": self.cost.to_dict(),
            "cost_augmented": self.cost_augmented.to_dict(),
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
            "warnings": list(self.notes),
            "settings": dict(self.settings),
        }
        return finite(everything)

    def _page(self) -> dict[str, Any]:
        return self.pictures()

    def pictures(self) -> dict[str, Any]:
        """Return what the sections of the page need (``utility/sections.html``)."""
        return {
            "costs": drawing.costs(self.rows()),
            "terms": drawing.terms(self.all_terms),
            "words": WORDS,
            "rankings": [drawing.ranked(self.ranking, cell) for cell in (TSTR, TSTS)],
        }

    def _settings(self) -> dict[str, str]:
        return self.settings


@renamed(how="settings")
@checked(
    random_state=SEED,
    fidelity=or_none(InstanceOf(ChiSquareDivergence, "a ChiSquareDivergence, or None")),
)
def assess_utility(
    train: Frame,
    synthetic: Frame | Sequence[Frame],
    holdout: Frame,
    target: str,
    settings: Measuring | None = None,
    random_state: RandomState = 0,
    *,
    fidelity: ChiSquareDivergence | None = None,
) -> UtilityReport:
    """Measure gaps, their terms, rankings and the fidelity of features, from one set of fits.

    ``train`` trained the generator, ``holdout`` trained nothing; ``synthetic`` is one table or a
    list of them from generators trained independently. All are frames or Tables. ``settings``
    has models, seeds and jobs; ``fidelity`` compares the features, None:
    :class:`~tabseed.metrics.ChiSquareDivergence` with its defaults. The same bytes for any
    ``n_jobs``.

    Raises LeakageError, SchemaError, TooFewRowsError. Cost: that of
    :func:`~tabseed.utility.measure.measure`, plus that of ``fidelity``.
    """
    stream = seed_sequence(random_state)
    real = table_to_learn(train)
    target = real.schema[target].name
    modelled = real.schema.modelled
    tables = [conform(frame, modelled, "synthetic") for frame in as_list(synthetic)]
    held_out = conform(holdout, real.schema.modelled, "holdout")
    settings = given_or_default(settings, Measuring)
    metric = clone(ChiSquareDivergence() if fidelity is None else fidelity)
    metric.set_params(n_jobs=settings.n_jobs)
    for name, n in (("held-out", len(held_out)), ("synthetic", sum(map(len, tables)))):
        if n < metric.min_rows:
            raise TooFewRowsError(
                f"a report on utility needs at least {metric.min_rows} {name} rows, got {n}"
            )
    fits = part(settings.progress, 0, SHARE_OF_FITS)
    rest = part(settings.progress, SHARE_OF_FITS, 100)
    settings = replace(settings, progress=fits)
    measured = measure(real, tables, held_out, target, settings, child(stream, MODELS))
    result = _fidelity((real, tables, held_out), target, metric, child(stream, FIDELITY), rest)
    return UtilityReport(
        target=target,
        task=measured.problem.task,
        score=SCORES[measured.problem.task],
        cost=_mean_cost(measured, SYNTHETIC),
        cost_augmented=_mean_cost(measured, AUGMENTED),
        gaps=gaps(measured),
        terms=decompose(measured),
        mean_term=mean_decomposition(measured),
        ranking=rank(measured, random_state=child(stream, RANKS)),
        fidelity=result,
        bounds=utility_bound(measured, max(0.0, result.plugin.value)),
        several=error_of_several(measured) if len(tables) > 1 else None,
        n_train=len(real),
        n_synthetic=tuple(map(len, tables)),
        n_holdout=len(held_out),
        n_unknown=int((measured.y < 0).sum()) if measured.problem.task == "classification" else 0,
        settings={"target": target, "seed": seed_text(stream), "seeds": str(settings.seeds)},
        target_read_as=target_note(measured.problem.schema, target),
        unknown=tuple(unknown_values(_named(tables, held_out))),
    )


def _mean_cost(measured: Measured, source: str) -> Estimate:
    outputs = measured.on_holdout
    return mean_cost(measured.problem, measured.y, outputs[REAL], outputs[source])


def _named(synthetic: list[Table], holdout: Table) -> dict[str, Table]:
    several = len(synthetic) > 1
    names = [f"synthetic ({i + 1})" if several else "synthetic" for i in range(len(synthetic))]
    return {**dict(zip(names, synthetic, strict=True)), "holdout": holdout}


def _fidelity(
    tables: tuple[Table, list[Table], Table],
    target: str,
    metric: ChiSquareDivergence,
    stream: np.random.SeedSequence,
    progress: Progress | None,
) -> ChiSquareResult:
    """Compare the features, without the target, of all synthetic tables with the held-out ones."""
    real, synthetic, held_out = tables
    features = Schema(tuple(c for c in real.schema.modelled if c.name != target))
    stacked = pa.concat_tables([table.select(features).to_arrow() for table in synthetic])
    return metric.evaluate(
        held_out.select(features),
        Table.from_frame(stacked, schema=features),
        train=real.select(features),
        random_state=stream,
        progress=progress,
    )
