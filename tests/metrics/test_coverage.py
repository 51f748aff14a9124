"""Precision, recall, density and coverage by brute force and by their laws under no difference."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest

from tabseed.errors import TooFewRowsError
from tabseed.metrics import Coverage
from tabseed.metrics.coverage import Neighbours


def brute_force(between: np.ndarray, real: list[int], fake: list[int], k: int) -> list[float]:
    def radius(i: int, rows: list[int]) -> float:
        return sorted(between[i, j] for j in rows if j != i)[k - 1]

    near = {(i, j): between[i, j] <= radius(i, real) + 1e-9 for i in real for j in fake}
    reach = {(i, j): between[i, j] <= radius(j, fake) + 1e-9 for i in real for j in fake}
    return [
        np.mean([any(near[i, j] for i in real) for j in fake]),
        np.mean([any(reach[i, j] for j in fake) for i in real]),
        sum(near.values()) / (k * len(fake)),
        np.mean([any(near[i, j] for j in fake) for i in real]),
    ]


def distances(x: np.ndarray) -> np.ndarray:
    between = np.abs(x[:, None] - x).sum(axis=2)
    np.fill_diagonal(between, np.inf)
    return between


@pytest.mark.parametrize("length", [4, 8, 21])  # short lists: balls end beyond many of them
@pytest.mark.parametrize("k", [1, 3])
def test_the_four_measures_by_brute_force(k: int, length: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        x = np.round(rng.normal(size=(22, 2)), 1)  # with ties
        between = distances(x)
        real, fake = np.arange(9), np.arange(9, 22)
        expected = brute_force(between, real.tolist(), fake.tolist(), k)
        near = Neighbours.of(between, length)
        assert near.measures(real, fake, k) == pytest.approx(expected)
        some = brute_force(between, real.tolist()[1:], fake.tolist()[2:], k)
        assert near.measures(real[1:], fake[2:], k) == pytest.approx(some)  # as a jackknife asks


def test_what_chance_gives_in_closed_form() -> None:
    """Over all deals of N = 9 rows to n = 4 and m = 5, k = 2, without ties.

    A row's first k of the other rows are all real with probability (n-1)(n-2)/((N-1)(N-2)), else
    it is covered; density 1 (arXiv 2002.09797, section 3.2).
    """
    near = Neighbours.of(distances(np.random.default_rng(1).normal(size=(9, 3))), 8)
    deals = [np.isin(np.arange(9), rows) for rows in combinations(range(9), 4)]
    found = np.mean([near.measures(np.where(s)[0], np.where(~s)[0], 2) for s in deals], axis=0)
    assert found[2] == pytest.approx(1)
    assert found[3] == pytest.approx(1 - 3 * 2 / (8 * 7))


def test_the_permutation_null_has_these_means() -> None:
    """60 + 90 rows of one law; the mean of 200 deals has a standard error of about 0.003.

    Sums of ranks are often equal, and equal distances count as inside, so both lie a little higher.
    """
    rng = np.random.default_rng(2)
    real, fake = (pa.table({"x": rng.normal(size=n), "y": rng.normal(size=n)}) for n in (60, 90))
    found = Coverage(k=3).evaluate(real, fake).measures.compared()
    at = np.arange(1, 4)
    covered = 1 - np.prod((60 - at) / (150 - at))
    assert covered - 0.01 < found["coverage"].by_chance < covered + 0.02
    assert 0.98 < found["density"].by_chance < 1.06


def table(n: int, seed: int) -> pa.Table:
    rng = np.random.default_rng([3, seed])
    return pa.table(
        {
            "x": pa.array(rng.normal(size=n), mask=rng.random(n) < 0.3),
            "y": rng.normal(size=n),
            "c": rng.choice(["a", "b", "c"], n),
        }
    )


def test_copies_far_rows_and_lost_regions() -> None:
    real = table(80, 0)
    copies = Coverage(permutations=0).evaluate(real, real.take(pa.array(np.arange(80)[::-1])))
    assert [one.value for one in copies.measures.compared().values()][:2] == [1.0, 1.0]
    assert copies.headline.value == 1
    far = real.set_column(1, "y", pa.array(real["y"].to_numpy() + 50)).set_column(
        2, "c", pa.array(["c"] * 80)
    )
    found = Coverage().evaluate(real, far)
    assert found.measures.compared()["coverage"].differs and found.headline.value < 0.5
    narrow = real.filter(pa.compute.less(pa.compute.abs(real["y"]), 0.5))
    lost = Coverage(k=3).evaluate(table(150, 1), pa.concat_tables([narrow] * 3))
    measured = lost.measures.compared()
    assert measured["precision"].value > 0.9 and measured["coverage"].value < 0.8
    assert measured["coverage"].differs


def test_more_neighbours_than_rows_are_refused() -> None:
    with pytest.raises(TooFewRowsError, match="9 neighbours need more than 9 rows"):
        Coverage(k=9).evaluate(table(9, 0), table(40, 1))


def test_rows_beyond_the_most_are_dropped_at_random() -> None:
    result = Coverage(max_rows=50, permutations=0).evaluate(table(90, 0), table(90, 1))
    assert (result.n_real, result.n_synthetic) == (50, 50)
    assert result.measures.compared()["density"].p is None
