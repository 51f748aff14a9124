"""What every generator promises that is trained for long: seeds, progress, checkpoints."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from sklearn.base import clone

from tabseed._progress import Progress
from tabseed.coding.encode import TableEncoder
from tabseed.table import Table
from tabseed.testing.tables import Check, example_table


def check_no_steps_give_initial_weights(generator: Any) -> None:
    """Without a step the weights are the initial ones, bit for bit, fresh or given."""
    ensemble, make = _trained(generator, steps=0)
    again = make(0, list(range(3)), ensemble.weights)
    for name, value in ensemble.weights.items():
        assert np.array_equal(value, again.weights[name]), name


def check_seeds_are_as_if_alone(generator: Any) -> None:
    """After 50 steps each seed's weights are those of training it alone, to 1e-5."""
    together, make = _trained(generator, steps=50)
    for seed in range(3):
        alone = make(50, [seed], None)
        for name, value in together.weights.items():
            gap = np.abs(value[seed] - alone.weights[name][0]).max()
            assert gap < 1e-5, f"seed {seed}, {name}: differs by {gap}"
    first, second = (next(iter(together.weights.values()))[s] for s in (0, 1))
    assert not np.array_equal(first, second), "two seeds are one"


def check_cores_do_not_matter(generator: Any) -> None:
    """The same weights, bit for bit, whether seeds train beside or after one another."""
    beside, make = _trained(generator, steps=20)
    with patch.dict(os.environ, LOKY_MAX_CPU_COUNT="1"):
        after = make(20, [0, 1, 2], None)
    for name, value in beside.weights.items():
        assert np.array_equal(value, after.weights[name]), name


def check_shapes_follow_the_encoder(generator: Any) -> None:
    """One encoder gives the same names and shapes of weights for other rows."""
    real = Table.from_frame(example_table(80))
    encoder = TableEncoder().fit(real)
    model = clone(generator).set_params(random_state=0).fit(real, encoder=encoder)
    drawn = model.sample(90)
    again = clone(model).fit(Table.from_frame(drawn, schema=real.schema.modelled), encoder=encoder)
    assert again.encoder_ is encoder
    shapes = [{k: v.shape for k, v in m.ensemble_.weights.items()} for m in (model, again)]
    assert shapes[0] == shapes[1]


def check_progress_is_told(generator: Any) -> None:
    """The callback hears of work that grows and never passes its total."""
    seen: list[tuple[int, int]] = []
    model = clone(generator).set_params(random_state=0)
    model.fit(example_table(60), progress=lambda done, total, _: seen.append((done, total)))
    done = [step for step, _ in seen]
    assert len(seen) > 1 and done == sorted(done)
    assert all(step <= total for step, total in seen)


def check_interrupted_training_goes_on(generator: Any) -> None:
    """A training cut off and begun again from its checkpoint ends with the same weights.

    It is cut off time and again, after 4, 8, 16, ... calls of the progress callback.
    """
    table = example_table(60)

    def model() -> Any:
        return clone(generator).set_params(random_state=0)

    whole = model().fit(table)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        most, resumed = 4, None
        while resumed is None:
            try:
                resumed = model().fit(table, progress=_interrupt_after(most), checkpoint=path)
            except KeyboardInterrupt:
                assert path.exists(), "nothing was kept"
                most *= 2
        assert most > 4, "fewer than 4 calls of the callback"
        assert not path.exists(), "the checkpoint outlives the training"
    for name, value in whole.ensemble_.weights.items():
        assert np.array_equal(value, resumed.ensemble_.weights[name]), name
    for one, two in zip(whole.ensemble_.curves, resumed.ensemble_.curves, strict=True):
        assert np.array_equal(one, two, equal_nan=True)


def _interrupt_after(most: int) -> Progress:
    calls = 0

    def tell(done: int, total: int, message: str) -> None:
        nonlocal calls
        calls += 1
        if calls == most:
            raise KeyboardInterrupt

    return tell


def _trained(generator: Any, steps: int) -> tuple[Any, Callable[..., Any]]:
    """Train three seeds; give also a function that trains others on the same rows."""
    from dataclasses import replace

    from tabseed._random import child, seed_sequence
    from tabseed.generators.neural.batch import Split
    from tabseed.generators.neural.ensemble import train_ensemble

    table = Table.from_frame(example_table(80))
    encoder = TableEncoder().fit(table)
    model = clone(generator).set_params(random_state=0)
    network = model._network(encoder.layout_)
    rows = network.rows(encoder.transform(table))
    how = replace(model._training(len(table)), patience=10**6)
    stream = seed_sequence(0)
    split = Split.draw(len(rows), how.validation, stream)

    def make(steps: int, seeds: list[int], initial: Any) -> Any:
        streams = [child(stream, 7, seed) for seed in seeds]
        settings = replace(how, steps=steps)
        return train_ensemble(network, rows, split, settings, streams, initial=initial)

    return make(steps, [0, 1, 2], None), make


NEURAL_CHECKS: tuple[Check, ...] = (
    check_no_steps_give_initial_weights,
    check_seeds_are_as_if_alone,
    check_cores_do_not_matter,
    check_shapes_follow_the_encoder,
)

TRAINED_CHECKS: tuple[Check, ...] = (
    check_progress_is_told,
    check_interrupted_training_goes_on,
)
