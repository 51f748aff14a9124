"""Stopping rules by hand: when losses are computed, which weights are kept."""

from __future__ import annotations

import numpy as np
import pytest

import tabseed as ts
from tabseed.generators.neural.learner import Network
from tabseed.generators.neural.stopping import Record, Training
from tabseed.testing import example_table


def replay(losses: list[float], training: Training) -> tuple[int, int, list[float]]:
    """Return the step at which a run of losses stops, the step kept and the loss kept."""
    record, rule, seed = Record.fresh(1), training.rule(), np.array([0])
    for step, loss in enumerate(losses, start=1):
        rule.see(record, seed, np.array([loss]), step)
        if record.stopped[0]:
            break
    return step, int(record.kept_step[0]), record.kept_loss.tolist()


def test_relative_stopper_by_hand() -> None:
    """Gains below 1 % use up patience, but the best weights are kept all the same."""
    training = Training(patience=3, tolerance=0.01, warm_up=0)
    losses = [10.0, 9.0, 8.95, 8.94, 8.93, 1.0]
    assert replay(losses, training) == (5, 5, [8.93])
    assert replay([10.0, 9.0, 9.5, 8.0, 9.0, 9.0, 9.0, 0.0], training) == (7, 4, [8.0])
    assert replay([float("nan")] * 9, training)[0] == 3
    late = Training(patience=3, tolerance=0.01, warm_up=4)
    assert replay([1.0, 9.0, 8.0, 7.0, 8.0, 8.0, 8.0, 0.0], late) == (7, 4, [7.0])


def test_paper_stopper_by_hand() -> None:
    """A loss above best + 2 uses patience, a new best resets it; the last weights are kept."""
    training = Training(patience=2, tolerance=2.0, stopper="paper")
    assert replay([10, 11.9, 11.9, 12.1, 9.9, 12.0, 11.8, 12.0, 12.5], training) == (8, 8, [12.0])
    assert replay([10, 12.5, 11, 12.5, 1], training) == (4, 4, [12.5])


class Line(Network):
    """A network of which only the inherited order of rows is used."""

    noise_width = 1

    def rows(self, x):
        return x

    def initial_weights(self, rng):
        return {}

    def loss(self, weights, rows, noise, *, train):
        return weights["none"]


def validations(
    training: Training, steps: int, n: int, total: list[float] | None = None
) -> list[tuple[int, int | None]]:
    """Return the steps at which losses are computed, each with the step of its noise.

    ``total`` gets how often the loss after each step counts.
    """
    rule = training.rule()
    total = [] if total is None else total
    losses: list[tuple[int, int | None]] = []
    for step in range(1, steps + 1):

        def validate(noise: int | None, step: int = step) -> np.ndarray:
            losses.append((step, noise))
            return np.array([2.0])

        period = rule.period(n)
        added = rule.held_loss(validate, step, period, last=step % period == 0)
        known = bool(losses) and losses[-1][0] == step
        assert np.all(added % 2.0 == 0) and np.all((added > 0) == known)
        total.append(float(np.sum(added)) / 2.0)
    return losses


def test_losses_are_computed_when_each_rule_says() -> None:
    """100 rows in batches of 25: an epoch is 4 steps; relative: half of that, but at least 10."""
    relative = Training(batch_size=25)
    assert validations(relative, 25, 100) == [(10, None), (20, None)]
    assert validations(Training(batch_size=1), 110, 100) == [(50, None), (100, None)]
    assert validations(Training(validate_every=7), 15, 100) == [(7, None), (14, None)]
    paper = Training(batch_size=25, stopper="paper")
    assert paper.rule().period(100) == 4
    assert validations(paper, 6, 100) == [(step, step) for step in range(1, 7)]


def test_the_paper_stopper_may_skip_batches() -> None:
    """Losses of an epoch of 8 batches always count 8 times; an epoch of one batch skips none."""
    for every, wanted in ((3, [0, 0, 3, 0, 0, 3, 0, 2]), (4, [0, 0, 0, 4] * 2), (9, [0] * 7 + [8])):
        training = Training(batch_size=25, validate_every=every, stopper="paper")
        total: list[float] = []
        steps = validations(training, 16, 200, total)
        assert total == wanted * 2
        assert steps == [(s, s) for s in range(1, 17) if (wanted * 2)[s - 1]]
        total.clear()
        validations(training, 3, 25, total)
        assert total == [1, 1, 1]


def test_the_start_is_validated_if_it_may_be_kept() -> None:
    assert Training().rule().validates_start
    assert not Training(stopper="paper").rule().validates_start
    assert Training(stopper="paper", steps=0).rule().validates_start


def test_rows_are_shuffled_or_keep_their_order() -> None:
    index = np.array([1, 4, 5, 7, 8, 9])
    orders = {
        stopper: [
            Training(stopper=stopper).rule().picks(Line(), index, 6, np.random.default_rng(seed))
            for seed in range(3)
        ]
        for stopper in ("relative", "paper")
    }
    assert all(np.array_equal(order, index) for order in orders["paper"])
    assert all(sorted(order) == index.tolist() for order in orders["relative"])
    assert len({tuple(order) for order in orders["relative"]}) > 1


def test_a_generator_that_samples_its_rows_refuses_a_fixed_order() -> None:
    training = Training(steps=5, stopper="paper")
    model = ts.CTGAN(hidden_dim=8, n_seeds=1, training=training, device="cpu")
    with pytest.raises(ts.TabseedError, match=r'CTGAN .* use stopper="relative"'):
        model.fit(example_table(60))
