"""Stopping rules by hand."""

from __future__ import annotations

import numpy as np

from tabseed.generators.neural.stopping import Record, Training


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
