"""The base class of hardness scorers: labelled rows in, one number per row out, larger is harder.

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
from tabseed.parameters import (
    OneOf,
    Pair,
    Parameters,
    Whole,
    check,
    check_parameters,
    or_none,
    shown,
)
from tabseed.table import table_to_learn
from tabseed.table.values import plain

FOLDS, SCORE = range(2)  # child streams of the stream of a scorer
PAIR = Pair("a pair (X, y) of rows and labels")
FOLDED, TASKED = or_none(Whole(2)), or_none(OneOf(get_args(Task)))


@dataclass(frozen=True)
class Scores:
    """Hardness of n rows (larger is harder), with whatever else the scorer knows about them.

    ``standard_error`` is (n,) or None; ``coordinates`` are those of the rows on the scorer's own
    map, (2, n), or None.
    """

    hardness: np.ndarray
    standard_error: np.ndarray | None = None
    coordinates: np.ndarray | None = None


class HardnessScorer(BaseEstimator):
    """Score how hard each row is to learn. Larger is always harder.

    A subclass declares ``tasks``, ``references`` (arXiv or DOI) and ``in_sample``, and implements
    ``_score(x, y, x_ref, y_ref, stream)`` for points (n, w) and labels. ``self.task_`` says whether
    labels are class numbers 0, 1, ... or float64 targets; ``self.classes_`` lists the classes in
    order.

    Attributes
    ----------
    scores_ : (n,) float64
        Hardness of the fitted rows.
    standard_errors_ : (n,) float64 or None
        Uncertainty of each score due to the limited number of reference rows, if the scorer
        estimates it.
    coordinates_ : (2, n) float64 or None
        Coordinates of the rows on the scorer's own map, if it has one.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("classification",)
    references: ClassVar[tuple[str, ...]] = ()
    parameters: ClassVar[Parameters] = {}
    """Allowed values of each parameter of ``__init__``, checked by :meth:`fit`."""
    in_sample: ClassVar[bool]
    """How rows are scored without a reference. True: by a model that learned from the same rows.
    False: in folds, each fold by the rows of the others."""
    finds_wrong_labels: ClassVar[bool] = True
    """Whether a row with a wrong label among clearly labelled ones comes out as the hardest."""
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

        ``X`` is a frame, a Table or an array (n, d) of numbers. ``y`` contains n labels, none
        missing: classes, or the numbers of a regression. ``task`` says which; by default numbers
        are classes if they are whole and take few values. ``reference`` is a pair (X, y) of
        further rows to score by. Without it the rows score each other in ``folds`` folds (None:
        in sample if ``in_sample``, otherwise 5 folds). Raises TabseedError for a parameter out of
        range, SchemaError and TooFewRowsError for unsuitable rows.
        """
        check_parameters(self)
        check(type(self).__name__, "folds", folds, FOLDED)
        check(type(self).__name__, "task", task, TASKED)
        if reference is not None:
            check(type(self).__name__, "reference", reference, PAIR)
        X = X if isinstance(X, np.ndarray) else table_to_learn(X)
        points = Features().fit(X)
        x = points.transform(X)
        pairs = [y] if reference is None else [y, reference[1]]
        self.task_, self.classes_, coded = code_labels(pairs, task)
        if self.task_ not in self.tasks:
            raise TabseedError(
                f"{type(self).__name__} is for {' and '.join(self.tasks)} only, and these labels "
                f"are those of a {self.task_}; choose another scorer, or make classes of them"
            )
        _same_length(x, coded[0], "X and y")
        self._check_differ(coded)
        stream = seed_sequence(self.random_state)
        if reference is not None:
            x_ref = points.transform(reference[0])
            _same_length(x_ref, coded[1], "the reference's X and y")
            scores = self._score(x, coded[0], x_ref, coded[1], child(stream, SCORE))
        elif folds is None and self.in_sample:
            scores = self._score(x, coded[0], x, coded[0], child(stream, SCORE))
        else:
            scores = self._cross_fit(x, coded[0], 5 if folds is None else folds, stream)
        self.scores_, self.standard_errors_ = scores.hardness, scores.standard_error
        self.coordinates_ = scores.coordinates
        return self

    def fit_score(self, X: Any, y: Any, **options: Any) -> np.ndarray:
        """Fit with the options of :meth:`fit` and return the hardness of each row, (n,)."""
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

    def _check_differ(self, coded: list[np.ndarray]) -> None:
        """Raise SchemaError if all labels are the same: then no row is harder than another."""
        levels = np.unique(np.concatenate(coded))
        if len(levels) < 2:
            label = self.classes_[0] if self.task_ == "classification" else levels[0]
            raise SchemaError(
                f"all labels are {shown(plain(label))}: with a single one no row is harder to "
                "learn than another; give rows of at least two labels"
            )

    def _deal(self, y: np.ndarray, folds: int, stream: np.random.SeedSequence) -> np.ndarray:
        """Return the fold of each row, (n,), with the classes spread evenly over the folds."""
        classes = y if self.task_ == "classification" else None
        return deal(classes, len(y), folds, generator(child(stream, FOLDS)))

    def _cross_fit(
        self, x: np.ndarray, y: np.ndarray, folds: int, stream: np.random.SeedSequence
    ) -> Scores:
        """Score the rows of each fold by the rows of the other folds."""
        fold = self._deal(y, folds, stream)
        parts = []
        for f in range(folds):
            own, other = fold == f, fold != f
            parts.append(self._score(x[own], y[own], x[other], y[other], child(stream, SCORE, f)))
        row_order = np.argsort(np.argsort(fold, kind="stable"))  # from fold order to row order

        def join(values: list[np.ndarray | None]) -> np.ndarray | None:
            known = [v for v in values if v is not None]
            return np.concatenate(known, axis=-1)[..., row_order] if known else None

        return Scores(
            np.concatenate([part.hardness for part in parts])[row_order],
            join([part.standard_error for part in parts]),
            join([part.coordinates for part in parts]),
        )


def _same_length(x: np.ndarray, y: np.ndarray, names: str) -> None:
    if len(x) != len(y):
        raise SchemaError(f"{names} differ in length: {len(x)} rows, {len(y)} labels")
    if len(x) == 0:
        raise TooFewRowsError("there are no rows to score")
