"""Generators that draw rows from neural networks: one encoder, one ensemble, one choice of seed."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import fields, replace
from operator import index
from typing import Any, ClassVar, Self

import numpy as np

from tabseed._random import RandomState, child, generator, one_thread
from tabseed.archive import OF_COLUMNS, Arrays, Holds
from tabseed.coding.encode import Layout
from tabseed.errors import TabseedError
from tabseed.generators.base import Aids, Generator, Watch
from tabseed.generators.neural.batch import Split
from tabseed.generators.neural.ensemble import Monitor, Options, SeedEnsemble, train_ensemble
from tabseed.generators.neural.learner import Learner, Weights, to_tensor, torch
from tabseed.generators.neural.stopping import Training
from tabseed.table import Frame, Table

SPLIT, SEED, LATENT = range(3)  # child streams of the stream of a fit
WATCHED, HELD = 6, 7  # others; an inductive bias uses 3 to 5


class NeuralGenerator(Generator):
    """A generator that trains ``n_seeds`` networks at once and draws from the chosen one.

    A subclass writes ``_network(layout)``, ``_training(n)``, and, if sampling needs more than
    weights, ``_learn_latent``. Learned: ``ensemble_`` (every seed's weights, loss curves, best
    step), ``network_``, ``drawn_`` (the seeds that rows are drawn from, in equal parts) and
    ``weights_`` (the weights of these seeds, stacked (len(drawn_), ...)). A model file keeps
    these weights and all curves.
    """

    min_rows: ClassVar[int] = 5
    holds: ClassVar[Holds] = Holds(
        False, f"weights of networks, which can memorise rows, and {OF_COLUMNS}"
    )
    watchable: ClassVar[bool] = True
    criterion: ClassVar[tuple[str, str]] = ("validation loss", " nats a row")  # name and unit

    n_seeds: int
    device: str
    random_state: RandomState
    ensemble_: SeedEnsemble
    network_: Learner
    drawn_: tuple[int, ...]
    weights_: dict[str, np.ndarray]

    def network(self, layout: Layout) -> Learner:
        """Return the untrained network that ``fit`` uses for an encoding."""
        return self._network(layout)

    def _network(self, layout: Layout) -> Learner:
        """Return the network for an encoding; its weights' shapes depend on nothing else."""
        raise NotImplementedError

    def _network_from(self, layout: Layout, arrays: Arrays) -> Learner:
        """Return the network of a model file; ``arrays`` may have parts fitted to the layout."""
        del arrays
        return self._network(layout)

    def _training(self, n: int) -> Training:
        """Return the settings for training on n rows."""
        raise NotImplementedError

    def _learn_latent(self, rows: np.ndarray, split: Split, stream: np.random.SeedSequence) -> None:
        """Learn what the seeds ``drawn_`` need besides their weights, from rows (n, p).

        ``split.train`` (S, ...) are the indices of the rows that each seed learns from.
        """

    def _sample_seed(self, at: int, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return encoded rows (n, w) drawn from the network ``drawn_[at]``."""
        raise NotImplementedError

    @property
    def knows_likelihood(self) -> bool:
        """Whether the generator has a :meth:`log_likelihood`."""
        return type(self)._log_likelihood is not NeuralGenerator._log_likelihood

    def log_likelihood(self, table: Frame, *, random_state: RandomState = 0) -> np.ndarray:
        """Return the estimated log-probability of each row's cells (n,), in nats.

        The law is the one that rows are drawn from. A number's cell is its interval
        (:class:`~tabseed.coding.encode.Layout`), so models that share an encoder can be compared.
        The estimate is a lower bound in expectation. Raises SchemaError for values that the
        encoder does not know.
        """
        x = self.encoder_.transform(Table.from_frame(table))
        return self._log_probability(x, random_state=random_state)

    def _log_probability(self, x: np.ndarray, *, random_state: RandomState = 0) -> np.ndarray:
        with one_thread():
            network = self._network(self.encoder_.layout_)  # not network_: rows() changes its state
            return self._log_likelihood(network.rows(x), generator(random_state))

    def _log_likelihood(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the log-probability of each row's cells under that law: (n, p) -> (n,)."""
        raise TabseedError(f"{type(self).__name__} has no likelihood of its rows")

    def _fit(
        self, x: np.ndarray, layout: Layout, stream: np.random.SeedSequence, aids: Aids
    ) -> None:
        self.network_ = self._network(layout)
        rows, training = self.network_.rows(x), self._training(len(x))
        split = Split.draw(len(rows), training.validation, child(stream, SPLIT))
        ensemble = train_ensemble(
            self.network_,
            rows,
            split,
            training,
            [child(stream, SEED, seed) for seed in range(self.n_seeds)],
            options=Options(
                resolve_device(self.device),
                aids.progress,
                aids.checkpoint,
                self._judge(training, rows, split, stream)
                if aids.watch is None
                else self._monitor(aids.watch, rows, split, stream),
            ),
        )
        latent_split = self._latent_split(split)
        self._settle(ensemble, (ensemble.chosen,), rows, latent_split, child(stream, LATENT))

    def _monitor(
        self, watch: Watch, rows: np.ndarray, split: Split, stream: np.random.SeedSequence
    ) -> Monitor:
        """Return a monitor that shows ``watch``, at each validation, rows drawn from the seeds."""
        split = split.of_seeds(self.n_seeds)

        def monitor(step: int, seeds: np.ndarray, weights: Weights) -> np.ndarray:
            stacked = {name: value.cpu().numpy() for name, value in weights.items()}

            def draw(seed: int, n: int) -> Table:
                at = int(np.flatnonzero(seeds == seed)[0])
                model = self._with(int(seed), at, stacked, rows, split, stream)
                rng = np.random.default_rng(child(stream, WATCHED, step, int(seed)))
                return self.encoder_.inverse_transform(model._sample_seed(0, n, rng))

            return watch(step, seeds, draw)

        return monitor

    def _judge(
        self, training: Training, rows: np.ndarray, split: Split, stream: np.random.SeedSequence
    ) -> Monitor | None:
        """Return a monitor for the criterion "drawn"; None if the loss is the criterion.

        Raises TabseedError if the generator has no likelihood.
        """
        if training.criterion == "loss":
            return None
        if not self.knows_likelihood:
            raise TabseedError(
                f"{type(self).__name__} has no likelihood of its rows, which the criterion "
                "'drawn' needs; use Training(criterion='loss')"
            )

        def monitor(step: int, seeds: np.ndarray, weights: Weights) -> np.ndarray:
            del step  # the same noise each time
            stacked = {name: value.cpu().numpy() for name, value in weights.items()}
            each = split.of_seeds(int(seeds.max()) + 1) if len(split.train) == 1 else split
            losses = np.full(len(seeds), np.inf)
            for at, seed in enumerate(seeds.tolist()):
                if all(np.isfinite(value[at]).all() for value in stacked.values()):
                    model = self._with(seed, at, stacked, rows, each, stream)
                    rng = np.random.default_rng(child(stream, HELD))
                    losses[at] = -model._log_likelihood(rows[each.validation[seed]], rng).mean()
            return losses

        return monitor

    def _with(
        self,
        seed: int,
        at: int,
        weights: dict[str, np.ndarray],
        rows: np.ndarray,
        split: Split,
        stream: np.random.SeedSequence,
    ) -> Self:
        """Return a copy that draws from one network in training: ``weights[at]``, of ``seed``."""
        model = copy.copy(self)
        model.drawn_ = (seed,)
        model.weights_ = {name: value[at : at + 1] for name, value in weights.items()}
        model._learn_latent(rows, split, child(stream, LATENT))
        return model

    def _latent_split(self, split: Split) -> Split:
        """Return the split for the latent law: all rows, because stopping needs none any more."""
        return split.whole()

    def _settle(
        self,
        ensemble: SeedEnsemble,
        seeds: Sequence[int],
        rows: np.ndarray,
        split: Split,
        stream: np.random.SeedSequence,
    ) -> None:
        """Set the seeds to draw from; learn the latent laws from the rows ``split.train``."""
        self.ensemble_, self.drawn_ = ensemble, tuple(seeds)
        self.weights_ = ensemble.of_seeds(self.drawn_)
        self._learn_latent(rows, split.of_seeds(len(ensemble.curves)), stream)

    def _stacked(self, at: int) -> Weights:
        """Return the weights of the network ``drawn_[at]``, (1, ...)."""
        return {name: to_tensor(value[at : at + 1]) for name, value in self.weights_.items()}

    def _sample(self, n: int, rng: np.random.Generator) -> np.ndarray:
        if len(self.drawn_) == 1:
            return self._sample_seed(0, n, rng)
        order = rng.permutation(len(self.drawn_))  # chance decides which seeds give one row more
        seeds = rng.permutation(order[np.arange(n) % len(self.drawn_)])  # equal parts, shuffled
        sizes = np.bincount(seeds, minlength=len(self.drawn_))
        x = np.concatenate([self._sample_seed(at, int(k), rng) for at, k in enumerate(sizes)])
        index = np.empty(n, dtype=np.int64)
        index[np.argsort(seeds, kind="stable")] = np.arange(n)
        return x[index]

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        arrays = replace(self.ensemble_, weights=self.weights_).to_arrays()
        return {"drawn": list(self.drawn_)}, arrays

    def _restore(self, state: dict[str, Any], arrays: Arrays) -> None:
        ensemble = SeedEnsemble.from_arrays(arrays)
        self.drawn_ = tuple(index(seed) for seed in state["drawn"])
        ensemble.check(self.drawn_)
        self.weights_ = ensemble.weights
        self.ensemble_ = replace(ensemble, weights={})
        self.network_ = self._network_from(self.encoder_.layout_, arrays)

    @classmethod
    def _parameters(cls, plain: dict[str, Any]) -> dict[str, Any]:
        return {**plain, "training": training_from_plain(plain.get("training"))}

    def summary(self) -> list[str]:
        """Return lines of text that say what was learned."""
        loss, steps = self.ensemble_.best_loss, self.ensemble_.best_step
        name, unit = self.criterion
        finite = loss[np.isfinite(loss)]
        if len(self.drawn_) > 1:
            seeds = list(self.drawn_)
            line = (
                f"{len(seeds)} seeds, rows in equal parts from each: {name} "
                f"{finite.min():.3f} to {finite.max():.3f}{unit}, "
                f"{steps[seeds].min()} to {steps[seeds].max()} steps"
            )
            return [line, *super().summary()]
        chosen = self.drawn_[0]
        return [
            f"seed {chosen + 1} of {len(loss)} chosen: {name} "
            f"{loss[chosen]:.3f}{unit} (the others up to {finite.max():.3f}), "
            f"{steps[chosen]} steps",
            *super().summary(),
        ]


def resolve_device(name: str) -> str:
    """Return the name of the device, "auto" as the best one available.

    Raises TabseedError for a device that is not available.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise TabseedError(f"device {name!r} is not available; use auto or cpu") from error
    return name


def training_from_plain(plain: dict[str, Any] | None) -> Training | None:
    """Return the settings of training that a model file stores; unknown names are ignored."""
    if plain is None:
        return None
    known = {f.name for f in fields(Training)}
    return Training(**{k: v for k, v in plain.items() if k in known})
