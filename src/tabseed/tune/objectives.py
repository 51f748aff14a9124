"""What a tuner of generators can aim at: the gain of a model, or likeness to rows held back.

Notation: n rows, K inner folds, G draws a trial, m rows drawn, C classes.

Both see training rows only, and hold each of K folds back in turn: what is learned from K - 1 of
them is judged by the one that played no part. Folds are the same for all trials, so that
differences between trials are not of the folds; a trial's G draws differ in the rows drawn.
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

K, G = 3, 3  # folds and draws, if not given
DEAL, PREPARE = range(2)  # streams below an objective's own
LEARN, DRAW, JUDGE = range(3)  # streams below a trial's, then the fold, then the draw


def _check(where: str, folds: int, draws: int) -> None:
    check(where, "folds", folds, Whole(2))
    check(where, "draws", draws, Whole(1))


# --- the gain of a model ------------------------------------------------------------------------


@dataclass(frozen=True)
class _Fold:
    """Arms on the rows of the other folds, the fold's own rows, and what the model gets as is."""

    arms: Arms
    held: Rows
    points: np.ndarray
    none: float

    def gains(
        self, generator: Generator, draws: int, stream: np.random.SeedSequence
    ) -> list[float]:
        """Give the gain over nothing added, once a draw."""
        augmenter = clone(self.arms.augmenter).set_params(generator=generator)
        arms = replace(self.arms, augmenter=augmenter, stream=stream)
        models = arms.models("hardest", draws)
        return [model_score(model, self.points, self.held) - self.none for model in models]


@dataclass(frozen=True)
class AugmentationGain:
    """By how much rows like the hardest improve a model, by inner cross-validation.

    The objective of a :class:`~tabseed.tune.Tuner`: of a family and its settings, G gains over
    nothing added, each the mean over K folds; Gini (2 AUC - 1) for two classes, the mean
    one-vs-rest AUC for more, R2 of a regression. Hardness and the model's rounds are found once
    in each fold, from the rows that train there. Cost of a trial: K fits of the generator and
    K G of the model.
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

        ``augmenter`` says which rows are hard and how many are added for them; its generator is
        replaced by each of ``generators``, by family. ``model`` as in
        :func:`~tabseed.augment.protocol.evaluate_augmentation`. TooFewRowsError where a class has
        fewer rows than there are folds, or hard rows are too few.
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
            train, held = (rows.take(np.flatnonzero(part)) for part in (fold != k, fold == k))
            with one_thread():
                parts.append(_prepared(train, held, augmenter, model, child(stream, PREPARE, k)))
        return cls(dict(generators), tuple(parts), draws)

    def __call__(
        self, family: str, settings: Mapping[str, Any], stream: np.random.SeedSequence
    ) -> list[float]:
        """Give G gains, larger is better."""
        generator = clone(self.generators[family]).set_params(**settings)
        with one_thread():
            gains = [
                fold.gains(generator, self.draws, child(stream, k))
                for k, fold in enumerate(self.folds)
            ]
        found: list[float] = np.mean(gains, axis=0).tolist()
        return found


def _check_classes(rows: Rows, folds: int) -> None:
    held = np.bincount(rows.y, minlength=len(rows.classes))
    if held.min() < folds:
        which = rows.classes[int(held.argmin())]
        raise TooFewRowsError(
            f"class {which!r} has {held.min()} rows to learn from; {folds} folds need one each"
        )


def _prepared(
    train: Rows, held: Rows, augmenter: Any, model: Any, stream: np.random.SeedSequence
) -> _Fold:
    arms = Arms.on(train, augmenter, model, AugmentationProtocol().validation, stream)
    points = arms.points.transform(held.features)
    (plain,) = arms.models("none", 1)
    return _Fold(arms, held, points, model_score(plain, points, held))


# --- likeness -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fidelity:
    """How like rows held back the rows drawn are, by inner cross-validation.

    The objective of a :class:`~tabseed.tune.Tuner`: of a family and its settings, G values, each
    the mean over K folds of the metric's headline between the fold and as many rows drawn as
    trained; with its sign turned where smaller is better. The judge sees no row that trained.
    Cost of a trial: K fits of the generator and K G of the judge.
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
        """Prepare the folds of the training rows; levels of a discrete target keep their shares.

        ``metric``: None for the Jensen-Shannon divergence, one cross-fitting of each judge.
        TooFewRowsError where a fold has fewer rows than the judge needs.
        """
        _check(cls.__name__, folds, draws)
        metric = judge(repeats=1) if metric is None else metric
        if len(table) < folds * metric.min_rows:
            raise TooFewRowsError(
                f"{len(table)} rows to learn from are too few: {folds} folds of {metric.min_rows} "
                f"rows, to judge by, need {folds * metric.min_rows}"
            )
        known = target is not None and table.schema[target].kind in DISCRETE
        group = table.codes(str(target)) if known else np.zeros(len(table))
        fold = deal(
            group, len(group), folds, generator(child(seed_sequence(random_state), DEAL, 0))
        )
        pairs = [
            (table.take(np.flatnonzero(fold != k)), table.take(np.flatnonzero(fold == k)))
            for k in range(folds)
        ]
        for train, held in pairs:
            check_leakage(train, held)
        return cls(dict(generators), tuple(pairs), target, metric, draws)

    def __call__(
        self, family: str, settings: Mapping[str, Any], stream: np.random.SeedSequence
    ) -> list[float]:
        """Give G values, larger is better."""
        made = clone(self.generators[family]).set_params(**settings)
        values = []
        for k, (train, held) in enumerate(self.folds):
            found = judged(
                made, (train, held), self.target, self.metric, self.draws, child(stream, k)
            )
            values.append([one.headline.value for one in found])
        sign = 1.0 if self.metric.better == "higher" else -1.0
        mean: list[float] = (sign * np.mean(values, axis=0)).tolist()
        return mean


def judge(**settings: Any) -> DiscriminatorDivergence:
    """Give the judge of likeness: JS of all columns together, every digit seen."""
    return DiscriminatorDivergence(views=("plain",), permutations=0, **settings)


def judged(
    generator: Generator,
    tables: tuple[Table, Table],
    target: str | None,
    metric: Metric[Any],
    draws: int,
    stream: np.random.SeedSequence,
) -> list[Any]:
    """Let a copy learn the first table, and give the metric's results of G draws by the second."""
    train, held = tables
    made = clone(generator).set_params(random_state=child(stream, LEARN))
    made.fit(train, target=target)
    found = []
    for g in range(draws):
        rows = made.draw(len(train), random_state=child(stream, DRAW, g))
        drawn = Table.from_frame(rows, schema=train.schema)
        found.append(metric.evaluate(held, drawn, random_state=child(stream, JUDGE, g)))
    return found
