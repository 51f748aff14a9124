"""Measurements: the shape of a response."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

import tabseed as ts
from helpers.hand_measured import diabetes
from tabseed.metrics.problem import Labelled
from tabseed.utility.measure import (
    ASIDE,
    AUGMENTED,
    Measuring,
    _repeated,
    measure,
)


def test_a_response_of_another_shape_is_refused() -> None:
    train, holdout = diabetes()
    settings = Measuring({"line": LinearRegression()}, 1, [lambda rows: np.zeros((len(rows), 2))])
    with pytest.raises(ts.TabseedError, match=r"shape \(200,\)"):
        measure(train, train, holdout, "progression", settings)


@pytest.mark.parametrize("n", [7, 30, 100])
def test_repeated_real_rows_do_not_follow_the_order_of_the_file(n: int) -> None:
    table = ts.Table.from_frame(pa.table({"number": np.arange(30.0)}))
    rows = Labelled(table, np.repeat([0, 1, 2], 10))
    repeated = _repeated(rows, n, np.random.SeedSequence(5))
    counts = np.bincount(repeated.features.numbers("number").astype(int), minlength=30)
    assert counts.sum() == n and counts.max() - counts.min() <= 1
    classes = np.bincount(repeated.y, minlength=3)
    assert classes.max() - classes.min() < 10 or n % 30 == 0  # not the first class alone


def test_the_augmented_table_is_the_real_rows_and_as_many_synthetic_ones() -> None:
    """A model that adds its labels up says which rows it has learned from."""

    class Sum(LinearRegression):
        def fit(self, x: np.ndarray, y: np.ndarray, sample_weight: object = None) -> Sum:
            self.sum_ = float(y.sum())
            return self

        def predict(self, x: np.ndarray) -> np.ndarray:
            return np.full(len(x), self.sum_)

    train, holdout = diabetes()
    n, m = len(train), 3 * len(train)
    marked = pa.concat_tables([train] * 3).set_column(
        train.column_names.index("progression"), "progression", pa.array(np.full(m, 1e6))
    )
    responses = [lambda rows: np.zeros(len(rows))]
    found = measure(train, marked, holdout, "progression", Measuring({"sum": Sum()}, 1, responses))
    real = train["progression"].to_numpy().sum()
    assert found.sizes[AUGMENTED] == 2 * n and m - round(ASIDE * m) > n
    np.testing.assert_allclose(found.on_holdout[AUGMENTED], real + 1e6 * n, rtol=1e-9)
