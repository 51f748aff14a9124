"""One way to judge two tables by chi-square with few fits."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tabseed.metrics import (
    ChiSquareDivergence,
    ChiSquareResult,
)

TIGHT = {"rel": 1e-6}


def table(x: np.ndarray) -> pa.Table:
    return pa.table({f"x{j}": x[:, j] for j in range(x.shape[1])})


def judge(real: pa.Table, synthetic: pa.Table, method: str = "gaussian", **options: object):
    options = {"permutations": 0, **options}
    result = ChiSquareDivergence(method, **options).evaluate(real, synthetic, random_state=0)
    assert isinstance(result, ChiSquareResult)
    return result
