"""Leakage: repeated rows raise, honest splits pass."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tabseed.errors import LeakageError, SchemaError
from tabseed.metrics import check_leakage
from tabseed.metrics.leakage import (
    check_unseen,
    conform,
    pooled_codes,
    row_keys,
    unknown_values,
)
from tabseed.table import Table

DATA = Path(os.environ.get("TABSEED_DATA", "data"))


def tables(*frames: object) -> list[Table]:
    first = Table.from_frame(frames[0])
    first = first.select(first.schema.modelled)
    return [first, *(Table.from_frame(f, schema=first.schema) for f in frames[1:])]


def test_row_keys_agree_with_comparing_rows() -> None:
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame(
            {
                "x": rng.choice([0.5, 1.5, np.nan], n),
                "c": rng.choice(["a", "b", None], n),
                "b": rng.choice([True, False], n),
            }
        )
        for n in (40, 30)
    ]
    left, right = row_keys(tables(*frames))
    rows = [[tuple(map(str, row)) for row in f.itertuples(index=False)] for f in frames]
    expected = [[a == b for b in rows[1]] for a in rows[0]]
    assert (left[:, None] == right[None, :]).tolist() == expected


def test_unseen_values_share_a_code_across_tables_and_differ_from_missing() -> None:
    first, *rest = tables(
        pa.table({"c": ["a", "b", "a"] * 5}),
        pa.table({"c": ["z", None, "b"]}),
        pa.table({"c": ["y", "z", "a"]}),
    )
    left, right = pooled_codes([first, *rest], "c")[1:]
    assert left[0] == right[1] and right[0] != left[0]
    assert left[1] == -1 and left[2] == 1 and right[2] == 0


@pytest.mark.parametrize("shares", [0.0, 0.1, 0.5, 1.0])
def test_leak_of_continuous_rows(shares: float) -> None:
    """Training rows among the held-out ones: 10 % of 100 and more raise, 0 % passes."""
    rng = np.random.default_rng(1)
    train, fresh = rng.normal(size=200), rng.normal(size=100)
    k = round(shares * 100)
    holdout = np.concatenate([train[:k], fresh[k:]])
    pair = tables(pa.table({"x": train}), pa.table({"x": holdout}))
    if k:
        with pytest.raises(LeakageError, match=f"{k} of 100"):
            check_leakage(*pair)
    else:
        assert check_leakage(*pair).n_equal == 0


def test_the_same_table_twice_raises_at_any_repetition() -> None:
    rng = np.random.default_rng(2)
    for values in (
        rng.normal(size=10),
        rng.integers(0, 5, 300) + 0.5,
        rng.choice(["yes", "no"], 57),
        rng.zipf(1.5, 500) + 0.5,
    ):
        pair = tables(pa.table({"x": values}), pa.table({"x": values}))
        with pytest.raises(LeakageError):
            check_leakage(*pair)


def test_a_constant_table_leaks_nothing() -> None:
    pair = tables(pa.table({"x": ["a"] * 30}), pa.table({"x": ["a"] * 30}))
    assert check_leakage(*pair).n_expected == 30


def test_honest_splits_of_repetitive_rows_pass() -> None:
    """Zipf laws repeat at every scale. The rule's false alarms are below 1e-6; 100 splits."""
    for seed in range(100):
        rng = np.random.default_rng([3, seed])
        values = rng.zipf(1.2 + rng.random(), 400) % 10_000 + 0.5
        cut = int(rng.integers(40, 360))
        overlap = check_leakage(
            *tables(pa.table({"x": values[:cut]}), pa.table({"x": values[cut:]}))
        )
        assert 0 <= overlap.n_equal <= overlap.n_holdout


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the real tables (TABSEED_DATA)")
@pytest.mark.parametrize(("name", "n"), [("intrusion", 4_000), ("adult", 4_000), ("penguins", 344)])
def test_honest_splits_of_real_tables_pass_and_leaks_do_not(name: str, n: int) -> None:
    rows = pd.read_parquet(DATA / f"{name}.parquet").sample(n, random_state=0)
    rows = rows.reset_index(drop=True)
    half = n // 2
    train, holdout = tables(rows.iloc[:half], rows.iloc[half:].reset_index(drop=True))
    overlap = check_leakage(train, holdout)
    gap = abs(overlap.n_equal - overlap.n_expected)
    assert gap <= 5 * np.sqrt(half) and (name != "intrusion" or overlap.n_equal > half / 4)
    with pytest.raises(LeakageError):
        check_leakage(train, train)


def test_a_column_without_a_known_value_is_refused() -> None:
    schema = Table.from_frame(pa.table({"c": ["a", "b"] * 10})).schema
    with pytest.raises(SchemaError) as caught:
        conform(pa.table({"c": ["A", "B"] * 10}), schema, "synthetic")
    assert str(caught.value) == (
        "synthetic table: column 'c': none of its values ('A', 'B') is among those of the training "
        "table ('a', 'b'); write both alike, or leave the column out (kind id)"
    )
    conform(pa.table({"c": ["A", None] * 10}).slice(0, 6), schema, "holdout")  # may be chance


def test_new_numbers_of_a_coded_column_are_no_other_spelling() -> None:
    schema = Table.from_frame(pa.table({"year": [2007, 2008, 2009] * 10})).schema
    assert schema["year"].coded
    later = conform(pa.table({"year": [2010, 2011] * 10}), schema, "holdout")
    assert "20 of 20 cells" in unknown_values({"holdout": later})[0]


def test_values_that_only_one_table_knows_are_said() -> None:
    schema = Table.from_frame(pa.table({"c": ["a", "b"] * 10})).schema
    table = conform(pa.table({"c": ["a", "z", "z", None] * 5}), schema, "synthetic")
    assert unknown_values({"synthetic": table}) == [
        "Column 'c': 10 of 20 cells of the synthetic table have values that the training table "
        "lacks ('z')."
    ]


def test_a_holdout_that_the_generator_has_seen_is_refused() -> None:
    rng = np.random.default_rng(0)
    x = pa.table({"a": rng.normal(size=300), "b": rng.choice(["u", "v"], 300)})
    train, holdout = Table.from_frame(x.slice(0, 200)), x.slice(200)
    holdout = Table.from_frame(holdout, schema=train.schema)
    drawn = rng.integers(0, 300, 150)  # from all rows, before they were split
    seen = Table.from_frame(x.take(pa.array(drawn)), schema=train.schema)
    hits = len(set(drawn[drawn >= 200].tolist()))
    with pytest.raises(
        LeakageError, match=f"^{hits} of 100 held-out rows equal synthetic rows but"
    ):
        check_unseen(train, seen, holdout)
    check_unseen(train, train, holdout)  # copies of training rows are another matter


def test_rows_that_repeat_by_nature_are_no_leak() -> None:
    """40 triples of one law of about 500 different rows; an alarm has probability below 1e-4."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        columns = {c: rng.choice(list("pqrstuv"), 900, p=rng.dirichlet(np.ones(7))) for c in "abc"}
        table = Table.from_frame(pa.table(columns))
        train, rest = table.split(1 / 3, random_state=seed)
        check_unseen(train, *rest.split(0.7, random_state=seed))
