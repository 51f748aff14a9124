"""The pieces of VAEBGM against closed forms and other implementations; files from strangers."""

from __future__ import annotations

import ast
import copy
import itertools
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import safetensors.numpy
import torch
from scipy.integrate import cumulative_trapezoid
from scipy.special import logsumexp
from scipy.stats import kstest, multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import tabseed as ts
from tabseed import archive
from tabseed._random import child, seed_sequence
from tabseed.coding.encode import TableEncoder
from tabseed.errors import FileError, SchemaError, TabseedError, TooFewRowsError
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.ensemble import SeedEnsemble, train_ensemble
from tabseed.generators.neural.learner import CellLogLikelihood, Network, kl_to_standard_normal
from tabseed.generators.neural.mixture import LatentMixture
from tabseed.generators.neural.paper import PaperNetwork
from tabseed.generators.neural.stopping import Record, Training
from tabseed.generators.neural.vaebgm import CellNetwork
from tabseed.table import Table
from tabseed.testing import example_table

DATA = Path(os.environ.get("TABSEED_DATA", "data"))
BRIEF = Training(steps=100, patience=4)


# --- formulas -----------------------------------------------------------------------------------


def blocks_of(sizes: list[int]) -> torch.Tensor:
    member = torch.zeros(sum(sizes), len(sizes), dtype=torch.float64)
    member[torch.arange(sum(sizes)), torch.repeat_interleave(torch.tensor(sizes))] = 1
    return member


def test_cell_likelihood_is_log_softmax_by_block() -> None:
    """Value and gradient against torch's log_softmax of each block."""
    sizes = [3, 1, 5]
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 7, 9, generator=generator, dtype=torch.float64) * 5
    places = [torch.randint(0, k, (2, 7), generator=generator) for k in sizes]
    hot = torch.cat(
        [torch.nn.functional.one_hot(p, k) for p, k in zip(places, sizes, strict=True)], -1
    ).double()
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    found = CellLogLikelihood.apply(ours, hot, blocks_of(sizes))
    pieces = theirs.split(sizes, -1)
    expected = sum(
        piece.log_softmax(-1).gather(-1, p[..., None])[..., 0]
        for piece, p in zip(pieces, places, strict=True)
    )
    torch.testing.assert_close(found, expected)
    weights = torch.rand(2, 7, generator=generator, dtype=torch.float64)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_cell_likelihood_stays_finite_and_finds_back_from_huge_logits() -> None:
    logits = torch.tensor([[[1e4, -1e4, 0.0]]], requires_grad=True)
    hot = torch.tensor([[[0.0, 1.0, 0.0]]])
    found = CellLogLikelihood.apply(logits, hot, torch.ones(3, 1))
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert logits.grad[0, 0, 1] > 0.9 and logits.grad[0, 0, 0] < -0.9


