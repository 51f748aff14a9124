"""What is found in rows: planted rules, slips in single cells, and nothing in noise."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.rules.meaning import read_rules
from tabseed.rules.search import find_identities, find_rules, find_slips

N = 100


def noise(n: int, seed: int, columns: int = 15) -> pa.Table:
    """Columns of all kinds, each drawn by itself."""
    rng = np.random.default_rng([77, seed])
    makers = (
        lambda: np.round(rng.normal(50, 10, n), 1),
        lambda: rng.integers(0, 30, n).astype(float),
        lambda: np.round(rng.lognormal(2, 1, n), 2),
        lambda: np.where(rng.random(n) < 0.5, 0.0, np.round(rng.gamma(2, 2, n), 1)),
        lambda: rng.choice(["a", "b", "c"], n),
    )
    made = {f"x{i}": makers[i % len(makers)]() for i in range(columns)}
    for name in ("x0", "x2"):
        made[name] = pa.array(np.where(rng.random(n) < 0.2, np.nan, made[name]), from_pandas=True)
    return pa.table(made)


def planted(kind: str, seed: int) -> tuple[pa.Table, str]:
    """Noise with one rule, and its text."""
    frame = noise(N, seed, 8)
    rng = np.random.default_rng([78, seed])
    base = np.round(rng.normal(50, 10, N), 1)
    other = np.round(rng.gamma(2, 5, N), 1)
    columns = {
        "sum": ({"a": np.round(base + other, 1), "b": base, "c": other}, "a = b + c"),
        "multiple": ({"a": np.round(2.5 * base, 2), "b": base}, "a = 2.5 * b"),
        "equal": ({"a": base, "b": base}, "a = b"),
        "order": ({"a": base, "b": base + other}, "a <= b"),
        "zero": ({"a": np.where(base > 50, 0, base), "b": np.where(base > 50, 0, other + 1)},
                 "a = 0 <-> b = 0"),
        "missing": (dict(zip("ab", np.where(base > 50, np.nan, [base, other]), strict=True)),
                    "a missing <-> b missing"),
        "days": ({"a": np.datetime64("2020-01-01") + (days := rng.integers(0, 400, N)),
                  "b": np.datetime64("2020-01-01") + days + (stay := rng.integers(0, 60, N)),
                  "c": stay}, "c = b - a"),
    }[kind]  # fmt: skip
    for name, cells in columns[0].items():
        frame = frame.append_column(name, pa.array(cells, from_pandas=True))
    return frame, columns[1]


KINDS = ("sum", "multiple", "equal", "order", "zero", "missing", "days")


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_rule_is_found_and_can_be_declared(kind: str) -> None:
    found = 0
    for seed in range(10):
        frame, text = planted(kind, seed)
        table = ts.Table.from_frame(frame)
        texts = [str(pattern.statement) for pattern in find_rules(table)]
        reads_alike = {text, text.replace("a = b", "b = a") if kind == "equal" else text}
        if kind == "multiple":
            reads_alike.add("b = 0.4 * a")
        if not reads_alike.intersection(texts):
            continue
        found += 1
        rules = read_rules(texts, table)
        assert all(not (rule.broken(table) == 1).any() for rule in rules)
    assert found == 10


def test_what_is_found_shows_itself_in_a_line() -> None:
    frame, text = planted("sum", 0)
    (found,) = find_rules(frame)
    assert str(found) == f"{text}  (100 of 100 rows that could break it)"
    assert repr(found) == f"<{found}>"


def test_noise_has_no_rules() -> None:
    """Twenty tables; the false alarm of the whole search of one is 1e-6."""
    for seed in range(20):
        table = ts.Table.from_frame(noise((60, 100, 200, 500)[seed % 4], seed))
        assert find_rules(table) == () and find_slips(table) == () and find_identities(table) == ()


@pytest.mark.parametrize("kind", ["sum", "order", "zero", "missing"])
def test_a_slip_in_a_cell_is_shown_and_its_rule_not_enforced(kind: str) -> None:
    frame, text = planted(kind, 3)
    cells = frame["a"].to_pylist()
    rows = [7, 40]
    for row in rows:
        cells[row] = 999.0 if cells[row] in (None, 0.0) or kind != "missing" else None
        cells[row] = 999.0 if kind in ("sum", "order") else cells[row]
    table = ts.Table.from_frame(
        frame.set_column(frame.column_names.index("a"), "a", pa.array(cells))
    )
    slips = {str(slip.pattern.statement): slip.rows for slip in find_slips(table)}
    broken = read_rules([text], table)[0].broken(table) == 1
    assert slips[text] == tuple(np.flatnonzero(broken).tolist()) and 1 <= broken.sum() <= 2
    assert text not in [str(rule) for rule in find_identities(table)]


@pytest.mark.parametrize("shift", [-1, 0.5, 1, 2, 100])
def test_a_constant_as_small_as_the_rounding_is_part_of_the_equation(shift: float) -> None:
    rng = np.random.default_rng(7)
    a, b = rng.integers(0, 50, 150), rng.integers(0, 50, 150)
    table = ts.Table.from_frame(pa.table({"a": a, "b": b, "t": a + b + shift}))
    (rule,) = find_identities(table)
    assert not (rule.broken(table) == 1).any()
    drawn = ts.SequentialTrees(n_orders=2).fit(table).draw(500)
    a, b, t = (drawn.numbers(name) for name in "abt")
    assert np.allclose(t, a + b + shift)


def test_a_sum_is_kept_beside_a_column_that_repeats_a_part() -> None:
    """t = s + 1 and m = 2.5 a, some of m missing, do not hide s = a + b."""
    rng = np.random.default_rng(8)
    a, b = rng.integers(0, 50, 150), rng.integers(0, 50, 150)
    m = np.where(rng.random(150) < 0.15, np.nan, 2.5 * a)
    for more in ({"t": a + b + 1}, {"m": pa.array(m, from_pandas=True)}):
        table = ts.Table.from_frame(pa.table({"a": a, "b": b, "s": a + b, **more}))
        drawn = ts.SequentialTrees(n_orders=2, random_state=0).fit(table).draw(500)
        assert (drawn.numbers("s") == drawn.numbers("a") + drawn.numbers("b")).all()


def test_shares_that_add_up_are_found_but_not_kept_unasked() -> None:
    """Computed as what the others leave, a share would be below 0 in a third of the rows."""
    rng = np.random.default_rng(10)
    shares = rng.dirichlet([0.3] * 5, 200)
    table = ts.Table.from_frame(pa.table({f"s{k}": shares[:, k] for k in range(5)}))
    assert len(find_rules(table)) == 1 and find_identities(table) == ()
    drawn = ts.SequentialTrees(n_orders=2).fit(table).draw(300)
    assert all(drawn.numbers(f"s{k}").min() >= 0 for k in range(5))
    rule = str(find_rules(table)[0].statement)
    declared = ts.Table.from_frame(table, rules=[rule])
    drawn = ts.SequentialTrees(n_orders=2, random_state=0).fit(declared).draw(300)
    x = np.column_stack([drawn.numbers(f"s{k}") for k in range(5)])
    np.testing.assert_allclose(x.sum(axis=1), 1, atol=1e-6)
    assert (x >= 0).all()  # rows in which it leaves its range are drawn again
