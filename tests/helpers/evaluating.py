"""Tables of people, real or synthetic."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


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
