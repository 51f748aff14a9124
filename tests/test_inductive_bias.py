"""Inductive bias: the mathematics, what is learned from which rows, interrupts, files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from scipy.special import softmax
from sklearn.base import clone

import tabseed as ts
from tabseed._random import child
from tabseed.archive import Checkpoint
from tabseed.errors import OrthogonalSeedsWarning, TabseedError, TooFewRowsError
from tabseed.generators.base import FIT, Aids
from tabseed.generators.neural.ensemble import SeedEnsemble
from tabseed.generators.neural.paper import PaperNetwork
from tabseed.generators.neural.stopping import Training
from tabseed.inductive_bias import BIASES, bias_class
from tabseed.inductive_bias.base import InductiveBias, Stage, learn
from tabseed.inductive_bias.journal import Journal
from tabseed.inductive_bias.maml import Batch, MetaTraining, adapt, meta_gradient
from tabseed.inductive_bias.pretraining import POOL
from tabseed.inductive_bias.weights import average, geometry
from tabseed.table import Table
from tabseed.testing import example_table
from tabseed.testing.biases import example_stage, in_double

BRIEF = Training(steps=40, warm_up=10, patience=3)
NONE = Training(steps=0, warm_up=0)
META = MetaTraining(30, 30, inner_steps=2, steps=6, check_every=1)

# averages of seeds that share nothing say so
pytestmark = pytest.mark.filterwarnings("ignore::tabseed.OrthogonalSeedsWarning")


def vaebgm(**settings: object) -> ts.VAEBGM:
    given = {"hidden_dim": 16, "n_seeds": 2, "training": BRIEF, "device": "cpu", **settings}
    return ts.VAEBGM(**given)


def tuned(bias: InductiveBias, **settings: object) -> ts.FineTuned:
    return ts.FineTuned(vaebgm(), bias, random_state=0, **settings)


def stage_of(model: ts.FineTuned, table: pa.Table) -> Stage:
    """The stage that a fitted model had, made by hand."""
    x = model.encoder_.transform(Table.from_frame(table))
    stream = child(model._stream, FIT)
    journal = Journal(Aids(None, None), 1)
    return Stage(model.generator, x, model.encoder_.layout_, stream, journal)


def assert_equal_weights(one, two) -> None:
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert value.tobytes() == two[name].tobytes(), name


# --- meta-gradients -----------------------------------------------------------------------------


def tasks(network, rows: np.ndarray, b: int = 12) -> tuple[Batch, Batch]:
    """Support and query rows of two tasks, with their noise, in float64."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(2):
        picked = rows[rng.integers(0, len(rows), (2, b))]
        noise = rng.standard_normal((2, b, network.noise_width))
        found.append(Batch(torch.from_numpy(picked).double(), torch.from_numpy(noise)))
    return found[0], found[1]


def setting(kind: str):
    """Network, weights (1, ...), support, query, and a rate that moves the weights well."""
    stage = example_stage()
    if kind == "paper":
        network = PaperNetwork(stage.layout, 3)
        rows, rate = network.rows(stage.x), 1e-8
    else:
        network, rows, rate = stage.model.network_, stage.rows, 0.1
    start = network.initial_weights(np.random.default_rng(1))
    theta = {k: torch.from_numpy(v).double()[None] for k, v in start.items()}
    return in_double(network), theta, *tasks(network, rows), rate


def after_adaptation(network, theta, support, query, rate, steps) -> float:
    """What MAML minimises: the summed query losses after adaptation."""
    start = {k: v.expand(2, *v.shape[1:]).clone().requires_grad_() for k, v in theta.items()}
    phi, _ = adapt(network, start, support, rate, steps, graph=False)
    return float(network.loss(phi, query.rows, query.noise, train=True).sum().detach())


