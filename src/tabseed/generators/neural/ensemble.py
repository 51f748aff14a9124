"""The one training loop: S seeds in batches of stacked weights, each an independent stream.

Notation: S seeds, n training rows, p inputs of a row. The seed is the first dimension of stacked
weights, so one batched matrix product does the work of several networks. The seeds train in
GROUPS such batches, each in a thread of its own if there are enough cores. The batches are always
the same, because the rounding of a product may depend on the size of the batch, and the results
must not depend on the number of cores, to the last bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import joblib
import numpy as np

from tabseed._progress import Progress
from tabseed._random import child, one_thread
from tabseed.archive import Arrays, Checkpoint, stored, under
from tabseed.errors import NothingLearnedError
from tabseed.generators.neural.batch import INITIAL, SeedBatch, Split, Work
from tabseed.generators.neural.learner import (
    Learner,
    Weights,
    to_tensor,
    torch,
)
from tabseed.generators.neural.stopping import Record, Training

Monitor = Callable[[int, np.ndarray, Weights], np.ndarray]

GROUPS = 4  # batches of seeds on a CPU; a GPU takes all seeds as one


@dataclass
class SeedEnsemble:
    """S trained seeds: weights stacked (S, ...), the loss curves, and which seed is chosen.

    ``curves[s]`` is (validations, 3): step, training loss, validation loss, nats a row.
    ``best_step`` is the step whose weights were kept, ``best_loss`` the loss by which the seed is
    chosen. In a model read from its file ``weights`` is empty; the other fields are there.
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
        """Return the weights of some seeds, stacked: (len(seeds), ...)."""
        return {name: value[list(seeds)] for name, value in self.weights.items()}

    def sound(self) -> list[int]:
        """Return the seeds that ever had a finite validation loss."""
        return [int(seed) for seed in np.flatnonzero(np.isfinite(self.best_loss))]

    def ranked(self) -> SeedEnsemble:
        """Return the ensemble with the seeds in the order of their losses, the smallest first."""
        loss = np.where(np.isfinite(self.best_loss), self.best_loss, math.inf)
        order = [int(s) for s in np.argsort(loss, kind="stable")]
        curves = [self.curves[s] for s in order]
        best = self.best_step[order], self.best_loss[order]
        return SeedEnsemble(self.of_seeds(order), curves, *best)

    def to_arrays(self) -> Arrays:
        """Return all fields as arrays by name."""
        arrays = {f"weights.{name}": value for name, value in self.weights.items()}
        arrays |= {f"curve.{seed}": curve for seed, curve in enumerate(self.curves)}
        return arrays | {"best_step": self.best_step, "best_loss": self.best_loss}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> SeedEnsemble:
        """Return the ensemble whose :meth:`to_arrays` are ``arrays``."""
        steps = stored(arrays, "best_step", "i", (None,))
        losses = stored(arrays, "best_loss", "f", (len(steps),), finite=False)
        curves = [
            stored(arrays, f"curve.{seed}", "f", (None, 3), finite=False)
            for seed in range(len(steps))
        ]
        return cls(under("weights.", arrays), curves, steps, losses)

    def check(self, drawn: Sequence[int]) -> None:
        """Raise ValueError unless the weights, out of a file, are those of the seeds ``drawn``."""
        for name, value in self.weights.items():
            stored(self.weights, name, "f", (len(drawn), *[None] * (value.ndim - 1)))
            if value.dtype != np.float32:
                raise ValueError(f"weights of the type {value.dtype}")
        seeds = set(drawn)
        if not seeds or len(seeds) < len(drawn) or not seeds <= set(self.sound()):
            raise ValueError(f"drawn from the seeds {str(list(drawn))[:60]}")


# --- the one training loop ----------------------------------------------------------------------


