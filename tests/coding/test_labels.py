"""How a target is read: whole numbers are classes or quantities, and whoever reads them says so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import tabseed as ts
from tabseed.coding.labels import posed, target_note, task_of
from tabseed.errors import SchemaError
from tabseed.table import Table


def graded(seed: int, n: int = 80) -> pd.DataFrame:
    """Two features, and a grade 1, 2 or 3 that depends on the first."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)).round(2)
    grade = np.clip(np.round(2 + x[:, 0] + rng.normal(size=n) / 2), 1, 3).astype(int)
    return pd.DataFrame(x, columns=["a", "b"]).assign(grade=grade)


@pytest.fixture(scope="module")
def table() -> Table:
    rng = np.random.default_rng(0)
    frame = graded(0).assign(
        age=rng.integers(20, 80, 80), kind=rng.choice(["u", "v"], 80), flag=rng.integers(0, 2, 80)
    )
    return Table.from_frame(frame)


@pytest.mark.parametrize(
    ("target", "model", "task"),
    [
        ("grade", None, "classification"),
        ("grade", LogisticRegression(), "classification"),
        ("grade", LinearRegression(), "regression"),
        ("flag", LinearRegression(), "regression"),
        ("age", None, "regression"),
        ("age", "forest", "regression"),
        ("age", make_pipeline(StandardScaler(), LogisticRegression()), "classification"),
        ("age", LinearRegression(), "regression"),
        ("kind", LogisticRegression(), "classification"),
        ("a", LinearRegression(), "regression"),
    ],
)
def test_the_model_decides_how_whole_numbers_are_read(table, target, model, task) -> None:
    assert task_of(posed(table, target, [model]).schema, target) == task


@pytest.mark.parametrize(
    ("target", "model", "message"),
    [
        ("kind", LinearRegression(), "LinearRegression is a regressor, but column 'kind' holds cl"),
        ("a", LogisticRegression(), "LogisticRegression is a classifier, but column 'a' holds num"),
    ],
)
def test_a_model_that_cannot_pose_the_target_is_refused(table, target, model, message) -> None:
    with pytest.raises(SchemaError, match=message):
        posed(table, target, [model])
    with pytest.raises(SchemaError, match=message):
        posed(table, target, [None, model])


def test_notes_name_the_levels_and_the_way_out(table) -> None:
    (classes,), (number,) = (target_note(table.schema, name) for name in ("grade", "age"))
    assert "grade holds 3 whole numbers (1, 2, 3), read as classes" in classes
    assert "--kind grade=integer" in classes and "kinds={'grade': 'integer'}" in classes
    assert "age is read as a number" in number and "--kind age=categorical" in number
    assert target_note(table.schema, "kind") == target_note(table.schema, "a") == ()


@pytest.mark.slow
def test_every_function_poses_the_same_task_and_says_so() -> None:
    real, synthetic, holdout = graded(0), graded(1), graded(2)
    tree, number = DecisionTreeClassifier(random_state=0), DecisionTreeRegressor(random_state=0)
    gap = ts.generalization_utility(real, synthetic, holdout, "grade", model=tree)
    assert gap.signed.unit == "share wrong"
    gap = ts.generalization_utility(real, synthetic, holdout, "grade", model=number)
    assert gap.signed.unit == "squared error"
    copula = ts.GaussianCopula(random_state=0)
    mix = ts.tune_mix(real, copula, "grade", model=LogisticRegression())
    assert mix.loss == "Brier score" and "grade holds 3 whole numbers" in " ".join(mix.notes)
    two_stage = ts.FeatureResponse(copula, LogisticRegression(), random_state=0)
    assert two_stage.fit(real, target="grade").task_ == "classification"
    two_stage = ts.FeatureResponse(copula, LinearRegression(), random_state=0)
    assert two_stage.fit(real, target="grade").task_ == "regression"
    hard = ts.assess_hardness(real, "grade", ts.KNNShapley(random_state=0))
    assert hard.task == "classification" and "read as classes" in hard.notes[-1]
