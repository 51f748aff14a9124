"""What an inductive bias is: from seeds trained on the real rows to weights to start again from.

Notation: S seeds, n real rows, w their encoded width, p inputs of the network.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from tabseed._random import child
from tabseed.coding.encode import Layout
from tabseed.errors import TabseedError
from tabseed.generators.base import Aids
from tabseed.generators.neural.base import LATENT, SEED, SPLIT, NeuralGenerator, resolve_device
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.ensemble import Options, SeedEnsemble, train_ensemble
from tabseed.generators.neural.learner import Learner
from tabseed.generators.neural.stopping import Training
from tabseed.inductive_bias.journal import Journal

FINE, BIAS, CHOICE = 3, 4, 5  # streams below that of a fit, beside those of a NeuralGenerator
Stacked = dict[str, np.ndarray]  # weights by name, each (S, ...)


class InductiveBias(BaseEstimator):
    """Weights for a second training on the same few rows, made from the seeds of a first.

    A subclass writes ``_initial_weights(ensemble, stage)``. ``n_seeds`` is S, the seeds of the
    first training, which all biases share.
    """

    references: ClassVar[tuple[str, ...]] = ("arXiv:2407.03080",)

    n_seeds: int

    def initial_weights(self, ensemble: SeedEnsemble | None, stage: Stage) -> Stacked:
        """Give weights to start from: stacked, (1, ...) for all seeds or (S, ...), one for each.

        ``ensemble`` are the S seeds trained on the real rows; their order does not matter.
        Where ``needs_seeds`` is false None will do. Raises TabseedError where the bias means
        nothing for the generator, or has learned nothing.
        """
        return self._initial_weights(None if ensemble is None else ensemble.ranked(), stage)

    def _initial_weights(self, ensemble: Any, stage: Stage) -> Stacked:
        """Do the work of :meth:`initial_weights`; the seed of the smallest loss comes first."""
        raise NotImplementedError

    @property
    def first_seeds(self) -> int:
        """How many seeds the first training has."""
        return self.n_seeds

    @property
    def needs_seeds(self) -> bool:
        """Whether seeds must be trained on the real rows first."""
        return True

    @property
    def moves(self) -> bool:
        """Whether weights are made at all, or the first training's seeds serve as they are."""
        return True

    @property
    def trained(self) -> bool:
        """Whether the weights have learned, so that they may turn out best as they are."""
        return True

    @property
    def fine_tunes(self) -> bool:
        """Whether the weights are trained on the real rows then."""
        return True

    @property
    def mixes(self) -> bool:
        """Whether rows are drawn from all seeds, in equal parts, or from the best one."""
        return False

    @property
    def rotates(self) -> bool:
        """Whether each seed sets aside other rows to see when to stop."""
        return False

    @property
    def stages(self) -> int:
        """How many trainings it takes, the first and the last among them."""
        return 2

    def resolve(self, stage: Stage) -> InductiveBias:
        """Give the bias to use: itself, unless its work is to choose one."""
        return self

    def summary(self) -> list[str]:
        """Say in a few lines what was found on the way."""
        return []


