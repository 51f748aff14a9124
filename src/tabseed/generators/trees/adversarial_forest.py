"""Adversarial random forests: the law of leaves in which columns are independent."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from tabseed._random import RandomState, child, generator, int_seed, one_thread
from tabseed.archive import Arrays, Holds, stored, under
from tabseed.coding.cells import Block
from tabseed.coding.encode import Layout
from tabseed.generators.base import Aids, Generator
from tabseed.generators.conditions import Conditions
from tabseed.generators.trees.leaves import Axis, Leaves, Trees, cell_positions, parts
from tabseed.parameters import N_JOBS, SEED, Parameters, Real, Whole, or_none
from tabseed.space import Choice, Float, Int
from tabseed.table import Frame, Table

MIN_LEAVES = (2, 3, 5, 10, 20)  # values of min_leaf that are tried, in rows
BANDWIDTHS = (0.0, 0.04, 0.08, 0.15, 0.3)  # of kernels, in ranks
PRIORS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # rows that a margin counts as
MIN_LEAF, SMOOTHING = 5, (0.08, 1.0)  # from which the choice of these three starts
MIN_CHOICE = 20  # with fewer rows they keep these values
MAX_SCORED, MAX_SCORED_TREES = 2_000, 50  # rows and trees that the choice uses, at most
LARGEST = 1e9  # bandwidth and prior that a model file may hold
SWEEPS = 3  # over all columns, in the choice of their smoothing
ROUND, SCORED = range(2)  # streams below that of a fit

Smoothing = tuple[tuple[float, float], ...]  # bandwidth and prior of each free column


class AdversarialForest(Generator):
    """Grow forests until none tells real rows from synthetic ones; draw from the leaves.

    In round 0 a forest learns to tell the real rows from rows whose columns are drawn
    independently; in each further round, from rows drawn column by column within the leaves of
    the round before. Once the out-of-bag accuracy is at most 1/2 + ``delta`` (or no longer falls,
    or after ``max_rounds``), columns are taken to be independent within the leaves that the last
    synthetic rows came from. Rows are then drawn by tree, by leaf (by its share of the real rows)
    and column by column (:class:`~tabseed.generators.trees.leaves.Leaves`): over cells, so that
    point masses and missing cells have their own probability in each leaf, and a number within
    its cell by the encoder's quantiles, on the column's grid. Conditions are met exactly, however
    rare they are.

    Parameters
    ----------
    n_trees : int
        Trees of each round's forest.
    min_leaf : int or None
        Fewest real rows of a leaf; ``None``: the one of 2, 3, 5, 10, 20 with the largest
        out-of-bag likelihood. With larger leaves, drawn rows are further from the training rows.
    delta : float
        How far above 1/2 the accuracy may stay.
    max_rounds : int
        Number of forests, at most.
    n_jobs : int or None
        Threads that grow trees; the result does not depend on it.

    The width of each column's kernel and the weight of its margin are chosen, column after
    column, by the out-of-bag likelihood of the rows' cells; with fewer than 20 rows they are fixed.
    The model file holds the cells of all training rows, but not their numbers.
    TabseedError for parameters out of range. Cost: O(n_trees n d log n) a round.

    References: Watson, Blesch, Kapar, Wright, AISTATS 2023 (arXiv 2205.09435).
    """

    holds: ClassVar[Holds] = Holds(True, "its categories and the intervals that its numbers lie in")
    references: ClassVar[tuple[str, ...]] = ("arXiv:2205.09435",)
    parameters: ClassVar[Parameters] = {
        "n_trees": Whole(1),
        "min_leaf": or_none(Whole(1), search=Choice((None, 2, 3, 5, 10, 20))),
        "delta": Real(0, below=0.5, search=Float(0.005, 0.2, log=True)),
        "max_rounds": Whole(1, search=Int(1, 5)),
        "n_jobs": N_JOBS,
        "random_state": SEED,
    }

    def __init__(
        self,
        n_trees: int = 100,
        min_leaf: int | None = None,
        delta: float = 0.02,
        max_rounds: int = 3,
        n_jobs: int | None = None,
        random_state: RandomState = 0,
    ) -> None:
        self.n_trees = n_trees
        self.min_leaf = min_leaf
        self.delta = delta
        self.max_rounds = max_rounds
        self.n_jobs = n_jobs
        self.random_state = random_state

    trees_: Trees
    leaves_: Leaves
    accuracy_: tuple[float, ...]  # out-of-bag, of each round
    min_leaf_: int
    smoothing_: Smoothing
    score_: float | None  # mean out-of-bag log-likelihood of a row, in nats

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        rows = _positions(layout, x)
        forest, self.accuracy_ = self._play(rows, layout.free, child(stream, ROUND), aids)
        self.min_leaf_ = self.min_leaf or MIN_LEAF
        self.smoothing_, self.score_ = (SMOOTHING,) * rows.shape[1], None
        if len(rows) >= MIN_CHOICE:
            self._choose(rows, layout.free, forest, generator(child(stream, SCORED)))
        self.trees_ = forest.trees.pruned(rows, np.ones_like(forest.in_bag), self.min_leaf_)
        self.leaves_ = Leaves.learn(self.trees_, _axes(layout.free, rows, self.smoothing_), rows)

    def _play(
        self, rows: np.ndarray, blocks: list[Block], stream: np.random.SeedSequence, aids: Aids
    ) -> tuple[_Forest, tuple[float, ...]]:
        """Grow forests until one cannot tell; return the one before it, and all accuracies."""
        alone = _axes(blocks, rows, ((0.0, 0.0),) * len(blocks))  # without smoothing
        forest = self._grown(rows, None, alone, child(stream, 0))
        accuracy = [forest.accuracy]
        while len(accuracy) < self.max_rounds and accuracy[-1] > 0.5 + self.delta:
            if aids.progress is not None:
                message = f"out-of-bag accuracy {accuracy[-1]:.2f}"
                aids.progress(len(accuracy), self.max_rounds, message)
            latest = self._grown(rows, forest, alone, child(stream, len(accuracy)))
            accuracy.append(latest.accuracy)
            if accuracy[-1] <= 0.5 + self.delta or accuracy[-1] >= accuracy[-2]:
                break
            forest = latest
        return forest, tuple(accuracy)

    def _grown(
        self,
        rows: np.ndarray,
        before: _Forest | None,
        alone: list[Axis],
        stream: np.random.SeedSequence,
    ) -> _Forest:
        """Return a forest of rows against rows drawn from the leaves of the one before, if any."""
        rng = generator(stream)
        if before is None:
            synthetic = np.column_stack([rng.permutation(column) for column in rows.T])
        else:
            everywhere = np.ones_like(before.in_bag)
            trees = before.trees.pruned(rows, everywhere, self.min_leaf or MIN_LEAF)
            synthetic = Leaves.learn(trees, alone, rows).draw(len(rows), rng)
        return _Forest.grow(rows, synthetic, self.n_trees, self.n_jobs, int_seed(child(stream, 0)))

    def _choose(
        self, rows: np.ndarray, blocks: list[Block], forest: _Forest, rng: np.random.Generator
    ) -> None:
        """Choose ``min_leaf`` and each column's smoothing by out-of-bag likelihood."""
        scored = np.sort(rng.permutation(len(rows))[:MAX_SCORED])
        few = forest.first(MAX_SCORED_TREES)
        if few.in_bag[scored].all():
            return
        smoothing = self.smoothing_
        for min_leaf in MIN_LEAVES if self.min_leaf is None else (self.min_leaf,):
            out_of_bag = _OutOfBag(few, min_leaf, rows, blocks, scored)
            smoothing, score = out_of_bag.climb(smoothing)
            if self.score_ is None or score > self.score_:
                self.min_leaf_, self.smoothing_, self.score_ = min_leaf, smoothing, score

    def log_likelihood(self, table: Frame) -> np.ndarray:
        """Return the log-probability of each row's cells (n,), in nats, under the law of draws.

        A number's cell is its interval (:class:`~tabseed.coding.encode.Layout`), so that models
        that share an encoder can be compared. SchemaError for values that the encoder does not
        know.
        """
        with one_thread():
            return self._log_probability(self.encoder_.transform(Table.from_frame(table)))

    def _log_probability(self, x: np.ndarray) -> np.ndarray:
        rows = _positions(self.encoder_.layout_, x)
        return self.leaves_.log_probability(rows, self.trees_.apply(rows))

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return self._drawn(n, {}, rng)

    def _sample_near(self, n: int, conditions: Conditions, rng: np.random.Generator) -> np.ndarray:
        return self._drawn(n, conditions.allowed, rng)

    def _drawn(
        self, n: int, allowed: dict[int, np.ndarray], rng: np.random.Generator
    ) -> np.ndarray:
        """Draw rows whose free blocks, by index, have only allowed cells, (K,) bool."""
        layout = self.encoder_.layout_
        free = [j for j, block in enumerate(layout.blocks) if block.parent < 0]
        at_position = {
            free.index(j): mask[np.argsort(cell_positions(layout.blocks[j]))]
            for j, mask in allowed.items()
        }
        positions = self.leaves_.draw(n, rng, at_position)
        cells = {
            j: np.argsort(cell_positions(layout.blocks[j]))[column]
            for j, column in zip(free, positions.T, strict=True)
        }
        return layout.from_cells(layout.all_cells(cells), rng)

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        plain = {
            "accuracy": list(self.accuracy_),
            "min_leaf": self.min_leaf_,
            "smoothing": [list(pair) for pair in self.smoothing_],
            "score": self.score_,
        }
        trees = {f"trees.{f.name}": getattr(self.trees_, f.name) for f in fields(Trees)}
        return plain, {"rows": self.leaves_.rows, **trees}

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        blocks = self.encoder_.layout_.free
        sizes = np.array([block.n_cells for block in blocks])
        rows = stored(arrays, "rows", "i", (None, len(blocks)))
        if not len(rows) or (rows < 0).any() or (rows >= sizes).any():
            raise ValueError("rows at positions that do not exist")
        nodes = under("trees.", arrays)
        self.trees_ = Trees(**{f.name: stored(nodes, f.name, "i", (None,)) for f in fields(Trees)})
        self.trees_.check(sizes)
        self.smoothing_ = tuple((float(h), float(s)) for h, s in state["smoothing"])
        if not all(0 <= h < LARGEST and 0 <= s < LARGEST for h, s in self.smoothing_):
            raise ValueError("smoothing out of range")
        self.accuracy_ = tuple(float(a) for a in state["accuracy"])
        self.min_leaf_ = int(state["min_leaf"])
        self.score_ = None if state["score"] is None else float(state["score"])
        self.leaves_ = Leaves.learn(self.trees_, _axes(blocks, rows, self.smoothing_), rows)

    def summary(self) -> list[str]:
        """Return a few lines that say what was learned."""
        per_tree = len(self.trees_.leaf_nodes) / len(self.trees_.roots)
        score = "" if self.score_ is None else f", out-of-bag {self.score_:.3f} nats a row"
        rounds = ", ".join(f"{accuracy:.3f}" for accuracy in self.accuracy_)
        return [
            f"real against synthetic rows, out-of-bag accuracy by round: {rounds}",
            f"{per_tree:.1f} leaves in each tree, of {self.min_leaf_} or more rows{score}",
            *super().summary(),
        ]


