"""Labels as callers pass them: any type, missing ones with their row, references spelled alike."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabseed.coding.labels import code_labels
from tabseed.errors import SchemaError

CODES = np.tile([0, 1, 1], 20)
TEXTS = np.where(CODES, "v", "u")
FLOATS = np.linspace(0, 1, 60)


@pytest.mark.parametrize(
    "labels",
    [
        CODES,
        CODES.tolist(),
        CODES.astype(bool),
        TEXTS,
        tuple(TEXTS.tolist()),
        TEXTS.astype(object),
        pd.Series(CODES, dtype="Int64"),
        pd.array(CODES.astype(bool), dtype="boolean"),
        pd.Series(TEXTS, dtype="string"),
        pd.Categorical(TEXTS),
        pd.Series(CODES, dtype="int64[pyarrow]"),
        pl.Series(CODES),
        pl.Series(TEXTS, dtype=pl.Categorical),
        pa.array(TEXTS.tolist()).dictionary_encode(),
        pa.chunked_array([CODES]),
    ],
    ids=lambda v: type(v).__name__,
)
def test_labels_of_any_type_are_classes(labels) -> None:
    task, classes, (coded,) = code_labels([labels])
    assert (task, len(classes)) == ("classification", 2)
    np.testing.assert_array_equal(coded, CODES)


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series(FLOATS, dtype="Float64"),
        FLOATS.astype(object),
        pl.Series(FLOATS),
        pa.array(FLOATS.tolist()),
        pd.Series(FLOATS, dtype="float64[pyarrow]"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_numbers_of_any_type_are_targets(labels) -> None:
    task, _, (coded,) = code_labels([labels])
    assert task == "regression"
    np.testing.assert_array_equal(coded, FLOATS)


def with_second(value: object) -> list:
    return ["u", value, *TEXTS[2:].tolist()]


@pytest.mark.parametrize(
    "labels",
    [
        pd.Series(with_second(pd.NA), dtype="string"),
        pd.Series([True, pd.NA, False], dtype="boolean"),
        pd.Series([1, pd.NA, 2], dtype="Int64"),
        pd.Categorical(with_second(None)),
        with_second(None),
        with_second(float("nan")),  # numpy would make the text "nan" of it
        with_second(pd.NA),
        pl.Series(with_second(None)),
        pl.Series([1, None, 2]),
        pa.array(with_second(None)),
        pd.to_datetime(["2020-01-01", None, "2020-01-02"]),
        pd.Series([0.5, np.inf, 1.5]),
        np.array([0.5, np.inf, 1.5], dtype=object),
        np.ma.masked_array([0, 1, 1], mask=[0, 1, 0]),
    ],
    ids=lambda v: type(v).__name__,
)
def test_a_missing_label_is_refused_with_its_row(labels) -> None:
    with pytest.raises(SchemaError, match=r"^row 2 has no label") as error:
        code_labels([labels])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (pd.date_range("2020-01-01", periods=3), "row 1 has a date for a label"),
        (pd.period_range("2020-01-01", periods=3), "row 1 has a label that is neither"),
        ([{1}, {2}, {3}], "row 1 has a label that is neither"),
        (np.array([1j, 2j]), "row 1 has a label that is neither"),
        ([[1], [1, 2]], "one dimension"),
        (CODES[:, None], "one dimension, got 2"),
        (pd.DataFrame({"y": CODES}), "one dimension, got 2"),
        ("abc", "one dimension, got 0"),
        (None, "one dimension, got 0"),
        ([None] * 3, "row 1 has no label"),
    ],
)
def test_what_are_no_labels_is_refused_in_one_line(labels, text) -> None:
    with pytest.raises(SchemaError, match=text) as error:
        code_labels([labels])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (CODES, CODES.astype(str)),
        (CODES, CODES.astype(bool)),
        (CODES, CODES.astype(float).astype(str)),
        (CODES, np.where(CODES, "TRUE", "FALSE")),
        (CODES, np.where(CODES, "yes", "no")),
        (CODES.astype(str), CODES),
        (CODES.astype(bool), CODES.astype(bool).astype(str)),
        (CODES.astype(bool), CODES),
        (pd.Series(CODES, dtype="Int64"), pl.Series(CODES.astype(str))),
    ],
    ids=str,
)
def test_labels_of_a_reference_are_matched_by_spelling(ours, theirs) -> None:
    _, classes, (coded, reference) = code_labels([ours, theirs])
    np.testing.assert_array_equal(coded, CODES)
    np.testing.assert_array_equal(reference, CODES)
    assert [type(c) for c in classes.tolist()] == [type(np.asarray(ours).tolist()[0])] * 2


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=30), st.booleans())
def test_whole_numbers_and_their_texts_are_the_same_classes(numbers, texts_first) -> None:
    pair = [numbers, list(map(str, numbers))]
    _, classes, (one, other) = code_labels(pair[::-1] if texts_first else pair, "classification")
    np.testing.assert_array_equal(one, other)
    assert len(classes) == len(set(numbers))


def test_classes_of_one_table_alone_stay_classes() -> None:
    _, classes, (_, reference) = code_labels([["a", "b"], ["b", "c"]])
    assert classes.tolist() == ["a", "b", "c"] and reference.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("ours", "theirs", "text"),
    [
        (CODES, TEXTS, r"\('u', 'v'\) have none in common with the labels \(0, 1\)"),
        (CODES, CODES + 5, r"\(5, 6\) have none in common with the labels \(0, 1\)"),
        (["0", "1"], ["1", "1.0"], "in several ways"),
        ([1, 0], ["1", "1.0"], "in several ways"),
    ],
)
def test_references_that_do_not_fit_are_refused(ours, theirs, text) -> None:
    with pytest.raises(SchemaError, match=f"^the reference's labels.*{text}"):
        code_labels([ours, theirs])
