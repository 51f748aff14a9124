"""VAEBGM: its network, its likelihoods of all rows, its latent mixtures."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pyarrow as pa
import pytest
import torch

import tabseed as ts
from helpers.networks import BRIEF
from tabseed._random import child, seed_sequence
from tabseed.coding.encode import TableEncoder
from tabseed.errors import SchemaError
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.learner import Network
from tabseed.generators.neural.stopping import Training
from tabseed.generators.neural.vaebgm import CellNetwork
from tabseed.table import Table
from tabseed.testing import example_table
from tabseed.testing.meta_learning import in_double

# --- networks -----------------------------------------------------------------------------------


def test_stable_network_begins_at_the_product_of_marginals() -> None:
    """The first loss is the entropy of the columns, up to the noise of untrained layers."""
    table = Table.from_frame(example_table(300))
    encoder = TableEncoder().fit(table)
    x, layout = encoder.transform(table), encoder.layout_
    network = CellNetwork(layout, 4, 64, 1.0)
    rows = network.rows(x)
    weights = {
        k: torch.from_numpy(v)[None]
        for k, v in network.initial_weights(np.random.default_rng(0)).items()
    }
    noise = torch.zeros(1, len(rows), 4)
    loss = float(network.loss(weights, torch.from_numpy(rows)[None], noise, train=True)[0])
    entropy = 0.0
    for block in layout.free:
        share = x[:, block.cells].mean(axis=0)
        entropy -= float((share[share > 0] * np.log(share[share > 0])).sum())
    assert loss == pytest.approx(entropy, rel=0.1)


def test_curves_alone_give_a_parabola_over_numbers_and_0_elsewhere() -> None:
    """With free weights 0 the logits of a number are a parabola in the scores of its cells."""
    table = Table.from_frame(example_table(300))
    encoder = TableEncoder().fit(table)
    x, layout = encoder.transform(table), encoder.layout_
    network = CellNetwork(layout, 3, 16, 1.0)
    network.rows(x)
    weights = {
        k: torch.from_numpy(v)[None]
        for k, v in network.initial_weights(np.random.default_rng(0)).items()
    }
    weights["cells.weight"] = torch.zeros_like(weights["cells.weight"])
    z = torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(0))
    logits = (network.decode(weights, z) - weights["cells.bias"])[0].numpy()
    at = 0
    for block in layout.free:
        size = len(block.atoms) + len(block.knots)
        own = logits[:, at : at + size]
        if block.numeric:
            score = block.score(np.concatenate([block.atoms, block.knots.mean(axis=1)]))
            for row in own:
                fitted = np.polynomial.Polynomial.fit(score, row, 2)(score)
                assert np.abs(fitted - row).max() < 1e-4
            assert own.std() > 0.01
        else:
            assert not own.any()
        assert not logits[:, at + size : at + block.n_cells].any()  # missing
        at += block.n_cells


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_written_gradient_is_that_of_autograd(scale) -> None:
    """Losses and gradients of three seeds, in float64; also with log-variances at both bounds."""
    table = Table.from_frame(example_table(60))
    encoder = TableEncoder().fit(table)
    network = CellNetwork(encoder.layout_, 3, 16, 0.3)
    rows = torch.from_numpy(network.rows(encoder.transform(table))).double().reshape(3, 20, -1)
    rng = np.random.default_rng(0)
    seeds = [network.initial_weights(rng) for _ in range(3)]
    weights = {k: torch.from_numpy(np.stack([s[k] for s in seeds])).double() for k in seeds[0]}
    weights["code.weight"] *= scale
    noise = torch.from_numpy(rng.standard_normal((3, 20, 3)))
    network = in_double(network)
    if scale > 1:
        bounds = network.encode(weights, rows)[1]
        assert (bounds == -8).any() and (bounds == 2).any() and (abs(bounds) < 2).any()
    losses, slopes = network.slopes(weights, rows, noise)
    expected, of_graph = Network.slopes(network, weights, rows, noise)
    torch.testing.assert_close(losses, expected)
    torch.testing.assert_close(network.held_loss(weights, rows, noise), expected)
    assert slopes.keys() == of_graph.keys() == weights.keys()
    for name, slope in slopes.items():
        torch.testing.assert_close(slope, of_graph[name])


# --- the generator ------------------------------------------------------------------------------


def test_every_row_respects_dependencies() -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 6, 120)
    name = np.array(["zero", "one", "two", "three", "four", "five"])[code]
    table = pa.table({"code": code, "name": name, "x": rng.normal(size=120)})
    synthetic = ts.VAEBGM(n_seeds=2, training=BRIEF, random_state=0).fit(table).sample(500)
    names = dict(zip(code.tolist(), name.tolist(), strict=True))
    pairs = zip(synthetic["code"].to_pylist(), synthetic["name"].to_pylist(), strict=True)
    assert all(names[c] == n for c, n in pairs)


@pytest.fixture(scope="module")
def tiny() -> ts.VAEBGM:
    """Three seeds on a table of 3 x 2 x 2 categories that depend on each other."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 3, 90), rng.random(90) < 0.3
    c = np.where(rng.random(90) < 0.8, (a > 0) & b, ~b)
    table = pa.table({"a": np.array(list("xyz"))[a], "b": b, "c": c})
    training = Training(steps=400, warm_up=100)
    return ts.VAEBGM(n_seeds=3, hidden_dim=16, training=training, random_state=0).fit(table)