@pytest.mark.parametrize("kind", ["cells", "paper"])
def test_second_order_is_the_gradient_after_adaptation(kind: str, monkeypatch) -> None:
    """Central differences, in float64: by each weight, its gradient's direction and a random one.

    Noise, and with it dropout, is an argument: the loss is a function of the weights alone. Clipped
    gradients are no gradients, so the paper's clipping is off. The first order is another vector,
    or the test would show nothing.
    """
    monkeypatch.setattr("tabseed.generators.neural.paper.CLIP_GRADIENT", 1e30)
    network, theta, support, query, rate = setting(kind)
    second, first = (
        meta_gradient(network, theta, support, query, rate=rate, steps=2, order=order)[0]
        for order in ("second", "first")
    )
    generator = torch.Generator().manual_seed(0)
    gaps = []
    for name, value in theta.items():
        step = torch.randn(value.shape, generator=generator, dtype=torch.float64)
        step = 1e-7 * (step / step.norm() + second[name] / second[name].norm())
        ends = [
            after_adaptation(network, {**theta, name: value + sign * step}, support, query, rate, 2)
            for sign in (1, -1)
        ]
        slope = float((second[name] * step).sum()) * 2
        size = float(second[name].norm()) * 2e-7
        assert abs(slope - (ends[0] - ends[1])) < 1e-5 * size, name
        gaps.append(float((second[name] - first[name]).norm() / second[name].norm()))
    assert max(gaps) > 0.01


@pytest.mark.parametrize("graph", [True, False])
@pytest.mark.parametrize("kind", ["cells", "paper"])
def test_adaptation_is_a_loop_over_tasks(kind: str, graph: bool) -> None:
    """Three plain gradient steps on each task by itself."""
    network, theta, support, _, rate = setting(kind)
    start = {k: v.expand(2, *v.shape[1:]).clone().requires_grad_() for k, v in theta.items()}
    phi, total = adapt(network, start, support, rate, 3, graph=graph)
    for task in range(2):
        rows, noise = support.rows[[task]], support.noise[[task]]
        own = {k: v.clone() for k, v in theta.items()}
        summed = {k: torch.zeros_like(v) for k, v in theta.items()}
        for _ in range(3):
            own = {k: v.detach().requires_grad_() for k, v in own.items()}
            network.loss(own, rows, noise, train=True).sum().backward()
            for name, value in own.items():
                summed[name] += value.grad
            own = {k: v - rate * v.grad for k, v in own.items()}
        for name in theta:
            torch.testing.assert_close(phi[name][[task]], own[name], rtol=1e-9, atol=1e-11)
            torch.testing.assert_close(total[name][[task]], summed[name], rtol=1e-9, atol=1e-9)


def test_orders_without_inner_steps_and_reptiles_own_formula() -> None:
    """K = 0: first and second order are one. Reptile: sum_t (theta - phi_t)/(K alpha)."""
    network, theta, support, query, rate = setting("cells")
    first, second = (
        meta_gradient(network, theta, support, query, rate=rate, steps=0, order=order)
        for order in ("first", "second")
    )
    torch.testing.assert_close(first, second, rtol=1e-12, atol=1e-14)
    found, losses = meta_gradient(
        network, theta, support, query, rate=rate, steps=4, order="reptile"
    )
    start = {k: v.expand(2, *v.shape[1:]).clone().requires_grad_() for k, v in theta.items()}
    phi, _ = adapt(network, start, support, rate, 4, graph=False)
    for name, value in theta.items():
        expected = (value - phi[name]).sum(0, keepdim=True).detach() / (4 * rate)
        torch.testing.assert_close(found[name], expected, rtol=1e-8, atol=1e-10)
    whole = after_adaptation(network, theta, support, query, rate, 4)
    assert float(losses.sum()) == pytest.approx(whole, rel=1e-12)


# --- meta-learning ------------------------------------------------------------------------------


def maml(**settings: object) -> ts.MAML:
    return ts.MAML(**{"n_seeds": 3, "n_rows": 100, "meta": META, **settings})


