"""Copies of training rows, exact and near, against brute force and natural repetition."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabseed.metrics.copies import NEAR, _spread, count_copies
from tabseed.table import Table
from tabseed.table.schema import Schema


def tables(*frames: pa.Table) -> list[Table]:
    schema: Schema | None = None
    found = []
    for frame in frames:
        found.append(Table.from_frame(frame, schema=schema))
        schema = found[0].schema
    return found


def rows(n: int, seed: int) -> pa.Table:
    rng = np.random.default_rng([3, seed])
    age = rng.integers(20, 90, n).astype(float) + rng.random(n).round(1)
    age[rng.random(n) < 0.2] = np.nan
    return pa.table({"age": age, "x": rng.normal(size=n), "sex": rng.choice(["f", "m", None], n)})


def test_the_training_rows_themselves_are_called_copies() -> None:
    copies = count_copies(*tables(rows(100, 0), rows(100, 0), rows(40, 1)))
    assert copies.n_equal == copies.n_near == 100 and copies.equal_beyond_chance
    assert copies.verdict.startswith("These synthetic rows are copies: 100 of 100 equal")


def test_jittered_copies_are_near_ones() -> None:
    near = rows(100, 0).to_pandas()
    near["x"] += 0.01
    copies = count_copies(*tables(rows(100, 0), pa.Table.from_pandas(near), rows(40, 1)))
    assert copies.n_equal == 0 and copies.n_near == 100 and copies.near_beyond_chance
    assert "nearly equal a training row" in copies.verdict


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(25, 60))
def test_near_copies_agree_with_comparing_all_pairs(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)

    def some() -> pa.Table:
        x = rng.integers(0, 12, n) / 4
        x[rng.random(n) < 0.2] = np.nan
        return pa.table({"x": x, "y": rng.normal(size=n) * 0.2, "c": rng.choice(list("ab"), n)})

    train, fake, held = tables(some(), some(), some())
    copies = count_copies(train, fake, held)

    def near(other: Table) -> int:
        hits = np.ones((len(other), len(train)), dtype=bool)
        for name in train.schema.names:
            a, b = other.cells(name)[:, None], train.cells(name)[None, :]
            if name == "c":
                hits &= a == b
            else:
                scale = NEAR * _spread(train.numbers(name))
                hits &= (np.abs(a - b) < scale) | (np.isnan(a) & np.isnan(b))
        return int(hits.any(axis=1).sum())

    assert (copies.n_near, copies.n_near_holdout) == (near(fake), near(held))


@pytest.mark.parametrize("n", [57, 300])
def test_natural_repetition_is_no_alarm(n: int) -> None:
    """Two columns of few values: most fresh rows equal a training row. 60 tables; rate 1e-4."""
    alarms = 0
    for seed in range(30):
        rng = np.random.default_rng([9, seed])
        parts = [
            pa.table({"c": rng.choice(list("abcd"), k), "x": rng.integers(0, 30, k) / 1.0})
            for k in (n, 2 * n, n // 4)
        ]
        kinds = Table.from_frame(parts[0], kinds={"x": "continuous"}).schema
        copies = count_copies(*(Table.from_frame(part, schema=kinds) for part in parts))
        alarms += bool(copies.verdict)
    assert alarms == 0


def test_odd_columns_are_compared() -> None:
    """Constants, no value at all, only categories, one far outlier."""
    frame = pa.table(
        {
            "k": np.full(30, 5.0),
            "none": pa.nulls(30, pa.float64()),
            "far": [*np.arange(29) / 7, 1e140],
            "c": ["a", "b"] * 15,
        }
    )
    kinds = {"k": "continuous", "none": "continuous"}
    table = Table.from_frame(frame, kinds=kinds)
    assert count_copies(table, table, table).n_near == 30
    only = table.select(Schema((table.schema["c"],)))
    assert count_copies(only, only, only).verdict == ""
