"""Blend: which members it draws from, what it says, what it keeps."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import logsumexp

import tabseed as ts
from tabseed.errors import NothingLearnedError, TabseedError, TooFewRowsError
from tabseed.generators.base import Generator
from tabseed.testing.tables import example_table


class Poor(ts.Resample):
    """Draw one and the same row."""

    def _sample(self, n, rng):
        return np.repeat(super()._sample(1, rng), n, axis=0)


class Failing(Generator):
    def __init__(self, random_state=0):
        self.random_state = random_state

    def _fit(self, x, layout, stream, aids):
        raise TooFewRowsError("Failing needs more rows")


def numbers(n: int = 150, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return pa.table({"x": x, "y": x + 0.3 * rng.normal(size=n), "up": x > 0})


@pytest.mark.parametrize("criterion", ["ratio", "likelihood"])
def test_rows_come_from_members_as_the_weights_say(criterion) -> None:
    members = [
        ts.SequentialTrees(n_orders=4),
        ts.GaussianCopula(),
        ts.AdversarialForest(n_trees=20),
    ]
    model = ts.Blend(members, criterion=criterion, random_state=0).fit(numbers())
    assert model.weights_.sum() == pytest.approx(1) and (model.weights_ >= 0).all()
    assert [m is None for m in model.members_] == (model.weights_ == 0).tolist()
    assert model.draw(1_000).schema == model.schema_.modelled
    assert str(round(100 * model.weights_.max())) in model.summary()[0]


def test_a_poor_member_gets_no_weight() -> None:
    model = ts.Blend([ts.GaussianCopula(), Poor()], random_state=0).fit(numbers())
    assert model.weights_[0] > 0.95


def test_a_member_that_fails_is_said_and_the_others_go_on() -> None:
    model = ts.Blend([Failing(), ts.GaussianCopula()], random_state=0).fit(numbers())
    assert model.weights_.tolist() == [0, 1] and "needs more rows" in model.failed_[0]
    assert any("Failing draws no rows" in line for line in model.summary())
    with pytest.raises(NothingLearnedError, match="Failing needs more rows"):
        ts.Blend([Failing()], random_state=0).fit(numbers())


def test_the_likelihood_is_that_of_the_mixture() -> None:
    members = [ts.SequentialTrees(n_orders=2), ts.AdversarialForest(n_trees=10)]
    table = numbers()
    model = ts.Blend(members, criterion="likelihood", random_state=0).fit(table)
    logs = [
        np.log(w) + member.log_likelihood(table)
        for w, member in zip(model.weights_, model.members_, strict=True)
        if w
    ]
    np.testing.assert_allclose(model.log_likelihood(table), logsumexp(logs, axis=0), rtol=1e-12)
    assert model.knows_likelihood
    smote = ts.Blend([ts.SMOTE()], random_state=0).fit(table)
    assert not smote.knows_likelihood
    with pytest.raises(TabseedError, match="SMOTE: no likelihood"):
        smote.log_likelihood(table)
    with pytest.raises(TabseedError, match="criterion='ratio'"):
        ts.Blend([ts.SMOTE(), ts.Resample()], criterion="likelihood").fit(table)


def test_processes_do_not_change_the_rows() -> None:
    members = [ts.SequentialTrees(n_orders=2), ts.GaussianCopula()]
    one, two = (
        ts.Blend(members, folds=2, n_jobs=k, random_state=0).fit(numbers(60)).sample(50)
        for k in (None, 2)
    )
    assert one.equals(two)


def test_what_the_file_holds_is_what_the_members_hold() -> None:
    keeps = ts.Blend([ts.SMOTE()], folds=2, random_state=0).fit(numbers(40))
    counts = ts.Blend([ts.GaussianCopula()], folds=2, random_state=0).fit(numbers(40))
    assert keeps.holds.rows and not counts.holds.rows


def test_a_blend_with_members_of_many_kinds_is_saved(tmp_path) -> None:
    members = [ts.SequentialTrees(n_orders=2), ts.FeatureResponse(ts.GaussianCopula(), "linear")]
    model = ts.Blend(members, folds=2, random_state=0).fit(example_table(80), target="level")
    model.save(tmp_path / "m.tabseed")
    assert ts.load(tmp_path / "m.tabseed").sample(30).equals(model.sample(30))


def test_a_blend_teaches_a_network_and_a_taught_network_is_a_member(tmp_path) -> None:
    """Both are saved and come back with the same rows."""
    pytest.importorskip("torch")
    short = ts.VAEBGM(n_seeds=2, training=ts.Training(steps=20))
    several = ts.Blend([ts.SequentialTrees(n_orders=2), ts.GaussianCopula()], folds=2)
    by_blend = ts.FineTuned(short, ts.Pretraining(teacher=several), random_state=0)
    by_trees = ts.FineTuned(short, ts.Pretraining(teacher=ts.SequentialTrees(n_orders=2)))
    blend = ts.Blend([ts.GaussianCopula(), by_trees], folds=2, random_state=0)
    for name, model in (("taught", by_blend), ("member", blend)):
        model.fit(numbers(60)).save(tmp_path / name)
        assert ts.load(tmp_path / name).sample(20).equals(model.sample(20))


def test_a_member_without_a_likelihood_is_said_to_draw_no_rows() -> None:
    members = [ts.SequentialTrees(n_orders=2), ts.SMOTE()]
    model = ts.Blend(members, criterion="likelihood", folds=2, random_state=0).fit(numbers(60))
    assert model.weights_.tolist() == [1, 0]
    assert "SMOTE draws no rows: no likelihood of its rows" in model.summary()
