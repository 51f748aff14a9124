"""Attacks that infer a sensitive value: whom they speak of, and whether they are right.

No outcome of a row depends on which real rows trained the generator: it is that of the synthetic
rows, the row itself and, for scales and bins, all real rows together.

Notation: N real rows (n training rows first, then h others), M synthetic rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from tabseed._random import at_most, child, int_seed
from tabseed.privacy.keys import Levels, only_level
from tabseed.privacy.targets import LEAST_SYNTHETIC, Points, Targets
from tabseed.table import Table

UNIQUE, EXACT, NEAREST, CLOSEST = "unique", "exact", "nearest", "closest"
WORDS = {
    UNIQUE: "synthetic rows with the keys of a person whom these single out",
    EXACT: "synthetic rows with the same keys, if they agree",
    NEAREST: "the nearest synthetic row",
    CLOSEST: "the nearest synthetic row, where it is very near",
}
CLOSEST_SHARE = 0.1
BLOCK = 4_000_000  # distances held at once
TIE = 1e-9  # distances that differ by less are equal
TREES = 50
BELOW = -1e30  # stands for a missing number, below all others
READ, ORDER, FOREST = 0, 1, 2  # random streams


@dataclass(frozen=True)
class Outcome:
    """Which real rows an attack speaks of (``attacked``), and of which it is ``right``; (N,)."""

    how: str
    attacked: np.ndarray
    right: np.ndarray


def singled_out(keys: Sequence[np.ndarray]) -> Outcome:
    """Attack those whose keys are unique among all real rows: do synthetic rows have them?

    ``keys``: of the real tables, and of the synthetic one last.
    """
    real = np.concatenate(keys[:-1])
    unique = np.bincount(real)[real] == 1
    return Outcome(UNIQUE, unique, unique & np.isin(real, keys[-1]))


def exact(levels: Levels, keys: Sequence[np.ndarray]) -> Outcome:
    """Attack those whose keys occur in synthetic rows that all have one sensitive level: DiSCO."""
    real, true = np.concatenate(keys[:-1]), np.concatenate(levels.codes[:-1])
    size = 1 + max(map(np.max, (real, keys[-1])))
    told = only_level(keys[-1], levels.codes[-1], size)[real]
    return Outcome(EXACT, told >= 0, told == true)


@dataclass(frozen=True)
class Neighbours:
    """Guesses from the nearest synthetic rows, and from a model of the other real rows.

    ``rows`` (N',): the real rows that are read, in their order. ``distance`` (N',) to the
    nearest synthetic row. ``guesses``, ``population``: by sensitive column, the level (N',) that
    most synthetic rows at that distance have, and the one that a forest of the other real rows
    gives.
    """

    rows: np.ndarray
    distance: np.ndarray
    guesses: tuple[np.ndarray, ...]
    population: tuple[np.ndarray, ...]

    @classmethod
    def of(
        cls,
        known: Sequence[Table],
        sensitive: Sequence[Levels],
        max_rows: int,
        stream: np.random.SeedSequence,
    ) -> Neighbours:
        """Guess from the columns of ``known``: tables of training, other and synthetic rows.

        At most ``max_rows`` rows of each real table and 10,000 synthetic ones are read, others are
        left out at random. Cost: N' M distances, and a forest of 50 trees for each column.
        """
        most = (max_rows, max_rows, LEAST_SYNTHETIC)
        kept = [
            at_most(len(table), limit, child(stream, READ, index))
            for index, (table, limit) in enumerate(zip(known, most, strict=True))
        ]
        train, other, synthetic = (
            table.take(rows) for table, rows in zip(known, kept, strict=True)
        )
        targets = Targets.of((train, other, synthetic), max_rows, child(stream, ORDER))
        size = len(targets)
        back = np.lexsort([targets.row, ~targets.member])  # from random order to that of tables
        rows = np.concatenate([kept[0], len(known[0]) + kept[1]])
        guessers = [column.codes[-1][kept[2]] for column in sensitive]
        distance, guesses = _nearest(targets.values, size, guessers)
        population = []
        for index, column in enumerate(sensitive):
            true = np.concatenate(column.codes[:-1])[rows]
            seed = int_seed(child(stream, FOREST, index))
            population.append(_out_of_bag(targets.trees[:size][back], true, seed))
        return cls(rows, distance[back], tuple(g[back] for g in guesses), tuple(population))

    def outcomes(self, index: int, levels: Levels) -> tuple[Outcome, Outcome]:
        """Return NEAREST and CLOSEST for the sensitive column at ``index``, on ``rows``."""
        right = self.guesses[index] == np.concatenate(levels.codes[:-1])[self.rows]
        limit = np.quantile(self.distance, CLOSEST_SHARE, method="inverted_cdf")
        close = self.distance <= limit + TIE
        return Outcome(NEAREST, np.ones_like(close), right), Outcome(CLOSEST, close, close & right)


def _nearest(
    points: Points, size: int, guessers: Sequence[np.ndarray]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the distance (size,) of each real row to the nearest synthetic row, and the guesses.

    ``points``: the real rows, then the synthetic ones, whose levels are ``guessers`` (M,). A guess
    is the level that most of the nearest synthetic rows have; of two, the one that is more frequent
    among all synthetic rows, or comes first there.
    """
    synthetic = points.take(slice(size, len(points)))
    ranked = [by_frequency(levels) for levels in guessers]
    distance = np.empty(size)
    guesses = [np.empty(size, dtype=np.int64) for _ in guessers]
    step = max(1, BLOCK // len(synthetic))
    for start in range(0, size, step):
        rows = slice(start, min(start + step, size))
        found = points.take(rows).distances(synthetic)
        distance[rows] = found.min(axis=1)
        at, near = np.nonzero(found <= distance[rows, None] + TIE)
        for guess, (order, rank) in zip(guesses, ranked, strict=True):
            votes = np.bincount(at * len(order) + rank[near], minlength=len(found) * len(order))
            guess[rows] = order[votes.reshape(len(found), -1).argmax(axis=1)]
    return distance, guesses


def by_frequency(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the levels that occur, the most frequent first (then by their row), and each rank.

    The codes themselves depend on the schema, and so on which rows trained the generator: ties
    must not be broken by them.
    """
    codes, first, places, counts = np.unique(
        levels, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort([first, -counts])
    rank = np.empty(len(codes), dtype=np.int64)
    rank[order] = np.arange(len(codes))
    return codes[order], rank[places]


def _out_of_bag(x: np.ndarray, levels: np.ndarray, seed: int) -> np.ndarray:
    """Return the level of each row (N,) by a forest of those trees that did not learn from it."""
    if not x.shape[1] or (levels == levels[0]).all():
        codes, counts = np.unique(levels, return_counts=True)
        return np.full(len(levels), codes[counts.argmax()])
    forest = RandomForestClassifier(TREES, min_samples_leaf=2, oob_score=True, random_state=seed)
    shares = forest.fit(np.nan_to_num(x, nan=BELOW), levels).oob_decision_function_
    return np.asarray(forest.classes_[np.nan_to_num(shares).argmax(axis=1)])
