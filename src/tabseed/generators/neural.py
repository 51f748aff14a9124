"""Generators whose law is a neural network: one encoder, one seed ensemble, one choice of seed."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np

from tabseed._random import RandomState, child
from tabseed.encode import Layout
from tabseed.errors import TabseedError
from tabseed.generators.archive import Arrays
from tabseed.generators.base import Aids, Generator
from tabseed.generators.ensemble import (
    Network,
    Options,
    SeedEnsemble,
    Split,
    Training,
    torch,
    train_ensemble,
)

SPLIT, SEED, LATENT = range(3)  # streams below that of a fit


class NeuralGenerator(Generator):
    """A generator that trains ``n_seeds`` networks at once and draws from the chosen one.

    A subclass writes ``_network(layout)``, ``_training()``, and, if sampling needs more than
    weights, ``_learn_latent``. Learned: ``ensemble_`` (every seed's weights, loss curves, best
    step), ``network_``, ``split_``. A model file keeps the chosen seed's weights and all curves.
    """

    min_rows: ClassVar[int] = 5

    n_seeds: int
    device: str
    random_state: RandomState
    ensemble_: SeedEnsemble
    network_: Network
    split_: Split

    def _network(self, layout: Layout) -> Network:
        """Make the network for an encoding; its weights' shapes depend on nothing else."""
        raise NotImplementedError

    def _training(self) -> Training:
        """Give the settings of training."""
        raise NotImplementedError

    def _learn_latent(self, rows: np.ndarray, stream: np.random.SeedSequence) -> None:
        """Learn what the chosen seed needs besides its weights, from all rows (n, p)."""

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        how = self._training()
        self.network_ = self._network(layout)
        rows = self.network_.rows(x)
        self.split_ = Split.draw(len(rows), how.validation, child(stream, SPLIT))
        self.ensemble_ = train_ensemble(
            self.network_,
            rows,
            self.split_,
            how,
            [child(stream, SEED, seed) for seed in range(self.n_seeds)],
            options=Options(resolve_device(self.device), aids.progress, aids.checkpoint),
        )
        if not np.isfinite(self.ensemble_.best_loss).any():
            raise TabseedError(
                f"training diverged in all {self.n_seeds} seeds; lower the learning rate "
                f"({how.learning_rate:g})"
            )
        self._learn_latent(rows, child(stream, LATENT))

    @property
    def weights_(self) -> dict[str, np.ndarray]:
        """Weights of the chosen seed, still stacked: (1, ...)."""
        return self.ensemble_.of_seed(self.ensemble_.chosen)

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        found = self.ensemble_
        arrays = {f"weights.{name}": value for name, value in self.weights_.items()}
        arrays |= {f"curve.{seed}": curve for seed, curve in enumerate(found.curves)}
        arrays |= {"best_step": found.best_step, "best_loss": found.best_loss}
        return {"chosen": found.chosen}, arrays

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        prefix, size = "weights.", len(arrays["best_step"])
        weights = {
            k.removeprefix(prefix): np.repeat(v, size, axis=0)
            for k, v in arrays.items()
            if k.startswith(prefix)
        }
        curves = [arrays[f"curve.{seed}"] for seed in range(size)]
        self.ensemble_ = SeedEnsemble(weights, curves, arrays["best_step"], arrays["best_loss"])
        self.network_ = self._network(self.encoder_.layout_)

    @classmethod
    def _parameters(cls, plain: dict[str, Any]) -> dict[str, Any]:
        if plain.get("training") is not None:
            known = {f.name for f in fields(Training)}
            given = {k: v for k, v in plain["training"].items() if k in known}
            plain = {**plain, "training": Training(**given)}
        return plain

    def summary(self) -> list[str]:
        """Say what was learned."""
        found, chosen = self.ensemble_, self.ensemble_.chosen
        spread = found.best_loss[np.isfinite(found.best_loss)]
        return [
            f"seed {chosen + 1} of {len(found.best_loss)} chosen: validation loss "
            f"{found.best_loss[chosen]:.3f} nats a row (the others up to {spread.max():.3f}), "
            f"{found.best_step[chosen]} steps",
            *super().summary(),
        ]


def resolve_device(name: str) -> str:
    """Turn "auto" into the best device there is; refuse one that is not."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TabseedError(f"device {name!r} is not to be had here; use auto or cpu") from error
    return name
