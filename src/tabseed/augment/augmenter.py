"""Targeted augmentation: score rows, learn the hardest ones, append rows drawn from that model.

Notation: n rows, C classes, tau the share of hard rows, k their number, m drawn rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, clone
from sklearn.utils import TargetTags

from tabseed._random import RandomState, child, seed_sequence
from tabseed.augment import EQUAL, HARDEST
from tabseed.augment.quota import Quota, as_hard, balanced, check_amount
from tabseed.augment.rows import LabelError, Rows, append_features, append_labels
from tabseed.augment.tags import InputTags, Tags
from tabseed.errors import AbsentClassWarning, SchemaError, TabseedError, TooFewRowsError
from tabseed.estimates.folds import smallest
from tabseed.estimates.scores import Task
from tabseed.generators.base import Generator
from tabseed.hardness.base import HardnessScorer
from tabseed.hardness.hints import HINTS, hints
from tabseed.hardness.shapley.knn import KNNShapley
from tabseed.parameters import (
    FLAG,
    MAPPING,
    NONE,
    SEED,
    TEXT,
    AnyOf,
    Each,
    Having,
    OneOf,
    Parameters,
    Real,
    check_parameters,
    or_none,
    shown,
)
from tabseed.table import Table
from tabseed.table.frames import is_frame

SCORE, GENERATE, DRAW = range(3)  # child streams of the stream of an augmenter
FEWEST = 10  # rows of a class that is to be balanced, from which its rows are learned
SKIPPED = OneOf(tuple(hint for hint in HINTS if hint))


@dataclass(frozen=True)
class HardSet:
    """Which of n rows are hard.

    ``hardness`` (n,), larger is harder, or None if all rows are taken without scores; ``allowed``
    (n,) bool, the rows that no hint excludes; ``indices`` (k,), the indices of the hard ones among
    them, ascending.
    """

    hardness: np.ndarray | None
    allowed: np.ndarray
    indices: np.ndarray


class _Augmenter(OneToOneFeatureMixin, BaseEstimator):
    """The common part of the augmenters for classes and for numeric targets."""

    task: ClassVar[Task]

    hardness_: np.ndarray | None
    hard_: np.ndarray
    generator_: Generator
    sample_indices_: np.ndarray
    absent_classes_: list[Any]

    parameters: ClassVar[Parameters] = {
        "generator": Having(("fit", "sample", "get_params"), "a generator"),
        "scorer": or_none(Having(("fit_score", "get_params"), "a hardness scorer")),
        "hardest": Real(above=0, high=1),
        "amount": AnyOf(
            (Real(0), OneOf((EQUAL,)), MAPPING),
            f"a number of at least 0, {EQUAL!r}, or a dictionary of class to share",
        ),
        "per_class": FLAG,
        "skip": AnyOf((SKIPPED, Each(SKIPPED, 0), NONE), f"{SKIPPED}, a tuple of these, or None"),
        "provenance": or_none(TEXT),
        "random_state": SEED,
    }

    def __init__(
        self,
        generator: Generator,
        scorer: HardnessScorer | None = None,
        hardest: float = HARDEST,
        amount: float | str | Mapping[Any, float] = 1.0,
        per_class: bool = False,
        skip: str | Sequence[str] | None = None,
        provenance: str | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.generator = generator
        self.scorer = scorer
        self.hardest = hardest
        self.amount = amount
        self.per_class = per_class
        self.skip = skip
        self.provenance = provenance
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Score the rows, choose the hard ones, and fit the generator to them."""
        self._learn(X, y)
        return self

    def fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Return features and labels, of the same types as the input, with m rows appended."""
        rows, stream = self._learn(X, y)
        indices = np.flatnonzero(self.hard_)
        quota, learned = self.quota(rows, indices), rows.take(indices)
        drawn = self.drawn(rows, learned, self.generator_, quota, child(stream, DRAW))
        self.sample_indices_ = np.concatenate([np.arange(len(rows)), np.full(len(drawn), -1)])
        if rows.task == "classification":
            counts = np.bincount(drawn.y, minlength=len(rows.classes))
            self.sampling_strategy_ = dict(zip(rows.classes.tolist(), counts.tolist(), strict=True))
        X_out = append_features(X, drawn.features, self.provenance)
        return X_out, append_labels(y, rows, drawn.y)

    def _learn(self, X: Any, y: Any) -> tuple[Rows, np.random.SeedSequence]:
        self.check_settings()
        rows = Rows.of(X, y, self.task)
        stream = seed_sequence(self.random_state)
        self._note_features(X, rows)
        hard = self.choose(rows, child(stream, SCORE))
        self.hardness_ = hard.hardness
        self.hard_ = np.isin(np.arange(len(rows)), hard.indices)
        self.generator_ = self.learned(rows.take(hard.indices), child(stream, GENERATE))
        self.absent_classes_ = [rows.classes[c] for c in self.absent(rows, hard)]
        if self.absent_classes_:
            absent = ", ".join(map(shown, self.absent_classes_))
            warnings.warn(
                f"no hard row is of class {absent}, so no row of it is drawn; raise hardest, or "
                "take the hardest rows of each class (per_class)",
                AbsentClassWarning,
                stacklevel=3,
            )
        return rows, stream

    def check_settings(self) -> None:
        """Raise TabseedError for a parameter out of range, or one that is for classes only."""
        check_parameters(self)
        by_class = {"per_class": self.per_class, "amount": isinstance(self.amount, str | Mapping)}
        for name in (name for name, used in by_class.items() if used):
            if self.task == "regression":
                raise TabseedError(
                    f"{type(self).__name__}: {name}={getattr(self, name)!r} is for classes, and "
                    "these labels are numbers; leave it out, or take TargetedAugmenter"
                )

    def _note_features(self, X: Any, rows: Rows) -> None:
        names = rows.features.schema.names
        self.n_features_in_ = len(names)
        self.__dict__.pop("feature_names_in_", None)
        if isinstance(X, Table) or is_frame(X):
            self.feature_names_in_ = np.array(names, dtype=object)

    # -- the single steps, which evaluate_augmentation also uses

    def quota(self, rows: Rows, hard: np.ndarray) -> Quota:
        """Return how many rows to draw for hard ones of these indices, and of which classes."""
        if isinstance(self.amount, str | Mapping):
            return balanced(rows, self.amount)
        if self.per_class:
            return as_hard(rows, hard, self.amount)
        check_amount(rows, hard, self.amount)
        return Quota(round(self.amount * len(hard)))

    def drawn(
        self,
        rows: Rows,
        learned: Rows,
        generator: Generator,
        quota: Quota,
        stream: np.random.SeedSequence,
    ) -> Rows:
        """Draw rows from a generator that has learned the rows ``learned``, in random order.

        If so few of them are of some class that the generator hardly draws it, a copy learns the
        rows of this class alone.
        """
        if quota.by_class is None or not quota.m:
            return rows.draw(generator, quota.m, stream)
        parts = []
        for c in np.flatnonzero(quota.by_class).tolist():
            m, own = int(quota.by_class[c]), child(stream, c)
            try:
                parts.append(rows.draw(generator, m, own, {rows.label: c}))
            except SchemaError:
                alone = self.learned(learned.take(np.flatnonzero(learned.y == c)), own)
                parts.append(rows.draw(alone, m, own))
        order = np.random.default_rng(child(stream, len(rows.classes))).permutation(quota.m)
        return rows.joined(parts).take(order)

    @staticmethod
    def absent(rows: Rows, hard: HardSet) -> list[int]:
        """Return the numbers of the classes that no hard row is of."""
        return sorted(set(range(len(rows.classes))) - set(rows.y[hard.indices].tolist()))

    def choose(self, rows: Rows, stream: np.random.SeedSequence) -> HardSet:
        """Score the rows by one another and return the hardest; TooFewRowsError for too few."""
        if rows.task == "classification" and len(rows.classes) < 2:
            raise LabelError("all labels are of one class; augmentation needs at least two classes")
        n, allowed = len(rows), self._allowed(rows)
        if self.hardest == 1:
            return self._checked(rows, HardSet(None, allowed, np.flatnonzero(allowed)))
        scorer = clone(KNNShapley() if self.scorer is None else self.scorer)
        scorer.set_params(random_state=stream)
        hardness = scorer.fit_score(rows.features, rows.y, task=rows.task)
        balances = isinstance(self.amount, str | Mapping)
        by_class = self.per_class or balances
        group = rows.y if by_class else np.zeros(n, dtype=np.int64)
        counts = np.bincount(group[allowed], minlength=int(group.max()) + 1)
        quota = np.maximum(1, np.rint(self.hardest * counts).astype(int))
        if balances:  # a class that grows is not learned from one or two rows
            quota = np.maximum(quota, np.minimum(counts, FEWEST))
        indices = smallest(-hardness, np.where(allowed, group, -1), quota)
        return self._checked(rows, HardSet(hardness, allowed, indices))

    def learned(self, rows: Rows, stream: np.random.SeedSequence) -> Generator:
        """Return a generator fitted to the rows, including their labels."""
        generator: Generator = clone(self.generator).set_params(random_state=stream)
        return generator.fit(rows.table, target=rows.label)

    def _allowed(self, rows: Rows) -> np.ndarray:
        skipped = (self.skip,) if isinstance(self.skip, str) else tuple(self.skip or ())
        if not skipped:
            return np.ones(len(rows), dtype=bool)
        return ~np.isin(hints(rows.features, rows.y, task=rows.task).astype(str), skipped)

    def _checked(self, rows: Rows, hard: HardSet) -> HardSet:
        k, minimum = len(hard.indices), max(1, getattr(self.generator, "min_rows", 1))
        if k < minimum:
            raise TooFewRowsError(
                f"{k} hard rows of {len(rows)} are too few for {type(self.generator).__name__}, "
                f"which needs {minimum}; take a larger share of the rows as the hardest"
            )
        if rows.task == "classification":
            absent = self.absent(rows, hard)
            if absent and isinstance(self.amount, str | Mapping):
                raise TooFewRowsError(
                    f"no row of class {shown(rows.classes[absent[0]])} is left to learn from, "
                    "because all have a hint that is skipped; skip fewer hints"
                )
        return hard

    def __sklearn_tags__(self) -> Any:
        inputs = InputTags(two_d_array=True, string=True, allow_nan=True, categorical=True)
        return Tags("sampler", TargetTags(required=True), input_tags=inputs)


class TargetedAugmenter(_Augmenter):
    """Append synthetic rows like those that are hardest to classify (arXiv 2410.00759).

    The rows are scored by one another. A generator learns the hardest share tau of them, with their
    labels as one more column, and rows drawn from it are appended to the table. The augmenter works
    as a step of imbalanced-learn's Pipeline, but does not need imbalanced-learn.

    Parameters
    ----------
    generator : Generator
        Any generator; a copy is fitted, with a stream derived from ``random_state`` and the label
        as its target.
    scorer : HardnessScorer, optional
        Scores the rows by one another only: in folds, or in sample for scorers that record
        training (``HardnessScorer.in_sample``). None: ``KNNShapley()``.
    hardest : float
        tau, above 0. With 1 there is no targeting: the generator learns all rows, without scores.
    amount : float, "equal", or a dict of class to share
        Number of rows to draw for each hard row, m = amount * k; 1 as in the paper. To compare
        values of ``hardest`` at the same number of drawn rows, lower ``amount`` as ``hardest``
        grows. "equal": as many rows of each class as make all classes equally large; a dict: as
        give the classes these shares; no real row is lost. A class that is to grow is learned from
        its hardest share, but from at least 10 rows, or all that it has; ``hardest=1`` takes all
        rows, as SMOTE does.
    per_class : bool
        Take the hardest share of each class, at least one row, instead of the hardest of all rows,
        and draw as many rows of each class, times ``amount``.
    skip : str or several, optional
        Hints of :func:`~tabseed.hardness.hints.hints`, such as "mislabelled" and "out of
        support". Rows with one of these hints are not learned, and tau is a share of the others.
        They stay in the table.
    provenance : str, optional
        Name of an additional column of the frame that is true for drawn rows.
    random_state : int, Generator, RandomState or SeedSequence of numpy, or None

    Attributes
    ----------
    hardness_ : (n,) float64, larger is harder; None if ``hardest`` is 1
    hard_ : (n,) bool, the rows that the generator learned
    generator_ : the fitted generator; more rows can be drawn from it
    sample_indices_ : (n + m,) index of each row in the input, -1 for drawn rows
    sampling_strategy_ : dict of class to number of drawn rows
    absent_classes_ : classes that no hard row is of, so that none of their rows is drawn

    Original rows come first and stay as they are. Features are a pandas, polars or pyarrow frame,
    a Table, or an array or list (n, d); the result is of the same type, with the same dtypes.
    Columns that no generator draws (ids, free text) are refused. Without ``per_class``
    and shares, the drawn rows have the class shares that the generator learned from the hard rows;
    an AbsentClassWarning names the classes that no hard row is of.

    Errors: SchemaError for unsuitable rows or labels; TooFewRowsError if there are fewer hard rows
    than the generator needs. Cost: that of the scorer, of fitting the
    generator to k rows, and of drawing m.

    Examples
    --------
    >>> import numpy as np
    >>> from tabseed import Resample, TargetedAugmenter
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(200, 3)), rng.integers(0, 2, 200)
    >>> x2, y2 = TargetedAugmenter(Resample(), hardest=0.2, random_state=0).fit_resample(x, y)
    >>> x2.shape, y2.shape, bool((x2[:200] == x).all())
    ((240, 3), (240,), True)
    """

    task = "classification"
    sampling_strategy_: dict[Any, int]


class TargetedRegressionAugmenter(_Augmenter):
    """Append synthetic rows like those whose numeric target is hardest to predict.

    Like :class:`TargetedAugmenter`, with the numbers of a regression as labels: ``y`` keeps its
    dtype, and drawn targets lie on its grid. ``per_class`` and shares, which are for classes, are
    refused. The scorer must support regression (``HardnessScorer.tasks``).

    Examples
    --------
    >>> import numpy as np
    >>> from tabseed import Resample, TargetedRegressionAugmenter
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(100, 2))
    >>> augmenter = TargetedRegressionAugmenter(Resample(), hardest=0.3, random_state=0)
    >>> x2, y2 = augmenter.fit_resample(x, x[:, 0] + rng.normal(size=100))
    >>> x2.shape, y2.shape
    ((130, 2), (130,))
    """

    task = "regression"