def train_ensemble(
    network: Learner,
    rows: np.ndarray,
    split: Split,
    training: Training,
    streams: Sequence[np.random.SeedSequence],
    *,
    initial: dict[str, np.ndarray] | None = None,
    options: Options | None = None,
) -> SeedEnsemble:
    """Train one seed for each stream, in batches of seeds; each as if it were alone.

    ``rows`` is (n, p) float32. ``training`` holds the settings. ``initial`` (S, ...) replaces fresh
    weights; zero steps return them bit for bit. A seed that has stopped leaves its batch. The
    noise of a seed depends only on its stream and the epoch, so a run resumed from
    ``options.checkpoint`` continues exactly, whatever the number of cores. Cost: three times the
    layers' matrix products for each step, at most ``training.steps`` steps, on up to GROUPS cores.

    Raises NothingLearnedError if no seed ever had a finite validation loss.
    """
    with one_thread():
        ensemble = _Run(network, rows, split, training, streams, options or Options()).run(initial)
    if training.steps and not np.isfinite(ensemble.best_loss).any():
        raise NothingLearnedError(
            f"training diverged in all {len(streams)} seeds; lower the learning rate "
            f"({training.learning_rate:g})"
        )
    return ensemble


@dataclass(frozen=True)
class Options:
    """What surrounds a training: device, progress, a checkpoint, a monitor that may end it.

    ``monitor(step, seeds, weights)`` gets, after each validation, the indices of the seeds that
    still learn and their stacked weights. It returns a number for each of them, which replaces
    the validation loss (smaller is better).
    """

    device: str = "cpu"
    progress: Progress | None = None
    checkpoint: Checkpoint | None = None
    monitor: Monitor | None = None


