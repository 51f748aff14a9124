"""CTGAN: damaged files, and the biases that suit it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import tabseed as ts
from helpers.players import HOW, bench_of, small
from tabseed._random import seed_sequence
from tabseed.testing import example_table

# --- CTGAN --------------------------------------------------------------------------------------


def test_a_model_with_damaged_laws_is_refused(tmp_path) -> None:
    model = small(ts.CTGAN, random_state=0).fit(example_table(60))
    share = model.laws_[0]["share"]
    for name, value in (("variance0", -model.laws_[0]["variance0"]), ("share", share[1:]),
                        ("mean1", model.laws_[0]["mean1"] * np.inf)):  # fmt: skip
        law = dict(model.laws_[0])
        model.laws_[0][name] = value
        model.save(tmp_path / "m", force=True)
        model.laws_[0] = law
        with pytest.raises(ts.FileError, match=name):
            ts.load(tmp_path / "m")


# --- inductive bias -----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::tabseed.OrthogonalSeedsWarning")
@pytest.mark.parametrize("cls", [ts.CTGAN, ts.TVAE])
def test_fine_tuning_starts_from_the_pre_trained_weights(cls) -> None:
    """Without a step of fine-tuning the weights of both players are the bias's, bit for bit."""
    bench = bench_of(small(cls))
    ensemble = bench.first_seeds(2)
    fresh = bench.model.network_.initial_weights(np.random.default_rng(0))
    for bias in (ts.Pretraining(n_seeds=2, n_rows=60), ts.WeightAveraging(n_seeds=2),
                 ts.DomainRandomizedSearch(n_seeds=2, n_rows=60)):  # fmt: skip
        initial = bias.initial_weights(ensemble, bench)
        none = replace(HOW, steps=0, warm_up=0)
        name = type(bias).__name__ + ", no steps"
        tuned = bench.train(name, [seed_sequence(1)], bench.split(), training=none, initial=initial)
        assert set(tuned.weights) == set(initial) == set(fresh)
        for key, value in initial.items():
            assert tuned.weights[key].tobytes() == value[:1].tobytes(), f"{name}: {key}"


def test_biases_that_do_not_suit_ctgan_refuse_before_training() -> None:
    bench = bench_of(small(ts.CTGAN))
    with pytest.raises(ts.TabseedError, match="MAML follows the gradient of one loss; CTGAN has"):
        ts.MAML(n_seeds=2).resolve(bench)
    with pytest.raises(ts.TabseedError, match="AutoBias compares likelihoods of rows; CTGAN has"):
        ts.AutoBias(n_seeds=2).resolve(bench)
    assert not bench.journal.finished
    model = small(ts.CTGAN, random_state=0).fit(example_table(60))
    with pytest.raises(ts.TabseedError, match="CTGAN has no likelihood of its rows"):
        model.log_likelihood(example_table(60))
    assert "energy distance" in model.summary()[0]
