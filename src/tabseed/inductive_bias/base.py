"""What an inductive bias is: it turns seeds trained on the real rows into new initial weights.

Notation: S seeds, n real rows, w their encoded width, p inputs of the network.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.base import BaseEstimator, clone

from tabseed._random import child
from tabseed.coding.encode import Layout
from tabseed.errors import NotTunedWarning
from tabseed.generators.base import Aids, Generator
from tabseed.generators.neural.base import LATENT, SEED, SPLIT, NeuralGenerator, resolve_device
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.ensemble import Options, SeedEnsemble, train_ensemble
from tabseed.generators.neural.learner import Learner
from tabseed.generators.neural.stopping import Training
from tabseed.inductive_bias.journal import Journal
from tabseed.parameters import InstanceOf, Parameters, check_parameters

SLOWER, LEAST = 10, 50  # of a second training: share of the rate, fewest steps
FINE, BIAS, CHOICE = 3, 4, 5  # child streams of a fit's, besides those of a NeuralGenerator
TAUGHT, DRAWN = 0, 1  # child streams of a teacher's
TEACHER = InstanceOf(Generator, "a generator such as SequentialTrees()")
Stacked = dict[str, np.ndarray]  # weights by name, each (S, ...)


def second_training(first: Training) -> Training:
    """Return the settings of a second training, from weights that have learned, by the first's.

    A tenth of the learning rate, and LEAST steps before any weights are kept: the loss of weights
    that learned from many generated rows is smallest at the start, though the rows drawn later are
    more like the real ones. After that the loss decides as in the first training, because weights
    that have learned little, such as an average, need many steps
    (``experiments/inductive_bias/criteria.py`` compares this with other criteria). The authors'
    stopper keeps the last weights, and is left as it is.
    """
    if first.stopper == "paper":
        return first
    return replace(first, learning_rate=first.learning_rate / SLOWER, warm_up=LEAST)


@dataclass(frozen=True)
class Plan:
    """The two trainings that a bias needs: one before it makes weights, one after.

    Parameters
    ----------
    n_seeds : int
        Seeds of the first training, on the real rows.
    first : {"shared", "rotating", "none"}
        "shared": all seeds set aside the same rows to decide when to stop; "rotating": each sets
        aside others; "none": the bias needs no seeds, and nothing is trained before it.
    last : {"tune", "judge", "none"}
        What happens to the bias's weights on the real rows. "tune": they are trained, with the
        settings of a second training (:func:`second_training`); "judge": they stay, and the
        validation loss chooses among them; "none": the bias makes no weights, and the first seeds
        are used as they are.
    mixes : bool
        Whether rows are drawn from all seeds, in equal parts, or from the best one.
    stages : int
        Number of stages whose progress is shown, including these trainings.
    """

    n_seeds: int
    first: Literal["shared", "rotating", "none"] = "shared"
    last: Literal["tune", "judge", "none"] = "tune"
    mixes: bool = False
    stages: int = 2


class InductiveBias(BaseEstimator):
    """Makes weights for a second training on the same few rows from the seeds of a first one.

    A subclass writes ``_initial_weights(ensemble, bench)``, and ``plan`` if it needs anything but
    two plain trainings. ``n_seeds`` is S, the number of seeds of the first training, which is the
    same for all biases.
    """

    references: ClassVar[tuple[str, ...]] = ("arXiv:2407.03080",)
    parameters: ClassVar[Parameters] = {}
    """What each parameter of ``__init__`` may be."""

    n_seeds: int

    def plan(self) -> Plan:
        """Return what is trained before and after: by default seeds, then the bias's weights."""
        return Plan(self.n_seeds)

    def initial_weights(self, ensemble: SeedEnsemble | None, bench: Bench) -> Stacked:
        """Return weights to start from: stacked, (1, ...) for all seeds or (S, ...), one for each.

        ``ensemble`` are the S seeds trained on the real rows, in any order; it may be None if the
        plan has no first training. Raises TabseedError for a parameter out of range, if the bias
        does not suit the generator, or if it learned nothing.
        """
        check_parameters(self)
        return self._initial_weights(None if ensemble is None else ensemble.ranked(), bench)

    def _initial_weights(self, ensemble: Any, bench: Bench) -> Stacked:
        """Return :meth:`initial_weights`; in ``ensemble`` the seed of smallest loss comes first."""
        raise NotImplementedError

    def latent_rows(self) -> np.ndarray | None:
        """Return encoded rows (m, w) to learn the latent law from, after the weights were asked.

        None: the real rows.
        """
        return None

    def resolve(self, bench: Bench) -> InductiveBias:
        """Return the bias to use: itself, unless its task is to choose one."""
        return self

    def summary(self) -> list[str]:
        """Return a few lines of text about what the bias learned."""
        return []