def test_meta_learning_lowers_the_loss_after_adaptation() -> None:
    """From a barely trained start, on rows set aside; the weights kept are those of the best."""
    meta = MetaTraining(40, 40, inner_steps=2, steps=40, rate=5e-3)
    for order in ("first", "second", "reptile"):
        stage = example_stage()
        bias = maml(order=order, start="fresh", meta=meta)
        bias.initial_weights(stage.first_seeds(3), stage)
        start, best = bias.losses_[0, 1], bias.losses_[:, 1].min()
        assert best < start - 0.1, order
        assert f"from {start:.3f} to {best:.3f} nats" in bias.summary()[0]


def test_meta_learning_that_wrecks_the_start_is_refused_or_gives_it_back() -> None:
    wild = MetaTraining(30, 30, inner_steps=1, steps=4, check_every=1, rate=100.0)
    for start in ("best", "average"):
        stage = example_stage()
        seeds = stage.first_seeds(3)
        with pytest.raises(TabseedError, match="no weights better than its start in 4 meta-steps"):
            maml(meta=wild, start=start).initial_weights(seeds, stage)
        found = maml(meta=wild, start=start, must_improve=False).initial_weights(seeds, stage)
        one = seeds.of_seeds([seeds.chosen]) if start == "best" else average(seeds.weights)
        assert_equal_weights(found, one)


def test_meta_steps_see_other_rows_each_unless_told_not_to() -> None:
    """Rows of the first step are the same ones, those of the second are not."""
    found = []
    for steps, resample in ((1, True), (1, False), (2, True), (2, False)):
        stage = example_stage()
        meta = replace(META, steps=steps, resample=resample, rate=1e-5)
        bias = maml(meta=meta, start="fresh", must_improve=False)
        found.append(bias.initial_weights(stage.first_seeds(3), stage)["decode.weight"])
    assert np.array_equal(found[0], found[1]) and not np.array_equal(found[2], found[3])


@pytest.mark.parametrize("fault", [{"order": "third"}, {"start": "worst"}, {"n_rows": 9}])
def test_settings_that_maml_cannot_follow_are_refused(fault: dict) -> None:
    stage = example_stage()
    with pytest.raises(TabseedError, match=next(iter(fault))):
        maml(**fault).initial_weights(stage.first_seeds(3), stage)


@pytest.mark.parametrize(("rate", "improves"), [(1e-3, True), (0.03, False)])
def test_interrupted_meta_learning_goes_on(rate: float, improves: bool, tmp_path: Path) -> None:
    """Weights and losses of a run cut off in its midst, twice, are those of a whole one."""
    meta = replace(META, rate=rate, patience=9)
    seen: list[str] = []

    def run(stop: int | None) -> tuple[ts.MAML, dict[str, np.ndarray]]:
        def tell(done: int, total: int, message: str) -> None:
            if message.startswith("MAML"):
                seen.append(message)
                if len(seen) == stop:
                    raise KeyboardInterrupt

        seen.clear()
        start = "fresh" if improves else "best"
        stage, bias = example_stage(), maml(meta=meta, start=start, must_improve=False)
        stage.journal = Journal(Aids(tell, Checkpoint(tmp_path / "state", "one", seconds=0)), 3)
        return bias, bias.initial_weights(stage.first_seeds(3), stage)

    whole, weights = run(None)
    assert (whole.losses_[:, 1].argmin() == 6) == improves
    steps = len(seen)
    assert steps == 7  # the start and six meta-steps
    (tmp_path / "state").unlink()
    for stop in (3, 2):
        with pytest.raises(KeyboardInterrupt):
            run(stop)
    resumed, again = run(None)
    assert len(seen) == steps - 3  # each cut cost the validation that was not yet written
    assert_equal_weights(weights, again)
    assert np.array_equal(whole.losses_, resumed.losses_)


# --- averages and their geometry ----------------------------------------------------------------


