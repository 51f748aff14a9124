"""Leaving rows out one by one: the gain by hand, values that one row alone brings."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed._progress import silent
from tabseed.errors import TabseedError
from tabseed.privacy.left_out import in_words, leave_one_out
from tabseed.privacy.likelihood import Likelihood

STREAM = np.random.SeedSequence(3)


def numbers(n: int, seed: int) -> ts.Table:
    rng = np.random.default_rng([21, seed])
    frame = pa.table({"x": rng.normal(size=n), "y": rng.normal(size=n)})
    return ts.Table.from_frame(frame, kinds={"x": "continuous", "y": "continuous"})


def points(table: ts.Table) -> np.ndarray:
    return np.column_stack([table.numbers("x"), table.numbers("y")])


def by_mean(table: ts.Table, stream: np.random.SeedSequence) -> Likelihood:
    """A normal law with the mean of the rows."""
    mean = points(table).mean(axis=0)
    return lambda asked: -0.5 * ((points(asked) - mean) ** 2).sum(axis=1)


def fixed(table: ts.Table, stream: np.random.SeedSequence) -> Likelihood:
    """A law that learns nothing."""
    return lambda asked: -0.5 * (points(asked) ** 2).sum(axis=1)


def test_the_gain_of_a_normal_law_has_a_closed_form() -> None:
    """Without x the mean moves away from it: x - m becomes n/(n - 1) (x - m)."""
    train, rows = numbers(15, 0), np.array([2, 7, 11])
    found = leave_one_out(train, rows, by_mean, STREAM, progress=silent)
    x, n = points(train), 15
    expected = 0.5 * ((x - x.mean(axis=0)) ** 2).sum(axis=1) * ((n / (n - 1)) ** 2 - 1)
    assert {row.row: row.gain for row in found} == pytest.approx({i: expected[i] for i in rows})
    assert [row.row for row in found] == sorted(rows, key=lambda i: -expected[i])
    for row in found:
        mean = np.delete(x, row.row, axis=0).mean(axis=0)
        moved = np.abs(
            [
                0.5 * ((x[i] - mean) ** 2).sum() - 0.5 * ((x[i] - x.mean(axis=0)) ** 2).sum()
                for i in rows
                if i != row.row
            ]
        )
        assert row.others == pytest.approx(np.quantile(moved, 0.95))


def test_a_law_that_learns_nothing_gains_nothing() -> None:
    found = leave_one_out(numbers(15, 1), np.arange(5), fixed, STREAM, progress=silent)
    assert all(row.gain == 0 and not row.tells for row in found)
    assert in_words(found).startswith("Of the 5 most exposed training rows, 0 became")


def test_a_value_that_one_row_alone_brings_is_only_drawn_because_of_it() -> None:
    frame = pa.table({"c": ["a"] * 9 + ["only"], "x": np.arange(10.0)})
    train = ts.Table.from_frame(frame, kinds={"c": "categorical", "x": "continuous"})

    def learn(table: ts.Table, stream: np.random.SeedSequence) -> Likelihood:
        known = set(table.values("c"))

        def log_likelihood(asked: ts.Table) -> np.ndarray:
            assert set(asked.values("c")) <= known  # others are not asked for
            return np.zeros(len(asked))

        return log_likelihood

    found = leave_one_out(train, np.array([3, 9]), learn, STREAM, progress=silent)
    assert (found[0].row, found[0].gain) == (9, math.inf) and found[1].gain == 0
    assert found[0].to_dict()["gain"] is None
    assert in_words(found).endswith("1 can be drawn only because they were, row 9 among them.")


def test_membership_leaves_the_most_exposed_rows_out() -> None:
    train, holdout, synthetic = numbers(40, 2), numbers(30, 3), numbers(60, 4)
    attack = ts.MembershipInference(permutations=99)
    result = attack.evaluate(train, synthetic, holdout, learn=by_mean)
    far = ((points(train)) ** 2).sum(axis=1)
    rows = [row.row for row in result.left_out]
    assert len(rows) == 20 and far[rows].mean() > far.mean()
    assert any("times as often" in note for note in result.notes)
    assert result.to_dict()["left_out"][0]["row"] == rows[0]
    with pytest.raises(TabseedError, match="one number"):
        attack.evaluate(train, synthetic, holdout, learn=lambda t, s: lambda a: np.zeros(1))
