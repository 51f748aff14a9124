"""KNN-Shapley: how much each row contributes to the vote of neighbours (arXiv 1908.08619)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import ClassVar, Literal, get_args

import numpy as np
from joblib import Parallel, delayed
from joblib.parallel import get_active_backend

from tabseed._random import RandomState, one_thread
from tabseed.errors import TabseedError, not_installed
from tabseed.hardness.base import HardnessScorer, Scores
from tabseed.hardness.shapley import closed_forms as closed
from tabseed.hardness.shapley.games import Game, sum_part
from tabseed.parameters import N_JOBS, SEED, AnyOf, Each, OneOf, Parameters, Real, Whole, or_none

GameName = Literal["accuracy", "soft", "threshold", "squared"]
Ties = Literal["average", "stable"]
Engine = Literal["auto", "numba", "numpy", "torch"]
TIE = 1e-12
WORTH_COMPILING = 5e7  # pairs of rows; NumPy takes about two seconds for them, as long as compiling


class KNNShapley(HardnessScorer):
    """Hardness is minus the Shapley value: the rows that help the vote of neighbours least.

    For a reference row, the K nearest rows in any subset S of the n rows vote. What a row adds to
    the vote, averaged over all orders in which rows could arrive, is its Shapley value for that
    reference row; its value is the mean over reference rows. Rows are compared by their points
    (:class:`~tabseed.coding.points.Features`), so mixed kinds and missing values are treated alike.

    Games for classes, V(S) for one reference row with label y:

    - ``"accuracy"``: matching labels among the min(K, |S|) nearest, divided by K; 0 for an empty S.
      Values add up to the mean soft accuracy of the K-neighbours vote. Exact for any K, also K > n.
    - ``"soft"``: the same divided by min(K, |S|); 1/C for an empty S, C the number of classes
      (arXiv 2304.04258). Equals accuracy + (H_K - 1) / (n - 1) (m - mean m) - 1 / (n C), with
      m = 1 for a match, K at most n and H_K = 1 + ... + 1/K.
    - ``"threshold"``: the share of matches among the members of S within ``radius``; 1/C if there
      are none (arXiv 2308.15709). ``n_neighbors`` is not used.

    Games for a regression. A target within h of the target of the reference row counts in part, by
    its likeness m = max(0, 1 - |difference| / h), with h the interquartile range of the n targets
    (their standard deviation if that is 0):

    - ``"accuracy"``: as above with these m, so that no single target, however wrong, weighs more
      than others.
    - ``"squared"``: -(sum of the targets of the min(K, |S|) nearest / K - y)², with the mean of all
      n targets subtracted (arXiv 1908.08619). A missing neighbour thus predicts the mean. A value
      is in squared units of the target: the part of the squared error that the row removes. A
      wrong target among the reference rows makes its neighbours hard, not itself.

    Distances are float64. Two rows are tied if their squared distances D differ by less than
    1e-12 (D + |t|²), where t is the point of the reference row. Rounding of points and distances
    stays below that (it grows with the number w of coordinates; beyond w = 640 the bound does too).
    So rows that differ by equal amounts in whole numbers are tied on every machine, and no others.

    Parameters
    ----------
    n_neighbors : int or several
        K. Several values are computed in one pass; ``scores_`` are those of the first.
    ties : {"average", "stable"}
        Give tied rows the exact mean over their orders, or rank them in row order.
    game : {"accuracy", "soft", "threshold", "squared"}
    radius : float, optional
        For the threshold game, in units of standardised coordinates: 1 is one standard deviation
        of a number.
    truncate : float, optional
        A bound eps on the error of every value: only the R = max(K, ceil(1/eps)) nearest rows are
        ranked, and all rows beyond count as tied. A value is then off by at most 1/R - 1/n, because
        any order beyond R keeps it in an interval of that length; the sum of all values remains
        exact. Not for "threshold" and "squared". Only the compiled engine becomes faster.
    engine : {"auto", "numba", "numpy", "torch"}
        "numba" compiles (about four seconds in each process; nothing is cached between processes);
        "numpy" gives the same values to 1e-12 and takes about eight times as long; "torch" computes
        on a GPU if there is one, one block of reference rows after another. "auto" uses numba
        (extra ``fast``) from 5e7 pairs of rows, if it is installed, and NumPy otherwise.
    n_jobs : int, optional
        Number of threads, each with a part of the reference rows, or of workers if the call is
        inside a ``joblib.parallel_config`` (ray, dask). Any number gives the same bytes.
    random_state : int, optional
        Determines the folds.

    Attributes
    ----------
    values_ : (n,) float64
        Shapley values, ``-scores_``.
    values_by_k_ : dict of int to (n,)
        Values for each K; empty for the threshold game.
    standard_errors_ : (n,) float64
        Standard error of the mean over reference rows; NaN if there is only one.

    Without a reference, rows are split into F folds. Each fold is once the reference for a game of
    the rows in the other folds. The value of a row is the mean over all reference rows outside its
    own fold, in games of (F - 1) n / F rows, so values add up to about F / (F - 1) times the
    accuracy.

    Cost: m n (w + log n) for m reference rows and w coordinates; memory O(n) and one block of
    distances per job. Errors: TabseedError for parameters out of range.
    """

    tasks = ("classification", "regression")
    references = ("arXiv:1908.08619", "arXiv:2304.04258", "arXiv:2308.15709", "arXiv:2410.00759")
    in_sample = False

    parameters: ClassVar[Parameters] = {
        "n_neighbors": AnyOf(
            (Whole(1), Each(Whole(1))), "a whole number of at least 1, or several"
        ),
        "ties": OneOf(get_args(Ties)),
        "game": OneOf(get_args(GameName)),
        "radius": or_none(Real(0)),
        "truncate": or_none(Real(above=0, below=1)),
        "engine": OneOf(get_args(Engine)),
        "n_jobs": N_JOBS,
        "random_state": SEED,
    }

    def __init__(
        self,
        n_neighbors: int | Sequence[int] = 5,
        ties: Ties = "average",
        game: GameName = "accuracy",
        radius: float | None = None,
        truncate: float | None = None,
        engine: Engine = "auto",
        n_jobs: int | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.ties = ties
        self.game = game
        self.radius = radius
        self.truncate = truncate
        self.engine = engine
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _score(
        self,
        x: np.ndarray,
        y: np.ndarray,
        x_ref: np.ndarray,
        y_ref: np.ndarray,
        stream: np.random.SeedSequence,
    ) -> Scores:
        return self._scores_from(self._sums(x, y, x_ref, y_ref), np.full(len(x), len(x_ref)))

    def _cross_fit(
        self, x: np.ndarray, y: np.ndarray, folds: int, stream: np.random.SeedSequence
    ) -> Scores:
        """Value each row by all rows of other folds, in games without the reference row's fold."""
        fold = self._deal(y, folds, stream)
        sums = np.zeros((len(x), len(self._neighbours()), 2))
        for f in range(folds):
            own, other = fold == f, fold != f
            sums[other] += self._sums(x[other], y[other], x[own], y[own])
        return self._scores_from(sums, len(x) - np.bincount(fold)[fold])

    def _scores_from(self, sums: np.ndarray, count: np.ndarray) -> Scores:
        """Set the values from sums (n, Ks, 2) over ``count`` reference rows; return the scores."""
        values = sums[:, :, 0] / count[:, None]
        spread = np.maximum(sums[:, 0, 1] / count - values[:, 0] ** 2, 0.0)
        degrees = np.where(count > 1, count - 1.0, np.nan)
        self.values_ = values[:, 0].copy()
        neighbours = () if self.game == "threshold" else self._neighbours()
        self.values_by_k_ = {k: values[:, h].copy() for h, k in enumerate(neighbours)}
        return Scores(-self.values_, np.sqrt(spread / degrees))

    def _sums(
        self, x: np.ndarray, y: np.ndarray, x_ref: np.ndarray, y_ref: np.ndarray
    ) -> np.ndarray:
        """Return the sums of values and of their squares over the reference rows, (n, Ks, 2)."""
        if self.task_ == "regression":
            y, y_ref = y - y.mean(), y_ref - y.mean()
        game, m = self._set_up(x, y), len(x_ref)
        engine = self._engine(len(x) * m)
        rows = max(64, -(-m // 64))  # the parts do not depend on the number of jobs
        parts = [
            (x_ref[start : start + rows], y_ref[start : start + rows])
            for start in range(0, m, rows)
        ]
        jobs = 1 if engine == "torch" else self.n_jobs
        streams = getattr(get_active_backend()[0], "supports_return_generator", False)
        run = Parallel(n_jobs=jobs, prefer="threads", return_as="generator" if streams else "list")
        sums = np.zeros((len(x), len(game.neighbours), 2))
        with (
            one_thread()
        ):  # once around all threads, which would otherwise reset each other's limit
            for part in run(delayed(sum_part)(game, engine, *part) for part in parts):
                sums += part
        return sums

    def _neighbours(self) -> tuple[int, ...]:
        value = self.n_neighbors
        values = tuple(value) if isinstance(value, Sequence | np.ndarray) else (value,)
        return tuple(int(k) for k in (values[:1] if self.game == "threshold" else values))

    def _set_up(self, x: np.ndarray, y: np.ndarray) -> Game:
        """Check the parameters and return the game of these players."""
        n, regression = len(x), self.task_ == "regression"
        self._check()
        kind = "likeness" if regression and self.game == "accuracy" else self.game
        neighbours = self._neighbours()
        if self.game == "soft":  # at most all n rows vote
            neighbours = tuple(min(k, n) for k in neighbours)
        n_exact = n
        if self.truncate is not None:
            n_exact = min(n, max(*neighbours, int(np.ceil(1 / self.truncate))))
        rounding = (
            14 * (x.shape[1] + 2) * np.finfo(float).eps / 2
        )  # of two keys, accumulated in their sums
        return Game(
            kind=kind,
            x=x,
            y=y,
            classes=len(self.classes_),
            neighbours=neighbours,
            radius=0.0 if self.radius is None else float(self.radius),
            tie=closed.Tie(max(TIE, rounding), n_exact, self.ties == "stable"),
            width=_width(y) if regression else 1.0,
        )

    def _check(self) -> None:
        """Raise TabseedError for parameters that do not fit each other or the task."""
        of_classes, of_targets = ("soft", "threshold"), ("squared",)
        if self.game in (of_classes if self.task_ == "regression" else of_targets):
            raise TabseedError(f"game={self.game!r} is not for {self.task_}; leave it out")
        if (self.game == "threshold") != (self.radius is not None):
            raise TabseedError("radius and game='threshold' go together; set both or neither")
        if self.truncate is not None and self.game in ("threshold", "squared"):
            raise TabseedError(f"truncate gives no bound for game={self.game!r}; leave it out")

    def _engine(self, pairs: int) -> Engine:
        """Return the engine to use; MissingDependencyError if it is not installed."""
        if self.engine == "auto":
            return "numba" if pairs >= WORTH_COMPILING and find_spec("numba") else "numpy"
        if self.engine != "numpy" and find_spec(self.engine) is None:
            raise not_installed(f"engine={self.engine!r}", self.engine)
        return self.engine


def _width(y: np.ndarray) -> float:
    """Return the distance at which targets are not alike at all; 1 if all are equal."""
    low, high = np.quantile(y, [0.25, 0.75])
    return float(high - low) or float(y.std()) or 1.0
