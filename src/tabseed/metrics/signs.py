"""Signs by which the rows of two tables differ, looked for without knowing which row is whose.

Notation: N pooled rows of p columns, R reference rows; w (N, P) label vectors, 1/n where a row
counts as real and -1/m where not. A sign is made of numbers of each row f (N, .), which give
(f'w)^2, or of which rows are neighbours, A (N, N), which gives w'Aw: one matrix product for all P.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.ensemble import ExtraTreesClassifier

from tabseed.metrics.judge_encoder import JudgeEncoder, JudgeInputs, merge_close
from tabseed.metrics.leakage import pooled_codes
from tabseed.rules.patterns import Pattern
from tabseed.table import Table
from tabseed.table.schema import NUMERIC

BINS = 40  # of a number on its own
FEW = 4  # levels of each of two columns together
MOST_LEVELS = 20  # of a category on its own; the rarest share the last
NEIGHBOURS = 7
NEAREST = 5  # reference rows to which a row's distance is taken
CONTEXT = 0.2  # of the median distance: rows nearer than that in all other columns are alike
CLOSE = 0.1  # difference of ranks within which two numbers are alike
FLOOR = 0.02  # likelihood that no cell falls below: one odd cell is not everything
FEW_DISTINCT = 20  # numbers with fewer values are like categories: all their values repeat
TREES, LEAF, SHUFFLES = 60, 3, 2  # of the forest; rows in a leaf, and shuffled rows per row
SAME = 1e-9  # distances that differ by less are equal


@dataclass(frozen=True)
class Sign:
    """What one sign says of all label vectors: ``values`` (P,), larger where tables differ more.

    It is made of ``parts`` (k, P), each standardised, with ``names`` if these are of columns or
    of rules.
    """

    kind: str
    values: np.ndarray
    names: tuple[str, ...]
    parts: np.ndarray
    nearer: bool = False
    """Of "near": whether synthetic rows lie nearer than real ones."""


@dataclass(frozen=True)
class Pooled:
    """The pooled rows of two tables, in an order that does not depend on whose they are.

    ``cells`` (N, p): ranks in [0, 1] of numbers, codes of categories, -1/2 where missing;
    ``discrete`` (p,): which columns are categories. ``reference`` (R, p): rows to learn from what
    usually goes with what, coded alike; ``own`` (N,): the index of each row among them, -1 if
    absent. ``inputs``: as a discriminator sees the rows. ``repeats`` (N, p): how often the exact
    number occurs in all rows, 0 for categories.
    """

    names: tuple[str, ...]
    cells: np.ndarray
    discrete: np.ndarray
    reference: np.ndarray
    own: np.ndarray
    inputs: JudgeInputs
    repeats: np.ndarray
    broken: np.ndarray
    rules: tuple[Pattern, ...]

    @classmethod
    def of(
        cls,
        tables: tuple[Table, Table],
        train: Table | None,
        rules: Sequence[Pattern],
        most: int,
        rng: np.random.Generator,
    ) -> tuple[Pooled, np.ndarray]:
        """Return the pooled rows, and which of them are the first table's (N,).

        The reference is ``train``, or the pooled rows themselves; at most ``most`` rows of it.
        """
        first, second = tables
        inputs = JudgeEncoder().encode(first, second)
        n_pooled = len(first) + len(second)
        order = np.lexsort(inputs.trees.T[::-1])
        tables_read = [first, second] if train is None else [first, second, train]
        columns = [coded(tables_read, column.name) for column in first.schema]
        cells, repeats, discrete = (np.array(part) for part in zip(*columns, strict=True))
        pooled = cells.T[:n_pooled][order]
        size = n_pooled if train is None else len(train)
        chosen = np.sort(rng.permutation(size)[:most])
        own = np.full(n_pooled, -1)
        if train is None:
            own[chosen] = np.arange(len(chosen))
        flags = [np.concatenate([rule.broken(t) for t in tables]) for rule in rules]
        return cls(
            names=tuple(column.name for column in first.schema),
            cells=pooled,
            discrete=discrete,
            reference=pooled[chosen] if train is None else cells.T[n_pooled:][chosen],
            own=own,
            inputs=JudgeInputs(inputs.trees[order], inputs.categorical, inputs.mlp[order]),
            repeats=repeats.T[:n_pooled][order],
            broken=np.nan_to_num(np.reshape(flags, (len(rules), n_pooled)).T[order]),
            rules=tuple(rules),
        ), order < len(first)

    def signs(self, w: np.ndarray, rng: np.random.Generator) -> Iterator[Sign]:
        """Yield all signs for label vectors w (N, P)."""
        yield from _alone(self, w)
        yield from _linear("repeats", np.log1p(self.repeats), self.names, w)
        yield from _linear("rule", self.broken, [rule.text for rule in self.rules], w)
        to_reference = distances(self.cells, self.reference, self.discrete)
        to_reference[np.flatnonzero(self.own >= 0), self.own[self.own >= 0]] = np.inf
        yield from _linear("usual", self._usual(to_reference), self.names, w)
        nearest = np.sort(to_reference, axis=1)[:, :NEAREST].mean(axis=1)
        place = _ranks(nearest)
        for sign in _linear("near", place[:, None], (), w):
            yield replace(sign, nearer=bool(place @ w[:, 0] > 0))
        yield from self._leaves(w, rng)
        yield from _neighbours(cdist(self.inputs.mlp, self.inputs.mlp), w)

    def partner(self, name: str, w: np.ndarray) -> str | None:
        """Return the column whose cells together with those of ``name`` differ most, if any."""
        codes = [_bins(x, d, FEW) for x, d in zip(self.cells.T, self.discrete, strict=True)]
        mine = codes[self.names.index(name)]
        others = [other for other in self.names if other != name]
        if not others:
            return None
        pairs = [mine * FEW + codes[self.names.index(other)] for other in others]
        z = standardised(np.array([_chi_square(_indicators(pair), w) for pair in pairs]))
        return others[int(z[:, 0].argmax())]

    def _leaves(self, w: np.ndarray, rng: np.random.Generator) -> Iterator[Sign]:
        """Compare how many rows fall into each leaf, by chi-square over all trees.

        The trees tell the reference rows from rows whose columns are shuffled apart (Breiman's
        unsupervised forest), so their leaves are where columns go together.
        """
        known = self.reference
        apart = [rng.permuted(known, axis=0) for _ in range(SHUFFLES)]
        forest = ExtraTreesClassifier(
            TREES,
            min_samples_leaf=LEAF,
            class_weight="balanced",
            random_state=int(rng.integers(2**31)),
        )
        forest.fit(
            np.concatenate([known, *apart]), np.arange((1 + SHUFFLES) * len(known)) < len(known)
        )
        leaves = forest.apply(self.cells)
        leaves += np.arange(TREES) * (leaves.max() + 1)
        rows = np.repeat(np.arange(len(leaves)), TREES)
        index = np.unique(leaves, return_inverse=True)[1].ravel()
        hot = csr_matrix((np.ones(len(rows)), (rows, index)))
        count = np.asarray(hot.sum(axis=0)).ravel()
        yield from _of_parts("leaves", [((hot.T @ w) ** 2 / count[:, None]).sum(axis=0)], ())

    def _usual(self, distances: np.ndarray) -> np.ndarray:
        """Return how usual each cell is beside the row's other cells, (N, p) log likelihoods.

        log sum_i v_i k(x_j, r_ij), with weights v_i of the reference rows r_i by their likeness in
        all columns but j, and k of the two cells: a pseudo-likelihood by kernels (Besag 1975).
        """
        width = CONTEXT * float(np.median(distances)) or 1.0
        usual = np.empty(self.cells.shape)
        for j in range(len(self.names)):
            column = _column_distance(self.cells[:, j], self.reference[:, j], self.discrete[j])
            others = distances - column
            v = np.exp((others.min(axis=1, keepdims=True) - others) / width)
            k = column == 0 if self.discrete[j] else np.exp(-column / CLOSE)
            usual[:, j] = np.log((v * k).sum(axis=1) / v.sum(axis=1) + FLOOR)
        return usual


def coded(tables: list[Table], name: str) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return all cells of a column as ranks or codes, how often each number occurs, its kind."""
    column = tables[0].schema[name]
    if not (column.kind in NUMERIC or column.coded):
        codes = np.concatenate(pooled_codes(tables, name)).astype(float)
        return codes, np.zeros(len(codes)), True
    numbers = np.concatenate(merge_close([t.numbers(name) for t in tables]))
    present = ~np.isnan(numbers)
    ranks, repeats = np.full(len(numbers), -0.5), np.zeros(len(numbers))
    levels, codes, counts = np.unique(numbers[present], return_inverse=True, return_counts=True)
    if len(levels):
        ranks[present] = ((np.cumsum(counts) - counts / 2) / len(codes))[codes]
    if len(levels) >= FEW_DISTINCT:
        repeats[present] = counts[codes]
    return ranks, repeats, False


