"""The base of every metric: it takes two tables, refuses leaks and returns estimates."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
from sklearn.base import BaseEstimator

from tabseed._progress import Progress
from tabseed._random import RandomState, seed_sequence
from tabseed.errors import SchemaError, TooFewRowsError
from tabseed.estimates.estimate import Better, Estimate
from tabseed.metrics.leakage import _schema_of, check_leakage, conform
from tabseed.parameters import Parameters, check_parameters
from tabseed.table import Frame, Table


class Result(Protocol):
    """What a metric returns: a headline, and everything as a JSON-ready dict."""

    @property
    def headline(self) -> Estimate:
        """The one number to quote."""

    def to_dict(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""


R = TypeVar("R", bound=Result)


class Metric(BaseEstimator, Generic[R]):
    """Compare a synthetic table with real rows.

    A subclass declares ``unit``, ``better`` and ``references`` (arXiv or DOI) and writes
    ``_evaluate(real, synthetic, stream, train=..., progress=...)``, where ``stream`` is the source
    of all randomness, and ``train`` and ``progress`` may be None. Each table needs at least
    ``min_rows`` rows.
    """

    unit: ClassVar[str]
    better: ClassVar[Better]
    references: ClassVar[tuple[str, ...]] = ()
    min_rows: ClassVar[int] = 2
    parameters: ClassVar[Parameters] = {}
    """What each parameter of ``__init__`` may be, checked by :meth:`evaluate`."""

    def evaluate(
        self,
        real: Frame,
        synthetic: Frame,
        *,
        train: Frame | None = None,
        random_state: RandomState = 0,
        progress: Progress | None = None,
    ) -> R:
        """Compare ``synthetic`` with ``real`` rows that trained no generator.

        ``real``, ``synthetic`` and ``train`` (the generator's training rows, if known) are
        frames or Tables. The schema is that of the first Table among ``train`` and ``real``; if
        neither is one, it is detected on ``train``, or on ``real`` without it. Ids and free text
        are ignored. ``progress(done, total, message)`` is called as work is done. Raises
        TabseedError for a parameter out of range, and :class:`LeakageError` where ``real``
        repeats ``train``; see :func:`check_leakage`.
        """
        check_parameters(self)
        real, synthetic, train = self._tables(real, synthetic, train)
        stream = seed_sequence(random_state)
        return self._evaluate(real, synthetic, stream, train=train, progress=progress)

    def _tables(
        self, real: Frame, synthetic: Frame, train: Frame | None
    ) -> tuple[Table, Table, Table | None]:
        """Return all with one schema; refuse too few rows and leaks."""
        schema = _schema_of(real if train is None else train, real).modelled
        if not len(schema):
            raise SchemaError(
                "no column to compare: all are ids or free text; set another kind for one"
            )
        real, synthetic = conform(real, schema, "real"), conform(synthetic, schema, "synthetic")
        for name, table in (("real", real), ("synthetic", synthetic)):
            if len(table) < self.min_rows:
                raise TooFewRowsError(
                    f"{type(self).__name__} needs at least {self.min_rows} {name} rows, "
                    f"got {len(table)}"
                )
        if train is not None:
            train = conform(train, schema, "train")
            check_leakage(train, real)
        return real, synthetic, train

    def _evaluate(
        self,
        real: Table,
        synthetic: Table,
        stream: np.random.SeedSequence,
        *,
        train: Table | None,
        progress: Progress | None,
    ) -> R:
        raise NotImplementedError
