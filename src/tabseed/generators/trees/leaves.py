"""Trees over cells, and the law of rows within their leaves.

Notation: n rows, d columns, T trees, L leaves of all trees together, K_j cells of column j.
Rows are *positions* (n, d): for each column, the index of the row's cell in an order of the
column's cells. A tree asks whether a position is at most a threshold, so each leaf is a box of
positions, and the boxes of one tree partition the space of all rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tabseed.coding.cells import KNOTS, Block
from tabseed.coding.levels import pick
from tabseed.errors import SchemaError

MAX_TABLE = 4_000_000  # leaf x cell probabilities in memory at once
APART = 1e-12  # weight that each cell gives itself, so that no kernel is empty


@dataclass(frozen=True)
class Trees:
    """T binary trees with N nodes in one sequence, children after their parent."""

    roots: np.ndarray  # (T,)
    feature: np.ndarray  # (N,) the column that the node asks about
    threshold: np.ndarray  # (N,) positions up to it go left
    left: np.ndarray  # (N,) -1 at a leaf
    right: np.ndarray  # (N,)

    def check(self, sizes: np.ndarray) -> None:
        """Raise ValueError unless these are trees over columns of ``sizes`` (d,) positions."""
        inner = self.left >= 0
        if not len(self.left) == len(self.right) == len(self.feature) == len(self.threshold):
            raise ValueError("nodes that do not form trees")
        children = np.concatenate([self.roots, self.left[inner], self.right[inner]])
        node = np.flatnonzero(inner)
        sound = (
            len(self.roots) > 0
            and np.array_equal(np.sort(children), np.arange(len(self.left)))
            and (self.left[inner] > node).all()
            and (self.right[inner] > node).all()
            and ((self.feature >= 0) & (self.feature < len(sizes))).all()
            and (self.threshold[inner] >= 0).all()
            and (self.threshold[inner] < sizes[self.feature[inner]] - 1).all()
        )
        if not sound:
            raise ValueError("nodes that do not form trees")

    @cached_property
    def leaf_nodes(self) -> np.ndarray:
        """The nodes that are leaves, (L,)."""
        return np.flatnonzero(self.left < 0)

    def apply(self, positions: np.ndarray) -> np.ndarray:
        """Return the leaf (0 to L - 1) of each row in each tree, (n, T)."""
        leaf = np.cumsum(self.left < 0) - 1
        node = np.repeat(self.roots, len(positions))  # tree by tree: neighbours in memory
        row = np.tile(np.arange(len(positions)), len(self.roots))
        walking = np.arange(len(node))
        while len(walking := walking[self.left[node[walking]] >= 0]):
            at = node[walking]
            goes_left = positions[row[walking], self.feature[at]] <= self.threshold[at]
            node[walking] = np.where(goes_left, self.left[at], self.right[at])
        return np.ascontiguousarray(leaf[node].reshape(len(self.roots), -1).T)

    def boxes(self, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the first position of each leaf's box, and the one after its last, (L, d) each."""
        first = np.zeros((len(self.left), len(sizes)), dtype=np.int32)
        stop = np.tile(sizes.astype(np.int32), (len(self.left), 1))
        level = self.roots
        while len(level := level[self.left[level] >= 0]):
            left, right, column = self.left[level], self.right[level], self.feature[level]
            for child in (left, right):
                first[child], stop[child] = first[level], stop[level]
            stop[left, column] = first[right, column] = self.threshold[level] + 1
            level = np.concatenate([left, right])
        return first[self.leaf_nodes], stop[self.leaf_nodes]

    def pruned(self, positions: np.ndarray, learns: np.ndarray, min_rows: int) -> Trees:
        """Return the trees without the splits that have fewer than ``min_rows`` rows on a side.

        A split that is removed gives all its rows to its larger side. ``learns`` (n, T) says
        which rows count in which tree. Pruning goes from the roots down, so a leaf has at least
        ``min_rows`` rows, unless its tree has fewer.
        """
        n_nodes = len(self.left)
        stands_for = np.arange(n_nodes)  # for a removed node, its larger child
        tree, row = np.nonzero(learns.T)
        node = self.roots[tree]
        while (inner := self.left[node] >= 0).any():
            row, node = row[inner], node[inner]
            goes_left = positions[row, self.feature[node]] <= self.threshold[node]
            n_left = np.bincount(node[goes_left], minlength=n_nodes)
            n_right = np.bincount(node[~goes_left], minlength=n_nodes)
            small = np.flatnonzero((n_left < min_rows) | (n_right < min_rows))
            small = small[n_left[small] + n_right[small] > 0]  # the others are at another depth
            left_is_larger = n_left[small] >= n_right[small]
            stands_for[small] = np.where(left_is_larger, self.left[small], self.right[small])
            child = np.where(goes_left, self.left[node], self.right[node])
            node = np.where(stands_for[node] == node, child, stands_for[node])
        while (stands_for != (further := stands_for[stands_for])).any():
            stands_for = further
        left, right = (np.where(c >= 0, stands_for[c], -1) for c in (self.left, self.right))
        return Trees(stands_for[self.roots], self.feature, self.threshold, left, right)._compact()

    def _compact(self) -> Trees:
        """Return the trees without the nodes that no root leads to."""
        reached = np.zeros(len(self.left), dtype=bool)
        level = self.roots
        while len(level):
            reached[level] = True
            level = level[self.left[level] >= 0]
            level = np.concatenate([self.left[level], self.right[level]])
        number = np.cumsum(reached) - 1
        left, right = (np.where(c >= 0, number[c], -1)[reached] for c in (self.left, self.right))
        return Trees(
            number[self.roots], self.feature[reached], self.threshold[reached], left, right
        )


