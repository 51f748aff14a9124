"""When a generator of augmenting rows has learned enough: distances of columns, by importance.

Notation: n rows, d features, D_c distance of column c, w_c its weight, S seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss

from tabseed._random import RandomState, child, generator, int_seed, one_thread, seed_sequence
from tabseed.errors import SchemaError, TabseedError, TooFewRowsError
from tabseed.estimates.folds import deal
from tabseed.generators.base import Draw, Generator
from tabseed.metrics import MarginalDistance
from tabseed.pages.curves import stopping_picture
from tabseed.table import MISSING, Table
from tabseed.table.schema import DISCRETE, NUMERIC, Schema

SPLIT, MODEL, PERMUTE = range(3)  # streams
REPEATS = 5  # permutations of each column
MOST_LEVELS = 254  # that scikit-learn's boosting takes as categories


@dataclass(frozen=True)
class Watched:
    """What a monitor saw of a seed: W at a step, and each column's distance."""

    step: int
    seed: int
    statistic: float
    distances: dict[str, float]


class ImportanceKS:
    """Mean distance of single columns, weighted by what they tell of the target.

    W = sum_c w_c D_c / sum_c w_c over all columns but the target, in [0, 1]; D_c is the distance
    of Kolmogorov and Smirnov for a number, total variation for a category
    (:class:`~tabseed.metrics.marginal.MarginalDistance`). Smaller is better: arXiv 2410.00759,
    section 4, maximises the complement sum w (1 - D) = 1 - W, which is the same.

    W sees single columns only: neither dependence among them nor with the target. Rows drawn from
    the law itself have W of about 0.9 sqrt(2/n), not 0.

    Parameters
    ----------
    real : frame or Table
        Rows that drawn ones are compared with. Held out ones say more than those that train.
    target : str
        The column that the others predict.
    importances : mapping of column name to number >= 0, optional
        Such as the total gain of boosted trees; matched by name, a column that is not named
        weighs nothing. None: permutation importances (:func:`permutation_weights`). All 0: every
        column weighs the same.
    random_state : int, numpy Generator, SeedSequence or None
        Of the permutation importances.

    Attributes
    ----------
    weights : dict of column name to weight; they sum to 1
    history : list of Watched, in the order of steps

    A generator takes it as ``fit(..., watch=monitor)``; its ``ensemble_.curves`` then have W in
    the place of the validation loss, and the best weights by W are kept. Each validation costs a
    draw of as many rows as ``real`` has from every seed, and what the latent law takes to learn.
    """

    def __init__(
        self,
        real: Any,
        target: str,
        importances: Mapping[str, float] | None = None,
        random_state: RandomState = 0,
    ) -> None:
        table = Table.from_frame(real)
        table.schema[target]
        features = Schema(tuple(c for c in table.schema.modelled if c.name != target))
        if not len(features):
            raise SchemaError(f"no column beside {target!r} to compare")
        if importances is None:
            importances = permutation_weights(table, target, seed_sequence(random_state))
        self.weights = _normalised(features, importances)
        self.history: list[Watched] = []
        self._real = table.select(features)

    def __call__(self, step: int, seeds: np.ndarray, draw: Draw) -> np.ndarray:
        """Give W of each seed at this step, (S,)."""
        return np.array([self._watch(step, int(seed), draw) for seed in seeds])

    def statistic(self, drawn: Any) -> float:
        """Give W of rows drawn."""
        distances = self._distances(drawn)
        return sum(w * distances[name] for name, w in self.weights.items())

    def picture(self, generator: Any) -> str:
        """Draw training loss and W by step, a line a seed, as SVG; dots are what was kept.

        ``generator`` is what was fitted with this monitor.
        """
        ensemble = generator.ensemble_
        return stopping_picture(ensemble.curves, ensemble.best_step)

    def _distances(self, drawn: Any) -> dict[str, float]:
        table = Table.from_frame(drawn, schema=self._real.schema)
        # its interval, which resampling gives, is of no use here: the fewest resamples
        found = MarginalDistance(n_bootstrap=2).evaluate(self._real, table, random_state=0)
        columns: dict[str, float] = found.columns
        return columns

    def _watch(self, step: int, seed: int, draw: Draw) -> float:
        distances = self._distances(draw(seed, len(self._real)))
        found = sum(w * distances[name] for name, w in self.weights.items())
        self.history.append(Watched(step, seed, found, distances))
        return found


