"""Usefulness as a part of an evaluation: the report on utility with settings for one look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from tabseed._progress import Progress
from tabseed._random import RandomState, at_most, child, seed_sequence
from tabseed.metrics import ChiSquareDivergence
from tabseed.parameters import (
    FUNCTION,
    MAPPING,
    N_JOBS,
    SEED,
    Parameters,
    Whole,
    check_parameters,
    checked,
    or_none,
)
from tabseed.table import Frame, Table
from tabseed.table.schema import Schema
from tabseed.utility.measure import ASIDE, Measuring
from tabseed.utility.report import UtilityReport, assess_utility

THINNED = 7  # random stream of the rows that are taken, below that of a report


class Usefulness(BaseEstimator):
    """What learning a target from synthetic rows costs, and whether one would choose another model.

    :func:`~tabseed.utility.report.assess_utility` with one seed of each model, at most
    ``max_rows`` synthetic rows to learn from, drawn at random, and the fidelity of features without
    a null. Models learn from the real rows, the synthetic ones, as many synthetic as real ones,
    real rows repeated, and real and as many synthetic rows together.

    Parameters
    ----------
    models : dict of text to scikit-learn estimator, or None
        None: nine models of many kinds (:func:`~tabseed.metrics.models.zoo`).
    seeds : int
        How often each model is trained.
    max_rows : int
        The most synthetic rows that a model learns from.
    n_jobs : int or None
        Processes; the numbers do not depend on it.

    Cost: see :func:`~tabseed.utility.measure.measure`.
    """

    parameters: ClassVar[Parameters] = {
        "models": or_none(MAPPING),
        "seeds": Whole(1),
        "max_rows": Whole(5),
        "n_jobs": N_JOBS,
    }

    def __init__(
        self,
        *,
        models: Mapping[str, Any] | None = None,
        seeds: int = 1,
        max_rows: int = 5_000,
        n_jobs: int | None = None,
    ) -> None:
        self.models = models
        self.seeds = seeds
        self.max_rows = max_rows
        self.n_jobs = n_jobs

    @checked(random_state=SEED, progress=or_none(FUNCTION))
    def evaluate(
        self,
        train: Frame,
        synthetic: Frame,
        holdout: Frame,
        target: str,
        *,
        schema: Schema | None = None,
        random_state: RandomState = 0,
        progress: Progress | None = None,
    ) -> UtilityReport:
        """Measure what models lose that learn ``target`` from ``synthetic`` instead of ``train``.

        ``holdout`` trained neither models nor the generator. All are frames or Tables. Raises
        LeakageError, SchemaError (an unknown target, one that has a single value),
        TooFewRowsError.
        """
        check_parameters(self)
        stream = seed_sequence(random_state)
        real = Table.from_frame(train, schema=schema)
        fake = Table.from_frame(synthetic, schema=real.schema)
        most = round(self.max_rows / (1 - ASIDE))  # some of the rows are set aside
        fake = fake.take(at_most(len(fake), most, child(stream, THINNED)))
        settings = Measuring(self.models, self.seeds, n_jobs=self.n_jobs, progress=progress)
        fidelity = ChiSquareDivergence(permutations=0, n_jobs=self.n_jobs)
        return assess_utility(
            real, fake, holdout, target, settings, random_state, fidelity=fidelity
        )
