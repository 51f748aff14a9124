"""The trees of one column in all orders of the columns: joined, walked down, in files.

Notation: n rows, K levels of the column, O orders, T trees for each of them, N nodes of all trees
together, B blocks of the layout, S levels of all categorical columns together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from tabseed.archive import SINGLE, Arrays, stored
from tabseed.generators.trees.level_trees import Rows, Tree
from tabseed.generators.trees.levels import Levels

Allowed = Sequence[Sequence[int]]  # for each order, the blocks that predict the column


def offsets(levels: dict[int, Levels]) -> np.ndarray:
    """Return, for each block, where its levels begin among the S; -1 unless it is categorical."""
    found, at = np.full(max(levels, default=-1) + 1, -1), 0
    for j, own in levels.items():
        if not own.block.ordered:
            found[j] = at
            at += own.size
    return found


@dataclass
class Forest:
    """O T trees, those of order o from o T on: nodes in one array, and a law for each leaf.

    ``roots`` (O T,) are the first nodes of the trees; ``feature`` (N,) is the block that a node
    asks, -1 in a leaf; values up to ``threshold`` (N,) go to the node ``left`` (N,), others to
    ``right``. ``contrasts`` (O T, S) orders the levels of the categorical columns along a line.
    ``leaf`` (N,) is the row of ``upto`` (leaves, K), the cumulative probabilities of the levels.
    ``counts``, unless the file of an earlier version has none: for each leaf, in the order of
    nodes, how many levels were seen (leaves,); these levels, one leaf after the other, and how
    often each of them was.
    """

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    contrasts: np.ndarray
    leaf: np.ndarray
    upto: np.ndarray
    offset: np.ndarray  # (B,) see :func:`offsets`
    counts: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    @classmethod
    def join(
        cls,
        levels: dict[int, Levels],
        allowed: Allowed,
        trees: Sequence[Tree],
        shrinkage: float,
        kernel: np.ndarray,
    ) -> Self:
        """Join trees; each leaf keeps its law (:meth:`Tree.laws`), blurred by a kernel (K, K)."""
        starts = np.cumsum([0, *(len(tree.feature) for tree in trees)])
        offset = offsets(levels)
        size = sum(own.size for own in levels.values() if not own.block.ordered)
        contrasts = np.zeros((len(trees), size), np.float32)
        feature, left, right = [], [], []
        for t, (tree, start) in enumerate(zip(trees, starts.tolist(), strict=False)):
            before = np.array([*allowed[t * len(allowed) // len(trees)], -1])
            feature.append(before[tree.feature])
            left.append(tree.left + start)
            right.append(tree.right + start)
            at = 0
            for i in before[:-1]:
                if offset[i] >= 0:
                    own = slice(at, at + levels[i].size)
                    contrasts[t, offset[i] : offset[i] + levels[i].size] = tree.contrasts[own]
                    at = own.stop
        laws = [tree.laws([shrinkage])[0, tree.feature < 0] @ kernel for tree in trees]
        counts = np.concatenate([tree.counts[tree.feature < 0] for tree in trees])
        at_leaf, level = np.nonzero(counts)
        seen = np.bincount(at_leaf, minlength=len(counts))
        nodes = np.concatenate(feature)
        return cls(
            roots=starts[:-1],
            feature=nodes,
            threshold=lowered(np.concatenate([tree.threshold for tree in trees])),
            left=np.concatenate(left),
            right=np.concatenate(right),
            contrasts=contrasts,
            leaf=np.where(nodes < 0, np.cumsum(nodes < 0) - 1, -1),
            upto=np.cumsum(np.concatenate(laws), axis=1).astype(np.float32),
            offset=offset,
            counts=(seen, level, counts[at_leaf, level].astype(np.int64)),
        )

    def leaves(self, rows: Rows, tree: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return the leaf (m,) in which each of the rows ``at`` (m,) ends, by trees (m,)."""
        node = self.roots[tree]
        walking = np.flatnonzero(self.feature[node] >= 0)
        while len(walking):
            here, row = node[walking], at[walking]
            asked = self.feature[here]
            value = rows.position[row, asked]
            named = np.flatnonzero(self.offset[asked] >= 0)
            if len(named):
                block = asked[named]
                column = self.offset[block] + rows.level[row[named], block]
                value[named] = self.contrasts[tree[walking[named]], column]
            goes_left = value <= self.threshold[here]
            node[walking] = np.where(goes_left, self.left[here], self.right[here])
            walking = walking[self.feature[node[walking]] >= 0]
        return np.asarray(self.leaf[node])

    def laws(self, rows: Rows, tree: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Return cumulative probabilities (m, K) for the rows ``at`` (m,), by trees (m,)."""
        return np.asarray(self.upto[self.leaves(rows, tree, at)])

    def between(self, leaf: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """Return the probabilities (m,) of levels from ``start`` to before ``stop``, in leaves."""
        ends = [np.where(at > 0, self.upto[leaf, (at - 1).clip(0)], 0) for at in (start, stop)]
        mass = ends[1].astype(np.float64) - ends[0]
        return np.asarray(mass / self.upto[leaf, -1])

    # -- files

    def state(self) -> Arrays:
        """Return the arrays of a file: of nodes and leaves as small numbers as hold them."""
        inner = self.feature >= 0
        arrays = {
            "roots": _small(self.roots),
            "feature": _small(self.feature),
            "threshold": self.threshold[inner],
            "left": _small(self.left[inner]),
            "right": _small(self.right[inner]),
            "contrasts": self.contrasts,
        }
        if self.counts is None:
            return arrays | {"upto": self.upto}
        names = ("seen", "level", "count")
        return arrays | {n: _small(v) for n, v in zip(names, self.counts, strict=True)}

    @classmethod
    def stored(
        cls, arrays: Arrays, levels: dict[int, Levels], j: int, shrinkage: float, width: float
    ) -> Self:
        """Return the forest of column j from the arrays of a file; ValueError if it is unsound."""
        feature = _whole(arrays, "feature")
        inner = feature >= 0
        threshold = np.zeros(len(feature), np.float32)
        left, right = np.full((2, len(feature)), -1)
        for array, name in ((left, "left"), (right, "right")):
            array[inner] = _whole(arrays, name)
        threshold[inner] = stored(arrays, "threshold", "f", (None,), most=SINGLE)
        size = levels[j].size
        forest = cls(
            roots=_whole(arrays, "roots"),
            feature=feature,
            threshold=threshold,
            left=left,
            right=right,
            contrasts=stored(arrays, "contrasts", "f", (None, None), most=SINGLE),
            leaf=np.where(inner, -1, np.cumsum(~inner) - 1),
            upto=np.empty((0, size)),
            offset=offsets(levels),
        )
        if "upto" in arrays:
            forest.upto = stored(arrays, "upto", "f", (None, size), most=SINGLE)
            return forest
        forest.counts = tuple(_whole(arrays, name) for name in ("seen", "level", "count"))  # type: ignore[assignment]
        forest._check_nodes()
        forest.upto = forest._laws(size, shrinkage, levels[j].kernel(width))
        return forest

    @classmethod
    def of_orders(
        cls, parts: Sequence[Arrays], levels: dict[int, Levels], allowed: Allowed
    ) -> Self:
        """Return the forest of a file of format 1, which has arrays for each order by itself."""
        offset = offsets(levels)
        size = sum(own.size for own in levels.values() if not own.block.ordered)
        feature, left, right, threshold = [], [], [], []
        roots, contrasts, upto, nodes = [], [], [], 0
        for arrays, blocks in zip(parts, allowed, strict=True):
            if stored(arrays, "predictors", "i", (None,)).tolist() != list(blocks):
                raise ValueError("trees whose predictors are not the columns before")
            local = _whole(arrays, "feature")
            if (local >= max(1, len(blocks))).any():
                raise ValueError("trees with arrays that do not fit together")
            feature.append(np.array([*blocks, -1])[local.clip(-1)])
            roots.append(_whole(arrays, "roots") + nodes)
            left.append(_whole(arrays, "left") + nodes)
            right.append(_whole(arrays, "right") + nodes)
            threshold.append(stored(arrays, "threshold", "f", (None,), most=SINGLE))
            upto.append(stored(arrays, "upto", "f", (None, None), most=SINGLE)[_leaf_rows(arrays)])
            named = [i for i in blocks if offset[i] >= 0]
            shape = len(roots[-1]), sum(levels[i].size for i in named)
            own = stored(arrays, "contrasts", "f", shape, most=SINGLE)
            columns = np.concatenate(
                [np.empty(0, int), *(offset[i] + np.arange(levels[i].size) for i in named)]
            )
            contrasts.append(np.zeros((len(own), size), np.float32))
            contrasts[-1][:, columns] = own
            nodes += len(local)
        joined = np.concatenate(feature)
        return cls(
            roots=np.concatenate(roots),
            feature=joined,
            threshold=lowered(np.concatenate(threshold)),
            left=np.concatenate(left),
            right=np.concatenate(right),
            contrasts=np.concatenate(contrasts),
            leaf=np.where(joined < 0, np.cumsum(joined < 0) - 1, -1),
            upto=np.concatenate(upto),
            offset=offset,
        )

    def _laws(self, size: int, shrinkage: float, kernel: np.ndarray) -> np.ndarray:
        """Return the cumulative laws of the leaves (leaves, K), as :meth:`join` made them."""
        seen, level, count = self.counts  # type: ignore[misc]
        leaves = int((self.feature < 0).sum())
        total = int(seen.sum()) if len(seen) == leaves and (seen >= 0).all() else -1
        sound = total == len(level) == len(count) and (count > 0).all()
        if not sound or (level < 0).any() or (level >= size).any():
            raise ValueError("counts that do not fit the leaves")
        counts = np.zeros((len(self.feature), size), np.float32)
        counts[np.flatnonzero(self.feature < 0)[np.repeat(np.arange(leaves), seen)], level] = count
        laws = []
        for start, stop in zip(self.roots, [*self.roots[1:], len(self.feature)], strict=True):
            own = slice(start, stop)
            sides = self.left[own] - start, self.right[own] - start
            none = np.empty(0)
            tree = Tree(self.feature[own], self.threshold[own], *sides, none, counts[own])
            tree.add_up()
            laws.append(tree.laws([shrinkage])[0, tree.feature < 0] @ kernel)
        return np.cumsum(np.concatenate(laws), axis=1).astype(np.float32)

    def _check_nodes(self) -> None:
        """Raise ValueError for nodes of which a walk does not end within its own tree."""
        n, inner = len(self.feature), self.feature >= 0
        at = np.flatnonzero(inner)
        ends = np.append(self.roots[1:], n)
        sound = (
            len(self.roots) > 0
            and self.roots[0] == 0
            and bool((np.diff(self.roots) > 0).all())
            and self.roots[-1] < n
        )
        if sound:
            end = ends[np.searchsorted(self.roots, at, side="right") - 1]
            children = (self.left[inner], self.right[inner])
            sound = all(bool(((side > at) & (side < end)).all()) for side in children)
            # each node but the roots has one parent
            sound = sound and len(np.unique(np.concatenate(children))) == n - len(self.roots)
        if not sound:
            raise ValueError("trees with nodes that do not fit together")

    def check(self, allowed: Allowed, size: int) -> None:
        """Raise ValueError for arrays that do not fit together or a walk that does not end.

        ``allowed``: for each order, the blocks that may predict the column; ``size``: K.
        """
        self._check_nodes()
        inner = np.flatnonzero(self.feature >= 0)
        tree = np.searchsorted(self.roots, inner, side="right") - 1
        each, rest = divmod(len(self.roots), len(allowed))
        may = np.zeros((len(allowed), len(self.offset)), bool)
        for o, blocks in enumerate(allowed):
            may[o, list(blocks)] = True
        asked = self.feature[inner]
        sound = (
            rest == 0
            and bool((asked < len(self.offset)).all())
            and bool(may[tree // max(each, 1), asked].all())
            and self.contrasts.shape[0] == len(self.roots)
            and self.upto.shape == (int((self.feature < 0).sum()), size)
            and bool((np.diff(self.upto, axis=1, prepend=0) >= 0).all())
            and bool((self.upto[:, -1] > 0).all())
        )
        if not sound:
            raise ValueError("trees with arrays that do not fit together")


def lowered(threshold: np.ndarray) -> np.ndarray:
    """Return the largest float32 numbers up to thresholds: they part float32 numbers alike."""
    near = threshold.astype(np.float32)
    below = np.nextafter(near, np.float32(-np.inf))
    return np.asarray(np.where(near > threshold, below, near), dtype=np.float32)


def _small(values: np.ndarray) -> np.ndarray:
    """Return whole numbers in the smallest type that holds them."""
    low, high = (int(f(values)) if len(values) else 0 for f in (np.min, np.max))
    for kind in (np.int8, np.int16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return values.astype(kind)
    return values.astype(np.int64)


def _whole(arrays: Arrays, name: str) -> np.ndarray:
    return stored(arrays, name, "i", (None,)).astype(np.int64)


def _leaf_rows(arrays: Arrays) -> np.ndarray:
    """Return the rows of the laws of the leaves of a part, in the order of nodes."""
    leaf = _whole(arrays, "leaf")[_whole(arrays, "feature") < 0]
    laws = len(arrays["upto"])
    if (leaf < 0).any() or (leaf >= laws).any():
        raise ValueError("leaves without laws")
    return leaf
