"""What an augmentation is compared with: the arms, each with equally many rows added."""

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
from tabseed.augment.rows import Rows
from tabseed.coding.labels import seeded
from tabseed.coding.points import Features
from tabseed.errors import TooFewRowsError
from tabseed.estimates.folds import smallest
from tabseed.estimates.scores import score_rows
from tabseed.generators.smote import SMOTE

ARMS = {
    "none": "all training rows, nothing added",
    "weighted": "the hard rows weigh 1 + m/k, nothing added",
    "duplicated": "the hard rows, repeated",
    "random": "drawn by the generator from as many random rows",
    "easiest": "drawn by the generator from as many of the easiest rows",
    "hardest": "drawn by the generator from the hardest rows",
    "full": "drawn by the generator from all training rows",
    "smote": "drawn by SMOTE from all training rows",
}
INNER, SCORE, CONTROL, LEARN, DRAW, MODEL = range(1, 7)  # streams below that of a split
PATIENCE = 50  # rounds without gain
Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Arms:
    """What all arms of a split share: training rows, the hard ones, the model with its rounds."""

    train: Rows
    augmenter: Any
    model: Any
    points: Features
    hard: HardSet
    m: int
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
        """Score the training rows, keep the hard ones, find the model's number of rounds.

        ``validation`` is the share of the training rows held out for that.
        """
        points = Features().fit(train.features)
        held = held_out(train, validation, child(stream, INNER), testing=False)
        x = points.transform(train.features)
        model = seeded(model, child(stream, MODEL))
        model = with_rounds(model, (x[~held], train.y[~held]), (x[held], train.y[held]))
        began = time.perf_counter()
        hard = augmenter.choose(train, child(stream, SCORE))
        scoring = time.perf_counter() - began
        m = augmenter.n_drawn(len(hard.places))
        return cls(train, augmenter, model, points, hard, m, scoring, stream)

    def models(self, arm: str, draws: int) -> Iterator[Any]:
        """Train the model with what the arm adds, once a draw."""
        x = self.points.transform(self.train.features)
        generator = self._generator(arm)
        for g in range(draws):
            model = seeded(self.model, child(self.stream, MODEL, g))
            if arm == "weighted":
                weight = np.ones(len(x))
                weight[self.hard.places] += self.m / len(self.hard.places)
                yield model.fit(x, self.train.y, sample_weight=weight)
                continue
            added = self._added(arm, generator, child(self.stream, DRAW, g))
            more = self.points.transform(added.features)
            yield model.fit(np.concatenate([x, more]), np.concatenate([self.train.y, added.y]))

    def _generator(self, arm: str) -> Any:
        """Let the generator of an arm learn the rows of the arm."""
        stream = child(self.stream, LEARN)
        if arm == "smote":
            return SMOTE(random_state=stream).fit(self.train.table, target=self.train.label)
        if arm in ("none", "weighted", "duplicated"):
            return None
        return self.augmenter.learned(self.train.take(self._learned_by(arm)), stream)

    def _added(self, arm: str, generator: Any, stream: np.random.SeedSequence) -> Rows:
        if generator is not None:
            return self.train.draw(generator, self.m, stream)
        size = self.m if arm == "duplicated" else 0
        order = np.random.default_rng(stream).permutation(self.hard.places)
        return self.train.take(np.resize(order, size))  # each as often as the others, or once more

    def _learned_by(self, arm: str) -> np.ndarray:
        """Give the rows that the generator learns; controls match the hard rows' classes."""
        if arm == "hardest":
            return self.hard.places
        if arm == "full":
            return np.arange(len(self.train))
        classes = self.train.y if self.train.task == "classification" else np.zeros(len(self.train))
        group = classes.astype(np.int64)
        quota = np.bincount(group[self.hard.places], minlength=int(group.max()) + 1)
        group = np.where(self.hard.allowed, group, -1)
        if arm == "easiest":
            assert self.hard.hardness is not None
            return smallest(self.hard.hardness, group, quota)
        lots = np.random.default_rng(child(self.stream, CONTROL)).random(len(group))
        return smallest(lots, group, quota)


def held_out(
    rows: Rows, share: float, stream: np.random.SeedSequence, *, testing: bool = True
) -> np.ndarray:
    """Say which rows are set aside, (n,) bool: ``share`` of each class, leaving one or more.

    With ``testing`` TooFewRowsError where a class has no row to test by.
    """
    classes = rows.y if rows.task == "classification" else np.zeros(len(rows))
    group = classes.astype(np.int64)
    held = np.bincount(group)
    quota = np.minimum(np.rint(share * held).astype(int), np.maximum(held - 1, 0))
    if testing and (quota == 0).any():
        which = int(np.flatnonzero(quota == 0)[0])
        what = f"class {rows.classes[which]!r}" if len(rows.classes) else "the table"
        raise TooFewRowsError(
            f"{what} has {held[which]} rows, of which a share of {share:g} is none to test by"
        )
    # a share of each class, not one of equal folds: lots and quotas, as folds.deal has none
    lots = np.random.default_rng(stream).random(len(rows))
    return np.isin(np.arange(len(rows)), smallest(lots, group, quota))


def default_model(task: str) -> Any:
    """Give the model that arms are compared by if none is named."""
    kind = (
        HistGradientBoostingClassifier
        if task == "classification"
        else HistGradientBoostingRegressor
    )
    return kind(learning_rate=0.05, max_iter=1_000)


def with_rounds(model: Any, train: Pair, held: Pair) -> Any:
    """Give the model with the number of rounds at which it does best on the rows held out.

    Known are scikit-learn's histogram boosting and XGBoost; another model comes back as it is.
    """
    parameters = model.get_params()
    made = clone(model)
    if isinstance(model, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        made.set_params(early_stopping=True, n_iter_no_change=PATIENCE, scoring="loss")
        made.fit(*train, X_val=held[0], y_val=held[1])
        best = max(1, int(np.argmax(made.validation_score_)))  # the first is of no round
        return clone(model).set_params(early_stopping=False, max_iter=best)
    if {"early_stopping_rounds", "n_estimators"} <= parameters.keys():
        made.set_params(early_stopping_rounds=PATIENCE)
        made.fit(*train, eval_set=[held], verbose=False)
        best = int(made.best_iteration) + 1
        return clone(model).set_params(early_stopping_rounds=None, n_estimators=best)
    return made


def score_name(rows: Rows) -> str:
    """Name what :func:`model_score` gives."""
    if rows.task == "regression":
        return "R2"
    return "Gini" if len(rows.classes) == 2 else "AUC"


def model_score(model: Any, x: np.ndarray, test: Rows) -> float:
    """Gini of two classes, mean one-vs-rest AUC of more, R2 of a regression."""
    regression = test.task == "regression"
    rows = score_rows(test.task, test.y, model.predict(x) if regression else model.predict_proba(x))
    score = float("nan") if rows is None else float(rows.mean())
    return 2 * score - 1 if len(test.classes) == 2 else score
