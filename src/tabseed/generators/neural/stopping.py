"""When a training stops and which of its weights are kept: two rules with one interface.

Notation: S seeds, n training rows, b rows of a batch.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import numpy as np

from tabseed.parameters import OneOf, Parameters, Real, Whole, check_parameters, or_none

if TYPE_CHECKING:  # settings can be made without PyTorch
    from tabseed.generators.neural.learner import Learner

# returns the losses (S,) on the rows set aside: None for fixed noise, or a step for its fresh noise
Validate = Callable[[int | None], np.ndarray]
Stopper = Literal["relative", "paper"]
Criterion = Literal["loss", "drawn"]


@dataclass(frozen=True)
class Training:
    """How a network is trained: Adam, minibatches, early stopping.

    Parameters
    ----------
    steps : int
        Largest number of steps (batches) that a seed takes.
    batch_size : int or None
        Rows of a batch; None: half of the training rows, between 16 and 256.
    learning_rate : float
    validation : float
        Share of the rows set aside to decide when to stop, the same for all seeds.
    warm_up : int
        Steps that every seed takes before its validations count. The loss on few held-out rows is
        too noisy to show the first gains: a table of 57 rows would often get untrained weights.
    patience : int
        Number of validations without gain after which a seed stops.
    tolerance : float
        "relative": a gain is a fall of the loss by more than this share of its size. "paper": any
        fall is a gain, and a loss more than this above the best uses up patience.
    validate_every : int or None
        Steps between validations; None: half an epoch, at least 10. ("paper": a validation sums
        losses over an epoch; with k, of each k-th batch only, counted k times. None: of every
        batch, as in their code, which on long epochs costs more than the steps.)
    stopper : {"relative", "paper"}
        "relative": mean loss of a row on fixed noise; the best weights are kept
        (:class:`Relative`). "paper": as in the code of arXiv 2407.03080: losses after every batch,
        summed over the epoch, on fresh noise; rows never reshuffled; the last weights are kept, and
        the last loss chooses the seed (:class:`Paper`).
    criterion : {"loss", "drawn"}
        What a validation computes. "loss": the network's loss. "drawn": the negative log-likelihood
        of the rows set aside under the law that rows would be drawn from now, in nats a row; only
        for generators that know it, such as VAEBGM. A validation costs about 300 steps.
    pull : float
        Strength of a pull to the weights at the start: after each step a weight moves towards its
        start as the proximal step of ``pull``/2 times its squared distance says. Adam moves a
        weight by about the learning rate, so it stays within about 1/``pull``; 0: no pull.
    """

    steps: int = 3_000
    batch_size: int | None = None
    learning_rate: float = 2e-3
    validation: float = 0.2
    warm_up: int = 150
    patience: int = 10
    tolerance: float = 1e-3
    validate_every: int | None = None
    stopper: Stopper = "relative"
    criterion: Criterion = "loss"
    pull: float = 0.0

    parameters: ClassVar[Parameters] = {
        "steps": Whole(0),
        "batch_size": or_none(Whole(1)),
        "learning_rate": Real(above=0),
        "validation": Real(above=0, below=1),
        "warm_up": Whole(0),
        "patience": Whole(1),
        "tolerance": Real(0),
        "validate_every": or_none(Whole(1)),
        "stopper": OneOf(get_args(Stopper)),
        "criterion": OneOf(get_args(Criterion)),
        "pull": Real(0),
    }

    def __post_init__(self) -> None:
        check_parameters(self)

    def batch_rows(self, n: int) -> int:
        """Return the rows b of a batch for n training rows."""
        return min(n, self.batch_size or int(np.clip(n // 2, 16, 256)))

    def rule(self) -> StoppingRule:
        """Return the rule that ``stopper`` names."""
        return RULES[self.stopper](self)


@dataclass
class Record:
    """What a stopping rule remembers of each seed; each array is (S,)."""

    best: np.ndarray  # smallest loss so far
    since: np.ndarray  # patience used up
    mark: np.ndarray  # loss with which the next one is compared
    kept_step: np.ndarray
    kept_loss: np.ndarray
    stopped: np.ndarray

    @classmethod
    def fresh(cls, size: int) -> Record:
        """Return the record of ``size`` seeds before the first validation."""
        high = np.full(size, math.inf)
        zero = np.zeros(size, dtype=np.int64)
        return cls(high, zero, high.copy(), zero.copy(), high.copy(), np.zeros(size, dtype=bool))


class StoppingRule(ABC):
    """When losses are computed, and what each validation means for a seed."""

    def __init__(self, training: Training) -> None:
        self.training = training

    @property
    @abstractmethod
    def validates_start(self) -> bool:
        """Whether the weights before the first step are validated, and may be kept."""

    @abstractmethod
    def period(self, n: int) -> int:
        """Return the steps between validations for n training rows."""

    @abstractmethod
    def picks(
        self, network: Learner, index: object, size: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Return which rows train in an epoch, and in which order, (size,) integers."""

    @abstractmethod
    def held_loss(
        self, validate: Validate, step: int, period: int, *, last: bool
    ) -> np.ndarray | float:
        """Return what the weights after ``step`` add to a validation loss, (S,).

        ``period``: the steps between validations; ``last``: the validation is due now.
        """

    @abstractmethod
    def see(self, record: Record, seeds: np.ndarray, loss: np.ndarray, step: int) -> np.ndarray:
        """Record the losses of ``seeds``; return which of them must keep their weights now."""

    def _note(
        self, record: Record, seeds: np.ndarray, loss: np.ndarray, step: int, keep: np.ndarray
    ) -> None:
        record.best[seeds] = np.minimum(record.best[seeds], loss)
        record.kept_step[seeds[keep]] = step
        record.kept_loss[seeds[keep]] = loss[keep]
        record.stopped[seeds] = record.since[seeds] >= self.training.patience


