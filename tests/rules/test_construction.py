"""Rules kept by construction: the way back is exact, and torn inner columns keep every rule."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.errors import SchemaError
from tabseed.rules.columns import columns_of
from tabseed.rules.construction import Construction
from tabseed.rules.meaning import check_kept, read_rules
from tabseed.table.schema import NUMERIC
from tabseed.testing.tables import BUILT, CHECKED, RULED_KINDS, ruled_table

N = 80


TABLE = ts.Table.from_frame(ruled_table(N), kinds=RULED_KINDS)


def construction(*texts: str) -> tuple[Construction, tuple]:
    rules = read_rules(texts, TABLE)
    check_kept(rules, TABLE, "table")
    return Construction.of(rules, TABLE, TABLE.schema.modelled), rules


def torn(arrays: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """Draw each inner column by itself, so that nothing but the steps keeps a rule."""
    rng = np.random.default_rng(seed)
    return {name: rng.choice(cells, 400) for name, cells in arrays.items()}


@pytest.mark.parametrize(
    "texts", [*((text,) for text in BUILT), BUILT, (*BUILT, *CHECKED)], ids=len
)
def test_the_way_back_is_exact(texts) -> None:
    built, _ = construction(*texts)
    back = built.restore(built.reduce(TABLE).arrays)
    for name, cells in columns_of(TABLE, TABLE.schema.modelled).arrays.items():
        np.testing.assert_array_equal(back.arrays[name], cells, err_msg=name)
    assert built.keep(back).all()


@pytest.mark.parametrize("text", BUILT)
def test_torn_columns_keep_each_rule(text: str) -> None:
    built, (rule,) = construction(text)
    assert built.steps and not built.checked
    drawn = built.restore(torn(built.reduce(TABLE).arrays, 1))
    seen = columns_of(TABLE, TABLE.schema.modelled)
    assert not (rule.broken(drawn, seen) == 1).any()


def test_torn_columns_keep_all_rules_at_once() -> None:
    built, rules = construction(*BUILT, *CHECKED)
    assert [str(rule) for rule in built.checked] == list(CHECKED)
    drawn = built.restore(torn(built.reduce(TABLE).arrays, 2))
    seen = columns_of(TABLE, TABLE.schema.modelled)
    for rule in rules[: len(BUILT)]:
        assert not (rule.broken(drawn, seen) == 1).any(), str(rule)
    kept = built.keep(drawn)
    assert 0 < kept.sum()
    for rule in rules:
        assert not (rule.broken(drawn, seen)[kept] == 1).any(), str(rule)
    gaps = {n for n in TABLE.schema.modelled.names if TABLE.to_arrow()[n].null_count}
    for name in set(built.present):
        assert name not in gaps and not drawn.missing(name)[kept].any()


def test_without_the_steps_torn_columns_break_every_rule() -> None:
    """So the tests above can fail."""
    cells = columns_of(TABLE, TABLE.schema.modelled)
    drawn = type(cells)(cells.schema, torn(cells.arrays, 3), 400)
    for text in BUILT:
        (rule,) = read_rules([text], TABLE)
        broken = (rule.broken(drawn, cells) == 1).any()
        # a whole step and the combinations of two columns that go together survive by chance
        assert broken or text in ("dose % 0.5 = 0",), text


CHAINS = {
    # a computed from computed ones, in any order of the rules
    ("a = b + c", "b = 2 * d", "c = d - 1"): ("d",),
    ("c = d - 1", "b = 2 * d", "a = b + c"): ("d",),
    # orders in a chain, and one column above two others
    ("d <= e", "e <= f"): ("a", "b", "c", "d", "e beyond", "f beyond"),
    ("d <= f", "e <= f"): ("a", "b", "c", "d", "e", "f beyond"),
    ("d <= e <= f",): ("a", "b", "c", "d", "e beyond", "f beyond"),
}


@pytest.mark.parametrize("texts", CHAINS, ids=len)
def test_rules_that_build_on_each_other(texts) -> None:
    rng = np.random.default_rng(1)
    d = rng.integers(0, 50, N)
    e = d + rng.integers(0, 9, N)
    frame = pa.table(
        {"a": 3 * d - 1, "b": 2 * d, "c": d - 1, "d": d, "e": e, "f": e + rng.integers(0, 5, N)}
    )
    table = ts.Table.from_frame(frame, kinds=dict.fromkeys("abcdef", "integer"))
    rules = read_rules(texts, table)
    built = Construction.of(rules, table, table.schema)
    inner = built.reduce(table)
    assert set(CHAINS[texts]) <= set(inner.schema.names) and not built.checked
    back = built.restore(inner.arrays)
    assert all(np.array_equal(back.arrays[n], table.numbers(n)) for n in table.schema.names)
    drawn = built.restore(torn(inner.arrays, 4))
    for rule in rules:
        assert not (rule.broken(drawn) == 1).any(), str(rule)


def test_a_circle_of_rules_is_checked_instead() -> None:
    x = np.arange(40.0)
    frame = pa.table({"a": x, "b": x + 1, "c": x + 2})
    table = ts.Table.from_frame(frame, kinds=dict.fromkeys("abc", "continuous"))
    rules = read_rules(["a = b - 1", "b = c - 1", "c = a + 2"], table)
    built = Construction.of(rules, table, table.schema)
    assert len(built.steps) == 2 and len(built.checked) == 1
    assert all(column.kind in NUMERIC for column in built.inner)


def test_steps_are_stored_and_read_again() -> None:
    built, _ = construction(*BUILT, *CHECKED)
    state = json.loads(json.dumps(built.to_state(), allow_nan=False))
    again = Construction.from_state(state, built.schema)
    assert again.steps == built.steps and again.present == built.present
    inner = torn(built.reduce(TABLE).arrays, 5)
    for name, cells in built.restore(inner).arrays.items():
        np.testing.assert_array_equal(again.restore(inner).arrays[name], cells)


def test_combinations_that_share_a_column_are_learned_together() -> None:
    built, rules = construction("(city, zone)", "(zone, sex)")
    assert [step.makes for step in built.steps] == [("city", "zone", "sex")]
    drawn = built.restore(torn(built.reduce(TABLE).arrays, 6))
    seen = columns_of(TABLE, TABLE.schema.modelled)
    assert not any((rule.broken(drawn, seen) == 1).any() for rule in rules)


def test_no_step_undoes_another() -> None:
    """A computed column is not moved to whole steps, nor forced to a cell: rows are checked."""
    rng = np.random.default_rng(9)
    above, basement = rng.integers(50, 200, 300), rng.choice([0, 20, 45], 300)
    frame = pa.table({"living": above + basement, "above": above, "basement": basement})
    rules = ["living = above + basement", "living % 1 = 0", "basement = 45 -> living >= 95"]
    for order in (rules, rules[::-1]):
        table = ts.Table.from_frame(frame, rules=order)
        drawn = ts.SequentialTrees(n_orders=2, random_state=0).fit(table).draw(2_000)
        check_kept(read_rules(order, drawn), drawn, "drawn rows")
    sexes = pa.table({"sex": ["m", "f"] * 60, "ward": ["a", "b", "c"] * 40, "size": [1, 2] * 60})
    order = ["(sex, ward)", "sex = m -> size = 1", "size = 1 -> sex = m"]
    table = ts.Table.from_frame(sexes, rules=order, kinds={"size": "categorical"})
    drawn = ts.SequentialTrees(n_orders=2, random_state=0).fit(table).draw(500)
    check_kept(read_rules(order, drawn), drawn, "drawn rows")


def test_rules_that_say_nothing_of_rows_are_refused() -> None:
    for text in ("living = above / 0", "above % 0 = 0"):
        with pytest.raises(SchemaError, match="divides by zero"):
            read_rules([text], ts.Table.from_frame(pa.table({"living": [1, 2], "above": [1, 2]})))
    ids = pa.table({"pid": [f"p{i}" for i in range(40)], "n": list(range(20)) * 2})
    with pytest.raises(SchemaError, match="column 'pid' is id, which is left out; leave the rule"):
        ts.SequentialTrees().fit(ts.Table.from_frame(ids, rules=["unique (pid, n)"]))
