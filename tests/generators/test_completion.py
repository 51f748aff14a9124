"""Rows completed: given cells stay, the others follow the conditional law, nothing is missing."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import tabseed as ts
from tabseed.errors import SchemaError, TabseedError
from tabseed.generators.completion import complete

N = 1_500


def correlated(n: int = N, seed: int = 0) -> pa.Table:
    """y = 0.8 x + noise; k says whether x is positive, mostly; m follows k."""
    rng = np.random.default_rng([41, seed])
    x = rng.normal(size=n)
    y = np.where(rng.random(n) < 0.1, np.nan, 0.8 * x + 0.6 * rng.normal(size=n))
    k = np.where(x + 0.7 * rng.normal(size=n) > 0, "up", "down")
    return pa.table({"x": x, "y": pa.array(y, from_pandas=True), "k": k,
                     "m": np.where(k == "up", "U", "D")})  # fmt: skip


@pytest.fixture(scope="module")
def model() -> ts.SequentialTrees:
    return ts.SequentialTrees(random_state=0).fit(correlated())


@pytest.mark.slow
def test_open_cells_follow_the_law_given_the_others(model) -> None:
    """Means given x against those of the true law; trees of 1,500 rows are some tenths off."""
    at = np.repeat([-1.5, 0.0, 1.5], 150)
    (filled,) = complete(model, pa.table({"x": at}), random_state=1)
    assert np.array_equal(filled.numbers("x"), at)
    y, up = filled.numbers("y"), np.array(filled.values("k")) == "up"
    assert not np.isnan(y).any()  # a filled cell is never missing
    assert ((np.array(filled.values("m")) == "U") == up).all()  # what follows, follows
    for x in (-1.5, 0.0, 1.5):
        assert abs(y[at == x].mean() - 0.8 * x) < 0.25
        assert abs(y[at == x].std() - 0.6) < 0.25
    assert up[at == -1.5].mean() < 0.15 and up[at == 1.5].mean() > 0.85
    assert 0.3 < up[at == 0.0].mean() < 0.7


def test_given_cells_stay_and_copies_differ(model) -> None:
    frame = correlated(40, 1)
    open_ = frame.set_column(2, "k", pa.array([None] * 20 + frame["k"].to_pylist()[20:]))
    open_ = open_.drop_columns(["m"])
    one, two = complete(model, open_, copies=2, sweeps=3, random_state=2)
    again, _ = complete(model, open_, copies=2, sweeps=3, random_state=2)
    assert one.to_arrow().equals(again.to_arrow()) and not one.to_arrow().equals(two.to_arrow())
    for table in (one, two):
        assert table.values("x") == frame["x"].to_pylist()
        assert table.values("k")[20:] == frame["k"].to_pylist()[20:]
        gaps = [v is None for v in frame["y"].to_pylist()]
        known = [v for v, gap in zip(table.values("y"), gaps, strict=True) if not gap]
        assert known == [v for v in frame["y"].to_pylist() if v is not None]
        assert table.to_arrow().column_names == ["x", "y", "k", "m"]


def test_a_cell_that_follows_decides_about_its_leader(model) -> None:
    """m is given and k is not: k must be the one that m follows."""
    frame = pa.table({"x": np.zeros(30), "m": ["U", "D"] * 15})
    (filled,) = complete(model, frame, sweeps=3, random_state=3)
    assert filled.values("m") == ["U", "D"] * 15
    assert filled.values("k") == ["up", "down"] * 15


def test_what_cannot_be_completed_is_refused(model) -> None:
    with pytest.raises(TabseedError, match="has no likelihood"):
        complete(ts.SMOTE(random_state=0).fit(correlated(60)), pa.table({"x": [0.0]}))
    with pytest.raises(SchemaError, match="none of the columns"):
        complete(model, pa.table({"z": [0.0]}))
    with pytest.raises(SchemaError, match="row 2: the generator has not learned 'left'"):
        complete(model, pa.table({"x": [0.0, 0.0], "k": ["up", "left"]}))


def ruled_rows(n: int = 400, seed: int = 0) -> pa.Table:
    """Houses: living = above + basement, built <= renovated, (city, region), no pool in a flat."""
    rng = np.random.default_rng([43, seed])
    above = rng.integers(50, 200, n)
    basement = np.where(rng.random(n) < 0.5, 0, rng.integers(10, 80, n))
    built = rng.integers(1900, 2000, n)
    city = rng.choice(["Bern", "Thun", "Genf"], n)
    flat = rng.random(n) < 0.4
    return pa.table({
        "living": above + basement, "above": above, "basement": basement,
        "built": built, "renovated": built + rng.integers(0, 25, n),
        "city": city, "region": np.where(city == "Genf", "west", "centre"),
        "kind": np.where(flat, "flat", "house"),
        "pool": np.where(flat, "no", rng.choice(["yes", "no"], n)),
        "wealth": np.round(above * 2 + rng.normal(0, 20, n)),
    })  # fmt: skip


RULES = (
    "living = above + basement", "built <= renovated", "(city, region)",
    "kind = flat -> pool = no", "wealth <= 3 * living",
)  # fmt: skip


@pytest.fixture(scope="module")
def ruled() -> ts.SequentialTrees:
    frame = ruled_rows()
    rows = frame.filter(pc.less_equal(frame["wealth"], pc.multiply(frame["living"], 3)))
    table = ts.Table.from_frame(rows, rules=RULES)
    return ts.SequentialTrees(n_orders=3, random_state=0).fit(table)


GIVEN: dict[str, dict[str, list]] = {
    "what a rule computes": {"living": [150, 90]},
    "that and a part": {"living": [150, 90], "above": [150, 70]},
    "the parts": {"above": [150, 70], "basement": [0, 20]},
    "the upper end": {"renovated": [1950, 1903]},
    "one of a combination": {"region": ["west", "centre"]},
    "what a condition forces": {"pool": ["yes", "no"]},
    "what is checked": {"wealth": [390.0, 300.0]},
    "nothing of the first row": {"living": [None, 90], "city": [None, "Genf"]},
}


@pytest.mark.parametrize("name", GIVEN)
def test_completed_rows_keep_the_rules_and_what_is_given(ruled, name) -> None:
    """Each of 20 completions of two rows, by every way in which a rule leaves cells open."""
    given = pa.table(GIVEN[name])
    for filled in complete(ruled, given, copies=20, sweeps=3, random_state=4):
        rows = filled.to_arrow().to_pylist()
        for row, known in zip(rows, given.to_pylist(), strict=True):
            assert {k: row[k] for k, v in known.items() if v is not None} == {
                k: v for k, v in known.items() if v is not None
            }
            assert None not in row.values()
            assert row["living"] == row["above"] + row["basement"]
            assert row["built"] <= row["renovated"] and row["wealth"] <= 3 * row["living"]
            assert (row["region"] == "west") == (row["city"] == "Genf")
            assert row["kind"] == "house" or row["pool"] == "no"


def test_a_part_follows_the_law_given_the_sum(ruled) -> None:
    """Half the houses have no basement: of 120 m2, by the rows with 120 as living area."""
    filled = complete(ruled, pa.table({"living": [120] * 300}), random_state=5)[0]
    none = np.mean(np.array(filled.values("basement")) == 0)
    frame = ruled_rows(200_000, 1)  # the law itself
    true = np.mean(frame["basement"].to_numpy()[frame["living"].to_numpy() == 120] == 0)
    assert abs(none - true) < 0.15


def test_rows_that_rules_leave_nothing_for_are_refused_by_row(ruled) -> None:
    cases = {
        "row 2 (kind: 'flat', pool: 'yes')": {"kind": ["flat", "flat"], "pool": ["no", "yes"]},
        "column 'basement', row 1: by rule": {"living": [100], "above": [180]},
        "row 1: the generator has learned no row with": {"city": ["Bern"], "region": ["west"]},
        "row 2: no cells were found that agree": {"above": [150, 60], "wealth": [300.0, 480.0]},
    }
    for says, cells in cases.items():
        with pytest.raises(SchemaError, match=re.escape(says)):
            complete(ruled, pa.table(cells))


def test_levels_that_are_numbers_follow_from_sums() -> None:
    """basement is coded: a part follows as a level, and a sum that no level gives is refused."""
    rng = np.random.default_rng(44)
    above, basement = rng.integers(50, 200, 300), rng.choice([0, 20, 45], 300)
    frame = pa.table({"living": above + basement, "above": above, "basement": basement})
    table = ts.Table.from_frame(frame, kinds={"basement": "ordinal"})
    model = ts.SequentialTrees(n_orders=2, random_state=0).fit(table)
    (filled,) = complete(model, pa.table({"living": [120, 120], "above": [100, 75]}), sweeps=2)
    assert [int(v) for v in filled.values("basement")] == [20, 45]
    (filled,) = complete(model, pa.table({"living": [120] * 20}), sweeps=2)
    parts = [int(v) for v in filled.values("basement")]
    assert set(parts) <= {0, 20, 45} and len(set(parts)) > 1
    assert all(a + b == 120 for a, b in zip(filled.values("above"), parts, strict=True))
    with pytest.raises(
        SchemaError, match=r"row 1: by rule .* it would be 10, .* learned 0, 20, 45"
    ):
        complete(model, pa.table({"living": [110], "above": [100]}))


def test_cells_that_a_state_decides_are_filled_or_stay_missing() -> None:
    """died is missing exactly where status is alive: also where a whole table is so."""
    rng = np.random.default_rng(45)
    dead = rng.random(300) < 0.4
    died = np.where(dead, np.round(rng.normal(60, 10, 300)), np.nan)
    frame = pa.table({"status": np.where(dead, "dead", "alive"),
                      "died": pa.array(died, from_pandas=True),
                      "age": rng.integers(20, 90, 300)})  # fmt: skip
    table = ts.Table.from_frame(frame, rules=["status = alive <-> died missing"])
    model = ts.SequentialTrees(n_orders=3, random_state=0).fit(table)
    (alive,) = complete(model, pa.table({"status": ["alive"] * 5}), sweeps=2)
    assert alive.values("died") == [None] * 5 and None not in alive.values("age")
    (dead_rows,) = complete(model, pa.table({"status": ["dead"] * 5}), sweeps=2)
    assert None not in dead_rows.values("died")
    (known,) = complete(model, pa.table({"died": [61.0, 70.0]}), sweeps=2)
    assert known.values("status") == ["dead", "dead"]
    (free,) = complete(model, pa.table({"age": [50] * 400}), sweeps=3, random_state=1)
    gone = np.array([v is None for v in free.values("died")])
    assert (gone == (np.array(free.values("status")) == "alive")).all()
    assert abs(gone.mean() - 0.6) < 0.12  # as in the law: standard error 0.025, trees' own 0.03
    with pytest.raises(SchemaError, match=r"row 1 .* breaks the rule"):
        complete(model, pa.table({"status": ["alive"], "died": [61.0]}))


def test_columns_that_were_not_learned_stay_and_no_cell_is_rounded(model) -> None:
    frame = pa.table({"key": ["a1", "b2"], "x": [0.25, -0.5], "note": ["-", "-"]})
    (filled,) = complete(model, frame, sweeps=1)
    arrow = filled.to_arrow()
    assert arrow.column_names == ["key", "x", "note", "y", "k", "m"]
    assert arrow["key"].to_pylist() == ["a1", "b2"] and arrow["x"].to_pylist() == [0.25, -0.5]
    numbers = pa.table({"n": np.random.default_rng(3).integers(0, 90, 60), "z": [1.5, 2.5] * 30})
    whole = ts.SequentialTrees(n_orders=1).fit(numbers)
    with pytest.raises(SchemaError, match=r"column 'n', row 2: the generator has not learned 3\.5"):
        complete(whole, pa.table({"n": [3.0, 3.5]}))