def test_geometry_of_equal_and_of_random_seeds() -> None:
    """Cosines of 2,000 normal numbers err by 1/sqrt(2000): 5 standard errors, 28 pairs."""
    rng = np.random.default_rng(0)
    many = rng.standard_normal((8, 40, 50)).astype(np.float32)
    unlike = geometry({"w": many, "w.bias": np.ones((8, 1, 50), np.float32)})
    assert list(unlike.by_name) == ["w"]
    assert abs(unlike.cosine) < 5 / 2_000**0.5 / 28**0.5
    assert unlike.norm_ratio == pytest.approx(8**-0.5, rel=0.05)
    alike = geometry({"w": many[[0] * 8], "v": 3 * many[[1] * 8]})
    assert alike.cosine == pytest.approx(1) and alike.norm_ratio == pytest.approx(1)
    two = geometry({"w": np.stack([np.diag([3.0, 0.0]), np.diag([0.0, 4.0])])})
    assert two.cosine == 0 and two.norm_ratio == pytest.approx(2.5 / 3.5)
    alone = geometry({"w": many[:1]})
    assert (alone.cosine, alone.norm_ratio) == (1, pytest.approx(1))


def test_averages_of_strangers_warn_and_of_branches_do_not() -> None:
    stage = example_stage()
    seeds = stage.first_seeds(3)
    bias = ts.WeightAveraging(n_seeds=3)
    with pytest.warns(OrthogonalSeedsWarning, match="nearly orthogonal"):
        bias.initial_weights(seeds, stage)
    assert "nearly orthogonal" in bias.summary()[1]
    for steps in (0, 15):
        bias = ts.WeightAveraging(n_seeds=3, branches=steps)
        assert not bias.needs_seeds
        bias.initial_weights(None, stage)
        assert bias.geometry_.cosine > 0.8 and len(bias.summary()) == 1


def test_branches_share_their_first_steps() -> None:
    """Branches that take no step are the trunk, which took as many as asked for."""
    stage = example_stage()
    stage.how = NONE
    found = ts.WeightAveraging(n_seeds=3, branches=20).initial_weights(None, stage)
    trunk = stage.journal.finished["trunk of 20"]
    assert trunk["best_step"].tolist() == [20]
    assert_equal_weights(found, {k: trunk[f"weights.{k}"] for k in found})


def test_average_of_the_best() -> None:
    stage = example_stage()
    seeds = stage.first_seeds(3)
    found = ts.WeightAveraging(n_seeds=3, top=2).initial_weights(seeds, stage)
    best = np.argsort(seeds.best_loss)[:2]
    assert_equal_weights(found, average(seeds.of_seeds(best)))
    for name, value in found.items():
        expected = seeds.weights[name][best].astype(np.float64).mean(axis=0)
        np.testing.assert_allclose(value[0], expected, rtol=1e-6, atol=1e-8)
    for top in (0, 4):
        with pytest.raises(TabseedError, match="between 1 and n_seeds=3"):
            ts.WeightAveraging(n_seeds=3, top=top).initial_weights(seeds, stage)


def test_small_init_shrinks_what_is_random_and_nothing_else() -> None:
    """Norms fall by sqrt(n_averaged): 5 standard errors of each matrix' norm."""
    stage = example_stage()
    network = stage.model.network_
    fresh = network.initial_weights(np.random.default_rng(0))
    for n_averaged in (1, 10):
        found = ts.SmallInit(n_seeds=4, n_averaged=n_averaged).initial_weights(None, stage)
        assert np.array_equal(found["cells.bias"], np.stack([network.log_share[None]] * 4))
        for name in ("encode.weight", "code.weight", "decode.weight", "cells.weight"):
            norms = np.linalg.norm(found[name].reshape(4, -1), axis=1)
            ratio = norms.mean() / np.linalg.norm(fresh[name]) * n_averaged**0.5
            error = (1.25 / (2 * fresh[name].size)) ** 0.5
            assert abs(ratio - 1) < 5 * error, name
        assert not np.array_equal(found["encode.weight"][0], found["encode.weight"][1])
    with pytest.raises(TabseedError, match="n_averaged=0"):
        ts.SmallInit(n_averaged=0).initial_weights(None, stage)


