"""Targeted augmentation: score rows, learn the hardest, append rows drawn from what was learned.

Notation: n rows, C classes, tau the share of hard rows, k their number, m rows drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, clone
from sklearn.utils import TargetTags

from tabseed._random import RandomState, child, seed_sequence
from tabseed.augment.rows import LabelError, Rows, append_features, append_labels
from tabseed.augment.tags import InputTags, Tags
from tabseed.errors import TooFewRowsError
from tabseed.estimates.folds import smallest
from tabseed.estimates.scores import Task
from tabseed.generators.base import Generator
from tabseed.hardness.base import HardnessScorer
from tabseed.hardness.hints import HINTS, hints
from tabseed.hardness.shapley.knn import KNNShapley
from tabseed.parameters import (
    FLAG,
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
)
from tabseed.table import Table
from tabseed.table.frames import is_frame

SCORE, GENERATE, DRAW = range(3)  # streams below that of an augmenter
SKIPPED = OneOf(tuple(hint for hint in HINTS if hint))


@dataclass(frozen=True)
class HardSet:
    """Which of n rows are hard.

    ``hardness`` (n,), larger is harder, None where all rows are taken unscored; ``allowed`` (n,)
    bool, the rows that no hint left out; ``places`` (k,) ascending, the hard ones among them.
    """

    hardness: np.ndarray | None
    allowed: np.ndarray
    places: np.ndarray


class _Augmenter(OneToOneFeatureMixin, BaseEstimator):
    """What augmenters of classes and of numbers share."""

    task: ClassVar[Task]

    hardness_: np.ndarray | None
    hard_: np.ndarray
    generator_: Generator
    sample_indices_: np.ndarray

    parameters: ClassVar[Parameters] = {
        "generator": Having(("fit", "sample", "get_params"), "a generator"),
        "scorer": or_none(Having(("fit_score", "get_params"), "a hardness scorer")),
        "hardest": Real(above=0, high=1),
        "amount": Real(0),
        "per_class": FLAG,
        "skip": AnyOf((SKIPPED, Each(SKIPPED, 0), NONE), f"{SKIPPED}, a tuple of these, or None"),
        "provenance": or_none(TEXT),
        "random_state": SEED,
    }

    def __init__(
        self,
        generator: Generator,
        scorer: HardnessScorer | None = None,
        hardest: float = 0.1,
        amount: float = 1.0,
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
        """Score the rows, choose the hard ones, and let the generator learn them."""
        self._learn(X, y)
        return self

    def fit_resample(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Give features and labels, of the kinds that came in, with m rows appended."""
        rows, stream = self._learn(X, y)
        m = self.n_drawn(int(self.hard_.sum()))
        drawn = rows.draw(self.generator_, m, child(stream, DRAW))
        self.sample_indices_ = np.concatenate([np.arange(len(rows)), np.full(m, -1)])
        if rows.task == "classification":
            counts = np.bincount(drawn.y, minlength=len(rows.classes))
            self.sampling_strategy_ = dict(zip(rows.classes.tolist(), counts.tolist(), strict=True))
        X_out = append_features(X, drawn.features, self.provenance)
        return X_out, append_labels(y, rows, drawn.y)

    def _learn(self, X: Any, y: Any) -> tuple[Rows, np.random.SeedSequence]:
        check_parameters(self)
        rows = Rows.of(X, y, self.task)
        stream = seed_sequence(self.random_state)
        self._note_features(X, rows)
        hard = self.choose(rows, child(stream, SCORE))
        self.hardness_ = hard.hardness
        self.hard_ = np.isin(np.arange(len(rows)), hard.places)
        self.generator_ = self.learned(rows.take(hard.places), child(stream, GENERATE))
        return rows, stream

    def _note_features(self, X: Any, rows: Rows) -> None:
        names = rows.features.schema.names
        self.n_features_in_ = len(names)
        self.__dict__.pop("feature_names_in_", None)
        if isinstance(X, Table) or is_frame(X):
            self.feature_names_in_ = np.array(names, dtype=object)

    # -- the steps, which evaluate_augmentation takes one by one

    def n_drawn(self, k: int) -> int:
        """Give m, the rows to draw for k hard ones."""
        return round(self.amount * k)

    def choose(self, rows: Rows, stream: np.random.SeedSequence) -> HardSet:
        """Score the rows by one another and take the hardest; TooFewRowsError for too few."""
        n, allowed = len(rows), self._allowed(rows)
        if self.hardest == 1:
            return self._checked(rows, HardSet(None, allowed, np.flatnonzero(allowed)))
        scorer = clone(KNNShapley() if self.scorer is None else self.scorer)
        scorer.set_params(random_state=stream)
        hardness = scorer.fit_score(rows.features, rows.y, task=rows.task)
        by_class = self.per_class and rows.task == "classification"
        group = rows.y if by_class else np.zeros(n, dtype=np.int64)
        held = np.bincount(group[allowed], minlength=int(group.max()) + 1)
        quota = np.maximum(1, np.rint(self.hardest * held).astype(int))
        places = smallest(-hardness, np.where(allowed, group, -1), quota)
        return self._checked(rows, HardSet(hardness, allowed, places))

    def learned(self, rows: Rows, stream: np.random.SeedSequence) -> Generator:
        """Give a generator that has learned the rows, labels included."""
        made: Generator = clone(self.generator).set_params(random_state=stream)
        return made.fit(rows.table, target=rows.label)

    def _allowed(self, rows: Rows) -> np.ndarray:
        chosen = (self.skip,) if isinstance(self.skip, str) else tuple(self.skip or ())
        if not chosen:
            return np.ones(len(rows), dtype=bool)
        return ~np.isin(hints(rows.features, rows.y, task=rows.task).astype(str), chosen)

    def _checked(self, rows: Rows, hard: HardSet) -> HardSet:
        k, need = len(hard.places), max(1, getattr(self.generator, "min_rows", 1))
        if k < need:
            raise TooFewRowsError(
                f"{k} hard rows of {len(rows)} are too few for {type(self.generator).__name__}, "
                f"which needs {need}: raise hardest"
            )
        if rows.task == "classification":
            if len(rows.classes) < 2:
                raise LabelError("the labels are of one class only; there is nothing to tell apart")
            held = np.bincount(rows.y[hard.places], minlength=len(rows.classes))
            if (held == 0).any():
                lost = rows.classes[int(np.flatnonzero(held == 0)[0])]
                raise TooFewRowsError(
                    f"the {k} hard rows of {len(rows)} hold none of class {lost!r}: "
                    "raise hardest, or set per_class=True"
                )
        return hard

    def __sklearn_tags__(self) -> Any:
        inputs = InputTags(two_d_array=True, string=True, allow_nan=True, categorical=True)
        return Tags("sampler", TargetTags(required=True), input_tags=inputs)


