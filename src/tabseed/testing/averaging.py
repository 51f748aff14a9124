"""The laws of biases that average the weights of seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from tabseed.testing.biases import example_bench, reordered, weights_of


def check_average_of_equal_weights_is_that_weight(bias: Any) -> None:
    """Identical seeds give their weights back, bit for bit (with seeds passed in, no branches)."""
    plain = clone(bias).set_params(branches=None)
    ensemble = example_bench().first(plain.plan())
    equal = reordered(ensemble, [0] * len(ensemble.curves))
    for name, value in weights_of(plain, equal).items():
        assert value.tobytes() == ensemble.weights[name][:1].tobytes(), name


def check_only_float_tensors_are_averaged(bias: Any) -> None:
    """Whole numbers among the weights come back as they are in the best seed."""
    plain = clone(bias).set_params(branches=None)
    ensemble = example_bench().first(plain.plan())
    count = np.arange(len(ensemble.curves), dtype=np.int64)[:, None] ** 2 + 2**60
    ensemble.weights["count"] = count
    result = weights_of(plain, ensemble)["count"]
    assert result.dtype == np.int64 and result.shape == (1, 1), f"{result.dtype}, {result.shape}"
    assert result.item() == count[ensemble.chosen].item(), "the number is not the best seed's"
