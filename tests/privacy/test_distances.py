"""Distances to training rows against a search through all pairs."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tabseed.privacy.distances import Distances
from tabseed.privacy.targets import Targets
from tabseed.table import Table


def table(n: int, seed: int) -> pa.Table:
    rng = np.random.default_rng([21, seed])
    return pa.table(
        {"x": rng.normal(size=n), "y": rng.normal(size=n), "c": rng.choice(["a", "b"], n)}
    )


def targets(train: pa.Table, others: pa.Table, synthetic: pa.Table) -> Targets:
    schema = Table.from_frame(train).schema
    tables = tuple(Table.from_frame(t, schema=schema) for t in (train, others, synthetic))
    return Targets.of(tables, 1_000, np.random.SeedSequence(0))


def test_they_are_those_of_a_search_through_all_pairs() -> None:
    train, others, synthetic = table(30, 0), table(20, 1), table(40, 2)
    found = Distances.of(targets(train, others, synthetic))
    pool = {k: np.array(train[k].to_pylist() + others[k].to_pylist()) for k in "xy"}
    spread = {
        k: min(np.subtract(*np.quantile(v, [0.75, 0.25])) / 1.349, v.std()) for k, v in pool.items()
    }

    def distances(rows, to):
        return np.array([sorted(
            np.sqrt(sum(((a[k] - b[k]) / spread[k]) ** 2 for k in "xy") + (a["c"] != b["c"]))
            for b in to.to_pylist()
        ) for a in rows.to_pylist()])  # fmt: skip

    near, far = distances(synthetic, train), distances(synthetic, others)
    assert found.median == pytest.approx(np.median(near[:, 0]))
    assert found.low == pytest.approx(np.quantile(near[:, 0], 0.05))
    assert found.ratio == pytest.approx(np.median(near[:, 0] / near[:, 1]))
    assert found.share == pytest.approx(np.mean(near[:, 0] < far[:, 0]))
    assert found.natural == 0.6
    held_out = distances(others, train)
    assert found.median_others == pytest.approx(np.median(held_out[:, 0]))
    assert found.ratio_others == pytest.approx(np.median(held_out[:, 0] / held_out[:, 1]))


def test_copies_lie_on_training_rows() -> None:
    train = table(30, 0)
    found = Distances.of(targets(train, table(20, 1), train))
    assert found.median == found.low == found.ratio == 0 and found.share == 1.0
    twice = pa.concat_tables([train, train])
    assert Distances.of(targets(twice, table(20, 1), train)).ratio == 1.0  # 0 over 0
