"""Several synthetic tables: what it gains to average models that are trained on m of them.

Notation: K models, D tables, S seeds, h held-out rows, m tables used, n real rows, k rows of a
synthetic table; e_d is the error, at a row, of the model trained on table d.
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
from tabseed.metrics.problem import Problem, loss, residuals, squared_name
from tabseed.parameters import GENERATOR, N_JOBS, Whole, checked
from tabseed.table import Frame
from tabseed.utility.measure import SYNTHETIC, Measured

LEARN, DRAW = 0, 1  # streams below that of a table
MOST_TABLES = 10  # up to so many tables all subsets, 1,023 at most, are tried for error rates


@dataclass(frozen=True)
class SeveralSets:
    """The error A + B/m of averaging the predictions of models of m synthetic tables.

    ``measured`` (K, D) is the mean error over all choices of m = 1..D tables; ``limit`` (K,) is A,
    the error for infinitely many tables; ``varying`` (K,) is B, the part that averaging removes.
    ``by_rows`` and ``by_tables`` (K, 2, 2) are the covariances of A and B over held-out rows and
    over ``n_tables`` tables; two tables cannot show the latter, which is then 0. ``heuristic`` says
    that A + B/m is fitted, not derived, as it is for the error rate.
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
        """Whether the intervals cover the random choice of these tables."""
        return self.n_tables > 2

    def predicted(self, m: float) -> list[Estimate]:
        """Return each model's predicted error with m tables (``math.inf``: the limit)."""
        if not m >= 1:
            raise TabseedError(f"a model needs 1 table or more, got {m}")
        return self._estimates(np.array([1.0, 1 / m]))

    def gain(self, m: float) -> list[Estimate]:
        """Return by how much m tables are predicted to lower each model's error, against one."""
        gains = self._estimates(np.array([0.0, 1 - 1 / m]))
        return [replace(gain, better="higher") for gain in gains]

    def worth(self, tolerance: float = 0.01) -> list[int | None]:
        """Return the smallest m whose error is at most 1 + ``tolerance`` times the limit.

        It is 1 if averaging gains nothing, and None if the limit is not above 0.
        """
        if not tolerance > 0:
            raise TabseedError(f"tolerance is a share above 0, got {tolerance}")
        return [
            None if a <= 0 else max(1, math.ceil(b / (tolerance * a) * (1 - 1e-12)))
            for a, b in zip(self.limit.tolist(), self.varying.tolist(), strict=True)
        ]

    def _estimates(self, factors: np.ndarray) -> list[Estimate]:
        """Return estimates of ``factors`` (2,) times A and B, with 95 % intervals."""
        value = np.stack([self.limit, self.varying], axis=1) @ factors
        # squares of half widths add up; rows follow the normal law, few tables Student's
        wide = 1.96**2 * self.by_rows + student.ppf(0.975, self.n_tables - 1) ** 2 * self.by_tables
        half = np.sqrt(np.maximum(np.einsum("i,kij,j->k", factors, wide, factors), 0))
        return [
            Estimate(float(v), float(v - w), float(v + w), self.loss)
            for v, w in zip(value, half, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON-ready form."""
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
    """Measure the effect of averaging models of several synthetic tables, and predict it for more.

    The predictions for a held-out row, class shares or numbers, are averaged over m of D tables.
    The error is the squared error, for classes the Brier score (the sum over classes of the squared
    error of the share, 0 to 2). Then the mean error over all choices of m tables is exactly
    A + B/m, where A is the mean of e_d e_d' over pairs of tables and A + B that of e_d^2; for m
    beyond D this holds in expectation. With ``error_rate`` the error is the share of wrong classes,
    over all subsets of at most 10 tables, and A + B/m is a least-squares fit: a heuristic.

    The tables must come from generators trained independently (:func:`independent_sets`): with
    tables from one generator, only the noise of drawing averages out. The variance over tables is
    that of a jackknife, which is rough for few tables.

    Raises TabseedError for fewer than 2 tables, or for an error rate of a regression.
    """
    outputs, problem = measured.on_holdout[SYNTHETIC], measured.problem
    tables = outputs.shape[1]
    if tables < 2:
        raise TabseedError(f"averaging needs 2 synthetic tables or more, got {tables}")
    if error_rate and problem.task == "regression":
        raise TabseedError("only classes have an error rate; leave error_rate out")
    if error_rate:
        outputs = outputs[:, :MOST_TABLES]
        tables = outputs.shape[1]
    kind = _BySubsets if error_rate else _ByProducts
    models = [kind.of(problem, measured.y, output) for output in outputs]
    every = np.arange(tables)
    parts = np.stack([model.parts(every) for model in models])  # (K, 2, h)
    mean = parts.mean(axis=-1)
    by_rows = np.stack([np.cov(part) / part.shape[1] for part in parts])
    by_tables = np.zeros_like(by_rows)
    if tables >= 3:
        others = [np.delete(every, d) for d in every]
        without = np.array([[model.parts(d).mean(axis=-1) for d in others] for model in models])
        deviation = without - without.mean(axis=1, keepdims=True)
        by_tables = (tables - 1) / tables * np.einsum("kdi,kdj->kij", deviation, deviation)
    return SeveralSets(
        models=measured.models,
        loss="error rate" if error_rate else squared_name(problem),
        measured=np.array([model.measured() for model in models]),
        limit=mean[:, 0],
        varying=mean[:, 1],
        by_rows=by_rows,
        by_tables=by_tables,
        n_tables=tables,
        heuristic=error_rate,
    )


@dataclass(frozen=True)
class _ByProducts:
    """Residuals of one model, (D, S, h, C), whose products determine the squared loss."""

    errors: np.ndarray

    @classmethod
    def of(cls, problem: Problem, y: np.ndarray, output: np.ndarray) -> _ByProducts:
        return cls(residuals(problem, y, output))

    def parts(self, tables: np.ndarray) -> np.ndarray:
        """Return A and B of each row, (2, h), from the tables with these indices."""
        e, d = self.errors[tables], len(tables)
        own = (e**2).sum(axis=(0, 3))
        pairs = ((e.sum(axis=0) ** 2).sum(axis=-1) - own) / (d * (d - 1))
        return np.stack([pairs.mean(axis=0), (own / d - pairs).mean(axis=0)])

    def measured(self) -> list[float]:
        tables = len(self.errors)
        a, b = self.parts(np.arange(tables)).mean(axis=-1)
        return [float(a + b / m) for m in range(1, tables + 1)]


@dataclass(frozen=True)
class _BySubsets:
    """Error rates (2^D - 1, h) of one model for all subsets of tables, (2^D - 1, D)."""

    members: np.ndarray
    errors: np.ndarray

    @classmethod
    def of(cls, problem: Problem, y: np.ndarray, output: np.ndarray) -> _BySubsets:
        tables = len(output)
        members = (np.arange(1, 2**tables)[:, None] >> np.arange(tables)) & 1
        size = members.sum(axis=1)[:, None, None, None]
        wrong = np.zeros((len(members), output.shape[2]))
        for seed in range(output.shape[1]):
            share = np.tensordot(members, output[:, seed : seed + 1], axes=1) / size
            wrong += loss(problem, y, share)[:, 0]
        return cls(members.astype(bool), wrong / output.shape[1])

    def parts(self, tables: np.ndarray) -> np.ndarray:
        """Return A and B of each row, (2, h), fitted to subsets of the tables."""
        by_size = self._by_size(tables)
        m = np.arange(1, len(by_size) + 1)
        design = np.stack([np.ones(len(m)), 1 / m], axis=1)
        return np.asarray(np.linalg.lstsq(design, by_size, rcond=None)[0])

    def _by_size(self, tables: np.ndarray) -> np.ndarray:
        """Return the mean error over subsets of m of the tables, (tables, h)."""
        left_out = np.setdiff1d(np.arange(self.members.shape[1]), tables)
        inside = ~self.members[:, left_out].any(axis=1)
        size = np.where(inside, self.members.sum(axis=1), 0)
        return np.stack([self.errors[size == m].mean(axis=0) for m in range(1, len(tables) + 1)])

    def measured(self) -> list[float]:
        errors = self._by_size(np.arange(self.members.shape[1]))
        return [float(error) for error in errors.mean(axis=1)]


def _target_before_sizes(function: Called) -> Called:
    """Accept the target as third argument, as in the last release, with a FutureWarning."""

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
@checked(generator=GENERATOR, n=Whole(0), m=Whole(1), n_jobs=N_JOBS)
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
    """Train the generator m times, each with its own stream, and draw n rows from each.

    The tables then differ by the learning too, not only by the draw, if the generator learns at
    random; train one that does not on bootstrap samples. Table i does not depend on m. Returns m
    frames of the kind that came in; the same bytes for any ``n_jobs``. Cost: m fits.
    """
    stream = seed_sequence(random_state)
    jobs = (delayed(_one_set)(generator, table, target, n, child(stream, i)) for i in range(m))
    return list(Parallel(n_jobs=n_jobs)(jobs))


def _one_set(
    generator: Any, table: Frame, target: str | None, n: int, stream: np.random.SeedSequence
) -> Any:
    fitted = seeded(generator, child(stream, LEARN)).fit(table, target=target)
    return fitted.sample(n, random_state=child(stream, DRAW))
