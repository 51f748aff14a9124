"""Stop training a generator by the distances of its columns, weighted by their importance.

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
from tabseed.archive import Arrays, Holds
from tabseed.coding.encode import Layout
from tabseed.errors import SchemaError, TabseedError, TooFewRowsError
from tabseed.estimates.folds import deal
from tabseed.generators.base import FIT, Aids, Draw, Generator
from tabseed.generators.conditions import Conditions
from tabseed.metrics import MarginalDistance
from tabseed.pages.curves import stopping_picture
from tabseed.parameters import MAPPING, SEED, InstanceOf, Parameters, Real, check, or_none, shown
from tabseed.table import MISSING, Frame, Table
from tabseed.table.schema import DISCRETE, NUMERIC, Schema

SPLIT, MODEL, PERMUTE = range(3)  # child streams for the importances
INNER = 1  # child stream of a KSStopped for its inner generator
LISTED = 5  # number of columns in a summary
REPEATS = 5  # permutations of each column
MOST_LEVELS = 254  # maximum number of categories for scikit-learn's boosting


@dataclass(frozen=True)
class Watched:
    """What a monitor measured of a seed at a step: W and each column's distance."""

    step: int
    seed: int
    statistic: float
    distances: dict[str, float]


class ImportanceKS:
    """Mean distance of single columns, weighted by their importance for the target.

    W = sum_c w_c D_c / sum_c w_c, in [0, 1], over all columns except the target, if one is named.
    D_c is the Kolmogorov-Smirnov distance for a number and total variation for a category
    (:class:`~tabseed.metrics.marginal.MarginalDistance`). Smaller is better: arXiv 2410.00759,
    section 4, maximises the complement sum w (1 - D) = 1 - W, which is equivalent.

    W measures single columns only, not the dependence among them or with the target. Rows from the
    true distribution have W of about 0.9 sqrt(2/n), not 0.

    Parameters
    ----------
    real : frame or Table
        Rows to compare drawn rows with. Held-out rows are more informative than training rows.
    target : str or None
        The column that the others predict; None: no target, so importances are not measured.
    importances : mapping of column name to number >= 0, optional
        For example the total gain of boosted trees. A column that is not named has weight 0. None:
        permutation importances (:func:`permutation_weights`). If all are 0, or None without a
        target, every column has the same weight.
    random_state : int, Generator, RandomState or SeedSequence of numpy, or None
        For the permutation importances.

    Attributes
    ----------
    weights : dict of column name to weight; they sum to 1
    history : list of Watched, in the order of steps

    Pass it to a generator as ``fit(..., watch=monitor)``: its ``ensemble_.curves`` then contain W
    instead of the validation loss, and it keeps the weights with the smallest W. Each validation
    costs a draw of as many rows as ``real`` has from every seed, and the fit of the latent law.
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
            target = table.schema[target].name  # an unknown name raises, with the nearest one
        features = Schema(tuple(c for c in table.schema.modelled if c.name != target))
        if not len(features):
            besides = "" if target is None else f" besides {target!r}"
            raise SchemaError(f"there is no column{besides} to compare")
        if importances is None:
            stream = seed_sequence(random_state)
            importances = {} if target is None else permutation_weights(table, target, stream)
        self.weights = _normalised(features, importances)
        self.history: list[Watched] = []
        self._real = table.select(features)

    def __call__(self, step: int, seeds: np.ndarray, draw: Draw) -> np.ndarray:
        """Return W of each seed at this step, (S,)."""
        return np.array([self._watch(step, int(seed), draw) for seed in seeds])

    def statistic(self, drawn: Frame) -> float:
        """Return W of drawn rows."""
        distances = self._distances(drawn)
        return sum(w * distances[name] for name, w in self.weights.items())

    def picture(self, generator: Any) -> str:
        """Return a plot (SVG) of training loss and W by step, one line per seed.

        Dots mark the weights that were kept. ``generator`` is the one fitted with this monitor.
        """
        ensemble = generator.ensemble_
        return stopping_picture(ensemble.curves, ensemble.best_step)

    def _distances(self, drawn: Frame) -> dict[str, float]:
        table = Table.from_frame(drawn, schema=self._real.schema)
        # the resampled interval is not used, so take the minimum number of resamples
        result = MarginalDistance(n_bootstrap=2).evaluate(self._real, table, random_state=0)
        columns: dict[str, float] = result.columns
        return columns

    def _watch(self, step: int, seed: int, draw: Draw) -> float:
        distances = self._distances(draw(seed, len(self._real)))
        statistic = sum(w * distances[name] for name, w in self.weights.items())
        self.history.append(Watched(step, seed, statistic, distances))
        return statistic


class KSStopped(Generator):
    """A neural generator that stops by :class:`ImportanceKS` of the rows it learns from.

    Parameters
    ----------
    generator : NeuralGenerator
        Its ``random_state`` is not used.
    importances : mapping of column name to number, optional
        As for :class:`ImportanceKS`. None measures them on the rows to learn from, with the
        ``target`` of :meth:`fit`; importances from the whole table are less noisy than those from
        a few hard rows. Without a target all columns have the same weight.
    random_state : int, Generator, RandomState or SeedSequence of numpy, or None

    Fitted attributes: ``generator_``, from which rows are drawn, and ``weights_`` of the columns.
    ``monitor_``, with the history of the statistic and the real rows, is not saved in model files.

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
        """The minimum number of rows to learn from: that of the generator."""
        return self.generator.min_rows

    @property
    def holds(self) -> Holds:  # type: ignore[override]
        """What a model file holds: what that of the generator does."""
        return self.generator.holds

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        table = self.encoder_.inverse_transform(x)
        self.monitor_ = ImportanceKS(table, self.target_, self.importances, stream)
        self.weights_ = self.monitor_.weights
        self._stream = child(self._stream, INNER)  # the inner generator draws rows with it
        self.generator_ = self._inner()
        inner_aids = Aids(aids.progress, aids.checkpoint, self.monitor_)
        self.generator_._fit(x, layout, child(self._stream, FIT), inner_aids)

    def _inner(self) -> Generator:
        """Return the inner generator, with the schema and encoder of this one."""
        if not self.generator.watchable:
            name = type(self.generator).__name__
            raise TabseedError(
                f"KSStopped: {name} trains no network that can be watched; use a neural generator"
            )
        inner: Generator = clone(self.generator).set_params(random_state=self._stream)
        inner._know(self, self.n_rows_)
        inner._stream = self._stream
        return inner

    @property
    def ensemble_(self) -> Any:
        """The seeds of the generator, a SeedEnsemble with W instead of validation losses."""
        return self.generator_.ensemble_

    @property
    def knows_likelihood(self) -> bool:
        """Whether the generator within has a likelihood."""
        return self.generator.knows_likelihood

    def log_likelihood(self, table: Frame, *, random_state: RandomState = 0) -> np.ndarray:
        """Estimate the log-probability of each row (n,): see NeuralGenerator.log_likelihood."""
        return np.asarray(self.generator_.log_likelihood(table, random_state=random_state))

    def _log_probability(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.generator_._log_probability(x))

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return np.asarray(self.generator_._sample(n, rng))

    def _sample_near(self, n: int, conditions: Conditions, rng: np.random.Generator) -> np.ndarray:
        return np.asarray(self.generator_._sample_near(n, conditions, rng))

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        state, arrays = self.generator_._state()
        return {"inner": state, "weights": self.weights_}, arrays

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        self.weights_ = {str(name): float(w) for name, w in state["weights"].items()}
        self.generator_ = self._inner()
        self.generator_._restore(state["inner"], arrays)

    def summary(self) -> list[str]:
        """Return lines of text on what was learned."""
        largest = sorted(self.weights_.items(), key=lambda item: -item[1])[:LISTED]
        names = ", ".join(f"{name!r} {weight:.2f}" for name, weight in largest)
        more = f" and {len(self.weights_) - LISTED} more" if len(self.weights_) > LISTED else ""
        line = f"stopped by distances of columns, weighing {names}{more}"
        return [line, *self.generator_.summary()]


