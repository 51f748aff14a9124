"""What a random_state may be, and that the same one gives the same numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed._random import child, seed_sequence
from tabseed.errors import TabseedError

TABLE = pa.table({"x": np.arange(40) / 7, "c": ["a", "b"] * 20})
STATES = {
    "int": lambda: 3,
    "numpy": lambda: np.int64(3),
    "long": lambda: 2**200 + 1,
    "generator": lambda: np.random.default_rng(3),
    "legacy": lambda: np.random.RandomState(3),
    "sequence": lambda: np.random.SeedSequence(np.int64(3)),
}


@pytest.mark.parametrize("make", STATES.values(), ids=STATES)
def test_any_random_state_decides_the_rows_also_from_a_file(make, tmp_path) -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, other = (ts.SMOTE(random_state=make()).fit(TABLE) for _ in range(2))
    rows = one.sample(20)
    assert rows == other.sample(20) == one.sample(20)
    assert one.sample(20, random_state=make()) == other.sample(20, random_state=make())
    one.save(tmp_path / "m.tabseed")
    assert ts.load(tmp_path / "m.tabseed").sample(20) == rows
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_generators_and_random_states_advance_and_the_others_do_not() -> None:
    for name, make in STATES.items():
        state = make()
        first, second = (seed_sequence(state).generate_state(4).tolist() for _ in range(2))
        assert (first == second) == (name in ("int", "numpy", "long", "sequence"))
        assert seed_sequence(make()).generate_state(4).tolist() == first


def test_a_random_state_of_numpy_gives_all_its_bits() -> None:
    """Eight words of its own stream: seeds from neighbouring states share none of them."""
    state = np.random.RandomState(0)
    words = np.random.RandomState(0).randint(0, 2**32, size=16, dtype=np.uint32)
    assert seed_sequence(state).entropy == words[:8].tolist()
    assert seed_sequence(state).entropy == words[8:].tolist()


def test_none_is_fresh_entropy() -> None:
    assert seed_sequence(None).entropy != seed_sequence(None).entropy


@pytest.mark.parametrize(
    "state",
    [-1, np.int64(-1), 1.0, 1.5, "a", "3", True, [1, 2], (), float("nan"), object, np.random],
    ids=str,
)
def test_anything_else_is_refused_in_one_line(state) -> None:
    for call in (
        lambda: seed_sequence(state),
        lambda: ts.Resample(random_state=state).fit(TABLE),
        lambda: ts.Resample().fit(TABLE).sample(3, random_state=state),
        lambda: ts.Table.from_frame(TABLE).split(0.5, random_state=state),
    ):
        with pytest.raises(TabseedError, match=r"random_state=.* is not a whole number") as error:
            call()
        assert "\n" not in str(error.value)


def test_children_have_addresses() -> None:
    parent = seed_sequence(3)
    assert child(parent, 1, 2).spawn_key == (1, 2)
    assert child(child(parent, 1), 2).generate_state(2).tolist() == (
        child(parent, 1, 2).generate_state(2).tolist()
    )
