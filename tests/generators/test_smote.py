"""SMOTE against brute force: neighbours, segments, votes; missing cells, classes, few rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.coding.encode import TableEncoder
from tabseed.errors import TabseedError
from tabseed.generators.smote import SMOTE, mixed_coordinates
from tabseed.table import Table


def mixed(n: int = 40, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "x": rng.normal(size=n),
            "y": 100 * rng.exponential(size=n),
            "colour": rng.choice(["red", "green", "blue"], n),
            "size": rng.choice(["s", "l"], n),
            "class": np.where(np.arange(n) % 3 == 0, "few", "many"),
        }
    )


def nearest_by_hand(table: pa.Table, rows: list[int], i: int, k: int) -> list[int]:
    """Return the k rows nearest to row i by Chawla et al.'s formula, numbers as z-scores."""
    frame = table.to_pandas()
    z = {c: (frame[c] - frame[c].mean()) / frame[c].std(ddof=0) for c in ("x", "y")}
    med = np.median([z[c][rows].std(ddof=0) for c in z])
    far = {}
    for j in rows:
        squares = sum((z[c][i] - z[c][j]) ** 2 for c in z)
        differ = sum(frame[c][i] != frame[c][j] for c in ("colour", "size", "class"))
        far[j] = squares + differ * med**2
    return sorted((j for j in rows if j != i), key=far.__getitem__)[:k]


def indices_of(model: SMOTE, table: pa.Table) -> np.ndarray:
    """Return the index in the table of each row that the model keeps, by the value of x."""
    names = model.encoder_.schema_.names
    order = {x: i for i, x in enumerate(table["x"].to_pylist())}
    return np.array([order[x] for x in model.rows_[:, names.index("x")]])


@pytest.mark.parametrize("target", [None, "class"])
def test_neighbours_are_those_of_brute_force(target) -> None:
    table = mixed()
    model = SMOTE(4, random_state=0).fit(table, target=target)
    index, label = indices_of(model, table), table["class"].to_pylist()
    near = model._neighbours(np.arange(len(index)))
    for i, neighbours in zip(index, near, strict=True):
        rows = [j for j in range(len(label)) if target is None or label[j] == label[i]]
        assert index[neighbours].tolist() == nearest_by_hand(table, rows, i, 4)


def test_distance_of_two_rows_by_hand() -> None:
    """Med = 1; one differing level and one number missing: 1 + (x^2 + 1) where x is a z-score."""
    table = Table.from_frame(pa.table({"x": [1.0, 3.0, None, None], "c": ["a", "b", "a", "b"]}))
    encoder = TableEncoder(dependencies=False).fit(table)
    values = np.column_stack([[1.0, 3, np.nan, np.nan], [0.0, 1, 0, 1]])
    coordinates = mixed_coordinates(encoder.layout_, values)
    squared = ((coordinates[:, None] - coordinates) ** 2).sum(axis=2)
    med = np.std([-1, 1, 0, 0])  # z-scores, missing at the mean
    assert np.isclose(squared[0, 1], 4 + med**2)
    assert np.isclose(squared[0, 2], 1 + med**2)
    assert np.isclose(squared[0, 3], 1 + 2 * med**2)
    assert np.isclose(squared[2, 3], med**2) and (np.diag(squared) == 0).all()


def test_numbers_lie_between_two_rows_of_one_class() -> None:
    """Both numbers use one weight in [0, 1], from a row to one of its neighbours."""
    table = mixed()
    model = SMOTE(3, random_state=0).fit(table, target="class")
    synthetic = model.sample(300, random_state=1).to_pandas()
    index, label = indices_of(model, table), np.array(table["class"].to_pylist())
    near = index[model._neighbours(np.arange(len(index)))]
    at = np.column_stack([table["x"], table["y"]])
    start, end = at[np.repeat(index, near.shape[1])], at[near.ravel()]
    class_ = label[np.repeat(index, near.shape[1])]
    way = end - start
    for x, y, c in synthetic[["x", "y", "class"]].itertuples(index=False):
        ahead = np.array([x, y]) - start
        weight = ahead / way
        on = np.isclose(weight[:, 0], weight[:, 1], rtol=1e-9, atol=1e-9)
        assert (on & (weight[:, 0] >= 0) & (weight[:, 0] <= 1) & (class_ == c)).any()


@pytest.mark.parametrize("categories", ["vote", "frequency"])
def test_one_neighbour_gives_all_categories(categories) -> None:
    """k = 1: the categories are those of the nearest row, its numbers the segment's other end."""
    table = mixed()
    model = SMOTE(1, categories=categories, random_state=0).fit(table)
    frame, index = table.to_pandas(), indices_of(model, table)
    near = index[model._neighbours(np.arange(len(index)))[:, 0]]
    pairs = {(frame["colour"][j], frame["size"][j]): [] for j in near}
    for i, j in zip(index, near, strict=True):
        pairs[frame["colour"][j], frame["size"][j]].append(sorted([frame["x"][i], frame["x"][j]]))
    for x, colour, size in (
        model.sample(200).to_pandas()[["x", "colour", "size"]].itertuples(index=False)
    ):
        assert any(low <= x <= high for low, high in pairs[colour, size])


def test_votes_are_counted_and_ties_are_broken_at_random() -> None:
    """Majority always; a tie half and half (5 standard errors); frequency by counts."""
    model = SMOTE(4, categories="vote", random_state=0).fit(mixed())
    known = np.array([0.0, 0, 0, 1, 1, 2, np.nan, np.nan])
    rng, n = np.random.default_rng(0), 2_000

    def votes(*near: int) -> np.ndarray:
        return known[model._voters(known, np.tile(near, (n, 1)), rng)]

    assert (votes(0, 1, 3, 5) == 0).all()
    assert np.isnan(votes(6, 7, 0, 3)).all()
    assert (votes(5, -1, -1, -1) == 2).all()
    tie = votes(0, 1, 3, 4)
    assert abs((tie == 0).mean() - 0.5) < 2.5 / np.sqrt(n)
    model.set_params(categories="frequency")
    assert abs((votes(0, 1, 2, 3) == 1).mean() - 0.25) < 5 * np.sqrt(0.1875 / n)
    assert (votes(3, 4, -1, -1) == 1).all()


