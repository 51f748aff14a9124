"""Synthesis in two stages: any generator draws the features, a fitted law the response to them.

Notation: n rows, x a row's features as a point (w,), y its response, C classes, mu(x) = E[y | x],
eta(x) = P(y = k | x) over the classes, ~ marks draws, ^ marks fitted quantities.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from importlib import import_module
from typing import Any, ClassVar, Self, get_args

import numpy as np
from sklearn.base import BaseEstimator, clone

from tabseed._random import RandomState, child, generator, one_thread
from tabseed.archive import Arrays, Holds, estimator_from_plain, estimator_to_plain, stored, under
from tabseed.coding.cells import Block
from tabseed.coding.encode import Layout, TableEncoder
from tabseed.coding.labels import posed
from tabseed.coding.points import Features
from tabseed.errors import NoTargetWarning, SchemaError, TabseedError, renamed
from tabseed.estimates.scores import Task
from tabseed.generators.base import FIT, Aids, Generator
from tabseed.generators.conditions import Conditions
from tabseed.generators.importance import by_importance
from tabseed.generators.trees.sequential import SequentialTrees
from tabseed.generators.two_stage.fitting import RESPONSES, Fitting
from tabseed.generators.two_stage.laws import (
    ClassLaw,
    Determined,
    Law,
    MarginLaw,
    NumberLaw,
    Residuals,
)
from tabseed.parameters import (
    ESTIMATOR,
    FLAG,
    SEED,
    AnyOf,
    InstanceOf,
    OneOf,
    Parameters,
    Whole,
    or_none,
)
from tabseed.rules.construction import Construction
from tabseed.space import Choice
from tabseed.table import MISSING, Frame, Table
from tabseed.table.schema import Schema

FEATURES, RESPONSE = 0, 1  # streams below that of a fit
ANSWER = 2  # stream below that of a generator, beside FIT and SAMPLE: responses to the user's rows

# modules and classes that a model file may name: their parameters are plain values, and none of
# them reads or runs a file
_NAMES = {
    "sklearn.dummy": "DummyClassifier DummyRegressor",
    "sklearn.ensemble": "ExtraTreesClassifier ExtraTreesRegressor GradientBoostingClassifier "
    "GradientBoostingRegressor HistGradientBoostingClassifier HistGradientBoostingRegressor "
    "RandomForestClassifier RandomForestRegressor",
    "sklearn.linear_model": "BayesianRidge ElasticNet HuberRegressor Lasso LinearRegression "
    "LogisticRegression Ridge RidgeCV",
    "sklearn.naive_bayes": "GaussianNB",
    "sklearn.neighbors": "KNeighborsClassifier KNeighborsRegressor",
    "sklearn.neural_network": "MLPClassifier MLPRegressor",
    "sklearn.svm": "SVR",
    "sklearn.tree": "DecisionTreeClassifier DecisionTreeRegressor",
}
TIMES = 20  # responses to each row of features that is near the conditions
MOST_WORK = 100_000  # trees, iterations, units of a response in a model file
ESTIMATORS = tuple((home, name) for home, names in _NAMES.items() for name in names.split())


class FeatureResponse(Generator):
    """Draw features with any generator, then the response from a law fitted to y given x.

    The fitted law is calibrated, and its noise learned, on rows that it did not see (in folds:
    on rows that it saw, residuals are too small and votes too certain). A number is
    y~ = mu^(x~) + e, a class (missing is one of them) is drawn from eta^(x~),

        mu^(x) = m + a f(x),    eta^_k(x) ~ pi_k exp(b_k + a log(p_k(x) / pi_k)),

    f a regressor of y less its mean m, a >= 0 from least squares with a ridge of one row; e is one
    of the residuals y - mu^. p are a classifier's probabilities mixed with 1/(n+1) of the base
    rates pi; a and b maximise the log-likelihood less (a^2 + |b|^2) / 2. So few and uninformative
    rows give the base rates.

    Parameters
    ----------
    features : Generator or None
        Learns the other columns, without the response; None: ``SequentialTrees()``. Its
        ``random_state`` is ignored.
    response : "forest", "linear", "splines", "boosting", "knn", "process", "mlp", "auto" or a \