def _normalised(features: Schema, importances: Mapping[str, float]) -> dict[str, float]:
    """Return weights of the features, by name, that sum to 1."""
    check("ImportanceKS", "importances", importances, or_none(MAPPING))
    for name, value in importances.items():
        features[name]  # an unknown name raises, with the nearest one
        if not Real(0).accepts(value):
            raise TabseedError(
                f"importances: {name!r} has {shown(value)}, but they must be 0 or more"
            )
    weights = {name: float(importances.get(name, 0.0)) for name in features.names}
    total = sum(weights.values())
    if total == 0:
        return dict.fromkeys(weights, 1 / len(weights))
    return {name: value / total for name, value in weights.items()}


def permutation_weights(
    table: Table, target: str, stream: np.random.SeedSequence
) -> dict[str, float]:
    """Return each feature's permutation importance for boosted trees, 0 if it is negative.

    Half of the rows train. The other half give the log likelihood (R2 for a regression) before and
    after a column is shuffled (Breiman, Machine Learning 45 (2001)). Cost: a fit and 5 d
    predictions.
    """
    features = [c for c in table.schema.modelled if c.name != target]
    columns, categorical = [], []
    for column in features:
        if column.kind in NUMERIC:
            columns.append(table.numbers(column.name))
        else:
            codes = table.codes(column.name)
            columns.append(np.where(codes == MISSING, np.nan, codes))
        unordered = column.kind in DISCRETE and column.kind != "ordinal"
        categorical.append(unordered and len(column.categories) <= MOST_LEVELS)
    x = np.column_stack(columns)
    classes = table.schema[target].kind in DISCRETE
    y = table.codes(target) if classes else table.numbers(target)
    if len(y) < 4:
        raise TooFewRowsError(
            f"{len(y)} rows are too few for importances of columns; at least 4 are needed"
        )
    held_out = (
        deal(y - y.min() if classes else None, len(y), 2, generator(child(stream, SPLIT, 0))) == 1
    )
    if classes:
        held_out &= np.isin(y, y[~held_out])  # a class without training rows cannot be judged
    model_class = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    seed = int_seed(child(stream, MODEL))
    model = model_class(categorical_features=categorical, early_stopping=False, random_state=seed)
    with one_thread():
        model.fit(x[~held_out], y[~held_out])
        importance = permutation_importance(
            model,
            x[held_out],
            y[held_out],
            scoring=_log_likelihood if classes else "r2",
            n_repeats=REPEATS,
            random_state=int_seed(child(stream, PERMUTE)),
        )
    names = [c.name for c in features]
    return dict(zip(names, np.maximum(importance.importances_mean, 0.0).tolist(), strict=True))


def _log_likelihood(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    return -float(log_loss(y, model.predict_proba(x), labels=model.classes_))
