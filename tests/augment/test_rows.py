"""Rows to add: frames and arrays come back as they were, with the new rows below."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone

from helpers.labelled import clusters
from tabseed import (
    SMOTE,
    Resample,
    SchemaError,
    Table,
    TargetedAugmenter,
    TargetedRegressionAugmenter,
)


def mixed(n: int = 90) -> tuple[pd.DataFrame, pd.Series]:
    """Return a frame of all kinds with missing values, and text labels."""
    rng = np.random.default_rng(1)
    start = dt.datetime(2020, 1, 1)
    frame = pd.DataFrame(
        {
            "dose": rng.choice([0.5, 1.0, 2.5, np.nan], n),
            "visits": rng.integers(0, 9, n).astype("int16"),
            "ward": pd.Categorical(rng.choice(["A", "B", "C"], n), ["A", "B", "C", "D"]),
            "seen": pd.to_datetime([start + dt.timedelta(int(d)) for d in rng.integers(0, 99, n)]),
            "smokes": rng.random(n) < 0.4,
            "label": rng.normal(size=n),
        },
        index=np.arange(n) * 3 + 7,
    )
    return frame, pd.Series(np.where(rng.random(n) < 0.25, "ill", "well"), name="state")


# --- what comes out


@pytest.mark.parametrize("generator", [Resample(smoothing=0.5), SMOTE()])
def test_a_mixed_frame_comes_back_as_it_was_with_rows_below(generator) -> None:
    frame, state = mixed()
    before = frame.copy(deep=True), state.copy(deep=True)
    x2, y2 = TargetedAugmenter(generator, hardest=0.5, random_state=0).fit_resample(frame, state)
    n = len(frame)
    pd.testing.assert_frame_equal(x2.iloc[:n], frame.reset_index(drop=True))
    pd.testing.assert_series_equal(y2.iloc[:n], state)
    assert x2.dtypes.equals(frame.dtypes) and y2.dtype == state.dtype and y2.name == "state"
    assert len(x2) == len(y2) == n + 45 and list(x2.index) == list(range(n + 45))
    drawn = x2.iloc[n:]
    assert set(drawn["dose"].dropna()) <= {0.5, 1.0, 2.5} and drawn["dose"].isna().any()
    assert drawn["visits"].between(0, 8).all() and set(drawn["ward"]) <= set("ABC")
    assert set(y2.iloc[n:]) == {"ill", "well"}
    pd.testing.assert_frame_equal(frame, before[0])
    pd.testing.assert_series_equal(state, before[1])


def test_other_kinds_of_frame_come_back_too() -> None:
    frame, state = mixed()
    augmenter = TargetedAugmenter(Resample(), hardest=0.5, random_state=0)
    reference, labels = augmenter.fit_resample(frame, state)
    polars, y = augmenter.fit_resample(pl.from_pandas(frame), pl.Series("state", state.tolist()))
    assert isinstance(polars, pl.DataFrame) and isinstance(y, pl.Series) and y.name == "state"
    assert polars["visits"].to_list() == reference["visits"].tolist()
    assert y.to_list() == labels.tolist()
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    out, y = augmenter.fit_resample(arrow, pa.chunked_array([state.tolist()]))
    assert out.schema.types == arrow.schema.types and y.to_pylist() == labels.tolist()
    table, y = augmenter.fit_resample(Table.from_frame(frame), state.to_numpy())
    assert isinstance(table, Table) and table.schema.names == list(frame.columns)
    assert table.values("visits") == reference["visits"].tolist()
    assert isinstance(y, np.ndarray) and y.tolist() == labels.tolist()


def test_provenance_is_a_column_on_request() -> None:
    frame, state = mixed()
    augmenter = TargetedAugmenter(Resample(), hardest=0.5, provenance="synthetic", random_state=0)
    for kind in (frame, pl.from_pandas(frame), Table.from_frame(frame)):
        x2, _ = augmenter.fit_resample(kind, state)
        flags = x2.values("synthetic") if isinstance(x2, Table) else list(x2["synthetic"])
        assert flags == [False] * 90 + [True] * 45
    with pytest.raises(SchemaError, match="already"):
        clone(augmenter).set_params(provenance="ward").fit_resample(frame, state)
    with pytest.raises(SchemaError, match="array"):
        augmenter.fit_resample(*clusters())


def test_arrays_keep_their_type_and_whole_numbers_stay_whole() -> None:
    x, y = clusters()
    whole = np.round(3 * x).astype(np.int32)
    x2, y2 = TargetedAugmenter(SMOTE(), hardest=0.5, random_state=0).fit_resample(
        whole, y.astype(np.uint8)
    )
    assert x2.dtype == np.int32 and y2.dtype == np.uint8
    counting = np.arange(120)[:, None]  # looks like an id, but in an array it is a number
    TargetedAugmenter(Resample(), hardest=0.5).fit_resample(counting, y)


# --- numbers to predict


def test_targets_keep_their_dtype_and_their_grid() -> None:
    frame, _ = mixed()
    rng = np.random.default_rng(0)
    augmenter = TargetedRegressionAugmenter(SMOTE(), hardest=0.4, random_state=0)
    for y in (
        pd.Series(rng.integers(0, 500, 90).astype("int32"), name="cost"),
        pd.Series(rng.normal(size=90).astype("float32"), name="cost"),
        np.round(rng.normal(size=90), 1),
    ):
        x2, y2 = augmenter.fit_resample(frame, y)
        assert type(y2) is type(y) and y2.dtype == y.dtype and len(x2) == len(y2) == 126
        values, old = np.asarray(y2), np.asarray(y)
        assert np.array_equal(values[:90], old) and old.min() <= values.min() <= values.max()
        assert values.max() <= old.max()
    assert np.allclose(10 * y2, np.round(10 * y2))


# --- refusals, one line each


def test_rows_and_labels_that_do_not_fit_are_refused() -> None:
    x, y = clusters()
    augmenter = TargetedAugmenter(Resample(), hardest=0.5)
    for rows, labels, message in (
        (x, y[:-1], "differ in length"),
        (x, np.where(np.arange(120) == 3, np.nan, y), "row 4 has no label"),
        (pd.DataFrame({"patient_id": np.arange(120), "x": x[:, 0]}), y, "patient_id"),
        (x[:, 0], y, "shape"),
    ):
        with pytest.raises(SchemaError, match=message):
            augmenter.fit_resample(rows, labels)
    with pytest.raises(SchemaError, match="label"):
        TargetedRegressionAugmenter(Resample(), hardest=0.5).fit_resample(
            x, np.where(np.arange(120) == 3, np.inf, 1.0 * y)
        )