class _Run:
    """State of one training: the seeds that still learn, and all records."""

    def __init__(
        self,
        network: Learner,
        rows: np.ndarray,
        split: Split,
        training: Training,
        streams: Sequence[np.random.SeedSequence],
        options: Options,
    ) -> None:
        self.training, self.streams, self.options = training, streams, options
        self.work = Work(network, rows, split, training, streams, torch.device(options.device))
        self.active = np.arange(len(streams))
        self.record = Record.fresh(len(streams))
        self.curves: list[list[tuple[float, float, float]]] = [[] for _ in streams]
        self.step = 0
        self.latest: tuple[int, dict[str, np.ndarray]] | None = None

    def run(self, initial: dict[str, np.ndarray] | None) -> SeedEnsemble:
        if initial is None:
            fresh = [
                self.work.network.initial_weights(np.random.default_rng(child(s, INITIAL)))
                for s in self.streams
            ]
            initial = {name: np.stack([w[name] for w in fresh]) for name in fresh[0]}
        self.start = initial if self.training.pull else {}
        self.best = {name: value.copy() for name, value in initial.items()}
        if not self._resume():
            self._load(initial, {})
        if self.step == 0 and self.work.rule.validates_start:
            loss = np.concatenate([batch.validate() for batch in self.batches])
            self._note(np.full(len(loss), math.nan), loss)
        # OpenMP has a limit for each thread: the one that one_thread set does not apply in the pool
        single = partial(torch.set_num_threads, 1)
        with ThreadPoolExecutor(min(GROUPS, joblib.cpu_count()), initializer=single) as pool:
            try:
                while len(self.active) and self.step < self.training.steps:
                    results = list(pool.map(lambda b: b.advance(self.step), self.batches))
                    self.step = results[0][0]
                    losses = (np.concatenate([r[k] for r in results]) for k in (1, 2))
                    stay = self._note(*losses)
                    if not stay.all():
                        self._leave(stay)
                    self._remember()
            except BaseException:  # an interrupt too: save what was learned so far
                self.work.ended.set()
                self._write()
                raise
        if self.options.checkpoint is not None:
            self.options.checkpoint.remove()
        curves = [np.array(curve).reshape(-1, 3) for curve in self.curves]
        record = self.record
        return SeedEnsemble(self.best, curves, record.kept_step, record.kept_loss)

    # -- weights and the moments of their gradients, each (S, ...)

    def _load(self, weights: dict[str, np.ndarray], moments: dict[str, np.ndarray]) -> None:
        """Distribute the seeds that still learn, with weights and moments, over batches."""
        # two seeds in a batch at least: with one, calls take longer than their work
        most = min(GROUPS, max(1, len(self.active) // 2))
        groups = 1 if self.work.device.type != "cpu" else most
        self.batches = [
            SeedBatch(
                self.work,
                self.active[at],
                {name: value[at] for name, value in weights.items()},
                {name: value[at] for name, value in moments.items()},
                {name: value[self.active[at]] for name, value in self.start.items()},
            )
            for at in np.array_split(np.arange(len(self.active)), groups)
        ]

    def _values(self) -> dict[str, np.ndarray]:
        return _joined([batch.values() for batch in self.batches])

    def _moments(self) -> dict[str, np.ndarray]:
        return _joined([batch.moment_values() for batch in self.batches])

    def _leave(self, stay: np.ndarray) -> None:
        """Remove the seeds that have stopped."""
        self.active = self.active[stay]
        if len(self.active):
            self._load(
                {name: value[stay] for name, value in self._values().items()},
                {name: value[stay] for name, value in self._moments().items()},
            )

    def _note(self, train_losses: np.ndarray, held_losses: np.ndarray) -> np.ndarray:
        """Record a validation, keep the weights that the rule chooses; return which seeds go on."""
        if self.options.monitor is not None:
            stacked = {k: to_tensor(v, self.work.device) for k, v in self._values().items()}
            held_losses = self.options.monitor(self.step, self.active, stacked)
        for seed, loss, held_loss in zip(self.active, train_losses, held_losses, strict=True):
            self.curves[seed].append((float(self.step), float(loss), float(held_loss)))
        keep = self.work.rule.see(self.record, self.active, held_losses, self.step)
        if keep.any():
            for name, value in self._values().items():
                self.best[name][self.active[keep]] = value[keep]
        if self.options.progress is not None:
            message = f"{len(self.active)} of {len(self.streams)} seeds learning"
            self.options.progress(self.step, self.training.steps, message)
        return ~self.record.stopped[self.active]

    # -- checkpoints

    def _remember(self) -> None:
        """Copy the whole state, which is consistent now; write it to the file if that is due."""
        if self.options.checkpoint is None:
            return
        arrays: dict[str, np.ndarray] = {"active": self.active}
        parts: list[tuple[str, dict[str, Any]]] = [
            ("record", vars(self.record)),
            ("kept", self.best),
            ("weights", self._values()),
            ("moments", self._moments()),
        ]
        for prefix, part in parts:
            arrays |= {f"{prefix}.{name}": value for name, value in part.items()}
        arrays |= {f"curve.{s}": np.array(c).reshape(-1, 3) for s, c in enumerate(self.curves)}
        self.latest = (self.step, {name: value.copy() for name, value in arrays.items()})
        if self.options.checkpoint.due():
            self._write()

    def _write(self) -> None:
        if self.options.checkpoint is not None and self.latest is not None:
            step, arrays = self.latest
            self.options.checkpoint.write({"step": step}, arrays)

    def _resume(self) -> bool:
        """Continue from the checkpoint; return whether there is one."""
        content = self.options.checkpoint.read() if self.options.checkpoint is not None else None
        if content is None:
            return False
        state, arrays = content
        self.step, self.active = int(state["step"]), arrays["active"]
        self.record, self.best = Record(**under("record.", arrays)), under("kept.", arrays)
        curves = (arrays[f"curve.{s}"] for s in range(len(self.streams)))
        self.curves = [[(a, b, c) for a, b, c in curve.tolist()] for curve in curves]
        self._load(under("weights.", arrays), under("moments.", arrays))
        return True


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
