"""Neural generators: S seeds trained as one batch of stacked weights, each an independent stream.

Notation: S seeds, n training rows, b rows of a batch, p inputs of a row, k random deviates that
a row consumes. Stacked weights have the seed as first dimension, so one batched matrix product
does the work of S networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tabseed._random import child, one_thread
from tabseed.errors import NothingLearnedError
from tabseed.generators.archive import Arrays, Checkpoint, under
from tabseed.generators.base import Progress
from tabseed.generators.learner import (
    Learner,
    Network,
    Tensor,
    Weights,
    adam_step,
    kl_to_standard_normal,
    to_tensor,
    torch,
)
from tabseed.generators.stopping import Record, Training

Monitor = Callable[[int, np.ndarray, Weights], np.ndarray]

SPLIT, INITIAL, EPOCH, VALIDATION = range(4)  # streams below that of a fit, or of a seed
MOMENTS = ("first", "second")  # of the gradients, as Adam keeps them
MAX_NOISE = 400_000  # deviates a seed holds at once

__all__ = [
    "Learner",
    "Monitor",
    "Network",
    "Options",
    "Record",
    "SeedEnsemble",
    "Split",
    "Tensor",
    "Training",
    "Weights",
    "adam_step",
    "kl_to_standard_normal",
    "to_tensor",
    "torch",
    "train_ensemble",
]


@dataclass
class SeedEnsemble:
    """S trained seeds: weights stacked (S, ...), the loss curves, and which seed is chosen.

    ``curves[s]`` is (validations, 3): step, training loss, validation loss, nats a row.
    ``best_step`` is the step whose weights were kept, ``best_loss`` the loss that chooses.
    A model read from its file has the records only: ``weights`` is empty.
    """

    weights: dict[str, np.ndarray]
    curves: list[np.ndarray]
    best_step: np.ndarray
    best_loss: np.ndarray

    @property
    def chosen(self) -> int:
        """The seed of the smallest validation loss."""
        return int(np.nanargmin(self.best_loss))

    def of_seeds(self, seeds: Sequence[int]) -> dict[str, np.ndarray]:
        """Weights of some seeds, stacked: (len(seeds), ...)."""
        return {name: value[list(seeds)] for name, value in self.weights.items()}

    def sound(self) -> list[int]:
        """Seeds that ever had a finite validation loss."""
        return [int(seed) for seed in np.flatnonzero(np.isfinite(self.best_loss))]

    def ranked(self) -> SeedEnsemble:
        """Put the seeds in the order of their losses, the smallest first."""
        loss = np.where(np.isfinite(self.best_loss), self.best_loss, math.inf)
        order = [int(s) for s in np.argsort(loss, kind="stable")]
        curves = [self.curves[s] for s in order]
        best = self.best_step[order], self.best_loss[order]
        return SeedEnsemble(self.of_seeds(order), curves, *best)

    def to_arrays(self) -> Arrays:
        """Give everything as arrays by name."""
        arrays = {f"weights.{name}": value for name, value in self.weights.items()}
        arrays |= {f"curve.{seed}": curve for seed, curve in enumerate(self.curves)}
        return arrays | {"best_step": self.best_step, "best_loss": self.best_loss}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> SeedEnsemble:
        """Take back what :meth:`to_arrays` gave."""
        curves = [arrays[f"curve.{seed}"] for seed in range(len(arrays["best_step"]))]
        weights = under("weights.", arrays)
        return cls(weights, curves, arrays["best_step"], arrays["best_loss"])


# --- the one training loop ----------------------------------------------------------------------


@dataclass(frozen=True)
class Split:
    """Places of the rows that train, (S, n) or (1, n), and of those that validate.

    One row of places serves all seeds; with S of them each seed has its own.
    """

    train: np.ndarray
    validation: np.ndarray

    @classmethod
    def draw(
        cls, n: int, share: float, stream: np.random.SeedSequence, *, n_seeds: int = 1
    ) -> Split:
        """Set aside ``share`` of n >= 2 rows, at least one, leaving at least one.

        With ``n_seeds`` each seed sets aside the part that follows the one before, going round:
        all rows train, and all rows validate, equally often or nearly so.
        """
        held = int(np.clip(round(n * share), 1, n - 1))
        order = np.random.default_rng(stream).permutation(n)
        turned = np.stack([np.roll(order, -held * seed) for seed in range(n_seeds)])
        return cls(np.sort(turned[:, held:], axis=1), np.sort(turned[:, :held], axis=1))

    def whole(self) -> Split:
        """Let the rows set aside train too."""
        return Split(np.sort(np.hstack([self.train, self.validation]), axis=1), self.validation)

    def of_seeds(self, n_seeds: int) -> Split:
        """Give a row of places to each of ``n_seeds`` seeds."""
        train, validation = (
            np.broadcast_to(places, (n_seeds, places.shape[1]))
            for places in (self.train, self.validation)
        )
        return Split(train, validation)


def train_ensemble(
    network: Learner,
    rows: np.ndarray,
    split: Split,
    how: Training,
    streams: Sequence[np.random.SeedSequence],
    *,
    initial: dict[str, np.ndarray] | None = None,
    options: Options | None = None,
) -> SeedEnsemble:
    """Train one seed for each stream, all as one batch; each as if it were alone.

    NothingLearnedError if no seed ever had a finite validation loss.

    ``rows`` is (n, p) float32. ``initial`` (S, ...) replaces fresh weights; zero steps give them
    back bit for bit. Seeds that have stopped leave the batch. The noise of a seed depends on its
    stream and the epoch only, so a run resumed from ``options.checkpoint`` continues exactly.
    Cost: three times the layers' matrix products a step, times at most ``how.steps``.
    """
    with one_thread():
        found = _Run(network, rows, split, how, streams, options or Options()).run(initial)
    if how.steps and not np.isfinite(found.best_loss).any():
        raise NothingLearnedError(
            f"training diverged in all {len(streams)} seeds; lower the learning rate "
            f"({how.learning_rate:g})"
        )
    return found


@dataclass(frozen=True)
class Options:
    """What surrounds a training: device, progress, a checkpoint, a monitor that may end it.

    ``monitor(step, seeds, weights)`` gets, after each validation, the numbers of the seeds that
    still learn and their stacked weights; it gives a number for each of them, which then stands
    in the place of the validation loss (smaller is better).
    """

    device: str = "cpu"
    progress: Progress | None = None
    checkpoint: Checkpoint | None = None
    monitor: Monitor | None = None


class _Run:
    """State of one training: stacked weights of the seeds that still learn, and all records."""

    def __init__(
        self,
        network: Learner,
        rows: np.ndarray,
        split: Split,
        how: Training,
        streams: Sequence[np.random.SeedSequence],
        options: Options,
    ) -> None:
        self.network, self.how, self.streams, self.options = network, how, streams, options
        self.device = torch.device(options.device)
        self.rows = to_tensor(rows, self.device)
        self.index = [network.index(rows, places) for places in split.train]
        self.split = split.of_seeds(len(streams))
        self.n_train, self.n_held = split.train.shape[1], split.validation.shape[1]
        self.batch = how.batch_rows(self.n_train)
        self.epoch_rows = self.n_train
        if network.pack:
            self.batch = network.pack * -(-self.batch // network.pack)
            self.epoch_rows = self.batch * -(-self.n_train // self.batch)
        self.active = np.arange(len(streams))
        self.record = Record.fresh(len(streams))
        self.curves: list[list[tuple[float, float, float]]] = [[] for _ in streams]
        self.step = 0
        self.remembered: tuple[int, dict[str, np.ndarray]] | None = None

    def run(self, initial: dict[str, np.ndarray] | None) -> SeedEnsemble:
        if initial is None:
            drawn = [
                self.network.initial_weights(np.random.default_rng(child(s, INITIAL)))
                for s in self.streams
            ]
            initial = {name: np.stack([w[name] for w in drawn]) for name in drawn[0]}
        self.kept = {name: value.copy() for name, value in initial.items()}
        self._load(initial, {})
        self._resume()
        self._fixed_noise()
        if self.step == 0 and (self.how.stopper == "relative" or self.how.steps == 0):
            loss = self._validate(self.held_noise)
            self._note(np.full(len(loss), math.nan), loss)
        try:
            while len(self.active) and self.step < self.how.steps:
                stay = self._note(*self._until_due())
                if not stay.all():
                    self._leave(stay)
                self._remember()
        except BaseException:  # an interrupt too: what was learned so far is kept
            self._write()
            raise
        if self.options.checkpoint is not None:
            self.options.checkpoint.remove()
        curves = [np.array(curve).reshape(-1, 3) for curve in self.curves]
        record = self.record
        return SeedEnsemble(self.kept, curves, record.kept_step, record.kept_loss)

    # -- weights and the moments of their gradients, each (S, ...)

    def _load(self, weights: dict[str, np.ndarray], moments: dict[str, np.ndarray]) -> None:
        """Put stacked weights on the device, their gradients' moments too (0 if not given)."""
        self.weights = {
            name: to_tensor(value, self.device).requires_grad_() for name, value in weights.items()
        }
        self.moments = [
            {
                name: to_tensor(moments.get(f"{order}.{name}", np.zeros_like(value)), self.device)
                for name, value in weights.items()
            }
            for order in MOMENTS
        ]

    @staticmethod
    def _values(tensors: Weights) -> dict[str, np.ndarray]:
        return {name: value.detach().cpu().numpy() for name, value in tensors.items()}

    def _moments(self) -> dict[str, np.ndarray]:
        pairs = zip(MOMENTS, self.moments, strict=True)
        return {f"{o}.{k}": v for o, found in pairs for k, v in self._values(found).items()}

    def _leave(self, stay: np.ndarray) -> None:
        """Take the seeds that have stopped out of the batch."""
        self.active = self.active[stay]
        if len(self.active):
            self._load(
                {name: value[stay] for name, value in self._values(self.weights).items()},
                {name: value[stay] for name, value in self._moments().items()},
            )
            self._fixed_noise()

    # -- noise

    def _fixed_noise(self) -> None:
        self.drawn: tuple[int, int] | None = None  # epoch and part that picks and noise are of
        self.held = self.rows[to_tensor(self.split.validation[self.active], self.device)]
        self.held_noise = self._noise(self.network.held_draws(self.n_held), VALIDATION)

    def _noise(self, n: int, *path: int) -> Tensor:
        """Deviates (S, n, k) of the active seeds, each from its own stream."""
        drawn = [
            self.network.noise(np.random.default_rng(child(self.streams[int(s)], *path)), n)
            for s in self.active
        ]
        return to_tensor(np.stack(drawn), self.device)

    # -- steps

    def _batch(self) -> tuple[Tensor, Tensor]:
        """Rows (S, b, p') and noise (S, b, k) of the next step.

        The order of rows and the noise come from each seed's stream by the numbers of epoch and
        part, so neither other seeds nor an interruption changes them. A long epoch draws its
        noise in parts.
        """
        n, batch = self.epoch_rows, self.batch
        epoch, place = divmod(self.step, -(-n // batch))
        part = max(1, MAX_NOISE // (batch * max(1, self.network.noise_width)))
        start = place - place % part
        if self.drawn != (epoch, start):
            self.drawn = (epoch, start)
            low, high = start * batch, min((start + part) * batch, n)
            self.noise = self._noise(high - low, EPOCH, epoch, 1 + start)
            self.picks = self._picks(epoch)[:, low:high]
        at = slice((place - start) * batch, (place - start + 1) * batch)
        return self.network.gather(self.rows, self.picks[:, at]), self.noise[:, at]

    def _picks(self, epoch: int) -> Tensor:
        """Places of each active seed's rows in the order of this epoch, (S, rows of an epoch)."""
        places = self.split.train[self.active]
        if self.how.stopper != "paper":
            drawn = [
                self.network.picks(
                    self.index[int(s) % len(self.index)],  # one for all seeds, or each its own
                    self.epoch_rows,
                    np.random.default_rng(child(self.streams[int(s)], EPOCH, epoch, 0)),
                )
                for s in self.active
            ]
            places = np.stack(drawn)
        return to_tensor(places, self.device)

    def _until_due(self) -> tuple[np.ndarray, np.ndarray]:
        """Take steps up to the next validation; give training and validation losses (S,)."""
        paper = self.how.stopper == "paper"
        period = self.how.period(self.n_train)
        total, held, first = None, np.zeros(len(self.active)), self.step
        while True:
            loss = self._descend(*self._batch())
            total = loss if total is None else total + loss
            self.step += 1
            if paper:
                held += self._validate(self._noise(self.n_held, VALIDATION, self.step))
            if self.step % period == 0 or self.step >= self.how.steps:
                break
        if not paper:
            held = self._validate(self.held_noise)
        return np.asarray(total.cpu(), dtype=np.float64) / (self.step - first), held

    def _descend(self, rows: Tensor, noise: Tensor) -> Tensor:
        return self.network.descend(
            self.weights,
            self.moments,
            rows,
            noise,
            count=self.step + 1,
            rate=self.how.learning_rate,
        )

    def _validate(self, noise: Tensor) -> np.ndarray:
        with torch.no_grad():
            losses = self.network.held_loss(self.weights, self.held, noise)
        return np.asarray(losses.cpu(), dtype=np.float64)

    def _note(self, train: np.ndarray, held: np.ndarray) -> np.ndarray:
        """Record a validation; keep weights that deserve it; say which seeds go on."""
        if self.options.monitor is not None:
            held = self.options.monitor(self.step, self.active, self.weights)
        for seed, loss, held_loss in zip(self.active, train, held, strict=True):
            self.curves[seed].append((float(self.step), float(loss), float(held_loss)))
        keep = self.record.see(self.active, held, self.step, self.how)
        if keep.any():
            for name, value in self._values(self.weights).items():
                self.kept[name][self.active[keep]] = value[keep]
        if self.options.progress is not None:
            learning = f"{len(self.active)} of {len(self.streams)} seeds learning"
            self.options.progress(self.step, self.how.steps, learning)
        return ~self.record.stopped[self.active]

    # -- checkpoints

    def _remember(self) -> None:
        """Copy the whole state, which is consistent now; write it if that is due."""
        if self.options.checkpoint is None:
            return
        arrays: dict[str, np.ndarray] = {"active": self.active}
        parts: list[tuple[str, dict[str, Any]]] = [
            ("record", vars(self.record)),
            ("kept", self.kept),
            ("weights", self._values(self.weights)),
            ("moments", self._moments()),
        ]
        for prefix, found in parts:
            arrays |= {f"{prefix}.{name}": value for name, value in found.items()}
        arrays |= {f"curve.{s}": np.array(c).reshape(-1, 3) for s, c in enumerate(self.curves)}
        self.remembered = (self.step, {name: value.copy() for name, value in arrays.items()})
        if self.options.checkpoint.due():
            self._write()

    def _write(self) -> None:
        if self.options.checkpoint is not None and self.remembered is not None:
            step, arrays = self.remembered
            self.options.checkpoint.write({"step": step}, arrays)

    def _resume(self) -> None:
        found = self.options.checkpoint.read() if self.options.checkpoint is not None else None
        if found is None:
            return
        state, arrays = found
        self.step, self.active = int(state["step"]), arrays["active"]
        self.record, self.kept = Record(**under("record.", arrays)), under("kept.", arrays)
        found_curves = (arrays[f"curve.{s}"] for s in range(len(self.streams)))
        self.curves = [[(a, b, c) for a, b, c in curve.tolist()] for curve in found_curves]
        self._load(under("weights.", arrays), under("moments.", arrays))
