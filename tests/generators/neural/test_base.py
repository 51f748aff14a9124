"""What every network has: the criterion by which weights are kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import logsumexp

import tabseed as ts
from tabseed._random import child
from tabseed.errors import TabseedError
from tabseed.generators.base import FIT
from tabseed.generators.neural.base import LATENT, SPLIT
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.stopping import Training
from tabseed.table import Table
from tabseed.testing import check_interrupted_training_goes_on, example_table

DRAWN = Training(steps=30, warm_up=10, validate_every=10, criterion="drawn")


def test_the_criterion_drawn_is_the_likelihood_under_the_law_of_the_rows() -> None:
    """By brute force: 40,000 codes from the mixture of the training rows, p(x) the mean of p(x|z).

    Within 0.05 nats a row; the network's own loss is 0.1 away.
    """
    table = example_table(60)
    how = {"hidden_dim": 16, "latent_dim": 2, "n_seeds": 2, "device": "cpu", "random_state": 0}
    model = ts.VAEBGM(training=DRAWN, **how).fit(table)
    stream = child(model._stream, FIT)
    split = Split.draw(60, 0.2, child(stream, SPLIT))
    network, seed = model.network_, model.drawn_[0]
    rows = network.rows(model.encoder_.transform(Table.from_frame(table)))
    model._learn_latent(rows, split.of_seeds(2), child(stream, LATENT))
    z = model.mixtures_[0].sample(40_000, np.random.default_rng(1)).astype(np.float32)
    held = torch.from_numpy(rows[split.validation[0]])
    with torch.no_grad():
        log_p = network.log_likelihoods(model._stacked(0), held, torch.from_numpy(z))
    brute = logsumexp(log_p.double().numpy(), axis=1) - np.log(len(z))
    assert abs(model.ensemble_.best_loss[seed] + brute.mean()) < 0.05
    plain = ts.VAEBGM(training=Training(30, warm_up=10, validate_every=10), **how).fit(table)
    assert abs(plain.ensemble_.best_loss[seed] + brute.mean()) > 0.1


def test_training_by_likelihood_resumes_with_the_pull() -> None:
    training = Training(steps=24, warm_up=0, validate_every=2, criterion="drawn", pull=10.0)
    check_interrupted_training_goes_on(
        ts.VAEBGM(hidden_dim=8, n_seeds=2, training=training, device="cpu")
    )


@pytest.mark.parametrize("cls", [ts.TVAE, ts.CTGAN])
def test_generators_without_likelihood_refuse_the_criterion(cls) -> None:
    with pytest.raises(TabseedError, match=f"{cls.__name__} has no likelihood .* 'drawn'"):
        cls(training=DRAWN, n_seeds=1).fit(example_table(40))


def test_diverged_seeds_have_no_likelihood() -> None:
    """Weights that are not finite never become the best."""
    training = Training(steps=4, warm_up=0, validate_every=1, criterion="drawn", learning_rate=1e38)
    model = ts.VAEBGM(hidden_dim=8, n_seeds=2, training=training, device="cpu", random_state=0)
    model.fit(example_table(40))
    assert (model.ensemble_.best_step == 0).all()
