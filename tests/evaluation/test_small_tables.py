"""Every small real table, and what happens to small tables, can be evaluated and shown."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import tabseed as ts
from helpers.evaluating import few_refits
from tabseed.privacy.report import Privacy

DATA = Path(os.environ.get("TABSEED_DATA", "data"))
TARGETS = {  # a class, or a number
    "adult": "income",
    "breast_cancer_wdbc": "diagnosis",
    "diabetes_pima": "class",
    "digits": "target",
    "german_credit": "class",
    "heart_cleveland": "num",
    "insurance": "charges",
    "king": "price",
    "news": "shares",
    "penguins": "species",
    "support2": "death",
}
TRAIN, HELD_OUT = 57, 40

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="needs the real tables (TABSEED_DATA)"),
]


@pytest.fixture(scope="module", autouse=True)
def brief():
    with few_refits():
        yield


def rows(name: str) -> pa.Table:
    frame = pq.read_table(DATA / f"{name}.parquet")
    order = np.random.default_rng(1_857).permutation(len(frame))
    return frame.take(order[: TRAIN + HELD_OUT])


def answered(frame: pa.Table, target: str) -> ts.Evaluation:
    """Learn 57 rows, draw as many, and ask everything; 40 others judge."""
    train, holdout = frame[:TRAIN], frame[TRAIN:]
    model = ts.SequentialTrees(n_orders=2, random_state=0).fit(train)
    schema = model.schema_
    regression = schema[target].kind in ("continuous", "integer")
    tree = DecisionTreeRegressor if regression else DecisionTreeClassifier
    models = {"stump": tree(max_depth=1, random_state=0), "tree": tree(max_depth=3, random_state=0)}
    asked = ts.Questions(
        usefulness=ts.Usefulness(models=models, seeds=1),
        privacy=Privacy(sensitive=[target], max_auc=0.6, max_disclosure=0.09),
    )
    answer = ts.evaluate(
        train, model.sample(TRAIN), holdout, target=target, questions=asked, n_jobs=1
    )
    assert answer.likeness is not None and answer.privacy is not None
    assert json.loads(answer.to_json())["verdict"] == answer.verdict
    assert "</html>" in answer.to_html()
    return answer


@pytest.mark.parametrize("name", TARGETS)
def test_every_small_table_is_evaluated(name: str) -> None:
    answer = answered(rows(name), TARGETS[name])
    assert answer.usefulness is not None
    assert answer.passed is not True  # nobody can show with 40 rows that so little leaks


def without_a_third(frame: pa.Table, target: str) -> pa.Table:
    rng = np.random.default_rng(3)
    gaps = {
        name: pa.array([None if gone else x for x, gone in zip(
            frame[name].to_pylist(), rng.random(len(frame)) < 1 / 3, strict=True
        )], frame.schema.field(name).type)
        for name in frame.column_names if name != target
    }  # fmt: skip
    return pa.table(gaps | {target: frame[target]})


def test_a_third_of_the_cells_missing() -> None:
    answer = answered(without_a_third(rows("heart_cleveland"), "num"), "num")
    assert answer.usefulness is not None


def test_one_class_has_no_usefulness_and_says_so() -> None:
    frame = rows("penguins")
    same = pa.array(["Adelie"] * len(frame))
    one = frame.set_column(frame.column_names.index("species"), "species", same)
    answer = answered(one, "species")
    assert answer.usefulness is None and "species" in answer.missing["usefulness"]


def test_a_constant_column_is_like_itself() -> None:
    frame = rows("penguins").append_column("unit", pa.array(["mm"] * (TRAIN + HELD_OUT)))
    answer = answered(frame.append_column("scale", pa.array([1.0] * len(frame))), "species")
    for name in ("unit", "scale"):
        assert answer.likeness.margins.columns[name] == 0
