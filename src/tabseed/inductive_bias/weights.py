"""Biases that need no generated rows: averages of weights, mixtures of seeds, and controls."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from tabseed._random import child
from tabseed.errors import OrthogonalSeedsWarning, TabseedError
from tabseed.generators.neural.base import SEED
from tabseed.generators.neural.ensemble import SeedEnsemble
from tabseed.inductive_bias.base import BIAS, Bench, InductiveBias, Plan, Stacked
from tabseed.parameters import FLAG, InstanceOf, Parameters, Whole, or_none

ORTHOGONAL = 0.1  # mean cosine below which averaging mostly shrinks the weights
BRANCH, FRESH = 20, 21  # streams of a bias


@dataclass(frozen=True)
class Geometry:
    """How similar the weights of seeds are, for all matrices together and for each by name.

    ``cosine``: mean over pairs of seeds. ``norm_ratio``: norm of the average divided by the mean
    norm of a seed; 1/sqrt(S) for orthogonal seeds of equal norms, 1 for equal seeds.
    """

    cosine: float
    norm_ratio: float
    by_name: dict[str, tuple[float, float]]


def geometry(weights: Stacked) -> Geometry:
    """Return the :class:`Geometry` of stacked weights (S, ...), without bias vectors."""
    matrices = {
        name: value.reshape(len(value), -1).astype(np.float64)
        for name, value in weights.items()
        if np.issubdtype(value.dtype, np.floating) and value.ndim > 2 and value.shape[1] > 1
    }
    by_name = {name: _cosine_and_ratio(value) for name, value in matrices.items()}
    whole = np.concatenate(list(matrices.values()), axis=1)
    return Geometry(*_cosine_and_ratio(whole), by_name)


def _cosine_and_ratio(flat: np.ndarray) -> tuple[float, float]:
    size, norms = len(flat), np.linalg.norm(flat, axis=1)
    mean_norm = norms.mean()
    ratio = np.linalg.norm(flat.mean(axis=0)) / mean_norm if mean_norm else 1.0
    if size < 2:
        return 1.0, float(ratio)
    unit = flat / np.where(norms, norms, 1.0)[:, None]
    pairs = (unit @ unit.T)[np.triu_indices(size, 1)]
    return float(pairs.mean()), float(ratio)


def average(weights: Stacked) -> Stacked:
    """Return the mean over seeds of float weights: (S, ...) -> (1, ...); others are the first's."""
    return {
        name: value.mean(axis=0, keepdims=True, dtype=np.float64).astype(value.dtype)
        if np.issubdtype(value.dtype, np.floating)
        else value[:1].copy()
        for name, value in weights.items()
    }


