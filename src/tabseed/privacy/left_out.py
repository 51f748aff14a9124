"""How much likelier a generator draws a row because it learned it: fits without one row at a time.

Notation: l(x; T) the log-likelihood of row x under a generator that learned table T.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from tabseed._progress import Progress
from tabseed.errors import TabseedError
from tabseed.estimates.estimate import finite
from tabseed.parameters import shown
from tabseed.privacy.likelihood import Likelihood, known_rows, log_likelihoods
from tabseed.table import Table

Learn = Callable[[Table, np.random.SeedSequence], Likelihood]
"""Fits the generator anew to a table, and returns the log-likelihood of rows under it."""
QUANTILE = 0.95


@dataclass(frozen=True)
class LeftOut:
    """A training row, and what its part in the training changed.

    ``gain``: l(x; T) - l(x; T without x) in nats, infinite where the generator without the row
    gives it no probability or does not know a value of it. ``others``: how far the log-likelihoods
    of other rows moved by the same change, their 95 % quantile.
    """

    row: int
    gain: float
    others: float

    @property
    def tells(self) -> bool:
        """Whether the row gained more than others moved."""
        return self.gain > self.others

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict; an infinite gain is None."""
        return finite(asdict(self))


def leave_one_out(
    train: Table,
    rows: np.ndarray,
    learn: Learn,
    stream: np.random.SeedSequence,
    *,
    n_jobs: int | None = None,
    progress: Progress,
) -> tuple[LeftOut, ...]:
    """Return the gain of each of ``rows`` (indices), the largest first.

    All fits have the same seed, so that they differ by the row alone. Cost: a fit for each row and
    one more.
    """
    asked = train.take(rows)
    tables = (np.arange(len(train)), *(np.delete(np.arange(len(train)), row) for row in rows))
    work = (delayed(_likelihoods)(train.take(kept), asked, learn, stream) for kept in tables)
    found = []
    for values in Parallel(n_jobs=n_jobs, return_as="generator")(work):
        found.append(values)
        progress(len(found), len(tables), "fits without a row")
    whole, without = found[0], np.array(found[1:])
    results = []
    for index, row in enumerate(rows.tolist()):
        moved = np.delete(whole, index) - np.delete(without[index], index)
        moved = np.abs(moved[np.isfinite(moved)])
        others = float(np.quantile(moved, QUANTILE)) if len(moved) else 0.0
        impossible = whole[index] == -np.inf
        gain = 0.0 if impossible else float(whole[index] - without[index, index])
        results.append(LeftOut(int(row), gain, others))
    return tuple(sorted(results, key=lambda found: (-found.gain, found.row)))


def in_words(left_out: tuple[LeftOut, ...]) -> str:
    """Say how many rows gained, and how much the one that gained most."""
    most, n = left_out[0], sum(row.tells for row in left_out)
    counted = (
        f"Of the {len(left_out)} most exposed training rows, {n} became likelier by being learned, "
        "beyond what other rows moved"
    )
    if not n:
        return f"{counted}."
    if math.isinf(most.gain):
        only = sum(math.isinf(row.gain) for row in left_out)
        return f"{counted}; {only} can be drawn only because they were, row {most.row} among them."
    return (
        f"{counted}; the most row {most.row}, which is drawn {math.exp(min(most.gain, 700)):.3g} "
        "times as often."
    )


def _likelihoods(
    table: Table, asked: Table, learn: Learn, stream: np.random.SeedSequence
) -> np.ndarray:
    """Return l of the rows asked, -inf where they have values that the table lacks."""
    values = np.full(len(asked), -np.inf)
    known = known_rows(asked, table)
    if known.any():
        rows, likelihood = np.flatnonzero(known), learn(table, stream)
        if not callable(likelihood):
            raise TabseedError(
                f"learn returned {shown(likelihood)}; it must return a function that gives the "
                "log-likelihood of rows"
            )
        values[rows] = log_likelihoods(likelihood, asked.take(rows))
    return values
