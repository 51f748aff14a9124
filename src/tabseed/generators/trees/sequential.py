"""Trees column by column: each column is drawn from the leaf that the earlier columns lead to.

Notation: n rows, c columns, K levels of a column (see
:class:`~tabseed.generators.trees.levels.Levels`), O orders of the columns, T trees for each
column and order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from joblib import Parallel, delayed
from scipy.special import logsumexp

from tabseed._random import RandomState, child
from tabseed.archive import OF_COLUMNS, Arrays, Holds, under
from tabseed.coding.encode import Layout
from tabseed.coding.levels import pick
from tabseed.errors import TabseedError
from tabseed.generators.base import Aids, Generator
from tabseed.generators.conditions import Conditions
from tabseed.generators.importance import by_importance
from tabseed.generators.trees.forest import Forest
from tabseed.generators.trees.level_trees import FEW_PREDICTORS, Rows, Tree, levels_of
from tabseed.generators.trees.structure import (
    Structure,
    check_possible,
    known_signs,
    warn_of_contradictions,
)
from tabseed.parameters import (
    FLAG,
    MAPPING,
    N_JOBS,
    SEED,
    TEXT,
    Each,
    Parameters,
    Real,
    Whole,
    or_none,
)
from tabseed.space import Int
from tabseed.table import Frame, Table
from tabseed.table.display import counted

SHRINKAGES = (1.0, 2.0, 4.0, 8.0, 16.0)  # rows; compared by held-out likelihood
WIDTHS = (0.0, 0.7, 1.5, 3.0, 6.0)  # parts of intervals; compared likewise
FLOOR = 1e-3  # share of the margin in the scored law, so that no row is impossible
SECONDS, MOST_ORDERS = 3.0, 60  # of one core that learning may take, about; orders, at most
TREE_SECONDS, CELL_SECONDS = 1.2e-3, 4e-7  # that a tree takes: at least, and for each number
FEWER = 24  # trees of a column up to which each order has two
BAG_ROWS = 10_000  # rows that a tree learns from, at most
JUDGED_ROWS = 2_000  # rows that choose shrinkage and width, at most
ALONE = 2_000  # rows below which threads cost more time than they save
MOST_NUMBERS = 20_000_000  # of an array that drawing or asking fills at once


class SequentialTrees(Generator):
    """Draw column by column, each from the leaf of a tree grown on the columns before it.

    The idea is that of synthpop, adapted to few rows. The law is a mixture over several random
    orders of the columns, and in each order over trees grown on bootstrap samples, so no single
    split decides. A leaf is shrunk towards its ancestors (p = (counts + a p_parent) / (rows + a)).
    Numbers are drawn as levels, parts of the column's intervals, blurred by a kernel of width h
    and then spread within their level on the column's own grid. The model keeps counts only, no
    row of the table. a and h are chosen for each column by the likelihood of out-of-bag rows (of
    honest trees: of each counted row, without itself).
    Splits reduce the variance of a column's levels: of indicators of thresholds for a number (so
    the continuous ranked probability score), of one-hot levels for a category (so the Gini
    impurity). Categorical predictors are ordered along a random contrast of the predicted column.

    Parameters
    ----------
    n_orders, n_trees : int or None
        O and T; None: up to 60 and 1, as many as about three seconds allow; at least 2 and 2.
    min_leaf : int
        Fewest rows of a leaf, of those that grow the tree; half as many if half of the rows do
        (``honest``). Larger leaves draw rows further from the training rows, and less like them.
    shrinkage : float or None
        a, in rows; None: chosen for each column.
    width : float or None
        h, in quarters of an interval; None: chosen for each column.
    parents : dict of column to its parents, or None
        What is known of causes: a column with parents follows these columns alone; ``[]``: none.
        They come first in every order, with their parents, so that all others may follow them.
    order : list of columns, or None
        These come in this order, say that of time; the others anywhere.
    forbidden : dict of column to columns, or None
        By which others a column is never predicted (both ways only if both are named).
    monotone : dict of column to dict of column to 1 or -1, or None
        What is known of directions: ``{"income": {"education": 1}}``: where other columns are
        equal, the mean rank of the one rises (falls) with the other. Both are numbers, ordered
        levels or one of two levels. KnowledgeWarning if the rows contradict it beyond chance.
    proper : bool
        Draw one bootstrap sample of the rows for each order before anything is learned, so that
        different orders (and seeds) also show the uncertainty of the law itself ("proper"
        synthesis).
    honest : bool
        Half of the rows, another half for each tree, decide where it splits, the other half are
        counted in its nodes (instead of one bootstrap sample for both). Rows are drawn further from
        the training rows; on tables with strong dependences less like them. Not with ``monotone``.
    n_jobs : int or None
        Threads; the drawn rows do not depend on it.
    random_state : int, Generator, RandomState or SeedSequence of numpy, or None

    Learned: ``gains_``, by column the mean log-likelihood of out-of-bag rows less that under the
    column's margin, in nats; ``settings_``, by column (a, h).

    Cost: learning O T c trees of at most 10,000 rows; drawing O c passes down the trees.

    References: Reiter, Journal of Official Statistics 21 (2005); Nowok, Raab and Dibben,
    doi:10.18637/jss.v074.i11; Gneiting and Raftery, doi:10.1198/016214506000001437 (scores); Wager
    and Athey, doi:10.1080/01621459.2017.1319839 (honest trees).

    Examples
    --------
    >>> import numpy as np, pyarrow as pa
    >>> x = np.random.default_rng(0).normal(size=200)
    >>> model = SequentialTrees(random_state=0).fit(pa.table({"x": x, "up": x > 0}))
    >>> synthetic = model.sample(1000).to_pydict()
    >>> bool(np.mean((np.array(synthetic["x"]) > 0) == synthetic["up"]) > 0.95)
    True
    """

    holds: ClassVar[Holds] = Holds(
        False, f"shares of values in leaves of few rows, and {OF_COLUMNS}"
    )
    references: ClassVar[tuple[str, ...]] = ("doi:10.18637/jss.v074.i11",)
    parameters: ClassVar[Parameters] = {
        "n_orders": or_none(Whole(1)),
        "n_trees": or_none(Whole(1)),
        "min_leaf": Whole(1, search=Int(1, 50, log=True)),
        "shrinkage": or_none(Real(0)),
        "width": or_none(Real(0)),
        "parents": or_none(MAPPING),
        "order": or_none(Each(TEXT)),
        "forbidden": or_none(MAPPING),
        "monotone": or_none(MAPPING),
        "proper": FLAG,
        "honest": FLAG,
        "n_jobs": N_JOBS,
        "random_state": SEED,
    }

    def __init__(  # noqa: PLR0913 - settings, and what is known
        self,
        n_orders: int | None = None,
        n_trees: int | None = None,
        min_leaf: int = 5,
        shrinkage: float | None = None,
        width: float | None = None,
        proper: bool = False,
        honest: bool = False,
        n_jobs: int | None = None,
        random_state: RandomState = 0,
        *,
        parents: Mapping[str, Sequence[str]] | None = None,
        order: Sequence[str] | None = None,
        forbidden: Mapping[str, Sequence[str]] | None = None,
        monotone: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        self.n_orders = n_orders
        self.n_trees = n_trees
        self.min_leaf = min_leaf
        self.shrinkage = shrinkage
        self.width = width
        self.parents = parents
        self.order = order
        self.forbidden = forbidden
        self.monotone = monotone
        self.proper = proper
        self.honest = honest
        self.n_jobs = n_jobs
        self.random_state = random_state

    gains_: dict[str, float]
    settings_: dict[str, tuple[float, float]]
    _signs: dict[tuple[int, int], int]  # of the direction of blocks j and i
    orders_: list[list[int]]  # indices of the blocks, in the order they are drawn
    forests_: dict[int, Forest]  # by block

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        rows = Rows.of(layout, x)
        n_orders, n_trees = self._size(rows)
        self._levels = rows.levels
        known = self._structure()
        self._signs = known_signs(self.monotone or {}, self.encoder_, self.schema_)
        check_possible(self._signs, known, self.encoder_)
        if self.honest and self._signs:
            raise TabseedError(
                "directions (monotone) hold among the rows that grow a tree, and honest trees "
                "count others: take honest=False"
            )
        warn_of_contradictions(self._signs, rows)
        self.orders_ = [
            known.order(list(rows.levels), np.random.default_rng(child(stream, o)))
            for o in range(n_orders)
        ]
        judged = np.random.default_rng(child(stream, n_orders)).permutation(rows.n)
        judged = np.sort(judged[:JUDGED_ROWS])
        jobs = [
            [*known.predictors(order[:at], j), j]
            for order in self.orders_
            for at, j in enumerate(order)
        ]
        streams = [child(stream, o) for o, order in enumerate(self.orders_) for _ in order]
        work = (
            delayed(self._grow)(rows, columns, n_trees, judged, own)
            for columns, own in zip(jobs, streams, strict=True)
        )
        n_jobs = 1 if rows.n < ALONE else self.n_jobs
        grown: list[list[Tree]] = []
        scores: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {j: [] for j in rows.levels}
        results = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(work)
        for (*_, j), (trees, sums) in zip(jobs, results, strict=True):
            grown.append(trees)
            scores[j].append(sums)
            if aids.progress is not None:
                aids.progress(len(grown), len(jobs), "columns, in all orders")
        self._choose(rows, scores, judged)
        kernels = {
            j: levels.kernel(self.settings_[levels.block.name][1])
            for j, levels in rows.levels.items()
        }
        by_column: dict[int, list[Tree]] = {j: [] for j in rows.levels}
        for (*_, j), trees in zip(jobs, grown, strict=True):
            by_column[j] += trees
        self.forests_ = {
            j: Forest.join(rows.levels, self._allowed(j), trees, self._shrinkage_of(j), kernels[j])
            for j, trees in by_column.items()
        }

    def _allowed(self, j: int) -> list[list[int]]:
        """Return, for each order, the blocks that predict block j."""
        known = self._structure()
        return [known.predictors(order[: order.index(j)], j) for order in self.orders_]

    def _structure(self) -> Structure:
        """Return what was declared of causes, by the indices of blocks."""
        return Structure.of(
            self.encoder_, self.schema_, self.parents or {}, self.order or (), self.forbidden
        )

    def _shrinkage_of(self, j: int) -> float:
        return self.settings_[self._levels[j].block.name][0]

    def _size(self, rows: Rows) -> tuple[int, int]:
        """Return O and T: as many orders as moderate time allows, and at least four trees."""
        n, c = min(rows.n, BAG_ROWS), max(len(rows.levels), 1)
        each = c * (TREE_SECONDS + CELL_SECONDS * n * min(c, FEW_PREDICTORS))
        trees = max(int(np.clip(3e7 / (n * c**2), 4, 24)), int(min(SECONDS / each, MOST_ORDERS)))
        n_trees = self.n_trees or (1 if trees > FEWER else 2)
        return self.n_orders or max(2, trees // n_trees), n_trees

    @property
    def _shrinkages(self) -> tuple[float, ...]:
        return SHRINKAGES if self.shrinkage is None else (float(self.shrinkage),)

    @property
    def _widths(self) -> tuple[float, ...]:
        return WIDTHS if self.width is None else (float(self.width),)

    def _grow(
        self,
        rows: Rows,
        columns: Sequence[int],
        n_trees: int,
        judged: np.ndarray,
        stream: np.random.SeedSequence,
    ) -> tuple[list[Tree], tuple[np.ndarray, np.ndarray]]:
        """Grow the trees of the last of ``columns`` on the others.

        Returns them and, for the judged rows (m,), over the trees whose bag lacks the row: the sum
        of the probabilities of its level, for each shrinkage and width (A, H, m), and the number
        of these trees (m,).
        """
        *before, j = columns
        levels, level = rows.levels[j], rows.level[judged, j]
        # probability to move from a level to that of each judged row, (m, K, H)
        blurs = np.stack([levels.kernel(h) for h in self._widths])
        kernels = blurs[:, :, level].transpose(2, 1, 0)
        total = np.zeros((len(self._shrinkages), len(self._widths), len(judged)))
        times = np.zeros(len(judged))
        sample = np.arange(rows.n)
        if self.proper:
            sample = np.random.default_rng(child(stream, 0)).integers(0, rows.n, rows.n)
        trees = []
        for t in range(n_trees):
            own = child(stream, 1 + j, t)
            weight, counted = self._bag(sample, np.random.default_rng(own))
            tree, reached = Tree.grow(
                rows,
                before,
                j,
                weight,
                min_leaf=max(1, self.min_leaf // 2) if self.honest else self.min_leaf,
                stream=child(own, 0),
                signs=[self._signs.get((j, i), 0) for i in before],
                counted=counted,
            )
            unseen = weight == 0 if counted is None else counted > 0
            asked = np.flatnonzero(unseen[judged])
            at = judged[asked]
            times[asked] += 1
            if counted is None:
                law = tree.laws(self._shrinkages)[:, reached[at]]  # (A, asked, K)
                p = np.moveaxis(law.transpose(1, 0, 2) @ kernels[asked], 0, 2)
            else:
                p = tree.without_themselves(
                    reached[at], level[asked], counted[at], self._shrinkages, blurs
                )
            total[:, :, asked] += p
            trees.append(tree)
        return trees, (total, times)

    def _bag(
        self, sample: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the weights (n,) of the rows that grow a tree, and of those counted in it.

        A bootstrap sample does both (None), or, for honest trees, one half each.
        """
        n = len(sample)
        if not self.honest or n < 2:
            bag = rng.integers(0, n, min(n, BAG_ROWS))
            return np.bincount(sample[bag], minlength=n), None
        order, size = rng.permutation(n), min(n // 2, BAG_ROWS)
        grows, counts = order[:size], order[size:][: max(BAG_ROWS, size)]
        times = np.bincount(sample, minlength=n)
        parts = np.zeros((2, n), np.int64)
        for part, own in zip(parts, (grows, counts), strict=True):
            part[own] = times[own]
            if not part.any():  # a bootstrap sample may have none of these rows
                part[own] = 1
        return parts[0], parts[1]

    def _choose(
        self,
        rows: Rows,
        scores: dict[int, list[tuple[np.ndarray, np.ndarray]]],
        judged: np.ndarray,
    ) -> None:
        """Choose shrinkage and width of each column by the out-of-bag likelihood.

        The probability of a row's level is the mean over the trees of all orders, as in draws.
        """
        self.gains_, self.settings_ = {}, {}
        for j, sums in scores.items():
            levels, level = rows.levels[j], rows.level[:, j]
            total = sum(probabilities for probabilities, _ in sums)
            times = np.asarray(sum(counts for _, counts in sums))
            out = np.flatnonzero(times)
            name = levels.block.name
            if not len(out):  # so few rows that none is out of a bag
                self.gains_[name] = 0.0
                self.settings_[name] = (self._shrinkages[-1], self._widths[0])
                continue
            share = np.bincount(level, minlength=levels.size) / rows.n
            at = level[judged[out]]
            margin = np.stack([(share @ levels.kernel(h))[at] for h in self._widths])
            mixed = (1 - FLOOR) * np.asarray(total)[:, :, out] / times[out] + FLOOR * margin
            gain = np.log(mixed).mean(axis=2) - np.log(share[at]).mean()
            a, h = np.unravel_index(int(gain.argmax()), gain.shape)
            self.gains_[name] = float(gain[a, h])
            self.settings_[name] = (self._shrinkages[a], self._widths[h])

    # -- drawing

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        values, _ = self._weighted(n, {}, rng)
        return self.encoder_.layout_.from_free(values, rng)

    def _sample_near(self, n: int, conditions: Conditions, rng: np.random.Generator) -> np.ndarray:
        """Draw rows given the conditions by importance (Rubin's SIR).

        Each column takes its levels among those that the conditions leave, and the row is weighed
        by the probability of these, given the columns before it; rows are then chosen by weight.
        """
        allowed = {
            j: cells[levels.cell(np.arange(levels.size))]
            for j, cells in conditions.allowed.items()
            if (levels := self._levels.get(j)) is not None
        }
        batches, rows = by_importance(lambda m: self._weighted(m, allowed, rng), n, rng)
        if rows is None:
            return self._sample(n, rng)  # no tree has such rows: all will be refused
        values = {j: np.concatenate([v[j] for v in batches])[rows] for j in batches[0]}
        return self.encoder_.layout_.from_free(values, rng)

    def _weighted(
        self, n: int, allowed: dict[int, np.ndarray], rng: np.random.Generator
    ) -> tuple[dict[int, np.ndarray], np.ndarray]:
        """Draw the values of free blocks, by index, with weights (n,).

        The blocks of ``allowed`` take only some of their levels, (K,) bool; a weight is the
        probability that they would.
        """
        layout, weight = self.encoder_.layout_, np.ones(n)
        which = rng.permutation(np.arange(n) % len(self.orders_))  # equal parts, mixed
        # a block without cells has only missing values
        values = {j: np.full(n, np.nan) for j, b in enumerate(layout.blocks) if b.parent < 0}
        steps = len(self.orders_[0])
        at_once = max(1, MOST_NUMBERS * len(self.orders_) // max(1, n * steps))  # orders
        for first in range(0, len(self.orders_), at_once):
            orders = range(first, min(first + at_once, len(self.orders_)))
            mine = [np.flatnonzero(which == o) for o in orders]
            lots = [self._lots(len(own), rng) for own in mine]
            at = np.concatenate(mine)
            tree, u, inside = (np.concatenate(part) for part in zip(*lots, strict=True))
            rows = Rows.empty(layout, self._levels, len(at))
            order = np.array(self.orders_)[which[at]]  # (m, steps)
            for step in range(steps):
                for j in np.unique(order[:, step]).tolist():
                    here = np.flatnonzero(order[:, step] == j)
                    forest, levels = self.forests_[j], self._levels[j]
                    each = len(forest.roots) // len(self.orders_)
                    upto = forest.laws(rows, which[at[here]] * each + tree[here, step], here)
                    if j in allowed:
                        upto, share = _among(upto, allowed[j])
                        weight[at[here]] *= share
                    draws = levels.at(pick(upto, u[here, step]), inside[here, step])
                    # the grid may have moved a number to the next level
                    rows.put(j, levels.of(levels.block.cell_of(draws), draws), draws, here)
                    values[j][at[here]] = draws
        return values, weight

    def _lots(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what decides n rows of one order, (n, steps) each: trees, levels, values."""
        steps = len(self.orders_[0])
        tree, u, inside = np.empty((n, steps), np.int64), *np.empty((2, n, steps))
        for step, j in enumerate(self.orders_[0]):
            each = len(self.forests_[j].roots) // len(self.orders_)
            tree[:, step] = rng.integers(0, each, n)
            u[:, step], inside[:, step] = rng.random(n), rng.random(n)
        return tree, u, inside

    def log_likelihood(self, table: Frame) -> np.ndarray:
        """Return the exact log-probability of each row's cells (n,), in nats.

        log 1/O sum_o prod_j 1/T sum_t p_t(x_j | x_before). A number's cell is its interval, as in
        :meth:`~tabseed.generators.neural.base.NeuralGenerator.log_likelihood`. SchemaError for
        values that the encoder does not know; -inf for rows of probability 0.
        """
        return self._log_probability(self.encoder_.transform(Table.from_frame(table)))

    def _log_probability(self, x: np.ndarray) -> np.ndarray:
        rows, n_orders = Rows.of(self.encoder_.layout_, x), len(self.orders_)
        logs = np.zeros((n_orders, rows.n))
        size = max(1, MOST_NUMBERS // max(1, max(len(f.roots) for f in self.forests_.values())))
        for start in range(0, rows.n, size) if self.forests_ else ():
            at = np.arange(start, min(start + size, rows.n))
            for j, forest in self.forests_.items():
                trees = len(forest.roots)
                leaf = forest.leaves(rows, np.repeat(np.arange(trees), len(at)), np.tile(at, trees))
                starts = self._levels[j].cell_starts
                cell = np.tile(self._levels[j].cell(rows.level[at, j]), trees)
                p = forest.between(leaf, starts[cell], starts[cell + 1])
                p = p.reshape(n_orders, -1, len(at)).mean(axis=1)
                with np.errstate(divide="ignore"):
                    logs[:, at] += np.log(p)
        return np.asarray(logsumexp(logs, axis=0) - np.log(n_orders))

    # -- files

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        arrays: Arrays = {}
        for j, forest in self.forests_.items():
            arrays |= {f"{j}.{name}": array for name, array in forest.state().items()}
        return {"orders": self.orders_, "gains": self.gains_, "settings": self.settings_}, arrays

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        self._levels = levels = levels_of(self.encoder_.layout_)
        self.orders_ = [[int(j) for j in order] for order in state["orders"]]
        self.gains_ = {name: float(gain) for name, gain in state["gains"].items()}
        self.settings_ = {name: (float(a), float(h)) for name, (a, h) in state["settings"].items()}
        if not self.orders_ or any(sorted(order) != sorted(levels) for order in self.orders_):
            raise ValueError("an order that does not hold each column once")
        self.forests_ = {}
        for j, own in levels.items():
            allowed = self._allowed(j)
            if f"{j}.roots" in arrays:
                setting = self.settings_[own.block.name]
                forest = Forest.stored(under(f"{j}.", arrays), levels, j, *setting)
            else:  # a file of tabseed 0.1
                parts = [under(f"{o}.{j}.", arrays) for o in range(len(self.orders_))]
                forest = Forest.of_orders(parts, levels, allowed)
            forest.check(allowed, own.size)
            self.forests_[j] = forest

    def summary(self) -> list[str]:
        """Return a few lines that say what was learned."""
        roots = sum(len(forest.roots) for forest in self.forests_.values())
        trees = roots // max(1, len(self.forests_) * len(self.orders_))
        ranked = sorted(self.gains_.items(), key=lambda pair: -pair[1])
        best = ", ".join(f"{name!r} {gain:+.2f}" for name, gain in ranked[:3] if gain > 0)
        orders = f"{len(self.orders_)} orders of the columns"
        line = f"{orders}, {counted(trees, 'tree')} for each column"
        lines = [line + (f"; best predicted (nats a row): {best}" if best else "")]
        return [*lines, *super().summary()]


def _among(upto: np.ndarray, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return laws (n, K), cumulative, of the levels that are allowed, and their shares (n,)."""
    mass = np.diff(upto.astype(np.float64), axis=1, prepend=0) * allowed
    share = mass.sum(axis=1) / upto[:, -1]
    mass[share == 0] = allowed  # of weight 0, whatever is drawn
    return np.cumsum(mass, axis=1), share
