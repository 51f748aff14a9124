"""What learning from synthetic rows costs: nothing for the same rows, all for shuffled ones."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tabseed.errors import SchemaError
from tabseed.metrics.usefulness import Cost, costs_of_use
from tabseed.table import Table


def rows(n: int, seed: int, shuffled: bool = False) -> pa.Table:
    rng = np.random.default_rng([6, seed])
    x = rng.normal(size=(n, 2))
    y = 3 * x[:, 0] - x[:, 1] + 0.3 * rng.normal(size=n)
    kind = np.where(y > 0, "high", "low")
    if shuffled:
        y, kind = rng.permutation(y), rng.permutation(kind)
    return pa.table({"x": x[:, 0], "w": x[:, 1], "y": y, "kind": kind})


def cost(synthetic: pa.Table, target: str) -> Cost:
    real = Table.from_frame(rows(120, 0))
    fake, held = (Table.from_frame(t, schema=real.schema) for t in (synthetic, rows(80, 1)))
    return costs_of_use(real, [fake], held, target, np.random.SeedSequence(0))[0]


@pytest.mark.slow
def test_the_same_rows_cost_nothing_and_shuffled_labels_all() -> None:
    """By hand: without a relation R2 is about 0 and AUC about 1/2; with it both are near 1."""
    for target, unit, most in (("y", "R2", 0.8), ("kind", "AUC", 0.3)):
        same = cost(rows(120, 0), target)
        assert same.cost.value == 0 and same.cost.unit == unit
        assert "lose or gain nothing reliably" in same.verdict
        torn = cost(rows(120, 2, shuffled=True), target)
        assert torn.cost.low > most and " lose " in torn.verdict


def test_a_target_that_cannot_be_learned_is_refused() -> None:
    gaps = rows(120, 2).to_pandas()
    gaps.loc[3, "y"] = np.nan
    with pytest.raises(SchemaError, match=r"synthetic table: .*'y'"):
        cost(pa.Table.from_pandas(gaps, preserve_index=False), "y")
