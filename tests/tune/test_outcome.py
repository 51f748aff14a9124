"""What a study recommends, as Python."""

from __future__ import annotations

import pytest

import tabseed as ts
from helpers.tuning import table
from tabseed.tune.aims import Gain
from tabseed.tune.outcome import as_python


def test_the_printed_python_makes_the_same_estimator() -> None:
    estimator = ts.TargetedAugmenter(
        ts.SMOTE(n_neighbors=3, categories="vote"), ts.KNNShapley((1, 5)), 0.2, skip=("rare",)
    )
    assert repr(eval(as_python(estimator), {"ts": ts})) == repr(estimator)


def test_only_the_outermost_seed_is_printed() -> None:
    inner = ts.SequentialTrees(n_trees=5, random_state=None)
    printed = "ts.TargetedAugmenter(generator=ts.SequentialTrees(n_trees=5), random_state=0)"
    assert as_python(ts.TargetedAugmenter(inner)) == printed
    assert as_python(ts.SequentialTrees()) == "ts.SequentialTrees(random_state=0)"


@pytest.mark.parametrize(
    ("target", "name"), [("köln", "TargetedAugmenter"), ("v", "TargetedRegressionAugmenter")]
)
def test_the_recommended_augmenter_is_of_the_task(target: str, name: str) -> None:
    aim = Gain(ts.Table.from_frame(table()), target, 0.2)
    assert as_python(aim.estimator(ts.SMOTE())).startswith(f"ts.{name}(")
