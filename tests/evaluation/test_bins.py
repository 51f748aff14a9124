"""Columns in bins: every row once, the same bins for all tables, no lone person in a picture."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tabseed.evaluation.bins import FEWEST, Pair, cut, missing_patterns
from tabseed.evaluation.pictures import WIDTH, Grid, Margin, Plane
from tabseed.table import Table

LEVELS = {"level": "categorical"}


def tables(*columns: dict[str, object], kinds: dict[str, str] | None = None) -> list[Table]:
    first = Table.from_frame(pa.table(columns[0]), kinds=kinds or {})
    return [first, *(Table.from_frame(pa.table(c), schema=first.schema) for c in columns[1:])]


numbers = arrays(
    np.float64,
    st.integers(1, 60),
    elements=st.one_of(
        st.floats(allow_nan=False, allow_infinity=False, width=32),
        st.integers(-3, 3).map(float),
        st.just(float("nan")),
    ),
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a table for each example
@given(numbers, numbers)
def test_each_number_is_in_the_bin_whose_ends_enclose_it(x: np.ndarray, y: np.ndarray) -> None:
    if np.isnan(x).all():
        x[0] = 1.0
    bins = cut(tables({"x": x}, {"x": y}, kinds={"x": "continuous"}), "x")
    assert bins.ends is not None and (np.diff(bins.ends) > 0).all()
    assert len(bins.labels) == len(bins.ends) - 1
    for values, cells in zip((x, y), bins.cells, strict=True):
        np.testing.assert_array_equal(cells == -1, np.isnan(values))
        ends = bins.ends.copy()
        ends[[0, -1]] = -np.inf, np.inf
        inside = ~np.isnan(values)
        assert (ends[cells[inside]] <= values[inside]).all()
        assert (values[inside] <= ends[cells[inside] + 1]).all()
    np.testing.assert_allclose(bins.shares().sum(axis=1), 1.0)


def test_bins_of_whole_numbers_hold_equally_many() -> None:
    ages = np.arange(100) % 37 + 20
    bins = cut(tables({"age": ages, "x": np.linspace(0, 1, 100)}), "age")
    assert bins.ends is not None
    assert len(set(np.diff(bins.ends))) == 1 and np.diff(bins.ends)[0] % 1 == 0


def test_bins_of_a_long_tail_grow_by_a_factor() -> None:
    x = np.exp(2 * np.random.default_rng(6).normal(size=400))
    ends = cut(tables({"x": x}), "x").ends
    assert ends is not None
    ratios = ends[1:] / ends[:-1]
    np.testing.assert_allclose(ratios, ratios[0])


def test_no_extreme_value_of_a_person_is_an_end() -> None:
    x = np.concatenate([np.random.default_rng(0).normal(50, 5, 300), [213.7]])
    bins = cut(tables({"x": x}), "x")
    assert bins.ends is not None and bins.ends.max() < 70
    assert not any("213" in label for label in bins.labels)


def test_levels_of_few_people_share_a_bin_and_none_is_left_over_alone() -> None:
    level = ["a"] * 20 + ["b"] * 10 + ["c"] * 2 + ["d"]
    bins = cut(tables({"level": level}, {"level": ["d", "a", "new"] * 2}, kinds=LEVELS), "level")
    assert bins.labels == ("a", "b", "2 other levels")
    np.testing.assert_allclose(bins.shares()[1, :3], [1 / 3, 0, 2 / 3])
    alone = cut(tables({"level": level[:-1]}, kinds=LEVELS), "level")
    assert alone.labels == ("a", "b", "c")


def test_a_column_without_a_value_can_be_drawn_alone_and_in_pairs() -> None:
    kinds = {"gone": "categorical", "k": "categorical"}
    empty = pa.array([None] * 20, pa.string())
    both = tables(
        {"gone": empty, "k": ["a", "b"] * 10}, {"gone": empty, "k": ["a", "b"] * 10}, kinds=kinds
    )
    assert "gone" in both[0].schema.modelled.names
    bins = cut(both, "gone")
    np.testing.assert_array_equal(bins.shares(), [[0, 1], [0, 1]])
    assert Margin.of(bins, both[0].schema).missing == (1.0, 1.0)
    assert Grid.of(Pair.of(both, "gone", "k")).squares == ([], [])


def test_levels_that_only_another_table_has_are_named_so() -> None:
    both = tables({"level": ["a", "b"] * 10}, {"level": ["new", "a"]}, kinds=LEVELS)
    bins = cut(both, "level")
    assert bins.labels == ("a", "b", "other levels")
    np.testing.assert_allclose(bins.shares()[1, :3], [0.5, 0, 0.5])


def test_ordered_levels_keep_their_order() -> None:
    grades = np.repeat([3, 1, 2], [30, 10, 20])
    (table,) = tables({"grade": grades, "x": np.linspace(0, 1, 60)}, kinds={"grade": "ordinal"})
    assert cut([table], "grade").labels == ("1", "2", "3")


def test_a_pair_is_a_joint_count_without_lone_real_cells() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 4, 300), rng.integers(0, 3, 300)
    a[0], b[0] = 9, 2  # a person alone in a cell
    kinds = {"a": "categorical", "b": "categorical"}
    both = tables({"a": a, "b": b}, {"a": a[:5], "b": b[:5]}, kinds=kinds)
    pair = Pair.of(both, "a", "b")
    counts = pair.shares[0] * 300
    assert ((counts == 0) | (counts >= FEWEST - 1e-9)).all()
    np.testing.assert_allclose(pair.shares[1].sum(), 1.0)
    joint = np.zeros_like(counts)
    np.add.at(joint, (pair.up.cells[0], pair.across.cells[0]), 1)
    np.testing.assert_allclose(counts, np.where(joint >= FEWEST, joint, 0))
    squares = Grid.of(pair).squares
    assert len(squares[0]) == int((counts > 0).sum())


def test_missing_patterns_add_up() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=200), rng.normal(size=200)
    x[:40] = np.nan
    y[20:50] = np.nan
    both = tables({"x": x, "y": y}, {"x": x[:50], "y": y[:50]})
    lines = missing_patterns(both)
    shares = {tuple(line["missing"]): line["shares"] for line in lines}
    assert shares[("x", "y")] == pytest.approx([0.1, 0.4])
    assert np.sum([line["shares"] for line in lines], axis=0) == pytest.approx([1.0, 1.0])
    assert missing_patterns(tables({"x": [1.0, 2.0, 3.0]})) == []


@pytest.mark.parametrize(
    "column",
    [
        [5.0] * 20,
        [3e38] * 20,
        [None] * 19 + [1.0],
        ["a"] * 20,
        [1.0, 2.0] * 10,
        list(np.linspace(1e140, 1e150, 20)),
    ],
)
@pytest.mark.filterwarnings("error")
def test_every_column_can_be_drawn(column: list[object]) -> None:
    both = tables({"c": column, "x": np.arange(20.0)}, {"c": column[-3:], "x": np.arange(3.0)})
    if "c" not in both[0].schema.modelled.names:
        pytest.skip("left out")
    margin = Margin.of(cut(both, "c"), both[0].schema)
    for path in margin.paths:
        assert "nan" not in path and "inf" not in path
    Grid.of(Pair.of(both, "c", "x"))


def test_the_outline_has_the_area_of_the_shares() -> None:
    x = np.random.default_rng(3).normal(size=500)
    (table,) = tables({"x": x})
    bins = cut([table], "x")
    (path,) = Margin.of(bins, table.schema).paths
    heights = [float(part.split("H")[0]) for part in path.split("V")[1:-1]]
    drawn = np.array([80 - h for h in heights])
    shares = bins.shares()[0, :-1]
    np.testing.assert_allclose(drawn / drawn.sum(), shares, atol=2e-3)
    assert path.startswith("M0 80") and path.endswith(f"H{WIDTH:.1f}V80z")


def test_the_map_shows_a_shift_and_is_reproducible() -> None:
    rng = np.random.default_rng(4)
    real, same, far = ({"x": rng.normal(m, 1, 200), "y": rng.normal(m, 1, 200)} for m in (0, 0, 6))
    planes = [Plane.of(tables(real, same, far), np.random.SeedSequence(1)) for _ in range(2)]
    assert planes[0] == planes[1]
    at = [
        np.mean([float(dot.split()[0]) for dot in path.split("M")[1:]]) for path in planes[0].paths
    ]
    assert abs(at[0] - at[1]) < 40 < abs(at[0] - at[2])


def test_names_and_levels_are_escaped() -> None:
    from tabseed.pages import environment

    level = ["<script>alert(1)</script>", "b"] * 20
    (table,) = tables({'<img src="x">': level}, kinds={'<img src="x">': "categorical"})
    margin = Margin.of(cut([table, table], '<img src="x">'), table.schema)
    text = (
        environment()
        .from_string('{% import "evaluation/pictures.html" as p with context %}{{ p.margin(m) }}')
        .render(m=margin, width=1, height=1)
    )
    assert "<script" not in text and "<img" not in text
