"""What settings are chosen for: the gain of a model, or synthetic rows like the real ones.

An aim sets test rows aside, prepares the objective of the trials on the training rows, and, after
the choice, compares generators on the test rows.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone

from tabseed._random import RandomState, child, seed_sequence
from tabseed.augment import HARDEST
from tabseed.augment.arms import held_out
from tabseed.augment.augmenter import TargetedAugmenter, TargetedRegressionAugmenter
from tabseed.augment.rows import Rows
from tabseed.coding.labels import features_and_labels, task_of
from tabseed.errors import TooFewRowsError
from tabseed.generators.base import Generator
from tabseed.hardness import scorer_class
from tabseed.metrics import DiscriminatorDivergence
from tabseed.table import Table
from tabseed.table.schema import DISCRETE
from tabseed.tune.objectives import AugmentationGain, Fidelity, G
from tabseed.tune.verdict import Verdict, gain_verdict, likeness_verdict

SET_ASIDE, FOLDS, SEARCH, TEST = range(4)  # streams below an aim's own; SEARCH is the tuner's


@dataclass(frozen=True)
class Prepared:
    """The objective of the trials, and the comparison on test rows (None without such rows).

    ``compare`` takes generators by name, "chosen" among them.
    """

    objective: AugmentationGain | Fidelity
    compare: Callable[[Mapping[str, Generator]], Verdict] | None
    n_train: int
    n_test: int


@dataclass(frozen=True)
class Aim(ABC):
    """What settings are chosen for, on the rows of ``table``.

    ``test_share`` of the rows is set aside, 0 for none; a trial is the mean of ``draws`` draws.
    """

    table: Table
    target: str | None
    test_share: float
    draws: int = G

    sentence: ClassVar[str]
    unit: ClassVar[str]

    @abstractmethod
    def prepare(
        self, generators: Mapping[str, Generator], random_state: RandomState = 0
    ) -> Prepared:
        """Set test rows aside and prepare the folds of the other rows."""

    @abstractmethod
    def estimator(self, generator: Generator) -> Any:
        """Return what a user makes in order to use a chosen generator."""


@dataclass(frozen=True)
class Gain(Aim):
    """By how much a model gains from added rows like the hardest ones.

    A generator learns the ``hardest`` share of the rows (with ``per_class``, of each class), as
    the hardness scorer ``method`` ranks them.
    """

    hardest: float = HARDEST
    method: str = "knn-shapley"
    per_class: bool = False

    sentence = "Aim: the gain of a model from added rows like the hardest ones."
    unit = "gain in the model's score"

    def prepare(
        self, generators: Mapping[str, Generator], random_state: RandomState = 0
    ) -> Prepared:
        """Set test rows aside and find the hard rows of each fold."""
        stream = seed_sequence(random_state)
        augmenter = self._augmenter(next(iter(generators.values())))
        augmenter.check_settings()
        if "n_jobs" in getattr(augmenter.scorer, "get_params", dict)():
            augmenter.scorer.set_params(n_jobs=-1)  # any number gives the same bytes
        rows = Rows.of(*features_and_labels(self.table, str(self.target)), augmenter.task)
        test_rows = np.zeros(len(rows), dtype=bool)
        if self.test_share:
            test_rows = held_out(rows, self.test_share, child(stream, SET_ASIDE))
        train, test = (rows.take(np.flatnonzero(part)) for part in (~test_rows, test_rows))
        objective = AugmentationGain.on(
            train, augmenter, generators, draws=self.draws, random_state=child(stream, FOLDS)
        )

        def compare(contenders: Mapping[str, Generator]) -> Verdict:
            return gain_verdict(
                train, test, augmenter, contenders, random_state=child(stream, TEST)
            )

        return Prepared(objective, compare if self.test_share else None, len(train), len(test))

    def estimator(self, generator: Generator) -> Any:
        """Return the augmenter of the table's task around the generator."""
        return self._augmenter(generator).set_params(random_state=0)

    def _augmenter(self, generator: Generator) -> Any:
        scorer = None if self.hardest == 1 else scorer_class(self.method)()
        regression = task_of(self.table.schema, str(self.target)) == "regression"
        cls: Any = TargetedRegressionAugmenter if regression else TargetedAugmenter
        return cls(generator, scorer, hardest=self.hardest, per_class=self.per_class)


@dataclass(frozen=True)
class Likeness(Aim):
    """How like held-back rows the synthetic rows are. The target, if any, is only a condition."""

    sentence = "Aim: rows like held-back real rows, by Jensen-Shannon divergence."
    unit = "JS times -1, bits"

    def prepare(
        self, generators: Mapping[str, Generator], random_state: RandomState = 0
    ) -> Prepared:
        """Set test rows aside and deal the others into folds; TooFewRowsError if too few."""
        stream = seed_sequence(random_state)
        table = self.table.select(self.table.schema.modelled)
        discrete = self.target is not None and table.schema[self.target].kind in DISCRETE
        train, test = table, table.take([])
        if self.test_share:
            train, test = table.split(
                1 - self.test_share,
                stratify=self.target if discrete else None,
                random_state=child(stream, SET_ASIDE),
            )
            need = DiscriminatorDivergence.min_rows
            if len(test) < need:
                raise TooFewRowsError(
                    f"a test share of {self.test_share:g} sets {len(test)} rows aside, too few to "
                    f"judge by: {need} are needed, and a share of 0 leaves the test out"
                )
        objective = Fidelity.on(
            train,
            generators,
            target=self.target,
            draws=self.draws,
            random_state=child(stream, FOLDS),
        )

        def compare(contenders: Mapping[str, Generator]) -> Verdict:
            return likeness_verdict(
                train, test, contenders, target=self.target, random_state=child(stream, TEST)
            )

        return Prepared(objective, compare if self.test_share else None, len(train), len(test))

    def estimator(self, generator: Generator) -> Any:
        """Return a copy of the generator."""
        return clone(generator).set_params(random_state=0)


def fingerprint(table: Table) -> str:
    """Return 16 hex digits that identify the modelled columns: kinds, levels and values."""
    digest = hashlib.sha256()
    for column in table.schema.modelled:
        digest.update(repr((column.name, column.kind, column.categories)).encode())
        digest.update(table.cells(column.name).tobytes())
    return digest.hexdigest()[:16]
