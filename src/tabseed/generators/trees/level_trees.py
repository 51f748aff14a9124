"""Trees that predict the levels of a column: growing them, and the laws in their nodes.

Notation: n rows, K levels of the column (see :class:`~tabseed.generators.trees.levels.Levels`), k
columns that predict it, N nodes of a tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from scipy.stats import rankdata
from sklearn.tree import DecisionTreeRegressor

from tabseed._random import child, int_seed
from tabseed.coding.encode import Layout
from tabseed.generators.trees.levels import Levels

MAX_TARGETS = 12  # numbers that represent a column when it is split
EVERY = slice(None)
FEW_PREDICTORS = 30  # up to this number, every split considers all predictors


def levels_of(layout: Layout) -> dict[int, Levels]:
    """Return the levels, by index, of blocks that have cells and that no other block determines."""
    free = ((j, b) for j, b in enumerate(layout.blocks) if b.parent < 0 and b.n_cells)
    return {j: Levels(block) for j, block in free}


@dataclass
class Rows:
    """Rows as trees see them, a column for each block: filled at once or column by column."""

    levels: dict[int, Levels]
    level: np.ndarray  # (n, blocks) the level of each row
    position: np.ndarray  # (n, blocks) float32, the position of each row along the column

    @classmethod
    def empty(cls, layout: Layout, levels: dict[int, Levels], n: int) -> Self:
        """Return n rows without values."""
        shape = n, len(layout.blocks)
        return cls(levels, np.zeros(shape, np.int64), np.zeros(shape, np.float32))

    @classmethod
    def of(cls, layout: Layout, x: np.ndarray) -> Self:
        """Return encoded rows (n, w) as levels and positions."""
        rows, cells = cls.empty(layout, levels_of(layout), len(x)), layout.cells(x)
        for j, levels in rows.levels.items():
            values = layout.values(levels.block, x)
            rows.put(j, levels.of(cells[j], values), values)
        return rows

    @property
    def n(self) -> int:
        """The number of rows."""
        return len(self.level)

    def put(
        self, j: int, level: np.ndarray, values: np.ndarray, at: slice | np.ndarray = EVERY
    ) -> None:
        """Fill a column in the rows ``at``."""
        self.level[at, j] = level
        self.position[at, j] = self.levels[j].position(level, values)

    def predictors(self, before: Sequence[int], contrasts: np.ndarray) -> np.ndarray:
        """Return columns side by side, (n, k) float32: positions of numbers, contrasts of levels.

        ``contrasts`` (sum of levels of the categorical columns,) has the levels of one after the
        other.
        """
        columns, at = self.position[:, list(before)], 0
        for k, i in enumerate(before):
            levels = self.levels[i]
            if not levels.block.ordered:
                columns[:, k] = contrasts[at + self.level[:, i]]
                at += levels.size
        return columns


def targets(
    levels: Levels, level: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers (n, q <= MAX_TARGETS + 1) whose variance splits reduce, and weights (q,).

    For a number they say whether it is at most each of some thresholds, at equal shares of the
    rows, and whether it is missing. For a category they are one-hot levels; if there are many, a
    random projection of these, which keeps their distances on average (Johnson and Lindenstrauss).
    The weights give the contrast by which categories are ordered as predictors; for a number they
    are all equal, so that the contrast is its mean rank.
    """
    if not levels.block.ordered:
        if levels.size <= MAX_TARGETS:
            y = np.eye(levels.size)[level][:, levels.size == 2 :]
        else:
            y = rng.standard_normal((levels.size, MAX_TARGETS))[level]
        return y, rng.standard_normal(y.shape[1])
    rank = levels.rank[level]
    present = np.sort(rank[rank >= 0])
    parts = []
    if len(present):
        shares = (np.arange(MAX_TARGETS) + 0.5) / MAX_TARGETS
        at = np.unique(present[(shares * len(present)).astype(int)])
        upto = (rank[:, None] <= at).astype(np.float64)
        upto[rank < 0] = upto[rank >= 0].mean(axis=0)  # missing: pulls to neither side
        parts.append(upto)
    if levels.block.missing:
        parts.append((rank < 0)[:, None].astype(np.float64))
    y = np.hstack(parts)
    return y, np.ones(y.shape[1])


