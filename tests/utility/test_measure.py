"""Measurements: the shape of a response."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import tabseed as ts
from helpers.hand_measured import diabetes
from tabseed.utility.measure import (
    Measuring,
    measure,
)


def test_a_response_of_another_shape_is_refused() -> None:
    train, holdout = diabetes()
    settings = Measuring({"line": LinearRegression()}, 1, [lambda rows: np.zeros((len(rows), 2))])
    with pytest.raises(ts.TabseedError, match=r"shape \(200,\)"):
        measure(train, train, holdout, "progression", settings)