# --- rows that seeds generate -------------------------------------------------------------------


class Recording(Stage):
    """A stage that keeps the rows trained on."""

    def train_on(self, name, x, n_networks, stream):
        self.trained_on = x
        return super().train_on(name, x, n_networks, stream)


def recording_stage() -> Recording:
    made = example_stage()
    return Recording(made.model, made.x, made.layout, made.stream, made.journal)


def pool_of(seed_weights) -> tuple[Recording, list[np.ndarray]]:
    """A stage in which the pool was trained on, and 90 rows of each seed, the best first."""
    stage = recording_stage()
    seeds = stage.first_seeds(3)
    bias = ts.DomainRandomizedSearch(n_seeds=3, n_rows=90, seed_weights=seed_weights)
    bias.initial_weights(seeds, stage)
    return stage, stage.draw(seeds.ranked(), [90, 90, 90], POOL)


def test_given_weights_draw_from_those_seeds_alone() -> None:
    for seed, weights in enumerate(np.eye(3).tolist()):
        stage, of_each = pool_of(weights)
        own = stage.draw(stage.first_seeds(3).ranked(), [90 * int(w) for w in weights], POOL)
        assert np.array_equal(stage.trained_on, own[seed])
        assert [len(rows) for rows in own] == [90 * int(w) for w in weights]
        assert np.array_equal(own[seed], of_each[seed])


def test_shares_of_the_pool() -> None:
    """In closed form; sizes are drawn by them, 90 rows in all."""
    stage, _ = pool_of("equal")
    assert len(stage.trained_on) == 90
    ensemble = stage.first_seeds(3).ranked()
    ensemble.best_loss = np.array([6.0, 7.5, np.inf])
    shares = [
        ts.DomainRandomizedSearch(seed_weights=weights)._shares(ensemble)
        for weights in ("equal", "loss", [2, 1, 1])
    ]
    expected = [[0.5, 0.5, 0], [*softmax([-6.0, -7.5]), 0], [2 / 3, 1 / 3, 0]]
    np.testing.assert_allclose(shares, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "weights", [[1, 0], [1, 1, 1, 1], [-1, 1, 1], [0, 0, 0], [np.nan, 1, 1], [np.inf, 1, 1], "best"]
)
def test_weights_that_are_no_shares_are_refused(weights) -> None:
    with pytest.raises(TabseedError, match="seed_weights"):
        pool_of(weights)


def test_pretraining_draws_from_the_best_seed() -> None:
    stage = recording_stage()
    seeds = stage.first_seeds(3)
    bias = ts.Pretraining(n_seeds=3, n_rows=90)
    found = bias.initial_weights(seeds, stage)
    assert len(stage.trained_on) == 90
    again = recording_stage()
    only = again.first_seeds(3)
    others = [s for s in range(3) if s != only.chosen]
    for value in only.weights.values():
        value[others] = 0
    assert_equal_weights(found, bias.initial_weights(only, again))
    with pytest.raises(TabseedError, match="at least 10"):
        ts.Pretraining(n_seeds=3, n_rows=9).initial_weights(seeds, stage)


def test_seeds_draw_rows_of_their_own() -> None:
    """Two seeds that are one in weights and rows differ in the chance of drawing."""
    stage = example_stage()
    seeds = stage.first_seeds(2)
    twins = SeedEnsemble(
        seeds.of_seeds([0, 0]), [seeds.curves[0]] * 2, seeds.best_step, seeds.best_loss
    )
    one, two = stage.draw(twins, [40, 40], 1)
    assert one.shape == two.shape and not np.array_equal(one, two)


