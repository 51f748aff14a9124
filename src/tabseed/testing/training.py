"""The laws of generators that train for long: progress, and a checkpoint."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from tabseed._progress import Progress
from tabseed.testing.tables import example_table


def check_progress_is_reported(generator: Any) -> None:
    """The callback gets an amount of work that grows and never exceeds its total."""
    calls: list[tuple[int, int]] = []
    model = clone(generator).set_params(random_state=0)
    model.fit(example_table(60), progress=lambda done, total, _: calls.append((done, total)))
    amounts = [done for done, _ in calls]
    assert len(calls) > 1 and amounts == sorted(amounts)
    assert all(done <= total for done, total in calls)


def check_interrupted_training_goes_on(generator: Any) -> None:
    """Training that is interrupted and resumed from its checkpoint ends with the same weights.

    It is interrupted repeatedly, after 4, 8, 16, ... calls of the progress callback.
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
                assert path.exists(), "the interrupt left no checkpoint"
                most *= 2
        assert most > 4, "fewer than 4 calls of the callback"
        assert not path.exists(), "the checkpoint is still there after the training"
    for name, value in whole.ensemble_.weights.items():
        assert np.array_equal(value, resumed.ensemble_.weights[name]), name
    for one, two in zip(whole.ensemble_.curves, resumed.ensemble_.curves, strict=True):
        assert np.array_equal(one, two, equal_nan=True)


def _interrupt_after(most: int) -> Progress:
    calls = 0

    def callback(done: int, total: int, message: str) -> None:
        nonlocal calls
        calls += 1
        if calls == most:
            raise KeyboardInterrupt

    return callback