def place_of(levels: Levels, level: np.ndarray) -> np.ndarray:
    """Return the mean rank, as a share of the rows, of the level of each row (n,).

    Of one of two categories it is its own order, and of a missing cell the middle.
    """
    place = levels.rank[level].astype(np.float64)
    if not levels.block.ordered:
        codes = np.append(levels.block.atoms, np.full(levels.size - levels.n_atoms, -1.0))
        place = codes[level]
    known = place >= 0
    ranks = np.full(len(place), 0.5)
    ranks[known] = rankdata(place[known]) / max(known.sum(), 1)
    return ranks


def _along(
    rows: Rows, before: Sequence[int], contrasts: np.ndarray, signs: Sequence[int]
) -> list[int]:
    """Return the signs along the predictors as the trees see them: contrasts have any order."""
    found, at = [], 0
    for i, sign in zip(before, signs, strict=True):
        levels = rows.levels[i]
        if not levels.block.ordered:
            if sign:
                first, second = np.argsort(levels.block.atoms)[:2]
                sign *= 1 if contrasts[at + second] >= contrasts[at + first] else -1
            at += levels.size
        found.append(sign)
    return found


@dataclass
class Tree:
    """A tree with the number of rows of its bag at each level in every node."""

    feature: np.ndarray  # (N,) index among the predictors; -1 in a leaf
    threshold: np.ndarray  # (N,) values up to it go left
    left: np.ndarray  # (N,) -1 in a leaf
    right: np.ndarray
    contrasts: np.ndarray  # (sum of levels of categorical predictors,)
    counts: np.ndarray  # (N, K)

    @classmethod
    def grow(
        cls,
        rows: Rows,
        before: Sequence[int],
        j: int,
        weight: np.ndarray,
        *,
        min_leaf: int,
        stream: np.random.SeedSequence,
        signs: Sequence[int] = (),
        counted: np.ndarray | None = None,
    ) -> tuple[Self, np.ndarray]:
        """Grow a tree of column ``j`` on the columns ``before``, from rows of positive weight (n,).

        ``signs``: with which of these its mean rank rises (1) or falls (-1); 0: not known.
        ``counted``: the weights (n,) with which rows are counted in nodes; None: those they have
        when it is grown.
        Returns the tree, and the node (n,) that each row reaches, in the bag or not.
        """
        levels, level = rows.levels[j], rows.level[:, j]
        bag, k = np.flatnonzero(weight), len(before)
        y, contrast = targets(levels, level[bag], np.random.default_rng(child(stream, 0)))
        score = np.zeros(rows.n)
        score[bag] = y @ contrast
        contrasts = _contrasts(rows, before, score, weight)
        x = rows.predictors(before, contrasts)
        if k == 0:
            leaf = np.array([-1])
            tree = cls(leaf, np.zeros(1), leaf, leaf, contrasts, np.empty(0))
            reached = np.zeros(rows.n, dtype=np.int64)
        else:
            directed = any(signs)
            if directed:  # scikit-learn keeps a direction of one target only: the mean rank
                y = place_of(levels, level[bag])[:, None]
            model = DecisionTreeRegressor(
                min_samples_leaf=min_leaf,
                max_features=k if k <= FEW_PREDICTORS else max(FEW_PREDICTORS, k // 2),
                random_state=int_seed(stream),
                monotonic_cst=_along(rows, before, contrasts, signs) if directed else None,
            )
            bagged = weight[bag].astype(np.float64)
            t = model.fit(x[bag], y, sample_weight=bagged, check_input=False).tree_
            feature = np.where(t.children_left < 0, -1, t.feature)
            sides = t.children_left.copy(), t.children_right.copy()
            tree = cls(feature, t.threshold.copy(), *sides, contrasts, np.empty(0))
            reached = t.apply(x)
        size = len(tree.feature), levels.size
        at = reached * levels.size + level
        counted = weight if counted is None else counted
        counts = np.bincount(at, counted, size[0] * size[1]).reshape(size)
        tree.counts = counts.astype(np.float32)  # whole numbers: exact
        tree.add_up()
        return tree, reached

    def add_up(self) -> None:
        """Fill the counts of inner nodes from those of leaves."""
        for nodes in self.generations[:0:-1]:
            np.add.at(self.counts, self.parent[nodes], self.counts[nodes])

    @cached_property
    def parent(self) -> np.ndarray:
        """The parent of each node, (N,); -1 for the root."""
        parent, inner = np.full(len(self.feature), -1), np.flatnonzero(self.feature >= 0)
        parent[self.left[inner]] = parent[self.right[inner]] = inner
        return parent

    @cached_property
    def generations(self) -> list[np.ndarray]:
        """The nodes at each depth, from the root down."""
        nodes = [np.array([0])]
        while True:
            inner = nodes[-1][self.feature[nodes[-1]] >= 0]
            if not len(inner):
                return nodes
            nodes.append(np.concatenate([self.left[inner], self.right[inner]]))

    def laws(self, shrinkages: Sequence[float]) -> np.ndarray:
        """Return probabilities (A, N, K): p_v = (counts_v + a p_parent) / (rows_v + a), for each a.

        From the root down: a leaf is shrunk towards the nodes above it, more if it has few rows.
        """
        a, parent = np.array(shrinkages)[:, None, None], self.parent
        total = self.counts.sum(axis=1, keepdims=True, dtype=np.float64)
        law = np.repeat((self.counts / np.maximum(total, 1))[None], len(a), axis=0)
        for nodes in self.generations[1:]:
            law[:, nodes] = _shrunk(self.counts[nodes], total[nodes], a, law[:, parent[nodes]])
        return law

    def without_themselves(
        self,
        node: np.ndarray,
        level: np.ndarray,
        weight: np.ndarray,
        shrinkages: Sequence[float],
        kernels: np.ndarray,
    ) -> np.ndarray:
        """Return the probabilities (A, H, m) of the levels of counted rows, without these rows.

        Each row (m,) of a ``level`` ends in a ``node``; its ``weight`` is taken from the counts of
        all nodes on the way. The laws are blurred by each of the ``kernels`` (H, K, K). A tree that
        these rows did not grow would be the same without one of them, so this is what it says of a
        row that it never saw.
        """
        a = np.array(shrinkages)[:, None, None]
        total = self.counts.sum(axis=1, dtype=np.float64)
        seen = self.counts @ kernels  # (H, N, K)
        own = weight * kernels[:, level, level]  # (H, m)
        way = [node]
        while (way[-1] > 0).any():
            way.append(np.where(way[-1] > 0, self.parent[way[-1]], -1))
        p = np.zeros((len(a), len(kernels), len(node)))
        for at in reversed(way):
            here = np.flatnonzero(at >= 0)
            counts = seen[:, at[here], level[here]] - own[:, here]
            rows = (total[at[here]] - weight[here]).clip(0)
            shrink = np.where(at[here] == 0, 0.0, a)  # nothing is above the root
            p[:, :, here] = _shrunk(counts.clip(0), rows, shrink, p[:, :, here])
        return p


def _shrunk(counts: np.ndarray, total: np.ndarray, a: np.ndarray, above: np.ndarray) -> np.ndarray:
    """Return (counts + a above) / (total + a); what is ``above`` where nothing was counted."""
    rows = total + a
    return np.asarray(np.where(rows > 0, (counts + a * above) / np.where(rows > 0, rows, 1), above))


def _contrasts(
    rows: Rows, before: Sequence[int], score: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Return the mean score, in the bag, of each level of the categorical predictors, in one array.

    Each mean is shrunk towards that of all rows by one row, so a level of few rows stays near it.
    """
    score = weight * (score - weight @ score / weight.sum())
    means = [np.empty(0)]
    for i in before:
        if not rows.levels[i].block.ordered:
            level, size = rows.level[:, i], rows.levels[i].size
            count = np.bincount(level, weight, size)
            means.append(np.bincount(level, score, size) / (count + 1))
    return np.concatenate(means)
