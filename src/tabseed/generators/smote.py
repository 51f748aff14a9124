"""SMOTE as a density generator: new rows between a training row and a neighbour of its class.

Notation: N training rows, k neighbours, w a uniform weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from sklearn.neighbors import NearestNeighbors

from tabseed._random import RandomState
from tabseed.archive import Arrays, Holds, stored
from tabseed.coding.cells import Block
from tabseed.coding.encode import Layout
from tabseed.generators.base import Aids, Generator
from tabseed.generators.conditions import Conditions
from tabseed.parameters import SEED, OneOf, Parameters, Whole
from tabseed.space import Choice, Int
from tabseed.table.schema import DISCRETE

CATEGORIES = ("frequency", "vote")


class SMOTE(Generator):
    """Draw a training row i and one of its k nearest neighbours j; go part of the way to j.

    With a discrete ``target`` the neighbours come from the row's own class, and each class is as
    frequent as in the table; otherwise they come from all rows. Numbers are x_i + w (x_j - x_i)
    with one uniform w for each row, moved onto the column's grid (to the nearest value if there
    are few). A number is missing if row i lacks it, and x_i if only row j lacks it or a gap lies
    between the two (:mod:`~tabseed.coding.gaps`), so that each side of a gap keeps its share. A
    column that another one determines follows that column.

    Parameters
    ----------
    n_neighbors : int
        k >= 1; fewer in a class of at most k rows. The only row of a class is repeated.
    categories : "frequency" or "vote"
        "frequency" takes the category of one neighbour, drawn anew for each column, which keeps
        rare categories; "vote" takes the category of most of the k neighbours, ties at random
        (SMOTE-NC), which loses them.

    Distances are Euclidean: numbers in units of the table's standard deviation, so that units
    do not matter; each category that differs adds Med^2, Med the median of the numbers' standard
    deviations within the class (SMOTE-NC; 1 if there are none or it is 0). A missing number lies
    at the mean, and its absence counts as a category. Ties between equally near rows are broken
    at random, once, when the model is fitted. Cost: a draw of n rows compares min(n, N) rows with
    all rows of their class.

    The model file keeps the training rows, and drawn rows lie between two of them: it does not
    protect privacy.

    References: Chawla et al. 2002 (arXiv 1106.1813).
    """

    holds: ClassVar[Holds] = Holds(True, "as it is")
    references: ClassVar[tuple[str, ...]] = ("arXiv:1106.1813",)
    parameters: ClassVar[Parameters] = {
        "n_neighbors": Whole(1, search=Int(1, 30, log=True)),
        "categories": OneOf(CATEGORIES, search=Choice(CATEGORIES)),
        "random_state": SEED,
    }

    def __init__(
        self,
        n_neighbors: int = 5,
        categories: str = "frequency",
        random_state: RandomState = 0,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.categories = categories
        self.random_state = random_state

    rows_: np.ndarray  # (N, columns) values, NaN missing

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        del aids
        rows = layout.columns(x)
        self.rows_ = np.random.default_rng(stream).permutation(rows)  # breaks ties at random
        self._group()

    def _group(self) -> None:
        """Group the rows by class, and compute the coordinates that distances use."""
        layout, schema = self.encoder_.layout_, self.encoder_.schema_
        group = np.zeros(len(self.rows_), int)
        if self.target_ in schema.names and schema[self.target_].kind in DISCRETE:
            j = schema.names.index(self.target_)
            group = layout.blocks[j].cell_of(self.rows_[:, j])
        self._classes = [np.flatnonzero(group == g) for g in np.unique(group)]
        self._coordinates = [mixed_coordinates(layout, self.rows_[own]) for own in self._classes]

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        base = rng.integers(0, len(self.rows_), n)
        return self._about(base, self._neighbours(base), {}, rng)

    def _about(
        self,
        base: np.ndarray,
        near: np.ndarray,
        meeting: Mapping[int, np.ndarray],
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Draw encoded rows (n, w) between base rows (n,) and their neighbours (n, k).

        ``meeting``: by the index of a block, the rows whose categories may be taken, (N,) bool.
        """
        layout, rows, n = self.encoder_.layout_, self.rows_, len(base)
        weight, lot = rng.random(n), rng.random(n)
        partner = near[np.arange(n), (lot * (near >= 0).sum(axis=1)).astype(int)]
        values: dict[int, np.ndarray] = {}
        for j, block in enumerate(layout.blocks):
            if block.parent >= 0:
                continue
            if block.ordered:
                values[j] = between(block, rows[base, j], rows[partner, j], weight)
            else:
                voters = near
                if j in meeting:
                    voters = np.where((near >= 0) & meeting[j][near], near, -1)
                values[j] = rows[self._voters(rows[:, j], voters, rng), j]
        return layout.from_free(values, rng)

    def _sample_near(self, n: int, conditions: Conditions, rng: np.random.Generator) -> np.ndarray:
        """Draw rows near the conditions, about base rows from which some row can meet them.

        Given its base row, categories of a row are votes of their own: a base row is drawn by the
        share of votes that meet the conditions, and these alone are then cast. Numbers are drawn as
        ever, about base rows that with their neighbours reach into the range.
        """
        layout, rows = self.encoder_.layout_, self.rows_
        near = self._neighbours(np.arange(len(rows)))
        there = near >= 0
        weight, meeting = np.ones(len(rows)), dict[int, np.ndarray]()
        for j, allowed in conditions.allowed.items():
            block, value = layout.blocks[j], rows[:, j]
            meets = allowed[block.cell_of(value)]
            if block.ordered:
                weight *= meets | _reaches(block, allowed, value, near)
                continue
            votes = meets[near] & there
            if self.categories == "frequency":
                meeting[j] = meets
                weight *= votes.sum(axis=1) / there.sum(axis=1)
            else:
                weight *= votes.any(axis=1)
        if not weight.any():
            return self._sample(n, rng)
        base = rng.choice(len(rows), n, p=weight / weight.sum())
        return self._about(base, near[base], meeting, rng)

    def _neighbours(self, base: np.ndarray) -> np.ndarray:
        """Return the rows nearest to each base row (n, k), nearest first, -1 where there are fewer.

        The only row of a class is its own neighbour.
        """
        most = max(len(rows) for rows in self._classes)
        near = np.full((len(base), max(1, min(self.n_neighbors, most - 1))), -1)
        for rows, coordinates in zip(self._classes, self._coordinates, strict=True):
            mine = np.flatnonzero(np.isin(base, rows))
            if len(rows) == 1:
                near[mine, 0] = rows
            elif len(mine):
                own, again = np.unique(np.searchsorted(rows, base[mine]), return_inverse=True)
                search = NearestNeighbors(n_neighbors=min(self.n_neighbors + 1, len(rows)))
                search.fit(coordinates)
                nearest = search.kneighbors(coordinates[own], return_distance=False)
                other = nearest != own[:, None]
                other[other.all(axis=1), -1] = False  # k others are as near as the row itself
                nearest = nearest[other].reshape(len(own), -1)
                near[mine, : nearest.shape[1]] = rows[nearest][again]
        return near

    def _voters(self, known: np.ndarray, near: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return for each row the neighbour (n,) whose category it takes."""
        votes = rng.random(near.shape)
        if self.categories == "vote":
            cast = np.where(near >= 0, np.nan_to_num(known, nan=-1.0)[near], -2.0)
            for k in range(near.shape[1]):
                votes[:, k] += (cast == cast[:, [k]]).sum(axis=1)
        votes[near < 0] = -1
        return np.asarray(near[np.arange(len(near)), votes.argmax(axis=1)])

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        return {}, {"rows": self.rows_}

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        self.rows_ = stored(arrays, "rows", "f", (None, None), finite=False)
        self.encoder_.layout_.check(self.rows_)
        self._group()

    def summary(self) -> list[str]:
        """Return a few lines that say what was learned."""
        n_rows = len(self.rows_)  # before anything else: it says if the generator is not fitted
        within = "" if len(self._classes) == 1 else f" in each of {len(self._classes)} classes"
        fewest = min(self.n_neighbors, max(1, min(map(len, self._classes)) - 1))
        most = min(self.n_neighbors, max(1, max(map(len, self._classes)) - 1))
        k = f"{most}" if fewest == most else f"{fewest} to {most}"
        return [
            f"rows between {n_rows} training rows and their {k} nearest{within}",
            *super().summary(),
        ]


def mixed_coordinates(layout: Layout, rows: np.ndarray) -> np.ndarray:
    """Return coordinates (n, d) of values (n, columns) whose Euclidean distance is SMOTE-NC's.

    A category is a one-hot times Med / sqrt(2), so two that differ are Med apart.
    """
    numbers, levels = [], []
    for block, value in zip(layout.blocks, rows.T, strict=True):
        if block.parent >= 0:
            continue
        if block.ordered:
            numbers.append(np.nan_to_num((value - block.location) / block.scale))
            if block.missing:
                levels.append(np.column_stack([np.isnan(value), ~np.isnan(value)]))
        else:
            levels.append(block.cell_of(value)[:, None] == np.arange(block.n_cells))
    spread = [number.std() for number in numbers]
    median = float(np.median(spread)) if spread else 0.0
    scale = (median if median > 0 else 1.0) / np.sqrt(2)
    columns = [number[:, None] for number in numbers] + [scale * level for level in levels]
    return np.concatenate(columns, axis=1)


def between(block: Block, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return x + weight (y - x), (n,), on the block's grid; x where y is missing or past a gap."""
    stays = np.isnan(y) | (block.piece_of(x) != block.piece_of(y))
    value = block.snap(np.where(stays, x, x + weight * (y - x)))
    if block.is_discrete and len(block.atoms):
        known = ~np.isnan(value)
        value[known] = block.nearest_atom(value[known])
    return value


def _reaches(block: Block, allowed: np.ndarray, value: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return whether a row (N,) and its neighbours lie at both ends of what is allowed, or within.

    ``allowed`` are cells; a missing number lies nowhere.
    """
    n_atoms, n_knots = len(block.atoms), len(block.knots)
    ends = [
        block.atoms[allowed[:n_atoms]],
        block.knots[allowed[n_atoms : n_atoms + n_knots]].ravel(),
    ]
    ends_of = np.concatenate(ends)
    if not len(ends_of):
        return np.zeros(len(value), dtype=bool)
    reach = np.column_stack([value, np.where(near >= 0, value[near], np.nan)])
    least = np.where(np.isnan(reach), np.inf, reach).min(axis=1)
    most = np.where(np.isnan(reach), -np.inf, reach).max(axis=1)
    return np.asarray((least <= ends_of.max()) & (most >= ends_of.min()))
