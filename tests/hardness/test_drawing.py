"""The map of rows: which rows, which shapes, which numbers."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tabseed.hardness import drawing


def case(n: int, k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    labels = [f"c{min(int(v), k - 1)}" for v in rng.geometric(0.4, n) - 1]
    return rng.normal(size=(n, 2)), rng.permutation(n) + 1, np.array([""] * n), labels


def box(path: str) -> tuple[float, float]:
    """Return where the path of a circle, a square or a bar begins."""
    return tuple(map(float, re.match(r"M(-?[\d.]+) (-?[\d.]+)", path).groups()))


def test_the_hardest_rows_are_numbered_where_they_lie() -> None:
    points, rank, hint, _ = case(300, 1)
    drawn = drawing.Map.of(points, rank, hint, None)
    assert [label[0] for label in drawn.labels] == (np.argsort(rank)[:10] + 1).tolist()
    assert drawn.shown == 300 == len(drawn.dots) and drawn.classes == []
    for (row, x, _), (_, path) in zip(drawn.labels, drawn.dots[::-1], strict=False):
        left, _ = box(path)
        assert abs(x / 100 * drawing.WIDTH - left) < 7  # the circle begins a radius to the left
        low, high = np.quantile(points[:, 0], [drawing.EDGE, 1 - drawing.EDGE])
        share = np.clip((points[row - 1, 0] - low) / (high - low), 0, 1)
        assert x == pytest.approx(
            100 * (14 + share * (drawing.WIDTH - 28)) / drawing.WIDTH, abs=0.06
        )


def test_each_class_has_a_shape_and_the_rarest_share_one() -> None:
    points, rank, hint, labels = case(2_500, 9)
    drawn = drawing.Map.of(points, rank, hint, labels)
    names, paths = zip(*drawn.classes, strict=True)
    assert len(set(paths)) == drawing.SHAPES == len(paths)
    assert names[-1] == f"{len(set(labels)) - drawing.SHAPES + 1} other classes"
    assert list(names[:-1]) == sorted(set(labels), key=lambda c: -labels.count(c))[:5]
    assert drawn.shown == len(drawn.dots) == drawing.DOTS
    two = drawing.Map.of(points[:50], rank[:50].argsort().argsort() + 1, hint[:50], ["u", "v"] * 25)
    assert [name for name, _ in two.classes] == ["u", "v"]


def test_the_highest_bar_is_counted() -> None:
    hardness = np.array([0.0, 0.0, 0.0, 1.0, 2.0])
    assert drawing.highest(hardness) == 3 and drawing.highest(np.ones(4)) == 4
