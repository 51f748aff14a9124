"""Ids made anew: their form, each once, none real."""

from __future__ import annotations

import re
import uuid

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.errors import SchemaError
from tabseed.table.fresh_ids import fresh_texts, with_fresh_ids

RNG = np.random.default_rng(0)
FORMS = {
    "p-001": ([f"p-{i:03d}" for i in range(100, 400)], r"p-\d{3}"),
    "uuid": (
        [str(uuid.UUID(int=int.from_bytes(RNG.bytes(16), "big"), version=4)) for _ in range(50)],
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}",
    ),
    "numbers": ([str(i) for i in RNG.integers(10**9, 10**10, 80)], r"[1-9]\d{9}"),
    "letters": (["AB12x", "CD34y", "EF56z"], r"[A-Z]{2}\d{2}[a-z]"),
    "one": (["K7"], r"[A-Z]\d"),
}


@pytest.mark.parametrize("name", FORMS)
def test_new_ids_have_the_form_of_the_real_ones(name: str) -> None:
    known, pattern = FORMS[name]
    made = fresh_texts(known, 60, np.random.default_rng(1))
    assert len(set(made)) == 60 and not set(made) & set(known)
    assert all(re.fullmatch(pattern, text) for text in made)


def test_where_all_ids_are_taken_new_ones_are_longer() -> None:
    made = fresh_texts([f"{i}" for i in range(1, 10)], 30, np.random.default_rng(1))
    assert len(set(made)) == 30 and not set(made) & {f"{i}" for i in range(1, 10)}
    assert sum(len(text) == 1 for text in made) <= 1  # only 0 is left
    assert all(len(text) <= 3 for text in made)


def test_ids_stand_where_they_stood() -> None:
    frame = pa.table(
        {
            "x": np.arange(60.0) / 7,
            "person_id": [f"p{i:04d}" for i in range(60)],
            "k": ["a", "b", "c"] * 20,
            "visit": pa.array(np.arange(70_000, 70_060), pa.int32()),
        }
    )
    real = ts.Table.from_frame(frame, kinds={"visit": "id"})
    drawn = ts.SequentialTrees(n_orders=1, random_state=0).fit(real).draw(200)
    one, again = (with_fresh_ids(drawn, real, random_state=3) for _ in range(2))
    assert one.to_arrow().column_names == ["x", "person_id", "k", "visit"]
    assert one.to_arrow().equals(again.to_arrow())
    for name in ("person_id", "visit"):
        ids = one.values(name)
        assert len(set(ids)) == 200 and not set(ids) & set(real.values(name))
    assert one.to_arrow().schema.field("visit").type == pa.int32()
    assert one.values("x") == drawn.values("x")


def test_ids_of_another_type_are_refused() -> None:
    frame = pa.table({"id": np.arange(40.0) / 3, "x": np.arange(40.0)})
    real = ts.Table.from_frame(frame, kinds={"id": "id"})
    drawn = ts.Resample(random_state=0).fit(real).draw(5)
    with pytest.raises(SchemaError, match="cannot be made anew"):
        with_fresh_ids(drawn, real)


@pytest.mark.parametrize("real", [range(10), range(1, 101), [7]])
def test_whole_numbers_are_new_and_different_however_many(real) -> None:
    table = ts.Table.from_frame(
        pa.table({"pid": pa.array(list(real), pa.int8()), "x": [0.5] * len(real)}),
        kinds={"pid": "id"},
    )
    drawn = ts.Table.from_frame(pa.table({"x": [0.5] * 1_000}))
    made = with_fresh_ids(drawn, table, random_state=0).to_arrow()["pid"].to_pylist()
    assert len(set(made)) == 1_000 and not set(made) & set(real)