@dataclass(frozen=True)
class _Forest:
    """A forest that tells real rows from synthetic ones, and which real rows each tree saw."""

    trees: Trees
    in_bag: np.ndarray  # (n, T)
    accuracy: float  # out-of-bag

    @classmethod
    def grow(
        cls, rows: np.ndarray, synthetic: np.ndarray, n_trees: int, n_jobs: int | None, seed: int
    ) -> Self:
        forest = RandomForestClassifier(
            n_trees,
            min_samples_leaf=min(MIN_LEAVES),
            oob_score=True,
            n_jobs=n_jobs,
            random_state=seed,
        )
        real = np.repeat([True, False], [len(rows), len(synthetic)])
        with warnings.catch_warnings():  # few rows or trees: some rows are in every bag
            warnings.simplefilter("ignore", UserWarning)
            forest.fit(np.concatenate([rows, synthetic]), real)
        in_bag = np.zeros((len(real), n_trees), dtype=bool)
        for tree, sampled in enumerate(forest.estimators_samples_):
            in_bag[sampled, tree] = True
        nodes = [estimator.tree_ for estimator in forest.estimators_]
        roots = np.cumsum([0, *(tree.node_count for tree in nodes[:-1])])
        left, right = (
            np.concatenate([np.where(c >= 0, c + r, -1) for c, r in zip(side, roots, strict=True)])
            for side in ([t.children_left for t in nodes], [t.children_right for t in nodes])
        )
        inner = left >= 0
        feature = np.where(inner, np.concatenate([t.feature for t in nodes]), 0)
        threshold = np.where(inner, np.floor(np.concatenate([t.threshold for t in nodes])), 0)
        trees = Trees(roots, feature, threshold.astype(np.int64), left, right)
        return cls(trees, in_bag[: len(rows)], float(forest.oob_score_))

    def first(self, n_trees: int) -> _Forest:
        """Return the forest with its first trees only."""
        trees = replace(self.trees, roots=self.trees.roots[:n_trees])
        return replace(self, trees=trees, in_bag=self.in_bag[:, :n_trees])