class Relative(StoppingRule):
    """Keep the best weights; stop after too many validations without a gain."""

    validates_start = True

    def period(self, n: int) -> int:
        """Return ``validate_every``, by default half an epoch, at least 10."""
        return self.training.validate_every or max(10, _epoch(self.training, n) // 2)

    def picks(
        self, network: Learner, index: object, size: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Return the random picks of the network, others in each epoch."""
        return network.picks(index, size, rng)

    def held_loss(
        self, validate: Validate, step: int, period: int, *, last: bool
    ) -> np.ndarray | float:
        """Return the loss, always on the same noise, if ``last``, otherwise 0."""
        del step, period
        return validate(None) if last else 0.0

    def see(self, record: Record, seeds: np.ndarray, loss: np.ndarray, step: int) -> np.ndarray:
        """Keep each new best after the warm-up; only a gain restores patience."""
        if step < min(self.training.warm_up, self.training.steps):
            return np.zeros(len(seeds), dtype=bool)
        loss = np.where(np.isfinite(loss), loss, math.inf)
        best = np.asarray(loss < record.best[seeds])
        mark = record.mark[seeds]
        size = np.where(np.isfinite(mark), np.abs(mark), 0)
        gain = loss < mark - self.training.tolerance * size
        record.mark[seeds] = np.where(gain, loss, mark)
        record.since[seeds] = np.where(gain, 0, record.since[seeds] + 1)
        self._note(record, seeds, loss, step, best)
        return best


class Paper(StoppingRule):
    """Keep the last weights, as the code of arXiv 2407.03080 does."""

    @property
    def validates_start(self) -> bool:
        """Whether there are no steps."""
        return self.training.steps == 0

    def period(self, n: int) -> int:
        """Return the steps of an epoch."""
        return _epoch(self.training, n)

    def picks(
        self, network: Learner, index: object, size: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Return the rows in the order of the table."""
        del size, rng
        return network.in_order(index)

    def held_loss(
        self, validate: Validate, step: int, period: int, *, last: bool
    ) -> np.ndarray | float:
        """Return the loss after every batch, or k times that after each k-th, on fresh noise.

        The batches after the last k-th one of an epoch count by their number.
        """
        batch, every = (step - 1) % period + 1, self.training.validate_every or 1
        if batch % every and not last:
            return 0.0
        return (batch % every or every) * validate(step)

    def see(self, record: Record, seeds: np.ndarray, loss: np.ndarray, step: int) -> np.ndarray:
        """Keep the weights; a loss far above the best uses patience, a new best restores it."""
        loss = np.where(np.isfinite(loss), loss, math.inf)
        best = record.best[seeds]
        since = record.since[seeds]
        worse = loss > np.minimum(best, loss) + self.training.tolerance
        record.since[seeds] = np.where(loss < best, 0, since + worse)
        keep = np.ones(len(seeds), dtype=bool)
        self._note(record, seeds, loss, step, keep)
        return keep


RULES: dict[str, type[StoppingRule]] = {"relative": Relative, "paper": Paper}


def _epoch(training: Training, n: int) -> int:
    """Return the number of batches in an epoch of n training rows."""
    return -(-n // training.batch_rows(n))
