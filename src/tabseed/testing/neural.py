"""The laws of networks: each seed trains as if alone, whatever the number of cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
from sklearn.base import clone

from tabseed.coding.encode import TableEncoder
from tabseed.table import Table
from tabseed.testing.tables import example_table


def check_no_steps_give_initial_weights(generator: Any) -> None:
    """After 0 steps the weights are the initial ones, bit for bit, whether fresh or passed in."""
    ensemble, make = _trained(generator, steps=0)
    again = make(0, list(range(3)), ensemble.weights)
    for name, value in ensemble.weights.items():
        assert np.array_equal(value, again.weights[name]), name


def check_seeds_are_as_if_alone(generator: Any) -> None:
    """After 50 steps the weights of each seed are those of training it alone, to 1e-5."""
    together, make = _trained(generator, steps=50)
    for seed in range(3):
        alone = make(50, [seed], None)
        for name, value in together.weights.items():
            gap = np.abs(value[seed] - alone.weights[name][0]).max()
            assert gap < 1e-5, f"seed {seed}, {name}: differs by {gap}"
    first, second = (next(iter(together.weights.values()))[s] for s in (0, 1))
    assert not np.array_equal(first, second), "two seeds have the same weights"


def check_cores_do_not_matter(generator: Any) -> None:
    """The weights are the same, bit for bit, whether seeds train in parallel or in turn."""
    with patch.dict(os.environ, LOKY_MAX_CPU_COUNT="2"):
        parallel, make = _trained(generator, steps=20)
    with patch.dict(os.environ, LOKY_MAX_CPU_COUNT="1"):
        serial = make(20, [0, 1, 2], None)
    for name, value in parallel.weights.items():
        assert np.array_equal(value, serial.weights[name]), name


def check_shapes_follow_the_encoder(generator: Any) -> None:
    """One encoder gives the same names and shapes of weights for other rows."""
    real = Table.from_frame(example_table(80))
    encoder = TableEncoder().fit(real)
    model = clone(generator).set_params(random_state=0).fit(real, encoder=encoder)
    rows = Table.from_frame(model.sample(90), schema=real.schema.modelled)
    again = clone(model).fit(rows, encoder=encoder)
    assert again.encoder_ is encoder
    shapes = [{k: v.shape for k, v in m.ensemble_.weights.items()} for m in (model, again)]
    assert shapes[0] == shapes[1]


def _trained(generator: Any, steps: int) -> tuple[Any, Callable[..., Any]]:
    """Train three seeds; return them and a function that trains others on the same rows."""
    from dataclasses import replace

    from tabseed._random import child, seed_sequence
    from tabseed.generators.neural.batch import Split
    from tabseed.generators.neural.ensemble import train_ensemble

    table = Table.from_frame(example_table(80))
    encoder = TableEncoder().fit(table)
    model = clone(generator).set_params(random_state=0)
    network = model._network(encoder.layout_)
    rows = network.rows(encoder.transform(table))
    training = replace(model._training(len(table)), patience=10**6)
    stream = seed_sequence(0)
    split = Split.draw(len(rows), training.validation, stream)

    def make(steps: int, seeds: list[int], initial: Any) -> Any:
        streams = [child(stream, 7, seed) for seed in seeds]
        settings = replace(training, steps=steps)
        return train_ensemble(network, rows, split, settings, streams, initial=initial)

    return make(steps, [0, 1, 2], None), make