def test_rows_set_aside_do_not_shape_the_rows_drawn() -> None:
    """Other rows in their places, same draws; other rows that train, other draws."""
    stage = example_stage()
    seeds = stage.first_seeds(2)
    one = stage.draw(seeds, [40, 40], 1)
    (train,), (held,) = stage.split().train, stage.split().validation
    for places, same in ((held, True), (train[: len(held)], False)):
        before = stage.rows.copy()
        stage.rows[places] = stage.rows[train[-len(places) :]]
        two = stage.draw(seeds, [40, 40], 1)
        assert np.array_equal(one[0], two[0]) == np.array_equal(one[1], two[1]) == same
        stage.rows = before


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


@pytest.mark.parametrize("name", ["continued", "average", "pretrain", "small-init"])
def test_without_a_step_the_initial_weights_stay(name: str) -> None:
    """Bit for bit, whether the bias is judged by no second training or by one of no steps."""
    table = example_table(60)
    more = {"n_rows": 60} if name == "pretrain" else {}
    bias = bias_class(name)(n_seeds=2, **more)
    model = tuned(bias, fine_tuning=NONE).fit(table)
    stage = stage_of(model, table)
    initial = bias.initial_weights(stage.first_seeds(2), stage)
    for key, value in model.ensemble_.weights.items():
        assert len(value) == 2
        assert np.array_equal(value, np.broadcast_to(initial[key], value.shape)), key
    control = tuned(ts.StageOne(bias, n_seeds=2)).fit(table)
    assert_equal_weights(control.ensemble_.weights, initial)


def test_continued_seeds_improve_or_stay() -> None:
    """Step 0 counts in the second training of weights that have learned."""
    table = example_table(60)
    model = tuned(ts.Continued(n_seeds=2)).fit(table)
    stage = stage_of(model, table)
    first = stage.first_seeds(2).ranked()
    held = stage.split().validation.shape[1]
    assert held == 12
    for seed, curve in enumerate(model.ensemble_.curves):
        assert curve[0, 0] == 0 and np.isfinite(curve[0, 2])
        assert model.ensemble_.best_loss[seed] <= curve[0, 2]
        assert abs(curve[0, 2] - first.best_loss[seed]) < 1  # other noise, same weights


@pytest.mark.parametrize("bias", [ts.StageOne(ts.WeightAveraging(2), 2), ts.Continued(2)])
def test_the_authors_stopper_serves_every_bias(bias) -> None:
    """Without a second training, too, rows are drawn."""
    how = Training(steps=10, stopper="paper", patience=5)
    model = ts.FineTuned(vaebgm(paper=True, training=how), bias, random_state=0)
    assert len(model.fit(example_table(40)).sample(7)) == 7


def test_rotating_seeds_set_aside_other_rows_each() -> None:
    stage = example_stage()
    assert ts.SeedMixture(n_seeds=5).rotates
    assert not ts.SeedMixture(ts.WeightAveraging(), n_seeds=5).rotates
    held = stage.split(5).validation
    assert sorted(held.ravel()) == list(range(80))
    model, _ = learn(ts.SeedMixture(n_seeds=5), stage)
    assert model.drawn_ == (0, 1, 2, 3, 4) and "5 seeds, rotating" in stage.journal.finished


def test_generators_without_weights_are_refused() -> None:
    model = ts.FineTuned(ts.Resample(), ts.WeightAveraging(n_seeds=2))
    with pytest.raises(TabseedError, match="learns weights, such as VAEBGM; Resample has none"):
        model.fit(example_table(60))


@pytest.mark.parametrize("wrapper", [ts.StageOne, ts.SeedMixture])
def test_a_wrapped_bias_gets_its_own_number_of_seeds(wrapper) -> None:
    stage = example_stage()
    bias = wrapper(ts.WeightAveraging(n_seeds=2))
    learn(bias, stage)
    assert "2 seeds" in stage.journal.finished and "average of 2 seeds" in bias.summary()[0]


