"""Objectives for tuning generators: the gain of a model, or likeness to held-back rows.

Notation: n rows, K inner folds, G draws in each trial, m drawn rows, C classes.

Both see training rows only, and hold back each of K folds in turn: the generator learns the other
K - 1 folds, and the held-back one judges its rows. The folds are the same for all trials, so
differences between trials do not come from the folds; a trial's G draws differ in the drawn rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.base import clone

from tabseed._random import RandomState, child, generator, one_thread, seed_sequence
from tabseed.augment.arms import Arms, default_model, model_score
from tabseed.augment.protocol import AugmentationProtocol
from tabseed.augment.rows import Rows
from tabseed.errors import TooFewRowsError
from tabseed.estimates.folds import deal
from tabseed.generators.base import Generator
from tabseed.metrics import DiscriminatorDivergence, Metric, check_leakage
from tabseed.parameters import Whole, check, check_parameters
from tabseed.table import Table
from tabseed.table.schema import DISCRETE

K, G = 3, 3  # folds and draws by default
DEAL, PREPARE = range(2)  # streams below an objective's own
LEARN, DRAW, JUDGE = range(3)  # streams below a trial's, then the fold, then the draw


def _check(where: str, folds: int, draws: int) -> None:
    check(where, "folds", folds, Whole(2))
    check(where, "draws", draws, Whole(1))


# --- the gain of a model ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Fold:
    """Arms on the rows of the other folds, the held-out rows of the fold, and their score as is.

    ``none`` is the score of the model without added rows.
    """

    arms: Arms
    held_out: Rows
    points: np.ndarray
    none: float

    def gains(
        self, generator: Generator, draws: int, stream: np.random.SeedSequence
    ) -> list[float]:
        """Return the gain of each draw over the model without added rows."""
        augmenter = clone(self.arms.augmenter).set_params(generator=generator)
        arms = replace(self.arms, augmenter=augmenter, stream=stream)
        models = arms.models("hardest", draws)
        return [model_score(model, self.points, self.held_out) - self.none for model in models]


@dataclass(frozen=True)
class AugmentationGain:
    """By how much added rows like the hardest ones improve a model, by inner cross-validation.

    An objective for a :class:`~tabseed.tune.Tuner`: for a family and its settings it returns G
    gains over the model without added rows, each the mean over K folds. The score is Gini
    (2 AUC - 1) for two classes, the mean one-vs-rest AUC for more, and R2 for a regression.
    Hardness and the model's number of rounds are determined once in each fold, from the rows
    that train there. Cost of a trial: K fits of the generator and K G fits of the model.
    """

    generators: Mapping[str, Generator]
    folds: tuple[_Fold, ...]
    draws: int

    @classmethod
    def on(
        cls,
        rows: Rows,
        augmenter: Any,
        generators: Mapping[str, Generator],
        *,
        folds: int = K,
        draws: int = G,
        model: Any = None,
        random_state: RandomState = 0,
    ) -> Self:
        """Prepare the folds of the training rows.

        ``augmenter`` says which rows are hard and how many rows are added for them; each of
        ``generators``, by family, replaces its generator. ``model`` is that of
        :func:`~tabseed.augment.protocol.evaluate_augmentation`. TooFewRowsError if a class has
        fewer rows than there are folds, or if there are too few hard rows.
        """
        _check(cls.__name__, folds, draws)
        check_parameters(augmenter)
        stream = seed_sequence(random_state)
        group = rows.y if rows.task == "classification" else np.zeros(len(rows))
        fold = deal(group, len(group), folds, generator(child(stream, DEAL, 0)))
        if rows.task == "classification":
            _check_classes(rows, folds)
        elif len(rows) < 2 * folds:
            raise TooFewRowsError(f"{len(rows)} rows are too few for {folds} folds")
        model = default_model(rows.task) if model is None else model
        parts = []
        for k in range(folds):
            train, test = (rows.take(np.flatnonzero(part)) for part in (fold != k, fold == k))
            with one_thread():
                parts.append(_prepared(train, test, augmenter, model, child(stream, PREPARE, k)))
        return cls(dict(generators), tuple(parts), draws)

    def __call__(
        self, family: str, settings: Mapping[str, Any], stream: np.random.SeedSequence
    ) -> list[float]:
        """Return G gains, larger is better."""
        generator = clone(self.generators[family]).set_params(**settings)
        with one_thread():
            gains = [
                fold.gains(generator, self.draws, child(stream, k))
                for k, fold in enumerate(self.folds)
            ]
        means: list[float] = np.mean(gains, axis=0).tolist()
        return means


def _check_classes(rows: Rows, folds: int) -> None:
    counts = np.bincount(rows.y, minlength=len(rows.classes))
    if counts.min() < folds:
        rarest = rows.classes[int(counts.argmin())]
        raise TooFewRowsError(
            f"class {rarest!r} has {counts.min()} training rows; {folds} folds need one each"
        )


def _prepared(
    train: Rows, test: Rows, augmenter: Any, model: Any, stream: np.random.SeedSequence
) -> _Fold:
    arms = Arms.on(train, augmenter, model, AugmentationProtocol().validation, stream)
    points = arms.points.transform(test.features)
    (plain,) = arms.models("none", 1)
    return _Fold(arms, test, points, model_score(plain, points, test))


# --- likeness -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fidelity:
    """How like held-back rows the drawn rows are, by inner cross-validation.

    An objective for a :class:`~tabseed.tune.Tuner`: for a family and its settings it returns G
    values, each the mean over K folds of the metric's headline between the fold and as many drawn
    rows as there are training rows; its sign is changed if smaller is better. The judge sees no
    training row. Cost of a trial: K fits of the generator and K G fits of the judge.
    """

    generators: Mapping[str, Generator]
    folds: tuple[tuple[Table, Table], ...]
    target: str | None
    metric: Metric[Any]
    draws: int

    @classmethod
    def on(
        cls,
        table: Table,
        generators: Mapping[str, Generator],
        *,
        target: str | None = None,
        folds: int = K,
        draws: int = G,
        metric: Metric[Any] | None = None,
        random_state: RandomState = 0,
    ) -> Self:
        """Prepare the folds of the training rows, stratified by a discrete target.

        ``metric`` None is the Jensen-Shannon divergence with one cross-fitting of each judge.
        TooFewRowsError if a fold has fewer rows than the judge needs.
        """
        _check(cls.__name__, folds, draws)
        metric = judge(repeats=1) if metric is None else metric
        if len(table) < folds * metric.min_rows:
            raise TooFewRowsError(
                f"{len(table)} training rows are too few: {folds} folds of {metric.min_rows} rows "
                f"each, which the judge needs, take {folds * metric.min_rows}"
            )
        discrete = target is not None and table.schema[target].kind in DISCRETE
        group = table.codes(str(target)) if discrete else np.zeros(len(table))
        fold = deal(
            group, len(group), folds, generator(child(seed_sequence(random_state), DEAL, 0))
        )
        pairs = [
            (table.take(np.flatnonzero(fold != k)), table.take(np.flatnonzero(fold == k)))
            for k in range(folds)
        ]
        for train, test in pairs:
            check_leakage(train, test)
        return cls(dict(generators), tuple(pairs), target, metric, draws)

    def __call__(
        self, family: str, settings: Mapping[str, Any], stream: np.random.SeedSequence
    ) -> list[float]:
        """Return G values, larger is better."""
        generator = clone(self.generators[family]).set_params(**settings)
        values = []
        for k, pair in enumerate(self.folds):
            results = judged(
                generator, pair, self.target, self.metric, self.draws, child(stream, k)
            )
            values.append([result.headline.value for result in results])
        sign = 1.0 if self.metric.better == "higher" else -1.0
        mean: list[float] = (sign * np.mean(values, axis=0)).tolist()
        return mean


def judge(**settings: Any) -> DiscriminatorDivergence:
    """Return the judge of likeness: JS of all columns together, with every digit."""
    return DiscriminatorDivergence(views=("plain",), permutations=0, **settings)


def judged(
    generator: Generator,
    tables: tuple[Table, Table],
    target: str | None,
    metric: Metric[Any],
    draws: int,
    stream: np.random.SeedSequence,
) -> list[Any]:
    """Fit a copy to the first table, and return the metric's result of each of G draws.

    The second table is what the metric compares a draw with.
    """
    train, test = tables
    fitted = clone(generator).set_params(random_state=child(stream, LEARN))
    fitted.fit(train, target=target)
    results = []
    for g in range(draws):
        rows = fitted.draw(len(train), random_state=child(stream, DRAW, g))
        synthetic = Table.from_frame(rows, schema=train.schema)
        results.append(metric.evaluate(test, synthetic, random_state=child(stream, JUDGE, g)))
    return results
