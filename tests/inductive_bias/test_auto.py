"""The choice of a bias: on rows that no candidate saw, and as rarely wrong as stated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import tabseed as ts
from helpers.biases import assert_equal_weights, maml, tuned, vaebgm
from tabseed.errors import TabseedError, TooFewRowsError
from tabseed.generators.neural.stopping import Training
from tabseed.inductive_bias.base import Bench, InductiveBias, learn
from tabseed.inductive_bias.maml import MetaTraining
from tabseed.testing import example_table
from tabseed.testing.biases import example_bench

# averages of seeds that share nothing warn
pytestmark = pytest.mark.filterwarnings("ignore::tabseed.OrthogonalSeedsWarning")


def test_a_harmful_bias_is_not_chosen() -> None:
    """An average that is negated and not trained again: nats worse on held-out rows."""
    bias = ts.AutoBias(n_seeds=2, candidates=[Wrecking(n_seeds=2)], folds=2)
    table = example_table(60)
    model = tuned(bias).fit(table)
    assert isinstance(model.bias_, ts.StageOne)
    text = "\n".join(model.summary())
    assert "none is reliably better than no bias: none is used" in text and "Wrecking: -" in text
    assert model.sample(30).equals(vaebgm(random_state=0).fit(table).sample(30))


class Wrecking(ts.WeightAveraging):
    """An average, negated, and not trained again."""

    def plan(self):
        return replace(super().plan(), last="judge")

    def _initial_weights(self, ensemble, bench):
        weights = super()._initial_weights(ensemble, bench)
        return {k: -v for k, v in weights.items()}


@pytest.mark.parametrize("criterion", ["likelihood", "divergence"])
def test_a_bias_that_reliably_helps_is_chosen(criterion) -> None:
    """Networks stopped after 10 steps gain by more; the result is that of the bias chosen."""
    bench = example_bench()
    bench.model.training = Training(steps=10, warm_up=10)
    more = Training(steps=150, warm_up=10)
    bench = Bench(bench.model, bench.x, bench.layout, bench.stream, bench.journal, more)
    candidates = [Wrecking(n_seeds=2), ts.Continued(n_seeds=2)]
    auto = ts.AutoBias(candidates=candidates, folds=2, criterion=criterion)
    model, bias = learn(auto, bench)
    assert isinstance(bias, ts.Continued) and auto.chosen_ == 1
    assert auto.gains_.shape == (80, 2) and np.isfinite(auto.gains_).all()
    assert auto.gains_[:, 1].mean() > 0 > auto.gains_[:, 0].mean()
    direct, _ = learn(ts.Continued(n_seeds=2), bench)
    assert_equal_weights(model.weights_, direct.weights_)


def test_the_summary_includes_that_of_the_chosen_bias() -> None:
    bias = ts.AutoBias(candidates=[ts.WeightAveraging(n_seeds=2)], folds=2)
    early = Training(steps=10, warm_up=10)
    model = ts.FineTuned(
        vaebgm(training=early), bias, fine_tuning=Training(steps=150), random_state=0
    )
    text = "\n".join(model.fit(example_table(80)).summary())
    assert "WeightAveraging is used" in text and "average of 2 seeds" in text


@pytest.mark.slow
def test_gains_are_of_rows_that_no_candidate_saw() -> None:
    """Replacing one row changes all gains except those of rows held out with it."""
    gains = []
    for row in (3, 40):
        bench = example_bench()
        x = bench.x.copy()
        x[3] = x[row]
        bench = Bench(bench.model, x, bench.layout, bench.stream, bench.journal)
        bias = ts.AutoBias(candidates=[ts.Continued(n_seeds=2)], folds=2)
        learn(bias, bench)
        gains.append(bias.gains_[:, 0])
    same = np.isclose(*gains, rtol=1e-9, atol=1e-9)
    assert same.sum() == 39 and not same[3]


@pytest.mark.parametrize("criterion", ["likelihood", "divergence"])
def test_a_candidate_that_changes_nothing_gains_nothing(criterion) -> None:
    """A mixture of one seed is the generator itself: the same noise, so 0 in every row."""
    bench = example_bench()
    bench.model.n_seeds = 1
    same = ts.SeedMixture(n_seeds=1, rotate=False)
    bias = ts.AutoBias(candidates=[same], folds=2, criterion=criterion)
    learn(bias, bench)
    assert not bias.gains_.any() and bias.chosen_ is None


@pytest.mark.parametrize("criterion", ["likelihood", "divergence"])
def test_a_candidate_that_learns_nothing_is_not_chosen(criterion) -> None:
    wild = MetaTraining(20, 20, inner_steps=1, steps=2, check_every=1, rate=100.0)
    candidates = [maml(n_seeds=2, meta=wild), ts.SmallInit(n_seeds=2)]
    bias = ts.AutoBias(candidates=candidates, folds=2, criterion=criterion)
    learn(bias, example_bench())
    assert "MAML: learns nothing here" in bias.summary()


@pytest.mark.slow
@pytest.mark.parametrize(
    "candidates",
    [
        [ts.StageOne(ts.WeightAveraging(2), 2)],
        [ts.DomainRandomizedSearch(2, 40), ts.DomainRandomizedSearch(2, 40, seed_weights="loss")],
        [ts.StageOne(ts.Pretraining(2, 40), 2), ts.StageOne(ts.Pretraining(2, 80), 2)],
    ],
)
def test_candidates_of_one_class_are_told_apart(candidates: list[InductiveBias]) -> None:
    bias = ts.AutoBias(candidates=candidates, folds=2)
    learn(bias, example_bench())
    distinct = {column.tobytes() for column in bias.gains_.T}
    assert len(distinct) == len(candidates)
    assert bias.gains_.any(axis=0).all()  # and none is mistaken for no bias


def test_what_is_compared_by_default_is_named_with_its_teacher() -> None:
    bias = ts.AutoBias(n_seeds=4)
    bias.gains_, bias.chosen_ = np.zeros((20, 3)), None
    assert [line.split(":")[0] for line in bias.summary()[1:4]] == [
        "SeedMixture",
        "Pretraining taught by SequentialTrees",
        "SeedMixture of Pretraining taught by SequentialTrees",
    ]
    seeds = [b.n_seeds for b in bias._candidates()]
    assert seeds == [4, 4, 4] and bias._candidates()[2].bias.n_seeds == 4


def test_choice_errs_as_rarely_as_stated() -> None:
    """No true gain, 2,000 times: a bias is chosen in at most 5 %, within 4 standard errors.

    The best of six biases is tested; gains have the tails of Student's t. False alarm below
    1e-4. A gain of one standard deviation is always found.
    """
    rng = np.random.default_rng(0)
    bias = ts.AutoBias()
    chosen = []
    for _ in range(2_000):
        bias.gains_ = rng.standard_t(4, (60, 6))
        chosen.append(bias._choose() is not None)
    assert np.mean(chosen) < 0.05 + 4 * (0.05 * 0.95 / 2_000) ** 0.5
    bias.gains_ = rng.normal(size=(60, 6)) + np.eye(6)[2]
    assert bias._choose() == 2
    bias.gains_[7, 2] = -np.inf
    assert bias._choose() is None
    bias.gains_ = rng.normal(size=(60, 6)) - 1
    assert bias._choose() is None


def test_choice_refuses_what_it_cannot_judge() -> None:
    with pytest.raises(TooFewRowsError, match="3 folds needs at least 15 rows, got 14"):
        tuned(ts.AutoBias(candidates=[ts.SmallInit(2)])).fit(example_table(14))
    for fault in ({"folds": 1}, {"candidates": []}):
        with pytest.raises(TabseedError, match=f"AutoBias: {next(iter(fault))}=.* is not"):
            tuned(ts.AutoBias(**fault)).fit(example_table(60))


def test_generators_without_a_likelihood_are_judged_by_divergence() -> None:
    brief = Training(steps=12, warm_up=5, validate_every=5)
    inner = ts.CTGAN(hidden_dim=16, n_seeds=2, training=brief, device="cpu")
    few = [ts.Continued(n_seeds=2)]
    with pytest.raises(TabseedError, match="criterion='divergence'"):
        ts.FineTuned(inner, ts.AutoBias(candidates=few, folds=2)).fit(example_table(60))
    auto = ts.AutoBias(candidates=few, folds=2, criterion="divergence")
    model = ts.FineTuned(inner, auto).fit(example_table(60))
    assert "divergence of 60 rows" in "\n".join(model.summary())
