"""When a training stops, and which of its weights are kept.

Notation: S seeds, n training rows, b rows of a batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Training:
    """How a network is trained: Adam, minibatches, early stopping.

    Parameters
    ----------
    steps : int
        Most steps (batches) that any seed takes.
    batch_size : int or None
        Rows of a batch; None: half of the training rows, between 16 and 256.
    learning_rate : float
    validation : float
        Share of the rows set aside, the same for all seeds, to see when to stop.
    warm_up : int
        Steps that every seed takes before its validations count. Few held-out rows are too
        noisy to show the first gains: 57 rows would often be left with untrained weights.
    patience : int
        Validations without gain after which a seed stops.
    tolerance : float
        What counts as a gain: the loss falls by this share of its size ("relative") or by
        nothing, while a loss this much above the best costs patience ("paper").
    validate_every : int or None
        Steps between validations; None: half an epoch, at least 10. ("paper": an epoch.)
    stopper : {"relative", "paper"}
        "relative": mean loss a row on fixed noise, best weights restored. "paper": what the
        code of arXiv 2407.03080 does: losses after every batch, summed over the epoch, on fresh
        noise; rows never reshuffled; the last weights are kept, and the last loss chooses.
    """

    steps: int = 3_000
    batch_size: int | None = None
    learning_rate: float = 2e-3
    validation: float = 0.2
    warm_up: int = 150
    patience: int = 10
    tolerance: float = 1e-3
    validate_every: int | None = None
    stopper: Literal["relative", "paper"] = "relative"

    def batch_rows(self, n: int) -> int:
        """Rows b of a batch for n training rows."""
        return min(n, self.batch_size or int(np.clip(n // 2, 16, 256)))

    def period(self, n: int) -> int:
        """Steps between validations for n training rows."""
        epoch = -(-n // self.batch_rows(n))
        return epoch if self.stopper == "paper" else self.validate_every or max(10, epoch // 2)


@dataclass
class Record:
    """What stopping remembers of each seed, all arrays over S."""

    best: np.ndarray  # smallest loss so far
    since: np.ndarray  # patience used up
    mark: np.ndarray  # loss from which a gain is counted
    kept_step: np.ndarray
    kept_loss: np.ndarray
    stopped: np.ndarray

    @classmethod
    def fresh(cls, size: int) -> Record:
        """Remember nothing yet of ``size`` seeds."""
        high = np.full(size, math.inf)
        zero = np.zeros(size, dtype=np.int64)
        return cls(high, zero, high.copy(), zero.copy(), high.copy(), np.zeros(size, dtype=bool))

    def see(self, seeds: np.ndarray, loss: np.ndarray, step: int, how: Training) -> np.ndarray:
        """Take a validation of ``seeds``; say which of them must keep their weights now."""
        if how.stopper == "relative" and step < min(how.warm_up, how.steps):
            return np.zeros(len(seeds), dtype=bool)
        loss = np.where(np.isfinite(loss), loss, math.inf)
        better = loss < self.best[seeds]
        self.best[seeds] = np.minimum(self.best[seeds], loss)
        if how.stopper == "paper":
            keep = np.ones(len(seeds), dtype=bool)
            worse = loss > self.best[seeds] + how.tolerance
            self.since[seeds] = np.where(better, 0, self.since[seeds] + worse)
        else:
            keep = better
            mark = self.mark[seeds]
            size = np.where(np.isfinite(mark), np.abs(mark), 0)
            gain = loss < mark - how.tolerance * size
            self.mark[seeds] = np.where(gain, loss, mark)
            self.since[seeds] = np.where(gain, 0, self.since[seeds] + 1)
        self.kept_step[seeds[keep]] = step
        self.kept_loss[seeds[keep]] = loss[keep]
        self.stopped[seeds] = self.since[seeds] >= how.patience
        return keep
