"""Rows drawn from counts of overlapping sets of columns: a junction tree, from its root on.

Notation: n rows, c columns, K_j values of column j without the last code of each, which stands for
what is missing or not declared.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

FLOOR = 1e-9  # of all rows, shared by the combinations: none that is declared is impossible
MAX_CELLS = 2**26  # of all counts in a file


class JunctionTree:
    """The law of c codes whose cliques, in this order, each meet those before in one of them.

    A clique's columns that were not drawn yet are drawn given those that were, with probabilities
    in the ratio of its counts: the joint law of a decomposable model (Lauritzen, Graphical
    Models, 1996, 3.2.1). ``counts`` are arrays with an axis for each column of a clique; a
    combination that ``possible`` forbids, by column and code, is never drawn.
    """

    def __init__(
        self,
        cliques: Sequence[Sequence[int]],
        counts: Sequence[np.ndarray],
        possible: Sequence[np.ndarray],
    ) -> None:
        self.cliques = [tuple(clique) for clique in cliques]
        self.possible = list(possible)
        self.counts = [
            self._allowed(clique, count) for clique, count in zip(self.cliques, counts, strict=True)
        ]

    def _allowed(self, clique: tuple[int, ...], counts: np.ndarray) -> np.ndarray:
        """Return counts without what is negative or impossible, and nothing possible at 0."""
        shape = tuple(len(self.possible[j]) for j in clique)
        mask = np.ones(shape, dtype=bool)
        for axis, j in enumerate(clique):
            mask &= self.possible[j].reshape([-1 if a == axis else 1 for a in range(len(clique))])
        kept = np.where(mask, np.maximum(counts.reshape(shape), 0.0), 0.0)
        floor = FLOOR * max(float(kept.sum()), 1.0) / mask.sum()
        return np.asarray(np.where(mask, np.maximum(kept, floor), 0.0))

    def check(self) -> None:
        """Raise ValueError unless each column is in a clique, and each clique meets one before."""
        seen = set[int]()
        for i, clique in enumerate(self.cliques):
            shared = seen & set(clique)
            if len(set(clique)) < len(clique) or not any(
                shared <= set(before) for before in self.cliques[: max(i, 1)]
            ):
                raise ValueError("the sets of columns are no junction tree")
            seen |= set(clique)
        if seen != set(range(len(self.possible))):
            raise ValueError("the sets of columns are not those of the table")

    def draw(self, n: int, rng: np.random.Generator) -> list[np.ndarray]:
        """Draw n rows: codes (n,) of each column."""
        codes: dict[int, np.ndarray] = {}
        for clique, counts in zip(self.cliques, self.counts, strict=True):
            known = [a for a, j in enumerate(clique) if j in codes]
            fresh = [a for a, j in enumerate(clique) if j not in codes]
            if not fresh:
                continue
            sizes = [counts.shape[a] for a in fresh]
            flat = counts.transpose(known + fresh).reshape(-1, prod(sizes))
            given = np.zeros(n, dtype=np.int64)
            for a in known:
                given = given * counts.shape[a] + codes[clique[a]]
            drawn = np.unravel_index(_pick(flat, given, rng.random(n)), sizes)
            for a, code in zip(fresh, drawn, strict=True):
                codes[clique[a]] = code
        return [codes[j] for j in range(len(self.possible))]


def _pick(weights: np.ndarray, row: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Return the column (n,) on which each u in [0, 1) falls in its row of ``weights`` (r, k)."""
    upto = np.cumsum(weights, axis=1)
    upto /= upto[:, -1:].clip(min=np.finfo(float).tiny)
    # all rows in one increasing sequence: row i runs from i to i + 1
    place = np.searchsorted((upto + np.arange(len(upto))[:, None]).ravel(), row + u, side="right")
    return np.asarray((place - row * weights.shape[1]).clip(0, weights.shape[1] - 1))
