"""Blocks out of files: what fitting cannot give is refused, whatever it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tabseed.coding.encode import TableEncoder
from tabseed.coding.stored import block_from, check_parents
from tabseed.table import Table

N = 40
TABLE = pa.table(
    {
        "x": np.random.default_rng(0).normal(size=N),
        "code": [f"c{i % 4}" for i in range(N)],
        "follows": [f"f{i % 4 // 2}" for i in range(N)],
        "day": pa.array(np.arange(N, dtype=np.int32) * 7 % 50, pa.date32()),
    }
)


@pytest.fixture(scope="module")
def stored():
    encoder = TableEncoder().fit(Table.from_frame(TABLE))
    return encoder, *encoder.to_state()


def test_what_was_fitted_is_sound(stored) -> None:
    encoder, state, arrays = stored
    same = TableEncoder.from_state(state, arrays, encoder.schema_)
    assert same.dependencies_ == [("follows", "code")]
    x = encoder.transform(Table.from_frame(TABLE))
    assert same.inverse_transform(x).to_arrow().equals(encoder.inverse_transform(x).to_arrow())


ENTRIES = [
    ("missing", 1_000_000), ("missing", 1), ("missing", None), ("name", 3), ("name", "y"),
    ("numeric", False), ("numeric", 1), ("start", 1), ("start", 0.0), ("start", -1),
    ("decimals", 10**18), ("decimals", 1.0), ("decimals", -2), ("step", -1.0), ("step", 1e-300),
    ("step", "1"), ("origin", 10**400), ("scale", 0.0), ("scale", None), ("location", [1.0]),
    ("ranked", True), ("parent", 0), ("parent", 99), ("parent", 1.0), ("parent", -2), ("new", 1),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), ENTRIES)
def test_plain_values_of_another_type_or_size_are_refused(stored, field, value) -> None:
    encoder, state, arrays = stored
    entry = {**state["blocks"][0], field: value}
    state = {**state, "blocks": [entry, *state["blocks"][1:]]}
    with pytest.raises((ValueError, TypeError)):
        TableEncoder.from_state(state, arrays, encoder.schema_)


ARRAYS = {
    "no number": lambda a: np.where(np.arange(a.size).reshape(a.shape) == 0, np.nan, a),
    "infinite": lambda a: np.where(np.arange(a.size).reshape(a.shape) == 0, -np.inf, a),
    "huge": lambda a: np.where(np.arange(a.size).reshape(a.shape) == 0, 1e300, a),
    "of bits": lambda a: a.astype(bool),
    "of bytes": lambda a: a.astype(np.int8),
    "in other dimensions": lambda a: a[None],
    "of no dimension": lambda a: np.array(1.0),
    "backwards": lambda a: a[::-1].copy() if a.ndim > 1 else np.repeat(a[:1], 2),
    "of no category": lambda a: a + 0.5 if a.ndim == 1 else a[:, ::-1].copy(),
}


@pytest.mark.parametrize("name", ["block0.knots", "block1.atoms", "block2.parent_cells"])
@pytest.mark.parametrize("change", ARRAYS)
def test_arrays_that_fitting_cannot_give_are_refused(stored, name, change) -> None:
    encoder, state, arrays = stored
    with np.errstate(invalid="ignore"):
        changed = {**arrays, name: ARRAYS[change](arrays[name])}
    with pytest.raises((ValueError, TypeError)):
        TableEncoder.from_state(state, changed, encoder.schema_)


def test_a_date_beyond_all_calendars_is_refused(stored) -> None:
    encoder, state, arrays = stored
    column = encoder.schema_["day"]
    own = {k.removeprefix("block3."): v for k, v in arrays.items() if k.startswith("block3.")}
    start = state["blocks"][3]["start"]
    block_from(state["blocks"][3], own, column, start)
    first = float(own["knots"].min())
    for end in (-62_135_596_800e6, 253_402_300_799e6):  # the first and the last second
        block_from(state["blocks"][3], {**own, "atoms": np.array([first, end])}, column, start)
    for beyond in (-62_135_596_801e6, 253_402_300_800e6):
        atoms = {"atoms": np.array([first, beyond])}
        with pytest.raises(ValueError, match="'day' are not sound"):
            block_from(state["blocks"][3], {**own, **atoms}, column, start)


def test_columns_may_not_follow_each_other_in_a_ring(stored) -> None:
    _, code, follows, _ = stored[0].layout_.blocks
    both = (replace(code, parent=1, parent_cells=np.zeros(2, int)), replace(follows, parent=0))
    check_parents((code, replace(follows, parent=0)))
    with pytest.raises(ValueError, match="in no sound way"):
        check_parents(both)
