"""Train every model on real and on synthetic rows, and keep its outputs on held-out rows.

This is the costly half of utility. Its arrays are all that the other half needs:
:mod:`~tabseed.utility.gap`, :mod:`~tabseed.utility.decomposition` and
:mod:`~tabseed.utility.ranking`.

Notation: K models, D synthetic tables, S seeds of a model, n real training rows, h held-out rows,
k_d rows of synthetic table d that are set aside, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from joblib import Parallel, delayed

from tabseed._progress import Progress
from tabseed._random import RandomState, child, seed_sequence
from tabseed.errors import TabseedError, TooFewRowsError, renamed
from tabseed.metrics.leakage import check_leakage, conform
from tabseed.metrics.models import output, train, zoo
from tabseed.metrics.problem import Labelled, Problem, points
from tabseed.parameters import (
    ESTIMATOR,
    FUNCTION,
    MAPPING,
    N_JOBS,
    Each,
    Parameters,
    Whole,
    check,
    check_parameters,
    given_or_default,
    or_none,
)
from tabseed.table import Frame, Table, table_to_learn
from tabseed.utility.contributions import Contributions

REAL, SYNTHETIC = "real", "synthetic"
SAME_SIZE = "synthetic, as many as real"
REPEATED = "real, repeated"
AUGMENTED = "real and as many synthetic"
SOURCES = {
    REAL: "the n real training rows",
    SYNTHETIC: "all synthetic rows except those set aside",
    SAME_SIZE: "n of the synthetic rows",
    REPEATED: "the real rows, repeated to the number of the synthetic ones",
    AUGMENTED: "the n real training rows and n of the synthetic rows",
}
ASIDE, MOST_ASIDE = 0.2, 2_000  # share and most of the synthetic rows that are set aside
CHOICE, FIT, RESPONSE, REPEAT = range(4)  # streams below that of a measurement

Response = Callable[[Table], np.ndarray]
"""The mean response under the synthetic law, given features: (n,), or class shares (n, C)."""


@dataclass(frozen=True)
class Measured:
    """Outputs, on held-out rows, of models trained on each of SOURCES.

    ``y`` (h,) are the held-out labels, ``y_aside`` (k_d,) those of the rows set aside, for each
    synthetic table. ``on_holdout[source]`` is (K, D, S, h), with a last axis C of class shares for
    classes; D is 1 for REAL and REPEATED. ``on_aside[source]``, for REAL and SYNTHETIC, is a list
    over tables of (K, S, k_d[, C]). ``response_holdout`` (D, h[, C]) and ``response_aside``, D
    times (k_d[, C]), are the mean response mu~ or eta~ under the synthetic law; ``response_known``
    is False if it had to be learned. ``y_train`` is (n,); ``sizes`` is the number of rows that each
    source trains on.
    """

    problem: Problem
    models: tuple[str, ...]
    y: np.ndarray
    y_aside: list[np.ndarray]
    y_train: np.ndarray
    on_holdout: dict[str, np.ndarray]
    on_aside: dict[str, list[np.ndarray]]
    response_holdout: np.ndarray
    response_aside: list[np.ndarray]
    response_known: bool
    sizes: dict[str, int]

    @cached_property
    def contributions(self) -> tuple[Contributions, ...]:
        """Each row's part in the terms of each model's gap; computed once."""
        return tuple(self._contributions(k) for k in range(len(self.models)))

    def _contributions(self, k: int) -> Contributions:
        synthetic, real = (self.on_holdout[source][k] for source in (SYNTHETIC, REAL))
        aside = [
            (y, synthetic[k], real[k], mean[None])
            for y, synthetic, real, mean in zip(
                self.y_aside,
                self.on_aside[SYNTHETIC],
                self.on_aside[REAL],
                self.response_aside,
                strict=True,
            )
        ]
        held_out = self.y, synthetic, real, self.response_holdout[:, None]
        return Contributions.of(self.problem, held_out, aside, response_known=self.response_known)


@dataclass(frozen=True)
class Measuring:
    """Settings of the measurement of utility.

    ``models`` are scikit-learn estimators by name; they learn points (n, w) that
    :class:`~tabseed.coding.points.Features`, fitted to the training rows, returns. None:
    :func:`~tabseed.metrics.models.zoo`. Each is trained with S ``seeds``. ``responses``, one for
    each synthetic table, are the mean responses if they are known (a two-stage generator's
    ``response_mean``); None: a forest learns them from the synthetic training rows.
    ``progress(done, total, message)`` is called after each fit.
    """

    models: Mapping[str, Any] | None = None
    seeds: int = 2
    responses: Sequence[Response] | None = None
    n_jobs: int | None = None
    progress: Progress | None = None

    parameters: ClassVar[Parameters] = {
        "models": or_none(MAPPING),
        "seeds": Whole(1),
        "responses": or_none(Each(FUNCTION)),
        "n_jobs": N_JOBS,
        "progress": or_none(FUNCTION),
    }

    def __post_init__(self) -> None:
        check_parameters(self)
        if self.models is not None and not self.models:
            raise TabseedError("Measuring: models={} has no model; name one, or leave it out")
        for name, model in (self.models or {}).items():
            check("Measuring", f"models[{name!r}]", model, ESTIMATOR)


def as_list(synthetic: Frame | Sequence[Frame]) -> list[Frame]:
    """Return one synthetic table, or several, as a list."""
    return list(synthetic) if isinstance(synthetic, Sequence) else [synthetic]


@renamed(train_on="train", how="settings")
def measure(
    train: Frame,
    synthetic: Frame | Sequence[Frame],
    holdout: Frame,
    target: str,
    settings: Measuring | None = None,
    random_state: RandomState = 0,
) -> Measured:
    """Train each model S times on the rows of every source, and keep its outputs on other rows.

    ``synthetic`` is a frame or a Table, or a list of D of them, ideally from generators trained
    independently. A model has the same seeds on every source, so differences do not come from
    seeds. A fifth of each synthetic table, at most 2,000 rows, trains nothing.

    If a held-out row has a class that the training rows lack, every model is wrong there; a
    synthetic row of such a class is refused. ``settings`` None: ``Measuring()``. Raises
    LeakageError if the holdout repeats the training rows, SchemaError, TooFewRowsError. The same
    bytes for any ``n_jobs``. Cost: K S (3 D + 2) fits.
    """
    settings = given_or_default(settings, Measuring)
    real = table_to_learn(train)
    problem = Problem.of(real, target, (settings.models or {}).values())
    real = real.select(problem.schema)
    test = conform(holdout, problem.schema, "holdout")
    check_leakage(real, test)
    frames = as_list(synthetic)
    responses = len(frames) if settings.responses is None else len(settings.responses)
    if not frames or responses != len(frames):
        raise TabseedError(
            f"measure needs 1 synthetic table or more, got {len(frames)}, and 1 response for each "
            f"table, got {responses}"
        )
    stream = seed_sequence(random_state)
    tables = [
        problem.rows(frame, "synthetic" if len(frames) == 1 else f"synthetic {d}", to_train=True)
        for d, frame in enumerate(frames, 1)
    ]
    sets = _Sets.of(problem.rows(real, "train"), tables, problem.rows(test, "holdout"), stream)
    smallest = min(len(sets.real), *(len(rows) for rows in sets.training))
    models = dict(settings.models) if settings.models is not None else zoo(problem.task, smallest)
    return _measured(problem, sets, models, settings, stream)


def _repeated(real: Labelled, n: int, stream: np.random.SeedSequence) -> Labelled:
    """Return n real rows: each as often as the others, the remainder chosen at random.

    Not the first rows: a file may be sorted by its labels.
    """
    times, rest = divmod(n, len(real))
    order = np.random.default_rng(child(stream, REPEAT)).permutation(len(real))
    every = np.tile(np.arange(len(real)), times)
    return real.take(np.concatenate([every, np.sort(order[:rest])]))


@dataclass(frozen=True)
class _Sets:
    """All rows: training rows by source and table, rows set aside, and held-out rows."""

    real: Labelled
    holdout: Labelled
    training: list[Labelled]
    aside: list[Labelled]
    same_size: list[Labelled]
    repeated: Labelled
    augmented: list[Labelled]

    @classmethod
    def of(
        cls,
        real: Labelled,
        tables: list[Labelled],
        holdout: Labelled,
        stream: np.random.SeedSequence,
    ) -> _Sets:
        training, aside, same = [], [], []
        for d, rows in enumerate(tables):
            if len(rows) < 5:
                raise TooFewRowsError(f"utility needs at least 5 synthetic rows, got {len(rows)}")
            order = np.random.default_rng(child(stream, CHOICE, d)).permutation(len(rows))
            k = min(round(ASIDE * len(rows)), MOST_ASIDE)
            aside.append(rows.take(np.sort(order[:k])))
            training.append(rows.take(np.sort(order[k:])))
            same.append(rows.take(np.sort(order[k : k + len(real)])))
        repeated = _repeated(real, len(training[0]), stream)
        both = [real.with_rows(rows) for rows in same]
        return cls(real, holdout, training, aside, same, repeated, both)

    def of_source(self, source: str) -> list[Labelled]:
        """Return the training rows of a source: a set for each table, or one set of real rows."""
        sets = {
            REAL: [self.real],
            REPEATED: [self.repeated],
            SYNTHETIC: self.training,
            SAME_SIZE: self.same_size,
            AUGMENTED: self.augmented,
        }
        return sets[source]


@dataclass(frozen=True)
class _Task:
    """The fit of one model to one set of rows with one seed; ``inputs`` are points to judge by."""

    source: str
    address: tuple[int, int, int]  # model, table, seed
    model: Any
    x: np.ndarray
    y: np.ndarray
    inputs: list[np.ndarray]

    def run(self, problem: Problem, stream: np.random.SeedSequence) -> list[np.ndarray]:
        fitted = train(self.model, self.x, self.y, problem, stream)
        return [output(fitted, x, problem) for x in self.inputs]


def _measured(
    problem: Problem,
    sets: _Sets,
    models: dict[str, Any],
    settings: Measuring,
    stream: np.random.SeedSequence,
) -> Measured:
    tasks = list(_tasks(sets, models, settings.seeds))
    if settings.responses is None:
        tasks += _response_tasks(problem, sets)
    outputs = _outputs(problem, tasks, settings, stream)
    shape = (range(len(models)), range(settings.seeds))

    def on_aside(source: str, d: int) -> np.ndarray:
        # a model of real rows has outputs on all tables; one of synthetic rows, on its own
        table, k = (0, 1 + d) if source == REAL else (d, 1)
        return np.array([[outputs[source, m, table, s][k] for s in shape[1]] for m in shape[0]])

    if settings.responses is None:
        means = [outputs["response", 0, d, 0] for d in range(len(sets.training))]
    else:
        means = [
            [_means(f, sets.holdout, problem), _means(f, aside, problem)]
            for f, aside in zip(settings.responses, sets.aside, strict=True)
        ]
    tables = range(len(sets.training))
    return Measured(
        problem=problem,
        models=tuple(models),
        y=sets.holdout.y,
        y_aside=[rows.y for rows in sets.aside],
        y_train=sets.real.y,
        on_holdout={
            source: np.array(
                [
                    [[outputs[source, m, d, s][0] for s in shape[1]] for d in _tables(sets, source)]
                    for m in shape[0]
                ]
            )
            for source in SOURCES
        },
        on_aside={source: [on_aside(source, d) for d in tables] for source in (REAL, SYNTHETIC)},
        response_holdout=np.array([pair[0] for pair in means]),
        response_aside=[pair[1] for pair in means],
        response_known=settings.responses is not None,
        sizes={source: len(sets.of_source(source)[0]) for source in SOURCES},
    )


def _outputs(
    problem: Problem, tasks: list[_Task], settings: Measuring, stream: np.random.SeedSequence
) -> dict[tuple[str, int, int, int], list[np.ndarray]]:
    """Run the tasks, and return the outputs of each by its source and address."""
    jobs = (
        # model and seed decide the stream, not the rows: comparisons are paired
        delayed(task.run)(problem, child(stream, FIT, task.address[0], task.address[2]))
        for task in tasks
    )
    outputs = {}
    results = Parallel(n_jobs=settings.n_jobs, return_as="generator")(jobs)
    for done, (task, result) in enumerate(zip(tasks, results, strict=True), 1):
        outputs[(task.source, *task.address)] = result
        if settings.progress is not None:
            settings.progress(done, len(tasks), "models")
    return outputs


def _means(response: Response, rows: Labelled, problem: Problem) -> np.ndarray:
    """Return the means of a response, (n,) or (n, C); TabseedError for another shape."""
    mean = np.asarray(response(rows.features), dtype=np.float64)
    classes = (len(problem.classes),) if problem.task == "classification" else ()
    if mean.shape != (len(rows), *classes) or not np.isfinite(mean).all():
        raise TabseedError(
            f"a response must return finite numbers of shape {(len(rows), *classes)} (rows, and "
            f"classes of the training rows), got {mean.shape}"
        )
    return mean


def _tables(sets: _Sets, source: str) -> range:
    return range(len(sets.of_source(source)))


def _tasks(sets: _Sets, models: dict[str, Any], seeds: int) -> Iterator[_Task]:
    """Yield all fits; the inputs of each begin with the held-out rows."""
    for source in SOURCES:
        for d, rows in enumerate(sets.of_source(source)):
            others = [sets.holdout]
            if source == REAL:
                others += sets.aside
            elif source == SYNTHETIC:
                others.append(sets.aside[d])
            x, *inputs = points(rows, *others)
            for m, model in enumerate(models.values()):
                for s in range(seeds):
                    yield _Task(source, (m, d, s), model, x, rows.y, inputs)


def _response_tasks(problem: Problem, sets: _Sets) -> Iterator[_Task]:
    """Yield the fits that learn each synthetic table's mean response."""
    model = zoo(problem.task, min(map(len, sets.training)))["forest"]
    for d, rows in enumerate(sets.training):
        x, *inputs = points(rows, sets.holdout, sets.aside[d])
        yield _Task("response", (0, d, 0), model, x, rows.y, inputs)