scikit-learn regressor or classifier
        Learns y from points (:class:`~tabseed.coding.points.Features`), numbers standardised.
        "knn" takes k = max(3, round(sqrt n)) neighbours; "process" is a Gaussian process, which
        costs n^3. "auto" pools all but "mlp", with the weights that rows which trained none of them
        prefer (:class:`~tabseed.generators.two_stage.fitting.Pool`). Its ``random_state`` is set
        here.
    residuals : "local", "global", "gaussian" or "none"
        e is drawn from the max(3, round(sqrt n)) training rows nearest to x~, less their mean, so
        that noise may depend on x; from all rows; from a normal law of their variance; or is 0.
    hard : bool
        Take the likeliest class instead of drawing one: no noise, for comparison.
    folds : int
        Folds of the cross-fitting, at least 2; fewer if there are fewer rows.
    random_state : int, Generator, RandomState or SeedSequence of numpy, or None

    Attributes
    ----------
    target_ : the response's column: the one named in ``fit``, or else the last modelled one
    features_ : the fitted Generator, or None without columns beside the target
    task_ : "classification" or "regression"
    classes_ : list of the classes, in the order of the schema, None for missing; empty for numbers

    A drawn number is moved to the column's grid and clipped to the training range (``summary``
    says how often); in a column of few numbers it becomes the nearest one. A separate classifier
    draws, given x~, whether a number is missing or is one of those far from all others (a code
    such as 999999), which the response does not learn. Columns that the target determines are not
    features and follow it; a target that a feature determines follows that feature. Values that
    occur often among many others (a price of 0) are not treated separately.

    Cost: ``folds`` + 1 fits of the response besides one of the features. The model file holds the
    training rows, and reading it learns the response again from them (with the same version of
    scikit-learn it draws the same rows): it does not protect privacy, whatever ``features`` is.

    References: the two stages of Xu, Sun and Cheng (arXiv 2305.10015); calibration after Platt
    (Advances in Large Margin Classifiers, 1999), for several classes and shrunk.

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> x = np.random.default_rng(0).normal(size=200)
    >>> model = FeatureResponse(response="linear", random_state=0)
    >>> rows = model.fit(pa.table({"x": x, "y": 3 * x + 1}), target="y").sample(1_000)
    >>> bool(np.abs(3 * rows["x"].to_numpy() + 1 - rows["y"].to_numpy()).max() < 0.1)
    True
    """

    holds: ClassVar[Holds] = Holds(True, "as it is, whatever learns the features")
    references: ClassVar[tuple[str, ...]] = ("arXiv:2305.10015",)
    parameters: ClassVar[Parameters] = {
        "features": or_none(InstanceOf(Generator)),
        "response": AnyOf(
            (OneOf(RESPONSES), ESTIMATOR),
            f"{OneOf(RESPONSES)} or a scikit-learn estimator",
            search=Choice(("forest", "knn", "linear")),
        ),
        "residuals": OneOf(get_args(Residuals), search=Choice(("local", "global"))),
        "hard": FLAG,
        "folds": Whole(2),
        "random_state": SEED,
    }

    def __init__(
        self,
        features: Generator | None = None,
        response: str | BaseEstimator = "forest",
        residuals: Residuals = "local",
        hard: bool = False,
        folds: int = 5,
        random_state: RandomState = 0,
    ) -> None:
        self.features = features
        self.response = response
        self.residuals = residuals
        self.hard = hard
        self.folds = folds
        self.random_state = random_state

    features_: Generator | None
    task_: Task
    classes_: list[Any]
    named_: bool  # whether the call of fit named the target
    rows_: np.ndarray  # (n, columns) training values, NaN missing
    points_: Features  # turns features into points
    law_: Law  # of the target's block given points

    # -- learning

    def fit(self, table: Frame, *, target: str | None = None, **options: Any) -> Self:
        """Learn as every generator does; a classifier as ``response`` makes classes of numbers.

        (A regressor makes numbers of classes that are whole numbers.)
        """
        if target is not None and options.get("encoder") is None:
            whole = Table.from_frame(table)
            table = posed(whole, whole.schema[target].name, [self.response])
        return super().fit(table, target=target, **options)

    def _encoder(self, table: Table, target: str | None) -> TableEncoder:
        """Return the encoder of a table; the target follows features by its law alone."""
        return TableEncoder().fit(table, apart=target)

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        names = self.encoder_.schema_.names
        self.named_ = self.target_ is not None
        if self.target_ is None:
            made = self.encoder_.made_
            own = [n for n in names if n in self.encoder_.table_schema_ and n not in made]
            if not own:
                raise SchemaError("rules make every column, so there is no response to learn")
            self.target_ = own[-1]
            warnings.warn(
                f"{type(self).__name__}: no target was named, so the last column, "
                f"{self.target_!r}, is the response; name another with target",
                NoTargetWarning,
                stacklevel=5,
            )
        elif self.target_ not in names:
            column = self.schema_[self.target_]
            why = f"is {column.kind}, not a label; set another kind"
            if column.name in self.encoder_.table_schema_:
                why = "follows from other columns by a rule, so there is nothing to learn"
            raise SchemaError(f"column {column.name!r} {why}")
        self.rows_ = layout.columns(x)
        self.features_ = self._inner()
        if self.features_ is not None:
            encoder = self.features_.encoder_
            self.features_.set_params(random_state=child(stream, FEATURES)).fit(
                self.encoder_.learned_rows(x).select(encoder.schema_),
                encoder=encoder,
                progress=aids.progress,
                checkpoint=None if aids.checkpoint is None else aids.checkpoint.path,
            )
        self._learn_response(stream)

    @property
    def _target_index(self) -> int:
        """The index of the target's block."""
        return self.encoder_.schema_.names.index(str(self.target_))

    @property
    def _feature_indices(self) -> list[int]:
        """The indices of the features' blocks: all but the target's and those it determines."""
        blocks = self.encoder_.layout_.blocks
        return [
            j
            for j, b in enumerate(blocks)
            if j != self._target_index and b.parent != self._target_index
        ]

    def _inner(self) -> Generator | None:
        """Return the generator of the features with its columns set; None without features."""
        indices = self._feature_indices
        if not indices:
            return None
        model: Generator = clone(SequentialTrees() if self.features is None else self.features)
        model.encoder_ = encoder_of(self.encoder_, indices)
        model.schema_ = model.encoder_.schema_
        model.target_, model.n_rows_ = None, self.n_rows_
        return model

    def _learn_response(self, stream: np.random.SeedSequence) -> None:
        """Fit the law of the target to ``rows_``; it depends only on them and on the stream."""
        layout, at, leader = self.encoder_.layout_, self._target_index, self._leader
        block, y = layout.blocks[at], self.rows_[:, at]
        codes = np.empty(0, int)
        if not block.numeric:
            codes = np.unique(np.nan_to_num(y, nan=MISSING)).astype(int)
            codes = np.concatenate([codes[codes >= 0], codes[codes < 0]])  # missing is last
        categories = self.encoder_.schema_[block.name].categories
        self.classes_ = [None if k == MISSING else categories[k] for k in codes]
        self.task_ = "regression" if block.numeric else "classification"
        rows = self.encoder_.learned_rows(layout.from_values(list(self.rows_.T)))
        if self.features_ is not None:
            self.points_ = Features().fit(rows.select(self.features_.schema_))
        points = self._points(rows)
        fitting = Fitting(self.response, self.folds, child(stream, RESPONSE))
        if leader is not None:
            self.law_ = Determined(leader.name, block, codes)
        elif not block.numeric:
            self.law_ = ClassLaw.fit(points, y, codes, fitting, hard=self.hard)
        elif not points.shape[1] or np.isnan(y).all():
            self.law_ = MarginLaw(block, np.bincount(block.cell_of(y)), y)
        else:
            self.law_ = NumberLaw.fit(points, y, block, fitting, self.residuals)

    @property
    def _leader(self) -> Block | None:
        """The block that determines the target, if one does."""
        blocks = self.encoder_.layout_.blocks
        parent = blocks[self._target_index].parent
        return blocks[parent] if parent >= 0 else None

    def _points(self, rows: Table) -> np.ndarray:
        """Return what the law uses of each row, (n, w): its point, or the leader's cell."""
        leader = self._leader
        if leader is not None:
            value = rows.numbers(leader.name) if leader.numeric else _codes(rows, leader.name)
            cell = leader.cell_of(value)
            if (cell < 0).any():
                row = int(np.flatnonzero(cell < 0)[0])
                raise SchemaError(
                    f"column {leader.name!r}, row {row + 1}: not seen in training, and "
                    f"{self.target_!r} depends on it"
                )
            return cell[:, None].astype(float)
        if self.features_ is None:
            return np.empty((len(rows), 0))
        return self.points_.transform(rows)

    # -- drawing

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        layout, values = self.encoder_.layout_, {}
        points = np.empty((n, 0))
        if self.features_ is not None:
            encoder, z = self.features_.encoder_, self.features_._sample(n, rng)
            for j, block in zip(self._feature_indices, encoder.layout_.blocks, strict=True):
                values[j] = encoder.layout_.values(block, z)
            points = self._points(encoder.inverse_transform(z))
        values[self._target_index] = self.law_.draw(points, rng)
        return layout.from_free(values, rng)

    def _sample_near(self, n: int, conditions: Conditions, rng: np.random.Generator) -> np.ndarray:
        """Draw features near their conditions, several responses to each, and keep those that meet.

        Features of which many responses meet the conditions are kept as often.
        """
        layout, target = self.encoder_.layout_, self._target_index
        if self.features_ is None:
            return self._sample(n, rng)
        features, blocks = self.features_, self.features_.encoder_.layout_.blocks
        mine = {
            k: conditions.allowed[j]
            for k, j in enumerate(self._feature_indices)
            if j in conditions.allowed
            and blocks[k].parent < 0
            and blocks[k].n_cells == layout.blocks[j].n_cells
        }
        asked, allowed = Conditions((), None, mine), conditions.allowed.get(target)

        def draw(m: int) -> tuple[np.ndarray, np.ndarray]:
            z = np.repeat(features._sample_near(-(-m // TIMES), asked, rng), TIMES, axis=0)
            points = self._points(features.encoder_.inverse_transform(z))
            response = self.law_.draw(points, rng)
            meets = np.ones(len(z))
            if allowed is not None:
                meets = allowed[layout.blocks[target].cell_of(response)] * 1.0
            return np.column_stack([response, z]), meets

        batches, rows = by_importance(draw, n, rng)
        if rows is None:
            return self._sample(n, rng)
        drawn = np.concatenate(batches)[rows]
        values = {
            j: features.encoder_.layout_.values(block, drawn[:, 1:])
            for j, block in zip(self._feature_indices, blocks, strict=True)
        }
        return layout.from_free(values | {target: drawn[:, 0]}, rng)

    @renamed(frame="table")
    def sample_response(self, table: Frame, *, random_state: RandomState = None) -> np.ndarray:
        """Draw a response (n,) to the features of each row of ``table``.

        Returns numbers as :meth:`~tabseed.table.Table.numbers` does (dates in microseconds, NaN
        missing), or class labels (object array, None missing). Other columns than the features
        are ignored; a category that was not seen in training is like no category at all. Without
        ``random_state`` the generator's own seed decides. SchemaError for missing columns.
        """
        points = self._points_of(table)
        stream = child(self._stream, ANSWER) if random_state is None else random_state
        with one_thread():
            values = self.law_.draw(points, generator(stream))
        if self.task_ == "regression":
            return values
        categories = self.encoder_.schema_[str(self.target_)].categories
        labels = np.empty(len(categories) + 1, dtype=object)
        labels[:-1] = categories  # the last one stays None, for missing
        return np.asarray(labels[np.nan_to_num(values, nan=MISSING).astype(int)])

    @renamed(frame="table")
    def response_mean(self, table: Frame) -> np.ndarray:
        """Return E[y~ | x], the mean of what :meth:`sample_response` draws, for each row.

        For numbers (n,): the mean of those that are not missing, with rounding and clipping. For
        classes their probabilities (n, C), in the order of ``classes_``. Rows are as in
        :meth:`sample_response`.
        """
        points = self._points_of(table)
        with one_thread():
            return self.law_.mean(points)

    def _points_of(self, table: Frame) -> np.ndarray:
        if self.encoder_.construction_.steps:  # what is learned of all columns together
            return self._points(self.encoder_.learned(Table.from_frame(table)))
        schema = None if self.features_ is None else self.features_.schema_
        return self._points(Table.from_frame(table, schema=schema))

    # -- files

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        if isinstance(self.response, BaseEstimator):
            _refuse_unsaveable(self.response)
        arrays = {"rows": self.rows_}
        state: dict[str, Any] = {"named": self.named_, "features": None}
        if self.features_ is not None:
            state["features"], inner = self.features_._state()
            arrays |= {f"features.{k}": v for k, v in inner.items()}
        return state, arrays

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        self.named_ = bool(state["named"])
        self.rows_ = stored(arrays, "rows", "f", (None, None), finite=False)
        self.encoder_.layout_.check(self.rows_)
        self.features_ = self._inner()
        if self.features_ is not None:
            self.features_._restore(state["features"], under("features.", arrays))
        with one_thread():
            self._learn_response(child(self._stream, FIT))

    @classmethod
    def _parameters(cls, plain: dict[str, Any]) -> dict[str, Any]:
        response = estimator_from_plain(plain["response"], ESTIMATORS)
        if isinstance(response, dict):
            raise ValueError(f"{response.get('class')!r} is not a response that a file may hold")
        if isinstance(response, BaseEstimator):
            _refuse_endless(response)
        return {**plain, "response": response}

    def summary(self) -> list[str]:
        """Return a few lines that say what was learned."""
        unnamed = "" if self.named_ else ", the last column because none was named"
        lines = [f"features, then {self.target_!r} given them{unnamed}", *self.law_.says()]
        if self.features_ is not None:
            lines += [
                f"features by {type(self.features_).__name__}",
                *(line for line in self.features_.summary() if line != str(self.features_.holds)),
            ]
        lines += super().summary()  # includes the dependencies of the features
        return list(dict.fromkeys(lines))


def encoder_of(encoder: TableEncoder, indices: list[int]) -> TableEncoder:
    """Return the encoder of the blocks at ``indices``, which include the blocks they follow."""
    part = TableEncoder(**encoder.get_params())
    blocks, start = [], 0
    for j in indices:
        block = encoder.layout_.blocks[j]
        parent = indices.index(block.parent) if block.parent >= 0 else -1
        blocks.append(replace(block, start=start, parent=parent))
        start += 1 + block.n_cells
    part.layout_ = Layout(tuple(blocks))
    part.schema_ = part.table_schema_ = Schema(tuple(encoder.schema_[b.name] for b in blocks))
    part.construction_, part.made_ = Construction(part.schema_), {}
    part.frame_kind_ = encoder.learned_kind
    return part


def _codes(rows: Table, name: str) -> np.ndarray:
    codes = rows.codes(name)
    return np.where(codes == MISSING, np.nan, codes)


def _refuse_unsaveable(response: BaseEstimator) -> None:
    """Raise TabseedError for an estimator that could not be read from a file."""
    known = {getattr(import_module(module), name) for module, name in ESTIMATORS}
    if type(response) not in known:
        raise TabseedError(
            f"a file cannot hold {type(response).__name__}: its class is not among those of "
            "tabseed.generators.two_stage.feature_response.ESTIMATORS"
        )
    _refuse_endless(response)
    try:
        json.dumps(estimator_to_plain(response), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TabseedError(
            f"a file cannot hold {type(response).__name__}: a parameter is not a plain value "
            f"({error})"
        ) from error


def _refuse_endless(response: BaseEstimator) -> None:
    """Raise TabseedError for a parameter that asks for more work than a file may ask for.

    A model file holds rows, and reading it fits the response to them again.
    """
    for name, value in response.get_params(deep=False).items():
        for number in value if isinstance(value, list | tuple) else (value,):
            if name != "random_state" and isinstance(number, int) and abs(number) > MOST_WORK:
                raise TabseedError(
                    f"a file cannot hold {type(response).__name__} with {name}={number}: "
                    f"at most {MOST_WORK}"
                )
