"""The second training: what each bias starts from, learns and refuses."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import tabseed as ts
from helpers.biases import NONE, assert_equal_weights, tuned, vaebgm
from tabseed._random import child
from tabseed.errors import TabseedError
from tabseed.generators.base import FIT, Aids
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.stopping import Training
from tabseed.inductive_bias import bias_class
from tabseed.inductive_bias.base import Bench, learn, second_training
from tabseed.inductive_bias.journal import Journal
from tabseed.table import Table
from tabseed.testing import example_table
from tabseed.testing.biases import example_bench

# averages of seeds that share nothing warn
pytestmark = pytest.mark.filterwarnings("ignore::tabseed.OrthogonalSeedsWarning")


def bench_of(model: ts.FineTuned, table: pa.Table) -> Bench:
    """Return a bench like that of a fitted model, made by hand."""
    x = model.encoder_.transform(Table.from_frame(table))
    stream = child(model._stream, FIT)
    journal = Journal(Aids(None, None), 1)
    return Bench(model.generator, x, model.encoder_.layout_, stream, journal)


@pytest.mark.parametrize("name", ["continued", "average", "pretrain", "small-init"])
def test_without_a_step_the_initial_weights_stay(name: str) -> None:
    """Bit for bit, without a second training as with one of no steps, and a warning says so."""
    table = example_table(60)
    more = {"n_rows": 60} if name == "pretrain" else {}
    bias = bias_class(name)(n_seeds=2, **more)
    with pytest.warns(ts.NotTunedWarning, match=f"{type(bias).__name__} took no step"):
        model = tuned(bias, fine_tuning=NONE).fit(table)
    assert "second training: no step, the weights are those of the bias" in model.summary()
    bench = bench_of(model, table)
    initial = bias.initial_weights(bench.first_seeds(2), bench)
    for key, value in model.ensemble_.weights.items():
        assert len(value) == 2
        assert np.array_equal(value, np.broadcast_to(initial[key], value.shape)), key
    control = tuned(ts.StageOne(bias, n_seeds=2)).fit(table)
    assert_equal_weights(control.ensemble_.weights, initial)


@pytest.mark.filterwarnings("ignore::tabseed.NotTunedWarning")
def test_continued_seeds_improve_or_stay_without_a_warm_up() -> None:
    """Then, in the second training of weights that have learned, step 0 may be the best."""
    table = example_table(60)
    free = Training(steps=40, patience=3, warm_up=0)
    model = tuned(ts.Continued(n_seeds=2), fine_tuning=free).fit(table)
    bench = bench_of(model, table)
    first = bench.first_seeds(2).ranked()
    assert bench.split().validation.shape[1] == 12
    for seed, curve in enumerate(model.ensemble_.curves):
        assert curve[0, 0] == 0 and np.isfinite(curve[0, 2])
        assert model.ensemble_.best_loss[seed] <= curve[0, 2]
        assert abs(curve[0, 2] - first.best_loss[seed]) < 1  # other noise, same weights


@pytest.mark.parametrize("bias", [ts.StageOne(ts.WeightAveraging(2), 2), ts.Continued(2)])
def test_the_authors_stopper_suits_every_bias(bias) -> None:
    """Rows are drawn, even without a second training."""
    training = Training(steps=10, stopper="paper", patience=5)
    model = ts.FineTuned(vaebgm(paper=True, training=training), bias, random_state=0)
    assert len(model.fit(example_table(40)).sample(7)) == 7


def test_each_rotating_seed_sets_aside_other_rows() -> None:
    bench = example_bench()
    assert ts.SeedMixture(n_seeds=5).plan().first == "rotating"
    assert ts.SeedMixture(ts.WeightAveraging(), n_seeds=5).plan().first == "shared"
    validation = bench.split(5).validation
    assert sorted(validation.ravel()) == list(range(80))
    model, _ = learn(ts.SeedMixture(n_seeds=5), bench)
    assert model.drawn_ == (0, 1, 2, 3, 4) and "5 seeds, rotating" in bench.journal.finished


@pytest.mark.parametrize("wrapper", [ts.StageOne, ts.SeedMixture])
def test_a_wrapped_bias_gets_its_own_number_of_seeds(wrapper) -> None:
    bench = example_bench()
    bias = wrapper(ts.WeightAveraging(n_seeds=2))
    learn(bias, bench)
    assert "2 seeds" in bench.journal.finished and "average of 2 seeds" in bias.summary()[0]


@pytest.mark.parametrize("bias", [ts.WeightAveraging(n_seeds=0), ts.SmallInit(n_seeds=0)])
def test_no_seeds_are_refused(bias) -> None:
    with pytest.raises(TabseedError, match="n_seeds"):
        learn(bias, example_bench())


def test_a_second_training_is_slower_and_does_not_keep_the_start() -> None:
    """Even where the start has the smallest loss: one that learned from the rows set aside too."""
    assert second_training(Training()) == Training(learning_rate=2e-4, warm_up=50)
    paper = Training(steps=10, stopper="paper")
    assert second_training(paper) == paper
    bench = example_bench()
    own = Training(steps=7, warm_up=7, learning_rate=1e-3)
    assert Bench(*_parts(bench), own).tuning == own
    assert bench.tuning == second_training(bench.training)


def _parts(bench: Bench) -> tuple:
    return bench.model, bench.x, bench.layout, bench.stream, bench.journal


@pytest.mark.parametrize(
    "bias", [ts.Pretraining(2, n_rows=2_000), ts.Continued(2), ts.SmallInit(2)]
)
def test_the_curve_and_the_steps_of_a_second_training_are_said(bias) -> None:
    """Every bias is tuned alike, and the seed drawn from has steps, a curve and a line of text."""
    first = Training(steps=120, warm_up=20, patience=4)
    model = ts.FineTuned(vaebgm(training=first), bias, random_state=0).fit(example_table(60))
    (seed,) = model.generator_.drawn_
    steps = model.ensemble_.best_step[seed]
    assert 50 <= steps <= 120
    curve = model.tuning_curves_[seed]
    assert curve[0, 0] == 0 and steps in curve[:, 0] and curve.shape[1] == 3
    assert f"second training: {steps} steps from the weights of the bias" in model.summary()


def test_without_a_second_training_there_is_no_curve() -> None:
    model = tuned(ts.StageOne(ts.SmallInit(2), 2)).fit(example_table(40))
    assert model.tuning_curves_ == []
    assert "no second training: the weights are those of the bias" in model.summary()
    model = tuned(ts.SeedMixture(n_seeds=2)).fit(example_table(40))
    assert model.tuning_curves_ == [] and "second" not in " ".join(model.summary())


class Knowing(ts.Continued):
    """Weights that have learned only the rows set aside: every step raises their loss."""

    def _initial_weights(self, ensemble, bench):
        split = bench.split()
        turned = Split(split.validation, split.validation)
        how = Training(steps=600, warm_up=0, patience=60, learning_rate=1e-2)
        return bench.train("knowing", [bench.stream], turned, training=how).weights


def test_the_start_is_not_kept_where_the_loss_favours_it() -> None:
    """The fault of before: no warm-up, and a start with the smallest loss; a warning says so."""
    first = Training(steps=150, warm_up=20, patience=3, learning_rate=2e-2)
    for own, least in ((None, 50), (replace(second_training(first), warm_up=0), 0)):
        bench = example_bench()
        bench.model.training = first
        bench = Bench(*_parts(bench), own)
        with nullcontext() if least else pytest.warns(ts.NotTunedWarning):
            model, _ = learn(Knowing(n_seeds=2), bench)
        curve = model.ensemble_.curves[model.drawn_[0]]
        assert curve[:, 2].argmin() == 0
        assert model.ensemble_.best_step[model.drawn_[0]] == least