def test_cell_likelihood_has_right_second_derivatives() -> None:
    """MAML of second order differentiates the gradient: finite differences of both."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(1, 2, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    hot = torch.tensor([[[1.0, 0, 0, 1], [0, 0, 1, 1]]], dtype=torch.float64)

    def likelihood(x: torch.Tensor) -> torch.Tensor:
        return CellLogLikelihood.apply(x, hot, blocks_of([3, 1]))

    assert torch.autograd.gradcheck(likelihood, logits)
    assert torch.autograd.gradgradcheck(likelihood, logits)


def test_kl_against_torch_distributions() -> None:
    mean, log_variance = torch.randn(4, 5, 3), torch.randn(4, 5, 3)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(
        normal(mean, (log_variance / 2).exp()), normal(0.0, 1.0)
    ).sum(-1)
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected)


def test_mixture_has_the_moments_of_the_aggregated_posterior() -> None:
    """Mean and covariance of 200,000 draws: 5 standard errors, 5 figures, one seed."""
    rng = np.random.default_rng(0)
    n, d = 400, 2
    means = np.concatenate([rng.normal(size=(n // 2, d)) - 4, rng.normal(size=(n // 2, d)) + 4])
    log_variances = np.log(rng.uniform(0.05, 0.5, size=(n, d)))
    mixture = LatentMixture.fit(means, log_variances, seed=0)
    drawn = mixture.sample(200_000, rng)
    expected = np.cov(means.T, bias=True) + np.diag(np.exp(log_variances).mean(axis=0))
    assert np.allclose(drawn.mean(axis=0), means.mean(axis=0), atol=5 * 4.2 / 200_000**0.5 + 0.02)
    assert np.allclose(np.cov(drawn.T), expected, rtol=0.02)
    close = np.abs(drawn[:, None] - np.array([[-4, -4], [4, 4]])).max(-1).min(-1)
    assert (close < 4).mean() > 0.99  # two clusters, nothing between


def test_mixture_of_few_and_equal_codes() -> None:
    for means in (np.zeros((5, 3)), np.ones((1, 2)).repeat(40, 0), np.eye(5)):
        mixture = LatentMixture.fit(means, np.full(means.shape, -3.0), seed=1)
        assert np.isfinite(mixture.sample(10, np.random.default_rng(0))).all()


def mixture_of(d: int, extra: float) -> LatentMixture:
    rng = np.random.default_rng(d)
    weights, means = np.array([0.2, 0.5, 0.3]), rng.normal(size=(3, d)) * 2
    factors = np.tril(rng.normal(size=(3, d, d)) * 0.4) + 0.8 * np.eye(d)
    return LatentMixture(weights, means, factors, np.full(d, extra) * np.arange(1, d + 1))


@pytest.mark.parametrize("extra", [0.0, 0.7])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_mixture_density_against_scipy(d: int, extra: float) -> None:
    """Also where the mixture is far away, and where weights do not sum to 1."""
    mixture = mixture_of(d, extra)
    z = np.random.default_rng(1).normal(size=(40, d)) * np.geomspace(0.1, 30, 40)[:, None]
    parts = [
        np.log(w) + multivariate_normal(m, f @ f.T + np.diag(mixture.extra**2)).logpdf(z)
        for w, m, f in zip(mixture.weights, mixture.means, mixture.factors, strict=True)
    ]
    found = mixture.log_density(z)
    np.testing.assert_allclose(found, logsumexp(parts, axis=0), rtol=1e-9)
    doubled = LatentMixture(2 * mixture.weights, mixture.means, mixture.factors, mixture.extra)
    np.testing.assert_allclose(doubled.log_density(z), found, rtol=1e-12)


@pytest.mark.parametrize("extra", [0.0, 0.7])
def test_mixture_density_integrates_to_one(extra: float) -> None:
    line = np.linspace(-15, 15, 601)
    one = np.exp(mixture_of(1, extra).log_density(line[:, None]))
    assert np.trapezoid(one, line) == pytest.approx(1, abs=1e-6)
    plane = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    two = np.exp(mixture_of(2, extra).log_density(plane))
    assert two.sum() * 0.05**2 == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("extra", [0.0, 0.7])
def test_mixture_draws_from_its_density(extra: float) -> None:
    """Kolmogorov-Smirnov on 20,000 draws, refused at p < 1e-6; one seed."""
    mixture, line = mixture_of(1, extra), np.linspace(-15, 15, 3_001)
    upto = cumulative_trapezoid(np.exp(mixture.log_density(line[:, None])), line, initial=0)
    drawn = mixture.sample(20_000, np.random.default_rng(2))[:, 0]
    assert kstest(drawn, lambda z: np.interp(z, line, upto)).pvalue > 1e-6


# --- stopping -----------------------------------------------------------------------------------


def replay(losses: list[float], how: Training) -> tuple[int, int, list[float]]:
    """Feed losses; give the step of the stop, the step kept, and the loss kept."""
    record, seed = Record.fresh(1), np.array([0])
    for step, loss in enumerate(losses, start=1):
        record.see(seed, np.array([loss]), step, how)
        if record.stopped[0]:
            break
    return step, int(record.kept_step[0]), record.kept_loss.tolist()


def test_relative_stopper_by_hand() -> None:
    """Gains below 1 % use up patience but the best weights are kept all the same."""
    how = Training(patience=3, tolerance=0.01, warm_up=0)
    losses = [10.0, 9.0, 8.95, 8.94, 8.93, 1.0]
    assert replay(losses, how) == (5, 5, [8.93])
    assert replay([10.0, 9.0, 9.5, 8.0, 9.0, 9.0, 9.0, 0.0], how) == (7, 4, [8.0])
    assert replay([float("nan")] * 9, how)[0] == 3
    late = Training(patience=3, tolerance=0.01, warm_up=4)
    assert replay([1.0, 9.0, 8.0, 7.0, 8.0, 8.0, 8.0, 0.0], late) == (7, 4, [7.0])


def test_paper_stopper_by_hand() -> None:
    """Above best + 2 counts, between stays, a new best resets; the last weights are kept."""
    how = Training(patience=2, tolerance=2.0, stopper="paper")
    assert replay([10, 11.9, 11.9, 12.1, 9.9, 12.0, 11.8, 12.0, 12.5], how) == (8, 8, [12.0])
    assert replay([10, 12.5, 11, 12.5, 1], how) == (4, 4, [12.5])


class Bowl(Network):
    """Loss (w - target_s)^2 / 2 with its target in the noise's stead: a known course of Adam."""

    noise_width = 1

    def rows(self, x):
        return x.astype(np.float32)

    def initial_weights(self, rng):
        return {"w": np.float32(rng.normal(size=(1,)))}

    def loss(self, weights, rows, noise, *, train):
        return ((weights["w"] - rows.mean((1, 2))[:, None]) ** 2).sum(-1) / 2


