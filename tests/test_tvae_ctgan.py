"""TVAE and CTGAN: their coding, losses and steps against closed forms and brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import chisquare, norm

import tabseed as ts
from tabseed._random import child, seed_sequence
from tabseed.coding.encode import TableEncoder
from tabseed.generators.base import Aids
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.ensemble import Options, train_ensemble
from tabseed.generators.neural.modes import ModeCoding
from tabseed.generators.neural.players import AdversarialNetworks, _within
from tabseed.inductive_bias.base import Stage
from tabseed.inductive_bias.journal import Journal
from tabseed.testing import example_table

HOW = ts.Training(steps=20, warm_up=5, validate_every=10)


@pytest.fixture(scope="module")
def encoded() -> tuple[np.ndarray, TableEncoder]:
    table = ts.Table.from_frame(example_table(200))
    encoder = TableEncoder().fit(table)
    return encoder.transform(table), encoder


def networks(encoder: TableEncoder, pac: int = 2, matching: float = 1.0) -> AdversarialNetworks:
    return AdversarialNetworks(ModeCoding(encoder.layout_, 10), 3, 8, pac, matching)


def stacked(network, seeds: int, dtype=torch.float64):
    drawn = [network.initial_weights(np.random.default_rng(s)) for s in range(seeds)]
    return {
        k: torch.from_numpy(np.stack([w[k] for w in drawn])).to(dtype).requires_grad_()
        for k in drawn[0]
    }


# --- coding -------------------------------------------------------------------------------------


def test_modes_of_two_distant_normals_are_theirs() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 1, 600), rng.normal(50, 2, 400)])
    encoder = TableEncoder().fit(ts.Table.from_frame(pa.table({"x": x})))
    column = ModeCoding(encoder.layout_, 10).numbers[0]
    mean = column.means[column.mode_of(x)]
    # the interval that holds the gap between the normals is neither's
    assert (np.abs(mean[:600]) < 3).mean() > 0.95 and (np.abs(mean[600:] - 50) < 6).mean() > 0.95
    assert np.median(column.widths[column.mode_of(x[:600])]) < 5  # of all: 25


def test_coding_gives_rows_back(encoded) -> None:
    """Atoms, categories, missing and dependent cells exactly, numbers to a 50th of their scale."""
    x, encoder = encoded
    coding = ModeCoding(encoder.layout_, 10)
    hot, places = coding.encode(x)
    assert (hot @ coding.member == 1).all() and np.abs(places).max() < 4
    levels = [hot[:, c.levels].argmax(axis=1) for c in coding.columns]
    back = coding.decode(levels, places.astype(float), np.random.default_rng(0))
    for block in encoder.layout_.blocks:
        real, found = (encoder.layout_.values(block, t) for t in (x, back))
        assert np.array_equal(np.isnan(real), np.isnan(found)), block.name
        gap = np.nan_to_num(np.abs(found - real))
        if block.is_discrete:
            assert gap.max() == 0, block.name
        else:
            ends = np.isin(real, [np.nanmin(real), np.nanmax(real)])
            assert gap[np.isin(real, block.atoms)].max(initial=0) == 0, block.name
            assert gap[~ends].max() < block.scale / 50 + block.step, block.name


def test_normal_places_give_back_the_law_of_a_mode(encoded) -> None:
    _, encoder = encoded
    column = ModeCoding(encoder.layout_, 10).numbers[0]
    level = (np.arange(1_000) + 0.5) / 1_000
    for k, law in enumerate(column.laws):
        values = column.restored(np.full(1_000, k), norm.ppf(level))
        assert np.allclose(np.quantile(values, [0.1, 0.5, 0.9]), np.quantile(law, [0.1, 0.5, 0.9]),
                           rtol=0.02, atol=0.02 * column.block.scale)  # fmt: skip


def test_modes_are_kept_with_a_model_and_checked(encoded) -> None:
    _, encoder = encoded
    coding = ModeCoding(encoder.layout_, 10)
    arrays = coding.to_arrays()
    again = ModeCoding.from_arrays(encoder.layout_, arrays)
    assert all(np.array_equal(again.to_arrays()[k], v) for k, v in arrays.items())
    for name, value in (("widths", -arrays["modes.widths"]), ("counts", arrays["modes.counts"][1:]),
                        ("means", arrays["modes.means"] * np.nan)):  # fmt: skip
        with pytest.raises(ValueError, match="modes"):
            ModeCoding.from_arrays(encoder.layout_, {**arrays, f"modes.{name}": value})


# --- TVAE ---------------------------------------------------------------------------------------


def test_tvae_likelihood_is_that_of_its_parts(encoded) -> None:
    """log p(x|z) row by row: softmax of each column, normal density of each number in a mode."""
    x, encoder = encoded
    network = ts.TVAE(latent_dim=3, hidden_dim=8, max_modes=10)._network(encoder.layout_)
    rows = network.rows(x)[:20]
    weights = stacked(network, 2, torch.float32)
    z = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 20, 3)).astype(np.float32))
    pair = torch.from_numpy(np.stack([rows, rows]))
    with torch.no_grad():
        found = network.log_likelihood(weights, pair, z).numpy()
        logits, mean = (t.numpy() for t in network.decode(weights, z))
    sigma = np.exp(weights["log_sigma"].detach().numpy())[:, 0]
    coding = network.coding
    hot, places, inside = np.split(rows, [coding.n_levels, coding.n_levels + coding.n_numbers], 1)
    for seed in range(2):
        for i in range(20):
            total = 0.0
            for column in coding.columns:
                own = logits[seed, i, column.levels].astype(float)
                p = np.exp(own) / np.exp(own).sum()
                total += np.log(p[hot[i, column.levels].argmax()])
            for k in range(coding.n_numbers):
                if inside[i, k]:
                    total += norm.logpdf(places[i, k], mean[seed, i, k], sigma[seed, k])
            assert found[seed, i] == pytest.approx(total, abs=1e-3)


# --- CTGAN --------------------------------------------------------------------------------------


def critic_by_hand(network, weights, rows, condition, masks):
    """Score of packs, layer by layer, to be differentiated by whoever wants."""
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
    """Critic's loss, and its slope by every weight, against torch's own second derivatives."""
    _, encoder = encoded
    network = networks(encoder)
    weights = {k: v for k, v in stacked(network, 2).items() if k.startswith("critic.")}
    rng = np.random.default_rng(1)

    def draw(*shape):
        return torch.from_numpy(rng.normal(size=shape))

    packs, width = 6, 2 * network.n_visible
    real, fake = draw(2, packs, width), draw(2, packs, width)
    condition = draw(2, packs, 2 * len(network.places))
    between = torch.from_numpy(rng.random((2, packs, 1)))
    masks = tuple(torch.from_numpy(2.0 * (rng.random((2, packs, 8)) < 0.5)) for _ in range(2))
    loss, gap = network.critic_loss(weights, (real, fake, condition), between, masks)

    scores = [critic_by_hand(network, weights, r, condition, masks) for r in (real, fake)]
    mixed = (between * real + (1 - between) * fake).requires_grad_()
    score = critic_by_hand(network, weights, mixed, condition, masks)
    slope = torch.autograd.grad(score.sum(), mixed, create_graph=True)[0]
    penalty = 10 * (slope.norm(dim=-1) - 1).square().mean(-1)
    expected = scores[1].mean(-1) - scores[0].mean(-1) + penalty
    assert torch.allclose(loss, expected, atol=1e-9)
    assert torch.allclose(gap, scores[0].mean(-1) - scores[1].mean(-1), atol=1e-9)
    for one, two in zip(
        torch.autograd.grad(loss.sum(), list(weights.values())),
        torch.autograd.grad(expected.sum(), list(weights.values()), allow_unused=True),
        strict=True,
    ):
        assert torch.allclose(one, two, atol=1e-8)


def test_rows_are_sampled_to_match_conditions_by_log_frequency(encoded) -> None:
    """Columns equally often, levels by log(1 + count), rows of the level equally often.

    Chi-square tests at level 1e-4, fixed seed.
    """
    x, encoder = encoded
    network = networks(encoder)
    rows, places = network.rows(x), np.arange(0, len(x), 2)
    size = 20_000
    picks = network.picks(network.index(rows, places), size, np.random.default_rng(3))
    found = network.gather(torch.from_numpy(rows), torch.from_numpy(picks)[None])[0].numpy()
    own, condition = found[:, : network.n_visible], found[:, network.n_visible :]
    assert (condition.sum(axis=1) == 1).all()
    assert ((own[:, network.places] * condition).sum(axis=1) == 1).all()  # the row has that level
    counts = rows[places][:, network.places].sum(axis=0)
    member = network.condition_member.numpy()
    weight = np.log1p(counts) * member
    share = (weight / weight.sum(axis=1, keepdims=True)).sum(axis=0) / len(member)
    times = condition.sum(axis=0)
    assert (times[counts == 0] == 0).all()
    assert chisquare(times[counts > 0], size * share[counts > 0]).pvalue > 1e-4
    level = int(np.argmax(counts))
    drawn = picks[condition[:, level] == 1] // len(member)
    with_it = places[rows[places][:, network.places[level]] == 1]
    assert set(drawn) <= set(with_it)
    each = np.array([(drawn == place).sum() for place in with_it])
    assert chisquare(each).pvalue > 1e-4


def test_energy_distance_is_that_of_all_pairs() -> None:
    points = np.random.default_rng(0).normal(size=(1, 40, 5))
    pairs = cdist(points[0], points[0])
    assert float(_within(torch.from_numpy(points))[0]) == pytest.approx(pairs.sum() / (40 * 39))
    assert float(_within(torch.zeros(1, 1, 5))[0]) == 0


def test_kept_generator_is_the_mean_over_steps(encoded) -> None:
    """After one step the average has moved a hundredth of the way that the generator went."""
    x, encoder = encoded
    network = networks(encoder)
    rows, split = network.rows(x), Split.draw(len(x), 0.2, seed_sequence(0))

    def after(steps: int):
        how = replace(HOW, steps=steps, warm_up=steps, validate_every=1)
        return train_ensemble(network, rows, split, how, [seed_sequence(1)]).weights

    before, found = after(0), after(1)
    for name, start in before.items():
        if name.startswith("generator."):
            assert name == "generator.bias" or not np.array_equal(start, found[name])
            mean = found[name.replace("generator.", "average.")]
            assert np.allclose(mean - start, (found[name] - start) / 100, atol=1e-7), name


def test_rows_drawn_do_not_depend_on_their_neighbours(encoded) -> None:
    _, encoder = encoded
    network = networks(encoder)
    weights = stacked(network, 1)
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.normal(size=(1, 50, 3)))
    condition = torch.zeros(1, 50, len(network.places), dtype=torch.float64)
    used = network.outputs(weights, z, condition)[2]
    whole = network.outputs(weights, z, condition, used)
    part = network.outputs(weights, z[:, :5], condition[:, :5], used)
    for one, two in zip(whole[:2], part[:2], strict=True):
        assert torch.allclose(one[:, :5], two, atol=1e-12)


def test_a_monitor_chooses_and_stops_both_players(encoded) -> None:
    x, encoder = encoded
    network = networks(encoder)
    rows, split = network.rows(x), Split.draw(len(x), 0.2, seed_sequence(0))
    how = ts.Training(steps=500, warm_up=0, validate_every=5, patience=3)

    def monitor(step, seeds, weights):
        assert {name.partition(".")[0] for name in weights} == {"generator", "average", "critic"}
        return np.array([1.0 + abs(step - 5 * (1 + seed)) for seed in seeds])

    streams = [child(seed_sequence(0), seed) for seed in range(2)]
    found = train_ensemble(network, rows, split, how, streams, options=Options(monitor=monitor))
    assert found.best_step.tolist() == [5, 10]
    assert [curve[-1, 0] for curve in found.curves] == [20, 25]


def test_a_model_of_unsound_laws_is_refused(tmp_path) -> None:
    model = small(ts.CTGAN, random_state=0).fit(example_table(60))
    share = model.laws_[0]["share"]
    for name, value in (("variance0", -model.laws_[0]["variance0"]), ("share", share[1:]),
                        ("mean1", model.laws_[0]["mean1"] * np.inf)):  # fmt: skip
        kept = dict(model.laws_[0])
        model.laws_[0][name] = value
        model.save(tmp_path / "m", force=True)
        model.laws_[0] = kept
        with pytest.raises(ts.FileError, match=name):
            ts.load(tmp_path / "m")


# --- inductive bias -----------------------------------------------------------------------------


def stage_of(model) -> Stage:
    table = ts.Table.from_frame(example_table(60))
    encoder = TableEncoder().fit(table)
    x = encoder.transform(table)
    return Stage(model, x, encoder.layout_, seed_sequence(7), Journal(Aids(None, None), 1))


def small(cls, **settings):
    return cls(hidden_dim=8, n_seeds=2, training=HOW, device="cpu", **settings)


@pytest.mark.filterwarnings("ignore::tabseed.OrthogonalSeedsWarning")
@pytest.mark.parametrize("cls", [ts.CTGAN, ts.TVAE])
def test_fine_tuning_starts_from_the_pre_trained_weights(cls) -> None:
    """Without a step of fine-tuning all weights, both players', are the bias's, bit for bit."""
    stage = stage_of(small(cls))
    ensemble = stage.first_seeds(2)
    fresh = stage.model.network_.initial_weights(np.random.default_rng(0))
    for bias in (ts.Pretraining(n_seeds=2, n_rows=60), ts.WeightAveraging(n_seeds=2),
                 ts.DomainRandomizedSearch(n_seeds=2, n_rows=60)):  # fmt: skip
        initial = bias.initial_weights(ensemble, stage)
        none = replace(HOW, steps=0, warm_up=0)
        name = type(bias).__name__ + ", nothing"
        tuned = stage.train(name, [seed_sequence(1)], stage.split(), how=none, initial=initial)
        assert set(tuned.weights) == set(initial) == set(fresh)
        for key, value in initial.items():
            assert tuned.weights[key].tobytes() == value[:1].tobytes(), f"{name}: {key}"


def test_biases_that_mean_nothing_for_ctgan_refuse_before_training() -> None:
    stage = stage_of(small(ts.CTGAN))
    with pytest.raises(ts.TabseedError, match="MAML follows the gradient of one loss; CTGAN has"):
        ts.MAML(n_seeds=2).resolve(stage)
    with pytest.raises(ts.TabseedError, match="AutoBias compares likelihoods of rows; CTGAN knows"):
        ts.AutoBias(n_seeds=2).resolve(stage)
    assert not stage.journal.finished
    model = small(ts.CTGAN, random_state=0).fit(example_table(60))
    with pytest.raises(ts.TabseedError, match="CTGAN knows no likelihood of its rows"):
        model.log_likelihood(example_table(60))
    assert "energy distance" in model.summary()[0]


def test_maml_adapts_a_tvae() -> None:
    meta = ts.MetaTraining(20, 20, inner_steps=2, steps=2, check_every=1)
    bias = ts.MAML(n_seeds=2, n_rows=60, meta=meta, must_improve=False)
    stage = stage_of(small(ts.TVAE))
    found = bias.resolve(stage).initial_weights(stage.first_seeds(2), stage)
    assert {len(value) for value in found.values()} == {1}
    assert np.isfinite(bias.losses_).all() and len(bias.losses_) == 3
