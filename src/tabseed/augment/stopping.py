"""When a generator of augmenting rows has learned enough: distances of columns, by importance.

Notation: n rows, d features, D_c distance of column c, w_c its weight, S seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.inspection import permutation_importance
from sklearn.metrics import log_loss

from tabseed._random import RandomState, child, generator, int_seed, one_thread, seed_sequence
from tabseed.archive import Arrays
from tabseed.coding.encode import Layout
from tabseed.errors import SchemaError, TabseedError, TooFewRowsError
from tabseed.estimates.folds import deal
from tabseed.generators.base import FIT, Aids, Draw, Generator
from tabseed.metrics import MarginalDistance
from tabseed.pages.curves import stopping_picture
from tabseed.parameters import MAPPING, SEED, InstanceOf, Parameters, or_none
from tabseed.table import MISSING, Frame, Table
from tabseed.table.schema import DISCRETE, NUMERIC, Schema

SPLIT, MODEL, PERMUTE = range(3)  # streams of the importances
INNER = 1  # stream below that of a KSStopped, of the generator inside
LISTED = 5  # columns named in a summary
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

    W = sum_c w_c D_c / sum_c w_c, in [0, 1], over all columns but the target, if one is named; D_c
    is the distance of Kolmogorov and Smirnov for a number, total variation for a category
    (:class:`~tabseed.metrics.marginal.MarginalDistance`). Smaller is better: arXiv 2410.00759,
    section 4, maximises the complement sum w (1 - D) = 1 - W, which is the same.

    W sees single columns only: neither dependence among them nor with the target. Rows drawn from
    the law itself have W of about 0.9 sqrt(2/n), not 0.

    Parameters
    ----------
    real : frame or Table
        Rows that drawn ones are compared with. Held out ones say more than those that train.
    target : str or None
        The column that the others predict; None: there is none, and no importances to measure.
    importances : mapping of column name to number >= 0, optional
        Such as the total gain of boosted trees; matched by name, a column that is not named
        weighs nothing. None: permutation importances (:func:`permutation_weights`). All 0, or None
        without a target: every column weighs the same.
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
        real: Frame,
        target: str | None,
        importances: Mapping[str, float] | None = None,
        random_state: RandomState = 0,
    ) -> None:
        table = Table.from_frame(real)
        if target is not None:
            table.schema[target]  # an unknown name raises, with the nearest one
        features = Schema(tuple(c for c in table.schema.modelled if c.name != target))
        if not len(features):
            beside = "" if target is None else f" beside {target!r}"
            raise SchemaError(f"no column{beside} to compare")
        if importances is None:
            stream = seed_sequence(random_state)
            importances = {} if target is None else permutation_weights(table, target, stream)
        self.weights = _normalised(features, importances)
        self.history: list[Watched] = []
        self._real = table.select(features)

    def __call__(self, step: int, seeds: np.ndarray, draw: Draw) -> np.ndarray:
        """Give W of each seed at this step, (S,)."""
        return np.array([self._watch(step, int(seed), draw) for seed in seeds])

    def statistic(self, drawn: Frame) -> float:
        """Give W of rows drawn."""
        distances = self._distances(drawn)
        return sum(w * distances[name] for name, w in self.weights.items())

    def picture(self, generator: Any) -> str:
        """Draw training loss and W by step, a line a seed, as SVG; dots are what was kept.

        ``generator`` is what was fitted with this monitor.
        """
        ensemble = generator.ensemble_
        return stopping_picture(ensemble.curves, ensemble.best_step)

    def _distances(self, drawn: Frame) -> dict[str, float]:
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


class KSStopped(Generator):
    """A neural generator that stops by :class:`ImportanceKS` of the rows it learns from.

    Parameters
    ----------
    generator : NeuralGenerator
        Its ``random_state`` plays no part.
    importances : mapping of column name to number, optional
        As of :class:`ImportanceKS`; measured on the whole table they are less noisy than on a few
        hard rows, which is what None does, by the ``target`` of :meth:`fit`. Without a target all
        columns weigh the same.
    random_state : int, numpy Generator, SeedSequence or None

    Learned: ``generator_``, from which rows are drawn, and ``weights_`` of the columns. Not kept
    in a model file: ``monitor_``, with the history of the statistic and the rows compared with.

    References: arXiv:2410.00759.
    """

    references: ClassVar[tuple[str, ...]] = ("arXiv:2410.00759",)
    parameters: ClassVar[Parameters] = {
        "generator": InstanceOf(Generator),
        "importances": or_none(MAPPING),
        "random_state": SEED,
    }

    generator_: Any  # NeuralGenerator, which needs PyTorch
    monitor_: ImportanceKS
    weights_: dict[str, float]

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
    def min_rows(self) -> int:  # type: ignore[override]
        """The fewest rows to learn from: those of the generator."""
        return self.generator.min_rows

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        table = self.encoder_.inverse_transform(x)
        self.monitor_ = ImportanceKS(table, self.target_, self.importances, stream)
        self.weights_ = self.monitor_.weights
        self._stream = child(self._stream, INNER)  # rows are drawn by that of the generator
        self.generator_ = self._inner()
        inside = Aids(aids.progress, aids.checkpoint, self.monitor_)
        self.generator_._fit(x, layout, child(self._stream, FIT), inside)

    def _inner(self) -> Generator:
        """Give the generator inside, knowing what this one knows of the table."""
        if not self.generator.watchable:
            name = type(self.generator).__name__
            raise TabseedError(f"KSStopped: {name} trains no network whose rows can be watched")
        inner: Generator = clone(self.generator).set_params(random_state=self._stream)
        inner.schema_, inner.encoder_, inner._stream = self.schema_, self.encoder_, self._stream
        inner.target_, inner.n_rows_ = self.target_, self.n_rows_
        return inner

    @property
    def ensemble_(self) -> Any:
        """The seeds of the generator, a SeedEnsemble; W stands for their validation losses."""
        return self.generator_.ensemble_

    def log_likelihood(self, table: Frame, *, random_state: RandomState = 0) -> np.ndarray:
        """Estimate the log-probability of each row (n,): see NeuralGenerator.log_likelihood."""
        return np.asarray(self.generator_.log_likelihood(table, random_state=random_state))

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return np.asarray(self.generator_._sample(n, rng))

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        state, arrays = self.generator_._state()
        return {"inner": state, "weights": self.weights_}, arrays

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        self.weights_ = {str(name): float(w) for name, w in state["weights"].items()}
        self.generator_ = self._inner()
        self.generator_._restore(state["inner"], arrays)

    def summary(self) -> list[str]:
        """Say what was learned."""
        top = sorted(self.weights_.items(), key=lambda item: -item[1])[:LISTED]
        named = ", ".join(f"{name!r} {weight:.2f}" for name, weight in top)
        more = f" and {len(self.weights_) - LISTED} more" if len(self.weights_) > LISTED else ""
        stopped = f"stopped by distances of columns, weighing {named}{more}"
        return [stopped, *self.generator_.summary()]


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
