"""The arms of a comparison: augmentation and its controls, with the same number of added rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from tabseed._random import child
from tabseed.augment.augmenter import HardSet
from tabseed.augment.quota import Quota
from tabseed.augment.rows import Rows
from tabseed.coding.labels import seeded
from tabseed.coding.points import Features
from tabseed.errors import SchemaError, TooFewRowsError
from tabseed.estimates.folds import smallest
from tabseed.estimates.scores import score_rows
from tabseed.generators.smote import SMOTE

ARMS = {
    "none": "all training rows, nothing added",
    "weighted": "the hard rows weigh more, nothing added",
    "duplicated": "the hard rows, repeated",
    "random": "drawn by the generator from as many random rows",
    "easiest": "drawn by the generator from as many of the easiest rows",
    "hardest": "drawn by the generator from the hardest rows",
    "full": "drawn by the generator from all training rows",
    "smote": "drawn by SMOTE from all training rows",
}
INNER, SCORE, CONTROL, LEARN, DRAW, MODEL = range(1, 7)  # child streams of the stream of a split
PATIENCE = 50  # rounds without gain before boosting stops
Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Arms:
    """What all arms of a split share: training rows, hard rows, the model with its rounds."""

    train: Rows
    augmenter: Any
    model: Any
    points: Features
    hard: HardSet
    quota: Quota
    scoring: float
    stream: np.random.SeedSequence

    @classmethod
    def on(
        cls,
        train: Rows,
        augmenter: Any,
        model: Any,
        validation: float,
        stream: np.random.SeedSequence,
    ) -> Arms:
        """Score the training rows, choose the hard ones and the model's number of rounds.

        ``validation`` is the share of the training rows held out to choose the rounds.
        """
        if len(np.unique(train.y)) < 2:
            raise SchemaError(
                f"the target {train.label!r} has one value only in the training rows: there is "
                "nothing to predict"
            )
        points = Features().fit(train.features)
        is_validation = held_out(train, validation, child(stream, INNER), testing=False)
        x = points.transform(train.features)
        if is_validation.all() or not is_validation.any():
            raise TooFewRowsError(
                f"{len(train)} training rows are too few to set rows aside for choosing the "
                "model's number of rounds; add rows"
            )
        model = seeded(model, child(stream, MODEL))
        model = with_rounds(
            model,
            (x[~is_validation], train.y[~is_validation]),
            (x[is_validation], train.y[is_validation]),
        )
        start = time.perf_counter()
        hard = augmenter.choose(train, child(stream, SCORE))
        scoring = time.perf_counter() - start
        quota = augmenter.quota(train, hard.indices)
        return cls(train, augmenter, model, points, hard, quota, scoring, stream)

    def models(self, arm: str, draws: int) -> Iterator[Any]:
        """Train the model with the rows or weights that the arm adds, once per draw."""
        x = self.points.transform(self.train.features)
        generator = self._generator(arm)
        for g in range(draws):
            model = seeded(self.model, child(self.stream, MODEL, g))
            if arm == "weighted":
                yield model.fit(x, self.train.y, sample_weight=self._weights())
                continue
            added = self._added(arm, generator, child(self.stream, DRAW, g))
            more = self.points.transform(added.features)
            yield model.fit(np.concatenate([x, more]), np.concatenate([self.train.y, added.y]))

    def _generator(self, arm: str) -> Any:
        """Return the generator of an arm, fitted to the rows of the arm; None if it has none."""
        stream = child(self.stream, LEARN)
        if arm == "smote":
            return SMOTE(random_state=stream).fit(self.train.table, target=self.train.label)
        if arm in ("none", "weighted", "duplicated"):
            return None
        return self.augmenter.learned(self.train.take(self._rows_to_learn(arm)), stream)

    def _added(self, arm: str, generator: Any, stream: np.random.SeedSequence) -> Rows:
        if generator is not None:
            learned = self.train.take(self._rows_to_learn(arm))
            drawn: Rows = self.augmenter.drawn(self.train, learned, generator, self.quota, stream)
            return drawn
        if arm == "none":
            return self.train.take(np.empty(0, np.int64))
        order = np.random.default_rng(stream).permutation(self.hard.indices)
        if self.quota.by_class is None:
            return self.train.take(np.resize(order, self.quota.m))  # counts differ by at most one
        label = self.train.y[order]
        repeats = [np.resize(order[label == c], m) for c, m in enumerate(self.quota.by_class)]
        return self.train.take(np.concatenate(repeats).astype(np.int64))

    def _weights(self) -> np.ndarray:
        """Return weights (n,) that count the hard rows as often as if m of them were added."""
        weight, hard = np.ones(len(self.train)), self.hard.indices
        if self.quota.by_class is None:
            weight[hard] += self.quota.m / len(hard)
            return weight
        label = self.train.y[hard]
        k = np.bincount(label, minlength=len(self.train.classes))
        weight[hard] += (self.quota.by_class / np.maximum(k, 1))[label]
        return weight

    def _rows_to_learn(self, arm: str) -> np.ndarray:
        """Return the indices of the rows to learn from; controls match the hard rows' classes."""
        if arm == "hardest":
            return self.hard.indices
        if arm in ("full", "smote"):
            return np.arange(len(self.train))
        classes = self.train.y if self.train.task == "classification" else np.zeros(len(self.train))
        group = classes.astype(np.int64)
        quota = np.bincount(group[self.hard.indices], minlength=int(group.max()) + 1)
        group = np.where(self.hard.allowed, group, -1)
        if arm == "easiest":
            assert self.hard.hardness is not None
            return smallest(self.hard.hardness, group, quota)
        random_order = np.random.default_rng(child(self.stream, CONTROL)).random(len(group))
        return smallest(random_order, group, quota)


