"""Two-player networks: gradient penalty, conditions, energy distance, averaged weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import chisquare

import tabseed as ts
from helpers.players import HOW, stacked
from tabseed._random import child, seed_sequence
from tabseed.coding.encode import TableEncoder
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.critic import critic_loss, score_slope
from tabseed.generators.neural.ensemble import Options, train_ensemble
from tabseed.generators.neural.modes import ModeCoding
from tabseed.generators.neural.players import AdversarialNetworks, _within


def networks(encoder: TableEncoder, pac: int = 2, matching: float = 1.0) -> AdversarialNetworks:
    return AdversarialNetworks(ModeCoding(encoder.layout_, 10), 3, 8, pac, matching)


def critic_by_hand(network, weights, rows, condition, masks):
    """Scores of packs, layer by layer, which torch can differentiate."""
    inner = (
        rows @ weights["critic.rows.weight"]
        + condition @ weights["critic.condition.weight"]
        + weights["critic.bias"]
    )
    hidden = torch.nn.functional.leaky_relu(inner, 0.2) * masks[0]
    inner = hidden @ weights["critic.hidden.weight"] + weights["critic.hidden.bias"]
    hidden = torch.nn.functional.leaky_relu(inner, 0.2) * masks[1]
    return (hidden @ weights["critic.last.weight"])[..., 0]


def test_gradient_penalty_is_that_of_double_differentiation(encoded) -> None:
    """The critic's loss and its gradient, compared with torch's own second derivatives."""
    _, encoder = encoded
    network = networks(encoder)
    weights = {k: v for k, v in stacked(network, 2).items() if k.startswith("critic.")}
    rng = np.random.default_rng(1)

    def draw(*shape):
        return torch.from_numpy(rng.normal(size=shape))

    packs, width = 6, 2 * network.n_visible
    real, fake = draw(2, packs, width), draw(2, packs, width)
    condition = draw(2, packs, 2 * len(network.level_inputs))
    between = torch.from_numpy(rng.random((2, packs, 1)))
    masks = tuple(torch.from_numpy(2.0 * (rng.random((2, packs, 8)) < 0.5)) for _ in range(2))
    loss, gap, slopes = critic_loss(weights, (real, fake, condition), between, masks)

    scores = [critic_by_hand(network, weights, r, condition, masks) for r in (real, fake)]
    mixed = (between * real + (1 - between) * fake).requires_grad_()
    score = critic_by_hand(network, weights, mixed, condition, masks)
    slope = torch.autograd.grad(score.sum(), mixed, create_graph=True)[0]
    penalty = 10 * (slope.norm(dim=-1) - 1).square().mean(-1)
    expected = scores[1].mean(-1) - scores[0].mean(-1) + penalty
    assert torch.allclose(loss, expected, atol=1e-9)
    assert torch.allclose(gap, scores[0].mean(-1) - scores[1].mean(-1), atol=1e-9)
    gradient = torch.autograd.grad(expected.sum(), list(weights.values()))
    assert slopes.keys() == weights.keys()
    for name, of_graph in zip(weights, gradient, strict=True):
        assert torch.allclose(slopes[name], of_graph, atol=1e-8), name
    fake.requires_grad_()
    score = critic_by_hand(network, weights, fake, condition, masks).mean(-1)
    by_rows = torch.autograd.grad(score.sum(), fake)[0]
    assert torch.allclose(score_slope(weights, fake, condition, masks), by_rows, atol=1e-12)


def test_softmax_and_loss_of_conditions_are_those_of_each_column(encoded) -> None:
    """Values and gradients in float64, compared with torch's softmax, column by column."""
    x, encoder = encoded
    network = networks(encoder)
    coding, rng = network.coding, np.random.default_rng(2)
    network.member, network.mode_member = network.member.double(), network.mode_member.double()
    network.condition_member = network.condition_member.double()
    logits, gumbel, upstream = (
        torch.from_numpy(scale * rng.normal(size=(2, 30, coding.n_levels)))
        for scale in (3.0, 30.0, 1.0)
    )
    numbers = torch.zeros(2, 30, coding.n_numbers, dtype=torch.float64)
    logits.requires_grad_()
    parts = ((logits + gumbel) / 0.2).split(coding.sizes, dim=-1)
    expected = torch.cat([part.softmax(-1) for part in parts], dim=-1)
    shares = network.soft(logits, numbers, gumbel)[..., : coding.n_levels]
    torch.testing.assert_close(shares, expected)
    pair = [torch.autograd.grad((s * upstream).sum(), logits)[0] for s in (shares, expected)]
    torch.testing.assert_close(*pair)

    rows = network.rows(x)
    index = network.index(rows, np.arange(len(rows)))
    picks = torch.from_numpy(network.picks(index, 60, rng).reshape(2, 30))
    sample = network.gather(torch.from_numpy(rows), picks).double()
    condition = sample[..., network.n_visible :]
    log_p = [
        part.log_softmax(-1)
        for part, column in zip(logits.split(coding.sizes, dim=-1), coding.columns, strict=True)
        if column.discrete
    ]
    expected = -(torch.cat(log_p, dim=-1) * condition).sum(-1).mean(-1)
    loss = network._condition_loss(logits, sample, condition)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(*(torch.autograd.grad(v.sum(), logits)[0] for v in (loss, expected)))