@dataclass
class Bench:
    """What a bias works with: the generator's network, the real rows, methods to draw and train.

    ``x`` (n, w) are the encoded rows, ``rows`` (n, p) the network's inputs for them; ``stream``
    is the fit's. All work that takes long goes through ``journal``.
    """

    model: NeuralGenerator
    x: np.ndarray
    layout: Layout
    stream: np.random.SeedSequence
    journal: Journal
    fine_tuning: Training | None = None  # of the second training; None: second_training
    prefix: str = ""  # of the names of all stages
    label: str = ""  # suffix of the names of a bias's own stages, if several are compared
    rows: np.ndarray = field(init=False)
    training: Training = field(init=False)
    tuning: Training = field(init=False)

    def __post_init__(self) -> None:
        self.model = copy.copy(self.model)
        self.model.network_ = self.model._network(self.layout)
        self.rows = self.model.network_.rows(self.x)
        self.training = self.model._training(len(self.x))
        self.tuning = self.fine_tuning or second_training(self.training)

    def first(self, plan: Plan) -> SeedEnsemble | None:
        """Return the seeds of the first training of a plan, or None if it has none."""
        if plan.first == "none":
            return None
        return self.first_seeds(plan.n_seeds, rotate=plan.first == "rotating")

    def split(self, n_seeds: int = 1) -> Split:
        """Return the rows that train and those set aside; with ``n_seeds`` each has its own."""
        stream = child(self.stream, SPLIT)
        return Split.draw(len(self.rows), self.training.validation, stream, n_seeds=n_seeds)

    def first_seeds(self, n_seeds: int, *, rotate: bool = False) -> SeedEnsemble:
        """Train S seeds on the real rows and return them.

        With ``rotate`` each sets aside other rows; otherwise they are the seeds of the generator
        without a bias.
        """
        name = f"{n_seeds} seeds{', rotating' if rotate else ''}"
        streams = [child(self.stream, SEED, seed) for seed in range(n_seeds)]
        return self.train(name, streams, self.split(n_seeds if rotate else 1))

    def train(
        self,
        name: str,
        streams: Sequence[np.random.SeedSequence],
        split: Split,
        *,
        training: Training | None = None,
        initial: Stacked | None = None,
    ) -> SeedEnsemble:
        """Train on the real rows; ``name`` is the name of this training, unique in the fit."""
        training = training or self.training
        return self._once(name, self.model.network_, self.rows, split, training, streams, initial)

    def train_on(
        self, name: str, x: np.ndarray, n_networks: int, stream: np.random.SeedSequence
    ) -> SeedEnsemble:
        """Train networks from fresh weights on other rows of the same encoding, (m, w)."""
        network, training = self.model._network(self.layout), self.model._training(len(x))
        split = Split.draw(len(x), training.validation, child(stream, SPLIT))
        streams = [child(stream, SEED, seed) for seed in range(n_networks)]
        return self._once(name, network, network.rows(x), split, training, streams)

    def _once(
        self,
        name: str,
        network: Learner,
        rows: np.ndarray,
        split: Split,
        training: Training,
        streams: Sequence[np.random.SeedSequence],
        initial: Stacked | None = None,
    ) -> SeedEnsemble:
        """Train, unless the journal already has the result."""
        model = copy.copy(self.model)
        model.network_ = network
        monitor = model._judge(training, rows, split, self.stream)

        def compute(aids: Aids) -> dict[str, np.ndarray]:
            options = Options(self.device, aids.progress, aids.checkpoint, monitor)
            ensemble = train_ensemble(
                network, rows, split, training, streams, initial=initial, options=options
            )
            return ensemble.to_arrays()

        return SeedEnsemble.from_arrays(self.journal.once(self.prefix + name, compute))

    @property
    def device(self) -> str:
        """The device on which networks are trained."""
        return resolve_device(self.model.device)

    def draw(self, ensemble: SeedEnsemble, sizes: Sequence[int], path: int) -> list[np.ndarray]:
        """Return encoded rows (sizes[s], w) drawn from each seed s.

        Their latent laws are learned only from the rows that train: the rows that decide when a
        second training stops must not influence the rows it learns from.
        """
        seeds = [seed for seed, size in enumerate(sizes) if size]
        model = self.settled(ensemble, seeds, self.split())
        streams = [child(self.stream, BIAS, path, seed) for seed in seeds]
        rows = {
            seed: model._sample_seed(at, sizes[seed], np.random.default_rng(stream))
            for at, (seed, stream) in enumerate(zip(seeds, streams, strict=True))
        }
        empty = np.empty((0, self.layout.width))
        return [rows.get(seed, empty) for seed in range(len(sizes))]

    def taught(self, teacher: Generator, n: int, *path: int) -> np.ndarray:
        """Return encoded rows (n, w) drawn from a copy of ``teacher``, which first learns.

        It learns the rows that train, without those that decide when a second training stops.
        An interrupted fit that goes on teaches again.
        """
        stream = child(self.stream, BIAS, *path)
        learned: Generator = clone(teacher)._learn_as(
            self.model, self.x[self.split().train[0]], child(stream, TAUGHT), Aids(None, None)
        )
        return learned._encoded(n, np.random.default_rng(child(stream, DRAWN)))

    def taught_by_all(
        self, teachers: Sequence[Generator], sizes: Sequence[int], path: int
    ) -> list[np.ndarray]:
        """Return :meth:`taught` of each teacher, sizes[t] rows; one of 0 rows learns nothing."""
        empty = np.empty((0, self.layout.width))
        return [
            self.taught(teacher, size, path, at) if size else empty
            for at, (teacher, size) in enumerate(zip(teachers, sizes, strict=True))
        ]

    def settled(
        self,
        ensemble: SeedEnsemble,
        seeds: Sequence[int],
        split: Split,
        x: np.ndarray | None = None,
    ) -> NeuralGenerator:
        """Return a generator for these seeds.

        Latent laws are learned from the real rows ``split.train``, or from all encoded rows ``x``.
        """
        model, rows = copy.copy(self.model), self.rows
        if x is not None:
            rows = self.model._network(self.layout).rows(
                x
            )  # not network_: rows() changes its state
            every = np.arange(len(x))[None]
            split = Split(every, every)
        model._settle(ensemble, seeds, rows, split, child(self.stream, LATENT))
        return model