class KSStopped(BaseEstimator):
    """A neural generator that stops by :class:`ImportanceKS` of the rows it learns from.

    Parameters
    ----------
    generator : NeuralGenerator
        Its ``random_state`` plays no part.
    importances : mapping of column name to number, optional
        As of :class:`ImportanceKS`; measured on the whole table they are less noisy than on a few
        hard rows, which is what None does.
    random_state : int, numpy Generator, SeedSequence or None

    Learned: ``generator_``, and ``monitor_`` with the history of the statistic. It is a generator
    for :class:`~tabseed.augment.augmenter.TargetedAugmenter`; to be saved, save ``generator_``.
    """

    generator_: Generator
    monitor_: ImportanceKS

    def __init__(
        self,
        generator: Generator,
        importances: Mapping[str, float] | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.generator = generator
        self.importances = importances
        self.random_state = random_state

    @property
    def min_rows(self) -> int:
        """The fewest rows to learn from."""
        return self.generator.min_rows

    def fit(self, table: Any, *, target: str | None = None) -> Self:
        """Learn from a frame or Table; ``target`` names the column that the others predict."""
        if target is None:
            raise TabseedError("KSStopped weighs columns by what they tell of a target; name it")
        stream = seed_sequence(self.random_state)
        self.monitor_ = ImportanceKS(table, target, self.importances, child(stream, 0))
        made = clone(self.generator).set_params(random_state=child(stream, 1))
        self.generator_ = made.fit(table, target=target, watch=self.monitor_)
        return self

    def sample(self, n: int, **options: Any) -> Any:
        """Draw n rows, as :meth:`Generator.sample` does."""
        return self.generator_.sample(n, **options)


def _normalised(features: Schema, importances: Mapping[str, float]) -> dict[str, float]:
    """Weights of the features, by name, that sum to 1."""
    for name, value in importances.items():
        features[name]  # an unknown name raises, with the nearest one
        if not (np.isfinite(value) and value >= 0):
            raise TabseedError(f"importances: {name!r} has {value!r}; they are 0 or more")
    found = {name: float(importances.get(name, 0.0)) for name in features.names}
    total = sum(found.values())
    if total == 0:
        return dict.fromkeys(found, 1 / len(found))
    return {name: value / total for name, value in found.items()}


def permutation_weights(
    table: Table, target: str, stream: np.random.SeedSequence
) -> dict[str, float]:
    """Give each feature's permutation importance for boosted trees, 0 where it is negative.

    Half of the rows train, the others are judged by log likelihood (R2 of a regression) before
    and after a column is shuffled (Breiman, Machine Learning 45 (2001)). Cost: a fit and
    5 d predictions.
    """
    features = [c for c in table.schema.modelled if c.name != target]
    columns, categorical = [], []
    for column in features:
        if column.kind in NUMERIC:
            columns.append(table.numbers(column.name))
        else:
            codes = table.codes(column.name)
            columns.append(np.where(codes == MISSING, np.nan, codes))
        categorical.append(column.kind in DISCRETE and len(column.categories) <= MOST_LEVELS)
    x = np.column_stack(columns)
    classes = table.schema[target].kind in DISCRETE
    y = table.codes(target) if classes else table.numbers(target)
    if len(y) < 4:
        raise TooFewRowsError(f"{len(y)} rows are too few to weigh columns by: 4 are needed")
    held = (
        deal(y - y.min() if classes else None, len(y), 2, generator(child(stream, SPLIT, 0))) == 1
    )
    if classes:
        held &= np.isin(y, y[~held])  # a class of a single row cannot be judged
    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    seed = int_seed(child(stream, MODEL))
    model = kind(categorical_features=categorical, early_stopping=False, random_state=seed)
    with one_thread():
        model.fit(x[~held], y[~held])
        found = permutation_importance(
            model,
            x[held],
            y[held],
            scoring=_log_likelihood if classes else "r2",
            n_repeats=REPEATS,
            random_state=int_seed(child(stream, PERMUTE)),
        )
    names = [c.name for c in features]
    return dict(zip(names, np.maximum(found.importances_mean, 0.0).tolist(), strict=True))


def _log_likelihood(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    return -float(log_loss(y, model.predict_proba(x), labels=model.classes_))
