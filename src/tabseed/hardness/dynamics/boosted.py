"""Boosted trees, recorded as they grow: the margins of rows after every few rounds.

Notation: S seeds, E epochs, T rounds, n rows, m reference rows, C classes, k margins of a model (1
for two classes or a regression). The margin after t rounds is the base plus the first t
increments, so each row passes each tree once: n T passes in all instead of n T^2 / 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from scipy.special import logsumexp, softmax
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from tabseed._random import child, generator, int_seed, one_thread
from tabseed.errors import MissingDependencyError

ROUNDS = 5  # boosting rounds in an epoch
LEAVES, RATE = 8, 0.05  # small steps of small trees: larger ones quickly memorise wrong labels
COLUMNS = 0.5  # share of the columns that a split may use; this is what makes seeds differ
KEPT = 0.8  # share of the rounds that a thinned ensemble keeps


class Staged(Protocol):
    """A fitted model of T rounds: ``base`` (k,) and the increments that the rounds add to it."""

    base: np.ndarray

    def increments(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """Yield what each round adds to the margins of rows (n, w), an array (n, k) per round."""
        ...


class SklearnStages:
    """Histogram gradient boosting of scikit-learn."""

    def __init__(self, x: np.ndarray, y: np.ndarray, rounds: int, seed: int) -> None:
        regression = y.dtype.kind == "f"
        model_class = (
            HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
        )
        self.model = model_class(
            max_iter=rounds,
            learning_rate=RATE,
            max_leaf_nodes=LEAVES,
            early_stopping=False,
            max_features=COLUMNS,
            min_samples_leaf=int(np.clip(len(x) // 10, 1, 20)),
            random_state=seed,
        ).fit(x, y)
        if regression:
            self.base = np.array([y.mean()])
        else:  # boosting starts from the shares of the classes
            log_share = np.log(np.bincount(y) / len(y))
            binary = len(log_share) == 2
            self.base = np.diff(log_share) if binary else log_share - log_share.mean()

    def increments(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """Yield what each round adds, as the difference of successive staged margins."""
        previous: Any = self.base
        staged_margins = getattr(self.model, "staged_decision_function", None)
        for margin in (staged_margins or self.model.staged_predict)(x):
            current = margin.reshape(len(x), -1)
            yield current - previous
            previous = current


class XGBoostStages:
    """XGBoost, with the margins of one round at a time."""

    def __init__(self, model: Any, x: np.ndarray, y: np.ndarray, rounds: int, seed: int) -> None:
        self.xgboost, self.rounds = import_module("xgboost"), rounds
        model.set_params(
            n_estimators=rounds, random_state=seed, n_jobs=1, early_stopping_rounds=None
        )
        self.booster = model.fit(x, y).get_booster()
        row = self.xgboost.DMatrix(x[:1], nthread=1)
        with_base = self._margin(row, 0)
        self.base = (with_base - self._margin(self._rows(x[:1], with_base.shape[1]), 0))[0].astype(
            float
        )

    def increments(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """Yield what each round adds: its margins on a base of 0."""
        rows = self._rows(x, len(self.base))
        for round_ in range(self.rounds):
            yield self._margin(rows, round_)

    def _rows(self, x: np.ndarray, k: int) -> Any:
        """Convert rows for XGBoost, with a base of 0 for each margin."""
        return self.xgboost.DMatrix(x, base_margin=np.zeros((len(x), k)), nthread=1)

    def _margin(self, rows: Any, round_: int) -> np.ndarray:
        margin = self.booster.predict(
            rows, output_margin=True, iteration_range=(round_, round_ + 1)
        )
        return np.asarray(margin).reshape(rows.num_row(), -1)


class NoStages:
    """The model for a single class, which has nothing to learn."""

    base = np.zeros(1)

    def increments(self, x: np.ndarray) -> Iterator[np.ndarray]:
        """Yield nothing."""
        del x
        return iter(())


def xgboost_model(model: Any, regression: bool) -> Any:
    """Return a new XGBoost model from ``model``: "xgboost", a class, or an instance to copy.

    MissingDependencyError if XGBoost is not installed.
    """
    if model == "xgboost":
        try:
            xgboost = import_module("xgboost")
        except ImportError as error:
            raise MissingDependencyError(
                'model="xgboost" needs XGBoost: pip install xgboost (or use model="trees")'
            ) from error
        kind = xgboost.XGBRegressor if regression else xgboost.XGBClassifier
        return kind(
            learning_rate=RATE,
            max_leaves=LEAVES,
            grow_policy="lossguide",
            tree_method="hist",
            colsample_bynode=COLUMNS,
        )
    return model() if isinstance(model, type) else type(model)(**model.get_params())


def train(
    model: Any,
    x: np.ndarray,
    y: np.ndarray,
    n_outputs: int,
    epochs: int,
    streams: list[np.random.SeedSequence],
) -> Boosted:
    """Train one ensemble of ``epochs * ROUNDS`` rounds for each stream."""
    rounds = epochs * ROUNDS
    regression = y.dtype.kind == "f"
    present, coded = (np.arange(1), y) if regression else np.unique(y, return_inverse=True)
    stages: list[Staged] = []
    with one_thread():
        for stream in streams:
            if not regression and len(present) == 1:
                stages.append(NoStages())
            elif model == "trees":
                stages.append(SklearnStages(x, coded, rounds, int_seed(stream)))
            else:
                new_model = xgboost_model(model, regression)
                stages.append(XGBoostStages(new_model, x, coded, rounds, int_seed(stream)))
    return Boosted(tuple(stages), rounds, present, n_outputs, len(x))


@dataclass(frozen=True)
class Boosted:
    """S ensembles of trees, with the outputs and similarities that they give rows.

    ``present`` are those of the ``n_outputs`` classes that the m training rows contain.
    """

    stages: tuple[Staged, ...]
    rounds: int
    present: np.ndarray
    n_outputs: int
    m: int

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """Return the outputs for rows (n, w) after every epoch, (S, E, n, C) float32."""
        shape = (len(self.stages), self.rounds // ROUNDS, len(x), self.n_outputs)
        outputs = np.empty(shape, dtype=np.float32)
        with one_thread():
            for seed, stage in enumerate(self.stages):
                margin = np.tile(stage.base, (len(x), 1)).astype(np.float64)
                outputs[seed] = self._widen(margin)  # for models without rounds
                for round_, increment in enumerate(stage.increments(x)):
                    margin += increment
                    if (round_ + 1) % ROUNDS == 0:
                        outputs[seed, round_ // ROUNDS] = self._widen(margin)
        return outputs

    def _widen(self, margin: np.ndarray) -> np.ndarray:
        """Turn margins (..., k) into one output per class, (..., C).

        Two classes have the outputs 0 and F. A class without training rows gets 1/(m+1) of
        the total weight of the others.
        """
        if self.n_outputs == 1:
            return margin
        if len(self.present) == 2:
            margin = np.concatenate([np.zeros_like(margin), margin], axis=-1)
        absent = logsumexp(margin, axis=-1, keepdims=True) - np.log(self.m + 1)
        wide = np.repeat(absent, self.n_outputs, axis=-1)
        wide[..., self.present] = margin
        return wide

    def class_similarity(
        self, x: np.ndarray, y: np.ndarray, x_ref: np.ndarray, y_ref: np.ndarray
    ) -> np.ndarray:
        """Return the cosine of a row's leaves and the mean leaves of its class, (S, n).

        The mean is over reference rows. A row's embedding has a 1 for its leaf in each tree. A leaf
        is identified by what it adds. A class without reference rows has similarity 0.
        """
        count = np.bincount(y_ref, minlength=self.n_outputs)
        similarity = np.zeros((len(self.stages), len(x)))
        with one_thread():
            for seed, stage in enumerate(self.stages):
                trees, dot = 0, np.zeros(len(x))
                square = np.zeros(self.n_outputs)
                increments = zip(stage.increments(x), stage.increments(x_ref), strict=True)
                for added, added_ref in increments:
                    for own, other in zip(added.T, added_ref.T, strict=True):
                        leaf = _leaves(np.concatenate([own, other]))
                        share = np.zeros((self.n_outputs, leaf.max() + 1))
                        np.add.at(share, (y_ref, leaf[len(x) :]), 1.0)
                        share /= np.maximum(count, 1)[:, None]
                        dot += share[y, leaf[: len(x)]]
                        square += (share**2).sum(axis=1)
                        trees += 1
                length = np.sqrt(trees * square)[y]
                np.divide(dot, length, out=similarity[seed], where=length > 0)
        return similarity

    def thinned(self, x: np.ndarray, passes: int, stream: np.random.SeedSequence) -> np.ndarray:
        """Return the mean class probabilities over random subsets of the rounds, (n, C).

        Each round is kept with probability KEPT, and scaled by 1/KEPT if kept.
        """
        total = np.zeros((len(x), self.n_outputs))
        with one_thread():
            for seed, stage in enumerate(self.stages):
                kept = generator(child(stream, seed)).random((self.rounds, passes, 1, 1)) < KEPT
                margin = np.tile(stage.base, (passes, len(x), 1)).astype(np.float64)
                for keep, increment in zip(kept, stage.increments(x), strict=False):
                    margin += keep * increment / KEPT
                for one in margin:
                    total += softmax(self._widen(one), axis=-1)
        return total / (passes * len(self.stages))


def _leaves(added: np.ndarray) -> np.ndarray:
    """Number the distinct values, treating values that differ only by rounding as equal."""
    scale = np.abs(added).max()
    rounded = np.round(added / scale, 9) if scale > 0 else added
    return np.asarray(np.unique(rounded, return_inverse=True)[1])
