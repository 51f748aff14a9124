"""Several synthetic tables: what averaging models of m of them is worth; estimates combined.

Notation: K models, D tables, S seeds, h held-out rows, m tables used, n real rows, k rows of a
synthetic table; e_d the error of the model trained on table d, at a row.
"""

from __future__ import annotations

import functools
import math
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import t as student

from tabseed._random import RandomState, child, seed_sequence
from tabseed.coding.labels import seeded
from tabseed.errors import Called, TabseedError
from tabseed.estimates.estimate import Estimate
from tabseed.parameters import Whole, check
from tabseed.table import Frame
from tabseed.utility.measure import SYNTHETIC, Measured
from tabseed.utility.problem import Problem, loss, residuals, squared_name

LEARN, DRAW = 0, 1  # streams below that of a set
MOST_TABLES = 10  # whose subsets, 1,023, are all tried where errors do not multiply out


@dataclass(frozen=True)
class SeveralSets:
    """The error A + B/m of averaging what models of m synthetic tables say.

    ``measured`` (K, D) is the mean error of all choices of m = 1..D tables; ``limit`` (K,) A,
    the error of infinitely many; ``varying`` (K,) B, what averaging takes away. ``by_rows`` and
    ``by_tables`` (K, 2, 2) are the covariances of both over held-out rows and over ``n_tables``
    tables, the latter 0 for two, of which nothing can be known. ``heuristic`` says that A + B/m
    was fitted, not derived: for the error rate.
    """

    models: tuple[str, ...]
    loss: str
    measured: np.ndarray
    limit: np.ndarray
    varying: np.ndarray
    by_rows: np.ndarray
    by_tables: np.ndarray
    n_tables: int
    heuristic: bool

    @property
    def tables_counted(self) -> bool:
        """Whether intervals hold the luck of these tables."""
        return self.n_tables > 2

    def predicted(self, m: float) -> list[Estimate]:
        """Predict each model's error with m tables (``math.inf``: the limit), 95 % intervals."""
        if not m >= 1:
            raise TabseedError(f"a model needs 1 table or more, got {m}")
        return self._estimates(np.array([1.0, 1 / m]))

    def gain(self, m: float) -> list[Estimate]:
        """Predict by how much m tables lower each model's error below that with one."""
        gains = self._estimates(np.array([0.0, 1 - 1 / m]))
        return [replace(gain, better="higher") for gain in gains]

    def worth(self, tolerance: float = 0.01) -> list[int | None]:
        """Give the smallest m whose error is at most 1 + ``tolerance`` times the limit's.

        1 where averaging gains nothing; None where the limit is not above 0.
        """
        if not tolerance > 0:
            raise TabseedError(f"tolerance is a share above 0, got {tolerance}")
        return [
            None if a <= 0 else max(1, math.ceil(b / (tolerance * a) * (1 - 1e-12)))
            for a, b in zip(self.limit.tolist(), self.varying.tolist(), strict=True)
        ]

    def _estimates(self, at: np.ndarray) -> list[Estimate]:
        value = np.stack([self.limit, self.varying], axis=1) @ at
        # half widths squared add up: rows by the normal law, few tables by Student's
        wide = 1.96**2 * self.by_rows + student.ppf(0.975, self.n_tables - 1) ** 2 * self.by_tables
        half = np.sqrt(np.maximum(np.einsum("i,kij,j->k", at, wide, at), 0))
        return [
            Estimate(float(v), float(v - w), float(v + w), self.loss)
            for v, w in zip(value, half, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Give everything, JSON-ready."""
        return {
            "models": list(self.models),
            "loss": self.loss,
            "measured": self.measured.tolist(),
            "limit": [estimate.to_dict() for estimate in self.predicted(math.inf)],
            "varying": self.varying.tolist(),
            "worth": self.worth(),
            "tables_counted": self.tables_counted,
            "heuristic": self.heuristic,
        }


def error_of_several(measured: Measured, *, error_rate: bool = False) -> SeveralSets:
    """Measure what averaging the models of several synthetic tables does, and predict it for more.

    What models say of a held-out row is averaged over m of D tables: class shares, or numbers.
    The error is the squared one, for classes the Brier score (sum over classes of the squared
    error of the share, 0 to 2). Then the mean error of all choices of m tables is A + B/m exactly,
    A the mean of e_d e_d' over pairs of tables, A + B that of e_d^2, and so for any m beyond D in
    expectation. With ``error_rate`` it is the share of classes named wrong, of all subsets of at
    most 10 tables, and A + B/m a least-squares fit: a heuristic.

    Tables must come from generators trained independently (:func:`independent_sets`): of tables
    from one generator only the noise of drawing is averaged away. The variance over tables is
    a jackknife's, rough for few of them.

    Raises TabseedError for fewer than 2 tables, or an error rate of a regression.
    """
    said, problem = measured.on_holdout[SYNTHETIC], measured.problem
    tables = said.shape[1]
    if tables < 2:
        raise TabseedError(f"averaging needs 2 synthetic tables or more, got {tables}")
    if error_rate and problem.task == "regression":
        raise TabseedError("an error rate is of classes; leave error_rate out")
    if error_rate:
        said = said[:, :MOST_TABLES]
        tables = said.shape[1]
    kind = _Voted if error_rate else _Multiplied
    each = [kind.of(problem, measured.y, model) for model in said]
    everything = np.arange(tables)
    parts = np.stack([model.parts(everything) for model in each])  # (K, 2, h)
    mean = parts.mean(axis=-1)
    by_rows = np.stack([np.cov(part) / part.shape[1] for part in parts])
    by_tables = np.zeros_like(by_rows)
    if tables >= 3:
        kept = [np.delete(everything, d) for d in everything]
        without = np.array([[m.parts(keep).mean(axis=-1) for keep in kept] for m in each])
        apart = without - without.mean(axis=1, keepdims=True)
        by_tables = (tables - 1) / tables * np.einsum("kdi,kdj->kij", apart, apart)
    return SeveralSets(
        models=measured.models,
        loss="error rate" if error_rate else squared_name(problem),
        measured=np.array([model.measured() for model in each]),
        limit=mean[:, 0],
        varying=mean[:, 1],
        by_rows=by_rows,
        by_tables=by_tables,
        n_tables=tables,
        heuristic=error_rate,
    )


@dataclass(frozen=True)
class _Multiplied:
    """Residuals of one model, (D, S, h, C): their products say all of squared loss."""

    errors: np.ndarray

    @classmethod
    def of(cls, problem: Problem, y: np.ndarray, said: np.ndarray) -> _Multiplied:
        return cls(residuals(problem, y, said))

    def parts(self, keep: np.ndarray) -> np.ndarray:
        """Give A and B of each row, (2, h), by the tables ``keep``."""
        e, d = self.errors[keep], len(keep)
        own = (e**2).sum(axis=(0, 3))
        pairs = ((e.sum(axis=0) ** 2).sum(axis=-1) - own) / (d * (d - 1))
        return np.stack([pairs.mean(axis=0), (own / d - pairs).mean(axis=0)])

    def measured(self) -> list[float]:
        tables = len(self.errors)
        a, b = self.parts(np.arange(tables)).mean(axis=-1)
        return [float(a + b / m) for m in range(1, tables + 1)]


@dataclass(frozen=True)
class _Voted:
    """Error rates (2^D - 1, h) of one model for all subsets of tables, (2^D - 1, D)."""

    members: np.ndarray
    errors: np.ndarray

    @classmethod
    def of(cls, problem: Problem, y: np.ndarray, said: np.ndarray) -> _Voted:
        tables = len(said)
        members = (np.arange(1, 2**tables)[:, None] >> np.arange(tables)) & 1
        size = members.sum(axis=1)[:, None, None, None]
        wrong = np.zeros((len(members), said.shape[2]))
        for seed in range(said.shape[1]):
            share = np.tensordot(members, said[:, seed : seed + 1], axes=1) / size
            wrong += loss(problem, y, share)[:, 0]
        return cls(members.astype(bool), wrong / said.shape[1])

    def parts(self, keep: np.ndarray) -> np.ndarray:
        by_size = self._by_size(keep)
        m = np.arange(1, len(by_size) + 1)
        design = np.stack([np.ones(len(m)), 1 / m], axis=1)
        return np.asarray(np.linalg.lstsq(design, by_size, rcond=None)[0])

    def _by_size(self, keep: np.ndarray) -> np.ndarray:
        left_out = np.setdiff1d(np.arange(self.members.shape[1]), keep)
        inside = ~self.members[:, left_out].any(axis=1)
        size = np.where(inside, self.members.sum(axis=1), 0)
        return np.stack([self.errors[size == m].mean(axis=0) for m in range(1, len(keep) + 1)])

    def measured(self) -> list[float]:
        found = self._by_size(np.arange(self.members.shape[1]))
        return [float(error) for error in found.mean(axis=1)]


def _target_before_sizes(function: Called) -> Called:
    """Let the target come third, as in the last release, with a FutureWarning."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if len(args) > 2 and (args[2] is None or isinstance(args[2], str)):
            warnings.warn(
                "independent_sets: the target is passed by name, target=...; "
                "the old order will be removed in the next release",
                FutureWarning,
                stacklevel=2,
            )
            kwargs["target"], args = args[2], (*args[:2], *args[3:])
        return function(*args, **kwargs)

    return wrapper  # type: ignore[return-value]


@_target_before_sizes
def independent_sets(
    generator: Any,
    table: Frame,
    n: int,
    m: int,
    *,
    target: str | None = None,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> list[Any]:
    """Train the generator m times, each from its own stream, and draw n rows of each.

    What varies between the tables is then the learning too, not only the draw, as far as the
    generator is random at all: of one that is not, train it on bootstrap samples. Table i is the
    same whatever m. Gives m frames of the kind that came in; the same bytes for any ``n_jobs``.
    Cost: m fits.
    """
    check("independent_sets", "n", n, Whole(0))
    check("independent_sets", "m", m, Whole(1))
    stream = seed_sequence(random_state)
    jobs = (delayed(_one_set)(generator, table, target, n, child(stream, i)) for i in range(m))
    return list(Parallel(n_jobs=n_jobs)(jobs))


def _one_set(
    generator: Any, table: Frame, target: str | None, n: int, stream: np.random.SeedSequence
) -> Any:
    fitted = seeded(generator, child(stream, LEARN)).fit(table, target=target)
    return fitted.sample(n, random_state=child(stream, DRAW))


# --- estimates from several tables --------------------------------------------------------------