def test_classes_keep_their_shares_and_a_single_row_is_repeated() -> None:
    """Shares within 5 binomial standard errors; the only row of a class comes out as it is."""
    table = mixed(30)
    label = np.array(["often"] * 27 + ["rare", "rare", "once"])
    table = table.set_column(4, "class", pa.array(label))
    synthetic = SMOTE(random_state=0).fit(table, target="class").sample(6_000).to_pandas()
    for name, count in (("often", 27), ("rare", 2), ("once", 1)):
        share = count / 30
        estimate = (synthetic["class"] == name).mean()
        assert abs(estimate - share) < 5 * np.sqrt(share * (1 - share) / 6_000)
    once = synthetic[synthetic["class"] == "once"].drop_duplicates()
    assert once.to_numpy().tolist() == table.to_pandas()[-1:].to_numpy().tolist()
    low, high = sorted(table["x"].to_pylist()[27:29])
    assert synthetic["x"][synthetic["class"] == "rare"].between(low, high).all()


def test_missing_numbers_are_as_frequent_and_values_stay_whole() -> None:
    """Missing as in row i, so as often as in the table; x_i where the neighbour lacks it."""
    rng = np.random.default_rng(0)
    gone = rng.random(60) < 0.3
    x = rng.normal(size=60)
    table = pa.table({"x": pa.array(x, mask=gone), "y": rng.normal(size=60)})
    synthetic = SMOTE(random_state=0).fit(table).sample(8_000)
    share = gone.mean()
    assert abs(synthetic["x"].null_count / 8_000 - share) < 5 * np.sqrt(share * (1 - share) / 8_000)
    # one seen row among missing ones: nothing to interpolate with
    lone = pa.table({"x": pa.array([2.5] + [None] * 9, pa.float64()), "y": rng.normal(size=10)})
    values = SMOTE(random_state=0).fit(lone).sample(500)["x"].to_pylist()
    assert set(values) == {2.5, None}


def test_units_do_not_matter() -> None:
    """A column times 1,024 gives the same rows with that column times 1,024."""
    table = mixed()
    scaled = table.set_column(0, "x", pa.array(1_024 * table["x"].to_numpy()))
    one, two = (SMOTE(random_state=0).fit(t).sample(100, random_state=1) for t in (table, scaled))
    assert np.array_equal(1_024 * one["x"].to_numpy(), two["x"].to_numpy())
    assert one.drop_columns("x").equals(two.drop_columns("x"))


def test_numbers_stay_on_their_grid_and_among_few_values() -> None:
    """Steps of 5 stay steps of 5; a column of three values keeps to them."""
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "grid": 5.0 * rng.integers(0, 200, 100),
            "three": rng.choice([1.0, 10.0, 100.0], 100),
        }
    )
    synthetic = SMOTE(random_state=0).fit(table).sample(1_000)
    assert (synthetic["grid"].to_numpy() % 5 == 0).all()
    assert set(synthetic["three"].to_pylist()) == {1.0, 10.0, 100.0}


def test_two_rows_and_wide_tables() -> None:
    """N = 2: the segment between the two; 10 rows of 200 columns; more neighbours than rows."""
    two = pa.table({"x": [0.0, 1.0], "c": ["a", "b"]})
    synthetic = SMOTE(random_state=0).fit(two).sample(100).to_pandas()
    assert synthetic["x"].between(0, 1).all() and set(synthetic["c"]) == {"a", "b"}
    rng = np.random.default_rng(0)
    wide = pa.table({f"n{j}": rng.normal(size=10) for j in range(200)})
    assert SMOTE(10**9, random_state=0).fit(wide).sample(50).num_rows == 50


def test_equal_rows_are_neighbours_at_random() -> None:
    """Twelve equal rows: each has k others as neighbours, never itself."""
    table = pa.table({"c": ["a"] * 12 + ["b"] * 3, "d": ["u", "v"] * 6 + ["u"] * 3})
    model = SMOTE(3, random_state=0).fit(table)
    near = model._neighbours(np.arange(15))
    assert near.shape == (15, 3)
    assert (near != np.arange(15)[:, None]).all()
    for row in near:
        assert len(set(row)) == 3
    cells = model.rows_
    for i, row in enumerate(near):
        far = (cells[row] != cells[i]).sum(axis=1)
        others = sorted((cells[j] != cells[i]).sum() for j in range(15) if j != i)
        assert sorted(far) == others[:3]


def test_unsound_settings_and_files_are_refused() -> None:
    table = mixed()
    for bad in (0, -1, 2.5):
        with pytest.raises(TabseedError, match="n_neighbors"):
            SMOTE(bad).fit(table)
    with pytest.raises(TabseedError, match="categories"):
        SMOTE(categories="mode").fit(table)
    model = ts.SMOTE(random_state=0).fit(table, target="class")
    rows = model.rows_
    model._restore({}, {"rows": rows})
    strange, infinite = rows.copy(), rows.copy()
    strange[0, 2], infinite[0, 0] = 17, np.inf
    for broken in (rows[:, :-1], rows[:0], strange, infinite):
        with pytest.raises(ValueError, match="rows"):
            model._restore({}, {"rows": broken})
    assert any("does not protect privacy" in line for line in model.summary())