@pytest.mark.parametrize("bias", [ts.WeightAveraging(n_seeds=0), ts.SmallInit(n_seeds=0)])
def test_no_seeds_are_refused(bias) -> None:
    with pytest.raises(TabseedError, match="n_seeds"):
        learn(bias, example_stage())


def test_parameters_of_numpy_are_saved(tmp_path: Path) -> None:
    bias = ts.DomainRandomizedSearch(np.int64(2), 40, seed_weights=np.array([0.5, 0.5]))
    model = tuned(bias).fit(example_table(40), checkpoint=tmp_path / "state")
    model.save(tmp_path / "m.tabseed")
    again = ts.load(tmp_path / "m.tabseed")
    assert again.bias.n_seeds == 2 and again.bias.seed_weights == [0.5, 0.5]
    assert again.sample(20).equals(model.sample(20))


# --- choice -------------------------------------------------------------------------------------


def test_a_bias_that_wrecks_is_not_chosen() -> None:
    """An average left as it is: nats worse on held-out rows."""
    bias = ts.AutoBias(n_seeds=2, candidates=[Wrecking(n_seeds=2)], folds=2)
    table = example_table(60)
    model = tuned(bias).fit(table)
    assert isinstance(model.bias_, ts.StageOne)
    text = "\n".join(model.summary())
    assert "none is surely better than no bias: none is used" in text and "Wrecking: -" in text
    assert model.sample(30).equals(vaebgm(random_state=0).fit(table).sample(30))


class Wrecking(ts.WeightAveraging):
    """An average, negated, and not trained again."""

    fine_tunes = False

    def _initial_weights(self, ensemble, stage):
        found = super()._initial_weights(ensemble, stage)
        return {k: -v for k, v in found.items()}


def test_a_bias_that_surely_helps_is_chosen() -> None:
    """Networks stopped after 10 steps gain by going on; the one chosen is then as if given."""
    stage = example_stage()
    stage.model.training = Training(steps=10, warm_up=10)
    more = Training(steps=150, warm_up=10)
    stage = Stage(stage.model, stage.x, stage.layout, stage.stream, stage.journal, more)
    auto = ts.AutoBias(candidates=[Wrecking(n_seeds=2), ts.Continued(n_seeds=2)], folds=2)
    model, bias = learn(auto, stage)
    assert isinstance(bias, ts.Continued) and auto.chosen_ == 1
    assert auto.gains_.shape == (80, 2) and np.isfinite(auto.gains_).all()
    assert auto.gains_[:, 1].mean() > 0 > auto.gains_[:, 0].mean()
    given, _ = learn(ts.Continued(n_seeds=2), stage)
    assert_equal_weights(model.weights_, given.weights_)


def test_what_was_chosen_says_what_it_found() -> None:
    bias = ts.AutoBias(candidates=[ts.WeightAveraging(n_seeds=2)], folds=2)
    early = Training(steps=10, warm_up=10)
    model = ts.FineTuned(
        vaebgm(training=early), bias, fine_tuning=Training(steps=150), random_state=0
    )
    said = "\n".join(model.fit(example_table(80)).summary())
    assert "WeightAveraging is used" in said and "average of 2 seeds" in said


def test_gains_are_of_rows_that_no_candidate_saw() -> None:
    """Another row in the place of one moves all gains but those of rows held out with it."""
    gains = []
    for row in (3, 40):
        stage = example_stage()
        x = stage.x.copy()
        x[3] = x[row]
        stage = Stage(stage.model, x, stage.layout, stage.stream, stage.journal)
        bias = ts.AutoBias(candidates=[ts.Continued(n_seeds=2)], folds=2)
        learn(bias, stage)
        gains.append(bias.gains_[:, 0])
    same = np.isclose(*gains, rtol=1e-9, atol=1e-9)
    assert same.sum() == 39 and not same[3]


