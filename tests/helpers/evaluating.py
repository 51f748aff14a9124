"""Tables of people, real or synthetic, and evaluations with few refits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest

from tabseed.evaluation import comparison
from tabseed.metrics import divergence


@contextmanager
def few_refits() -> Iterator[None]:
    """Let evaluations refit their discriminators less often than by default."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(divergence, "plan", lambda _: divergence.Plan(3, 2, 3))
        patch.setattr(comparison, "HALVES", 2)
        patch.setattr(comparison, "DRAWS", 2)
        yield


def people(n: int, seed: int) -> pa.Table:
    rng = np.random.default_rng([100, seed])
    z = rng.normal(size=n)
    age = np.round(40 + 12 * z + rng.normal(size=n), 1)
    age[rng.random(n) < 0.1] = np.nan
    return pa.table(
        {
            "person_id": [f"p{seed}-{i}" for i in range(n)],
            "age": age,
            "größe": rng.normal(size=n) + z,
            "job": np.array(["low", "mid", "high"])[np.digitize(z, [-0.5, 0.7])],
        }
    )