def test_adam_against_torch_optim() -> None:
    """60 steps of our loop and of torch.optim.Adam on the same loss."""
    rows = np.random.default_rng(0).normal(size=(10, 1)).astype(np.float32)
    split = Split(np.arange(8)[None], np.arange(8, 10)[None])
    how = Training(steps=60, batch_size=8, learning_rate=0.05, patience=10**6, stopper="paper")
    stream = seed_sequence(3)
    found = train_ensemble(Bowl(), rows, split, how, [stream])
    start = Bowl().initial_weights(np.random.default_rng(child(stream, 1)))["w"]
    w = torch.from_numpy(start.copy())[None].requires_grad_()
    optimizer = torch.optim.Adam([w], lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        Bowl().loss({"w": w}, torch.from_numpy(rows[:8])[None], None, train=True).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(found.weights["w"], w.detach().numpy(), atol=1e-6)


def test_a_monitor_decides_when_to_stop_and_what_is_kept() -> None:
    from tabseed.generators.neural.ensemble import Options

    rows = np.ones((10, 1), np.float32)
    seen: list[int] = []

    def monitor(step, seeds, weights):
        seen.append(step)
        assert len(weights["w"]) == len(seeds)
        return np.abs(step - np.array([30.0, 50.0])[seeds])

    how = Training(steps=500, validate_every=10, patience=3, warm_up=0)
    found = train_ensemble(
        Bowl(), rows, Split.draw(10, 0.2, seed_sequence(0)), how,
        [seed_sequence(1), seed_sequence(2)], options=Options(monitor=monitor),
    )  # fmt: skip
    assert found.best_step.tolist() == [30, 50]
    assert seen[-1] == 80 and len(found.curves[0]) < len(found.curves[1])


def test_split_is_disjoint_and_leaves_both_sides_a_row() -> None:
    for n in (2, 3, 5, 300):
        split = Split.draw(n, 0.2, seed_sequence(0))
        (train,), (validation,) = split.train, split.validation
        assert sorted([*train, *validation]) == list(range(n))
        assert len(train) and len(validation) == max(1, round(n * 0.2))
        assert sorted(split.whole().train[0]) == list(range(n))


def test_rotating_splits_follow_one_another_and_treat_all_rows_alike() -> None:
    for n, share, n_seeds in (
        (10, 0.2, 5),
        (10, 0.2, 10),
        (10, 0.3, 10),
        (23, 0.2, 7),
        (2, 0.5, 3),
    ):
        stream = seed_sequence(4)
        split = Split.draw(n, share, stream, n_seeds=n_seeds)
        held = split.validation.shape[1]
        assert split.train.shape == (n_seeds, n - held)
        order = np.resize(np.random.default_rng(stream).permutation(n), n_seeds * held)
        for seed, (train, validation) in enumerate(zip(split.train, split.validation, strict=True)):
            assert sorted([*train, *validation]) == list(range(n))
            assert set(validation) == set(order[seed * held : (seed + 1) * held])
        times = np.bincount(split.validation.ravel(), minlength=n)
        assert np.ptp(times) <= (n_seeds * held % n > 0)
        alone = Split.draw(n, share, stream)
        assert np.array_equal(alone.train, split.train[:1])
        assert np.array_equal(alone.validation, split.validation[:1])


def test_seeds_of_a_rotating_split_are_as_if_alone() -> None:
    """Each seed's weights and curve are those of training it alone on its own rows."""
    table = Table.from_frame(example_table(50))
    encoder = TableEncoder().fit(table)
    network = CellNetwork(encoder.layout_, 2, 8, 0.3)
    rows = network.rows(encoder.transform(table))
    split = Split.draw(len(rows), 0.2, seed_sequence(0), n_seeds=3)
    how = Training(steps=80, warm_up=10, patience=2)
    streams = [seed_sequence(seed) for seed in (5, 6, 7)]
    together = train_ensemble(network, rows, split, how, streams)
    for seed, stream in enumerate(streams):
        own = Split(split.train[[seed]], split.validation[[seed]])
        alone = train_ensemble(network, rows, own, how, [stream])
        np.testing.assert_allclose(together.curves[seed], alone.curves[0], atol=1e-4)
        assert together.best_step[seed] == alone.best_step[0]
        for name, value in alone.weights.items():
            np.testing.assert_allclose(together.weights[name][seed], value[0], atol=1e-5)


def test_ensembles_are_ranked_and_survive_as_arrays() -> None:
    """Seeds that diverged come last, equal ones keep their order; everything comes back."""
    losses = np.array([2.0, np.inf, 1.0, np.nan, 1.0, -3.0])
    curves = [np.full((seed, 3), float(seed)) for seed in range(6)]
    weights = {"a.b": np.arange(6.0)[:, None], "n": np.arange(6)[:, None]}
    ensemble = SeedEnsemble(weights, curves, np.arange(6) * 10, losses)
    assert ensemble.chosen == 5
    ranked = ensemble.ranked()
    assert ranked.chosen == 0
    order = [5, 2, 4, 0, 1, 3]
    assert ranked.weights["n"].ravel().tolist() == order
    assert ranked.weights["a.b"].ravel().tolist() == order
    assert ranked.best_step.tolist() == [10 * seed for seed in order]
    assert [len(curve) for curve in ranked.curves] == order
    np.testing.assert_array_equal(ranked.best_loss, losses[order])
    assert weights["n"].ravel().tolist() == list(range(6))  # what came in stays
    again = SeedEnsemble.from_arrays(ranked.to_arrays())
    assert set(again.weights) == {"a.b", "n"}
    for one, two in zip(
        (*ranked.weights.values(), *ranked.curves, ranked.best_step, ranked.best_loss),
        (*again.weights.values(), *again.curves, again.best_step, again.best_loss),
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)


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


def test_curves_alone_give_a_parabola_over_numbers_and_nothing_elsewhere() -> None:
    """With free cell weights at 0 the logits of a number are a quadratic of its cells' scores."""
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
        found = logits[:, at : at + size]
        if block.numeric:
            score = block.score(np.concatenate([block.atoms, block.knots.mean(axis=1)]))
            for row in found:
                fitted = np.polynomial.Polynomial.fit(score, row, 2)(score)
                assert np.abs(fitted - row).max() < 1e-4
            assert found.std() > 0.01
        else:
            assert not found.any()
        assert not logits[:, at + size : at + block.n_cells].any()  # missing
        at += block.n_cells


@pytest.mark.skipif(not DATA.is_dir(), reason="the real tables are not here")
def test_paper_network_has_the_size_of_the_authors() -> None:
    """On their coding of Adult their network has 39,552 parameters (facts of their code)."""
    frame = pq.read_table(DATA / "paper1_processed" / "adult.parquet")
    frame = frame.filter(pc.equal(frame["split"], "n")).drop_columns("split")
    whole = [
        c for c in frame.column_names
        if np.array_equal(v := np.unique(frame[c].to_numpy()), np.round(v))
    ]  # fmt: skip
    table = Table.from_frame(frame, kinds={c: "categorical" for c in whole})
    network = PaperNetwork(TableEncoder(dependencies=False).fit(table).layout_, 10)
    weights = network.initial_weights(np.random.default_rng(0))
    assert sum(w.size for w in weights.values()) == 39_552
    assert network.n_outputs == 108


def test_paper_likelihoods_against_torch_distributions() -> None:
    """Loss of a table with one column of each family, recomputed by torch.distributions."""
    rng = np.random.default_rng(0)
    table = Table.from_frame(
        pa.table({"x": rng.normal(size=50), "b": rng.integers(0, 2, 50), "c": list("abcde") * 10})
    )
    encoder = TableEncoder().fit(table)
    network = PaperNetwork(encoder.layout_, 3)
    assert [part.family for part in network.parts] == ["gaussian", "bernoulli", "categorical"]
    rows = torch.from_numpy(network.rows(encoder.transform(table)))[None]
    weights = {k: torch.from_numpy(v)[None] for k, v in network.initial_weights(rng).items()}
    noise = torch.zeros(1, 50, network.noise_width)
    mean, log_variance = network.encode(weights, rows)
    outputs = network.decode(weights, mean)
    d = torch.distributions
    sd = (0.001 + 9.999 * outputs[..., 1].sigmoid()) / 100
    likelihood = (
        d.Normal(5 * outputs[..., 0].tanh(), sd).log_prob(rows[..., 0])
        + d.Bernoulli(0.001 + 0.998 * outputs[..., 2].sigmoid()).log_prob(rows[..., 1])
        + d.Categorical(logits=10 * outputs[..., 3:].tanh()).log_prob(rows[..., 2])
    )
    expected = (kl_to_standard_normal(mean, log_variance) - likelihood).mean()
    found = network.loss(weights, rows, noise, train=False)[0]
    torch.testing.assert_close(found, expected)


def test_paper_dropout_drops_a_fifth() -> None:
    """Kept shares over 200,000 units: 5 standard errors."""
    noise = np.random.default_rng(0).standard_normal(200_000)
    from scipy.special import ndtri

    kept = (noise > float(ndtri(0.2))).mean()
    assert abs(kept - 0.8) < 5 * (0.16 / 200_000) ** 0.5


# --- the generator ------------------------------------------------------------------------------


def test_encoder_given_is_used_and_rows_outside_it_are_refused() -> None:
    real = Table.from_frame(pa.table({"c": ["a", "b"] * 20, "x": np.arange(40.0)}))
    encoder = TableEncoder().fit(real)
    model = ts.Resample(random_state=0).fit(real, encoder=encoder)
    assert model.encoder_ is encoder
    with pytest.raises(SchemaError, match="column 'c', row 1"):
        ts.Resample().fit(pa.table({"c": ["z"] * 40, "x": np.arange(40.0)}), encoder=encoder)


def test_errors_say_what_to_do() -> None:
    with pytest.raises(NotFittedError, match="fit first"):
        ts.Resample().sample(3)
    with pytest.raises(NotFittedError, match="fit first"):
        ts.Resample().save("nowhere.tabseed")
    with pytest.raises(TooFewRowsError, match="VAEBGM needs at least 5 rows, got 4"):
        ts.VAEBGM().fit(pa.table({"x": [1.5, 2, 3, 4]}))
    model = ts.Resample(random_state=0).fit(pa.table({"c": ["a", "b"] * 20, "x": [1.5, 2.5] * 20}))
    with pytest.raises(SchemaError, match="no category 'z'"):
        model.sample(3, conditions={"c": "z"})
    with pytest.raises(SchemaError, match="no column 'd'"):
        model.sample(3, conditions={"d": "a"})
    with pytest.raises(SchemaError, match=r"0 meet c = 'a', x = 2\.5"):
        model.sample(3, conditions={"c": "a", "x": 2.5})
    with pytest.raises(SchemaError, match="cannot draw -1 rows"):
        model.sample(-1)
    with pytest.raises(TabseedError, match="device 'abacus'"):
        ts.VAEBGM(device="abacus").fit(example_table(30))


def test_conditional_rows_follow_the_models_own_law() -> None:
    """Share of y given c by rejection is Bayes' own: 4,000 rows, 5 standard errors, 1 figure."""
    rng = np.random.default_rng(0)
    c = rng.choice(["a", "b"], 2_000, p=[0.2, 0.8])
    y = np.where(rng.random(2_000) < np.where(c == "a", 0.9, 0.3), "yes", "no")
    model = ts.Resample(random_state=0).fit(pa.table({"c": c, "y": y}))
    found = np.mean(np.array(model.sample(4_000, conditions={"c": "a"})["y"]) == "yes")
    share = (y[c == "a"] == "yes").mean()
    assert abs(found - share) < 5 * (share * (1 - share) / 4_000) ** 0.5


def test_smoothing_moves_numbers_and_nothing_else() -> None:
    table = example_table(200)
    plain, smooth = (
        ts.Resample(smoothing=h, random_state=0).fit(table).sample(500) for h in (0.0, 1.0)
    )
    rows = {tuple(r.values()) for r in table.drop_columns("person_id").to_pylist()}
    assert {tuple(r.values()) for r in plain.to_pylist()} <= rows
    assert sum(tuple(r.values()) in rows for r in smooth.to_pylist()) < 100
    for name in ("level", "owns"):
        assert smooth[name].equals(plain[name])
    incomes = smooth["income"].drop_null().to_numpy()
    assert np.array_equal(np.round(incomes, 2), incomes)  # on the grid of cents


def test_dependencies_hold_in_every_row() -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 6, 120)
    name = np.array(["zero", "one", "two", "three", "four", "five"])[code]
    table = pa.table({"code": code, "name": name, "x": rng.normal(size=120)})
    drawn = ts.VAEBGM(n_seeds=2, training=BRIEF, random_state=0).fit(table).sample(500)
    names = dict(zip(code.tolist(), name.tolist(), strict=True))
    pairs = zip(drawn["code"].to_pylist(), drawn["name"].to_pylist(), strict=True)
    assert all(names[c] == n for c, n in pairs)


