"""Rows of sequential trees under conditions: the same law as by rejection, also of rare rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts

N = 300


def table() -> ts.Table:
    rng = np.random.default_rng(5)
    z = rng.normal(size=N)
    return ts.Table.from_frame(
        pa.table(
            {
                "x": np.round(z, 2),
                "y": np.round(z + 0.5 * rng.normal(size=N), 2),
                "k": np.array(["a", "b", "c"])[
                    np.digitize(z + 0.5 * rng.normal(size=N), [-0.5, 1])
                ],
                "rare": np.where(rng.random(N) < 0.02 * (1 + 2 * (z > 0)), "yes", "no"),
            }
        )
    )


@pytest.fixture(scope="module")
def model() -> ts.SequentialTrees:
    return ts.SequentialTrees(n_orders=4, random_state=0).fit(table())


@pytest.mark.slow
@pytest.mark.parametrize(
    "conditions", [{"rare": "yes"}, {"y": (0.5, 1.5), "k": ["a", "b"]}], ids=str
)
def test_the_law_is_that_of_rejection(model, conditions) -> None:
    """Means of 8,000 rows, within 5 standard errors: of both, and of the weights."""
    whole = model.draw(150_000, random_state=1)
    keep = np.ones(len(whole), dtype=bool)
    for name, asked in conditions.items():
        if isinstance(asked, tuple):
            keep &= (whole.numbers(name) >= asked[0]) & (whole.numbers(name) <= asked[1])
        else:
            keep &= np.isin(whole.values(name), asked)
    by_rejection = whole.take(np.flatnonzero(keep))
    by_weight = model.draw(8_000, conditions=conditions, random_state=2)
    assert len(by_rejection) > 1_000
    for name in ("x", "y"):
        a, b = by_rejection.numbers(name), by_weight.numbers(name)
        error = np.sqrt(a.var() / len(a) + 2 * b.var() / len(b))
        assert abs(a.mean() - b.mean()) < 5 * error, name
    shares = [np.mean(np.array(t.values("k")) == "b") for t in (by_rejection, by_weight)]
    assert abs(shares[0] - shares[1]) < 5 * np.sqrt(0.25 / len(by_rejection) + 0.5 / 8_000)


def test_rare_rows_come_and_differ(model) -> None:
    """One row in several thousand; by rejection half a million rows would be drawn."""
    rows = model.draw(300, conditions={"x": (1.8, None), "k": "a"}, random_state=3)
    assert set(rows.values("k")) == {"a"} and min(rows.values("x")) >= 1.8
    assert len(set(zip(*(rows.values(n) for n in rows.schema.names), strict=True))) > 200
