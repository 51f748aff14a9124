"""Rows under rare conditions: as often as the law says, from every generator that can."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.errors import SchemaError
from tabseed.generators.importance import by_importance, effective

N = 400


def people(seed: int = 0) -> ts.Table:
    """Return age, income, place and illness, which hang together; one place is rare."""
    rng = np.random.default_rng([77, seed])
    z = rng.normal(size=N)
    place = np.array(["town", "village", "island"])[np.digitize(z + rng.normal(size=N), [1.0, 2.9])]
    ill = rng.random(N) < np.where(z > 1, 0.25, 0.02)
    return ts.Table.from_frame(
        pa.table(
            {
                "age": np.round(50 + 12 * z + 5 * rng.normal(size=N)),
                "income": np.where(rng.random(N) < 0.1, np.nan, np.round(np.exp(0.5 * z) * 30, 1)),
                "place": place,
                "ill": np.where(ill, "yes", "no"),
            }
        )
    )


MODELS = {
    "trees": lambda: ts.SequentialTrees(random_state=0),
    "copula": lambda: ts.GaussianCopula(random_state=0),
    "arf": lambda: ts.AdversarialForest(n_trees=30, random_state=0),
    "vaebgm": lambda: ts.VAEBGM(n_seeds=2, training=ts.Training(steps=400), random_state=0),
    "tvae": lambda: ts.TVAE(n_seeds=2, training=ts.Training(steps=400), random_state=0),
    "ctgan": lambda: ts.CTGAN(n_seeds=2, training=ts.Training(steps=200), random_state=0),
    "smote": lambda: ts.SMOTE(random_state=0),
    "smote by vote": lambda: ts.SMOTE(categories="vote", random_state=0),
    "two-stage": lambda: ts.FeatureResponse(ts.GaussianCopula(), "linear", random_state=0),
    "resample": lambda: ts.Resample(random_state=0),
}
NETWORKS = ("vaebgm", "tvae", "ctgan")
ASKED = {"ill": "yes", "place": ["village", "island"], "age": (55, None)}


@pytest.mark.parametrize("name", MODELS)
def test_rows_near_a_condition_have_the_law_that_rejection_gives(name: str) -> None:
    """Means and shares of 4,000 rows by importance beside those of 60,000 rows that were rejected.

    Within 6 standard errors, where a row taken by importance counts half: a false alarm for the 50
    numbers below 1e-6.
    """
    pytest.importorskip("torch") if name in NETWORKS else None
    model = MODELS[name]().fit(people())
    near = model.draw(4_000, conditions=ASKED, random_state=1)
    everything = model.draw(60_000, random_state=2)
    place = np.isin(np.array(everything.values("place")), ASKED["place"])
    keep = place & (np.array(everything.values("ill")) == "yes") & (everything.numbers("age") >= 55)
    kept = everything.take(np.flatnonzero(keep))
    assert len(kept) > 150
    for column in ("age", "income"):
        one, other = near.numbers(column), kept.numbers(column)
        for f in (np.isnan, lambda v: np.nan_to_num(v, nan=30.0)):
            a, b = f(one).astype(float), f(other).astype(float)
            error = (a.var() / 2_000 + b.var() / len(b)) ** 0.5
            assert abs(a.mean() - b.mean()) <= 6 * error + 1e-9, column
    a, b = (np.mean(np.array(t.values("place")) == "island") for t in (near, kept))
    p = (len(near) * a + len(kept) * b) / (len(near) + len(kept))
    assert abs(a - b) <= 6 * (p * (1 - p) * (1 / 2_000 + 1 / len(kept))) ** 0.5 + 1e-9


@pytest.mark.parametrize("name", ["trees", "copula", "arf", "two-stage", *NETWORKS])
def test_a_row_in_ten_thousand_is_drawn(name: str) -> None:
    """Rejection would give up at one row in 200."""
    pytest.importorskip("torch") if name in NETWORKS else None
    model = MODELS[name]().fit(people())
    rare = {"ill": "yes", "place": "island", "income": None, "age": (None, 60)}
    drawn = model.draw(300, conditions=rare, random_state=0)
    assert len(drawn) == 300 and np.isnan(drawn.numbers("income")).all()
    assert set(drawn.values("place")) == {"island"} and drawn.numbers("age").max() <= 60


def test_what_no_row_has_is_refused_by_all() -> None:
    for name in ("trees", "copula", "resample"):
        with pytest.raises(SchemaError):
            MODELS[name]().fit(people()).draw(5, conditions={"age": (500, None)})


def test_rows_are_taken_by_their_weights() -> None:
    """A value of weight 3 comes three times as often, whatever the order of rows: 5 sd of 0.004."""
    rng = np.random.default_rng(0)

    def draw(m: int) -> tuple[np.ndarray, np.ndarray]:
        value = np.arange(m) % 2
        return value, np.where(value == 1, 3.0, 1.0)

    batches, rows = by_importance(draw, 4_000, rng)
    assert rows is not None and len(rows) == 4_000
    assert abs(np.concatenate(batches)[rows].mean() - 0.75) < 0.02
    nothing, none = by_importance(lambda m: (np.arange(m), np.zeros(m)), 10, rng)
    assert none is None and len(nothing) == 20
    assert effective(np.ones(7)) == pytest.approx(7) and effective(np.eye(5)[0]) == 1
    assert effective(np.zeros(3)) == 0
