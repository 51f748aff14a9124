"""Seeds that train as one batch of stacked weights, by one thread.

Notation: S seeds, n training rows, b rows of a batch, k random deviates that a row consumes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tabseed._random import child
from tabseed.generators.neural.learner import Learner, Tensor, Weights, to_tensor, torch
from tabseed.generators.neural.stopping import Training

INITIAL, EPOCH, VALIDATION = range(1, 4)  # child streams of the stream of a seed
MOMENTS = ("first", "second")  # of the gradients, as Adam keeps them
MAX_NOISE = 400_000  # most deviates that a seed keeps in memory at once


@dataclass(frozen=True)
class Split:
    """Indices of the rows that train, (S, n) or (1, n), and of those that validate.

    All seeds share a single row of indices; with S rows each seed has its own.
    """

    train: np.ndarray
    validation: np.ndarray

    @classmethod
    def draw(
        cls, n: int, share: float, stream: np.random.SeedSequence, *, n_seeds: int = 1
    ) -> Split:
        """Return a random split that sets aside ``share`` of n >= 2 rows.

        At least one row is set aside, and at least one is left. With ``n_seeds`` each seed sets
        aside the rows that follow those of the seed before it, starting again at the end: all
        rows train, and all rows validate, equally often or nearly so.
        """
        n_held = int(np.clip(round(n * share), 1, n - 1))
        order = np.random.default_rng(stream).permutation(n)
        orders = np.stack([np.roll(order, -n_held * seed) for seed in range(n_seeds)])
        return cls(np.sort(orders[:, n_held:], axis=1), np.sort(orders[:, :n_held], axis=1))

    def whole(self) -> Split:
        """Return the split in which the rows set aside train too."""
        return Split(np.sort(np.hstack([self.train, self.validation]), axis=1), self.validation)

    def of_seeds(self, n_seeds: int) -> Split:
        """Return the split with a row of indices for each of ``n_seeds`` seeds."""
        train, validation = (
            np.broadcast_to(indices, (n_seeds, indices.shape[1]))
            for indices in (self.train, self.validation)
        )
        return Split(train, validation)


class Work:
    """What all seeds of a training share: the network, the rows, the settings, the streams."""

    def __init__(
        self,
        network: Learner,
        rows: np.ndarray,
        split: Split,
        training: Training,
        streams: Sequence[np.random.SeedSequence],
        device: torch.device,
    ) -> None:
        self.network, self.training, self.streams, self.device = network, training, streams, device
        self.rows = to_tensor(rows, device)
        self.index = [network.index(rows, indices) for indices in split.train]
        self.split = split.of_seeds(len(streams))
        self.n_train, self.n_held = split.train.shape[1], split.validation.shape[1]
        self.batch = training.batch_rows(self.n_train)
        self.epoch_rows = self.n_train
        if network.pack:
            self.batch = network.pack * -(-self.batch // network.pack)
            self.epoch_rows = self.batch * -(-self.n_train // self.batch)
        self.rule = training.rule()
        self.period = self.rule.period(self.n_train)
        self.ended = threading.Event()  # set by an interrupt: the steps still to come are dropped


class SeedBatch:
    """Some seeds of a training: stacked weights, moments of their gradients, rows and noise.

    The random numbers of a seed depend only on its own stream and the step, so neither other
    seeds nor an interruption changes them.
    """

    def __init__(
        self,
        work: Work,
        seeds: np.ndarray,
        weights: dict[str, np.ndarray],
        moments: dict[str, np.ndarray],
        start: dict[str, np.ndarray],
    ) -> None:
        """Copy stacked weights, the moments of their gradients (default 0) and the weights at the
        start to the device."""
        self.work, self.seeds, device = work, seeds, work.device
        self.weights = {
            name: to_tensor(value, device).requires_grad_() for name, value in weights.items()
        }
        self.moments = [
            {
                name: to_tensor(moments.get(f"{order}.{name}", np.zeros_like(value)), device)
                for name, value in weights.items()
            }
            for order in MOMENTS
        ]
        rate = work.training.learning_rate * work.training.pull
        self.pull = rate / (1 + rate)  # share of the way back to the start, after each step
        self.start = {name: to_tensor(value, device) for name, value in start.items()}
        self.drawn: tuple[int, int] | None = None  # epoch and first batch of picks and noise
        self.held = work.rows[to_tensor(work.split.validation[seeds], device)]
        self.held_noise = self._held_noise()

    def advance(self, step: int) -> tuple[int, np.ndarray, np.ndarray]:
        """Take steps from ``step`` to the next validation.

        Returns the step reached, and the mean training loss and the validation loss of each
        seed, (S,).
        """
        work, first, last = self.work, step, False
        total: Tensor | float = 0.0
        held_losses = np.zeros(len(self.seeds))
        while not last and not work.ended.is_set():
            rows, noise = self._batch(step)
            step += 1
            total = total + work.network.descend(
                self.weights,
                self.moments,
                rows,
                noise,
                count=step,
                rate=work.training.learning_rate,
            )
            if self.pull:
                self._pull_back()
            last = step % work.period == 0 or step >= work.training.steps
            held_losses += work.rule.held_loss(self.validate, step, work.period, last=last)
        mean = np.asarray(torch.as_tensor(total).cpu(), dtype=np.float64) / max(1, step - first)
        return step, mean, held_losses

    def _pull_back(self) -> None:
        """Move the weights towards the start by the share ``pull`` of the way, in place."""
        with torch.no_grad():
            for name, value in self.weights.items():
                value.lerp_(self.start[name], self.pull)

    def validate(self, step: int | None = None) -> np.ndarray:
        """Return each seed's loss on the rows set aside, (S,): fixed noise, or that of a step."""
        noise = self.held_noise if step is None else self._held_noise(step)
        with torch.no_grad():
            losses = self.work.network.held_loss(self.weights, self.held, noise)
        return np.asarray(losses.cpu(), dtype=np.float64)

    def values(self) -> dict[str, np.ndarray]:
        """Return the weights, (S, ...)."""
        return _values(self.weights)

    def moment_values(self) -> dict[str, np.ndarray]:
        """Return the moments of the gradients by order and name."""
        pairs = zip(MOMENTS, self.moments, strict=True)
        return {f"{o}.{k}": v for o, moments in pairs for k, v in _values(moments).items()}

    def _held_noise(self, *step: int) -> Tensor:
        """Return the deviates of a validation, each seed's from its own stream."""
        held_noise, n = self.work.network.held_noise, self.work.n_held
        noise = [held_noise(self._rng(s, VALIDATION, *step), n) for s in self.seeds]
        return to_tensor(np.stack(noise), self.work.device)

    def _rng(self, seed: int, *path: int) -> np.random.Generator:
        return np.random.default_rng(child(self.work.streams[int(seed)], *path))

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return rows (S, b, p') and noise (S, b, k) of a step.

        The noise of a long epoch is drawn in parts.
        """
        work = self.work
        n, batch = work.epoch_rows, work.batch
        epoch, index = divmod(step, -(-n // batch))
        part = max(1, MAX_NOISE // (batch * max(1, work.network.noise_width)))
        start = index - index % part
        if self.drawn != (epoch, start):
            self.drawn = (epoch, start)
            low, high = start * batch, min((start + part) * batch, n)
            noise = [
                work.network.noise(self._rng(s, EPOCH, epoch, 1 + start), high - low)
                for s in self.seeds
            ]
            self.noise = to_tensor(np.stack(noise), work.device)
            self.picks = self._picks(epoch)[:, low:high]
        at = slice((index - start) * batch, (index - start + 1) * batch)
        return work.network.gather(work.rows, self.picks[:, at]), self.noise[:, at]

    def _picks(self, epoch: int) -> Tensor:
        """Return the picks of each seed in the order of this epoch, (S, rows of an epoch)."""
        work = self.work
        picks = [
            work.rule.picks(
                work.network,
                work.index[int(s) % len(work.index)],  # one for all seeds, or one for each
                work.epoch_rows,
                self._rng(s, EPOCH, epoch, 0),
            )
            for s in self.seeds
        ]
        return to_tensor(np.stack(picks), work.device)


def _values(tensors: Weights) -> dict[str, np.ndarray]:
    return {name: value.detach().cpu().numpy() for name, value in tensors.items()}