def cell_positions(block: Block) -> np.ndarray:
    """Return the position of each cell of a column, (K,): missing first, then numbers by size."""
    if not block.ordered:
        return np.arange(block.n_cells)
    middle = block.knots[:, KNOTS // 2]
    value = np.concatenate([block.atoms, middle, np.full(int(block.missing), -np.inf)])
    return np.argsort(np.argsort(value, kind="stable"))


@dataclass(frozen=True)
class Axis:
    """One column's positions, and how the law in a leaf is smoothed along them."""

    margin: np.ndarray  # (K,) shares of the training rows
    kernel: np.ndarray | None  # (K, K), rows sum to 1; None: a row counts only for its own cell
    prior: float  # rows that the margin counts as

    @classmethod
    def learn(cls, block: Block, column: np.ndarray, bandwidth: float, prior: float) -> Axis:
        """Return the axis of a column with positions (n,).

        Between cells a and b of numbers, at mid-ranks r in [0, 1] of the training rows, the
        kernel is k(b | a) ~ m(b) exp(-(r_a - r_b)^2 / (2 bandwidth^2)), m the margin: a point
        mass stays where it is, and a wide kernel gives the margin. Missing cells and categories
        count only for themselves, and no kernel reaches across a gap.
        """
        margin = np.bincount(column, minlength=block.n_cells) / len(column)
        if not block.ordered or bandwidth == 0:
            return cls(margin, None, prior)
        rank = np.cumsum(margin) - margin / 2
        kernel = margin * np.exp(-0.5 * ((rank[:, None] - rank) / bandwidth) ** 2)
        if block.gaps is not None:
            piece = np.zeros(block.n_cells, int)
            numbers = cell_positions(block)[: len(block.atoms) + len(block.knots)]
            piece[numbers] = np.concatenate([block.atom_pieces, block.interval_pieces])
            kernel *= piece[:, None] == piece
        if block.missing:
            kernel[0, 1:] = kernel[1:, 0] = 0.0
        kernel += APART * np.eye(len(kernel))
        return cls(margin, kernel / kernel.sum(axis=1, keepdims=True), prior)

    @cached_property
    def upto(self) -> np.ndarray:
        """The mass of each kernel before each position, (K, K + 1)."""
        kernel = np.eye(len(self.margin)) if self.kernel is None else self.kernel
        return np.concatenate([np.zeros((len(kernel), 1)), np.cumsum(kernel, axis=1)], axis=1)

    @cached_property
    def margin_upto(self) -> np.ndarray:
        """The mass of the margin before each position, (K + 1,)."""
        return np.concatenate([[0.0], np.cumsum(self.margin)])


@dataclass(frozen=True)
class Leaves:
    """The law of rows: a leaf by its share of rows, then each column independently in its box.

    With n_l rows i of positions c_i in leaf l, and B the box of column j,

        p(c | l) = (sum_i k(c | c_i) / k(B | c_i) + s m(c) / m(B)) / (n_l + s)   for c in B,

    k the axis's kernel, m its margin, s its prior; a leaf of n_l rows has weight n_l / sum n_l.
    """

    axes: tuple[Axis, ...]
    rows: np.ndarray  # (n, d) positions
    members: np.ndarray  # the rows of leaf 0, then those of leaf 1, ...
    starts: np.ndarray  # (L + 1,) where each leaf's rows start among members
    first: np.ndarray  # (L, d) boxes, see Trees.boxes
    stop: np.ndarray  # (L, d)

    @classmethod
    def learn(
        cls, trees: Trees, axes: Sequence[Axis], rows: np.ndarray, learns: np.ndarray | None = None
    ) -> Leaves:
        """Return the law of rows (n, d), in each tree of all or of those in ``learns`` (n, T)."""
        leaf = trees.apply(rows)
        if learns is None:
            learns = np.ones(leaf.shape, dtype=bool)
        first, stop = trees.boxes(np.array([len(axis.margin) for axis in axes]))
        of_leaf, row = leaf[learns], np.nonzero(learns)[0]
        sizes = np.bincount(of_leaf, minlength=len(first))
        members = row[np.argsort(of_leaf, kind="stable")]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        return cls(tuple(axes), rows, members, starts, first, stop)

    @cached_property
    def sizes(self) -> np.ndarray:
        """The number of rows of each leaf, n_l, (L,)."""
        return np.diff(self.starts)

    def law(self, column: int, leaves: np.ndarray) -> np.ndarray:
        """Return the probabilities (u, K) of a column's positions in each of ``leaves`` (u,)."""
        axis = self.axes[column]
        spread, margin = self.spread(column, leaves), self.margin(column, leaves)
        return np.asarray(
            (spread + axis.prior * margin) / (self.sizes[leaves] + axis.prior)[:, None]
        )

    def spread(self, column: int, leaves: np.ndarray, axis: Axis | None = None) -> np.ndarray:
        """Return the rows' kernels, summed by leaf: sum_i k(c | c_i) / k(B | c_i), (u, K)."""
        axis = axis or self.axes[column]
        k, sizes = len(axis.margin), self.sizes[leaves]
        slot = np.repeat(np.arange(len(leaves)), sizes)
        skipped = np.repeat(self.starts[leaves] - np.cumsum(sizes) + sizes, sizes)
        at = self.rows[self.members[skipped + np.arange(len(slot))], column]
        counts = np.bincount(slot * k + at, minlength=len(leaves) * k).reshape(len(leaves), k)
        if axis.kernel is None:
            return counts.astype(float)
        first, stop, inside = self._box(column, leaves)
        mass = np.where(inside, (axis.upto[:, stop] - axis.upto[:, first]).T, 1.0)
        return np.asarray(np.where(inside, (counts / mass) @ axis.kernel, 0.0))

    def margin(self, column: int, leaves: np.ndarray) -> np.ndarray:
        """Return the margin within each leaf's box, m(c) / m(B), (u, K), by leaf (u,)."""
        axis = self.axes[column]
        first, stop, inside = self._box(column, leaves)
        mass = axis.margin_upto[stop] - axis.margin_upto[first]
        return np.where(inside, axis.margin / mass[:, None], 0.0)

    def _box(self, column: int, leaves: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        first, stop = self.first[leaves, column], self.stop[leaves, column]
        position = np.arange(len(self.axes[column].margin))
        return first, stop, (position >= first[:, None]) & (position < stop[:, None])

    def log_probability(self, positions: np.ndarray, leaf: np.ndarray) -> np.ndarray:
        """Return the log-probability (n,) of rows (n, d) in leaves (n, T), averaged over trees."""
        n, n_trees = leaf.shape
        total = np.full(n, -np.inf)
        with np.errstate(divide="ignore"):
            for tree in range(n_trees):
                used, slot = np.unique(leaf[:, tree], return_inverse=True)
                logs = np.log(self.sizes[used] / len(self.rows))[slot]
                for column in range(positions.shape[1]):
                    logs += np.log(self.law(column, used)[slot, positions[:, column]])
                total = np.logaddexp(total, logs)
        return np.asarray(total - np.log(n_trees))

    def draw(
        self, n: int, rng: np.random.Generator, allowed: Mapping[int, np.ndarray] | None = None
    ) -> np.ndarray:
        """Draw positions (n, d), given that some columns lie at ``allowed`` positions (K,).

        Leaves are reweighted by the probability of the allowed positions, so the law is exactly
        the conditional one. SchemaError if the allowed positions have probability 0.
        """
        allowed = allowed or {}
        weights = self.sizes.astype(float)
        for column, mask in allowed.items():
            for part in parts(len(weights), len(mask)):
                weights[part] *= self.law(column, part) @ mask
        upto = np.cumsum(weights)
        if not upto[-1] > 0:
            raise SchemaError("the model knows no rows that meet the conditions; widen them")
        leaves = pick(upto, rng.random(n))
        used, slot = np.unique(leaves, return_inverse=True)
        positions = np.empty((n, len(self.axes)), dtype=np.int64)
        for column in range(len(self.axes)):
            law = self.law(column, used) * allowed.get(column, 1.0)
            positions[:, column] = pick(np.cumsum(law, axis=1)[slot], rng.random(n))
        return positions


def parts(n_leaves: int, n_cells: int) -> Iterator[np.ndarray]:
    """Yield the indices of leaves in runs whose tables of cells are not too large."""
    step = max(1, MAX_TABLE // n_cells)
    for at in range(0, n_leaves, step):
        yield np.arange(at, min(at + step, n_leaves))
