"""Biases learned from rows that the first seeds generate: pre-training, domain randomisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from tabseed._random import child
from tabseed.errors import TabseedError
from tabseed.generators.neural.ensemble import SeedEnsemble
from tabseed.inductive_bias.base import BIAS, Bench, InductiveBias, Plan, Stacked
from tabseed.parameters import AnyOf, Each, OneOf, Parameters, Real, Whole

PRETRAIN, POOL = 10, 11  # streams of a bias
TRAIN = 1_000  # beside the seeds' numbers


class Pretraining(InductiveBias):
    """Start from a network trained on the rows of the best seed (arXiv:2407.03080, 3.2.1).

    Parameters
    ----------
    n_seeds : int
    n_rows : int
        Rows drawn from the seed of the smallest validation loss.
    n_networks : int
        Networks trained on them, from fresh weights; the smallest validation loss is kept. The
        authors train 10.
    """

    parameters: ClassVar[Parameters] = {
        "n_seeds": Whole(1),
        "n_rows": Whole(10),
        "n_networks": Whole(1),
    }

    def __init__(self, n_seeds: int = 10, n_rows: int = 10_000, n_networks: int = 1) -> None:
        self.n_seeds = n_seeds
        self.n_rows = n_rows
        self.n_networks = n_networks

    def plan(self) -> Plan:
        """The generated rows are trained on between."""
        return Plan(self.n_seeds, stages=3)

    def _initial_weights(self, ensemble: Any, bench: Bench) -> Stacked:
        sizes = [self.n_rows] + [0] * (len(ensemble.curves) - 1)
        return _pretrained(self, ensemble, sizes, bench, PRETRAIN)


class DomainRandomizedSearch(InductiveBias):
    """Start from a network trained on a pool of all seeds' rows (arXiv:2407.03080, 3.2.4).

    Parameters
    ----------
    n_seeds : int
    n_rows : int
        Rows of the pool. (The authors draw 10,000 from each of ten seeds and keep 10,000.)
    n_networks : int
        Networks trained on it; the smallest validation loss is kept.
    seed_weights : "equal", "loss" or sequence of float
        Shares of the seeds in the pool: equal; proportional to exp(-validation loss), the loss
        in nats a row; or given, for the seeds in the order of their losses, the best first.
    """

    parameters: ClassVar[Parameters] = {
        "n_seeds": Whole(1),
        "n_rows": Whole(10),
        "n_networks": Whole(1),
        "seed_weights": AnyOf(
            (OneOf(("equal", "loss")), Each(Real(0))), "'equal', 'loss' or numbers, 0 or more"
        ),
    }

    def __init__(
        self,
        n_seeds: int = 10,
        n_rows: int = 10_000,
        n_networks: int = 1,
        seed_weights: Literal["equal", "loss"] | Sequence[float] = "equal",
    ) -> None:
        self.n_seeds = n_seeds
        self.n_rows = n_rows
        self.n_networks = n_networks
        self.seed_weights = seed_weights

    def plan(self) -> Plan:
        """The pool is trained on between."""
        return Plan(self.n_seeds, stages=3)

    def _initial_weights(self, ensemble: Any, bench: Bench) -> Stacked:
        rng = np.random.default_rng(child(bench.stream, BIAS, POOL, TRAIN))
        sizes = rng.multinomial(self.n_rows, self._shares(ensemble)).tolist()
        return _pretrained(self, ensemble, sizes, bench, POOL)

    def _shares(self, ensemble: SeedEnsemble) -> np.ndarray:
        loss = ensemble.best_loss
        sound = np.isfinite(loss)
        if isinstance(self.seed_weights, str):
            shares = np.where(sound, np.exp(-(loss - np.nanmin(loss))), 0.0)
            shares = shares if self.seed_weights == "loss" else sound.astype(float)
        else:
            shares = np.asarray(self.seed_weights, dtype=float)
            if shares.shape != loss.shape or shares.sum() == 0:
                raise TabseedError(
                    f"seed_weights: {len(loss)} numbers, not all 0, are needed for "
                    f"{len(loss)} seeds"
                )
        shares = shares * sound
        if shares.sum() == 0:
            raise TabseedError("seed_weights: all are of seeds whose training diverged")
        return np.asarray(shares / shares.sum())


def _pretrained(
    bias: Pretraining | DomainRandomizedSearch,
    ensemble: SeedEnsemble,
    sizes: list[int],
    bench: Bench,
    path: int,
) -> Stacked:
    """Train on rows drawn from the seeds, ``sizes[s]`` from each; give the best network."""
    x = np.concatenate(bench.draw(ensemble, sizes, path))
    stream = child(bench.stream, BIAS, path, TRAIN)
    found = bench.train_on(f"{type(bias).__name__}{bench.label}", x, bias.n_networks, stream)
    return found.of_seeds([found.chosen])