def held_out(
    rows: Rows, share: float, stream: np.random.SeedSequence, *, testing: bool = True
) -> np.ndarray:
    """Return which rows to set aside, (n,) bool: ``share`` of each class, leaving at least one row.

    With ``testing``, TooFewRowsError if a class has no row to test on.
    """
    classes = rows.y if rows.task == "classification" else np.zeros(len(rows))
    group = classes.astype(np.int64)
    counts = np.bincount(group)
    quota = np.minimum(np.rint(share * counts).astype(int), np.maximum(counts - 1, 0))
    if testing and (quota == 0).any():
        empty = int(np.flatnonzero(quota == 0)[0])
        name = f"class {rows.classes[empty]!r}" if len(rows.classes) else "the table"
        raise TooFewRowsError(
            f"{name} has {counts[empty]} rows, and a share of {share:g} of them leaves "
            "none to test on; add rows or raise the share"
        )
    # random numbers and quotas, because folds.deal makes equal folds, not a share of each class
    random_order = np.random.default_rng(stream).random(len(rows))
    return np.isin(np.arange(len(rows)), smallest(random_order, group, quota))


def default_model(task: str) -> Any:
    """Return the default model for comparing arms."""
    model_class = (
        HistGradientBoostingClassifier
        if task == "classification"
        else HistGradientBoostingRegressor
    )
    return model_class(learning_rate=0.05, max_iter=1_000)


def with_rounds(model: Any, train: Pair, validation: Pair) -> Any:
    """Return the model with the number of rounds that is best on held-out rows.

    This works for scikit-learn's histogram boosting and for XGBoost; any other model is returned as
    a copy.
    """
    parameters = model.get_params()
    copy = clone(model)
    if isinstance(model, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        copy.set_params(early_stopping=True, n_iter_no_change=PATIENCE, scoring="loss")
        copy.fit(*train, X_val=validation[0], y_val=validation[1])
        best = max(
            1, int(np.argmax(copy.validation_score_))
        )  # the first score is that of zero rounds
        return clone(model).set_params(early_stopping=False, max_iter=best)
    if {"early_stopping_rounds", "n_estimators"} <= parameters.keys():
        copy.set_params(early_stopping_rounds=PATIENCE)
        copy.fit(*train, eval_set=[validation], verbose=False)
        best = int(copy.best_iteration) + 1
        return clone(model).set_params(early_stopping_rounds=None, n_estimators=best)
    return copy


def score_name(rows: Rows) -> str:
    """Return the name of the score that :func:`model_score` returns."""
    if rows.task == "regression":
        return "R2"
    return "Gini" if len(rows.classes) == 2 else "AUC"


def model_score(model: Any, x: np.ndarray, test: Rows) -> float:
    """Return Gini for two classes, mean one-vs-rest AUC for more, R2 for a regression."""
    regression = test.task == "regression"
    rows = score_rows(test.task, test.y, model.predict(x) if regression else model.predict_proba(x))
    score = float("nan") if rows is None else float(rows.mean())
    return 2 * score - 1 if len(test.classes) == 2 else score
