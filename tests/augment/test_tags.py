"""What scikit-learn and imbalanced-learn require of a sampler."""

from __future__ import annotations

import functools

import pytest
from imblearn.pipeline import Pipeline
from imblearn.utils.estimator_checks import estimator_checks_generator
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from helpers.labelled import clusters
from tabseed import (
    KNNShapley,
    Prototypicality,
    Resample,
    TargetedAugmenter,
)


def settings_to_check() -> list[TargetedAugmenter]:
    """Shares with and without hard rows of every class, two scorers."""
    return [
        TargetedAugmenter(Resample(), scorer, hardest=hardest, per_class=per_class, random_state=0)
        for hardest in (0.05, 0.1, 0.3, 1.0)
        for per_class in (False, True)
        for scorer in (KNNShapley(), Prototypicality())
    ]


def checks() -> list[tuple[TargetedAugmenter, functools.partial[None]]]:
    """Every check for settings that differ from each other in what they choose."""
    return [pair for sampler in settings_to_check() for pair in estimator_checks_generator(sampler)]


@pytest.mark.filterwarnings("ignore::tabseed.errors.AbsentClassWarning")
@pytest.mark.parametrize(
    ("estimator", "check"),
    checks(),
    ids=lambda part: (
        part.func.__name__
        if hasattr(part, "func")
        else f"{part.hardest}-{part.per_class}-{type(part.scorer).__name__}"
    ),
)
def test_it_passes_the_checks_of_imbalanced_learn(estimator, check) -> None:
    check(estimator)


def test_a_pipeline_searches_over_the_share_of_hard_rows() -> None:
    x, y = clusters()
    steps = [
        ("scale", StandardScaler()),
        ("augment", TargetedAugmenter(Resample(smoothing=0.3), random_state=0)),
        ("tree", DecisionTreeClassifier(max_depth=3, random_state=0)),
    ]
    search = GridSearchCV(
        Pipeline(steps),
        {"augment__hardest": [0.2, 0.5, 1.0], "augment__generator__smoothing": [0.0, 0.5]},
        cv=2,
        error_score="raise",
    ).fit(x, y)
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    assert search.predict(x).shape == y.shape  # prediction adds no rows
