"""Parameters: their ranges, ranges in words, and one line for values outside."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from tabseed.errors import MissingDependencyError, SchemaError, TabseedError
from tabseed.parameters import (
    FLAG,
    N_JOBS,
    SEED,
    TEXT,
    AnyOf,
    Each,
    Having,
    InstanceOf,
    Named,
    OneOf,
    Real,
    Whole,
    check,
    or_none,
    searched,
)

ALLOWED = {
    Whole(1): ([1, 10**400, np.int8(3)], [0, True, 1.0, "1", None, math.nan]),
    Whole(2, 4): ([2, 4], [1, 5]),
    Real(0, 1): ([0, 1, 0.5, np.float32(0.25), np.int64(1)], [-1e-9, 1.1, math.nan, True]),
    Real(above=0, below=1): ([1e-9, 0.5], [0, 1, 0.0, 1.0, math.inf]),
    Real(): ([-1e300, 10**400], [math.inf, -math.inf, math.nan, "0"]),
    OneOf(("a", 1, None)): (["a", 1, None, np.str_("a")], ["b", True, 0, ["a"], np.array(["a"])]),
    FLAG: ([True, np.False_], [0, 1, None, "True"]),
    TEXT: (["", "x"], [None, b"x", 3]),
    SEED: ([0, None, np.random.default_rng(0), np.random.SeedSequence(1)], [-1, 1.0, "0"]),
    N_JOBS: ([None, 1, -1], [0, 0.5]),
    Each(Whole(1)): ([[1], (1, 2), np.array([3, 4])], [[], [0], "12", np.ones((1, 1), int), 1]),
    Each(TEXT, 0): ([[], ("a",)], ["a", [1]]),
    Named(Whole(1)): ([{"a": 1, "b": 2}], [{}, {"a": 0}, {1: 1}, [1], "a"]),
    or_none(Whole(1)): ([None, 1], [0]),
    AnyOf((Whole(1), TEXT)): ([1, "x"], [0, None]),
    InstanceOf(ts.Resample): ([ts.Resample()], [ts.Resample, ts.SMOTE()]),
    Having(("fit",), "an estimator"): ([ts.Resample()], [ts.Resample, 3]),
    Having(("fit",), "an estimator", classes=True): ([ts.Resample], [3]),
}


@pytest.mark.parametrize("allowed", ALLOWED, ids=str)
def test_values_inside_are_accepted_and_others_are_not(allowed) -> None:
    inside, outside = ALLOWED[allowed]
    assert [v for v in inside if not allowed.accepts(v)] == []
    assert [v for v in outside if allowed.accepts(v)] == []
    assert allowed.outside() and not any(map(allowed.accepts, allowed.outside()))


@pytest.mark.parametrize(
    ("allowed", "text"),
    [
        (Whole(1), "a whole number of at least 1"),
        (Whole(2, 10), "a whole number from 2 to 10"),
        (Real(above=0), "a number above 0"),
        (Real(0, below=0.5), "a number of at least 0 and below 0.5"),
        (Real(), "a number"),
        (OneOf(("a", "b")), "one of 'a', 'b'"),
        (or_none(Whole(1)), "a whole number of at least 1, or None"),
        (FLAG, "True or False"),
    ],
)
def test_ranges_in_words(allowed, text) -> None:
    assert str(allowed) == text


def test_values_just_beyond_each_end_are_tried() -> None:
    assert 1 in Whole(2, 4).outside() and 5 in Whole(2, 4).outside()
    assert 0 in Real(above=0, below=1).outside() and 1 in Real(above=0, below=1).outside()


def test_a_message_is_one_short_line() -> None:
    with pytest.raises(TabseedError) as caught:
        check("SMOTE", "n_neighbors", "\x1b[31m\n" + "x" * 500, Whole(1))
    text = str(caught.value)
    assert text.startswith("SMOTE: n_neighbors='") and text.endswith("a whole number of at least 1")
    assert "\n" not in text and "\x1b" not in text and len(text) < 140


def test_search_spaces_are_read_from_the_same_declaration() -> None:
    space = ts.Int(1, 5)
    assert searched({"k": Whole(1, search=space), "other": Whole(1)}) == {"k": space}
    assert set(ts.SMOTE.search_space) == {"n_neighbors", "categories"}
    assert ts.Resample.search_space == {}

    class Own(ts.SMOTE):
        search_space = {"n_neighbors": ts.Int(2, 3)}

    assert Own.search_space == {"n_neighbors": ts.Int(2, 3)}


def test_nested_estimators_are_checked_too() -> None:
    table = pa.table({"x": [1.0, 2.0, 3.0, 4.0], "y": ["a", "b", "a", "b"]})
    two = ts.FeatureResponse(ts.SMOTE(n_neighbors=0))
    with pytest.raises(TabseedError, match=r"^SMOTE: n_neighbors=0 is not a whole number"):
        two.fit(table)
    augmenter = ts.TargetedAugmenter(ts.SMOTE(), ts.KNNShapley(ties="none"))
    with pytest.raises(TabseedError, match=r"^KNNShapley: ties='none' is not one of"):
        augmenter.fit(table.select(["x"]), table["y"])


# --- values that were accepted silently before, or raised raw errors ----------------------------

TABLE = pa.table({"x": [1.5, 2.5, None, 4.0] * 5, "c": ["a", "b", "a", "b"] * 5})


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ts.Training(stopper="papr"), "Training: stopper='papr' is not one of"),
        (
            lambda: ts.Training(learning_rate=-1),
            "Training: learning_rate=-1 is not a",
        ),
        (lambda: ts.Training(validation=2.0), "Training: validation=2.0 is not a number above 0"),
        (
            lambda: ts.Resample(smoothing=-1).fit(TABLE),
            "Resample: smoothing=-1 is not a number of at least 0",
        ),
        (
            lambda: ts.DiscriminatorDivergence(views=("plan",)).evaluate(TABLE, TABLE),
            "DiscriminatorDivergence: views=('plan',) is not a tuple of 1 or more, each one of",
        ),
        (
            lambda: ts.SequentialTrees(min_leaf="3").fit(TABLE),
            "SequentialTrees: min_leaf='3'",
        ),
        (
            lambda: ts.GaussianCopula(shrinkage="a").fit(TABLE),
            "GaussianCopula: shrinkage='a'",
        ),
        (lambda: ts.AdversarialForest(n_trees="10").fit(TABLE), "AdversarialForest: n_trees='10'"),
        (
            lambda: ts.VAEBGM(n_seeds=0).fit(TABLE),
            "VAEBGM: n_seeds=0 is not a whole number of at least 1",
        ),
        (
            lambda: ts.VAEBGM(latent_dim=-1).fit(TABLE),
            "VAEBGM: latent_dim=-1 is not",
        ),
        (
            lambda: ts.DiscriminatorDivergence(folds=1).evaluate(TABLE, TABLE),
            "DiscriminatorDivergence: folds=1 is not a whole number of at least 2",
        ),
        (
            lambda: ts.MarginalDistance(n_bootstrap=0).evaluate(TABLE, TABLE),
            "MarginalDistance: n_bootstrap=0 is not a whole number of at least 2",
        ),
        (
            lambda: ts.Table.from_frame(TABLE).split("0.7"),
            "Table.split: share='0.7' is",
        ),
        (lambda: ts.Resample().fit(TABLE).sample(10.0), "Resample: n=10.0 is not a whole"),
    ],
)
def test_bad_values_are_refused_in_one_line(make, text) -> None:
    with pytest.raises(TabseedError) as caught:
        make()
    if isinstance(caught.value, MissingDependencyError):  # conftest.py skips it
        raise caught.value
    assert str(caught.value).startswith(text) and "\n" not in str(caught.value)


@pytest.mark.parametrize("state", ["x", -1, float("nan"), object()])
def test_a_random_state_of_another_kind_is_refused_in_one_line(state) -> None:
    model = ts.Resample().fit(TABLE)
    for call in (
        lambda: model.sample(2, random_state=state),
        lambda: ts.Table.from_frame(TABLE).split(0.5, random_state=state),
    ):
        with pytest.raises(TabseedError, match=r"random_state=.* is not a whole number") as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [3, ["x"], float("nan")])
def test_the_name_of_a_column_is_text(name) -> None:
    with pytest.raises(SchemaError, match=r"the name of a column is text, got|no column '(3|nan)'"):
        ts.Resample().fit(TABLE, target=name)


@pytest.mark.parametrize("settings", [0, [], {}, "spam", ts.Training()])
def test_settings_of_another_class_are_refused(settings) -> None:
    with pytest.raises(TabseedError, match=r"settings=.* is not a Mixing or None"):
        ts.tune_mix(TABLE, ts.Resample(), target="x", settings=settings)
    with pytest.raises(TabseedError, match=r"settings=.* is not a Measuring or None"):
        ts.measure(TABLE, TABLE, TABLE, "x", settings=settings)