def _column_distance(x: np.ndarray, y: np.ndarray, discrete: bool) -> np.ndarray:
    """Return distances of cells (N, R): 0 or 1 for categories, of ranks for numbers."""
    if discrete:
        return np.asarray(x[:, None] != y, dtype=float)
    return np.asarray(np.minimum(np.abs(x[:, None] - y), 1.0))


def distances(x: np.ndarray, y: np.ndarray, discrete: np.ndarray) -> np.ndarray:
    """Return the sums over columns of the distances of cells, (N, R) (Gower 1971, with ranks)."""
    total = np.zeros((len(x), len(y)))
    for j, kind in enumerate(discrete):
        total += _column_distance(x[:, j], y[:, j], kind)
    return total


def _ranks(x: np.ndarray) -> np.ndarray:
    levels, codes, counts = np.unique(x, return_inverse=True, return_counts=True)
    del levels
    return np.asarray(((np.cumsum(counts) - counts / 2) / len(x))[codes])


def standardised(values: np.ndarray) -> np.ndarray:
    """Return values (..., P) in standard deviations from their mean over label vectors."""
    spread = values.std(axis=-1, keepdims=True)
    centred = values - values.mean(axis=-1, keepdims=True)
    return np.asarray(np.where(spread > 0, centred / np.where(spread > 0, spread, 1.0), 0.0))