@dataclass
class Stage:
    """What a bias works with: the generator's network, the real rows, means to draw and train.

    ``x`` (n, w) are the encoded rows, ``rows`` (n, p) what the network sees of them; ``stream``
    is the fit's. All that takes long goes through ``journal``.
    """

    model: NeuralGenerator
    x: np.ndarray
    layout: Layout
    stream: np.random.SeedSequence
    journal: Journal
    fine_tuning: Training | None = None
    prefix: str = ""  # of the names of stages
    label: str = ""  # after the names of a bias's own stages, where several are compared
    rows: np.ndarray = field(init=False)
    how: Training = field(init=False)

    def __post_init__(self) -> None:
        self.model = copy.copy(self.model)
        self.model.network_ = self.model._network(self.layout)
        self.rows = self.model.network_.rows(self.x)
        self.how = self.model._training(len(self.x))

    def split(self, n_seeds: int = 1) -> Split:
        """Give the rows that train and those set aside; with ``n_seeds`` each has its own."""
        stream = child(self.stream, SPLIT)
        return Split.draw(len(self.rows), self.how.validation, stream, n_seeds=n_seeds)

    def first_seeds(self, n_seeds: int, *, rotate: bool = False) -> SeedEnsemble:
        """Train S seeds on the real rows; those of the generator alone, if they do not rotate."""
        name = f"{n_seeds} seeds{', rotating' if rotate else ''}"
        streams = [child(self.stream, SEED, seed) for seed in range(n_seeds)]
        return self.train(name, streams, self.split(n_seeds if rotate else 1))

    def train(
        self,
        name: str,
        streams: Sequence[np.random.SeedSequence],
        split: Split,
        *,
        how: Training | None = None,
        initial: Stacked | None = None,
    ) -> SeedEnsemble:
        """Train on the real rows; ``name`` tells this training from the others of the fit."""
        network, how = self.model.network_, how or self.how
        return self._once(name, network, self.rows, split, how, streams, initial)

    def train_on(
        self, name: str, x: np.ndarray, n_networks: int, stream: np.random.SeedSequence
    ) -> SeedEnsemble:
        """Train networks from fresh weights on other rows of the same encoding, (m, w)."""
        network, how = self.model._network(self.layout), self.model._training(len(x))
        split = Split.draw(len(x), how.validation, child(stream, SPLIT))
        streams = [child(stream, SEED, seed) for seed in range(n_networks)]
        return self._once(name, network, network.rows(x), split, how, streams)

    def _once(
        self,
        name: str,
        network: Learner,
        rows: np.ndarray,
        split: Split,
        how: Training,
        streams: Sequence[np.random.SeedSequence],
        initial: Stacked | None = None,
    ) -> SeedEnsemble:
        """Train, unless the journal has the result already."""

        def compute(aids: Aids) -> dict[str, np.ndarray]:
            options = Options(self.device, aids.progress, aids.checkpoint)
            found = train_ensemble(
                network, rows, split, how, streams, initial=initial, options=options
            )
            return found.to_arrays()

        return SeedEnsemble.from_arrays(self.journal.once(self.prefix + name, compute))

    @property
    def device(self) -> str:
        """Where networks are trained."""
        return resolve_device(self.model.device)

    def draw(self, ensemble: SeedEnsemble, sizes: Sequence[int], path: int) -> list[np.ndarray]:
        """Draw rows (sizes[s], w) from each seed s, whose latent law is learned for it.

        From the rows that train only: those that tell a second training when to stop must not
        have shaped the rows of the first.
        """
        drawn = [seed for seed, size in enumerate(sizes) if size]
        model = self.settled(ensemble, drawn, self.split())
        streams = [child(self.stream, BIAS, path, seed) for seed in drawn]
        found = {
            seed: model._sample_seed(at, sizes[seed], np.random.default_rng(stream))
            for at, (seed, stream) in enumerate(zip(drawn, streams, strict=True))
        }
        empty = np.empty((0, self.layout.width))
        return [found.get(seed, empty) for seed in range(len(sizes))]

    def settled(
        self, ensemble: SeedEnsemble, seeds: Sequence[int], split: Split
    ) -> NeuralGenerator:
        """Give what draws from these seeds; latent laws are learned from ``split.train``."""
        model = copy.copy(self.model)
        model._settle(ensemble, seeds, self.rows, split, child(self.stream, LATENT))
        return model


def learn(bias: InductiveBias, stage: Stage) -> tuple[NeuralGenerator, InductiveBias]:
    """Train seeds, ask the bias for weights, train again; give what draws rows, and the bias.

    Seeds number as many as the bias says in the first training, as many as the generator says
    in the second; the smallest validation loss is drawn from, unless the bias mixes all.
    """
    bias = bias.resolve(stage)
    if bias.first_seeds < 1:
        raise TabseedError(f"n_seeds={bias.first_seeds}: must be at least 1")
    ensemble = None
    if bias.needs_seeds:
        ensemble = stage.first_seeds(bias.first_seeds, rotate=bias.rotates)
    split = stage.split(bias.first_seeds if bias.rotates else 1)
    if bias.moves:
        tuned = _fine_tune(bias, bias.initial_weights(ensemble, stage), stage, split)
    else:
        assert ensemble is not None
        tuned = ensemble
    seeds = range(len(tuned.curves)) if bias.mixes else (tuned.chosen,)
    sound = [seed for seed in seeds if seed in tuned.sound()]
    return stage.settled(tuned, sound, stage.model._latent_split(split)), bias


def _fine_tune(bias: InductiveBias, initial: Stacked, stage: Stage, split: Split) -> SeedEnsemble:
    given = len(next(iter(initial.values())))
    size = given if given > 1 or not bias.fine_tunes else stage.model.n_seeds
    initial = {k: np.repeat(v, size // given, axis=0) for k, v in initial.items()}
    how = stage.fine_tuning or (replace(stage.how, warm_up=0) if bias.trained else stage.how)
    if not bias.fine_tunes:
        how = replace(how, steps=0, warm_up=0)
    streams = [child(stage.stream, FINE, seed) for seed in range(size)]
    name = f"{type(bias).__name__}{stage.label}, tuning"
    return stage.train(name, streams, split, how=how, initial=initial)


def check_neural(generator: Any, what: str) -> NeuralGenerator:
    """Give the generator if it has weights; TabseedError if not."""
    if not isinstance(generator, NeuralGenerator):
        raise TabseedError(
            f"{what} needs a generator that learns weights, such as VAEBGM; "
            f"{type(generator).__name__} has none"
        )
    return generator
