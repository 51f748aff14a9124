"""Keys and levels: the measures of Raab, Nowok and Dibben, counted row by row."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import permutations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import mutual_info_score

from tabseed.privacy.keys import (
    ABSENT,
    SEVERAL,
    Disclosive,
    Levels,
    Uniques,
    combined,
    information,
    only_level,
    shuffled_share,
)
from tabseed.table import Table


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return combinations of keys and sensitive levels (n,)."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 12, n), rng.integers(1, 4, n)


def levels_of(codes: list[np.ndarray]) -> Levels:
    column = Table.from_frame(pa.table({"t": ["a", "b"] * 9})).schema["t"]
    return Levels(column, tuple(codes), None, ("missing", "a", "b", "c"))


@pytest.mark.parametrize("seed", range(5))
def test_the_measures_are_those_of_the_paper_counted_row_by_row(seed: int) -> None:
    (q, t), (sq, st) = rows(40, seed), rows(25, 100 + seed)
    d, s = Counter(q.tolist()), Counter(sq.tolist())
    assert Uniques.of(q, sq) == Uniques(
        n=40,
        n_unique=sum(d[k] == 1 for k in q),
        n_synthetic=25,
        n_synthetic_unique=sum(s[k] == 1 for k in sq),
        n_present=sum(d[k] == 1 and s[k] > 0 for k in q),
        n_replicated=sum(d[k] == 1 and s[k] == 1 for k in q),
    )
    said = {k: {v for a, v in zip(sq, st, strict=True) if a == k} for k in q}
    true = {k: {v for a, v in zip(q, t, strict=True) if a == k} for k in q}
    correct = np.array([said[k] == {v} for k, v in zip(q, t, strict=True)])
    both = Counter(zip(q.tolist(), t.tolist(), strict=True))
    found = Disclosive.of(levels_of([t, t[:0], st]), [q, q[:0], sq], correct, many=3)
    assert found.n_disclosive == sum(len(true[k]) == 1 for k in q)
    assert found.n_present == sum(len(said[k]) > 0 for k in q)
    assert found.n_in_synthetic == sum(len(said[k]) == 1 for k in q)
    assert found.n_correct == correct.sum() > 0
    assert found.n_both == sum(c and len(true[k]) == 1 for c, k in zip(correct, q, strict=True))
    assert found.n_common == sum(
        c and both[k, v] > 3 for c, k, v in zip(correct, q.tolist(), t.tolist(), strict=True)
    )
    most = Counter(t[correct].tolist()).most_common(1)[0][1]
    assert found.n_level == most and found.level in ("'a'", "'b'", "'c'")
    level = {"'a'": 1, "'b'": 2, "'c'": 3}[found.level]
    assert found.n_of_level == (t == level).sum() and (t[correct] == level).sum() == most


def test_shuffled_cells_tell_what_all_their_orders_tell_on_average() -> None:
    keys, levels = np.array([0, 0, 1, 2, 2, 2]), np.array([1, 1, 1, 2, 2, 3])
    at, true = np.array([0, 1, 2, 3, 0, 1]), np.array([1, 2, 1, 1, 2, 4])
    told = [
        np.mean(only_level(keys, np.array(order), 4)[at] == true) for order in permutations(levels)
    ]
    assert shuffled_share(keys, levels, at, true) == pytest.approx(np.mean(told), abs=1e-12)


def test_one_level_several_or_none() -> None:
    found = only_level(np.array([0, 0, 1, 1, 3]), np.array([2, 2, 1, 0, 0]), 5)
    assert found.tolist() == [2, SEVERAL, ABSENT, 0, ABSENT]


def test_bins_do_not_depend_on_which_rows_trained_the_generator() -> None:
    """Nor on the synthetic rows, which only fall into them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=90).round(1)
    x[rng.random(90) < 0.2] = np.nan
    whole = Table.from_frame(pa.table({"x": pa.array(x, from_pandas=True)}))
    synthetic = whole.take(rng.integers(0, 90, 50))
    found = []
    for _ in range(3):
        order = rng.permutation(90)
        parts = whole.take(order[:30]), whole.take(order[30:]), synthetic
        levels = Levels.of(parts, "x", 6, None)
        codes = np.empty(90, dtype=int)
        codes[order] = np.concatenate(levels.codes[:2])
        found.append((codes.tolist(), levels.codes[2].tolist(), levels.cuts.tolist()))
    assert found[0] == found[1] == found[2]
    codes = np.array(found[0][0])
    assert ((codes == 0) == np.isnan(x)).all() and set(codes) == set(range(7))
    sizes = np.bincount(codes)[1:]
    assert sizes.min() > 5 and sizes.max() < 25  # of some 12, with ties of one decimal
    assert all(x[codes == k].max() < x[codes == k + 1].min() for k in range(1, 6))


def test_few_numbers_are_each_a_bin_and_cuts_are_kept() -> None:
    table = Table.from_frame(
        pa.table(
            {
                "n": [1.5, 2.5, 4.0, None] * 9,
                "day": [datetime(2020, m, 1) for m in range(1, 13)] * 3,
            }
        )
    )
    near = Table.from_frame(
        pa.table({"n": [1.0, 1.9, 2.6, 9.0]}),
        schema=table.select(type(table.schema)((table.schema["n"],))).schema,
    )
    levels = Levels.of([table, table, near], "n", 10, None)
    assert levels.codes[0][:4].tolist() == [1, 2, 3, 0]
    assert levels.codes[2].tolist() == [1, 1, 2, 3]
    assert [levels.name(code) for code in range(4)] == [
        "missing", "below 2", "2 to 3.25", "3.25 or more",
    ]  # fmt: skip
    given = Levels.of([table, table], "n", 10, np.array([2.5]))
    assert given.codes[0][:4].tolist() == [1, 2, 2, 0]
    days = Levels.of([table, table], "day", 3, None)
    assert days.name(2) == "2020-05-01 to 2020-09-01"


def test_combinations_are_equal_where_all_columns_are() -> None:
    rng = np.random.default_rng(1)
    columns = [[rng.integers(0, 3, n) for n in (20, 15, 30)] for _ in range(3)]
    found = np.concatenate(combined([levels_of(codes) for codes in columns]))
    joined = list(zip(*(np.concatenate(codes).tolist() for codes in columns), strict=True))
    for i in range(65):
        assert [joined[i] == other for other in joined] == (found[i] == found).tolist()


def test_information_is_scikit_learns_less_its_bias() -> None:
    rng = np.random.default_rng(2)
    one = rng.integers(0, 4, 300)
    other = np.where(rng.random(300) < 0.4, one, rng.integers(2, 7, 300))
    bias = 3 * (len(np.unique(other)) - 1) / 600
    assert information(one, other) == pytest.approx(mutual_info_score(one, other) - bias, abs=1e-12)
    free = [information(rng.integers(0, 4, 300), rng.integers(0, 5, 300)) for _ in range(200)]
    # its mean is 0; 200 draws with a standard deviation of about 0.008
    assert abs(np.mean(free)) < 0.0025
