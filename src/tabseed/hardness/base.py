"""What every hardness scorer is: rows with labels in, one number a row out, larger is harder.

Notation: n rows to score, m reference rows, F folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self, get_args

import numpy as np
from sklearn.base import BaseEstimator

from tabseed._random import RandomState, child, generator, seed_sequence
from tabseed.coding.labels import code_labels
from tabseed.coding.points import Features
from tabseed.errors import SchemaError, TabseedError, TooFewRowsError
from tabseed.estimates.folds import deal
from tabseed.estimates.scores import Task
from tabseed.parameters import OneOf, Parameters, Whole, check, check_parameters, or_none

FOLDS, SCORE = range(2)  # streams below that of a scorer
FOLDED, TASKED = or_none(Whole(2)), or_none(OneOf(get_args(Task)))


@dataclass(frozen=True)
class Scores:
    """Hardness of n rows (larger is harder); what else a scorer knows of them, or None.

    ``standard_error`` is (n,); ``coordinates`` (2, n) place the rows on the scorer's own map.
    """

    hardness: np.ndarray
    standard_error: np.ndarray | None = None
    coordinates: np.ndarray | None = None


class HardnessScorer(BaseEstimator):
    """Say how hard each row is to learn. Larger is harder, always.

    A subclass declares ``tasks``, ``references`` (arXiv or DOI) and ``in_sample``, and writes
    ``_score(x, y, x_ref, y_ref, stream)`` for points (n, w) and labels: class numbers 0, 1, ... or
    float64 targets, as ``self.task_`` says. ``self.classes_`` holds the labels in order.

    Attributes
    ----------
    scores_ : (n,) float64
        Hardness of the rows fitted.
    standard_errors_ : (n,) float64 or None
        How far each score may be off for want of reference rows, where the scorer knows it.
    coordinates_ : (2, n) float64 or None
        Where the rows lie on the scorer's own map, where it has one.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("classification",)
    references: ClassVar[tuple[str, ...]] = ()
    parameters: ClassVar[Parameters] = {}
    """What each parameter of ``__init__`` may be, checked by :meth:`fit`."""
    in_sample: ClassVar[bool]
    """Without a reference: True, rows are scored by what was learned from themselves; False, in
    folds, each by rows of other folds."""
    finds_wrong_labels: ClassVar[bool] = True
    """Whether a wrong label among clear ones makes a row the hardest."""
    random_state: RandomState
    coordinates_: Any

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        reference: Any = None,
        folds: int | None = None,
        task: Task | None = None,
    ) -> Self:
        """Score the rows of ``X``.

        ``X`` is a frame, a Table or an array (n, d) of numbers; ``y`` n labels without gaps:
        classes, or the numbers of a regression; ``task`` says which, else numbers are classes
        where they are whole and take few values. ``reference`` is a pair (X, y) of
        further rows to score by; without it the rows themselves serve, in ``folds`` parts (None:
        in sample where ``in_sample``, else 5). Raises TabseedError for a parameter out of range,
        SchemaError and TooFewRowsError for rows that do not fit.
        """
        check_parameters(self)
        check(type(self).__name__, "folds", folds, FOLDED)
        check(type(self).__name__, "task", task, TASKED)
        points = Features().fit(X)
        x = points.transform(X)
        pairs = [y] if reference is None else [y, reference[1]]
        self.task_, self.classes_, coded = code_labels(pairs, task)
        if self.task_ not in self.tasks:
            raise TabseedError(
                f"{type(self).__name__} is for {' and '.join(self.tasks)} only; these labels "
                f"make it a {self.task_}"
            )
        _same_length(x, coded[0], "X and y")
        stream = seed_sequence(self.random_state)
        if reference is not None:
            x_ref = points.transform(reference[0])
            _same_length(x_ref, coded[1], "the reference's X and y")
            found = self._score(x, coded[0], x_ref, coded[1], child(stream, SCORE))
        elif folds is None and self.in_sample:
            found = self._score(x, coded[0], x, coded[0], child(stream, SCORE))
        else:
            found = self._cross_fit(x, coded[0], 5 if folds is None else folds, stream)
        self.scores_, self.standard_errors_ = found.hardness, found.standard_error
        self.coordinates_ = found.coordinates
        return self

    def fit_score(self, X: Any, y: Any, **options: Any) -> np.ndarray:
        """Score the rows, with the options of :meth:`fit`, and give the hardness of each, (n,)."""
        return self.fit(X, y, **options).scores_

    def _score(
        self,
        x: np.ndarray,
        y: np.ndarray,
        x_ref: np.ndarray,
        y_ref: np.ndarray,
        stream: np.random.SeedSequence,
    ) -> Scores:
        raise NotImplementedError

    def _deal(self, y: np.ndarray, folds: int, stream: np.random.SeedSequence) -> np.ndarray:
        """Give each row its fold, (n,), classes dealt evenly."""
        classes = y if self.task_ == "classification" else None
        return deal(classes, len(y), folds, generator(child(stream, FOLDS)))

    def _cross_fit(
        self, x: np.ndarray, y: np.ndarray, folds: int, stream: np.random.SeedSequence
    ) -> Scores:
        """Score the rows of each fold by those of the others."""
        fold = self._deal(y, folds, stream)
        parts = []
        for f in range(folds):
            own, other = fold == f, fold != f
            parts.append(self._score(x[own], y[own], x[other], y[other], child(stream, SCORE, f)))
        back = np.argsort(np.argsort(fold, kind="stable"))  # from fold by fold to the rows' order

        def joined(values: list[np.ndarray | None]) -> np.ndarray | None:
            known = [v for v in values if v is not None]
            return np.concatenate(known, axis=-1)[..., back] if known else None

        return Scores(
            np.concatenate([part.hardness for part in parts])[back],
            joined([part.standard_error for part in parts]),
            joined([part.coordinates for part in parts]),
        )


def _same_length(x: np.ndarray, y: np.ndarray, names: str) -> None:
    if len(x) != len(y):
        raise SchemaError(f"{names} differ in length: {len(x)} rows, {len(y)} labels")
    if len(x) == 0:
        raise TooFewRowsError("there is no row to score")