def every_row(model: ts.VAEBGM) -> np.ndarray:
    """Return all possible rows of a table of categories, encoded."""
    layout = model.encoder_.layout_
    cells = [range(block.n_cells) for block in layout.free]
    rows = np.array(list(itertools.product(*cells)))
    return layout.from_cells(list(rows.T), np.random.default_rng(0))


def drawing_from(model: ts.VAEBGM, seeds: tuple[int, ...], x: np.ndarray) -> ts.VAEBGM:
    result = copy.copy(model)
    split = Split(np.arange(len(x))[None], np.arange(0)[None])
    result._settle(model.ensemble_, seeds, model.network_.rows(x), split, seed_sequence(3))
    return result


@pytest.mark.parametrize("seeds", [(1,), (0, 1, 2)])
def test_likelihoods_are_those_of_the_rows_drawn(tiny, seeds) -> None:
    """They sum to 1 over all possible rows, and each is the share of its row among the rows drawn.

    100,000 rows; within 5 standard errors for each of 12 (false alarm 7e-6 in all) and 2 % for
    the noise of the importance sampling. One seed.
    """
    x = every_row(tiny)
    assert len(x) == 12
    model = drawing_from(tiny, seeds, x)
    rows = model.network_.rows(x)
    p = np.exp(model._log_likelihood(rows, np.random.default_rng(1), n_shared=20_000))
    assert p.sum() == pytest.approx(1, abs=0.01)
    synthetic = model._sample(100_000, np.random.default_rng(2))
    shares = np.array([(synthetic == row).all(axis=1).mean() for row in x])
    assert shares.sum() == pytest.approx(1)
    assert (np.abs(shares - p) < 5 * np.sqrt(p / len(synthetic)) + 0.02 * p).all()


def test_few_importance_draws_understate_likelihoods(tiny) -> None:
    """The mean of 60 estimates with 2 codes lies below an estimate with 2,100."""
    x = every_row(tiny)
    rng = np.random.default_rng(0)
    estimates = []
    rows = tiny.network_.rows(x)
    for own, shared, times in ((1, 1, 60), (100, 2_000, 1)):
        repeated = [tiny._log_likelihood(rows, rng, own, shared) for _ in range(times)]
        estimates.append(np.mean(repeated, axis=0))
    few, many = estimates
    assert (few < many).mean() > 0.7 and few.mean() < many.mean()


def test_narrow_codes_do_not_hide_what_the_mixture_puts_elsewhere(tiny) -> None:
    """Posteriors far too narrow and far from the codes: the likelihood is still the same."""
    x = every_row(tiny)
    model = drawing_from(tiny, (0,), x)
    rows = model.network_.rows(x)
    true = model._log_likelihood(rows, np.random.default_rng(0))
    model._codes = lambda at, rows: (np.full((len(rows), 3), 9.0), np.full((len(rows), 3), -8.0))
    estimate = model._log_likelihood(rows, np.random.default_rng(0))
    np.testing.assert_allclose(estimate, true, atol=0.1)


@pytest.mark.parametrize("paper", [False, True])
def test_likelihoods_of_all_pairs_are_those_of_each(paper) -> None:
    table = Table.from_frame(example_table(30))
    encoder = TableEncoder().fit(table)
    network = ts.VAEBGM(paper=paper)._network(encoder.layout_)
    rows = torch.from_numpy(network.rows(encoder.transform(table)))
    weights = {
        k: torch.from_numpy(v)[None]
        for k, v in network.initial_weights(np.random.default_rng(0)).items()
    }
    z = torch.randn(5, network.latent_dim, generator=torch.Generator().manual_seed(0))
    pairs = network.log_likelihoods(weights, rows, z)
    for k, code in enumerate(z):
        each = network.log_likelihood(weights, rows[None], code.expand(1, 30, -1))[0]
        torch.testing.assert_close(pairs[:, k], each, rtol=1e-4, atol=1e-3)