class WeightAveraging(InductiveBias):
    """Start from the arithmetic mean of trained seeds (arXiv:2407.03080, section 3.2.2).

    Seeds of different initial weights are almost orthogonal, so their average is little more than
    a network with smaller weights (:class:`SmallInit` is its control). ``branches`` makes seeds
    whose average is meaningful: after ``branches`` steps of one seed all S continue from its
    weights, each with its own order of rows and noise (a model soup, arXiv:2203.05482); with 0
    they share only the initial weights.

    Parameters
    ----------
    n_seeds : int
    top : int or None
        Average only this many seeds, those of the smallest validation losses.
    branches : int or None
        Steps that all seeds have in common; None: seeds share nothing.
    """

    geometry_: Geometry

    parameters: ClassVar[Parameters] = {
        "n_seeds": Whole(1),
        "top": or_none(Whole(1)),
        "branches": or_none(Whole(0)),
    }

    def __init__(
        self, n_seeds: int = 10, top: int | None = None, branches: int | None = None
    ) -> None:
        self.n_seeds = n_seeds
        self.top = top
        self.branches = branches

    def plan(self) -> Plan:
        """Return the plan; with ``branches`` the bias trains a trunk and branches itself."""
        if self.branches is None:
            return Plan(self.n_seeds)
        return Plan(self.n_seeds, first="none", stages=3)

    def _initial_weights(self, ensemble: Any, bench: Bench) -> Stacked:
        if self.top is not None and self.top > self.n_seeds:
            raise TabseedError(
                f"WeightAveraging: top={self.top} is more than n_seeds={self.n_seeds}"
            )
        seeds = ensemble if self.branches is None else self._branched(bench, self.branches)
        weights = seeds.of_seeds(seeds.sound()[: self.top])
        self.geometry_ = geometry(weights)
        if self.geometry_.cosine < ORTHOGONAL:
            warnings.warn(self._warning(), OrthogonalSeedsWarning, stacklevel=2)
        return average(weights)

    def _branched(self, bench: Bench, steps: int) -> SeedEnsemble:
        """Return S seeds trained from the weights of one that trained for ``steps`` steps."""
        trunk = child(bench.stream, BIAS, BRANCH)
        short = replace(bench.training, steps=steps, warm_up=steps, patience=max(steps, 1))
        start = bench.train(f"trunk of {steps}", [trunk], bench.split(), training=short).weights
        initial = {k: np.repeat(v, self.n_seeds, axis=0) for k, v in start.items()}
        streams = [child(bench.stream, BIAS, BRANCH, seed) for seed in range(self.n_seeds)]
        rest = replace(bench.training, warm_up=max(0, bench.training.warm_up - steps))
        name = f"{self.n_seeds} branches from {steps}"
        return bench.train(name, streams, bench.split(), training=rest, initial=initial).ranked()

    def _cosine(self) -> str:
        return f"{round(self.geometry_.cosine, 2) + 0.0:.2f}"  # no -0.00

    def _warning(self) -> str:
        return (
            f"the averaged seeds are nearly orthogonal (mean cosine {self._cosine()}): "
            f"averaging mostly shrinks weights, to {self.geometry_.norm_ratio:.2f} of their norm; "
            "in Python, with branches=0 seeds share their initial weights"
        )

    def summary(self) -> list[str]:
        """Return lines of text that say how similar the averaged seeds are."""
        count, ratio = self.top or self.n_seeds, self.geometry_.norm_ratio
        lines = [
            f"average of {count} seeds: mean cosine {self._cosine()}, norm {ratio:.2f} of a seed's"
        ]
        return lines + ([self._warning()] if self.geometry_.cosine < ORTHOGONAL else [])


class SmallInit(InductiveBias):
    """Control: seeds from fresh weights whose random part is as small as in an average.

    Each seed of the first training starts from the mean of ``n_averaged`` fresh initialisations.
    This divides the norm of the random weights by sqrt(n_averaged) and leaves the others (biases at
    the shares of the training cells) as they are. The second training goes on from these seeds, as
    it does with :class:`Continued`.
    """

    parameters: ClassVar[Parameters] = {
        "n_seeds": Whole(1),
        "n_averaged": Whole(1),
    }

    def __init__(self, n_seeds: int = 10, n_averaged: int = 10) -> None:
        self.n_seeds = n_seeds
        self.n_averaged = n_averaged

    def plan(self) -> Plan:
        """Return the plan: the bias trains the first seeds itself, from their small weights."""
        return Plan(self.n_seeds, first="none")

    def small(self, bench: Bench) -> Stacked:
        """Return the small fresh weights that the first training starts from, (n_seeds, ...)."""
        starts = []
        for seed in range(self.n_seeds):
            streams = [child(bench.stream, BIAS, FRESH, seed, k) for k in range(self.n_averaged)]
            fresh = [
                bench.model.network_.initial_weights(np.random.default_rng(s)) for s in streams
            ]
            starts.append(average({k: np.stack([w[k] for w in fresh]) for k in fresh[0]}))
        return {name: np.concatenate([s[name] for s in starts]) for name in starts[0]}

    def _initial_weights(self, ensemble: Any, bench: Bench) -> Stacked:
        del ensemble
        streams = [child(bench.stream, SEED, seed) for seed in range(self.n_seeds)]
        name = f"{self.n_seeds} seeds of 1/sqrt({self.n_averaged}){bench.label}"
        seeds = bench.train(name, streams, bench.split(), initial=self.small(bench))
        return seeds.ranked().weights