def learn(bias: InductiveBias, bench: Bench) -> tuple[NeuralGenerator, InductiveBias]:
    """Train seeds, ask the bias for weights, train again; return the generator and the bias.

    The number of seeds is the bias's in the first training and the generator's in the second.
    Rows are drawn from the seed of smallest validation loss, unless the bias mixes all.
    """
    check_parameters(bias)
    bias = bias.resolve(bench)
    plan = bias.plan()
    ensemble = bench.first(plan)
    split = bench.split(plan.n_seeds if plan.first == "rotating" else 1)
    if plan.last != "none":
        initial = bias.initial_weights(ensemble, bench)
        ensemble = _last(f"{type(bias).__name__}{bench.label}", plan, initial, bench, split)
    assert ensemble is not None  # a plan must have at least one training
    seeds = range(len(ensemble.curves)) if plan.mixes else (ensemble.chosen,)
    sound = [seed for seed in seeds if seed in ensemble.sound()]
    if plan.last == "tune" and not ensemble.best_step[sound].all():
        warnings.warn(_untuned(bias), NotTunedWarning, stacklevel=2)
    latent = bench.model._latent_split(split)
    return bench.settled(ensemble, sound, latent, bias.latent_rows()), bias


def _untuned(bias: InductiveBias) -> str:
    return (
        f"the second training from the weights of {type(bias).__name__} took no step, so rows are "
        "drawn from these weights as they are; give fine_tuning a warm_up, during which the start "
        "is not kept"
    )


def _last(name: str, plan: Plan, initial: Stacked, bench: Bench, split: Split) -> SeedEnsemble:
    """Return the seeds trained from the bias's weights as the plan says."""
    n_starts = len(next(iter(initial.values())))
    size = n_starts if n_starts > 1 or plan.last == "judge" else bench.model.n_seeds
    initial = {k: np.repeat(v, size // n_starts, axis=0) for k, v in initial.items()}
    training = bench.tuning
    if plan.last == "judge":
        training = replace(bench.training, steps=0, warm_up=0)
    streams = [child(bench.stream, FINE, seed) for seed in range(size)]
    return bench.train(f"{name}, tuning", streams, split, training=training, initial=initial)
