"""Shapes of tables for pictures: counts by hand, nothing of a single row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.evaluation.shapes import BINS, GRID, OTHERS, Histogram, Shapes, shapes_of
from tabseed.testing.tables import example_table


def shapes(pairs=(), **tables: pa.Table) -> Shapes:
    first, *others = tables.values()
    known = [ts.Table.from_frame(first)]
    known += [ts.Table.from_frame(t, schema=known[0].schema) for t in others]
    known = [table.select(table.schema.modelled) for table in known]
    return shapes_of(dict(zip(tables, known, strict=True)), pairs, np.random.default_rng(0))


def of(found: Shapes, name: str) -> Histogram:
    return next(h for h in found.margins if h.axis.column == name)


def test_shares_are_those_of_the_cells() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=400), rng.normal(1, 2, size=300)
    found = shapes(train=pa.table({"x": x}), synthetic=pa.table({"x": y}))
    axis = of(found, "x").axis
    assert axis.size == BINS and not axis.growing
    for name, cells in (("train", x), ("synthetic", y)):
        edges = np.array([-np.inf, *axis.edges, np.inf])
        assert of(found, name="x").shares[name] == pytest.approx(
            np.histogram(cells, edges)[0] / len(cells)
        )


def test_extremes_are_not_shown() -> None:
    """The outermost edges lie at the 1st and 99th percentile of all rows together."""
    x = np.random.default_rng(1).normal(size=500)
    x[:2] = 213.7, -99.5
    found = shapes(train=pa.table({"x": x}), synthetic=pa.table({"x": x[::-1]}))
    assert of(found, "x").axis.edges[0] == pytest.approx(np.quantile(x, 0.01))
    assert of(found, "x").axis.edges[-1] == pytest.approx(np.quantile(x, 0.99))


def test_skewed_numbers_have_growing_bins() -> None:
    x = np.exp(2 * np.random.default_rng(2).normal(size=500))
    axis = of(shapes(train=pa.table({"x": x}), synthetic=pa.table({"x": x})), "x").axis
    assert axis.growing
    assert np.diff(np.log(axis.edges)) == pytest.approx(np.log(axis.edges[1] / axis.edges[0]))


def test_levels_have_their_names_and_rare_ones_share_one() -> None:
    rng = np.random.default_rng(3)
    letters = np.array(list("abcdefghijklmnopq"))
    many = letters[np.minimum(rng.geometric(0.2, 600) - 1, 16)]
    table = pa.table(
        {
            "many": many,
            "two": pa.array(rng.choice(["u", "v"], 600), mask=rng.random(600) < 0.25),
        }
    )
    found = shapes(train=table, synthetic=table.slice(0, 300))
    many_axis = of(found, "many").axis
    assert many_axis.labels[-1] == OTHERS and many_axis.size == 12
    level = many_axis.labels[0]
    assert of(found, "many").shares["train"][0] == pytest.approx(np.mean(many == level))
    two = of(found, "two")
    assert two.axis.labels == ("u", "v")
    for name in ("train", "synthetic"):
        assert sum(two.shares[name]) + two.missing[name] == pytest.approx(1)
        assert sum(of(found, "many").shares[name]) == pytest.approx(1)
    (whole, gap) = found.patterns
    assert (whole.columns, gap.columns) == ((), ("two",))
    assert gap.shares["train"] == pytest.approx(two.missing["train"])


def test_joint_shares_add_up_to_the_margins() -> None:
    train, fake = example_table(300), example_table(200, 1)
    found = shapes(
        [("age", "level"), ("income", "born <b>")],
        train=train.drop_columns(["person_id"]),
        synthetic=fake.drop_columns(["person_id"]),
    )
    one, two = found.joints
    assert (one.x.column, one.y.column) == ("age", "level") and two.x.size == two.y.size == GRID
    level = of(found, "level")
    for name in ("train", "synthetic"):
        assert np.sum(one.shares[name], axis=0) == pytest.approx(level.shares[name])  # age is whole
        income = of(found, "income").missing[name]
        assert np.sum(two.shares[name]) == pytest.approx(1 - income)


def test_the_map_keeps_distances_of_a_line() -> None:
    """Of one number the ranks are a line; squared distances |r - s| are a curve that bends."""
    x = np.arange(40.0)
    found = shapes(train=pa.table({"x": x[::2]}), synthetic=pa.table({"x": x[1::2]}))
    places = np.empty((40, 2))
    places[::2], places[1::2] = found.points["train"], found.points["synthetic"]
    assert (np.diff(places[:, 0]) > 0).all() or (np.diff(places[:, 0]) < 0).all()
    assert 0.5 < found.explained[0] < 1 and found.explained[1] < 0.2
    # squared distances in all coordinates are |r - s| exactly: two of them fall a little short
    assert (places[0] - places[-1]) @ (places[0] - places[-1]) < 39 / 40
    apart = pa.table({"c": ["a", "b"] * 10, "x": [1.5, 2.5] * 10})
    found = shapes(train=apart, synthetic=apart.slice(3))
    assert found.explained[0] == pytest.approx(1)
    assert len(set(np.round(found.points["train"], 9)[:, 0])) == 2


def test_odd_columns_work() -> None:
    n = 30
    table = pa.table(
        {
            "x": pa.array([None] * n, pa.float64()),
            "same": [2.5] * n,
            "whole": pa.array(np.arange(n) % 4, pa.int64()),
        }
    )
    tables = {
        name: ts.Table.from_frame(
            table, kinds={"x": "continuous", "same": "continuous", "whole": "integer"}
        )
        for name in ("train", "holdout", "synthetic")
    }
    found = shapes_of(tables, [("x", "whole")], np.random.default_rng(0))
    assert of(found, "x").missing["train"] == 1 and of(found, "same").axis.size <= 2
    assert of(found, "whole").axis.labels == ("0", "1", "2", "3")
    assert np.sum(found.joints[0].shares["train"]) == 0
