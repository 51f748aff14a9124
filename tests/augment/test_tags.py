"""What scikit-learn and imbalanced-learn require of a sampler."""

from __future__ import annotations

import pytest
from imblearn.pipeline import Pipeline
from imblearn.utils.estimator_checks import estimator_checks_generator
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from helpers.labelled import clusters
from tabseed import (
    Resample,
    TargetedAugmenter,
)

SCORED = TargetedAugmenter(Resample(), hardest=0.3, per_class=True, random_state=0)


@pytest.mark.parametrize(
    ("estimator", "check"),
    list(estimator_checks_generator(SCORED)),
    ids=lambda part: part.func.__name__ if hasattr(part, "func") else None,
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