def test_a_candidate_that_is_no_bias_gains_nothing() -> None:
    """A mixture of one seed is the generator itself: the same noise, so 0 in every row."""
    made = example_stage()
    made.model.n_seeds = 1
    bias = ts.AutoBias(candidates=[ts.SeedMixture(n_seeds=1, rotate=False)], folds=2)
    learn(bias, made)
    assert not bias.gains_.any() and bias.chosen_ is None


def test_a_candidate_that_learns_nothing_is_not_chosen() -> None:
    wild = MetaTraining(20, 20, inner_steps=1, steps=2, check_every=1, rate=100.0)
    few = [maml(n_seeds=2, meta=wild), ts.SmallInit(n_seeds=2)]
    bias = ts.AutoBias(candidates=few, folds=2)
    learn(bias, example_stage())
    assert "MAML: learns nothing here" in bias.summary()


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
    learn(bias, example_stage())
    distinct = {column.tobytes() for column in bias.gains_.T}
    assert len(distinct) == len(candidates)
    assert bias.gains_.any(axis=0).all()  # nor are they taken for no bias


def test_choice_errs_as_seldom_as_stated() -> None:
    """Gains that are none, 2,000 times: any bias is chosen in at most 5 %, 4 standard errors.

    Among six biases, the best of which is looked at; gains with the tails of Student's t.
    False alarm below 1e-4. A gain of a standard deviation is found always.
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
        with pytest.raises(TabseedError, match="2 folds and one candidate"):
            tuned(ts.AutoBias(**fault)).fit(example_table(60))


# --- interrupts ---------------------------------------------------------------------------------

LONG = {
    "pretrain": ts.Pretraining(n_seeds=2, n_rows=60),
    "auto": ts.AutoBias(candidates=[ts.WeightAveraging(2), ts.Pretraining(2, n_rows=60)], folds=2),
}


@pytest.mark.parametrize("name", LONG)
def test_a_fit_killed_in_any_stage_goes_on(name: str, tmp_path: Path) -> None:
    """Cut off at one of six moments, the last when all is done, it ends as if never cut."""
    table, path = example_table(40), tmp_path / "state"
    calls: list[str] = []
    shares: list[float] = []

    def interrupting(at: int):
        def tell(done: int, total: int, message: str) -> None:
            calls.append(message)
            shares.append(done / total)
            if len(calls) == at:
                raise KeyboardInterrupt

        return tell

    whole = tuned(clone(LONG[name])).fit(table, progress=interrupting(0))
    stages = {message.rpartition(": ")[0] for message in calls}
    assert len(stages) > LONG[name].stages / 2
    assert shares == sorted(shares) and shares[-1] == 1 and shares[-2] > 0.5
    total, cut = len(calls), set()
    for at in np.linspace(2, total, 6).astype(int).tolist():
        calls.clear()
        with pytest.raises(KeyboardInterrupt):
            tuned(clone(LONG[name])).fit(table, progress=interrupting(at), checkpoint=path)
        cut.add(calls[-1].rpartition(": ")[0])
        calls.clear()
        resumed = tuned(clone(LONG[name])).fit(table, progress=interrupting(0), checkpoint=path)
        assert not path.exists()
        assert len(calls) <= total - at + 3  # finished stages, and steps, are not done again
        assert_equal_weights(whole.ensemble_.weights, resumed.ensemble_.weights)
        assert resumed.summary() == whole.summary()
        assert resumed.sample(20).equals(whole.sample(20))
    assert len(cut) >= min(4, len(stages))


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
    """All parameters, those of nested estimators too, as text."""
    return {k: repr(v) for k, v in estimator.get_params().items()}


@pytest.mark.parametrize("name", KEPT)
def test_every_bias_survives_its_file(name: str, tmp_path: Path) -> None:
    """Parameters, nested ones too, what was said, what was used, and the rows."""
    model = tuned(KEPT[name], fine_tuning=Training(steps=10, warm_up=0)).fit(example_table(40))
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