class TargetedAugmenter(_Augmenter):
    """Append synthetic rows like those that are hardest to classify (arXiv 2410.00759).

    Rows are scored by one another, the hardest share tau is kept, a generator learns these rows
    with their labels as one more column, and rows drawn from it go below the table. Works as a
    step of imbalanced-learn's Pipeline, and without imbalanced-learn.

    Parameters
    ----------
    generator : Generator
        Any; a copy learns, with a seed below ``random_state``. It sees the label as its target.
    scorer : HardnessScorer, optional
        Of the rows by one another, nothing else: in folds, or in sample for scorers that follow
        a training (``HardnessScorer.in_sample``). None: ``KNNShapley()``.
    hardest : float
        tau, above 0. 1 is the untargeted rival: the generator learns all rows, unscored.
    amount : float
        Rows drawn for each hard row, m = amount * k; 1 as in the paper. To compare values of
        ``hardest`` with the same number of drawn rows, let ``amount`` fall as ``hardest`` grows.
    per_class : bool
        Keep the hardest share of each class, at least one row of it, rather than of all rows.
    skip : str or several, optional
        Hints of :func:`~tabseed.hardness.hints.hints`, such as "mislabelled" and "out of
        support": rows with one of them are no candidates, and tau is a share of the others.
        They stay in the table.
    provenance : str, optional
        Name of a further column of the frame that is true for drawn rows.
    random_state : int, numpy Generator, SeedSequence or None

    Attributes
    ----------
    hardness_ : (n,) float64, larger is harder; None where ``hardest`` is 1
    hard_ : (n,) bool, the rows that the generator learned
    generator_ : the generator that learned them; more rows can be drawn from it
    sample_indices_ : (n + m,) place of each row among those that came in, -1 for drawn rows
    sampling_strategy_ : dict of class to number of rows drawn

    Original rows come first and stay as they are. Features are a pandas, polars or pyarrow frame,
    a Table, or an array or list (n, d); the result is of that kind, with its dtypes. Columns that
    no generator draws (ids, free text) are refused. Class shares of the rows drawn are those
    that the generator learned from the hard rows.

    Errors: SchemaError for rows or labels that do not fit; TooFewRowsError where the hard rows
    are fewer than the generator needs, or hold no row of some class. Cost: that of the scorer, of
    the generator's fit on k rows, and of drawing m.

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

    As :class:`TargetedAugmenter`, with the numbers of a regression as labels: ``y`` keeps its
    dtype, and drawn targets lie on its grid. ``per_class`` has no meaning here. A scorer must
    know regressions (``HardnessScorer.tasks``).

    Examples
    --------
    >>> import numpy as np
    >>> from tabseed import Resample, TargetedRegressionAugmenter
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(100, 2))
    >>> made = TargetedRegressionAugmenter(Resample(), hardest=0.3, random_state=0)
    >>> x2, y2 = made.fit_resample(x, x[:, 0] + rng.normal(size=100))
    >>> x2.shape, y2.shape
    ((130, 2), (130,))
    """

    task = "regression"


# --- tags that samplers of imbalanced-learn carry, without imbalanced-learn -----------------------
