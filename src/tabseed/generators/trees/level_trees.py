"""Trees that predict the levels of a column: growing them, joining them, walking down them.

Notation: n rows, K levels of the column (see :class:`~tabseed.generators.trees.levels.Levels`), k
columns that predict it, T trees, N nodes of a tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self

import numpy as np
from scipy.stats import rankdata
from sklearn.tree import DecisionTreeRegressor

from tabseed import archive
from tabseed._random import child, int_seed
from tabseed.coding.encode import Layout
from tabseed.generators.trees.levels import Levels

MAX_TARGETS = 12  # numbers that represent a column when it is split
FEW_PREDICTORS = 30  # up to this number, every split considers all predictors


def levels_of(layout: Layout) -> dict[int, Levels]:
    """Return the levels, by index, of blocks that have cells and that no other block determines."""
    free = ((j, b) for j, b in enumerate(layout.blocks) if b.parent < 0 and b.n_cells)
    return {j: Levels(block) for j, block in free}


@dataclass
class Rows:
    """Rows as trees see them, by index of the block: filled at once or column by column."""

    levels: dict[int, Levels]
    n: int
    level: dict[int, np.ndarray]  # (n,) the level of each row
    position: dict[int, np.ndarray]  # (n,) float32, the position of each row along its column

    @classmethod
    def of(cls, layout: Layout, x: np.ndarray) -> Self:
        """Return encoded rows (n, w) as levels and positions."""
        rows, cells = cls(levels_of(layout), len(x), {}, {}), layout.cells(x)
        for j, levels in rows.levels.items():
            values = layout.values(levels.block, x)
            rows.put(j, levels.of(cells[j], values), values)
        return rows

    def put(self, j: int, level: np.ndarray, values: np.ndarray) -> None:
        """Fill a column."""
        self.level[j] = level
        self.position[j] = self.levels[j].position(level, values)

    def predictors(
        self, before: Sequence[int], contrasts: np.ndarray, tree: np.ndarray
    ) -> np.ndarray:
        """Return columns side by side, (n, k) float32: positions of numbers, contrasts of levels.

        ``contrasts`` is (T, sum of levels of the categorical columns), ``tree`` (n,) selects its
        row for each row of the result.
        """
        columns, at = np.empty((self.n, len(before)), np.float32), 0
        for k, i in enumerate(before):
            levels = self.levels[i]
            if levels.block.ordered:
                columns[:, k] = self.position[i]
            else:
                columns[:, k] = contrasts[tree, at + self.level[i]]
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
    ) -> tuple[Self, np.ndarray]:
        """Grow a tree of column ``j`` on the columns ``before``, from rows of positive weight (n,).

        ``signs``: with which of these its mean rank rises (1) or falls (-1); 0: not known.
        Returns the tree, and the node (n,) that each row reaches, in the bag or not.
        """
        levels, level = rows.levels[j], rows.level[j]
        y, contrast = targets(levels, level, np.random.default_rng(child(stream, 0)))
        contrasts = _contrasts(rows, before, y @ contrast, weight)
        x = rows.predictors(before, contrasts[None], np.zeros(rows.n, dtype=np.int64))
        bag, k = np.flatnonzero(weight), len(before)
        if k == 0:
            leaf = np.array([-1])
            tree = cls(leaf, np.zeros(1), leaf, leaf, contrasts, np.empty(0))
            reached = np.zeros(rows.n, dtype=np.int64)
        else:
            directed = any(signs)
            if directed:  # scikit-learn keeps a direction of one target only: the mean rank
                y = place_of(levels, level)[:, None]
            model = DecisionTreeRegressor(
                min_samples_leaf=min_leaf,
                max_features=k if k <= FEW_PREDICTORS else max(FEW_PREDICTORS, k // 2),
                random_state=int_seed(stream),
                monotonic_cst=_along(rows, before, contrasts, signs) if directed else None,
            )
            bagged = weight[bag].astype(np.float64)
            t = model.fit(x[bag], y[bag], sample_weight=bagged, check_input=False).tree_
            feature = np.where(t.children_left < 0, -1, t.feature)
            sides = t.children_left.copy(), t.children_right.copy()
            tree = cls(feature, t.threshold.copy(), *sides, contrasts, np.empty(0))
            reached = t.apply(x)
        size = len(tree.feature), levels.size
        at = reached * levels.size + level
        counts = np.bincount(at, weight, size[0] * size[1]).reshape(size)
        parent = tree.parent
        for nodes in tree.generations[:0:-1]:
            np.add.at(counts, parent[nodes], counts[nodes])
        tree.counts = counts.astype(np.float32)  # whole numbers: exact
        return tree, reached

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
        law = np.repeat((self.counts / total)[None], len(a), axis=0)
        for nodes in self.generations[1:]:
            above = a * law[:, parent[nodes]]
            law[:, nodes] = (self.counts[nodes] + above) / (total[nodes] + a)
        return law


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
            level, size = rows.level[i], rows.levels[i].size
            count = np.bincount(level, weight, size)
            means.append(np.bincount(level, score, size) / (count + 1))
    return np.concatenate(means)


@dataclass
class Forest:
    """T trees for one column: nodes in one array, and the law of the column in each leaf.

    ``predictors`` (k,) are the blocks of the columns before; ``contrasts`` (T, sum of levels of
    the categorical ones) orders their levels along a line, for each tree; ``roots`` (T,) are the
    first nodes of the trees. ``feature``, ``threshold``, ``left``, ``right`` are as in
    :class:`Tree`; ``leaf`` (nodes,) is the row of ``upto`` (leaves, K), the cumulative
    probabilities of the levels.
    """

    predictors: np.ndarray
    contrasts: np.ndarray
    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    leaf: np.ndarray
    upto: np.ndarray

    @classmethod
    def join(
        cls, before: Sequence[int], trees: Sequence[Tree], shrinkage: float, kernel: np.ndarray
    ) -> Self:
        """Join trees; each leaf keeps its law (:meth:`Tree.laws`), blurred by a kernel (K, K)."""
        starts = np.cumsum([0, *(len(tree.feature) for tree in trees)])
        pairs = list(zip(trees, starts.tolist(), strict=False))
        feature = np.concatenate([tree.feature for tree in trees])
        is_leaf = feature < 0
        laws = [tree.laws([shrinkage])[0, tree.feature < 0] @ kernel for tree in trees]
        return cls(
            predictors=np.array(before, dtype=np.int64),
            contrasts=np.stack([tree.contrasts for tree in trees]),
            roots=starts[:-1],
            feature=feature,
            threshold=np.concatenate([tree.threshold for tree in trees]),
            left=np.concatenate([tree.left + start for tree, start in pairs]),
            right=np.concatenate([tree.right + start for tree, start in pairs]),
            leaf=np.where(is_leaf, np.cumsum(is_leaf) - 1, -1),
            upto=np.cumsum(np.concatenate(laws), axis=1).astype(np.float32),
        )

    @classmethod
    def stored(cls, arrays: archive.Arrays) -> Self:
        """Return the forest of a file; ValueError for arrays of other types or dimensions."""
        reals = {"contrasts": 2, "threshold": 1, "upto": 2}
        parts = {}
        for field in fields(cls):
            name, kind = field.name, "f" if field.name in reals else "i"
            shape = (None,) * reals.get(name, 1)
            parts[name] = archive.stored(arrays, name, kind, shape, most=archive.SINGLE)
        return cls(**parts)

    def laws(self, rows: Rows, tree: np.ndarray) -> np.ndarray:
        """Return cumulative probabilities (n, K) given the rows' predictors, by trees (n,)."""
        x = rows.predictors(self.predictors.tolist(), self.contrasts, tree)
        node = self.roots[tree]
        walking = np.flatnonzero(self.feature[node] >= 0)
        while len(walking):
            at = node[walking]
            goes_left = x[walking, self.feature[at]] <= self.threshold[at]
            node[walking] = np.where(goes_left, self.left[at], self.right[at])
            walking = walking[self.feature[node[walking]] >= 0]
        return np.asarray(self.upto[self.leaf[node]])

    def check(self, levels: dict[int, Levels], before: Sequence[int], size: int) -> None:
        """Raise ValueError for arrays that do not fit together or a walk that does not end."""
        nodes, inner = len(self.feature), self.feature >= 0
        after = np.arange(nodes)[inner]
        n_levels = sum(levels[i].size for i in before if not levels[i].block.ordered)
        sound = (
            self.predictors.tolist() == list(before)
            and self.contrasts.shape == (len(self.roots), n_levels)
            and len(self.roots) > 0
            and {len(a) for a in (self.threshold, self.left, self.right, self.leaf)} == {nodes}
            and (self.feature < max(1, len(before))).all()
            and (self.left[inner] > after).all()
            and (self.right[inner] > after).all()
            and max(self.left.max(), self.right.max(), self.roots.max()) < nodes
            and self.roots.min() >= 0
            and (self.leaf[~inner] >= 0).all()
            and self.leaf.max() < len(self.upto)
            and self.upto.shape[1:] == (size,)
            and bool((np.diff(self.upto, axis=1, prepend=0) >= 0).all())
            and bool((self.upto[:, -1] > 0).all())
        )
        if not sound:
            raise ValueError("trees with arrays that do not fit together")
