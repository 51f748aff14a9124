"""The assessment of a table: regression, reference rows, columns that cannot be labels."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

import tabseed as ts


def test_regression_and_reference_rows() -> None:
    rng = np.random.default_rng(4)

    def frame(n: int) -> pa.Table:
        x = rng.normal(size=n)
        kind = rng.choice(["a", "b"], n)
        return pa.table({"x": x, "kind": kind, "price": 3 * x + (kind == "a") + 0.1})

    train, further = frame(150), frame(80)
    price = train["price"].to_numpy().copy()
    price[5] += 30
    train = train.set_column(2, "price", pa.array(price))
    assessment = ts.assess_hardness(train, "price", ts.KNNShapley(), reference=further)
    assert (
        assessment.task == "regression"
        and assessment.rank[5] == 1
        and assessment.hint[5] == "mislabelled"
    )
    assert assessment.counts(0.1)["mislabelled"][1] >= 1
    assert "counts in part" in assessment.to_html()


def test_a_column_that_cannot_be_a_label_is_refused() -> None:
    table = pa.table({"x": np.arange(50.0), "t": [f"free text number {i} ..." for i in range(50)]})
    with pytest.raises(ts.SchemaError):
        ts.assess_hardness(table, "t", ts.KNNShapley())
    with pytest.raises(ts.SchemaError, match="no column besides"):
        ts.assess_hardness(table, "x", ts.KNNShapley())


def test_the_former_name_of_coordinates_warns() -> None:
    table = {"x": [0.0, 1.0, 2.0, 3.0], "y": ["a", "a", "b", "b"]}
    assessment = ts.assess_hardness(pa.table(table), "y", ts.KNNShapley(n_neighbors=1), folds=2)
    with pytest.warns(FutureWarning, match="places is now called coordinates"):
        assert assessment.places is assessment.coordinates


def test_a_class_of_one_row_is_noted_and_a_single_class_refused() -> None:
    x = np.arange(40.0)
    labels = ["a"] * 20 + ["b"] * 19 + ["c"]
    answer = ts.assess_hardness(pa.table({"x": x, "y": labels}), "y", ts.KNNShapley(random_state=0))
    assert "Only one row has the class 'c': nothing says how typical it is." in answer.notes
    few = pa.table({"x": x[:3], "y": ["a", "b", "a"]})
    scorer = ts.KNNShapley(n_neighbors=1)
    assert ts.assess_hardness(few, "y", scorer, folds=2).verdict.startswith("Of the hardest row, ")
    with pytest.raises(ts.TooFewRowsError, match="3 rows cannot be dealt into 5 folds; give at le"):
        ts.assess_hardness(few, "y", scorer)
    with pytest.raises(ts.TooFewRowsError, match="a table of 1 row is too small"):
        ts.assess_hardness(few.slice(0, 1), "y", scorer)
    with pytest.raises(ts.SchemaError, match=r"^all labels are 'a'"):
        ts.assess_hardness(pa.table({"x": x, "y": ["a"] * 40}), "y", ts.KNNShapley())
