"""Generators with a bias: no bias changes nothing, files keep every bias."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

import tabseed as ts
from helpers.biases import assert_equal_weights, maml, tuned, vaebgm
from tabseed.errors import TabseedError
from tabseed.generators.neural.stopping import Training
from tabseed.inductive_bias import BIASES, bias_class
from tabseed.testing import example_table

# averages of seeds that share nothing warn
pytestmark = pytest.mark.filterwarnings("ignore::tabseed.OrthogonalSeedsWarning")


# --- the second training ------------------------------------------------------------------------


def test_no_bias_is_the_generator_alone() -> None:
    table = example_table(60)
    alone = vaebgm(random_state=0).fit(table)
    model = tuned(ts.StageOne(n_seeds=2)).fit(table)
    assert model.sample(50).equals(alone.sample(50))
    assert model.sample(50, random_state=3).equals(alone.sample(50, random_state=3))
    assert_equal_weights(model.ensemble_.weights, alone.ensemble_.weights)
    fixed = tuned(ts.SeedMixture(n_seeds=2, rotate=False)).fit(table)
    assert_equal_weights(fixed.ensemble_.weights, alone.ensemble_.weights)
    assert fixed.generator_.drawn_ == (0, 1)


def test_generators_without_weights_are_refused() -> None:
    model = ts.FineTuned(ts.Resample(), ts.WeightAveraging(n_seeds=2))
    with pytest.raises(TabseedError, match=r"Resample.* is not a generator that learns"):
        model.fit(example_table(60))


def test_parameters_of_numpy_are_saved(tmp_path: Path) -> None:
    bias = ts.DomainRandomizedSearch(np.int64(2), 40, seed_weights=np.array([0.5, 0.5]))
    model = tuned(bias).fit(example_table(40), checkpoint=tmp_path / "state")
    model.save(tmp_path / "m.tabseed")
    again = ts.load(tmp_path / "m.tabseed")
    assert again.bias.n_seeds == 2 and again.bias.seed_weights == [0.5, 0.5]
    assert again.sample(20).equals(model.sample(20))


# --- files --------------------------------------------------------------------------------------

KEPT = {
    "average": ts.WeightAveraging(n_seeds=2, top=1),
    "branches": ts.WeightAveraging(n_seeds=2, branches=5),
    "pretrain": ts.Pretraining(n_seeds=2, n_rows=40, n_networks=2),
    "maml": maml(n_seeds=2, order="reptile", start="average", n_rows=40, must_improve=False),
    "drs": ts.DomainRandomizedSearch(n_seeds=2, n_rows=40, seed_weights=[0.5, 0.5]),
    "small-init": ts.SmallInit(n_seeds=2, n_averaged=3),
    "continued": ts.Continued(n_seeds=2),
    "stage-one": ts.StageOne(ts.Pretraining(n_seeds=2, n_rows=40), n_seeds=2),
    "mixture": ts.SeedMixture(ts.StageOne(maml(must_improve=False), 3), n_seeds=3),
    "auto": ts.AutoBias(
        2, [ts.StageOne(ts.WeightAveraging(n_seeds=2)), maml(n_seeds=2, must_improve=False)], 2
    ),
}


def parameters(estimator) -> dict[str, str]:
    """Return all parameters, including those of nested estimators, as text."""
    return {k: repr(v) for k, v in estimator.get_params().items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", KEPT)
def test_every_bias_survives_its_file(name: str, tmp_path: Path) -> None:
    """Parameters, nested ones too, the summary, the bias used, and the rows."""
    model = tuned(KEPT[name], fine_tuning=Training(steps=10, warm_up=10)).fit(example_table(40))
    model.save(tmp_path / "m.tabseed")
    again = ts.load(tmp_path / "m.tabseed")
    assert parameters(again) == parameters(model)
    assert type(again.bias_) is type(model.bias_)
    assert parameters(again.bias_) == parameters(model.bias_)
    assert again.summary() == model.summary()
    assert again.sample(20).equals(model.sample(20))
    assert clone(again).fit(example_table(40)).sample(20).equals(model.sample(20))


def test_every_registered_bias_is_saved_above() -> None:
    assert BIASES.keys() <= KEPT.keys()
    assert {type(bias) for bias in KEPT.values()} == {bias_class(name) for name in BIASES}