def soft_max(z: np.ndarray) -> np.ndarray:
    """Return log mean exp(z/2) over the rows of z (k, P): one large row counts, and so do many."""
    return np.asarray(logsumexp(z / 2, axis=0) - np.log(len(z)))


def _of_parts(kind: str, parts: list[np.ndarray], names: Sequence[str]) -> Iterator[Sign]:
    """Yield the soft maximum of standardised parts as a sign, nothing if none of them varies."""
    kept = [i for i, part in enumerate(parts) if part.std() > SAME * max(np.abs(part).max(), SAME)]
    if kept:
        z = standardised(np.array([parts[i] for i in kept]))
        of = tuple(names[i] for i in kept) if names else ()
        yield Sign(kind, soft_max(z), of, z)


def _linear(kind: str, f: np.ndarray, names: Sequence[str], w: np.ndarray) -> Iterator[Sign]:
    yield from _of_parts(kind, list(((f - f.mean(axis=0)).T @ w) ** 2), names)


def _bins(cells: np.ndarray, discrete: bool, most: int) -> np.ndarray:
    """Return cells as at most ``most`` levels: the commonest of a category, ranks of a number."""
    levels, codes, counts = np.unique(cells, return_inverse=True, return_counts=True)
    if len(levels) <= most:
        return np.asarray(codes)
    if discrete:
        by_count = np.argsort(np.argsort(-counts, kind="stable"), kind="stable")
        return np.asarray(np.minimum(by_count[codes], most - 1))
    return np.asarray(np.minimum((_ranks(cells) * most).astype(int), most - 1))


def _indicators(codes: np.ndarray) -> np.ndarray:
    return np.asarray(codes[:, None] == np.unique(codes), dtype=float)


def _chi_square(hot: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return chi-square of counts by indicators (N, cells) for all label vectors, (P,)."""
    return np.asarray(((hot.T @ w) ** 2 / hot.mean(axis=0)[:, None]).sum(axis=0))


def _alone(rows: Pooled, w: np.ndarray) -> Iterator[Sign]:
    """Compare each column on its own.

    Numbers by the statistic of Anderson and Darling on at most 40 bins of ranks, missing first;
    categories by chi-square, missing as a level.
    """
    parts = []
    for cells, discrete in zip(rows.cells.T, rows.discrete, strict=True):
        hot = _indicators(_bins(cells, discrete, MOST_LEVELS if discrete else BINS))
        if discrete:
            parts.append(_chi_square(hot, w))
        else:
            below = np.cumsum(hot, axis=1)[:, :-1]
            share = below.mean(axis=0)
            scale = share * (1 - share)
            parts.append(((below.T @ w) ** 2 / scale[:, None]).sum(axis=0))
    yield from _of_parts("alone", parts, rows.names)


def _neighbours(distances: np.ndarray, w: np.ndarray) -> Iterator[Sign]:
    """Count neighbours from the same table (Schilling 1986); equal distances share their places."""
    np.fill_diagonal(distances, np.inf)
    k = min(NEIGHBOURS, len(distances) - 1)
    last = np.partition(distances, k - 1, axis=1)[:, [k - 1]]
    nearer, equal = distances < last - SAME, np.abs(distances - last) <= SAME
    places = k - nearer.sum(axis=1, keepdims=True)
    a = nearer + equal * (places / equal.sum(axis=1, keepdims=True))
    yield from _of_parts("neighbours", [(w * (a @ w)).sum(axis=0)], ())