@pytest.fixture(scope="module")
def tiny() -> ts.VAEBGM:
    """Three seeds on a table of 3 x 2 x 2 categories that hang together."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 3, 90), rng.random(90) < 0.3
    c = np.where(rng.random(90) < 0.8, (a > 0) & b, ~b)
    table = pa.table({"a": np.array(list("xyz"))[a], "b": b, "c": c})
    training = Training(steps=400, warm_up=100)
    return ts.VAEBGM(n_seeds=3, hidden_dim=16, training=training, random_state=0).fit(table)


def every_row(model: ts.VAEBGM) -> np.ndarray:
    """All rows of cells that the encoding of a table of categories has."""
    layout = model.encoder_.layout_
    cells = [range(block.n_cells) for block in layout.free]
    places = np.array(list(itertools.product(*cells)))
    return layout.from_cells(list(places.T), np.random.default_rng(0))


def drawing_from(model: ts.VAEBGM, seeds: tuple[int, ...], x: np.ndarray) -> ts.VAEBGM:
    found = copy.copy(model)
    split = Split(np.arange(len(x))[None], np.arange(0)[None])
    found._settle(model.ensemble_, seeds, model.network_.rows(x), split, seed_sequence(3))
    return found


@pytest.mark.parametrize("seeds", [(1,), (0, 1, 2)])
def test_likelihoods_are_those_of_the_rows_drawn(tiny, seeds, monkeypatch) -> None:
    """Over all possible rows they sum to 1, and each is the share of that row among draws.

    100,000 draws; 5 standard errors for each of 12 rows (7e-6 in all), and 2 % for the noise of
    the importance sampling. One seed.
    """
    monkeypatch.setattr("tabseed.generators.neural.vaebgm.PRIOR_CODES", 20_000)
    x = every_row(tiny)
    assert len(x) == 12
    model = drawing_from(tiny, seeds, x)
    rows = model.network_.rows(x)
    p = np.exp(model._log_likelihood(rows, np.random.default_rng(1)))
    assert p.sum() == pytest.approx(1, abs=0.01)
    drawn = model._sample(100_000, np.random.default_rng(2))
    found = np.array([(drawn == row).all(axis=1).mean() for row in x])
    assert found.sum() == pytest.approx(1)
    assert (np.abs(found - p) < 5 * np.sqrt(p / len(drawn)) + 0.02 * p).all()


def test_few_importance_draws_understate_likelihoods(tiny, monkeypatch) -> None:
    """The estimate with 2 codes lies below that with 2,100, in the mean over 60 repetitions."""
    x = every_row(tiny)
    rng = np.random.default_rng(0)
    found = []
    for own, prior, times in ((1, 1, 60), (100, 2_000, 1)):
        monkeypatch.setattr("tabseed.generators.neural.vaebgm.OWN_CODES", own)
        monkeypatch.setattr("tabseed.generators.neural.vaebgm.PRIOR_CODES", prior)
        rows = tiny.network_.rows(x)
        found.append(np.mean([tiny._log_likelihood(rows, rng) for _ in range(times)], axis=0))
    assert (found[0] < found[1]).mean() > 0.7 and found[0].mean() < found[1].mean()


def test_narrow_codes_do_not_hide_what_the_mixture_puts_elsewhere(tiny) -> None:
    """Posteriors made far too narrow, and in the wrong place: the law drawn from is the same."""
    x = every_row(tiny)
    model = drawing_from(tiny, (0,), x)
    rows = model.network_.rows(x)
    true = model._log_likelihood(rows, np.random.default_rng(0))
    model._codes = lambda at, rows: (np.full((len(rows), 3), 9.0), np.full((len(rows), 3), -8.0))
    found = model._log_likelihood(rows, np.random.default_rng(0))
    np.testing.assert_allclose(found, true, atol=0.1)


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
    found = network.log_likelihoods(weights, rows, z)
    for k, code in enumerate(z):
        each = network.log_likelihood(weights, rows[None], code.expand(1, 30, -1))[0]
        torch.testing.assert_close(found[:, k], each, rtol=1e-4, atol=1e-3)


def test_rows_come_from_several_seeds_in_equal_parts(tiny) -> None:
    """Seeds that each know one category only give it away."""
    x = every_row(tiny)
    model = drawing_from(tiny, (0, 1, 2), x)
    model.weights_ = {k: np.zeros_like(v) for k, v in model.weights_.items()}
    block = model.encoder_.layout_.free[0]
    assert block.n_cells == 3
    model.weights_["cells.bias"][:, 0, :3] = 60 * np.eye(3) - 30
    for n in (0, 1, 2, 3, 90, 100):
        drawn = model._sample(n, np.random.default_rng(n))
        parts = np.bincount(model.encoder_.layout_.cells(drawn)[0], minlength=3)
        assert parts.sum() == len(drawn) == n and np.ptp(parts) <= (n % 3 > 0)
    first = model.encoder_.layout_.cells(drawn)[0][:20]
    assert len(set(first.tolist())) == 3  # seeds are mixed


def test_latent_laws_are_learned_from_the_rows_of_their_seed(tiny) -> None:
    """Each from its row of the split; the fitted model's from all rows, the paper's from most."""
    rows = tiny.network_.rows(np.repeat(every_row(tiny), 5, axis=0))
    split = Split.draw(60, 0.4, seed_sequence(1), n_seeds=3)
    several, alone = copy.copy(tiny), copy.copy(tiny)
    several._settle(tiny.ensemble_, (2, 1), rows, split, seed_sequence(3))
    for at, seed in enumerate((2, 1)):
        own = Split(split.train[[seed]], split.validation[[seed]])
        alone._settle(tiny.ensemble_, (seed,), rows, own, seed_sequence(3))
        assert np.array_equal(several.mixtures_[at].means, alone.mixtures_[0].means)
    assert not np.array_equal(several.mixtures_[0].means, several.mixtures_[1].means)
    how = Training(steps=5, stopper="paper")
    for paper, share in ((False, 1.0), (True, 0.8)):
        table = Table.from_frame(example_table(50))
        model = ts.VAEBGM(n_seeds=1, paper=paper, training=how, random_state=0).fit(table)
        seen = model.network_.rows(model.encoder_.transform(table))
        stream = child(model._stream, 0)
        split = Split.draw(50, 0.2, child(stream, 0))
        assert split.train.size == 40
        train = split.train if paper else np.arange(50)[None]
        assert train.size == 50 * share
        again = copy.copy(model)
        own = Split(train, split.validation)
        again._settle(model.ensemble_, (0,), seen, own, child(stream, 2))
        assert np.array_equal(again.mixtures_[0].means, model.mixtures_[0].means)


def test_a_single_row_comes_from_any_of_several_seeds(tiny) -> None:
    """40 rows drawn one by one from three seeds: all from one at 3 (1/3)^40."""
    x = every_row(tiny)
    model = drawing_from(tiny, (0, 1, 2), x)
    model.weights_ = {k: np.zeros_like(v) for k, v in model.weights_.items()}
    model.weights_["cells.bias"][:, 0, :3] = 60 * np.eye(3) - 30
    rows = np.concatenate([model._sample(1, np.random.default_rng(seed)) for seed in range(40)])
    assert len(set(model.encoder_.layout_.cells(rows)[0].tolist())) > 1


# --- files --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "m.tabseed"
    ts.VAEBGM(n_seeds=2, training=BRIEF, random_state=0).fit(example_table(60)).save(path)
    return path


def rewritten(path: Path, to: Path, change) -> Path:
    """A copy of a model file whose members ``change`` has altered."""
    with zipfile.ZipFile(path) as source:
        members = {name: source.read(name) for name in source.namelist()}
    change(members)
    with zipfile.ZipFile(to, "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    return to


def edit_config(**changes):
    def change(members):
        config = json.loads(members["config.json"])
        for key, value in changes.items():
            if value is None:
                del config[key]
            else:
                config[key] = value
        members["config.json"] = json.dumps(config).encode()

    return change


def reshaped(data: bytes) -> bytes:
    arrays = safetensors.numpy.load(data)
    name = "model.weights.cells.weight"
    arrays[name] = arrays[name][:, :, :-1].copy()
    return safetensors.numpy.save(arrays)


BROKEN = {
    "no weights": lambda m: m.pop("weights.safetensors"),
    "weights cut short": lambda m: m.update({"weights.safetensors": m["weights.safetensors"][:-9]}),
    "weights of text": lambda m: m.update({"weights.safetensors": b"hello"}),
    "config is a list": lambda m: m.update({"config.json": b"[1, 2]"}),
    "config is no JSON": lambda m: m.update({"config.json": b"{"}),
    "config nested too deep": lambda m: m.update({"config.json": b"[" * 200_000}),
    "no encoder": edit_config(encoder=None),
    "encoder of another table": edit_config(encoder={"parameters": {}, "blocks": [], "frame": {}}),
    "unknown generator": edit_config(generator="os.system"),
    "unknown parameter": edit_config(parameters={"shell": "rm"}),
    "stream of text": edit_config(stream={"entropy": "x", "spawn_key": []}),
    "weights of another width": lambda m: m.update(
        {"weights.safetensors": reshaped(m["weights.safetensors"])}
    ),
    "a newer format": edit_config(format=99),
    "schema of other columns": lambda m: m.update(
        {"schema.json": json.dumps({"columns": {"z": {"sdtype": "numerical"}}}).encode()}
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_unsound_model_files_are_refused(fault: str, model_file: Path, tmp_path) -> None:
    path = rewritten(model_file, tmp_path / "broken.tabseed", BROKEN[fault])
    with pytest.raises(FileError) as caught:
        ts.load(path)
    assert "\n" not in str(caught.value) and "broken.tabseed" in str(caught.value)


def test_unsound_rows_to_resample_are_refused(tmp_path) -> None:
    ts.Resample(random_state=0).fit(example_table(20)).save(tmp_path / "m")
    for name, change in (
        ("narrow", lambda rows: rows[:, :-1].copy()),
        ("infinite", lambda rows: rows * np.inf),
        ("flat", lambda rows: rows.ravel()),
    ):

        def edit(members, change=change):
            arrays = safetensors.numpy.load(members["weights.safetensors"])
            arrays["model.rows"] = change(arrays["model.rows"])
            members["weights.safetensors"] = safetensors.numpy.save(arrays)

        with (
            np.errstate(invalid="ignore"),
            pytest.raises(FileError, match="not a sound model file"),
        ):
            ts.load(rewritten(tmp_path / "m", tmp_path / name, edit))


def test_files_that_are_no_archives_are_refused(tmp_path) -> None:
    for name, content in (("text", b"hello"), ("empty", b""), ("cut", b"PK\x03\x04")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(FileError, match="not a sound file"):
            ts.load(path)
    with pytest.raises(FileError, match="no such file"):
        ts.load(tmp_path / "absent")


def test_archives_that_unpack_without_end_are_refused(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_DOCUMENT_BYTES", 10_000)
    path = tmp_path / "bomb"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("config.json", b" " * 1_000_000)
    with pytest.raises(FileError, match="unpacks to more than"):
        ts.load(path)


def test_a_model_file_holds_no_training_row(model_file: Path) -> None:
    """No income of the table, to the cent, stands among the numbers of the file."""
    incomes = set(example_table(60)["income"].drop_null().to_pylist())
    _, arrays = archive.read_archive(model_file, ("config", "schema"))
    held = {float(v) for a in arrays.values() if a.dtype == np.float64 for v in a.ravel()}
    ends = {min(incomes), max(incomes)}
    assert not (incomes - ends) & held


def test_a_checkpoint_of_other_data_is_refused_and_kept(tmp_path) -> None:
    path = tmp_path / "state"
    kept = archive.Checkpoint(path, "one", seconds=0)
    kept.write({"step": 3}, {"a": np.arange(3)})
    state, arrays = kept.read()
    assert state["step"] == 3 and arrays["a"].tolist() == [0, 1, 2]
    before = path.read_bytes()
    model = ts.VAEBGM(n_seeds=2, training=BRIEF, random_state=0)
    with pytest.raises(FileError, match="other data or with other settings"):
        clone(model).fit(example_table(30), checkpoint=path)
    assert path.read_bytes() == before


def test_no_module_of_the_package_pickles() -> None:
    """Neither by name nor through a library that does it inside."""
    modules = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle"}
    calls = {("torch", "load"), ("torch", "save"), ("np", "load"), ("np", "save"),
             ("joblib", "load"), ("joblib", "dump")}  # fmt: skip
    scanned = 0
    for path in Path(ts.__file__).parent.rglob("*.py"):
        scanned += 1
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                named = {a.name.split(".")[0] for a in node.names}
                named.add((getattr(node, "module", None) or "").split(".")[0])
                assert not named & modules, f"{path}, line {node.lineno}"
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) not in calls, f"{path}, line {node.lineno}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), f"{path}, line {node.lineno}"
    assert scanned > 20


def test_log_likelihood_of_a_frame(tiny) -> None:
    """That of its encoded rows; the real law is likelier than a flat one; strangers are refused."""
    frame = pa.table({"a": ["x", "y"], "b": [True, False], "c": [False, True]})
    found = tiny.log_likelihood(frame, random_state=4)
    rows = tiny.network_.rows(tiny.encoder_.transform(Table.from_frame(frame)))
    np.testing.assert_array_equal(found, tiny._log_likelihood(rows, np.random.default_rng(4)))
    drawn = tiny.sample(400, random_state=0)
    assert tiny.log_likelihood(drawn).mean() > -np.log(12)
    with pytest.raises(SchemaError, match="not seen"):
        tiny.log_likelihood(pa.table({"a": ["w"], "b": [True], "c": [True]}))