def test_rows_are_sampled_to_match_conditions_by_log_frequency(encoded) -> None:
    """Columns equally often, levels by log(1 + count), rows of the level equally often.

    Chi-square tests at level 1e-4, fixed seed.
    """
    x, encoder = encoded
    network = networks(encoder)
    rows, indices = network.rows(x), np.arange(0, len(x), 2)
    size = 20_000
    picks = network.picks(network.index(rows, indices), size, np.random.default_rng(3))
    sample = network.gather(torch.from_numpy(rows), torch.from_numpy(picks)[None])[0].numpy()
    own, condition = sample[:, : network.n_visible], sample[:, network.n_visible :]
    assert (condition.sum(axis=1) == 1).all()
    assert (
        (own[:, network.level_inputs] * condition).sum(axis=1) == 1
    ).all()  # the row has that level
    counts = rows[indices][:, network.level_inputs].sum(axis=0)
    member = network.condition_member.numpy()
    weight = np.log1p(counts) * member
    share = (weight / weight.sum(axis=1, keepdims=True)).sum(axis=0) / len(member)
    times = condition.sum(axis=0)
    assert (times[counts == 0] == 0).all()
    assert chisquare(times[counts > 0], size * share[counts > 0]).pvalue > 1e-4
    level = int(np.argmax(counts))
    picked = picks[condition[:, level] == 1] // len(member)
    candidates = indices[rows[indices][:, network.level_inputs[level]] == 1]
    assert set(picked) <= set(candidates)
    times = np.array([(picked == index).sum() for index in candidates])
    assert chisquare(times).pvalue > 1e-4


def test_energy_distance_is_that_of_all_pairs() -> None:
    points = np.random.default_rng(0).normal(size=(1, 40, 5))
    pairs = cdist(points[0], points[0])
    assert float(_within(torch.from_numpy(points))[0]) == pytest.approx(pairs.sum() / (40 * 39))
    assert float(_within(torch.zeros(1, 1, 5))[0]) == 0


def test_averaged_generator_is_the_mean_over_steps(encoded) -> None:
    """After one step the average has moved a hundredth of the way of the generator."""
    x, encoder = encoded
    network = networks(encoder)
    rows, split = network.rows(x), Split.draw(len(x), 0.2, seed_sequence(0))

    def after(steps: int):
        training = replace(HOW, steps=steps, warm_up=steps, validate_every=1)
        return train_ensemble(network, rows, split, training, [seed_sequence(1)]).weights

    before, result = after(0), after(1)
    for name, start in before.items():
        if name.startswith("generator."):
            assert name == "generator.bias" or not np.array_equal(start, result[name])
            mean = result[name.replace("generator.", "average.")]
            assert np.allclose(mean - start, (result[name] - start) / 100, atol=1e-7), name


def test_rows_drawn_do_not_depend_on_their_neighbours(encoded) -> None:
    _, encoder = encoded
    network = networks(encoder)
    weights = stacked(network, 1)
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.normal(size=(1, 50, 3)))
    condition = torch.zeros(1, 50, len(network.level_inputs), dtype=torch.float64)
    used = network.outputs(weights, z, condition)[2]
    whole = network.outputs(weights, z, condition, used)
    part = network.outputs(weights, z[:, :5], condition[:, :5], used)
    for one, two in zip(whole[:2], part[:2], strict=True):
        assert torch.allclose(one[:, :5], two, atol=1e-12)


def test_a_monitor_chooses_and_stops_both_players(encoded) -> None:
    x, encoder = encoded
    network = networks(encoder)
    rows, split = network.rows(x), Split.draw(len(x), 0.2, seed_sequence(0))
    training = ts.Training(steps=500, warm_up=0, validate_every=5, patience=3)

    def monitor(step, seeds, weights):
        assert {name.partition(".")[0] for name in weights} == {"generator", "average", "critic"}
        return np.array([1.0 + abs(step - 5 * (1 + seed)) for seed in seeds])

    streams = [child(seed_sequence(0), seed) for seed in range(2)]
    options = Options(monitor=monitor)
    ensemble = train_ensemble(network, rows, split, training, streams, options=options)
    assert ensemble.best_step.tolist() == [5, 10]
    assert [curve[-1, 0] for curve in ensemble.curves] == [20, 25]
