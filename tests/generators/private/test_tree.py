"""Rows drawn from a junction tree have its law."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from tabseed.generators.private.tree import JunctionTree

SIZES = (3, 2, 4, 2)
CLIQUES = [(0, 1), (1, 2), (3,)]


def possible(sizes=SIZES) -> list[np.ndarray]:
    return [np.ones(size, bool) for size in sizes]


def tree() -> tuple[JunctionTree, np.ndarray]:
    """Return a tree and the law of all four columns, by brute force."""
    rng = np.random.default_rng(1)
    one, two, alone = (
        rng.dirichlet(np.ones(k)).reshape(s) for k, s in ((6, (3, 2)), (8, (2, 4)), (2, (2,)))
    )
    two = two / two.sum(1, keepdims=True) * one.sum(0)[:, None]  # they agree on column 1
    joint = np.einsum("ab,bc,d->abcd", one, two / one.sum(0)[:, None], alone)
    return JunctionTree(CLIQUES, [500 * one, 500 * two, 500 * alone], possible()), joint


def test_rows_have_the_joint_law() -> None:
    """Chi-square over all 48 combinations of 50,000 rows; false alarm 1 in 1,000, fixed seed."""
    law, joint = tree()
    law.check()
    codes = law.draw(50_000, np.random.default_rng(0))
    counts = np.bincount(np.ravel_multi_index(codes, SIZES), minlength=joint.size)
    assert chisquare(counts, 50_000 * joint.ravel() / joint.sum()).pvalue > 1e-3


def test_what_is_impossible_is_never_drawn_and_what_is_not_can_be() -> None:
    counts = [np.array([[50.0, 0.0], [-7.0, 0.0]])]
    law = JunctionTree([(0, 1)], counts, [np.ones(2, bool), np.array([False, True])])
    first, second = law.draw(1_000, np.random.default_rng(0))
    assert set(second) == {1} and set(first) == {0, 1}  # all weight was on the forbidden ones
    law = JunctionTree([(0,)], [np.array([10.0, 0.0, 90.0])], [np.array([True, True, False])])
    assert law.counts[0][1] > 0 and law.counts[0][2] == 0
    assert set(law.draw(1_000, np.random.default_rng(0))[0]) == {0}


def test_a_seed_decides_and_blocks_do_not_matter() -> None:
    law, _ = tree()
    one, two = (law.draw(200, np.random.default_rng(4)) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert [len(c) for c in law.draw(0, np.random.default_rng(0))] == [0] * 4


@pytest.mark.parametrize(
    "cliques", [[(0, 1), (1, 2)], [(0, 1), (2, 3), (1, 2, 3, 0)], [(0, 0), (1, 2, 3)]]
)
def test_cliques_that_are_no_junction_tree_are_refused(cliques) -> None:
    counts = [np.ones([SIZES[j] for j in clique]) for clique in cliques]
    with pytest.raises(ValueError, match="columns are n"):
        JunctionTree(cliques, counts, possible()).check()