class _OutOfBag:
    """Rows in the leaves of trees that did not learn from them: P pairs of row and tree."""

    def __init__(
        self,
        forest: _Forest,
        min_leaf: int,
        rows: np.ndarray,
        blocks: list[Block],
        scored: np.ndarray,
    ) -> None:
        trees = forest.trees.pruned(rows, forest.in_bag, min_leaf)
        row, tree = np.nonzero(~forest.in_bag[scored])
        self.rows, self.blocks = rows, blocks
        self.leaves = Leaves.learn(
            trees, _axes(blocks, rows, ((0.0, 0.0),) * len(blocks)), rows, forest.in_bag
        )
        leaf = trees.apply(rows[scored])[row, tree]
        self.used, self.slot = np.unique(leaf, return_inverse=True)
        self.at = rows[scored][row]  # (P, d)
        self.sizes = self.leaves.sizes[leaf]
        self.log_weight = np.log(self.sizes / forest.in_bag.sum(axis=0)[tree])
        self.starts = np.flatnonzero(np.diff(row, prepend=-1))
        self.counts = np.diff(self.starts, append=len(row))
        self._sums: dict[tuple[int, float | None], np.ndarray] = {}

    def score(self, smoothing: Smoothing) -> float:
        """Return the mean log-likelihood of the rows, each under the trees that did not see it."""
        return self._mean(self._log_pairs(smoothing))

    def climb(self, smoothing: Smoothing) -> tuple[Smoothing, float]:
        """Improve bandwidth and prior of one column after another; return them and their score."""
        chosen, best = list(smoothing), self.score(smoothing)
        for _ in range(SWEEPS):
            previous, pairs = best, self._log_pairs(tuple(chosen))
            for column, block in enumerate(self.blocks):
                others = pairs - np.log(self._probability(column, chosen[column]))
                peak = np.maximum.reduceat(others, self.starts)
                share = np.exp(others - np.repeat(peak, self.counts))
                widths = BANDWIDTHS if block.ordered else (0.0,)
                scores = {
                    (h, s): np.log(
                        np.add.reduceat(share * self._probability(column, (h, s)), self.starts)
                    ).mean()
                    for h in widths
                    for s in PRIORS
                }
                chosen[column] = max(scores, key=scores.__getitem__)
                pairs = others + np.log(self._probability(column, chosen[column]))
            best = self._mean(pairs)
            if best - previous < 1e-3:
                break
        return tuple(chosen), best

    def _log_pairs(self, smoothing: Smoothing) -> np.ndarray:
        logs = (np.log(self._probability(j, pair)) for j, pair in enumerate(smoothing))
        return np.asarray(sum(logs, start=self.log_weight))

    def _mean(self, pairs: np.ndarray) -> float:
        return float((np.logaddexp.reduceat(pairs, self.starts) - np.log(self.counts)).mean())

    def _probability(self, column: int, smoothing: tuple[float, float]) -> np.ndarray:
        """Return the probability of each row's position in its leaf, (P,)."""
        bandwidth, prior = smoothing
        spread, margin = self._sum(column, bandwidth), self._sum(column, None)
        return np.asarray((spread + prior * margin) / (self.sizes + prior))

    def _sum(self, column: int, bandwidth: float | None) -> np.ndarray:
        """Return the summed kernels (P,) at each row's position; without a bandwidth the margin."""
        if (column, bandwidth) not in self._sums:
            sums = np.empty(len(self.slot))
            axis = None
            if bandwidth is not None:
                axis = Axis.learn(self.blocks[column], self.rows[:, column], bandwidth, 0.0)
            for part in parts(len(self.used), self.blocks[column].n_cells):
                here = (self.slot >= part[0]) & (self.slot <= part[-1])
                if axis is None:
                    table = self.leaves.margin(column, self.used[part])
                else:
                    table = self.leaves.spread(column, self.used[part], axis)
                sums[here] = table[self.slot[here] - part[0], self.at[here, column]]
            self._sums[column, bandwidth] = sums
        return self._sums[column, bandwidth]


def _positions(layout: Layout, x: np.ndarray) -> np.ndarray:
    """Return encoded rows (n, w) as positions of the free columns, (n, d)."""
    pairs = zip(layout.blocks, layout.cells(x), strict=True)
    columns = [cell_positions(block)[cell] for block, cell in pairs if block.parent < 0]
    return np.column_stack(columns).astype(np.int32)


def _axes(blocks: list[Block], rows: np.ndarray, smoothing: Smoothing) -> list[Axis]:
    columns = zip(blocks, rows.T, smoothing, strict=True)
    return [Axis.learn(block, column, *pair) for block, column, pair in columns]
