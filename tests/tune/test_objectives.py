"""Objectives: gains by their definition, and the rows that each judge sees."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import tabseed as ts
from helpers.tuning import Copies, table
from tabseed._random import child, seed_sequence
from tabseed.augment.rows import Rows
from tabseed.errors import TooFewRowsError
from tabseed.estimates.folds import deal
from tabseed.tune import AugmentationGain, Fidelity


def test_the_gain_is_that_of_the_definition() -> None:
    """With copies of all rows added, the model learns every row twice."""
    from tabseed.coding.points import Features

    features = ts.Table.from_frame(table()).select(ts.Table.from_frame(table()).schema.modelled)
    features = features.to_arrow().drop_columns(["köln"])
    y = np.arange(90) % 2
    rows = Rows.of(features, y, "classification")
    model = LogisticRegression()
    augmenter = ts.TargetedAugmenter(Copies(), hardest=1.0)
    gain = AugmentationGain.on(
        rows, augmenter, {"copies": Copies()}, draws=2, model=model, random_state=3
    )
    gains = gain("copies", {}, seed_sequence(8))
    fold = deal(y, len(y), 3, np.random.default_rng(child(seed_sequence(3), 0, 0)))
    expected = []
    for k in range(3):
        train, test = rows.take(np.flatnonzero(fold != k)), rows.take(np.flatnonzero(fold == k))
        points = Features().fit(train.features)
        x, x_test = points.transform(train.features), points.transform(test.features)
        twice = model.fit(np.repeat(x, 2, axis=0), np.repeat(train.y, 2)).predict_proba(x_test)
        once = model.fit(x, train.y).predict_proba(x_test)
        expected.append(
            2 * (roc_auc_score(test.y, twice[:, 1]) - roc_auc_score(test.y, once[:, 1]))
        )
    assert gains == pytest.approx([np.mean(expected)] * 2, abs=1e-12)


def test_folds_need_a_row_of_each_class() -> None:
    y = np.array([0] * 30 + [1] * 2)
    rows = Rows.of(np.random.default_rng(0).normal(size=(32, 2)), y, "classification")
    with pytest.raises(TooFewRowsError, match="class 1 has 2 training rows"):
        AugmentationGain.on(rows, ts.TargetedAugmenter(ts.Resample()), {})
    with pytest.raises(TooFewRowsError, match="30"):
        Fidelity.on(ts.Table.from_frame(table(29)), {})


class Spy(ts.MarginalDistance):
    """Keep the tables that the judge saw."""

    seen: list = []

    def evaluate(self, real, synthetic, **options):
        self.seen.append((real, synthetic))
        return super().evaluate(real, synthetic, **options)


def test_the_judge_of_likeness_sees_each_row_once_and_none_that_trained() -> None:
    Spy.seen.clear()
    whole = ts.Table.from_frame(table().drop_columns(["who"]))
    objective = Fidelity.on(
        whole, {"r": ts.Resample()}, target="köln", draws=2, metric=Spy(), random_state=0
    )
    values = objective("r", {}, seed_sequence(1))
    assert len(values) == 2 and all(v < 0 for v in values) and len(Spy.seen) == 6
    v = np.concatenate([real.numbers("v") for real, _ in Spy.seen[::2]])
    assert sorted(v) == sorted(whole.numbers("v"))
    for real, synthetic in Spy.seen:
        rows, copies = (
            set(zip(t.numbers("v"), t.numbers("<b>x</b>"), strict=True)) for t in (real, synthetic)
        )
        assert not rows & copies