class Continued(InductiveBias):
    """Control: every seed continues from its own weights, with a fresh optimiser.

    The gain of a bias over this control does not come from more steps, more validations or the
    fresh optimiser.
    """

    parameters: ClassVar[Parameters] = {
        "n_seeds": Whole(1),
    }

    def __init__(self, n_seeds: int = 10) -> None:
        self.n_seeds = n_seeds

    def _initial_weights(self, ensemble: Any, bench: Bench) -> Stacked:
        del bench
        weights: Stacked = ensemble.weights
        return weights


class _Wrapper(InductiveBias):
    """A bias around another one, or around none."""

    bias: InductiveBias | None

    def plan(self) -> Plan:
        """Return the plan of the bias inside; without one the first seeds are the result."""
        if self.bias is None:
            return Plan(self.n_seeds, last="none", stages=1)
        return self.bias.plan()

    def _initial_weights(self, ensemble: Any, bench: Bench) -> Stacked:
        if self.bias is None:
            weights: Stacked = ensemble.weights
            return weights
        return self.bias.initial_weights(ensemble, bench)

    def latent_rows(self) -> np.ndarray | None:
        """Return those of the bias inside."""
        return None if self.bias is None else self.bias.latent_rows()

    def summary(self) -> list[str]:
        """Return the summary of the bias inside."""
        return [] if self.bias is None else self.bias.summary()


class StageOne(_Wrapper):
    """Control: a bias's weights without the second training; with None, the generator alone.

    ``n_seeds`` is used only without a bias, because a bias has its own.
    """

    parameters: ClassVar[Parameters] = {
        "bias": or_none(InstanceOf(InductiveBias, "an InductiveBias")),
        "n_seeds": Whole(1),
    }

    def __init__(self, bias: InductiveBias | None = None, n_seeds: int = 10) -> None:
        self.bias = bias
        self.n_seeds = n_seeds

    def plan(self) -> Plan:
        """Return the plan of the bias inside, without the second training; one seed draws rows."""
        plan = super().plan()
        return replace(
            plan,
            first="none" if plan.first == "none" else "shared",
            last="none" if plan.last == "none" else "judge",
            mixes=False,
        )


class SeedMixture(_Wrapper):
    """Draw rows from all seeds in equal parts; no weight changes.

    Rows are drawn from the mean of the seeds' laws. Its KL divergence from the truth is at most
    the mean of theirs (KL is convex). With ``rotate`` each seed sets aside other rows to decide
    when to stop, so every row trains some seeds, and seeds differ more. With ``bias`` the mixture
    is instead of seeds fine-tuned from its weights: their number is the generator's, that of the
    first training the bias's, and all share the rows set aside.
    """

    parameters: ClassVar[Parameters] = {
        "bias": or_none(InstanceOf(InductiveBias, "an InductiveBias")),
        "n_seeds": Whole(1),
        "rotate": FLAG,
    }

    def __init__(
        self, bias: InductiveBias | None = None, n_seeds: int = 10, rotate: bool = True
    ) -> None:
        self.bias = bias
        self.n_seeds = n_seeds
        self.rotate = rotate

    def plan(self) -> Plan:
        """Return the plan of the bias inside, with rows drawn from all seeds.

        Seeds rotate only if there is no bias inside: if weights have learned from all rows, none of
        these can show when to stop.
        """
        plan = replace(super().plan(), mixes=True)
        if plan.last != "none":
            return plan
        return replace(plan, first="rotating" if self.rotate else "shared")
