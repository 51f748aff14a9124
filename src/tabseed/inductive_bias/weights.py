"""Biases that need no other rows: averages of weights, mixtures of seeds, and controls."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from tabseed._random import child
from tabseed.errors import OrthogonalSeedsWarning, TabseedError
from tabseed.generators.neural.ensemble import SeedEnsemble
from tabseed.inductive_bias.base import BIAS, Bench, InductiveBias, Plan, Stacked
from tabseed.parameters import FLAG, InstanceOf, Parameters, Whole, or_none

ORTHOGONAL = 0.1  # mean cosine below which averaging mostly shrinks
BRANCH, FRESH = 20, 21  # streams of a bias


@dataclass(frozen=True)
class Geometry:
    """How seeds lie to each other, by weight matrix and over all of them.

    ``cosine``: mean over pairs of seeds. ``norm_ratio``: norm of the average over the mean norm
    of a seed; 1/sqrt(S) for orthogonal seeds of equal norms, 1 for equal seeds.
    """

    cosine: float
    norm_ratio: float
    by_name: dict[str, tuple[float, float]]


def geometry(weights: Stacked) -> Geometry:
    """Measure :class:`Geometry` of stacked weights (S, ...); biases of one row are left out."""
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
    """Mean over seeds of float weights, (S, ...) -> (1, ...); others as the first seed has them."""
    return {
        name: value.mean(axis=0, keepdims=True, dtype=np.float64).astype(value.dtype)
        if np.issubdtype(value.dtype, np.floating)
        else value[:1].copy()
        for name, value in weights.items()
    }


class WeightAveraging(InductiveBias):
    """Start from the arithmetic mean of trained seeds (arXiv:2407.03080, section 3.2.2).

    Seeds of different initial weights are all but orthogonal; their average is then little more
    than a shrunken network (:class:`SmallInit` is its control). ``branches`` makes seeds whose
    average means something: after ``branches`` steps of one seed all S go on from its weights,
    each with its own order of rows and noise (a model soup, arXiv:2203.05482); 0 shares the
    initial weights alone.

    Parameters
    ----------
    n_seeds : int
    top : int or None
        Average only so many seeds, those of the smallest validation loss.
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
        """Branches are seeds of their own, and their trunk is a training too."""
        if self.branches is None:
            return Plan(self.n_seeds)
        return Plan(self.n_seeds, first="none", stages=3)

    def _initial_weights(self, ensemble: Any, bench: Bench) -> Stacked:
        if self.top is not None and self.top > self.n_seeds:
            raise TabseedError(
                f"WeightAveraging: top={self.top} is more than n_seeds={self.n_seeds}"
            )
        found = ensemble if self.branches is None else self._branched(bench, self.branches)
        weights = found.of_seeds(found.sound()[: self.top])
        self.geometry_ = geometry(weights)
        if self.geometry_.cosine < ORTHOGONAL:
            warnings.warn(self._warning(), OrthogonalSeedsWarning, stacklevel=2)
        return average(weights)

    def _branched(self, bench: Bench, steps: int) -> SeedEnsemble:
        """Train one seed for some steps, then S from its weights."""
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
            "in Python, branches=0 shares the initial weights"
        )

    def summary(self) -> list[str]:
        """Say how the averaged seeds lie to each other."""
        many = self.top or self.n_seeds
        found = self.geometry_
        lines = [
            f"average of {many} seeds: mean cosine {self._cosine()}, norm {found.norm_ratio:.2f} "
            "of a seed's"
        ]
        return lines + ([self._warning()] if found.cosine < ORTHOGONAL else [])


class SmallInit(InductiveBias):
    """Control: fresh weights whose random part is as small as an average's, nothing learned.

    Each seed starts from the mean of ``n_averaged`` fresh initialisations, which divides the
    norm of all that is random by sqrt(n_averaged) and leaves the rest (biases at the shares of
    the training cells) as it is.
    """

    parameters: ClassVar[Parameters] = {
        "n_seeds": Whole(1),
        "n_averaged": Whole(1),
    }

    def __init__(self, n_seeds: int = 10, n_averaged: int = 10) -> None:
        self.n_seeds = n_seeds
        self.n_averaged = n_averaged

    def plan(self) -> Plan:
        """Nothing of a first training is used; the weights are fresh."""
        return Plan(self.n_seeds, first="none", last="train", stages=1)

    def _initial_weights(self, ensemble: Any, bench: Bench) -> Stacked:
        starts = []
        for seed in range(self.n_seeds):
            streams = [child(bench.stream, BIAS, FRESH, seed, k) for k in range(self.n_averaged)]
            drawn = [
                bench.model.network_.initial_weights(np.random.default_rng(s)) for s in streams
            ]
            starts.append(average({k: np.stack([w[k] for w in drawn]) for k in drawn[0]}))
        return {name: np.concatenate([s[name] for s in starts]) for name in starts[0]}


class Continued(InductiveBias):
    """Control: every seed goes on from its own weights, with a fresh optimiser.

    What remains of a bias's gain over this is not owed to more steps, more validations or the
    optimiser's fresh start.
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
    """A bias that takes another one, or none."""

    bias: InductiveBias | None

    def plan(self) -> Plan:
        """As the bias inside; without one the seeds are the result."""
        if self.bias is None:
            return Plan(self.n_seeds, last="none", stages=1)
        return self.bias.plan()

    def _initial_weights(self, ensemble: Any, bench: Bench) -> Stacked:
        if self.bias is None:
            weights: Stacked = ensemble.weights
            return weights
        return self.bias.initial_weights(ensemble, bench)

    def summary(self) -> list[str]:
        """Say what the bias inside says."""
        return [] if self.bias is None else self.bias.summary()


class StageOne(_Wrapper):
    """Control: a bias's weights without the second training; with None, the generator alone.

    ``n_seeds`` counts only without a bias, which has its own.
    """

    parameters: ClassVar[Parameters] = {
        "bias": or_none(InstanceOf(InductiveBias, "an InductiveBias")),
        "n_seeds": Whole(1),
    }

    def __init__(self, bias: InductiveBias | None = None, n_seeds: int = 10) -> None:
        self.bias = bias
        self.n_seeds = n_seeds

    def plan(self) -> Plan:
        """The second training is left out, and one seed is drawn from, whatever is inside."""
        plan = super().plan()
        return replace(
            plan,
            first="none" if plan.first == "none" else "shared",
            last="none" if plan.last == "none" else "judge",
            mixes=False,
        )


class SeedMixture(_Wrapper):
    """Draw rows from all seeds in equal parts; no weight is moved.

    The law drawn from is the mean of the seeds' laws, whose KL divergence from the truth is at
    most the mean of theirs (KL is convex). With ``rotate`` each seed sets aside other rows to
    see when to stop, so all rows train some seeds and seeds differ more. ``bias`` mixes the
    seeds that were fine-tuned from its weights instead: as many as the generator says, after a
    first training of as many as the bias says; these share the rows set aside.
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
        """All seeds are drawn from.

        Only where no weight is moved do they rotate: weights that have seen all rows could not
        tell from any when to stop.
        """
        plan = replace(super().plan(), mixes=True)
        if plan.last != "none":
            return plan
        return replace(plan, first="rotating" if self.rotate else "shared")