def test_rows_come_from_several_seeds_in_equal_parts(tiny) -> None:
    """Each seed draws a single category, which shows the seed that a row comes from."""
    x = every_row(tiny)
    model = drawing_from(tiny, (0, 1, 2), x)
    model.weights_ = {k: np.zeros_like(v) for k, v in model.weights_.items()}
    block = model.encoder_.layout_.free[0]
    assert block.n_cells == 3
    model.weights_["cells.bias"][:, 0, :3] = 60 * np.eye(3) - 30
    for n in (0, 1, 2, 3, 90, 100):
        rows = model._sample(n, np.random.default_rng(n))
        parts = np.bincount(model.encoder_.layout_.cells(rows)[0], minlength=3)
        assert parts.sum() == len(rows) == n and np.ptp(parts) <= (n % 3 > 0)
    first = model.encoder_.layout_.cells(rows)[0][:20]
    assert len(set(first.tolist())) == 3  # seeds are mixed


def test_latent_laws_are_learned_from_the_rows_of_their_seed(tiny) -> None:
    """Each from its own part of the split; in a fitted model from all rows, with ``paper`` 80 %."""
    rows = tiny.network_.rows(np.repeat(every_row(tiny), 5, axis=0))
    split = Split.draw(60, 0.4, seed_sequence(1), n_seeds=3)
    several, alone = copy.copy(tiny), copy.copy(tiny)
    several._settle(tiny.ensemble_, (2, 1), rows, split, seed_sequence(3))
    for at, seed in enumerate((2, 1)):
        own = Split(split.train[[seed]], split.validation[[seed]])
        alone._settle(tiny.ensemble_, (seed,), rows, own, seed_sequence(3))
        assert np.array_equal(several.mixtures_[at].means, alone.mixtures_[0].means)
    assert not np.array_equal(several.mixtures_[0].means, several.mixtures_[1].means)
    training = Training(steps=5, stopper="paper")
    for paper, share in ((False, 1.0), (True, 0.8)):
        table = Table.from_frame(example_table(50))
        model = ts.VAEBGM(n_seeds=1, paper=paper, training=training, random_state=0).fit(table)
        rows = model.network_.rows(model.encoder_.transform(table))
        stream = child(model._stream, 0)
        split = Split.draw(50, 0.2, child(stream, 0))
        assert split.train.size == 40
        train = split.train if paper else np.arange(50)[None]
        assert train.size == 50 * share
        again = copy.copy(model)
        own = Split(train, split.validation)
        again._settle(model.ensemble_, (0,), rows, own, child(stream, 2))
        assert np.array_equal(again.mixtures_[0].means, model.mixtures_[0].means)


def test_a_single_row_comes_from_any_of_several_seeds(tiny) -> None:
    """40 rows drawn one by one from three seeds: all from one with probability 3 (1/3)^40."""
    x = every_row(tiny)
    model = drawing_from(tiny, (0, 1, 2), x)
    model.weights_ = {k: np.zeros_like(v) for k, v in model.weights_.items()}
    model.weights_["cells.bias"][:, 0, :3] = 60 * np.eye(3) - 30
    rows = np.concatenate([model._sample(1, np.random.default_rng(seed)) for seed in range(40)])
    assert len(set(model.encoder_.layout_.cells(rows)[0].tolist())) > 1


# --- files --------------------------------------------------------------------------------------


def test_log_likelihood_of_a_frame(tiny) -> None:
    """That of its encoded rows; rows drawn beat a uniform law; unknown values are refused."""
    frame = pa.table({"a": ["x", "y"], "b": [True, False], "c": [False, True]})
    estimate = tiny.log_likelihood(frame, random_state=4)
    rows = tiny.network_.rows(tiny.encoder_.transform(Table.from_frame(frame)))
    np.testing.assert_array_equal(estimate, tiny._log_likelihood(rows, np.random.default_rng(4)))
    synthetic = tiny.sample(400, random_state=0)
    assert tiny.log_likelihood(synthetic).mean() > -np.log(12)
    with pytest.raises(SchemaError, match="not seen"):
        tiny.log_likelihood(pa.table({"a": ["w"], "b": [True], "c": [True]}))
